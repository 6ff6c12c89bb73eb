//! What the map costs: a trade, a mark, a sweep, an interest, a print, a tick, a refresh of map and zones, with 1, 4
//! and 12 venues; and what it would cost kept in a hash map, or computed anew from every trade, measured in the same
//! run: the ratios at the end, of the fastest laps, which company disturbs least.
//!
//! A symbol with N venues has N inventories of 2.3 MB. Events go round the venues, so each finds its inventory as far
//! away as the others have pushed it: what grows with N is the way to memory. A shard holds at most four venues
//! (`shard::VENUES`); twelve show how it would go on. A sweep is timed on inventories that were just put back, so they
//! start as near as their copy left them.
//!
//! All three maps hold the same crowd in the same cells and answer the same readings (`map/plain.rs`); how many cells,
//! and how far their totals are apart, is printed with the ratios. A trade counts with its share of the flush that
//! lays it. A trade that a hash map takes faster, or a sweep or refresh that a full rescan does, ends the run with a
//! failure. A hash map of few levels may well be read faster: it is printed, not judged.
//!
//! A predictor learns a map that it sees again: rough cells are refreshed as new maps each time, and as one again.
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
use isotherm::event::{Liquidation, Position};
use isotherm::heatmap::Heatmap;
use isotherm::inventory::exact::{Exact, ROWS};
use isotherm::inventory::{Inventory, Params};
use isotherm::market::{Holder, VenueId};
use isotherm::num::log::{BUCKET, bucket_of, px_of_ln};
use isotherm::num::{Px, Qty};
use isotherm::time::Nanos;
use isotherm::zone::{Heat, Zones};
use plain::{DEPTH, Hashed, Reading, Rescanned};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How many venues a symbol is measured with.
const VENUES: [usize; 3] = [1, 4, 12];
/// Prices of an interval, as sixteenths of a bucket from the mark.
const INTERVAL_AT: [i64; 20] = {
    let mut all = [0; 20];
    let mut i = 0;
    while i < 20 {
        all[i] = i as i64 * 16 - 160;
        i += 1;
    }
    all
};
/// Rough maps that are refreshed in turn: one, which a predictor learns, or more than it can.
const ROUGH: [(&str, usize); 2] = [("the same map again", 1), ("a new map each time", 64)];

/// Inventories whose every cell near the mark has mass, each with what its prints taught.
fn lived(params: &Params, venues: usize) -> (Vec<Inventory>, Vec<Calibration>) {
    let mut inventory: Box<Inventory> = bytemuck::allocation::zeroed_box();
    inventory.mark(Nanos::SECOND, Px::whole(65_000), params);
    inventory.interest(Nanos::SECOND, Qty::whole(50_000), params);
    let taught: Box<Calibration> = bytemuck::allocation::zeroed_box();
    (vec![*inventory; venues], vec![*taught; venues])
}

/// The next of some venues.
fn next(turn: &mut usize, venues: usize) -> usize {
    *turn = (*turn + 1) % venues;
    *turn
}

/// What events cost, round the venues of a symbol.
fn events(criterion: &mut Criterion, venues: usize) {
    let params = Params::default();
    let (mut all, mut known) = lived(&params, venues);
    let ln = all[0].mark_ln().unwrap_or(0);
    let at = |step: i64| px_of_ln(ln + step * BUCKET / 16);
    let (mut venue, mut step) = (0, 0i64);
    let mut now = Nanos::SECOND;
    let mut row = |what: &str, run: &mut dyn FnMut(&mut Criterion, &str)| {
        run(criterion, &format!("{what}, {venues} venues"));
    };
    let interval = INTERVAL_AT.map(at);
    row("trade", &mut |criterion, name| {
        criterion.bench_function(name, |b| {
            b.iter(|| {
                step += 1;
                let price = interval[(step / 8 % 20) as usize];
                all[next(&mut venue, venues)].trade(price, Qty::new(1));
            });
        });
        for inventory in &mut all {
            inventory.interest(now, Qty::whole(50_000), &params);
        }
    });
    row("interest after 20 prices", &mut |criterion, name| {
        criterion.bench_function(name, |b| {
            b.iter(|| {
                let inventory = &mut all[next(&mut venue, venues)];
                for price in &interval {
                    inventory.trade(*price, Qty::new(10_000));
                }
                step += 1;
                now = now.plus(Nanos::MILLI);
                let interest = Qty::new(50_000_000_000 + step % 2 * 10_000);
                inventory.interest(now, interest, &params);
            });
        });
    });
    row("mark within three buckets", &mut |criterion, name| {
        criterion.bench_function(name, |b| {
            b.iter(|| {
                step += 1;
                let way = step / venues as i64 % 7 * 8 % 48;
                all[next(&mut venue, venues)].mark(now, at(way), &params)
            });
        });
    });
    let full = all.clone();
    row("mark sweep, a bucket crossed", &mut |criterion, name| {
        let name = format!("{name} (steps of {STEP})");
        criterion.bench_function(&name, |b| {
            b.iter_custom(|buckets| {
                let (mut crossed, mut took) = (0, Duration::ZERO);
                while crossed < buckets {
                    all.copy_from_slice(&full);
                    let start = Instant::now();
                    for fall in (STEP..=FALL).step_by(STEP as usize) {
                        for inventory in &mut all {
                            inventory.mark(now, at(-16 * fall), &params);
                        }
                    }
                    took += start.elapsed();
                    crossed += FALL as u64 * venues as u64;
                }
                took.mul_f64(buckets as f64 / crossed as f64)
            });
        });
    });
    all.copy_from_slice(&full);
    for inventory in &mut all {
        inventory.mark(now, at(-1_000), &params);
    }
    let print = Liquidation {
        price: at(-500),
        qty: Qty::new(1_000),
        holder: Holder::Long,
    };
    let bybit = observation(VenueId::BYBIT);
    row("print, behind a fall of 1.25 %", &mut |criterion, name| {
        criterion.bench_function(name, |b| {
            b.iter(|| {
                let venue = next(&mut venue, venues);
                known[venue].print(now, bybit, &print, &all[venue], &params);
            });
        });
    });
}

/// What a second of shard time costs: slices of the hot plane, the fit, the map, its zones.
fn refreshes(criterion: &mut Criterion) {
    let params = Params::default();
    let (mut all, mut known) = lived(&params, 1);
    let (inventory, known) = (&mut all[0], &mut known[0]);
    let mut turn = 0i64;
    let mut now = Nanos::SECOND;
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
    criterion.bench_function("fit of theta", |b| {
        b.iter(|| known.fit(now, inventory.interest_now(), &params));
    });
    let one = *inventory;
    let mut map: Box<Heatmap> = bytemuck::allocation::zeroed_box();
    let mut zones: Box<Zones> = bytemuck::allocation::zeroed_box();
    let marks = [Px::whole(65_000); 12];
    for venues in VENUES {
        let all = vec![one; venues];
        criterion.bench_function(&format!("map refresh, {venues} venues"), |b| {
            b.iter(|| map.refresh(now, &all, &marks[..venues], 0));
        });
        // The zones read what the venues made together: 2 x 4,096 cells, however many they are.
        criterion.bench_function(&format!("zone refresh, {venues} venues"), |b| {
            b.iter(|| {
                now = now.plus(Nanos::SECOND);
                zoned(&mut zones, marks[0], &map.below_long, &map.above_short, now);
            });
        });
    }
    let exact = accounts();
    criterion.bench_function("map refresh, 1 venue, a full table of accounts", |b| {
        let all = std::slice::from_ref(&one);
        b.iter(|| map.refresh_with(now, all, &marks[..1], 0, Some((0, &exact))));
    });
    let mut refresh = walked();
    criterion.bench_function("zone refresh, a map of eight hours", |b| {
        b.iter_custom(|times| (0..times).map(|_| refresh()).sum());
    });
    for (name, maps) in ROUGH {
        let mut refresh = rough(maps);
        criterion.bench_function(&format!("zone refresh, 8,192 rough cells, {name}"), |b| {
            b.iter_custom(|times| (0..times).map(|_| refresh()).sum());
        });
    }
}

/// As many positions as are kept, from the mark to 20 % on either side of it.
fn accounts() -> Box<Exact> {
    let mut exact: Box<Exact> = bytemuck::allocation::zeroed_box();
    for account in 0..ROWS as i64 {
        let holder = Holder::BOTH[account as usize % 2];
        let told = Position {
            account: account as u64,
            holder,
            qty: Qty::new(1_000),
            entry: Px::whole(65_000),
            liquidation: Px::whole(65_000 + holder.hurts() * account * 13_000 / ROWS as i64),
        };
        exact.tell(Nanos::SECOND, &told, None);
    }
    exact
}

/// Refreshes zones over the map of one venue as it goes on, a second at a time and untimed, after eight hours of a
/// price that wanders and a crowd whose trades are of all sizes.
fn walked() -> impl FnMut() -> Duration {
    let params = Params::default();
    let (mut seed, mut now) = (1u64, Nanos::SECOND);
    let mut inventory: Box<Inventory> = bytemuck::allocation::zeroed_box();
    let (start, mut interest) = (Px::whole(65_000), Qty::whole(50_000).get());
    inventory.mark(now, start, &params);
    inventory.interest(now, Qty::new(interest), &params);
    let mut ln = inventory.mark_ln().unwrap_or(0);
    let mut second = move || {
        let mut random = |below: i64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as i64 % below
        };
        now = now.plus(Nanos::SECOND);
        // Six hundredths of a percent in a minute.
        ln += BUCKET * (random(2_001) - 1_000) / 1_500;
        for _ in 0..10 {
            let at = px_of_ln(ln + BUCKET * (random(2_001) - 1_000) / 1_000);
            inventory.trade(at, Qty::new((1 + random(1_000)) << random(16)));
        }
        inventory.mark(now, px_of_ln(ln), &params);
        interest += random(20_000_001) - 10_000_000;
        inventory.interest(now, Qty::new(interest), &params);
        for _ in 0..100 {
            inventory.tick(now, &params);
        }
        (now, px_of_ln(ln), inventory.clone())
    };
    for _ in 1..8 * 3_600 {
        black_box(second());
    }
    let mut zones: Box<Zones> = bytemuck::allocation::zeroed_box();
    let mut map: Box<Heatmap> = bytemuck::allocation::zeroed_box();
    let (now, mark, inventory) = second();
    map.refresh(now, &[*inventory], &[mark], 0);
    let cells = map.below_long.iter().chain(&map.above_short);
    println!(
        "a map of eight hours: {} of its {} live cells hold something",
        cells.filter(|cell| **cell > 0).count(),
        2 * DEPTH
    );
    move || {
        let (now, mark, inventory) = second();
        map.refresh(now, std::slice::from_ref(&inventory), &[mark], 0);
        let start = Instant::now();
        zoned(&mut zones, mark, &map.below_long, &map.above_short, now);
        start.elapsed()
    }
}

/// Refreshes zones over so many maps in turn, none with an empty cell or one like its neighbour: the most that a map
/// can ask. Each is laid where the last one was, untimed, as the shard's is written anew before its zones read it.
fn rough(maps: usize) -> impl FnMut() -> Duration {
    let mut seed = 1u64;
    let cells: Vec<i64> = (0..maps * 2 * DEPTH)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            1 + (seed >> 33) as i64 % 1_000_000
        })
        .collect();
    let mut zones: Box<Zones> = bytemuck::allocation::zeroed_box();
    let mut map = vec![0; 2 * DEPTH];
    let (mut turn, mut now) = (0, Nanos::SECOND);
    move || {
        now = now.plus(Nanos::SECOND);
        let from = next(&mut turn, maps) * 2 * DEPTH;
        map.copy_from_slice(&cells[from..from + 2 * DEPTH]);
        let (below, above) = black_box(&map).split_at(DEPTH);
        let start = Instant::now();
        zoned(&mut zones, Px::whole(65_000), below, above, now);
        start.elapsed()
    }
}

fn costs(criterion: &mut Criterion) {
    for venues in VENUES {
        events(criterion, venues);
    }
    refreshes(criterion);
}

fn zoned(zones: &mut Zones, mark: Px, below_long: &[i64], above_short: &[i64], now: Nanos) {
    let heat = Heat {
        mark,
        below_long,
        above_short,
    };
    zones.refresh(
        now,
        &heat,
        21_474_836,
        [2_772_000, 21_474_836, 105_200_000],
        Px::new(Px::ONE / 10),
    );
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

/// Ours against the plain maps, act by act, for each count of venues.
fn ratios(_: &mut Criterion) {
    for (name, maps) in ROUGH {
        let mut refresh = rough(maps);
        // The fastest time of each map, and of these the mean: no luck of an easy one.
        let mut fastest = vec![Duration::MAX; maps];
        for _ in 0..100 {
            for fastest in &mut fastest {
                *fastest = refresh().min(*fastest);
            }
        }
        let each = fastest.iter().sum::<Duration>() / maps as u32;
        println!("zone refresh, 8,192 rough cells, {name}: {each:?}");
    }
    let worse = VENUES.map(compared);
    if worse.contains(&true) {
        println!("a plain map is faster where it must not be: see above");
        std::process::exit(1);
    }
}

/// Ours against the plain maps with so many venues, events going round them; true where a plain map is faster that must
/// not be.
fn compared(venues: usize) -> bool {
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
        "{venues} venues, at each one crowd, {STANDING} trades at 400 prices: {} cells of ours, {} of the hash map",
        held[0] + held[1],
        hashed.cells.len()
    );
    let ours = vec![*ours; venues];
    let hashed = vec![hashed; venues];
    let rescanned = vec![rescanned; venues];

    let mut failed = false;
    let mut say = |what: &str, ours: f64, hashed: f64, rescanned: Option<f64>| {
        let rest = rescanned.map_or(String::new(), |ns| {
            format!(", rescan {ns:.0} ({:.1}x)", ns / ours)
        });
        println!(
            "{what}, {venues} venues: {ours:.0} ns, hash map {hashed:.0} ({:.1}x){rest}",
            hashed / ours
        );
        failed |= rescanned.unwrap_or(hashed) < ours;
    };
    let near: Vec<i64> = (0..INTERVAL)
        .map(|turn| bucket + turn * 7 % PRICES - PRICES / 2)
        .collect();
    let prices: Vec<Px> = near.iter().map(|at| middle(*at)).collect();
    let more = Qty::new(interest.get() + Qty::whole(INTERVAL).get() / 2);
    let acts = INTERVAL * venues as i64;
    let trade = lap(
        20,
        acts,
        || ours.clone(),
        |ours| {
            for price in &prices {
                for ours in &mut *ours {
                    ours.trade(black_box(*price), Qty::whole(1));
                }
            }
            for ours in ours {
                ours.interest(Nanos::seconds(2), more, &params);
            }
        },
    );
    let same = lap(
        20,
        acts,
        || hashed.clone(),
        |hashed| {
            for at in &near {
                for hashed in &mut *hashed {
                    hashed.trade(&params, black_box(*at), 1_000_000);
                }
            }
        },
    );
    say("trade, with its share of the flush", trade, same, None);
    let steps = || (0..=FALL).step_by(STEP as usize).skip(1);
    let acts = FALL * venues as i64;
    let sweep = lap(
        10,
        acts,
        || ours.clone(),
        |ours| {
            for at in steps() {
                for ours in &mut *ours {
                    ours.mark(Nanos::seconds(2), middle(black_box(bucket - at)), &params);
                }
            }
        },
    );
    let same = lap(
        10,
        acts,
        || hashed.clone(),
        |hashed| {
            for at in steps() {
                for hashed in &mut *hashed {
                    hashed.sweep(black_box(bucket - at), bucket - at + STEP);
                }
            }
        },
    );
    let scan = lap(
        3,
        acts,
        || rescanned.clone(),
        |rescanned| {
            for at in steps() {
                for rescanned in &mut *rescanned {
                    rescanned.sweep(&params, black_box(bucket - at), bucket - at + STEP);
                }
            }
        },
    );
    say("mark sweep, a bucket crossed", sweep, same, Some(scan));
    let mut map: Box<Heatmap> = bytemuck::allocation::zeroed_box();
    let mut reading = Reading::new(bucket);
    let marks = vec![mark; venues];
    let refresh = lap(
        50,
        1,
        || (),
        |()| map.refresh(Nanos::SECOND, &ours, &marks, 0),
    );
    let same = lap(20, 1, || (), |()| Hashed::refresh(&hashed, &mut reading));
    let total = |half: &[i64]| half.iter().sum::<i64>() as f64;
    // Ours is less by the inert share, which has no price.
    println!(
        "longs of ours over the hash map's: {:.3} of the dollars",
        total(&map.below_long) / total(&reading.half[0])
    );
    let scan = lap(
        5,
        1,
        || (),
        |()| Rescanned::refresh(&rescanned, &params, &mut reading),
    );
    say("map refresh", refresh, same, Some(scan));
    failed
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = costs, ratios
}
criterion_main!(benches);
