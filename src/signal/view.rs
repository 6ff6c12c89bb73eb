//! View: everything a signal may read about one symbol at one moment, read-only.
//!
//! The map and the zones are written by their own modules; the shard copies what signals need into [`HeatReading`]
//! and [`ZoneReading`], plain records whose all-zero form means "no map". Distances are of log price in Q32, from the
//! mark. Mirror: swapping holders and the two directions, sides of sums, and the signs of returns must negate every
//! directional signal.

use super::streams::Streams;
use crate::book::Book;
use crate::market::Holder;
use crate::num::Usd;
use crate::num::fixed::{ONE, clip};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Inputs a signal can need.
pub const INPUTS: usize = 8;

/// Their numbers; a set of them is a bit mask.
#[allow(missing_docs, reason = "named by what is heard")]
pub mod input {
    pub const TRADES: usize = 0;
    pub const BOOK: usize = 1;
    pub const MARK: usize = 2;
    pub const INTEREST: usize = 3;
    pub const FUNDING: usize = 4;
    pub const INDEX: usize = 5;
    pub const PRINTS: usize = 6;
    pub const HEATMAP: usize = 7;
}

/// Nodes of the cumulative curves.
pub const NODES: usize = 14;

/// Distances of the nodes: 0.1 % x 2^(k/2), Q32.
pub const NODE_Q32: [i64; NODES] = [
    4_294_967,
    6_074_001,
    8_589_935,
    12_148_002,
    17_179_869,
    24_296_004,
    34_359_738,
    48_592_008,
    68_719_477,
    97_184_016,
    137_438_953,
    194_368_031,
    274_877_907,
    388_736_063,
];

/// Time a reading of the map stays fresh.
const HEAT_TTL: i64 = 60 * Nanos::SECOND.get();

/// What the map says, in cents. All zeros is "no map".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct HeatReading {
    /// 1 when the map is LIVE by its own rules.
    pub valid: u64,
    /// Share of its mass that was observed and is not the documented prior, Q16: no card that reads the map is surer.
    pub observed: i64,
    /// Shard time of the reading.
    pub at: Nanos,
    /// All forced sales below.
    pub long_usd: i64,
    /// All forced purchases above.
    pub short_usd: i64,
    /// Open interest at the mark.
    pub interest_usd: i64,
    /// Cumulative cents within [`NODE_Q32`] of the mark, by holder: longs below, shorts above.
    pub within: [[i64; NODES]; 2],
    /// Distance of the heaviest bucket by holder, Q32, never negative.
    pub peak_distance_q32: [i64; 2],
    /// Its notional; 0 = there is none.
    pub peak_usd: [i64; 2],
}

impl HeatReading {
    /// Notional of a holder within `distance` (Q32) of the mark, cents: linear between nodes and from 0, held beyond
    /// the last; 0 for a distance at or below 0.
    #[must_use]
    pub fn within(&self, holder: Holder, distance: i64) -> i64 {
        let curve = &self.within[holder as usize];
        let (mut near, mut below) = (0, 0);
        for (far, mass) in NODE_Q32.into_iter().zip(*curve) {
            if distance < far {
                let way = clip(distance - near, 0, far - near);
                let rise = i128::from(mass) - i128::from(below);
                return (i128::from(below) + rise * i128::from(way) / i128::from(far - near))
                    as i64;
            }
            (near, below) = (far, mass);
        }
        below
    }
}

/// A hot zone's mass and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ZoneMass {
    /// Distance of its near edge from the mark, Q32: positive above, negative below.
    pub distance_q32: i64,
    /// Expected forced notional, cents; 0 = unused place.
    pub usd: i64,
}

/// What the zones say. All zeros is "no zones".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ZoneReading {
    /// 1 when zones are known.
    pub valid: u64,
    /// Distance of the nearest hot zone above, Q32, never negative; `i64::MAX` = none.
    pub above_q32: i64,
    /// Distance of the nearest hot zone below, Q32, never negative; `i64::MAX` = none.
    pub below_q32: i64,
    /// Notional of the nearest above, cents.
    pub above_usd: i64,
    /// Notional of the nearest below, cents.
    pub below_usd: i64,
    /// Hot zones of both sides.
    pub zones: [ZoneMass; 16],
}

/// What a signal reads.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Shard time.
    pub now: Nanos,
    /// Book per venue slot; the first is the reference.
    pub books: &'a [Book],
    /// Sums, means, rings, ages; rolled to `now` (`Streams::tick`) before a view is made.
    pub streams: &'a Streams,
    /// The map.
    pub heat: &'a HeatReading,
    /// The zones.
    pub zones: &'a ZoneReading,
    /// Share of the configured venues' weight that delivers each input freshly, Q16.
    pub cover: [i64; INPUTS],
    /// No mode is surer than this, 0..100: while most of the map is the documented prior, nobody is (heatmap.md 2.2).
    pub confidence_max: i64,
    /// Median depth of the tracked majors within 25 bp, both sides; 0 = not known.
    pub depth_reference: Usd,
}

impl<'a> View<'a> {
    /// A view of one venue (whole coverage) without a depth reference.
    #[must_use]
    pub const fn new(
        now: Nanos,
        books: &'a [Book],
        streams: &'a Streams,
        heat: &'a HeatReading,
        zones: &'a ZoneReading,
    ) -> Self {
        Self {
            now,
            books,
            streams,
            heat,
            zones,
            cover: [ONE; INPUTS],
            confidence_max: 100,
            depth_reference: Usd::ZERO,
        }
    }

    /// Freshness and coverage of every input.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            fresh: core::array::from_fn(|which| match which {
                input::HEATMAP => self.heat_fresh(),
                _ => self.streams.fresh(which, self.now),
            }),
            cover: self.cover.map(|cover| clip(cover, 0, ONE)),
        }
    }

    fn heat_fresh(&self) -> i64 {
        if self.heat.valid == 0 {
            return 0;
        }
        let fresh = super::card::fresh(self.now.since(self.heat.at).get(), HEAT_TTL);
        fresh.min(clip(self.heat.observed, 0, ONE))
    }

    /// Stamp of the newest among a set of inputs, ns; 0 = none was heard.
    #[must_use]
    pub fn newest(&self, inputs: u64) -> i64 {
        (0..INPUTS)
            .filter(|which| inputs & (1 << which) != 0)
            .map(|which| match which {
                input::HEATMAP => self.heat.at.get(),
                _ => self.streams.newest(which),
            })
            .max()
            .unwrap_or(0)
    }
}

/// How far each input can be trusted at one moment, Q16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    fresh: [i64; INPUTS],
    cover: [i64; INPUTS],
}

impl Trust {
    /// Least freshness and least coverage of a set of inputs.
    #[must_use]
    pub fn of(&self, inputs: u64) -> (i64, i64) {
        (0..INPUTS)
            .filter(|which| inputs & (1 << which) != 0)
            .fold((ONE, ONE), |(fresh, cover), which| {
                (fresh.min(self.fresh[which]), cover.min(self.cover[which]))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_linear_between_nodes_and_held_beyond() {
        let mut heat = HeatReading::zeroed();
        heat.within[1] = core::array::from_fn(|k| 1_000 * (k as i64 + 1));
        let short = |d| heat.within(Holder::Short, d);
        assert_eq!(short(i64::MIN), 0);
        assert_eq!(short(0), 0);
        assert_eq!(short(NODE_Q32[0] / 2), 499);
        assert_eq!(short(NODE_Q32[0]), 1_000);
        assert_eq!(short((NODE_Q32[3] + NODE_Q32[4]) / 2), 4_499);
        assert_eq!(short(i64::MAX), 14_000);
        assert_eq!(heat.within(Holder::Long, NODE_Q32[5]), 0);
    }

    #[test]
    fn nodes_double_every_second_one() {
        for k in 2..NODES {
            assert!((NODE_Q32[k] - 2 * NODE_Q32[k - 2]).abs() <= 2, "{k}");
        }
    }
}
