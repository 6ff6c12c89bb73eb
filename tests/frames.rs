//! Frames: recorded and synthetic bytes of each venue, by both roads, to the events they mean.
//!
//! Recorded frames are never part of the repository. They are read from `ISOTHERM_SHARED` or
//! `../shared`, and a test that cannot find them says so loudly and passes.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "fixtures/bybit.rs"]
mod fixtures;

use fixtures::*;
use isotherm::event::{Body, Event, FIRST, LAST, SNAPSHOT, Stream};
use isotherm::health::FaultKind;
use isotherm::market::{Side, SymbolId, VenueId};
use isotherm::num::{Px, Qty};
use isotherm::time::Nanos;
use isotherm::venue::{Decoder, Road};
use isotherm::wire::FrameBuffer;
use std::path::PathBuf;

/// A folder of recorded frames, if this machine has it.
fn captures(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ISOTHERM_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let path = root.join("captures").join(part);
    if path.exists() {
        return Some(path);
    }
    // Written, not printed: the test harness must not swallow it.
    let line = format!("SKIPPED: no recorded frames at {}", path.display());
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes());
    None
}

fn assets(names: &[&str]) -> Vec<String> {
    names.iter().map(|&n| n.to_owned()).collect()
}

fn decoder(names: &[&str]) -> Decoder {
    Decoder::new(VenueId::BYBIT, &assets(names)).unwrap()
}

/// What came of a frame, owned.
#[derive(Debug, Clone, PartialEq)]
struct Got {
    events: Vec<Event>,
    road: Road,
    gap: bool,
    resync: Option<SymbolId>,
}

impl Got {
    fn bodies(&self) -> Vec<Body> {
        self.events.iter().map(Event::body).collect()
    }
}

const RECV: Nanos = Nanos::new(1_790_000_000_123_456_789);

/// The same frame through the fast decoder, the plain one and the tolerant road, which must agree.
struct Three {
    fast: Decoder,
    plain: Decoder,
    tolerant: Decoder,
    room: FrameBuffer,
}

impl Three {
    fn new(names: &[&str]) -> Self {
        let mut plain = decoder(names);
        plain.use_plain();
        Self {
            fast: decoder(names),
            plain,
            tolerant: decoder(names),
            room: FrameBuffer::with_capacity(1 << 20),
        }
    }

    fn one(
        decoder: &mut Decoder,
        room: &mut FrameBuffer,
        bytes: &[u8],
        tolerant: bool,
    ) -> Result<Got, FaultKind> {
        let frame = room.put(bytes);
        let got = if tolerant {
            decoder.decode_tolerant(RECV, frame)
        } else {
            decoder.decode(RECV, frame)
        };
        got.map(|d| Got {
            events: d.events.to_vec(),
            road: d.road,
            gap: d.gap,
            resync: d.resync,
        })
        .map_err(|f| f.kind)
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<Got, FaultKind> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let fast = Self::one(&mut self.fast, &mut self.room, bytes, false);
        let plain = Self::one(&mut self.plain, &mut self.room, bytes, false);
        let tolerant = Self::one(&mut self.tolerant, &mut self.room, bytes, true);
        assert_eq!(fast, plain, "instruction sets disagree: {text}");
        let same = |got: &Result<Got, FaultKind>| {
            got.clone().map(|g| Got {
                road: if g.road == Road::Fast {
                    Road::Tolerant
                } else {
                    g.road
                },
                ..g
            })
        };
        assert_eq!(same(&fast), same(&tolerant), "roads disagree: {text}");
        fast
    }
}

#[derive(serde::Deserialize)]
struct Line {
    recv_ns: i64,
    kind: String,
    frame: Option<String>,
}

fn session(path: PathBuf) -> Vec<Line> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn the_recorded_bybit_session_takes_the_fast_road() {
    let Some(path) = captures("bybit/cryptofeed-2026-linear/session.recv.jsonl") else {
        return;
    };
    let mut decoder = decoder(&["BTC", "ETH", "SOL", "DOGE"]);
    let mut room = FrameBuffer::with_capacity(1 << 16);
    let (mut frames, mut ignored, mut trades, mut tolerant, mut levels) = (0, 0, 0, 0, 0);
    let mut marks = [Px::ZERO; 4];
    let mut interests = [Qty::ZERO; 4];
    for line in session(path) {
        let (Some(frame), "recv") = (line.frame, line.kind.as_str()) else {
            continue;
        };
        frames += 1;
        let recv = Nanos::new(line.recv_ns);
        let got = decoder
            .decode(recv, room.put(frame.as_bytes()))
            .unwrap_or_else(|fault| panic!("{fault:?}: {frame}"));
        assert!(!got.gap && got.resync.is_none());
        match got.road {
            Road::Ignored => ignored += 1,
            Road::Tolerant => tolerant += 1,
            Road::Fast => {}
        }
        if let (Some(first), Some(last)) = (got.events.first(), got.events.last()) {
            assert!(first.bits & FIRST != 0 && last.bits & LAST != 0);
        }
        for event in got.events {
            assert_eq!(event.recv, recv);
            match event.body() {
                Body::Trade(_) => trades += 1,
                Body::Level(_) => levels += 1,
                Body::Mark(px) => marks[usize::from(event.symbol.0)] = px,
                Body::Interest(qty) => interests[usize::from(event.symbol.0)] = qty,
                _ => {}
            }
        }
    }
    assert_eq!((frames, ignored, trades, tolerant), (2_546, 88, 327, 0));
    assert!(levels > 10_000);
    assert_eq!(marks[0], Px::parse("65117.19").unwrap());
    assert_eq!(marks[1], Px::parse("1922.58").unwrap());
    assert_eq!(interests[0], Qty::parse("29947.994").unwrap());
    assert_eq!(interests[1], Qty::parse("415043.45").unwrap());
    assert_eq!(decoder.places(SymbolId(0)), (2, 3));
    assert_eq!(decoder.places(SymbolId(1)), (2, 2));
    assert_eq!(decoder.places(SymbolId(3)), (5, 0));
}

#[test]
fn every_recorded_frame_means_the_same_on_both_roads() {
    let Some(path) = captures("bybit/cryptofeed-2026-linear/session.recv.jsonl") else {
        return;
    };
    let mut three = Three::new(&["BTC", "ETH", "SOL", "DOGE"]);
    for line in session(path) {
        if let (Some(frame), "recv") = (line.frame, line.kind.as_str()) {
            three.decode(frame.as_bytes()).unwrap();
        }
    }
}

fn px(text: &str) -> Px {
    Px::parse(text).unwrap()
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

fn three() -> Three {
    Three::new(&["BTC", "PEPE", "LADYS", "NEX"])
}

/// A frame with its symbol and numbers replaced.
fn with(frame: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(frame.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    })
}

#[test]
fn a_trade_carries_the_taker_and_a_hash_of_its_uuid() {
    let mut three = three();
    let one = three.decode(TRADE.as_bytes()).unwrap();
    let two = three.decode(TRADES.as_bytes()).unwrap();
    let trades: Vec<_> = [one.clone(), two.clone()]
        .iter()
        .flat_map(Got::bodies)
        .map(|b| match b {
            Body::Trade(t) => t,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(trades[0].side, Side::Sell);
    assert_eq!(trades[0].price, px("80000.1"));
    assert_eq!(trades[0].qty, qty("0.012"));
    assert_eq!((trades[1].side, trades[2].side), (Side::Buy, Side::Sell));
    assert_ne!(trades[0].id, trades[1].id);
    assert_ne!(trades[1].id, trades[2].id);
    let again = three.decode(TRADE.as_bytes()).unwrap();
    assert!(again.events.is_empty(), "the same trade again is no trade");
    assert_eq!(two.events[0].exch, Nanos::millis(1_790_000_000_199));
    assert_eq!(two.events[0].bits, FIRST);
    assert_eq!(two.events[1].bits, LAST);
    assert_eq!(one.events[0].bits, FIRST | LAST);
}

#[test]
fn a_jump_in_the_chain_is_a_gap_until_the_next_image() {
    let mut three = three();
    let delta = |u: u64| with(DELTA, &[("\"u\":12", &format!("\"u\":{u}"))]);
    // Before the first image deltas mean nothing.
    assert_eq!(three.decode(DELTA.as_bytes()).unwrap().road, Road::Ignored);
    three.decode(SNAP.as_bytes()).unwrap();
    assert_eq!(three.decode(delta(12).as_bytes()).unwrap().road, Road::Fast);
    // Old and repeated ones are not news.
    for u in [12, 11, 3] {
        assert_eq!(
            three.decode(delta(u).as_bytes()).unwrap().road,
            Road::Ignored
        );
    }
    let gap = three.decode(delta(14).as_bytes()).unwrap();
    assert!(gap.gap);
    assert_eq!(gap.resync, Some(SymbolId(0)));
    assert_eq!(gap.events.len(), 1);
    assert_eq!(gap.events[0].bits, FIRST | LAST);
    match gap.events[0].body() {
        Body::Gap(g) => assert_eq!((g.stream, g.expected, g.got), (Stream::Book, 13, 14)),
        other => panic!("{other:?}"),
    }
    for u in [13, 14, 15] {
        let got = three.decode(delta(u).as_bytes()).unwrap();
        assert_eq!(
            (got.road, got.gap, got.resync),
            (Road::Ignored, false, None)
        );
    }
    three.decode(SNAP.as_bytes()).unwrap();
    assert_eq!(three.decode(delta(12).as_bytes()).unwrap().road, Road::Fast);
    // Their service restarted: the delta with number 1 is an image.
    let first = three.decode(delta(1).as_bytes()).unwrap();
    assert!(first.events.iter().all(|e| e.bits & SNAPSHOT != 0));
    assert_eq!(three.decode(delta(2).as_bytes()).unwrap().road, Road::Fast);
    // A reset forgets the chain.
    three.fast.reset();
    let mut room = FrameBuffer::default();
    let got = Three::one(&mut three.fast, &mut room, delta(3).as_bytes(), false);
    assert_eq!(got.unwrap().road, Road::Ignored);
}

#[test]
fn an_image_without_levels_is_no_book() {
    let mut three = three();
    three.decode(SNAP.as_bytes()).unwrap();
    let empty = r#"{"topic":"orderbook.200.BTCUSDT","type":"snapshot","ts":1790000000000,"data":{"s":"BTCUSDT","b":[],"a":[],"u":20,"seq":1},"cts":1790000000000}"#;
    let got = three.decode(empty.as_bytes()).unwrap();
    assert!(got.gap && got.resync.is_some());
    let quiet = with(empty, &[("snapshot", "delta")]);
    three.decode(SNAP.as_bytes()).unwrap();
    let quiet = with(&quiet, &[("\"u\":20", "\"u\":12")]);
    let got = three.decode(quiet.as_bytes()).unwrap();
    assert_eq!((got.road, got.events.len()), (Road::Fast, 0));
    assert_eq!(
        three
            .decode(with(DELTA, &[("\"u\":12", "\"u\":13")]).as_bytes())
            .unwrap()
            .road,
        Road::Fast
    );
}

#[test]
fn a_ticker_is_merged_and_tells_only_what_changed() {
    let mut three = three();
    let all = three.decode(TICKER.as_bytes()).unwrap().bodies();
    assert_eq!(all[0], Body::Mark(px("80001")));
    assert_eq!(all[1], Body::Index(px("80010.25")));
    match all[2] {
        Body::Funding(f) => {
            assert_eq!(f.rate_e12, -100_000_000);
            assert_eq!(f.next, Nanos::millis(1_790_006_400_000));
            assert_eq!(f.interval.get(), 8 * Nanos::HOUR.get());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(all[3], Body::Interest(qty("50000.15")));
    assert!(matches!(all[4], Body::Bbo(b) if b.bid == px("80000.1") && b.ask_qty == qty("3.001")));
    assert_eq!(all.len(), 5);
    let some = three.decode(TICK.as_bytes()).unwrap().bodies();
    assert_eq!(
        some,
        [Body::Mark(px("80002")), Body::Interest(qty("50000.1"))]
    );
    let delta = |data: &str| {
        format!(
            r#"{{"topic":"tickers.BTCUSDT","type":"delta","data":{{"symbol":"BTCUSDT"{data}}},"cs":3,"ts":1790000000200}}"#
        )
    };
    // Both sides' sum says nothing new once one side was seen.
    let got = three
        .decode(delta(r#","openInterest":"7""#).as_bytes())
        .unwrap();
    assert_eq!((got.road, got.events.len()), (Road::Fast, 0));
    let got = three
        .decode(delta(r#","lastPrice":"1","openInterestValue":"2""#).as_bytes())
        .unwrap();
    assert_eq!((got.road, got.events.len()), (Road::Fast, 0));
    // One changed field gives the merged touch and the merged funding; "" is absent.
    let got = three
        .decode(delta(r#","bid1Price":"80000.00","indexPrice":"""#).as_bytes())
        .unwrap();
    assert!(
        matches!(got.bodies()[..], [Body::Bbo(b)] if b.bid == px("80000") && b.ask == px("80000.2"))
    );
    let got = three
        .decode(delta(r#","nextFundingTime":"1790035200000""#).as_bytes())
        .unwrap();
    assert!(matches!(got.bodies()[..], [Body::Funding(f)] if f.rate_e12 == -100_000_000));
    // Half of the sum as long as nothing better was heard; a touch only when it is whole.
    three.fast.reset();
    three.plain.reset();
    three.tolerant.reset();
    let got = three
        .decode(delta(r#","openInterest":"100000.301","bid1Size":"1""#).as_bytes())
        .unwrap();
    assert_eq!(got.bodies(), [Body::Interest(qty("50000.1505"))]);
    let got = three
        .decode(delta(r#","nextFundingTime":"1790035200000""#).as_bytes())
        .unwrap();
    assert!(got.events.is_empty());
}

#[test]
fn multiples_become_canonical_lots() {
    let mut three = three();
    let pepe = with(
        TRADE,
        &[
            ("BTCUSDT", "1000PEPEUSDT"),
            ("80000.10", "0.0079230"),
            ("0.012", "123400"),
        ],
    );
    match three.decode(pepe.as_bytes()).unwrap().bodies()[0] {
        Body::Trade(t) => assert_eq!((t.price, t.qty), (px("0.007923"), qty("123400"))),
        other => panic!("{other:?}"),
    }
    let ladys = with(
        TRADE,
        &[
            ("BTCUSDT", "10000LADYSUSDT"),
            ("80000.10", "0.0012345"),
            ("0.012", "5000"),
        ],
    );
    match three.decode(ladys.as_bytes()).unwrap().bodies()[0] {
        Body::Trade(t) => assert_eq!((t.price, t.qty), (px("0.12345"), qty("50"))),
        other => panic!("{other:?}"),
    }
    assert_eq!(three.fast.places(SymbolId(2)), (5, 2));
    let nex = with(
        TRADE,
        &[
            ("\"0.012\"", "\"30\""),
            ("BTCUSDT", "10000NEXUSDT"),
            ("80000.10", "0.01234"),
        ],
    );
    match three.decode(nex.as_bytes()).unwrap().bodies()[0] {
        Body::Trade(t) => assert_eq!((t.price, t.qty), (px("0.000001234"), qty("300000"))),
        other => panic!("{other:?}"),
    }
    // A price finer than the step of the lot is refused, not rounded.
    let fine = with(
        TRADE,
        &[("BTCUSDT", "10000NEXUSDT"), ("80000.10", "0.0123456")],
    );
    assert_eq!(three.decode(fine.as_bytes()), Err(FaultKind::OutOfRange));
}

#[test]
fn other_forms_take_the_tolerant_road_to_the_same_events() {
    let mut three = three();
    three.decode(SNAP.as_bytes()).unwrap();
    let forms = [
        (
            TRADE,
            r#"{"type":"snapshot","data":[{"p":"80000.10","v":0.012,"S":"Sell","new":{"x":[1]},"i":"00000000-1111-5222-8333-444444444444","T":1790000000100}],"ts":1790000000101,"topic":"publicTrade.BTCUSDT"}"#,
        ),
        (
            PRINT,
            r#"{"ts":1790000000500,"data":[{"p":79600.00,"v":"0.050","S":"Buy","s":"BTCUSDT","T":1790000000100},{"S":"Sell","v":"1.234","p":"81234.50","T":"1790000000200"}],"topic":"allLiquidation.BTCUSDT"}"#,
        ),
        (
            TICK,
            r#"{ "topic" : "tickers.BTCUSDT", "ts":1790000000100, "data" : {"singleOpenInterest":50000.1,"markPrice":"80002.00","newField":null}}"#,
        ),
        (
            DELTA,
            r#"{"cts":1790000000098,"data":{"a":[["80000.50","2.100"],[80000.60,0.5]],"u":12,"b":[["80000.00","0"]]},"type":"delta","topic":"orderbook.200.BTCUSDT","ts":1790000000100}"#,
        ),
    ];
    for (usual, other) in forms {
        let mut fresh = self::three();
        fresh.decode(SNAP.as_bytes()).unwrap();
        let want = fresh.decode(usual.as_bytes()).unwrap();
        let mut fresh = self::three();
        fresh.decode(SNAP.as_bytes()).unwrap();
        let got = fresh.decode(other.as_bytes()).unwrap();
        assert_eq!(got.road, Road::Tolerant, "{other}");
        let sorted = |got: &Got| {
            let mut all: Vec<_> = got
                .events
                .iter()
                .map(|e| format!("{:?}", (e.exch, e.body())))
                .collect();
            all.sort();
            all
        };
        assert_eq!(sorted(&got), sorted(&want), "{other}");
    }
}

#[test]
fn acknowledgements_are_ignored_and_refusals_are_faults() {
    let mut three = three();
    let nothing = [
        r#"{"success":true,"ret_msg":"","conn_id":"x","req_id":"1","op":"subscribe"}"#,
        r#"{"success":true,"ret_msg":"pong","conn_id":"x","op":"ping"}"#,
        r#"{"op":"pong"}"#,
        r#"{"topic":"kline.1.BTCUSDT","data":[],"ts":1790000000000,"type":"snapshot"}"#,
        &with(TRADE, &[("BTCUSDT", "OTHERUSDT")]),
        &with(TICKER, &[("BTCUSDT", "OTHERUSDT")]),
    ];
    for frame in nothing {
        let got = three.decode(frame.as_bytes()).unwrap();
        assert_eq!((got.road, got.events.len()), (Road::Ignored, 0), "{frame}");
    }
    let faults = [
        (
            r#"{"success":false,"ret_msg":"no","op":"subscribe"}"#.to_owned(),
            FaultKind::Refused,
        ),
        (
            r#"{"topic":"other.BTCUSDT","data":[]}"#.to_owned(),
            FaultKind::UnknownTopic,
        ),
        (
            r#"{"topic":"orderbook.x.BTCUSDT","data":[]}"#.to_owned(),
            FaultKind::UnknownTopic,
        ),
        (
            r#"{"topic":"publicTradeBTCUSDT","data":[]}"#.to_owned(),
            FaultKind::UnknownTopic,
        ),
        ("[]".to_owned(), FaultKind::BadFrame),
        (String::new(), FaultKind::NotJson),
        (
            with(TRADE, &[("\"s\":\"BTCUSDT\"", "\"s\":\"ETHUSDT\"")]),
            FaultKind::UnknownSymbol,
        ),
        (with(TRADE, &[("Sell", "Held")]), FaultKind::BadSide),
        (
            with(TRADE, &[("80000.10", "80000,10")]),
            FaultKind::BadNumber,
        ),
        (with(TRADE, &[("80000.10", "")]), FaultKind::MissingField),
        (with(TRADE, &[("80000.10", "0.00")]), FaultKind::OutOfRange),
        (
            with(TRADE, &[("80000.10", "3602880.00")]),
            FaultKind::OutOfRange,
        ),
        (with(TRADE, &[("0.012", "-0.012")]), FaultKind::OutOfRange),
        (
            with(TRADE, &[("0.012", "0.0000012")]),
            FaultKind::OutOfRange,
        ),
        (with(SNAP, &[("80000.10", "0")]), FaultKind::OutOfRange),
        (with(TICKER, &[("80001.00", "0")]), FaultKind::OutOfRange),
        (with(TICKER, &[("80001.00", "-1")]), FaultKind::OutOfRange),
        (
            with(TRADE, &[("\"i\":", "\"j\":")]),
            FaultKind::MissingField,
        ),
        (with(SNAP, &[("\"u\":11,", "")]), FaultKind::MissingField),
    ];
    for (frame, kind) in faults {
        assert_eq!(three.decode(frame.as_bytes()), Err(kind), "{frame}");
    }
}

#[test]
fn a_faulty_frame_leaves_nothing_behind() {
    let mut three = three();
    three.decode(TICKER.as_bytes()).unwrap();
    three.decode(SNAP.as_bytes()).unwrap();
    // The mark is good and the touch is not: neither is taken in.
    let bad = with(
        TICKER,
        &[
            ("80001.00", "1.00"),
            ("\"bid1Price\":\"80000.10\"", "\"bid1Price\":\"-80000.10\""),
        ],
    );
    assert!(three.decode(bad.as_bytes()).is_err());
    let bad = with(DELTA, &[("80000.60", "80000.6.0")]);
    assert!(three.decode(bad.as_bytes()).is_err());
    assert_eq!(three.decode(DELTA.as_bytes()).unwrap().events.len(), 3);
    let touch = r#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","ask1Size":"9"},"cs":3,"ts":1790000000200}"#;
    let got = three.decode(touch.as_bytes()).unwrap();
    assert!(
        matches!(got.bodies()[..], [Body::Bbo(b)] if b.bid == px("80000.1") && b.ask_qty == qty("9"))
    );
}

#[test]
fn a_message_of_a_thousand_trades_and_a_book_of_a_thousand_levels_fit() {
    let mut three = three();
    let row = &TRADE[TRADE.find("{\"T\"").unwrap()..TRADE.len() - 2];
    let rows = (0..1024).map(|i| row.replace("444444444444", &format!("{i:012}")));
    let rows = rows.collect::<Vec<_>>().join(",");
    let frame = format!(
        r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000101,"data":[{rows}]}}"#
    );
    let got = three.decode(frame.as_bytes()).unwrap();
    assert_eq!((got.road, got.events.len()), (Road::Fast, 1024));
    let levels = |from: i64, step: i64| {
        let all: Vec<_> = (0..1000)
            .map(|i| format!("[\"{}.50\",\"{}.001\"]", from + i * step, i))
            .collect();
        all.join(",")
    };
    let book = format!(
        r#"{{"topic":"orderbook.1000.BTCUSDT","type":"snapshot","ts":1790000000000,"data":{{"s":"BTCUSDT","b":[{}],"a":[{}],"u":11,"seq":899}},"cts":1789999999998}}"#,
        levels(80_000, -1),
        levels(80_001, 1)
    );
    for _ in 0..2 {
        let got = three.decode(book.as_bytes()).unwrap();
        assert_eq!((got.road, got.events.len()), (Road::Fast, 2000));
    }
    let rows = vec![row; 5000].join(",");
    let frame = format!(
        r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000101,"data":[{rows}]}}"#
    );
    assert_eq!(three.decode(frame.as_bytes()), Err(FaultKind::TooLong));
}

#[test]
fn contract_terms_and_margin_tables_are_read() {
    let mut decoder = decoder(&["BTC", "LADYS"]);
    let terms = br#"{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[
        {"symbol":"BTCUSDT","status":"Trading","priceScale":"2","leverageFilter":{"maxLeverage":"100.00"},"priceFilter":{"tickSize":"0.10"},"lotSizeFilter":{"qtyStep":"0.001"},"fundingInterval":480},
        {"symbol":"OTHERUSDT","status":"Trading"},
        {"symbol":"10000LADYSUSDT","status":"PreLaunch","priceScale":"7","leverageFilter":{"maxLeverage":"25.00"},"priceFilter":{"tickSize":"0.0000001"},"lotSizeFilter":{"qtyStep":"100"},"fundingInterval":240}],
        "nextPageCursor":"first%3DA%26last%3DB"},"retExtInfo":{},"time":1790000000000}"#;
    let request = "/v5/market/instruments-info?category=linear&limit=1000";
    let got = decoder.rest(RECV, request, terms).unwrap();
    assert_eq!(got.events.len(), 2);
    match got.events[0].body() {
        Body::Instrument(i) => {
            assert_eq!(
                (i.tick, i.lot, i.leverage_e2),
                (px("0.1"), qty("0.001"), 10_000)
            );
            assert_eq!((i.status, i.price_places), (0, 2));
            assert_eq!(i.funding_interval.get(), 8 * Nanos::HOUR.get());
        }
        other => panic!("{other:?}"),
    }
    match got.events[1].body() {
        Body::Instrument(i) => {
            assert_eq!((i.tick, i.lot, i.status), (px("0.00001"), qty("1"), 1));
            assert_eq!(i.price_places, 5);
        }
        other => panic!("{other:?}"),
    }
    let next = isotherm::venue::VENUES[0].next_page;
    let page = next(request, terms).unwrap();
    assert_eq!(page, format!("{request}&cursor=first%3DA%26last%3DB"));
    assert_eq!(next(&page, terms).unwrap(), page);
    assert_eq!(next(request, br#"{"result":{"nextPageCursor":""}}"#), None);
    let tiers = br#"{"retCode":0,"result":{"category":"linear","list":[
        {"id":1,"symbol":"BTCUSDT","riskLimitValue":"2000000","maintenanceMargin":"0.005","initialMargin":"0.01","isLowestRisk":1,"maxLeverage":"100.00","mmDeduction":""},
        {"id":2,"symbol":"BTCUSDT","riskLimitValue":"2600000","maintenanceMargin":"0.0056","initialMargin":"0.0111","isLowestRisk":0,"maxLeverage":"90.00","mmDeduction":"1200"},
        {"id":1,"symbol":"OTHERUSDT","riskLimitValue":"1","maintenanceMargin":"0.01","maxLeverage":"1","mmDeduction":""},
        {"id":1,"symbol":"10000LADYSUSDT","riskLimitValue":"5000","maintenanceMargin":"0.02","initialMargin":"0.04","isLowestRisk":1,"maxLeverage":"25.00","mmDeduction":""}]},"time":1790000000000}"#;
    let got = decoder
        .rest(
            RECV,
            "/v5/market/risk-limit?category=linear&cursor=x",
            tiers,
        )
        .unwrap();
    let rows: Vec<_> = got
        .events
        .iter()
        .map(|e| match e.body() {
            Body::Tier(t) => (e.symbol.0, t),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(rows.len(), 3);
    assert_eq!((rows[0].1.row, rows[1].1.row, rows[2].1.row), (0, 1, 0));
    assert_eq!(rows[1].1.floor.get(), 200_000_000);
    assert_eq!(rows[1].1.deduction.get(), 120_000);
    assert_eq!(rows[0].1.deduction.get(), 0);
    assert_eq!(
        (rows[1].1.maintenance_e6, rows[1].1.leverage_e2),
        (5_600, 9_000)
    );
    assert_eq!(rows[2].0, 1);
    let refused = br#"{"retCode":10006,"retMsg":"Too many visits","result":{}}"#;
    let fault = decoder.rest(RECV, request, refused).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(decoder.rest(RECV, "/v5/other", tiers).is_err());
    assert!(decoder.rest(RECV, request, b"<html>").is_err());
}

#[test]
fn recorded_rest_answers_are_read() {
    let mut decoder = decoder(&["BTC", "ETH", "0G", "BABYDOGE", "PEPE"]);
    if let Some(path) = captures("bybit/cryptofeed-2026-linear/rest") {
        let file = std::fs::read_dir(path).unwrap().next().unwrap().unwrap();
        let body = std::fs::read(file.path()).unwrap();
        let request = "/v5/market/instruments-info?category=linear&status=Trading&limit=1000";
        assert_eq!(decoder.rest(RECV, request, &body).unwrap().events.len(), 5);
    }
    if let Some(path) = captures("bybit/live-2026-frames/rest/v5_market_risk-limit.json") {
        let body = std::fs::read(path).unwrap();
        let request = "/v5/market/risk-limit?category=linear";
        let got = decoder.rest(RECV, request, &body).unwrap();
        assert_eq!(got.events.len(), 60);
        let next = isotherm::venue::VENUES[0].next_page;
        assert!(next(request, &body).is_some());
    }
}

#[test]
fn recorded_single_frames_are_read() {
    let Some(path) = captures("bybit/live-2026-frames") else {
        return;
    };
    let mut three = Three::new(&["BTC", "STRK", "ICP", "MARSCOIN", "ADA"]);
    for file in ["allLiquidation.jsonl", "tickers-delta.jsonl"] {
        for line in std::fs::read_to_string(path.join(file)).unwrap().lines() {
            assert_eq!(
                three.decode(line.as_bytes()).unwrap().road,
                Road::Fast,
                "{line}"
            );
        }
    }
}
