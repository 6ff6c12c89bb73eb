//! Symbol: one symbol walked by every map, row by row: what is to be scored.
//!
//! All maps are walked over the same periods; a row is one period and one holder. The proof of all symbols together
//! is `judge`'s.

use super::cascade;
use super::cells;
use super::days::warm;
use super::direction;
use super::forecast;
use super::input::{Input, Period};
use super::level;
use super::magnet;
use super::naive::{self, Naive};
use super::odds;
use super::page::{Heard, Page};
use super::path;
use super::realised;
use super::totals::{Row, TRAIN_ROWS};
use super::walk::{self, Mass, Met, Pair, Told, Way};
use super::{Options, ProveError};
use crate::inventory::params::Choice;
use crate::time::Nanos;

/// Prints are summed over this where no totals are told.
const SUMMED: Nanos = Nanos::HOUR;
/// Feature of P that says how far the period went beyond the extreme of 24 hours; see `path`.
const BREAKS: usize = 13;

/// A symbol, walked.
#[derive(Debug)]
pub struct Walked {
    /// The canonical asset.
    pub symbol: String,
    /// `totals` or `prints, summed`.
    pub test: &'static str,
    /// Venues whose interest the map stands on.
    pub venues: Vec<&'static str>,
    /// Rows in the order of time; too few to be scored where the cells are judged alone.
    pub rows: Vec<Row>,
    /// Every map, in the same order for every symbol of a proof; the first three are ours frozen, ours updated and the
    /// time-at-price ladder frozen.
    pub maps: Vec<Map>,
    /// The test by cell, where prints are told: it decides then.
    pub cells: Option<cells::judge::Found>,
    /// What the map says of the next period, unless it was not asked for.
    pub forecast: Option<forecast::Found>,
    /// Magnet and reaction, or why it was not measured.
    pub magnet: Result<magnet::Found, String>,
    /// Cascades, or why they were not measured.
    pub cascade: Result<cascade::Found, String>,
    /// Direction of the bias, or why it was not measured.
    pub direction: Result<direction::Found, String>,
    /// Odds of its zones.
    pub odds: odds::Found,
}

/// One map, one way to look at it.
#[derive(Debug)]
pub struct Map {
    /// `map`, `control`, `ablation`, `comparison` or `sensitivity`.
    pub group: &'static str,
    /// What it is.
    pub name: String,
    /// `frozen` or `updated`.
    pub view: &'static str,
    /// Mass per class by row, dollars.
    pub mass: Vec<Mass>,
    /// Which θ it is scored with.
    pub how: How,
}

/// Which θ a map is scored with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Fitted on the rows before.
    Fitted,
    /// The prior's.
    Prior,
    /// Fitted, then laid on other classes.
    Shuffled,
}

/// Periods to score: the totals that were told, else prints summed by the hour.
fn periods_of(input: &Input) -> Result<(Vec<Period>, &'static str), ProveError> {
    if !input.periods.is_empty() {
        return Ok((input.periods.clone(), "totals"));
    }
    if path::candles(input).is_empty() {
        return Err(ProveError::NoPath(input.symbol.clone()));
    }
    let sources = realised::printing(input);
    if sources.is_empty() {
        return Err(ProveError::NoRealised(input.symbol.clone()));
    }
    Ok((realised::summed(&sources, SUMMED), "prints, summed"))
}

/// Rows of the periods that can be scored, and the period and holder of each.
fn rows_of(
    periods: &[Period],
    seen: Vec<Option<path::Seen>>,
    pairs: &[Pair],
) -> (Vec<Row>, Vec<(usize, usize)>) {
    let known = |i: &usize| pairs[*i][0].known;
    let first = (0..periods.len())
        .find(known)
        .map_or(Nanos::ZERO, |i| periods[i].start);
    let last = periods.last().map_or(Nanos::ZERO, |p| p.end);
    let warm = warm(first, last);
    let (mut rows, mut from): (Vec<Row>, Vec<_>) = (Vec::new(), Vec::new());
    for (i, (period, seen)) in periods.iter().zip(seen).enumerate() {
        let Some(seen) = seen.filter(|_| pairs[i][0].known && period.start >= warm) else {
            continue;
        };
        for (d, seen) in seen.into_iter().enumerate() {
            rows.push(Row {
                start: period.start,
                end: period.end,
                holder: d,
                usd: period.usd[d],
                breaks: seen.get(BREAKS).is_some_and(|beyond| *beyond > 0.0),
                seen,
                before: Vec::new(),
            });
            from.push((i, d));
        }
    }
    let before = level::remembered(&rows);
    for (row, before) in rows.iter_mut().zip(before) {
        row.before = before;
    }
    (rows, from)
}

/// Collects the maps of a symbol, one mass a row.
struct Maps {
    from: Vec<(usize, usize)>,
    all: Vec<Map>,
}

impl Maps {
    fn add(&mut self, (group, name): (&'static str, &str), view: View, pairs: &[Pair], how: How) {
        let (view, of) = view;
        let name = match how {
            How::Prior => format!("{name}, uncalibrated"),
            _ => name.to_owned(),
        };
        let mass = self.from.iter().map(|(i, d)| of(&pairs[*i][*d])).collect();
        self.all.push(Map {
            group,
            name,
            view,
            mass,
            how,
        });
    }
    fn both(&mut self, name: (&'static str, &str), pairs: &[Pair], how: How) {
        self.add(name, FROZEN, pairs, how);
        self.add(name, UPDATED, pairs, how);
    }
}

type View = (&'static str, fn(&Met) -> Mass);
const FROZEN: View = ("frozen", |met| met.frozen);
const UPDATED: View = ("updated", |met| met.updated);
const MIRRORED: View = ("frozen", |met| met.mirrored);
const YESTERDAYS: View = ("frozen", |met| met.yesterday);

/// Walks one symbol with every map that is asked for; `page` is what the engine said when its tapes were replayed.
///
/// # Errors
/// What the proof refuses: no path, no interest, nothing realised, or too little of it.
pub fn walked(
    input: &Input,
    page: &Result<Page, String>,
    options: &Options,
    told: &mut dyn FnMut(&str),
) -> Result<Walked, ProveError> {
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
    let ours = walk::walk(
        input,
        &Way {
            controls: true,
            ..Way::default()
        },
        &periods,
    );
    let (rows, from) = rows_of(&periods, seen, &ours);
    // What prints say by cell needs no row of sums.
    let cells = cells::found(input, options.reps, told)?;
    if rows.len() <= TRAIN_ROWS && cells.is_none() {
        return Err(ProveError::TooFew {
            symbol: input.symbol.clone(),
            rows: rows.len(),
            least: TRAIN_ROWS,
        });
    }
    let mut maps = Maps {
        from,
        all: Vec::new(),
    };
    let naive = |which| naive::walk(input, &candles, which, &Choice::default(), &periods);
    let way = |way: &Way| walk::walk(input, way, &periods);
    maps.both(("map", "isotherm"), &ours, How::Fitted);
    let time = naive(Naive::TimeAtPrice);
    maps.add(("comparison", "time at price"), FROZEN, &time, How::Fitted);
    if !options.quick {
        told("walking what it is compared with");
        maps.add(("comparison", "time at price"), UPDATED, &time, How::Fitted);
        maps.both(("control", "isotherm"), &ours, How::Prior);
        maps.both(("control", "classes shuffled"), &ours, How::Shuffled);
        maps.add(("control", "mirrored"), MIRRORED, &ours, How::Fitted);
        maps.add(("control", "yesterday's"), YESTERDAYS, &ours, How::Fitted);
        for (name, changed) in others() {
            let pairs = way(&changed);
            maps.both(name, &pairs, How::Fitted);
            maps.both(name, &pairs, How::Prior);
        }
        for (name, which) in [
            ("no closes", Naive::NoCloses),
            ("never removed", Naive::NeverRemoved),
        ] {
            let pairs = naive(which);
            maps.both(("comparison", name), &pairs, How::Fitted);
            maps.add(("comparison", name), UPDATED, &pairs, How::Prior);
        }
    }
    if options.sensitivity {
        told("walking the ends of the parameters");
        for (name, choice) in ends() {
            let pairs = way(&Way {
                choice,
                ..Way::default()
            });
            maps.both(("sensitivity", &name), &pairs, How::Fitted);
        }
    }
    let zones = if options.quick {
        Err(super::NOT_ASKED.to_owned())
    } else {
        told("walking its zones");
        magnet::walked(input)
    };
    let nothing = Heard::default();
    let heard = page.as_ref().map_err(Clone::clone);
    let heard = heard.map(|page| page.get(&input.symbol).unwrap_or(&nothing));
    Ok(Walked {
        symbol: input.symbol.clone(),
        test,
        venues: input
            .sources
            .iter()
            .filter(|s| !s.interest.is_empty())
            .filter_map(|s| crate::venue::venue(s.venue).map(|row| row.name))
            .collect(),
        rows,
        maps: maps.all,
        cells,
        forecast: (!options.quick)
            .then(|| forecast::found(input, options.reps, told))
            .transpose()?,
        magnet: zones
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|zones| magnet::of(zones, options.reps)),
        odds: odds::of(
            input,
            heard.clone().map(|heard| &heard.odds),
            &zones,
            &odds::LEAST,
            options.reps,
        ),
        cascade: heard
            .clone()
            .and_then(|heard| cascade::of(input, &heard.cascade, &cascade::LEAST, options.reps)),
        direction: heard.and_then(|heard| {
            direction::of(input, &heard.direction, &direction::LEAST, options.reps)
        }),
    })
}

/// Our own map with something taken away.
fn others() -> [((&'static str, &'static str), Way); 4] {
    let way = Way::default();
    let mut only_change = way;
    only_change.choice.turnover_e6 = 0;
    let reciprocal = Way {
        reciprocal: true,
        ..way
    };
    let told = |interest| Way { interest, ..way };
    [
        (("comparison", "distance 1/L"), reciprocal),
        (("comparison", "change of interest only"), only_change),
        (("ablation", "interest constant"), told(Told::Constant)),
        (
            ("ablation", "interest of 30 days before"),
            told(Told::Shifted),
        ),
    ]
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
    for (text, psi) in [("0.15", 150_000), ("1", 1_000_000)] {
        end("turnover", text, &|c| c.turnover_e6 = psi);
    }
    for (text, alpha) in [("0.1", 100_000), ("1", 1_000_000)] {
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
