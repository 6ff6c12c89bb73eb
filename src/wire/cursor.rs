//! Cursor: literals in the order a venue writes its fields.
//!
//! A literal of up to eight bytes is compared as one word, a longer one as two that overlap; the
//! answer is a word that is zero when they are equal, so that a run of comparisons is OR-ed and
//! tested once. A [`Literal`] is one that is only known at start (it holds a symbol's name); it is
//! compared 32 bytes at once under a mask.
//!
//! A position outside the window reads as all ones: it never touches foreign memory, and the caller
//! refuses such positions before it believes the answer.

use super::Window;

/// A text known at start, at most 32 bytes, with the mask that compares only its bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Literal {
    /// The text, zeros behind.
    pub text: [u8; 32],
    /// 0xff under the text.
    pub mask: [u8; 32],
    len: usize,
}

impl Literal {
    /// A literal that equals nothing but the empty text.
    pub const EMPTY: Self = Self {
        text: [0; 32],
        mask: [0; 32],
        len: 0,
    };

    /// Joins the parts; `None` when they are longer than 32 bytes together.
    #[must_use]
    pub const fn new(parts: &[&[u8]]) -> Option<Self> {
        let mut made = Self::EMPTY;
        let mut part = 0;
        while part < parts.len() {
            let mut i = 0;
            while i < parts[part].len() {
                if made.len == 32 {
                    return None;
                }
                made.text[made.len] = parts[part][i];
                made.mask[made.len] = 0xff;
                made.len += 1;
                i += 1;
            }
            part += 1;
        }
        Some(made)
    }
    /// Length in bytes.
    #[must_use]
    #[inline(always)]
    pub const fn len(&self) -> usize {
        self.len
    }
    /// True when it has no byte.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }
}

/// Eight bytes of the window from `at` as a little-endian word; all ones when they are not all
/// inside.
#[inline(always)]
#[must_use]
pub fn word(window: &Window, at: usize) -> u64 {
    // A branch, not a clamp: it is always predicted and keeps `at` out of the address chain.
    match window.get(at..).and_then(<[u8]>::first_chunk) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => u64::MAX,
    }
}

/// Zero when the window holds `literal` (1 to 16 bytes) at `at`.
#[inline(always)]
#[must_use]
pub fn differs<const N: usize>(window: &Window, at: usize, literal: &[u8; N]) -> u64 {
    const { assert!(N >= 1 && N <= 16) };
    let mut first = [0u8; 8];
    let head = if N < 8 { N } else { 8 };
    first[..head].copy_from_slice(&literal[..head]);
    let unlike = word(window, at) ^ u64::from_le_bytes(first);
    if N <= 8 {
        return unlike << (64 - 8 * head);
    }
    let mut last = [0u8; 8];
    last.copy_from_slice(&literal[N.saturating_sub(8)..]);
    unlike | (word(window, at.wrapping_add(N.saturating_sub(8))) ^ u64::from_le_bytes(last))
}

/// The first `len` (at most 16) bytes from `at` as two words, zeros behind: a key for tables.
#[inline(always)]
#[must_use]
pub fn key(window: &Window, at: usize, len: usize) -> [u64; 2] {
    let low = word(window, at);
    let high = word(window, at.wrapping_add(8));
    let keep = |bytes: usize| -> u64 {
        if bytes >= 8 {
            u64::MAX
        } else {
            (1u64 << (8 * bytes)) - 1
        }
    };
    [low & keep(len), high & keep(len.saturating_sub(8))]
}

#[cfg(test)]
mod tests {
    use super::super::SLACK;
    use super::*;

    #[test]
    fn a_literal_equals_itself_and_nothing_else() {
        let mut window = [b'x'; SLACK];
        window[20..36].copy_from_slice(b"abcdefghijklmnop");
        assert_eq!(differs(&window, 20, b"a"), 0);
        assert_eq!(differs(&window, 20, b"abc"), 0);
        assert_eq!(differs(&window, 20, b"abcdefgh"), 0);
        assert_eq!(differs(&window, 20, b"abcdefghi"), 0);
        assert_eq!(differs(&window, 20, b"abcdefghijklmnop"), 0);
        for at in 20..36 {
            let mut other = window;
            other[at] ^= 1;
            assert_ne!(differs(&other, 20, b"abcdefghijklmnop"), 0, "byte {at}");
        }
        let _ = differs(&window, usize::MAX - 40, b"abcdefghijklmnop");
    }

    #[test]
    fn a_key_stops_at_its_length() {
        let mut window = [b'x'; SLACK];
        window[3..10].copy_from_slice(b"BTCUSDT");
        assert_eq!(key(&window, 3, 7), [u64::from_le_bytes(*b"BTCUSDT\0"), 0]);
        assert_eq!(key(&window, 3, 9)[1], u64::from(b'x'));
        assert!(Literal::new(&[&[b'a'; 20], &[b'b'; 13]]).is_none());
        assert_eq!(Literal::new(&[b"a", b"bc"]).unwrap().text(), b"abc");
    }
}
