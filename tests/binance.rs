//! Binance USD-M: recorded and synthetic bytes, by both roads, to the events they mean; books joined
//! from REST images and updates.
//!
//! Recorded frames are never part of the repository. They are read from `ISOTHERM_SHARED` or
//! `../shared`, and a test that cannot find them says so loudly and passes.

use isotherm::event::{Body, Event, FIRST, HISTORY, LAST, SNAPSHOT, Stream};
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

const RECORDED: [&str; 4] = ["SUSHI", "AKRO", "KEEP", "CTK"];
const SESSION: &str = "binance-usdm/cryptofeed-2021";

/// The bodies of the four images: request and answer.
fn recorded_images(path: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    RECORDED
        .iter()
        .map(|asset| {
            let name = format!("fapi_v1_depth_symbol={asset}USDT_limit=1000.json");
            let body = std::fs::read(path.join("rest").join(name)).unwrap();
            ((row().image.unwrap())(&format!("{asset}USDT")), body)
        })
        .collect()
}

/// What came of a session.
#[derive(Default)]
struct Played {
    books: Vec<Plain>,
    frames: usize,
    ignored: usize,
    tolerant: usize,
    trades: usize,
    images: usize,
    /// Symbol, update and touch after every change of a book.
    touches: Vec<(usize, u64, Option<[(i64, i64); 2]>)>,
}

impl Played {
    fn apply(&mut self, event: &Event) {
        let symbol = usize::from(event.symbol.0);
        let book = &mut self.books[symbol];
        book.apply(event);
        self.trades += usize::from(matches!(event.body(), Body::Trade(_)));
        self.images += usize::from(event.bits & (FIRST | SNAPSHOT) == FIRST | SNAPSHOT);
        if let Body::Level(level) = event.body()
            && event.bits & LAST != 0
        {
            self.touches.push((symbol, level.update, book.best()));
        }
    }
}

/// Plays the recorded session, the images before the frame with this number.
fn play(path: &std::path::Path, at: usize, decoder: &mut Decoder) -> Played {
    let mut room = FrameBuffer::with_capacity(1 << 16);
    let mut played = Played {
        books: vec![Plain::default(); RECORDED.len()],
        ..Played::default()
    };
    for line in session(path.join("session.recv.jsonl")) {
        let (Some(frame), "recv") = (line.frame, line.kind.as_str()) else {
            continue;
        };
        let recv = Nanos::new(line.recv_ns);
        if played.frames == at {
            for (request, body) in recorded_images(path) {
                let got = decoder.rest(recv, &request, &body).unwrap();
                assert!(!got.gap && got.resync.is_none());
                got.events.iter().for_each(|event| played.apply(event));
            }
        }
        played.frames += 1;
        let got = decoder
            .decode(recv, room.put(frame.as_bytes()))
            .unwrap_or_else(|fault| panic!("{fault:?}: {frame}"));
        assert!(!got.gap && got.resync.is_none(), "{frame}");
        played.ignored += usize::from(got.road == Road::Ignored);
        played.tolerant += usize::from(got.road == Road::Tolerant);
        assert!(got.events.iter().all(|event| event.recv == recv));
        got.events.iter().for_each(|event| played.apply(event));
    }
    played
}

/// The venue's own touches by symbol and update id.
fn recorded_touches(path: &std::path::Path) -> Vec<BTreeMap<u64, [(i64, i64); 2]>> {
    let mut touches = vec![BTreeMap::new(); RECORDED.len()];
    for line in session(path.join("session.recv.jsonl")) {
        let Some(frame) = line.frame else { continue };
        let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
        let row = &frame["data"];
        if row["e"] != "bookTicker" {
            continue;
        }
        let text = |name: &str| row[name].as_str().unwrap();
        let symbol = RECORDED
            .iter()
            .position(|a| text("s") == format!("{a}USDT"));
        let price = |name: &str| px(text(name)).get();
        let size = |name: &str| qty(text(name)).get();
        let touch = [(price("b"), size("B")), (price("a"), size("A"))];
        touches[symbol.unwrap()].insert(row["u"].as_u64().unwrap(), touch);
    }
    touches
}

#[test]
fn the_recorded_session_takes_the_fast_road_and_its_books_chain() {
    let Some(path) = captures(SESSION) else {
        return;
    };
    let mut decoder = decoder(&RECORDED);
    let played = play(&path, 0, &mut decoder);
    assert_eq!((played.frames, played.trades), (1_535, 91));
    assert_eq!((played.tolerant, played.images), (0, 4));
    // 67 bars, and the updates that end before the images, but for the first of each: it tells the
    // image.
    assert_eq!(played.ignored, 67 + 11);
    // After every update the touch kept here is the venue's own.
    let theirs = recorded_touches(&path);
    let mut compared = 0;
    for (symbol, update, ours) in &played.touches {
        if let Some((_, touch)) = theirs[*symbol].range(..=update).next_back() {
            assert_eq!(*ours, Some(*touch), "{symbol} {update}");
            compared += 1;
        }
    }
    assert!(compared > 600, "{compared}");
    assert_eq!(decoder.places(SymbolId(0)), (4, 0));
    assert_eq!(decoder.places(SymbolId(1)), (5, 0));
}

#[test]
fn wherever_the_images_come_the_books_are_the_same() {
    let Some(path) = captures(SESSION) else {
        return;
    };
    let want = play(&path, 0, &mut decoder(&RECORDED));
    for at in [1, 5, 20, 40, 100] {
        let got = play(&path, at, &mut decoder(&RECORDED));
        assert_eq!(got.images, 4, "{at}");
        for (want, got) in want.books.iter().zip(&got.books) {
            assert_eq!(want.best(), got.best(), "{at}");
        }
    }
}

#[test]
fn every_recorded_frame_means_the_same_on_both_roads() {
    let Some(path) = captures(SESSION) else {
        return;
    };
    let mut three = Three::new(&RECORDED);
    for (request, body) in recorded_images(&path) {
        three.rest(&request, &body).unwrap();
    }
    for line in session(path.join("session.recv.jsonl")) {
        if let (Some(frame), "recv") = (line.frame, line.kind.as_str()) {
            three.decode(frame.as_bytes()).unwrap();
        }
    }
}

#[test]
fn recorded_single_frames_are_read() {
    let Some(path) = captures("binance-usdm/live-2026-frames") else {
        return;
    };
    for (file, roads) in [
        ("bookTicker.jsonl", vec![Road::Fast]),
        (
            "btcusdt-2026-02-16.jsonl",
            // The `trade` frame is of a stream we do not ask for.
            vec![Road::Fast, Road::Tolerant, Road::Fast, Road::Fast],
        ),
        ("forceOrder.jsonl", vec![Road::Fast; 5]),
    ] {
        let mut three = Three::new(&["BTC", "XRP", "MANTA", "KAIA", "IOTX"]);
        let text = std::fs::read_to_string(path.join(file)).unwrap();
        let got: Vec<Road> = text
            .lines()
            .map(|line| three.decode(line.as_bytes()).unwrap().road)
            .collect();
        assert_eq!(got, roads, "{file}");
    }
}
