//! Tape: recorded input, exactly as it came, in the order the shard consumed it.
//!
//! Three sources have one face. A *tape* (`file`) is our own format: raw websocket text, REST
//! answers, connects, and the journal of the order in which the shard took from its rings. A
//! *folder* (`chain`) is what a [`Recorder`] fills for days: tapes numbered as segments, closed ones
//! compressed, one run behind the other. A *session* (`session`) is a recording in JSON lines with
//! nothing but receive stamps; its ticks are made from the stamps by the rule of [`Grid`].
//! [`Ordered`] turns any of them into turns: "so many ticks", "so many groups of that ring", so that
//! a replay steps what a live run stepped.
//!
//! ```text
//!   feed ring 0 --frames-->  \                                 / Tick{first,count}
//!   feed ring 1 --frames-->   Recorder -> file -> Source -> Ordered
//!   shard ------journal-->   /                                 \ Ring{ring,groups}: next_record
//! ```
//! A *ring* number is a lane: its low seven bits. The top bit of a record's ring byte ([`LEG_B`]) is
//! set for the second of two connections that share the lane. Nothing is decoded here and nothing
//! is dropped: a tape outlives its decoders. `docs/TAPE.md` has the format and the rules. Times are
//! nanoseconds since the Unix epoch. This is cold code: it may ask for memory, never more than
//! [`file::PAYLOAD_MAX`] for a record and [`ordered::HELD_MAX`] for what waits. Pacing belongs to
//! who replays.

pub mod chain;
pub mod file;
pub mod folder;
pub mod index;
pub mod journal;
pub mod ordered;
pub mod pack;
pub mod recorder;
pub mod session;
pub mod subscriptions;
pub mod survey;

use crate::config::evidence::Rows;
use crate::time::{Nanos, TICK};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

pub use chain::Chain;
pub use file::{Closing, Reader, Writer};
pub use folder::Lock;
pub use journal::Journal;
pub use ordered::{Ordered, Position, Turn};
pub use recorder::{Limits, Recorder, Told};
pub use session::Session;
pub use subscriptions::{Subscriptions, subscriptions};

/// Bytes to read from, whatever they are wrapped in.
pub type Input = Box<dyn Read + Send>;

/// Kinds of record; the number is the format: append, never renumber. 0 is none, so zeroed bytes
/// are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is explained once, at its Record")]
pub enum Kind {
    Frame = 1,
    Sent = 2,
    Connect = 3,
    Disconnect = 4,
    Rest = 5,
    Ticks = 6,
    Order = 7,
    End = 8,
    Events = 9,
    Hole = 10,
    Next = 11,
}

/// One more than the highest kind number.
pub const KINDS: usize = 12;

impl Kind {
    /// Names by number; 0 is none.
    pub const NAMES: [&'static str; KINDS] = [
        "none",
        "frame",
        "sent",
        "connect",
        "disconnect",
        "rest",
        "ticks",
        "order",
        "end",
        "events",
        "hole",
        "next",
    ];

    /// Whether nothing may follow it in its file.
    #[must_use]
    pub const fn closes(self) -> bool {
        matches!(self, Self::End | Self::Hole | Self::Next)
    }

    /// Its name, as `tape info` prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// Top bit of a ring byte: the second connection of a lane. The rest is the lane's number.
pub const LEG_B: u8 = 0x80;

/// The lane a ring byte means, 0 to 127.
#[must_use]
pub const fn lane_of(ring: u8) -> u8 {
    ring & !LEG_B
}

/// One record of a tape, its text borrowed from where it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// A websocket message exactly as it was received.
    Frame {
        /// Connection it came on: lane and leg.
        ring: u8,
        /// Receive stamp.
        recv: Nanos,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A websocket message we sent: subscriptions, pings.
    Sent {
        /// Connection it went out on: lane and leg.
        ring: u8,
        /// When.
        at: Nanos,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A connection came up.
    Connect {
        /// Which: lane and leg.
        ring: u8,
        /// When.
        recv: Nanos,
        /// Where to; empty when the recording does not say.
        url: &'a str,
    },
    /// A connection went down.
    Disconnect {
        /// Which: lane and leg.
        ring: u8,
        /// When.
        recv: Nanos,
        /// Why, in words.
        reason: &'a str,
    },
    /// A REST answer.
    Rest {
        /// Connection whose ring carried it.
        ring: u8,
        /// When the body was whole.
        recv: Nanos,
        /// Path and query, `/v5/market/tickers?category=linear`; never a line break.
        request: &'a str,
        /// The body.
        body: &'a [u8],
    },
    /// Journal: `count` ticks were stepped, 10 ms apart.
    Ticks {
        /// Stamp of the first.
        first: Nanos,
        /// How many, at least 1.
        count: u32,
    },
    /// Journal: the shard took `groups` frames that had events from this ring.
    Order {
        /// The ring.
        ring: u8,
        /// How many groups, at least 1.
        groups: u32,
    },
    /// Clean close.
    End(End),
    /// Events decoded before they came here: an import.
    Events {
        /// Lane whose ring carries them.
        ring: u8,
        /// Receive stamp of the first.
        recv: Nanos,
        /// The events, [`EVENT_BYTES`] each, at least one.
        bytes: &'a [u8],
    },
    /// Recording stopped here before the run did: nothing of this run follows.
    Hole {
        /// When; the last stamp on the tape when the clock is not at hand.
        at: Nanos,
        /// Why, in words.
        why: &'a str,
    },
    /// The segment was full; the run goes on in another.
    Next {
        /// Stamp of the last record before it.
        at: Nanos,
        /// Place of that segment in the run, as its head says.
        segment: u32,
    },
}

/// Bytes of one event in [`Record::Events`].
pub const EVENT_BYTES: usize = size_of::<crate::event::Event>();

/// What a cleanly closed tape says of itself; a replay must arrive at the same hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct End {
    /// When the tape was closed.
    pub at: Nanos,
    /// Events stepped.
    pub input_seq: u64,
    /// The shard's hash after the last of them; 0 when no shard ran.
    pub state_hash: u64,
}

impl<'a> Record<'a> {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Frame { .. } => Kind::Frame,
            Self::Sent { .. } => Kind::Sent,
            Self::Connect { .. } => Kind::Connect,
            Self::Disconnect { .. } => Kind::Disconnect,
            Self::Rest { .. } => Kind::Rest,
            Self::Ticks { .. } => Kind::Ticks,
            Self::Order { .. } => Kind::Order,
            Self::End(_) => Kind::End,
            Self::Events { .. } => Kind::Events,
            Self::Hole { .. } => Kind::Hole,
            Self::Next { .. } => Kind::Next,
        }
    }
    /// The ring byte: lane and leg; 0 where it belongs to none.
    #[must_use]
    pub const fn ring(&self) -> u8 {
        match self {
            Self::Frame { ring, .. }
            | Self::Sent { ring, .. }
            | Self::Connect { ring, .. }
            | Self::Disconnect { ring, .. }
            | Self::Rest { ring, .. }
            | Self::Events { ring, .. }
            | Self::Order { ring, .. } => *ring,
            Self::Ticks { .. } | Self::End(_) | Self::Hole { .. } | Self::Next { .. } => 0,
        }
    }
    /// Its stamp; zero for [`Record::Order`], which has none.
    #[must_use]
    pub const fn stamp(&self) -> Nanos {
        match self {
            Self::Frame { recv, .. }
            | Self::Connect { recv, .. }
            | Self::Disconnect { recv, .. }
            | Self::Events { recv, .. }
            | Self::Rest { recv, .. } => *recv,
            Self::Sent { at, .. } | Self::Hole { at, .. } | Self::Next { at, .. } => *at,
            Self::Ticks { first, .. } => *first,
            Self::Order { .. } => Nanos::ZERO,
            Self::End(end) => end.at,
        }
    }
    /// The two pieces of text it carries: request and body of REST, else one piece and nothing.
    const fn text(&self) -> (&'a [u8], &'a [u8]) {
        match self {
            Self::Frame { bytes, .. } | Self::Sent { bytes, .. } | Self::Events { bytes, .. } => {
                (bytes, &[])
            }
            Self::Hole { why, .. } => (why.as_bytes(), &[]),
            Self::Connect { url, .. } => (url.as_bytes(), &[]),
            Self::Disconnect { reason, .. } => (reason.as_bytes(), &[]),
            Self::Rest { request, body, .. } => (request.as_bytes(), body),
            Self::Ticks { .. } | Self::Order { .. } | Self::End(_) | Self::Next { .. } => {
                (&[], &[])
            }
        }
    }
}

/// What the run that wrote a tape was told, as text: enough to build the same engine again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunPlan {
    /// Canonical assets in symbol order (`BTC`).
    pub symbols: Vec<String>,
    /// One a ring, in ring order.
    pub rings: Vec<RingPlan>,
    /// Parameters of the model as given: name to decimal text.
    pub model: BTreeMap<String, String>,
    /// Calibrations it began with, by symbol and venue (`BTC bybit`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calibration: Rows,
    /// What touches taught of runs when it began, by symbol and mode (`BTC day`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taught: Rows,
    /// External series, in the order of their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<SeriesPlan>,
    /// Contracts that are given another name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renames: Vec<RenamePlan>,
}

/// One rename of a [`RunPlan`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RenamePlan {
    /// The venue's name.
    pub venue: String,
    /// The asset until then.
    pub was: String,
    /// The asset from then on.
    pub now: String,
    /// When, Unix nanoseconds.
    pub at_ns: i64,
}

/// One external series of a [`RunPlan`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SeriesPlan {
    /// Its name.
    pub name: String,
    /// Decimal places of its values.
    pub scale: u8,
    /// Time from one value to the next, nanoseconds.
    pub period_ns: i64,
    /// A value older than this is of no use, nanoseconds.
    pub max_age_ns: i64,
}

/// What stands for a venue's name at the ring of external series.
pub const SERIES: &str = "series";

/// One connection of a [`RunPlan`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RingPlan {
    /// Name of the venue (`bybit`).
    pub venue: String,
    /// Websocket address.
    pub url: String,
    /// Base of its REST addresses; empty when there is none.
    pub rest: String,
}

/// The head of a tape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// When it was begun.
    pub created: Nanos,
    /// The order of consumption is journalled; without it a replay goes by receive stamps.
    pub journalled: bool,
    /// The run went on from the state that the run before it in the folder had left; otherwise it
    /// began with nothing.
    pub continues: bool,
    /// Which run: unique in a folder and rising, the nanosecond of its beginning as a rule. 0 in a
    /// tape of version 1.
    pub run: u64,
    /// Place of this segment in its run, from 1; 0 = the tape is one file, not a folder.
    pub segment: u32,
    /// What the run was told.
    pub plan: RunPlan,
}

/// Why a tape or a session cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine said no.
    #[error("{name}: {source}")]
    Io {
        /// File.
        name: String,
        /// What it said.
        source: io::Error,
    },
    /// A folder with nothing to replay in it.
    #[error("{name}: no tape and no session.recv.jsonl[.zst] in this folder")]
    Empty {
        /// Folder.
        name: String,
    },
    /// Another file of ours.
    #[error("{name}: {what}")]
    NoRecording {
        /// File.
        name: String,
        /// What it is, and what to name instead.
        what: &'static str,
    },
    /// The head does not hold together.
    #[error("{name}: not a usable tape: {reason}")]
    Header {
        /// File.
        name: String,
        /// Why.
        reason: String,
    },
    /// A record is bad and a good one follows: this is damage, not a torn end.
    #[error("{name}: damaged at byte {at}: {reason}")]
    Damaged {
        /// File.
        name: String,
        /// Byte offset of the record.
        at: u64,
        /// Why.
        reason: &'static str,
    },
    /// A whole record of a kind this version does not know.
    #[error("{name}: record of kind {kind} at byte {at} is from a newer version")]
    Newer {
        /// File.
        name: String,
        /// Byte offset of the record.
        at: u64,
        /// Its number.
        kind: u8,
    },
    /// A record that cannot be written.
    #[error("a record of {len} bytes cannot be written: {reason}")]
    Unwritable {
        /// Bytes of its payload.
        len: usize,
        /// Why.
        reason: &'static str,
    },
    /// A line of a session that does not fit.
    #[error("{name}:{line}: {reason}")]
    Malformed {
        /// File.
        name: String,
        /// Line, from 1.
        line: u64,
        /// Why.
        reason: String,
    },
    /// A file is in the way.
    #[error("{name}: this tape is there already; choose another name or move it")]
    There {
        /// File.
        name: String,
    },
    /// Somebody records there.
    #[error("{name}: another process records in this folder{by}; one writer a folder")]
    Locked {
        /// Folder.
        name: String,
        /// Who, ` (process 12)`, when it is known.
        by: String,
    },
    /// A segment of a run is not there.
    #[error("{name}: this is part {found} of its run, and part {want} is not in the folder")]
    Missing {
        /// File.
        name: String,
        /// Place in the run that was expected.
        want: u32,
        /// Place in the run that the file has.
        found: u32,
    },
    /// Journal and frames are further apart than a replay keeps.
    #[error("{name}: {held} bytes wait for the journal, the most is {max}")]
    Skew {
        /// File.
        name: String,
        /// Bytes waiting.
        held: usize,
        /// The limit.
        max: usize,
    },
}

impl Error {
    fn io(name: &str, source: io::Error) -> Self {
        Self::Io {
            name: name.to_owned(),
            source,
        }
    }
}

/// The one rule of ticks, for live runs and for sessions: shard time is the receive stamp made
/// monotone, ticks lie on the grid of [`TICK`] anchored at or just before the first stamp, and
/// every grid stamp at or before an event comes before it. The anchor itself is the first tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grid {
    /// Next grid stamp not yet ticked; zero before the first stamp.
    next: Nanos,
}

impl Grid {
    /// The run of ticks due before an event of this stamp, now counted as given. `None` when none
    /// is due, which is also the answer for a stamp that runs backwards. A run longer than
    /// `u32::MAX` comes in parts: ask until `None`.
    pub fn due(&mut self, stamp: Nanos) -> Option<(Nanos, u32)> {
        let step = TICK.get();
        // LIMIT: the last tick of time is never stepped, so that `next` cannot overflow.
        let stamp = stamp.get().clamp(0, i64::MAX - step);
        if self.next == Nanos::ZERO {
            self.next = Nanos::new(stamp - stamp % step);
        }
        let first = self.next;
        if first.get() > stamp {
            return None;
        }
        let count = ((stamp - first.get()) / step)
            .saturating_add(1)
            .min(i64::from(u32::MAX));
        self.next = Nanos::new(first.get().saturating_add(count.saturating_mul(step)));
        Some((first, u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

/// An opened recording.
#[derive(Debug)]
pub enum Source {
    /// One file of our own format.
    Tape(Box<Reader<Input>>),
    /// A folder of them.
    Folder(Box<Chain>),
    /// JSON lines.
    Session(Box<Session>),
}

impl Source {
    /// The next record of this run in file order; `None` at the run's end, and from then on until
    /// [`Source::next_run`].
    ///
    /// # Errors
    /// Damage, a missing segment, malformed lines, the machine.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, Error> {
        match self {
            Self::Tape(reader) => reader.next_record(),
            Self::Folder(chain) => chain.next_record(),
            Self::Session(session) => session.next_record(),
        }
    }
    /// Leaves this run and goes on to the next of the folder; false when there is none, which is
    /// always so for one file.
    ///
    /// # Errors
    /// As [`Source::next_record`]: what is left of this run is read.
    pub fn next_run(&mut self) -> Result<bool, Error> {
        match self {
            Self::Folder(chain) => chain.next_run(),
            Self::Tape(_) | Self::Session(_) => Ok(false),
        }
    }
    /// The head of a tape, of a folder that of the run's first segment there; a session has none.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        match self {
            Self::Tape(reader) => Some(reader.header()),
            Self::Folder(chain) => Some(chain.header()),
            Self::Session(_) => None,
        }
    }
    /// How the run ended, once its end has been read; a session never says, nor does a killed run.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        match self.closing() {
            Some(Closing::End(end)) => Some(*end),
            _ => None,
        }
    }
    /// How the file, of a folder the run's last one read, was closed, once that has been read.
    #[must_use]
    pub fn closing(&self) -> Option<&Closing> {
        match self {
            Self::Tape(reader) => reader.closing(),
            Self::Folder(chain) => chain.closing(),
            Self::Session(_) => None,
        }
    }
    /// Bytes dropped at a torn end of this run, once the end has been reached.
    #[must_use]
    pub fn torn(&self) -> u64 {
        match self {
            Self::Tape(reader) => reader.torn(),
            Self::Folder(chain) => chain.torn(),
            Self::Session(_) => 0,
        }
    }
    /// Number in the folder of the segment the last record came from; 0 for one file.
    #[must_use]
    pub fn segment(&self) -> u32 {
        match self {
            Self::Folder(chain) => chain.segment(),
            Self::Tape(_) | Self::Session(_) => 0,
        }
    }
    /// What it was opened from.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Tape(reader) => reader.name(),
            Self::Folder(chain) => chain.name(),
            Self::Session(session) => session.name(),
        }
    }
}

/// Opens a recording: a tape, a session, either of them zstd-compressed, or a folder that holds
/// segments or one of them. What a file is is told by its first bytes, not by its name. Of a
/// folder that is being recorded to, what stood there at this moment is read.
///
/// # Errors
/// The machine, an empty folder, a tape head that does not hold together.
pub fn open(path: &Path) -> Result<Source, Error> {
    if path.is_dir() && !folder::segments(path)?.is_empty() {
        return Ok(Source::Folder(Box::new(Chain::open(path, 0)?)));
    }
    let path = locate(path)?;
    let name = path.display().to_string();
    let (start, input) = plain(&path)?;
    if start.is_empty() {
        let what = "an empty file, no recording";
        return Err(Error::NoRecording { name, what });
    }
    if let Some((_, what)) = OTHERS.iter().find(|(head, _)| start == *head) {
        return Err(Error::NoRecording { name, what });
    }
    if start.starts_with(&file::MAGIC) {
        return Ok(Source::Tape(Box::new(Reader::new(&name, input)?)));
    }
    let rest = path.parent().map(|folder| folder.join("rest"));
    Ok(Source::Session(Box::new(Session::new(
        &name,
        Box::new(BufReader::with_capacity(1 << 16, input)),
        rest.as_deref(),
    )?)))
}

/// First bytes of files of ours that are no recordings; tests hold them to those who write them.
const OTHERS: [(&[u8; 8], &str); 3] = [
    (
        b"ISOTHRM0",
        "a page, which holds only what is so now; name the folder or the file that its engine records to",
    ),
    (
        b"ISOCKPT\0",
        "a checkpoint, no recording; name the folder that it was made of",
    ),
    (
        b"ISOHIST1",
        "a history of the map, no recording; `isotherm plot` draws it",
    ),
];

/// A file's first bytes, eight if there are, and all its bytes, unpacked if it is packed.
fn plain(path: &Path) -> Result<(Vec<u8>, Input), Error> {
    let name = path.display().to_string();
    let fail = |source| Error::io(&name, source);
    let input: Input = Box::new(File::open(path).map_err(fail)?);
    let (start, whole) = peek(input).map_err(fail)?;
    if !start.starts_with(&ZSTD) {
        return Ok((start, whole));
    }
    let unpacked: Input = Box::new(zstd::Decoder::new(whole).map_err(fail)?);
    peek(unpacked).map_err(fail)
}

const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Files that a recording may be, in a folder that was named instead of a file.
const NAMES: [&str; 6] = [
    "isotherm.tape",
    "isotherm.tape.zst",
    "session.recv.jsonl",
    "session.recv.jsonl.zst",
    "session.binary.recv.jsonl",
    "session.binary.recv.jsonl.zst",
];

fn locate(path: &Path) -> Result<PathBuf, Error> {
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    NAMES
        .iter()
        .map(|name| path.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| Error::Empty {
            name: path.display().to_string(),
        })
}

/// The first four bytes, and the input as if nobody had looked.
fn peek(mut input: Input) -> io::Result<(Vec<u8>, Input)> {
    let mut start = Vec::with_capacity(8);
    input.by_ref().take(8).read_to_end(&mut start)?;
    let whole = Box::new(io::Cursor::new(start.clone()).chain(input));
    Ok((start, whole))
}

#[cfg(test)]
mod tests;
