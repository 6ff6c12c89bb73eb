//! Judge: what the cells say of each map, and the verdict.
//!
//! Every map is scored in dollars, walk-forward: what is said of a cell was fitted and scaled on windows before it.
//! A map is mixed with [`FLOOR`] of a uniform map of the past's mean, so that one print where it holds nothing is dear
//! and not infinite. Intervals draw whole days; fewer than ten of them, or of clusters, decide nothing.
//!
//! The path is said twice, by a table of distance (in deviations of a window) and of the running extremes that the cell
//! lies beyond, and by boosted trees over the window's path and volume; the gate takes the one that does better, known
//! only afterwards.

use super::{Cell, Cells, OURS, WALKED, WINDOW};
use crate::inventory::CLASSES;
use crate::prove::ProveError;
use crate::prove::boost::Boosted;
use crate::prove::gate::{self, Evidence, Verdict};
use crate::prove::ladder;
use crate::prove::path;
use crate::prove::score::{self, FLOOR, Figure, Step};
use crate::prove::totals::UNIT;
use crate::time::Nanos;

/// Cells of this long at the beginning only teach ...
const WARM: Nanos = Nanos::new(7 * Nanos::DAY.get());
/// ... or of this part of a shorter history.
const WARM_PART: i64 = 6;
/// A fold is this long at least, and this part of what lies before it.
const FOLD: Nanos = Nanos::new(2 * Nanos::DAY.get());
const FOLD_PART: i64 = 5;
/// Ends of the distances that the table of the path tells apart, in deviations of a window.
const DISTANCES: [f64; 11] = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0];
/// The table is pulled to the mean by as much as so many whole buckets say.
const PULL: f64 = 50.0;
/// Cells ranked as hot, and as cold, for the pairs.
const HOT: f64 = 0.1;
const COLD: f64 = 0.5;
/// Partners lie as far away within this part.
const MATCHED: f64 = 0.1;

/// One map.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// What ours gains over it, nats per dollar; nothing for ours.
    pub over: Option<Figure>,
    /// Share of the dollars in the 5 and 10 % of swept width that it ranks highest, over 5 and 10 %.
    pub lift: [Option<Figure>; 2],
    /// Dollars said over dollars realised, in its own unit.
    pub ratio: f64,
}

/// Hot cells against cold ones of the same holder, venue and hour, as far away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pairs {
    /// How many.
    pub n: usize,
    /// Median of ln((unit + hot) / (unit + cold)), dollars a bucket.
    pub median: Option<Figure>,
    /// Mean of it.
    pub mean: Option<Figure>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Found {
    /// First and last moment scored.
    pub span: (Nanos, Nanos),
    /// Length of a window.
    pub window: Nanos,
    /// Cells scored, and windows.
    pub cells: usize,
    /// Windows scored.
    pub windows: usize,
    /// Days scored.
    pub days: usize,
    /// Where the prints went, of all windows.
    pub counted: super::Counted,
    /// Ours, then all others.
    pub lines: Vec<Line>,
    /// Which of them is the path.
    pub path: String,
    /// ln(said / realised) of every day: mean and deviation.
    pub daily: Option<(f64, Option<f64>)>,
    /// Hot against cold.
    pub pairs: Pairs,
    /// Realised against said, dollars a cell.
    pub reliability: Vec<Step>,
    /// What the gate saw.
    pub evidence: Evidence,
    /// What it said.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
    /// The second test: what prints say summed by the hour.
    pub second: Option<Evidence>,
}

impl Found {
    /// With the second test beside it.
    #[must_use]
    pub const fn beside(mut self, second: Evidence) -> Self {
        self.second = Some(second);
        self
    }
}

/// The rivals of a table of cells, ready to be scored against.
#[derive(Debug)]
pub struct Judge<'a> {
    cells: &'a Cells,
    /// First cell scored.
    first: usize,
    /// Rivals: name, and what is said of every cell.
    rivals: Vec<(&'static str, Vec<f64>)>,
    /// Places of the path and of time at price among them.
    path: usize,
    time: usize,
    days: Days,
}

/// Scored cells by day.
#[derive(Debug)]
struct Days {
    /// Number of its day, from 0, by scored cell.
    of: Vec<usize>,
    count: usize,
}

impl Days {
    fn new(cells: &[Cell]) -> Self {
        let day = |cell: &Cell| cell.start.get().div_euclid(Nanos::DAY.get());
        let mut names: Vec<i64> = cells.iter().map(day).collect();
        names.dedup();
        let at = |cell: &Cell| names.partition_point(|name| *name < day(cell));
        Self {
            of: cells.iter().map(at).collect(),
            count: names.len(),
        }
    }
    /// Sums by day.
    fn sums<const N: usize>(&self, of: &dyn Fn(usize) -> [f64; N]) -> Vec<[f64; N]> {
        let mut sums = vec![[0.0; N]; self.count];
        for (i, day) in self.of.iter().enumerate() {
            let more = of(i);
            sums[*day].iter_mut().zip(more).for_each(|(s, m)| *s += m);
        }
        sums
    }
    /// A statistic of days and its interval.
    fn figure(&self, reps: usize, of: &mut dyn FnMut(&[usize]) -> Option<f64>) -> Option<Figure> {
        let names: Vec<i64> = (0..self.count as i64).collect();
        score::bootstrap(&names, reps, of)
    }
    /// The same of sums.
    fn of_sums<const N: usize>(
        &self,
        reps: usize,
        sums: &[[f64; N]],
        of: fn(&[f64; N]) -> Option<f64>,
    ) -> Option<Figure> {
        self.figure(reps, &mut |drawn| {
            let mut all = [0.0; N];
            for day in drawn {
                all.iter_mut().zip(sums[*day]).for_each(|(s, m)| *s += m);
            }
            of(&all)
        })
    }
}

/// Ends of the folds, in cells: the first only teaches.
fn folds(cells: &[Cell]) -> Vec<usize> {
    let (Some(begin), Some(last)) = (cells.first(), cells.last()) else {
        return Vec::new();
    };
    let (begin, end) = (begin.start, last.start.plus(WINDOW));
    let part = Nanos::new(end.since(begin).get() / WARM_PART);
    let day = Nanos::DAY.get();
    let mut at = begin.plus(WARM.min(part));
    // Whole days: the bootstrap draws them.
    at = Nanos::new(at.get() + (day - at.get().rem_euclid(day)) % day);
    let mut ends = Vec::new();
    while at < end {
        ends.push(cells.partition_point(|cell| cell.start < at));
        let gone = Nanos::new(at.since(begin).get() / FOLD_PART);
        at = at.plus(FOLD.max(gone));
    }
    ends.push(cells.len());
    ends
}

/// Dollars of every cell, from a map in a unit of its own or in none: scaled by the past, floored.
fn finished(cells: &[Cell], raw: &[f64], has_unit: bool) -> Vec<f64> {
    let mut out = Vec::with_capacity(raw.len());
    let (mut usd, mut said, mut width) = (0.0, 0.0, 0.0);
    let mut from = 0;
    while from < cells.len() {
        let same = cells[from..]
            .iter()
            .take_while(|cell| cell.window == cells[from].window);
        let to = from + same.count();
        let scale = if has_unit {
            1.0
        } else if said > 0.0 {
            usd / said
        } else {
            0.0
        };
        let rate = if width > 0.0 { usd / width } else { 0.0 };
        for i in from..to {
            out.push((1.0 - FLOOR) * scale * raw[i] + FLOOR * rate * cells[i].width);
        }
        for i in from..to {
            usd += cells[i].usd;
            said += raw[i];
            width += cells[i].width;
        }
        from = to;
    }
    out
}

/// Where a cell lies on the table of the path.
fn box_of(seen: &[f64]) -> usize {
    let of = |back: usize| seen.get(seen.len() - back).copied().unwrap_or(0.0);
    // As `features` lays them: away in deviations of an hour, the width, then beyond 1, 4, 12, 24 h.
    let hours = WINDOW.get() as f64 / Nanos::HOUR.get() as f64;
    let away = of(6) / hours.sqrt();
    let distance = DISTANCES.partition_point(|end| *end < away);
    let beyond = (1..=path::BEYOND.len()).filter(|back| of(*back) > 0.0);
    distance * (path::BEYOND.len() + 1) + beyond.count()
}

/// The path as a table, learned window by window.
fn by_table(cells: &[Cell], seen: &[Vec<f64>]) -> Vec<f64> {
    let mut sums = vec![[0.0; 2]; (DISTANCES.len() + 1) * (path::BEYOND.len() + 1)];
    let (mut all, mut out) = ([0.0; 2], Vec::with_capacity(cells.len()));
    let mut from = 0;
    for i in 0..cells.len() {
        if cells[i].window != cells[from].window {
            for k in from..i {
                let more = [cells[k].usd, cells[k].width];
                let sums = &mut sums[box_of(&seen[k])];
                for (sum, more) in all.iter_mut().chain(sums).zip([more, more].concat()) {
                    *sum += more;
                }
            }
            from = i;
        }
        let mean = if all[1] > 0.0 { all[0] / all[1] } else { 1.0 };
        let [usd, width] = sums[box_of(&seen[i])];
        out.push(cells[i].width * (usd + PULL * mean) / (width + PULL));
    }
    out
}

/// The path as boosted trees, fitted anew for every fold; what teaches is said in sample, and only scales.
fn by_trees(cells: &[Cell], seen: &[Vec<f64>], folds: &[usize]) -> Result<Vec<f64>, ProveError> {
    let y: Vec<f64> = cells
        .iter()
        .map(|cell| (1.0 + cell.usd / UNIT).ln())
        .collect();
    let mut out = Vec::with_capacity(cells.len());
    for ends in folds.windows(2) {
        let (from, to) = (ends[0], ends[1]);
        if from == 0 || from == to {
            continue;
        }
        let model = Boosted::fit(&seen[..from], &y[..from])?;
        let said = model.predict(&seen[out.len()..to]);
        out.extend(said.iter().map(|x| UNIT * x.exp_m1().max(0.0)));
    }
    Ok(out)
}

/// A ladder of masses by class, θ fitted to the dollars of the folds before.
fn by_ladder(cells: &[Cell], mass: &[[f64; CLASSES]], folds: &[usize]) -> Vec<f64> {
    let usd: Vec<f64> = cells.iter().map(|cell| cell.usd).collect();
    let mut out = Vec::with_capacity(cells.len());
    for ends in folds.windows(2) {
        let (from, to) = (ends[0], ends[1]);
        let found = ladder::fit_dollars(&mass[..from], &usd[..from]);
        for i in out.len()..to {
            // The background is of a whole bucket.
            let within = found.dollars(&mass[i]) - found.background;
            out.push(within + found.background * cells[i].width);
        }
    }
    out
}

/// Σ y ln λ − λ: the log score of a map, less what all maps share.
fn score_of(cells: &[Cell], said: &[f64]) -> f64 {
    let of = |(cell, said): (&Cell, &f64)| {
        let log = if cell.usd > 0.0 {
            cell.usd * said.max(f64::MIN_POSITIVE).ln()
        } else {
            0.0
        };
        log - said
    };
    cells.iter().zip(said).map(of).sum()
}

impl<'a> Judge<'a> {
    /// Makes the rivals ready; `None` where there is no day to score.
    ///
    /// # Errors
    /// Rows that the trees cannot use.
    pub fn new(table: &'a Cells) -> Result<Option<Self>, ProveError> {
        let (cells, seen) = (&table.cells, &table.seen);
        let folds = folds(cells);
        let first = match folds.first() {
            Some(first) if *first > 0 && *first < cells.len() => *first,
            _ => return Ok(None),
        };
        let mut rivals: Vec<(&'static str, Vec<f64>)> = Vec::new();
        let mut rival = |name, raw: &[f64], has_unit| {
            rivals.push((name, finished(cells, raw, has_unit)));
        };
        let width: Vec<f64> = cells.iter().map(|cell| cell.width).collect();
        rival("uniform", &width, false);
        rival("path, table of distance", &by_table(cells, seen), false);
        rival("path, boosted", &by_trees(cells, seen, &folds)?, false);
        rival(
            "time at price",
            &by_ladder(cells, &table.time, &folds),
            false,
        );
        for (name, said) in WALKED.iter().zip(&table.said).skip(1) {
            // Ours without θ, or with another's, has the unit that it claims.
            let has_unit = matches!(*name, "uncalibrated" | "classes shuffled");
            rival(name, said, has_unit);
        }
        let of = |at: usize| score_of(&cells[first..], &rivals[at].1[first..]);
        let path = if of(1) > of(2) { 1 } else { 2 };
        Ok(Some(Self {
            cells: table,
            first,
            rivals,
            path,
            time: 3,
            days: Days::new(&cells[first..]),
        }))
    }

    /// Judges the product's own map.
    #[must_use]
    pub fn ours(&self, reps: usize) -> Found {
        self.judge(WALKED[OURS], &self.cells.said[OURS], reps)
    }

    /// Judges any map: what it says of every cell, dollars.
    #[must_use]
    pub fn judge(&self, name: &str, raw: &[f64], reps: usize) -> Found {
        let all = &self.cells.cells;
        let cells = &all[self.first..];
        let said = &finished(all, raw, true)[self.first..];
        let raw = &raw[self.first..];
        let over = |rival: usize| self.gain(said, &self.rivals[rival].1[self.first..], reps);
        let line = |name: &str, own: &[f64], over| Line {
            name: name.to_owned(),
            over,
            lift: [0.05, 0.1].map(|part| self.lift(own, part, reps)),
            ratio: own.iter().sum::<f64>() / cells.iter().map(|c| c.usd).sum::<f64>(),
        };
        let mut lines = vec![line(name, said, None)];
        lines.extend(
            self.rivals
                .iter()
                .enumerate()
                .map(|(at, (name, own))| line(name, &own[self.first..], over(at))),
        );
        let mut windows: Vec<usize> = cells.iter().map(|cell| cell.window).collect();
        windows.dedup();
        let daily = self.days.sums(&|i| [raw[i], cells[i].usd]);
        let logs = daily.iter().filter(|[said, usd]| *said > 0.0 && *usd > 0.0);
        let logs: Vec<f64> = logs.map(|[said, usd]| (said / usd).ln()).collect();
        let evidence = Evidence {
            over_path: over(self.path),
            over_time: over(self.time),
            slope: self.slope(raw, reps),
            blocks: self.days.count.min(self.cells.counted.clusters),
        };
        let (verdict, why) = gate::verdict(&evidence, true);
        let usd: Vec<f64> = cells.iter().map(|cell| cell.usd).collect();
        Found {
            span: (cells[0].start, cells[cells.len() - 1].start.plus(WINDOW)),
            window: WINDOW,
            cells: cells.len(),
            windows: windows.len(),
            days: self.days.count,
            counted: self.cells.counted,
            lines,
            path: self.rivals[self.path].0.to_owned(),
            daily: score::mean(&logs).map(|mean| (mean, score::deviation(&logs))),
            pairs: self.pairs(raw, reps),
            reliability: crate::prove::judge::thinned(&score::isotonic(raw, &usd)),
            evidence,
            verdict,
            why,
            second: None,
        }
    }

    fn scored(&self) -> &[Cell] {
        &self.cells.cells[self.first..]
    }

    /// Information gain per dollar.
    fn gain(&self, map: &[f64], base: &[f64], reps: usize) -> Option<Figure> {
        let cells = self.scored();
        let dark = |i: usize| cells[i].usd > 0.0 && (map[i] <= 0.0 || base[i] <= 0.0);
        if (0..cells.len()).any(dark) {
            return None;
        }
        let sums = self.days.sums(&|i| {
            let usd = cells[i].usd;
            let log = if usd > 0.0 {
                usd * (map[i] / base[i]).ln()
            } else {
                0.0
            };
            [log - (map[i] - base[i]), usd]
        });
        self.days
            .of_sums(reps, &sums, |[gain, usd]| (*usd > 0.0).then(|| gain / usd))
    }

    /// Slope of dollars realised on dollars said, of a window's cells of one venue and holder together: where in the
    /// window they lay is the gain's matter, and a print that is placed a bucket off is no wrong sum.
    fn slope(&self, said: &[f64], reps: usize) -> Option<Figure> {
        let cells = self.scored();
        let name = |i: usize| (cells[i].window, cells[i].venue, cells[i].holder);
        // The sums of a window stand at its last cell.
        let mut sums = vec![None; cells.len()];
        let (mut x, mut y) = (0.0, 0.0);
        for i in 0..cells.len() {
            (x, y) = (x + said[i], y + cells[i].usd);
            if i + 1 == cells.len() || name(i) != name(i + 1) {
                sums[i] = Some((x, y));
                (x, y) = (0.0, 0.0);
            }
        }
        let sums = self
            .days
            .sums(&|i| sums[i].map_or([0.0; 5], |(x, y)| [1.0, x, y, x * x, x * y]));
        self.days.of_sums(reps, &sums, |[n, x, y, xx, xy]| {
            let square = n * xx - x * x;
            (square > 0.0).then(|| (n * xy - x * y) / square)
        })
    }

    /// Share of the dollars in the part of the swept width that a map ranks highest, over that part; equals share.
    fn lift(&self, said: &[f64], part: f64, reps: usize) -> Option<Figure> {
        let cells = self.scored();
        let rank = |i: usize| said[i] / cells[i].width.max(f64::MIN_POSITIVE);
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by(|a, b| rank(*b).total_cmp(&rank(*a)));
        let (of, count) = (&self.days.of, self.days.count);
        self.days.figure(reps, &mut |drawn| {
            let mut times = vec![0.0; count];
            drawn.iter().for_each(|day| times[*day] += 1.0);
            let sum = |at: &[usize], read: &dyn Fn(&Cell) -> f64| -> f64 {
                at.iter().map(|i| times[of[*i]] * read(&cells[*i])).sum()
            };
            let usd = sum(&order, &|cell| cell.usd);
            let mut room = part * sum(&order, &|cell| cell.width);
            let (mut caught, mut from) = (0.0, 0);
            while from < order.len() && room > 0.0 {
                let same = order[from..]
                    .iter()
                    .take_while(|i| rank(**i) == rank(order[from]));
                let to = from + same.count();
                let width = sum(&order[from..to], &|cell| cell.width);
                if width > 0.0 {
                    let own = sum(&order[from..to], &|cell| cell.usd);
                    caught += own * (room / width).min(1.0);
                    room -= width;
                }
                from = to;
            }
            (usd > 0.0).then(|| caught / usd / part)
        })
    }

    /// Hot cells against cold ones that lie as far away, each cold one once.
    fn pairs(&self, said: &[f64], reps: usize) -> Pairs {
        let cells = self.scored();
        let density = |i: usize| said[i] / cells[i].width.max(f64::MIN_POSITIVE);
        let all: Vec<f64> = (0..cells.len()).map(density).collect();
        let ends = [1.0 - HOT, COLD].map(|q| score::quantile(&all, q).unwrap_or(f64::NAN));
        let hour = |i: usize| cells[i].start.get().div_euclid(Nanos::HOUR.get());
        let mut used = vec![false; cells.len()];
        let (mut logs, mut days) = (Vec::new(), Vec::new());
        for hot in (0..cells.len()).filter(|i| all[*i] >= ends[0] && all[*i] > ends[1]) {
            let from = cells
                .partition_point(|cell| cell.start.get().div_euclid(Nanos::HOUR.get()) < hour(hot));
            let gap = |i: usize| (cells[i].away / cells[hot].away).ln().abs();
            let found = (from..cells.len())
                .take_while(|i| hour(*i) == hour(hot))
                .filter(|i| !used[*i] && all[*i] <= ends[1] && gap(*i) <= MATCHED)
                .filter(|i| {
                    (cells[*i].venue, cells[*i].holder) == (cells[hot].venue, cells[hot].holder)
                })
                .min_by(|a, b| gap(*a).total_cmp(&gap(*b)));
            if let Some(cold) = found {
                used[cold] = true;
                let usd = |i: usize| UNIT + cells[i].usd / cells[i].width.max(f64::MIN_POSITIVE);
                logs.push((usd(hot) / usd(cold)).ln());
                days.push(hour(hot).div_euclid(24));
            }
        }
        let figure = |of: fn(&[f64]) -> Option<f64>| {
            score::bootstrap(&days, reps, &mut |rows| {
                of(&rows.iter().map(|row| logs[*row]).collect::<Vec<_>>())
            })
        };
        Pairs {
            n: logs.len(),
            median: figure(|logs| score::quantile(logs, 0.5)),
            mean: figure(score::mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Holder, VenueId};
    use crate::prove::cells::Counted;
    use crate::prove::score::Draws;

    /// Twenty days of windows with six cells; what is realised is what `held` says, times noise.
    fn table() -> (Cells, Vec<f64>) {
        let mut draws = Draws::new(5);
        let mut unit = || draws.below(1_000_000) as f64 / 1e6;
        let (mut cells, mut seen, mut truth) = (Vec::new(), Vec::new(), Vec::new());
        for window in 0..20 * 144usize {
            for at in 0..6i64 {
                let held = if unit() < 0.2 {
                    1e4 * (3.0 * unit()).exp()
                } else {
                    0.0
                };
                truth.push(held);
                seen.push((0..27).map(|_| unit() - 0.5).collect());
                cells.push(Cell {
                    venue: VenueId::BYBIT,
                    window,
                    start: Nanos::new(WINDOW.get() * window as i64),
                    holder: Holder::BOTH[at as usize / 3],
                    bucket: at,
                    first: 0,
                    swept: [at, at + 1],
                    width: 1.0,
                    part: 1.0,
                    away: 0.001 * (1 + at % 3) as f64,
                    usd: held * (0.5 + unit()),
                });
            }
        }
        let count = cells.len();
        let all = Cells {
            counted: Counted {
                clusters: 500,
                ..Counted::default()
            },
            venues: vec![VenueId::BYBIT],
            said: std::array::from_fn(|_| truth.clone()),
            time: vec![[1.0; CLASSES]; count],
            cells,
            seen,
        };
        (all, truth)
    }

    #[test]
    fn the_truth_is_proven_its_shuffle_disproven_and_its_double_is_not_proven() {
        let (table, truth) = table();
        let judge = Judge::new(&table).unwrap().unwrap();
        let found = judge.judge("truth", &truth, 300);
        assert_eq!(found.verdict, Verdict::Proven, "{}", found.why);
        assert!(found.lines[0].lift[0].unwrap().value > 4.0);
        assert!(found.pairs.mean.unwrap().low > 1.0);
        let doubled: Vec<f64> = truth.iter().map(|v| 2.0 * v).collect();
        let found = judge.judge("doubled", &doubled, 300);
        assert_eq!(found.verdict, Verdict::Unproven, "{}", found.why);
        assert!(found.daily.unwrap().0 > 0.6, "{:?}", found.daily);
        let mut shuffled = truth;
        shuffled.rotate_left(1_001);
        let found = judge.judge("shuffled", &shuffled, 300);
        assert_eq!(found.verdict, Verdict::Disproven, "{}", found.why);
    }

    #[test]
    fn folds_teach_before_they_are_scored_and_begin_with_a_day() {
        let (table, _) = table();
        let folds = folds(&table.cells);
        assert!(folds.len() > 3 && folds.windows(2).all(|w| w[0] < w[1]));
        assert_eq!(folds[folds.len() - 1], table.cells.len());
        let first = table.cells[folds[0]].start.get();
        assert_eq!(first.rem_euclid(Nanos::DAY.get()), 0);
        assert!(first >= 3 * Nanos::DAY.get());
    }

    #[test]
    fn nothing_of_a_window_is_in_what_is_said_of_it() {
        let (table, truth) = table();
        let before = finished(&table.cells, &truth, false);
        let mut other = table.cells.clone();
        let last = other.len() - 6;
        other[last..]
            .iter_mut()
            .for_each(|cell| cell.usd *= 1_000.0);
        assert_eq!(before, finished(&other, &truth, false));
        let path = by_table(&table.cells, &table.seen);
        assert_eq!(path, by_table(&other, &table.seen));
        // A window in the middle changes only what comes after it.
        let mut other = table.cells.clone();
        other[600..606].iter_mut().for_each(|cell| cell.usd += 1e9);
        let after = finished(&other, &truth, false);
        assert_eq!(before[..606], after[..606]);
        assert_ne!(before[606..], after[606..]);
        assert_eq!(path[..606], by_table(&other, &table.seen)[..606]);
    }
}
