//! `isotherm replay`: recordings through the engine.

use crate::event::Kind;
use crate::replay::{self, Outcome, ReplayError, Speed};
use crate::shm::record::Nowhere;
use crate::viewer::{Show, json, text};
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  isotherm replay session.recv.jsonl             what the engine makes of a recorded session
  isotherm replay --json a.tape b.tape           a JSON object a file, one after another
  isotherm replay --speed 1x isotherm.tape       as fast as it was recorded
  isotherm replay --symbols BTC,ETH session.recv.jsonl.zst";

/// Replay tapes and recorded sessions.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Print one JSON object per file instead of text
    #[arg(long)]
    json: bool,
    /// `max`, `1x`, or `Nx`: N times as fast as recorded
    #[arg(long, default_value = "max", value_parser = speed)]
    speed: Speed,
    /// Symbols to follow, comma-separated; default: what the recording subscribed to
    #[arg(long, value_delimiter = ',')]
    symbols: Option<Vec<String>>,
    /// Tapes, session.recv.jsonl[.zst] files, or folders that hold one
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.strip_suffix('x').and_then(|n| n.parse::<u32>().ok()) {
        Some(times @ 1..=100_000) => Ok(Speed::Times(times)),
        _ => Err(format!(
            "{text:?} is not a speed: max, 1x, or Nx with N from 1 to 100000"
        )),
    }
}

pub(super) fn run(args: &Args) -> Result<()> {
    for file in &args.files {
        let name = file.display();
        let outcome = replay::run(file, args.symbols.as_deref(), args.speed, &mut Nowhere)
            .map_err(|fault| named(fault, file))?;
        if args.json {
            say!("{}", serde_json::to_string_pretty(&object(&outcome))?);
        } else {
            print(&name.to_string(), &outcome);
        }
        if outcome.short {
            bail!(
                "{name}: the journal names frames that the tape does not hold; the result is not the run's"
            );
        }
    }
    Ok(())
}

/// The fault with its file's name in front, unless it names it already.
fn named(fault: ReplayError, file: &Path) -> anyhow::Error {
    let name = file.display().to_string();
    let is_named = fault.to_string().contains(&name);
    let fault = anyhow::Error::new(fault);
    if is_named { fault } else { fault.context(name) }
}

fn shows(outcome: &Outcome) -> impl Iterator<Item = Show> {
    outcome
        .symbols
        .iter()
        .zip(&outcome.places)
        .map(|(symbol, places)| Show {
            symbol: symbol.clone(),
            venue: outcome.venues.join("+"),
            price_places: Some(places.0),
            qty_places: Some(places.1),
        })
}

fn per_second(outcome: &Outcome) -> u64 {
    let took = u128::try_from(outcome.took.get().max(1)).unwrap_or(1);
    u64::try_from(u128::from(outcome.counts.frames) * 1_000_000_000 / took).unwrap_or(u64::MAX)
}

fn object(outcome: &Outcome) -> Value {
    let shard = &outcome.shard;
    let kinds = [
        ("trade", Kind::Trade),
        ("level", Kind::Level),
        ("bbo", Kind::Bbo),
        ("mark", Kind::Mark),
        ("index", Kind::Index),
        ("funding", Kind::Funding),
        ("interest", Kind::Interest),
        ("liquidation", Kind::Liquidation),
    ];
    let events: Map<String, Value> = kinds
        .iter()
        .map(|(name, kind)| ((*name).to_string(), shard.count(*kind).into()))
        .collect();
    let symbols: Map<String, Value> = shows(outcome)
        .enumerate()
        .filter_map(|(at, show)| {
            let wide = shard.wide(at)?;
            Some((show.symbol.clone(), json::symbol(&show, &wide)))
        })
        .collect();
    let counts = &outcome.counts;
    json!({
        "frames": counts.frames,
        "ignored": counts.ignored,
        "faults": counts.faults,
        "gaps": counts.gaps,
        "tolerant": counts.tolerant,
        "duplicates": counts.duplicates,
        "span_ns": outcome.span.get(),
        "frames_per_second": per_second(outcome),
        "inputs": shard.input_seq(),
        "state_hash": format!("{:016x}", shard.state_hash()),
        "torn_bytes": outcome.torn,
        "events": events,
        "symbols": symbols,
    })
}

fn print(name: &str, outcome: &Outcome) {
    let counts = &outcome.counts;
    say!(
        "{name}\n  {} frames ({} ignored, {} tolerant, {} faults, {} gaps), {} inputs, {} frames/s, state hash {:016x}",
        counts.frames,
        counts.ignored,
        counts.tolerant,
        counts.faults,
        counts.gaps,
        outcome.shard.input_seq(),
        per_second(outcome),
        outcome.shard.state_hash(),
    );
    for (kind, count) in replay::fault_names(counts) {
        say!("  fault {kind}: {count}");
    }
    if outcome.torn > 0 {
        say!("  torn end: {} bytes left out", outcome.torn);
    }
    for (at, show) in shows(outcome).enumerate() {
        if let Some(wide) = outcome.shard.wide(at) {
            show!("{}", text::symbol(&show, &wide, 3));
        }
    }
}
