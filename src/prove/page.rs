//! Page: what the engine's page said while tapes are replayed through it, once, to all who score it.
//!
//! The replay learns on its way what the engine learned on its way, from the state its tape began with; how that run
//! ended is not compared: what is asked is what this build says.

use super::input::Input;
use super::{cascade, direction, odds};
use crate::replay::{self, ReplayError};
use crate::shm::record::{EventRecord, Headline, MODES, Publish, Wide};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What was heard of a symbol, minute by minute.
#[derive(Debug, Default)]
pub struct Heard {
    /// Of cascades.
    pub cascade: Vec<cascade::eye::Minute>,
    /// Of direction.
    pub direction: Vec<direction::eye::Minute>,
    /// Of zones.
    pub odds: odds::eye::Heard,
}

/// By symbol.
pub type Page = BTreeMap<String, Heard>;

#[derive(Debug, Default)]
struct Eyes {
    /// Of the run that is heard.
    symbols: Vec<String>,
    by: BTreeMap<String, Own>,
    /// Of the record that comes next: what each mode's bias is without its liquidation signals.
    without: [i8; MODES],
}

type Own = (cascade::eye::Eye, direction::eye::Eye, odds::eye::Eye);

impl Eyes {
    fn begin(&mut self, symbols: &[String]) {
        self.symbols = symbols.to_vec();
        for name in symbols {
            let own = self.by.entry(name.clone()).or_default();
            own.0.begin();
            own.2.begin();
        }
    }

    fn own(&mut self, symbol: usize) -> Option<&mut Own> {
        self.by.get_mut(self.symbols.get(symbol)?)
    }
}

impl Publish for Eyes {
    fn headline(&mut self, _: usize, _: usize, _: &Headline) {}
    fn without(&mut self, _: usize, bias: &dyn Fn() -> [i8; MODES]) {
        self.without = bias();
    }
    fn wide(&mut self, symbol: usize, record: &Wide) {
        let without = core::mem::take(&mut self.without);
        if let Some((cascade, direction, odds)) = self.own(symbol) {
            cascade.take(record);
            direction.take(record, without);
            odds.take(record);
        }
    }
    fn event(&mut self, record: &EventRecord) {
        if let Some((_, _, odds)) = self.own(record.symbol.into()) {
            odds.event(record);
        }
    }
}

/// Replays the tapes and listens; nothing is replayed where no symbol's tapes hold a book.
///
/// # Errors
/// A tape that cannot be replayed, in words.
pub fn heard(
    files: &[PathBuf],
    symbols: Option<&[String]>,
    inputs: &[Input],
) -> Result<Page, String> {
    let mut eyes = Eyes::default();
    if inputs.iter().any(Input::has_book) {
        let told = |error: ReplayError| format!("the tapes cannot be replayed: {error}");
        for path in files {
            replay::watch(path, symbols, &mut eyes, &mut Eyes::begin).map_err(told)?;
        }
    }
    let close = |(name, (cascade, direction, odds)): (_, Own)| {
        let heard = Heard {
            cascade: cascade.close(),
            direction: direction.close(),
            odds: odds.close(),
        };
        (name, heard)
    };
    Ok(eyes.by.into_iter().map(close).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Px;
    use bytemuck::Zeroable;

    #[test]
    fn a_record_is_of_the_symbol_that_has_its_place_in_the_run() {
        let mut wide = Wide::zeroed();
        (wide.mark_e10, wide.bid_e10, wide.ask_e10) = (Px::ONE, Px::ONE, 2 * Px::ONE);
        let mut eyes = Eyes::default();
        eyes.wide(0, &wide);
        for names in [["BTC", "ETH"], ["ETH", "SOL"]] {
            eyes.begin(&names.map(str::to_owned));
            eyes.wide(1, &wide);
            eyes.wide(2, &wide);
        }
        let heard = eyes
            .by
            .into_iter()
            .map(|(name, (a, b, _))| (name, a.close().len(), b.close().len()));
        let want = [("BTC", 0, 0), ("ETH", 1, 1), ("SOL", 1, 1)];
        assert_eq!(
            heard.collect::<Vec<_>>(),
            want.map(|(name, a, b)| (name.to_owned(), a, b))
        );
    }
}
