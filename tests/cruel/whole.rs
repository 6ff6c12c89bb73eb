//! The whole dial at once, and what must hold whatever it does.

use crate::peer::{Got, PATIENCE, Peer, TONGUES, Tongue, ask, ask_by, only, rows};
use isotherm::sim::{Dialect, Fault, Faults, Handle, Options, Topic, TopicKind};
use isotherm::time::Nanos;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A book as a careful reader holds it: levels by side, the last number, and whether it can be trusted.
#[derive(Default)]
struct Book {
    sides: [BTreeMap<String, String>; 2],
    number: Option<u64>,
    holes: u64,
}

impl Book {
    fn put(&mut self, rows: [Vec<(String, String)>; 2]) {
        for (side, rows) in self.sides.iter_mut().zip(rows) {
            for (price, size) in rows {
                if size.parse::<f64>().unwrap() == 0.0 {
                    side.remove(&price);
                } else {
                    side.insert(price, size);
                }
            }
        }
    }

    /// Takes a frame; false when the book has to be asked for again.
    fn take(&mut self, tongue: Tongue, v: &Value) -> bool {
        let Some(number) = tongue.number(v) else {
            return true;
        };
        match (number.before, self.number) {
            (None, _) => {
                self.sides = Default::default();
                self.put(tongue.levels(v));
                self.number = Some(number.this);
            }
            (Some(before), Some(last)) if before == last => {
                self.put(tongue.levels(v));
                self.number = Some(number.this);
            }
            // Told already, or between the request and the image.
            (Some(_), Some(last)) if number.this <= last => {}
            (Some(_), None) => {}
            (Some(_), Some(_)) => {
                self.holes += 1;
                self.number = None;
                return false;
            }
        }
        true
    }

    /// Binance: the image comes by REST, and the first frame behind it may overlap.
    fn take_image(&mut self, v: &Value) {
        self.sides = Default::default();
        self.put([rows(&v["bids"]), rows(&v["asks"])]);
        self.number = v["lastUpdateId"].as_u64();
    }

    fn ordered(&self, side: usize) -> Vec<(String, String)> {
        let mut rows: Vec<_> = self.sides[side].clone().into_iter().collect();
        let price = |row: &(String, String)| row.0.parse::<f64>().unwrap();
        rows.sort_by(|a, b| price(a).total_cmp(&price(b)));
        if side == 0 {
            rows.reverse();
        }
        rows
    }
}

/// What a client makes of it that reconnects when a connection ends or says nothing, and asks again when a book has
/// a hole.
struct Survivor {
    tongue: Tongue,
    book: Book,
    frames: u64,
    connections: u64,
}

impl Survivor {
    fn image(&mut self, handle: &Handle) {
        let path = format!("/fapi/v1/depth?symbol={}&limit=1000", self.tongue.names[0]);
        let answer = ask(&handle.rest_url(), "GET", &path, "");
        match serde_json::from_str::<Value>(&answer.body) {
            Ok(v) if answer.status == 200 && v["lastUpdateId"].is_u64() => self.book.take_image(&v),
            // No image this time: the next frame asks again.
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }

    /// Reads until it has seen enough, over as many connections as it takes; then on without faults, so that the last
    /// one can be noticed, and to the last frame of an exchange whose time stands.
    fn live(&mut self, handle: &Handle, silence: Duration) {
        let by_rest = self.tongue.dialect == Dialect::Binance;
        let (mut peer, mut calm, mut is_quiet) = (None, None, false);
        loop {
            if calm.is_none() && self.frames >= 1_000 && self.connections >= 4 {
                handle.turn(Faults::NONE);
                calm = Some(self.frames + 40);
            }
            if !is_quiet && calm.is_some_and(|enough| self.frames > enough) {
                is_quiet = handle.quiet(PATIENCE);
                assert!(is_quiet);
            }
            let open = peer.get_or_insert_with(|| {
                self.book.number = None;
                self.connections += 1;
                Peer::open(&self.tongue.url(handle)).map(|mut peer| {
                    peer.say(&self.tongue.book(self.tongue.names[0], true));
                    peer
                })
            });
            let Ok(open) = open else {
                peer = None;
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            match open.next_within(silence) {
                Got::Text(text) => {
                    self.frames += 1;
                    let Ok(v) = serde_json::from_slice::<Value>(&text) else {
                        continue;
                    };
                    if self.tongue.is_refusal(&v) {
                        peer = None;
                    } else if by_rest && self.book.number.is_none() {
                        self.image(handle);
                        self.overlap(&v);
                    } else if !self.book.take(self.tongue, &v) && !by_rest {
                        self.tongue.ask_again(self.tongue.names[0], open, handle);
                    }
                }
                Got::Control(_) => {}
                Got::Nothing if is_quiet && self.book.number.is_some() => return,
                _ => peer = None,
            }
        }
    }

    /// The frame that was read before the image: told already, or the first behind it.
    fn overlap(&mut self, v: &Value) {
        if let (Some(number), Some(last)) = (self.tongue.number(v), self.book.number)
            && number.this > last
        {
            // The image is older than this frame; the next one asks for another.
            self.book.number = None;
        }
    }
}

#[test]
fn a_careful_client_survives_the_whole_dial_and_holds_the_exchange_s_book() {
    for tongue in TONGUES {
        let faults = Faults::cruel(40)
            .with(Fault::Maintenance, 3_000)
            .with(Fault::Silent, 20)
            .with(Fault::Late, 20);
        let handle = tongue.serve(Options {
            speed: 200,
            faults,
            drip: Nanos::millis(200),
            late: Nanos::millis(300),
            away: Nanos::millis(200),
            retry: Nanos::millis(100),
            ..Options::default()
        });
        let mut client = Survivor {
            tongue,
            book: Book::default(),
            frames: 0,
            connections: 0,
        };
        client.live(&handle, Duration::from_millis(250));
        let check = handle.check(tongue.names[0]).unwrap();
        let injected = handle.injected();
        eprintln!(
            "{}: {} frames, {} connections, {} holes, {} kinds of fault",
            tongue.dialect.name(),
            client.frames,
            client.connections,
            client.book.holes,
            injected.faults().count()
        );
        // What cost a numbered book a frame was noticed, or the connection ended before it could be.
        let topic = Topic {
            kind: TopicKind::Book,
            symbol: 0,
        };
        let costly = [Fault::Gap, Fault::Reorder, Fault::WrongType];
        let cost: u64 = costly.iter().map(|fault| injected.on(*fault, topic)).sum();
        if tongue.is_sequenced() {
            assert!(
                cost > 0 && cost <= client.book.holes + client.connections,
                "{cost}"
            );
        }
        for (side, right) in [check.book.bids, check.book.asks].into_iter().enumerate() {
            let mine = client.book.ordered(side);
            let depth = mine.len().min(right.len());
            assert!(depth > 0, "{tongue:?}");
            assert_eq!(mine[..depth], right[..depth], "{tongue:?} {side}");
        }
    }
}

#[test]
fn the_same_seed_is_cruel_in_the_same_way() {
    for tongue in TONGUES {
        let run = || {
            let faults = Faults::cruel(30)
                .with(Fault::Dribble, 0)
                .with(Fault::Freeze, 0)
                .with(Fault::TurnAway, 0)
                .with(Fault::BadHello, 0)
                .with(Fault::Refuse, 0)
                .with(Fault::Silent, 0)
                .with(Fault::Late, 0);
            let handle = tongue.serve(Options {
                is_flat_out: true,
                faults,
                ..Options::default()
            });
            let mut peer = tongue.join(&handle);
            let mut texts = Vec::new();
            while texts.len() < 300 {
                match peer.next_within(Duration::from_secs(3)) {
                    Got::Text(text) => texts.push(text),
                    Got::Control(_) => {}
                    _ => break,
                }
            }
            texts
        };
        let (one, two) = (run(), run());
        assert!(one.len() > 20);
        assert_eq!(one, two, "{tongue:?}");
    }
}

#[test]
fn flat_out_time_goes_as_fast_as_it_is_read_and_nothing_is_lost() {
    for tongue in TONGUES {
        let handle = tongue.serve(Options {
            is_flat_out: true,
            ..Options::default()
        });
        // Nobody listens, so time stands.
        let before = handle.now();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(handle.now(), before);
        let mut peer = tongue.join(&handle);
        let mut last = None;
        let mut frames = 0;
        while frames < 4_000 {
            let v = peer.json();
            let Some(number) = tongue.number(&v) else {
                continue;
            };
            frames += 1;
            if let (Some(last), Some(before)) = (last, number.before) {
                assert_eq!(before, last, "{tongue:?}");
            }
            last = Some(number.this);
            if frames == 2_000 {
                // A slow reader is waited for, not cut off.
                std::thread::sleep(Duration::from_millis(300));
            }
        }
        assert_eq!(handle.injected().slow, 0);
        assert!(handle.now().since(before) > Nanos::seconds(100));
    }
}

/// A certificate for `localhost` and a client that trusts it.
fn trust() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

#[test]
fn with_a_certificate_everything_is_tls_and_fails_as_well() {
    let (server, client) = trust();
    for tongue in TONGUES {
        let handle = tongue.serve(Options {
            speed: 10,
            tls: Some(Arc::clone(&server)),
            ..Options::default()
        });
        assert!(handle.ws_url().starts_with("wss://") && handle.rest_url().starts_with("https://"));
        let url = tongue.url(&handle);
        let join = || {
            let mut peer = Peer::open_by(&url, Some(&client)).unwrap();
            peer.say(&tongue.book(tongue.names[0], true));
            peer
        };
        let mut peer = join();
        let mut numbered = 0;
        while numbered < 20 {
            numbered += usize::from(tongue.number(&peer.json()).is_some());
        }
        let [method, path, body] = tongue.request();
        let answer = ask_by(&handle.rest_url(), method, path, body, Some(&client));
        assert!(answer.status == 200 && answer.missing == 0);
        // Plain words to a TLS door end the connection.
        assert!(Peer::open(&url.replace("wss", "ws")).is_err());
        handle.turn(only(Fault::HalfFrame, 3));
        let mut peer = join();
        let got = loop {
            match peer.next() {
                Got::Text(_) | Got::Control(_) => {}
                other => break other,
            }
        };
        assert_eq!(got, Got::Half);
        handle.turn(only(Fault::BadHello, 1));
        let answer = Peer::open_by(&url, Some(&client)).err().unwrap();
        assert_eq!(answer.status, 0);
    }
}
