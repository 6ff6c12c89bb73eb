//! Scan: the loops that look at many bytes at once, on whatever the processor has.
//!
//! One trait, [`Scan`], names the dozen primitives; `scalar` is the plain twin that runs anywhere
//! and is the oracle, `avx2` the fast one. A decoder is written once, generic over `S: Scan`, as a
//! [`Job`]; [`Isa::run`] compiles it once per instruction set *as a whole*, so the primitives are
//! inlined into the decoder and no call is left between them. The instruction set is asked for
//! once, at start: a value of [`Isa`] that names AVX2 proves the processor has it, and that is all
//! the `unsafe` of this folder rests on.
//!
//! # Why the level loop looks the way it does
//!
//! A level is `["65095.30","0.005"]`: two numbers between four quotes. Its cost is not arithmetic
//! but the *address chain*: where the next level starts is only known when this one's quotes have
//! been found, and a load, a compare and a mask take some 15 cycles before the first bit can be
//! counted. So one search covers 64 bytes, two levels, and the chain is walked once for both;
//! everything else (confirming dots and brackets, turning digits into numbers) hangs off the chain
//! and overlaps with the next search. Nothing is tested on the way but the end of the list:
//! whatever is wrong is OR-ed into one accumulator that is asked once, at the end of the frame.
//! Writing the positions into an array first (two passes, as a general parser must) was measured
//! slower: at these sizes the array costs more than the scan.
//!
//! The numbers of one level are converted together, by the [`Shape`] learned for the symbol; see
//! `decimal`.

mod avx2;
mod scalar;

use super::cursor::{Literal, differs, word};
use super::decimal::{Decimal, Shape};
use super::{Frame, Window};
pub use avx2::Avx2;
pub use scalar::Scalar;

/// The primitives. Positions are into the window; what lies outside is answered by "no" or by zero
/// with `Bad` set.
pub trait Scan: Copy {
    /// Collects what was wrong; asked once.
    type Bad: Copy;
    /// Nothing wrong yet.
    fn clean(self) -> Self::Bad;
    /// True when something was.
    fn spoiled(self, bad: Self::Bad) -> bool;
    /// Bit i is set where `window[i] == byte`, for the first 64 bytes.
    fn find(self, window: &Window, byte: u8) -> u64;
    /// True when the window holds the literal at `at` (at most 95).
    fn holds(self, window: &Window, at: usize, literal: &Literal) -> bool;
    /// Bit i is set where `window[i]` is not what stands unescaped in an ASCII string: control,
    /// backslash, above 0x7f.
    fn odd(self, window: &Window) -> u64;
    /// Two numbers in known shapes, starting at `a` and `b` (below 64), in steps of their results.
    fn pair(
        self,
        window: &Window,
        a: (usize, usize),
        b: (usize, usize),
        shapes: (&Shape, &Shape),
        bad: &mut Self::Bad,
    ) -> (i64, i64);
    /// A decimal of `len` bytes at `at` (below 112), dot anywhere, no sign; at most 16 bytes.
    fn decimal(self, window: &Window, at: usize, len: usize) -> Option<Decimal>;
    /// An unsigned number of at most 15 digits at `at` (below 112) without leading zeros, and its
    /// length.
    fn uint(self, window: &Window, at: usize) -> Option<(u64, usize)>;
}

/// Takes the levels of a book's side as they are read.
pub trait Sink {
    /// One level, in steps of the shapes' results. Mark it `#[inline(always)]`: a call here costs
    /// more than the number.
    fn level(&mut self, price: i64, qty: i64);
}

/// A decoder that wants to be compiled for every instruction set.
pub trait Job {
    /// What it gives.
    type Out;
    /// Runs with the primitives of one instruction set. Mark it `#[inline(always)]`.
    fn run<S: Scan>(self, scan: S) -> Self::Out;
}

/// The instruction set in use; holding [`Isa::Avx2`] proves the processor has it.
#[derive(Debug, Clone, Copy)]
pub enum Isa {
    /// Plain words and bytes.
    Scalar(Scalar),
    /// AVX2 with BMI and popcount.
    Avx2(Avx2),
}

impl Isa {
    /// The best this processor has.
    #[must_use]
    pub fn detect() -> Self {
        Avx2::detect().map_or(Self::Scalar(Scalar), Self::Avx2)
    }
    /// The plain one, for tests and comparison.
    #[must_use]
    pub fn plain() -> Self {
        Self::Scalar(Scalar)
    }
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar(_) => "scalar",
            Self::Avx2(_) => "avx2",
        }
    }
    /// Runs a job.
    #[inline]
    pub fn run<J: Job>(self, job: J) -> J::Out {
        match self {
            Self::Scalar(scan) => job.run(scan),
            Self::Avx2(scan) => scan.run(job),
        }
    }
}

/// A 13-digit stamp in milliseconds at `at`, first digit not zero: what every venue prints until
/// the year 2286.
#[inline(always)]
pub fn millis<S: Scan>(scan: S, window: &Window, at: usize) -> Option<i64> {
    match scan.uint(window, at) {
        Some((value, 13)) => Some(value as i64),
        _ => None,
    }
}

/// Reads `["price","quantity"],…` from `at`, the byte behind the opening bracket of the list, and
/// gives each to `sink`; the answer is the place behind the closing bracket. `None` when anything
/// is not as expected: what `sink` was given until then means nothing.
#[inline(always)]
pub fn levels<S: Scan>(
    scan: S,
    frame: &Frame<'_>,
    mut at: usize,
    shapes: (&Shape, &Shape),
    sink: &mut impl Sink,
) -> Option<usize> {
    let window = frame.window(at)?;
    if window[0] == b']' {
        return Some(at + 1);
    }
    let mut unlike = 0u64;
    let mut bad = scan.clean();
    let end = loop {
        let window = frame.window(at)?;
        let mut quotes = scan.find(window, b'"');
        let mut start = 0;
        let mut turn = 0;
        loop {
            // The bracket and the first quote stand where the last level left us.
            unlike |= differs(window, start, b"[\"");
            quotes &= quotes.wrapping_sub(1);
            let price_end = quotes.trailing_zeros() as usize;
            quotes &= quotes.wrapping_sub(1);
            quotes &= quotes.wrapping_sub(1);
            let qty_end = quotes.trailing_zeros() as usize;
            quotes &= quotes.wrapping_sub(1);
            if qty_end >= 64 {
                return None;
            }
            unlike |= differs(window, price_end, b"\",\"");
            let price = (start + 2, price_end.wrapping_sub(start + 2));
            let qty = (price_end + 3, qty_end.wrapping_sub(price_end + 3));
            let (price, qty) = scan.pair(window, price, qty, shapes, &mut bad);
            sink.level(price, qty);
            let next = word(window, qty_end + 1);
            start = qty_end + 3;
            if next & 0xffff != u64::from(u16::from_le_bytes(*b"],")) {
                unlike |= (next & 0xffff) ^ u64::from(u16::from_le_bytes(*b"]]"));
                at += start;
                turn = 9;
                break;
            }
            turn += 1;
            if turn == 2 || quotes.count_ones() < 4 {
                at += start;
                break;
            }
        }
        if turn == 9 {
            break at;
        }
    };
    (unlike == 0 && !scan.spoiled(bad)).then_some(end)
}

/// As [`levels`], for numbers whose places are not known yet: any dot, at most 16 bytes each.
#[inline(always)]
pub fn levels_any<S: Scan>(
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
        let price_end = (quotes & !0b11).trailing_zeros() as usize;
        if price_end >= 48 || differs(window, 0, b"[\"") | differs(window, price_end, b"\",\"") != 0
        {
            return None;
        }
        let qty_at = price_end + 3;
        let qty_end = (quotes >> qty_at).trailing_zeros() as usize + qty_at;
        if qty_end >= 64 {
            return None;
        }
        sink(
            scan.decimal(window, 2, price_end - 2)?,
            scan.decimal(window, qty_at, qty_end - qty_at)?,
        )?;
        at += qty_end + 3;
        match [window[(qty_end & 63) + 1], window[(qty_end & 63) + 2]] {
            [b']', b','] => {}
            [b']', b']'] => return Some(at),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
