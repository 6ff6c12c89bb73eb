//! The fit of θ to the evidence, and its width. Logarithms Q32; counts, weights and θ Q16.
//!
//! Deaths come as by chance (Poisson) at θ times what was met, and ln θ runs nearly straight along the ladder: the
//! likeliest l = ln θ minimises Σ (b e^l − a l) + ½ Σ w (l − ln prior)² + ½ p Σ (second difference of l)², a and b
//! counted in deaths as they come. Newton's method, a banded solve a step. Where nothing was met the line goes on as it
//! came; where much was met and nobody died that counts as much as deaths do. θ stays within bounds.

use super::{Calibration, add, unit};
use crate::inventory::Width;
use crate::inventory::params::{self, CLASSES, Params};
use crate::num::fixed::{ONE, ONE32, clip, mul_div, mulq};
use crate::num::log::{exp_q48, ln_q48};
use crate::num::{Qty, narrow};
use crate::time::Nanos;

/// θ is held to these, Q16.
const THETA: [i64; 2] = [ONE / 1_024, 4 * ONE];
/// Evidence is counted in no finer lumps, so that logarithms of it are fine.
const LEAST: i64 = 16;
/// Most deaths that are counted, Q16.
const MOST: i64 = ONE << 20;
/// Steps of Newton's method at most.
const STEPS: usize = 20;
/// The longest step, Q32.
const LONGEST: i64 = 3 * ONE32;
/// It is there when no logarithm moves further.
const NEAR: i64 = ONE32 / 1_024;
/// The mass of the background is of our own choosing, and who uses the highest leverage is gone in minutes: no ladder
/// is known to run straight through these rows. They are held together by so small a part of the penalty.
const LOOSE: i64 = 16;

impl Calibration {
    /// Fits θ to the evidence there is; the prior where there is none.
    pub fn fit(&mut self, now: Nanos, interest: Qty, params: &Params) {
        (self.fresh, self.fitted_at) = (0, now);
        let unit = unit(interest, params);
        // What scatters less around nothing than around what was expected was expected wrongly: a lump is not that.
        let [squares, hours] = [self.lumps, self.hours].map(|sums| sums[0].min(sums[3]));
        // Nothing is known of lumps until prints of a unit have come: till then they are one, and one cluster.
        let by = mul_div(unit, add(squares, unit), add(self.lumps[1], unit)).max(LEAST);
        // Evidence is counted in deaths as they come. From totals those are mostly the error of the level, so in units
        // at most.
        let each = by.min(unit).max(1);
        let dead = self.a.map(|a| mul_div(a, ONE, each).min(MOST));
        let met = self.b.map(|b| mul_div(b, ONE, each).max(1));
        let line = likeliest(&dead, &met, params);
        self.theta = line.map(|ln| exp_q48((ln << 16) + ln_q48(ONE)).clamp(THETA[0], THETA[1]));
        // What hours scatter beyond their lumps; a unit beside them, so that one hour alone says little.
        let lump = mul_div(unit, squares, self.lumps[1]);
        let beyond = hours.saturating_sub(mul_div(self.hours[1], lump, unit));
        let mean = mul_div(add(self.lumps[1], unit), ONE, add(self.lumps[2], ONE));
        self.width = Width {
            doubt_q16: core::array::from_fn(|k| {
                let seen = mul_div(self.a[k], ONE, by);
                params::doubt(add(params.shape_q16(k), seen).min(MOST))
            }),
            scatter_q16: clip(mul_div(beyond, ONE, add(self.hours[2], unit)), 0, 16 * ONE),
            lump: by,
            // Totals do not say of how many deaths they are.
            single: if self.lumps[2] == 0 { by } else { mean.min(by) },
        };
    }
}

/// ln θ that makes so many dead of so many met likeliest.
fn likeliest(dead: &[i64; CLASSES], met: &[i64; CLASSES], params: &Params) -> [i64; CLASSES] {
    let sure: [i64; CLASSES] = core::array::from_fn(|k| params::precision(params.shape_q16(k)));
    let prior = ln_q32(params.theta_q16);
    // A guess from what is near, one death of the prior's beside it: a row counts half as much with every row between.
    let about = |first: i64, rows: &[i64; CLASSES], k: usize| {
        (0..CLASSES).fold(first, |sum, j| add(sum, rows[j] >> j.abs_diff(k)))
    };
    let first = mul_div(ONE, ONE, params.theta_q16.max(1));
    let mut line: [i64; CLASSES] =
        core::array::from_fn(|k| ln_q32(mul_div(about(ONE, dead, k), ONE, about(first, met, k))));
    let met = met.map(ln_q48);
    for _ in 0..STEPS {
        let expected: [i64; CLASSES] =
            core::array::from_fn(|k| exp_q48((line[k] << 16) + met[k]).clamp(0, MOST));
        let weight = core::array::from_fn(|k| add(sure[k], expected[k]));
        let pull = core::array::from_fn(|k| {
            let drawn = dead[k] - expected[k] + mulq(sure[k], (prior - line[k]) >> 16);
            i128::from(weight[k].max(1)) * i128::from(line[k]) + (i128::from(drawn) << 32)
        });
        let next = smooth(pull, &weight, params.theta_smooth_q16, params.background);
        let moved = (0..CLASSES).fold(1, |far, k| far.max((next[k] - line[k]).abs()));
        // Too long a step is made shorter, and keeps its direction.
        let part = LONGEST.min(moved);
        for (ln, next) in line.iter_mut().zip(next) {
            *ln = clip(
                *ln + mul_div(next - *ln, part, moved),
                -(40 << 32),
                40 << 32,
            );
        }
        if moved < NEAR {
            break;
        }
    }
    line
}

/// Logarithm, Q32, of a Q16.
fn ln_q32(of: i64) -> i64 {
    (ln_q48(of.max(1)) - ln_q48(ONE)) >> 16
}

/// Minimises Σ (w l − 2 wy) l + p Σ (second difference of l)², p a part only where the background or the row next to it
/// is among the three; wy Q48, the answer Q32, w and p Q16.
#[must_use]
fn smooth(
    wy: [i128; CLASSES],
    w: &[i64; CLASSES],
    stiff_q16: i64,
    background: u64,
) -> [i64; CLASSES] {
    // Bands of W + pP: diagonal, first, second.
    let mut band = [[0i128; 3]; CLASSES];
    let mut right = wy;
    for k in 0..CLASSES {
        band[k][0] = i128::from(w[k].max(1)) << 16;
    }
    for k in 1..CLASSES - 1 {
        let loose = if k as u64 > background + 1 { 1 } else { LOOSE };
        let p = i128::from(stiff_q16 / loose) << 16;
        for (i, a) in [(0, 1), (1, -2), (2, 1)] {
            for (j, b) in [(0, 1), (1, -2), (2, 1)] {
                if j >= i {
                    band[k - 1 + i][j - i] += p * a * b;
                }
            }
        }
    }
    // L D Lᵀ, L unit lower triangular with two bands in Q32; w is Q32 here, positive definite.
    let mut down = [[0i128; 2]; CLASSES];
    for k in 0..CLASSES {
        let pivot = band[k][0].max(1);
        for i in 0..2 {
            down[k][i] = (band[k][i + 1] << 32) / pivot;
        }
        for i in 0..2 {
            for j in i..2 {
                if k + 1 + j < CLASSES {
                    let part = (band[k][j + 1] * down[k][i]) >> 32;
                    band[k + 1 + i][j - i] -= part;
                }
            }
            if k + 1 + i < CLASSES {
                right[k + 1 + i] -= (right[k] * down[k][i]) >> 32;
            }
        }
        // Q48 over Q32 makes Q16: the rest of the Q32 answer comes in here.
        right[k] = (right[k] << 16) / pivot;
    }
    for k in (0..CLASSES).rev() {
        for i in 0..2 {
            if k + 1 + i < CLASSES {
                right[k] -= (right[k + 1 + i] * down[k][i]) >> 32;
            }
        }
    }
    right.map(narrow)
}

#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    reason = "the dense solve it is compared with is in reals"
)]
mod tests {
    use super::*;
    use crate::inventory::liquidation::BYBIT;
    use proptest::prelude::*;

    /// How far a step in reals would still move the furthest row from what is found.
    fn left_to_go(rows: [(i64, f64); CLASSES], background: u64) -> f64 {
        let mut params = Params::from_tiers(&BYBIT, &[]);
        params.background = background;
        let dead = rows.map(|(dead, _)| dead);
        let met = rows.map(|(dead, ln)| ((dead + ONE / 4) as f64 * ln.exp()) as i64 + 1);
        let line = likeliest(&dead, &met, &params);
        let real = |q: i64| q as f64 / ONE as f64;
        let l = line.map(|l| l as f64 / ONE32 as f64);
        let mut slope = [0.0; CLASSES];
        let mut curve = [0.0; CLASSES];
        for k in 0..CLASSES {
            let sure = real(params::precision(params.shape_q16(k)));
            let expected = real(met[k]) * l[k].exp();
            slope[k] = real(dead[k]) - expected - sure * (l[k] - real(params.theta_q16).ln());
            curve[k] = expected + sure;
        }
        for k in 1..CLASSES - 1 {
            let loose = if k as u64 > background + 1 { 1 } else { LOOSE };
            let p = real(params.theta_smooth_q16 / loose);
            let bend = l[k - 1] - 2.0 * l[k] + l[k + 1];
            for (j, part) in [(k - 1, 1.0), (k, -2.0), (k + 1, 1.0)] {
                slope[j] -= p * part * bend;
                curve[j] += p * part * part;
            }
        }
        (0..CLASSES).fold(0.0, |far: f64, k| far.max((slope[k] / curve[k]).abs()))
    }

    /// Many dead where nearly nothing was expected and little is known before: their pull is counted whole.
    #[test]
    fn a_strong_pull_on_a_weak_row_counts_whole() {
        let mut rows = [(0, 0.0); CLASSES];
        rows[..6].copy_from_slice(&[
            (1_470_153, -6.107_957_833_389_472),
            (14_532_141, 6.413_208_618_480_004),
            (2_310_251, -7.737_923_390_404_823),
            (3_347_301, 7.377_192_567_592_814_5),
            (4_531_108, -0.252_666_801_823_589_9),
            (7_898_197, 0.0),
        ]);
        let left = left_to_go(rows, 3);
        assert!(left < 1e-3, "{left}");
    }

    proptest! {
        /// The slope of the log posterior is nothing there, in reals.
        #[test]
        fn nothing_is_likelier(
            rows in proptest::array::uniform15((0i64..ONE << 8, -8.0f64..8.0)),
            background in 0u64..5,
        ) {
            let left = left_to_go(rows, background);
            prop_assert!(left < 1e-3, "{left}");
        }
        #[test]
        fn the_banded_solve_is_the_dense_one(
            y in proptest::array::uniform15(-(6i64 << 32)..6 << 32),
            w in proptest::array::uniform15(ONE / 16..ONE << 14),
            stiff in ONE / 100..ONE * 1_000,
            background in 0u64..5,
        ) {
            let wy = core::array::from_fn(|k| i128::from(w[k]) * i128::from(y[k]));
            let got = smooth(wy, &w, stiff, background);
            let real = |q: i64| q as f64 / ONE as f64;
            let mut m = [[0.0f64; CLASSES + 1]; CLASSES];
            for k in 0..CLASSES {
                m[k][k] += real(w[k]);
                m[k][CLASSES] = real(w[k]) * y[k] as f64 / ONE32 as f64;
            }
            for k in 1..CLASSES - 1 {
                let p = real(if k as u64 > background + 1 { stiff } else { stiff / LOOSE });
                let d = [(k - 1, 1.0), (k, -2.0), (k + 1, 1.0)];
                for (i, a) in d {
                    for (j, b) in d {
                        m[i][j] += p * a * b;
                    }
                }
            }
            for k in 0..CLASSES {
                let pivot = m[k];
                for (i, row) in m.iter_mut().enumerate() {
                    if i != k {
                        let f = row[k] / pivot[k];
                        row.iter_mut().zip(pivot).for_each(|(x, p)| *x -= f * p);
                    }
                }
            }
            for k in 0..CLASSES {
                let want = m[k][CLASSES] / m[k][k];
                let got = got[k] as f64 / ONE32 as f64;
                // Q32 times the condition of soft rows beside a stiff ladder.
                prop_assert!((got - want).abs() < 2e-5, "{} {} {}", k, got, want);
            }
        }
    }
}
