//! Measure: what a hop between two cores costs here and now: the ring, the slot, the page, and the
//! floor below them all.
//!
//! Each is a ping-pong of one cache line between two threads (or two processes): one way is half a
//! round trip. A sample is the mean of [`TRIPS`] round trips, so the clock's own cost drops out;
//! percentiles are of those samples. The [`floor`] moves one atomic word in one line and nothing
//! else: no hand-over between cores can be faster, so the figures of one run are read as *ratios*
//! to it. Absolute figures belong to the machine and its neighbours.
//!
//! Both sides spin, but yield when nothing comes for a while: on a machine of two cores a spinner
//! would otherwise stand in the way of the one it waits for. Every call ends within the length it
//! is given (and a second, if the other side got no processor). Peers are not measured here:
//! `bench/` compares with them.

use crate::ring::{self, Consumer, Producer};
use crate::shm::page::HEADLINE_WORDS;
use crate::shm::reader::{PageReader, ReadFault};
use crate::shm::record::{Headline, Publish};
use crate::shm::slot::Slot;
use crate::shm::writer::PageWriter;
use crate::sync::{AtomicBool, AtomicU64, Ordering, spin};
use crate::time::{Nanos, mono_now};
use bytemuck::{Pod, Zeroable};
use core::hint::black_box;
use hdrhistogram::Histogram;
use std::path::Path;
use std::sync::Arc;

/// Round trips in one sample.
pub const TRIPS: u64 = 8;
/// Empty looks before a side gives its processor away: some tens of microseconds.
const PATIENCE: u32 = 1_000;
/// How long over its time a measurement waits for a side that got no processor.
const GRACE: Nanos = Nanos::SECOND;

/// Percentiles in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spread {
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile: on a shared machine already the neighbours'.
    pub p99: u64,
    /// How many samples; 0 = nothing could be measured and the rest is 0.
    pub samples: u64,
}

impl Spread {
    fn of(samples: &Histogram<u64>) -> Self {
        if samples.is_empty() {
            return Self::default();
        }
        Self {
            p50: samples.value_at_quantile(0.5),
            p90: samples.value_at_quantile(0.9),
            p99: samples.value_at_quantile(0.99),
            samples: samples.len(),
        }
    }

    /// The median in hundredths of `floor`'s: 134 = 1.34 times; 0 when the floor could not be
    /// measured.
    #[must_use]
    pub const fn percent_of(&self, floor: &Self) -> u64 {
        match (self.p50 * 100).checked_div(floor.p50) {
            Some(percent) => percent,
            None => 0,
        }
    }
}

impl core::fmt::Display for Spread {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "p50 {:>5} ns  p90 {:>5} ns  p99 {:>6} ns",
            self.p50, self.p90, self.p99
        )?;
        write!(f, "  ({} samples)", self.samples)
    }
}

/// One side of a ping-pong.
pub trait Side {
    /// Sends a number; the other side will see it.
    fn send(&mut self, number: u64);
    /// The next number of the other side, if there is one.
    fn receive(&mut self) -> Option<u64>;
}

fn samples() -> Histogram<u64> {
    // One second is the longest that is told apart; three digits.
    Histogram::new_with_bounds(1, 1_000_000_000, 3)
        .unwrap_or_else(|_| unreachable!("constant bounds that hdrhistogram admits"))
}

/// Waits for a number until `until` or until `over` says so.
fn wait(side: &mut impl Side, until: Nanos, over: impl Fn() -> bool) -> Option<u64> {
    loop {
        for _ in 0..PATIENCE {
            if let Some(number) = side.receive() {
                return Some(number);
            }
            spin();
        }
        if over() || mono_now() > until {
            return None;
        }
        std::thread::yield_now();
    }
}

/// Sends and waits for the echo, again and again for `length`: one way in nanoseconds.
pub fn serve(side: &mut impl Side, length: Nanos) -> Spread {
    let mut all = samples();
    let until = mono_now().plus(length);
    let last = until.plus(GRACE);
    let mut number = 0;
    let mut before = mono_now();
    // The first tenth warms lines, pages and clocks up.
    let warm = before.plus(Nanos::new(length.get() / 10));
    while before < until {
        for _ in 0..TRIPS {
            number += 1;
            side.send(number);
            if wait(side, last, || false) != Some(number) {
                return Spread::of(&all);
            }
        }
        let now = mono_now();
        if now > warm {
            let one_way = now.since(before).get().unsigned_abs() / (2 * TRIPS);
            all.saturating_record(one_way);
        }
        before = now;
    }
    Spread::of(&all)
}

/// Sends back what comes, until `over` or `until`.
pub fn echo(side: &mut impl Side, until: Nanos, over: impl Fn() -> bool) {
    while let Some(number) = wait(side, until, &over) {
        side.send(number);
    }
}

/// Plays `here` against `there`, which gets a thread of its own, for `length`.
pub fn ping_pong<B: Side + Send>(mut here: impl Side, there: B, length: Nanos) -> Spread {
    let stop = AtomicBool::new(false);
    let until = mono_now().plus(length).plus(GRACE);
    let over = &stop;
    std::thread::scope(|scope| {
        // Moved, not borrowed: side by side on one stack the two would share a cache line that is
        // none of the hop's business.
        scope.spawn(move || {
            let mut there = there;
            // ORDER: relaxed: a hint to end; the scope's join orders the rest.
            echo(&mut there, until, || over.load(Ordering::Relaxed));
        });
        let spread = serve(&mut here, length);
        // ORDER: relaxed: see above.
        stop.store(true, Ordering::Relaxed);
        spread
    })
}

/// One cache line of atomic words, alone in its pair of lines: processors fetch the neighbour too,
/// and two lines that belong to different sides would then be pulled back and forth.
#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Cells([AtomicU64; 8]);

/// One word in one line: `here` writes odd numbers, `there` even ones.
struct Word {
    line: Arc<Cells>,
    odd: u64,
}

impl Side for Word {
    #[inline]
    fn send(&mut self, number: u64) {
        // ORDER: release: pairs with the load in `receive`.
        self.line.0[0].store(2 * number + self.odd, Ordering::Release);
    }
    #[inline]
    fn receive(&mut self) -> Option<u64> {
        // ORDER: acquire: pairs with the store in `send`.
        let word = self.line.0[0].load(Ordering::Acquire);
        (word & 1 != self.odd && word > 1).then_some(word / 2)
    }
}

/// The floor: one atomic word in one cache line, there and back.
#[must_use]
pub fn floor(length: Nanos) -> Spread {
    let line = Arc::new(Cells::default());
    let here = Word {
        line: line.clone(),
        odd: 1,
    };
    // The echo must not take its own answer for a question, nor the start for either.
    ping_pong(here, Word { line, odd: 0 }, length)
}

/// What the ring carries here: one cache line, as an event is.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u64; 8]);

struct Rings {
    out: Producer<Line>,
    back: Consumer<Line>,
}

impl Side for Rings {
    #[inline]
    fn send(&mut self, number: u64) {
        let pushed = self.out.push(Line([number; 8]));
        debug_assert!(pushed, "one number is under way at a time");
    }
    #[inline]
    fn receive(&mut self) -> Option<u64> {
        self.back.pop().map(|line| line.0[7])
    }
}

/// One hop of a cache line through the ring.
#[must_use]
pub fn hop(length: Nanos) -> Spread {
    let (there_out, here_back) = ring::channel(1024);
    let (here_out, there_back) = ring::channel(1024);
    let here = Rings {
        out: here_out,
        back: here_back,
    };
    ping_pong(
        here,
        Rings {
            out: there_out,
            back: there_back,
        },
        length,
    )
}

struct Slots {
    out: Arc<Cells>,
    back: Arc<Cells>,
    last: u64,
}

impl Side for Slots {
    #[inline]
    fn send(&mut self, number: u64) {
        if let Some(slot) = Slot::<HEADLINE_WORDS>::at(&self.out.0) {
            slot.put(&[number; HEADLINE_WORDS]);
        }
    }
    #[inline]
    fn receive(&mut self) -> Option<u64> {
        let words = Slot::<HEADLINE_WORDS>::at(&self.back.0)?.get().ok()?;
        let new = words[HEADLINE_WORDS - 1];
        (new != self.last).then(|| {
            self.last = new;
            new
        })
    }
}

/// One hop of a headline through a slot, between two threads.
#[must_use]
pub fn slot(length: Nanos) -> Spread {
    let (one, two) = (Arc::new(Cells::default()), Arc::new(Cells::default()));
    let here = Slots {
        out: one.clone(),
        back: two.clone(),
        last: 0,
    };
    ping_pong(
        here,
        Slots {
            out: two,
            back: one,
            last: 0,
        },
        length,
    )
}

/// What `put` and `get` of a headline cost alone, its line in the own cache.
#[must_use]
pub fn slot_alone(length: Nanos) -> (Spread, Spread) {
    const BATCH: u64 = 1_000;
    let cells = Cells::default();
    let (mut puts, mut gets) = (samples(), samples());
    let until = mono_now().plus(length);
    let mut number = 0;
    // Behind the black box the line is memory that others may see; without it the compiler keeps it
    // in registers.
    while let Some(slot) = Slot::<HEADLINE_WORDS>::at(black_box(&cells.0)) {
        let begun = mono_now();
        for _ in 0..BATCH {
            number += 1;
            black_box(slot).put(black_box(&[number; HEADLINE_WORDS]));
        }
        let between = mono_now();
        for _ in 0..BATCH {
            let _ = black_box(black_box(slot).get());
        }
        let ended = mono_now();
        // Rounded up: some of these take little more than one nanosecond.
        puts.saturating_record(between.since(begun).get().unsigned_abs().div_ceil(BATCH));
        gets.saturating_record(ended.since(between).get().unsigned_abs().div_ceil(BATCH));
        if ended > until {
            break;
        }
    }
    (Spread::of(&puts), Spread::of(&gets))
}

/// A page to write and a page to read: one side of a ping-pong between processes.
#[derive(Debug)]
pub struct Pages {
    out: PageWriter,
    back: PageReader,
    last: u64,
    gone: bool,
}

impl Pages {
    /// Makes the page `out` and waits until `until` for the page `back`; `None` when it does not
    /// come, or `out` cannot be made.
    #[must_use]
    pub fn meet(out: &Path, back: &Path, until: Nanos) -> Option<Self> {
        let out = PageWriter::create(out, &["PING".into()], "measure").ok()?;
        while mono_now() < until {
            if let Ok(back) = PageReader::open(back) {
                return Some(Self {
                    out,
                    back,
                    last: 0,
                    gone: false,
                });
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        None
    }

    /// Sends back what comes until the other page is torn down, or `until`.
    pub fn echo(&mut self, until: Nanos) {
        while !self.gone && mono_now() < until {
            // Short rounds: `receive` learns that the other side is gone, this loop acts on it.
            let round = mono_now().plus(Nanos::new(10 * Nanos::MILLI.get()));
            echo(self, round, || false);
        }
    }
}

impl Side for Pages {
    #[inline]
    fn send(&mut self, number: u64) {
        self.out.headline(
            0,
            0,
            &Headline {
                input_seq: number,
                ..Headline::zeroed()
            },
        );
    }
    #[inline]
    fn receive(&mut self) -> Option<u64> {
        let new = match self.back.headline(0, 0) {
            Ok(headline) => headline.input_seq,
            Err(fault) => {
                self.gone |= matches!(fault, ReadFault::Gone);
                return None;
            }
        };
        (new != self.last).then(|| {
            self.last = new;
            new
        })
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]
mod tests {
    use super::*;

    #[test]
    fn every_hop_is_measured_and_none_takes_no_time() {
        let length = Nanos::new(60 * Nanos::MILLI.get());
        for spread in [floor(length), hop(length), slot(length)] {
            // How many fit into the time is the scheduler's business on a busy machine.
            assert!(spread.samples > 0, "{spread}");
            assert!(spread.p50 >= 1 && spread.p50 <= spread.p99, "{spread}");
        }
        // Nine stores cannot take no time: if they do, the compiler has removed them.
        let (put, get) = slot_alone(length);
        assert!(put.samples > 10 && put.p50 > 1, "{put}");
        assert!(get.samples > 10 && get.p50 > 1, "{get}");
    }

    #[test]
    fn two_pages_play_ping_pong() {
        let dir = tempfile::tempdir().unwrap();
        let (ping, pong) = (dir.path().join("ping"), dir.path().join("pong"));
        let until = mono_now().plus(Nanos::new(5 * Nanos::SECOND.get()));
        std::thread::scope(|scope| {
            scope.spawn(|| Pages::meet(&pong, &ping, until).unwrap().echo(until));
            let mut here = Pages::meet(&ping, &pong, until).unwrap();
            let spread = serve(&mut here, Nanos::new(60 * Nanos::MILLI.get()));
            // How many fit into the time is the scheduler's business on a busy machine.
            assert!(spread.samples > 0, "{spread}");
        });
        assert!(
            mono_now() < until,
            "the echo did not notice that the page is gone"
        );
    }
}
