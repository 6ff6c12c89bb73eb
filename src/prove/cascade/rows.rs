//! Rows: minutes and holders that are scored, which of them are events, and what was known before each.
//!
//! A minute's row stands on what was said and printed before it: the bar that makes an event is of the minutes before,
//! and so is what the rivals see. What comes after an event is used to score its end alone, and by later events once
//! its ten minutes are over. Minutes are numbers since the epoch.

use super::eye::{Minute, Said};
use super::{Counted, Least};
use crate::market::Holder;
use crate::prove::input::Input;
use crate::prove::score::quantile;
use crate::time::Nanos;
use std::collections::BTreeMap;

/// Minutes that rivals see, and that a lead is told for.
pub const PAST: usize = 30;
/// Minutes from one event to the next, and in which an event goes to its end.
pub const RUN: usize = 10;
/// Least prints of an event.
pub const FEW: u32 = 5;
/// A gain that feeds itself.
pub const FEEDS: f64 = 1.0;
/// Ends of events that a guess stands on.
const GUESSED: usize = 5;

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Prints that made it one.
    pub bar: u32,
    /// Minutes that a gain of [`FEEDS`] had stood; `None` = it did not stand.
    pub lead: Option<usize>,
    /// Errors of the published end and of the guess, sigmas; `None` where one of both is not known, or price did not
    /// come to the zone.
    pub errors: Option<[f64; 2]>,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Number of its minute.
    pub at: i64,
    /// Whose prints.
    pub holder: Holder,
    /// The gain of the path that was said before it.
    pub gain: f64,
    /// That of the nearest hot zone.
    pub zone: f64,
    /// Sigma of an hour.
    pub sigma: f64,
    /// Highest less lowest log price of [`PAST`] minutes.
    pub range: f64,
    /// The holder's prints of [`PAST`] minutes.
    pub recent: f64,
    /// Of the last of them.
    pub just: f64,
    /// It is an event.
    pub event: Option<Event>,
}

impl Scored {
    /// Begin of its minute.
    #[must_use]
    pub const fn start(&self) -> Nanos {
        Nanos::new(self.at * Nanos::MINUTE.get())
    }
    /// Number of its day.
    #[must_use]
    pub const fn day(&self) -> i64 {
        self.start().day()
    }
}

/// All rows of a symbol.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// In the order of time.
    pub scored: Vec<Scored>,
    /// Minutes, unknown gains and unseen prints; the rest is counted by `found`.
    pub counted: Counted,
}

/// How many of the past's minutes had so many prints.
#[derive(Default)]
struct Past {
    by: BTreeMap<u32, usize>,
    all: usize,
}

impl Past {
    fn add(&mut self, prints: u32) {
        *self.by.entry(prints).or_default() += 1;
        self.all += 1;
    }

    /// The least number of prints that makes an event.
    fn bar(&self, rare: usize) -> u32 {
        let mut left = (self.all * rare).div_ceil(100);
        for (prints, minutes) in &self.by {
            if *minutes >= left {
                return (*prints).max(FEW);
            }
            left -= minutes;
        }
        FEW
    }
}

/// Prints of each minute that was seen, by holder, and how many lie elsewhere.
fn printed(minutes: &[Minute], input: &Input) -> (Vec<[u32; 2]>, usize) {
    let (mut out, mut unseen) = (vec![[0; 2]; minutes.len()], 0);
    for print in input.sources.iter().flat_map(|source| &source.prints) {
        let at = print.at.get().div_euclid(Nanos::MINUTE.get());
        match minutes.binary_search_by_key(&at, |minute| minute.at) {
            Ok(found) => out[found][print.holder as usize] += 1,
            Err(_) => unseen += 1,
        }
    }
    (out, unseen)
}

/// Minutes that a gain of one and more had stood before minute `i`, unbroken.
fn lead(minutes: &[Minute], i: usize, holder: Holder) -> Option<usize> {
    let stands = |minute: &Minute| {
        let said = minute.said.and_then(|said| said.gain[holder as usize]);
        said.is_some_and(|gain| gain >= FEEDS)
    };
    let before = minutes[i - PAST..=i].iter().rev();
    before
        .take_while(|minute| stands(minute))
        .count()
        .checked_sub(1)
}

/// How far price went against a holder in the minutes of an event, sigmas.
fn extreme(minutes: &[Minute], i: usize, holder: Holder, said: &Said) -> Option<f64> {
    let way = minutes.get(i..i + RUN)?;
    if way.last()?.at != minutes[i].at + RUN as i64 - 1 {
        return None;
    }
    let far = match holder {
        Holder::Short => way.iter().map(|m| m.high).fold(f64::MIN, f64::max) - said.mark,
        Holder::Long => said.mark - way.iter().map(|m| m.low).fold(f64::MAX, f64::min),
    };
    said.sigma.map(|sigma| far / sigma)
}

/// The rows of a symbol; none before as many minutes were seen as are asked for.
#[must_use]
pub fn rows(minutes: &[Minute], input: &Input, least: &Least) -> Rows {
    let (prints, unseen) = printed(minutes, input);
    let mut out = Rows::default();
    (out.counted.minutes, out.counted.unseen) = (minutes.len(), unseen);
    let mut past = [Past::default(), Past::default()];
    let mut last = [i64::MIN / 2; 2];
    // How far price went on behind a zone's near edge in events, with the minute from which on that is known.
    let mut ends: Vec<(i64, f64)> = Vec::new();
    for (i, minute) in minutes.iter().enumerate() {
        for holder in Holder::BOTH {
            let side = holder as usize;
            let (bar, own) = (past[side].bar(least.rare), prints[i][side]);
            past[side].add(own);
            let rests = minute.at - last[side] >= RUN as i64;
            let is_event = own >= bar;
            if is_event {
                last[side] = minute.at;
            }
            let is_whole =
                i >= PAST.max(least.warm) && minutes[i - PAST].at == minute.at - PAST as i64;
            if !rests || !is_whole {
                continue;
            }
            let said = minute.said;
            let said = said.and_then(|s| Some((s, s.gain[side]?, s.zone[side]?, s.sigma?)));
            let Some((said, gain, zone, sigma)) = said else {
                out.counted.unknown += 1;
                out.counted.unknown_events += usize::from(is_event);
                continue;
            };
            let before = &minutes[i - PAST..i];
            let high = before.iter().map(|m| m.high).fold(f64::MIN, f64::max);
            let low = before.iter().map(|m| m.low).fold(f64::MAX, f64::min);
            let recent: u32 = prints[i - PAST..i].iter().map(|own| own[side]).sum();
            let event = is_event.then(|| {
                let known = ends.iter().filter(|(from, _)| *from <= minute.at);
                let known: Vec<f64> = known.map(|(_, far)| *far).collect();
                let guess = quantile(&known, 0.5).filter(|_| known.len() >= GUESSED);
                let went = extreme(minutes, i, holder, &said);
                let way = |to: f64| holder.hurts() as f64 * (to - said.mark) / sigma;
                // All three in sigmas behind the near edge; nothing was said of a zone that price did not come to.
                let behind = went.zip(said.end[side]).and_then(|(went, [edge, end])| {
                    let edge = way(edge).max(0.0);
                    (went >= edge).then(|| (went - edge, way(end) - edge))
                });
                if let Some((went, _)) = behind {
                    ends.push((minute.at + RUN as i64, went));
                }
                let errors = behind.zip(guess);
                Event {
                    bar,
                    lead: lead(minutes, i, holder),
                    errors: errors
                        .map(|((went, end), guess)| [end - went, guess - went].map(f64::abs)),
                }
            });
            out.scored.push(Scored {
                at: minute.at,
                holder,
                gain,
                zone,
                sigma,
                range: high - low,
                recent: f64::from(recent),
                just: f64::from(prints[i - 1][side]),
                event,
            });
        }
    }
    out
}
