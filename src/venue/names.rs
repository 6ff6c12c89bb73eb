//! Names: what a venue calls the symbols of a plan, from which moment on.
//!
//! A contract that is renamed stays the same contract: the plan names it once, by its old name or its new one, and
//! says when the one becomes the other. Until then frames, requests and subscriptions speak of the old name, from then
//! on of the new one; a frame of the other name is none of ours. A contract whose *unit* changes is another contract,
//! and no rename.

use crate::market::VenueId;
use crate::time::Nanos;

/// A contract that a venue gives another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The venue.
    pub venue: VenueId,
    /// The asset until then.
    pub was: String,
    /// The asset from then on.
    pub now: String,
    /// When, Unix time.
    pub at: Nanos,
}

/// Every symbol's name at a venue, from a moment on.
pub type Epoch = (Nanos, Vec<String>);

/// What the venue calls the symbols: from [`Nanos::ZERO`] on, and from every rename that concerns one of them.
#[must_use]
pub fn names(symbols: &[String], venue: VenueId, renames: &[Rename]) -> Vec<Epoch> {
    let mut own: Vec<&Rename> = renames.iter().filter(|row| row.venue == venue).collect();
    own.sort_by_key(|row| row.at);
    let mut now: Vec<String> = symbols.to_vec();
    for row in own.iter().rev() {
        for name in now.iter_mut().filter(|name| **name == row.now) {
            name.clone_from(&row.was);
        }
    }
    let mut epochs = vec![(Nanos::ZERO, now.clone())];
    for row in own {
        let mut changed = false;
        for name in now.iter_mut().filter(|name| **name == row.was) {
            name.clone_from(&row.now);
            changed = true;
        }
        if changed {
            epochs.push((row.at, now.clone()));
        }
    }
    epochs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_followed_by_either_name_through_every_rename() {
        let row = |was: &str, now: &str, at, venue| Rename {
            venue,
            was: was.to_owned(),
            now: now.to_owned(),
            at: Nanos::seconds(at),
        };
        let renames = [
            row("B", "C", 20, VenueId::OKX),
            row("A", "B", 10, VenueId::OKX),
            row("A", "X", 5, VenueId::BYBIT),
            row("ETH", "E", 5, VenueId::BINANCE),
        ];
        let said = |symbol: &str, venue| {
            let epochs = names(&["BTC".to_owned(), symbol.to_owned()], venue, &renames);
            let short = |(at, names): &Epoch| format!("{}{}", at.get() / 1_000_000_000, names[1]);
            epochs.iter().map(short).collect::<Vec<_>>().join(" ")
        };
        for symbol in ["A", "B", "C"] {
            assert_eq!(said(symbol, VenueId::OKX), "0A 10B 20C");
        }
        assert_eq!(said("A", VenueId::BYBIT), "0A 5X");
        assert_eq!(said("C", VenueId::BYBIT), "0C");
        assert_eq!(said("ETH", VenueId::OKX), "0ETH");
    }
}
