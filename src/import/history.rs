//! History: collected series, one instrument a file, its name in front: `BTCUSDT_oi_5m`, `BTC_liquidations_1h`.
//!
//! Stamps (`t`, `t_ms`, `ts`) are milliseconds UTC. Sizes are coins at every venue; liquidation totals are dollars.
//! Open interest is the state at its stamp; bars, bars of the mark and totals are stamped with the begin of their
//! period and arrive at its end, so that nothing is known before it happened. The length of a period stands in the
//! name. Of a bar of the mark only the close is used; of open interest in four prices only the last.
//!
//! - `oi_usd / oi` is the mark. `rate` of `ts,rate` is per hour; `funding_rate` is per interval, and the file does not
//!   say which: not said is read as eight hours.
//! - Hyperliquid's `side` is the taker's: `B` bought, `A` sold. Trades there have no id: each gets its place in the
//!   files. `oracle` is the index; funding there is per hour.
//! - Liquidation totals may be of several venues; they are booked at one, and the tape does not say so.

use super::form::{Form, Reject};
use super::names::{Names, Place};
use super::number::MILLI;
use super::row::{At, Group, Row, Wrong, implied, price, qty, rate, side, time, traded, usd};
use crate::event::{Bar, Body, Funding, Total, Trade};
use crate::time::Nanos;

/// Where a row goes, in coins, and its stamp; `None` when it is left out.
fn place_and_stamp(
    form: &Form,
    names: &mut Names,
    column: &'static str,
    text: &[u8],
) -> Result<Option<(Place, Nanos)>, Reject> {
    let stamp = time(column, text, MILLI)?;
    let place = form.place(names)?;
    Ok(place.map(|place| {
        let qty = place.qty - place.worth;
        (Place { qty, ..place }, stamp)
    }))
}

impl Form {
    /// Known when the period that began at `start` is over.
    fn at_end(&self, start: Nanos) -> At {
        At {
            recv: start.plus(self.period),
            exch: start,
        }
    }
}

/// Mark and open interest of one moment; an empty field says nothing.
fn state(place: &Place, oi: &[u8], oi_usd: &[u8]) -> Result<Vec<Body>, Reject> {
    let mut bodies = Vec::with_capacity(2);
    if !oi.is_empty() {
        if !oi_usd.is_empty() {
            bodies.extend(implied("oi_usd", oi_usd, oi, place)?.map(Body::Mark));
        }
        bodies.push(Body::Interest(qty("oi", oi, place)?));
    }
    Ok(bodies)
}

/// A bar; `None` when the row has none.
fn bar(form: &Form, place: &Place, fields: [&[u8]; 5]) -> Result<Option<Body>, Reject> {
    if fields.iter().all(|field| field.is_empty()) {
        return Ok(None);
    }
    let [open, high, low, close, volume] = fields;
    let seconds = form.period.get() / Nanos::SECOND.get();
    let bar = Bar {
        open: price("open", open, place)?,
        high: price("high", high, place)?,
        low: price("low", low, place)?,
        close: price("close", close, place)?,
        volume: qty("volume", volume, place)?,
        seconds: u16::try_from(seconds).map_err(|_| Wrong {
            column: "period",
            found: format!("a bar of {seconds} seconds"),
        })?,
    };
    Ok(Some(super::row::whole(bar, high)?))
}

/// `t,oi,oi_usd`.
pub(super) fn interest(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [t, oi, oi_usd] = row.fields();
    let Some((place, stamp)) = place_and_stamp(form, names, "t", t)? else {
        return Ok(());
    };
    let bodies = state(&place, oi, oi_usd)?;
    out.extend(Group::of(row.line, At::once(stamp), &place, 0, &bodies));
    Ok(())
}

/// `t_ms,oi,oi_usd,…,open,high,low,close,volume`: the state at the stamp, the bar that begins there.
pub(super) fn interest_and_bars(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [t, oi, oi_usd, open, high, low, close, volume] = row.fields();
    let Some((place, stamp)) = place_and_stamp(form, names, "t_ms", t)? else {
        return Ok(());
    };
    let bodies = state(&place, oi, oi_usd)?;
    let bar = bar(form, &place, [open, high, low, close, volume])?;
    out.extend(Group::of(row.line, At::once(stamp), &place, 0, &bodies));
    let at = form.at_end(stamp);
    out.extend(bar.and_then(|bar| Group::of(row.line, at, &place, 0, &[bar])));
    Ok(())
}

/// `t_ms,open,high,low,close,volume`.
pub(super) fn bars(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [t, open, high, low, close, volume] = row.fields();
    let Some((place, stamp)) = place_and_stamp(form, names, "t_ms", t)? else {
        return Ok(());
    };
    let bar = bar(form, &place, [open, high, low, close, volume])?;
    let at = form.at_end(stamp);
    out.extend(bar.and_then(|bar| Group::of(row.line, at, &place, 0, &[bar])));
    Ok(())
}

/// `t_ms,open,high,low,close` of the mark: the close, when it was.
pub(super) fn mark_bars(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [t, _, _, _, close] = row.fields();
    let Some((place, stamp)) = place_and_stamp(form, names, "t_ms", t)? else {
        return Ok(());
    };
    let mark = Body::Mark(price("close", close, &place)?);
    let at = At::once(form.at_end(stamp).recv);
    out.extend(Group::of(row.line, at, &place, 0, &[mark]));
    Ok(())
}

fn funding_of(
    form: &Form,
    row: Row<'_>,
    names: &mut Names,
    (time, value): (&'static str, &'static str),
    interval: Nanos,
) -> Result<Option<Group>, Reject> {
    let [t, text] = row.fields();
    let Some((place, stamp)) = place_and_stamp(form, names, time, t)? else {
        return Ok(None);
    };
    let body = Body::Funding(Funding {
        rate_e12: rate(value, text)?,
        next: Nanos::ZERO,
        interval,
    });
    Ok(Group::of(row.line, At::once(stamp), &place, 0, &[body]))
}

/// `ts,rate`: a rate per hour.
pub(super) fn hourly_funding(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let columns = ("ts", "rate");
    out.extend(funding_of(form, row, names, columns, Nanos::HOUR)?);
    Ok(())
}

/// `t_ms,funding_rate`: a rate per interval.
pub(super) fn funding(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let columns = ("t_ms", "funding_rate");
    let interval = form.origin.funding;
    out.extend(funding_of(form, row, names, columns, interval)?);
    Ok(())
}

fn total(form: &Form, long: &[u8], short: &[u8]) -> Result<Body, Reject> {
    Ok(Body::Total(Total {
        long: usd("long_usd", long)?,
        short: usd("short_usd", short)?,
        period: form.period,
    }))
}

/// `t_ms,long_usd,short_usd,…`.
pub(super) fn totals(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [t, long, short] = row.fields();
    let Some((place, stamp)) = place_and_stamp(form, names, "t_ms", t)? else {
        return Ok(());
    };
    let body = total(form, long, short)?;
    let at = form.at_end(stamp);
    out.extend(Group::of(row.line, at, &place, 0, &[body]));
    Ok(())
}

/// `t_ms,long_usd,short_usd,…,oi_binance_stable_coins_c,…`: the totals, and the interest the period ended with.
pub(super) fn totals_and_interest(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [t, long, short, oi] = row.fields();
    let Some((place, stamp)) = place_and_stamp(form, names, "t_ms", t)? else {
        return Ok(());
    };
    let body = total(form, long, short)?;
    let interest = match oi {
        b"" => None,
        oi => Some(Body::Interest(qty(
            "oi_binance_stable_coins_c",
            oi,
            &place,
        )?)),
    };
    let at = form.at_end(stamp);
    let end = At::once(at.recv);
    out.extend(Group::of(row.line, at, &place, 0, &[body]));
    out.extend(interest.and_then(|interest| Group::of(row.line, end, &place, 0, &[interest])));
    Ok(())
}

/// `t_ms,px,sz,side`.
pub(super) fn trades(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [t, px, sz, way] = row.fields();
    let Some((place, stamp)) = place_and_stamp(form, names, "t_ms", t)? else {
        return Ok(());
    };
    let body = Body::Trade(Trade {
        price: price("px", px, &place)?,
        qty: traded("sz", sz, &place)?,
        side: side("side", way, b"B", b"A")?,
        id: form.file << 40 | row.line,
        accounts: [0; 2],
    });
    out.extend(Group::of(row.line, At::once(stamp), &place, 0, &[body]));
    Ok(())
}

/// `t_ms,oi,mark,oracle,funding`.
pub(super) fn context(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [t, oi, mark, oracle, rate_text] = row.fields();
    let Some((place, stamp)) = place_and_stamp(form, names, "t_ms", t)? else {
        return Ok(());
    };
    let mut bodies = Vec::with_capacity(4);
    if !mark.is_empty() {
        bodies.push(Body::Mark(price("mark", mark, &place)?));
    }
    if !oracle.is_empty() {
        bodies.push(Body::Index(price("oracle", oracle, &place)?));
    }
    if !rate_text.is_empty() {
        bodies.push(Body::Funding(Funding {
            rate_e12: rate("funding", rate_text)?,
            next: Nanos::ZERO,
            interval: form.origin.funding,
        }));
    }
    if !oi.is_empty() {
        bodies.push(Body::Interest(qty("oi", oi, &place)?));
    }
    out.extend(Group::of(row.line, At::once(stamp), &place, 0, &bodies));
    Ok(())
}
