//! What the map costs: a trade, a mark, a sweep, an interest, a tick, a refresh.
#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use criterion::{Criterion, criterion_group, criterion_main};
use isotherm::calibrate::{Calibration, observation};
use isotherm::event::Liquidation;
use isotherm::heatmap::Heatmap;
use isotherm::inventory::{Inventory, Params};
use isotherm::market::{Holder, VenueId};
use isotherm::num::log::{BUCKET, px_of_ln};
use isotherm::num::{Px, Qty};
use isotherm::time::Nanos;

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
}

criterion_group!(benches, costs);
criterion_main!(benches);
