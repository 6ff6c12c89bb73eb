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
//! Cost: one refresh reads 2 x 4,096 cells a venue and writes as many sums: 13 us for one venue on a
//! quiet core (`bench/map.rs`, default build), twice that with the other core busy.

use crate::inventory::exact::{BANDS, ENDS, Exact};
use crate::inventory::{BUCKETS, Inventory};
use crate::market::Holder;
use crate::num::fixed::{ONE32, mul_div, mul32};
use crate::num::log::{BUCKET, ln_px, px_of_ln};
use crate::num::{Px, Usd, narrow};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Buckets of a live half.
pub const DEPTH: usize = 4_096;
/// Venues a map can hold.
pub const VENUES: usize = 16;
/// An offset stays while it is wrong by no more than this: three quarters of a bucket, Q48.
const SLACK: i64 = BUCKET / 4 * 3;
/// e^(±2 bp), 2^60 = 1.
const STEP_UP: i64 = 1_153_152_111_967_735_743;
const STEP_DOWN: i64 = 1_152_690_943_362_818_547;

/// Price of the i-th bucket away relative to the first, 2^60 = 1: below, above.
static FACTORS: [[i64; DEPTH]; 2] = [powers(STEP_DOWN), powers(STEP_UP)];

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
#[allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]
mod tests {
    use super::*;
    use crate::inventory::Params;
    use crate::num::log::bucket_low;
    use crate::num::{Qty, Round};

    const LONG: Holder = Holder::Long;
    const SHORT: Holder = Holder::Short;

    fn map() -> Box<Heatmap> {
        bytemuck::allocation::zeroed_box()
    }
    fn seeded(mark: Px, interest: i64) -> Box<Inventory> {
        let mut inventory: Box<Inventory> = bytemuck::allocation::zeroed_box();
        let params = Params::default();
        inventory.mark(Nanos::SECOND, mark, &params);
        inventory.interest(Nanos::SECOND, Qty::whole(interest), &params);
        for tick in 0..200 {
            inventory.tick(Nanos::millis(1_000 + tick * 10), &params);
        }
        inventory
    }

    #[test]
    fn steps_are_two_basis_points() {
        let one = (1i64 << 60) as f64;
        assert!((STEP_UP as f64 / one - 0.0002f64.exp()).abs() < 1e-15);
        assert!((STEP_DOWN as f64 / one - (-0.0002f64).exp()).abs() < 1e-15);
        for i in [1, 100, 4_095] {
            for (row, way) in FACTORS.iter().zip([-1.0, 1.0]) {
                let want = (way * 0.0002 * i as f64).exp();
                assert!((row[i] as f64 / one / want - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn scales_agree_with_notional() {
        for price in [
            1,
            7,
            12_345,
            100_000_000,
            650_000_000_000_000,
            i64::MAX >> 8,
        ] {
            let (factor, shift) = scale(Px::new(price));
            for qty in [1i64, 999_999, 1 << 40, 1 << 54] {
                let want = Px::new(price).notional(Qty::new(qty), Round::Down).get();
                let got = cents(qty, factor, shift);
                let slack = 1 + want / (1 << 40);
                assert!(
                    want == i64::MAX || (want - got).abs() <= slack,
                    "{price} {qty} {want} {got}"
                );
            }
        }
    }

    /// Positions of accounts 0, 1, …: (holder, whole lots, liquidation price).
    fn positions(held: &[(Holder, i64, Px)]) -> Box<Exact> {
        let mut exact: Box<Exact> = bytemuck::allocation::zeroed_box();
        for (account, (holder, lots, liquidation)) in held.iter().enumerate() {
            let told = crate::event::Position {
                account: account as u64,
                holder: *holder,
                qty: Qty::whole(*lots),
                entry: Px::whole(65_000),
                liquidation: *liquidation,
            };
            exact.tell(Nanos::SECOND, &told, None);
        }
        exact
    }

    /// A quarter of the longs is known, half of that without a price; no short is.
    #[test]
    fn the_model_fills_what_is_not_known_exactly() {
        let mark = Px::whole(65_000);
        let inventory = seeded(mark, 50_000);
        let known = [(LONG, 6_250, Px::whole(64_000)), (LONG, 6_250, Px::ZERO)];
        let exact = positions(&known);
        let (mut plain, mut with) = (map(), map());
        let all = std::slice::from_ref(&*inventory);
        plain.refresh(Nanos::SECOND, all, &[mark], 0);
        with.refresh_with(Nanos::SECOND, all, &[mark], 0, Some((0, &exact)));
        assert!(plain.above_short == with.above_short);
        let at = (plain.bucket() - crate::num::log::bucket_of(Px::whole(64_000))) as usize;
        let rest = exact.rest_q32(LONG, &inventory, plain.bucket());
        assert!(rest[0] < rest[BANDS - 1]);
        for i in 0..DEPTH {
            let own = with.below_long[i] as f64;
            let band = ENDS.partition_point(|end| *end <= i as i64);
            let mut want = plain.below_long[i] as f64 * rest[band] as f64 / ONE32 as f64;
            if i == at {
                // 6,250 lots at the middle of its bucket: within a basis point of 64,000.
                let usd = 6_250.0 * 64_000.0 * 100.0;
                assert!((own - want - usd).abs() < usd * 1e-4, "{own} {want}");
                want = own;
            }
            assert!((own - want).abs() <= 2.0 + want * 1e-9, "{i} {own} {want}");
        }
        assert_eq!(plain.known(LONG), Usd::ZERO);
        let known = with.total(LONG).minus(with.part(LONG, 0));
        assert_eq!((with.known(LONG), with.known(SHORT)), (known, Usd::ZERO));
        assert!((known.get() as f64 / (6_250.0 * 64_000.0 * 100.0) - 1.0).abs() < 1e-4);
        // Positions of a venue that is not in the map change nothing.
        with.refresh_with(Nanos::SECOND, all, &[mark], 0, Some((1, &exact)));
        assert!(plain.below_long == with.below_long);
    }

    /// Nobody known is no difference, to the byte; everybody known is their positions and nothing else.
    #[test]
    fn nothing_known_is_the_model_and_all_known_is_no_model() {
        let mark = Px::whole(65_000);
        let inventory = seeded(mark, 50_000);
        let all = std::slice::from_ref(&*inventory);
        let (mut plain, mut with) = (map(), map());
        plain.refresh(Nanos::SECOND, all, &[mark], 0);
        with.refresh_with(Nanos::SECOND, all, &[mark], 0, Some((0, &positions(&[]))));
        assert!(bytemuck::bytes_of(&*plain) == bytemuck::bytes_of(&*with));
        let known = [(LONG, 20_000, Px::whole(64_000)), (LONG, 30_000, Px::ZERO)];
        with.refresh_with(
            Nanos::SECOND,
            all,
            &[mark],
            0,
            Some((0, &positions(&known))),
        );
        assert!(plain.above_short == with.above_short);
        let filled: Vec<_> = (0..DEPTH).filter(|i| with.below_long[*i] != 0).collect();
        let at = plain.bucket() - crate::num::log::bucket_of(Px::whole(64_000));
        assert_eq!(filled, [at as usize]);
    }

    /// exact + Σ rest · mass (inert, pending and far included) = open interest, whatever is known.
    #[test]
    fn what_is_known_and_what_is_filled_in_is_the_open_interest() {
        let inventory = seeded(Px::whole(65_000), 50_000);
        let interest = inventory.interest_now();
        for lots in [0, 1, 33_333, 49_999, 50_000, 70_000, 400_000] {
            let halves = [
                (LONG, lots / 2, Px::whole(64_000)),
                (LONG, lots - lots / 2, Px::ZERO),
            ];
            let exact = positions(&halves);
            let (low, high) = inventory.window();
            let origin = inventory.mark_ln().unwrap().div_euclid(BUCKET);
            let rest = exact.rest_q32(LONG, &inventory, origin);
            let mut last = inventory.inert(LONG).get() + inventory.pending(LONG).get();
            let far = (0..crate::inventory::CLASSES).map(|k| inventory.far_mass(LONG, k).get());
            last += far.sum::<i64>();
            let mut filled = mul32(last, rest[BANDS - 1]);
            for bucket in low..=high {
                let band = ENDS.partition_point(|end| *end <= origin - bucket);
                filled += mul32(inventory.mass(LONG, bucket).get(), rest[band]);
            }
            let known = mul32(exact.tracked(LONG).get(), exact.weight_q32(LONG, interest));
            let off = known + filled - interest.get();
            // A Q32 share of 5e10 units is exact to a dozen; cells round down one by one.
            assert!(off.abs() <= 10_000, "{lots}: {off}");
        }
    }

    #[test]
    fn one_venue_is_its_own_reference() {
        let mark = Px::whole(65_000);
        let inventory = seeded(mark, 50_000);
        let mut map = map();
        map.refresh(Nanos::SECOND, std::slice::from_ref(&*inventory), &[mark], 0);
        assert_eq!((map.reference(), map.venues), (Some(0), 1));
        for (holder, way) in [(LONG, -1), (SHORT, 1)] {
            let mut total = 0;
            for i in 0..DEPTH as i64 {
                let bucket = map.bucket() + way * i;
                let middle = bucket_low(bucket).get() / 2 + bucket_low(bucket + 1).get() / 2;
                let want = Px::new(middle).notional(inventory.hot(holder, bucket), Round::Down);
                let got = map.half(holder)[i as usize];
                let slack = 2 + want.get() / 1_000_000;
                assert!((got - want.get()).abs() <= slack, "{i} {got} {want}");
                total += got;
            }
            assert_eq!(map.total(holder), Usd::new(total));
            assert!(total > 0);
            let (at, usd) = map.heaviest(holder).unwrap();
            assert_eq!(map.half(holder)[at], usd.get());
            assert!(map.half(holder).iter().all(|&other| other <= usd.get()));
        }
    }

    #[test]
    fn within_is_the_integral_of_the_half() {
        let mark = Px::parse("64987.65").unwrap();
        let inventory = seeded(mark, 50_000);
        let mut map = map();
        map.refresh(Nanos::SECOND, std::slice::from_ref(&*inventory), &[mark], 0);
        for holder in Holder::BOTH {
            assert_eq!(map.within(holder, 0), Usd::ZERO);
            assert_eq!(map.within(holder, i64::MIN), Usd::ZERO);
            assert_eq!(map.within(holder, i64::MAX), map.total(holder));
            let mut before = Usd::ZERO;
            for step in 0..5_000i64 {
                let distance = step * 858_993 / 3;
                let got = map.within(holder, distance);
                assert!(got >= before);
                before = got;
                // The same by walking.
                let mut left = (distance << 16) as f64;
                let mut sum = 0.0;
                for (i, &cents) in map.half(holder).iter().enumerate() {
                    let width = if i == 0 {
                        map.near[holder as usize]
                    } else {
                        BUCKET
                    } as f64;
                    let part = (left / width).clamp(0.0, 1.0);
                    sum += cents as f64 * part;
                    left -= width * part;
                    if part < 1.0 {
                        break;
                    }
                }
                assert!((got.get() as f64 - sum).abs() <= 2.0, "{step}");
            }
        }
    }

    #[test]
    fn an_offset_does_not_flicker_on_its_edge() {
        let mut map = map();
        map.mark_ln = 1_000 * BUCKET;
        assert_eq!(map.offset(0, map.mark_ln - BUCKET * 4 / 10), 0);
        assert_eq!(map.offset(0, map.mark_ln - BUCKET * 6 / 10), 0);
        assert_eq!(map.offset(0, map.mark_ln - BUCKET * 8 / 10), 1);
        assert_eq!(map.offset(0, map.mark_ln - BUCKET * 4 / 10), 1);
        assert_eq!(map.offset(0, map.mark_ln + BUCKET * 4 / 10), 0);
    }

    #[test]
    fn venues_add_in_distance_from_their_own_marks() {
        let params = Params::default();
        let marks = [Px::whole(65_000), Px::whole(65_100)];
        let mut both: Box<[Inventory; 2]> = bytemuck::allocation::zeroed_box();
        for (inventory, mark) in both.iter_mut().zip(marks) {
            inventory.mark(Nanos::SECOND, mark, &params);
            inventory.interest(Nanos::SECOND, Qty::whole(1_000), &params);
            for tick in 0..200 {
                inventory.tick(Nanos::millis(1_000 + tick * 10), &params);
            }
        }
        let (mut one, mut sum) = (map(), map());
        one.refresh(Nanos::SECOND, &both[..1], &marks[..1], 0);
        sum.refresh(Nanos::SECOND, both.as_slice(), &marks, 0);
        assert_eq!(sum.venues, 3);
        for holder in Holder::BOTH {
            let (one, sum) = (
                one.total(holder).get() as f64,
                sum.total(holder).get() as f64,
            );
            assert!((sum / one - 2.0).abs() < 0.01, "{sum} {one}");
        }
        // A stale venue leaves; without any the map is empty.
        sum.refresh(Nanos::SECOND, both.as_slice(), &[marks[0], Px::ZERO], 0);
        assert_eq!((sum.venues, sum.total(LONG)), (1, one.total(LONG)));
        // In the other's price the dollars are those of the same distances.
        sum.refresh(Nanos::SECOND, both.as_slice(), &marks, 1);
        assert_eq!((sum.venues, sum.reference()), (3, Some(1)));
        assert_eq!(sum.bucket_of_venue(1, sum.bucket()), sum.bucket());
        assert_eq!(sum.bucket_of_venue(0, sum.bucket()), sum.bucket() - 8);
        sum.refresh(Nanos::SECOND, both.as_slice(), &[], 0);
        assert_eq!((sum.venues, sum.total(LONG)), (0, Usd::ZERO));
    }

    #[test]
    fn parts_are_the_venues_and_the_densest_is_the_largest_of_the_kernel() {
        let mark = Px::whole(100);
        let inventory = seeded(mark, 1_000);
        let mut map = map();
        assert_eq!(map.densest(), None);
        map.refresh(Nanos::SECOND, std::slice::from_ref(&*inventory), &[mark], 0);
        let mut best = (Usd::ZERO, 0);
        for holder in Holder::BOTH {
            assert_eq!(map.part(holder, 0), map.total(holder));
            assert_eq!(map.part(holder, 1), Usd::ZERO);
            for i in 0..DEPTH {
                let dense = map.smoothed(holder, i);
                if dense > best.0 {
                    best = (dense, i);
                }
            }
        }
        let (holder, at, dense) = map.densest().unwrap();
        assert!(
            (dense.get() - best.0.get()).abs() <= 1,
            "{dense:?} {best:?}"
        );
        let price = map.price(holder, at);
        assert_eq!(holder == SHORT, price > mark);
    }

    #[test]
    fn smoothing_keeps_mass() {
        let mark = Px::whole(100);
        let inventory = seeded(mark, 1_000);
        let mut map = map();
        map.refresh(Nanos::SECOND, std::slice::from_ref(&*inventory), &[mark], 0);
        for holder in Holder::BOTH {
            let sum: i64 = (0..DEPTH).map(|i| map.smoothed(holder, i).get()).sum();
            assert!((sum - map.total(holder).get()).abs() <= DEPTH as i64);
            assert_eq!(map.smoothed(holder, usize::MAX - 1), Usd::ZERO);
        }
    }
}
