//! Decode: our decoder beside typed simd-json, sonic-rs and serde_json, per channel, from the same
//! bytes to the same events.
//!
//! Every contender fills the same list of `Event`s: same fields, decimals to fixed point, symbol to
//! number, id to hash. The others get an unchecked decimal loop, which favours them (ours refuses
//! lost digits, overflow and bad bytes). A pass runs over many different frames; what a pass
//! changes (in-place parsers, the book's chain) is restored outside the timing. Frames are the
//! recorded ones when they are there, else synthetic ones: the first line says which.
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

use criterion::{BenchmarkId, Criterion, Throughput};
use isotherm::event::{Bbo, Body, Event, Funding, Head, Level, Liquidation, Trade};
use isotherm::market::{Holder, Side, SymbolId, VenueId};
use isotherm::num::{Px, Qty};
use isotherm::time::Nanos;
use isotherm::venue::{Decoder, Road};
use isotherm::wire::{Frame, FrameBuffer, SLACK};
use serde::Deserialize;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ASSETS: [&str; 4] = ["BTC", "ETH", "SOL", "DOGE"];

/// One channel's frames and what must come before them.
struct Pool {
    name: &'static str,
    before: Vec<String>,
    frames: Vec<String>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Trades,
    Book,
    Ticker,
    Print,
}

// ---- the others
// -------------------------------------------------------------------------------------------------------

#[derive(Deserialize)]
struct Message<'a, T> {
    #[serde(borrow)]
    topic: &'a str,
    ts: i64,
    cts: Option<i64>,
    data: T,
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct TradeRow<'a> {
    T: i64,
    S: &'a str,
    v: &'a str,
    p: &'a str,
    i: &'a str,
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct PrintRow<'a> {
    T: i64,
    S: &'a str,
    v: &'a str,
    p: &'a str,
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow)]
    b: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    a: Vec<[&'a str; 2]>,
    u: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticker<'a> {
    mark_price: Option<&'a str>,
    index_price: Option<&'a str>,
    single_open_interest: Option<&'a str>,
    funding_rate: Option<&'a str>,
    next_funding_time: Option<&'a str>,
    funding_interval_hour: Option<&'a str>,
    #[serde(borrow, rename = "bid1Price")]
    bid: Option<&'a str>,
    #[serde(rename = "bid1Size")]
    bid_qty: Option<&'a str>,
    #[serde(rename = "ask1Price")]
    ask: Option<&'a str>,
    #[serde(rename = "ask1Size")]
    ask_qty: Option<&'a str>,
}

/// Unchecked: whatever is no dot is a digit.
#[inline(always)]
fn number(text: &str, target: u32) -> i64 {
    let (mut value, mut places, mut behind) = (0i64, 0u32, 0u32);
    for &byte in text.as_bytes() {
        if byte == b'.' {
            behind = 1;
        } else {
            value = value * 10 + i64::from(byte.wrapping_sub(b'0'));
            places += behind;
        }
    }
    value * 10i64.pow(target.saturating_sub(places))
}

fn px(text: &str) -> Px {
    Px::new(number(text, 10))
}

fn qty(text: &str) -> Qty {
    Qty::new(number(text, 6))
}

fn id(text: &str) -> u64 {
    let words = text.as_bytes().chunks_exact(8);
    words.fold(36, |h: u64, w| {
        (h.rotate_left(29) ^ u64::from_le_bytes(w.try_into().unwrap()))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// What every typed contender does with what its library gave.
struct Sink {
    events: Vec<Event>,
}

impl Sink {
    fn head(topic: &str, exch: i64) -> Head {
        let name = topic.rsplit('.').next().unwrap();
        let name = name.strip_suffix("USDT").unwrap();
        let symbol = ASSETS.iter().position(|a| *a == name).unwrap();
        Head {
            recv: Nanos::SECOND,
            exch: Nanos::millis(exch),
            venue: VenueId::BYBIT,
            symbol: SymbolId(symbol as u16),
            bits: 0,
        }
    }
    fn trades(&mut self, m: &Message<'_, Vec<TradeRow<'_>>>) {
        let head = Self::head(m.topic, m.ts);
        for row in &m.data {
            let exch = Nanos::millis(row.T);
            let trade = Trade {
                price: px(row.p),
                qty: qty(row.v),
                side: if row.S == "Sell" {
                    Side::Sell
                } else {
                    Side::Buy
                },
                id: id(row.i),
                accounts: [0; 2],
            };
            self.events
                .push(Event::new(Head { exch, ..head }, Body::Trade(trade)));
        }
    }
    fn prints(&mut self, m: &Message<'_, Vec<PrintRow<'_>>>) {
        let head = Self::head(m.topic, m.ts);
        for row in &m.data {
            let exch = Nanos::millis(row.T);
            let print = Liquidation {
                price: px(row.p),
                qty: qty(row.v),
                holder: if row.S == "Buy" {
                    Holder::Long
                } else {
                    Holder::Short
                },
            };
            self.events
                .push(Event::new(Head { exch, ..head }, Body::Liquidation(print)));
        }
    }
    fn book(&mut self, m: &Message<'_, Book<'_>>) {
        let head = Self::head(m.topic, m.cts.unwrap_or(m.ts));
        let update = m.data.u;
        for (rows, side) in [(&m.data.b, Side::Buy), (&m.data.a, Side::Sell)] {
            for [p, q] in rows {
                let level = Level {
                    price: px(p),
                    qty: qty(q),
                    side,
                    update,
                };
                self.events.push(Event::new(head, Body::Level(level)));
            }
        }
    }
    fn ticker(&mut self, m: &Message<'_, Ticker<'_>>) {
        let head = Self::head(m.topic, m.ts);
        let t = &m.data;
        let mut say = |body| self.events.push(Event::new(head, body));
        if let Some(p) = t.mark_price {
            say(Body::Mark(px(p)));
        }
        if let Some(p) = t.index_price {
            say(Body::Index(px(p)));
        }
        if let Some(rate) = t.funding_rate {
            say(Body::Funding(Funding {
                rate_e12: number(rate.trim_start_matches('-'), 12),
                next: Nanos::millis(t.next_funding_time.map_or(0, |x| number(x, 0))),
                interval: Nanos::seconds(t.funding_interval_hour.map_or(0, |x| number(x, 0))),
            }));
        }
        if let Some(q) = t.single_open_interest {
            say(Body::Interest(qty(q)));
        }
        if t.bid.is_some() || t.ask.is_some() {
            say(Body::Bbo(Bbo {
                bid: t.bid.map_or(Px::ZERO, px),
                bid_qty: t.bid_qty.map_or(Qty::ZERO, qty),
                ask: t.ask.map_or(Px::ZERO, px),
                ask_qty: t.ask_qty.map_or(Qty::ZERO, qty),
            }));
        }
    }
}

macro_rules! typed {
    ($kind:expr, $sink:expr, $parse:expr) => {
        match $kind {
            Kind::Trades => $sink.trades(&$parse),
            Kind::Book => $sink.book(&$parse),
            Kind::Ticker => $sink.ticker(&$parse),
            Kind::Print => $sink.prints(&$parse),
        }
    };
}

// ---- the race
// ---------------------------------------------------------------------------------------------------------

const CONTENDERS: [&str; 4] = ["isotherm", "simd-json", "sonic-rs", "serde_json"];

struct Race {
    pool: Pool,
    decoder: Decoder,
    /// Each frame's own room with slack, and its length.
    rooms: Vec<(Vec<u8>, usize)>,
    buffers: simd_json::Buffers,
    sink: Sink,
}

impl Race {
    fn new(pool: Pool) -> Self {
        let assets: Vec<String> = ASSETS.iter().map(|a| (*a).to_owned()).collect();
        let rooms = pool
            .frames
            .iter()
            .map(|f| {
                let mut room = f.as_bytes().to_vec();
                room.extend([0; SLACK]);
                (room, f.len())
            })
            .collect();
        Self {
            pool,
            decoder: Decoder::new(VenueId::BYBIT, &assets).unwrap(),
            rooms,
            buffers: simd_json::Buffers::new(64 << 10),
            sink: Sink {
                events: Vec::with_capacity(1 << 20),
            },
        }
    }

    /// Restores what a pass changes.
    fn prepare(&mut self) {
        for ((room, len), frame) in self.rooms.iter_mut().zip(&self.pool.frames) {
            room[..*len].copy_from_slice(frame.as_bytes());
        }
        let mut buffer = FrameBuffer::with_capacity(1 << 16);
        for frame in &self.pool.before {
            self.decoder
                .decode(Nanos::SECOND, buffer.put(frame.as_bytes()))
                .unwrap();
        }
        self.sink.events.clear();
    }

    /// One pass of one contender; the time of the frames alone.
    fn pass(&mut self, contender: usize) -> Duration {
        self.prepare();
        let kind = self.pool.kind;
        let start = Instant::now();
        for (room, len) in &mut self.rooms {
            match contender {
                0 => {
                    let frame = Frame::new(room, *len).unwrap();
                    let got = self.decoder.decode(Nanos::SECOND, frame).unwrap();
                    black_box(got.events);
                }
                1 => {
                    let (bytes, buffers) = (&mut room[..*len], &mut self.buffers);
                    typed!(
                        kind,
                        self.sink,
                        simd_json::serde::from_slice_with_buffers(bytes, buffers).unwrap()
                    );
                }
                2 => typed!(
                    kind,
                    self.sink,
                    sonic_rs::from_slice(&room[..*len]).unwrap()
                ),
                _ => typed!(
                    kind,
                    self.sink,
                    serde_json::from_slice(&room[..*len]).unwrap()
                ),
            }
            if contender != 0 {
                black_box(&self.sink.events);
                self.sink.events.clear();
            }
        }
        start.elapsed()
    }

    /// Every frame must be read, on the fast road, with as many events as the others find.
    fn check(&mut self) {
        self.prepare();
        for (room, len) in &mut self.rooms {
            let text = String::from_utf8_lossy(&room[..*len]).into_owned();
            let kind = self.pool.kind;
            typed!(kind, self.sink, serde_json::from_str(&text).unwrap());
            let got = self
                .decoder
                .decode(Nanos::SECOND, Frame::new(room, *len).unwrap())
                .unwrap();
            assert_eq!(got.road, Road::Fast, "{text}");
            if kind != Kind::Ticker {
                assert_eq!(got.events.len(), self.sink.events.len(), "{text}");
                for (a, b) in got.events.iter().zip(&self.sink.events) {
                    assert_eq!(a.exch, b.exch, "{text}");
                    if kind != Kind::Trades {
                        assert_eq!(a.body(), b.body(), "{text}");
                    }
                }
            }
            self.sink.events.clear();
        }
    }
}

// ---- frames
// -----------------------------------------------------------------------------------------------------------

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
                if (i * 7 + k) % 3 == 0 { "Buy" } else { "Sell" },
                k % 5,
                (i * 13) % 1000,
                i,
                k % 10,
                i * k + 5,
                i
            )
        };
        let rows = (0..if i % 2 == 0 { 1 } else { 4 + i % 8 })
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
                    if (i + k) % 3 == 0 { "Sell" } else { "Buy" },
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

fn pools(all: &[String]) -> Vec<Pool> {
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
    let pool = |name, before: &[String], frames, kind| Pool {
        name,
        before: before.to_vec(),
        frames,
        kind,
    };
    vec![
        pool(
            "trade_one",
            &[],
            of("publicTrade", "snapshot", &|n| n == 1),
            Kind::Trades,
        ),
        pool(
            "trade_many",
            &[],
            of("publicTrade", "snapshot", &|n| n > 1),
            Kind::Trades,
        ),
        pool(
            "depth_delta",
            &snapshots,
            of("orderbook", "delta", &any),
            Kind::Book,
        ),
        pool(
            "depth_snapshot",
            &snapshots,
            vec![snapshots.clone(); 20].concat(),
            Kind::Book,
        ),
        pool(
            "ticker_delta",
            &[],
            of("tickers", "delta", &any),
            Kind::Ticker,
        ),
        pool("liquidation", &[], prints(), Kind::Print),
    ]
}

/// Minimum nanoseconds a frame of each contender over interleaved passes.
fn minima(race: &mut Race) -> [f64; 4] {
    let mut best = [f64::MAX; 4];
    for _ in 0..30 {
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
    println!("frames: {source}; liquidations are always synthetic");
    let frames = frames.unwrap_or_else(synthetic);
    let mut races: Vec<Race> = pools(&frames).into_iter().map(Race::new).collect();
    for race in &mut races {
        race.check();
    }
    if !std::env::args().any(|a| a == "--ratios") {
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
            "ratio {:<15} {:>5} B {:>5} frames  isotherm {ours:>7.1}",
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
