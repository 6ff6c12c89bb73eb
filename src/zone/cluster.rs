//! Clusters: step 3 of the zones. Which hills of the smoothed density stand on their own, and how far each reaches.
//!
//! Flood the landscape from above: a hill is born at its peak and dies where the water first joins it to a higher one
//! (of equal ones the nearer to the mark is the higher). Its *prominence* is how far it stands above that saddle. A
//! hill is kept when its prominence is at least a quarter of its height, and reaches down to a quarter of its peak or
//! to the saddle before the next kept hill. The outside and empty cells are sea level, so hills that empty cells part
//! never join.
//!
//! The flood needs a sort; this does not. One walk meets hills in order and keeps those without a higher one to their
//! right on a falling stack, each with its left saddle; a hill that is overtaken knows both saddles, and the higher
//! of the two is where the flood would have joined it. Linear in the cells. The flood is the twin in the tests.
//!
//! In a rough map most hills are too low to be told of, and no branch predictor foresees which. So where the cells
//! turn, and which hills are high enough, is found without a branch on a cell's value, and only the high ones are
//! walked: a hill's saddles lie between it and higher ones, so what is left out below changes nothing for the rest.

use super::bands::range;
use super::density::{Limits, SPAN};
use core::cell::Cell;

/// A hill worth a zone, in cells from the mark outwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    /// The highest cell; the nearest of equal ones.
    pub(super) peak: usize,
    /// Nearest cell.
    pub(super) lo: usize,
    /// Farthest cell.
    pub(super) hi: usize,
    /// Height above the saddle, sixteenths of a cent.
    pub(super) prominence: i64,
}

/// Hills cannot be neighbours, so two cells share a place.
const PLACES: usize = SPAN / 2;
/// A saddle that is no cell.
const SEA: u16 = u16::MAX;
/// Cells whose slopes make a word.
const WORD: usize = 64;
/// A bit for each cell of a word.
const BITS: [u64; WORD] = {
    let mut bits = [0; WORD];
    let mut at = 0;
    while at < WORD {
        bits[at] = 1 << at;
        at += 1;
    }
    bits
};

/// Where the cells of a side begin to rise and where to fall: a hill is one of each.
struct Turns {
    rises: [u16; PLACES + 1],
    falls: [u16; PLACES + 1],
    hills: u16,
}

/// A falling stack: hills without a higher one to their right (yet), and the lowest cell between each and the one under
/// it.
struct Stack {
    hills: [u16; PLACES],
    saddles: [u16; PLACES],
}

/// Room for the walk over a side; the next side may use it again.
pub(super) struct Walk {
    turns: Turns,
    stack: Stack,
    /// Hills that are high enough.
    high: [u16; PLACES],
    used: usize,
    /// By place in `high`: which are kept.
    kept: [u64; PLACES / WORD],
    /// By place in `high`: the lowest cell between it and the one before, once it was walked over the one it stands on.
    stands: [u16; PLACES],
}

/// Which of `here` (at most a word) are higher than the cell before them.
fn up(before: &[i64], here: &[i64]) -> u64 {
    let cells = before.iter().zip(here);
    // Cells are below 2^60, so a difference has its sign.
    cells.zip(&BITS).fold(0, |up, ((last, cell), bit)| {
        up | ((last - cell) >> 63) as u64 & bit
    })
}

impl Turns {
    /// A flat counts as a fall: where it is a step on the way up it makes a hill of no prominence, which is never kept.
    fn find(&mut self, cells: &[i64]) {
        let (mut rises, mut falls, mut climbs) = (0, 0, 0);
        for (word, here) in cells.chunks(WORD).enumerate() {
            let first = word * WORD;
            let up = if first == 0 {
                // The outside is sea level.
                let mut before = [0; WORD];
                before[1..here.len()].copy_from_slice(&here[..here.len() - 1]);
                up(&before, here)
            } else {
                up(&cells[first - 1..], here)
            };
            let before = up << 1 | climbs;
            climbs = up >> (WORD - 1);
            // One of either at a time, as long as there is any: what is written beyond the last is not counted.
            let (mut rise, mut fall) = (up & !before, before & !up);
            while rise | fall != 0 {
                self.rises[rises] = (first + rise.trailing_zeros() as usize) as u16;
                self.falls[falls] = (first + fall.trailing_zeros() as usize) as u16;
                rises += usize::from(rise != 0);
                falls += usize::from(fall != 0);
                rise &= rise.wrapping_sub(1);
                fall &= fall.wrapping_sub(1);
            }
        }
        if climbs != 0 {
            self.falls[falls] = cells.len() as u16;
        }
        self.hills = rises as u16;
    }

    /// The nearest of the highest cells of a hill.
    fn top(&self, hill: u16) -> usize {
        usize::from(self.falls[usize::from(hill)]).saturating_sub(1)
    }

    /// The last of the lowest cells before a hill; of no meaning for the first.
    fn valley(&self, hill: u16) -> usize {
        usize::from(self.rises[usize::from(hill)]).saturating_sub(1)
    }
}

/// The height of a cell; the sea's beyond them.
fn level(cells: &[i64], cell: u16) -> i64 {
    cells.get(usize::from(cell)).copied().unwrap_or(0)
}

impl Stack {
    /// Walks over hills, each with the lowest cell between it and the last one, and offers each with the higher of its
    /// saddles once both are known, until told to stop; answers whether it was. Beyond the ends lies the sea.
    fn walk(
        &mut self,
        cells: &[i64],
        hills: impl Iterator<Item = (u16, u16)>,
        height: impl Fn(u16) -> i64,
        mut offer: impl FnMut(u16, u16) -> bool,
    ) -> bool {
        let mut used = 0;
        for (hill, valley) in hills {
            let (mut saddle, mut low) = (valley, level(cells, valley));
            let reached = height(hill);
            while used > 0 {
                let (top, left) = (self.hills[used - 1], self.saddles[used - 1]);
                if height(top) >= reached {
                    break;
                }
                let under = level(cells, left);
                if offer(top, if under > low { left } else { saddle }) {
                    return true;
                }
                (saddle, low) = if under < low {
                    (left, under)
                } else {
                    (saddle, low)
                };
                used -= 1;
            }
            self.hills[used] = hill;
            self.saddles[used] = if used == 0 { SEA } else { saddle };
            used += 1;
        }
        let left = self.hills[..used].iter().zip(&self.saddles);
        left.into_iter().any(|(hill, saddle)| offer(*hill, *saddle))
    }
}

/// True when a hill stands out of its saddle by a quarter of its height.
const fn stands_out(height: i64, saddle: i64) -> bool {
    height > 0 && (height - saddle) * 4 >= height
}

impl Walk {
    pub(super) const fn new() -> Self {
        Self {
            turns: Turns {
                rises: [0; PLACES + 1],
                falls: [0; PLACES + 1],
                hills: 0,
            },
            stack: Stack {
                hills: [0; PLACES],
                saddles: [0; PLACES],
            },
            high: [0; PLACES],
            used: 0,
            kept: [0; PLACES / WORD],
            stands: [0; PLACES],
        }
    }

    /// Finds the kept hills of a side among those of at least `least`.
    fn persist(&mut self, cells: &[i64], least: i64) {
        self.turns.find(cells);
        let turns = &self.turns;
        let (mut used, mut valley, mut low) = (0, 0, i64::MAX);
        for hill in 0..turns.hills {
            let here = turns.valley(hill);
            if cells[here] < low {
                (valley, low) = (here as u16, cells[here]);
            }
            (self.high[used], self.stands[used]) = (hill, valley);
            let is_high = cells[turns.top(hill)] >= least;
            used += usize::from(is_high);
            low = if is_high { i64::MAX } else { low };
        }
        self.used = used;
        self.kept.fill(0);
        let (high, kept) = (&self.high, &mut self.kept);
        let stands = Cell::from_mut(&mut self.stands[..used]).as_slice_of_cells();
        let height = |place: u16| cells[turns.top(high[usize::from(place)])];
        let hills = (0..).zip(stands.iter().map(Cell::get));
        self.stack.walk(cells, hills, height, |place, saddle| {
            let at = usize::from(place);
            let keep = stands_out(height(place), level(cells, saddle));
            kept[at / WORD] |= u64::from(keep) << (at % WORD);
            stands[at].set(saddle);
            false
        });
    }

    /// True when one of some hills is lower than `least` and kept; at either end must be one of `least`, or the sea.
    fn keeps_lower(&mut self, cells: &[i64], least: i64, hills: impl Iterator<Item = u16>) -> bool {
        let turns = &self.turns;
        let height = |hill: u16| cells[turns.top(hill)];
        let hills = hills.map(|hill| (hill, turns.valley(hill) as u16));
        self.stack.walk(cells, hills, height, |hill, saddle| {
            height(hill) < least && stands_out(height(hill), level(cells, saddle))
        })
    }
}

/// Gives each cluster of a side whose peak is at least `from` of its cell, nearest first, to `found`. `least` is at
/// most what `from` answers. At most [`SPAN`] cells, none negative, none above 2^60.
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
    let is_kept = |walk: &Walk, place: usize| walk.kept[place / WORD] >> (place % WORD) & 1 != 0;
    let Some(first) = (0..walk.used).find(|place| is_kept(walk, *place)) else {
        return;
    };
    let last = (0..walk.used).rfind(|place| is_kept(walk, *place));
    let last = last.unwrap_or(first);
    let mut waiting: Option<Cluster> = None;
    let (mut word, mut bits) = (first / WORD, walk.kept[first / WORD]);
    loop {
        while bits == 0 && word < last / WORD {
            word += 1;
            bits = walk.kept[word];
        }
        if bits == 0 {
            break;
        }
        let place = word * WORD + bits.trailing_zeros() as usize;
        bits &= bits - 1;
        let hill = walk.high[place];
        let peak = walk.turns.top(hill);
        if cells[peak] < from(peak) {
            continue;
        }
        // Whether a kept hill lies nearer and farther: one that was too low to be walked counts too.
        let nearer = place > first || walk.keeps_lower(cells, least, 0..=hill);
        let farther = place < last || walk.keeps_lower(cells, least, hill..walk.turns.hills);
        let (lo, hi) = extent(cells, peak, nearer, farther);
        let mut next = Cluster {
            peak,
            lo,
            hi,
            prominence: cells[peak] - level(cells, walk.stands[place]),
        };
        if let Some(mut before) = waiting {
            if next.lo <= before.hi {
                if cells[next.peak] > cells[before.peak] {
                    before.hi = next.lo - 1;
                } else {
                    next.lo = before.hi + 1;
                }
            }
            found(before);
        }
        waiting = Some(next);
    }
    if let Some(cluster) = waiting {
        found(cluster);
    }
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
    let mut thin = |at: usize| {
        if at < first || at >= past {
            let band = limits.edges.partition_point(|edge| *edge <= at);
            (first, past) = range(&limits.edges, band, end);
            cold = limits.cold_to[band];
        }
        cells[at] <= cold
    };
    // The stretches between clusters, then the runs in each.
    let mut from = 0usize;
    for &(lo, hi) in hot.iter().chain(&[(end, end)]) {
        let (mut start, stop) = (from, lo.min(end));
        while start.saturating_add(least) <= stop {
            // From its far end: a dense cell there rules out every run of this length that would hold it.
            if let Some(dense) = (start..start + least).rev().find(|at| !thin(*at)) {
                start = dense + 1;
                continue;
            }
            let after = (start + least..stop).find(|at| !thin(*at)).unwrap_or(stop);
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

    fn found(h: &[i64], from: i64) -> Vec<(usize, usize, usize, i64)> {
        let mut out = Vec::new();
        clusters(
            &mut Walk::new(),
            h,
            from,
            |_| from,
            |c| out.push((c.peak, c.lo, c.hi, c.prominence)),
        );
        out
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
            let mut out = Vec::new();
            let least = cuts[0].min(cuts[1]);
            clusters(&mut Walk::new(), &h, least, from, |c| {
                out.push((c.peak, c.lo, c.hi, c.prominence));
            });
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
