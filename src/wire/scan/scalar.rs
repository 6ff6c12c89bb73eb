//! Scalar: the primitives byte by byte. Runs anywhere; the oracle of the others.

use super::super::Window;
use super::super::cursor::Literal;
use super::super::decimal::{Decimal, Row, Shape};
use super::Scan;

/// Plain bytes.
#[derive(Debug, Clone, Copy)]
pub struct Scalar;

/// The mantissa of a text in a shape's row, and whether it fits the row.
#[inline(always)]
fn by_row(window: &Window, at: usize, row: &Row) -> (u64, bool) {
    let mut mantissa = 0u64;
    let mut wrong = false;
    for lane in 0..16 {
        let from = row.shuffle[lane];
        let byte = if from & 0x80 != 0 {
            0
        } else {
            window[(at & 63) + (from & 15) as usize].wrapping_sub(b'0')
        };
        let digit = byte ^ row.expect[lane];
        wrong |= digit > if lane == 0 { 0 } else { 9 };
        // A wrong digit spoils the answer anyway; wrapping keeps it from mattering here.
        mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (mantissa, wrong)
}

#[inline(always)]
fn one(window: &Window, (at, len): (usize, usize), shape: &Shape, bad: &mut bool) -> i64 {
    let (mantissa, wrong) = by_row(window, at, &shape.rows[len & 31]);
    let mantissa = mantissa as i64;
    *bad |= wrong | (len > 31) | (mantissa > shape.limit) | (mantissa < shape.floor);
    mantissa.wrapping_mul(shape.scale)
}

impl Scan for Scalar {
    type Bad = bool;

    #[inline(always)]
    fn clean(self) -> bool {
        false
    }
    #[inline(always)]
    fn spoiled(self, bad: bool) -> bool {
        bad
    }
    #[inline(always)]
    fn find(self, window: &Window, byte: u8) -> u64 {
        let mut mask = 0u64;
        for (i, &b) in window.iter().take(64).enumerate() {
            mask |= u64::from(b == byte) << i;
        }
        mask
    }
    #[inline(always)]
    fn holds(self, window: &Window, at: usize, literal: &Literal) -> bool {
        let text = literal.text();
        at <= 95 && window[at..at + text.len()] == *text
    }
    #[inline(always)]
    fn odd(self, window: &Window) -> u64 {
        let mut mask = 0u64;
        for (i, &b) in window.iter().take(64).enumerate() {
            mask |= u64::from(!(0x20..0x80).contains(&b) || b == b'\\') << i;
        }
        mask
    }
    #[inline(always)]
    fn pair(
        self,
        window: &Window,
        a: (usize, usize),
        b: (usize, usize),
        shapes: (&Shape, &Shape),
        bad: &mut bool,
    ) -> (i64, i64) {
        (one(window, a, shapes.0, bad), one(window, b, shapes.1, bad))
    }
    #[inline(always)]
    fn decimal(self, window: &Window, at: usize, len: usize) -> Option<Decimal> {
        if at >= 112 || len > 16 {
            return None;
        }
        let mut mantissa = 0u64;
        let mut dot = None;
        for (i, &byte) in window[at..at + len].iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                mantissa = mantissa * 10 + u64::from(digit);
            } else if byte == b'.' && dot.is_none() && i != 0 && i + 1 != len {
                dot = Some(i);
            } else {
                return None;
            }
        }
        if len == 0 {
            return None;
        }
        Some(Decimal {
            mantissa,
            places: dot.map_or(0, |at| (len - at - 1) as u32),
            negative: false,
        })
    }
    #[inline(always)]
    fn uint(self, window: &Window, at: usize) -> Option<(u64, usize)> {
        if at >= 112 {
            return None;
        }
        let mut value = 0u64;
        let mut len = 0;
        for &byte in &window[at..at + 16] {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value * 10 + u64::from(digit);
            len += 1;
        }
        if len == 0 || len == 16 || (len > 1 && window[at] == b'0') {
            return None;
        }
        Some((value, len))
    }
}
