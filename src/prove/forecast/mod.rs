//! Forecast: what will be liquidated in the next period, said at its begin (heatmap.md 4.3).
//!
//! ```text
//!   totals, or prints by the minute -> periods of a horizon \
//!   candles -> past: what was liquidated, volatility         > rows -> models: a number, then a distribution -> judge
//!   walk: the map at every begin, reached by chance         /
//! ```
//! A *row* is one period and one holder. What the map says of it is, class by class, the mass of every bucket ahead of
//! the mark times the chance that the mark gets there: the formula of a driftless normal walk ([`hit`]) with the
//! volatility known at the begin. The chance that resting orders stop the price is left out, for a tape of totals has
//! no book. Positions that open within the period are not in the map: the fitted level and the background make up for
//! the mean of them, no more.
//!
//! All rows of a fold are said by what was fitted on rows before it, and everything in a row was known at its begin.
//! Nothing of this enters the gate: there are figures with intervals, and no verdict. Dollars are `f64`, deviations are
//! of the log price, times Unix nanoseconds.

pub mod judge;
pub mod models;
pub mod past;
pub mod report;

use super::ProveError;
use super::cells::is_whole;
use super::days::warm;
use super::gate::LEAST_BLOCKS;
use super::input::{Candle, Input, Period, Source};
use super::naive::{Naive, Standing};
use super::path;
use super::realised;
use super::totals::log;
use super::walk::{self, Mass, Told, Way, dollars_at};
use crate::inventory::params::Choice;
use crate::inventory::{CLASSES, Inventory};
use crate::market::Holder;
use crate::num::fixed::{ONE, hit};
use crate::num::log::{BUCKET, px_of_ln};
use crate::time::Nanos;
use crate::venue::venue;
use past::Past;
use report::length;

/// Horizons that are tried, where the data tell them.
const HORIZONS: [Nanos; 4] = [
    Nanos::MINUTE,
    Nanos::new(5 * Nanos::MINUTE.get()),
    Nanos::HOUR,
    Nanos::new(4 * Nanos::HOUR.get()),
];
/// The longest: of what is drawn by the day a day must hold several.
const LONGEST: Nanos = Nanos::new(Nanos::DAY.get() / 4);
/// Prints are summed over this.
const SUMMED: Nanos = Nanos::MINUTE;
/// Further away than this many deviations nothing is reached.
const FAR: f64 = 6.0;
/// Days that must be scored.
const LEAST_DAYS: usize = LEAST_BLOCKS;

/// One period and holder, as known at its begin, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its begin.
    pub start: Nanos,
    /// Its end.
    pub end: Nanos,
    /// Whose positions.
    pub holder: Holder,
    /// What came of it, dollars.
    pub usd: f64,
    /// Dollars of our map, each bucket times the chance that it is reached.
    pub ours: Mass,
    /// The same of the time-at-price ladder.
    pub time: Mass,
    /// Features of the past.
    pub seen: Vec<f64>,
}

impl Row {
    /// [`log`] of what came of it.
    #[must_use]
    pub fn log(&self) -> f64 {
        log(self.usd)
    }
    /// Days since the epoch.
    #[must_use]
    pub const fn day(&self) -> i64 {
        self.start.day()
    }
}

/// What came of one symbol.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Venues whose prints are what was liquidated; none where totals were told.
    pub printed: Vec<&'static str>,
    /// Whether they print a part of it only.
    pub is_part: bool,
    /// By horizon, shortest first.
    pub horizons: Vec<judge::Horizon>,
    /// Differences that are judged together, of all symbols ([`together`]).
    pub family: usize,
    /// Horizons that are not measured, and why.
    pub refused: Vec<(Nanos, String)>,
}

/// Sources whose prints are what was liquidated: those that print all of it, else those that print; none where totals
/// are told.
fn judged(input: &Input) -> (Vec<&Source>, bool) {
    if !input.periods.is_empty() {
        return (Vec::new(), false);
    }
    let all = realised::printing(input);
    let whole = all.iter().filter(|source| is_whole(source.venue));
    let whole: Vec<&Source> = whole.copied().collect();
    match whole.is_empty() {
        true => (all, true),
        false => (whole, false),
    }
}

/// What was liquidated, by period: totals as they were told, else prints by the minute.
fn realised(input: &Input) -> Vec<Period> {
    if !input.periods.is_empty() {
        return input.periods.clone();
    }
    realised::summed(&judged(input).0, SUMMED)
}

/// The first of the periods whose length is the most frequent one; of two such lengths the shorter.
fn usual(periods: &[Period]) -> Option<&Period> {
    let length = |p: &Period| p.end.since(p.start);
    let mut lengths: Vec<Nanos> = periods.iter().map(length).collect();
    lengths.sort_unstable();
    let runs = lengths.chunk_by(|a, b| a == b);
    let most = runs.rev().max_by_key(|run| run.len())?.first()?;
    periods.iter().find(|p| length(p) == *most)
}

/// Periods of a horizon, of neighbours that fill it; they begin where the first of [`usual`] length would if days were
/// counted from it. They never overlap.
fn grouped(periods: &[Period], horizon: Nanos) -> Vec<Period> {
    let Some(first) = usual(periods) else {
        return Vec::new();
    };
    let phase = first
        .start
        .get()
        .rem_euclid(first.end.since(first.start).get().max(1));
    let (mut out, mut from) = (Vec::new(), 0);
    while let Some(begin) = periods.get(from) {
        let start = begin.start;
        if (start.get() - phase).rem_euclid(horizon.get()) != 0 {
            from += 1;
            continue;
        }
        let mut whole = *begin;
        let mut to = from + 1;
        while let Some(next) = periods.get(to).filter(|p| p.start == whole.end) {
            if next.end.since(start) > horizon {
                break;
            }
            whole.end = next.end;
            whole
                .usd
                .iter_mut()
                .zip(next.usd)
                .for_each(|(sum, more)| *sum += more);
            to += 1;
        }
        if whole.end.since(start) == horizon {
            out.push(whole);
        }
        from = to;
    }
    out
}

/// Horizons of periods this long, and the reasons against the others.
fn horizons(base: Nanos, candles: &[Candle]) -> (Vec<Nanos>, Vec<(Nanos, String)>) {
    let mut all: Vec<Nanos> = HORIZONS.to_vec();
    if !all.contains(&base) {
        all.push(base);
        all.sort_unstable();
    }
    let bar = candles
        .iter()
        .map(|c| c.end.since(c.start))
        .min()
        .unwrap_or(Nanos::ZERO);
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for horizon in all {
        let why = if horizon.get() % base.get() != 0 {
            format!("what was liquidated is told in periods of {}", length(base))
        } else if horizon < bar {
            format!("the price is told in bars of {}", length(bar))
        } else if horizon > LONGEST {
            "a day, which is what is drawn, would hold too few".to_owned()
        } else {
            kept.push(horizon);
            continue;
        };
        refused.push((horizon, why));
    }
    (kept, refused)
}

/// Adds what a map holds ahead of its mark, times the chance that it is reached.
fn reached(map: &Inventory, holder: Holder, sigma: f64, sum: &mut Mass) {
    let Some(begin) = map.mark_ln() else {
        return;
    };
    let (out, (low, high)) = (holder.hurts(), map.reach(holder));
    ahead(begin, out, sigma, &mut |bucket, chance| {
        if bucket >= low && bucket <= high {
            let dollars = dollars_at(bucket * BUCKET + BUCKET / 2) * chance;
            for (sum, mass) in sum.iter_mut().zip(map.masses(holder, bucket)) {
                *sum += mass as f64 * dollars;
            }
        }
    });
}

/// Buckets from that of the mark on, each with the chance that a driftless walk reaches its middle.
fn ahead(begin: i64, out: i64, sigma: f64, told: &mut dyn FnMut(i64, f64)) {
    let whole = sigma * (1i64 << 48) as f64;
    let steps = (FAR * whole / BUCKET as f64) as i64 + 1;
    for step in 0..=steps {
        let bucket = begin.div_euclid(BUCKET) + out * step;
        let away = ((bucket * BUCKET + BUCKET / 2 - begin) * out).max(0) as f64;
        let chance = hit((away / whole * ONE as f64) as i64) as f64 / ONE as f64;
        if chance > 0.0 {
            told(bucket, chance);
        }
    }
}

/// The rows of every horizon.
///
/// One walk serves all of them: whatever begins at a moment reads the map as it stands then.
#[must_use]
pub fn rows(
    input: &Input,
    candles: &[Candle],
    periods: &[Period],
    horizons: &[Nanos],
) -> Vec<Vec<Row>> {
    let past = Past::new(candles, periods);
    let grids: Vec<Vec<Period>> = horizons.iter().map(|h| grouped(periods, *h)).collect();
    let sigmas: Vec<Vec<Option<f64>>> = grids.iter().map(|grid| past.sigmas(grid)).collect();
    let mut moments: Vec<Nanos> = grids.iter().flatten().map(|p| p.start).collect();
    moments.sort_unstable();
    moments.dedup();
    let mut sums: Vec<Vec<Option<[Mass; 2]>>> =
        grids.iter().map(|grid| vec![None; grid.len()]).collect();
    let find = |grid: &[Period], at: Nanos| grid.binary_search_by_key(&at, |p| p.start).ok();
    let way = Way {
        interest: Told::Stepwise,
        ..Way::default()
    };
    walk::maps(input, &way, &moments, &mut |moment, maps| {
        for ((grid, sigmas), sums) in grids.iter().zip(&sigmas).zip(&mut sums) {
            let at = find(grid, moments[moment]);
            let known = at.and_then(|at| sigmas[at].map(|sigma| (at, sigma)));
            let Some((at, sigma)) = known.filter(|_| !maps.is_empty()) else {
                continue;
            };
            let sum = sums[at].get_or_insert([[0.0; CLASSES]; 2]);
            for (_, map) in maps {
                for holder in Holder::BOTH {
                    reached(map, holder, sigma, &mut sum[holder as usize]);
                }
            }
        }
    });
    let known = |(grid, sums): (&Vec<Period>, &Vec<Option<[Mass; 2]>>)| {
        let at = sums.iter().position(Option::is_some)?;
        Some(grid[at].start)
    };
    let first = grids
        .iter()
        .zip(&sums)
        .filter_map(known)
        .min()
        .unwrap_or(Nanos::ZERO);
    let last = periods.last().map_or(Nanos::ZERO, |p| p.end);
    let warm = warm(first, last);
    let mut rival = Rival::new(input, candles);
    let mut out: Vec<Vec<Row>> = vec![Vec::new(); grids.len()];
    for at in &moments {
        rival.advance(*at);
        for (number, grid) in grids.iter().enumerate().filter(|_| *at >= warm) {
            let Some(i) = find(grid, *at) else {
                continue;
            };
            let (Some(sigma), Some(ours)) = (sigmas[number][i], sums[number][i]) else {
                continue;
            };
            for holder in Holder::BOTH {
                let Some(seen) = past.features(&grid[i], holder, sigma) else {
                    continue;
                };
                out[number].push(Row {
                    start: grid[i].start,
                    end: grid[i].end,
                    holder,
                    usd: grid[i].usd[holder as usize],
                    ours: ours[holder as usize],
                    time: rival.reached(holder, sigma),
                    seen,
                });
            }
        }
    }
    out
}

/// The time-at-price ladder, and the price where it stands.
struct Rival<'a> {
    candles: &'a [Candle],
    map: Standing<'a>,
    /// Candles that were walked.
    candle: usize,
}

impl<'a> Rival<'a> {
    fn new(input: &Input, candles: &'a [Candle]) -> Self {
        Self {
            candles,
            map: Standing::new(input, candles, Naive::TimeAtPrice, &Choice::default()),
            candle: 0,
        }
    }
    fn advance(&mut self, at: Nanos) {
        self.map.advance(at);
        while self.candles.get(self.candle).is_some_and(|c| c.end <= at) {
            self.candle += 1;
        }
    }
    fn reached(&self, holder: Holder, sigma: f64) -> Mass {
        let mut sum = [0.0; CLASSES];
        let Some(last) = self.candle.checked_sub(1).map(|at| self.candles[at]) else {
            return sum;
        };
        let begin = crate::num::log::ln_px(last.close);
        ahead(begin, holder.hurts(), sigma, &mut |bucket, chance| {
            let mass = self.map.at(holder, px_of_ln(bucket * BUCKET + BUCKET / 2));
            sum.iter_mut()
                .zip(mass)
                .for_each(|(sum, mass)| *sum += mass * chance);
        });
        sum
    }
}

/// Measures the forecasts of a symbol.
///
/// # Errors
/// Rows that the trees cannot use.
pub fn found(input: &Input, reps: usize, told: &mut dyn FnMut(&str)) -> Result<Found, ProveError> {
    let candles = path::candles(input);
    let periods = realised(input);
    let Some(base) = usual(&periods).map(|p| p.end.since(p.start)) else {
        return Ok(Found::default());
    };
    let (printed, is_part) = judged(input);
    let named = printed.iter().filter_map(|source| venue(source.venue));
    let (kept, refused) = horizons(base.max(Nanos::new(1)), &candles);
    told("walking the forecasts");
    let all = rows(input, &candles, &periods, &kept);
    told("scoring the forecasts");
    let mut found = Found {
        printed: named.map(|row| row.name).collect(),
        is_part,
        horizons: Vec::new(),
        family: 0,
        refused,
    };
    for (horizon, rows) in kept.iter().zip(&all) {
        match judge::judge(*horizon, rows, reps)? {
            Ok(scored) => found.horizons.push(scored),
            Err(why) => found.refused.push((*horizon, why)),
        }
    }
    Ok(found)
}

/// Judges what the map adds, of all symbols at once.
pub fn together<'a>(all: impl Iterator<Item = &'a mut Found>) {
    let mut all: Vec<&mut Found> = all.collect();
    let family = judge::together(all.iter_mut().flat_map(|of| &mut of.horizons));
    all.iter_mut().for_each(|of| of.family = family);
}

#[cfg(test)]
mod tests;
