//! Reference: whose market a symbol is, the other venues' prices as that one's, and what is forgotten with it.
//!
//! A venue's *basis* is how far its mark is from the reference's, in the logarithm: as of when the venue last spoke
//! beside a fresh mark of the reference, so that its mass stays at its prices while it is silent. Another reference
//! makes every basis unknown, and nothing that was said in the old one's price stays said.

use super::{MARK_TTL_MS, Room};
use crate::event::Kind;
use crate::inventory::Inventory;
use crate::market::VenueId;
use crate::num::Px;
use crate::num::log::{ln_px, px_of_ln};
use crate::shard::place::DELISTED;
use crate::shard::{VENUES, manner, reading};
use crate::shm::record::{CascadeRecord, MODES};
use crate::signal::view::{HeatReading, ZoneReading};
use crate::time::Nanos;
use crate::zone::cascade::Live;
use crate::zone::onward::Onward;
use bytemuck::Zeroable as _;

/// How long the venues before it in the plan are waited for when a symbol's first mark is another's.
const WAIT: Nanos = Nanos::new(10 * Nanos::SECOND.get());
/// A venue whose mark is older than this is carried along by the reference's ...
const CARRIED_AFTER: Nanos = Nanos::millis(MARK_TTL_MS as i64);
/// ... for so long; then it leaves the map until it is heard again.
const CARRIED_FOR: Nanos = Nanos::HOUR;

impl Room {
    /// A price of a venue as the reference's: at the distance that their marks last had.
    #[inline]
    pub(super) fn as_own(&self, v: usize, price: Px) -> Px {
        let place = &self.place[v];
        if v == self.slot() || place.basis_known == 0 || price.get() <= 0 {
            return price;
        }
        px_of_ln(ln_px(price).saturating_add(place.basis))
    }

    /// How far a venue's mark is from the reference's, taken when the venue speaks: later only the reference moves.
    pub(super) fn measure_basis(&mut self, now: Nanos, v: usize) {
        let own = self.own();
        let fresh = now.since(own.known(Kind::Mark)) <= CARRIED_AFTER;
        let from = own.mark;
        let place = &mut self.place[v];
        if from.get() > 0 && place.mark.get() > 0 && (fresh || place.basis_known == 0) {
            (place.basis, place.basis_known) = (ln_px(from) - ln_px(place.mark), 1);
        }
    }

    /// Makes a slot the reference.
    pub(super) fn refer(&mut self, now: Nanos, v: usize) {
        self.chosen = 1;
        if v == self.slot() {
            return;
        }
        self.reference = v as u64;
        // What the streams know is another market's; volatility is the least that must not start from nothing.
        bytemuck::bytes_of_mut(&mut self.streams).fill(0);
        bytemuck::bytes_of_mut(&mut self.structure).fill(0);
        self.live = [Live::zeroed(); 2];
        self.unsay_ends();
        self.streams.recall(self.place[v].history.moves());
        for place in &mut self.place {
            place.basis_known = 0;
        }
        for other in 0..VENUES {
            self.measure_basis(now, other);
        }
    }

    /// Takes the first in plan order that has a mark, when none is chosen and those before it were waited for.
    pub(super) fn stand_in(&mut self, now: Nanos) {
        if self.chosen == 0
            && self.first_mark != Nanos::ZERO
            && now.since(self.first_mark) >= WAIT
            && let Some(v) = self.first_marked()
        {
            self.refer(now, v);
        }
    }

    /// The first slot in plan order that has a mark.
    fn first_marked(&self) -> Option<usize> {
        self.place.iter().position(|place| place.mark.get() > 0)
    }

    /// Mark of every slot for the map, 0 = leave it out.
    ///
    /// A venue that has fallen silent is carried along: its mark is the reference's at the distance the two last had,
    /// so its mass stays at its prices instead of moving with the market.
    pub(super) fn marks(&self, now: Nanos) -> [Px; VENUES] {
        let own = self.own().mark;
        core::array::from_fn(|v| {
            let place = &self.place[v];
            let age = now.since(place.known(Kind::Mark));
            if v == self.slot() || place.mark.get() <= 0 || age <= CARRIED_AFTER {
                place.mark
            } else if age > CARRIED_FOR || place.basis_known == 0 {
                Px::ZERO
            } else {
                px_of_ln(ln_px(own).saturating_sub(place.basis))
            }
        })
    }

    /// Forgets a venue: its positions are settled, its book is gone.
    pub(super) fn delist(&mut self, now: Nanos, v: usize, venue: VenueId) {
        self.book[v].distrust();
        self.inventory[v].clear();
        if v as u64 + 1 == self.teller {
            self.exact.clear();
        }
        self.place[v].begin(&self.choice, manner(venue));
        self.place[v].status = DELISTED;
        if v == self.slot() {
            (self.chosen, self.first_mark) = (0, Nanos::ZERO);
            match self.first_marked() {
                Some(next) => self.refer(now, next),
                None => self.forget(),
            }
        }
        if !self.inventory.iter().any(Inventory::is_seeded) {
            self.forget_map();
        }
    }

    /// Nobody lists the symbol: nothing of it is said any more.
    fn forget(&mut self) {
        bytemuck::bytes_of_mut(&mut self.streams).fill(0);
        bytemuck::bytes_of_mut(&mut self.structure).fill(0);
        self.live = [Live::zeroed(); 2];
        self.forget_map();
    }

    /// No venue is in the map any more: there is none.
    fn forget_map(&mut self) {
        self.unsay_ends();
        self.changed = 1;
        self.heatmap.clear();
        self.zones.clear();
        (self.heat, self.zoned) = (HeatReading::zeroed(), ZoneReading::zeroed());
        self.reach = [[reading::NOWHERE; 2]; MODES];
        (self.seeded, self.lived, self.swept) = (Nanos::ZERO, 0, 0);
    }

    /// Ends that were said of cascades are in the price of another market, or of none.
    fn unsay_ends(&mut self) {
        self.onward.iter_mut().for_each(Onward::forget);
        for map in [&mut self.map, &mut self.wide.map] {
            (map.cascade_up, map.cascade_down) = (CascadeRecord::ABSENT, CascadeRecord::ABSENT);
        }
    }
}
