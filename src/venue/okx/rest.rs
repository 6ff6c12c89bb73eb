//! REST answers. The instruments are the primer: read in place like a frame, without allocation. The rest is cold:
//! allocates, reads strings as they are documented.
//!
//! Margin tables are in contracts there, and ours in dollars: a row's cap is worth its contracts at the last mark that
//! was told by REST; rows wait for one. Rates are those of an interval. Histories come newest first and leave oldest
//! first; they speak of the past (`event::HISTORY`).

use super::super::ledger::take;
use super::super::texts::older;
use super::super::{Ask, Road, Said, What};
use super::VENUE;
use super::{Field, Line, NAMES, Okx, Patch, VALUES};
use crate::event::{
    Bar, Body, Event, Funding, Gap, HISTORY, Head, Instrument, Ratio, Stream, Tier,
};
use crate::health::{Fault, FaultKind};
use crate::market::{SymbolId, VenueId};
use crate::num::{Px, Qty, Usd};
use crate::time::Nanos;
use crate::wire::decimal::{self, Decimal, TENS, fix};
use crate::wire::json;
use serde_json::Value;
use simd_json::prelude::*;

pub(super) const INSTRUMENTS: &str = "/api/v5/public/instruments?instType=SWAP";
const MARK: &str = "/api/v5/public/mark-price?instType=SWAP";
const INDEX: &str = "/api/v5/market/index-tickers?quoteCcy=USDT";
const FUNDING: &str = "/api/v5/public/funding-rate?instId=ANY";
const TIERS: &str =
    "/api/v5/public/position-tiers?instType=SWAP&tdMode=isolated&instFamily={base}-USDT";
const INTEREST: &str = "/api/v5/public/open-interest?instType=SWAP";
const BARS: &str = "/api/v5/market/history-candles?instId={}&bar=5m&limit=300";
const INTEREST_PAST: &str =
    "/api/v5/rubik/stat/contracts/open-interest-history?instId={}&period=5m&limit=100";
const FUNDING_PAST: &str = "/api/v5/public/funding-rate-history?instId={}&limit=100";
const ACCOUNTS: &str =
    "/api/v5/rubik/stat/contracts/long-short-account-ratio-contract?instId={}&period=5m&limit=1";
const TOP_ACCOUNTS: &str = concat!(
    "/api/v5/rubik/stat/contracts/long-short-account-ratio-contract-top-trader",
    "?instId={}&period=5m&limit=1"
);
const TOP_POSITIONS: &str = concat!(
    "/api/v5/rubik/stat/contracts/long-short-position-ratio-contract-top-trader",
    "?instId={}&period=5m&limit=1"
);
const TAKERS: &str = "/api/v5/rubik/stat/taker-volume-contract?instId={}&period=5m&limit=1";

/// The period of histories and ratios.
const PERIOD: Nanos = Nanos::seconds(300);

/// The weight is the share of 20 requests in two seconds that the path admits.
const fn ask(what: What, request: &'static str, every: Nanos, weight: u32) -> Ask {
    Ask {
        what,
        request,
        every,
        weight,
        pages: match what {
            What::Bars => 2,
            // A day: its weight is that of a whole start.
            What::InterestHistory => 3,
            _ => 1,
        },
    }
}

/// What is asked; marks before the margin tables that wait for them.
pub(super) const ASKS: [Ask; 13] = [
    ask(What::Instruments, INSTRUMENTS, Nanos::HOUR, 1),
    ask(What::Mark, MARK, Nanos::MINUTE, 2),
    ask(What::Mark, INDEX, Nanos::MINUTE, 1),
    ask(What::Mark, FUNDING, Nanos::MINUTE, 2),
    ask(What::Tiers, TIERS, Nanos::HOUR, 2),
    ask(What::Interest, INTEREST, Nanos::MINUTE, 1),
    ask(What::Bars, BARS, Nanos::ZERO, 1),
    ask(What::InterestHistory, INTEREST_PAST, Nanos::ZERO, 4),
    ask(What::FundingHistory, FUNDING_PAST, Nanos::ZERO, 2),
    ask(What::Ratios, ACCOUNTS, PERIOD, 4),
    ask(What::Ratios, TOP_ACCOUNTS, PERIOD, 4),
    ask(What::Ratios, TOP_POSITIONS, PERIOD, 4),
    ask(What::Ratios, TAKERS, PERIOD, 4),
];

fn fault(kind: FaultKind) -> Fault {
    Fault::new(0, kind)
}

fn read(body: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(body).map_err(|e| Fault::new(e.column(), FaultKind::NotJson))
}

/// Older bars and open interest: a page comes newest first, its rows begin with their stamps. Every other answer is
/// whole, or as much of the past as we want.
pub(super) fn next_page(request: &str, body: &[u8]) -> Option<String> {
    let path = request.split('?').next();
    let names = [(BARS, "after"), (INTEREST_PAST, "end")];
    let (_, name) = names
        .into_iter()
        .find(|(row, _)| row.split('?').next() == path)?;
    let body = read(body).ok()?;
    let rows = body.get("data")?.as_array()?;
    let oldest = rows.last()?.get(0)?.as_str()?.parse().ok()?;
    older(request, rows.len(), name, oldest)
}

/// What a refusing answer says.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    let body = read(body).ok()?;
    let code = body.get("code")?.as_str()?;
    let said = body.get("msg").and_then(Value::as_str);
    (code != "0").then(|| format!("code {code}: {}", said.unwrap_or("no reason given")))
}

/// A margin row whose cap is counted in contracts.
#[derive(Debug, Clone, Copy)]
struct Row {
    cap: Decimal,
    leverage_e2: u32,
    maintenance_e6: u32,
}

/// What margin tables are made of: the last mark of each symbol, and rows that wait for one.
#[derive(Debug)]
pub(super) struct Tables {
    marks: Vec<Px>,
    waiting: Vec<Vec<Row>>,
}

impl Tables {
    pub(super) fn new(symbols: usize) -> Self {
        Self {
            marks: vec![Px::ZERO; symbols],
            waiting: vec![Vec::new(); symbols],
        }
    }

    pub(super) fn remember(&self, out: &mut Vec<u8>) {
        for (mark, rows) in self.marks.iter().zip(&self.waiting) {
            out.extend_from_slice(&mark.get().to_le_bytes());
            out.extend_from_slice(&(rows.len() as u32).to_le_bytes());
            for row in rows {
                out.extend_from_slice(&row.cap.mantissa.to_le_bytes());
                for word in [row.cap.places, row.leverage_e2, row.maintenance_e6] {
                    out.extend_from_slice(&word.to_le_bytes());
                }
            }
        }
    }

    pub(super) fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        for (mark, rows) in self.marks.iter_mut().zip(&mut self.waiting) {
            *mark = Px::new(i64::from_le_bytes(*take::<8>(from)?));
            rows.clear();
            for _ in 0..u32::from_le_bytes(*take::<4>(from)?) {
                let mantissa = u64::from_le_bytes(*take::<8>(from)?);
                let [places, leverage_e2, maintenance_e6] = [
                    u32::from_le_bytes(*take::<4>(from)?),
                    u32::from_le_bytes(*take::<4>(from)?),
                    u32::from_le_bytes(*take::<4>(from)?),
                ];
                rows.push(Row {
                    cap: Decimal {
                        mantissa,
                        places,
                        negative: false,
                    },
                    leverage_e2,
                    maintenance_e6,
                });
            }
        }
        Some(())
    }
}

/// Reads an answer into events.
pub(super) fn decode(
    okx: &mut Okx,
    recv: Nanos,
    request: &str,
    body: &[u8],
) -> Result<Said, Fault> {
    let path = request.split('?').next().unwrap_or(request);
    let of = |row: &str| row.split('?').next() == Some(path);
    let mut answer = Answer { okx, recv };
    if of(INSTRUMENTS) {
        return answer.instruments(body);
    }
    let body = read(body)?;
    if body.get("code").and_then(Value::as_str) != Some("0") {
        return Err(fault(FaultKind::Refused));
    }
    let rows = body.get("data").and_then(Value::as_array);
    let rows = rows.ok_or(fault(FaultKind::MissingField))?;
    let values = |row: &str| {
        VALUES
            .iter()
            .find(|(name, _)| path.ends_with(name))
            .filter(|_| of(row))
    };
    let known = [MARK, INDEX, FUNDING, INTEREST];
    if let Some((_, wanted)) = known.into_iter().find_map(values) {
        answer.values(rows, *wanted);
    } else if of(TIERS) {
        answer.tiers(rows)?;
    } else {
        // Histories name their instrument in the request only.
        let query = request.split(['?', '&']);
        let name = query.filter_map(|part| part.strip_prefix("instId=")).next();
        let symbol = name.and_then(|name| answer.okx.symbols.get(name.as_bytes()));
        let ratio = [ACCOUNTS, TOP_ACCOUNTS, TOP_POSITIONS, TAKERS];
        let read: ReadRow = match ratio.into_iter().position(of) {
            Some(3) => takers,
            Some(0) => |row, _, _| ratio_of(row, 0),
            Some(1) => |row, _, _| ratio_of(row, 1),
            Some(_) => |row, _, _| ratio_of(row, 2),
            None if of(BARS) => bar,
            None if of(INTEREST_PAST) => interest,
            None if of(FUNDING_PAST) => funding,
            None => return Err(fault(FaultKind::UnknownTopic)),
        };
        let Some(symbol) = symbol else {
            return Ok(Said::IGNORED);
        };
        let bits = if ratio.into_iter().any(of) {
            0
        } else {
            HISTORY
        };
        answer.past(symbol, rows, bits, read);
    }
    answer.okx.ledger.close(Road::Tolerant)
}

/// Reads a row of a history: its stamp and what it says; `None` when that is not over yet, or its contracts are not
/// known. The number is the stamp of the row before, 0 = none.
type ReadRow = fn(&Value, &Line, i64) -> Result<Option<(i64, Body)>, Fault>;

struct Answer<'a> {
    okx: &'a mut Okx,
    recv: Nanos,
}

impl Answer<'_> {
    const fn head(&self, symbol: usize, exch: Nanos, bits: u8) -> Head {
        Head {
            recv: self.recv,
            exch,
            venue: VenueId::OKX,
            symbol: SymbolId(symbol as u16),
            bits,
        }
    }

    fn say(&mut self, symbol: usize, exch: Nanos, bits: u8, body: Body) {
        let event = Event::new(self.head(symbol, exch, bits), body);
        self.okx.ledger.scratch.push(event);
    }

    /// Contracts' terms. A row that does not fit is counted and costs its own contract only.
    fn instruments(&mut self, body: &[u8]) -> Result<Said, Fault> {
        let Okx {
            lines,
            symbols,
            ledger,
            reader,
            room,
            ..
        } = &mut *self.okx;
        let recv = self.recv;
        let mut changed = None;
        reader.read(room.put(body), |answer| {
            if answer.get("code").and_then(|v| v.into_string()) != Some("0") {
                return Err(fault(FaultKind::Refused));
            }
            for row in json::list(answer, "data")? {
                let name = json::text(row, "instId")?;
                let Some(symbol) = symbols.get(name.as_bytes()) else {
                    continue;
                };
                let Some(line) = lines
                    .get_mut(symbol)
                    .filter(|l| l.name.ends_with(VENUE.quote))
                else {
                    continue;
                };
                let head = Head {
                    recv,
                    exch: Nanos::ZERO,
                    venue: VenueId::OKX,
                    symbol: SymbolId(symbol as u16),
                    bits: 0,
                };
                let before = (line.own.ready, line.contract);
                let learned = contract(row).and_then(|power| {
                    let fits = line.set_contract(power);
                    fits.then_some(()).ok_or(fault(FaultKind::OutOfRange))
                });
                line.own.ready = learned.is_ok();
                if before.0 && before != (line.own.ready, line.contract) {
                    // What was counted in the old contracts is worth another amount.
                    let gap = Gap {
                        stream: Stream::Book,
                        expected: 0,
                        got: 0,
                    };
                    ledger.scratch.push(Event::new(head, Body::Gap(gap)));
                    changed.get_or_insert(head.symbol);
                    ledger.wait(symbol);
                }
                match learned.and_then(|()| terms(row, line)) {
                    Ok(terms) => {
                        let event = Event::new(head, Body::Instrument(terms));
                        ledger.scratch.push(event);
                    }
                    Err(fault) => ledger.scratch.faults.push(fault),
                }
            }
            Ok(())
        })?;
        let said = ledger.close(Road::Tolerant)?;
        // The feed renews the first; of the others it sees that they wait.
        Ok(Said {
            gap: changed.is_some(),
            resync: changed,
            ..said
        })
    }

    /// Marks, indices, funding, interest of every swap.
    fn values(&mut self, rows: &[Value], wanted: u32) {
        for row in rows {
            if let Err(fault) = self.value(row, wanted) {
                self.okx.ledger.scratch.faults.push(fault);
            }
        }
    }

    fn value(&mut self, row: &Value, wanted: u32) -> Result<(), Fault> {
        let name = row.get("instId").and_then(Value::as_str);
        let name = name.ok_or(fault(FaultKind::MissingField))?;
        let names = if wanted == VALUES[1].1 {
            &self.okx.indices
        } else {
            &self.okx.symbols
        };
        let Some(symbol) = names.get(name.as_bytes()) else {
            return Ok(());
        };
        let Some(line) = self.okx.lines.get(symbol) else {
            return Ok(());
        };
        if wanted == VALUES[2].1 && !line.own.ready {
            return Ok(());
        }
        let mut patch = Patch::default();
        for (field, name) in NAMES.iter().enumerate() {
            if wanted & 1 << field != 0
                && let Some(decimal) = number(row.get(*name))?
            {
                patch.set(field, line.fixed(field, decimal).map_err(fault)?);
            }
        }
        patch.check()?;
        let exch = number(row.get("ts"))?.map_or(Ok(0), |ts| fix(ts, 0).map_err(fault))?;
        let head = self.head(symbol, Nanos::millis(exch), 0);
        self.okx.say(head, &patch);
        if let Some(mark) = patch.get(Field::Mark)
            && let Some(room) = self.okx.tables.marks.get_mut(symbol)
        {
            *room = Px::new(mark);
            self.table(symbol);
        }
        Ok(())
    }

    /// Margin tables: one family an answer.
    fn tiers(&mut self, rows: &[Value]) -> Result<(), Fault> {
        let mut table: Option<(usize, Vec<Row>)> = None;
        for row in rows {
            let family = row.get("instFamily").or_else(|| row.get("uly"));
            let family = family.and_then(Value::as_str);
            let family = family.ok_or(fault(FaultKind::MissingField))?;
            let Some(symbol) = self.okx.indices.get(family.as_bytes()) else {
                continue;
            };
            let (of, table) = table.get_or_insert((symbol, Vec::new()));
            if *of == symbol {
                table.push(margin(row)?);
            }
        }
        if let Some((symbol, table)) = table
            && let Some(waiting) = self.okx.tables.waiting.get_mut(symbol)
        {
            *waiting = table;
            self.table(symbol);
        }
        Ok(())
    }

    /// Tells the margin table that waits, once contract and mark are known.
    fn table(&mut self, symbol: usize) {
        let (tables, lines) = (&mut self.okx.tables, &self.okx.lines);
        let line = lines.get(symbol).filter(|line| line.own.ready);
        let mark = tables.marks.get(symbol).filter(|mark| !mark.is_zero());
        let (Some(line), Some(mark)) = (line, mark) else {
            return;
        };
        let rows = tables.waiting.get_mut(symbol).map(core::mem::take);
        let qty_target = line.qty_target;
        let mark = *mark;
        let mut floor = Usd::ZERO;
        for (row, margin) in rows.unwrap_or_default().into_iter().enumerate() {
            match usd(margin.cap, qty_target, mark).filter(|cap| *cap > floor) {
                Some(cap) => {
                    let tier = Tier {
                        row: row as u16,
                        cap,
                        leverage_e2: margin.leverage_e2,
                        maintenance_e6: margin.maintenance_e6,
                        // Rates are flat: the row's counts for the whole position.
                        deduction: Usd::ZERO,
                        floor,
                    };
                    self.say(symbol, Nanos::ZERO, 0, Body::Tier(tier));
                    floor = cap;
                }
                None => {
                    let faults = &mut self.okx.ledger.scratch.faults;
                    faults.push(fault(FaultKind::OutOfRange));
                }
            }
        }
    }

    /// A history of one instrument: newest first there, oldest first from here.
    fn past(&mut self, symbol: usize, rows: &[Value], bits: u8, read: ReadRow) {
        let mut before = 0;
        for row in rows.iter().rev() {
            let Some(line) = self.okx.lines.get(symbol) else {
                return;
            };
            match read(row, line, before) {
                Ok(Some((stamp, body))) => {
                    self.say(symbol, Nanos::millis(stamp), bits, body);
                    before = stamp;
                }
                Ok(None) => {}
                Err(fault) => self.okx.ledger.scratch.faults.push(fault),
            }
        }
    }
}

/// The power of ten of a contract's coins.
fn contract(row: json::Value<'_, '_>) -> Result<i32, Fault> {
    let mut power = 0;
    for (name, needed) in [("ctVal", true), ("ctMult", false)] {
        match json::decimal(row.get(name))? {
            Some(decimal) if decimal.negative => return Err(fault(FaultKind::OutOfRange)),
            Some(decimal) => {
                let zeros = TENS.iter().position(|ten| *ten as u64 == decimal.mantissa);
                let zeros = zeros.ok_or(fault(FaultKind::OutOfRange))?;
                power += zeros as i32 - decimal.places.min(99) as i32;
            }
            None if needed => return Err(fault(FaultKind::MissingField)),
            None => {}
        }
    }
    let linear = row.get("ctType").and_then(|v| v.into_string());
    if linear.is_some_and(|kind| kind != "linear") {
        return Err(fault(FaultKind::OutOfRange));
    }
    Ok(power)
}

/// One contract's terms.
fn terms(row: json::Value<'_, '_>, line: &Line) -> Result<Instrument, Fault> {
    let wanted = |name| json::decimal(row.get(name))?.ok_or_else(json::missing);
    let tick = wanted("tickSz")?;
    let lot = wanted("lotSz")?;
    let leverage = wanted("lever")?;
    let places = i64::from(tick.places) + i64::from(line.shift);
    let status = match row.get("state").and_then(|v| v.into_string()) {
        Some("live") => 0,
        Some("expired" | "settling") => 2,
        _ => 1,
    };
    Ok(Instrument {
        tick: Px::new(fix(tick, line.px_target).map_err(fault)?),
        lot: Qty::new(fix(lot, line.qty_target).map_err(fault)?),
        leverage_e2: small(leverage, 2)?,
        // Told with every funding rate.
        funding_interval: Nanos::ZERO,
        status,
        price_places: u8::try_from(places.max(0)).map_err(|_| fault(FaultKind::OutOfRange))?,
    })
}

fn small(decimal: Decimal, target: u32) -> Result<u32, Fault> {
    let fixed = fix(decimal, target).map_err(fault)?;
    u32::try_from(fixed).map_err(|_| fault(FaultKind::OutOfRange))
}

/// A number; `None` when absent or `""`.
fn number(value: Option<&Value>) -> Result<Option<Decimal>, Fault> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(fault(FaultKind::BadNumber)),
    };
    decimal::read(text.as_bytes()).map(Some).map_err(fault)
}

fn wanted(value: Option<&Value>) -> Result<Decimal, Fault> {
    number(value)?.ok_or(fault(FaultKind::MissingField))
}

fn margin(row: &Value) -> Result<Row, Fault> {
    Ok(Row {
        cap: wanted(row.get("maxSz"))?,
        leverage_e2: small(wanted(row.get("maxLever"))?, 2)?,
        maintenance_e6: small(wanted(row.get("mmr"))?, 6)?,
    })
}

/// What contracts are worth at a mark.
fn usd(contracts: Decimal, qty_target: u32, mark: Px) -> Option<Usd> {
    // Contracts in steps of a lot's millionth, times a lot's price in steps of 1e-10, are 1e14 to a cent.
    let scale = *TENS.get(qty_target as usize)? as u128;
    let value = u128::from(contracts.mantissa)
        .checked_mul(u128::try_from(mark.get()).ok()?)?
        .checked_mul(scale)?;
    let units = 10u128.checked_pow(contracts.places.checked_add(14)?)?;
    i64::try_from(value / units).ok().map(Usd::new)
}

fn stamp(row: &Value) -> Result<i64, Fault> {
    fix(wanted(row.get(0))?, 0).map_err(fault)
}

fn positive(decimal: Decimal, target: u32) -> Result<i64, Fault> {
    let value = fix(decimal, target).map_err(fault)?;
    (value > 0)
        .then_some(value)
        .ok_or(fault(FaultKind::OutOfRange))
}

/// `[ts, open, high, low, close, contracts, coins, dollars, confirm]`
fn bar(row: &Value, line: &Line, _: i64) -> Result<Option<(i64, Body)>, Fault> {
    if row.get(8).and_then(Value::as_str) != Some("1") || !line.own.ready {
        return Ok(None);
    }
    let price = |at: usize| Ok(Px::new(positive(wanted(row.get(at))?, line.px_target)?));
    let bar = Bar {
        open: price(1)?,
        high: price(2)?,
        low: price(3)?,
        close: price(4)?,
        volume: Qty::new(
            line.fixed(Field::Interest as usize, wanted(row.get(5))?)
                .map_err(fault)?,
        ),
        seconds: 300,
    };
    Ok(Some((stamp(row)?, Body::Bar(bar))))
}

/// `[ts, contracts, coins, dollars]`
fn interest(row: &Value, line: &Line, _: i64) -> Result<Option<(i64, Body)>, Fault> {
    if !line.own.ready {
        return Ok(None);
    }
    let qty = line.fixed(Field::Interest as usize, wanted(row.get(1))?);
    let qty = Qty::new(qty.map_err(fault)?);
    Ok(Some((stamp(row)?, Body::Interest(qty))))
}

/// A settlement; what was paid is the realised rate.
fn funding(row: &Value, line: &Line, before: i64) -> Result<Option<(i64, Body)>, Fault> {
    let at = fix(wanted(row.get("fundingTime"))?, 0).map_err(fault)?;
    let rate = match number(row.get("realizedRate"))? {
        Some(rate) => rate,
        None => wanted(row.get("fundingRate"))?,
    };
    let rate_e12 = line.fixed(Field::Rate as usize, rate).map_err(fault)?;
    let funding = Funding {
        rate_e12,
        next: Nanos::ZERO,
        // Since the settlement before, where the answer has one.
        interval: Nanos::millis(if before > 0 { at - before } else { 0 }),
    };
    Ok(Some((at, Body::Funding(funding))))
}

/// Shares of two parts in millionths, the second to the rest.
fn shares(long: u128, short: u128, which: u16) -> Result<Body, Fault> {
    let all = long + short;
    let part = (long * 1_000_000 + all / 2).checked_div(all);
    let long_e6 = part.ok_or(fault(FaultKind::OutOfRange))? as i64;
    Ok(Body::Ratio(Ratio {
        long_e6,
        short_e6: 1_000_000 - long_e6,
        which,
        period: PERIOD,
    }))
}

/// `[ts, longs per short]`
fn ratio_of(row: &Value, which: u16) -> Result<Option<(i64, Body)>, Fault> {
    let ratio = positive(wanted(row.get(1))?, 12)?;
    let body = shares(ratio as u128, 1_000_000_000_000, which)?;
    Ok(Some((stamp(row)?, body)))
}

/// `[ts, sold, bought]`
fn takers(row: &Value, line: &Line, _: i64) -> Result<Option<(i64, Body)>, Fault> {
    let part = |at: usize| -> Result<u128, Fault> {
        let value = line.fixed(Field::Coins as usize, wanted(row.get(at))?);
        u128::try_from(value.map_err(fault)?).map_err(|_| fault(FaultKind::OutOfRange))
    };
    Ok(Some((stamp(row)?, shares(part(2)?, part(1)?, 3)?)))
}
