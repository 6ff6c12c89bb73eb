//! Normaliser: how unusual a raw reading is, per signal and window (scoring.md 2), and its bounded score (3).
//!
//! Centred on a decayed mean, scaled by a decayed mean absolute deviation, both taken *before* the new reading enters
//! (no look-ahead, no self-inclusion); new readings are winsorised at six deviations, so one outlier cannot buy the
//! scale. Raw readings are Q32, state is Q48 (a tenth of a basis point of funding is half a unit of Q16), z and
//! scores are Q16. Every step truncates toward zero, so negated readings give negated z, bit for bit.

use crate::num::fixed::{ONE, ONE32, clip};
use crate::num::narrow;
use bytemuck::{Pod, Zeroable};

/// Raw readings beyond this (2^14 in Q32) saturate and are counted by the caller.
pub const RAW_LIMIT: i64 = 1 << 46;
/// Readings before z means something: one whole window of samples.
pub const SAMPLES_MIN: u64 = 16;
/// sqrt(pi/2) in Q16: mean absolute deviation to standard deviation.
const SPREAD: i128 = 82_137;
/// Largest |z|, Q16.
const Z_MAX: i64 = 4 * ONE;

/// How a reading is centred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A level: centred on its whole mean.
    L,
    /// A natural zero: centred on half its mean.
    N,
    /// Already -1..1 with a meaning of its own: not normalised.
    Z,
}

impl Kind {
    /// Share of the mean that is taken off, Q16.
    #[must_use]
    pub const fn kappa(self) -> i64 {
        match self {
            Self::L => ONE,
            Self::N => ONE / 2,
            Self::Z => 0,
        }
    }
}

/// What a normaliser remembers. All zeros is "nothing seen".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Normaliser {
    /// Decayed mean, Q48.
    pub mean: i64,
    /// Decayed mean absolute deviation, Q48.
    pub deviation: i64,
    /// Readings taken.
    pub count: u64,
}

impl Normaliser {
    /// Takes one reading (Q32) and answers its z (Q16, at most 4 in size); 0 before `least` readings.
    ///
    /// `rate` is the share of a step (Q32), `floor` the deviation that is economically nothing (Q32).
    pub fn step(&mut self, raw: i64, rate: i64, kappa: i64, floor: i64, least: u64) -> i64 {
        let x = i128::from(clip(raw, -RAW_LIMIT, RAW_LIMIT)) << 16;
        if self.count == 0 {
            self.mean = narrow(x);
            self.count = 1;
            return 0;
        }
        let mean = i128::from(self.mean);
        let floor = i128::from(clip(floor, 1, RAW_LIMIT)) << 16;
        let spread = i128::from(self.deviation).max(floor);
        let mut v = x - mean;
        let mut z = 0;
        if self.count >= least {
            let u = x - i128::from(kappa) * mean / i128::from(ONE);
            let scale = (SPREAD * spread / i128::from(ONE)).max(1);
            z = clip(narrow(u * i128::from(ONE) / scale), -Z_MAX, Z_MAX);
            v = v.clamp(-6 * spread, 6 * spread);
        }
        let share = i128::from(rate.max(ONE32 / narrow(i128::from(self.count) + 1)));
        let deviation = i128::from(self.deviation);
        self.mean = narrow(mean + share * v / i128::from(ONE32));
        self.deviation = narrow(deviation + share * (v.abs() - deviation) / i128::from(ONE32));
        self.count = self.count.saturating_add(1);
        z
    }
}

/// y (27 + y^2) / (27 + 9 y^2): tanh's Pade form, Q16 to Q16, exactly 1 from y = 3.
#[must_use]
pub const fn phi(y: i64) -> i64 {
    let y = clip(y, -3 * ONE, 3 * ONE);
    let y2 = y * y / ONE;
    clip(y * (27 * ONE + y2) / (27 * ONE + 9 * y2), -ONE, ONE)
}

/// The score of a z: phi(z / 2).
#[must_use]
pub const fn score(z: i64) -> i64 {
    phi(z / 2)
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "vectors are written as decimals")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERIES: [i64; 13] = [20, 50, -10, 30, 40, 0, 20, 60, 30, 250, 300, 100, -200];

    /// Q16 as the reference makes it, then as the engine takes it.
    fn raw(milli: i64) -> i64 {
        crate::num::fixed::q16(milli, 1_000) << 16
    }

    fn floor() -> i64 {
        raw(1)
    }

    #[test]
    fn a_level_follows_the_published_vector() {
        let want = [
            (0, 0, 85_917_696, 0),
            (0, 0, 150_339_584, 64_421_888),
            (0, 0, 85_917_697, 107_369_813),
            (0, 0, 96_649_216, 91_258_880),
            (0, 0, 111_673_343, 88_031_233),
            (0, 0, 93_061_120, 91_971_584),
            (0, 0, 92_040_631, 79_853_276),
            (0, 0, 112_746_496, 90_577_481),
            (9_292, 4_639, 114_535_082, 82_301_904),
            (262_144, 64_495, 163_916_224, 123_452_855),
            (262_144, 64_495, 231_254_144, 179_567_789),
            (57_736, 27_309, 247_776_543, 181_126_206),
            (-262_144, -64_495, 164_179_833, 250_790_131),
        ];
        let mut n = Normaliser::default();
        for (x, (z, s, m, d)) in SERIES.into_iter().zip(want) {
            let got = n.step(raw(x), ONE32 / 64, ONE, floor(), 8);
            assert_eq!((got, score(got)), (z, s), "{x}");
            assert!((n.mean / ONE - m).abs() <= 2, "{} {m}", n.mean / ONE);
            assert!((n.deviation / ONE - d).abs() <= 2);
        }
    }

    #[test]
    fn a_natural_zero_follows_the_published_vector() {
        let want = [
            0, 0, 0, 0, 0, 0, 0, 0, 41_837, 262_144, 262_144, 91_406, -262_144,
        ];
        let mut n = Normaliser::default();
        for (x, z) in SERIES.into_iter().zip(want) {
            assert_eq!(n.step(raw(x), ONE32 / 64, ONE / 2, floor(), 8), z, "{x}");
        }
    }

    #[test]
    fn a_constant_offset_is_not_a_permanent_signal() {
        let mut n = Normaliser::default();
        let mut z = 0;
        for i in 0..40 {
            z = n.step(
                raw(500 + 10 * ((i * 7) % 5 - 2)),
                ONE32 / 64,
                ONE,
                floor(),
                8,
            );
        }
        assert!((z as f64 / ONE as f64 - 0.6332).abs() < 0.001, "{z}");
    }

    #[test]
    fn phi_gives_the_published_values() {
        for (z, s) in [
            (0, 0),
            (ONE / 4, 8_154),
            (ONE / 2, 16_086),
            (ONE, 30_527),
            (ONE * 3 / 2, 42_253),
            (2 * ONE, 50_972),
            (3 * ONE, 60_854),
            (4 * ONE, 64_495),
            (-ONE, -30_527),
        ] {
            assert_eq!(score(z), s);
        }
        assert_eq!(phi(3 * ONE), ONE);
        assert_eq!(phi(i64::MAX), ONE);
        assert_eq!(phi(i64::MIN), -ONE);
    }

    proptest! {
        #[test]
        fn negated_readings_give_negated_scores(
            xs in prop::collection::vec(any::<i64>(), 1..80), rate in 1i64..ONE32, kappa in 0i64..=ONE
        ) {
            let (mut a, mut b) = (Normaliser::default(), Normaliser::default());
            for x in xs {
                let z = a.step(x, rate, kappa, 4_294_967, 8);
                prop_assert_eq!(z, -b.step(x.saturating_neg(), rate, kappa, 4_294_967, 8));
                prop_assert_eq!((a.mean, a.deviation), (-b.mean, b.deviation));
                prop_assert!(z.abs() <= 4 * ONE && score(z).abs() <= ONE);
            }
        }
    }
}
