//! Room: one symbol's state over its venues, and what each event does to it.
//!
//! A venue has a *slot* by the plan's order: its book, its inventory, its place. One slot is the symbol's *reference*:
//! its mark, book, trades, funding and interest drive the streams and are what the records say, and the map is laid
//! in its price. The first venue of the plan is that as soon as it gives a mark; when it has given none ten seconds
//! after another has, the first in plan order that has takes its part. Once chosen it stays, through silence and
//! disconnects (the flags say so), until it delists the contract; then the next in order that has a mark follows, and
//! the streams begin anew. Prints of every venue feed the streams, and the map adds every inventory.

use super::history::History;
use super::place::{Belief, Counts, DELISTED, HALTED, Place};
use super::reading::{self, APPROACHES, EXPECTED, HORIZONS};

use super::{VENUES, manner};
use crate::bias::{Scores, thin};
use crate::book::Book;
use crate::calibrate::{self, Calibration};
use crate::event::{Body, Event, Gap, HISTORY, Instrument, Kind, Position, Stream};
use crate::health::flag;
use crate::heatmap::Heatmap;
use crate::inventory::Inventory;
use crate::inventory::exact::Exact;
use crate::inventory::params::Choice;
use crate::market::{Holder, VenueId};
use crate::num::fixed::{ONE, clip, div32, mul_div};
use crate::num::log::{ln_px, px_of_ln};
use crate::num::{Px, Qty, Round, narrow};
use crate::shm::record::{CascadeRecord, MODES, MapRecord, NO_SHARE, Wide};
use crate::signal::Class;
use crate::signal::streams::{Streams, channel};
use crate::signal::view::{HeatReading, View, ZoneReading};
use crate::signal::window::Window;
use crate::time::Nanos;
use crate::zone::cascade::{Depth, Live, Look};
use crate::zone::onward::Onward;
use crate::zone::structure::Structure;
use crate::zone::{Heat, Sight, Zones};
use bytemuck::{Pod, Zeroable};

/// Ticks between refreshes of map readings and zones: a second.
const REFRESH_TICKS: u64 = 100;
/// Ticks between refreshes on a sweep.
const SWEEP_TICKS: u64 = 10;
/// A gap of a stream that no snapshot heals stays flagged this long.
const GAP_SHOWN: Nanos = Nanos::MINUTE;
/// Time to live of the mark (scoring.md 6).
const MARK_TTL_MS: u32 = 5_000;
/// Time to live of open interest: three polls of a slow venue.
const INTEREST_TTL_MS: u32 = 30_000;
/// Time to live of trades, at the slow end of scoring.md 6.
const TRADE_TTL_MS: u32 = 60_000;
/// The map is LIVE after this much open interest and trades (signals.md, cold starts).
const LIVE_AFTER: Nanos = Nanos::new(2 * Nanos::HOUR.get());
/// Above this share of prior mass the map has nothing of its own to say.
const PRIOR_MAX_E6: i64 = 900_000;
/// How long the venues before it in the plan are waited for when a symbol's first mark is another's.
const WAIT: Nanos = Nanos::new(10 * Nanos::SECOND.get());
/// A venue whose mark is older than this is carried along by the reference's ...
const CARRIED_AFTER: Nanos = Nanos::millis(MARK_TTL_MS as i64);
/// ... for so long; then it leaves the map until it is heard again.
const CARRIED_FOR: Nanos = Nanos::HOUR;
/// History is whole when none came for this long.
const LOADED_AFTER: Nanos = Nanos::new(3 * Nanos::SECOND.get());

/// One symbol. All zeros is "nothing heard"; places and `reach` are set when the shard is built.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Room {
    pub(super) choice: Choice,
    /// Hash of the model in force: the plan's parameters and the signals' rows.
    pub(super) model_hash: u64,
    pub(super) place: [Place; VENUES],
    pub(super) book: [Book; VENUES],
    pub(super) inventory: [Inventory; VENUES],
    pub(super) calibration: [Calibration; VENUES],
    /// Positions of public accounts, where a venue tells them.
    pub(super) exact: Exact,
    /// Slot of that venue plus one; 0 = none has told any.
    teller: u64,
    pub(super) streams: Streams,
    pub(super) heatmap: Heatmap,
    pub(super) zones: Zones,
    structure: Structure,
    /// Cascades of longs and of shorts as they live.
    pub(super) live: [Live; 2],
    /// How far price goes on behind them.
    pub(super) onward: [Onward; 2],
    /// Readings of the map as of its last refresh; of no meaning while no venue is in it.
    pub(super) map: MapRecord,
    pub(super) scores: Scores,
    heat: HeatReading,
    zoned: ZoneReading,
    /// The record last published.
    pub(super) wide: Wide,
    /// Distance of each mode's nearest hot zone above and below in 1e-2 bp, `i32::MAX` = none: what headlines say and
    /// only a mark or a refresh of the zones changes. `NOWHERE` when the shard is built.
    pub(super) reach: [[i32; 2]; MODES],
    pub(super) exch: Nanos,
    /// Slot of the reference.
    reference: u64,
    /// 1 once the reference is chosen.
    chosen: u64,
    /// When the first mark came while none was chosen; zero = none yet.
    first_mark: Nanos,
    /// When the map was first seeded by live interest.
    seeded: Nanos,
    /// 1 when something changed since the last wide record.
    pub(super) changed: u64,
    /// 1 once it can be answered for: a seeded map, and two of the fastest mode's windows or a volatility from
    /// history.
    pub(super) lived: u64,
    /// 1 when a sweep asks for a refresh of the map's readings.
    swept: u64,
    /// Conservation checks that failed, each followed by a re-seed.
    broken: u64,
    /// Cents of longs and of shorts that venues printed as liquidated since the state began.
    pub(super) printed: [i64; 2],
}

layout!(Room: choice, model_hash, place, book, inventory, calibration, exact, teller, streams, heatmap, zones,
    structure, live, onward, map, scores, heat, zoned, wide, reach, exch, reference, chosen, first_mark, seeded,
    changed, lived, swept, broken, printed);

impl Room {
    /// Slot of the reference, below [`VENUES`] whatever a damaged checkpoint says.
    pub(super) fn slot(&self) -> usize {
        (self.reference as usize).min(VENUES - 1)
    }

    /// The reference's place.
    pub(super) fn own(&self) -> &Place {
        &self.place[self.slot()]
    }

    /// Applies one event of the venue at slot `v` that speaks of this symbol.
    #[inline]
    pub(super) fn apply(&mut self, now: Nanos, v: usize, kind: Kind, event: &Event) {
        if event.bits & HISTORY != 0 {
            return self.past(now, v, event);
        }
        let place = &mut self.place[v];
        if place.status == DELISTED && kind != Kind::Instrument {
            place.counts.unlisted += 1;
            return;
        }
        self.changed = 1;
        self.exch = self.exch.max(event.exch);
        place.heard[kind as usize] = now;
        let own = v as u64 == self.reference;
        match &event.body() {
            Body::Level(level) => self.book[v].apply(level, event.bits),
            Body::Trade(trade) => {
                self.place[v].trade(trade.price, trade.qty);
                if own {
                    self.streams.trade(now, trade);
                    self.structure.trade(now, trade.price, trade.qty);
                }
                if self.is_open(v) {
                    self.inventory[v].trade(trade.price, trade.qty);
                }
            }
            Body::Mark(mark) => self.on_mark(now, v, *mark),
            Body::Index(index) => {
                self.place[v].index = *index;
                if own {
                    self.streams.index(now, *index);
                }
            }
            Body::Funding(funding) => {
                self.place[v].funding_e12 = funding.rate_e12;
                self.place[v].funding_next = funding.next;
                if own {
                    self.streams.funding(now, funding);
                }
            }
            Body::Interest(interest) => self.on_interest(now, v, *interest),
            Body::Liquidation(print) => {
                self.streams.liquidation(now, print);
                let (row, params) = (calibrate::observation(event.venue), &self.place[v].params);
                // What the mark met in history that is still being laid, nobody's prints could tell of.
                let row_now = row.filter(|_| self.is_open(v));
                self.calibration[v].print(now, row_now, print, &self.inventory[v], params);
                let died = calibrate::died_at(row, print, params);
                let usd = print.price.notional(print.qty, Round::Down).get();
                let printed = &mut self.printed[print.holder as usize];
                *printed = printed.saturating_add(usd);
                self.zones.print(print.holder, self.as_own(v, died), usd);
            }
            Body::Total(totals) => {
                let (inventory, place) = (&self.inventory[v], &self.place[v]);
                if self.is_open(v) {
                    self.calibration[v].totals(now, totals, place.mark, inventory, &place.params);
                } else {
                    self.calibration[v].unread += 1;
                }
            }
            Body::Instrument(terms) => self.on_terms(now, v, event.venue, terms),
            Body::Tier(tier) => self.place[v].tier(tier),
            Body::Gap(gap) => self.on_gap(now, v, gap),
            Body::Position(told) => self.on_position(now, v, told),
            Body::Bbo(_) => {
                if own && self.place[v].confirms != 0 {
                    self.streams.confirm(now);
                }
            }
            // Heard and kept on the tape; their models come with their venues.
            Body::Ratio(_)
            | Body::Series(_)
            | Body::Bar(_)
            | Body::Account(_)
            | Body::Tick
            | Body::Connect(_)
            | Body::Disconnect(_) => {}
        }
    }

    /// True while the present goes into a venue's inventory: not while its past is being laid.
    fn is_open(&self, v: usize) -> bool {
        self.place[v].history.loading == Nanos::ZERO
    }

    fn on_mark(&mut self, now: Nanos, v: usize, mark: Px) {
        self.place[v].mark = mark;
        if self.chosen == 0 && mark.get() > 0 {
            if v == 0 {
                self.refer(now, 0);
            } else if self.first_mark == Nanos::ZERO {
                self.first_mark = now;
            }
        }
        let own = v == self.slot();
        if own {
            self.streams.mark(now, mark);
        } else {
            self.measure_basis(now, v);
        }
        if self.is_open(v) && self.inventory[v].mark(now, mark, &self.place[v].params) {
            self.swept = 1;
        }
        if v as u64 + 1 == self.teller && mark.get() > 0 && self.exact.mark(ln_px(mark)) {
            self.swept = 1;
        }
        if own {
            self.zones.mark(now, mark);
            self.reach = self.reaches();
        }
    }

    /// What an account holds at a venue.
    // LIMIT: one venue of a symbol tells positions; another's would be of other accounts under the same numbers.
    fn on_position(&mut self, now: Nanos, v: usize, told: &Position) {
        if self.teller == 0 {
            self.teller = v as u64 + 1;
        }
        if self.teller != v as u64 + 1 {
            self.place[v].counts.unlisted += 1;
            return;
        }
        let mark = self.place[v].mark;
        let mark_ln = (mark.get() > 0).then(|| ln_px(mark));
        self.exact.tell(now, told, mark_ln);
    }

    /// The venue that tells positions, and what they are.
    pub(super) fn known(&self) -> Option<(usize, &Exact)> {
        Some((self.teller.checked_sub(1)? as usize, &self.exact))
    }

    /// Tracked share of the open interest of the venue that tells positions, per holder, 1e-6.
    pub(super) fn coverage_e6(&self) -> [u32; 2] {
        let Some((v, exact)) = self.known() else {
            return [NO_SHARE; 2];
        };
        let interest = self
            .inventory
            .get(v)
            .map_or(Qty::ZERO, Inventory::interest_now);
        Holder::BOTH.map(|holder| exact.coverage_e6(holder, interest) as u32)
    }

    /// A price of a venue as the reference's: at the distance that their marks last had.
    fn as_own(&self, v: usize, price: Px) -> Px {
        let place = &self.place[v];
        if v == self.slot() || place.basis_known == 0 || price.get() <= 0 {
            return price;
        }
        px_of_ln(ln_px(price).saturating_add(place.basis))
    }

    /// How far a venue's mark is from the reference's, taken when the venue speaks: later only the reference moves.
    fn measure_basis(&mut self, now: Nanos, v: usize) {
        let own = self.own();
        let fresh = now.since(own.known(Kind::Mark)) <= CARRIED_AFTER;
        let from = own.mark;
        let place = &mut self.place[v];
        if from.get() > 0 && place.mark.get() > 0 && (fresh || place.basis_known == 0) {
            (place.basis, place.basis_known) = (ln_px(from) - ln_px(place.mark), 1);
        }
    }

    /// Makes a slot the reference.
    fn refer(&mut self, now: Nanos, v: usize) {
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

    /// The first slot in plan order that has a mark.
    fn first_marked(&self) -> Option<usize> {
        self.place.iter().position(|place| place.mark.get() > 0)
    }

    fn on_interest(&mut self, now: Nanos, v: usize, interest: Qty) {
        let belief = self.place[v].judge(now, interest);
        if belief == Belief::Odd {
            return;
        }
        if v == self.slot() {
            self.streams.interest(now, interest);
        }
        if belief == Belief::Anew {
            let (inventory, place) = (&mut self.inventory[v], &self.place[v]);
            inventory.clear();
            inventory.mark(now, place.mark, &place.params);
        }
        self.lay(now, v);
    }

    /// Gives a venue's open interest to its inventory, once there is a mark to lie around and the past is laid.
    fn lay(&mut self, now: Nanos, v: usize) {
        let (inventory, place) = (&mut self.inventory[v], &mut self.place[v]);
        let is_open = place.history.loading == Nanos::ZERO;
        if place.mark.get() <= 0 || place.interest.get() <= 0 || !is_open {
            return;
        }
        if inventory.is_seeded() {
            inventory.interest(now, place.interest, &place.params);
            self.calibration[v].interest(now, place.interest);
        } else {
            let history = &place.history;
            history.seed(now, now, place.interest, inventory, &place.params);
        }
        if inventory.is_seeded() {
            if place.live == Nanos::ZERO {
                place.live = now;
            }
            if self.seeded == Nanos::ZERO {
                self.seeded = now;
            }
        }
        self.check(now, v);
    }

    /// A mismatch is counted and re-seeded, never an abort (heatmap.md 2.1).
    fn check(&mut self, now: Nanos, v: usize) {
        if !self.inventory[v].conserved() {
            self.broken += 1;
            self.inventory[v].reseed(now, &self.place[v].params);
        }
    }

    fn on_terms(&mut self, now: Nanos, v: usize, venue: VenueId, terms: &Instrument) {
        let status = u64::from(terms.status);
        if status != DELISTED {
            self.place[v].status = status;
            self.place[v].retick(terms.tick);
        } else if self.place[v].status != DELISTED {
            self.delist(now, v, venue);
        }
    }

    /// Forgets a venue: its positions are settled, its book is gone.
    fn delist(&mut self, now: Nanos, v: usize, venue: VenueId) {
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

    fn on_gap(&mut self, now: Nanos, v: usize, gap: &Gap) {
        if matches!(gap.stream, Stream::Book | Stream::All) {
            self.book[v].distrust();
        }
        if matches!(gap.stream, Stream::Liquidations | Stream::All) {
            self.calibration[v].lose(&self.inventory[v]);
        }
        if gap.stream != Stream::Book {
            self.place[v].gap_until = now.plus(GAP_SHOWN);
        }
        if v == self.slot() {
            self.streams.lose(gap.stream);
        }
    }

    /// A piece of the past. What does not fit is counted.
    #[cold]
    fn past(&mut self, now: Nanos, v: usize, event: &Event) {
        let (at, body) = (event.exch, &event.body());
        let own = v == self.slot();
        let place = &mut self.place[v];
        let fits = at > Nanos::ZERO && at <= now && place.status != DELISTED;
        let took = match body {
            _ if !fits || !place.takes_history(now) => false,
            Body::Bar(bar) => {
                self.load(now, v);
                self.place[v].history.bar(at, bar)
            }
            Body::Interest(interest) => {
                self.load(now, v);
                let (inventory, place) = (&mut self.inventory[v], &mut self.place[v]);
                let took = place.history.row(at, *interest, inventory, &place.params);
                self.check(at, v);
                took
            }
            Body::Funding(funding) => {
                if own {
                    self.streams.recall_funding(funding);
                }
                true
            }
            // On the tape, for those who fit offline.
            _ => true,
        };
        self.place[v].counts.late_history += u64::from(!took);
    }

    /// Begins to lay the past, or goes on. What the first live minute laid gives way: nearly all of it is prior.
    fn load(&mut self, now: Nanos, v: usize) {
        let place = &mut self.place[v];
        if place.history.loading == Nanos::ZERO {
            place.history.begin();
            place.live = Nanos::ZERO;
            self.inventory[v].clear();
        }
        place.history.loading = now;
    }

    /// The past is whole: the present takes over.
    fn loaded(&mut self, now: Nanos, v: usize) {
        let (inventory, place) = (&mut self.inventory[v], &mut self.place[v]);
        place.history.play(now, inventory, &place.params);
        place.history.loading = Nanos::ZERO;
        if place.mark.get() > 0 {
            inventory.mark(now, place.mark, &place.params);
        }
        if v == self.slot() {
            self.streams.recall(self.place[v].history.moves());
        }
        self.lay(now, v);
        // The past has no prints.
        self.calibration[v].lose(&self.inventory[v]);
    }

    /// After LAST of one of this symbol's frames; `booked` is the slot whose book it changed.
    pub(super) fn settle(&mut self, now: Nanos, booked: usize) {
        if booked == self.slot() {
            self.streams.book(now, &self.book[booked]);
        }
    }

    /// Ten milliseconds went by; `venues` are those of the plan, by slot.
    pub(super) fn tick(&mut self, now: Nanos, ticks: u64, symbol: u64, venues: &[VenueId]) {
        self.streams.tick(now);
        for (v, venue) in venues.iter().enumerate().take(VENUES) {
            let place = &mut self.place[v];
            if place.tiers_new != 0 {
                place.lay_tiers(&self.choice, manner(*venue));
            }
            let loading = place.history.loading;
            if loading == Nanos::ZERO {
                self.inventory[v].tick(now, &place.params);
                self.calibration[v].tick(now, &mut self.inventory[v], &place.params);
            } else if now.since(loading) >= LOADED_AFTER {
                self.loaded(now, v);
            }
        }
        if self.chosen == 0
            && self.first_mark != Nanos::ZERO
            && now.since(self.first_mark) >= WAIT
            && let Some(v) = self.first_marked()
        {
            self.refer(now, v);
        }
        let turn = ticks + symbol * 7;
        let due = turn.is_multiple_of(REFRESH_TICKS)
            || (self.swept != 0 && turn.is_multiple_of(SWEEP_TICKS));
        let seeded = self.inventory.iter().any(Inventory::is_seeded);
        if self.lived == 0 {
            let windows = Class::F.windows(0);
            let seen = self.streams.returns_known[windows[1].index()] != 0;
            self.lived = u64::from((seen || self.streams.has_recalled()) && seeded);
        }
        if due && seeded && self.own().mark.get() > 0 {
            self.swept = 0;
            for v in 0..venues.len().min(VENUES) {
                self.check(now, v);
            }
            self.remap(now);
        }
    }

    /// Mark of every slot for the map, 0 = leave it out.
    ///
    /// A venue that has fallen silent is carried along: its mark is the reference's at the distance the two last had,
    /// so its mass stays at its prices instead of moving with the market.
    fn marks(&self, now: Nanos) -> [Px; VENUES] {
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

    /// Readings of the map, and the zones that stand on them.
    fn remap(&mut self, now: Nanos) {
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

    /// True once a venue of the symbol has printed a liquidation.
    pub(super) fn prints(&self) -> bool {
        let heard = |place: &Place| place.heard[Kind::Liquidation as usize] != Nanos::ZERO;
        self.place.iter().any(heard)
    }

    /// Slots whose inventories are in the map.
    pub(super) fn mapped(&self) -> impl Iterator<Item = usize> {
        let venues = self.heatmap.venues;
        (0..VENUES).filter(move |v| venues & (1 << v) != 0)
    }

    /// Open interest of the venues in the map.
    fn mapped_interest(&self) -> Qty {
        self.mapped()
            .fold(Qty::ZERO, |sum, v| sum.plus(self.place[v].interest))
    }

    /// A share of each seeded inventory, weighted by its open interest; of the reference's when none is seeded.
    pub(super) fn weighed(&self, share: impl Fn(&Inventory) -> i64) -> i64 {
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
    pub(super) fn prior_share_e6(&self) -> i64 {
        self.weighed(Inventory::prior_share_e6)
    }

    /// Cards and bias, when due; true when a composite changed.
    pub(super) fn refresh(&mut self, now: Nanos, shared: u32) -> bool {
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

    /// Adds what this symbol has counted.
    pub(super) fn add_to(&self, tally: &mut super::Tally) {
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

    /// True when the reference delisted the contract and nobody stands in.
    pub(super) fn is_delisted(&self) -> bool {
        self.own().status == DELISTED
    }

    /// Reasons to trust this symbol less, now.
    pub(super) fn flags(&self, now: Nanos, shared: u32) -> u32 {
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
}

const _: () = assert!(
    size_of::<History>() < 32_000,
    "history is small beside the inventory it is laid into"
);
