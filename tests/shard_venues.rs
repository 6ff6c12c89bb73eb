//! The shard over four venues: who is the reference, what the map adds, a symbol's whole life, history before the
//! present, and a state that is its bytes.
#![allow(clippy::unwrap_used, reason = "a test may stop at a surprise")]

use isotherm::event::{
    Bar, Body, Event, FIRST, Funding, Gap, HISTORY, Head, Instrument, LAST, Level, Liquidation,
    Position, SNAPSHOT, Stream, Tier, Total, Trade,
};
use isotherm::health::flag;
use isotherm::inventory::candle::Candle;
use isotherm::inventory::params::Choice;
use isotherm::inventory::{Inventory, Params, liquidation};
use isotherm::market::{Holder, Side, SymbolId, VenueId};
use isotherm::num::{Px, Qty, Usd};
use isotherm::shard::{Setup, Shard, ShardError, Tally, layout_hash};
use isotherm::shm::record::{NO_SHARE, NO_USD, Nowhere, Wide};
use isotherm::time::Nanos;
use proptest::prelude::*;

const BINANCE: VenueId = VenueId::BINANCE;
const BYBIT: VenueId = VenueId::BYBIT;
const OKX: VenueId = VenueId::OKX;
const HYPERLIQUID: VenueId = VenueId::HYPERLIQUID;
const ALL: [VenueId; 4] = [BYBIT, BINANCE, OKX, HYPERLIQUID];
const START: Nanos = Nanos::new(1_750_000_000_000_000_000);

/// A shard and the moment it is at.
struct Desk {
    shard: Shard,
    now: Nanos,
    seed: u64,
}

fn setup(venues: &[VenueId]) -> Setup {
    Setup::new(vec!["BTC".into(), "ETH".into()], venues)
}

impl Desk {
    fn new(venues: &[VenueId]) -> Self {
        Self {
            shard: Shard::new(&setup(venues)).unwrap(),
            now: START,
            seed: 1,
        }
    }
    fn event(&mut self, venue: VenueId, symbol: u16, exch: Nanos, bits: u8, body: Body) {
        let head = Head {
            recv: self.now,
            exch,
            venue,
            symbol: SymbolId(symbol),
            bits,
        };
        self.shard.step(&Event::new(head, body), &mut Nowhere);
    }
    fn tell(&mut self, venue: VenueId, body: Body) {
        self.event(venue, 0, self.now, FIRST | LAST, body);
    }
    fn tick(&mut self, ticks: i64) {
        for _ in 0..ticks {
            self.now = self.now.plus(Nanos::millis(10));
            self.shard.step(&Event::tick(self.now), &mut Nowhere);
        }
    }
    /// A tick that says so many seconds went by.
    fn leap(&mut self, seconds: i64) {
        self.now = self.now.plus(Nanos::seconds(seconds));
        self.tick(1);
    }
    /// A number from 0 to `below` - 1.
    fn draw(&mut self, below: i64) -> i64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as i64 % below
    }
    fn mark(&mut self, venue: VenueId, cents: i64) {
        self.tell(venue, Body::Mark(Px::new(cents * 100_000_000)));
    }
    fn interest(&mut self, venue: VenueId, lots: i64) {
        self.tell(venue, Body::Interest(Qty::whole(lots)));
    }
    fn trade(&mut self, venue: VenueId, cents: i64, qty: i64) {
        let side = if self.draw(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        let trade = Trade {
            price: Px::new(cents * 100_000_000),
            qty: Qty::new(qty),
            side,
            id: 0,
            accounts: [0; 2],
        };
        self.tell(venue, Body::Trade(trade));
    }
    fn book(&mut self, venue: VenueId, cents: i64, levels: i64) {
        for i in 0..levels {
            for (side, price) in [(Side::Buy, cents - 1 - i), (Side::Sell, cents + 1 + i)] {
                let first = i == 0 && side == Side::Buy;
                let last = i == levels - 1 && side == Side::Sell;
                let bits = SNAPSHOT | (u8::from(first) * FIRST) | (u8::from(last) * LAST);
                let level = Level {
                    price: Px::new(price * 100_000_000),
                    qty: Qty::whole(2),
                    side,
                    update: 1,
                };
                self.event(venue, 0, self.now, bits, Body::Level(level));
            }
        }
    }
    fn terms(&mut self, venue: VenueId, status: u8, tick: i64) {
        let terms = Instrument {
            tick: Px::new(tick),
            lot: Qty::new(1_000),
            leverage_e2: 10_000,
            funding_interval: Nanos::seconds(28_800),
            status,
            price_places: 1,
        };
        self.tell(venue, Body::Instrument(terms));
    }
    fn gap(&mut self, venue: VenueId, stream: Stream) {
        let gap = Gap {
            stream,
            expected: 0,
            got: 0,
        };
        self.tell(venue, Body::Gap(gap));
    }
    /// Seconds of a market that wanders around `cents`, each venue at its own distance in 1e-4 of price.
    fn market(&mut self, venues: &[(VenueId, i64)], cents: i64, seconds: i64) -> i64 {
        let mut mid = cents;
        for second in 0..seconds {
            mid += self.draw(mid / 800) - mid / 1_600;
            for &(venue, shift) in venues {
                let price = mid + mid * shift / 10_000;
                self.book(venue, price, 20);
                for _ in 0..3 {
                    let (off, qty) = (self.draw(200) - 100, 1_000 + self.draw(9_000_000));
                    self.trade(venue, price + off, qty);
                }
                self.mark(venue, price);
                let lots = 10_000 + self.draw(20) + second % 5;
                self.interest(venue, lots);
            }
            self.tick(100);
        }
        mid
    }
    fn wide(&self) -> Wide {
        self.shard.wide(0).unwrap()
    }
    fn has(&self, bit: u32) -> bool {
        self.wide().flags & bit != 0
    }
    fn is_conserved(&self) -> bool {
        ALL.iter().all(|&venue| {
            [0, 1].iter().all(|&symbol| {
                let held = self.shard.inventory_at(symbol, venue);
                held.is_none_or(|held| held.conserved())
            })
        })
    }
    fn is_seeded(&self, venue: VenueId) -> bool {
        self.shard.inventory_at(0, venue).unwrap().is_seeded()
    }
}

#[test]
fn four_venues_at_shifted_prices_are_one_map_in_the_reference_price() {
    let shifts = [(BYBIT, 0), (BINANCE, 12), (OKX, -8), (HYPERLIQUID, 30)];
    let mut one = Desk::new(&[BYBIT]);
    let mut four = Desk::new(&ALL);
    one.market(&shifts[..1], 6_500_000, 8);
    let mid = four.market(&shifts, 6_500_000, 8);
    let (map, alone) = (
        four.shard.heatmap(0).unwrap(),
        one.shard.heatmap(0).unwrap(),
    );
    assert_eq!((map.venues, alone.venues), (0b1111, 1));
    assert_eq!(map.reference(), Some(0));
    for holder in Holder::BOTH {
        let (sum, each) = (map.total(holder).get(), alone.total(holder).get());
        assert!((sum - 4 * each).abs() < each / 4, "{sum} {each}");
    }
    let wide = four.wide();
    assert_eq!(wide.mark_e10, mid * 100_000_000);
    assert_eq!(four.shard.reference(0), Some(BYBIT));
    // A zone of the prior is everybody's.
    assert_eq!(wide.hot_above[0].venues, 0b1111, "{:?}", wide.hot_above[0]);
    assert!(wide.hot_above[0].leverage > 0);
    assert_eq!(one.wide().hot_above[0].venues, 1);
    assert!(four.is_conserved());
    assert_eq!(four.shard.tally().strangers, 0);
    let heard = four.shard.heard(OKX).unwrap();
    assert!(heard.trade > START && heard.mark > START && heard.book > START);
    assert_eq!((heard.print, heard.funding), (Nanos::ZERO, Nanos::ZERO));
    assert_eq!(one.shard.heard(OKX), None);
}

#[test]
fn a_zone_names_the_venues_that_have_a_part_of_it() {
    let mut desk = Desk::new(&[OKX, BYBIT]);
    for (venue, lots) in [(OKX, 10_000), (BYBIT, 300)] {
        desk.mark(venue, 6_500_000);
        desk.interest(venue, lots);
    }
    desk.tick(200);
    assert_eq!(desk.shard.heatmap(0).unwrap().venues, 0b11);
    let wide = desk.wide();
    assert_eq!(wide.hot_above[0].venues, 0b01, "three percent is no part");
    assert_eq!(wide.hot_below[0].venues, 0b01);
    for lots in [800, 900, 1_000] {
        desk.trade(BYBIT, 6_500_000, 300_000_000);
        desk.interest(BYBIT, lots);
    }
    desk.tick(200);
    let near = desk.wide().hot_above[0];
    assert_eq!(near.venues, 0b11, "{near:?}");
}

#[test]
fn positions_that_are_known_are_their_venues_part_of_a_zone() {
    let mut desk = Desk::new(&[OKX, HYPERLIQUID]);
    for (venue, lots) in [(OKX, 10_000), (HYPERLIQUID, 300)] {
        desk.mark(venue, 6_500_000);
        desk.interest(venue, lots);
    }
    desk.tick(200);
    assert_eq!(
        desk.wide().hot_above[0].venues,
        0b01,
        "three percent is no part"
    );
    let liquidation = Px::whole(66_000);
    let short = Position {
        account: 1,
        holder: Holder::Short,
        qty: Qty::whole(290),
        entry: Px::whole(65_000),
        liquidation,
    };
    desk.tell(HYPERLIQUID, Body::Position(short));
    desk.tick(200);
    let wide = desk.wide();
    let zone = wide.hot_above.iter();
    let zone =
        zone.filter(|zone| zone.low_e10 <= liquidation.get() && liquidation.get() <= zone.high_e10);
    let venues: Vec<u16> = zone.map(|zone| zone.venues).collect();
    assert_eq!(venues.len(), 1, "a zone lies where it will be forced");
    assert_ne!(venues[0] & 0b10, 0, "{venues:?}");
}

#[test]
fn the_order_of_others_does_not_change_who_the_reference_is() {
    for venues in [[BYBIT, OKX], [OKX, BYBIT]] {
        let mut desk = Desk::new(&venues);
        desk.mark(venues[1], 100);
        desk.tick(500);
        assert_eq!(
            desk.wide().mark_e10,
            0,
            "the first of the plan is waited for"
        );
        desk.mark(venues[0], 101);
        desk.tick(2_000);
        assert_eq!(desk.shard.reference(0), Some(venues[0]));
        assert_eq!(desk.wide().mark_e10, 101 * 100_000_000);
    }
}

#[test]
fn a_symbol_that_the_reference_does_not_list_lives_by_the_others() {
    let mut desk = Desk::new(&[BYBIT, BINANCE, OKX]);
    // The third speaks first; the second has given a mark when the choice falls.
    desk.mark(OKX, 99_000);
    desk.market(&[(OKX, 0), (BINANCE, 1)], 100_000, 75);
    assert_eq!(desk.shard.reference(0), Some(BINANCE));
    let wide = desk.wide();
    assert!(wide.mark_e10 > 0 && wide.bid_e10 > 0 && wide.last_e10 > 0);
    assert_eq!(wide.reference, 2, "the second of the directory");
    assert!(wide.sigma_1h_q32 > 0 && wide.hot_above[0].high_e10 > 0);
    assert_eq!(desk.shard.heatmap(0).unwrap().venues, 0b110);
    assert!(!desk.has(flag::DELISTED | flag::MARK_STALE));
    // Once chosen it stays.
    desk.mark(BYBIT, 100_000);
    desk.tick(2_000);
    assert_eq!(desk.shard.reference(0), Some(BINANCE));
}

#[test]
fn a_venue_that_is_down_keeps_its_positions_where_they_are() {
    let shifts = [(BYBIT, 0), (OKX, 20)];
    let mut desk = Desk::new(&[BYBIT, OKX]);
    let mid = desk.market(&shifts, 6_500_000, 20);
    desk.gap(OKX, Stream::All);
    desk.tick(1);
    assert!(!desk.shard.book_at(0, OKX).unwrap().is_trusted());
    assert!(desk.shard.book_at(0, BYBIT).unwrap().is_trusted());
    assert!(desk.has(flag::GAP) && !desk.has(flag::BOOK_UNTRUSTED));
    let before = desk.shard.inventory_at(0, OKX).unwrap().interest_now();
    let place = |desk: &Desk| {
        let map = desk.shard.heatmap(0).unwrap();
        map.bucket_of_venue(1, 0)
    };
    let distance = place(&desk);
    // The market goes on without it; its mass stays at its prices.
    let mid = desk.market(&shifts[..1], mid + mid / 100, 20);
    assert_eq!(desk.shard.heatmap(0).unwrap().venues, 0b11);
    assert!((place(&desk) - distance).abs() <= 1);
    assert_eq!(
        desk.shard.inventory_at(0, OKX).unwrap().interest_now(),
        before
    );
    // Heard again: what the mark crossed meanwhile is swept, and all of it is still conserved.
    desk.market(&shifts, mid, 3);
    assert!(desk.is_conserved());
    assert!(desk.shard.book_at(0, OKX).unwrap().is_trusted());
    // Silent for more than an hour it is no part of the map.
    for _ in 0..80 {
        desk.leap(60);
        desk.mark(BYBIT, mid);
    }
    desk.tick(200);
    assert_eq!(desk.shard.heatmap(0).unwrap().venues, 0b01);
    assert!(desk.is_seeded(OKX));
}

#[test]
fn a_delisted_reference_hands_over_and_relisted_begins_anew() {
    let shifts = [(BYBIT, 0), (OKX, 5)];
    let mut desk = Desk::new(&[BYBIT, OKX]);
    let mid = desk.market(&shifts, 6_500_000, 15);
    desk.terms(BYBIT, 1, 1_000_000_000);
    desk.tick(1);
    assert!(desk.has(flag::HALTED) && desk.has(flag::MAINTENANCE));
    assert!(desk.is_seeded(BYBIT), "a halt changes no position");
    desk.terms(BYBIT, 2, 1_000_000_000);
    assert_eq!(desk.shard.reference(0), Some(OKX));
    assert!(!desk.is_seeded(BYBIT));
    assert_eq!(desk.shard.book_at(0, BYBIT).unwrap().bbo(), None);
    assert!(!desk.has(flag::HALTED | flag::DELISTED));
    // What still comes is counted and is nothing.
    desk.mark(BYBIT, 1);
    desk.interest(BYBIT, 5);
    assert_eq!(desk.shard.tally().strangers, 2);
    desk.market(&shifts[1..], mid, 3);
    assert_eq!(desk.shard.heatmap(0).unwrap().venues, 0b10);
    assert_eq!(desk.shard.heatmap(0).unwrap().reference(), Some(1));
    // Listed again, with another step.
    desk.terms(BYBIT, 0, 2_000_000_000);
    desk.market(&shifts, mid, 3);
    assert!(desk.is_seeded(BYBIT));
    assert_eq!(desk.shard.reference(0), Some(OKX), "once chosen it stays");
    assert_eq!(
        desk.shard.tally().tick_changes,
        0,
        "another contract, not another step"
    );
    desk.terms(BYBIT, 0, 1_000_000_000);
    assert_eq!(desk.shard.tally().tick_changes, 1);
    assert!(desk.is_conserved());
}

/// The reference has a mark and no interest: the map is another's, and goes with it.
#[test]
fn a_map_that_no_venue_is_in_any_more_is_none() {
    let mut desk = Desk::new(&[BINANCE, BYBIT]);
    desk.mark(BINANCE, 6_500_000);
    desk.tick(10);
    let wide = desk.wide();
    assert_eq!(
        (wide.long_usd, wide.short_usd),
        (NO_USD, NO_USD),
        "no interest yet"
    );
    assert_eq!(
        [
            wide.inert_share_e6,
            wide.prior_share_e6,
            wide.oi_residual_e6
        ],
        [NO_SHARE; 3]
    );
    desk.mark(BYBIT, 6_500_000);
    desk.interest(BYBIT, 50_000);
    for second in 0..20 {
        desk.mark(BINANCE, 6_500_000 + second);
        desk.mark(BYBIT, 6_500_000 + second);
        desk.tick(100);
    }
    let wide = desk.wide();
    assert!(wide.long_usd > 0 && wide.hot_below[0].high_e10 > 0);
    assert!(wide.inert_share_e6 <= 1_000_000);
    desk.terms(BYBIT, 2, 1_000);
    for _ in 0..20 {
        desk.mark(BINANCE, 6_500_000);
        desk.tick(100);
    }
    let wide = desk.wide();
    assert_eq!((wide.long_usd, wide.short_usd), (NO_USD, NO_USD));
    assert_eq!(wide.map.long_interval_usd, [NO_USD; 2]);
    assert_eq!(
        (wide.hot_below[0].high_e10, wide.hot_above[0].high_e10),
        (0, 0)
    );
}

#[test]
fn a_symbol_that_nobody_lists_any_more_says_nothing() {
    let mut desk = Desk::new(&[BYBIT]);
    let mid = desk.market(&[(BYBIT, 0)], 6_500_000, 70);
    assert!(desk.wide().hot_above[0].high_e10 > 0);
    let first = desk.wide().hot_above[0].id;
    desk.terms(BYBIT, 2, 1_000);
    desk.tick(200);
    let wide = desk.wide();
    assert!(desk.has(flag::DELISTED));
    assert_eq!(
        (wide.mark_e10, wide.long_usd, wide.short_usd),
        (0, NO_USD, NO_USD)
    );
    assert_eq!((wide.hot_above[0].high_e10, wide.interest_e6), (0, 0));
    assert_eq!(wide.ages.trade_ms, u32::MAX);
    assert_eq!(desk.shard.heatmap(0).unwrap().venues, 0);
    desk.terms(BYBIT, 0, 1_000);
    desk.market(&[(BYBIT, 0)], mid, 3);
    let wide = desk.wide();
    assert!(!desk.has(flag::DELISTED));
    assert!(
        wide.mark_e10 > 0 && wide.hot_above[0].id > first,
        "ids are not used again"
    );
}

#[test]
fn maintenance_is_no_mass_closing() {
    let mut desk = Desk::new(&[BYBIT]);
    desk.market(&[(BYBIT, 0)], 6_500_000, 5);
    let before = desk.shard.inventory(0).unwrap().interest_now();
    desk.interest(BYBIT, 0);
    assert!(desk.has(flag::MAINTENANCE));
    desk.interest(BYBIT, 3);
    desk.tick(1);
    assert_eq!(desk.shard.inventory(0).unwrap().interest_now(), before);
    assert_eq!(desk.shard.tally().odd_interest, 2);
    assert!(desk.wide().interest_e6 > 0);
    desk.interest(BYBIT, 10_003);
    assert!(!desk.has(flag::MAINTENANCE));
    // The same number for half an hour, while a market trades.
    for minute in 0..32 {
        desk.leap(60);
        desk.mark(BYBIT, 6_500_000 + minute);
        desk.trade(BYBIT, 6_500_000, 5_000_000);
        desk.interest(BYBIT, 10_003);
        assert_eq!(desk.has(flag::MAINTENANCE), minute >= 29, "{minute}");
    }
    desk.interest(BYBIT, 10_004);
    assert!(!desk.has(flag::MAINTENANCE));
    // A leap that stands is the contract's new size: its positions are other ones, and all prior.
    for _ in 0..12 {
        desk.leap(60);
        desk.mark(BYBIT, 6_500_000);
        desk.interest(BYBIT, 1_000_000);
    }
    let held = desk.shard.inventory(0).unwrap();
    assert_eq!(held.interest_now(), Qty::whole(1_000_000));
    assert!(held.conserved() && !desk.has(flag::MAINTENANCE));
    assert_eq!(desk.shard.tally().reseeds, 0);
}

#[test]
fn a_binance_book_says_when_it_is_known_only_part_of_the_way() {
    let mut desk = Desk::new(&[BINANCE]);
    desk.mark(BINANCE, 100_000);
    desk.book(BINANCE, 100_000, 30);
    assert!(!desk.has(flag::SHALLOW));
    for i in 0..20 {
        let level = Level {
            price: Px::new((99_999 - i) * 100_000_000),
            qty: Qty::ZERO,
            side: Side::Buy,
            update: 2,
        };
        desk.tell(BINANCE, Body::Level(level));
    }
    assert!(desk.has(flag::SHALLOW) && !desk.has(flag::BOOK_UNTRUSTED));
    desk.book(BINANCE, 100_000, 30);
    assert!(!desk.has(flag::SHALLOW));
}

/// Bars and rows of five minutes up to `until`, as a venue's REST answers give them.
fn history(desk: &mut Desk, venue: VenueId, until: Nanos, count: i64) {
    let at = |n: i64| Nanos::new(until.get() - (count - n) * 300_000_000_000);
    let mut mid = 6_400_000;
    for n in 0..count {
        let close = mid + desk.draw(20_000) - 10_000;
        let (high, low) = (
            mid.max(close) + desk.draw(4_000),
            mid.min(close) - desk.draw(4_000),
        );
        let [open, high, low, last] = [mid, high, low, close].map(|c| Px::new(c * 100_000_000));
        let bar = Bar {
            open,
            high,
            low,
            close: last,
            volume: Qty::whole(300 + desk.draw(600)),
            seconds: 300,
        };
        desk.event(venue, 0, at(n), FIRST | LAST | HISTORY, Body::Bar(bar));
        mid = close;
    }
    for n in count / 4..=count {
        let lots = Qty::whole(9_000 + desk.draw(300));
        desk.event(
            venue,
            0,
            at(n),
            FIRST | LAST | HISTORY,
            Body::Interest(lots),
        );
    }
    let funding = Funding {
        rate_e12: 100_000_000,
        next: Nanos::ZERO,
        interval: Nanos::ZERO,
    };
    desk.event(
        venue,
        0,
        at(0),
        FIRST | LAST | HISTORY,
        Body::Funding(funding),
    );
}

/// A symbol that no venue lists keeps nobody waiting for ever.
#[test]
fn what_is_never_heard_is_waited_for_a_minute() {
    let mut desk = Desk::new(&[BYBIT]);
    assert!(!desk.shard.is_warm());
    desk.market(&[(BYBIT, 0)], 6_450_000, 50);
    assert!(desk.wide().mark_e10 > 0 && !desk.shard.is_warm());
    desk.market(&[(BYBIT, 0)], 6_450_000, 20);
    assert!(desk.shard.is_warm());
}

#[test]
fn history_is_laid_within_seconds_and_is_no_prior() {
    let mut desk = Desk::new(&[BYBIT, OKX]);
    let closed = Instrument {
        tick: Px::new(1),
        lot: Qty::new(1),
        leverage_e2: 100,
        funding_interval: Nanos::HOUR,
        status: 2,
        price_places: 2,
    };
    desk.event(BYBIT, 1, desk.now, FIRST | LAST, Body::Instrument(closed));
    // The stream is faster than REST: the live state of the first second gives way.
    desk.mark(BYBIT, 6_450_000);
    desk.interest(BYBIT, 10_000);
    desk.tick(100);
    assert!(desk.is_seeded(BYBIT));
    let until = desk.now;
    history(&mut desk, BYBIT, until, 300);
    assert!(desk.is_conserved());
    let held = desk.shard.inventory(0).unwrap();
    assert!(held.is_seeded() && held.resum());
    desk.tick(100);
    // A mark that comes meanwhile is the present's, and waits.
    desk.mark(BYBIT, 6_440_000);
    desk.interest(BYBIT, 10_010);
    desk.tick(300);
    desk.trade(BYBIT, 6_440_000, 90_000_000);
    desk.interest(BYBIT, 10_020);
    desk.tick(100);
    let held = desk.shard.inventory(0).unwrap();
    assert!(held.conserved() && held.resum());
    assert_eq!(held.interest_now(), Qty::whole(10_020));
    assert_eq!(desk.shard.tally().late_history, 0);
    let wide = desk.wide();
    assert!(wide.prior_share_e6 < 500_000, "{}", wide.prior_share_e6);
    assert!(wide.prior_share_e6 > 0);
    assert!(wide.sigma_1h_q32 > 0 && wide.hot_above[0].high_e10 > 0);
    assert!(!desk.has(flag::PRIOR) && desk.has(flag::WARMING));
    assert!(
        desk.shard.is_warm(),
        "the other symbol is closed and keeps nobody waiting"
    );
    assert_eq!(wide.ages.funding_ms, u32::MAX, "what was is not heard");
    // A minute later the present knows better.
    desk.market(&[(BYBIT, 0)], 6_440_000, 62);
    let before = desk.shard.inventory(0).unwrap().interest_now();
    let until = desk.now;
    history(&mut desk, BYBIT, until, 20);
    assert_eq!(desk.shard.tally().late_history, 20 + 16 + 1);
    desk.tick(400);
    assert_eq!(desk.shard.inventory(0).unwrap().interest_now(), before);
    assert!(desk.is_conserved());
}

/// What the mark met in the past was met under nobody's eyes: a print in the seconds in which it is laid says nothing
/// of it.
#[test]
fn a_print_while_history_is_laid_teaches_nothing_of_it() {
    let evidence = |is_early: bool| {
        let mut desk = Desk::new(&[BYBIT]);
        desk.mark(BYBIT, 6_450_000);
        desk.tick(100);
        let until = desk.now;
        history(&mut desk, BYBIT, until, 300);
        desk.tick(100);
        let print = Liquidation {
            price: Px::new(6_450_000 * 100_000_000),
            qty: Qty::new(100_000),
            holder: Holder::Long,
        };
        for is_now in [is_early, !is_early] {
            if is_now {
                desk.tell(BYBIT, Body::Liquidation(print));
            }
            desk.tick(500);
            desk.mark(BYBIT, 6_450_000);
            desk.interest(BYBIT, 10_010);
            desk.tick(200);
        }
        desk.tick(6_200);
        let calibration = desk.shard.calibration_at(0, BYBIT).unwrap();
        let met: i64 = calibration.evidence().1.iter().sum();
        (met, calibration.unread, calibration.prints)
    };
    assert_eq!(evidence(true), (0, 1, 0));
    assert_eq!(evidence(false), (0, 0, 1));
}

#[test]
fn bars_alone_are_the_profile_that_the_first_interest_is_laid_over() {
    let mut desk = Desk::new(&[BYBIT]);
    let bar = |cents: i64| {
        let price = Px::new(cents * 100_000_000);
        Bar {
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::whole(10),
            seconds: 300,
        }
    };
    for n in 0..10 {
        let at = Nanos::new(START.get() - (n + 1) * 300_000_000_000);
        desk.event(
            BYBIT,
            0,
            at,
            FIRST | LAST | HISTORY,
            Body::Bar(bar(6_500_000)),
        );
    }
    desk.mark(BYBIT, 6_500_000);
    desk.interest(BYBIT, 10_000);
    assert!(!desk.is_seeded(BYBIT), "the past is being laid");
    desk.tick(310);
    let held = desk.shard.inventory(0).unwrap();
    assert!(held.is_seeded() && held.conserved());
    assert_eq!(held.prior_share_e6(), 1_000_000);
    // Everybody entered in one bucket: the nearest class lies at its distance, and nothing nearer.
    let own = isotherm::num::log::bucket_of(Px::new(6_500_000 * 100_000_000));
    assert_eq!(held.mass(Holder::Long, own - 1), Qty::ZERO);
    assert!(held.mass(Holder::Long, own - 2).get() > 0);
}

/// What an import tells: bars at their ends, and the interest they ended with.
#[test]
fn bars_that_have_just_ended_are_walked_where_no_trade_tells_more() {
    let mut desk = Desk::new(&[BINANCE]);
    let mut twin: Box<Inventory> = bytemuck::allocation::zeroed_box();
    let params = Params::chosen(&Choice::default(), &liquidation::BINANCE, &[]);
    let bar = |open: i64, close: i64| {
        let [open, high, low, close] = [
            open,
            open.max(close) + 9_000,
            open.min(close) - 9_000,
            close,
        ]
        .map(|cents| Px::new(cents * 100_000_000));
        let (volume, seconds) = (Qty::whole(500), 300);
        Bar {
            open,
            high,
            low,
            close,
            volume,
            seconds,
        }
    };
    let whole = FIRST | LAST;
    desk.mark(BINANCE, 6_500_000);
    desk.interest(BINANCE, 10_000);
    twin.mark(desk.now, Px::new(6_500_000 * 100_000_000), &params);
    twin.interest(desk.now, Qty::whole(10_000), &params);
    let mut mid = 6_500_000;
    for n in 0..120 {
        let (start, close) = (desk.now, mid + desk.draw(60_000) - 30_000);
        desk.leap(300);
        let told = bar(mid, close);
        desk.event(BINANCE, 0, start, whole, Body::Bar(told));
        twin.candle(&Candle::of(start, &told).unwrap(), &params);
        if n >= 60 {
            let [long, short] = [40_000, 90_000].map(Usd::whole);
            let period = Nanos::seconds(300);
            let total = Total {
                long,
                short,
                period,
            };
            desk.event(BINANCE, 0, start, whole, Body::Total(total));
        }
        let lots = 10_000 + desk.draw(400);
        desk.interest(BINANCE, lots);
        twin.interest(desk.now, Qty::whole(lots), &params);
        mid = close;
        let held = desk.shard.inventory(0).unwrap();
        assert!(held.conserved() && held.resum(), "bar {n}");
        // Until θ is learned the twin, who learns nothing, has met the same, but for rounding.
        for holder in Holder::BOTH.into_iter().filter(|_| n < 60) {
            let both = held.exposure(holder).iter().zip(twin.exposure(holder));
            for (met, same) in both {
                assert!(met.abs_diff(*same) < 1_000, "bar {n}: {met} {same}");
            }
        }
    }
    let held = desk.shard.inventory(0).unwrap();
    assert!(held.prior_share_e6() < 900_000 && held.unclosed == 0);
    assert!(held.exposure(Holder::Long).iter().sum::<i64>() > 0);
    assert_eq!(
        desk.wide().mark_e10,
        mid * 100_000_000,
        "the close is a mark"
    );
    // What they met is what totals are judged by; the begin of the first is not known.
    let calibration = desk.shard.calibration_at(0, BINANCE).unwrap();
    let (realised, met) = calibration.evidence();
    assert!(met.iter().sum::<i64>() > realised.iter().sum());
    assert!(realised.iter().sum::<i64>() > 0 && calibration.unread == 1);

    // What is none, or has not ended, is counted; what trades have told is passed over.
    let before = *held.exposure(Holder::Long);
    let now = desk.now;
    let upside_down = Bar {
        high: Px::whole(1),
        ..bar(mid, mid)
    };
    desk.leap(300);
    let later = desk.now;
    desk.event(BINANCE, 0, later, whole, Body::Bar(bar(mid, mid)));
    desk.event(BINANCE, 0, now, whole, Body::Bar(upside_down));
    assert_eq!(desk.shard.tally().late_history, 2);
    // An hour of which the bars have told all but the end.
    let hour = Bar {
        seconds: 3_600,
        ..bar(mid + 90_000, mid - 90_000)
    };
    let begun = Nanos::new(now.get() - 3_300_000_000_000);
    desk.event(BINANCE, 0, begun, whole, Body::Bar(hour));
    desk.trade(BINANCE, mid, 1_000);
    desk.event(BINANCE, 0, now, whole, Body::Bar(bar(mid, mid - 90_000)));
    assert_eq!(
        *desk.shard.inventory(0).unwrap().exposure(Holder::Long),
        before
    );
    assert_eq!(desk.shard.tally().late_history, 2);
}

#[test]
fn a_restored_shard_goes_on_as_the_one_it_was() {
    let shifts = [(BYBIT, 0), (BINANCE, 12), (OKX, -8)];
    let venues = [BYBIT, BINANCE, OKX];
    let mut desk = Desk::new(&venues);
    let until = desk.now;
    history(&mut desk, BINANCE, until, 40);
    let mid = desk.market(&shifts, 6_500_000, 12);
    let bytes = desk.shard.bytes().to_vec();
    let mut twin = Desk {
        shard: Shard::restore(&setup(&venues), &bytes).unwrap(),
        now: desk.now,
        seed: desk.seed,
    };
    assert!(twin.shard.bytes() == bytes);
    for desk in [&mut desk, &mut twin] {
        desk.market(&shifts, mid, 6);
        desk.terms(BYBIT, 2, 1);
        desk.market(&shifts[1..], mid, 3);
    }
    assert!(twin.shard.bytes() == desk.shard.bytes());
    assert_eq!(twin.shard.state_hash(), desk.shard.state_hash());
    assert_eq!(twin.shard.wide(0), desk.shard.wide(0));

    let refusal = |setup: &Setup, bytes: &[u8]| Shard::restore(setup, bytes).unwrap_err();
    let other = refusal(&setup(&[BYBIT, OKX, BINANCE]), &bytes);
    assert!(matches!(other, ShardError::OtherPlan), "{other}");
    let mut tuned = setup(&venues);
    tuned.choice.inert_e6 += 1;
    assert!(matches!(refusal(&tuned, &bytes), ShardError::OtherPlan));
    let short = refusal(&setup(&venues), &bytes[..bytes.len() - 1]);
    assert!(matches!(short, ShardError::Size { .. }), "{short}");
    assert!(matches!(
        refusal(&setup(&venues), &[]),
        ShardError::Size { .. }
    ));
    let mut older = bytes.clone();
    older[0] ^= 1;
    let older = refusal(&setup(&venues), &older);
    assert!(matches!(older, ShardError::Layout { .. }), "{older}");
}

#[test]
fn a_plan_names_one_to_four_different_venues() {
    for venues in [
        &[][..],
        &[BYBIT, BYBIT],
        &[BYBIT, OKX, BINANCE, HYPERLIQUID, VenueId(9)],
    ] {
        let error = Shard::new(&setup(venues)).unwrap_err();
        assert!(matches!(error, ShardError::Venues(_)), "{error}");
    }
    let mut small = setup(&ALL);
    small.memory_max = 1 << 20;
    let text = Shard::new(&small).unwrap_err().to_string();
    assert!(
        text.contains("4 venues") && text.contains("2 symbols"),
        "{text}"
    );
    let mut desk = Desk::new(&[BYBIT]);
    desk.mark(OKX, 5);
    assert_eq!(
        desk.shard.tally(),
        Tally {
            strangers: 1,
            ..Tally::default()
        }
    );
}

/// Whoever changes how the state's bytes are meant changes this number, and old checkpoints are refused.
#[test]
fn the_layout_is_the_one_that_checkpoints_know() {
    assert_eq!(
        layout_hash(),
        0x25f6_68aa_d7a4_ab00,
        "found {:#018x}",
        layout_hash()
    );
}

#[derive(Debug, Clone)]
struct Act {
    venue: usize,
    symbol: u16,
    what: u8,
    a: i64,
    b: i64,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let one = (0..4usize, 0..2u16, 0u8..32, 0i64..10_000, 0i64..10_000);
    prop::collection::vec(
        one.prop_map(|(venue, symbol, what, a, b)| Act {
            venue,
            symbol,
            what,
            a,
            b,
        }),
        1..400,
    )
}

/// Any event of a venue, likely ones more often.
fn act(desk: &mut Desk, act: &Act) {
    let (venue, a, b) = (ALL[act.venue], act.a, act.b);
    let price = Px::new((6_000_000 + a * 100) * 100_000_000);
    let past = Nanos::new(START.get() - (b % 200) * 150_000_000_000);
    let (mut exch, mut bits) = (desk.now, FIRST | LAST);
    let body = match act.what {
        0..=7 => Body::Trade(Trade {
            price,
            qty: Qty::new(1 + b * 10_000),
            side: if b % 2 == 0 { Side::Buy } else { Side::Sell },
            id: 0,
            accounts: [0; 2],
        }),
        8..=12 => Body::Mark(price),
        13..=16 => Body::Interest(Qty::whole(9_000 + b % 500)),
        17 => Body::Interest(Qty::whole(a * b)),
        18..=19 => return desk.tick(a % 150),
        20 => return desk.leap(a % 900),
        21 => Body::Liquidation(Liquidation {
            price,
            qty: Qty::new(b),
            holder: Holder::from_u8((a % 2) as u8),
        }),
        22 => Body::Tier(Tier {
            row: (b % 3) as u16,
            cap: Usd::whole(100_000 * (1 + b % 3)),
            leverage_e2: 10_000,
            maintenance_e6: 4_000 + (a % 9) as u32 * 500,
            deduction: Usd::ZERO,
            floor: Usd::whole(100_000 * (b % 3)),
        }),
        23 => Body::Instrument(Instrument {
            tick: Px::new(1 + a),
            lot: Qty::new(1),
            leverage_e2: 10_000,
            funding_interval: Nanos::HOUR,
            status: if b < 2_000 { 2 } else { (b % 2) as u8 },
            price_places: 2,
        }),
        24 => Body::Gap(Gap {
            stream: [Stream::All, Stream::Book, Stream::Trades, Stream::Ticker][(a % 4) as usize],
            expected: 0,
            got: 0,
        }),
        25..=27 => {
            (exch, bits) = (past, bits | HISTORY);
            Body::Bar(Bar {
                open: price,
                high: price.plus(Px::whole(b % 90)),
                low: price.minus(Px::whole(b % 70)),
                close: price,
                volume: Qty::whole(b % 1_000),
                seconds: 300,
            })
        }
        28..=29 => {
            (exch, bits) = (past, bits | HISTORY);
            Body::Interest(Qty::whole(a))
        }
        30 => Body::Level(Level {
            price,
            qty: Qty::new(b),
            side: Side::from_u8((b % 2) as u8),
            update: 1,
        }),
        _ => Body::Connect((a % 5) as u16),
    };
    desk.event(venue, act.symbol, exch, bits, body);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_inventory_conserves_whatever_four_venues_say(acts in acts()) {
        let mut desk = Desk::new(&ALL);
        for (number, one) in acts.iter().enumerate() {
            act(&mut desk, one);
            prop_assert!(desk.is_conserved(), "after act {number}: {one:?}");
        }
        desk.tick(200);
        prop_assert!(desk.is_conserved());
        prop_assert_eq!(desk.shard.tally().reseeds, 0);
        for venue in ALL {
            for symbol in 0..2 {
                let held = desk.shard.inventory_at(symbol, venue).unwrap();
                prop_assert!(held.resum() && held.unclosed == 0);
            }
        }
        // The same again is the same, to the byte.
        let mut again = Desk::new(&ALL);
        for one in &acts {
            act(&mut again, one);
        }
        again.tick(200);
        prop_assert!(again.shard.bytes() == desk.shard.bytes());
    }
}
