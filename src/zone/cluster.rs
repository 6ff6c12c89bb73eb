//! Clusters: step 3 of the zones. Which hills of the smoothed density stand on their own, and how far each reaches.
//!
//! Flood the landscape from above: a hill is born at its peak and dies where the water first joins it to a higher one
//! (of equal ones the nearer to the mark is the higher). Its *prominence* is how far it stands above that saddle. A
//! hill is kept when its prominence is at least a quarter of its height, and reaches down to a quarter of its peak or
//! to the saddle before the next kept hill. The outside and empty cells are sea level, so hills that empty cells part
//! never join.
//!
//! The flood needs a sort; this does not. One walk meets peaks in order and keeps those without a higher one to their
//! right on a falling stack, each with its left saddle; a peak that is overtaken knows both saddles, and the higher
//! of the two is where the flood would have joined it. Linear in the cells. The flood is the twin in the tests.

use super::bands::range;
use super::density::{Limits, SPAN};

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

/// Peaks cannot be neighbours, so two cells share a place.
const PLACES: usize = SPAN / 2;

/// Room for the walk over a side; the next side may use it again.
pub(super) struct Walk {
    /// A falling stack: peaks without a higher one to their right (yet).
    falling: [u16; PLACES],
    used: usize,
    /// By place of a peak: on the stack the lowest cell between it and the one under it, once kept its prominence.
    stands: [i64; PLACES],
    kept: [u64; SPAN / 64],
}

impl Walk {
    pub(super) const fn new() -> Self {
        Self {
            falling: [0; PLACES],
            used: 0,
            stands: [0; PLACES],
            kept: [0; SPAN / 64],
        }
    }

    fn offer(&mut self, cells: &[i64], peak: usize, saddle: i64) {
        let height = cells[peak];
        let prominence = height - saddle;
        if height > 0 && prominence * 4 >= height {
            self.kept[peak / 64] |= 1 << (peak % 64);
            self.stands[peak / 2] = prominence;
        }
    }

    /// A new peak, and the lowest cell between it and the last one: settles those it overtakes.
    fn push(&mut self, cells: &[i64], peak: usize, valley: i64) {
        let mut saddle = valley;
        while self.used > 0 {
            let at = usize::from(self.falling[self.used - 1]);
            if cells[at] >= cells[peak] {
                break;
            }
            let left = self.stands[at / 2];
            self.offer(cells, at, saddle.max(left));
            saddle = saddle.min(left);
            self.used -= 1;
        }
        self.falling[self.used] = peak as u16;
        self.stands[peak / 2] = if self.used == 0 { 0 } else { saddle };
        self.used += 1;
    }

    /// Finds the kept peaks of a side.
    ///
    /// Where it rises and where it falls is read into words of 64 cells without a branch; then only turns are visited:
    /// the first rise after a fall (a valley lies before it), the first fall after a rise (the last rise was a peak).
    fn persist(&mut self, cells: &[i64]) {
        self.used = 0;
        self.kept.fill(0);
        let (mut last, mut valley, mut rise, mut climbing) = (0, 0, 0, false);
        for (word, block) in cells.chunks(64).enumerate() {
            // The first cell is the highest bit. Cells are below 2^60, so a difference has its sign.
            let (mut up, mut down) = (0u64, 0u64);
            for &cell in block {
                up = up << 1 | (last - cell) as u64 >> 63;
                down = down << 1 | (cell - last) as u64 >> 63;
                last = cell;
            }
            let short = 64 - block.len() as u32;
            (up, down) = (up << short, down << short);
            loop {
                if !climbing {
                    let at = up.leading_zeros();
                    if at == 64 {
                        break;
                    }
                    let cell = word * 64 + at as usize;
                    valley = if cell == 0 { 0 } else { cells[cell - 1] };
                    climbing = true;
                    down &= u64::MAX >> at;
                }
                let at = down.leading_zeros();
                let ahead = u64::MAX.checked_shr(at).unwrap_or(0);
                let before = up & !ahead;
                if before != 0 {
                    rise = word * 64 + 63 - before.trailing_zeros() as usize;
                }
                if ahead == 0 {
                    break;
                }
                self.push(cells, rise, valley);
                climbing = false;
                up &= ahead;
            }
        }
        if climbing {
            self.push(cells, rise, valley);
        }
        for top in 0..self.used {
            let at = usize::from(self.falling[top]);
            self.offer(cells, at, self.stands[at / 2]);
        }
    }

    /// First and last kept peak.
    fn ends(&self) -> Option<(usize, usize)> {
        let first = self.kept.iter().position(|word| *word != 0)?;
        let last = self.kept.iter().rposition(|word| *word != 0)?;
        Some((
            first * 64 + self.kept[first].trailing_zeros() as usize,
            last * 64 + 63 - self.kept[last].leading_zeros() as usize,
        ))
    }
}

/// Gives each cluster of a side whose peak is at least `from` of its cell, nearest first, to `found`. At most [`SPAN`]
/// cells, none negative, none above 2^60.
///
/// Two neighbours share at most the flat floor between them; the higher peak takes it (of equal ones the nearer), so
/// clusters never overlap.
pub(super) fn clusters(
    walk: &mut Walk,
    cells: &[i64],
    from: impl Fn(usize) -> i64,
    mut found: impl FnMut(Cluster),
) {
    let cells = &cells[..cells.len().min(SPAN)];
    walk.persist(cells);
    let Some((first, last)) = walk.ends() else {
        return;
    };
    let mut waiting: Option<Cluster> = None;
    let (mut word, mut bits) = (first / 64, walk.kept[first / 64]);
    loop {
        while bits == 0 && word < last / 64 {
            word += 1;
            bits = walk.kept[word];
        }
        if bits == 0 {
            break;
        }
        let peak = word * 64 + bits.trailing_zeros() as usize;
        bits &= bits - 1;
        if cells[peak] < from(peak) {
            continue;
        }
        let (lo, hi) = extent(cells, peak, first, last);
        let mut next = Cluster {
            peak,
            lo,
            hi,
            prominence: walk.stands[peak / 2],
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

/// Down to a quarter of the peak, or to the first rise towards another kept peak.
fn extent(cells: &[i64], peak: usize, first: usize, last: usize) -> (usize, usize) {
    let dense = |cell: i64| cell * 4 >= cells[peak];
    let mut lo = peak;
    while lo > 0 && dense(cells[lo - 1]) && !(cells[lo - 1] > cells[lo] && first < lo) {
        lo -= 1;
    }
    let mut hi = peak;
    while hi + 1 < cells.len() && dense(cells[hi + 1]) && !(cells[hi + 1] > cells[hi] && last > hi)
    {
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
        let mut out = flood(h);
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
