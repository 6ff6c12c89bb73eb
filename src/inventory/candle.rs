//! Candle: a finished bar and how it is walked, where nothing finer is told of the past.
//!
//! The way is a guess with a name: open, the extreme behind the bar's direction, the other extreme, close (a bar that
//! rose is supposed to have dipped first), in steps of a bucket or more, time and volume laid evenly along it. The
//! mark goes with it: a bar's prices are those of trades, and no mark is told finer than them.

use super::{Inventory, Params};
use crate::event::Bar;
use crate::num::fixed::mul_div;
use crate::num::log::{BUCKET, ln_px, px_of_ln};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Least and most steps of a whole bar: the inventory keeps 128 price cells an interval.
const STEPS: (i64, i64) = (3, 96);

/// A bar and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Candle {
    /// Its begin.
    pub start: Nanos,
    /// Its end.
    pub end: Nanos,
    /// First price.
    pub open: Px,
    /// Highest price.
    pub high: Px,
    /// Lowest price.
    pub low: Px,
    /// Last price.
    pub close: Px,
    /// Volume.
    pub volume: Qty,
}

/// Where a walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When, within the bar.
    pub at: Nanos,
    /// At which price.
    pub price: Px,
    /// What traded since the step before.
    pub qty: Qty,
    /// True at the bar's four prices.
    pub turns: bool,
}

impl Candle {
    /// A bar that begins at `start`; `None` if it cannot be one.
    #[must_use]
    pub fn of(start: Nanos, bar: &Bar) -> Option<Self> {
        bar.is_whole().then(|| Self {
            start,
            end: start.plus(Nanos::seconds(bar.seconds.into())),
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
        })
    }

    /// Its prices in the order of the walk.
    #[must_use]
    pub fn turns(&self) -> [Px; 4] {
        if self.close >= self.open {
            [self.open, self.low, self.high, self.close]
        } else {
            [self.open, self.high, self.low, self.close]
        }
    }

    /// Walks it, from the open to the close; the steps' quantities are its volume.
    pub fn walk(&self, mut visit: impl FnMut(Step)) {
        let turns = self.turns();
        let logs = turns.map(ln_px);
        let way: i64 = logs.windows(2).map(|leg| (leg[1] - leg[0]).abs()).sum();
        let length = self.end.since(self.start).get();
        let all = (way / BUCKET).clamp(STEPS.0, STEPS.1);
        visit(Step {
            at: self.start,
            price: self.open,
            qty: Qty::ZERO,
            turns: true,
        });
        let (mut done, mut laid) = (0, 0);
        for (leg, ends) in (1..).zip(logs.windows(2)) {
            let span = ends[1] - ends[0];
            let steps = match way {
                0 => 1,
                _ => mul_div(span.abs(), all, way).max(1),
            };
            for step in 1..=steps {
                let turns_here = step == steps;
                let gone = span / steps * step;
                let (price, gone) = if turns_here {
                    (turns[leg], span)
                } else {
                    (px_of_ln(ends[0] + gone), gone)
                };
                // A bar without a way is over in three equal parts.
                let (part, whole) = match way {
                    0 => (leg as i64, 3),
                    _ => (done + gone.abs(), way),
                };
                let sum = mul_div(self.volume.get(), part, whole);
                visit(Step {
                    at: self.start.plus(Nanos::new(mul_div(length, part, whole))),
                    price,
                    qty: Qty::new(sum - laid),
                    turns: turns_here,
                });
                laid = sum;
            }
            done += span.abs();
        }
    }

    /// The price that stands for all of it.
    #[must_use]
    pub fn typical(&self) -> Px {
        Px::new((self.high.get() + self.low.get() + self.close.get()) / 3)
    }
}

impl Inventory {
    /// Walks the mark along a bar and trades its volume on the way, flushed at its turns; true when mass was swept.
    pub fn candle(&mut self, candle: &Candle, params: &Params) -> bool {
        let mut swept = false;
        candle.walk(|step| {
            // The mark is there when the trade is: who opened at this price has seen no other.
            swept |= self.mark(step.at, step.price, params);
            self.trade(step.price, step.qty);
            if step.turns {
                self.tick(step.at, params);
            }
        });
        swept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candle(prices: [i64; 4], volume: i64) -> Option<Candle> {
        let [open, high, low, close] = prices.map(Px::new);
        let bar = Bar {
            open,
            high,
            low,
            close,
            volume: Qty::new(volume),
            seconds: 300,
        };
        Candle::of(Nanos::seconds(1_700_000_100), &bar)
    }

    fn steps(candle: &Candle) -> Vec<Step> {
        let mut steps = Vec::new();
        candle.walk(|step| steps.push(step));
        steps
    }

    #[test]
    fn what_is_no_bar_is_refused() {
        let one = Px::ONE;
        assert!(candle([one, 2 * one, one, one], 1).is_some());
        for (prices, volume) in [
            ([one, one - 1, one - 1, one - 1], 1),
            ([one, one, one, one + 1], 1),
            ([one, one, 0, one], 1),
            ([one; 4], -1),
        ] {
            assert!(candle(prices, volume).is_none(), "{prices:?} {volume}");
        }
    }

    #[test]
    fn a_bar_that_fell_rose_first() {
        let of = |open, close| {
            let [open, close] = [open, close].map(|p: i64| p * Px::ONE);
            let bar = candle([open, 110 * Px::ONE, 90 * Px::ONE, close], 7).unwrap();
            let turns = steps(&bar).into_iter().filter(|step| step.turns);
            turns
                .map(|step| step.price.get() / Px::ONE)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(105, 95), [105, 110, 90, 95]);
        assert_eq!(of(95, 105), [95, 90, 110, 105]);
        assert_eq!(of(95, 95), [95, 90, 110, 95]);
    }

    proptest! {
        #[test]
        fn a_walk_stays_inside_goes_on_in_time_and_trades_all_of_the_volume(
            low in 1i64..1 << 50,
            wide in 0i64..1 << 50,
            open in 0u32..=1_000,
            close in 0u32..=1_000,
            volume in 0i64..1 << 55,
        ) {
            let at = |part: u32| low + (i128::from(wide) * i128::from(part) / 1_000) as i64;
            let bar = candle([at(open), low + wide, low, at(close)], volume).unwrap();
            let steps = steps(&bar);
            prop_assert!(steps.len() <= STEPS.1 as usize + 4, "{}", steps.len());
            prop_assert_eq!(steps[0].at, bar.start);
            prop_assert_eq!(steps[steps.len() - 1].at, bar.end);
            prop_assert_eq!(steps[steps.len() - 1].price, bar.close);
            prop_assert_eq!(steps.iter().map(|s| s.qty.get()).sum::<i64>(), volume);
            // A price of the logarithm is right to one part in 2^40 or so.
            let slack = bar.high.get() / (1 << 36) + 1;
            for pair in steps.windows(2) {
                prop_assert!(pair[0].at <= pair[1].at && pair[1].qty.get() >= 0);
                prop_assert!(pair[1].price.get() >= low - slack);
                prop_assert!(pair[1].price.get() <= bar.high.get() + slack);
            }
        }
    }
}
