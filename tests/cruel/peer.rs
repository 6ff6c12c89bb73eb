//! A raw reader of the exchange: sockets, frames, requests, and what each dialect's words mean.

use isotherm::sim::{Dialect, Fault, Faults, Handle, Options, Params, Server, World};
use isotherm::time::Nanos;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tungstenite::protocol::frame::FrameHeader;

/// The patience of every read: generous, because a loaded machine is no fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

trait Wire: Read + Write + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for StreamOwned<ClientConnection, TcpStream> {
    fn tcp(&self) -> &TcpStream {
        &self.sock
    }
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// A text, whatever is in it.
    Text(Vec<u8>),
    /// A close frame with its code.
    Close(u16),
    /// Another control frame.
    Control(u8),
    /// A frame that announces so many bytes, too many to wait for.
    Huge(u64),
    /// The end in the middle of a frame.
    Half,
    /// The end between two frames.
    End,
    /// Nothing for as long as was asked.
    Nothing,
}

/// An open websocket.
pub(crate) struct Peer {
    wire: Box<dyn Wire>,
    /// Come, and not read yet.
    buffer: Vec<u8>,
    /// Reads that brought something for the last frame.
    pub(crate) pieces: usize,
}

/// An answer of HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// Bytes announced that did not come.
    pub(crate) missing: usize,
}

impl Answer {
    /// Seconds of `Retry-After`.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let line = self.head.lines().find(|l| l.starts_with("Retry-After: "))?;
        line.strip_prefix("Retry-After: ")?.parse().ok()
    }
}

fn dial(url: &str, tls: Option<&Arc<ClientConfig>>) -> (Box<dyn Wire>, String) {
    let (_, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let tcp = TcpStream::connect(host).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let wire: Box<dyn Wire> = match tls {
        None => Box::new(tcp),
        Some(config) => {
            let name = ServerName::try_from("localhost").unwrap();
            let session = ClientConnection::new(Arc::clone(config), name).unwrap();
            Box::new(StreamOwned::new(session, tcp))
        }
    };
    (wire, path.to_owned())
}

/// Reads until `enough`, or to the end.
fn gather(wire: &mut dyn Wire, buffer: &mut Vec<u8>, enough: impl Fn(&[u8]) -> bool) -> usize {
    let (mut gulp, mut pieces) = ([0; 4096], 0);
    while !enough(buffer) {
        match wire.read(&mut gulp) {
            Ok(0) => break,
            Ok(n) => buffer.extend_from_slice(&gulp[..n]),
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => panic!("waited in vain"),
            Err(_) => break,
        }
        pieces += 1;
    }
    pieces
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn status(head: &str) -> u16 {
    let word = head.split(' ').nth(1).unwrap_or_default();
    word.parse().unwrap_or(0)
}

/// A REST request on a connection of its own.
pub(crate) fn ask(base: &str, method: &str, path: &str, body: &str) -> Answer {
    ask_by(base, method, path, body, None)
}

pub(crate) fn ask_by(
    base: &str,
    method: &str,
    path: &str,
    body: &str,
    tls: Option<&Arc<ClientConfig>>,
) -> Answer {
    let (mut wire, _) = dial(base, tls);
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    wire.write_all(text.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    gather(&mut *wire, &mut bytes, |_| false);
    let end = head_end(&bytes).unwrap_or(0);
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let announced = head
        .lines()
        .find_map(|l| l.strip_prefix("Content-Length: "));
    let announced: usize = announced.map_or(0, |n| n.parse().unwrap());
    Answer {
        status: status(&head),
        body: String::from_utf8_lossy(&bytes[end..]).into_owned(),
        missing: announced.saturating_sub(bytes.len() - end),
        head,
    }
}

impl Peer {
    /// Opens a websocket; the answer when it is refused, with status 0 when that is no HTTP.
    pub(crate) fn open(url: &str) -> Result<Self, Answer> {
        Self::open_by(url, None)
    }

    pub(crate) fn open_by(url: &str, tls: Option<&Arc<ClientConfig>>) -> Result<Self, Answer> {
        let (mut wire, path) = dial(url, tls);
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let text = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        // A server that spoils its hello may be gone before this is sent.
        let _ = wire.write_all(text.as_bytes());
        let mut buffer = Vec::new();
        let pieces = gather(&mut *wire, &mut buffer, |bytes| head_end(bytes).is_some());
        let end = head_end(&buffer).unwrap_or(buffer.len());
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        if !head.starts_with("HTTP/1.1 101 ") {
            let is_http = head.starts_with("HTTP/1.1 ");
            return Err(Answer {
                status: if is_http { status(&head) } else { 0 },
                head,
                body: String::new(),
                missing: 0,
            });
        }
        assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        buffer.drain(..end);
        Ok(Self {
            wire,
            buffer,
            pieces,
        })
    }

    /// Sends a text.
    pub(crate) fn say(&mut self, text: &str) {
        self.send(1, text.as_bytes());
    }

    /// Sends a frame; a connection that is gone shows with the next read.
    pub(crate) fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut bytes = vec![0x80 | opcode];
        match u16::try_from(payload.len()).unwrap() {
            short @ 0..=125 => bytes.push(0x80 | short as u8),
            long => {
                bytes.push(0x80 | 126);
                bytes.extend(long.to_be_bytes());
            }
        }
        let mask = [7, 99, 13, 200];
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        let _ = self.wire.write_all(&bytes);
    }

    /// Adds what comes next to the buffer; what ends the wait otherwise.
    fn more(&mut self, within: Duration) -> Result<(), Got> {
        self.wire.tcp().set_read_timeout(Some(within)).unwrap();
        let mut gulp = [0; 4096];
        match self.wire.read(&mut gulp) {
            Ok(0) => {}
            Ok(n) => {
                self.buffer.extend_from_slice(&gulp[..n]);
                self.pieces += 1;
                return Ok(());
            }
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Err(Got::Nothing),
            Err(_) => {}
        }
        Err(if self.buffer.is_empty() {
            Got::End
        } else {
            Got::Half
        })
    }

    /// The next frame.
    pub(crate) fn next(&mut self) -> Got {
        self.next_within(PATIENCE)
    }

    pub(crate) fn next_within(&mut self, within: Duration) -> Got {
        self.pieces = 0;
        let (header, begin, len) = loop {
            let mut cursor = Cursor::new(&self.buffer);
            let parsed = FrameHeader::parse(&mut cursor).unwrap();
            if let Some((header, len)) = parsed {
                break (header, cursor.position() as usize, len);
            }
            if let Err(got) = self.more(within) {
                return got;
            }
        };
        if len > 1 << 24 {
            return Got::Huge(len);
        }
        let end = begin + len as usize;
        while self.buffer.len() < end {
            if let Err(got) = self.more(within) {
                return got;
            }
        }
        let payload = self.buffer[begin..end].to_vec();
        self.buffer.drain(..end);
        match u8::from(header.opcode) {
            1 => Got::Text(payload),
            8 if payload.len() >= 2 => Got::Close(u16::from_be_bytes([payload[0], payload[1]])),
            other => Got::Control(other),
        }
    }

    /// The next text that is JSON; anything else on the way is passed over, an end is a surprise.
    pub(crate) fn json(&mut self) -> Value {
        loop {
            match self.next() {
                Got::Text(text) => {
                    if let Ok(value) = serde_json::from_slice(&text) {
                        return value;
                    }
                }
                Got::Control(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The words of a dialect, as a client uses them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tongue {
    pub(crate) dialect: Dialect,
    /// Where the book is.
    pub(crate) path: &'static str,
    /// The first contract, and the second.
    pub(crate) names: [&'static str; 2],
}

pub(crate) const TONGUES: [Tongue; 4] = [
    Tongue {
        dialect: Dialect::Bybit,
        path: "/v5/public/linear",
        names: ["BTCUSDT", "ETHUSDT"],
    },
    Tongue {
        dialect: Dialect::Binance,
        path: "/public/stream",
        names: ["BTCUSDT", "ETHUSDT"],
    },
    Tongue {
        dialect: Dialect::Okx,
        path: "/ws/v5/public",
        names: ["BTC-USDT-SWAP", "ETH-USDT-SWAP"],
    },
    Tongue {
        dialect: Dialect::Hyperliquid,
        path: "/ws",
        names: ["BTC", "ETH"],
    },
];

/// A numbered frame of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    /// The number before, as the frame says; `None` in an image.
    pub(crate) before: Option<u64>,
    pub(crate) this: u64,
}

impl Tongue {
    pub(crate) fn is_sequenced(self) -> bool {
        self.dialect != Dialect::Hyperliquid
    }

    /// Asks for the book of a contract, or no longer.
    pub(crate) fn book(self, name: &str, is_on: bool) -> String {
        let op = if is_on { "subscribe" } else { "unsubscribe" };
        let value = match self.dialect {
            Dialect::Bybit => json!({"op": op, "args": [format!("orderbook.200.{name}")]}),
            Dialect::Binance => {
                let stream = format!("{}@depth@100ms", name.to_lowercase());
                json!({"method": op.to_uppercase(), "params": [stream], "id": 7})
            }
            Dialect::Okx => json!({"op": op, "args": [{"channel": "books", "instId": name}]}),
            Dialect::Hyperliquid => {
                json!({"method": op, "subscription": {"type": "l2Book", "coin": name}})
            }
        };
        value.to_string()
    }

    /// True for the venue's yes to a request.
    pub(crate) fn is_ack(self, v: &Value) -> bool {
        match self.dialect {
            Dialect::Bybit => v["success"] == true && v["op"] == "subscribe",
            Dialect::Binance => v["id"] == 7 && v.get("result").is_some(),
            Dialect::Okx => v["event"] == "subscribe",
            Dialect::Hyperliquid => v["channel"] == "subscriptionResponse",
        }
    }

    /// True for whatever answers a request, and so is no frame of a stream.
    pub(crate) fn is_answer(self, v: &Value) -> bool {
        let keys = ["success", "event", "id"];
        keys.iter().any(|key| v.get(*key).is_some()) || v["channel"] == "subscriptionResponse"
    }

    /// True for its no.
    pub(crate) fn is_refusal(self, v: &Value) -> bool {
        match self.dialect {
            Dialect::Bybit => v["success"] == false,
            Dialect::Binance => v["error"]["code"].is_i64() && v["id"] == 7,
            Dialect::Okx => v["event"] == "error" && v["code"].is_string(),
            Dialect::Hyperliquid => v["channel"] == "error",
        }
    }

    /// The contract of a book's frame; `None` for anything else, and for one that cannot be read.
    pub(crate) fn book_of(self, v: &Value) -> Option<&str> {
        match self.dialect {
            Dialect::Bybit => v["topic"].as_str()?.strip_prefix("orderbook.200."),
            Dialect::Binance => v["stream"].as_str().and(v["data"]["s"].as_str()),
            Dialect::Okx => match v["arg"]["channel"].as_str()? {
                "books" => v["arg"]["instId"].as_str(),
                _ => None,
            },
            Dialect::Hyperliquid => match v["channel"].as_str()? {
                "l2Book" => v["data"]["coin"].as_str(),
                _ => None,
            },
        }
    }

    /// The number of a book's frame; where the venue numbers none, its time.
    pub(crate) fn number(self, v: &Value) -> Option<Number> {
        self.book_of(v)?;
        let (before, this) = match self.dialect {
            Dialect::Bybit => {
                let u = v["data"]["u"].as_u64()?;
                ((v["type"] == "delta").then(|| u - 1), u)
            }
            Dialect::Binance => (Some(v["data"]["pu"].as_u64()?), v["data"]["u"].as_u64()?),
            Dialect::Okx => {
                let row = &v["data"][0];
                let before = row["prevSeqId"]
                    .as_u64()
                    .filter(|_| v["action"] == "update");
                (before, row["seqId"].as_u64()?)
            }
            Dialect::Hyperliquid => (None, v["data"]["time"].as_u64()?),
        };
        Some(Number { before, this })
    }

    /// The exchange's stamp of a book's frame, ms.
    pub(crate) fn stamp(self, v: &Value) -> Option<i64> {
        self.book_of(v)?;
        match self.dialect {
            Dialect::Bybit => v["ts"].as_i64(),
            Dialect::Binance => v["data"]["E"].as_i64(),
            Dialect::Okx => v["data"][0]["ts"].as_str()?.parse().ok(),
            Dialect::Hyperliquid => v["data"]["time"].as_i64(),
        }
    }

    /// (price, size) rows of a book's frame, bids then asks.
    pub(crate) fn levels(self, v: &Value) -> [Vec<(String, String)>; 2] {
        let keys = match self.dialect {
            Dialect::Bybit => ["/data/b", "/data/a"],
            Dialect::Binance => ["/data/b", "/data/a"],
            Dialect::Okx => ["/data/0/bids", "/data/0/asks"],
            Dialect::Hyperliquid => ["/data/levels/0", "/data/levels/1"],
        };
        keys.map(|key| rows(v.pointer(key).unwrap()))
    }

    /// REST: a request any venue answers.
    pub(crate) fn request(self) -> [&'static str; 3] {
        match self.dialect {
            Dialect::Bybit => ["GET", "/v5/market/instruments-info?category=linear", ""],
            Dialect::Binance => ["GET", "/fapi/v1/exchangeInfo", ""],
            Dialect::Okx => ["GET", "/api/v5/public/instruments?instType=SWAP", ""],
            Dialect::Hyperliquid => ["POST", "/info", r#"{"type":"meta"}"#],
        }
    }

    /// A world of this dialect behind a socket.
    pub(crate) fn serve(self, options: Options) -> Handle {
        let params = Params::many(3).speaking(self.dialect);
        let mut world = World::new(11, params).unwrap();
        let open = world.now().plus(Nanos::seconds(120));
        world.advance(open, &mut |_| {});
        Server::start(world, options).unwrap()
    }

    /// Forty times as fast as the machine, with a dial.
    pub(crate) fn serve_with(self, faults: Faults) -> Handle {
        self.serve(Options {
            speed: 40,
            faults,
            drip: Nanos::millis(600),
            late: Nanos::seconds(1),
            away: Nanos::seconds(2),
            retry: Nanos::millis(200),
            ..Options::default()
        })
    }

    /// A connection that has asked for the first contract's book.
    pub(crate) fn join(self, handle: &Handle) -> Peer {
        let mut peer = Peer::open(&self.url(handle)).unwrap();
        peer.say(&self.book(self.names[0], true));
        peer
    }

    /// Where the book is.
    pub(crate) fn url(self, handle: &Handle) -> String {
        let mut urls = handle.ws_urls();
        urls.find(|url| url.ends_with(self.path)).unwrap()
    }

    /// The client asks for the book anew, in the venue's way.
    pub(crate) fn ask_again(self, name: &str, peer: &mut Peer, handle: &Handle) -> Option<Value> {
        if self.dialect == Dialect::Binance {
            let path = format!("/fapi/v1/depth?symbol={name}&limit=1000");
            let answer = ask(&handle.rest_url(), "GET", &path, "");
            return serde_json::from_str(&answer.body).ok();
        }
        peer.say(&self.book(name, false));
        peer.say(&self.book(name, true));
        None
    }
}

/// Rows of `[price, size, ..]` or `{px, sz}`.
pub(crate) fn rows(v: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let row = |row: &Value| match row {
        Value::Array(row) => (text(&row[0]), text(&row[1])),
        row => (text(&row["px"]), text(&row["sz"])),
    };
    v.as_array().unwrap().iter().map(row).collect()
}

/// A dial with one fault.
pub(crate) fn only(fault: Fault, every: u32) -> Faults {
    Faults::NONE.with(fault, every)
}
