//! guard: fixed inputs through the hot functions, for counting instructions. `bench/guard.sh` runs it under callgrind,
//! which is told to count inside [`counted`] only.
//!
//!     cargo run --release -p isotherm-guard names the cases, runs each once
//!     guard CASE                            runs one: what the script does
//!
//! Instructions do not depend on neighbours, clocks or luck: the same build gives the same count, so two per cent more
//! is somebody's doing. They are not time: for time see `step` and `isotherm bench`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it fails"
)]
use isotherm::event::{ALONE, Event, Kind, SNAPSHOT};
use isotherm::heatmap::Heatmap;
use isotherm::inventory::Inventory;
use isotherm::market::VenueId;
use isotherm::num::Px;
use isotherm::run::warm::Warm;
use isotherm::shard::{Setup, Shard};
use isotherm::shm::record::{Nowhere, mode};
use isotherm::sim::{Dialect, Params, TopicKind, World};
use isotherm::time::{Nanos, TICK};
use isotherm::venue::by_name;
use isotherm::venue::lane::Lane;
use isotherm::wire::{FrameBuffer, scan::Isa};
use isotherm::zone::{Heat, Zones};
use std::hint::black_box;

/// Inputs of a case.
const INPUTS: usize = 400;
/// Refreshes of a case of the map.
const REFRESHES: i64 = 50;
/// Virtual minutes that warm the shard of the step cases.
const WARM_MINUTES: i64 = 5;

/// What is fed: frames to a lane, events to a shard, or a shard's inventory to the map and its map to the zones.
#[derive(Clone, Copy)]
enum Case {
    Decode(Dialect, TopicKind),
    Step(Kind),
    Map,
    Zone,
    ZoneFull,
}

const CASES: [(&str, Case); 17] = [
    (
        "decode-trades",
        Case::Decode(Dialect::Bybit, TopicKind::Trades),
    ),
    ("decode-book", Case::Decode(Dialect::Bybit, TopicKind::Book)),
    (
        "decode-ticker",
        Case::Decode(Dialect::Bybit, TopicKind::Ticker),
    ),
    (
        "decode-liquidation",
        Case::Decode(Dialect::Bybit, TopicKind::Liquidation),
    ),
    (
        "decode-binance",
        Case::Decode(Dialect::Binance, TopicKind::Bbo),
    ),
    ("decode-okx", Case::Decode(Dialect::Okx, TopicKind::Book)),
    (
        "decode-hyperliquid",
        Case::Decode(Dialect::Hyperliquid, TopicKind::Book),
    ),
    ("step-trade", Case::Step(Kind::Trade)),
    ("step-level", Case::Step(Kind::Level)),
    ("step-bbo", Case::Step(Kind::Bbo)),
    ("step-mark", Case::Step(Kind::Mark)),
    ("step-interest", Case::Step(Kind::Interest)),
    ("step-liquidation", Case::Step(Kind::Liquidation)),
    ("step-tick", Case::Step(Kind::Tick)),
    ("map-refresh", Case::Map),
    ("zone-refresh", Case::Zone),
    ("zone-full", Case::ZoneFull),
];

/// The one place where instructions are counted: found by its name.
#[inline(never)]
#[unsafe(no_mangle)]
fn guard_counted_decode(lane: &mut Lane, room: &mut FrameBuffer, frames: &[String]) -> u64 {
    let mut events = 0;
    for (turn, text) in frames.iter().enumerate() {
        let frame = room.put(text.as_bytes());
        let at = Nanos::seconds(1_000 + turn as i64);
        events += black_box(lane.frame(at, frame)).len() as u64;
    }
    events
}

/// See [`guard_counted_decode`].
#[inline(never)]
#[unsafe(no_mangle)]
fn guard_counted_step(shard: &mut Shard, events: &[Event]) -> u64 {
    for event in events {
        shard.step(event, &mut Nowhere);
    }
    shard.state_hash()
}

/// See [`guard_counted_decode`].
#[inline(never)]
#[unsafe(no_mangle)]
fn guard_counted_map(map: &mut Heatmap, held: &Inventory, mark: Px) {
    for turn in 0..REFRESHES {
        map.refresh(Nanos::seconds(turn), std::slice::from_ref(held), &[mark], 0);
    }
}

/// See [`guard_counted_decode`].
#[inline(never)]
#[unsafe(no_mangle)]
fn guard_counted_zone(zones: &mut Zones, heat: &Heat) {
    for turn in 0..REFRESHES {
        let sigma = 21_474_836;
        zones.refresh(
            Nanos::seconds(turn),
            heat,
            sigma,
            [sigma / 8, sigma, sigma * 5],
            Px::new(Px::ONE / 10),
        );
        zones.clear_changes();
    }
}

fn symbols() -> Vec<String> {
    vec!["BTC".to_string()]
}

fn world(dialect: Dialect) -> World {
    let params = Params::only(&["BTCUSDT"]).stormy();
    World::new(17, params.speaking(dialect)).unwrap()
}

/// Frames of three minutes, of one kind or of all, a snapshot before them where there is one.
fn frames(world: &mut World, want: Option<TopicKind>) -> Vec<String> {
    let mut all = Vec::new();
    let wanted = |kind| want.is_none_or(|want| want == kind) && kind != TopicKind::Kline;
    let topics: Vec<_> = world.topics().filter(|t| wanted(t.kind)).collect();
    for topic in topics {
        world.snapshot_frames(topic, &mut |frame| all.push(frame.text.to_string()));
    }
    let until = world.now().plus(Nanos::new(3 * Nanos::MINUTE.get()));
    world.advance(until, &mut |frame| {
        if wanted(frame.topic.kind) {
            all.push(frame.text.to_string());
        }
    });
    all
}

/// Liquidations are rare even in a storm: these are written here, in the exchange's form.
fn liquidations() -> Vec<String> {
    let one = |turn: usize| {
        let side = ["Buy", "Sell"][turn % 2];
        let (size, price) = (1 + turn * 7 % 900, 64_000 + turn * 37 % 1_000);
        format!(
            r#"{{"T":{},"s":"BTCUSDT","S":"{side}","v":"0.{size:03}","p":"{price}.10"}}"#,
            1_767_225_600_000 + turn as u64 * 450
        )
    };
    let frame = |turn: usize| {
        let some: Vec<String> = (0..1 + turn % 3).map(|n| one(turn * 3 + n)).collect();
        format!(
            r#"{{"topic":"allLiquidation.BTCUSDT","type":"snapshot","ts":{},"data":[{}]}}"#,
            1_767_225_600_001 + turn as u64 * 500,
            some.join(",")
        )
    };
    (0..INPUTS).map(frame).collect()
}

fn decode(dialect: Dialect, kind: TopicKind) -> u64 {
    let row = by_name(dialect.name()).unwrap();
    let mut lane = Lane::new(row.id, &symbols(), 0).unwrap();
    let mut world = world(dialect);
    let at = Nanos::seconds(1_000);
    for primer in row.primers {
        let (_, _, body) = world.rest("GET", primer, "");
        lane.rest(at, primer, body.as_bytes());
    }
    let mut frames = match kind {
        TopicKind::Liquidation => liquidations(),
        _ => frames(&mut world, Some(kind)),
    };
    frames.truncate(INPUTS);
    assert!(frames.len() > 20, "{} frames", frames.len());
    let mut room = FrameBuffer::with_capacity(64 << 10);
    let events = guard_counted_decode(&mut lane, &mut room, &frames);
    assert!(events as usize >= frames.len() / 2, "{events} events");
    assert_eq!((lane.counts.faults, lane.counts.tolerant), (0, 0));
    frames.len() as u64
}

/// A shard after some minutes of a world.
fn lived(world: &mut World) -> Shard {
    let mut shard = Shard::new(&Setup::new(symbols(), &[VenueId::BYBIT])).unwrap();
    let mut warm = Warm::connect(world, &mut shard, &symbols()).unwrap();
    let until = world
        .now()
        .plus(Nanos::new(WARM_MINUTES * Nanos::MINUTE.get()));
    warm.advance(world, &mut shard, until);
    shard
}

fn refresh(case: Case) -> u64 {
    let shard = lived(&mut world(Dialect::Bybit));
    let mark = shard.told(0, VenueId::BYBIT).unwrap().mark.unwrap();
    let held = shard.inventory(0).unwrap();
    let mut map = *shard.heatmap(0).unwrap();
    match case {
        Case::Map => guard_counted_map(&mut map, held, mark),
        _ => {
            let heat = Heat {
                mark,
                below_long: &map.below_long,
                above_short: &map.above_short,
            };
            let mut zones: Box<Zones> = bytemuck::allocation::zeroed_box();
            guard_counted_zone(&mut zones, &heat);
            assert!(!zones.hot_above(mode::DAY).is_empty());
        }
    }
    REFRESHES as u64
}

/// Zones of a map without an empty cell, 2 x 4,096 of them, as rough as cells can be: nothing is alike.
fn refresh_full() -> u64 {
    let mut seed = 1u64;
    let cells: Vec<i64> = (0..8_192)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            1 + (seed >> 33) as i64 % 1_000_000
        })
        .collect();
    let heat = Heat {
        mark: Px::whole(65_000),
        below_long: &cells[..4_096],
        above_short: &cells[4_096..],
    };
    let mut zones: Box<Zones> = bytemuck::allocation::zeroed_box();
    guard_counted_zone(&mut zones, &heat);
    assert!(!zones.hot_above(mode::DAY).is_empty());
    REFRESHES as u64
}

fn step(kind: Kind) -> u64 {
    let mut world = world(Dialect::Bybit);
    let mut shard = lived(&mut world);
    let mut lane = Lane::new(VenueId::BYBIT, &symbols(), 0).unwrap();
    let mut buffer = Vec::new();
    let mut at = shard.now();
    let mut events = Vec::new();
    let frames = match kind {
        Kind::Liquidation => liquidations(),
        _ => frames(&mut world, None),
    };
    for text in frames {
        for event in lane.text(at, text.as_bytes(), &mut buffer) {
            // A whole image is rare, and would be all there is room for.
            let wanted = event.kind() == kind && event.bits & SNAPSHOT == 0;
            if wanted && events.len() < INPUTS {
                at = at.plus(Nanos::MICRO);
                let mut event = *event;
                event.recv = at;
                // Levels keep their frames; others are frames of their own.
                if kind != Kind::Level {
                    event.bits = ALONE;
                }
                events.push(event);
            }
        }
    }
    if kind == Kind::Tick {
        let tick = |turn| Event::tick(at.plus(Nanos::new(TICK.get() * turn)));
        events = (1..=INPUTS as i64).map(tick).collect();
    }
    assert!(events.len() > 20, "{} events", events.len());
    black_box(guard_counted_step(&mut shard, &events));
    events.len() as u64
}

fn run(case: Case) -> u64 {
    match case {
        Case::Decode(dialect, kind) => decode(dialect, kind),
        Case::Step(kind) => step(kind),
        Case::Map | Case::Zone => refresh(case),
        Case::ZoneFull => refresh_full(),
    }
}

fn main() {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    println!("scanner {}", Isa::detect().name());
    for (name, case) in CASES {
        if asked.is_empty() || asked.iter().any(|arg| arg == name) {
            println!("{name} inputs {}", run(case));
        }
    }
}
