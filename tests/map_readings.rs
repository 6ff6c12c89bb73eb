//! Readings of the map as they are published: ladders, intervals, shares, cascades, zones with odds, and the events of
//! their lives. Each against what it is computed from, over a market that walks through its own zones.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at a surprise, and says what it measured"
)]

use isotherm::event::{Body, Event, FIRST, Head, LAST, Level, Liquidation, SNAPSHOT, Trade};
use isotherm::health::flag;
use isotherm::market::{Holder, Side, SymbolId, VenueId};
use isotherm::num::log::{BUCKET, bucket_of};
use isotherm::num::{Px, Qty};
use isotherm::shard::{Setup, Shard};
use isotherm::shm::record::{
    EVENT_ALERT, EVENT_CLOSED, EVENT_LIFE, EventRecord, Headline, LADDER_BPS, MODES, MapRecord,
    NO_E4, NO_USD, Publish, Wide, ZoneRecord, mode, mode_of,
};
use isotherm::time::Nanos;
use std::collections::BTreeMap;

const BYBIT: VenueId = VenueId::BYBIT;
const OKX: VenueId = VenueId::OKX;
const START: Nanos = Nanos::new(1_750_000_000_000_000_000);

/// Keeps what is published.
#[derive(Default)]
struct Kept {
    events: Vec<EventRecord>,
    /// How many records stood before each.
    before: Vec<usize>,
    wides: Vec<Wide>,
    /// The newest of each mode.
    lines: BTreeMap<usize, Headline>,
}

impl Publish for Kept {
    fn headline(&mut self, _: usize, mode: usize, line: &Headline) {
        self.lines.insert(mode, *line);
    }
    fn wide(&mut self, _: usize, record: &Wide) {
        self.wides.push(*record);
    }
    fn event(&mut self, record: &EventRecord) {
        self.events.push(*record);
        self.before.push(self.wides.len());
    }
}

/// A market of one symbol at two venues.
struct Market {
    shard: Shard,
    kept: Kept,
    now: Nanos,
    prints: bool,
}

impl Market {
    fn new(prints: bool) -> Self {
        let setup = Setup::new(vec!["BTC".into()], &[BYBIT, OKX]);
        Self {
            shard: Shard::new(&setup).unwrap(),
            kept: Kept::default(),
            now: START,
            prints,
        }
    }

    fn tell(&mut self, venue: VenueId, bits: u8, body: Body) {
        let head = Head {
            recv: self.now,
            exch: self.now,
            venue,
            symbol: SymbolId(0),
            bits,
        };
        self.shard.step(&Event::new(head, body), &mut self.kept);
    }

    fn book(&mut self, cents: i64) {
        const LEVELS: i64 = 400;
        for i in 0..LEVELS {
            for (side, price) in [
                (Side::Buy, cents - 1 - i * 20),
                (Side::Sell, cents + 1 + i * 20),
            ] {
                let first = u8::from(i == 0 && side == Side::Buy) * FIRST;
                let last = u8::from(i == LEVELS - 1 && side == Side::Sell) * LAST;
                let level = Level {
                    price: Px::new(price * 100_000_000),
                    qty: Qty::new(300_000),
                    side,
                    update: 1,
                };
                self.tell(BYBIT, SNAPSHOT | first | last, Body::Level(level));
            }
        }
    }

    /// One second around a price in cents.
    fn second(&mut self, cents: i64, turn: i64) {
        let price = Px::new(cents * 100_000_000);
        if turn % 20 == 0 {
            self.book(cents);
        }
        for (venue, lots) in [(BYBIT, 50_000), (OKX, 20_000)] {
            self.tell(venue, FIRST | LAST, Body::Mark(price));
            let side = if turn % 2 == 0 { Side::Buy } else { Side::Sell };
            let trade = Trade {
                price,
                qty: Qty::whole(10),
                side,
                id: 0,
                accounts: [0; 2],
            };
            self.tell(venue, FIRST | LAST, Body::Trade(trade));
            let interest = Qty::whole(lots + turn % 3);
            self.tell(venue, FIRST | LAST, Body::Interest(interest));
        }
        if self.prints {
            let print = Liquidation {
                price,
                qty: Qty::new(20_000),
                holder: if turn % 2 == 0 {
                    Holder::Long
                } else {
                    Holder::Short
                },
            };
            self.tell(BYBIT, FIRST | LAST, Body::Liquidation(print));
        }
        for _ in 0..4 {
            self.now = self.now.plus(Nanos::millis(250));
            self.shard.step(&Event::tick(self.now), &mut self.kept);
        }
    }

    /// Walks from one price to another and on.
    fn walk(&mut self, path: &[i64], seconds: i64) {
        let mut turn = 0;
        for leg in path.windows(2) {
            for step in 0..seconds {
                let cents = leg[0] + (leg[1] - leg[0]) * step / seconds;
                self.second(cents + turn % 5 * 30, turn);
                turn += 1;
            }
        }
    }
}

/// A market that falls and rises through what it laid.
fn walked(prints: bool) -> Market {
    let mut market = Market::new(prints);
    // A mark and nothing else: no map yet, and it must say so.
    market.tell(BYBIT, FIRST | LAST, Body::Mark(Px::whole(65_000)));
    for _ in 0..12 {
        market.now = market.now.plus(Nanos::millis(10));
        let tick = Event::tick(market.now);
        market.shard.step(&tick, &mut market.kept);
    }
    let path = [6_500_000, 6_420_000, 6_530_000, 6_400_000, 6_560_000];
    market.walk(&path, 150);
    market
}

fn zones(wide: &Wide) -> impl Iterator<Item = (&ZoneRecord, usize, bool)> {
    let above = wide
        .hot_above
        .iter()
        .enumerate()
        .map(|(at, zone)| (zone, at, true));
    let below = wide
        .hot_below
        .iter()
        .enumerate()
        .map(|(at, zone)| (zone, at, false));
    above.chain(below).filter(|(zone, ..)| zone.high_e10 != 0)
}

#[test]
fn every_reading_is_absent_or_what_the_map_says() {
    let market = walked(true);
    let first = &market.kept.wides[0];
    assert_eq!(first.map, MapRecord::ABSENT, "nothing is known yet");
    let mut judged = 0;
    for wide in &market.kept.wides {
        let map = &wide.map;
        if *map == MapRecord::ABSENT {
            continue;
        }
        for ladder in [&map.ladder_up_usd, &map.ladder_down_usd] {
            assert!(ladder.is_sorted() && ladder[0] >= 0, "{ladder:?}");
        }
        for (usd, [low, high]) in [
            (wide.long_usd, map.long_interval_usd),
            (wide.short_usd, map.short_interval_usd),
        ] {
            assert!(low <= usd && usd <= high, "{low} {usd} {high}");
            assert!(usd == 0 || high > 3 * low, "no evidence, no narrow band");
        }
        let shares: u32 = map
            .venue_share_e4
            .iter()
            .filter(|s| **s != NO_E4)
            .map(|s| u32::from(*s))
            .sum();
        assert!(map.venue_share_e4[2..].iter().all(|share| *share == NO_E4));
        assert!(
            (9_990..=10_000).contains(&shares) || wide.long_usd + wide.short_usd == 0,
            "{shares}"
        );
        assert_eq!(map.coverage_e6, [u32::MAX; 2]);
        for (zone, at, above) in zones(wide) {
            let odds = if above {
                wide.odds_above[at]
            } else {
                wide.odds_below[at]
            };
            if odds.label == 0 {
                assert_eq!((odds.p_touch_e4, odds.rank_e4), (NO_E4, 0));
                continue;
            }
            judged += 1;
            assert!(zone.state <= 2, "what was swept is not judged");
            assert!(
                odds.p_touch_e4 <= 10_000 && odds.p_run_e4 <= 10_000 && odds.kappa_e4 <= 10_000
            );
            let want = match odds.p_run_e4 {
                6_001.. => 3,
                ..4_000 => 2,
                _ => 1,
            };
            assert!(
                odds.label == want || odds.p_run_e4.abs_diff(5_000) >= 999,
                "{odds:?}"
            );
        }
    }
    assert!(judged > 100, "{judged}");

    // The last record against the halves themselves, summed plainly.
    let wide = market.shard.wide(0).unwrap();
    let heat = market.shard.heatmap(0).unwrap();
    for (holder, ladder) in [
        (Holder::Short, wide.map.ladder_up_usd),
        (Holder::Long, wide.map.ladder_down_usd),
    ] {
        for (bps, got) in LADDER_BPS.into_iter().zip(ladder) {
            let far =
                (bps as f64 / 1e4).mul_add(if holder == Holder::Short { 1.0 } else { -1.0 }, 1.0);
            let cells = far.ln().abs() * (1u64 << 48) as f64 / BUCKET as f64;
            let half = heat.half(holder);
            let to = cells as usize;
            let low: i64 = half[..to.saturating_sub(1)].iter().sum();
            let high: i64 = half[..to + 3].iter().sum();
            assert!(
                low <= got && got <= high,
                "{holder:?} {bps}: {low} {got} {high}"
            );
        }
    }
    let densest = (0..4_000)
        .flat_map(|at| Holder::BOTH.map(|h| heat.smoothed(h, at).get()))
        .max();
    let pain = bucket_of(Px::new(wide.map.max_pain_e10));
    let index = (pain - heat.bucket()).unsigned_abs() as usize;
    let holder = if pain > heat.bucket() {
        Holder::Short
    } else {
        Holder::Long
    };
    assert!(densest.unwrap() - heat.smoothed(holder, index).get() <= 1);
}

#[test]
fn each_mode_reads_the_same_places_over_its_own_horizon() {
    let market = walked(true);
    let (mut told, mut sooner) = ([0; 2], [0; 2]);
    for wide in &market.kept.wides {
        let all = |mode| {
            let hot = wide.hot(mode);
            let zones = hot.above.into_iter().chain(hot.below);
            let mut places = BTreeMap::new();
            for (zone, odds) in zones.zip(hot.odds_above.into_iter().chain(hot.odds_below)) {
                assert!(zone.high_e10 == 0 || mode_of(zone.id) == mode, "{zone:?}");
                if odds.label != 0 && zone.state != 2 {
                    places.insert((zone.low_e10, zone.high_e10, zone.holder), (zone, odds));
                }
            }
            places
        };
        let modes = [mode::SCALP, mode::DAY, mode::SWING].map(all);
        for (at, pair) in modes.windows(2).enumerate() {
            for (place, (near, soon)) in &pair[0] {
                if let Some((far, late)) = pair[1].get(place) {
                    told[at] += 1;
                    assert_eq!(
                        (near.usd, near.distance_bps_e2),
                        (far.usd, far.distance_bps_e2)
                    );
                    // A longer horizon reaches what a shorter one does; what rests on the way takes at most half.
                    assert!(
                        soon.p_touch_e4 <= 2 * late.p_touch_e4 + 1,
                        "{soon:?} {late:?}"
                    );
                    sooner[at] += usize::from(soon.p_touch_e4 < late.p_touch_e4 / 2);
                    // It calls near what a shorter one calls near.
                    assert!(near.state <= far.state, "{near:?} {far:?}");
                }
            }
        }
        let cold = wide.cold_above.iter().chain(&wide.cold_below);
        assert!(
            cold.filter(|zone| zone.id != 0)
                .all(|zone| mode_of(zone.id) == MODES)
        );
    }
    assert!(
        told.into_iter().chain(sooner).all(|count| count > 50),
        "{told:?} {sooner:?}"
    );
    let wide = market.shard.wide(0).unwrap();
    for (mode, line) in &market.kept.lines {
        let hot = wide.hot(*mode);
        for (list, said) in [
            (hot.above, line.above_bps_e2),
            (hot.below, line.below_bps_e2),
        ] {
            let nearest = list
                .iter()
                .find(|zone| zone.high_e10 != 0 && zone.state <= 2);
            let want = nearest.map_or(i64::from(i32::MAX), |zone| zone.distance_bps_e2);
            assert_eq!(i64::from(said), want, "mode {mode}");
        }
    }
    let mut lives = [0; MODES];
    for event in &market.kept.events {
        lives[mode_of(event.zone)] += 1;
    }
    assert!(lives.iter().all(|count| *count > 10), "{lives:?}");
}

#[test]
fn a_cascade_is_told_from_its_zone_outwards() {
    let market = walked(true);
    let (mut told, mut paths) = (0, 0);
    for wide in &market.kept.wides {
        for (side, above) in [
            (&wide.map.cascade_up, true),
            (&wide.map.cascade_down, false),
        ] {
            // The path's gain needs no zone, but a sigma; nothing on the path is a gain of nothing.
            if side.path_gain_e4 != u32::MAX {
                paths += 1;
                assert!(wide.sigma_1h_q32 > 0);
                let ladder = if above {
                    wide.map.ladder_up_sigma_usd
                } else {
                    wide.map.ladder_down_sigma_usd
                };
                assert!(ladder[0] > 0 || side.path_gain_e4 == 0, "{side:?}");
            }
            if side.gain_e4 == u32::MAX {
                assert!(side.end_e10 == 0 && side.usd == NO_USD, "{side:?}");
                continue;
            }
            told += 1;
            assert!(side.zone != 0 && side.usd > 0);
            // It ends behind where the zone begins, on the zone's side of the mark that it was read at.
            let zone = zones(wide).find(|(zone, ..)| zone.id == side.zone);
            if let Some((zone, ..)) = zone
                && zone.state == 0
            {
                let beyond = if above {
                    side.end_e10 > zone.low_e10
                } else {
                    side.end_e10 < zone.high_e10
                };
                assert!(beyond, "{zone:?} {side:?}");
            }
        }
    }
    assert!(told > 100 && paths > 100, "{told} {paths}");
}

/// Of every zone whose end was published when it was touched, and that went within ten minutes, one at a time: told
/// from what is published alone.
#[test]
fn what_lies_behind_cascades_is_learned_from_those_that_went() {
    let mut market = Market::new(true);
    let path: Vec<i64> = (0..17i64)
        .map(|n| 6_500_000 + (n % 2 * 2 - 1) * (30_000 + n * 40_000))
        .collect();
    market.walk(&path, 150);
    let kept = &market.kept;
    let mut taught = [0; 2];
    for side in [0, 1] {
        let (mut zone, mut until, mut gone) = (0, 0, false);
        for (event, before) in kept.events.iter().zip(&kept.before) {
            if event.kind != EVENT_LIFE || usize::from(event.holder) != side {
                continue;
            }
            // The look after ten minutes is the one of the next refresh, a second later at most.
            if zone != 0 && event.recv_ns >= until {
                taught[side] += u64::from(gone);
                zone = 0;
            }
            let said = before.checked_sub(1).map(|at| kept.wides[at].map);
            let said = said.map(|map| [map.cascade_down, map.cascade_up][side]);
            let went = event.to == 3;
            let comes = matches!(event.to, 2 | 3) && event.from < 2;
            if zone == 0
                && comes
                && said.is_some_and(|said| said.zone == event.zone && said.end_e10 > 0)
            {
                (zone, gone) = (event.zone, false);
                until = event.recv_ns + 600_000_000_000;
            }
            gone |= went && event.zone == zone;
        }
        taught[side] += u64::from(zone != 0 && gone && market.now.get() > until);
    }
    let known = market.shard.onward(0).unwrap();
    println!("{taught:?} {known:?}");
    assert_eq!([known[0].taught, known[1].taught], taught);
    assert!(taught[0] > 0 && taught[1] > 0, "{taught:?}");
    assert!(known.iter().any(|side| side.cells(1 << 26) != 0));
}

#[test]
fn events_are_numbered_and_every_zone_lives_one_life() {
    for prints in [true, false] {
        let market = walked(prints);
        let events = &market.kept.events;
        assert!(events.len() > 20, "{}", events.len());
        let mut state: BTreeMap<u32, u8> = BTreeMap::new();
        let (mut closed, mut alerts, mut came) = (0, 0, 0i64);
        for (at, event) in events.iter().enumerate() {
            assert_eq!(event.number, at as u64 + 1);
            assert_eq!(event.executed_usd == NO_USD, !prints, "{event:?}");
            match event.kind {
                EVENT_LIFE => {
                    let before = state.insert(event.zone, event.to);
                    assert_eq!(before.unwrap_or(255), event.from, "{event:?}");
                    assert!(
                        event.to < 3 || event.outcome & 2 != 0 || event.to == 5,
                        "{event:?}"
                    );
                }
                EVENT_ALERT => {
                    alerts += 1;
                    assert_eq!(
                        state.get(&event.zone),
                        Some(&1),
                        "told where it is approached"
                    );
                }
                EVENT_CLOSED => {
                    closed += 1;
                    assert_eq!(state.get(&event.zone), Some(&5));
                    assert_eq!(events[at - 1].zone, event.zone, "behind its last change");
                    assert!(event.usd > 0, "what was expected at birth");
                    came += event.executed_usd.max(0);
                    if event.outcome != 0 {
                        assert_ne!(event.p_touch_e4, NO_E4, "judged before it was touched");
                    }
                }
                other => panic!("kind {other}"),
            }
        }
        println!(
            "{} events, {closed} closed, {alerts} alerts, {came} cents came",
            events.len()
        );
        assert!(closed > 0 && alerts > 0 && (came > 0) == prints);
        let last = market.kept.wides.last().unwrap();
        assert_eq!(last.map.cascade_down.state == 255, !prints);
        assert_ne!(last.flags & flag::RELATIVE, 0, "no week of bands yet");
    }
}

/// The memory of a symbol, over its places for four venues.
#[test]
fn a_symbol_takes_the_memory_it_took() {
    let symbol = Shard::bytes_per_symbol();
    let each = symbol / isotherm::shard::VENUES;
    println!("{symbol} bytes a symbol, {each} a symbol and venue");
    assert!(each < 2_500_000, "{each}");
}

/// Numbers are the zones', names are the page's: neither may move without the other.
#[test]
fn every_cause_of_a_zones_life_has_its_name() {
    use isotherm::shm::record::EVENT_CAUSES;
    use isotherm::zone::cause;
    for (number, name) in [
        (cause::BORN, "born"),
        (cause::NEAR, "near"),
        (cause::FAR, "far"),
        (cause::ENTER, "enter"),
        (cause::EXIT_NEAR, "exit_near"),
        (cause::BEYOND, "beyond"),
        (cause::BACK, "back"),
        (cause::SWEPT_OUT, "swept_out"),
        (cause::RECLAIMED_OUT, "reclaimed_out"),
        (cause::MASS, "mass"),
        (cause::AGE, "age"),
        (cause::LOST, "lost"),
        (cause::CROWDED, "crowded"),
        (cause::EDGE, "edge"),
    ] {
        assert_eq!(EVENT_CAUSES[usize::from(number)], name);
    }
}
