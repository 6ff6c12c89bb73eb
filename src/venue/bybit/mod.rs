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

use super::chain::Link;
use super::index::Index;
use super::ledger::{Ledger, take};
use super::line::{self, Line as AnyLine};
use super::{Checked, Dialect, RestBudget, Road, Root, Said, Venue, VenueError};
use crate::event::{Bbo, Body, Event, Funding, Head, SNAPSHOT, Stream};
use crate::health::{Fault, FaultKind};
use crate::market::{SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::Frame;
use crate::wire::cursor::Literal;
use crate::wire::json::Reader;
use crate::wire::scan::Isa;

/// Bybit's row.
pub const VENUE: Venue = Venue {
    id: VenueId::BYBIT,
    name: "bybit",
    ws_host: "stream.bybit.com",
    roots: &[Root {
        path: "/v5/public/linear",
        streams: &[
            Stream::Book,
            Stream::Trades,
            Stream::Ticker,
            Stream::Liquidations,
        ],
    }],
    rest_host: "api.bybit.com",
    asks: &rest::ASKS,
    rest_budget: RestBudget {
        weight: 6_000,
        per: Nanos::MINUTE,
        used_header: "",
    },
    connects: 90,
    ping: "{\"op\":\"ping\"}",
    ping_every: Nanos::seconds(20),
    lifetime: Nanos::ZERO,
    pace: Nanos::ZERO,
    silence: &[
        (Stream::Book, Nanos::seconds(20)),
        (Stream::Ticker, Nanos::seconds(20)),
    ],
    image: None,
    primers: &[],
    name_max: 19,
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
    instrument_of,
    subscribe,
    resubscribe,
    next_page: rest::next_page,
    refusal: rest::refusal,
    checked: &[
        (Stream::Book, Checked::Recorded),
        (Stream::Trades, Checked::Recorded),
        (Stream::Ticker, Checked::Recorded),
        (Stream::Liquidations, Checked::Recorded),
    ],
    decoder,
};

/// Most topics in one text: 200 were measured to be accepted.
const ARGS_MAX: usize = 200;
/// Most characters of topics in one text.
const CHARS_MAX: usize = 16_000;

fn topics(instrument: &str, stream: Stream) -> Vec<String> {
    let channel = match stream {
        Stream::Book => "orderbook.200",
        Stream::Trades => "publicTrade",
        Stream::Ticker => "tickers",
        Stream::Liquidations => "allLiquidation",
        Stream::All => return Vec::new(),
    };
    vec![format!("{channel}.{instrument}")]
}

/// The instrument a topic speaks of: what stands behind its last dot.
fn instrument_of(topic: &str) -> Option<String> {
    topic.rsplit_once('.').map(|(_, name)| name.to_owned())
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
fn resubscribe(topics: &[String]) -> Vec<String> {
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    vec![text("unsubscribe", &topics), text("subscribe", &topics)]
}

/// Most events of one frame: two sides of 1,000 levels, or 1,024 trades; doubled.
const EVENTS_MAX: usize = 4096;
/// Frames up to this size are read by the tolerant road without allocation.
const TOLERANT_ROOM: usize = 256 << 10;

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

/// What only Bybit needs of a symbol.
#[derive(Debug)]
pub(super) struct Own {
    /// `,"s":"NAME","S":"`
    row: Literal,
    /// Targets of the ticker fields.
    targets: [u32; FIELDS],
}

type Line = AnyLine<Own>;

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
    Trades,
    Liquidations,
    Book { image: bool, update: u64 },
    Ticker(Patch),
}

/// The decoder's state.
#[derive(Debug)]
pub(super) struct Bybit {
    isa: Isa,
    lines: Vec<Line>,
    symbols: Index,
    fields: Index,
    /// Merged tickers, a leg each.
    tickers: [Vec<Patch>; 2],
    ledger: Ledger,
    reader: Reader,
}

/// A decoder for these assets.
fn decoder(row: &'static Venue, assets: &[String]) -> Result<Box<dyn Dialect>, VenueError> {
    let (lines, symbols) = line::lines(row, assets, |name, px, qty| {
        Some(Own {
            row: Literal::new(&[b",\"s\":\"", name.as_bytes(), b"\",\"S\":\""])?,
            targets: [px, px, qty, qty, 0, 12, 0, px, qty, px, qty],
        })
    })?;
    let mut fields = Index::new(FIELDS);
    for (field, name) in NAMES.iter().enumerate() {
        fields.put(name.as_bytes(), field);
    }
    Ok(Box::new(Bybit {
        isa: Isa::detect(),
        tickers: [(); 2].map(|()| vec![Patch::default(); lines.len()]),
        ledger: Ledger::new(lines.len(), EVENTS_MAX),
        lines,
        symbols,
        fields,
        reader: Reader::new(TOLERANT_ROOM),
    }))
}

impl Dialect for Bybit {
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
        let tolerant = tolerant::Tolerant {
            recv,
            lines: &self.lines,
            symbols: &self.symbols,
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
        rest::decode(recv, request, body, &self.lines, &mut self.ledger.scratch)?;
        self.ledger.close(Road::Tolerant)
    }

    fn leg_down(&mut self, leg: usize) {
        self.tickers[leg & 1].fill(Patch::default());
    }

    fn places(&self, symbol: usize) -> (u8, u8) {
        self.lines.get(symbol).map_or((0, 0), Line::shown)
    }

    fn use_plain(&mut self) {
        self.isa = Isa::plain();
    }

    fn remember(&self, out: &mut Vec<u8>) {
        for line in &self.lines {
            line.remember(out);
        }
        for patch in self.tickers.iter().flatten() {
            out.extend_from_slice(&patch.present.to_le_bytes());
            for value in patch.values {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
    }

    fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        for line in &mut self.lines {
            line.recall(from)?;
        }
        for patch in self.tickers.iter_mut().flatten() {
            patch.present = u32::from_le_bytes(*take::<4>(from)?);
            for value in &mut patch.values {
                *value = i64::from_le_bytes(*take::<8>(from)?);
            }
        }
        Some(())
    }
}

impl Bybit {
    /// Takes a good frame in: learns, checks the chain, merges the ticker, closes the events.
    #[inline]
    fn settle(
        &mut self,
        leg: usize,
        recv: Nanos,
        parsed: Parsed,
        road: Road,
    ) -> Result<Said, Fault> {
        let symbol = parsed.symbol;
        let head = Head {
            recv,
            exch: parsed.exch,
            venue: VenueId::BYBIT,
            symbol: SymbolId(symbol as u16),
            bits: 0,
        };
        if let What::Ticker(patch) = parsed.what {
            self.merge(leg, head, symbol, &patch)?;
        }
        let said = match parsed.what {
            What::Trades => self.ledger.trades(road),
            What::Liquidations => self.ledger.prints(road),
            What::Ticker(_) => self.ledger.values(leg, road),
            What::Book { image, update } => {
                let link = Link {
                    image,
                    prev: update.wrapping_sub(1),
                    update,
                };
                self.ledger.book(leg, head, link, road)
            }
        }?;
        if let Some(learned) = parsed.learned
            && let Some(line) = self.lines.get_mut(symbol)
        {
            line.learn(learned, matches!(parsed.what, What::Ticker(_)));
        }
        Ok(said)
    }

    /// Merges a ticker and tells what changed.
    fn merge(&mut self, leg: usize, head: Head, symbol: usize, patch: &Patch) -> Result<(), Fault> {
        patch.check()?;
        let Some(all) = self.tickers[leg & 1].get_mut(symbol) else {
            return Ok(());
        };
        all.merge(patch);
        let mut say = |body| self.ledger.scratch.push(Event::new(head, body));
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

/// Bits of a book level's events.
const fn image_bits(image: bool) -> u8 {
    if image { SNAPSHOT } else { 0 }
}
