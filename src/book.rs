//! Book: the resting levels of one instrument at one venue, bounded, with a word about how far to trust it.
//!
//! Each side is one array sorted from the worst price to the best, so the end is the touch: most updates land near
//! the touch and move little. Quantities are absolute; 0 removes.
//!
//! A side is known down to its *horizon*: the worst price behind which something may rest that nobody has told us. It
//! appears when a full side sheds its worst levels (counted), and with a *cut* image, one of a venue whose changes
//! speak of the whole book while the image holds only its best part, unless the venue's decoder knows the side to be
//! whole (`event::WHOLE`). What lies behind a horizon is not kept, because
//! nothing could be said of it: between two such levels there may be a third. So every reading is of known levels,
//! and inside the horizon the book equals the venue's, level by level. A horizon only comes nearer until the next
//! image; when the touch has gone behind it, that side answers nothing, and the book is *shallow* long before.
//!
//! A book is *trusted* after a whole snapshot and until a gap or a disconnect; then it keeps no levels and ignores
//! updates until the next snapshot, so nobody reads a half-true side. A *crossed* book goes on being kept, because the
//! venue's sequence is whole and the crossing passes, but answers nothing until it has.

use crate::event::{FIRST, LAST, Level, SNAPSHOT, WHOLE};
use crate::market::Side;
use crate::num::{Px, Qty, Round, Usd};
use bytemuck::{Pod, Zeroable};

/// Levels kept a side: the largest image a venue gives (1,000), and room for what comes before the next shedding.
pub const DEPTH: usize = 1_024;
/// Levels that a full side sheds at once: one move of the array pays for as many insertions.
const SHED: usize = 64;
/// A side with a horizon and fewer known levels than this is shallow.
const SHALLOW: usize = 16;

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
    /// Worst price that is answered for; 0 = all there is. [`UNCUT`] while an image is read that says so.
    horizon: Px,
    rungs: [Rung; DEPTH],
}

/// One instrument's book. All zeros is "no book yet".
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Book {
    sides: [Half; 2],
    state: u64,
    /// 1 when the venue's images are cut and its changes are not: set once, when the book is made.
    pub cut: u64,
    /// Levels that fell off a full side.
    pub dropped: u64,
    /// Times the book was found crossed.
    pub crossed: u64,
    /// The venue's id of the last update applied.
    pub update: u64,
}

const UNCUT: Px = Px::new(-1);

const NONE: u64 = 0;
const LOADING: u64 = 1;
const TRUSTED: u64 = 2;
/// Bid at or above ask: levels go on being applied, for the venue's chain is whole; nothing is answered meanwhile.
const CROSSED: u64 = 3;

impl Half {
    fn len(&self) -> usize {
        (self.used as usize).min(DEPTH)
    }

    /// Sets one level; answers how many fell off the far end. A level behind the horizon is nothing.
    fn set(&mut self, side: Side, price: Px, qty: Qty) -> u64 {
        // Worst first: bids ascend, asks descend. Complements turn the order round, so that the search asks nothing
        // about the side eight times over.
        let turn = match side {
            Side::Buy => 0,
            Side::Sell => -1,
        };
        let key = price.get() ^ turn;
        if self.horizon.get() > 0 && key < self.horizon.get() ^ turn {
            return 0;
        }
        let used = self.len();
        let at = self.rungs[..used].partition_point(|rung| (rung.price.get() ^ turn) < key);
        let found = at < used && self.rungs[at].price == price;
        if qty.get() <= 0 {
            if found {
                self.rungs.copy_within(at + 1..used, at);
                self.rungs[used - 1] = Rung::zeroed();
                self.used = used as u64 - 1;
            }
            return 0;
        }
        let rung = Rung { price, qty };
        if found {
            self.rungs[at] = rung;
            return 0;
        }
        if used < DEPTH {
            self.rungs.copy_within(at..used, at + 1);
            self.rungs[at] = rung;
            self.used = used as u64 + 1;
            return 0;
        }
        // LIMIT: the worst levels make room; counted in `dropped`.
        self.rungs.copy_within(SHED.., 0);
        self.rungs[DEPTH - SHED..].fill(Rung::zeroed());
        self.used = (DEPTH - SHED) as u64;
        self.horizon = self.rungs[0].price;
        if at < SHED {
            return SHED as u64 + 1; // The new one is among the worst itself.
        }
        self.set(side, price, qty);
        SHED as u64
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
            let half = &mut self.sides[level.side as usize];
            if bits & WHOLE != 0 && self.state == LOADING && half.horizon == Px::ZERO {
                half.horizon = UNCUT;
            }
            self.dropped += half.set(level.side, level.price, level.qty);
        }
        self.update = level.update;
        if bits & LAST != 0 {
            self.settle();
        }
    }

    /// After LAST: a snapshot becomes trusted, a crossed book stops being so.
    fn settle(&mut self) {
        if self.state == LOADING {
            for half in &mut self.sides {
                if half.horizon == UNCUT {
                    half.horizon = Px::ZERO;
                } else if self.cut != 0 && half.used > 0 {
                    // A side that is empty in the image is empty: a cut image is cut at its far end.
                    half.horizon = half.rungs[0].price;
                }
            }
        }
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
            half.horizon = Px::ZERO;
        }
    }

    /// True when the levels can be believed.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.state == TRUSTED
    }

    /// True when the levels can be believed, and on a side few of them are known: the next image should come soon.
    /// A small market whose whole book is known is not shallow.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        let short = |half: &Half| half.horizon.get() > 0 && half.len() < SHALLOW;
        self.is_trusted() && self.sides.iter().any(short)
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

    /// Notional resting on a side within `bps` basis points of the mid, as far as the side is known
    /// ([`Book::reach_centi_bps`]); 0 when there is no book.
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
    fn a_full_side_sheds_its_worst_and_does_not_answer_for_them_again() {
        let mut book = empty();
        let asks = DEPTH as i64 + 10;
        for i in 0..asks {
            let bits = SNAPSHOT | if i == 0 { FIRST } else { 0 };
            book.apply(&level(Side::Sell, 10_000 - i, 1, 1), bits);
        }
        book.apply(&level(Side::Buy, 1, 1, 1), SNAPSHOT | LAST);
        let kept = DEPTH - SHED + 10;
        assert_eq!(book.dropped, SHED as u64);
        assert_eq!(book.rungs(Side::Sell).count(), kept);
        let prices: Vec<_> = book.rungs(Side::Sell).map(|r| r.price.get()).collect();
        assert_eq!(prices[0], 10_001 - asks);
        assert_eq!(prices[kept - 1], 10_000 - SHED as i64);
        // Room again, but what comes behind the horizon is not known to be next.
        for price in &prices[..20] {
            book.apply(&level(Side::Sell, *price, 0, 2), FIRST | LAST);
        }
        book.apply(&level(Side::Sell, 10_000, 5, 3), FIRST | LAST);
        assert_eq!(book.rungs(Side::Sell).count(), kept - 20);
        assert!(!book.is_shallow());
    }

    #[test]
    fn a_side_whose_touch_nears_its_horizon_is_shallow_and_then_silent() {
        let mut book = empty();
        book.cut = 1;
        for i in 0..40 {
            let bits = SNAPSHOT | if i == 0 { FIRST } else { 0 };
            book.apply(&level(Side::Buy, 1_000 - i, 1, 1), bits);
            book.apply(&level(Side::Sell, 1_001 + i, 1, 1), SNAPSHOT);
        }
        book.apply(&level(Side::Sell, 1_041, 1, 1), SNAPSHOT | LAST);
        assert!(book.is_trusted() && !book.is_shallow());
        // Price falls: bids are eaten, and those that the changes speak of below 961 have unknown neighbours.
        for i in 0..30 {
            book.apply(&level(Side::Buy, 1_000 - i, 0, 2), FIRST | LAST);
            book.apply(&level(Side::Buy, 900 - i, 1, 2), FIRST | LAST);
        }
        assert!(book.is_shallow());
        assert_eq!(book.best(Side::Buy).unwrap().price, Px::new(970));
        assert_eq!(book.rungs(Side::Buy).count(), 10);
        for i in 30..40 {
            book.apply(&level(Side::Buy, 1_000 - i, 0, 3), FIRST | LAST);
        }
        assert_eq!((book.best(Side::Buy), book.bbo()), (None, None));
        assert!(book.is_shallow() && book.is_trusted());
        // The next image heals it; a whole small book is not shallow, and has no end.
        book.apply(&level(Side::Buy, 900, 1, 4), FIRST | SNAPSHOT);
        book.apply(&level(Side::Sell, 901, 1, 4), SNAPSHOT | LAST);
        assert!(book.is_shallow());
        book.apply(&level(Side::Buy, 900, 1, 4), FIRST | SNAPSHOT | WHOLE);
        book.apply(&level(Side::Sell, 901, 1, 4), SNAPSHOT | LAST | WHOLE);
        assert!(!book.is_shallow());
        book.apply(&level(Side::Buy, 800, 1, 5), FIRST | LAST);
        book.apply(&level(Side::Sell, 999, 1, 5), FIRST | LAST);
        book.apply(&level(Side::Buy, 900, 0, 6), FIRST | LAST);
        assert_eq!(book.best(Side::Buy).unwrap().price, Px::new(800));
        assert_eq!(book.rungs(Side::Sell).count(), 2);
        // One side of it may be cut.
        book.apply(&level(Side::Buy, 900, 1, 7), FIRST | SNAPSHOT | WHOLE);
        book.apply(&level(Side::Sell, 901, 1, 7), SNAPSHOT | LAST);
        assert!(book.is_shallow());
        book.apply(&level(Side::Buy, 800, 1, 8), FIRST | LAST);
        book.apply(&level(Side::Sell, 999, 1, 8), FIRST | LAST);
        let kept = [Side::Buy, Side::Sell].map(|side| book.rungs(side).count());
        assert_eq!(kept, [2, 1]);
        book.cut = 0;
        book.apply(&level(Side::Buy, 900, 1, 5), FIRST | SNAPSHOT);
        book.apply(&level(Side::Sell, 901, 1, 5), SNAPSHOT | LAST);
        assert!(!book.is_shallow());
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

        /// The twin never forgets. The image is the best `depth` levels of its book, the changes speak of all of it.
        #[test]
        fn inside_the_horizon_a_cut_book_equals_the_whole_one(
            depth in 1usize..400,
            changes in prop::collection::vec((any::<bool>(), 0i64..3_000, 0i64..4), 1..5_000),
        ) {
            let mut book = empty();
            book.cut = 1;
            let whole = |from: i64| (0..400i64).map(move |i| (from + i * 7, 1)).collect();
            let mut twin: [BTreeMap<i64, i64>; 2] = [whole(10_000), whole(20_000)];
            let image: Vec<_> = (twin[0].keys().rev().take(depth).map(|p| (Side::Buy, *p)))
                .chain(twin[1].keys().take(depth).map(|p| (Side::Sell, *p)))
                .collect();
            for (i, (side, price)) in image.iter().enumerate() {
                let first = if i == 0 { FIRST } else { 0 };
                let last = if i + 1 == image.len() { LAST } else { 0 };
                book.apply(&level(*side, *price, 1, 0), SNAPSHOT | first | last);
            }
            for (buy, offset, qty) in changes {
                let (side, price) =
                    if buy { (Side::Buy, 10_000 + offset) } else { (Side::Sell, 20_000 + offset) };
                book.apply(&level(side, price, qty, 1), FIRST | LAST);
                let half = &mut twin[side as usize];
                if qty == 0 { half.remove(&price); } else { half.insert(price, qty); }
            }
            let (bids, asks) = (book.sides[0].horizon.get(), book.sides[1].horizon.get());
            prop_assert!(bids > 0 && asks > 0);
            let known: Vec<_> = book.rungs(Side::Buy).map(|r| (r.price.get(), r.qty.get())).collect();
            let want: Vec<_> = twin[0].range(bids..).rev().map(|(p, q)| (*p, *q)).collect();
            prop_assert_eq!(known, want);
            let known: Vec<_> = book.rungs(Side::Sell).map(|r| (r.price.get(), r.qty.get())).collect();
            let want: Vec<_> = twin[1].range(..=asks).map(|(p, q)| (*p, *q)).collect();
            prop_assert_eq!(known, want);
        }
    }
}
