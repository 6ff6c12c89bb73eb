//! The smooth fit of θ to the evidence, and its width. Logarithms Q32, weights and θ Q16.
//!
//! Minimises Σ w_k (l_k − y_k)² + p Σ (l_{k−1} − 2 l_k + l_{k+1})² by a banded solve; θ stays within bounds.

use super::{Calibration, add, unit};
use crate::inventory::Width;
use crate::inventory::params::{self, CLASSES, Params};
use crate::num::fixed::{ONE, clip, mul_div, mulq};
use crate::num::log::{exp_q48, ln_q48};
use crate::num::{Qty, narrow};
use crate::time::Nanos;

/// θ is held to these, Q16.
const THETA: [i64; 2] = [ONE / 1_024, 4 * ONE];
/// Evidence is counted in no finer lumps, so that logarithms of it are fine.
const LEAST: i64 = 16;

impl Calibration {
    /// Fits θ to the evidence there is; the prior where there is none.
    pub fn fit(&mut self, now: Nanos, interest: Qty, params: &Params) {
        (self.fresh, self.fitted_at) = (0, now);
        let unit = unit(interest, params);
        // What scatters less around nothing than around what was expected was expected wrongly: a lump is not that.
        let [squares, hours] = [self.lumps, self.hours].map(|sums| sums[0].min(sums[3]));
        // Nothing is known of lumps until prints of a unit have come: till then they are one, and one cluster.
        let by = mul_div(unit, add(squares, unit), add(self.lumps[1], unit)).max(LEAST);
        // A prior is worth so many deaths as they come, and never more than of a unit.
        let worth = |shape: i64| mul_wide(by.min(unit), shape);
        let of = |evidence: i64, prior: i128| narrow(i128::from(evidence) + prior).max(1);
        let shape = params.theta_shape_q16.max(1);
        let prior = worth(shape);
        let rate = prior * i128::from(ONE) / i128::from(params.theta_q16.max(1));
        // The level about a class: what it and its neighbours say together, each row away half as much.
        let near = |sums: &[i64; CLASSES], k: usize| {
            (0..CLASSES).fold(0, |sum, j| add(sum, sums[j] >> j.abs_diff(k)))
        };
        let target = core::array::from_fn(|k| {
            let [dead, met] = [of(near(&self.a, k), prior), of(near(&self.b, k), rate)];
            let prior = worth(params.shape_q16(k));
            let rate = prior * i128::from(met) / i128::from(dead);
            (ln_q48(of(self.a[k], prior)) - ln_q48(of(self.b[k], rate))) >> 16
        });
        let shapes: [i64; CLASSES] = core::array::from_fn(|k| {
            add(params.shape_q16(k), mul_div(self.a[k], ONE, by)).min(ONE << 20)
        });
        let weight = shapes.map(params::precision);
        let stiff = mulq(params::precision(shape), params.theta_smooth_q16);
        let fitted = smooth(&target, &weight, stiff);
        self.theta = fitted.map(|ln| {
            let ln = ln.clamp(-40 << 32, 40 << 32) << 16;
            exp_q48(ln + ln_q48(ONE)).clamp(THETA[0], THETA[1])
        });
        // What hours scatter beyond their lumps; a unit beside them, so that one hour alone says little.
        let lump = mul_div(unit, squares, self.lumps[1]);
        let beyond = hours.saturating_sub(mul_div(self.hours[1], lump, unit));
        let mean = mul_div(add(self.lumps[1], unit), ONE, add(self.lumps[2], ONE));
        self.width = Width {
            doubt_q16: shapes.map(params::doubt),
            scatter_q16: clip(mul_div(beyond, ONE, add(self.hours[2], unit)), 0, 16 * ONE),
            lump: by,
            // Totals do not say of how many deaths they are.
            single: if self.lumps[2] == 0 { by } else { mean.min(by) },
        };
    }
}

/// `qty` times a Q16.
const fn mul_wide(qty: i64, factor_q16: i64) -> i128 {
    (qty as i128 * factor_q16 as i128) >> 16
}

/// Minimises Σ w (l − y)² + p Σ (second difference of l)²; y and the answer Q32, w and p Q16.
#[must_use]
fn smooth(y: &[i64; CLASSES], w: &[i64; CLASSES], stiff_q16: i64) -> [i64; CLASSES] {
    // Bands of W + pP: diagonal, first, second.
    let mut band = [[0i128; 3]; CLASSES];
    let mut right = [0i128; CLASSES];
    for k in 0..CLASSES {
        band[k][0] = i128::from(w[k].max(1)) << 16;
        right[k] = i128::from(w[k].max(1)) * i128::from(y[k]);
    }
    for k in 1..CLASSES - 1 {
        let p = i128::from(stiff_q16) << 16;
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
    use crate::num::fixed::ONE32;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_banded_solve_is_the_dense_one(
            y in proptest::array::uniform15(-(6i64 << 32)..6 << 32),
            w in proptest::array::uniform15(ONE..ONE << 14),
            stiff in ONE / 100..ONE * 100,
        ) {
            let got = smooth(&y, &w, stiff);
            let real = |q: i64| q as f64 / ONE as f64;
            let mut m = [[0.0f64; CLASSES + 1]; CLASSES];
            for k in 0..CLASSES {
                m[k][k] += real(w[k]);
                m[k][CLASSES] = real(w[k]) * y[k] as f64 / ONE32 as f64;
            }
            for k in 1..CLASSES - 1 {
                let p = real(stiff);
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
