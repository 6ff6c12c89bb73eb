//! Order: rows by what was said of them, by day, to ask of any draw of days how well that ranks what happened.

use super::score::{self, Figure};

/// How well one score ranks, and its rivals on the same rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked<const RIVALS: usize> {
    /// Its area.
    pub area: Option<Figure>,
    /// In their order.
    pub rivals: [Beside; RIVALS],
}

/// A rival, beside the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside {
    /// Its area.
    pub area: Option<Figure>,
    /// The score's area less this one; above 0 speaks for the score.
    pub over: Option<Figure>,
}

impl<const RIVALS: usize> Ranked<RIVALS> {
    /// Of so many days, by one of the areas of an order.
    pub(super) fn new(
        own: &Order,
        rivals: &[Order; RIVALS],
        area: fn(&Order, &[f64]) -> Option<f64>,
        (days, reps): (usize, usize),
    ) -> Self {
        let areas = score::figures(days, reps, &mut |drawn| {
            rivals.each_ref().map(|rival| area(rival, &drawn.times))
        });
        let over = score::figures(days, reps, &mut |drawn| {
            let own = area(own, &drawn.times);
            let less = |rival| own.zip(area(rival, &drawn.times)).map(|(a, b)| a - b);
            rivals.each_ref().map(less)
        });
        Self {
            area: score::figure(days, reps, &mut |drawn| area(own, &drawn.times)),
            rivals: core::array::from_fn(|at| Beside {
                area: areas[at],
                over: over[at],
            }),
        }
    }
}

/// Rows in the order of what was said, lowest first, those of one value together: of each day, how many happened and
/// how many did not.
#[derive(Debug)]
pub(super) struct Order(Vec<Vec<(usize, f64, f64)>>);

impl Order {
    /// Of rows whose days are told: what was said of each, and whether it happened.
    pub(super) fn new(day: &[usize], row: &dyn Fn(usize) -> (f64, bool)) -> Self {
        let mut rows: Vec<(f64, usize, bool)> = day
            .iter()
            .enumerate()
            .map(|(at, day)| (row(at), *day))
            .map(|((said, happened), day)| (said, day, happened))
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let groups = rows.chunk_by(|a, b| a.0 == b.0).map(|group| {
            let days = group.chunk_by(|a, b| a.1 == b.1);
            let count = |of: &[(f64, usize, bool)], happened: bool| {
                of.iter().filter(|row| row.2 == happened).count() as f64
            };
            days.map(|of| (of[0].1, count(of, true), count(of, false)))
                .collect()
        });
        Self(groups.collect())
    }

    /// What happened and what did not at each value, lowest first, each day so often.
    fn counts(&self, times: &[f64]) -> impl DoubleEndedIterator<Item = [f64; 2]> {
        self.0.iter().map(|group| {
            group.iter().fold([0.0; 2], |sums, (day, yes, no)| {
                [sums[0] + times[*day] * yes, sums[1] + times[*day] * no]
            })
        })
    }

    /// Chance that what happened was said higher than what did not, equals half (the area under the ROC curve); `None`
    /// where one of both never came.
    pub(super) fn above(&self, times: &[f64]) -> Option<f64> {
        let (mut yes, mut no, mut above) = (0.0, 0.0, 0.0);
        for [more, less] in self.counts(times) {
            above += more * (no + less / 2.0);
            (yes, no) = (yes + more, no + less);
        }
        (yes > 0.0 && no > 0.0).then(|| above / (yes * no))
    }

    /// Mean precision over recall, from the highest down; rows of one value are taken together. `None` where nothing
    /// happened.
    pub(super) fn precision(&self, times: &[f64]) -> Option<f64> {
        let (mut hits, mut all, mut sum) = (0.0, 0.0, 0.0);
        for [more, less] in self.counts(times).rev() {
            hits += more;
            all += more + less;
            if more > 0.0 {
                sum += more * hits / all;
            }
        }
        (hits > 0.0).then(|| sum / hits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAYS: usize = 3;

    proptest! {
        /// The twins look at every pair, and walk down every row.
        #[test]
        fn orders_are_what_pairs_and_rows_say(
            rows in proptest::collection::vec((0..DAYS, 0i8..6, any::<bool>()), 0..60),
            times in proptest::array::uniform3(0u8..3),
        ) {
            let times = times.map(f64::from);
            let day: Vec<usize> = rows.iter().map(|row| row.0).collect();
            let order = Order::new(&day, &|at| (f64::from(rows[at].1), rows[at].2));
            let of = |happened: bool| rows.iter().filter(move |row| row.2 == happened);
            let (mut pairs, mut above) = (0.0, 0.0);
            for yes in of(true) {
                for no in of(false) {
                    let weight = times[yes.0] * times[no.0];
                    pairs += weight;
                    above += weight * match yes.1.cmp(&no.1) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            let want = (pairs > 0.0).then(|| above / pairs);
            let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-12,
                (a, b) => a == b,
            };
            prop_assert!(near(order.above(&times), want));
            let sum = |rows: &mut dyn Iterator<Item = &(usize, i8, bool)>| {
                rows.map(|row| times[row.0]).sum::<f64>()
            };
            let hits = sum(&mut of(true));
            let precision = |yes: &(usize, i8, bool)| {
                let from = |row: &&(usize, i8, bool)| row.1 >= yes.1;
                sum(&mut of(true).filter(from)) / sum(&mut rows.iter().filter(from)).max(1.0)
            };
            let want = (hits > 0.0)
                .then(|| of(true).map(|yes| times[yes.0] * precision(yes)).sum::<f64>() / hits);
            prop_assert!(near(order.precision(&times), want));
        }
    }
}
