//! Logarithms of prices: where a price lies on the uniform log grid, and back.
//!
//! `ln` splits the number into 2^e (1 + k/256)(1 + u) with u < 1/256 and sums two table values and four terms of a
//! series: error below 2^-40, about 5 ns. `exp` is its inverse for the cold paths (zone edges, pictures).

use super::tables::{LN, POW, RECIP};
use super::{Px, Round, div_round, narrow};

/// ln 2 in Q48.
const LN2: i64 = 195_103_586_505_167;
/// 1 / ln 2 in Q48.
const LOG2E: i64 = 406_082_553_034_800;
const Q48: i128 = 1 << 48;

/// Natural logarithm of a positive integer, Q48; 0 for anything below 1.
#[must_use]
#[inline]
pub const fn ln_q48(x: i64) -> i64 {
    if x < 1 {
        return 0;
    }
    let exponent = 63 - x.leading_zeros();
    // Mantissa in [1, 2) with 62 fraction bits.
    let mantissa = (x as u64) << (62 - exponent);
    let fraction = mantissa & ((1 << 62) - 1);
    let k = (fraction >> 54) as usize;
    let rest = (fraction & ((1 << 54) - 1)) as i128;
    // u = rest / (1 + k/256): 62 fraction bits in, 48 out.
    let u = (rest * RECIP[k] as i128) >> 62;
    let u2 = (u * u) >> 48;
    let u3 = (u2 * u) >> 48;
    let u4 = (u3 * u) >> 48;
    let series = u - u2 / 2 + u3 / 3 - u4 / 4;
    exponent as i64 * LN2 + LN[k] + series as i64
}

/// e^x for x in Q48, as an integer, saturating; 0 when below one half.
#[must_use]
pub const fn exp_q48(x: i64) -> i64 {
    let log2 = (x as i128 * LOG2E as i128) >> 48;
    let whole = (log2 >> 48) as i64;
    let fraction = (log2 & (Q48 - 1)) as i64;
    if whole > 62 {
        return i64::MAX;
    }
    if whole < -1 {
        return 0;
    }
    let k = (fraction >> 40) as usize;
    let rest = (fraction & ((1 << 40) - 1)) as i128;
    // 2^rest = e^(rest ln 2): four terms, rest < 2^-8.
    let v = (rest * LN2 as i128) >> 48;
    let v2 = (v * v) >> 48;
    let v3 = (v2 * v) >> 48;
    let v4 = (v3 * v) >> 48;
    let series = Q48 + v + v2 / 2 + v3 / 6 + v4 / 24;
    let value = (POW[k] as i128 * series) >> 48;
    if whole >= 14 {
        narrow(value << (whole - 14) >> 34)
    } else {
        narrow(div_round(value, 1i128 << (48 - whole), Round::HalfEven))
    }
}

/// Logarithm of a price's step count, Q48. Prices at or below zero have none and give 0.
#[must_use]
#[inline]
pub const fn ln_px(price: Px) -> i64 {
    ln_q48(price.get())
}

/// The price whose logarithm (of its step count) is `x`.
#[must_use]
pub const fn px_of_ln(x: i64) -> Px {
    Px::new(exp_q48(x))
}

/// The return from `from` to `to` as 2 (to − from) / (to + from), Q32, toward zero; 0 when a price is missing.
///
/// The ruled form: exact, odd, and within a third of the cube of the logarithm.
#[must_use]
#[inline]
pub const fn return_q32(from: i64, to: i64) -> i64 {
    if from <= 0 || to <= 0 {
        return 0;
    }
    let sum = from as i128 + to as i128;
    narrow((to as i128 - from as i128) * (2i128 << 32) / sum)
}

/// Width of a bucket of the map: 2 bp of log price, Q48.
pub const BUCKET: i64 = 56_294_995_342;
/// What a price is multiplied by from one bucket to the next, below and above: e^(∓2 bp), 2^60 = 1.
pub const BUCKET_STEP: [i64; 2] = [1_152_690_943_362_818_547, 1_153_152_111_967_735_743];

/// The absolute number of the bucket that holds `price`: the same for every venue and for ever.
#[must_use]
#[inline]
pub const fn bucket_of(price: Px) -> i64 {
    ln_px(price).div_euclid(BUCKET)
}

/// How far into its bucket a price lies, from the low edge, in Q16 of the width.
#[must_use]
#[inline]
pub const fn bucket_fraction(price: Px) -> i64 {
    ((ln_px(price).rem_euclid(BUCKET) as i128 * (1 << 16)) / BUCKET as i128) as i64
}

/// The low edge of a bucket.
#[must_use]
pub const fn bucket_low(bucket: i64) -> Px {
    px_of_ln(bucket.saturating_mul(BUCKET))
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ln_agrees_with_its_float_twin(x in 1i64..i64::MAX) {
            let twin = (x as f64).ln() * 2f64.powi(48);
            prop_assert!((ln_q48(x) as f64 - twin).abs() < 2f64.powi(9), "{x}");
        }

        #[test]
        fn exp_undoes_ln(x in 1_000_000i64..i64::MAX / 2) {
            let back = exp_q48(ln_q48(x));
            prop_assert!((back as f64 / x as f64 - 1.0).abs() < 1e-6, "{x} {back}");
        }
    }

    #[test]
    fn borders() {
        assert_eq!(ln_q48(0), 0);
        assert_eq!(ln_q48(-5), 0);
        assert_eq!(ln_q48(1), 0);
        assert_eq!(exp_q48(0), 1);
        assert_eq!(exp_q48(i64::MAX), i64::MAX);
        assert_eq!(exp_q48(i64::MIN), 0);
        assert_eq!(return_q32(0, 5), 0);
        assert_eq!(return_q32(9_420_000, 9_429_420), 4_292_820);
    }
}
