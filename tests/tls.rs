//! TLS from the outside: who is believed, what every border of a record does, and that after the handshake neither
//! reading nor writing asks for memory.
//!
//! The other side is the rustls library's server: in memory, where a test cuts its bytes as it likes, or behind a real
//! socket. Certificates are made for each run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    unsafe_code,
    reason = "a global allocator is unsafe by its nature; a test stops where it fails"
)]

use isotherm::wire::https;
use isotherm::wire::socket::{Attempt, Moved, SocketFault, Stream, Target, connect};
use isotherm::wire::tls::{self, Ended, Records, TlsFault, Trust};
use isotherm::wire::websocket::{self, Message};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CipherSuite, ServerConfig, ServerConnection, StreamOwned};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

// ---- the allocator ----

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
    static TOUCHED: Cell<u64> = const { Cell::new(0) };
}

fn touch() {
    if ARMED.get() {
        TOUCHED.set(TOUCHED.get() + 1);
    }
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touch();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        touch();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        touch();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        touch();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Calls to the allocator on this thread while `body` ran.
fn counted<T>(body: impl FnOnce() -> T) -> (T, u64) {
    TOUCHED.set(0);
    ARMED.set(true);
    let out = body();
    ARMED.set(false);
    (out, TOUCHED.get())
}

// ---- certificates ----

/// An authority, and what it has signed, as files.
struct House {
    room: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
struct Leaf {
    cert: PathBuf,
    key: PathBuf,
}

impl House {
    fn new() -> Self {
        let room = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two of one name would be told apart by their signatures only.
        let name = room.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        let cert = params.self_signed(&key).unwrap();
        std::fs::write(room.path().join("ca.pem"), cert.pem()).unwrap();
        Self {
            room,
            issuer: Issuer::new(params, key),
        }
    }

    fn trust(&self) -> Trust {
        Trust::new(&[self.room.path().join("ca.pem")]).unwrap()
    }

    fn leaf(&self, names: &[&str], years: (i32, i32)) -> Leaf {
        let names: Vec<String> = names.iter().map(|n| (*n).to_string()).collect();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let number = std::fs::read_dir(self.room.path()).unwrap().count();
        let leaf = Leaf {
            cert: self.room.path().join(format!("{number}.pem")),
            key: self.room.path().join(format!("{number}.key.pem")),
        };
        std::fs::write(&leaf.cert, cert.pem()).unwrap();
        std::fs::write(&leaf.key, key.serialize_pem()).unwrap();
        leaf
    }

    fn good(&self) -> Leaf {
        self.leaf(&["localhost", "127.0.0.1"], (2020, 2100))
    }
}

impl Leaf {
    fn server(&self) -> Arc<ServerConfig> {
        tls::server(&self.cert, &self.key).unwrap()
    }

    /// A server that speaks one cipher only, and in `fragments` if any.
    fn narrow(&self, suite: CipherSuite, fragments: Option<usize>) -> Arc<ServerConfig> {
        let mut provider = ring::default_provider();
        provider.cipher_suites.retain(|s| s.suite() == suite);
        let version = provider.cipher_suites[0].version();
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&self.cert).unwrap().collect();
        let key = PrivateKeyDer::from_pem_file(&self.key).unwrap();
        let config = ServerConfig::builder_with_provider(provider.into());
        let config = config.with_protocol_versions(&[version]).unwrap();
        let mut config = config
            .with_no_client_auth()
            .with_single_cert(chain.unwrap(), key)
            .unwrap();
        config.max_fragment_size = fragments;
        config.send_tls13_tickets = 3;
        Arc::new(config)
    }
}

const SUITES: [CipherSuite; 6] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

fn is_13(suite: CipherSuite) -> bool {
    SUITES[..3].contains(&suite)
}

// ---- a server in memory ----

/// The other side: what the client writes it reads at once, what it says waits in `said`.
struct Peer {
    server: ServerConnection,
    said: Vec<u8>,
}

impl Peer {
    fn new(config: Arc<ServerConfig>) -> Self {
        let mut server = ServerConnection::new(config).unwrap();
        server.set_buffer_limit(None);
        Self {
            server,
            said: Vec::new(),
        }
    }

    /// Both sides behind the handshake; what the server has said meanwhile waits.
    fn pair(config: Arc<ServerConfig>, trust: &Trust) -> (Self, Records) {
        let mut peer = Self::new(config);
        let records = tls::shake(&mut peer, "localhost", trust).unwrap();
        (peer, records)
    }

    fn listen(&mut self) {
        while self.server.wants_write() {
            self.server.write_tls(&mut self.said).unwrap();
        }
    }

    /// Says these bytes, one record each (or more, where a record is too short).
    fn say(&mut self, text: &[u8]) {
        self.server.writer().write_all(text).unwrap();
        self.listen();
    }

    /// What the client has sealed, read.
    fn hear(&mut self, records: &mut Records) -> Vec<u8> {
        let sealed = records.pending().to_vec();
        records.sent(sealed.len());
        self.write_all(&sealed).unwrap();
        let mut text = Vec::new();
        match self.server.reader().read_to_end(&mut text) {
            Err(fault) if fault.kind() != io::ErrorKind::WouldBlock => panic!("{fault}"),
            _ => text,
        }
    }
}

impl Read for Peer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = into.len().min(self.said.len());
        into[..bytes].copy_from_slice(&self.said[..bytes]);
        self.said.drain(..bytes);
        Ok(bytes)
    }
}

impl Write for Peer {
    fn write(&mut self, mut from: &[u8]) -> io::Result<usize> {
        let bytes = from.len();
        while !from.is_empty() {
            self.server.read_tls(&mut from)?;
            let read = self.server.process_new_packets();
            self.listen();
            read.map_err(io::Error::other)?;
        }
        Ok(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hands `sealed` over in these chunks and takes what comes out, in pieces of at most `piece`.
fn open(
    records: &mut Records,
    sealed: &[u8],
    chunks: &[usize],
    piece: usize,
) -> (Vec<u8>, Option<Ended>) {
    let (mut text, mut room) = (Vec::new(), vec![0; piece]);
    let (mut at, mut turn) = (0, 0);
    loop {
        loop {
            match records.take(&mut room) {
                Ok(0) => break,
                Ok(bytes) => text.extend(&room[..bytes]),
                Err(why) => return (text, Some(why)),
            }
        }
        if at == sealed.len() {
            return (text, None);
        }
        let space = records.space();
        assert!(!space.is_empty());
        let bytes = chunks[turn % chunks.len()]
            .min(sealed.len() - at)
            .min(space.len());
        space[..bytes].copy_from_slice(&sealed[at..at + bytes]);
        records.filled(bytes);
        at += bytes;
        turn += 1;
    }
}

/// Text that repeats nowhere near.
fn text(len: usize, seed: u32) -> Vec<u8> {
    let mut x = seed | 1;
    let next = |_| {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        x as u8
    };
    (0..len).map(next).collect()
}

// ---- records ----

#[test]
fn text_comes_out_equal_in_every_cipher_however_it_is_cut() {
    let house = House::new();
    let (leaf, trust) = (house.good(), house.trust());
    for suite in SUITES {
        for fragments in [None, Some(64), Some(1000)] {
            let chunkings: [&[usize]; 5] = [&[1], &[5, 1, 16], &[1399], &[16_384, 3], &[1 << 20]];
            for (turn, chunks) in chunkings.into_iter().enumerate() {
                let (mut peer, mut records) = Peer::pair(leaf.narrow(suite, fragments), &trust);
                let mut want = Vec::new();
                for len in [1, 200, 16_383, 16_384, 16_385, 40_000, 3] {
                    let text = text(len, len as u32);
                    peer.say(&text);
                    want.extend(text);
                }
                let sealed = core::mem::take(&mut peer.said);
                let piece = [1 << 16, 7, 16_384, 1 << 20, 1000][turn];
                let (got, ended) = open(&mut records, &sealed, chunks, piece);
                assert_eq!(ended, None, "{suite:?} {fragments:?} {chunks:?}");
                assert!(got == want, "{suite:?} {fragments:?} {chunks:?}");
                // And back.
                for len in [1, 5000, 16_384, 40_000] {
                    let text = text(len, 9);
                    let mut heard = Vec::new();
                    while heard.len() < text.len() {
                        let put = records.put(&text[heard.len()..]).unwrap();
                        assert_eq!(records.put(b"more").unwrap(), 0, "something waits");
                        let all = peer.hear(&mut records);
                        assert_eq!(all.len(), put);
                        heard.extend(all);
                    }
                    assert!(heard == text, "{suite:?}");
                }
            }
        }
    }
}

#[test]
fn what_comes_with_the_handshake_is_not_lost() {
    let house = House::new();
    let (leaf, trust) = (house.good(), house.trust());
    /// Says something as soon as it may, so that it arrives with the end of the handshake.
    struct Hasty(Peer, bool);
    impl Read for Hasty {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(into)
        }
    }
    impl Write for Hasty {
        fn write(&mut self, from: &[u8]) -> io::Result<usize> {
            let written = self.0.write(from);
            if !self.0.server.is_handshaking() && !self.1 {
                self.1 = true;
                self.0.say(b"early");
                self.0.say(&[b'!'; 20_000]);
            }
            written
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for suite in SUITES {
        let mut hasty = Hasty(Peer::new(leaf.narrow(suite, None)), false);
        let mut records = tls::shake(&mut hasty, "localhost", &trust).unwrap();
        let mut peer = hasty.0;
        let sealed = core::mem::take(&mut peer.said);
        let (got, ended) = open(&mut records, &sealed, &[100], 1 << 16);
        assert_eq!(ended, None);
        assert!(
            got.starts_with(b"early!!!") && got.len() == 20_005,
            "{suite:?}: {}",
            got.len()
        );
        records.put(b"back").unwrap();
        assert_eq!(peer.hear(&mut records), b"back");
    }
}

#[test]
fn keys_change_in_both_directions_and_at_any_border() {
    let house = House::new();
    let (leaf, trust) = (house.good(), house.trust());
    for suite in SUITES {
        let (mut peer, mut records) = Peer::pair(leaf.narrow(suite, None), &trust);
        if !is_13(suite) {
            assert!(peer.server.refresh_traffic_keys().is_err());
            continue;
        }
        for round in 0..20u32 {
            peer.say(&text(300, round));
            peer.server.refresh_traffic_keys().unwrap();
            peer.listen();
            peer.say(&text(17_000, round));
            let sealed = core::mem::take(&mut peer.said);
            let chunk = 1 + 97 * round as usize;
            let (got, ended) = open(&mut records, &sealed, &[chunk], 1 << 15);
            assert_eq!(ended, None, "round {round}");
            assert!(
                got == [text(300, round), text(17_000, round)].concat(),
                "round {round}"
            );
            // The answer waits, and what we say goes behind it, under our new key.
            assert!(!records.pending().is_empty());
            assert!(peer.hear(&mut records).is_empty());
            assert_eq!(records.put(b"mine").unwrap(), 4);
            assert_eq!(peer.hear(&mut records), b"mine");
        }
    }
}

#[test]
fn a_peer_that_sends_only_key_updates_is_broken() {
    let house = House::new();
    let (mut peer, mut records) = Peer::pair(house.good().server(), &house.trust());
    for _ in 0..60 {
        // The answers are never written: they may not fill our room either.
        peer.server.refresh_traffic_keys().unwrap();
        peer.listen();
    }
    let sealed = core::mem::take(&mut peer.said);
    assert_eq!(
        open(&mut records, &sealed, &[1 << 20], 100),
        (Vec::new(), Some(Ended::Broken))
    );
    assert!(records.pending().len() < 2048);
}

#[test]
fn a_goodbye_comes_after_what_was_said_and_stays() {
    let house = House::new();
    let (leaf, trust) = (house.good(), house.trust());
    for suite in SUITES {
        let (mut peer, mut records) = Peer::pair(leaf.narrow(suite, None), &trust);
        peer.say(b"last words");
        peer.server.send_close_notify();
        peer.listen();
        // Bytes behind it are nobody's.
        peer.said.extend(b"HTTP/1.1 500");
        let sealed = core::mem::take(&mut peer.said);
        let got = open(&mut records, &sealed, &[1 << 20], 100);
        assert_eq!(got, (b"last words".to_vec(), Some(Ended::Closed)));
        assert_eq!(records.take(&mut [0; 8]), Err(Ended::Closed));
        assert_eq!(records.put(b"x"), Err(Ended::Closed));
        assert_eq!(records.ended(), Some(Ended::Closed));
        // Ours is understood as well.
        let (mut peer, mut records) = Peer::pair(leaf.narrow(suite, None), &trust);
        records.put(b"bye").unwrap();
        records.close();
        let sealed = records.pending().to_vec();
        peer.write_all(&sealed).unwrap();
        let mut heard = Vec::new();
        peer.server.reader().read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"bye");
    }
}

#[test]
fn bytes_changed_on_the_way_give_no_text_and_no_panic() {
    let house = House::new();
    let (leaf, trust) = (house.good(), house.trust());
    for suite in [SUITES[0], SUITES[3]] {
        let config = leaf.narrow(suite, None);
        let (mut peer, mut first) = Peer::pair(Arc::clone(&config), &trust);
        let tickets = core::mem::take(&mut peer.said);
        open(&mut first, &tickets, &[1 << 20], 100);
        peer.say(b"a text of some bytes");
        let size = peer.said.len();
        for at in 0..size {
            let (mut peer, mut records) = Peer::pair(Arc::clone(&config), &trust);
            let tickets = core::mem::take(&mut peer.said);
            open(&mut records, &tickets, &[1 << 20], 100);
            peer.say(b"a text of some bytes");
            let mut sealed = core::mem::take(&mut peer.said);
            sealed[at] ^= 1 << (at % 8);
            sealed.extend([0; 40]);
            let (got, ended) = open(&mut records, &sealed, &[1 << 20], 100);
            // A length that has grown waits for bytes; all else is over.
            let waits = ended.is_none() && (3..5).contains(&at);
            assert!(
                got.is_empty() && (waits || ended.is_some()),
                "{suite:?} byte {at}: {ended:?}"
            );
        }
        // Another protocol in the middle.
        let (mut peer, mut records) = Peer::pair(config, &trust);
        peer.said.extend(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let sealed = core::mem::take(&mut peer.said);
        assert_eq!(
            open(&mut records, &sealed, &[7], 100),
            (Vec::new(), Some(Ended::Broken))
        );
    }
}

#[test]
fn random_records_never_panic() {
    let house = House::new();
    let (leaf, trust) = (house.good(), house.trust());
    for round in 0..200u32 {
        let suite = SUITES[round as usize % SUITES.len()];
        let (_, mut records) = Peer::pair(leaf.narrow(suite, None), &trust);
        let mut wild = text(200 + round as usize * 37, round + 1);
        // Half of them begin like a record.
        if round % 2 == 0 {
            wild[..5].copy_from_slice(&[20 + (round % 4) as u8, 3, 3, 0, (round % 200) as u8]);
        }
        let (got, ended) = open(&mut records, &wild, &[1 + round as usize % 50], 64);
        assert!(got.is_empty());
        assert!(ended.is_some(), "round {round}");
    }
}

// ---- memory ----

#[test]
fn records_ask_for_no_memory() {
    let house = House::new();
    let (leaf, trust) = (house.good(), house.trust());
    for suite in SUITES {
        // The tickets of 1.3 are among what is read: they lie in front.
        let (mut peer, mut records) = Peer::pair(leaf.narrow(suite, None), &trust);
        assert_eq!(is_13(suite), !peer.said.is_empty());
        let mut sealed = core::mem::take(&mut peer.said);
        let mut bytes = 0;
        for round in 0..3000 {
            let len = if round % 10 == 0 {
                16_384
            } else {
                1 + round % 700
            };
            peer.say(&vec![b'x'; len]);
            bytes += len;
            sealed.append(&mut peer.said);
        }
        let mut room = vec![0; 1 << 16];
        let ping = [b'p'; 120];
        let (got, touched) = counted(|| {
            let (mut got, mut at, mut turn) = (0, 0, 0);
            while at < sealed.len() {
                let space = records.space();
                let chunk = [1, 4, 1448, 16_406, 300, 1 << 16][turn % 6];
                let n = chunk.min(sealed.len() - at).min(space.len());
                space[..n].copy_from_slice(&sealed[at..at + n]);
                records.filled(n);
                at += n;
                turn += 1;
                while let Ok(n @ 1..) = records.take(&mut room) {
                    got += n;
                }
                records.put(&ping).unwrap();
                records.sent(usize::MAX >> 1);
            }
            got
        });
        assert_eq!(got, bytes);
        assert_eq!(touched, 0, "{suite:?}");
    }
}

#[test]
fn a_stream_asks_for_no_memory_with_tls_or_without() {
    let house = House::new();
    let echo = |mut stream: Box<dyn Duplex>| {
        let mut room = vec![0; 1 << 16];
        while let Ok(n @ 1..) = stream.read(&mut room) {
            stream.write_all(&room[..n]).unwrap();
        }
    };
    for secure in [false, true] {
        let (mut url, thread) = serve(house.good().server(), move |stream| {
            if secure {
                let stream = tungstenite::accept(stream).unwrap().into_inner();
                echo(Box::new(stream));
            } else {
                let socket = stream.sock.try_clone().unwrap();
                echo(Box::new(tungstenite::accept(socket).unwrap().into_inner()));
            }
        });
        if !secure {
            url = url.replace("wss://", "ws://");
        }
        let (mut stream, _) = connect(&Target::new(url), &house.trust(), SOON).unwrap();
        let (said, mut room) = (text(3000, 1), vec![0; 1 << 16]);
        let until = Instant::now() + SOON;
        let ((), touched) = counted(|| {
            for round in 0..1000 {
                let said = &said[..1 + round * 3 % 3000];
                let (mut put, mut heard) = (0, 0);
                while heard < said.len() {
                    if let Moved::Bytes(n) = stream.write(&said[put..]) {
                        put += n;
                    }
                    match stream.read(&mut room) {
                        Moved::Bytes(n) => heard += n,
                        Moved::Nothing => assert!(Instant::now() < until),
                        Moved::Gone => panic!("gone"),
                    }
                }
            }
        });
        assert_eq!(touched, 0, "secure: {secure}");
        drop(stream);
        thread.join().unwrap();
    }
}

/// Bytes both ways.
trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

#[test]
fn a_key_update_asks_for_memory_a_few_times() {
    let house = House::new();
    let (mut peer, mut records) = Peer::pair(house.good().narrow(SUITES[1], None), &house.trust());
    let tickets = core::mem::take(&mut peer.said);
    open(&mut records, &tickets, &[1 << 20], 100);
    peer.server.refresh_traffic_keys().unwrap();
    peer.say(b"x");
    let sealed = core::mem::take(&mut peer.said);
    records.space()[..sealed.len()].copy_from_slice(&sealed);
    records.filled(sealed.len());
    let (got, touched) = counted(|| records.take(&mut [0; 8]));
    assert_eq!(got, Ok(1));
    eprintln!("a key update and its answer: {touched} calls to the allocator");
    assert!(touched <= 40, "{touched}");
}

// ---- whole connections ----

/// A server that answers connections one after the other; `serve` gets what TLS gives.
fn serve<T: Send + 'static>(
    config: Arc<ServerConfig>,
    serve: impl FnOnce(StreamOwned<ServerConnection, TcpStream>) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "wss://localhost:{}/ws",
        listener.local_addr().unwrap().port()
    );
    let thread = std::thread::spawn(move || {
        let socket = listener.accept().unwrap().0;
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket.set_nodelay(true).unwrap();
        serve(StreamOwned::new(
            ServerConnection::new(config).unwrap(),
            socket,
        ))
    });
    (url, thread)
}

fn read_some(stream: &mut Stream, into: &mut [u8]) -> Moved {
    let until = Instant::now() + SOON;
    loop {
        match stream.read(into) {
            Moved::Nothing => assert!(Instant::now() < until, "nothing came"),
            other => return other,
        }
        std::thread::yield_now();
    }
}

#[test]
fn websockets_run_over_tls() {
    let house = House::new();
    let leaf = house.good();
    let configs = [
        leaf.server(),
        leaf.narrow(SUITES[0], None),
        leaf.narrow(SUITES[3], Some(200)),
    ];
    for config in configs {
        let (url, thread) = serve(config, |stream| {
            let mut socket = tungstenite::accept(stream).unwrap();
            let server = &socket.get_ref().conn;
            let met = (
                server.server_name().map(str::to_owned),
                server.alpn_protocol().map(<[u8]>::to_vec),
            );
            for n in 0..100 {
                socket
                    .send(tungstenite::Message::text("x".repeat(n * 301)))
                    .unwrap();
            }
            assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), "back");
            let mut stream = socket.into_inner();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
            assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
            met
        });
        let mut attempt = Attempt::start(Target::new(url), &house.trust(), SOON);
        let (mut stream, early) = loop {
            match attempt.poll() {
                Some(answer) => break answer.unwrap(),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let mut receiver = websocket::Receiver::new(1 << 20);
        let mut sender = websocket::Sender::new(1024);
        receiver.restart(&early).unwrap();
        let mut next = 0;
        while next < 100 {
            match receiver.message().unwrap() {
                Some(Message::Text(frame)) => {
                    assert_eq!(frame.len(), next * 301);
                    next += 1;
                }
                Some(other) => panic!("{other:?}"),
                None => match read_some(&mut stream, receiver.space()) {
                    Moved::Bytes(bytes) => receiver.filled(bytes),
                    other => panic!("{other:?}"),
                },
            }
        }
        sender.text(b"back", &mut 7).unwrap();
        assert_eq!(
            stream.write(sender.pending()),
            Moved::Bytes(sender.pending().len())
        );
        while read_some(&mut stream, receiver.space()) != Moved::Gone {}
        assert_eq!(stream.why(), "closed by the other side (TLS)");
        drop(stream);
        let (name, inside) = thread.join().unwrap();
        assert_eq!(name.as_deref(), Some("localhost"));
        assert!(inside.is_none_or(|inside| inside == b"http/1.1"));
    }
}

#[test]
fn a_full_socket_loses_nothing_and_a_dropped_stream_says_goodbye() {
    let house = House::new();
    let all = text(8 << 20, 5);
    let want = all.clone();
    let (url, thread) = serve(house.good().server(), move |stream| {
        let mut stream = tungstenite::accept(stream).unwrap();
        let stream = stream.get_mut();
        // The client has long filled the sockets between us.
        std::thread::sleep(Duration::from_millis(100));
        let mut heard = vec![0; want.len()];
        stream.read_exact(&mut heard).unwrap();
        assert!(heard == want);
        stream.write_all(b"ok").unwrap();
        // An end without a goodbye would be an error here.
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    });
    let (mut stream, _) = connect(&Target::new(url), &house.trust(), SOON).unwrap();
    let (mut at, mut full, mut room) = (0, 0, [0; 8]);
    let until = Instant::now() + SOON;
    while at < all.len() {
        match stream.write(&all[at..]) {
            Moved::Bytes(bytes) => at += bytes,
            Moved::Nothing => full += 1,
            Moved::Gone => panic!("{}", stream.why()),
        }
        assert!(Instant::now() < until);
    }
    assert!(full > 0);
    // What is sealed and waits is written by reading.
    assert_eq!(read_some(&mut stream, &mut room), Moved::Bytes(2));
    drop(stream);
    thread.join().unwrap();
}

#[test]
fn a_connection_that_breaks_is_gone() {
    let house = House::new();
    // Without a goodbye.
    let (url, thread) = serve(house.good().server(), |stream| {
        drop(tungstenite::accept(stream).unwrap().into_inner().sock);
    });
    let (mut stream, _) = connect(&Target::new(url), &house.trust(), SOON).unwrap();
    assert_eq!(read_some(&mut stream, &mut [0; 8]), Moved::Gone);
    assert_eq!(stream.why(), "closed by the other side");
    thread.join().unwrap();
    // With bytes that are no TLS.
    let (url, thread) = serve(house.good().server(), |stream| {
        let mut socket = tungstenite::accept(stream).unwrap().into_inner().sock;
        socket
            .write_all(&[&[23, 3, 3, 0, 64], &[b'?'; 64][..]].concat())
            .unwrap();
        while socket.read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
    });
    let (mut stream, _) = connect(&Target::new(url), &house.trust(), SOON).unwrap();
    assert_eq!(read_some(&mut stream, &mut [0; 8]), Moved::Gone);
    assert_eq!(stream.why(), "a TLS record is spoiled");
    assert_eq!(stream.write(b"x"), Moved::Gone);
    drop(stream);
    thread.join().unwrap();
}

/// Answers the requests of one connection with 200 and this text.
fn answer(mut stream: StreamOwned<ServerConnection, TcpStream>, text: &str) -> Vec<String> {
    let mut asked = Vec::new();
    let mut request = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte) {
        request.push(byte[0]);
        if request.ends_with(b"\r\n\r\n") {
            let head = String::from_utf8(core::mem::take(&mut request)).unwrap();
            asked.push(head.lines().next().unwrap().to_string());
            let size = text.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{text}");
            stream.write_all(answer.as_bytes()).unwrap();
            stream.flush().unwrap();
        }
    }
    asked
}

#[test]
fn rest_calls_go_over_tls_with_the_same_trust() {
    let house = House::new();
    let text = "[1,2,3]".repeat(40_000);
    let want = text.clone();
    let (url, thread) = serve(house.good().server(), move |stream| answer(stream, &text));
    let url = url.replace("wss://", "https://");
    let config = || {
        ureq::Agent::config_builder()
            .timeout_global(Some(SOON))
            .build()
    };
    let agent = https::agent(config(), &house.trust());
    for path in ["/a?b=1", "/c"] {
        let url = url.replace("/ws", path);
        let body = agent
            .get(&url)
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap();
        assert!(body == want);
    }
    // The connection is used again, and ends with its agent.
    drop(agent);
    assert_eq!(
        thread.join().unwrap(),
        ["GET /a?b=1 HTTP/1.1", "GET /c HTTP/1.1"]
    );
    // A stranger is not believed, and says why.
    let (url, thread) = serve(House::new().good().server(), |stream| answer(stream, ""));
    let url = url.replace("wss://", "https://");
    let fault = https::agent(config(), &house.trust())
        .get(&url)
        .call()
        .unwrap_err();
    assert!(fault.to_string().contains("UnknownIssuer"), "{fault}");
    assert!(thread.join().unwrap().is_empty());
    // Without TLS as before.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut socket = listener.accept().unwrap().0;
        let _ = socket.read(&mut [0; 4096]).unwrap();
        socket.write_all(b"HTTP/1.1 204 Fine\r\n\r\n").unwrap();
    });
    let agent = https::agent(config(), &house.trust());
    assert_eq!(agent.get(&url).call().unwrap().status(), 204);
    thread.join().unwrap();
}

// ---- whom we believe ----

fn refused(config: Arc<ServerConfig>, trust: &Trust) -> TlsFault {
    let mut peer = Peer::new(config);
    tls::shake(&mut peer, "localhost", trust).unwrap_err()
}

#[test]
fn a_wrong_certificate_says_what_is_wrong() {
    let (house, other) = (House::new(), House::new());
    let (trust, years) = (house.trust(), (2020, 2100));
    let of = |leaf: Leaf| refused(leaf.server(), &trust);
    let expired = of(house.leaf(&["localhost"], (2000, 2001)));
    assert!(matches!(expired, TlsFault::Expired), "{expired}");
    let early = of(house.leaf(&["localhost"], (2099, 2100)));
    assert!(matches!(early, TlsFault::Early), "{early}");
    let name = of(house.leaf(&["remotehost"], years));
    assert!(matches!(name, TlsFault::WrongName), "{name}");
    let stranger = of(other.good());
    assert!(matches!(stranger, TlsFault::UnknownIssuer), "{stranger}");
    // The built-in roots do not know us either.
    let alone = refused(house.good().server(), &Trust::new(&[]).unwrap());
    assert!(matches!(alone, TlsFault::UnknownIssuer), "{alone}");
    // The server is told: its side fails with our alert.
    let mut peer = Peer::new(other.good().server());
    assert!(tls::shake(&mut peer, "localhost", &trust).is_err());
    let told = peer.server.process_new_packets().unwrap_err();
    assert!(matches!(told, rustls::Error::AlertReceived(_)), "{told}");
    // A name that is none, and an address in the certificate.
    let mut peer = Peer::new(house.good().server());
    assert!(matches!(
        tls::shake(&mut peer, "no name", &trust),
        Err(TlsFault::WrongName)
    ));
    let mut peer = Peer::new(house.good().server());
    assert!(tls::shake(&mut peer, "127.0.0.1", &trust).is_ok());
    assert!(peer.server.server_name().is_none());
}

#[test]
fn what_is_no_tls_says_so() {
    let trust = Trust::new(&[]).unwrap();
    let answering = |answer: &'static [u8]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("wss://{}/", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut socket = listener.accept().unwrap().0;
            let _ = socket.read(&mut [0; 4096]).unwrap();
            socket.write_all(answer).unwrap();
        });
        let fault = connect(&Target::new(url), &trust, SOON).unwrap_err();
        thread.join().unwrap();
        match fault {
            SocketFault::Tls { source, .. } => source,
            other => panic!("{other}"),
        }
    };
    let http = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(matches!(http, TlsFault::NotTls), "{http}");
    let silence = answering(b"");
    assert!(matches!(silence, TlsFault::Closed), "{silence}");
    let alert = answering(&[21, 3, 3, 0, 2, 2, 40]);
    assert!(matches!(alert, TlsFault::Refused(_)), "{alert}");
    assert!(alert.to_string().contains("HandshakeFailure"), "{alert}");
}

#[test]
fn files_that_hold_no_certificate_are_named() {
    let house = House::new();
    let leaf = house.good();
    let path = |name: &str| house.room.path().join(name);
    std::fs::write(path("empty.pem"), "nothing here\n").unwrap();
    std::fs::write(
        path("bad.pem"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    for name in ["empty.pem", "bad.pem", "missing.pem"] {
        let fault = Trust::new(&[path("ca.pem"), path(name)]).unwrap_err();
        assert_eq!(fault.path, path(name));
        assert!(fault.to_string().contains(name), "{fault}");
        assert!(tls::server(&path(name), &leaf.key).is_err());
        assert!(tls::server(&leaf.cert, &path(name)).is_err());
    }
    let other = house.good();
    assert!(
        tls::server(&leaf.cert, &other.key).is_err(),
        "a key of another certificate"
    );
}
