//! Price: the path that levels are looked at on, step by step, and what is known of it at each step.
//!
//! A step is a bar that was told, or one second of marks (of trades where none are told). Logarithms of the price,
//! dollars of volume. The sigma of a step is of one hour, from what had happened by its end: root mean square of moves
//! of five minutes (of a bar, where bars are longer) over a day; it is not known before half a day of them was seen.

use crate::num::{Px, Qty};
use crate::prove::input::Source;
use crate::prove::path::ln;
use crate::time::Nanos;

/// Moves are taken over this, or over a step that is longer.
const MOVE: i64 = 5 * Nanos::MINUTE.get();
/// A path with a hole this long, or of so many steps, is not followed over it.
const HOLE: i64 = 10 * Nanos::MINUTE.get();
const HOLE_STEPS: i64 = 10;
/// Steps of which the extremes are kept together.
const BLOCK: usize = 64;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Its begin.
    pub start: Nanos,
    /// Its end: what it says is known from here on.
    pub end: Nanos,
    /// First log price.
    pub open: f64,
    /// Highest.
    pub high: f64,
    /// Lowest.
    pub low: f64,
    /// Last.
    pub close: f64,
    /// Dollars traded.
    pub usd: f64,
}

impl Step {
    fn of(start: Nanos, end: Nanos, price: f64) -> Self {
        Self {
            start,
            end,
            open: price,
            high: price,
            low: price,
            close: price,
            usd: 0.0,
        }
    }
}

/// The path of a symbol at one venue.
#[derive(Debug, Clone, Default)]
pub struct Path {
    /// Steps in the order of time.
    pub steps: Vec<Step>,
    /// Length of the most of them.
    pub length: Nanos,
    /// Sigma of an hour as of the end of each step; 0 = not known.
    pub sigma: Vec<f64>,
    /// By step: the sigma that the next hour is expected to have, from moves with a half-life of an hour, as the engine
    /// expects it; 0 where `sigma` is.
    pub expected: Vec<f64>,
    /// Highest and lowest of [`BLOCK`] steps.
    blocks: Vec<(f64, f64)>,
    /// Dollars traded until the begin of each step, and of all.
    traded: Vec<f64>,
}

fn dollars(price: Px, qty: Qty) -> f64 {
    qty.get() as f64 / Qty::ONE as f64 * price.get() as f64 / Px::ONE as f64
}

impl Path {
    /// The path that a venue's data tell.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        if source.trades.is_empty() && !source.bars.is_empty() {
            let step = |bar: &crate::prove::input::Candle| Step {
                open: ln(bar.open),
                high: ln(bar.high),
                low: ln(bar.low),
                usd: dollars(bar.close, bar.volume),
                ..Step::of(bar.start, bar.end, ln(bar.close))
            };
            return Self::from_steps(source.bars.iter().map(step).collect());
        }
        let trades = source.trades.iter().map(|t| (t.at, t.price));
        let marks = source.marks.iter().copied();
        let prices: Vec<(Nanos, Px)> = if source.marks.is_empty() {
            trades.collect()
        } else {
            marks.collect()
        };
        let mut steps: Vec<Step> = Vec::new();
        for (at, price) in prices.into_iter().filter(|(_, px)| px.get() > 0) {
            let price = ln(price);
            let start = Nanos::new(at.get() - at.get().rem_euclid(Nanos::SECOND.get()));
            match steps.last_mut() {
                Some(last) if last.start == start => {
                    last.high = last.high.max(price);
                    last.low = last.low.min(price);
                    last.close = price;
                }
                _ => steps.push(Step::of(start, start.plus(Nanos::SECOND), price)),
            }
        }
        // A trade belongs to the first step that ends after it.
        for trade in &source.trades {
            let at = steps.partition_point(|step| step.end <= trade.at);
            if let Some(step) = steps.get_mut(at) {
                step.usd += dollars(trade.price, trade.qty);
            }
        }
        Self::from_steps(steps)
    }

    /// A path of steps in the order of time.
    #[must_use]
    pub fn from_steps(steps: Vec<Step>) -> Self {
        let mut lengths: Vec<i64> = steps.iter().map(|s| s.end.since(s.start).get()).collect();
        lengths.sort_unstable();
        let length = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
        let blocks = steps.chunks(BLOCK).map(|part| {
            let high = part.iter().map(|s| s.high).fold(f64::MIN, f64::max);
            (high, part.iter().map(|s| s.low).fold(f64::MAX, f64::min))
        });
        let mut sum = 0.0;
        let mut traded = vec![0.0];
        traded.extend(steps.iter().map(|step| {
            sum += step.usd;
            sum
        }));
        let [sigma, expected] = sigmas(&steps, length);
        Self {
            sigma,
            expected,
            blocks: blocks.collect(),
            traded,
            length: Nanos::new(length),
            steps,
        }
    }

    /// The first step from `from` on that reaches a level, and ends by `until`.
    ///
    /// # Errors
    /// The last step that could be followed, where none reached it.
    pub fn first_at(
        &self,
        from: usize,
        until: Nanos,
        level: f64,
        up: bool,
    ) -> Result<usize, usize> {
        let hole = HOLE.max(HOLE_STEPS * self.length.get());
        let met = |high: f64, low: f64| if up { high >= level } else { low <= level };
        let mut last = from.saturating_sub(1);
        let mut at = from;
        while let Some(step) = self.steps.get(at) {
            if step.end > until {
                break;
            }
            if at > 0 && step.start.since(self.steps[at - 1].end).get() > hole {
                return Err(last);
            }
            // A block without it is passed at once, unless a hole or the end is in it.
            if at.is_multiple_of(BLOCK)
                && let Some((high, low)) = self.blocks.get(at / BLOCK)
                && !met(*high, *low)
                && let Some(end) = self.steps.get(at + BLOCK - 1)
                && end.end <= until
                && end.end.since(step.start).get() <= BLOCK as i64 * self.length.get() + hole
            {
                at += BLOCK;
                last = at - 1;
                continue;
            }
            if met(step.high, step.low) {
                return Ok(at);
            }
            last = at;
            at += 1;
        }
        Err(last)
    }

    /// The last step that ended by a moment, if it is not older than a tenth of `age`, a step or five seconds.
    #[must_use]
    pub fn as_of(&self, at: Nanos, age: Nanos) -> Option<usize> {
        let found = self.steps.partition_point(|step| step.end <= at);
        let found = found.checked_sub(1)?;
        let fresh = (age.get() / 10)
            .max(self.length.get())
            .max(5 * Nanos::SECOND.get());
        (at.since(self.steps[found].end).get() <= fresh).then_some(found)
    }

    /// Dollars traded in the steps `from .. to`.
    #[must_use]
    pub fn usd(&self, from: usize, to: usize) -> f64 {
        let at = |i: usize| self.traded.get(i).or(self.traded.last()).copied();
        at(to).unwrap_or(0.0) - at(from).unwrap_or(0.0)
    }
}

/// [`Path::sigma`] and [`Path::expected`].
fn sigmas(steps: &[Step], length: i64) -> [Vec<f64>; 2] {
    let every = MOVE.max(length).max(1);
    let day = (Nanos::DAY.get() / every).max(1);
    let mut grid: std::collections::VecDeque<(i64, f64)> = std::collections::VecDeque::new();
    let (mut sum, mut last) = (0.0, None::<(i64, f64)>);
    let mut out = [0, 1].map(|_| Vec::with_capacity(steps.len()));
    let rate = 1.0 - 0.5f64.powf(every as f64 / Nanos::HOUR.get() as f64);
    let (mut young, mut moves) = (0.0, 0.0);
    for step in steps {
        // The cell of the grid that this step closes or lies in.
        let cell = (step.end.get() - 1).div_euclid(every);
        if let Some((old, close)) = last
            && cell > old
        {
            // Moves over a hole are of more than one cell: they do not count.
            if cell == old + 1 {
                let square = (step.close - close).powi(2);
                grid.push_back((cell, square));
                sum += square;
                moves += 1.0;
                young += (square - young) * rate.max(1.0 / moves);
            }
            while grid.front().is_some_and(|(at, _)| *at <= cell - day) {
                sum -= grid.pop_front().map_or(0.0, |(_, square)| square);
            }
        }
        if last.is_none_or(|(old, _)| cell > old) {
            last = Some((cell, step.close));
        }
        let known = grid.len() as i64 * 2 >= day;
        let mean = (sum / grid.len().max(1) as f64).max(0.0);
        let hours = Nanos::HOUR.get() as f64 / every as f64;
        for (out, variance) in out.iter_mut().zip([mean, young]) {
            out.push(if known {
                (variance * hours).sqrt()
            } else {
                0.0
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::score::Draws;
    use proptest::prelude::*;

    fn at(minutes: i64) -> Nanos {
        Nanos::new(minutes * Nanos::MINUTE.get())
    }

    fn steps(moves: &[i64], hole: Option<usize>) -> Vec<Step> {
        let mut price = 0.0;
        let mut out = Vec::new();
        for (i, go) in moves.iter().enumerate() {
            let shift = i64::from(hole.is_some_and(|hole| i >= hole)) * 2_000;
            let start = at(5 * i as i64 + shift);
            let next = price + *go as f64;
            out.push(Step {
                open: price,
                high: price.max(next),
                low: price.min(next),
                usd: 1.0 + i as f64,
                ..Step::of(start, start.plus(at(5)), next)
            });
            price = next;
        }
        out
    }

    proptest! {
        #[test]
        fn a_level_is_found_as_by_looking_at_every_step(
            moves in proptest::collection::vec(-3i64..=3, 1..400),
            from in 0usize..300, level in -20i64..20, up: bool, spans in 1i64..2_000,
            hole in proptest::option::of(1usize..400),
        ) {
            let all = steps(&moves, hole);
            let path = Path::from_steps(all.clone());
            let until = at(5 * from as i64 + spans);
            let mut want = Err(from.saturating_sub(1));
            for (i, step) in all.iter().enumerate().skip(from) {
                if step.end > until || (i > 0 && step.start.since(all[i - 1].end) > at(50)) {
                    break;
                }
                if if up { step.high >= level as f64 } else { step.low <= level as f64 } {
                    want = Ok(i);
                    break;
                }
                want = Err(i);
            }
            prop_assert_eq!(path.first_at(from, until, level as f64, up), want);
            prop_assert_eq!(path.usd(0, moves.len()), all.iter().map(|s| s.usd).sum::<f64>());
        }
    }

    #[test]
    fn sigma_is_of_an_hour_and_of_the_past() {
        let mut draws = Draws::new(3);
        let moves: Vec<i64> = (0..600).map(|_| draws.below(2) as i64 * 2 - 1).collect();
        let path = Path::from_steps(steps(&moves, None));
        assert_eq!(path.length, at(5));
        assert_eq!(path.sigma[100], 0.0, "half a day is not over");
        // Moves of one, twelve an hour.
        assert!((path.sigma[400] - 12f64.sqrt()).abs() < 1e-9);
        let mut other = moves.clone();
        other[500] = 3;
        let other = Path::from_steps(steps(&other, None));
        assert_eq!(path.sigma[..500], other.sigma[..500]);
        assert!(path.sigma[500] < other.sigma[500]);
        // What is expected has forgotten half of a move of three after an hour.
        assert!((path.expected[500] - 12f64.sqrt()).abs() < 1e-9);
        let more = |at: usize| other.expected[at].powi(2) / 12.0 - 1.0;
        assert!((more(500) - 8.0 * (1.0 - 0.5f64.powf(1.0 / 12.0))).abs() < 1e-9);
        assert!((more(512) / more(500) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn seconds_are_made_of_marks_and_volume_of_trades() {
        let second = |s: i64| Nanos::seconds(1_700_000_000 + s);
        let mut source = Source::default();
        let px = Px::whole;
        source.marks = vec![
            (second(0), px(100)),
            (second(0), px(90)),
            (second(2), px(95)),
        ];
        source.trades = vec![crate::prove::input::Traded {
            at: second(1),
            price: px(100),
            qty: Qty::whole(3),
        }];
        let path = Path::of(&source);
        assert_eq!((path.steps.len(), path.length), (2, Nanos::SECOND));
        assert_eq!(path.steps[0].high, ln(px(100)));
        assert_eq!(path.steps[0].close, ln(px(90)));
        assert_eq!((path.steps[0].usd, path.steps[1].usd), (0.0, 300.0));
        assert_eq!(path.as_of(second(3), Nanos::SECOND), Some(1));
        assert_eq!(path.as_of(second(9), Nanos::SECOND), None);
        assert_eq!(path.as_of(second(0), Nanos::SECOND), None);
    }
}
