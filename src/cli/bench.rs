//! `isotherm bench`: the peer-free measurements, on this machine, now. Comparisons with other libraries are in
//! `bench/`; here is only what needs nothing but this binary.

use crate::measure::{self, Spread};
use crate::run::bench::{self, Flood, Paced, Tail, Track};
use crate::time::Nanos;
use crate::wire::scan::Isa;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  isotherm bench                                 hops, frame to reader, saturation: half a minute
  isotherm bench --seconds 1 --json              a quick look, as one JSON object
  isotherm bench --rate 20000                    a quieter market
  isotherm bench --frames session.recv.jsonl     recorded frames instead of the built-in exchange

Read every figure beside the floor and the jitter of the same run: what they show is the machine's.";

/// Measure this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Seconds of each part
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Frames a second of the latency part
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    rate: u32,
    /// A recorded session or tape to take the frames from
    #[arg(long)]
    frames: Option<PathBuf>,
    /// Seed of the built-in exchange
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What one load gave.
struct Row {
    load: String,
    bytes: usize,
    paced: Paced,
    flood: Flood,
}

struct Measured {
    cores: usize,
    floor: Spread,
    hop: Spread,
    slot: Spread,
    /// All rounds, and the quietest.
    jitter: (Tail, Tail),
    rows: Vec<Row>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let measured = measure(args)?;
    if args.json {
        say!(
            "{}",
            serde_json::to_string_pretty(&object(args, &measured))?
        );
    } else {
        print(args, &measured);
    }
    Ok(())
}

fn measure(args: &Args) -> Result<Measured> {
    // Before a thread is pinned: it would see its own core only.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let length = Nanos::seconds(args.seconds.into());
    let mut track = match &args.frames {
        Some(path) => Track::recorded(path).with_context(|| path.display().to_string())?,
        None => Track::exchange(args.seed)?,
    };
    // Hops need a third of the time to be as sure.
    let short = Nanos::new(length.get() / 3);
    let (floor, hop, slot) = (
        measure::floor(short),
        measure::hop(short),
        measure::slot(short),
    );
    let jitter = bench::jitter(args.rate, length);
    let mut rows = Vec::new();
    for load in 0..track.loads.len() {
        rows.push(Row {
            load: track.loads[load].name.clone(),
            bytes: track.loads[load].mean_bytes(),
            paced: track.latency(load, args.rate, length)?,
            flood: track.saturation(load, length)?,
        });
    }
    Ok(Measured {
        cores,
        floor,
        hop,
        slot,
        jitter,
        rows,
    })
}

/// What the kernel calls this processor.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| {
        line.strip_prefix("model name")
            .and_then(|rest| rest.split_once(':'))
    });
    model.map_or("unknown", |(_, name)| name.trim()).to_string()
}

const BUILD: &str = if cfg!(debug_assertions) {
    "debug"
} else {
    "release"
};

fn print(args: &Args, all: &Measured) {
    say!(
        "{}, {} cores; isotherm {} {BUILD}, scanner {}",
        processor(),
        all.cores,
        env!("CARGO_PKG_VERSION"),
        Isa::detect().name()
    );
    say!("\none way between two cores, ns                p50     p90     p99   of the floor");
    for (name, spread) in [
        ("floor: one word of one line", &all.floor),
        ("ring: one event", &all.hop),
        ("slot: one headline", &all.slot),
    ] {
        let percent = spread.percent_of(&all.floor);
        say!(
            "  {name:<36} {:>7} {:>7} {:>7}   {}.{:02}x",
            spread.p50,
            spread.p90,
            spread.p99,
            percent / 100,
            percent % 100
        );
    }
    say!(
        "\nframe due -> headline with the reader, ns, {} frames/s: quietest round, then all rounds\n{:<38} {:>7} \
         {:>7} {:>7} {:>9}  |  {:>7} {:>7} {:>9} {:>9}   bytes/frame",
        args.rate,
        "",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "p50",
        "p90",
        "p99",
        "p99.9"
    );
    let line = |name: &str, quiet: &Tail, all: &Tail, rest: &str| {
        say!(
            "  {name:<36} {:>7} {:>7} {:>7} {:>9}  |  {:>7} {:>7} {:>9} {:>9}   {rest}",
            quiet.p50,
            quiet.p90,
            quiet.p99,
            quiet.p999,
            all.p50,
            all.p90,
            all.p99,
            all.p999
        );
    };
    line(
        "jitter: the same loop, empty",
        &all.jitter.1,
        &all.jitter.0,
        "",
    );
    for row in &all.rows {
        let unseen = match row.paced.unseen {
            0 => String::new(),
            n => format!("  {n} NOT SEEN"),
        };
        let rest = format!("{}{unseen}", row.bytes);
        line(&row.load, &row.paced.quiet, &row.paced.path, &rest);
        let decode = &row.paced.decode;
        say!(
            "  {:<36} {:>7} {:>7} {:>7} {:>9}  |",
            "  of it: decode and push",
            decode.p50,
            decode.p90,
            decode.p99,
            decode.p999
        );
    }
    say!(
        "\nsaturation, everything that was sent was stepped\n{:<38} {:>12} {:>12} {:>9} {:>12}",
        "",
        "frames/s",
        "events/s",
        "ns/frame",
        "headlines/s"
    );
    for row in &all.rows {
        let flood = &row.flood;
        let frames = flood.frames_per_second();
        say!(
            "  {:<36} {:>12} {:>12} {:>9} {:>12}",
            row.load,
            frames,
            flood.events_per_second(),
            1_000_000_000 / frames.max(1),
            flood.headlines_per_second()
        );
    }
}

fn object(args: &Args, all: &Measured) -> Value {
    let spread =
        |s: &Spread| json!({ "p50": s.p50, "p90": s.p90, "p99": s.p99, "samples": s.samples });
    let tail = |t: &Tail| json!({ "p50": t.p50, "p90": t.p90, "p99": t.p99, "p99.9": t.p999, "samples": t.samples });
    let rows: Value = all
        .rows
        .iter()
        .map(|row| {
            json!({
                "load": row.load,
                "bytes_per_frame": row.bytes,
                "latency_ns": tail(&row.paced.path),
                "latency_ns_quietest": tail(&row.paced.quiet),
                "decode_and_push_ns": tail(&row.paced.decode),
                "unseen": row.paced.unseen,
                "saturation": {
                    "frames": row.flood.frames,
                    "events": row.flood.events,
                    "headlines": row.flood.headlines,
                    "took_ns": row.flood.took.get(),
                    "frames_per_second": row.flood.frames_per_second(),
                    "events_per_second": row.flood.events_per_second(),
                },
            })
        })
        .collect();
    json!({
        "processor": processor(),
        "cores": all.cores,
        "version": env!("CARGO_PKG_VERSION"),
        "build": BUILD,
        "scanner": Isa::detect().name(),
        "rate": args.rate,
        "seconds": args.seconds,
        "one_way_ns": {
            "floor": spread(&all.floor),
            "ring": spread(&all.hop),
            "slot": spread(&all.slot),
        },
        "jitter_ns": tail(&all.jitter.0),
        "jitter_ns_quietest": tail(&all.jitter.1),
        "loads": rows,
    })
}
