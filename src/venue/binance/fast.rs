//! The fast road: each kind of frame in the order its fields stand today, numbers and literals
//! straight from the bytes; wrapped in `{"stream":…,"data":…}` or bare.
//!
//! Every byte that is not a skipped value is compared, and a skipped value (the stream's name, `nq`,
//! `ap`, `P`, `ps`) is checked to be plain ASCII without escapes, so what is accepted here is what
//! the tolerant road accepts, with the same events. Anything else is `None`, never a guess: the
//! caller takes the tolerant road with the same bytes. Windows start where the previous field ended;
//! a frame is only believed when its last field ends where the frame does.
//!
//! ```text
//! aggTrade    e E [s a | a s] p q [nq] f l T m [st]
//! depthUpdate e E T s U u pu b a [ps] [st]
//! bookTicker  e u s [ps] b B a A T E [st]
//! markPrice   e E s p [ap] [P] i [P] r T [st]
//! forceOrder  e E o{ s S o f q p ap X l z T [ps] [st] }
//! ```

use super::super::index::{Index, long_key};
use super::super::ledger::Scratch;
use super::{Line, Parsed, What};
use crate::event::{Bbo, Body, Event, Funding, Head, Level, Liquidation, Trade};
use crate::market::{Holder, Side, SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::cursor::differs;
use crate::wire::decimal::{Decimal, Shape, fix};
use crate::wire::scan::{Job, Scan, Sink, levels, levels_any, millis};
use crate::wire::{Frame, Window};

/// One frame to read.
pub(super) struct Fast<'a> {
    pub(super) recv: Nanos,
    pub(super) frame: &'a Frame<'a>,
    pub(super) lines: &'a [Line],
    pub(super) symbols: &'a Index,
    pub(super) scratch: &'a mut Scratch,
}

/// A symbol found, and the place behind its name.
struct Found<'a> {
    symbol: usize,
    line: &'a Line,
    end: usize,
}

impl Job for Fast<'_> {
    type Out = Option<Parsed>;

    #[inline(always)]
    fn run<S: Scan>(self, scan: S) -> Option<Parsed> {
        let front = self.frame.window(0)?;
        let mut wrapped = None;
        let mut at = 0;
        if differs(front, 0, b"{\"stream\":\"") == 0 {
            let end = (scan.find(front, b'"') >> 11).trailing_zeros() as usize + 11;
            if end >= 64
                || differs(front, end, b"\",\"data\":") | scan.odd(front) & ((1 << end) - 1) != 0
            {
                return None;
            }
            wrapped = Some(end);
            at = end + 9;
        }
        let window = self.frame.window(at)?;
        if differs(window, 0, b"{\"e\":\"") != 0 {
            return None;
        }
        let tail = if wrapped.is_some() { 2 } else { 1 };
        // Kinds differ in their first letter; the rest is compared.
        match window[6] {
            b'a' => self.trade(scan, at, tail),
            b'b' => self.touch(scan, at, tail),
            b'd' => {
                if let Some(end) = wrapped {
                    // Of `depth20` and `rpiDepth` it is a part, or another book.
                    let name = scan.find(front, b'@').trailing_zeros() as usize;
                    let behind = front[(name + 6) & 127];
                    let whole = name + 6 == end || behind == b'@';
                    if name >= end || differs(front, name, b"@depth") != 0 || !whole {
                        return None;
                    }
                }
                self.book(scan, at, tail)
            }
            b'f' => self.print(scan, at, tail),
            b'm' => self.values(scan, at, tail),
            _ => None,
        }
    }
}

impl<'a> Fast<'a> {
    #[inline(always)]
    fn head(&self, found: &Found<'_>, exch: i64) -> Head {
        Head {
            recv: self.recv,
            exch: Nanos::millis(exch),
            venue: VenueId::BINANCE,
            symbol: SymbolId(found.symbol as u16),
            bits: 0,
        }
    }

    /// The window at `at` and the place where its field's value begins, behind this literal.
    #[inline(always)]
    fn behind<const N: usize>(&self, at: usize, literal: &[u8; N]) -> Option<&'a Window> {
        let window = self.frame.window(at)?;
        (differs(window, 0, literal) == 0).then_some(window)
    }

    /// Where a text that begins behind this literal ends: the window, and the place of its quote.
    #[inline(always)]
    fn text<S: Scan, const N: usize>(
        &self,
        scan: S,
        at: usize,
        literal: &[u8; N],
    ) -> Option<(&'a Window, usize)> {
        let window = self.behind(at, literal)?;
        let end = (scan.find(window, b'"') >> N).trailing_zeros() as usize + N;
        (end < 64).then_some((window, end))
    }

    /// The place behind a text that is not looked at.
    #[inline(always)]
    fn skip<S: Scan, const N: usize>(
        &self,
        scan: S,
        at: usize,
        literal: &[u8; N],
    ) -> Option<usize> {
        let (window, end) = self.text(scan, at, literal)?;
        (scan.odd(window) & ((1 << end) - 1) == 0).then_some(at + end + 1)
    }

    /// A number in quotes, and the place behind it.
    #[inline(always)]
    fn number<S: Scan, const N: usize>(
        &self,
        scan: S,
        at: usize,
        literal: &[u8; N],
    ) -> Option<(Decimal, usize)> {
        let (window, end) = self.text(scan, at, literal)?;
        Some((scan.decimal(window, N, end - N)?, at + end + 1))
    }

    /// A whole number without quotes, and the place behind it.
    #[inline(always)]
    fn whole<S: Scan, const N: usize>(
        &self,
        scan: S,
        at: usize,
        literal: &[u8; N],
    ) -> Option<(u64, usize)> {
        let (value, len) = scan.uint(self.behind(at, literal)?, N)?;
        Some((value, at + N + len))
    }

    /// A stamp, and the place behind it.
    #[inline(always)]
    fn stamp<S: Scan, const N: usize>(
        &self,
        scan: S,
        at: usize,
        literal: &[u8; N],
    ) -> Option<(i64, usize)> {
        let value = millis(scan, self.behind(at, literal)?, N)?;
        Some((value, at + N + 13))
    }

    /// The symbol behind this literal.
    #[inline(always)]
    fn symbol<S: Scan, const N: usize>(
        &self,
        scan: S,
        at: usize,
        literal: &[u8; N],
    ) -> Option<Found<'a>> {
        let (window, end) = self.text(scan, at, literal)?;
        let len = end - N;
        if len > Index::KEY {
            return None;
        }
        let symbol = self.symbols.find(long_key(window, N, len))?;
        Some(Found {
            symbol,
            line: self.lines.get(symbol)?,
            end: at + end + 1,
        })
    }

    /// True when nothing but `,"ps":"…"`, `,"st":1` (each if at all) and `braces` closing braces are
    /// left.
    #[inline(always)]
    fn ends<S: Scan>(&self, scan: S, at: usize, braces: usize) -> Option<()> {
        let mut at = self.skip(scan, at, b",\"ps\":\"").unwrap_or(at);
        let mut window = self.frame.window(at)?;
        if differs(window, 0, b",\"st\":1") == 0 {
            at += 7;
            window = self.frame.window(at)?;
        }
        let unlike = match braces {
            1 => differs(window, 0, b"}"),
            2 => differs(window, 0, b"}}"),
            _ => differs(window, 0, b"}}}"),
        };
        (unlike == 0 && at + braces == self.frame.len()).then_some(())
    }

    #[inline(always)]
    fn price(decimal: Decimal, line: &Line) -> Option<Px> {
        let px = fix(decimal, line.px_target).ok()?;
        (px > 0).then_some(Px::new(px))
    }

    #[inline(always)]
    fn qty(decimal: Decimal, line: &Line) -> Option<Qty> {
        fix(decimal, line.qty_target).ok().map(Qty::new)
    }

    /// What is learned of a price and a quantity, when it is new.
    #[inline(always)]
    fn learned(line: &Line, price: Decimal, qty: Decimal) -> Option<(u32, u32)> {
        let (px, sz) = (price.places, qty.places);
        let known = line.shapes.as_ref();
        let same = known.is_some_and(|(p, q)| p.places() == px && q.places() == sz);
        (!same).then_some((px, sz))
    }

    #[inline(always)]
    fn trade<S: Scan>(self, scan: S, at: usize, tail: usize) -> Option<Parsed> {
        let (_, at) = self.stamp(scan, at + 6, b"aggTrade\",\"E\":")?;
        let (found, id, at) = if let Some((id, at)) = self.whole(scan, at, b",\"a\":") {
            let found = self.symbol(scan, at, b",\"s\":\"")?;
            let at = found.end;
            (found, id, at)
        } else {
            let found = self.symbol(scan, at, b",\"s\":\"")?;
            let (id, at) = self.whole(scan, found.end, b",\"a\":")?;
            (found, id, at)
        };
        let (price, at) = self.number(scan, at, b",\"p\":\"")?;
        let (qty, at) = self.number(scan, at, b",\"q\":\"")?;
        let at = self.skip(scan, at, b",\"nq\":\"").unwrap_or(at);
        let (_, at) = self.whole(scan, at, b",\"f\":")?;
        let (_, at) = self.whole(scan, at, b",\"l\":")?;
        let (stamp, at) = self.stamp(scan, at, b",\"T\":")?;
        let window = self.behind(at, b",\"m\":")?;
        let (side, len) = if differs(window, 5, b"false") == 0 {
            (Side::Buy, 5)
        } else if differs(window, 5, b"true") == 0 {
            (Side::Sell, 4)
        } else {
            return None;
        };
        self.ends(scan, at + 5 + len, tail)?;
        let trade = Trade {
            price: Self::price(price, found.line)?,
            qty: Self::qty(qty, found.line)?,
            side,
            id,
            accounts: [0; 2],
        };
        let head = self.head(&found, stamp);
        self.scratch.push(Event::new(head, Body::Trade(trade)));
        Some(Parsed {
            symbol: found.symbol,
            exch: head.exch,
            what: What::Aggregate,
            learned: Self::learned(found.line, price, qty),
        })
    }

    #[inline(always)]
    fn touch<S: Scan>(self, scan: S, at: usize, tail: usize) -> Option<Parsed> {
        let (_, at) = self.whole(scan, at + 6, b"bookTicker\",\"u\":")?;
        let found = self.symbol(scan, at, b",\"s\":\"")?;
        let at = self
            .skip(scan, found.end, b",\"ps\":\"")
            .unwrap_or(found.end);
        let (bid, at) = self.number(scan, at, b",\"b\":\"")?;
        let (bid_qty, at) = self.number(scan, at, b",\"B\":\"")?;
        let (ask, at) = self.number(scan, at, b",\"a\":\"")?;
        let (ask_qty, at) = self.number(scan, at, b",\"A\":\"")?;
        let (stamp, at) = self.stamp(scan, at, b",\"T\":")?;
        let (_, at) = self.stamp(scan, at, b",\"E\":")?;
        self.ends(scan, at, tail)?;
        let bbo = Bbo {
            bid: Self::price(bid, found.line)?,
            bid_qty: Self::qty(bid_qty, found.line)?,
            ask: Self::price(ask, found.line)?,
            ask_qty: Self::qty(ask_qty, found.line)?,
        };
        let head = self.head(&found, stamp);
        self.scratch.push(Event::new(head, Body::Bbo(bbo)));
        Some(Parsed {
            symbol: found.symbol,
            exch: head.exch,
            what: What::Touch,
            learned: Some((
                bid.places.max(ask.places),
                bid_qty.places.max(ask_qty.places),
            )),
        })
    }

    #[inline(always)]
    fn values<S: Scan>(self, scan: S, at: usize, tail: usize) -> Option<Parsed> {
        let window = self.behind(at, b"{\"e\":\"markPrice")?;
        let stamp = millis(scan, window, 27)?;
        if differs(window, 15, b"Update\",\"E\":") != 0 {
            return None;
        }
        let found = self.symbol(scan, at + 40, b",\"s\":\"")?;
        let (mark, at) = self.number(scan, found.end, b",\"p\":\"")?;
        let at = self.skip(scan, at, b",\"ap\":\"").unwrap_or(at);
        let early = self.skip(scan, at, b",\"P\":\"");
        let (index, at) = self.number(scan, early.unwrap_or(at), b",\"i\":\"")?;
        let at = match early {
            Some(_) => at,
            None => self.skip(scan, at, b",\"P\":\"").unwrap_or(at),
        };
        let (window, end) = self.text(scan, at, b",\"r\":\"")?;
        let negative = window[6] == b'-';
        let from = 6 + usize::from(negative);
        // Absent is no number: the tolerant road reads it.
        let rate = Decimal {
            negative,
            ..scan.decimal(window, from, end.checked_sub(from)?)?
        };
        let (next, at) = self.whole(scan, at + end + 1, b",\"T\":")?;
        self.ends(scan, at, tail)?;
        if next >= 10_000_000_000_000 {
            return None;
        }
        let line = found.line;
        let funding = Funding {
            rate_e12: fix(rate, 12).ok()?,
            next: Nanos::millis(next as i64),
            interval: line.own.interval,
        };
        let (mark, index) = (Self::price(mark, line)?, Self::price(index, line)?);
        let head = self.head(&found, stamp);
        for body in [Body::Mark(mark), Body::Index(index), Body::Funding(funding)] {
            self.scratch.push(Event::new(head, body));
        }
        Some(Parsed {
            symbol: found.symbol,
            exch: head.exch,
            what: What::Values,
            learned: None,
        })
    }

    #[inline(always)]
    fn print<S: Scan>(self, scan: S, at: usize, tail: usize) -> Option<Parsed> {
        let (_, at) = self.stamp(scan, at + 6, b"forceOrder\",\"E\":")?;
        let found = self.symbol(scan, at, b",\"o\":{\"s\":\"")?;
        let window = self.behind(found.end, b",\"S\":\"")?;
        let (holder, len) = if differs(window, 6, b"SELL\"") == 0 {
            (Holder::Long, 5)
        } else if differs(window, 6, b"BUY\"") == 0 {
            (Holder::Short, 4)
        } else {
            return None;
        };
        let at = self.skip(scan, found.end + 6 + len, b",\"o\":\"")?;
        let at = self.skip(scan, at, b",\"f\":\"")?;
        let at = self.skip(scan, at, b",\"q\":\"")?;
        let at = self.skip(scan, at, b",\"p\":\"")?;
        let (price, at) = self.number(scan, at, b",\"ap\":\"")?;
        let at = self.skip(scan, at, b",\"X\":\"")?;
        let at = self.skip(scan, at, b",\"l\":\"")?;
        let (qty, at) = self.number(scan, at, b",\"z\":\"")?;
        let (stamp, at) = self.stamp(scan, at, b",\"T\":")?;
        self.ends(scan, at, tail + 1)?;
        let liquidation = Liquidation {
            price: Self::price(price, found.line)?,
            qty: Self::qty(qty, found.line)?,
            holder,
        };
        // Nothing was filled: the tolerant road knows what that means.
        if liquidation.qty == Qty::ZERO {
            return None;
        }
        let head = self.head(&found, stamp);
        self.scratch
            .push(Event::new(head, Body::Liquidation(liquidation)));
        Some(Parsed {
            symbol: found.symbol,
            exch: head.exch,
            what: What::Print,
            learned: None,
        })
    }

    #[inline(always)]
    fn book<S: Scan>(self, scan: S, at: usize, tail: usize) -> Option<Parsed> {
        self.behind(at + 6, b"depthUpdate\",")?;
        let (_, at) = self.stamp(scan, at + 19, b"\"E\":")?;
        let (stamp, at) = self.stamp(scan, at, b",\"T\":")?;
        let found = self.symbol(scan, at, b",\"s\":\"")?;
        let (_, at) = self.whole(scan, found.end, b",\"U\":")?;
        let (update, at) = self.whole(scan, at, b",\"u\":")?;
        let (prev, at) = self.whole(scan, at, b",\"pu\":")?;
        self.behind(at, b",\"b\":[")?;
        let head = self.head(&found, stamp);
        let mut sides = Sides {
            head,
            side: Side::Buy,
            update,
            line: found.line,
            seen: (0, 0),
            scratch: &mut *self.scratch,
        };
        // No closures around `levels`: one that is not inlined is compiled without the instruction
        // set.
        let known = match found.line.shapes.as_ref() {
            Some((px, qty)) => sides.known(scan, self.frame, at + 6, (px, qty)),
            None => None,
        };
        let mut learned = None;
        let end = match known {
            Some(end) => end,
            None => {
                // The places are not known yet or have changed: search the dots, and learn.
                sides.scratch.clear();
                sides.side = Side::Buy;
                let middle = levels_any(scan, self.frame, at + 6, |p, q| sides.learn(p, q))?;
                sides.side = Side::Sell;
                let from = asks(self.frame, middle)?;
                let end = levels_any(scan, self.frame, from, |p, q| sides.learn(p, q))?;
                learned = (sides.scratch.used > 0).then_some(sides.seen);
                end
            }
        };
        self.ends(scan, end, tail)?;
        Some(Parsed {
            symbol: found.symbol,
            exch: head.exch,
            what: What::Book { prev, update },
            learned,
        })
    }
}

/// The place behind `,"a":[`.
#[inline(always)]
fn asks(frame: &Frame<'_>, at: usize) -> Option<usize> {
    (differs(frame.window(at)?, 0, b",\"a\":[") == 0).then_some(at + 6)
}

/// Writes a book's sides.
struct Sides<'a> {
    head: Head,
    side: Side,
    update: u64,
    line: &'a Line,
    /// Most places, when dots are searched.
    seen: (u32, u32),
    scratch: &'a mut Scratch,
}

impl Sink for Sides<'_> {
    #[inline(always)]
    fn level(&mut self, price: i64, qty: i64) {
        let level = Level {
            price: Px::new(price),
            qty: Qty::new(qty),
            side: self.side,
            update: self.update,
        };
        self.scratch.push(Event::new(self.head, Body::Level(level)));
    }
}

impl Sides<'_> {
    /// Both sides from `start` in known shapes.
    #[inline(always)]
    fn known<S: Scan>(
        &mut self,
        scan: S,
        frame: &Frame<'_>,
        start: usize,
        shapes: (&Shape, &Shape),
    ) -> Option<usize> {
        let middle = levels(scan, frame, start, shapes, self)?;
        self.side = Side::Sell;
        levels(scan, frame, asks(frame, middle)?, shapes, self)
    }

    fn learn(&mut self, price: Decimal, qty: Decimal) -> Option<()> {
        self.seen = (self.seen.0.max(price.places), self.seen.1.max(qty.places));
        let price = Fast::price(price, self.line)?;
        let qty = Fast::qty(qty, self.line)?;
        self.level(price.get(), qty.get());
        Some(())
    }
}
