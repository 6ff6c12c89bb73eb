//! REST answers: everything is asked of `/info` with a body. Cold: allocates, reads strings as they are documented.
//!
//! `meta` tells terms and margin tables at once. A price has at most five significant figures and `6 - szDecimals`
//! decimals: the tick told here is the finest of them. Rows of a table begin at a notional and end where the next
//! begins; the last ends nowhere. A position's rate is half of what its leverage needs at most, and deductions make
//! the rows meet. In `universe` and the contexts beside it a place is a coin's number: those that are gone stay.
//! Five thousand bars are kept there, of whatever length, so all are asked for. Funding's history wants a beginning,
//! and gives five hundred hours from there on: it is asked from `PAST` ago.
//!
//! `clearinghouseState` tells what one address holds: coin by coin the signed size, the entry and the venue's own
//! liquidation price, which knows collateral that we do not. A coin that is followed and not in the answer is told as
//! size 0. A liquidation price of `null`, of zero or less, or beyond every price we admit means that the mark alone
//! will not force it: a position without price.

use super::super::ledger::Scratch;
use super::super::{Ask, What, text_id};
use super::accounts;
use super::{INTERVAL, Line, NAMES, Patch};
use crate::event::{Bar, Body, Event, Funding, HISTORY, Head, Instrument, Position, Tier};
use crate::health::{Fault, FaultKind};
use crate::market::{Holder, SymbolId, VenueId};
use crate::num::{HEADROOM, Px, Qty, Usd};
use crate::time::Nanos;
use crate::wire::decimal::{self, Decimal, TENS, fix, fix_near};
use serde_json::Value;

const META: &str = r#"/info {"type":"meta"}"#;
const CONTEXTS: &str = r#"/info {"type":"metaAndAssetCtxs"}"#;
const BARS: &str = concat!(
    r#"/info {"type":"candleSnapshot","req":{"coin":"{}","interval":"5m","#,
    r#""startTime":0,"endTime":4102444800000}}"#
);
const ACCOUNTS: &str = r#"/info {"type":"clearinghouseState","user":"{account}"}"#;
const FUNDING: &str = r#"/info {"type":"fundingHistory","coin":"{}","startTime":{since}}"#;

/// What is asked; contexts are the frames' backup. An account is asked for no more often than its row says.
pub(super) const ASKS: [Ask; 5] = [
    Ask {
        what: What::Instruments,
        request: META,
        every: Nanos::HOUR,
        weight: 20,
        pages: 1,
    },
    Ask {
        what: What::Mark,
        request: CONTEXTS,
        every: Nanos::MINUTE,
        weight: 20,
        pages: 1,
    },
    Ask {
        what: What::Bars,
        request: BARS,
        every: Nanos::ZERO,
        // One more for every sixty bars.
        weight: 104,
        pages: 1,
    },
    Ask {
        what: What::FundingHistory,
        request: FUNDING,
        every: Nanos::ZERO,
        // One more for every twenty rows.
        weight: 44,
        pages: 1,
    },
    Ask {
        what: What::Accounts,
        request: ACCOUNTS,
        every: Nanos::MINUTE,
        weight: 2,
        pages: 1,
    },
];

fn fault(kind: FaultKind) -> Fault {
    Fault::new(0, kind)
}

/// Nothing is paged there.
pub(super) fn next_page(_: &str, _: &[u8]) -> Option<String> {
    None
}

/// What a refusing answer says: `null`, or words that are no JSON.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Null) => Some("nothing was answered: asked too often, or of nothing".to_owned()),
        Ok(Value::String(said)) => Some(said),
        Ok(_) => None,
        Err(_) => {
            let said: String = String::from_utf8_lossy(body).chars().take(200).collect();
            Some(said)
        }
    }
}

/// Reads an answer into events.
pub(super) fn decode(
    recv: Nanos,
    request: &str,
    body: &[u8],
    lines: &[Line],
    scratch: &mut Scratch,
) -> Result<(), Fault> {
    let unknown = || fault(FaultKind::UnknownTopic);
    let asked = request.strip_prefix("/info ").ok_or_else(unknown)?;
    let asked: Value = serde_json::from_str(asked).map_err(|_| unknown())?;
    let body: Value =
        serde_json::from_slice(body).map_err(|e| Fault::new(e.column(), FaultKind::NotJson))?;
    if body.is_null() || body.is_string() {
        return Err(fault(FaultKind::Refused));
    }
    let mut answer = Answer {
        recv,
        lines,
        scratch,
    };
    match asked.get("type").and_then(Value::as_str) {
        Some("meta") => answer.meta(&body),
        Some("metaAndAssetCtxs") => answer.contexts(&body),
        Some("candleSnapshot") => answer.past(&body, "s", bar),
        Some("fundingHistory") => answer.past(&body, "coin", funding),
        Some("clearinghouseState") => {
            let user = asked.get("user").and_then(Value::as_str);
            let user = user.and_then(|text| accounts::address(text.as_bytes()));
            answer.account(text_id(&user.ok_or_else(unknown)?), &body)
        }
        _ => Err(unknown()),
    }
}

/// Reads a row of the past: its stamp and what it says; `None` when it is not over yet.
type ReadRow = fn(&Value, &Line, Nanos) -> Result<Option<(i64, Body)>, Fault>;

struct Answer<'a> {
    recv: Nanos,
    lines: &'a [Line],
    scratch: &'a mut Scratch,
}

impl Answer<'_> {
    fn say(&mut self, symbol: usize, exch: i64, bits: u8, body: Body) {
        let head = Head {
            recv: self.recv,
            exch: Nanos::millis(exch),
            venue: VenueId::HYPERLIQUID,
            symbol: SymbolId(symbol as u16),
            bits,
        };
        self.scratch.push(Event::new(head, body));
    }

    fn line(&self, name: &str) -> Option<(usize, &Line)> {
        let mut lines = self.lines.iter().enumerate();
        lines.find(|(_, line)| line.name == name)
    }

    /// Terms and margin tables. A row that does not fit is counted and costs its own coin only.
    fn meta(&mut self, meta: &Value) -> Result<(), Fault> {
        for coin in list(meta, "universe")? {
            let name = word(coin, "name")?;
            let Some((symbol, line)) = self.line(name) else {
                continue;
            };
            let read = terms(coin, line).and_then(|terms| Ok((terms, table(coin, meta)?)));
            match read {
                Ok((terms, tiers)) => {
                    self.say(symbol, 0, 0, Body::Instrument(terms));
                    for tier in tiers {
                        self.say(symbol, 0, 0, Body::Tier(tier));
                    }
                }
                Err(fault) => self.scratch.faults.push(fault),
            }
        }
        Ok(())
    }

    /// `[meta, [context, …]]`, coin by coin.
    fn contexts(&mut self, both: &Value) -> Result<(), Fault> {
        let meta = both.get(0).ok_or(fault(FaultKind::MissingField))?;
        let contexts = both.get(1).and_then(Value::as_array);
        let contexts = contexts.ok_or(fault(FaultKind::MissingField))?;
        for (coin, context) in list(meta, "universe")?.iter().zip(contexts) {
            let Some((symbol, line)) = self.line(word(coin, "name")?) else {
                continue;
            };
            match patch(context, line) {
                Ok(patch) => {
                    for body in patch.bodies() {
                        self.say(symbol, 0, 0, body);
                    }
                }
                Err(fault) => self.scratch.faults.push(fault),
            }
        }
        Ok(())
    }

    /// What an account holds of every coin that is followed, in their order. An answer of which a row does not fit
    /// tells nothing: a position that is left out would read as closed.
    fn account(&mut self, account: u64, state: &Value) -> Result<(), Fault> {
        let held = list(state, "assetPositions")?
            .iter()
            .map(|row| row.get("position").ok_or(fault(FaultKind::MissingField)))
            .collect::<Result<Vec<_>, _>>()?;
        let at = match state.get("time") {
            None => 0,
            Some(_) => whole(state, "time")?,
        };
        let mut all = Vec::with_capacity(self.lines.len());
        for line in self.lines {
            let mut told = Position {
                account,
                holder: Holder::Long,
                qty: Qty::ZERO,
                entry: Px::ZERO,
                liquidation: Px::ZERO,
            };
            for row in &held {
                if word(row, "coin")? == line.name {
                    told = position(account, row, line)?;
                }
            }
            all.push(told);
        }
        for (symbol, told) in all.into_iter().enumerate() {
            self.say(symbol, at, 0, Body::Position(told));
        }
        Ok(())
    }

    /// Rows of the past, oldest first as they come; each names its coin.
    fn past(&mut self, rows: &Value, coin: &str, read: ReadRow) -> Result<(), Fault> {
        let rows = rows.as_array().ok_or(fault(FaultKind::MissingField))?;
        for row in rows {
            let Some((symbol, line)) = self.line(word(row, coin)?) else {
                continue;
            };
            match read(row, line, self.recv) {
                Ok(Some((exch, body))) => self.say(symbol, exch, HISTORY, body),
                Ok(None) => {}
                Err(fault) => self.scratch.faults.push(fault),
            }
        }
        Ok(())
    }
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>, Fault> {
    let list = value.get(name).and_then(Value::as_array);
    list.ok_or(fault(FaultKind::MissingField))
}

fn word<'a>(value: &'a Value, name: &str) -> Result<&'a str, Fault> {
    let word = value.get(name).and_then(Value::as_str);
    word.ok_or(fault(FaultKind::MissingField))
}

/// A number of a field; `None` when absent, null or `""`.
fn number(row: &Value, name: &str) -> Result<Option<Decimal>, Fault> {
    let text = match row.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(fault(FaultKind::BadNumber)),
    };
    decimal::read(text.as_bytes()).map(Some).map_err(fault)
}

fn wanted(row: &Value, name: &str) -> Result<Decimal, Fault> {
    number(row, name)?.ok_or(fault(FaultKind::MissingField))
}

fn whole(row: &Value, name: &str) -> Result<i64, Fault> {
    fix(wanted(row, name)?, 0).map_err(fault)
}

/// A leverage in whole numbers, 1 to 10,000.
fn leverage(row: &Value) -> Result<i64, Fault> {
    let leverage = whole(row, "maxLeverage")?;
    let fits = (1..=10_000).contains(&leverage);
    fits.then_some(leverage).ok_or(fault(FaultKind::OutOfRange))
}

/// One contract's terms.
fn terms(coin: &Value, line: &Line) -> Result<Instrument, Fault> {
    let range = || fault(FaultKind::OutOfRange);
    let size = u32::try_from(whole(coin, "szDecimals")?).map_err(|_| range())?;
    let price = 6u32.checked_sub(size).ok_or_else(range)?;
    let step = |target: u32, places: u32| -> Option<i64> {
        TENS.get(target.checked_sub(places)? as usize).copied()
    };
    let places = i64::from(price) + i64::from(line.shift);
    let is_gone = coin.get("isDelisted").and_then(Value::as_bool) == Some(true);
    Ok(Instrument {
        tick: Px::new(step(line.px_target, price).ok_or_else(range)?),
        lot: Qty::new(step(line.qty_target, size).ok_or_else(range)?),
        leverage_e2: leverage(coin)? as u32 * 100,
        funding_interval: INTERVAL,
        status: if is_gone { 2 } else { 0 },
        price_places: places.max(0) as u8,
    })
}

/// A coin's margin table: named by its number, or one row of its own leverage.
fn table(coin: &Value, meta: &Value) -> Result<Vec<Tier>, Fault> {
    let number = coin.get("marginTableId").and_then(Value::as_i64);
    let tables = meta.get("marginTables").and_then(Value::as_array);
    let named = tables
        .into_iter()
        .flatten()
        .find(|table| number.is_some() && table.get(0).and_then(Value::as_i64) == number);
    let mut rows = Vec::new();
    match named.and_then(|table| table.get(1)) {
        Some(table) => {
            for row in list(table, "marginTiers")? {
                let floor = fix_near(wanted(row, "lowerBound")?, 2).map_err(fault)?;
                rows.push((floor, leverage(row)?));
            }
        }
        None => rows.push((0, leverage(coin)?)),
    }
    let mut tiers: Vec<Tier> = Vec::with_capacity(rows.len());
    let (mut before, mut deduction) = (None, 0i128);
    for (at, &(floor, leverage)) in rows.iter().enumerate() {
        let cap = rows.get(at + 1).map_or(HEADROOM, |(next, _)| *next);
        if cap <= floor {
            return Err(fault(FaultKind::OutOfRange));
        }
        if let Some(before) = before {
            // Where the rows meet both ask the same: floor x (1/2l - 1/2b).
            let (b, l) = (i128::from(before), i128::from(leverage));
            deduction += i128::from(floor) * (b - l) / (2 * b * l);
        }
        before = Some(leverage);
        tiers.push(Tier {
            row: at as u16,
            cap: Usd::new(cap),
            leverage_e2: leverage as u32 * 100,
            maintenance_e6: ((1_000_000 + leverage) / (2 * leverage)) as u32,
            deduction: Usd::new(i64::try_from(deduction).unwrap_or(HEADROOM)),
            floor: Usd::new(floor),
        });
    }
    Ok(tiers)
}

/// A context's values.
fn patch(context: &Value, line: &Line) -> Result<Patch, Fault> {
    let mut patch = Patch::default();
    for (field, name) in NAMES.iter().enumerate() {
        if let Some(decimal) = number(context, name)? {
            patch.set(field, line.fixed(field, decimal).map_err(fault)?);
        }
    }
    patch.check()?;
    Ok(patch)
}

/// `{"coin","szi","entryPx","liquidationPx",…}`
fn position(account: u64, row: &Value, line: &Line) -> Result<Position, Fault> {
    let size = fix_near(wanted(row, "szi")?, line.qty_target).map_err(fault)?;
    // Averages are printed finer than they mean; a position of nothing has no entry.
    let entry = match number(row, "entryPx")? {
        Some(entry) => fix_near(entry, line.px_target).map_err(fault)?,
        None => 0,
    };
    if size.unsigned_abs() > HEADROOM.unsigned_abs() || entry < 0 || size != 0 && entry == 0 {
        return Err(fault(FaultKind::OutOfRange));
    }
    let far = |kind| matches!(kind, FaultKind::OutOfRange);
    let liquidation = match number(row, "liquidationPx") {
        Ok(None) => 0,
        Ok(Some(price)) => match fix_near(price, line.px_target) {
            Ok(price) => price.max(0),
            Err(kind) if far(kind) => 0,
            Err(kind) => return Err(fault(kind)),
        },
        Err(found) if far(found.kind) => 0,
        Err(found) => return Err(found),
    };
    Ok(Position {
        account,
        holder: if size < 0 {
            Holder::Short
        } else {
            Holder::Long
        },
        qty: Qty::new(size.saturating_abs()),
        entry: Px::new(entry),
        liquidation: Px::new(liquidation),
    })
}

/// `{"t":start,"T":end,"s":coin,"i":"5m","o","c","h","l","v","n"}`
fn bar(row: &Value, line: &Line, recv: Nanos) -> Result<Option<(i64, Body)>, Fault> {
    let (start, end) = (whole(row, "t")?, whole(row, "T")?);
    if Nanos::millis(end).get() >= recv.get() {
        return Ok(None);
    }
    let price = |name: &str| {
        let px = fix(wanted(row, name)?, line.px_target).map_err(fault)?;
        let is_price = px > 0;
        is_price
            .then_some(Px::new(px))
            .ok_or(fault(FaultKind::OutOfRange))
    };
    let seconds = (end + 1 - start) / 1_000;
    let bar = Bar {
        open: price("o")?,
        high: price("h")?,
        low: price("l")?,
        close: price("c")?,
        volume: Qty::new(fix_near(wanted(row, "v")?, line.qty_target).map_err(fault)?),
        seconds: u16::try_from(seconds).map_err(|_| fault(FaultKind::OutOfRange))?,
    };
    Ok(Some((start, Body::Bar(bar))))
}

/// `{"coin","fundingRate","premium","time"}`: what was paid for an hour.
fn funding(row: &Value, _: &Line, _: Nanos) -> Result<Option<(i64, Body)>, Fault> {
    let funding = Funding {
        rate_e12: fix_near(wanted(row, "fundingRate")?, 12).map_err(fault)?,
        next: Nanos::ZERO,
        interval: INTERVAL,
    };
    Ok(Some((whole(row, "time")?, Body::Funding(funding))))
}
