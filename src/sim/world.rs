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
use super::dialect::{Answer, Desk, Heartbeat, Order, Request, Turn, Words, words};
use super::params::Params;
use super::pit::{Change, Forced, Pit, Stats, Status};
use super::quill::Quill;
use super::rng::Rng;
use super::told::{BookTold, LiquidationsTold, TradesTold};
use super::weather::Weather;
use crate::market::Holder;
use crate::time::Nanos;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// One beat in milliseconds.
const BEAT_MS: i64 = 100;
/// Most contracts: a turn is three milliseconds then.
const CONTRACTS: usize = 32;

/// What a topic speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicKind {
    /// Resting orders: deltas, or whole images where the venue knows no deltas.
    Book,
    /// Fills, one row each or as the venue groups them.
    Trades,
    /// Fills of one taker order at one price together, numbered (Binance `aggTrade`).
    Aggregate,
    /// The fields a venue sends together: prices, funding, open interest.
    Ticker,
    /// Forced orders, as far as the venue tells them.
    Liquidation,
    /// Minute bars.
    Kline,
    /// Best bid and ask.
    Bbo,
    /// Mark price.
    Mark,
    /// Index price.
    Index,
    /// Funding rate and its time.
    Funding,
    /// Open interest.
    Interest,
    /// Listing, delisting and changed terms of contracts.
    Instruments,
}

/// A stream one can subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// What it speaks of.
    pub kind: TopicKind,
    /// Place of the contract in [`World::symbols`], or [`Topic::ALL`].
    pub symbol: u16,
}

impl Topic {
    /// In `symbol`: every contract at once.
    pub const ALL: u16 = u16::MAX;
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
    /// The frame for a connection under [`Order::Bare`]; elsewhere the same as `text`.
    pub bare: &'a str,
}

/// A connection's requests, as the world remembers them.
#[derive(Debug, Clone, Default)]
struct Client {
    topics: BTreeSet<Topic>,
    second: i64,
    texts: u32,
}

/// What is really held in one contract.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Open interest, base, one side.
    pub interest: f64,
    /// By `Holder`: (liquidation price, base) of every position that can be forced.
    pub positions: [Vec<(f64, f64)>; 2],
    /// Their entry prices, in the same order.
    pub entries: [Vec<f64>; 2],
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
    clients: BTreeMap<String, Client>,
    /// Minute, and the REST weight used in it.
    pub(crate) weight: Cell<(i64, u32)>,
}

impl World {
    /// A world at its first moment.
    ///
    /// # Errors
    /// When there is no contract or more than thirty-two, or one with numbers that cannot be traded.
    pub fn new(seed: u64, params: Params) -> Result<Self, SimError> {
        if params.contracts.is_empty() || params.contracts.len() > CONTRACTS {
            return Err(SimError::Params("one to thirty-two contracts"));
        }
        let sound = params.contracts.iter().all(|c| {
            c.price > 0.0
                && c.price.is_finite()
                && c.price_scale <= 9
                && c.lot_scale <= 9
                && c.tick_units > 0
                && c.cell_ticks > 0
                && !c.tiers.is_empty()
                && c.symbol
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && (c.lot_scale as i32 - c.value_scale).abs() <= 9
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
            .map(|pit| {
                let desk = Desk::new(params.dialect, &pit, ms);
                (pit, desk)
            })
            .collect();
        Ok(Self {
            weather: Weather::new(&params.weather, seed),
            rng: Rng::new(seed ^ params.dialect.salt(), 0x77),
            pits,
            quill: Quill::default(),
            beat: 0,
            slot: 0,
            now: Nanos::millis(ms),
            clients: BTreeMap::new(),
            weight: Cell::new((0, 0)),
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

    const fn words(&self) -> &'static Words {
        words(self.params.dialect)
    }

    /// Reads a stream's name; `None` when there is no such stream here.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<Topic> {
        self.topics().find(|topic| {
            let pit = self.pits.get(usize::from(topic.symbol));
            pit.is_none_or(|(pit, _)| pit.is_listed()) && self.topic_name(*topic) == name
        })
    }

    /// The name of a stream, as subscriptions write it; empty for one that is not here.
    #[must_use]
    pub fn topic_name(&self, topic: Topic) -> String {
        let name = self.words().name;
        match self.symbols().nth(usize::from(topic.symbol)) {
            Some(symbol) => name(topic.kind, Some(symbol)),
            None if topic.symbol == Topic::ALL => name(topic.kind, None),
            None => String::new(),
        }
    }

    /// Every stream: contract by contract, then those of all contracts.
    pub fn topics(&self) -> impl Iterator<Item = Topic> + use<> {
        let Words { kinds, all, .. } = self.words();
        let of = |symbol: u16, kinds: &'static [TopicKind]| {
            kinds.iter().map(move |kind| Topic {
                kind: *kind,
                symbol,
            })
        };
        (0..self.pits.len() as u16)
            .flat_map(move |symbol| of(symbol, kinds))
            .chain(of(Topic::ALL, all))
    }

    /// Websocket paths that are served. Behind one that ends with `/ws`, more may follow: names of
    /// streams, as [`World::serves`] knows.
    #[must_use]
    pub const fn paths(&self) -> &'static [&'static str] {
        self.words().paths
    }

    /// True when a websocket may be opened at this path.
    #[must_use]
    pub fn serves(&self, path: &str) -> bool {
        self.paths().iter().any(|own| {
            let rest = path.strip_prefix(own);
            let named = own.ends_with("/ws");
            rest.is_some_and(|rest| rest.is_empty() || (named && rest.starts_with('/')))
        })
    }

    /// Who keeps a connection alive, and when it is given up.
    #[must_use]
    pub const fn heartbeat(&self) -> Heartbeat {
        self.words().heartbeat
    }

    /// A connection to `path` is open: what its address asks for (streams in path or query) and what
    /// the venue says first, appended to `orders`.
    pub fn welcome(&mut self, path: &str, query: &str, orders: &mut Vec<Order>) {
        (self.words().welcome)(self, path, query, orders);
    }

    /// What a client's text asks for, in the venue's manner, appended to `orders`. `id` names the
    /// connection; what it hears is remembered until [`World::leave`].
    pub fn obey(&mut self, path: &str, text: &str, id: &str, orders: &mut Vec<Order>) {
        (self.words().obey)(self, path, text, id, orders);
    }

    /// The connection `id` has ended.
    pub fn leave(&mut self, id: &str) {
        self.clients.remove(id);
    }

    /// The REST answer to a request as this moment's world gives it: status, headers beside the
    /// content type, body. `url` is path and query; a scheme and host before them are passed over, as
    /// some of a venue's answers come from another of its hosts.
    #[must_use]
    pub fn rest(&self, method: &str, url: &str, body: &str) -> Answer {
        let url = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => url,
        };
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let request = Request {
            method,
            path,
            query,
            body,
        };
        (self.words().rest)(self, request)
    }

    /// Counts a text of the connection; answers how many it has sent in this second of virtual time.
    pub(crate) fn texts(&mut self, id: &str) -> u32 {
        let second = self.now.get() / 1_000_000_000;
        let client = self.clients.entry(id.to_owned()).or_default();
        if client.second != second {
            client.second = second;
            client.texts = 0;
        }
        client.texts = client.texts.saturating_add(1);
        client.texts
    }

    /// Counts the weight of a REST request; answers what has been used in this minute of virtual
    /// time.
    pub(crate) fn spend(&self, weight: u32) -> u32 {
        let minute = self.now.get() / 60_000_000_000;
        let (last, used) = self.weight.get();
        let used = if last == minute { used } else { 0 };
        let used = used.saturating_add(weight);
        self.weight.set((minute, used));
        used
    }

    /// True when the connection has asked for the stream.
    pub(crate) fn hears(&self, id: &str, topic: Topic) -> bool {
        self.clients
            .get(id)
            .is_some_and(|client| client.topics.contains(&topic))
    }

    /// The connection hears the stream from now on; false when it did already.
    pub(crate) fn join(&mut self, id: &str, topic: Topic) -> bool {
        let client = self.clients.entry(id.to_owned()).or_default();
        client.topics.insert(topic)
    }

    /// The connection hears the stream no longer; false when it did not.
    pub(crate) fn part(&mut self, id: &str, topic: Topic) -> bool {
        self.clients
            .get_mut(id)
            .is_some_and(|client| client.topics.remove(&topic))
    }

    /// The place of a contract by its listed name or its asset.
    fn place(&self, symbol: &str) -> Option<usize> {
        let contracts = &self.params.contracts;
        contracts
            .iter()
            .position(|c| c.symbol == symbol || c.asset == symbol)
    }

    fn find(&self, symbol: &str) -> Option<&(Pit, Desk)> {
        self.pits.get(self.place(symbol)?)
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
            entries: pit.entries(),
            inert,
            mark: pit.mark_units as f64 * unit,
        })
    }

    fn find_mut(&mut self, symbol: &str) -> Option<&mut Pit> {
        let place = self.place(symbol)?;
        self.pits.get_mut(place).map(|(pit, _)| pit)
    }

    /// Whether a contract trades; `None` for one that is not here.
    #[must_use]
    pub fn status(&self, symbol: &str) -> Option<Status> {
        self.find(symbol).map(|(pit, _)| pit.status)
    }

    /// Halts a contract (nothing trades, book and open interest stand still), delists it, or lets it
    /// trade again. REST says so at once, a stream from the contract's next turn on, where the venue
    /// has one. False for a contract that is not here.
    pub fn set_status(&mut self, symbol: &str, status: Status) -> bool {
        let Some(pit) = self.find_mut(symbol) else {
            return false;
        };
        pit.news |= pit.status != status;
        pit.status = status;
        true
    }

    /// Takes a contract from the list: its book is emptied and nothing of it trades any more.
    pub fn delist(&mut self, symbol: &str) -> bool {
        self.set_status(symbol, Status::Delisted)
    }

    /// Lists a contract that the world was made with but that was not listed (or not any more).
    pub fn list(&mut self, symbol: &str) -> bool {
        self.set_status(symbol, Status::Trading)
    }

    /// Gives a contract another tick, in units of its printed price: the book is told empty, then
    /// begins anew on the new ticks. False when the contract is not here or the tick is below 1.
    pub fn set_tick(&mut self, symbol: &str, units: i64) -> bool {
        match self.find_mut(symbol) {
            Some(pit) if units >= 1 => {
                pit.change = Some(Change::Tick(units));
                true
            }
            _ => false,
        }
    }

    /// Gives a contract another size, as a power of ten of base: every printed quantity changes,
    /// what it is worth does not. False when the contract is not here or its lot could not be
    /// printed then.
    pub fn set_contract_value(&mut self, symbol: &str, scale: i32) -> bool {
        let Some(pit) = self.find_mut(symbol) else {
            return false;
        };
        let lots = pit.contract.lot_scale as i32 + scale - pit.contract.value_scale;
        if !(0..=9).contains(&lots) {
            return false;
        }
        pit.change = Some(Change::Value(scale));
        true
    }

    /// The book as told so far: what a reader of every frame would hold; `None` for a contract that
    /// is not here.
    #[must_use]
    pub fn book(&self, symbol: &str) -> Option<BookTold> {
        let (pit, desk) = self.find(symbol)?;
        Some(desk.told().book(pit, desk.depth()))
    }

    /// The trades told since the start; `None` for a contract that is not here.
    #[must_use]
    pub fn trades_told(&self, symbol: &str) -> Option<TradesTold> {
        let (pit, desk) = self.find(symbol)?;
        Some(desk.told().trades(pit))
    }

    /// The forced orders told since the start; `None` for a contract that is not here.
    #[must_use]
    pub fn liquidations_told(&self, symbol: &str) -> Option<LiquidationsTold> {
        let (pit, desk) = self.find(symbol)?;
        Some(desk.told().liquidations(pit))
    }

    /// Mark price now; `None` for a contract that is not here.
    #[must_use]
    pub fn mark(&self, symbol: &str) -> Option<f64> {
        let (pit, _) = self.find(symbol)?;
        Some(pit.mark_units as f64 * pit.scales().1)
    }

    /// The positions that the mark has crossed since the last call, oldest first; at most some
    /// 65,000 are remembered. Nothing for a contract that is not here.
    pub fn forced(&mut self, symbol: &str) -> Vec<Forced> {
        let pit = self.find_mut(symbol);
        pit.map_or_else(Vec::new, |pit| pit.forced.drain(..).collect())
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

    /// What a subscription made now is told first: where the venue begins with the whole (a book, a
    /// ticker) or with the recent past, that; elsewhere nothing.
    pub fn snapshot_frames(&mut self, topic: Topic, out: &mut dyn FnMut(&Frame<'_>)) {
        let mut quill = std::mem::take(&mut self.quill);
        let told = match self.pits.get(usize::from(topic.symbol)) {
            Some((pit, desk)) => {
                desk.snapshot(pit, topic.kind, self.now.get() / 1_000_000, &mut quill)
            }
            None => (self.words().begin)(self, topic.kind, &mut quill),
        };
        if told {
            out(&Frame {
                at: self.now,
                topic,
                text: quill.text(),
                bare: quill.bare(),
            });
        }
        self.quill = quill;
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
        let (rough, gust) = (self.weather.rough(), self.weather.gust);
        let now = Turn {
            beat: self.beat,
            symbol: self.slot as u16,
            ms,
            cadence: self.params.cadence,
        };
        let Some((pit, desk)) = self.pits.get_mut(self.slot) else {
            return;
        };
        if pit.status == Status::Unlisted {
            return;
        }
        let end = (begin + space) * 1_000_000;
        if pit.change.is_some() && desk.told().is_bare() {
            pit.apply_change();
        }
        pit.step(now.beat, ms, gust, rough);
        desk.turn(pit, now, &mut self.quill, &mut |topic, quill| {
            // Ever closer together, so that thousands are here before the next turn.
            at += ((end - at) / 1_024).clamp(1, 5_000);
            out(&Frame {
                at: Nanos::new(at),
                topic,
                text: quill.text(),
                bare: quill.bare(),
            });
        });
        pit.prints.clear();
    }
}
