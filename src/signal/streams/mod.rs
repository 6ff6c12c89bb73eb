//! Streams: what has happened to one symbol, as decayed sums, time-weighted means, rings and ages.
//!
//! An event costs a few adds: it lands in running totals. Totals are brought into the windows' decayed sums at
//! *folds* (1/256 of a window, on the absolute grid of shard time; an event counts as if it came at the end of its
//! fold, at most 0.27 % of its weight), states (queue, depth, premium, gap of last and mark) are sampled on the base
//! step of 39.0625 ms and weighted by time, last value carried. Rings and baselines move at *samples* (1/16).
//! Everything is rolled before an event lands, so a sum at a boundary does not depend on how many messages told the
//! same story.
//!
//! Units: money cents, quantities 1e-6 lots, counts and weights of time Q16, ratios and returns Q32. Two prices are
//! "twice the mid" so that half steps are exact. A second is the first base step at or after a whole second.

mod read;
mod recall;
mod roll;

use super::view::{INPUTS, input};
use super::window::{SAMPLES, WINDOWS, Window};
use crate::book::{Book, Rung};
use crate::event::{Funding, Liquidation, Stream, Trade};
use crate::market::{Holder, Side};
use crate::num::fixed::{ONE, ONE32, clip, imbalance32};
use crate::num::{Px, Qty, Round, Usd, narrow};
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

/// Inputs that a venue's ticker carries, where a field that is missing is unchanged.
const TICKER: u64 =
    1 << input::MARK | 1 << input::INDEX | 1 << input::FUNDING | 1 << input::INTEREST;

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
    /// Of them, seconds of history.
    recalled: u64,
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
    /// When the ticker last said "unchanged" of what it carries; newer than `heard` while values stand still.
    confirmed: i64,
    gaps: [i64; INPUTS],
    /// How often each input was heard.
    pub counts: [u64; INPUTS],
    /// Base steps for which the state of each input was known (book, index, mark).
    pub steady: [u64; INPUTS],
    lost: u64,
}

impl Streams {
    #[inline(always)]
    fn roll(&mut self, now: Nanos) {
        if now.get() >= self.next {
            self.advance(now.get());
        }
    }

    fn hear(&mut self, which: usize, now: Nanos) {
        let before = core::mem::replace(&mut self.heard[which], now.get());
        if before > 0 {
            // Several of one frame, or of one read, are one arrival: a batch must not look like a busy market.
            let gap = now.get().saturating_sub(before);
            if gap == 0 {
                self.counts[which] = self.counts[which].saturating_add(1);
                self.lost &= !(1 << which);
                return;
            }
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
    #[inline]
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
    #[inline]
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
        self.roll(now);
        self.hear(input::FUNDING, now);
        self.take_funding(funding);
    }

    fn take_funding(&mut self, funding: &Funding) {
        const EIGHT: i64 = 8 * Nanos::HOUR.get();
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
    #[inline]
    pub fn interest(&mut self, now: Nanos, qty: Qty) {
        self.roll(now);
        self.hear(input::INTEREST, now);
        self.interest = qty;
    }

    /// A stream lost continuity (a gap, a disconnect): what came by it counts as lost until it is heard again.
    pub fn lose(&mut self, stream: Stream) {
        const BOOK: u64 = 1 << input::BOOK;
        self.lost |= match stream {
            Stream::All => u64::MAX,
            Stream::Book => BOOK,
            Stream::Trades => 1 << input::TRADES,
            Stream::Ticker => TICKER,
            Stream::Liquidations => 1 << input::PRINTS,
        };
        if self.lost & BOOK != 0 {
            self.quoted = 0;
            self.depth_known = 0;
        }
    }

    /// The ticker came without these fields: what it carries is unchanged, and known to be. What was lost stays lost
    /// until its value comes again.
    pub fn confirm(&mut self, now: Nanos) {
        self.confirmed = now.get();
    }

    /// True when an input is not lost.
    const fn holds(&self, which: usize) -> bool {
        self.lost & (1 << which) == 0
    }

    /// The reference venue's book, after LAST of one of its frames.
    pub fn book(&mut self, now: Nanos, book: &Book) {
        self.roll(now);
        let Some((bid, ask)) = book.bbo() else {
            self.lose(Stream::Book);
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
        // LIMIT: saturates on quantities far beyond the admitted headroom.
        plain = plain.saturating_add(worth);
        weighted = weighted.saturating_add(worth.saturating_mul(weight_of(five, away)));
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

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]
mod tests {
    use super::*;
    use crate::event::{FIRST, LAST, Level, SNAPSHOT};
    use proptest::prelude::*;

    const START: i64 = 1_700_000_000_000_000_000;

    fn empty() -> Box<Streams> {
        bytemuck::allocation::zeroed_box()
    }

    fn at(ms: i64) -> Nanos {
        Nanos::new(START + ms * 1_000_000)
    }

    fn taken(price: i64, qty: i64, side: Side) -> Trade {
        Trade {
            price: Px::whole(price),
            qty: Qty::new(qty),
            side,
            id: 0,
            accounts: [0; 2],
        }
    }

    fn quoted(levels: &[(Side, i64, i64)]) -> Box<Book> {
        let mut book: Box<Book> = bytemuck::allocation::zeroed_box();
        for (i, (side, price, qty)) in levels.iter().enumerate() {
            let mut bits = SNAPSHOT | if i == 0 { FIRST } else { 0 };
            if i + 1 == levels.len() {
                bits |= LAST;
            }
            let level = Level {
                price: Px::new(*price),
                qty: Qty::new(*qty),
                side: *side,
                update: 1,
            };
            book.apply(&level, bits);
        }
        book
    }

    proptest! {
        #[test]
        fn decayed_sums_agree_with_their_float_twin(
            trades in prop::collection::vec((0i64..4_000, 1i64..10_000_000, any::<bool>()), 1..200)
        ) {
            let mut s = empty();
            let (mut ms, mut told) = (0, Vec::new());
            s.tick(at(0));
            for (gap, qty, buy) in trades {
                for quiet in (ms..ms + gap).step_by(10) {
                    s.tick(at(quiet));
                }
                ms += gap;
                let side = if buy { Side::Buy } else { Side::Sell };
                s.trade(at(ms), &taken(100, qty, side));
                told.push((ms, qty as f64 / 100.0, buy));
            }
            ms += 3_000;
            s.tick(at(ms));
            for w in [Window::S10, Window::M1, Window::H1] {
                for buy in [true, false] {
                    let twin: f64 = told.iter().filter(|t| t.2 == buy).map(|(then, cents, _)| {
                        cents * (-((ms - then) as f64) / 1e3 / w.seconds() as f64).exp2()
                    }).sum();
                    let got = s.sum(w, if buy { channel::BUY } else { channel::SELL }) as f64;
                    // Half a percent for the fold, and what the fold still holds back for the long window.
                    let due: f64 = told.iter().filter(|t| t.2 == buy)
                        .filter(|t| ms - t.0 <= w.fold().get() / 1_000_000 + 40).map(|t| t.1).sum();
                    prop_assert!(got <= twin * 1.005 + 500.0, "{w:?} {got} {twin}");
                    prop_assert!(got + due >= twin * 0.995 - 500.0, "{w:?} {got} {twin} {due}");
                }
            }
        }
    }

    #[test]
    fn a_tick_late_or_early_leaves_the_same_sums() {
        let (mut often, mut seldom) = (empty(), empty());
        for step in 0..3_000 {
            let now = at(step * 10);
            often.tick(now);
            if step % 37 == 0 {
                let trade = taken(100 + step, 1_000_000 + step, Side::Buy);
                often.trade(now, &trade);
                seldom.trade(now, &trade);
            }
        }
        often.tick(at(31_000));
        seldom.tick(at(31_000));
        for w in Window::ALL {
            // Each fold truncates once; fewer folds truncate less often.
            let (a, b) = (often.sum(w, channel::BUY), seldom.sum(w, channel::BUY));
            assert!((a - b).abs() <= 800, "{w:?} {a} {b}");
        }
    }

    #[test]
    fn volatility_is_that_of_the_walk_and_cold_before_a_minute() {
        let mut s = empty();
        let mut price = 1_000_000_000_000i64;
        let mut seed = 1u64;
        for ms in (0..2_000_000).step_by(10) {
            if ms % 1_000 == 500 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                price += if seed >> 63 == 0 { 1 } else { -1 } * (price / 10_000);
            }
            s.mark(at(ms), Px::new(price));
            s.tick(at(ms));
            if ms == 50_000 {
                assert_eq!(s.sigma(Window::M1), 0);
            }
        }
        for w in [Window::S10, Window::M1, Window::H1] {
            let twin = 1e-4 * (w.seconds() as f64).sqrt() * 2f64.powi(32);
            let got = s.sigma(w) as f64;
            assert!((got / twin - 1.0).abs() < 0.01, "{w:?} {got} {twin}");
        }
    }

    #[test]
    fn a_return_is_taken_over_exactly_one_window() {
        let mut s = empty();
        for ms in (0..25_000).step_by(10) {
            s.tick(at(ms));
            s.mark(at(ms), Px::new(1_000_000_000 + ms * 1_000));
            s.interest(at(ms), Qty::new(2_000_000_000 + ms * 1_000));
            if ms == 8_000 {
                assert_eq!(s.moved(Window::S10), None);
            }
        }
        let moved = s.moved(Window::S10).unwrap() as f64 / 2f64.powi(32);
        let (to, step) = (1.0245, 0.000_65);
        assert!(
            (moved - (to / (to - 0.01f64)).ln()).abs() < step * 0.01,
            "{moved}"
        );
        let built = s.interest_moved(Window::S10).unwrap() as f64 / 2f64.powi(32);
        assert!((built - 0.01 / 2.02).abs() < 0.000_05, "{built}");
        assert_eq!(s.moved(Window::H1), None);
    }

    #[test]
    fn states_are_weighted_by_the_time_they_lasted() {
        let mut s = empty();
        let book = |bid, ask| quoted(&[(Side::Buy, 1_000_000, bid), (Side::Sell, 1_000_100, ask)]);
        let (heavy, light) = (book(3_000, 1_000), book(1_000, 1_000));
        for ms in (0..200_000).step_by(10) {
            // Three quarters of the time the bid queue holds 3/4; updates come evenly.
            let book = if ms % 4_000 < 3_000 { &heavy } else { &light };
            s.book(at(ms), book);
        }
        let mean = s.mean(Window::M1, channel::QUEUE).unwrap() as f64 / 2f64.powi(32);
        assert!((mean - 0.375).abs() < 0.01, "{mean}");
        assert_eq!(s.mean(Window::M1, channel::PREMIUM), None);
        assert_eq!(s.quotes, 99 + 1);
    }

    #[test]
    fn quote_flow_is_cont_kukanov_stoikov() {
        let rung = |price, qty| Rung {
            price: Px::new(price),
            qty: Qty::new(qty),
        };
        let before = (rung(100, 5), rung(102, 7));
        for (bid, ask, want) in [
            (rung(100, 8), rung(102, 7), 3),
            (rung(101, 2), rung(102, 7), 2),
            (rung(99, 9), rung(102, 7), -5),
            (rung(100, 5), rung(101, 4), -4),
            (rung(100, 5), rung(103, 4), 7),
            (rung(100, 5), rung(102, 3), 4),
        ] {
            assert_eq!(quote_flow(before, (bid, ask)), want, "{bid:?} {ask:?}");
        }
    }

    #[test]
    fn depth_is_weighted_by_distance_and_bounded() {
        let px = 1_000_000_000_000_000i64;
        let bp = px / 10_000;
        let book = quoted(&[
            (Side::Buy, px - bp, 1_000_000),
            (Side::Buy, px - 6 * bp, 2_000_000),
            (Side::Buy, px - 40 * bp, 90_000_000),
            (Side::Sell, px + bp, 1_000_000),
        ]);
        let mut s = empty();
        s.book(at(0), &book);
        let (near, far) = (5.0 / 6.0, 5.0 / 11.0);
        let (p, q) = (near * 0.9999 + 2.0 * far * 0.9994, near * 1.0001);
        let twin = (p - q) / (p + q);
        let got = s.depth_q32 as f64 / 2f64.powi(32);
        assert!((got - twin).abs() < 0.000_1, "{got} {twin}");
        let usd = s.depth_usd.get();
        assert!((usd - 39_988_000).abs() < 10_000, "{usd}");
    }

    #[test]
    fn freshness_follows_the_rhythm_of_each_input() {
        let mut s = empty();
        assert_eq!(s.fresh(input::TRADES, at(0)), 0);
        assert_eq!(s.ages(at(0)).trade_ms, u32::MAX);
        for k in 0..200 {
            s.trade(at(k * 2_000), &taken(1, 1, Side::Buy));
        }
        let last = 199 * 2_000;
        // 5 x 2 s: whole to 5 s, nothing from 20 s.
        assert_eq!(s.fresh(input::TRADES, at(last + 5_000)), ONE);
        assert!(s.fresh(input::TRADES, at(last + 12_000)) < ONE);
        assert_eq!(s.fresh(input::TRADES, at(last + 20_000)), 0);
        assert_eq!(s.fresh(input::PRINTS, at(last)), ONE);
        assert_eq!(s.ages(at(last + 70)).trade_ms, 70);
        s.lose(Stream::Trades);
        assert_eq!(s.fresh(input::TRADES, at(last)), 0);
        s.trade(at(last + 10), &taken(1, 1, Side::Buy));
        assert_eq!(s.fresh(input::TRADES, at(last + 10)), ONE);
    }

    #[test]
    fn prints_of_one_side_in_one_millisecond_are_one_order() {
        let mut s = empty();
        for (us, side) in [
            (0, Side::Buy),
            (200, Side::Buy),
            (300, Side::Sell),
            (1_500, Side::Buy),
        ] {
            let now = Nanos::new(START + us * 1_000);
            s.trade(now, &taken(1, 1, side));
        }
        assert_eq!(s.orders(), [2, 1]);
    }
}
