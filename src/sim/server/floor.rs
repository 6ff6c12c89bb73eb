//! Floor: the thread that owns a world and every connection to it.
//!
//! It goes in rounds: take connections, read, let the world go on, send, answer the handle; then it
//! sleeps unless there is more to do at once. A connection is a guest until it has asked for
//! something: a websocket handshake makes it a client, a REST request is answered and may be
//! followed by another.

use super::super::faults::{Dial, Fault, Faults, Injected, Unit};
use super::super::pit::Status;
use super::super::rng::{Rng, mix};
use super::super::world::{Topic, TopicKind, World};
use super::client::{Around, Client};
use super::http::{self, Parsed, Request};
use super::pipe::Pipe;
use super::{BACKLOG, Options};
use crate::time::{Clock, Nanos, ScaledClock, mono_now};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

/// Sleep between rounds.
const ROUND: Duration = Duration::from_micros(500);
/// Virtual time advanced in one round at most: sockets are served in between even when the world
/// cannot keep up.
const STRIDE: Nanos = Nanos::seconds(20);
/// Virtual time advanced in one round when flat out.
const FLAT_STRIDE: Nanos = Nanos::millis(500);
/// Bytes that may wait for the slowest listener before a world that runs flat out waits for it.
const FLAT_BACKLOG: usize = BACKLOG / 8;
/// A listener that takes nothing for so long no longer holds up a world that runs flat out.
const STALL: Nanos = Nanos::seconds(10);
/// A guest says what it wants within this, or goes.
const GUEST: Nanos = Nanos::seconds(30);
/// A ban lasts so many times as long as being told to slow down.
const BAN: i64 = 5;

/// Asked of the thread that owns the world, between two rounds.
pub(super) enum Ask {
    Do(Box<dyn FnOnce(&mut Floor) + Send>),
    Stop,
}

/// A connection that is no websocket (yet).
struct Guest {
    pipe: Pipe,
    since: Nanos,
    number: u64,
}

/// What came of what a guest said.
enum Visit {
    Stays,
    Ends,
    /// The url of a granted websocket handshake.
    Joins(String),
}

/// The exchange is away: until `open` nothing is served, until `over` the contracts are halted.
struct Maintenance {
    open: Nanos,
    over: Nanos,
    /// Contracts that traded before.
    halted: Vec<String>,
}

/// The thread's whole state.
pub(super) struct Floor {
    pub(super) world: World,
    clock: ScaledClock,
    options: Options,
    doors: [TcpListener; 2],
    guests: Vec<Guest>,
    clients: Vec<Client>,
    pub(super) injected: Injected,
    dial: Dial,
    arrivals: u64,
    maintenance: Option<Maintenance>,
    /// REST answers this status until then.
    limited: Option<(u16, Nanos)>,
    is_quiet: bool,
    quiet: Vec<Sender<()>>,
}

impl Floor {
    pub(super) fn new(world: World, options: Options, doors: [TcpListener; 2]) -> Self {
        let rng = Rng::new(world.seed() ^ 0xfa17, 0);
        Self {
            clock: ScaledClock::start(world.now(), options.speed),
            dial: Dial::new(options.faults, rng),
            world,
            options,
            doors,
            guests: Vec::new(),
            clients: Vec::new(),
            injected: Injected::default(),
            arrivals: 0,
            maintenance: None,
            limited: None,
            is_quiet: false,
            quiet: Vec::new(),
        }
    }

    pub(super) fn run(mut self, asked: &Receiver<Ask>) -> World {
        loop {
            let now = mono_now();
            if self.maintenance.as_ref().is_some_and(|m| m.over <= now) {
                self.end_maintenance();
            }
            self.open(now);
            self.attend(now);
            self.listen(now);
            let is_busy = self.tell(now);
            self.flush(now);
            self.sweep();
            loop {
                match asked.try_recv() {
                    Ok(Ask::Stop) | Err(TryRecvError::Disconnected) => return self.world,
                    Ok(Ask::Do(task)) => task(&mut self),
                    Err(TryRecvError::Empty) => break,
                }
            }
            if !is_busy {
                std::thread::sleep(ROUND);
            }
        }
    }

    /// Takes new connections.
    fn open(&mut self, now: Nanos) {
        for door in 0..self.doors.len() {
            while let Ok((stream, _)) = self.doors[door].accept() {
                let Some(mut pipe) = Pipe::new(stream, self.options.tls.as_ref()) else {
                    continue;
                };
                self.arrivals += 1;
                self.injected.connections += 1;
                if self.dial.tick(Unit::Connection) == Some(Fault::BadHello) {
                    self.injected.add(Fault::BadHello);
                    pipe.spoil(b"\x00\xff no TLS, no HTTP \xfe\r\n\r\n");
                    continue;
                }
                let number = self.arrivals;
                self.guests.push(Guest {
                    pipe,
                    since: now,
                    number,
                });
            }
        }
    }

    /// Serves the guests.
    fn attend(&mut self, now: Nanos) {
        for mut guest in std::mem::take(&mut self.guests) {
            guest.pipe.fill();
            let visit = match http::parse(&guest.pipe.inbound) {
                _ if guest.pipe.is_gone() => Visit::Ends,
                Parsed::Part if now.since(guest.since) > GUEST => Visit::Ends,
                Parsed::Part => Visit::Stays,
                Parsed::Bad => {
                    let said = http::answer(400, &[], b"{}", true);
                    guest.pipe.push(&said);
                    guest.pipe.end();
                    Visit::Stays
                }
                Parsed::Whole(request, bytes) => {
                    guest.since = now;
                    guest.pipe.inbound.drain(..bytes);
                    match &request.key {
                        Some(key) => self.shake(&request, key, &mut guest.pipe, now),
                        None => self.rest(&request, &mut guest.pipe, now),
                    }
                }
            };
            match visit {
                Visit::Ends => guest.pipe.cut(),
                Visit::Stays => {
                    guest.pipe.flush(now);
                    self.guests.push(guest);
                }
                Visit::Joins(url) => self.admit(guest, &url, now),
            }
        }
    }

    fn is_closed(&self, now: Nanos) -> bool {
        self.maintenance.as_ref().is_some_and(|m| now < m.open)
    }

    /// A websocket handshake.
    fn shake(&mut self, request: &Request, key: &str, pipe: &mut Pipe, now: Nanos) -> Visit {
        let path = request.url.split('?').next().unwrap_or_default();
        let refused = if self.is_closed(now) {
            Some(503)
        } else if !self.world.serves(path) {
            Some(404)
        } else {
            None
        };
        let fault = match refused {
            Some(_) => None,
            None => self.dial.tick(Unit::Handshake),
        };
        if let Some(fault) = fault {
            self.injected.add(fault);
        }
        let status = match fault {
            Some(Fault::TurnAway) => Some([403, 429, 503][self.dial.rng.below(3) as usize]),
            _ => refused,
        };
        if let Some(status) = status {
            let headers = self.retry_after(status, self.options.retry);
            pipe.push(&http::answer(status, &headers, b"{}", true));
            pipe.end();
            return Visit::Stays;
        }
        let said = http::switch(key);
        if fault == Some(Fault::SlowHello) {
            pipe.push_dripping(&said, self.options.drip);
        } else {
            pipe.push(&said);
        }
        Visit::Joins(request.url.clone())
    }

    fn retry_after(&self, status: u16, span: Nanos) -> Vec<(String, String)> {
        match status {
            403 | 418 | 429 | 503 => {
                let seconds = (span.get() + 999_999_999) / 1_000_000_000;
                vec![("Retry-After".into(), seconds.to_string())]
            }
            _ => Vec::new(),
        }
    }

    fn admit(&mut self, guest: Guest, url: &str, now: Nanos) {
        let seed = self.world.seed();
        let id = format!("{:016x}-{}", mix(seed ^ guest.number), guest.number);
        let dial = Dial::new(self.options.faults, Rng::new(seed ^ 0xfa17, guest.number));
        let mut around = Around {
            world: &mut self.world,
            injected: &mut self.injected,
            dial: &mut self.dial,
            options: &self.options,
            now,
        };
        let client = Client::new(guest.pipe, url, id, dial, &mut around);
        self.clients.push(client);
    }

    /// A REST request.
    fn rest(&mut self, request: &Request, pipe: &mut Pipe, now: Nanos) -> Visit {
        self.injected.requests += 1;
        let fault = match self.limited {
            Some((status, until)) if now < until => {
                self.injected.unheeded += 1;
                let headers = self.retry_after(status, until.since(now));
                pipe.push(&http::answer(status, &headers, b"null", request.last));
                return self.answered(request, pipe);
            }
            _ if self.is_closed(now) => {
                let headers = self.retry_after(503, self.options.away);
                pipe.push(&http::answer(503, &headers, b"{}", request.last));
                return self.answered(request, pipe);
            }
            _ => self.dial.tick(Unit::Request),
        };
        let (status, headers, body) = self
            .world
            .rest(&request.method, &request.url, &request.body);
        let mut whole = http::answer(status, &headers, body.as_bytes(), request.last);
        match fault {
            None => self.heal(request),
            Some(fault) => {
                self.injected.add(fault);
                whole = match fault {
                    Fault::Busy => self.limit(429, self.options.retry, request, now),
                    Fault::Banned => {
                        let span = Nanos::new(self.options.retry.get().saturating_mul(BAN));
                        self.limit(418, span, request, now)
                    }
                    Fault::ShortBody => {
                        let missing = body.len() - body.len() / 2;
                        whole.truncate(whole.len() - missing.max(1));
                        pipe.push(&whole);
                        pipe.end();
                        return Visit::Stays;
                    }
                    _ => {
                        let status = match fault {
                            Fault::Broken => [500, 502, 503][self.dial.rng.below(3) as usize],
                            _ => 200,
                        };
                        let html = ("Content-Type".to_owned(), "text/html".to_owned());
                        let body = b"<html><body>try again later</body></html>";
                        http::answer(status, &[html], body, request.last)
                    }
                };
            }
        }
        pipe.push(&whole);
        self.answered(request, pipe)
    }

    /// From here on REST answers this status, until `span` is over.
    fn limit(&mut self, status: u16, span: Nanos, request: &Request, now: Nanos) -> Vec<u8> {
        self.limited = Some((status, now.plus(span)));
        let headers = self.retry_after(status, span);
        http::answer(status, &headers, b"null", request.last)
    }

    fn answered(&self, request: &Request, pipe: &mut Pipe) -> Visit {
        if request.last {
            pipe.end();
        }
        Visit::Stays
    }

    /// A client that asks for a book has noticed what was wrong with it.
    fn heal(&mut self, request: &Request) {
        let text = format!("{} {}", request.url, request.body);
        if !["depth", "book", "Book"]
            .iter()
            .any(|word| text.contains(word))
        {
            return;
        }
        for (place, symbol) in self.world.symbols().enumerate() {
            let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '-');
            if words.any(|word| word == symbol) {
                for client in &mut self.clients {
                    client.heal(place as u16);
                }
            }
        }
    }

    /// Reads what clients want.
    fn listen(&mut self, now: Nanos) {
        let mut around = Around {
            world: &mut self.world,
            injected: &mut self.injected,
            dial: &mut self.dial,
            options: &self.options,
            now,
        };
        for client in &mut self.clients {
            client.listen(&mut around);
            client.wait(&mut around);
        }
    }

    /// Lets the world go on and hands out its frames; true when there is more to do at once.
    fn tell(&mut self, now: Nanos) -> bool {
        if self.is_quiet {
            return false;
        }
        let until = if self.options.is_flat_out {
            if !self.is_awaited(now) {
                return false;
            }
            self.world.now().plus(FLAT_STRIDE)
        } else {
            self.clock.now().min(self.world.now().plus(STRIDE))
        };
        let Self {
            world,
            clients,
            injected,
            dial,
            options,
            ..
        } = self;
        let mut struck = Vec::new();
        world.advance(until, &mut |frame| {
            injected.told += 1;
            struck.extend(dial.tick(Unit::Told));
            for client in clients.iter_mut() {
                client.tell(frame, injected, options);
            }
        });
        for fault in struck {
            self.strike(fault, now);
        }
        self.options.is_flat_out
    }

    /// True when somebody listens and nobody is behind.
    fn is_awaited(&mut self, now: Nanos) -> bool {
        let mut is_awaited = false;
        for client in &mut self.clients {
            if !client.is_listening() {
                continue;
            }
            if client.pipe.backlog() <= FLAT_BACKLOG {
                is_awaited = true;
            } else if client.pipe.stalled(now) > STALL {
                // LIMIT: a consumer that does not read is cut off; `slow` counts.
                self.injected.slow += 1;
                client.pipe.cut();
            } else {
                return false;
            }
        }
        is_awaited
    }

    /// Sends what may leave by now.
    fn flush(&mut self, now: Nanos) {
        for client in &mut self.clients {
            client.pipe.flush(now);
        }
        let waits = self.clients.iter().any(|client| client.pipe.backlog() > 0);
        if self.is_quiet && !waits {
            for reply in self.quiet.drain(..) {
                // Whoever asked may have stopped waiting.
                let _ = reply.send(());
            }
        }
    }

    /// Forgets who is gone.
    fn sweep(&mut self) {
        let world = &mut self.world;
        self.clients.retain(|client| {
            let is_gone = client.pipe.is_gone();
            if is_gone {
                world.leave(&client.id);
            }
            !is_gone
        });
        self.guests.retain(|guest| !guest.pipe.is_gone());
    }

    /// Stops time and the dial and ends what would never end; `reply` hears when nothing waits to be
    /// sent any more.
    pub(super) fn be_quiet(&mut self, reply: Sender<()>) {
        self.is_quiet = true;
        self.turn(Faults::NONE);
        self.end_maintenance();
        self.limited = None;
        for client in &mut self.clients {
            client.release();
            client.pipe.hurry();
            if client.pipe.is_frozen() {
                client.pipe.cut();
            }
        }
        self.quiet.push(reply);
    }

    /// Time goes on.
    pub(super) fn resume(&mut self) {
        self.is_quiet = false;
        self.clock = ScaledClock::start(self.world.now(), self.options.speed);
    }

    /// Turns the dial, for open connections too.
    pub(super) fn turn(&mut self, faults: Faults) {
        self.options.faults = faults;
        self.dial.turn(faults);
        for client in &mut self.clients {
            client.turn(faults);
        }
    }

    /// A fault of the whole exchange, or of every connection at once.
    pub(super) fn strike(&mut self, fault: Fault, now: Nanos) {
        match fault {
            Fault::Maintenance => self.go_away(now),
            Fault::Delist => self.delist(),
            Fault::Freeze | Fault::Cut | Fault::Close => {
                for client in &mut self.clients {
                    self.injected.add(fault);
                    match fault {
                        Fault::Freeze => client.pipe.freeze(),
                        Fault::Cut => client.pipe.cut(),
                        _ => client.go_away(),
                    }
                }
            }
            // The others befall a frame, a request or a handshake, not the exchange.
            _ => {}
        }
    }

    /// Contracts of a status, by listed name.
    fn with_status(&self, status: Status) -> Vec<String> {
        let names = self.world.symbols();
        let names = names.filter(|name| self.world.status(name) == Some(status));
        names.map(str::to_owned).collect()
    }

    /// Closes everything and halts what trades; nothing when it is away already.
    fn go_away(&mut self, now: Nanos) {
        if self.maintenance.is_some() {
            return;
        }
        self.injected.add(Fault::Maintenance);
        let halted = self.with_status(Status::Trading);
        for name in &halted {
            self.world.set_status(name, Status::Halted);
        }
        for client in &mut self.clients {
            client.go_away();
        }
        let away = self.options.away;
        self.maintenance = Some(Maintenance {
            open: now.plus(Nanos::new(away.get() / 2)),
            over: now.plus(away),
            halted,
        });
    }

    fn end_maintenance(&mut self) {
        let Some(maintenance) = self.maintenance.take() else {
            return;
        };
        for name in maintenance.halted {
            // One may have been delisted meanwhile.
            if self.world.status(&name) == Some(Status::Halted) {
                self.world.set_status(&name, Status::Trading);
            }
        }
    }

    /// Delists a contract that trades; never the first one.
    fn delist(&mut self) {
        let trading = self.with_status(Status::Trading);
        let place = self.dial.rng.below(trading.len() as u64) as usize;
        let symbol = trading
            .get(place)
            .and_then(|name| self.world.symbols().position(|own| own == name));
        if let (Some(name), Some(symbol @ 1..)) = (trading.get(place), symbol) {
            self.world.delist(name);
            let kind = TopicKind::Instruments;
            let symbol = symbol as u16;
            self.injected.add_on(Fault::Delist, Topic { kind, symbol });
        }
    }
}
