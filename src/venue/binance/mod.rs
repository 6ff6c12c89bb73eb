//! Binance USD-M futures (USDT perpetuals): `depth`, `bookTicker`, `aggTrade`, `markPrice`, `forceOrder`.
//!
//! What things mean there:
//! - `depth@100ms`: absolute sizes (0 = gone), numbered by ids that all symbols share: an update
//!   covers `U..=u` and follows `pu`. The stream sends no image; it is asked for by REST and joined
//!   with what came meanwhile (`depth`). `T` is the matching engine's time.
//! - `bookTicker`: the touch, on the same socket as the book; it also tells when the price nears
//!   the end of what the image knew.
//! - `aggTrade`: fills of one taker at one price within 100 ms. `m` = the buyer was the maker, so
//!   the taker sold. `a` rises by one: a hole is a lost trade (`trail`). `nq` (without retail
//!   improvement orders) is not used. `trade` frames are read where no `aggTrade` is heard, and
//!   count when `X` is `MARKET`: the others are transfers to the insurance fund and deleveraging.
//! - `markPriceUpdate`: `p` mark, `i` index, `r` funding rate of the interval that ends at `T`.
//!   `ap` (an average) and `P` (the settlement estimate) are not used. The interval is not in the
//!   stream: `fundingInfo` lists the symbols whose interval is not eight hours.
//! - `forceOrder`: at most one print per symbol and second, the largest (a sample, not all). `S` is
//!   the side of the *order*: `SELL`, a long died. `ap` is the average fill and `z` what was filled;
//!   `p` is the limit, worse than the market.
//! - `st` is 1 for USD-M and absent in older frames; 2 is COIN-M, on the all-market streams.
//!
//! Streams are split over two paths; one asked for on the other is silent. `""` means absent.

mod depth;
mod fast;
mod rest;
mod tolerant;
mod trail;

use super::chain::Link;
use super::index::Index;
use super::ledger::{Ledger, take};
use super::line::{self, Line as AnyLine};
use super::{Checked, Dialect, RestBudget, Road, Root, Said, Venue, VenueError};
use crate::event::{Body, Event, Gap, Head, Stream};
use crate::health::Fault;
use crate::market::{SymbolId, VenueId};
use crate::time::Nanos;
use crate::wire::json::Reader;
use crate::wire::scan::Isa;
use crate::wire::{Frame, FrameBuffer};
use depth::Depth;
use trail::Trail;

/// Binance's row.
pub const VENUE: Venue = Venue {
    id: VenueId::BINANCE,
    name: "binance",
    ws_host: "fstream.binance.com",
    roots: &[
        Root {
            path: "/public/stream",
            streams: &[Stream::Book],
        },
        Root {
            path: "/market/stream",
            streams: &[Stream::Trades, Stream::Ticker, Stream::Liquidations],
        },
    ],
    rest_host: "fapi.binance.com",
    asks: &rest::ASKS,
    rest_budget: RestBudget {
        weight: 2_400,
        per: Nanos::MINUTE,
        used_header: "X-MBX-USED-WEIGHT-1M",
    },
    connects: 60,
    ping: "",
    ping_every: Nanos::seconds(180),
    lifetime: Nanos::DAY,
    // Ten texts a second are admitted.
    pace: Nanos::new(150_000_000),
    silence: &[
        (Stream::Book, Nanos::seconds(30)),
        (Stream::Ticker, Nanos::seconds(20)),
    ],
    image: Some(rest::image),
    primers: &[rest::INTERVALS],
    name_max: Index::KEY,
    quote: "USDT",
    streams: &[
        (Stream::Book, "@depth"),
        (Stream::Trades, "@aggTrade"),
        (Stream::Ticker, "@markPrice"),
        (Stream::Liquidations, "forceOrder"),
    ],
    bases: &[
        ("BABYDOGE", "1MBABYDOGE"),
        ("MOG", "1000000MOG"),
        ("BONK", "1000BONK"),
        ("CAT", "1000CAT"),
        ("CHEEMS", "1000CHEEMS"),
        ("FLOKI", "1000FLOKI"),
        ("LUNC", "1000LUNC"),
        ("PEPE", "1000PEPE"),
        ("RATS", "1000RATS"),
        ("SATS", "1000SATS"),
        ("SHIB", "1000SHIB"),
        ("XEC", "1000XEC"),
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

/// Most topics in one text; a connection admits 1,024.
const PARAMS_MAX: usize = 200;

fn topics(instrument: &str, stream: Stream) -> Vec<String> {
    let name = instrument.to_lowercase();
    match stream {
        Stream::Book => vec![format!("{name}@depth@100ms"), format!("{name}@bookTicker")],
        Stream::Trades => vec![format!("{name}@aggTrade")],
        // One topic tells every symbol's new margin tables.
        Stream::Ticker => vec![format!("{name}@markPrice@1s"), "!contractInfo".to_owned()],
        Stream::Liquidations => vec!["!forceOrder@arr".to_owned()],
        Stream::All => Vec::new(),
    }
}

/// The instrument a topic speaks of: what stands before its first `@`, in capitals.
fn instrument_of(topic: &str) -> Option<String> {
    let (name, _) = topic.split_once('@')?;
    (!name.is_empty() && !name.starts_with('!')).then(|| name.to_uppercase())
}

fn texts(method: &str, topics: &[String], first: usize) -> Vec<String> {
    let texts = topics.chunks(PARAMS_MAX).enumerate();
    let text = |(nth, topics): (usize, &[String])| {
        let params = topics.join("\",\"");
        let id = first + nth;
        format!("{{\"method\":\"{method}\",\"params\":[\"{params}\"],\"id\":{id}}}")
    };
    texts.map(text).collect()
}

fn subscribe(topics: &[String]) -> Vec<String> {
    texts("SUBSCRIBE", topics, 1)
}

fn resubscribe(topics: &[String]) -> Vec<String> {
    let mut all = texts("UNSUBSCRIBE", topics, 1_001);
    all.extend(texts("SUBSCRIBE", topics, 2_001));
    all
}

/// Most events of one group: an image and all that is buffered behind it.
const EVENTS_MAX: usize = depth::ROOM;
/// Frames and answers up to this size are read by the tolerant road without allocation: an image of
/// 1,000 levels a side is 60 kB, the table of funding intervals 100 kB.
const TOLERANT_ROOM: usize = 256 << 10;

/// What only Binance needs of a symbol; zero = not told yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Own {
    /// Its funding interval.
    interval: Nanos,
    /// The highest leverage of its margin table, in hundredths.
    leverage_e2: u32,
}

type Line = AnyLine<Own>;

/// What a frame was, as both roads tell it; its events are in the scratch.
#[derive(Debug, Clone, Copy)]
struct Parsed {
    symbol: usize,
    exch: Nanos,
    what: What,
    /// Most places seen in its prices and quantities, when they had to be searched.
    learned: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// An `aggTrade`.
    Aggregate,
    /// A `trade`.
    Single,
    Print,
    Book {
        prev: u64,
        update: u64,
    },
    /// A `bookTicker`.
    Touch,
    /// A `markPriceUpdate`.
    Values,
    /// A margin table.
    Tiers,
}

/// The decoder's state.
#[derive(Debug)]
struct Binance {
    isa: Isa,
    lines: Vec<Line>,
    symbols: Index,
    ledger: Ledger,
    depth: Depth,
    trails: Vec<Trail>,
    reader: Reader,
    /// Room for an answer that is read in place.
    answer: FrameBuffer,
}

/// A decoder for these assets.
fn decoder(row: &'static Venue, assets: &[String]) -> Result<Box<dyn Dialect>, VenueError> {
    let (lines, symbols) = line::lines(row, assets, |_, _, _| Some(Own::default()))?;
    Ok(Box::new(Binance {
        isa: Isa::detect(),
        ledger: Ledger::new(lines.len(), EVENTS_MAX),
        depth: Depth::new(lines.len()),
        trails: vec![Trail::default(); lines.len()],
        lines,
        symbols,
        reader: Reader::new(TOLERANT_ROOM),
        answer: FrameBuffer::with_capacity(TOLERANT_ROOM),
    }))
}

impl Dialect for Binance {
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
        };
        let scratch = &mut self.ledger.scratch;
        let parsed = self.reader.read(frame, |v| tolerant.frame(v, scratch))?;
        match parsed {
            Some(parsed) => self.settle(leg, recv, parsed, Road::Tolerant),
            None => Ok(Said::IGNORED),
        }
    }

    fn rest(&mut self, recv: Nanos, request: &str, body: &[u8]) -> Result<Said, Fault> {
        let path = request.split('?').next().unwrap_or(request);
        if path == rest::IMAGE {
            return self.image(recv, request, body);
        }
        if path == rest::INTERVALS {
            let frame = self.answer.put(body);
            let (lines, scratch) = (&mut self.lines, &mut self.ledger.scratch);
            self.reader
                .read(frame, |v| rest::intervals(v, lines, scratch))?;
            return Ok(Said::IGNORED);
        }
        let frame = self.answer.put(body);
        let (lines, scratch) = (&mut self.lines, &mut self.ledger.scratch);
        self.reader.read(frame, |v| {
            rest::decode(recv, request, v, lines, &self.symbols, scratch)
        })?;
        self.ledger.close(Road::Tolerant)
    }

    fn leg_down(&mut self, leg: usize) {
        if self.ledger.up() & !(1 << (leg & 1)) == 0 {
            self.depth.forget();
            self.trails.fill(Trail::default());
        }
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
            out.extend_from_slice(&line.own.interval.get().to_le_bytes());
            out.extend_from_slice(&line.own.leverage_e2.to_le_bytes());
        }
        out.extend_from_slice(bytemuck::cast_slice(&self.trails));
        self.depth.remember(out);
    }

    fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        for line in &mut self.lines {
            line.recall(from)?;
            line.own.interval = Nanos::new(i64::from_le_bytes(*take::<8>(from)?));
            line.own.leverage_e2 = u32::from_le_bytes(*take::<4>(from)?);
        }
        for trail in &mut self.trails {
            *trail = bytemuck::pod_read_unaligned(take::<{ size_of::<Trail>() }>(from)?);
        }
        self.depth.recall(from)
    }
}

impl Binance {
    /// Takes a good frame in: learns, checks the numbering, closes the events.
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
            venue: VenueId::BINANCE,
            symbol: SymbolId(parsed.symbol as u16),
            bits: 0,
        };
        let said = match parsed.what {
            What::Book { prev, update } => self.book(leg, head, prev, update, road),
            What::Aggregate => self.aggregate(leg, head, road),
            What::Single => self.single(parsed.symbol, road),
            What::Print => self.ledger.prints(road),
            What::Touch => self.touch(leg, head, road),
            What::Values | What::Tiers => self.ledger.values(leg, road),
        }?;
        if let Some(learned) = parsed.learned
            && let Some(line) = self.lines.get_mut(parsed.symbol)
        {
            line.learn(learned, parsed.what == What::Touch);
        }
        Ok(said)
    }

    /// Takes a book's update in, whose levels are in the scratch.
    #[inline]
    fn book(
        &mut self,
        leg: usize,
        head: Head,
        prev: u64,
        update: u64,
        road: Road,
    ) -> Result<Said, Fault> {
        let symbol = usize::from(head.symbol.0);
        let last = self.ledger.chain(symbol).and_then(|chain| chain.last());
        if !self.ledger.scratch.over && (last.is_none() || self.depth.wants(symbol)) {
            let events = self.ledger.scratch.events();
            self.depth.keep(head, prev, update, last.is_none(), events);
        }
        let link = Link {
            image: false,
            // Sizes are absolute: an update that begins before the last one ended says all that is
            // new behind it. So begins the first behind an image, and another leg's.
            prev: match last {
                Some(last) if prev < last && last < update => last,
                _ => prev,
            },
            update,
        };
        let said = self.ledger.book(leg, head, link, road)?;
        if said.gap {
            self.depth.broke(symbol, head.recv, update);
        } else if last.is_none()
            && let Some((at, exch)) = self.depth.held(symbol)
        {
            return self.join(Head { exch, ..head }, at, road);
        }
        Ok(said)
    }

    /// Takes the touch in; asks for a new image before the price leaves what the last one knew.
    #[inline]
    fn touch(&mut self, leg: usize, head: Head, road: Road) -> Result<Said, Fault> {
        let symbol = usize::from(head.symbol.0);
        let touch = self.ledger.scratch.events().first().map(Event::body);
        let mut said = self.ledger.values(leg, road)?;
        // It speaks neither for the book's chain nor for the mark, which may be dead while it goes on.
        self.ledger.heard = None;
        if let Some(Body::Bbo(bbo)) = touch
            && self.depth.is_near(symbol, &bbo)
            && let Some(last) = self.ledger.chain(symbol).and_then(|chain| chain.last())
            && self.depth.due(symbol, head.recv)
        {
            self.depth.ask(symbol, head.recv, last);
            said.resync = Some(head.symbol);
        }
        Ok(said)
    }

    /// Takes an aggregate trade in; a hole before it is told first.
    #[inline]
    fn aggregate(&mut self, leg: usize, head: Head, road: Road) -> Result<Said, Fault> {
        let symbol = usize::from(head.symbol.0);
        let trade = self.ledger.scratch.events().first().map(Event::body);
        let up = self.ledger.up();
        let mut gap = None;
        if let (Some(Body::Trade(trade)), Some(trail)) = (trade, self.trails.get_mut(symbol)) {
            gap = trail.follow(leg, up, trade.id).map(|expected| Gap {
                stream: Stream::Trades,
                expected,
                got: trade.id,
            });
        }
        if let Some(gap) = gap {
            self.ledger.scratch.push(Event::new(head, Body::Gap(gap)));
            self.ledger.scratch.events_mut().reverse();
        }
        let mut said = self.ledger.trades(road)?;
        said.gap = gap.is_some();
        Ok(said)
    }

    /// Takes a single fill in; where aggregates are heard it is part of one of them.
    fn single(&mut self, symbol: usize, road: Road) -> Result<Said, Fault> {
        if self.trails.get(symbol).is_none_or(Trail::is_heard) {
            self.ledger.scratch.clear();
            return Ok(Said::IGNORED);
        }
        self.ledger.trades(road)
    }

    /// Takes a book's image in and joins it with the updates behind it.
    fn image(&mut self, recv: Nanos, request: &str, body: &[u8]) -> Result<Said, Fault> {
        let frame = self.answer.put(body);
        let Some((symbol, line)) = rest::asked(request, &self.lines) else {
            return Ok(Said::IGNORED);
        };
        let (depth, scratch) = (&mut self.depth, &mut self.ledger.scratch);
        let (update, exch) = self
            .reader
            .read(frame, |v| rest::levels(v, line, depth, scratch))?;
        let last = self.ledger.chain(symbol).and_then(|chain| chain.last());
        // While no connection is up it says nothing of the one that will be; one that nobody waits
        // for and that is behind says nothing new.
        let unasked = !self.depth.wants(symbol) && last.is_some_and(|last| update < last);
        if unasked || self.ledger.up() == 0 {
            return Ok(Said::IGNORED);
        }
        if last.is_none() && self.depth.hold(symbol, update, exch) {
            return Ok(Said::IGNORED);
        }
        let head = Head {
            recv,
            exch,
            venue: VenueId::BINANCE,
            symbol: SymbolId(symbol as u16),
            bits: 0,
        };
        self.join(head, update, Road::Tolerant)
    }

    /// Joins the image that was read with the updates behind it; asks for another when it is too
    /// old.
    fn join(&mut self, head: Head, at: u64, road: Road) -> Result<Said, Fault> {
        let symbol = usize::from(head.symbol.0);
        match self.depth.join(head, at, &mut self.ledger.scratch) {
            depth::Joined::Empty => Ok(Said::IGNORED),
            depth::Joined::Old => {
                self.depth.ask(symbol, head.recv, 0);
                Ok(Said {
                    resync: Some(head.symbol),
                    ..Said::IGNORED
                })
            }
            depth::Joined::At(newest) => {
                self.ledger.begin(head.symbol, newest);
                self.ledger.close(road)
            }
        }
    }
}
