//! Cascade: whether the engine's gain tells that forced closures are about to run, how long before, and whether they
//! end where it says (heatmap.md 4.7).
//!
//! The tape is replayed through the engine ([`eye`]); what its page said last before a minute is held against what was
//! printed in that minute ([`rows`]). An *event* is a minute in which one holder's prints reach the past's 99th
//! percentile of that holder's minutes, five at least; minutes less than ten minutes behind such a minute are no rows,
//! so that an event is the first of its run. A row is a minute and a holder, after half an hour that was seen whole.
//!
//! - *Area* under precision and recall of the published gain of the path, against [`RIVALS`]. A constant has the share
//!   of events as its area.
//! - *Lead*: how long a gain of one and more had stood unbroken when the event's minute began, at most half an hour.
//! - *End*: the published end, which speaks of the nearest zone if it goes, against the extreme of ten minutes from the
//!   event's begin, in the engine's sigmas of an hour: of events in which price came to that zone. The guess, by sigma
//!   alone, is as far behind the zone's near edge as price went in the median of such events before.
//!
//! Nothing here is fitted and nothing of it enters the gate. A side without a hot zone has a zone's gain of nothing; a
//! minute at which a gain or sigma is not known, or that no book stands behind, is no row. Lengths in minutes, log
//! prices and dollars `f64`.

pub mod eye;
pub mod report;
pub mod rows;

use super::days::Days;
use super::gate;
use super::input::Input;
use super::order::{Order, Ranked};
use super::realised;
use super::score::{self, Figure};
use crate::time::Nanos;
use eye::Minute;
use rows::{Rows, Scored};

/// What the gain is held against, in the order of [`Found::ranked`].
pub const RIVALS: [&str; 5] = [
    "sigma of an hour",
    "range of 30 min",
    "own prints of 30 min",
    "own prints of the minute before",
    "gain of the nearest zone",
];

/// How much is needed; a proof takes [`LEAST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Least {
    /// Days with events.
    pub days: usize,
    /// Events.
    pub events: usize,
    /// Minutes that were seen before the first row.
    pub warm: usize,
    /// Percent of the past's minutes that an event's is not below.
    pub rare: usize,
}

/// What a proof asks for.
pub const LEAST: Least = Least {
    days: gate::LEAST_BLOCKS,
    events: 30,
    warm: 24 * 60,
    rare: 99,
};

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Minutes that were seen.
    pub minutes: usize,
    /// Minutes and holders that were scored.
    pub rows: usize,
    /// Of these, events.
    pub events: usize,
    /// Days scored.
    pub days: usize,
    /// Days with events.
    pub event_days: usize,
    /// Minutes and holders that would have been rows, but the gain was not known.
    pub unknown: usize,
    /// Of these, events.
    pub unknown_events: usize,
    /// Events that a gain of one and more stood before.
    pub warned: usize,
    /// Of these, for half an hour or longer.
    pub censored: usize,
    /// Events that came to the zone, with a published end, a whole path behind them, and enough of the kind before.
    pub ends: usize,
    /// Prints in minutes that were not seen.
    pub unseen: usize,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// First and last row.
    pub span: (Nanos, Nanos),
    /// Rows and events.
    pub counted: Counted,
    /// Least and most prints a minute that made an event.
    pub bar: (u32, u32),
    /// Share of rows that are events: what a constant reaches.
    pub base: Option<Figure>,
    /// Area under precision and recall: of the gain, and of [`RIVALS`].
    pub ranked: Ranked<{ RIVALS.len() }>,
    /// Share of events at whose begin the gain was one or more.
    pub warned: Option<Figure>,
    /// Share of the other rows of which that is so.
    pub alarmed: Option<Figure>,
    /// The first less the second.
    pub told: Option<Figure>,
    /// Median minutes it had stood, of those that were warned of; `None` where they lie on too few days.
    pub lead: Option<Figure>,
    /// Median error of the published end and of the guess, sigmas; `None` of too few.
    pub missed: [Option<Figure>; 2],
    /// The guess's less the end's; above 0 speaks for the end.
    pub nearer: Option<Figure>,
}

fn less(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.zip(b).map(|(a, b)| a - b)
}

/// Median of values, each as often as its day was drawn.
fn median(of: &[(usize, f64)], weight: &[f64]) -> Option<f64> {
    let times = |day: usize| core::iter::repeat_n((), weight[day] as usize);
    let all: Vec<f64> = of
        .iter()
        .flat_map(|(day, value)| times(*day).map(|()| *value))
        .collect();
    score::quantile(&all, 0.5)
}

/// Figures of rows.
///
/// # Errors
/// Why nothing can be measured.
pub fn found(rows: &Rows, least: &Least, reps: usize) -> Result<Found, String> {
    let of = &rows.scored;
    let days = Days::new(of.iter().map(Scored::day));
    let events: Vec<(usize, &Scored, &rows::Event)> = of
        .iter()
        .zip(&days.of)
        .filter_map(|(row, day)| row.event.as_ref().map(|event| (*day, row, event)))
        .collect();
    let mut event_days: Vec<usize> = events.iter().map(|(day, _, _)| *day).collect();
    event_days.dedup();
    let mut counted = Counted {
        rows: of.len(),
        events: events.len(),
        days: days.count,
        event_days: event_days.len(),
        ..rows.counted
    };
    if events.len() < least.events || event_days.len() < least.days {
        return Err(format!(
            "{} events on {} days ({} minutes seen, {} rows, {} events with a gain that is not known); {} events on \
             {} days are needed",
            events.len(),
            event_days.len(),
            counted.minutes,
            of.len(),
            counted.unknown_events,
            least.events,
            least.days
        ));
    }
    let figure = |statistic: &dyn Fn(&[f64]) -> Option<f64>| {
        score::figure(days.count, reps, &mut |drawn| statistic(&drawn.times))
    };
    let order = |score: fn(&Scored) -> f64| {
        Order::new(&days.of, &|at| (score(&of[at]), of[at].event.is_some()))
    };
    let rivals = [
        |row: &Scored| row.sigma,
        |row: &Scored| row.range,
        |row: &Scored| row.recent,
        |row: &Scored| row.just,
        |row: &Scored| row.zone,
    ];
    let sums = days.sums(&|at| {
        let feeds = f64::from(of[at].gain >= rows::FEEDS);
        match of[at].event {
            Some(_) => [feeds, 1.0, 0.0, 0.0],
            None => [0.0, 0.0, feeds, 1.0],
        }
    });
    let [base, warned, alarmed, told] = days.of_sums(reps, &sums, |[a, events, b, others]| {
        let share = |part: f64, all: f64| (all > 0.0).then(|| part / all);
        let (warned, alarmed) = (share(*a, *events), share(*b, *others));
        let base = share(*events, events + others);
        [base, warned, alarmed, less(warned, alarmed)]
    });
    let leads: Vec<(usize, f64)> = events
        .iter()
        .filter_map(|(day, _, event)| Some((*day, event.lead? as f64)))
        .collect();
    counted.warned = leads.len();
    counted.censored = leads.iter().filter(|l| l.1 >= rows::PAST as f64).count();
    let errors: Vec<(usize, [f64; 2])> = events
        .iter()
        .filter_map(|(day, _, event)| Some((*day, event.errors?)))
        .collect();
    counted.ends = errors.len();
    let missed = [0, 1].map(|at| -> Vec<(usize, f64)> {
        errors
            .iter()
            .map(|(day, error)| (*day, error[at]))
            .collect()
    });
    // A median of a few days is none.
    let on = |days: &mut dyn Iterator<Item = usize>| {
        let mut days: Vec<usize> = days.collect();
        days.dedup();
        days.len() >= least.days
    };
    let has_lead = on(&mut leads.iter().map(|lead| lead.0));
    let has_ends = counted.ends >= least.events && on(&mut errors.iter().map(|error| error.0));
    let bars = events.iter().map(|(_, _, event)| event.bar);
    let at = |row: Option<&Scored>| row.map_or(Nanos::ZERO, Scored::start);
    Ok(Found {
        span: (at(of.first()), at(of.last())),
        bar: (bars.clone().min().unwrap_or(0), bars.max().unwrap_or(0)),
        base,
        ranked: Ranked::new(
            &order(|row| row.gain),
            &rivals.map(order),
            Order::precision,
            (days.count, reps),
        ),
        warned,
        alarmed,
        told,
        lead: has_lead.then(|| figure(&|w| median(&leads, w))).flatten(),
        missed: [0, 1].map(|at| {
            has_ends
                .then(|| figure(&|w| median(&missed[at], w)))
                .flatten()
        }),
        nearer: has_ends
            .then(|| figure(&|w| less(median(&missed[1], w), median(&missed[0], w))))
            .flatten(),
        counted,
    })
}

/// The test of a symbol, from what its page said minute by minute when its tapes were replayed.
///
/// # Errors
/// Why nothing can be measured.
pub fn of(input: &Input, seen: &[Minute], least: &Least, reps: usize) -> Result<Found, String> {
    if input.sources.iter().all(|source| source.prints.is_empty()) {
        return Err("no prints".to_owned());
    }
    if !input.has_book() {
        return Err("no book".to_owned());
    }
    // A minute in which prints may have been lost is as one that nobody saw.
    let sources = realised::printing(input);
    let is_whole = |minute: &&Minute| {
        let [from, to] = [minute.at, minute.at + 1].map(|at| Nanos::new(at * Nanos::MINUTE.get()));
        !sources.iter().any(|source| source.has_lost(from, to))
    };
    let minutes: Vec<Minute> = seen.iter().filter(is_whole).copied().collect();
    found(&rows::rows(&minutes, input, least), least, reps)
}

#[cfg(test)]
mod tests;
