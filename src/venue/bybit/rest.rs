//! REST answers: contracts' terms, margin tables, what was before us, and the ratio of accounts.
//! Cold: allocates, reads strings as they are documented.

use super::super::ledger::Scratch;
use super::super::{Ask, What, canonical};
use super::Line;
use crate::event::{Bar, Body, Event, Funding, HISTORY, Head, Instrument, Ratio, Tier};
use crate::health::{Fault, FaultKind};
use crate::market::{SymbolId, VenueId};
use crate::num::{Px, Qty, Usd};
use crate::time::Nanos;
use crate::wire::decimal::parse;
use serde_json::Value;

const INSTRUMENTS: &str = "/v5/market/instruments-info?category=linear&limit=1000";
const TIERS: &str = "/v5/market/risk-limit?category=linear&symbol={}";
const BARS: &str = "/v5/market/kline?category=linear&symbol={}&interval=5&limit=512";
const INTERESTS: &str =
    "/v5/market/open-interest?category=linear&symbol={}&intervalTime=5min&limit=200";
const FUNDINGS: &str = "/v5/market/funding/history?category=linear&symbol={}&limit=90";
const RATIOS: &str = "/v5/market/account-ratio?category=linear&symbol={}&period=5min&limit=1";

/// Seconds of a bar of [`BARS`].
const BAR_S: u16 = 300;

const fn ask(what: What, request: &'static str, every: Nanos) -> Ask {
    Ask {
        what,
        request,
        every,
        weight: 1,
        pages: match what {
            What::Instruments | What::Tiers => 64,
            What::InterestHistory => 3,
            _ => 1,
        },
    }
}

/// What is asked.
pub(super) const ASKS: [Ask; 6] = [
    ask(What::Instruments, INSTRUMENTS, Nanos::HOUR),
    ask(What::Tiers, TIERS, Nanos::HOUR),
    ask(What::Bars, BARS, Nanos::ZERO),
    ask(What::InterestHistory, INTERESTS, Nanos::ZERO),
    ask(What::FundingHistory, FUNDINGS, Nanos::ZERO),
    ask(What::Ratios, RATIOS, Nanos::seconds(300)),
];

fn fault(kind: FaultKind) -> Fault {
    Fault::new(0, kind)
}

fn read(body: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(body).map_err(|e| Fault::new(e.column(), FaultKind::NotJson))
}

/// The request of the next page.
pub(super) fn next_page(request: &str, body: &[u8]) -> Option<String> {
    let body = read(body).ok()?;
    let cursor = body.get("result")?.get("nextPageCursor")?.as_str()?;
    if cursor.is_empty() {
        return None;
    }
    let (path, query) = request.split_once('?').unwrap_or((request, ""));
    let mut parts: Vec<&str> = query
        .split('&')
        .filter(|part| !part.is_empty() && !part.starts_with("cursor="))
        .collect();
    let cursor = format!("cursor={cursor}");
    parts.push(&cursor);
    Some(format!("{path}?{}", parts.join("&")))
}

/// What a refusing answer says.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    let body = read(body).ok()?;
    let code = body.get("retCode")?.as_i64()?;
    let said = body.get("retMsg").and_then(Value::as_str);
    (code != 0).then(|| format!("retCode {code}: {}", said.unwrap_or("no reason given")))
}

/// A number of a field in steps of `10^-target`; `None` when absent or `""`.
fn number(row: &Value, name: &str, target: u32) -> Result<Option<i64>, Fault> {
    let text = match row.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(fault(FaultKind::BadNumber)),
    };
    parse(text.as_bytes(), target).map(Some).map_err(fault)
}

fn wanted(row: &Value, name: &str, target: u32) -> Result<i64, Fault> {
    number(row, name, target)?.ok_or(fault(FaultKind::MissingField))
}

fn small(value: i64) -> Result<u32, Fault> {
    u32::try_from(value).map_err(|_| fault(FaultKind::OutOfRange))
}

/// Reads an answer into events.
pub(super) fn decode(
    recv: Nanos,
    request: &str,
    body: &[u8],
    lines: &[Line],
    scratch: &mut Scratch,
) -> Result<(), Fault> {
    let body = read(body)?;
    if body.get("retCode").and_then(Value::as_i64) != Some(0) {
        return Err(fault(FaultKind::Refused));
    }
    let path = request.split('?').next().unwrap_or(request);
    let of = |row: &str| row.split('?').next() == Some(path);
    let list = body
        .get("result")
        .and_then(|r| r.get("list"))
        .and_then(Value::as_array)
        .ok_or(fault(FaultKind::MissingField))?;
    let exch = number(&body, "time", 0)?.unwrap_or(0);
    let answer = Answer {
        recv,
        exch: Nanos::millis(exch),
        lines,
    };
    let result = body.get("result").unwrap_or(&Value::Null);
    if of(INSTRUMENTS) {
        answer.instruments(list, scratch)
    } else if of(TIERS) {
        answer.tiers(list, scratch)
    } else if of(BARS) {
        answer.past(result, list, scratch, bar)
    } else if of(INTERESTS) {
        answer.past(result, list, scratch, interest)
    } else if of(FUNDINGS) {
        answer.past(result, list, scratch, funding)
    } else if of(RATIOS) {
        answer.ratios(list, scratch)
    } else {
        Err(fault(FaultKind::UnknownTopic))
    }
}

/// Reads a row of the past: its stamp and what it says.
type ReadPast = fn(&Value, &Line) -> Result<(Nanos, Body), Fault>;

struct Answer<'a> {
    recv: Nanos,
    exch: Nanos,
    lines: &'a [Line],
}

impl Answer<'_> {
    fn symbol(&self, row: &Value) -> Result<Option<(usize, &Line)>, Fault> {
        let name = row
            .get("symbol")
            .and_then(Value::as_str)
            .ok_or(fault(FaultKind::MissingField))?;
        Ok(self.lines.iter().enumerate().find(|(_, l)| l.name == name))
    }

    fn say(&self, symbol: usize, body: Body, scratch: &mut Scratch) {
        let head = Head {
            recv: self.recv,
            exch: self.exch,
            venue: VenueId::BYBIT,
            symbol: SymbolId(symbol as u16),
            bits: 0,
        };
        scratch.push(Event::new(head, body));
    }

    /// A row that does not fit is counted and costs its own contract only.
    fn instruments(&self, list: &[Value], scratch: &mut Scratch) -> Result<(), Fault> {
        for row in list {
            let Some((symbol, line)) = self.symbol(row)? else {
                continue;
            };
            debug_assert!(canonical(VenueId::BYBIT, &line.name).is_some());
            match terms(row, line) {
                Ok(terms) => self.say(symbol, Body::Instrument(terms), scratch),
                Err(fault) => scratch.faults.push(fault),
            }
        }
        Ok(())
    }

    /// Rows of the past of one contract, which come newest first: told oldest first, each as of its own stamp.
    fn past(
        &self,
        result: &Value,
        list: &[Value],
        scratch: &mut Scratch,
        read: ReadPast,
    ) -> Result<(), Fault> {
        // Some of these lists name the contract once, some in every row.
        let named = if result.get("symbol").is_some() {
            result
        } else {
            list.first().unwrap_or(&Value::Null)
        };
        if list.is_empty() {
            return Ok(());
        }
        let Some((symbol, line)) = self.symbol(named)? else {
            return Ok(());
        };
        for row in list.iter().rev() {
            match read(row, line) {
                Ok((exch, body)) => {
                    let head = Head {
                        recv: self.recv,
                        exch,
                        venue: VenueId::BYBIT,
                        symbol: SymbolId(symbol as u16),
                        bits: HISTORY,
                    };
                    scratch.push(Event::new(head, body));
                }
                Err(fault) => scratch.faults.push(fault),
            }
        }
        Ok(())
    }

    fn ratios(&self, list: &[Value], scratch: &mut Scratch) -> Result<(), Fault> {
        for row in list {
            let Some((symbol, _)) = self.symbol(row)? else {
                continue;
            };
            let ratio = Ratio {
                long_e6: wanted(row, "buyRatio", 6)?,
                short_e6: wanted(row, "sellRatio", 6)?,
                which: 0,
                period: Nanos::seconds(300),
            };
            let head = Head {
                recv: self.recv,
                exch: Nanos::millis(wanted(row, "timestamp", 0)?),
                venue: VenueId::BYBIT,
                symbol: SymbolId(symbol as u16),
                bits: 0,
            };
            scratch.push(Event::new(head, Body::Ratio(ratio)));
        }
        Ok(())
    }

    fn tiers(&self, list: &[Value], scratch: &mut Scratch) -> Result<(), Fault> {
        // The symbol whose table we are in, its next row and where that row begins.
        let mut table: Option<(usize, u16, Usd)> = None;
        for item in list {
            let Some((symbol, _)) = self.symbol(item)? else {
                table = None;
                continue;
            };
            let (row, floor) = match table {
                Some((same, row, cap)) if same == symbol => (row, cap),
                _ => (0, Usd::ZERO),
            };
            let cap = Usd::new(wanted(item, "riskLimitValue", 2)?);
            if cap <= floor {
                return Err(fault(FaultKind::OutOfRange));
            }
            let tier = Tier {
                row,
                cap,
                leverage_e2: small(wanted(item, "maxLeverage", 2)?)?,
                maintenance_e6: small(wanted(item, "maintenanceMargin", 6)?)?,
                // The first row's is "": nothing.
                deduction: Usd::new(number(item, "mmDeduction", 2)?.unwrap_or(0)),
                floor,
            };
            self.say(symbol, Body::Tier(tier), scratch);
            table = Some((symbol, row + 1, cap));
        }
        Ok(())
    }
}

/// A number of a row that is a list.
fn at(row: &Value, place: usize, target: u32) -> Result<i64, Fault> {
    let text = row.get(place).and_then(Value::as_str);
    let text = text.ok_or(fault(FaultKind::MissingField))?;
    parse(text.as_bytes(), target).map_err(fault)
}

/// `[start, open, high, low, close, volume, turnover]`.
fn bar(row: &Value, line: &Line) -> Result<(Nanos, Body), Fault> {
    let px = |place| at(row, place, line.px_target).map(Px::new);
    let bar = Bar {
        open: px(1)?,
        high: px(2)?,
        low: px(3)?,
        close: px(4)?,
        volume: Qty::new(at(row, 5, line.qty_target)?),
        seconds: BAR_S,
    };
    if bar.low.get() <= 0 || bar.low > bar.high || bar.volume.get() < 0 {
        return Err(fault(FaultKind::OutOfRange));
    }
    Ok((Nanos::millis(at(row, 0, 0)?), Body::Bar(bar)))
}

/// `openInterest` counts both sides there as it does in the ticker.
fn interest(row: &Value, line: &Line) -> Result<(Nanos, Body), Fault> {
    let both = wanted(row, "openInterest", line.qty_target)?;
    let stamp = Nanos::millis(wanted(row, "timestamp", 0)?);
    Ok((stamp, Body::Interest(Qty::new(both / 2))))
}

fn funding(row: &Value, _line: &Line) -> Result<(Nanos, Body), Fault> {
    let funding = Funding {
        rate_e12: wanted(row, "fundingRate", 12)?,
        next: Nanos::ZERO,
        interval: Nanos::ZERO,
    };
    let stamp = Nanos::millis(wanted(row, "fundingRateTimestamp", 0)?);
    Ok((stamp, Body::Funding(funding)))
}

/// One contract's terms.
fn terms(row: &Value, line: &Line) -> Result<Instrument, Fault> {
    let inner = |name: &str| row.get(name).ok_or(fault(FaultKind::MissingField));
    let minutes = wanted(row, "fundingInterval", 0)?;
    let leverage = wanted(inner("leverageFilter")?, "maxLeverage", 2)?;
    let scale = wanted(row, "priceScale", 0)?.saturating_add(i64::from(line.shift));
    let status = match row.get("status").and_then(Value::as_str) {
        Some("Trading") => 0,
        Some("Closed" | "Delivering" | "Settling") => 2,
        _ => 1,
    };
    Ok(Instrument {
        tick: Px::new(wanted(inner("priceFilter")?, "tickSize", line.px_target)?),
        lot: Qty::new(wanted(inner("lotSizeFilter")?, "qtyStep", line.qty_target)?),
        leverage_e2: small(leverage)?,
        funding_interval: Nanos::seconds(minutes.saturating_mul(60)),
        status,
        price_places: u8::try_from(scale.max(0)).map_err(|_| fault(FaultKind::OutOfRange))?,
    })
}
