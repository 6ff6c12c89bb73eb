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

/// The kept peaks of one side.
struct Kept {
    bits: [u64; SPAN / 64],
    prominence: [i64; PLACES],
}

impl Kept {
    fn offer(&mut self, cells: &[i64], peak: usize, saddle: i64) {
        let height = cells[peak];
        let prominence = height - saddle;
        if height > 0 && prominence * 4 >= height {
            self.bits[peak / 64] |= 1 << (peak % 64);
            self.prominence[peak / 2] = prominence;
        }
    }

    fn peaks(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.bits.iter().enumerate().flat_map(|(at, &word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| at * 64 + bit)
        })
    }
}

/// The falling stack: peaks without a higher one to their right (yet), with the lowest cell between each and the one
/// under it.
struct Falling {
    used: usize,
    peak: [u16; PLACES],
    saddle: [i64; PLACES],
}

impl Falling {
    /// A new peak, and the lowest cell between it and the last one: settles those it overtakes.
    fn push(&mut self, cells: &[i64], peak: usize, valley: i64, kept: &mut Kept) {
        let mut saddle = valley;
        while self.used > 0 {
            let top = self.used - 1;
            let at = usize::from(self.peak[top]);
            if cells[at] >= cells[peak] {
                break;
            }
            kept.offer(cells, at, saddle.max(self.saddle[top]));
            saddle = saddle.min(self.saddle[top]);
            self.used = top;
        }
        self.peak[self.used] = peak as u16;
        self.saddle[self.used] = if self.used == 0 { 0 } else { saddle };
        self.used += 1;
    }
}

/// Finds the kept peaks of a side.
fn persist(cells: &[i64]) -> Kept {
    let mut kept = Kept {
        bits: [0; SPAN / 64],
        prominence: [0; PLACES],
    };
    let mut falling = Falling {
        used: 0,
        peak: [0; PLACES],
        saddle: [0; PLACES],
    };
    let (mut last, mut valley, mut rise, mut climbing) = (0, 0, 0, false);
    for (at, &cell) in cells.iter().enumerate() {
        if cell > last {
            if !climbing {
                valley = last;
                climbing = true;
            }
            rise = at;
        } else if cell < last && climbing {
            falling.push(cells, rise, valley, &mut kept);
            climbing = false;
        }
        last = cell;
    }
    if climbing {
        falling.push(cells, rise, valley, &mut kept);
    }
    for top in 0..falling.used {
        kept.offer(cells, usize::from(falling.peak[top]), falling.saddle[top]);
    }
    kept
}

/// Gives each cluster of a side whose peak is at least `from` of its cell, nearest first, to `found`. At most [`SPAN`]
/// cells, none negative, none above 2^60.
///
/// Two neighbours share at most the flat floor between them; the higher peak takes it (of equal ones the nearer), so
/// clusters never overlap.
pub(super) fn clusters(cells: &[i64], from: impl Fn(usize) -> i64, mut found: impl FnMut(Cluster)) {
    let cells = &cells[..cells.len().min(SPAN)];
    let kept = persist(cells);
    let (Some(first), Some(last)) = (kept.peaks().next(), kept.peaks().next_back()) else {
        return;
    };
    let mut waiting: Option<Cluster> = None;
    for peak in kept.peaks().filter(|&peak| cells[peak] >= from(peak)) {
        let (lo, hi) = extent(cells, peak, first, last);
        let mut next = Cluster {
            peak,
            lo,
            hi,
            prominence: kept.prominence[peak / 2],
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

/// Gives each run of cells up to what is cold at their distance that no cluster of `hot` (nearest first) covers, as
/// first and last cell, nearest first. Runs end at the last non-empty cell: behind it the map says nothing, which is
/// not the same as thin.
pub(super) fn corridors(
    cells: &[i64],
    limits: &Limits,
    hot: &[(usize, usize)],
    mut found: impl FnMut(usize, usize),
) {
    let end = cells
        .iter()
        .rposition(|&cell| cell > 0)
        .map_or(0, |at| at + 1);
    // The stretches between clusters, then the runs in each: the inner loop has one question.
    let mut from = 0;
    for &(lo, hi) in hot.iter().chain(&[(end, end)]) {
        let mut start = from;
        for (band, to) in limits.cold_to.iter().enumerate() {
            let (first, past) = range(&limits.edges, band, end);
            let (first, past) = (first.max(from), past.min(lo));
            for (at, &cell) in (first..).zip(cells.get(first..past).unwrap_or(&[])) {
                if cell > *to {
                    if at > start {
                        found(start, at - 1);
                    }
                    start = at + 1;
                }
            }
        }
        if lo.min(end) > start {
            found(start, lo.min(end) - 1);
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
        let mut out = Vec::new();
        corridors(&h, &to(1), &[(2, 3)], |lo, hi| out.push((lo, hi)));
        assert_eq!(out, [(0, 1), (4, 6)]);
        out.clear();
        corridors(&h, &to(9), &[(2, 3), (6, 6)], |lo, hi| out.push((lo, hi)));
        assert_eq!(out, [(0, 1), (4, 5), (7, 7)]);
        out.clear();
        corridors(&[0; 9], &to(9), &[], |lo, hi| out.push((lo, hi)));
        assert_eq!(out, []);
        // A run goes on over the edge of a band, each cell judged by its own.
        let mut bands = to(1);
        (bands.edges, bands.cold_to) = ([1, 6, 7, 8, 9, 9, 9], [1, 0, 1, 9, 9, 9, 9, 9]);
        corridors(&h, &bands, &[(2, 3)], |lo, hi| out.push((lo, hi)));
        assert_eq!(out, [(0, 0), (4, 4), (6, 7)]);
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
