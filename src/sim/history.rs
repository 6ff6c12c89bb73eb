//! History: what the exchange remembers of one contract: rolling day, minute bars, open interest
//! every five minutes.
//!
//! Whole units and lots; the day is kept as 24 hour cells, so "24 h ago" is the opening of the
//! oldest cell.

use std::collections::VecDeque;

const HOURS: usize = 24;
const BARS: usize = 1_500;
const SAMPLES: usize = 600;

/// A bar: an hour of the rolling day, or a minute of the chart. Prices in units, volume in lots,
/// turnover in units x lots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) ms: i64,
    pub(crate) open: i64,
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) close: i64,
    pub(crate) lots: i64,
    pub(crate) turnover: i64,
}

impl Bar {
    const fn open(ms: i64, price: i64) -> Self {
        Self {
            ms,
            open: price,
            high: price,
            low: price,
            close: price,
            lots: 0,
            turnover: 0,
        }
    }

    fn trade(&mut self, units: i64, lots: i64) {
        self.high = self.high.max(units);
        self.low = self.low.min(units);
        self.close = units;
        self.lots += lots;
        self.turnover += units * lots;
    }
}

/// Everything remembered.
#[derive(Debug, Clone)]
pub(crate) struct History {
    hours: VecDeque<Bar>,
    /// Minute bars, oldest first; the last one is running.
    pub(crate) bars: VecDeque<Bar>,
    /// (ms, lots one side), oldest first.
    pub(crate) interest: VecDeque<(i64, i64)>,
    day: Bar,
}

impl History {
    pub(crate) fn new(ms: i64, price: i64) -> Self {
        let hour = Bar::open(ms - ms.rem_euclid(3_600_000), price);
        let minute = Bar::open(ms - ms.rem_euclid(60_000), price);
        Self {
            hours: VecDeque::from([hour]),
            bars: VecDeque::from([minute]),
            interest: VecDeque::new(),
            day: hour,
        }
    }

    pub(crate) fn trade(&mut self, units: i64, lots: i64) {
        let running = [self.hours.back_mut(), self.bars.back_mut()];
        for bar in running.into_iter().flatten() {
            bar.trade(units, lots);
        }
        self.day.trade(units, lots);
    }

    /// Once a second: opens the cells that have begun.
    pub(crate) fn roll(&mut self, ms: i64, last: i64, interest: i64) {
        if begun(self.hours.back(), ms, 3_600_000) {
            self.hours
                .push_back(Bar::open(ms - ms.rem_euclid(3_600_000), last));
            if self.hours.len() > HOURS {
                self.hours.pop_front();
            }
            let mut day = self.hours.front().copied().unwrap_or_default();
            for hour in self.hours.iter().skip(1) {
                day.high = day.high.max(hour.high);
                day.low = day.low.min(hour.low);
                day.lots += hour.lots;
                day.turnover += hour.turnover;
            }
            self.day = day;
        }
        if begun(self.bars.back(), ms, 60_000) {
            self.bars
                .push_back(Bar::open(ms - ms.rem_euclid(60_000), last));
            if self.bars.len() > BARS {
                self.bars.pop_front();
            }
        }
        let slot = ms - ms.rem_euclid(300_000);
        if self.interest.back().is_none_or(|s| s.0 < slot) {
            self.interest.push_back((slot, interest));
            if self.interest.len() > SAMPLES {
                self.interest.pop_front();
            }
        }
    }

    /// The last 24 hours.
    pub(crate) const fn day(&self) -> Bar {
        self.day
    }

    /// Price an hour ago, to the hour cell.
    pub(crate) fn hour_ago(&self) -> i64 {
        let from = self.hours.len().saturating_sub(2);
        self.hours.get(from).map_or(0, |bar| bar.open)
    }
}

fn begun(last: Option<&Bar>, ms: i64, span: i64) -> bool {
    last.is_none_or(|bar| ms >= bar.ms + span)
}
