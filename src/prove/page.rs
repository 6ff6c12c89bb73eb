//! Page: what the engine's page said while tapes are replayed through it, once, to all who score it.
//!
//! The replay learns on its way what the engine learned on its way, from the state its tape began with; how that run
//! ended is not compared: what is asked is what this build says.

use super::input::Input;
use super::{cascade, direction};
use crate::replay::{self, ReplayError};
use crate::shm::record::{Headline, Publish, Wide};
use std::path::PathBuf;

/// What was heard.
#[derive(Debug)]
pub struct Heard {
    /// Of cascades.
    pub cascade: cascade::eye::Seen,
    /// Of direction.
    pub direction: direction::eye::Seen,
}

#[derive(Debug, Default)]
struct Eyes {
    cascade: cascade::eye::Eye,
    direction: direction::eye::Eye,
}

impl Publish for Eyes {
    fn headline(&mut self, _: usize, _: usize, _: &Headline) {}
    fn wide(&mut self, symbol: usize, record: &Wide) {
        self.cascade.take(symbol, record);
        self.direction.take(symbol, record);
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
) -> Result<Heard, String> {
    let mut eyes = Eyes::default();
    if inputs.iter().any(Input::has_book) {
        let told = |error: ReplayError| format!("the tapes cannot be replayed: {error}");
        let mut begin = |eyes: &mut Eyes, symbols: &[String]| {
            eyes.cascade.begin(symbols);
            eyes.direction.begin(symbols);
        };
        for path in files {
            replay::watch(path, symbols, &mut eyes, &mut begin).map_err(told)?;
        }
    }
    Ok(Heard {
        cascade: eyes.cascade.close(),
        direction: eyes.direction.close(),
    })
}
