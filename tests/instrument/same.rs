//! The map that a proof walks is the shard's, byte for byte, where nothing was merged and the ticks are the shard's,
//! through losses of prints too; with trades merged by the second and ticks of a second it says the same to a few parts
//! in a hundred.

use crate::ear::Ear;
use isotherm::event::{ALONE, Body, Event, Gap, Head, Stream};
use isotherm::inventory::Inventory;
use isotherm::market::{Holder, SymbolId, VenueId};
use isotherm::prove::input::{Input, Source, Told, Traded};
use isotherm::prove::walk::{self, Learnt, Way};
use isotherm::run::warm::Warm;
use isotherm::shard::{Setup, Shard};
use isotherm::shm::record::Nowhere;
use isotherm::sim::{Params, World};
use isotherm::time::{Nanos, TICK};

/// Largest part of the mass that may lie in other cells as a proof walks.
const APART: f64 = 0.15;
/// Long enough for hundreds of prints.
const SPAN: Nanos = Nanos::seconds(4 * 3_600);
/// Moments of it at which prints are lost.
const LOST: [i64; 3] = [3_600, 2 * 3_600 + 17, 3 * 3_600 + 1_800];

fn world() -> World {
    World::new(9, Params::only(&["BTCUSDT"]).hasty().stormy()).unwrap()
}

/// Everything as it was told, nothing merged.
fn take(source: &mut Source, event: &Event) {
    let at = event.recv;
    match event.body() {
        Body::Trade(trade) => source.trades.push(Traded {
            at,
            price: trade.price,
            qty: trade.qty,
        }),
        Body::Mark(mark) => source.marks.push((at, mark)),
        Body::Interest(interest) => source.interest.push((at, interest)),
        Body::Liquidation(print) => source.prints.push(Told {
            at,
            holder: print.holder,
            price: print.price,
            qty: print.qty,
        }),
        Body::Tier(tier) => source.tiers.push(tier),
        _ => {}
    }
}

fn heard() -> Input {
    let mut world = world();
    let mut source = Source {
        venue: VenueId::BYBIT,
        ..Source::default()
    };
    let mut ear = Ear::connect(&mut world, &mut |group| {
        group.iter().for_each(|event| take(&mut source, event));
    });
    let until = world.now().plus(SPAN);
    world.advance(until, &mut |frame| {
        ear.hear(frame, &mut |group| {
            group.iter().for_each(|event| take(&mut source, event));
        });
    });
    assert_eq!(ear.faults(), 0);
    assert!(source.prints.len() > 20, "{} prints", source.prints.len());
    Input {
        symbol: "BTC".to_owned(),
        sources: vec![source],
        periods: Vec::new(),
    }
}

fn loss(at: Nanos) -> Event {
    let head = Head {
        recv: at,
        exch: Nanos::ZERO,
        venue: VenueId::BYBIT,
        symbol: SymbolId(0),
        bits: ALONE,
    };
    let gap = Gap {
        stream: Stream::Liquidations,
        expected: 0,
        got: 0,
    };
    Event::new(head, Body::Gap(gap))
}

/// Trades of a second at a price bucket are one, as the proof reads a tape.
fn merged(mut input: Input) -> Input {
    let mut trades: Vec<Traded> = Vec::new();
    let second = |at: Nanos| at.get() / Nanos::SECOND.get();
    let bucket = isotherm::num::log::bucket_of;
    for trade in &input.sources[0].trades {
        match trades.last_mut() {
            Some(last)
                if second(last.at) == second(trade.at)
                    && bucket(last.price) == bucket(trade.price) =>
            {
                last.qty = last.qty.plus(trade.qty);
            }
            _ => trades.push(*trade),
        }
    }
    input.sources[0].trades = trades;
    input
}

#[test]
fn the_map_of_a_proof_is_the_shards() {
    let symbols = vec!["BTC".to_owned()];
    let mut world = world();
    let mut shard = Shard::new(&Setup::new(symbols.clone(), &[VenueId::BYBIT])).unwrap();
    let mut warm = Warm::connect(&mut world, &mut shard, &symbols).unwrap();
    let (begin, mut losses) = (world.now(), Vec::new());
    for lost in LOST {
        warm.advance(&mut world, &mut shard, begin.plus(Nanos::seconds(lost)));
        let before = *shard.calibration_at(0, VenueId::BYBIT).unwrap();
        losses.push(shard.now());
        shard.step(&loss(shard.now()), &mut Nowhere);
        let known = shard.calibration_at(0, VenueId::BYBIT).unwrap();
        assert!(
            bytemuck::bytes_of(&before) != bytemuck::bytes_of(known),
            "nothing to lose"
        );
    }
    warm.advance(&mut world, &mut shard, begin.plus(SPAN));
    let live = shard.inventory_at(0, VenueId::BYBIT).unwrap();
    assert!(live.is_seeded());

    let mut input = heard();
    input.sources[0].losses = losses;
    let way = |step| Way {
        learnt: Learnt::Prints(step),
        ..Way::default()
    };
    let fine = walk::led(&input, &way(TICK), shard.now());
    let (venue, map, calibration) = &fine[0];
    assert_eq!(*venue, VenueId::BYBIT);
    let (low, high) = live.window();
    for holder in Holder::BOTH {
        for bucket in low..=high {
            let ([a, b], at) = ([live, map].map(|m| m.masses(holder, bucket)), bucket);
            assert_eq!(a, b, "{holder:?} {at}");
        }
    }
    assert!(
        bytemuck::bytes_of(&**map) == bytemuck::bytes_of(live),
        "the same cells, yet another state"
    );
    let known = shard.calibration_at(0, VenueId::BYBIT).unwrap();
    assert!(
        bytemuck::bytes_of(&**calibration.as_ref().unwrap()) == bytemuck::bytes_of(known),
        "another calibration"
    );

    // As a tape is read for a proof: what of the mass lies in other cells, by cause.
    let apart = |input: &Input, step: Nanos| {
        let map = &walk::led(input, &way(step), shard.now())[0].1;
        Holder::BOTH.map(|holder| {
            let mass = |m: &Inventory, bucket: i64| m.mass(holder, bucket).get();
            let gap = |b: i64| (mass(live, b) - mass(map, b)).abs();
            let all: i64 = (low..=high).map(|b| mass(live, b)).sum();
            (low..=high).map(gap).sum::<i64>() as f64 / all as f64
        })
    };
    let slow = apart(&input, Nanos::SECOND);
    let input = merged(input);
    let joined = apart(&input, TICK);
    let both = apart(&input, Nanos::SECOND);
    println!("in other cells: ticks of a second {slow:.4?}, merged {joined:.4?}, both {both:.4?}");
    assert!(both.iter().all(|part| *part < APART), "{both:?}");
}
