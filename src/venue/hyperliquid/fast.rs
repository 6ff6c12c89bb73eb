//! The fast road: each channel in the order its fields stand today, numbers and literals straight from the bytes.
//!
//! Every byte that is not a skipped value is compared, and a skipped value is checked to be plain ASCII without
//! escapes, so what is accepted here is what the tolerant road accepts, with the same events. Anything else is `None`,
//! never a guess: the caller takes the tolerant road with the same bytes.

use super::super::index::{Index, long_key};
use super::super::ledger::Scratch;
use super::accounts::{Address, digits};
use super::{FIELDS, Field, IMAGE, Line, Parsed, Patch, TRADES_MAX, What};
use crate::event::{Bbo, Body, Event, Head, Level, Trade};
use crate::market::{Side, SymbolId, VenueId};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use crate::wire::cursor::differs;
use crate::wire::decimal::{self, Decimal, fix};
use crate::wire::scan::{Job, Scan, millis};
use crate::wire::{Frame, Window};

/// One frame to read.
pub(super) struct Fast<'a> {
    pub(super) recv: Nanos,
    pub(super) frame: &'a Frame<'a>,
    pub(super) lines: &'a [Line],
    pub(super) symbols: &'a Index,
    pub(super) fields: &'a Index,
    pub(super) scratch: &'a mut Scratch,
    pub(super) owners: &'a mut Vec<[Address; 2]>,
}

/// Whose frame it is.
struct Topic<'a> {
    symbol: usize,
    line: &'a Line,
    /// The name as a key, and its length.
    name: [u64; 3],
    len: usize,
    /// Where the name ends.
    end: usize,
}

/// Where the channel begins: behind `{"channel":"`.
const CHANNEL: usize = 12;

impl Job for Fast<'_> {
    type Out = Option<Parsed>;

    #[inline(always)]
    fn run<S: Scan>(self, scan: S) -> Option<Parsed> {
        let front = self.frame.window(0)?;
        if differs(front, 0, b"{\"channel\":\"") != 0 {
            return None;
        }
        match front[CHANNEL] {
            b't' if differs(front, CHANNEL, b"trades\",\"data\":") == 0 => {
                let topic = self.topic(scan, front, 37, b"[{\"coin\":\"")?;
                self.trades(scan, &topic)
            }
            b'l' if differs(front, CHANNEL, b"l2Book\",\"data\":") == 0 => {
                let topic = self.topic(scan, front, 36, b"{\"coin\":\"")?;
                self.book(scan, &topic)
            }
            b'b' if differs(front, CHANNEL, b"bbo\",\"data\":") == 0 => {
                let topic = self.topic(scan, front, 33, b"{\"coin\":\"")?;
                self.bbo(scan, &topic)
            }
            b'a' if differs(front, CHANNEL, b"activeAssetCtx\",") == 0
                && differs(front, CHANNEL + 16, b"\"data\":") == 0 =>
            {
                let topic = self.topic(scan, front, 44, b"{\"coin\":\"")?;
                self.context(scan, &topic)
            }
            _ => None,
        }
    }
}

impl<'a> Fast<'a> {
    /// The coin whose name begins at `at`, behind `before`.
    #[inline(always)]
    fn topic<S: Scan, const N: usize>(
        &self,
        scan: S,
        front: &Window,
        at: usize,
        before: &[u8; N],
    ) -> Option<Topic<'a>> {
        let len = (scan.find(front, b'"') >> at).trailing_zeros() as usize;
        if len > Index::KEY || differs(front, at - N, before) != 0 {
            return None;
        }
        let name = long_key(front, at, len);
        let symbol = self.symbols.find(name)?;
        Some(Topic {
            symbol,
            line: self.lines.get(symbol)?,
            name,
            len,
            end: at + len,
        })
    }

    #[inline(always)]
    fn head(&self, topic: &Topic<'_>, exch: i64, bits: u8) -> Head {
        Head {
            recv: self.recv,
            exch: Nanos::millis(exch),
            venue: VenueId::HYPERLIQUID,
            symbol: SymbolId(topic.symbol as u16),
            bits,
        }
    }

    #[inline(always)]
    fn trades<S: Scan>(self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        let mut at = topic.end - topic.len - 9;
        let (mut unlike, mut seen) = (0, (0, 0));
        let exch = loop {
            // `{"coin":"BTC","side":"A","px":"84143.0","sz":"0.00036"`
            let window = self.frame.window(at)?;
            if differs(window, 0, b"{\"coin\":\"") != 0
                || long_key(window, 9, topic.len) != topic.name
            {
                return None;
            }
            let base = at + 9 + topic.len;
            let window = self.frame.window(base)?;
            let quotes = scan.find(window, b'"');
            let px_end = quote(quotes, 19)?;
            let sz = px_end + 8;
            let sz_end = quote(quotes, sz)?;
            unlike |= differs(window, 0, b"\",\"side\":\"")
                | differs(window, 11, b"\",\"px\":\"")
                | differs(window, px_end, b"\",\"sz\":\"");
            let side = match window[10] {
                b'A' => Side::Sell,
                b'B' => Side::Buy,
                _ => return None,
            };
            let price = scan.decimal(window, 19, px_end - 19)?;
            let size = scan.decimal(window, sz, sz_end - sz)?;
            let (price, qty) = numbers(price, size, topic.line, &mut seen)?;
            // `","time":1790232216193,"hash":"` and 66 characters.
            let base = base + sz_end;
            let window = self.frame.window(base)?;
            let stamp = millis(scan, window, 9)?;
            unlike |= differs(window, 0, b"\",\"time\":") | differs(window, 22, b",\"hash\":\"");
            let base = base + 31;
            let hash = self.frame.window(base)?;
            unlike |=
                scan.find(hash, b'"') | scan.odd(hash) | strange(hash[64]) | strange(hash[65]);
            let base = base + 66;
            let window = self.frame.window(base)?;
            // `","tid":1045359869404765,"users":["0x`
            let comma = (scan.find(window, b',') >> 8).trailing_zeros() as usize;
            let tid = scan.decimal(window, 8, comma)?;
            let users = 8 + comma;
            unlike |= differs(window, 0, b"\",\"tid\":")
                | differs(window, users, b",\"users\":[\"0x")
                | u64::from(tid.places)
                | u64::from(window[8] == b'0' && comma > 1);
            let base = base + users + 13;
            let window = self.frame.window(base)?;
            let owners = [digits(&window[..40])?, digits(&window[45..85])?];
            unlike |= differs(window, 40, b"\",\"0x") | differs(window, 85, b"\"]}");
            if self.owners.len() == TRADES_MAX {
                return None;
            }
            self.owners.push(owners);
            let trade = Trade {
                price,
                qty,
                side,
                id: trade_id(stamp, tid.mantissa),
                accounts: [0; 2],
            };
            let head = self.head(topic, stamp, 0);
            self.scratch.push(Event::new(head, Body::Trade(trade)));
            if window[88] == b',' {
                at = base + 89;
                continue;
            }
            if differs(window, 88, b"]}") != 0 || base + 90 != self.frame.len() {
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

    /// `","time":1790232236546,"levels":[[{…}],[{…}]]}}`
    #[inline(always)]
    fn book<S: Scan>(self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        let window = self.frame.window(topic.end)?;
        let time = millis(scan, window, 9)?;
        if differs(window, 0, b"\",\"time\":") | differs(window, 22, b",\"levels\":[[") != 0 {
            return None;
        }
        let head = self.head(topic, time, IMAGE);
        let mut seen = (0, 0);
        let mut at = topic.end + 34;
        for side in [Side::Buy, Side::Sell] {
            if self.frame.window(at)?[0] == b']' {
                at += 1;
            } else {
                loop {
                    let window = self.frame.window(at)?;
                    let (price, size, end) = level(scan, window)?;
                    let (price, qty) = numbers(price, size, topic.line, &mut seen)?;
                    let level = Level {
                        price,
                        qty,
                        side,
                        update: time as u64,
                    };
                    self.scratch.push(Event::new(head, Body::Level(level)));
                    at += end + 1;
                    match window[end] {
                        b',' => {}
                        b']' => break,
                        _ => return None,
                    }
                }
            }
            let between = self.frame.window(at)?;
            if side == Side::Buy {
                if differs(between, 0, b",[") != 0 {
                    return None;
                }
                at += 2;
            } else if differs(between, 0, b"]}}") != 0 || at + 3 != self.frame.len() {
                return None;
            }
        }
        Some(Parsed {
            symbol: topic.symbol,
            exch: head.exch,
            what: What::Book { time: time as u64 },
            seen,
        })
    }

    /// `","time":1790232237145,"bbo":[{…},null]}}`
    #[inline(always)]
    fn bbo<S: Scan>(self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        let window = self.frame.window(topic.end)?;
        let time = millis(scan, window, 9)?;
        if differs(window, 0, b"\",\"time\":") | differs(window, 22, b",\"bbo\":[") != 0 {
            return None;
        }
        let (mut best, mut seen) = ([None; 2], (0, 0));
        let mut at = topic.end + 30;
        for (side, behind) in best.iter_mut().zip([b',', b']']) {
            let window = self.frame.window(at)?;
            let end = if differs(window, 0, b"null") == 0 {
                4
            } else {
                let (price, size, end) = level(scan, window)?;
                *side = Some(numbers(price, size, topic.line, &mut seen)?);
                end
            };
            if window[end] != behind {
                return None;
            }
            at += end + 1;
        }
        let window = self.frame.window(at)?;
        if differs(window, 0, b"}}") != 0 || at + 2 != self.frame.len() {
            return None;
        }
        let head = self.head(topic, time, 0);
        self.scratch.push(Event::new(head, touch(best)));
        Some(Parsed {
            symbol: topic.symbol,
            exch: head.exch,
            what: What::Bbo,
            seen,
        })
    }

    /// `","ctx":{"key":"value","key":null,"key":["a","b"],…}}}`
    #[inline(always)]
    fn context<S: Scan>(self, scan: S, topic: &Topic<'_>) -> Option<Parsed> {
        if differs(self.frame.window(topic.end)?, 0, b"\",\"ctx\":{") != 0 {
            return None;
        }
        let mut patch = Patch::default();
        let mut px = 0;
        let mut at = topic.end + 9;
        loop {
            let window = self.frame.window(at)?;
            let quotes = scan.find(window, b'"');
            let key = quote(quotes, 1)?;
            let value = key + 2;
            let known = if key <= Index::KEY {
                self.fields.find(long_key(window, 1, key - 1))
            } else {
                None
            };
            if window[0] != b'"' || window[key + 1] != b':' {
                return None;
            }
            // Behind the value.
            let end = match window[value] {
                b'"' => quote(quotes, value + 1)? + 1,
                b'n' if differs(window, value, b"null") == 0 => value + 4,
                b'[' if known.is_none() && window[value + 1] == b'"' => {
                    let first = quote(quotes, value + 2)?;
                    let last = quote(quotes, first + 3)?;
                    if differs(window, first, b"\",\"") != 0 || window[last + 1] != b']' {
                        return None;
                    }
                    last + 2
                }
                _ => return None,
            };
            match known {
                Some(field) if field < FIELDS => {
                    if patch.present & 1 << field != 0 {
                        return None;
                    }
                    if window[value] == b'"' && end > value + 2 {
                        let decimal = any_decimal(scan, window, value + 1, end - 1)?;
                        patch.set(field, topic.line.fixed(field, decimal).ok()?);
                        if field <= Field::Oracle as usize {
                            px = px.max(decimal.places);
                        }
                    }
                }
                _ if end <= 64 && scan.odd(window) & (u64::MAX >> (64 - end)) == 0 => {}
                _ => return None,
            }
            if window[end] == b',' {
                at += end + 1;
                continue;
            }
            if differs(window, end, b"}}}") != 0 || at + end + 3 != self.frame.len() {
                return None;
            }
            break;
        }
        Some(Parsed {
            symbol: topic.symbol,
            exch: Nanos::ZERO,
            what: What::Context(patch),
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

/// Zero when a byte may stand unescaped in an ASCII string.
#[inline(always)]
const fn strange(byte: u8) -> u64 {
    (byte < b' ' || byte == b'\\' || byte == b'"' || byte > 0x7e) as u64
}

/// Reads `{"px":"84143.0","sz":"10.25923","n":36}`: price, size, and the place behind.
#[inline(always)]
fn level<S: Scan>(scan: S, window: &Window) -> Option<(Decimal, Decimal, usize)> {
    let quotes = scan.find(window, b'"');
    let px_end = quote(quotes, 7)?;
    let sz = px_end + 8;
    let sz_end = quote(quotes, sz)?;
    let (_, count) = scan.uint(window, sz_end + 6)?;
    let end = sz_end + 6 + count;
    let unlike = differs(window, 0, b"{\"px\":\"")
        | differs(window, px_end, b"\",\"sz\":\"")
        | differs(window, sz_end, b"\",\"n\":")
        | u64::from(window[end] != b'}');
    if unlike != 0 {
        return None;
    }
    let price = scan.decimal(window, 7, px_end - 7)?;
    let size = scan.decimal(window, sz, sz_end - sz)?;
    Some((price, size, end + 1))
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

/// Best bid and ask as an event's body.
pub(super) fn touch(best: [Option<(Px, Qty)>; 2]) -> Body {
    let [(bid, bid_qty), (ask, ask_qty)] = best.map(|side| side.unwrap_or((Px::ZERO, Qty::ZERO)));
    Body::Bbo(Bbo {
        bid,
        bid_qty,
        ask,
        ask_qty,
    })
}

/// A trade's id: `tid` alone is not unique.
#[inline(always)]
pub(super) const fn trade_id(ms: i64, tid: u64) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let hash = ((ms as u64).wrapping_mul(MIX).rotate_left(29) ^ tid).wrapping_mul(MIX);
    hash ^ hash >> 32
}
