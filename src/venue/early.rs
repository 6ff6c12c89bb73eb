//! Early: book updates that one leg of a pair brought before the one they follow.
//!
//! When a leg loses an update the other one still brings it, a moment earlier or later. What the first told meanwhile
//! is kept here, by lane, and leaves with the update that was missing: so two legs that lose different updates lose
//! none. Only what both lost is a gap. Sizes: [`UPDATES`] updates and [`LEVELS`] levels a lane, reserved at start; one
//! that does not fit is dropped, and the other leg has to bring it too. With one leg nothing ever waits here.

use super::chain::Link;
use super::ledger::take;
use crate::event::Event;

/// Updates kept, of all symbols together: seconds of one stalled leg.
const UPDATES: usize = 256;
/// Their levels.
const LEVELS: usize = 8_192;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Update {
    symbol: u16,
    /// Bit per leg that brought it.
    legs: u8,
    prev: u64,
    update: u64,
    levels: u32,
}

/// The updates that wait, in the order they came.
#[derive(Debug)]
pub(crate) struct Early {
    updates: Vec<Update>,
    /// Their levels, in the same order.
    levels: Vec<Event>,
}

impl Early {
    pub(crate) fn new() -> Self {
        Self {
            updates: Vec::with_capacity(UPDATES),
            levels: Vec::with_capacity(LEVELS),
        }
    }

    /// Keeps an update of a leg; false when there is no room for it.
    pub(crate) fn keep(&mut self, symbol: u16, leg: usize, link: Link, levels: &[Event]) -> bool {
        let bit = 1u8 << (leg & 1);
        let same = |kept: &&mut Update| {
            (kept.symbol, kept.prev, kept.update) == (symbol, link.prev, link.update)
        };
        if let Some(kept) = self.updates.iter_mut().find(same) {
            kept.legs |= bit;
            return true;
        }
        // LIMIT: what does not fit is dropped, as if nothing were kept.
        if self.updates.len() >= UPDATES || self.levels.len() + levels.len() > LEVELS {
            return false;
        }
        self.updates.push(Update {
            symbol,
            legs: bit,
            prev: link.prev,
            update: link.update,
            levels: levels.len() as u32,
        });
        self.levels.extend_from_slice(levels);
        true
    }

    /// True when nothing is kept.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    /// Takes out the update that follows `last`, if it is here: hands its levels on, answers its id and legs.
    pub(crate) fn next(
        &mut self,
        symbol: u16,
        last: u64,
        on: impl FnOnce(&[Event]),
    ) -> Option<(u64, u8)> {
        let follows = |kept: &Update| kept.symbol == symbol && kept.prev == last;
        let at = self.updates.iter().position(follows)?;
        let from: usize = self.updates[..at].iter().map(|u| u.levels as usize).sum();
        let kept = self.updates.remove(at);
        let levels = from..from + kept.levels as usize;
        on(self.levels.get(levels.clone()).unwrap_or_default());
        self.levels.drain(levels);
        Some((kept.update, kept.legs))
    }

    /// Bit per leg that brought one of a symbol's that its book has not passed.
    pub(crate) fn legs(&self, symbol: u16, last: u64) -> u8 {
        let ahead = |kept: &&Update| kept.symbol == symbol && kept.prev > last;
        self.updates
            .iter()
            .filter(ahead)
            .fold(0, |all, kept| all | kept.legs)
    }

    /// A leg went on from `last`: what it brought that lies behind was a repetition after all.
    pub(crate) fn pass(&mut self, symbol: u16, leg: usize, last: u64) {
        self.retain(|kept| {
            if kept.symbol != symbol || kept.prev > last {
                return true;
            }
            kept.legs &= !(1 << (leg & 1));
            kept.legs != 0
        });
    }

    /// Drops all of a symbol's.
    pub(crate) fn forget(&mut self, symbol: u16) {
        self.retain(|kept| kept.symbol != symbol);
    }

    fn retain(&mut self, mut wanted: impl FnMut(&mut Update) -> bool) {
        let mut from = 0;
        let levels = &mut self.levels;
        self.updates.retain_mut(|kept| {
            let own = from..from + kept.levels as usize;
            if wanted(kept) {
                from = own.end;
                return true;
            }
            levels.drain(own);
            false
        });
    }

    /// A leg is gone; what it brought stays.
    pub(crate) fn leg_down(&mut self, leg: usize) {
        for kept in &mut self.updates {
            kept.legs &= !(1 << (leg & 1));
        }
    }

    /// Keeps nothing.
    pub(crate) fn clear(&mut self) {
        self.updates.clear();
        self.levels.clear();
    }

    /// Appends what is kept.
    pub(crate) fn remember(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.updates.len() as u32).to_le_bytes());
        for kept in &self.updates {
            out.extend_from_slice(&kept.symbol.to_le_bytes());
            out.push(kept.legs);
            out.extend_from_slice(&kept.prev.to_le_bytes());
            out.extend_from_slice(&kept.update.to_le_bytes());
            out.extend_from_slice(&kept.levels.to_le_bytes());
        }
        out.extend_from_slice(bytemuck::cast_slice(&self.levels));
    }

    /// Takes back what [`Early::remember`] gave; `None` when it does not fit.
    pub(crate) fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        self.clear();
        let updates = u32::from_le_bytes(*take::<4>(from)?) as usize;
        if updates > UPDATES {
            return None;
        }
        let mut sum = 0usize;
        for _ in 0..updates {
            let kept = Update {
                symbol: u16::from_le_bytes(*take::<2>(from)?),
                legs: take::<1>(from)?[0] & 3,
                prev: u64::from_le_bytes(*take::<8>(from)?),
                update: u64::from_le_bytes(*take::<8>(from)?),
                levels: u32::from_le_bytes(*take::<4>(from)?),
            };
            sum = sum.saturating_add(kept.levels as usize);
            self.updates.push(kept);
        }
        if sum > LEVELS {
            return None;
        }
        for _ in 0..sum {
            let bytes = take::<{ size_of::<Event>() }>(from)?;
            self.levels.push(bytemuck::pod_read_unaligned(bytes));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use crate::event::{Body, Event, FIRST, Head, LAST, Level};
    use crate::market::{Side, SymbolId, VenueId};
    use crate::num::{Px, Qty};
    use crate::time::Nanos;
    use crate::venue::Road;
    use crate::venue::chain::Link;
    use crate::venue::ledger::Ledger;
    use proptest::prelude::*;

    fn head(symbol: u16, recv: i64) -> Head {
        Head {
            recv: Nanos::new(recv),
            exch: Nanos::new(1),
            venue: VenueId::OKX,
            symbol: SymbolId(symbol),
            bits: 0,
        }
    }

    fn delta(prev: u64, update: u64) -> Link {
        Link {
            image: false,
            prev,
            update,
        }
    }

    /// What a frame of one level a side gave: ids of levels, and whether it was a gap.
    fn give(
        ledger: &mut Ledger,
        leg: usize,
        symbol: u16,
        recv: i64,
        link: Link,
    ) -> (Vec<u64>, bool) {
        ledger.scratch.clear();
        for side in [Side::Buy, Side::Sell] {
            let level = Level {
                price: Px::new(5),
                qty: Qty::new(7),
                side,
                update: link.update,
            };
            let event = Event::new(head(symbol, recv), Body::Level(level));
            ledger.scratch.push(event);
        }
        let said = ledger
            .book(leg, head(symbol, recv), link, Road::Fast)
            .unwrap();
        let events = &ledger.scratch.events()[..said.events];
        for (at, event) in events.iter().enumerate() {
            assert_eq!(event.recv, Nanos::new(recv), "stamps of a group rise");
            assert_eq!(event.bits & FIRST != 0, at == 0);
            assert_eq!(event.bits & LAST != 0, at + 1 == events.len());
        }
        let id = |event: &Event| match event.body() {
            Body::Level(level) if level.side == Side::Buy => Some(level.update),
            _ => None,
        };
        (events.iter().filter_map(id).collect(), said.gap)
    }

    fn pair(symbols: usize, room: usize) -> Ledger {
        begun(symbols, room, 10)
    }

    /// Two legs that have told an image of this id.
    fn begun(symbols: usize, room: usize, at: u64) -> Ledger {
        let mut ledger = Ledger::new(symbols, room);
        ledger.leg_up(0, true);
        ledger.leg_up(1, false);
        for symbol in 0..symbols as u16 {
            for leg in [0, 1] {
                let image = Link {
                    image: true,
                    ..delta(0, at)
                };
                give(&mut ledger, leg, symbol, 0, image);
            }
        }
        ledger
    }

    #[test]
    fn two_legs_that_lose_different_updates_lose_none() {
        let mut ledger = pair(1, 64);
        let mut take = |leg, id| give(&mut ledger, leg, 0, id as i64, delta(id - 1, id));
        assert_eq!(take(0, 11), (vec![11], false));
        // The first loses 12, the second 15.
        for id in [13, 14, 15] {
            assert_eq!(take(0, id), (vec![], false));
        }
        assert_eq!(take(1, 11), (vec![], false));
        assert_eq!(take(1, 12), (vec![12, 13, 14, 15], false));
        for id in [13, 14] {
            assert_eq!(take(1, id), (vec![], false));
        }
        assert_eq!(take(1, 16), (vec![16], false));
        assert_eq!(take(0, 16), (vec![], false));
        // Both lose 17: told as soon as both have passed it.
        assert_eq!(take(0, 18), (vec![], false));
        assert_eq!(take(1, 18), (vec![], true));
    }

    #[test]
    fn what_a_dead_leg_brought_is_still_of_use() {
        let mut ledger = pair(1, 64);
        give(&mut ledger, 0, 0, 1, delta(11, 12));
        let mut broken = 0;
        ledger.leg_down(0, |_| broken += 1);
        assert_eq!(broken, 0, "the other still brings 11");
        let got = give(&mut ledger, 1, 0, 2, delta(10, 11));
        assert_eq!(got, (vec![11, 12], false));
        // The other way round: what is waited for was to come from the dead one.
        give(&mut ledger, 1, 0, 3, delta(12, 13));
        ledger.leg_up(0, false);
        give(&mut ledger, 1, 0, 4, delta(14, 15));
        ledger.leg_down(0, |_| broken += 1);
        assert_eq!(broken, 1);
        assert!(ledger.waits(0));
    }

    #[test]
    fn too_much_for_one_frame_and_too_much_to_keep_are_brought_by_the_other() {
        // Room for three frames of two levels in a group.
        let mut ledger = pair(1, 6);
        for id in 12..=20 {
            give(&mut ledger, 0, 0, 1, delta(id - 1, id));
        }
        assert_eq!(give(&mut ledger, 1, 0, 2, delta(10, 11)).0, [11, 12, 13]);
        assert_eq!(give(&mut ledger, 1, 0, 2, delta(11, 12)).0, [0u64; 0]);
        assert_eq!(give(&mut ledger, 1, 0, 2, delta(13, 14)).0, [14, 15, 16]);
        assert_eq!(give(&mut ledger, 1, 0, 2, delta(16, 17)).0, [17, 18, 19]);
        assert_eq!(give(&mut ledger, 0, 0, 2, delta(19, 20)).0, [20]);
        // A leg that runs ahead on every symbol: none is lost while the other follows.
        let symbols = 40;
        let mut ledger = pair(symbols, 4096);
        for symbol in 0..symbols as u16 {
            for id in 12..=40 {
                assert!(!give(&mut ledger, 0, symbol, 1, delta(id - 1, id)).1);
            }
        }
        for symbol in 0..symbols as u16 {
            let mut all = Vec::new();
            for id in 11..=41 {
                let (ids, gap) = give(&mut ledger, 1, symbol, 2, delta(id - 1, id));
                assert!(!gap);
                all.extend(ids);
            }
            assert!(all.iter().copied().eq(11..=41), "{symbol}: {all:?}");
        }
    }

    #[test]
    fn an_image_and_a_break_forget_what_was_kept() {
        let mut ledger = pair(2, 64);
        give(&mut ledger, 0, 0, 1, delta(11, 12));
        give(&mut ledger, 0, 1, 1, delta(11, 12));
        ledger.begin(SymbolId(0), 11);
        assert_eq!(give(&mut ledger, 1, 0, 1, delta(11, 13)).0, [13]);
        assert!(give(&mut ledger, 1, 1, 1, delta(12, 13)).1);
        let image = Link {
            image: true,
            ..delta(0, 11)
        };
        assert_eq!(give(&mut ledger, 1, 1, 1, image).0, [11]);
        assert_eq!(give(&mut ledger, 1, 1, 1, delta(11, 14)).0, [14]);
        let mut memory = Vec::new();
        ledger.remember(&mut memory);
        let mut empty = Vec::new();
        pair(2, 64).remember(&mut empty);
        assert_eq!(memory.len(), empty.len(), "nothing is kept any more");
    }

    #[test]
    fn an_update_that_lowers_the_numbering_may_be_lost_by_one_leg_or_noticed_by_both() {
        let lower = [
            (10, 1_000_000),
            (1_000_000, 100),
            (100, 101),
            (101, 105),
            (105, 106),
        ];
        for first in 0..4 {
            for second in 0..4 {
                let mut ledger = pair(1, 64);
                let mut all = Vec::new();
                let mut gap = false;
                for (at, (prev, update)) in lower.into_iter().enumerate() {
                    for (leg, lost) in [(0, first), (1, second)] {
                        if at != lost {
                            let got = give(&mut ledger, leg, 0, 1, delta(prev, update));
                            all.extend(got.0);
                            gap |= got.1;
                        }
                    }
                }
                if first != second {
                    assert_eq!(all, [1_000_000, 100, 101, 105, 106], "{first} {second}");
                    assert!(!gap);
                    continue;
                }
                // Ids that rise from far below are believed after a few.
                for id in 107..=116 {
                    for leg in [0, 1] {
                        gap |= give(&mut ledger, leg, 0, 1, delta(id - 1, id)).1;
                    }
                }
                assert!(gap, "{first}");
            }
        }
    }

    proptest! {
        /// Two legs that lose updates of their own: everything is applied once and in order up to the first update that
        /// both lost, and a gap is told if and only if there is one.
        #[test]
        fn a_gap_is_told_if_and_only_if_both_legs_lost_the_same_update(
            lost in prop::collection::vec((0u8..8, 0u8..8), 1..50),
            jumps in prop::collection::vec(0u64..9, 70),
            turns in prop::collection::vec(any::<bool>(), 200),
        ) {
            let mut ids = vec![1_000_000u64];
            for jump in jumps.iter().take(lost.len() + 20) {
                ids.push(ids[ids.len() - 1] + 1 + jump);
            }
            let gone = |leg: usize, at: usize| match lost.get(at) {
                Some((a, b)) => [*a, *b][leg] == 0,
                None => false,
            };
            let links: Vec<Link> = ids.windows(2).map(|w| delta(w[0], w[1])).collect();
            let both = (0..lost.len()).find(|&at| gone(0, at) && gone(1, at));
            let mut ledger = begun(1, 4096, 1_000_000);
            let (mut at, mut applied, mut told) = ([0usize; 2], Vec::new(), false);
            for turn in turns.iter().copied().chain((0..400).map(|i| i % 2 == 0)) {
                // A leg is at most eight updates in front of the other.
                let leg = match at {
                    [a, b] if a == links.len() && b == links.len() => break,
                    [a, b] if a == links.len() || b + 8 < a => 1,
                    [a, b] if b == links.len() || a + 8 < b => 0,
                    _ => usize::from(turn),
                };
                let now = at[leg];
                at[leg] += 1;
                if gone(leg, now) {
                    continue;
                }
                let (ids, gap) = give(&mut ledger, leg, 0, 1, links[now]);
                applied.extend(ids);
                if gap {
                    told = true;
                    break;
                }
            }
            prop_assert_eq!(told, both.is_some());
            let until = both.unwrap_or(links.len());
            let want: Vec<u64> = links[..until].iter().map(|link| link.update).collect();
            prop_assert_eq!(applied, want);
        }
    }
}
