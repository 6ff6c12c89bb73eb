//! Feed: one pinned loop per connection. Socket, frame, decoder, ring; it counts and never logs.
//!
//! A feed owns a connected socket and nothing else that can block: connecting, names and backoff are the control
//! thread's, which hands over a ready stream through a bounded channel. Per turn: read what is there, stamp it once
//! (before parsing), and for every message in it tape the raw bytes, decode in place, push the group to the ring.
//! When the socket closes, or the peer breaks the protocol, the lane says so in events and the feed asks for another.
//!
//! After start nothing here allocates, locks, or makes a system call but the socket's and the idle strategy's. A full
//! ring makes the feed wait (counted): nothing is lost, and the socket's own buffer is the next to fill.

pub mod taped;

use crate::event::Event;
use crate::health::FaultKind;
use crate::idle::Strategy;
use crate::ring::Producer;
use crate::sync::{Flag, Tally};
use crate::time::{Clock, Nanos, mono_now};
use crate::venue::Refusal;
use crate::venue::lane::Lane;
use crate::wire::socket::{self, Moved};
use crate::wire::websocket::{self, Message};
use crossbeam::channel::{Receiver, Sender};
use mio::net::TcpStream;
use std::sync::Arc;
use taped::{Piece, Taped};

/// Places of a feed's [`Tally`]: what it has counted, for the page.
pub mod count {
    /// Messages received.
    pub const FRAMES: usize = 0;
    /// Messages that were none of ours.
    pub const IGNORED: usize = 1;
    /// Messages that fitted neither road.
    pub const FAULTS: usize = 2;
    /// Sequence breaks.
    pub const GAPS: usize = 3;
    /// Messages the tolerant road read.
    pub const TOLERANT: usize = 4;
    /// Connections made, the first not counted.
    pub const RECONNECTS: usize = 5;
    /// Turns spent waiting for room in the ring.
    pub const RING_FULL: usize = 6;
    /// 1 when the tape lost a piece and ended.
    pub const TAPE_FULL: usize = 7;
    /// 1 while connected.
    pub const UP: usize = 8;
    /// Subscriptions that the venue refused.
    pub const REFUSED: usize = 9;
    /// How many there are.
    pub const ALL: usize = 10;
}

/// What a feed says to the control thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// It wants a connection.
    Connection {
        /// The feed.
        feed: usize,
        /// What came with the last connection: given back where memory may be released.
        spent: Vec<u8>,
    },
    /// People should know that the venue refused a subscription; at most once a connection.
    Refused {
        /// The feed.
        feed: usize,
        /// What the venue said.
        said: Refusal,
    },
}

/// A connected socket and what was read past the handshake.
#[derive(Debug)]
pub struct Ready {
    /// Nonblocking.
    pub stream: TcpStream,
    /// First bytes of the stream that came with the handshake.
    pub early: Vec<u8>,
}

/// Text the client sends on its own.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// Sent once a connection is up.
    pub subscribe: Vec<String>,
    /// Per symbol: sent when its book must come anew.
    pub resync: Vec<Vec<String>>,
    /// Sent every `ping_every`.
    pub ping: String,
    /// Zero = never.
    pub ping_every: Nanos,
}

/// Everything a feed thread owns.
#[derive(Debug)]
pub struct Feed<C: Clock> {
    /// Its number: ring, connection, tally.
    pub number: usize,
    /// Address, for the tape.
    pub url: String,
    /// Decoder and counts.
    pub lane: Lane,
    /// To the shard.
    pub events: Producer<Event>,
    /// To the tape.
    pub taped: Taped,
    /// What it sends.
    pub script: Script,
    /// Sockets come here.
    pub ready: Receiver<Ready>,
    /// Wishes go here.
    pub wishes: Sender<Wish>,
    /// Stamps with this.
    pub clock: C,
    /// Waits like this.
    pub idle: Strategy,
    /// Counts for the page.
    pub tally: Arc<Tally<{ count::ALL }>>,
    /// Raised to end.
    pub stop: Arc<Flag>,
}

/// Bytes a connection may have queued for sending.
const SEND_MAX: usize = 1 << 20;
/// A connection that was silent for this many pings is dead, whatever the socket says.
const SILENT: i64 = 3;
/// A book that broke again is asked for at most this often.
const ASK: Nanos = Nanos::SECOND;
/// A book that has not come is asked for again after this long.
const ASK_AGAIN: Nanos = Nanos::seconds(10);

/// The connection of the moment.
struct Line {
    stream: Option<TcpStream>,
    /// First bytes of the connection, used up.
    early: Vec<u8>,
    receiver: websocket::Receiver,
    sender: websocket::Sender,
    mask: u32,
    pinged: Nanos,
    /// When bytes last came.
    heard: Nanos,
    wished: bool,
    ups: u64,
    /// When each symbol's book was last asked for.
    resynced: Vec<Nanos>,
    /// When books that wait were last looked for.
    looked: Nanos,
    /// Refusals before this connection, and whether people know of one on it.
    refused: u64,
    told: bool,
}

impl<C: Clock> Feed<C> {
    /// Runs until the stop flag is up.
    pub fn run(mut self) {
        let mut line = Line {
            stream: None,
            early: Vec::new(),
            receiver: websocket::Receiver::new(websocket::MESSAGE_MAX),
            sender: websocket::Sender::new(SEND_MAX),
            mask: 0x9e37_79b9 ^ (self.number as u32 + 1),
            pinged: Nanos::ZERO,
            heard: Nanos::ZERO,
            wished: false,
            ups: 0,
            resynced: vec![Nanos::ZERO; self.script.resync.len()],
            looked: Nanos::ZERO,
            refused: 0,
            told: false,
        };
        let mut idle_turns = 0;
        while !self.stop.is_up() {
            let worked = if line.stream.is_some() {
                self.turn(&mut line)
            } else {
                self.connect(&mut line)
            };
            if worked {
                idle_turns = 0;
            } else {
                idle_turns += 1;
                self.idle.idle(idle_turns);
            }
        }
        self.report(&line);
    }

    /// Without a socket: wish for one, once, and see whether it came.
    fn connect(&mut self, line: &mut Line) -> bool {
        if !line.wished {
            // A full channel means that the wish is already there.
            let _ = self.wishes.try_send(Wish::Connection {
                feed: self.number,
                spent: core::mem::take(&mut line.early),
            });
            line.wished = true;
        }
        let Ok(ready) = self.ready.try_recv() else {
            return false;
        };
        line.wished = false;
        let recv = self.clock.now();
        let up = line.receiver.restart(&ready.early).is_ok();
        line.early = ready.early;
        line.sender.clear();
        line.stream = Some(ready.stream);
        line.pinged = mono_now();
        line.heard = line.pinged;
        // Subscribing asks for every book; one that does not come is asked for again.
        line.resynced.fill(line.pinged);
        line.refused = self.refusals();
        line.told = false;
        line.ups += 1;
        self.tape(Piece::Connect, recv, None);
        push(&mut self.events, self.lane.connected(recv), &self.tally);
        let subscribe = core::mem::take(&mut self.script.subscribe);
        for text in &subscribe {
            self.send(line, text.as_bytes());
        }
        self.script.subscribe = subscribe;
        // What came with the handshake is not announced by the socket again.
        let early = if up {
            self.messages(line, recv)
        } else {
            Err("too much came with the handshake")
        };
        self.report(line);
        self.tell(line);
        if let Err(reason) = early {
            self.down(line, reason);
        }
        true
    }

    /// With a socket: read, decode, send what is due.
    fn turn(&mut self, line: &mut Line) -> bool {
        let Some(stream) = line.stream.as_mut() else {
            return false;
        };
        let moved = socket::read(stream, line.receiver.space());
        let now = mono_now();
        let worked = match moved {
            Moved::Bytes(bytes) => {
                // One stamp a read, before anything is parsed.
                let recv = self.clock.now();
                line.heard = now;
                line.receiver.filled(bytes);
                if let Err(reason) = self.messages(line, recv) {
                    self.down(line, reason);
                    return true;
                }
                self.report(line);
                self.tell(line);
                true
            }
            Moved::Nothing => false,
            Moved::Gone => {
                self.down(line, "closed by the other side");
                return true;
            }
        };
        let every = self.script.ping_every;
        if every != Nanos::ZERO && now.since(line.heard).get() >= every.get().saturating_mul(SILENT)
        {
            self.down(line, "silent");
            return true;
        }
        self.ping(line, now);
        worked | self.resync(line, now) | self.flush(line)
    }

    /// Every message that is complete.
    fn messages(&mut self, line: &mut Line, recv: Nanos) -> Result<(), &'static str> {
        loop {
            match line.receiver.message() {
                Ok(Some(Message::Text(frame) | Message::Binary(frame))) => {
                    if !self.taped.put(Piece::Frame, 0, recv, frame.bytes()) {
                        self.tally.set(count::TAPE_FULL, 1);
                    }
                    push(&mut self.events, self.lane.frame(recv, frame), &self.tally);
                }
                Ok(Some(Message::Ping(payload))) => {
                    // A peer that floods us with pings gets its answers dropped, not our memory.
                    let _ = line.sender.pong(payload, &mut line.mask);
                }
                Ok(Some(Message::Pong(_))) => {}
                Ok(Some(Message::Close(..))) => return Err("closed by the server"),
                Ok(None) => return Ok(()),
                Err(_) => {
                    self.lane.broken_framing();
                    return Err("broken framing");
                }
            }
        }
    }

    fn ping(&mut self, line: &mut Line, now: Nanos) {
        let every = self.script.ping_every;
        if every == Nanos::ZERO || now.since(line.pinged) < every {
            return;
        }
        line.pinged = now;
        let ping = core::mem::take(&mut self.script.ping);
        self.send(line, ping.as_bytes());
        self.script.ping = ping;
    }

    /// Asks anew for the books that broke, each at most once a second: a venue that keeps sending what does not fit
    /// must not be flooded with our subscriptions. A book that still waits for its image is asked for every ten:
    /// the venue may have refused, or what it sent may not have fitted.
    fn resync(&mut self, line: &mut Line, now: Nanos) -> bool {
        let mut asked = false;
        let look = now.since(line.looked) >= ASK;
        if look {
            line.looked = now;
        }
        for symbol in 0..line.resynced.len() {
            let since = now.since(line.resynced[symbol]);
            let broke = self.lane.resync().get(symbol).is_some_and(|wanted| *wanted);
            let due = if broke {
                since >= ASK
            } else {
                look && since >= ASK_AGAIN && self.lane.waits(symbol)
            };
            if !due || self.script.resync[symbol].is_empty() {
                continue;
            }
            line.resynced[symbol] = now;
            if let Some(wanted) = self.lane.resync().get_mut(symbol) {
                *wanted = false;
            }
            let texts = core::mem::take(&mut self.script.resync[symbol]);
            for text in &texts {
                self.send(line, text.as_bytes());
            }
            self.script.resync[symbol] = texts;
            asked = true;
        }
        asked
    }

    /// Queues a message and tapes it.
    fn send(&mut self, line: &mut Line, text: &[u8]) {
        // A message that does not fit finds a socket that takes nothing: it will be closed, and all is sent again.
        if line.sender.text(text, &mut line.mask).is_ok() {
            let at = self.clock.now();
            self.lane.sent(text);
            self.tape(Piece::Sent, at, Some(text));
        }
    }

    fn flush(&mut self, line: &mut Line) -> bool {
        let (Some(stream), false) = (line.stream.as_mut(), line.sender.pending().is_empty()) else {
            return false;
        };
        match socket::write(stream, line.sender.pending()) {
            Moved::Bytes(bytes) => {
                line.sender.sent(bytes);
                true
            }
            Moved::Nothing => false,
            Moved::Gone => {
                self.down(line, "closed by the other side");
                true
            }
        }
    }

    /// The connection is lost: say so to the shard, drop the socket, wish for another.
    fn down(&mut self, line: &mut Line, reason: &'static str) {
        let recv = self.clock.now();
        line.stream = None;
        self.tape(Piece::Disconnect, recv, Some(reason.as_bytes()));
        push(&mut self.events, self.lane.disconnected(recv), &self.tally);
        self.report(line);
    }

    fn tape(&mut self, piece: Piece, stamp: Nanos, bytes: Option<&[u8]>) {
        let bytes = bytes.unwrap_or(self.url.as_bytes());
        if !self.taped.put(piece, 0, stamp, bytes) {
            self.tally.set(count::TAPE_FULL, 1);
        }
    }

    const fn refusals(&self) -> u64 {
        self.lane.counts.by_fault[FaultKind::Refused as usize]
    }

    /// Lets people know that the venue refused something, once a connection.
    fn tell(&self, line: &mut Line) {
        if line.told || self.refusals() == line.refused {
            return;
        }
        let said = *self.lane.refusal();
        // No room means that the control thread is busy: it is told with the next read.
        line.told = self
            .wishes
            .try_send(Wish::Refused {
                feed: self.number,
                said,
            })
            .is_ok();
    }

    fn report(&self, line: &Line) {
        let counts = &self.lane.counts;
        for (place, value) in [
            (count::FRAMES, counts.frames),
            (count::IGNORED, counts.ignored),
            (count::FAULTS, counts.faults),
            (count::GAPS, counts.gaps),
            (count::TOLERANT, counts.tolerant),
            (count::RECONNECTS, line.ups.saturating_sub(1)),
            (count::UP, u64::from(line.stream.is_some())),
            (count::REFUSED, self.refusals()),
        ] {
            self.tally.set(place, value);
        }
    }
}

/// Puts a group into the ring, waiting for room: the socket's buffer fills next, and nothing is lost. Not even at
/// the end: the group is on the tape already, and the shard drains its rings after the feeds have stopped.
fn push(events: &mut Producer<Event>, group: &[Event], tally: &Tally<{ count::ALL }>) {
    while !events.push_all(group) {
        tally.add(count::RING_FULL, 1);
        if events.is_abandoned() {
            return;
        }
        std::thread::yield_now();
    }
}
