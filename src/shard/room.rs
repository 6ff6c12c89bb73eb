//! Room: one symbol's state, and what each event does to it.

use super::VENUES;
use super::reading;
use crate::arena::Bounded;
use crate::bias::Scores;
use crate::book::Book;
use crate::event::{Body, Event, Gap, Kind, Stream, Tier};
use crate::health::flag;
use crate::heatmap::Heatmap;
use crate::inventory::Inventory;
use crate::inventory::params::{Choice, Params};
use crate::market::VenueId;
use crate::num::fixed::{ONE, mul_div};
use crate::num::{Px, Qty, Usd};
use crate::shm::record::Wide;
use crate::signal::Class;
use crate::signal::streams::Streams;
use crate::signal::view::{HeatReading, View, ZoneReading};
use crate::time::Nanos;
use crate::zone::{Heat, Zones};
use bytemuck::{Pod, Zeroable};

/// Rows of a margin table kept. Bybit's longest has 30.
const TIERS: usize = 48;
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

/// One symbol. All zeros is "nothing heard"; `params` are set when the shard is built.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Room {
    pub(super) choice: Choice,
    /// Hash of the model in force: the plan's parameters and the signals' rows.
    pub(super) model_hash: u64,
    pub(super) params: Params,
    pub(super) book: [Book; VENUES],
    pub(super) inventory: [Inventory; VENUES],
    pub(super) streams: Streams,
    pub(super) heatmap: Heatmap,
    pub(super) zones: Zones,
    pub(super) scores: Scores,
    heat: HeatReading,
    zoned: ZoneReading,
    tiers: Bounded<Row, TIERS>,
    /// The record last published.
    pub(super) wide: Wide,
    /// Distance of the nearest hot zone above and below in 1e-2 bp, `i32::MAX` = none: what every headline says and
    /// only a mark or a refresh of the zones changes. `NOWHERE` when the shard is built.
    pub(super) reach: [i32; 2],
    pub(super) mark: Px,
    pub(super) last: Px,
    pub(super) index: Px,
    tick: Px,
    pub(super) interest: Qty,
    pub(super) funding_e12: i64,
    pub(super) funding_next: Nanos,
    pub(super) exch: Nanos,
    /// When the map was first seeded.
    seeded: Nanos,
    /// A gap of trades, ticker or prints is shown until.
    gap_until: Nanos,
    /// 1 when something changed since the last wide record.
    pub(super) changed: u64,
    /// 1 once it was heard long enough to be answered for: mark, seeded map, two of the fastest mode's windows.
    pub(super) lived: u64,
    /// Margin rows that found no room.
    rows_full: u64,
    /// 1 when margin rows came since the last tick.
    tiers_new: u64,
    /// 1 when a sweep asks for a refresh of the map's readings.
    swept: u64,
    /// Conservation checks that failed, each followed by a re-seed.
    broken: u64,
}

impl Room {
    /// Applies one event that speaks of this symbol.
    #[inline]
    pub(super) fn apply(&mut self, now: Nanos, event: &Event, body: &Body) {
        self.changed = 1;
        self.exch = self.exch.max(event.exch);
        match body {
            Body::Level(level) => self.book[0].apply(level, event.bits),
            Body::Trade(trade) => {
                self.last = trade.price;
                self.streams.trade(now, trade);
                self.inventory[0].trade(trade.price, trade.qty);
            }
            Body::Mark(mark) => self.on_mark(now, *mark),
            Body::Index(index) => {
                self.index = *index;
                self.streams.index(now, *index);
            }
            Body::Funding(funding) => {
                self.funding_e12 = funding.rate_e12;
                self.funding_next = funding.next;
                self.streams.funding(now, funding);
            }
            Body::Interest(interest) => self.on_interest(now, *interest),
            Body::Liquidation(print) => {
                self.streams.liquidation(now, print);
                let (holder, price, qty) = (print.holder, print.price, print.qty);
                self.inventory[0].liquidation(now, holder, price, qty, &self.params);
            }
            Body::Instrument(terms) => self.tick = terms.tick,
            Body::Tier(tier) => self.on_tier(tier),
            Body::Gap(gap) => self.on_gap(now, gap),
            Body::Bbo(_) => self.streams.confirm(now),
            // Heard and kept on the tape; their models come with their venues.
            Body::Ratio(_)
            | Body::Series(_)
            | Body::Bar(_)
            | Body::Account(_)
            | Body::Position(_)
            | Body::Total(_)
            | Body::Tick
            | Body::Connect(_)
            | Body::Disconnect(_) => {}
        }
    }

    fn on_mark(&mut self, now: Nanos, mark: Px) {
        self.mark = mark;
        self.streams.mark(now, mark);
        if self.inventory[0].mark(now, mark, &self.params) {
            self.swept = 1;
        }
        self.zones.mark(now, mark);
        self.reach = self.reaches();
    }

    fn on_interest(&mut self, now: Nanos, interest: Qty) {
        self.interest = interest;
        self.streams.interest(now, interest);
        // Seeding needs a mark to lie around.
        if self.mark.get() > 0 {
            self.inventory[0].interest(now, interest, &self.params);
            if self.seeded == Nanos::ZERO && self.inventory[0].is_seeded() {
                self.seeded = now;
            }
            self.check(now);
        }
    }

    /// A mismatch is counted and re-seeded, never an abort (heatmap.md 2.1).
    fn check(&mut self, now: Nanos) {
        if !self.inventory[0].conserved() {
            self.broken += 1;
            self.inventory[0].reseed(now, &self.params);
        }
    }

    fn on_tier(&mut self, tier: &Tier) {
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
        // LIMIT: rows beyond the table are for positions that nobody's prior mix contains.
        self.rows_full += u64::from(!self.tiers.push(row));
        // The table is laid when it is whole: at the next tick, whatever frame it came in.
        self.tiers_new = 1;
    }

    /// Lays the leverage mix through a margin table that has just come.
    fn lay_tiers(&mut self, venue: VenueId) {
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
        self.params = Params::chosen(&self.choice, super::rule(venue), known);
    }

    fn on_gap(&mut self, now: Nanos, gap: &Gap) {
        if matches!(gap.stream, Stream::Book | Stream::All) {
            self.book[0].distrust();
        }
        if gap.stream != Stream::Book {
            self.gap_until = now.plus(GAP_SHOWN);
        }
        self.streams.lose(gap.stream);
    }

    /// After LAST of one of this symbol's frames.
    pub(super) fn settle(&mut self, now: Nanos, event: &Event) {
        if event.kind() == Kind::Level {
            self.streams.book(now, &self.book[0]);
        }
    }

    /// Ten milliseconds went by.
    pub(super) fn tick(&mut self, now: Nanos, ticks: u64, symbol: u64, venue: VenueId) {
        if self.tiers_new != 0 {
            self.lay_tiers(venue);
        }
        self.streams.tick(now);
        self.inventory[0].tick(now, &self.params);
        let turn = ticks + symbol * 7;
        let due = turn.is_multiple_of(REFRESH_TICKS)
            || (self.swept != 0 && turn.is_multiple_of(SWEEP_TICKS));
        if self.lived == 0 {
            let windows = Class::F.windows(0);
            let seen = self.streams.returns_known[windows[1].index()] != 0;
            self.lived = u64::from(seen && self.inventory[0].is_seeded());
        }
        if due && self.mark.get() > 0 && self.inventory[0].is_seeded() {
            self.swept = 0;
            self.check(now);
            self.remap(now);
        }
    }

    /// Readings of the map, and the zones that stand on them.
    fn remap(&mut self, now: Nanos) {
        self.changed = 1;
        self.heatmap
            .refresh(now, &self.inventory, &[self.mark; VENUES]);
        let heat = Heat {
            mark: self.mark,
            below_long: &self.heatmap.below_long,
            above_short: &self.heatmap.above_short,
        };
        let (hour, tau) = reading::sigmas(&self.streams);
        self.zones.refresh(now, &heat, hour, tau, self.tick);
        // Timers of zones run on marks; a mark that stands still must not stop them.
        self.zones.mark(now, self.mark);
        self.zones.clear_changes();
        let prior = self.inventory[0].prior_share_e6();
        reading::heat(now, &self.heatmap, self.mark, self.interest, &mut self.heat);
        let lived = now.since(self.seeded) >= LIVE_AFTER;
        self.heat.observed = mul_div(1_000_000 - prior, ONE, 1_000_000);
        self.heat.valid = u64::from(lived && prior <= PRIOR_MAX_E6);
        reading::zones(&self.zones, self.mark, &mut self.zoned);
        self.reach = self.reaches();
    }

    /// Cards and bias, when due; true when a composite changed.
    pub(super) fn refresh(&mut self, now: Nanos, shared: u32) -> bool {
        // Flags and view are for the scores alone, and most frames come between two steps of theirs.
        if !self.scores.is_due(now) {
            return false;
        }
        let flags = self.flags(now, shared);
        let mut view = View::new(now, &self.book, &self.streams, &self.heat, &self.zoned);
        view.confidence_max = if flags & flag::PRIOR != 0 {
            0
        } else {
            100 - mul_div(self.inventory[0].prior_share_e6(), 100, 1_000_000)
        };
        self.scores.refresh(now, &view, flags)
    }

    /// Adds what this symbol has counted.
    pub(super) fn add_to(&self, tally: &mut super::Tally) {
        let (book, inventory) = (&self.book[0], &self.inventory[0]);
        tally.crossed += book.crossed;
        tally.reseeds += self.broken;
        tally.table_full += book.dropped + inventory.merged + self.rows_full;
        tally.saturated += self.scores.cards().saturated + self.zones.clipped + inventory.unclosed;
    }

    /// Reasons to trust this symbol less, now.
    pub(super) fn flags(&self, now: Nanos, shared: u32) -> u32 {
        let ages = self.streams.ages(now);
        let prior = self.inventory[0].prior_share_e6() > PRIOR_MAX_E6;
        let mut bits = shared | flag::LEARNING | flag::UNPROVEN;
        for (wrong, bit) in [
            (!self.book[0].is_trusted(), flag::BOOK_UNTRUSTED),
            (now < self.gap_until, flag::GAP),
            (self.params.tiers_assumed != 0, flag::TIERS_ASSUMED),
            (true, flag::RELATIVE),
            (prior || !self.inventory[0].is_seeded(), flag::PRIOR),
            (ages.mark_ms > MARK_TTL_MS, flag::MARK_STALE),
            (ages.interest_ms > INTEREST_TTL_MS, flag::INTEREST_STALE),
            (ages.trade_ms > TRADE_TTL_MS, flag::TRADES_STALE),
        ] {
            if wrong {
                bits |= bit;
            }
        }
        bits
    }
}
