//! Book: resting orders of one contract, and what a taker finds in them.
//!
//! Price is cut into cells of a few ticks; each cell can hold one resting level, at a tick that
//! belongs to the cell for good. Size follows the cell's character (a hash that changes every
//! quarter of an hour), so walls stay where they are while price moves past them. In front of the
//! cells of each side stands one touch quote at the makers' price. Levels that are eaten come back
//! slowly near the touch; a few elsewhere change by themselves every beat.
//!
//! Never crossed: cells of a side lie strictly beyond its touch, and the touches never meet. Ticks
//! and lots are whole. A place in a side is counted by *rank*: cell number times the side's way, so
//! smaller is always better.
#![expect(
    clippy::float_arithmetic,
    reason = "the generator of the simulated market works in floats"
)]

use super::params::Depth;
use super::rng::{Rng, mix};
use crate::market::Side;

const RING: usize = 512;
const MASK: i64 = RING as i64 - 1;
/// Cells kept behind the touch; more than are shown, so that eaten levels are replaced from behind.
const REACH: i64 = 240;
/// Cells at the far end no taker reaches: a side is never eaten empty.
const SPARE: i64 = 40;

/// A resting level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Level {
    pub(crate) tick: i64,
    pub(crate) lots: u32,
}

/// The sizes makers aim for.
#[derive(Debug, Clone)]
struct Character {
    salt: u64,
    cell_ticks: i64,
    wall_every: u64,
    wall: u64,
    beats: u64,
    clock: u64,
    mean_lots: u64,
    /// Size multiples, 1/256, mean 1.
    multiples: Vec<u32>,
}

impl Character {
    fn tick(&self, cell: i64) -> i64 {
        let spot = mix(cell as u64 ^ self.salt) % self.cell_ticks as u64;
        cell * self.cell_ticks + spot as i64
    }

    fn lots(&self, cell: i64) -> u32 {
        let own = mix(cell as u64 ^ self.salt);
        let age = (self.clock + own % self.beats) / self.beats;
        let hash = mix(own ^ age);
        let multiple = u64::from(self.multiples[(hash & 255) as usize]);
        let wall = if (hash >> 8).is_multiple_of(self.wall_every) {
            self.wall
        } else {
            1
        };
        ((multiple * wall * self.mean_lots) >> 8).clamp(1, 1 << 30) as u32
    }
}

/// One side.
#[derive(Debug, Clone)]
struct Shelf {
    /// +1 asks, -1 bids.
    way: i64,
    ring: Vec<Level>,
    top: i64,
    bottom: i64,
    touch: Level,
}

impl Shelf {
    fn at(&mut self, rank: i64) -> &mut Level {
        &mut self.ring[(rank & MASK) as usize]
    }

    fn make(&mut self, rank: i64, character: &Character, share: f64) {
        let cell = rank * self.way;
        let lots = (f64::from(character.lots(cell)) * share) as u32;
        *self.at(rank) = Level {
            tick: character.tick(cell),
            lots,
        };
    }

    /// The best rank strictly beyond the touch.
    fn first(&self, character: &Character) -> i64 {
        let cell = self.touch.tick.div_euclid(character.cell_ticks);
        let beyond = (character.tick(cell) - self.touch.tick) * self.way > 0;
        cell * self.way + i64::from(!beyond)
    }

    /// Cancels what the touch has passed, fills what it has left behind.
    fn align(&mut self, character: &Character, refill: f64) {
        let first = self.first(character);
        if first > self.bottom || self.top - first > REACH {
            self.top = first;
            self.bottom = first - 1;
        }
        while self.top > first {
            self.top -= 1;
            let rank = self.top;
            self.make(rank, character, refill);
        }
        self.top = first;
        // LIMIT: what lies further than REACH is forgotten; it was never shown.
        self.bottom = self.bottom.min(first + REACH);
        while self.bottom < first + REACH {
            self.bottom += 1;
            let rank = self.bottom;
            self.make(rank, character, 1.0);
        }
    }
}

/// A fill of a taker's order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fill {
    pub(crate) tick: i64,
    pub(crate) lots: u32,
}

/// Both sides of one contract's book.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    character: Character,
    sides: [Shelf; 2],
    touch: f64,
    refill: f64,
    flickers: u32,
    levels: usize,
    spread_ticks: i64,
}

impl Book {
    pub(crate) fn new(depth: &Depth, cell_ticks: i64, rng: &mut Rng) -> Self {
        let draws: Vec<f64> = (0..256)
            .map(|_| (depth.spread * rng.normal()).exp())
            .collect();
        let mean = draws.iter().sum::<f64>() / 256.0;
        let shelf = |way| Shelf {
            way,
            ring: vec![Level::default(); RING],
            top: 0,
            bottom: -1,
            touch: Level::default(),
        };
        Self {
            character: Character {
                salt: rng.bits(),
                cell_ticks: cell_ticks.max(1),
                wall_every: depth.wall_every.max(1),
                wall: depth.wall as u64,
                beats: ((depth.character_seconds * 10.0) as u64).max(1),
                clock: 0,
                mean_lots: 1,
                multiples: draws.iter().map(|d| (d / mean * 256.0) as u32).collect(),
            },
            sides: [shelf(-1), shelf(1)],
            touch: depth.touch,
            refill: depth.refill,
            flickers: depth.flickers,
            levels: depth.levels,
            spread_ticks: depth.spread_ticks.max(1),
        }
    }

    /// Sets how much a mean level holds now.
    pub(crate) fn set_depth(&mut self, mean_lots: f64) {
        self.character.mean_lots = mean_lots.max(1.0) as u64;
    }

    /// The makers' turn: quotes around `anchor` (in ticks), regrowth, small changes.
    pub(crate) fn quote(&mut self, anchor: f64, rough: f64, rng: &mut Rng) {
        self.character.clock += 1;
        let [bid, ask] = &self.sides;
        let held = bid.touch.lots > 0
            && ask.touch.lots > 0
            && anchor >= bid.touch.tick as f64 - 0.3
            && anchor <= ask.touch.tick as f64 + 0.3;
        if !held {
            let spread = ((self.spread_ticks as f64 * rough) as i64).max(self.spread_ticks);
            let low = ((anchor - spread as f64 * 0.5).round() as i64).max(1);
            let lots = self.character.mean_lots as f64 * self.touch;
            for (shelf, tick) in self.sides.iter_mut().zip([low, low + spread]) {
                if shelf.touch.tick != tick || shelf.touch.lots == 0 {
                    let lots = (lots * (0.3 + 1.4 * rng.unit())) as u32;
                    shelf.touch = Level {
                        tick,
                        lots: lots.max(1),
                    };
                }
                shelf.align(&self.character, self.refill);
            }
        }
        self.regrow(rng);
    }

    fn regrow(&mut self, rng: &mut Rng) {
        for shelf in &mut self.sides {
            for rank in shelf.top..shelf.top + 6 {
                let target = self.character.lots(rank * shelf.way);
                let back = (f64::from(target) * self.refill) as u32 + 1;
                let level = shelf.at(rank);
                if level.lots < target / 2 {
                    level.lots += back;
                }
            }
            for _ in 0..self.flickers {
                // Squared: changes crowd near the touch, as they do in life.
                let u = rng.unit();
                let rank = shelf.top + (u * u * self.levels as f64) as i64;
                let share = 0.5 + rng.unit();
                shelf.make(rank.min(shelf.bottom), &self.character, share);
            }
        }
    }

    /// A taker's order; `limit` is the worst tick it accepts. Answers the lots that found nobody.
    pub(crate) fn take(
        &mut self,
        taker: Side,
        lots: u32,
        limit: Option<i64>,
        fills: &mut Vec<Fill>,
    ) -> u32 {
        let shelf = match taker {
            Side::Buy => &mut self.sides[1],
            Side::Sell => &mut self.sides[0],
        };
        let way = shelf.way;
        let refused = |tick: i64| limit.is_some_and(|l| (tick - l) * way > 0);
        let mut left = lots;
        let mut rank = shelf.top - 1;
        // LIMIT: what is left behind the last reachable cell found nobody; the caller decides.
        let stop = shelf.bottom - SPARE;
        while left > 0 && rank < stop {
            let level = if rank < shelf.top {
                &mut shelf.touch
            } else {
                shelf.at(rank)
            };
            rank += 1;
            if level.lots == 0 {
                continue;
            }
            if refused(level.tick) {
                break;
            }
            let part = left.min(level.lots);
            level.lots -= part;
            left -= part;
            fills.push(Fill {
                tick: level.tick,
                lots: part,
            });
        }
        left
    }

    /// The best level of a side; the touch of the makers when everything shown is eaten.
    pub(crate) fn best(&self, side: Side) -> Level {
        let shelf = &self.sides[side as usize];
        if shelf.touch.lots > 0 {
            return shelf.touch;
        }
        (shelf.top..=shelf.bottom)
            .map(|rank| shelf.ring[(rank & MASK) as usize])
            .find(|level| level.lots > 0)
            .unwrap_or(shelf.touch)
    }

    /// The levels that are shown, best first, into `out` (cleared).
    pub(crate) fn shown(&self, side: Side, out: &mut Vec<Level>) {
        out.clear();
        let shelf = &self.sides[side as usize];
        if shelf.touch.lots > 0 {
            out.push(shelf.touch);
        }
        for rank in shelf.top..=shelf.bottom {
            if out.len() >= self.levels {
                break;
            }
            let level = shelf.ring[(rank & MASK) as usize];
            if level.lots > 0 {
                out.push(level);
            }
        }
    }
}

/// Walks two views of one side (best first) and tells every level that differs; gone levels have
/// size 0.
pub(crate) fn differences(side: Side, old: &[Level], new: &[Level], tell: &mut impl FnMut(Level)) {
    let way = if side == Side::Buy { -1 } else { 1 };
    let (mut i, mut j) = (0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (None, None) => return,
            (Some(o), Some(n)) if o.tick == n.tick => {
                if o.lots != n.lots {
                    tell(*n);
                }
                i += 1;
                j += 1;
            }
            (Some(o), n) if n.is_none_or(|n| o.tick * way < n.tick * way) => {
                tell(Level {
                    tick: o.tick,
                    lots: 0,
                });
                i += 1;
            }
            (_, Some(n)) => {
                tell(*n);
                j += 1;
            }
            (Some(_), None) => return,
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "tests drive the book with floats")]
mod tests {
    use super::super::params::Params;
    use super::*;
    use std::collections::BTreeMap;

    fn book(rng: &mut Rng) -> Book {
        let mut book = Book::new(&Params::default().depth, 7, rng);
        book.set_depth(500.0);
        book.quote(100_000.0, 1.0, rng);
        book
    }

    #[test]
    fn a_wandering_eaten_book_is_never_crossed_and_always_sorted() {
        let mut rng = Rng::new(3, 3);
        let mut book = book(&mut rng);
        let mut anchor = 100_000.0;
        let (mut bids, mut asks, mut fills) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..20_000 {
            anchor += rng.normal() * if turn % 100 == 0 { 4_000.0 } else { 9.0 };
            anchor = f64::max(anchor, 50_000.0);
            book.quote(anchor, 1.0 + rng.unit(), &mut rng);
            for _ in 0..rng.below(3) {
                let side = Side::from_u8(rng.below(2) as u8);
                let lots = (50.0 * (2.5 * rng.normal()).exp()) as u32 + 1;
                fills.clear();
                let left = book.take(side, lots, None, &mut fills);
                let sum: u32 = fills.iter().map(|f| f.lots).sum();
                assert_eq!(sum + left, lots);
            }
            book.shown(Side::Buy, &mut bids);
            book.shown(Side::Sell, &mut asks);
            assert!(!bids.is_empty() && !asks.is_empty());
            assert!(bids.windows(2).all(|w| w[0].tick > w[1].tick));
            assert!(asks.windows(2).all(|w| w[0].tick < w[1].tick));
            assert!(bids[0].tick < asks[0].tick);
            assert!(bids.iter().chain(&asks).all(|l| l.lots > 0));
            assert_eq!(book.best(Side::Buy), bids[0]);
            assert_eq!(book.best(Side::Sell), asks[0]);
        }
    }

    #[test]
    fn a_limit_is_never_passed() {
        let mut rng = Rng::new(4, 4);
        let mut book = book(&mut rng);
        let mut fills = Vec::new();
        let left = book.take(Side::Sell, 1_000_000, Some(99_900), &mut fills);
        assert!(left > 0);
        assert!(fills.iter().all(|f| f.tick >= 99_900));
        fills.clear();
        assert_eq!(book.take(Side::Sell, 1, Some(99_900), &mut fills), 1);
    }

    #[test]
    fn differences_turn_one_view_into_the_other() {
        let mut rng = Rng::new(5, 5);
        for side in [Side::Buy, Side::Sell] {
            let way = if side == Side::Buy { -1 } else { 1 };
            let mut view = || {
                let mut levels: BTreeMap<i64, u32> = BTreeMap::new();
                for _ in 0..rng.below(30) {
                    levels.insert(way * rng.below(40) as i64, 1 + rng.below(3) as u32);
                }
                levels
                    .into_iter()
                    .map(|(rank, lots)| Level {
                        tick: rank * way,
                        lots,
                    })
                    .collect::<Vec<_>>()
            };
            for _ in 0..500 {
                let (old, new) = (view(), view());
                let mut map: BTreeMap<i64, u32> = old.iter().map(|l| (l.tick, l.lots)).collect();
                differences(side, &old, &new, &mut |level| {
                    if level.lots == 0 {
                        assert!(map.remove(&level.tick).is_some());
                    } else {
                        assert_ne!(map.insert(level.tick, level.lots), Some(level.lots));
                    }
                });
                let want: BTreeMap<i64, u32> = new.iter().map(|l| (l.tick, l.lots)).collect();
                assert_eq!(map, want);
            }
        }
    }
}
