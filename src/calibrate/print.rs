//! The print road: what a printed liquidation says of θ. Quantities 1e-6 lots, shares Q16 and Q32, places Q48.
//!
//! A print is shared out over the classes by what lay near the place where its position must have died, against a
//! background. A venue that hides prints is weighted by how many were expected in the print's second; what that adds is
//! held until the next open interest and never exceeds its fall. Shares of a print never sum to more than one.

use super::{Calibration, add, unit};
use crate::event::Liquidation;
use crate::inventory::Inventory;
use crate::inventory::liquidation::{self, Linear};
use crate::inventory::params::{CLASSES, Params};
use crate::market::{Holder, VenueId};
use crate::num::fixed::{ONE, exp2neg, mul_div};
use crate::num::log::{BUCKET, ln_px};
use crate::num::{HEADROOM, Px, Qty, narrow};
use crate::time::Nanos;

/// Buckets either side of a print's place where standing mass is looked at.
const STANDING: i64 = 32;
/// Width over which a missed print could lie, buckets.
const MISSED_OVER: i64 = 100;
/// Expected prints of a second are held to this.
const COUNTED: usize = 256;

/// What the price of a print says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locates {
    /// The bankruptcy price: the liquidation price follows by the margin table.
    Bankruptcy,
    /// A fill: the market when it died.
    Fill,
    /// Close to the mark.
    Mark,
}

/// Whose prints compete to be the one that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Every liquidation.
    All,
    /// The largest of a second, both holders together, or an unstated part.
    Some,
}

/// What a venue's prints tell: a row of [`OBSERVATIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Venue.
    pub venue: VenueId,
    /// What the price means.
    pub locates: Locates,
    /// How many are shown.
    pub shown: Shown,
    /// Deviation of the place beyond the model's own, bp: a judgement.
    pub blur_bp: i64,
}

/// A row per venue that prints liquidations; a venue without a row (Hyperliquid) keeps the prior.
pub const OBSERVATIONS: [Observation; 3] = [
    Observation {
        venue: VenueId::BYBIT,
        locates: Locates::Bankruptcy,
        shown: Shown::All,
        blur_bp: 0,
    },
    Observation {
        venue: VenueId::BINANCE,
        locates: Locates::Fill,
        shown: Shown::Some,
        blur_bp: 3,
    },
    Observation {
        venue: VenueId::OKX,
        locates: Locates::Mark,
        shown: Shown::Some,
        blur_bp: 2,
    },
];

/// The row of a venue.
#[must_use]
pub fn observation(venue: VenueId) -> Option<&'static Observation> {
    OBSERVATIONS.iter().find(|row| row.venue == venue)
}

/// Sums 1 + 1/2 + … + 1/n, Q16.
const HARMONIC: [i64; COUNTED + 1] = {
    let mut sums = [0; COUNTED + 1];
    let mut n = 1;
    while n <= COUNTED {
        sums[n] = sums[n - 1] + ONE / n as i64;
        n += 1;
    }
    sums
};

/// Where the position of a bankruptcy price died: an entry there without margin is that position, judged by the row of
/// the margin table that holds it. Bybit's rule, who alone prints such prices. The price itself where there is no
/// answer.
#[must_use]
pub fn liquidation_of(print: &Liquidation, params: &Params) -> Px {
    let value = i128::from(print.price.get()) * i128::from(print.qty.get());
    let rows = &params.margin[..(params.margins as usize).min(params.margin.len())];
    let holds = rows.iter().find(|row| value <= liquidation::money(row.cap));
    let Some(row) = holds.or(rows.last()) else {
        return print.price;
    };
    let position = Linear {
        holder: print.holder,
        qty: print.qty,
        entry: print.price,
        margin: 0,
    };
    position
        .at_rate(
            &liquidation::BYBIT,
            row.maintenance_e6 as u32,
            row.deduction,
        )
        .unwrap_or(print.price)
}

/// Where the position of a print died, as far as its venue's prints tell.
#[must_use]
pub fn died_at(row: Option<&Observation>, print: &Liquidation, params: &Params) -> Px {
    match row.map(|row| row.locates) {
        Some(Locates::Bankruptcy) => liquidation_of(print, params),
        Some(Locates::Fill | Locates::Mark) | None => print.price,
    }
}

impl Calibration {
    /// Takes a print. Nothing for a venue whose prints say nothing.
    pub fn print(
        &mut self,
        now: Nanos,
        row: Option<&Observation>,
        print: &Liquidation,
        inventory: &Inventory,
        params: &Params,
    ) {
        let qty = print.qty.get().min(HEADROOM);
        let Some(row) = row.filter(|_| qty > 0 && print.price.get() > 0) else {
            self.unread = self.unread.wrapping_add(1);
            return;
        };
        self.read(now, inventory, params);
        let unit = unit(inventory.interest_now(), params);
        self.confirm(now, unit, params);
        (self.heard, self.silent, self.fresh) = (1, 0, 1);
        let holder = print.holder;
        let price = died_at(Some(row), print, params);
        let sigma = params.blur.saturating_add(inventory.mark_step());
        let sigma = sigma
            .saturating_add(row.blur_bp * (BUCKET / 2))
            .max(BUCKET / 16);
        let found = self.shares(now, holder, ln_px(price), sigma, inventory, params);
        let extra = self.hidden(now, row, qty, inventory);
        let mut given = 0;
        for (k, share) in found.iter().enumerate().filter(|(_, share)| **share > 0) {
            let mine = part(qty, *share);
            self.a[k] = add(self.a[k], mine);
            self.extra[k] = add(self.extra[k], part(extra, *share));
            given += mine;
        }
        let d = holder as usize;
        self.extra_of[d] = add(self.extra_of[d], extra);
        self.told = add(self.told, qty);
        self.taken = add(self.taken, qty);
        self.missed = add(self.missed, (qty - given).max(0));
        self.prints = self.prints.wrapping_add(1);
        let week = self.week(now);
        week.realised[d] = add(week.realised[d], qty);
        self.hour.realised[d] = add(self.hour.realised[d], qty);
        self.lump(now, holder, qty, unit);
    }

    /// Share of a print at `place` that each class gets, Q32; what lacks to one is the background's.
    fn shares(
        &self,
        now: Nanos,
        holder: Holder,
        place: i64,
        sigma: i64,
        inventory: &Inventory,
        params: &Params,
    ) -> [i64; CLASSES] {
        // Masses are never below 0, and a weight has 17 bits at most.
        let (mut all, mut near) = ([0u128; CLASSES], [0u128; CLASSES]);
        let mut meet = |bucket: i64, mass: &[i64; CLASSES]| {
            let away = bucket
                .saturating_mul(BUCKET)
                .saturating_add(BUCKET / 2)
                .saturating_sub(place);
            let weight = bell(away, sigma) as u64;
            for (all, mass) in all.iter_mut().zip(mass) {
                *all += u128::from(*mass as u64);
            }
            if weight > 0 {
                for (near, mass) in near.iter_mut().zip(mass) {
                    *near += u128::from(*mass as u64) * u128::from(weight);
                }
            }
        };
        for swept in inventory.swept_since(now, Nanos::new(params.match_ns)) {
            if swept.holder == holder as u64 {
                meet(swept.bucket, &swept.mass);
            }
        }
        let reach = (sigma.saturating_mul(4) / BUCKET).clamp(1, STANDING);
        let middle = place.div_euclid(BUCKET);
        for bucket in middle - reach..=middle + reach {
            meet(bucket, &inventory.masses(holder, bucket));
        }
        let theta = self.theta_or(params);
        let (mut sum, mut whole) = (0i128, 0i128);
        let near: [i128; CLASSES] = core::array::from_fn(|k| {
            let part = near[k] as i128 * i128::from(theta[k]);
            sum += part;
            whole += all[k] as i128 * i128::from(theta[k]);
            part
        });
        // Of the mass at hand ε is expected anywhere within MISSED_OVER buckets: its density under the same bell, whose
        // width is sqrt(2 pi) sigmas. `near` carries the bell's 2^16.
        let wide = mul_div(sigma, 164_276, BUCKET).max(ONE);
        let missed =
            (whole / i128::from(MISSED_OVER)) * i128::from(mul_div(params.miss_q16, wide, ONE));
        let total = sum + missed;
        if sum <= 0 || total <= 0 {
            return [0; CLASSES];
        }
        let shift = (128 - total.leading_zeros()).saturating_sub(62);
        let total = (total >> shift).max(1) as u64;
        // One division for all classes.
        let over = reciprocal(total);
        near.map(|part| share_of((part >> shift) as u64, total, over))
    }

    /// What a hidden print stands for beyond itself: of n expected in its second the largest is shown.
    fn hidden(&mut self, now: Nanos, row: &Observation, qty: i64, inventory: &Inventory) -> i64 {
        if row.shown == Shown::All {
            return 0;
        }
        let mut expected = 0i128;
        for swept in inventory.swept_since(now, Nanos::SECOND) {
            for (mass, theta) in swept.mass.iter().zip(inventory.theta()) {
                expected += i128::from(*mass) * i128::from(*theta);
            }
        }
        let mean = if self.sizes[1] == 0 {
            qty
        } else {
            self.sizes[0] / self.sizes[1]
        };
        let count = narrow((expected >> 16) / i128::from(mean.max(1)));
        let count = count.clamp(1, COUNTED as i64);
        let sum = HARMONIC[count as usize];
        // The largest of n of one exponential law is H_n means: what it says of the mean.
        let size = mul_div(qty, ONE, sum);
        if self.sizes[1] >= 1_024 {
            self.sizes = self.sizes.map(|half| half / 2);
        }
        self.sizes = [add(self.sizes[0], size), self.sizes[1] + 1];
        (mul_div(qty, count * ONE, sum) - qty).max(0)
    }

    /// Open interest was told: what hidden prints stand for is taken as far as it fell.
    pub fn interest(&mut self, now: Nanos, interest: Qty) {
        let interest = interest.get().clamp(0, HEADROOM);
        let fall = (self.interest - interest).max(0);
        let all = add(self.extra_of[0], self.extra_of[1]);
        if all > 0 {
            let taken = (fall - self.told).clamp(0, all);
            for k in 0..CLASSES {
                self.a[k] = add(self.a[k], mul_div(self.extra[k], taken, all));
            }
            let parts = self.extra_of.map(|part| mul_div(part, taken, all));
            let hour = &mut self.hour.realised;
            for (sum, part) in hour.iter_mut().zip(parts) {
                *sum = add(*sum, part);
            }
            let week = self.week(now);
            for (sum, part) in week.realised.iter_mut().zip(parts) {
                *sum = add(*sum, part);
            }
        }
        (self.extra, self.extra_of, self.told) = ([0; CLASSES], [0; 2], 0);
        self.interest = interest;
    }
}

/// 2^94 / total, for [`share_of`]; total is above 0 and at most 2^62.
const fn reciprocal(total: u64) -> u128 {
    (1 << 94) / total as u128
}

/// part / total in Q32, toward zero; part is at most total. By the reciprocal it is at most one too small.
const fn share_of(part: u64, total: u64, reciprocal: u128) -> i64 {
    let (part, total) = (part as u128, total as u128);
    let least = (part * reciprocal) >> 62;
    let rest = (part << 32) - least * total;
    (least + (rest >= total) as u128) as i64
}

/// A share (Q32, 0 to 1) of a quantity of 0 or more.
const fn part(qty: i64, share: i64) -> i64 {
    ((qty as u128 * share as u128) >> 32) as i64
}

/// exp(−½ (away / σ)²) in Q16; 0 from four deviations on. σ is above 0.
fn bell(away: i64, sigma: i64) -> i64 {
    let (away, sigma) = (away.unsigned_abs(), sigma.unsigned_abs().max(1));
    if away / 4 >= sigma {
        return 0;
    }
    let z = if away >> 47 == 0 {
        (away << 16) / sigma
    } else {
        ((u128::from(away) << 16) / u128::from(sigma)) as u64
    } as i64;
    // ½ log2 e = .721348.
    exp2neg((((z * z) >> 16) * 47_274) >> 16) >> 16
}

#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    reason = "the law it is compared with is in reals"
)]
mod tests {
    use super::*;
    use crate::num::fixed::ONE32;
    use proptest::prelude::*;

    #[test]
    fn the_bell_is_the_bell() {
        for (z, want) in [
            (0.0, 1.0),
            (0.5, 0.882_497),
            (1.0, 0.606_531),
            (2.0, 0.135_335),
            (4.0, 0.0),
        ] {
            let got = bell((z * BUCKET as f64) as i64, BUCKET) as f64 / ONE as f64;
            assert!((got - want).abs() < 2e-4, "{z} {got}");
            assert_eq!(
                bell(-(z * BUCKET as f64) as i64, BUCKET) as f64 / ONE as f64,
                got
            );
        }
        assert_eq!(bell(i64::MIN, 1), 0);
    }

    proptest! {
        #[test]
        fn the_bell_by_words_is_the_wide_one(
            away in prop_oneof![-BUCKET * 20..BUCKET * 20, -i64::MAX..i64::MAX],
            sigma in prop_oneof![BUCKET / 16..BUCKET * 8, 1i64..i64::MAX],
        ) {
            let z = mul_div(away.saturating_abs(), ONE, sigma);
            let wide = exp2neg((((z.min(4 * ONE) * z.min(4 * ONE)) >> 16) * 47_274) >> 16) >> 16;
            prop_assert_eq!(bell(away, sigma), if z >= 4 * ONE { 0 } else { wide });
        }

        #[test]
        fn shares_by_reciprocal_are_quotients(
            total in prop_oneof![1u64..1 << 62, 1u64..1_000],
            cut in 0u64..=u64::MAX,
        ) {
            for part in [cut % (total + 1), total, 0, total - 1] {
                let want = mul_div(ONE32, part as i64, total as i64);
                prop_assert_eq!(share_of(part, total, reciprocal(total)), want);
            }
        }
    }

    #[test]
    fn harmonic_sums_are_sums() {
        assert_eq!((HARMONIC[1], HARMONIC[2]), (ONE, ONE * 3 / 2));
        assert!((HARMONIC[COUNTED] as f64 / ONE as f64 - 6.124_345).abs() < 0.004);
    }
}
