//! Magnet: whether zones draw the price, and what the price does when it has come (heatmap.md 4.5).
//!
//! The zones are those of the product's own engine on the walked map ([`eye`]); a zone's *level* is its near edge at
//! birth. Every birth is held against three controls ([`level`]): the mirrored level as far on the other side at the
//! same time (unless a live zone holds that), a level as far in sigmas at another time of the same hour of the week and
//! tercile of volatility, and a round number about as far. What became of them is weighed by day ([`weigh`]).
//!
//! Three hypotheses were written down before anything was scored, each against the mirrored level, and are told
//! whatever comes out; two others of the controls stand beside. They hold together or not (Holm, one-sided 2.5 %, over
//! all symbols).
//! - *H_magnet*: zones are touched sooner (ratio of hazards above 1, over a day).
//! - *H_accelerate*: fifteen minutes after a touch the price has gone further on than at the mirror.
//! - *H_revert*: from then to an hour after, it comes back more than there.
//!
//! Nothing here is fitted; the one thing taken from all of the time is the terciles that controls are drawn by.

pub mod eye;
pub mod level;
pub mod price;
pub mod report;
pub mod weigh;

use super::days::warm;
use super::gate;
use super::input::Input;
use super::score::{self, Draws, Figure, quantile};
use crate::time::Nanos;
use eye::{Birth, Seen};
use level::{Elsewhere, Level};
use price::Path;
use weigh::{Day, Row, STRATA, Weighed};

/// Levels nearer or farther than these, in sigmas of an hour, are not watched: the price is nearly there, or never
/// comes within a day.
pub const NEAR: f64 = 0.25;
/// See [`NEAR`].
pub const FAR: f64 = 8.0;
/// Births that are needed ...
const LEAST: usize = 100;
/// ... and days with births, twice as many as elsewhere: zones are born in swarms, and over a dozen days of them the
/// interval was too narrow (the engine's own zones on a random walk showed a magnet).
const DAYS: usize = 2 * gate::LEAST_BLOCKS;
/// Names of the hypotheses, and what each says.
pub const HYPOTHESES: [(&str, &str); 3] = [
    ("H_magnet", "zones are touched sooner: ln ratio of hazards"),
    (
        "H_accelerate",
        "15 min after a touch price is further on: sigmas",
    ),
    (
        "H_revert",
        "from 15 min to 1 h after it comes back more: sigmas",
    ),
];

/// What came of one hypothesis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Zones less mirrored levels; above 0 speaks for it.
    pub figure: Option<Figure>,
    /// It holds, among the three of all symbols.
    pub holds: bool,
}

impl Outcome {
    /// In a word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self.figure {
            None => "not measured",
            Some(_) if self.holds => "holds",
            Some(figure) if figure.high < 0.0 => "the contrary",
            Some(_) => "not shown",
        }
    }
}

/// How births were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Born after the map was warm.
    pub born: usize,
    /// Of these, without a sigma or without dollars: how far they lie is not known.
    pub unplaced: usize,
    /// Of these, nearer than [`NEAR`], the mark in them included.
    pub near: usize,
    /// Of these, farther than [`FAR`].
    pub far: usize,
    /// Watched.
    pub watched: usize,
    /// Of these, hot against the present map only.
    pub relative: usize,
    /// Of these, given up untouched within the day.
    pub given_up: usize,
    /// Of these, with a live zone at the mirrored level: not held against it.
    pub unclear: usize,
    /// Changes of zones that the engine dropped unread.
    pub missed: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// First and last birth.
    pub span: (Nanos, Nanos),
    /// Length of a step of the path.
    pub step: Nanos,
    /// Births.
    pub counted: Counted,
    /// Sums by day.
    pub days: Vec<Day>,
    /// Figures.
    pub weighed: Weighed,
    /// In the order of [`HYPOTHESES`].
    pub outcomes: [Outcome; 3],
}

/// Births with what became of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trial {
    /// Rows in the order of time.
    pub rows: Vec<Row>,
    /// Births.
    pub counted: Counted,
    /// First and last birth.
    pub span: (Nanos, Nanos),
}

/// How far price went towards a level until it was touched or given up, in sigmas: nothing in the mean for whatever
/// stops, where there is no drift.
fn drift(path: &Path, level: &Level, watched: Nanos, gone: Option<Nanos>) -> Option<f64> {
    let from = path.steps[level.step];
    let end = from.end.plus(watched);
    let stop = gone.map_or(end, |gone| gone.min(end));
    let at = path
        .steps
        .partition_point(|step| step.end <= stop)
        .checked_sub(1)?;
    let sign = if level.above { 1.0 } else { -1.0 };
    Some((path.steps[at.max(level.step)].close - from.close) * sign / level.sigma)
}

/// Watches births and their controls; those before `from` are not looked at.
#[must_use]
pub fn trial(path: &Path, births: &[Birth], from: Nanos) -> Trial {
    let first = path.steps.partition_point(|step| step.end < from);
    let elsewhere = Elsewhere::new(path, first);
    let mut out = Trial::default();
    let mut kept: Vec<(Birth, Level, f64)> = Vec::new();
    for birth in births.iter().filter(|birth| birth.step >= first) {
        out.counted.born += 1;
        let level = Level {
            step: birth.step,
            above: birth.above,
            at: birth.level,
            sigma: path.sigma[birth.step],
        };
        let far = level.distance(path) / level.sigma;
        if !(level.sigma > 0.0 && birth.usd > 0.0) {
            out.counted.unplaced += 1;
        } else if far > FAR {
            out.counted.far += 1;
        } else if far < NEAR {
            out.counted.near += 1;
        } else {
            kept.push((*birth, level, far));
        }
    }
    let fars: Vec<f64> = kept.iter().map(|(_, _, far)| *far).collect();
    let edges: Vec<f64> = (1..STRATA)
        .filter_map(|i| quantile(&fars, i as f64 / STRATA as f64))
        .collect();
    let stratum = |far: f64| edges.iter().filter(|edge| far > **edge).count();
    let middle: Vec<f64> = (0..STRATA)
        .map(|own| {
            let of = kept.iter().filter(|(_, _, far)| stratum(*far) == own);
            let usd: Vec<f64> = of.map(|(birth, _, _)| birth.usd).collect();
            quantile(&usd, 0.5).unwrap_or(1.0)
        })
        .collect();
    for (birth, level, far) in &kept {
        let begin = path.steps[level.step].end;
        // The same birth draws the same controls, whatever stands beside it.
        let mut draws = Draws::new((begin.get() as u64) ^ level.at.to_bits());
        let zone = level.watch(path);
        let mirror = birth.clear.then(|| elsewhere.mirror(level));
        let controls = [
            mirror,
            elsewhere.other_time(level, &mut draws),
            elsewhere.round(level, &mut draws),
        ];
        let given_up = birth
            .gone
            .is_some_and(|gone| gone < begin.plus(zone.watched));
        out.counted.watched += 1;
        out.counted.relative += usize::from(birth.relative);
        out.counted.given_up += usize::from(given_up);
        out.counted.unclear += usize::from(!birth.clear);
        let hour = path.as_of(Nanos::new(begin.get() - Nanos::HOUR.get()), Nanos::HOUR);
        let toward = if level.above { 1.0 } else { -1.0 };
        let moved = |at: usize| path.steps[level.step].close - path.steps[at].close;
        out.rows.push(Row {
            day: begin.day(),
            drift: drift(path, level, zone.watched, birth.gone),
            before: hour.map(|at| moved(at) * toward / level.sigma),
            controls: controls.map(|control| control.map(|control| control.watch(path))),
            stratum: stratum(*far),
            mass: (birth.usd / middle[stratum(*far)].max(f64::MIN_POSITIVE)).log2(),
            zone,
        });
        out.span.1 = begin;
    }
    out.span.0 = kept
        .first()
        .map_or(Nanos::ZERO, |(_, level, _)| path.steps[level.step].end);
    out
}

/// Weighs days, and judges the three hypotheses together.
fn judged(
    days: Vec<Day>,
    counted: Counted,
    span: (Nanos, Nanos),
    step: Nanos,
    reps: usize,
) -> Found {
    let weighed = weigh::weigh(&days, reps);
    let mirror = &weighed.against[0];
    let figures = [mirror.hazard, mirror.soon().more, mirror.back().more];
    let outcomes = figures.map(|figure| Outcome {
        figure,
        holds: false,
    });
    let mut found = Found {
        span,
        step,
        counted,
        days,
        weighed,
        outcomes,
    };
    hold(core::iter::once(&mut found));
    found
}

/// Judges the hypotheses of some symbols at once (Holm).
pub fn hold<'a>(all: impl Iterator<Item = &'a mut Found>) {
    let mut outcomes: Vec<&mut Outcome> = all.flat_map(|of| &mut of.outcomes).collect();
    let chance = |of: &&mut Outcome| of.figure.map_or(1.0, |figure| figure.none);
    let chances: Vec<f64> = outcomes.iter().map(chance).collect();
    for (outcome, holds) in outcomes.iter_mut().zip(score::holm(&chances, gate::LEVEL)) {
        outcome.holds = holds;
    }
}

/// Figures of a trial.
///
/// # Errors
/// Why nothing can be measured.
pub fn found(trial: &Trial, step: Nanos, reps: usize) -> Result<Found, String> {
    let days = weigh::days(&trial.rows);
    if trial.rows.len() < LEAST || days.len() < DAYS {
        return Err(format!(
            "{} zones born within reach on {} days; {LEAST} on {DAYS} days are needed",
            trial.rows.len(),
            days.len(),
        ));
    }
    Ok(judged(days, trial.counted, trial.span, step, reps))
}

/// A symbol's zones, walked over its history.
#[derive(Debug)]
pub struct Walked {
    /// Where the price went.
    pub path: Path,
    /// What was seen of the zones.
    pub seen: Seen,
    /// From when on the map is warm.
    pub warm: Nanos,
}

/// Walks a symbol's zones.
///
/// # Errors
/// Why there are none.
pub fn walked(input: &Input) -> Result<Walked, String> {
    let weight = |s: &&super::input::Source| (s.bars.len() + s.trades.len(), s.marks.len());
    let with = input.sources.iter().filter(|s| !s.interest.is_empty());
    let Some(source) = with.max_by_key(weight) else {
        return Err("no open interest".to_owned());
    };
    let path = Path::of(source);
    if path.length > level::SOON {
        return Err(format!(
            "steps of {} min: too coarse for what happens after a touch",
            path.length.get() / Nanos::MINUTE.get()
        ));
    }
    let seen = eye::births(input, &path);
    let Some((first, last)) = seen.first.zip(path.steps.last()) else {
        return Err("the map was never seeded".to_owned());
    };
    let warm = warm(first, last.end);
    Ok(Walked { path, seen, warm })
}

/// The test of a symbol.
///
/// # Errors
/// Why nothing can be measured.
pub fn of(walked: &Walked, reps: usize) -> Result<Found, String> {
    let Walked { path, seen, warm } = walked;
    let mut trial = trial(path, &seen.births, *warm);
    trial.counted.missed = seen.missed;
    found(&trial, path.length, reps)
}

/// The test of all symbols together, equal days as one block; nothing of fewer than two.
#[must_use]
pub fn together<'a>(all: impl Iterator<Item = &'a Found>, reps: usize) -> Option<Found> {
    let all: Vec<&Found> = all.collect();
    let first = all.first()?;
    let (mut counted, mut span) = (Counted::default(), first.span);
    for own in &all {
        let more = own.counted;
        counted.born += more.born;
        counted.unplaced += more.unplaced;
        counted.near += more.near;
        counted.far += more.far;
        counted.watched += more.watched;
        counted.relative += more.relative;
        counted.given_up += more.given_up;
        counted.unclear += more.unclear;
        counted.missed += more.missed;
        span = (span.0.min(own.span.0), span.1.max(own.span.1));
    }
    let step = all.iter().map(|own| own.step).max()?;
    let days = weigh::joined(all.iter().flat_map(|own| &own.days));
    (all.len() > 1).then(|| judged(days, counted, span, step, reps))
}

#[cfg(test)]
mod tests;
