//! Symbol: everything that is measured of one symbol, and the verdict.
//!
//! Every map is walked over the same periods and scored on the same rows and folds; the lines are measured on as many
//! threads as there are cores, each by itself, so their numbers do not depend on that.

use super::gate::{self, Evidence, Verdict};
use super::input::{Input, Period};
use super::ladder::Ladder;
use super::naive::{self, Naive};
use super::path;
use super::score::{self, Figure, Step};
use super::totals::{self, Figures, Fold, Row, Said};
use super::walk::{self, Mass, Met, Pair, Told, Way};
use super::{Options, ProveError};
use crate::inventory::params::Choice;
use crate::time::Nanos;

/// The map is walked this long before it is scored: most of what it was seeded with has closed by then.
const WARM: Nanos = Nanos::new(7 * Nanos::DAY.get());
/// Of a history shorter than this many warm-ups only a part of it warms.
const WARM_PART: i64 = 6;
/// Prints are summed over this where no totals are told.
const SUMMED: Nanos = Nanos::HOUR;
/// Feature of P that says how far the period went beyond the extreme of 24 hours; see `path`.
const BREAKS: usize = 13;

/// One map, one way to look at it.
#[derive(Debug, Clone)]
pub struct Line {
    /// `map`, `control`, `ablation`, `comparison` or `sensitivity`.
    pub group: &'static str,
    /// What it is.
    pub name: String,
    /// `frozen` or `updated`.
    pub view: &'static str,
    /// Its figures.
    pub figures: Figures,
}

/// One week of the map's dollars.
#[derive(Debug, Clone, Copy)]
pub struct Week {
    /// Its begin.
    pub start: Nanos,
    /// Dollars realised.
    pub usd: f64,
    /// Dollars the updated map said.
    pub said: f64,
}

/// What is pooled over symbols: per scored row what is left of y and of the two maps after P.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    /// Days.
    pub day: Vec<i64>,
    /// Of y.
    pub y: Vec<f64>,
    /// Of the frozen map.
    pub frozen: Vec<f64>,
    /// Of the updated map.
    pub updated: Vec<f64>,
    /// Breaks of a 24 h extreme.
    pub breaks: Vec<bool>,
}

/// Everything measured of one symbol.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The canonical asset.
    pub symbol: String,
    /// `totals` or `prints, summed`.
    pub test: &'static str,
    /// Venues whose interest the map stands on.
    pub venues: Vec<&'static str>,
    /// First and last moment scored.
    pub span: (Nanos, Nanos),
    /// Length of a period.
    pub period: Nanos,
    /// Rows scored: a period and a side each.
    pub rows: usize,
    /// Days scored.
    pub days: usize,
    /// R² of the log of P alone.
    pub path_r_squared: Option<f64>,
    /// Rank correlation of P alone.
    pub path_rank: Option<f64>,
    /// All maps.
    pub lines: Vec<Line>,
    /// What the gate saw.
    pub evidence: Evidence,
    /// What it said.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
    /// Weeks.
    pub weeks: Vec<Week>,
    /// What happened against what the updated map said, in dollars a period and side.
    pub reliability: Vec<Step>,
    /// For the pool.
    pub pool: Pool,
}

/// Periods to score: the totals that were told, else prints summed by the hour.
fn periods_of(input: &Input) -> Result<(Vec<Period>, &'static str), ProveError> {
    if !input.periods.is_empty() {
        return Ok((input.periods.clone(), "totals"));
    }
    let mut prints: Vec<_> = input.sources.iter().flat_map(|s| &s.prints).collect();
    prints.sort_by_key(|print| print.at);
    let candles = path::candles(input);
    let (Some(first), Some(last)) = (candles.first(), candles.last()) else {
        return Err(ProveError::NoPath(input.symbol.clone()));
    };
    if prints.is_empty() {
        return Err(ProveError::NoRealised(input.symbol.clone()));
    }
    let step = SUMMED.get();
    let start = first.start.get().div_euclid(step) * step + step;
    let count = (last.end.get() - start).div_euclid(step).max(0);
    let mut periods: Vec<Period> = (0..count)
        .map(|i| Period {
            start: Nanos::new(start + i * step),
            end: Nanos::new(start + (i + 1) * step),
            usd: [0.0; 2],
        })
        .collect();
    for print in prints {
        let at = (print.at.get() - start).div_euclid(step);
        if let Some(period) = usize::try_from(at).ok().and_then(|at| periods.get_mut(at)) {
            let usd = print.price.notional(print.qty, crate::num::Round::Down);
            period.usd[print.holder as usize] += usd.get() as f64 / 100.0;
        }
    }
    Ok((periods, "prints, summed"))
}

/// Rows that can be scored, and where each comes from.
struct Table {
    rows: Vec<Row>,
    from: Vec<(usize, usize)>,
    folds: Vec<Fold>,
}

fn table(periods: &[Period], seen: Vec<Option<path::Seen>>, pairs: &[Pair]) -> Table {
    let known = |i: &usize| pairs[*i][0].known;
    let first = (0..periods.len())
        .find(known)
        .map_or(Nanos::ZERO, |i| periods[i].start);
    let last = periods.last().map_or(Nanos::ZERO, |p| p.end);
    let part = Nanos::new(last.since(first).get() / WARM_PART);
    let warm = first.plus(WARM.min(part));
    let (mut rows, mut from) = (Vec::new(), Vec::new());
    for (i, (period, seen)) in periods.iter().zip(seen).enumerate() {
        let Some(seen) = seen.filter(|_| pairs[i][0].known && period.start >= warm) else {
            continue;
        };
        for (d, seen) in seen.into_iter().enumerate() {
            rows.push(Row {
                day: period.start.get().div_euclid(Nanos::DAY.get()),
                week: period.start.get().div_euclid(7 * Nanos::DAY.get()),
                holder: d,
                usd: period.usd[d],
                breaks: seen.get(BREAKS).is_some_and(|beyond| *beyond > 0.0),
                seen,
            });
            from.push((i, d));
        }
    }
    let folds = totals::folds(&rows);
    Table { rows, from, folds }
}

/// A map to be scored.
struct Job {
    group: &'static str,
    name: String,
    view: &'static str,
    mass: Vec<Mass>,
    how: How,
}

/// Which θ a job is scored with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Fitted,
    Prior,
    Shuffled,
}

impl Table {
    fn pick(&self, pairs: &[Pair], of: fn(&Met) -> Mass) -> Vec<Mass> {
        self.from.iter().map(|(i, d)| of(&pairs[*i][*d])).collect()
    }

    /// θ by fold, for logarithms and for dollars.
    fn ladders(&self, job: &Job) -> [Vec<Ladder>; 2] {
        let (rows, folds) = (&self.rows, &self.folds);
        let fitted = || {
            [
                totals::ladders(rows, folds, &job.mass),
                totals::ladders_of_dollars(rows, folds, &job.mass),
            ]
        };
        match job.how {
            How::Prior => [0, 1].map(|_| vec![Ladder::flat(super::ladder::PRIOR); folds.len()]),
            How::Fitted => fitted(),
            How::Shuffled => fitted().map(|all| all.iter().map(Ladder::shuffled).collect()),
        }
    }

    fn line(&self, y: &Said, job: &Job, reps: usize) -> Result<Line, ProveError> {
        let [logs, dollars] = self.ladders(job);
        let (rows, folds) = (&self.rows, &self.folds);
        let figures = totals::figures(rows, folds, y, (&logs, &dollars), &job.mass, reps)?;
        Ok(Line {
            group: job.group,
            name: job.name.clone(),
            view: job.view,
            figures,
        })
    }

    /// Lines of all jobs, in their order, on all cores.
    fn lines(&self, y: &Said, jobs: &[Job], reps: usize) -> Result<Vec<Line>, ProveError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut found: Vec<Option<Result<Line, ProveError>>> = Vec::new();
        found.resize_with(jobs.len(), || None);
        std::thread::scope(|scope| {
            let part = jobs.len().div_ceil(threads.max(1)).max(1);
            for (jobs, found) in jobs.chunks(part).zip(found.chunks_mut(part)) {
                scope.spawn(move || {
                    for (job, found) in jobs.iter().zip(found) {
                        *found = Some(self.line(y, job, reps));
                    }
                });
            }
        });
        found.into_iter().flatten().collect()
    }
}

/// The parameters of heatmap.md 2.11 at the ends of their ranges.
fn ends() -> Vec<(String, Choice)> {
    let base = Choice::default();
    let mut all = Vec::new();
    let mut end = |name: &str, value: &str, change: &dyn Fn(&mut Choice)| {
        let mut choice = base;
        change(&mut choice);
        all.push((format!("{name} {value}"), choice));
    };
    for (text, share) in [("0.3", 300_000), ("0.7", 700_000)] {
        end("inert share", text, &|c| c.inert_e6 = share);
    }
    for (text, psi) in [("0.15", 150_000), ("0.7", 700_000)] {
        end("turnover", text, &|c| c.turnover_e6 = psi);
    }
    for (text, alpha) in [("0.25", 250_000), ("1", 1_000_000)] {
        end("exponent of closes", text, &|c| c.alpha_e6 = alpha);
    }
    for (text, theta) in [("0.1", 100_000), ("0.4", 400_000)] {
        end("theta", text, &|c| c.theta_e6 = theta);
    }
    for (text, share) in [("0", 0), ("0.2", 200_000)] {
        end("background", text, &|c| c.background_e6 = share);
    }
    for (text, tilt) in [("-0.5", -0.5f64), ("+0.5", 0.5)] {
        end("slope of the mix", text, &|c| {
            c.mix_e6 = tilted(&base.mix_e6, tilt)
        });
    }
    all
}

/// A leverage mix tilted by leverage^slope around 20x, sum one.
fn tilted(mix: &[i64; 9], slope: f64) -> [i64; 9] {
    let leverages = crate::inventory::params::MIX_LEVERAGE_E2;
    let raw: [f64; 9] =
        core::array::from_fn(|i| mix[i] as f64 * (f64::from(leverages[i]) / 2_000.0).powf(slope));
    let sum: f64 = raw.iter().sum();
    let mut out = raw.map(|v| (v / sum * 1e6) as i64);
    out[3] += 1_000_000 - out.iter().sum::<i64>();
    out
}

/// Measures one symbol.
///
/// # Errors
/// What the proof refuses: no path, no interest, nothing realised, or too little of it.
pub fn prove(
    input: &Input,
    options: &Options,
    told: &mut dyn FnMut(&str),
) -> Result<Proof, ProveError> {
    let (periods, test) = periods_of(input)?;
    if input
        .sources
        .iter()
        .all(|source| source.interest.is_empty())
    {
        return Err(ProveError::NoInterest(input.symbol.clone()));
    }
    let candles = path::candles(input);
    let seen = path::features(&candles, &periods);
    told("walking the map");
    let base = Way {
        controls: true,
        ..Way::default()
    };
    let pairs = walk::walk(input, &base, &periods);
    let table = table(&periods, seen, &pairs);
    let scored = totals::scored(&table.folds);
    if scored.is_empty() {
        return Err(ProveError::TooFew {
            symbol: input.symbol.clone(),
            rows: table.rows.len(),
            least: totals::TRAIN_ROWS,
        });
    }
    told("fitting what the path says");
    let y = totals::say(&table.rows, &table.folds, &|_, row| table.rows[row].log())?;
    let frozen = table.pick(&pairs, |met| met.frozen);
    let updated = table.pick(&pairs, |met| met.updated);
    let mut jobs = Vec::new();
    let mut job = |group, name: &str, view, mass: Vec<Mass>, how| {
        let name = name.to_owned();
        jobs.push(Job {
            group,
            name,
            view,
            mass,
            how,
        });
    };
    job("map", "isotherm", "frozen", frozen.clone(), How::Fitted);
    job("map", "isotherm", "updated", updated.clone(), How::Fitted);
    let time = naive::walk(
        input,
        &candles,
        Naive::TimeAtPrice,
        &Choice::default(),
        &periods,
    );
    let time_frozen = table.pick(&time, |met| met.frozen);
    if !options.quick {
        told("walking what it is compared with");
        job(
            "control",
            "uncalibrated",
            "frozen",
            frozen.clone(),
            How::Prior,
        );
        job(
            "control",
            "uncalibrated",
            "updated",
            updated.clone(),
            How::Prior,
        );
        job(
            "control",
            "classes shuffled",
            "frozen",
            frozen.clone(),
            How::Shuffled,
        );
        job(
            "control",
            "classes shuffled",
            "updated",
            updated.clone(),
            How::Shuffled,
        );
        job(
            "control",
            "mirrored",
            "frozen",
            table.pick(&pairs, |m| m.mirrored),
            How::Fitted,
        );
        job(
            "control",
            "yesterday's",
            "frozen",
            table.pick(&pairs, |m| m.yesterday),
            How::Fitted,
        );
        let mut only_change = Way::default();
        only_change.choice.turnover_e6 = 0;
        let ways = [
            (
                "comparison",
                "distance 1/L",
                Way {
                    reciprocal: true,
                    ..Way::default()
                },
            ),
            ("comparison", "change of interest only", only_change),
            (
                "ablation",
                "interest constant",
                Way {
                    interest: Told::Constant,
                    ..Way::default()
                },
            ),
            (
                "ablation",
                "interest of 30 days before",
                Way {
                    interest: Told::Shifted,
                    ..Way::default()
                },
            ),
        ];
        for (group, name, way) in ways {
            let pairs = walk::walk(input, &way, &periods);
            for how in [How::Fitted, How::Prior] {
                let name = match how {
                    How::Prior => format!("{name}, uncalibrated"),
                    _ => name.to_owned(),
                };
                job(
                    group,
                    &name,
                    "frozen",
                    table.pick(&pairs, |m| m.frozen),
                    how,
                );
                job(
                    group,
                    &name,
                    "updated",
                    table.pick(&pairs, |m| m.updated),
                    how,
                );
            }
        }
        for (name, which) in [
            ("no closes", Naive::NoCloses),
            ("never removed", Naive::NeverRemoved),
        ] {
            let pairs = naive::walk(input, &candles, which, &Choice::default(), &periods);
            job(
                "comparison",
                name,
                "frozen",
                table.pick(&pairs, |m| m.frozen),
                How::Fitted,
            );
            job(
                "comparison",
                name,
                "updated",
                table.pick(&pairs, |m| m.updated),
                How::Fitted,
            );
            job(
                "comparison",
                &format!("{name}, uncalibrated"),
                "updated",
                table.pick(&pairs, |m| m.updated),
                How::Prior,
            );
        }
        job(
            "comparison",
            "time at price",
            "frozen",
            time_frozen.clone(),
            How::Fitted,
        );
        job(
            "comparison",
            "time at price",
            "updated",
            table.pick(&time, |m| m.updated),
            How::Fitted,
        );
    }
    if options.sensitivity {
        told("walking the ends of the parameters");
        for (name, choice) in ends() {
            let pairs = walk::walk(
                input,
                &Way {
                    choice,
                    ..Way::default()
                },
                &periods,
            );
            job(
                "sensitivity",
                &name,
                "frozen",
                table.pick(&pairs, |m| m.frozen),
                How::Fitted,
            );
            job(
                "sensitivity",
                &name,
                "updated",
                table.pick(&pairs, |m| m.updated),
                How::Fitted,
            );
        }
    }
    told("scoring");
    let mut lines = table.lines(&y, &jobs, options.reps)?;
    told("weighing the verdict");
    let theta = totals::ladders(&table.rows, &table.folds, &frozen);
    let theta_time = totals::ladders(&table.rows, &table.folds, &time_frozen);
    let day: Vec<i64> = scored.iter().map(|i| table.rows[*i].day).collect();
    let week: Vec<i64> = scored.iter().map(|i| table.rows[*i].week).collect();
    let usd: Vec<f64> = scored.iter().map(|i| table.rows[*i].usd).collect();
    let in_dollars = |said: &[f64]| totals::in_dollars(&table.folds, said, &usd);
    let with_map = in_dollars(&totals::say_with(
        &table.rows,
        &table.folds,
        &theta,
        &frozen,
    )?);
    let with_time = in_dollars(&totals::say_with(
        &table.rows,
        &table.folds,
        &theta_time,
        &time_frozen,
    )?);
    let by_path = in_dollars(&y.said);
    let now = totals::ladders_of_dollars(&table.rows, &table.folds, &updated);
    let nowcast = totals::dollars(&table.folds, &now, &updated);
    let mut days = day.clone();
    days.dedup();
    let evidence = Evidence {
        over_path: totals::gain(&day, &usd, &with_map, &by_path, options.reps),
        over_time: totals::gain(&day, &usd, &with_map, &with_time, options.reps),
        slope: totals::slope(&day, &usd, &nowcast, options.reps),
        blocks: days.len(),
    };
    let (verdict, why) = gate::verdict(&evidence);
    let taken = |lines: &mut Vec<Line>, at: usize| {
        lines
            .get_mut(at)
            .map(|line| core::mem::take(&mut line.figures.left))
            .unwrap_or_default()
    };
    let pool = Pool {
        y: y.left(),
        frozen: taken(&mut lines, 0),
        updated: taken(&mut lines, 1),
        breaks: scored.iter().map(|i| table.rows[*i].breaks).collect(),
        day,
    };
    lines
        .iter_mut()
        .for_each(|line| line.figures.left = Vec::new());
    let at = |row: usize| periods[table.from[row].0];
    Ok(Proof {
        symbol: input.symbol.clone(),
        test,
        venues: input
            .sources
            .iter()
            .filter(|s| !s.interest.is_empty())
            .filter_map(|s| crate::venue::venue(s.venue).map(|row| row.name))
            .collect(),
        span: (at(scored[0]).start, at(scored[scored.len() - 1]).end),
        period: at(scored[0]).end.since(at(scored[0]).start),
        rows: scored.len(),
        days: days.len(),
        path_r_squared: score::r_squared(&y.value, &y.said),
        path_rank: score::rank_correlation(&y.value, &y.said),
        lines,
        evidence,
        verdict,
        why,
        weeks: weeks(&week, &usd, &nowcast),
        reliability: thinned(&score::isotonic(&nowcast, &usd)),
        pool,
    })
}

fn weeks(week: &[i64], usd: &[f64], said: &[f64]) -> Vec<Week> {
    let mut names = week.to_vec();
    names.sort_unstable();
    names.dedup();
    let sum = |of: &[f64], name: i64| {
        week.iter()
            .zip(of)
            .filter(|(w, _)| **w == name)
            .map(|(_, v)| v)
            .sum()
    };
    names
        .iter()
        .map(|name| Week {
            start: Nanos::new(name * 7 * Nanos::DAY.get()),
            usd: sum(usd, *name),
            said: sum(said, *name),
        })
        .collect()
}

/// Steps of a reliability curve that people can look at: neighbours joined until each holds a fortieth of the rows.
fn thinned(steps: &[Step]) -> Vec<Step> {
    let least = steps.iter().map(|s| s.n).sum::<usize>() / 40;
    let mut out: Vec<Step> = Vec::new();
    for step in steps {
        match out.last_mut().filter(|last| last.n < least) {
            Some(last) => {
                let n = (last.n + step.n) as f64;
                let of = |a: f64, b: f64| (a * last.n as f64 + b * step.n as f64) / n;
                let (said, happened) = (of(last.said, step.said), of(last.happened, step.happened));
                *last = Step {
                    said,
                    happened,
                    n: last.n + step.n,
                };
            }
            None => out.push(*step),
        }
    }
    out
}

/// Partial correlations of several symbols together, days as blocks over all of them: frozen, updated, frozen in
/// periods that break a 24 h extreme.
#[must_use]
pub fn pooled(proofs: &[Proof], reps: usize) -> [Option<Figure>; 3] {
    let join = |of: fn(&Pool) -> &[f64]| -> Vec<f64> {
        proofs
            .iter()
            .flat_map(|p| of(&p.pool).iter().copied())
            .collect()
    };
    let day: Vec<i64> = proofs
        .iter()
        .flat_map(|p| p.pool.day.iter().copied())
        .collect();
    let breaks: Vec<bool> = proofs
        .iter()
        .flat_map(|p| p.pool.breaks.iter().copied())
        .collect();
    let (y, frozen) = (join(|p| &p.y), join(|p| &p.frozen));
    let updated = join(|p| &p.updated);
    let of = |x: &[f64], keep: &dyn Fn(usize) -> bool| {
        let kept: Vec<usize> = (0..day.len()).filter(|i| keep(*i)).collect();
        let block: Vec<i64> = kept.iter().map(|i| day[*i]).collect();
        score::bootstrap(&block, reps, &mut |rows| {
            let pick = |v: &[f64]| -> Vec<f64> { rows.iter().map(|r| v[kept[*r]]).collect() };
            score::correlation(&pick(x), &pick(&y))
        })
    };
    [
        of(&frozen, &|_| true),
        of(&updated, &|_| true),
        of(&frozen, &|i| breaks[i]),
    ]
}
