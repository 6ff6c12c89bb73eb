//! Names: from a file's venue and instrument to a ring, a symbol, and the powers of ten that make its numbers ours.
//!
//! Two facts of a venue are stated here beside `venue::VENUES`: the name it has at Tardis, and the worth of its
//! contracts where sizes are contracts. The second cannot be asked of a file, so it is a table of what was read from
//! the venue's own list, and an instrument that is not in it is refused: contracts are never taken for coins.
//!
//! While files are surveyed the book of names is *open*: what is met for the first time is given the next number.
//! Then the head of the tape is written, and what is met later and has no number is left out, counted by name.

use super::ImportError;
use crate::market::{SymbolId, VenueId, lot_of, split_multiple};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use std::collections::{BTreeMap, HashMap};

/// Where a file may come from.
#[derive(Debug)]
pub(super) struct Origin {
    /// The venue.
    pub(super) id: VenueId,
    /// Its name in plans and on tapes.
    pub(super) name: &'static str,
    /// Its name at Tardis.
    pub(super) tardis: &'static str,
    /// What stands behind the base coin.
    pub(super) suffix: &'static str,
    /// Its funding interval where that is the same for all; zero = not said, read as eight hours.
    pub(super) funding: Nanos,
    /// Worth of a contract as a power of ten of coins; `None` = sizes are coins.
    contracts: Option<&'static [(&'static str, i32)]>,
}

/// All of them, in the order of their numbers.
pub(super) const ORIGINS: [Origin; 4] = [
    Origin {
        id: VenueId::BINANCE,
        name: "binance",
        tardis: "binance-futures",
        suffix: "USDT",
        funding: Nanos::ZERO,
        contracts: None,
    },
    Origin {
        id: VenueId::BYBIT,
        name: "bybit",
        tardis: "bybit",
        suffix: "USDT",
        funding: Nanos::ZERO,
        contracts: None,
    },
    Origin {
        id: VenueId::OKX,
        name: "okx",
        tardis: "okex-swap",
        suffix: "-USDT-SWAP",
        funding: Nanos::ZERO,
        contracts: Some(&OKX),
    },
    Origin {
        id: VenueId::HYPERLIQUID,
        name: "hyperliquid",
        tardis: "hyperliquid",
        suffix: "",
        funding: Nanos::HOUR,
        contracts: None,
    },
];

/// `ctVal` of OKX swaps, as its instrument list of 2022-05 had it.
const OKX: [(&str, i32); 20] = [
    ("BTC", -2),
    ("ETH", -1),
    ("SOL", 0),
    ("XRP", 2),
    ("DOGE", 3),
    ("ADA", 2),
    ("LTC", 0),
    ("BCH", -1),
    ("AVAX", 0),
    ("LINK", 0),
    ("DOT", 0),
    ("UNI", 0),
    ("TRX", 3),
    ("SHIB", 6),
    ("ATOM", 0),
    ("NEAR", 1),
    ("FIL", -1),
    ("ETC", 1),
    ("AAVE", -1),
    ("ALGO", 1),
];

/// What an instrument's numbers become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Ring on the tape.
    pub(super) ring: u8,
    /// Venue.
    pub(super) venue: VenueId,
    /// Symbol.
    pub(super) symbol: SymbolId,
    /// A price is in steps of `10^-px` of what the file prints.
    pub(super) px: i32,
    /// A quantity likewise.
    pub(super) qty: i32,
    /// How much of `qty` is a contract's worth: not for sizes that are coins at a venue of contracts.
    pub(super) worth: i32,
}

#[derive(Debug)]
enum Found {
    Here(Place),
    /// Left out, with the rows that were.
    Out(u64),
}

/// The book of names of one import.
#[derive(Debug)]
pub(super) struct Names {
    /// Canonical assets in symbol order.
    pub(super) symbols: Vec<String>,
    /// Venues in ring order.
    pub(super) rings: Vec<&'static Origin>,
    /// The user said which symbols.
    are_named: bool,
    is_open: bool,
    found: [HashMap<Vec<u8>, Found>; ORIGINS.len()],
}

impl Names {
    /// An open book: of these symbols, or of all that are met.
    pub(super) fn new(symbols: Option<&[String]>) -> Self {
        Self {
            symbols: symbols.unwrap_or_default().to_vec(),
            rings: Vec::new(),
            are_named: symbols.is_some(),
            is_open: true,
            found: Default::default(),
        }
    }

    /// Closes the book: no more numbers. What was counted until now is forgotten.
    pub(super) fn close(&mut self) {
        self.is_open = false;
        for found in &mut self.found {
            found.retain(|_, found| matches!(found, Found::Here(_)));
        }
    }

    /// Where an instrument of a venue goes; `None` when it is left out, which is counted.
    ///
    /// # Errors
    /// Sizes in contracts whose worth is not known.
    pub(super) fn place(
        &mut self,
        origin: &'static Origin,
        instrument: &[u8],
    ) -> Result<Option<Place>, ImportError> {
        let at = usize::from(origin.id.0).saturating_sub(1);
        let Some(found) = self.found.get_mut(at) else {
            return Ok(None);
        };
        match found.get_mut(instrument) {
            Some(Found::Here(place)) => return Ok(Some(*place)),
            Some(Found::Out(rows)) => {
                *rows += 1;
                return Ok(None);
            }
            None => {}
        }
        let place = self.find(origin, instrument)?;
        let new = place.map_or(Found::Out(1), Found::Here);
        if let Some(found) = self.found.get_mut(at) {
            found.insert(instrument.to_vec(), new);
        }
        Ok(place)
    }

    fn find(
        &mut self,
        origin: &'static Origin,
        instrument: &[u8],
    ) -> Result<Option<Place>, ImportError> {
        let Ok(name) = core::str::from_utf8(instrument) else {
            return Ok(None);
        };
        let Some(base) = name.strip_suffix(origin.suffix) else {
            return Ok(None);
        };
        let (asset, multiple) = split_multiple(base);
        let is_name = !asset.is_empty() && asset.bytes().all(|b| b.is_ascii_alphanumeric());
        let at = self.symbols.iter().position(|symbol| symbol == asset);
        if !is_name || (at.is_none() && (self.are_named || !self.is_open)) {
            return Ok(None);
        }
        let worth = match origin.contracts {
            None => Some(0),
            Some(table) => table.iter().find(|row| row.0 == base).map(|row| row.1),
        };
        let Some(worth) = worth else {
            return Err(ImportError::Contract {
                venue: origin.name,
                instrument: name.to_owned(),
                known: origin.contracts.map_or(String::new(), |table| {
                    table.iter().map(|row| row.0).collect::<Vec<_>>().join(" ")
                }),
            });
        };
        let ring = self.rings.iter().position(|ring| ring.id == origin.id);
        if ring.is_none() && !self.is_open {
            return Ok(None);
        }
        let ring = ring.unwrap_or_else(|| {
            self.rings.push(origin);
            self.rings.len() - 1
        });
        let at = at.unwrap_or_else(|| {
            self.symbols.push(asset.to_owned());
            self.symbols.len() - 1
        });
        let lots = exponent(multiple) - exponent(lot_of(asset));
        Ok(Some(Place {
            ring: u8::try_from(ring).unwrap_or(u8::MAX),
            venue: origin.id,
            symbol: SymbolId(u16::try_from(at).unwrap_or(u16::MAX)),
            px: Px::DECIMALS.cast_signed() - lots,
            qty: Qty::DECIMALS.cast_signed() + lots + worth,
            worth,
        }))
    }

    /// Rows of instruments that were left out, by venue and name.
    pub(super) fn left_out(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (origin, found) in ORIGINS.iter().zip(&self.found) {
            for (name, found) in found {
                if let Found::Out(rows) = found {
                    let name = String::from_utf8_lossy(name);
                    all.insert(format!("{} {name}", origin.name), *rows);
                }
            }
        }
        all
    }
}

/// Multiples and lots are powers of ten.
const fn exponent(power: u32) -> i32 {
    power.ilog10().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_say_what_the_venues_rows_say() {
        for (at, origin) in ORIGINS.iter().enumerate() {
            assert_eq!(usize::from(origin.id.0), at + 1);
            if let Some(row) = crate::venue::venue(origin.id) {
                assert_eq!((row.name, row.quote), (origin.name, origin.suffix));
            }
        }
    }

    #[test]
    fn multiples_and_contracts_become_canonical_lots() {
        let mut names = Names::new(None);
        let mut place = |at: usize, name: &str| {
            let found = names.place(&ORIGINS[at], name.as_bytes());
            found.unwrap().map(|p| (p.ring, p.symbol.0, p.px, p.qty))
        };
        assert_eq!(place(0, "BTCUSDT"), Some((0, 0, 10, 6)));
        assert_eq!(place(0, "1000PEPEUSDT"), Some((0, 1, 10, 6)));
        assert_eq!(place(1, "10000LADYSUSDT"), Some((1, 2, 12, 4)));
        assert_eq!(place(2, "BTC-USDT-SWAP"), Some((2, 0, 10, 4)));
        // A contract of a million, a lot of a thousand.
        assert_eq!(place(2, "SHIB-USDT-SWAP"), Some((2, 3, 13, 9)));
        assert_eq!(place(3, "kPEPE"), Some((3, 1, 10, 6)));
        assert_eq!(place(0, "BTCUSDT_240628"), None);
        assert_eq!(place(3, "@107"), None);
        let refused = names.place(&ORIGINS[2], b"PEPE-USDT-SWAP");
        let text = refused.unwrap_err().to_string();
        assert!(
            text.contains("PEPE-USDT-SWAP") && text.contains("contracts"),
            "{text}"
        );
        assert_eq!(names.left_out().len(), 2);
    }

    #[test]
    fn a_closed_book_gives_no_numbers_and_counts_what_it_leaves_out() {
        let named = ["BTC".to_owned(), "ETH".to_owned()];
        let mut names = Names::new(Some(&named));
        assert!(names.place(&ORIGINS[0], b"BTCUSDT").unwrap().is_some());
        assert!(names.place(&ORIGINS[0], b"SOLUSDT").unwrap().is_none());
        names.close();
        for _ in 0..3 {
            assert!(names.place(&ORIGINS[0], b"SOLUSDT").unwrap().is_none());
        }
        // Named, and of a venue that has a ring: it has a number from the beginning.
        assert!(names.place(&ORIGINS[0], b"ETHUSDT").unwrap().is_some());
        assert!(names.place(&ORIGINS[1], b"ETHUSDT").unwrap().is_none());
        let want = [
            ("binance SOLUSDT".to_owned(), 3),
            ("bybit ETHUSDT".to_owned(), 1),
        ];
        assert_eq!(names.left_out().into_iter().collect::<Vec<_>>(), want);
    }
}
