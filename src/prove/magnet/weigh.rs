//! Weigh: sums by day of what became of zones and of what they are compared with, and the figures made of them.
//!
//! Everything that is told is a function of sums over births, kept by the day of the birth, so an interval draws whole
//! days and days of several symbols add up. Times to a touch lie in [`EDGES`] bins; of a bin and a stratum five sums
//! are kept: who left, their covariate and its square, who left by a touch, their covariate. Of these come
//! - the share touched by a time (Kaplan-Meier), with who could not be watched longer taken out,
//! - the log of a ratio of hazards: score over information at none (U / I), which for a group is the log-rank test's
//!   observed less expected over its variance (Peto), and for a number one step of Cox's partial likelihood.

use super::level::{AFTER, Fate, LATER, SOON};
use crate::prove::score::{self, Figure};
use crate::time::Nanos;

/// Bins of the time to a touch.
pub const BINS: usize = 47;
/// Upper ends of the bins, minutes; the lower end is not in a bin, the upper is.
pub const EDGES: [i64; BINS] = edges();

const fn edges() -> [i64; BINS] {
    let mut all = [0; BINS];
    let (mut at, mut i) = (0, 0);
    while i < BINS {
        at += match at {
            0..20 => 5,
            20 => 10,
            21..240 => 15,
            240..720 => 30,
            _ => 60,
        };
        all[i] = at;
        i += 1;
    }
    all
}

/// Sums of a bin.
const PER_BIN: usize = 5;
/// Sums of one table of times.
const TIMES: usize = BINS * PER_BIN;
/// What is measured after a touch: [`AFTER`], then these.
pub const MEASURES: usize = AFTER.len() + 4;
const REVERSED: usize = AFTER.len();
const OVERSHOOT: usize = AFTER.len() + 1;
const VOLUME: usize = AFTER.len() + 2;
/// On from [`SOON`] to [`LATER`], backwards.
const BACK: usize = AFTER.len() + 3;
/// Zone and control: number and sum.
const PER_MEASURE: usize = 4;
const CONTROL: usize = TIMES + MEASURES * PER_MEASURE;
/// Controls.
pub const CONTROLS: usize = 3;
/// What they are called.
pub const NAMES: [&str; CONTROLS] = ["mirrored level", "level at another time", "round number"];
/// Strata of distance, for the mass.
pub const STRATA: usize = 5;
const MASS: usize = CONTROLS * CONTROL;
const ALONE: usize = MASS + STRATA * TIMES;
const ALL: usize = ALONE + 4;

/// Touched by these times, minutes.
pub const BY: [i64; 3] = [60, 240, 1_440];

/// Sums of a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    /// Days since the epoch.
    pub number: i64,
    sums: Vec<f64>,
}

/// What became of one birth.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Day of the birth.
    pub day: i64,
    /// Of the zone's own level.
    pub zone: Fate,
    /// Of what it is compared with, where there is such.
    pub controls: [Option<Fate>; CONTROLS],
    /// Stratum of its distance.
    pub stratum: usize,
    /// Binary logarithm of its dollars over the stratum's median.
    pub mass: f64,
    /// How far the price went towards it while it lived and was not touched, sigmas.
    pub drift: Option<f64>,
    /// How far the price had gone towards it in the hour before.
    pub before: Option<f64>,
}

fn bin(watched: Nanos) -> Option<usize> {
    let minutes = watched.get() as f64 / Nanos::MINUTE.get() as f64;
    let at = EDGES.partition_point(|edge| (*edge as f64) < minutes);
    (minutes > 0.0 && at < BINS).then_some(at)
}

fn time(sums: &mut [f64], fate: &Fate, z: f64) {
    let Some(at) = bin(fate.watched) else { return };
    let touched = f64::from(u8::from(fate.touched));
    let more = [1.0, z, z * z, touched, touched * z];
    for (sum, more) in sums[at * PER_BIN..].iter_mut().zip(more) {
        *sum += more;
    }
}

fn measures(fate: &Fate) -> [Option<f64>; MEASURES] {
    let at = |span: Nanos| {
        let which = AFTER.iter().position(|own| *own == span)?;
        fate.on[which]
    };
    let (soon, later) = (at(SOON), at(LATER));
    let mut all = [None; MEASURES];
    all[..AFTER.len()].copy_from_slice(&fate.on);
    all[REVERSED] = soon.map(|on| f64::from(u8::from(on < 0.0)));
    all[OVERSHOOT] = fate.overshoot;
    all[VOLUME] = fate.volume;
    all[BACK] = soon.zip(later).map(|(soon, later)| soon - later);
    all
}

fn count(sums: &mut [f64], value: Option<f64>) {
    if let Some(value) = value {
        sums[0] += 1.0;
        sums[1] += value;
    }
}

/// Sums of rows by day.
#[must_use]
pub fn days(rows: &[Row]) -> Vec<Day> {
    let mut out: Vec<Day> = Vec::new();
    for row in rows {
        let at = match out.binary_search_by_key(&row.day, |day| day.number) {
            Ok(at) => at,
            Err(at) => {
                let sums = vec![0.0; ALL];
                out.insert(
                    at,
                    Day {
                        number: row.day,
                        sums,
                    },
                );
                at
            }
        };
        let sums = &mut out[at].sums;
        for (which, control) in row.controls.iter().enumerate() {
            let Some(control) = control else { continue };
            let sums = &mut sums[which * CONTROL..(which + 1) * CONTROL];
            for (fate, z) in [(&row.zone, 1.0), (control, 0.0)] {
                time(&mut sums[..TIMES], fate, z);
            }
            for (group, fate) in [&row.zone, control].into_iter().enumerate() {
                for (k, value) in measures(fate).into_iter().enumerate() {
                    count(&mut sums[TIMES + k * PER_MEASURE + 2 * group..], value);
                }
            }
        }
        let stratum = row.stratum.min(STRATA - 1);
        let times = &mut sums[MASS + stratum * TIMES..][..TIMES];
        time(times, &row.zone, row.mass);
        count(&mut sums[ALONE..], row.drift);
        count(&mut sums[ALONE + 2..], row.before);
    }
    out
}

/// Days of several symbols as one set: equal days are one block.
#[must_use]
pub fn joined<'a>(all: impl Iterator<Item = &'a Day>) -> Vec<Day> {
    let mut out: Vec<Day> = Vec::new();
    for day in all {
        match out.binary_search_by_key(&day.number, |own| own.number) {
            Ok(at) => out[at]
                .sums
                .iter_mut()
                .zip(&day.sums)
                .for_each(|(a, b)| *a += b),
            Err(at) => out.insert(at, day.clone()),
        }
    }
    out
}

/// The log of the ratio of hazards of one more of the covariate; `None` where nothing tells.
fn hazard(strata: &[f64]) -> Option<f64> {
    let (mut score, mut information) = (0.0, 0.0);
    for times in strata.chunks(TIMES) {
        let mut risk = [0.0; 3];
        for bin in times.chunks(PER_BIN).rev() {
            risk.iter_mut()
                .zip(bin)
                .for_each(|(sum, left)| *sum += left);
            let [n, z, zz] = risk;
            if bin[3] > 0.0 && n > 1.0 {
                let mean = z / n;
                score += bin[4] - bin[3] * mean;
                // Of a bin's several touches each takes one away (hypergeometric).
                let tied = (n - bin[3]) / (n - 1.0);
                information += bin[3] * tied * (zz / n - mean * mean);
            }
        }
    }
    (information > 1e-9).then(|| score / information)
}

/// Shares touched by the end of every bin, of zones and of controls; `None` in a bin with nobody left to watch.
fn touched(times: &[f64]) -> [Vec<Option<f64>>; 2] {
    [true, false].map(|zone| {
        let of = |bin: &[f64]| {
            if zone {
                [bin[1], bin[4]]
            } else {
                [bin[0] - bin[1], bin[3] - bin[4]]
            }
        };
        let bins: Vec<[f64; 2]> = times.chunks(PER_BIN).map(of).collect();
        let mut risk: f64 = bins.iter().map(|bin| bin[0]).sum();
        let mut free = Some(1.0);
        let step = |[left, touched]: &[f64; 2]| {
            free = free
                .filter(|_| risk > 0.5)
                .map(|free| free * (1.0 - touched / risk));
            risk -= left;
            free.map(|free| 1.0 - free)
        };
        bins.iter().map(step).collect()
    })
}

fn by(times: &[f64], minutes: i64) -> Option<[f64; 2]> {
    let at = EDGES.iter().position(|edge| *edge == minutes)?;
    let [zone, control] = touched(times);
    Some([zone[at]?, control[at]?])
}

/// Hours watched without a touch, of a day, in the mean.
fn waiting(times: &[f64]) -> Option<[f64; 2]> {
    let mut hours = [0.0; 2];
    for (hours, touched) in hours.iter_mut().zip(touched(times)) {
        let (mut last, mut free) = (0, 1.0);
        for (edge, touched) in EDGES.iter().zip(touched) {
            // Within a bin the touches lie evenly.
            let now = 1.0 - touched?;
            *hours += (edge - last) as f64 / 60.0 * f64::midpoint(free, now);
            (last, free) = (*edge, now);
        }
    }
    Some(hours)
}

fn means(sums: &[f64]) -> Option<[f64; 2]> {
    let of = |n: f64, sum: f64| (n > 0.0).then(|| sum / n);
    Some([of(sums[0], sums[1])?, of(sums[2], sums[3])?])
}

/// Two values and the interval of the first less the second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pair {
    /// Of zones, of controls.
    pub values: Option<[f64; 2]>,
    /// Their difference.
    pub more: Option<Figure>,
}

/// Zones beside one control.
#[derive(Debug, Clone, PartialEq)]
pub struct Against {
    /// Pairs.
    pub pairs: usize,
    /// Touched of zones, of controls.
    pub touches: [usize; 2],
    /// Log of the ratio of hazards, zones over controls.
    pub hazard: Option<Figure>,
    /// Shares touched by [`BY`].
    pub by: [Pair; BY.len()],
    /// Hours until a touch, at most a day.
    pub waiting: Pair,
    /// [`AFTER`], share of reversals, overshoot, volume, way back.
    pub after: [Pair; MEASURES],
    /// Shares touched by [`EDGES`].
    pub curves: [Vec<Option<f64>>; 2],
}

impl Against {
    /// On at [`SOON`].
    #[must_use]
    pub const fn soon(&self) -> &Pair {
        &self.after[AFTER.len() - 2]
    }
    /// Back from [`SOON`] to [`LATER`].
    #[must_use]
    pub const fn back(&self) -> &Pair {
        &self.after[BACK]
    }
}

/// All figures of some days.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// By control, in the order of [`NAMES`].
    pub against: [Against; CONTROLS],
    /// Log of the ratio of hazards of a doubling of dollars, among zones as far away.
    pub mass: Option<Figure>,
    /// Sigmas towards a zone while it lived untouched.
    pub drift: Option<Figure>,
    /// Sigmas towards it in the hour before its birth.
    pub before: Option<Figure>,
}

/// A figure of a run of the sums, runs of whole days drawn.
fn figure(
    days: &[Day],
    (from, to): (usize, usize),
    reps: usize,
    statistic: &dyn Fn(&[f64]) -> Option<f64>,
) -> Option<Figure> {
    let mut sums = vec![0.0; to - from];
    score::figure(days.len(), reps, &mut |drawn| {
        sums.fill(0.0);
        for day in &drawn.order {
            let own = &days[*day].sums[from..to];
            sums.iter_mut().zip(own).for_each(|(a, b)| *a += b);
        }
        statistic(&sums)
    })
}

/// Figures of days.
#[must_use]
pub fn weigh(days: &[Day], reps: usize) -> Weighed {
    let mut all = vec![0.0; ALL];
    for day in days {
        all.iter_mut().zip(&day.sums).for_each(|(a, b)| *a += b);
    }
    let pair = |run: (usize, usize), of: &dyn Fn(&[f64]) -> Option<[f64; 2]>| Pair {
        values: of(&all[run.0..run.1]),
        more: figure(days, run, reps, &|sums| of(sums).map(|[a, b]| a - b)),
    };
    let against = core::array::from_fn(|which| {
        let start = which * CONTROL;
        let run = (start, start + TIMES);
        let times = &all[run.0..run.1];
        let sum = |at: usize| times.chunks(PER_BIN).map(|bin| bin[at]).sum::<f64>();
        Against {
            pairs: sum(1) as usize,
            touches: [sum(4) as usize, (sum(3) - sum(4)) as usize],
            hazard: figure(days, run, reps, &hazard),
            by: BY.map(|minutes| pair(run, &|sums| by(sums, minutes))),
            waiting: pair(run, &waiting),
            after: core::array::from_fn(|k| {
                let at = start + TIMES + k * PER_MEASURE;
                pair((at, at + PER_MEASURE), &means)
            }),
            curves: touched(times),
        }
    });
    let alone = |at: usize| {
        figure(days, (at, at + 2), reps, &|sums| {
            (sums[0] > 0.0).then(|| sums[1] / sums[0])
        })
    };
    Weighed {
        against,
        mass: figure(days, (MASS, ALONE), reps, &hazard),
        drift: alone(ALONE),
        before: alone(ALONE + 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::score::Draws;
    use proptest::prelude::*;

    fn fate(minutes: i64, touched: bool) -> Fate {
        Fate {
            touched,
            watched: Nanos::new(minutes * Nanos::MINUTE.get()),
            ..Fate::default()
        }
    }

    fn row(day: i64, zone: Fate, control: Fate) -> Row {
        Row {
            day,
            zone,
            controls: [Some(control), None, None],
            stratum: 0,
            mass: 0.0,
            drift: None,
            before: None,
        }
    }

    #[test]
    fn bins_cover_a_day() {
        assert_eq!((EDGES[0], EDGES[BINS - 1]), (5, 1_440));
        assert!(EDGES.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(BY.iter().all(|by| EDGES.contains(by)));
        let of = |minutes: i64| bin(Nanos::new(minutes * Nanos::MINUTE.get()));
        assert_eq!(
            (of(0), of(5), of(6), of(1_440), of(1_441)),
            (None, Some(0), Some(1), Some(46), None)
        );
    }

    proptest! {
        /// Without anybody taken out the estimate is the plain share; with, it is the product done slowly.
        #[test]
        fn shares_are_those_of_the_book(
            times in proptest::collection::vec((1usize..47, any::<bool>()), 2..60),
        ) {
            let rows: Vec<Row> = times.iter().map(|(at, touched)| {
                row(0, fate(EDGES[*at], *touched), fate(EDGES[46], false))
            }).collect();
            let all = days(&rows);
            let [zone, control] = touched(&all[0].sums[..TIMES]);
            let mut free = 1.0;
            for (i, edge) in EDGES.iter().enumerate() {
                let risk = times.iter().filter(|(at, _)| EDGES[*at] >= *edge).count() as f64;
                let now = times.iter().filter(|(at, touched)| EDGES[*at] == *edge && *touched).count() as f64;
                if risk > 0.0 {
                    free *= 1.0 - now / risk;
                    prop_assert!((zone[i].unwrap() - (1.0 - free)).abs() < 1e-9);
                } else {
                    prop_assert_eq!(zone[i], None);
                }
                prop_assert!(control[i].unwrap().abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_ratio_of_hazards_is_that_of_the_generator() {
        let mut draws = Draws::new(4);
        let mut unit = || (draws.below(1 << 30) as f64 + 0.5) / f64::from(1 << 30);
        // Waiting times of an exponential, in hours; the zones' hazard is e^(.3) times the controls'.
        let mut wait = |rate: f64| {
            let minutes = -unit().ln() / rate * 60.0;
            fate((minutes.ceil() as i64).min(1_440), minutes < 1_440.0)
        };
        let rows: Vec<Row> = (0..6_000)
            .map(|i| row(i / 100, wait(0.1 * 0.3f64.exp()), wait(0.1)))
            .collect();
        let found = weigh(&days(&rows), 200);
        let hazard = found.against[0].hazard.unwrap();
        assert!((hazard.value - 0.3).abs() < 0.05, "{hazard:?}");
        assert!(hazard.low > 0.2 && hazard.high < 0.4 && hazard.none < 0.01);
        let share = found.against[0].by[1].values.unwrap();
        assert!(
            (share[1] - (1.0 - (-0.4f64).exp())).abs() < 0.03,
            "{share:?}"
        );
        assert!(found.against[0].waiting.more.unwrap().high < 0.0);
        assert_eq!(
            (found.against[0].pairs, found.against[1].hazard),
            (6_000, None)
        );
        // Cox, one step: hazards grow by a tenth with each doubling, in strata of very different hazards.
        let rows: Vec<Row> = (0..8_000)
            .map(|i| {
                let (stratum, mass) = (i % 5, (i % 7) as f64 - 3.0);
                let rate = 0.02 * (1 + 3 * stratum) as f64 * (0.1 * mass).exp();
                Row {
                    stratum,
                    mass,
                    ..row(i as i64 / 100, wait(rate), fate(1_440, false))
                }
            })
            .collect();
        let mass = weigh(&days(&rows), 200).mass.unwrap();
        assert!((mass.value - 0.1).abs() < 0.025, "{mass:?}");
    }

    #[test]
    fn days_of_two_symbols_add_up() {
        let of = |day: i64| days(&[row(day, fate(10, true), fate(20, false))]);
        let (a, b) = ([of(1), of(2)].concat(), [of(2), of(3)].concat());
        let both = joined(a.iter().chain(&b));
        assert_eq!(
            both.iter().map(|day| day.number).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        assert_eq!(
            both[1].sums.iter().sum::<f64>(),
            2.0 * both[0].sums.iter().sum::<f64>()
        );
        // What was not seen is not a number.
        let found = weigh(&both, 50);
        assert_eq!((found.drift, found.mass), (None, None));
        assert_eq!(found.against[0].soon().values, None);
    }
}
