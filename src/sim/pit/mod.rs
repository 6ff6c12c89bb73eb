//! Pit: one contract's market, one beat of 100 ms at a time.
//!
//! In a beat, in this order: the price elsewhere moves and arbitrage pulls; makers quote; the mark
//! is taken; whoever the mark has crossed is doomed and doomed positions are sold (bought) into the
//! book clip by clip; plans and times that are reached close positions; newcomers open; makers
//! trade among themselves. Every taker leaves a part of his way in the price, so forced orders move
//! the mark that forces the next.
//!
//! Mark = index x exp(premium), the premium being our distance to the index smoothed over seconds.
//! Beside the premium the part of it that forced orders of the last minutes made is carried along
//! (the dynamics are linear in the logarithm), so a liquidation that would not have happened
//! without them is counted as induced.
//!
//! Every trade has two owners; the other side of a person's trade is a makers' account, netted. So
//! the longs' sum and the shorts' sum are one number, open interest, at all times. Funding is paid
//! from wallets, never from margin.
//!
//! `price` moves what everybody sees, `trade` is a taker meeting the book, `engine` forces, `people` come and go; the
//! state they share, the order of a beat and what is asked of a pit stand here.
#![expect(
    clippy::float_arithmetic,
    reason = "the generator of the simulated market works in floats"
)]

mod engine;
mod people;
mod price;
mod trade;

use super::book::{Book, Fill, Level};
use super::crowd::Crowd;
use super::history::History;
use super::params::{self, Params};
use super::rng::Rng;
use super::weather::BEAT_SECONDS;
use crate::market::Side;
pub(crate) use engine::Death;
pub use engine::Forced;
use price::{Tide, next_funding};
use std::collections::VecDeque;
pub(crate) use trade::{MAKERS, Print};

/// Whether a contract trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// As usual.
    #[default]
    Trading,
    /// Nothing trades; book, prices and open interest stand still.
    Halted,
    /// Gone from the list, book empty.
    Delisted,
    /// Not listed yet.
    Unlisted,
}

/// New terms of a contract, taken on when its book has been told empty.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// Units in one tick.
    Tick(i64),
    /// Base in one contract, as a power of ten.
    Value(i32),
}

/// What has happened in one contract since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Fills printed.
    pub trades: u64,
    /// Positions opened by people.
    pub opened: u64,
    /// Positions closed by their owners.
    pub closed: u64,
    /// Positions forced out, by holder (long, short).
    pub forced: [u64; 2],
    /// Of these, the ones that needed the push of earlier forced orders.
    pub induced: u64,
    /// Clips printed by the liquidation stream.
    pub clips: u64,
    /// Lots the fund took because the book had nothing left before bankruptcy.
    pub fund_lots: u64,
    /// Positions alive.
    pub positions: u64,
}

/// The market of one contract.
#[derive(Debug, Clone)]
pub(crate) struct Pit {
    pub(crate) contract: params::Contract,
    pub(crate) status: Status,
    pub(crate) change: Option<Change>,
    /// Listing or terms have changed and nobody has been told.
    pub(crate) news: bool,
    depth: params::Depth,
    people: params::Crowd,
    engine: params::Engine,
    rng: Rng,
    pub(crate) crowd: Crowd,
    pub(crate) book: Book,
    /// Makers' netted accounts, lots; the last one is the fund.
    accounts: Vec<i64>,
    account_lots: [i64; 2],
    log_index: f64,
    tide: Option<Tide>,
    basis: f64,
    premium: f64,
    pushed_basis: f64,
    pushed_index: f64,
    pushed_premium: f64,
    slow: f64,
    funding_premium: f64,
    /// 1e-8.
    pub(crate) funding: i64,
    pub(crate) funding_ms: i64,
    pub(crate) mark_units: i64,
    pub(crate) index_units: i64,
    pub(crate) last_units: i64,
    anchor: f64,
    /// As in [`Print`], of the last one.
    pub(crate) direction: u8,
    doomed: VecDeque<u32>,
    pub(crate) forced: VecDeque<Forced>,
    fills: Vec<Fill>,
    pub(crate) prints: Vec<Print>,
    pub(crate) deaths: Vec<Death>,
    pub(crate) seq: u64,
    pub(crate) history: History,
    pub(crate) stats: Stats,
    beat: u64,
    ms: i64,
    /// Base per lot, quote per unit.
    lot: f64,
    unit: f64,
    rough: f64,
}

impl Pit {
    pub(crate) fn new(params: &Params, slot: usize, seed: u64) -> Option<Self> {
        let contract = params.contracts.get(slot)?.clone();
        let mut rng = Rng::new(seed ^ params.dialect.salt(), slot as u64 + 1);
        let tide = params.in_common.then(|| Tide::new(&contract, seed));
        let book = Book::new(&params.depth, contract.cell_ticks, &mut rng);
        let unit = 0.1f64.powi(contract.price_scale as i32);
        let units = (contract.price / unit).round() as i64;
        let ms = params.start.get() / 1_000_000;
        let mut pit = Self {
            crowd: Crowd::new(&contract, &params.crowd),
            book,
            depth: params.depth.clone(),
            people: params.crowd.clone(),
            engine: params.engine.clone(),
            accounts: vec![0; params.depth.makers.max(2) + 1],
            account_lots: [0; 2],
            log_index: contract.price.ln(),
            tide,
            basis: 0.0,
            premium: 0.0,
            pushed_basis: 0.0,
            pushed_index: 0.0,
            pushed_premium: 0.0,
            slow: contract.price.ln(),
            funding_premium: 0.0,
            funding: (params.engine.funding_interest * 1e8).round() as i64,
            funding_ms: next_funding(ms, params.engine.funding_hours),
            mark_units: units,
            index_units: units,
            last_units: units,
            anchor: contract.price,
            direction: 1,
            doomed: VecDeque::new(),
            forced: VecDeque::new(),
            fills: Vec::with_capacity(512),
            prints: Vec::with_capacity(512),
            deaths: Vec::new(),
            seq: 100_000_000 + rng.below(1_000_000_000),
            history: History::new(ms, units),
            stats: Stats::default(),
            beat: 0,
            ms,
            lot: 0.1f64.powi(contract.lot_scale as i32 - contract.value_scale),
            unit,
            rough: 1.0,
            status: if contract.listed {
                Status::Trading
            } else {
                Status::Unlisted
            },
            change: None,
            news: false,
            contract,
            rng,
        };
        pit.remember_funding();
        pit.populate(&params.weather);
        pit.set_depth();
        let anchor = pit.anchor / pit.tick();
        pit.book.quote(anchor, 1.0, &mut pit.rng);
        Some(pit)
    }

    fn tick(&self) -> f64 {
        self.unit * self.contract.tick_units as f64
    }

    fn set_depth(&mut self) {
        let usd = self.contract.level_usd * self.rough.powf(-self.depth.thinning);
        self.book.set_depth(usd / self.anchor / self.lot);
    }

    /// One beat: `gust` is the common factor's log return, `rough` its volatility as a multiple of
    /// calm.
    pub(crate) fn step(&mut self, beat: u64, ms: i64, gust: f64, rough: f64) {
        self.beat = beat;
        self.ms = ms;
        self.rough = rough;
        let swing = self.swing(gust);
        if self.status != Status::Trading || self.change.is_some() {
            return;
        }
        self.move_price(swing);
        if beat.is_multiple_of(10) {
            self.slow_step();
        }
        let anchor = self.anchor / self.tick();
        self.book.quote(anchor, rough, &mut self.rng);
        self.force();
        self.follow_plans();
        let p = &self.people;
        let activity = rough.powf(p.activity[0]).clamp(0.3, p.activity[1]);
        for _ in 0..self.rng.count(p.open_rate * BEAT_SECONDS * activity) {
            self.open();
        }
        let noise = self.depth.noise_rate * BEAT_SECONDS * activity;
        for _ in 0..self.rng.count(noise) {
            self.noise();
        }
    }

    /// Positions alive that are not hedges: liquidation price and size in base; and the rest by
    /// holder.
    pub(crate) fn holdings(&self) -> ([Vec<(f64, f64)>; 2], [f64; 2]) {
        let mut at = [Vec::new(), Vec::new()];
        let mut inert = self.account_lots.map(|lots| lots as f64 * self.lot);
        for position in self.crowd.iter() {
            let size = position.lots as f64 * self.lot;
            let h = position.holder as usize;
            match self.crowd.forced_price(position) {
                Some(price) => at[h].push((price, size)),
                None => inert[h] += size,
            }
        }
        (at, inert)
    }

    /// Entry prices of the positions that [`Pit::holdings`] lists, in its order.
    pub(crate) fn entries(&self) -> [Vec<f64>; 2] {
        let mut entries = [Vec::new(), Vec::new()];
        for position in self.crowd.iter().filter(|p| p.forced_at.is_some()) {
            entries[position.holder as usize].push(position.entry);
        }
        entries
    }

    /// The levels the public may see, best first, into `out` (cleared).
    pub(crate) fn shown(&self, side: Side, out: &mut Vec<Level>) {
        match self.status {
            Status::Trading | Status::Halted if self.change.is_none() => self.book.shown(side, out),
            _ => out.clear(),
        }
    }

    /// The best level of a side, where the book is open and has one.
    pub(crate) fn best(&self, side: Side) -> Option<Level> {
        let open = self.is_listed() && self.change.is_none();
        open.then(|| self.book.best(side))
            .filter(|level| level.lots > 0)
    }

    /// Whole contracts that were worth `usd` at the start: the bound of a flat margin row.
    pub(crate) fn contracts(&self, usd: i64) -> i64 {
        let one = 10f64.powi(self.contract.value_scale) * self.contract.price;
        (usd as f64 / one) as i64
    }

    /// True when the venue knows the contract now.
    pub(crate) const fn is_listed(&self) -> bool {
        matches!(self.status, Status::Trading | Status::Halted)
    }

    /// Takes on new terms; what is held stays what it is.
    pub(crate) fn apply_change(&mut self) {
        match self.change.take() {
            Some(Change::Tick(units)) => {
                let cell = self.contract.cell_ticks * self.contract.tick_units;
                self.contract.tick_units = units;
                self.contract.cell_ticks = (cell / units).max(1);
                self.book = Book::new(&self.depth, self.contract.cell_ticks, &mut self.rng);
                self.set_depth();
                let anchor = self.anchor / self.tick();
                self.book.quote(anchor, self.rough, &mut self.rng);
            }
            Some(Change::Value(scale)) => {
                let by = scale - self.contract.value_scale;
                self.contract.value_scale = scale;
                self.contract.lot_scale = self.contract.lot_scale.saturating_add_signed(by);
            }
            None => return,
        }
        self.news = true;
    }

    /// Base in one lot, quote in one unit.
    pub(crate) const fn scales(&self) -> (f64, f64) {
        (self.lot, self.unit)
    }
}

#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    reason = "tests drive the market with floats"
)]
mod tests;
