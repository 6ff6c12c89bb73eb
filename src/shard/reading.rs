//! Readings: the shard's state as records, and as what signals see of the map. Copies and unit changes only.

use super::VENUES;
use super::room::Room;
use crate::bias;
use crate::health::flag;
use crate::heatmap::Heatmap;
use crate::inventory::Inventory;
use crate::market::{Holder, Side};
use crate::num::fixed::{ONE, mul_div};
use crate::num::log::{BUCKET, bucket_of, ln_q48, px_of_ln, return_q32};
use crate::num::{Px, Qty, Round, narrow};
use crate::shm::record::{
    CascadeRecord, EVENT_ALERT, EVENT_CAUSES, EVENT_LIFE, EventRecord, HEADLINE_MODEL_WORDS,
    HOT_ZONES, Headline, HotRecord, LADDER_BPS, LADDER_QUARTERS, MODES, MapRecord, MapView,
    ModeRecord, NO_E4, NO_SHARE, NO_USD, OddsRecord, WIDE_STAMPS, Wide, ZoneRecord, fnv_words,
    mode,
};
use crate::signal::view::{HeatReading, NODE_Q32, ZoneMass, ZoneReading};
use crate::signal::window::Window;
use crate::time::Nanos;
use crate::zone::cascade::{Depth, fall, of_path};
use crate::zone::odds::label;
use crate::zone::{Change, HOLDER_NONE, RELATIVE, Zone, Zones, cause};
use bytemuck::Zeroable as _;

const HEADLINE_WORDS: usize = size_of::<Headline>() / 8;
const WIDE_WORDS: usize = size_of::<Wide>() / 8;

/// The chain after a headline's model words.
pub(super) fn chain_headline(hash: u64, line: &Headline) -> u64 {
    let words: [u64; HEADLINE_WORDS] = bytemuck::cast(*line);
    fnv_words(hash, &words[..HEADLINE_MODEL_WORDS])
}

/// The chain after an event.
pub(super) fn chain_event(hash: u64, event: &EventRecord) -> u64 {
    let words: [u64; size_of::<EventRecord>() / 8] = bytemuck::cast(*event);
    fnv_words(hash, &words)
}

/// The chain after a wide record's model words (all but its stamps).
pub(super) fn chain_wide(hash: u64, wide: &Wide) -> u64 {
    let words: &[u64; WIDE_WORDS] = bytemuck::cast_ref(wide);
    let hash = fnv_words(hash, &words[..WIDE_STAMPS.start]);
    fnv_words(hash, &words[WIDE_STAMPS.end..])
}

/// The modes' horizons (scoring.md 0).
pub(super) const HORIZONS: [Window; MODES] = [Window::M1, Window::H1, Window::D1];
/// By whose variance the next of each is expected (decision 35): what was of the last quarter of an hour, of an hour,
/// of two days.
pub(super) const EXPECTED: [Window; MODES] = [Window::S10, Window::M1, Window::H1];
/// What each calls an approach: its middle window.
pub(super) const APPROACHES: [Window; MODES] = [Window::M1, Window::M5, Window::H4];

/// The map for signals.
pub(super) fn heat(now: Nanos, map: &Heatmap, mark: Px, interest: Qty, out: &mut HeatReading) {
    out.at = now;
    out.long_usd = map.total(Holder::Long).get();
    out.short_usd = map.total(Holder::Short).get();
    out.interest_usd = mark.notional(interest, Round::TowardZero).get();
    for holder in Holder::BOTH {
        for (mass, distance) in out.within[holder as usize].iter_mut().zip(NODE_Q32) {
            *mass = map.within(holder, distance).get();
        }
        let (index, usd) = map.heaviest(holder).unwrap_or_default();
        out.peak_distance_q32[holder as usize] = (index as i64).saturating_mul(BUCKET >> 16);
        out.peak_usd[holder as usize] = usd.get();
    }
}

/// The day mode's zones, for the signals of all modes.
pub(super) fn zones(zones: &Zones, mark: Px, out: &mut ZoneReading) {
    let way = |edge: Px| return_q32(mark.get(), edge.get());
    out.valid = 1;
    (out.above_q32, out.above_usd) = zones
        .nearest(mode::DAY, true)
        .map_or((i64::MAX, 0), |z| (way(z.low).max(0), z.usd));
    (out.below_q32, out.below_usd) = zones
        .nearest(mode::DAY, false)
        .map_or((i64::MAX, 0), |z| (way(z.high).min(0).abs(), z.usd));
    let above = zones
        .hot_above(mode::DAY)
        .iter()
        .map(|z| (way(z.low).max(0), z.usd));
    let below = zones
        .hot_below(mode::DAY)
        .iter()
        .map(|z| (way(z.high).min(0), z.usd));
    out.zones = [ZoneMass {
        distance_q32: 0,
        usd: 0,
    }; 16];
    for (room, (distance_q32, usd)) in out.zones.iter_mut().zip(above.chain(below)) {
        *room = ZoneMass { distance_q32, usd };
    }
}

/// Distance of a zone's near edge from the mark in hundredths of a basis point, 0 inside.
fn away(mark: Px, edge: Px, above: bool) -> i64 {
    let way = mark.centi_bps_to(edge).unwrap_or(0);
    if above {
        way.max(0)
    } else {
        way.min(0).saturating_abs()
    }
}

fn record(now: Nanos, mark: Px, zone: &Zone, above: bool, face: (u16, u16)) -> ZoneRecord {
    let (leverage, venues) = face;
    ZoneRecord {
        low_e10: zone.low.get(),
        high_e10: zone.high.get(),
        peak_e10: zone.peak.get(),
        usd: zone.usd,
        distance_bps_e2: away(mark, if above { zone.low } else { zone.high }, above),
        id: zone.id,
        age_s: (now.since(zone.born).get() / Nanos::SECOND.get()).clamp(0, u32::MAX.into()) as u32,
        kind: zone.kind,
        holder: zone.holder,
        place: u8::from(!above),
        state: zone.state,
        leverage,
        venues,
    }
}

/// The first zones of a list; `face` answers (leverage label, venues) of one.
fn records<const N: usize>(
    now: Nanos,
    mark: Px,
    from: &[Zone],
    above: bool,
    face: impl Fn(&Zone) -> (u16, u16),
) -> [ZoneRecord; N] {
    core::array::from_fn(|at| {
        let zone = from.get(at);
        zone.map_or_else(ZoneRecord::zeroed, |zone| {
            record(now, mark, zone, above, face(zone))
        })
    })
}

/// What is thought of them.
fn judged(from: &[Zone]) -> [OddsRecord; HOT_ZONES] {
    core::array::from_fn(|at| from.get(at).map_or_else(OddsRecord::zeroed, odds))
}

fn e4(q16: i64) -> u16 {
    mul_div(q16, 10_000, ONE).clamp(0, 10_000) as u16
}

fn e6(share: i64) -> u32 {
    share.clamp(0, u32::MAX.into()) as u32
}

impl Room {
    /// Distance to each mode's nearest hot zone above and below, as headlines say it.
    pub(super) fn reaches(&self) -> [[i32; 2]; MODES] {
        let mark = self.own().mark;
        let mut reach = [[NOWHERE; 2]; MODES];
        for (side, above) in [true, false].into_iter().enumerate() {
            let edges = [mode::SCALP, mode::DAY, mode::SWING].map(|mode| {
                let nearest = self.zones.nearest(mode, above);
                nearest.map(|zone| if above { zone.low } else { zone.high })
            });
            for (at, edge) in edges.iter().enumerate() {
                // The same place for most modes at most times, and a division each.
                let same = edges[..at].iter().position(|other| other == edge);
                reach[at][side] = match (same, edge) {
                    (Some(other), _) => reach[other][side],
                    (None, None) => NOWHERE,
                    (None, Some(edge)) => away(mark, *edge, above).min(NOWHERE.into()) as i32,
                };
            }
        }
        reach
    }

    /// The three headlines after a frame.
    pub(super) fn headlines(&self, now: Nanos, input_seq: u64) -> [Headline; MODES] {
        core::array::from_fn(|mode| {
            let score = self.scores.mode(mode);
            let [above_bps_e2, below_bps_e2] = self.reach[mode];
            Headline {
                input_seq,
                recv_ns: now.get(),
                mark_e10: self.own().mark.get(),
                bias: score.bias,
                confidence: score.confidence,
                verdict: score.verdict,
                state: score.state(),
                motion: score.motion(),
                skill: score.skill,
                p_up_e4: score.p_up_e4(),
                flags: score.flags,
                ttl_ms: TTL_MS[mode],
                above_bps_e2,
                below_bps_e2,
                publish_mono_ns: 0,
            }
        })
    }

    /// The bias of each mode without its liquidation signals.
    pub(super) fn without(&self) -> [i8; MODES] {
        core::array::from_fn(|mode| self.scores.bias_without(mode, bias::FORCED))
    }

    /// The leverage that the dominant class at a hot zone's peak means at the venue that has most there; 0 when there
    /// is none.
    fn leverage_of(&self, zone: &Zone) -> u16 {
        let holder = Holder::from_u8(zone.holder);
        let peak = bucket_of(zone.peak);
        let there = |v: usize| self.heatmap.bucket_of_venue(v, peak);
        let most = self
            .mapped()
            .max_by_key(|&v| self.inventory[v].hot(holder, there(v)).get());
        let face = most.and_then(|v| Some((v, self.inventory[v].face(holder, there(v))?)));
        match face {
            Some((v, (class, _))) => {
                let labels = &self.place[v].params.leverage_e2[holder as usize];
                let hundredths = labels.get(class).copied().unwrap_or(0);
                ((hundredths + 50) / 100).clamp(0, u16::MAX.into()) as u16
            }
            None => 0,
        }
    }

    /// Bit per slot that has at least [`VENUE_PART`] of a hot zone; of a zone that nobody has anything of any more,
    /// those of the map.
    fn venues_of(&self, zone: &Zone) -> u16 {
        let all = self.heatmap.venues as u16;
        if all.count_ones() < 2 || zone.holder == HOLDER_NONE {
            return all;
        }
        let holder = Holder::from_u8(zone.holder);
        let (bottom, top) = (i64::from(zone.bottom), i64::from(zone.top));
        let mut parts = [0i64; VENUES];
        for v in self.mapped() {
            for bucket in bottom..=top {
                let there = self.heatmap.bucket_of_venue(v, bucket);
                parts[v] = parts[v].saturating_add(self.inventory[v].hot(holder, there).get());
            }
        }
        let sum = |parts: [i64; VENUES]| parts.into_iter().fold(0, i64::saturating_add);
        if let Some((v, _)) = self.known() {
            // What is known position by position is in the zone, not in the model: the venue has what the others leave.
            parts[v] = 0;
            let all = mul_div(zone.usd, CENT_LOTS, zone.peak.get());
            parts[v] = all.saturating_sub(sum(parts)).max(0);
        }
        let whole = sum(parts);
        let bits = (0..VENUES).fold(0, |bits, v| {
            let counts = parts[v] > 0 && parts[v] >= whole / VENUE_PART;
            bits | u16::from(counts) << v
        });
        if bits == 0 { all } else { bits }
    }

    /// A mode's hot zones. What a zone is made of is the same for every mode: taken from `done` where that has it.
    fn hot(&self, now: Nanos, mode: usize, done: &[ZoneRecord]) -> HotRecord {
        let mark = self.own().mark;
        let face = |zone: &Zone| {
            let is_it = |of: &&ZoneRecord| {
                (of.low_e10, of.high_e10) == (zone.low.get(), zone.high.get())
                    && (of.peak_e10, of.usd, of.holder) == (zone.peak.get(), zone.usd, zone.holder)
            };
            let told = done.iter().find(is_it);
            told.map_or_else(
                || (self.leverage_of(zone), self.venues_of(zone)),
                |of| (of.leverage, of.venues),
            )
        };
        let (above, below) = (self.zones.hot_above(mode), self.zones.hot_below(mode));
        HotRecord {
            above: records(now, mark, above, true, face),
            below: records(now, mark, below, false, face),
            odds_above: judged(above),
            odds_below: judged(below),
        }
    }

    /// The whole map, as it is shown; `None` before a mark came.
    pub(super) fn map(&self, now: Nanos, input_seq: u64, shared: u32) -> Option<MapView<'_>> {
        let mark_e10 = self.own().mark.get();
        (mark_e10 > 0).then(|| MapView {
            input_seq,
            recv_ns: now.get(),
            mark_e10,
            bucket: self.heatmap.bucket(),
            liquidated: self.printed,
            venues: self.heatmap.venues as u32,
            flags: self.flags(now, shared),
            halves: [&self.heatmap.below_long, &self.heatmap.above_short],
        })
    }

    /// Everything about the symbol.
    pub(super) fn write_wide(&self, now: Nanos, input_seq: u64, shared: u32, wide: &mut Wide) {
        let (slot, own) = (self.slot(), self.own());
        let touch = |side| {
            self.book[slot]
                .best(side)
                .map_or(0, |rung| rung.price.get())
        };
        wide.input_seq = input_seq;
        wide.recv_ns = now.get();
        wide.exch_ns = self.exch.get();
        wide.reference = slot as u8 + 1;
        wide.mark_e10 = own.mark.get();
        wide.last_e10 = own.last.get();
        wide.index_e10 = own.index.get();
        wide.bid_e10 = touch(Side::Buy);
        wide.ask_e10 = touch(Side::Sell);
        wide.interest_e6 = own.interest.get();
        wide.funding_e12 = own.funding_e12;
        wide.funding_next_ns = own.funding_next.get();
        let has_map = self.heatmap.venues != 0;
        [wide.long_usd, wide.short_usd] = Holder::BOTH.map(|holder| {
            let total = self.heatmap.total(holder).get();
            if has_map { total } else { NO_USD }
        });
        let inert = |held: &Inventory| {
            let [long, short] = Holder::BOTH.map(|holder| held.inert_share_e6(holder));
            (long + short) / 2
        };
        let is_seeded = self.inventory.iter().any(Inventory::is_seeded);
        let of_interest = |share: i64| if is_seeded { e6(share) } else { NO_SHARE };
        wide.inert_share_e6 = of_interest(self.weighed(inert));
        wide.prior_share_e6 = of_interest(self.prior_share_e6());
        wide.oi_residual_e6 = of_interest(self.weighed(Inventory::residual_e6));
        wide.sigma_1h_q32 = self.streams.sigma(Window::H1);
        wide.ages = self.streams.ages(now);
        wide.flags = self.flags(now, shared);
        for (mode, room) in wide.mode.iter_mut().enumerate() {
            let score = self.scores.mode(mode);
            *room = ModeRecord {
                bias: score.bias,
                confidence: score.confidence,
                verdict: score.verdict,
                state: score.state(),
                motion: score.motion(),
                skill: score.skill,
                p_up_e4: score.p_up_e4(),
                agreement_e4: e4(score.agreement.into()),
                bss_e4: 0,
                effective_labels: 0,
                flags: score.flags,
                ttl_ms: TTL_MS[mode],
                categories: score.categories(),
                spare: [0; 3],
                run_touches: u32::try_from(self.zones.lessons(mode).touches).unwrap_or(u32::MAX),
                model_hash: self.model_hash,
            };
            wide.flags |= score.flags & flag::WARMING;
        }
        let day = self.hot(now, mode::DAY, &[]);
        let done = [day.above, day.below];
        wide.scalp = self.hot(now, mode::SCALP, done.as_flattened());
        wide.swing = self.hot(now, mode::SWING, done.as_flattened());
        [wide.hot_above, wide.hot_below] = done;
        (wide.odds_above, wide.odds_below) = (day.odds_above, day.odds_below);
        let cold = |zone: &Zone| (0, self.venues_of(zone));
        let (above, below) = (self.zones.cold_above(), self.zones.cold_below());
        wide.cold_above = records(now, own.mark, above, true, cold);
        wide.cold_below = records(now, own.mark, below, false, cold);
        wide.map = if self.heatmap.venues == 0 {
            MapRecord::ABSENT
        } else {
            self.map
        };
        wide.map.coverage_e6 = self.coverage_e6();
        wide.publish_mono_ns = 0;
    }
}

/// What is thought of a zone; one that was swept, or not looked at yet, is not judged.
fn odds(zone: &Zone) -> OddsRecord {
    let known = zone.label != label::NONE && zone.is_live();
    let share = |q16: i32| if known { e4(q16.into()) } else { NO_E4 };
    OddsRecord {
        p_touch_e4: share(zone.odds.touch),
        p_run_e4: share(zone.odds.run),
        kappa_e4: share(zone.odds.kappa),
        label: if known { zone.label } else { label::NONE },
        relative: u8::from(zone.flags & RELATIVE != 0),
        rank_e4: if known {
            e4(zone.odds.rank.into()).into()
        } else {
            0
        },
        heat_e4: many_e4(zone.heat),
    }
}

/// A factor of 1e-4 that may be above one, below what stands for "not known".
fn many_e4(q16: i64) -> u32 {
    mul_div(q16, 10_000, ONE).clamp(0, i64::from(NO_SHARE) - 1) as u32
}

/// Log distance, Q32, of a move of the mark by so many basis points up and down.
const fn moves(way: i64) -> [i64; LADDER_BPS.len()] {
    let mut all = [0; LADDER_BPS.len()];
    let mut at = 0;
    while at < all.len() {
        let moved = ln_q48(10_000 + way * LADDER_BPS[at]) - ln_q48(10_000);
        all[at] = (way * moved) >> 16;
        at += 1;
    }
    all
}
const UP: [i64; LADDER_BPS.len()] = moves(1);
const DOWN: [i64; LADDER_BPS.len()] = moves(-1);

impl Room {
    /// What a venue has of a holder's notional: of its model, and of the positions that are known there.
    fn part(&self, holder: Holder, v: usize) -> i64 {
        let known = self.known().filter(|(at, _)| *at == v);
        let known = known.map_or(0, |_| self.heatmap.known(holder).get());
        self.heatmap.part(holder, v).get().saturating_add(known)
    }

    /// Share of the map that is the reference's, Q16; 0 while it has none.
    pub(super) fn own_share(&self) -> i64 {
        let part = |holder| self.part(holder, self.slot());
        let all = |holder| self.heatmap.total(holder).get();
        let [part, all] = [
            Holder::BOTH
                .map(part)
                .into_iter()
                .fold(0, i64::saturating_add),
            Holder::BOTH
                .map(all)
                .into_iter()
                .fold(0, i64::saturating_add),
        ];
        mul_div(part, ONE, all)
    }

    /// Readings of the map as it stands; `sigma` is one hour's.
    pub(super) fn readings(&self, sigma: i64, depth: &[Depth; 2]) -> MapRecord {
        let (map, mut record) = (&self.heatmap, MapRecord::ABSENT);
        if map.venues == 0 {
            return record;
        }
        // What is known is what it is; only a model has a band.
        let interval = |holder: Holder| {
            self.mapped().fold([map.known(holder).get(); 2], |sums, v| {
                let part = map.part(holder, v).get();
                let band = self.inventory[v].band_q16(holder);
                core::array::from_fn(|at| sums[at].saturating_add(mul_div(part, band[at], ONE)))
            })
        };
        record.long_interval_usd = interval(Holder::Long);
        record.short_interval_usd = interval(Holder::Short);
        record.ladder_up_usd = UP.map(|way| map.within(Holder::Short, way).get());
        record.ladder_down_usd = DOWN.map(|way| map.within(Holder::Long, way).get());
        if sigma > 0 {
            let way = |quarters: i64| narrow(i128::from(sigma) * i128::from(quarters) / 4);
            let of = |holder| LADDER_QUARTERS.map(|steps| map.within(holder, way(steps)).get());
            record.ladder_up_sigma_usd = of(Holder::Short);
            record.ladder_down_sigma_usd = of(Holder::Long);
        }
        if let Some((holder, at, _)) = map.densest() {
            record.max_pain_e10 = map.price(holder, at).get();
        }
        record.cascade_up = self.cascade(Holder::Short, &depth[0], sigma);
        record.cascade_down = self.cascade(Holder::Long, &depth[1], sigma);
        let all = Holder::BOTH.map(|holder| map.total(holder).get());
        let all = all[0].saturating_add(all[1]);
        for v in self.mapped() {
            let part = Holder::BOTH.map(|holder| self.part(holder, v));
            let part = part[0].saturating_add(part[1]);
            record.venue_share_e4[v] = mul_div(part, 10_000, all).clamp(0, 10_000) as u16;
        }
        record
    }

    fn cascade(&self, holder: Holder, depth: &Depth, sigma: i64) -> CascadeRecord {
        let mut record = CascadeRecord::ABSENT;
        if self.prints() {
            record.state = self.live[holder as usize].state();
        }
        let (above, share) = (holder == Holder::Short, self.own_share());
        if let Some(gain) = of_path(self.heatmap.half(holder), depth, sigma, share) {
            record.path_gain_e4 = many_e4(gain);
        }
        let Some(zone) = self.zones.nearest(mode::DAY, above) else {
            return record;
        };
        record.zone = zone.id;
        let cells = zone.cells_from(self.own().mark);
        if share == 0 {
            return record;
        }
        let on = self.onward[holder as usize].cells(sigma);
        if let Some(fall) = fall(self.heatmap.half(holder), depth, cells, zone.usd, share, on) {
            let bucket = self.heatmap.bucket();
            let end = if above {
                bucket.saturating_add(fall.end as i64)
            } else {
                bucket.saturating_add(1).saturating_sub(fall.end as i64)
            };
            record.end_e10 = px_of_ln(end.saturating_mul(BUCKET)).get();
            record.gain_e4 = many_e4(fall.gain);
            record.usd = fall.usd;
            record.beyond = u8::from(fall.beyond);
        }
        record
    }

    /// The event of a change of a zone, without its number.
    pub(super) fn event(&self, symbol: usize, change: &Change) -> EventRecord {
        let judged = |q16: i32| if q16 < 0 { NO_E4 } else { e4(q16.into()) };
        EventRecord {
            number: 0,
            recv_ns: change.at.get(),
            mark_e10: self.own().mark.get(),
            usd: change.usd,
            executed_usd: if self.prints() {
                change.executed
            } else {
                NO_USD
            },
            zone: change.id,
            symbol: symbol as u16,
            kind: if change.cause == cause::EDGE {
                EVENT_ALERT
            } else {
                EVENT_LIFE
            },
            holder: change.holder,
            from: change.from,
            to: change.to,
            cause: change.cause,
            outcome: change.outcome,
            p_touch_e4: judged(change.predicted[0]),
            p_run_e4: judged(change.predicted[1]),
        }
    }
}

/// No hot zone on that side.
pub(super) const NOWHERE: i32 = i32::MAX;

/// A cent at a price of one, in the units of `Qty` and `Px`: 1e-2 of 1e6 times 1e10.
const CENT_LOTS: i64 = 100_000_000_000_000;

/// A venue with less than this part of a zone is not said to contribute: five percent.
const VENUE_PART: i64 = 20;

/// A headline older than this is dead, per mode: four sampling steps of its fast window.
const TTL_MS: [u32; MODES] = [2_500, 15_000, 900_000];

// The page names causes as the zones number them; `tests/map_readings.rs` holds each to its name.
const _: () = assert!(EVENT_CAUSES.len() == cause::EDGE as usize + 1);
