//! Wire: bytes from a socket to numbers and literals, without knowing what a market is.
//!
//! ```text
//! socket (tls) -> websocket -> Frame -> scan/cursor (fast, in the venue's field order)
//!                                    -> json        (tolerant, any order)      -> decimal
//! ```
//! A [`Frame`] is a message together with readable slack behind it. That one fact, checked once
//! when the frame is made, lets the scanners look at [`SLACK`] bytes from any place of the message
//! without asking again; what lies in the slack is the next message or anything at all, so every
//! scanner ends by comparing where it stopped with the length. Nothing here allocates after
//! construction, except the handshakes in `socket`, a TLS key update (see `tls`) and `https`.

pub mod cursor;
pub mod decimal;
pub mod https;
pub mod json;
pub mod scan;
pub mod socket;
pub mod tls;
pub mod wake;
pub mod websocket;

/// Readable bytes that lie behind every [`Frame`], and the width of a [`Window`].
///
/// 64 bytes are searched at once and a number that starts there is loaded 16 wide, which is 80;
/// simd-json asks 64.
pub const SLACK: usize = 128;

/// What a scanner sees from one place of a frame.
pub type Window = [u8; SLACK];

/// A message in a mutable buffer, with at least [`SLACK`] readable bytes behind it.
///
/// Mutable because the tolerant reader unescapes in place; the slack is never changed.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Exactly `len + SLACK` bytes.
    room: &'a mut [u8],
    len: usize,
}

impl<'a> Frame<'a> {
    /// A frame of the first `len` bytes of `room`; `None` when less than [`SLACK`] bytes follow
    /// them.
    #[must_use]
    #[inline]
    pub fn new(room: &'a mut [u8], len: usize) -> Option<Self> {
        let room = room.get_mut(..len.checked_add(SLACK)?)?;
        Some(Self { room, len })
    }
    /// Length of the message in bytes.
    #[must_use]
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }
    /// True when the message has no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The message.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.room[..self.len]
    }
    /// The [`SLACK`] bytes from `at`; `None` when `at` is behind the end of the message.
    #[must_use]
    #[inline(always)]
    pub fn window(&self, at: usize) -> Option<&Window> {
        // The room ends SLACK bytes behind the message, so the one range check is `at <= len`.
        self.room.get(at..)?.first_chunk()
    }
    /// The same frame for a shorter time.
    #[must_use]
    pub fn reborrow(&mut self) -> Frame<'_> {
        Frame {
            room: &mut *self.room,
            len: self.len,
        }
    }
    /// Message and slack as one slice, and the length of the message.
    #[must_use]
    pub fn into_room(self) -> (&'a mut [u8], usize) {
        (self.room, self.len)
    }
}

/// Owned room for one message at a time: for tapes, tests and answers that come in a `Vec`.
#[derive(Debug, Clone, Default)]
pub struct FrameBuffer {
    room: Vec<u8>,
}

impl FrameBuffer {
    /// Room for messages up to `capacity` bytes; longer ones grow it.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            room: vec![0; capacity.saturating_add(SLACK)],
        }
    }
    /// Copies a message in and gives it back as a frame.
    pub fn put(&mut self, message: &[u8]) -> Frame<'_> {
        let need = message.len() + SLACK;
        if self.room.len() < need {
            self.room.resize(need, 0);
        }
        self.room[..message.len()].copy_from_slice(message);
        Frame {
            room: &mut self.room[..need],
            len: message.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_without_slack_cannot_be_made() {
        let mut room = [7u8; 200];
        assert!(Frame::new(&mut room, 72).is_some());
        assert!(Frame::new(&mut room, 73).is_none());
        assert!(Frame::new(&mut room, usize::MAX).is_none());
        let frame = Frame::new(&mut room, 10).unwrap();
        assert!(frame.window(10).is_some());
        assert!(frame.window(11).is_none());
        assert!(frame.window(usize::MAX).is_none());
    }
}
