//! What the map costs: a trade, a mark, a sweep, an interest, a print, a tick, a refresh of map and zones; and what it
//! would cost kept in a hash map, or computed anew from every trade, measured in the same run: the ratios at the end.
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
use isotherm::num::log::{BUCKET, px_of_ln};
use isotherm::num::{Px, Qty};
use isotherm::time::Nanos;
use isotherm::zone::{Heat, Zones};
use plain::{Hashed, Rescanned};
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
            b.iter(|| zoned(&mut zones, &map, now));
        });
    }
}

fn zoned(zones: &mut Zones, map: &Heatmap, now: Nanos) {
    let heat = Heat {
        mark: Px::whole(65_000),
        below_long: &map.below_long,
        above_short: &map.above_short,
    };
    zones.refresh(now, &heat, 21_474_836, 21_474_836, Px::new(Px::ONE / 10));
    zones.clear_changes();
}

/// Trades that stand in the plain maps when they are measured: some minutes of a busy market.
const STANDING: i64 = 20_000;

/// The fastest of some laps, nanoseconds an act.
fn lap(acts: u32, mut run: impl FnMut()) -> f64 {
    let laps = (0..20).map(|_| {
        let start = Instant::now();
        for _ in 0..acts {
            run();
        }
        start.elapsed().as_nanos() as f64 / f64::from(acts)
    });
    laps.fold(f64::INFINITY, f64::min)
}

/// Ours against the plain maps, act by act.
fn ratios(_: &mut Criterion) {
    let params = Params::default();
    let mut ours = lived(&params);
    let (mut hashed, mut rescanned) = (Hashed::default(), Rescanned::default());
    let mark = Px::whole(65_000);
    let bucket = isotherm::num::log::bucket_of(mark);
    let mut turn = 0i64;
    let mut next = || {
        turn += 7;
        turn % 400 - 200
    };
    for _ in 0..STANDING {
        let at = bucket + next();
        hashed.trade(at, 1_000);
        rescanned.trade(at, 1_000);
    }
    let ln = ours.mark_ln().unwrap_or(0);
    let away = |step: i64| px_of_ln(ln + step * BUCKET);
    let mut map: Box<Heatmap> = bytemuck::allocation::zeroed_box();
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
    let mut price = mark;
    let trade = lap(10_000, || {
        price = if price == mark { away(1) } else { mark };
        ours.trade(black_box(price), Qty::new(1));
    });
    let same = lap(1_000, || hashed.trade(black_box(bucket + next()), 1));
    say("trade", trade, same, None);
    // There and back over ten buckets, so that the next lap finds the same state.
    let sweep = lap(100, || {
        ours.mark(Nanos::SECOND, away(-10), &params);
        ours.mark(Nanos::SECOND, away(0), &params);
    });
    let same = lap(100, || hashed.sweep(black_box(bucket - 10), bucket));
    let scan = lap(10, || rescanned.sweep(black_box(bucket - 10), bucket));
    say(
        "mark sweep, a bucket crossed",
        sweep / 20.0,
        same / 20.0,
        Some(scan / 20.0),
    );
    let refresh = lap(20, || {
        map.refresh(Nanos::SECOND, std::slice::from_ref(&*ours), &[mark], 0)
    });
    let mut out = vec![[0i64; 2]; 4_096];
    let same = lap(5, || hashed.refresh(bucket, &mut out));
    let scan = lap(5, || rescanned.refresh(bucket, &mut out));
    say("map refresh", refresh, same, Some(scan));
    if failed {
        println!("a plain map is faster where it must not be: see above");
        std::process::exit(1);
    }
}

criterion_group!(benches, costs, ratios);
criterion_main!(benches);
