//! The map against the truth that no exchange tells: worlds from five seeds, the real decoders and
//! the real shard, and every position's liquidation price read from the world itself.
//!
//! The world's parameters were committed before the estimator and are not touched here. Compared is
//! position mass (g·h, before θ) per holder, as a share of open interest, by an *unbalanced*
//! 1-Wasserstein distance on log price: a unit that both maps place costs how far it must be moved,
//! a unit that only one of them places costs [`ALONE`], the far end of the ladder. Two units
//! further apart than twice that are cheaper left alone, so this is the Kantorovich–Rubinstein norm
//! of the difference, `max ∫ f d(a − b)` over f with slope and height bounded by 1 and [`ALONE`].
//!
//! Models, all from the same public stream: *ours*; *all inert* places nothing; *volume* lays every
//! trade at ±1/L with the leverage mix of the defaults and removes nothing; *volume, scaled* is its
//! shape with our total; *distance* lays our total at the ladder's distances from the mark of now.
//! Beside that the table tells the *shape* alone: every map scaled to the true total first.
//!
//! `cargo test` runs a short form. The table of docs/PROOF.md is from
//! `ISOTHERM_PROOF=full cargo test --release --test map_truth -- --nocapture`.
#![allow(
    clippy::float_arithmetic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the judge computes in reals, stops at a surprise and prints its table"
)]

use isotherm::inventory::params::{LADDER_E6, LEVERAGE_MIX};
use isotherm::inventory::{Inventory, Params};
use isotherm::market::{Holder, VenueId};
use isotherm::num::log::BUCKET;
use isotherm::run::warm::Warm;
use isotherm::shard::{Setup, Shard};
use isotherm::sim::{self, TopicKind, Truth, World};
use isotherm::time::Nanos;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// Cost of a unit that only one map places, in log price.
const ALONE: f64 = 0.30;
/// Stated bound: change of interest that no volume explained, as a share of open interest.
const RESIDUAL_MAX: f64 = 0.001;
/// Stated bound: how much more of open interest is without a place in our map than in truth. It is
/// never less: what the map shows is there, what is there it does not all show.
const UNPLACED_MAX: f64 = 0.55;
/// Width of a bucket in log price.
const WIDTH: f64 = 0.0002;
/// The worlds.
const SEEDS: [u64; 5] = [101, 102, 103, 104, 105];
/// Student's t for a 95 % interval over five seeds.
const T_FOUR: f64 = 2.776;

const OURS: usize = 0;
const INERT: usize = 1;
const VOLUME: usize = 2;
const SCALED: usize = 3;
const DISTANCE: usize = 4;
const MODELS: [&str; 5] = [
    "ours",
    "all inert",
    "volume",
    "volume, scaled",
    "distance only",
];

/// (log price, mass).
type Point = (f64, f64);

/// The unbalanced distance of two distributions, exactly, in O(n log n) and as many moves as
/// matching needs.
///
/// Walks the line keeping the concave function "best so far by the height of f here": its slopes
/// fall by the weights of breakpoints left and right of its top. A gap widens the top by itself on
/// both sides, mass tilts the function and moves the top over breakpoints, and each weight it
/// passes is matched there. The walls at ±[`ALONE`] take what nothing else matches.
fn transport(a: &[Point], b: &[Point]) -> f64 {
    let mut all: Vec<Point> = a.to_vec();
    all.extend(b.iter().map(|&(x, mass)| (x, -mass)));
    all.sort_by(|p, q| p.0.total_cmp(&q.0));
    // Breakpoints (place + walked, weight) above the top and, mirrored, below it; nearest last.
    let mut sides: [Vec<Point>; 2] = [Vec::new(), Vec::new()];
    let (mut cost, mut walked) = (0.0, 0.0);
    let mut before = all.first().map_or(0.0, |p| p.0);
    for (x, mass) in all {
        walked += x - before;
        before = x;
        let (up, mut left) = (usize::from(mass < 0.0), mass.abs());
        while left > 0.0 {
            // A side's breakpoints lie at stored + walked from zero, its own way.
            let next = sides[up]
                .last()
                .map(|&(place, weight)| (place + walked, weight));
            let (place, taken) = match next.filter(|&(place, _)| place < ALONE) {
                Some((place, weight)) if weight > left => {
                    sides[up].last_mut().unwrap().1 -= left;
                    (place, left)
                }
                Some((place, weight)) => {
                    sides[up].pop();
                    (place, weight)
                }
                None => (ALONE, left),
            };
            cost += place * taken;
            left -= taken;
            // From now on it lies on the other side: seen from there at −place.
            sides[1 - up].push((-place - walked, taken));
        }
    }
    cost
}

/// The stream's volume at price: (Σ volume, bucket of log price).
#[derive(Default)]
struct Tape {
    volume: BTreeMap<i64, f64>,
}

impl Tape {
    fn frame(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap();
        for trade in frame["data"].as_array().unwrap() {
            let read = |key: &str| trade[key].as_str().unwrap().parse::<f64>().unwrap();
            let bucket = (place(read("p")) / WIDTH).floor() as i64;
            *self.volume.entry(bucket).or_default() += read("v");
        }
    }

    /// The usual map: volume at ±1/L.
    fn map(&self, holder: Holder, interest: f64) -> Vec<Point> {
        let mut map = Vec::new();
        for (bucket, volume) in &self.volume {
            let entry = (*bucket as f64 + 0.5) * WIDTH;
            for (leverage_e2, share_e6) in LEVERAGE_MIX {
                let part = 100.0 / f64::from(leverage_e2) * way(holder);
                let mass = volume / interest * share_e6 as f64 / 1e6;
                map.push((entry + (1.0 + part).ln(), mass));
            }
        }
        map
    }
}

/// Log price as the engine counts it, whose prices are in 1e-10.
fn place(price: f64) -> f64 {
    (price * 1e10).ln()
}

fn way(holder: Holder) -> f64 {
    match holder {
        Holder::Long => -1.0,
        Holder::Short => 1.0,
    }
}

fn total(map: &[Point]) -> f64 {
    map.iter().map(|p| p.1).sum()
}

fn scaled(mut map: Vec<Point>, to: f64) -> Vec<Point> {
    let all = total(&map);
    for point in &mut map {
        point.1 *= to / all.max(1e-12);
    }
    map
}

fn ours(inventory: &Inventory, holder: Holder, interest: f64) -> Vec<Point> {
    let (low, high) = inventory.window();
    let bucket = BUCKET as f64 / (1u64 << 48) as f64;
    (low..=high)
        .map(|b| {
            let mass = inventory.mass(holder, b).get() as f64 / 1e6;
            ((b as f64 + 0.5) * bucket, mass / interest)
        })
        .filter(|p| p.1 > 0.0)
        .collect()
}

fn true_map(truth: &Truth, inventory: &Inventory, holder: Holder) -> Vec<Point> {
    let (low, high) = inventory.window();
    let inside = low as f64 * WIDTH..(high + 1) as f64 * WIDTH;
    let positions = truth.positions[holder as usize].iter();
    positions
        .map(|&(price, size)| (place(price), size / truth.interest))
        .filter(|p| inside.contains(&p.0))
        .collect()
}

fn distance_only(truth: &Truth, holder: Holder, to: f64) -> Vec<Point> {
    let mix = Params::default().mix[holder as usize];
    let rows = LADDER_E6.iter().zip(mix);
    let map = rows
        .map(|(far, share)| {
            (
                place(truth.mark) + way(holder) * *far as f64 / 1e6,
                share as f64,
            )
        })
        .collect();
    scaled(map, to)
}

/// What is read at one moment of one world.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    hour: i64,
    /// Distance to the truth per model, then per holder.
    cost: [[f64; 2]; 5],
    /// The same with every map scaled to the true total; 0 for the empty one.
    shape: [[f64; 2]; 5],
    /// Share of open interest without a place in the window, true and ours, per holder.
    unplaced: [[f64; 2]; 2],
    /// What the engine says is inert, per holder.
    inert: [f64; 2],
    /// True mass further than [`ALONE`] from the mark: beyond any class of ours.
    beyond: [f64; 2],
    residual: f64,
    prior: f64,
}

fn look(hour: i64, truth: &Truth, inventory: &Inventory, tape: &Tape) -> Look {
    let mut look = Look {
        hour,
        residual: inventory.residual_e6() as f64 / 1e6,
        prior: inventory.prior_share_e6() as f64 / 1e6,
        ..Look::default()
    };
    for holder in Holder::BOTH {
        let h = holder as usize;
        let want = true_map(truth, inventory, holder);
        let mine = ours(inventory, holder, truth.interest);
        let placed = total(&mine);
        let mark = place(truth.mark);
        let far = want.iter().filter(|p| (p.0 - mark).abs() > ALONE);
        look.beyond[h] = far.map(|p| p.1).sum();
        look.unplaced[0][h] = 1.0 - total(&want);
        look.unplaced[1][h] = 1.0 - placed;
        look.inert[h] = inventory.inert_share_e6(holder) as f64 / 1e6;
        let volume = tape.map(holder, truth.interest);
        let maps = [
            (OURS, mine),
            (INERT, Vec::new()),
            (VOLUME, volume.clone()),
            (SCALED, scaled(volume, placed)),
            (DISTANCE, distance_only(truth, holder, placed)),
        ];
        for (model, map) in maps {
            look.cost[model][h] = transport(&map, &want);
            if model != INERT {
                look.shape[model][h] = transport(&scaled(map, total(&want)), &want);
            }
        }
    }
    look
}

/// How much is run.
struct Plan {
    symbols: &'static [&'static str],
    hours: i64,
    burn_in: i64,
}

/// One world from its first moment: looks at every hour after the burn-in.
fn live(seed: u64, plan: &Plan) -> Vec<Look> {
    let instruments: Vec<String> = plan.symbols.iter().map(|s| format!("{s}USDT")).collect();
    let names: Vec<&str> = instruments.iter().map(String::as_str).collect();
    let symbols: Vec<String> = plan.symbols.iter().map(|s| (*s).to_owned()).collect();
    let mut world = World::new(seed, sim::Params::only(&names)).unwrap();
    let mut shard = Shard::new(&Setup::new(symbols.clone(), &[VenueId::BYBIT])).unwrap();
    // The same world again, for those who only read its trades.
    let mut twin = world.clone();
    let mut tapes: Vec<Tape> = names.iter().map(|_| Tape::default()).collect();
    let begin = world.now();
    let mut warm = Warm::connect(&mut world, &mut shard, &symbols).unwrap();
    let mut looks = Vec::new();
    for hour in 1..=plan.hours {
        let until = begin.plus(Nanos::new(Nanos::HOUR.get() * hour));
        warm.advance(&mut world, &mut shard, until);
        twin.advance(until, &mut |frame| {
            if frame.topic.kind == TopicKind::Trades {
                tapes[usize::from(frame.topic.symbol)].frame(frame.text);
            }
        });
        for (at, name) in names.iter().enumerate() {
            let inventory = shard.inventory(at).unwrap();
            assert!(inventory.conserved(), "{seed} {name} hour {hour}");
            if hour > plan.burn_in {
                let truth = world.truth(name).unwrap();
                looks.push(look(hour, &truth, inventory, &tapes[at]));
            }
        }
    }
    assert_eq!(warm.counts().faults, 0);
    looks
}

/// Mean over seeds and half of its 95 % interval.
fn interval(of: &[f64]) -> (f64, f64) {
    let n = of.len() as f64;
    let mean = of.iter().sum::<f64>() / n;
    let square = of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, T_FOUR * (square / n).sqrt())
}

/// One number per seed: the mean over its looks.
fn by_seed(worlds: &[Vec<Look>], read: impl Fn(&Look) -> f64) -> Vec<f64> {
    let mean = |looks: &Vec<Look>| looks.iter().map(&read).sum::<f64>() / looks.len() as f64;
    worlds.iter().map(mean).collect()
}

fn largest(worlds: &[Vec<Look>], read: impl Fn(&Look) -> f64) -> f64 {
    worlds.iter().flatten().map(read).fold(0.0, f64::max)
}

fn table(worlds: &[Vec<Look>], plan: &Plan) {
    println!(
        "{:?}, {} h, looks every hour after {} h, seeds {SEEDS:?}; % of log price per unit of open interest",
        plan.symbols, plan.hours, plan.burn_in
    );
    println!("| model | longs | shorts | more than ours: longs | shorts | shape: longs | shorts |");
    println!("|---|---|---|---|---|---|---|");
    for (model, name) in MODELS.iter().enumerate() {
        print!("| {name} |");
        for h in 0..2 {
            let (mean, half) = interval(&by_seed(worlds, |l| l.cost[model][h]));
            print!(" {:.2} ± {:.2} |", mean * 100.0, half * 100.0);
        }
        for h in 0..2 {
            let gap = by_seed(worlds, |l| l.cost[model][h] - l.cost[OURS][h]);
            let (mean, half) = interval(&gap);
            print!(" {:+.2} ± {:.2} |", mean * 100.0, half * 100.0);
        }
        for h in 0..2 {
            let (mean, half) = interval(&by_seed(worlds, |l| l.shape[model][h]));
            print!(" {:.2} ± {:.2} |", mean * 100.0, half * 100.0);
        }
        println!();
    }
    for (h, name) in ["longs", "shorts"].iter().enumerate() {
        let share = |read: &dyn Fn(&Look) -> f64| {
            let (mean, half) = interval(&by_seed(worlds, read));
            format!("{:.1} ± {:.1} %", mean * 100.0, half * 100.0)
        };
        println!(
            "{name}: without a place, true {}, ours {} (inert {}); furthest apart {:.1} %; true mass \
             beyond the ladder {}",
            share(&|l| l.unplaced[0][h]),
            share(&|l| l.unplaced[1][h]),
            share(&|l| l.inert[h]),
            100.0 * largest(worlds, |l| (l.unplaced[1][h] - l.unplaced[0][h]).abs()),
            share(&|l| l.beyond[h]),
        );
    }
    for from in (plan.burn_in..plan.hours).step_by(12) {
        let of = |read: &dyn Fn(&Look) -> f64| {
            let some = worlds.iter().flatten();
            let some = some.filter(|l| l.hour > from && l.hour <= from + 12);
            let (sum, n) = some.fold((0.0, 0.0), |(sum, n), l| (sum + read(l), n + 1.0));
            100.0 * sum / n
        };
        print!(
            "hours {}..{}: prior {:.0} %",
            from + 1,
            from + 12,
            of(&|l| l.prior)
        );
        for h in 0..2 {
            print!(
                " | without a place {:.0} %, cost",
                of(&|l| l.unplaced[1][h])
            );
            for model in [OURS, VOLUME, SCALED, DISTANCE] {
                print!(" {:.2}", of(&|l| l.cost[model][h]));
            }
            print!(", shape");
            for model in [OURS, VOLUME, DISTANCE] {
                print!(" {:.2}", of(&|l| l.shape[model][h]));
            }
        }
        println!();
    }
    println!(
        "largest residual {:.4} % of open interest; prior share at the last look {:.1} %",
        100.0 * largest(worlds, |l| l.residual),
        100.0
            * worlds
                .iter()
                .map(|w| w.last().unwrap().prior)
                .fold(0.0, f64::max),
    );
}

#[test]
fn our_map_is_nearer_to_the_truth_than_no_map_and_the_usual_map() {
    let full = std::env::var("ISOTHERM_PROOF").is_ok_and(|v| v == "full");
    let plan = if full {
        Plan {
            symbols: &["BTC", "ETH", "SOL"],
            hours: 60,
            burn_in: 12,
        }
    } else {
        Plan {
            symbols: &["BTC"],
            hours: 8,
            burn_in: 2,
        }
    };
    let plan = &plan;
    let worlds: Vec<Vec<Look>> = std::thread::scope(|scope| {
        let runs = SEEDS.map(|seed| scope.spawn(move || live(seed, plan)));
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    table(&worlds, plan);
    for look in worlds.iter().flatten() {
        assert!(look.residual <= RESIDUAL_MAX, "{look:?}");
        for h in 0..2 {
            let more = look.unplaced[1][h] - look.unplaced[0][h];
            assert!((0.0..=UNPLACED_MAX).contains(&more), "{look:?}");
        }
    }
    for h in 0..2 {
        for rival in [INERT, VOLUME] {
            let gap = by_seed(&worlds, |l| l.cost[rival][h] - l.cost[OURS][h]);
            let (mean, half) = interval(&gap);
            assert!(mean > 0.0, "{} holder {h}: {gap:?}", MODELS[rival]);
            assert!(
                !full || mean > half,
                "{} holder {h}: {gap:?}",
                MODELS[rival]
            );
        }
    }
}

/// Every partial matching of unit masses: the definition, at exponential cost.
fn matched_by_hand(a: &[f64], b: &mut Vec<Option<f64>>) -> f64 {
    let Some((first, rest)) = a.split_first() else {
        return b.iter().flatten().count() as f64 * ALONE;
    };
    let mut best = ALONE + matched_by_hand(rest, b);
    for i in 0..b.len() {
        if let Some(other) = b[i].take() {
            best = best.min((first - other).abs() + matched_by_hand(rest, b));
            b[i] = Some(other);
        }
    }
    best
}

fn units(at: &[f64]) -> Vec<Point> {
    at.iter().map(|x| (*x, 1.0)).collect()
}

#[test]
fn a_unit_costs_its_way_or_being_alone() {
    let at = |x| vec![(x, 2.0)];
    assert_eq!(transport(&[], &[]), 0.0);
    assert_eq!(transport(&at(1.0), &at(1.0)), 0.0);
    assert!((transport(&at(1.0), &[]) - 2.0 * ALONE).abs() < 1e-12);
    assert!((transport(&at(1.0), &at(1.1)) - 0.2).abs() < 1e-12);
    assert!((transport(&at(1.0), &[(1.1, 3.0)]) - 0.2 - ALONE).abs() < 1e-12);
    assert!((transport(&at(1.0), &at(9.0)) - 4.0 * ALONE).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_distance_is_the_best_of_all_matchings(
        a in proptest::collection::vec(0.0..2.0f64, 0..6),
        b in proptest::collection::vec(0.0..2.0f64, 0..6),
    ) {
        let mut others = b.iter().copied().map(Some).collect();
        let want = matched_by_hand(&a, &mut others);
        let got = transport(&units(&a), &units(&b));
        prop_assert!((got - want).abs() < 1e-9, "{} {}", got, want);
    }

    #[test]
    fn mass_may_be_cut_and_sides_exchanged(
        a in proptest::collection::vec((0.0..2.0f64, 0.1..3.0f64), 0..30),
        b in proptest::collection::vec((0.0..2.0f64, 0.1..3.0f64), 0..30),
    ) {
        let halves = |points: &[Point]| -> Vec<Point> {
            points.iter().flat_map(|&(x, m)| [(x, m * 0.3), (x, m * 0.7)]).collect()
        };
        let want = transport(&a, &b);
        prop_assert!((transport(&b, &a) - want).abs() < 1e-9);
        prop_assert!((transport(&halves(&a), &halves(&b)) - want).abs() < 1e-9);
    }
}
