//! Feed: one pinned loop per feed. Socket, frame, decoder, ring; it counts and never logs.
//!
//! A feed owns connected sockets and nothing else that can block: connecting, names, REST and backoff are the control
//! thread's, which hands over what is ready through a bounded channel. Per turn: read what is there, stamp it once
//! (before parsing), and for every message in it tape the raw bytes, decode in place, push the group to the ring.
//! When a socket closes, the peer breaks the protocol, or a stream stays silent, the lane says so in events and the
//! feed asks for another connection.
//!
//! A feed has two *legs*. Of an A/B pair both are always wanted; else the second is wanted only while a connection is
//! replaced before its lifetime ends: the new one is up, and heard on every stream, before the old one goes. Both legs
//! run through one lane, which takes what comes first.
//!
//! After start nothing here allocates, locks, or makes a system call but the socket's and the idle strategy's. A full
//! ring makes the feed wait (counted): nothing is lost, and the socket's own buffer is the next to fill.

mod line;
pub mod sighting;
mod steer;
pub mod taped;
mod wish;

pub use wish::{Answer, Handed, Ready, Script, Wish};

use crate::event::{Event, Stream};
use crate::health::FaultKind;
use crate::idle::{self, Strategy};
use crate::ring::Producer;
use crate::sync::{Flag, Tally};
use crate::time::{Clock, Nanos, mono_now};
use crate::venue::lane::Lane;
use crate::wire::socket::Moved;
use crate::wire::wake::Wake;
use crate::wire::websocket::Message;
use crossbeam::channel::{Receiver, Sender};
use line::Line;
use sighting::Sighting;
use std::sync::Arc;
use std::time::Duration;
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
    /// Connections made, the first of each leg not counted.
    pub const RECONNECTS: usize = 5;
    /// Turns spent waiting for room in the ring.
    pub const RING_FULL: usize = 6;
    /// Pieces that did not reach the tape.
    pub const TAPE_FULL: usize = 7;
    /// 1 while a leg is connected.
    pub const UP: usize = 8;
    /// Subscriptions that the venue refused.
    pub const REFUSED: usize = 9;
    /// Trades, prints and updates met before.
    pub const DUPLICATES: usize = 10;
    /// Legs that are connected.
    pub const LEGS: usize = 11;
    /// Times a silent stream was subscribed to anew.
    pub const RENEWED: usize = 12;
    /// Connections replaced before their lifetime ended.
    pub const SWITCHES: usize = 13;
    /// Least delay between an exchange's stamp and ours in the last minute or two, nanoseconds, as an `i64`'s bits:
    /// the clocks' offset plus the shortest way here. `i64::MAX` = not known.
    pub const DELAY: usize = 14;
    /// Images asked for by REST.
    pub const IMAGES: usize = 15;
    /// CLOCK_MONOTONIC nanoseconds when a stream was last heard; the place of `Stream` n is this plus n - 1.
    pub const HEARD: usize = 16;
    /// Books that wait for an image.
    pub const WAITING: usize = 20;
    /// How many there are.
    pub const ALL: usize = 21;
}

/// Everything a feed thread owns.
#[derive(Debug)]
pub struct Feed<C: Clock> {
    /// Its number: ring, connection, tally.
    pub number: usize,
    /// Address of each leg, for the tape.
    pub urls: [String; 2],
    /// Decoder and counts.
    pub lane: Lane,
    /// To the shard.
    pub events: Producer<Event>,
    /// To the tape.
    pub taped: Taped,
    /// To control: who traded, where the venue publishes that and answers for it.
    pub sightings: Option<Producer<Sighting>>,
    /// What it sends.
    pub script: Script,
    /// Sockets and answers come here.
    pub handed: Receiver<Handed>,
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

/// A connection that was silent for this many pings is dead, whatever the socket says.
const SILENT: i64 = 3;
/// A book that broke again is asked for at most this often.
const ASK: Nanos = Nanos::SECOND;
/// A book that has not come is asked for again after this long, each time after twice as long: one that is not listed
/// never comes.
const ASK_AGAIN: Nanos = Nanos::seconds(10);
/// Doublings of that: to more than five minutes.
const ASK_DOUBLINGS: u8 = 5;
/// What is slow (legs, silence, books that wait) is looked at this often.
const LOOK: Nanos = Nanos::new(50_000_000);
/// A new connection that is not heard on every stream after this long is taken all the same when it speaks at all.
const SETTLE: Nanos = Nanos::MINUTE;
/// Length of the window of the least delay.
const DELAY_WINDOW: Nanos = Nanos::MINUTE;
/// The top bit of a ring's number on the tape names the second leg.
pub const LEG_B: u8 = 0x80;

/// The least delay of the last window and of the one that runs.
#[derive(Debug, Clone, Copy)]
struct Delay {
    began: Nanos,
    least: i64,
    before: i64,
}

impl Delay {
    #[inline]
    fn note(&mut self, recv: Nanos, exch: Nanos) {
        if exch != Nanos::ZERO {
            self.least = self.least.min(recv.since(exch).get());
        }
        if recv.since(self.began) >= DELAY_WINDOW {
            *self = Self {
                began: recv,
                least: i64::MAX,
                before: self.least,
            };
        }
    }
    fn least(&self) -> i64 {
        self.least.min(self.before)
    }
}

/// What a feed remembers between turns.
#[derive(Debug)]
struct Memory {
    lines: [Line; 2],
    /// The leg that is used when one is enough.
    current: usize,
    looked: Nanos,
    asked: Nanos,
    /// When each symbol's book was last asked for, and how often in vain.
    resynced: Vec<Nanos>,
    vain: Vec<u8>,
    delay: Delay,
    /// What a parked feed sleeps on.
    wake: Option<Wake>,
}

/// A parked feed looks at its channels at least this often.
const NAP: Duration = Duration::from_millis(1);

impl<C: Clock> Feed<C> {
    /// Runs until the stop flag is up.
    pub fn run(mut self) {
        let symbols = self.lane.symbols();
        let seed = self.number as u32 * 2;
        let mut memory = Memory {
            lines: [Line::new(seed, symbols), Line::new(seed + 1, symbols)],
            current: 0,
            looked: Nanos::ZERO,
            asked: Nanos::ZERO,
            resynced: vec![Nanos::ZERO; symbols],
            vain: vec![0; symbols],
            delay: Delay {
                began: Nanos::ZERO,
                least: i64::MAX,
                before: i64::MAX,
            },
            wake: (self.idle == Strategy::Park).then(Wake::new).flatten(),
        };
        let mut idle_turns = 0;
        while !self.stop.is_up() {
            let mut worked = false;
            for leg in 0..2 {
                if memory.lines[leg].is_up() {
                    worked |= self.turn(&mut memory, leg);
                }
            }
            worked |= self.look(&mut memory);
            if worked {
                idle_turns = 0;
            } else {
                idle_turns += 1;
                match &mut memory.wake {
                    Some(wake) if idle_turns >= idle::YIELDS => wake.wait(NAP),
                    _ => self.idle.idle(idle_turns),
                }
            }
        }
        self.report(&memory);
    }

    /// What is slow: what was handed over, which legs are wanted, who is silent, which books wait.
    fn look(&mut self, memory: &mut Memory) -> bool {
        let mut worked = false;
        while let Ok(handed) = self.handed.try_recv() {
            worked = true;
            match handed {
                Handed::Ready(ready) => self.begin(memory, ready),
                Handed::Answer(answer) => self.answer(answer),
            }
        }
        let now = mono_now();
        for leg in 0..2 {
            worked |= self.subscribe(&mut memory.lines[leg], leg, now);
        }
        worked |= self.resync(memory, now);
        if now.since(memory.looked) < LOOK {
            return worked;
        }
        memory.looked = now;
        if let Some((from, _)) = self.script.later.first()
            && self.clock.now() >= *from
        {
            self.rename(memory);
        }
        self.steer(memory, now);
        for leg in 0..2 {
            if memory.lines[leg].is_up() {
                self.judge(memory, leg, now);
            }
        }
        self.report(memory);
        worked
    }

    /// A connection was handed over.
    fn begin(&mut self, memory: &mut Memory, ready: Ready) {
        let (leg, now) = (ready.leg & 1, mono_now());
        if memory.lines[leg].is_up() {
            return;
        }
        let recv = self.clock.now();
        let line = &mut memory.lines[leg];
        let up = line.receiver.restart(&ready.early).is_ok();
        line.early = ready.early;
        if let Some(wake) = &memory.wake {
            // A stream that wakes nobody is looked at after every nap.
            wake.watch(&ready.stream, leg);
        }
        line.stream = Some(ready.stream);
        // First: what this connection is refused is counted from here.
        line.refused = self.refusals();
        line.begin(now);
        let alone = !memory.lines[1 - leg].is_up();
        if alone {
            // Subscribing asks for every book; one that does not come is asked for again.
            memory.resynced.fill(now);
            memory.vain.fill(0);
            memory.current = leg;
        }
        self.tape(leg, Piece::Connect, recv, None);
        push(
            &mut self.events,
            self.lane.connected_leg(leg, recv),
            &self.tally,
        );
        if alone && self.script.images {
            // No stream sends these: they are asked for at once.
            memory.resynced.fill(Nanos::ZERO);
            self.lane.resync().fill(true);
        }
        self.subscribe(&mut memory.lines[leg], leg, now);
        // What came with the handshake is not announced by the socket again.
        let early = if up {
            self.messages(memory, leg, recv, now)
        } else {
            Err("too much came with the handshake")
        };
        self.report(memory);
        if let Err(reason) = early {
            self.down(memory, leg, reason);
        }
    }

    /// Sends the subscriptions that are due, at the venue's pace.
    fn subscribe(&mut self, line: &mut Line, leg: usize, now: Nanos) -> bool {
        let mut sent = false;
        while line.is_up()
            && line.text < self.script.subscribe.len()
            && (line.text == 0 || now.since(line.text_at) >= self.script.pace)
        {
            let text = core::mem::take(&mut self.script.subscribe[line.text]);
            self.send(line, leg, text.as_bytes());
            self.script.subscribe[line.text] = text;
            line.text += 1;
            line.text_at = now;
            sent = true;
        }
        sent
    }

    /// An answer of REST: taped in this ring, decoded, given back.
    fn answer(&mut self, answer: Answer) {
        let recv = self.clock.now();
        let split = u32::try_from(answer.split).unwrap_or(u32::MAX);
        self.taped.put(Piece::Rest, split, recv, &answer.whole);
        if let Some((request, body)) = answer.whole.split_at_checked(answer.split) {
            let request = core::str::from_utf8(request).unwrap_or_default();
            let group = self.lane.rest(recv, request, body);
            push(&mut self.events, group, &self.tally);
        }
        // No room means that memory is released here, once, and not on the way of a frame.
        let _ = self.wishes.try_send(Wish::Spent(answer));
    }

    /// With a socket: read, decode, send what is due.
    fn turn(&mut self, memory: &mut Memory, leg: usize) -> bool {
        let line = &mut memory.lines[leg];
        let Some(stream) = line.stream.as_mut() else {
            return false;
        };
        let moved = stream.read(line.receiver.space());
        let now = mono_now();
        let worked = match moved {
            Moved::Bytes(bytes) => {
                // One stamp a read, before anything is parsed.
                let recv = self.clock.now();
                line.bytes_at = now;
                line.receiver.filled(bytes);
                if let Err(reason) = self.messages(memory, leg, recv, now) {
                    self.down(memory, leg, reason);
                    return true;
                }
                true
            }
            Moved::Nothing => false,
            Moved::Gone => {
                let why = stream.why();
                self.down(memory, leg, why);
                return true;
            }
        };
        self.ping(&mut memory.lines[leg], leg, now);
        worked | self.flush(memory, leg)
    }

    /// Every message that is complete.
    fn messages(
        &mut self,
        memory: &mut Memory,
        leg: usize,
        recv: Nanos,
        now: Nanos,
    ) -> Result<(), &'static str> {
        let Memory { lines, delay, .. } = memory;
        let line = &mut lines[leg];
        let ring = ring_of(self.number, leg);
        loop {
            match line.receiver.message() {
                Ok(Some(Message::Text(frame) | Message::Binary(frame))) => {
                    self.taped
                        .put_for(ring, Piece::Frame, 0, recv, frame.bytes());
                    let group = self.lane.frame_leg(leg, recv, frame);
                    if let Some(event) = group.last() {
                        delay.note(recv, event.exch);
                    }
                    let events = group.len();
                    push(&mut self.events, group, &self.tally);
                    if let Some(to) = &mut self.sightings {
                        sighting::tell(to, &self.lane, events);
                    }
                    if let Some((stream, symbol)) = self.lane.heard() {
                        line.hear(now, stream, symbol);
                        self.hear(stream, now);
                    }
                }
                Ok(Some(Message::Ping(payload))) => {
                    // A peer that floods us with pings gets its answers dropped, not our memory.
                    let _ = line.sender.pong(payload, &mut line.mask);
                }
                Ok(Some(Message::Pong(_))) => {}
                Ok(Some(Message::Close(..))) => return Err("closed by the server"),
                Ok(None) => break,
                Err(_) => {
                    self.lane.broken_framing();
                    return Err("broken framing");
                }
            }
        }
        self.tell(line);
        Ok(())
    }

    /// Lets the page know when a stream was last heard.
    #[inline]
    fn hear(&self, stream: Stream, now: Nanos) {
        if let Some(at) = (stream as usize).checked_sub(1) {
            self.tally.set(count::HEARD + at, now.get().unsigned_abs());
        }
    }

    fn ping(&mut self, line: &mut Line, leg: usize, now: Nanos) {
        let every = self.script.ping_every;
        if self.script.ping.is_empty() || every == Nanos::ZERO || now.since(line.pinged) < every {
            return;
        }
        line.pinged = now;
        let ping = core::mem::take(&mut self.script.ping);
        self.send(line, leg, ping.as_bytes());
        self.script.ping = ping;
    }

    /// Queues a message and tapes it.
    fn send(&mut self, line: &mut Line, leg: usize, text: &[u8]) {
        // A message that does not fit finds a socket that takes nothing: it will be closed, and all is sent again.
        if line.sender.text(text, &mut line.mask).is_ok() {
            let at = self.clock.now();
            self.lane.sent(text);
            self.tape(leg, Piece::Sent, at, Some(text));
        }
    }

    fn flush(&mut self, memory: &mut Memory, leg: usize) -> bool {
        let line = &mut memory.lines[leg];
        let (Some(stream), false) = (line.stream.as_mut(), line.sender.pending().is_empty()) else {
            return false;
        };
        match stream.write(line.sender.pending()) {
            Moved::Bytes(bytes) => {
                line.sender.sent(bytes);
                true
            }
            Moved::Nothing => false,
            Moved::Gone => {
                self.down(memory, leg, "closed by the other side");
                true
            }
        }
    }

    /// A connection is lost or given up: say so to the shard and drop the socket; another is wished for at the next
    /// look.
    fn down(&mut self, memory: &mut Memory, leg: usize, reason: &'static str) {
        let recv = self.clock.now();
        memory.lines[leg].stream = None;
        memory.lines[leg].wished = false;
        self.tape(leg, Piece::Disconnect, recv, Some(reason.as_bytes()));
        push(
            &mut self.events,
            self.lane.disconnected_leg(leg, recv),
            &self.tally,
        );
        let _ = self.wishes.try_send(Wish::Down {
            feed: self.number,
            leg,
            reason,
        });
        memory.looked = Nanos::ZERO;
        self.report(memory);
    }

    fn tape(&mut self, leg: usize, piece: Piece, stamp: Nanos, bytes: Option<&[u8]>) {
        let bytes = bytes.unwrap_or(self.urls[leg & 1].as_bytes());
        let ring = ring_of(self.number, leg);
        self.taped.put_for(ring, piece, 0, stamp, bytes);
    }

    const fn refusals(&self) -> u64 {
        self.lane.counts.by_fault[FaultKind::Refused as usize]
    }

    /// Lets people know that the venue refused something, once a connection.
    fn tell(&self, line: &mut Line) {
        let refusals = self.refusals();
        if refusals != line.heeded {
            line.heeded = refusals;
            line.leaving |= self.lane.refusal().closes;
        }
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

    fn report(&self, memory: &Memory) {
        let counts = &self.lane.counts;
        let lines = &memory.lines;
        let legs = lines.iter().filter(|line| line.is_up()).count() as u64;
        let again = |line: &Line| line.ups.saturating_sub(1);
        // Without a connection every book is missing; the feed that carries none has none to miss.
        let carried = (0..self.lane.symbols()).filter(|_| self.script.books);
        let waiting = carried.filter(|symbol| self.lane.waits(*symbol)).count();
        for (place, value) in [
            (count::FRAMES, counts.frames),
            (count::IGNORED, counts.ignored),
            (count::FAULTS, counts.faults),
            (count::GAPS, counts.gaps),
            (count::TOLERANT, counts.tolerant),
            (count::RECONNECTS, lines.iter().map(again).sum()),
            (count::UP, legs.min(1)),
            (count::REFUSED, self.refusals()),
            (count::DUPLICATES, self.lane.duplicates()),
            (count::LEGS, legs),
            (count::DELAY, memory.delay.least() as u64),
            (count::WAITING, waiting as u64),
            (count::TAPE_FULL, self.taped.lost()),
        ] {
            self.tally.set(place, value);
        }
    }
}

/// The number of a leg's records on the tape.
#[must_use]
pub fn ring_of(feed: usize, leg: usize) -> u8 {
    let ring = u8::try_from(feed).unwrap_or(!LEG_B) & !LEG_B;
    if leg == 0 { ring } else { ring | LEG_B }
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
