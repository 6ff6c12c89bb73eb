//! Ordered: a recording as turns, so that a replay steps exactly what the live shard stepped.
//!
//! The journal and the frames reach the writer through different rings, so in the file a turn may
//! stand before or behind the frames it speaks of. A *group* is a Frame, Rest, Events, Connect or
//! Disconnect record that yielded at least one event; the shard takes whole groups only, and ticks
//! only between groups. Which records yield events is known after decoding, which is not done here,
//! so the replay pulls:
//!
//! ```text
//!   file   F0a F1a Order{0,2} Ticks{t,3} F0b F0c Order{1,1} F1b Order{0,1}   (F0b: no event)
//!
//!   next_turn      -> Ring{0,2}     next_record(0) -> F0a    one group
//!                                   next_record(0) -> F0b    no event: not a group, pull again
//!                                   next_record(0) -> F0c    two groups: the turn is done
//!   next_turn      -> Tick{t,3}     step ticks t, t+10ms, t+20ms
//!   next_turn      -> Ring{1,1}     next_record(1) -> F1a
//!   next_turn      -> Ring{0,1}     next_record(0) -> ...
//!   next_turn      -> None          the journal is over: what is left was never stepped
//! ```
//! The same loop serves both sources:
//!
//! ```text
//!   while let Some(turn) = ordered.next_turn()? {
//!       match turn {
//!           Turn::Tick { first, count } => step the ticks,
//!           Turn::Ring { ring, mut groups } => while groups > 0 {
//!               let Some(record) = ordered.next_record(ring)? else { break };
//!               if decode and step (record) stepped any event { groups -= 1 }
//!           }
//!       }
//!   }
//! ```
//! Rings here are lanes: the legs of a lane share one queue, and a record comes out with its whole
//! ring byte. A turn that names a record which the tape does not hold ends the run: what is behind it
//! cannot be stepped as it was.
//!
//! `None` is the end of a run. A folder may hold several: [`Ordered::next_run`] goes on, and
//! [`Ordered::up`] says which connections the run that ended has left up, so that whoever goes on
//! from its state can step them down, as the restarted engine did.
//!
//! Without a journal (sessions, recorder-only tapes) every record is a turn of its own, in file
//! order; ticks are made from its stamp by [`Grid`] and come before it; `next_record` gives the one
//! record and then `None`, whether or not it yielded events.
//!
//! Memory grows with the skew between journal and frames, at most [`HELD_MAX`], not with the
//! recording.

use super::{Error, Grid, Header, Kind, Reader, Record, Source, Writer, lane_of, open};
use crate::time::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::Path;

/// Most bytes that may wait for their turn.
pub const HELD_MAX: usize = 256 << 20;

/// What the shard does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Step `count` ticks, the first at `first`, 10 ms apart.
    Tick {
        /// Stamp of the first.
        first: Nanos,
        /// How many, at least 1.
        count: u32,
    },
    /// Take `groups` groups from `ring`.
    Ring {
        /// Which.
        ring: u8,
        /// How many, at least 1.
        groups: u32,
    },
}

/// A record that waits, with its text copied.
#[derive(Debug)]
struct Held {
    kind: Kind,
    ring: u8,
    stamp: Nanos,
    /// Where the body begins in `text`, for REST.
    split: usize,
    text: Vec<u8>,
}

impl Held {
    fn copy(record: &Record<'_>, mut text: Vec<u8>) -> Self {
        let (first, second) = record.text();
        text.clear();
        text.extend_from_slice(first);
        text.extend_from_slice(second);
        Self {
            kind: record.kind(),
            ring: record.ring(),
            stamp: record.stamp(),
            split: first.len(),
            text,
        }
    }

    /// The record again. Only kinds that belong to a ring are ever held.
    fn record(&self) -> Record<'_> {
        let (ring, recv, bytes) = (self.ring, self.stamp, self.text.as_slice());
        // It was copied from a `str`, so it is one.
        let word = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        match self.kind {
            Kind::Sent => Record::Sent {
                ring,
                at: recv,
                bytes,
            },
            Kind::Connect => Record::Connect {
                ring,
                recv,
                url: word(bytes),
            },
            Kind::Disconnect => Record::Disconnect {
                ring,
                recv,
                reason: word(bytes),
            },
            Kind::Rest => Record::Rest {
                ring,
                recv,
                request: word(&bytes[..self.split]),
                body: &bytes[self.split..],
            },
            Kind::Events => Record::Events { ring, recv, bytes },
            _ => Record::Frame { ring, recv, bytes },
        }
    }

    const fn bytes(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
}

/// How far a recording has been played: what was read of it, and what of that was not consumed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// The run.
    pub run: u64,
    /// Number in the folder of the segment to read on in; 0 for one file.
    pub segment: u32,
    /// Records of that segment that were read.
    pub records: u64,
    /// Ring bytes of the connections that were up.
    pub up: Vec<u8>,
    /// Turns and records that were read and wait, as a small tape: a lane that says nothing that
    /// is an event (pongs, for days) must not hold back the segment its last record is in.
    #[serde(skip)]
    pub pending: Vec<u8>,
}

/// What one record of the source is to the order.
enum Read {
    Turn(Turn),
    Held(Held),
    /// It closes a file.
    Close(Vec<u8>),
}

impl Read {
    /// Copies a record; `spare` is memory to use again.
    fn of(record: &Record<'_>, spare: Vec<u8>) -> Self {
        match record {
            Record::Ticks { first, count } => Self::Turn(Turn::Tick {
                first: *first,
                count: *count,
            }),
            Record::Order { ring, groups } => Self::Turn(Turn::Ring {
                ring: lane_of(*ring),
                groups: *groups,
            }),
            record if record.kind().closes() => Self::Close(spare),
            record => Self::Held(Held::copy(record, spare)),
        }
    }
}

/// A recording in the order of consumption. See the file's drawing for the contract.
#[derive(Debug)]
pub struct Ordered {
    source: Source,
    journalled: bool,
    /// Turns read ahead of their records.
    journal: VecDeque<Turn>,
    /// Records read ahead of their turns, one queue a lane.
    rings: Vec<VecDeque<Held>>,
    held: usize,
    /// The segment last read from, and how many of its records were read.
    segment: u32,
    records: u64,
    /// A turn could not be satisfied.
    is_over: bool,
    /// Connections that are up, a bit a ring byte.
    up: [u64; 4],
    /// Without a journal: the record whose ticks are being given.
    pending: Option<Held>,
    grid: Grid,
    /// The record last given out, which borrows from here, then buffers to use again.
    current: Option<Held>,
    spare: Vec<Vec<u8>>,
}

impl Ordered {
    /// Orders an opened source, which must not have been read from.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            journalled: source.header().is_some_and(|header| header.journalled),
            source,
            journal: VecDeque::new(),
            rings: Vec::new(),
            held: 0,
            segment: 0,
            records: 0,
            is_over: false,
            up: [0; 4],
            pending: None,
            grid: Grid::default(),
            current: None,
            spare: Vec::new(),
        }
    }

    /// Orders a folder from where an earlier play of it stood.
    ///
    /// # Errors
    /// As [`Chain::open`](super::Chain::open); [`Error::Header`] when the segment there is of
    /// another run, the run has no journal, which is needed to tell what was consumed, or less was
    /// recorded than was read: a machine that lost power may have kept the position and not the
    /// tape.
    pub fn resume(folder: &Path, at: &Position) -> Result<Self, Error> {
        let chain = super::Chain::open(folder, at.segment)?;
        let name = chain.name().to_owned();
        let refuse = |reason: &str| Error::Header {
            name: name.clone(),
            reason: reason.to_owned(),
        };
        if chain.segment() != at.segment || chain.header().run != at.run {
            let gone = format!("segment {} of run {} is not there", at.segment, at.run);
            return Err(refuse(&gone));
        }
        let mut ordered = Self::new(Source::Folder(Box::new(chain)));
        if !ordered.journalled {
            return Err(refuse("it has no journal to resume in"));
        }
        for _ in 0..at.records {
            let is_there = ordered.source.next_record()?.is_some();
            if !is_there || ordered.source.segment() != at.segment {
                return Err(refuse("it ends before the place to resume at"));
            }
        }
        (ordered.segment, ordered.records) = (at.segment, at.records);
        at.up.iter().for_each(|ring| ordered.set_up(*ring, true));
        let mut pending = Reader::new(&name, at.pending.as_slice())?;
        while let Some(record) = pending.next_record()? {
            ordered.keep(Read::of(&record, Vec::new()))?;
        }
        Ok(ordered)
    }

    /// Where it stands between two turns, so that [`Ordered::resume`] goes on with the next.
    ///
    /// # Errors
    /// None that a tape which could be read gives.
    pub fn position(&self) -> Result<Position, Error> {
        let mut pending = Writer::new(Vec::new(), &Header::default())?;
        for turn in &self.journal {
            pending.append(&Record::from(*turn))?;
        }
        for held in self.rings.iter().flatten() {
            pending.append(&held.record())?;
        }
        Ok(Position {
            run: self.source.header().map_or(0, |header| header.run),
            segment: match self.records {
                0 => self.source.segment(),
                _ => self.segment,
            },
            records: self.records,
            up: self.up(),
            pending: std::mem::take(pending.out()),
        })
    }

    /// Ring bytes of the connections that are up by the records given out, in order.
    #[must_use]
    pub fn up(&self) -> Vec<u8> {
        let is_up = |ring: &u8| self.up[usize::from(ring >> 6)] & 1 << (ring & 63) != 0;
        (0..=u8::MAX).filter(is_up).collect()
    }

    fn set_up(&mut self, ring: u8, is_up: bool) {
        let (word, bit) = (&mut self.up[usize::from(ring >> 6)], 1 << (ring & 63));
        if is_up { *word |= bit } else { *word &= !bit }
    }

    /// Goes on to the next run of a folder, from whose first record on turns are given; false when
    /// there is none. What was up in the old run is forgotten.
    ///
    /// # Errors
    /// Those of the source.
    pub fn next_run(&mut self) -> Result<bool, Error> {
        if !self.source.next_run()? {
            return Ok(false);
        }
        self.journalled = self.source.header().is_some_and(|header| header.journalled);
        self.journal.clear();
        self.rings.clear();
        self.held = 0;
        self.records = 0;
        self.is_over = false;
        self.up = [0; 4];
        self.pending = None;
        self.grid = Grid::default();
        Ok(true)
    }

    /// The head of the run; `None` for a session.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        self.source.header()
    }

    /// Whether the run is there from its beginning; retention may have taken its first segments.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.header().is_none_or(|header| header.segment <= 1)
    }

    /// Whether a turn named a record that the tape does not hold, which ended the run.
    #[must_use]
    pub const fn is_short(&self) -> bool {
        self.is_over
    }

    /// Opens and orders a recording.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self::new(open(path)?))
    }

    /// What comes next; `None` when the recording, or its journal, is over.
    ///
    /// # Errors
    /// Those of the source, and [`Error::Skew`].
    pub fn next_turn(&mut self) -> Result<Option<Turn>, Error> {
        if self.journalled {
            while !self.is_over && self.journal.is_empty() && self.pump()? {}
            return Ok(self.journal.pop_front());
        }
        let next = match self.pending.take() {
            Some(next) => next,
            None => {
                // A turn that was not taken is passed over.
                self.rings.iter_mut().for_each(VecDeque::clear);
                let spare = self.spare.pop().unwrap_or_default();
                match self.source.next_record()? {
                    None => return Ok(None),
                    Some(record) if record.kind().closes() => return Ok(None),
                    Some(Record::Ticks { .. } | Record::Order { .. }) => {
                        return Err(Error::Header {
                            name: self.source.name().to_owned(),
                            reason: "it says it has no journal, and has one".to_owned(),
                        });
                    }
                    Some(record) => Held::copy(&record, spare),
                }
            }
        };
        if let Some((first, count)) = self.grid.due(next.stamp) {
            self.pending = Some(next);
            return Ok(Some(Turn::Tick { first, count }));
        }
        let turn = Turn::Ring {
            ring: lane_of(next.ring),
            groups: 1,
        };
        self.queue(next);
        Ok(Some(turn))
    }

    /// The next record of a lane, in its order, borrowed until the next call; `None` when there is
    /// none.
    ///
    /// # Errors
    /// Those of the source, and [`Error::Skew`].
    pub fn next_record(&mut self, ring: u8) -> Result<Option<Record<'_>>, Error> {
        if let Some(done) = self.current.take() {
            self.spare.push(done.text);
        }
        let found = loop {
            let waiting = self.rings.get_mut(usize::from(lane_of(ring)));
            if let Some(held) = waiting.and_then(VecDeque::pop_front) {
                self.held -= held.bytes().min(self.held);
                break Some(held);
            }
            if !self.journalled {
                break None;
            }
            if self.is_over || !self.pump()? {
                self.is_over = true;
                self.journal.clear();
                break None;
            }
        };
        match found.as_ref().map(|held| (held.kind, held.ring)) {
            Some((Kind::Connect, ring)) => self.set_up(ring, true),
            Some((Kind::Disconnect, ring)) => self.set_up(ring, false),
            _ => {}
        }
        self.current = found;
        Ok(self.current.as_ref().map(Held::record))
    }

    /// Reads one record of a journalled tape to where it waits; false at the end.
    fn pump(&mut self) -> Result<bool, Error> {
        let spare = self.spare.pop().unwrap_or_default();
        let Some(record) = self.source.next_record()? else {
            return Ok(false);
        };
        let read = Read::of(&record, spare);
        if self.source.segment() != self.segment {
            self.segment = self.source.segment();
            self.records = 0;
        }
        self.records += 1;
        self.keep(read)?;
        Ok(true)
    }

    /// Puts what was read where it waits.
    fn keep(&mut self, read: Read) -> Result<(), Error> {
        match read {
            Read::Turn(turn) => self.journal.push_back(turn),
            Read::Close(spare) => self.spare.push(spare),
            Read::Held(held) => self.queue(held),
        }
        if self.held + self.journal.len() * size_of::<Turn>() > HELD_MAX {
            return Err(Error::Skew {
                name: self.source.name().to_owned(),
                held: self.held,
                max: HELD_MAX,
            });
        }
        Ok(())
    }

    fn queue(&mut self, held: Held) {
        let ring = usize::from(lane_of(held.ring));
        if self.rings.len() <= ring {
            self.rings.resize_with(ring + 1, VecDeque::new);
        }
        self.held += held.bytes();
        if let Some(queue) = self.rings.get_mut(ring) {
            queue.push_back(held);
        }
    }

    /// Whether the order of this run comes from a journal rather than from receive stamps.
    #[must_use]
    pub const fn is_journalled(&self) -> bool {
        self.journalled
    }

    /// The source, for its head, End and torn bytes.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// Records read and not given out: after the last turn of a clean tape, what was received but
    /// never stepped.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.rings.iter().map(VecDeque::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::{End, Header, Input, Reader, Session, Writer};

    fn tape(header: &Header, records: &[Record<'_>], end: bool) -> Ordered {
        let mut writer = Writer::new(Vec::new(), header).unwrap();
        for record in records {
            writer.append(record).unwrap();
        }
        let bytes = writer.finish(End::default()).unwrap();
        let cut = if end { 0 } else { 5 };
        let bytes = bytes[..bytes.len() - cut].to_vec();
        let input: Input = Box::new(std::io::Cursor::new(bytes));
        Ordered::new(Source::Tape(Box::new(Reader::new("t", input).unwrap())))
    }

    /// The driver of the contract; a frame that begins with `-` yields no event.
    fn drive(ordered: &mut Ordered) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(turn) = ordered.next_turn().unwrap() {
            match turn {
                Turn::Tick { first, count } => {
                    said.push(format!("tick {} x{count}", first.get() / 1_000_000));
                }
                Turn::Ring { ring, mut groups } => {
                    while groups > 0 {
                        let Some(record) = ordered.next_record(ring).unwrap() else {
                            break;
                        };
                        if let Record::Frame { ring, bytes, .. } = record {
                            let text = String::from_utf8_lossy(bytes);
                            if bytes.starts_with(b"-") {
                                said.push(format!("({ring}{text})"));
                                continue;
                            }
                            said.push(format!("{ring}{text}"));
                        } else {
                            said.push(format!("{:?}", record.kind()));
                            if matches!(record, Record::Sent { .. }) {
                                continue;
                            }
                        }
                        groups -= 1;
                    }
                }
            }
        }
        said
    }

    fn frame(ring: u8, text: &str) -> Record<'_> {
        Record::Frame {
            ring,
            recv: Nanos::SECOND,
            bytes: text.as_bytes(),
        }
    }

    const fn order(ring: u8, groups: u32) -> Record<'static> {
        Record::Order { ring, groups }
    }

    const JOURNALLED: bool = true;

    fn header(journalled: bool) -> Header {
        Header {
            journalled,
            ..Header::default()
        }
    }

    #[test]
    fn the_drawing_holds() {
        let ticks = Record::Ticks {
            first: Nanos::millis(20),
            count: 3,
        };
        let mut ordered = tape(
            &header(JOURNALLED),
            &[
                frame(0, "a"),
                frame(1, "a"),
                order(0, 2),
                ticks,
                frame(0, "-b"),
                frame(0, "c"),
                order(1, 1),
                frame(1, "b"),
                order(0, 1),
                frame(0, "d"),
            ],
            true,
        );
        assert!(ordered.is_journalled());
        assert_eq!(
            drive(&mut ordered),
            ["0a", "(0-b)", "0c", "tick 20 x3", "1a", "0d"]
        );
        // Received, never stepped.
        assert_eq!(ordered.waiting(), 1);
        assert_eq!(ordered.source().end(), Some(End::default()));
    }

    #[test]
    fn skew_between_journal_and_frames_changes_nothing() {
        let frames = ["0a", "1a", "0-b", "0c", "1b", "1-c", "0d", "1d"];
        let turns = [
            order(0, 1),
            order(1, 2),
            Record::Ticks {
                first: Nanos::millis(10),
                count: 1,
            },
            order(0, 2),
            order(1, 1),
        ];
        let want = [
            "0a",
            "1a",
            "1b",
            "tick 10 x1",
            "(0-b)",
            "0c",
            "0d",
            "(1-c)",
            "1d",
        ];
        // Every way to merge the two streams by a bit pattern.
        for pattern in 0u32..1 << 13 {
            if pattern.count_ones() as usize != turns.len() {
                continue;
            }
            let mut left = frames.iter();
            let mut right = turns.iter();
            let records: Vec<Record<'_>> = (0..13)
                .map(|bit| {
                    if pattern >> bit & 1 == 1 {
                        *right.next().unwrap()
                    } else {
                        let (ring, text) = left.next().unwrap().split_at(1);
                        frame(ring.parse().unwrap(), text)
                    }
                })
                .collect();
            let mut ordered = tape(&header(JOURNALLED), &records, pattern & 1 == 0);
            assert_eq!(drive(&mut ordered), want, "{pattern:b}");
        }
    }

    #[test]
    fn a_journal_without_its_frames_ends() {
        let mut ordered = tape(&header(JOURNALLED), &[frame(0, "a"), order(0, 3)], false);
        assert_eq!(drive(&mut ordered), ["0a"]);
        assert!(ordered.source().torn() > 0);
        let mut ordered = tape(&header(JOURNALLED), &[order(9, 1)], true);
        assert_eq!(drive(&mut ordered), [""; 0]);
    }

    #[test]
    fn a_tape_without_a_journal_goes_by_its_stamps() {
        let at = |ms, text: &'static str| Record::Frame {
            ring: 0,
            recv: Nanos::millis(ms),
            bytes: text.as_bytes(),
        };
        let records = [at(100, "a"), at(105, "-b"), at(112, "c"), at(112, "d")];
        let mut ordered = tape(&header(false), &records, true);
        assert_eq!(
            drive(&mut ordered),
            ["tick 100 x1", "0a", "(0-b)", "tick 110 x1", "0c", "0d"]
        );
        let mut lying = tape(&header(false), &[order(0, 1)], true);
        assert!(matches!(lying.next_turn(), Err(Error::Header { .. })));
    }

    #[test]
    fn a_session_becomes_turns() {
        let text = concat!(
            "{\"recv_ns\":1003000000,\"kind\":\"connect\",\"url\":\"ws://x\"}\n",
            "{\"recv_ns\":1003000000,\"kind\":\"send\",\"frame\":\"s\"}\n",
            "{\"recv_ns\":1010000000,\"kind\":\"recv\",\"frame\":\"a\"}\n",
            "{\"recv_ns\":1010000000,\"kind\":\"recv\",\"frame\":\"b\"}\n",
            "{\"recv_ns\":1009000000,\"kind\":\"recv\",\"frame\":\"-back\"}\n",
            "{\"recv_ns\":1050000000,\"kind\":\"recv\",\"frame\":\"c\"}\n",
            "{\"recv_ns\":1050000001,\"kind\":\"recv\",\"frame\":\"d\"}\n",
        );
        let session = Session::new("s", Box::new(text.as_bytes()), None).unwrap();
        let mut ordered = Ordered::new(Source::Session(Box::new(session)));
        assert_eq!(
            drive(&mut ordered),
            [
                "tick 1000 x1",
                "Connect",
                "Sent",
                "tick 1010 x1",
                "0a",
                "0b",
                "(0-back)",
                "tick 1020 x4",
                "0c",
                "0d",
            ]
        );
    }

    #[test]
    fn turns_not_taken_are_passed_over() {
        let mut ordered = tape(&header(false), &[frame(0, "a"), frame(0, "b")], true);
        let mut turns = 0;
        while ordered.next_turn().unwrap().is_some() {
            turns += 1;
        }
        assert_eq!((turns, ordered.waiting()), (3, 0));
    }
}
