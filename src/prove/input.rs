//! Input: what the tapes tell, per symbol and venue, in the order of time.
//!
//! Prices in quote units and quantities in canonical lots stay integers where the map takes them; dollars are `f64`.
//! Stamps are nanoseconds since the Unix epoch. A bar of the past lies between its begin and its end, an open interest
//! is the state at its stamp, a total is of the period that ends at its receive stamp.
//!
//! Trades of one second at one price bucket of one venue are one: the map cannot tell them apart.

use super::ProveError;
use crate::event::{Body, Event, HISTORY, Kind, Liquidation, Stream, Tier};
pub use crate::inventory::candle::Candle;
use crate::market::{Holder, VenueId};
use crate::num::log::bucket_of;
use crate::num::{Px, Qty, Round};
use crate::replay;
use crate::time::Nanos;
use std::cmp::Reverse;
use std::path::PathBuf;

/// Volume of a while at a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traded {
    /// When.
    pub at: Nanos,
    /// Price of the first of it.
    pub price: Px,
    /// How much.
    pub qty: Qty,
}

/// One liquidation print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Receive stamp.
    pub at: Nanos,
    /// Whose position died.
    pub holder: Holder,
    /// What the venue printed.
    pub price: Px,
    /// Closed quantity.
    pub qty: Qty,
}

impl Told {
    /// The print as the venue's decoder gave it.
    #[must_use]
    pub const fn as_printed(&self) -> Liquidation {
        Liquidation {
            price: self.price,
            qty: self.qty,
            holder: self.holder,
        }
    }
    /// Its dollars, as the venue counts them.
    #[must_use]
    pub fn usd(&self) -> f64 {
        self.price.notional(self.qty, Round::Down).get() as f64 / 100.0
    }
}

/// What one venue told of one symbol.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Which venue.
    pub venue: VenueId,
    /// Bars of trades.
    pub bars: Vec<Candle>,
    /// Trades.
    pub trades: Vec<Traded>,
    /// Marks.
    pub marks: Vec<(Nanos, Px)>,
    /// Open interest of one side.
    pub interest: Vec<(Nanos, Qty)>,
    /// Liquidation prints.
    pub prints: Vec<Told>,
    /// The margin table last told.
    pub tiers: Vec<Tier>,
    /// It told levels of a book.
    pub has_book: bool,
    /// Moments at which prints were lost.
    pub losses: Vec<Nanos>,
    /// From when to when each file told trades, marks or prints.
    pub heard: Vec<(usize, Nanos, Nanos)>,
}

/// Liquidated dollars of a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Period {
    /// Its begin.
    pub start: Nanos,
    /// Its end.
    pub end: Nanos,
    /// Dollars of longs and of shorts.
    pub usd: [f64; 2],
}

/// Everything of one symbol.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The canonical asset.
    pub symbol: String,
    /// By venue.
    pub sources: Vec<Source>,
    /// Totals, oldest first.
    pub periods: Vec<Period>,
}

impl Input {
    /// True when a venue told levels of a book.
    #[must_use]
    pub fn has_book(&self) -> bool {
        self.sources.iter().any(|source| source.has_book)
    }
    fn source(&mut self, venue: VenueId) -> &mut Source {
        let at = match self.sources.iter().position(|own| own.venue == venue) {
            Some(at) => at,
            None => {
                self.sources.push(Source {
                    venue,
                    ..Source::default()
                });
                self.sources.len() - 1
            }
        };
        &mut self.sources[at]
    }

    fn take(&mut self, event: &Event, file: usize) {
        let at = event.recv;
        // Of these is kept that they were, of a venue that says something else too.
        if is_aside(event.kind()) {
            let mut sources = self.sources.iter_mut();
            let Some(source) = sources.find(|own| own.venue == event.venue) else {
                return;
            };
            match event.body() {
                Body::Gap(gap) if matches!(gap.stream, Stream::Liquidations | Stream::All) => {
                    source.losses.push(at);
                }
                Body::Gap(_) => {}
                _ => source.has_book = true,
            }
            return;
        }
        let past = event.bits & HISTORY != 0;
        let source = self.source(event.venue);
        if !past && is_live(event.kind()) {
            match source.heard.last_mut() {
                Some((of, _, last)) if *of == file => *last = at.max(*last),
                _ => source.heard.push((file, at, at)),
            }
        }
        match event.body() {
            Body::Trade(trade) if !past => source.trade(at, trade.price, trade.qty),
            Body::Mark(mark) if !past => source.marks.push((at, mark)),
            // History tells when it was so, a live report when it came.
            Body::Interest(interest) => {
                let at = if past { event.exch } else { at };
                source.interest.push((at, interest));
            }
            Body::Liquidation(print) => source.prints.push(Told {
                at,
                holder: print.holder,
                price: print.price,
                qty: print.qty,
            }),
            Body::Bar(bar) => source.bars.extend(Candle::of(event.exch, &bar)),
            Body::Tier(tier) => {
                if tier.row == 0 {
                    source.tiers.clear();
                }
                source.tiers.push(tier);
            }
            Body::Total(total) => {
                let usd = [total.long, total.short].map(|v| v.get() as f64 / 100.0);
                self.periods.push(Period {
                    start: event.exch,
                    end: event.exch.plus(total.period),
                    usd,
                });
            }
            _ => {}
        }
    }

    /// Puts everything in the order of time, once each. Of trades, marks and prints two alike may be two: files that
    /// tell the same stretch of them are refused.
    fn close(&mut self, files: &[PathBuf]) -> Result<(), ProveError> {
        for source in &mut self.sources {
            source.heard.sort_unstable_by_key(|(_, first, _)| *first);
            let mut until: Option<(usize, Nanos)> = None;
            for (file, first, last) in &source.heard {
                if let Some((other, _)) = until.filter(|(_, end)| end.since(*first) > SEAM) {
                    return Err(ProveError::Twice {
                        symbol: self.symbol.clone(),
                        venue: crate::venue::venue(source.venue).map_or("a venue", |row| row.name),
                        files: [other, *file].map(|at| files[at].display().to_string()),
                    });
                }
                if until.is_none_or(|(_, end)| end < *last) {
                    until = Some((*file, *last));
                }
            }
            // What a finer bar has told, as the shard takes them.
            source.bars.sort_by_key(|bar| (bar.end, Reverse(bar.start)));
            let mut told = Nanos::ZERO;
            source.bars.retain(|bar| {
                let is_new = bar.start >= told;
                told = told.max(bar.end);
                is_new
            });
            source.interest.sort_by_key(|(at, _)| *at);
            source.interest.dedup_by_key(|(at, _)| *at);
            source.marks.sort_by_key(|(at, _)| *at);
            source.trades.sort_by_key(|trade| trade.at);
            source.prints.sort_by_key(|print| print.at);
            source.losses.sort_unstable();
            source.losses.dedup();
        }
        self.periods
            .sort_by_key(|period| (period.start, period.end));
        self.periods.dedup_by_key(|period| period.start);
        Ok(())
    }
}

impl Source {
    /// Whether prints may be missing between two moments: what was lost is heard again with the next print.
    #[must_use]
    pub fn has_lost(&self, from: Nanos, to: Nanos) -> bool {
        let next = self.losses.partition_point(|at| *at < to);
        let Some(lost) = next.checked_sub(1).map(|last| self.losses[last]) else {
            return false;
        };
        let again = self.prints.partition_point(|print| print.at < lost);
        lost >= from || self.prints.get(again).is_none_or(|print| print.at > from)
    }

    fn trade(&mut self, at: Nanos, price: Px, qty: Qty) {
        if price.get() <= 0 || qty.get() <= 0 {
            return;
        }
        if let Some(last) = self.trades.last_mut()
            && last.at.get() / Nanos::SECOND.get() == at.get() / Nanos::SECOND.get()
            && bucket_of(last.price) == bucket_of(price)
        {
            last.qty = last.qty.plus(qty);
            return;
        }
        self.trades.push(Traded { at, price, qty });
    }
}

/// Reads tapes of decoded events (imports) and of recorded frames, merged by symbol.
///
/// # Errors
/// A tape that cannot be read, or that says nothing of what a proof needs, or symbols that are in none.
pub fn read(files: &[PathBuf], symbols: Option<&[String]>) -> Result<Vec<Input>, ProveError> {
    let mut inputs: Vec<Input> = Vec::new();
    let mut held: Vec<String> = Vec::new();
    for (file, path) in files.iter().enumerate() {
        replay::hear(path, symbols, &mut |names, event| {
            let Some(name) = names.get(usize::from(event.symbol.0)) else {
                return;
            };
            if !held.contains(name) {
                held.push(name.clone());
            }
            if symbols.is_some_and(|wanted| !wanted.contains(name)) || !is_of_symbol(event) {
                return;
            }
            let at = match inputs.iter().position(|own| own.symbol == *name) {
                Some(at) => at,
                None if is_aside(event.kind()) => return,
                None => {
                    inputs.push(Input {
                        symbol: name.clone(),
                        ..Input::default()
                    });
                    inputs.len() - 1
                }
            };
            inputs[at].take(event, file);
        })?;
    }
    for input in &mut inputs {
        input.close(files)?;
    }
    inputs.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    let is_there = |name: &&String| inputs.iter().any(|own| own.symbol == **name);
    let named = symbols.unwrap_or_default().iter();
    let missing: Vec<&str> = named
        .filter(|name| !is_there(name))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        held.sort_unstable();
        return Err(ProveError::NotThere {
            what: missing.join(", "),
            holds: held.join(", "),
        });
    }
    Ok(inputs)
}

/// What two files may both tell: where a recorder ends one and begins the next.
const SEAM: Nanos = Nanos::MINUTE;

/// Whether an event is one of many that may be alike.
const fn is_live(kind: Kind) -> bool {
    matches!(kind, Kind::Trade | Kind::Mark | Kind::Liquidation)
}

/// Whether an event tells nothing of a symbol by itself.
const fn is_aside(kind: Kind) -> bool {
    matches!(kind, Kind::Level | Kind::Gap)
}

/// Whether an event speaks of a symbol in a way the proof listens to.
const fn is_of_symbol(event: &Event) -> bool {
    matches!(
        event.kind(),
        Kind::Trade
            | Kind::Mark
            | Kind::Interest
            | Kind::Liquidation
            | Kind::Bar
            | Kind::Tier
            | Kind::Total
            | Kind::Level
            | Kind::Gap
    )
}
