//! Judge: what the cells say of each map, and the verdict.
//!
//! Every map is scored in dollars, walk-forward: what is said of a cell was fitted and scaled on windows before it.
//! A map is mixed with a floor of a uniform map of the past's mean, so that one print where it holds nothing is dear
//! and not infinite. Intervals draw runs of days; fewer than ten of them, or of clusters, decide nothing.
//!
//! The gate looks at gains and the slope. Beside them stand four scores that a wrong map fails one by one: `ranked`
//! (order), `calibrated` and `spread` (dollars), `placed` (prices); and `events`, the gain by cluster.
//!
//! The path is said twice, by a table of distance (in deviations of a window) and of the running extremes that the cell
//! lies beyond, and by boosted trees over the window's path and volume; the gate takes the one that does better, known
//! only afterwards.

use super::calibrated::{self, Calibrated};
use super::events::{self, Events};
use super::placed::{self, Placed};
use super::ranked::{self, Ranked};
use super::rivals::{self, Rivals};
use super::spread::{self, Spread};
use super::{Cell, Cells, Died, OURS, WALKED, WINDOW};
use crate::prove::ProveError;
use crate::prove::days::{Days, per_dollar, warm};
use crate::prove::gate::{self, Evidence, Verdict};
use crate::prove::score::{self, Figure, Step};
use crate::prove::totals::UNIT;
use crate::time::Nanos;

/// A fold is this long at least, and this part of what lies before it.
const FOLD: Nanos = Nanos::new(2 * Nanos::DAY.get());
const FOLD_PART: i64 = 5;
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
    /// What its order is worth.
    pub ranked: Ranked,
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
    /// Venues in it.
    pub venues: Vec<&'static str>,
    /// Ours, then all others.
    pub lines: Vec<Line>,
    /// Which of them is the path.
    pub path: String,
    /// Of them, those in which one constant of the past stands between dollars said and printed.
    pub scaled: Vec<&'static str>,
    /// The gain by cluster.
    pub events: Events,
    /// Whether dollars are right.
    pub calibrated: Calibrated,
    /// Whether they are wrong by as much as is admitted.
    pub spread: Option<Spread>,
    /// Whether prices are right.
    pub placed: Placed,
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
    folds: Vec<usize>,
    /// First cell scored.
    first: usize,
    /// Dollars of every cell.
    usd: Vec<f64>,
    rivals: Rivals,
    /// Voices of clusters by cell, and rivals that were taught them.
    voices: Vec<f64>,
    by_voice: Rivals,
    /// Prints of the scored cells, by scored cell, with the voice of each.
    died: Vec<(Died, f64)>,
    days: Days,
}

/// Ends of the folds, in cells: the first only teaches.
pub(super) fn folds(cells: &[Cell]) -> Vec<usize> {
    let (Some(begin), Some(last)) = (cells.first(), cells.last()) else {
        return Vec::new();
    };
    let (begin, end) = (begin.start, last.start.plus(WINDOW));
    let day = Nanos::DAY.get();
    let mut at = warm(begin, end);
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

impl<'a> Judge<'a> {
    /// Makes the rivals ready; `None` where there is no day to score.
    ///
    /// # Errors
    /// Rows that the trees cannot use.
    pub fn new(table: &'a Cells) -> Result<Option<Self>, ProveError> {
        let folds = folds(&table.cells);
        let first = match folds.first() {
            Some(first) if *first > 0 && *first < table.cells.len() => *first,
            _ => return Ok(None),
        };
        let usd: Vec<f64> = table.cells.iter().map(|cell| cell.usd).collect();
        let each = events::voices(table);
        let voices = events::by_cell(table, &each, first);
        let died = table.died.iter().zip(each);
        let died = died.filter(|(died, _)| died.cell >= first);
        let own = |(died, voice): (&Died, f64)| {
            let cell = died.cell - first;
            (Died { cell, ..*died }, voice)
        };
        Ok(Some(Self {
            rivals: Rivals::new(table, &usd, &folds, true)?,
            by_voice: Rivals::new(table, &voices, &folds, false)?,
            died: died.map(own).collect(),
            days: Days::new(table.cells[first..].iter().map(|cell| cell.start.day())),
            cells: table,
            folds,
            first,
            usd,
            voices,
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
        let (all, first, days) = (&self.cells.cells, self.first, &self.days);
        let cells = self.scored();
        // In dollars as they are printed, then mixed with the floor.
        let dollars = rivals::in_unit(all, &self.usd, raw, true);
        let whole = rivals::floored(all, &self.usd, &dollars);
        let (raw, said) = (&dollars[first..], &whole[first..]);
        let usd = &self.usd[first..];
        let over = |rival: usize| self.gain(usd, said, self.rivals.said(rival, first), reps);
        let line = |name: &str, own: &[f64], over| Line {
            name: name.to_owned(),
            over,
            ranked: ranked::ranked(days, cells, own, reps),
            ratio: own.iter().sum::<f64>() / usd.iter().sum::<f64>(),
        };
        let mut lines = vec![line(name, said, None)];
        lines.extend(
            self.rivals
                .all
                .iter()
                .enumerate()
                .map(|(at, (name, own))| line(name, &own[first..], over(at))),
        );
        let mut windows: Vec<usize> = cells.iter().map(|cell| cell.window).collect();
        windows.dedup();
        // What hides a part cannot say whether dollars are right, where something can.
        let has_whole = self
            .cells
            .venues
            .iter()
            .any(|venue| super::is_whole(*venue));
        let judged = |cell: &Cell| !has_whole || super::is_whole(cell.venue);
        let daily = days.sums(&|i| match judged(&cells[i]) {
            true => [raw[i], usd[i]],
            false => [0.0; 2],
        });
        let logs = daily.iter().filter(|[said, usd]| *said > 0.0 && *usd > 0.0);
        let logs: Vec<f64> = logs.map(|[said, usd]| (said / usd).ln()).collect();
        let [slope, intercept] = calibrated::line(days, cells, raw, &judged, reps);
        let [miscalibration, discrimination, uncertainty] =
            calibrated::parts(days, cells, said, reps);
        let mut clusters: Vec<usize> = self.died.iter().map(|(died, _)| died.cluster).collect();
        clusters.sort_unstable();
        clusters.dedup();
        let both = [self.rivals.path, Rivals::TIME];
        let [over_path, over_time] = both.map(over);
        let evidence = Evidence {
            over_path,
            over_time,
            slope,
            statistics: both.map(|rival| {
                let sums = self.daily_gains(usd, said, self.rivals.said(rival, first))?;
                score::diebold_mariano(&per_dollar(&sums))
            }),
            blocks: days.count.min(clusters.len()),
        };
        let (verdict, why) = gate::verdict(&evidence, true);
        let named =
            |venue: &crate::market::VenueId| crate::venue::venue(*venue).map(|row| row.name);
        let venues = &self.cells.venues;
        let scaled = venues.iter().filter(|venue| !super::is_whole(**venue));
        Found {
            span: (cells[0].start, cells[cells.len() - 1].start.plus(WINDOW)),
            window: WINDOW,
            cells: cells.len(),
            windows: windows.len(),
            days: days.count,
            counted: self.cells.counted,
            venues: venues.iter().filter_map(named).collect(),
            scaled: scaled.filter_map(named).collect(),
            lines,
            path: self.rivals.all[self.rivals.path].0.to_owned(),
            events: self.events(&dollars, reps),
            calibrated: Calibrated {
                miscalibration,
                discrimination,
                uncertainty,
                intercept,
            },
            spread: spread::spread(days, all, &whole, &self.folds, reps),
            placed: placed::placed(days, cells, &self.died, said, reps),
            daily: score::mean(&logs).map(|mean| (mean, score::deviation(&logs))),
            pairs: self.pairs(raw, reps),
            reliability: crate::prove::judge::thinned(&score::isotonic(raw, usd)),
            evidence,
            verdict,
            why,
            second: None,
        }
    }

    fn scored(&self) -> &[Cell] {
        &self.cells.cells[self.first..]
    }

    /// The gain with one voice a cluster.
    fn events(&self, dollars: &[f64], reps: usize) -> Events {
        let (all, y) = (&self.cells.cells, &self.voices);
        let led = |said: &[f64]| {
            let said = events::led(said, y, &self.folds);
            rivals::floored(all, y, &rivals::in_unit(all, y, &said, false))
        };
        let said = led(dollars);
        let over = |rival: usize| {
            let own = &self.by_voice.all[rival].1;
            // A uniform map stays one.
            let led = (rival != Rivals::UNIFORM).then(|| led(own));
            let rival = led.as_ref().unwrap_or(own);
            self.gain(
                &y[self.first..],
                &said[self.first..],
                &rival[self.first..],
                reps,
            )
        };
        let voices: f64 = self.died.iter().map(|(_, voice)| voice).sum();
        Events {
            clusters: voices.round() as usize,
            over_uniform: over(Rivals::UNIFORM),
            over_path: over(self.by_voice.path),
            over_time: over(Rivals::TIME),
        }
    }

    /// By day, what it brings to a gain and what was realised.
    fn daily_gains(&self, y: &[f64], map: &[f64], base: &[f64]) -> Option<Vec<[f64; 2]>> {
        let dark = |i: usize| y[i] > 0.0 && (map[i] <= 0.0 || base[i] <= 0.0);
        if (0..y.len()).any(dark) {
            return None;
        }
        Some(self.days.gains(y, map, base))
    }

    /// Information gain per unit of what was realised.
    fn gain(&self, y: &[f64], map: &[f64], base: &[f64], reps: usize) -> Option<Figure> {
        let sums = self.daily_gains(y, map, base)?;
        let [gain] = self
            .days
            .of_sums(reps, &sums, |[gain, y]| [(*y > 0.0).then(|| gain / y)]);
        gain
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
pub(super) mod tests {
    use super::*;
    use crate::inventory::CLASSES;
    use crate::market::{Holder, VenueId};
    use crate::prove::cells::Counted;
    use crate::prove::score::Draws;

    /// Twenty days of windows with six cells; what is realised is what `held` says, times noise.
    pub(in crate::prove::cells) fn table() -> (Cells, Vec<f64>) {
        let mut draws = Draws::new(5);
        let mut unit = || draws.below(1_000_000) as f64 / 1e6;
        let (mut cells, mut seen, mut truth) = (Vec::new(), Vec::new(), Vec::new());
        let mut died = Vec::new();
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
                if held > 0.0 {
                    died.push(Died {
                        cell: cells.len() - 1,
                        place: at,
                        usd: cells[cells.len() - 1].usd,
                        cluster: died.len(),
                    });
                }
            }
        }
        let count = cells.len();
        let all = Cells {
            counted: Counted {
                clusters: died.len(),
                ..Counted::default()
            },
            died,
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
        assert!(found.lines[0].ranked.lift[1].unwrap().value > 4.0);
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
}
