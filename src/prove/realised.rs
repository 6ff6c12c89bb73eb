//! Realised: what was liquidated, summed from prints over periods of one length.
//!
//! A period is laid only where somebody listened: from the first live trade, mark or print of a source that prints, and
//! never over a hole, which is [`HOLE`] without any of them, nor where one of them may have lost prints. A period that
//! lies over an end of what was heard is left out, but for the last minute of it, which counts as whole. Nothing
//! outside is a zero; it is not there. Dollars are `f64`, times Unix nanoseconds, and what is allocated grows with what
//! was heard, not with the time between stamps.

use super::input::{Input, Period, Source};
use crate::time::Nanos;

/// Minutes without a sign of life that are a hole.
const HOLE: i64 = 10;

/// Sources that print.
#[must_use]
pub fn printing(input: &Input) -> Vec<&Source> {
    let all = input.sources.iter();
    all.filter(|source| !source.prints.is_empty()).collect()
}

/// Stretches in which any of the sources was heard live: minutes since the epoch, the end not in it.
fn heard(sources: &[&Source]) -> Vec<(i64, i64)> {
    let mut minutes: Vec<i64> = Vec::new();
    for source in sources {
        let trades = source.trades.iter().map(|trade| trade.at);
        let marks = source.marks.iter().map(|(at, _)| *at);
        let prints = source.prints.iter().map(|print| print.at);
        for at in trades.chain(marks).chain(prints) {
            let minute = at.get().div_euclid(Nanos::MINUTE.get());
            if minutes.last() != Some(&minute) {
                minutes.push(minute);
            }
        }
    }
    minutes.sort_unstable();
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for minute in minutes {
        match stretches.last_mut() {
            Some((_, end)) if minute - *end < HOLE => *end = minute + 1,
            _ => stretches.push((minute, minute + 1)),
        }
    }
    stretches
}

/// Prints of some sources, summed over periods so long.
#[must_use]
pub fn summed(sources: &[&Source], step: Nanos) -> Vec<Period> {
    let (step, minute) = (step.get().max(1), Nanos::MINUTE.get());
    let mut periods: Vec<Period> = Vec::new();
    for (first, end) in heard(sources) {
        // What began before anybody listened is not whole.
        let mut start = (first * minute).div_euclid(step) * step + step;
        while start + step <= end * minute {
            let (from, to) = (Nanos::new(start), Nanos::new(start + step));
            if !sources.iter().any(|source| source.has_lost(from, to)) {
                periods.push(Period {
                    start: from,
                    end: to,
                    usd: [0.0; 2],
                });
            }
            start += step;
        }
    }
    for print in sources.iter().flat_map(|source| &source.prints) {
        let next = periods.partition_point(|period| period.start <= print.at);
        let own = next.checked_sub(1).and_then(|at| periods.get_mut(at));
        if let Some(period) = own.filter(|period| print.at < period.end) {
            period.usd[print.holder as usize] += print.usd();
        }
    }
    periods
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Holder;
    use crate::num::{Px, Qty};
    use crate::prove::input::Told;
    use proptest::prelude::*;

    fn source(stamps: &[(i64, bool)]) -> Source {
        let mut source = Source::default();
        for (second, is_print) in stamps {
            let (at, price) = (Nanos::seconds(*second), Px::whole(50_000));
            if *is_print {
                source.prints.push(Told {
                    at,
                    holder: Holder::Short,
                    price,
                    qty: Qty::whole(1),
                });
            } else {
                source.marks.push((at, price));
            }
        }
        source
    }

    proptest! {
        /// Without a hole, periods lie one behind the other from the first whole one to the last minute, and hold what
        /// was printed within; with holes, none of them lies over one and none beside one is lost.
        #[test]
        fn periods_are_laid_where_somebody_listened(
            gaps in proptest::collection::vec((1i64..1_500, any::<bool>()), 2..80),
            step in prop_oneof![Just(1i64), Just(5), Just(60)],
            from in 0i64..100_000,
        ) {
            let mut at = from;
            let stamps: Vec<(i64, bool)> = gaps.iter().map(|(gap, is)| { at += gap; (at, *is) }).collect();
            let own = source(&stamps);
            let found = summed(&[&own], Nanos::new(step * Nanos::MINUTE.get()));
            let minutes: Vec<i64> = stamps.iter().map(|(at, _)| at / 60).collect();
            // By the definition: each of its minutes, and the one before, lay in no hole.
            let last = *minutes.last().unwrap();
            let was_heard = |minute: i64| {
                let before = minutes.iter().filter(|m| **m <= minute).max();
                let after = minutes.iter().filter(|m| **m >= minute).min();
                before.zip(after).is_some_and(|(b, a)| a - b <= HOLE)
            };
            let is_whole = |begin: i64| (begin - 1..begin + step).all(was_heard);
            let starts = (minutes[0] / step..=last / step).map(|i| i * step);
            let want: Vec<i64> = starts.filter(|begin| is_whole(*begin)).collect();
            let got: Vec<i64> = found.iter().map(|p| p.start.get() / Nanos::MINUTE.get()).collect();
            prop_assert_eq!(&got, &want);
            for (period, begin) in found.iter().zip(want) {
                let within = stamps.iter().filter(|(at, is)| *is && (begin..begin + step).contains(&(at / 60)));
                prop_assert_eq!(period.usd, [0.0, 50_000.0 * within.count() as f64]);
            }
        }
    }

    #[test]
    fn nothing_is_summed_from_a_loss_to_the_next_print() {
        let mut own = source(&[
            (0, true),
            (60, false),
            (300, true),
            (360, false),
            (600, true),
            (659, false),
        ]);
        own.losses = vec![Nanos::seconds(130), Nanos::seconds(420)];
        let starts = |own: &Source| -> Vec<i64> {
            let found = summed(&[own], Nanos::MINUTE);
            found
                .iter()
                .map(|p| p.start.get() / Nanos::MINUTE.get())
                .collect()
        };
        assert_eq!(starts(&own), [1, 5, 6, 10]);
        // Nothing was printed any more.
        own.prints.pop();
        own.losses.push(Nanos::seconds(640));
        assert_eq!(starts(&own), [1, 5, 6]);
    }

    #[test]
    fn what_does_not_print_says_nothing_of_listening() {
        let mute = source(&[(0, false), (60, false), (120, false)]);
        let input = Input {
            sources: vec![mute, source(&[(600, true), (700, false), (800, false)])],
            ..Input::default()
        };
        let found = summed(&printing(&input), Nanos::MINUTE);
        let starts: Vec<i64> = found
            .iter()
            .map(|p| p.start.get() / Nanos::MINUTE.get())
            .collect();
        assert_eq!(starts, [11, 12, 13]);
        assert!(summed(&[], Nanos::MINUTE).is_empty());
    }
}
