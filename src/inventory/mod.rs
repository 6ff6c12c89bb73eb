//! Inventory: who is positioned where, of one symbol at one venue, conserving open interest.
//!
//! The map's truth. For each holder and each class (a distance from entry to liquidation, [`params`]) it keeps the
//! base quantity that would be liquidated in each 2 bp bucket of log price. Openings are laid over the volume at
//! price, marks sweep what they cross, closes shrink a class by one scalar, and what has no price is *inert*.
//!
//! Invariant, both holders apart, at all times and to the unit: `Σ class mass + inert + pending = interest`, where
//! pending is what was liquidated since the last flush explained it (0 after a flush of an interest that volume can
//! explain). [`Inventory::conserved`] says whether it holds; a caller that sees `false` counts a fault and calls
//! [`Inventory::reseed`]. [`Inventory::resum`] checks the running sums themselves, for tests.
//!
//! A flush runs at every interest and at least every second of shard time (then with unchanged interest). Within one
//! it opens first, sweeps those openings that the mark has already passed since their trade, and closes last, so
//! that what opened and died inside the interval counts among its exits and nothing can close that is not there.
//! At an interest the split is solved again for the whole interval; the difference to what the small flushes did is
//! opened over the interval's volume or closed; opposite corrections of both kinds cancel, for churn within an
//! interval that the whole interval does not need has happened all the same.
//!
//! Window: 8,192 absolute buckets around the mark, indexed modulo; moving it empties what leaves into the far bin.
//! Far mass has no price and leaves only by closing. Integers only; no clock, no allocation. State is about 2.4 MB.

mod half;
pub mod liquidation;
pub mod params;
mod split;

use crate::arena::Bounded;
use crate::market::Holder;
use crate::num::fixed::{ONE, ONE32, decay32, mul_div, mul32};
use crate::num::log::{BUCKET, ln_px};
use crate::num::{HEADROOM, Px, Qty};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};
use half::{Found, Half};
pub use params::{CLASSES, Params};
use split::{Known, Split};

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
const SWEPT: usize = 128;
/// Prints remembered for the calibration.
const PRINTS: usize = 64;
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

/// One liquidation print, kept for the calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Print {
    /// When; zero = an unused room.
    pub at: Nanos,
    /// What the venue printed.
    pub price: Px,
    /// Closed quantity.
    pub qty: Qty,
    /// Whose, as a number of [`Holder`].
    pub holder: u64,
}

/// The inventory of one symbol at one venue. All zeros is the empty state.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Inventory {
    halves: [Half; 2],
    /// θ per class, Q16.
    theta: [i64; CLASSES],
    entries: Bounded<Entry, ENTRIES>,
    /// Entry of the last trade.
    recent: u64,
    turn: u64,
    marked: u64,
    /// Log of the mark, Q48.
    mark_ln: i64,
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
    /// The pass that brings the hot planes up to date: asked for, running, centre, next offset.
    pass_asked: u64,
    pass_runs: u64,
    pass_centre: i64,
    pass_at: i64,
    swept: [Swept; SWEPT],
    swept_count: u64,
    prints: [Print; PRINTS],
    print_count: u64,
    /// Trades whose price cell had to be merged into a neighbour's. LIMIT counter.
    pub merged: u64,
    /// Closes that found less than they were told to close: never, unless conservation is broken.
    pub unclosed: u64,
}

const fn bucket_at(ln: i64) -> i64 {
    ln.div_euclid(BUCKET)
}

const fn fraction_at(ln: i64) -> i64 {
    mul_div(ln.rem_euclid(BUCKET), ONE32, BUCKET)
}

impl Inventory {
    /// Books a trade into the interval's volume at price: a few adds. Nothing without price or quantity.
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
    /// The bucket that the mark last backed out of keeps its passed part: a mark that trembles on a bucket's edge
    /// would otherwise take a share of the remainder each time it comes back.
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

    /// Open interest of one side: solves the interval, flushes, conserves. Seeds when it is the first after a mark.
    pub fn interest(&mut self, now: Nanos, interest: Qty, params: &Params) {
        let interest = interest.get().clamp(0, HEADROOM);
        if self.seeded == 0 {
            self.seed(now, Qty::new(interest), &[], params);
            return;
        }
        let change = interest - self.interest;
        let waiting = change != 0 || self.halves.iter().any(|half| half.removed != 0);
        if self.volume == 0 && waiting && now.since(self.interval_at).get() < params.carry_ns {
            return; // Interest came ahead of its trades: both are judged together, next time.
        }
        let removed = [0, 1].map(|d: usize| self.halves[d].removed.min(HEADROOM));
        let known = Known {
            volume: self.volume,
            change,
            removed,
        };
        let split = split::solve(&known, params.turnover_q16);
        for holder in Holder::BOTH {
            self.settle(now, holder, &split, params);
        }
        self.interest = interest;
        let gone = now.since(self.residual_at).get();
        let kept = mul32(self.residual, decay32(gone, params.residual_half_life_ns));
        self.residual = kept.saturating_add(split.remainder.abs());
        self.residual_at = now;
        self.entries.clear();
        (self.volume, self.fresh, self.recent) = (0, 0, 0);
        (self.interval_at, self.flushed_at) = (now, now);
        self.reweigh();
    }

    /// Brings one holder from what the small flushes did to what the whole interval says.
    fn settle(&mut self, now: Nanos, holder: Holder, split: &Split, params: &Params) {
        let d = holder as usize;
        let half = &self.halves[d];
        let open = split.opened[d] - half.opened;
        let close = split.closed[d] - half.closed;
        let back = half.removed - split.removed[d];
        let (open, close) = if open >= 0 && close >= 0 {
            (open, close)
        } else {
            ((open - close).max(0), (close - open).max(0))
        };
        self.exchange(now, holder, open, close, false, params);
        let half = &mut self.halves[d];
        half.inert += back + split.remainder.max(0);
        let missing = half.shed((-split.remainder).max(0), params);
        (half.pending, half.removed, half.opened, half.closed) = (0, 0, 0, 0);
        self.unclosed = self.unclosed.wrapping_add(u64::from(missing != 0));
    }

    /// Opens, sweeps what is already behind the mark, and closes; dead openings count among the exits.
    fn exchange(
        &mut self,
        now: Nanos,
        holder: Holder,
        open: i64,
        close: i64,
        fresh: bool,
        params: &Params,
    ) {
        let dead = self.open(now, holder, open, fresh, params);
        let half = &mut self.halves[holder as usize];
        half.inert += (dead - close).max(0);
        let missing = half.close((close - dead).max(0), params);
        self.unclosed = self.unclosed.wrapping_add(u64::from(missing != 0));
    }

    /// Lays openings over the interval's volume (or only the fresh part); answers what of them died at once.
    fn open(&mut self, now: Nanos, holder: Holder, qty: i64, fresh: bool, params: &Params) -> i64 {
        if qty <= 0 {
            return 0;
        }
        let volume_of = |e: &Entry| if fresh { e.fresh } else { e.qty };
        let all = self
            .entries
            .as_slice()
            .iter()
            .fold(0i64, |sum, e| sum + volume_of(e));
        let (mut seen, mut laid, mut dead, mut held) = (0i64, 0i64, 0i64, 0i64);
        for i in 0..self.entries.len() {
            let entry = self.entries.as_slice()[i];
            seen += volume_of(&entry);
            // Cumulative shares: the parts sum to the whole.
            let part = mul_div(qty, seen, all) - laid;
            laid += part;
            let classed = mul_div(
                part,
                1_000_000 - params.inert_e6.clamp(0, 1_000_000),
                1_000_000,
            );
            for k in 0..CLASSES {
                let mine = mul32(classed, params.mix[holder as usize][k]);
                let (near, wide) = Params::cells(holder, k, entry.bucket);
                let first = if near == wide { 0 } else { mine / 2 };
                for (cell, share) in [(near, first), (wide, mine - first)] {
                    let (put, gone) = self.lay(now, holder, k, cell, share, &entry);
                    held += put;
                    dead += gone;
                }
            }
        }
        // What found no cell: the inert share, and what lies beyond the ladder.
        self.halves[holder as usize].inert += qty - held;
        dead
    }

    /// Puts one class's share of an entry into its cell, less what the mark has passed since; answers (quantity that
    /// is accounted for outside of the opener's inert share, of it liquidated).
    fn lay(
        &mut self,
        now: Nanos,
        holder: Holder,
        k: usize,
        cell: i64,
        qty: i64,
        entry: &Entry,
    ) -> (i64, i64) {
        if qty <= 0 {
            return (0, 0);
        }
        let (low, high) = self.window();
        let half = &mut self.halves[holder as usize];
        let inside = (low..=high).contains(&cell);
        let extreme = match holder {
            Holder::Long => entry.low,
            Holder::Short => entry.high,
        };
        let (edge, passed) = Half::place(holder, bucket_at(extreme), fraction_at(extreme));
        let behind = match holder {
            Holder::Long => cell > edge,
            Holder::Short => cell < edge,
        };
        let part = if behind {
            ONE32
        } else if cell == edge && edge != half.edge {
            passed
        } else {
            0 // Ahead of the mark; in the mark's own bucket it lands in the part not passed.
        };
        let gone = if part == ONE32 { qty } else { mul32(qty, part) };
        let mut dead = 0;
        if gone > 0 {
            // `die` gives the survivors to inert itself; θ above one draws from inert, never below zero.
            dead = half.die(k, gone, &self.theta);
        }
        let put = half.put(k, inside.then_some(cell), qty - gone, now);
        if gone > 0 && inside {
            let mut found = [0; CLASSES];
            found[k] = gone;
            self.remember(now, holder, cell, &found);
        }
        (put + gone, dead)
    }

    /// Passes shard time: flushes at least every second, and brings one slice of the hot planes up to date.
    pub fn tick(&mut self, now: Nanos, params: &Params) {
        if self.seeded == 0 {
            return;
        }
        if self.fresh > 0 && now.since(self.flushed_at) >= FLUSH {
            self.flush(now, params);
        }
        self.aggregate();
    }

    /// The small flush: interest taken as unchanged, sweeps that the volume cannot hold stay pending.
    fn flush(&mut self, now: Nanos, params: &Params) {
        let known = Known {
            volume: self.fresh,
            change: 0,
            removed: [0, 1].map(|d: usize| self.halves[d].pending.min(HEADROOM)),
        };
        let split = split::solve(&known, params.turnover_q16);
        for holder in Holder::BOTH {
            let d = holder as usize;
            self.exchange(now, holder, split.opened[d], split.closed[d], true, params);
            let half = &mut self.halves[d];
            half.pending -= split.removed[d];
            half.opened += split.opened[d];
            half.closed += split.closed[d];
        }
        for entry in self.entries.as_mut_slice() {
            entry.fresh = 0;
        }
        (self.fresh, self.flushed_at) = (0, now);
        self.reweigh();
    }

    fn reweigh(&mut self) {
        for half in &mut self.halves {
            half.weigh(&self.theta);
        }
        self.pass_asked = 1;
    }

    /// One slice of a pass over the hot planes, nearest the mark first. A pass that has begun is finished before the
    /// next, so far buckets do not starve.
    fn aggregate(&mut self) {
        if self.pass_runs == 0 {
            if self.pass_asked == 0 {
                return;
            }
            (self.pass_asked, self.pass_runs, self.pass_at) = (0, 1, 0);
            self.pass_centre = bucket_at(self.mark_ln);
        }
        let (low, high) = self.window();
        let centre = self.pass_centre;
        for offset in self.pass_at..self.pass_at + SLICE {
            for bucket in [centre + offset, centre - 1 - offset] {
                if (low..=high).contains(&bucket) {
                    for half in &mut self.halves {
                        half.aggregate(bucket);
                    }
                }
            }
        }
        self.pass_at += SLICE;
        if centre + self.pass_at > high && centre - self.pass_at < low {
            self.pass_runs = 0;
        }
    }

    /// Lays a first open interest over a profile of (price, weight), or over the documented prior when it is empty:
    /// a triangle of two daily sigma around the mark. All of it is PRIOR.
    ///
    /// Nothing without a mark or an interest, or when seeded already. Entries whose liquidation price the mark has
    /// passed cannot be alive: their share is inert.
    pub fn seed(&mut self, now: Nanos, interest: Qty, profile: &[(Px, Qty)], params: &Params) {
        let interest = interest.get().clamp(0, HEADROOM);
        if self.seeded != 0 || self.marked == 0 || interest == 0 {
            return;
        }
        if self.begun == 0 {
            self.theta = [params.theta_q16; CLASSES];
            self.begun = 1;
        }
        for half in &mut self.halves {
            half.begin(&self.theta);
        }
        if profile.is_empty() {
            let centre = bucket_at(self.mark_ln);
            let width = params.prior_half_width.clamp(1, 1_000);
            let triangle = (-width..=width).map(|o| (centre + o, width + 1 - o.abs()));
            self.seed_over(now, interest, triangle, params);
        } else {
            let known = profile
                .iter()
                .filter(|(px, qty)| px.get() > 0 && qty.get() > 0);
            // Weights of 2^31 at most: thousands of them sum without a thought.
            let top = known.clone().map(|(_, qty)| qty.get()).max().unwrap_or(1);
            let cells = known.map(|(px, qty)| {
                (
                    bucket_at(ln_px(*px)),
                    mul_div(qty.get(), ONE32 / 2, top).max(1),
                )
            });
            self.seed_over(now, interest, cells, params);
        }
        for half in &mut self.halves {
            half.mark_prior();
        }
        (self.interest, self.seeded) = (interest, 1);
        self.entries.clear();
        (self.volume, self.fresh, self.recent) = (0, 0, 0);
        (self.interval_at, self.flushed_at, self.residual_at) = (now, now, now);
        self.reweigh();
    }

    fn seed_over(
        &mut self,
        now: Nanos,
        interest: i64,
        cells: impl Iterator<Item = (i64, i64)> + Clone,
        params: &Params,
    ) {
        let all = cells
            .clone()
            .fold(0i64, |sum, (_, weight)| sum.saturating_add(weight));
        let (low, high) = self.window();
        let classed = mul_div(
            interest,
            1_000_000 - params.inert_e6.clamp(0, 1_000_000),
            1_000_000,
        );
        for holder in Holder::BOTH {
            let half = &mut self.halves[holder as usize];
            let mut held = 0;
            for (bucket, weight) in cells.clone() {
                let part = mul_div(classed, weight, all);
                for k in 0..CLASSES {
                    let mine = mul32(part, params.mix[holder as usize][k]);
                    let (near, wide) = Params::cells(holder, k, bucket);
                    let first = if near == wide { 0 } else { mine / 2 };
                    for (cell, share) in [(near, first), (wide, mine - first)] {
                        let alive = match holder {
                            Holder::Long => cell <= half.edge,
                            Holder::Short => cell >= half.edge,
                        };
                        if alive && share > 0 {
                            let inside = (low..=high).contains(&cell);
                            held += half.put(k, inside.then_some(cell), share, now);
                        }
                    }
                }
            }
            half.inert += interest - held;
        }
    }

    /// Forgets every position and lays the present interest over the prior again: the answer to a broken invariant.
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

    /// Keeps a liquidation print for the calibration. It moves no mass: the mark does.
    pub fn liquidation(
        &mut self,
        now: Nanos,
        holder: Holder,
        price: Px,
        qty: Qty,
        _params: &Params,
    ) {
        self.prints[(self.print_count % PRINTS as u64) as usize] = Print {
            at: now,
            price,
            qty,
            holder: holder as u64,
        };
        self.print_count = self.print_count.wrapping_add(1);
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

/// Readings.
impl Inventory {
    /// True once an open interest has been laid out.
    #[must_use]
    pub const fn is_seeded(&self) -> bool {
        self.seeded != 0
    }
    /// The open interest that the inventory conserves; a report that still waits for its volume is not in it.
    #[must_use]
    pub const fn interest_now(&self) -> Qty {
        Qty::new(self.interest)
    }
    /// Log of the mark, Q48; `None` before the first.
    #[must_use]
    pub fn mark_ln(&self) -> Option<i64> {
        (self.marked != 0).then_some(self.mark_ln)
    }
    /// Lowest and highest bucket of the window, both inside.
    #[must_use]
    pub const fn window(&self) -> (i64, i64) {
        (self.low, self.low + BUCKETS as i64 - 1)
    }
    fn inside(&self, bucket: i64) -> bool {
        let (low, high) = self.window();
        bucket >= low && bucket <= high
    }
    /// Mass of an absolute bucket over all classes, before θ; 0 outside the window.
    #[must_use]
    pub fn mass(&self, holder: Holder, bucket: i64) -> Qty {
        let half = &self.halves[holder as usize];
        Qty::new(if self.inside(bucket) {
            half.bucket_mass(bucket)
        } else {
            0
        })
    }
    /// Expected liquidation of an absolute bucket, θ included; 0 outside the window.
    #[must_use]
    pub fn hot(&self, holder: Holder, bucket: i64) -> Qty {
        let half = &self.halves[holder as usize];
        Qty::new(if self.inside(bucket) {
            half.hot(bucket)
        } else {
            0
        })
    }
    /// The hot plane itself, by bucket modulo [`BUCKETS`]: for whoever reads all of it.
    #[must_use]
    pub fn hot_plane(&self, holder: Holder) -> &[i64; BUCKETS] {
        self.halves[holder as usize].hot_plane()
    }
    /// The class that weighs most in a bucket and the mean time of the bucket's deposits; `None` where nothing is.
    #[must_use]
    pub fn face(&self, holder: Holder, bucket: i64) -> Option<(usize, Nanos)> {
        let half = &self.halves[holder as usize];
        (self.inside(bucket) && half.hot(bucket) > 0).then(|| half.bucket_face(bucket))
    }
    /// Mass of a class, far bin included, before θ; 0 for a class that is not.
    #[must_use]
    pub fn class_mass(&self, holder: Holder, class: usize) -> Qty {
        let half = &self.halves[holder as usize];
        Qty::new(if class < CLASSES {
            half.class_mass(class)
        } else {
            0
        })
    }
    /// Mass of a class that lies outside the window.
    #[must_use]
    pub fn far_mass(&self, holder: Holder, class: usize) -> Qty {
        let half = &self.halves[holder as usize];
        Qty::new(if class < CLASSES {
            half.far_mass(class)
        } else {
            0
        })
    }
    /// Mass without a price.
    #[must_use]
    pub fn inert(&self, holder: Holder) -> Qty {
        Qty::new(self.halves[holder as usize].inert)
    }
    /// Liquidated and not yet explained by a flush.
    #[must_use]
    pub fn pending(&self, holder: Holder) -> Qty {
        Qty::new(self.halves[holder as usize].pending)
    }
    /// Mass that sweeps have met per class since the beginning, before θ; wraps.
    #[must_use]
    pub fn exposure(&self, holder: Holder) -> &[i64; CLASSES] {
        &self.halves[holder as usize].exposure
    }
    /// θ per class, Q16.
    #[must_use]
    pub const fn theta(&self) -> &[i64; CLASSES] {
        &self.theta
    }
    fn of_interest_e6(&self, qty: i64) -> i64 {
        mul_div(qty, 1_000_000, self.interest)
    }
    /// Inert share of a holder's open interest, 1e-6.
    #[must_use]
    pub fn inert_share_e6(&self, holder: Holder) -> i64 {
        self.of_interest_e6(self.halves[holder as usize].inert)
    }
    /// Share of the priced mass that is still the seeding prior, 1e-6; a million before seeding.
    #[must_use]
    pub fn prior_share_e6(&self) -> i64 {
        if self.seeded == 0 {
            return 1_000_000;
        }
        let [long, short] = self.halves.each_ref().map(Half::prior);
        mul_div(long.0 + short.0, 1_000_000, long.1 + short.1)
    }
    /// Change of interest that no volume explained, decayed with its half-life as of the last interest, as a share
    /// of open interest, 1e-6.
    #[must_use]
    pub fn residual_e6(&self) -> i64 {
        self.of_interest_e6(self.residual)
    }
    /// The last swept buckets, in no order; a room of time zero is unused.
    #[must_use]
    pub const fn swept(&self) -> &[Swept; SWEPT] {
        &self.swept
    }
    /// The last prints, in no order, and how many there have been.
    #[must_use]
    pub const fn prints(&self) -> (&[Print; PRINTS], u64) {
        (&self.prints, self.print_count)
    }
    /// True when both holders hold exactly the open interest, and no pool is negative.
    #[must_use]
    pub fn conserved(&self) -> bool {
        self.seeded == 0
            || self.halves.iter().all(|half| {
                half.held() + half.pending == self.interest && half.inert >= 0 && half.pending >= 0
            })
    }
    /// Sums every cell again and compares with the running sums: for tests, it reads 2 MB.
    #[must_use]
    pub fn resum(&self) -> bool {
        self.halves.iter().all(Half::resum)
    }
}
