//! Book: the resting levels of one instrument at one venue, bounded, with a word about how far to trust it.
//!
//! Each side is one array sorted from the worst price to the best, so the end is the touch: most updates land near
//! the touch and move little. Quantities are absolute; 0 removes. A full side drops its worst level (counted): levels
//! deeper than `DEPTH` are not known, which is not the same as empty.
//!
//! A book is *trusted* after a whole snapshot and until a gap or a disconnect; then it keeps no levels and ignores
//! updates until the next snapshot, so nobody reads a half-true side. A *crossed* book goes on being kept, because the
//! venue's sequence is whole and the crossing passes, but answers nothing until it has.

use crate::event::{FIRST, LAST, Level, SNAPSHOT};
use crate::market::Side;
use crate::num::{Px, Qty, Round, Usd};
use bytemuck::{Pod, Zeroable};

/// Levels kept a side. Bybit's `orderbook.200` never exceeds 200.
pub const DEPTH: usize = 256;

/// A resting level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Rung {
    /// Price.
    pub price: Px,
    /// Resting quantity, never 0.
    pub qty: Qty,
}

#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Half {
    used: u64,
    rungs: [Rung; DEPTH],
}

/// One instrument's book. All zeros is "no book yet".
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Book {
    sides: [Half; 2],
    state: u64,
    /// Levels that fell off a full side.
    pub dropped: u64,
    /// Times the book was found crossed.
    pub crossed: u64,
    /// The venue's id of the last update applied.
    pub update: u64,
}

const NONE: u64 = 0;
const LOADING: u64 = 1;
const TRUSTED: u64 = 2;
/// Bid at or above ask: levels go on being applied, for the venue's chain is whole; nothing is answered meanwhile.
const CROSSED: u64 = 3;

impl Half {
    fn len(&self) -> usize {
        (self.used as usize).min(DEPTH)
    }

    /// Sets one level; returns true when a level fell off the far end.
    fn set(&mut self, side: Side, price: Px, qty: Qty) -> bool {
        let used = self.len();
        // Worst first: bids ascend, asks descend. Complements turn the order round, so that the search asks nothing
        // about the side eight times over.
        let turn = match side {
            Side::Buy => 0,
            Side::Sell => -1,
        };
        let key = price.get() ^ turn;
        let at = self.rungs[..used].partition_point(|rung| (rung.price.get() ^ turn) < key);
        let found = at < used && self.rungs[at].price == price;
        if qty.get() <= 0 {
            if found {
                self.rungs.copy_within(at + 1..used, at);
                self.rungs[used - 1] = Rung::zeroed();
                self.used = used as u64 - 1;
            }
            return false;
        }
        let rung = Rung { price, qty };
        if found {
            self.rungs[at] = rung;
            return false;
        }
        if used < DEPTH {
            self.rungs.copy_within(at..used, at + 1);
            self.rungs[at] = rung;
            self.used = used as u64 + 1;
            return false;
        }
        // LIMIT: the worst level makes room (or is the new one itself); counted in `dropped`.
        if at > 0 {
            self.rungs.copy_within(1..at, 0);
            self.rungs[at - 1] = rung;
        }
        true
    }
}

impl Book {
    /// Applies one level of a frame; `bits` are the event's.
    pub fn apply(&mut self, level: &Level, bits: u8) {
        let whole = bits & SNAPSHOT != 0;
        if whole && bits & FIRST != 0 {
            self.clear();
            self.state = LOADING;
        }
        if self.state == NONE || (self.state == LOADING && !whole) {
            return;
        }
        if level.price.get() > 0 {
            let fell = self.sides[level.side as usize].set(level.side, level.price, level.qty);
            self.dropped += u64::from(fell);
        }
        self.update = level.update;
        if bits & LAST != 0 {
            self.settle();
        }
    }

    /// After LAST: a snapshot becomes trusted, a crossed book stops being so.
    fn settle(&mut self) {
        if let (Some(bid), Some(ask)) = (self.touch(Side::Buy), self.touch(Side::Sell))
            && bid.price >= ask.price
        {
            self.crossed += u64::from(self.state != CROSSED);
            self.state = CROSSED;
            return;
        }
        self.state = TRUSTED;
    }

    /// A gap or a disconnect: forget everything until the next snapshot.
    pub fn distrust(&mut self) {
        self.clear();
        self.state = NONE;
    }

    fn clear(&mut self) {
        for half in &mut self.sides {
            let used = half.len();
            half.rungs[..used].fill(Rung::zeroed());
            half.used = 0;
        }
    }

    /// True when the levels can be believed.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.state == TRUSTED
    }

    fn touch(&self, side: Side) -> Option<Rung> {
        let half = &self.sides[side as usize];
        half.rungs[..half.len()].last().copied()
    }

    /// The best level of a side; `None` when the side is empty or the book is not trusted.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Rung> {
        if self.is_trusted() {
            self.touch(side)
        } else {
            None
        }
    }

    /// Bid and ask, when both are there.
    #[must_use]
    pub fn bbo(&self) -> Option<(Rung, Rung)> {
        Some((self.best(Side::Buy)?, self.best(Side::Sell)?))
    }

    /// Twice the mid price (so that a half step is exact), in Px steps; `None` without two sides.
    #[must_use]
    pub fn mid2(&self) -> Option<i64> {
        let (bid, ask) = self.bbo()?;
        Some(bid.price.get().saturating_add(ask.price.get()))
    }

    /// The levels of a side, best first; empty when not trusted.
    pub fn rungs(&self, side: Side) -> impl Iterator<Item = &Rung> {
        let half = &self.sides[side as usize];
        let used = if self.is_trusted() { half.len() } else { 0 };
        half.rungs[..used].iter().rev()
    }

    /// Notional resting on a side within `bps` basis points of the mid; 0 when there is no book.
    #[must_use]
    pub fn depth(&self, side: Side, bps: i64) -> Usd {
        let Some(mid2) = self.mid2() else {
            return Usd::ZERO;
        };
        let reach = (i128::from(mid2) * i128::from(bps)) / 20_000;
        let mid = i128::from(mid2) / 2;
        let mut total = Usd::ZERO;
        for rung in self.rungs(side) {
            if (i128::from(rung.price.get()) - mid).abs() > reach {
                break;
            }
            total = total.plus(rung.price.notional(rung.qty, Round::TowardZero));
        }
        total
    }

    /// Distance from the mid to the deepest level known on a side, in hundredths of a basis point; 0 = no book.
    #[must_use]
    pub fn reach_centi_bps(&self, side: Side) -> i64 {
        let Some(mid2) = self.mid2() else { return 0 };
        let half = &self.sides[side as usize];
        if half.used == 0 {
            return 0;
        }
        let worst = half.rungs[0].price;
        Px::new(mid2 / 2).centi_bps_to(worst).map_or(0, i64::abs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn level(side: Side, price: i64, qty: i64, update: u64) -> Level {
        Level {
            price: Px::new(price),
            qty: Qty::new(qty),
            side,
            update,
        }
    }

    fn empty() -> Box<Book> {
        bytemuck::allocation::zeroed_box()
    }

    #[test]
    fn nothing_is_believed_before_a_whole_snapshot() {
        let mut book = empty();
        book.apply(&level(Side::Buy, 100, 5, 1), FIRST | LAST);
        assert_eq!(book.best(Side::Buy), None);
        book.apply(&level(Side::Buy, 100, 5, 2), FIRST | SNAPSHOT);
        assert!(!book.is_trusted());
        book.apply(&level(Side::Sell, 102, 7, 2), LAST | SNAPSHOT);
        assert!(book.is_trusted());
        assert_eq!(book.mid2(), Some(202));
        book.distrust();
        assert_eq!(book.bbo(), None);
        assert_eq!(book.depth(Side::Buy, 100), Usd::ZERO);
    }

    #[test]
    fn a_crossed_book_is_counted_and_not_believed() {
        let mut book = empty();
        book.apply(&level(Side::Buy, 100, 5, 2), FIRST | SNAPSHOT);
        book.apply(&level(Side::Sell, 102, 7, 2), LAST | SNAPSHOT);
        book.apply(&level(Side::Buy, 103, 5, 3), FIRST | LAST);
        assert_eq!((book.crossed, book.is_trusted()), (1, false));
        assert_eq!(book.bbo(), None);
        // The crossing passes: the book is there again, with what came meanwhile.
        book.apply(&level(Side::Sell, 104, 9, 4), FIRST | LAST);
        assert_eq!(
            (book.crossed, book.is_trusted()),
            (1, false),
            "one crossing, counted once"
        );
        book.apply(&level(Side::Buy, 103, 0, 5), FIRST | LAST);
        assert!(book.is_trusted());
        assert_eq!(book.mid2(), Some(202));
        assert_eq!(book.rungs(Side::Sell).count(), 2);
    }

    #[test]
    fn a_full_side_drops_its_worst() {
        let mut book = empty();
        for i in 0..DEPTH as i64 + 10 {
            let bits = SNAPSHOT | if i == 0 { FIRST } else { 0 };
            book.apply(&level(Side::Sell, 10_000 - i, 1, 1), bits);
        }
        book.apply(&level(Side::Buy, 1, 1, 1), SNAPSHOT | LAST);
        assert_eq!(book.dropped, 10);
        assert_eq!(book.rungs(Side::Sell).count(), DEPTH);
        assert_eq!(
            book.best(Side::Sell).unwrap().price,
            Px::new(10_000 - DEPTH as i64 - 9)
        );
        assert_eq!(
            book.rungs(Side::Sell).last().unwrap().price,
            Px::new(10_000 - 10)
        );
    }

    proptest! {
        #[test]
        fn the_book_equals_a_sorted_map(
            changes in prop::collection::vec((any::<bool>(), 0i64..40, 0i64..3), 1..400)
        ) {
            let mut book = empty();
            let mut twin = [BTreeMap::new(), BTreeMap::new()];
            book.apply(&level(Side::Buy, 1, 1, 0), FIRST | SNAPSHOT);
            book.apply(&level(Side::Sell, 1_000, 1, 0), LAST | SNAPSHOT);
            twin[0].insert(1, 1);
            twin[1].insert(1_000, 1);
            for (buy, offset, qty) in changes {
                let (side, price) =
                    if buy { (Side::Buy, 100 + offset) } else { (Side::Sell, 200 + offset) };
                book.apply(&level(side, price, qty, 1), FIRST | LAST);
                let half = &mut twin[side as usize];
                if qty == 0 { half.remove(&price); } else { half.insert(price, qty); }
            }
            let bids: Vec<_> = book.rungs(Side::Buy).map(|r| (r.price.get(), r.qty.get())).collect();
            let asks: Vec<_> = book.rungs(Side::Sell).map(|r| (r.price.get(), r.qty.get())).collect();
            prop_assert_eq!(bids, twin[0].iter().rev().map(|(p, q)| (*p, *q)).collect::<Vec<_>>());
            prop_assert_eq!(asks, twin[1].iter().map(|(p, q)| (*p, *q)).collect::<Vec<_>>());
        }
    }
}
