//! Totals: the proof where liquidations are known as dollars per period and side (heatmap.md 5).
//!
//! A *row* is one period and one holder of one symbol: y = ln(1 + dollars realised / [`UNIT`]), what each map held
//! where the price went, and the features of P. Everything is walk-forward: for each fold the ladder θ of each symbol,
//! P and the model of the map's own mass are fitted on rows that had ended before the fold begins. P is one model of
//! all symbols, each less its own mean of the past: what a path does to positions is the same everywhere, and the rows
//! of one symbol are few. Between folds the level of what a map says follows what came (`level`). The partial
//! correlation is of what is left of y and of ln(1 + map mass / UNIT) after P, both predicted out of fold. Intervals
//! draw runs of whole days.

use super::ProveError;
use super::boost::Boosted;
use super::days::{self, Days};
use super::ladder::Ladder;
use super::level;
use super::score::{self, Figure};
use super::walk::Mass;
use crate::time::Nanos;

/// Dollars below which a sum is noise: in ln(1 + y / UNIT) an hour of nothing and one of a few hundred dollars are near
/// each other, as they are to everybody. With a unit of one dollar one row in forty, the empty ones, held a third of
/// the variance of y.
pub const UNIT: f64 = 1_000.0;

/// ln(1 + dollars / [`UNIT`]).
#[must_use]
pub fn log(usd: f64) -> f64 {
    (1.0 + usd / UNIT).ln()
}

/// Dollars of such a logarithm, at least none.
#[must_use]
pub fn dollars(log: f64) -> f64 {
    UNIT * log.exp_m1().max(0.0)
}

/// Rows of a symbol before its first fold.
pub const TRAIN_ROWS: usize = 480;
/// Rows of a fold and symbol at most ...
const FOLD_ROWS: usize = 240;
/// ... and days.
const FOLD_DAYS: i64 = 10;

/// One period and holder.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its begin.
    pub start: Nanos,
    /// Its end.
    pub end: Nanos,
    /// Number of the holder.
    pub holder: usize,
    /// Dollars realised.
    pub usd: f64,
    /// Features of P.
    pub seen: Vec<f64>,
    /// What a P is told that remembers ([`super::level::remembered`]).
    pub before: Vec<f64>,
    /// The period broke the extreme of the 24 hours before it, on the holder's side.
    pub breaks: bool,
}

impl Row {
    /// [`log`] of its dollars.
    #[must_use]
    pub fn log(&self) -> f64 {
        log(self.usd)
    }
    /// Days since the epoch: the block of the bootstrap.
    #[must_use]
    pub const fn day(&self) -> i64 {
        self.start.day()
    }
    /// Weeks since the epoch.
    #[must_use]
    pub const fn week(&self) -> i64 {
        self.day().div_euclid(7)
    }
}

/// A fold: rows before `from` train, rows up to `to` are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// First row scored; what ended before it trains.
    pub from: usize,
    /// End of the rows scored.
    pub to: usize,
}

/// A row that is scored: its fold, and its number in the table.
pub type Scored = (usize, usize);

/// The rows of all symbols in the order of time, cut into folds.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    rows: Vec<&'a Row>,
    /// Whose row, and which of its rows.
    owner: Vec<(usize, usize)>,
    folds: Vec<Fold>,
    /// Rows that train, by fold and symbol: the first of its own.
    trains: Vec<Vec<usize>>,
    /// Rows by symbol.
    own: Vec<&'a [Row]>,
    /// What P is told.
    path: Told,
}

/// What a P is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    /// Features that it is not.
    pub without: &'static [usize],
    /// True when it is told what was realised before.
    pub remembers: bool,
}

/// θ of a symbol and fold, and by its rows the logarithm by which the level had moved since; none where it stays.
#[derive(Debug, Clone)]
pub struct Fit {
    ladder: Ladder,
    level: Vec<f64>,
}

impl Fit {
    fn moved(&self, row: usize) -> f64 {
        self.level.get(row).copied().unwrap_or(0.0)
    }
}

/// Mass per class by symbol and row.
pub type Masses<'a> = Vec<&'a [Mass]>;
/// θ as it was fitted, by fold and symbol.
pub type Ladders = Vec<Vec<Ladder>>;
/// θ as it is used, by fold and symbol.
pub type Thetas = Vec<Vec<Fit>>;

impl<'a> Table<'a> {
    /// Sorts the rows of all symbols, each in the order of time, and cuts the folds, whole days each.
    #[must_use]
    pub fn new(symbols: &[&'a [Row]]) -> Self {
        let mut owner: Vec<(usize, usize)> = Vec::new();
        for (symbol, rows) in symbols.iter().enumerate() {
            owner.extend((0..rows.len()).map(|at| (symbol, at)));
        }
        owner.sort_by_key(|(symbol, at)| (symbols[*symbol][*at].start, *symbol, *at));
        let rows: Vec<&Row> = owner.iter().map(|(s, at)| &symbols[*s][*at]).collect();
        let folds = folds(&rows, &owner, symbols.len());
        let trains = folds.iter().map(|fold| {
            let begin = rows[fold.from].start;
            let before = |own: &&[Row]| own.partition_point(|row| row.end <= begin);
            symbols.iter().map(before).collect()
        });
        Self {
            trains: trains.collect(),
            rows,
            owner,
            folds,
            own: symbols.to_vec(),
            path: Told::default(),
        }
    }
    /// The same rows before a P that is told something else.
    #[must_use]
    pub fn facing(&self, path: Told) -> Self {
        Self {
            path,
            ..self.clone()
        }
    }
    /// The rows of a symbol that are scored: those of folds before which it had [`TRAIN_ROWS`].
    #[must_use]
    pub fn scored(&self, symbol: usize) -> Vec<Scored> {
        let folds = self.folds.iter().enumerate();
        folds
            .filter(|(number, _)| self.trains[*number][symbol] >= TRAIN_ROWS)
            .flat_map(|(number, fold)| (fold.from..fold.to).map(move |row| (number, row)))
            .filter(|(_, row)| self.owner[*row].0 == symbol)
            .collect()
    }
    /// A row by its number.
    #[must_use]
    pub fn row(&self, row: usize) -> &'a Row {
        self.rows[row]
    }
    fn mass<'m>(&self, masses: &Masses<'m>, row: usize) -> &'m Mass {
        let (symbol, at) = self.owner[row];
        &masses[symbol][at]
    }
    fn fit<'m>(&self, thetas: &'m Thetas, (fold, row): Scored) -> (&'m Fit, usize) {
        let (symbol, at) = self.owner[row];
        (&thetas[fold][symbol], at)
    }
    /// Logarithm of what a map says of a row.
    #[must_use]
    pub fn said(&self, thetas: &Thetas, masses: &Masses<'_>, scored: Scored) -> f64 {
        let (fit, at) = self.fit(thetas, scored);
        let said = fit.ladder.said(self.mass(masses, scored.1));
        (said + fit.moved(at)).max(0.0)
    }
    /// The same before its level moved.
    #[must_use]
    pub fn said_by_fold(&self, thetas: &Thetas, masses: &Masses<'_>, scored: Scored) -> f64 {
        let (fit, _) = self.fit(thetas, scored);
        fit.ladder.said(self.mass(masses, scored.1))
    }
    /// Dollars of what a map says of a row.
    #[must_use]
    pub fn dollars(&self, thetas: &Thetas, masses: &Masses<'_>, scored: Scored) -> f64 {
        let (fit, at) = self.fit(thetas, scored);
        fit.ladder.dollars(self.mass(masses, scored.1)) * fit.moved(at).exp()
    }
    /// θ of every fold and symbol, fitted to a number on the symbol's rows before it.
    #[must_use]
    pub fn ladders(
        &self,
        masses: &Masses<'_>,
        of: fn(&Row) -> f64,
        fit: fn(&[Mass], &[f64]) -> Ladder,
    ) -> Ladders {
        let numbers = self.own.iter().map(|own| own.iter().map(of).collect());
        let numbers: Vec<Vec<f64>> = numbers.collect();
        let fold = |trains: &Vec<usize>| {
            let symbols = trains.iter().enumerate();
            let own = symbols.map(|(s, n)| fit(&masses[s][..*n], &numbers[s][..*n]));
            own.collect()
        };
        self.trains.iter().map(fold).collect()
    }
    /// Ladders whose level follows what came.
    #[must_use]
    pub fn followed(&self, ladders: Ladders, masses: &Masses<'_>, level: level::Of) -> Thetas {
        let fit = |(symbol, ladder): (usize, Ladder)| Fit {
            level: level(self.own[symbol], &ladder, masses[symbol]),
            ladder,
        };
        let fold = |fold: Vec<Ladder>| fold.into_iter().enumerate().map(fit).collect();
        ladders.into_iter().map(fold).collect()
    }
    /// The same θ everywhere, whatever comes.
    #[must_use]
    pub fn flat(&self, theta: f64) -> Thetas {
        let fit = Fit {
            ladder: Ladder::flat(theta),
            level: Vec::new(),
        };
        vec![vec![fit; self.own.len()]; self.folds.len()]
    }
    /// What P says of a number, walk-forward; with `more`, P has one more feature. Both may depend on the fold.
    ///
    /// # Errors
    /// Rows that the trees cannot use.
    pub fn say(
        &self,
        of: &dyn Fn(Scored) -> f64,
        more: Option<&dyn Fn(Scored) -> f64>,
    ) -> Result<Said, ProveError> {
        let mut out = Said {
            first: self.folds.first().map_or(0, |fold| fold.from),
            ..Said::default()
        };
        for (number, fold) in self.folds.iter().enumerate() {
            let trains = &self.trains[number];
            let train: Vec<usize> = (0..fold.from)
                .filter(|row| self.owner[*row].1 < trains[self.owner[*row].0])
                .collect();
            let value = |row: &usize| of((number, *row));
            let means = self.means(&train, &value);
            let level = |row: usize| means[self.owner[row].0];
            let y: Vec<f64> = train.iter().map(|row| value(row) - level(*row)).collect();
            let wide = |row: &usize| -> Vec<f64> {
                let seen = self.rows[*row].seen.iter().enumerate();
                let told = seen.filter(|(at, _)| !self.path.without.contains(at));
                let mut seen: Vec<f64> = told.map(|(_, value)| *value).collect();
                if self.path.remembers {
                    seen.extend(&self.rows[*row].before);
                }
                if self.own.len() > 1 {
                    seen.push(self.owner[*row].0 as f64);
                }
                seen.extend(more.map(|more| more((number, *row))));
                seen
            };
            let features: Vec<Vec<f64>> = train.iter().map(wide).collect();
            let model = Boosted::fit(&features, &y)?;
            let features: Vec<Vec<f64>> = (fold.from..fold.to).map(|row| wide(&row)).collect();
            let said = model.predict(&features);
            let rows = fold.from..fold.to;
            out.said
                .extend(rows.clone().zip(said).map(|(row, said)| said + level(row)));
            out.value.extend(rows.map(|row| value(&row)));
        }
        Ok(out)
    }
    /// Mean of a number over the rows of each symbol.
    fn means(&self, rows: &[usize], value: &dyn Fn(&usize) -> f64) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.own.len()];
        for row in rows {
            let (sum, n) = &mut sums[self.owner[*row].0];
            *sum += value(row);
            *n += 1.0;
        }
        sums.iter()
            .map(|(sum, n)| sum / f64::max(*n, 1.0))
            .collect()
    }
}

fn folds(rows: &[&Row], owner: &[(usize, usize)], symbols: usize) -> Vec<Fold> {
    let next_day = |mut i: usize| {
        while i > 0 && i < rows.len() && rows[i].day() == rows[i - 1].day() {
            i += 1;
        }
        i
    };
    // Begins where the first symbol has what it needs.
    let ripe = owner.iter().position(|(_, at)| *at >= TRAIN_ROWS);
    let mut from = next_day(ripe.unwrap_or(rows.len()));
    let mut folds = Vec::new();
    while from < rows.len() {
        let until = rows[from].day() + FOLD_DAYS;
        let days = rows.partition_point(|row| row.day() < until);
        let to = next_day((from + FOLD_ROWS * symbols).min(days)).max(from + 1);
        folds.push(Fold { from, to });
        from = to;
    }
    folds
}

/// Out-of-fold predictions of a number by P. The number may depend on the fold: what is predicted in a fold is the
/// number as that fold defines it.
#[derive(Debug, Clone, Default)]
pub struct Said {
    first: usize,
    value: Vec<f64>,
    said: Vec<f64>,
}

impl Said {
    /// The number, of the rows that are scored.
    #[must_use]
    pub fn value(&self, rows: &[Scored]) -> Vec<f64> {
        rows.iter()
            .map(|(_, row)| self.value[row - self.first])
            .collect()
    }
    /// What P said of it.
    #[must_use]
    pub fn said(&self, rows: &[Scored]) -> Vec<f64> {
        rows.iter()
            .map(|(_, row)| self.said[row - self.first])
            .collect()
    }
    /// What is left of it.
    #[must_use]
    pub fn left(&self, rows: &[Scored]) -> Vec<f64> {
        let pairs = self.value(rows).into_iter().zip(self.said(rows));
        pairs.map(|(value, said)| value - said).collect()
    }
}

/// One map's figures over some rows.
#[derive(Debug, Clone, Copy, Default)]
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
}

/// Correlation of what is left of what was realised and of what a map said after P, of the rows that `keep` names.
#[must_use]
pub fn partial(
    table: &Table<'_>,
    rows: &[Scored],
    (y, x): (&Said, &Said),
    reps: usize,
    keep: &dyn Fn(&Row) -> bool,
) -> Option<Figure> {
    let row = |i: usize| table.row(rows[i].1);
    let (lx, ly) = (x.left(rows), y.left(rows));
    let kept: Vec<usize> = (0..rows.len()).filter(|i| keep(row(*i))).collect();
    let block: Vec<i64> = kept.iter().map(|i| row(*i).day()).collect();
    score::bootstrap(&block, reps, &mut |drawn| {
        let pick = |v: &[f64]| -> Vec<f64> { drawn.iter().map(|r| v[kept[*r]]).collect() };
        score::correlation(&pick(&lx), &pick(&ly))
    })
}

/// Correlation of ours less that of another map, over the same draws of days.
#[must_use]
pub fn ahead(
    table: &Table<'_>,
    rows: &[Scored],
    (y, ours, other): (&Said, &Said, &Said),
    reps: usize,
) -> Option<Figure> {
    let [ly, lo, lx] = [y, ours, other].map(|said| said.left(rows));
    let block: Vec<i64> = rows.iter().map(|(_, row)| table.row(*row).day()).collect();
    score::bootstrap(&block, reps, &mut |drawn| {
        let pick = |v: &[f64]| -> Vec<f64> { drawn.iter().map(|r| v[*r]).collect() };
        let y = pick(&ly);
        Some(score::correlation(&pick(&lo), &y)? - score::correlation(&pick(&lx), &y)?)
    })
}

/// Scores one map on rows: `y` what was realised, `x` what the map said in logarithms, `dollars` in dollars.
#[must_use]
pub fn figures(
    table: &Table<'_>,
    rows: &[Scored],
    (y, x): (&Said, &Said),
    dollars: &[f64],
    reps: usize,
) -> Figures {
    let of = |(_, row): &Scored| table.row(*row);
    let partial = |keep| partial(table, rows, (y, x), reps, keep);
    let usd: Vec<f64> = rows.iter().map(|row| of(row).usd).collect();
    let weeks: Vec<i64> = rows.iter().map(|row| of(row).week()).collect();
    let logs = weekly(&weeks, &usd, dollars);
    let (realised, said) = (y.value(rows), x.value(rows));
    Figures {
        partial: partial(&|_| true),
        breaking: partial(&|row| row.breaks),
        r_squared: score::r_squared(&realised, &said),
        rank: score::rank_correlation(&realised, &said),
        weekly: score::deviation(&logs),
        ratio: score::mean(&logs).map(|m| (-m).exp()),
    }
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

/// Dollars of a model of logs of one symbol, walk-forward: e^x − 1 in [`UNIT`]s, times what made up for the spread of
/// the logs in the folds before (one for the first), floored by the mean of what was said up to its fold.
#[must_use]
pub fn in_dollars(rows: &[Scored], said: &[f64], usd: &[f64]) -> Vec<f64> {
    let raw: Vec<f64> = said.iter().map(|log| dollars(*log)).collect();
    let mut out = Vec::with_capacity(raw.len());
    for fold in rows.chunk_by(|a, b| a.0 == b.0) {
        let from = out.len();
        let (told, happened): (f64, f64) = (raw[..from].iter().sum(), usd[..from].iter().sum());
        let factor = if told > 0.0 && happened > 0.0 {
            happened / told
        } else {
            1.0
        };
        out.extend(raw[from..from + fold.len()].iter().map(|v| v * factor));
    }
    let mut floored = Vec::with_capacity(out.len());
    for fold in rows.chunk_by(|a, b| a.0 == b.0) {
        let to = floored.len() + fold.len();
        let part = score::floored(&out[..to]);
        floored.extend_from_slice(&part[floored.len()..]);
    }
    floored
}

/// Information gain of dollars over dollars, by days.
#[must_use]
pub fn gain(days: &[i64], usd: &[f64], map: &[f64], base: &[f64], reps: usize) -> Option<Figure> {
    score::bootstrap(days, reps, &mut |rows| {
        let pick = |v: &[f64]| -> Vec<f64> { rows.iter().map(|r| v[*r]).collect() };
        score::information_gain(&pick(usd), &pick(map), &pick(base))
    })
}

/// [`gain`] of every day by itself, of those on which something was realised: for a test that knows their order.
#[must_use]
pub fn daily_gains(day: &[i64], usd: &[f64], map: &[f64], base: &[f64]) -> Vec<f64> {
    days::per_dollar(&Days::new(day.iter().copied()).gains(usd, map, base))
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
    use super::super::gate::{Evidence, LEVEL, Verdict, verdict};
    use super::super::ladder;
    use super::super::score::Draws;
    use super::*;
    use crate::inventory::CLASSES;

    #[test]
    fn a_day_has_one_voice_and_all_of_them_the_gain() {
        let (days, usd) = ([4, 4, 5, 6], [3.0, 1.0, 40.0, 0.0]);
        let (map, base) = ([2.0, 2.0, 30.0, 6.0], [3.0, 1.0, 32.0, 4.0]);
        let daily = daily_gains(&days, &usd, &map, &base);
        let one = (3.0 * (2.0f64 / 3.0).ln() + 2.0f64.ln()) / 4.0;
        let other = (30.0f64 / 32.0).ln() + 2.0 / 40.0;
        assert_eq!(daily.len(), 2, "nothing was realised on the third");
        assert!((daily[0] - one).abs() < 1e-12 && (daily[1] - other).abs() < 1e-12);
        // The day of nothing costs what was said too much.
        let gain = score::information_gain(&usd, &map, &base).unwrap();
        assert!((gain * 44.0 - (daily[0] * 4.0 + daily[1] * 40.0 - 2.0)).abs() < 1e-9);
    }

    #[test]
    fn what_comes_later_does_not_change_what_was_said() {
        let rows: Vec<Scored> = (0..400).map(|row| (row / 100, row)).collect();
        let said: Vec<f64> = (0..400).map(|row| f64::from(row % 7)).collect();
        let told = |later: f64| {
            let usd = |row: usize| 1e5 * if row < 200 { 1.0 } else { later };
            in_dollars(&rows, &said, &(0..400).map(usd).collect::<Vec<_>>())
        };
        let (one, other) = (told(1.0), told(30.0));
        assert_eq!(one[..300], other[..300]);
        assert!(one[300] < other[300]);
    }

    /// Sixty days of rows whose dollars are what the map holds, times something that only the path says, times noise.
    fn world() -> (Vec<Row>, Vec<Mass>) {
        let mut draws = Draws::new(11);
        let mut unit = || draws.below(1_000_000) as f64 / 1e6;
        let rows = (0..60 * 24).map(|i| {
            let (path, noise) = (unit(), unit());
            let held = 1e5 * (3.0 * unit()).exp();
            let row = Row {
                start: Nanos::new(i * Nanos::HOUR.get()),
                end: Nanos::new((i + 1) * Nanos::HOUR.get()),
                holder: (i % 2) as usize,
                usd: held * (2.0 * path).exp() * (0.6 + 0.8 * noise) * 0.2,
                seen: vec![path, unit(), f64::NAN],
                before: vec![path],
                breaks: path > 0.8,
            };
            let mut mass = [0.0; CLASSES];
            mass[4] = held;
            (row, mass)
        });
        rows.unzip()
    }

    fn judged(rows: &[Row], mass: &[Mass]) -> (Verdict, Evidence) {
        let table = Table::new(&[rows]);
        let at = table.scored(0);
        let y = table.say(&|(_, row)| table.row(row).log(), None).unwrap();
        let day: Vec<i64> = at.iter().map(|(_, i)| table.row(*i).day()).collect();
        let usd: Vec<f64> = at.iter().map(|(_, i)| table.row(*i).usd).collect();
        let masses = vec![mass];
        let ladders = table.ladders(&masses, Row::log, ladder::fit);
        let theta = table.followed(ladders, &masses, level::of_logs);
        let log = |(_, row): Scored| table.row(row).log();
        let said = |at: Scored| table.said_by_fold(&theta, &masses, at);
        let with = table.say(&log, Some(&said)).unwrap();
        let map = in_dollars(&at, &with.said(&at), &usd);
        let base = in_dollars(&at, &y.said(&at), &usd);
        let ladders = table.ladders(&masses, |row| row.usd, ladder::fit_dollars);
        let now = table.followed(ladders, &masses, level::of_dollars);
        let dollars: Vec<f64> = at
            .iter()
            .map(|at| table.dollars(&now, &masses, *at))
            .collect();
        let over = gain(&day, &usd, &map, &base, 300);
        let evidence = Evidence {
            over_path: over,
            over_time: over,
            slope: slope(&day, &usd, &dollars, 300),
            statistics: [score::diebold_mariano(&daily_gains(&day, &usd, &map, &base)); 2],
            blocks: 30,
        };
        (verdict(&evidence, evidence.chance() <= LEVEL).0, evidence)
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
    fn folds_train_on_the_past_and_score_every_later_row_once() {
        let (rows, _) = world();
        // A symbol that is listed when the others are half way.
        let late = &rows[rows.len() / 2..];
        let table = Table::new(&[&rows, late]);
        assert!(table.folds.windows(2).all(|w| w[0].to == w[1].from));
        assert_eq!(table.folds.last().map(|f| f.to), Some(table.rows.len()));
        for (fold, trains) in table.folds.iter().zip(&table.trains) {
            let begin = table.row(fold.from);
            assert_ne!(
                table.row(fold.from - 1).day(),
                begin.day(),
                "a day is not cut"
            );
            assert!(rows[..trains[0]].iter().all(|row| row.end <= begin.start));
            assert!(rows[trains[0]].end > begin.start);
        }
        for (symbol, own) in [rows.as_slice(), late].iter().enumerate() {
            let scored = table.scored(symbol);
            let first = own.len() - scored.len();
            assert!(
                (TRAIN_ROWS..TRAIN_ROWS + 2 * FOLD_ROWS).contains(&first),
                "{first}"
            );
            let at: Vec<usize> = scored.iter().map(|(_, row)| table.owner[*row].1).collect();
            assert_eq!(at, (first..own.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_path_explains_what_it_is_told() {
        let (rows, _) = world();
        let table = Table::new(&[&rows]);
        let at = table.scored(0);
        let explained = |table: &Table<'_>| {
            let y = table.say(&|(_, row)| table.row(row).log(), None).unwrap();
            score::r_squared(&y.value(&at), &y.said(&at)).unwrap()
        };
        let told = |without, remembers| table.facing(Told { without, remembers });
        let whole = explained(&table);
        let less = explained(&told(&[0], false));
        assert!(less < whole - 0.1, "what the dollars hang on");
        let same = explained(&told(&[1], false));
        assert!((same - whole).abs() < 0.05, "what they do not");
        let again = explained(&told(&[0], true));
        assert!((again - whole).abs() < 0.05, "it remembers it");
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
