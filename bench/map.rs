//! What the map costs: a trade, a mark, a sweep, an interest, a print, a tick, a refresh of map and zones; and what it
//! would cost kept in a hash map, or computed anew from every trade, measured in the same run: the ratios at the end.
//! All three hold the same crowd in the same cells and answer the same readings (`map/plain.rs`); how many cells, and
//! how far their totals are apart, is printed with the ratios. A trade counts with its share of the flush that lays it.
//! A trade that a hash map takes faster, or a sweep or refresh that a full rescan does, ends the run with a failure.
//! A hash map of few levels may well be read faster: it is printed, not judged.
#![allow(missing_docs, reason = "criterion's macros write undocumented items")]
#![allow(
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "a bench prints ratios of times"
)]

#[path = "map/plain.rs"]
mod plain;

use criterion::{Criterion, criterion_group, criterion_main};
use isotherm::calibrate::{Calibration, observation};
use isotherm::event::Liquidation;
use isotherm::heatmap::Heatmap;
use isotherm::inventory::{Inventory, Params};
use isotherm::market::{Holder, VenueId};
use isotherm::num::log::{BUCKET, bucket_of, px_of_ln};
use isotherm::num::{Px, Qty};
use isotherm::time::Nanos;
use isotherm::zone::{Heat, Zones};
use plain::{DEPTH, Hashed, Reading, Rescanned};
use std::hint::black_box;
use std::time::Instant;

/// An inventory whose every cell near the mark has mass.
fn lived(params: &Params) -> Box<Inventory> {
    let mut inventory: Box<Inventory> = bytemuck::allocation::zeroed_box();
    inventory.mark(Nanos::SECOND, Px::whole(65_000), params);
    inventory.interest(Nanos::SECOND, Qty::whole(50_000), params);
    inventory
}

fn costs(criterion: &mut Criterion) {
    let params = Params::default();
    let mut inventory = lived(&params);
    let ln = inventory.mark_ln().unwrap_or(0);
    let at = |step: i64| px_of_ln(ln + step * BUCKET / 16);
    let mut turn = 0i64;
    let mut now = Nanos::SECOND;
    criterion.bench_function("trade", |b| {
        b.iter(|| inventory.trade(Px::whole(65_000), Qty::new(1)));
    });
    inventory.interest(now, Qty::whole(50_000), &params);
    criterion.bench_function("mark within three buckets", |b| {
        b.iter(|| {
            turn += 1;
            inventory.mark(now, at(turn % 7 * 8 % 48), &params)
        });
    });
    criterion.bench_function("mark, fall of 1 % and back", |b| {
        b.iter(|| {
            inventory.mark(now, at(-800), &params);
            inventory.mark(now, at(0), &params)
        });
    });
    criterion.bench_function("interval of 20 prices, interest", |b| {
        b.iter(|| {
            for step in 0..20 {
                inventory.trade(at(step * 16 - 160), Qty::new(10_000));
            }
            turn += 1;
            now = now.plus(Nanos::MILLI);
            inventory.interest(now, Qty::new(50_000_000_000 + turn % 2 * 10_000), &params);
        });
    });
    criterion.bench_function("tick with a slice", |b| {
        b.iter(|| {
            if turn % 64 == 0 {
                inventory.set_theta(3, 13_000 + turn % 3 * 100);
            }
            turn += 1;
            inventory.tick(now, &params);
        });
    });
    for _ in 0..200 {
        inventory.tick(now, &params);
    }
    criterion.bench_function("tick, no pass due", |b| {
        b.iter(|| inventory.tick(now, &params))
    });
    let mut known: Box<Calibration> = bytemuck::allocation::zeroed_box();
    inventory.mark(now, at(-1_000), &params);
    let print = Liquidation {
        price: at(-500),
        qty: Qty::new(1_000),
        holder: Holder::Long,
    };
    let bybit = observation(VenueId::BYBIT);
    criterion.bench_function("print, behind a fall of 1.25 %", |b| {
        b.iter(|| known.print(now, bybit, &print, &inventory, &params));
    });
    criterion.bench_function("fit of theta", |b| {
        b.iter(|| known.fit(now, inventory.interest_now(), &params));
    });
    inventory.mark(now, at(0), &params);
    let mut map: Box<Heatmap> = bytemuck::allocation::zeroed_box();
    let marks = [Px::whole(65_000)];
    criterion.bench_function("refresh, one venue", |b| {
        b.iter(|| map.refresh(now, std::slice::from_ref(&*inventory), &marks, 0));
    });
    let mut map: Box<Heatmap> = bytemuck::allocation::zeroed_box();
    let mut zones: Box<Zones> = bytemuck::allocation::zeroed_box();
    let marks = [Px::whole(65_000); 12];
    for venues in [1, 4, 12] {
        let all = vec![*inventory; venues];
        criterion.bench_function(&format!("map refresh, {venues} venues"), |b| {
            b.iter(|| map.refresh(now, &all, &marks[..venues], 0));
        });
        // The zones read what the venues made together: 2 x 4,096 cells, however many they are.
        criterion.bench_function(&format!("zone refresh, {venues} venues"), |b| {
            b.iter(|| {
                now = now.plus(Nanos::SECOND);
                zoned(&mut zones, &map.below_long, &map.above_short, now);
            });
        });
    }
    // No cell empty, none like its neighbour: the most that a map can ask.
    let mut seed = 1u64;
    let cells: Vec<i64> = (0..2 * DEPTH)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            1 + (seed >> 33) as i64 % 1_000_000
        })
        .collect();
    let mut zones: Box<Zones> = bytemuck::allocation::zeroed_box();
    criterion.bench_function("zone refresh, 8,192 live cells", |b| {
        b.iter(|| {
            now = now.plus(Nanos::SECOND);
            zoned(&mut zones, &cells[..DEPTH], &cells[DEPTH..], now);
        });
    });
}

fn zoned(zones: &mut Zones, below_long: &[i64], above_short: &[i64], now: Nanos) {
    let heat = Heat {
        mark: Px::whole(65_000),
        below_long,
        above_short,
    };
    zones.refresh(now, &heat, 21_474_836, 21_474_836, Px::new(Px::ONE / 10));
    zones.clear_changes();
}

/// Trades that stand in the maps when they are measured: some minutes of a busy market.
const STANDING: i64 = 20_000;
/// Trades between two open interests, and the prices they are made at.
const INTERVAL: i64 = 1_000;
const PRICES: i64 = 20;
/// Buckets of the fall that is measured, and of one step of it.
const FALL: i64 = 200;
const STEP: i64 = 10;

/// The fastest of some laps, nanoseconds an act; each lap begins with what `prepare` makes, untimed.
fn lap<T>(
    laps: u32,
    acts: i64,
    mut prepare: impl FnMut() -> T,
    mut run: impl FnMut(&mut T),
) -> f64 {
    let laps = (0..laps).map(|_| {
        let mut held = prepare();
        let start = Instant::now();
        run(&mut held);
        start.elapsed().as_nanos() as f64 / acts as f64
    });
    laps.fold(f64::INFINITY, f64::min)
}

/// Ours against the plain maps, act by act.
fn ratios(_: &mut Criterion) {
    let params = Params::default();
    let mark = Px::whole(65_000);
    let bucket = bucket_of(mark);
    // One crowd: the same trades at the same 400 prices, in every map.
    let crowd = || (0..STANDING).map(|turn| bucket + turn * 7 % 400 - 200);
    let middle = |bucket: i64| px_of_ln(bucket * BUCKET + BUCKET / 2);
    let (mut hashed, mut rescanned) = (Hashed::default(), Rescanned::default());
    for at in crowd() {
        hashed.trade(&params, at, 1_000_000);
        rescanned.trade(at, 1_000_000);
    }
    hashed.settle(bucket);
    rescanned.settle(&params, bucket);
    let mut ours: Box<Inventory> = bytemuck::allocation::zeroed_box();
    ours.mark(Nanos::SECOND, mark, &params);
    let profile: Vec<(Px, Qty)> = crowd().map(|at| (middle(at), Qty::whole(1))).collect();
    let interest = Qty::whole(STANDING);
    ours.seed(Nanos::SECOND, interest, &profile, &params);
    let held = Holder::BOTH.map(|holder| {
        let plane = ours.hot_plane(holder);
        plane.iter().filter(|heat| **heat != 0).count()
    });
    println!(
        "one crowd, {STANDING} trades at 400 prices: {} cells of ours, {} of the hash map",
        held[0] + held[1],
        hashed.cells.len()
    );

    let mut failed = false;
    let mut say = |what: &str, ours: f64, hashed: f64, rescanned: Option<f64>| {
        let rest = rescanned.map_or(String::new(), |ns| {
            format!(", rescan {ns:.0} ({:.1}x)", ns / ours)
        });
        println!(
            "{what}: {ours:.0} ns, hash map {hashed:.0} ({:.1}x){rest}",
            hashed / ours
        );
        failed |= rescanned.unwrap_or(hashed) < ours;
    };
    let near: Vec<i64> = (0..INTERVAL)
        .map(|turn| bucket + turn * 7 % PRICES - PRICES / 2)
        .collect();
    let prices: Vec<Px> = near.iter().map(|at| middle(*at)).collect();
    let more = Qty::new(interest.get() + Qty::whole(INTERVAL).get() / 2);
    let trade = lap(
        20,
        INTERVAL,
        || ours.clone(),
        |ours| {
            for price in &prices {
                ours.trade(black_box(*price), Qty::whole(1));
            }
            ours.interest(Nanos::seconds(2), more, &params);
        },
    );
    let same = lap(
        20,
        INTERVAL,
        || hashed.clone(),
        |hashed| {
            for at in &near {
                hashed.trade(&params, black_box(*at), 1_000_000);
            }
        },
    );
    say("trade, with its share of the flush", trade, same, None);
    let sweep = lap(
        10,
        FALL,
        || ours.clone(),
        |ours| {
            for at in (0..=FALL).step_by(STEP as usize).skip(1) {
                ours.mark(Nanos::seconds(2), middle(black_box(bucket - at)), &params);
            }
        },
    );
    let same = lap(
        10,
        FALL,
        || hashed.clone(),
        |hashed| {
            for at in (0..=FALL).step_by(STEP as usize).skip(1) {
                hashed.sweep(black_box(bucket - at), bucket - at + STEP);
            }
        },
    );
    let scan = lap(
        3,
        FALL,
        || rescanned.clone(),
        |rescanned| {
            for at in (0..=FALL).step_by(STEP as usize).skip(1) {
                rescanned.sweep(&params, black_box(bucket - at), bucket - at + STEP);
            }
        },
    );
    say("mark sweep, a bucket crossed", sweep, same, Some(scan));
    let mut map: Box<Heatmap> = bytemuck::allocation::zeroed_box();
    let mut reading = Reading::new(bucket);
    let refresh = lap(
        50,
        1,
        || (),
        |()| map.refresh(Nanos::SECOND, std::slice::from_ref(&*ours), &[mark], 0),
    );
    let same = lap(20, 1, || (), |()| hashed.refresh(&mut reading));
    let total = |half: &[i64]| half.iter().sum::<i64>() as f64;
    // Ours is less by the inert share, which has no price.
    println!(
        "longs of ours over the hash map's: {:.3} of the dollars",
        total(&map.below_long) / total(&reading.half[0])
    );
    let scan = lap(5, 1, || (), |()| rescanned.refresh(&params, &mut reading));
    say("map refresh", refresh, same, Some(scan));
    if failed {
        println!("a plain map is faster where it must not be: see above");
        std::process::exit(1);
    }
}

criterion_group!(benches, costs, ratios);
criterion_main!(benches);
