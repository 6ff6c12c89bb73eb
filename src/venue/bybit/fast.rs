//! The fast road: each channel in the order its fields stand today, numbers and literals straight
//! from the bytes.
//!
//! Every byte that is not a skipped value is compared, and a skipped value (`L`, unknown ticker
//! fields) is checked to be plain ASCII without escapes, so what is accepted here is what the
//! tolerant road accepts, with the same events. Anything else is `None`, never a guess: the caller
//! takes the tolerant road with the same bytes. Windows start where the previous field ended; a
//! frame is only believed when its last field ends where the frame does.

use super::super::index::{Index, long_key};
use super::super::ledger::Scratch;
use super::super::text_id;
use super::{Field, Line, Parsed, Patch, What, image_bits};
use crate::event::{Body, Event, Head, Level, Liquidation, Trade};
use crate::market::{Holder, Side, SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::cursor::{differs, word};
use crate::wire::decimal::{Decimal, Shape, fix};
use crate::wire::scan::{Job, Scan, Sink, levels, levels_any, millis};
use crate::wire::{Frame, Window};

/// One frame to read.
pub(super) struct Fast<'a> {
    pub(super) recv: Nanos,
    pub(super) frame: &'a Frame<'a>,
    pub(super) lines: &'a [Line],
    pub(super) symbols: &'a Index,
    pub(super) fields: &'a Index,
    pub(super) scratch: &'a mut Scratch,
}

/// What the topic told.
struct Topic<'a> {
    symbol: usize,
    line: &'a Line,
    /// The name as a key, and its length.
    name: [u64; 3],
    len: usize,
    /// Where the name ends.
    end: usize,
}

/// The place behind a `}` that is followed by `,` (`Some(false)`), or by `]}` and the end of the
/// frame (`Some(true)`).
#[inline(always)]
fn row_end(window: &Window, at: usize, frame: &Frame<'_>, base: usize) -> Option<bool> {
    let tail = word(window, at);
    if tail as u16 == u16::from_le_bytes(*b"},") {
        return Some(false);
    }
    let closed = differs(window, at, b"}]}") == 0 && base + at + 3 == frame.len();
    closed.then_some(true)
}

impl Job for Fast<'_> {
    type Out = Option<Parsed>;

    #[inline(always)]
    fn run<S: Scan>(self, scan: S) -> Option<Parsed> {
        let front = self.frame.window(0)?;
        if differs(front, 0, b"{\"topic\":\"") != 0 {
            return None;
        }
        let quote = (scan.find(front, b'"') >> 10).trailing_zeros() as usize;
        let end = quote + 10;
        if end >= 64 {
            return None;
        }
        let dots = scan.find(front, b'.') & ((1 << end) - 1);
        let at = 64 - dots.leading_zeros() as usize;
        let len = end - at;
        if len > Index::KEY || at < 18 {
            return None;
        }
        let name = long_key(front, at, len);
        let symbol = self.symbols.find(name)?;
        let line = self.lines.get(symbol)?;
        let topic = Topic {
            symbol,
            line,
            name,
            len,
            end,
        };
        // Channels differ in their first letter; the rest is compared.
        match front[10] {
            b'o' if differs(front, 10, b"orderbook.") == 0 => {
                let digits = (20..at - 1).all(|i| front[i & 63].is_ascii_digit());
                if !digits || !(22..=25).contains(&at) {
                    return None;
                }
                self.book(scan, &topic)
            }
            b'p' if differs(front, 10, b"publicTrade.") == 0 && at == 22 => {
                self.trades(scan, &topic)
            }
            b't' if differs(front, 10, b"tickers.") == 0 && at == 18 => self.ticker(scan, &topic),
            b'a' if differs(front, 10, b"allLiquidation.") == 0 && at == 25 => {
                self.liquidations(scan, &topic)
            }
            _ => None,
        }
    }
}

impl Fast<'_> {
    #[inline(always)]
    fn head(&self, topic: &Topic<'_>, exch: i64, bits: u8) -> Head {
        Head {
            recv: self.recv,
            exch: Nanos::millis(exch),
            venue: VenueId::BYBIT,
            symbol: SymbolId(topic.symbol as u16),
            bits,
        }
    }

    /// `","type":"snapshot","ts":1786310819681,"data":[`: gives the stamp and the place of the
    /// first row.
    #[inline(always)]
    fn rows<S: Scan>(&self, scan: S, topic: &Topic<'_>) -> Option<(i64, usize)> {
        let window = self.frame.window(topic.end)?;
        let unlike = differs(window, 0, b"\",\"type\":\"")
            | differs(window, 10, b"snapshot\",\"ts\":")
            | differs(window, 38, b",\"data\":[");
        let stamp = millis(scan, window, 25)?;
        (unlike == 0).then_some((stamp, topic.end + 47))
    }

    /// `{"T":1786310819680,"s":"BTCUSDT","S":"`: gives the stamp and the place of the side.
    #[inline(always)]
    fn row<S: Scan>(&self, scan: S, topic: &Topic<'_>, at: usize) -> Option<(i64, usize)> {
        let window = self.frame.window(at)?;
        let stamp = millis(scan, window, 5)?;
        let fine =
            differs(window, 0, b"{\"T\":") == 0 && scan.holds(window, 18, &topic.line.own.row);
        fine.then_some((stamp, at + 18 + topic.line.own.row.len()))
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

    #[inline(always)]
    fn trades<S: Scan>(mut self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        if let Some(shapes) = topic.line.shapes.as_ref()
            && let Some(parsed) = self.trades_as(scan, topic, Some(shapes))
        {
            return Some(parsed);
        }
        self.scratch.clear();
        self.trades_as(scan, topic, None)
    }

    #[inline(always)]
    fn trades_as<S: Scan>(
        &mut self,
        scan: S,
        topic: &Topic<'_>,
        shapes: Option<&(Shape, Shape)>,
    ) -> Option<Parsed> {
        let (sent, mut at) = self.rows(scan, topic)?;
        let mut numbers = Numbers::new(scan, topic.line, shapes);
        let mut unlike = 0;
        loop {
            let (stamp, side_at) = self.row(scan, topic, at)?;
            let window = self.frame.window(side_at)?;
            let (side, v) = side(window)?;
            let p_end = numbers.ends(scan, window, v)?;
            let (id, next) = self.tail(scan, side_at + p_end, &mut unlike)?;
            let trade = Trade {
                price: Px::new(numbers.price),
                qty: Qty::new(numbers.qty),
                side,
                id,
                accounts: [0; 2],
            };
            let head = self.head(topic, stamp, 0);
            self.scratch.push(Event::new(head, Body::Trade(trade)));
            match next {
                Next::Row(next) => at = next,
                Next::End => break,
            }
        }
        (unlike == 0 && numbers.fine(scan)).then_some(Parsed {
            symbol: topic.symbol,
            exch: Nanos::millis(sent),
            what: What::Trades,
            learned: numbers.learned(),
        })
    }

    /// `","L":"MinusTick","i":"<36>","BT":false,"RPI":false,"seq":753843954913}`: gives the id and
    /// what follows.
    #[inline(always)]
    fn tail<S: Scan>(&self, scan: S, at: usize, unlike: &mut u64) -> Option<(u64, Next)> {
        let window = self.frame.window(at)?;
        let l_end = (scan.find(window, b'"') >> 7).trailing_zeros() as usize + 7;
        if l_end >= 64 {
            return None;
        }
        *unlike |= differs(window, 0, b"\",\"L\":\"")
            | differs(window, l_end, b"\",\"i\":\"")
            | scan.odd(window) & ((1 << l_end) - 1);
        let base = at + l_end + 7;
        let window = self.frame.window(base)?;
        // The id is 36 characters up to the first quote, none of them odd.
        let quotes = scan.find(window, b'"');
        *unlike |= u64::from(quotes.trailing_zeros() != 36) | scan.odd(window) & ((1 << 36) - 1);
        let id = text_id(&window[..36]);
        let mut seq = 67;
        if differs(window, 36, b"\",\"BT\":false,\"RP") | differs(window, 52, b"I\":false,\"seq\":")
            != 0
        {
            let block = boolean(window, 43)?;
            *unlike |= differs(window, 36, b"\",\"BT\":") | differs(window, block, b",\"RPI\":");
            let rpi = boolean(window, block + 7)?;
            *unlike |= differs(window, rpi, b",\"seq\":");
            seq = rpi + 7;
        }
        let (_, digits) = scan.uint(window, seq)?;
        let end = seq + digits;
        Some(if row_end(window, end, self.frame, base)? {
            (id, Next::End)
        } else {
            (id, Next::Row(base + end + 2))
        })
    }

    #[inline(always)]
    fn liquidations<S: Scan>(mut self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        if let Some(shapes) = topic.line.shapes.as_ref()
            && let Some(parsed) = self.liquidations_as(scan, topic, Some(shapes))
        {
            return Some(parsed);
        }
        self.scratch.clear();
        self.liquidations_as(scan, topic, None)
    }

    #[inline(always)]
    fn liquidations_as<S: Scan>(
        &mut self,
        scan: S,
        topic: &Topic<'_>,
        shapes: Option<&(Shape, Shape)>,
    ) -> Option<Parsed> {
        let (sent, mut at) = self.rows(scan, topic)?;
        let mut numbers = Numbers::new(scan, topic.line, shapes);
        loop {
            let (stamp, side_at) = self.row(scan, topic, at)?;
            let window = self.frame.window(side_at)?;
            let (position, v) = side(window)?;
            let p_end = numbers.ends(scan, window, v)?;
            let liquidation = Liquidation {
                price: Px::new(numbers.price),
                qty: Qty::new(numbers.qty),
                // The side of the position that died.
                holder: match position {
                    Side::Buy => Holder::Long,
                    Side::Sell => Holder::Short,
                },
            };
            let head = self.head(topic, stamp, 0);
            self.scratch
                .push(Event::new(head, Body::Liquidation(liquidation)));
            if row_end(window, p_end + 1, self.frame, side_at)? {
                break;
            }
            at = side_at + p_end + 3;
        }
        numbers.fine(scan).then_some(Parsed {
            symbol: topic.symbol,
            exch: Nanos::millis(sent),
            what: What::Liquidations,
            learned: numbers.learned(),
        })
    }

    #[inline(always)]
    fn book<S: Scan>(self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        let tail = self.book_tail(scan)?;
        let window = self.frame.window(topic.end)?;
        let snapshot = window[10] == b's';
        let ts = if snapshot { 25 } else { 22 };
        let data = ts + 13;
        let list = data + 14 + topic.len + 7;
        let unlike = differs(window, 0, b"\",\"type\":\"")
            | if snapshot {
                differs(window, 10, b"snapshot\",\"ts\":")
            } else {
                differs(window, 10, b"delta\",\"ts\":")
            }
            | differs(window, data, b",\"data\":{\"s\":\"")
            | differs(window, list - 7, b"\",\"b\":[");
        millis(scan, window, ts)?;
        if unlike != 0 || long_key(window, data + 14, topic.len) != topic.name {
            return None;
        }
        let start = topic.end + list;
        let image = snapshot || tail.update == 1;
        let head = self.head(topic, tail.stamp, image_bits(image));
        let mut learned = None;
        let frame = self.frame;
        let mut sides = Sides {
            head,
            side: Side::Buy,
            update: tail.update,
            line: topic.line,
            seen: (0, 0),
            scratch: self.scratch,
        };
        // No closures around `levels`: one that is not inlined is compiled without the instruction
        // set.
        let known = match topic.line.shapes.as_ref() {
            Some((px, qty)) => sides.known(scan, frame, start, (px, qty)),
            None => None,
        };
        let end = match known {
            Some(end) => end,
            None => {
                // The places are not known yet or have changed: search the dots, and learn.
                sides.scratch.clear();
                sides.side = Side::Buy;
                let middle = levels_any(scan, frame, start, |p, q| sides.learn(p, q))?;
                sides.side = Side::Sell;
                let at = asks(frame, middle)?;
                let end = levels_any(scan, frame, at, |p, q| sides.learn(p, q))?;
                learned = Some(sides.seen);
                end
            }
        };
        (end == tail.start).then_some(Parsed {
            symbol: topic.symbol,
            exch: Nanos::millis(tail.stamp),
            what: What::Book {
                image,
                update: tail.update,
            },
            learned,
        })
    }

    /// Reads a book's end backwards: its stamp and update id belong to every level, so they are
    /// wanted first.
    /// `,"u":15076953,"seq":753843913870},"cts":1786310818129}`
    #[inline(always)]
    fn book_tail<S: Scan>(&self, scan: S) -> Option<Tail> {
        let base = self.frame.len().checked_sub(80)?;
        let window = self.frame.window(base)?;
        let stamp = millis(scan, window, 66)?;
        let colons = scan.find(window, b':') & ((1 << 58) - 1);
        let seq = 63usize.checked_sub(colons.leading_zeros() as usize)?;
        let before = colons & !(1 << seq);
        let u = 63usize.checked_sub(before.leading_zeros() as usize)?;
        let start = u.checked_sub(4)?;
        let (_, seq_len) = scan.uint(window, seq + 1)?;
        let (update, u_len) = scan.uint(window, u + 1)?;
        let unlike = differs(window, 58, b"},\"cts\":")
            | differs(window, 79, b"}")
            | differs(window, seq.checked_sub(6)?, b",\"seq\":")
            | differs(window, start, b",\"u\":");
        let fine = unlike == 0 && seq + 1 + seq_len == 58 && u + 1 + u_len == seq - 6;
        fine.then_some(Tail {
            stamp,
            update,
            start: base + start,
        })
    }

    #[inline(always)]
    fn ticker<S: Scan>(self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        let window = self.frame.window(topic.end)?;
        let kind = if window[10] == b's' { 8 } else { 5 };
        let unlike = differs(window, 0, b"\",\"type\":\"")
            | if kind == 8 {
                differs(window, 10, b"snapshot")
            } else {
                differs(window, 10, b"delta")
            }
            | differs(window, 10 + kind, b"\",\"data\":")
            | differs(window, 19 + kind, b"{\"symbol\":\"");
        let name = 30 + kind;
        let after = name + topic.len;
        if unlike != 0
            || long_key(window, name, topic.len) != topic.name
            || window[after & 63] != b'"'
        {
            return None;
        }
        let mut patch = Patch::default();
        let mut places = (0, 0);
        let mut at = topic.end + after + 1;
        while self.frame.window(at)?[0] == b',' {
            at = self.pair(scan, topic.line, at + 1, &mut patch, &mut places)?;
        }
        // `},"cs":753843907770,"ts":1786310817883}`
        let window = self.frame.window(at)?;
        let (_, digits) = scan.uint(window, 7)?;
        let ts = 7 + digits + 6;
        let stamp = millis(scan, window, ts)?;
        let unlike = differs(window, 0, b"},\"cs\":")
            | differs(window, 7 + digits, b",\"ts\":")
            | differs(window, ts + 13, b"}");
        let fine = unlike == 0 && at + ts + 14 == self.frame.len();
        fine.then_some(Parsed {
            symbol: topic.symbol,
            exch: Nanos::millis(stamp),
            what: What::Ticker(patch),
            learned: Some(places),
        })
    }

    /// Reads `"key":"value"` at `at`; the answer is the place behind it.
    #[inline(always)]
    fn pair<S: Scan>(
        &self,
        scan: S,
        line: &Line,
        at: usize,
        patch: &mut Patch,
        places: &mut (u32, u32),
    ) -> Option<usize> {
        let window = self.frame.window(at)?;
        let quotes = scan.find(window, b'"');
        if window[0] != b'"' {
            return None;
        }
        let len = (quotes >> 1).trailing_zeros() as usize;
        let value = len + 4;
        if value >= 64 || differs(window, len + 1, b"\":\"") != 0 {
            return None;
        }
        let end = (quotes >> value).trailing_zeros() as usize + value;
        if end >= 64 {
            return None;
        }
        let known = if len <= Index::KEY {
            self.fields.find(long_key(window, 1, len))
        } else {
            None
        };
        match known {
            Some(field) if end > value => {
                let negative = window[value] == b'-';
                let from = value + usize::from(negative);
                let decimal = Decimal {
                    negative,
                    ..scan.decimal(window, from, end - from)?
                };
                let target = *line.own.targets.get(field)?;
                patch.set(field, fix(decimal, target).ok()?);
                if field == Field::Bid as usize {
                    places.0 = decimal.places;
                } else if field == Field::BidQty as usize {
                    places.1 = decimal.places;
                }
            }
            // Absent.
            Some(_) => {}
            None if scan.odd(window) & ((1 << end) - 1) == 0 => {}
            None => return None,
        }
        Some(at + end + 1)
    }
}

/// The quantity and price of a row, in known shapes or with their dots searched.
struct Numbers<'a, S: Scan> {
    line: &'a Line,
    shapes: Option<&'a (Shape, Shape)>,
    bad: S::Bad,
    unlike: u64,
    seen: (u32, u32),
    price: i64,
    qty: i64,
}

impl<'a, S: Scan> Numbers<'a, S> {
    #[inline(always)]
    fn new(scan: S, line: &'a Line, shapes: Option<&'a (Shape, Shape)>) -> Self {
        Self {
            line,
            shapes,
            bad: scan.clean(),
            unlike: 0,
            seen: (0, 0),
            price: 0,
            qty: 0,
        }
    }

    /// Reads `<qty>","p":"<price>"` at `v`; the answer is the place of the last quote.
    #[inline(always)]
    fn ends(&mut self, scan: S, window: &Window, v: usize) -> Option<usize> {
        let quotes = scan.find(window, b'"');
        let v_end = (quotes >> v).trailing_zeros() as usize + v;
        let p = v_end + 7;
        if p >= 64 {
            return None;
        }
        let p_end = (quotes >> p).trailing_zeros() as usize + p;
        if p_end >= 64 {
            return None;
        }
        self.unlike |= differs(window, v_end, b"\",\"p\":\"");
        let (price, qty) = ((p, p_end - p), (v, v_end - v));
        match self.shapes {
            Some((px, sz)) => {
                (self.price, self.qty) = scan.pair(window, price, qty, (px, sz), &mut self.bad);
            }
            None => {
                let price = scan.decimal(window, price.0, price.1)?;
                let qty = scan.decimal(window, qty.0, qty.1)?;
                self.seen = (self.seen.0.max(price.places), self.seen.1.max(qty.places));
                self.price = Fast::price(price, self.line)?.get();
                self.qty = Fast::qty(qty, self.line)?.get();
            }
        }
        Some(p_end)
    }

    #[inline(always)]
    fn fine(&self, scan: S) -> bool {
        self.unlike == 0 && !scan.spoiled(self.bad)
    }

    #[inline(always)]
    fn learned(&self) -> Option<(u32, u32)> {
        self.shapes.is_none().then_some(self.seen)
    }
}

/// What follows a row.
enum Next {
    Row(usize),
    End,
}

/// A book's end.
struct Tail {
    stamp: i64,
    update: u64,
    /// Where it begins.
    start: usize,
}

/// `Sell","v":"` or `Buy","v":"`: the side, and where the quantity begins.
#[inline(always)]
fn side(window: &Window) -> Option<(Side, usize)> {
    if differs(window, 0, b"Sell\",\"v\":\"") == 0 {
        Some((Side::Sell, 11))
    } else if differs(window, 0, b"Buy\",\"v\":\"") == 0 {
        Some((Side::Buy, 10))
    } else {
        None
    }
}

/// The place behind `true` or `false`.
#[inline(always)]
fn boolean(window: &Window, at: usize) -> Option<usize> {
    if differs(window, at, b"false") == 0 {
        Some(at + 5)
    } else if differs(window, at, b"true") == 0 {
        Some(at + 4)
    } else {
        None
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
