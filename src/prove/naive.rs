//! Naive maps: the ones to be beaten, plain `f64` arrays that share nothing with the inventory but the ladder.
//!
//! One grid of 2 bp buckets per holder and class over all prices of a history. Openings are laid along the bars by the
//! leverage mix, on both sides; nothing closes. A map *without closes* loses a bucket when the price goes through it;
//! one that *never removes* keeps all of it for ever, as most drawings do. Frozen they are read with the kernel that
//! the product's map is read with.
//!
//! The time-at-price ladder knows no volume and no interest: every minute opens [`MINUTE_USD`] a side at the price
//! where it was spent, half of what stands is closed every [`HALF_LIFE`], buckets that the price goes through are
//! emptied.

use super::input::{Candle, Input, Period};
use super::walk::{Mass, Met, Pair, around};
use crate::inventory::params::{Choice, LADDER_HALF, MIX_LEVERAGE_E2, nearest_row};
use crate::inventory::{CLASSES, Params};
use crate::market::Holder;
use crate::num::fixed::ONE32;
use crate::num::{Px, Qty};
use crate::time::Nanos;

/// Width of a bucket in log price.
const WIDTH: f64 = 0.0002;
/// Half-life of the time-at-price ladder: a day, about that of the inventory's closes.
const HALF_LIFE: f64 = 86_400.0;

/// What a minute opens: of the size of what volume opens, for the unit of the logarithms must not decide.
const MINUTE_USD: f64 = 1e6;

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naive {
    /// Volume opens, nothing closes, the swept is removed.
    NoCloses,
    /// Volume opens, nothing leaves.
    NeverRemoved,
    /// Time opens, half closes a day, the swept is removed.
    TimeAtPrice,
}

/// Lays the leverage mix at 1/L of the entry's price, the most usual wrong distance, as the engine lays it at the right
/// one: each leverage moves a row of its own.
pub fn reciprocal(params: &mut Params, choice: &Choice) {
    let background = choice.background_e6 as f64 / 1e6;
    for (holder, sign) in [(Holder::Long, -1.0), (Holder::Short, 1.0)] {
        let mut shares = [0.0; CLASSES];
        let half = &mut params.far_half[holder as usize];
        *half = LADDER_HALF;
        let mut under = CLASSES;
        for (leverage, share) in MIX_LEVERAGE_E2.into_iter().zip(choice.mix_e6) {
            let distance = (sign * 100.0 / f64::from(leverage)).ln_1p().abs();
            let distance_e6 = (distance * 1e6).round() as i64;
            if let Some(row) = nearest_row(distance_e6, under) {
                shares[row] += share as f64 / 1e6;
                half[row] = (distance_e6 + 50) / 100;
                under = row;
            }
        }
        let row = &mut params.mix[holder as usize];
        for (k, (cell, share)) in row.iter_mut().zip(shares).enumerate() {
            let own = if k < 4 { background / 4.0 } else { 0.0 };
            *cell = ((share * (1.0 - background) + own) * ONE32 as f64) as i64;
        }
    }
}

struct Grid {
    /// Log price of the lowest bucket's low edge.
    low: f64,
    /// Per holder and bucket, a ladder of dollars over `scale`.
    cells: [Vec<Mass>; 2],
    /// What every cell is multiplied with: closing touches one number.
    scale: f64,
    /// Log distance from entry to liquidation.
    far: [[f64; CLASSES]; 2],
}

impl Grid {
    fn bucket(&self, ln: f64) -> usize {
        let at = ((ln - self.low) / WIDTH).floor();
        (at.max(0.0) as usize).min(self.cells[0].len() - 1)
    }

    /// Mass of a holder from the price at `from` to that at `to`, both buckets included, emptied when `take`.
    fn met(&mut self, d: usize, from: f64, to: f64, take: bool) -> Mass {
        let mut sum = [0.0; CLASSES];
        if (d == 0 && to >= from) || (d == 1 && to <= from) {
            return sum;
        }
        let (a, b) = (self.bucket(from.min(to)), self.bucket(from.max(to)));
        for cell in &mut self.cells[d][a..=b] {
            sum.iter_mut().zip(cell.iter()).for_each(|(s, c)| *s += c);
            if take {
                *cell = [0.0; CLASSES];
            }
        }
        sum.map(|v| v * self.scale)
    }

    fn close(&mut self, kept: f64) {
        self.scale *= kept;
        if self.scale < 1e-100 {
            let cells = self.cells.iter_mut().flatten();
            cells.flatten().for_each(|v| *v *= self.scale);
            self.scale = 1.0;
        }
    }

    fn open(&mut self, ln: f64, dollars: f64, mix: &[[f64; CLASSES]; 2]) {
        for (d, way) in [(0, -1.0), (1, 1.0)] {
            for (k, (far, share)) in self.far[d].into_iter().zip(mix[d]).enumerate() {
                let at = self.bucket(ln + way * far);
                self.cells[d][at][k] += dollars * share / self.scale;
            }
        }
    }
}

fn ln(price: Px) -> f64 {
    (price.get() as f64 / Px::ONE as f64).ln()
}

/// A naive map as it stands, led along the candles of the first venue.
pub(super) struct Standing<'a> {
    candles: &'a [Candle],
    which: Naive,
    mix: [[f64; CLASSES]; 2],
    grid: Grid,
    /// Candles that were walked.
    candle: usize,
    /// Log price.
    ln: f64,
}

impl<'a> Standing<'a> {
    pub(super) fn new(input: &Input, candles: &'a [Candle], which: Naive, choice: &Choice) -> Self {
        let lows = candles.iter().map(|c| ln(c.low)).fold(f64::MAX, f64::min);
        let highs = candles.iter().map(|c| ln(c.high)).fold(f64::MIN, f64::max);
        let source = input.sources.first();
        let tiers = source.map_or(&[][..], |s| s.tiers.as_slice());
        let params = Params::chosen(choice, &crate::inventory::liquidation::BINANCE, tiers);
        // Without a finite price there is one bucket, and nothing is ever laid.
        let is_known = lows.is_finite() && highs.is_finite();
        let candles = if is_known { candles } else { &[] };
        let (low, high) = if is_known { (lows, highs) } else { (0.0, 0.0) };
        let buckets = ((high - low + 0.8) / WIDTH) as usize + 2;
        Self {
            candles,
            which,
            mix: params
                .mix
                .map(|row| row.map(|share| share as f64 / ONE32 as f64)),
            grid: Grid {
                low: low - 0.4,
                cells: [vec![[0.0; CLASSES]; buckets], vec![[0.0; CLASSES]; buckets]],
                scale: 1.0,
                // A half bucket is a basis point.
                far: params.far_half.map(|row| row.map(|half| half as f64 / 1e4)),
            },
            candle: 0,
            ln: candles.first().map_or(0.0, |c| ln(c.open)),
        }
    }

    /// Walks the candles that end by then; what they meet is added to `met`.
    fn walk(&mut self, until: Nanos, mut met: Option<&mut Pair>) {
        let take = self.which != Naive::NeverRemoved;
        while let Some(c) = self.candles.get(self.candle).filter(|c| c.end <= until) {
            let met = met.as_deref_mut();
            self.ln = step(&mut self.grid, c, self.which, &self.mix, self.ln, take, met);
            self.candle += 1;
        }
    }

    /// Walks the candles that end by then.
    pub(super) fn advance(&mut self, until: Nanos) {
        self.walk(until, None);
    }

    /// What stands of a holder in the bucket that holds a price, by class.
    pub(super) fn at(&self, holder: Holder, price: Px) -> Mass {
        let cells = &self.grid.cells[holder as usize];
        cells[self.grid.bucket(ln(price))].map(|mass| mass * self.grid.scale)
    }
}

/// Walks a naive map over the periods, along the candles of the first venue; one pair a period.
pub fn walk(
    input: &Input,
    candles: &[Candle],
    which: Naive,
    choice: &Choice,
    periods: &[Period],
) -> Vec<Pair> {
    let mut pairs = vec![Pair::default(); periods.len()];
    let mut map = Standing::new(input, candles, which, choice);
    if map.candles.is_empty() {
        return pairs;
    }
    for (period, pair) in periods.iter().zip(&mut pairs) {
        map.advance(period.start);
        let at = map.ln;
        let inside = map.candles[map.candle..]
            .iter()
            .take_while(|c| c.end <= period.end);
        let low = inside.clone().map(|c| ln(c.low)).fold(at, f64::min);
        let high = inside.map(|c| ln(c.high)).fold(at, f64::max);
        for (holder, to) in Holder::BOTH.into_iter().zip([low, high]) {
            let out = holder.hurts() as f64 / (1i64 << 48) as f64;
            let d = holder as usize;
            pair[d].frozen =
                around(|further| map.grid.met(d, at, to + out * further as f64, false));
        }
        map.walk(period.end, Some(pair));
        pair.iter_mut().for_each(|met| met.known = true);
    }
    pairs
}

/// One candle: the price walks, meets, and opens at the ends of its legs.
fn step(
    grid: &mut Grid,
    candle: &Candle,
    which: Naive,
    mix: &[[f64; CLASSES]; 2],
    from: f64,
    take: bool,
    mut met: Option<&mut [Met; 2]>,
) -> f64 {
    let [open, high, low, close] = [candle.open, candle.high, candle.low, candle.close].map(ln);
    let seconds = candle.end.since(candle.start).get() as f64 / Nanos::SECOND.get() as f64;
    let volume = candle.volume.get() as f64 / Qty::ONE as f64 * close.exp();
    let size = match which {
        Naive::TimeAtPrice => seconds / 60.0 * MINUTE_USD,
        _ => volume,
    };
    if which == Naive::TimeAtPrice {
        let kept = (-seconds / HALF_LIFE * core::f64::consts::LN_2).exp();
        grid.close(kept);
    }
    let turns = if close >= open {
        [open, low, high, close]
    } else {
        [open, high, low, close]
    };
    let mut at = from;
    for to in turns {
        for d in 0..2 {
            let mass = grid.met(d, at, to, take);
            if let Some(pair) = met.as_deref_mut() {
                pair[d]
                    .updated
                    .iter_mut()
                    .zip(&mass)
                    .for_each(|(s, m)| *s += m);
            }
        }
        at = to;
    }
    // Openings lie evenly between the extremes.
    let spots = (((high - low) / WIDTH) as usize).clamp(1, 64);
    for i in 0..spots {
        let part = (i as f64 + 0.5) / spots as f64;
        grid.open(low + (high - low) * part, size / spots as f64, mix);
    }
    at
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "shares are floats")]
mod tests {
    use super::*;
    use crate::market::VenueId;
    use crate::prove::input::{Source, Traded};
    use crate::prove::path;

    /// A venue that trades once a minute.
    fn input(prices: &[f64]) -> Input {
        let trade = |(minute, price): (usize, &f64)| Traded {
            at: Nanos::new(minute as i64 * Nanos::MINUTE.get()),
            price: Px::new((price * Px::ONE as f64).round() as i64),
            qty: Qty::new(Qty::ONE),
        };
        let mut input = Input::default();
        input.sources.push(Source {
            venue: VenueId::BINANCE,
            trades: prices.iter().enumerate().map(trade).collect(),
            ..Source::default()
        });
        input
    }

    #[test]
    fn one_over_the_leverage_is_of_the_price_and_not_of_its_log() {
        let mut params = Params::default();
        reciprocal(&mut params, &Choice::default());
        let row = |holder: Holder, half: i64| params.far_half[holder as usize].contains(&half);
        // 10x: the longs at 90 of 100, the shorts at 110.
        assert!(row(Holder::Long, 1_054) && row(Holder::Short, 953));
        assert!(!row(Holder::Long, 1_000) && !row(Holder::Short, 1_000));
    }

    /// What the map of a bar at 100 says of the way to `to`, of the longs of a class, over all that stands of them.
    fn said(which: Naive, class: usize, to: f64) -> f64 {
        let input = input(&[100.0, to]);
        let bars = &path::candles(&input);
        let periods = [Period {
            start: bars[1].start,
            end: bars[1].end,
            usd: [0.0; 2],
        }];
        let choice = Choice::default();
        let pairs = walk(&input, bars, which, &choice, &periods);
        let mut laid = Standing::new(&input, bars, which, &choice);
        laid.advance(bars[0].end);
        let (ln, far) = (100f64.ln(), laid.grid.far[0][class]);
        let all = laid.grid.cells[0][laid.grid.bucket(ln - far)][class] * laid.grid.scale;
        assert!(all > 0.0);
        pairs[0][0].frozen[class] / all
    }

    /// A map frozen is read with the kernel of the product's: what lies nine basis points from the extreme is met in
    /// part, what lies eighteen away not at all or whole, whichever map it is.
    #[test]
    fn frozen_naive_maps_are_read_as_ours_is() {
        let class = 9;
        let far = {
            let map = Standing::new(&input(&[1.0]), &[], Naive::NoCloses, &Choice::default());
            map.grid.far[0][class]
        };
        let to = |beyond_bp: f64| 100.0 * (-far - beyond_bp / 1e4).exp();
        for which in [Naive::NoCloses, Naive::NeverRemoved, Naive::TimeAtPrice] {
            let met = [-18.0, -9.0, 0.0, 9.0, 18.0].map(|bp| said(which, class, to(bp)));
            assert!(
                met[0] == 0.0 && (met[4] - 1.0).abs() < 1e-9,
                "{which:?}: {met:?}"
            );
            assert!(
                met.is_sorted() && 0.04 < met[1] && met[3] < 0.96,
                "{which:?}: {met:?}"
            );
            assert!((met[2] - 0.5).abs() < 0.11, "{which:?}: {met:?}");
        }
    }
}
