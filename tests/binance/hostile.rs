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
            FaultKind::MissingField,
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
