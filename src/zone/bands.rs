//! Bands: what is dense and what is thin at a distance, over thirty days (scoring.md 11, step 2).
//!
//! Eight bands of distance from the mark, in sigmas of one hour; in each a histogram over log2 of how dense its
//! non-empty smoothed cells have been, decayed with a half-life of 30 days. A cell is hot when it is above the 90th
//! percentile of its own band and cold up to the 10th: absolute dollars, not relative to the present picture, and
//! apart by distance because the map is always denser near the mark.
//!
//! One band is sampled at a time, each once a minute of shard time, on an absolute grid: the cost is bounded and does
//! not depend on message rate. A band *exists* after a week of samples, so that every hour of the week was seen; until
//! then the present map's own deciles stand in, and zones say RELATIVE. A sigma that is not warm samples nothing: bands
//! in a guessed unit would not be bands.
//!
//! Integers only; 31 KB. All zeros is "nothing seen".

use super::density::{Limits, RELATIVE_ONLY, bin_low};
use crate::num::fixed::{ONE32, decay32, mul32};
use crate::num::log::BUCKET;
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Bands.
pub(super) const BANDS: usize = 8;
/// Upper edges in quarters of a sigma; the last band has none.
const EDGES: [i64; BANDS - 1] = [1, 2, 4, 8, 12, 20, 32];
/// Steps an octave of the histogram: 8, half as fine as the present map's.
const STEPS: u32 = 3;
const BINS: usize = 61 << STEPS;
/// Every band is sampled once in this time.
const TURN: Nanos = Nanos::MINUTE;
const HALF_LIFE: Nanos = Nanos::new(30 * Nanos::DAY.get());
/// Samples of a week.
const EXISTS: u64 = 7 * 24 * 60;
/// Weight of one cell, so that decay does not round it away.
const CELL: i64 = 1 << 16;

#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Band {
    /// Weight by bin.
    bins: [i64; BINS],
    samples: u64,
    /// Present answer, smoothed cells: hot from, cold to. Of no meaning before the first sample.
    hot_from: i64,
    cold_to: i64,
}

/// The bands of one symbol and mode.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Bands {
    bands: [Band; BANDS],
    /// Eighths of [`TURN`] since the epoch, as of the last sample.
    turn: i64,
}

/// First cell of each band but the first, for a sigma of one hour (Q32, above 0).
pub(super) fn edges(sigma_1h: i64) -> [usize; BANDS - 1] {
    EDGES.map(|quarters| {
        let distance = (i128::from(sigma_1h.max(0)) * i128::from(quarters)) << 14;
        usize::try_from(distance / i128::from(BUCKET)).unwrap_or(usize::MAX)
    })
}

/// The cells of a band among `len`.
pub(super) fn range(edges: &[usize; BANDS - 1], band: usize, len: usize) -> (usize, usize) {
    let start = band.checked_sub(1).map_or(0, |before| edges[before]);
    let end = edges.get(band).copied().unwrap_or(len);
    (start.min(len), end.min(len))
}

impl Band {
    fn add(&mut self, cells: &[i64]) {
        for &cell in cells {
            if cell > 0 {
                self.bins[super::density::bin_of(cell, STEPS)] += CELL;
            }
        }
    }

    fn judge(&mut self) {
        let all: i64 = self.bins.iter().sum();
        let at = |tenths: i64| {
            let rank = (i128::from(all) * i128::from(tenths) / 10) as i64;
            let mut below = 0;
            let found = self.bins.iter().position(|weight| {
                below += weight;
                below > rank
            });
            found.unwrap_or(BINS - 1)
        };
        if all > 0 {
            self.hot_from = bin_low(at(9), STEPS);
            self.cold_to = bin_low(at(1) + 1, STEPS) - 1;
        }
    }
}

impl Bands {
    /// Takes a sample when one is due: `sides` are the smoothed cells of both sides.
    pub(super) fn sample(&mut self, now: Nanos, sides: [&[i64]; 2], sigma_1h: i64) {
        let part = TURN.get() / BANDS as i64;
        let turn = now.get().div_euclid(part);
        if sigma_1h <= 0 || turn <= self.turn {
            return;
        }
        // What a pause left out is not made up for: a band that was not looked at was not seen.
        self.turn = turn;
        let which = turn.rem_euclid(BANDS as i64) as usize;
        let edges = edges(sigma_1h);
        let band = &mut self.bands[which];
        let keep = decay32(TURN.get(), HALF_LIFE.get());
        for weight in &mut band.bins {
            *weight = mul32(*weight, keep.min(ONE32));
        }
        for cells in sides {
            let (start, end) = range(&edges, which, cells.len());
            band.add(&cells[start..end]);
        }
        band.samples += 1;
        band.judge();
    }

    /// Takes every sample that falls due after one moment up to another, of a map that stands still.
    pub(super) fn stand(&mut self, from: Nanos, until: Nanos, sides: [&[i64]; 2], sigma_1h: i64) {
        let part = TURN.get() / BANDS as i64;
        let turns = from.get().div_euclid(part) + 1..=until.get().div_euclid(part);
        for turn in turns {
            self.sample(Nanos::new(turn.saturating_mul(part)), sides, sigma_1h);
        }
    }

    /// True when every band exists.
    pub(super) fn exist(&self) -> bool {
        self.bands.iter().all(|band| band.samples >= EXISTS)
    }

    /// What is hot and cold by band: of the bands when they all exist and sigma is known, else of the present map.
    pub(super) fn limits(&self, present: impl FnOnce() -> (i64, i64), sigma_1h: i64) -> Limits {
        if sigma_1h <= 0 || !self.exist() {
            let (hot_from, cold_to) = present();
            return Limits {
                edges: [usize::MAX; BANDS - 1],
                hot_from: [hot_from; BANDS],
                cold_to: [cold_to; BANDS],
                flags: RELATIVE_ONLY,
            };
        }
        Limits {
            edges: edges(sigma_1h),
            hot_from: core::array::from_fn(|at| self.bands[at].hot_from),
            cold_to: core::array::from_fn(|at| self.bands[at].cold_to),
            flags: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 % in an hour, so that a sigma is fifty cells.
    const SIGMA: i64 = 42_949_673;

    fn fresh() -> Box<Bands> {
        bytemuck::allocation::zeroed_box()
    }

    fn at(minute: i64, band: usize) -> Nanos {
        let part = TURN.get() / BANDS as i64;
        // A whole minute is a multiple of eight parts.
        Nanos::new(1_000_000 * TURN.get() + minute * TURN.get() + band as i64 * part)
    }

    #[test]
    fn edges_are_sigmas() {
        assert_eq!(edges(SIGMA), [12, 25, 50, 100, 150, 250, 400]);
        assert_eq!(range(&edges(SIGMA), 0, 4_096), (0, 12));
        assert_eq!(range(&edges(SIGMA), 7, 4_096), (400, 4_096));
        assert_eq!(range(&edges(SIGMA), 7, 300), (300, 300));
    }

    /// What stands still is sampled as if it had been looked at all the time.
    #[test]
    fn to_stand_is_to_look_every_eighth_of_a_minute() {
        let cells: Vec<i64> = (0..900).map(|i| 1 + i * i % 77).collect();
        let (mut looked, mut stood) = (fresh(), fresh());
        for part in 0..=400 {
            looked.sample(at(0, part), [&cells, &cells[..70]], SIGMA);
        }
        stood.sample(at(0, 0), [&cells, &cells[..70]], SIGMA);
        stood.stand(at(0, 0), at(0, 250), [&cells, &cells[..70]], SIGMA);
        stood.stand(at(0, 250), at(0, 400), [&cells, &cells[..70]], SIGMA);
        assert!(bytemuck::bytes_of(&*looked) == bytemuck::bytes_of(&*stood));
        // Backwards and without a sigma nothing is seen.
        stood.stand(at(0, 500), at(0, 420), [&cells, &cells], SIGMA);
        stood.stand(at(0, 400), at(0, 420), [&cells, &cells], 0);
        assert!(bytemuck::bytes_of(&*looked) == bytemuck::bytes_of(&*stood));
    }

    /// A week of one picture, then bands exist and answer its quantiles by distance.
    #[test]
    fn a_week_makes_bands_and_they_answer_in_dollars_of_their_distance() {
        let mut bands = fresh();
        // Near cells are a hundred times denser; in each band a seventh is dense.
        let cells: Vec<i64> = (0..1_000i64)
            .map(|i| (if i < 50 { 100_000 } else { 1_000 }) * (1 + i64::from(i % 7 == 0)))
            .collect();
        let week = EXISTS as i64;
        for minute in 0..week {
            for band in 0..BANDS {
                assert!(!bands.exist());
                bands.sample(at(minute, band), [&cells, &cells], SIGMA);
            }
            // The same part of a minute is not sampled twice.
            bands.sample(at(minute, BANDS - 1), [&cells, &cells], SIGMA);
        }
        assert!(bands.exist());
        let limits = bands.limits(|| unreachable!(), SIGMA);
        assert_eq!(limits.flags, 0);
        for (i, &cell) in cells.iter().enumerate() {
            let dense = i % 7 == 0;
            // A bin is an eighth of an octave: what lies a factor two apart is told apart.
            assert_eq!(cell >= limits.hot(i), dense, "{i}");
        }
        assert!(limits.hot(10) > 20 * limits.hot(500));
        // A thousand times denser is hot at once: dollars, not the present picture.
        assert!(cells[501] * 1_000 >= limits.hot(501));
        // Without a sigma there is no distance: the present map stands in.
        assert_eq!(bands.limits(|| (7, 3), 0).flags, RELATIVE_ONLY);
    }

    #[test]
    fn nothing_is_sampled_in_a_guessed_unit_or_twice() {
        let mut bands = fresh();
        bands.sample(at(0, 0), [&[5; 20], &[5; 20]], 0);
        assert_eq!(bands.bands[0].samples, 0);
        bands.sample(at(0, 0), [&[5; 20], &[5; 20]], SIGMA);
        bands.sample(at(0, 0), [&[5; 20], &[5; 20]], SIGMA);
        assert_eq!(bands.bands[0].samples, 1);
    }
}
