//! Path: what the price and the volume alone say of a period, the features of model P (heatmap.md 4.1).
//!
//! Everything is seen from the holder: *against* is the way that liquidates it, so that one model serves both sides.
//! Logarithms of prices and of dollars; the period's own path and volume are in it, for P is told what the map is told:
//! where the price went. What happened before the begin is taken from candles that had ended by then.

use super::input::{Candle, Input, Period, Source};
use super::totals::Told;
use crate::market::Holder;
use crate::num::log::{bucket_of, ln_px};
use crate::num::{Px, Qty};
use crate::time::Nanos;

/// Number of features.
pub const FEATURES: usize = 43;
/// Running extremes are taken over these hours.
const EXTREMES: [i64; 8] = [1, 4, 12, 24, 72, 168, 336, 720];
/// Volatilities, returns and volumes are taken over these hours.
const WINDOWS: [i64; 5] = [1, 4, 24, 72, 168];

/// Feature: how far the period went against the holder.
pub const AGAINST: usize = 0;
/// Features: how far it went beyond the extreme of the 1, 4, 12 and 24 hours before.
pub const BEYOND: [usize; 4] = [10, 11, 12, 13];
/// Feature: root mean square move of an hour, over the day before.
pub const SIGMA: usize = 29;
/// Features that are told of a cell of a short window: the window's own way and volume, and what the last hours and the
/// last day were like.
pub const CELL: [usize; 19] = [
    0, 1, 2, 4, 6, 7, 9, 10, 11, 12, 13, 23, 24, 25, 26, 28, 29, 31, 41,
];

/// A path model beside P: what it is told or is not, in words and in features.
pub type Rival = (&'static str, Told);
/// What the map adds depends on what P is told: one that is told more, and some that are told less, from little less
/// to the bare distances.
pub const RIVALS: [Rival; 5] = [
    (
        "told what was liquidated before",
        Told {
            without: &[],
            remembers: true,
        },
    ),
    ("not told the price level", less(&[42])),
    (
        "not told the volume of the period",
        less(&[7, 8, 9, 25, 28, 31, 34, 37]),
    ),
    ("told neither", less(&[7, 8, 9, 25, 28, 31, 34, 37, 42])),
    (
        "told distances, returns, volatilities only",
        less(&[4, 5, 6, 7, 8, 9, 25, 28, 31, 34, 37, 38, 39, 40, 42]),
    ),
];

const fn less(without: &'static [usize]) -> Told {
    Told {
        without,
        remembers: false,
    }
}

/// A period's path as P sees it, per holder.
pub type Seen = [Vec<f64>; 2];

/// One candle in numbers.
#[derive(Debug, Clone, Copy)]
struct Bit {
    start: i64,
    end: i64,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    usd: f64,
}

/// Natural logarithm of a price.
pub(super) fn ln(price: Px) -> f64 {
    ln_px(price) as f64 / (1i64 << 48) as f64
}

/// The candles of the venue that told most of the price: its bars, or minutes made of its trades, or of its marks.
#[must_use]
pub fn candles(input: &Input) -> Vec<Candle> {
    let weight = |s: &&Source| (s.bars.len() + s.trades.len(), s.marks.len());
    let Some(source) = input.sources.iter().max_by_key(weight) else {
        return Vec::new();
    };
    let first = source.trades.first().map_or(Nanos::new(i64::MAX), |t| t.at);
    let mut all: Vec<Candle> = source
        .bars
        .iter()
        .filter(|b| b.end <= first)
        .copied()
        .collect();
    let trades = source.trades.iter().map(|t| (t.at, t.price, t.qty));
    let marks = source.marks.iter().map(|(at, px)| (*at, *px, Qty::ZERO));
    let moves: Vec<(Nanos, Px, Qty)> = if source.trades.is_empty() && all.is_empty() {
        marks.collect()
    } else {
        trades.collect()
    };
    for (at, price, qty) in moves {
        let start = Nanos::new(at.get() - at.get().rem_euclid(Nanos::MINUTE.get()));
        match all.last_mut() {
            Some(last) if last.start == start => {
                last.high = last.high.max(price);
                last.low = last.low.min(price);
                last.close = price;
                last.volume = last.volume.plus(qty);
            }
            _ => all.push(Candle {
                start,
                end: start.plus(Nanos::MINUTE),
                open: price,
                high: price,
                low: price,
                close: price,
                volume: qty,
            }),
        }
    }
    all.retain(|c| bucket_of(c.low) <= bucket_of(c.high) && c.low.get() > 0);
    all
}

/// Features of every period; `None` where no candle lies in it or none before it.
#[must_use]
pub fn features(candles: &[Candle], periods: &[Period]) -> Vec<Option<Seen>> {
    let bits: Vec<Bit> = candles
        .iter()
        .map(|c| Bit {
            start: c.start.get(),
            end: c.end.get(),
            open: ln(c.open),
            high: ln(c.high),
            low: ln(c.low),
            close: ln(c.close),
            usd: c.volume.get() as f64 / Qty::ONE as f64 * c.close.get() as f64 / Px::ONE as f64,
        })
        .collect();
    periods.iter().map(|period| of(&bits, period)).collect()
}

fn of(bits: &[Bit], period: &Period) -> Option<Seen> {
    let (start, end) = (period.start.get(), period.end.get());
    let from = bits.partition_point(|b| b.start < start);
    let to = bits.partition_point(|b| b.end <= end);
    let (past, now) = (bits.get(..from)?, bits.get(from..to)?);
    let first = now.first()?;
    let last_past = past.last()?;
    let begin = first.open;
    let seen = Holder::BOTH.map(|holder| {
        // Longs die downwards: with the sign, "against" is always up.
        let sign = holder.hurts() as f64;
        let worst = |b: &Bit| sign * if sign < 0.0 { b.low } else { b.high };
        let best = |b: &Bit| sign * if sign < 0.0 { b.high } else { b.low };
        let base = sign * begin;
        let mut row = Vec::with_capacity(FEATURES);
        let against = now.iter().map(worst).fold(f64::MIN, f64::max);
        let with = now.iter().map(best).fold(f64::MAX, f64::min);
        let close = now.last().map_or(begin, |b| b.close);
        row.push(against - base);
        row.push(base - with);
        row.push(against - with);
        row.push(sign * (close - begin));
        row.push(variation(now));
        row.push(now.iter().map(|b| b.high - b.low).fold(0.0, f64::max));
        let worst_bar = |b: &Bit| worst(b) - sign * b.open;
        row.push(now.iter().map(worst_bar).fold(f64::MIN, f64::max));
        let usd: f64 = now.iter().map(|b| b.usd).sum();
        let busiest = now.iter().map(|b| b.usd).fold(0.0, f64::max);
        row.push((1.0 + usd).ln());
        row.push((1.0 + busiest).ln());
        // Volume that traded beyond the begin, on the side that hurts.
        let beyond: f64 = now
            .iter()
            .filter(|b| sign * b.close > base)
            .map(|b| b.usd)
            .sum();
        row.push((1.0 + beyond).ln());
        for hours in EXTREMES {
            let before = since(past, start, hours);
            let extreme = before.iter().map(worst).fold(f64::MIN, f64::max);
            let known = extreme > f64::MIN;
            row.push(if known { against - extreme } else { f64::NAN });
            if hours >= 24 {
                row.push(if known { base - extreme } else { f64::NAN });
            }
        }
        for hours in WINDOWS {
            let before = since(past, start, hours);
            let old = before.first().map_or(last_past.close, |b| b.open);
            row.push(variation(before) / (hours as f64).sqrt());
            row.push(sign * (begin - old));
            let volume: f64 = before.iter().map(|b| b.usd).sum();
            let span = (end - start) as f64 / Nanos::HOUR.get() as f64 / hours as f64;
            row.push(((1.0 + usd) / (1.0 + volume * span)).ln());
        }
        let hour = (start.rem_euclid(Nanos::DAY.get())) as f64 / Nanos::DAY.get() as f64;
        row.push((hour * core::f64::consts::TAU).sin());
        row.push((hour * core::f64::consts::TAU).cos());
        row.push(((start / Nanos::DAY.get() + 4).rem_euclid(7)) as f64);
        row.push(sign);
        row.push(begin);
        row
    });
    Some(seen)
}

/// Candles of the hours before a moment.
fn since(past: &[Bit], start: i64, hours: i64) -> &[Bit] {
    let from = start - hours * Nanos::HOUR.get();
    &past[past.partition_point(|b| b.start < from)..]
}

/// Root of the sum of squared moves.
fn variation(bits: &[Bit]) -> f64 {
    bits.iter()
        .map(|b| (b.close - b.open).powi(2))
        .sum::<f64>()
        .sqrt()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;
    use crate::time::Nanos;

    /// Ten hours of candles of five minutes that only rise, and one period at their end.
    fn seen(volume: i64) -> Seen {
        let minutes = |n: i64| Nanos::new(n * Nanos::MINUTE.get());
        let candle = |i: i64| Candle {
            start: minutes(5 * i),
            end: minutes(5 * (i + 1)),
            open: Px::new((100 + i) * Px::ONE),
            high: Px::new((102 + i) * Px::ONE),
            low: Px::new((99 + i) * Px::ONE),
            close: Px::new((101 + i) * Px::ONE),
            volume: Qty::new(if i < 108 { 10 } else { volume } * Qty::ONE),
        };
        let candles: Vec<Candle> = (0..120).map(candle).collect();
        let period = Period {
            start: minutes(540),
            end: minutes(600),
            usd: [0.0; 2],
        };
        features(&candles, &[period]).pop().flatten().unwrap()
    }

    #[test]
    fn features_stand_where_they_are_named() {
        let row = &seen(10)[Holder::Short as usize];
        assert_eq!(row.len(), FEATURES);
        let ln = |price: f64| price.ln();
        assert!((row[AGAINST] - (ln(221.0) - ln(208.0))).abs() < 1e-6);
        assert!((row[BEYOND[3]] - (ln(221.0) - ln(209.0))).abs() < 1e-6);
        let level = super::ln(Px::new(208 * Px::ONE));
        assert!((row[FEATURES - 1] - level).abs() < 1e-6, "price level");
        assert!(row[SIGMA] > 0.0 && row[SIGMA] < 0.1);
        let named = RIVALS.iter().flat_map(|(_, told)| told.without);
        assert!(named.chain(&CELL).all(|at| *at < FEATURES));
    }

    #[test]
    fn without_its_volume_a_period_looks_the_same_whatever_was_traded() {
        let volume = RIVALS[2].1.without;
        // Of shorts: whom a rise hurts has volume beyond the begin.
        let [quiet, busy] = [10, 1_000].map(|volume| seen(volume)[1].clone());
        for (at, (a, b)) in quiet.iter().zip(&busy).enumerate() {
            assert_eq!((a - b).abs() > 1e-9, volume.contains(&at), "{at}: {a} {b}");
        }
    }
}
