//! Models: ours and its rivals, each a number from the past, and one recipe that makes a distribution of any of them.
//!
//! The number is of ln(1 + dollars / unit). In every fold each model is fitted on the rows before it. The distribution
//! of a row is the number and what the model had been off by in the rows of earlier folds, at [`MEMBERS`] of their
//! quantiles, and never below nothing: no model is helped by a shape of its own. Neighbours in what was said are not
//! looked for: of a model that hardly moves they are the rows of one fold, and say what that week was like.

use super::Row;
use super::past::{DAY, HAR, HOLDER, LAST, SIGMA};
use crate::prove::ProveError;
use crate::prove::boost::Boosted;
use crate::prove::ladder::{self, Ladder};
use crate::prove::linear::Sums;
use crate::prove::walk::Mass;

/// Quantiles that a distribution is made of.
const MEMBERS: usize = 200;
/// Periods that the trees are taught with at most, of the whole past.
const TREE_PERIODS: usize = 5_000;
/// Days before the first fold, or this part of a shorter history.
const TEACH: i64 = 14;
const TEACH_PART: i64 = 4;
/// Days of a fold, or this part of a shorter history, and at least this part of what lies before it.
const FOLD: i64 = 5;
const FOLD_OF_ALL: i64 = 12;
const FOLD_OF_PAST: i64 = 5;
/// Folds that only say how far a model is off.
const UNSCORED: usize = 2;

/// A map that a model may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Map {
    Ours,
    Time,
}

/// How a model says its number.
#[derive(Debug, Clone, Copy)]
enum How {
    /// θ and a background over the mass that is reached.
    Ladder(Map),
    /// A line on some features, and on what a map says.
    Line(&'static [usize], Option<Map>),
    /// Boosted trees on all features, and on what a map says.
    Trees(Option<Map>),
}

/// Names of the models and how they say.
const MODELS: [(&str, How); 11] = [
    ("the map", How::Ladder(Map::Ours)),
    ("HAR and the map", How::Line(&HAR, Some(Map::Ours))),
    ("trees and the map", How::Trees(Some(Map::Ours))),
    ("always the mean", How::Line(&[HOLDER], None)),
    ("last period", How::Line(&[LAST, HOLDER], None)),
    ("mean of the last day", How::Line(&[DAY, HOLDER], None)),
    ("volatility", How::Line(&[SIGMA, HOLDER], None)),
    ("HAR", How::Line(&HAR, None)),
    ("trees of the past", How::Trees(None)),
    ("time at price", How::Ladder(Map::Time)),
    ("HAR and time at price", How::Line(&HAR, Some(Map::Time))),
];
/// How many.
pub const COUNT: usize = MODELS.len();
/// The model that knows nothing, which a Brier skill is measured over.
pub const NOTHING: usize = 3;
/// Which is held against which: the map against all rivals, then what it adds to the hard ones.
pub const PAIRS: [(usize, usize); 10] = [
    (0, 3),
    (0, 4),
    (0, 5),
    (0, 6),
    (0, 7),
    (0, 8),
    (0, 9),
    (1, 7),
    (1, 10),
    (2, 8),
];

/// Those of them that ask what the map adds to a model that is otherwise the same.
pub const ADDED: [(usize, usize); 2] = [(1, 7), (2, 8)];

/// Name of a model.
#[must_use]
pub const fn name(model: usize) -> &'static str {
    MODELS[model].0
}

/// What all models say of the rows of one horizon.
#[derive(Debug)]
pub struct Said {
    /// First rows of the folds, and the end of the last.
    pub ends: Vec<usize>,
    /// By model and row, from the first fold on.
    numbers: Vec<Vec<f64>>,
}

/// First rows of the folds, and the end of the last; whole days each.
fn folds(rows: &[Row]) -> Vec<usize> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Vec::new();
    };
    // The first day may be a part of one.
    let (begin, end) = (first.day(), last.day() + 1);
    let days = end - begin;
    let mut at = begin + TEACH.min(days / TEACH_PART).max(1);
    let mut ends = Vec::new();
    while at < end {
        ends.push(rows.partition_point(|row| row.day() < at));
        let fold = FOLD
            .min(days / FOLD_OF_ALL)
            .max((at - begin) / FOLD_OF_PAST);
        at += fold.max(1);
    }
    ends.push(rows.len());
    ends.dedup();
    ends
}

/// First row whose distribution is scored; `None` where there is none.
#[must_use]
pub fn first(rows: &[Row]) -> Option<usize> {
    let ends = folds(rows);
    (ends.len() > UNSCORED + 1).then(|| ends[UNSCORED])
}

fn mass(row: &Row, map: Map) -> &Mass {
    match map {
        Map::Ours => &row.ours,
        Map::Time => &row.time,
    }
}

/// θ of a map, fitted on rows.
fn theta(rows: &[Row], map: Map) -> Ladder {
    let masses: Vec<Mass> = rows.iter().map(|row| *mass(row, map)).collect();
    let logs: Vec<f64> = rows.iter().map(Row::log).collect();
    ladder::fit(&masses, &logs)
}

/// Rows of so many periods at most, both holders of each, spread evenly over all.
fn thinned(rows: &[Row], most: usize) -> Vec<&Row> {
    let all = rows.chunk_by(|a, b| a.start == b.start).count();
    let most = most.min(all);
    let is_kept = |at: usize| (at + 1) * most / all > at * most / all;
    let periods = rows.chunk_by(|a, b| a.start == b.start).enumerate();
    let kept = periods.filter(|(at, _)| is_kept(*at));
    kept.flat_map(|(_, rows)| rows).collect()
}

/// Fits a model on rows and says the rows behind them.
fn says(
    how: How,
    thetas: &[Ladder; 2],
    train: &[Row],
    ahead: &[Row],
) -> Result<Vec<f64>, ProveError> {
    let read = |row: &Row, map: Map| thetas[map as usize].said(mass(row, map));
    let wide = |row: &Row, own: &[usize], map: Option<Map>| -> Vec<f64> {
        let mut x: Vec<f64> = own.iter().map(|at| row.seen[*at]).collect();
        x.extend(map.map(|map| read(row, map)));
        x
    };
    match how {
        How::Ladder(map) => Ok(ahead.iter().map(|row| read(row, map)).collect()),
        How::Line(own, map) => {
            let mut sums = Sums::new(own.len() + usize::from(map.is_some()));
            for row in train {
                sums.add(&wide(row, own, map), row.log());
            }
            let line = sums.line();
            Ok(ahead
                .iter()
                .map(|row| line.said(&wide(row, own, map)))
                .collect())
        }
        How::Trees(map) => {
            let all: Vec<usize> = (0..train.first().map_or(0, |row| row.seen.len())).collect();
            let train = thinned(train, TREE_PERIODS);
            let logs: Vec<f64> = train.iter().map(|row| row.log()).collect();
            let train: Vec<Vec<f64>> = train.iter().map(|row| wide(row, &all, map)).collect();
            let ahead: Vec<Vec<f64>> = ahead.iter().map(|row| wide(row, &all, map)).collect();
            Ok(Boosted::fit(&train, &logs)?.predict(&ahead))
        }
    }
}

impl Said {
    /// What every model says of every row, walk-forward.
    ///
    /// # Errors
    /// Rows that the trees cannot use.
    pub fn new(rows: &[Row]) -> Result<Self, ProveError> {
        let ends = folds(rows);
        let mut numbers = vec![Vec::new(); COUNT];
        for fold in ends.windows(2) {
            // Periods do not overlap: what lies before a fold is over when it begins.
            let (train, ahead) = (&rows[..fold[0]], &rows[fold[0]..fold[1]]);
            let thetas = [Map::Ours, Map::Time].map(|map| theta(train, map));
            for ((_, how), numbers) in MODELS.iter().zip(&mut numbers) {
                numbers.extend(says(*how, &thetas, train, ahead)?);
            }
        }
        Ok(Self { ends, numbers })
    }

    /// The number that a model says of a row.
    #[must_use]
    pub fn number(&self, model: usize, row: usize) -> f64 {
        self.numbers[model][row - self.ends[0]]
    }

    /// Goes through the scored folds of a model: the row, what is likely of it, ascending.
    pub fn likely(&self, model: usize, rows: &[Row], told: &mut dyn FnMut(usize, &[f64])) {
        for fold in self.ends.windows(2).skip(UNSCORED) {
            let past = self.ends[0]..fold[0];
            let mut left: Vec<f64> = past
                .map(|row| rows[row].log() - self.number(model, row))
                .collect();
            left.sort_by(f64::total_cmp);
            // The middles of equal parts; a past of fewer rows gives some of them twice.
            let middle = |i: usize| left[(2 * i + 1) * left.len() / (2 * MEMBERS)];
            let left: Vec<f64> = (0..MEMBERS).map(middle).collect();
            for row in fold[0]..fold[1] {
                let said = self.number(model, row);
                let likely: Vec<f64> = left.iter().map(|left| (said + left).max(0.0)).collect();
                told(row, &likely);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Holder;
    use crate::time::Nanos;

    #[test]
    fn trees_are_taught_with_all_of_the_past() {
        let row = |period: i64, holder: Holder| Row {
            start: Nanos::new(period),
            end: Nanos::new(period + 1),
            holder,
            usd: 0.0,
            ours: Mass::default(),
            time: Mass::default(),
            seen: Vec::new(),
        };
        let rows: Vec<Row> = (0..103)
            .flat_map(|period| Holder::BOTH.map(|holder| row(period, holder)))
            .collect();
        let starts = |most: usize| -> Vec<i64> {
            let kept = thinned(&rows, most);
            assert!(kept.chunks(2).all(|pair| pair[0].start == pair[1].start));
            kept.chunks(2).map(|pair| pair[0].start.get()).collect()
        };
        assert_eq!(starts(103), (0..103).collect::<Vec<_>>());
        assert_eq!(starts(500).len(), 103);
        for most in [1, 7, 50, 102] {
            let kept = starts(most);
            assert_eq!((kept.len(), kept[most - 1]), (most, 102));
            let apart = kept.windows(2).map(|w| w[1] - w[0]);
            let wide = 103 / most as i64;
            assert!(apart.into_iter().all(|d| d == wide || d == wide + 1));
        }
        assert!(thinned(&[], 5).is_empty());
    }
}
