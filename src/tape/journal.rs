//! Journal: the order in which the shard took its input, as runs.
//!
//! The loop around the shard notes every tick and every group it took; notes of the same kind grow
//! one run, and a run is given back when the next begins. Nothing here asks for memory: a [`Turn`]
//! is a few bytes and `Copy`, so the loop can push it into a ring and let another thread write it.

use super::{Record, Turn};
use crate::time::{Nanos, TICK};

/// The run being grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Journal {
    open: Option<Turn>,
}

impl Journal {
    /// Notes ticks or groups that were stepped; gives back the run this ends, to be written.
    ///
    /// A run that is full, or ticks that do not follow on the grid, end the run as well. A turn of
    /// nothing is not noted.
    #[must_use = "a run not written is lost to the replay"]
    pub fn note(&mut self, turn: Turn) -> Option<Turn> {
        if let Turn::Tick { count: 0, .. } | Turn::Ring { groups: 0, .. } = turn {
            return None;
        }
        let grown = self.open.and_then(|open| grow(open, turn));
        if grown.is_some() {
            self.open = grown;
            return None;
        }
        self.open.replace(turn)
    }

    /// Ends the run: before a flush, at a close.
    #[must_use = "a run not written is lost to the replay"]
    pub const fn close(&mut self) -> Option<Turn> {
        self.open.take()
    }
}

/// Both turns as one run, if they are one.
fn grow(open: Turn, next: Turn) -> Option<Turn> {
    match (open, next) {
        (
            Turn::Tick { first, count },
            Turn::Tick {
                first: then,
                count: more,
            },
        ) => {
            let gone = TICK.get().saturating_mul(i64::from(count));
            let follows = first.plus(Nanos::new(gone)) == then;
            let count = count.checked_add(more).filter(|_| follows)?;
            Some(Turn::Tick { first, count })
        }
        (
            Turn::Ring { ring, groups },
            Turn::Ring {
                ring: other,
                groups: more,
            },
        ) if ring == other => {
            let groups = groups.checked_add(more)?;
            Some(Turn::Ring { ring, groups })
        }
        _ => None,
    }
}

impl From<Turn> for Record<'static> {
    fn from(turn: Turn) -> Self {
        match turn {
            Turn::Tick { first, count } => Self::Ticks { first, count },
            Turn::Ring { ring, groups } => Self::Order { ring, groups },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::{End, Header, Input, Ordered, Reader, Source, Writer};
    use proptest::prelude::*;
    use std::collections::VecDeque;

    const fn tick(ms: i64, count: u32) -> Turn {
        Turn::Tick {
            first: Nanos::millis(ms),
            count,
        }
    }

    const fn ring(ring: u8, groups: u32) -> Turn {
        Turn::Ring { ring, groups }
    }

    #[test]
    fn runs_grow_until_something_else_happens() {
        let mut journal = Journal::default();
        let notes = [
            (tick(10, 1), None),
            (tick(20, 2), None),
            (tick(50, 1), Some(tick(10, 3))),
            (ring(0, 1), Some(tick(50, 1))),
            (ring(0, 1), None),
            (ring(0, 0), None),
            (ring(1, 1), Some(ring(0, 2))),
            (ring(1, u32::MAX), Some(ring(1, 1))),
        ];
        for (turn, ended) in notes {
            assert_eq!(journal.note(turn), ended, "{turn:?}");
        }
        assert_eq!(journal.close(), Some(ring(1, u32::MAX)));
        assert_eq!(journal.close(), None);
    }

    /// What a live shard took: a ring's frame that had events, or a tick.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Took {
        Frame(u8, u32),
        Tick(i64),
    }

    /// A live run: frames arrive on rings, some without events; after each arrival the shard may
    /// tick, and takes a group from a ring of its choice if one waits there. Returns the records in
    /// arrival order, the journal, and what the shard took.
    fn live(script: &[(u8, bool, bool, u8)]) -> (Vec<Record<'static>>, Vec<Turn>, Vec<Took>) {
        let (mut frames, mut turns, mut took) = (Vec::new(), Vec::new(), Vec::new());
        let mut rings: [VecDeque<u32>; 4] = Default::default();
        let mut journal = Journal::default();
        let mut now = 0;
        for (n, (on, quiet, ticks, from)) in script.iter().enumerate() {
            let text = format!("{}{n}", if *quiet { "-" } else { "" });
            frames.push(Record::Frame {
                ring: *on,
                recv: Nanos::millis(now),
                bytes: Box::leak(text.into_bytes().into_boxed_slice()),
            });
            if !quiet {
                rings[usize::from(*on)].push_back(n as u32);
            }
            if *ticks {
                now += 10;
                took.push(Took::Tick(now));
                turns.extend(journal.note(tick(now, 1)));
            }
            if let Some(n) = rings[usize::from(*from)].pop_front() {
                took.push(Took::Frame(*from, n));
                turns.extend(journal.note(ring(*from, 1)));
            }
        }
        turns.extend(journal.close());
        (frames, turns, took)
    }

    fn replay(mut ordered: Ordered) -> Vec<Took> {
        let mut took = Vec::new();
        while let Some(turn) = ordered.next_turn().unwrap() {
            match turn {
                Turn::Tick { first, count } => {
                    for n in 0..i64::from(count) {
                        took.push(Took::Tick(first.get() / 1_000_000 + n * 10));
                    }
                }
                Turn::Ring { ring, mut groups } => {
                    while groups > 0 {
                        let record = ordered.next_record(ring).unwrap().unwrap();
                        let Record::Frame { bytes, .. } = record else {
                            panic!("{record:?}");
                        };
                        if !bytes.starts_with(b"-") {
                            let n = std::str::from_utf8(bytes).unwrap().parse().unwrap();
                            took.push(Took::Frame(ring, n));
                            groups -= 1;
                        }
                    }
                }
            }
        }
        took
    }

    proptest! {
        #[test]
        fn a_replay_takes_what_the_live_shard_took(
            script in prop::collection::vec((0u8..4, any::<bool>(), any::<bool>(), 0u8..4), 0..60),
            merge in prop::collection::vec(any::<bool>(), 0..120),
        ) {
            let (frames, turns, took) = live(&script);
            // Journal and frames reach the file in any interleaving of the two.
            let header = Header { journalled: true, ..Header::default() };
            let mut writer = Writer::new(Vec::new(), &header).unwrap();
            let (mut frames, mut turns) = (frames.iter(), turns.into_iter());
            for frame_first in merge {
                if frame_first {
                    frames.next().into_iter().for_each(|frame| writer.append(frame).unwrap());
                } else {
                    turns.next().into_iter().for_each(|turn| writer.append(&turn.into()).unwrap());
                }
            }
            turns.for_each(|turn| writer.append(&turn.into()).unwrap());
            frames.for_each(|frame| writer.append(frame).unwrap());
            let bytes = writer.finish(End::default()).unwrap();
            let input: Input = Box::new(std::io::Cursor::new(bytes));
            let ordered = Ordered::new(Source::Tape(Box::new(Reader::new("t", input).unwrap())));
            prop_assert_eq!(replay(ordered), took);
        }
    }
}
