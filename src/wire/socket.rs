//! Socket: connects, shakes hands, and from then on only reads and writes.
//!
//! An [`Attempt`] does everything that can take long (names, TCP, TLS, the WebSocket handshake) on a thread of its own
//! that ends with it, so that nobody waits. The WebSocket handshake is the tungstenite library's, step by step through
//! its `HandshakeMachine`, because the first frames often arrive in the same packet as the answer: what was read
//! behind the answer is given back and belongs at the front of the receiver.
//!
//! What comes out is a [`Stream`], with or without TLS, non-blocking with Nagle off. [`Stream::read`] and
//! [`Stream::write`] make one system call each and nothing else (TLS: one more when sealed bytes waited), and ask for
//! no memory. Dropping a stream says good-bye and closes it; one with TLS gives its room back there.

use super::tls::{self, Records, TlsFault, Trust};
use crossbeam::channel::{Receiver, TryRecvError, bounded};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect as dial, socket_with};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{Request, Response, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::{HandshakeMachine, RoundResult, StageResult};
use tungstenite::http::{HeaderName, HeaderValue};

/// Bytes of a refusal's text that are kept.
const SAID_MAX: usize = 200;

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketFault {
    /// The address is not one, or a header cannot be sent.
    #[error("{url:?} is not a WebSocket address: {why}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The host could not be found or reached.
    #[error("cannot reach {host}: {source}")]
    Reach {
        /// Host and port.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// The other side did not finish the handshakes in time.
    #[error("{0} did not finish the handshake in time")]
    Late(String),
    /// TLS could not be agreed on, or the other side is not who it should be.
    #[error("TLS with {host}: {source}")]
    Tls {
        /// Host and port.
        host: String,
        /// What went wrong.
        source: TlsFault,
    },
    /// The server answered the handshake with another status than 101.
    #[error("{host} refused with status {status}{}{}", wait_text(*retry_after), said_text(said))]
    Refused {
        /// Host and port.
        host: String,
        /// The HTTP status: 403, 429, 451, 5xx and the like.
        status: u16,
        /// How long it asks us to stay away, if it does so in seconds.
        retry_after: Option<Duration>,
        /// The beginning of its text, as far as it came with the head; printable, at most [`SAID_MAX`] bytes.
        said: String,
    },
    /// The other side is no WebSocket server.
    #[error("handshake with {host} failed: {why}")]
    Handshake {
        /// Host and port.
        host: String,
        /// What went wrong.
        why: String,
    },
}

fn wait_text(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(", again after {wait:?}"))
}

fn said_text(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    }
}

/// Where to connect, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `ws://` or `wss://`, host, perhaps a port, path.
    pub url: String,
    /// The local address to leave by; `None` = the system chooses. Only addresses of its family are tried.
    pub bind: Option<IpAddr>,
    /// More headers of the request, name and value.
    pub headers: Vec<(String, String)>,
}

impl Target {
    /// The address alone.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            bind: None,
            headers: Vec::new(),
        }
    }
}

/// A connection being made, on a thread of its own.
#[derive(Debug)]
pub struct Attempt {
    answer: Receiver<Result<(Stream, Vec<u8>), SocketFault>>,
}

impl Attempt {
    /// Begins. The answer comes within `timeout`, later only by what the system takes to look up the name. An attempt
    /// that is dropped goes on to its end unheard.
    #[must_use]
    pub fn start(target: Target, trust: &Trust, timeout: Duration) -> Self {
        let (tell, answer) = bounded(1);
        let trust = trust.clone();
        let failed = tell.clone();
        let host = target.url.clone();
        let thread = std::thread::Builder::new().name("connect".to_owned());
        let run = move || {
            // Nobody may be listening any more.
            let _ = tell.send(connect(&target, &trust, timeout));
        };
        if let Err(source) = thread.spawn(run) {
            let _ = failed.send(Err(SocketFault::Reach { host, source }));
        }
        Self { answer }
    }

    /// The answer, once; `None` before it is there. After the answer nothing but faults.
    pub fn poll(&mut self) -> Option<Result<(Stream, Vec<u8>), SocketFault>> {
        match self.answer.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(SocketFault::Late(
                "the thread that connects".to_owned(),
            ))),
        }
    }
}

/// Connects and shakes hands within `timeout`, blocking; also gives the bytes that came behind the answer.
///
/// # Errors
/// See [`SocketFault`].
pub fn connect(
    target: &Target,
    trust: &Trust,
    timeout: Duration,
) -> Result<(Stream, Vec<u8>), SocketFault> {
    let deadline = Instant::now() + timeout;
    let address = |why: &str| SocketFault::Address {
        url: target.url.clone(),
        why: why.to_owned(),
    };
    let request = request(target).map_err(|why| address(&why))?;
    let uri = request.uri();
    let secure = match uri.scheme_str() {
        Some("ws") => false,
        Some("wss") => true,
        _ => return Err(address("it must begin with ws:// or wss://")),
    };
    let name = uri.host().ok_or_else(|| address("it names no host"))?;
    let name = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let host = format!("{name}:{port}");
    let socket = reach(&name, port, target.bind, &host, deadline)?;
    let mut stream = Stream::Plain(socket);
    if secure && let Stream::Plain(socket) = stream {
        let records = tls::shake(
            &mut Until {
                socket: &socket,
                deadline,
            },
            &name,
            trust,
        );
        let records = records.map_err(|source| match source {
            TlsFault::Late => SocketFault::Late(host.clone()),
            source => SocketFault::Tls {
                host: host.clone(),
                source,
            },
        })?;
        stream = Stream::Tls(Box::new(Secured { socket, records }));
    }
    let failed = |why: String| SocketFault::Handshake {
        host: host.clone(),
        why,
    };
    let (bytes, key) = generate_request(request).map_err(|e| failed(e.to_string()))?;
    let (stream, response, tail) = upgrade(stream, bytes, &host, deadline)?;
    if response.status().as_u16() != 101 {
        return Err(refusal(host, &response, &tail));
    }
    verify(&response, &key).map_err(failed)?;
    let socket = stream.socket();
    let ready = socket.set_read_timeout(None);
    let ready = ready.and_then(|()| socket.set_write_timeout(None));
    ready
        .and_then(|()| socket.set_nonblocking(true))
        .map_err(|source| SocketFault::Reach { host, source })?;
    Ok((stream, tail))
}

fn request(target: &Target) -> Result<Request, String> {
    let mut request = target
        .url
        .as_str()
        .into_client_request()
        .map_err(|e| e.to_string())?;
    for (name, value) in &target.headers {
        let bad = || format!("the header {name:?} cannot be sent");
        let name = HeaderName::try_from(name).map_err(|_| bad())?;
        let value = HeaderValue::try_from(value).map_err(|_| bad())?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

fn left(deadline: Instant) -> Option<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

/// Tries the name's addresses in the system's order; each gets an even part of the time that is left.
fn reach(
    name: &str,
    port: u16,
    from: Option<IpAddr>,
    host: &str,
    deadline: Instant,
) -> Result<TcpStream, SocketFault> {
    let reached = |source| SocketFault::Reach {
        host: host.to_owned(),
        source,
    };
    let fits = |to: &SocketAddr| from.is_none_or(|from| from.is_ipv4() == to.is_ipv4());
    let all: Vec<SocketAddr> = (name, port)
        .to_socket_addrs()
        .map_err(reached)?
        .filter(fits)
        .collect();
    let mut last = io::Error::new(
        io::ErrorKind::NotFound,
        "the name has no address (of the local address's family)",
    );
    for (tried, to) in all.iter().enumerate() {
        let Some(left) = left(deadline) else {
            return Err(SocketFault::Late(host.to_owned()));
        };
        let part = left / u32::try_from(all.len() - tried).unwrap_or(u32::MAX);
        match open(*to, from, part) {
            Ok(socket) => return Ok(socket),
            Err(fault) => last = fault,
        }
    }
    Err(reached(last))
}

/// Connects to one address, blocking for at most `time`.
fn open(to: SocketAddr, from: Option<IpAddr>, time: Duration) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if let Some(from) = from {
        let said = |fault| io::Error::other(format!("cannot leave by {from}: {fault}"));
        bind(&socket, &SocketAddr::new(from, 0)).map_err(said)?;
    }
    // The time a connect may take is the one a write may take, on this system.
    set_socket_timeout(
        &socket,
        Timeout::Send,
        Some(time.max(Duration::from_millis(1))),
    )?;
    match dial(&socket, &to) {
        Ok(()) => {}
        Err(rustix::io::Errno::INPROGRESS) => return Err(io::ErrorKind::TimedOut.into()),
        Err(fault) => return Err(fault.into()),
    }
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// A blocking socket that is read and written until a deadline.
struct Until<'a> {
    socket: &'a TcpStream,
    deadline: Instant,
}

impl Until<'_> {
    fn ready(&self) -> io::Result<()> {
        let left = left(self.deadline).ok_or(io::ErrorKind::TimedOut)?;
        self.socket.set_read_timeout(Some(left))?;
        self.socket.set_write_timeout(Some(left))
    }
}

impl Read for Until<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.ready()?;
        self.socket.read(into)
    }
}

impl Write for Until<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.ready()?;
        self.socket.write(from)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream under the library's handshake: an end in the middle is a fault with its reason.
struct Shaking(Stream);

impl Read for Shaking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.fill(into) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, self.0.why())),
            other => other,
        }
    }
}

impl Write for Shaking {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self.0.pour(from) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::WriteZero, self.0.why())),
            other => other,
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Stream::Plain(_) => Ok(()),
            Stream::Tls(secured) => secured.flush(),
        }
    }
}

/// Writes the request and reads the answer, whatever pieces they come in.
fn upgrade(
    stream: Stream,
    request: Vec<u8>,
    host: &str,
    deadline: Instant,
) -> Result<(Stream, Response, Vec<u8>), SocketFault> {
    let mut machine = HandshakeMachine::start_write(Shaking(stream), request);
    loop {
        let socket = machine.get_ref().0.socket();
        // A blocking call that runs out of time comes back as "would block", and the loop looks at the clock.
        match (Until { socket, deadline }).ready() {
            Ok(()) => {}
            Err(fault) if fault.kind() == io::ErrorKind::TimedOut => {
                return Err(SocketFault::Late(host.to_owned()));
            }
            Err(source) => {
                return Err(SocketFault::Reach {
                    host: host.to_owned(),
                    source,
                });
            }
        }
        machine = match machine.single_round::<Response>() {
            Ok(RoundResult::WouldBlock(same) | RoundResult::Incomplete(same)) => same,
            Ok(RoundResult::StageFinished(StageResult::DoneWriting(stream))) => {
                HandshakeMachine::start_read(stream)
            }
            Ok(RoundResult::StageFinished(StageResult::DoneReading {
                result,
                stream,
                tail,
            })) => {
                return Ok((stream.0, result, tail));
            }
            Err(error) => {
                return Err(SocketFault::Handshake {
                    host: host.to_owned(),
                    why: error.to_string(),
                });
            }
        };
    }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
}

fn refusal(host: String, response: &Response, text: &[u8]) -> SocketFault {
    let wait = header(response, "retry-after").and_then(|text| text.trim().parse().ok());
    let text = String::from_utf8_lossy(&text[..text.len().min(SAID_MAX)]);
    SocketFault::Refused {
        host,
        status: response.status().as_u16(),
        retry_after: wait.map(Duration::from_secs),
        said: text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect::<String>()
            .trim()
            .to_owned(),
    }
}

/// The checks of RFC 6455 4.1 behind the status, and that nothing was agreed that we did not offer.
fn verify(response: &Response, key: &str) -> Result<(), String> {
    let header = |name: &str| header(response, name);
    let holds = |name: &str, word: &str| {
        header(name).is_some_and(|text| {
            text.split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(word))
        })
    };
    if !holds("upgrade", "websocket") {
        return Err("the answer has no \"Upgrade: websocket\"".to_owned());
    }
    if !holds("connection", "upgrade") {
        return Err("the answer has no \"Connection: Upgrade\"".to_owned());
    }
    if header("sec-websocket-accept") != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Err("the answer's Sec-WebSocket-Accept is wrong".to_owned());
    }
    if header("sec-websocket-extensions").is_some() || header("sec-websocket-protocol").is_some() {
        return Err("the server agreed to an extension or protocol we did not offer".to_owned());
    }
    Ok(())
}

/// What one call on the socket gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// This many bytes, never 0.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// The other side is gone; [`Stream::why`] says how.
    Gone,
}

fn moved(result: io::Result<usize>) -> Moved {
    match result {
        Ok(0) => Moved::Gone,
        Ok(n) => Moved::Bytes(n),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            Moved::Nothing
        }
        Err(_) => Moved::Gone,
    }
}

/// A connection: bytes in, bytes out.
#[derive(Debug)]
pub enum Stream {
    /// Without TLS. The socket is to be non-blocking.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<Secured>),
}

/// A non-blocking socket under TLS.
#[derive(Debug)]
pub struct Secured {
    socket: TcpStream,
    records: Records,
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket().as_raw_fd()
    }
}

impl Stream {
    /// Reads what is there, by one system call. A TLS record that is not whole yet is `Nothing`, and what came whole
    /// with earlier ones is given without a call. Records are opened before this returns (about a tenth of a
    /// microsecond for a trade, one and a half for the largest record), so a stamp taken behind it counts that in
    /// the way to us.
    #[inline]
    pub fn read(&mut self, into: &mut [u8]) -> Moved {
        moved(self.fill(into))
    }

    /// Writes what fits, by one system call; writing nothing is `Nothing`. With TLS the bytes may be sealed and wait:
    /// they are written by later calls of either verb, and until then nothing more is taken.
    #[inline]
    pub fn write(&mut self, from: &[u8]) -> Moved {
        if from.is_empty() {
            return Moved::Nothing;
        }
        moved(self.pour(from))
    }

    /// Why it is gone, for people.
    #[must_use]
    pub fn why(&self) -> &'static str {
        let ended = match self {
            Self::Plain(_) => None,
            Self::Tls(secured) => secured.records.ended(),
        };
        ended.map_or("closed by the other side", tls::Ended::text)
    }

    const fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(secured) => &secured.socket,
        }
    }

    fn fill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Tls(secured) => secured.fill(into),
        }
    }

    fn pour(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(from),
            Self::Tls(secured) => secured.pour(from),
        }
    }
}

impl Secured {
    fn fill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Answers to key updates, and what a full socket left; a socket that is broken says so when it is read.
        let _ = self.flush();
        match self.records.take(into) {
            Ok(0) => {}
            Ok(given) => return Ok(given),
            Err(_) => return Ok(0),
        }
        match self.socket.read(self.records.space())? {
            0 => return Ok(0),
            bytes => self.records.filled(bytes),
        }
        match self.records.take(into) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(given) => Ok(given),
            Err(_) => Ok(0),
        }
    }

    fn pour(&mut self, from: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let Ok(taken) = self.records.put(from) else {
            return Ok(0);
        };
        match self.flush() {
            Err(fault) if fault.kind() != io::ErrorKind::WouldBlock => Err(fault),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.records.pending().is_empty() {
            return Ok(());
        }
        let bytes = self.socket.write(self.records.pending())?;
        self.records.sent(bytes);
        if self.records.pending().is_empty() {
            Ok(())
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        // The last word is said once: whether the other side still hears it is its own affair.
        self.records.close();
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests;
