//! Binance USD-M: recorded and synthetic bytes, by both roads, to the events they mean; books joined
//! from REST images and updates.
//!
//! Recorded frames are never part of the repository. They are read from `ISOTHERM_SHARED` or
//! `../shared`, and a test that cannot find them says so loudly and passes.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it fails"
)]

mod book;
mod frames;
mod hostile;
mod legs;
mod recorded;
mod rest;

#[path = "../fixtures/binance.rs"]
mod fixtures;

use fixtures::*;
use isotherm::event::{Body, Event, FIRST, HISTORY, LAST, SNAPSHOT, Stream, WHOLE};
use isotherm::health::FaultKind;
use isotherm::market::{Holder, Side, SymbolId, VenueId};
use isotherm::num::{Px, Qty};
use isotherm::time::Nanos;
use isotherm::venue::lane::Lane;
use isotherm::venue::{Decoder, Road, Venue, by_name, texts};
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

fn assets(names: &[&str]) -> Vec<String> {
    names.iter().map(|&n| n.to_owned()).collect()
}

fn decoder(names: &[&str]) -> Decoder {
    Decoder::new(VenueId::BINANCE, &assets(names)).unwrap()
}

fn row() -> &'static Venue {
    by_name("binance").unwrap()
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
    recv: Nanos,
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
            recv: RECV,
        }
    }

    fn one(&mut self, which: usize, leg: usize, bytes: &[u8]) -> Result<Got, FaultKind> {
        let frame = self.room.put(bytes);
        let got = match which {
            0 => self.fast.decode_leg(leg, self.recv, frame),
            1 => self.plain.decode_leg(leg, self.recv, frame),
            _ => self.tolerant.decode_tolerant(self.recv, frame),
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
        let [fast, plain, tolerant] = [0, 1, 2].map(|which| self.one(which, 0, bytes));
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

    /// An answer to all three, which must say the same.
    fn rest(&mut self, request: &str, body: &[u8]) -> Result<Got, FaultKind> {
        let recv = self.recv;
        let [a, b, c] = [&mut self.fast, &mut self.plain, &mut self.tolerant].map(|decoder| {
            decoder
                .rest(recv, request, body)
                .map(|d| Got {
                    events: d.events.to_vec(),
                    road: d.road,
                    gap: d.gap,
                    resync: d.resync,
                })
                .map_err(|f| f.kind)
        });
        assert_eq!((&a, &a), (&b, &c));
        a
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

/// A book kept the plain way.
#[derive(Debug, Default, Clone, PartialEq)]
struct Plain {
    sides: [BTreeMap<i64, i64>; 2],
}

impl Plain {
    fn apply(&mut self, event: &Event) {
        if event.bits & SNAPSHOT != 0 && event.bits & FIRST != 0 {
            *self = Self::default();
        }
        let Body::Level(level) = event.body() else {
            return;
        };
        let side = &mut self.sides[level.side as usize];
        match level.qty.get() {
            0 => side.remove(&level.price.get()),
            qty => side.insert(level.price.get(), qty),
        };
    }

    fn best(&self) -> Option<[(i64, i64); 2]> {
        let bid = self.sides[0].last_key_value()?;
        let ask = self.sides[1].first_key_value()?;
        Some([(*bid.0, *bid.1), (*ask.0, *ask.1)])
    }
}

fn px(text: &str) -> Px {
    Px::parse(text).unwrap()
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

const CHANNELS: [&str; 8] = [
    AGG, AGG_LIVE, DEPTH, DEPTH_NEXT, TOUCH, MARK, MARK_LIVE, FORCE,
];

fn three() -> Three {
    Three::new(&["BTC", "PEPE", "TURBO"])
}

/// A frame with some of it replaced.
fn with(frame: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(frame.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    })
}

/// The same frame without its wrapper.
fn bare(frame: &str) -> &str {
    let at = frame.find("\"data\":").unwrap() + 7;
    &frame[at..frame.len() - 1]
}

/// An update of levels.
fn update(prev: u64, first: u64, last: u64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1790000000010,"T":1790000000008,"s":"BTCUSDT","U":{first},"u":{last},"pu":{prev},"b":[{bids}],"a":[{asks}],"ps":"BTCUSDT","st":1}}}}"#
    )
}

/// An image of the first symbol.
fn image(id: u64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"lastUpdateId":{id},"E":1790000000007,"T":1790000000006,"bids":[{bids}],"asks":[{asks}]}}"#
    )
}

type Row = (Side, &'static str, &'static str);

/// The levels of events as the plain reader keeps them must be these.
fn assert_book(events: &[Event], rows: &[Row]) {
    let mut want: Vec<_> = rows
        .iter()
        .map(|(side, p, q)| (*side as u8, px(p), qty(q)))
        .collect();
    let mut got: Vec<_> = events
        .iter()
        .map(|event| match event.body() {
            Body::Level(level) => (level.side as u8, level.price, level.qty),
            other => panic!("{other:?}"),
        })
        .collect();
    want.sort();
    got.sort();
    assert_eq!(got, want);
}
