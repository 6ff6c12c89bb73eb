//! Signals: one row each, pure functions from a [`View`] and a [`Window`] to a raw reading.
//!
//! A row says what it claims, what it needs, when it is warm and how its raw reading becomes a score. Rows live in
//! one file per category and never import each other. [`Cards`] keeps the normalisers (one per signal and window,
//! shared by the modes) and the cards (one per signal and mode) of one symbol. Raw readings are Q32; + is bullish.
//!
//! "None" is an answer: no data or a division by zero gives no sample and leaves the slot out; it is not 0.

pub mod card;
pub mod normaliser;
pub mod streams;
pub mod view;
pub mod window;

mod derivatives;
mod funding;
mod liquidation;
mod order_book;
mod order_flow;

pub use card::Card;
pub use normaliser::Kind;
pub use streams::Streams;
pub use view::{HeatReading, View, ZoneMass, ZoneReading};
pub use window::{Class, Window};

use crate::num::fixed::{ONE, clip, exp2neg, mul32};
use crate::num::narrow;
use crate::shm::record::{CATEGORIES, MODES};
use bytemuck::{Pod, Zeroable};
use card::Make;
use normaliser::{Normaliser, RAW_LIMIT, SAMPLES_MIN, score};
use view::Trust;
use window::{SAMPLES, SLOT_WEIGHTS, WINDOWS};

/// A raw reading in Q32, or none.
pub type Raw = Option<i64>;

/// Families of signals, in catalogue order; the number is the place in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the catalogue's headings")]
pub enum Category {
    CompositeAlpha = 0,
    OrderFlow = 1,
    OrderBook = 2,
    SmartMoney = 3,
    Liquidation = 4,
    Derivatives = 5,
    Funding = 6,
    CrossExchange = 7,
    Statistical = 8,
    Macro = 9,
    TradFi = 10,
    OnChain = 11,
    DeFi = 12,
    RiskManagement = 13,
    MetaSignals = 14,
    Sentiment = 15,
    Execution = 16,
    Volatility = 17,
    Volume = 18,
    Momentum = 19,
    MarketStructure = 20,
    Regime = 21,
    CrossAsset = 22,
    Options = 23,
    Microstructure = 24,
}

impl Category {
    /// Name of each, in number order.
    pub const NAMES: [&'static str; CATEGORIES] = [
        "Composite Alpha",
        "Order Flow",
        "Order Book",
        "Smart Money",
        "Liquidation",
        "Derivatives",
        "Funding",
        "Cross-Exchange",
        "Statistical",
        "Macro",
        "TradFi",
        "On-Chain",
        "DeFi",
        "Risk Management",
        "Meta Signals",
        "Sentiment",
        "Execution",
        "Volatility",
        "Volume",
        "Momentum",
        "Market Structure",
        "Regime",
        "Cross-Asset",
        "Options",
        "Microstructure",
    ];
}

/// What a signal may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Directional, sign fixed by argument.
    D,
    /// Directional, evidence mixed: the sign waits to be learned; until then the prior sign.
    Dq,
    /// Context: a level without direction; never enters the bias.
    C,
    /// Meta: made from the bias's own parts; shown only.
    M,
}

impl Role {
    /// True when the signal speaks about direction.
    #[must_use]
    pub const fn is_directional(self) -> bool {
        matches!(self, Self::D | Self::Dq)
    }
}

/// What is counted until a signal is warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Times an input was heard.
    Heard(usize),
    /// Taker orders of both sides, prints of one order merged.
    Merged,
    /// Taker orders on the rarer side.
    Orders,
    /// Changes of the best bid or offer.
    Quotes,
    /// Seconds for which an input's state was known.
    Seconds(usize),
    /// Samples of the signal's own slots, the fewest among the warm ones.
    Samples,
}

/// When a signal is warm: at least so many of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cold {
    /// What is counted.
    pub of: Count,
    /// How many are asked; also the scale of the warmth that follows.
    pub least: u64,
}

/// One signal.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its id in the catalogue.
    pub id: &'static str,
    /// Its family.
    pub category: Category,
    /// What it says will happen, and when it says nothing.
    pub claim: &'static str,
    /// What it may do.
    pub role: Role,
    /// How it is normalised.
    pub kind: Kind,
    /// Which windows it looks through.
    pub class: Class,
    /// Bit per [`view::input`] it cannot do without.
    pub inputs: u64,
    /// When it is warm.
    pub cold: Cold,
    /// Deviation that is economically nothing, Q32.
    pub floor: i64,
    /// True when the formula has no window of its own: the reading is smoothed over the window.
    pub smooth: bool,
    /// The reading, + = bullish.
    pub raw: fn(&View<'_>, Window) -> Raw,
}

/// Bit set of inputs.
pub(crate) const fn needs(inputs: &[usize]) -> u64 {
    let mut bits = 0;
    let mut i = 0;
    while i < inputs.len() {
        bits |= 1 << inputs[i];
        i += 1;
    }
    bits
}

/// A Q32 constant written in millionths.
pub(crate) const fn micro(n: i64) -> i64 {
    n * (1 << 32) / 1_000_000
}

/// Signals that are built.
pub const ROWS: usize = order_flow::ROWS.len()
    + order_book::ROWS.len()
    + liquidation::ROWS.len()
    + derivatives::ROWS.len()
    + funding::ROWS.len();

const fn place(all: &mut [Row; ROWS], mut at: usize, rows: &[Row]) -> usize {
    let mut i = 0;
    while i < rows.len() {
        all[at] = rows[i];
        at += 1;
        i += 1;
    }
    at
}

/// Every signal that is built, by category in catalogue order.
pub static SIGNALS: [Row; ROWS] = ALL;

pub(crate) const ALL: [Row; ROWS] = {
    let mut all = [order_flow::ROWS[0]; ROWS];
    let at = place(&mut all, 0, &order_flow::ROWS);
    let at = place(&mut all, at, &order_book::ROWS);
    let at = place(&mut all, at, &liquidation::ROWS);
    let at = place(&mut all, at, &derivatives::ROWS);
    let at = place(&mut all, at, &funding::ROWS);
    assert!(at == ROWS && ROWS <= 64);
    all
};

/// One signal in one window. All zeros is "nothing read".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Reading {
    /// What is normal.
    pub normal: Normaliser,
    /// The smoothed raw reading, Q32, for rows that are smoothed.
    pub smooth: i64,
    /// Shard time of the last sample, ns; 0 = none yet.
    pub at: i64,
    /// Last z, Q16.
    pub z: i32,
    /// Last score, Q16.
    pub score: i32,
    /// 1 when the last attempt gave a reading.
    pub known: u64,
}

impl Reading {
    /// True when its score means something.
    #[must_use]
    pub const fn is_warm(&self, kind: Kind) -> bool {
        let least = match kind {
            Kind::Z => 1,
            Kind::L | Kind::N => SAMPLES_MIN + 1,
        };
        self.known != 0 && self.normal.count >= least
    }

    /// Takes a raw reading; true when it saturated.
    fn take(&mut self, row: &Row, window: Window, raw: i64, now: i64) -> bool {
        let saturated = raw.unsigned_abs() > RAW_LIMIT.unsigned_abs();
        let mut raw = clip(raw, -RAW_LIMIT, RAW_LIMIT);
        if row.smooth {
            if self.normal.count > 0 {
                let gone = clip(
                    now.saturating_sub(self.at) / window.sample().get(),
                    1,
                    40 * SAMPLES,
                );
                let keep = exp2neg(gone * ONE / SAMPLES);
                raw = narrow(
                    i128::from(raw) + i128::from(mul32(self.smooth.saturating_sub(raw), keep)),
                );
            }
            self.smooth = raw;
        }
        let score_q16 = if row.kind == Kind::Z {
            self.normal.count = self.normal.count.saturating_add(1);
            self.z = 0;
            clip(raw / ONE, -ONE, ONE)
        } else {
            let (rate, kappa) = (window.sample_rate(), row.kind.kappa());
            let z = self.normal.step(raw, rate, kappa, row.floor, SAMPLES_MIN);
            self.z = z as i32;
            score(z)
        };
        self.score = score_q16 as i32;
        (self.at, self.known) = (now, 1);
        saturated
    }
}

/// Readings and cards of one symbol. All zeros is "nothing read, every card absent".
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Cards {
    /// Per signal and window.
    pub readings: [[Reading; WINDOWS]; ROWS],
    /// Per mode and signal.
    pub cards: [[Card; ROWS]; MODES],
    /// Raw readings that left their range.
    pub saturated: u64,
    steps: [i64; WINDOWS],
}

/// When the next sample of any window can be due, after `now`.
#[must_use]
pub const fn next_sample(now: i64) -> i64 {
    let step = Window::S10.sample().get();
    (now / step + 1).saturating_mul(step)
}

impl Cards {
    /// Samples every signal whose window has begun a new step and whose inputs changed since; bit per signal.
    pub fn sample(&mut self, view: &View<'_>, trust: &Trust) -> u64 {
        let now = view.now.get();
        let mut due = 0u64;
        for w in Window::ALL {
            let step = now / w.sample().get();
            if step != self.steps[w.index()] {
                self.steps[w.index()] = step;
                due |= 1 << w.index();
            }
        }
        let mut sampled = 0;
        for (number, row) in SIGNALS.iter().enumerate() {
            let due = due & row.class.used();
            // A stale input says nothing new: it must not teach the normaliser what is normal.
            if due == 0 || trust.of(row.inputs).0 == 0 {
                continue;
            }
            let newest = view.newest(row.inputs);
            for w in Window::ALL {
                let reading = &mut self.readings[number][w.index()];
                if due & (1 << w.index()) == 0 || newest <= reading.at {
                    continue;
                }
                sampled |= 1 << number;
                if let Some(raw) = (row.raw)(view, w) {
                    self.saturated += u64::from(reading.take(row, w, raw, now));
                } else {
                    (reading.known, reading.z, reading.score) = (0, 0, 0);
                }
            }
        }
        sampled
    }

    /// Remakes one card from its readings; answers by how much its score moved, Q16 (a card that appeared or vanished
    /// moved by 1).
    pub fn remake(&mut self, mode: usize, number: usize, view: &View<'_>, trust: &Trust) -> i64 {
        let row = &SIGNALS[number];
        let windows = row.class.windows(mode);
        let (fresh, cover) = trust.of(row.inputs);
        let mut slots = [0; 3];
        let (mut warm, mut fewest) = (0, u64::MAX);
        for (place, w) in windows.into_iter().enumerate() {
            let reading = &self.readings[number][w.index()];
            if reading.is_warm(row.kind) {
                slots[place] = i64::from(reading.score);
                warm |= 1 << place;
                fewest = fewest.min(reading.normal.count);
            }
        }
        let streams = view.streams;
        let n = match row.cold.of {
            Count::Heard(which) => streams.counts[which],
            Count::Merged => streams.orders().into_iter().sum(),
            Count::Orders => streams.orders().into_iter().min().unwrap_or(0),
            Count::Quotes => streams.quotes,
            Count::Seconds(which) => streams.steady_seconds(which),
            Count::Samples if warm == 0 => 0,
            Count::Samples => fewest,
        };
        let make = Make {
            now: view.now.get(),
            quarter: windows[0].length().get() / 4,
            slots,
            weights: SLOT_WEIGHTS[mode],
            warm,
            trust: [fresh, cover, card::warm(n, row.cold.least)],
        };
        let card = &mut self.cards[mode][number];
        let before = (card.known, i64::from(card.score));
        card.remake(&make);
        if before.0 == card.known {
            (i64::from(card.score) - before.1).abs()
        } else {
            ONE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::view::input;
    use super::*;

    #[test]
    fn ids_are_unique_and_rows_are_in_catalogue_order() {
        for pair in SIGNALS.windows(2) {
            assert!(pair[0].category as u8 <= pair[1].category as u8);
        }
        for (i, row) in SIGNALS.iter().enumerate() {
            assert!(SIGNALS[..i].iter().all(|other| other.id != row.id));
            assert!(!row.claim.is_empty() && row.inputs != 0 && row.inputs < 1 << view::INPUTS);
            assert!(row.inputs & (1 << input::PRINTS) == 0 || row.inputs & 1 != 0);
        }
    }
}
