//! Tests of clusters.

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
    // Neither what is left in the room nor the instruction set changes anything.
    let other: Vec<i64> = h.iter().rev().copied().collect();
    clusters(&mut walk, &other, 0, |_| 0, |_| {});
    Isa::plain().run(Naming {
        walk: &mut walk,
        cells: h,
        least,
        from: &from,
        found: |c| out.push(c),
    });
    let plain = std::mem::take(&mut out);
    clusters(&mut walk, h, least, from, |c| out.push(c));
    assert_eq!(plain, out);
    let told = |c: Cluster| (c.peak, c.lo, c.hi, walk.prominence(h, c.peak));
    out.into_iter().map(told).collect()
}

fn found(h: &[i64], from: i64) -> Vec<(usize, usize, usize, i64)> {
    found_from(h, from, |_| from)
}

#[test]
fn the_published_clusters_are_found() {
    let h = [
        13, 33, 82, 179, 305, 371, 311, 181, 81, 36, 17, 10, 23, 66, 136, 199, 215, 177, 107, 50,
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
