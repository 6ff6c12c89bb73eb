//! Venue: what each exchange says and how it says it, as one table and one decoder per venue.
//!
//! A row of [`VENUES`] describes a venue: paths, ping rule, subscription texts. A [`Decoder`] turns
//! its bytes into events, one per connection, with everything it needs allocated at start. Decoders
//! do no I/O and read no clock: bytes and a receive stamp come in, events go out. A frame is all or
//! nothing. Each frame takes the *fast road* (field order as the venue writes it today) or, when
//! anything differs, the *tolerant road* (any order, unknown fields); both give the same events,
//! and which was taken is told so that a venue's change is seen as a counter and not as silence.
//!
//! Quantities leave in canonical lots and prices per canonical lot (`market::lot_of`), whatever
//! multiple the venue trades in. Symbols are places in the list the decoder was made with; a symbol
//! that is not in it is ignored.

pub mod binance;
pub mod bybit;
mod chain;
mod early;
pub mod hyperliquid;
mod index;
pub mod lane;
pub(crate) mod ledger;
mod line;
pub mod names;
pub mod okx;
mod recent;
pub mod texts;

use crate::event::{Event, Stream};
use crate::health::Fault;
use crate::market::{SymbolId, VenueId, lot_of, split_multiple};
use crate::time::Nanos;
use crate::wire::Frame;
use ledger::Ledger;

/// One websocket path of a venue and the streams it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// The path.
    pub path: &'static str,
    /// What it carries; another stream asked for there stays silent.
    pub streams: &'static [Stream],
}

/// What is asked by REST, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// What for.
    pub what: What,
    /// Path and query; `{}` stands for the instrument, `{base}` for its base coin. With a space in it,
    /// it is a POST: path, then the body. With neither one answer serves every instrument. `{since}` is put in when
    /// it is asked: the millisecond that lies [`PAST`] ago.
    pub request: &'static str,
    /// How often; zero = once a run.
    pub every: Nanos,
    /// What it costs of the budget.
    pub weight: u32,
    /// Most pages of an answer that are asked for. Of the past: until the bars and rows that a map is laid from are
    /// there, 512 of five minutes.
    pub pages: u32,
}

/// How far back `{since}` reaches: as many rows of an hour as a page holds.
pub const PAST: Nanos = Nanos::new(20 * Nanos::DAY.get());

/// What a REST answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Contracts' terms and status.
    Instruments,
    /// Margin tables.
    Tiers,
    /// Open interest now.
    Interest,
    /// Mark, index and funding now.
    Mark,
    /// Bars of the past.
    Bars,
    /// Open interest of the past; asked after the bars.
    InterestHistory,
    /// Funding of the past.
    FundingHistory,
    /// Long/short ratios.
    Ratios,
    /// The positions of one public account.
    Accounts,
}

impl What {
    /// True for what speaks of the past: told newest page first, wanted oldest row first.
    #[must_use]
    pub const fn is_past(self) -> bool {
        matches!(
            self,
            Self::Bars | Self::InterestHistory | Self::FundingHistory
        )
    }
}

/// Stands in a request of [`What::Accounts`] for the address: `0x` and forty hexadecimal digits.
pub const ACCOUNT: &str = "{account}";

/// How much may be asked by REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestBudget {
    /// Weight per period and address.
    pub weight: u32,
    /// The period.
    pub per: Nanos,
    /// Header that tells the weight used in this minute; empty = none.
    pub used_header: &'static str,
}

/// On what a decoder of a stream was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Frames recorded at the venue.
    Recorded,
    /// The form the venue documents.
    Documented,
}

type MakeDecoder = fn(&'static Venue, &[String]) -> Result<Box<dyn Dialect>, VenueError>;

/// A venue's fixed facts.
#[derive(Debug, Clone, Copy)]
pub struct Venue {
    /// Its number.
    pub id: VenueId,
    /// Its name in configuration.
    pub name: &'static str,
    /// Public WebSocket host.
    pub ws_host: &'static str,
    /// Its paths; a stream belongs to the first that carries it.
    pub roots: &'static [Root],
    /// Public REST host.
    pub rest_host: &'static str,
    /// What is asked by REST.
    pub asks: &'static [Ask],
    /// How much of it.
    pub rest_budget: RestBudget,
    /// Connections per minute and address that are admitted.
    pub connects: u32,
    /// What to send to keep the connection alive; empty = nothing, the server's protocol pings are
    /// answered.
    pub ping: &'static str,
    /// How often; where nothing is sent, how long the server may be silent between its own.
    pub ping_every: Nanos,
    /// After this a connection is cut; it is replaced before. Zero = never.
    pub lifetime: Nanos,
    /// Pause between two texts of a connection.
    pub pace: Nanos,
    /// Streams that speak all the time, and how long one may say nothing before it counts as dead.
    /// Trades and liquidations are not in it: their silence is normal.
    pub silence: &'static [(Stream, Nanos)],
    /// The request of one instrument's book image, where the stream itself sends none.
    pub image: Option<fn(instrument: &str) -> String>,
    /// Requests whose answers a decoder needs before frames mean anything (contract values); they
    /// are handed to the feed with its connection.
    pub primers: &'static [&'static str],
    /// Longest instrument name.
    pub name_max: usize,
    /// How instruments are named: what stands behind the base coin.
    pub quote: &'static str,
    /// Assets whose instrument is not plain `ASSET` + quote: (asset, base coin as the venue writes
    /// it).
    pub bases: &'static [(&'static str, &'static str)],
    /// What tells a stream in a subscription's text.
    pub streams: &'static [(Stream, &'static str)],
    /// Topics of one instrument's stream; empty = the venue has none. One that serves every
    /// instrument is given for each, and subscribed once.
    pub topics: fn(instrument: &str, stream: Stream) -> Vec<String>,
    /// The instrument a topic speaks of, as the venue writes it; `None` for one of no instrument.
    pub instrument_of: fn(topic: &str) -> Option<String>,
    /// Texts that subscribe to topics, each within the venue's limits.
    pub subscribe: fn(topics: &[String]) -> Vec<String>,
    /// Texts that renew topics (they answer with a fresh image).
    pub resubscribe: fn(topics: &[String]) -> Vec<String>,
    /// The request of the page behind this answer, of the past the next older one; `None` on the last.
    pub next_page: fn(request: &str, body: &[u8]) -> Option<String>,
    /// What the venue says in an answer that refuses, for people; `None` when it refuses nothing.
    pub refusal: fn(body: &[u8]) -> Option<String>,
    /// Which streams it has, and on what their decoding was tried.
    pub checked: &'static [(Stream, Checked)],
    pub(crate) decoder: MakeDecoder,
}

impl Venue {
    /// The path that carries a stream; `None` when the venue has no such stream.
    #[must_use]
    pub fn root(&self, stream: Stream) -> Option<&'static Root> {
        self.roots
            .iter()
            .find(|root| root.streams.contains(&stream))
    }
}

/// Every venue.
pub const VENUES: [Venue; 4] = [bybit::VENUE, binance::VENUE, okx::VENUE, hyperliquid::VENUE];

/// The row of a venue; `None` for a number that is not in the table.
#[must_use]
pub fn venue(id: VenueId) -> Option<&'static Venue> {
    VENUES.iter().find(|v| v.id == id)
}

/// The row of a venue by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Venue> {
    VENUES.iter().find(|v| v.name == name)
}

/// The asset of a venue's instrument and the power of ten that turns its quantities into canonical
/// lots (and, negated, its prices into prices of a lot): `1000PEPEUSDT` is (`PEPE`, 0) because the
/// canonical lot is 1,000 as well, `10000LADYSUSDT` is (`LADYS`, -2). `None` when the quote coin is
/// another or the ratio is no power of ten.
#[must_use]
pub fn canonical(id: VenueId, instrument: &str) -> Option<(&str, i32)> {
    let base = instrument.strip_suffix(venue(id)?.quote)?;
    if base.is_empty() {
        return None;
    }
    let (asset, multiple) = split_multiple(base);
    Some((asset, exponent(multiple)? - exponent(lot_of(asset))?))
}

/// True for what is no canonical asset but a venue's own name of an instrument (`BTC-USD-220527`). A plan cannot name
/// one; a recording that follows nothing else is followed by them, prices and quantities as the venue writes them.
#[must_use]
pub fn is_literal(asset: &str) -> bool {
    // Pairs of coins (`BTC-USDT`) are spot, and have more decimals than a contract.
    asset.matches('-').count() > 1
}

/// The instrument a venue trades an asset as; `None` for an unknown venue.
#[must_use]
pub fn instrument_name(id: VenueId, asset: &str) -> Option<String> {
    let venue = venue(id)?;
    if is_literal(asset) {
        return Some(asset.to_owned());
    }
    let base = venue.bases.iter().find(|(name, _)| *name == asset);
    let base = base.map_or(asset, |(_, base)| *base);
    Some(format!("{base}{}", venue.quote))
}

fn exponent(power: u32) -> Option<i32> {
    (0..10).find(|&e| 10u32.pow(e) == power)?.try_into().ok()
}

/// Why a decoder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VenueError {
    /// The number is not in [`VENUES`].
    #[error("venue {0} is not known")]
    Unknown(u8),
    /// More symbols than ids.
    #[error("{0} symbols: at most {max} fit one decoder", max = SYMBOLS_MAX)]
    TooMany(usize),
    /// An asset that cannot be an instrument there.
    #[error("{asset:?} cannot be decoded at {venue}: {why}")]
    Asset {
        /// The asset.
        asset: String,
        /// The venue's name.
        venue: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

/// Most symbols of one decoder.
pub const SYMBOLS_MAX: usize = 4096;

/// Which way a frame was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// As the venue writes it today.
    Fast,
    /// In another form, understood all the same.
    Tolerant,
    /// Well-formed, but nothing for us: acknowledgements, other channels, other symbols, what waits
    /// for a snapshot.
    Ignored,
}

/// What a frame said.
#[derive(Debug, Clone, Copy)]
pub struct Decoded<'a> {
    /// Its events; the first has FIRST, the last LAST.
    pub events: &'a [Event],
    /// How it was read.
    pub road: Road,
    /// True when the events are a `Gap`.
    pub gap: bool,
    /// The book that must be subscribed anew.
    pub resync: Option<SymbolId>,
    /// Rows of a REST answer that did not fit; the others are in the events.
    pub faults: &'a [Fault],
}

impl Decoded<'_> {
    /// Nothing for us.
    pub const IGNORED: Decoded<'static> = Decoded {
        events: &[],
        road: Road::Ignored,
        gap: false,
        resync: None,
        faults: &[],
    };
}

/// What a venue said when it refused something, cut to what fits: carried by value, so that a
/// thread that must not allocate can pass it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    text: [u8; Self::MOST],
    len: u8,
    /// It is a notice that this connection will be closed.
    pub closes: bool,
}

impl Refusal {
    /// Most bytes of the text.
    pub const MOST: usize = 120;
    /// Nothing was said.
    pub const EMPTY: Self = Self {
        text: [0; Self::MOST],
        len: 0,
        closes: false,
    };

    /// The beginning of a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut len = text.len().min(Self::MOST);
        while !text.is_char_boundary(len) {
            len -= 1;
        }
        let mut said = Self::EMPTY;
        for (room, byte) in said.text.iter_mut().zip(text.bytes().take(len)) {
            *room = byte;
        }
        said.len = len as u8;
        said
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        let text = self.text.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }
}

/// What a dialect says of a frame; its events are in the ledger's scratch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    /// How many events.
    pub(crate) events: usize,
    /// How it was read.
    pub(crate) road: Road,
    /// True when the events are a `Gap`, or begin with one.
    pub(crate) gap: bool,
    /// The book that must come anew.
    pub(crate) resync: Option<SymbolId>,
}

impl Said {
    /// Nothing for us.
    pub(crate) const IGNORED: Self = Self {
        events: 0,
        road: Road::Ignored,
        gap: false,
        resync: None,
    };
}

/// One venue's language: what a row of [`VENUES`] makes to read its frames. `leg` is 0 or 1: the
/// connection of a pair the frame came on.
pub(crate) trait Dialect: core::fmt::Debug + Send {
    /// What every dialect remembers.
    fn ledger(&self) -> &Ledger;
    /// The same, to be changed.
    fn ledger_mut(&mut self) -> &mut Ledger;
    /// Reads a message by the fast road, else the tolerant one. Its bytes may be changed.
    fn decode(&mut self, leg: usize, recv: Nanos, frame: Frame<'_>) -> Result<Said, Fault>;
    /// As `decode`, by the tolerant road only.
    fn decode_tolerant(&mut self, leg: usize, recv: Nanos, frame: Frame<'_>)
    -> Result<Said, Fault>;
    /// Reads a REST answer; the scratch is clear. What a feed asks for (images, primers) is read
    /// without allocation up to ordinary sizes, the rest is cold and allocates.
    fn rest(&mut self, recv: Nanos, request: &str, body: &[u8]) -> Result<Said, Fault>;
    /// Forgets what belonged to a connection that is down, beside the ledger.
    fn leg_down(&mut self, leg: usize);
    /// Decimals printed for a symbol's price and quantity, in canonical lots.
    fn places(&self, symbol: usize) -> (u8, u8);
    /// The address of an account's short id, where the venue publishes accounts.
    fn address(&self, _account: u32) -> Option<[u8; 20]> {
        None
    }
    /// Uses the plain instruction set.
    fn use_plain(&mut self);
    /// Appends what the next frames depend on, beside the ledger.
    fn remember(&self, out: &mut Vec<u8>);
    /// Takes back what `remember` gave; `None` when it does not fit.
    fn recall(&mut self, from: &mut &[u8]) -> Option<()>;
}

/// Turns one connection's bytes into events, or those of a pair of connections of the same streams.
#[derive(Debug)]
pub struct Decoder {
    dialect: Box<dyn Dialect>,
}

impl Decoder {
    /// A decoder for these assets; a symbol's id is its place in the list.
    ///
    /// # Errors
    /// See [`VenueError`].
    pub fn new(id: VenueId, assets: &[String]) -> Result<Self, VenueError> {
        let row = venue(id).ok_or(VenueError::Unknown(id.0))?;
        if assets.len() > SYMBOLS_MAX {
            return Err(VenueError::TooMany(assets.len()));
        }
        let dialect = (row.decoder)(row, assets)?;
        Ok(Self { dialect })
    }
    /// A decoder of another language than a venue's.
    pub(crate) fn of(dialect: Box<dyn Dialect>) -> Self {
        Self { dialect }
    }
    /// Decodes one WebSocket message of a single connection. Its bytes may be changed.
    ///
    /// # Errors
    /// A frame that fits neither road, or that the venue refused; nothing of it was taken in.
    #[inline]
    pub fn decode(&mut self, recv: Nanos, frame: Frame<'_>) -> Result<Decoded<'_>, Fault> {
        self.decode_leg(0, recv, frame)
    }
    /// Decodes one message of a leg (0 or 1) of a pair.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    #[inline]
    pub fn decode_leg(
        &mut self,
        leg: usize,
        recv: Nanos,
        frame: Frame<'_>,
    ) -> Result<Decoded<'_>, Fault> {
        self.dialect.ledger_mut().heard = None;
        let said = self.dialect.decode(leg, recv, frame)?;
        Ok(self.decoded(said))
    }
    /// As [`Decoder::decode`], but by the tolerant road only: for comparing the two.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_tolerant(&mut self, recv: Nanos, frame: Frame<'_>) -> Result<Decoded<'_>, Fault> {
        let said = self.dialect.decode_tolerant(0, recv, frame)?;
        Ok(self.decoded(said))
    }
    /// Decodes a REST answer; `request` is its path and query, with the body behind a space where
    /// it was posted.
    ///
    /// # Errors
    /// A request this venue's decoder does not know, or an answer that is not as documented.
    pub fn rest(&mut self, recv: Nanos, request: &str, body: &[u8]) -> Result<Decoded<'_>, Fault> {
        let scratch = &mut self.dialect.ledger_mut().scratch;
        scratch.clear();
        scratch.faults.clear();
        let said = self.dialect.rest(recv, request, body)?;
        let faults = self.dialect.ledger().scratch.faults.as_slice();
        Ok(Decoded {
            faults,
            ..self.decoded(said)
        })
    }
    fn decoded(&self, said: Said) -> Decoded<'_> {
        Decoded {
            events: self.events(said.events),
            road: said.road,
            gap: said.gap,
            resync: said.resync,
            faults: &[],
        }
    }
    /// The first `count` events of the frame decoded last.
    #[must_use]
    #[inline]
    pub fn events(&self, count: usize) -> &[Event] {
        let events = self.dialect.ledger().scratch.events();
        events.get(..count).unwrap_or_default()
    }
    /// The address of an account's short id; `None` for one that is not known.
    #[must_use]
    #[inline]
    pub fn address(&self, account: u32) -> Option<[u8; 20]> {
        self.dialect.address(account)
    }
    /// What the frame that was a fault just now was about, when its topic was understood.
    #[must_use]
    pub fn about(&self) -> Option<(Stream, SymbolId)> {
        self.dialect.ledger().scratch.about
    }
    /// What the last frame spoke of, also when nothing of it was new; `None` for what is no data.
    #[must_use]
    #[inline]
    pub fn heard(&self) -> Option<(Stream, SymbolId)> {
        self.dialect.ledger().heard
    }
    /// What the venue said when it last refused something.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        &self.dialect.ledger().scratch.refusal
    }
    /// True while a symbol's book waits for an image.
    #[must_use]
    pub fn waits(&self, symbol: SymbolId) -> bool {
        self.dialect.ledger().waits(usize::from(symbol.0))
    }
    /// Trades, prints and updates that were met before, and left out.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.dialect.ledger().duplicates
    }
    /// A leg (0 or 1) is connected; `alone` says that the other is not.
    pub fn leg_up(&mut self, leg: usize, alone: bool) {
        self.dialect.ledger_mut().leg_up(leg, alone);
    }
    /// A leg is down: forgets what belonged to it (books' chains, merged tickers); learned
    /// precision stays. `broken` is told of every book that was lost with it while the other leg
    /// goes on.
    pub fn leg_down(&mut self, leg: usize, broken: impl FnMut(usize)) {
        self.dialect.leg_down(leg);
        self.dialect.ledger_mut().leg_down(leg, broken);
    }
    /// Forgets what belongs to connections; learned precision stays.
    pub fn reset(&mut self) {
        for leg in [0, 1] {
            self.leg_down(leg, |_| {});
        }
        self.leg_up(0, true);
    }
    /// Decimals the venue prints for a symbol's prices and quantities, in canonical lots; what was
    /// learned so far.
    #[must_use]
    pub fn places(&self, symbol: SymbolId) -> (u8, u8) {
        self.dialect.places(usize::from(symbol.0))
    }
    /// Uses the plain instruction set: for comparing.
    pub fn use_plain(&mut self) {
        self.dialect.use_plain();
    }
    /// Appends what the next frames depend on: a decoder that recalls it goes on as this one.
    pub fn remember(&self, out: &mut Vec<u8>) {
        self.dialect.ledger().remember(out);
        self.dialect.remember(out);
    }
    /// Takes back what [`Decoder::remember`] gave; `None` when it is not of such a decoder.
    pub fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        self.dialect.ledger_mut().recall(from)?;
        self.dialect.recall(from)
    }
}

/// A 64-bit hash of a venue's textual trade id: equal ids are the same trade.
#[inline(always)]
pub(crate) fn text_id(text: &[u8]) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (text.len() as u64).wrapping_mul(MIX);
    let mut words = text.chunks_exact(8);
    for word in &mut words {
        let mut bytes = [0u8; 8];
        bytes.copy_from_slice(word);
        hash = (hash.rotate_left(29) ^ u64::from_le_bytes(bytes)).wrapping_mul(MIX);
    }
    for &byte in words.remainder() {
        hash = (hash.rotate_left(7) ^ u64::from(byte)).wrapping_mul(MIX);
    }
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        let bybit = VenueId::BYBIT;
        for (name, asset, shift) in [
            ("BTCUSDT", "BTC", 0),
            ("1000PEPEUSDT", "PEPE", 0),
            ("SHIB1000USDT", "SHIB", 0),
            ("10000LADYSUSDT", "LADYS", -2),
            ("10000SATSUSDT", "SATS", 1),
            ("1000000BABYDOGEUSDT", "BABYDOGE", 0),
            ("10000NEXUSDT", "NEX", 4),
            ("1INCHUSDT", "1INCH", 0),
            ("4USDT", "4", 0),
        ] {
            assert_eq!(canonical(bybit, name), Some((asset, shift)), "{name}");
            assert_eq!(instrument_name(bybit, asset).as_deref(), Some(name));
        }
        for none in ["BTCPERP", "USDT", "BTCUSDT-26DEC25", ""] {
            assert_eq!(canonical(bybit, none), None, "{none}");
        }
        assert_eq!(canonical(VenueId(250), "BTCUSDT"), None);
        assert!(by_name("bybit").is_some() && by_name("nowhere").is_none());
    }

    #[test]
    fn a_refusal_is_cut_between_characters() {
        assert_eq!(Refusal::new("no").text(), "no");
        assert_eq!(Refusal::EMPTY.text(), "");
        let long = "€".repeat(41);
        assert_eq!(Refusal::new(&long).text(), "€".repeat(40));
        assert_eq!(Refusal::new(&format!("a{long}")).text().len(), 118);
    }

    #[test]
    fn ids_differ_in_every_byte() {
        let id = *b"a9188a0a-82bc-50de-be60-03eedbe3cdd7";
        for at in 0..id.len() {
            let mut other = id;
            other[at] ^= 1;
            assert_ne!(text_id(&id), text_id(&other), "byte {at}");
        }
    }
}
