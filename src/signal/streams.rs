//! Streams: what has happened to one symbol, as decayed sums, time-weighted means, rings and ages.
//!
//! An event costs a few adds: it lands in running totals. Totals are brought into the windows' decayed sums at *folds*
//! (1/256 of a window, on the absolute grid of shard time; an event counts as if it came at the end of its fold, at
//! most 0.27 % of its weight), states (queue, depth, premium, gap of last and mark) are sampled on the base step of
//! 39.0625 ms and weighted by time, last value carried. Rings and baselines move at *samples* (1/16). Everything is
//! rolled before an event lands, so a sum at a boundary does not depend on how many messages told the same story.
//!
//! Units: money cents, quantities 1e-6 lots, counts and weights of time Q16, ratios and returns Q32. Two prices are
//! "twice the mid" so that half steps are exact. A second is the first base step at or after a whole second.

use super::view::{INPUTS, input};
use super::window::{FOLDS, SAMPLES, WINDOWS, Window};
use crate::book::{Book, Rung};
use crate::event::{Funding, Liquidation, Trade};
use crate::market::{Holder, Side};
use crate::num::fixed::{ONE, ONE32, clip, exp2neg, imbalance32, isqrt, mul32};
use crate::num::log::return_q32;
use crate::num::{Px, Qty, Round, Usd, narrow};
use crate::shm::record::Ages;
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// The base step of shard time: the fold of the shortest window.
pub const BASE: i64 = Window::S10.fold().get();
/// How often the whole book is walked for depth, at most.
const DEPTH_STEP: i64 = 100_000_000;
/// Reach of the depth readings, basis points of the mid.
const DEPTH_BPS: i64 = 25;
/// One-second returns before a volatility is believed.
const SIGMA_MIN: u64 = 60;
/// Trades' 1e-16 quote units in one cent.
const CENT: u128 = 100_000_000_000_000;
/// LIMIT: a base step carries at most this many cents a side.
const STEP_CENTS: u128 = 1 << 52;

/// What is summed, per window.
#[allow(missing_docs, reason = "each is explained once, in the array's doc")]
pub mod channel {
    pub const BUY: usize = 0;
    pub const SELL: usize = 1;
    pub const BUYS: usize = 2;
    pub const SELLS: usize = 3;
    pub const LONGS: usize = 4;
    pub const SHORTS: usize = 5;
    pub const OFI: usize = 6;
    pub const QUEUE: usize = 7;
    pub const QUEUE_TIME: usize = 8;
    pub const DEPTH: usize = 9;
    pub const DEPTH_TIME: usize = 10;
    pub const PREMIUM: usize = 11;
    pub const PREMIUM_TIME: usize = 12;
    pub const LEAN: usize = 13;
    pub const LEAN_TIME: usize = 14;
    /// How many.
    pub const COUNT: usize = 15;
}
use channel::COUNT;

/// One symbol's streams. All zeros is "nothing heard".
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Streams {
    /// Decayed sums per window by [`channel`]: taker notional bought and sold (cents), orders bought and sold (Q16),
    /// forced notional of longs and shorts (cents), best-quote flow (1e-6 lots), then four states as (value x time,
    /// time): queue imbalance, depth imbalance, perp premium, last over mark (Q32 per base step, Q16 per base step).
    pub sums: [[i64; COUNT]; WINDOWS],
    seen: [[i64; COUNT]; WINDOWS],
    totals: [i64; COUNT],
    /// Return over each window, Q32; read where `returns_known`.
    pub returns: [i64; WINDOWS],
    /// 1 where the ring is a whole window long.
    pub returns_known: [u64; WINDOWS],
    /// Return of open interest over each window, Q32; read where `interest_known`.
    pub interest_moves: [i64; WINDOWS],
    /// 1 where the ring is a whole window long.
    pub interest_known: [u64; WINDOWS],
    /// Decayed mean of squared interest moves, Q64.
    pub interest_var: [i64; WINDOWS],
    interest_samples: [u64; WINDOWS],
    /// Volatility of a return over each window, Q32; 0 = not warm.
    pub sigmas: [i64; WINDOWS],
    variance: [i64; WINDOWS],
    variance_samples: u64,
    /// Decayed mean over the baseline of buys + sells of the window, cents.
    pub turnover: [i64; WINDOWS],
    turnover_fine: [i64; WINDOWS],
    turnover_samples: [u64; WINDOWS],
    /// Decayed mean over the baseline of both best quantities together, 1e-6 lots.
    pub touch: [i64; WINDOWS],
    touch_fine: [i64; WINDOWS],
    touch_samples: [u64; WINDOWS],
    mids: [[i64; SAMPLES as usize]; WINDOWS],
    interests: [[i64; SAMPLES as usize]; WINDOWS],
    turns: [i64; WINDOWS],
    step: i64,
    next: i64,
    second: i64,
    second_price: i64,
    notional: [[u64; 2]; 2],
    order_ms: [i64; 2],
    /// Twice the mid of the reference book; 0 = never known.
    pub mid2: i64,
    /// Price of the last trade.
    pub last: Px,
    /// Mark; 0 = never heard.
    pub mark: Px,
    /// Index; 0 = never heard.
    pub index: Px,
    /// Open interest, one side; 0 = never heard.
    pub interest: Qty,
    /// Funding per eight hours, Q32.
    pub funding_q32: i64,
    funding_interval: Nanos,
    bid: Rung,
    ask: Rung,
    quoted: u64,
    /// Changes of the best bid or offer.
    pub quotes: u64,
    depth_due: i64,
    depth_known: u64,
    depth_q32: i64,
    /// Resting notional within 25 bp of the mid, both sides; as of the last walk of the book.
    pub depth_usd: Usd,
    heard: [i64; INPUTS],
    gaps: [i64; INPUTS],
    /// How often each input was heard.
    pub counts: [u64; INPUTS],
    /// Base steps for which the state of each input was known (book, index, mark).
    pub steady: [u64; INPUTS],
    lost: u64,
}

/// Moves a mean kept with 16 more bits toward `x`, by at least 1/(n+1); answers it without the bits.
fn lean(fine: &mut i64, samples: &mut u64, x: i64, rate: i64) -> i64 {
    let young = ONE32 / (clip(narrow(i128::from(*samples)), 0, 1 << 30) + 1);
    let share = i128::from(rate.max(young));
    let gap = (i128::from(x) << 16) - i128::from(*fine);
    *fine = narrow(i128::from(*fine) + share * gap / i128::from(ONE32));
    *samples = samples.saturating_add(1);
    *fine / ONE
}

fn square(x: i64) -> i64 {
    let x = clip(x, -(ONE32 / 2), ONE32 / 2);
    x * x
}

impl Streams {
    #[inline(always)]
    fn roll(&mut self, now: Nanos) {
        if now.get() >= self.next {
            self.advance(now.get());
        }
    }

    /// Brings everything to the base step that holds `now`.
    fn advance(&mut self, now: i64) {
        let step = now.max(0) / BASE;
        self.next = (step + 1).saturating_mul(BASE);
        let gone = clip(step - self.step, 0, 1 << 24);
        if self.step == 0 {
            // The first step: nothing to fold yet, but the grids must start where they lie.
            self.turns = Window::ALL.map(|w| now / w.fold().get());
            self.second = now / 1_000_000_000;
            self.step = step;
            return;
        }
        self.step = step;
        self.drain();
        self.accrue(gone);
        self.beat(now / 1_000_000_000);
        for w in Window::ALL {
            let (turn, i) = (now / w.fold().get(), w.index());
            let before = self.turns[i];
            if turn <= before {
                continue;
            }
            self.turns[i] = turn;
            self.fold(w, turn - before);
            let samples = turn / (FOLDS / SAMPLES) - before / (FOLDS / SAMPLES);
            if samples > 0 {
                self.sample(w, turn / (FOLDS / SAMPLES), samples);
            }
        }
    }

    /// Pending notionals become cents; what is less than a cent stays pending, so splitting a trade changes nothing.
    fn drain(&mut self) {
        for (side, parts) in self.notional.iter_mut().enumerate() {
            let whole = u128::from(parts[0]) | u128::from(parts[1]) << 64;
            if whole < CENT {
                continue;
            }
            let cents = (whole / CENT).min(STEP_CENTS);
            let rest = whole % CENT;
            *parts = [rest as u64, (rest >> 64) as u64];
            let total = &mut self.totals[channel::BUY + side];
            *total = total.wrapping_add(cents as i64);
        }
    }

    /// Adds `gone` base steps of the present states.
    fn accrue(&mut self, gone: i64) {
        if self.quoted != 0 {
            let queue = imbalance32(self.bid.qty.get(), self.ask.qty.get());
            self.add_state(channel::QUEUE, queue, gone);
            self.steady[input::BOOK] += gone as u64;
            if self.depth_known != 0 {
                self.add_state(channel::DEPTH, self.depth_q32, gone);
            }
            if self.index.get() > 0 {
                let twice = self.index.get().saturating_mul(2);
                self.add_state(channel::PREMIUM, return_q32(twice, self.mid2), gone);
                self.steady[input::INDEX] += gone as u64;
            }
        }
        if self.mark.get() > 0 {
            self.steady[input::MARK] += gone as u64;
            if self.last.get() > 0 {
                let gap = return_q32(self.mark.get(), self.last.get());
                self.add_state(channel::LEAN, gap, gone);
            }
        }
    }

    fn add_state(&mut self, at: usize, value: i64, gone: i64) {
        let area = value.saturating_mul(gone);
        self.totals[at] = self.totals[at].wrapping_add(area);
        self.totals[at + 1] = self.totals[at + 1].wrapping_add(gone * ONE);
    }

    /// Twice the price that returns are taken of: the mid, or the mark where no book was ever seen.
    fn reference(&self) -> i64 {
        if self.mid2 > 0 {
            self.mid2
        } else {
            self.mark.get().saturating_mul(2)
        }
    }

    /// One-second returns into the variances. A hole of more than a second is no sample.
    fn beat(&mut self, second: i64) {
        let gone = second - self.second;
        if gone <= 0 {
            return;
        }
        self.second = second;
        let price = self.reference();
        let before = core::mem::replace(&mut self.second_price, price);
        if gone != 1 || before <= 0 || price <= 0 {
            return;
        }
        let squared = i128::from(square(return_q32(before, price)));
        self.variance_samples = self.variance_samples.saturating_add(1);
        let young = ONE32 / clip(narrow(i128::from(self.variance_samples)), 1, 1 << 30);
        for w in Window::ALL {
            let variance = &mut self.variance[w.index()];
            let share = i128::from(w.second_rate().max(young));
            let moved = share * (squared - i128::from(*variance)) / i128::from(ONE32);
            *variance = narrow(i128::from(*variance) + moved);
        }
        if self.variance_samples == SIGMA_MIN {
            for w in Window::ALL {
                self.measure(w);
            }
        }
    }

    fn measure(&mut self, w: Window) {
        if self.variance_samples >= SIGMA_MIN {
            let variance = i128::from(self.variance[w.index()]) * i128::from(w.seconds());
            self.sigmas[w.index()] = isqrt(variance);
        }
    }

    /// Brings the window's sums `turns` folds on: what came since the last fold came in the first of them.
    fn fold(&mut self, w: Window, turns: i64) {
        const KEEP: i64 = exp2neg(ONE / FOLDS);
        let i = w.index();
        let rest = exp2neg(clip(turns - 1, 0, 1 << 30) * (ONE / FOLDS));
        for c in 0..COUNT {
            let fresh = self.totals[c].wrapping_sub(self.seen[i][c]);
            self.seen[i][c] = self.totals[c];
            let sum = mul32(self.sums[i][c], KEEP).saturating_add(fresh);
            self.sums[i][c] = if turns > 1 { mul32(sum, rest) } else { sum };
        }
        if self.quoted != 0 {
            let both = self.bid.qty.plus(self.ask.qty).get();
            let (fine, n) = (&mut self.touch_fine[i], &mut self.touch_samples[i]);
            self.touch[i] = lean(fine, n, both, w.fold_rate());
        }
    }

    /// Moves the window's rings and baselines to sample number `sample`, `gone` after the last.
    fn sample(&mut self, w: Window, sample: i64, gone: i64) {
        let i = w.index();
        self.measure(w);
        let place = (sample % SAMPLES) as usize;
        let (price, interest) = (self.reference(), self.interest.get());
        let (old_price, old_interest) = (self.mids[i][place], self.interests[i][place]);
        for back in 0..gone.min(SAMPLES) {
            let at = (sample - back).rem_euclid(SAMPLES) as usize;
            self.mids[i][at] = price;
            self.interests[i][at] = interest;
        }
        self.returns_known[i] = u64::from(old_price > 0 && price > 0);
        self.returns[i] = return_q32(old_price, price);
        self.interest_known[i] = u64::from(old_interest > 0 && interest > 0);
        self.interest_moves[i] = return_q32(old_interest, interest);
        if self.interest_known[i] != 0 {
            let squared = i128::from(square(self.interest_moves[i]));
            let n = &mut self.interest_samples[i];
            *n = n.saturating_add(1);
            let share = w
                .sample_rate()
                .max(ONE32 / clip(narrow(i128::from(*n)), 1, 1 << 30));
            let var = &mut self.interest_var[i];
            let moved = i128::from(share) * (squared - i128::from(*var)) / i128::from(ONE32);
            *var = narrow(i128::from(*var) + moved);
        }
        let sums = &self.sums[i];
        let volume = sums[channel::BUY].saturating_add(sums[channel::SELL]);
        let (fine, n) = (&mut self.turnover_fine[i], &mut self.turnover_samples[i]);
        self.turnover[i] = lean(fine, n, volume, w.sample_rate());
    }

    fn hear(&mut self, which: usize, now: Nanos) {
        let before = core::mem::replace(&mut self.heard[which], now.get());
        if before > 0 {
            let gap = now.get().saturating_sub(before);
            let mean = &mut self.gaps[which];
            *mean = if *mean == 0 {
                gap
            } else {
                *mean + (gap - *mean) / 32
            };
        }
        self.counts[which] = self.counts[which].saturating_add(1);
        self.lost &= !(1 << which);
    }

    /// A trade. Prints of one side within one millisecond count as one order.
    pub fn trade(&mut self, now: Nanos, trade: &Trade) {
        self.roll(now);
        self.hear(input::TRADES, now);
        if trade.price.get() <= 0 || trade.qty.get() <= 0 {
            return;
        }
        self.last = trade.price;
        let side = trade.side as usize;
        let parts = &mut self.notional[side];
        let whole = u128::from(parts[0]) | u128::from(parts[1]) << 64;
        let more = u128::from(trade.price.get().unsigned_abs())
            * u128::from(trade.qty.get().unsigned_abs());
        // LIMIT: saturates far beyond STEP_CENTS, where the step is clipped anyway.
        let whole = whole.saturating_add(more);
        *parts = [whole as u64, (whole >> 64) as u64];
        let ms = now.get() / 1_000_000;
        if self.order_ms[side] != ms {
            self.order_ms[side] = ms;
            let orders = &mut self.totals[channel::BUYS + side];
            *orders = orders.wrapping_add(ONE);
        }
    }

    /// A forced closure.
    pub fn liquidation(&mut self, now: Nanos, print: &Liquidation) {
        self.roll(now);
        self.hear(input::PRINTS, now);
        let usd = print.price.notional(print.qty, Round::TowardZero).get();
        let at = match print.holder {
            Holder::Long => channel::LONGS,
            Holder::Short => channel::SHORTS,
        };
        self.totals[at] = self.totals[at].wrapping_add(clip(usd, 0, STEP_CENTS as i64));
    }

    /// The mark.
    pub fn mark(&mut self, now: Nanos, price: Px) {
        self.roll(now);
        self.hear(input::MARK, now);
        self.mark = price;
    }

    /// The index.
    pub fn index(&mut self, now: Nanos, price: Px) {
        self.roll(now);
        self.hear(input::INDEX, now);
        self.index = price;
    }

    /// Funding in force, brought to eight hours; an interval that was not said is eight hours.
    pub fn funding(&mut self, now: Nanos, funding: &Funding) {
        const EIGHT: i64 = 8 * Nanos::HOUR.get();
        self.roll(now);
        self.hear(input::FUNDING, now);
        let interval = if funding.interval.get() > 0 {
            funding.interval.get()
        } else {
            EIGHT
        };
        self.funding_interval = Nanos::new(interval);
        let q32 = i128::from(funding.rate_e12) * i128::from(ONE32) / 1_000_000_000_000;
        self.funding_q32 = narrow(q32 * i128::from(EIGHT) / i128::from(interval));
    }

    /// Open interest, one side.
    pub fn interest(&mut self, now: Nanos, qty: Qty) {
        self.roll(now);
        self.hear(input::INTEREST, now);
        self.interest = qty;
    }

    /// A stream lost continuity; it counts as lost until it is heard again.
    pub fn lose(&mut self, inputs: u64) {
        self.lost |= inputs;
        if inputs & (1 << input::BOOK) != 0 {
            self.quoted = 0;
            self.depth_known = 0;
        }
    }

    /// The reference venue's book, after LAST of one of its frames.
    pub fn book(&mut self, now: Nanos, book: &Book) {
        self.roll(now);
        let Some((bid, ask)) = book.bbo() else {
            self.lose(1 << input::BOOK);
            return;
        };
        self.hear(input::BOOK, now);
        if self.quoted == 0 || bid != self.bid || ask != self.ask {
            if self.quoted != 0 {
                let flow = quote_flow((self.bid, self.ask), (bid, ask));
                self.totals[channel::OFI] = self.totals[channel::OFI].wrapping_add(flow);
            }
            self.quotes = self.quotes.saturating_add(1);
            (self.bid, self.ask, self.quoted) = (bid, ask, 1);
            self.mid2 = bid.price.get().saturating_add(ask.price.get());
        }
        if now.get() >= self.depth_due {
            self.depth_due = now.get().saturating_add(DEPTH_STEP);
            let reach = self.mid2 / 2 / 10_000 * DEPTH_BPS;
            let (bids, bid_usd) = weigh(book, Side::Buy, self.mid2 / 2, reach);
            let (asks, ask_usd) = weigh(book, Side::Sell, self.mid2 / 2, reach);
            self.depth_q32 = imbalance32(bids, asks);
            self.depth_known = u64::from(bids > 0 || asks > 0);
            self.depth_usd = Usd::new(bid_usd.saturating_add(ask_usd));
        }
    }

    /// Shard time went on; cheap unless a base step is over.
    #[inline]
    pub fn tick(&mut self, now: Nanos) {
        self.roll(now);
    }

    /// Shard stamp of the newest of an input, 0 = never heard.
    #[must_use]
    pub const fn newest(&self, which: usize) -> i64 {
        self.heard[which]
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
            input::PRINTS if self.lost & (1 << input::PRINTS) == 0 => {
                return self.fresh(input::TRADES, now);
            }
            _ => return 0,
        };
        if self.heard[which] == 0 || self.lost & (1 << which) != 0 {
            return 0;
        }
        super::card::fresh(now.get().saturating_sub(self.heard[which]), ttl)
    }

    /// Age of each input in milliseconds; `u32::MAX` = never heard.
    #[must_use]
    pub fn ages(&self, now: Nanos) -> Ages {
        let age = |which: usize| match self.heard[which] {
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

/// Best-quote order flow of one change (Cont, Kukanov, Stoikov 2014), 1e-6 lots.
fn quote_flow((bid0, ask0): (Rung, Rung), (bid, ask): (Rung, Rung)) -> i64 {
    let part = |when: bool, qty: Qty| if when { i128::from(qty.get()) } else { 0 };
    let bids = part(bid.price >= bid0.price, bid.qty) - part(bid.price <= bid0.price, bid0.qty);
    let asks = part(ask.price <= ask0.price, ask.qty) - part(ask.price >= ask0.price, ask0.qty);
    narrow(bids - asks)
}

/// Notional of a side within `reach` of the mid: weighted 1 / (1 + d / 5 bp), then plain; both in cents.
fn weigh(book: &Book, side: Side, mid: i64, reach: i64) -> (i64, i64) {
    let five = i128::from((mid / 2_000).max(1));
    let (mut weighted, mut plain) = (0i128, 0i128);
    for rung in book.rungs(side) {
        let away = (i128::from(rung.price.get()) - i128::from(mid)).abs();
        if away > i128::from(reach) {
            break;
        }
        let worth = i128::from(rung.price.get() >> 16) * i128::from(rung.qty.get());
        plain += worth;
        weighted += worth * weight_of(five, away);
    }
    let cents = (CENT >> 16) as i128;
    (
        narrow(weighted / i128::from(ONE) / cents),
        narrow(plain / cents),
    )
}

/// five / (five + away) in Q16, in 64 bits where it fits (it does up to prices of 1e5 units at 1e-10 steps).
fn weight_of(five: i128, away: i128) -> i128 {
    let (n, d) = (five << 16, five + away);
    if n <= i128::from(u64::MAX) {
        i128::from(n as u64 / d as u64)
    } else {
        n / d
    }
}
