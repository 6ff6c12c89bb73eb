//! Fixed point of scoring.md 1: Q16 for scores and probabilities, Q32 for returns and raw readings, Q48 for state.
//!
//! Products are taken in `i128` and truncated toward zero, so every odd function is exactly odd and the mirror test
//! is bit-exact. Out-of-range results saturate. The tables are 60-digit values, held by hash in the tests.

use super::tables::{EXP2, FAT, HIT, LOG2};
use super::{Round, div_round, narrow};

/// One in Q16.
pub const ONE: i64 = 1 << 16;
/// One in Q32.
pub const ONE32: i64 = 1 << 32;
/// One in Q48.
pub const ONE48: i64 = 1 << 48;

/// `num/den` in Q16, rounded half to even: for constants written as fractions.
#[must_use]
pub const fn q16(num: i64, den: i64) -> i64 {
    narrow(div_round(
        num as i128 * ONE as i128,
        den as i128,
        Round::HalfEven,
    ))
}

/// Product of two Q16 (or of any number and a Q16).
#[must_use]
#[inline]
pub const fn mulq(a: i64, b: i64) -> i64 {
    narrow(a as i128 * b as i128 / ONE as i128)
}

/// Quotient in Q16; a zero divisor gives 0.
#[must_use]
#[inline]
pub const fn divq(a: i64, b: i64) -> i64 {
    mul_div(a, ONE, b)
}

/// Product with a Q32 factor.
#[must_use]
#[inline]
pub const fn mul32(a: i64, b: i64) -> i64 {
    narrow(a as i128 * b as i128 / ONE32 as i128)
}

/// Quotient in Q32; a zero divisor gives 0.
#[must_use]
#[inline]
pub const fn div32(a: i64, b: i64) -> i64 {
    if b == 0 {
        0
    } else {
        narrow(a as i128 * ONE32 as i128 / b as i128)
    }
}

/// `a * b / c` in one rounding toward zero; zero divisor gives 0.
#[must_use]
#[inline]
pub const fn mul_div(a: i64, b: i64, c: i64) -> i64 {
    if c == 0 {
        return 0;
    }
    let product = a as i128 * b as i128;
    // A product that fits is divided in one instruction; a wide division is a call. MIN / -1 does not fit.
    let short = product as i64;
    if short as i128 == product && c != -1 {
        short / c
    } else {
        narrow(product / c as i128)
    }
}

/// Holds `x` between two bounds.
#[must_use]
#[inline]
pub const fn clip(x: i64, low: i64, high: i64) -> i64 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// Sign: −1, 0, +1.
#[must_use]
#[inline]
pub const fn sgn(x: i64) -> i64 {
    x.signum()
}

/// `(a - b) / (a + b)` in Q32, 0 when both are 0: IMB of signals.md.
#[must_use]
#[inline]
pub const fn imbalance32(a: i64, b: i64) -> i64 {
    let sum = a as i128 + b as i128;
    if sum == 0 {
        0
    } else {
        narrow((a as i128 - b as i128) * ONE32 as i128 / sum)
    }
}

/// 2^(−x) in Q32 for x ≥ 0 in Q16; 0 from x = 40; 1 for x ≤ 0.
#[must_use]
#[inline]
pub const fn exp2neg(x: i64) -> i64 {
    if x <= 0 {
        return ONE32;
    }
    let whole = x >> 16;
    if whole >= 40 {
        return 0;
    }
    let index = ((x >> 8) & 255) as usize;
    let rest = x & 255;
    let value = EXP2[index] - (((EXP2[index] - EXP2[index + 1]) * rest) >> 8);
    value >> whole
}

/// The factor 2^(−gone/half_life) in Q32: how much a decayed sum keeps.
#[must_use]
#[inline]
pub const fn decay32(gone_ns: i64, half_life_ns: i64) -> i64 {
    if half_life_ns <= 0 {
        return 0;
    }
    exp2neg(narrow(gone_ns as i128 * ONE as i128 / half_life_ns as i128))
}

/// log2 of an integer ≥ 1 in Q16; 0 for anything below.
#[must_use]
#[inline]
pub const fn log2i(x: i64) -> i64 {
    if x < 1 {
        return 0;
    }
    let exponent = 63 - x.leading_zeros() as i64;
    let mantissa = if exponent <= 16 {
        (x << (16 - exponent)) & 0xffff
    } else {
        (x >> (exponent - 16)) & 0xffff
    };
    let index = (mantissa >> 8) as usize;
    let rest = mantissa & 255;
    (exponent << 16) + LOG2[index] + (((LOG2[index + 1] - LOG2[index]) * rest) >> 8)
}

/// Logistic function of a Q16, in Q16.
#[must_use]
pub const fn sigmoid(x: i64) -> i64 {
    if x < 0 {
        return ONE - sigmoid(x.saturating_neg());
    }
    let e = exp2neg(narrow((x as i128 * 94_548) >> 16));
    ((ONE32 as i128 * ONE as i128) / (ONE32 as i128 + e as i128)) as i64
}

/// Chance that a driftless path touches a level `d` sigmas (Q16) away: 2 PHI(−d), Q16.
#[must_use]
pub const fn hit(d: i64) -> i64 {
    along(&HIT, d)
}

/// Probability that a driftless walk whose own sigma is not known for sure gets `d` expected sigmas (Q16) away within
/// its horizon: that of `hit` with the fatter tail of Student's t with three degrees of freedom, scaled by .8; from
/// sixteen on what it is there.
#[must_use]
pub const fn hit_fat(d: i64) -> i64 {
    along(&FAT, d)
}

/// A table of steps of a sixteenth at `d` (Q16), linear between them; behind its ends what it says there.
const fn along<const N: usize>(table: &[i64; N], d: i64) -> i64 {
    let d = clip(d, 0, ((N as i64 - 1) << 12) - 1);
    let (index, rest) = ((d >> 12) as usize, d & 4095);
    table[index] - (((table[index] - table[index + 1]) * rest) >> 12)
}

/// Integer square root, rounded down; 0 for negatives.
#[must_use]
pub const fn isqrt(n: i128) -> i64 {
    if n < 2 {
        return if n < 0 { 0 } else { n as i64 };
    }
    let bits = 128 - n.leading_zeros();
    let mut x: i128 = 1 << bits.div_ceil(2);
    loop {
        let y = (x + n / x) / 2;
        if y >= x {
            return narrow(x);
        }
        x = y;
    }
}

/// Square root of a Q16, in Q16.
#[must_use]
pub const fn sqrtq(a: i64) -> i64 {
    isqrt((a as i128) << 16)
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]
mod tests {
    use super::*;

    fn fnv(table: &[i64]) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for value in table {
            for byte in value.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
        hash
    }

    #[test]
    fn tables_have_the_published_hashes() {
        assert_eq!(fnv(&EXP2), 0x538f_d005_5ded_0ed5);
        assert_eq!(fnv(&LOG2), 0xcc3a_3211_d1e6_1d4f);
        assert_eq!(fnv(&HIT), 0x9d43_9a70_d5e5_1c10);
    }

    /// By the closed form of Student's t with three degrees of freedom.
    #[test]
    fn the_fat_tail_is_students() {
        let want = |d: f64| {
            let u = d / (0.8 * 3f64.sqrt());
            1.0 - core::f64::consts::FRAC_2_PI * (u.atan() + u / u.mul_add(u, 1.0))
        };
        for step in 0..16_000 {
            let d = f64::from(step) / 1e3;
            let got = hit_fat((d * ONE as f64) as i64) as f64 / ONE as f64;
            assert!((got - want(d)).abs() < 6e-4, "{d}: {got} {}", want(d));
        }
        assert_eq!((hit_fat(-5), hit_fat(0), hit_fat(i64::MAX)), (ONE, ONE, 18));
    }

    #[test]
    fn functions_give_the_published_values() {
        assert_eq!(exp2neg(q16(3, 2)), 1_518_500_250);
        assert_eq!(log2i(1_000), 653_118);
        assert_eq!(sigmoid(ONE), 47_910);
        assert_eq!(sigmoid(-ONE / 4), 28_694);
        assert_eq!(hit(ONE / 2), 40_441);
        assert_eq!(hit(ONE), 20_795);
        assert_eq!(hit(q16(23, 10)), 1_409);
        assert_eq!(isqrt(2_000_000_000_000), 1_414_213);
    }

    #[test]
    fn a_short_division_is_the_wide_one() {
        let edge = 1 << 31;
        let some = [i64::MIN, -edge, -7, -1, 0, 1, 3, edge, edge + 1, i64::MAX];
        for a in some {
            for b in some {
                for c in some.into_iter().filter(|c| *c != 0) {
                    let wide = narrow(i128::from(a) * i128::from(b) / i128::from(c));
                    assert_eq!(mul_div(a, b, c), wide, "{a} {b} {c}");
                }
            }
        }
    }

    #[test]
    fn extremes_do_not_panic() {
        for x in [i64::MIN, -1, 0, 1, i64::MAX] {
            for y in [i64::MIN, -1, 0, 1, i64::MAX] {
                let _ = (
                    mulq(x, y),
                    divq(x, y),
                    mul32(x, y),
                    div32(x, y),
                    imbalance32(x, y),
                );
                let _ = decay32(x, y);
            }
            let _ = (
                exp2neg(x),
                log2i(x),
                sigmoid(x),
                hit(x),
                hit_fat(x),
                sqrtq(x),
            );
        }
    }
}
