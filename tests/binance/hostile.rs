//! Frames that are cut, bent, or in another form; and that none of them asks for memory.

use super::*;
use proptest::prelude::*;

/// A decoder that has met the frames before this one.
fn before(three: &mut Three, frame: &str) {
    for decoder in [&mut three.fast, &mut three.plain, &mut three.tolerant] {
        decoder.reset();
    }
    three.rest(REQUEST, IMAGE.as_bytes()).unwrap();
    if frame != DEPTH {
        three.decode(DEPTH.as_bytes()).unwrap();
    }
}

#[test]
fn every_truncation_faults() {
    let mut three = three();
    for whole in CHANNELS {
        for frame in [whole, bare(whole)] {
            before(&mut three, whole);
            three.decode(frame.as_bytes()).unwrap();
            for len in 0..frame.len() {
                let got = three.decode(&frame.as_bytes()[..len]);
                assert_eq!(got, Err(FaultKind::NotJson), "{}", &frame[..len]);
            }
        }
    }
}

#[test]
fn a_flipped_bit_means_the_same_on_every_road() {
    let mut three = three();
    for frame in CHANNELS {
        before(&mut three, frame);
        let want = three.decode(frame.as_bytes()).unwrap();
        let shape = |got: &Got| -> Vec<_> {
            got.events
                .iter()
                .map(|e| (e.kind(), e.symbol, e.venue, e.recv))
                .collect()
        };
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut bytes = frame.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                before(&mut three, frame);
                // `decode` compares both instruction sets and both roads.
                let Ok(got) = three.decode(&bytes) else {
                    continue;
                };
                // A flipped digit may be another number, but never another kind of thing; a flipped
                // key or id may leave something out or break the chain.
                let known = shape(&got).iter().all(|e| shape(&want).contains(e));
                let text = String::from_utf8_lossy(&bytes);
                assert!(known || (got.gap && got.events.len() == 1), "{text}");
            }
        }
    }
}

#[test]
fn a_name_with_zeros_behind_is_not_the_name() {
    for frame in CHANNELS {
        for name in ["BTCUSDT", "btcusdt", "SELL", "FILLED", "\"nq\"", "\"p\""] {
            let mut three = three();
            let bytes = frame.replace(name, &format!("{name}\0"));
            if bytes != frame {
                assert!(three.decode(bytes.as_bytes()).is_err(), "{bytes:?}");
            }
        }
    }
}

#[test]
fn what_lies_in_the_slack_does_not_matter() {
    use isotherm::wire::{Frame, SLACK};
    let fills: [&[u8]; 4] = [b"\0", b"\"", b"0123456789", br#"}}],"st":1}}"#];
    for frame in CHANNELS {
        let mut want = None;
        for fill in fills {
            let mut decoder = decoder(&["BTC"]);
            let mut room = FrameBuffer::default();
            decoder.rest(RECV, REQUEST, IMAGE.as_bytes()).unwrap();
            decoder.decode(RECV, room.put(DEPTH.as_bytes())).unwrap();
            let mut bytes = frame.as_bytes().to_vec();
            bytes.extend(fill.iter().cycle().take(SLACK));
            let framed = Frame::new(&mut bytes, frame.len()).unwrap();
            let got = decoder.decode(RECV, framed).unwrap();
            let got = got.events.to_vec();
            assert_eq!(*want.get_or_insert(got.clone()), got, "{frame}");
            for cut in 1..4 {
                let short = frame.len() - cut;
                let mut bytes = frame.as_bytes().to_vec();
                bytes.extend([b' '; SLACK]);
                let framed = Frame::new(&mut bytes, short).unwrap();
                assert!(decoder.decode(RECV, framed).is_err());
            }
        }
    }
}

#[test]
fn other_forms_take_the_tolerant_road_to_the_same_events() {
    let forms = [
        (
            AGG,
            r#"{"data":{"T":1790000000011,"new":{"x":[1]},"q":0.010,"p":"80000.1","m":true,"s":"BTCUSDT","a":"9","e":"aggTrade"},"stream":"btcusdt@aggTrade"}"#,
        ),
        (
            DEPTH_NEXT,
            r#"{ "e":"depthUpdate","a":[["80000.5","0.3"],[80001,"0"]],"u":110,"s":"BTCUSDT","T":1790000000108,"b":[[79999.5,2.5]],"pu":105}"#,
        ),
        (
            TOUCH,
            r#"{"e":"bookTicker","u":105,"E":1790000000009,"T":1790000000008,"s":"BTCUSDT","b":80000.0,"B":"1.5","a":"80000.5","A":"0.300","ps":"BTCUSDT","st":"1"}"#,
        ),
        (
            MARK,
            r#"{"s":"BTCUSDT","T":1790006400000,"r":0.0001,"i":"80010.00","p":80000.1,"E":1790000000000,"e":"markPriceUpdate"}"#,
        ),
        (
            FORCE,
            r#"{"o":{"T":1790000000400,"z":0.2,"ap":"80010.10","S":"SELL","s":"BTCUSDT"},"E":1790000000500,"e":"forceOrder"}"#,
        ),
    ];
    for (usual, other) in forms {
        let told = |frame: &str| {
            let mut three = three();
            before(&mut three, usual);
            let got = three.decode(frame.as_bytes()).unwrap();
            let mut all: Vec<_> = got
                .events
                .iter()
                .map(|e| format!("{:?}", (e.exch, e.body())))
                .collect();
            all.sort();
            (got.road, all)
        };
        let (usual, other) = (told(usual), told(other));
        assert_eq!((usual.0, other.0), (Road::Fast, Road::Tolerant));
        assert_eq!(usual.1, other.1);
    }
}

#[test]
fn acknowledgements_are_ignored_and_refusals_are_faults() {
    let mut three = three();
    let other = with(AGG, &[("BTCUSDT", "OTHERUSDT")]);
    let strange = with(
        DEPTH,
        &[("BTCUSDT", "币安人生USDT"), ("btcusdt", "币安人生usdt")],
    );
    for frame in [
        r#"{"result":null,"id":1}"#,
        r#"{"result":["btcusdt@aggTrade"],"id":3}"#,
        r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1790000000000,"s":"BTCUSDT","k":{}}}"#,
        r#"{"stream":"!markPrice@arr","data":[{"e":"markPriceUpdate"}]}"#,
        r#"{"stream":"btcusdt@ticker","data":{"e":"24hrTicker","s":"BTCUSDT"}}"#,
        &other,
        &strange,
    ] {
        let got = three.decode(frame.as_bytes()).unwrap();
        assert_eq!((got.road, got.events.len()), (Road::Ignored, 0), "{frame}");
    }
    for frame in [
        r#"{"code":2,"msg":"Invalid request: unknown","id":1}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: unknown"},"id":1}"#,
    ] {
        assert_eq!(three.decode(frame.as_bytes()), Err(FaultKind::Refused));
        assert_eq!(three.fast.refusal().text(), "Invalid request: unknown");
    }
}

#[test]
fn what_does_not_fit_is_a_fault_with_its_reason() {
    let mut three = three();
    let faults = [
        ("[]".to_owned(), FaultKind::BadFrame),
        (String::new(), FaultKind::NotJson),
        ("{\"id\":1}".to_owned(), FaultKind::UnknownTopic),
        (
            with(AGG, &[("aggTrade\"", "newTrade\"")]),
            FaultKind::UnknownTopic,
        ),
        (
            with(AGG, &[("\"e\":\"aggTrade\"", "\"e\":1")]),
            FaultKind::UnknownTopic,
        ),
        (with(AGG, &[("80000.1", "80000,1")]), FaultKind::BadNumber),
        (with(AGG, &[("80000.1", "")]), FaultKind::MissingField),
        (with(AGG, &[("80000.1", "0.0")]), FaultKind::OutOfRange),
        (
            with(AGG, &[("80000.1", "3602880.0")]),
            FaultKind::OutOfRange,
        ),
        (
            with(AGG, &[("\"q\":\"0.010", "\"q\":\"-0.010")]),
            FaultKind::OutOfRange,
        ),
        (
            with(AGG, &[("\"q\":\"0.010", "\"q\":\"0.0000012")]),
            FaultKind::OutOfRange,
        ),
        (with(AGG, &[("\"m\":true", "\"m\":1")]), FaultKind::BadSide),
        (with(AGG, &[("\"a\":9,", "")]), FaultKind::MissingField),
        (
            with(AGG, &[("\"T\":1790000000011", "\"T\":179000000001")]),
            FaultKind::OutOfRange,
        ),
        (with(DEPTH, &[("\"pu\":100,", "")]), FaultKind::MissingField),
        (
            with(DEPTH, &[("\"80000.0\"", "\"0\"")]),
            FaultKind::OutOfRange,
        ),
        (
            with(DEPTH, &[("\"1.5\"]", "\"1.5\",\"2\"]")]),
            FaultKind::BadFrame,
        ),
        (
            with(TOUCH, &[("\"80000.0\"", "\"-80000.0\"")]),
            FaultKind::OutOfRange,
        ),
        (with(MARK, &[("80000.10", "0.00")]), FaultKind::OutOfRange),
        (with(MARK, &[("80000.10", "")]), FaultKind::MissingField),
        (with(MARK, &[("80010.00", "-1")]), FaultKind::OutOfRange),
        (with(FORCE, &[("SELL", "HELD")]), FaultKind::BadSide),
        (
            with(FORCE, &[("\"ap\":\"80010.10\",", "")]),
            FaultKind::MissingField,
        ),
        (with(FORCE, &[("80010.10", "0")]), FaultKind::OutOfRange),
        (
            with(FORCE, &[("\"o\":{", "\"x\":{")]),
            FaultKind::MissingField,
        ),
    ];
    for (frame, kind) in faults {
        assert_eq!(three.decode(frame.as_bytes()), Err(kind), "{frame}");
    }
    // Nothing of them was taken in.
    three.rest(REQUEST, IMAGE.as_bytes()).unwrap();
    assert_eq!(three.decode(DEPTH.as_bytes()).unwrap().events.len(), 4);
    let bad = with(DEPTH_NEXT, &[("\"0.3\"", "\"0.3.0\"")]);
    assert!(three.decode(bad.as_bytes()).is_err());
    assert_eq!(three.decode(DEPTH_NEXT.as_bytes()).unwrap().events.len(), 3);
    assert!(!three.decode(AGG.as_bytes()).unwrap().gap);
}

/// Pieces that are put into frames.
const PIECES: [&str; 16] = [
    "\"st\":2,",
    "\"st\":1,",
    "\"st\":\"\",",
    "\"e\":\"depthUpdate\",",
    "\"e\":\"trade\",\"X\":\"MARKET\",\"t\":3,",
    "\"s\":\"1000PEPEUSDT\",",
    "\"pu\":105,",
    "\"o\":{},",
    "[[\"1.0\",\"2\"]]",
    ",\"ps\":\"\\u0041\"",
    "\\\"",
    "null",
    "-",
    "0",
    "é",
    " ",
];

proptest! {
    /// Frames that are cut, joined and bent: `decode` compares both instruction sets and both roads,
    /// and after each the next good frame means the same to all.
    #[test]
    fn bent_frames_mean_the_same_on_every_road(
        which in 0..CHANNELS.len(),
        bent in prop::collection::vec((any::<u16>(), any::<u16>(), 0u8..6, any::<u8>()), 1..5),
        wrapped in any::<bool>(),
    ) {
        THREE.with_borrow_mut(|three| {
            let frame = CHANNELS[which];
            before(three, frame);
            let mut bytes = if wrapped { frame } else { bare(frame) }.as_bytes().to_vec();
            for (at, to, how, what) in bent {
                let at = usize::from(at) % (bytes.len() + 1);
                let to = at + usize::from(to) % 12;
                let end = to.min(bytes.len());
                match how {
                    0 => {
                        bytes.drain(at..end);
                    }
                    1 => {
                        let piece = bytes[at..end].to_vec();
                        bytes.splice(at..at, piece);
                    }
                    2 => {
                        let piece = PIECES[usize::from(what) % PIECES.len()];
                        bytes.splice(at..at, piece.bytes());
                    }
                    3 => {
                        // Behind a comma: a whole field.
                        let comma = bytes[at..].iter().position(|&b| b == b',');
                        let at = comma.map_or(bytes.len(), |comma| at + comma + 1);
                        let piece = PIECES[usize::from(what) % PIECES.len()];
                        bytes.splice(at..at, piece.bytes());
                    }
                    4 => {
                        let digits = b"0123456789.-";
                        let digit = bytes.get_mut(at..).and_then(|rest| {
                            rest.iter_mut().find(|byte| byte.is_ascii_digit())
                        });
                        if let Some(digit) = digit {
                            *digit = digits[usize::from(what) % digits.len()];
                        }
                    }
                    _ => {
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte = what;
                        }
                    }
                }
            }
            let _ = three.decode(&bytes);
            let _ = three.decode(DEPTH_NEXT.as_bytes());
        });
    }
}

thread_local! {
    static THREE: std::cell::RefCell<Three> = std::cell::RefCell::new(three());
}

/// Counts what this thread asks of the allocator.
struct Counting;

thread_local! {
    static ASKED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

// SAFETY: every call is the system allocator's with the same arguments.
unsafe impl std::alloc::GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 {
        let _ = ASKED.try_with(|n| n.set(n.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { std::alloc::System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: std::alloc::Layout) {
        // SAFETY: as the caller promises.
        unsafe { std::alloc::System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn neither_road_allocates_nor_do_images() {
    let mut decoder = decoder(&["BTC"]);
    let mut room = FrameBuffer::with_capacity(1 << 16);
    let levels = |from: i64, step: i64| {
        let all: Vec<_> = (0..1000)
            .map(|i| format!("[\"{}.50\",\"{}.001\"]", from + i * step, i))
            .collect();
        all.join(",")
    };
    let full = image(110, &levels(80_000, -1), &levels(80_001, 1));
    let rows: Vec<_> = (0..700)
        .map(|i| {
            format!(
                r#"{{"symbol":"COIN{i}USDT","adjustedFundingRateCap":"0.02000000","adjustedFundingRateFloor":"-0.02000000","fundingIntervalHours":4,"disclaimer":false}}"#
            )
        })
        .collect();
    let table = format!("[{}]", rows.join(","));
    let before = ASKED.get();
    for _ in 0..3 {
        decoder
            .rest(RECV, "/fapi/v1/fundingInfo", table.as_bytes())
            .unwrap();
        for frame in CHANNELS {
            let fast = decoder.decode(RECV, room.put(frame.as_bytes())).unwrap();
            assert!(matches!(fast.road, Road::Fast | Road::Ignored));
            let other = decoder.decode_tolerant(RECV, room.put(frame.as_bytes()));
            assert!(other.is_ok());
        }
        let told = decoder.rest(RECV, REQUEST, full.as_bytes()).unwrap();
        assert_eq!(told.events.len(), 2000);
        decoder.reset();
    }
    assert_eq!(ASKED.get(), before);
    drop(vec![0u8; 9]);
    assert_eq!(ASKED.get(), before + 1, "the counter counts");
}
