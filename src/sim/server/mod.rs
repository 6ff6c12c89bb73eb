//! Server: the world behind a socket, as the exchange would be, on this machine only.
//!
//! ```text
//!  mod     Options, Server, Handle: start, look, turn the dial, stop
//!  floor   one thread: the world, every connection, rounds
//!  client  a websocket: what it asked for, and what goes wrong on it
//!  pipe    a connection as bytes: TCP, TLS, slow, frozen
//!  http, frame, spoil, refusal    bytes of HTTP, of websockets, spoiled texts, a venue's no
//! ```
//! One thread owns the world and every connection (nonblocking; it sleeps between rounds and never
//! spins). Virtual time runs `speed` times as fast as the machine's from where the world was handed
//! over, or *flat out*: as fast as the slowest listener reads. A connection gets only what it
//! subscribed to; a consumer that lets [`BACKLOG`] bytes pile up is cut off. With TLS every
//! connection is TLS, REST too.
//!
//! The fault dial ([`Faults`]) is drawn from the world's seed; what was done is counted
//! ([`Injected`]). Spans of faults (how long a frame drips, when a late stream begins) and
//! heartbeats are in the machine's time, because clients wait in it.

mod client;
mod floor;
mod frame;
mod http;
mod pipe;
mod refusal;
mod spoil;

use super::SimError;
use super::faults::{Fault, Faults, Injected};
use super::told::{BookTold, LiquidationsTold, TradesTold};
use super::world::World;
use crate::time::{Nanos, mono_now};
use floor::{Ask, Floor};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes a consumer may leave unread in our buffer before it is cut off.
pub const BACKLOG: usize = 8 << 20;

/// How the world is served.
#[derive(Debug, Clone)]
pub struct Options {
    /// Websocket port; 0 takes any.
    pub ws_port: u16,
    /// REST port; 0 takes any.
    pub rest_port: u16,
    /// Virtual seconds per real second, at least 1.
    pub speed: u32,
    /// Virtual time goes as fast as the slowest listener reads, and stands while nobody listens;
    /// `speed` says nothing then.
    pub is_flat_out: bool,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// Certificate and key; `None` is plain TCP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// How long a frame or a handshake drips.
    pub drip: Nanos,
    /// After what time a late stream begins.
    pub late: Nanos,
    /// How long maintenance lasts: nothing is served in the first half of it, and all contracts are
    /// halted in the whole of it.
    pub away: Nanos,
    /// How long a client that is told 429 is to wait; five times as long after 418.
    pub retry: Nanos,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ws_port: 0,
            rest_port: 0,
            speed: 1,
            is_flat_out: false,
            faults: Faults::NONE,
            tls: None,
            drip: Nanos::seconds(3),
            late: Nanos::seconds(30),
            away: Nanos::seconds(10),
            retry: Nanos::seconds(2),
        }
    }
}

/// What has been told of a contract: what a perfect client would hold.
#[derive(Debug, Clone)]
pub struct Check {
    /// The book and the number of its last update.
    pub book: BookTold,
    /// The trades since the start.
    pub trades: TradesTold,
    /// The forced orders since the start.
    pub liquidations: LiquidationsTold,
}

/// Starts the exchange.
#[derive(Debug)]
pub struct Server;

/// The running exchange; dropping it stops it.
pub struct Handle {
    ws: SocketAddr,
    rest: SocketAddr,
    paths: &'static [&'static str],
    is_tls: bool,
    asks: Sender<Ask>,
    owner: Option<JoinHandle<World>>,
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
        let door = |port| -> Result<(TcpListener, SocketAddr), SimError> {
            let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
            let listener = bound.map_err(|fault| {
                io::Error::new(fault.kind(), format!("port {port} of 127.0.0.1: {fault}"))
            })?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (ws_door, ws) = door(options.ws_port)?;
        let (rest_door, rest) = door(options.rest_port)?;
        let (asks, asked) = channel();
        let (paths, is_tls) = (world.paths(), options.tls.is_some());
        let floor = Floor::new(world, options, [ws_door, rest_door]);
        let owner = std::thread::Builder::new()
            .name("sim-world".into())
            .spawn(move || floor.run(&asked))?;
        Ok(Handle {
            ws,
            rest,
            paths,
            is_tls,
            asks,
            owner: Some(owner),
        })
    }
}

impl Handle {
    /// Where to subscribe: the first of [`Handle::ws_urls`].
    #[must_use]
    pub fn ws_url(&self) -> String {
        self.ws_urls().next().unwrap_or_default()
    }

    /// Where to subscribe, by path, in the order of [`World::paths`].
    pub fn ws_urls(&self) -> impl Iterator<Item = String> + '_ {
        let scheme = if self.is_tls { "wss" } else { "ws" };
        let paths = self.paths.iter();
        paths.map(move |path| format!("{scheme}://{}{path}", self.ws))
    }

    /// Where to ask; the paths behind it are the venue's.
    #[must_use]
    pub fn rest_url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.rest)
    }

    /// What went wrong on purpose so far; zeros when the exchange has stopped.
    #[must_use]
    pub fn injected(&self) -> Injected {
        self.on_floor(|floor| floor.injected.clone())
            .unwrap_or_default()
    }

    /// Virtual time now; zero when the exchange has stopped.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.world(|world| world.now()).unwrap_or_default()
    }

    /// Asks the world, between two moments of it; `None` when the exchange has stopped.
    pub fn world<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut World) -> T + Send + 'static,
    ) -> Option<T> {
        self.on_floor(|floor| look(&mut floor.world))
    }

    /// What has been told of a contract by now: to be compared with a client's state once the
    /// exchange is [quiet](Handle::quiet). `None` for a contract that is not here.
    #[must_use]
    pub fn check(&self, symbol: &str) -> Option<Check> {
        let symbol = symbol.to_owned();
        self.world(move |world| {
            Some(Check {
                book: world.book(&symbol)?,
                trades: world.trades_told(&symbol)?,
                liquidations: world.liquidations_told(&symbol)?,
            })
        })?
    }

    /// Turns the dial, for open connections too; what is wrong already (a silent stream, a frozen
    /// connection) stays wrong.
    pub fn turn(&self, faults: Faults) {
        self.on_floor(move |floor| floor.turn(faults));
    }

    /// Does a fault now: [`Fault::Maintenance`], [`Fault::Delist`], or [`Fault::Cut`], [`Fault::Close`] and
    /// [`Fault::Freeze`] on every connection. The others need a frame or a request and do nothing
    /// here.
    pub fn strike(&self, fault: Fault) {
        self.on_floor(move |floor| floor.strike(fault, mono_now()));
    }

    /// Stops virtual time and the dial, ends frozen connections and maintenance, and sends what was
    /// held back or dripped. True once every listener has been sent everything, false when that took
    /// longer than `within`. Connections and requests are served on; time stands until
    /// [`Handle::resume`]. A frame that was left out last cannot be noticed by anybody: turn the dial
    /// to [`Faults::NONE`] some frames earlier where a client's state is to be compared.
    #[must_use]
    pub fn quiet(&self, within: Duration) -> bool {
        let (reply, answer) = channel();
        self.on_floor(|floor| floor.be_quiet(reply));
        answer.recv_timeout(within).is_ok()
    }

    /// Lets virtual time go on from where it stands; the dial stays where it is.
    pub fn resume(&self) {
        self.on_floor(Floor::resume);
    }

    /// Has the world's thread do something between two rounds and waits for it; `None` when the
    /// exchange has stopped.
    fn on_floor<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Floor) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = channel();
        let task = Box::new(move |floor: &mut Floor| {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(task(floor));
        });
        self.asks.send(Ask::Do(task)).ok()?;
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
        let owner = self.owner.take()?;
        // A closed channel means the thread is gone already; joining tells.
        let _ = self.asks.send(Ask::Stop);
        owner.join().ok()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}
