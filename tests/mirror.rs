//! Laws of the scoring path, held on `View` (scoring.md 12): mirror, silence, bounds, burst, extremes.
//!
//! The mirror swaps buyers and sellers, bids and asks, long and short holders, above and below, and negates returns,
//! premiums and funding. Prices themselves have no exact mirror, so the law is stated on what a signal may read.

use bytemuck::allocation::zeroed_box;
use isotherm::bias::{ASLEEP, Scores};
use isotherm::book::Book;
use isotherm::event::{FIRST, Funding, LAST, Level, Liquidation, SNAPSHOT, Trade};
use isotherm::health::flag;
use isotherm::market::{Holder, Side};
use isotherm::num::{Px, Qty};
use isotherm::shm::record::{MODES, verdict};
use isotherm::signal::streams::channel;
use isotherm::signal::view::NODES;
use isotherm::signal::window::WINDOWS;
use isotherm::signal::{
    HeatReading, ROWS, Role, SIGNALS, Streams, View, Window, ZoneMass, ZoneReading,
};
use isotherm::time::Nanos;
use proptest::prelude::*;

const START: i64 = 1_700_000_000_000_000_000;
const CENTER: i64 = 650_000_000_000_000;

/// A small deterministic source of numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 20
    }
    fn upto(&mut self, n: i64) -> i64 {
        (self.roll() % n as u64) as i64
    }
    fn around(&mut self, n: i64) -> i64 {
        self.upto(2 * n + 1) - n
    }
}

fn trade(price: i64, qty: i64, side: Side) -> Trade {
    Trade {
        price: Px::new(price),
        qty: Qty::new(qty),
        side,
        id: 0,
        accounts: [0; 2],
    }
}

fn level(side: Side, price: i64, qty: i64) -> Level {
    Level {
        price: Px::new(price),
        qty: Qty::new(qty),
        side,
        update: 1,
    }
}

fn set_book(book: &mut Book, bid: (i64, i64), ask: (i64, i64)) {
    book.apply(&level(Side::Buy, bid.0, bid.1), FIRST | SNAPSHOT);
    book.apply(&level(Side::Sell, ask.0, ask.1), LAST | SNAPSHOT);
}

/// Everything a view of one symbol needs, owned.
struct World {
    now: Nanos,
    book: Box<Book>,
    streams: Box<Streams>,
    heat: Box<HeatReading>,
    zones: Box<ZoneReading>,
    scores: Box<Scores>,
}

impl World {
    fn new() -> Self {
        Self {
            now: Nanos::new(START),
            book: zeroed_box(),
            streams: zeroed_box(),
            heat: zeroed_box(),
            zones: zeroed_box(),
            scores: zeroed_box(),
        }
    }

    fn view(&self) -> View<'_> {
        let books = std::slice::from_ref(&*self.book);
        View::new(self.now, books, &self.streams, &self.heat, &self.zones)
    }

    fn refresh(&mut self) -> bool {
        let books = std::slice::from_ref(&*self.book);
        let view = View::new(self.now, books, &self.streams, &self.heat, &self.zones);
        self.scores.refresh(self.now, &view, 0)
    }

    fn pass(&mut self, ms: i64) {
        self.now = self.now.plus(Nanos::millis(ms));
        self.streams.tick(self.now);
    }

    /// One beat in which every fast input is heard, and now and then the slow ones.
    fn beat(&mut self, dice: &mut Dice, price: i64) {
        let now = self.now;
        let side = Side::from_u8(dice.upto(2) as u8);
        let near = |dice: &mut Dice| Px::new(price + dice.around(1_000_000_000));
        self.streams.tick(now);
        let taken = trade(price, 1 + dice.upto(5_000_000), side);
        self.streams.trade(now, &taken);
        self.streams.mark(now, near(dice));
        self.streams.index(now, near(dice));
        let (bid, ask) = (1 + dice.upto(9_000_000), 1 + dice.upto(9_000_000));
        let half = 500_000_000;
        set_book(&mut self.book, (price - half, bid), (price + half, ask));
        self.streams.book(now, &self.book);
        if dice.upto(20) != 0 {
            return;
        }
        let interest = Qty::new(50_000_000_000 + dice.around(50_000_000));
        self.streams.interest(now, interest);
        let funding = Funding {
            rate_e12: dice.around(300_000_000),
            next: Nanos::ZERO,
            interval: Nanos::ZERO,
        };
        self.streams.funding(now, &funding);
        let print = Liquidation {
            price: Px::new(price),
            qty: Qty::new(1 + dice.upto(1_000_000)),
            holder: Holder::from_u8(dice.upto(2) as u8),
        };
        self.streams.liquidation(now, &print);
        self.draw_map(dice);
    }

    fn draw_map(&mut self, dice: &mut Dice) {
        let heat = &mut *self.heat;
        (heat.valid, heat.observed, heat.at) = (1, 1 << 16, self.now);
        heat.interest_usd = 1_000_000_000_000;
        for side in 0..2 {
            let mut sum = 0;
            for node in 0..NODES {
                sum += dice.upto(40_000_000_000);
                heat.within[side][node] = sum;
            }
            heat.peak_distance_q32[side] = dice.upto(60_000_000);
            heat.peak_usd[side] = dice.upto(50_000_000_000);
        }
        let zones = &mut *self.zones;
        zones.valid = 1;
        zones.above_q32 = dice.upto(80_000_000);
        zones.below_q32 = match dice.upto(5) {
            0 => i64::MAX,
            _ => dice.upto(80_000_000),
        };
        for zone in &mut zones.zones {
            zone.distance_q32 = dice.around(200_000_000);
            zone.usd = dice.upto(90_000_000_000);
        }
    }

    /// Writes what this world's mirror would read into `other`, whose scores stay its own.
    fn reflect(&self, other: &mut World) {
        other.now = self.now;
        *other.streams = *self.streams;
        let s = &mut *other.streams;
        for i in 0..WINDOWS {
            let sums = &mut s.sums[i];
            sums.swap(channel::BUY, channel::SELL);
            sums.swap(channel::BUYS, channel::SELLS);
            sums.swap(channel::LONGS, channel::SHORTS);
            for c in [
                channel::OFI,
                channel::QUEUE,
                channel::DEPTH,
                channel::PREMIUM,
                channel::LEAN,
            ] {
                sums[c] = -sums[c];
            }
            s.returns[i] = -s.returns[i];
        }
        s.funding_q32 = -s.funding_q32;
        *other.heat = *self.heat;
        other.heat.within.swap(0, 1);
        other.heat.peak_distance_q32.swap(0, 1);
        other.heat.peak_usd.swap(0, 1);
        *other.zones = *self.zones;
        let z = &mut *other.zones;
        std::mem::swap(&mut z.above_q32, &mut z.below_q32);
        std::mem::swap(&mut z.above_usd, &mut z.below_usd);
        for zone in &mut z.zones {
            zone.distance_q32 = -zone.distance_q32;
        }
    }
}

/// Runs a world and its mirror side by side for `seconds` of shard time.
fn side_by_side(seed: u64, seconds: i64) -> (World, World) {
    let (mut world, mut mirror) = (World::new(), World::new());
    let mut dice = Dice(seed);
    let mut price = CENTER;
    for beat in 0..seconds * 100 {
        if beat % 10 == 0 {
            price += dice.around(60_000_000_000);
        }
        world.beat(&mut dice, price);
        world.reflect(&mut mirror);
        assert_eq!(world.refresh(), mirror.refresh(), "beat {beat}");
        if beat % 5 == 0 {
            check_mirror(&world, &mirror);
        }
        world.now = world.now.plus(Nanos::millis(10));
    }
    (world, mirror)
}

fn check_mirror(world: &World, mirror: &World) {
    for mode in 0..MODES {
        for (number, row) in SIGNALS.iter().enumerate() {
            let a = world.scores.card(mode, number);
            let b = mirror.scores.card(mode, number);
            let sign = if row.role == Role::C { 1 } else { -1 };
            assert_eq!(a.score, sign * b.score, "{} mode {mode}", row.id);
            assert_eq!(
                (a.quality, a.known, a.warm, a.strength),
                (b.quality, b.known, b.warm, b.strength)
            );
            assert!(a.score.abs() <= 65_536 && a.confidence <= 100);
        }
        let (a, b) = (world.scores.mode(mode), mirror.scores.mode(mode));
        assert_eq!((a.bias, a.score), (-b.bias, -b.score));
        assert_eq!(a.slots, b.slots.map(|s| -s));
        assert_eq!((a.confidence, a.agreement), (b.confidence, b.agreement));
        assert_eq!(
            (a.flags, a.awake, a.motion()),
            (b.flags, b.awake, b.motion())
        );
        let turned = match a.verdict {
            verdict::LEAN_LONG => verdict::LEAN_SHORT,
            verdict::LEAN_SHORT => verdict::LEAN_LONG,
            same => same,
        };
        assert_eq!(b.verdict, turned);
        for (x, y) in a.categories().into_iter().zip(b.categories()) {
            assert!((x == ASLEEP && y == ASLEEP) || i16::from(x) == -i16::from(y));
        }
        assert!(a.bias.abs() <= 100 && a.confidence <= 100);
    }
}

#[test]
fn a_mirrored_world_has_the_mirrored_bias_bit_for_bit() {
    let (world, _) = side_by_side(7, 1_000);
    let scalp = world.scores.mode(0);
    assert!(scalp.confidence > 10, "the law was not tested on silence");
    let cards = world.scores.cards();
    let spoke = |n: usize| cards.readings[n].iter().any(|r| r.score != 0);
    for (number, row) in SIGNALS.iter().enumerate() {
        let polled = cards.readings[number].iter().any(|r| r.normal.count > 0);
        assert!(spoke(number) || polled, "{} never spoke", row.id);
    }
    assert!((0..ROWS).filter(|&n| spoke(n)).count() >= ROWS - 2);
}

/// Fills everything a raw reading can see with arbitrary numbers.
fn arbitrary(world: &mut World, numbers: Vec<i64>) {
    let mut next = numbers.into_iter().cycle();
    let mut take = |shift: u32| (next.next().unwrap_or(0) >> shift).max(-i64::MAX);
    let s = &mut *world.streams;
    for i in 0..WINDOWS {
        for sum in &mut s.sums[i] {
            *sum = take(1);
        }
        (s.returns[i], s.returns_known[i]) = (take(20), 1);
        (s.interest_moves[i], s.interest_known[i]) = (take(20), 1);
        s.interest_var[i] = take(2).abs();
        s.sigmas[i] = take(30).abs();
        s.turnover[i] = take(8).abs();
        s.touch[i] = take(8).abs();
    }
    s.funding_q32 = take(10);
    let heat = &mut *world.heat;
    heat.valid = 1;
    heat.observed = 1 << 16;
    for side in 0..2 {
        let mut sum = 0i64;
        for node in 0..NODES {
            sum = sum.saturating_add(take(6).abs());
            heat.within[side][node] = sum;
        }
        heat.peak_distance_q32[side] = take(30).abs();
        heat.peak_usd[side] = take(6).abs();
    }
    world.zones.valid = 1;
    world.zones.above_q32 = take(28).abs();
    world.zones.below_q32 = take(28).abs();
    for zone in &mut world.zones.zones {
        (zone.distance_q32, zone.usd) = (take(28), take(6).abs());
    }
}

/// One call of the streams with any numbers in it.
fn call(world: &mut World, which: u8, a: i64, b: i64, flip: bool) {
    let now = world.now;
    let (side, holder) = (Side::from_u8(flip.into()), Holder::from_u8(flip.into()));
    let s = &mut *world.streams;
    match which {
        0 => s.trade(now, &trade(a, b, side)),
        1 => s.mark(now, Px::new(a)),
        2 => s.index(now, Px::new(a)),
        3 => s.interest(now, Qty::new(a)),
        4 => {
            let (next, interval) = (Nanos::new(b), Nanos::new(b));
            let funding = Funding {
                rate_e12: a,
                next,
                interval,
            };
            s.funding(now, &funding);
        }
        5 => {
            let (price, qty) = (Px::new(a), Qty::new(b));
            s.liquidation(now, &Liquidation { price, qty, holder });
        }
        6 => {
            let low = (a >> 1).unsigned_abs() as i64 / 2 + 1;
            let high = low + (b >> 1).unsigned_abs() as i64 / 2 + 1;
            set_book(&mut world.book, (low, b.max(1)), (high, a.max(1)));
            s.book(now, &world.book);
        }
        7 => {
            *world.heat = HeatReading {
                valid: 1,
                observed: 1 << 16,
                at: now,
                long_usd: a,
                short_usd: b,
                interest_usd: a,
                within: [[a; NODES], [b; NODES]],
                peak_distance_q32: [a, b],
                peak_usd: [b, a],
            };
            let mass = ZoneMass {
                distance_q32: a,
                usd: b,
            };
            *world.zones = ZoneReading {
                valid: 1,
                above_q32: a,
                below_q32: b,
                above_usd: a,
                below_usd: b,
                zones: [mass; 16],
            };
        }
        _ => world.pass((a.unsigned_abs() % 5_000) as i64),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_world_mirrors(seed in any::<u64>()) {
        side_by_side(seed, 30);
    }

    #[test]
    fn raw_readings_mirror_on_any_state(numbers in prop::collection::vec(any::<i64>(), 300)) {
        let (mut world, mut mirror) = (World::new(), World::new());
        arbitrary(&mut world, numbers);
        world.reflect(&mut mirror);
        for row in &SIGNALS {
            for w in Window::ALL {
                let (a, b) = ((row.raw)(&world.view(), w), (row.raw)(&mirror.view(), w));
                let b = if row.role == Role::C { b } else { b.map(|x| -x) };
                prop_assert_eq!(a, b, "{} {:?}", row.id, w);
            }
        }
    }

    #[test]
    fn extremes_do_not_panic(
        calls in prop::collection::vec((0u8..9, any::<i64>(), any::<i64>(), any::<bool>()), 1..300),
        edge in 0usize..4
    ) {
        let edges = [i64::MIN, i64::MAX, 0, -1];
        let mut world = World::new();
        for (n, (which, a, b, flip)) in calls.into_iter().enumerate() {
            let (a, b) = match n % 3 {
                0 => (edges[edge], b),
                1 => (a, edges[(edge + n) % 4]),
                _ => (a, b),
            };
            call(&mut world, which, a, b, flip);
            world.pass(10);
            world.refresh();
            for mode in 0..MODES {
                let score = world.scores.mode(mode);
                prop_assert!(score.bias.abs() <= 100 && score.confidence <= 100);
            }
            let _ = world.streams.ages(world.now);
        }
    }
}

#[test]
fn an_empty_world_is_silent() {
    let mut world = World::new();
    for _ in 0..2_000 {
        world.pass(10);
        world.refresh();
        for mode in 0..MODES {
            let score = world.scores.mode(mode);
            assert_eq!((score.bias, score.confidence), (0, 0));
            assert_eq!(score.verdict, verdict::NO_DATA);
            assert_eq!(score.p_up_e4(), 5_000);
            assert_eq!(score.categories(), [ASLEEP; 25]);
            for number in 0..ROWS {
                let card = world.scores.card(mode, number);
                assert_eq!((card.known, card.confidence), (0, 0));
            }
        }
    }
}

/// The same story told in one trade a beat, or in `parts` of it within the same millisecond.
fn told_in(parts: i64) -> World {
    let mut world = World::new();
    let mut dice = Dice(3);
    for _ in 0..30_000 {
        let side = Side::from_u8(u8::from(dice.upto(3) == 0));
        let qty = 100 * (1 + dice.upto(40_000));
        let price = CENTER + dice.around(10_000_000_000);
        for _ in 0..parts {
            let part = trade(price, qty / parts, side);
            world.streams.trade(world.now, &part);
            world.streams.mark(world.now, Px::new(price));
        }
        world.pass(10);
        world.refresh();
    }
    world
}

#[test]
fn a_burst_that_tells_the_same_story_leaves_every_z_unchanged() {
    let (calm, burst) = (told_in(1), told_in(100));
    let (calm, burst) = (calm.scores.cards(), burst.scores.cards());
    let mut spoken = 0;
    for (a, b) in calm.readings.iter().zip(&burst.readings) {
        for (a, b) in a.iter().zip(b) {
            assert_eq!((a.z, a.score, a.normal), (b.z, b.score, b.normal));
            spoken += u32::from(a.z != 0);
        }
    }
    assert!(spoken > 4, "{spoken}");
}

#[test]
fn a_stream_that_stops_becomes_absent_and_not_zero() {
    let (mut world, _) = side_by_side(11, 60);
    let flow = |row: &isotherm::signal::Row| row.id == "order-flow-imbalance";
    let number = SIGNALS.iter().position(flow).unwrap();
    assert_eq!(world.scores.card(0, number).known, 1);
    for _ in 0..13_000 {
        world.pass(10);
        world.refresh();
    }
    assert_eq!(world.scores.card(0, number).known, 0);
    assert_eq!(world.scores.mode(0).verdict, verdict::NO_DATA);
}

#[test]
fn buyers_on_every_side_lean_long_and_no_more_while_nothing_is_proven() {
    let mut world = World::new();
    let mut dice = Dice(5);
    let mut price = CENTER;
    for beat in 0..60_000i64 {
        // Ten quiet minutes of balance less the last, in which buyers take and bid.
        let eager = beat > 57_000;
        let now = world.now;
        let sell = dice.upto(10) < if eager { 2 } else { 5 };
        let qty = 1_000_000 + dice.upto(2_000_000);
        let taken = trade(price, qty, Side::from_u8(sell.into()));
        world.streams.trade(now, &taken);
        price += dice.around(200_000_000) + if eager { 100_000_000 } else { 0 };
        let bid = 1_000_000 + dice.upto(1_000_000) * if eager { 4 } else { 1 };
        let ask = 1_000_000 + dice.upto(1_000_000);
        let half = 500_000_000;
        set_book(&mut world.book, (price - half, bid), (price + half, ask));
        world.streams.book(now, &world.book);
        world.streams.mark(now, Px::new(price));
        world.pass(10);
        world.refresh();
    }
    let scalp = world.scores.mode(0);
    assert!(scalp.bias >= 35, "{scalp:?}");
    assert!(scalp.confidence >= 25, "{scalp:?}");
    assert_eq!(scalp.verdict, verdict::LEAN_LONG, "{scalp:?}");
    assert_ne!(scalp.flags & flag::LEARNING, 0);
    assert_ne!(scalp.flags & flag::UNPROVEN, 0);
    // No map, no funding, no interest: categories sleep, and it is said.
    assert_ne!(scalp.flags & flag::WARMING, 0);
    assert_eq!(scalp.awake.count_ones(), 3, "{scalp:?}");
    assert_eq!(scalp.categories()[0], ASLEEP);
}
