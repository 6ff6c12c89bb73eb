//! Days: scored rows by day, figures of sums of them whose intervals draw whole days, and from when on a history is
//! scored.

use super::score::{self, Figure};
use crate::time::Nanos;

/// The map is walked this long before it is scored: most of what it was seeded with has closed by then.
const WARM: Nanos = Nanos::new(7 * Nanos::DAY.get());
/// Of a history shorter than this many warm-ups only a part of it warms.
const WARM_PART: i64 = 6;

/// From when on a history is scored that begins and ends so.
pub(super) fn warm(first: Nanos, last: Nanos) -> Nanos {
    let part = Nanos::new(last.since(first).get() / WARM_PART);
    first.plus(WARM.min(part))
}

/// Scored rows by day.
#[derive(Debug)]
pub(super) struct Days {
    /// Number of its day, from 0, by row.
    pub(super) of: Vec<usize>,
    /// Days that have rows.
    pub(super) count: usize,
}

impl Days {
    /// Of the day of every row, since the epoch.
    pub(super) fn new(days: impl Iterator<Item = i64> + Clone) -> Self {
        let mut names: Vec<i64> = days.clone().collect();
        names.sort_unstable();
        names.dedup();
        Self {
            of: days
                .map(|day| names.partition_point(|name| *name < day))
                .collect(),
            count: names.len(),
        }
    }

    /// Sums by day of what each row brings.
    pub(super) fn sums<const N: usize>(&self, of: &dyn Fn(usize) -> [f64; N]) -> Vec<[f64; N]> {
        let mut sums = vec![[0.0; N]; self.count];
        for (i, day) in self.of.iter().enumerate() {
            let more = of(i);
            sums[*day].iter_mut().zip(more).for_each(|(s, m)| *s += m);
        }
        sums
    }

    /// By day, what maps in dollars bring to the information gain of one over another, and what was realised.
    pub(super) fn gains(&self, usd: &[f64], map: &[f64], base: &[f64]) -> Vec<[f64; 2]> {
        self.sums(&|i| [score::gain(usd[i], map[i], base[i]), usd[i]])
    }

    /// Statistics of sums.
    pub(super) fn of_sums<const N: usize, const M: usize>(
        &self,
        reps: usize,
        sums: &[[f64; N]],
        of: fn(&[f64; N]) -> [Option<f64>; M],
    ) -> [Option<Figure>; M] {
        score::figures(self.count, reps, &mut |drawn| {
            let mut all = [0.0; N];
            for (times, day) in drawn.times.iter().zip(sums) {
                all.iter_mut().zip(day).for_each(|(s, m)| *s += times * m);
            }
            of(&all)
        })
    }
}

/// Gains over dollars, day by day; none of a day without dollars.
pub(super) fn per_dollar(gains: &[[f64; 2]]) -> Vec<f64> {
    let days = gains.iter().filter(|[_, usd]| *usd > 0.0);
    days.map(|[gain, usd]| gain / usd).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_find_their_day_in_any_order() {
        let days = Days::new([7, -2, 7, 9].into_iter());
        assert_eq!((days.count, days.of.as_slice()), (3, &[1, 0, 1, 2][..]));
        let sums = days.sums(&|row| [[3.0, 5.0, 2.0, 8.0][row], 1.0]);
        assert_eq!(sums, [[5.0, 1.0], [5.0, 2.0], [8.0, 1.0]]);
        let [mean] = days.of_sums(1_000, &sums, |[sum, n]| [(*n > 0.0).then(|| sum / n)]);
        let mean = mean.unwrap();
        assert_eq!((mean.value, mean.low, mean.none), (4.5, 2.5, 0.001));
    }
}
