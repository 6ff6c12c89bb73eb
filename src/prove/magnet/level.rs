//! Level: a price that is watched from a moment on, what became of it, and what it is compared with.
//!
//! A level is watched for a day, or until the path ends or has a hole; never for as long as its zone lives: a zone is
//! given up when the price has gone elsewhere, so to stop watching then would show a magnet in any random walk. What
//! comes after a touch is seen from the way it was reached: *on* is further the same way, in sigmas of the hour at the
//! begin of watching, counted from the level; time counts from the end of the step in which it was touched.

use super::price::Path;
use crate::prove::score::{Draws, quantile};
use crate::time::Nanos;
use std::collections::HashMap;

/// How long a level is watched.
pub const WATCHED: Nanos = Nanos::DAY;
/// Moments after a touch that are looked at, as far as steps are short enough.
pub const AFTER: [Nanos; 7] = [
    Nanos::SECOND,
    Nanos::seconds(5),
    Nanos::seconds(30),
    Nanos::seconds(120),
    Nanos::seconds(300),
    SOON,
    LATER,
];
/// What H_accelerate looks at, and how far beyond the level is counted.
pub const SOON: Nanos = Nanos::seconds(900);
/// What H_revert looks at.
pub const LATER: Nanos = Nanos::HOUR;
/// Volume after a touch is held against this long before it.
const USUAL: Nanos = Nanos::DAY;

/// A level as it begins to be watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The step at whose end watching begins.
    pub step: usize,
    /// Above the price.
    pub above: bool,
    /// Log price.
    pub at: f64,
    /// Sigma of an hour at the begin.
    pub sigma: f64,
}

/// What became of a level.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fate {
    /// Touched within the day.
    pub touched: bool,
    /// Until the touch, or for as long as it could be watched.
    pub watched: Nanos,
    /// After the touch: how far on, in sigmas, at each of [`AFTER`].
    pub on: [Option<f64>; AFTER.len()],
    /// How far on at most within [`SOON`], the step of the touch included.
    pub overshoot: Option<f64>,
    /// Log of the volume a second from the step of the touch until [`SOON`] over that of the day before.
    pub volume: Option<f64>,
}

impl Level {
    /// `at` − price in the direction of the level, log.
    #[must_use]
    pub fn distance(&self, path: &Path) -> f64 {
        (self.at - path.steps[self.step].close) * self.sign()
    }

    const fn sign(&self) -> f64 {
        if self.above { 1.0 } else { -1.0 }
    }

    /// Watches it.
    #[must_use]
    pub fn watch(&self, path: &Path) -> Fate {
        let begin = path.steps[self.step].end;
        let until = begin.plus(WATCHED);
        match path.first_at(self.step + 1, until, self.at, self.above) {
            Err(last) => {
                // Watched to the end if the next step is beyond it.
                let seen = path.steps[last.max(self.step)].end;
                let next = path.steps.get(last + 1).map(|step| step.start);
                let whole = next.is_some_and(|start| start.since(seen) <= path.length)
                    && path
                        .steps
                        .get(last + 1)
                        .is_some_and(|step| step.end > until);
                Fate {
                    watched: if whole { WATCHED } else { seen.since(begin) },
                    ..Fate::default()
                }
            }
            Ok(step) => self.after(path, step),
        }
    }

    fn after(&self, path: &Path, step: usize) -> Fate {
        let (begin, end) = (path.steps[self.step].end, path.steps[step].end);
        let on = |price: f64| (price - self.at) * self.sign() / self.sigma;
        let seen = AFTER.map(|span| {
            let at = path.as_of(end.plus(span), span)?;
            (span >= path.length && at >= step).then(|| on(path.steps[at].close))
        });
        let soon = path.as_of(end.plus(SOON), SOON).filter(|at| *at >= step);
        let far = |last: usize| {
            let ends = path.steps[step..=last].iter();
            ends.map(|s| on(if self.above { s.high } else { s.low }))
                .fold(0.0, f64::max)
        };
        Fate {
            touched: true,
            watched: end.since(begin),
            on: seen,
            overshoot: soon.map(far),
            volume: soon.and_then(|last| self.volume(path, step, last)),
        }
    }

    fn volume(&self, path: &Path, step: usize, last: usize) -> Option<f64> {
        let start = path.steps[step].start;
        let from = path
            .steps
            .partition_point(|s| s.start < Nanos::new(start.get() - USUAL.get()));
        let seconds = |a: Nanos, b: Nanos| b.since(a).get() as f64 / Nanos::SECOND.get() as f64;
        let usual = path.usd(from, step) / seconds(path.steps.get(from)?.start, start);
        let now = path.usd(step, last + 1) / seconds(start, path.steps[last].end);
        let ratio = now / usual;
        (ratio > 0.0 && ratio.is_finite()).then(|| ratio.ln())
    }
}

/// What a level is compared with.
#[derive(Debug)]
pub struct Elsewhere<'a> {
    path: &'a Path,
    /// Steps from which levels may be watched, by hour of the week and tercile of sigma, and by hour of the day.
    week: HashMap<(i64, usize), Vec<usize>>,
    day: HashMap<(i64, usize), Vec<usize>>,
    terciles: [f64; 2],
}

/// Another time lies at least so far away.
const APART: i64 = 2 * Nanos::DAY.get();
/// Another time is tried so often.
const TRIES: usize = 400;
/// A like distance is so near, as a part of it.
const LIKE: f64 = 0.1;
/// From where on the steps that other times are drawn of lie at least so far apart.
const EVERY: Nanos = Nanos::seconds(300);

impl<'a> Elsewhere<'a> {
    /// Other times among the steps from `from` on.
    #[must_use]
    pub fn new(path: &'a Path, from: usize) -> Self {
        let mut steps: Vec<usize> = Vec::new();
        for (at, step) in path.steps.iter().enumerate().skip(from) {
            let due = |last: &usize| step.end.since(path.steps[*last].end) >= EVERY;
            if path.sigma[at] > 0.0 && steps.last().is_none_or(due) {
                steps.push(at);
            }
        }
        let sigmas: Vec<f64> = steps.iter().map(|at| path.sigma[*at]).collect();
        let terciles = [1.0, 2.0].map(|third| quantile(&sigmas, third / 3.0).unwrap_or(0.0));
        let mut all = Self {
            path,
            week: HashMap::new(),
            day: HashMap::new(),
            terciles,
        };
        for at in steps {
            let (hour, tercile) = all.kind(at);
            all.week.entry((hour, tercile)).or_default().push(at);
            all.day.entry((hour % 24, tercile)).or_default().push(at);
        }
        all
    }

    /// Hour of the week, and tercile of sigma.
    fn kind(&self, step: usize) -> (i64, usize) {
        let hour = self.path.steps[step]
            .end
            .get()
            .div_euclid(Nanos::HOUR.get());
        let sigma = self.path.sigma[step];
        let tercile = self.terciles.iter().filter(|edge| sigma > **edge).count();
        (hour.rem_euclid(168), tercile)
    }

    fn apart(&self, a: usize, b: usize) -> bool {
        let steps = &self.path.steps;
        steps[a].end.since(steps[b].end).get().abs() >= APART
    }

    /// A level as far away in sigmas on the same side, at another time of the same hour of the week and tercile of
    /// sigma.
    #[must_use]
    pub fn other_time(&self, level: &Level, draws: &mut Draws) -> Option<Level> {
        let times = self.week.get(&self.kind(level.step))?;
        let far = level.distance(self.path) / level.sigma;
        let step = (0..TRIES)
            .map(|_| times[draws.below(times.len())])
            .find(|at| self.apart(*at, level.step))?;
        let sigma = self.path.sigma[step];
        Some(Level {
            step,
            at: self.path.steps[step].close + far * sigma * level.sign(),
            sigma,
            ..*level
        })
    }

    /// A round number about as far away in sigmas on the same side, at another time of the same hour of the day and
    /// tercile of sigma: multiples of a tenth of the price's power of ten.
    #[must_use]
    pub fn round(&self, level: &Level, draws: &mut Draws) -> Option<Level> {
        let (hour, tercile) = self.kind(level.step);
        let times = self.day.get(&(hour % 24, tercile))?;
        let far = level.distance(self.path) / level.sigma;
        (0..TRIES).find_map(|_| {
            let step = times[draws.below(times.len())];
            let (sigma, from) = (self.path.sigma[step], self.path.steps[step].close);
            let goal = (from + far * sigma * level.sign()).exp();
            // Log prices are of steps of 1e-10: a power of ten either way.
            let unit = 10f64.powf(from.exp().log10().floor() - 1.0);
            let at = ((goal / unit).round() * unit).ln();
            let off = (at - from) * level.sign() / sigma / far;
            let fits = self.apart(step, level.step) && (off - 1.0).abs() <= LIKE;
            fits.then_some(Level {
                step,
                at,
                sigma,
                ..*level
            })
        })
    }

    /// The level as far on the other side, at the same time.
    #[must_use]
    pub fn mirror(&self, level: &Level) -> Level {
        Level {
            above: !level.above,
            at: 2.0 * self.path.steps[level.step].close - level.at,
            ..*level
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::price::Step;
    use super::*;

    fn minutes(n: i64) -> Nanos {
        Nanos::new(n * Nanos::MINUTE.get())
    }

    /// Five-minute steps of the given closes, opening where the last closed.
    fn path(closes: impl Iterator<Item = f64>) -> Path {
        let mut last = None;
        let steps = closes.enumerate().map(|(i, close)| {
            let open = last.replace(close).unwrap_or(close);
            Step {
                start: minutes(5 * i as i64),
                end: minutes(5 * i as i64 + 5),
                open,
                high: close.max(open),
                low: close.min(open),
                close,
                usd: if i < 400 { 10.0 } else { 20.0 },
            }
        });
        Path::from_steps(steps.collect())
    }

    #[test]
    fn a_touch_and_what_comes_after_it() {
        let closes = (0..900).map(|i| match i {
            ..400 => 5.0,
            400 => 5.03,
            401..404 => 5.05,
            _ => 5.0,
        });
        let path = path(closes);
        let level = Level {
            step: 390,
            above: true,
            at: 5.02,
            sigma: 0.01,
        };
        let fate = level.watch(&path);
        assert!(fate.touched);
        assert_eq!(fate.watched, minutes(50));
        let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-9;
        assert_eq!(fate.on[..4], [None; 4], "steps are of five minutes");
        assert!(close(fate.on[4], 3.0) && close(fate.on[5], 3.0) && close(fate.on[6], -2.0));
        assert!(close(fate.overshoot, 3.0));
        assert!(close(fate.volume, 2f64.ln()));
        let mirror = Elsewhere::new(&path, 0).mirror(&level);
        assert!((mirror.at - 4.98).abs() < 1e-9 && !mirror.above);
        let fate = mirror.watch(&path);
        assert_eq!((fate.touched, fate.watched), (false, WATCHED));
        // The path ends before the day does.
        let late = Level {
            step: 800,
            ..mirror
        };
        assert_eq!(late.watch(&path).watched, minutes(99 * 5));
        let last = Level {
            step: 899,
            ..mirror
        };
        assert_eq!(last.watch(&path).watched, Nanos::ZERO);
    }

    #[test]
    fn controls_are_alike() {
        let mut draws = Draws::new(9);
        let mut price = 25.0;
        let path = path((0..60 * 288).map(|_| {
            price += (draws.below(5) as f64 - 2.0) * 0.001;
            price
        }));
        let all = Elsewhere::new(&path, 1_000);
        let (mut found, mut draws) = ([0; 2], Draws::new(1));
        for step in (2_000..17_000).step_by(500) {
            let sigma = path.sigma[step];
            let level = Level {
                step,
                above: step % 1_000 == 0,
                at: path.steps[step].close + if step % 1_000 == 0 { 2.0 } else { -2.0 } * sigma,
                sigma,
            };
            let far = |level: &Level| level.distance(&path) / level.sigma;
            assert!((far(&all.mirror(&level)) - 2.0).abs() < 1e-6);
            if let Some(other) = all.other_time(&level, &mut draws) {
                assert!((far(&other) - 2.0).abs() < 1e-6 && other.above == level.above);
                assert_eq!(all.kind(other.step), all.kind(step));
                assert!(other.step.abs_diff(step) >= 576 && other.step >= 1_000);
                found[0] += 1;
            }
            if let Some(round) = all.round(&level, &mut draws) {
                assert!((far(&round) - 2.0).abs() <= 0.2 + 1e-6 && round.above == level.above);
                assert_eq!(all.kind(round.step).1, all.kind(step).1);
                let digits = round.at.exp()
                    / 10f64.powf(path.steps[round.step].close.exp().log10().floor() - 1.0);
                assert!((digits - digits.round()).abs() < 1e-3);
                found[1] += 1;
            }
        }
        assert!(found[0] > 20 && found[1] > 10, "{found:?}");
    }
}
