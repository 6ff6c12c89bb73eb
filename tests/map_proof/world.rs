//! One world from its first moment: the real decoders and the real shard beside the public's own readings, cut into
//! windows. At the start of each every map is frozen; at its end the world itself tells who was forced, and where.

use crate::bare::Bare;
use crate::missed::{Counts, Old};
use crate::rivals::{Axis, Distance, Plane, Public, way};
use isotherm::inventory::{CLASSES, Inventory};
use isotherm::market::Holder;
use isotherm::sim::{Forced, Params, TopicKind, Truth, World};
use isotherm::time::Nanos;
use std::collections::VecDeque;

/// The maps, ours first.
pub(crate) const OURS: usize = 0;
pub(crate) const UNIFORM: usize = 1;
pub(crate) const DISTANCE: usize = 2;
pub(crate) const FIXED: usize = 3;
pub(crate) const VOLUME: usize = 4;
pub(crate) const INTEREST: usize = 5;
pub(crate) const PRIOR: usize = 6;
pub(crate) const MIRRORED: usize = 7;
pub(crate) const OLD: usize = 8;
pub(crate) const SHUFFLED: usize = 9;
pub(crate) const TRUTH: usize = 10;
pub(crate) const MODELS: [&str; 11] = [
    "ours",
    "uniform",
    "distance only",
    "fixed leverage",
    "volume",
    "interest only",
    "uncalibrated",
    "mirrored",
    "yesterday's",
    "shuffled classes",
    "the truth",
];

/// How much is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Minutes of a window.
    pub(crate) window: i64,
    /// Windows in all, and those of them that only teach.
    pub(crate) windows: usize,
    pub(crate) burn_in: usize,
    /// Windows that make the map of yesterday old.
    pub(crate) old: usize,
    /// Windows of an hour: between two looks at clusters and totals.
    pub(crate) look: usize,
    /// Ticks of the engine between two that are taken.
    pub(crate) ticks: i64,
}

/// A cell that the mark swept for the first time in a window, and what every map had said of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    /// USD realised.
    pub(crate) realised: f64,
    pub(crate) said: [f64; MODELS.len()],
}

/// One window's sums.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    /// USD forced, by holder, wherever; of it, in cells beyond the mark of the window's start.
    pub(crate) forced: [f64; 2],
    pub(crate) ahead: [f64; 2],
    /// USD that our map, as it went along, expected of what the mark met.
    pub(crate) expected: [f64; 2],
    /// USD that our frozen map said of the cells that the window swept, by holder.
    pub(crate) said: [f64; 2],
    /// What the mark met by class, before θ.
    pub(crate) met: [[f64; CLASSES]; 2],
}

/// One look at the standing map, by holder.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    /// Share of the true top ten clusters that a map's top ten meet within 10 bp: [`OURS`], [`DISTANCE`], [`FIXED`],
    /// [`VOLUME`], and ours before θ.
    pub(crate) recall: [[f64; 5]; 2],
    /// USD within the ladder: true, ours.
    pub(crate) standing: [[f64; 2]; 2],
    /// Shares without a place.
    pub(crate) unplaced: [[f64; 2]; 2],
    /// The true top ten clusters of both holders, by what they are made of and how near ours come.
    pub(crate) clusters: Counts,
}

/// What one world gave.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) cells: Vec<Cell>,
    pub(crate) sums: Vec<Sums>,
    pub(crate) looks: Vec<Look>,
    /// How often what was forced lay within the 80 % interval, below it, above it, and how often the interval was
    /// *nothing* and nothing, or something, was forced: a window against what the frozen map said of what was swept,
    /// and an hour against what was said as it went along.
    pub(crate) held: [[u64; 5]; 2],
    pub(crate) theta: Vec<f64>,
}

/// Past sums by which a map without a unit is scaled.
#[derive(Debug, Clone, Copy, Default)]
struct Scale {
    realised: f64,
    said: f64,
}

impl Scale {
    fn factor(&self) -> f64 {
        if self.said > 0.0 {
            self.realised / self.said
        } else {
            0.0
        }
    }
}

/// Share of the uniform map that every map is mixed with.
const FLOOR: f64 = 0.02;

/// One pass of (1, 2, 1)/4 over a holder's live half, the mark's edge reflecting: how maps are read.
fn smooth(plane: &mut Plane, start: usize) {
    for (h, cells) in plane.iter_mut().enumerate() {
        let half = if h == 0 {
            0..start + 1
        } else {
            start..cells.len()
        };
        let kept = cells[half.clone()].to_vec();
        let last = kept.len() - 1;
        for (i, cell) in cells[half].iter_mut().enumerate() {
            *cell = (kept[i.saturating_sub(1)] + 2.0 * kept[i] + kept[(i + 1).min(last)]) / 4.0;
        }
    }
}

fn ours(axis: &Axis, inventory: &Inventory, read: impl Fn(Holder, i64) -> f64) -> Plane {
    let mut plane = Axis::plane();
    let (low, high) = inventory.window();
    for holder in Holder::BOTH {
        for bucket in low..=high {
            if let Some(cell) = axis.cell(bucket) {
                plane[holder as usize][cell] = read(holder, bucket) * axis.price(cell);
            }
        }
    }
    plane
}

fn true_plane(axis: &Axis, truth: &Truth) -> Plane {
    let mut plane = Axis::plane();
    for (cells, positions) in plane.iter_mut().zip(&truth.positions) {
        for &(price, size) in positions {
            cells[axis.at(price) as usize] += size * price;
        }
    }
    plane
}

/// The live half of the other holder, seen in a mirror at the mark.
fn mirrored(plane: &Plane, start: usize) -> Plane {
    let mut out = Axis::plane();
    for (h, cells) in out.iter_mut().enumerate() {
        for (i, cell) in cells.iter_mut().enumerate() {
            if let Some(there) = (2 * start).checked_sub(i) {
                *cell = plane[1 - h].get(there).copied().unwrap_or(0.0);
            }
        }
    }
    out
}

/// A swept cell: whose, where, how many buckets of it, what part of what it holds.
struct Swept {
    holder: Holder,
    cell: usize,
    width: f64,
    part: f64,
    realised: f64,
}

/// The cells that a window's marks swept beyond where it began, with what was realised in them.
fn sweep(axis: &Axis, start: f64, low: f64, high: f64, forced: &[Forced]) -> Vec<Swept> {
    let mut out = Vec::new();
    for holder in Holder::BOTH {
        let s = way(holder);
        let mine = forced.iter().filter(|f| f.holder == holder);
        // Ahead of the start; the stream's marks are a second apart, so the forced may lie beyond them.
        let ahead: Vec<(f64, f64)> = mine
            .map(|f| (axis.at(f.price), f.size * f.price))
            .filter(|(at, _)| (at - axis.at(start)) * s > 0.0)
            .collect();
        let seen = axis.at(if holder == Holder::Long { low } else { high });
        let from = axis.at(start) * s;
        let to = ahead.iter().fold(seen * s, |to, (at, _)| to.max(at * s));
        let mut at = from;
        while at < to {
            let (cell, next) = if s > 0.0 {
                (at.floor(), at.floor() + 1.0)
            } else {
                // Mirrored: the cell that lies below −at.
                ((-at).ceil() - 1.0, -((-at).ceil() - 1.0))
            };
            let end = next.min(to);
            let inside = |place: f64| (place * s > at || place * s == from) && place * s <= end;
            let sum = ahead
                .iter()
                .filter(|(place, _)| inside(*place))
                .map(|(_, usd)| usd)
                .sum();
            out.push(Swept {
                holder,
                cell: cell as usize,
                width: end - at,
                part: (end - at) / (next - at),
                realised: sum,
            });
            at = next;
        }
    }
    out
}

/// Half the width of a cluster in buckets: 10 bp.
pub(crate) const NEAR: usize = 5;

/// Centres of the ten heaviest clusters of a holder's live half within `reach` buckets of the mark: sums over ±10 bp,
/// the heaviest first, none within 20 bp of a heavier one.
fn clusters(cells: &[f64], holder: Holder, start: usize, reach: usize) -> Vec<usize> {
    let half = match holder {
        Holder::Long => start.saturating_sub(reach)..start + 1,
        Holder::Short => start..(start + reach).min(cells.len() - 1),
    };
    let live = |i: usize| if half.contains(&i) { cells[i] } else { 0.0 };
    let mut found: Vec<(f64, usize)> = half
        .clone()
        .map(|i| ((i.saturating_sub(NEAR)..=i + NEAR).map(live).sum(), i))
        .filter(|c: &(f64, usize)| c.0 > 0.0)
        .collect();
    // Heaviest first; of equals (a spike gives a plateau) the middle comes out by the sums of its neighbours.
    found.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then(a.1.abs_diff(start).cmp(&b.1.abs_diff(start)))
    });
    let mut out: Vec<usize> = Vec::new();
    for (_, at) in found {
        if out.iter().all(|other| other.abs_diff(at) > 2 * NEAR) {
            out.push(at);
            if out.len() == 10 {
                break;
            }
        }
    }
    out
}

fn recall(want: &[usize], have: &[usize]) -> f64 {
    let met = want
        .iter()
        .filter(|w| have.iter().any(|h| h.abs_diff(**w) <= NEAR));
    met.count() as f64 / want.len().max(1) as f64
}

/// Buckets within which clusters and totals are compared: the ladder's reach.
const REACH: usize = 1_500;

fn look(
    axis: &Axis,
    start: usize,
    truth: &Truth,
    old: &Old,
    bare: &Bare,
    maps: [&Plane; 6],
) -> Look {
    let ([real, mine, ..], inventory) = (maps, &*bare.inventory);
    let mut look = Look::default();
    for holder in Holder::BOTH {
        let h = holder as usize;
        let top = |plane: &Plane| clusters(&plane[h], holder, start, REACH);
        let want = top(real);
        for (to, map) in look.recall[h].iter_mut().zip(&maps[1..]) {
            *to = recall(&want, &top(map));
        }
        let have = top(mine);
        for at in &want {
            let off = have.iter().map(|one| one.abs_diff(*at)).min();
            let near = match off.unwrap_or(usize::MAX) {
                0..=NEAR => 0,
                off if off <= 3 * NEAR => 1,
                _ => 2,
            };
            let inside = |price: f64| (axis.at(price) as usize).abs_diff(*at) <= NEAR;
            look.clusters[old.group(truth, h, &bare.params, inside)][near] += 1;
        }
        let sum = |plane: &Plane| match holder {
            Holder::Long => plane[h][start - REACH..=start].iter().sum::<f64>(),
            Holder::Short => plane[h][start..=start + REACH].iter().sum::<f64>(),
        };
        look.standing[h] = [sum(real), sum(mine)];
        let placed: f64 = truth.positions[h].iter().map(|p| p.1).sum();
        let (low, high) = inventory.window();
        let held: f64 = (low..=high)
            .map(|b| inventory.mass(holder, b).get() as f64 / 1e6)
            .sum();
        look.unplaced[h] = [1.0 - placed / truth.interest, 1.0 - held / truth.interest];
    }
    look
}

/// Whether what was forced lies in the 80 % interval around what was said, the mark having met so much of each class; a
/// quiet stretch asks nothing. Where the interval is nothing (none is likelier than 80 %) no interval could hold 80 %:
/// that is counted apart.
fn count(
    held: &mut [u64; 5],
    map: &Inventory,
    met: &[f64; CLASSES],
    price: f64,
    said: f64,
    forced: f64,
) {
    if said > 0.0 {
        let ends = map.interval_q16(&met.map(|usd| (usd / price * 1e6) as i64));
        let [low, high] = ends.map(|q16| said * q16 as f64 / 65_536.0);
        let at = match (ends[1], forced) {
            (0, forced) => 3 + usize::from(forced > 0.0),
            _ if forced < low => 1,
            _ if forced > high => 2,
            _ => 0,
        };
        held[at] += 1;
    }
}

/// An order of the classes in which nobody keeps his place.
fn shuffled(seed: u64) -> [usize; CLASSES] {
    let mut order: [usize; CLASSES] = std::array::from_fn(|k| k);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for k in (1..CLASSES).rev() {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        // Sattolo's: one cycle.
        order.swap(k, (state >> 33) as usize % k);
    }
    order
}

fn exposures(inventory: &Inventory) -> [[i64; CLASSES]; 2] {
    Holder::BOTH.map(|holder| *inventory.exposure(holder))
}

/// Runs one world of a generator.
pub(crate) fn live(seed: u64, params: &Params, plan: &Plan) -> Run {
    let name = "BTCUSDT";
    let mut world = World::new(seed, params.clone()).unwrap();
    let axis = Axis::around(world.mark(name).unwrap());
    let mut public = Public::new(axis);
    let mut distance = Distance::default();
    let begin = world.now();
    let mut bare = Bare::connect(&mut world, plan.ticks);
    let mut run = Run::default();
    let mut scales = [Scale::default(); MODELS.len()];
    let mut past: VecDeque<Plane> = VecDeque::new();
    let order = shuffled(seed);
    let mut hour = (bare.inventory.clone(), Sums::default(), 0.0);
    let mut old = None;
    for window in 0..plan.windows {
        let until = begin.plus(Nanos::seconds(60 * plan.window * (window as i64 + 1)));
        let inventory = &*bare.inventory;
        let frozen = (public.mark > 0.0 && inventory.is_seeded()).then(|| {
            let start = axis.at(public.mark) as usize;
            let truth = world.truth(name).unwrap();
            old.get_or_insert_with(|| Old::of(&truth));
            let hot = ours(&axis, inventory, |h, b| {
                inventory.hot(h, b).get() as f64 / 1e6
            });
            let mass = ours(&axis, inventory, |h, b| {
                inventory.mass(h, b).get() as f64 / 1e6 * 0.2
            });
            let mut maps: Vec<Plane> = vec![Axis::plane(); MODELS.len()];
            maps[MIRRORED] = mirrored(&hot, start);
            past.push_back(hot.clone());
            if past.len() > plan.old {
                maps[OLD] = past.pop_front().unwrap();
            }
            let theta = inventory.theta();
            let wrong = |h, b| {
                let masses = inventory.masses(h, b).into_iter().zip(order);
                masses
                    .map(|(mass, k)| mass as f64 * theta[k] as f64)
                    .sum::<f64>()
            };
            maps[SHUFFLED] = ours(&axis, inventory, |h, b| wrong(h, b) / 65_536e6);
            maps[OURS] = hot;
            maps[PRIOR] = mass;
            maps[FIXED] = public.fixed();
            maps[VOLUME] = public.volume.clone();
            maps[INTEREST] = public.interest.clone();
            maps[TRUTH] = true_plane(&axis, &truth);
            let rate = scales[UNIFORM].factor();
            for holder in Holder::BOTH {
                for (i, cell) in maps[DISTANCE][holder as usize].iter_mut().enumerate() {
                    *cell = distance.rate(holder, i as f64 - start as f64, rate);
                }
                maps[UNIFORM][holder as usize].fill(1.0);
            }
            for map in &mut maps {
                smooth(map, start);
            }
            if window >= plan.burn_in && window.is_multiple_of(plan.look) {
                let of = [TRUTH, OURS, DISTANCE, FIXED, VOLUME, PRIOR].map(|m| &maps[m]);
                let old = old.get_or_insert_default();
                run.looks.push(look(&axis, start, &truth, old, &bare, of));
            }
            (
                maps,
                public.mark,
                exposures(inventory),
                bare.inventory.clone(),
            )
        });
        public.begin();
        world.advance(until, &mut |frame| {
            bare.frame(frame);
            match frame.topic.kind {
                TopicKind::Trades => public.trades(frame.text),
                TopicKind::Ticker => public.ticker(frame.at.get(), frame.text),
                _ => {}
            }
        });
        let inventory = &*bare.inventory;
        let forced = world.forced(name);
        let Some((maps, start, before, kept)) = frozen else {
            continue;
        };
        let mut sums = Sums::default();
        for one in &forced {
            sums.forced[one.holder as usize] += one.size * one.price;
        }
        for (h, after) in exposures(inventory).iter().enumerate() {
            for k in 0..CLASSES {
                let met = after[k].wrapping_sub(before[h][k]) as f64 / 1e6 * start;
                sums.met[h][k] = met;
                sums.expected[h] += met * kept.theta()[k] as f64 / 65_536.0;
            }
        }
        let swept = sweep(&axis, start, public.low, public.high, &forced);
        let rate = scales[UNIFORM].factor();
        for one in &swept {
            let h = one.holder as usize;
            sums.ahead[h] += one.realised;
            sums.said[h] += maps[OURS][h][one.cell] * one.part;
            let mut said = [0.0; MODELS.len()];
            for (m, said) in said.iter_mut().enumerate() {
                let part = if matches!(m, UNIFORM | DISTANCE) {
                    one.width
                } else {
                    one.part
                };
                let plain = maps[m][h][one.cell] * part;
                let scaled = match m {
                    OURS | PRIOR | SHUFFLED | TRUTH | DISTANCE => plain,
                    _ => plain * scales[m].factor(),
                };
                *said = (1.0 - FLOOR) * scaled + FLOOR * rate * one.width;
            }
            if window >= plan.burn_in {
                run.cells.push(Cell {
                    realised: one.realised,
                    said,
                });
            }
        }
        if window >= plan.burn_in {
            // By class, what the frozen map held of the cells that were swept.
            let mut ahead = [[0.0; CLASSES]; 2];
            for one in &swept {
                let held = kept.masses(one.holder, axis.bucket(one.cell));
                let part = one.part * axis.price(one.cell) / 1e6;
                for (sum, held) in ahead[one.holder as usize].iter_mut().zip(held) {
                    *sum += held as f64 * part;
                }
            }
            for (h, met) in ahead.iter().enumerate() {
                let (said, forced) = (sums.said[h], sums.ahead[h]);
                count(&mut run.held[0], &kept, met, start, said, forced);
            }
            if window.is_multiple_of(plan.look) {
                hour = (kept, Sums::default(), start);
            }
            let (before, whole, price) = (&hour.0, &mut hour.1, hour.2);
            for h in 0..2 {
                whole.expected[h] += sums.expected[h];
                whole.forced[h] += sums.forced[h];
                for (sum, met) in whole.met[h].iter_mut().zip(sums.met[h]) {
                    *sum += met;
                }
                if (window + 1).is_multiple_of(plan.look) {
                    let (said, forced) = (whole.expected[h], whole.forced[h]);
                    count(&mut run.held[1], before, &whole.met[h], price, said, forced);
                }
            }
        }
        let from = axis.at(start).floor();
        for one in &swept {
            let h = one.holder as usize;
            distance.learn(one.holder, one.cell as f64 - from, one.realised, one.width);
            for (m, scale) in scales.iter_mut().enumerate() {
                let part = if matches!(m, UNIFORM | DISTANCE) {
                    one.width
                } else {
                    one.part
                };
                scale.realised += one.realised;
                scale.said += maps[m][h][one.cell] * part;
            }
        }
        if window >= plan.burn_in {
            run.sums.push(sums);
        }
    }
    assert_eq!(bare.faults(), 0);
    let theta = bare.inventory.theta();
    run.theta = theta.iter().map(|t| *t as f64 / 65_536.0).collect();
    run
}
