//! Readings: the shard's state as records, and as what signals see of the map. Copies and unit changes only.

use super::room::Room;
use crate::health::flag;
use crate::heatmap::Heatmap;
use crate::market::{Holder, Side};
use crate::num::fixed::{ONE, mul_div};
use crate::num::log::{BUCKET, bucket_of, return_q32};
use crate::num::{Px, Qty, Round};
use crate::shm::record::{
    HEADLINE_MODEL_WORDS, Headline, MODES, ModeRecord, Wide, ZoneRecord, fnv_words,
};
use crate::signal::streams::Streams;
use crate::signal::view::{HeatReading, NODE_Q32, ZoneMass, ZoneReading};
use crate::signal::window::Window;
use crate::time::Nanos;
use crate::zone::{Zone, Zones};

const HEADLINE_WORDS: usize = size_of::<Headline>() / 8;
const WIDE_WORDS: usize = size_of::<Wide>() / 8;

/// The chain after a headline's model words.
pub(super) fn chain_headline(hash: u64, line: &Headline) -> u64 {
    let words: [u64; HEADLINE_WORDS] = bytemuck::cast(*line);
    fnv_words(hash, &words[..HEADLINE_MODEL_WORDS])
}

/// The chain after a wide record's model words (all but the publish stamp, its last).
pub(super) fn chain_wide(hash: u64, wide: &Wide) -> u64 {
    let words: &[u64; WIDE_WORDS] = bytemuck::cast_ref(wide);
    fnv_words(hash, &words[..WIDE_WORDS - 1])
}

/// Volatility of one hour, and of the day mode's horizon (one hour too), Q32.
pub(super) fn sigmas(streams: &Streams) -> (i64, i64) {
    let hour = streams.sigma(Window::H1);
    (hour, hour)
}

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

/// The zones for signals.
pub(super) fn zones(zones: &Zones, mark: Px, out: &mut ZoneReading) {
    let way = |edge: Px| return_q32(mark.get(), edge.get());
    out.valid = 1;
    (out.above_q32, out.above_usd) = zones
        .nearest(true)
        .map_or((i64::MAX, 0), |z| (way(z.low).max(0), z.usd));
    (out.below_q32, out.below_usd) = zones
        .nearest(false)
        .map_or((i64::MAX, 0), |z| (way(z.high).min(0).abs(), z.usd));
    let above = zones.hot_above().iter().map(|z| (way(z.low).max(0), z.usd));
    let below = zones
        .hot_below()
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
fn away(mark: Px, zone: &Zone, above: bool) -> i64 {
    let edge = if above { zone.low } else { zone.high };
    let way = mark.centi_bps_to(edge).unwrap_or(0);
    if above {
        way.max(0)
    } else {
        way.min(0).saturating_abs()
    }
}

fn record(now: Nanos, mark: Px, zone: &Zone, above: bool) -> ZoneRecord {
    ZoneRecord {
        low_e10: zone.low.get(),
        high_e10: zone.high.get(),
        peak_e10: zone.peak.get(),
        usd: zone.usd,
        distance_bps_e2: away(mark, zone, above),
        id: zone.id,
        age_s: (now.since(zone.born).get() / Nanos::SECOND.get()).clamp(0, u32::MAX.into()) as u32,
        kind: zone.kind,
        holder: zone.holder,
        place: u8::from(!above),
        state: zone.state,
        leverage: 0,
        venues: 1,
    }
}

fn fill(now: Nanos, mark: Px, from: &[Zone], above: bool, to: &mut [ZoneRecord]) {
    for (place, room) in to.iter_mut().enumerate() {
        *room = from
            .get(place)
            .map_or_else(bytemuck::Zeroable::zeroed, |zone| {
                record(now, mark, zone, above)
            });
    }
}

fn e4(q16: i64) -> u16 {
    mul_div(q16, 10_000, ONE).clamp(0, 10_000) as u16
}

fn e6(share: i64) -> u32 {
    share.clamp(0, u32::MAX.into()) as u32
}

impl Room {
    /// Distance to the nearest hot zone above and below, as headlines say it.
    pub(super) fn reaches(&self) -> [i32; 2] {
        [true, false].map(|above| {
            self.zones.nearest(above).map_or(NOWHERE, |z| {
                away(self.mark, z, above).min(NOWHERE.into()) as i32
            })
        })
    }

    /// The three headlines after a frame.
    pub(super) fn headlines(&self, now: Nanos, input_seq: u64) -> [Headline; MODES] {
        let [above_bps_e2, below_bps_e2] = self.reach;
        core::array::from_fn(|mode| {
            let score = self.scores.mode(mode);
            Headline {
                input_seq,
                recv_ns: now.get(),
                mark_e10: self.mark.get(),
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

    /// The leverage that the dominant class at a hot zone's peak means at the venue; 0 when there is none.
    fn leverage_of(&self, zone: &ZoneRecord) -> u16 {
        let peak = bucket_of(Px::new(zone.peak_e10));
        let face = self.inventory[0].face(Holder::from_u8(zone.holder), peak);
        match face {
            Some((class, _)) if zone.high_e10 != 0 => {
                let hundredths = self.params.leverage_e2.get(class).copied().unwrap_or(0);
                (hundredths / 100).clamp(0, u16::MAX.into()) as u16
            }
            _ => 0,
        }
    }

    /// Everything about the symbol.
    pub(super) fn write_wide(&self, now: Nanos, input_seq: u64, shared: u32, wide: &mut Wide) {
        let touch = |side| self.book[0].best(side).map_or(0, |rung| rung.price.get());
        wide.input_seq = input_seq;
        wide.recv_ns = now.get();
        wide.exch_ns = self.exch.get();
        wide.mark_e10 = self.mark.get();
        wide.last_e10 = self.last.get();
        wide.index_e10 = self.index.get();
        wide.bid_e10 = touch(Side::Buy);
        wide.ask_e10 = touch(Side::Sell);
        wide.interest_e6 = self.interest.get();
        wide.funding_e12 = self.funding_e12;
        wide.funding_next_ns = self.funding_next.get();
        wide.long_usd = self.heatmap.total(Holder::Long).get();
        wide.short_usd = self.heatmap.total(Holder::Short).get();
        let inventory = &self.inventory[0];
        let inert = Holder::BOTH.map(|holder| inventory.inert_share_e6(holder));
        wide.inert_share_e6 = e6((inert[0] + inert[1]) / 2);
        wide.prior_share_e6 = e6(inventory.prior_share_e6());
        wide.oi_residual_e6 = e6(inventory.residual_e6());
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
                spare: [0; 7],
                model_hash: self.model_hash,
            };
            wide.flags |= score.flags & flag::WARMING;
        }
        let (mark, zones) = (self.mark, &self.zones);
        let label = |zone: &ZoneRecord| self.leverage_of(zone);
        fill(now, mark, zones.hot_above(), true, &mut wide.hot_above);
        fill(now, mark, zones.hot_below(), false, &mut wide.hot_below);
        fill(now, mark, zones.cold_above(), true, &mut wide.cold_above);
        fill(now, mark, zones.cold_below(), false, &mut wide.cold_below);
        for zone in wide.hot_above.iter_mut().chain(&mut wide.hot_below) {
            zone.leverage = label(zone);
        }
        wide.publish_mono_ns = 0;
    }
}

/// No hot zone on that side.
pub(super) const NOWHERE: i32 = i32::MAX;

/// A headline older than this is dead, per mode: four sampling steps of its fast window.
const TTL_MS: [u32; MODES] = [2_500, 15_000, 900_000];
