//! Flags: reasons to trust a symbol less, the cards that are refreshed under them, and what it has counted.
//!
//! A flag is about now: nothing here is state, all of it is asked of the reference's book and streams and of every
//! venue that has spoken. Without a map of its own a card has no confidence; with one, as much as is not prior.

use super::{MARK_TTL_MS, PRIOR_MAX_E6, Room};
use crate::health::flag;
use crate::inventory::Inventory;
use crate::num::fixed::mul_div;
use crate::shard::Tally;
use crate::shard::place::{Counts, DELISTED, HALTED};
use crate::signal::view::View;
use crate::time::Nanos;

/// Time to live of open interest: three polls of a slow venue.
const INTEREST_TTL_MS: u32 = 30_000;
/// Time to live of trades, at the slow end of scoring.md 6.
const TRADE_TTL_MS: u32 = 60_000;

impl Room {
    /// Cards and bias, when due; true when a composite changed.
    pub(in crate::shard) fn refresh(&mut self, now: Nanos, shared: u32) -> bool {
        // Flags and view are for the scores alone, and most frames come between two steps of theirs.
        if !self.scores.is_due(now) {
            return false;
        }
        let flags = self.flags(now, shared);
        let prior = self.prior_share_e6();
        let books = core::slice::from_ref(&self.book[self.slot()]);
        let mut view = View::new(now, books, &self.streams, &self.heat, &self.zoned);
        view.confidence_max = if flags & flag::PRIOR != 0 {
            0
        } else {
            100 - mul_div(prior, 100, 1_000_000)
        };
        self.scores.refresh(now, &view, flags)
    }

    /// Reasons to trust this symbol less, now.
    pub(in crate::shard) fn flags(&self, now: Nanos, shared: u32) -> u32 {
        let (slot, own) = (self.slot(), self.own());
        let book = &self.book[slot];
        let ages = self.streams.ages(now);
        let seeded = self.inventory.iter().any(Inventory::is_seeded);
        let prior = self.prior_share_e6() > PRIOR_MAX_E6;
        let (mut gap, mut assumed, mut maintenance) = (false, false, false);
        for (v, place) in self.place.iter().enumerate() {
            if v == slot || place.has_spoken() {
                gap |= now < place.gap_until;
                assumed |= place.params.tiers_assumed != 0;
                maintenance |= place.is_in_maintenance();
            }
        }
        let mut bits = shared | flag::LEARNING | flag::UNPROVEN;
        for (wrong, bit) in [
            (!book.is_trusted(), flag::BOOK_UNTRUSTED),
            (gap, flag::GAP),
            (assumed, flag::TIERS_ASSUMED),
            (self.zones.is_relative(), flag::RELATIVE),
            (prior || !seeded, flag::PRIOR),
            (ages.mark_ms > MARK_TTL_MS, flag::MARK_STALE),
            (ages.interest_ms > INTEREST_TTL_MS, flag::INTEREST_STALE),
            (ages.trade_ms > TRADE_TTL_MS, flag::TRADES_STALE),
            (own.status == HALTED, flag::HALTED),
            (self.is_delisted(), flag::DELISTED),
            (maintenance, flag::MAINTENANCE),
            (book.is_shallow(), flag::SHALLOW),
        ] {
            if wrong {
                bits |= bit;
            }
        }
        bits
    }

    /// True when the reference delisted the contract and nobody stands in.
    pub(in crate::shard) fn is_delisted(&self) -> bool {
        self.own().status == DELISTED
    }

    /// Adds what this symbol has counted.
    pub(in crate::shard) fn add_to(&self, tally: &mut Tally) {
        tally.reseeds += self.broken;
        tally.saturated += self.scores.cards().saturated + self.zones.clipped;
        tally.table_full += self.exact.dropped;
        for ((place, book), inventory) in self.place.iter().zip(&self.book).zip(&self.inventory) {
            let Counts {
                rows_full,
                odd_interest,
                late_history,
                tick_changes,
                unlisted,
            } = place.counts;
            tally.crossed += book.crossed;
            tally.table_full += book.dropped + inventory.merged + rows_full;
            tally.saturated += inventory.unclosed;
            tally.strangers += unlisted;
            tally.odd_interest += odd_interest;
            tally.late_history += late_history;
            tally.tick_changes += tick_changes;
        }
    }
}
