//! Flushes: an interval's volume and change of interest become openings and closes (heatmap.md 2.2
//! to 2.4, 2.7).
//!
//! Small flushes run every second with unchanged interest; an interest solves its whole interval
//! and corrects them. Order within one: open, sweep the openings that the mark has passed since
//! their trade, close.

use super::half::Half;
use super::params::{CLASSES, Params, doubt};
use super::split::{self, Known, Split};
use super::{Entry, FLUSH, Inventory, bucket_at, fraction_at};
use crate::market::Holder;
use crate::num::fixed::{ONE32, decay32, mul_div, mul32};
use crate::num::log::ln_px;
use crate::num::{HEADROOM, Px, Qty};
use crate::time::Nanos;

impl Inventory {
    /// Open interest of one side: solves the interval, flushes, conserves. Seeds when it is the
    /// first after a mark.
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
        let missing = self.exchange(now, holder, open, close, false, params);
        let half = &mut self.halves[d];
        // When nearly everything was swept, what must close is among what comes back.
        let from_back = missing.clamp(0, back.max(0));
        half.inert += back - from_back + split.remainder.max(0);
        let missing = missing - from_back + half.shed((-split.remainder).max(0), params);
        (half.pending, half.removed, half.opened, half.closed) = (0, 0, 0, 0);
        self.unclosed = self.unclosed.wrapping_add(u64::from(missing != 0));
    }

    /// Opens, sweeps what is already behind the mark, and closes; dead openings count among the
    /// exits. Answers what could not be closed because nothing is left.
    fn exchange(
        &mut self,
        now: Nanos,
        holder: Holder,
        open: i64,
        close: i64,
        fresh: bool,
        params: &Params,
    ) -> i64 {
        let dead = self.open(now, holder, open, fresh, params);
        let half = &mut self.halves[holder as usize];
        half.inert += (dead - close).max(0);
        half.close((close - dead).max(0), params)
    }

    /// Lays openings over the interval's volume (or only the fresh part); answers what of them died
    /// at once.
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
                let (near, wide) = params.cells(holder, k, entry.bucket);
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

    /// Puts one class's share of an entry into its cell, less what the mark has passed since;
    /// answers (quantity that is accounted for outside of the opener's inert share, of it
    /// liquidated).
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
            // `die` gives the survivors to inert itself; θ above one draws from inert, never below
            // zero.
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

    /// Passes shard time: flushes at least every second, and brings one slice of the hot planes up
    /// to date.
    pub fn tick(&mut self, now: Nanos, params: &Params) {
        if self.seeded == 0 {
            return;
        }
        if self.fresh > 0 && now.since(self.flushed_at) >= FLUSH {
            self.flush(now, params);
        }
        self.aggregate();
    }

    /// The small flush: interest taken as unchanged, sweeps that the volume cannot hold stay
    /// pending.
    fn flush(&mut self, now: Nanos, params: &Params) {
        let known = Known {
            volume: self.fresh,
            change: 0,
            removed: [0, 1].map(|d: usize| self.halves[d].pending.min(HEADROOM)),
        };
        let split = split::solve(&known, params.turnover_q16);
        for holder in Holder::BOTH {
            let d = holder as usize;
            let missing =
                self.exchange(now, holder, split.opened[d], split.closed[d], true, params);
            self.unclosed = self.unclosed.wrapping_add(u64::from(missing != 0));
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

    /// Lays a first open interest over a profile of (price, weight), or over the documented prior
    /// when it is empty: a triangle of two daily sigma around the mark. All of it is PRIOR.
    ///
    /// Nothing without a mark or an interest, or when seeded already. Entries whose liquidation
    /// price the mark has passed cannot be alive: their share is inert.
    pub fn seed(&mut self, now: Nanos, interest: Qty, profile: &[(Px, Qty)], params: &Params) {
        let interest = interest.get().clamp(0, HEADROOM);
        if self.seeded != 0 || self.marked == 0 || interest == 0 {
            return;
        }
        if self.begun == 0 {
            self.theta = [params.theta_q16; CLASSES];
            self.width.doubt_q16 = core::array::from_fn(|k| doubt(params.shape_q16(k)));
            self.width.lump = mul_div(interest, params.theta_unit_e6, 1_000_000);
            self.width.single = self.width.lump;
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
                    let (near, wide) = params.cells(holder, k, bucket);
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
}
