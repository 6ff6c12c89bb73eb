//! OKX: documented and recorded bytes, by both roads, to the events they mean.
//!
//! Recorded frames are never part of the repository. They are read from `ISOTHERM_SHARED` or `../shared`, and a test
//! that cannot find them says so loudly and passes.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "fixtures/okx.rs"]
mod fixtures;

use fixtures::*;
use isotherm::event::{Body, Event, FIRST, HISTORY, LAST, SNAPSHOT, Stream};
use isotherm::health::FaultKind;
use isotherm::market::{Holder, Side, SymbolId, VenueId};
use isotherm::num::{Px, Qty};
use isotherm::time::Nanos;
use isotherm::venue::{Decoder, Road, Venue, canonical, instrument_name, texts, venue};
use isotherm::wire::FrameBuffer;
use std::collections::BTreeMap;
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
    venue(VenueId::OKX).unwrap()
}

/// The primer: what a contract of each is worth.
fn terms(contracts: &[(&str, &str)]) -> String {
    let row = |(name, value): &(&str, &str)| {
        format!(
            r#"{{"ctMult":"1","ctType":"linear","ctVal":"{value}","instId":"{name}-USDT-SWAP","lever":"100","lotSz":"0.01","state":"live","tickSz":"0.1"}}"#
        )
    };
    let rows: Vec<_> = contracts.iter().map(row).collect();
    format!(r#"{{"code":"0","data":[{}],"msg":""}}"#, rows.join(","))
}

const CONTRACTS: [(&str, &str); 3] = [("BTC", "0.01"), ("PEPE", "10000000"), ("ETH", "0.1")];

fn decoder() -> Decoder {
    let mut decoder = silent(&CONTRACTS.map(|(name, _)| name));
    let said = decoder.rest(RECV, INSTRUMENTS, terms(&CONTRACTS).as_bytes());
    assert!(said.unwrap().faults.is_empty());
    decoder
}

/// A decoder that has heard of no contract.
fn silent(names: &[&str]) -> Decoder {
    let assets: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
    Decoder::new(VenueId::OKX, &assets).unwrap()
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
        // Asks come before bids on both roads, whatever the order of the keys.
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
fn sizes_are_contracts_and_leave_as_coins() {
    let mut three = Three::new();
    let one = three.decode(TRADE).unwrap();
    let two = three.decode(TRADES).unwrap();
    let trades: Vec<_> = [one.bodies(), two.bodies()]
        .concat()
        .into_iter()
        .map(|b| match b {
            Body::Trade(t) => (t.price, t.qty, t.side, t.id),
            other => panic!("{other:?}"),
        })
        .collect();
    let want = [
        (px("80000.1"), qty("0.0855"), Side::Sell, 7_000_001),
        (px("80000"), qty("3"), Side::Buy, 7_000_002),
        (px("80000.1"), qty("0.0001"), Side::Sell, 7_000_014),
    ];
    assert_eq!(trades, want);
    assert_eq!(two.events[0].exch, Nanos::millis(1_790_000_000_199));
    assert_eq!((two.events[0].bits, two.events[1].bits), (FIRST, LAST));
    let again = three.decode(TRADE).unwrap();
    assert!(again.events.is_empty(), "the same trade again is no trade");
    // Ten million coins a contract, a thousand coins a lot.
    let pepe = with(
        TRADE,
        &[
            ("BTC-", "PEPE-"),
            ("80000.1", "0.000008912"),
            ("8.55", "0.7"),
        ],
    );
    match three.decode(pepe).unwrap().bodies()[0] {
        Body::Trade(t) => assert_eq!((t.price, t.qty), (px("0.008912"), qty("7000"))),
        other => panic!("{other:?}"),
    }
    assert_eq!(three.fast.places(SymbolId(1)), (6, 0));
    assert_eq!(three.fast.places(SymbolId(0)), (1, 4));
}

#[test]
fn a_book_is_absolute_levels_under_one_id() {
    let mut three = Three::new();
    let snap = three.decode(SNAP).unwrap();
    assert_eq!(snap.events.len(), 5);
    assert!(snap.events.iter().all(|e| e.bits & SNAPSHOT != 0));
    assert_eq!(snap.events[0].exch, Nanos::millis(1_790_000_000_100));
    let delta = three.decode(DELTA).unwrap();
    assert!(delta.events.iter().all(|e| e.bits & SNAPSHOT == 0));
    let levels: Vec<_> = delta
        .bodies()
        .iter()
        .map(|b| match b {
            Body::Level(l) => (l.side, l.price, l.qty, l.update),
            other => panic!("{other:?}"),
        })
        .collect();
    let want = [
        (Side::Sell, px("80001"), Qty::ZERO, 507),
        (Side::Sell, px("80002.5"), qty("0.03"), 507),
        (Side::Buy, px("80000.4"), qty("0.095"), 507),
    ];
    assert_eq!(levels, want);
    // A heartbeat says nothing, and that the book is alive.
    let beat = three.decode(BEAT).unwrap();
    assert_eq!((beat.events.len(), beat.gap), (0, false));
    assert_eq!(three.fast.heard(), Some((Stream::Book, SymbolId(0))));
}

#[test]
fn the_chain_is_by_previous_id() {
    let mut three = Three::new();
    let delta = |prev: u64, id: u64| {
        with(
            DELTA,
            &[
                ("\"seqId\":507", &format!("\"seqId\":{id}")),
                ("SeqId\":500", &format!("SeqId\":{prev}")),
            ],
        )
    };
    // Before the first image an update means nothing.
    assert_eq!(three.decode(DELTA).unwrap().road, Road::Ignored);
    assert_eq!(three.fast.heard(), None);
    three.decode(SNAP).unwrap();
    assert_eq!(three.decode(delta(500, 507)).unwrap().events.len(), 3);
    // After maintenance ids are lower, and still linked.
    assert_eq!(three.decode(delta(507, 3)).unwrap().events.len(), 3);
    assert_eq!(three.decode(delta(3, 9)).unwrap().events.len(), 3);
    let gap = three.decode(delta(11, 12)).unwrap();
    assert_eq!((gap.gap, gap.resync), (true, Some(SymbolId(0))));
    match gap.bodies()[..] {
        [Body::Gap(g)] => assert_eq!((g.stream, g.expected, g.got), (Stream::Book, 10, 12)),
        ref other => panic!("{other:?}"),
    }
    assert_eq!(three.decode(delta(12, 13)).unwrap().road, Road::Ignored);
    three.decode(SNAP).unwrap();
    // A heartbeat of an id that never came is a gap too.
    assert!(three.decode(BEAT).unwrap().gap);
    let renewed = texts::resync(row(), "BTC");
    assert_eq!(renewed.len(), 2);
    assert!(renewed[0].starts_with(r#"{"op":"unsubscribe","args":[{"channel":"books","#));
}

#[test]
fn a_jump_on_one_of_two_legs_is_filled_by_the_other() {
    let mut decoder = decoder();
    decoder.leg_up(0, true);
    decoder.leg_up(1, false);
    let mut room = FrameBuffer::default();
    let mut leg = |leg: usize, text: &str| {
        let said = decoder.decode_leg(leg, RECV, room.put(text.as_bytes()));
        let said = said.unwrap();
        (said.events.len(), said.gap)
    };
    assert_eq!(leg(0, SNAP), (5, false));
    assert_eq!(leg(1, SNAP), (0, false));
    let next = with(
        DELTA,
        &[
            ("\"seqId\":507", "\"seqId\":510"),
            ("SeqId\":500", "SeqId\":507"),
        ],
    );
    // The second leg lost one: it waits for the first, which brings it, and both leave.
    assert_eq!(leg(1, &next), (0, false));
    assert_eq!(leg(0, DELTA), (6, false));
    assert_eq!(leg(0, &next), (0, false));
    assert_eq!(leg(0, MARK), (1, false));
    assert_eq!(leg(1, MARK), (0, false));
    assert_eq!(leg(1, TRADE), (1, false));
    assert_eq!(leg(0, TRADE), (0, false));
    assert_eq!(leg(1, PRINT), (1, false));
    assert_eq!(leg(0, PRINT), (0, false));
}

#[test]
fn values_say_what_the_venue_said() {
    let mut three = Three::new();
    assert_eq!(
        three.decode(MARK).unwrap().bodies(),
        [Body::Mark(px("80001.7"))]
    );
    assert_eq!(three.fast.heard(), Some((Stream::Ticker, SymbolId(0))));
    let index = three.decode(INDEX).unwrap();
    assert_eq!(index.bodies(), [Body::Index(px("80010.25"))]);
    let interest = three.decode(INTEREST).unwrap();
    assert_eq!(interest.bodies(), [Body::Interest(qty("31858.7869"))]);
    let funding = three.decode(FUNDING).unwrap();
    match funding.bodies()[..] {
        [Body::Funding(f)] => {
            // Sixteen places there, twelve here.
            assert_eq!(f.rate_e12, -26_346_322);
            assert_eq!(f.next, Nanos::millis(1_790_006_400_000));
            assert_eq!(f.interval.get(), 8 * Nanos::HOUR.get());
        }
        ref other => panic!("{other:?}"),
    }
    let bbo = three.decode(BBO).unwrap();
    match bbo.bodies()[..] {
        [Body::Bbo(b)] => {
            assert_eq!((b.bid, b.bid_qty), (px("80000"), qty("2.6268")));
            assert_eq!((b.ask, b.ask_qty), (px("80000.5"), qty("8.2089")));
        }
        ref other => panic!("{other:?}"),
    }
    // It tells neither that the book is alive nor that the mark is.
    assert_eq!(three.fast.heard(), None);
    let half = with(BBO, &[(r#"[["80000","262.68","0","30"]]"#, "[]")]);
    match three.decode(half).unwrap().bodies()[..] {
        [Body::Bbo(b)] => assert_eq!((b.bid, b.bid_qty), (Px::ZERO, Qty::ZERO)),
        ref other => panic!("{other:?}"),
    }
    // What is "" or missing was not said.
    for silent in [
        with(MARK, &[("80001.7", "")]),
        with(MARK, &[("markPx", "other")]),
        with(FUNDING, &[("-0.0000263463215391", "")]),
        with(INTEREST, &[("\"3185878.69\"", "\"\"")]),
    ] {
        assert_eq!(three.decode(&silent).unwrap().events.len(), 0, "{silent}");
    }
    let no_interval = with(FUNDING, &[("1790035200000", "")]);
    match three.decode(no_interval).unwrap().bodies()[..] {
        [Body::Funding(f)] => assert_eq!(f.interval, Nanos::ZERO),
        ref other => panic!("{other:?}"),
    }
    // Interest in coins that does not fit the contract: the contract is not what we think.
    let other = with(INTEREST, &[("31858.79", "318587.87")]);
    assert_eq!(three.decode(other), Err(FaultKind::OutOfRange));
}

#[test]
fn liquidations_are_told_once_and_only_while_they_are_news() {
    let mut three = Three::new();
    assert_eq!(three.decode(PRINT).unwrap().events.len(), 1);
    assert_eq!(three.decode(PRINT).unwrap().road, Road::Ignored);
    // Another swap's, and one that a subscription repeats from long ago.
    let other = with(PRINT, &[("BTC-USDT-SWAP", "CELO-USDT-SWAP")]);
    assert_eq!(three.decode(other).unwrap().road, Road::Ignored);
    let before = three.fast.duplicates();
    let old = with(PRINT, &[("1790000000100", "1789990000100")]);
    assert_eq!(three.decode(old).unwrap().road, Road::Ignored);
    assert_eq!(three.fast.duplicates(), before + 1);
    // Several swaps in one message.
    let rows = PRINT.split_once("\"data\":[").unwrap().1;
    let one = rows.trim_end_matches("]}").replace("\"12\"", "\"5\"");
    let two = one.replace("BTC-", "ETH-").replace("79990.1", "2500.5");
    let both = format!(
        r#"{{"arg":{{"channel":"liquidation-orders","instType":"SWAP"}},"data":[{one},{two}]}}"#
    );
    let got = three.decode(&both).unwrap();
    let symbols: Vec<_> = got.events.iter().map(|e| e.symbol.0).collect();
    assert_eq!(symbols, [0, 2]);
    assert_eq!(three.fast.about(), None);
    let bad = both.replace("2500.5", "x");
    assert_eq!(three.decode(&bad), Err(FaultKind::BadNumber));
}

#[test]
fn until_a_contract_is_known_its_sizes_wait() {
    let mut decoder = silent(&["BTC", "ETH"]);
    let mut room = FrameBuffer::default();
    let mut say = |decoder: &mut Decoder, text: &str| {
        let said = decoder.decode(RECV, room.put(text.as_bytes())).unwrap();
        (said.events.len(), said.road)
    };
    for frame in [TRADE, SNAP, BBO, INTEREST, PRINT] {
        assert_eq!(say(&mut decoder, frame), (0, Road::Ignored), "{frame}");
        assert_eq!(decoder.heard(), None);
    }
    for frame in [MARK, INDEX, FUNDING] {
        assert_eq!(say(&mut decoder, frame), (1, Road::Fast), "{frame}");
    }
    // A contract that is no power of ten keeps its symbol silent, and is counted.
    let body = terms(&[("BTC", "0.01"), ("ETH", "0.25"), ("SOL", "1")]);
    let said = decoder.rest(RECV, INSTRUMENTS, body.as_bytes()).unwrap();
    assert_eq!((said.events.len(), said.faults.len()), (1, 1));
    assert!(!said.gap);
    assert_eq!(say(&mut decoder, SNAP), (5, Road::Fast));
    let ether = with(TRADE, &[("BTC-", "ETH-")]);
    assert_eq!(say(&mut decoder, &ether), (0, Road::Ignored));
    // The same again changes nothing; another value breaks the book.
    let body = terms(&[("BTC", "0.01")]);
    assert!(
        !decoder
            .rest(RECV, INSTRUMENTS, body.as_bytes())
            .unwrap()
            .gap
    );
    let said = decoder.rest(RECV, INSTRUMENTS, terms(&[("BTC", "0.001")]).as_bytes());
    let said = said.unwrap();
    assert_eq!((said.gap, said.resync), (true, Some(SymbolId(0))));
    assert!(matches!(said.events[0].body(), Body::Gap(g) if g.stream == Stream::Book));
    assert!(decoder.waits(SymbolId(0)));
    assert_eq!(say(&mut decoder, DELTA), (0, Road::Ignored));
    say(&mut decoder, SNAP);
    let said = decoder.decode(RECV, room.put(TRADE.as_bytes())).unwrap();
    assert!(matches!(said.events[0].body(), Body::Trade(t) if t.qty == qty("0.00855")));
}

#[test]
fn other_forms_take_the_tolerant_road_to_the_same_events() {
    let forms = [
        (
            TRADE,
            r#"{"data":[{"ts":"1790000000100","new":{"x":[1]},"side":"sell","sz":8.55,"px":"80000.1","tradeId":7000001,"instId":"BTC-USDT-SWAP"}],"arg":{"instId":"BTC-USDT-SWAP","channel":"trades"}}"#,
        ),
        (
            DELTA,
            r#"{"action":"update","arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"data":[{"prevSeqId":"500","seqId":"507","bids":[["80000.4",9.5]],"asks":[["80001","0","0","0"],[80002.5,"3","0","2"]],"ts":1790000000200}]}"#,
        ),
        (
            MARK,
            r#"{ "arg" : {"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP","markPx":80001.7,"ts":"1790000000110"}]}"#,
        ),
        (
            BBO,
            r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT-SWAP"},"data":[{"ts":"1790000000105","bids":[["80000","262.68","0","30"]],"asks":[["80000.5","820.89","0","36"]]}]}"#,
        ),
        (
            PRINT,
            r#"{"data":[{"instId":"BTC-USDT-SWAP","details":[{"ts":1790000000100,"sz":12,"posSide":"net","side":"sell","bkPx":79990.1}]}],"arg":{"channel":"liquidation-orders","instType":"SWAP","instId":"ignored"}}"#,
        ),
    ];
    for (usual, other) in forms {
        let mut fresh = Three::new();
        fresh.decode(SNAP).unwrap();
        let want = fresh.decode(usual).unwrap();
        let mut fresh = Three::new();
        fresh.decode(SNAP).unwrap();
        let got = fresh.decode(other).unwrap();
        assert_eq!(got.road, Road::Tolerant, "{other}");
        assert_eq!(got.events, want.events, "{other}");
    }
    // A book's last fields have stood in every order: all of them are fast.
    for (from, to) in [
        (
            r#""instId":"BTC-USDT-SWAP","ts":"1790000000200","seqId":507,"prevSeqId":500"#,
            r#""ts":"1790000000200","checksum":-855196043,"prevSeqId":500,"seqId":507"#,
        ),
        (
            r#""instId":"BTC-USDT-SWAP","ts":"1790000000200","seqId":507,"prevSeqId":500"#,
            r#""ts":"1790000000200","checksum":0,"seqId":507,"prevSeqId":500"#,
        ),
    ] {
        let mut fresh = Three::new();
        fresh.decode(SNAP).unwrap();
        let got = fresh.decode(with(DELTA, &[(from, to)])).unwrap();
        assert_eq!((got.road, got.events.len()), (Road::Fast, 3));
    }
    let snap = with(SNAP, &[("\"seqId\":500", "\"prevSeqId\":-1,\"seqId\":500")]);
    assert_eq!(Three::new().decode(snap).unwrap().road, Road::Fast);
}

#[test]
fn answers_are_ignored_and_refusals_are_faults() {
    let mut three = Three::new();
    let nothing = [
        "pong",
        r#"{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"connId":"76defc81"}"#,
        r#"{"event":"unsubscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"connId":"76defc81"}"#,
        r#"{"event":"channel-conn-count","channel":"books","connCount":"2","connId":"a"}"#,
        r#"{"arg":{"channel":"tickers","instId":"BTC-USDT-SWAP"},"data":[{"last":"1"}]}"#,
        r#"{"arg":{"channel":"candle1m","instId":"BTC-USDT-SWAP"},"data":[["1"]]}"#,
        r#"{"arg":{"channel":"books5","instId":"BTC-USDT-SWAP"},"data":[{}]}"#,
        &with(TRADE, &[("BTC-USDT-SWAP", "BTC-USD-SWAP")]),
        &with(TRADE, &[("BTC-USDT-SWAP", "BTC-USDT")]),
        &with(MARK, &[("BTC-USDT-SWAP", "币安人生-USDT-SWAP")]),
        &with(INDEX, &[("BTC-USDT", "SOL-USDT")]),
    ];
    for frame in nothing {
        let got = three.decode(frame).unwrap();
        assert_eq!((got.road, got.events.len()), (Road::Ignored, 0), "{frame}");
    }
    let refused = [
        (
            r#"{"event":"error","msg":"Subscribe failed, wrong URL or channel","code":"60018","connId":"e1f69f02"}"#,
            "Subscribe failed, wrong URL or channel",
        ),
        (
            r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect.","connId":"a"}"#,
            "The connection will soon be closed for a service upgrade. Please reconnect.",
        ),
    ];
    for (frame, said) in refused {
        assert_eq!(three.decode(frame), Err(FaultKind::Refused));
        assert_eq!(three.fast.refusal().text(), said);
    }
    let faults = [
        ("[]".to_owned(), FaultKind::BadFrame),
        (String::new(), FaultKind::NotJson),
        ("ping".to_owned(), FaultKind::NotJson),
        (
            r#"{"arg":{"channel":"news","instId":"X"},"data":[]}"#.to_owned(),
            FaultKind::UnknownTopic,
        ),
        (r#"{"event":"strange"}"#.to_owned(), FaultKind::UnknownTopic),
        (r#"{"op":"x"}"#.to_owned(), FaultKind::UnknownTopic),
        (
            r#"{"arg":{"channel":"books"},"data":[]}"#.to_owned(),
            FaultKind::UnknownSymbol,
        ),
        (
            with(TRADE, &[("[{\"instId\":\"BTC-", "[{\"instId\":\"ETH-")]),
            FaultKind::UnknownSymbol,
        ),
        (with(TRADE, &[("sell", "hold")]), FaultKind::BadSide),
        (with(TRADE, &[("80000.1", "80000,1")]), FaultKind::BadNumber),
        (with(TRADE, &[("80000.1", "")]), FaultKind::MissingField),
        (with(TRADE, &[("80000.1", "0.0")]), FaultKind::OutOfRange),
        (with(TRADE, &[("8.55", "-8.55")]), FaultKind::OutOfRange),
        (with(TRADE, &[("8.55", "8.55001")]), FaultKind::OutOfRange),
        (
            with(TRADE, &[("tradeId", "other")]),
            FaultKind::MissingField,
        ),
        (
            with(TRADE, &[("1790000000100", "179000000010")]),
            FaultKind::OutOfRange,
        ),
        (with(SNAP, &[("80000.4", "0")]), FaultKind::OutOfRange),
        (with(SNAP, &[("snapshot", "partial")]), FaultKind::BadFrame),
        (
            with(SNAP, &[(",\"seqId\":500", "")]),
            FaultKind::MissingField,
        ),
        (
            with(DELTA, &[(",\"prevSeqId\":500", "")]),
            FaultKind::MissingField,
        ),
        (
            with(DELTA, &[("SeqId\":500", "SeqId\":-1")]),
            FaultKind::OutOfRange,
        ),
        (with(MARK, &[("80001.7", "0")]), FaultKind::OutOfRange),
        (with(MARK, &[("80001.7", "-1")]), FaultKind::OutOfRange),
    ];
    for (frame, kind) in faults {
        assert_eq!(three.decode(&frame), Err(kind), "{frame}");
    }
}

#[test]
fn a_faulty_frame_leaves_nothing_behind() {
    let mut three = Three::new();
    three.decode(SNAP).unwrap();
    assert!(three.decode(with(DELTA, &[("80000.4", "8.0.4")])).is_err());
    let bad = with(TRADES, &[("0.01", "0,01")]);
    assert!(three.decode(bad).is_err());
    assert_eq!(three.decode(DELTA).unwrap().events.len(), 3);
    assert_eq!(three.decode(TRADES).unwrap().events.len(), 2);
}

#[test]
fn a_book_of_four_hundred_levels_a_side_fits() {
    let mut three = Three::new();
    let side = |from: i64, step: i64| {
        let level = |i: i64| {
            format!(
                "[\"{}.{}\",\"{i}.5\",\"0\",\"{i}\"]",
                from + i * step,
                i % 10
            )
        };
        let all: Vec<_> = (1..=400).map(level).collect();
        all.join(",")
    };
    let book = format!(
        r#"{{"arg":{{"channel":"books","instId":"BTC-USDT-SWAP"}},"action":"snapshot","data":[{{"asks":[{}],"bids":[{}],"instId":"BTC-USDT-SWAP","ts":"1790000000100","seqId":500}}]}}"#,
        side(80_000, 1),
        side(80_000, -1)
    );
    let got = three.decode(&book).unwrap();
    assert_eq!((got.road, got.events.len()), (Road::Fast, 800));
    let row = &TRADE[TRADE
        .find("{\"instId\":\"BTC-USDT-SWAP\",\"tradeId")
        .unwrap()..TRADE.len() - 2];
    let rows = vec![row; 5000].join(",");
    let frame =
        format!(r#"{{"arg":{{"channel":"trades","instId":"BTC-USDT-SWAP"}},"data":[{rows}]}}"#);
    assert_eq!(three.decode(frame), Err(FaultKind::TooLong));
}

const TIERS: &str =
    "/api/v5/public/position-tiers?instType=SWAP&tdMode=isolated&instFamily=BTC-USDT";

#[test]
fn names_go_there_and_back() {
    for (name, asset, shift) in [
        ("BTC-USDT-SWAP", "BTC", 0),
        ("PEPE-USDT-SWAP", "PEPE", -3),
        ("BABYDOGE-USDT-SWAP", "BABYDOGE", -6),
        ("1INCH-USDT-SWAP", "1INCH", 0),
    ] {
        assert_eq!(
            canonical(VenueId::OKX, name),
            Some((asset, shift)),
            "{name}"
        );
        assert_eq!(instrument_name(VenueId::OKX, asset).as_deref(), Some(name));
    }
    for none in [
        "BTC-USD-SWAP",
        "BTC-USDT",
        "BTC-USD-220527",
        "-USDT-SWAP",
        "",
    ] {
        assert_eq!(canonical(VenueId::OKX, none), None, "{none}");
    }
    let streams = [
        Stream::Book,
        Stream::Trades,
        Stream::Ticker,
        Stream::Liquidations,
    ];
    let topics = texts::topics(row(), &["BTC".into(), "PEPE".into()], &streams);
    assert_eq!(topics.len(), 15, "liquidations once for all");
    assert_eq!(texts::assets_of(row(), &topics), ["BTC", "PEPE"]);
    for stream in streams {
        let text = texts::subscribe(row(), &["BTC".into()], &[stream]).concat();
        assert!(
            text.contains(texts::topic_start(VenueId::OKX, stream)),
            "{text}"
        );
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
    let many: Vec<String> = (0..300).map(|i| format!("COIN{i}")).collect();
    let texts = texts::subscribe(row(), &many, &streams);
    assert!(texts.len() > 1 && texts.iter().all(|text| text.len() < 64_000));
    let asked: usize = texts
        .iter()
        .map(|text| text.matches("\"channel\"").count())
        .sum();
    assert_eq!(asked, 300 * 7 + 1);
}

#[test]
fn rest_answers_say_what_frames_say_and_the_past() {
    let mut decoder = decoder();
    let mut say = |request: &str, body: &str| {
        let said = decoder.rest(RECV, request, body.as_bytes());
        said.map(|said| (said.events.to_vec(), said.faults.len()))
            .map_err(|f| f.kind)
    };
    let bodies = |events: &[Event]| -> Vec<Body> { events.iter().map(Event::body).collect() };
    // Margin rows are contracts: they wait for a mark.
    let tiers = r#"{"code":"0","data":[{"instFamily":"BTC-USDT","maxSz":"1000","minSz":"0","maxLever":"100","mmr":"0.004","imr":"0.01","tier":"1"},{"instFamily":"BTC-USDT","maxSz":"5000.5","minSz":"1000.01","maxLever":"66.66","mmr":"0.005","imr":"0.015","tier":"2"}],"msg":""}"#;
    assert_eq!(say(TIERS, tiers), Ok((vec![], 0)));
    let marks = r#"{"code":"0","data":[{"instId":"SOL-USDT-SWAP","instType":"SWAP","markPx":"100","ts":"1790000000000"},{"instId":"BTC-USDT-SWAP","instType":"SWAP","markPx":"80000","ts":"1790000000000"},{"instId":"ETH-USDT-SWAP","markPx":"-1","ts":"1790000000000"}],"msg":""}"#;
    let (events, faults) = say("/api/v5/public/mark-price?instType=SWAP", marks).unwrap();
    assert_eq!(faults, 1, "a row that does not fit costs its own symbol");
    match bodies(&events)[..] {
        [Body::Mark(mark), Body::Tier(one), Body::Tier(two)] => {
            assert_eq!(mark, px("80000"));
            // 1000 contracts of 0.01 coins at 80000.
            assert_eq!(
                (one.row, one.floor.get(), one.cap.get()),
                (0, 0, 80_000_000)
            );
            assert_eq!((one.leverage_e2, one.maintenance_e6), (10_000, 4_000));
            assert_eq!(
                (two.row, two.floor.get(), two.cap.get()),
                (1, 80_000_000, 400_040_000)
            );
            assert_eq!((two.leverage_e2, two.deduction.get()), (6_666, 0));
        }
        ref other => panic!("{other:?}"),
    }
    assert_eq!(
        say(TIERS, tiers).unwrap().0.len(),
        2,
        "the mark is known now"
    );
    let index =
        r#"{"code":"0","data":[{"instId":"BTC-USDT","idxPx":"80001","ts":"1790000000000"}]}"#;
    let (events, _) = say("/api/v5/market/index-tickers?quoteCcy=USDT", index).unwrap();
    assert_eq!(bodies(&events), [Body::Index(px("80001"))]);
    let oi = r#"{"code":"0","data":[{"instId":"BTC-USDT-SWAP","oi":"100.5","oiCcy":"1.005","ts":"1790000000000"}]}"#;
    let (events, _) = say("/api/v5/public/open-interest?instType=SWAP", oi).unwrap();
    assert_eq!(bodies(&events), [Body::Interest(qty("1.005"))]);
    assert_eq!(events[0].bits, FIRST | LAST);
    let rate = r#"{"code":"0","data":[{"instId":"BTC-USDT-SWAP","fundingRate":"0.0001","fundingTime":"1790006400000","nextFundingTime":"1790020800000","ts":"1790000000000"}]}"#;
    let (events, _) = say("/api/v5/public/funding-rate?instId=ANY", rate).unwrap();
    assert!(matches!(bodies(&events)[..], [Body::Funding(f)]
        if f.rate_e12 == 100_000_000 && f.interval.get() == 4 * Nanos::HOUR.get()));
    // Histories: oldest first, the bar that is not over left out.
    let bars = r#"{"code":"0","data":[["1790000600000","3","4","2","3.5","1","0.01","1","0"],["1790000300000","80002","80004.5","80000.5","80003","700","7","560000","1"],["1790000000000","80001","80003","80000","80002","300","3","240000","1"]]}"#;
    let (events, _) = say(
        "/api/v5/market/history-candles?instId=BTC-USDT-SWAP&bar=5m",
        bars,
    )
    .unwrap();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|e| e.bits & HISTORY != 0));
    assert_eq!(events[0].exch, Nanos::millis(1_790_000_000_000));
    assert!(matches!(events[1].body(), Body::Bar(b)
        if b.open == px("80002") && b.high == px("80004.5") && b.volume == qty("7") && b.seconds == 300));
    let past = "/api/v5/rubik/stat/contracts/open-interest-history?instId=BTC-USDT-SWAP&period=5m";
    let rows = r#"{"code":"0","data":[["1790000300000","200","2","160000"],["1790000000000","100","1","80000"]]}"#;
    let (events, _) = say(past, rows).unwrap();
    assert_eq!(
        bodies(&events),
        [Body::Interest(qty("1")), Body::Interest(qty("2"))]
    );
    let past = "/api/v5/public/funding-rate-history?instId=BTC-USDT-SWAP&limit=100";
    let rows = r#"{"code":"0","data":[{"fundingRate":"0.0003","fundingTime":"1789999200000","instId":"BTC-USDT-SWAP","realizedRate":"0.0006"},{"fundingRate":"0.0002","fundingTime":"1789970400000","realizedRate":"0.0004"}]}"#;
    let (events, _) = say(past, rows).unwrap();
    match bodies(&events)[..] {
        [Body::Funding(one), Body::Funding(two)] => {
            assert_eq!((one.rate_e12, one.interval), (400_000_000, Nanos::ZERO));
            assert_eq!(
                (two.rate_e12, two.interval.get()),
                (600_000_000, 8 * Nanos::HOUR.get())
            );
        }
        ref other => panic!("{other:?}"),
    }
    let root = "/api/v5/rubik/stat/contracts/";
    for (path, which) in [
        ("long-short-account-ratio-contract", 0),
        ("long-short-account-ratio-contract-top-trader", 1),
        ("long-short-position-ratio-contract-top-trader", 2),
    ] {
        let rows = r#"{"code":"0","data":[["1790000000000","1.5"]]}"#;
        let request = format!("{root}{path}?instId=BTC-USDT-SWAP&period=5m&limit=1");
        let (events, _) = say(&request, rows).unwrap();
        assert!(matches!(bodies(&events)[..], [Body::Ratio(r)]
            if (r.long_e6, r.short_e6, r.which) == (600_000, 400_000, which)));
    }
    let rows = r#"{"code":"0","data":[["1790000000000","30","10"]]}"#;
    let request = "/api/v5/rubik/stat/taker-volume-contract?instId=BTC-USDT-SWAP&period=5m";
    let (events, _) = say(request, rows).unwrap();
    assert!(
        matches!(bodies(&events)[..], [Body::Ratio(r)] if (r.long_e6, r.which) == (250_000, 3))
    );
    assert_eq!(
        say(
            request,
            r#"{"code":"0","data":[["1790000000000","0","0"]]}"#
        ),
        Ok((vec![], 1))
    );
    let no = r#"{"code":"50011","msg":"Too Many Requests","data":[]}"#;
    assert_eq!(say(request, no), Err(FaultKind::Refused));
    assert_eq!(say(INSTRUMENTS, no), Err(FaultKind::Refused));
    assert_eq!(
        (row().refusal)(no.as_bytes()).unwrap(),
        "code 50011: Too Many Requests"
    );
    assert_eq!((row().refusal)(rows.as_bytes()), None);
    let other = "/api/v5/other?instId=BTC-USDT-SWAP";
    assert_eq!(say(other, rows), Err(FaultKind::UnknownTopic));
    assert_eq!(say(past, "<html>"), Err(FaultKind::NotJson));
    // Every request of the row is one the decoder knows.
    for ask in row().asks {
        for request in texts::requests(row(), ask, &["BTC".into()]) {
            let empty = r#"{"code":"0","data":[]}"#;
            assert_eq!(say(&request, empty), Ok((vec![], 0)), "{request}");
            assert!(!request.contains('{'), "{request}");
        }
    }
}

#[test]
fn recorded_terms_are_read() {
    let Some(path) = captures("okx/cryptofeed-2022/rest") else {
        return;
    };
    let body = std::fs::read(path.join("api_v5_public_instruments_instType=SWAP.json")).unwrap();
    let names = ["BTC", "SHIB", "BABYDOGE", "YFI", "KISHU", "TRX"];
    let mut decoder = silent(&names);
    let said = decoder.rest(RECV, INSTRUMENTS, &body).unwrap();
    // The tick of KISHU is a tenth of the finest price: refused, not rounded.
    assert_eq!(said.faults.len(), 1);
    let terms: BTreeMap<u16, (Px, Qty)> = said
        .events
        .iter()
        .map(|e| match e.body() {
            Body::Instrument(i) => (e.symbol.0, (i.tick, i.lot)),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(terms.len(), names.len() - 1);
    assert_eq!(terms[&0], (px("0.1"), qty("0.01")));
    assert_eq!(terms[&1], (px("0.00001"), qty("1000")));
    assert_eq!(terms[&2], (px("0.00001"), qty("1000")));
    assert_eq!(terms[&3].1, qty("0.0001"));
}

#[test]
fn recorded_liquidations_are_read() {
    let Some(path) = captures("okx/live-2026-frames/liquidation-orders.jsonl") else {
        return;
    };
    let names = ["BTC", "CELO", "CNPY", "MINA"];
    let mut decoder = silent(&names);
    let contracts = names.map(|name| (name, if name == "BTC" { "0.01" } else { "1" }));
    decoder
        .rest(RECV, INSTRUMENTS, terms(&contracts).as_bytes())
        .unwrap();
    let mut room = FrameBuffer::default();
    for (line, holder) in std::fs::read_to_string(path).unwrap().lines().zip([
        Holder::Long,
        Holder::Short,
        Holder::Short,
        Holder::Short,
    ]) {
        let recv = Nanos::millis(1_789_669_898_955);
        let got = decoder.decode(recv, room.put(line.as_bytes())).unwrap();
        assert!(
            matches!(got.events[0].body(), Body::Liquidation(l) if l.holder == holder),
            "{line}"
        );
    }
}

/// A frame of the session of 2022 under the names of today's swaps; `None` for what is none of ours.
///
/// Its contracts are settled in coins and its third instrument is spot, but the bytes are the venue's.
fn renamed(frame: &str) -> Option<String> {
    let names = [
        ("UNI-USD-SWAP", "UNI-USDT-SWAP"),
        ("BTC-USD-220527", "BTC-USDT-SWAP"),
    ];
    let (from, to) = names.into_iter().find(|(from, _)| frame.contains(from))?;
    Some(frame.replace(from, to))
}

/// One side of a book as text: what a checksum of before 2023 is of.
#[derive(Default)]
struct Texts {
    asks: BTreeMap<Px, String>,
    bids: BTreeMap<Px, String>,
}

impl Texts {
    fn apply(&mut self, book: &serde_json::Value, image: bool) {
        if image {
            *self = Self::default();
        }
        for (name, side) in [("asks", &mut self.asks), ("bids", &mut self.bids)] {
            for level in book[name].as_array().unwrap() {
                let text = |at: usize| level[at].as_str().unwrap();
                match text(1) {
                    "0" => side.remove(&px(text(0))),
                    size => side.insert(px(text(0)), format!("{}:{size}", text(0))),
                };
            }
        }
    }

    /// CRC32 of the best 25 levels of both sides, bid and ask in turns.
    fn checksum(&self) -> i64 {
        let mut parts: Vec<&str> = Vec::new();
        let (mut bids, mut asks) = (self.bids.values().rev(), self.asks.values());
        for _ in 0..25 {
            parts.extend(bids.next().map(String::as_str));
            parts.extend(asks.next().map(String::as_str));
        }
        i64::from(crc32(parts.join(":").as_bytes()) as i32)
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

/// Every book of the session: what leaves the decoder, kept in a map, is the book whose checksum the venue told.
#[test]
fn the_recorded_books_of_2022_meet_the_venues_checksums() {
    let Some(path) = captures("okx/cryptofeed-2022/session.recv.jsonl") else {
        return;
    };
    let mut decoder = silent(&["UNI", "BTC"]);
    let contracts = terms(&[("UNI", "1"), ("BTC", "1")]);
    decoder
        .rest(RECV, INSTRUMENTS, contracts.as_bytes())
        .unwrap();
    let mut room = FrameBuffer::with_capacity(1 << 16);
    let mut texts = [Texts::default(), Texts::default()];
    let mut books: [BTreeMap<(u8, Px), Qty>; 2] = Default::default();
    let (mut frames, mut told, mut trades, mut ignored) = (0, 0, 0, 0);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let (Some(frame), "recv") = (line["frame"].as_str(), line["kind"].as_str().unwrap()) else {
            continue;
        };
        let Some(frame) = renamed(frame) else {
            continue;
        };
        frames += 1;
        let recv = Nanos::new(line["recv_ns"].as_i64().unwrap());
        let got = decoder.decode(recv, room.put(frame.as_bytes()));
        let got = got.unwrap_or_else(|fault| panic!("{fault:?}: {frame}"));
        assert!(!got.gap && got.resync.is_none());
        ignored += u32::from(got.road == Road::Ignored);
        let json: serde_json::Value = serde_json::from_str(&frame).unwrap();
        for event in got.events {
            match event.body() {
                Body::Trade(_) => trades += 1,
                Body::Level(level) => {
                    let book = &mut books[usize::from(event.symbol.0)];
                    if event.bits & (SNAPSHOT | FIRST) == SNAPSHOT | FIRST {
                        book.clear();
                    }
                    book.insert((level.side as u8, level.price), level.qty);
                }
                other => panic!("{other:?}"),
            }
        }
        if json["arg"]["channel"] == "books" && json["data"].is_array() {
            let at = usize::from(json["arg"]["instId"] == "BTC-USDT-SWAP");
            let book = &json["data"][0];
            texts[at].apply(book, json["action"] == "snapshot");
            assert_eq!(texts[at].checksum(), book["checksum"].as_i64().unwrap());
            // The same levels as left the decoder.
            books[at].retain(|_, qty| !qty.is_zero());
            let side = |side: u8| -> Vec<Px> {
                let of = books[at].keys().filter(|(s, _)| *s == side);
                of.map(|(_, price)| *price).collect()
            };
            assert!(texts[at].bids.keys().eq(side(Side::Buy as u8).iter()));
            assert!(texts[at].asks.keys().eq(side(Side::Sell as u8).iter()));
            told += 1;
        }
    }
    // Acknowledgements and tickers are none of ours.
    assert_eq!((frames, told, trades, ignored), (212, 192, 5, 15));
}

/// The built-in exchange speaks OKX from the same documents by another hand: every frame of five stormy minutes is
/// read, and the book that leaves is the book it told.
#[test]
fn the_built_in_exchange_is_understood() {
    use isotherm::sim::{Dialect, Params, World};
    let mut world = World::new(3, Params::many(4).speaking(Dialect::Okx).stormy()).unwrap();
    let names: Vec<String> = world.symbols().map(str::to_owned).collect();
    let assets: Vec<&str> = names
        .iter()
        .map(|name| canonical(VenueId::OKX, name).unwrap().0)
        .collect();
    let mut decoder = silent(&assets);
    let (_, _, body) = world.rest("GET", INSTRUMENTS, "");
    let said = decoder.rest(RECV, INSTRUMENTS, body.as_bytes()).unwrap();
    assert_eq!((said.events.len(), said.faults.len()), (names.len(), 0));
    let mut room = FrameBuffer::with_capacity(1 << 16);
    let mut books: Vec<BTreeMap<(u8, Px), Qty>> = vec![BTreeMap::new(); names.len()];
    let (mut fast, mut events, mut prints) = (0, 0, 0);
    // What a subscription is told first, then what everybody hears.
    let topics: Vec<_> = world.topics().collect();
    let mut hear = |f: &isotherm::sim::Frame<'_>| {
        let got = decoder.decode(f.at, room.put(f.text.as_bytes()));
        let got = got.unwrap_or_else(|fault| panic!("{fault:?}: {}", f.text));
        assert!(!got.gap, "{}", f.text);
        let is_print = f.text.contains("liquidation-orders");
        assert!(got.road != Road::Tolerant || is_print, "{}", f.text);
        fast += u32::from(got.road == Road::Fast);
        prints += u32::from(is_print);
        events += got.events.len();
        for event in got.events {
            if let Body::Level(level) = event.body() {
                let book = &mut books[usize::from(event.symbol.0)];
                if event.bits & (SNAPSHOT | FIRST) == SNAPSHOT | FIRST {
                    book.clear();
                }
                book.insert((level.side as u8, level.price), level.qty);
                if level.qty.is_zero() {
                    book.remove(&(level.side as u8, level.price));
                }
            }
        }
    };
    for topic in topics {
        world.snapshot_frames(topic, &mut hear);
    }
    // Past the end of a period of statistics.
    let until = world.now().plus(Nanos::seconds(330));
    world.advance(until, &mut hear);
    assert!(
        fast > 10_000 && events > 10_000 && prints > 0,
        "{fast} {events} {prints}"
    );
    let mut kinds = std::collections::BTreeSet::new();
    for ask in row().asks {
        for request in texts::requests(row(), ask, &[assets[0].to_owned()]) {
            let (status, _, body) = world.rest("GET", &request, "");
            assert_eq!(status, 200, "{request}: {body}");
            let said = decoder.rest(world.now(), &request, body.as_bytes());
            let said = said.unwrap_or_else(|fault| panic!("{fault:?}: {request}: {body}"));
            assert!(said.faults.is_empty(), "{request}: {body}");
            kinds.extend(said.events.iter().map(Event::kind));
        }
    }
    use isotherm::event::Kind;
    for kind in [
        Kind::Instrument,
        Kind::Tier,
        Kind::Mark,
        Kind::Funding,
        Kind::Interest,
        Kind::Bar,
        Kind::Ratio,
    ] {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
    for (symbol, name) in names.iter().enumerate() {
        let told = world.book(name).unwrap();
        let shift = canonical(VenueId::OKX, name).unwrap().1;
        let best = |side: Side, last: bool| -> Px {
            let mut prices = books[symbol].keys().filter(|(s, _)| *s == side as u8);
            let of = if last {
                prices.next_back()
            } else {
                prices.next()
            };
            of.unwrap().1
        };
        let lot =
            |text: &str| Px::new(isotherm::num::parse_decimal(text, (10 - shift) as u32).unwrap());
        assert_eq!(best(Side::Buy, true), lot(&told.bids[0].0), "{name}");
        assert_eq!(best(Side::Sell, false), lot(&told.asks[0].0), "{name}");
        assert_eq!(
            books[symbol].len(),
            told.bids.len() + told.asks.len(),
            "{name}"
        );
    }
}
