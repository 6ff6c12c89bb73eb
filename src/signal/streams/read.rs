//! Reading: what signals, pages and the view ask of the streams. Nothing here changes them.

use super::Streams;
use super::channel;
use crate::num::fixed::{ONE, clip, isqrt};
use crate::num::narrow;
use crate::shm::record::Ages;
use crate::signal::card;
use crate::signal::view::input;
use crate::signal::window::{FOLDS, Window};
use crate::time::Nanos;

impl Streams {
    /// Shard stamp of the newest of an input, 0 = never heard.
    #[must_use]
    pub const fn newest(&self, which: usize) -> i64 {
        self.heard[which]
    }

    /// Stamp at which an input's value was last known to hold, 0 = never heard.
    fn known_at(&self, which: usize) -> i64 {
        let heard = self.heard[which];
        if heard > 0 && super::TICKER & (1 << which) != 0 && self.holds(which) {
            heard.max(self.confirmed)
        } else {
            heard
        }
    }

    /// Freshness of an input, Q16 (scoring.md 6); 0 when never heard, or lost and not heard since.
    ///
    /// Prints are rare by nature: they are as fresh as the trades that come by the same road.
    #[must_use]
    pub fn fresh(&self, which: usize, now: Nanos) -> i64 {
        const SECOND: i64 = Nanos::SECOND.get();
        let mean = self.gaps[which];
        let ttl = match which {
            input::TRADES | input::BOOK => clip(mean.saturating_mul(5), SECOND, 60 * SECOND),
            input::MARK | input::INDEX => 5 * SECOND,
            input::INTEREST => clip(mean.saturating_mul(3), 3 * SECOND, 900 * SECOND),
            input::FUNDING => self.funding_interval.get().saturating_mul(2),
            input::PRINTS if self.holds(which) => {
                return self.fresh(input::TRADES, now);
            }
            _ => return 0,
        };
        if self.heard[which] == 0 || !self.holds(which) {
            return 0;
        }
        card::fresh(now.get().saturating_sub(self.known_at(which)), ttl)
    }

    /// Age of each input in milliseconds; `u32::MAX` = never heard.
    #[must_use]
    pub fn ages(&self, now: Nanos) -> Ages {
        let age = |which: usize| match self.known_at(which) {
            0 => u32::MAX,
            at => clip(
                now.get().saturating_sub(at) / 1_000_000,
                0,
                i64::from(u32::MAX) - 1,
            ) as u32,
        };
        Ages {
            trade_ms: age(input::TRADES),
            book_ms: age(input::BOOK),
            mark_ms: age(input::MARK),
            interest_ms: age(input::INTEREST),
            print_ms: age(input::PRINTS),
            funding_ms: age(input::FUNDING),
        }
    }

    /// Volatility of a return over `window`, Q32; 0 = not warm.
    #[must_use]
    pub const fn sigma(&self, window: Window) -> i64 {
        self.sigmas[window.index()]
    }

    /// Volatility of a return over `window` by the variance that another window is told by, whose memory is its own,
    /// Q32; 0 = not warm.
    #[must_use]
    pub const fn sigma_by(&self, window: Window, by: Window) -> i64 {
        let sigma = self.sigma(by) as i128;
        isqrt(sigma * sigma * window.seconds() as i128 / by.seconds() as i128)
    }

    /// A decayed sum.
    #[must_use]
    pub const fn sum(&self, window: Window, channel: usize) -> i64 {
        self.sums[window.index()][channel]
    }

    /// Time-weighted mean of a state channel, Q32; `None` while no time has been seen.
    #[must_use]
    pub fn mean(&self, window: Window, channel: usize) -> Option<i64> {
        let area = self.sum(window, channel);
        let time = self.sum(window, channel + 1);
        (time > 0).then(|| narrow(i128::from(area) * i128::from(ONE) / i128::from(time)))
    }

    /// Return of the reference price over `window`, Q32; `None` before one window was seen.
    #[must_use]
    pub fn moved(&self, window: Window) -> Option<i64> {
        let i = window.index();
        (self.returns_known[i] != 0).then_some(self.returns[i])
    }

    /// Return of open interest over `window`, Q32; `None` before one window was seen.
    #[must_use]
    pub fn interest_moved(&self, window: Window) -> Option<i64> {
        let i = window.index();
        (self.interest_known[i] != 0).then_some(self.interest_moves[i])
    }

    /// Seconds for which the state of an input was known.
    #[must_use]
    pub const fn steady_seconds(&self, which: usize) -> u64 {
        self.steady[which] / FOLDS as u64 * 10
    }

    /// Orders of buyers and of sellers since the start.
    #[must_use]
    pub const fn orders(&self) -> [u64; 2] {
        [
            (self.totals[channel::BUYS] / ONE).unsigned_abs(),
            (self.totals[channel::SELLS] / ONE).unsigned_abs(),
        ]
    }

    /// Orders per minute, from the one-minute window.
    #[must_use]
    pub fn orders_per_minute(&self) -> i64 {
        const LN2: i64 = 45_426;
        let sums = &self.sums[Window::M1.index()];
        let orders = sums[channel::BUYS].saturating_add(sums[channel::SELLS]);
        orders.max(0) / ONE * LN2 / ONE
    }
}
