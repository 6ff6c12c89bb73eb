//! The fast road: each channel in the order its fields stand today, numbers and literals straight from the bytes.
//!
//! Every byte that is not a skipped value is compared, and a skipped value is checked to be plain ASCII without
//! escapes, so what is accepted here is what the tolerant road accepts, with the same events. Anything else is `None`,
//! never a guess: the caller takes the tolerant road with the same bytes. The order of a book's last fields has
//! changed over the years, so those are read in any order, before the levels, whose stamp and id they hold.

use super::super::index::{Index, long_key};
use super::super::ledger::Scratch;
use super::{FIELDS, Field, Line, Link, Parsed, Patch, VALUES, What, image_bits};
use crate::event::{Bbo, Body, Event, Head, Level, Trade};
use crate::market::{Side, SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::cursor::differs;
use crate::wire::decimal::{self, Decimal, fix};
use crate::wire::scan::{Job, Scan, millis};
use crate::wire::{Frame, SLACK, Window};

/// One frame to read.
pub(super) struct Fast<'a> {
    pub(super) recv: Nanos,
    pub(super) frame: &'a Frame<'a>,
    pub(super) lines: &'a [Line],
    pub(super) symbols: &'a Index,
    pub(super) indices: &'a Index,
    pub(super) fields: &'a Index,
    pub(super) scratch: &'a mut Scratch,
}

/// What the argument told.
struct Topic<'a> {
    symbol: usize,
    line: &'a Line,
    /// The name as a key, and its length.
    name: [u64; 3],
    len: usize,
    /// Where the name ends.
    end: usize,
}

/// Where the channel begins: behind `{"arg":{"channel":"`.
const CHANNEL: usize = 19;

impl Job for Fast<'_> {
    type Out = Option<Parsed>;

    #[inline(always)]
    fn run<S: Scan>(self, scan: S) -> Option<Parsed> {
        let front = self.frame.window(0)?;
        if differs(front, 0, b"{\"arg\":{\"channel") | differs(front, 16, b"\":\"") != 0 {
            return None;
        }
        let quotes = scan.find(front, b'"');
        let channel = (quotes >> CHANNEL).trailing_zeros() as usize;
        let at = CHANNEL + channel + 12;
        if at >= 64 || differs(front, at - 12, b"\",\"instId\":\"") != 0 {
            return None;
        }
        let len = (quotes >> at).trailing_zeros() as usize;
        if len > Index::KEY {
            return None;
        }
        let name = long_key(front, at, len);
        let is_index = channel == 13 && differs(front, CHANNEL, b"index-tickers") == 0;
        let names = if is_index { self.indices } else { self.symbols };
        let symbol = names.find(name)?;
        let topic = Topic {
            symbol,
            line: self.lines.get(symbol)?,
            name,
            len,
            end: at + len,
        };
        match channel {
            5 if differs(front, CHANNEL, b"books") == 0 => self.book(scan, &topic),
            6 if differs(front, CHANNEL, b"trades") == 0 => self.trades(scan, &topic),
            7 if differs(front, CHANNEL, b"bbo-tbt") == 0 => self.bbo(scan, &topic),
            _ => {
                let wanted = match channel {
                    10 if differs(front, CHANNEL, b"mark-price") == 0 => VALUES[0].1,
                    13 if is_index => VALUES[1].1,
                    13 if differs(front, CHANNEL, b"open-interest") == 0 => VALUES[2].1,
                    12 if differs(front, CHANNEL, b"funding-rate") == 0 => VALUES[3].1,
                    _ => return None,
                };
                self.values(scan, &topic, wanted)
            }
        }
    }
}

impl Fast<'_> {
    #[inline(always)]
    fn head(&self, topic: &Topic<'_>, exch: i64, bits: u8) -> Head {
        Head {
            recv: self.recv,
            exch: Nanos::millis(exch),
            venue: VenueId::OKX,
            symbol: SymbolId(topic.symbol as u16),
            bits,
        }
    }

    #[inline(always)]
    fn trades<S: Scan>(self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        if !topic.line.own.ready {
            return None;
        }
        let open = self.frame.window(topic.end)?;
        let mut unlike = differs(open, 0, b"\"},\"data\":[");
        let mut at = topic.end + 11;
        let mut seen = (0, 0);
        let exch = loop {
            // `{"instId":"NAME","tradeId":"2805987683","px":"64472.1","sz":"0.02"`
            let window = self.frame.window(at)?;
            unlike |= differs(window, 0, b"{\"instId\":\"");
            if long_key(window, 11, topic.len) != topic.name {
                return None;
            }
            let base = at + 11 + topic.len;
            let window = self.frame.window(base)?;
            let (id, digits) = scan.uint(window, 13)?;
            let px = 13 + digits + 8;
            let quotes = scan.find(window, b'"');
            let px_end = quote(quotes, px)?;
            let sz = px_end + 8;
            let sz_end = quote(quotes, sz)?;
            unlike |= differs(window, 0, b"\",\"tradeId\":\"")
                | differs(window, px - 8, b"\",\"px\":\"")
                | differs(window, px_end, b"\",\"sz\":\"");
            let price = scan.decimal(window, px, px_end - px)?;
            let size = scan.decimal(window, sz, sz_end - sz)?;
            let (price, qty) = numbers(price, size, topic.line, &mut seen)?;
            // `","side":"buy","ts":"1785060302444","count":"1","source":"0","seqId":331550485845}`
            let base = base + sz_end;
            let window = self.frame.window(base)?;
            let (side, ts) = if differs(window, 10, b"sell\",\"ts\":\"") == 0 {
                (Side::Sell, 22)
            } else {
                unlike |= differs(window, 10, b"buy\",\"ts\":\"");
                (Side::Buy, 21)
            };
            let stamp = millis(scan, window, ts)?;
            let (_, count) = scan.uint(window, ts + 24)?;
            let source = ts + 24 + count + 12;
            let (_, digits) = scan.uint(window, source)?;
            let seq = source + digits + 10;
            let (_, seq_digits) = scan.uint(window, seq)?;
            unlike |= differs(window, 0, b"\",\"side\":\"")
                | differs(window, ts + 13, b"\",\"count\":\"")
                | differs(window, source - 12, b"\",\"source\":\"")
                | differs(window, seq - 10, b"\",\"seqId\":");
            let trade = Trade {
                price,
                qty,
                side,
                id,
                accounts: [0; 2],
            };
            let head = self.head(topic, stamp, 0);
            self.scratch.push(Event::new(head, Body::Trade(trade)));
            let end = seq + seq_digits;
            if differs(window, end, b"},") == 0 {
                at = base + end + 2;
                continue;
            }
            unlike |= differs(window, end, b"}]}");
            if base + end + 3 != self.frame.len() {
                return None;
            }
            break stamp;
        };
        (unlike == 0).then_some(Parsed {
            symbol: topic.symbol,
            exch: Nanos::millis(exch),
            what: What::Trades,
            seen,
        })
    }

    #[inline(always)]
    fn book<S: Scan>(self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        if !topic.line.own.ready {
            return None;
        }
        let tail = self.tail(scan, topic)?;
        let window = self.frame.window(topic.end)?;
        let image = window[13] == b's';
        let data = if image { 21 } else { 19 };
        let unlike = differs(window, 0, b"\"},\"action\":\"")
            | if image {
                differs(window, 13, b"snapshot")
            } else {
                differs(window, 13, b"update")
            }
            | differs(window, data, b"\",\"data\":[{\"asks")
            | differs(window, data + 16, b"\":[");
        if unlike != 0 {
            return None;
        }
        let prev = if image { 0 } else { tail.prev? };
        let link = Link {
            image,
            prev,
            update: tail.update?,
        };
        let mut sides = Sides {
            head: self.head(topic, tail.stamp, image_bits(image)),
            update: link.update,
            line: topic.line,
            seen: (0, 0),
            scratch: self.scratch,
        };
        let at = topic.end + data + 19;
        let middle = levels(scan, self.frame, at, |p, q| sides.put(Side::Sell, p, q))?;
        let at = bids(self.frame, middle)?;
        let end = levels(scan, self.frame, at, |p, q| sides.put(Side::Buy, p, q))?;
        (end == tail.start).then_some(Parsed {
            symbol: topic.symbol,
            exch: Nanos::millis(tail.stamp),
            what: What::Book(link),
            seen: sides.seen,
        })
    }

    #[inline(always)]
    fn bbo<S: Scan>(self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        if !topic.line.own.ready {
            return None;
        }
        let tail = self.tail(scan, topic)?;
        let window = self.frame.window(topic.end)?;
        if differs(window, 0, b"\"},\"data\":[{\"ask") | differs(window, 16, b"s\":[") != 0 {
            return None;
        }
        let mut seen = (0, 0);
        let (mut ask, mut bid) = (None, None);
        let middle = levels(scan, self.frame, topic.end + 20, |price, size| {
            ask.get_or_insert(numbers(price, size, topic.line, &mut seen)?);
            Some(())
        })?;
        let at = bids(self.frame, middle)?;
        let end = levels(scan, self.frame, at, |price, size| {
            bid.get_or_insert(numbers(price, size, topic.line, &mut seen)?);
            Some(())
        })?;
        if end != tail.start {
            return None;
        }
        let head = self.head(topic, tail.stamp, 0);
        self.scratch.push(Event::new(head, touch([ask, bid])));
        Some(Parsed {
            symbol: topic.symbol,
            exch: head.exch,
            what: What::Bbo,
            seen,
        })
    }

    /// Reads a book's last fields, behind the last bracket of its levels: `,"instId":"NAME","ts":"1790000060100",
    /// "seqId":500,"prevSeqId":500,"checksum":0}]}` in any order.
    #[inline(always)]
    fn tail<S: Scan>(&self, scan: S, topic: &Topic<'_>) -> Option<Tail> {
        let base = self.frame.len().checked_sub(SLACK)?;
        let window = self.frame.window(base)?;
        let low = u128::from(scan.find(window, b']'));
        let high = u128::from(scan.find(self.frame.window(base + 64)?, b']'));
        // The last but two bytes is the bracket of the list of data.
        let brackets = (low | high << 64) & ((1 << 126) - 1);
        let start = base + 128usize.checked_sub(brackets.leading_zeros() as usize)?;
        if window[125..] != *b"}]}" {
            return None;
        }
        let mut tail = Tail {
            stamp: 0,
            update: None,
            prev: None,
            start,
        };
        let (mut at, mut seen) = (start, 0u8);
        let end = self.frame.len() - 3;
        while at < end {
            let window = self.frame.window(at)?;
            let (bit, len) = if differs(window, 0, b",\"ts\":\"") == 0 && window[20] == b'"' {
                tail.stamp = millis(scan, window, 7)?;
                (1, 21)
            } else if differs(window, 0, b",\"seqId\":") == 0 {
                let (update, digits) = scan.uint(window, 9)?;
                tail.update = Some(update);
                (2, 9 + digits)
            } else if differs(window, 0, b",\"prevSeqId\":") == 0 {
                if differs(window, 13, b"-1") == 0 && !window[15].is_ascii_digit() {
                    (4, 15)
                } else {
                    let (prev, digits) = scan.uint(window, 13)?;
                    tail.prev = Some(prev);
                    (4, 13 + digits)
                }
            } else if differs(window, 0, b",\"checksum\":") == 0 {
                let from = 12 + usize::from(window[12] == b'-');
                let (_, digits) = scan.uint(window, from)?;
                (8, from + digits)
            } else if differs(window, 0, b",\"instId\":\"") == 0
                && long_key(window, 11, topic.len) == topic.name
                && window[11 + topic.len] == b'"'
            {
                (16, 12 + topic.len)
            } else {
                return None;
            };
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            at += len;
        }
        (at == end && seen & 1 != 0).then_some(tail)
    }

    /// `"},"data":[{"key":"value",…}]}`: the values of one row, all of them strings.
    #[inline(always)]
    fn values<S: Scan>(self, scan: S, topic: &Topic<'_>, wanted: u32) -> Option<Parsed> {
        const STAMP: u32 = 1 << FIELDS;
        let sizes = 1 << Field::Interest as u32 | 1 << Field::Coins as u32;
        if wanted & sizes != 0 && !topic.line.own.ready {
            return None;
        }
        let window = self.frame.window(topic.end)?;
        if differs(window, 0, b"\"},\"data\":[{") != 0 {
            return None;
        }
        let mut patch = Patch::default();
        let (mut stamp, mut met, mut px) = (0, 0u32, 0);
        let mut at = topic.end + 12;
        loop {
            let window = self.frame.window(at)?;
            let quotes = scan.find(window, b'"');
            let key = quote(quotes, 1)?;
            let value = key + 3;
            let end = quote(quotes, value)?;
            if window[0] != b'"' || differs(window, key, b"\":\"") != 0 {
                return None;
            }
            let known = if key <= Index::KEY {
                self.fields.find(long_key(window, 1, key - 1))
            } else {
                None
            };
            let bit = match known {
                Some(field) if wanted & 1 << field != 0 => {
                    if end > value {
                        let decimal = any_decimal(scan, window, value, end)?;
                        patch.set(field, topic.line.fixed(field, decimal).ok()?);
                        if field <= Field::Index as usize {
                            px = decimal.places;
                        }
                    }
                    1 << field
                }
                _ if differs(window, 1, b"ts\"") == 0 => {
                    stamp = millis(scan, window, value)?;
                    if end != value + 13 {
                        return None;
                    }
                    STAMP
                }
                _ if differs(window, 1, b"instId\"") == 0 => {
                    let len = end - value;
                    if len != topic.len || long_key(window, value, len) != topic.name {
                        return None;
                    }
                    0
                }
                _ if scan.odd(window) & ((1 << end) - 1) == 0 => 0,
                _ => return None,
            };
            if met & bit != 0 {
                return None;
            }
            met |= bit;
            if window[end + 1] == b',' {
                at += end + 2;
                continue;
            }
            let closed = differs(window, end + 1, b"}]}") == 0;
            if !closed || at + end + 4 != self.frame.len() || met & STAMP == 0 {
                return None;
            }
            break;
        }
        Some(Parsed {
            symbol: topic.symbol,
            exch: Nanos::millis(stamp),
            what: What::Values(patch),
            seen: (px, 0),
        })
    }
}

/// The place of the first quote from `at`, when it is among the first 64 bytes.
#[inline(always)]
fn quote(quotes: u64, at: usize) -> Option<usize> {
    if at >= 64 {
        return None;
    }
    let end = (quotes >> at).trailing_zeros() as usize + at;
    (end < 64).then_some(end)
}

/// A decimal between `at` and `end`, with or without a sign, of any length.
#[inline(always)]
fn any_decimal<S: Scan>(scan: S, window: &Window, at: usize, end: usize) -> Option<Decimal> {
    let negative = window[at] == b'-';
    let from = at + usize::from(negative);
    if end - from > 16 {
        return decimal::read(window.get(at..end)?).ok();
    }
    let decimal = scan.decimal(window, from, end - from)?;
    Some(Decimal {
        negative,
        ..decimal
    })
}

/// A price and a quantity, in steps.
#[inline(always)]
fn numbers(price: Decimal, size: Decimal, line: &Line, seen: &mut (u32, u32)) -> Option<(Px, Qty)> {
    *seen = (seen.0.max(price.places), seen.1.max(size.places));
    let px = fix(price, line.px_target).ok()?;
    let qty = fix(size, line.qty_target).ok()?;
    (px > 0).then_some((Px::new(px), Qty::new(qty)))
}

/// Best ask and bid as an event's body.
pub(super) fn touch(best: [Option<(Px, Qty)>; 2]) -> Body {
    let [(ask, ask_qty), (bid, bid_qty)] = best.map(|side| side.unwrap_or((Px::ZERO, Qty::ZERO)));
    Body::Bbo(Bbo {
        bid,
        bid_qty,
        ask,
        ask_qty,
    })
}

/// The place behind `,"bids":[`.
#[inline(always)]
fn bids(frame: &Frame<'_>, at: usize) -> Option<usize> {
    (differs(frame.window(at)?, 0, b",\"bids\":[") == 0).then_some(at + 9)
}

/// A book's last fields.
struct Tail {
    stamp: i64,
    update: Option<u64>,
    prev: Option<u64>,
    /// Where they begin.
    start: usize,
}

/// Writes a book's sides.
struct Sides<'a> {
    head: Head,
    update: u64,
    line: &'a Line,
    seen: (u32, u32),
    scratch: &'a mut Scratch,
}

impl Sides<'_> {
    #[inline(always)]
    fn put(&mut self, side: Side, price: Decimal, size: Decimal) -> Option<()> {
        let (price, qty) = numbers(price, size, self.line, &mut self.seen)?;
        let level = Level {
            price,
            qty,
            side,
            update: self.update,
        };
        self.scratch.push(Event::new(self.head, Body::Level(level)));
        Some(())
    }
}

/// Reads `["price","contracts","0","orders"],…` from `at`, the byte behind the opening bracket of the list; the answer
/// is the place behind the closing one.
#[inline(always)]
fn levels<S: Scan>(
    scan: S,
    frame: &Frame<'_>,
    mut at: usize,
    mut sink: impl FnMut(Decimal, Decimal) -> Option<()>,
) -> Option<usize> {
    if frame.window(at)?[0] == b']' {
        return Some(at + 1);
    }
    loop {
        let window = frame.window(at)?;
        let quotes = scan.find(window, b'"');
        let price_end = quote(quotes, 2)?;
        let size_at = price_end + 3;
        let size_end = quote(quotes, size_at)?;
        let (_, digits) = scan.uint(window, size_end + 7)?;
        let end = size_end + 7 + digits;
        let unlike = differs(window, 0, b"[\"")
            | differs(window, price_end, b"\",\"")
            | differs(window, size_end, b"\",\"0\",\"")
            | differs(window, end, b"\"]");
        if unlike != 0 {
            return None;
        }
        sink(
            scan.decimal(window, 2, price_end - 2)?,
            scan.decimal(window, size_at, size_end - size_at)?,
        )?;
        at += end + 3;
        match window[end + 2] {
            b',' => {}
            b']' => return Some(at),
            _ => return None,
        }
    }
}
