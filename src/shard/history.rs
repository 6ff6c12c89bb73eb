//! History: what a venue tells of the past, laid into an inventory before the present takes over (heatmap.md 2.2).
//!
//! Bars are kept in the order of their starts, whatever order they came in. Rows of open interest come after the bars,
//! oldest first; the first is laid over the volume profile of the bars that had ended by then and is PRIOR, each
//! further one solves its interval like a live sample: the bars that end within it are walked
//! ([`crate::inventory::candle`]). So what history opened, swept and closed is no prior.
//!
//! Stamps are the exchange's and lie before the shard's own time; nothing here is live, and nobody counts it as such.
//! LIMIT: 512 bars a venue and symbol; older ones are forgotten, and rows before the oldest bar are refused.

use crate::arena::Bounded;
use crate::inventory::candle::Candle;
use crate::inventory::{Inventory, Params};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Bars kept: 42 hours of five minutes.
const BARS: usize = 512;
/// Bars that ended longer ago say nothing about who entered where.
const PROFILE: Nanos = Nanos::new(2 * Nanos::DAY.get());

/// The past of one symbol at one venue. All zeros is "none was told".
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct History {
    bars: Bounded<Candle, BARS>,
    /// Bars that ended by then are in the inventory.
    played: Nanos,
    /// Stamp of the newest row that was laid.
    row: Nanos,
    /// Shard time at which the newest piece came; 0 = nothing is being laid.
    pub(super) loading: Nanos,
}

impl History {
    /// Begins to lay: rows told before are as if never told, bars stay.
    pub(super) fn begin(&mut self) {
        (self.played, self.row) = (Nanos::ZERO, Nanos::ZERO);
    }

    /// Keeps a bar; false when it is older than all of a full list.
    pub(super) fn bar(&mut self, past: Candle) -> bool {
        let start = past.start;
        let mut at = self
            .bars
            .as_slice()
            .partition_point(|held| held.start < start);
        if let Some(held) = self.bars.as_mut_slice().get_mut(at)
            && held.start == start
        {
            *held = past;
            return true;
        }
        if self.bars.len() == BARS {
            if at == 0 {
                return false;
            }
            self.bars.remove(0);
            at -= 1;
        }
        self.bars.insert(at, past);
        true
    }

    /// Where the newest bar ends.
    pub(super) fn until(&self) -> Nanos {
        let newest = self.bars.as_slice().last();
        newest.map_or(Nanos::ZERO, |bar| bar.end)
    }

    /// The price at a moment that bars cover: the last close, or the open of the bar that holds it.
    fn price_at(&self, at: Nanos) -> Option<Px> {
        let bars = self.bars.as_slice();
        let ended = bars.partition_point(|bar| bar.end <= at);
        match ended.checked_sub(1) {
            Some(last) => Some(bars[last].close),
            None => bars
                .first()
                .filter(|bar| bar.start <= at)
                .map(|bar| bar.open),
        }
    }

    /// Lays open interest over the volume at price of the bars that had ended by `at`, no longer ago than two days, or
    /// over the documented prior when there are none.
    pub(super) fn seed(
        &self,
        now: Nanos,
        at: Nanos,
        interest: Qty,
        inventory: &mut Inventory,
        params: &Params,
    ) {
        let mut profile = [(Px::ZERO, Qty::ZERO); BARS];
        let recent = |bar: &&Candle| bar.end <= at && at.since(bar.end) < PROFILE;
        let ended = self.bars.as_slice().iter().filter(recent);
        let mut used = 0;
        for (row, bar) in profile.iter_mut().zip(ended) {
            *row = (bar.typical(), bar.volume);
            used += usize::from(bar.volume.get() > 0);
        }
        let known = if used > 0 { &profile[..] } else { &[] };
        inventory.seed(now, interest, known, params);
    }

    /// Lays a row of open interest; false when it is empty, comes after a later one, or lies before every bar.
    pub(super) fn row(
        &mut self,
        at: Nanos,
        interest: Qty,
        inventory: &mut Inventory,
        params: &Params,
    ) -> bool {
        let Some(mark) = self.price_at(at) else {
            return false;
        };
        if at <= self.row || interest.get() <= 0 {
            return false;
        }
        if inventory.is_seeded() {
            self.play(at, inventory, params);
            inventory.interest(at, interest, params);
        } else {
            inventory.mark(at, mark, params);
            self.seed(at, at, interest, inventory, params);
            self.played = at;
        }
        self.row = at;
        true
    }

    /// Plays the bars that ended by `until` and were not played yet; nothing without a seeded inventory.
    pub(super) fn play(&mut self, until: Nanos, inventory: &mut Inventory, params: &Params) {
        if !inventory.is_seeded() {
            return;
        }
        for bar in self.bars.as_slice() {
            if bar.end > self.played && bar.end <= until {
                inventory.candle(bar, params);
            }
        }
        self.played = self.played.max(until);
    }

    /// (First price, last price, seconds) of every bar, oldest first: what volatility is learned from.
    pub(super) fn moves(&self) -> impl Iterator<Item = (Px, Px, i64)> {
        let seconds = |bar: &Candle| bar.end.since(bar.start).get() / Nanos::SECOND.get();
        self.bars
            .as_slice()
            .iter()
            .map(move |bar| (bar.open, bar.close, seconds(bar)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Bar;
    use crate::market::Holder;

    fn history() -> Box<History> {
        bytemuck::allocation::zeroed_box()
    }

    fn bar(start: Nanos, prices: [i64; 4], volume: i64) -> Candle {
        let [open, high, low, close] = prices.map(Px::whole);
        let bar = Bar {
            open,
            high,
            low,
            close,
            volume: Qty::whole(volume),
            seconds: 300,
        };
        Candle::of(start, &bar).unwrap()
    }

    fn at(bars: i64) -> Nanos {
        Nanos::seconds(1_700_000_100 + 300 * bars)
    }

    #[test]
    fn bars_lie_in_order_whatever_order_they_came_in() {
        let mut history = history();
        for n in [5, 3, 4, 1, 2, 4] {
            assert!(history.bar(bar(at(n), [100, 101 + n, 99, 100], 10 + n)));
        }
        let starts: Vec<_> = history.bars.as_slice().iter().map(|b| b.start).collect();
        assert_eq!(starts, [1, 2, 3, 4, 5].map(at));
        for n in 6..600 {
            assert!(history.bar(bar(at(n), [100, 101, 99, 100], 1)));
        }
        assert_eq!(history.bars.len(), BARS);
        assert!(!history.bar(bar(at(2), [100, 101, 99, 100], 1)));
        assert_eq!(history.bars.as_slice()[0].start, at(600 - BARS as i64));
    }

    #[test]
    fn rows_conserve_and_what_they_opened_is_no_prior() {
        let mut history = history();
        for n in 0..200i64 {
            let mid = 60_000 + (n * 37) % 400;
            let way = if n % 3 == 0 { -80 } else { 90 };
            let (high, low) = (mid.max(mid + way) + 30, mid.min(mid + way) - 30);
            assert!(history.bar(bar(at(n), [mid, high, low, mid + way], 900)));
        }
        let mut inventory: Box<Inventory> = bytemuck::allocation::zeroed_box();
        let params = Params::default();
        assert!(!history.row(at(-1), Qty::whole(1_000), &mut inventory, &params));
        for n in 50..200 {
            let interest = Qty::whole(10_000 + (n * 13) % 500);
            assert!(history.row(at(n), interest, &mut inventory, &params));
            assert!(inventory.conserved(), "row {n}");
            assert_eq!(inventory.interest_now(), interest);
            assert!(
                !history.row(at(n), interest, &mut inventory, &params),
                "the same row again"
            );
        }
        assert!(inventory.resum());
        assert!(
            inventory.prior_share_e6() < 500_000,
            "{}",
            inventory.prior_share_e6()
        );
        assert_eq!(inventory.unclosed, 0);
        let swept = inventory.exposure(Holder::Long).iter().sum::<i64>();
        assert!(swept > 0, "bars sweep what they cross");
    }
}
