//! Replay: a recording through the same decoders and the same shard, at any speed, to the same hash.
//!
//! The order is the journal's where there is one, the receive stamps' where there is none (`tape::Ordered`). Symbols
//! and rings come from the tape's plan, or from the subscriptions of a session. Nothing here changes what is stepped:
//! the speed only says when.
//!
//! A folder may hold several runs. One that went on from the state before it (its head says so) does so here too:
//! every connection that was up steps down at shard time, in the order of ring bytes, and its lanes are new, as those
//! of the restarted engine are. Any other run begins with nothing.

mod cast;
mod found;
mod model;

pub(crate) use cast::Cast;
pub use model::{calibrations, choice, evidence_of, taught};

use crate::event::{Event, Stream};
use crate::health::FaultKind;
use crate::inventory::params::Choice;
use crate::market::VenueId;
use crate::shard::{Shard, ShardError};
use crate::shm::record::{Nowhere, Publish};
use crate::tape::{self, Ordered, Record, Turn};
use crate::time::{Clock, Nanos, ScaledClock};
use crate::venue::lane::{Counts, Lane};
use crate::venue::{self, Venue, VenueError, texts};
use std::path::Path;

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// As fast as the machine can.
    Max,
    /// So many times as fast as it was recorded.
    Times(u32),
}

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The recording.
    #[error(transparent)]
    Tape(#[from] tape::Error),
    /// The shard's plan.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// A venue or symbol that is not known.
    #[error(transparent)]
    Venue(#[from] VenueError),
    /// A recording of a venue that cannot be decoded.
    #[error("{name}: recorded at {venue}; this build decodes: {}", decoded())]
    NoDecoder {
        /// File.
        name: String,
        /// The venue it was recorded at.
        venue: String,
    },
    /// A recording that does not say where it was made.
    #[error(
        "{name}: recorded at no known venue: looked for a connection to one, found {found}; this build decodes: {}",
        decoded()
    )]
    NoVenue {
        /// File.
        name: String,
        /// The address it connected to first, or that there is none.
        found: String,
    },
    /// A recording without a subscription we can read.
    #[error(
        "{name}: recorded at {venue}, but no subscription to an instrument of it was sent at its beginning; name the \
         symbols with --symbols"
    )]
    NoSymbols {
        /// File.
        name: String,
        /// The venue it was recorded at.
        venue: &'static str,
    },
    /// A symbol or a venue to be followed that the recording is not of.
    #[error("{name}: nothing of {what} is in it; it holds {holds}")]
    NotThere {
        /// File.
        name: String,
        /// What was named.
        what: String,
        /// What it holds.
        holds: String,
    },
    /// The head of a tape names a model that is none.
    #[error("{name}: the model in its head: {text}")]
    Model {
        /// File.
        name: String,
        /// What is wrong.
        text: String,
    },
    /// The tape says how it ended, and the replay ended otherwise.
    #[error(
        "{name}: the replay ended at input {input_seq} with state hash {state_hash:016x}, the run that wrote the tape \
         at input {want_seq} with {want_hash:016x}"
    )]
    Diverged {
        /// File.
        name: String,
        /// Where the replay ended.
        input_seq: u64,
        /// Its hash.
        state_hash: u64,
        /// Where the run ended.
        want_seq: u64,
        /// Its hash.
        want_hash: u64,
    },
}

/// Names of the venues that have a decoder.
fn decoded() -> String {
    venue::VENUES.map(|row| row.name).join(", ")
}

/// What a replay did.
#[derive(Debug)]
pub struct Outcome {
    /// Canonical assets in symbol order.
    pub symbols: Vec<String>,
    /// What was seen of each venue; the first is the reference.
    pub venues: Vec<Seen>,
    /// Frames, ignored, faults, gaps, tolerant.
    pub counts: Counts,
    /// From the first to the last received frame or group of decoded events.
    pub span: Nanos,
    /// Wall time it took.
    pub took: Nanos,
    /// The shard after the last input.
    pub shard: Shard,
    /// Bytes of a torn end that were left out.
    pub torn: u64,
    /// The journal named frames that the tape does not hold.
    pub short: bool,
}

/// Streams that frames are counted by, and their names.
pub const CHANNELS: [(Stream, &str); 4] = [
    (Stream::Book, "book"),
    (Stream::Trades, "trades"),
    (Stream::Ticker, "tickers"),
    (Stream::Liquidations, "liquidations"),
];

/// What a replay saw of one venue.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The venue.
    pub id: VenueId,
    /// Its name.
    pub name: &'static str,
    /// Its frames.
    pub counts: Counts,
    /// Frames that were data of a symbol of ours, by [`CHANNELS`].
    pub channels: [u64; CHANNELS.len()],
    /// Decimals of price and quantity as it prints them, per symbol.
    pub places: Vec<(u8, u8)>,
}

impl Seen {
    fn new(id: VenueId, symbols: usize) -> Self {
        Self {
            id,
            name: venue::venue(id).map_or("", |row| row.name),
            counts: Counts::default(),
            channels: [0; CHANNELS.len()],
            places: vec![(0, 0); symbols],
        }
    }

    /// Adds what a lane of it has seen.
    fn add(&mut self, lane: &Lane) {
        self.counts.add(&lane.counts);
        self.counts.duplicates += lane.duplicates();
        for (symbol, place) in self.places.iter_mut().enumerate() {
            let (price, qty) = lane.places(symbol);
            *place = (place.0.max(price), place.1.max(qty));
        }
    }
}

/// Replays one recording.
///
/// # Errors
/// As [`ReplayError`] says; faults inside frames are counted, not errors.
pub fn run(
    path: &Path,
    symbols: Option<&[String]>,
    speed: Speed,
    out: &mut impl Publish,
) -> Result<Outcome, ReplayError> {
    run_venues(path, symbols, None, speed, out)
}

/// The same of some of its venues alone, as an engine would see them whose plan names no others: their map and their
/// zones. The first of them that the recording names is the reference.
///
/// # Errors
/// As [`run`].
pub fn run_venues(
    path: &Path,
    symbols: Option<&[String]>,
    only: Option<&[VenueId]>,
    speed: Speed,
    out: &mut impl Publish,
) -> Result<Outcome, ReplayError> {
    let mut first = Cast::of_venues(path, symbols, only)?;
    let mut named = symbols.unwrap_or_default().iter();
    if let Some(missing) = named.find(|one| !first.symbols.contains(one)) {
        return Err(ReplayError::NotThere {
            name: path.display().to_string(),
            what: missing.clone(),
            holds: first.symbols.join(", "),
        });
    }
    let mut ordered = Ordered::open(path)?;
    let started = crate::time::mono_now();
    let mut pace = Pace { speed, clock: None };
    first.play_all(&mut ordered, &mut pace, out)?;
    let took = crate::time::mono_now().since(started);
    Ok(first.finish(took))
}

/// The symbols that a recording says it is of, or those named.
///
/// # Errors
/// As [`run`].
pub fn symbols(path: &Path, named: Option<&[String]>) -> Result<Vec<String>, ReplayError> {
    Ok(Cast::of(path, named)?.symbols)
}

/// Replays a file of bare frames of one venue, one a line, as if they had come a millisecond apart on one connection
/// that subscribed to everything.
///
/// # Errors
/// A file that cannot be read, a symbol the venue cannot name.
pub fn run_bare(
    path: &Path,
    row: &'static Venue,
    symbols: &[String],
    out: &mut impl Publish,
) -> Result<Outcome, ReplayError> {
    let text = std::fs::read(path).map_err(|source| tape::Error::Io {
        name: path.display().to_string(),
        source,
    })?;
    let mut cast = Cast::new(
        symbols.to_vec(),
        vec![row.id],
        None,
        Choice::default(),
        (Vec::new(), Vec::new()),
    )?;
    let (started, mut grid) = (crate::time::mono_now(), tape::Grid::default());
    let mut pace = Pace {
        speed: Speed::Max,
        clock: None,
    };
    let streams = CHANNELS.map(|(stream, _)| stream);
    let mut recv = BARE;
    for sent in texts::subscribe(row, symbols, &streams) {
        let bytes = sent.as_bytes();
        cast.record(
            &Record::Sent {
                ring: 0,
                at: recv,
                bytes,
            },
            &mut pace,
            out,
        )?;
    }
    cast.record(
        &Record::Connect {
            ring: 0,
            recv,
            url: "",
        },
        &mut pace,
        out,
    )?;
    for bytes in text.split(|byte| *byte == b'\n') {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        recv = recv.plus(Nanos::MILLI);
        while let Some((first, count)) = grid.due(recv) {
            cast.ticks(first, count, &mut pace, out);
        }
        cast.record(
            &Record::Frame {
                ring: 0,
                recv,
                bytes,
            },
            &mut pace,
            out,
        )?;
    }
    Ok(cast.finish(crate::time::mono_now().since(started)))
}

/// Replays one recording for what this build says of it: how the run that wrote it ended is not compared, which may
/// have been another build's. `begin` hears the symbols of every run before it is played.
///
/// # Errors
/// As [`run`].
pub fn watch<P: Publish>(
    path: &Path,
    symbols: Option<&[String]>,
    out: &mut P,
    begin: &mut dyn FnMut(&mut P, &[String]),
) -> Result<(), ReplayError> {
    let mut cast = Cast::of(path, symbols)?;
    let mut ordered = Ordered::open(path)?;
    loop {
        begin(out, &cast.symbols);
        cast.play(&mut ordered, &mut Pace::none(), out)?;
        let up = ordered.up();
        if !ordered.next_run()? {
            return Ok(());
        }
        cast.border(&ordered, &up, out)?;
    }
}

/// Decodes a recording and tells its events, in the order they were stepped and without ticks, each with the symbols of
/// its run; nothing is stepped.
///
/// # Errors
/// As [`ReplayError`] says; faults inside frames are left out.
pub fn hear(
    path: &Path,
    symbols: Option<&[String]>,
    told: &mut dyn FnMut(&[String], &Event),
) -> Result<(), ReplayError> {
    let mut cast = Cast::of(path, symbols)?;
    let mut ordered = Ordered::open(path)?;
    let (mut pace, mut nowhere) = (Pace::none(), Nowhere);
    cast.kept = Some(Vec::new());
    loop {
        while let Some(turn) = ordered.next_turn()? {
            let Turn::Ring { ring, groups } = turn else {
                continue;
            };
            let mut left = groups;
            while left > 0
                && let Some(record) = ordered.next_record(ring)?
            {
                left -= u32::from(cast.record(&record, &mut pace, &mut nowhere)?);
                for event in cast.kept.iter_mut().flat_map(|kept| kept.drain(..)) {
                    told(&cast.symbols, &event);
                }
            }
        }
        let up = ordered.up();
        if !ordered.next_run()? {
            return Ok(());
        }
        cast.border(&ordered, &up, &mut nowhere)?;
    }
}

/// Where bare frames, which have no stamps, begin: 2026-01-01.
const BARE: Nanos = Nanos::seconds(1_767_225_600);

/// Waits until a stamp is due.
pub(crate) struct Pace {
    speed: Speed,
    clock: Option<ScaledClock>,
}

impl Pace {
    /// Waits for nothing.
    pub(crate) const fn none() -> Self {
        Self {
            speed: Speed::Max,
            clock: None,
        }
    }

    fn wait(&mut self, until: Nanos) {
        let Speed::Times(times) = self.speed else {
            return;
        };
        let clock = self
            .clock
            .get_or_insert_with(|| ScaledClock::start(until, times));
        let mut left = until.since(clock.now()).get();
        while left > 0 {
            let sleep = (left / i64::from(times.max(1))).clamp(1, 5_000_000);
            std::thread::sleep(std::time::Duration::from_nanos(sleep.unsigned_abs()));
            left = until.since(clock.now()).get();
        }
    }
}

/// Names of the faults that were counted, for people.
#[must_use]
pub fn fault_names(counts: &Counts) -> Vec<(&'static str, u64)> {
    FaultKind::NAMES
        .iter()
        .zip(counts.by_fault)
        .filter(|(_, n)| *n > 0)
        .map(|(k, n)| (*k, n))
        .collect()
}
