//! Tests of `socket`.

use super::*;
use std::net::TcpListener;

/// Enough on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(200);

fn trust() -> Trust {
    Trust::new(&[]).unwrap()
}

fn dial(url: &str, timeout: Duration) -> Result<(Stream, Vec<u8>), SocketFault> {
    connect(&Target::new(url), &trust(), timeout)
}

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
    let (mut stream, mut bytes) = dial(&url, SOON).unwrap();
    let mut room = [0; 64];
    while bytes.len() < 7 {
        match stream.read(&mut room) {
            Moved::Bytes(n) => bytes.extend(&room[..n]),
            Moved::Nothing => std::thread::yield_now(),
            Moved::Gone => panic!("gone early"),
        }
    }
    assert_eq!(bytes, [0x81, 2, b'h', b'i', 0x81, 1, b'!']);
    assert_eq!(stream.write(b""), Moved::Nothing);
    assert_eq!(stream.write(b"abc"), Moved::Bytes(3));
    thread.join().unwrap();
    while stream.read(&mut room) == Moved::Nothing {
        std::thread::yield_now();
    }
    assert_eq!(stream.read(&mut room), Moved::Gone);
}

#[test]
fn the_library_s_own_server_is_understood() {
    let (url, thread) = server(|stream| {
        let mut socket = tungstenite::accept(stream).unwrap();
        socket.send(tungstenite::Message::text("hello")).unwrap();
        assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), "back");
    });
    let (mut stream, head) = dial(&url, SOON).unwrap();
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
        if let Moved::Bytes(n) = stream.read(receiver.space()) {
            receiver.filled(n);
        }
    }
    sender.text(b"back", &mut 7).unwrap();
    while !sender.pending().is_empty() {
        if let Moved::Bytes(n) = stream.write(sender.pending()) {
            sender.sent(n);
        }
    }
    thread.join().unwrap();
}

#[test]
fn addresses_that_are_none_are_refused() {
    for url in ["http://a.example/x", "nonsense", "ws://"] {
        let fault = dial(url, SOON).unwrap_err();
        assert!(matches!(fault, SocketFault::Address { .. }), "{fault}");
    }
    let mut target = Target::new("ws://127.0.0.1:9/");
    target.headers = vec![("a".into(), "b\r\nc: d".into())];
    let fault = connect(&target, &trust(), SOON).unwrap_err();
    assert!(matches!(fault, SocketFault::Address { .. }), "{fault}");
}

/// A server that reads a request and answers with these bytes, and gives the request.
fn answering(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, from) = listener.accept().unwrap();
        let mut request = format!("from {}\n", from.ip()).into_bytes();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, thread)
}

#[test]
fn a_refusal_tells_status_wait_and_text() {
    let wait = |n| Some(Duration::from_secs(n));
    for (answer, want, again, text) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", 403, None, ""),
        (
            "HTTP/1.1 429 Slow\r\nRetry-After: 120\r\n\r\n",
            429,
            wait(120),
            "",
        ),
        (
            "HTTP/1.1 451 No\r\nRetry-After: soon\r\n\r\nrestricted\nlocation ",
            451,
            None,
            "restricted location",
        ),
        (
            "HTTP/1.1 503 Down\r\nretry-after: 5\r\n\r\n",
            503,
            wait(5),
            "",
        ),
        ("HTTP/1.1 301 Moved\r\nLocation: /y\r\n\r\n", 301, None, ""),
    ] {
        let (url, thread) = answering(answer);
        match dial(&url, SOON).unwrap_err() {
            SocketFault::Refused {
                status,
                retry_after,
                said,
                ..
            } => {
                assert_eq!((status, retry_after, said.as_str()), (want, again, text));
            }
            other => panic!("{other}"),
        }
        thread.join().unwrap();
    }
    let (url, thread) = answering("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\nwait");
    let fault = dial(&url, SOON).unwrap_err().to_string();
    assert!(
        fault.ends_with("refused with status 429, again after 7s: wait"),
        "{fault}"
    );
    thread.join().unwrap();
}

#[test]
fn a_server_that_is_none_is_no_refusal() {
    for answer in [
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 101 Fine\r\n\r\n",
        "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "",
    ] {
        let (url, thread) = answering(answer);
        let fault = dial(&url, SOON).unwrap_err();
        assert!(matches!(fault, SocketFault::Handshake { .. }), "{fault}");
        thread.join().unwrap();
    }
}

#[test]
fn headers_and_the_local_address_are_as_asked() {
    let (url, thread) = answering("HTTP/1.1 403 Forbidden\r\n\r\n");
    let mut target = Target::new(url);
    target.headers = vec![("User-Agent".into(), "isotherm/1".into())];
    target.bind = Some("127.0.0.7".parse().unwrap());
    assert!(connect(&target, &trust(), SOON).is_err());
    let request = thread.join().unwrap();
    assert!(
        request.starts_with("from 127.0.0.7\nGET /ws HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request
            .to_lowercase()
            .contains("\r\nuser-agent: isotherm/1\r\n"),
        "{request}"
    );
    for from in ["192.0.2.1", "::1"] {
        let mut target = Target::new("ws://127.0.0.1:9/");
        target.bind = Some(from.parse().unwrap());
        let fault = connect(&target, &trust(), SOON).unwrap_err();
        assert!(matches!(fault, SocketFault::Reach { .. }), "{fault}");
    }
}

/// Late at whatever step: a busy machine may be late before the server is.
fn gave_up(fault: &SocketFault) -> bool {
    match fault {
        SocketFault::Late(_) => true,
        SocketFault::Reach { source, .. } => source.kind() == io::ErrorKind::TimedOut,
        _ => false,
    }
}

#[test]
fn a_handshake_that_takes_too_long_is_late() {
    let (url, thread) = server(|mut stream| {
        // Until the other side has given up.
        while stream.read(&mut [0; 1024]).is_ok_and(|n| n > 0) {}
    });
    let fault = dial(&url, SHORT).unwrap_err();
    assert!(gave_up(&fault), "{fault}");
    thread.join().unwrap();
    // TLS waits no longer.
    let (url, thread) = server(
        |mut stream| {
            while stream.read(&mut [0; 1024]).is_ok_and(|n| n > 0) {}
        },
    );
    let url = url.replace("ws://", "wss://");
    let fault = dial(&url, SHORT).unwrap_err();
    assert!(gave_up(&fault), "{fault}");
    thread.join().unwrap();
}

#[test]
fn an_address_that_does_not_answer_is_given_up() {
    // A queue of one that is full: the next connection waits for ever.
    let family = AddressFamily::INET;
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let _first = TcpStream::connect(address).unwrap();
    let fault = dial(&format!("ws://{address}/"), SHORT).unwrap_err();
    assert!(gave_up(&fault), "{fault}");
}

#[test]
fn an_attempt_answers_once_and_nobody_waits() {
    let (url, thread) = server(|stream| {
        let mut socket = tungstenite::accept(stream).unwrap();
        assert!(socket.read().is_err());
    });
    let mut attempt = Attempt::start(Target::new(url), &trust(), SOON);
    let (stream, early) = loop {
        match attempt.poll() {
            Some(answer) => break answer.unwrap(),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    assert!(early.is_empty());
    // Its thread ends behind the answer.
    loop {
        match attempt.poll() {
            Some(Err(SocketFault::Late(_))) => break,
            Some(other) => panic!("{other:?}"),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    drop(stream);
    thread.join().unwrap();
}
