//! Past: what is known of price and liquidations at the begin of a period, and nothing of the period itself.
//!
//! Liquidations are asked of periods that had ended by then, prices of candles that had. Volatility is the root of the
//! mean of ln(high / low)² / (4 ln 2) (Parkinson), which knows more than the ends of a candle do; what it will be is a
//! line on the last period, the last day and the last week and the hour of the day, fitted anew before every period on
//! those before it, in logarithms, and then raised by what the past had shown to be wanting in the mean. Dollars and
//! logarithms of them, variances per hour, times Unix nanoseconds.

use crate::market::Holder;
use crate::num::{Px, Qty};
use crate::prove::input::{Candle, Period};
use crate::prove::linear::Sums;
use crate::prove::path::ln;
use crate::prove::totals::log;
use crate::time::Nanos;

/// A week.
const WEEK: Nanos = Nanos::new(7 * Nanos::DAY.get());
/// Periods before what the volatility will be is fitted; until then it is that of the last day.
const LEAST: f64 = 60.0;
/// Variance an hour below which a price stands still.
const STILL: f64 = 1e-12;

/// Feature: what was liquidated of the holder in the last period.
pub const LAST: usize = 0;
/// Feature: what was liquidated of the holder a period in the last day.
pub const DAY: usize = 1;
/// Feature: what the volatility will be.
pub const SIGMA: usize = 8;
/// Feature: the holder.
pub const HOLDER: usize = 11;
/// Features of a line on last period, day and week of liquidations (of the last period also the other holder's) and of
/// volatility, and on the hour.
pub const HAR: [usize; 10] = [LAST, DAY, 2, 3, 5, 6, 7, 9, 10, HOLDER];
/// Features that must be known; those behind them may be missing.
const NEEDED: usize = 12;

/// One candle, summed with all before it.
#[derive(Debug, Clone, Copy)]
struct Bit {
    start: i64,
    end: i64,
    low: f64,
    high: f64,
    close: f64,
    /// Sums up to and with this one: hours, variance, dollars traded.
    sums: [f64; 3],
}

/// Candles and liquidations of one symbol.
#[derive(Debug)]
pub struct Past<'a> {
    bits: Vec<Bit>,
    periods: &'a [Period],
    /// Sums up to and with each period: hours, dollars of longs, of shorts.
    sums: Vec<[f64; 3]>,
}

fn hours(time: i64) -> f64 {
    time as f64 / Nanos::HOUR.get() as f64
}

fn add(sums: &mut [f64; 3], more: [f64; 3]) -> [f64; 3] {
    sums.iter_mut()
        .zip(more)
        .for_each(|(sum, more)| *sum += more);
    *sums
}

/// Sums of the rows from one to before another.
fn between(sums: &[[f64; 3]], from: usize, to: usize) -> Option<[f64; 3]> {
    if from >= to {
        return None;
    }
    let none = [0.0; 3];
    let before = from.checked_sub(1).map_or(&none, |at| &sums[at]);
    Some(core::array::from_fn(|k| sums[to - 1][k] - before[k]))
}

impl<'a> Past<'a> {
    /// Of candles and periods in the order of time.
    #[must_use]
    pub fn new(candles: &[Candle], periods: &'a [Period]) -> Self {
        let mut sum = [0.0; 3];
        let bits = candles.iter().map(|c| {
            let (low, high) = (ln(c.low), ln(c.high));
            let variance = (high - low).powi(2) / (4.0 * core::f64::consts::LN_2);
            let price = c.close.get() as f64 / Px::ONE as f64;
            let usd = c.volume.get() as f64 / Qty::ONE as f64 * price;
            Bit {
                start: c.start.get(),
                end: c.end.get(),
                low,
                high,
                close: ln(c.close),
                sums: add(&mut sum, [hours(c.end.since(c.start).get()), variance, usd]),
            }
        });
        let bits = bits.collect();
        let mut sum = [0.0; 3];
        let of = |p: &Period| {
            add(
                &mut sum,
                [hours(p.end.since(p.start).get()), p.usd[0], p.usd[1]],
            )
        };
        Self {
            bits,
            periods,
            sums: periods.iter().map(of).collect(),
        }
    }

    /// Candles that lie whole between two moments.
    fn candles(&self, from: i64, to: i64) -> &[Bit] {
        let first = self.bits.partition_point(|b| b.start < from);
        let last = self.bits.partition_point(|b| b.end <= to);
        self.bits.get(first..last).unwrap_or(&[])
    }

    /// Hours, variance and dollars traded of them.
    fn moved(&self, from: i64, to: i64) -> Option<[f64; 3]> {
        let own = self.candles(from, to);
        let (first, last) = (own.first()?, own.last()?);
        let before = self.bits.partition_point(|b| b.start < first.start);
        let before = before
            .checked_sub(1)
            .map_or([0.0; 3], |at| self.bits[at].sums);
        Some(core::array::from_fn(|k| last.sums[k] - before[k]))
    }

    /// Logarithm of the variance an hour between two moments.
    fn variance(&self, from: i64, to: i64) -> Option<f64> {
        let [hours, variance, _] = self.moved(from, to)?;
        (hours > 0.0).then(|| (variance / hours).max(STILL).ln())
    }

    /// Dollars an hour of each holder that are known to have been liquidated between two moments.
    fn liquidated(&self, from: i64, to: i64) -> Option<[f64; 2]> {
        let first = self.periods.partition_point(|p| p.start.get() < from);
        let last = self.periods.partition_point(|p| p.end.get() <= to);
        let [hours, longs, shorts] = between(&self.sums, first, last)?;
        (hours > 0.0).then(|| [longs / hours, shorts / hours])
    }

    /// What says the volatility of a period.
    fn says(&self, period: &Period) -> Option<[f64; 5]> {
        let (at, length) = (period.start.get(), period.end.since(period.start).get());
        let day = self.variance(at - Nanos::DAY.get(), at)?;
        let [sine, cosine] = clock(at);
        Some([
            self.variance(at - length, at).unwrap_or(day),
            day,
            self.variance(at - WEEK.get(), at)?,
            sine,
            cosine,
        ])
    }

    /// Deviation of the log price that each period is expected to have, as known at its begin.
    #[must_use]
    pub fn sigmas(&self, periods: &[Period]) -> Vec<Option<f64>> {
        let mut sums = Sums::new(5);
        // Variance that was said and that came: a mean of logarithms is less than that of what they are of.
        let (mut told, mut came) = (0.0, 0.0);
        let of = |period: &Period| {
            let says = self.says(period)?;
            let said = if sums.n() < LEAST {
                says[1].exp()
            } else {
                sums.line().said(&says).exp()
            };
            let factor = if told > 0.0 { came / told } else { 1.0 };
            // Periods lie one behind the other: this one is past when the next is asked for.
            if let Some(was) = self.variance(period.start.get(), period.end.get()) {
                sums.add(&says, was);
                (told, came) = (told + said, came + was.exp());
            }
            let length = hours(period.end.since(period.start).get());
            Some((said * factor * length).sqrt())
        };
        periods.iter().map(of).collect()
    }

    /// Features of a period and holder at its begin; `None` where the last period, the last day or the price before it
    /// is not known.
    #[must_use]
    pub fn features(&self, period: &Period, holder: Holder, sigma: f64) -> Option<Vec<f64>> {
        let (at, length) = (period.start.get(), period.end.since(period.start).get());
        let log = |rate: f64| log(rate * hours(length));
        let (own, other) = (holder as usize, 1 - holder as usize);
        let last = self.liquidated(at - length, at)?;
        let day = self.liquidated(at - Nanos::DAY.get(), at)?;
        let week = self.liquidated(at - WEEK.get(), at)?;
        let [sine, cosine] = clock(at);
        let mut row = vec![
            log(last[own]),
            log(day[own]),
            log(week[own]),
            log(last[other]),
            log(day[other]),
        ];
        row.extend(&self.says(period)?[..3]);
        row.extend([sigma.ln(), sine, cosine, holder.hurts() as f64]);
        debug_assert_eq!(row.len(), NEEDED);
        if row.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let sign = holder.hurts() as f64;
        let now = self.candles(i64::MIN, at).last()?.close;
        for back in [length, Nanos::DAY.get(), WEEK.get()] {
            let before = self.candles(at - back, at);
            let old = before.first().map_or(f64::NAN, |b| b.close);
            row.push(sign * (now - old));
            let worst = |b: &Bit| sign * if sign < 0.0 { b.low } else { b.high };
            let extreme = before.iter().map(worst).fold(f64::NAN, f64::max);
            row.push(extreme - sign * now);
        }
        let traded = |back: i64| {
            self.moved(at - back, at)
                .map_or(f64::NAN, |[hours, _, usd]| usd / hours)
        };
        row.push(((1.0 + traded(length)) / (1.0 + traded(Nanos::DAY.get()))).ln());
        row.push((1.0 + traded(Nanos::DAY.get())).ln());
        row.push(((at / Nanos::DAY.get() + 4).rem_euclid(7)) as f64);
        row.push(now);
        Some(row)
    }
}

/// The hour of the day, on a circle.
fn clock(at: i64) -> [f64; 2] {
    let part = at.rem_euclid(Nanos::DAY.get()) as f64 / Nanos::DAY.get() as f64;
    let turn = part * core::f64::consts::TAU;
    [turn.sin(), turn.cos()]
}
