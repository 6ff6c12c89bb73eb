use super::super::{Trust, provider, shake};
use super::*;
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};
use std::io::{self, Read, Write};
use std::sync::Arc;

/// A server in memory, for the handshake only: then its keys are ours.
struct Peer(ServerConnection, Vec<u8>);

impl Read for Peer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = into.len().min(self.1.len());
        into[..bytes].copy_from_slice(&self.1[..bytes]);
        self.1.drain(..bytes);
        Ok(bytes)
    }
}

impl Write for Peer {
    fn write(&mut self, mut from: &[u8]) -> io::Result<usize> {
        let bytes = from.len();
        self.0.read_tls(&mut from)?;
        self.0.process_new_packets().map_err(io::Error::other)?;
        while self.0.wants_write() {
            self.0.write_tls(&mut self.1)?;
        }
        Ok(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client's records behind a handshake, and the keys with which its server seals and opens.
fn pair(version: &'static SupportedProtocolVersion) -> (Records, Keys, Keys) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("cert.pem");
    std::fs::write(&path, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider());
    let config = config
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth();
    let mut config = config
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.enable_secret_extraction = true;
    config.send_tls13_tickets = 0;
    let mut peer = Peer(ServerConnection::new(Arc::new(config)).unwrap(), Vec::new());
    let records = shake(&mut peer, "localhost", &Trust::new(&[path]).unwrap()).unwrap();
    let secrets = peer.0.dangerous_extract_secrets().unwrap();
    let keys =
        |of: &(u64, ConnectionTrafficSecrets)| Keys::new(version.version, of.0, &of.1).unwrap();
    (records, keys(&secrets.tx), keys(&secrets.rx))
}

fn sealed(keys: &mut Keys, kind: u8, text: &[u8]) -> Vec<u8> {
    let mut out = vec![0; OUT + 4096];
    let size = keys.seal(kind, text, &mut out).unwrap();
    out.truncate(size);
    out
}

/// What comes out of these records, and how it ended.
fn told(records: &mut Records, all: &[Vec<u8>]) -> (Vec<u8>, Option<Ended>) {
    let (mut text, mut room) = (Vec::new(), [0; 1000]);
    for record in all {
        let space = &mut records.space()[..record.len()];
        space.copy_from_slice(record);
        records.filled(record.len());
        loop {
            match records.take(&mut room) {
                Ok(0) => break,
                Ok(bytes) => text.extend(&room[..bytes]),
                Err(why) => return (text, Some(why)),
            }
        }
    }
    (text, None)
}

#[test]
fn padding_is_taken_off() {
    let (mut records, mut server, _) = pair(&TLS13);
    let all = [
        sealed(&mut server, 0, b"abc\x17\0\0\0"),
        sealed(&mut server, 0, b"\x17\0"),
        sealed(&mut server, DATA, b"d\0"),
    ];
    assert_eq!(told(&mut records, &all), (b"abcd\0".to_vec(), None));
    // Padding and nothing else has no type.
    let none = [sealed(&mut server, 0, b"")];
    assert_eq!(told(&mut records, &none), (Vec::new(), Some(Ended::Broken)));
}

#[test]
fn records_of_other_kinds_end_the_connection() {
    let long = vec![0; PLAIN_MAX + 1];
    let cases: [(&SupportedProtocolVersion, u8, &[u8], Ended); 11] = [
        (&TLS13, ALERT, &[1, 0], Ended::Closed),
        (&TLS13, ALERT, &[2, 20], Ended::Alert),
        (&TLS13, ALERT, &[], Ended::Alert),
        (&TLS12, ALERT, &[1, 0], Ended::Closed),
        (&TLS12, ALERT, &[1, 100], Ended::Alert),
        (&TLS13, 20, &[1], Ended::Broken),
        (&TLS13, DATA, &long, Ended::Broken),
        (&TLS12, DATA, &long, Ended::Broken),
        // A certificate asked for, keys changed in a strange way, a key update where there is none.
        (&TLS13, HANDSHAKE, &[13, 0, 0, 0], Ended::Broken),
        (&TLS13, HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 2], Ended::Broken),
        (&TLS12, HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 0], Ended::Broken),
    ];
    for (version, kind, text, want) in cases {
        let (mut records, mut server, _) = pair(match version.version {
            ProtocolVersion::TLSv1_3 => &TLS13,
            _ => &TLS12,
        });
        let all = [
            sealed(&mut server, DATA, b"x"),
            sealed(&mut server, kind, text),
        ];
        assert_eq!(
            told(&mut records, &all),
            (b"x".to_vec(), Some(want)),
            "{kind} {version:?}"
        );
        assert_eq!(records.put(b"y"), Err(want));
    }
}

#[test]
fn messages_behind_the_handshake_may_be_cut_but_not_interrupted() {
    // Two tickets and a key update over records that are cut anywhere.
    let mut message = vec![
        TICKET, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, TICKET, 0, 0, 1, 7,
    ];
    message.extend([KEY_UPDATE, 0, 0, 1, 0]);
    for cut in 1..message.len() {
        let (mut records, mut server, _) = pair(&TLS13);
        let all = [
            sealed(&mut server, HANDSHAKE, &message[..cut]),
            sealed(&mut server, HANDSHAKE, &message[cut..]),
        ];
        assert_eq!(told(&mut records, &all), (Vec::new(), None), "cut at {cut}");
        // The old key opens nothing any more.
        let old = [sealed(&mut server, DATA, b"x")];
        assert_eq!(told(&mut records, &old), (Vec::new(), Some(Ended::Spoiled)));
        // Data in between; a message that ends with the first record may be followed by it.
        let (mut records, mut server, _) = pair(&TLS13);
        let all = [
            sealed(&mut server, HANDSHAKE, &message[..cut]),
            sealed(&mut server, DATA, b"x"),
        ];
        let want = if [13, 18].contains(&cut) {
            (b"x".to_vec(), None)
        } else {
            (Vec::new(), Some(Ended::Broken))
        };
        assert_eq!(told(&mut records, &all), want, "cut at {cut}");
    }
    // A key update with something behind it in its record.
    let (mut records, mut server, _) = pair(&TLS13);
    let all = [sealed(
        &mut server,
        HANDSHAKE,
        &[KEY_UPDATE, 0, 0, 1, 0, TICKET],
    )];
    assert_eq!(told(&mut records, &all), (Vec::new(), Some(Ended::Broken)));
}

#[test]
fn a_wish_to_shake_hands_again_is_passed_over() {
    let (mut records, mut server, _) = pair(&TLS12);
    let all = [
        sealed(&mut server, HANDSHAKE, &[HELLO_REQUEST, 0, 0, 0]),
        sealed(&mut server, DATA, b"x"),
    ];
    assert_eq!(told(&mut records, &all), (b"x".to_vec(), None));
}

#[test]
fn records_without_data_are_counted() {
    for version in [&TLS12, &TLS13] {
        let (mut records, mut server, _) = pair(version);
        for _ in 0..3 {
            let mut all: Vec<_> = (0..FRUITLESS_MAX)
                .map(|_| sealed(&mut server, DATA, b""))
                .collect();
            all.push(sealed(&mut server, DATA, b"x"));
            assert_eq!(told(&mut records, &all), (b"x".to_vec(), None));
        }
        let all: Vec<_> = (0..=FRUITLESS_MAX)
            .map(|_| sealed(&mut server, DATA, b""))
            .collect();
        assert_eq!(told(&mut records, &all), (Vec::new(), Some(Ended::Broken)));
    }
}

#[test]
fn a_key_that_has_sealed_enough_is_renewed_or_ends() {
    let (mut records, _, mut server) = pair(&TLS13);
    records.sealed_max = 2;
    for text in [b"a", b"b"] {
        assert_eq!(records.put(text), Ok(1));
        let mut sealed = records.pending().to_vec();
        records.sent(sealed.len());
        assert_eq!(
            server
                .open(&mut sealed)
                .map(|(kind, at)| (kind, sealed[at].to_vec())),
            Ok((DATA, text.to_vec()))
        );
    }
    assert_eq!(records.put(b"c"), Ok(1));
    let mut both = records.pending().to_vec();
    // The update is the old key's last word.
    let update = HEADER + 5 + 1 + TAG;
    let (kind, at) = server.open(&mut both[..update]).unwrap();
    assert_eq!(
        (kind, &both[at]),
        (HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 0][..])
    );
    assert_eq!(server.open(&mut both[update..]), Err(Ended::Spoiled));
    assert_eq!(records.seals.number, 1);

    let (mut records, _, _) = pair(&TLS12);
    records.sealed_max = 0;
    assert_eq!(records.put(b"a"), Err(Ended::Exhausted));
    assert_eq!(records.take(&mut [0; 8]), Err(Ended::Exhausted));
    assert!(!format!("{records:?}").contains("iv"), "keys are not shown");
}
