//! `isotherm import`: files of others into a tape.

use crate::event::Kind;
use crate::import::{self, Family, Options, Summary};
use crate::time::{Nanos, mono_now};
use crate::venue;
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  isotherm import tardis trades.csv.gz liquidations.csv.gz -o day.tape
  isotherm import binance BTCUSDT-*.zip -o btc.tape.zst      a name that ends in .zst is packed
  isotherm import history --symbols BTC BTC*.csv.zst -o btc.tape
  isotherm prove btc.tape                       what the map is worth on it

Files may be plain, gzip, zstd or zip with one file in it, and are merged by their stamps. What each form means and
what is lost: docs/IMPORT.md.";

/// Import files of others into a tape.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Whose files they are; of which form each is, its head says
    #[arg(value_name = "KIND")]
    kind: Whose,
    /// The files, in any order
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The tape to write; one that is there is not overwritten
    #[arg(short, long)]
    out: PathBuf,
    /// Symbols to keep, comma-separated; default: all that the beginnings of the files hold
    #[arg(long, value_delimiter = ',')]
    symbols: Option<Vec<String>>,
    /// Venue of histories whose form does not say it
    #[arg(long)]
    venue: Option<String>,
    /// Print what was done as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Whose {
    /// Tardis: trades, liquidations, `derivative_ticker`, `incremental_book_L2`
    Tardis,
    /// Binance's public dumps: aggTrades, metrics, klines, fundingRate, liquidationSnapshot
    Binance,
    /// Collected series of one instrument a file: interest, funding, bars, liquidation totals, trades
    History,
}

/// A long import says how far it is this often.
const TELL_EVERY: Nanos = Nanos::seconds(2);

pub(super) fn run(args: &Args) -> Result<()> {
    let venue = match &args.venue {
        None => None,
        Some(name) => match venue::by_name(name) {
            Some(row) => Some(row.id),
            None => bail!(
                "{name:?} is no venue; known are {}",
                venue::VENUES.map(|row| row.name).join(", ")
            ),
        },
    };
    let options = Options {
        family: match args.kind {
            Whose::Tardis => Family::Tardis,
            Whose::Binance => Family::Binance,
            Whose::History => Family::History,
        },
        files: args.files.clone(),
        symbols: args.symbols.clone(),
        venue,
    };
    let started = mono_now();
    let mut told = started;
    let summary = import::run(&options, &args.out, &mut |rows, files| {
        let now = mono_now();
        if now.since(told) >= TELL_EVERY {
            told = now;
            let of = options.files.len();
            super::say_aside(format_args!("{rows} rows, {files} of {of} files done"));
        }
    })?;
    let took = mono_now().since(started);
    if args.json {
        say!("{}", serde_json::to_string_pretty(&object(&summary, took))?);
    } else {
        print(&args.out.display().to_string(), &summary, took);
    }
    Ok(())
}

/// Events by kind, as the kinds are called elsewhere.
fn events(summary: &Summary) -> impl Iterator<Item = (String, u64)> {
    let counts = Kind::ALL.iter().zip(summary.events);
    counts
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| (format!("{kind:?}").to_lowercase(), count))
}

fn per_second(rows: u64, took: Nanos) -> u64 {
    let took = u128::from(took.get().max(1).unsigned_abs());
    u64::try_from(u128::from(rows) * 1_000_000_000 / took).unwrap_or(u64::MAX)
}

fn object(summary: &Summary, took: Nanos) -> Value {
    let files: Vec<Value> = summary
        .files
        .iter()
        .map(|(name, form)| json!({ "name": name, "form": form }))
        .collect();
    let events: Map<String, Value> = events(summary).map(|(k, n)| (k, n.into())).collect();
    json!({
        "symbols": summary.symbols,
        "venues": summary.venues,
        "files": files,
        "rows": summary.rows,
        "groups": summary.groups,
        "events": events,
        "first_ns": summary.first.get(),
        "last_ns": summary.last.get(),
        "duplicate_rows": summary.duplicates,
        "rows_before_image": summary.early,
        "bad_rows": summary.bad,
        "bad_named": summary.bad_named,
        "left_out": summary.left_out,
        "tape_bytes": summary.bytes,
        "rows_per_second": per_second(summary.rows, took),
    })
}

fn print(out: &str, summary: &Summary, took: Nanos) {
    say!(
        "{out}\n  {} rows of {} files, {} rows/s; {} groups, {} bytes, {} ms of market time",
        summary.rows,
        summary.files.len(),
        per_second(summary.rows, took),
        summary.groups,
        summary.bytes,
        summary.last.since(summary.first).get() / 1_000_000,
    );
    say!(
        "  {} at {}",
        summary.symbols.join(" "),
        summary.venues.join(", ")
    );
    for (kind, count) in events(summary) {
        say!("  {kind}: {count}");
    }
    for (count, what) in [
        (summary.duplicates, "rows were there already"),
        (
            summary.early,
            "rows of books stood before their first image",
        ),
        (summary.bad, "rows did not fit"),
    ] {
        if count > 0 {
            say!("  dropped: {count} {what}");
        }
    }
    for words in &summary.bad_named {
        say!("    {words}");
    }
    for (name, rows) in &summary.left_out {
        say!("  left out: {rows} rows of {name}");
    }
}
