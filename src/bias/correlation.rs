//! Correlation: how much scores repeat each other, by decayed covariance on the decision grid (scoring.md 7.1).
//!
//! Means are Q32, covariances Q48. A correlation is shrunk by n / (n + 100): what was seen a few times is held to be
//! new. Pairs are updated only when both scores exist. Correlations are taken once per grid step and kept.

use crate::num::fixed::{ONE, ONE32, clip, isqrt};
use crate::num::narrow;
use bytemuck::{Pod, Zeroable};

/// Scores it has room for.
pub(super) const CAP: usize = 32;
const PAIRS: usize = CAP * (CAP - 1) / 2;
/// Samples at which a correlation is half believed.
const SHRINK: i64 = 100;

/// Decayed moments of up to [`CAP`] scores. All zeros is "nothing seen", which correlates nothing.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Correlations {
    mean: [i64; CAP],
    variance: [i64; CAP],
    count: [u64; CAP],
    covariance: [i64; PAIRS],
    rho: [i32; PAIRS],
}

const fn pair(a: usize, b: usize) -> usize {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high * (high - 1) / 2 + low
}

/// (1 - a)(moment + a d e), Q48 of Q32 deviations.
fn decayed(moment: i64, share: i64, d: i64, e: i64) -> i64 {
    let step = (i128::from(d) * i128::from(e) / i128::from(ONE)) * i128::from(share);
    let sum = i128::from(moment) + step / i128::from(ONE32);
    narrow(sum * i128::from(ONE32 - share) / i128::from(ONE32))
}

impl Correlations {
    /// Takes the scores (Q16) of one grid step; `rate` is the share of a step, Q32. At most [`CAP`] scores.
    pub fn take(&mut self, scores: &[Option<i64>], rate: i64) {
        let mut away = [0i64; CAP];
        let mut shares = [0i64; CAP];
        let scores = &scores[..scores.len().min(CAP)];
        for (i, score) in scores.iter().enumerate() {
            let Some(score) = *score else { continue };
            let young = ONE32 / (self.count[i].min(1 << 30) as i64 + 1);
            shares[i] = clip(rate.max(young), 1, ONE32);
            away[i] = clip(score, -ONE, ONE) * ONE - self.mean[i];
        }
        for i in 0..scores.len() {
            if shares[i] == 0 {
                continue;
            }
            for j in (0..i).filter(|&j| shares[j] != 0) {
                let moment = &mut self.covariance[pair(i, j)];
                let share = shares[i].max(shares[j]);
                *moment = decayed(*moment, share, away[i], away[j]);
            }
            self.variance[i] = decayed(self.variance[i], shares[i], away[i], away[i]);
            let step = i128::from(shares[i]) * i128::from(away[i]) / i128::from(ONE32);
            self.mean[i] += narrow(step);
            self.count[i] = self.count[i].saturating_add(1);
        }
        for i in 0..scores.len() {
            for j in 0..i {
                self.rho[pair(i, j)] = self.measure(i, j) as i32;
            }
        }
    }

    fn measure(&self, i: usize, j: usize) -> i64 {
        let n = self.count[i].min(self.count[j]).min(1 << 30) as i64;
        let scale = isqrt(i128::from(self.variance[i]) * i128::from(self.variance[j]));
        if scale == 0 {
            return 0;
        }
        let covariance = i128::from(self.covariance[pair(i, j)]);
        let rho = narrow(covariance * i128::from(ONE) / i128::from(scale));
        clip(rho, -ONE, ONE) * n / (n + SHRINK)
    }

    /// Correlation of two different scores, Q16; 0 outside.
    #[must_use]
    pub fn of(&self, i: usize, j: usize) -> i64 {
        if i == j || i >= CAP || j >= CAP {
            return 0;
        }
        i64::from(self.rho[pair(i, j)])
    }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn empty() -> Box<Correlations> {
        bytemuck::allocation::zeroed_box()
    }

    #[test]
    fn a_copy_correlates_wholly_once_it_was_seen_often() {
        let mut rho = empty();
        for k in 0..10_000i64 {
            let x = (k * 7_919) % 65_537 - 32_768;
            let y = (k * 104_729) % 65_537 - 32_768;
            rho.take(&[Some(x), Some(x), Some(-x), Some(y), None], 1_000);
        }
        assert!(rho.of(0, 1) > ONE * 98 / 100, "{}", rho.of(0, 1));
        assert!(rho.of(0, 2) < -ONE * 98 / 100);
        assert!(rho.of(0, 3).abs() < ONE / 10, "{}", rho.of(0, 3));
        assert_eq!((rho.of(0, 4), rho.of(3, 3), rho.of(0, 99)), (0, 0, 0));
    }

    proptest! {
        #[test]
        fn it_agrees_with_its_float_twin(
            xs in prop::collection::vec((-65_536i64..=65_536, -65_536i64..=65_536), 30..200)
        ) {
            let mut rho = empty();
            let rate = ONE32 / 50;
            let (mut mx, mut my, mut vx, mut vy, mut c) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for (n, (x, y)) in xs.iter().enumerate() {
                rho.take(&[Some(*x), Some(*y)], rate);
                let a: f64 = (0.02f64).max(1.0 / (n as f64 + 1.0));
                let (dx, dy) = (*x as f64 / 65_536.0 - mx, *y as f64 / 65_536.0 - my);
                c = (1.0 - a) * (c + a * dx * dy);
                vx = (1.0 - a) * (vx + a * dx * dx);
                vy = (1.0 - a) * (vy + a * dy * dy);
                mx += a * dx;
                my += a * dy;
            }
            let n = xs.len() as f64;
            let twin = c / (vx * vy).sqrt() * n / (n + 100.0);
            prop_assert!((rho.of(0, 1) as f64 / 65_536.0 - twin).abs() < 0.001);
        }
    }
}
