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
//! In a rough map most hills are too low to be told of, and no branch predictor foresees which. So which cells rise and
//! which are high is told by bits, 64 cells a word, without a branch on a cell's value, and only the high hills are
//! looked at: a hill's saddles lie between it and higher ones, so what is left out below changes nothing for the rest.

use super::bands::range;
use super::density::{Limits, SPAN};
use core::hint::select_unpredictable;

/// A hill worth a zone, in cells from the mark outwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    /// The highest cell; the nearest of equal ones.
    pub(super) peak: usize,
    /// Nearest cell.
    pub(super) lo: usize,
    /// Farthest cell.
    pub(super) hi: usize,
    /// Height above the saddle, sixteenths of a cent: 0 until [`Walk::prominence`] is asked.
    pub(super) prominence: i64,
}

/// Hills cannot be neighbours, so two cells share a place.
const PLACES: usize = SPAN / 2;
/// Cells of a word of bits.
const WORD: usize = 64;
const WORDS: usize = SPAN / WORD;
/// Bits of a word that are taken at once, whether there or not: how many there are is no branch to foresee.
const AT_ONCE: usize = 4;
/// Cells at the end of a corridor that are looked at before the rest.
const PROBES: usize = 4;

/// A falling stack: hills without a higher one to their right (yet), and the lowest cell between each and the one under
/// it, by whatever number its level is asked with.
struct Stack {
    hills: [u16; PLACES],
    saddles: [u16; PLACES],
}

/// Bit by cell: higher than the one before. Two words of sea behind the last.
///
/// A flat counts as a fall: where it is a step on the way up it makes a hill of no prominence, which is never kept.
struct Slopes([u64; WORDS + 2]);

/// Room for the walk over a side; the next side may use it again.
pub(super) struct Walk {
    slopes: Slopes,
    /// Peaks of the hills that are high enough, `used` of them; here and below one more is written than there may be.
    high: [u16; PLACES + 1],
    used: usize,
    /// By place in `high`: the lowest cell between it and the one before.
    stands: [i64; PLACES + 1],
    /// By place in `high`: its place in `valleys`.
    hills: [u16; PLACES + 1],
    /// The last of the lowest cells before each hill, and behind the last one the last cell.
    valleys: [u16; PLACES + 2],
    /// By place in `high`.
    kept: [bool; PLACES],
    stack: Stack,
}

/// Which of a word of cells are lower than the cell after them.
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

impl Slopes {
    /// The first cell from `from` on (at most [`SPAN`]) that rises, or with `flip` of all ones that does not; [`SPAN`]
    /// or more if there is none.
    fn next(&self, from: usize, flip: u64) -> usize {
        let (mut word, bit) = (from / WORD, from % WORD);
        // A word of bits from here on, out of two.
        let [here, after] = [word, word + 1].map(|word| self.0[word] ^ flip);
        let bits = here >> bit | after << 1 << (WORD - 1 - bit);
        if bits != 0 {
            return from + bits.trailing_zeros() as usize;
        }
        word += 1;
        while word < WORDS && self.0[word] ^ flip == 0 {
            word += 1;
        }
        word * WORD + (self.0[word] ^ flip).trailing_zeros() as usize
    }

    /// Hills with a peak in `from ..= to`, each with the lowest cell between it and the one before; that of the first
    /// has no meaning.
    fn hills(&self, from: usize, to: usize) -> impl Iterator<Item = (u16, u16)> {
        let mut at = from;
        core::iter::from_fn(move || {
            let rise = self.next(at, 0);
            at = self.next(rise.min(SPAN), u64::MAX);
            (rise <= to).then(|| ((at - 1) as u16, rise.saturating_sub(1) as u16))
        })
    }
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
            slopes: Slopes([0; WORDS + 2]),
            high: [0; PLACES + 1],
            used: 0,
            stands: [0; PLACES + 1],
            hills: [0; PLACES + 1],
            valleys: [0; PLACES + 2],
            kept: [false; PLACES],
            stack: Stack {
                hills: [0; PLACES],
                saddles: [0; PLACES],
            },
        }
    }

    /// Where the cells of a side rise, and which hills of it are at least `least`.
    fn survey(&mut self, cells: &[i64], least: i64) {
        self.slopes.0.fill(0);
        // The outside is sea level.
        let mut end = [0; WORD + 1];
        let mut climbing = cells.first().is_some_and(|first| *first > 0);
        let (mut used, mut low, mut hill) = (0, 0, 1);
        for word in 0..cells.len().div_ceil(WORD) {
            let rest = &cells[word * WORD..];
            let here = rest.first_chunk().unwrap_or_else(|| {
                end[..rest.len()].copy_from_slice(rest);
                &end
            });
            let after = climbs(here);
            let up = after << 1 | u64::from(climbing);
            climbing = after >> (WORD - 1) != 0;
            self.slopes.0[word] = up;
            let (mut valleys, all) = (after & !up, up & !after);
            let mut peaks = all;
            if valleys | peaks == 0 {
                continue;
            }
            // One of either at a time, the peak first: where the word does not begin on the way up, its first cell
            // stands for a peak, and is none.
            peaks |= !up & 1;
            while valleys | peaks != 0 {
                for _ in 0..AT_ONCE {
                    // Where there are none left, the last cell stands for them.
                    let [peak, valley] = [peaks, valleys]
                        .map(|bits| (bits | 1 << (WORD - 1)).trailing_zeros() as usize % WORD);
                    self.high[used] = (word * WORD + peak) as u16;
                    self.hills[used] = hill as u16;
                    self.stands[used] = low;
                    let is_peak = peaks & peaks.wrapping_neg() & all != 0;
                    let is_high = is_peak & (here[peak] >= least);
                    used += usize::from(is_high);
                    low = select_unpredictable(is_high, i64::MAX, low);
                    // The lower of the two, in numbers: of a comparison a compiler makes a branch.
                    let falls = here[valley] - low;
                    low += falls & falls >> 63;
                    self.valleys[hill] = (word * WORD + valley) as u16;
                    hill += usize::from(valleys != 0);
                    peaks &= peaks.wrapping_sub(1);
                    valleys &= valleys.wrapping_sub(1);
                }
            }
        }
        self.valleys[hill] = cells.len().saturating_sub(1) as u16;
        self.used = used;
    }

    /// Finds the kept hills of a side among those of at least `least`.
    fn persist(&mut self, cells: &[i64], least: i64) {
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
    fn feet(&self, cells: &[i64], place: usize) -> [usize; 2] {
        let hill = usize::from(self.hills[place]);
        let [mut lo, hi] = [hill - 1, hill].map(|at| usize::from(self.valleys[at]));
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
        let hills = self.slopes.hills(from, to);
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
    mut found: impl FnMut(Cluster),
) {
    let cells = &cells[..cells.len().min(SPAN)];
    walk.persist(cells, least);
    let kept = &walk.kept[..walk.used];
    let (Some(first), Some(last)) = (
        kept.iter().position(|kept| *kept),
        kept.iter().rposition(|kept| *kept),
    ) else {
        return;
    };
    let mut waiting: Option<Cluster> = None;
    for place in first..=last {
        let peak = usize::from(walk.high[place]);
        if !walk.kept[place] || cells[peak] < from(peak) {
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
        let mut next = Cluster {
            peak,
            lo,
            hi,
            prominence: 0,
        };
        if let Some(mut before) = waiting {
            // Nothing foresees who shares a floor and who is the higher.
            let shared = next.lo <= before.hi;
            let taken = shared & (cells[next.peak] > cells[before.peak]);
            before.hi = select_unpredictable(taken, next.lo.wrapping_sub(1), before.hi);
            next.lo = select_unpredictable(shared & !taken, before.hi + 1, next.lo);
            found(before);
        }
        waiting = Some(next);
    }
    if let Some(cluster) = waiting {
        found(cluster);
    }
}

/// What [`extent`] gives between other kept peaks: the feet, or down to a quarter of the peak.
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The published flood: descending, union-find; (peak, lo, hi, prominence) with shared saddles.
    fn flood(h: &[i64]) -> Vec<(usize, usize, usize, i64)> {
        fn root(parent: &[Option<usize>], mut i: usize) -> usize {
            while let Some(up) = parent[i]
                && up != i
            {
                i = up;
            }
            i
        }
        let n = h.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&i| (-h[i], i));
        let mut parent = vec![None; n];
        let mut peak: Vec<usize> = (0..n).collect();
        let mut stands: BTreeMap<usize, i64> = BTreeMap::new();
        for i in order {
            if h[i] == 0 {
                continue;
            }
            parent[i] = Some(i);
            for j in [i.checked_sub(1), Some(i + 1)].into_iter().flatten() {
                if j >= n || parent[j].is_none() {
                    continue;
                }
                let (a, b) = (root(&parent, i), root(&parent, j));
                if a == b {
                    continue;
                }
                let lower = |r: usize| (h[peak[r]], -(peak[r] as i64));
                let (low, high) = if lower(a) < lower(b) { (a, b) } else { (b, a) };
                if peak[low] != i {
                    stands.insert(peak[low], h[peak[low]] - h[i]);
                }
                parent[low] = Some(high);
            }
        }
        for i in 0..n {
            if parent[i].is_some() {
                let top = peak[root(&parent, i)];
                stands.insert(top, h[top]);
            }
        }
        peak.clear();
        let keep: Vec<usize> = (stands.iter())
            .filter(|&(&p, &stand)| stand * 4 >= h[p])
            .map(|(&p, _)| p)
            .collect();
        let other = |p: usize, k: usize| k != p && keep.contains(&k);
        let mut out = Vec::new();
        for &p in &keep {
            let (mut lo, mut hi) = (p, p);
            while lo > 0
                && h[lo - 1] * 4 >= h[p]
                && !other(p, lo - 1)
                && !(h[lo - 1] > h[lo] && keep.iter().any(|&k| k != p && k < lo))
            {
                lo -= 1;
            }
            while hi + 1 < n
                && h[hi + 1] * 4 >= h[p]
                && !other(p, hi + 1)
                && !(h[hi + 1] > h[hi] && keep.iter().any(|&k| k != p && k > hi))
            {
                hi += 1;
            }
            out.push((p, lo, hi, stands[&p]));
        }
        out
    }

    /// The flood's clusters with the shared floors given to the higher peak, cell by cell.
    fn parted(h: &[i64]) -> Vec<(usize, usize, usize, i64)> {
        parted_from(h, |_| 0)
    }

    /// Of those only the ones with a peak that is high enough.
    fn parted_from(h: &[i64], from: impl Fn(usize) -> i64) -> Vec<(usize, usize, usize, i64)> {
        let mut out = flood(h);
        out.retain(|cluster| h[cluster.0] >= from(cluster.0));
        for at in 1..out.len() {
            while out[at].1 <= out[at - 1].2 {
                if h[out[at].0] > h[out[at - 1].0] {
                    out[at - 1].2 -= 1;
                } else {
                    out[at].1 += 1;
                }
            }
        }
        out
    }

    fn found_from(
        h: &[i64],
        least: i64,
        from: impl Fn(usize) -> i64,
    ) -> Vec<(usize, usize, usize, i64)> {
        let (mut walk, mut out) = (Box::new(Walk::new()), Vec::new());
        clusters(&mut walk, h, least, from, |c| out.push(c));
        let told = |c: Cluster| (c.peak, c.lo, c.hi, walk.prominence(h, c.peak));
        out.into_iter().map(told).collect()
    }

    fn found(h: &[i64], from: i64) -> Vec<(usize, usize, usize, i64)> {
        found_from(h, from, |_| from)
    }

    #[test]
    fn the_published_clusters_are_found() {
        let h = [
            13, 33, 82, 179, 305, 371, 311, 181, 81, 36, 17, 10, 23, 66, 136, 199, 215, 177, 107,
            50,
        ];
        let want = [(5, 3, 7, 371), (16, 13, 18, 205)];
        assert_eq!(flood(&h), want);
        assert_eq!(found(&h, 0), want);
        assert_eq!(found(&h, 216), want[..1]);
    }

    #[test]
    fn borders_are_answered() {
        assert_eq!(found(&[], 0), []);
        assert_eq!(found(&[0, 0, 0], 0), []);
        assert_eq!(found(&[7], 0), [(0, 0, 0, 7)]);
        assert_eq!(found(&[7; SPAN], 0), [(0, 0, SPAN - 1, 7)]);
        // Equal twins over one floor: the nearer is the higher and takes the floor.
        assert_eq!(found(&[9, 3, 3, 9], 0), [(0, 0, 2, 9), (3, 3, 3, 6)]);
        let top = 1 << 54;
        assert_eq!(found(&[top, 0, top], 0), [(0, 0, 0, top), (2, 2, 2, top)]);
    }

    #[test]
    fn as_many_peaks_as_fit_are_kept() {
        let comb: Vec<i64> = (0..SPAN as i64).map(|i| (i + 1) % 2 * (5 + i)).collect();
        assert_eq!(found(&comb, 0).len(), PLACES);
        let falling: Vec<i64> = comb.iter().rev().copied().collect();
        assert_eq!(found(&falling, 0).len(), PLACES);
    }

    #[test]
    fn corridors_end_where_the_map_ends() {
        let h = [1, 1, 9, 9, 0, 1, 1, 9, 0, 0];
        let to = |cold: i64| Limits {
            edges: [usize::MAX; 7],
            hot_from: [i64::MAX; 8],
            cold_to: [cold; 8],
            flags: 0,
        };
        let runs = |limits: &Limits, hot: &[(usize, usize)], least, most| {
            let mut out = Vec::new();
            corridors(&h, limits, hot, least, |lo, hi| {
                out.push((lo, hi));
                out.len() < most
            });
            out
        };
        let hot = [(2, 3)];
        assert_eq!(runs(&to(1), &hot, 1, 9), [(0, 1), (4, 6)]);
        assert_eq!(runs(&to(1), &hot, 3, 9), [(4, 6)]);
        assert_eq!(runs(&to(1), &hot, 1, 1), [(0, 1)]);
        assert_eq!(runs(&to(1), &hot, usize::MAX, 9), []);
        assert_eq!(
            runs(&to(9), &[(2, 3), (6, 6)], 1, 9),
            [(0, 1), (4, 5), (7, 7)]
        );
        corridors(&[0; 9], &to(9), &[], 1, |_, _| unreachable!());
        // A run goes on over the edge of a band, each cell judged by its own.
        let mut bands = to(1);
        (bands.edges, bands.cold_to) = ([1, 6, 7, 8, 9, 9, 9], [1, 0, 1, 9, 9, 9, 9, 9]);
        assert_eq!(runs(&bands, &hot, 1, 9), [(0, 0), (4, 4), (6, 7)]);
    }

    #[test]
    fn the_walk_equals_the_flood_on_a_whole_side() {
        let mut seed = 7u64;
        for spread in [3, 40, 1 << 40] {
            let h: Vec<i64> = (0..SPAN)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 20) as i64 % spread
                })
                .collect();
            assert_eq!(found(&h, 0), parted(&h));
            // Smoothed as the map is, only what is high; the last word is no whole one.
            let smooth: Vec<i64> = h
                .windows(5)
                .map(|h| h[0] + 4 * (h[1] + h[2] + h[3]) + 2 * h[2] + h[4])
                .collect();
            let mut sorted = smooth.clone();
            sorted.sort_unstable();
            for tenths in [5, 9] {
                let least = sorted[sorted.len() * tenths / 10];
                let all = found(&smooth, least);
                assert!(spread == 3 || all.len() > 100);
                assert_eq!(all, parted_from(&smooth, |_| least));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_walk_equals_the_flood(
            h in prop_oneof![
                prop::collection::vec(0i64..6, 0..60),
                prop::collection::vec(0i64..40, 0..60),
                prop::collection::vec(0i64..1 << 54, 0..40),
            ]
        ) {
            prop_assert_eq!(found(&h, 0), parted(&h));
        }

        /// What is too low to be told of is left out of the walk, and changes nothing for the rest.
        #[test]
        fn the_walk_over_high_hills_equals_the_flood(
            h in prop_oneof![
                prop::collection::vec(0i64..6, 0..90),
                prop::collection::vec(0i64..60, 0..90),
                prop::collection::vec(0i64..9_000, 60..200),
            ],
            cuts in prop::array::uniform2(0usize..10),
            edge in 0usize..200,
        ) {
            let mut sorted = h.clone();
            sorted.sort_unstable();
            let cuts = cuts.map(|tenths| sorted.get(h.len() * tenths / 10).copied().unwrap_or(0));
            let from = |at: usize| if at < edge { cuts[0] } else { cuts[1] };
            let out = found_from(&h, cuts[0].min(cuts[1]), from);
            prop_assert_eq!(out, parted_from(&h, from));
        }

        /// Against every cell asked: maximal runs of the stretches, those that are long enough.
        #[test]
        fn corridors_are_the_long_runs(
            h in prop::collection::vec(0i64..4, 0..90),
            edge in 0usize..90,
            hot in 0usize..90,
            least in 1usize..6,
        ) {
            let mut limits = Limits {
                edges: [usize::MAX; 7],
                hot_from: [i64::MAX; 8],
                cold_to: [1; 8],
                flags: 0,
            };
            (limits.edges[0], limits.cold_to[0]) = (edge, 2);
            let end = h.iter().rposition(|&cell| cell > 0).map_or(0, |at| at + 1);
            let thin = |at: usize| at < end && !(hot..hot + 3).contains(&at)
                && h[at] <= if at < edge { 2 } else { 1 };
            let mut want = Vec::new();
            let mut start = 0;
            for at in 0..=end {
                if !thin(at) {
                    if at - start >= least {
                        want.push((start, at - 1));
                    }
                    start = at + 1;
                }
            }
            let mut got = Vec::new();
            corridors(&h, &limits, &[(hot, hot + 2)], least, |lo, hi| {
                got.push((lo, hi));
                true
            });
            prop_assert_eq!(got, want);
        }

        #[test]
        fn clusters_are_apart_and_hold_their_peaks(h in prop::collection::vec(0i64..12, 0..90)) {
            let all = found(&h, 0);
            for &(peak, lo, hi, prominence) in &all {
                prop_assert!(lo <= peak && peak <= hi);
                prop_assert!(prominence > 0 && prominence <= h[peak]);
            }
            prop_assert!(all.windows(2).all(|pair| pair[0].2 < pair[1].1));
        }
    }
}
