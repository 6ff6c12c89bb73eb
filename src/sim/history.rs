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
    /// Lots that takers bought.
    pub(crate) bought: i64,
    /// Fills.
    pub(crate) rows: i64,
}

/// What is kept every five minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) ms: i64,
    /// Open interest, lots, one side.
    pub(crate) interest: i64,
    /// Mark price, units.
    pub(crate) mark: i64,
    /// People's positions by `Holder`.
    pub(crate) accounts: [i64; 2],
    /// Lots in them.
    pub(crate) lots: [i64; 2],
    /// Lots takers bought and sold since the sample before.
    pub(crate) taken: [i64; 2],
}

/// A funding that was paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) ms: i64,
    /// 1e-8.
    pub(crate) rate: i64,
    /// Mark price, units.
    pub(crate) mark: i64,
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
            bought: 0,
            rows: 0,
        }
    }

    fn trade(&mut self, units: i64, lots: i64, bought: bool) {
        self.high = self.high.max(units);
        self.low = self.low.min(units);
        self.close = units;
        self.lots += lots;
        self.turnover += units * lots;
        self.bought += if bought { lots } else { 0 };
        self.rows += 1;
    }

    /// The bar behind `self` joins it.
    const fn join(&mut self, next: &Self) {
        self.high = if next.high > self.high {
            next.high
        } else {
            self.high
        };
        self.low = if next.low < self.low {
            next.low
        } else {
            self.low
        };
        self.close = next.close;
        self.lots += next.lots;
        self.turnover += next.turnover;
        self.bought += next.bought;
        self.rows += next.rows;
    }
}

/// Everything remembered.
#[derive(Debug, Clone)]
pub(crate) struct History {
    hours: VecDeque<Bar>,
    /// Minute bars, oldest first; the last one is running.
    pub(crate) bars: VecDeque<Bar>,
    /// Oldest first.
    pub(crate) samples: VecDeque<Sample>,
    /// Oldest first.
    pub(crate) settled: VecDeque<Settled>,
    /// Lots takers bought and sold since the last sample.
    taken: [i64; 2],
    day: Bar,
}

impl History {
    pub(crate) fn new(ms: i64, price: i64) -> Self {
        let hour = Bar::open(ms - ms.rem_euclid(3_600_000), price);
        let minute = Bar::open(ms - ms.rem_euclid(60_000), price);
        Self {
            hours: VecDeque::from([hour]),
            bars: VecDeque::from([minute]),
            samples: VecDeque::new(),
            settled: VecDeque::new(),
            taken: [0; 2],
            day: hour,
        }
    }

    pub(crate) fn trade(&mut self, units: i64, lots: i64, bought: bool) {
        self.taken[usize::from(!bought)] += lots;
        let running = [self.hours.back_mut(), self.bars.back_mut()];
        for bar in running.into_iter().flatten() {
            bar.trade(units, lots, bought);
        }
        self.day.trade(units, lots, bought);
    }

    /// Once a second: opens the cells that have begun.
    pub(crate) fn roll(&mut self, ms: i64, last: i64) {
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
                day.bought += hour.bought;
                day.rows += hour.rows;
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
    }

    /// The stamp of the sample that is due; `None` when it was taken.
    pub(crate) fn sample_due(&self, ms: i64) -> Option<i64> {
        let slot = ms - ms.rem_euclid(300_000);
        let last = self.samples.back();
        last.is_none_or(|s| s.ms < slot).then_some(slot)
    }

    /// Keeps a sample; what takers took since the last one is filled in.
    pub(crate) fn sample(&mut self, mut sample: Sample) {
        sample.taken = std::mem::take(&mut self.taken);
        self.samples.push_back(sample);
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
    }

    /// Keeps a funding that was paid.
    pub(crate) fn settle(&mut self, settled: Settled) {
        self.settled.push_back(settled);
        if self.settled.len() > SAMPLES {
            self.settled.pop_front();
        }
    }

    /// Bars of this many minutes, oldest first; the first and the last may be short.
    pub(crate) fn bars_of(&self, minutes: i64) -> Vec<Bar> {
        let span = minutes.max(1) * 60_000;
        let mut out: Vec<Bar> = Vec::new();
        for bar in &self.bars {
            let begin = bar.ms - bar.ms.rem_euclid(span);
            match out.last_mut() {
                Some(last) if last.ms == begin => last.join(bar),
                _ => out.push(Bar { ms: begin, ..*bar }),
            }
        }
        out
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
