//! Raw input on its way to the tape: a small head and the bytes, through a byte ring, so that no feed thread ever
//! touches a file. Read back by the tape thread (`run::taping`).
//!
//! ```text
//!  0     1     2..4   4..8            8..16     16..
//!  |kind |ring |  0   | split (REST)  | stamp   | bytes
//! ```

use crate::ring::ByteProducer;
use crate::sync::Flag;
use crate::time::Nanos;
use std::sync::Arc;

/// Bytes before the payload.
pub const HEAD: usize = 16;

/// What a piece is; numbers live only inside a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Piece {
    /// A websocket message as received.
    Frame = 1,
    /// A websocket message we sent.
    Sent = 2,
    /// A connection came up; the bytes are its address.
    Connect = 3,
    /// A connection went down; the bytes say why.
    Disconnect = 4,
    /// A REST answer: request, then body from `split`.
    Rest = 5,
    /// Journal: `split` ticks from `stamp` on.
    Ticks = 6,
    /// Journal: `split` groups from `ring`.
    Order = 7,
    /// Events that no frame tells: a group of them as they lie in memory.
    Events = 8,
}

impl Piece {
    /// Reads the number.
    #[must_use]
    pub const fn from_u8(n: u8) -> Option<Self> {
        Some(match n {
            1 => Self::Frame,
            2 => Self::Sent,
            3 => Self::Connect,
            4 => Self::Disconnect,
            5 => Self::Rest,
            6 => Self::Ticks,
            7 => Self::Order,
            8 => Self::Events,
            _ => return None,
        })
    }
}

/// A head as bytes.
#[must_use]
pub fn head(piece: Piece, ring: u8, split: u32, stamp: Nanos) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[0] = piece as u8;
    head[1] = ring;
    head[4..8].copy_from_slice(&split.to_le_bytes());
    head[8..16].copy_from_slice(&stamp.get().to_le_bytes());
    head
}

/// Reads a head back: piece, ring, split, stamp and the bytes behind it.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<(Piece, u8, u32, Nanos, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let [kind, ring, _, _, a, b, c, d, stamp @ ..] = *head;
    let piece = Piece::from_u8(kind)?;
    Some((
        piece,
        ring,
        u32::from_le_bytes([a, b, c, d]),
        Nanos::new(i64::from_le_bytes(stamp)),
        rest,
    ))
}

/// One thread's way to the tape. Once something did not fit the tape has a hole and this lane stops for good: a tape
/// is exact or it ends.
#[derive(Debug)]
pub struct Taped {
    ring: u8,
    to: Option<ByteProducer>,
    hole: Arc<Flag>,
    lost: u64,
}

impl Taped {
    /// To a tape, or to none.
    #[must_use]
    pub fn new(ring: u8, to: Option<ByteProducer>) -> Self {
        let hole = Arc::default();
        Self {
            ring,
            to,
            hole,
            lost: 0,
        }
    }

    /// The flag that goes up when a piece did not fit.
    #[must_use]
    pub fn hole(&self) -> Arc<Flag> {
        Arc::clone(&self.hole)
    }

    /// Adds a piece of this thread's own ring; false when the tape just broke.
    pub fn put(&mut self, piece: Piece, split: u32, stamp: Nanos, bytes: &[u8]) -> bool {
        self.put_for(self.ring, piece, split, stamp, bytes)
    }

    /// Adds a piece that speaks of another ring (the journal's); false when the tape just broke.
    pub fn put_for(
        &mut self,
        ring: u8,
        piece: Piece,
        split: u32,
        stamp: Nanos,
        bytes: &[u8],
    ) -> bool {
        let Some(to) = self.to.as_mut() else {
            self.lost += u64::from(self.lost > 0);
            return true;
        };
        // LIMIT: a full ring ends the tape; what is lost is counted.
        let fits = to.write(&head(piece, ring, split, stamp), bytes);
        if !fits {
            (self.to, self.lost) = (None, 1);
            self.hole.raise();
        }
        fits
    }

    /// Pieces that did not reach the tape since it broke, the one that broke it included.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// True while pieces reach the tape.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.to.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back_and_a_full_ring_ends_the_tape() {
        let (to, mut from) = crate::ring::byte_channel(64);
        let mut taped = Taped::new(3, Some(to));
        assert!(taped.put(Piece::Rest, 2, Nanos::new(-7), b"/abody"));
        let mut bytes = Vec::new();
        assert!(from.read(&mut bytes));
        assert_eq!(
            parse(&bytes),
            Some((Piece::Rest, 3, 2, Nanos::new(-7), &b"/abody"[..]))
        );
        let hole = taped.hole();
        assert!(!hole.is_up());
        assert!(!taped.put(Piece::Frame, 0, Nanos::ZERO, &[0; 64]));
        assert!(hole.is_up());
        assert!(!taped.is_on());
        assert!(taped.put(Piece::Frame, 0, Nanos::ZERO, b"x"), "said once");
        assert_eq!(taped.lost(), 2);
        let mut none = Taped::new(3, None);
        assert!(none.put(Piece::Frame, 0, Nanos::ZERO, b"x") && none.lost() == 0);
        assert_eq!(parse(&[9; 20]), None);
        assert_eq!(parse(&[1; 5]), None);
    }
}
