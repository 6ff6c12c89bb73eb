//! What a shard is built for, and why it may not be.

use super::room::Room;
use super::{Head, VENUES};
use crate::arena::Arena;
use crate::calibrate::Calibration;
use crate::inventory::params::Choice;
use crate::market::VenueId;
use crate::shm::record::{FNV_START, fnv_words};
use crate::signal::SIGNALS;
use crate::zone::odds::Taught;

/// What a shard is built for.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Canonical assets; the place is the `SymbolId`.
    pub symbols: Vec<String>,
    /// The venues by slot, 1 to [`VENUES`], none twice; the first is the reference wherever it lists the symbol.
    pub venues: Vec<VenueId>,
    /// What the plan chose for the model.
    pub choice: Choice,
    /// What is known of θ already, by symbol's place and venue: an input like a plan's, outside the model's hash.
    pub calibrations: Vec<(usize, VenueId, Calibration)>,
    /// What touches taught of runs already, by symbol's place and mode: such an input too.
    pub taught: Vec<(usize, usize, Taught)>,
    /// Largest state in bytes; 0 = no limit.
    pub memory_max: u64,
}

/// Why a shard cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// No symbol, or more than an index holds.
    #[error("a shard takes 1 to 1024 symbols, the plan has {0}")]
    Symbols(usize),
    /// No venue, too many, or one twice.
    #[error("a shard takes 1 to {VENUES} different venues, the plan names {0}")]
    Venues(String),
    /// Bytes that another build wrote.
    #[error(
        "the checkpoint is of layout {found:016x}, this build has {wants:016x}: start from the tape, or run the build \
         that wrote it"
    )]
    Layout {
        /// Of the checkpoint.
        found: u64,
        /// Of this build.
        wants: u64,
    },
    /// Bytes of another plan.
    #[error(
        "the checkpoint is of another plan (symbols, venues or model): run it with the plan it was made with, or start \
         from the tape"
    )]
    OtherPlan,
    /// Bytes that are none of a state.
    #[error("the checkpoint has {found} bytes of state, this plan's has {wants}")]
    Size {
        /// Bytes found.
        found: usize,
        /// Bytes of a state of this plan.
        wants: usize,
    },
    /// More memory than the plan allows.
    #[error(
        "the plan needs {needs} MiB for {symbols} symbols ({each} MiB each, with room for {VENUES} venues), memory_max \
         is {max} MiB: fewer symbols, or a larger memory_max"
    )]
    Memory {
        /// MiB needed.
        needs: u64,
        /// Symbols.
        symbols: usize,
        /// MiB for one.
        each: u64,
        /// MiB allowed.
        max: u64,
    },
}

impl Setup {
    /// Whether a shard of it is within `memory_max`.
    ///
    /// # Errors
    /// [`ShardError::Memory`].
    pub fn fits(&self) -> Result<(), ShardError> {
        let symbols = self.symbols.len();
        let needs = Arena::bytes_for::<Head, Room>(symbols) as u64;
        if self.memory_max == 0 || needs <= self.memory_max {
            return Ok(());
        }
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        Err(ShardError::Memory {
            needs: mib(needs),
            symbols,
            each: mib(size_of::<Room>() as u64),
            max: self.memory_max >> 20,
        })
    }

    /// The default model for these symbols at these venues, the first being the reference.
    #[must_use]
    pub fn new(symbols: Vec<String>, venues: &[VenueId]) -> Self {
        Self {
            symbols,
            venues: venues.to_vec(),
            choice: Choice::default(),
            calibrations: Vec::new(),
            taught: Vec::new(),
            memory_max: 0,
        }
    }

    /// Hash of the model: what the plan chose and which signals there are, in order. Weights are priors until learning
    /// is on, so there is nothing else to it.
    #[must_use]
    pub fn model_hash(&self) -> u64 {
        let hash = fnv_words(FNV_START, bytemuck::cast_slice(&[self.choice]));
        SIGNALS
            .iter()
            .flat_map(|row| row.id.bytes())
            .fold(hash, |hash, byte| fnv_words(hash, &[u64::from(byte)]))
    }

    /// Hash of all that a state depends on besides its inputs.
    pub(super) fn hash(&self) -> u64 {
        let names = self.symbols.iter().flat_map(|name| name.bytes().chain([0]));
        let venues = self.venues.iter().map(|venue| venue.0);
        names.chain(venues).fold(self.model_hash(), |hash, byte| {
            fnv_words(hash, &[u64::from(byte)])
        })
    }
}
