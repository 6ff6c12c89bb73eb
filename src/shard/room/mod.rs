//! Room: one symbol's state over its venues, and what each event does to it.
//!
//! A venue has a *slot* by the plan's order: its book, its inventory, its place. One slot is the symbol's *reference*:
//! its mark, book, trades, funding and interest drive the streams and are what the records say, and the map is laid
//! in its price. The first venue of the plan is that as soon as it gives a mark; when it has given none ten seconds
//! after another has, the first in plan order that has takes its part. Once chosen it stays, through silence and
//! disconnects (the flags say so), until it delists the contract; then the next in order that has a mark follows, and
//! the streams begin anew. Prints of every venue feed the streams, and the map adds every inventory.
//!
//! What an event does stands here, with the state; `reference` says whose market the symbol is and what goes with it,
//! `map` what is read of the inventories once a second, `flags` how far all of it is to be trusted.

mod flags;
mod map;
mod reference;

use super::history::History;
use super::place::{Belief, DELISTED, Place};
use super::{VENUES, manner};
use crate::bias::Scores;
use crate::book::Book;
use crate::calibrate::{self, Calibration};
use crate::event::{Bar, Body, Event, Gap, HISTORY, Instrument, Kind, Position, Stream};
use crate::heatmap::Heatmap;
use crate::inventory::Inventory;
use crate::inventory::candle::Candle;
use crate::inventory::exact::Exact;
use crate::inventory::params::Choice;
use crate::market::VenueId;
use crate::num::log::ln_px;
use crate::num::{Px, Qty, Round};
use crate::shm::record::{MODES, MapRecord, Wide};
use crate::signal::Class;
use crate::signal::streams::Streams;
use crate::signal::view::{HeatReading, ZoneReading};
use crate::time::{Nanos, TICK};
use crate::zone::Zones;
use crate::zone::cascade::Live;
use crate::zone::onward::Onward;
use crate::zone::structure::Structure;
use bytemuck::{Pod, Zeroable};

/// Ticks between refreshes of map readings and zones: a second.
const REFRESH_TICKS: u64 = 100;
/// Ticks between refreshes on a sweep.
const SWEEP_TICKS: u64 = 10;
/// A gap of a stream that no snapshot heals stays flagged this long.
const GAP_SHOWN: Nanos = Nanos::MINUTE;
/// Time to live of the mark (scoring.md 6).
const MARK_TTL_MS: u32 = 5_000;
/// Above this share of prior mass the map has nothing of its own to say.
const PRIOR_MAX_E6: i64 = 900_000;
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
    pub(super) seeded: Nanos,
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
            Body::Bar(bar) => self.on_bar(now, v, event.exch, bar),
            // Heard and kept on the tape; their models come with their venues.
            Body::Ratio(_)
            | Body::Series(_)
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

    #[inline]
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

    /// What traded in a period that has just ended, where nothing finer tells it: the inventory walks it, and the close
    /// is a mark. Bars begun before the last trade or within the last bar are passed over: those have told it.
    #[cold]
    fn on_bar(&mut self, now: Nanos, v: usize, start: Nanos, bar: &Bar) {
        let place = &self.place[v];
        if place.heard[Kind::Trade as usize].max(place.history.until()) > start {
            return;
        }
        // Shard time stands at the tick before what is being told.
        let over = |candle: &Candle| candle.end < now.plus(TICK);
        let Some(candle) = Candle::of(start, bar).filter(over) else {
            self.place[v].counts.late_history += 1;
            return;
        };
        self.place[v].history.bar(candle);
        if self.is_open(v) && self.inventory[v].candle(&candle, &self.place[v].params) {
            self.swept = 1;
        }
        if v == self.slot() {
            candle.walk(|step| self.structure.trade(step.at, step.price, step.qty));
            for turn in candle.turns() {
                self.zones.mark(now, turn);
            }
        }
        self.on_mark(now, v, candle.close);
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

    #[inline]
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
            Body::Bar(bar) => match Candle::of(at, bar) {
                Some(candle) => {
                    self.load(now, v);
                    self.place[v].history.bar(candle)
                }
                None => false,
            },
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
        self.stand_in(now);
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
}

const _: () = assert!(
    size_of::<History>() < 32_000,
    "history is small beside the inventory it is laid into"
);
