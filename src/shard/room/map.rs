//! Map: what is read of a symbol's inventories once a second or on a sweep, and the zones that stand on it.
//!
//! The whole pass in its order: the heatmap in the reference's price, zones, what would meet them, their odds, the
//! readings that signals see. Shares of all venues together are weighted by open interest.

use super::{PRIOR_MAX_E6, Room};
use crate::bias::thin;
use crate::event::Kind;
use crate::inventory::Inventory;
use crate::inventory::exact::Exact;
use crate::market::Holder;
use crate::num::fixed::{ONE, clip, div32, mul_div};
use crate::num::{Px, Qty, narrow};
use crate::shard::VENUES;
use crate::shard::place::Place;
use crate::shard::reading::{self, APPROACHES, EXPECTED, HORIZONS};
use crate::shm::record::NO_SHARE;
use crate::signal::streams::channel;
use crate::signal::window::Window;
use crate::time::Nanos;
use crate::zone::cascade::{Depth, Look};
use crate::zone::{Heat, Sight};

/// The map is LIVE after this much open interest and trades (signals.md, cold starts).
const LIVE_AFTER: Nanos = Nanos::new(2 * Nanos::HOUR.get());

impl Room {
    /// Readings of the map, and the zones that stand on them.
    pub(super) fn remap(&mut self, now: Nanos) {
        self.changed = 1;
        let marks = self.marks(now);
        let (slot, mark, tick) = (self.slot(), self.own().mark, self.own().tick);
        self.exact.age(now);
        let known = self
            .teller
            .checked_sub(1)
            .map(|v| (v as usize, &self.exact));
        self.heatmap
            .refresh_with(now, &self.inventory, &marks, slot, known);
        let heat = Heat {
            mark,
            below_long: &self.heatmap.below_long,
            above_short: &self.heatmap.above_short,
        };
        let hour = self.streams.sigma(Window::H1);
        let horizons = HORIZONS.map(|horizon| self.streams.sigma(horizon));
        self.zones.refresh(now, &heat, hour, horizons, tick);
        let depth = self.depths(mark);
        self.judge(now, mark, &depth);
        self.map = self.readings(hour, &depth);
        let prior = self.prior_share_e6();
        let interest = self.mapped_interest();
        reading::heat(now, &self.heatmap, mark, interest, &mut self.heat);
        let lived = now.since(self.seeded) >= LIVE_AFTER;
        self.heat.observed = mul_div(1_000_000 - prior, ONE, 1_000_000);
        self.heat.valid = u64::from(lived && prior <= PRIOR_MAX_E6);
        reading::zones(&self.zones, mark, &mut self.zoned);
        self.reach = self.reaches();
    }

    /// What takes forced flow above and below: the reference's book, and the law behind it.
    fn depths(&self, mark: Px) -> [Depth; 2] {
        let turnover = self.streams.turnover[Window::H1.index()];
        let sigma = self.streams.sigma(Window::H1);
        let book = &self.book[self.slot()];
        [true, false].map(|above| Depth::read(book, above, mark, turnover, sigma))
    }

    /// The zones' odds, and the live state of both sides.
    fn judge(&mut self, now: Nanos, mark: Px, depth: &[Depth; 2]) {
        let streams = &self.streams;
        let speed = |window| match (streams.moved(window), streams.sigma(window)) {
            (Some(moved), sigma) if sigma > 0 => clip(div32(moved, sigma) >> 16, -2 * ONE, 2 * ONE),
            _ => 0,
        };
        let flow = |window| [channel::BUY, channel::SELL].map(|way| streams.sum(window, way));
        let known = self.place.iter();
        let known = known.fold(Qty::ZERO, |sum, place| sum.plus(place.interest));
        let sight = Sight {
            mark,
            sigma_5m: streams.sigma(Window::M5),
            sigma: core::array::from_fn(|mode| streams.sigma_by(HORIZONS[mode], EXPECTED[mode])),
            flow: HORIZONS.map(flow),
            depth,
            share: self.own_share(),
            structure: &self.structure,
            speed: APPROACHES.map(speed),
            cover: mul_div(self.mapped_interest().get(), ONE, known.get()),
            thin: thin(streams.orders_per_minute(), ONE),
        };
        self.zones.judge(now, &sight);
        let falls = streams
            .interest_moved(Window::M1)
            .is_none_or(|moved| moved <= 0);
        for (up, way) in [channel::LONGS, channel::SHORTS].into_iter().enumerate() {
            let look = Look {
                now,
                mark,
                ten: streams.sum(Window::S10, way),
                minute: streams.sum(Window::M1, way),
                usual: streams.turnover[Window::M1.index()],
                falls,
            };
            self.live[up].step(&look, up == 1);
            self.onward[up].step(now, mark, up == 1);
        }
    }

    /// The venue that tells positions, and what they are.
    pub(in crate::shard) fn known(&self) -> Option<(usize, &Exact)> {
        Some((self.teller.checked_sub(1)? as usize, &self.exact))
    }

    /// Tracked share of the open interest of the venue that tells positions, per holder, 1e-6.
    pub(in crate::shard) fn coverage_e6(&self) -> [u32; 2] {
        let Some((v, exact)) = self.known() else {
            return [NO_SHARE; 2];
        };
        let interest = self
            .inventory
            .get(v)
            .map_or(Qty::ZERO, Inventory::interest_now);
        Holder::BOTH.map(|holder| exact.coverage_e6(holder, interest) as u32)
    }

    /// True once a venue of the symbol has printed a liquidation.
    pub(in crate::shard) fn prints(&self) -> bool {
        let heard = |place: &Place| place.heard[Kind::Liquidation as usize] != Nanos::ZERO;
        self.place.iter().any(heard)
    }

    /// Slots whose inventories are in the map.
    pub(in crate::shard) fn mapped(&self) -> impl Iterator<Item = usize> {
        let venues = self.heatmap.venues;
        (0..VENUES).filter(move |v| venues & (1 << v) != 0)
    }

    /// Open interest of the venues in the map.
    fn mapped_interest(&self) -> Qty {
        self.mapped()
            .fold(Qty::ZERO, |sum, v| sum.plus(self.place[v].interest))
    }

    /// A share of each seeded inventory, weighted by its open interest; of the reference's when none is seeded.
    pub(in crate::shard) fn weighed(&self, share: impl Fn(&Inventory) -> i64) -> i64 {
        let seeded = self.inventory.iter().filter(|held| held.is_seeded());
        let (mut sum, mut all) = (0i128, 0i128);
        for inventory in seeded {
            let weight = i128::from(inventory.interest_now().get());
            sum += i128::from(share(inventory)) * weight;
            all += weight;
        }
        if all == 0 {
            return share(&self.inventory[self.slot()]);
        }
        narrow(sum / all)
    }

    /// Share of the priced mass of all venues that is prior, 1e-6.
    pub(in crate::shard) fn prior_share_e6(&self) -> i64 {
        self.weighed(Inventory::prior_share_e6)
    }
}
