//! Judge: how good the forecasts of one horizon are, and how much better ours than each rival's.
//!
//! Scores are of ln(1 + dollars / unit) and of the distribution that a model gives it. CRPS is that of the members;
//! *tail* is the same of everything above the *event*, a holder's 95 % quantile of the rows before the fold
//! (threshold-weighted CRPS). Brier is of the chance of the event; the skill is over the model that always says the
//! mean. AUC ranks rows by how far the number lies above the event. *Under* is the share of rows that lay under a
//! quantile, a row on an atom of the distribution counting in proportion: 50, 80 and 95 % is right whatever the share
//! of nothing is.
//!
//! Intervals draw runs of whole days. The Diebold–Mariano statistic is of the daily means of the difference in CRPS.

use super::models::{self, ADDED, COUNT, NOTHING, PAIRS, Said};
use super::{LEAST_DAYS, Row};
use crate::market::Holder;
use crate::prove::ProveError;
use crate::prove::days::Days;
use crate::prove::gate;
use crate::prove::order::Order;
use crate::prove::score::{self, Figure};
use crate::time::Nanos;

/// What is far enough to be an event: this quantile of the past.
const EVENT: f64 = 0.95;
/// Quantiles whose coverage is told.
pub const UNDER: [f64; 3] = [0.5, 0.8, 0.95];

/// Sums of one day and model: CRPS, tail, Brier, rows under each quantile, rows.
type Sums = [f64; 7];
const CRPS: usize = 0;
const TAIL: usize = 1;
const BRIER: usize = 2;
const FIRST_UNDER: usize = 3;
const ROWS: usize = 6;

/// One model's scores.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its name.
    pub name: &'static str,
    /// Mean CRPS.
    pub crps: Option<Figure>,
    /// Mean CRPS above the event.
    pub tail: Option<Figure>,
    /// Mean Brier score of the event.
    pub brier: Option<Figure>,
    /// One less its Brier score over that of always the mean.
    pub skill: Option<Figure>,
    /// Chance that it ranks a row with an event above one without.
    pub auc: Option<Figure>,
    /// Share of the rows under its quantiles [`UNDER`].
    pub under: [Option<Figure>; 3],
}

/// One model less another.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The one.
    pub name: &'static str,
    /// The other.
    pub than: &'static str,
    /// Difference in CRPS; below 0 the one is better.
    pub crps: Option<Figure>,
    /// Difference in the tail; below 0 the one is better.
    pub tail: Option<Figure>,
    /// Difference in the Brier score; below 0 the one is better.
    pub brier: Option<Figure>,
    /// Difference in AUC; above 0 the one is better.
    pub auc: Option<Figure>,
    /// Diebold–Mariano statistic of the CRPS; below 0 the one is better.
    pub statistic: Option<f64>,
    /// Where it is asked what the map adds: share of the draws in which the CRPS is not better.
    pub chance: Option<f64>,
    /// Whether what the map adds holds beside all else that it is said to add ([`together`]).
    pub holds: Option<bool>,
}

/// Judges what the map adds, of all symbols, horizons and models at once (Holm); the other differences stand alone.
/// Says how many there are.
pub fn together<'a>(horizons: impl Iterator<Item = &'a mut Horizon>) -> usize {
    let pairs = horizons.flat_map(|of| &mut of.pairs);
    let mut asked: Vec<&mut Pair> = pairs.filter(|pair| pair.chance.is_some()).collect();
    let chances: Vec<f64> = asked.iter().filter_map(|pair| pair.chance).collect();
    let holds = score::holm(&chances, gate::LEVEL);
    for (pair, holds) in asked.iter_mut().zip(holds) {
        pair.holds = Some(holds);
    }
    asked.len()
}

/// One horizon.
#[derive(Debug, Clone)]
pub struct Horizon {
    /// Its length.
    pub length: Nanos,
    /// First and last moment scored.
    pub span: (Nanos, Nanos),
    /// Rows scored.
    pub rows: usize,
    /// Days scored.
    pub days: usize,
    /// Folds scored.
    pub folds: usize,
    /// Rows with an event.
    pub events: usize,
    /// Share of rows in which nothing was liquidated.
    pub empty: f64,
    /// By model.
    pub lines: Vec<Line>,
    /// Ours less its rivals, and what the map adds.
    pub pairs: Vec<Pair>,
}

/// CRPS of a distribution given by its members, ascending.
#[must_use]
pub fn crps(members: &[f64], was: f64) -> f64 {
    let n = members.len() as f64;
    let (mut off, mut spread) = (0.0, 0.0);
    for (i, member) in members.iter().enumerate() {
        off += (member - was).abs();
        spread += (2.0 * i as f64 + 1.0 - n) * member;
    }
    off / n - spread / (n * n)
}

/// The same above a threshold only.
fn crps_above(members: &[f64], was: f64, threshold: f64) -> f64 {
    let above: Vec<f64> = members.iter().map(|m| m.max(threshold)).collect();
    crps(&above, was.max(threshold))
}

/// How far a row lay under a quantile, 0 to 1: between the ranks that the row could have among the members.
fn under(members: &[f64], was: f64, quantile: f64) -> f64 {
    let all = members.len() as f64 + 1.0;
    let below = members.partition_point(|m| *m < was) as f64 / all;
    let upto = (members.partition_point(|m| *m <= was) as f64 + 1.0) / all;
    ((quantile - below) / (upto - below)).clamp(0.0, 1.0)
}

/// What is an event, by fold and holder, as a logarithm: of the rows before the fold.
fn events(rows: &[Row], said: &Said) -> Vec<(usize, [f64; 2])> {
    let of = |from: &usize| {
        let quantile = |holder: Holder| {
            let past = rows[..*from].iter().filter(|row| row.holder == holder);
            let own: Vec<f64> = past.map(Row::log).collect();
            score::quantile(&own, EVENT).unwrap_or(f64::INFINITY)
        };
        (*from, Holder::BOTH.map(quantile))
    };
    said.ends
        .iter()
        .take(said.ends.len().saturating_sub(1))
        .map(of)
        .collect()
}

/// Scored rows by day.
struct Bench<'a> {
    rows: &'a [Row],
    first: usize,
    days: Days,
    /// By scored row, what is an event of it as a logarithm.
    events: Vec<f64>,
    reps: usize,
}

/// What a model did, day by day.
struct Tally {
    sums: Vec<Sums>,
    /// Rows by how far the model's number lies above what is an event.
    order: Order,
}

impl Bench<'_> {
    fn is_event(&self, at: usize) -> bool {
        self.rows[self.first + at].log() > self.events[at]
    }

    fn tally(&self, model: usize, said: &Said) -> Tally {
        let mut sums = vec![[0.0; ROWS + 1]; self.days.count];
        said.likely(model, self.rows, &mut |row, likely| {
            let at = row - self.first;
            let (day, event) = (self.days.of[at], self.events[at]);
            let was = self.rows[row].log();
            let chance = likely.iter().filter(|m| **m > event).count() as f64 / likely.len() as f64;
            let came = f64::from(was > event);
            let mut more = [0.0; ROWS + 1];
            more[CRPS] = crps(likely, was);
            more[TAIL] = crps_above(likely, was, event);
            more[BRIER] = (chance - came).powi(2);
            for (k, quantile) in UNDER.into_iter().enumerate() {
                more[FIRST_UNDER + k] = under(likely, was, quantile);
            }
            more[ROWS] = 1.0;
            sums[day]
                .iter_mut()
                .zip(more)
                .for_each(|(sum, more)| *sum += more);
        });
        Tally {
            sums,
            order: Order::new(&self.days.of, &|at| {
                let above = said.number(model, self.first + at) - self.events[at];
                (above, self.is_event(at))
            }),
        }
    }

    /// Mean of a score over the rows of the days drawn, of one model less another.
    fn mean(&self, of: &Tally, less: Option<&Tally>, at: usize) -> Option<Figure> {
        score::figure(self.days.count, self.reps, &mut |drawn| {
            let sum = |tally: &Tally, at: usize| -> f64 {
                drawn.order.iter().map(|day| tally.sums[*day][at]).sum()
            };
            let rows = sum(of, ROWS);
            (rows > 0.0).then(|| (sum(of, at) - less.map_or(0.0, |less| sum(less, at))) / rows)
        })
    }

    fn skill(&self, of: &Tally, over: &Tally) -> Option<Figure> {
        score::figure(self.days.count, self.reps, &mut |drawn| {
            let sum = |tally: &Tally| -> f64 {
                drawn.order.iter().map(|day| tally.sums[*day][BRIER]).sum()
            };
            let base = sum(over);
            (base > 0.0).then(|| 1.0 - sum(of) / base)
        })
    }

    /// AUC over the days drawn, of one model less another.
    fn auc(&self, of: &Tally, less: Option<&Tally>) -> Option<Figure> {
        score::figure(self.days.count, self.reps, &mut |drawn| {
            let own = of.order.above(&drawn.times)?;
            let other = less.map_or(Some(0.0), |less| less.order.above(&drawn.times))?;
            Some(own - other)
        })
    }

    fn line(&self, model: usize, all: &[Tally]) -> Line {
        let own = &all[model];
        Line {
            name: models::name(model),
            crps: self.mean(own, None, CRPS),
            tail: self.mean(own, None, TAIL),
            brier: self.mean(own, None, BRIER),
            skill: self.skill(own, &all[NOTHING]),
            auc: self.auc(own, None),
            under: core::array::from_fn(|k| self.mean(own, None, FIRST_UNDER + k)),
        }
    }

    fn pair(&self, (one, other): (usize, usize), all: &[Tally]) -> Pair {
        let (of, less) = (&all[one], Some(&all[other]));
        let daily = |(a, b): (&Sums, &Sums)| (a[CRPS] - b[CRPS]) / a[ROWS].max(1.0);
        let daily: Vec<f64> = of.sums.iter().zip(&all[other].sums).map(daily).collect();
        Pair {
            name: models::name(one),
            than: models::name(other),
            crps: self.mean(of, less, CRPS),
            tail: self.mean(of, less, TAIL),
            brier: self.mean(of, less, BRIER),
            auc: self.auc(of, less),
            statistic: score::diebold_mariano(&daily),
            // The other less the one: a draw without any difference speaks against the one.
            chance: ADDED
                .contains(&(one, other))
                .then(|| self.mean(&all[other], Some(of), CRPS))
                .map(|worse| worse.map_or(1.0, |figure| figure.none)),
            holds: None,
        }
    }
}

/// Scores one horizon; or why it cannot be.
///
/// # Errors
/// Rows that the trees cannot use.
pub fn judge(
    length: Nanos,
    rows: &[Row],
    reps: usize,
) -> Result<Result<Horizon, String>, ProveError> {
    let days_of = |rows: &[Row]| Days::new(rows.iter().map(Row::day));
    let Some(first) = models::first(rows) else {
        return Ok(Err(format!(
            "{} days are too few to teach and to score",
            days_of(rows).count
        )));
    };
    let scored = &rows[first..];
    let days = days_of(scored);
    if days.count < LEAST_DAYS {
        let why = format!(
            "{} days would be scored; at least {LEAST_DAYS} are needed",
            days.count
        );
        return Ok(Err(why));
    }
    let said = Said::new(rows)?;
    let events = events(rows, &said);
    let of = |(at, row): (usize, &Row)| {
        let fold = events.partition_point(|(from, _)| *from <= first + at);
        events[fold.saturating_sub(1)].1[row.holder as usize]
    };
    let bench = Bench {
        rows,
        first,
        events: scored.iter().enumerate().map(of).collect(),
        days,
        reps,
    };
    let all: Vec<Tally> = (0..COUNT).map(|model| bench.tally(model, &said)).collect();
    let (Some(begin), Some(end)) = (scored.first(), scored.last()) else {
        return Ok(Err("there is nothing to score".to_owned()));
    };
    Ok(Ok(Horizon {
        length,
        span: (begin.start, end.end),
        rows: scored.len(),
        days: bench.days.count,
        folds: said.ends.iter().filter(|end| **end >= first).count() - 1,
        events: (0..scored.len()).filter(|at| bench.is_event(*at)).count(),
        empty: scored.iter().filter(|row| row.usd <= 0.0).count() as f64 / scored.len() as f64,
        lines: (0..COUNT).map(|model| bench.line(model, &all)).collect(),
        pairs: PAIRS.iter().map(|pair| bench.pair(*pair, &all)).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the definition: E|X − y| − E|X − X'| / 2.
    fn by_pairs(members: &[f64], was: f64) -> f64 {
        let n = members.len() as f64;
        let off: f64 = members.iter().map(|m| (m - was).abs()).sum();
        let apart = |m: &f64| members.iter().map(|o| (m - o).abs()).sum::<f64>();
        off / n - members.iter().map(apart).sum::<f64>() / (2.0 * n * n)
    }

    proptest! {
        #[test]
        fn a_distribution_is_scored_by_the_definition(
            mut members in proptest::collection::vec(0.0f64..9.0, 1..40),
            was in 0.0f64..12.0,
            threshold in 0.0f64..9.0,
        ) {
            members.sort_by(f64::total_cmp);
            let found = crps(&members, was);
            prop_assert!((found - by_pairs(&members, was)).abs() < 1e-9);
            let above = crps_above(&members, was, threshold);
            prop_assert!(above >= -1e-9 && above <= found + 1e-9);
            prop_assert!((crps_above(&members, was, 0.0) - found).abs() < 1e-9);
            prop_assert_eq!(crps_above(&members, was, 20.0), 0.0);
        }

        /// Each of some numbers, ties among them, against the others: exactly the quantile's share lies under it.
        #[test]
        fn ranks_among_equals_cover_what_they_should(
            numbers in proptest::collection::vec(0u8..6, 2..30),
            quantile in 0.01f64..0.99,
        ) {
            let all: Vec<f64> = numbers.iter().map(|n| f64::from(*n)).collect();
            let one = |i: usize| {
                let mut others = all.clone();
                let was = others.remove(i);
                others.sort_by(f64::total_cmp);
                under(&others, was, quantile)
            };
            let share = (0..all.len()).map(one).sum::<f64>() / all.len() as f64;
            prop_assert!((share - quantile).abs() < 1e-9, "{} {}", share, quantile);
        }
    }

    #[test]
    fn known_scores() {
        assert_eq!(crps(&[2.0], 5.0), 3.0);
        assert_eq!(crps(&[0.0, 1.0], 0.0), 0.25);
        assert_eq!(under(&[1.0, 2.0, 3.0], 9.0, 0.5), 0.0);
        assert_eq!(under(&[1.0, 2.0, 3.0], 0.0, 0.5), 1.0);
    }
}
