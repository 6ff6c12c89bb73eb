//! Row: one line cut at its commas, its columns read as our units, and the groups of events made of them.
//!
//! A form names the columns it uses; where they stand in a file its head says. Every reader here says which column did
//! not fit and what stood there, so that a bad row can be named. An empty field is "not told", never zero.

use super::names::Place;
use super::number::{Number, stamp};
use crate::event::{Bar, Body, Event, FIRST, Head, Kind, LAST};
use crate::market::{Side, SymbolId};
use crate::num::{Px, Qty, Usd};
use crate::time::Nanos;

/// Why a row is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Column, or what of the row.
    pub(super) column: &'static str,
    /// What stands there, cut to a readable length.
    pub(super) found: String,
}

impl Wrong {
    /// This text does not fit that column.
    pub(super) fn new(column: &'static str, text: &[u8]) -> Self {
        let shown = text.get(..40).unwrap_or(text);
        Self {
            column,
            found: String::from_utf8_lossy(shown).into_owned(),
        }
    }
}

/// Where fields begin and end.
#[derive(Debug, Default)]
pub(super) struct Cuts(Vec<(u32, u32)>);

impl Cuts {
    /// Cuts a line; quotes around a field are no part of it.
    pub(super) fn cut(&mut self, text: &[u8]) -> usize {
        self.0.clear();
        let mut from = 0;
        for at in 0..=text.len() {
            if at == text.len() || text[at] == b',' {
                let (mut first, mut end) = (from, at);
                while first < end && matches!(text[first], b'"' | b' ') {
                    first += 1;
                }
                while first < end && matches!(text[end - 1], b'"' | b' ') {
                    end -= 1;
                }
                // Lines are shorter than 64 KiB.
                self.0.push((first as u32, end as u32));
                from = at + 1;
            }
        }
        self.0.len()
    }

    /// A field; empty when there is none.
    pub(super) fn field<'a>(&self, text: &'a [u8], at: usize) -> &'a [u8] {
        let (first, end) = self.0.get(at).copied().unwrap_or_default();
        text.get(first as usize..end as usize).unwrap_or_default()
    }
}

/// A line and where the columns of its form stand in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// Line in its file, from 1.
    pub(super) line: u64,
    /// The whole line.
    pub(super) text: &'a [u8],
    /// Its cuts.
    pub(super) cuts: &'a Cuts,
    /// Places of the form's columns.
    pub(super) columns: &'a [usize],
}

impl<'a> Row<'a> {
    /// The first N columns of the form, in its order.
    pub(super) fn fields<const N: usize>(&self) -> [&'a [u8]; N] {
        core::array::from_fn(|at| {
            let column = self.columns.get(at).copied().unwrap_or(usize::MAX);
            self.cuts.field(self.text, column)
        })
    }
}

fn steps(column: &'static str, text: &[u8], target: i32) -> Result<i64, Wrong> {
    Number::read(text)
        .and_then(|number| number.steps(target))
        .ok_or_else(|| Wrong::new(column, text))
}

/// A stamp in units of so many nanoseconds.
pub(super) fn time(column: &'static str, text: &[u8], unit: i64) -> Result<Nanos, Wrong> {
    stamp(text, unit).ok_or_else(|| Wrong::new(column, text))
}

/// A price above zero.
pub(super) fn price(column: &'static str, text: &[u8], place: &Place) -> Result<Px, Wrong> {
    match steps(column, text, place.px)? {
        px if px > 0 => Ok(Px::new(px)),
        _ => Err(Wrong::new(column, text)),
    }
}

/// A quantity, zero or more.
pub(super) fn qty(column: &'static str, text: &[u8], place: &Place) -> Result<Qty, Wrong> {
    match steps(column, text, place.qty)? {
        qty if qty >= 0 => Ok(Qty::new(qty)),
        _ => Err(Wrong::new(column, text)),
    }
}

/// A quantity that was traded: more than zero.
pub(super) fn traded(column: &'static str, text: &[u8], place: &Place) -> Result<Qty, Wrong> {
    match qty(column, text, place)? {
        Qty::ZERO => Err(Wrong::new(column, text)),
        qty => Ok(qty),
    }
}

/// A rate in 1e-12.
pub(super) fn rate(column: &'static str, text: &[u8]) -> Result<i64, Wrong> {
    steps(column, text, 12)
}

/// Dollars, zero or more.
pub(super) fn usd(column: &'static str, text: &[u8]) -> Result<Usd, Wrong> {
    match steps(column, text, Usd::DECIMALS.cast_signed())? {
        cents if cents >= 0 => Ok(Usd::new(cents)),
        _ => Err(Wrong::new(column, text)),
    }
}

/// The price that a notional and its quantity mean; `None` when there is no quantity to divide by.
pub(super) fn implied(
    column: &'static str,
    notional: &[u8],
    qty: &[u8],
    place: &Place,
) -> Result<Option<Px>, Wrong> {
    let wrong = || Wrong::new(column, notional);
    let notional = Number::read(notional).ok_or_else(wrong)?;
    let qty = Number::read(qty).ok_or_else(wrong)?;
    if notional.is_negative() {
        return Err(wrong());
    }
    let steps = notional.over(qty, place.px);
    Ok(steps.filter(|&steps| steps > 0).map(Px::new))
}

/// A bar that can be one; else its high is named.
pub(super) fn whole(bar: Bar, high: &[u8]) -> Result<Body, Wrong> {
    if bar.is_whole() {
        Ok(Body::Bar(bar))
    } else {
        Err(Wrong::new("high", high))
    }
}

/// A side by the two words of its form.
pub(super) fn side(
    column: &'static str,
    text: &[u8],
    buy: &[u8],
    sell: &[u8],
) -> Result<Side, Wrong> {
    match text {
        _ if text.eq_ignore_ascii_case(buy) => Ok(Side::Buy),
        _ if text.eq_ignore_ascii_case(sell) => Ok(Side::Sell),
        _ => Err(Wrong::new(column, text)),
    }
}

/// When something was known and when it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    /// When we could have known it.
    pub(super) recv: Nanos,
    /// When it happened.
    pub(super) exch: Nanos,
}

impl At {
    /// Known as it happened.
    pub(super) const fn once(stamp: Nanos) -> Self {
        Self {
            recv: stamp,
            exch: stamp,
        }
    }
}

/// Events that came together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// When.
    pub(super) recv: Nanos,
    /// Line of its row, of the first where several rows made it.
    pub(super) line: u64,
    /// Ring.
    pub(super) ring: u8,
    /// Symbol.
    pub(super) symbol: SymbolId,
    /// At least one; the first has FIRST, the last LAST.
    pub(super) events: Vec<Event>,
}

impl Group {
    /// What comes first: the earlier, and of the same stamp a bar, for it was over before anything else of its end.
    pub(super) fn due(&self) -> (Nanos, bool) {
        let mut events = self.events.iter();
        (self.recv, !events.any(|event| event.kind() == Kind::Bar))
    }

    /// A group of these bodies, which all happened at one time; `bits` beside FIRST and LAST. `None` without bodies.
    pub(super) fn of(line: u64, at: At, place: &Place, bits: u8, bodies: &[Body]) -> Option<Self> {
        let last = bodies.len().checked_sub(1)?;
        let edge = |n: usize| (if n == 0 { FIRST } else { 0 }) | (if n == last { LAST } else { 0 });
        let event = |(n, body): (usize, &Body)| {
            let head = Head {
                recv: at.recv,
                exch: at.exch,
                venue: place.venue,
                symbol: place.symbol,
                bits: bits | edge(n),
            };
            Event::new(head, *body)
        };
        Some(Self {
            recv: at.recv,
            line,
            ring: place.ring,
            symbol: place.symbol,
            events: bodies.iter().enumerate().map(event).collect(),
        })
    }
}
