//! Http: as much of HTTP/1.1 as an exchange needs: request heads and bodies in, answers out.
//!
//! Bytes to values and back; no socket here. A request that is not one is told so with 400 and the
//! connection ends; so does one whose head or body is beyond [`HEAD_MAX`] or [`BODY_MAX`].

use std::io::Write as _;
use tungstenite::handshake::derive_accept_key;

/// Bytes of a request's head at most.
pub(super) const HEAD_MAX: usize = 16 << 10;
/// Bytes of a request's body at most.
pub(super) const BODY_MAX: usize = 64 << 10;

/// A whole request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query.
    pub(super) url: String,
    pub(super) body: String,
    /// The key of a websocket handshake; `None` for a plain request.
    pub(super) key: Option<String>,
    /// True when the client wants the connection to end after the answer.
    pub(super) last: bool,
}

/// What stands at the beginning of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Not all is there yet.
    Part,
    /// A request, and the bytes it takes.
    Whole(Request, usize),
    /// No request of HTTP/1.1, or one that is too large.
    Bad,
}

/// Reads a request from the beginning of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return match bytes.len() {
            0..HEAD_MAX => Parsed::Part,
            _ => Parsed::Bad,
        };
    };
    let Ok(head) = std::str::from_utf8(&bytes[..end]) else {
        return Parsed::Bad;
    };
    let mut lines = head.split("\r\n");
    let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, url, "HTTP/1.1"] = first[..] else {
        return Parsed::Bad;
    };
    let (mut length, mut key, mut upgrade, mut last) = (0, None, false, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            return Parsed::Bad;
        };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => match value.parse::<usize>() {
                Ok(n) if n <= BODY_MAX => length = n,
                _ => return Parsed::Bad,
            },
            "transfer-encoding" => return Parsed::Bad,
            "upgrade" => upgrade = value.eq_ignore_ascii_case("websocket"),
            "sec-websocket-key" => key = Some(value.to_owned()),
            "connection" => last = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let begin = end + 4;
    let Some(body) = bytes.get(begin..begin + length) else {
        return Parsed::Part;
    };
    let request = Request {
        method: method.to_owned(),
        url: url.to_owned(),
        body: String::from_utf8_lossy(body).into_owned(),
        key: key.filter(|_| upgrade),
        last,
    };
    Parsed::Whole(request, begin + length)
}

/// The words beside a status.
const fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        418 => "I'm a teapot",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "-",
    }
}

/// An answer as bytes; the length announced is the body's.
pub(super) fn answer(
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
    last: bool,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + body.len());
    // Writing to memory cannot fail.
    let _ = write!(out, "HTTP/1.1 {status} {}\r\n", reason(status));
    let typed = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
    if !headers.iter().any(typed) {
        out.extend_from_slice(b"Content-Type: application/json\r\n");
    }
    for (name, value) in headers {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    if last {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
    out.extend_from_slice(body);
    out
}

/// The answer that makes a connection a websocket.
pub(super) fn switch(key: &str) -> Vec<u8> {
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n",
        reason(101)
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_when_it_is_whole_and_leaves_the_next_one() {
        let text = b"POST /info?x=1 HTTP/1.1\r\nHost: h\r\ncontent-length: 4\r\n\r\nbodyGET";
        for cut in 0..text.len() - 3 {
            assert_eq!(parse(&text[..cut]), Parsed::Part, "{cut}");
        }
        let Parsed::Whole(request, taken) = parse(text) else {
            panic!("not read")
        };
        assert_eq!(taken, text.len() - 3);
        assert_eq!(
            (request.method.as_str(), request.url.as_str()),
            ("POST", "/info?x=1")
        );
        assert_eq!(
            (request.body.as_str(), request.key, request.last),
            ("body", None, false)
        );
    }

    #[test]
    fn what_is_no_request_is_refused_and_not_waited_for() {
        for text in [
            "HELLO\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nnonsense\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert_eq!(parse(text.as_bytes()), Parsed::Bad, "{text}");
        }
        assert_eq!(parse(&[b'x'; HEAD_MAX]), Parsed::Bad);
    }
}
