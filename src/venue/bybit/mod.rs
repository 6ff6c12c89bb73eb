//! Bybit v5 linear (USDT perpetuals): `orderbook`, `publicTrade`, `tickers`, `allLiquidation`.
//!
//! What things mean there:
//! - `orderbook.N`: a snapshot, then deltas of absolute sizes (0 = gone). `u` rises by exactly one
//!   per delta; a snapshot or `u == 1` (their service restarted) begins anew. `cts` is the matching
//!   engine's time, `ts` the gateway's.
//! - `publicTrade`: `S` is the taker's side, `T` the time of the match, `i` a uuid. After a
//!   resubscription the first message may repeat history: equal ids are the same trade.
//! - `tickers`: a snapshot, then deltas in which a missing field is unchanged. `openInterest`
//!   counts both sides, `singleOpenInterest` one; the second is used once it was seen, else half of
//!   the first. `""` means absent.
//! - `allLiquidation`: every liquidation, in batches of 500 ms. `S` is the side of the *position*
//!   (`Buy`: a long died), `p` the bankruptcy price, `v` the executed size.
//! - One side's book empty, index before listing: the field is `""` or missing. Nothing is ever
//!   zero that is not.
//!
//! The server cuts a connection that sends nothing for ten minutes; a text ping every 20 s is asked
//! for. One connection admits 21,000 characters of topics. A frame in which every field is where it
//! stands today takes `fast`, any other `tolerant`; both only read, and [`Bybit::settle`] alone
//! changes what is remembered, once per frame and only when the whole frame was good.

mod fast;
mod rest;
mod tolerant;

use super::{Decoded, Refusal, Road, Scratch, Venue, VenueError, canonical, instrument_name};
use crate::event::{ALONE, Bbo, Body, Event, Funding, Gap, Head, SNAPSHOT, Stream};
use crate::health::{Fault, FaultKind};
use crate::market::{SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::Frame;
use crate::wire::cursor::Literal;
use crate::wire::decimal::Shape;
use crate::wire::json::Reader;
use crate::wire::scan::Isa;

/// Bybit's row.
pub const VENUE: Venue = Venue {
    id: VenueId::BYBIT,
    name: "bybit",
    ws_host: "stream.bybit.com",
    ws_path: "/v5/public/linear",
    rest_host: "api.bybit.com",
    instruments: "/v5/market/instruments-info?category=linear&limit=1000",
    tiers: "/v5/market/risk-limit?category=linear",
    ping: "{\"op\":\"ping\"}",
    ping_every: Nanos::seconds(20),
    quote: "USDT",
    streams: &[
        (Stream::Book, "orderbook."),
        (Stream::Trades, "publicTrade."),
        (Stream::Ticker, "tickers."),
        (Stream::Liquidations, "allLiquidation."),
    ],
    bases: &[
        ("BABYDOGE", "1000000BABYDOGE"),
        ("CHEEMS", "1000000CHEEMS"),
        ("MOG", "1000000MOG"),
        ("LADYS", "10000LADYS"),
        ("NEX", "10000NEX"),
        ("SATS", "10000SATS"),
        ("BONK", "1000BONK"),
        ("BTT", "1000BTT"),
        ("CAT", "1000CAT"),
        ("FLOKI", "1000FLOKI"),
        ("LUNC", "1000LUNC"),
        ("NEIROCTO", "1000NEIROCTO"),
        ("PEPE", "1000PEPE"),
        ("RATS", "1000RATS"),
        ("TAG", "1000TAG"),
        ("TOSHI", "1000TOSHI"),
        ("TURBO", "1000TURBO"),
        ("XEC", "1000XEC"),
        ("SHIB", "SHIB1000"),
    ],
    topics,
    book_topic,
    subscribe,
    resubscribe,
    next_page: rest::next_page,
    refusal: rest::refusal,
};

/// Most topics in one text: 200 were measured to be accepted.
const ARGS_MAX: usize = 200;
/// Most characters of topics in one text.
const CHARS_MAX: usize = 16_000;

fn topics(instrument: &str) -> Vec<String> {
    let mut all = vec![book_topic(instrument)];
    for channel in ["publicTrade", "tickers", "allLiquidation"] {
        all.push(format!("{channel}.{instrument}"));
    }
    all
}

fn book_topic(instrument: &str) -> String {
    format!("orderbook.200.{instrument}")
}

fn text(op: &str, topics: &[&str]) -> String {
    let args = topics.join("\",\"");
    format!("{{\"op\":\"{op}\",\"args\":[\"{args}\"]}}")
}

fn subscribe(topics: &[String]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut batch: Vec<&str> = Vec::new();
    let mut chars = 0;
    for topic in topics {
        if batch.len() == ARGS_MAX || chars + topic.len() + 3 > CHARS_MAX {
            texts.push(text("subscribe", &batch));
            batch.clear();
            chars = 0;
        }
        chars += topic.len() + 3;
        batch.push(topic);
    }
    if !batch.is_empty() {
        texts.push(text("subscribe", &batch));
    }
    texts
}

/// Subscribing to what is subscribed is refused there, so the old one is given up first.
fn resubscribe(topic: &str) -> Vec<String> {
    vec![text("unsubscribe", &[topic]), text("subscribe", &[topic])]
}

/// Most events of one frame: two sides of 1,000 levels, or 1,024 trades; doubled.
const EVENTS_MAX: usize = 4096;
/// Frames up to this size are read by the tolerant road without allocation.
const TOLERANT_ROOM: usize = 256 << 10;
/// Longest instrument name: what fits a [`Literal`] with its surroundings. Theirs end at 19.
const NAME_MAX: usize = 19;

/// Fields of a ticker that we keep; the number is the place in a [`Patch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
enum Field {
    Mark,
    Index,
    Interest,
    SingleInterest,
    FundingNext,
    FundingRate,
    FundingHours,
    Bid,
    BidQty,
    Ask,
    AskQty,
}

const FIELDS: usize = 11;

/// Their names, in number order.
const NAMES: [&str; FIELDS] = [
    "markPrice",
    "indexPrice",
    "openInterest",
    "singleOpenInterest",
    "nextFundingTime",
    "fundingRate",
    "fundingIntervalHour",
    "bid1Price",
    "bid1Size",
    "ask1Price",
    "ask1Size",
];

/// Ticker fields that were present: bit and value by [`Field`].
#[derive(Debug, Clone, Copy, Default)]
struct Patch {
    present: u32,
    values: [i64; FIELDS],
}

impl Patch {
    #[inline(always)]
    fn set(&mut self, field: usize, value: i64) {
        if let Some(room) = self.values.get_mut(field) {
            *room = value;
            self.present |= 1 << field;
        }
    }
    const fn has(&self, field: Field) -> bool {
        self.present & 1 << field as usize != 0
    }
    const fn any(&self, fields: &[Field]) -> bool {
        let mut i = 0;
        while i < fields.len() {
            if self.has(fields[i]) {
                return true;
            }
            i += 1;
        }
        false
    }
    const fn get(&self, field: Field) -> i64 {
        self.values[field as usize]
    }
    /// Takes over what `newer` has.
    fn merge(&mut self, newer: &Self) {
        for field in 0..FIELDS {
            if newer.present & 1 << field != 0 {
                self.set(field, newer.values[field]);
            }
        }
    }
}

/// What is fixed or learned about one symbol.
#[derive(Debug)]
struct Line {
    name: String,
    /// Decimal places of a price and of a quantity as they leave here, counted in the venue's
    /// numbers.
    px_target: u32,
    qty_target: u32,
    /// Decimals to take off (add) to show a canonical price (quantity) as the venue writes it.
    shift: i32,
    /// `,"s":"NAME","S":"`
    row: Literal,
    /// Targets of the ticker fields.
    targets: [u32; FIELDS],
    /// Most places seen in a price and a quantity.
    places: (u32, u32),
    /// Shapes of the last frames; `None` until the first.
    shapes: Option<(Shape, Shape)>,
}

/// Where a book's numbering stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    /// No image yet, or it was broken: deltas mean nothing.
    Waiting,
    /// The last update id.
    At(u64),
}

/// What a frame was, as both roads tell it; its events (other than a ticker's) are in the scratch.
#[derive(Debug, Clone, Copy)]
struct Parsed {
    symbol: usize,
    exch: Nanos,
    what: What,
    /// Most places seen in its prices and quantities, when they had to be searched.
    learned: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// Trades or liquidations.
    Prints,
    Book {
        image: bool,
        update: u64,
    },
    Ticker(Patch),
}

/// The decoder's state.
#[derive(Debug)]
pub(super) struct Bybit {
    isa: Isa,
    lines: Vec<Line>,
    symbols: Index,
    fields: Index,
    chains: Vec<Chain>,
    tickers: Vec<Patch>,
    scratch: Scratch,
    reader: Reader,
}

impl Bybit {
    pub(super) fn new(row: &'static Venue, assets: &[String]) -> Result<Self, VenueError> {
        let mut lines = Vec::with_capacity(assets.len());
        let mut symbols = Index::new(assets.len());
        for (symbol, asset) in assets.iter().enumerate() {
            let wrong = |why| VenueError::Asset {
                asset: asset.clone(),
                venue: row.name,
                why,
            };
            let name = instrument_name(row.id, asset).unwrap_or_default();
            if asset.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(wrong("a name of letters and digits is wanted"));
            }
            if name.len() > NAME_MAX {
                return Err(wrong("the name is too long"));
            }
            let (back, shift) =
                canonical(row.id, &name).ok_or_else(|| wrong("its lot is no power of ten"))?;
            if back != asset {
                return Err(wrong("its instrument is another asset's"));
            }
            if symbols.get(name.as_bytes()).is_some() {
                return Err(wrong("it is listed twice"));
            }
            symbols.put(name.as_bytes(), symbol);
            lines.push(Line::new(name, shift).ok_or_else(|| wrong("its lot does not fit"))?);
        }
        let mut fields = Index::new(FIELDS);
        for (field, name) in NAMES.iter().enumerate() {
            fields.put(name.as_bytes(), field);
        }
        Ok(Self {
            isa: Isa::detect(),
            chains: vec![Chain::Waiting; lines.len()],
            tickers: vec![Patch::default(); lines.len()],
            lines,
            symbols,
            fields,
            scratch: Scratch::new(EVENTS_MAX),
            reader: Reader::new(TOLERANT_ROOM),
        })
    }

    #[inline]
    pub(super) fn decode(&mut self, recv: Nanos, frame: Frame<'_>) -> Result<Decoded<'_>, Fault> {
        self.scratch.clear();
        let parsed = self.isa.run(fast::Fast {
            recv,
            frame: &frame,
            lines: &self.lines,
            symbols: &self.symbols,
            fields: &self.fields,
            scratch: &mut self.scratch,
        });
        match parsed {
            Some(parsed) => self.settle(recv, parsed, Road::Fast),
            None => self.decode_tolerant(recv, frame),
        }
    }

    #[cold]
    pub(super) fn decode_tolerant(
        &mut self,
        recv: Nanos,
        frame: Frame<'_>,
    ) -> Result<Decoded<'_>, Fault> {
        self.scratch.clear();
        let tolerant = tolerant::Tolerant {
            recv,
            lines: &self.lines,
            symbols: &self.symbols,
            fields: &self.fields,
        };
        let scratch = &mut self.scratch;
        let parsed = self.reader.read(frame, |v| tolerant.frame(v, scratch))?;
        match parsed {
            Some(parsed) => self.settle(recv, parsed, Road::Tolerant),
            None => Ok(Decoded::IGNORED),
        }
    }

    pub(super) fn rest(
        &mut self,
        recv: Nanos,
        request: &str,
        body: &[u8],
    ) -> Result<Decoded<'_>, Fault> {
        self.scratch.clear();
        self.scratch.faults.clear();
        rest::decode(recv, request, body, &self.lines, &mut self.scratch)?;
        self.scratch.close()?;
        let scratch = &self.scratch;
        Ok(Decoded {
            events: scratch.events.get(..scratch.used).unwrap_or_default(),
            road: Road::Tolerant,
            gap: false,
            resync: None,
            faults: &scratch.faults,
        })
    }

    #[inline]
    pub(super) fn events(&self, count: usize) -> &[Event] {
        self.scratch.events.get(..count).unwrap_or_default()
    }

    pub(super) fn about(&self) -> Option<(Stream, SymbolId)> {
        self.scratch.about
    }

    pub(super) fn refusal(&self) -> &Refusal {
        &self.scratch.refusal
    }

    pub(super) fn waits(&self, symbol: SymbolId) -> bool {
        matches!(self.chains.get(usize::from(symbol.0)), Some(Chain::Waiting))
    }

    pub(super) fn reset(&mut self) {
        self.chains.fill(Chain::Waiting);
        self.tickers.fill(Patch::default());
    }

    pub(super) fn places(&self, symbol: SymbolId) -> (u8, u8) {
        let Some(line) = self.lines.get(usize::from(symbol.0)) else {
            return (0, 0);
        };
        let shown = |places: u32, shift: i32| {
            let places = i64::from(places) + i64::from(shift);
            u8::try_from(places.max(0)).unwrap_or(u8::MAX)
        };
        // A price of `10^-shift` as many units has that many places fewer, a quantity more.
        (
            shown(line.places.0, line.shift),
            shown(line.places.1, -line.shift),
        )
    }

    pub(super) fn use_plain(&mut self) {
        self.isa = Isa::plain();
    }

    /// Takes a good frame in: learns, checks the chain, merges the ticker, closes the events.
    #[inline]
    fn settle(&mut self, recv: Nanos, parsed: Parsed, road: Road) -> Result<Decoded<'_>, Fault> {
        let symbol = parsed.symbol;
        let head = Head {
            recv,
            exch: parsed.exch,
            venue: VenueId::BYBIT,
            symbol: SymbolId(symbol as u16),
            bits: 0,
        };
        let mut answer = Decoded {
            events: &[],
            road,
            gap: false,
            resync: None,
            faults: &[],
        };
        if self.scratch.over {
            return Err(Fault::new(0, FaultKind::TooLong));
        }
        match parsed.what {
            What::Prints => {}
            What::Book { image, update } => match self.follow(symbol, image, update) {
                Step::Next => {}
                Step::Drop => return Ok(Decoded::IGNORED),
                Step::Broken { expected } => {
                    self.scratch.clear();
                    let gap = Gap {
                        stream: Stream::Book,
                        expected,
                        got: update,
                    };
                    let head = Head {
                        bits: ALONE,
                        ..head
                    };
                    self.scratch.push(Event::new(head, Body::Gap(gap)));
                    answer.gap = true;
                    answer.resync = Some(SymbolId(symbol as u16));
                }
            },
            What::Ticker(patch) => self.merge(head, symbol, &patch)?,
        }
        if let Some(learned) = parsed.learned
            && let Some(line) = self.lines.get_mut(symbol)
        {
            line.learn(learned, matches!(parsed.what, What::Ticker(_)));
        }
        answer.events = self.scratch.close()?;
        Ok(answer)
    }

    /// Moves a book's chain on.
    fn follow(&mut self, symbol: usize, image: bool, update: u64) -> Step {
        let empty = self.scratch.used == 0;
        let Some(chain) = self.chains.get_mut(symbol) else {
            return Step::Drop;
        };
        if image && empty {
            // An image without a level is no book: said aloud, and asked for again.
            *chain = Chain::Waiting;
            return Step::Broken { expected: 0 };
        }
        match *chain {
            _ if image => {
                *chain = Chain::At(update);
                Step::Next
            }
            Chain::Waiting => Step::Drop,
            Chain::At(last) if update <= last => Step::Drop,
            Chain::At(last) if update == last + 1 => {
                *chain = Chain::At(update);
                Step::Next
            }
            Chain::At(last) => {
                *chain = Chain::Waiting;
                Step::Broken { expected: last + 1 }
            }
        }
    }

    /// Merges a ticker and tells what changed.
    fn merge(&mut self, head: Head, symbol: usize, patch: &Patch) -> Result<(), Fault> {
        patch.check()?;
        let Some(all) = self.tickers.get_mut(symbol) else {
            return Ok(());
        };
        all.merge(patch);
        let mut say = |body| self.scratch.push(Event::new(head, body));
        if patch.has(Field::Mark) {
            say(Body::Mark(Px::new(patch.get(Field::Mark))));
        }
        if patch.has(Field::Index) {
            say(Body::Index(Px::new(patch.get(Field::Index))));
        }
        let funding = [Field::FundingRate, Field::FundingNext, Field::FundingHours];
        if patch.any(&funding) && all.has(Field::FundingRate) {
            say(Body::Funding(Funding {
                rate_e12: all.get(Field::FundingRate),
                next: Nanos::millis(all.get(Field::FundingNext)),
                interval: Nanos::new(Nanos::HOUR.get() * all.get(Field::FundingHours)),
            }));
        }
        if patch.has(Field::SingleInterest) {
            say(Body::Interest(Qty::new(patch.get(Field::SingleInterest))));
        } else if patch.has(Field::Interest) && !all.has(Field::SingleInterest) {
            // Both sides summed: one side is half, to the step below.
            say(Body::Interest(Qty::new(patch.get(Field::Interest) / 2)));
        }
        let touch = [Field::Bid, Field::BidQty, Field::Ask, Field::AskQty];
        if patch.any(&touch) && touch.iter().all(|&f| all.has(f)) {
            say(Body::Bbo(Bbo {
                bid: Px::new(all.get(Field::Bid)),
                bid_qty: Qty::new(all.get(Field::BidQty)),
                ask: Px::new(all.get(Field::Ask)),
                ask_qty: Qty::new(all.get(Field::AskQty)),
            }));
        }
        Ok(())
    }
}

/// What a book frame is to its chain.
enum Step {
    Next,
    Drop,
    Broken { expected: u64 },
}

impl Patch {
    /// Whether the values can be what their names say.
    fn check(&self) -> Result<(), Fault> {
        let fine = |field: Field| {
            if !self.has(field) {
                return true;
            }
            let value = self.get(field);
            match field {
                Field::FundingRate => true,
                Field::Mark | Field::Index => value > 0,
                // A year, and the end of the 23rd century in milliseconds.
                Field::FundingHours => (0..=8784).contains(&value),
                Field::FundingNext => (0..10_000_000_000_000).contains(&value),
                _ => value >= 0,
            }
        };
        let all = [
            Field::Mark,
            Field::Index,
            Field::Interest,
            Field::SingleInterest,
            Field::FundingNext,
            Field::FundingRate,
            Field::FundingHours,
            Field::Bid,
            Field::BidQty,
            Field::Ask,
            Field::AskQty,
        ];
        if all.into_iter().all(fine) {
            Ok(())
        } else {
            Err(Fault::new(0, FaultKind::OutOfRange))
        }
    }
}

impl Line {
    /// `None` when the lot's power of ten does not fit.
    fn new(name: String, shift: i32) -> Option<Self> {
        // A venue quantity is `10^shift` lots, a venue price the price of `10^shift` lots.
        let px = u32::try_from(i64::from(Px::DECIMALS) - i64::from(shift)).ok()?;
        let qty = u32::try_from(i64::from(Qty::DECIMALS) + i64::from(shift)).ok()?;
        let row = Literal::new(&[b",\"s\":\"", name.as_bytes(), b"\",\"S\":\""])?;
        Some(Self {
            px_target: px,
            qty_target: qty,
            shift,
            row,
            targets: [px, px, qty, qty, 0, 12, 0, px, qty, px, qty],
            places: (0, 0),
            shapes: None,
            name,
        })
    }

    /// Takes over the places of a frame whose dots were searched.
    #[inline(always)]
    fn learn(&mut self, (px, qty): (u32, u32), ticker: bool) {
        let most = (self.places.0.max(px), self.places.1.max(qty));
        let same = self
            .shapes
            .as_ref()
            .is_some_and(|(p, q)| p.places() == px && q.places() == qty);
        if !same && !ticker || most != self.places {
            self.shape(px, qty, most, ticker);
        }
    }

    #[cold]
    fn shape(&mut self, px: u32, qty: u32, most: (u32, u32), ticker: bool) {
        self.places = most;
        // The shapes follow the newest frame, not the most places ever: one odd frame must not
        // spoil the fast loop.
        if !ticker {
            let px = Shape::new(px, self.px_target, 1);
            self.shapes = px.zip(Shape::new(qty, self.qty_target, 0));
        }
    }
}

/// Short names to small numbers: open addressing, quarter full, keys of up to [`Index::KEY`] bytes.
#[derive(Debug)]
struct Index {
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: [u64; 3],
    value: u32,
}

const EMPTY: u32 = u32::MAX;

impl Index {
    /// Longest name; its length takes the byte behind.
    const KEY: usize = 23;

    fn new(names: usize) -> Self {
        let slot = Slot {
            key: [0; 3],
            value: EMPTY,
        };
        Self {
            slots: vec![slot; (names.max(4) * 4).next_power_of_two()],
        }
    }
    #[inline(always)]
    fn place(&self, key: [u64; 3]) -> usize {
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let hash = (key[0] ^ key[1].rotate_left(23) ^ key[2].rotate_left(41)).wrapping_mul(MIX);
        (hash >> 32) as usize & (self.slots.len() - 1)
    }
    fn key(name: &[u8]) -> Option<[u64; 3]> {
        let mut bytes = [0u8; Self::KEY + 1];
        bytes[..Self::KEY]
            .get_mut(..name.len())?
            .copy_from_slice(name);
        bytes[Self::KEY] = name.len() as u8;
        let mut key = [0u64; 3];
        for (word, chunk) in key.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut eight = [0u8; 8];
            eight.copy_from_slice(chunk);
            *word = u64::from_le_bytes(eight);
        }
        Some(key)
    }
    fn put(&mut self, name: &[u8], value: usize) {
        let Some(key) = Self::key(name) else { return };
        let mut at = self.place(key);
        let around = self.slots.len() - 1;
        while self.slots[at].value != EMPTY {
            at = (at + 1) & around;
        }
        self.slots[at] = Slot {
            key,
            value: u32::try_from(value).unwrap_or(EMPTY),
        };
    }
    fn get(&self, name: &[u8]) -> Option<usize> {
        self.find(Self::key(name)?)
    }
    /// The value of a name given as its bytes, zeros behind, and its length in the last byte: a name with zeros of
    /// its own is another name.
    #[inline(always)]
    fn find(&self, key: [u64; 3]) -> Option<usize> {
        let mut at = self.place(key);
        let around = self.slots.len() - 1;
        loop {
            let slot = self.slots.get(at)?;
            if slot.value == EMPTY {
                return None;
            }
            if slot.key == key {
                return Some(slot.value as usize);
            }
            at = (at + 1) & around;
        }
    }
}

/// Bits of a book level's events.
const fn image_bits(image: bool) -> u8 {
    if image { SNAPSHOT } else { 0 }
}
