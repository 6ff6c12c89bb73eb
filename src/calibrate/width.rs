//! How prints scatter around what θ expects: clusters of prints (the *lump*), and whole hours beyond them.
//! Quantities 1e-6 lots; squares are in units of evidence. Sums never leave what is admitted.

use super::{Calibration, add};
use crate::inventory::params::{CLASSES, Params};
use crate::market::Holder;
use crate::num::fixed::{ONE, mul_div};
use crate::num::{HEADROOM, narrow};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Prints of one holder closer than this are one cluster.
const CLUSTER: Nanos = Nanos::new(30 * Nanos::SECOND.get());
/// ... but none is longer than this: where prints never cease, not all of them are one event.
const CLUSTER_MAX: Nanos = Nanos::new(5 * Nanos::MINUTE.get());

/// Prints of one holder that are one cluster so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Cluster {
    pub(super) first: Nanos,
    pub(super) last: Nanos,
    pub(super) qty: i64,
    /// Expected since the cluster before it.
    pub(super) expected: i64,
    /// Expected since its last print.
    pub(super) since: i64,
}

/// The hour that runs: what was met under the eyes of prints, and what was printed, per holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Hour {
    pub(super) number: i64,
    pub(super) met: [[i64; CLASSES]; 2],
    pub(super) realised: [i64; 2],
}

impl Calibration {
    /// An hour is whole: how far it was from what θ, as it is known by now, expects of it.
    pub(super) fn close_hour(&mut self, unit: i64, params: &Params) {
        let theta = self.theta_or(params);
        for (met, realised) in self.hour.met.iter().zip(self.hour.realised) {
            let parts = met.iter().zip(theta);
            let whole = parts.fold(0i128, |sum, (met, theta)| {
                sum + i128::from(*met) * i128::from(theta)
            });
            let expected = narrow(whole >> 16).min(HEADROOM);
            let off = realised - expected;
            let sums = [
                mul_div(off, off, unit),
                expected,
                mul_div(expected, expected, unit),
                mul_div(realised, realised, unit),
            ];
            for (sum, part) in self.hours.iter_mut().zip(sums) {
                *sum = add(*sum, part);
            }
        }
        self.hour = Hour::zeroed();
    }

    pub(super) fn lump(&mut self, now: Nanos, holder: Holder, qty: i64, unit: i64) {
        let cluster = &mut self.clusters[holder as usize];
        if now.since(cluster.last) >= CLUSTER || now.since(cluster.first) >= CLUSTER_MAX {
            *cluster = Cluster {
                first: now,
                since: cluster.since,
                ..Cluster::zeroed()
            };
        }
        if now.since(cluster.last) >= Nanos::SECOND {
            self.lumps[2] = add(self.lumps[2], ONE);
        }
        // A cluster that grows adds what its square grows by.
        let squares = |cluster: &Cluster| {
            let off = cluster.qty - cluster.expected;
            [off, cluster.qty].map(|size| mul_div(size, size, unit))
        };
        let before = squares(cluster);
        cluster.last = now;
        cluster.qty = add(cluster.qty, qty);
        cluster.expected = add(cluster.expected, cluster.since);
        cluster.since = 0;
        let after = squares(cluster);
        for (sum, at) in [(0, 0), (3, 1)] {
            self.lumps[sum] = add(self.lumps[sum], after[at].saturating_sub(before[at]));
        }
        self.lumps[1] = add(self.lumps[1], qty);
    }
}
