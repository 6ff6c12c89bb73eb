//! Clusters: step 3 of the zones. Which hills of the smoothed density stand on their own, and how far each reaches.
//!
//! Flood the landscape from above: a hill is born at its peak and dies where the water first joins it to a higher one
//! (of equal ones the nearer to the mark is the higher). Its *prominence* is how far it stands above that saddle. A
//! hill is kept when its prominence is at least a quarter of its height, and reaches down to a quarter of its peak or
//! to the saddle before the next kept hill. The outside and empty cells are sea level, so hills that empty cells part
//! never join.
//!
//! The flood needs a sort; this does not. Of two high hills with a valley between them that reaches down to three
//! quarters of the lower one, neither's worth depends on what lies behind that valley: whoever comes there from afar is
//! at least as high, and stands out. So each stretch between such valleys is judged on its own. Most hold one hill, or
//! rise to a highest and fall: that one is kept, and beside a higher one none is. Where a stretch falls and rises
//! again, one walk meets its hills in order and keeps those without a higher one to their right on a falling stack,
//! each with its left saddle; a hill that is overtaken knows both saddles, and the higher of the two is where the flood
//! would have joined it. Linear in the cells. The flood is the twin in the tests.
//!
//! In a rough map most hills are too low to be told of, and no branch predictor foresees which. So which cells rise is
//! told by bits, 64 cells a word; from them is written down where the map turns; and along that list it is asked which
//! hills are high: all without a branch on a cell's value. The rest looks at high hills alone: a hill's saddles lie
//! between it and higher ones, so what is left out below changes nothing.
//!
//! What looks at every cell is compiled for wide registers too (`wire::scan`), with what it calls inlined.

use super::bands::range;
use super::density::{Limits, SPAN};
use crate::wire::scan::{Isa, Job, Scan};
use core::hint::select_unpredictable;

/// A hill worth a zone, in cells from the mark outwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cluster {
    /// The highest cell; the nearest of equal ones.
    pub(super) peak: usize,
    /// Nearest cell.
    pub(super) lo: usize,
    /// Farthest cell.
    pub(super) hi: usize,
}

impl Cluster {
    pub(super) const NONE: Self = Self {
        peak: 0,
        lo: 0,
        hi: 0,
    };
}

/// Hills cannot be neighbours, so two cells share a place.
const PLACES: usize = SPAN / 2;
/// Cells of a word of bits.
const WORD: usize = 64;
/// Bits of a word that are taken at once, whether there or not: how many there are is no branch to foresee.
const AT_ONCE: usize = 8;
/// Cells at the end of a corridor that are looked at before the rest.
const PROBES: usize = 4;

/// A falling stack: hills without a higher one to their right (yet), and the lowest cell between each and the one under
/// it, by whatever number its level is asked with.
struct Stack {
    hills: [u16; PLACES],
    saddles: [u16; PLACES],
}

/// Room for the walk over a side; the next side may use it again.
pub(super) struct Walk {
    /// The valley before each hill and its peak, `turned` of both together, then the last cell. A flat counts as a
    /// fall: where it is a step on the way up it makes a hill of no prominence, which is never kept. Behind them is
    /// room for what is taken at once and not there.
    turns: [u16; SPAN + 1 + AT_ONCE],
    turned: usize,
    /// Peaks of the hills that are high enough, `used` of them.
    high: [u16; PLACES],
    used: usize,
    /// By place in `high`: its valley's place in `turns`.
    valleys: [u16; PLACES],
    /// By place in `high`: the lowest cell between it and the one before.
    stands: [i64; PLACES],
    /// By place in `high`.
    kept: [bool; PLACES],
    stack: Stack,
}

/// Which of a word of cells are lower than the cell after them.
#[inline(always)]
fn climbs(cells: &[i64; WORD + 1]) -> u64 {
    const SIGN: u64 = 1 << 63;
    const LANES: usize = 4;
    // Cells are below 2^60, so a difference has its sign. A lane makes every fourth bit.
    let mut bits = [0; LANES];
    for four in 0..WORD / LANES {
        for (lane, bits) in bits.iter_mut().enumerate() {
            let at = four * LANES + lane;
            *bits = *bits >> LANES | cells[at].wrapping_sub(cells[at + 1]) as u64 & SIGN;
        }
    }
    bits[0] >> 3 | bits[1] >> 2 | bits[2] >> 1 | bits[3]
}

impl Stack {
    /// Walks over hills, each with the lowest cell between it and the last one, and offers each with the height of the
    /// higher of its saddles once both are known, until told to stop; answers whether it was. Beyond the ends lies the
    /// sea.
    fn walk(
        &mut self,
        hills: impl Iterator<Item = (u16, u16)>,
        height: impl Fn(u16) -> i64,
        level: impl Fn(u16) -> i64,
        mut offer: impl FnMut(u16, i64) -> bool,
    ) -> bool {
        let mut used = 0;
        for (hill, mut saddle) in hills {
            let reached = height(hill);
            while used > 0 {
                let (top, left) = (self.hills[used - 1], self.saddles[used - 1]);
                if height(top) >= reached {
                    break;
                }
                // Left of the lowest lies the sea.
                let under = if used > 1 { level(left) } else { 0 };
                if offer(top, under.max(level(saddle))) {
                    return true;
                }
                saddle = if under < level(saddle) { left } else { saddle };
                used -= 1;
            }
            (self.hills[used], self.saddles[used]) = (hill, saddle);
            used += 1;
        }
        (0..used).any(|at| {
            let under = if at > 0 { level(self.saddles[at]) } else { 0 };
            offer(self.hills[at], under)
        })
    }
}

/// True when a hill stands out of its saddle by a quarter of its height.
const fn stands_out(height: i64, saddle: i64) -> bool {
    height > 0 && (height - saddle) * 4 >= height
}

impl Walk {
    pub(super) const fn new() -> Self {
        Self {
            turns: [0; SPAN + 1 + AT_ONCE],
            turned: 0,
            high: [0; PLACES],
            used: 0,
            valleys: [0; PLACES],
            stands: [0; PLACES],
            kept: [false; PLACES],
            stack: Stack {
                hills: [0; PLACES],
                saddles: [0; PLACES],
            },
        }
    }

    /// Where the cells of a side turn from climbing to falling and back: peaks and valleys by turns.
    #[inline(always)]
    fn turn(&mut self, cells: &[i64]) {
        // The outside is sea level, and behind a word of zeros nothing climbs.
        let mut end = [0; WORD + 1];
        let mut climbing = cells.first().is_some_and(|first| *first > 0);
        // Who climbs at once has the first cell for a valley.
        self.turns[0] = 0;
        let mut turned = usize::from(climbing);
        for word in 0..cells.len().div_ceil(WORD) {
            let rest = &cells[word * WORD..];
            let here = rest.first_chunk().unwrap_or_else(|| {
                end[..rest.len()].copy_from_slice(rest);
                &end
            });
            let after = climbs(here);
            let mut bits = after ^ (after << 1 | u64::from(climbing));
            climbing = after >> (WORD - 1) != 0;
            let mut room = &mut self.turns[turned..];
            turned += bits.count_ones() as usize;
            while bits != 0
                && let Some((some, rest)) = room.split_first_chunk_mut::<AT_ONCE>()
            {
                for turn in some {
                    *turn = (word * WORD) as u16 + bits.trailing_zeros() as u16;
                    bits &= bits.wrapping_sub(1);
                }
                room = rest;
            }
        }
        self.turns[turned] = cells.len().saturating_sub(1) as u16;
        self.turned = turned;
    }

    /// Which hills are at least `least`, and how low it goes between them.
    #[inline(always)]
    fn survey(&mut self, cells: &[i64], least: i64) {
        let (hills, _) = self.turns[..self.turned].as_chunks();
        // Nearer than the first lies the sea.
        let (mut used, mut low) = (0, 0);
        for (hill, &[valley, peak]) in hills.iter().enumerate() {
            let [floor, height] = [valley, peak].map(|cell| cells[usize::from(cell)]);
            low = select_unpredictable(floor < low, floor, low);
            self.high[used] = peak;
            self.valleys[used] = 2 * hill as u16;
            self.stands[used] = low;
            let is_high = height >= least;
            used += usize::from(is_high);
            low = select_unpredictable(is_high, i64::MAX, low);
        }
        self.used = used;
    }

    /// Finds the kept hills of a side among those of at least `least`.
    #[inline(always)]
    fn persist(&mut self, cells: &[i64], least: i64) {
        self.turn(cells);
        self.survey(cells, least);
        let (mut last, mut falls, mut place) = (0, false, 0);
        while place < self.used {
            let height = cells[usize::from(self.high[place])];
            let joined = (place > 0) & !stands_out(height.min(last), self.stands[place]);
            let lower = height <= last;
            // The lower of two that are joined is not kept.
            self.kept[place] = !(joined & lower);
            let before = &mut self.kept[place.saturating_sub(1)];
            *before &= !joined | lower;
            // Of a stretch with one highest place that is all there is to say.
            if joined & falls & !lower {
                place = self.part(cells, place) - 1;
            }
            last = cells[usize::from(self.high[place])];
            falls = joined & lower;
            place += 1;
        }
    }

    /// True when no valley between a high hill and the one before it reaches down to three quarters of the lower.
    fn joined(&self, cells: &[i64], place: usize) -> bool {
        let [a, b] = [place.saturating_sub(1), place].map(|at| cells[usize::from(self.high[at])]);
        (place > 0) & !stands_out(a.min(b), self.stands[place])
    }

    /// The nearest and the farthest cell that a fall without a rise reaches from a high hill.
    #[inline(always)]
    fn feet(&self, cells: &[i64], place: usize) -> [usize; 2] {
        let valley = usize::from(self.valleys[place]);
        let [mut lo, hi] = [valley, valley + 2].map(|turn| usize::from(self.turns[turn]));
        while lo > 0 && cells[lo - 1] <= cells[lo] {
            lo -= 1;
        }
        [lo, hi]
    }

    /// Which of the high hills joined with one are kept: what lies around them is as good as the sea. Answers where
    /// they end.
    fn part(&mut self, cells: &[i64], place: usize) -> usize {
        let first = (0..=place)
            .rfind(|at| !self.joined(cells, *at))
            .unwrap_or(0);
        let after = (place..self.used).find(|at| !self.joined(cells, *at));
        let end = after.unwrap_or(self.used);
        let (high, kept) = (&self.high[first..end], &mut self.kept[first..end]);
        let peak = |place: u16| usize::from(high[usize::from(place)]);
        let hills = (0..high.len() as u16).map(|place| (place, place));
        let height = |place| cells[peak(place)];
        let level = |place: u16| self.stands[first..][usize::from(place)];
        self.stack.walk(hills, height, level, |place, saddle| {
            kept[usize::from(place)] = stands_out(height(place), saddle);
            false
        });
        end
    }

    /// True when one of the hills with a peak in `from ..= to` is lower than `least` and kept; at either end must be
    /// one of `least`, or the sea.
    fn keeps_lower(&mut self, cells: &[i64], least: i64, from: usize, to: usize) -> bool {
        let height = |peak: u16| cells[usize::from(peak)];
        let (hills, _) = self.turns[..self.turned].as_chunks();
        let first = hills.partition_point(|[_, peak]| usize::from(*peak) < from);
        let hills = hills[first..].iter().map(|[valley, peak]| (*peak, *valley));
        let hills = hills.take_while(|(peak, _)| usize::from(*peak) <= to);
        self.stack.walk(hills, height, height, |peak, saddle| {
            height(peak) < least && stands_out(height(peak), saddle)
        })
    }

    /// How far the peak of a cluster of the side walked last stands above its saddle, sixteenths of a cent.
    pub(super) fn prominence(&self, cells: &[i64], peak: usize) -> i64 {
        let (high, stands) = (&self.high[..self.used], &self.stands[..self.used]);
        let place = high.partition_point(|other| usize::from(*other) < peak);
        let height = |other: usize| cells[usize::from(high[other])];
        // Of equal ones the nearer is the higher; beyond the last lies the sea.
        let mut low = i64::MAX;
        let nearer = (0..place).rev().find(|other| {
            low = low.min(stands[other + 1]);
            height(*other) >= cells[peak]
        });
        let saddle = nearer.map_or(0, |_| low);
        // Of the saddle beyond only what is higher counts.
        let mut low = i64::MAX;
        let farther = (place + 1..high.len()).find(|other| {
            low = low.min(stands[*other]);
            low <= saddle || height(*other) > cells[peak]
        });
        cells[peak] - farther.map_or(saddle, |_| low.max(saddle))
    }
}

/// Gives each cluster of a side whose peak is at least `from` of its cell, nearest first, to `found`. `least` is at
/// most what `from` answers, and not below 0. At most [`SPAN`] cells, none negative, none above 2^60.
///
/// Two neighbours share at most the flat floor between them; the higher peak takes it (of equal ones the nearer), so
/// clusters never overlap.
pub(super) fn clusters(
    walk: &mut Walk,
    cells: &[i64],
    least: i64,
    from: impl Fn(usize) -> i64,
    found: impl FnMut(Cluster),
) {
    Isa::detect().run(Naming {
        walk,
        cells: &cells[..cells.len().min(SPAN)],
        least,
        from,
        found,
    });
}

/// What [`clusters`] is told.
struct Naming<'a, From, Found> {
    walk: &'a mut Walk,
    cells: &'a [i64],
    least: i64,
    from: From,
    found: Found,
}

impl<From: Fn(usize) -> i64, Found: FnMut(Cluster)> Job for Naming<'_, From, Found> {
    type Out = ();

    #[inline(always)]
    fn run<S: Scan>(mut self, _: S) {
        let (walk, cells, least) = (self.walk, self.cells, self.least);
        walk.persist(cells, least);
        let kept = &walk.kept[..walk.used];
        let (Some(first), Some(last)) = (
            kept.iter().position(|kept| *kept),
            kept.iter().rposition(|kept| *kept),
        ) else {
            return;
        };
        let mut waiting: Option<Cluster> = None;
        // Behind the last there is none, so that each is told in one place.
        for place in first..=last + 1 {
            let mut next = None;
            if place <= last {
                let peak = usize::from(walk.high[place]);
                if !walk.kept[place] || cells[peak] < (self.from)(peak) {
                    continue;
                }
                // Whether a kept hill lies nearer and farther: one that was too low to be looked at counts too.
                let nearer = place > first || walk.keeps_lower(cells, least, 0, peak);
                let farther = place < last || walk.keeps_lower(cells, least, peak, cells.len());
                let (lo, hi) = if nearer && farther {
                    extent_between(cells, peak, walk.feet(cells, place))
                } else {
                    extent(cells, peak, nearer, farther)
                };
                next = Some(Cluster { peak, lo, hi });
            }
            if let Some(mut before) = waiting {
                if let Some(next) = &mut next {
                    // Nothing foresees who shares a floor and who is the higher.
                    let shared = next.lo <= before.hi;
                    let taken = shared & (cells[next.peak] > cells[before.peak]);
                    before.hi = select_unpredictable(taken, next.lo.wrapping_sub(1), before.hi);
                    next.lo = select_unpredictable(shared & !taken, before.hi + 1, next.lo);
                }
                (self.found)(before);
            }
            waiting = next;
        }
    }
}

/// What [`extent`] gives between other kept peaks: the feet, or down to a quarter of the peak.
#[inline(always)]
fn extent_between(cells: &[i64], peak: usize, [mut lo, mut hi]: [usize; 2]) -> (usize, usize) {
    let thin = |cell: usize| cells[cell] * 4 < cells[peak];
    // Mostly none, now and then one or two: so many without a branch.
    for _ in 0..2 {
        lo += usize::from(thin(lo));
        hi -= usize::from(thin(hi));
    }
    while thin(lo) {
        lo += 1;
    }
    while thin(hi) {
        hi -= 1;
    }
    (lo, hi)
}

/// Down to a quarter of the peak, or to the first rise where another kept peak lies that way.
fn extent(cells: &[i64], peak: usize, nearer: bool, farther: bool) -> (usize, usize) {
    let dense = |cell: i64| cell * 4 >= cells[peak];
    let mut lo = peak;
    while lo > 0 && dense(cells[lo - 1]) && !(nearer && cells[lo - 1] > cells[lo]) {
        lo -= 1;
    }
    let mut hi = peak;
    while hi + 1 < cells.len() && dense(cells[hi + 1]) && !(farther && cells[hi + 1] > cells[hi]) {
        hi += 1;
    }
    (lo, hi)
}

/// Gives each run of at least `least` cells up to what is cold at their distance that no cluster of `hot` (nearest
/// first) covers, as first and last cell, nearest first, until it is told to stop. Runs end at the last non-empty cell:
/// behind it the map says nothing, which is not the same as thin.
pub(super) fn corridors(
    cells: &[i64],
    limits: &Limits,
    hot: &[(usize, usize)],
    least: usize,
    mut found: impl FnMut(usize, usize) -> bool,
) {
    let least = least.max(1);
    let end = (cells.iter().rposition(|&cell| cell > 0)).map_or(0, |at| at + 1);
    let (mut first, mut past, mut cold) = (0, 0, -1);
    // What is cold at a cell, and whether so many before it are of the same band.
    let mut cold_at = |at: usize, some: usize| {
        if at < first || at >= past {
            let band = limits.edges.partition_point(|edge| *edge <= at);
            (first, past) = range(&limits.edges, band, end);
            cold = limits.cold_to[band];
        }
        (cold, at - first >= some)
    };
    // The stretches between clusters, then the runs in each.
    let mut from = 0usize;
    for &(lo, hi) in hot.iter().chain(&[(end, end)]) {
        let (mut start, stop) = (from, lo.min(end));
        while start.saturating_add(least) <= stop {
            // From its far end: a dense cell there rules out every run of this length that would hold it. One of the
            // last few is, as a rule; which one nothing foresees, so it is not asked.
            let after = start + least;
            if least >= 2 * PROBES
                && let (cold, true) = cold_at(after - 1, PROBES)
                && let Some(probes) = cells[..after].last_chunk::<PROBES>()
                && probes.iter().fold(0, |dense, cell| dense | (cold - cell)) < 0
            {
                start = after - PROBES + 1;
                continue;
            }
            let mut thin = |at: usize| cells[at] <= cold_at(at, 0).0;
            if let Some(dense) = (start..after).rev().find(|at| !thin(*at)) {
                start = dense + 1;
                continue;
            }
            let after = (after..stop).find(|at| !thin(*at)).unwrap_or(stop);
            if !found(start, after - 1) {
                return;
            }
            start = after + 1;
        }
        from = hi + 1;
    }
}

#[cfg(test)]
mod tests;
