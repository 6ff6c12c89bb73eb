//! What holds in every dialect.

mod shapes;

use crate::sim::{Dialect, Params, TopicKind, World};
use crate::time::Nanos;
use std::collections::BTreeSet;

fn fold(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    })
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

#[test]
fn the_default_world_still_says_byte_for_byte_what_it_always_said() {
    let mut world = World::new(11, Params::default()).unwrap();
    let mut hash = START;
    let until = world.now().plus(Nanos::new(Nanos::MINUTE.get() * 20));
    world.advance(until, &mut |f| {
        hash = fold(hash, &f.at.get().to_le_bytes());
        hash = fold(hash, f.text.as_bytes());
    });
    for topic in world.topics().collect::<Vec<_>>() {
        world.snapshot_frames(topic, &mut |f| hash = fold(hash, f.text.as_bytes()));
    }
    for request in [
        "time",
        "instruments-info?category=linear",
        "risk-limit?symbol=BTCUSDT",
        "tickers?category=linear",
        "open-interest?symbol=BTCUSDT&intervalTime=5min",
        "kline?symbol=SOLUSDT&interval=1",
        "orderbook?symbol=BTCUSDT&limit=50",
        "nothing",
    ] {
        let (_, _, body) = world.rest("GET", &format!("/v5/market/{request}"), "");
        hash = fold(hash, body.as_bytes());
    }
    // Taken before the world learned other words.
    assert_eq!(hash, 0x39c0_3634_15b4_4cf7);
}

#[test]
fn every_dialect_repeats_itself_however_time_is_cut_and_frames_never_go_back() {
    for dialect in Dialect::ALL {
        let run = |seed, cut: i64| {
            let params = Params::many(32).speaking(dialect);
            let mut world = World::new(seed, params).unwrap();
            let end = world.now().plus(Nanos::seconds(30));
            let (mut hash, mut last) = (START, world.now());
            while world.now() < end {
                let until = world.now().plus(Nanos::millis(cut)).min(end);
                world.advance(until, &mut |f| {
                    assert!(
                        f.at > last,
                        "{dialect:?} {} {} {}",
                        f.at.get(),
                        last.get(),
                        f.text
                    );
                    last = f.at;
                    hash = fold(hash, &f.at.get().to_le_bytes());
                    hash = fold(hash, f.text.as_bytes());
                });
            }
            hash
        };
        assert_eq!(run(7, 30_000), run(7, 333), "{dialect:?}");
        assert_ne!(run(7, 30_000), run(8, 30_000), "{dialect:?}");
    }
}

#[test]
fn streams_have_names_of_their_own_and_are_told() {
    for dialect in Dialect::ALL {
        let params = Params::many(4).speaking(dialect).stormy();
        let mut world = World::new(1, params).unwrap();
        let topics: Vec<_> = world.topics().collect();
        let names: BTreeSet<String> = topics.iter().map(|t| world.topic_name(*t)).collect();
        assert_eq!(names.len(), topics.len());
        for topic in &topics {
            assert_eq!(world.topic(&world.topic_name(*topic)), Some(*topic));
        }
        let mut silent: BTreeSet<_> = topics.into_iter().collect();
        let until = world.now().plus(Nanos::seconds(2_000));
        world.advance(until, &mut |f| {
            silent.remove(&f.topic);
        });
        // Forced orders may stay away from a contract, and nothing of the list has changed.
        silent.retain(|t| !matches!(t.kind, TopicKind::Liquidation | TopicKind::Instruments));
        assert!(silent.is_empty(), "{dialect:?} {silent:?}");
        let beat = world.heartbeat();
        assert!(beat.silence >= Nanos::seconds(30));
        assert!(world.paths().iter().all(|path| world.serves(path)));
        assert!(!world.serves("/nothing"));
    }
}

#[test]
fn a_contract_listed_later_is_absent_until_then() {
    for dialect in Dialect::ALL {
        let mut params = Params::many(4).speaking(dialect);
        params.contracts[3].listed = false;
        let mut world = World::new(5, params).unwrap();
        let count = |world: &mut World| {
            let mut count = 0;
            let until = world.now().plus(Nanos::seconds(20));
            world.advance(until, &mut |f| count += u32::from(f.topic.symbol == 3));
            count
        };
        let topic = world.topics().find(|t| t.symbol == 3).unwrap();
        let name = world.topic_name(topic);
        assert_eq!(world.topic(&name), None);
        assert_eq!(count(&mut world), 0, "{dialect:?}");
        assert!(world.list("XRP"));
        assert_eq!(world.topic(&name), Some(topic));
        assert!(count(&mut world) > 20, "{dialect:?}");
        assert!(!world.book("XRP").unwrap().bids.is_empty());
    }
}
