//! Ladder: θ per class from totals, the only multiplier of the map (heatmap.md 2.8), in `f64` and walk-forward.
//!
//! Minimises Σ (y − ln(1 + (β + Σ θ m) / UNIT))² over ln θ and ln β, y = ln(1 + dollars / UNIT), so both stay positive,
//! with a penalty on second differences of ln θ along the ladder and a weak pull to the prior mean. β is the
//! *background* of a period, what the map cannot see: without it a period where a frozen map holds next to nothing
//! would be predicted as nothing, and its tiny mass, which is rounding, would weigh as much as a real one's.
//! The penalties take a deviation of the logs of one, about that of real totals. Gauss–Newton with a damping that grows
//! until a step helps; sixteen numbers, a few dozen steps.

use super::linear::solved;
use super::totals::{UNIT, dollars, log};
use super::walk::Mass;
use crate::inventory::CLASSES;

/// Prior mean of θ.
pub const PRIOR: f64 = 0.2;
/// Prior standard deviation of ln θ.
const SPREAD: f64 = 0.7;
/// Prior standard deviation of ln β around one unit: hardly known.
const SPREAD_BACK: f64 = 3.0;
/// Weight of the second differences, in units of the prior's inverse variance.
const SMOOTH: f64 = 1.0;
const STEPS: usize = 60;
/// Weight of the prior in a fit of dollars, as a part of all exposure.
const PRIOR_PART: f64 = 0.002;
/// Rounds of that fit.
const ROUNDS: usize = 150;
/// Unknowns: θ of every class, and β.
const WIDTH: usize = CLASSES + 1;

/// A fitted ladder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ladder {
    /// θ per class.
    pub theta: Mass,
    /// β, dollars a period.
    pub background: f64,
}

impl Ladder {
    /// θ of every class the same, no background.
    #[must_use]
    pub const fn flat(theta: f64) -> Self {
        Self {
            theta: [theta; CLASSES],
            background: 0.0,
        }
    }
    /// Dollars of a period.
    #[must_use]
    pub fn dollars(&self, mass: &Mass) -> f64 {
        let sum: f64 = self.theta.iter().zip(mass).map(|(t, m)| t * m).sum();
        self.background + sum
    }
    /// [`log`] of the dollars of a period.
    #[must_use]
    pub fn said(&self, mass: &Mass) -> f64 {
        log(self.dollars(mass))
    }
    /// The same numbers on other rows of the ladder: a control that must lose.
    #[must_use]
    pub fn shuffled(&self) -> Self {
        let mut theta = self.theta;
        theta.reverse();
        Self { theta, ..*self }
    }
}

type Unknowns = [f64; WIDTH];
type Square = [Unknowns; WIDTH];

const WEIGHT: f64 = 1.0 / (SPREAD * SPREAD);

fn ladder(u: &Unknowns) -> Ladder {
    Ladder {
        theta: core::array::from_fn(|k| u[k].exp()),
        background: UNIT * u[CLASSES].exp(),
    }
}

fn cost(u: &Unknowns, level: f64, mass: &[Mass], y: &[f64]) -> f64 {
    let tried = ladder(u);
    let fit: f64 = mass
        .iter()
        .zip(y)
        .map(|(m, y)| (y - tried.said(m)).powi(2))
        .sum();
    let pull: f64 = u[..CLASSES].iter().map(|v| (v - level).powi(2)).sum();
    let bend: f64 = u[..CLASSES]
        .windows(3)
        .map(|w| (w[0] - 2.0 * w[1] + w[2]).powi(2))
        .sum();
    fit + WEIGHT * (pull + SMOOTH * bend) + (u[CLASSES] / SPREAD_BACK).powi(2)
}

/// Fits θ and β to realised logs. The pull is to a common level, the median of what one number for all classes would
/// have to be: totals may be of more venues than the interest, or of fewer. Without rows it is the prior.
#[must_use]
pub fn fit(mass: &[Mass], y: &[f64]) -> Ladder {
    let ratios: Vec<f64> = mass
        .iter()
        .zip(y)
        .filter(|(m, y)| m.iter().sum::<f64>() > UNIT && **y > 0.0)
        .map(|(m, y)| (dollars(*y) / m.iter().sum::<f64>()).ln())
        .collect();
    let level = super::score::quantile(&ratios, 0.5).unwrap_or(PRIOR.ln());
    let mut u = [level; WIDTH];
    u[CLASSES] = 0.0;
    let mut damping = 1.0;
    let mut best = cost(&u, level, mass, y);
    for _ in 0..STEPS {
        let (normal, gradient) = normal_equations(&u, level, mass, y);
        let damped = normal.iter().zip(gradient).enumerate();
        let damped = damped.map(|(k, (row, right))| {
            let mut row = [row.as_slice(), &[right]].concat();
            row[k] += damping;
            row
        });
        let step = solved(damped.collect());
        let tried: Unknowns =
            core::array::from_fn(|k| (u[k] + step[k].clamp(-2.0, 2.0)).clamp(-20.0, 12.0));
        let now = cost(&tried, level, mass, y);
        if now < best {
            let gain = best - now;
            (u, best) = (tried, now);
            damping = (damping / 3.0).max(1e-6);
            if gain < 1e-9 * best {
                break;
            }
        } else {
            damping *= 4.0;
            if damping > 1e12 {
                break;
            }
        }
    }
    ladder(&u)
}

/// Fits θ and β to dollars instead of logarithms: expectation–maximisation of the Poisson likelihood, as the engine's
/// calibration is, each class with the prior's weight of [`PRIOR_PART`] of all exposure. For sums over weeks: a fit of
/// logarithms gives a quiet hour and a crash the same voice.
#[must_use]
pub fn fit_dollars(mass: &[Mass], usd: &[f64]) -> Ladder {
    let mut exposure = [0.0; CLASSES];
    for m in mass {
        exposure.iter_mut().zip(m).for_each(|(sum, m)| *sum += m);
    }
    let whole: f64 = exposure.iter().sum();
    if whole <= 0.0 || usd.iter().sum::<f64>() <= 0.0 {
        return Ladder::flat(PRIOR);
    }
    let level = usd.iter().sum::<f64>() / whole;
    let held = PRIOR_PART * whole;
    let mut found = Ladder {
        theta: [level; CLASSES],
        background: UNIT,
    };
    for _ in 0..ROUNDS {
        let (mut taken, mut back) = ([0.0; CLASSES], 0.0);
        for (m, y) in mass.iter().zip(usd) {
            let share = y / found.dollars(m).max(f64::MIN_POSITIVE);
            for k in 0..CLASSES {
                taken[k] += share * found.theta[k] * m[k];
            }
            back += share * found.background;
        }
        for k in 0..CLASSES {
            found.theta[k] = (taken[k] + level * held) / (exposure[k] + held);
        }
        found.background = back / mass.len() as f64;
    }
    found
}

fn normal_equations(u: &Unknowns, level: f64, mass: &[Mass], y: &[f64]) -> (Square, Unknowns) {
    let tried = ladder(u);
    let mut normal = [[0.0; WIDTH]; WIDTH];
    let mut gradient = [0.0; WIDTH];
    for (m, y) in mass.iter().zip(y) {
        let all = UNIT + tried.dollars(m);
        let slope: Unknowns = core::array::from_fn(|k| {
            let part = m.get(k).map_or(tried.background, |m| tried.theta[k] * m);
            part / all
        });
        let left = y - (all / UNIT).ln();
        for a in 0..WIDTH {
            gradient[a] += slope[a] * left;
            for b in 0..=a {
                normal[a][b] += slope[a] * slope[b];
            }
        }
    }
    for a in 0..CLASSES {
        normal[a][a] += WEIGHT;
        gradient[a] -= WEIGHT * (u[a] - level);
    }
    let back = 1.0 / (SPREAD_BACK * SPREAD_BACK);
    normal[CLASSES][CLASSES] += back;
    gradient[CLASSES] -= back * u[CLASSES];
    for at in 0..CLASSES - 2 {
        let bend = u[at] - 2.0 * u[at + 1] + u[at + 2];
        for (i, ci) in [(at, 1.0), (at + 1, -2.0), (at + 2, 1.0)] {
            gradient[i] -= WEIGHT * SMOOTH * ci * bend;
            for (j, cj) in [(at, 1.0), (at + 1, -2.0), (at + 2, 1.0)] {
                if j <= i {
                    normal[i][j] += WEIGHT * SMOOTH * ci * cj;
                }
            }
        }
    }
    let lower = normal;
    for (a, row) in normal.iter_mut().enumerate() {
        for (above, mirrored) in row.iter_mut().zip(&lower).skip(a + 1) {
            *above = mirrored[a];
        }
    }
    (normal, gradient)
}

#[cfg(test)]
mod tests {
    use super::super::score::Draws;
    use super::*;

    #[test]
    fn a_ladder_and_its_background_are_found_again() {
        let truth = Ladder {
            theta: core::array::from_fn(|k| 0.5 * (-(k as f64) / 6.0).exp()),
            background: 50_000.0,
        };
        let mut draws = Draws::new(3);
        let mass: Vec<Mass> = (0..2_000)
            .map(|i| {
                core::array::from_fn(|_| {
                    let size = if i % 4 == 0 { 0 } else { 1_000_000 };
                    (draws.below(4) * draws.below(size + 1)) as f64
                })
            })
            .collect();
        let y: Vec<f64> = mass
            .iter()
            .map(|m| truth.said(m) + (draws.below(1_000) as f64 / 1_000.0 - 0.5) * 0.4)
            .collect();
        let found = fit(&mass, &y);
        // Rows that say little are drawn to their neighbours and to the level, the last three most; what they say
        // together is what counts.
        for (k, (a, b)) in found.theta.iter().zip(truth.theta).enumerate().take(12) {
            assert!((a / b).ln().abs() < 0.7, "{k}: {a} for {b}");
        }
        let off = mass.iter().map(|m| (found.said(m) - truth.said(m)).powi(2));
        assert!((off.sum::<f64>() / mass.len() as f64).sqrt() < 0.05);
        assert!(
            (found.background / truth.background).ln().abs() < 0.1,
            "{found:?}"
        );
    }

    #[test]
    fn dollars_find_their_level() {
        let truth = Ladder {
            theta: [0.3; CLASSES],
            background: 20_000.0,
        };
        let mut draws = Draws::new(9);
        let mass: Vec<Mass> = (0..800)
            .map(|_| core::array::from_fn(|_| draws.below(1_000_000) as f64))
            .collect();
        let usd: Vec<f64> = mass
            .iter()
            .map(|m| truth.dollars(m) * (0.5 + draws.below(1_000) as f64 / 1_000.0))
            .collect();
        let found = fit_dollars(&mass, &usd);
        let sum = |ladder: &Ladder| mass.iter().map(|m| ladder.dollars(m)).sum::<f64>();
        assert!((sum(&found) / usd.iter().sum::<f64>() - 1.0).abs() < 0.02);
        assert!(
            found.theta.iter().all(|t| (0.2..0.45).contains(t)),
            "{found:?}"
        );
        assert_eq!(fit_dollars(&[], &[]), Ladder::flat(PRIOR));
    }

    #[test]
    fn nothing_known_is_the_prior() {
        let found = fit(&[], &[]).theta.map(|t| (t * 1e6).round() as i64);
        assert_eq!(found, [200_000; CLASSES]);
    }
}
