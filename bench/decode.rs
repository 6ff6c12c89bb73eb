//! Decode: per venue and channel our fast road beside our tolerant one and typed simd-json, sonic-rs and serde_json,
//! from the same bytes to the same events.
//!
//!     cargo bench --bench decode            ISOTHERM_BENCH=tiny: a look whether it runs; --ratios: without criterion
//!
//! A pass runs over many different frames; what a pass changes (in-place parsers, chains, known ids) is restored
//! outside the timing. Bybit's frames are the recorded ones when they are there, else synthetic; the other venues' are
//! the built-in exchange's: the first line says which. Liquidations are always synthetic.
//!
//! After criterion's figures the contenders run interleaved and the *ratios of minima* are printed:
//! those are what may be compared between machines and gated on.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::float_arithmetic,
    reason = "a bench prints, panics and divides"
)]

#[path = "decode/theirs.rs"]
mod theirs;

use criterion::{BenchmarkId, Criterion, Throughput};
use isotherm::event::{Body, Event, Kind};
use isotherm::market::VenueId;
use isotherm::sim::{Dialect, Params, TopicKind, World};
use isotherm::time::Nanos;
use isotherm::venue::{Decoder, Road, by_name};
use isotherm::wire::{Frame, FrameBuffer, SLACK};
use serde::Deserialize;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use theirs::{ASSETS, LIBRARIES, Read};

/// One channel's frames and what must come before them: frames, or requests and their answers.
struct Pool {
    venue: VenueId,
    name: String,
    before: Vec<(String, String)>,
    frames: Vec<String>,
    read: Read,
}

const CONTENDERS: [&str; 5] = [
    "isotherm",
    "tolerant",
    LIBRARIES[0],
    LIBRARIES[1],
    LIBRARIES[2],
];

struct Race {
    pool: Pool,
    decoder: Decoder,
    /// What it remembers before a pass.
    memory: Vec<u8>,
    /// Each frame's own room with slack, and its length.
    rooms: Vec<(Vec<u8>, usize)>,
    buffers: simd_json::Buffers,
    events: Vec<Event>,
}

impl Race {
    fn new(pool: Pool) -> Self {
        let rooms = pool.frames.iter().map(|f| {
            let mut room = f.as_bytes().to_vec();
            room.extend([0; SLACK]);
            (room, f.len())
        });
        let mut decoder = Decoder::new(pool.venue, &ASSETS.map(str::to_owned)).unwrap();
        let mut buffer = FrameBuffer::with_capacity(1 << 16);
        for (request, text) in &pool.before {
            if request.is_empty() {
                decoder
                    .decode(Nanos::SECOND, buffer.put(text.as_bytes()))
                    .unwrap();
            } else {
                decoder
                    .rest(Nanos::SECOND, request, text.as_bytes())
                    .unwrap();
            }
        }
        let mut memory = Vec::new();
        decoder.remember(&mut memory);
        Self {
            rooms: rooms.collect(),
            decoder,
            memory,
            pool,
            buffers: simd_json::Buffers::new(64 << 10),
            events: Vec::with_capacity(1 << 20),
        }
    }

    /// Restores what a pass changes.
    fn prepare(&mut self) {
        for ((room, len), frame) in self.rooms.iter_mut().zip(&self.pool.frames) {
            room[..*len].copy_from_slice(frame.as_bytes());
        }
        self.decoder.recall(&mut self.memory.as_slice()).unwrap();
        self.events.clear();
    }

    /// One pass of one contender; the time of the frames alone.
    fn pass(&mut self, contender: usize) -> Duration {
        self.prepare();
        let start = Instant::now();
        for (room, len) in &mut self.rooms {
            match contender {
                0 => {
                    let frame = Frame::new(room, *len).unwrap();
                    black_box(self.decoder.decode(Nanos::SECOND, frame).unwrap().events);
                }
                1 => {
                    let frame = Frame::new(room, *len).unwrap();
                    black_box(
                        self.decoder
                            .decode_tolerant(Nanos::SECOND, frame)
                            .unwrap()
                            .events,
                    );
                }
                _ => {
                    (self.pool.read)(
                        contender - 2,
                        &mut room[..*len],
                        &mut self.buffers,
                        &mut self.events,
                    );
                    black_box(&self.events);
                    self.events.clear();
                }
            }
        }
        start.elapsed()
    }

    /// Every frame must be read, on the fast road, with the events that the others find.
    fn check(&mut self) {
        assert!(!self.rooms.is_empty(), "{}", self.pool.name);
        self.prepare();
        for (room, len) in &mut self.rooms {
            let text = String::from_utf8_lossy(&room[..*len]).into_owned();
            let mut bytes = text.clone().into_bytes();
            (self.pool.read)(2, &mut bytes, &mut self.buffers, &mut self.events);
            let got = self
                .decoder
                .decode(Nanos::SECOND, Frame::new(room, *len).unwrap())
                .unwrap();
            assert_eq!(got.road, Road::Fast, "{text}");
            // Theirs know neither what a delta leaves unchanged nor who was met before.
            let ours = got.events.iter().filter(|e| e.kind() != Kind::Account);
            let ours: Vec<_> = ours.collect();
            if self.pool.name != "bybit/ticker_delta" {
                assert_eq!(ours.len(), self.events.len(), "{text}");
                for (a, b) in ours.iter().zip(&self.events) {
                    assert_eq!((a.exch, a.kind()), (b.exch, b.kind()), "{text}");
                    if !matches!(a.body(), Body::Trade(_) | Body::Funding(_)) {
                        assert_eq!(a.body(), b.body(), "{text}");
                    }
                }
            }
            self.events.clear();
        }
    }
}

// ---- frames ----

fn recorded() -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Line {
        kind: String,
        frame: Option<String>,
    }
    let root = std::env::var_os("ISOTHERM_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let path = root.join("captures/bybit/cryptofeed-2026-linear/session.recv.jsonl");
    let text = std::fs::read_to_string(path).ok()?;
    let lines = text
        .lines()
        .map(|l| serde_json::from_str::<Line>(l).unwrap());
    Some(
        lines
            .filter(|l| l.kind == "recv")
            .filter_map(|l| l.frame)
            .collect(),
    )
}

fn synthetic() -> Vec<String> {
    let mut all = Vec::new();
    let level = |i: u64, k: u64| {
        format!(
            "[\"{}.{}0\",\"{}.{:03}\"]",
            80_000 + k,
            i % 10,
            k % 7,
            (i * 37 + k) % 1000
        )
    };
    let side = |i: u64, n: u64| (0..n).map(|k| level(i, k)).collect::<Vec<_>>().join(",");
    let book = |kind: &str, i: u64, n: u64| {
        format!(
            r#"{{"topic":"orderbook.200.BTCUSDT","type":"{kind}","ts":1790000000000,"data":{{"s":"BTCUSDT","b":[{}],"a":[{}],"u":{},"seq":{}}},"cts":1790000000000}}"#,
            side(i, n),
            side(i + 3, n),
            100 + i,
            900_000_000 + i
        )
    };
    all.push(book("snapshot", 0, 200));
    for i in 1..400 {
        all.push(book("delta", i, 3 + i % 16));
        let row = |k: u64| {
            format!(
                r#"{{"T":1790000000{:03},"s":"BTCUSDT","S":"{}","v":"{}.{:03}","p":"8{:04}.{}0","L":"ZeroMinusTick","i":"{:08x}-82bc-50de-be60-03eedbe3cdd7","BT":false,"RPI":false,"seq":90000{:04}}}"#,
                (i + k) % 1000,
                if (i * 7 + k).is_multiple_of(3) {
                    "Buy"
                } else {
                    "Sell"
                },
                k % 5,
                (i * 13) % 1000,
                i,
                k % 10,
                i * 16 + k,
                i
            )
        };
        let rows = (0..if i.is_multiple_of(2) { 1 } else { 4 + i % 8 })
            .map(row)
            .collect::<Vec<_>>()
            .join(",");
        all.push(format!(r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000999,"data":[{rows}]}}"#));
        all.push(format!(
            r#"{{"topic":"tickers.BTCUSDT","type":"delta","data":{{"symbol":"BTCUSDT","bid1Price":"8{i:04}.10","bid1Size":"6.054","ask1Price":"8{i:04}.20","ask1Size":"10.{i:03}"}},"cs":753843907770,"ts":1790000000883}}"#
        ));
    }
    all
}

/// Liquidations are rare in any recording: always synthetic.
fn prints() -> Vec<String> {
    (0..200u64)
        .map(|i| {
            let row = |k: u64| {
                format!(
                    r#"{{"T":1790000000{:03},"s":"BTCUSDT","S":"{}","v":"0.{:03}","p":"8{:04}.{}0"}}"#,
                    (i + k) % 1000,
                    if (i + k).is_multiple_of(3) { "Sell" } else { "Buy" },
                    (i * 17 + k) % 1000,
                    (i * 29) % 10_000,
                    k
                )
            };
            let rows = (0..1 + i % 3).map(row).collect::<Vec<_>>().join(",");
            format!(r#"{{"topic":"allLiquidation.BTCUSDT","type":"snapshot","ts":1790000000500,"data":[{rows}]}}"#)
        })
        .collect()
}

/// Bybit's channels.
fn bybit(all: &[String]) -> Vec<Pool> {
    let of = |channel: &str, kind: &str, keep: &dyn Fn(usize) -> bool| -> Vec<String> {
        all.iter()
            .filter(|f| f.starts_with(&format!("{{\"topic\":\"{channel}.")))
            .filter(|f| f.contains(&format!("\"type\":\"{kind}\"")))
            .filter(|f| keep(f.matches("\"T\":").count()))
            .cloned()
            .collect()
    };
    let any = |_: usize| true;
    let snapshots = of("orderbook", "snapshot", &any);
    let pool = |name: &str, before: &[String], frames, read| Pool {
        venue: VenueId::BYBIT,
        name: format!("bybit/{name}"),
        before: before
            .iter()
            .map(|text| (String::new(), text.clone()))
            .collect(),
        frames,
        read,
    };
    let images = vec![snapshots.clone(); 20].concat();
    vec![
        pool(
            "trade_one",
            &[],
            of("publicTrade", "snapshot", &|n| n == 1),
            theirs::bybit_trades,
        ),
        pool(
            "trade_many",
            &[],
            of("publicTrade", "snapshot", &|n| n > 1),
            theirs::bybit_trades,
        ),
        pool(
            "depth_delta",
            &snapshots,
            of("orderbook", "delta", &any),
            theirs::bybit_book,
        ),
        pool("depth_snapshot", &snapshots, images, theirs::bybit_book),
        pool(
            "ticker_delta",
            &[],
            of("tickers", "delta", &any),
            theirs::bybit_ticker,
        ),
        pool("liquidation", &[], prints(), theirs::bybit_prints),
    ]
}

/// The other venues' channels as the built-in exchange writes them.
const SPOKEN: [(Dialect, TopicKind, &str, Read); 12] = [
    (
        Dialect::Binance,
        TopicKind::Aggregate,
        "trade",
        theirs::binance_trade,
    ),
    (
        Dialect::Binance,
        TopicKind::Book,
        "depth",
        theirs::binance_book,
    ),
    (
        Dialect::Binance,
        TopicKind::Bbo,
        "touch",
        theirs::binance_touch,
    ),
    (
        Dialect::Binance,
        TopicKind::Mark,
        "mark",
        theirs::binance_mark,
    ),
    (Dialect::Okx, TopicKind::Trades, "trade", theirs::okx_trades),
    (Dialect::Okx, TopicKind::Book, "depth", theirs::okx_book),
    (Dialect::Okx, TopicKind::Bbo, "touch", theirs::okx_touch),
    (Dialect::Okx, TopicKind::Mark, "mark", theirs::okx_mark),
    (
        Dialect::Hyperliquid,
        TopicKind::Trades,
        "trade",
        theirs::hyperliquid_trades,
    ),
    (
        Dialect::Hyperliquid,
        TopicKind::Book,
        "depth",
        theirs::hyperliquid_book,
    ),
    (
        Dialect::Hyperliquid,
        TopicKind::Bbo,
        "touch",
        theirs::hyperliquid_touch,
    ),
    (
        Dialect::Hyperliquid,
        TopicKind::Ticker,
        "context",
        theirs::hyperliquid_context,
    ),
];

/// Most frames of a channel.
const FRAMES: usize = 1_000;

fn spoken((dialect, kind, name, read): (Dialect, TopicKind, &str, Read)) -> Pool {
    let row = by_name(dialect.name()).unwrap();
    let params = Params::only(&["BTCUSDT"]).stormy();
    let mut world = World::new(7, params.speaking(dialect)).unwrap();
    let mut before = Vec::new();
    let image = row
        .image
        .filter(|_| kind == TopicKind::Book)
        .map(|image| image("BTCUSDT"));
    for request in row
        .primers
        .iter()
        .map(|&request| request.to_owned())
        .chain(image)
    {
        let (_, _, body) = world.rest("GET", &request, "");
        before.push((request, body));
    }
    let mut frames = Vec::new();
    for topic in world
        .topics()
        .filter(|topic| topic.kind == kind)
        .collect::<Vec<_>>()
    {
        world.snapshot_frames(topic, &mut |frame| frames.push(frame.text.to_string()));
    }
    let until = world.now().plus(Nanos::new(10 * Nanos::MINUTE.get()));
    world.advance(until, &mut |frame| {
        // The same for all symbols in one frame is another channel.
        let is_one = frame.topic.kind == kind && !frame.text.contains("@arr");
        if is_one && frames.len() <= FRAMES {
            frames.push(frame.text.to_string());
        }
    });
    frames.retain(|text| !text.contains("\"data\":[]"));
    if kind == TopicKind::Book {
        // The image, or the first update that an image is joined with.
        before.push((String::new(), frames.remove(0)));
    }
    Pool {
        venue: row.id,
        name: format!("{}/{name}", row.name),
        before,
        frames,
        read,
    }
}

/// Binance's liquidations, a second apart.
fn forced() -> Pool {
    let frame = |i: u64| {
        format!(
            r#"{{"stream":"!forceOrder@arr","data":{{"e":"forceOrder","E":{at},"o":{{"s":"BTCUSDT","S":"{side}","o":"LIMIT","f":"IOC","q":"0.{size:03}","p":"79{i:03}.00","ap":"80{i:03}.10","X":"FILLED","l":"0.001","z":"0.{size:03}","T":{at},"ps":"BTCUSDT","st":1}}}}}}"#,
            at = 1_790_000_000_000 + i * 1_000,
            side = if i.is_multiple_of(3) { "BUY" } else { "SELL" },
            size = 1 + i * 17 % 900
        )
    };
    Pool {
        venue: VenueId::BINANCE,
        name: "binance/liquidation".to_owned(),
        before: Vec::new(),
        frames: (0..200).map(frame).collect(),
        read: theirs::binance_print,
    }
}

/// True for a look whether it runs.
fn is_tiny() -> bool {
    std::env::var("ISOTHERM_BENCH").is_ok_and(|size| size == "tiny")
}

/// Minimum nanoseconds a frame of each contender over interleaved passes.
fn minima(race: &mut Race) -> [f64; CONTENDERS.len()] {
    let mut best = [f64::MAX; CONTENDERS.len()];
    for _ in 0..if is_tiny() { 2 } else { 30 } {
        for (contender, best) in best.iter_mut().enumerate() {
            let ns = race.pass(contender).as_nanos() as f64 / race.rooms.len() as f64;
            *best = best.min(ns);
        }
    }
    best
}

fn main() {
    let frames = recorded();
    let source = if frames.is_some() {
        "recorded"
    } else {
        "SYNTHETIC (no recordings found)"
    };
    println!(
        "frames: Bybit's {source}; the others' of the built-in exchange; liquidations are always synthetic"
    );
    let frames = frames.unwrap_or_else(synthetic);
    let others = SPOKEN.into_iter().map(spoken).chain([forced()]);
    let mut races: Vec<Race> = bybit(&frames)
        .into_iter()
        .chain(others)
        .map(Race::new)
        .collect();
    for race in &mut races {
        race.check();
    }
    if !is_tiny() && !std::env::args().any(|a| a == "--ratios") {
        let mut criterion = Criterion::default()
            .warm_up_time(Duration::from_millis(100))
            .measurement_time(Duration::from_millis(400))
            .sample_size(10)
            .configure_from_args();
        for race in &mut races {
            let mut group = criterion.benchmark_group(format!("decode/{}", race.pool.name));
            let bytes: usize = race.pool.frames.iter().map(String::len).sum();
            group.throughput(Throughput::Bytes((bytes / race.rooms.len()) as u64));
            for (contender, name) in CONTENDERS.iter().enumerate() {
                group.bench_function(BenchmarkId::from_parameter(name), |b| {
                    b.iter_custom(|times| {
                        // The answer is the time of `times` frames; a pass is many.
                        let passes = times.div_ceil(race.rooms.len() as u64);
                        let total: Duration = (0..passes).map(|_| race.pass(contender)).sum();
                        total.mul_f64(times as f64 / (passes * race.rooms.len() as u64) as f64)
                    });
                });
            }
            group.finish();
        }
        criterion.final_summary();
    }
    println!("\nratios of minima, interleaved (ns a frame; how many times ours)");
    for race in &mut races {
        let [ours, others @ ..] = minima(race);
        let bytes: usize = race.pool.frames.iter().map(String::len).sum();
        let mut line = format!(
            "ratio {:<20} {:>5} B {:>5} frames  isotherm {ours:>7.1}",
            race.pool.name,
            bytes / race.rooms.len(),
            race.rooms.len()
        );
        for (name, other) in CONTENDERS[1..].iter().zip(others) {
            line += &format!("  {name} {other:>8.1} = {:>4.1}x", other / ours);
        }
        println!("{line}");
    }
}
