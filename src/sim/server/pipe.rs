//! Pipe: one TCP connection of the exchange, plain or TLS, never blocking.
//!
//! What is to be sent waits in one buffer and leaves with [`Pipe::flush`]; what has come stands in
//! [`Pipe::inbound`] until the reader takes it. A part of the outbound bytes can be made to drip:
//! it leaves evenly over a span, and everything behind it waits. A frozen pipe neither reads nor
//! sends. All times are of the machine's monotone clock.

use super::frame;
use crate::time::{Nanos, mono_now};
use rustls::{ServerConfig, ServerConnection};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

/// Bytes a client may have on their way to us; a client that says more at once is cut off.
const INBOUND: usize = 1 << 20;
/// Bytes read in one go.
const GULP: usize = 16 << 10;

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Ends when everything is sent.
    Ending,
    /// Neither reads nor sends; the peer is to find out.
    Frozen,
    Gone,
}

/// Bytes that leave slowly: `outbound[from..from + len]`, evenly over `span` from `began`.
#[derive(Debug, Clone, Copy)]
struct Drip {
    from: usize,
    len: usize,
    began: Option<Nanos>,
    span: Nanos,
}

impl Drip {
    /// How far into the buffer may be sent by now.
    fn until(&mut self, now: Nanos) -> usize {
        let began = *self.began.get_or_insert(now);
        let gone = now.since(began).get().clamp(0, self.span.get());
        let share = self.len as i128 * i128::from(gone) / i128::from(self.span.get().max(1));
        self.from + share as usize
    }
}

/// A connection as bytes.
pub(super) struct Pipe {
    stream: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// What has come and was not taken yet.
    pub(super) inbound: Vec<u8>,
    outbound: Vec<u8>,
    sent: usize,
    drip: Option<Drip>,
    /// Last moment at which nothing waited or something left.
    moved: Nanos,
    state: State,
}

impl Pipe {
    /// A connection just accepted; `None` when it is gone again already.
    pub(super) fn new(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> Option<Self> {
        stream.set_nonblocking(true).ok()?;
        stream.set_nodelay(true).ok()?;
        let tls = match tls {
            None => None,
            Some(config) => Some(Box::new(ServerConnection::new(Arc::clone(config)).ok()?)),
        };
        Some(Self {
            stream,
            tls,
            inbound: Vec::new(),
            outbound: Vec::new(),
            sent: 0,
            drip: None,
            moved: mono_now(),
            state: State::Open,
        })
    }

    /// True when there is nothing to do here any more.
    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// True when it neither reads nor sends.
    pub(super) fn is_frozen(&self) -> bool {
        self.state == State::Frozen
    }

    /// True while more may be said.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Bytes that wait to be sent.
    pub(super) fn backlog(&self) -> usize {
        self.outbound.len() - self.sent
    }

    /// Since when bytes wait and none leaves.
    pub(super) fn stalled(&self, now: Nanos) -> Nanos {
        now.since(self.moved)
    }

    /// Adds bytes to what is sent, unless the connection is about to end.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.state == State::Open {
            self.outbound.extend_from_slice(bytes);
        }
    }

    /// Adds a whole text frame.
    pub(super) fn push_text(&mut self, text: &str) {
        if self.state == State::Open {
            frame::head(frame::TEXT, text.len(), &mut self.outbound);
            self.outbound.extend_from_slice(text.as_bytes());
        }
    }

    /// As `push`, but these bytes leave evenly over `span` once it is their turn; one drip at a time,
    /// a second one flows.
    pub(super) fn push_dripping(&mut self, bytes: &[u8], span: Nanos) {
        if self.state == State::Open && self.drip.is_none() {
            self.drip = Some(Drip {
                from: self.outbound.len(),
                len: bytes.len(),
                began: None,
                span,
            });
        }
        self.push(bytes);
    }

    /// Ends the connection once everything is sent.
    pub(super) fn end(&mut self) {
        if self.state == State::Open {
            self.state = State::Ending;
        }
    }

    /// The peer hears nothing any more and is not heard.
    pub(super) fn freeze(&mut self) {
        if self.state == State::Open {
            self.state = State::Frozen;
            self.outbound = Vec::new();
            self.sent = 0;
            self.drip = None;
        }
    }

    /// Everything that drips flows from here on.
    pub(super) fn hurry(&mut self) {
        self.drip = None;
    }

    /// Bytes as they are, below TLS, and the end: no peer can make sense of them.
    pub(super) fn spoil(&mut self, bytes: &[u8]) {
        // A peer that is gone already does not need them.
        let _ = self.stream.write_all(bytes);
        self.cut();
    }

    /// Ends the connection now, without a word.
    pub(super) fn cut(&mut self) {
        // It may be gone already; the answer is the same.
        let _ = self.stream.shutdown(Shutdown::Both);
        self.state = State::Gone;
    }

    /// Reads what has come. The peer's end ends the pipe once what it said is in `inbound`.
    pub(super) fn fill(&mut self) {
        if matches!(self.state, State::Gone | State::Frozen) {
            return;
        }
        let mut gulp = [0; GULP];
        loop {
            let read = match &mut self.tls {
                None => self.stream.read(&mut gulp),
                Some(tls) => read_tls(tls, &mut self.stream, &mut gulp),
            };
            match read {
                Ok(0) => return self.cut(),
                Ok(read) => self.inbound.extend_from_slice(&gulp[..read]),
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => return,
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.cut(),
            }
            if self.inbound.len() > INBOUND {
                return self.cut();
            }
        }
    }

    /// Sends what may leave by now.
    pub(super) fn flush(&mut self, now: Nanos) {
        if matches!(self.state, State::Gone | State::Frozen) {
            return;
        }
        let until = match &mut self.drip {
            Some(drip) if self.sent >= drip.from + drip.len => {
                self.drip = None;
                self.outbound.len()
            }
            // What is in front of the drip leaves at once, and the drip begins when that has left.
            Some(drip) if self.sent < drip.from => drip.from,
            Some(drip) => drip.until(now),
            None => self.outbound.len(),
        };
        while self.sent < until {
            let part = &self.outbound[self.sent..until];
            let wrote = match &mut self.tls {
                None => self.stream.write(part),
                Some(tls) => write_tls(tls, &mut self.stream, part),
            };
            match wrote {
                Ok(wrote) => {
                    self.sent += wrote;
                    self.moved = now;
                }
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => break,
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.cut(),
            }
        }
        if let Some(tls) = &mut self.tls
            && push_tls(tls, &mut self.stream).is_err()
        {
            return self.cut();
        }
        if self.sent == self.outbound.len() {
            self.outbound.clear();
            self.sent = 0;
            self.drip = None;
            self.moved = now;
            let held = self.tls.as_ref().is_some_and(|tls| tls.wants_write());
            if self.state == State::Ending && !held {
                self.cut();
            }
        } else if self.drip.is_none() && self.sent > GULP && self.sent * 2 > self.outbound.len() {
            self.outbound.drain(..self.sent);
            self.sent = 0;
        }
    }
}

/// Plain bytes out of a TLS connection; what the handshake has to say is sent on the way.
fn read_tls(
    tls: &mut ServerConnection,
    stream: &mut TcpStream,
    into: &mut [u8],
) -> std::io::Result<usize> {
    loop {
        match tls.reader().read(into) {
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => {}
            done => return done,
        }
        if tls.read_tls(stream)? == 0 {
            return Ok(0);
        }
        let state = tls.process_new_packets();
        // An alert for a client that broke the rules, or the next part of the handshake.
        push_tls(tls, stream)?;
        state.map_err(|fault| std::io::Error::new(ErrorKind::InvalidData, fault))?;
    }
}

/// Takes plain bytes into a TLS connection; `WouldBlock` when the socket is full.
fn write_tls(
    tls: &mut ServerConnection,
    stream: &mut TcpStream,
    from: &[u8],
) -> std::io::Result<usize> {
    push_tls(tls, stream)?;
    if tls.wants_write() || tls.is_handshaking() {
        return Err(ErrorKind::WouldBlock.into());
    }
    let wrote = tls.writer().write(from)?;
    push_tls(tls, stream)?;
    Ok(wrote)
}

/// Sends finished records; a full socket is no fault.
fn push_tls(tls: &mut ServerConnection, stream: &mut TcpStream) -> std::io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(stream) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}
