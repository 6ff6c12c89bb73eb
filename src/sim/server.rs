//! Server: the world behind a socket, as the exchange would be, on this machine only.
//!
//! One thread owns the world and every websocket connection (nonblocking; it sleeps between rounds
//! and never spins); a second one answers REST by asking the first over a channel. Virtual time
//! runs `speed` times as fast as the machine's from where the world was handed over. A connection
//! gets only what it subscribed to; a consumer that lets [`BACKLOG`] bytes pile up is cut off.
//!
//! The fault dial is turned per connection and drawn from the world's seed: a book delta is left
//! out without a word (so `u` jumps), or the connection is dropped without a close frame. What was
//! done is counted.

use super::SimError;
use super::dialect::{Answer, Order};
use super::rng::{Rng, mix};
use super::world::{Topic, TopicKind, World};
use crate::time::{Clock, Nanos, ScaledClock};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::server::{ErrorResponse, Request, Response, ServerHandshake};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{HandshakeError, Message, WebSocket};

/// The one websocket path.
pub const PATH: &str = "/v5/public/linear";
/// Bytes a consumer may leave unread in our buffer before it is cut off.
pub const BACKLOG: usize = 8 << 20;
/// Sleep between rounds.
const ROUND: Duration = Duration::from_micros(500);
/// Virtual time advanced in one round at most: sockets are served in between even when the world
/// cannot keep up.
const STRIDE: Nanos = Nanos::seconds(20);

/// What goes wrong on purpose; 0 is never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// On average one in this many book deltas of a connection is silently left out.
    pub book_gap_every: u32,
    /// On average a connection is dropped after this many frames.
    pub disconnect_every: u32,
}

/// What went wrong on purpose so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Injected {
    /// Book deltas left out.
    pub gaps: u64,
    /// Connections dropped.
    pub disconnects: u64,
    /// Frames sent, for scale.
    pub frames: u64,
    /// Consumers cut off because they did not read.
    pub slow: u64,
}

/// How the world is served.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Websocket port; 0 takes any.
    pub ws_port: u16,
    /// REST port; 0 takes any.
    pub rest_port: u16,
    /// Virtual seconds per real second, at least 1.
    pub speed: u32,
    /// What goes wrong on purpose.
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ws_port: 0,
            rest_port: 0,
            speed: 1,
            faults: Faults::default(),
        }
    }
}

/// Asked of the thread that owns the world.
enum Ask {
    Rest([String; 3], Sender<Answer>),
    Injected(Sender<Injected>),
    Now(Sender<Nanos>),
    Stop,
}

/// Starts the exchange.
#[derive(Debug)]
pub struct Server;

/// The running exchange; dropping it stops it.
pub struct Handle {
    ws: SocketAddr,
    rest: SocketAddr,
    asks: Sender<Ask>,
    http: Arc<tiny_http::Server>,
    threads: Option<(JoinHandle<World>, JoinHandle<()>)>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({}, {})", self.ws_url(), self.rest_url())
    }
}

impl Server {
    /// Serves a world, which goes on from where it is.
    ///
    /// # Errors
    /// When a port cannot be had.
    pub fn start(world: World, options: Options) -> Result<Handle, SimError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.ws_port))?;
        listener.set_nonblocking(true)?;
        let ws = listener.local_addr()?;
        let http = tiny_http::Server::http((Ipv4Addr::LOCALHOST, options.rest_port))
            .map_err(|fault| SimError::Rest(fault.to_string()))?;
        let rest = http
            .server_addr()
            .to_ip()
            .ok_or_else(|| SimError::Rest("no address".into()))?;
        let http = Arc::new(http);
        let (asks, asked) = channel();
        let floor = Floor::new(world, options, listener);
        let owner = std::thread::Builder::new()
            .name("sim-world".into())
            .spawn(move || floor.run(&asked))?;
        let (front, back) = (Arc::clone(&http), asks.clone());
        let clerk = std::thread::Builder::new()
            .name("sim-rest".into())
            .spawn(move || clerk(&front, &back))?;
        Ok(Handle {
            ws,
            rest,
            asks,
            http,
            threads: Some((owner, clerk)),
        })
    }
}

impl Handle {
    /// Where to subscribe.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}{PATH}", self.ws)
    }

    /// Where to ask; paths begin with `/v5/market/`.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.rest)
    }

    /// What went wrong on purpose so far; zeros when the exchange has stopped.
    #[must_use]
    pub fn injected(&self) -> Injected {
        self.ask(Ask::Injected).unwrap_or_default()
    }

    /// Virtual time now; zero when the exchange has stopped.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.ask(Ask::Now).unwrap_or_default()
    }

    fn ask<T>(&self, ask: fn(Sender<T>) -> Ask) -> Option<T> {
        let (reply, answer) = channel();
        self.asks.send(ask(reply)).ok()?;
        answer.recv().ok()
    }

    /// Stops the exchange and hands the world back.
    ///
    /// # Errors
    /// When the world's thread has died.
    pub fn stop(mut self) -> Result<World, SimError> {
        self.end().ok_or(SimError::Stopped)
    }

    fn end(&mut self) -> Option<World> {
        let (owner, clerk) = self.threads.take()?;
        // A closed channel means the thread is gone already; joining tells.
        let _ = self.asks.send(Ask::Stop);
        self.http.unblock();
        let world = owner.join().ok();
        let _ = clerk.join();
        world
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}

/// The REST thread: passes each request on and the answer back.
fn clerk(http: &tiny_http::Server, asks: &Sender<Ask>) {
    // `recv` fails when unblocked, which is how this thread is told to end.
    while let Ok(mut request) = http.recv() {
        let (reply, answer) = channel();
        let (method, url) = (request.method().to_string(), request.url().to_owned());
        let mut body = String::new();
        // A body that is no text is an empty one.
        let _ = request.as_reader().read_to_string(&mut body);
        let sent = asks.send(Ask::Rest([method, url, body], reply));
        let Some((status, headers, text)) = sent.ok().and_then(|()| answer.recv().ok()) else {
            return;
        };
        let mut response = tiny_http::Response::from_string(text).with_status_code(status);
        if let Ok(header) = "Content-Type: application/json".parse::<tiny_http::Header>() {
            response.add_header(header);
        }
        for (name, value) in &headers {
            if let Ok(header) = format!("{name}: {value}").parse::<tiny_http::Header>() {
                response.add_header(header);
            }
        }
        // A client that left before its answer is none of our business.
        let _ = request.respond(response);
    }
}

type PathCheck = fn(&Request, Response) -> Result<Response, ErrorResponse>;
type Shaking = MidHandshake<ServerHandshake<TcpStream, PathCheck>>;

#[expect(
    clippy::result_large_err,
    reason = "the signature is the websocket crate's"
)]
fn check_path(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    if request.uri().path() == PATH {
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(Some("no such path".into()));
    *refusal.status_mut() = tungstenite::http::StatusCode::NOT_FOUND;
    Err(refusal)
}

/// One connection past its handshake.
struct Client {
    socket: WebSocket<TcpStream>,
    id: String,
    topics: BTreeSet<Topic>,
    rng: Rng,
    until_gap: u64,
    until_drop: u64,
    gone: bool,
    unsent: bool,
}

/// The thread that owns the world.
struct Floor {
    world: World,
    clock: ScaledClock,
    faults: Faults,
    listener: TcpListener,
    shaking: Vec<Shaking>,
    clients: Vec<Client>,
    injected: Injected,
    arrivals: u64,
}

/// The next fault: between half and one and a half of `every`; never for 0.
fn draw(every: u32, rng: &mut Rng) -> u64 {
    match u64::from(every) {
        0 => u64::MAX,
        every => every.div_ceil(2) + rng.below(every),
    }
}

impl Floor {
    fn new(world: World, options: Options, listener: TcpListener) -> Self {
        Self {
            clock: ScaledClock::start(world.now(), options.speed),
            world,
            faults: options.faults,
            listener,
            shaking: Vec::new(),
            clients: Vec::new(),
            injected: Injected::default(),
            arrivals: 0,
        }
    }

    fn run(mut self, asked: &Receiver<Ask>) -> World {
        loop {
            self.welcome();
            self.listen();
            self.tell();
            let world = &mut self.world;
            self.clients.retain(|client| {
                if client.gone {
                    world.leave(&client.id);
                }
                !client.gone
            });
            loop {
                match asked.try_recv() {
                    Ok(Ask::Rest([method, url, body], reply)) => {
                        let _ = reply.send(self.world.rest(&method, &url, &body));
                    }
                    Ok(Ask::Injected(reply)) => {
                        let _ = reply.send(self.injected);
                    }
                    Ok(Ask::Now(reply)) => {
                        let _ = reply.send(self.world.now());
                    }
                    Err(TryRecvError::Empty) => break,
                    Ok(Ask::Stop) | Err(TryRecvError::Disconnected) => return self.world,
                }
            }
            std::thread::sleep(ROUND);
        }
    }

    /// Takes in new connections and moves handshakes on.
    fn welcome(&mut self) {
        let config = WebSocketConfig::default()
            .read_buffer_size(16 << 10)
            .write_buffer_size(64 << 10)
            .max_write_buffer_size(BACKLOG)
            .max_message_size(Some(64 << 10));
        let mut steps = Vec::new();
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_ok() && stream.set_nodelay(true).is_ok() {
                let check: PathCheck = check_path;
                let shake = ServerHandshake::start(stream, check, Some(config));
                steps.push(shake);
            }
        }
        steps.append(&mut self.shaking);
        for shake in steps {
            match shake.handshake() {
                Ok(socket) => self.admit(socket),
                Err(HandshakeError::Interrupted(later)) => self.shaking.push(later),
                Err(HandshakeError::Failure(_)) => {}
            }
        }
    }

    fn admit(&mut self, socket: WebSocket<TcpStream>) {
        self.arrivals += 1;
        let mut rng = Rng::new(self.world.seed() ^ 0xfa17, self.arrivals);
        self.clients.push(Client {
            socket,
            id: format!(
                "{:016x}-{}",
                mix(self.world.seed() ^ self.arrivals),
                self.arrivals
            ),
            topics: BTreeSet::new(),
            until_gap: draw(self.faults.book_gap_every, &mut rng),
            until_drop: draw(self.faults.disconnect_every, &mut rng),
            rng,
            gone: false,
            unsent: false,
        });
    }

    /// Reads what clients want.
    fn listen(&mut self) {
        for client in &mut self.clients {
            while !client.gone {
                match client.socket.read() {
                    Ok(Message::Text(text)) => client.obey(&text, &mut self.world),
                    // Protocol pings are answered by the socket itself, with the next flush.
                    Ok(Message::Ping(_)) => client.unsent = true,
                    Ok(Message::Close(_)) => {
                        // The echo of the close is in the socket's buffer; a client that is gone
                        // does not need it.
                        let _ = client.socket.flush();
                        client.gone = true;
                    }
                    Ok(_) => {}
                    Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => client.gone = true,
                }
            }
        }
    }

    /// Lets the world go on and hands out its frames.
    fn tell(&mut self) {
        let until = self.clock.now().min(self.world.now().plus(STRIDE));
        let (clients, injected, faults) = (&mut self.clients, &mut self.injected, self.faults);
        self.world.advance(until, &mut |frame| {
            for client in clients.iter_mut() {
                if client.topics.contains(&frame.topic) && !client.gone {
                    client.hear(frame.topic.kind, frame.text, faults, injected);
                }
            }
        });
        for client in &mut self.clients {
            if client.unsent && !client.gone {
                client.flush();
            }
        }
    }
}

impl Client {
    fn send(&mut self, text: &str) {
        match self.socket.write(Message::text(text)) {
            Ok(()) => self.unsent = true,
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => {
                self.unsent = true;
            }
            Err(_) => self.gone = true,
        }
    }

    fn flush(&mut self) {
        match self.socket.flush() {
            Ok(()) => self.unsent = false,
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.gone = true,
        }
    }

    /// A frame of a subscribed stream, unless the dial says otherwise.
    fn hear(&mut self, kind: TopicKind, text: &str, faults: Faults, injected: &mut Injected) {
        if kind == TopicKind::Book {
            self.until_gap = self.until_gap.saturating_sub(1);
            if self.until_gap == 0 {
                self.until_gap = draw(faults.book_gap_every, &mut self.rng);
                injected.gaps += 1;
                return;
            }
        }
        match self.socket.write(Message::text(text)) {
            Err(tungstenite::Error::WriteBufferFull(_)) => {
                // LIMIT: a consumer that does not read is cut off; `slow` counts.
                injected.slow += 1;
                self.cut();
                return;
            }
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => {
                self.gone = true;
                return;
            }
            Ok(()) => {}
        }
        self.unsent = true;
        injected.frames += 1;
        self.until_drop = self.until_drop.saturating_sub(1);
        if self.until_drop == 0 {
            injected.disconnects += 1;
            self.flush();
            self.cut();
        }
    }

    /// Drops the connection without a word.
    fn cut(&mut self) {
        // It may be gone already; the answer is the same.
        let _ = self.socket.get_ref().shutdown(Shutdown::Both);
        self.gone = true;
    }

    /// One request of a client, answered as the world orders.
    fn obey(&mut self, text: &str, world: &mut World) {
        let mut orders = Vec::new();
        world.obey(PATH, text, &self.id, &mut orders);
        for order in orders {
            match order {
                Order::Subscribe(topic) => {
                    self.topics.insert(topic);
                    world.snapshot_frames(topic, &mut |frame| self.send(frame.text));
                }
                Order::Unsubscribe(topic) => {
                    self.topics.remove(&topic);
                }
                Order::Reply(text) => self.send(&text),
                Order::Bare(_) => {}
                Order::Close(_) => self.cut(),
            }
        }
        self.flush();
    }
}
