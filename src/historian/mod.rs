//! Historian: the price × time matrix of every symbol, kept by a process of its own.
//!
//! It reads what the engine shows once a second (`shm::snapshot`), from the page or from a tape, and keeps three
//! levels of columns: see [`LEVELS`]. A column is the *mean* of its snapshots by absolute price bucket and holder, in
//! cents, with the mark's open, high, low and close as sampled, what venues printed as liquidated, and the hot zones as
//! last seen. Time is shard time.
//!
//! A time of which nothing was seen has no column: a hole is a hole. A column that was seen in part says how many
//! snapshots it stands on; one without a map has a price path and no cells.
//!
//! `column` is what is kept and how it becomes bytes, `gather` makes columns of snapshots, `file` appends them to a
//! file that a kill cannot spoil, `follow` reads a live page. `docs/HISTORY.md` tells the format to others.

pub mod column;
pub mod file;
pub mod follow;
pub mod gather;

use crate::time::Nanos;

/// One resolution of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Time a column covers.
    pub span: Nanos,
    /// How long columns are kept.
    pub keep: Nanos,
    /// Buckets of 2 bp that one cell covers.
    pub merge: i64,
    /// Its name, as people say it.
    pub name: &'static str,
}

/// The resolutions, finest first; the number of a level is its place here and stands in files.
pub const LEVELS: [Level; 3] = [
    Level {
        span: Nanos::MINUTE,
        keep: Nanos::DAY,
        merge: 1,
        name: "1m",
    },
    Level {
        span: Nanos::new(5 * Nanos::MINUTE.get()),
        keep: Nanos::new(7 * Nanos::DAY.get()),
        merge: 2,
        name: "5m",
    },
    Level {
        span: Nanos::HOUR,
        keep: Nanos::new(90 * Nanos::DAY.get()),
        merge: 5,
        name: "1h",
    },
];

/// Why there is no history, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The system refused.
    #[error("{name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// What it said.
        source: std::io::Error,
    },
    /// Another file has that name, and it is left alone.
    #[error("{0}: exists and is not a history of isotherm; it is left alone")]
    NotOne(String),
    /// A history of a version that this build does not read.
    #[error(
        "{name}: a history of version {found}; this build reads version {}",
        file::VERSION
    )]
    Version {
        /// The file.
        name: String,
        /// Its version.
        found: u32,
    },
    /// Somebody else appends to it.
    #[error("{0}: another historian writes this file; stop it or choose another one")]
    Busy(String),
    /// The page.
    #[error(transparent)]
    Page(#[from] crate::shm::reader::ReadFault),
}
