//! Inventory: who is positioned where, of one symbol at one venue, conserving open interest.
//!
//! The map's truth. For each holder and each class (a distance from entry to liquidation,
//! [`params`]) it keeps the base quantity that would be liquidated in each 2 bp bucket of log
//! price. Openings are laid over the volume at price, marks sweep what they cross, closes shrink a
//! class by one scalar, and what has no price is *inert*.
//!
//! Invariant, both holders apart, at all times and to the unit: `Σ class mass + inert + pending =
//! interest`, where pending is what was liquidated since the last flush explained it (0 after a
//! flush of an interest that volume can explain). [`Inventory::conserved`] says whether it holds; a
//! caller that sees `false` counts a fault and calls [`Inventory::reseed`]. [`Inventory::resum`]
//! checks the running sums themselves, for tests.
//!
//! A flush runs at every interest and at least every second of shard time (then with unchanged
//! interest). Within one it opens first, sweeps those openings that the mark has already passed
//! since their trade, and closes last, so that what opened and died inside the interval counts
//! among its exits and nothing can close that is not there. At an interest the split is solved
//! again for the whole interval; the difference to what the small flushes did is opened over the
//! interval's volume or closed; opposite corrections of both kinds cancel, for churn within an
//! interval that the whole interval does not need has happened all the same.
//!
//! Window: 8,192 absolute buckets around the mark, indexed modulo; moving it empties what leaves
//! into the far bin. Far mass has no price and leaves only by closing. Integers only; no clock, no
//! allocation. State is 2.3 MB.

pub mod candle;
pub mod exact;
mod flow;
mod half;
pub mod liquidation;
pub mod params;
mod read;
mod split;

use crate::arena::Bounded;
use crate::market::Holder;
use crate::num::fixed::{ONE, ONE32, mul_div};
use crate::num::log::{BUCKET, ln_px};
use crate::num::{HEADROOM, Px, Qty};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};
use half::{Found, Half};
pub use params::{CLASSES, Params};

/// Buckets of the window: ±82 % of log price around the mark.
pub const BUCKETS: usize = 8_192;
/// The window moves when the mark is this far from its middle.
const DRIFT: i64 = 64;
/// Price cells of one interval's volume; more are merged into their neighbours (counted).
const ENTRIES: usize = 128;
/// Longest time without a flush while there is volume.
const FLUSH: Nanos = Nanos::SECOND;
/// Offsets from the middle that one tick re-aggregates: four cells each.
const SLICE: i64 = 64;
/// Swept buckets remembered for the calibration.
pub const SWEPT: usize = 128;
/// Largest step of the mark that counts as sampling: twenty buckets.
const MARK_STEP_MAX: u64 = 20 * BUCKET as u64;
/// Sweeps of one bucket within this time are one record.
const SAME_SWEEP: Nanos = Nanos::SECOND;

/// Volume of the interval at one price bucket, and where the mark has been since it traded.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Entry {
    bucket: i64,
    /// Volume since the last interest.
    qty: i64,
    /// Of it, volume since the last flush.
    fresh: i64,
    /// Lowest and highest log mark since, Q48.
    low: i64,
    high: i64,
    /// Turn of the mark in which it traded: one entry is of one turn, so its extremes are exact.
    turn: u64,
}

/// One bucket that the mark swept, as it stood before: exposure of the prints that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Swept {
    /// When; zero = an unused room.
    pub at: Nanos,
    /// Absolute bucket.
    pub bucket: i64,
    /// Whose, as a number of [`Holder`].
    pub holder: u64,
    /// Mass met per class, before θ.
    pub mass: [i64; CLASSES],
}

/// How far what is expected may be from what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Width {
    /// Relative deviation of θ per class, Q16.
    pub doubt_q16: [i64; CLASSES],
    /// Relative variance of an hour beyond θ and lumps, Q16.
    pub scatter_q16: i64,
    /// Variance over mean of clusters of liquidations: base quantity.
    pub lump: i64,
    /// Mean of what is liquidated of a holder in a second in which anything is, about one position: base quantity, at
    /// most the lump.
    pub single: i64,
}

/// The inventory of one symbol at one venue. All zeros is the empty state.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Inventory {
    halves: [Half; 2],
    /// θ per class, Q16.
    theta: [i64; CLASSES],
    width: Width,
    entries: Bounded<Entry, ENTRIES>,
    /// Entry of the last trade.
    recent: u64,
    turn: u64,
    marked: u64,
    /// Log of the mark, Q48.
    mark_ln: i64,
    /// Typical step of the log mark, Q48: a sixteenth of each new one is taken in.
    mark_step: i64,
    /// Lowest bucket of the window.
    low: i64,
    seeded: u64,
    begun: u64,
    interest: i64,
    /// Volume since the last interest, and since the last flush.
    volume: i64,
    fresh: i64,
    interval_at: Nanos,
    flushed_at: Nanos,
    residual: i64,
    residual_at: Nanos,
    /// PRIOR share of the priced mass as of the last flush, 1e-6.
    prior_e6: i64,
    /// The pass that brings the hot planes up to date: asked for, running, centre, next offset.
    pass_asked: u64,
    pass_runs: u64,
    pass_centre: i64,
    pass_at: i64,
    swept: [Swept; SWEPT],
    swept_count: u64,
    /// Trades whose price cell had to be merged into a neighbour's. LIMIT counter.
    pub merged: u64,
    /// Closes that found less than they were told to close: never, unless conservation is broken.
    pub unclosed: u64,
}

const _: () = assert!(
    size_of::<Inventory>() < 2_300_000,
    "the memory budget of a venue-symbol"
);

const fn bucket_at(ln: i64) -> i64 {
    ln.div_euclid(BUCKET)
}

const fn fraction_at(ln: i64) -> i64 {
    mul_div(ln.rem_euclid(BUCKET), ONE32, BUCKET)
}

impl Inventory {
    /// Books a trade into the interval's volume at price: a few adds. Nothing without price or
    /// quantity.
    pub fn trade(&mut self, price: Px, qty: Qty) {
        if price.get() > 0 && qty.get() > 0 {
            self.trade_at(ln_px(price), qty.get());
        }
    }

    fn trade_at(&mut self, ln: i64, qty: i64) {
        // LIMIT: an interval's volume saturates at the largest admitted quantity.
        let qty = qty.min(HEADROOM - self.volume);
        if qty <= 0 {
            return;
        }
        self.volume += qty;
        self.fresh += qty;
        let bucket = bucket_at(ln);
        let turn = self.turn;
        let same = |e: &Entry| e.bucket == bucket && e.turn == turn;
        let entries = self.entries.as_mut_slice();
        if let Some(entry) = entries.get_mut(self.recent as usize).filter(|e| same(e)) {
            entry.qty += qty;
            entry.fresh += qty;
            return;
        }
        let at = if let Some(at) = entries.iter().position(same) {
            at
        } else {
            let stands = if self.marked == 0 { ln } else { self.mark_ln };
            let entry = Entry {
                bucket,
                qty,
                fresh: qty,
                low: stands,
                high: stands,
                turn,
            };
            if self.entries.push(entry) {
                self.recent = self.entries.len() as u64 - 1;
                return;
            }
            // LIMIT: merged into the nearest price, the newest of equals; counted in `merged`.
            self.merged = self.merged.wrapping_add(1);
            let near = |e: &Entry| (e.bucket.abs_diff(bucket), u64::MAX - e.turn);
            let entries = self.entries.as_slice();
            (0..entries.len())
                .min_by_key(|&i| near(&entries[i]))
                .unwrap_or(0)
        };
        if let Some(entry) = self.entries.as_mut_slice().get_mut(at) {
            entry.qty += qty;
            entry.fresh += qty;
            self.recent = at as u64;
        }
    }

    /// Moves the mark and sweeps what it crosses; true when mass was swept.
    pub fn mark(&mut self, now: Nanos, mark: Px, _params: &Params) -> bool {
        mark.get() > 0 && self.mark_at(now, ln_px(mark))
    }

    fn mark_at(&mut self, now: Nanos, ln: i64) -> bool {
        if self.marked != 0 && ln == self.mark_ln {
            return false;
        }
        let (bucket, fraction) = (bucket_at(ln), fraction_at(ln));
        let first = self.marked == 0;
        self.marked = 1;
        if !first {
            let step = ln.abs_diff(self.mark_ln).min(MARK_STEP_MAX) as i64;
            self.mark_step += (step - self.mark_step) / 16;
        }
        self.mark_ln = ln;
        self.turn += 1;
        for entry in self.entries.as_mut_slice() {
            entry.low = entry.low.min(ln);
            entry.high = entry.high.max(ln);
        }
        let mut swept = false;
        for holder in Holder::BOTH {
            let (edge, passed) = Half::place(holder, bucket, fraction);
            swept |= !first && self.sweep(now, holder, edge, passed);
            let half = &mut self.halves[holder as usize];
            // Within a bucket the edge only advances: an oscillation removes nothing twice.
            if half.edge != edge || first {
                (half.edge, half.passed) = (edge, passed);
            }
            half.passed = half.passed.max(passed);
            if half.left == edge && !first {
                half.passed = half.passed.max(half.left_passed);
            }
        }
        self.recentre(bucket, first);
        swept
    }

    /// Takes what lies between the old edge and the new.
    ///
    /// The bucket that the mark last backed out of keeps its passed part: a mark that trembles on a
    /// bucket's edge would otherwise take a share of the remainder each time it comes back.
    fn sweep(&mut self, now: Nanos, holder: Holder, edge: i64, passed: i64) -> bool {
        let (low, high) = self.window();
        let half = &mut self.halves[holder as usize];
        let (from, done) = (half.edge, half.passed);
        let ahead = match holder {
            Holder::Long => from - edge,
            Holder::Short => edge - from,
        };
        if ahead < 0 {
            (half.left, half.left_passed) = (from, done);
            return false;
        }
        if ahead == 0 {
            return self.take(now, holder, edge, passed - done, ONE32 - done);
        }
        let (near, wide) = if from < edge {
            (from, edge - 1)
        } else {
            (edge + 1, from)
        };
        if half.left >= near && half.left <= wide {
            half.left_passed = 0; // Crossed whole: it is empty now.
        }
        let known = if half.left == edge {
            half.left_passed
        } else {
            0
        };
        let mut swept = false;
        // Nearest first. Marks may leap: what lies outside the window has no cells.
        let (first, last) = match holder {
            Holder::Long => ((edge + 1).max(low), from.min(high)),
            Holder::Short => (from.max(low), (edge - 1).min(high)),
        };
        for step in 0..=last.saturating_sub(first) {
            let bucket = if holder == Holder::Long {
                last - step
            } else {
                first + step
            };
            if first <= last {
                swept |= self.take(now, holder, bucket, 1, 1);
            }
        }
        swept | self.take(now, holder, edge, passed - known, ONE32 - known)
    }

    fn take(&mut self, now: Nanos, holder: Holder, bucket: i64, part: i64, whole: i64) -> bool {
        let (low, high) = self.window();
        if self.seeded == 0 || part <= 0 || bucket < low || bucket > high {
            return false;
        }
        let found = self.halves[holder as usize].take(bucket, part, whole, &self.theta);
        if let Some(found) = found {
            self.remember(now, holder, bucket, &found);
        }
        found.is_some()
    }

    fn remember(&mut self, now: Nanos, holder: Holder, bucket: i64, found: &Found) {
        let newest = (self.swept_count.wrapping_sub(1) % SWEPT as u64) as usize;
        let last = &mut self.swept[newest];
        let same = last.bucket == bucket && last.holder == holder as u64 && self.swept_count > 0;
        if same && now.since(last.at) <= SAME_SWEEP {
            for (sum, mass) in last.mass.iter_mut().zip(found) {
                *sum = sum.saturating_add(*mass);
            }
            return;
        }
        self.swept[(self.swept_count % SWEPT as u64) as usize] = Swept {
            at: now,
            bucket,
            holder: holder as u64,
            mass: *found,
        };
        self.swept_count = self.swept_count.wrapping_add(1);
    }

    /// Keeps the mark near the middle of the window.
    fn recentre(&mut self, bucket: i64, first: bool) {
        let middle = BUCKETS as i64 / 2;
        let low = bucket - middle;
        let moved = low - self.low;
        if first {
            self.low = low;
            return;
        }
        if moved.abs() < DRIFT {
            return;
        }
        // Rooms that change their bucket: those that leave on one side.
        let leaving = moved.abs().min(BUCKETS as i64);
        let start = if moved > 0 {
            self.low
        } else {
            self.low + BUCKETS as i64 - leaving
        };
        for half in &mut self.halves {
            for step in 0..leaving {
                half.leave(start + step);
            }
        }
        self.low = low;
    }

    fn reweigh(&mut self) {
        let (mut prior, mut all) = (0, 0);
        for half in &mut self.halves {
            half.weigh(&self.theta);
            self.pass_asked |= u64::from(half.drifted());
            let (some, of) = half.prior();
            (prior, all) = (prior + some, all + of);
        }
        self.prior_e6 = mul_div(prior, 1_000_000, all);
    }

    /// One slice of a pass over the hot planes, nearest the mark first. A pass that has begun is
    /// finished before the next, so far buckets do not starve.
    fn aggregate(&mut self) {
        if self.pass_runs == 0 {
            if self.pass_asked == 0 {
                return;
            }
            (self.pass_asked, self.pass_runs, self.pass_at) = (0, 1, 0);
            for half in &mut self.halves {
                half.begin_pass();
            }
            self.pass_centre = bucket_at(self.mark_ln);
        }
        let centre = self.pass_centre;
        let mut done = true;
        for holder in Holder::BOTH {
            let (low, high) = self.reach(holder);
            let half = &mut self.halves[holder as usize];
            for offset in self.pass_at..self.pass_at + SLICE {
                for bucket in [centre + offset, centre - 1 - offset] {
                    if (low..=high).contains(&bucket) {
                        half.aggregate(bucket);
                    }
                }
            }
            let next = self.pass_at + SLICE;
            done &= centre + next > high && centre - 1 - next < low;
        }
        self.pass_at += SLICE;
        if done {
            self.pass_runs = 0;
        }
    }

    /// Forgets every position and lays the present interest over the prior again: the answer to a
    /// broken invariant.
    pub fn reseed(&mut self, now: Nanos, params: &Params) {
        let interest = Qty::new(self.interest);
        let edges = self.halves.each_ref().map(|half| (half.edge, half.passed));
        bytemuck::bytes_of_mut(&mut self.halves).fill(0);
        for (half, (edge, passed)) in self.halves.iter_mut().zip(edges) {
            (half.edge, half.passed, half.left) = (edge, passed, edge);
        }
        self.seeded = 0;
        self.seed(now, interest, &[], params);
    }

    /// Forgets everything, mark and θ too: what was known of a contract that is no more. The counters
    /// stay.
    pub fn clear(&mut self) {
        let (merged, unclosed) = (self.merged, self.unclosed);
        bytemuck::bytes_of_mut(self).fill(0);
        (self.merged, self.unclosed) = (merged, unclosed);
    }

    /// Sets θ of every class (Q16, held to 0..=4) and how wide it is; the hot planes follow within a pass.
    pub fn set_thetas(&mut self, theta: &[i64; CLASSES], width: &Width) {
        self.theta = theta.map(|theta| theta.clamp(0, 4 * ONE));
        self.width = *width;
        self.begun = 1;
        self.reweigh();
    }

    /// Sets θ of a class (Q16, held to 0..=4); the hot planes follow within a pass.
    pub fn set_theta(&mut self, class: usize, theta_q16: i64) {
        if let Some(theta) = self.theta.get_mut(class) {
            *theta = theta_q16.clamp(0, 4 * ONE);
            self.begun = 1;
            self.reweigh();
        }
    }
}
