//! Binance: the public dumps of USD-M futures, `aggTrades`, `metrics`, `klines`, `fundingRate`,
//! `liquidationSnapshot`.
//!
//! Older dumps have no head; their columns are known by their order. No dump says when anything reached anybody, so
//! the exchange's stamp is the receive stamp too, with two exceptions, both for what is known only when a period is
//! over: a bar arrives at its end, and the taker ratio of `metrics` one period after its stamp, because the dump does
//! not say which end of its five minutes the stamp is, and a ratio must not be known before it happened.
//!
//! - `aggTrades`: `is_buyer_maker` = the taker sold.
//! - `metrics`: interest is the state at the stamp; its value over it is the mark (as the 5-minute histories have it).
//!   A ratio is long over short; one that is empty or zero says nothing.
//! - `fundingRate`: the rate that was settled at `calc_time`, which is when it is told.
//! - `liquidationSnapshot`: `side` is that of the *order*: `SELL`, a long died. `average_price` and
//!   `accumulated_fill_quantity`, as the live decoder; the price of the order is a limit. Every row is in the dumps
//!   twice: one equal to a recent one is dropped, counted.

use super::form::{Form, Reject};
use super::names::Names;
use super::number::{MICRO, MILLI, Number, dump_stamp, unsigned};
use super::row::{At, Group, Row, Wrong, implied, price, qty, rate, side, traded};
use crate::event::{Bar, Body, Funding, Liquidation, Ratio, Trade};
use crate::market::{Holder, Side};
use crate::num::{Round, div_round, narrow};
use crate::time::Nanos;

pub(super) const TRADES: [&str; 5] = [
    "agg_trade_id",
    "price",
    "quantity",
    "transact_time",
    "is_buyer_maker",
];
pub(super) const TRADES_ORDER: [&str; 7] = [
    "agg_trade_id",
    "price",
    "quantity",
    "first_trade_id",
    "last_trade_id",
    "transact_time",
    "is_buyer_maker",
];
pub(super) const METRICS: [&str; 8] = [
    "create_time",
    "symbol",
    "sum_open_interest",
    "sum_open_interest_value",
    "count_toptrader_long_short_ratio",
    "sum_toptrader_long_short_ratio",
    "count_long_short_ratio",
    "sum_taker_long_short_vol_ratio",
];
pub(super) const BARS: [&str; 7] = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
];
pub(super) const BARS_ORDER: [&str; 12] = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
];
pub(super) const FUNDING: [&str; 3] = ["calc_time", "funding_interval_hours", "last_funding_rate"];
pub(super) const LIQUIDATIONS: [&str; 4] =
    ["time", "side", "average_price", "accumulated_fill_quantity"];
pub(super) const LIQUIDATIONS_ORDER: [&str; 10] = [
    "time",
    "side",
    "order_type",
    "time_in_force",
    "original_quantity",
    "price",
    "average_price",
    "order_status",
    "last_fill_quantity",
    "accumulated_fill_quantity",
];

/// Period of a row of `metrics`.
const METRICS_EVERY: Nanos = Nanos::seconds(300);

fn stamp(column: &'static str, text: &[u8]) -> Result<Nanos, Wrong> {
    dump_stamp(text).ok_or_else(|| Wrong::new(column, text))
}

/// Rows of `aggTrades`.
pub(super) fn trades(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [id, px, amount, time, is_maker] = row.fields();
    let Some(place) = form.place(names)? else {
        return Ok(());
    };
    let body = Body::Trade(Trade {
        price: price("price", px, &place)?,
        qty: traded("quantity", amount, &place)?,
        side: side("is_buyer_maker", is_maker, b"false", b"true")?,
        id: unsigned(id).ok_or_else(|| Wrong::new("agg_trade_id", id))?,
        accounts: [0; 2],
    });
    let at = At::once(stamp("transact_time", time)?);
    out.extend(Group::of(row.line, at, &place, 0, &[body]));
    Ok(())
}

/// A ratio long over short as two shares; `None` when it says nothing.
fn ratio(column: &'static str, text: &[u8], which: u16) -> Result<Option<Body>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || Wrong::new(column, text);
    let number = Number::read(text).ok_or_else(wrong)?;
    if number.is_negative() {
        return Err(wrong());
    }
    let over = i128::from(number.steps(9).ok_or_else(wrong)?);
    let long = div_round(over * 1_000_000, over + 1_000_000_000, Round::HalfEven);
    let long_e6 = narrow(long);
    Ok((over > 0).then_some(Body::Ratio(Ratio {
        long_e6,
        short_e6: 1_000_000 - long_e6,
        which,
        period: METRICS_EVERY,
    })))
}

/// Rows of `metrics`.
pub(super) fn metrics(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [
        time,
        symbol,
        interest,
        value,
        top_accounts,
        top_positions,
        accounts,
        taker,
    ] = row.fields();
    let Some(place) = names.place(form.origin, symbol)? else {
        return Ok(());
    };
    let at = At::once(stamp("create_time", time)?);
    let mut bodies = Vec::with_capacity(5);
    if !interest.is_empty() {
        if !value.is_empty() {
            let mark = implied("sum_open_interest_value", value, interest, &place)?;
            bodies.extend(mark.map(Body::Mark));
        }
        let interest = qty("sum_open_interest", interest, &place)?;
        bodies.push(Body::Interest(interest));
    }
    bodies.extend(ratio("count_long_short_ratio", accounts, 0)?);
    bodies.extend(ratio("count_toptrader_long_short_ratio", top_accounts, 1)?);
    bodies.extend(ratio("sum_toptrader_long_short_ratio", top_positions, 2)?);
    let late = At {
        recv: at.recv.plus(METRICS_EVERY),
        ..at
    };
    let taker = ratio("sum_taker_long_short_vol_ratio", taker, 3)?;
    out.extend(Group::of(row.line, at, &place, 0, &bodies));
    out.extend(taker.and_then(|taker| Group::of(row.line, late, &place, 0, &[taker])));
    Ok(())
}

/// Rows of `klines`.
pub(super) fn bars(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [time, open, high, low, close, volume, end] = row.fields();
    let Some(place) = form.place(names)? else {
        return Ok(());
    };
    let start = stamp("open_time", time)?;
    // The end is the last unit inside the bar.
    let unit = if end.len() == 16 { MICRO } else { MILLI };
    let end_of = stamp("close_time", end)?.plus(Nanos::new(unit));
    let length = end_of.since(start).get();
    let seconds = u16::try_from(length / Nanos::SECOND.get());
    let bar = Bar {
        open: price("open", open, &place)?,
        high: price("high", high, &place)?,
        low: price("low", low, &place)?,
        close: price("close", close, &place)?,
        volume: qty("volume", volume, &place)?,
        seconds: match seconds {
            Ok(seconds) if seconds > 0 && length % Nanos::SECOND.get() == 0 => seconds,
            _ => return Err(Wrong::new("close_time", end).into()),
        },
    };
    let at = At {
        recv: end_of,
        exch: start,
    };
    let body = super::row::whole(bar, high)?;
    out.extend(Group::of(row.line, at, &place, 0, &[body]));
    Ok(())
}

/// Rows of `fundingRate`.
pub(super) fn funding(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [time, hours, value] = row.fields();
    let Some(place) = form.place(names)? else {
        return Ok(());
    };
    let interval = match unsigned(hours) {
        Some(hours @ 1..=24) => Nanos::seconds(hours.cast_signed() * 3_600),
        _ => return Err(Wrong::new("funding_interval_hours", hours).into()),
    };
    let body = Body::Funding(Funding {
        rate_e12: rate("last_funding_rate", value)?,
        next: Nanos::ZERO,
        interval,
    });
    let at = At::once(stamp("calc_time", time)?);
    out.extend(Group::of(row.line, at, &place, 0, &[body]));
    Ok(())
}

/// Rows of `liquidationSnapshot`.
pub(super) fn liquidations(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [time, way, px, filled] = row.fields();
    let Some(place) = form.place(names)? else {
        return Ok(());
    };
    if form.is_duplicate(row.text) {
        return Ok(());
    }
    let body = Body::Liquidation(Liquidation {
        price: price("average_price", px, &place)?,
        qty: traded("accumulated_fill_quantity", filled, &place)?,
        holder: match side("side", way, b"BUY", b"SELL")? {
            Side::Buy => Holder::Short,
            Side::Sell => Holder::Long,
        },
    });
    let at = At::once(stamp("time", time)?);
    out.extend(Group::of(row.line, at, &place, 0, &[body]));
    Ok(())
}
