//! Zones: where forced orders are dense enough to name, and where they are so thin that price meets none.
//!
//! A *hot* zone is a cluster of one holder's expected liquidations (`cluster`), dense against the map (`density`):
//! shorts above the mark, longs below. A *cold* zone is a corridor of thin cells. A hot zone has an identity that
//! survives refreshes while it overlaps itself by half, and a life driven by the mark (`life`).
//!
//! Cells are 2 bp of log price, counted from the bucket that holds the mark (cell 0 on both sides). Everything is a
//! function of a cell's distance, so a reflected map gives the reflected zones. Cost: a refresh is linear in the
//! cells, a mark a few compares per zone.
//!
//! Invariants: live zones of a mode's side never overlap; a side holds at most eight hot zones (live ones by what they
//! weigh to the mode, and of those swept the newest four) and four cold ones; ids grow over all modes, say in their
//! lowest two bits whose they are, and are not reused.
//!
//! A zone is *judged* (`odds`) with what the caller measured of book and flow and what trades left (`structure`): the
//! probability of a touch, of a run once touched, a rank. `cascade` says what would happen if the nearest one went.
//! Every mode has zones of its own, of all clusters those that weigh most to it (`renew`): they live by its sigma and
//! its pace (`life`), so near, a touch and fresh mean another thing to each. Nothing here says that price is drawn to
//! a zone.

mod bands;
pub mod cascade;
mod cluster;
mod density;
mod life;
pub mod odds;
pub mod onward;
mod renew;
pub mod structure;

pub use density::SPAN;
pub use life::{Change, cause, state};

use crate::arena::Bounded;
use crate::market::Holder;
use crate::num::log::{bucket_low, bucket_of};
use crate::num::{Px, fixed};
use crate::shm::record::{MODES, ZONE_KINDS, mode};
use crate::time::Nanos;
use bands::Bands;
use bytemuck::{Pod, Zeroable};
use cascade::Depth;
use cluster::Walk;
use life::{Look, PACES};
use renew::{Heaviest, Reach, Side};

/// Hot zones a side.
pub const HOT: usize = 8;
/// Cold zones a side.
pub const COLD: usize = 4;
/// Places a side that zones which were swept may hold.
pub const SWEPT: usize = 4;
/// Changes kept for the reader of [`Zones::changes`].
pub const CHANGES: usize = 64 * MODES;

/// `Zone::kind`: dense.
pub const KIND_HOT: u8 = 0;
/// `Zone::kind`: thin.
pub const KIND_COLD: u8 = 1;
/// `Zone::holder` of a cold zone.
pub const HOLDER_NONE: u8 = 255;
/// `Zone::flags`: hot and cold are relative to the present map, not to 30-day bands.
pub const RELATIVE: u8 = 1;

/// The map as the zones see it: expected forced notional in cents per 2 bp bucket, index = distance in buckets from
/// the bucket that holds the mark (0 = that bucket itself). Cells from [`SPAN`] on are not read.
#[derive(Debug, Clone, Copy)]
pub struct Heat<'a> {
    /// Mark price; nothing happens without one.
    pub mark: Px,
    /// Longs, downwards.
    pub below_long: &'a [i64],
    /// Shorts, upwards.
    pub above_short: &'a [i64],
}

/// What is thought of a zone as of the last [`Zones::judge`], Q16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Odds {
    /// Probability of a touch within the mode's horizon.
    pub touch: i32,
    /// Probability of a run once touched.
    pub run: i32,
    /// Confluence of structure.
    pub kappa: i32,
    /// Rank.
    pub rank: i32,
}

/// What a zone has seen since its birth; it stays with the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Past {
    /// Liquidations printed within it, cents.
    pub executed: i64,
    /// How far the mark went in from the near edge, as a price step.
    pub deepest: i64,
    /// Touch as first judged, and run as last judged before a touch, Q16; −1 = never.
    pub predicted: [i32; 2],
    /// What stood behind the latter ([`odds::Forces::terms`]).
    pub terms: [i32; odds::TERMS - 1],
    /// Prints behind `executed`.
    pub prints: u32,
    /// Touches that it held.
    pub held: u16,
    /// Bits: 1 touched, 2 swept.
    pub outcome: u8,
    /// 1 since the edge was told, until the mark is far again.
    pub alerted: u8,
    spare: [u8; 4],
}

impl Past {
    const NONE: Self = Self {
        executed: 0,
        deepest: 0,
        predicted: [-1; 2],
        terms: [0; odds::TERMS - 1],
        prints: 0,
        held: 0,
        outcome: 0,
        alerted: 0,
        spare: [0; 4],
    };
}

/// One zone. All zeros is no zone (`high` 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Zone {
    /// Lower edge.
    pub low: Px,
    /// Upper edge.
    pub high: Px,
    /// Middle of the densest bucket (of the middle one when cold).
    pub peak: Px,
    /// Mean price by notional, on the log scale (the middle when there is none).
    pub vwap: Px,
    /// Expected forced notional, cents; 0 after the sweep.
    pub usd: i64,
    /// `usd` at birth.
    pub birth_usd: i64,
    /// Shard time of birth.
    pub born: Nanos,
    /// Shard time at which it entered its state.
    pub since: Nanos,
    /// Peak over the hot threshold, Q16, saturating; ONE = just hot; 0 when cold.
    pub heat: i64,
    /// Height of the peak above its saddle, sixteenths of a cent per bucket; 0 when cold.
    pub prominence: i64,
    /// Lowest bucket, absolute number.
    pub bottom: i32,
    /// Highest bucket, absolute number.
    pub top: i32,
    /// Identity, from 1.
    pub id: u32,
    /// [`KIND_HOT`] or [`KIND_COLD`].
    pub kind: u8,
    /// 0 long, 1 short, [`HOLDER_NONE`].
    pub holder: u8,
    /// [`state`]; a cold zone stays FRESH.
    pub state: u8,
    /// [`RELATIVE`].
    pub flags: u8,
    /// Read where `label` is not none.
    pub odds: Odds,
    /// What it has seen.
    pub past: Past,
    /// [`odds::label`].
    pub label: u8,
    spare: [u8; 7],
}

/// What zones are judged with: measured by the caller at the mark of the last refresh. Money cents, shares Q16.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// Mark.
    pub mark: Px,
    /// Volatility of five minutes, Q32; 0 = not warm: structure is not known.
    pub sigma_5m: i64,
    /// Volatility of each mode's next horizon as it is expected now, Q32; 0 = not warm.
    pub sigma: [i64; MODES],
    /// Taker notional of one horizon of each mode, buyers and sellers; both 0 = not known.
    pub flow: [[i64; 2]; MODES],
    /// What takes forced flow above and below.
    pub depth: &'a [Depth; 2],
    /// Share of the map that meets that depth.
    pub share: i64,
    /// Levels of structure.
    pub structure: &'a structure::Structure,
    /// Present speed in sigmas as each mode sees it, positive upwards; 0 = not known.
    pub speed: [i64; MODES],
    /// Share of the known open interest that is in the map.
    pub cover: i64,
    /// What thin trading leaves of trust.
    pub thin: i64,
}

impl Zone {
    /// Nearest and farthest cell from the bucket `origin`, 0 where the mark stands in or behind it.
    fn reach(&self, origin: i64) -> (usize, usize) {
        let (bottom, top) = (i64::from(self.bottom), i64::from(self.top));
        let (near, far) = if self.holder == Holder::Short as u8 {
            (bottom - origin, top - origin)
        } else {
            (origin - top, origin - bottom)
        };
        (near.max(0) as usize, far.max(0) as usize)
    }

    /// Cells that it covers, counted from a mark: for `cascade`.
    #[must_use]
    pub fn cells_from(&self, mark: Px) -> (usize, usize) {
        self.reach(bucket_of(mark))
    }

    /// Buckets that both cover.
    fn shared(&self, other: &Self) -> i64 {
        let bottom = i64::from(self.bottom.max(other.bottom));
        let top = i64::from(self.top.min(other.top));
        (top - bottom + 1).max(0)
    }

    fn width(&self) -> i64 {
        i64::from(self.top) - i64::from(self.bottom) + 1
    }

    /// True when they share at least half of the narrower one.
    fn continues(&self, other: &Self) -> bool {
        self.shared(other) * 2 >= self.width().min(other.width())
    }

    /// Sets the edges to whole buckets.
    fn span(&mut self, bottom: i32, top: i32) {
        (self.bottom, self.top) = (bottom, top);
        self.low = bucket_low(i64::from(bottom));
        self.high = bucket_low(i64::from(top) + 1);
    }

    /// Live ones first, nearest first; then what was swept, newest first.
    fn rank(&self) -> (u8, i64, u32) {
        let near = match (self.is_live(), self.holder) {
            (false, _) => self.since.get().saturating_neg(),
            (true, holder) if holder == Holder::Long as u8 => self.high.get().saturating_neg(),
            (true, _) => self.low.get(),
        };
        (u8::from(!self.is_live()), near, self.id)
    }
}

/// All zones of one symbol. All zeros is "no map yet".
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Zones {
    /// By mode and holder: longs (below), shorts (above).
    hot: [[Bounded<Zone, HOT>; 2]; MODES],
    /// A corridor does not live: it is the same for every mode.
    cold: [Bounded<Zone, COLD>; 2],
    changes: Bounded<Change, CHANGES>,
    /// Changes that nobody took before as many newer ones came.
    pub missed: u64,
    /// Cells that were negative or absurd and were clipped.
    pub clipped: u64,
    /// Refreshes so far.
    pub refreshes: u64,
    /// Shard time of the newest refresh.
    pub refreshed: Nanos,
    bands: Bands,
    /// 1 while hot and cold are of the 30-day bands.
    absolute: u64,
    /// Largest zone of each day, cents; and the day it was kept for.
    largest: [i64; DAYS],
    largest_day: i64,
    /// Touches held and run by mode and holder, Q16, decayed, as of `touched_at`.
    touches: [[[i64; 2]; 2]; MODES],
    touched_at: [Nanos; MODES],
    /// What touches taught of runs.
    runs: [odds::Taught; MODES],
    sigma_tau: [i64; MODES],
    tick: Px,
    last_id: u64,
}

/// Days over which the largest zone is remembered.
const DAYS: usize = 30;
/// Half-life of what touches taught.
const TAUGHT: Nanos = Nanos::new(7 * Nanos::DAY.get());
/// Prints that a zone needs before its absorption says anything.
const PRINTS: u32 = 3;

impl Zones {
    /// Reads the map anew: clusters, identities, cold corridors; then the life cycle at its mark, so that timers run
    /// where it stands still.
    ///
    /// Sigmas are Q32 log returns, of one hour and of each mode's horizon; 0 = not warm: 20 bp an hour stand for it.
    /// `tick` 0 = not known. Without a mark nothing changes.
    pub fn refresh(
        &mut self,
        now: Nanos,
        heat: &Heat,
        sigma_1h: i64,
        sigma_tau: [i64; MODES],
        tick: Px,
    ) {
        if heat.mark.get() <= 0 {
            return;
        }
        self.sigma_tau = sigma_tau;
        self.tick = tick;
        // First what the mark alone decides, on the zones as they were: a zone it went through has no cells left.
        self.mark(now, heat.mark);

        let mut smooth = [[0; SPAN]; 2];
        let raw = [heat.below_long, heat.above_short];
        let raw = raw.map(|raw| density::used(&raw[..raw.len().min(SPAN)]));
        let mut below = 1;
        for (raw, smooth) in raw.iter().zip(&mut smooth) {
            let (clipped, bound) = density::smooth(raw, &mut smooth[..raw.len()]);
            self.clipped += clipped;
            below = below.max(bound);
        }
        let both = [0, 1].map(|at: usize| &smooth[at][..raw[at].len()]);
        self.bands.sample(now, both, sigma_1h);
        let limits = (self.bands).limits(|| density::limits(both, below), sigma_1h);
        self.absolute = u64::from(limits.flags & RELATIVE == 0);
        let mut walk = Walk::new();
        let reaches: [Reach; MODES] =
            core::array::from_fn(|mode| Reach::new(PACES[mode].sigma(sigma_tau[mode])));
        let mut largest = 0;
        for (holder, (raw, cells)) in Holder::BOTH.into_iter().zip(raw.into_iter().zip(both)) {
            let side = Side {
                raw,
                cells,
                limits: &limits,
                origin: bucket_of(heat.mark),
                holder,
            };
            let mut tops = reaches.map(Heaviest::new);
            cluster::clusters(
                &mut walk,
                cells,
                limits.least(cells.len()),
                |cell| limits.hot(cell),
                |cluster| {
                    let usd = density::sum_between(raw, cluster.lo, cluster.hi);
                    largest = largest.max(usd);
                    for top in &mut tops {
                        top.offer(usd, cluster);
                    }
                },
            );
            let mut found = [[Zone::zeroed(); HOT]; MODES];
            for mode in 0..MODES {
                let (before, this) = found.split_at_mut(mode);
                for (zone, cluster) in this[0].iter_mut().zip(tops[mode].clusters()) {
                    // Most are listed by more than one mode: each is made once.
                    let mut others = tops.iter().zip(&*before);
                    let made = others.find_map(|(top, made)| Some(made[top.place(cluster)?]));
                    *zone = made.unwrap_or_else(|| side.found(&walk, cluster));
                }
            }
            for (mode, top) in tops.iter().enumerate() {
                let found = &mut found[mode][..top.clusters().len()];
                self.renew_hot(now, mode, reaches[mode], &side, found);
            }
            self.renew_cold(now, &side, &tops[mode::DAY], sigma_1h);
        }
        self.remember_largest(now, largest);
        self.refreshes += 1;
        self.refreshed = now;
        self.mark(now, heat.mark);
    }

    /// Samples the bands alone, up to a moment, of a map that stands still from the last refresh on: for histories told
    /// in bars, where nothing is heard for minutes. Zones stay as they are.
    pub fn stand(&mut self, until: Nanos, heat: &Heat, sigma_1h: i64) {
        let mut smooth = [[0; SPAN]; 2];
        let raw = [heat.below_long, heat.above_short]
            .map(|raw| density::used(&raw[..raw.len().min(SPAN)]));
        for (raw, smooth) in raw.iter().zip(&mut smooth) {
            let _ = density::smooth(raw, &mut smooth[..raw.len()]);
        }
        let both = [0, 1].map(|at: usize| &smooth[at][..raw[at].len()]);
        self.bands.stand(self.refreshed, until, both, sigma_1h);
    }

    /// True while hot and cold are relative to the present map.
    #[must_use]
    pub const fn is_relative(&self) -> bool {
        self.absolute == 0
    }

    fn remember_largest(&mut self, now: Nanos, usd: i64) {
        let day = now.day();
        let gone = day.saturating_sub(self.largest_day).clamp(0, DAYS as i64);
        for back in 0..gone {
            self.largest[(day - back).rem_euclid(DAYS as i64) as usize] = 0;
        }
        self.largest_day = self.largest_day.max(day);
        let today = &mut self.largest[self.largest_day.rem_euclid(DAYS as i64) as usize];
        *today = (*today).max(usd);
    }

    /// A liquidation was printed: books it to the zones of its holder that cover the price, one a mode.
    pub fn print(&mut self, holder: Holder, price: Px, usd: i64) {
        let all = self.hot.iter_mut();
        for zone in all.flat_map(|hot| hot[holder as usize].as_mut_slice()) {
            if zone.low <= price && price <= zone.high {
                zone.past.executed = zone.past.executed.saturating_add(usd.max(0));
                zone.past.prints = zone.past.prints.saturating_add(1);
            }
        }
    }

    /// Judges every live zone.
    pub fn judge(&mut self, now: Nanos, sight: &Sight) {
        if sight.mark.get() <= 0 {
            return;
        }
        for mode in 0..MODES {
            self.judge_mode(now, mode, sight);
        }
    }

    fn judge_mode(&mut self, now: Nanos, mode: usize, sight: &Sight) {
        let most = self.largest.iter().copied().max().unwrap_or(0);
        let origin = bucket_of(sight.mark);
        let pace = &PACES[mode];
        let sigma = pace.sigma(sight.sigma[mode]);
        let look = Look::new(now, sight.mark, pace, self.sigma_tau[mode], self.tick);
        for holder in Holder::BOTH {
            let side = holder as usize;
            let taught = self.taught(now, mode, side);
            let above = holder == Holder::Short;
            let depth = &sight.depth[usize::from(!above)];
            let flow = sight.flow[mode][usize::from(!above)];
            let speed = if above {
                sight.speed[mode]
            } else {
                -sight.speed[mode]
            };
            for zone in self.hot[mode][side].as_mut_slice() {
                if !zone.is_live() {
                    continue;
                }
                let (near, far) = zone.reach(origin);
                let ahead = zone.ahead(sight.mark).max(0);
                let way = fixed::div32(ahead, sight.mark.get());
                let lambda = match depth.unusual(near) {
                    Some(path) if path > 0 && sight.flow[mode] != [0; 2] => {
                        odds::lambda(flow, path)
                    }
                    _ => fixed::ONE,
                };
                let alone = fixed::hit_fat(fixed::div32(way, sigma) >> 16);
                let touch = odds::touch(alone, lambda);
                let levels = sight
                    .structure
                    .distances(zone.low, zone.high, sight.sigma_5m);
                let kappa = odds::kappa(&levels);
                // Without a share nothing is known of this book's part: not that it has none.
                let gain = (sight.share > 0)
                    .then(|| cascade::gain(depth, near, far, zone.usd, sight.share))
                    .flatten();
                let terms = odds::Forces {
                    gain: gain.unwrap_or(fixed::ONE),
                    speed,
                    heat: zone.heat,
                    kappa,
                    absorbed: zone.absorbed(),
                    history: taught(zone.past.held),
                    through: odds::through(zone.high.minus(zone.low).get(), look.past, look.back()),
                }
                .terms();
                let run = self.runs[mode].run(&terms);
                let worth = odds::Worth {
                    size: fixed::divq(zone.usd, most),
                    touch,
                    kappa,
                    fresh: pace.freshness(now.since(zone.born)),
                    cover: sight.cover,
                    thin: sight.thin,
                };
                zone.odds = Odds {
                    touch: touch as i32,
                    run: run as i32,
                    kappa: kappa as i32,
                    rank: odds::rank(&worth) as i32,
                };
                zone.label = odds::label_of(run);
                let [first, last] = &mut zone.past.predicted;
                if *first < 0 {
                    *first = zone.odds.touch;
                }
                if zone.state != state::TOUCHED {
                    *last = zone.odds.run;
                    zone.past.terms = terms;
                }
            }
        }
    }

    /// What touches on a side say of the next, −1 … 1: those that held less those that ran, over all and two more.
    fn taught(&self, now: Nanos, mode: usize, side: usize) -> impl Fn(u16) -> i64 + use<> {
        let keep = fixed::decay32(now.since(self.touched_at[mode]).get(), TAUGHT.get());
        let [held, ran] = self.touches[mode][side].map(|count| fixed::mul32(count, keep));
        move |own: u16| {
            let held = held + (i64::from(own) << 16);
            fixed::divq(held - ran, held + ran + 2 * fixed::ONE)
        }
    }

    /// A zone of a mode has held or has run: counts it, and learns from what was said of it.
    fn learn(&mut self, mode: usize, change: &Change, terms: &[i32; odds::TERMS - 1]) {
        let ran = match (change.from, change.cause) {
            (state::TOUCHED, cause::EXIT_NEAR) => false,
            (_, cause::BEYOND) => true,
            _ => return,
        };
        let past = change.at.since(self.touched_at[mode]);
        let keep = fixed::decay32(past.get(), TAUGHT.get());
        for count in self.touches[mode].as_flattened_mut() {
            *count = fixed::mul32(*count, keep);
        }
        self.touched_at[mode] = change.at;
        self.touches[mode][usize::from(change.holder & 1)][usize::from(ran)] += fixed::ONE;
        if change.predicted[1] >= 0 {
            self.runs[mode].learn(terms, ran);
        }
    }

    /// What touches taught of a mode's runs; a mode beyond the last reads as the last.
    #[must_use]
    pub fn lessons(&self, mode: usize) -> &odds::Taught {
        &self.runs[mode.min(MODES - 1)]
    }

    /// Begins with what touches of another run taught.
    pub fn begin_with(&mut self, mode: usize, taught: &odds::Taught) {
        if let Some(runs) = self.runs.get_mut(mode) {
            *runs = *taught;
        }
    }

    /// Forgets every zone; ids go on where they were.
    pub fn clear(&mut self) {
        for list in self.hot.as_flattened_mut() {
            list.clear();
        }
        for list in &mut self.cold {
            list.clear();
        }
        self.changes.clear();
    }

    /// The life cycle at a mark: cheap, for every change of the mark and every heartbeat. Price 0 is no mark.
    pub fn mark(&mut self, now: Nanos, mark: Px) {
        if mark.get() <= 0 {
            return;
        }
        for (mode, pace) in PACES.iter().enumerate() {
            let look = Look::new(now, mark, pace, self.sigma_tau[mode], self.tick);
            for side in 0..2 {
                let rests = |zone: &Zone| zone.rests(&look);
                if !self.hot[mode][side].as_slice().iter().all(rests) {
                    self.stir(now, mode, side, &look);
                }
            }
        }
    }

    /// The life cycle of a side of which some zone does not rest.
    #[inline(never)] // At most marks all zones rest.
    fn stir(&mut self, now: Nanos, mode: usize, side: usize, look: &Look) {
        let mut moved = false;
        for at in 0..self.hot[mode][side].len() {
            if self.hot[mode][side].as_slice()[at].rests(look) {
                continue;
            }
            // A zone steps at most four times at one mark (life: nothing rings).
            while let Some(change) = self.hot[mode][side].as_mut_slice()[at].step(look) {
                let terms = self.hot[mode][side].as_slice()[at].past.terms;
                self.learn(mode, &change, &terms);
                self.report(change);
                moved = true;
            }
            if let Some(alert) = self.hot[mode][side].as_mut_slice()[at].edge(look) {
                self.report(alert);
            }
        }
        if moved {
            self.tidy(now, mode, side);
        }
    }

    /// Drops what expired, keeps the newest of those swept, and puts the rest in order.
    fn tidy(&mut self, now: Nanos, mode: usize, side: usize) {
        self.hot[mode][side]
            .as_mut_slice()
            .sort_unstable_by_key(Zone::rank);
        let live = self.hot[mode][side]
            .as_slice()
            .partition_point(Zone::is_live);
        let mut swept = 0;
        let mut at = live;
        while let Some(zone) = self.hot[mode][side].as_mut_slice().get_mut(at) {
            let over = zone.state == state::EXPIRED;
            if !over && swept < SWEPT {
                swept += 1;
                at += 1;
                continue;
            }
            let crowded = (!over).then(|| zone.become_state(state::EXPIRED, cause::CROWDED, now));
            self.hot[mode][side].remove(at);
            if let Some(change) = crowded {
                self.report(change);
            }
        }
    }

    fn report(&mut self, change: Change) {
        // LIMIT: the oldest change makes room; counted in `missed`.
        if self.changes.len() == CHANGES {
            self.changes.remove(0);
            self.missed += 1;
        }
        let _ = self.changes.push(change);
    }

    /// An identity that says whose it is.
    fn fresh_id(&mut self, mode: usize) -> u32 {
        // LIMIT: stays at the last number after 2^30 zones: at one a second, in 34 years.
        self.last_id = (self.last_id + 1).min(u64::from(u32::MAX / ZONE_KINDS));
        self.last_id as u32 * ZONE_KINDS + mode as u32
    }

    /// A mode's hot zones of shorts: live ones nearest first, then those swept, newest first (they may lie below by
    /// now).
    #[must_use]
    pub fn hot_above(&self, mode: usize) -> &[Zone] {
        self.hot[mode][Holder::Short as usize].as_slice()
    }
    /// A mode's hot zones of longs: live ones nearest first, then those swept, newest first (they may lie above by
    /// now).
    #[must_use]
    pub fn hot_below(&self, mode: usize) -> &[Zone] {
        self.hot[mode][Holder::Long as usize].as_slice()
    }
    /// Cold zones above, nearest first.
    #[must_use]
    pub fn cold_above(&self) -> &[Zone] {
        self.cold[Holder::Short as usize].as_slice()
    }
    /// Cold zones below, nearest first.
    #[must_use]
    pub fn cold_below(&self) -> &[Zone] {
        self.cold[Holder::Long as usize].as_slice()
    }
    /// A mode's nearest live hot zone of a side; `None` when there is none.
    #[must_use]
    pub fn nearest(&self, mode: usize, above: bool) -> Option<&Zone> {
        let side = if above {
            self.hot_above(mode)
        } else {
            self.hot_below(mode)
        };
        side.first().filter(|zone| zone.is_live())
    }
    /// What changed since [`Zones::clear_changes`], oldest first, the newest [`CHANGES`].
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        self.changes.as_slice()
    }
    /// Says that the changes were taken.
    pub fn clear_changes(&mut self) {
        self.changes.clear();
    }
}

#[cfg(test)]
mod tests;
