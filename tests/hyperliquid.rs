//! Hyperliquid: documented and recorded bytes, by both roads, to the events they mean.
//!
//! Recorded frames are never part of the repository. They are read from `ISOTHERM_SHARED` or `../shared`, and a test
//! that cannot find them says so loudly and passes.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "fixtures/hyperliquid.rs"]
mod fixtures;

use fixtures::*;
use isotherm::event::{Body, Event, FIRST, HISTORY, LAST, SNAPSHOT, Stream};
use isotherm::health::FaultKind;
use isotherm::market::{Side, SymbolId, VenueId};
use isotherm::num::{Px, Qty};
use isotherm::time::Nanos;
use isotherm::venue::{Decoder, Road, Venue, canonical, instrument_name, texts, venue};
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

const RECV: Nanos = Nanos::new(1_790_000_000_123_456_789);

fn row() -> &'static Venue {
    venue(VenueId::HYPERLIQUID).unwrap()
}

fn decoder_of(names: &[&str]) -> Decoder {
    let assets: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
    Decoder::new(VenueId::HYPERLIQUID, &assets).unwrap()
}

fn decoder() -> Decoder {
    decoder_of(&["BTC", "PEPE", "TURBO"])
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

/// The same frame through the fast decoder, the plain one and the tolerant road, which must agree.
struct Three {
    fast: Decoder,
    plain: Decoder,
    tolerant: Decoder,
    room: FrameBuffer,
    recv: Nanos,
}

impl Three {
    fn new() -> Self {
        let mut plain = decoder();
        plain.use_plain();
        Self {
            fast: decoder(),
            plain,
            tolerant: decoder(),
            room: FrameBuffer::with_capacity(1 << 20),
            recv: RECV,
        }
    }

    fn one(
        decoder: &mut Decoder,
        room: &mut FrameBuffer,
        recv: Nanos,
        bytes: &[u8],
        tolerant: bool,
    ) -> Result<Got, FaultKind> {
        let frame = room.put(bytes);
        let got = if tolerant {
            decoder.decode_tolerant(recv, frame)
        } else {
            decoder.decode(recv, frame)
        };
        got.map(|d| Got {
            events: d.events.to_vec(),
            road: d.road,
            gap: d.gap,
            resync: d.resync,
        })
        .map_err(|f| f.kind)
    }

    fn decode(&mut self, frame: impl AsRef<[u8]>) -> Result<Got, FaultKind> {
        let bytes = frame.as_ref();
        let text = String::from_utf8_lossy(bytes).into_owned();
        let fast = Self::one(&mut self.fast, &mut self.room, self.recv, bytes, false);
        let plain = Self::one(&mut self.plain, &mut self.room, self.recv, bytes, false);
        let tolerant = Self::one(&mut self.tolerant, &mut self.room, self.recv, bytes, true);
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

fn px(text: &str) -> Px {
    Px::parse(text).unwrap()
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

/// A frame with parts of it replaced.
fn with(frame: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(frame.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    })
}

#[test]
fn a_trade_carries_the_taker_and_both_owners() {
    let mut three = Three::new();
    let one = three.decode(TRADE).unwrap();
    let address = |byte| [byte; 20];
    match one.bodies()[..] {
        [Body::Account(a), Body::Account(b), Body::Trade(t)] => {
            assert_eq!((a.id, a.address), (1, address(0x11)));
            assert_eq!((b.id, b.address), (2, address(0x22)));
            assert_eq!(
                (t.price, t.qty, t.side),
                (px("80000"), qty("0.00036"), Side::Sell)
            );
            assert_eq!(t.accounts, [1, 2]);
        }
        ref other => panic!("{other:?}"),
    }
    assert_eq!((one.events[0].bits, one.events[2].bits), (FIRST, LAST));
    assert_eq!(one.events[2].exch, Nanos::millis(1_790_000_000_100));
    assert_eq!(three.fast.heard(), Some((Stream::Trades, SymbolId(0))));
    let two = three.decode(TRADES).unwrap();
    match two.bodies()[..] {
        [Body::Account(c), Body::Trade(t), Body::Trade(u)] => {
            assert_eq!((c.id, c.address), (3, address(0x33)));
            assert_eq!(
                (t.side, t.accounts, u.accounts),
                (Side::Buy, [3, 1], [3, 2])
            );
            assert_ne!(t.id, u.id);
        }
        ref other => panic!("{other:?}"),
    }
    assert!(three.decode(TRADES).unwrap().events.is_empty(), "once");
    // The same number at another time is another trade.
    let again = with(TRADE, &[("1790000000100", "1790000000300")]);
    assert_eq!(three.decode(again).unwrap().events.len(), 1);
    let without = with(
        TRADE,
        &[
            (",\"users\"", ",\"others\""),
            ("1790000000100", "1790000000400"),
        ],
    );
    match three.decode(without).unwrap().bodies()[..] {
        [Body::Trade(t)] => assert_eq!(t.accounts, [0, 0]),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_first_message_of_trades_is_history() {
    let mut three = Three::new();
    let old = with(
        TRADES,
        &[(
            "\"B\",\"px\":\"80001.5\",\"sz\":\"1.0\",\"time\":1790000000200",
            "\"B\",\"px\":\"80001.5\",\"sz\":\"1.0\",\"time\":1789999900200",
        )],
    );
    match three.decode(&old).unwrap().bodies()[..] {
        [Body::Account(_), Body::Account(_), Body::Trade(t)] => assert_eq!(t.price, px("80002")),
        ref other => panic!("{other:?}"),
    }
    assert_eq!(three.fast.duplicates(), 1);
    // A message later the same would be a late trade.
    let late = with(TRADE, &[("1790000000100", "1789999900100")]);
    assert!(matches!(
        three.decode(&late).unwrap().bodies().last(),
        Some(Body::Trade(_))
    ));
    // All of another coin's first message is old.
    let pepe = with(&late, &[("\"BTC\"", "\"kPEPE\""), ("80000.0", "0.0044")]);
    let got = three.decode(&pepe).unwrap();
    assert_eq!((got.road, got.events.len()), (Road::Ignored, 0));
    assert_eq!(three.fast.heard(), Some((Stream::Trades, SymbolId(1))));
}

#[test]
fn a_book_is_an_image_each_time_and_never_an_older_one() {
    let mut three = Three::new();
    let at = |ms: u64| with(BOOK, &[("1790000000546", &ms.to_string())]);
    let book = three.decode(BOOK).unwrap();
    assert!(book.events.iter().all(|e| e.bits & SNAPSHOT != 0));
    let levels: Vec<_> = book
        .bodies()
        .iter()
        .map(|b| match b {
            Body::Level(l) => (l.side, l.price, l.qty),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(levels.len(), 5);
    assert_eq!(levels[1], (Side::Buy, px("79999.5"), qty("1.65875")));
    assert_eq!(levels[4], (Side::Sell, px("80010"), qty("0.01782")));
    for ms in [1_790_000_000_546, 1_790_000_000_545, 1_789_999_999_000] {
        let got = three.decode(at(ms)).unwrap();
        assert_eq!((got.road, got.events.len()), (Road::Ignored, 0));
        assert_eq!(three.fast.heard(), Some((Stream::Book, SymbolId(0))));
    }
    assert_eq!(three.decode(at(1_790_000_001_046)).unwrap().events.len(), 5);
    // Much older: their clock began anew.
    assert_eq!(three.decode(at(1_789_999_000_000)).unwrap().events.len(), 5);
    let empty =
        r#"{"channel":"l2Book","data":{"coin":"BTC","time":1790000005000,"levels":[[],[]]}}"#;
    let got = three.decode(empty).unwrap();
    assert_eq!((got.gap, got.resync), (true, Some(SymbolId(0))));
    // A side may be empty.
    let half = r#"{"channel":"l2Book","data":{"coin":"BTC","time":1790000006000,"levels":[[],[{"px":"80001.0","sz":"1.0","n":1}]]}}"#;
    let got = three.decode(half).unwrap();
    assert_eq!(
        (got.road, got.events.len(), got.gap),
        (Road::Fast, 1, false)
    );
    let renewed = texts::resync(row(), "PEPE");
    assert_eq!(
        renewed,
        [
            r#"{"method":"unsubscribe","subscription":{"type":"l2Book","coin":"kPEPE"}}"#,
            r#"{"method":"subscribe","subscription":{"type":"l2Book","coin":"kPEPE"}}"#
        ]
    );
}

#[test]
fn a_leg_that_always_comes_second_stands_in_for_the_one_that_dies() {
    let mut decoder = decoder();
    decoder.leg_up(0, true);
    decoder.leg_up(1, false);
    let mut room = FrameBuffer::default();
    for leg in [0, 1] {
        decoder
            .decode_leg(leg, RECV, room.put(BOOK.as_bytes()))
            .unwrap();
    }
    decoder.leg_down(0, |symbol| panic!("the book of {symbol} is not lost"));
    assert!(!decoder.waits(SymbolId(0)));
}

#[test]
fn two_legs_are_one_market() {
    let mut decoder = decoder();
    decoder.leg_up(0, true);
    decoder.leg_up(1, false);
    let mut room = FrameBuffer::default();
    let mut leg = |decoder: &mut Decoder, leg: usize, text: &str| {
        let said = decoder.decode_leg(leg, RECV, room.put(text.as_bytes()));
        let said = said.unwrap();
        assert!(!said.gap);
        said.events.len()
    };
    let next = with(BOOK, &[("1790000000546", "1790000001046")]);
    assert_eq!(leg(&mut decoder, 0, BOOK), 5);
    assert_eq!(leg(&mut decoder, 1, BOOK), 0);
    assert_eq!(leg(&mut decoder, 1, &next), 5);
    assert_eq!(
        leg(&mut decoder, 0, BOOK),
        0,
        "the slower leg does not bring the past"
    );
    assert_eq!(leg(&mut decoder, 0, &next), 0);
    assert_eq!(leg(&mut decoder, 0, CONTEXT), 4);
    assert_eq!(leg(&mut decoder, 1, CONTEXT), 0);
    assert_eq!(leg(&mut decoder, 1, TRADE), 3);
    assert_eq!(leg(&mut decoder, 0, TRADE), 0);
    decoder.leg_down(0, |symbol| panic!("the book of {symbol} is not lost"));
    assert_eq!(leg(&mut decoder, 1, CONTEXT), 4);
}

#[test]
fn a_context_says_what_the_venue_said() {
    let mut three = Three::new();
    let got = three.decode(CONTEXT).unwrap();
    match got.bodies()[..] {
        [
            Body::Mark(mark),
            Body::Index(index),
            Body::Interest(interest),
            Body::Funding(f),
        ] => {
            assert_eq!((mark, index), (px("80000.5"), px("80010.5")));
            assert_eq!(interest, qty("36585.31848"));
            assert_eq!((f.rate_e12, f.interval), (-1_895_200, Nanos::HOUR));
            assert_eq!(f.next, Nanos::ZERO);
        }
        ref other => panic!("{other:?}"),
    }
    assert_eq!(got.events[0].exch, Nanos::ZERO, "it has no time");
    assert_eq!(three.fast.heard(), Some((Stream::Ticker, SymbolId(0))));
    // Nothing is zero that was not said.
    let silent = with(
        CONTEXT,
        &[
            ("\"80000.5\"", "null"),
            ("\"80000.75\"", "null"),
            ("[\"80000.0\",\"80001.0\"]", "null"),
            ("\"36585.31848\"", "\"\""),
        ],
    );
    let got = three.decode(silent).unwrap();
    assert_eq!((got.road, got.events.len()), (Road::Fast, 2));
    match three.decode(BBO).unwrap().bodies()[..] {
        [Body::Bbo(b)] => {
            assert_eq!((b.bid, b.bid_qty), (px("80000"), qty("10.25923")));
            assert_eq!((b.ask, b.ask_qty), (px("80001"), qty("50.66422")));
        }
        ref other => panic!("{other:?}"),
    }
    assert_eq!(three.fast.heard(), None);
    let half = with(
        BBO,
        &[(r#"{"px":"80000.0","sz":"10.25923","n":36}"#, "null")],
    );
    let got = three.decode(half).unwrap();
    assert_eq!(got.road, Road::Fast);
    assert!(
        matches!(got.bodies()[..], [Body::Bbo(b)] if b.bid == Px::ZERO && b.ask == px("80001"))
    );
}

#[test]
fn multiples_become_canonical_lots() {
    let mut three = Three::new();
    let of = |name: &str, price: &str, size: &str| {
        let coin = format!("\"{name}\"");
        with(
            TRADE,
            &[("\"BTC\"", &coin), ("80000.0", price), ("0.00036", size)],
        )
    };
    let mut last = |frame: &str| match three.decode(frame).unwrap().bodies().last() {
        Some(Body::Trade(t)) => (t.price, t.qty),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        last(&of("kPEPE", "0.004411", "2058973.0")),
        (px("0.004411"), qty("2058973"))
    );
    // Quoted in single coins there, counted in thousands here.
    assert_eq!(
        last(&of("TURBO", "0.0021", "5500.0")),
        (px("2.1"), qty("5.5"))
    );
    assert_eq!(three.fast.places(SymbolId(1)), (6, 1));
    for (name, asset, shift) in [
        ("BTC", "BTC", 0),
        ("kPEPE", "PEPE", 0),
        ("kLUNC", "LUNC", 0),
        ("TURBO", "TURBO", -3),
    ] {
        assert_eq!(canonical(VenueId::HYPERLIQUID, name), Some((asset, shift)));
        assert_eq!(
            instrument_name(VenueId::HYPERLIQUID, asset).as_deref(),
            Some(name)
        );
    }
    assert_eq!(canonical(VenueId::HYPERLIQUID, ""), None);
}

#[test]
fn subscriptions_go_one_by_one() {
    let streams = [
        Stream::Book,
        Stream::Trades,
        Stream::Ticker,
        Stream::Liquidations,
    ];
    let assets = ["BTC".to_owned(), "PEPE".to_owned()];
    let texts = texts::subscribe(row(), &assets, &streams);
    assert_eq!(texts.len(), 8);
    for text in &texts {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(value["method"], "subscribe");
    }
    // A recording gives topics as they were sent.
    assert_eq!(texts::assets_of(row(), &texts), assets);
    assert_eq!(
        texts::assets_of(row(), &texts::topics(row(), &assets, &streams)),
        assets
    );
    for stream in &streams[..3] {
        let text = texts::subscribe(row(), &assets, &[*stream]).concat();
        assert!(text.contains(texts::topic_start(VenueId::HYPERLIQUID, *stream)));
    }
    assert!(row().root(Stream::Liquidations).is_none());
}

#[test]
fn other_forms_take_the_tolerant_road_to_the_same_events() {
    let forms = [
        (
            TRADE,
            r#"{"data":[{"users":["0x1111111111111111111111111111111111111111","0x2222222222222222222222222222222222222222"],"tid":"1045359869404765","time":"1790000000100","sz":0.00036,"px":80000,"side":"A","coin":"BTC","new":{"x":[1]}}],"channel":"trades"}"#,
        ),
        (
            BOOK,
            r#"{"data":{"levels":[[{"n":36,"sz":"10.25923","px":"80000.0"},{"px":79999.5,"sz":1.65875}],[{"px":"80001","sz":"50.66449"},{"px":"80002.0","sz":"0.00711","n":2},{"px":"80010.0","sz":"0.01782","n":1}]],"time":1790000000546,"coin":"BTC"},"channel":"l2Book"}"#,
        ),
        (
            BBO,
            r#"{ "channel":"bbo", "data":{"bbo":[{"sz":"10.25923","px":"80000.0"},{"px":"80001.0","sz":"50.66422","n":18}],"coin":"BTC","time":1790000000145}}"#,
        ),
        (
            CONTEXT,
            r#"{"channel":"activeAssetCtx","data":{"ctx":{"markPx":80000.5,"oraclePx":"80010.5","openInterest":36585.31848,"funding":"-0.0000018952","deep":{"a":[]}},"coin":"BTC"}}"#,
        ),
    ];
    for (usual, other) in forms {
        let want = Three::new().decode(usual).unwrap();
        let got = Three::new().decode(other).unwrap();
        assert_eq!(got.road, Road::Tolerant, "{other}");
        assert_eq!(got.events, want.events, "{other}");
    }
}

#[test]
fn answers_are_ignored_and_refusals_are_faults() {
    let mut three = Three::new();
    let nothing = [
        r#"{"channel":"pong"}"#,
        r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","nSigFigs":null,"mantissa":null,"fast":true}}}"#,
        r#"{"channel":"error","data":"Already subscribed: {\"type\":\"l2Book\",\"coin\":\"SOL\"}"}"#,
        r#"{"channel":"candle","data":{"t":1790232180000,"s":"BTC"}}"#,
        r#"{"channel":"post","data":{"id":7}}"#,
        r#"{"channel":"trades","data":[]}"#,
        &with(BOOK, &[("\"BTC\"", "\"xyz:SP500\"")]),
        &with(BBO, &[("\"BTC\"", "\"[-]\"")]),
        &with(CONTEXT, &[("\"BTC\"", "\"币安\"")]),
        &with(TRADE, &[("\"BTC\"", "\"ETH\"")]),
    ];
    for frame in nothing {
        let got = three.decode(frame).unwrap();
        assert_eq!((got.road, got.events.len()), (Road::Ignored, 0), "{frame}");
    }
    let refused = r#"{"channel":"error","data":"Invalid subscription {\"type\":\"x\"}"}"#;
    assert_eq!(three.decode(refused), Err(FaultKind::Refused));
    assert_eq!(
        three.fast.refusal().text(),
        "Invalid subscription {\"type\":\"x\"}"
    );
    let faults = [
        ("[]".to_owned(), FaultKind::BadFrame),
        (String::new(), FaultKind::NotJson),
        ("pong".to_owned(), FaultKind::NotJson),
        (
            r#"{"channel":"news","data":{}}"#.to_owned(),
            FaultKind::UnknownTopic,
        ),
        (r#"{"data":{}}"#.to_owned(), FaultKind::UnknownTopic),
        (r#"{"channel":"bbo"}"#.to_owned(), FaultKind::MissingField),
        (
            r#"{"channel":"bbo","data":{}}"#.to_owned(),
            FaultKind::UnknownSymbol,
        ),
        (with(TRADE, &[("\"A\"", "\"C\"")]), FaultKind::BadSide),
        (with(TRADE, &[("80000.0", "80000,0")]), FaultKind::BadNumber),
        (with(TRADE, &[("80000.0", "")]), FaultKind::MissingField),
        (with(TRADE, &[("80000.0", "0.0")]), FaultKind::OutOfRange),
        (
            with(TRADE, &[("0.00036", "-0.00036")]),
            FaultKind::OutOfRange,
        ),
        (
            with(TRADE, &[("0.00036", "0.0000003")]),
            FaultKind::OutOfRange,
        ),
        (
            with(TRADE, &[("1790000000100", "1790000000")]),
            FaultKind::OutOfRange,
        ),
        (with(TRADE, &[("tid", "tod")]), FaultKind::MissingField),
        (with(TRADE, &[("0x22", "0y22")]), FaultKind::BadFrame),
        (
            with(BOOK, &[("\"time\"", "\"tame\"")]),
            FaultKind::MissingField,
        ),
        (with(BOOK, &[("80000.0", "0")]), FaultKind::OutOfRange),
        (with(CONTEXT, &[("80000.5", "0")]), FaultKind::OutOfRange),
        (
            with(CONTEXT, &[("36585.31848", "-1")]),
            FaultKind::OutOfRange,
        ),
        (
            with(CONTEXT, &[("\"ctx\"", "\"cty\"")]),
            FaultKind::MissingField,
        ),
    ];
    for (frame, kind) in faults {
        assert_eq!(three.decode(&frame), Err(kind), "{frame}");
    }
    // Two coins in one message: not theirs.
    let two = TRADES.replacen("},{\"coin\":\"BTC\"", "},{\"coin\":\"kPEPE\"", 1);
    assert_eq!(three.decode(two), Err(FaultKind::UnknownSymbol));
}

#[test]
fn a_faulty_frame_leaves_nothing_behind() {
    let mut three = Three::new();
    // Neither the owners nor the coin's first message are taken in.
    let bad = with(TRADES, &[("0.25", "0,25")]);
    assert!(three.decode(bad).is_err());
    assert!(three.decode(with(BOOK, &[("0.01782", "x")])).is_err());
    match three.decode(TRADE).unwrap().bodies()[..] {
        [Body::Account(a), Body::Account(_), Body::Trade(t)] => {
            assert_eq!((a.id, t.accounts), (1, [1, 2]));
        }
        ref other => panic!("{other:?}"),
    }
    assert_eq!(three.decode(BOOK).unwrap().events.len(), 5);
}

#[test]
fn a_message_of_a_thousand_trades_fits_and_one_of_three_thousand_does_not() {
    let row = &TRADE[TRADE.find("{\"coin\"").unwrap()..TRADE.len() - 2];
    let rows = |count: usize| {
        let row = |i: usize| {
            row.replace("1045359869404765", &format!("1{i:04}"))
                .replace("11111111\",", &format!("{:08}\",", i + 1))
                .replace("22222222\"]", &format!("{:08}\"]", i + 5_000))
        };
        let all: Vec<_> = (0..count).map(row).collect();
        format!(r#"{{"channel":"trades","data":[{}]}}"#, all.join(","))
    };
    let mut three = Three::new();
    let got = three.decode(rows(1_000)).unwrap();
    assert_eq!((got.road, got.events.len()), (Road::Fast, 3_000));
    assert!(matches!(got.events[1_999].body(), Body::Account(a) if a.id == 2_000));
    assert!(matches!(got.events[2_999].body(), Body::Trade(t) if t.accounts == [1_999, 2_000]));
    assert_eq!(three.decode(rows(3_000)), Err(FaultKind::TooLong));
}

#[test]
fn rest_answers_say_terms_tables_contexts_and_the_past() {
    let mut decoder = decoder();
    let mut say = |request: &str, body: &str| {
        let said = decoder.rest(RECV, request, body.as_bytes());
        said.map(|said| (said.events.to_vec(), said.faults.len()))
            .map_err(|f| f.kind)
    };
    // Two coins that are none of ours, one of them gone: the contexts still find theirs.
    let meta = r#"{"universe":[{"name":"OLD","szDecimals":1,"maxLeverage":5,"isDelisted":true},{"szDecimals":5,"name":"BTC","maxLeverage":40,"marginTableId":56},{"name":"[-]","szDecimals":1,"maxLeverage":5},{"name":"kPEPE","szDecimals":0,"maxLeverage":10,"marginTableId":10,"isDelisted":true},{"name":"TURBO","szDecimals":9,"maxLeverage":3}],"marginTables":[[50,{"description":"","marginTiers":[]}],[56,{"description":"tiered 40x","marginTiers":[{"lowerBound":"0.0","maxLeverage":40},{"lowerBound":"150000000.0","maxLeverage":20}]}]]}"#;
    let (events, faults) = say(r#"/info {"type":"meta"}"#, meta).unwrap();
    assert_eq!(faults, 1);
    let bodies: Vec<_> = events.iter().map(|e| (e.symbol.0, e.body())).collect();
    match bodies[..] {
        [
            (0, Body::Instrument(i)),
            (0, Body::Tier(one)),
            (0, Body::Tier(two)),
            (1, Body::Instrument(j)),
            (1, Body::Tier(only)),
        ] => {
            assert_eq!(
                (i.tick, i.lot, i.leverage_e2),
                (px("0.1"), qty("0.00001"), 4_000)
            );
            assert_eq!(
                (i.funding_interval, i.status, i.price_places),
                (Nanos::HOUR, 0, 1)
            );
            assert_eq!(
                (one.row, one.floor.get(), one.cap.get()),
                (0, 0, 15_000_000_000)
            );
            assert_eq!(
                (one.leverage_e2, one.maintenance_e6, one.deduction.get()),
                (4_000, 12_500, 0)
            );
            // 150M x (0.025 - 0.0125), venues.md 4.2.
            assert_eq!(
                (two.row, two.maintenance_e6, two.deduction.get()),
                (1, 25_000, 187_500_000)
            );
            assert_eq!(two.floor, one.cap);
            assert_eq!((j.status, j.tick, j.lot), (2, px("0.000001"), qty("1")));
            assert_eq!((only.maintenance_e6, only.leverage_e2), (50_000, 1_000));
        }
        ref other => panic!("{other:?}"),
    }
    let context = |mark: &str| {
        format!(
            r#"{{"funding":"0.0000125","openInterest":"5.5","oraclePx":"10.0","markPx":"{mark}","midPx":null}}"#
        )
    };
    let contexts = format!(
        "[{meta},[{},{},{},{},{}]]",
        context("1.0"),
        context("2.0"),
        context("3.0"),
        context("4.0"),
        context("0")
    );
    let (events, faults) = say(r#"/info {"type":"metaAndAssetCtxs"}"#, &contexts).unwrap();
    assert_eq!((events.len(), faults), (8, 1));
    assert_eq!(
        (events[0].symbol.0, events[0].body()),
        (0, Body::Mark(px("2")))
    );
    assert_eq!(
        (events[4].symbol.0, events[4].body()),
        (1, Body::Mark(px("4")))
    );
    let bars = r#"[{"T":1789999799999,"c":"80001.0","h":"80002.0","i":"5m","l":"79999.0","n":709,"o":"80000.0","s":"BTC","t":1789999500000,"v":"12.5"},{"T":1790000099999,"c":"1.0","h":"1.0","i":"5m","l":"1.0","n":1,"o":"1.0","s":"BTC","t":1789999800000,"v":"1.0"}]"#;
    let request = &texts::requests(row(), &row().asks[2], &["BTC".into()])[0];
    let (events, faults) = say(request, bars).unwrap();
    assert_eq!((events.len(), faults), (1, 0), "the second is not over");
    assert_eq!(events[0].bits & HISTORY, HISTORY);
    assert_eq!(events[0].exch, Nanos::millis(1_789_999_500_000));
    assert!(matches!(events[0].body(), Body::Bar(b)
        if b.low == px("79999") && b.volume == qty("12.5") && b.seconds == 300));
    let paid = r#"[{"coin":"BTC","fundingRate":"-0.00061334","premium":"-0.00091334","time":1789999200048}]"#;
    let request = r#"/info {"type":"fundingHistory","coin":"BTC","startTime":1}"#;
    let (events, _) = say(request, paid).unwrap();
    assert!(matches!(events[0].body(), Body::Funding(f) if f.rate_e12 == -613_340_000));
    assert_eq!(say(request, "null"), Err(FaultKind::Refused));
    assert_eq!(
        say(request, "Failed to deserialize"),
        Err(FaultKind::NotJson)
    );
    assert_eq!(
        say("/info {\"type\":\"x\"}", "{}"),
        Err(FaultKind::UnknownTopic)
    );
    assert_eq!(say("/other", "{}"), Err(FaultKind::UnknownTopic));
    assert!((row().refusal)(b"null").is_some());
    assert_eq!(
        (row().refusal)(b"<html>429</html>").as_deref(),
        Some("<html>429</html>")
    );
    assert_eq!((row().refusal)(paid.as_bytes()), None);
    for ask in row().asks {
        for request in texts::requests(row(), ask, &["PEPE".into()]) {
            let request = texts::dated(&request, Nanos::millis(1_790_000_000_000));
            let (path, body) = request.split_once(' ').unwrap();
            assert_eq!(path, "/info");
            serde_json::from_str::<serde_json::Value>(body).unwrap();
        }
    }
}

#[test]
fn recorded_frames_are_read() {
    let Some(path) = captures("hyperliquid/live-2026-frames") else {
        return;
    };
    let mut three = Three::new();
    three.recv = Nanos::millis(1_790_232_237_200);
    let mut said = Vec::new();
    for file in ["frames.jsonl", "l2Book-trimmed-to-3-levels.jsonl"] {
        for line in std::fs::read_to_string(path.join(file)).unwrap().lines() {
            let got = three.decode(line).unwrap();
            said.push((got.road, got.events.len()));
        }
    }
    let (none, fast) = ((Road::Ignored, 0), |events| (Road::Fast, events));
    let frames = [
        none,
        none,
        fast(1),
        fast(4),
        fast(3),
        none,
        none,
        none,
        none,
    ];
    assert_eq!(said[..9], frames);
    assert_eq!(said[9..], [fast(6), fast(6), none]);
}

#[test]
fn recorded_rest_answers_are_read() {
    let Some(path) = captures("hyperliquid/rest-sdk-cassettes") else {
        return;
    };
    let mut decoder = decoder_of(&["BTC", "DYDX", "PEPE"]);
    let mut say = |file: &str, body: &str| {
        let answer = std::fs::read(path.join(file)).unwrap();
        let said = decoder
            .rest(RECV, &format!("/info {body}"), &answer)
            .unwrap();
        assert!(said.faults.is_empty());
        said.events.len()
    };
    assert_eq!(say("get_info.0.json", r#"{"type":"meta"}"#), 6);
    assert!(
        say(
            "get_candles_snapshot.1.json",
            r#"{"type":"candleSnapshot"}"#
        ) > 20
    );
    assert!(
        say(
            "get_funding_history_None.1.json",
            r#"{"type":"fundingHistory"}"#
        ) > 100
    );
}

/// The built-in exchange speaks Hyperliquid from the same documents by another hand: every frame of five stormy minutes
/// takes the fast road, and the last image is the book it told.
#[test]
fn the_built_in_exchange_is_understood() {
    use isotherm::sim::{Dialect, Params, World};
    let params = Params::many(4).speaking(Dialect::Hyperliquid).stormy();
    let mut world = World::new(3, params).unwrap();
    let names: Vec<String> = world.symbols().map(str::to_owned).collect();
    let assets: Vec<&str> = names
        .iter()
        .map(|name| canonical(VenueId::HYPERLIQUID, name).unwrap().0)
        .collect();
    let mut decoder = decoder_of(&assets);
    for body in [r#"{"type":"meta"}"#, r#"{"type":"metaAndAssetCtxs"}"#] {
        let (_, _, answer) = world.rest("POST", "/info", body);
        let said = decoder.rest(RECV, &format!("/info {body}"), answer.as_bytes());
        let said = said.unwrap();
        assert!(said.events.len() >= 2 * names.len() && said.faults.is_empty());
    }
    let mut room = FrameBuffer::with_capacity(1 << 16);
    let mut touch = vec![(Px::ZERO, Px::ZERO); names.len()];
    let (mut frames, mut trades, mut accounts) = (0, 0, 0);
    let until = world.now().plus(Nanos::seconds(300));
    world.advance(until, &mut |f| {
        let got = decoder.decode(f.at, room.put(f.text.as_bytes()));
        let got = got.unwrap_or_else(|fault| panic!("{fault:?}: {}", f.text));
        assert!(!got.gap, "{}", f.text);
        assert!(got.road != Road::Tolerant, "{}", f.text);
        frames += 1;
        for event in got.events {
            let touch = &mut touch[usize::from(event.symbol.0)];
            match event.body() {
                Body::Level(l) if event.bits & FIRST != 0 => *touch = (l.price, Px::ZERO),
                Body::Level(l) if l.side == Side::Sell && touch.1 == Px::ZERO => touch.1 = l.price,
                Body::Trade(t) => {
                    assert!(t.accounts.iter().all(|id| (1..=accounts).contains(id)));
                    trades += 1;
                }
                Body::Account(a) => {
                    accounts += 1;
                    assert_eq!(a.id, accounts);
                }
                _ => {}
            }
        }
    });
    assert!(
        frames > 5_000 && trades > 1_000 && accounts > 100,
        "{frames} {trades} {accounts}"
    );
    for ask in row().asks {
        for request in texts::requests(row(), ask, &[assets[0].to_owned()]) {
            let request = texts::dated(&request, world.now());
            let request = request.replace(isotherm::venue::ACCOUNT, &format!("0x{:040}", 7));
            let (path, body) = request.split_once(' ').unwrap();
            let (_, _, answer) = world.rest("POST", path, body);
            let said = decoder.rest(world.now(), &request, answer.as_bytes());
            let said = said.unwrap_or_else(|fault| panic!("{fault:?}: {request}"));
            assert!(
                !said.events.is_empty() && said.faults.is_empty(),
                "{request}"
            );
        }
    }
    for (name, touch) in names.iter().zip(touch) {
        let told = world.book(name).unwrap();
        let shift = canonical(VenueId::HYPERLIQUID, name).unwrap().1;
        let lot =
            |text: &str| Px::new(isotherm::num::parse_decimal(text, (10 - shift) as u32).unwrap());
        assert_eq!(
            touch,
            (lot(&told.bids[0].0), lot(&told.asks[0].0)),
            "{name}"
        );
    }
}
