//! Prove: whether the map knows something that the price path does not, measured on history (heatmap.md 4 and 5).
//!
//! ```text
//!   tapes -> input (per symbol: bars, trades, interest, totals, prints)
//!              |-> walk: the product's own inventory  -> mass met per period, side and class \
//!              |-> naive: maps to be beaten           -> the same                              score, gate, report
//!              '-> path: features of price and volume -> boost: model P                       /
//! ```
//! Walk-forward throughout: what is scored in a fold was fitted on rows before it. Pure of clocks and random numbers:
//! the same tapes give the same report. Nothing of it flows back into the model; the verdicts reach the page through
//! the ledger alone. What the proof refuses, it refuses with a reason: no price path, no open interest, nothing
//! realised (price extremes are no liquidations), too few rows.
#![expect(
    clippy::float_arithmetic,
    reason = "statistics over the past; nothing of it flows into the model"
)]

pub mod boost;
pub mod cascade;
pub mod cells;
mod days;
pub mod direction;
pub mod forecast;
pub mod gate;
pub mod grid;
pub mod input;
pub mod judge;
pub mod ladder;
pub mod ledger;
pub mod level;
pub mod linear;
pub mod magnet;
pub mod naive;
pub mod odds;
pub mod order;
pub mod page;
pub mod path;
pub mod realised;
pub mod report;
pub mod score;
pub mod symbol;
pub mod totals;
pub mod walk;

use crate::inventory::params::Choice;
use crate::replay::ReplayError;
use judge::{Proof, Scores};
use std::path::PathBuf;

/// What to prove, and how thoroughly.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tapes and folders of tapes; a symbol may be in several.
    pub files: Vec<PathBuf>,
    /// Symbols; `None` = all.
    pub symbols: Option<Vec<String>>,
    /// Draws of the bootstrap.
    pub reps: usize,
    /// The map and the verdict only, no comparisons.
    pub quick: bool,
    /// The ends of every parameter's range too, and rivals that know less.
    pub sensitivity: bool,
}

/// Why nothing was measured where nobody asked for it.
pub const NOT_ASKED: &str = "left out of a quick proof";

/// One file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As it was named.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// FNV-64 of its bytes.
    pub hash: u64,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// Of this program.
    pub version: &'static str,
    /// FNV-64 of the model's parameters.
    pub model: u64,
    /// What was read.
    pub inputs: Vec<Source>,
    /// Per symbol, in order of name.
    pub proofs: Vec<Proof>,
    /// Symbols that were refused, and why.
    pub refused: Vec<(String, String)>,
    /// All symbols together, where there is more than one.
    pub together: Option<Scores>,
    /// Magnet and reaction of all symbols together, where there is more than one.
    pub magnet: Option<magnet::Found>,
}

/// Why a proof cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// A tape.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A file that cannot be read.
    #[error("{name}: {source}")]
    Io {
        /// File.
        name: String,
        /// What the machine said.
        source: std::io::Error,
    },
    /// The boosted model.
    #[error("the boosted model: {0}")]
    Boost(String),
    /// No bars, trades or marks.
    #[error("{0}: no price path: neither bars nor trades nor marks")]
    NoPath(String),
    /// No open interest.
    #[error("{0}: no open interest, so there is no map to prove")]
    NoInterest(String),
    /// Dollars would count twice.
    #[error(
        "{symbol}: two files tell trades, marks or prints of {venue} for the same time: {} and {}; prove one of them",
        files[0], files[1]
    )]
    Twice {
        /// The asset.
        symbol: String,
        /// The venue.
        venue: &'static str,
        /// Both.
        files: [String; 2],
    },
    /// Nothing to score against.
    #[error(
        "{0}: neither liquidation prints nor totals: there is nothing to prove the map on, and extremes of the price \
         are no liquidations"
    )]
    NoRealised(String),
    /// Not enough.
    #[error(
        "{symbol}: {rows} rows of a period and a side; more than {least} are needed before the first is scored"
    )]
    TooFew {
        /// The asset.
        symbol: String,
        /// Rows there are.
        rows: usize,
        /// Rows that only train.
        least: usize,
    },
    /// Symbols that were asked for and are in no file.
    #[error("nothing of {what} is in the files; they hold {holds}")]
    NotThere {
        /// What was named.
        what: String,
        /// What they hold.
        holds: String,
    },
    /// No symbol at all.
    #[error("no symbol in {0} files")]
    Nothing(usize),
}

/// Reads, walks and scores; `told` hears what is being done. A symbol that is refused does not stop the others, unless
/// it is the only one.
///
/// # Errors
/// As [`ProveError`] says.
pub fn run(options: &Options, told: &mut dyn FnMut(&str)) -> Result<Report, ProveError> {
    told("reading");
    let mut inputs = Vec::new();
    for path in &options.files {
        let name = path.display().to_string();
        let (bytes, hash) = ledger::fingerprint(path).map_err(|source| ProveError::Io {
            name: name.clone(),
            source,
        })?;
        inputs.push(Source { name, bytes, hash });
    }
    let read = input::read(&options.files, options.symbols.as_deref())?;
    let (mut walked, mut refused) = (Vec::new(), Vec::new());
    let mut last = None;
    let mut refuse = |name: &str, error: ProveError| {
        refused.push((name.to_owned(), error.to_string()));
        last = Some(error);
    };
    let page = if options.quick {
        Err(NOT_ASKED.to_owned())
    } else {
        told("replaying for what the page said");
        page::heard(&options.files, options.symbols.as_deref(), &read)
    };
    for input in &read {
        let name = &input.symbol;
        let mut told = |what: &str| told(&format!("{name}: {what}"));
        match symbol::walked(input, &page, options, &mut told) {
            Ok(found) => walked.push(found),
            Err(error) => refuse(name, error),
        }
    }
    let rivals = match options {
        Options {
            sensitivity: true, ..
        } => path::RIVALS.len(),
        Options { quick: true, .. } => 0,
        _ => 1,
    };
    let judged = judge::judge(&walked, options.reps, rivals, told)?;
    let mut proofs: Vec<Proof> = Vec::new();
    for (walked, found) in walked.iter().zip(judged.proofs) {
        match found {
            Ok(proof) => proofs.push(proof),
            Err(error) => refuse(&walked.symbol, error),
        }
    }
    if proofs.is_empty() {
        return Err(last.unwrap_or(ProveError::Nothing(options.files.len())));
    }
    forecast::together(proofs.iter_mut().filter_map(|of| of.forecast.as_mut()));
    magnet::hold(proofs.iter_mut().filter_map(|of| of.magnet.as_mut().ok()));
    let magnets = proofs.iter().filter_map(|proof| proof.magnet.as_ref().ok());
    let magnet = magnet::together(magnets, options.reps);
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        model: model_hash(&Choice::default()),
        inputs,
        proofs,
        refused,
        together: judged.together,
        magnet,
    })
}

/// FNV-64 of the parameters that a map is walked with.
#[must_use]
pub fn model_hash(choice: &Choice) -> u64 {
    let bytes = bytemuck::bytes_of(choice);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
