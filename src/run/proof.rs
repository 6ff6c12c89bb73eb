//! Proof: the ledger of `isotherm prove` beside a running instance.
//!
//! A slow thread of its own looks at the file every second and reads it when its length or its time has changed; the
//! shard's thread takes the verdicts from single words when it writes its counters. Nothing of it is on the hot path,
//! and nothing of it reaches the model. A ledger that is not there, or cannot be read whole, proves nothing: every
//! verdict is *unproven* then, and it is told once each time that it changes.

use crate::log::{Level, Log};
use crate::prove::ledger;
use crate::sync::{Flag, Tally};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at the stop flag.
const NAP: Duration = Duration::from_millis(50);

/// A verdict a symbol, in the plan's order: numbers of [`crate::prove::gate::Verdict`].
pub type Verdicts = Arc<Vec<Tally<1>>>;

/// What a file was when it was last read; nothing when it was not there.
type Stamp = Option<(u64, SystemTime)>;

/// The ledger of a plan.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    /// Which model a verdict must be of.
    model: u64,
    symbols: Vec<String>,
    verdicts: Verdicts,
    /// `None` before the first look.
    stamp: Option<Stamp>,
}

fn stamp(path: &Path) -> Stamp {
    let told = std::fs::metadata(path).ok()?;
    Some((told.len(), told.modified().ok()?))
}

impl Ledger {
    /// A ledger that was not looked at yet.
    #[must_use]
    pub fn new(path: PathBuf, model: u64, symbols: Vec<String>) -> Self {
        let verdicts = symbols.iter().map(|_| Tally::default()).collect();
        Self {
            path,
            model,
            symbols,
            verdicts: Arc::new(verdicts),
            stamp: None,
        }
    }

    /// Where its verdicts are kept.
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        Arc::clone(&self.verdicts)
    }

    /// Reads the file if it has changed since it was last read; what is wrong with it, if anything.
    ///
    /// # Errors
    /// A ledger that cannot be read whole; its verdicts are unproven.
    pub fn look(&mut self) -> Result<(), ledger::LedgerError> {
        let now = stamp(&self.path);
        if self.stamp == Some(now) {
            return Ok(());
        }
        self.stamp = Some(now);
        let (found, answer) = match ledger::verdicts(&self.path, self.model) {
            Ok(found) => (found, Ok(())),
            Err(why) => (Default::default(), Err(why)),
        };
        for (symbol, verdict) in self.symbols.iter().zip(&*self.verdicts) {
            let of = found.get(symbol).copied().unwrap_or_default();
            verdict.set(0, of as u64);
        }
        answer
    }

    /// Looks, and tells what is wrong.
    pub fn look_and_tell(&mut self, log: &mut Log) {
        if let Err(why) = self.look() {
            log.say(Level::Warn, "proof", "ledger", &why.to_string());
        }
    }

    /// Looks every second until the flag is up.
    pub fn watch(mut self, stop: &Flag, mut log: Log) {
        let mut waited = Duration::ZERO;
        while !stop.is_up() {
            std::thread::sleep(NAP);
            waited += NAP;
            if waited >= LOOK {
                waited = Duration::ZERO;
                self.look_and_tell(&mut log);
            }
        }
    }
}
