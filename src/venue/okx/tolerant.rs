//! The tolerant road: any field order, unknown fields, numbers as strings or numbers, and the forms of before 2023.

use super::super::Refusal;
use super::super::index::Index;
use super::super::ledger::Scratch;
use super::fast::touch;
use super::{Field, Line, Link, NAMES, Parsed, Patch, STALE, VALUES, What, image_bits};
use crate::event::{Body, Event, Head, Level, Liquidation, Stream, Trade};
use crate::health::{Fault, FaultKind};
use crate::market::{Holder, Side, SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::decimal::{Decimal, fix};
use crate::wire::json::{self, Value};
use simd_json::prelude::*;

/// What it needs to know; it changes nothing but the scratch.
pub(super) struct Tolerant<'a> {
    pub(super) recv: Nanos,
    pub(super) lines: &'a [Line],
    pub(super) symbols: &'a Index,
    pub(super) indices: &'a Index,
    pub(super) fields: &'a Index,
}

/// Channels of the venue that we do not ask for, by their beginnings.
const OTHERS: [&str; 12] = [
    "tickers",
    "books",
    "trades-all",
    "candle",
    "mark-price-candle",
    "index-candle",
    "price-limit",
    "instruments",
    "adl-warning",
    "estimated-price",
    "status",
    "block-",
];

fn fault(kind: FaultKind) -> Fault {
    Fault::new(0, kind)
}

fn required(value: Option<Value<'_, '_>>) -> Result<Decimal, Fault> {
    json::decimal(value)?.ok_or_else(json::missing)
}

/// A time in milliseconds: thirteen digits, as long as their clock is right.
fn millis(value: Option<Value<'_, '_>>) -> Result<Nanos, Fault> {
    let ms = fix(required(value)?, 0).map_err(fault)?;
    if (1_000_000_000_000..10_000_000_000_000).contains(&ms) {
        Ok(Nanos::millis(ms))
    } else {
        Err(fault(FaultKind::OutOfRange))
    }
}

fn number(decimal: Decimal) -> Result<u64, Fault> {
    let n = fix(decimal, 0).map_err(fault)?;
    u64::try_from(n).map_err(|_| fault(FaultKind::OutOfRange))
}

fn side(row: Value<'_, '_>) -> Result<Side, Fault> {
    match json::text(row, "side")? {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        _ => Err(fault(FaultKind::BadSide)),
    }
}

/// Most places seen so far.
#[derive(Default)]
struct Seen(u32, u32);

impl Seen {
    fn price(&mut self, value: Option<Value<'_, '_>>, line: &Line) -> Result<Px, Fault> {
        let decimal = required(value)?;
        self.0 = self.0.max(decimal.places);
        let px = fix(decimal, line.px_target).map_err(fault)?;
        if px <= 0 {
            return Err(fault(FaultKind::OutOfRange));
        }
        Ok(Px::new(px))
    }
    fn qty(&mut self, value: Option<Value<'_, '_>>, line: &Line) -> Result<Qty, Fault> {
        let decimal = required(value)?;
        self.1 = self.1.max(decimal.places);
        let qty = fix(decimal, line.qty_target).map_err(fault)?;
        if qty < 0 {
            return Err(fault(FaultKind::OutOfRange));
        }
        Ok(Qty::new(qty))
    }
}

impl Tolerant<'_> {
    /// Reads a frame; `None` when it is nothing for us.
    pub(super) fn frame(
        &self,
        frame: Value<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<Option<Parsed>, Fault> {
        if frame.as_object().is_none() {
            return Err(fault(FaultKind::BadFrame));
        }
        if let Some(event) = frame.get("event") {
            return answered(event, frame, scratch);
        }
        let unknown = || fault(FaultKind::UnknownTopic);
        let arg = frame.get("arg").ok_or_else(unknown)?;
        let channel = arg.get("channel").and_then(|v| v.into_string());
        // A name that is no text may be that of any stream: what the frame held is lost.
        let channel = channel.ok_or_else(json::missing)?;
        if channel == "liquidation-orders" {
            return self.liquidations(frame, scratch);
        }
        let values = VALUES.iter().find(|(name, _)| *name == channel);
        let stream = match channel {
            "books" | "bbo-tbt" => Stream::Book,
            "trades" => Stream::Trades,
            _ if values.is_some() => Stream::Ticker,
            _ if OTHERS.iter().any(|other| channel.starts_with(other)) => return Ok(None),
            _ => return Err(unknown()),
        };
        let name = arg.get("instId").and_then(|v| v.into_string());
        let name = name.ok_or(fault(FaultKind::UnknownSymbol))?;
        let names = if channel == VALUES[1].0 {
            self.indices
        } else {
            self.symbols
        };
        let Some(symbol) = names.get(name.as_bytes()) else {
            return Ok(None);
        };
        let Some(line) = self.lines.get(symbol) else {
            return Ok(None);
        };
        let sizes = stream != Stream::Ticker || channel == VALUES[2].0;
        if sizes && !line.own.ready {
            return Ok(None);
        }
        let one = Symbol {
            recv: self.recv,
            symbol,
            line,
            name,
        };
        // From here on a fault costs this stream of this symbol and no other.
        scratch.about = Some((stream, SymbolId(symbol as u16)));
        match (channel, values) {
            (_, Some((_, wanted))) => one.values(frame, self.fields, *wanted),
            ("trades", _) => one.trades(frame, scratch),
            ("bbo-tbt", _) => one.bbo(frame, scratch),
            _ => one.book(frame, scratch),
        }
        .map(Some)
    }

    /// One topic for every swap: rows of others are left out.
    fn liquidations(
        &self,
        frame: Value<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<Option<Parsed>, Fault> {
        let mut seen = Seen::default();
        let (mut about, mut stale) = (None, 0);
        for row in json::list(frame, "data")? {
            let name = json::text(row, "instId")?;
            let Some(symbol) = self.symbols.get(name.as_bytes()) else {
                continue;
            };
            let Some(line) = self.lines.get(symbol).filter(|line| line.own.ready) else {
                continue;
            };
            // A fault is told of its symbol while it is the only one of ours in the frame.
            let first = *about.get_or_insert(symbol);
            scratch.about =
                (first == symbol).then_some((Stream::Liquidations, SymbolId(symbol as u16)));
            for detail in json::list(row, "details")? {
                let exch = millis(detail.get("ts"))?;
                let print = Liquidation {
                    price: seen.price(detail.get("bkPx"), line)?,
                    qty: seen.qty(detail.get("sz"), line)?,
                    holder: holder(detail)?,
                };
                if self.recv.since(exch) > STALE {
                    stale += 1;
                    continue;
                }
                let head = Head {
                    recv: self.recv,
                    exch,
                    venue: VenueId::OKX,
                    symbol: SymbolId(symbol as u16),
                    bits: 0,
                };
                scratch.push(Event::new(head, Body::Liquidation(print)));
            }
        }
        // Places are learned from a symbol's own channels.
        Ok(about.map(|symbol| Parsed {
            symbol,
            exch: Nanos::ZERO,
            what: What::Liquidations { stale },
            seen: (0, 0),
        }))
    }
}

/// Whose position died: told, or in net mode by the side of the order that closed it.
fn holder(row: Value<'_, '_>) -> Result<Holder, Fault> {
    let told = row.get("posSide").and_then(|v| v.into_string());
    match told.unwrap_or_default() {
        "long" => Ok(Holder::Long),
        "short" => Ok(Holder::Short),
        "net" | "" => Ok(match side(row)? {
            Side::Sell => Holder::Long,
            Side::Buy => Holder::Short,
        }),
        _ => Err(fault(FaultKind::BadSide)),
    }
}

/// Code of the notice that the service is upgraded and this connection closed within a minute.
const CLOSES: &str = "64008";

/// A frame of an event: an answer to what we sent, or a notice.
fn answered(
    event: Value<'_, '_>,
    frame: Value<'_, '_>,
    scratch: &mut Scratch,
) -> Result<Option<Parsed>, Fault> {
    match event.into_string().unwrap_or_default() {
        "subscribe" | "unsubscribe" | "channel-conn-count" => Ok(None),
        "error" | "notice" | "channel-conn-count-error" => {
            let said = frame.get("msg").and_then(|v| v.into_string());
            scratch.refusal = Refusal::new(said.unwrap_or("no reason given"));
            let code = frame.get("code").and_then(|v| v.into_string());
            scratch.refusal.closes = code == Some(CLOSES);
            Err(fault(FaultKind::Refused))
        }
        _ => Err(fault(FaultKind::UnknownTopic)),
    }
}

/// One symbol's frame.
struct Symbol<'a> {
    recv: Nanos,
    symbol: usize,
    line: &'a Line,
    /// Its name in the argument: the swap's or its index's.
    name: &'a str,
}

impl Symbol<'_> {
    fn head(&self, exch: Nanos, bits: u8) -> Head {
        Head {
            recv: self.recv,
            exch,
            venue: VenueId::OKX,
            symbol: SymbolId(self.symbol as u16),
            bits,
        }
    }

    fn parsed(&self, exch: Nanos, what: What, seen: &Seen) -> Parsed {
        Parsed {
            symbol: self.symbol,
            exch,
            what,
            seen: (seen.0, seen.1),
        }
    }

    /// A row may repeat the name; another one is a fault.
    fn same(&self, row: Value<'_, '_>) -> Result<(), Fault> {
        match row.get("instId") {
            None => Ok(()),
            Some(name) if name.as_str() == Some(self.name) => Ok(()),
            Some(_) => Err(fault(FaultKind::UnknownSymbol)),
        }
    }

    /// The only row of the data.
    fn row<'t, 'f>(&self, frame: Value<'t, 'f>) -> Result<Value<'t, 'f>, Fault> {
        let mut rows = json::list(frame, "data")?;
        let row = rows.next().ok_or_else(json::missing)?;
        if rows.next().is_some() {
            return Err(fault(FaultKind::BadFrame));
        }
        self.same(row)?;
        Ok(row)
    }

    fn trades(&self, frame: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let mut seen = Seen::default();
        let mut last = Nanos::ZERO;
        for row in json::list(frame, "data")? {
            self.same(row)?;
            last = millis(row.get("ts"))?;
            let trade = Trade {
                price: seen.price(row.get("px"), self.line)?,
                qty: seen.qty(row.get("sz"), self.line)?,
                side: side(row)?,
                id: number(required(row.get("tradeId"))?)?,
                accounts: [0; 2],
            };
            scratch.push(Event::new(self.head(last, 0), Body::Trade(trade)));
        }
        Ok(self.parsed(last, What::Trades, &seen))
    }

    fn book(&self, frame: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let image = match json::text(frame, "action")? {
            "snapshot" => true,
            "update" => false,
            _ => return Err(fault(FaultKind::BadFrame)),
        };
        let book = self.row(frame)?;
        let exch = millis(book.get("ts"))?;
        let what = link(book, image)?;
        let update = match what {
            What::Book(link) => link.update,
            _ => 0,
        };
        let head = self.head(exch, image_bits(image));
        let mut seen = Seen::default();
        for (name, side) in [("asks", Side::Sell), ("bids", Side::Buy)] {
            for row in json::list(book, name)? {
                let mut fields = json::items(row)?;
                let level = Level {
                    price: seen.price(fields.next(), self.line)?,
                    qty: seen.qty(fields.next(), self.line)?,
                    side,
                    update,
                };
                scratch.push(Event::new(head, Body::Level(level)));
            }
        }
        Ok(self.parsed(exch, what, &seen))
    }

    fn bbo(&self, frame: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let row = self.row(frame)?;
        let exch = millis(row.get("ts"))?;
        let mut seen = Seen::default();
        let mut best = [None; 2];
        for (name, best) in ["asks", "bids"].into_iter().zip(&mut best) {
            for level in json::list(row, name)? {
                let mut fields = json::items(level)?;
                let price = seen.price(fields.next(), self.line)?;
                let qty = seen.qty(fields.next(), self.line)?;
                best.get_or_insert((price, qty));
            }
        }
        scratch.push(Event::new(self.head(exch, 0), touch(best)));
        Ok(self.parsed(exch, What::Bbo, &seen))
    }

    fn values(&self, frame: Value<'_, '_>, fields: &Index, wanted: u32) -> Result<Parsed, Fault> {
        let row = self.row(frame)?;
        // The oldest funding rows had no time.
        let exch = match row.get("ts") {
            None => Nanos::ZERO,
            told => millis(told)?,
        };
        let object = row.as_object().ok_or_else(json::missing)?;
        let mut patch = Patch::default();
        let mut seen = Seen::default();
        for (name, value) in object.iter() {
            let field = fields.get(name.as_bytes());
            let Some(field) = field.filter(|field| wanted & 1 << field != 0) else {
                continue;
            };
            if NAMES.get(field) != Some(&name) {
                continue;
            }
            let Some(decimal) = json::decimal(Some(value))? else {
                continue;
            };
            patch.set(field, self.line.fixed(field, decimal).map_err(fault)?);
            if field <= Field::Index as usize {
                seen.0 = seen.0.max(decimal.places);
            }
        }
        Ok(self.parsed(exch, What::Values(patch), &seen))
    }
}

/// How a book is linked to the one before. Without ids it must have the checksum of their time, else its ids are
/// missing.
fn link(book: Value<'_, '_>, image: bool) -> Result<What, Fault> {
    let told = json::decimal(book.get("seqId"))?;
    let Some(update) = told else {
        let checksum = json::decimal(book.get("checksum"))?;
        if checksum.is_some_and(|sum| sum.mantissa != 0) {
            return Ok(What::Unnumbered { image });
        }
        return Err(json::missing());
    };
    // An image follows nothing: -1, or not said.
    let prev = if image {
        0
    } else {
        number(required(book.get("prevSeqId"))?)?
    };
    Ok(What::Book(Link {
        image,
        prev,
        update: number(update)?,
    }))
}
