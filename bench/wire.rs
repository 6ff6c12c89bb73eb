//! wire: our WebSocket receiver beside tungstenite and fastwebsockets, and our TLS records beside rustls's own, each on
//! the same bytes.
//!
//!     cargo bench --bench wire              ISOTHERM_BENCH=tiny: a look whether it runs; --ratios: without criterion
//!
//! Messages have the sizes that were recorded: trades of about 200 bytes, books of 2 to 10 KB. They come from memory,
//! either one a read (a quiet market: what counts is the way of a message) or as many as 64 KB hold (a burst). A text
//! is checked for UTF-8 by the others and not by us (the readers behind do); binary frames leave that out of the
//! comparison. TLS is 1.3 with the cipher that both sides choose; a pass seals its records anew, outside the timing.
//!
//! Contenders take turns, the least of their passes counts: neighbours only ever add. Read the ratios; the nanoseconds
//! belong to the machine.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::float_arithmetic,
    reason = "a bench prints, divides, and stops where it fails"
)]
#![allow(missing_docs, reason = "a bench")]

use criterion::{BenchmarkId, Criterion, Throughput};
use isotherm::wire::tls::{self, Records, Trust};
use isotherm::wire::websocket::{Message, Receiver};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::cell::Cell;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A read brings at most this much.
const BURST: usize = 64 << 10;

struct Size {
    /// Passes of each contender.
    passes: u32,
    /// Bytes of a pass.
    bytes: usize,
    criterion: bool,
}

impl Size {
    fn asked() -> Self {
        let tiny = std::env::var("ISOTHERM_BENCH").is_ok_and(|size| size == "tiny");
        let has = |word: &str| std::env::args().any(|arg| arg == word);
        if tiny || has("--test") {
            return Self {
                passes: 3,
                bytes: 64 << 10,
                criterion: false,
            };
        }
        Self {
            passes: 400,
            bytes: 256 << 10,
            criterion: !has("--ratios"),
        }
    }
}

/// Text as a venue writes it, roughly: ASCII, mostly digits.
fn payload(len: usize) -> Vec<u8> {
    br#"{"p":"65114.30","q":"0.012"},"#.iter().copied().cycle().take(len).collect()
}

// ---- the socket ----

/// Bytes that can be read again and again; all contenders of a row have their own.
#[derive(Clone)]
struct Source {
    bytes: Rc<[u8]>,
    at: Rc<Cell<usize>>,
    /// A read ends at multiples of this.
    step: usize,
}

impl Source {
    fn give(&self, room: usize) -> &[u8] {
        let at = self.at.get();
        let border = (at / self.step + 1) * self.step;
        let end = border.min(at + room).min(at + BURST).min(self.bytes.len());
        self.at.set(end);
        &self.bytes[at..end]
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let given = self.give(into.len());
        into[..given.len()].copy_from_slice(given);
        Ok(given.len())
    }
}

impl Write for Source {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        Ok(from.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Source {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        into.put_slice(self.give(into.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Source {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(from.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

// ---- contenders ----

/// One way to read what a pass prepares; gives bytes of text.
trait Contender {
    /// Outside the timing.
    fn prepare(&mut self);
    fn run(&mut self) -> usize;
}

/// A row of the table: what is read, and by whom; ours is the first.
struct Row {
    name: String,
    /// Messages or records of a pass, and bytes of text in all of them.
    count: usize,
    bytes: usize,
    contenders: Vec<(&'static str, Box<dyn Contender>)>,
}

impl Row {
    fn pass(&mut self, contender: usize) -> Duration {
        let (name, contender) = &mut self.contenders[contender];
        contender.prepare();
        let from = Instant::now();
        let bytes = contender.run();
        let took = from.elapsed();
        assert_eq!(bytes, self.bytes, "{name} reads all of {}", self.name);
        took
    }

    fn print(&mut self, passes: u32) {
        let mut best = vec![Duration::MAX; self.contenders.len()];
        for _ in 0..passes {
            for (contender, best) in best.iter_mut().enumerate() {
                *best = self.pass(contender).min(*best);
            }
        }
        let ns = |took: Duration| took.as_nanos() as f64 / self.count as f64;
        let ours = ns(best[0]);
        let mut line = format!("ratio {:<28} isotherm {ours:>8.1} ns", self.name);
        for ((name, _), best) in self.contenders.iter().zip(&best).skip(1) {
            line += &format!("  {name} {:>8.1} = {:>4.1}x", ns(*best), ns(*best) / ours);
        }
        println!("{line}");
    }
}

struct Ours(Source, Receiver, usize);

impl Contender for Ours {
    fn prepare(&mut self) {
        self.0.at.set(0);
    }
    fn run(&mut self) -> usize {
        let Self(source, receiver, count) = self;
        let (mut bytes, mut seen) = (0, 0);
        while seen < *count {
            match receiver.message().unwrap() {
                Some(Message::Text(frame) | Message::Binary(frame)) => {
                    bytes += black_box(frame.bytes()).len();
                    seen += 1;
                }
                Some(_) => {}
                None => {
                    let read = source.read(receiver.space()).unwrap();
                    receiver.filled(read);
                }
            }
        }
        bytes
    }
}

struct Tungstenite(tungstenite::WebSocket<Source>, usize);

impl Contender for Tungstenite {
    fn prepare(&mut self) {
        self.0.get_mut().at.set(0);
    }
    fn run(&mut self) -> usize {
        let read = |_| black_box(self.0.read().unwrap()).len();
        (0..self.1).map(read).sum()
    }
}

struct Fast(fastwebsockets::WebSocket<Source>, Rc<Cell<usize>>, usize);

impl Contender for Fast {
    fn prepare(&mut self) {
        self.1.set(0);
    }
    fn run(&mut self) -> usize {
        // Nothing ever waits, so one poll is the whole of a read.
        let mut context = Context::from_waker(Waker::noop());
        let mut bytes = 0;
        for _ in 0..self.2 {
            let Poll::Ready(frame) = pin!(self.0.read_frame()).poll(&mut context) else {
                break;
            };
            bytes += black_box(frame.unwrap()).payload.len();
        }
        bytes
    }
}

fn frames(size: &Size, name: &str, opcode: u8, len: usize, burst: bool) -> Row {
    let payload = payload(len);
    let count = (size.bytes / len).max(1);
    let mut wire = Vec::new();
    for _ in 0..count {
        wire.extend([0x80 | opcode, 126]);
        wire.extend(u16::try_from(len).unwrap().to_be_bytes());
        wire.extend(&payload);
    }
    let bytes: Rc<[u8]> = wire.into();
    let source = || Source {
        bytes: Rc::clone(&bytes),
        at: Rc::default(),
        step: if burst { usize::MAX >> 1 } else { len + 4 },
    };
    let role = tungstenite::protocol::Role::Client;
    let library = tungstenite::WebSocket::from_raw_socket(source(), role, None);
    let fast = source();
    let at = Rc::clone(&fast.at);
    let fast = fastwebsockets::WebSocket::after_handshake(fast, fastwebsockets::Role::Client);
    let kind = if opcode == 1 { "text" } else { "binary" };
    let pace = if burst { "burst" } else { "one" };
    Row {
        name: format!("{name}/{len}B/{kind}/{pace}"),
        count,
        bytes: count * len,
        contenders: vec![
            (
                "isotherm",
                Box::new(Ours(source(), Receiver::new(1 << 20), count)),
            ),
            ("tungstenite", Box::new(Tungstenite(library, count))),
            ("fastwebsockets", Box::new(Fast(fast, at, count))),
        ],
    }
}

// ---- TLS ----

/// A server in memory, and what it has sealed.
struct Peer {
    server: ServerConnection,
    sealed: Vec<u8>,
    read: usize,
    text: Vec<u8>,
    count: usize,
}

impl Peer {
    fn new(config: &Arc<ServerConfig>, len: usize, count: usize) -> Self {
        let mut server = ServerConnection::new(Arc::clone(config)).unwrap();
        server.set_buffer_limit(None);
        Self {
            server,
            sealed: Vec::new(),
            read: 0,
            text: payload(len),
            count,
        }
    }
    fn listen(&mut self) {
        while self.server.wants_write() {
            self.server.write_tls(&mut self.sealed).unwrap();
        }
    }
    fn seal(&mut self) {
        self.sealed.clear();
        self.read = 0;
        for _ in 0..self.count {
            self.server.writer().write_all(&self.text).unwrap();
        }
        self.listen();
    }
}

impl Read for Peer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = into.len().min(self.sealed.len() - self.read).min(BURST);
        into[..bytes].copy_from_slice(&self.sealed[self.read..self.read + bytes]);
        self.read += bytes;
        Ok(bytes)
    }
}

impl Write for Peer {
    fn write(&mut self, mut from: &[u8]) -> io::Result<usize> {
        let bytes = from.len();
        while !from.is_empty() {
            self.server.read_tls(&mut from)?;
            self.server
                .process_new_packets()
                .map_err(io::Error::other)?;
        }
        self.listen();
        Ok(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct OurRecords(Peer, Records, Vec<u8>);

impl Contender for OurRecords {
    fn prepare(&mut self) {
        self.0.seal();
    }
    fn run(&mut self) -> usize {
        let Self(peer, records, room) = self;
        let mut bytes = 0;
        loop {
            match records.take(room).unwrap() {
                0 => match peer.read(records.space()).unwrap() {
                    0 => return bytes,
                    read => records.filled(read),
                },
                given => bytes += black_box(&room[..given]).len(),
            }
        }
    }
}

struct Rustls(Peer, ClientConnection, Vec<u8>);

impl Contender for Rustls {
    fn prepare(&mut self) {
        self.0.seal();
    }
    fn run(&mut self) -> usize {
        let Self(peer, client, room) = self;
        let mut bytes = 0;
        while client.read_tls(peer).unwrap() > 0 {
            client.process_new_packets().unwrap();
            while let Ok(given @ 1..) = client.reader().read(room) {
                bytes += black_box(&room[..given]).len();
            }
        }
        bytes
    }
}

/// Certificates of this run.
struct House {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    trust: Trust,
}

impl House {
    fn new() -> Self {
        let room = tempfile::tempdir().unwrap();
        let (cert, key) = (room.path().join("cert.pem"), room.path().join("key.pem"));
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let config = ClientConfig::builder_with_provider(provider.into());
        let config = config.with_safe_default_protocol_versions().unwrap();
        Self {
            server: tls::server(&cert, &key).unwrap(),
            client: Arc::new(config.with_root_certificates(roots).with_no_client_auth()),
            trust: Trust::new(&[cert]).unwrap(),
        }
    }

    fn row(&self, size: &Size, len: usize) -> Row {
        let count = (size.bytes / len).max(1);
        let mut ours = Peer::new(&self.server, len, count);
        let records = tls::shake(&mut ours, "localhost", &self.trust).unwrap();
        let mut theirs = Peer::new(&self.server, len, count);
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        while client.is_handshaking() || client.wants_write() {
            client.complete_io(&mut theirs).unwrap();
        }
        let cipher = client.negotiated_cipher_suite().unwrap().suite();
        Row {
            name: format!("{cipher:?}/{len}B").replace("TLS13_", "tls/"),
            count,
            bytes: count * len,
            contenders: vec![
                (
                    "isotherm",
                    Box::new(OurRecords(ours, records, vec![0; BURST])),
                ),
                ("rustls", Box::new(Rustls(theirs, client, vec![0; BURST]))),
            ],
        }
    }
}

fn main() {
    let size = Size::asked();
    let mut rows = Vec::new();
    for (name, len) in [("trade", 200), ("book", 2_000), ("book", 10_000)] {
        for opcode in [1, 2] {
            for burst in [false, true] {
                rows.push(frames(&size, name, opcode, len, burst));
            }
        }
    }
    let house = House::new();
    for len in [200, 2_000, 10_000, 16_384] {
        rows.push(house.row(&size, len));
    }
    if size.criterion {
        let mut criterion = Criterion::default()
            .warm_up_time(Duration::from_millis(100))
            .measurement_time(Duration::from_millis(300))
            .sample_size(10)
            .configure_from_args();
        for row in &mut rows {
            let mut group = criterion.benchmark_group(format!("wire/{}", row.name));
            group.throughput(Throughput::Bytes((row.bytes / row.count) as u64));
            for contender in 0..row.contenders.len() {
                let name = row.contenders[contender].0;
                group.bench_function(BenchmarkId::from_parameter(name), |b| {
                    b.iter_custom(|times| {
                        // The answer is the time of `times` messages; a pass is many.
                        let passes = times.div_ceil(row.count as u64);
                        let total: Duration = (0..passes).map(|_| row.pass(contender)).sum();
                        total.mul_f64(times as f64 / (passes * row.count as u64) as f64)
                    });
                });
            }
            group.finish();
        }
        criterion.final_summary();
    }
    println!("\nratios of minima, in turns (ns a message or record; how many times ours)");
    for row in &mut rows {
        row.print(size.passes);
    }
}
