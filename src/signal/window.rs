//! Windows: the ladder of horizons every stream and every signal shares, and which three of them a mode looks
//! through.
//!
//! All rungs are whole multiples of the first, so all their steps nest on one grid of shard time: a *fold* is 1/256
//! of a window (decayed sums are brought forward), a *sample* is 1/16 (normalisers take at most one reading). Grids
//! are absolute (stamp divided by step), so two engines that see the same stamps cut at the same places, and a busy
//! market is not sampled more often than a quiet one.

use crate::shm::record::MODES;
use crate::time::Nanos;

/// Rungs of the ladder.
pub const WINDOWS: usize = 9;
/// Folds of decayed sums in one window.
pub const FOLDS: i64 = 256;
/// Samples of a normaliser in one window.
pub const SAMPLES: i64 = 16;

/// One rung: 10 s, 1 m, 5 m, 15 m, 1 h, 4 h, 1 d, 7 d, 30 d. Holding one proves it is on the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(u8);

const SECONDS: [i64; WINDOWS] = [10, 60, 300, 900, 3_600, 14_400, 86_400, 604_800, 2_592_000];
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// Half-life of what is normal, per rung, seconds (signals.md 1.1).
const BASELINE: [i64; WINDOWS] = [
    HOUR,
    4 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
    180 * DAY,
];

/// ln 2 in Q32.
const LN2: i128 = 2_977_044_472;

/// `1 - 2^(-gone/half_life)` in Q32 by its series; good below a quarter of a half-life, which every step is.
pub(crate) const fn rate32(gone_ns: i64, half_life_ns: i64) -> i64 {
    let x = LN2 * gone_ns as i128 / half_life_ns as i128;
    let x2 = (x * x) >> 32;
    let x3 = (x2 * x) >> 32;
    let x4 = (x3 * x) >> 32;
    (x - x2 / 2 + x3 / 6 - x4 / 24) as i64
}

/// `rate32` of `length / parts` against `baseline / part_of_baseline`, per rung.
const fn rates(parts: i64, part_of_baseline: i64, second: bool) -> [i64; WINDOWS] {
    let mut all = [0; WINDOWS];
    let mut i = 0;
    while i < WINDOWS {
        let gone = if second {
            1_000_000_000
        } else {
            SECONDS[i] * 1_000_000_000 / parts
        };
        all[i] = rate32(gone, BASELINE[i] * 1_000_000_000 / part_of_baseline);
        i += 1;
    }
    all
}

const SAMPLE_RATES: [i64; WINDOWS] = rates(SAMPLES, 1, false);
const FOLD_RATES: [i64; WINDOWS] = rates(FOLDS, 1, false);
const SECOND_RATES: [i64; WINDOWS] = rates(1, 4, true);

impl Window {
    /// Ten seconds.
    pub const S10: Self = Self(0);
    /// One minute.
    pub const M1: Self = Self(1);
    /// Five minutes.
    pub const M5: Self = Self(2);
    /// A quarter of an hour.
    pub const M15: Self = Self(3);
    /// One hour.
    pub const H1: Self = Self(4);
    /// Four hours.
    pub const H4: Self = Self(5);
    /// One day.
    pub const D1: Self = Self(6);
    /// Seven days.
    pub const D7: Self = Self(7);
    /// Thirty days.
    pub const D30: Self = Self(8);
    /// The ladder, shortest first.
    pub const ALL: [Self; WINDOWS] = [
        Self::S10,
        Self::M1,
        Self::M5,
        Self::M15,
        Self::H1,
        Self::H4,
        Self::D1,
        Self::D7,
        Self::D30,
    ];

    /// Its place on the ladder.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
    /// Its length in whole seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        SECONDS[self.index()]
    }
    /// Its length.
    #[must_use]
    pub const fn length(self) -> Nanos {
        Nanos::seconds(self.seconds())
    }
    /// Half-life of what is normal for it.
    #[must_use]
    pub const fn baseline(self) -> Nanos {
        Nanos::seconds(BASELINE[self.index()])
    }
    /// Its sampling step, 1/16 of its length.
    #[must_use]
    pub const fn sample(self) -> Nanos {
        Nanos::new(self.length().get() / SAMPLES)
    }
    /// Its folding step, 1/256 of its length.
    #[must_use]
    pub const fn fold(self) -> Nanos {
        Nanos::new(self.length().get() / FOLDS)
    }
    /// Share by which a baseline moves per sample, Q32.
    #[must_use]
    pub const fn sample_rate(self) -> i64 {
        SAMPLE_RATES[self.index()]
    }
    /// Share by which a baseline moves per fold, Q32.
    #[must_use]
    pub const fn fold_rate(self) -> i64 {
        FOLD_RATES[self.index()]
    }
    /// Share by which the variance moves per second, Q32 (half-life a quarter of the baseline).
    #[must_use]
    pub const fn second_rate(self) -> i64 {
        SECOND_RATES[self.index()]
    }
}

/// How a signal uses the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Streams.
    F = 0,
    /// Polled or slowly pushed.
    P = 1,
    /// External series, daily.
    X = 2,
    /// Since an anchor; smoothed like F.
    A = 3,
    /// The present state; smoothed like F.
    I = 4,
}

const STREAMED: [[Window; 3]; MODES] = [
    [Window::S10, Window::M1, Window::M5],
    [Window::M1, Window::M5, Window::H1],
    [Window::H1, Window::H4, Window::D1],
];
const POLLED: [[Window; 3]; MODES] = [
    [Window::M5, Window::M15, Window::H1],
    [Window::M15, Window::H1, Window::H4],
    [Window::H4, Window::D1, Window::D7],
];
const EXTERNAL: [[Window; 3]; MODES] = [
    [Window::H1, Window::H4, Window::D1],
    [Window::H4, Window::D1, Window::D7],
    [Window::D1, Window::D7, Window::D30],
];

impl Class {
    /// The fast, middle and slow window of a mode; a mode beyond the last reads as the last.
    #[must_use]
    pub const fn windows(self, mode: usize) -> [Window; 3] {
        let mode = if mode < MODES { mode } else { MODES - 1 };
        match self {
            Self::F | Self::A | Self::I => STREAMED[mode],
            Self::P => POLLED[mode],
            Self::X => EXTERNAL[mode],
        }
    }

    /// Bit per window that some mode uses.
    #[must_use]
    pub const fn used(self) -> u64 {
        let mut bits = 0;
        let mut i = 0;
        while i < MODES * 3 {
            bits |= 1 << self.windows(i / 3)[i % 3].index();
            i += 1;
        }
        bits
    }
}

/// Weights of the fast, middle and slow slot, Q16.
pub const SLOT_WEIGHTS: [[i64; 3]; MODES] = [
    [32_768, 19_661, 13_107],
    [19_661, 26_214, 19_661],
    [13_107, 22_938, 29_491],
];

/// Step of the decision grid G of a mode, on which correlations (and later labels) are taken.
pub const GRID: [Nanos; MODES] = [Nanos::seconds(15), Nanos::seconds(300), Nanos::HOUR];

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_a_whole_multiple_of_the_shortest() {
        let base = Window::S10.fold().get();
        assert_eq!(base, 39_062_500);
        for w in Window::ALL {
            assert_eq!(w.length().get() % (base * FOLDS), 0);
            assert_eq!(w.sample().get() % base, 0);
        }
    }

    #[test]
    fn rates_agree_with_their_float_twin() {
        for w in Window::ALL {
            let x = w.sample().get() as f64 / w.baseline().get() as f64;
            let twin = (1.0 - (-x).exp2()) * 2f64.powi(32);
            assert!(
                (w.sample_rate() as f64 - twin).abs() < 4.0,
                "{w:?} {twin} {}",
                w.sample_rate()
            );
        }
    }

    #[test]
    fn slot_weights_sum_to_one() {
        for weights in SLOT_WEIGHTS {
            assert_eq!(weights.iter().sum::<i64>(), crate::num::fixed::ONE);
        }
    }
}
