//! Number: the texts of these files as integers, never through a float.
//!
//! Live frames are exact or refused (`wire::decimal`); these files are not so kind: programs that averaged or joined
//! them printed `3723702.4400000023` and `8.514e-05`. So here an exponent is read and digits behind the step are
//! rounded half to even. A value that is not zero and would become zero is refused all the same, for nothing here may
//! turn something into nothing.

use crate::num::{HEADROOM, Round, div_round};
use crate::time::Nanos;

/// A decimal as it was written: `mantissa * 10^-places`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    mantissa: i128,
    places: i32,
}

const fn ten(power: u32) -> i128 {
    10i128.pow(power)
}

impl Number {
    /// Reads `-12.5`, `8.5e-05`, `+3`; `None` for anything else and for more digits than 36.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let (negative, body) = match text {
            [b'-', body @ ..] => (true, body),
            [b'+', body @ ..] => (false, body),
            body => (false, body),
        };
        // Nineteen digits fit a word; what is longer is rare.
        let (mut word, mut wide, mut digits) = (0u64, None::<i128>, 0u32);
        let (mut dot, mut exponent) = (None::<u32>, 0i32);
        for (at, &byte) in body.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    let digit = byte - b'0';
                    match &mut wide {
                        None if digits < 18 => word = word * 10 + u64::from(digit),
                        None => wide = Some(i128::from(word) * 10 + i128::from(digit)),
                        Some(wide) => *wide = *wide * 10 + i128::from(digit),
                    }
                    digits += 1;
                    if digits > 36 {
                        return None;
                    }
                }
                b'.' if dot.is_none() => dot = Some(digits),
                b'e' | b'E' => {
                    exponent = read_exponent(&body[at + 1..])?;
                    break;
                }
                _ => return None,
            }
        }
        if digits == 0 {
            return None;
        }
        let size = wide.unwrap_or(i128::from(word));
        let behind = i32::try_from(digits - dot.unwrap_or(digits)).ok()?;
        Some(Self {
            mantissa: if negative { -size } else { size },
            places: behind - exponent,
        })
    }

    /// In steps of `10^-target`, half to even; `None` beyond the headroom, and for something that would be nothing.
    pub(super) fn steps(self, target: i32) -> Option<i64> {
        let more = target - self.places;
        let steps = match u32::try_from(more) {
            Ok(0) => self.mantissa,
            Ok(more) if self.mantissa == 0 || more <= 36 => {
                self.mantissa.checked_mul(ten(more.min(36)))?
            }
            Ok(_) => return None,
            Err(_) if more < -37 => 0,
            Err(_) => div_round(self.mantissa, ten(more.unsigned_abs()), Round::HalfEven),
        };
        let lost = steps == 0 && self.mantissa != 0;
        let steps = i64::try_from(steps).ok()?;
        (!lost && steps.unsigned_abs() <= HEADROOM.unsigned_abs()).then_some(steps)
    }

    /// This over `other`, in steps of `10^-target`, half to even; `None` over zero and as in [`Self::steps`].
    pub(super) fn over(self, other: Self, target: i32) -> Option<i64> {
        if other.mantissa == 0 {
            return None;
        }
        // a·10^-p / (b·10^-q), in steps of 10^-t, is a·10^(t + q - p) / b.
        let more = target + other.places - self.places;
        let (mut above, mut below) = (self.mantissa, other.mantissa);
        if more >= 0 {
            above = above.checked_mul(10i128.checked_pow(more.unsigned_abs())?)?;
        } else {
            below = below.checked_mul(10i128.checked_pow(more.unsigned_abs())?)?;
        }
        let whole = Self {
            mantissa: div_round(above, below, Round::HalfEven),
            places: target,
        };
        let lost = whole.mantissa == 0 && self.mantissa != 0;
        if lost { None } else { whole.steps(target) }
    }

    /// Whether it is below zero.
    pub(super) const fn is_negative(self) -> bool {
        self.mantissa < 0
    }
}

fn read_exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 3 {
        return None;
    }
    let size = unsigned(digits)?;
    let size = i32::try_from(size).ok()?;
    Some(if negative { -size } else { size })
}

/// A whole number without a sign.
pub(super) fn unsigned(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |whole, &digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        whole.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Units of a stamp, in nanoseconds.
pub(super) const MILLI: i64 = 1_000_000;
/// See [`MILLI`].
pub(super) const MICRO: i64 = 1_000;

/// Stamps before 2009 and after 2099 are none: nothing was traded then, and a replay would tick all the way there.
const PLAUSIBLE: std::ops::Range<i64> = 1_230_768_000_000_000_000..4_102_444_800_000_000_000;

fn plausible(ns: i64) -> Option<Nanos> {
    PLAUSIBLE.contains(&ns).then(|| Nanos::new(ns))
}

/// A stamp in units of so many nanoseconds since 1970; `None` for what is none, and for one that is not plausible.
pub(super) fn stamp(text: &[u8], unit: i64) -> Option<Nanos> {
    let count = i64::try_from(unsigned(text)?).ok()?;
    plausible(count.checked_mul(unit)?)
}

/// A stamp of a public dump: milliseconds, or microseconds where there are sixteen digits, or `2024-01-01 00:05:00`.
pub(super) fn dump_stamp(text: &[u8]) -> Option<Nanos> {
    match text.len() {
        13 => stamp(text, MILLI),
        16 => stamp(text, MICRO),
        19 => civil(text),
        _ => None,
    }
}

/// `2024-01-01 00:05:00` in UTC.
fn civil(text: &[u8]) -> Option<Nanos> {
    let marks = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if marks.iter().any(|&(at, mark)| text.get(at) != Some(&mark)) {
        return None;
    }
    let part = |from: usize, to: usize| {
        let number = unsigned(text.get(from..to)?)?;
        i64::try_from(number).ok()
    };
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let fits = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !fits {
        return None;
    }
    // Years begin in March here, so that the leap day is a year's last (the well-known civil-days formula).
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    plausible(Nanos::seconds(seconds).get())
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str, target: i32) -> Option<i64> {
        Number::read(text.as_bytes())?.steps(target)
    }

    #[test]
    fn decimals_are_read_to_the_step_and_rounded_half_to_even() {
        for (text, target, want) in [
            ("65114.3", 10, Some(651_143_000_000_000)),
            ("3723702.4400000023", 6, Some(3_723_702_440_000)),
            ("8.514e-05", 12, Some(85_140_000)),
            ("-1.58696E-05", 12, Some(-15_869_600)),
            ("1e3", 2, Some(100_000)),
            ("0.5", 0, None),
            ("1.5", 0, Some(2)),
            ("2.5", 0, Some(2)),
            ("0", 6, Some(0)),
            ("0.000", 6, Some(0)),
            ("0e9", 6, Some(0)),
            ("5", -2, None),
            ("12300", -2, Some(123)),
            ("8064963864.475081", 2, Some(806_496_386_448)),
            ("99999999999999999999", 0, None),
            ("", 6, None),
            ("-", 6, None),
            (".", 6, None),
            ("1.2.3", 6, None),
            ("1e", 6, None),
            ("1e9999", 6, None),
            ("nan", 6, None),
            ("1,5", 6, None),
            ("0.0000001", 6, None),
            ("1e-300", 6, None),
            ("1e300", 6, None),
        ] {
            assert_eq!(steps(text, target), want, "{text} in 1e-{target}");
        }
    }

    #[test]
    fn a_quotient_is_rounded_once() {
        let over =
            |a: &str, b: &str| Number::read(a.as_bytes())?.over(Number::read(b.as_bytes())?, 10);
        assert_eq!(
            over("8064963864.475081", "89832.175"),
            Some(897_781_208_623_200)
        );
        assert_eq!(over("1", "3"), Some(3_333_333_333));
        assert_eq!(over("2", "3"), Some(6_666_666_667));
        assert_eq!(over("1", "0"), None);
        assert_eq!(over("0", "5"), Some(0));
    }

    #[test]
    fn stamps_are_utc_in_the_unit_their_length_says() {
        let ns = |text: &str| dump_stamp(text.as_bytes()).map(Nanos::get);
        assert_eq!(ns("1704067500000"), Some(1_704_067_500_000_000_000));
        assert_eq!(ns("1704067500000123"), Some(1_704_067_500_000_123_000));
        assert_eq!(ns("2024-01-01 00:05:00"), Some(1_704_067_500_000_000_000));
        assert_eq!(ns("2024-02-29 23:59:59"), Some(1_709_251_199_000_000_000));
        for bad in [
            "2023-02-29 00:00:00",
            "2024-13-01 00:00:00",
            "2024-01-01T00:00:00",
            "12",
            "0000000000000",
            "1970-01-01 00:00:01",
            "9999-01-01 00:00:01",
            "8704067500000",
        ] {
            assert_eq!(ns(bad), None, "{bad}");
        }
    }
}
