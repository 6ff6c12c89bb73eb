//! Hyperliquid perpetuals: `l2Book`, `bbo`, `trades`, `activeAssetCtx`.
//!
//! What things mean there:
//! - `l2Book`: always a whole image, 20 levels a side, bids first; no numbers. `time` is the block's and only grows,
//!   so an image that is not newer than the last one taken in is left out: another leg's, or a repetition. One that is
//!   more than [`RESTARTED`] older means that the chain's clock began anew.
//! - `trades`: one message a block. `side` is the aggressor's: `A` sold, `B` bought. `users` are buyer and seller: an
//!   address gets a short id when it is first met, told by an `Account` before the trade. `tid` alone is not unique:
//!   the id here is of `time` and `tid`. The first message of a coin after subscribing is history: of it, what is
//!   older than [`OLD`] is no new flow.
//! - `activeAssetCtx`: `funding` is the rate of one hour, `openInterest` coins of one side, `oraclePx` the index. It
//!   has no time of its own. `bbo`: a missing side is `null`.
//! - Forced closures are published for nobody: there is no stream of liquidations.
//! - `kPEPE` is a thousand PEPE. `xyz:SP500` and `[-]` are other people's symbols. Quantities are coins.
//!
//! Numbers are strings with a dot and no zeros at the end, so dots are always searched. The client sends
//! `{"method":"ping"}`; without anything to say the server closes after a minute. Subscriptions are sent one by one, no
//! faster than one in 700 ms; one that exists already is refused without harm.

mod accounts;
mod fast;
mod rest;
mod tolerant;

use super::chain::Link;
use super::index::Index;
use super::ledger::{Ledger, take};
use super::line::{self, Line as AnyLine};
use super::{Checked, Dialect, RestBudget, Road, Root, Said, Venue, VenueError};
use crate::event::{Body, Event, Funding, Head, SNAPSHOT, Stream, Trade};
use crate::health::{Fault, FaultKind};
use crate::market::{SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::Frame;
use crate::wire::decimal::{Decimal, fix, fix_near};
use crate::wire::json::Reader;
use crate::wire::scan::Isa;
use accounts::{Accounts, Address};

/// Hyperliquid's row.
pub const VENUE: Venue = Venue {
    id: VenueId::HYPERLIQUID,
    name: "hyperliquid",
    ws_host: "api.hyperliquid.xyz",
    roots: &[Root {
        path: "/ws",
        streams: &[Stream::Book, Stream::Trades, Stream::Ticker],
    }],
    rest_host: "api.hyperliquid.xyz",
    asks: &rest::ASKS,
    rest_budget: RestBudget {
        weight: 1_200,
        per: Nanos::MINUTE,
        used_header: "",
    },
    connects: 30,
    ping: "{\"method\":\"ping\"}",
    ping_every: Nanos::seconds(30),
    lifetime: Nanos::ZERO,
    pace: Nanos::new(700_000_000),
    silence: &[
        (Stream::Book, Nanos::seconds(30)),
        (Stream::Ticker, Nanos::seconds(30)),
    ],
    image: None,
    primers: &[],
    name_max: Index::KEY,
    quote: "",
    streams: &[
        (Stream::Book, "\"l2Book\""),
        (Stream::Trades, "\"trades\""),
        (Stream::Ticker, "\"activeAssetCtx\""),
    ],
    bases: &[
        ("PEPE", "kPEPE"),
        ("SHIB", "kSHIB"),
        ("BONK", "kBONK"),
        ("FLOKI", "kFLOKI"),
        ("LUNC", "kLUNC"),
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
    ],
    decoder,
};

/// What of a coin's first message is older than this is history.
const OLD: Nanos = Nanos::seconds(60);
/// An image that is this much older, in milliseconds, than the last: block time only grows, so it began anew.
const RESTARTED: u64 = 10_000;
/// The funding interval.
const INTERVAL: Nanos = Nanos::HOUR;

/// A topic is the subscription as the venue repeats it.
fn topics(instrument: &str, stream: Stream) -> Vec<String> {
    let of = |kind: &str| format!(r#"{{"type":"{kind}","coin":"{instrument}"}}"#);
    match stream {
        Stream::Book => vec![of("l2Book")],
        Stream::Trades => vec![of("trades")],
        Stream::Ticker => vec![of("activeAssetCtx"), of("bbo")],
        Stream::Liquidations | Stream::All => Vec::new(),
    }
}

/// The coin of a subscription, alone or within its message.
fn instrument_of(topic: &str) -> Option<String> {
    let topic: serde_json::Value = serde_json::from_str(topic).ok()?;
    let inner = topic.get("subscription").unwrap_or(&topic);
    Some(inner.get("coin")?.as_str()?.to_owned())
}

fn text(method: &str, topic: &str) -> String {
    format!(r#"{{"method":"{method}","subscription":{topic}}}"#)
}

fn subscribe(topics: &[String]) -> Vec<String> {
    let text = |topic: &String| text("subscribe", topic);
    topics.iter().map(text).collect()
}

/// Subscribing to what is subscribed is refused, so the old one is given up first.
fn resubscribe(topics: &[String]) -> Vec<String> {
    let texts = |topic: &String| [text("unsubscribe", topic), text("subscribe", topic)];
    topics.iter().flat_map(texts).collect()
}

/// Most events of one frame: two thousand trades of two owners each that were never met, or 5,000 bars.
const EVENTS_MAX: usize = 6144;
/// Most trades of one frame.
const TRADES_MAX: usize = EVENTS_MAX / 3;
/// Frames up to this size are read by the tolerant road without allocation.
const TOLERANT_ROOM: usize = 128 << 10;

/// Fields of a context that we keep; the number is the place in a [`Patch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
enum Field {
    Mark,
    Oracle,
    Interest,
    Funding,
}

const FIELDS: usize = 4;

/// Their names, in number order.
const NAMES: [&str; FIELDS] = ["markPx", "oraclePx", "openInterest", "funding"];

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
    /// Whether the values can be what their names say.
    fn check(&self) -> Result<(), Fault> {
        let least = |field, least| self.get(field).is_none_or(|value| value >= least);
        if least(Field::Mark, 1) && least(Field::Oracle, 1) && least(Field::Interest, 0) {
            Ok(())
        } else {
            Err(Fault::new(0, FaultKind::OutOfRange))
        }
    }
    /// What it says, in order.
    fn bodies(&self) -> impl Iterator<Item = Body> + use<> {
        let funding = |rate_e12| {
            Body::Funding(Funding {
                rate_e12,
                next: Nanos::ZERO,
                interval: INTERVAL,
            })
        };
        let all = [
            self.get(Field::Mark).map(|px| Body::Mark(Px::new(px))),
            self.get(Field::Oracle).map(|px| Body::Index(Px::new(px))),
            self.get(Field::Interest)
                .map(|qty| Body::Interest(Qty::new(qty))),
            self.get(Field::Funding).map(funding),
        ];
        all.into_iter().flatten()
    }
}

/// Nothing of a symbol is only Hyperliquid's.
#[derive(Debug)]
pub(super) struct Own;

type Line = AnyLine<Own>;

impl Line {
    /// A field's value as it leaves; sums and rates are printed finer than they mean.
    #[inline(always)]
    fn fixed(&self, field: usize, decimal: Decimal) -> Result<i64, FaultKind> {
        match field {
            0 | 1 => fix(decimal, self.px_target),
            2 => fix_near(decimal, self.qty_target),
            _ => fix_near(decimal, 12),
        }
    }
}

/// What a frame was, as both roads tell it; its events (other than a context's) are in the scratch.
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
    /// Their owners stand beside the scratch.
    Trades,
    Book {
        time: u64,
    },
    Bbo,
    Context(Patch),
}

/// The decoder's state.
#[derive(Debug)]
pub(super) struct Hyperliquid {
    isa: Isa,
    lines: Vec<Line>,
    symbols: Index,
    fields: Index,
    ledger: Ledger,
    reader: Reader,
    accounts: Accounts,
    /// Buyer and seller of each trade in the scratch.
    owners: Vec<[Address; 2]>,
    /// True once a leg has brought trades of the symbol.
    met: [Vec<bool>; 2],
}

/// A decoder for these assets.
fn decoder(row: &'static Venue, assets: &[String]) -> Result<Box<dyn Dialect>, VenueError> {
    let (lines, symbols) = line::lines(row, assets, |_, _, _| Some(Own))?;
    let mut fields = Index::new(FIELDS);
    for (field, name) in NAMES.iter().enumerate() {
        fields.put(name.as_bytes(), field);
    }
    Ok(Box::new(Hyperliquid {
        isa: Isa::detect(),
        ledger: Ledger::new(lines.len(), EVENTS_MAX),
        accounts: Accounts::new(),
        owners: Vec::with_capacity(TRADES_MAX),
        met: [(); 2].map(|()| vec![false; lines.len()]),
        lines,
        symbols,
        fields,
        reader: Reader::new(TOLERANT_ROOM),
    }))
}

impl Dialect for Hyperliquid {
    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    #[inline]
    fn decode(&mut self, leg: usize, recv: Nanos, frame: Frame<'_>) -> Result<Said, Fault> {
        self.ledger.scratch.clear();
        self.owners.clear();
        let parsed = self.isa.run(fast::Fast {
            recv,
            frame: &frame,
            lines: &self.lines,
            symbols: &self.symbols,
            fields: &self.fields,
            scratch: &mut self.ledger.scratch,
            owners: &mut self.owners,
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
        self.owners.clear();
        let tolerant = tolerant::Tolerant {
            recv,
            lines: &self.lines,
            symbols: &self.symbols,
            fields: &self.fields,
        };
        let (scratch, owners) = (&mut self.ledger.scratch, &mut self.owners);
        let parsed = self
            .reader
            .read(frame, |v| tolerant.frame(v, scratch, owners))?;
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
        self.met[leg & 1].fill(false);
    }

    fn places(&self, symbol: usize) -> (u8, u8) {
        self.lines.get(symbol).map_or((0, 0), Line::shown)
    }

    fn address(&self, account: u32) -> Option<Address> {
        self.accounts.address(account)
    }

    fn use_plain(&mut self) {
        self.isa = Isa::plain();
    }

    fn remember(&self, out: &mut Vec<u8>) {
        for line in &self.lines {
            line.remember(out);
        }
        out.extend(self.met.iter().flatten().map(|met| u8::from(*met)));
        self.accounts.remember(out);
    }

    fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        for line in &mut self.lines {
            line.recall(from)?;
        }
        for met in self.met.iter_mut().flatten() {
            *met = take::<1>(from)?[0] != 0;
        }
        self.accounts.recall(from)
    }
}

impl Hyperliquid {
    /// Takes a good frame in: learns, leaves out what is old, closes the events.
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
            venue: VenueId::HYPERLIQUID,
            symbol: SymbolId(parsed.symbol as u16),
            bits: 0,
        };
        let said = match parsed.what {
            What::Trades => self.trades(leg, head, road),
            What::Book { time } => self.image(leg, head, time, road),
            What::Bbo => {
                let said = self.ledger.values(leg, road);
                // It does not speak for the context, which may be dead while it goes on.
                self.ledger.heard = None;
                said
            }
            What::Context(patch) => {
                patch.check()?;
                for body in patch.bodies() {
                    self.ledger.scratch.push(Event::new(head, body));
                }
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

    /// Closes an image that is newer than the last.
    fn image(&mut self, leg: usize, head: Head, time: u64, road: Road) -> Result<Said, Fault> {
        let mut chain = self.ledger.chain(usize::from(head.symbol.0));
        let last = chain.as_ref().and_then(|chain| chain.last());
        if last.is_some_and(|last| time <= last && last - time < RESTARTED) {
            if let Some(chain) = &mut chain {
                chain.hear(leg);
            }
            self.ledger.duplicates += 1;
            self.ledger.heard = Some((Stream::Book, head.symbol));
            self.ledger.scratch.clear();
            return Ok(Said::IGNORED);
        }
        let link = Link {
            image: true,
            prev: 0,
            update: time,
        };
        self.ledger.book(leg, head, link, road)
    }

    /// Closes trades: history left out, owners by their short ids.
    fn trades(&mut self, leg: usize, head: Head, road: Road) -> Result<Said, Fault> {
        let scratch = &mut self.ledger.scratch;
        if scratch.over || scratch.used > TRADES_MAX {
            return Err(Fault::new(0, FaultKind::TooLong));
        }
        let met = self.met[leg & 1].get_mut(usize::from(head.symbol.0));
        let first = met.is_some_and(|met| !core::mem::replace(met, true));
        let (rows, mut kept, mut met) = (scratch.used, 0, 0);
        for at in 0..rows {
            let Some(&event) = scratch.events().get(at) else {
                break;
            };
            let (Body::Trade(trade), Some(owners)) = (event.body(), self.owners.get(at)) else {
                continue;
            };
            if first && head.recv.since(event.exch) > OLD {
                self.ledger.duplicates += 1;
                continue;
            }
            let accounts = owners.map(|owner| {
                let (id, is_new) = self.accounts.id(&owner);
                if is_new {
                    // Behind the rows until all of them are done.
                    scratch.push(Event::new(head, account(id, owner)));
                    met += 1;
                }
                id
            });
            let head = Head {
                exch: event.exch,
                ..head
            };
            let trade = Trade { accounts, ..trade };
            if let Some(room) = scratch.events_mut().get_mut(kept) {
                *room = Event::new(head, Body::Trade(trade));
                kept += 1;
            }
        }
        // Rows that were left out go, and who was met first stands before the trades.
        let events = scratch.events_mut();
        events.copy_within(rows..rows + met, kept);
        if let Some(all) = events.get_mut(..kept + met) {
            all.rotate_right(met);
        }
        scratch.used = kept + met;
        let said = self.ledger.trades(road);
        self.ledger.heard = Some((Stream::Trades, head.symbol));
        said
    }
}

fn account(id: u32, address: Address) -> Body {
    Body::Account(crate::event::Account { id, address })
}

/// Bits of a book level's events: every book is an image.
const IMAGE: u8 = SNAPSHOT;
