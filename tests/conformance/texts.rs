//! What a row says of itself: names, topics, texts within the venue's limits, requests and their answers.

use super::*;
use isotherm::market::{lot_of, split_multiple};
use isotherm::venue::{canonical, instrument_name, texts};
use serde_json::Value;

const STREAMS: [Stream; 4] = [
    Stream::Book,
    Stream::Trades,
    Stream::Ticker,
    Stream::Liquidations,
];

/// Assets of every lot, with and without a number in their names.
const NAMES: [&str; 26] = [
    "BTC", "ETH", "SOL", "DOGE", "XRP", "PEPE", "SHIB", "BONK", "FLOKI", "LUNC", "XEC", "CAT",
    "RATS", "CHEEMS", "TURBO", "X", "WHY", "SATS", "LADYS", "MOG", "NEX", "BABYDOGE", "BTTC",
    "1INCH", "0G", "4",
];

/// A request with the first asset's instrument put in.
pub(crate) fn filled(row: &Row, request: &str) -> String {
    let venue = row.venue();
    let ask = venue.asks.iter().find(|ask| ask.request == request);
    let ask = ask.unwrap_or_else(|| panic!("{}: {request} is not asked", row.venue));
    let address = format!("0x{}", "5e".repeat(20));
    let request = texts::requests(venue, ask, &row.assets()).remove(0);
    texts::dated(&request, RECV).replace(isotherm::venue::ACCOUNT, &address)
}

#[test]
fn symbols_go_there_and_back() {
    for row in ROWS {
        let venue = row.venue();
        let named = venue.bases.iter().map(|(asset, _)| *asset);
        for asset in NAMES.into_iter().chain(named) {
            let name = instrument_name(venue.id, asset).unwrap();
            let (back, shift) = canonical(venue.id, &name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(back, asset, "{}: {name}", row.venue);
            // The shift is what makes the venue's multiple a canonical lot.
            let base = name.strip_suffix(venue.quote).unwrap();
            let (_, multiple) = split_multiple(base);
            let lots = f64::from(multiple) / f64::from(lot_of(asset));
            assert!(
                (lots.log10() - f64::from(shift)).abs() < 1e-9,
                "{name} {shift}"
            );
            assert!(name.len() <= venue.name_max, "{name}");
            // A decoder can be made of it.
            let one = [asset.to_owned()];
            assert!(
                Decoder::new(venue.id, &one).is_ok(),
                "{}: {asset}",
                row.venue
            );
        }
        for none in ["", venue.quote] {
            assert_eq!(canonical(venue.id, none), None, "{}: {none:?}", row.venue);
        }
    }
}

#[test]
fn every_topic_is_known_by_its_own_row() {
    for row in ROWS {
        let venue = row.venue();
        let names = ["BTC", "PEPE", "BABYDOGE"];
        for stream in STREAMS {
            let [one, other] = ["BTC", "ETH"]
                .map(|asset| (venue.topics)(&instrument_name(venue.id, asset).unwrap(), stream));
            assert_eq!(one.is_empty(), venue.root(stream).is_none(), "{stream:?}");
            for asset in names {
                let name = instrument_name(venue.id, asset).unwrap();
                for topic in (venue.topics)(&name, stream) {
                    match (venue.instrument_of)(&topic) {
                        // An index is of the coin; it is told under its instrument.
                        Some(of) => assert_eq!(of, name, "{topic}"),
                        // One for all is the same for each.
                        None => assert!(one.contains(&topic) && other.contains(&topic), "{topic}"),
                    }
                }
            }
            if one.is_empty() {
                continue;
            }
            let start = texts::topic_start(venue.id, stream);
            assert!(!start.is_empty(), "{}: nothing tells {stream:?}", row.venue);
            let sent = texts::subscribe(venue, &["BTC".to_owned()], &[stream]).concat();
            assert!(sent.contains(start), "{sent}");
            let others = STREAMS.into_iter().filter(|&s| s != stream);
            for start in others.map(|s| texts::topic_start(venue.id, s)) {
                assert!(start.is_empty() || !sent.contains(start), "{start} {sent}");
            }
        }
        let assets = names.map(str::to_owned);
        let topics = texts::topics(venue, &assets, &STREAMS);
        assert_eq!(texts::assets_of(venue, &topics), names, "{}", row.venue);
    }
}

/// The topics a text holds.
fn held(text: &str, field: &str) -> Vec<Value> {
    let text: Value = serde_json::from_str(text).unwrap();
    match &text[field] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    }
}

#[test]
fn what_is_sent_stays_within_the_venue_s_limits() {
    for row in ROWS {
        let (venue, limits) = (row.venue(), &row.limits);
        let assets: Vec<_> = (0..300).map(|i| format!("LONGNAME{i}")).collect();
        let topics = texts::topics(venue, &assets, &STREAMS);
        let as_value =
            |topic: &String| serde_json::from_str(topic).unwrap_or(Value::from(topic.as_str()));
        let want: Vec<Value> = topics.iter().map(as_value).collect();
        let sent = (venue.subscribe)(&topics);
        let mut asked = Vec::new();
        for text in &sent {
            let held = held(text, limits.field);
            assert!(
                !held.is_empty() && held.len() <= limits.topics,
                "{}",
                held.len()
            );
            assert!(
                text.len() <= limits.bytes,
                "{}: {} bytes",
                row.venue,
                text.len()
            );
            asked.extend(held);
        }
        assert_eq!(asked, want, "{}: each topic once, in order", row.venue);
        assert!((venue.subscribe)(&[]).is_empty());
        assert!(
            venue.pace >= Nanos::millis(limits.pause_ms),
            "{}",
            row.venue
        );
        // Renewed: each is given up, then asked for.
        let some = &topics[..3];
        let again: Vec<_> = (venue.resubscribe)(some);
        let both: Vec<_> = again
            .iter()
            .flat_map(|text| held(text, limits.field))
            .collect();
        assert_eq!(both.len(), 2 * some.len());
        for topic in some {
            assert_eq!(
                both.iter().filter(|held| **held == as_value(topic)).count(),
                2
            );
        }
        let first: Vec<bool> = again
            .iter()
            .map(|t| t.to_lowercase().contains("unsub"))
            .collect();
        assert!(first[0] && !first[first.len() - 1], "{again:?}");
    }
}

/// Every request has a documented answer that is read without a fault.
#[test]
fn every_request_is_answered_as_documented() {
    for row in ROWS {
        let venue = row.venue();
        for ask in venue.asks {
            let answer = row
                .answers
                .iter()
                .find(|answer| answer.request == ask.request);
            let answer =
                answer.unwrap_or_else(|| panic!("{}: no answer to {}", row.venue, ask.request));
            let request = filled(row, ask.request);
            assert!(
                !["{}", "{base}", "{since}", "{account}"]
                    .iter()
                    .any(|room| request.contains(room)),
                "{request}"
            );
            let mut decoder = row.silent();
            let mut room = FrameBuffer::default();
            for step in answer.before {
                take(&mut decoder, &mut room, *step).unwrap();
            }
            let got = take(&mut decoder, &mut room, (&request, answer.body)).unwrap();
            assert_eq!(lines(row, &got), answer.told, "{}: {request}", row.venue);
            assert_eq!((venue.next_page)(&request, answer.body.as_bytes()), None);
        }
        for primer in venue.primers {
            assert!(
                row.primers.iter().any(|(request, _)| request == primer),
                "{primer}"
            );
            assert!(
                venue.asks.iter().any(|ask| ask.request == *primer),
                "{primer}"
            );
        }
    }
}
