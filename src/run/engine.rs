//! The loop around `step`: pops groups, numbers them by stepping, ticks, journals, publishes, beats the heart.
//!
//! Per turn: the heartbeat, the ticks that are due, then from every ring at most a batch of groups. Everything
//! that decides *what* is stepped goes on the journal; everything read from a clock here decides only *when*, and
//! stays out of the state. After start: no allocation, no lock, no system call but the idle strategy's.

use super::proof::Verdicts;
use super::switch::Said;
use crate::control::count as slow;
use crate::event::Event;
use crate::feed::count;
use crate::feed::taped::{Piece, Taped};
use crate::idle::Strategy;
use crate::ring::Consumer;
use crate::shard::Shard;
use crate::shm::page::{counter, status};
use crate::shm::switch::Advice;
use crate::shm::writer::PageWriter;
use crate::sync::{Flag, Tally};
use crate::tape::{Grid, Journal, Told, Turn};
use crate::time::{Clock, Nanos, TICK, mono_now};
use hdrhistogram::Histogram;
use std::sync::Arc;

/// Groups taken from one ring before the others get their turn.
const BATCH: u32 = 64;
/// The heart beats this often.
const BEAT: Nanos = Nanos::MILLI;
/// Counters reach the page this often.
const COUNT: Nanos = Nanos::new(100_000_000);
/// A clock that jumps further than this many ticks is not followed tick by tick.
// LIMIT: a minute of ticks; the rest is skipped, and the journal says which were stepped.
const TICKS_MAX: u32 = 6_000;

/// What runs on the shard's thread.
#[derive(Debug)]
pub struct Engine<C: Clock> {
    /// The model.
    pub shard: Shard,
    /// Its inputs, ring number = place.
    pub rings: Vec<Consumer<Event>>,
    /// Where it publishes.
    pub page: PageWriter,
    /// What people tell executors: on the page with the next heartbeat.
    pub said: Said,
    /// The journal's way to the tape.
    pub journal: Taped,
    /// What the feeds count.
    pub tallies: Vec<Arc<Tally<{ count::ALL }>>>,
    /// The venue's place of each feed.
    pub seats: Vec<usize>,
    /// What control counts.
    pub slow: Arc<Tally<{ slow::ALL }>>,
    /// What the ledger of proofs says of each symbol's map.
    pub proof: Verdicts,
    /// Tells the time that feeds stamp with.
    pub clock: C,
    /// How many times as fast as real time that clock runs.
    pub speed: u32,
    /// How to wait.
    pub idle: Strategy,
    /// Why a recording that was wanted has stopped, or could not begin.
    pub told: Arc<Told>,
    /// Bytes of records on it.
    pub taped: Arc<Tally<1>>,
    /// Raised to end the run once the rings are empty.
    pub stop: Arc<Flag>,
}

/// What is left after a run.
#[derive(Debug)]
pub struct Finished {
    /// The model after its last input.
    pub shard: Shard,
    /// Socket read to page, nanoseconds of real time.
    pub latency: Histogram<u64>,
}

/// A histogram of nanoseconds up to a minute that never grows.
#[must_use]
pub fn latencies() -> Histogram<u64> {
    // The bounds are constants that the crate accepts.
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap_or_else(|_| std::process::abort())
}

struct Pulse {
    grid: Grid,
    beat: Nanos,
    /// What the page says.
    said: u64,
    count: Nanos,
    /// When the quantiles were last read: a walk over the histogram, so not oftener than a second.
    quantiles: Nanos,
    latency: Histogram<u64>,
    /// The run of turns that still grows.
    runs: Journal,
}

impl<C: Clock> Engine<C> {
    /// Runs until the stop flag is up and the rings are empty.
    #[must_use]
    pub fn run(mut self) -> Finished {
        let mut pulse = Pulse {
            grid: Grid::default(),
            beat: Nanos::ZERO,
            said: 0,
            count: Nanos::ZERO,
            quantiles: Nanos::ZERO,
            latency: latencies(),
            runs: Journal::default(),
        };
        let mut idle_turns = 0;
        loop {
            let stopping = self.stop.is_up();
            self.beat(&mut pulse);
            let worked = self.ticks(&mut pulse) | self.drain(&mut pulse);
            if worked {
                idle_turns = 0;
                continue;
            }
            if stopping {
                break;
            }
            idle_turns += 1;
            self.idle.idle(idle_turns);
        }
        let open = pulse.runs.close();
        self.write(open);
        self.page
            .heartbeat(mono_now(), self.shard.input_seq(), self.shard.state_hash());
        Finished {
            shard: self.shard,
            latency: pulse.latency,
        }
    }

    fn ticks(&mut self, pulse: &mut Pulse) -> bool {
        let Some((mut first, mut ticks)) = pulse.grid.due(self.clock.now()) else {
            return false;
        };
        if ticks > TICKS_MAX {
            let skipped = i64::from(ticks - TICKS_MAX).saturating_mul(TICK.get());
            first = first.plus(Nanos::new(skipped));
            ticks = TICKS_MAX;
        }
        for turn in 0..i64::from(ticks) {
            let at = first.plus(Nanos::new(turn.saturating_mul(TICK.get())));
            self.shard.step(&Event::tick(at), &mut self.page);
        }
        self.note(
            Turn::Tick {
                first,
                count: ticks,
            },
            pulse,
        );
        true
    }

    /// Journals what was just stepped; a run goes to the tape when another begins.
    fn note(&mut self, turn: Turn, pulse: &mut Pulse) {
        let done = pulse.runs.note(turn);
        self.write(done);
    }

    /// A piece that does not fit ends the tape, which `Finished` tells.
    fn write(&mut self, run: Option<Turn>) {
        let _ = match run {
            None => return,
            Some(Turn::Tick { first, count }) => {
                self.journal.put_for(0, Piece::Ticks, count, first, &[])
            }
            Some(Turn::Ring { ring, groups }) => {
                self.journal
                    .put_for(ring, Piece::Order, groups, Nanos::ZERO, &[])
            }
        };
    }

    fn drain(&mut self, pulse: &mut Pulse) -> bool {
        let mut worked = false;
        for ring in 0..self.rings.len() {
            let mut groups = 0;
            while groups < BATCH && self.group(ring, pulse) {
                groups += 1;
            }
            if groups > 0 {
                worked = true;
                let ring = u8::try_from(ring).unwrap_or(u8::MAX);
                self.note(Turn::Ring { ring, groups }, pulse);
            }
        }
        worked
    }

    /// Steps one group of a ring; false when it is empty. Producers commit whole groups, so one that has begun ends.
    fn group(&mut self, ring: usize, pulse: &mut Pulse) -> bool {
        let Some(mut event) = self.rings[ring].pop() else {
            return false;
        };
        let recv = event.recv;
        loop {
            self.shard.step(&event, &mut self.page);
            if event.is_last() {
                break;
            }
            match self.rings[ring].pop() {
                Some(next) => event = next,
                None => break,
            }
        }
        let gone = self.clock.now().since(recv).get() / i64::from(self.speed.max(1));
        pulse.latency.saturating_record(gone.max(1).unsigned_abs());
        true
    }

    fn beat(&mut self, pulse: &mut Pulse) {
        let mono = mono_now();
        // One stamp a turn: under load what it publishes looks some microseconds older than it is, never younger.
        self.page.stamp(mono);
        if mono.since(pulse.beat) < BEAT {
            return;
        }
        pulse.beat = mono;
        self.page
            .heartbeat(mono, self.shard.input_seq(), self.shard.state_hash());
        let said = self.said.get(0);
        if pulse.said != said {
            pulse.said = said;
            let advice = Advice::of_word(said);
            self.page.kill(advice.level, advice.reason);
        }
        if mono.since(pulse.count) < COUNT {
            return;
        }
        pulse.count = mono;
        // A tape that is cut off shall miss little of the journal.
        let open = pulse.runs.close();
        self.write(open);
        let sum = |place| {
            self.tallies
                .iter()
                .map(|tally| tally.get(place))
                .sum::<u64>()
        };
        let up = sum(count::UP);
        for (id, place) in [
            (counter::FRAMES, count::FRAMES),
            (counter::IGNORED, count::IGNORED),
            (counter::FAULTS, count::FAULTS),
            (counter::GAPS, count::GAPS),
            (counter::TOLERANT, count::TOLERANT),
            (counter::RECONNECTS, count::RECONNECTS),
            (counter::RING_FULL, count::RING_FULL),
            (counter::TAPE_FULL, count::TAPE_FULL),
            (counter::DUPLICATES, count::DUPLICATES),
            (counter::IMAGE_REQUESTS, count::IMAGES),
            (counter::LEG_SWITCHES, count::SWITCHES),
            (counter::BOOKS_WAITING, count::WAITING),
        ] {
            let value = sum(place);
            self.page.counter(id, value);
        }
        for (id, place) in [
            (counter::REST_REFUSED, slow::REST_REFUSED),
            (counter::RATE_LIMITED, slow::RATE_LIMITED),
            (counter::CLOCK_STEPS, slow::CLOCK_STEPS),
            (counter::SERIES, slow::SERIES),
            (counter::SERIES_DROPPED, slow::SERIES_DROPPED),
        ] {
            self.page.counter(id, self.slow.get(place));
        }
        for (symbol, verdict) in self.proof.iter().enumerate() {
            self.page.set_proof(symbol, verdict.get(0) as u8);
        }
        let tally = self.shard.tally();
        for (id, value) in [
            (counter::EVENTS, self.shard.input_seq()),
            (counter::CROSSED, tally.crossed),
            (counter::RESEEDS, tally.reseeds),
            (counter::STRANGERS, tally.strangers),
            (counter::TABLE_FULL, tally.table_full),
            (counter::SATURATED, tally.saturated),
        ] {
            self.page.counter(id, value);
        }
        if mono.since(pulse.quantiles) >= Nanos::SECOND {
            pulse.quantiles = mono;
            for (id, quantile) in [
                (counter::WIRE_NS_P50, 0.5),
                (counter::WIRE_NS_P99, 0.99),
                (counter::WIRE_NS_MAX, 1.0),
            ] {
                self.page
                    .counter(id, pulse.latency.value_at_quantile(quantile));
            }
        }
        let feeds = self.tallies.iter().zip(&self.seats);
        let there = feeds.filter(|(tally, _)| tally.get(count::UP) > 0);
        let bits = there.fold(0u32, |bits, (_, seat)| bits | 1 << (seat & 31));
        self.page.venues_up(bits.count_ones());
        let health = match up {
            0 => status::STALE,
            n if n < self.tallies.len() as u64 => status::DEGRADED,
            _ => 0,
        };
        let warm = if self.shard.is_warm() {
            status::LIVE
        } else {
            status::WARMING
        };
        let stepped = match self.slow.get(slow::STEPPED) {
            0 => 0,
            _ => status::CLOCK_STEP,
        };
        let holed = self.told.failed().is_some();
        self.page.counter(counter::TAPE_HOLES, u64::from(holed));
        self.page.counter(counter::TAPE_BYTES, self.taped.get(0));
        let taped = if holed { status::TAPE_GAP } else { 0 };
        self.page.status(warm | health | stepped | taped);
    }
}
