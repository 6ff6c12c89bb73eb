//! Structure: prices that people remember, for step 4 of the zones. Swings, the day's range, the volume profile, the
//! highs and lows of the day, week and month before, round numbers.
//!
//! Fed by the reference venue's trades. Bars of five minutes, on the absolute grid; a *swing* is a bar whose high (low)
//! is above (below) those of three bars on either side, so it is known three bars late; the *range* is of the bars of
//! the last 24 hours; the *profile* is volume at price in steps of 10 bp since UTC midnight, with its point of control
//! and the 70 % around it, of the day before while this one has fewer than 500 trades. A day, week or month counts as
//! *the one before* when it was seen from its beginning and has just ended: the high of half a day is not the day's.
//!
//! What is not known adds nothing. Cost: a trade is a few compares and at most one division, all else happens when a
//! bar ends. Integers only. All zeros is "nothing seen".

use super::odds::{FAMILIES, UNKNOWN};
use crate::num::fixed::{divq, mul32};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

const BAR: Nanos = Nanos::seconds(300);
/// Bars of a day.
const BARS: usize = 288;
/// Bars on either side of a swing.
const WING: usize = 3;
/// Swings kept of each kind.
const SWINGS: usize = 8;
/// Steps of the profile in the day's first price: 10 bp each.
const STEP: i64 = 1_000;
/// Steps of the profile: ±25 % around the day's first trade. LIMIT: what trades beyond is booked at the ends.
const STEPS: usize = 512;
/// Trades that a day's profile needs.
const TRADES: u64 = 500;
/// Share of the profile that is value, in tenths.
const VALUE: i64 = 7;
/// A period was seen from its beginning when its first trade came this soon.
const PROMPT: Nanos = Nanos::new(5 * Nanos::MINUTE.get());

/// Highest and lowest; zero = none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct Span {
    high: Px,
    low: Px,
}

impl Span {
    fn widen(&mut self, price: Px) {
        self.join(Self {
            high: price,
            low: price,
        });
    }
    fn join(&mut self, other: Self) {
        self.high = self.high.max(other.high);
        if self.low.get() == 0 || (other.low.get() > 0 && other.low < self.low) {
            self.low = other.low;
        }
    }
}

#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Bar {
    /// Bars since the epoch; 0 = unused.
    number: i64,
    span: Span,
}

/// A calendar period: the one that runs, and the one before when it was whole.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Period {
    key: i64,
    /// 1 when it was seen from its beginning.
    whole: u64,
    now: Span,
    before: Span,
}

/// Point of control and value area; zero = not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct Value {
    control: Px,
    high: Px,
    low: Px,
}

/// What one symbol's trades have left at the reference venue.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Structure {
    bar: Bar,
    bars: [Bar; BARS],
    bars_count: u64,
    /// Of the last 24 hours, as of the last bar.
    range: Span,
    highs: [Px; SWINGS],
    lows: [Px; SWINGS],
    highs_count: u64,
    lows_count: u64,
    /// Day, week, month.
    periods: [Period; 3],
    /// Volume at price, 1e-6 lots.
    profile: [i64; STEPS],
    /// The last trade's price, and its place in the profile.
    last: Px,
    last_at: u64,
    /// Price at which index 0 begins, and of one step; 0 = no day yet.
    profile_from: Px,
    profile_step: i64,
    profile_trades: u64,
    value: Value,
    value_before: Value,
}

/// Day, week (from Monday) and month of a stamp, and how far into each it lies.
fn calendar(now: Nanos) -> [(i64, Nanos); 3] {
    let day = now.day();
    let in_day = Nanos::new(now.get().rem_euclid(Nanos::DAY.get()));
    let into = |days: i64| in_day.plus(Nanos::new(days.saturating_mul(Nanos::DAY.get())));
    // 1970-01-01 was a Thursday.
    let (week, week_day) = ((day + 3).div_euclid(7), (day + 3).rem_euclid(7));
    // Days to civil, years from March so that the leap day is last.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let month_day = of_year - (153 * month + 2) / 5;
    let months = (era * 400 + year) * 12 + month;
    [
        (day, in_day),
        (week, into(week_day)),
        (months, into(month_day)),
    ]
}

impl Structure {
    /// A trade of the reference venue.
    #[inline]
    pub fn trade(&mut self, now: Nanos, price: Px, qty: Qty) {
        if price.get() <= 0 || qty.get() <= 0 || now <= Nanos::ZERO {
            return;
        }
        let number = now.get() / BAR.get();
        if number != self.bar.number {
            self.end_bar(now, number, price);
        }
        self.bar.span.widen(price);
        if price != self.last {
            let at = price.minus(self.profile_from).get() / self.profile_step.max(1);
            (self.last, self.last_at) = (price, at.clamp(0, STEPS as i64 - 1) as u64);
        }
        if let Some(cell) = self.profile.get_mut(self.last_at as usize) {
            *cell = cell.saturating_add(qty.get());
        }
        self.profile_trades += 1;
    }

    #[cold]
    fn end_bar(&mut self, now: Nanos, number: i64, price: Px) {
        if self.bar.number != 0 {
            let place = (self.bars_count % BARS as u64) as usize;
            self.bars[place] = self.bar;
            self.bars_count += 1;
            for period in &mut self.periods {
                period.now.join(self.bar.span);
            }
            self.swing();
            self.measure();
        }
        for (which, (key, into)) in calendar(now).into_iter().enumerate() {
            let period = &mut self.periods[which];
            if period.key == key {
                continue;
            }
            let follows = period.whole != 0 && period.key + 1 == key;
            period.before = if follows { period.now } else { Span::zeroed() };
            (period.key, period.now) = (key, Span::zeroed());
            period.whole = u64::from(into <= PROMPT);
            if which == 0 {
                self.value_before = self.value;
                self.value = Value::zeroed();
                self.profile.fill(0);
                (self.profile_trades, self.last) = (0, Px::ZERO);
                self.profile_step = (price.get() / STEP).max(1);
                let half = self.profile_step.saturating_mul(STEPS as i64 / 2);
                self.profile_from = price.minus(Px::new(half));
            }
        }
        self.bar = Bar {
            number,
            span: Span::zeroed(),
        };
        // The range is of the last day, and without bars it is not.
        let mut range = Span::zeroed();
        for bar in &self.bars {
            if bar.number > number - BARS as i64 {
                range.join(bar.span);
            }
        }
        self.range = range;
    }

    /// The bar `back` before the newest that ended.
    fn back(&self, back: usize) -> Option<&Bar> {
        let at = self.bars_count.checked_sub(1 + back as u64)?;
        (back < BARS).then(|| &self.bars[(at % BARS as u64) as usize])
    }

    /// Looks whether the bar three back is a swing.
    fn swing(&mut self) {
        let Some(&middle) = self.back(WING) else {
            return;
        };
        let (mut high, mut low) = (true, true);
        for back in (0..=2 * WING).filter(|back| *back != WING) {
            let Some(other) = self.back(back) else { return };
            high &= other.span.high < middle.span.high;
            low &= other.span.low > middle.span.low;
        }
        if high {
            self.highs[(self.highs_count % SWINGS as u64) as usize] = middle.span.high;
            self.highs_count += 1;
        }
        if low {
            self.lows[(self.lows_count % SWINGS as u64) as usize] = middle.span.low;
            self.lows_count += 1;
        }
    }

    /// Point of control, and the run of steps around it that holds the share of value, grown to the heavier side (of
    /// equal ones to both).
    fn measure(&mut self) {
        if self.profile_trades < TRADES {
            return;
        }
        let all = self
            .profile
            .iter()
            .fold(0i64, |sum, cell| sum.saturating_add(*cell));
        let mut best = 0;
        for (at, cell) in self.profile.iter().enumerate() {
            if *cell > self.profile[best] {
                best = at;
            }
        }
        let (mut low, mut high, mut held) = (best, best, self.profile[best]);
        while held < all / 10 * VALUE {
            let below = low.checked_sub(1).map(|at| self.profile[at]);
            let above = self.profile.get(high + 1).copied();
            let Some(most) = below.max(above) else { break };
            if below == Some(most) {
                (low, held) = (low - 1, held.saturating_add(most));
            }
            if above == Some(most) {
                (high, held) = (high + 1, held.saturating_add(most));
            }
        }
        let edge = |steps: usize| {
            let way = self.profile_step.saturating_mul(steps as i64);
            self.profile_from.plus(Px::new(way))
        };
        self.value = Value {
            control: edge(best).plus(Px::new(self.profile_step / 2)),
            high: edge(high + 1),
            low: edge(low),
        };
    }

    /// Distance from the run `low ..= high` to the nearest level of each of [`FAMILIES`], in sigmas (`sigma`: of five
    /// minutes, Q32 return), Q16; [`UNKNOWN`] where there is none, or no sigma.
    #[must_use]
    pub fn distances(&self, low: Px, high: Px, sigma: i64) -> [i64; FAMILIES.len()] {
        if sigma <= 0 || low.get() <= 0 {
            return [UNKNOWN; FAMILIES.len()];
        }
        // One sigma as a price step.
        let one = mul32(low.get(), sigma).max(1);
        let off = |level: Px| {
            if level < low {
                low.minus(level).get()
            } else {
                level.minus(high).get().max(0)
            }
        };
        let nearest = |levels: &mut dyn Iterator<Item = Px>| {
            let known = levels.filter(|level| level.get() > 0);
            let nearest = known.map(off).min();
            nearest.map_or(UNKNOWN, |off| divq(off, one))
        };
        let value = if self.value.control.get() > 0 {
            self.value
        } else {
            self.value_before
        };
        let periods = self.periods.iter();
        // The nearest multiple of a tenth of the price's own power of ten: 1000 at 65 000, 0.01 at 0.65.
        let round = 10i64.pow(low.get().max(10).ilog10().saturating_sub(1));
        let multiple = high.get() / round * round;
        [
            nearest(&mut self.highs.into_iter().chain(self.lows)),
            nearest(&mut [self.range.high, self.range.low].into_iter()),
            nearest(&mut [value.control, value.high, value.low].into_iter()),
            nearest(&mut periods.flat_map(|period| [period.before.high, period.before.low])),
            nearest(
                &mut [multiple, multiple.saturating_add(round)]
                    .map(Px::new)
                    .into_iter(),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::fixed::ONE;

    const CENT: Qty = Qty::new(1);
    /// 1 % of price.
    const SIGMA: i64 = 42_949_673;

    fn fresh() -> Box<Structure> {
        bytemuck::allocation::zeroed_box()
    }

    /// 2024-01-01 00:00:00 UTC, a Monday.
    const MONDAY: i64 = 1_704_067_200;

    fn at(seconds: i64) -> Nanos {
        Nanos::seconds(MONDAY + seconds)
    }

    fn of(structure: &Structure, price: i64) -> [i64; 5] {
        structure.distances(Px::whole(price), Px::whole(price), SIGMA)
    }

    #[test]
    fn the_calendar_knows_leap_years_and_mondays() {
        let day = |seconds: i64| calendar(at(seconds)).map(|(key, _)| key);
        let [d, w, m] = day(0);
        assert_eq!(day(86_399), [d, w, m]);
        assert_eq!(day(86_400), [d + 1, w, m]);
        assert_eq!(day(7 * 86_400), [d + 7, w + 1, m]);
        assert_eq!(day(31 * 86_400)[2], m + 1);
        // 2024-02-29 and 03-01.
        assert_eq!(day(59 * 86_400)[2], m + 1);
        assert_eq!(day(60 * 86_400)[2], m + 2);
        assert_eq!(day(366 * 86_400)[2], m + 12);
        assert_eq!(
            calendar(at(2 * 86_400 + 7))[1].1,
            Nanos::seconds(2 * 86_400 + 7)
        );
        let _ = calendar(Nanos::new(i64::MIN));
        let _ = calendar(Nanos::new(i64::MAX));
    }

    #[test]
    fn a_swing_is_known_three_bars_late() {
        let mut structure = fresh();
        for (bar, price) in [100, 101, 102, 110, 103, 102].into_iter().enumerate() {
            structure.trade(at(bar as i64 * 300), Px::whole(price), CENT);
        }
        structure.trade(at(6 * 300), Px::whole(101), CENT);
        assert_eq!(of(&structure, 110)[0], UNKNOWN);
        structure.trade(at(7 * 300), Px::whole(101), CENT);
        assert_eq!(of(&structure, 110)[0], 0);
        // One sigma away.
        let one = of(&structure, 100)[0] - 10 * ONE;
        assert!(one.abs() <= 2, "{one}");
        // The range is the bars' that ended.
        assert_eq!((of(&structure, 110)[1], of(&structure, 100)[1]), (0, 0));
        structure.trade(at(300 * 300), Px::whole(105), CENT);
        assert_ne!(of(&structure, 110)[1], 0, "a day later it is another range");
    }

    #[test]
    fn the_day_before_must_have_been_whole() {
        let mut structure = fresh();
        structure.trade(at(40_000), Px::whole(90), CENT);
        structure.trade(at(86_400), Px::whole(100), CENT);
        structure.trade(at(86_800), Px::whole(120), CENT);
        structure.trade(at(87_800), Px::whole(105), CENT);
        assert_eq!(of(&structure, 90)[3], UNKNOWN, "half a Monday");
        structure.trade(at(2 * 86_400), Px::whole(105), CENT);
        assert_eq!((of(&structure, 120)[3], of(&structure, 100)[3]), (0, 0));
        structure.trade(at(9 * 86_400), Px::whole(105), CENT);
        assert_eq!(of(&structure, 120)[3], UNKNOWN, "a day too long ago");
    }

    #[test]
    fn the_profile_finds_control_and_value() {
        let mut structure = fresh();
        for n in 0..600 {
            let price = if n % 10 < 8 { 1_000 } else { 1_030 };
            structure.trade(at(n), Px::whole(price), Qty::new(100));
        }
        structure.trade(at(900), Px::whole(1_000), Qty::new(1));
        // The middle of a step of 10 bp: at most half of one away.
        let control = of(&structure, 1_000)[2];
        assert!(control <= ONE / 20, "{control}");
        let off = of(&structure, 1_030)[2];
        assert!(off > 2 * ONE && off < 3 * ONE, "{off}");
        // The next day has none of its own yet.
        structure.trade(at(86_400), Px::whole(1_000), Qty::new(1));
        assert_eq!(of(&structure, 1_000)[2], control);
    }

    #[test]
    fn round_is_a_tenth_of_the_power_of_ten() {
        let structure = fresh();
        let off = |low: &str, high: &str| {
            let [low, high] = [low, high].map(|text| Px::parse(text).unwrap());
            structure.distances(low, high, SIGMA)[4]
        };
        assert_eq!(off("64900", "65100"), 0);
        assert!(off("65100", "65200") > 0);
        let want = 350 * 100 * ONE / 64_350;
        assert!((off("64350", "64350") - want).abs() < 9);
        assert_eq!(off("0.6495", "0.6502"), 0);
        assert_eq!(
            off("0.0000000001", "0.0000000001"),
            off("0.0000000001", "0.0000000001")
        );
    }

    #[test]
    fn extremes_do_not_panic() {
        let mut structure = fresh();
        for now in [1, Nanos::DAY.get() * 40_000, i64::MAX] {
            for price in [1, i64::MAX] {
                structure.trade(Nanos::new(now), Px::new(price), Qty::new(i64::MAX));
                let _ = structure.distances(Px::new(1), Px::new(i64::MAX), 1);
                let _ = structure.distances(Px::new(price), Px::new(price), i64::MAX);
            }
        }
        structure.trade(Nanos::new(i64::MIN), Px::new(5), Qty::new(5));
    }
}
