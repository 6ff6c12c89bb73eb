//! Readings of the inventory: what is where, how much of it, and how far to believe it. None of
//! them changes anything.

use super::half::Half;
use super::params::band_80;
use super::{BUCKETS, CLASSES, Inventory, SWEPT, Swept, Width};
use crate::market::Holder;
use crate::num::Qty;
use crate::num::fixed::{ONE, exp2neg, mul_div, mulq, sqrtq};
use crate::num::narrow;
use crate::time::Nanos;

/// One over ln 2, Q16.
const LOG2E: i64 = 94_548;

impl Inventory {
    /// True once an open interest has been laid out.
    #[must_use]
    pub const fn is_seeded(&self) -> bool {
        self.seeded != 0
    }
    /// The open interest that the inventory conserves; a report that still waits for its volume is
    /// not in it.
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
    /// Lowest and highest bucket of the window that a holder's planes ever laid mass on since
    /// seeding; the first is above the second when there is none.
    #[must_use]
    pub fn reach(&self, holder: Holder) -> (i64, i64) {
        let (low, high) = self.window();
        let [least, most] = self.halves[holder as usize].reach;
        (low.max(least), high.min(most))
    }
    /// The class that weighs most in a bucket and the mean time of the bucket's deposits; `None`
    /// where nothing is.
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
    /// Share of the priced mass that is still the seeding prior, 1e-6, as of the last flush; a
    /// million before seeding.
    #[must_use]
    pub const fn prior_share_e6(&self) -> i64 {
        if self.seeded == 0 {
            return 1_000_000;
        }
        self.prior_e6
    }
    /// Change of interest that no volume explained, decayed with its half-life as of the last
    /// interest, as a share of open interest, 1e-6.
    #[must_use]
    pub fn residual_e6(&self) -> i64 {
        self.of_interest_e6(self.residual)
    }
    /// The last swept buckets, in no order; a room of time zero is unused.
    #[must_use]
    pub const fn swept(&self) -> &[Swept; SWEPT] {
        &self.swept
    }
    /// Those of the last swept buckets that were swept within `time`, newest first: shard time never goes back.
    pub fn swept_since(&self, now: Nanos, time: Nanos) -> impl Iterator<Item = &Swept> {
        let newest = (self.swept_count % SWEPT as u64) as usize;
        let (before, after) = self.swept.split_at(newest);
        let all = before.iter().rev().chain(after.iter().rev());
        all.take_while(move |swept| swept.at != Nanos::ZERO && now.since(swept.at) <= time)
    }
    /// Mass of an absolute bucket per class, before θ; zeros outside the window.
    #[must_use]
    pub fn masses(&self, holder: Holder, bucket: i64) -> [i64; CLASSES] {
        if self.inside(bucket) {
            self.halves[holder as usize].bucket_masses(bucket)
        } else {
            [0; CLASSES]
        }
    }
    /// Typical step of the log mark, Q48; 0 before the second mark.
    #[must_use]
    pub const fn mark_step(&self) -> i64 {
        self.mark_step
    }
    /// How far what is expected may be from what happens.
    #[must_use]
    pub const fn width(&self) -> &Width {
        &self.width
    }
    /// 80 % interval of what a holder's hot plane sums to, as multiples of that sum, Q16: low, high.
    #[must_use]
    pub fn band_q16(&self, holder: Holder) -> [i64; 2] {
        let half = &self.halves[holder as usize];
        let standing = |k| half.class_mass(k).saturating_sub(half.far_mass(k)).max(0);
        self.interval_q16(&core::array::from_fn(standing))
    }
    /// 80 % interval of what will be liquidated when the mark meets so much of each class, as multiples of what is
    /// expected, Q16: low, high.
    ///
    /// Of so many clusters as are expected none may come (Poisson); what comes otherwise is log-normal. Together they
    /// have the variance of θ of the classes met, which is common to all of them, plus the scatter of hours, plus what
    /// lumps make of so small a number. Before seeding (0, 4).
    #[must_use]
    pub fn interval_q16(&self, met: &[i64; CLASSES]) -> [i64; 2] {
        if self.begun == 0 {
            return [0, 4 * ONE];
        }
        let (expected, doubt) = self.expected(met);
        let expected = expected.max(1);
        let lumps = mul_div(self.width.lump, ONE, expected);
        let variance = mulq(doubt, doubt).saturating_add(self.width.scatter_q16);
        let deaths = mul_div(expected, LOG2E, self.width.single.max(1));
        band_80(variance.saturating_add(lumps), exp2neg(deaths) >> 16)
    }
    /// What is expected of masses by class if they are met, and the relative deviation of their θ, Q16: what is wrong
    /// with a class is half as wrong with the row beside it, as in the fit.
    fn expected(&self, met: &[i64; CLASSES]) -> (i64, i64) {
        let mine: [i128; CLASSES] =
            core::array::from_fn(|k| i128::from(met[k].max(0)) * i128::from(self.theta[k]));
        let hot: i128 = mine.iter().sum();
        if hot == 0 {
            return (0, self.width.doubt_q16[CLASSES / 2]);
        }
        // Σ x_j x_k 2^−|j−k|, x the class's part of the deviation: `before` is what the rows before it share with it.
        let (mut square, mut before) = (0i64, 0i64);
        for (mine, doubt) in mine.iter().zip(self.width.doubt_q16) {
            let part = narrow(mine * i128::from(doubt) / hot);
            square = square.saturating_add(mulq(part, part + 2 * before));
            before = (before + part) / 2;
        }
        (narrow(hot >> 16), sqrtq(square))
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
