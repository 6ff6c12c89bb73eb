//! WebSocket: client framing in place, over one flat buffer that is allocated once.
//!
//! ```text
//!   0        assembled            start                end                       room
//!   | ....... | fragments so far | .. | unread bytes .. | free: read the socket here | SLACK |
//! ```
//! The socket is read straight into the free part; a message that came in one frame is handed out
//! where it lies, as a [`Frame`]. Fragments are moved together in the buffer. When everything was
//! read the buffer starts again at its beginning, so a quiet connection lives in the first pages
//! (and in the cache); the unread rest is moved down only when the free part runs short. Control
//! frames are surfaced between messages, also between fragments.
//!
//! Strict where the other side could be broken or hostile: a masked frame, a reserved bit, a
//! reserved opcode, a control frame that is long or fragmented, a continuation of nothing or a
//! message inside a message is `BadFrame`; a message beyond the limit is `TooLong`. After a fault
//! the receiver gives only that fault: the stream has lost its framing. Text is not checked for
//! UTF-8 here; the readers behind do (the fast road admits ASCII only).
//!
//! No extension is ever offered, so compression cannot appear. RFC 6455.

use super::{Frame, SLACK};
use crate::health::{Fault, FaultKind};

/// Default limit of a message: 8 MiB.
pub const MESSAGE_MAX: usize = 8 << 20;
/// Free bytes the socket is offered at least.
const READ_MIN: usize = 64 << 10;
/// Longest frame header from a server.
const HEADER_MAX: usize = 10;
/// Longest control payload.
const CONTROL_MAX: usize = 125;

/// What the server sent.
#[derive(Debug)]
pub enum Message<'a> {
    /// A text message.
    Text(Frame<'a>),
    /// A binary message.
    Binary(Frame<'a>),
    /// A ping: answer with [`Sender::pong`] and the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The server closes: code (1005 when it gave none) and reason. Nothing follows.
    Close(u16, &'a [u8]),
}

/// The receiving half.
#[derive(Debug)]
pub struct Receiver {
    room: Box<[u8]>,
    limit: usize,
    /// Fragments so far lie at `assembled..assembled_end`.
    assembled: usize,
    assembled_end: usize,
    /// Unread bytes lie at `start..end`.
    start: usize,
    end: usize,
    /// Opcode of the message being assembled; 0 = none.
    open: u8,
    /// True once the close frame was given out.
    closed: bool,
    fault: Option<Fault>,
}

/// A frame header that was read.
struct Header {
    last: bool,
    opcode: u8,
    /// Header bytes.
    size: usize,
    /// Payload bytes.
    len: usize,
}

/// Payload places of a frame that is complete.
enum Found {
    Message { opcode: u8, from: usize, len: usize },
    Control { opcode: u8, from: usize, len: usize },
}

impl Receiver {
    /// A receiver that admits messages up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let room = limit + HEADER_MAX + CONTROL_MAX + HEADER_MAX + READ_MIN + SLACK;
        Self {
            room: vec![0; room].into_boxed_slice(),
            limit,
            assembled: 0,
            assembled_end: 0,
            start: 0,
            end: 0,
            open: 0,
            closed: false,
            fault: None,
        }
    }

    /// Forgets everything: a new connection. `head` are bytes that came behind the handshake.
    ///
    /// # Errors
    /// `TooLong` when the head does not fit.
    pub fn restart(&mut self, head: &[u8]) -> Result<(), Fault> {
        self.assembled = 0;
        self.assembled_end = 0;
        self.start = 0;
        self.end = 0;
        self.open = 0;
        self.closed = false;
        self.fault = None;
        let space = self.space();
        let Some(space) = space.get_mut(..head.len()) else {
            return Err(Fault::new(head.len(), FaultKind::TooLong));
        };
        space.copy_from_slice(head);
        self.filled(head.len());
        Ok(())
    }

    /// Where the socket is to be read into: never empty.
    pub fn space(&mut self) -> &mut [u8] {
        let usable = self.room.len() - SLACK;
        if usable - self.end < READ_MIN {
            self.compact();
        }
        &mut self.room[self.end..usable]
    }

    /// Says how many bytes were read into [`Receiver::space`].
    pub fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.room.len() - SLACK);
    }

    /// The next message, or `None` when more bytes are needed (or the server has closed).
    ///
    /// # Errors
    /// The fault that ended the framing; it stays.
    #[inline]
    pub fn message(&mut self) -> Result<Option<Message<'_>>, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.closed {
            return Ok(None);
        }
        match self.advance() {
            Ok(None) => Ok(None),
            Ok(Some(found)) => self.give(found),
            Err(kind) => Err(self.fail(kind)),
        }
    }

    fn fail(&mut self, kind: FaultKind) -> Fault {
        let fault = Fault::new(self.start, kind);
        self.fault = Some(fault);
        fault
    }

    /// Reads frames until a message or a control frame is complete.
    fn advance(&mut self) -> Result<Option<Found>, FaultKind> {
        loop {
            if self.start == self.end {
                // Nothing unread: begin again at the front (behind the fragments, if there are
                // any).
                self.rewind();
                return Ok(None);
            }
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let from = self.start + header.size;
            if header.len > self.end - from {
                return Ok(None);
            }
            self.start = from + header.len;
            let Header {
                last, opcode, len, ..
            } = header;
            if opcode >= 8 {
                return Ok(Some(Found::Control { opcode, from, len }));
            }
            if opcode != 0 && last {
                return Ok(Some(Found::Message { opcode, from, len }));
            }
            if opcode != 0 {
                // First fragment: stays where it is.
                self.open = opcode;
                self.assembled = from;
                self.assembled_end = from + len;
                continue;
            }
            self.room.copy_within(from..from + len, self.assembled_end);
            self.assembled_end += len;
            if last {
                let opcode = core::mem::take(&mut self.open);
                let from = self.assembled;
                let len = self.assembled_end - from;
                return Ok(Some(Found::Message { opcode, from, len }));
            }
        }
    }

    fn rewind(&mut self) {
        if self.open == 0 {
            self.start = 0;
        } else if self.assembled != 0 {
            self.room.copy_within(self.assembled..self.assembled_end, 0);
            self.assembled_end -= self.assembled;
            self.assembled = 0;
            self.start = self.assembled_end;
        } else {
            self.start = self.assembled_end;
        }
        self.end = self.start;
    }

    /// Moves fragments and unread bytes to the front.
    fn compact(&mut self) {
        let mut to = 0;
        if self.open != 0 {
            self.room.copy_within(self.assembled..self.assembled_end, 0);
            to = self.assembled_end - self.assembled;
            self.assembled = 0;
            self.assembled_end = to;
        }
        self.room.copy_within(self.start..self.end, to);
        self.end = to + (self.end - self.start);
        self.start = to;
    }

    /// Reads the header at `start`; `None` when it is not complete.
    #[inline(always)]
    fn header(&self) -> Result<Option<Header>, FaultKind> {
        let unread = &self.room[self.start..self.end];
        let [first, second, ..] = *unread else {
            return Ok(None);
        };
        let (last, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 || second & 0x80 != 0 {
            return Err(FaultKind::BadFrame);
        }
        let (size, len) = match second {
            126 => match unread.get(2..4).and_then(<[u8]>::first_chunk) {
                Some(bytes) => (4, u64::from(u16::from_be_bytes(*bytes))),
                None => return self.judge(last, opcode, 126).map(|()| None),
            },
            127 => match unread.get(2..10).and_then(<[u8]>::first_chunk) {
                Some(bytes) => (10, u64::from_be_bytes(*bytes)),
                None => return self.judge(last, opcode, 127).map(|()| None),
            },
            short => (2, u64::from(short)),
        };
        // Lengths are written in the fewest bytes, or the frame is broken.
        let fewest = match second {
            126 => 126,
            127 => 1 << 16,
            _ => 0,
        };
        if len < fewest {
            return Err(FaultKind::BadFrame);
        }
        self.judge(last, opcode, len)?;
        let header = Header {
            last,
            opcode,
            size,
            len: usize::try_from(len).map_err(|_| FaultKind::TooLong)?,
        };
        Ok(Some(header))
    }

    /// Whether a frame may stand here.
    #[inline(always)]
    fn judge(&self, last: bool, opcode: u8, len: u64) -> Result<(), FaultKind> {
        let fine = match opcode {
            0 => self.open != 0,
            1 | 2 => self.open == 0,
            8..=10 => last && len <= CONTROL_MAX as u64,
            _ => false,
        };
        if !fine {
            return Err(FaultKind::BadFrame);
        }
        let before = if opcode == 0 {
            self.assembled_end - self.assembled
        } else {
            0
        };
        if len > (self.limit - before.min(self.limit)) as u64 && opcode < 8 {
            return Err(FaultKind::TooLong);
        }
        Ok(())
    }

    #[inline(always)]
    fn give(&mut self, found: Found) -> Result<Option<Message<'_>>, Fault> {
        match found {
            Found::Message { opcode, from, len } => {
                // The slack exists: `space` and `filled` never let a payload reach into the last
                // SLACK bytes.
                let fault = Fault::new(from, FaultKind::BadFrame);
                let frame = Frame::new(&mut self.room[from..], len).ok_or(fault)?;
                Ok(Some(if opcode == 1 {
                    Message::Text(frame)
                } else {
                    Message::Binary(frame)
                }))
            }
            Found::Control { opcode, from, len } => {
                if opcode == 8 && len == 1 {
                    return Err(self.fail(FaultKind::BadFrame));
                }
                let payload = &self.room[from..from + len];
                Ok(Some(match (opcode, payload) {
                    (9, _) => Message::Ping(payload),
                    (10, _) => Message::Pong(payload),
                    (_, [high, low, reason @ ..]) => {
                        self.closed = true;
                        Message::Close(u16::from_be_bytes([*high, *low]), reason)
                    }
                    _ => {
                        self.closed = true;
                        Message::Close(1005, payload)
                    }
                }))
            }
        }
    }
}

/// The sending half: frames are masked into a fixed buffer, from which the caller writes to the
/// socket.
#[derive(Debug)]
pub struct Sender {
    room: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Sender {
    /// A sender that holds up to `capacity` bytes not yet written.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            room: vec![0; capacity].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }
    /// Bytes that wait to be written to the socket.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.room[self.start..self.end]
    }
    /// Says how many of them were written.
    pub fn sent(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }
    /// Forgets what waits: a new connection.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }
    /// Queues a text message. `key` is the state the masking key is drawn from; it must not be 0.
    ///
    /// # Errors
    /// `TooLong` when it does not fit; nothing was queued.
    pub fn text(&mut self, payload: &[u8], key: &mut u32) -> Result<(), Fault> {
        self.queue(1, payload, key)
    }
    /// Queues a ping of at most 125 bytes.
    ///
    /// # Errors
    /// `TooLong`.
    pub fn ping(&mut self, payload: &[u8], key: &mut u32) -> Result<(), Fault> {
        self.control(9, payload, key)
    }
    /// Queues a pong of at most 125 bytes.
    ///
    /// # Errors
    /// `TooLong`.
    pub fn pong(&mut self, payload: &[u8], key: &mut u32) -> Result<(), Fault> {
        self.control(10, payload, key)
    }
    /// Queues a close frame with a code.
    ///
    /// # Errors
    /// `TooLong`.
    pub fn close(&mut self, code: u16, key: &mut u32) -> Result<(), Fault> {
        self.control(8, &code.to_be_bytes(), key)
    }

    fn control(&mut self, opcode: u8, payload: &[u8], key: &mut u32) -> Result<(), Fault> {
        if payload.len() > CONTROL_MAX {
            return Err(Fault::new(payload.len(), FaultKind::TooLong));
        }
        self.queue(opcode, payload, key)
    }

    fn queue(&mut self, opcode: u8, payload: &[u8], key: &mut u32) -> Result<(), Fault> {
        if self.start > 0 {
            self.room.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let mut head = [0u8; 14];
        head[0] = 0x80 | opcode;
        let len = payload.len();
        let size = if len <= CONTROL_MAX {
            head[1] = 0x80 | len as u8;
            2
        } else if let Ok(short) = u16::try_from(len) {
            head[1] = 0x80 | 126;
            head[2..4].copy_from_slice(&short.to_be_bytes());
            4
        } else {
            head[1] = 0x80 | 127;
            head[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            10
        };
        let mask = draw(key).to_le_bytes();
        head[size..size + 4].copy_from_slice(&mask);
        let need = size + 4 + len;
        let Some(room) = self.room.get_mut(self.end..self.end + need) else {
            return Err(Fault::new(len, FaultKind::TooLong));
        };
        let (front, body) = room.split_at_mut(size + 4);
        front.copy_from_slice(&head[..size + 4]);
        for (i, (to, from)) in body.iter_mut().zip(payload).enumerate() {
            *to = from ^ mask[i & 3];
        }
        self.end += need;
        Ok(())
    }
}

/// One step of a 32-bit xorshift: masking only keeps intermediaries honest, it is no secret.
fn draw(state: &mut u32) -> u32 {
    let mut x = (*state).max(1);
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    x
}

#[cfg(test)]
mod tests;
