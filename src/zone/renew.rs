//! Renewal: clusters and corridors of a refresh become zones, and zones keep who they are.
//!
//! A cluster that shares at least half of the narrower one's buckets with an old zone is that zone; the pairs with most
//! in common first. A zone that no cluster continues is held while a quarter of its mass at birth still lies in its
//! place and no cluster has taken half of that: hot is where a zone begins, not where it ends. Who is there stays until
//! a newcomer is a quarter heavier. Buckets 2 bp, money cents. Invariants: live zones of a side never overlap, no
//! identity is given twice, a zone in which the mark stands waits for its outcome.

use super::cluster::{self, Cluster};
use super::density::{self, Limits};
use super::life::PACES;
use super::{COLD, HOLDER_NONE, HOT, KIND_COLD, Past, Zone, Zones, cause, state};
use crate::market::Holder;
use crate::num::log::{BUCKET, px_of_ln};
use crate::num::{Px, fixed};
use crate::shm::record::{MODES, mode};
use crate::time::Nanos;
use bytemuck::Zeroable;
use core::cmp::Reverse;

/// One side of the map as a refresh reads it: its cells, where they lie, and what counts there.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) raw: &'a [i64],
    /// The same, smoothed.
    pub(super) cells: &'a [i64],
    pub(super) limits: &'a Limits,
    /// Bucket of cell 0.
    pub(super) origin: i64,
    pub(super) holder: Holder,
}

impl Side<'_> {
    /// The bucket of a cell.
    fn bucket(&self, cell: usize) -> i32 {
        let way = cell as i64;
        // A price has 63 bits, so its bucket is below 2^18.
        match self.holder {
            Holder::Long => (self.origin - way) as i32,
            Holder::Short => (self.origin + way) as i32,
        }
    }

    /// The cells between two buckets, as a range of `raw`.
    fn range(&self, zone: &Zone) -> core::ops::Range<usize> {
        let (near, far) = match self.holder {
            Holder::Long => (
                self.origin - i64::from(zone.top),
                self.origin - i64::from(zone.bottom),
            ),
            Holder::Short => (
                i64::from(zone.bottom) - self.origin,
                i64::from(zone.top) - self.origin,
            ),
        };
        let end = (far + 1).clamp(0, self.raw.len() as i64) as usize;
        (near.max(0) as usize).min(end)..end
    }

    /// The price `way` (Q16 cells) outwards from the middle of cell 0.
    fn price(&self, way: i64) -> Px {
        let out = fixed::mulq(way, BUCKET);
        let middle = self
            .origin
            .saturating_mul(BUCKET)
            .saturating_add(BUCKET / 2);
        px_of_ln(match self.holder {
            Holder::Long => middle.saturating_sub(out),
            Holder::Short => middle.saturating_add(out),
        })
    }

    /// A hot zone over cells `lo ..= hi`, without id and times.
    fn hot(&self, (lo, hi, peak): (usize, usize, usize)) -> Zone {
        let mut zone = self.zone(lo, hi, peak);
        zone.heat = fixed::divq(self.cells[peak], self.limits.hot(peak));
        zone.holder = self.holder as u8;
        zone.flags = self.limits.flags;
        zone
    }

    /// The clusters as hot zones that nobody is yet.
    pub(super) fn found(&self, top: &Heaviest) -> [Zone; HOT] {
        let mut found = [Zone::zeroed(); HOT];
        for (zone, (_, cluster)) in found.iter_mut().zip(&top.list[..top.used]) {
            *zone = self.hot((cluster.lo, cluster.hi, cluster.peak));
            zone.prominence = cluster.prominence;
        }
        found
    }

    /// A zone over cells `lo ..= hi`, without id, kind, times and heat.
    fn zone(&self, lo: usize, hi: usize, peak: usize) -> Zone {
        let mut zone = Zone::zeroed();
        let (a, b) = (self.bucket(lo), self.bucket(hi));
        zone.span(a.min(b), a.max(b));
        zone.peak = self.price((peak as i64) << 16);
        let cells = &self.raw[lo..=hi];
        zone.usd = density::sum(cells);
        let moment = density::moment(cells) + lo as i128 * i128::from(zone.usd);
        zone.vwap = if zone.usd > 0 {
            self.price(((moment << 16) / i128::from(zone.usd)) as i64)
        } else {
            self.price(((lo + hi) as i64) << 15)
        };
        zone
    }
}

/// Up to eight clusters of a side, heaviest first; none without notional.
pub(super) struct Heaviest {
    pub(super) list: [(i64, Cluster); HOT],
    pub(super) used: usize,
}

impl Heaviest {
    /// Whatever is lighter goes one down; of equal ones the first stays before. No branch on where it belongs.
    pub(super) fn offer(&mut self, usd: i64, cluster: Cluster) {
        if usd <= self.list[HOT - 1].0 {
            return;
        }
        let at = self.list.iter().filter(|held| held.0 >= usd).count();
        for place in (1..HOT).rev() {
            self.list[place] = self.list[place - usize::from(place > at)];
        }
        self.list[at.min(HOT - 1)] = (usd, cluster);
        self.used = HOT.min(self.used + 1);
    }
}

impl Zones {
    /// Gives each cluster its old identity in a mode or a new one, and ends the live zones that no cluster continues.
    pub(super) fn renew_hot(
        &mut self,
        now: Nanos,
        mode: usize,
        mark: Px,
        side: &Side,
        found: &mut [Zone],
    ) {
        let place = side.holder as usize;
        let old = self.hot[mode][place];
        let heirs = heirs(old.as_slice(), found);
        self.hot[mode][place].clear();
        let (mut rivals, mut used) = ([Zone::zeroed(); 2 * HOT], found.len());
        for (zone, heir) in old.as_slice().iter().zip(heirs) {
            if !zone.is_live() {
                let _ = self.hot[mode][place].push(*zone);
            } else if let Some(next) = heir.and_then(|at| found.get_mut(at)) {
                inherit(next, zone, mark);
            } else if zone.state == state::TOUCHED && zone.ahead(mark) <= 0 {
                self.end_or_wait(now, mode, *zone, side, found);
            } else if let Some(held) = self.end_or_hold(now, *zone, side, found) {
                rivals[used] = held;
                used += 1;
            }
        }
        keep_apart(found, side.holder);
        rivals[..found.len()].copy_from_slice(found);
        let rivals = &mut rivals[..used];
        rivals.sort_unstable_by_key(|zone| {
            let stays = if zone.id == 0 { 0 } else { zone.usd / 4 };
            (Reverse(zone.usd.saturating_add(stays)), zone.bottom)
        });
        for zone in rivals {
            if self.hot[mode][place].len() == HOT {
                // LIMIT: the lightest find no place beside the others, what was swept and what waits.
                if zone.id != 0 {
                    let change = zone.become_state(state::EXPIRED, cause::CROWDED, now);
                    self.report(change);
                }
                continue;
            }
            if zone.id == 0 {
                (zone.id, zone.born, zone.state) = (self.fresh_id(mode), now, state::NONE);
                (zone.birth_usd, zone.past) = (zone.usd, Past::NONE);
                let change = zone.become_state(state::FRESH, cause::BORN, now);
                self.report(change);
            }
            let _ = self.hot[mode][place].push(*zone);
        }
        self.tidy(now, mode, place);
    }

    /// A zone that no cluster continues and in which the mark stands: it waits for its outcome in what the clusters
    /// leave of its place.
    fn end_or_wait(
        &mut self,
        now: Nanos,
        mode: usize,
        mut zone: Zone,
        side: &Side,
        found: &[Zone],
    ) {
        if is_merged(&zone, found) {
            let change = zone.become_state(state::EXPIRED, cause::LOST, now);
            self.report(change);
            return;
        }
        trim(&mut zone, found);
        zone.usd = density::sum(&side.raw[side.range(&zone)]);
        let _ = self.hot[mode][side.holder as usize].push(zone);
    }

    /// A zone that no cluster continues and that the mark is not in: what is left of it, or over.
    fn end_or_hold(
        &mut self,
        now: Nanos,
        mut zone: Zone,
        side: &Side,
        found: &[Zone],
    ) -> Option<Zone> {
        let is_merged = is_merged(&zone, found);
        if !is_merged {
            trim(&mut zone, found);
        }
        let range = side.range(&zone);
        let left = density::sum(&side.raw[range.clone()]);
        let has_mass = left.saturating_mul(4) >= zone.birth_usd;
        let peak = range.clone().max_by_key(|cell| side.cells[*cell]);
        if let Some(peak) = peak.filter(|_| has_mass && !is_merged) {
            let mut held = side.hot((range.start, range.end - 1, peak));
            held.prominence = zone.prominence;
            hand_on(&mut held, &zone);
            return Some(held);
        }
        let cause = if has_mass { cause::LOST } else { cause::MASS };
        let change = zone.become_state(state::EXPIRED, cause, now);
        self.report(change);
        None
    }

    /// Thin runs at least half a sigma wide, the nearest four.
    pub(super) fn renew_cold(&mut self, now: Nanos, side: &Side, top: &Heaviest, sigma_1h: i64) {
        let place = side.holder as usize;
        let mut hot = [(0, 0); HOT];
        for (run, (_, cluster)) in hot.iter_mut().zip(&top.list[..top.used]) {
            *run = (cluster.lo, cluster.hi);
        }
        let hot = &mut hot[..top.used];
        hot.sort_unstable();
        // Half a sigma in Q48, against buckets of Q48.
        let wide = i128::from(PACES[mode::DAY].sigma(sigma_1h)) << 15;
        let least = (wide + i128::from(BUCKET) - 1) / i128::from(BUCKET);
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        let old = self.cold[place];
        let mut taken = [false; COLD];
        self.cold[place].clear();
        cluster::corridors(side.cells, side.limits, hot, least, |lo, hi| {
            let mut zone = side.zone(lo, hi, usize::midpoint(lo, hi));
            (zone.kind, zone.holder, zone.flags) = (KIND_COLD, HOLDER_NONE, side.limits.flags);
            (zone.born, zone.since, zone.birth_usd) = (now, now, zone.usd);
            let past = (old.as_slice().iter().zip(&mut taken))
                .find(|(past, taken)| !**taken && past.continues(&zone));
            if let Some((past, taken)) = past {
                *taken = true;
                (zone.id, zone.born, zone.since) = (past.id, past.born, past.since);
                zone.birth_usd = past.birth_usd;
            } else {
                zone.id = self.fresh_id(MODES);
            }
            let _ = self.cold[place].push(zone);
            self.cold[place].len() < COLD
        });
    }
}

/// For each old zone the cluster that continues it: the pairs with the most shared buckets first, of equal ones the
/// older zone, then the heavier cluster.
fn heirs(old: &[Zone], found: &[Zone]) -> [Option<usize>; HOT] {
    let mut pairs = [(Reverse(0), 0, 0, 0); HOT * HOT];
    let mut used = 0;
    for (at, zone) in old.iter().enumerate().filter(|(_, zone)| zone.is_live()) {
        for (to, next) in found.iter().enumerate() {
            if zone.continues(next) && used < pairs.len() {
                pairs[used] = (Reverse(zone.shared(next)), zone.id, at, to);
                used += 1;
            }
        }
    }
    let pairs = &mut pairs[..used];
    pairs.sort_unstable();
    let mut heirs = [None; HOT];
    for (_, _, at, to) in pairs {
        if heirs[*at].is_none() && !heirs.contains(&Some(*to)) {
            heirs[*at] = Some(*to);
        }
    }
    heirs
}

/// True where a cluster has taken half of a zone.
fn is_merged(zone: &Zone, found: &[Zone]) -> bool {
    let mut found = found.iter();
    found.any(|other| zone.shared(other) * 2 >= zone.width())
}

/// Leaves a zone what no cluster has taken.
fn trim(zone: &mut Zone, found: &[Zone]) {
    for other in found {
        if other.shared(zone) == 0 {
            continue;
        }
        if other.bottom > zone.bottom {
            zone.span(zone.bottom, other.bottom - 1);
        } else {
            zone.span(other.top + 1, zone.top);
        }
    }
}

/// Hands the identity on.
const fn hand_on(next: &mut Zone, old: &Zone) {
    (next.id, next.born, next.birth_usd) = (old.id, old.born, old.birth_usd);
    (next.state, next.since) = (old.state, old.since);
    (next.past, next.odds, next.label) = (old.past, old.odds, old.label);
}

/// Hands the identity on to a cluster. While the mark stands in a zone its near edge stays where it was: the cells
/// behind the mark are gone from the map, not from the zone.
fn inherit(next: &mut Zone, old: &Zone, mark: Px) {
    hand_on(next, old);
    if old.state == state::TOUCHED && old.ahead(mark) <= 0 {
        if old.holder == Holder::Short as u8 {
            next.span(old.bottom.min(next.bottom), next.top);
        } else {
            next.span(next.bottom, old.top.max(next.top));
        }
    }
}

/// Pulls a kept near edge back behind any cluster that lies nearer.
fn keep_apart(found: &mut [Zone], holder: Holder) {
    for at in 0..found.len() {
        let mut zone = found[at];
        for (index, other) in found.iter().enumerate() {
            if index == at || other.shared(&zone) == 0 {
                continue;
            }
            match holder {
                Holder::Short if other.top < zone.top => zone.span(other.top + 1, zone.top),
                Holder::Long if other.bottom > zone.bottom => {
                    zone.span(zone.bottom, other.bottom - 1);
                }
                _ => {}
            }
        }
        found[at] = zone;
    }
}
