//! The tape thread: takes pieces from every thread's byte ring and gives them to the recorder.
//!
//! Pieces of one ring stay in order. Between rings the order on the tape is whatever the thread met, with one rule:
//! *a journal record stands behind every record it speaks of*. The journal's ring is looked at before the feeds' are
//! drained and written after, up to where it was then; a feed hands a piece over before its events, and the shard
//! journals after it has stepped them, so every piece that the journal up to there speaks of is met in between. Any
//! beginning of a tape can therefore be played to its last turn, which is what a killed process leaves behind.
//!
//! A piece that did not fit its ring, or a disk that says no, ends the tape there with a Hole: nothing that was stepped
//! after the lost piece is journalled. The feeds never wait for any of this.
//!
//! Nor does the stop wait for a disk that hangs: the recording is closed on this thread, and a thread that moves
//! nothing for [`PATIENCE`] is left where it is. Should its disk come back before the process is gone, it ends the tape
//! with a Hole; else the tape ends as a killed process leaves it.

use crate::feed::taped::{self, Piece, Taped};
use crate::ring::{ByteConsumer, byte_channel};
use crate::sync::{Flag, Tally};
use crate::tape::{End, Record, Recorder, Told};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the thread sleeps when nothing has come.
const PAUSE: Duration = Duration::from_millis(2);
/// How long the thread may move nothing at the stop before it is taken to hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// One thread's pieces, as the tape thread sees them.
#[derive(Debug)]
struct Way {
    from: ByteConsumer,
    /// Raised when a piece did not fit.
    hole: Arc<Flag>,
    /// Whose pieces, for people.
    name: String,
}

/// The ways to a tape, or to none: then what comes is let go.
#[derive(Debug, Default)]
pub struct Ways {
    is_on: bool,
    rings: Vec<Way>,
    journal: Option<Way>,
    /// Bytes of records taken so far.
    bytes: Arc<Tally<1>>,
}

impl Ways {
    /// To a tape when `is_on`.
    #[must_use]
    pub fn new(is_on: bool) -> Self {
        Self {
            is_on,
            ..Self::default()
        }
    }

    /// Where it is said how many bytes of records were taken so far.
    #[must_use]
    pub fn bytes(&self) -> Arc<Tally<1>> {
        Arc::clone(&self.bytes)
    }

    /// A way of `bytes` for what ring `number` carries; a number beyond 127 is no ring's, and is taken for the last.
    pub fn ring(&mut self, number: usize, bytes: usize) -> Taped {
        let ring = u8::try_from(number)
            .unwrap_or(u8::MAX)
            .min(!crate::tape::LEG_B);
        let (taped, way) = self.way(ring, bytes, format!("ring {ring}"));
        self.rings.extend(way);
        taped
    }

    /// The journal's way, of `bytes`; there is one.
    pub fn journal(&mut self, bytes: usize) -> Taped {
        let (taped, way) = self.way(0, bytes, "the journal".to_owned());
        self.journal = way;
        taped
    }

    fn way(&self, ring: u8, bytes: usize, name: String) -> (Taped, Option<Way>) {
        if !self.is_on {
            return (Taped::new(ring, None), None);
        }
        let (to, from) = byte_channel(bytes);
        let taped = Taped::new(ring, Some(to));
        let hole = taped.hole();
        (taped, Some(Way { from, hole, name }))
    }
}

/// A tape being written, as the thread that started it sees it.
#[derive(Debug)]
pub struct Taping {
    thread: JoinHandle<Result<(), String>>,
    orders: Arc<Orders>,
    told: Arc<Told>,
}

/// What the thread is told, and how far it is.
#[derive(Debug, Default)]
struct Orders {
    /// What to do with the recording once its rings are empty.
    last: OnceLock<Last>,
    /// Nobody waits for it any more.
    left: Flag,
    /// Pieces and turns behind it.
    moved: Tally<1>,
}

/// The end of a recording.
#[derive(Debug, Clone, Copy)]
enum Last {
    /// Closed, with its End when a shard ran.
    Close(Option<End>),
    /// Taken back.
    Discard,
}

impl Taping {
    /// Starts the tape thread.
    ///
    /// # Errors
    /// The machine gives no thread; the recording is then taken back.
    pub fn start(recorder: Recorder, ways: Ways) -> Result<Self, std::io::Error> {
        let (orders, told) = (Arc::<Orders>::default(), recorder.told());
        let heard = Arc::clone(&orders);
        let thread = std::thread::Builder::new()
            .name("tape".to_owned())
            .spawn(move || record(recorder, ways, &heard))?;
        Ok(Self {
            thread,
            orders,
            told,
        })
    }

    /// What may be asked of the recording, from any thread: why it has failed, what else went wrong.
    #[must_use]
    pub fn told(&self) -> Arc<Told> {
        Arc::clone(&self.told)
    }

    /// Why the tape has ended before the run, in words; `None` while it is whole.
    #[must_use]
    pub fn failed(&self) -> Option<&str> {
        self.told.failed()
    }

    /// Ends the thread once its rings are empty and closes the tape with `end`; `None` when no shard ran.
    ///
    /// # Errors
    /// Why the tape is not whole: also that its disk hangs, and the thread was left there.
    pub fn close(self, end: Option<End>) -> Result<(), String> {
        self.end(Last::Close(end), PATIENCE)
    }

    /// Ends the thread and takes the recording back: its start has failed.
    pub fn discard(self) {
        // Why the start failed is told already.
        let _ = self.end(Last::Discard, PATIENCE);
    }

    /// Waits for the thread for as long as it moves.
    fn end(self, last: Last, patience: Duration) -> Result<(), String> {
        let _ = self.orders.last.set(last);
        let (mut moved, mut since) = (self.orders.moved.get(0), Instant::now());
        while !self.thread.is_finished() {
            let now = self.orders.moved.get(0);
            if now != moved {
                (moved, since) = (now, Instant::now());
            } else if since.elapsed() >= patience {
                self.orders.left.raise();
                return Err(format!(
                    "the disk has taken nothing for {} s: the tape is left open, without what was not written",
                    patience.as_secs()
                ));
            }
            std::thread::sleep(PAUSE);
        }
        let died = |_| Err("the tape thread died; this is a defect, please report it".to_owned());
        self.thread.join().unwrap_or_else(died)
    }
}

/// Records until it is told to end, and ends the recording as it is told.
fn record(recorder: Recorder, ways: Ways, orders: &Orders) -> Result<(), String> {
    let mut recorder = drain(recorder, ways, orders);
    orders.moved.add(0, 1);
    if orders.left.is_up() {
        recorder.stop("the disk hung, and the run has ended without it");
    }
    match orders.last.get() {
        Some(Last::Discard) => {
            recorder.discard();
            Ok(())
        }
        Some(Last::Close(end)) => recorder.finish(*end),
        // It has stopped before the run: it says why.
        None => recorder.finish(None),
    }
}

/// Drains `ways` into `recorder` until the end was ordered and nothing is left, or until the recording stops; the rings
/// are then abandoned, which their producers see.
fn drain(mut recorder: Recorder, mut ways: Ways, orders: &Orders) -> Recorder {
    let mut piece = Vec::with_capacity(1 << 16);
    loop {
        // Asked before the rings: what was written before the stop is seen below.
        let stopping = orders.last.get().is_some();
        let journalled = ways.journal.as_ref().map_or(0, |way| way.from.len());
        let mut moved = false;
        for way in &mut ways.rings {
            let waiting = way.from.len();
            moved |= way.drain(waiting, &mut piece, &mut recorder, &orders.moved);
        }
        // Asked after the journal: if a piece was lost before something journalled there was stepped, it is seen here.
        let mut all = ways.rings.iter().chain(&ways.journal);
        if let Some(way) = all.find(|way| way.hole.is_up()) {
            let why = format!(
                "{} did not fit its way to the tape any more: the disk is too slow, or one piece too large",
                way.name
            );
            recorder.stop(&why);
            return recorder;
        }
        if let Some(way) = &mut ways.journal {
            moved |= way.drain(journalled, &mut piece, &mut recorder, &orders.moved);
        }
        ways.bytes.set(0, recorder.bytes());
        if !recorder.tend() || orders.left.is_up() {
            return recorder;
        }
        if !moved {
            if stopping {
                return recorder;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Way {
    /// Takes the pieces that make up so many bytes of the ring; true when there was one.
    fn drain(
        &mut self,
        bytes: usize,
        piece: &mut Vec<u8>,
        recorder: &mut Recorder,
        moved: &Tally<1>,
    ) -> bool {
        let mut taken = 0;
        while taken < bytes && self.from.read(piece) {
            taken += size_of::<u32>() + piece.len();
            if !append(recorder, piece) {
                break;
            }
            moved.add(0, 1);
        }
        taken > 0
    }
}

/// Adds a piece; false when the recording has stopped.
fn append(recorder: &mut Recorder, piece: &[u8]) -> bool {
    let Some((kind, ring, split, stamp, bytes)) = taped::parse(piece) else {
        return true;
    };
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let record = match kind {
        Piece::Frame => Record::Frame {
            ring,
            recv: stamp,
            bytes,
        },
        Piece::Sent => Record::Sent {
            ring,
            at: stamp,
            bytes,
        },
        Piece::Connect => Record::Connect {
            ring,
            recv: stamp,
            url: text(bytes),
        },
        Piece::Disconnect => Record::Disconnect {
            ring,
            recv: stamp,
            reason: text(bytes),
        },
        Piece::Rest => {
            let (request, body) = bytes.split_at((split as usize).min(bytes.len()));
            Record::Rest {
                ring,
                recv: stamp,
                request: text(request),
                body,
            }
        }
        Piece::Events => Record::Events {
            ring,
            recv: stamp,
            bytes,
        },
        Piece::Ticks => Record::Ticks {
            first: stamp,
            count: split,
        },
        Piece::Order => Record::Order {
            ring,
            groups: split,
        },
    };
    recorder.append(&record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::{Header, Kind, Limits, open};
    use crate::time::Nanos;

    fn recorder(path: &std::path::Path) -> Recorder {
        Recorder::begin(path, &Header::default(), &Limits::default()).unwrap()
    }

    fn kinds(path: &std::path::Path) -> Vec<(Kind, u8)> {
        let mut source = open(path).unwrap();
        let mut kinds = Vec::new();
        while let Some(record) = source.next_record().unwrap() {
            kinds.push((record.kind(), record.ring()));
        }
        kinds
    }

    #[test]
    fn a_journal_record_stands_behind_every_record_it_speaks_of() {
        const GROUPS: u32 = 20_000;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tape");
        let mut ways = Ways::new(true);
        let mut feeds = [0, 1].map(|ring| ways.ring(ring, 1 << 20));
        let mut journal = ways.journal(1 << 20);
        let taping = Taping::start(recorder(&path), ways).unwrap();
        for n in 0..GROUPS {
            let ring = (n % 2) as u8;
            let feed = &mut feeds[usize::from(ring)];
            assert!(feed.put(Piece::Frame, 0, Nanos::new(1), b"{}"));
            assert!(journal.put_for(ring, Piece::Order, 1, Nanos::ZERO, &[]));
            if n % 64 == 0 {
                std::thread::yield_now();
            }
        }
        taping.close(None).unwrap();
        let (mut came, mut spoken) = ([0; 2], [0; 2]);
        for (kind, ring) in kinds(&path) {
            match kind {
                Kind::Frame => came[usize::from(ring)] += 1,
                Kind::Order => spoken[usize::from(ring)] += 1,
                _ => {}
            }
            assert!(spoken[0] <= came[0] && spoken[1] <= came[1]);
        }
        assert_eq!((came, spoken), ([GROUPS / 2; 2], [GROUPS / 2; 2]));
    }

    #[test]
    fn a_piece_that_does_not_fit_ends_the_tape_with_a_hole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tape");
        let mut ways = Ways::new(true);
        let mut feed = ways.ring(3, 256);
        let mut journal = ways.journal(1 << 10);
        assert!(feed.put(Piece::Frame, 0, Nanos::new(1), b"{}"));
        assert!(journal.put_for(3, Piece::Order, 1, Nanos::ZERO, &[]));
        assert!(!feed.put(Piece::Frame, 0, Nanos::new(2), &[b' '; 300]));
        // Stepped after the loss, so not to be played.
        assert!(journal.put_for(3, Piece::Order, 1, Nanos::ZERO, &[]));
        let taping = Taping::start(recorder(&path), ways).unwrap();
        let told = taping.told();
        let why = taping.close(None).unwrap_err();
        assert!(why.starts_with("ring 3 did not fit its way"), "{why}");
        assert_eq!(told.failed(), Some(why.as_str()));
        assert_eq!(kinds(&path), [(Kind::Frame, 3), (Kind::Hole, 0)]);
    }

    #[test]
    fn a_disk_that_hangs_does_not_hold_the_stop() {
        let (release, hangs) = crossbeam::channel::bounded::<()>(0);
        let orders = Arc::<Orders>::default();
        let told = Arc::clone(&orders);
        // As a thread whose write never comes back, after one that took its time.
        let thread = std::thread::spawn(move || {
            for _ in 0..3 {
                std::thread::sleep(Duration::from_millis(150));
                told.moved.add(0, 1);
            }
            let _ = hangs.recv();
            Ok(())
        });
        let taping = Taping {
            thread,
            orders: Arc::clone(&orders),
            told: Arc::default(),
        };
        let why = taping
            .end(Last::Close(None), Duration::from_millis(300))
            .unwrap_err();
        assert!(why.contains("the disk has taken nothing"), "{why}");
        assert!(orders.left.is_up());
        assert_eq!(orders.moved.get(0), 3, "what moves is waited for");
        drop(release);
    }

    #[test]
    fn a_thread_that_was_left_ends_its_tape_with_a_hole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tape");
        let mut ways = Ways::new(true);
        let mut feed = ways.ring(0, 1 << 10);
        assert!(feed.put(Piece::Frame, 0, Nanos::new(1), b"{}"));
        let orders = Orders::default();
        orders.last.set(Last::Close(Some(End::default()))).unwrap();
        orders.left.raise();
        let why = record(recorder(&path), ways, &orders).unwrap_err();
        assert!(why.contains("the disk hung"), "{why}");
        assert_eq!(kinds(&path), [(Kind::Frame, 0), (Kind::Hole, 0)]);
    }

    #[test]
    fn without_a_tape_what_comes_is_let_go() {
        let mut ways = Ways::new(false);
        let mut feed = ways.ring(0, 64);
        assert!(!feed.is_on() && feed.put(Piece::Frame, 0, Nanos::ZERO, &[0; 500]));
    }
}
