//! Texts: what a connection sends and asks, put together from a venue's row.

use super::{Ask, Venue, What, canonical, instrument_name, is_literal, venue};
use crate::event::Stream;
use crate::market::VenueId;
use crate::time::Nanos;

/// What tells a stream in a subscription's text; empty when the venue has none.
#[must_use]
pub fn topic_start(id: VenueId, stream: Stream) -> &'static str {
    let starts = venue(id).map_or(&[][..], |row| row.streams);
    starts
        .iter()
        .find(|(of, _)| *of == stream)
        .map_or("", |(_, start)| start)
}

/// The topics that carry `streams` of `assets`, each once.
#[must_use]
pub fn topics(row: &Venue, assets: &[String], streams: &[Stream]) -> Vec<String> {
    let mut topics: Vec<String> = Vec::new();
    for asset in assets {
        let Some(instrument) = instrument_name(row.id, asset) else {
            continue;
        };
        for stream in streams {
            for topic in (row.topics)(&instrument, *stream) {
                if !topics.contains(&topic) {
                    topics.push(topic);
                }
            }
        }
    }
    topics
}

/// The texts that subscribe `assets` to `streams`, each within the venue's limits.
#[must_use]
pub fn subscribe(row: &Venue, assets: &[String], streams: &[Stream]) -> Vec<String> {
    (row.subscribe)(&topics(row, assets, streams))
}

/// The texts that bring one asset's stream anew.
#[must_use]
pub fn renew(row: &Venue, asset: &str, stream: Stream) -> Vec<String> {
    let Some(instrument) = instrument_name(row.id, asset) else {
        return Vec::new();
    };
    let topics = (row.topics)(&instrument, stream);
    if topics.is_empty() {
        return Vec::new();
    }
    (row.resubscribe)(&topics)
}

/// The texts that bring one asset's book anew; none where books come by REST.
#[must_use]
pub fn resync(row: &Venue, asset: &str) -> Vec<String> {
    if row.image.is_some() {
        return Vec::new();
    }
    renew(row, asset, Stream::Book)
}

/// The requests of one row for these assets, the instrument (`{}`) or its base coin (`{base}`) put in.
#[must_use]
pub fn requests(row: &Venue, ask: &Ask, assets: &[String]) -> Vec<String> {
    if !ask.request.contains("{}") && !ask.request.contains("{base}") {
        return vec![ask.request.to_owned()];
    }
    assets
        .iter()
        .filter_map(|asset| instrument_name(row.id, asset))
        .map(|instrument| {
            let base = instrument.strip_suffix(row.quote).unwrap_or(&instrument);
            let request = ask.request.replace("{base}", base);
            request.replace("{}", &instrument)
        })
        .collect()
}

/// A request as it is sent at a moment: where it wants a beginning, that is [`PAST`](super::PAST) before.
#[must_use]
pub fn dated(request: &str, now: Nanos) -> String {
    let since = now.since(super::PAST).get() / Nanos::MILLI.get();
    request.replace("{since}", &since.to_string())
}

/// The request of the page before the oldest row of a full page: `name=stamp` in place of one that stands there.
/// `None` for a page that is not full, which is the last.
#[must_use]
pub fn older(request: &str, rows: usize, name: &str, stamp: i64) -> Option<String> {
    let (path, query) = request.split_once('?')?;
    let parts = query.split('&');
    let limit = parts.clone().find_map(|part| part.strip_prefix("limit="))?;
    if rows < limit.parse().ok()? {
        return None;
    }
    let own = |part: &&str| part.split_once('=').is_none_or(|(key, _)| key != name);
    let kept: Vec<&str> = parts.filter(own).collect();
    Some(format!("{path}?{}&{name}={stamp}", kept.join("&")))
}

/// What the engine must know of contracts: their terms (paged), then every asset's margin table.
#[must_use]
pub fn rest_requests(row: &Venue, assets: &[String]) -> Vec<String> {
    row.asks
        .iter()
        .filter(|ask| matches!(ask.what, What::Instruments | What::Tiers))
        .flat_map(|ask| requests(row, ask, assets))
        .collect()
}

/// Canonical assets of raw topics (`tickers.BTCUSDT`, `btcusdt@depth`), in order of appearance, each once.
#[must_use]
pub fn assets_of(row: &Venue, topics: &[String]) -> Vec<String> {
    let mut assets: Vec<String> = Vec::new();
    for topic in topics {
        let Some(instrument) = (row.instrument_of)(topic) else {
            continue;
        };
        if let Some((asset, _)) = canonical(row.id, &instrument)
            && !assets.iter().any(|known| known == asset)
        {
            assets.push(asset.to_string());
        }
    }
    assets
}

/// Instruments of raw topics as the venue writes them, in order of appearance, each once: what a recording without a
/// canonical asset is followed by.
#[must_use]
pub fn instruments_of(row: &Venue, topics: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in topics.iter().filter_map(|topic| (row.instrument_of)(topic)) {
        if is_literal(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::by_name;

    #[test]
    fn assets_come_from_topics_once_and_in_order() {
        let row = by_name("bybit").unwrap();
        let topics = [
            "tickers.ETHUSDT",
            "orderbook.200.1000PEPEUSDT",
            "kline.1.ETHUSDT",
            "x.y",
        ];
        let assets = assets_of(row, &topics.map(String::from));
        assert_eq!(assets, ["ETH", "PEPE"]);
    }

    #[test]
    fn older_pages_end_where_one_is_not_full() {
        let request = "/x?instId=BTC-USDT-SWAP&limit=2&end=9";
        let next = older(request, 2, "end", 5).unwrap();
        assert_eq!(next, "/x?instId=BTC-USDT-SWAP&limit=2&end=5");
        assert_eq!(older(request, 1, "end", 5), None);
        assert_eq!(
            older("/x?end=9", 2, "end", 5),
            None,
            "no page without a limit"
        );
        let rows = |stamps: [u64; 2]| stamps.map(|ms| format!(r#"["{ms}","1"]"#)).join(",");
        let okx = by_name("okx").unwrap();
        let body = format!(r#"{{"code":"0","data":[{}]}}"#, rows([7, 6]));
        for (path, name) in [
            ("/api/v5/market/history-candles", "after"),
            ("/api/v5/rubik/stat/contracts/open-interest-history", "end"),
        ] {
            let next = (okx.next_page)(&format!("{path}?instId=X&limit=2"), body.as_bytes());
            assert_eq!(next.unwrap(), format!("{path}?instId=X&limit=2&{name}=6"));
        }
        let binance = by_name("binance").unwrap();
        let body = br#"[{"timestamp":1000,"sumOpenInterest":"1"},{"timestamp":2000}]"#;
        let path = "/futures/data/openInterestHist?symbol=X&limit=2";
        let next = (binance.next_page)(path, body).unwrap();
        assert_eq!(next, format!("{path}&endTime=999"));
        let other = "/fapi/v1/openInterest?symbol=X&limit=2";
        assert_eq!((binance.next_page)(other, body), None);
        let dated = dated("{since}", Nanos::millis(20 * 86_400_000 + 5));
        assert_eq!(dated, "5");
    }

    #[test]
    fn a_feed_subscribes_to_its_streams_only() {
        let row = by_name("bybit").unwrap();
        let texts = subscribe(row, &["BTC".into(), "PEPE".into()], &[Stream::Ticker]);
        assert_eq!(texts.len(), 1);
        assert!(texts[0].contains("tickers.BTCUSDT") && texts[0].contains("tickers.1000PEPEUSDT"));
        assert!(!texts[0].contains("orderbook"));
        assert!(
            resync(row, "BTC")
                .iter()
                .all(|text| text.contains("orderbook.200.BTCUSDT"))
        );
        assert_eq!(rest_requests(row, &["BTC".into()]).len(), 2);
    }
}
