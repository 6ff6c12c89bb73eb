//! Renewal: clusters and corridors of a refresh become zones, and zones keep who they are.
//!
//! A cluster that shares at least half of the narrower one's buckets with an old zone is that zone; the pairs with most
//! in common first. A zone that no cluster continues is held while a quarter of its mass at birth still lies in its
//! place and no cluster has taken half of that: hot is where a zone begins, not where it ends. A mode has room for
//! the zones of most weight to it: notional times the chance that its horizon gets there ([`Reach`]). Who is there
//! stays until a newcomer weighs a quarter more. A touched zone waits for its outcome, so that what was said of it can
//! be held against what came: a cluster that takes it goes on under its name, it needs no mass, and nobody takes its
//! place.
//! Buckets 2 bp, money cents. Invariants: live zones of a side never overlap, no identity is given twice, a touched
//! zone ends by the mark alone, unless another touched one goes on in the same cluster.

use super::cluster::{self, Cluster, Walk};
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

    /// The lowest and the highest bucket of cells `lo ..= hi`.
    fn buckets(&self, lo: usize, hi: usize) -> (i32, i32) {
        let (a, b) = (self.bucket(lo), self.bucket(hi));
        (a.min(b), a.max(b))
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

    /// A zone made anew out of the cells that its buckets are; without cells as it was.
    fn made_anew(&self, zone: &Zone) -> Zone {
        let cells = self.range(zone);
        let peak = cells.clone().max_by_key(|cell| self.cells[*cell]);
        peak.map_or(*zone, |peak| self.hot((cells.start, cells.end - 1, peak)))
    }

    /// A cluster as a hot zone that nobody is yet.
    pub(super) fn found(&self, walk: &Walk, cluster: &Cluster) -> Zone {
        let mut zone = self.hot((cluster.lo, cluster.hi, cluster.peak));
        zone.prominence = walk.prominence(self.cells, cluster.peak);
        zone
    }

    /// A zone over cells `lo ..= hi`, without id, kind, times and heat.
    fn zone(&self, lo: usize, hi: usize, peak: usize) -> Zone {
        let mut zone = Zone::zeroed();
        let (bottom, top) = self.buckets(lo, hi);
        zone.span(bottom, top);
        zone.peak = self.price((peak as i64) << 16);
        let cells = &self.raw[lo..=hi];
        zone.usd = density::sum(cells);
        let moment = density::moment(cells) + lo as i128 * i128::from(zone.usd);
        zone.vwap = if zone.usd > 0 {
            let way = i64::try_from(moment).map(|moment| fixed::divq(moment, zone.usd));
            self.price(way.unwrap_or_else(|_| ((moment << 16) / i128::from(zone.usd)) as i64))
        } else {
            self.price(((lo + hi) as i64) << 15)
        };
        zone
    }
}

/// How far a mode's horizon reaches.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// A cell in sigmas, Q32.
    step: i64,
}

impl Reach {
    /// `sigma` is a log return in Q32, above 0.
    pub(super) const fn new(sigma: i64) -> Self {
        Self {
            step: fixed::div32(BUCKET >> 16, sigma),
        }
    }

    /// The chance that a walk comes so many cells far within the horizon.
    fn chance(self, cells: usize) -> i64 {
        fixed::hit_fat((cells as i64).saturating_mul(self.step) >> 16)
    }

    /// What notional so many cells away weighs: times that chance. At least 1 of anything.
    pub(super) fn weigh(self, usd: i64, cells: usize) -> i64 {
        weight(usd, self.chance(cells))
    }
}

fn weight(usd: i64, chance: i64) -> i64 {
    fixed::mulq(usd, chance).max(usd.signum())
}

/// Up to eight clusters of a side, of most weight first; none without notional.
#[derive(Clone, Copy)]
pub(super) struct Heaviest {
    list: [(i64, Cluster); HOT],
    used: usize,
    reach: Reach,
    /// Who has less is too light from the last one asked about on.
    least: i64,
}

impl Heaviest {
    pub(super) const fn new(reach: Reach) -> Self {
        Self {
            list: [(0, Cluster::NONE); HOT],
            used: 0,
            reach,
            least: 1,
        }
    }

    /// Takes a cluster, the nearest first. Whatever is lighter goes one down; of equal ones the first stays before. No
    /// branch on where it belongs.
    pub(super) fn offer(&mut self, usd: i64, cluster: Cluster) {
        if usd < self.least {
            return;
        }
        let chance = self.reach.chance(cluster.lo);
        let weight = weight(usd, chance);
        if weight > self.list[HOT - 1].0 {
            let at = self.list.iter().filter(|held| held.0 >= weight).count();
            for place in (1..HOT).rev() {
                self.list[place] = self.list[place - usize::from(place > at)];
            }
            self.list[at.min(HOT - 1)] = (weight, cluster);
            self.used = HOT.min(self.used + 1);
        }
        if self.used == HOT {
            self.least = fixed::divq(self.list[HOT - 1].0, chance);
        }
    }

    pub(super) fn clusters(&self) -> impl ExactSizeIterator<Item = &Cluster> {
        self.list[..self.used].iter().map(|(_, cluster)| cluster)
    }

    /// Where a cluster stands.
    pub(super) fn place(&self, cluster: &Cluster) -> Option<usize> {
        self.clusters().position(|other| other.peak == cluster.peak)
    }
}

impl Zones {
    /// Gives each cluster its old identity in a mode or a new one, and ends the live zones that no cluster continues.
    ///
    /// Zones stay where they are, in `found` and in `old`, until all is known; who stands is put down once, in place.
    pub(super) fn renew_hot(
        &mut self,
        now: Nanos,
        mode: usize,
        reach: Reach,
        side: &Side,
        found: &mut [Zone],
    ) {
        let rival = |zone: &Zone| rival(zone, reach, side.origin);
        let list = &mut self.hot[mode][side.holder as usize];
        let mut old = core::mem::take(list);
        let old = old.as_mut_slice();
        let heirs = heirs(old, found);
        let (mut rivals, mut asking) = ([(Reverse(0), 0, 0); 2 * HOT], 0);
        let (mut order, mut standing) = ([((0, 0, 0), 0); HOT], 0);
        let mut is_kept = false;
        let live = old.partition_point(Zone::is_live);
        for (at, zone) in old[..live].iter_mut().enumerate() {
            let waits = zone.state == state::TOUCHED;
            if let Some(next) = heirs[at].and_then(|to| found.get_mut(to)) {
                hand_on(next, zone);
                if waits {
                    keep_near(next, zone);
                    is_kept = true;
                }
            } else if waits {
                if self.end_or_wait(now, zone, side, found) {
                    order[standing] = (zone.rank(), HOT + at);
                    standing += 1;
                }
            } else if self.end_or_hold(now, mode, zone, side, found) {
                rivals[asking] = (rival(zone), zone.bottom, HOT + at);
                asking += 1;
            }
        }
        if is_kept {
            keep_apart(found, side.holder);
        }
        for (at, zone) in found.iter().enumerate() {
            rivals[asking] = (rival(zone), zone.bottom, at);
            asking += 1;
        }
        let rivals = &mut rivals[..asking];
        rivals.sort_unstable();
        let room = HOT - (old.len() - live);
        for (_, _, at) in rivals {
            let zone = if *at < HOT {
                &mut found[*at]
            } else {
                &mut old[*at - HOT]
            };
            if standing == room {
                // LIMIT: the lightest find no place beside the others, what was swept and what waits.
                if zone.id != 0 {
                    let change = zone.become_state(state::EXPIRED, cause::CROWDED, now);
                    self.report(change);
                }
                continue;
            }
            if *at >= HOT {
                let like = self.like(mode, zone);
                let mut held = like.map_or_else(|| side.made_anew(zone), |like| *like);
                held.prominence = zone.prominence;
                hand_on(&mut held, zone);
                *zone = held;
            } else if zone.id == 0 {
                (zone.id, zone.born, zone.state) = (self.fresh_id(mode), now, state::NONE);
                (zone.birth_usd, zone.past) = (zone.usd, Past::NONE);
                let change = zone.become_state(state::FRESH, cause::BORN, now);
                self.report(change);
            }
            order[standing] = (zone.rank(), *at);
            standing += 1;
        }
        let order = &mut order[..standing];
        order.sort_unstable();
        let order = order.iter().map(|(_, at)| *at);
        let list = &mut self.hot[mode][side.holder as usize];
        for at in order.chain(HOT + live..HOT + old.len()) {
            let _ = list.push(if at < HOT { found[at] } else { old[at - HOT] });
        }
    }

    /// A touched zone that no cluster continues: it waits for its outcome in what the clusters leave of its place.
    /// False when nothing is left.
    fn end_or_wait(&mut self, now: Nanos, zone: &mut Zone, side: &Side, found: &[Zone]) -> bool {
        let is_merged = is_merged(zone, found);
        if !is_merged {
            trim(zone, found);
        }
        if is_merged || zone.bottom > zone.top {
            let change = zone.become_state(state::EXPIRED, cause::LOST, now);
            self.report(change);
            return false;
        }
        zone.span(zone.bottom, zone.top);
        zone.usd = density::sum(&side.raw[side.range(zone)]);
        true
    }

    /// A zone that no cluster continues and that is not touched: the buckets and the notional that are left of it
    /// (the rest is for [`Side::made_anew`]), or false when it is over.
    fn end_or_hold(
        &mut self,
        now: Nanos,
        mode: usize,
        zone: &mut Zone,
        side: &Side,
        found: &[Zone],
    ) -> bool {
        let is_merged = is_merged(zone, found);
        if !is_merged {
            trim(zone, found);
        }
        let range = side.range(zone);
        let like = self.like(mode, zone).map(|like| like.usd);
        let left = like.unwrap_or_else(|| density::sum(&side.raw[range.clone()]));
        let has_mass = left.saturating_mul(4) >= zone.birth_usd;
        if has_mass && !is_merged && !range.is_empty() {
            (zone.bottom, zone.top) = side.buckets(range.start, range.end - 1);
            zone.usd = left;
            return true;
        }
        let cause = if has_mass { cause::LOST } else { cause::MASS };
        let change = zone.become_state(state::EXPIRED, cause, now);
        self.report(change);
        false
    }

    /// A zone of the mode before, renewed already, that is of the same cells: in the same buckets, and the mark is not
    /// in it.
    fn like(&self, mode: usize, zone: &Zone) -> Option<&Zone> {
        let done = self.hot[..mode].last()?;
        let mut done = done[usize::from(zone.holder & 1)].as_slice().iter();
        done.find(|like| {
            (like.bottom, like.top) == (zone.bottom, zone.top) && like.state < state::TOUCHED
        })
    }

    /// Thin runs at least half a sigma wide, the nearest four.
    pub(super) fn renew_cold(&mut self, now: Nanos, side: &Side, top: &Heaviest, sigma_1h: i64) {
        let place = side.holder as usize;
        let mut hot = [(0, 0); HOT];
        for (run, cluster) in hot.iter_mut().zip(top.clusters()) {
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

/// For each old zone the cluster that continues it: touched zones first, then the pairs with the most shared buckets,
/// of equal ones the older zone, then the heavier cluster.
fn heirs(old: &[Zone], found: &[Zone]) -> [Option<usize>; HOT] {
    // Two lists of ranges that do not overlap have one common stretch less than there are ranges, at most.
    let mut pairs = [(false, Reverse(0), 0, 0, 0); 2 * HOT];
    let mut used = 0;
    for (at, zone) in old.iter().enumerate().filter(|(_, zone)| zone.is_live()) {
        for (to, next) in found.iter().enumerate() {
            if zone.continues(next) && used < pairs.len() {
                let asks = zone.state != state::TOUCHED;
                pairs[used] = (asks, Reverse(zone.shared(next)), zone.id, at, to);
                used += 1;
            }
        }
    }
    let pairs = &mut pairs[..used];
    pairs.sort_unstable();
    let mut heirs = [None; HOT];
    for (_, _, _, at, to) in pairs {
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

/// Leaves a zone the buckets that no cluster has taken; prices stay.
fn trim(zone: &mut Zone, found: &[Zone]) {
    for other in found {
        if other.shared(zone) == 0 {
            continue;
        }
        if other.bottom > zone.bottom {
            zone.top = other.bottom - 1;
        } else {
            zone.bottom = other.top + 1;
        }
    }
}

/// What a rival weighs, the heaviest first: who waits for its outcome more than any other. There is room for them, for
/// they were all listed before, beside all that was swept.
fn rival(zone: &Zone, reach: Reach, origin: i64) -> Reverse<i64> {
    if zone.state == state::TOUCHED {
        return Reverse(i64::MAX);
    }
    let stays = if zone.id == 0 { 0 } else { zone.usd / 4 };
    let (near, _) = zone.reach(origin);
    Reverse(reach.weigh(zone.usd.saturating_add(stays), near))
}

/// Hands the identity on.
const fn hand_on(next: &mut Zone, old: &Zone) {
    (next.id, next.born, next.birth_usd) = (old.id, old.born, old.birth_usd);
    (next.state, next.since) = (old.state, old.since);
    (next.past, next.odds, next.label) = (old.past, old.odds, old.label);
}

/// While a zone is touched its near edge stays where it was: the cells behind the mark are gone from the map, not from
/// the zone, and what held is told from where it was touched.
fn keep_near(next: &mut Zone, old: &Zone) {
    if old.holder == Holder::Short as u8 {
        next.span(old.bottom.min(next.bottom), next.top);
    } else {
        next.span(next.bottom, old.top.max(next.top));
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
