//! Eye: what the engine's page said of direction, minute by minute, while tapes are replayed through it.
//!
//! Of a minute is kept what was said last before its begin, if that is not older than a minute and a book stood behind
//! it: the middle of the reference venue's book, its spread and the opinion of each mode. The mark is no price to score
//! on: it is smoothed, so the book of now tells where it goes. Log prices `f64`.

use crate::num::Px;
use crate::num::fixed::ONE32;
use crate::prove::path;
use crate::shm::record::{MODES, ModeRecord, Wide};
use crate::signal::Category;
use crate::time::Nanos;

/// What a mode said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Voice {
    /// −100 … +100.
    pub bias: f64,
    /// Score of its order-flow category, −1 … +1; asleep = no opinion = 0.
    pub flow: f64,
    /// Score of its liquidation category.
    pub liquidation: f64,
    /// The bias without its liquidation signals.
    pub without: f64,
}

/// One minute before whose begin something was said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minute {
    /// Its number since the epoch.
    pub at: i64,
    /// Log of the middle of the book.
    pub mid: f64,
    /// Best ask less best bid, log.
    pub spread: f64,
    /// Of an hour; `None` = not warm.
    pub sigma: Option<f64>,
    /// By mode; `None` = a confidence of 0: nothing was known.
    pub voice: [Option<Voice>; MODES],
}

fn voice(of: &ModeRecord, without: i8) -> Option<Voice> {
    let score = |category: Category| match of.categories[category as usize] {
        i8::MIN => 0.0,
        score => f64::from(score) / 100.0,
    };
    (of.confidence > 0).then(|| Voice {
        bias: f64::from(of.bias),
        flow: score(Category::OrderFlow),
        liquidation: score(Category::Liquidation),
        without: f64::from(without),
    })
}

/// A record as the minute after it keeps it; `None` without a book.
fn said(wide: &Wide, without: [i8; MODES]) -> Option<Minute> {
    let has_book = wide.bid_e10 > 0 && wide.ask_e10 >= wide.bid_e10;
    has_book.then(|| {
        let [bid, ask] = [wide.bid_e10, wide.ask_e10].map(|price| path::ln(Px::new(price)));
        Minute {
            at: wide.recv_ns.div_euclid(Nanos::MINUTE.get()) + 1,
            mid: (bid + ask) / 2.0,
            spread: ask - bid,
            sigma: (wide.sigma_1h_q32 > 0).then(|| wide.sigma_1h_q32 as f64 / ONE32 as f64),
            voice: core::array::from_fn(|mode| voice(&wide.mode[mode], without[mode])),
        }
    })
}

/// Listens to the page of one symbol.
#[derive(Debug, Default)]
pub struct Eye(Vec<Minute>);

impl Eye {
    /// Takes a record of the page, and what each mode's bias was without its liquidation signals: it stands for the
    /// minute after it until a later one does.
    pub fn take(&mut self, wide: &Wide, without: [i8; MODES]) {
        let Some(said) = said(wide, without) else {
            return;
        };
        match self.0.last_mut() {
            Some(last) if last.at == said.at => *last = said,
            _ => self.0.push(said),
        }
    }

    /// All minutes in the order of time, once each; of one that several tapes hold, that of which more was said.
    #[must_use]
    pub fn close(mut self) -> Vec<Minute> {
        let silent = |minute: &Minute| minute.voice.iter().filter(|v| v.is_none()).count();
        self.0.sort_by_key(|minute| (minute.at, silent(minute)));
        self.0.dedup_by_key(|minute| minute.at);
        self.0
    }
}
