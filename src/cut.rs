//! Cut: a part of a recording as a new one.
//!
//! What begins where a run begins is copied in file order: a journal record stands behind all it speaks of, so any
//! beginning of a tape is consistent. What begins later is played, because only decoding tells where a turn's groups
//! begin. The new tape then starts between two turns with what was up there: every connection with the subscriptions
//! sent on it, and the last answer to each request. Its groups are counted by decoders that know no more than that,
//! and its End is theirs, so a replay of the cut proves itself.

use crate::replay::{Cast, Pace, ReplayError};
use crate::shm::record::Nowhere;
use crate::tape::recorder::is_folder;
use crate::tape::subscriptions::topics_of;
use crate::tape::{self, End, Header, Limits, Ordered, Record, Recorder, Source, Turn, lane_of};
use crate::time::Nanos;
use std::collections::BTreeMap;
use std::path::Path;

/// Bytes of REST answers that are carried to the place where a cut begins.
const ANSWERS_MAX: usize = 64 << 20;

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// From this time on; `None` = from the beginning.
    pub from: Option<Nanos>,
    /// Before this time; `None` = to the end.
    pub to: Option<Nanos>,
    /// At most so many records, those that a late beginning adds not counted; `None` = all.
    pub first: Option<u64>,
}

/// What was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Records written.
    pub records: u64,
    /// Runs they are of.
    pub runs: u32,
}

/// Why nothing was cut; the new recording is then not there.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The recording, or the new one.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The new one is there.
    #[error("{0}: this is there already; choose another name")]
    There(String),
    /// Too much for one file.
    #[error("{0}: more than one run is in this range: name a folder to cut to")]
    Runs(String),
    /// Nothing to write.
    #[error("{0}: no record in this range")]
    Nothing(String),
    /// The new one cannot be written.
    #[error("{0}")]
    Unwritable(String),
}

impl From<tape::Error> for CutError {
    fn from(error: tape::Error) -> Self {
        Self::Replay(error.into())
    }
}

/// Cuts `range` out of the recording at `path` into `to`: a file when it ends in `.tape`, else a folder.
///
/// # Errors
/// See [`CutError`].
pub fn cut(path: &Path, range: &Range, to: &Path) -> Result<Done, CutError> {
    if to.exists() {
        return Err(CutError::There(to.display().to_string()));
    }
    let source = tape::open(path)?;
    let is_late = source.header().is_some_and(|header| header.journalled) && range.from.is_some();
    let mut knife = Knife {
        to,
        range: *range,
        left: range.first.unwrap_or(u64::MAX),
        done: Done::default(),
        recorder: None,
    };
    let cut = if is_late {
        knife.late(Ordered::new(source))
    } else {
        knife.early(source)
    };
    if let Err(error) = cut {
        // What was begun would look like a sound recording that somebody killed.
        let is_ours = knife.done.runs > 0;
        drop(knife);
        let _ = match (is_ours, to.is_dir()) {
            (false, _) => Ok(()),
            (true, true) => std::fs::remove_dir_all(to),
            (true, false) => std::fs::remove_file(to),
        };
        return Err(error);
    }
    match knife.done.runs {
        0 => Err(CutError::Nothing(path.display().to_string())),
        _ => Ok(knife.done),
    }
}

struct Knife<'a> {
    to: &'a Path,
    range: Range,
    left: u64,
    done: Done,
    recorder: Option<Recorder>,
}

impl Knife<'_> {
    fn is_over(&self, now: Nanos) -> bool {
        self.left == 0 || self.range.to.is_some_and(|to| now >= to)
    }

    /// Begins a run of the new recording.
    fn begin(&mut self, header: &Header) -> Result<(), CutError> {
        if self.done.runs == 1 && !is_folder(self.to) {
            return Err(CutError::Runs(self.to.display().to_string()));
        }
        self.recorder = Some(Recorder::begin(self.to, header, &Limits::default())?);
        self.done.runs += 1;
        Ok(())
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), CutError> {
        let Some(recorder) = self.recorder.as_mut() else {
            return Ok(());
        };
        if !recorder.append(record) {
            let told = recorder.told();
            let why = told.failed().unwrap_or("it cannot be written");
            return Err(CutError::Unwritable(why.to_owned()));
        }
        self.done.records += 1;
        Ok(())
    }

    fn end(&mut self, end: Option<End>) -> Result<(), CutError> {
        match self.recorder.take() {
            Some(recorder) => recorder.finish(end).map_err(CutError::Unwritable),
            None => Ok(()),
        }
    }

    /// Copies in file order.
    fn early(&mut self, mut source: Source) -> Result<(), CutError> {
        // What was left out cannot arrive at the same hash.
        let mut is_whole = self.range.from.is_none();
        loop {
            let header = source.header().cloned().unwrap_or_default();
            is_whole &= header.segment <= 1;
            let mut is_over = false;
            while let Some(record) = source.next_record()? {
                let stamp = record.stamp();
                is_over |= self.is_over(stamp);
                if is_over || record.kind().closes() {
                    break;
                }
                if self.range.from.is_some_and(|from| stamp < from) {
                    continue;
                }
                if self.recorder.is_none() {
                    self.begin(&header)?;
                }
                self.write(&record)?;
                self.left -= 1;
            }
            let end = source.end().filter(|_| is_whole && !is_over);
            self.end(end)?;
            if is_over || !source.next_run()? {
                return Ok(());
            }
        }
    }

    /// Plays up to the beginning, then writes what is played.
    fn late(&mut self, mut ordered: Ordered) -> Result<(), CutError> {
        loop {
            let Some(header) = ordered.header().cloned() else {
                return Ok(());
            };
            let name = ordered.source().name().to_owned();
            let mut play = Play {
                old: Cast::of_run(&name, &header, None)?,
                new: Cast::of_run(&name, &header, None)?,
                known: Known::default(),
            };
            let is_over = self.late_run(&mut ordered, &header, &mut play)?;
            let shard = &play.new.shard;
            self.end(Some(End {
                at: shard.now(),
                input_seq: shard.input_seq(),
                state_hash: shard.state_hash(),
            }))?;
            if is_over || !ordered.next_run()? {
                return Ok(());
            }
        }
    }

    /// One run; true when the range is over.
    fn late_run(
        &mut self,
        ordered: &mut Ordered,
        header: &Header,
        play: &mut Play,
    ) -> Result<bool, CutError> {
        let from = self.range.from.unwrap_or(Nanos::ZERO);
        while let Some(turn) = ordered.next_turn()? {
            let now = match turn {
                Turn::Tick { first, .. } => first.max(play.old.shard.now()),
                Turn::Ring { .. } => play.old.shard.now(),
            };
            if self.is_over(now) {
                return Ok(true);
            }
            if self.recorder.is_none() && now >= from {
                // It goes on from no state but what stands at its beginning.
                self.begin(&Header {
                    continues: false,
                    ..header.clone()
                })?;
                self.preamble(play, now)?;
            }
            self.turn(ordered, turn, play)?;
        }
        Ok(false)
    }

    /// Writes what was up, as if it had just come.
    fn preamble(&mut self, play: &mut Play, now: Nanos) -> Result<(), CutError> {
        let known = std::mem::take(&mut play.known);
        for (ring, line) in &known.lines {
            let connect = Record::Connect {
                ring: *ring,
                recv: now,
                url: &line.url,
            };
            self.alone(play, &connect)?;
            for text in &line.sent {
                let sent = Record::Sent {
                    ring: *ring,
                    at: now,
                    bytes: text,
                };
                self.alone(play, &sent)?;
            }
        }
        for answer in &known.answers {
            let rest = Record::Rest {
                ring: answer.ring,
                recv: now,
                request: &answer.request,
                body: &answer.body,
            };
            self.alone(play, &rest)?;
        }
        Ok(())
    }

    /// Writes a record, and a turn for it when it yields events.
    fn alone(&mut self, play: &mut Play, record: &Record<'_>) -> Result<(), CutError> {
        self.write(record)?;
        if play.new.record(record, &mut Pace::none(), &mut Nowhere)? {
            let ring = lane_of(record.ring());
            self.write(&Record::Order { ring, groups: 1 })?;
        }
        Ok(())
    }

    /// Plays a turn; writes it, once the new recording has begun, with the groups that its decoders find.
    fn turn(&mut self, ordered: &mut Ordered, turn: Turn, play: &mut Play) -> Result<(), CutError> {
        let is_on = self.recorder.is_some();
        match turn {
            Turn::Tick { first, count } => {
                play.old
                    .ticks(first, count, &mut Pace::none(), &mut Nowhere);
                if is_on {
                    play.new
                        .ticks(first, count, &mut Pace::none(), &mut Nowhere);
                    self.write(&turn.into())?;
                    self.left = self.left.saturating_sub(1);
                }
            }
            Turn::Ring { ring, groups } => {
                let (mut left, mut found) = (groups, 0);
                while left > 0 {
                    let Some(record) = ordered.next_record(ring)? else {
                        break;
                    };
                    left -= u32::from(play.old.record(&record, &mut Pace::none(), &mut Nowhere)?);
                    if is_on {
                        self.write(&record)?;
                        found +=
                            u32::from(play.new.record(&record, &mut Pace::none(), &mut Nowhere)?);
                        self.left = self.left.saturating_sub(1);
                    } else {
                        play.known.note(&record);
                    }
                }
                if found > 0 {
                    self.write(&Record::Order {
                        ring,
                        groups: found,
                    })?;
                    self.left = self.left.saturating_sub(1);
                }
            }
        }
        Ok(())
    }
}

/// The engine that says where turns begin, the one that knows only the new recording, and what it is told first.
struct Play {
    old: Cast,
    new: Cast,
    known: Known,
}

/// What was up, and what was answered.
#[derive(Debug, Default)]
struct Known {
    /// Connections by ring byte.
    lines: BTreeMap<u8, Line>,
    /// The last answer to each request of a lane, oldest first.
    answers: Vec<Answer>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Line {
    url: String,
    /// Subscriptions sent on it, each once.
    sent: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Answer {
    ring: u8,
    request: String,
    body: Vec<u8>,
}

impl Known {
    fn note(&mut self, record: &Record<'_>) {
        let ring = record.ring();
        match *record {
            Record::Connect { url, .. } => {
                let url = url.to_owned();
                self.lines.insert(ring, Line { url, sent: vec![] });
            }
            Record::Disconnect { .. } => {
                self.lines.remove(&ring);
            }
            Record::Sent { bytes, .. } if !topics_of(bytes).is_empty() => {
                let line = self.lines.entry(ring).or_default();
                if !line.sent.iter().any(|sent| sent == bytes) {
                    line.sent.push(bytes.to_vec());
                }
            }
            Record::Rest { request, body, .. } => self.answered(ring, request, body),
            _ => {}
        }
    }

    fn answered(&mut self, ring: u8, request: &str, body: &[u8]) {
        let same = |answer: &Answer| answer.ring == ring && answer.request == request;
        if let Some(at) = self.answers.iter().position(same) {
            self.bytes -= self.answers.remove(at).body.len();
        }
        self.bytes += body.len();
        self.answers.push(Answer {
            ring,
            request: request.to_owned(),
            body: body.to_vec(),
        });
        // LIMIT: the oldest answers are left out; tables are asked for again every hour, and so are young.
        while self.bytes > ANSWERS_MAX && self.answers.len() > 1 {
            self.bytes -= self.answers.remove(0).body.len();
        }
    }
}
