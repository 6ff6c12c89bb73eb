//! The tolerant road: any field order, unknown fields, numbers as strings or numbers.

use super::super::Refusal;
use super::super::index::Index;
use super::super::ledger::Scratch;
use super::accounts::{Address, address};
use super::fast::{touch, trade_id};
use super::{Field, IMAGE, Line, NAMES, Parsed, Patch, TRADES_MAX, What};
use crate::event::{Body, Event, Head, Level, Stream, Trade};
use crate::health::{Fault, FaultKind};
use crate::market::{Side, SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::decimal::{Decimal, fix};
use crate::wire::json::{self, Value};
use simd_json::prelude::*;

/// What it needs to know; it changes nothing but the scratch and the owners.
pub(super) struct Tolerant<'a> {
    pub(super) recv: Nanos,
    pub(super) lines: &'a [Line],
    pub(super) symbols: &'a Index,
    pub(super) fields: &'a Index,
}

/// Channels that we do not ask for, and answers.
const OTHERS: [&str; 12] = [
    "subscriptionResponse",
    "pong",
    "post",
    "candle",
    "allMids",
    "notification",
    "activeSpotAssetCtx",
    "activeAssetData",
    "allDexsAssetCtxs",
    "fastAssetCtxs",
    "user",
    "web",
];

fn fault(kind: FaultKind) -> Fault {
    Fault::new(0, kind)
}

fn required(value: Option<Value<'_, '_>>) -> Result<Decimal, Fault> {
    json::decimal(value)?.ok_or_else(json::missing)
}

/// A time in milliseconds: thirteen digits, as long as their clock is right.
fn millis(value: Option<Value<'_, '_>>) -> Result<i64, Fault> {
    let ms = fix(required(value)?, 0).map_err(fault)?;
    if (1_000_000_000_000..10_000_000_000_000).contains(&ms) {
        Ok(ms)
    } else {
        Err(fault(FaultKind::OutOfRange))
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
        owners: &mut Vec<[Address; 2]>,
    ) -> Result<Option<Parsed>, Fault> {
        if frame.as_object().is_none() {
            return Err(fault(FaultKind::BadFrame));
        }
        let unknown = || fault(FaultKind::UnknownTopic);
        let channel = frame.get("channel").ok_or_else(unknown)?;
        // A name that is no text may be that of any stream: what the frame held is lost.
        let channel = channel.into_string().ok_or_else(json::missing)?;
        let stream = match channel {
            "l2Book" => Stream::Book,
            "trades" => Stream::Trades,
            "activeAssetCtx" | "bbo" => Stream::Ticker,
            "error" => return refused(frame, scratch),
            _ if OTHERS.iter().any(|other| channel.starts_with(other)) => return Ok(None),
            _ => return Err(unknown()),
        };
        let told = json::field(frame, "data")?;
        // Trades are a list, and each of them names its coin.
        let first = if stream == Stream::Trades {
            let Some(first) = json::items(told)?.next() else {
                return Ok(None);
            };
            first
        } else {
            told
        };
        let name = first.get("coin").and_then(|v| v.into_string());
        let name = name.ok_or(fault(FaultKind::UnknownSymbol))?;
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
        // From here on a fault costs this stream of this symbol and no other.
        scratch.about = Some((stream, SymbolId(symbol as u16)));
        match channel {
            "l2Book" => one.book(told, scratch),
            "trades" => one.trades(told, scratch, owners),
            "bbo" => one.bbo(told, scratch),
            _ => one.context(told, self.fields),
        }
        .map(Some)
    }
}

/// What was refused; to be subscribed already is no harm.
fn refused(frame: Value<'_, '_>, scratch: &mut Scratch) -> Result<Option<Parsed>, Fault> {
    let said = frame.get("data").and_then(|v| v.into_string());
    let said = said.unwrap_or("no reason given");
    if said.starts_with("Already ") {
        return Ok(None);
    }
    scratch.refusal = Refusal::new(said);
    Err(fault(FaultKind::Refused))
}

/// One symbol's frame.
struct Symbol<'a> {
    recv: Nanos,
    symbol: usize,
    line: &'a Line,
}

impl Symbol<'_> {
    fn head(&self, exch: i64, bits: u8) -> Head {
        Head {
            recv: self.recv,
            exch: Nanos::millis(exch),
            venue: VenueId::HYPERLIQUID,
            symbol: SymbolId(self.symbol as u16),
            bits,
        }
    }

    fn parsed(&self, exch: i64, what: What, seen: &Seen) -> Parsed {
        Parsed {
            symbol: self.symbol,
            exch: Nanos::millis(exch),
            what,
            seen: (seen.0, seen.1),
        }
    }

    fn trades(
        &self,
        told: Value<'_, '_>,
        scratch: &mut Scratch,
        owners: &mut Vec<[Address; 2]>,
    ) -> Result<Parsed, Fault> {
        let mut seen = Seen::default();
        let mut last = 0;
        for row in json::items(told)? {
            if json::text(row, "coin")? != self.line.name {
                return Err(fault(FaultKind::UnknownSymbol));
            }
            let side = match json::text(row, "side")? {
                "A" => Side::Sell,
                "B" => Side::Buy,
                _ => return Err(fault(FaultKind::BadSide)),
            };
            last = millis(row.get("time"))?;
            let tid = fix(required(row.get("tid"))?, 0).map_err(fault)?;
            let tid = u64::try_from(tid).map_err(|_| fault(FaultKind::OutOfRange))?;
            let trade = Trade {
                price: seen.price(row.get("px"), self.line)?,
                qty: seen.qty(row.get("sz"), self.line)?,
                side,
                id: trade_id(last, tid),
                accounts: [0; 2],
            };
            if owners.len() == TRADES_MAX {
                return Err(fault(FaultKind::TooLong));
            }
            owners.push(users(row)?);
            scratch.push(Event::new(self.head(last, 0), Body::Trade(trade)));
        }
        Ok(self.parsed(last, What::Trades, &seen))
    }

    fn level(&self, row: Value<'_, '_>, seen: &mut Seen) -> Result<(Px, Qty), Fault> {
        let price = seen.price(row.get("px"), self.line)?;
        Ok((price, seen.qty(row.get("sz"), self.line)?))
    }

    fn book(&self, told: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let time = millis(told.get("time"))?;
        let head = self.head(time, IMAGE);
        let mut seen = Seen::default();
        let mut lists = json::list(told, "levels")?;
        for side in [Side::Buy, Side::Sell] {
            for row in json::items(lists.next().ok_or_else(json::missing)?)? {
                let (price, qty) = self.level(row, &mut seen)?;
                let level = Level {
                    price,
                    qty,
                    side,
                    update: time as u64,
                };
                scratch.push(Event::new(head, Body::Level(level)));
            }
        }
        let what = What::Book { time: time as u64 };
        Ok(self.parsed(time, what, &seen))
    }

    fn bbo(&self, told: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let time = millis(told.get("time"))?;
        let mut seen = Seen::default();
        let mut sides = json::list(told, "bbo")?;
        let mut best = [None; 2];
        for side in &mut best {
            let row = sides.next().ok_or_else(json::missing)?;
            if !row.is_null() {
                *side = Some(self.level(row, &mut seen)?);
            }
        }
        scratch.push(Event::new(self.head(time, 0), touch(best)));
        Ok(self.parsed(time, What::Bbo, &seen))
    }

    fn context(&self, told: Value<'_, '_>, fields: &Index) -> Result<Parsed, Fault> {
        let context = json::field(told, "ctx")?;
        let object = context.as_object().ok_or_else(json::missing)?;
        let mut patch = Patch::default();
        let mut seen = Seen::default();
        for (name, value) in object.iter() {
            let Some(field) = fields.get(name.as_bytes()) else {
                continue;
            };
            if NAMES.get(field) != Some(&name) {
                continue;
            }
            let Some(decimal) = json::decimal(Some(value))? else {
                continue;
            };
            patch.set(field, self.line.fixed(field, decimal).map_err(fault)?);
            if field <= Field::Oracle as usize {
                seen.0 = seen.0.max(decimal.places);
            }
        }
        Ok(self.parsed(0, What::Context(patch), &seen))
    }
}

/// Buyer and seller; zeros where they are not told.
fn users(row: Value<'_, '_>) -> Result<[Address; 2], Fault> {
    let mut both = [[0; 20]; 2];
    let Some(told) = row.get("users") else {
        return Ok(both);
    };
    let mut told = json::items(told)?;
    for owner in &mut both {
        let text = told.next().and_then(|v| v.into_string());
        let read = text.and_then(|text| address(text.as_bytes()));
        *owner = read.ok_or(fault(FaultKind::BadFrame))?;
    }
    Ok(both)
}
