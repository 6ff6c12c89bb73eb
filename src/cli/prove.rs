//! `isotherm prove`: whether the map knows something that the path does not, measured on tapes.

use crate::prove::judge::{Proof, Scores};
use crate::prove::{
    self, Options, Report, cascade, cells, direction, forecast, ledger, magnet, odds, report, score,
};
use crate::time::{Clock as _, WallClock};
use anyhow::{Context, Result};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  isotherm import history BTC*.csv.zst -o btc.tape
  isotherm prove btc.tape                                   a table for people
  isotherm prove btc.tape --sensitivity --html proof.html   with the ends of all parameters, as a page
  isotherm prove tapes/ --ledger proof.jsonl                append the verdicts; `run` shows them as map_proof

Totals by period and side are scored as they are; liquidation prints are scored by the price they
lie at, where marks and interest are told beside them, and summed by the hour as well. Beside the
verdict stand forecasts of the next period, whether zones draw the price, and, where a tape has
books and prints, whether the gain tells of cascades, and, where it has books, whether the bias
tells where the price goes.";

/// Measure the map on history.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Tapes or folders of tapes: imports of history, recordings
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Symbols, comma-separated; default: all
    #[arg(long, value_delimiter = ',')]
    symbols: Option<Vec<String>>,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
    /// Write a page of HTML
    #[arg(long)]
    html: Option<PathBuf>,
    /// Append the verdicts to this ledger, one JSON object a line; of all symbols of the files, for fewer would be
    /// judged more mildly
    #[arg(long, conflicts_with = "symbols")]
    ledger: Option<PathBuf>,
    /// Only the map and its verdict: no comparisons, forecasts, zones, odds, cascades or direction
    #[arg(long)]
    quick: bool,
    /// Also walk the map with every parameter at the ends of its range, and score it over path models told more or less
    #[arg(long)]
    sensitivity: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let options = Options {
        files: args.files.clone(),
        symbols: args.symbols.clone(),
        reps: score::REPS,
        quick: args.quick,
        sensitivity: args.sensitivity,
    };
    for path in args.html.iter().chain(&args.ledger) {
        super::spare(path, None)?;
    }
    let found = prove::run(&options, &mut |what| {
        super::say_aside(format_args!("{what}"))
    })?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report::object(&found))?);
    } else {
        print(&found);
    }
    if let Some(path) = &args.html {
        std::fs::write(path, report::html(&found)).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &args.ledger {
        ledger::append(path, &report::ledger_lines(&found, WallClock.now()))?;
    }
    Ok(())
}

fn print(found: &Report) {
    for proof in &found.proofs {
        symbol(proof);
    }
    for (name, why) in &found.refused {
        say!("{name}: refused: {why}");
    }
    if let Some(together) = &found.together {
        say!(
            "all symbols together: {} rows, {} days; the path alone: log R² {}, rank {}",
            together.rows,
            together.days,
            report::number(together.path_r_squared),
            report::number(together.path_rank)
        );
        tables(together);
    }
    if let Some(found) = found.magnet.clone() {
        magnet::report::text(&Ok(found))
            .iter()
            .for_each(|line| say!("{line}"));
    }
    say!(
        "{}; intervals are 95 %, whole days drawn",
        report::tally(&found.proofs)
    );
    say!("what these data cannot show:");
    for limit in report::LIMITS {
        say!("  - {limit}");
    }
}

fn symbol(proof: &Proof) {
    say!("{}: {}: {}", proof.symbol, proof.verdict.word(), proof.why);
    let has_sums = proof.scores.rows > 0;
    if has_sums {
        sums(proof);
    } else {
        say!("  {}", report::NO_SUMS);
    }
    for line in proof.cells.iter().flat_map(cells::report::text) {
        say!("{line}");
    }
    if has_sums {
        tables(&proof.scores);
    }
    let forecasts = proof.forecast.iter().flat_map(forecast::report::text);
    let zones = magnet::report::text(&proof.magnet);
    let cascades = cascade::report::text(&proof.cascade);
    let direction = direction::report::text(&proof.direction);
    let odds = odds::report::text(&proof.odds);
    forecasts
        .chain(zones)
        .chain(cascades)
        .chain(direction)
        .chain(odds)
        .for_each(|line| say!("{line}"));
}

fn sums(proof: &Proof) {
    say!(
        "  {} to {}, {}, {} rows, {} days; the path alone: log R² {}, rank {}",
        report::date(proof.span.0),
        report::date(proof.span.1),
        proof.test,
        proof.scores.rows,
        proof.scores.days,
        report::number(proof.scores.path_r_squared),
        report::number(proof.scores.path_rank)
    );
    if proof.cells.is_some() {
        return;
    }
    let evidence = &proof.evidence;
    say!(
        "  gain over the path, nats per dollar  {}",
        report::gained(evidence, 0)
    );
    say!(
        "  gain over time at price              {}",
        report::gained(evidence, 1)
    );
    say!(
        "  slope of realised on said, updated   {}",
        report::said(evidence.slope)
    );
}

fn tables(scores: &Scores) {
    let mut lines = report::maps(&scores.lines).text(2);
    if let Some(grid) = report::rivals(&scores.rivals) {
        lines.push("  over a path model that is told more, or less:".to_owned());
        lines.extend(grid.text(2));
    }
    lines.iter().for_each(|line| say!("{line}"));
}
