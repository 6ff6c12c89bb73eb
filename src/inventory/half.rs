//! One holder's half of the inventory: class planes, far bins, the inert pool, the hot plane.
//!
//! A cell keeps *raw* quantity; its mass is `g · raw`, g one lazy scalar per class, so a close
//! touches fifteen numbers and no cell. The mass of a class is `floor(g · sum)` with `sum` the
//! running total of raw, far bin included; every verb here measures what it did as a difference of
//! that mass and gives the rounding to `inert`. So conservation is exact by construction, unit by
//! unit:
//!
//! | verb | Σ mass + inert | pending |
//! |---|---|---|
//! | `open(q)` | + q | |
//! | `close(q)` | − q (as far as there is any) | |
//! | `take` (sweep) | − x | + x |
//! | `recentre`, renormalise | 0 | |
//!
//! Cells lie bucket by bucket, the classes of a bucket side by side: a sweep and a hot cell read
//! two cache lines. The sixteenth lane of a cell is the mean time of its deposits, weighted as the
//! hot plane. The hot plane is `Σ θ g raw` per bucket, exact in a cell when it is touched,
//! otherwise as old as the last pass of [`Half::aggregate`]. A pass is due once a weight has moved by
//! more than a 256th since the last began: between passes no cell is off by more than a 128th, and
//! hundreds of small closes cost one pass.
//!
//! PRIOR mass is a raw total per class: closes shrink it with everything else, sweeps take it in
//! proportion to its share of the class, deposits dilute it. That share is exact over closes and
//! deposits, and an assumption (prior and learned mass mixed evenly) over sweeps. Of a class it
//! never grows; of all classes it can, by a hair, when young mass dies first.

use super::BUCKETS;
use super::params::{CLASSES, Params};
use crate::market::Holder;
use crate::num::fixed::{ONE, ONE32, mul_div};
use crate::num::narrow;
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// One of g: 2^60.
const ONE_G: i64 = 1 << 60;
/// Below this g is multiplied into the cells, so that raw stays within four times mass.
const SMALL_G: i64 = ONE_G / 4;
/// θ is held here, Q16.
const THETA_MAX: i64 = 4 * ONE;
/// A weight may drift by this part of itself (a power of two) before the hot plane follows.
const DRIFT_SHIFT: u32 = 8;
/// Lane of a cell that holds the mean time of its deposits.
const BORN: usize = CLASSES;

/// What a sweep found: mass per class before removal.
pub(super) type Found = [i64; CLASSES];

/// The state of one holder. All zeros is valid before [`Half::begin`].
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Half {
    cells: [[i64; CLASSES + 1]; BUCKETS],
    hot: [i64; BUCKETS],
    far: [i64; CLASSES],
    sum: [i64; CLASSES],
    prior: [i64; CLASSES],
    g: [i64; CLASSES],
    /// 2^118 / g: a deposit multiplies instead of dividing.
    inverse: [i64; CLASSES],
    /// θ g, 2^60 = 1.
    weight: [i64; CLASSES],
    /// The weights as the last pass over the hot plane began; zero = must be passed over.
    passed_with: [i64; CLASSES],
    /// Lowest and highest bucket that was ever laid on: beyond them there is nothing to pass over.
    pub(super) reach: [i64; 2],
    /// Mass that sweeps met, before removal, since the beginning: exposure for the calibration of
    /// θ. Wraps.
    pub(super) exposure: [i64; CLASSES],
    /// Mass without a price.
    pub(super) inert: i64,
    /// Liquidated and not yet explained by a flush.
    pub(super) pending: i64,
    /// Liquidated since the last interest.
    pub(super) removed: i64,
    /// Opened by flushes since the last interest.
    pub(super) opened: i64,
    /// Closed by flushes since the last interest.
    pub(super) closed: i64,
    /// Bucket of the mark, and how much of it (Q32) the mark has passed for this holder.
    pub(super) edge: i64,
    pub(super) passed: i64,
    /// The bucket the mark last backed out of, and how much of it was passed.
    pub(super) left: i64,
    pub(super) left_passed: i64,
}

const fn slot(bucket: i64) -> usize {
    bucket.rem_euclid(BUCKETS as i64) as usize
}

impl Half {
    pub(super) fn begin(&mut self, theta: &[i64; CLASSES]) {
        self.g = [ONE_G; CLASSES];
        self.inverse = [1 << 58; CLASSES];
        self.reach = [i64::MAX, i64::MIN];
        self.weigh(theta);
    }

    /// Takes new θ or g into the weights of the hot plane; cells follow when they are touched or
    /// aggregated.
    pub(super) fn weigh(&mut self, theta: &[i64; CLASSES]) {
        for (k, weight) in self.weight.iter_mut().enumerate() {
            let theta = theta[k].clamp(0, THETA_MAX);
            *weight = narrow((i128::from(self.g[k]) * i128::from(theta)) >> 16);
        }
    }

    /// True when the hot plane has drifted too far from what the weights say now.
    pub(super) fn drifted(&self) -> bool {
        let pairs = self.weight.iter().zip(&self.passed_with);
        pairs
            .into_iter()
            .any(|(now, then)| now.abs_diff(*then) > then.unsigned_abs() >> DRIFT_SHIFT)
    }

    /// Says that a pass over the whole hot plane begins now.
    pub(super) fn begin_pass(&mut self) {
        self.passed_with = self.weight;
    }

    fn mass_of(&self, k: usize, raw: i64) -> i64 {
        ((i128::from(self.g[k]) * i128::from(raw)) >> 60) as i64
    }

    pub(super) fn class_mass(&self, k: usize) -> i64 {
        self.mass_of(k, self.sum[k])
    }

    pub(super) fn far_mass(&self, k: usize) -> i64 {
        self.mass_of(k, self.far[k])
    }

    /// Everything that is held: classes and inert.
    pub(super) fn held(&self) -> i64 {
        (0..CLASSES).fold(self.inert, |sum, k| sum + self.class_mass(k))
    }

    /// (PRIOR mass, mass) of all classes.
    pub(super) fn prior(&self) -> (i64, i64) {
        (0..CLASSES).fold((0, 0), |(prior, all), k| {
            (
                prior + self.mass_of(k, self.prior[k]),
                all + self.class_mass(k),
            )
        })
    }

    /// Mass of one bucket of the window, before θ.
    pub(super) fn bucket_mass(&self, bucket: i64) -> i64 {
        let cell = &self.cells[slot(bucket)];
        (0..CLASSES).fold(0, |sum, k| sum + self.mass_of(k, cell[k]))
    }

    /// Mass of the buckets from `low` to `high`, both within the window, before θ; 0 when there are none.
    pub(super) fn mass_over(&self, low: i64, high: i64) -> i64 {
        let mut raw = [0i64; CLASSES];
        for bucket in low..=high {
            for (sum, cell) in raw.iter_mut().zip(&self.cells[slot(bucket)]) {
                *sum += cell;
            }
        }
        (0..CLASSES).fold(0, |sum, k| sum + self.mass_of(k, raw[k]))
    }

    /// Mass of one bucket of the window per class, before θ.
    pub(super) fn bucket_masses(&self, bucket: i64) -> [i64; CLASSES] {
        let cell = &self.cells[slot(bucket)];
        if cell[..CLASSES].iter().fold(0, |bits, raw| bits | raw) == 0 {
            return [0; CLASSES];
        }
        core::array::from_fn(|k| self.mass_of(k, cell[k]))
    }

    /// Class with the largest expected liquidation in a bucket, and the mean time of its deposits.
    pub(super) fn bucket_face(&self, bucket: i64) -> (usize, Nanos) {
        let cell = &self.cells[slot(bucket)];
        let expected = |k: usize| i128::from(cell[k]) * i128::from(self.weight[k]);
        let best = (1..CLASSES).fold(0, |best, k| {
            if expected(k) > expected(best) {
                k
            } else {
                best
            }
        });
        (best, Nanos::new(cell[BORN]))
    }

    pub(super) fn hot(&self, bucket: i64) -> i64 {
        self.hot[slot(bucket)]
    }

    pub(super) fn hot_plane(&self) -> &[i64; BUCKETS] {
        &self.hot
    }

    fn heat(&mut self, at: usize) -> i64 {
        let cell = &self.cells[at];
        let mut sum: i128 = 0;
        for (raw, weight) in cell[..CLASSES].iter().zip(&self.weight) {
            sum += i128::from(*raw) * i128::from(*weight);
        }
        // θ up to 4 on a mass of 2^56 stays below 2^58.
        let heat = (sum >> 60) as i64;
        self.hot[at] = heat;
        heat
    }

    /// Brings `bucket` of the hot plane up to date.
    pub(super) fn aggregate(&mut self, bucket: i64) {
        self.heat(slot(bucket));
    }

    fn raw_of(&self, k: usize, qty: i64) -> i64 {
        ((i128::from(qty) * i128::from(self.inverse[k])) >> 58) as i64
    }

    /// Adds raw for `qty` to a cell (or the far bin) of class `k`; answers the mass it became, at
    /// most `qty`.
    pub(super) fn put(&mut self, k: usize, bucket: Option<i64>, qty: i64, now: Nanos) -> i64 {
        let raw = self.raw_of(k, qty);
        let before = self.class_mass(k);
        self.sum[k] += raw;
        match bucket {
            None => self.far[k] += raw,
            Some(bucket) => {
                let at = slot(bucket);
                self.reach = [self.reach[0].min(bucket), self.reach[1].max(bucket)];
                self.cells[at][k] += raw;
                let fresh = ((i128::from(raw) * i128::from(self.weight[k])) >> 60) as i64;
                let all = self.heat(at).max(1);
                // A share of 2^16 parts by a plain division, because this runs once a cell; large
                // ones lose twelve bits that a mean time does not need.
                let less = if all >> 46 == 0 { 0 } else { 12 };
                let share = ((fresh.min(all) >> less) << 16) / (all >> less);
                let born = self.cells[at][BORN];
                let later = now.get().saturating_sub(born) >> 16;
                self.cells[at][BORN] = born.saturating_add(later.saturating_mul(share.min(ONE)));
            }
        }
        self.class_mass(k) - before
    }

    /// Says that everything now held in classes is PRIOR.
    pub(super) fn mark_prior(&mut self) {
        self.prior = self.sum;
    }

    /// Books `mass` of class `k` as met by the mark: θ of it is liquidated, the rest survives as
    /// inert; θ above one draws from inert. The mass must have left the planes (or never entered).
    /// Answers what was liquidated.
    pub(super) fn die(&mut self, k: usize, mass: i64, theta: &[i64; CLASSES]) -> i64 {
        self.exposure[k] = self.exposure[k].wrapping_add(mass);
        let theta = theta[k].clamp(0, THETA_MAX);
        let dead = mul_div(mass, theta, ONE).min(mass + self.inert);
        self.inert += mass - dead;
        dead
    }

    /// Takes `part`/`whole` of every class of a bucket, as a sweep; the dead go to `pending`.
    /// Answers the mass met.
    pub(super) fn take(
        &mut self,
        bucket: i64,
        part: i64,
        whole: i64,
        theta: &[i64; CLASSES],
    ) -> Option<Found> {
        let at = slot(bucket);
        let mut found = [0; CLASSES];
        let mut any = 0;
        for (k, met) in found.iter_mut().enumerate() {
            let raw = self.cells[at][k];
            if raw == 0 {
                continue;
            }
            let taken = if part >= whole {
                raw
            } else {
                mul_div(raw, part, whole)
            };
            let before = self.class_mass(k);
            if self.prior[k] > 0 {
                self.prior[k] -= mul_div(self.prior[k], taken, self.sum[k]);
            }
            self.cells[at][k] = raw - taken;
            self.sum[k] -= taken;
            let mass = before - self.class_mass(k);
            let dead = self.die(k, mass, theta);
            self.pending += dead;
            self.removed += dead;
            *met = mass;
            any |= mass;
        }
        if part >= whole {
            self.cells[at][BORN] = 0;
        }
        self.heat(at);
        (any != 0).then_some(found)
    }

    /// Closes `qty` voluntarily, by hazard, through g alone; answers what could not be closed
    /// because nothing is left.
    pub(super) fn close(&mut self, qty: i64, params: &Params) -> i64 {
        let mut mass = [0i64; CLASSES + 1];
        let mut rate = [params.hazard_inert.max(1); CLASSES + 1];
        for k in 0..CLASSES {
            mass[k] = self.class_mass(k);
            rate[k] = params.hazard[k].max(1);
        }
        mass[CLASSES] = self.inert;
        let (takes, left) = draw(&mass, &rate, qty.max(0));
        self.inert -= takes[CLASSES];
        for k in 0..CLASSES {
            self.close_class(k, takes[k], mass[k]);
        }
        left
    }

    /// Closes `qty` from inert first, then by hazard: a fall of interest that no flow explains.
    pub(super) fn shed(&mut self, qty: i64, params: &Params) -> i64 {
        let first = qty.min(self.inert);
        self.inert -= first;
        self.close(qty - first, params)
    }

    fn close_class(&mut self, k: usize, qty: i64, mass: i64) {
        if qty <= 0 {
            return;
        }
        if qty >= mass {
            self.empty_class(k);
        } else {
            // Rounded so that at least `qty` leaves; what leaves beyond it goes to inert below.
            self.g[k] = mul_div(self.g[k], mass - qty, mass + 1);
            if self.g[k] < SMALL_G {
                self.renormalise(k);
            } else {
                self.inverse[k] = ((1i128 << 118) / i128::from(self.g[k])) as i64;
            }
        }
        self.inert += mass - self.class_mass(k) - qty;
    }

    fn empty_class(&mut self, k: usize) {
        for cell in &mut self.cells {
            cell[k] = 0;
        }
        (self.far[k], self.sum[k], self.prior[k]) = (0, 0, 0);
        self.passed_with[k] = 0; // The hot plane still shows the class.
        (self.g[k], self.inverse[k]) = (ONE_G, 1 << 58);
    }

    /// Multiplies g into the cells and sets it to one. Mass lost to rounding is settled by the
    /// caller.
    fn renormalise(&mut self, k: usize) {
        let g = i128::from(self.g[k]);
        let scale = |raw: i64| ((i128::from(raw) * g) >> 60) as i64;
        let mut sum = scale(self.far[k]);
        self.far[k] = sum;
        for cell in &mut self.cells {
            cell[k] = scale(cell[k]);
            sum += cell[k];
        }
        self.sum[k] = sum;
        self.prior[k] = scale(self.prior[k]).min(sum);
        (self.g[k], self.inverse[k]) = (ONE_G, 1 << 58);
    }

    /// Empties a cell into the far bin: its bucket leaves the window. Mass stays what it was.
    pub(super) fn leave(&mut self, bucket: i64) {
        let at = slot(bucket);
        for k in 0..CLASSES {
            self.far[k] += self.cells[at][k];
        }
        self.cells[at] = [0; CLASSES + 1];
        self.hot[at] = 0;
    }

    /// True when every running sum is what the cells say: for tests, 2 MB of reading.
    pub(super) fn resum(&self) -> bool {
        (0..CLASSES).all(|k| {
            let cells = self.cells.iter().map(|cell| i128::from(cell[k]));
            let none_below = self.cells.iter().all(|cell| cell[k] >= 0) && self.far[k] >= 0;
            let sum = cells.sum::<i128>() + i128::from(self.far[k]);
            none_below && sum == i128::from(self.sum[k]) && self.prior[k] <= self.sum[k]
        })
    }

    /// Where the mark now stands for this holder: (bucket, passed Q32), longs being passed from
    /// above.
    pub(super) fn place(holder: Holder, bucket: i64, fraction: i64) -> (i64, i64) {
        match holder {
            Holder::Long => (bucket, ONE32 - fraction),
            Holder::Short => (bucket, fraction),
        }
    }
}

/// Draws `qty` from pools in proportion to mass times rate, none below zero; what is left is more
/// than all of them.
fn draw(
    mass: &[i64; CLASSES + 1],
    rate: &[i64; CLASSES + 1],
    qty: i64,
) -> ([i64; CLASSES + 1], i64) {
    let mut takes = [0i64; CLASSES + 1];
    let mut left = qty;
    // A pool that runs dry leaves its share to the others: at most one round a pool, and in
    // practice two.
    for _ in 0..=CLASSES {
        // Mass below 2^57 and rates below 2^24 keep the sum of weights within i128.
        let pull = |d: usize, takes: &[i64; CLASSES + 1]| {
            i128::from(mass[d] - takes[d]) * i128::from(rate[d])
        };
        let all = (0..=CLASSES).fold(0, |sum, d| sum + pull(d, &takes));
        if left == 0 || all == 0 {
            break;
        }
        let asked = left;
        // Shares are taken of a common factor: the product of three would leave the range.
        let factor = (i128::from(asked) << 64) / all;
        for d in 0..=CLASSES {
            let share = (pull(d, &takes) * factor) >> 64;
            let share = narrow(share).min(mass[d] - takes[d]).min(left);
            takes[d] += share;
            left -= share;
        }
        if left == asked {
            break;
        }
    }
    // A few units of rounding, or everything: inert first, then the far end of the ladder.
    for d in (0..=CLASSES).rev() {
        let more = left.min(mass[d] - takes[d]);
        takes[d] += more;
        left -= more;
    }
    (takes, left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn half() -> Box<Half> {
        let mut half: Box<Half> = bytemuck::allocation::zeroed_box();
        half.begin(&[ONE / 5; CLASSES]);
        half
    }

    #[test]
    fn a_deposit_never_becomes_more_than_it_was() {
        let mut half = half();
        let params = Params::default();
        for round in 0..400i64 {
            let asked = 1_000_003 + round * 977;
            let got = half.put(3, Some(40 + round % 5), asked, Nanos::new(round));
            assert!(got <= asked && got >= asked - 2, "{got} {asked}");
            half.inert += asked - got;
            let before = half.held();
            assert_eq!(half.close(700_001, &params), 0);
            assert_eq!(half.held(), before - 700_001);
            assert!(half.resum());
        }
    }

    #[test]
    fn emptying_takes_all_and_says_what_was_missing() {
        let mut half = half();
        half.put(0, Some(-7), 500, Nanos::ZERO);
        half.put(14, None, 300, Nanos::ZERO);
        half.inert = 100;
        assert_eq!(half.held(), 900);
        assert_eq!(half.close(1_000, &Params::default()), 100);
        assert_eq!((half.held(), half.inert), (0, 0));
        assert!(half.resum());
    }

    #[test]
    fn theta_above_one_draws_from_inert_and_stops_at_zero() {
        let mut half = half();
        let theta = [3 * ONE; CLASSES];
        half.weigh(&theta);
        half.put(2, Some(9), 1_000, Nanos::ZERO);
        half.inert = 500;
        assert!(half.take(9, 1, 1, &theta).is_some());
        assert_eq!((half.pending, half.inert, half.held()), (1_500, 0, 0));
        assert_eq!(half.take(9, 1, 1, &theta), None);
    }

    proptest! {
        #[test]
        fn drawing_is_whole(
            mass in proptest::array::uniform16(0i64..1 << 56),
            rate in proptest::array::uniform16(1i64..1 << 21),
            qty in 0i64..1 << 60,
        ) {
            let (takes, left) = draw(&mass, &rate, qty);
            let all: i64 = mass.iter().sum();
            prop_assert_eq!(takes.iter().sum::<i64>(), qty.min(all));
            prop_assert_eq!(left, qty - qty.min(all));
            for d in 0..16 {
                prop_assert!(takes[d] >= 0 && takes[d] <= mass[d]);
            }
        }
    }
}
