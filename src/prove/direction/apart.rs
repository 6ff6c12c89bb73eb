//! Apart: the bias in calm and in wild hours, and against barriers instead of an end (heatmap.md 4.6).
//!
//! An hour is *wild* where the published sigma stands above the median of the rows of the days before; the first days
//! are neither. A *barrier* row is one in which the middle of the book was seen a sigma of the horizon away from where
//! it stood before the horizon was over: which side came first is what the bias is asked.

use super::{Days, Order, Row};
use crate::prove::score::{self, Figure};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Apart {
    /// Rows in calm hours, in wild ones, and that reached a barrier.
    pub rows: [usize; 3],
    /// Area under the ROC curve of a rise in calm hours, in wild ones, and the second less the first.
    pub regimes: [Option<Figure>; 3],
    /// Area of "the upper barrier first".
    pub barrier: Option<Figure>,
}

/// For each row: was the hour wild? `None` in the first days, and where sigma was not warm.
pub(super) fn wild(rows: &[Row], days: &Days, train: usize) -> Vec<Option<bool>> {
    let (mut past, mut wild) = (Vec::new(), Vec::with_capacity(rows.len()));
    let (mut day, mut median) = (0, None);
    for (row, of) in rows.iter().zip(&days.of) {
        if *of != day {
            median = score::quantile(&past, 0.5).filter(|_| *of >= train);
            day = *of;
        }
        wild.push(row.sigma.zip(median).map(|(now, median)| now > median));
        past.extend(row.sigma);
    }
    wild
}

/// Rows of some, in the order of the bias.
fn order(rows: &[Row], days: &Days, happened: &dyn Fn(usize) -> Option<bool>) -> (Order, usize) {
    let some: Vec<(usize, bool)> = (0..rows.len())
        .filter_map(|at| Some((at, happened(at)?)))
        .collect();
    let of: Vec<usize> = some.iter().map(|(at, _)| days.of[*at]).collect();
    let row = |i: usize| (rows[some[i].0].said[0], some[i].1);
    (Order::new(&of, &row), some.len())
}

pub(super) fn apart(rows: &[Row], days: &Days, train: usize, reps: usize) -> Apart {
    let wild = wild(rows, days, train);
    let within = |is: bool| {
        order(rows, days, &|at| {
            (wild[at] == Some(is)).then(|| rows[at].way > 0.0)
        })
    };
    let ((calm, a), (wild, b)) = (within(false), within(true));
    let (first, c) = order(rows, days, &|at| rows[at].first);
    let regimes = score::figures(days.count, reps, &mut |drawn| {
        let [calm, wild] = [&calm, &wild].map(|order| order.above(&drawn.times));
        [calm, wild, wild.zip(calm).map(|(wild, calm)| wild - calm)]
    });
    Apart {
        rows: [a, b, c],
        regimes,
        barrier: score::figure(days.count, reps, &mut |drawn| first.above(&drawn.times)),
    }
}
