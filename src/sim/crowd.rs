//! Crowd: who holds what in one contract, and the prices and times at which each of them will act.
//!
//! A position is armed with rungs: its liquidation price (asked with the mark), a plan below and
//! one above (asked with the traded price), and a time. Rungs sit in heaps, nearest first; a
//! position that changed or went gets a new stamp, and rungs with an old stamp are passed over (and
//! swept out when they outnumber the living).
//!
//! Prices here are *keys*: thousandths of the contract's price unit, so that "the mark has crossed"
//! is an integer question whose answer anyone can repeat from the printed mark.
#![expect(
    clippy::float_arithmetic,
    reason = "the generator of the simulated market works in floats"
)]

use super::margin::{self, Tier};
use super::params;
use super::rng::Rng;
use crate::market::Holder;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Keys in one price unit.
pub(crate) const KEYS: f64 = 1_000.0;

/// What a rung makes its position do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// The venue takes over.
    Liquidation,
    /// The stop order.
    Stop,
    /// The profit target.
    Take,
    /// Look again: add margin, halve, or hope.
    Warn,
}

/// One position.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) holder: Holder,
    pub(crate) lots: i64,
    /// Entry price, quote units.
    pub(crate) entry: f64,
    /// Margin, quote units.
    pub(crate) margin: f64,
    /// Key at which the mark forces it out; `None` is never.
    pub(crate) forced_at: Option<i64>,
    /// A whole wallet stands behind it.
    cross: bool,
    plans: [Option<(i64, Why)>; 2],
    due: u64,
    stamp: u32,
    /// Queued for the forced order; no other rung counts any more.
    pub(crate) doomed: bool,
}

/// What somebody wants to open, before it is filled.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) holder: Holder,
    pub(crate) value: f64,
    leverage: f64,
    hedged: bool,
    /// What a wallet adds, in margins.
    cross: Option<f64>,
    /// Seconds it will be kept at most.
    pub(crate) hold: f64,
    stop: Option<f64>,
    take: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rung {
    order: i64,
    id: u32,
    stamp: u32,
    why: Why,
}

/// Rungs that fire when the price falls to (way +1) or rises to (way -1) their key.
#[derive(Debug, Clone)]
struct Ladder {
    way: i64,
    heap: BinaryHeap<Rung>,
}

impl Ladder {
    fn push(&mut self, key: i64, id: u32, stamp: u32, why: Why) {
        self.heap.push(Rung {
            order: key * self.way,
            id,
            stamp,
            why,
        });
    }

    fn pop(&mut self, price: i64, slab: &[Position]) -> Option<(u32, Why)> {
        while let Some(rung) = self.heap.peek() {
            if rung.order < price * self.way {
                return None;
            }
            let rung = self.heap.pop()?;
            if alive(slab, rung.id, rung.stamp) {
                return Some((rung.id, rung.why));
            }
        }
        None
    }
}

fn alive(slab: &[Position], id: u32, stamp: u32) -> bool {
    slab.get(id as usize).is_some_and(|p| p.stamp == stamp)
}

/// All positions of one contract except the makers' accounts.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    slab: Vec<Position>,
    free: Vec<u32>,
    /// By holder: longs fall to their liquidation, shorts rise to it.
    forced: [Ladder; 2],
    /// Plans below and above.
    plans: [Ladder; 2],
    exits: BinaryHeap<Reverse<(u64, u32, u32)>>,
    stamp: u32,
    live: usize,
    /// Lots held, by holder.
    pub(crate) lots: [i64; 2],
    table: Vec<Tier>,
    /// Quote units in one lot times one quote unit of price: base per lot.
    lot: f64,
    /// Keys per quote unit.
    keys: f64,
    weights: f64,
}

fn ladder(way: i64) -> Ladder {
    Ladder {
        way,
        heap: BinaryHeap::new(),
    }
}

impl Crowd {
    pub(crate) fn new(contract: &params::Contract, crowd: &params::Crowd) -> Self {
        Self {
            slab: Vec::new(),
            free: Vec::new(),
            forced: [ladder(1), ladder(-1)],
            plans: [ladder(1), ladder(-1)],
            exits: BinaryHeap::new(),
            stamp: 0,
            live: 0,
            lots: [0; 2],
            table: margin::table(contract),
            lot: 0.1f64.powi(contract.lot_scale as i32 - contract.value_scale),
            keys: 10f64.powi(contract.price_scale as i32) * KEYS,
            weights: crowd.leverages.iter().map(|l| l.1).sum(),
        }
    }

    /// Positions alive.
    pub(crate) const fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Position> {
        self.slab.get(id as usize).filter(|p| p.stamp != 0)
    }

    /// Every position alive, in slab order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Position> {
        self.slab.iter().filter(|p| p.stamp != 0)
    }

    /// Somebody comes with a wish.
    pub(crate) fn wish(&self, p: &params::Crowd, median: f64, long: f64, rng: &mut Rng) -> Wish {
        let hedged = rng.chance(p.hedged_share);
        let holder = if rng.chance(long) {
            Holder::Long
        } else {
            Holder::Short
        };
        let medians = (p.size_spread * rng.normal()).exp().min(p.size_cap);
        let mut value = median * medians;
        let mut draw = rng.unit() * self.weights;
        let mut leverage = 1.0;
        for &(l, weight) in &p.leverages {
            leverage = l;
            draw -= weight;
            if draw < 0.0 {
                break;
            }
        }
        if medians > p.whale {
            leverage = (leverage * (p.whale / medians).sqrt()).max(2.0).round();
        }
        leverage = leverage.min(margin::leverage_at(&self.table, value * 1.02));
        let mean = if hedged {
            value *= p.hedged_size;
            p.hedged_seconds
        } else {
            p.hold_seconds * (10.0 / leverage).powf(p.hold_power)
        };
        let stop = rng.chance(p.stop_share).then(|| rng.between(p.stop_range));
        let take = rng.chance(p.take_share).then(|| rng.between(p.take_range));
        let cross =
            (p.cross_share > 0.0 && rng.chance(p.cross_share)).then(|| rng.between(p.cross_range));
        Wish {
            holder,
            value,
            leverage,
            hedged,
            cross,
            hold: rng.wait(mean),
            stop,
            take,
        }
    }

    /// The position a filled wish becomes, not yet among the living.
    pub(crate) fn position(
        &self,
        p: &params::Crowd,
        wish: &Wish,
        lots: i64,
        entry: f64,
        due: u64,
    ) -> Position {
        let size = lots as f64 * self.lot;
        let mut position = Position {
            holder: wish.holder,
            lots,
            entry,
            margin: size * entry / wish.leverage * (1.0 + wish.cross.unwrap_or(0.0)),
            forced_at: None,
            cross: wish.cross.is_some() && !wish.hedged,
            plans: [None; 2],
            due,
            stamp: 0,
            doomed: false,
        };
        if wish.hedged {
            return position;
        }
        position.forced_at = self.forced_at(&position);
        let s = margin::way(wish.holder);
        let gap = self
            .forced_price(&position)
            .map_or(1.0, |price| (price - entry).abs() / entry);
        let key = |share: f64| (entry * (1.0 + s * share) * self.keys) as i64;
        let near = gap.min(p.plan_cap);
        let against = match wish.stop {
            Some(stop) => (key(-near * stop), Why::Stop),
            None => (key(-gap * p.warn), Why::Warn),
        };
        let with = wish.take.map(|take| (key(near * take), Why::Take));
        position.plans = match wish.holder {
            Holder::Long => [Some(against), with],
            Holder::Short => [with, Some(against)],
        };
        position
    }

    /// The liquidation key of a position as it stands.
    fn forced_at(&self, position: &Position) -> Option<i64> {
        let size = position.lots as f64 * self.lot;
        margin::liquidation(
            &self.table,
            position.holder,
            size,
            position.entry,
            position.margin,
        )
        .map(|price| (price * self.keys).round() as i64)
    }

    /// The liquidation price in quote units.
    pub(crate) fn forced_price(&self, position: &Position) -> Option<f64> {
        position.forced_at.map(|key| key as f64 / self.keys)
    }

    /// Where its margin is gone, quote units.
    pub(crate) fn bankruptcy(&self, position: &Position) -> f64 {
        let size = position.lots as f64 * self.lot;
        margin::bankruptcy(position.holder, size, position.entry, position.margin)
    }

    /// Takes a position in and arms it.
    pub(crate) fn admit(&mut self, position: Position) -> u32 {
        self.lots[position.holder as usize] += position.lots;
        self.live += 1;
        let id = match self.free.pop() {
            Some(id) => {
                self.slab[id as usize] = position;
                id
            }
            None => {
                self.slab.push(position);
                (self.slab.len() - 1) as u32
            }
        };
        self.arm(id);
        id
    }

    fn arm(&mut self, id: u32) {
        self.stamp = self.stamp.wrapping_add(1).max(1);
        let stamp = self.stamp;
        let position = &mut self.slab[id as usize];
        position.stamp = stamp;
        if let Some(key) = position.forced_at {
            self.forced[position.holder as usize].push(key, id, stamp, Why::Liquidation);
        }
        for (ladder, plan) in self.plans.iter_mut().zip(position.plans) {
            if let Some((key, why)) = plan {
                ladder.push(key, id, stamp, why);
            }
        }
        self.exits.push(Reverse((position.due, id, stamp)));
    }

    /// Takes lots out of a position; it is gone when none are left.
    pub(crate) fn reduce(&mut self, id: u32, lots: i64) {
        let Some(position) = self.slab.get_mut(id as usize).filter(|p| p.stamp != 0) else {
            return;
        };
        let lots = lots.min(position.lots);
        self.lots[position.holder as usize] -= lots;
        position.margin *= (position.lots - lots) as f64 / position.lots as f64;
        position.lots -= lots;
        if position.lots == 0 {
            position.stamp = 0;
            self.free.push(id);
            self.live -= 1;
        }
    }

    /// Marks a position as being forced out: only the engine acts on it from now on.
    pub(crate) fn doom(&mut self, id: u32) {
        if let Some(position) = self.slab.get_mut(id as usize) {
            // A stamp no rung carries: silences every one of them.
            self.stamp = self.stamp.wrapping_add(1).max(1);
            position.stamp = self.stamp;
            position.doomed = true;
        }
    }

    /// Adds margin and moves the liquidation price.
    pub(crate) fn top_up(&mut self, id: u32, share: f64) {
        self.rearm(id, |position| position.margin *= 1.0 + share);
    }

    /// Some wallets are worth something else now, because of what their owners hold elsewhere: the
    /// margin of a share of the positions behind which one stands moves, and with it the price.
    pub(crate) fn revalue(&mut self, chance: f64, spread: f64, rng: &mut Rng) {
        for id in 0..self.slab.len() {
            let position = &self.slab[id];
            let moves = position.cross && position.stamp != 0 && !position.doomed;
            if moves && rng.chance(chance) {
                let mut position = position.clone();
                position.margin *= (spread * rng.normal()).exp();
                position.forced_at = self.forced_at(&position);
                self.slab[id] = position;
                self.arm(id as u32);
            }
        }
    }

    /// Arms a position again after `change`; its plans against it are done with.
    pub(crate) fn rearm(&mut self, id: u32, change: impl FnOnce(&mut Position)) {
        let Some(mut position) = self.get(id).cloned() else {
            return;
        };
        change(&mut position);
        position.forced_at = self.forced_at(&position);
        for plan in &mut position.plans {
            *plan = plan.filter(|plan| plan.1 == Why::Take);
        }
        self.slab[id as usize] = position;
        self.arm(id);
    }

    /// Looks at a position again at a later beat.
    pub(crate) fn postpone(&mut self, id: u32, beat: u64) {
        if let Some(position) = self.slab.get(id as usize).filter(|p| p.stamp != 0) {
            self.exits.push(Reverse((beat, id, position.stamp)));
        }
    }

    /// The next position that the mark has crossed.
    pub(crate) fn next_forced(&mut self, mark: i64) -> Option<u32> {
        for ladder in &mut self.forced {
            if let Some((id, _)) = ladder.pop(mark, &self.slab) {
                return Some(id);
            }
        }
        None
    }

    /// The next plan that the price has reached.
    pub(crate) fn next_plan(&mut self, price: i64) -> Option<(u32, Why)> {
        for ladder in &mut self.plans {
            if let Some(found) = ladder.pop(price, &self.slab) {
                return Some(found);
            }
        }
        None
    }

    /// The next position whose time is over.
    pub(crate) fn next_exit(&mut self, beat: u64) -> Option<u32> {
        while let Some(&Reverse((due, id, stamp))) = self.exits.peek() {
            if due > beat {
                return None;
            }
            self.exits.pop();
            if alive(&self.slab, id, stamp) {
                return Some(id);
            }
        }
        None
    }

    /// Sweeps out rungs of the dead when they outnumber the living; called now and then.
    pub(crate) fn sweep(&mut self) {
        let bound = 2 * self.live + 4_096;
        let slab = &self.slab;
        for ladder in self.forced.iter_mut().chain(&mut self.plans) {
            if ladder.heap.len() > bound {
                ladder.heap.retain(|r| alive(slab, r.id, r.stamp));
            }
        }
        if self.exits.len() > bound {
            self.exits
                .retain(|Reverse((_, id, stamp))| alive(slab, *id, *stamp));
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "tests draw prices as floats")]
mod tests {
    use super::super::params::Params;
    use super::*;

    /// The slow twin: every position is asked about every mark.
    #[test]
    fn the_forced_ladder_agrees_with_asking_everybody() {
        let params = Params::default();
        let contract = &params.contracts[0];
        let mut crowd = Crowd::new(contract, &params.crowd);
        let mut rng = Rng::new(1, 9);
        let mut price = contract.price;
        let mut forced = 0;
        for beat in 0..4_000u64 {
            let wish = crowd.wish(&params.crowd, 3_000.0, 0.5, &mut rng);
            let lots = (wish.value / price / crowd.lot) as i64 + 1;
            let position = crowd.position(&params.crowd, &wish, lots, price, beat + 900);
            crowd.admit(position);
            price *= 1.0 + 0.002 * rng.normal();
            let mark = (price * crowd.keys) as i64;
            let mut want: Vec<i64> = crowd
                .iter()
                .filter(|p| match (p.forced_at, p.holder) {
                    (None, _) => false,
                    (Some(key), Holder::Long) => mark <= key,
                    (Some(key), Holder::Short) => mark >= key,
                })
                .map(|p| p.lots)
                .collect();
            let mut got = Vec::new();
            while let Some(id) = crowd.next_forced(mark) {
                let lots = crowd.get(id).map_or(0, |p| p.lots);
                got.push(lots);
                crowd.reduce(id, lots);
            }
            want.sort_unstable();
            got.sort_unstable();
            forced += got.len();
            assert_eq!(got, want);
            if beat % 7 == 0 {
                let living = crowd.iter().count() as u64;
                let id = rng.below(living.max(1)) as u32;
                crowd.top_up(id, 0.5);
            }
            crowd.sweep();
            let sums = Holder::BOTH.map(|h| {
                let own = crowd.iter().filter(|p| p.holder == h);
                own.map(|p| p.lots).sum::<i64>()
            });
            assert_eq!(crowd.lots, sums);
            assert_eq!(crowd.live, crowd.iter().count());
        }
        assert!(forced > 500, "{forced}");
    }
}
