//! Tardis: `trades`, `liquidations`, `derivative_ticker`, `incremental_book_L2` of its downloadable CSV files.
//!
//! Stamps are microseconds: `local_timestamp`, when the frame reached their machine, is our receive stamp;
//! `timestamp` is the exchange's. Sizes are the exchange's own, so contracts where it trades in contracts. The side of
//! a liquidation is that of the *order* at every exchange: `buy`, a short died (their mapper turns Bybit's around,
//! whose side is the position's). A ticker row repeats what did not change; open interest is given when it did, for an
//! inventory takes every value as a new measurement. `predicted_funding_rate` and `last_price` are not used.
//!
//! Rows of a book with the same stamps are one message. What stands before a symbol's first image is of no book, and
//! dropped, counted: their own advice.

use super::form::{Form, Reject};
use super::names::{Names, ORIGINS, Origin, Place};
use super::number::{MICRO, unsigned};
use super::row::{At, Group, Row, Wrong, price, qty, rate, side, time, traded};
use crate::event::{Body, Funding, Level, Liquidation, SNAPSHOT, Trade};
use crate::market::{Holder, Side};
use crate::time::Nanos;
use crate::venue::text_id;

/// Most levels of a message; the largest images of the venues here have ten thousand.
const LEVELS_MAX: usize = 1 << 17;

fn origin(exchange: &[u8]) -> Result<&'static Origin, Reject> {
    let known = |origin: &&Origin| origin.tardis.as_bytes() == exchange;
    ORIGINS.iter().find(known).ok_or_else(|| {
        super::ImportError::Exchange {
            found: String::from_utf8_lossy(exchange).into_owned(),
            known: ORIGINS.map(|origin| origin.tardis).join(", "),
        }
        .into()
    })
}

/// Where a row goes, `None` when it is left out, and its stamps.
fn place_and_stamps(
    names: &mut Names,
    [exchange, symbol, stamp, local]: [&[u8]; 4],
) -> Result<Option<(Place, At)>, Reject> {
    let place = names.place(origin(exchange)?, symbol)?;
    let at = At {
        recv: time("local_timestamp", local, MICRO)?,
        exch: time("timestamp", stamp, MICRO)?,
    };
    Ok(place.map(|place| (place, at)))
}

/// The id of a trade: the number, or a hash of the text; of one without, its place in the files.
fn id_of(text: &[u8], form: &Form, line: u64) -> u64 {
    match unsigned(text) {
        Some(id) => id,
        None if text.is_empty() => form.file << 40 | line,
        None => text_id(text),
    }
}

/// Rows of `trades`.
pub(super) fn trades(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [exchange, symbol, stamp, local, id, way, px, amount] = row.fields();
    let Some((place, at)) = place_and_stamps(names, [exchange, symbol, stamp, local])? else {
        return Ok(());
    };
    let body = Body::Trade(Trade {
        price: price("price", px, &place)?,
        qty: traded("amount", amount, &place)?,
        side: side("side", way, b"buy", b"sell")?,
        id: id_of(id, form, row.line),
        accounts: [0; 2],
    });
    out.extend(Group::of(row.line, at, &place, 0, &[body]));
    Ok(())
}

/// Rows of `liquidations`.
pub(super) fn liquidations(
    _: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [exchange, symbol, stamp, local, _, way, px, amount] = row.fields();
    let Some((place, at)) = place_and_stamps(names, [exchange, symbol, stamp, local])? else {
        return Ok(());
    };
    let body = Body::Liquidation(Liquidation {
        price: price("price", px, &place)?,
        qty: traded("amount", amount, &place)?,
        holder: match side("side", way, b"buy", b"sell")? {
            Side::Buy => Holder::Short,
            Side::Sell => Holder::Long,
        },
    });
    out.extend(Group::of(row.line, at, &place, 0, &[body]));
    Ok(())
}

/// Rows of `derivative_ticker`.
pub(super) fn ticker(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [
        exchange,
        symbol,
        stamp,
        local,
        next,
        funding,
        interest,
        index,
        mark,
    ] = row.fields();
    let Some((place, at)) = place_and_stamps(names, [exchange, symbol, stamp, local])? else {
        return Ok(());
    };
    let mut bodies = Vec::with_capacity(4);
    if !mark.is_empty() {
        bodies.push(Body::Mark(price("mark_price", mark, &place)?));
    }
    if !index.is_empty() {
        bodies.push(Body::Index(price("index_price", index, &place)?));
    }
    if !funding.is_empty() {
        let next = match next {
            b"" | b"0" => Nanos::ZERO,
            next => time("funding_timestamp", next, MICRO)?,
        };
        let interval = ORIGINS.iter().find(|origin| origin.id == place.venue);
        bodies.push(Body::Funding(Funding {
            rate_e12: rate("funding_rate", funding)?,
            next,
            interval: interval.map_or(Nanos::ZERO, |origin| origin.funding),
        }));
    }
    if !interest.is_empty() {
        let interest = qty("open_interest", interest, &place)?;
        let told = form.interest.insert((place.ring, place.symbol.0), interest);
        if told != Some(interest) {
            bodies.push(Body::Interest(interest));
        }
    }
    out.extend(Group::of(row.line, at, &place, 0, &bodies));
    Ok(())
}

/// A message of a book, row by row.
#[derive(Debug)]
pub(super) struct Batch {
    line: u64,
    at: At,
    place: Place,
    bits: u8,
    levels: Vec<Body>,
}

impl Batch {
    /// The message is whole.
    pub(super) fn close(self) -> Option<Group> {
        Group::of(self.line, self.at, &self.place, self.bits, &self.levels)
    }
}

/// Rows of `incremental_book_L2`.
pub(super) fn book(
    form: &mut Form,
    row: Row<'_>,
    names: &mut Names,
    out: &mut Vec<Group>,
) -> Result<(), Reject> {
    let [exchange, symbol, stamp, local, image, way, px, amount] = row.fields();
    let Some((place, at)) = place_and_stamps(names, [exchange, symbol, stamp, local])? else {
        return Ok(());
    };
    let bits = match image {
        b"true" => SNAPSHOT,
        b"false" => 0,
        _ => return Err(Wrong::new("is_snapshot", image).into()),
    };
    let level = Body::Level(Level {
        price: price("price", px, &place)?,
        qty: qty("amount", amount, &place)?,
        side: side("side", way, b"bid", b"ask")?,
        update: 0,
    });
    let key = (place.ring, place.symbol.0);
    if bits == SNAPSHOT {
        form.images.insert(key);
    } else if !form.images.contains(&key) {
        form.early += 1;
        return Ok(());
    }
    match &mut form.batch {
        Some(batch) if (batch.at, batch.place, batch.bits) == (at, place, bits) => {
            if batch.levels.len() == LEVELS_MAX {
                return Err(Wrong::new("local_timestamp", local).into());
            }
            batch.levels.push(level);
        }
        batch => {
            let new = Batch {
                line: row.line,
                at,
                place,
                bits,
                levels: vec![level],
            };
            out.extend(batch.replace(new).and_then(Batch::close));
        }
    }
    Ok(())
}
