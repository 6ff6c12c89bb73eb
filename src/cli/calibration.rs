//! `isotherm calibration`: what is known of θ, and what touches taught of runs, from a file of both or from a
//! recording; saved for another run, or begun anew.

use super::begins_with;
use crate::calibrate::Calibration;
use crate::config::evidence::{self, Evidence, Rows};
use crate::inventory::Params;
use crate::inventory::params::LADDER_E6;
use crate::num::fixed::ONE;
use crate::replay::{self, Speed};
use crate::shm::record::Nowhere;
use crate::time::Nanos;
use crate::zone::odds::{TERM_NAMES, Taught};
use crate::{checkpoint, venue};
use anyhow::{Context as _, Result, anyhow};
use bytemuck::Zeroable as _;
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  isotherm calibration show tape/                        what a recording's end knows, by its newest checkpoint
  isotherm calibration show tape/ --save btc.calibration  the same, kept for another run
  isotherm calibration show btc.calibration --json        what a file holds
  isotherm calibration reset btc.calibration              a file that knows nothing: the prior

Of a recording theta is the one last fitted, up to a minute before its end; of a file, what a run would fit to it.

A plan's key `calibration` in [engine] begins with such a file where nothing is recorded yet; what is recorded goes on
from its own end. A running instance's calibration is read from what it records, not from its page.";

/// See, keep or forget what is known of theta, the share of swept mass that is liquidated, and what touches taught of
/// runs of zones.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print it, from a file of calibrations, a folder that is recorded to, a checkpoint in it, a tape or a session
    Show {
        /// File or folder
        path: PathBuf,
        /// Write it there as well
        #[arg(long)]
        save: Option<PathBuf>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write a file that knows nothing
    Reset {
        /// The file
        path: PathBuf,
    },
}

/// A calibration and its name, `BTC bybit`.
type Named = (String, Calibration);

pub(super) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Show { path, save, json } => show(path, save.as_deref(), *json),
        What::Reset { path } => {
            write(path, &Evidence::default())?;
            say!(
                "{}: nothing is known, every class has the prior",
                path.display()
            );
            Ok(())
        }
    }
}

/// Writes a file beside the old one and puts it in its place.
fn write(path: &Path, evidence: &Evidence) -> Result<()> {
    let name = || path.display().to_string();
    super::spare(path, None)?;
    if path.exists() && !is_file_of_it(path)? {
        anyhow::bail!(
            "{}: exists and is no file of calibrations; it is left alone",
            name()
        );
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let text = evidence::text(evidence)? + "\n";
    let done = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    done.with_context(name)
}

fn show(path: &Path, save: Option<&Path>, json: bool) -> Result<()> {
    let (all, evidence) = if is_file_of_it(path)? {
        of_file(path)?
    } else {
        of_recording(path)?
    };
    let taught: Vec<_> = (evidence.taught.iter())
        .filter_map(|(name, words)| Some((name.clone(), Taught::of_words(words)?)))
        .collect();
    if let Some(to) = save {
        write(to, &evidence)?;
    }
    if json {
        let each = all
            .iter()
            .map(|(name, known)| (name.clone(), object(known)));
        let mut whole: serde_json::Map<_, _> = each.collect();
        if !taught.is_empty() {
            let each = taught
                .iter()
                .map(|(name, taught)| (name.clone(), lesson(taught)));
            whole.insert("taught".to_owned(), each.collect());
        }
        say!("{}", serde_json::to_string_pretty(&whole)?);
        return Ok(());
    }
    if all.is_empty() && taught.is_empty() {
        say!(
            "{}: nothing is known, every class has the prior",
            path.display()
        );
    }
    for (name, known) in &all {
        table(name, known);
    }
    for (name, taught) in &taught {
        weights(name, taught);
    }
    Ok(())
}

/// True for a file that begins as one of calibrations does: JSON that names itself.
fn is_file_of_it(path: &Path) -> Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut head = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 256), &mut head)?;
    let text = String::from_utf8_lossy(&head);
    Ok(text.trim_start().starts_with('{') && text.contains("\"isotherm\""))
}

fn of_file(path: &Path) -> Result<(Vec<Named>, Evidence)> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
    let mut evidence = evidence::parse(&text).map_err(|what| anyhow!("{name}: {what}"))?;
    keep_ours(&name, &mut evidence)?;
    // The fit wants a prior and a unit: those of the defaults, and of the interest last told.
    let params = Params::default();
    let known = |(contract, words): (&String, &Vec<i64>)| {
        let mut known = Calibration::of_words(words)?;
        known.fit(Nanos::new(1), known.interest_told(), &params);
        Some((contract.clone(), known))
    };
    Ok((evidence.theta.iter().filter_map(known).collect(), evidence))
}

/// Leaves out, and says so, what no run would begin with; a file of nothing else is an error.
fn keep_ours(file: &str, evidence: &mut Evidence) -> Result<()> {
    let mut others = Vec::new();
    let mut keep = |judged: Result<(), String>| {
        let is_ours = judged.is_ok();
        others.extend(judged.err());
        is_ours
    };
    let one = |name: &String, words: &Vec<i64>| Rows::from([(name.clone(), words.clone())]);
    (evidence.theta)
        .retain(|name, words| keep(replay::calibrations(&one(name, words), &[], &[]).map(drop)));
    (evidence.taught).retain(|name, words| keep(replay::taught(&one(name, words), &[]).map(drop)));
    if others.is_empty() {
        return Ok(());
    }
    let what = others.join("; ");
    if evidence.theta.is_empty() && evidence.taught.is_empty() {
        return Err(anyhow!("{file}: {what}"));
    }
    super::say_aside(format_args!("{file}: left out: {what}"));
    Ok(())
}

fn of_recording(path: &Path) -> Result<(Vec<Named>, Evidence)> {
    let (shard, symbols, venues) = if path.is_dir() || begins_with(path, &checkpoint::MAGIC) {
        let (shard, setup) = if path.is_dir() {
            checkpoint::look(path)?
        } else {
            checkpoint::look_at(path)?
        };
        (shard, setup.symbols, setup.venues)
    } else {
        let outcome = replay::run(path, None, Speed::Max, &mut Nowhere)?;
        let venues = outcome.venues.iter().map(|seen| seen.id).collect();
        (outcome.shard, outcome.symbols, venues)
    };
    let mut all = Vec::new();
    for (at, symbol) in symbols.iter().enumerate() {
        for id in &venues {
            let known = shard
                .calibration_at(at, *id)
                .filter(|known| known.prints > 0);
            if let (Some(known), Some(row)) = (known, venue::venue(*id)) {
                all.push((format!("{symbol} {}", row.name), *known));
            }
        }
    }
    Ok((all, replay::evidence_of(&shard, &symbols, &venues)))
}

fn share(q16: i64) -> f64 {
    q16 as f64 / ONE as f64
}

fn lots(qty: i64) -> f64 {
    qty as f64 / 1e6
}

fn missed(known: &Calibration) -> Option<f64> {
    (known.taken > 0).then(|| known.missed as f64 / known.taken as f64)
}

/// (start of a week in days since the epoch, predicted, realised) of the weeks that are kept, oldest first.
fn weeks(known: &Calibration) -> Vec<(i64, f64, f64)> {
    let used = known.weeks().iter().filter(|week| week.number != 0);
    let mut weeks: Vec<_> = used
        .map(|week| {
            let sum = |row: [i64; 2]| lots(row[0].saturating_add(row[1]));
            (week.number * 7, sum(week.predicted), sum(week.realised))
        })
        .collect();
    weeks.sort_by_key(|week| week.0);
    weeks
}

fn object(known: &Calibration) -> Value {
    let (dead, met) = known.evidence();
    let width = known.width();
    json!({
        "prints": known.prints,
        "missed": missed(known),
        "distance": LADDER_E6.map(|distance| distance as f64 / 1e6),
        "theta": known.theta().map(|theta| theta.map(share)),
        "deviation": width.doubt_q16.map(share),
        "scatter": share(width.scatter_q16),
        "lump": lots(width.lump),
        "liquidated": dead.map(lots),
        "met": met.map(lots),
        "weeks": weeks(known)
            .into_iter()
            .map(|(day, predicted, realised)| json!({
                "day": day, "predicted": predicted, "realised": realised,
            }))
            .collect::<Vec<_>>(),
    })
}

/// Weights of a run as they are now, and the touches behind them.
fn lesson(taught: &Taught) -> Value {
    let each = TERM_NAMES.iter().zip(taught.weights());
    let weights: Value = each
        .map(|(name, weight)| ((*name).to_owned(), json!(share(weight))))
        .collect();
    json!({ "touches": taught.touches, "weights": weights })
}

fn weights(name: &str, taught: &Taught) {
    say!(
        "{name}: runs of zones, weights after {} touches that held or ran",
        taught.touches
    );
    say!("  term        now    begun");
    let rows = taught.weights().into_iter().zip(Taught::zeroed().weights());
    for (term, (now, begun)) in TERM_NAMES.iter().zip(rows) {
        say!("  {term:<9} {:>6.3}   {:>6.3}", share(now), share(begun));
    }
}

fn table(name: &str, known: &Calibration) {
    let missed = missed(known).map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0));
    say!(
        "{name}: {} prints, {missed} of them where the map is empty",
        known.prints
    );
    say!("  distance   theta       +-   liquidated          met   lots");
    let (dead, met) = known.evidence();
    for (k, distance) in LADDER_E6.iter().enumerate() {
        let theta = known
            .theta()
            .map_or("-".to_owned(), |theta| format!("{:.3}", share(theta[k])));
        say!(
            "  {:>6.2} % {theta:>7} {:>6.0} % {:>12.3} {:>12.3}",
            *distance as f64 / 1e4,
            share(known.width().doubt_q16[k]) * 100.0,
            lots(dead[k]),
            lots(met[k]),
        );
    }
    for (day, predicted, realised) in weeks(known) {
        let (year, month, day) = Nanos::seconds(day.saturating_mul(86_400)).civil();
        say!(
            "  week from {year}-{month:02}-{day:02}: predicted {predicted:.3} lots, printed {realised:.3}"
        );
    }
}
