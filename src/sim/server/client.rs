//! Client: one websocket connection, what it asked for and what goes wrong on it.
//!
//! A stream's frame passes the dial on its way out. A fault that costs a sequenced stream a frame
//! (gap, reorder, wrong type) makes the stream *sore*: it is spared another such fault until the
//! client has asked for the book again (by subscription, or by REST where that is the venue's way)
//! and has got a frame since. So every one that is counted can be noticed by itself.

use super::super::dialect::{Dialect, Heartbeat, Order};
use super::super::faults::{Dial, Fault, Faults, Injected, Unit};
use super::super::world::{Frame, Topic, TopicKind, World};
use super::frame::{self, CLOSE, PING, PONG, TEXT};
use super::pipe::Pipe;
use super::refusal::refusal;
use super::spoil;
use super::{BACKLOG, Options};
use crate::time::Nanos;
use std::collections::BTreeMap;

/// Bytes a frame that is too large announces: a gigabyte.
const OVERSIZE: usize = 1 << 30;
/// Steps of the exchange's stamps on a connection: up to ten seconds either way.
const CLOCK_STEP_MS: u64 = 10_000;

/// True for a stream whose frames are numbered, so that a reader sees one that is missing.
const fn is_sequenced(dialect: Dialect, kind: TopicKind) -> bool {
    match kind {
        TopicKind::Book => !matches!(dialect, Dialect::Hyperliquid),
        TopicKind::Aggregate => true,
        _ => false,
    }
}

/// What a subscription sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Flows,
    /// Acknowledged, and nothing comes, ever.
    Silent,
    /// Acknowledged, and begins at this moment of the machine's clock.
    Later(Nanos),
}

/// Whether a stream can bear another fault that costs a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sore {
    No,
    /// Asked for again; the next frame heals.
    Healing,
    /// The client has not asked for it again yet.
    Open,
}

/// A stream of a connection.
#[derive(Debug, Clone, Copy)]
struct Stream {
    flow: Flow,
    sore: Sore,
}

/// One connection past its handshake.
pub(super) struct Client {
    pub(super) pipe: Pipe,
    dialect: Dialect,
    path: String,
    pub(super) id: String,
    dial: Dial,
    topics: BTreeMap<Topic, Stream>,
    /// Frames go without their envelope.
    bare: bool,
    /// Part of a text that comes in several frames.
    part: Vec<u8>,
    /// A frame that lets the next one of its stream pass.
    held: Option<(Topic, Vec<u8>)>,
    /// How far the exchange's stamps are off on this connection, ms.
    skew: i64,
    /// Last moment at which what keeps the connection alive happened.
    lively: Nanos,
    /// Something was told since this was looked at.
    has_told: bool,
    pinged: Nanos,
    /// Some stream waits for its moment.
    is_waiting: bool,
}

/// What a client touches of the exchange while it is served.
pub(super) struct Around<'a> {
    pub(super) world: &'a mut World,
    pub(super) injected: &'a mut Injected,
    /// The dial of what is counted per exchange.
    pub(super) dial: &'a mut Dial,
    pub(super) options: &'a Options,
    /// The machine's clock.
    pub(super) now: Nanos,
}

impl Client {
    pub(super) fn new(pipe: Pipe, url: &str, id: String, dial: Dial, around: &mut Around) -> Self {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let mut client = Self {
            pipe,
            dialect: around.world.params().dialect,
            path: path.to_owned(),
            id,
            dial,
            topics: BTreeMap::new(),
            bare: false,
            part: Vec::new(),
            held: None,
            skew: 0,
            lively: around.now,
            has_told: false,
            pinged: around.now,
            is_waiting: false,
        };
        let mut orders = Vec::new();
        around.world.welcome(path, query, &mut orders);
        client.follow(orders, "", around);
        client
    }

    /// Turns the dial of this connection.
    pub(super) fn turn(&mut self, faults: Faults) {
        self.dial.turn(faults);
    }

    /// True when it takes part: subscribed, and not frozen.
    pub(super) fn is_listening(&self) -> bool {
        self.pipe.is_open() && self.topics.values().any(|s| s.flow == Flow::Flows)
    }

    /// Reads what the client says and answers.
    pub(super) fn listen(&mut self, around: &mut Around) {
        self.pipe.fill();
        let mut taken = 0;
        while self.pipe.is_open() {
            match frame::parse(&self.pipe.inbound[taken..]) {
                Ok(None) => break,
                Err(()) => return self.pipe.cut(),
                Ok(Some((heard, bytes))) => {
                    taken += bytes;
                    self.hear(heard, around);
                }
            }
        }
        self.pipe
            .inbound
            .drain(..taken.min(self.pipe.inbound.len()));
    }

    fn hear(&mut self, heard: frame::Heard, around: &mut Around) {
        let heartbeat = around.world.heartbeat();
        match heard.opcode {
            0 | TEXT => {
                self.lively = around.now;
                self.part.extend_from_slice(&heard.payload);
                if self.part.len() > frame::TEXT_MAX {
                    return self.pipe.cut();
                }
                if heard.is_last {
                    let text = std::mem::take(&mut self.part);
                    match String::from_utf8(text) {
                        Ok(text) => self.obey(&text, around),
                        Err(_) => self.pipe.cut(),
                    }
                }
            }
            PING | PONG => {
                if heartbeat.protocol_counts {
                    self.lively = around.now;
                }
                if heard.opcode == PING {
                    self.pipe.push(&frame::frame(PONG, &heard.payload));
                }
            }
            CLOSE => {
                self.pipe.push(&frame::frame(CLOSE, &heard.payload));
                self.pipe.end();
            }
            _ => self.pipe.cut(),
        }
    }

    /// One request of the client, answered as the exchange answers.
    fn obey(&mut self, text: &str, around: &mut Around) {
        let mut orders = Vec::new();
        around.world.obey(&self.path, text, &self.id, &mut orders);
        self.follow(orders, text, around);
    }

    fn follow(&mut self, orders: Vec<Order>, text: &str, around: &mut Around) {
        let topics: Vec<Topic> = orders
            .iter()
            .filter_map(|order| match order {
                Order::Subscribe(topic) => Some(*topic),
                _ => None,
            })
            .collect();
        // Only what was asked for in words can be refused, and it is as a whole.
        let is_asked = !topics.is_empty() && !text.is_empty();
        if is_asked && around.dial.tick(Unit::Asking) == Some(Fault::Refuse) {
            for topic in topics {
                around.world.part(&self.id, topic);
                around.injected.add_to(Fault::Refuse, topic);
            }
            around.injected.add(Fault::Refuse);
            let said = refusal(self.dialect, text, &self.id);
            return self.say(&said);
        }
        for order in orders {
            match order {
                Order::Reply(said) => self.say(&said),
                Order::Bare(bare) => self.bare = bare,
                Order::Unsubscribe(topic) => {
                    self.release();
                    self.topics.remove(&topic);
                }
                Order::Subscribe(topic) => self.subscribe(topic, around),
                Order::Close(reason) => self.close(1008, reason),
            }
        }
    }

    fn subscribe(&mut self, topic: Topic, around: &mut Around) {
        let fate = around.dial.tick(Unit::Subscription);
        let flow = match fate {
            Some(Fault::Silent) => Flow::Silent,
            Some(Fault::Late) => Flow::Later(around.now.plus(around.options.late)),
            _ => Flow::Flows,
        };
        if let Some(fault @ (Fault::Silent | Fault::Late)) = fate {
            around.injected.add_on(fault, topic);
        }
        self.is_waiting |= matches!(flow, Flow::Later(_));
        self.release();
        let sore = Sore::Open;
        self.topics.insert(topic, Stream { flow, sore });
        if flow == Flow::Flows {
            self.begin(topic, around);
        }
    }

    /// The first frames of a stream.
    fn begin(&mut self, topic: Topic, around: &mut Around) {
        let mut told = false;
        let (bare, skew, pipe) = (self.bare, self.skew, &mut self.pipe);
        around.world.snapshot_frames(topic, &mut |frame| {
            told = true;
            around.injected.frames += 1;
            pipe.push(&framed(frame, bare, skew));
        });
        if let Some(stream) = self.topics.get_mut(&topic) {
            // A book without a snapshot of its own is whole once REST has given one.
            let is_whole = told || topic.kind != TopicKind::Book;
            stream.sore = if is_whole { Sore::Healing } else { Sore::Open };
        }
    }

    /// The client has asked REST for the book of a contract: its stream may be hurt again.
    pub(super) fn heal(&mut self, symbol: u16) {
        for (topic, stream) in &mut self.topics {
            if topic.symbol == symbol && topic.kind == TopicKind::Book && stream.sore == Sore::Open
            {
                stream.sore = Sore::Healing;
            }
        }
    }

    fn say(&mut self, text: &str) {
        self.pipe.push_text(text);
        self.has_told = true;
    }

    /// Ends with a close frame.
    fn close(&mut self, code: u16, reason: &str) {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend(reason.bytes().take(123));
        self.pipe.push(&frame::frame(CLOSE, &payload));
        self.pipe.end();
    }

    /// Ends because the exchange goes away.
    pub(super) fn go_away(&mut self) {
        self.close(1001, "service upgrade");
    }

    /// What is held back goes out before its stream has gone on: nothing was swapped, and the stream can bear another
    /// fault.
    pub(super) fn release(&mut self) {
        if let Some((topic, bytes)) = self.held.take() {
            self.pipe.push(&bytes);
            if let Some(stream) = self.topics.get_mut(&topic)
                && stream.sore == Sore::Open
            {
                stream.sore = Sore::No;
            }
        }
    }

    /// A frame of the exchange, if it is subscribed to, as the dial has it.
    pub(super) fn tell(&mut self, frame: &Frame<'_>, injected: &mut Injected, options: &Options) {
        let topic = frame.topic;
        let Some(stream) = self.topics.get_mut(&topic) else {
            return;
        };
        if stream.flow != Flow::Flows || !self.pipe.is_open() {
            return;
        }
        if self.pipe.backlog() > BACKLOG {
            // LIMIT: a consumer that does not read is cut off; `slow` counts.
            injected.slow += 1;
            return self.pipe.cut();
        }
        self.has_told = true;
        let is_sequenced = is_sequenced(self.dialect, topic.kind);
        let fault = match is_sequenced
            .then(|| self.dial.tick(Unit::Sequenced))
            .flatten()
        {
            None => self.dial.tick(Unit::Frame),
            some => some,
        };
        let is_held = matches!(&self.held, Some((held, _)) if *held == topic);
        let costs = matches!(fault, Some(Fault::Gap | Fault::Reorder | Fault::WrongType));
        let is_sore = is_sequenced && stream.sore != Sore::No;
        if stream.sore == Sore::Healing {
            stream.sore = Sore::No;
        }
        match fault {
            Some(fault) if is_held || (costs && is_sore) => {
                self.dial.put_back(fault);
                self.pass(frame, injected);
            }
            Some(fault) => {
                if costs && is_sequenced {
                    // Only a book is asked for again; elsewhere the next frame shows the hole.
                    stream.sore = match topic.kind {
                        TopicKind::Book => Sore::Open,
                        _ => Sore::Healing,
                    };
                }
                self.strike(fault, frame, injected, options);
            }
            None => self.pass(frame, injected),
        }
        if is_held && let Some((_, bytes)) = self.held.take() {
            // Only now something has passed it.
            self.pipe.push(&bytes);
            injected.add_on(Fault::Reorder, topic);
        }
    }

    /// The frame as it is.
    fn pass(&mut self, frame: &Frame<'_>, injected: &mut Injected) {
        injected.frames += 1;
        if self.skew == 0 {
            let text = if self.bare { frame.bare } else { frame.text };
            self.pipe.push_text(text);
        } else {
            self.pipe.push(&framed(frame, self.bare, self.skew));
        }
    }

    /// The frame as a fault has it.
    fn strike(
        &mut self,
        fault: Fault,
        frame: &Frame<'_>,
        injected: &mut Injected,
        options: &Options,
    ) {
        if fault != Fault::Reorder {
            injected.add_on(fault, frame.topic);
        }
        let whole = framed(frame, self.bare, self.skew);
        let text = if self.bare { frame.bare } else { frame.text };
        match fault {
            Fault::Gap => {}
            Fault::Duplicate => {
                self.pipe.push(&whole);
                self.pipe.push(&whole);
                injected.frames += 2;
            }
            Fault::Reorder => {
                self.release();
                self.held = Some((frame.topic, whole));
                injected.frames += 1;
            }
            Fault::Garbage => {
                let bytes = frame::frame(TEXT, spoil::garbage(&mut self.dial.rng));
                self.pipe.push(&bytes);
                self.pass(frame, injected);
            }
            Fault::WrongType => {
                let wrong = spoil::wrong_type(text, &mut self.dial.rng);
                self.pipe.push(&frame::frame(TEXT, wrong.as_bytes()));
            }
            Fault::Dress => {
                let mut odd = spoil::dressed(text).into_bytes();
                spoil::step_stamps(&mut odd, frame.at.get() / 1_000_000, self.skew);
                self.pipe.push(&frame::frame(TEXT, &odd));
                injected.frames += 1;
            }
            Fault::HalfFrame => {
                self.pipe.push(&whole[..whole.len() / 2]);
                self.pipe.end();
            }
            Fault::Oversize => {
                let mut head = Vec::new();
                frame::head(TEXT, OVERSIZE, &mut head);
                self.pipe.push(&head);
                self.pass(frame, injected);
            }
            Fault::Dribble => {
                self.pipe.push_dripping(&whole, options.drip);
                injected.frames += 1;
            }
            Fault::Freeze => self.pipe.freeze(),
            Fault::Close => self.close(1001, "service upgrade"),
            Fault::ClockStep => {
                let step = self.dial.rng.below(2 * CLOCK_STEP_MS + 1) as i64;
                self.skew = step - CLOCK_STEP_MS as i64;
                self.pass(frame, injected);
            }
            // Everything else of the table counts in other units and does not come here.
            _ => {
                self.pass(frame, injected);
                self.pipe.end();
            }
        }
    }

    /// What time brings: streams that begin late, pings, the end of a silent connection.
    pub(super) fn wait(&mut self, around: &mut Around) {
        if self.is_waiting {
            self.begin_late(around);
        }
        let Heartbeat {
            ping,
            silence,
            sent_counts,
            ..
        } = around.world.heartbeat();
        if std::mem::take(&mut self.has_told) && sent_counts {
            self.lively = around.now;
        }
        if let Some(every) = ping
            && around.now.since(self.pinged) > every
        {
            self.pinged = around.now;
            self.pipe.push(&frame::frame(PING, b"1"));
        }
        if around.now.since(self.lively) > silence {
            self.close(1008, "no activity");
        }
    }

    fn begin_late(&mut self, around: &mut Around) {
        self.is_waiting = false;
        let mut ripe = Vec::new();
        for (topic, stream) in &mut self.topics {
            if let Flow::Later(moment) = stream.flow {
                if moment <= around.now {
                    stream.flow = Flow::Flows;
                    ripe.push(*topic);
                } else {
                    self.is_waiting = true;
                }
            }
        }
        for topic in ripe {
            self.begin(topic, around);
        }
    }
}

/// A stream's frame as it goes over the wire.
fn framed(frame: &Frame<'_>, bare: bool, skew: i64) -> Vec<u8> {
    let text = if bare { frame.bare } else { frame.text };
    let mut bytes = frame::frame(TEXT, text.as_bytes());
    if skew != 0 {
        let begin = bytes.len() - text.len();
        spoil::step_stamps(&mut bytes[begin..], frame.at.get() / 1_000_000, skew);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::super::rng::Rng;
    use super::super::super::{Params, World};
    use super::*;
    use std::net::{TcpListener, TcpStream};

    struct Room {
        world: World,
        injected: Injected,
        dial: Dial,
        options: Options,
        client: Client,
        _peer: TcpStream,
    }

    fn room(dialect: Dialect) -> Room {
        let mut world = World::new(1, Params::many(3).speaking(dialect)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let pipe = Pipe::new(listener.accept().unwrap().0, None).unwrap();
        let mut injected = Injected::default();
        let dial = Dial::new(Faults::NONE, Rng::new(1, 1));
        let options = Options::default();
        let url = world.paths()[0];
        let mut around = Around {
            world: &mut world,
            injected: &mut injected,
            dial: &mut dial.clone(),
            options: &options,
            now: Nanos::seconds(0),
        };
        let client = Client::new(pipe, url, "id".into(), dial.clone(), &mut around);
        Room {
            world,
            injected,
            dial,
            options,
            client,
            _peer: peer,
        }
    }

    impl Room {
        fn with(&mut self, seconds: i64, act: impl FnOnce(&mut Client, &mut Around)) {
            let mut around = Around {
                world: &mut self.world,
                injected: &mut self.injected,
                dial: &mut self.dial,
                options: &self.options,
                now: Nanos::seconds(seconds),
            };
            act(&mut self.client, &mut around);
        }
    }

    #[test]
    fn a_silent_client_is_given_up_as_its_venue_does() {
        for (dialect, most) in [
            (Dialect::Bybit, 600),
            (Dialect::Binance, 600),
            (Dialect::Okx, 30),
            (Dialect::Hyperliquid, 60),
        ] {
            let mut room = room(dialect);
            room.with(most, Client::wait);
            assert!(room.client.pipe.is_open(), "{dialect:?}");
            // What is said to it counts at the venues that look at the connection as a whole.
            room.with(most, |client, _| client.say("x"));
            room.with(most, Client::wait);
            room.with(most + 1, Client::wait);
            let counts = room.world.heartbeat().sent_counts;
            assert_eq!(room.client.pipe.is_open(), counts, "{dialect:?}");
            room.with(2 * most + 2, Client::wait);
            assert!(!room.client.pipe.is_open(), "{dialect:?}");
        }
    }

    #[test]
    fn what_nothing_has_passed_was_not_swapped() {
        let mut room = room(Dialect::Bybit);
        let at = |kind, symbol| Topic { kind, symbol };
        let (book, other) = (at(TopicKind::Book, 0), at(TopicKind::Book, 1));
        for topic in [book, other] {
            room.with(0, |client, around| client.subscribe(topic, around));
        }
        let tell = |room: &mut Room, topic| {
            let frame = Frame {
                at: Nanos::seconds(1),
                topic,
                text: "{}",
                bare: "{}",
            };
            let Room {
                client,
                injected,
                options,
                ..
            } = room;
            client.tell(&frame, injected, options);
        };
        let swapped = |room: &Room| room.injected.on(Fault::Reorder, book);
        let hold = |room: &mut Room| {
            room.client.turn(Faults::NONE.with(Fault::Reorder, 1));
            tell(room, book);
            room.client.turn(Faults::NONE);
            assert!(room.client.held.is_some());
        };
        tell(&mut room, book);
        // Somebody asks for something else: what was held goes out in its place.
        hold(&mut room);
        let topic = at(TopicKind::Trades, 2);
        room.with(1, |client, around| client.subscribe(topic, around));
        assert!(room.client.held.is_none());
        tell(&mut room, book);
        assert_eq!(swapped(&room), 0);
        // It was not hurt: it can be held again, and passed by its own next frame alone.
        hold(&mut room);
        tell(&mut room, other);
        assert_eq!(swapped(&room), 0);
        tell(&mut room, book);
        assert_eq!(swapped(&room), 1);
        assert!(room.client.held.is_none());
        // Now it is hurt, until it is asked for anew.
        room.client.turn(Faults::NONE.with(Fault::Reorder, 1));
        tell(&mut room, book);
        assert!(room.client.held.is_none());
    }

    #[test]
    fn the_venue_that_pings_does_so_every_three_minutes() {
        let mut room = room(Dialect::Binance);
        room.with(179, Client::wait);
        assert_eq!(room.client.pipe.backlog(), 0);
        for seconds in [181, 182, 362] {
            room.with(seconds, Client::wait);
        }
        let ping = frame::frame(PING, b"1").len();
        assert_eq!(room.client.pipe.backlog(), 2 * ping);
    }
}
