//! OKX v5 swaps settled in USDT: `books`, `bbo-tbt`, `trades`, `mark-price`, `index-tickers`, `funding-rate`,
//! `open-interest`, `liquidation-orders`.
//!
//! What things mean there:
//! - Sizes are *contracts*, many decimals allowed. What a contract is worth (`ctVal` x `ctMult` coins, a power of
//!   ten) is told by REST and by no frame: the primer. Until a symbol's was heard its sizes mean nothing and its
//!   frames wait; a value that is no power of ten keeps the symbol silent, counted. When it changes, the book that
//!   was counted in the old contracts is broken and comes anew.
//! - `books`: 400 levels, a snapshot, then absolute sizes (0 = gone) every 100 ms. `prevSeqId` must be the `seqId`
//!   before; both equal and no level is a heartbeat (every 60 s). After maintenance `seqId` may be lower than
//!   `prevSeqId`. A level is price, contracts, a dead field, orders. `checksum` is 0 or absent since 2026-06.
//!   Recordings from before 2023 have a checksum and no ids: there the order of the connection is all there is. Their
//!   checksum is not verified here, as a decoder holds no book; the tests do it on the recording.
//! - `trades`: one row per taker order, price and source; `side` is the taker's, `tradeId` the last of its fills. That
//!   these ids run without holes is documented nowhere, nor is a row's `count` said to be of consecutive ones: a hole
//!   is not looked for, and a trade that never came is found only where the connection was lost.
//! - `mark-price`, `index-tickers` (instrument without `-SWAP`), `open-interest` (contracts, one side; `oiCcy` the same
//!   in coins), `funding-rate` (`fundingTime` settles it, `nextFundingTime` is the settlement after).
//! - `liquidation-orders`: one topic for every swap. `posSide` is the position that died; in net mode the order's
//!   `side` tells. `bkPx` was measured to lie at the mark. Rows may be minutes late and out of order, and the first
//!   message repeats old ones: what is older than [`STALE`] is no new flow.
//! - A notice with code 64008 says that the connection is closed for an upgrade within a minute: it is replaced first.
//!
//! The client sends the text `ping`, no JSON, and hears `pong`. `""` means absent. Prices and sizes have no fixed
//! places there (`30316`, `30249.5`), so dots are always searched.

mod fast;
mod rest;
mod tolerant;

use super::chain::Link;
use super::index::Index;
use super::ledger::{Ledger, take};
use super::line::{self, Line as AnyLine};
use super::{Checked, Dialect, RestBudget, Road, Root, Said, Venue, VenueError};
use crate::event::{Body, Event, Funding, Head, SNAPSHOT, Stream};
use crate::health::{Fault, FaultKind};
use crate::market::{SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::decimal::{Decimal, fix, fix_near};
use crate::wire::json::Reader;
use crate::wire::scan::Isa;
use crate::wire::{Frame, FrameBuffer};

/// OKX's row.
pub const VENUE: Venue = Venue {
    id: VenueId::OKX,
    name: "okx",
    ws_host: "ws.okx.com",
    roots: &[Root {
        path: "/ws/v5/public",
        streams: &[
            Stream::Book,
            Stream::Trades,
            Stream::Ticker,
            Stream::Liquidations,
        ],
    }],
    rest_host: "openapi.okx.com",
    asks: &rest::ASKS,
    rest_budget: RestBudget {
        weight: 20,
        per: Nanos::seconds(2),
        used_header: "",
    },
    connects: 90,
    ping: "ping",
    ping_every: Nanos::seconds(20),
    lifetime: Nanos::ZERO,
    pace: Nanos::ZERO,
    // A quiet book has a heartbeat every minute, a mark that does not move one every ten seconds.
    silence: &[
        (Stream::Book, Nanos::seconds(75)),
        (Stream::Ticker, Nanos::seconds(30)),
    ],
    image: None,
    primers: &[rest::INSTRUMENTS],
    name_max: Index::KEY,
    quote: SUFFIX,
    streams: &[
        (Stream::Book, "\"books\""),
        (Stream::Trades, "\"trades\""),
        (Stream::Ticker, "\"mark-price\""),
        (Stream::Liquidations, "\"liquidation-orders\""),
    ],
    bases: &[],
    topics,
    instrument_of,
    subscribe,
    resubscribe,
    next_page: rest::next_page,
    refusal: rest::refusal,
    checked: &[
        (Stream::Book, Checked::Documented),
        (Stream::Trades, Checked::Documented),
        (Stream::Ticker, Checked::Documented),
        (Stream::Liquidations, Checked::Recorded),
    ],
    decoder,
};

/// What stands behind the base coin.
const SUFFIX: &str = "-USDT-SWAP";
/// What an index has less than its swap.
const SWAP: &str = "-SWAP";
/// Most characters of arguments in one text: 64 KB are admitted.
const CHARS_MAX: usize = 20_000;
/// A liquidation that died longer ago than this when it came is history.
const STALE: Nanos = Nanos::seconds(900);

/// A topic is the argument that subscribes to it, as the venue repeats it in every frame.
fn topics(instrument: &str, stream: Stream) -> Vec<String> {
    let of = |channel: &str, name: &str| format!(r#"{{"channel":"{channel}","instId":"{name}"}}"#);
    match stream {
        Stream::Book => vec![of("books", instrument), of("bbo-tbt", instrument)],
        Stream::Trades => vec![of("trades", instrument)],
        Stream::Ticker => {
            let index = instrument.strip_suffix(SWAP).unwrap_or(instrument);
            vec![
                of("mark-price", instrument),
                of("index-tickers", index),
                of("funding-rate", instrument),
                of("open-interest", instrument),
            ]
        }
        Stream::Liquidations => {
            vec![r#"{"channel":"liquidation-orders","instType":"SWAP"}"#.to_owned()]
        }
        Stream::All => Vec::new(),
    }
}

/// The swap a topic speaks of: an index is that of its swap.
fn instrument_of(topic: &str) -> Option<String> {
    let topic: serde_json::Value = serde_json::from_str(topic).ok()?;
    let name = topic.get("instId")?.as_str()?;
    if topic.get("channel")?.as_str()? == "index-tickers" {
        return Some(format!("{name}{SWAP}"));
    }
    Some(name.to_owned())
}

fn text(op: &str, topics: &[&str]) -> String {
    format!(r#"{{"op":"{op}","args":[{}]}}"#, topics.join(","))
}

fn subscribe(topics: &[String]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut batch: Vec<&str> = Vec::new();
    let mut chars = 0;
    for topic in topics {
        if chars + topic.len() > CHARS_MAX {
            texts.push(text("subscribe", &batch));
            batch.clear();
            chars = 0;
        }
        chars += topic.len() + 1;
        batch.push(topic);
    }
    if !batch.is_empty() {
        texts.push(text("subscribe", &batch));
    }
    texts
}

/// Subscribing again alone brings no snapshot.
fn resubscribe(topics: &[String]) -> Vec<String> {
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    vec![text("unsubscribe", &topics), text("subscribe", &topics)]
}

/// Most events of one frame: two sides of 400 levels, and deeper books that others recorded.
const EVENTS_MAX: usize = 4096;
/// Frames, and the instruments of the primer, are read up to this size without allocation.
const TOLERANT_ROOM: usize = 512 << 10;

/// Fields of the value channels that we keep; the number is the place in a [`Patch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
enum Field {
    Mark,
    Index,
    Interest,
    Coins,
    Rate,
    Settles,
    After,
}

const FIELDS: usize = 7;

/// Their names, in number order.
const NAMES: [&str; FIELDS] = [
    "markPx",
    "idxPx",
    "oi",
    "oiCcy",
    "fundingRate",
    "fundingTime",
    "nextFundingTime",
];

/// The channels of single values: name, and the bits of the fields that count there.
const VALUES: [(&str, u32); 4] = [
    ("mark-price", 1 << Field::Mark as u32),
    ("index-tickers", 1 << Field::Index as u32),
    (
        "open-interest",
        1 << Field::Interest as u32 | 1 << Field::Coins as u32,
    ),
    (
        "funding-rate",
        1 << Field::Rate as u32 | 1 << Field::Settles as u32 | 1 << Field::After as u32,
    ),
];

/// Fields that were present: bit and value by [`Field`].
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
    fn get(&self, field: Field) -> Option<i64> {
        let present = self.present & 1 << field as u32 != 0;
        present.then_some(self.values[field as usize])
    }
    /// The funding it tells; `None` without a rate.
    fn funding(&self) -> Option<Funding> {
        let next = self.get(Field::Settles).unwrap_or(0);
        // Two times that are not both told, or are not in order, tell no interval.
        let between = self
            .get(Field::After)
            .filter(|_| next > 0)
            .map_or(0, |after| (after - next).max(0));
        Some(Funding {
            rate_e12: self.get(Field::Rate)?,
            next: Nanos::millis(next),
            interval: Nanos::millis(between),
        })
    }
    /// Whether the values can be what their names say.
    fn check(&self) -> Result<(), Fault> {
        let within = |field, least: i64, most: i64| {
            self.get(field)
                .is_none_or(|value| (least..=most).contains(&value))
        };
        // The end of the 23rd century in milliseconds.
        const LATE: i64 = 10_000_000_000_000;
        let fine = within(Field::Mark, 1, i64::MAX)
            && within(Field::Index, 1, i64::MAX)
            && within(Field::Interest, 0, i64::MAX)
            && within(Field::Coins, 0, i64::MAX)
            && within(Field::Settles, 0, LATE)
            && within(Field::After, 0, LATE);
        // The same interest in coins: a contract that is not what we think is off by a power of ten.
        let same = match (self.get(Field::Interest), self.get(Field::Coins)) {
            (Some(lots), Some(coins)) if coins > 0 => lots / 4 <= coins && coins / 4 <= lots,
            _ => true,
        };
        if fine && same {
            Ok(())
        } else {
            Err(Fault::new(0, FaultKind::OutOfRange))
        }
    }
}

/// What only OKX needs of a symbol.
#[derive(Debug)]
pub(super) struct Own {
    /// What a contract is worth was heard.
    ready: bool,
    /// Decimals a quantity of coins leaves with.
    coins: u32,
}

type Line = AnyLine<Own>;

impl Line {
    /// A field's value as it leaves.
    #[inline(always)]
    fn fixed(&self, field: usize, decimal: Decimal) -> Result<i64, FaultKind> {
        match field {
            0 | 1 => fix(decimal, self.px_target),
            // Sums and rates are printed with more digits than mean anything.
            2 => fix_near(decimal, self.qty_target),
            3 => fix_near(decimal, self.own.coins),
            4 => fix_near(decimal, 12),
            _ => fix(decimal, 0),
        }
    }
}

/// What a frame was, as both roads tell it; its events (other than values) are in the scratch.
#[derive(Debug, Clone, Copy)]
struct Parsed {
    symbol: usize,
    exch: Nanos,
    what: What,
    /// Most places seen in its prices and quantities.
    seen: (u32, u32),
}

#[derive(Debug, Clone, Copy)]
enum What {
    Trades,
    /// So many rows were left out as history.
    Liquidations {
        stale: u64,
    },
    Book(Link),
    /// A book of before 2023, without ids.
    Unnumbered {
        image: bool,
    },
    Bbo,
    Values(Patch),
}

/// The decoder's state.
#[derive(Debug)]
pub(super) struct Okx {
    isa: Isa,
    lines: Vec<Line>,
    symbols: Index,
    /// The indices by name: a swap's without `-SWAP`.
    indices: Index,
    fields: Index,
    ledger: Ledger,
    reader: Reader,
    /// Where REST answers are copied to be read in place.
    room: FrameBuffer,
    /// Last mark of each symbol by REST, and margin rows that wait for one.
    tables: rest::Tables,
}

/// A decoder for these assets.
fn decoder(row: &'static Venue, assets: &[String]) -> Result<Box<dyn Dialect>, VenueError> {
    let (lines, symbols) = line::lines(row, assets, |name, _, qty| {
        Some(Own {
            // What is no swap in coins is only followed as it is written, in its own contracts.
            ready: !name.ends_with(VENUE.quote),
            coins: qty,
        })
    })?;
    let mut fields = Index::new(FIELDS);
    for (field, name) in NAMES.iter().enumerate() {
        fields.put(name.as_bytes(), field);
    }
    let mut indices = Index::new(lines.len());
    for (symbol, line) in lines.iter().enumerate() {
        indices.put(line.name.trim_end_matches(SWAP).as_bytes(), symbol);
    }
    Ok(Box::new(Okx {
        isa: Isa::detect(),
        ledger: Ledger::new(lines.len(), EVENTS_MAX),
        tables: rest::Tables::new(lines.len()),
        lines,
        symbols,
        indices,
        fields,
        reader: Reader::new(TOLERANT_ROOM),
        room: FrameBuffer::with_capacity(TOLERANT_ROOM),
    }))
}

impl Dialect for Okx {
    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    #[inline]
    fn decode(&mut self, leg: usize, recv: Nanos, frame: Frame<'_>) -> Result<Said, Fault> {
        self.ledger.scratch.clear();
        let parsed = self.isa.run(fast::Fast {
            recv,
            frame: &frame,
            lines: &self.lines,
            symbols: &self.symbols,
            indices: &self.indices,
            fields: &self.fields,
            scratch: &mut self.ledger.scratch,
        });
        match parsed {
            Some(parsed) => self.settle(leg, recv, parsed, Road::Fast),
            None => self.decode_tolerant(leg, recv, frame),
        }
    }

    #[cold]
    fn decode_tolerant(
        &mut self,
        leg: usize,
        recv: Nanos,
        frame: Frame<'_>,
    ) -> Result<Said, Fault> {
        self.ledger.scratch.clear();
        if frame.bytes() == b"pong" {
            return Ok(Said::IGNORED);
        }
        let tolerant = tolerant::Tolerant {
            recv,
            lines: &self.lines,
            symbols: &self.symbols,
            indices: &self.indices,
            fields: &self.fields,
        };
        let scratch = &mut self.ledger.scratch;
        let parsed = self.reader.read(frame, |v| tolerant.frame(v, scratch))?;
        match parsed {
            Some(parsed) => self.settle(leg, recv, parsed, Road::Tolerant),
            None => Ok(Said::IGNORED),
        }
    }

    fn rest(&mut self, recv: Nanos, request: &str, body: &[u8]) -> Result<Said, Fault> {
        rest::decode(self, recv, request, body)
    }

    fn leg_down(&mut self, _: usize) {}

    fn places(&self, symbol: usize) -> (u8, u8) {
        self.lines.get(symbol).map_or((0, 0), Line::shown)
    }

    fn use_plain(&mut self) {
        self.isa = Isa::plain();
    }

    fn remember(&self, out: &mut Vec<u8>) {
        for line in &self.lines {
            line.remember(out);
            out.push(u8::from(line.own.ready));
        }
        self.tables.remember(out);
    }

    fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        for line in &mut self.lines {
            line.recall(from)?;
            line.own.ready = take::<1>(from)?[0] != 0;
        }
        self.tables.recall(from)
    }
}

impl Okx {
    /// Takes a good frame in: learns, checks the chain, closes the events.
    #[inline]
    fn settle(
        &mut self,
        leg: usize,
        recv: Nanos,
        parsed: Parsed,
        road: Road,
    ) -> Result<Said, Fault> {
        let head = Head {
            recv,
            exch: parsed.exch,
            venue: VenueId::OKX,
            symbol: SymbolId(parsed.symbol as u16),
            bits: 0,
        };
        let said = match parsed.what {
            What::Trades => self.ledger.trades(road),
            What::Liquidations { stale } => {
                self.ledger.duplicates += stale;
                self.ledger.prints(road)
            }
            What::Book(link) => self.ledger.book(leg, head, link, road),
            What::Unnumbered { image } => self.unnumbered(leg, head, image, road),
            What::Bbo => {
                let said = self.ledger.values(leg, road);
                // It speaks for neither the book nor the mark: one may be dead while it goes on.
                self.ledger.heard = None;
                said
            }
            What::Values(patch) => {
                patch.check()?;
                self.say(head, &patch);
                let said = self.ledger.values(leg, road);
                self.ledger.heard = Some((Stream::Ticker, head.symbol));
                said
            }
        }?;
        if let Some(line) = self.lines.get_mut(parsed.symbol) {
            // Places differ from row to row there: learned to be shown, never to shape a loop.
            line.learn(parsed.seen, true);
        }
        Ok(said)
    }

    /// Tells the values of a frame.
    fn say(&mut self, head: Head, patch: &Patch) {
        let mut say = |body| self.ledger.scratch.push(Event::new(head, body));
        if let Some(mark) = patch.get(Field::Mark) {
            say(Body::Mark(Px::new(mark)));
        }
        if let Some(index) = patch.get(Field::Index) {
            say(Body::Index(Px::new(index)));
        }
        if let Some(interest) = patch.get(Field::Interest) {
            say(Body::Interest(Qty::new(interest)));
        }
        if let Some(funding) = patch.funding() {
            say(Body::Funding(funding));
        }
    }

    /// Closes a book without ids: it follows the one before on its connection, and a second leg could not be told
    /// from it.
    fn unnumbered(
        &mut self,
        leg: usize,
        head: Head,
        image: bool,
        road: Road,
    ) -> Result<Said, Fault> {
        if self.ledger.up() == 3 {
            return Err(Fault::new(0, FaultKind::MissingField));
        }
        let chain = self.ledger.chain(usize::from(head.symbol.0));
        let prev = chain.and_then(|chain| chain.last()).unwrap_or(0);
        let link = Link {
            image,
            prev,
            update: prev + 1,
        };
        self.ledger.book(leg, head, link, road)
    }
}

/// Bits of a book level's events.
const fn image_bits(image: bool) -> u8 {
    if image { SNAPSHOT } else { 0 }
}
