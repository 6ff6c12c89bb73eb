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

pub mod bybit;
pub mod lane;
pub mod texts;

use crate::event::{Event, FIRST, LAST, Stream};
use crate::health::{Fault, FaultKind};
use crate::market::{SymbolId, VenueId, lot_of, split_multiple};
use crate::time::Nanos;
use crate::wire::Frame;

/// A venue's fixed facts.
#[derive(Debug, Clone, Copy)]
pub struct Venue {
    /// Its number.
    pub id: VenueId,
    /// Its name in configuration.
    pub name: &'static str,
    /// Public WebSocket host.
    pub ws_host: &'static str,
    /// Public WebSocket path.
    pub ws_path: &'static str,
    /// Public REST host.
    pub rest_host: &'static str,
    /// Request for the contracts' terms; paged.
    pub instruments: &'static str,
    /// Request for the margin tables of all contracts; paged.
    pub tiers: &'static str,
    /// What to send to keep the connection alive.
    pub ping: &'static str,
    /// How often.
    pub ping_every: Nanos,
    /// How instruments are named: quote coin behind the base coin.
    pub quote: &'static str,
    /// Assets whose instrument is not plain `ASSET` + quote: (asset, base coin as the venue writes
    /// it).
    pub bases: &'static [(&'static str, &'static str)],
    /// How the topics of each stream begin.
    pub streams: &'static [(Stream, &'static str)],
    /// Topics of one instrument.
    pub topics: fn(instrument: &str) -> Vec<String>,
    /// Topic of one instrument's book.
    pub book_topic: fn(instrument: &str) -> String,
    /// Texts that subscribe to topics, each within the venue's limits.
    pub subscribe: fn(topics: &[String]) -> Vec<String>,
    /// Texts that renew one topic (it answers with a fresh image).
    pub resubscribe: fn(topic: &str) -> Vec<String>,
    /// The request of the page behind this answer; `None` on the last.
    pub next_page: fn(request: &str, body: &[u8]) -> Option<String>,
    /// What the venue says in an answer that refuses, for people; `None` when it refuses nothing.
    pub refusal: fn(body: &[u8]) -> Option<String>,
}

/// Every venue.
pub const VENUES: [Venue; 1] = [bybit::VENUE];

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

/// The instrument a venue trades an asset as; `None` for an unknown venue.
#[must_use]
pub fn instrument_name(id: VenueId, asset: &str) -> Option<String> {
    let venue = venue(id)?;
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
}

impl Refusal {
    /// Most bytes of the text.
    pub const MOST: usize = 120;
    /// Nothing was said.
    pub const EMPTY: Self = Self {
        text: [0; Self::MOST],
        len: 0,
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

/// Room for the events of one frame.
#[derive(Debug)]
pub(crate) struct Scratch {
    events: Box<[Event]>,
    used: usize,
    over: bool,
    /// Rows of a REST answer that did not fit.
    faults: Vec<Fault>,
    /// The stream and symbol of the frame the tolerant road reads, once its topic was understood.
    about: Option<(Stream, SymbolId)>,
    /// What the venue last refused.
    refusal: Refusal,
}

impl Scratch {
    fn new(events: usize) -> Self {
        Self {
            events: vec![Event::tick(Nanos::ZERO); events].into_boxed_slice(),
            used: 0,
            over: false,
            faults: Vec::new(),
            about: None,
            refusal: Refusal::EMPTY,
        }
    }
    #[inline(always)]
    fn clear(&mut self) {
        self.used = 0;
        self.over = false;
        self.about = None;
    }
    /// Adds one; what does not fit is remembered as [`Scratch::over`].
    #[inline(always)]
    fn push(&mut self, event: Event) {
        match self.events.get_mut(self.used) {
            Some(room) => {
                *room = event;
                self.used += 1;
            }
            None => self.over = true,
        }
    }
    /// Sets FIRST and LAST and gives the events.
    fn close(&mut self) -> Result<&[Event], Fault> {
        if self.over {
            return Err(Fault::new(0, FaultKind::TooLong));
        }
        let used = &mut self.events[..self.used];
        if let Some(first) = used.first_mut() {
            first.bits |= FIRST;
        }
        if let Some(last) = used.last_mut() {
            last.bits |= LAST;
        }
        Ok(used)
    }
}

/// Turns one connection's bytes into events.
#[derive(Debug)]
pub struct Decoder {
    venue: Box<bybit::Bybit>,
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
        let venue = Box::new(bybit::Bybit::new(row, assets)?);
        Ok(Self { venue })
    }
    /// Decodes one WebSocket message. Its bytes may be changed.
    ///
    /// # Errors
    /// A frame that fits neither road, or that the venue refused; nothing of it was taken in.
    #[inline]
    pub fn decode(&mut self, recv: Nanos, frame: Frame<'_>) -> Result<Decoded<'_>, Fault> {
        self.venue.decode(recv, frame)
    }
    /// As [`Decoder::decode`], but by the tolerant road only: for comparing the two.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_tolerant(&mut self, recv: Nanos, frame: Frame<'_>) -> Result<Decoded<'_>, Fault> {
        self.venue.decode_tolerant(recv, frame)
    }
    /// Decodes a REST answer; `request` is its path and query. Cold: allocates.
    ///
    /// # Errors
    /// A request this venue's decoder does not know, or an answer that is not as documented.
    pub fn rest(&mut self, recv: Nanos, request: &str, body: &[u8]) -> Result<Decoded<'_>, Fault> {
        self.venue.rest(recv, request, body)
    }
    /// The first `count` events of the frame decoded last.
    #[must_use]
    #[inline]
    pub fn events(&self, count: usize) -> &[Event] {
        self.venue.events(count)
    }
    /// What the frame that was a fault just now was about, when its topic was understood.
    #[must_use]
    pub fn about(&self) -> Option<(Stream, SymbolId)> {
        self.venue.about()
    }
    /// What the venue said when it last refused something.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        self.venue.refusal()
    }
    /// True while a symbol's book waits for an image.
    #[must_use]
    pub fn waits(&self, symbol: SymbolId) -> bool {
        self.venue.waits(symbol)
    }
    /// Forgets what belongs to the connection (books' chains, merged tickers); learned precision
    /// stays.
    pub fn reset(&mut self) {
        self.venue.reset();
    }
    /// Decimals the venue prints for a symbol's prices and quantities, in canonical lots; what was
    /// learned so far.
    #[must_use]
    pub fn places(&self, symbol: SymbolId) -> (u8, u8) {
        self.venue.places(symbol)
    }
    /// Uses the plain instruction set: for comparing.
    pub fn use_plain(&mut self) {
        self.venue.use_plain();
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
