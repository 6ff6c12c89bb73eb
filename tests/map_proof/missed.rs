//! What keeps a true cluster from being found: its positions, by why a map that was drawn from the public stream could
//! not have them where they are.

use crate::world::NEAR;
use isotherm::inventory::Params;
use isotherm::inventory::params::LADDER_E6;
use isotherm::sim::Truth;
use std::collections::HashSet;

/// Most of a cluster's USD is ...
pub(crate) const GROUPS: [&str; 4] = [
    "opened before the recording",
    "beyond the ladder",
    "more than 10 bp from every class",
    "where a class lies",
];

/// Of a group of true clusters: met by one of ours within 10 bp, within 30 bp, by none.
pub(crate) type Counts = [[u64; 3]; GROUPS.len()];

/// Positions that stood when the recording began, by holder and entry: no two enter at the same mean price.
#[derive(Debug, Default)]
pub(crate) struct Old(HashSet<(usize, u64)>);

impl Old {
    pub(crate) fn of(truth: &Truth) -> Self {
        let all = truth.entries.iter().enumerate();
        Self(
            all.flat_map(|(h, entries)| entries.iter().map(move |e| (h, e.to_bits())))
                .collect(),
        )
    }

    /// The group of the cluster whose positions are those of holder `h` at the prices that are `inside`.
    pub(crate) fn group(
        &self,
        truth: &Truth,
        h: usize,
        params: &Params,
        inside: impl Fn(f64) -> bool,
    ) -> usize {
        let mut sums = [0.0; GROUPS.len()];
        let classes = params.far_half[h].iter().zip(&params.mix[h]);
        let classes: Vec<f64> = classes
            .filter(|(_, share)| **share > 0)
            .map(|(far, _)| *far as f64)
            .collect();
        for (&(price, size), &entry) in truth.positions[h].iter().zip(&truth.entries[h]) {
            if !inside(price) {
                continue;
            }
            // In bp of log price, as the classes are.
            let distance = (price / entry).ln().abs() * 1e4;
            let off = classes.iter().map(|far| (far - distance).abs());
            let group = if self.0.contains(&(h, entry.to_bits())) {
                0
            } else if distance * 100.0 > LADDER_E6[LADDER_E6.len() - 1] as f64 {
                1
            } else if off.fold(f64::MAX, f64::min) > 2.0 * NEAR as f64 {
                2
            } else {
                3
            };
            sums[group] += price * size;
        }
        (0..sums.len())
            .max_by(|a, b| sums[*a].total_cmp(&sums[*b]))
            .unwrap_or(0)
    }
}
