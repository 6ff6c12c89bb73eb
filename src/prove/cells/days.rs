//! Days: scored cells by day, and figures whose intervals draw whole days.
//!
//! A statistic sees how many times each day was drawn. The draws are [`score::bootstrap`]'s, so that a figure does not
//! depend on which others are made beside it.

use super::Cell;
use crate::prove::score::{self, Draws, Figure};
use crate::time::Nanos;

/// Scored cells by day.
#[derive(Debug)]
pub(super) struct Days {
    /// Number of its day, from 0, by scored cell.
    pub(super) of: Vec<usize>,
    pub(super) count: usize,
}

impl Days {
    pub(super) fn new(cells: &[Cell]) -> Self {
        let day = |cell: &Cell| cell.start.get().div_euclid(Nanos::DAY.get());
        let mut names: Vec<i64> = cells.iter().map(day).collect();
        names.dedup();
        let at = |cell: &Cell| names.partition_point(|name| *name < day(cell));
        Self {
            of: cells.iter().map(at).collect(),
            count: names.len(),
        }
    }

    /// Sums by day of what each scored cell brings.
    pub(super) fn sums<const N: usize>(&self, of: &dyn Fn(usize) -> [f64; N]) -> Vec<[f64; N]> {
        let mut sums = vec![[0.0; N]; self.count];
        for (i, day) in self.of.iter().enumerate() {
            let more = of(i);
            sums[*day].iter_mut().zip(more).for_each(|(s, m)| *s += m);
        }
        sums
    }

    /// Statistics that are made together: of all days once each, then of every draw of them.
    pub(super) fn figures<const N: usize>(
        &self,
        reps: usize,
        of: &mut dyn FnMut(&[f64]) -> [Option<f64>; N],
    ) -> [Option<Figure>; N] {
        let values = of(&vec![1.0; self.count]);
        let mut drawn: [Vec<f64>; N] = core::array::from_fn(|_| Vec::with_capacity(reps));
        let mut draws = Draws::new(self.count as u64);
        let mut times = vec![0.0; self.count];
        for _ in 0..reps {
            times.fill(0.0);
            for _ in 0..self.count {
                times[draws.below(self.count)] += 1.0;
            }
            for (all, value) in drawn.iter_mut().zip(of(&times)) {
                all.extend(value.filter(|v| v.is_finite()));
            }
        }
        core::array::from_fn(|k| score::interval(values[k]?, &drawn[k], reps))
    }

    /// Statistics of sums.
    pub(super) fn of_sums<const N: usize, const M: usize>(
        &self,
        reps: usize,
        sums: &[[f64; N]],
        of: fn(&[f64; N]) -> [Option<f64>; M],
    ) -> [Option<Figure>; M] {
        self.figures(reps, &mut |times| {
            let mut all = [0.0; N];
            for (times, day) in times.iter().zip(sums) {
                all.iter_mut().zip(day).for_each(|(s, m)| *s += times * m);
            }
            of(&all)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_draws_are_those_of_the_plain_bootstrap() {
        let sums: Vec<[f64; 2]> = (0..12).map(|d| [f64::from(d * d % 7), 1.0]).collect();
        let days = Days {
            of: (0..12).collect(),
            count: 12,
        };
        let [mean] = days.of_sums(300, &sums, |[sum, n]| [(*n > 0.0).then(|| sum / n)]);
        let names: Vec<i64> = (0..12).collect();
        let plain = score::bootstrap(&names, 300, &mut |rows| {
            score::mean(&rows.iter().map(|r| sums[*r][0]).collect::<Vec<_>>())
        });
        let (mean, plain) = (mean.unwrap(), plain.unwrap());
        assert!((mean.value - plain.value).abs() < 1e-12);
        assert!((mean.low - plain.low).abs() < 1e-12 && (mean.high - plain.high).abs() < 1e-12);
        let none = days.figures(10, &mut |_| [None::<f64>]);
        assert_eq!(none, [None]);
    }
}
