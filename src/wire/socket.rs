//! Socket: connects, shakes hands, and from then on only reads and writes.
//!
//! The handshake is the tungstenite library's, step by step through its `HandshakeMachine`, because
//! the first frames often arrive in the same packet as the answer: what was read behind the answer
//! is given back and belongs at the front of the receiver. Afterwards the socket is non-blocking
//! with Nagle off, and [`read()`] and [`write()`] make one system call each and nothing else.
//!
//! Only `ws://` for now: a venue is reached through a local TLS proxy (`wss://` is refused with a
//! sentence that says so).

use mio::net::TcpStream;
use std::io::{self, Read, Write};
use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{Response, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::{HandshakeMachine, RoundResult, StageResult};

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketFault {
    /// The address is not one.
    #[error("{url:?} is not a WebSocket address: {why}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// TLS was asked for.
    #[error(
        "{0:?}: TLS is not built in; use ws:// through a local TLS proxy (for instance stunnel)"
    )]
    Tls(String),
    /// The host could not be found or reached.
    #[error("cannot reach {host}: {source}")]
    Reach {
        /// Host and port.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// The other side did not finish the handshake in time.
    #[error("{0} did not finish the handshake in time")]
    Late(String),
    /// The other side is no WebSocket server, or refused.
    #[error("handshake with {host} failed: {why}")]
    Handshake {
        /// Host and port.
        host: String,
        /// What went wrong.
        why: String,
    },
}

/// Connects and shakes hands within `timeout`; also gives the bytes that came behind the answer.
///
/// # Errors
/// See [`SocketFault`].
pub fn connect(url: &str, timeout: Duration) -> Result<(TcpStream, Vec<u8>), SocketFault> {
    let deadline = Instant::now() + timeout;
    let address = |why: String| SocketFault::Address {
        url: url.to_owned(),
        why,
    };
    let request = url
        .into_client_request()
        .map_err(|e| address(e.to_string()))?;
    match request.uri().scheme_str() {
        Some("ws") => {}
        Some("wss") => return Err(SocketFault::Tls(url.to_owned())),
        _ => return Err(address("it must begin with ws://".to_owned())),
    }
    let uri = request.uri();
    let name = uri
        .host()
        .ok_or_else(|| address("it names no host".to_owned()))?
        .trim_start_matches('[')
        .trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(80);
    let host = format!("{name}:{port}");
    let stream = reach(name, port, &host, deadline)?;
    let failed = |why: String| SocketFault::Handshake {
        host: host.clone(),
        why,
    };
    let (bytes, key) = generate_request(request).map_err(|e| failed(e.to_string()))?;
    let (stream, response, tail) = shake(stream, bytes, &host, deadline)?;
    verify(&response, &key).map_err(failed)?;
    let reached = |source| SocketFault::Reach {
        host: host.clone(),
        source,
    };
    stream.set_read_timeout(None).map_err(reached)?;
    stream.set_write_timeout(None).map_err(reached)?;
    stream.set_nonblocking(true).map_err(reached)?;
    Ok((TcpStream::from_std(stream), tail))
}

fn left(deadline: Instant) -> Option<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

fn reach(
    name: &str,
    port: u16,
    host: &str,
    deadline: Instant,
) -> Result<std::net::TcpStream, SocketFault> {
    let reached = |source| SocketFault::Reach {
        host: host.to_owned(),
        source,
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (name, port).to_socket_addrs().map_err(reached)? {
        let Some(left) = left(deadline) else {
            return Err(SocketFault::Late(host.to_owned()));
        };
        match std::net::TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(reached)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(reached(last))
}

/// Writes the request and reads the answer, whatever pieces they come in.
fn shake(
    stream: std::net::TcpStream,
    request: Vec<u8>,
    host: &str,
    deadline: Instant,
) -> Result<(std::net::TcpStream, Response, Vec<u8>), SocketFault> {
    let mut machine = HandshakeMachine::start_write(stream, request);
    loop {
        let Some(left) = left(deadline) else {
            return Err(SocketFault::Late(host.to_owned()));
        };
        let stream = machine.get_ref();
        // A blocking call that runs out of time comes back as "would block", and the loop looks at
        // the clock.
        for set in [
            stream.set_read_timeout(Some(left)),
            stream.set_write_timeout(Some(left)),
        ] {
            set.map_err(|source| SocketFault::Reach {
                host: host.to_owned(),
                source,
            })?;
        }
        let round = machine.single_round::<Response>();
        machine = match round {
            Ok(RoundResult::WouldBlock(same) | RoundResult::Incomplete(same)) => same,
            Ok(RoundResult::StageFinished(StageResult::DoneWriting(stream))) => {
                HandshakeMachine::start_read(stream)
            }
            Ok(RoundResult::StageFinished(StageResult::DoneReading {
                result,
                stream,
                tail,
            })) => return Ok((stream, result, tail)),
            Err(error) => {
                return Err(SocketFault::Handshake {
                    host: host.to_owned(),
                    why: error.to_string(),
                });
            }
        };
    }
}

/// The four checks of RFC 6455 4.1, and that nothing was agreed that we did not offer.
fn verify(response: &Response, key: &str) -> Result<(), String> {
    let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
    let holds = |name: &str, word: &str| {
        header(name).is_some_and(|text| {
            text.split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(word))
        })
    };
    if response.status().as_u16() != 101 {
        return Err(format!("the server answered {}", response.status()));
    }
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
    /// The other side is gone.
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

/// Reads what is there, by one system call.
#[inline]
pub fn read(stream: &mut TcpStream, into: &mut [u8]) -> Moved {
    moved(stream.read(into))
}

/// Writes what fits, by one system call; writing nothing is `Nothing`.
#[inline]
pub fn write(stream: &mut TcpStream, from: &[u8]) -> Moved {
    if from.is_empty() {
        return Moved::Nothing;
    }
    moved(stream.write(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const SECOND: Duration = Duration::from_secs(2);

    /// A server thread that answers one connection by `serve`.
    fn server(
        serve: impl FnOnce(std::net::TcpStream) + Send + 'static,
    ) -> (String, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/v5/public/linear", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
        (url, thread)
    }

    #[test]
    fn frames_behind_the_answer_are_not_lost() {
        let (url, thread) = server(|mut stream| {
            // Request and answer by hand, so that the first frame rides in the same packet.
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let request = String::from_utf8(request).unwrap();
            assert!(request.starts_with("GET /v5/public/linear HTTP/1.1\r\n"));
            let key = request
                .lines()
                .find_map(|l| l.strip_prefix("Sec-WebSocket-Key: "))
                .unwrap();
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes())
            );
            let mut bytes = answer.into_bytes();
            bytes.extend([0x81, 2, b'h', b'i']);
            stream.write_all(&bytes).unwrap();
            stream.write_all(&[0x81, 1, b'!']).unwrap();
            let mut echo = [0; 3];
            stream.read_exact(&mut echo).unwrap();
            assert_eq!(&echo, b"abc");
        });
        let (mut stream, mut bytes) = connect(&url, SECOND).unwrap();
        let mut room = [0; 64];
        while bytes.len() < 7 {
            match read(&mut stream, &mut room) {
                Moved::Bytes(n) => bytes.extend(&room[..n]),
                Moved::Nothing => std::thread::yield_now(),
                Moved::Gone => panic!("gone early"),
            }
        }
        assert_eq!(bytes, [0x81, 2, b'h', b'i', 0x81, 1, b'!']);
        assert_eq!(write(&mut stream, b""), Moved::Nothing);
        assert_eq!(write(&mut stream, b"abc"), Moved::Bytes(3));
        thread.join().unwrap();
        while read(&mut stream, &mut room) == Moved::Nothing {
            std::thread::yield_now();
        }
        assert_eq!(read(&mut stream, &mut room), Moved::Gone);
    }

    #[test]
    fn the_library_s_own_server_is_understood() {
        let (url, thread) = server(|stream| {
            let mut socket = tungstenite::accept(stream).unwrap();
            socket.send(tungstenite::Message::text("hello")).unwrap();
            assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), "back");
        });
        let (mut stream, head) = connect(&url, SECOND).unwrap();
        let mut receiver = crate::wire::websocket::Receiver::new(1024);
        let mut sender = crate::wire::websocket::Sender::new(1024);
        receiver.restart(&head).unwrap();
        loop {
            if let Some(message) = receiver.message().unwrap() {
                match message {
                    crate::wire::websocket::Message::Text(f) => assert_eq!(f.bytes(), b"hello"),
                    other => panic!("{other:?}"),
                }
                break;
            }
            if let Moved::Bytes(n) = read(&mut stream, receiver.space()) {
                receiver.filled(n);
            }
        }
        sender.text(b"back", &mut 7).unwrap();
        while !sender.pending().is_empty() {
            if let Moved::Bytes(n) = write(&mut stream, sender.pending()) {
                sender.sent(n);
            }
        }
        thread.join().unwrap();
    }

    #[test]
    fn refusals_say_why() {
        assert!(matches!(
            connect("wss://a.example/x", SECOND),
            Err(SocketFault::Tls(_))
        ));
        assert!(matches!(
            connect("http://a.example/x", SECOND),
            Err(SocketFault::Address { .. })
        ));
        assert!(matches!(
            connect("nonsense", SECOND),
            Err(SocketFault::Address { .. })
        ));
        let (url, thread) = server(|mut stream| {
            let mut room = [0; 1024];
            let _ = stream.read(&mut room).unwrap();
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap();
        });
        let fault = connect(&url, SECOND).unwrap_err().to_string();
        assert!(fault.contains("403"), "{fault}");
        thread.join().unwrap();
        let (url, thread) = server(|stream| {
            std::thread::sleep(Duration::from_millis(400));
            drop(stream);
        });
        let short = Duration::from_millis(100);
        assert!(matches!(connect(&url, short), Err(SocketFault::Late(_))));
        thread.join().unwrap();
    }
}
