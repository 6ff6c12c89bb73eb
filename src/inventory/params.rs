//! Parameters of the inventory: heatmap.md 2.11 as integers, each with its range, and the ladder of classes.
//!
//! A class is a *distance* from entry to liquidation, |ln LP/E|, near a row of the ladder. What a leverage means in
//! distance is the venue's exact formula ([`liquidation`](super::liquidation)): each leverage of the mix takes the row
//! nearest to it for itself, and openings of that row lie at the exact distance, per holder ([`Params::far_half`]). So
//! a cluster can be told to a bucket or two; shared between two rows of the ladder it would lie a percent off. A short
//! of 3x dies on the ladder while a long of 3x dies beyond it; what falls beyond has no class and joins the inert pool.
//!
//! The rows nearer than any real leverage are the *background*: closely margined, topped-down and minutes-old
//! positions. They share `BACKGROUND_E6` of the mix evenly.
//!
//! All fields are integers: Q16 or Q32 fixed point, or 1e-6 shares, as each says.

use super::liquidation::{Linear, Rule};
use crate::event::Tier;
use crate::market::Holder;
use crate::num::fixed::{ONE, ONE32, clip, exp2neg, isqrt, mul_div, mulq, sqrtq};
use crate::num::log::{BUCKET, exp_q48, ln_px, ln_q48};
use crate::num::{Px, Qty, Usd, narrow};
use bytemuck::{Pod, Zeroable};

/// Rows of the ladder.
pub const CLASSES: usize = 15;

/// Distances from entry to liquidation in 1e-6 of log price: .05 % to 30 %.
pub const LADDER_E6: [i64; CLASSES] = [
    500, 1_000, 2_000, 3_000, 4_000, 6_000, 9_000, 13_000, 20_000, 30_000, 45_000, 70_000, 110_000,
    180_000, 300_000,
];

/// Distance of each row in *half* buckets. An odd row lies on an edge and is shared by the two cells beside it.
pub const LADDER_HALF: [i64; CLASSES] = {
    let mut half = [0; CLASSES];
    let mut k = 0;
    while k < CLASSES {
        half[k] = LADDER_E6[k] / 100;
        k += 1;
    }
    half
};

/// The prior leverage mix: (leverage in hundredths, share in 1e-6). Sums to one.
pub const LEVERAGE_MIX: [(u32, i64); 9] = [
    (300, 110_000),
    (500, 170_000),
    (1_000, 260_000),
    (2_000, 200_000),
    (2_500, 70_000),
    (5_000, 100_000),
    (7_500, 30_000),
    (10_000, 45_000),
    (12_500, 15_000),
];

/// Share of the mix that the background rows hold, 1e-6. Judgement, range 0–200,000; only the product with θ is
/// identified by data.
pub const BACKGROUND_E6: i64 = 80_000;

/// Entry notional at which the mix is laid: small enough for every venue's first row.
const TYPICAL: Usd = Usd::whole(10_000);

/// Leverages of the prior mix, in hundredths.
pub const MIX_LEVERAGE_E2: [u32; 9] = [300, 500, 1_000, 2_000, 2_500, 5_000, 7_500, 10_000, 12_500];

/// What a plan may choose: heatmap.md 2.11 as given. [`Params`] are made from it and a margin table, again whenever
/// the table changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Choice {
    /// Shares of openings by [`MIX_LEVERAGE_E2`], 1e-6, sum one.
    pub mix_e6: [i64; 9],
    /// Share of the mix in rows nearer than any real leverage, 1e-6.
    pub background_e6: i64,
    /// Share of openings that is inert, 1e-6.
    pub inert_e6: i64,
    /// Leverage whose closing hazard the inert pool has.
    pub inert_leverage: i64,
    /// Economic turnover ψ, 1e-6.
    pub turnover_e6: i64,
    /// Exponent α of the closing hazard, 1e-6.
    pub alpha_e6: i64,
    /// Prior mean of θ, 1e-6.
    pub theta_e6: i64,
    /// Half width of the seeding prior in log price, 1e-6.
    pub prior_e6: i64,
    /// How long a change of interest without volume waits, ns.
    pub carry_ns: i64,
    /// Half-life of the published residual, ns.
    pub residual_half_life_ns: i64,
    /// Shape of θ's prior, 1e-6: so many deaths it is worth.
    pub theta_shape_e6: i64,
    /// Unit of evidence on θ, 1e-6 of open interest.
    pub theta_unit_e6: i64,
    /// Half-life of evidence on θ, ns.
    pub theta_half_life_ns: i64,
    /// How straight ln θ runs along the ladder: precision of a second difference, 1e-6.
    pub theta_smooth_e6: i64,
    /// How long a swept bucket waits for its prints, ns.
    pub match_ns: i64,
    /// Deviation of a print's place in log price, 1e-6.
    pub blur_e6: i64,
    /// Share of prints that the map is expected to miss, 1e-6.
    pub miss_e6: i64,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            mix_e6: LEVERAGE_MIX.map(|(_, share)| share),
            background_e6: BACKGROUND_E6,
            inert_e6: 500_000,
            inert_leverage: 2,
            turnover_e6: 700_000,
            alpha_e6: 250_000,
            theta_e6: 200_000,
            prior_e6: 60_000,
            carry_ns: 10_000_000_000,
            residual_half_life_ns: 3_600_000_000_000,
            theta_shape_e6: 300_000,
            theta_unit_e6: 1_000,
            theta_half_life_ns: 7 * 86_400_000_000_000,
            theta_smooth_e6: 20_000_000,
            match_ns: 5_000_000_000,
            blur_e6: 300,
            miss_e6: 50_000,
        }
    }
}

/// Everything the inventory is told. Plain integers; copied into nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Params {
    /// Share of the classed openings per holder and class, Q32; each holder's row sums to at most one, the rest is
    /// beyond the ladder and goes to inert.
    pub mix: [[i64; CLASSES]; 2],
    /// Closing hazard of each class relative to a distance of 10 %, Q16: (10 % / distance)^α.
    pub hazard: [i64; CLASSES],
    /// Leverage that a holder's class means at the venue, in hundredths; 0 = none: nearer than any real one.
    pub leverage_e2: [[i64; CLASSES]; 2],
    /// Closing hazard of the inert pool, as of 2x, Q16.
    pub hazard_inert: i64,
    /// Share of openings that is inert from the start, 1e-6. Default 500,000; range 300,000–700,000.
    pub inert_e6: i64,
    /// Economic turnover ψ, Q16. Default .70; range .15–1.
    pub turnover_q16: i64,
    /// Prior mean of θ, Q16. Default .2.
    pub theta_q16: i64,
    /// Half width of the seeding prior in buckets: two daily sigma. Default 300 (sigma 3 %); range 1–1,000.
    pub prior_half_width: i64,
    /// How long a change of interest without volume waits for its volume, ns. Default 10 s; range 0–60 s.
    pub carry_ns: i64,
    /// Half-life of the published residual, ns. Default 1 h; range 1 min–1 d.
    pub residual_half_life_ns: i64,
    /// 1 when the margin table is a generic one (flag `TIERS_ASSUMED`).
    pub tiers_assumed: u64,
    /// Shape of θ's prior where a leverage lies, Q16; see [`Params::shape_q16`]. Default .3 (deviation of ln θ 3.8);
    /// range .2–20.
    pub theta_shape_q16: i64,
    /// Rows nearer than any real leverage: the background.
    pub background: u64,
    /// Unit of evidence on θ, 1e-6 of open interest. Default 1,000; range 10–100,000.
    pub theta_unit_e6: i64,
    /// Half-life of evidence on θ, ns. Default 7 d; range 1 h–90 d.
    pub theta_half_life_ns: i64,
    /// Precision of a second difference of ln θ along the ladder, Q16. Default 20 (deviation .22); range 1–1,000.
    pub theta_smooth_q16: i64,
    /// How long a swept bucket waits for its prints, ns. Default 5 s; range .5–60 s.
    pub match_ns: i64,
    /// Deviation of a print's place, log price Q48. Default 3 bp; range .5–50 bp.
    pub blur: i64,
    /// Share of prints that the map is expected to miss, Q16. Default .05; range .001–.5.
    pub miss_q16: i64,
    /// The margin table's first rows: what a bankruptcy price says of the liquidation price.
    pub margin: [Margin; MARGINS],
    /// Rows of it in use.
    pub margins: u64,
    /// How far from its entry a class lies, per holder, in half buckets: where a leverage of the mix falls near a row,
    /// its exact distance; elsewhere the ladder's.
    pub far_half: [[i64; CLASSES]; 2],
}

/// Rows of a margin table that [`Params`] keep; a larger position is read by the last of them.
pub const MARGINS: usize = 16;

/// One row of [`Params::margin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Margin {
    /// Largest position value.
    pub cap: Usd,
    /// Deduction.
    pub deduction: Usd,
    /// Maintenance rate, 1e-6.
    pub maintenance_e6: i64,
}

/// Precision of the logarithm of a Gamma of this shape, both Q16: the inverse of the trigamma function by three terms,
/// within a hundredth from 1 on, a quarter too low at 1/4 and nearly nothing below.
#[must_use]
pub const fn precision(shape_q16: i64) -> i64 {
    // 1 / (1/a + 1/2a² + 1/6a³) = 6a³ / (6a² + 3a + 1).
    let a = if shape_q16 < 1 { 1 } else { shape_q16 as i128 };
    let one = ONE as i128;
    let below = 6 * a * a + 3 * a * one + one * one;
    // The cube of 2^46 would leave the range: divide once before.
    narrow(6 * a * a / one * a / (below / one))
}

/// Relative deviation of a Gamma of this shape, both Q16: one over its root.
#[must_use]
pub const fn doubt(shape_q16: i64) -> i64 {
    let shape = if shape_q16 < 1 { 1 } else { shape_q16 };
    isqrt((1i128 << 48) / shape as i128)
}

/// 80 % of a quantity as multiples of its mean, Q16: low, high. It is nothing with probability `none`, log-normal
/// otherwise, and has this relative variance in all (both Q16; the variance is held to 2^20).
///
/// Where nothing is unlikely, a tenth lies beyond either end. Zero is the likeliest single outcome: as soon as it is
/// among the tenth, the interval begins there, and what the low end then need not leave out the high end does. Where
/// nothing is likelier than 80 %, the interval is nothing.
#[must_use]
pub fn band_80(variance_q16: i64, none_q16: i64) -> [i64; 2] {
    let none = clip(none_q16, 0, ONE);
    let some = ONE - none;
    // Given that anything comes: mean one over `some`, and so much variance less.
    let whole = ONE + clip(variance_q16, 0, ONE << 20);
    let square = (ln_q48(mulq(whole, some).max(ONE)) - ln_q48(ONE)) >> 32;
    let spread = sqrtq(square);
    let end = |share: i64| {
        let of = mul_div(share - none, ONE, some.max(1));
        if some == 0 || of <= 0 {
            return 0;
        }
        // The normal deviate of a share, by the logistic: within three hundredths from 5 to 95 %.
        let odds = (ln_q48(of) - ln_q48((ONE - of).max(1))) >> 32;
        let away = mulq(spread, mul_div(odds, 1_000, 1_702)) - square / 2;
        mul_div(exp_q48((away << 32) + ln_q48(ONE)), ONE, some)
    };
    let left_out = (ONE / 10 - none).max(0);
    [end(left_out), end(left_out + ONE * 4 / 5)]
}

/// A margin table for venues that have not told theirs: close to the large venues' tables for BTC.
#[must_use]
pub fn generic_tiers() -> [Tier; 5] {
    let rows = [
        (300_000, 12_500, 4_000),
        (3_000_000, 7_500, 6_500),
        (12_000_000, 5_000, 10_000),
        (70_000_000, 2_000, 25_000),
        (1_000_000_000, 500, 100_000),
    ];
    let mut floor = 0;
    let mut row = 0;
    let mut tiers = rows.map(|(cap, leverage_e2, maintenance_e6)| {
        let tier = Tier {
            row,
            cap: Usd::whole(cap),
            leverage_e2,
            maintenance_e6,
            deduction: Usd::ZERO,
            floor: Usd::whole(floor),
        };
        row += 1;
        floor = cap;
        tier
    });
    super::liquidation::fill_deductions(&mut tiers);
    tiers
}

/// (10 % / distance)^(α in 1e-6), Q16.
fn hazard(distance_e6: i64, alpha_e6: i64) -> i64 {
    let ratio = ln_q48(100_000).saturating_sub(ln_q48(distance_e6));
    let power = mul_div(ratio, alpha_e6, 1_000_000);
    exp_q48(power.saturating_add(ln_q48(ONE)))
}

/// |ln LP/E| in 1e-6 of a position of `leverage_e2` by the venue's exact formula; `None` = never dies.
#[must_use]
pub fn distance_e6(holder: Holder, leverage_e2: u32, rule: &Rule, tiers: &[Tier]) -> Option<i64> {
    // The distance depends on the notional alone, so any price will do; this one keeps both steps fine.
    let entry = Px::whole(1_000);
    let qty = Qty::whole(TYPICAL.get() / Usd::ONE / 1_000);
    let (at, _) = Linear::leveraged(holder, qty, entry, leverage_e2).liquidation(rule, tiers)?;
    let away = match holder {
        Holder::Long => ln_px(entry) - ln_px(at),
        Holder::Short => ln_px(at) - ln_px(entry),
    };
    Some(narrow((i128::from(away) * 1_000_000) >> 48))
}

/// Shares `share` between the two rows around a distance, linearly in its logarithm.
fn lay(row: &mut [i64; CLASSES], distance: i64, share: i64) {
    let last = CLASSES - 1;
    if distance > LADDER_E6[last] {
        return; // Beyond the ladder: inert.
    }
    let above = LADDER_E6.partition_point(|&d| d < distance).min(last);
    if above == 0 || distance <= 0 {
        row[0] += share;
        return;
    }
    let (low, high) = (ln_q48(LADDER_E6[above - 1]), ln_q48(LADDER_E6[above]));
    let up = mul_div(share, ln_q48(distance) - low, high - low);
    row[above] += up;
    row[above - 1] += share - up;
}

impl Params {
    /// The defaults of the table, the mix laid through a venue's margin table; an empty one means the generic table.
    #[must_use]
    pub fn from_tiers(rule: &Rule, tiers: &[Tier]) -> Self {
        Self::chosen(&Choice::default(), rule, tiers)
    }

    /// As [`Params::from_tiers`] with a plan's choices instead of the defaults.
    #[must_use]
    pub fn chosen(choice: &Choice, rule: &Rule, tiers: &[Tier]) -> Self {
        let generic = generic_tiers();
        let (tiers, assumed) = if tiers.is_empty() {
            (generic.as_slice(), 1)
        } else {
            (tiers, 0)
        };
        let shape = mul_div(ONE, choice.theta_shape_e6, 1_000_000);
        let mut params = Self {
            mix: [[0; CLASSES]; 2],
            hazard: LADDER_E6.map(|d| hazard(d, choice.alpha_e6)),
            leverage_e2: [[0; CLASSES]; 2],
            hazard_inert: hazard(1_000_000 / choice.inert_leverage.max(1), choice.alpha_e6),
            inert_e6: choice.inert_e6,
            turnover_q16: mul_div(ONE, choice.turnover_e6, 1_000_000),
            theta_q16: mul_div(ONE, choice.theta_e6, 1_000_000),
            prior_half_width: mul_div(choice.prior_e6, 1 << 48, 1_000_000) / BUCKET,
            carry_ns: choice.carry_ns,
            residual_half_life_ns: choice.residual_half_life_ns,
            tiers_assumed: assumed,
            theta_shape_q16: shape,
            background: CLASSES as u64,
            theta_unit_e6: choice.theta_unit_e6,
            theta_half_life_ns: choice.theta_half_life_ns,
            theta_smooth_q16: mul_div(ONE, choice.theta_smooth_e6, 1_000_000),
            match_ns: choice.match_ns,
            blur: mul_div(1 << 48, choice.blur_e6, 1_000_000),
            miss_q16: mul_div(ONE, choice.miss_e6, 1_000_000),
            margin: [Margin::zeroed(); MARGINS],
            margins: tiers.len().min(MARGINS) as u64,
            far_half: [LADDER_HALF; 2],
        };
        for (row, tier) in params.margin.iter_mut().zip(tiers) {
            *row = Margin {
                cap: tier.cap,
                deduction: if rule.deduction {
                    tier.deduction
                } else {
                    Usd::ZERO
                },
                maintenance_e6: i64::from(tier.maintenance_e6),
            };
        }
        for holder in Holder::BOTH {
            let far = &mut params.far_half[holder as usize];
            let known = &mut params.leverage_e2[holder as usize];
            let (mix, behind) = mix(choice, holder, rule, tiers, far, known);
            params.mix[holder as usize] = mix;
            // θ is of both holders: a row is background where it is for both.
            params.background = params.background.min(behind as u64);
        }
        let first = tiers.first().map_or(0, |t| i64::from(t.maintenance_e6)) + rule.fee_e6;
        for holder in Holder::BOTH {
            let labels = &mut params.leverage_e2[holder as usize];
            for (k, label) in labels.iter_mut().enumerate() {
                if *label == 0 && k as u64 >= params.background {
                    *label = leverage_e2(holder, params.far_half[holder as usize][k], first);
                }
            }
        }
        params
    }

    /// Shape of a class's prior, Q16. The background's mass is of our own choosing, so how much of it dies is known a
    /// quarter as well.
    #[must_use]
    pub const fn shape_q16(&self, class: usize) -> i64 {
        let shape = if (class as u64) < self.background {
            self.theta_shape_q16 / 4
        } else {
            self.theta_shape_q16
        };
        if shape < 1 { 1 } else { shape }
    }

    /// Cells that a class's mass of an entry bucket lands in: one, or the two beside an edge.
    #[must_use]
    pub const fn cells(&self, holder: Holder, class: usize, entry: i64) -> (i64, i64) {
        let half = self.far_half[holder as usize][class];
        match holder {
            Holder::Long => (entry - half / 2, entry - (half + 1) / 2),
            Holder::Short => (entry + half / 2, entry + (half + 1) / 2),
        }
    }
}

/// The row of the ladder nearest to a distance by ratio, below row `under`; `None` when the nearest is more than half
/// as far or as near again, or beyond the ladder.
pub(crate) fn nearest_row(distance: i64, under: usize) -> Option<usize> {
    let off = |k: usize| (ln_q48(distance.max(1)) - ln_q48(LADDER_E6[k])).abs();
    let row = (0..under).min_by_key(|k| off(*k))?;
    let near = off(row) <= ln_q48(3) - ln_q48(2) && distance <= LADDER_E6[CLASSES - 1];
    near.then_some(row)
}

/// Hundredths of leverage that die so many half buckets from their entry, at a rate of maintenance and fee, 1e-6.
fn leverage_e2(holder: Holder, half: i64, rate_e6: i64) -> i64 {
    // e^(−d) = 2^(−d / ln 2), d/ln 2 in Q16.
    let kept = exp2neg(mul_div(half * 100, 94_548, 1_000_000));
    // Of a long 1/L = 1 − e^(−d) (1 − m − f), of a short e^d (1 + m + f) − 1.
    let margin = match holder {
        Holder::Long => ONE32 - mul_div(kept, 1_000_000 - rate_e6, 1_000_000),
        Holder::Short => {
            let grown = mul_div(ONE32, ONE32, kept.max(1));
            mul_div(grown, 1_000_000 + rate_e6, 1_000_000) - ONE32
        }
    };
    mul_div(ONE32, 100, margin.max(1))
}

/// Lays the mix, the lowest leverage first: each takes the row nearest to its distance for itself and moves it there,
/// so that what it liquidates lies where the venue's formula says. What finds no free row near is shared by two.
/// Answers how many rows are the background, too.
fn mix(
    choice: &Choice,
    holder: Holder,
    rule: &Rule,
    tiers: &[Tier],
    far_half: &mut [i64; CLASSES],
    known_e2: &mut [i64; CLASSES],
) -> ([i64; CLASSES], usize) {
    let mut shares = [0i64; CLASSES];
    let mut nearest = i64::MAX;
    let mut under = CLASSES;
    for (leverage, share) in MIX_LEVERAGE_E2.into_iter().zip(choice.mix_e6) {
        if let Some(distance) = distance_e6(holder, leverage, rule, tiers) {
            nearest = nearest.min(distance);
            match nearest_row(distance, under) {
                Some(row) => {
                    shares[row] += share;
                    far_half[row] = (distance + 50) / 100;
                    known_e2[row] = i64::from(leverage);
                    under = row;
                }
                None => lay(&mut shares, distance, share),
            }
        }
    }
    // Rows nearer than every real leverage; at least the first, so that the background never vanishes.
    let behind = LADDER_E6.partition_point(|&d| d < nearest).clamp(1, 4);
    for (k, share) in shares.iter_mut().enumerate() {
        *share = mul_div(*share, 1_000_000 - choice.background_e6, 1_000_000);
        if k < behind {
            *share += choice.background_e6 / behind as i64;
        }
        *share = mul_div(*share, ONE32, 1_000_000);
    }
    (shares, behind)
}

impl Default for Params {
    fn default() -> Self {
        Self::from_tiers(&super::liquidation::BYBIT, &[])
    }
}

const _: () = {
    // A percent of log price is fifty buckets: the ladder's rows are whole half buckets.
    assert!(BUCKET == ((1i128 << 48) / 5_000) as i64);
    let mut k = 0;
    while k < CLASSES {
        assert!(LADDER_HALF[k] * 100 == LADDER_E6[k]);
        k += 1;
    }
};

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "published values are reals")]
mod tests {
    use super::super::liquidation::{BYBIT, OKX};
    use super::*;

    #[test]
    fn distances_are_the_exact_ones_not_one_over_leverage() {
        // Percent of entry at m = 0.4 %: .402 .602 1.606 3.614 4.618 9.639, as logarithms.
        for (leverage, percent_e6) in [
            (12_500, 4_024),
            (10_000, 6_042),
            (5_000, 16_195),
            (2_000, 47_285),
            (1_000, 101_353),
        ] {
            let got = distance_e6(Holder::Long, leverage, &BYBIT, &generic_tiers()).unwrap();
            assert!((got - percent_e6).abs() <= 2, "{leverage} {got}");
        }
    }

    #[test]
    fn the_mix_is_laid_whole_or_inert() {
        let params = Params::default();
        assert_eq!(params.tiers_assumed, 1);
        let sums = params.mix.map(|row| row.iter().sum::<i64>());
        // A long of 3x dies beyond 30 %, a short of 3x does not.
        let want = mul_div(ONE32, 89 * 92 + 800, 10_000);
        assert!((sums[0] - want).abs() < ONE32 / 10_000, "{}", sums[0]);
        assert!((sums[1] - ONE32).abs() < ONE32 / 10_000, "{}", sums[1]);
        assert!(params.mix.iter().flatten().all(|&share| share >= 0));
        assert!(params.mix[0][0] > 0);
    }

    #[test]
    fn labels_and_hazards_follow_distance() {
        let params = Params::default();
        // .6 % is 100x at m = 0.4 %.
        assert!(
            (params.leverage_e2[0][5] - 10_000).abs() < 100,
            "{:?}",
            params.leverage_e2
        );
        assert!(
            (params.hazard[0] - 246_454).abs() < 50,
            "{}",
            params.hazard[0]
        );
        assert!(params.hazard.windows(2).all(|w| w[0] > w[1]));
        assert!(params.hazard_inert < params.hazard[14]);
        let fee = Params::from_tiers(&OKX, &generic_tiers());
        assert_eq!(fee.tiers_assumed, 0);
        // A reserved fee shortens the distance of a leverage, so the same distance means less of it.
        assert!(
            leverage_e2(Holder::Long, 60, 4_000 + OKX.fee_e6)
                < leverage_e2(Holder::Long, 60, 4_000)
        );
    }

    #[test]
    fn a_leverage_lies_where_the_formula_says() {
        for holder in Holder::BOTH {
            let params = Params::default();
            let (far, mix) = (
                &params.far_half[holder as usize],
                &params.mix[holder as usize],
            );
            for (leverage, share) in LEVERAGE_MIX {
                let exact = distance_e6(holder, leverage, &BYBIT, &generic_tiers()).unwrap();
                if exact > LADDER_E6[CLASSES - 1] {
                    continue;
                }
                let row = (0..CLASSES).find(|&k| (far[k] * 100 - exact).abs() <= 50);
                let row = row.expect("a row of its own");
                assert!(
                    mix[row] >= mul_div(ONE32, share * 92 / 100, 1_000_000) - 1,
                    "{leverage}"
                );
                assert_eq!(
                    params.leverage_e2[holder as usize][row],
                    i64::from(leverage)
                );
                // By the formula it is the same, to the half bucket that a row is rounded to.
                let label = leverage_e2(holder, far[row], 4_000);
                let off = (label - i64::from(leverage)).abs();
                assert!(off * 20 < label, "{holder:?} {leverage} {label}");
            }
        }
        // Halfway between two rows there is one owner, far from every row there is none.
        assert_eq!(nearest_row(47_285, CLASSES), Some(10));
        assert_eq!(nearest_row(47_285, 10), None);
        assert_eq!(nearest_row(36_000, 10), Some(9));
    }

    #[test]
    fn a_row_on_an_edge_is_shared() {
        let params = Params {
            far_half: [LADDER_HALF; 2],
            ..Params::default()
        };
        assert_eq!(params.cells(Holder::Long, 0, 100), (98, 97));
        assert_eq!(params.cells(Holder::Short, 0, 100), (102, 103));
        assert_eq!(params.cells(Holder::Long, 5, 100), (70, 70));
    }

    #[test]
    fn the_priors_width_is_that_of_its_shape() {
        // trigamma(2.5) = .4904, trigamma(1) = 1.6449, trigamma(20) = .05127.
        for (shape, want) in [(163_840, 2.039), (ONE, 0.608), (20 * ONE, 19.504)] {
            let got = precision(shape);
            let off = got as f64 / ONE as f64 / want - 1.0;
            assert!(off.abs() < 0.02, "{shape} {got}");
        }
        assert!(precision(ONE << 30) > 1 << 45 && precision(i64::MIN) >= 0);
        assert!((doubt(163_840) - 41_449).abs() < 4, "{}", doubt(163_840));
    }

    #[test]
    fn the_band_of_what_surely_comes_is_log_normal() {
        // Relative variance .4: a deviation of the log of .58, mean one.
        let got = band_80(26_214, 0).map(|q16| q16 as f64 / ONE as f64);
        assert!(
            (got[0] - 0.402).abs() < 0.01 && (got[1] - 1.777).abs() < 0.02,
            "{got:?}"
        );
        assert!(band_80(0, 0).iter().all(|end| (end - ONE).abs() <= 1));
        assert_eq!(band_80(ONE, ONE * 81 / 100), [0; 2]);
        assert!(band_80(i64::MAX, i64::MIN)[0] <= 1);
    }

    #[test]
    fn the_band_holds_four_fifths_of_what_it_says() {
        // A Poisson number of log-normal clusters, drawn: what share of them the band holds.
        let mut state = 9u64;
        let mut unit = || {
            state = state
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        for (clusters, spread) in [(0.5, 1.0), (1.0, 0.5), (2.0, 1.2), (5.0, 1.0), (20.0, 0.8)] {
            // Lumps: variance over mean is E s² / E s; the mean size is one.
            let variance = f64::exp(spread * spread) / clusters;
            let [low, high] = band_80(
                (variance * ONE as f64) as i64,
                (f64::exp(-clusters) * ONE as f64) as i64,
            )
            .map(|q16| q16 as f64 / ONE as f64);
            let mut held = 0;
            for _ in 0..20_000 {
                let (mut sum, mut left) = (0.0, unit());
                while left > f64::exp(-clusters) {
                    let normal =
                        (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos();
                    sum += (spread * normal - spread * spread / 2.0).exp();
                    left *= unit();
                }
                held += usize::from((low..=high).contains(&(sum / clusters)));
            }
            let said = format!("{clusters} {spread}: {held} in {low} to {high}");
            assert!((14_500..18_000).contains(&held), "{said}");
        }
    }
}
