//! Logit: what chances that were said should have been, by logistic regression of what happened on their logits.
//!
//! Rows of one day whose features are the same to [`GRAIN`] are one, so that a bootstrap of days stays cheap. Features
//! bring their own constant. `None` where what happened is not told apart from what did not, or wholly told apart.

use crate::prove::linear::solved;

/// Features are rounded to this.
const GRAIN: f64 = 0.05;
/// Newton's steps before it is given up, and when it has arrived.
const STEPS: usize = 40;
const ARRIVED: f64 = 1e-7;
/// No weight is larger, and rows say at least so much of each: those that are wholly told apart would have any weight.
const MOST: f64 = 50.0;
const TOLD: f64 = 1e-4;

/// Half a step of what the page publishes: a chance of 0 or 1 there.
pub(super) const LEAST: f64 = 5e-5;

/// Logarithm of the odds.
#[must_use]
pub(super) fn logit(p: f64) -> f64 {
    let p = p.clamp(LEAST, 1.0 - LEAST);
    (p / (1.0 - p)).ln()
}

/// By day, how many happened, of how many.
type Counts = Vec<(usize, f64, f64)>;

/// Rows of `N` features, by what they are and by day.
#[derive(Debug)]
pub(super) struct Logit<const N: usize>(Vec<([f64; N], Counts)>);

impl<const N: usize> Logit<N> {
    /// Of rows whose days are told: features, and whether it happened.
    pub(super) fn new(day: &[usize], row: &dyn Fn(usize) -> ([f64; N], bool)) -> Self {
        let mut rows: Vec<([i64; N], usize, bool)> = day
            .iter()
            .enumerate()
            .map(|(at, day)| (row(at), *day))
            .map(|((x, happened), day)| (x.map(|x| (x / GRAIN).round() as i64), day, happened))
            .collect();
        rows.sort_unstable();
        let groups = rows.chunk_by(|a, b| a.0 == b.0).map(|group| {
            let days = group.chunk_by(|a, b| a.1 == b.1).map(|of| {
                let yes = of.iter().filter(|row| row.2).count() as f64;
                (of[0].1, yes, of.len() as f64)
            });
            (group[0].0.map(|x| x as f64 * GRAIN), days.collect())
        });
        Self(groups.collect())
    }

    /// Weights of the features, each day so often.
    pub(super) fn weights(&self, times: &[f64]) -> Option<[f64; N]> {
        let rows: Vec<([f64; N], f64, f64)> = self
            .0
            .iter()
            .map(|(x, days)| {
                let sums = days.iter().fold([0.0; 2], |sums, (day, yes, all)| {
                    [sums[0] + times[*day] * yes, sums[1] + times[*day] * all]
                });
                (*x, sums[0], sums[1])
            })
            .filter(|row| row.2 > 0.0)
            .collect();
        let mut weights = [0.0; N];
        for _ in 0..STEPS {
            let mut system = vec![vec![0.0; N + 1]; N];
            for (x, yes, all) in &rows {
                let said: f64 = x.iter().zip(&weights).map(|(x, w)| x * w).sum();
                let p = 1.0 / (1.0 + (-said).exp());
                for (a, line) in system.iter_mut().enumerate() {
                    for (b, cell) in line[..N].iter_mut().enumerate() {
                        *cell += all * p * (1.0 - p) * x[a] * x[b];
                    }
                    line[N] += x[a] * (yes - all * p);
                }
            }
            if (0..N).any(|a| system[a][a] < TOLD) {
                return None;
            }
            let step = solved(system);
            let far = step.iter().fold(0.0, |far: f64, step| far.max(step.abs()));
            // A long step is shortened: the curve is not what it is here.
            let part = if far > 2.0 { 2.0 / far } else { 1.0 };
            weights
                .iter_mut()
                .zip(&step)
                .for_each(|(weight, step)| *weight += part * step);
            if !weights.iter().all(|weight| weight.abs() < MOST) {
                return None;
            }
            if far < ARRIVED {
                return Some(weights);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::score::Draws;

    #[test]
    fn weights_are_found_again() {
        let mut draws = Draws::new(5);
        let mut unit = move || draws.below(1 << 30) as f64 / f64::from(1 << 30);
        let rows: Vec<([f64; 3], bool)> = (0..60_000)
            .map(|_| {
                let x = [1.0, 4.0 * unit() - 2.0, 4.0 * unit() - 2.0];
                let said = -0.5 + 1.5 * x[1] - 0.7 * x[2];
                (x, unit() < 1.0 / (1.0 + (-said).exp()))
            })
            .collect();
        let day = vec![0; rows.len()];
        let fitted = Logit::new(&day, &|at| rows[at]).weights(&[1.0]);
        let [base, a, b] = fitted.unwrap();
        assert!((base + 0.5).abs() < 0.04, "{fitted:?}");
        assert!(
            (a - 1.5).abs() < 0.05 && (b + 0.7).abs() < 0.05,
            "{fitted:?}"
        );
        // A day that was not drawn says nothing, one drawn twice as much as two.
        let half: Vec<usize> = (0..rows.len()).map(|at| at % 2).collect();
        let both = Logit::new(&half, &|at| rows[at]);
        let even: Vec<_> = rows.iter().step_by(2).copied().collect();
        let one = Logit::new(&day[..even.len()], &|at| even[at]).weights(&[1.0]);
        let gap = |a: Option<[f64; 3]>, b: Option<[f64; 3]>| -> f64 {
            let (a, b) = (a.unwrap(), b.unwrap());
            a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
        };
        assert!(gap(both.weights(&[1.0, 0.0]), one) < 1e-5);
        assert!(gap(both.weights(&[2.0, 2.0]), fitted) < 1e-5);
    }

    #[test]
    fn what_cannot_be_told_is_not() {
        let of = |rows: &[(f64, bool)]| {
            let day = vec![0; rows.len()];
            Logit::new(&day, &|at| ([1.0, rows[at].0], rows[at].1)).weights(&[1.0])
        };
        assert_eq!(of(&[]), None);
        // Wholly told apart, and all the same.
        assert_eq!(of(&[(-1.0, false), (1.0, true)]), None);
        assert_eq!(of(&[(-1.0, true), (1.0, true)]), None);
        assert!((logit(0.0) + logit(1.0)).abs() < 1e-9);
        assert_eq!(logit(0.5), 0.0);
    }
}
