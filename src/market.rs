//! Market nouns: venues, symbols, sides, holders, and the one table of canonical assets.
//!
//! A *symbol* is an asset across venues (`BTC`), a small index given by the plan. An *instrument* is one contract at
//! one venue. Coins whose unit is a tiny fraction of a dollar are counted in lots of 1,000 or 1,000,000 units: the
//! lot is a property of the asset, stated once in [`ASSETS`]; a venue that quotes another multiple is scaled when its
//! frames are decoded, so nothing behind a decoder ever sees a multiplier.

use bytemuck::{Pod, Zeroable};

/// A venue by number; the number is on tapes and in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Pod, Zeroable)]
#[repr(transparent)]
pub struct VenueId(pub u8);

impl VenueId {
    /// Binance USD-M.
    pub const BINANCE: Self = Self(1);
    /// Bybit v5 linear.
    pub const BYBIT: Self = Self(2);
    /// OKX v5 swaps.
    pub const OKX: Self = Self(3);
    /// Hyperliquid.
    pub const HYPERLIQUID: Self = Self(4);
}

/// A symbol by its place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Pod, Zeroable)]
#[repr(transparent)]
pub struct SymbolId(pub u16);

/// Side of an *order*. A forced sale is `Sell`, whatever the venue prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// Bid, or a taker who lifted the ask.
    Buy = 0,
    /// Ask, or a taker who hit the bid.
    Sell = 1,
}

impl Side {
    /// Reads the number; anything but 1 is `Buy`.
    #[must_use]
    pub const fn from_u8(n: u8) -> Self {
        if n == 1 { Self::Sell } else { Self::Buy }
    }
}

/// Who holds a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Holder {
    /// Gains when price rises; forced out by a sale.
    Long = 0,
    /// Gains when price falls; forced out by a purchase.
    Short = 1,
}

impl Holder {
    /// Both, in number order.
    pub const BOTH: [Self; 2] = [Self::Long, Self::Short];
    /// Reads the number; anything but 1 is `Long`.
    #[must_use]
    pub const fn from_u8(n: u8) -> Self {
        if n == 1 { Self::Short } else { Self::Long }
    }
    /// Which way the price hurts: -1 for longs, who die downwards, 1 for shorts.
    #[must_use]
    pub const fn hurts(self) -> i64 {
        match self {
            Self::Long => -1,
            Self::Short => 1,
        }
    }
}

/// A canonical asset and the lot its quantities are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Canonical name.
    pub name: &'static str,
    /// Units of coin in one canonical lot: 1, 1,000 or 1,000,000.
    pub lot: u32,
}

/// Assets whose canonical lot is not one unit; every other asset counts single units.
pub const ASSETS: [Asset; 16] = [
    Asset {
        name: "PEPE",
        lot: 1_000,
    },
    Asset {
        name: "SHIB",
        lot: 1_000,
    },
    Asset {
        name: "BONK",
        lot: 1_000,
    },
    Asset {
        name: "FLOKI",
        lot: 1_000,
    },
    Asset {
        name: "LUNC",
        lot: 1_000,
    },
    Asset {
        name: "XEC",
        lot: 1_000,
    },
    Asset {
        name: "SATS",
        lot: 1_000,
    },
    Asset {
        name: "RATS",
        lot: 1_000,
    },
    Asset {
        name: "CAT",
        lot: 1_000,
    },
    Asset {
        name: "TURBO",
        lot: 1_000,
    },
    Asset {
        name: "NEIROCTO",
        lot: 1_000,
    },
    Asset {
        name: "LADYS",
        lot: 1_000_000,
    },
    Asset {
        name: "MOG",
        lot: 1_000_000,
    },
    Asset {
        name: "CHEEMS",
        lot: 1_000_000,
    },
    Asset {
        name: "BABYDOGE",
        lot: 1_000_000,
    },
    Asset {
        name: "BTTC",
        lot: 1_000_000,
    },
];

/// Units of coin in one canonical lot of `asset`.
#[must_use]
pub fn lot_of(asset: &str) -> u32 {
    ASSETS.iter().find(|a| a.name == asset).map_or(1, |a| a.lot)
}

/// Splits a venue's base-coin name into canonical asset and the multiple it is quoted in: `1000PEPE` is (`PEPE`,
/// 1000), `SHIB1000` is (`SHIB`, 1000), `kBONK` is (`BONK`, 1000); `BTC` is (`BTC`, 1).
///
/// A trailing or leading number that is not a power of ten above 99 belongs to the name (`0G`, `1INCH`).
#[must_use]
pub fn split_multiple(base: &str) -> (&str, u32) {
    for (digits, multiple) in [
        ("10000000", 10_000_000),
        ("1000000", 1_000_000),
        ("100000", 100_000),
        ("10000", 10_000),
        ("1000", 1_000),
        ("1M", 1_000_000),
    ] {
        if let Some(rest) = base.strip_prefix(digits)
            && rest.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            return (rest, multiple);
        }
        if let Some(rest) = base.strip_suffix(digits)
            && digits != "1M"
            && rest.ends_with(|c: char| c.is_ascii_alphabetic())
        {
            return (rest, multiple);
        }
    }
    if let Some(rest) = base.strip_prefix('k')
        && lot_of(rest) == 1_000
    {
        return (rest, 1_000);
    }
    (base, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiples_are_told_from_names() {
        for (base, want) in [
            ("BTC", ("BTC", 1)),
            ("1000PEPE", ("PEPE", 1_000)),
            ("SHIB1000", ("SHIB", 1_000)),
            ("kBONK", ("BONK", 1_000)),
            ("kPEPE", ("PEPE", 1_000)),
            ("1000000BABYDOGE", ("BABYDOGE", 1_000_000)),
            ("1INCH", ("1INCH", 1)),
            ("0G", ("0G", 1)),
            ("1MBABYDOGE", ("BABYDOGE", 1_000_000)),
        ] {
            assert_eq!(split_multiple(base), want, "{base}");
        }
        assert_eq!(lot_of("PEPE"), 1_000);
        assert_eq!(lot_of("BTC"), 1);
    }
}
