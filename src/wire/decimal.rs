//! Decimal: text to fixed point, exactly or not at all.
//!
//! A decimal is its digits as one integer (the *mantissa*) and how many of them stand behind the
//! dot (the *places*). [`fix`] brings it to a step of `10^-target`: a multiplication when the text
//! has fewer places than the step, an exact division when it has more. Digits that would be lost
//! and values beyond `num::HEADROOM` are errors: never a number that is silently another one.
//!
//! The digits are taken sixteen at a time: a table shuffle drops the dot and right-aligns them,
//! three multiply-adds turn sixteen digits into two halves of eight ([`super::scan`] has the
//! loops). A [`Shape`] is the table row set for one number of places: within a symbol a venue pads
//! prices to the same places, so the dot need not be searched, only confirmed. Grammar: an optional
//! `-`, digits, optionally a dot and digits; no exponent, no blank, no `+`.
//!
//! The plain twin is `num::parse_decimal`.

use crate::health::FaultKind;
use crate::num::HEADROOM;

/// Powers of ten that fit an `i64`.
pub const TENS: [i64; 19] = {
    let mut all = [1i64; 19];
    let mut i = 1;
    while i < 19 {
        all[i] = all[i - 1] * 10;
        i += 1;
    }
    all
};

/// A decimal as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// All digits as one number.
    pub mantissa: u64,
    /// How many of them stand behind the dot.
    pub places: u32,
    /// True behind a minus sign.
    pub negative: bool,
}

/// Brings a decimal to steps of `10^-target`.
///
/// # Errors
/// `OutOfRange` when digits would be lost or the result is beyond `num::HEADROOM`.
#[inline]
pub fn fix(decimal: Decimal, target: u32) -> Result<i64, FaultKind> {
    let Decimal {
        mantissa,
        places,
        negative,
    } = decimal;
    let size = if places <= target {
        let scale = TENS
            .get((target - places) as usize)
            .copied()
            .unwrap_or(i64::MAX);
        let wide = u128::from(mantissa) * scale as u128;
        if wide > HEADROOM as u128 {
            return Err(FaultKind::OutOfRange);
        }
        wide as i64
    } else {
        let Some(&scale) = TENS.get((places - target) as usize) else {
            // More than 18 places too many: only zero loses nothing.
            return if mantissa == 0 {
                Ok(0)
            } else {
                Err(FaultKind::OutOfRange)
            };
        };
        let (whole, rest) = (mantissa / scale as u64, mantissa % scale as u64);
        if rest != 0 || whole > HEADROOM as u64 {
            return Err(FaultKind::OutOfRange);
        }
        whole as i64
    };
    Ok(if negative { -size } else { size })
}

/// Brings a decimal to steps of `10^-target`, digits beyond it rounded half away from zero: for rates and sums that are
/// printed finer than they mean, never for prices and sizes.
///
/// # Errors
/// `OutOfRange` when the result is beyond `num::HEADROOM`.
#[inline]
pub fn fix_near(decimal: Decimal, target: u32) -> Result<i64, FaultKind> {
    let Some(beyond) = decimal.places.checked_sub(target).filter(|n| *n > 0) else {
        return fix(decimal, target);
    };
    // Nineteen digits are all a mantissa has: with more places too many, less than half a step is left.
    let step = TENS.get(beyond as usize).map_or(i64::MAX, |step| *step) as u64;
    let rest = decimal.mantissa % step;
    let mantissa = decimal.mantissa / step + u64::from(rest >= step - rest);
    fix(
        Decimal {
            mantissa,
            places: target,
            ..decimal
        },
        target,
    )
}

/// Reads decimal text of any length, byte by byte: the tolerant road and the slow twin of the
/// scanners.
///
/// # Errors
/// `BadNumber` when it is not a decimal, `OutOfRange` when its digits do not fit 64 bits (zeros at
/// the end of the fraction do not count).
pub fn read(text: &[u8]) -> Result<Decimal, FaultKind> {
    let (negative, body) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let dot = body.iter().position(|&b| b == b'.');
    let (int, frac) = match dot {
        Some(at) => (&body[..at], &body[at + 1..]),
        None => (body, &body[..0]),
    };
    if int.is_empty() || (dot.is_some() && frac.is_empty()) {
        return Err(FaultKind::BadNumber);
    }
    if !int.iter().chain(frac).all(u8::is_ascii_digit) {
        return Err(FaultKind::BadNumber);
    }
    let mut places = frac.len();
    // Zeros at the end are kept (they tell the venue's places) unless the number is too long to
    // keep them.
    if int.len() + places > 19 {
        while places > 0 && frac[places - 1] == b'0' {
            places -= 1;
        }
    }
    let mut mantissa: u64 = 0;
    for digit in int.iter().chain(&frac[..places]) {
        mantissa = mantissa
            .checked_mul(10)
            .and_then(|m| m.checked_add(u64::from(digit - b'0')))
            .ok_or(FaultKind::OutOfRange)?;
    }
    Ok(Decimal {
        mantissa,
        places: u32::try_from(places).unwrap_or(u32::MAX),
        negative,
    })
}

/// Reads decimal text into steps of `10^-target`.
///
/// # Errors
/// As [`read`] and [`fix`].
pub fn parse(text: &[u8], target: u32) -> Result<i64, FaultKind> {
    fix(read(text)?, target)
}

/// Reads an unsigned whole number.
///
/// # Errors
/// `BadNumber` when it is not one or does not fit.
pub fn parse_uint(text: &[u8]) -> Result<u64, FaultKind> {
    let decimal = read(text)?;
    if decimal.negative || decimal.places != 0 || text.contains(&b'.') {
        return Err(FaultKind::BadNumber);
    }
    Ok(decimal.mantissa)
}

/// How sixteen loaded bytes of text become sixteen digits: one row per length of the text.
///
/// After `text - '0'` the shuffle moves the digits to the end and the dot to lane 0, where the
/// exclusive-or with `expect` makes a dot zero and everything else not. A length that has no row
/// expects what no byte can be.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Row {
    /// Source lane of each lane; 0x80 = zero.
    pub shuffle: [u8; 16],
    /// Exclusive-or that must leave lane 0 zero and every other lane at most 9.
    pub expect: [u8; 16],
}

const NO_ROW: Row = {
    let mut expect = [0u8; 16];
    // A shuffled-in zero, so lane 0 becomes 0xff: never clean.
    expect[0] = 0xff;
    Row {
        shuffle: [0x80; 16],
        expect,
    }
};

/// Most places a shape can have: fifteen digits, one of them before the dot.
pub const PLACES_MAX: usize = 14;

/// Rows by places and by text length (0..32).
static ROWS: [[Row; 32]; PLACES_MAX + 1] = {
    let mut all = [[NO_ROW; 32]; PLACES_MAX + 1];
    let mut places = 0;
    while places <= PLACES_MAX {
        let mut len = 1;
        while len <= 16 {
            all[places][len] = row(places, len);
            len += 1;
        }
        places += 1;
    }
    all
};

/// The row of one length. A text too short to hold the dot and `places` digits is a whole number
/// (`0` for a level that is gone): its digits are placed `places` lanes higher.
const fn row(places: usize, len: usize) -> Row {
    let dotted = places > 0 && len >= places + 2;
    let digits = if dotted { len - 1 } else { len + places };
    if digits > 15 {
        return NO_ROW;
    }
    let mut row = Row {
        shuffle: [0x80; 16],
        expect: [0; 16],
    };
    let mut lane = 16 - digits;
    let mut from = 0;
    while from < len {
        if dotted && from == len - places - 1 {
            row.shuffle[0] = from as u8;
            row.expect[0] = b'.'.wrapping_sub(b'0');
        } else {
            row.shuffle[lane] = from as u8;
            lane += 1;
        }
        from += 1;
    }
    row
}

/// Shuffles for a text of known length whose dot was searched: `[length][dot]`, `dot == length`
/// when it has none.
pub static SPREAD: [[[u8; 16]; 17]; 17] = {
    let mut all = [[[0x80u8; 16]; 17]; 17];
    let mut len = 1;
    while len <= 16 {
        let mut dot = 0;
        while dot <= len {
            let mut lane = 16;
            let mut from = len;
            while from > 0 {
                from -= 1;
                if from != dot {
                    lane -= 1;
                    all[len][dot][lane] = from as u8;
                }
            }
            dot += 1;
        }
        len += 1;
    }
    all
};

/// How one symbol's prices (or quantities) are written and what a step of the text is worth.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Rows by text length.
    pub rows: &'static [Row; 32],
    /// Steps of the result in one step of the text.
    pub scale: i64,
    /// Largest admitted mantissa: `HEADROOM / scale`.
    pub limit: i64,
    /// Smallest admitted mantissa.
    pub floor: i64,
    places: u32,
}

impl Shape {
    /// The shape of texts with `places` digits behind the dot, read into steps of `10^-target`, at
    /// least `floor` steps of the text; `None` when no row set fits (more than [`PLACES_MAX`]
    /// places, or more than the target holds).
    #[must_use]
    pub fn new(places: u32, target: u32, floor: i64) -> Option<Self> {
        let rows = ROWS.get(places as usize)?;
        let scale = *TENS.get(target.checked_sub(places)? as usize)?;
        Some(Self {
            rows,
            scale,
            limit: HEADROOM / scale,
            floor,
            places,
        })
    }
    /// Digits behind the dot.
    #[must_use]
    pub fn places(&self) -> u32 {
        self.places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::parse_decimal;
    use proptest::prelude::*;

    /// The twin with the headroom rule on top.
    fn twin(text: &str, target: u32) -> Option<i64> {
        parse_decimal(text, target).filter(|v| v.unsigned_abs() <= HEADROOM as u64)
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        let near = |text: &str, target| fix_near(read(text.as_bytes()).unwrap(), target);
        assert_eq!(near("0.0000263463215391", 12), Ok(26_346_322));
        assert_eq!(near("-0.0000263463215", 12), Ok(-26_346_322));
        assert_eq!(near("2.4999", 0), Ok(2));
        assert_eq!(near("2.5", 0), Ok(3));
        assert_eq!(near("7.25", 2), Ok(725));
        assert_eq!(near("7", 2), Ok(700));
        assert_eq!(near("0.0000000000000000009", 0), Ok(0));
        assert_eq!(near("0.00000000000000000000001", 1), Ok(0));
        assert!(near("36028797018963969.4", 0).is_err());
    }

    #[test]
    fn borders_are_exact() {
        assert_eq!(parse(b"65114.30", 10), Ok(651_143_000_000_000));
        assert_eq!(parse(b"0", 6), Ok(0));
        assert_eq!(parse(b"-0.0001", 12), Ok(-100_000_000));
        assert_eq!(parse(b"1.0000000000", 2), Ok(100));
        assert_eq!(parse(b"1.001", 2), Err(FaultKind::OutOfRange));
        assert_eq!(parse(b"99999999999", 10), Err(FaultKind::OutOfRange));
        assert_eq!(parse(b"3602879.7018963967", 10), Ok(HEADROOM));
        assert_eq!(parse(b"3602879.7018963968", 10), Err(FaultKind::OutOfRange));
        assert_eq!(parse(b"0.0000000000000000000000000000", 10), Ok(0));
        assert_eq!(
            parse(b"7.0000000000000000000000000000", 10),
            Ok(70_000_000_000)
        );
        for bad in [
            "", ".", "-", "1.", ".5", "1..2", "1e5", "+1", " 1", "1 ", "--1", "0x1",
        ] {
            assert_eq!(
                parse(bad.as_bytes(), 10),
                Err(FaultKind::BadNumber),
                "{bad}"
            );
        }
        assert_eq!(parse_uint(b"1786310818027"), Ok(1_786_310_818_027));
        assert_eq!(parse_uint(b"18446744073709551615"), Ok(u64::MAX));
        assert!(parse_uint(b"18446744073709551616").is_err());
        assert!(parse_uint(b"1.0").is_err());
    }

    proptest! {
        #[test]
        fn reading_agrees_with_the_slow_twin(text in "-?[0-9]{0,14}\\.?[0-9]{0,22}", target in 0u32..17) {
            prop_assert_eq!(parse(text.as_bytes(), target).ok(), twin(&text, target));
        }

        #[test]
        fn any_bytes_agree_with_the_slow_twin(text in "[-+.0-9e ]{0,24}", target in 0u32..17) {
            prop_assert_eq!(parse(text.as_bytes(), target).ok(), twin(&text, target));
        }
    }
}
