//! Linear: small systems of equations, and least squares on a few features, for whoever says something of the next
//! period from the past.
//!
//! Features are centred and the squares of each are raised by [`RIDGE`] of themselves, so that features that say the
//! same share their weight and one that never varied has none. Sums are kept, so a line can be fitted anew after every
//! row at no cost. Pure numbers, `f64`.

/// What the diagonal is raised by.
const RIDGE: f64 = 1e-3;

/// Sums of rows of features and of what came of them.
#[derive(Debug, Clone)]
pub struct Sums {
    n: f64,
    x: Vec<f64>,
    xx: Vec<Vec<f64>>,
    y: f64,
    xy: Vec<f64>,
}

/// A fitted line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    base: f64,
    weights: Vec<f64>,
}

impl Line {
    /// What it says of a row of features.
    #[must_use]
    pub fn said(&self, x: &[f64]) -> f64 {
        let sum: f64 = self.weights.iter().zip(x).map(|(w, x)| w * x).sum();
        self.base + sum
    }
}

impl Sums {
    /// Of rows of so many features; none yet.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self {
            n: 0.0,
            x: vec![0.0; width],
            xx: vec![vec![0.0; width]; width],
            y: 0.0,
            xy: vec![0.0; width],
        }
    }
    /// Rows so far.
    #[must_use]
    pub const fn n(&self) -> f64 {
        self.n
    }
    /// One more row.
    pub fn add(&mut self, x: &[f64], y: f64) {
        self.n += 1.0;
        self.y += y;
        for (a, row) in self.xx.iter_mut().enumerate() {
            self.x[a] += x[a];
            self.xy[a] += x[a] * y;
            row.iter_mut().zip(x).for_each(|(sum, b)| *sum += x[a] * b);
        }
    }
    /// The line through them; nothing known says zero.
    #[must_use]
    pub fn line(&self) -> Line {
        let width = self.x.len();
        let n = self.n.max(1.0);
        let mean = |sum: f64| sum / n;
        let mut matrix: Vec<Vec<f64>> = Vec::with_capacity(width);
        for (a, row) in self.xx.iter().enumerate() {
            let mut left: Vec<f64> = row
                .iter()
                .zip(&self.x)
                .map(|(xx, b)| mean(*xx) - mean(self.x[a]) * mean(*b))
                .collect();
            left.push(mean(self.xy[a]) - mean(self.x[a]) * mean(self.y));
            // What never varied gets no weight.
            if left[a] <= 1e-12 * (1.0 + mean(self.xx[a][a])) {
                left.fill(0.0);
                left[a] = 1.0;
            } else {
                left[a] *= 1.0 + RIDGE;
            }
            matrix.push(left);
        }
        let weights = solved(matrix);
        let carried: f64 = weights.iter().zip(&self.x).map(|(w, x)| w * mean(*x)).sum();
        Line {
            base: mean(self.y) - carried,
            weights,
        }
    }
}

/// Solves rows of a square system, each with its right side last, by elimination with pivots; an unknown without a
/// pivot is zero.
#[must_use]
pub fn solved(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let width = rows.len();
    for at in 0..width {
        let size = |row: &usize| rows[*row][at].abs();
        let pivot = (at..width).max_by(|a, b| size(a).total_cmp(&size(b)));
        rows.swap(at, pivot.unwrap_or(at));
        let lead = rows[at].clone();
        if lead[at].abs() < 1e-14 {
            continue;
        }
        for row in &mut rows[at + 1..] {
            let factor = row[at] / lead[at];
            row.iter_mut()
                .zip(&lead)
                .skip(at)
                .for_each(|(own, theirs)| *own -= factor * theirs);
        }
    }
    let mut x = vec![0.0; width];
    for at in (0..width).rev() {
        let known: f64 = (at + 1..width).map(|k| rows[at][k] * x[k]).sum();
        let lead = rows[at][at];
        if lead.abs() >= 1e-14 {
            x[at] = (rows[at][width] - known) / lead;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::super::score::Draws;
    use super::*;

    #[test]
    fn a_system_is_solved_and_an_unknown_that_nothing_tells_is_zero() {
        let mut draws = Draws::new(1);
        let mut number = || draws.below(1_000) as f64 / 100.0 - 5.0;
        let x: Vec<f64> = (0..17).map(|_| number()).collect();
        let rows = x.iter().map(|_| {
            let mut row: Vec<f64> = x.iter().map(|_| number()).collect();
            row.push(row.iter().zip(&x).map(|(a, x)| a * x).sum());
            row
        });
        let found = solved(rows.collect());
        assert!(found.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_eq!(solved(vec![vec![1.0; 4]; 3]), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_line_is_found_again_and_what_never_varied_has_no_part_in_it() {
        let mut draws = Draws::new(2);
        let mut unit = || draws.below(1_000_000) as f64 / 1e6;
        let mut sums = Sums::new(4);
        for _ in 0..3_000 {
            let (a, b) = (unit(), unit());
            // The third says what the first says, the last never changes.
            let x = [a, b, a, 7.0];
            sums.add(&x, 1.0 + 2.0 * a - 3.0 * b + 0.1 * (unit() - 0.5));
        }
        let line = sums.line();
        assert!(
            (line.said(&[0.5, 0.5, 0.5, 7.0]) - 0.5).abs() < 0.01,
            "{line:?}"
        );
        assert!(
            (line.weights[0] + line.weights[2] - 2.0).abs() < 0.02,
            "{line:?}"
        );
        assert!((line.weights[0] - line.weights[2]).abs() < 0.02, "{line:?}");
        assert_eq!(line.weights[3], 0.0);
        assert_eq!(Sums::new(2).line().said(&[3.0, 4.0]), 0.0);
    }
}
