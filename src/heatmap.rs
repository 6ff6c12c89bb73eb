//! Heatmap: the inventories of a symbol's venues as one map of dollars by distance from the mark.
//!
//! Longs die below the mark, shorts above: the two *live halves*. Index 0 is the mark's own bucket
//! (what of it the mark has not passed), index i the i-th 2 bp bucket away from it. Values are the
//! hot planes (θ inside) times the price of the bucket, in cents; the cumulative curve makes "how
//! much within this distance" one lookup.
//!
//! Venues are laid over each other in the log price of a *reference* venue, which the caller names:
//! the one whose mark, book and trades the records speak of, so that a zone's price and the mark
//! beside it are prices of one market. A venue's offset is whole buckets and moves when it is wrong
//! by more than three quarters of one: at one half it would flicker on the edge. The reference's own
//! offset is 0.
//!
//! Densities are not smoothed; [`Heatmap::smoothed`] is for people, the zone engine does its own. A
//! bucket's class and age are read from the venue's inventory (`Inventory::face`). LIMIT: what lies
//! more than 4,096 buckets (82 %) away is not in the map.
//!
//! Cost: one refresh reads 2 x 4,096 cells a venue and writes as many sums; where accounts are known it
//! reads their classes out to 20 % and each position too (`bench/map.rs`).

use crate::inventory::exact::{BANDS, ENDS, Exact};
use crate::inventory::{BUCKETS, Inventory};
use crate::market::Holder;
use crate::num::fixed::{ONE32, mul_div, mul32};
use crate::num::log::{BUCKET, BUCKET_STEP, ln_px, px_of_ln};
use crate::num::{Px, Usd, narrow};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Buckets of a live half.
pub const DEPTH: usize = 4_096;
/// Venues a map can hold.
pub const VENUES: usize = 16;
/// An offset stays while it is wrong by no more than this: three quarters of a bucket, Q48.
const SLACK: i64 = BUCKET / 4 * 3;

/// Price of the i-th bucket away relative to the first, 2^60 = 1: below, above.
static FACTORS: [[i64; DEPTH]; 2] = [powers(BUCKET_STEP[0]), powers(BUCKET_STEP[1])];

const fn powers(step: i64) -> [i64; DEPTH] {
    let mut all = [1i64 << 60; DEPTH];
    let mut i = 1;
    while i < DEPTH {
        let product = all[i - 1] as i128 * step as i128 + (1 << 59);
        all[i] = (product >> 60) as i64;
        i += 1;
    }
    all
}

/// The aggregated map of one symbol. All zeros is "nothing known".
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Heatmap {
    /// Cents that would be liquidated of longs, by buckets below the mark.
    pub below_long: [i64; DEPTH],
    /// Cents that would be liquidated of shorts, by buckets above the mark.
    pub above_short: [i64; DEPTH],
    /// Running sums of both: up to and without an index.
    curves: [[i64; DEPTH + 1]; 2],
    /// Index of the heaviest bucket of each half, and of the densest under the reading kernel.
    heaviest: [i64; 2],
    densest: [i64; 2],
    /// Cents of the model by holder and venue.
    parts: [[i64; VENUES]; 2],
    /// From the mark to the far edge of its own bucket, Q48, per half.
    near: [i64; 2],
    offsets: [i64; VENUES],
    offset_known: [u64; VENUES],
    /// Place of the reference plus one; 0 = none.
    reference: u64,
    mark_ln: i64,
    refreshed_at: Nanos,
    /// Bit per venue that is in the map.
    pub venues: u64,
}

/// Notional per 1e-6 lot at a price, as (factor, shift): cents = qty · factor >> shift.
fn scale(price: Px) -> (i64, u32) {
    let price = price.get().max(1);
    // 1e14 is just below 2^47, so the factor has 59 or 60 bits: a step up to e^0.82 keeps it within
    // 64, and with a rest of the model below 3 still within 63.
    let shift = price.leading_zeros() + 42;
    (
        (((i128::from(price)) << shift) / 100_000_000_000_000) as i64,
        shift,
    )
}

impl Heatmap {
    /// Builds the map from the venues' inventories and marks, in the same order, in the price of the
    /// venue at place `reference`.
    ///
    /// A venue that is passed with mark 0 is left out, as is one that is not seeded; the reference
    /// lends its mark even when it is not seeded itself. Without a mark of the reference the map
    /// becomes empty.
    pub fn refresh(
        &mut self,
        now: Nanos,
        inventories: &[Inventory],
        marks: &[Px],
        reference: usize,
    ) {
        self.refresh_with(now, inventories, marks, reference, None);
    }

    /// As [`Heatmap::refresh`], with the positions that are known exactly at the venue of a place: of its open interest
    /// the model fills what they do not cover.
    pub fn refresh_with(
        &mut self,
        now: Nanos,
        inventories: &[Inventory],
        marks: &[Px],
        reference: usize,
        exact: Option<(usize, &Exact)>,
    ) {
        self.refreshed_at = now;
        self.venues = 0;
        self.below_long.fill(0);
        self.above_short.fill(0);
        self.parts = [[0; VENUES]; 2];
        let mark_of = |v: usize| marks.get(v).copied().filter(|mark| mark.get() > 0);
        let mark = mark_of(reference);
        let named = mark.map_or(0, |_| reference as u64 + 1);
        if self.reference != named {
            self.reference = named;
            // Offsets were of another price.
            self.offset_known = [0; VENUES];
        }
        if let Some(mark) = mark {
            self.mark_ln = ln_px(mark);
            for (v, inventory) in inventories.iter().enumerate().take(VENUES) {
                if let Some(own) = mark_of(v)
                    && inventory.is_seeded()
                {
                    self.venues |= 1 << v;
                    let exact = exact.filter(|(at, _)| *at == v).map(|(_, exact)| exact);
                    self.add(v, inventory, own, exact);
                }
            }
        }
        let low = self.mark_ln.rem_euclid(BUCKET);
        self.near = [low, BUCKET - low];
        for holder in Holder::BOTH {
            self.sum(holder);
        }
    }

    /// Forgets everything: the empty map.
    pub fn clear(&mut self) {
        bytemuck::bytes_of_mut(self).fill(0);
    }

    /// Whole buckets from a venue's price to the reference's.
    fn offset(&mut self, v: usize, mark_ln: i64) -> i64 {
        let exact = self.mark_ln - mark_ln;
        let kept = self.offsets[v];
        let wrong = (i128::from(exact) - i128::from(kept) * i128::from(BUCKET)).abs();
        if self.offset_known[v] == 0 || wrong > i128::from(SLACK) {
            self.offsets[v] = (exact + BUCKET / 2).div_euclid(BUCKET);
            self.offset_known[v] = 1;
        }
        self.offsets[v]
    }

    fn add(&mut self, v: usize, inventory: &Inventory, mark: Px, exact: Option<&Exact>) {
        let own_ln = ln_px(mark);
        let start = self.bucket() - self.offset(v, own_ln);
        let own = own_ln.div_euclid(BUCKET);
        // The price of the first bucket's middle at this venue.
        let middle = px_of_ln(start.saturating_mul(BUCKET) + BUCKET / 2);
        let (factor, shift) = scale(middle);
        for holder in Holder::BOTH {
            let plane = inventory.hot_plane(holder);
            let (low, high) = inventory.reach(holder);
            let (half, way, room) = match holder {
                Holder::Long => (&mut self.below_long, -1, start.saturating_sub(low)),
                Holder::Short => (&mut self.above_short, 1, high.saturating_sub(start)),
            };
            let powers = &FACTORS[holder as usize];
            if let Some(exact) = exact {
                let interest = inventory.interest_now();
                let weight = exact.weight_q32(holder, interest);
                for (ln, qty) in exact.priced(holder) {
                    // Not reached yet, so never behind the mark by more than the offset's rounding.
                    let away = (ln.div_euclid(BUCKET) - start).saturating_mul(way).max(0) as usize;
                    if let (Some(sum), Some(power)) = (half.get_mut(away), powers.get(away)) {
                        let price = ((i128::from(factor) * i128::from(*power)) >> 60) as i64;
                        let qty = mul32(qty.get(), weight);
                        *sum = sum.saturating_add(cents(qty, price, shift));
                    }
                }
            }
            let rest = exact.map(|exact| exact.rest_q32(holder, inventory, start));
            // Up to which index a band goes, and its factor: one for all, unless some of it is known.
            let band_at = |band: usize| match &rest {
                Some(rest) => (
                    ENDS.get(band).map_or(DEPTH, |end| *end as usize),
                    mul32(factor, rest[band.min(BANDS - 1)]),
                ),
                None => (DEPTH, factor),
            };
            // Rounding of the offset can leave the venue's own bucket just behind index 0: it
            // belongs to it.
            let (mut behind, mut part) = (start, 0i64);
            while (own - behind) * way < 0 {
                behind -= way;
                let qty = inventory.hot(holder, behind).get();
                let cents = cents(qty, band_at(0).1, shift);
                half[0] = half[0].saturating_add(cents);
                part = part.saturating_add(cents);
            }
            let count = room.saturating_add(1).clamp(0, DEPTH as i64) as usize;
            let (mut at, mut from, mut band) = (start, 0, 0);
            while from < count {
                let (end, factor) = band_at(band);
                let end = end.min(count);
                for (sum, power) in half[from..end].iter_mut().zip(&powers[from..end]) {
                    let qty = plane[at.rem_euclid(BUCKETS as i64) as usize];
                    at += way;
                    if qty != 0 {
                        let price = ((i128::from(factor) * i128::from(*power)) >> 60) as i64;
                        let cents = cents(qty, price, shift);
                        *sum = sum.saturating_add(cents);
                        part = part.saturating_add(cents);
                    }
                }
                (from, band) = (end, band + 1);
            }
            self.parts[holder as usize][v] = part;
        }
    }

    fn sum(&mut self, holder: Holder) {
        let half = match holder {
            Holder::Long => &self.below_long,
            Holder::Short => &self.above_short,
        };
        // Most of a half is empty: behind its last dollar the curve is flat, and filled as such.
        let used = half
            .iter()
            .rposition(|&cents| cents != 0)
            .map_or(0, |last| last + 1);
        let (curve, flat) = self.curves[holder as usize].split_at_mut(used);
        let mut running = 0i64;
        let (mut best, mut most) = (0, 0);
        for (i, (cents, curve)) in half.iter().zip(curve).enumerate() {
            *curve = running;
            running = running.saturating_add(*cents);
            if *cents > most {
                (best, most) = (i, *cents);
            }
        }
        flat.fill(running);
        self.heaviest[holder as usize] = best as i64;
        let kernel = |w: &[i64; 3]| w[0].saturating_add(2 * w[1]).saturating_add(w[2]);
        // The mark's edge reflects, as in `smoothed`.
        let (mut at, mut top) = (0, kernel(&[half[0], half[0], half[1]]));
        for (i, window) in half[..(used + 1).min(DEPTH)].windows(3).enumerate() {
            let dense = window.first_chunk().map_or(0, kernel);
            if dense > top {
                (at, top) = (i + 1, dense);
            }
        }
        self.densest[holder as usize] = at as i64;
    }

    /// Place of the reference venue.
    #[must_use]
    pub const fn reference(&self) -> Option<usize> {
        (self.reference as usize).checked_sub(1)
    }
    /// Bucket of a venue that lies at `bucket` of the reference, as of the last refresh; the same for
    /// a venue that is not in the map.
    #[must_use]
    pub fn bucket_of_venue(&self, v: usize, bucket: i64) -> i64 {
        let offset = self.offsets.get(v).copied().unwrap_or(0);
        bucket.saturating_sub(offset)
    }
    /// Log of the reference mark, Q48; 0 when nothing is known.
    #[must_use]
    pub const fn mark_ln(&self) -> i64 {
        self.mark_ln
    }
    /// Absolute bucket of the reference mark: index 0 of both halves.
    #[must_use]
    pub const fn bucket(&self) -> i64 {
        self.mark_ln.div_euclid(BUCKET)
    }
    /// When it was last built.
    #[must_use]
    pub const fn refreshed_at(&self) -> Nanos {
        self.refreshed_at
    }
    /// The live half of a holder.
    #[must_use]
    pub const fn half(&self, holder: Holder) -> &[i64; DEPTH] {
        match holder {
            Holder::Long => &self.below_long,
            Holder::Short => &self.above_short,
        }
    }
    /// Everything of a holder within the map.
    #[must_use]
    pub const fn total(&self, holder: Holder) -> Usd {
        Usd::new(self.curves[holder as usize][DEPTH])
    }
    /// Index and notional of the heaviest bucket of a half; the nearest of equals, `None` when it
    /// is empty.
    #[must_use]
    pub fn heaviest(&self, holder: Holder) -> Option<(usize, Usd)> {
        let at = self.heaviest[holder as usize].clamp(0, DEPTH as i64 - 1) as usize;
        let usd = self.half(holder)[at];
        (usd > 0).then_some((at, Usd::new(usd)))
    }
    /// The densest bucket of the map under the reading kernel ([`Heatmap::smoothed`]), either side: whose, index and
    /// density; of equal ones the nearer to the mark. `None` when the map is empty.
    #[must_use]
    pub fn densest(&self) -> Option<(Holder, usize, Usd)> {
        let of = |holder: Holder| {
            let at = self.densest[holder as usize].clamp(0, DEPTH as i64 - 1) as usize;
            (holder, at, self.smoothed(holder, at))
        };
        let (long, short) = (of(Holder::Long), of(Holder::Short));
        let key = |side: &(Holder, usize, Usd)| (side.2.get(), -(side.1 as i64));
        let best = if key(&short) > key(&long) {
            short
        } else {
            long
        };
        (best.2.get() > 0).then_some(best)
    }
    /// Middle price of the bucket at an index of a half.
    #[must_use]
    pub const fn price(&self, holder: Holder, index: usize) -> Px {
        let way = match holder {
            Holder::Long => -(index as i64),
            Holder::Short => index as i64,
        };
        let bucket = self.bucket().saturating_add(way);
        px_of_ln(bucket.saturating_mul(BUCKET).saturating_add(BUCKET / 2))
    }
    /// What exact positions have of a holder's notional: all that is of no venue's model.
    #[must_use]
    pub fn known(&self, holder: Holder) -> Usd {
        let parts = self.parts[holder as usize].iter();
        let models = parts.fold(0, |sum: i64, part| sum.saturating_add(*part));
        Usd::new(self.total(holder).get().saturating_sub(models).max(0))
    }
    /// What a venue's model has of a holder's notional.
    #[must_use]
    pub fn part(&self, holder: Holder, v: usize) -> Usd {
        Usd::new(self.parts[holder as usize].get(v).copied().unwrap_or(0))
    }
    /// Density for people: one pass of (1, 2, 1)/4 over the neighbours; the mark's edge reflects,
    /// so that no mass is smoothed across it. 0 beyond the map.
    #[must_use]
    pub fn smoothed(&self, holder: Holder, index: usize) -> Usd {
        let half = self.half(holder);
        let at = |i: usize| i128::from(half.get(i).copied().unwrap_or(0));
        let before = at(index.saturating_sub(1));
        Usd::new(narrow((before + 2 * at(index) + at(index + 1)) / 4))
    }
    /// What would be liquidated of a holder if the mark went `distance` (log, Q32) that holder's
    /// way: the last bucket counts in proportion. 0 for a distance of 0 or less, all of it beyond
    /// the map.
    #[must_use]
    pub fn within(&self, holder: Holder, distance_ln_q32: i64) -> Usd {
        let (half, curve) = (self.half(holder), &self.curves[holder as usize]);
        let near = self.near[holder as usize];
        // Beyond e^1 there is no map: the shift below cannot overflow.
        let distance = distance_ln_q32.clamp(0, ONE32) << 16;
        if distance < near {
            return Usd::new(mul_div(half[0], distance, near));
        }
        let rest = distance - near;
        let index = 1 + (rest / BUCKET) as usize;
        if index >= DEPTH {
            return Usd::new(curve[DEPTH]);
        }
        let share = mul_div(half[index], rest % BUCKET, BUCKET);
        Usd::new(curve[index].saturating_add(share))
    }
}

fn cents(qty: i64, factor: i64, shift: u32) -> i64 {
    narrow((i128::from(qty) * i128::from(factor)) >> shift)
}

#[cfg(test)]
mod tests;
