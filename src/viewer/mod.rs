//! Viewer: records as people and programs read them. Sees records only; never the engine.
//!
//! `json` is the object that `replay --json` and `cat --json` share, decimals as strings so that no reader rounds
//! them;
//! `text` is the terminal's picture of the same records; `plot` draws histories and proofs as PNG.

pub mod json;
#[cfg(feature = "plot")]
#[expect(clippy::float_arithmetic, reason = "pixels and people's numbers")]
pub mod plot;
pub mod text;

use crate::num::{Px, Qty, Usd};
use crate::shm::record::{OddsRecord, Wide, ZoneRecord};

/// How a symbol's numbers are shown.
#[derive(Debug, Clone)]
pub struct Show {
    /// Canonical asset.
    pub symbol: String,
    /// Coins in the lot that its prices and quantities are in.
    pub lot: u32,
    /// Name of the reference venue.
    pub venue: String,
    /// Decimals of prices as the venue prints them; `None` = as many as are needed.
    pub price_places: Option<u8>,
    /// Decimals of quantities; `None` = as many as are needed.
    pub qty_places: Option<u8>,
}

impl Show {
    /// The symbol, with the lot its numbers are in where that is not one coin: `PEPE x1000`.
    #[must_use]
    pub fn title(&self) -> String {
        match self.lot {
            0 | 1 => self.symbol.clone(),
            lot => format!("{} x{lot}", self.symbol),
        }
    }

    /// A price as text; `None` when there is none.
    #[must_use]
    pub fn price(&self, e10: i64) -> Option<String> {
        let px = Px::new(e10);
        (e10 != 0).then(|| match self.price_places {
            Some(places) => px.text(u32::from(places)),
            None => px.to_string(),
        })
    }

    /// A computed price (zone edge) with one decimal more than the venue prints, at least two.
    #[must_use]
    pub fn level(&self, e10: i64) -> String {
        let px = Px::new(e10);
        let places = match (self.price_places, px.get() / Px::ONE) {
            (Some(places), _) => u32::from(places).max(1) + 1,
            (None, 1_000..) => 2,
            (None, 10..) => 3,
            (None, 1..) => 4,
            (None, _) => 7,
        };
        px.text(places)
    }

    /// A quantity as text.
    #[must_use]
    pub fn qty(&self, e6: i64) -> String {
        let qty = Qty::new(e6);
        self.qty_places
            .map_or_else(|| qty.to_string(), |places| qty.text(u32::from(places)))
    }
}

/// True when an input of this age was heard: not so when the age says never, nor in a record that was never
/// published, whose ages are zeros like everything in it.
#[must_use]
pub const fn heard(wide: &Wide, age_ms: u32) -> bool {
    wide.recv_ns != 0 && age_ms != u32::MAX
}

/// True when the map stands on something: all of it comes from open interest.
#[must_use]
pub const fn mapped(wide: &Wide) -> bool {
    heard(wide, wide.ages.interest_ms)
}

/// Money as text.
#[must_use]
pub fn usd(cents: i64) -> String {
    Usd::new(cents).text(2)
}

/// A share or probability of step `10^-decimals` as text.
#[must_use]
pub fn share(value: i64, decimals: u32) -> String {
    crate::num::decimal_text(value, decimals, decimals)
}

/// The zones of a record that exist, hot ones (the day mode's) with what is thought of them: hot above, hot below, cold
/// above, cold below, nearest first in each.
pub fn zones(wide: &Wide) -> impl Iterator<Item = (&ZoneRecord, Option<&OddsRecord>)> {
    let odds = wide.odds_above.iter().chain(&wide.odds_below);
    let hot = wide.hot_above.iter().chain(&wide.hot_below);
    let cold = wide.cold_above.iter().chain(&wide.cold_below);
    hot.zip(odds.map(Some))
        .chain(cold.map(|zone| (zone, None)))
        .filter(|(zone, _)| zone.high_e10 != 0)
}

/// A name from a table, by number; `?` for a number that is none.
#[must_use]
pub fn named<'a>(names: &[&'a str], number: u8) -> &'a str {
    names.get(usize::from(number)).copied().unwrap_or("?")
}
