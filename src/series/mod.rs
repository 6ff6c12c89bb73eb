//! Series: values from outside, one JSON object a datagram, as events like any other.
//!
//! ```text
//!   {"name":"etf-flow","time":1795310064000,"value":-12350,"scale":2,"period":86400000}
//! ```
//! `time` is the moment the value is of, Unix milliseconds; `value` an integer in steps of 10^-`scale` (here -123.50);
//! `period` the time from one value to the next, milliseconds. Name, scale and period are declared in the plan, and a
//! datagram must say the same: a producer that changed its units must not pass unseen. Unknown fields are normal.
//!
//! [`Input`] is the socket, polled by the slow thread: it stamps what came within the rate and hands it over, to be put
//! on the tape as it is. [`Decoder`] makes an event of those bytes or says why not; live and replay feed it the same
//! bytes, so they get the same events. What is refused is counted by reason and changes nothing: a series that does
//! not come is absent, never zero.
//!
//! The system queues only some datagrams (`net.unix.max_dgram_qlen`); a producer should send without blocking and try
//! again later.

use crate::config::{External, Series as Declared};
use crate::event::{ALONE, Body, Event, Head, Series};
use crate::health::{Fault, FaultKind};
use crate::market::{SymbolId, VenueId};
use crate::time::{Clock, Nanos};
use crate::venue::lane::Lane;
use crate::venue::ledger::Ledger;
use crate::venue::{self, Dialect, Road, Said};
use crate::wire::Frame;
use serde::Deserialize;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Most bytes of a datagram.
pub const BYTES_MAX: usize = 1_024;
/// How far ahead of our clock a value's time may lie.
pub const AHEAD_MAX: Nanos = Nanos::MINUTE;
/// Datagrams looked at in one call.
// LIMIT: a flood beyond the rate is thrown away this many at a time; each is counted.
const LOOKS: u32 = 256;

/// Why a datagram was ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Not one JSON object with the five fields, or too long.
    Malformed,
    /// The plan has no series of that name.
    Undeclared,
    /// Another scale or period than the plan's.
    Terms,
    /// Older than the series' `max_age`, or not newer than its last value.
    Late,
    /// Further ahead of our clock than [`AHEAD_MAX`].
    Ahead,
    /// More a second than the plan admits.
    Rate,
    /// The system could not give it to us.
    Broken,
}

impl Reason {
    /// Every reason with its name.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("malformed", Self::Malformed),
        ("undeclared", Self::Undeclared),
        ("terms", Self::Terms),
        ("late", Self::Late),
        ("ahead", Self::Ahead),
        ("rate", Self::Rate),
        ("broken", Self::Broken),
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

#[derive(Deserialize)]
struct Datagram<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    time: i64,
    value: i64,
    scale: u8,
    period: i64,
}

/// Makes events of datagrams. Equal bytes and stamps in equal order give equal events.
#[derive(Debug, Clone)]
pub struct Decoder {
    declared: Vec<Declared>,
    /// Time of each series' last value; zero = none yet.
    last: Vec<Nanos>,
}

impl Decoder {
    /// A decoder for the series of a plan, numbered by their places.
    #[must_use]
    pub fn new(declared: &[Declared]) -> Self {
        Self {
            declared: declared.to_vec(),
            last: vec![Nanos::ZERO; declared.len()],
        }
    }

    /// The event of a datagram that came at `recv`: of no venue and no symbol, its `exch` the value's time.
    ///
    /// # Errors
    /// Why it is to be ignored; nothing is remembered of it then.
    pub fn decode(&mut self, recv: Nanos, bytes: &[u8]) -> Result<Event, Reason> {
        if bytes.len() > BYTES_MAX {
            return Err(Reason::Malformed);
        }
        let said: Datagram<'_> = serde_json::from_slice(bytes).map_err(|_| Reason::Malformed)?;
        let known = |declared: &Declared| declared.name == said.name;
        let which = self.declared.iter().position(known);
        let which = which.ok_or(Reason::Undeclared)?;
        let (Some(declared), Some(last)) = (self.declared.get(which), self.last.get_mut(which))
        else {
            return Err(Reason::Undeclared);
        };
        if said.scale != declared.scale || Nanos::millis(said.period) != declared.period {
            return Err(Reason::Terms);
        }
        let time = Nanos::millis(said.time);
        if time.since(recv) > AHEAD_MAX {
            return Err(Reason::Ahead);
        }
        if time <= *last || recv.since(time) > declared.max_age {
            return Err(Reason::Late);
        }
        *last = time;
        let head = Head {
            recv,
            exch: time,
            venue: VenueId(0),
            symbol: SymbolId(0),
            bits: ALONE,
        };
        let series = Series {
            which: u16::try_from(which).unwrap_or(u16::MAX),
            value: said.value,
            scale: said.scale,
            period: declared.period,
        };
        Ok(Event::new(head, Body::Series(series)))
    }

    /// Appends its memory, for a checkpoint.
    pub fn remember(&self, out: &mut Vec<u8>) {
        for last in &self.last {
            out.extend_from_slice(&last.get().to_le_bytes());
        }
    }

    /// Takes its memory back from the front of `from`; `None` when that is too short, and nothing is changed then.
    #[must_use]
    pub fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        let (mine, rest) = from.split_at_checked(self.last.len() * 8)?;
        for (last, bytes) in self.last.iter_mut().zip(mine.as_chunks::<8>().0) {
            *last = Nanos::new(i64::from_le_bytes(*bytes));
        }
        *from = rest;
        Some(())
    }
}

/// The series' language, so that their ring is a lane like any other.
#[derive(Debug)]
struct Spoken {
    decoder: Decoder,
    ledger: Ledger,
}

/// The lane of a ring of external series: what it gives for a taped datagram is what it gave live.
#[must_use]
pub fn lane(declared: &[Declared], number: u16) -> Lane {
    let spoken = Spoken {
        decoder: Decoder::new(declared),
        ledger: Ledger::new(0, 1),
    };
    Lane::of(venue::Decoder::of(Box::new(spoken)), VenueId(0), 0, number)
}

impl Dialect for Spoken {
    fn ledger(&self) -> &Ledger {
        &self.ledger
    }
    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }
    fn decode(&mut self, _leg: usize, recv: Nanos, frame: Frame<'_>) -> Result<Said, Fault> {
        self.ledger.scratch.clear();
        // What is ignored was counted by its reason when it came.
        let Ok(event) = self.decoder.decode(recv, frame.bytes()) else {
            return Ok(Said::IGNORED);
        };
        self.ledger.scratch.push(event);
        self.ledger.close(Road::Fast)
    }
    fn decode_tolerant(
        &mut self,
        leg: usize,
        recv: Nanos,
        frame: Frame<'_>,
    ) -> Result<Said, Fault> {
        self.decode(leg, recv, frame)
    }
    fn rest(&mut self, _recv: Nanos, _request: &str, _body: &[u8]) -> Result<Said, Fault> {
        Err(Fault::new(0, FaultKind::UnknownTopic))
    }
    fn leg_down(&mut self, _leg: usize) {}
    fn places(&self, _symbol: usize) -> (u8, u8) {
        (0, 0)
    }
    fn use_plain(&mut self) {}
    fn remember(&self, out: &mut Vec<u8>) {
        self.decoder.remember(out);
    }
    fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        self.decoder.recall(from)
    }
}

/// Admits so many a second, after a pause as many as a second's at once.
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// What one costs, time.
    cost: Nanos,
    /// Up to when time is spent.
    spent: Nanos,
}

impl Rate {
    fn new(most: u32) -> Self {
        Self {
            cost: Nanos::new(Nanos::SECOND.get() / i64::from(most.max(1))),
            spent: Nanos::ZERO,
        }
    }

    fn admits(&mut self, now: Nanos) -> bool {
        if self.spent < now {
            self.spent = now;
        }
        let after = self.spent.plus(self.cost);
        let fits = after.since(now) <= Nanos::SECOND;
        if fits {
            self.spent = after;
        }
        fits
    }
}

/// How many values were taken in, and how many datagrams ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Values.
    pub taken: u64,
    /// Datagrams, by place in [`Reason::NAMES`].
    pub ignored: [u64; Reason::NAMES.len()],
}

impl Counts {
    /// Datagrams ignored for a reason.
    #[must_use]
    pub const fn of(&self, reason: Reason) -> u64 {
        self.ignored[reason as usize]
    }
    /// All ignored datagrams.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.ignored.iter().sum()
    }
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// Another file has that name.
    #[error("{0}: is there already and is no socket; it is left alone")]
    NotASocket(PathBuf),
    /// Somebody listens.
    #[error("{0}: another process listens there; stop it or choose another path")]
    Live(PathBuf),
    /// Left over, but not by us.
    #[error(
        "{path}: belongs to user {theirs}, and this process is user {ours}; remove it or choose \
         another path"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        theirs: u32,
        /// Us.
        ours: u32,
    },
    /// The plan's owner is not known here.
    #[error("owner {0}: there is no such {1} on this machine")]
    Nobody(String, &'static str),
    /// The system refused.
    #[error("{path}: {what}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Its answer.
        source: io::Error,
    },
}

fn io_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> SeriesError {
    let path = path.to_path_buf();
    move |source| SeriesError::Io { path, what, source }
}

/// One datagram that came within the rate.
#[derive(Debug)]
pub struct Came<'a> {
    /// When it was received.
    pub recv: Nanos,
    /// Its bytes, to be taped as they are.
    pub bytes: &'a [u8],
    /// What it says, or why it is ignored; counted already.
    pub event: Result<Event, Reason>,
}

/// The socket and all it needs. Dropping it removes the socket's file, if that is still ours.
#[derive(Debug)]
pub struct Input {
    socket: UnixDatagram,
    path: PathBuf,
    /// Device and number of our file.
    file_id: (u64, u64),
    decoder: Decoder,
    rate: Rate,
    counts: Counts,
    room: Box<[u8]>,
}

impl Input {
    /// Makes the plan's socket; `None` when it has none. A file left behind by one of our user's processes that ended
    /// is replaced.
    ///
    /// # Errors
    /// See [`SeriesError`]; nothing is left behind.
    pub fn open(plan: &External, decoder: Decoder) -> Result<Option<Self>, SeriesError> {
        let Some(path) = &plan.socket else {
            return Ok(None);
        };
        let owner = plan.owner.as_deref().map(ids).transpose()?;
        is_free(path)?;
        // Made under another name and renamed when it is ready: who finds it finds it with its owner and mode.
        let mut name: OsString = path.as_os_str().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let fresh = PathBuf::from(name);
        let socket = UnixDatagram::bind(&fresh).map_err(io_error(path, "making the socket"))?;
        let ready = (|| {
            let mode = Permissions::from_mode(plan.mode);
            fs::set_permissions(&fresh, mode).map_err(io_error(path, "setting its mode"))?;
            if let Some((user, group)) = owner {
                chown(&fresh, user, group).map_err(io_error(path, "giving it to its owner"))?;
            }
            socket
                .set_nonblocking(true)
                .map_err(io_error(path, "making it nonblocking"))?;
            let about = fs::symlink_metadata(&fresh).map_err(io_error(path, "looking at it"))?;
            fs::rename(&fresh, path).map_err(io_error(path, "naming it"))?;
            Ok((about.dev(), about.ino()))
        })();
        let file_id = ready.inspect_err(|_| {
            // It has no other name yet.
            let _ = fs::remove_file(&fresh);
        })?;
        Ok(Some(Self {
            socket,
            path: path.clone(),
            file_id,
            decoder,
            rate: Rate::new(plan.rate_max),
            counts: Counts::default(),
            room: vec![0; BYTES_MAX + 1].into_boxed_slice(),
        }))
    }

    /// The next datagram within the rate; `None` when there is none now. Never waits.
    pub fn next(&mut self, clock: &impl Clock) -> Option<Came<'_>> {
        for _ in 0..LOOKS {
            let len = match self.socket.recv(&mut self.room) {
                Ok(len) => len,
                Err(fault) => {
                    let quiet = matches!(
                        fault.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    );
                    if !quiet {
                        self.ignore(Reason::Broken);
                    }
                    return None;
                }
            };
            let recv = clock.now();
            if !self.rate.admits(recv) {
                self.ignore(Reason::Rate);
                continue;
            }
            // What is longer than the room was cut to it, and is too long by that byte.
            let event = match self.room.get(..len) {
                Some(bytes) => self.decoder.decode(recv, bytes),
                None => Err(Reason::Malformed),
            };
            match event {
                Ok(_) => self.counts.taken += 1,
                Err(reason) => self.ignore(reason),
            }
            let bytes = self.room.get(..len).unwrap_or_default();
            return Some(Came { recv, bytes, event });
        }
        None
    }

    fn ignore(&mut self, reason: Reason) {
        if let Some(count) = self.counts.ignored.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// What came so far.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let about = fs::symlink_metadata(&self.path);
        if about.is_ok_and(|about| (about.dev(), about.ino()) == self.file_id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Nothing stands at `path`, or a socket of ours that nobody reads any more.
fn is_free(path: &Path) -> Result<(), SeriesError> {
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io_error(path, "looking for it")(e)),
    };
    if !about.file_type().is_socket() {
        return Err(SeriesError::NotASocket(path.to_path_buf()));
    }
    let ours = rustix::process::geteuid().as_raw();
    let alive = UnixDatagram::unbound()
        .and_then(|socket| socket.connect(path))
        .is_ok();
    if alive {
        return Err(SeriesError::Live(path.to_path_buf()));
    }
    if about.uid() != ours {
        return Err(SeriesError::Foreign {
            path: path.to_path_buf(),
            theirs: about.uid(),
            ours,
        });
    }
    Ok(())
}

/// Numbers of `user` or `user:group`; the group is left as it is when none is named.
fn ids(owner: &str) -> Result<(Option<u32>, Option<u32>), SeriesError> {
    let (user, group) = match owner.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (owner, None),
    };
    let user = id(user, "/etc/passwd", "user")?;
    let group = group
        .map(|group| id(group, "/etc/group", "group"))
        .transpose()?;
    Ok((Some(user), group))
}

/// A number, or the third field of the line that begins with the name: users and groups have it at the same place.
// LIMIT: names from elsewhere (LDAP) are not known; their numbers do.
fn id(name: &str, file: &str, what: &'static str) -> Result<u32, SeriesError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let list = fs::read_to_string(file).map_err(io_error(Path::new(file), "reading it"))?;
    list.lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name))
        .and_then(|fields| fields.get(2)?.parse().ok())
        .ok_or_else(|| SeriesError::Nobody(name.to_owned(), what))
}

#[cfg(test)]
mod tests;
