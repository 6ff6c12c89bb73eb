//! World: the whole built-in exchange in virtual time, from a seed.
//!
//! Time goes in beats of 100 ms; in each beat the contracts take turns, evenly spread over it, so
//! that receive times rise strictly through the whole stream of frames. The world is a pure
//! function of (params, seed): how far each call of `advance` reaches changes nothing. It holds no
//! clock and no socket.
//!
//! Exchange stamps are virtual milliseconds; a frame is received a fraction of a millisecond to
//! some milliseconds later. [`World::truth`] tells what no exchange tells: every position's
//! liquidation price.
#![expect(
    clippy::float_arithmetic,
    reason = "the generator of the simulated market works in floats"
)]

use super::SimError;
use super::frames::Desk;
use super::params::Params;
use super::pit::{Pit, Stats};
use super::quill::Quill;
use super::rng::Rng;
use super::weather::Weather;
use crate::market::Holder;
use crate::time::Nanos;

/// One beat in milliseconds.
const BEAT_MS: i64 = 100;

/// What a topic speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicKind {
    /// `orderbook.200.SYM`
    Book,
    /// `publicTrade.SYM`
    Trades,
    /// `tickers.SYM`
    Ticker,
    /// `allLiquidation.SYM`
    Liquidation,
    /// `kline.1.SYM`
    Kline,
}

impl TopicKind {
    /// Every kind, with the words before the symbol.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Book, "orderbook.200."),
        (Self::Trades, "publicTrade."),
        (Self::Ticker, "tickers."),
        (Self::Liquidation, "allLiquidation."),
        (Self::Kline, "kline.1."),
    ];
}

/// A stream one can subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// What it speaks of.
    pub kind: TopicKind,
    /// Place of the contract in [`World::symbols`].
    pub symbol: u16,
}

/// One text frame as a subscriber would receive it.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Virtual receive time.
    pub at: Nanos,
    /// Stream.
    pub topic: Topic,
    /// The frame.
    pub text: &'a str,
}

/// What is really held in one contract.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Open interest, base, one side.
    pub interest: f64,
    /// By `Holder`: (liquidation price, base) of every position that can be forced.
    pub positions: [Vec<(f64, f64)>; 2],
    /// By `Holder`: base that is never forced (hedges, makers, the fund).
    pub inert: [f64; 2],
    /// Mark price.
    pub mark: f64,
}

impl Truth {
    /// Base of a holder that a mark between two prices (in any order) would force.
    #[must_use]
    pub fn between(&self, holder: Holder, a: f64, b: f64) -> f64 {
        let (low, high) = (a.min(b), a.max(b));
        self.positions[holder as usize]
            .iter()
            .filter(|(price, _)| (low..=high).contains(price))
            .map(|(_, size)| size)
            .sum()
    }
}

/// The exchange.
#[derive(Debug, Clone)]
pub struct World {
    params: Params,
    seed: u64,
    weather: Weather,
    rng: Rng,
    pits: Vec<(Pit, Desk)>,
    quill: Quill,
    beat: u64,
    slot: usize,
    now: Nanos,
}

impl World {
    /// A world at its first moment.
    ///
    /// # Errors
    /// When there is no contract or more than ten, or one with numbers that cannot be traded.
    pub fn new(seed: u64, params: Params) -> Result<Self, SimError> {
        if params.contracts.is_empty() || params.contracts.len() > 10 {
            return Err(SimError::Params("one to ten contracts"));
        }
        let sound = params.contracts.iter().all(|c| {
            c.price > 0.0
                && c.price.is_finite()
                && c.price_scale <= 9
                && c.lot_scale <= 9
                && c.tick_units > 0
                && c.cell_ticks > 0
                && !c.tiers.is_empty()
                && c.symbol.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if !sound {
            return Err(SimError::Params("a contract cannot be traded"));
        }
        if params.cadence.book == 0
            || params.cadence.ticker == 0
            || params.cadence.liquidation == 0
            || params.engine.funding_hours < 1
        {
            return Err(SimError::Params("cadences and funding hours start at 1"));
        }
        if !(1..=200).contains(&params.depth.levels) || params.crowd.leverages.is_empty() {
            return Err(SimError::Params("1 to 200 levels, and some leverage"));
        }
        let ms = params.start.get() / 1_000_000;
        let pits = (0..params.contracts.len())
            .filter_map(|slot| Pit::new(&params, slot, seed))
            .map(|mut pit| {
                let desk = Desk::new(&mut pit, ms);
                (pit, desk)
            })
            .collect();
        Ok(Self {
            weather: Weather::new(&params.weather, seed),
            rng: Rng::new(seed, 0x77),
            pits,
            quill: Quill::default(),
            beat: 0,
            slot: 0,
            now: Nanos::millis(ms),
            seed,
            params,
        })
    }

    /// Virtual time: everything received up to here has been told.
    #[must_use]
    pub const fn now(&self) -> Nanos {
        self.now
    }

    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// What it is generated from.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Listed names, in topic order.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        self.params.contracts.iter().map(|c| c.symbol.as_str())
    }

    /// Reads a topic's name; `None` when there is no such stream here.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<Topic> {
        let (kind, symbol) = TopicKind::ALL
            .iter()
            .find_map(|(kind, words)| Some((*kind, name.strip_prefix(words)?)))?;
        let symbol = self.symbols().position(|s| s == symbol)?;
        Some(Topic {
            kind,
            symbol: symbol as u16,
        })
    }

    /// The name of a topic; empty for a contract that is not here.
    #[must_use]
    pub fn topic_name(&self, topic: Topic) -> String {
        let words = TopicKind::ALL.iter().find(|k| k.0 == topic.kind);
        match (words, self.symbols().nth(usize::from(topic.symbol))) {
            (Some((_, words)), Some(symbol)) => format!("{words}{symbol}"),
            _ => String::new(),
        }
    }

    /// Every topic, contract by contract.
    pub fn topics(&self) -> impl Iterator<Item = Topic> + use<> {
        (0..self.pits.len() as u16).flat_map(|symbol| {
            TopicKind::ALL.iter().map(move |(kind, _)| Topic {
                kind: *kind,
                symbol,
            })
        })
    }

    fn find(&self, symbol: &str) -> Option<&(Pit, Desk)> {
        let place = self.symbols().position(|s| s == symbol)?;
        self.pits.get(place)
    }

    pub(crate) fn listed(&self) -> &[(Pit, Desk)] {
        &self.pits
    }

    /// What is really held; `None` for a contract that is not here.
    #[must_use]
    pub fn truth(&self, symbol: &str) -> Option<Truth> {
        let (pit, _) = self.find(symbol)?;
        let (lot, unit) = pit.scales();
        let (positions, inert) = pit.holdings();
        Some(Truth {
            interest: pit.interest()[0] as f64 * lot,
            positions,
            inert,
            mark: pit.mark_units as f64 * unit,
        })
    }

    /// Mark price now; `None` for a contract that is not here.
    #[must_use]
    pub fn mark(&self, symbol: &str) -> Option<f64> {
        let (pit, _) = self.find(symbol)?;
        Some(pit.mark_units as f64 * pit.scales().1)
    }

    /// Lots held by longs and by shorts (equal, or the world is broken), each summed from its
    /// positions anew.
    #[must_use]
    pub fn interest_lots(&self, symbol: &str) -> Option<[i64; 2]> {
        let (pit, _) = self.find(symbol)?;
        let mut lots = pit.account_lots();
        for position in pit.crowd.iter() {
            lots[position.holder as usize] += position.lots;
        }
        Some(lots)
    }

    /// What has happened in a contract since the start.
    #[must_use]
    pub fn stats(&self, symbol: &str) -> Option<Stats> {
        let (pit, _) = self.find(symbol)?;
        let mut stats = pit.stats;
        stats.positions = pit.crowd.len() as u64;
        Some(stats)
    }

    /// What a subscription made now is told first: book and ticker begin with the whole; other
    /// streams with nothing.
    pub fn snapshot_frames(&mut self, topic: Topic, out: &mut dyn FnMut(&Frame<'_>)) {
        let Some((pit, desk)) = self.pits.get(usize::from(topic.symbol)) else {
            return;
        };
        match topic.kind {
            TopicKind::Book => {
                let ms = self.now.get() / 1_000_000;
                desk.book_snapshot(pit, ms, &mut self.quill);
            }
            TopicKind::Ticker => desk.ticker_snapshot(pit, &mut self.quill),
            TopicKind::Trades | TopicKind::Liquidation | TopicKind::Kline => return,
        }
        out(&Frame {
            at: self.now,
            topic,
            text: self.quill.text(),
        });
    }

    /// Lets time go on to `until` and tells every frame that is received by then, in order of
    /// receipt.
    pub fn advance(&mut self, until: Nanos, out: &mut dyn FnMut(&Frame<'_>)) {
        let space = BEAT_MS / self.pits.len().max(1) as i64;
        loop {
            let begin = self.params.start.get() / 1_000_000
                + self.beat as i64 * BEAT_MS
                + self.slot as i64 * space;
            // Everything of this turn is received before the next turn begins.
            if Nanos::millis(begin + space) > until {
                break;
            }
            if self.slot == 0 {
                self.weather.step();
            }
            self.turn(begin, space, out);
            self.slot += 1;
            if self.slot >= self.pits.len() {
                self.slot = 0;
                self.beat += 1;
            }
        }
        self.now = self.now.max(until);
    }

    /// One contract's turn: its market moves, then the desk tells.
    fn turn(&mut self, begin: i64, space: i64, out: &mut dyn FnMut(&Frame<'_>)) {
        let ms = begin + 1 + self.rng.below(space as u64 / 2) as i64;
        // On its way 0.3 ms and up, yet here before the next contract's turn.
        let travel = 300_000 + self.rng.below(space as u64 * 250_000) as i64;
        let mut at = ms * 1_000_000 + travel;
        let (beat, symbol) = (self.beat, self.slot as u16);
        let (rough, gust) = (self.weather.rough(), self.weather.gust);
        let cadence = self.params.cadence;
        let Some((pit, desk)) = self.pits.get_mut(self.slot) else {
            return;
        };
        let quill = &mut self.quill;
        let mut tell = |kind, quill: &Quill| {
            at += 5_000;
            out(&Frame {
                at: Nanos::new(at),
                topic: Topic { kind, symbol },
                text: quill.text(),
            });
        };
        pit.step(beat, ms, gust, rough);
        // Contracts take their slower frames in different beats.
        let phase = beat + u64::from(symbol);
        if !pit.prints.is_empty() && Desk::trades(pit, ms, quill) {
            tell(TopicKind::Trades, quill);
        }
        if phase % cadence.book == 0 && desk.book(pit, ms, quill) {
            tell(TopicKind::Book, quill);
        }
        if phase % cadence.liquidation == 0
            && !pit.deaths.is_empty()
            && Desk::liquidations(pit, ms, quill)
        {
            tell(TopicKind::Liquidation, quill);
        }
        if phase % cadence.ticker == 0 && desk.ticker(pit, ms, quill) {
            tell(TopicKind::Ticker, quill);
        }
        if cadence.kline > 0 {
            let bars = &pit.history.bars;
            if phase % cadence.kline == 0
                && let Some(bar) = bars.back()
            {
                Desk::kline(pit, bar, false, ms, quill);
                tell(TopicKind::Kline, quill);
            }
            // The slow step of this beat may have closed a minute.
            let closed = bars.len().checked_sub(2).and_then(|i| bars.get(i));
            if let (Some(done), Some(last)) = (closed, bars.back())
                && beat % 10 == 0
                && ms - last.ms < 1_000
            {
                Desk::kline(pit, done, true, ms, quill);
                tell(TopicKind::Kline, quill);
            }
        }
        pit.prints.clear();
    }
}
