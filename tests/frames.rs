//! Frames: recorded and synthetic bytes of each venue, by both roads, to the events they mean.
//!
//! Recorded frames are never part of the repository. They are read from `ISOTHERM_SHARED` or `../shared`, and a test
//! that cannot find them says so loudly and passes.

use isotherm::event::{Body, Event, FIRST, LAST, SNAPSHOT, Stream};
use isotherm::health::FaultKind;
use isotherm::market::{Holder, Side, SymbolId, VenueId};
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
    println!("SKIPPED: no recorded frames at {}", path.display());
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
