//! Numbers: integer steps with a name, and the roundings by which one becomes another.
//!
//! Prices are `Px`, quantities `Qty`, money `Usd`: each an `i64` count of a fixed step, so that two engines that see
//! the same bytes hold the same bits. A product of two of them does not fit 64 bits and is taken in `i128` with a
//! *named* rounding; there is no default. Ratios and scores are fixed point (`fixed`), logarithms are in `log`.
//!
//! Invariants: no float, no clock, no allocation. Arithmetic that can leave the range saturates or answers `None`;
//! the type's doc says which.

pub mod fixed;
pub mod log;
mod tables;

use bytemuck::{Pod, Zeroable};

/// How a quotient that is not whole becomes whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Toward zero: odd functions stay exactly odd, which the mirror law needs.
    TowardZero,
    /// Toward minus infinity: for bounds that must not be exceeded.
    Down,
    /// To nearest, ties to even: for values that are shown or summed over many.
    HalfEven,
}

/// Divides with a named rounding.
///
/// A zero divisor gives 0: the caller that can meet one must say what no data means before it divides.
#[must_use]
pub const fn div_round(n: i128, d: i128, round: Round) -> i128 {
    if d == 0 {
        return 0;
    }
    let q = n / d;
    let r = n % d;
    if r == 0 {
        return q;
    }
    let negative = (n < 0) != (d < 0);
    match round {
        Round::TowardZero => q,
        Round::Down => {
            if negative {
                q - 1
            } else {
                q
            }
        }
        Round::HalfEven => {
            let twice = r.unsigned_abs() * 2;
            let whole = d.unsigned_abs();
            let away = twice > whole || (twice == whole && q % 2 != 0);
            match (away, negative) {
                (false, _) => q,
                (true, true) => q - 1,
                (true, false) => q + 1,
            }
        }
    }
}

/// Narrows to `i64`, saturating.
// LIMIT: saturates; callers that must know compare with `i64::MAX`.
#[must_use]
pub const fn narrow(n: i128) -> i64 {
    if n > i64::MAX as i128 {
        i64::MAX
    } else if n < i64::MIN as i128 {
        i64::MIN
    } else {
        n as i64
    }
}

macro_rules! step {
    ($name:ident, $decimals:expr, $doc:expr) => {
        #[doc = $doc]
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Pod, Zeroable,
        )]
        #[repr(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Decimal places of the step.
            pub const DECIMALS: u32 = $decimals;
            /// Steps in one whole unit.
            pub const ONE: i64 = 10i64.pow($decimals);
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// From a count of steps.
            #[must_use]
            pub const fn new(steps: i64) -> Self {
                Self(steps)
            }
            /// The count of steps.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
            /// From whole units, saturating.
            #[must_use]
            pub const fn whole(units: i64) -> Self {
                Self(units.saturating_mul(Self::ONE))
            }
            /// True when the count is zero.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
            /// Sum, saturating.
            #[must_use]
            pub const fn plus(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
            /// Difference, saturating.
            #[must_use]
            pub const fn minus(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
            /// Reads plain decimal text (`-12.50`); `None` if it is not one, or does not fit the step exactly.
            ///
            /// The slow twin of `wire::decimal`: for configuration, tests and cold paths.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                parse_decimal(text, $decimals).map(Self)
            }
            /// Text with exactly `places` decimals (more than the step has are zeros; fewer truncate toward zero).
            #[must_use]
            pub fn text(self, places: u32) -> String {
                decimal_text(self.0, $decimals, places)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let all = decimal_text(self.0, $decimals, $decimals);
                f.write_str(all.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    };
}

step!(
    Px,
    10,
    "A price in 1e-10 quote units per unit of the symbol's canonical lot.\n\nWith the ruled 2^8 headroom prices up to 3,602,879 quote units are admitted."
);
step!(
    Qty,
    6,
    "A base quantity in 1e-6 of the symbol's *canonical lot* (`market::Asset::lot`)."
);
step!(
    Usd,
    2,
    "Quote notional in cents; stable coins count as dollars."
);

/// Prices, quantities and interests above this are refused: 2^8 of headroom below the end of the type.
pub const HEADROOM: i64 = i64::MAX >> 8;

impl Px {
    /// The notional of `qty` at this price: 1e-10 x 1e-6 steps become cents by dividing by 1e14.
    #[must_use]
    pub const fn notional(self, qty: Qty, round: Round) -> Usd {
        let product = self.0 as i128 * qty.0 as i128;
        Usd(narrow(div_round(product, 100_000_000_000_000, round)))
    }

    /// The quantity that `usd` buys at this price; zero price gives zero.
    #[must_use]
    pub const fn quantity(self, usd: Usd, round: Round) -> Qty {
        Qty(narrow(div_round(
            usd.0 as i128 * 100_000_000_000_000,
            self.0 as i128,
            round,
        )))
    }

    /// Signed distance to `other` in hundredths of a basis point of this price, toward zero; `None` at price zero.
    #[must_use]
    pub const fn centi_bps_to(self, other: Px) -> Option<i64> {
        if self.0 <= 0 {
            return None;
        }
        let gap = (other.0 as i128 - self.0 as i128) * 1_000_000;
        Some(narrow(div_round(gap, self.0 as i128, Round::TowardZero)))
    }
}

/// Reads a plain decimal into `10^-decimals` steps; `None` on anything else, on overflow and on lost digits.
#[must_use]
pub fn parse_decimal(text: &str, decimals: u32) -> Option<i64> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (int, frac) = body.split_once('.').unwrap_or((body, ""));
    if int.is_empty() || (body.contains('.') && frac.is_empty()) {
        return None;
    }
    let mut value: i64 = 0;
    for digit in int.bytes() {
        value = push_digit(value, digit)?;
    }
    let frac = frac.as_bytes();
    for place in 0..decimals as usize {
        value = push_digit(value, frac.get(place).copied().unwrap_or(b'0'))?;
    }
    let lost = frac.iter().skip(decimals as usize);
    if lost.clone().any(|&digit| digit != b'0') {
        return None;
    }
    Some(if negative { -value } else { value })
}

fn push_digit(value: i64, digit: u8) -> Option<i64> {
    let digit = digit.wrapping_sub(b'0');
    if digit > 9 {
        return None;
    }
    value.checked_mul(10)?.checked_add(i64::from(digit))
}

/// Writes `value` of step `10^-decimals` with `places` decimals, truncating toward zero.
#[must_use]
pub fn decimal_text(value: i64, decimals: u32, places: u32) -> String {
    let one = 10u64.pow(decimals);
    let size = value.unsigned_abs();
    let (int, frac) = (size / one, size % one);
    let shown = if places <= decimals {
        frac / 10u64.pow(decimals - places)
    } else {
        frac.saturating_mul(10u64.saturating_pow(places - decimals))
    };
    let sign = if value < 0 && (int != 0 || shown != 0) {
        "-"
    } else {
        ""
    };
    if places == 0 {
        format!("{sign}{int}")
    } else {
        format!("{sign}{int}.{shown:0width$}", width = places as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_survive_a_round_trip() {
        for text in [
            "0",
            "1",
            "65114.3",
            "0.0000000001",
            "-12.5",
            "900000000.0000000001",
        ] {
            assert_eq!(Px::parse(text).unwrap().to_string(), text);
        }
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "1.2.3",
            "1e5",
            " 1",
            "+1",
            "0.00000000001",
            "99999999999",
        ] {
            assert_eq!(Px::parse(bad), None, "{bad}");
        }
        assert_eq!(Px::parse("65114.30").unwrap().text(2), "65114.30");
        assert_eq!(Qty::parse("0.000").unwrap().text(3), "0.000");
        assert_eq!(Px::parse("-0.04").unwrap().text(1), "0.0");
    }

    #[test]
    fn roundings_do_what_their_names_say() {
        let cases = [
            (7, 2, 3, 3, 4),
            (-7, 2, -3, -4, -4),
            (5, 2, 2, 2, 2),
            (-5, 2, -2, -3, -2),
        ];
        for (n, d, zero, down, even) in cases {
            assert_eq!(div_round(n, d, Round::TowardZero), zero);
            assert_eq!(div_round(n, d, Round::Down), down);
            assert_eq!(div_round(n, d, Round::HalfEven), even);
        }
    }

    #[test]
    fn notional_is_price_times_quantity() {
        let usd = Px::parse("65114.30")
            .unwrap()
            .notional(Qty::parse("0.5").unwrap(), Round::Down);
        assert_eq!(usd.to_string(), "32557.15");
        let qty = Px::parse("65114.30")
            .unwrap()
            .quantity(usd, Round::HalfEven);
        assert_eq!(qty.to_string(), "0.5");
    }
}
