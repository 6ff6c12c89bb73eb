//! Depth: joins the images that come by REST with the updates of the stream.
//!
//! While a symbol's book waits for an image, or a new one was asked for, its updates are also kept
//! here. An image knows the state at one id; the updates kept behind it bring it to the newest, so
//! that what leaves is one whole image as of now. It fits when no update before the first kept one
//! is missing behind it, else it is too old and another is asked for. An image that is newer than
//! every update needs none: the next that ends behind it goes on from there. One that comes before
//! the first update is held until that has come, for only then can be said whether it fits.
//!
//! A side with fewer levels than were asked for is all there is, and says so (`event::WHOLE`). Any other is known down
//! to its last level only. When the touch has come three quarters of
//! the way there, a new one is asked for; the book goes on meanwhile and no gap is told.
//!
//! Sizes: per symbol [`LEVELS_MAX`] levels of 24 bytes, [`UPDATES_MAX`] updates and one image,
//! reserved at start. When full the oldest updates fall off, and only an image behind them fits.
//! Ids are the venue's.

use super::super::ledger::{Scratch, take};
use crate::event::{Bbo, Body, Event, Head, Level, SNAPSHOT, WHOLE};
use crate::health::{Fault, FaultKind};
use crate::market::Side;
use crate::num::{Px, Qty};
use crate::time::Nanos;
use std::collections::VecDeque;

/// Levels kept a symbol.
const LEVELS_MAX: usize = 16_384;
/// Updates kept a symbol: 25 seconds of them.
const UPDATES_MAX: usize = 256;
/// Levels of an image, both sides.
const IMAGE_MAX: usize = 2_048;
/// Most levels of an image and everything behind it.
pub(super) const ROOM: usize = IMAGE_MAX + LEVELS_MAX;
/// Updates in a row that are known already, before their numbering is believed to have begun anew.
const BEHIND: u32 = 64;
/// An image that has not come by then is asked for again; not sooner is a new one asked for.
const AGAIN: Nanos = Nanos::seconds(10);
/// The touch nears the end of the known when this part of the way is left.
const LEFT: i64 = 4;
/// Levels a side of a full image; a side with fewer is known whole.
const FULL: usize = 1_000;

/// One level, kept or joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    price: i64,
    qty: i64,
    /// Its place in time: of equal prices the last counts.
    order: u32,
    side: Side,
}

impl Kept {
    /// Bids before asks, the best first, the newest last.
    const fn rank(&self) -> (u8, i64, u32) {
        let price = match self.side {
            Side::Buy => -self.price,
            Side::Sell => self.price,
        };
        (self.side as u8, price, self.order)
    }
}

#[derive(Debug, Clone, Copy)]
struct Update {
    update: u64,
    exch: Nanos,
    levels: u32,
}

/// One symbol's updates, and what its last image knew.
#[derive(Debug)]
struct Shelf {
    updates: VecDeque<Update>,
    levels: VecDeque<Kept>,
    /// The id that the first kept update follows: an older image does not fit.
    floor: u64,
    /// The id of the newest; 0 = none.
    newest: u64,
    /// Updates in a row that were not newer.
    behind: u32,
    /// When an image was last asked for; zero = never.
    asked: Nanos,
    /// True while one is waited for.
    wanted: bool,
    /// Best and last price of each side of the last image; 0 = known whole.
    known: [[i64; 2]; 2],
    /// The image that came before the first update, its id and stamp; none while it is empty.
    held: Vec<Kept>,
    held_at: (u64, Nanos),
}

/// What became of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    /// It has no level: no book.
    Empty,
    /// It is older than the first update kept.
    Old,
    /// It is in the scratch, as of this id.
    At(u64),
}

/// The images and updates of a decoder's symbols.
#[derive(Debug)]
pub(super) struct Depth {
    shelves: Vec<Shelf>,
    /// The image that is read.
    room: Vec<Kept>,
}

impl Depth {
    pub(super) fn new(symbols: usize) -> Self {
        let shelf = || Shelf {
            updates: VecDeque::with_capacity(UPDATES_MAX),
            levels: VecDeque::with_capacity(LEVELS_MAX),
            floor: 0,
            newest: 0,
            behind: 0,
            asked: Nanos::ZERO,
            wanted: false,
            known: [[0; 2]; 2],
            held: Vec::with_capacity(IMAGE_MAX),
            held_at: (0, Nanos::ZERO),
        };
        Self {
            shelves: (0..symbols).map(|_| shelf()).collect(),
            room: Vec::with_capacity(ROOM),
        }
    }

    /// True while a symbol's image was asked for and has not come.
    #[inline]
    pub(super) fn wants(&self, symbol: usize) -> bool {
        self.shelves.get(symbol).is_some_and(|shelf| shelf.wanted)
    }

    /// True when an image may be asked for: none was lately.
    pub(super) fn due(&self, symbol: usize, now: Nanos) -> bool {
        let lately = |shelf: &Shelf| shelf.asked != Nanos::ZERO && now.since(shelf.asked) <= AGAIN;
        self.shelves.get(symbol).is_some_and(|s| !lately(s))
    }

    /// The chain broke at this update; one that is behind what is kept says that the ids began anew.
    pub(super) fn broke(&mut self, symbol: usize, now: Nanos, update: u64) {
        if let Some(shelf) = self.shelves.get_mut(symbol)
            && update < shelf.newest
        {
            shelf.empty(0);
        }
        self.ask(symbol, now, 0);
    }

    /// An image is asked for; `from` is the id the book has reached, 0 when it has none.
    pub(super) fn ask(&mut self, symbol: usize, now: Nanos, from: u64) {
        let Some(shelf) = self.shelves.get_mut(symbol) else {
            return;
        };
        if from != 0 && !shelf.wanted {
            shelf.empty(from);
        }
        shelf.wanted = true;
        shelf.asked = now.max(Nanos::new(1));
    }

    /// Keeps an update, whose levels are given as events. One that is known already is left out;
    /// while the book `waits`, many of them in a row are believed.
    pub(super) fn keep(
        &mut self,
        head: Head,
        prev: u64,
        update: u64,
        waits: bool,
        events: &[Event],
    ) {
        let Some(shelf) = self.shelves.get_mut(usize::from(head.symbol.0)) else {
            return;
        };
        let known = update <= shelf.newest;
        shelf.behind = if known && waits { shelf.behind + 1 } else { 0 };
        if known && shelf.behind < BEHIND {
            return;
        }
        if known || prev > shelf.newest {
            // A hole, or ids that began anew: only an image behind it fits.
            shelf.empty(prev);
        }
        let over = |shelf: &Shelf| {
            shelf.updates.len() >= UPDATES_MAX || shelf.levels.len() + events.len() > LEVELS_MAX
        };
        while over(shelf) {
            // LIMIT: the oldest updates fall off; an image must then be newer than they were.
            let Some(first) = shelf.updates.pop_front() else {
                shelf.empty(update);
                return;
            };
            shelf.levels.drain(..first.levels as usize);
            shelf.floor = first.update;
        }
        for event in events {
            if let Body::Level(level) = event.body() {
                shelf.levels.push_back(Kept {
                    price: level.price.get(),
                    qty: level.qty.get(),
                    order: 0,
                    side: level.side,
                });
            }
        }
        shelf.updates.push_back(Update {
            update,
            exch: head.exch,
            levels: events.len() as u32,
        });
        shelf.newest = update;
    }

    /// Begins an image.
    pub(super) fn begin(&mut self) {
        self.room.clear();
    }

    /// Adds one level of it.
    pub(super) fn level(&mut self, side: Side, price: Px, qty: Qty) -> Result<(), Fault> {
        if self.room.len() >= IMAGE_MAX {
            return Err(Fault::new(0, FaultKind::TooLong));
        }
        self.room.push(Kept {
            price: price.get(),
            qty: qty.get(),
            order: 0,
            side,
        });
        Ok(())
    }

    /// Holds the image that was read when no update has come yet; false when one has.
    pub(super) fn hold(&mut self, symbol: usize, at: u64, exch: Nanos) -> bool {
        let Some(shelf) = self.shelves.get_mut(symbol) else {
            return false;
        };
        if shelf.newest != 0 {
            return false;
        }
        shelf.held.clear();
        shelf.held.extend_from_slice(&self.room);
        shelf.held_at = (at, exch);
        true
    }

    /// The image that was held, as if it had just been read: its id and stamp.
    pub(super) fn held(&mut self, symbol: usize) -> Option<(u64, Nanos)> {
        let shelf = self.shelves.get_mut(symbol)?;
        if shelf.held.is_empty() {
            return None;
        }
        self.room.clear();
        self.room.append(&mut shelf.held);
        Some(shelf.held_at)
    }

    /// Joins the image that was read, the state at `at`, with the updates behind it; what comes of
    /// it is in the scratch.
    pub(super) fn join(&mut self, head: Head, at: u64, scratch: &mut Scratch) -> Joined {
        let Some(shelf) = self.shelves.get_mut(usize::from(head.symbol.0)) else {
            return Joined::Empty;
        };
        if self.room.is_empty() {
            return Joined::Empty;
        }
        if at < shelf.floor {
            return Joined::Old;
        }
        shelf.known = [Side::Buy, Side::Sell].map(|side| {
            let of = |kept: &&Kept| kept.side == side;
            let rank = |kept: &&Kept| kept.rank();
            let levels = || self.room.iter().filter(of);
            let best = levels().min_by_key(rank).map_or(0, |kept| kept.price);
            let last = levels().max_by_key(rank).map_or(0, |kept| kept.price);
            if levels().count() < FULL {
                [0; 2]
            } else {
                [best, last]
            }
        });
        let mut exch = head.exch;
        let mut from = 0;
        for update in &shelf.updates {
            let levels = from..from + update.levels as usize;
            from = levels.end;
            if update.update > at {
                exch = update.exch;
                // What lies behind the image's end has holes between.
                let inside = |kept: &&Kept| {
                    let [[_, bid], [_, ask]] = shelf.known;
                    match kept.side {
                        Side::Buy => bid == 0 || kept.price >= bid,
                        Side::Sell => ask == 0 || kept.price <= ask,
                    }
                };
                self.room.extend(shelf.levels.range(levels).filter(inside));
            }
        }
        for (order, kept) in self.room.iter_mut().enumerate() {
            kept.order = order as u32;
        }
        self.room.sort_unstable_by_key(Kept::rank);
        let newest = shelf.newest.max(at);
        let mut rest = self.room.iter().peekable();
        while let Some(kept) = rest.next() {
            let again = rest
                .peek()
                .is_some_and(|next| (next.side, next.price) == (kept.side, kept.price));
            if again || kept.qty == 0 {
                continue;
            }
            let level = Level {
                price: Px::new(kept.price),
                qty: Qty::new(kept.qty),
                side: kept.side,
                update: newest,
            };
            // The book must not take the last of a small market's levels for an end: what comes behind it is told.
            let whole = shelf.known[kept.side as usize] == [0; 2];
            let bits = SNAPSHOT | if whole { WHOLE } else { 0 };
            let head = Head { exch, bits, ..head };
            scratch.push(Event::new(head, Body::Level(level)));
        }
        shelf.empty(0);
        shelf.wanted = false;
        Joined::At(newest)
    }

    /// True when the touch has come close to the end of what the last image knew.
    #[inline]
    pub(super) fn is_near(&self, symbol: usize, touch: &Bbo) -> bool {
        let Some(shelf) = self.shelves.get(symbol) else {
            return false;
        };
        let near = |[best, last]: [i64; 2], now: i64, way: i64| {
            last != 0 && now != 0 && way * (now - last) <= way * (best - last) / LEFT
        };
        let [bids, asks] = shelf.known;
        near(bids, touch.bid.get(), 1) || near(asks, touch.ask.get(), -1)
    }

    /// Forgets everything of the connections.
    pub(super) fn forget(&mut self) {
        for shelf in &mut self.shelves {
            shelf.empty(0);
            shelf.asked = Nanos::ZERO;
            shelf.wanted = false;
            shelf.known = [[0; 2]; 2];
            shelf.held.clear();
        }
    }

    /// Appends what is kept.
    pub(super) fn remember(&self, out: &mut Vec<u8>) {
        for shelf in &self.shelves {
            let words = [
                shelf.floor,
                shelf.newest,
                u64::from(shelf.behind),
                shelf.asked.get() as u64,
                u64::from(shelf.wanted),
                shelf.updates.len() as u64,
                shelf.levels.len() as u64,
                shelf.held.len() as u64,
                shelf.held_at.0,
                shelf.held_at.1.get() as u64,
            ];
            let known = shelf.known.iter().flatten().map(|price| *price as u64);
            put(out, words.into_iter().chain(known));
            for update in &shelf.updates {
                let levels = u64::from(update.levels);
                put(out, [update.update, update.exch.get() as u64, levels]);
            }
            for kept in shelf.levels.iter().chain(&shelf.held) {
                put(out, [kept.price as u64, kept.qty as u64, kept.side as u64]);
            }
        }
    }

    /// Takes back what [`Depth::remember`] gave; `None` when it does not fit.
    pub(super) fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        for shelf in &mut self.shelves {
            shelf.empty(0);
            shelf.floor = word(from)?;
            shelf.newest = word(from)?;
            shelf.behind = u32::try_from(word(from)?).ok()?;
            shelf.asked = Nanos::new(word(from)? as i64);
            shelf.wanted = word(from)? != 0;
            let updates = usize::try_from(word(from)?).ok()?;
            let levels = usize::try_from(word(from)?).ok()?;
            let held = usize::try_from(word(from)?).ok()?;
            if updates > UPDATES_MAX || levels > LEVELS_MAX || held > IMAGE_MAX {
                return None;
            }
            shelf.held_at = (word(from)?, Nanos::new(word(from)? as i64));
            for price in shelf.known.iter_mut().flatten() {
                *price = word(from)? as i64;
            }
            let mut sum = 0;
            for _ in 0..updates {
                let update = Update {
                    update: word(from)?,
                    exch: Nanos::new(word(from)? as i64),
                    levels: u32::try_from(word(from)?).ok()?,
                };
                sum += update.levels as usize;
                shelf.updates.push_back(update);
            }
            if sum != levels {
                return None;
            }
            for _ in 0..levels {
                shelf.levels.push_back(kept(from)?);
            }
            shelf.held.clear();
            for _ in 0..held {
                shelf.held.push(kept(from)?);
            }
        }
        Some(())
    }
}

impl Shelf {
    /// Keeps nothing; the next update kept follows `from`.
    fn empty(&mut self, from: u64) {
        self.updates.clear();
        self.levels.clear();
        self.floor = from;
        self.newest = from;
        self.behind = 0;
    }
}

fn put(out: &mut Vec<u8>, words: impl IntoIterator<Item = u64>) {
    for word in words {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

fn word(from: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*take::<8>(from)?))
}

fn kept(from: &mut &[u8]) -> Option<Kept> {
    Some(Kept {
        price: word(from)? as i64,
        qty: word(from)? as i64,
        order: 0,
        side: Side::from_u8(u8::try_from(word(from)?).ok()?),
    })
}
