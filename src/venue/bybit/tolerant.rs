//! The tolerant road: any field order, unknown fields, numbers as strings or numbers.

use super::super::index::Index;
use super::super::ledger::Scratch;
use super::super::{Refusal, text_id};
use super::{FIELDS, Field, Line, NAMES, Parsed, Patch, What, image_bits};
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
    pub(super) fields: &'a Index,
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(0, kind)
}

/// Most places seen so far.
#[derive(Default)]
struct Seen(u32, u32);

impl Seen {
    fn price(&mut self, value: Option<Value<'_, '_>>, line: &Line) -> Result<Px, Fault> {
        let decimal = required(value)?;
        self.0 = self.0.max(decimal.places);
        let px = fixed(decimal, line.px_target)?;
        if px <= 0 {
            return Err(fault(FaultKind::OutOfRange));
        }
        Ok(Px::new(px))
    }
    fn qty(&mut self, value: Option<Value<'_, '_>>, line: &Line) -> Result<Qty, Fault> {
        let decimal = required(value)?;
        self.1 = self.1.max(decimal.places);
        let qty = fixed(decimal, line.qty_target)?;
        if qty < 0 {
            return Err(fault(FaultKind::OutOfRange));
        }
        Ok(Qty::new(qty))
    }
}

fn required(value: Option<Value<'_, '_>>) -> Result<Decimal, Fault> {
    json::decimal(value)?.ok_or_else(json::missing)
}

fn fixed(decimal: Decimal, target: u32) -> Result<i64, Fault> {
    fix(decimal, target).map_err(fault)
}

/// A time in milliseconds: thirteen digits, as long as their clock is right.
fn millis(value: Option<Value<'_, '_>>) -> Result<Nanos, Fault> {
    let ms = fixed(required(value)?, 0)?;
    if (1_000_000_000_000..10_000_000_000_000).contains(&ms) {
        Ok(Nanos::millis(ms))
    } else {
        Err(fault(FaultKind::OutOfRange))
    }
}

fn number(value: Option<Value<'_, '_>>) -> Result<u64, Fault> {
    let n = fixed(required(value)?, 0)?;
    u64::try_from(n).map_err(|_| fault(FaultKind::OutOfRange))
}

fn side(row: Value<'_, '_>) -> Result<Side, Fault> {
    match json::text(row, "S")? {
        "Buy" => Ok(Side::Buy),
        "Sell" => Ok(Side::Sell),
        _ => Err(fault(FaultKind::BadSide)),
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
        let Some(topic) = frame.get("topic") else {
            return acknowledged(frame, scratch);
        };
        // A name that is no text may be that of any stream: what the frame held is lost.
        let topic = topic.into_string().ok_or_else(json::missing)?;
        let (channel, name) = topic
            .rsplit_once('.')
            .ok_or(fault(FaultKind::UnknownTopic))?;
        let known = match channel.split_once('.').map_or(channel, |(c, _)| c) {
            "publicTrade" | "tickers" | "allLiquidation" => !channel.contains('.'),
            "orderbook" => channel[9..].strip_prefix('.').is_some_and(depth),
            "kline" | "insurance" | "adlAlert" | "priceLimit" => return Ok(None),
            _ => false,
        };
        if !known {
            return Err(fault(FaultKind::UnknownTopic));
        }
        let Some(symbol) = self.symbols.get(name.as_bytes()) else {
            return Ok(None);
        };
        let Some(line) = self.lines.get(symbol) else {
            return Ok(None);
        };
        let one = Symbol {
            recv: self.recv,
            symbol,
            line,
        };
        let stream = match channel {
            "publicTrade" => Stream::Trades,
            "allLiquidation" => Stream::Liquidations,
            "tickers" => Stream::Ticker,
            _ => Stream::Book,
        };
        // From here on a fault costs this stream of this symbol and no other.
        scratch.about = Some((stream, SymbolId(symbol as u16)));
        match stream {
            Stream::Trades => one.trades(frame, scratch),
            Stream::Liquidations => one.liquidations(frame, scratch),
            Stream::Ticker => one.ticker(frame, self.fields),
            Stream::Book | Stream::All => one.book(frame, scratch),
        }
        .map(Some)
    }
}

fn depth(text: &str) -> bool {
    (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// A frame without topic: an answer to what we sent.
fn acknowledged(frame: Value<'_, '_>, scratch: &mut Scratch) -> Result<Option<Parsed>, Fault> {
    match frame.get("success").and_then(|v| v.as_bool()) {
        Some(true) => Ok(None),
        Some(false) => {
            let said = frame.get("ret_msg").and_then(|v| v.into_string());
            scratch.refusal = Refusal::new(said.unwrap_or("no reason given"));
            Err(fault(FaultKind::Refused))
        }
        // Some gateways answer a ping with `{"op":"pong"}` alone.
        None if frame.get("op").and_then(|v| v.into_string()) == Some("pong") => Ok(None),
        None => Err(fault(FaultKind::UnknownTopic)),
    }
}

/// One symbol's frame.
struct Symbol<'a> {
    recv: Nanos,
    symbol: usize,
    line: &'a Line,
}

impl Symbol<'_> {
    fn head(&self, exch: Nanos, bits: u8) -> Head {
        Head {
            recv: self.recv,
            exch,
            venue: VenueId::BYBIT,
            symbol: SymbolId(self.symbol as u16),
            bits,
        }
    }

    fn parsed(&self, exch: Nanos, what: What, seen: &Seen) -> Parsed {
        Parsed {
            symbol: self.symbol,
            exch,
            what,
            learned: Some((seen.0, seen.1)),
        }
    }

    /// A row may repeat the symbol; another one is a fault.
    fn same(&self, row: Value<'_, '_>, field: &str) -> Result<(), Fault> {
        match row.get(field) {
            None => Ok(()),
            Some(name) if name.as_str() == Some(self.line.name.as_str()) => Ok(()),
            Some(_) => Err(fault(FaultKind::UnknownSymbol)),
        }
    }

    fn trades(&self, frame: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let exch = millis(frame.get("ts"))?;
        let mut seen = Seen::default();
        for row in json::list(frame, "data")? {
            self.same(row, "s")?;
            let trade = Trade {
                price: seen.price(row.get("p"), self.line)?,
                qty: seen.qty(row.get("v"), self.line)?,
                side: side(row)?,
                id: text_id(json::text(row, "i")?.as_bytes()),
                accounts: [0; 2],
            };
            let head = self.head(millis(row.get("T"))?, 0);
            scratch.push(Event::new(head, Body::Trade(trade)));
        }
        Ok(self.parsed(exch, What::Trades, &seen))
    }

    fn liquidations(&self, frame: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let exch = millis(frame.get("ts"))?;
        let mut seen = Seen::default();
        for row in json::list(frame, "data")? {
            self.same(row, "s")?;
            let liquidation = Liquidation {
                price: seen.price(row.get("p"), self.line)?,
                qty: seen.qty(row.get("v"), self.line)?,
                // The side of the position, not of the order.
                holder: match side(row)? {
                    Side::Buy => Holder::Long,
                    Side::Sell => Holder::Short,
                },
            };
            let head = self.head(millis(row.get("T"))?, 0);
            scratch.push(Event::new(head, Body::Liquidation(liquidation)));
        }
        Ok(self.parsed(exch, What::Liquidations, &seen))
    }

    fn book(&self, frame: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let sent = millis(frame.get("ts"))?;
        let exch = match frame.get("cts") {
            Some(cts) => millis(Some(cts))?,
            None => sent,
        };
        let book = json::field(frame, "data")?;
        self.same(book, "s")?;
        let update = number(book.get("u"))?;
        let image = match json::text(frame, "type")? {
            "snapshot" => true,
            "delta" => update == 1,
            _ => return Err(fault(FaultKind::BadFrame)),
        };
        let head = self.head(exch, image_bits(image));
        let mut seen = Seen::default();
        for (name, side) in [("b", Side::Buy), ("a", Side::Sell)] {
            for row in json::list(book, name)? {
                let mut pair = json::items(row)?;
                let level = Level {
                    price: seen.price(pair.next(), self.line)?,
                    qty: seen.qty(pair.next(), self.line)?,
                    side,
                    update,
                };
                if pair.next().is_some() {
                    return Err(fault(FaultKind::BadFrame));
                }
                scratch.push(Event::new(head, Body::Level(level)));
            }
        }
        Ok(self.parsed(exch, What::Book { image, update }, &seen))
    }

    fn ticker(&self, frame: Value<'_, '_>, fields: &Index) -> Result<Parsed, Fault> {
        let exch = millis(frame.get("ts"))?;
        let ticker = json::field(frame, "data")?;
        self.same(ticker, "symbol")?;
        let object = ticker.as_object().ok_or_else(json::missing)?;
        let mut patch = Patch::default();
        let mut seen = Seen::default();
        for (name, value) in object.iter() {
            let Some(field) = fields.get(name.as_bytes()) else {
                continue;
            };
            if field >= FIELDS || NAMES[field] != name {
                continue;
            }
            let Some(decimal) = json::decimal(Some(value))? else {
                continue;
            };
            patch.set(field, fixed(decimal, self.line.own.targets[field])?);
            if field == Field::Bid as usize || field == Field::Ask as usize {
                seen.0 = seen.0.max(decimal.places);
            }
            if field == Field::BidQty as usize || field == Field::AskQty as usize {
                seen.1 = seen.1.max(decimal.places);
            }
        }
        Ok(Parsed {
            symbol: self.symbol,
            exch,
            what: What::Ticker(patch),
            learned: Some((seen.0, seen.1)),
        })
    }
}
