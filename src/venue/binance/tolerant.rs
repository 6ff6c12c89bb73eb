//! The tolerant road: any field order, unknown fields, numbers as strings or numbers, wrapped or
//! bare.

use super::super::Refusal;
use super::super::index::Index;
use super::super::ledger::Scratch;
use super::{Line, Parsed, What};
use crate::event::{Bbo, Body, Event, Funding, Head, Level, Liquidation, Stream, Tier, Trade};
use crate::health::{Fault, FaultKind};
use crate::market::{Holder, Side, SymbolId, VenueId};
use crate::num::{Px, Qty, Usd};
use crate::time::Nanos;
use crate::wire::decimal::{Decimal, fix};
use crate::wire::json::{self, Value};
use simd_json::prelude::*;

/// What it needs to know; it changes nothing but the scratch.
pub(super) struct Tolerant<'a> {
    pub(super) recv: Nanos,
    pub(super) lines: &'a [Line],
    pub(super) symbols: &'a Index,
}

/// Kinds of frame that are none of ours.
const OTHERS: [&str; 11] = [
    "kline",
    "continuous_kline",
    "indexPrice_kline",
    "markPrice_kline",
    "24hrTicker",
    "24hrMiniTicker",
    "compositeIndex",
    "assetIndexUpdate",
    "tradingSession",
    "EquityUpdate",
    "serverShutdown",
];

fn fault(kind: FaultKind) -> Fault {
    Fault::new(0, kind)
}

pub(super) fn fixed(decimal: Decimal, target: u32) -> Result<i64, Fault> {
    fix(decimal, target).map_err(fault)
}

pub(super) fn required(value: Option<Value<'_, '_>>) -> Result<Decimal, Fault> {
    json::decimal(value)?.ok_or_else(json::missing)
}

/// A time in milliseconds: thirteen digits, as long as their clock is right.
pub(super) fn millis(value: Option<Value<'_, '_>>) -> Result<Nanos, Fault> {
    let ms = fixed(required(value)?, 0)?;
    if (1_000_000_000_000..10_000_000_000_000).contains(&ms) {
        Ok(Nanos::millis(ms))
    } else {
        Err(fault(FaultKind::OutOfRange))
    }
}

pub(super) fn number(value: Option<Value<'_, '_>>) -> Result<u64, Fault> {
    let n = fixed(required(value)?, 0)?;
    u64::try_from(n).map_err(|_| fault(FaultKind::OutOfRange))
}

/// Most places seen so far.
#[derive(Default)]
pub(super) struct Seen(u32, u32);

impl Seen {
    pub(super) fn price(&mut self, value: Option<Value<'_, '_>>, line: &Line) -> Result<Px, Fault> {
        let px = self.touch(value, line)?;
        if px == Px::ZERO {
            return Err(fault(FaultKind::OutOfRange));
        }
        Ok(px)
    }
    pub(super) fn qty(&mut self, value: Option<Value<'_, '_>>, line: &Line) -> Result<Qty, Fault> {
        let decimal = required(value)?;
        self.1 = self.1.max(decimal.places);
        let qty = fixed(decimal, line.qty_target)?;
        if qty < 0 {
            return Err(fault(FaultKind::OutOfRange));
        }
        Ok(Qty::new(qty))
    }
    /// A price that may be zero: an empty side of the book.
    fn touch(&mut self, value: Option<Value<'_, '_>>, line: &Line) -> Result<Px, Fault> {
        let decimal = required(value)?;
        self.0 = self.0.max(decimal.places);
        let px = fixed(decimal, line.px_target)?;
        if px < 0 {
            return Err(fault(FaultKind::OutOfRange));
        }
        Ok(Px::new(px))
    }
}

/// The depth of a book's topic: of `depth20` and `rpiDepth` a part, or another book.
fn is_whole_depth(stream: &str) -> bool {
    stream
        .split_once('@')
        .is_some_and(|(_, kind)| kind == "depth" || kind.starts_with("depth@"))
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
        let stream = frame.get("stream");
        let inner = match (stream, frame.get("data")) {
            (Some(_), Some(inner)) => inner,
            _ => frame,
        };
        if let Some(stream) = stream
            && inner.as_object().is_none()
        {
            // Lists are the all-market streams that we do not ask for. Of anything else it is not known what it held.
            let all = stream
                .into_string()
                .is_some_and(|name| name.starts_with('!'));
            return match inner.as_array() {
                Some(_) if all => Ok(None),
                _ => Err(json::missing()),
            };
        }
        let Some(kind) = inner.get("e") else {
            return acknowledged(frame, scratch);
        };
        let kind = kind.into_string().ok_or_else(json::missing)?;
        let (of, row) = match kind {
            "aggTrade" | "trade" => (Stream::Trades, inner),
            "depthUpdate" => (Stream::Book, inner),
            "bookTicker" | "markPriceUpdate" | "contractInfo" => (Stream::Ticker, inner),
            "forceOrder" => (Stream::Liquidations, json::field(inner, "o")?),
            kind if OTHERS.contains(&kind) => return Ok(None),
            _ => return Err(fault(FaultKind::UnknownTopic)),
        };
        if let Some(stream) = stream.and_then(|s| s.into_string())
            && of == Stream::Book
            && !is_whole_depth(stream)
        {
            return Ok(None);
        }
        // 2 is COIN-M.
        if json::decimal(row.get("st"))?.is_some_and(|st| st.mantissa != 1 || st.places != 0) {
            return Ok(None);
        }
        let name = json::text(row, "s")?;
        let Some(symbol) = self.symbols.get(name.as_bytes()) else {
            return Ok(None);
        };
        let Some(line) = self.lines.get(symbol) else {
            return Ok(None);
        };
        // From here on a fault costs this stream of this symbol and no other.
        scratch.about = Some((of, SymbolId(symbol as u16)));
        let one = Symbol {
            recv: self.recv,
            symbol,
            line,
        };
        match kind {
            "aggTrade" => one.trade(row, "a", What::Aggregate, scratch),
            "trade" => one.single(row, scratch),
            "depthUpdate" => one.book(row, scratch).map(Some),
            "bookTicker" => one.touch(row, scratch).map(Some),
            "markPriceUpdate" => one.values(row, scratch).map(Some),
            "contractInfo" => one.contract(row, scratch),
            _ => one.print(row, scratch),
        }
    }
}

/// A frame without a kind: an answer to what we sent.
fn acknowledged(frame: Value<'_, '_>, scratch: &mut Scratch) -> Result<Option<Parsed>, Fault> {
    let refused = match frame.get("error") {
        Some(error) => Some(error),
        None => frame.get("code").map(|_| frame),
    };
    if let Some(refused) = refused {
        let said = refused.get("msg").and_then(|v| v.into_string());
        scratch.refusal = Refusal::new(said.unwrap_or("no reason given"));
        return Err(fault(FaultKind::Refused));
    }
    if frame.get("result").is_some() && frame.get("id").is_some() {
        return Ok(None);
    }
    Err(fault(FaultKind::UnknownTopic))
}

/// One symbol's frame.
struct Symbol<'a> {
    recv: Nanos,
    symbol: usize,
    line: &'a Line,
}

impl Symbol<'_> {
    fn head(&self, exch: Nanos) -> Head {
        Head {
            recv: self.recv,
            exch,
            venue: VenueId::BINANCE,
            symbol: SymbolId(self.symbol as u16),
            bits: 0,
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

    fn trade(
        &self,
        row: Value<'_, '_>,
        id: &str,
        what: What,
        scratch: &mut Scratch,
    ) -> Result<Option<Parsed>, Fault> {
        let mut seen = Seen::default();
        let maker = json::field(row, "m")?
            .as_bool()
            .ok_or(fault(FaultKind::BadSide))?;
        let trade = Trade {
            price: seen.price(row.get("p"), self.line)?,
            qty: seen.qty(row.get("q"), self.line)?,
            side: if maker { Side::Sell } else { Side::Buy },
            id: number(row.get(id))?,
            accounts: [0; 2],
        };
        let exch = millis(row.get("T"))?;
        scratch.push(Event::new(self.head(exch), Body::Trade(trade)));
        Ok(Some(self.parsed(exch, what, &seen)))
    }

    fn single(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<Option<Parsed>, Fault> {
        // Absent in older frames, where every fill was of the market.
        match row.get("X").map(|x| x.into_string()) {
            None | Some(Some("MARKET")) => self.trade(row, "t", What::Single, scratch),
            Some(_) => Ok(None),
        }
    }

    fn book(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let (prev, update) = (number(row.get("pu"))?, number(row.get("u"))?);
        let exch = millis(row.get("T"))?;
        let head = self.head(exch);
        let mut seen = Seen::default();
        for (name, side) in [("b", Side::Buy), ("a", Side::Sell)] {
            for pair in json::list(row, name)? {
                let mut pair = json::items(pair)?;
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
        Ok(self.parsed(exch, What::Book { prev, update }, &seen))
    }

    fn touch(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let mut seen = Seen::default();
        let bbo = Bbo {
            bid: seen.touch(row.get("b"), self.line)?,
            bid_qty: seen.qty(row.get("B"), self.line)?,
            ask: seen.touch(row.get("a"), self.line)?,
            ask_qty: seen.qty(row.get("A"), self.line)?,
        };
        let exch = millis(row.get("T"))?;
        scratch.push(Event::new(self.head(exch), Body::Bbo(bbo)));
        Ok(self.parsed(exch, What::Touch, &seen))
    }

    fn values(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<Parsed, Fault> {
        let exch = millis(row.get("E"))?;
        let names = ["p", "i", "r", "T"];
        values(self.head(exch), row, names, self.line, scratch)?;
        Ok(Parsed {
            symbol: self.symbol,
            exch,
            what: What::Values,
            learned: None,
        })
    }

    fn print(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<Option<Parsed>, Fault> {
        let mut seen = Seen::default();
        let holder = match json::text(row, "S")? {
            "SELL" => Holder::Long,
            "BUY" => Holder::Short,
            _ => return Err(fault(FaultKind::BadSide)),
        };
        let exch = millis(row.get("T"))?;
        let qty = seen.qty(row.get("z"), self.line)?;
        if qty == Qty::ZERO {
            // Nothing was filled: nobody was closed yet, and there is no price.
            return Ok(None);
        }
        let liquidation = Liquidation {
            price: seen.price(row.get("ap"), self.line)?,
            qty,
            holder,
        };
        scratch.push(Event::new(self.head(exch), Body::Liquidation(liquidation)));
        // An average has its own places.
        Ok(Some(Parsed {
            learned: None,
            ..self.parsed(exch, What::Print, &seen)
        }))
    }

    /// A contract's news: its margin table, when that is what is new.
    fn contract(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<Option<Parsed>, Fault> {
        let exch = millis(row.get("E"))?;
        let Some(rows) = row.get("bks") else {
            return Ok(None);
        };
        let mut number = 0;
        for row in json::items(rows)? {
            let names = ["bnf", "bnc", "mmr", "cf", "ma"];
            let tier = tier(row, number, names)?;
            scratch.push(Event::new(self.head(exch), Body::Tier(tier)));
            number += 1;
        }
        Ok((number > 0).then(|| self.parsed(exch, What::Tiers, &Seen::default())))
    }
}

/// Mark, index and funding of a row, whose fields have these names.
pub(super) fn values(
    head: Head,
    row: Value<'_, '_>,
    [mark, index, rate, next]: [&str; 4],
    line: &Line,
    scratch: &mut Scratch,
) -> Result<(), Fault> {
    let price = |name: &str| match json::decimal(row.get(name))? {
        None => Ok(None),
        Some(decimal) => match fixed(decimal, line.px_target)? {
            px if px > 0 => Ok(Some(Px::new(px))),
            _ => Err(fault(FaultKind::OutOfRange)),
        },
    };
    let mark = price(mark)?.ok_or_else(json::missing)?;
    scratch.push(Event::new(head, Body::Mark(mark)));
    if let Some(index) = price(index)? {
        scratch.push(Event::new(head, Body::Index(index)));
    }
    if let Some(rate) = json::decimal(row.get(rate))? {
        let next = match json::decimal(row.get(next))? {
            Some(next) => fixed(next, 0)?,
            None => 0,
        };
        if !(0..10_000_000_000_000).contains(&next) {
            return Err(fault(FaultKind::OutOfRange));
        }
        let funding = Funding {
            rate_e12: fixed(rate, 12)?,
            next: Nanos::millis(next),
            interval: line.own.interval,
        };
        scratch.push(Event::new(head, Body::Funding(funding)));
    }
    Ok(())
}

/// A row of a margin table, whose fields have these names.
pub(super) fn tier(
    row: Value<'_, '_>,
    number: u16,
    [floor, cap, rate, deduction, leverage]: [&str; 5],
) -> Result<Tier, Fault> {
    let read = |name: &str, target: u32| fixed(required(row.get(name))?, target);
    let small = |value: i64| u32::try_from(value).map_err(|_| fault(FaultKind::OutOfRange));
    let tier = Tier {
        row: number,
        cap: Usd::new(read(cap, 2)?),
        leverage_e2: small(read(leverage, 2)?)?,
        maintenance_e6: small(read(rate, 6)?)?,
        deduction: Usd::new(read(deduction, 2)?),
        floor: Usd::new(read(floor, 2)?),
    };
    if tier.cap <= tier.floor || tier.floor < Usd::ZERO {
        return Err(fault(FaultKind::OutOfRange));
    }
    Ok(tier)
}
