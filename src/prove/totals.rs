//! Totals: the proof where liquidations are known as dollars per period and side (heatmap.md 5).
//!
//! A *row* is one period and one holder: y = ln(1 + dollars realised / [`UNIT`]), what each map held where the price
//! went, and the features of P. Everything is walk-forward: for each fold the ladder θ, P and the model of the map's
//! own mass are fitted on rows that ended before the fold begins. The partial correlation is of what is left of y
//! and of ln(1 + map mass / UNIT) after P, both predicted out of fold. Intervals draw whole days.

use super::ProveError;
use super::boost::Boosted;
use super::ladder::{self, Ladder};
use super::score::{self, Figure};
use super::walk::Mass;

/// Dollars below which a sum is noise: in ln(1 + y / UNIT) an hour of nothing and one of a few hundred dollars are near
/// each other, as they are to everybody. With a unit of one dollar one row in forty, the empty ones, held a third of
/// the variance of y.
pub const UNIT: f64 = 1_000.0;
/// Rows before the first fold.
pub const TRAIN_ROWS: usize = 480;
/// Rows of a fold at most ...
const FOLD_ROWS: usize = 240;
/// ... and days.
const FOLD_DAYS: i64 = 10;

/// One period and holder.
#[derive(Debug, Clone)]
pub struct Row {
    /// Days since the epoch: the block of the bootstrap.
    pub day: i64,
    /// Number of the holder.
    pub holder: usize,
    /// Dollars realised.
    pub usd: f64,
    /// Features of P.
    pub seen: Vec<f64>,
    /// The period broke the extreme of the 24 hours before it, on the holder's side.
    pub breaks: bool,
    /// Weeks since the epoch.
    pub week: i64,
}

impl Row {
    /// ln(1 + dollars / [`UNIT`]).
    #[must_use]
    pub fn log(&self) -> f64 {
        (1.0 + self.usd / UNIT).ln()
    }
}

/// A fold: rows before `from` train, rows up to `to` are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// First row scored; everything before it trains.
    pub from: usize,
    /// End of the rows scored.
    pub to: usize,
}

/// Folds of rows in order of time, whole days each.
#[must_use]
pub fn folds(rows: &[Row]) -> Vec<Fold> {
    let mut folds = Vec::new();
    let day = |i: usize| rows.get(i).map(|row| row.day);
    let next_day = |mut i: usize| {
        while i > 0 && i < rows.len() && day(i) == day(i - 1) {
            i += 1;
        }
        i
    };
    let mut from = next_day(TRAIN_ROWS);
    while from < rows.len() {
        let until = rows[from].day + FOLD_DAYS;
        let days = rows.partition_point(|row| row.day < until);
        let to = next_day((from + FOLD_ROWS).min(days)).max(from + 1);
        folds.push(Fold { from, to });
        from = to;
    }
    folds
}

/// Out-of-fold predictions of a number by P, `None` before the first fold. `x` may depend on the fold: what is
/// predicted in a fold is the number as that fold defines it.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// The number, of the rows that are scored.
    pub value: Vec<f64>,
    /// What P said of it.
    pub said: Vec<f64>,
}

impl Said {
    /// What is left of the number.
    #[must_use]
    pub fn left(&self) -> Vec<f64> {
        let pairs = self.value.iter().zip(&self.said);
        pairs.map(|(value, said)| value - said).collect()
    }
}

/// Scored rows of the folds.
#[must_use]
pub fn scored(folds: &[Fold]) -> Vec<usize> {
    folds.iter().flat_map(|fold| fold.from..fold.to).collect()
}

/// Fits P to a number walk-forward; `of(fold, row)` is the number.
///
/// # Errors
/// Rows that the trees cannot use.
pub fn say(
    rows: &[Row],
    folds: &[Fold],
    of: &dyn Fn(usize, usize) -> f64,
) -> Result<Said, ProveError> {
    let mut out = Said::default();
    for (number, fold) in folds.iter().enumerate() {
        let seen = |range: core::ops::Range<usize>| -> Vec<&[f64]> {
            rows[range].iter().map(|row| row.seen.as_slice()).collect()
        };
        let y: Vec<f64> = (0..fold.from).map(|row| of(number, row)).collect();
        let model = Boosted::fit(&seen(0..fold.from), &y)?;
        out.said.extend(model.predict(&seen(fold.from..fold.to)));
        out.value
            .extend((fold.from..fold.to).map(|row| of(number, row)));
    }
    Ok(out)
}

/// θ of every fold, fitted on the rows before it.
#[must_use]
pub fn ladders(rows: &[Row], folds: &[Fold], mass: &[Mass]) -> Vec<Ladder> {
    let y: Vec<f64> = rows.iter().map(Row::log).collect();
    let of = |fold: &Fold| ladder::fit(&mass[..fold.from], &y[..fold.from]);
    folds.iter().map(of).collect()
}

/// θ of every fold fitted to dollars, for sums.
#[must_use]
pub fn ladders_of_dollars(rows: &[Row], folds: &[Fold], mass: &[Mass]) -> Vec<Ladder> {
    let usd: Vec<f64> = rows.iter().map(|row| row.usd).collect();
    let of = |fold: &Fold| ladder::fit_dollars(&mass[..fold.from], &usd[..fold.from]);
    folds.iter().map(of).collect()
}

/// One map's figures.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Partial correlation over P.
    pub partial: Option<Figure>,
    /// The same in periods that break a 24 h extreme.
    pub breaking: Option<Figure>,
    /// R² of the log, the map alone.
    pub r_squared: Option<f64>,
    /// Rank correlation of the map alone.
    pub rank: Option<f64>,
    /// Standard deviation over weeks of ln(realised / predicted).
    pub weekly: Option<f64>,
    /// Geometric mean of predicted / realised dollars over weeks.
    pub ratio: Option<f64>,
    /// What is left of the map's log after P, by scored row.
    pub left: Vec<f64>,
}

/// What a map says of every scored row in dollars, θ by fold.
#[must_use]
pub fn dollars(folds: &[Fold], theta: &[Ladder], mass: &[Mass]) -> Vec<f64> {
    let mut out = Vec::new();
    for (fold, theta) in folds.iter().zip(theta) {
        for mass in &mass[fold.from..fold.to] {
            out.push(theta.dollars(mass));
        }
    }
    out
}

/// Scores one map: θ by fold, for logarithms and for dollars.
///
/// # Errors
/// Rows that the trees cannot use.
pub fn figures(
    rows: &[Row],
    folds: &[Fold],
    y: &Said,
    (theta, theta_dollars): (&[Ladder], &[Ladder]),
    mass: &[Mass],
    reps: usize,
) -> Result<Figures, ProveError> {
    let x = say(rows, folds, &|fold, row| theta[fold].said(&mass[row]))?;
    let at = scored(folds);
    let block: Vec<i64> = at.iter().map(|i| rows[*i].day).collect();
    let (lx, ly) = (x.left(), y.left());
    let partial_of = |keep: &dyn Fn(usize) -> bool| {
        let kept: Vec<usize> = (0..at.len()).filter(|i| keep(at[*i])).collect();
        let block: Vec<i64> = kept.iter().map(|i| block[*i]).collect();
        score::bootstrap(&block, reps, &mut |rows| {
            let pick = |v: &[f64]| -> Vec<f64> { rows.iter().map(|r| v[kept[*r]]).collect() };
            score::correlation(&pick(&lx), &pick(&ly))
        })
    };
    let said = dollars(folds, theta_dollars, mass);
    let usd: Vec<f64> = at.iter().map(|i| rows[*i].usd).collect();
    let weeks: Vec<i64> = at.iter().map(|i| rows[*i].week).collect();
    let logs = weekly(&weeks, &usd, &said);
    Ok(Figures {
        partial: partial_of(&|_| true),
        breaking: partial_of(&|row| rows[row].breaks),
        r_squared: score::r_squared(&y.value, &x.value),
        rank: score::rank_correlation(&y.value, &x.value),
        weekly: score::deviation(&logs),
        ratio: score::mean(&logs).map(|m| (-m).exp()),
        left: lx,
    })
}

/// ln(realised / predicted) of every whole week.
#[must_use]
pub fn weekly(weeks: &[i64], usd: &[f64], said: &[f64]) -> Vec<f64> {
    let mut names = weeks.to_vec();
    names.sort_unstable();
    names.dedup();
    let of = |week: i64| {
        let sum = |v: &[f64]| -> f64 {
            weeks
                .iter()
                .zip(v)
                .filter(|(w, _)| **w == week)
                .map(|(_, v)| v)
                .sum()
        };
        (
            sum(usd),
            sum(said),
            weeks.iter().filter(|w| **w == week).count(),
        )
    };
    let most = names.iter().map(|w| of(*w).2).max().unwrap_or(0);
    names
        .iter()
        .map(|w| of(*w))
        .filter(|(usd, said, n)| *usd > 0.0 && *said > 0.0 && 2 * n > most)
        .map(|(usd, said, _)| (usd / said).ln())
        .collect()
}

/// Dollars of a model of logs, walk-forward: e^x − 1 in [`UNIT`]s, times what made up for the spread of the logs in the
/// folds before (one for the first), floored.
#[must_use]
pub fn in_dollars(folds: &[Fold], said: &[f64], usd: &[f64]) -> Vec<f64> {
    let raw: Vec<f64> = said.iter().map(|x| UNIT * x.exp_m1().max(0.0)).collect();
    let mut out = Vec::with_capacity(raw.len());
    let first = folds.first().map_or(0, |fold| fold.from);
    for fold in folds {
        let (from, to) = (fold.from - first, fold.to - first);
        let (told, happened): (f64, f64) = (raw[..from].iter().sum(), usd[..from].iter().sum());
        let factor = if told > 0.0 && happened > 0.0 {
            happened / told
        } else {
            1.0
        };
        out.extend(raw[from..to].iter().map(|v| v * factor));
    }
    score::floored(&out)
}

/// P with one more feature, the log of a map's mass.
///
/// # Errors
/// Rows that the trees cannot use.
pub fn say_with(
    rows: &[Row],
    folds: &[Fold],
    theta: &[Ladder],
    mass: &[Mass],
) -> Result<Vec<f64>, ProveError> {
    let mut out = Vec::new();
    for (fold, theta) in folds.iter().zip(theta) {
        let wide: Vec<Vec<f64>> = rows[..fold.to]
            .iter()
            .zip(mass)
            .map(|(row, mass)| {
                let mut seen = row.seen.clone();
                seen.push(theta.said(mass));
                seen
            })
            .collect();
        let seen: Vec<&[f64]> = wide.iter().map(Vec::as_slice).collect();
        let y: Vec<f64> = rows[..fold.from].iter().map(Row::log).collect();
        let model = Boosted::fit(&seen[..fold.from], &y)?;
        out.extend(model.predict(&seen[fold.from..]));
    }
    Ok(out)
}

/// Information gain of dollars over dollars, by days.
#[must_use]
pub fn gain(days: &[i64], usd: &[f64], map: &[f64], base: &[f64], reps: usize) -> Option<Figure> {
    score::bootstrap(days, reps, &mut |rows| {
        let pick = |v: &[f64]| -> Vec<f64> { rows.iter().map(|r| v[*r]).collect() };
        score::information_gain(&pick(usd), &pick(map), &pick(base))
    })
}

/// Slope of dollars realised on dollars said, by days.
#[must_use]
pub fn slope(days: &[i64], usd: &[f64], said: &[f64], reps: usize) -> Option<Figure> {
    score::bootstrap(days, reps, &mut |rows| {
        let pick = |v: &[f64]| -> Vec<f64> { rows.iter().map(|r| v[*r]).collect() };
        score::line(&pick(said), &pick(usd)).map(|(slope, _)| slope)
    })
}

#[cfg(test)]
mod tests {
    use super::super::gate::{Evidence, Verdict, verdict};
    use super::super::score::Draws;
    use super::*;
    use crate::inventory::CLASSES;

    /// Sixty days of rows whose dollars are what the map holds, times something that only the path says, times noise.
    fn world() -> (Vec<Row>, Vec<Mass>) {
        let mut draws = Draws::new(11);
        let mut unit = || draws.below(1_000_000) as f64 / 1e6;
        let rows = (0..60 * 24).map(|i| {
            let (path, noise) = (unit(), unit());
            let held = 1e5 * (3.0 * unit()).exp();
            let row = Row {
                day: i / 24,
                holder: (i % 2) as usize,
                usd: held * (2.0 * path).exp() * (0.6 + 0.8 * noise) * 0.2,
                seen: vec![path, unit(), f64::NAN],
                breaks: path > 0.8,
                week: i / 168,
            };
            let mut mass = [0.0; CLASSES];
            mass[4] = held;
            (row, mass)
        });
        rows.unzip()
    }

    fn judged(rows: &[Row], mass: &[Mass]) -> (Verdict, Evidence) {
        let folds = folds(rows);
        let y = say(rows, &folds, &|_, row| rows[row].log()).unwrap();
        let at = scored(&folds);
        let day: Vec<i64> = at.iter().map(|i| rows[*i].day).collect();
        let usd: Vec<f64> = at.iter().map(|i| rows[*i].usd).collect();
        let theta = ladders(rows, &folds, mass);
        let with = say_with(rows, &folds, &theta, mass).unwrap();
        let map = in_dollars(&folds, &with, &usd);
        let base = in_dollars(&folds, &y.said, &usd);
        let now = ladders_of_dollars(rows, &folds, mass);
        let over = gain(&day, &usd, &map, &base, 300);
        let evidence = Evidence {
            over_path: over,
            over_time: over,
            slope: slope(&day, &usd, &dollars(&folds, &now, mass), 300),
            blocks: 30,
        };
        (verdict(&evidence).0, evidence)
    }

    #[test]
    fn a_map_that_is_the_truth_is_proven_and_its_shuffle_is_not() {
        let (rows, mass) = world();
        let (found, evidence) = judged(&rows, &mass);
        assert_eq!(found, Verdict::Proven, "{evidence:?}");
        // The same masses, each at another hour.
        let mut shuffled = mass.clone();
        shuffled.rotate_left(mass.len() / 2 + 7);
        let (found, evidence) = judged(&rows, &shuffled);
        assert_ne!(found, Verdict::Proven, "{evidence:?}");
        assert!(
            evidence.over_path.is_some_and(|gain| gain.value < 0.02),
            "{evidence:?}"
        );
    }

    #[test]
    fn folds_train_on_the_past_and_cover_every_later_row_once() {
        let (rows, _) = world();
        let folds = folds(&rows);
        assert!(folds[0].from >= TRAIN_ROWS);
        assert!(folds.windows(2).all(|w| w[0].to == w[1].from));
        assert_eq!(folds[folds.len() - 1].to, rows.len());
        for fold in &folds {
            assert_ne!(
                rows[fold.from - 1].day,
                rows[fold.from].day,
                "a day is not cut"
            );
        }
    }

    #[test]
    fn weeks_without_dollars_or_cut_short_are_left_out() {
        let weeks = [1, 1, 2, 2, 3];
        let logs = weekly(
            &weeks,
            &[2.0, 2.0, 0.0, 0.0, 5.0],
            &[1.0, 1.0, 1.0, 1.0, 5.0],
        );
        assert_eq!(logs, [2.0f64.ln()]);
    }
}
