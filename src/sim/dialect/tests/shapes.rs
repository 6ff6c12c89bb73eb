//! The shapes of recorded frames, field by field in their order, against what is told here.
//!
//! Recorded frames are no part of the repository: they are read from `ISOTHERM_SHARED` or
//! `../shared`, and a test that cannot find them says so loudly and passes.

use crate::sim::{Dialect, Params, World};
use crate::time::Nanos;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What a text is made of: paths of keys with the kind of each value, in the order of the text. Of a
/// list only the first element counts.
fn shape(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let end = value(text.as_bytes(), 0, "", Some(&mut out));
    assert_eq!(end, text.len(), "{text}");
    out
}

/// Reads a value from `at`, answers where it ends.
fn value(text: &[u8], at: usize, path: &str, mut out: Option<&mut Vec<String>>) -> usize {
    let mut note = |kind: &str| {
        if let Some(out) = out.as_deref_mut() {
            out.push(format!("{path}:{kind}"));
        }
    };
    match text[at] {
        b'"' => {
            note("text");
            string(text, at)
        }
        b'{' => {
            note("object");
            let mut at = at + 1;
            while text[at] != b'}' {
                let end = string(text, at);
                let key = std::str::from_utf8(&text[at + 1..end - 1]).unwrap();
                let path = format!("{path}.{key}");
                at = value(text, end + 1, &path, out.as_deref_mut());
                at += usize::from(text[at] == b',');
            }
            at + 1
        }
        b'[' => {
            note("list");
            let (mut at, mut first) = (at + 1, true);
            while text[at] != b']' {
                let path = format!("{path}[]");
                at = value(text, at, &path, out.as_deref_mut().filter(|_| first));
                at += usize::from(text[at] == b',');
                first = false;
            }
            at + 1
        }
        c => {
            note(match c {
                b't' | b'f' => "truth",
                b'n' => "null",
                _ => "number",
            });
            let rest = text[at..].iter();
            let more = |c: &&u8| !matches!(c, b',' | b'}' | b']');
            at + rest.take_while(more).count()
        }
    }
}

/// Where the string that begins at `at` ends.
fn string(text: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while text[at] != b'"' {
        at += 1 + usize::from(text[at] == b'\\');
    }
    at + 1
}

fn is_within(part: &[String], whole: &[String]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|own| rest.any(|other| other == own))
}

/// Every shape a world of this dialect tells.
fn told(dialect: Dialect) -> BTreeSet<Vec<String>> {
    let mut world = World::new(1, Params::many(4).speaking(dialect).stormy()).unwrap();
    let mut shapes = BTreeSet::new();
    let until = world.now().plus(Nanos::seconds(1_500));
    let mut seen = std::collections::BTreeMap::new();
    world.advance(until, &mut |f| {
        // Deltas differ from each other; thirty of a kind show what there is.
        let count = seen.entry(f.topic.kind).or_insert(0);
        if *count < 30 {
            *count += 1;
            shapes.insert(shape(f.text));
            shapes.insert(shape(f.bare));
        }
    });
    for topic in world.topics().collect::<Vec<_>>() {
        world.snapshot_frames(topic, &mut |f| {
            shapes.insert(shape(f.text));
        });
    }
    shapes
}

/// The recorded frames of a folder: lines, or the `frame` of lines of a session.
fn recorded(part: &str) -> Option<Vec<String>> {
    let root = std::env::var_os("ISOTHERM_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let path = root.join("captures").join(part);
    let Ok(text) = std::fs::read_to_string(&path) else {
        // Written, not printed: the test harness must not swallow it.
        let line = format!("SKIPPED: no recorded frames at {}\n", path.display());
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
        return None;
    };
    let frames = text.lines().take(2_000).filter_map(|line| {
        if !line.starts_with("{\"recv_ns\"") {
            return Some(line.to_owned());
        }
        let record: serde_json::Value = serde_json::from_str(line).ok()?;
        (record["kind"] == "recv").then(|| record["frame"].as_str().map(str::to_owned))?
    });
    Some(frames.collect())
}

#[test]
fn recorded_frames_have_no_field_that_is_not_told_here_in_the_same_place() {
    // Words of frames that no stream of this world has; and of a ticker's deltas, in which the venue
    // puts the one-sided interest last and this world where the snapshot has it.
    let others = [
        "success",
        "\"candle\"",
        "\"pong\"",
        "\"error\"",
        "\"post\"",
        "subscriptionR",
        "USDT\",\"type\":\"delta\",\"data\":{\"symbol",
    ];
    for (dialect, part) in [
        (
            Dialect::Bybit,
            "bybit/cryptofeed-2026-linear/session.recv.jsonl",
        ),
        (
            Dialect::Bybit,
            "bybit/live-2026-frames/allLiquidation.jsonl",
        ),
        (
            Dialect::Binance,
            "binance-usdm/live-2026-frames/bookTicker.jsonl",
        ),
        (
            Dialect::Binance,
            "binance-usdm/live-2026-frames/btcusdt-2026-02-16.jsonl",
        ),
        (
            Dialect::Binance,
            "binance-usdm/live-2026-frames/forceOrder.jsonl",
        ),
        (
            Dialect::Okx,
            "okx/live-2026-frames/liquidation-orders.jsonl",
        ),
        (
            Dialect::Hyperliquid,
            "hyperliquid/live-2026-frames/frames.jsonl",
        ),
        (
            Dialect::Hyperliquid,
            "hyperliquid/live-2026-frames/l2Book-trimmed-to-3-levels.jsonl",
        ),
    ] {
        let Some(frames) = recorded(part) else {
            continue;
        };
        let told = told(dialect);
        let mut compared = 0;
        for frame in frames {
            if others.iter().any(|word| frame.contains(word)) {
                continue;
            }
            let wanted = shape(&frame);
            let found = told.iter().any(|own| is_within(&wanted, own));
            // An empty side of a delta has no level to compare.
            assert!(found, "{part}: {frame}\n{wanted:#?}");
            compared += 1;
        }
        assert!(compared > 0, "{part}");
    }
}
