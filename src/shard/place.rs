//! Place: what one venue has told of one symbol, beside its book and its inventory.
//!
//! Prices, terms, the margin table and what it makes of the model's parameters, when each kind of event was last
//! heard, and a judgement about open interest: a venue in maintenance says zero, something absurd, or the same number
//! for hours, and none of that is a mass closing. Nothing here touches another venue.

use super::Manner;
use super::history::History;
use crate::arena::Bounded;
use crate::event::{Kind, Tier};
use crate::inventory::Params;
use crate::inventory::params::Choice;
use crate::num::{Px, Qty, Usd};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Rows of a margin table kept. Bybit's longest has 30.
const TIERS: usize = 48;
/// Open interest that moves by more than this factor without the trades to do it is not believed.
const LEAP: i64 = 8;
/// An unbelievable level that stands this long is the new one after all: the contract was changed.
const LEAP_STANDS: Nanos = Nanos::new(10 * Nanos::MINUTE.get());
/// Open interest that was told unchanged over this long ...
const FROZEN_FOR: Nanos = Nanos::new(30 * Nanos::MINUTE.get());
/// ... while one part in so many of it was traded is frozen: one contract opened or closed would show.
const FROZEN_PART: i64 = 100;
/// History is taken until the live state is this old; by then it knows more than five-minute bars do.
const HISTORY_UNTIL: Nanos = Nanos::MINUTE;

/// Halted, as a number of `Instrument::status`; 0 is trading.
pub(super) const HALTED: u64 = 1;
/// Delisted.
pub(super) const DELISTED: u64 = 2;

#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Row {
    cap: Usd,
    floor: Usd,
    deduction: Usd,
    leverage_e2: u32,
    maintenance_e6: u32,
}

const NO_TIER: Tier = Tier {
    row: 0,
    cap: Usd::ZERO,
    leverage_e2: 0,
    maintenance_e6: 0,
    deduction: Usd::ZERO,
    floor: Usd::ZERO,
};

/// What was counted at a place, over its whole life.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Counts {
    /// Margin rows that found no room.
    pub(super) rows_full: u64,
    /// Values of open interest that were not believed.
    pub(super) odd_interest: u64,
    /// Pieces of history that came too late, out of order or malformed.
    pub(super) late_history: u64,
    /// Changes of the price step.
    pub(super) tick_changes: u64,
    /// Events of a contract that is delisted.
    pub(super) unlisted: u64,
}

/// What to make of a value of open interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belief {
    /// A sample like any other.
    Plain,
    /// Maintenance: as if not said.
    Odd,
    /// Another level than before, and it stands: the positions are other ones.
    Anew,
}

/// One venue's place in a symbol's room. All zeros until `begin`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Place {
    pub(super) params: Params,
    tiers: Bounded<Row, TIERS>,
    /// Shard time at which each kind was last heard; zero = never.
    pub(super) heard: [Nanos; Kind::ALL.len()],
    pub(super) mark: Px,
    pub(super) last: Px,
    pub(super) index: Px,
    pub(super) tick: Px,
    pub(super) interest: Qty,
    pub(super) funding_e12: i64,
    pub(super) funding_next: Nanos,
    /// 0 trading, [`HALTED`] or [`DELISTED`].
    pub(super) status: u64,
    /// A gap of trades, ticker or prints is shown until.
    pub(super) gap_until: Nanos,
    /// 1 when margin rows came since the last tick.
    pub(super) tiers_new: u64,
    /// 1 where a ticker that leaves its fields out confirms them.
    pub(super) confirms: u64,
    /// Log of the reference's mark over this venue's, Q48, when this one was last heard; read where `basis_known`.
    pub(super) basis: i64,
    pub(super) basis_known: u64,
    /// When live open interest was first laid; zero = not yet.
    pub(super) live: Nanos,
    /// Volume so far, and as it was when open interest was last believed and when it last changed. Wraps.
    volume: i64,
    volume_believed: i64,
    volume_changed: i64,
    /// When open interest last changed.
    changed: Nanos,
    /// The level that was not believed and since when it stands; 0 = none.
    odd: i64,
    odd_since: Nanos,
    /// 1 from an unbelievable value to the next believable one.
    is_odd: u64,
    pub(super) counts: Counts,
    pub(super) history: History,
}

layout!(Place: params, tiers, heard, mark, last, index, tick, interest, funding_e12, funding_next, status, gap_until,
    tiers_new, confirms, basis, basis_known, live, volume, volume_believed, volume_changed, changed, odd, odd_since,
    is_odd, counts, history);

impl Place {
    /// An empty place of a venue with such manners; what it has counted stays.
    pub(super) fn begin(&mut self, choice: &Choice, manner: &Manner) {
        let counts = self.counts;
        bytemuck::bytes_of_mut(self).fill(0);
        self.counts = counts;
        self.confirms = u64::from(manner.confirms);
        self.params = Params::chosen(choice, manner.rule, &[]);
    }

    /// True once it has told something that the map stands on.
    pub(super) fn has_spoken(&self) -> bool {
        self.mark.get() > 0 || self.interest.get() > 0
    }

    /// When a kind's value was last known to hold; zero = never heard.
    pub(super) fn known(&self, kind: Kind) -> Nanos {
        let heard = self.heard[kind as usize];
        if self.confirms == 0 || heard == Nanos::ZERO {
            return heard;
        }
        heard.max(self.heard[Kind::Bbo as usize])
    }

    /// Books a trade's price and volume.
    #[inline]
    pub(super) fn trade(&mut self, price: Px, qty: Qty) {
        self.last = price;
        self.volume = self.volume.wrapping_add(qty.get());
    }

    /// Judges a value of open interest, and takes it when it is believed.
    pub(super) fn judge(&mut self, now: Nanos, interest: Qty) -> Belief {
        let (old, new) = (self.interest.get(), interest.get());
        let traded = self.volume.wrapping_sub(self.volume_believed);
        let leaps = |a: i64, b: i64| a / LEAP > b || b / LEAP > a;
        let belief = if new <= 0 {
            Belief::Odd
        } else if old > 0 && leaps(old, new) && traded < (new - old).saturating_abs() {
            if self.odd <= 0 || leaps(self.odd, new) {
                (self.odd, self.odd_since) = (new, now);
            }
            let stands = now.since(self.odd_since) >= LEAP_STANDS;
            if stands { Belief::Anew } else { Belief::Odd }
        } else {
            Belief::Plain
        };
        if belief == Belief::Odd {
            self.counts.odd_interest += 1;
            self.is_odd = 1;
            return belief;
        }
        (self.odd, self.is_odd) = (0, 0);
        self.volume_believed = self.volume;
        if new != old {
            self.interest = interest;
            (self.changed, self.volume_changed) = (now, self.volume);
        }
        belief
    }

    /// True while open interest is zero, absurd or frozen, or the contract is halted.
    pub(super) fn is_in_maintenance(&self) -> bool {
        let told = self.known(Kind::Interest).since(self.changed) >= FROZEN_FOR;
        let traded = self.volume.wrapping_sub(self.volume_changed);
        let frozen = told && self.interest.get() > 0 && traded > self.interest.get() / FROZEN_PART;
        self.is_odd != 0 || frozen || self.status == HALTED
    }

    /// True while history may still be laid.
    pub(super) fn takes_history(&self, now: Nanos) -> bool {
        self.live == Nanos::ZERO || now.since(self.live) < HISTORY_UNTIL
    }

    /// Keeps a row of a margin table that is coming.
    pub(super) fn tier(&mut self, tier: &Tier) {
        if tier.row == 0 {
            self.tiers.clear();
        }
        let row = Row {
            cap: tier.cap,
            floor: tier.floor,
            deduction: tier.deduction,
            leverage_e2: tier.leverage_e2,
            maintenance_e6: tier.maintenance_e6,
        };
        // LIMIT: rows beyond the table are for positions that nobody's prior mix contains; counted in `rows_full`.
        self.counts.rows_full += u64::from(!self.tiers.push(row));
        // The table is laid when it is whole: at the next tick, whatever frame it came in.
        self.tiers_new = 1;
    }

    /// Lays the leverage mix through a margin table that has just come.
    pub(super) fn lay_tiers(&mut self, choice: &Choice, manner: &Manner) {
        self.tiers_new = 0;
        let mut rows = [NO_TIER; TIERS];
        for (number, (to, from)) in rows.iter_mut().zip(self.tiers.as_slice()).enumerate() {
            *to = Tier {
                row: number as u16,
                cap: from.cap,
                leverage_e2: from.leverage_e2,
                maintenance_e6: from.maintenance_e6,
                deduction: from.deduction,
                floor: from.floor,
            };
        }
        let known = &rows[..self.tiers.len()];
        self.params = Params::chosen(choice, manner.rule, known);
    }

    /// A new price step; what it was at first is no change.
    pub(super) fn retick(&mut self, tick: Px) {
        let changes = self.tick.get() > 0 && self.tick != tick;
        self.counts.tick_changes += u64::from(changes);
        self.tick = tick;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;
    use crate::market::VenueId;

    fn place() -> Box<Place> {
        let mut place: Box<Place> = bytemuck::allocation::zeroed_box();
        place.begin(&Choice::default(), super::super::manner(VenueId::BYBIT));
        place
    }

    fn at(s: i64) -> Nanos {
        Nanos::seconds(1_700_000_000 + s)
    }

    #[test]
    fn zero_and_leaps_without_trades_are_not_believed() {
        let mut place = place();
        let q = Qty::whole;
        assert_eq!(place.judge(at(0), Qty::ZERO), Belief::Odd);
        assert!(place.is_in_maintenance());
        assert_eq!(place.judge(at(1), q(1_000)), Belief::Plain);
        assert_eq!(
            place.judge(at(2), q(8_000)),
            Belief::Plain,
            "eight times is possible"
        );
        assert_eq!(place.judge(at(3), q(900)), Belief::Odd);
        assert!(place.is_in_maintenance());
        assert_eq!(place.interest, q(8_000));
        assert_eq!(place.judge(at(4), q(8_010)), Belief::Plain);
        assert!(!place.is_in_maintenance());
        // The same fall with the trades to do it is a fall.
        place.trade(Px::whole(1), q(7_200));
        assert_eq!(place.judge(at(5), q(900)), Belief::Plain);
        assert_eq!(place.counts.odd_interest, 2);
    }

    #[test]
    fn a_leap_that_stands_is_believed_in_the_end() {
        let mut place = place();
        assert_eq!(place.judge(at(0), Qty::whole(10)), Belief::Plain);
        assert_eq!(place.judge(at(10), Qty::whole(10_000)), Belief::Odd);
        assert_eq!(place.judge(at(300), Qty::whole(11_000)), Belief::Odd);
        assert_eq!(place.judge(at(611), Qty::whole(12_000)), Belief::Anew);
        assert_eq!(place.interest, Qty::whole(12_000));
        assert_eq!(place.judge(at(612), Qty::whole(12_001)), Belief::Plain);
    }

    #[test]
    fn interest_that_stands_still_while_trades_flow_is_frozen() {
        let mut place = place();
        let tell = |place: &mut Place, s: i64| {
            place.heard[Kind::Interest as usize] = at(s);
            place.judge(at(s), Qty::whole(1_000));
        };
        tell(&mut place, 0);
        tell(&mut place, 3_000);
        assert!(!place.is_in_maintenance(), "a quiet market may stand still");
        place.trade(Px::whole(1), Qty::whole(11));
        assert!(place.is_in_maintenance());
        place.judge(at(3_001), Qty::whole(1_001));
        assert!(!place.is_in_maintenance());
    }
}
