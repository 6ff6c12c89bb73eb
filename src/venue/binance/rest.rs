//! REST answers: book images and funding intervals for a feed, and what control asks for: contracts'
//! terms, margin tables, values now and of the past.
//!
//! All are read by the tolerant reader. A row that does not fit is a fault of its own and costs its
//! own contract or moment only. Rows come oldest first; those that speak of the past say so by
//! `HISTORY` and happened at `exch`. A bar that is not finished when the answer came is left out.
//!
//! `exchangeInfo` knows neither the funding interval nor the leverage: they are taken from
//! `fundingInfo` (which lists the symbols that differ from eight hours) and from the margin tables,
//! where those were read before. The margin tables come from the site: the API's own want a key.

use super::super::index::Index;
use super::super::ledger::Scratch;
use super::super::texts::older;
use super::super::{Ask, Refusal, What};
use super::depth::Depth;
use super::tolerant::{Seen, fixed, millis, number, required, tier, values};
use super::{Line, Own};
use crate::event::{Bar, Body, Event, Funding, HISTORY, Head, Instrument, Ratio};
use crate::health::{Fault, FaultKind};
use crate::market::{Side, SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::decimal::{Decimal, TENS};
use crate::wire::json::{self, Value};
use simd_json::prelude::*;

/// Path of a book's image.
pub(super) const IMAGE: &str = "/fapi/v1/depth";
/// Path of the funding intervals.
pub(super) const INTERVALS: &str = "/fapi/v1/fundingInfo";
const INSTRUMENTS: &str = "/fapi/v1/exchangeInfo";
const TIERS: &str = "https://www.binance.com/bapi/futures/v1/friendly/future/common/brackets";
const INTEREST: &str = "/fapi/v1/openInterest?symbol={}";
const MARK: &str = "/fapi/v1/premiumIndex";
const BARS: &str = "/fapi/v1/klines?symbol={}&interval=5m&limit=1500";
const INTEREST_PAST: &str = "/futures/data/openInterestHist?symbol={}&period=5m&limit=500";
const FUNDING_PAST: &str = "/fapi/v1/fundingRate?symbol={}&limit=100";

/// Paths of the ratios in the order of their numbers.
const RATIOS: [&str; 4] = [
    "/futures/data/globalLongShortAccountRatio?symbol={}&period=5m&limit=30",
    "/futures/data/topLongShortAccountRatio?symbol={}&period=5m&limit=30",
    "/futures/data/topLongShortPositionRatio?symbol={}&period=5m&limit=30",
    "/futures/data/takerlongshortRatio?symbol={}&period=5m&limit=30",
];
/// The period they are asked for.
const PERIOD: Nanos = Nanos::seconds(300);

const fn ask(what: What, request: &'static str, every: Nanos, weight: u32) -> Ask {
    Ask {
        what,
        request,
        every,
        weight,
        pages: if matches!(what, What::InterestHistory) {
            2
        } else {
            1
        },
    }
}

/// What is asked. Statistics weigh nothing there, but 1,000 may be asked in five minutes.
pub(super) const ASKS: [Ask; 12] = [
    ask(What::Instruments, INSTRUMENTS, Nanos::HOUR, 1),
    // With the tables: what is asked as contracts' terms names every contract.
    ask(What::Tiers, INTERVALS, Nanos::HOUR, 1),
    ask(What::Tiers, TIERS, Nanos::HOUR, 1),
    ask(What::Interest, INTEREST, Nanos::seconds(5), 1),
    ask(What::Mark, MARK, Nanos::MINUTE, 10),
    ask(What::Bars, BARS, Nanos::ZERO, 10),
    ask(What::InterestHistory, INTEREST_PAST, Nanos::ZERO, 1),
    ask(What::FundingHistory, FUNDING_PAST, Nanos::ZERO, 1),
    ask(What::Ratios, RATIOS[0], PERIOD, 1),
    ask(What::Ratios, RATIOS[1], PERIOD, 1),
    ask(What::Ratios, RATIOS[2], PERIOD, 1),
    ask(What::Ratios, RATIOS[3], PERIOD, 1),
];

/// The request of a book's image; it weighs 20.
pub(super) fn image(instrument: &str) -> String {
    format!("{IMAGE}?symbol={instrument}&limit=1000")
}

/// Older open interest: a page comes oldest first. Nothing else goes on on another page, or is wanted from there.
pub(super) fn next_page(request: &str, body: &[u8]) -> Option<String> {
    if request.split('?').next() != INTEREST_PAST.split('?').next() {
        return None;
    }
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let rows = body.as_array()?;
    let oldest = rows.first()?.get("timestamp")?;
    let oldest = oldest.as_i64().or_else(|| oldest.as_str()?.parse().ok())?;
    older(request, rows.len(), "endTime", oldest.checked_sub(1)?)
}

/// What a refusing answer says.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = body.get("code")?;
    // The site says "000000" when it does not refuse.
    if code == "000000" {
        return None;
    }
    let said = ["msg", "message"]
        .iter()
        .find_map(|key| body.get(key)?.as_str());
    Some(format!(
        "code {code}: {}",
        said.unwrap_or("no reason given")
    ))
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(0, kind)
}

/// The symbol a request asks about.
pub(super) fn asked<'a>(request: &str, lines: &'a [Line]) -> Option<(usize, &'a Line)> {
    let (_, query) = request.split_once('?')?;
    let name = query
        .split('&')
        .find_map(|part| part.strip_prefix("symbol="))?;
    lines.iter().enumerate().find(|(_, line)| line.name == name)
}

/// An answer that refuses is a fault of its own kind.
fn refused(body: Value<'_, '_>, scratch: &mut Scratch) -> Result<(), Fault> {
    let Some(code) = body.get("code") else {
        return Ok(());
    };
    if code.as_str() == Some("000000") {
        return Ok(());
    }
    let said = body.get("msg").and_then(|v| v.into_string());
    scratch.refusal = Refusal::new(said.unwrap_or("no reason given"));
    Err(fault(FaultKind::Refused))
}

/// Reads an image into the depth's room; its id and stamp.
pub(super) fn levels(
    body: Value<'_, '_>,
    line: &Line,
    depth: &mut Depth,
    scratch: &mut Scratch,
) -> Result<(u64, Nanos), Fault> {
    refused(body, scratch)?;
    let update = number(body.get("lastUpdateId"))?;
    let exch = match body.get("T") {
        Some(stamp) => millis(Some(stamp))?,
        None => Nanos::ZERO,
    };
    let mut seen = Seen::default();
    depth.begin();
    for (name, side) in [("bids", Side::Buy), ("asks", Side::Sell)] {
        for pair in json::list(body, name)? {
            let mut pair = json::items(pair)?;
            let price = seen.price(pair.next(), line)?;
            depth.level(side, price, seen.qty(pair.next(), line)?)?;
        }
    }
    Ok((update, exch))
}

/// Reads the table of funding intervals: who is not in it pays every eight hours.
pub(super) fn intervals(
    body: Value<'_, '_>,
    lines: &mut [Line],
    scratch: &mut Scratch,
) -> Result<(), Fault> {
    refused(body, scratch)?;
    let rows = json::items(body)?;
    for line in &mut *lines {
        line.own.interval = Nanos::new(8 * Nanos::HOUR.get());
    }
    for row in rows {
        let name = row.get("symbol").and_then(|v| v.into_string());
        let Some(line) = lines
            .iter_mut()
            .find(|line| Some(line.name.as_str()) == name)
        else {
            continue;
        };
        let hours = required(row.get("fundingIntervalHours")).and_then(|hours| fixed(hours, 0));
        line.own.interval = match hours {
            Ok(hours @ 1..=24) => Nanos::new(hours * Nanos::HOUR.get()),
            wrong => {
                let kind = wrong.map_or_else(|fault| fault.kind, |_| FaultKind::OutOfRange);
                scratch.faults.push(fault(kind));
                Nanos::ZERO
            }
        };
    }
    Ok(())
}

/// Reads any other answer into events.
pub(super) fn decode(
    recv: Nanos,
    request: &str,
    body: Value<'_, '_>,
    lines: &mut [Line],
    symbols: &Index,
    scratch: &mut Scratch,
) -> Result<(), Fault> {
    refused(body, scratch)?;
    let path = request.split('?').next().unwrap_or(request);
    let of = |row: &str| row.split('?').next() == Some(path);
    if of(TIERS) {
        return tiers(recv, body, lines, symbols, scratch);
    }
    let all = All {
        recv,
        lines,
        symbols,
    };
    if of(INSTRUMENTS) {
        return all.each(json::list(body, "symbols")?, scratch, Answer::instrument);
    }
    if of(MARK) {
        return match body.as_array() {
            Some(rows) => all.each(rows.iter(), scratch, Answer::values),
            None => all.each(core::iter::once(body), scratch, Answer::values),
        };
    }
    if of(INTEREST) {
        return all.each(core::iter::once(body), scratch, Answer::interest);
    }
    let (symbol, line) = asked(request, lines).ok_or(fault(FaultKind::UnknownTopic))?;
    let answer = Answer { recv, symbol, line };
    if of(BARS) {
        answer.rows(body, scratch, Answer::bar)
    } else if of(INTEREST_PAST) {
        answer.rows(body, scratch, Answer::interest_past)
    } else if of(FUNDING_PAST) {
        answer.rows(body, scratch, Answer::funding_past)
    } else if let Some(which) = RATIOS.iter().position(|row| of(row)) {
        answer.ratios(body, which, scratch)
    } else {
        Err(fault(FaultKind::UnknownTopic))
    }
}

/// Margin tables of every symbol; one that does not fit costs its own symbol only.
fn tiers(
    recv: Nanos,
    body: Value<'_, '_>,
    lines: &mut [Line],
    symbols: &Index,
    scratch: &mut Scratch,
) -> Result<(), Fault> {
    for table in json::list(json::field(body, "data")?, "brackets")? {
        let name = json::text(table, "symbol")?;
        let Some(symbol) = symbols.get(name.as_bytes()) else {
            continue;
        };
        let Some(line) = lines.get_mut(symbol) else {
            continue;
        };
        let begin = scratch.used;
        let head = Answer { recv, symbol, line }.head(Nanos::ZERO, 0);
        match one_table(head, table, scratch) {
            Ok(leverage_e2) => line.own.leverage_e2 = leverage_e2,
            Err(fault) => {
                scratch.used = begin;
                scratch.faults.push(fault);
            }
        }
    }
    Ok(())
}

/// One symbol's margin table; its highest leverage.
fn one_table(head: Head, table: Value<'_, '_>, scratch: &mut Scratch) -> Result<u32, Fault> {
    let mut most = 0;
    for (row, value) in json::list(table, "riskBrackets")?.enumerate() {
        let names = [
            "bracketNotionalFloor",
            "bracketNotionalCap",
            "bracketMaintenanceMarginRate",
            "cumFastMaintenanceAmount",
            "maxOpenPosLeverage",
        ];
        let row = u16::try_from(row).map_err(|_| fault(FaultKind::OutOfRange))?;
        let tier = tier(value, row, names)?;
        most = most.max(tier.leverage_e2);
        scratch.push(Event::new(head, Body::Tier(tier)));
    }
    Ok(most)
}

/// An answer that names its symbols.
struct All<'a> {
    recv: Nanos,
    lines: &'a [Line],
    symbols: &'a Index,
}

type Read<'a> = fn(&Answer<'a>, Value<'_, '_>, &mut Scratch) -> Result<(), Fault>;

impl<'a> All<'a> {
    fn each<'t, 'f: 't>(
        &self,
        rows: impl Iterator<Item = Value<'t, 'f>>,
        scratch: &mut Scratch,
        read: Read<'a>,
    ) -> Result<(), Fault> {
        for row in rows {
            let name = json::text(row, "symbol")?;
            let Some(symbol) = self.symbols.get(name.as_bytes()) else {
                continue;
            };
            let Some(line) = self.lines.get(symbol) else {
                continue;
            };
            let recv = self.recv;
            Answer { recv, symbol, line }.row(row, scratch, read);
        }
        Ok(())
    }
}

/// An answer about one symbol.
struct Answer<'a> {
    recv: Nanos,
    symbol: usize,
    line: &'a Line,
}

impl<'a> Answer<'a> {
    fn head(&self, exch: Nanos, bits: u8) -> Head {
        Head {
            recv: self.recv,
            exch,
            venue: VenueId::BINANCE,
            symbol: SymbolId(self.symbol as u16),
            bits,
        }
    }

    fn row(&self, row: Value<'_, '_>, scratch: &mut Scratch, read: Read<'a>) {
        let begin = scratch.used;
        if let Err(fault) = read(self, row, scratch) {
            scratch.used = begin;
            scratch.faults.push(fault);
        }
    }

    fn rows(
        &self,
        body: Value<'_, '_>,
        scratch: &mut Scratch,
        read: Read<'a>,
    ) -> Result<(), Fault> {
        for row in json::items(body)? {
            self.row(row, scratch, read);
        }
        Ok(())
    }

    /// One contract's terms.
    fn instrument(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<(), Fault> {
        let status = match json::text(row, "status")? {
            "TRADING" => 0,
            "PRE_DELIVERING" | "DELIVERING" | "DELIVERED" | "SETTLING" | "CLOSE" => 2,
            _ => 1,
        };
        let (mut tick, mut lot) = (None, None);
        for filter in json::list(row, "filters")? {
            match json::text(filter, "filterType")? {
                "PRICE_FILTER" => {
                    let step = required(filter.get("tickSize"))?;
                    tick = Some(fixed(step, self.line.px_target)?);
                }
                "LOT_SIZE" => {
                    let step = required(filter.get("stepSize"))?;
                    lot = Some(fixed(step, self.line.qty_target)?);
                }
                _ => {}
            }
        }
        let (Some(tick), Some(lot)) = (tick, lot) else {
            return Err(json::missing());
        };
        let places = fixed(required(row.get("pricePrecision"))?, 0)?;
        let places = places.saturating_add(i64::from(self.line.shift)).max(0);
        let Own {
            interval,
            leverage_e2,
        } = self.line.own;
        let terms = Instrument {
            tick: Px::new(tick),
            lot: Qty::new(lot),
            leverage_e2,
            funding_interval: interval,
            status,
            price_places: u8::try_from(places).map_err(|_| fault(FaultKind::OutOfRange))?,
        };
        let head = self.head(Nanos::ZERO, 0);
        scratch.push(Event::new(head, Body::Instrument(terms)));
        Ok(())
    }

    fn values(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<(), Fault> {
        let head = self.head(millis(row.get("time"))?, 0);
        let names = [
            "markPrice",
            "indexPrice",
            "lastFundingRate",
            "nextFundingTime",
        ];
        values(head, row, names, self.line, scratch)
    }

    fn interest(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<(), Fault> {
        let head = self.head(millis(row.get("time"))?, 0);
        let qty = Seen::default().qty(row.get("openInterest"), self.line)?;
        scratch.push(Event::new(head, Body::Interest(qty)));
        Ok(())
    }

    fn interest_past(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<(), Fault> {
        let head = self.head(millis(row.get("timestamp"))?, HISTORY);
        let qty = Seen::default().qty(row.get("sumOpenInterest"), self.line)?;
        scratch.push(Event::new(head, Body::Interest(qty)));
        Ok(())
    }

    fn funding_past(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<(), Fault> {
        let head = self.head(millis(row.get("fundingTime"))?, HISTORY);
        let funding = Funding {
            rate_e12: fixed(required(row.get("fundingRate"))?, 12)?,
            next: Nanos::ZERO,
            interval: self.line.own.interval,
        };
        scratch.push(Event::new(head, Body::Funding(funding)));
        Ok(())
    }

    /// `[opened, "open", "high", "low", "close", "volume", closes, …]`
    fn bar(&self, row: Value<'_, '_>, scratch: &mut Scratch) -> Result<(), Fault> {
        let mut fields = json::items(row)?;
        let opened = millis(fields.next())?;
        let mut seen = Seen::default();
        let mut price = || seen.price(fields.next(), self.line);
        let [open, high, low, close] = [price()?, price()?, price()?, price()?];
        let volume = Seen::default().qty(fields.next(), self.line)?;
        let closes = millis(fields.next())?;
        if closes >= self.recv {
            return Ok(());
        }
        // It closes a millisecond before the next one opens.
        let seconds = (closes.since(opened).get() / 1_000_000 + 1) / 1_000;
        let bar = Bar {
            open,
            high,
            low,
            close,
            volume,
            seconds: u16::try_from(seconds).map_err(|_| fault(FaultKind::OutOfRange))?,
        };
        scratch.push(Event::new(self.head(opened, HISTORY), Body::Bar(bar)));
        Ok(())
    }

    /// The last row is now, those before it are of the past.
    fn ratios(
        &self,
        body: Value<'_, '_>,
        which: usize,
        scratch: &mut Scratch,
    ) -> Result<(), Fault> {
        let mut rows = json::items(body)?.peekable();
        while let Some(row) = rows.next() {
            let bits = if rows.peek().is_some() { HISTORY } else { 0 };
            match ratio(row, which) {
                Ok(Some((exch, ratio))) => {
                    scratch.push(Event::new(self.head(exch, bits), Body::Ratio(ratio)));
                }
                Ok(None) => {}
                Err(fault) => scratch.faults.push(fault),
            }
        }
        Ok(())
    }
}

/// A row of a ratio: shares of accounts or positions, or the volumes of takers; `None` where there
/// was nothing to share.
fn ratio(row: Value<'_, '_>, which: usize) -> Result<Option<(Nanos, Ratio)>, Fault> {
    let names = match which {
        3 => ["buyVol", "sellVol"],
        _ => ["longAccount", "shortAccount"],
    };
    let [long, short] = names.map(|name| required(row.get(name)));
    let (long, short) = (long?, short?);
    let exch = millis(row.get("timestamp"))?;
    if long.mantissa == 0 && short.mantissa == 0 {
        return Ok(None);
    }
    let long_e6 = share(long, short).ok_or(fault(FaultKind::OutOfRange))?;
    let ratio = Ratio {
        long_e6,
        short_e6: 1_000_000 - long_e6,
        which: which as u16,
        period: PERIOD,
    };
    Ok(Some((exch, ratio)))
}

/// The first of two as a part of both, in 1e-6, rounded down; `None` when it is no part.
fn share(one: Decimal, other: Decimal) -> Option<i64> {
    let places = one.places.max(other.places);
    let size = |d: Decimal| {
        let scale = TENS.get((places - d.places) as usize)?;
        (!d.negative).then(|| u128::from(d.mantissa) * *scale as u128)
    };
    let (one, both) = (size(one)?, size(one)?.checked_add(size(other)?)?);
    i64::try_from(one.checked_mul(1_000_000)?.checked_div(both)?).ok()
}
