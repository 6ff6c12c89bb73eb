use super::*;
use proptest::prelude::*;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::frame::{Frame as Oracle, FrameHeader};

/// What was sent or received, owned.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, Vec<u8>),
}

fn drain(receiver: &mut Receiver, into: &mut Vec<Said>) -> Result<(), Fault> {
    while let Some(message) = receiver.message()? {
        into.push(match message {
            Message::Text(f) => Said::Text(f.bytes().to_vec()),
            Message::Binary(f) => Said::Binary(f.bytes().to_vec()),
            Message::Ping(p) => Said::Ping(p.to_vec()),
            Message::Pong(p) => Said::Pong(p.to_vec()),
            Message::Close(code, p) => Said::Close(code, p.to_vec()),
        });
    }
    Ok(())
}

fn feed(receiver: &mut Receiver, bytes: &[u8], chunks: &[usize]) -> Result<Vec<Said>, Fault> {
    let mut all = Vec::new();
    let mut at = 0;
    let mut turn = 0;
    while at < bytes.len() {
        let space = receiver.space();
        let n = chunks[turn % chunks.len()]
            .min(bytes.len() - at)
            .min(space.len());
        space[..n].copy_from_slice(&bytes[at..at + n]);
        receiver.filled(n);
        at += n;
        turn += 1;
        drain(receiver, &mut all)?;
    }
    Ok(all)
}

/// Encodes by the library, cutting data messages into the given number of fragments with pings
/// between them.
fn encode(said: &Said, fragments: usize, pings: bool, out: &mut Vec<u8>) -> Vec<Said> {
    let mut heard = Vec::new();
    let (payload, opcode) = match said {
        Said::Text(p) => (p, Data::Text),
        Said::Binary(p) => (p, Data::Binary),
        Said::Ping(p) => {
            Oracle::ping(p.clone()).format(out).unwrap();
            return vec![said.clone()];
        }
        Said::Pong(p) => {
            Oracle::pong(p.clone()).format(out).unwrap();
            return vec![said.clone()];
        }
        Said::Close(code, reason) => {
            let header = FrameHeader {
                opcode: OpCode::Control(Control::Close),
                ..FrameHeader::default()
            };
            let mut body = code.to_be_bytes().to_vec();
            body.extend(reason);
            Oracle::from_payload(header, body.into())
                .format(out)
                .unwrap();
            return vec![said.clone()];
        }
    };
    let size = payload.len().div_ceil(fragments.max(1)).max(1);
    let mut parts: Vec<&[u8]> = payload.chunks(size).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    let last = parts.len() - 1;
    for (i, part) in parts.iter().enumerate() {
        let opcode = if i == 0 { opcode } else { Data::Continue };
        Oracle::message(part.to_vec(), OpCode::Data(opcode), i == last)
            .format(out)
            .unwrap();
        if pings && i != last {
            let ping = Said::Ping(vec![i as u8; i % 126]);
            heard.extend(encode(&ping, 1, false, out));
        }
    }
    heard.push(said.clone());
    heard
}

fn said() -> impl Strategy<Value = Said> {
    let long = prop_oneof![
        6 => proptest::collection::vec(any::<u8>(), 0..300),
        1 => proptest::collection::vec(any::<u8>(), 65_500..65_600),
        1 => (0usize..200_000).prop_map(|n| vec![7; n]),
    ];
    let short = || proptest::collection::vec(any::<u8>(), 0..=125);
    prop_oneof![
        4 => long.clone().prop_map(Said::Text),
        2 => long.prop_map(Said::Binary),
        1 => short().prop_map(Said::Ping),
        1 => short().prop_map(Said::Pong),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn frames_of_the_library_come_out_equal(
        all in proptest::collection::vec((said(), 1usize..6, any::<bool>()), 1..12),
        chunks in proptest::collection::vec(1usize..70_000, 1..8),
        close in proptest::option::of((1000u16..5000, proptest::collection::vec(b'a'..=b'z', 0..100))),
    ) {
        let mut wire = Vec::new();
        let mut want = Vec::new();
        for (said, fragments, pings) in &all {
            want.extend(encode(said, *fragments, *pings, &mut wire));
        }
        if let Some((code, reason)) = close {
            want.extend(encode(&Said::Close(code, reason), 1, false, &mut wire));
            // Bytes behind the close are nobody's.
            wire.extend([0x81, 1, b'x']);
        }
        let mut receiver = Receiver::new(200_000);
        let got = feed(&mut receiver, &wire, &chunks).unwrap();
        prop_assert_eq!(got, want);
    }

    #[test]
    fn small_chunks_cut_anywhere(
        all in proptest::collection::vec((said(), 1usize..4, any::<bool>()), 1..4),
        chunk in 1usize..9,
    ) {
        let mut wire = Vec::new();
        let mut want = Vec::new();
        for (said, fragments, pings) in &all {
            if matches!(said, Said::Text(p) | Said::Binary(p) if p.len() > 1000) {
                continue;
            }
            want.extend(encode(said, *fragments, *pings, &mut wire));
        }
        let mut receiver = Receiver::new(1 << 16);
        prop_assert_eq!(feed(&mut receiver, &wire, &[chunk]).unwrap(), want);
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), chunk in 1usize..64) {
        let mut receiver = Receiver::new(256);
        if let Err(fault) = feed(&mut receiver, &bytes, &[chunk]) {
            prop_assert!(matches!(fault.kind, FaultKind::BadFrame | FaultKind::TooLong));
            // The fault stays.
            prop_assert_eq!(receiver.message().unwrap_err(), fault);
        }
    }

    #[test]
    fn what_we_send_the_library_reads(
        payload in proptest::collection::vec(b' '..b'~', 0..70_000),
        key in any::<u32>(),
    ) {
        let mut sender = Sender::new(80_000);
        let mut key = key;
        sender.text(&payload, &mut key).unwrap();
        sender.ping(b"hi", &mut key).unwrap();
        let wire = sender.pending().to_vec();
        sender.sent(wire.len());
        prop_assert!(sender.pending().is_empty());
        let stream = std::io::Cursor::new(wire);
        let mut server = tungstenite::WebSocket::from_raw_socket(
            Duplex(stream), tungstenite::protocol::Role::Server, None);
        let got = server.read().unwrap();
        prop_assert_eq!(got.into_data().to_vec(), payload);
        prop_assert_eq!(server.read().unwrap().into_data().to_vec(), b"hi".to_vec());
    }
}

/// Reads from memory, swallows writes.
#[derive(Debug)]
struct Duplex(std::io::Cursor<Vec<u8>>);

impl std::io::Read for Duplex {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(into)
    }
}

impl std::io::Write for Duplex {
    fn write(&mut self, from: &[u8]) -> std::io::Result<usize> {
        Ok(from.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_broken_frame_is_refused() {
    let cases: [(&str, &[u8], FaultKind); 14] = [
        (
            "length in too many bytes",
            &[0x81, 126, 0, 5],
            FaultKind::BadFrame,
        ),
        (
            "control length in too many bytes",
            &[0x88, 126, 0, 2, 3, 4],
            FaultKind::BadFrame,
        ),
        ("masked", &[0x81, 0x80, 0, 0, 0, 0], FaultKind::BadFrame),
        ("rsv1", &[0xc1, 0], FaultKind::BadFrame),
        ("rsv2", &[0xa1, 0], FaultKind::BadFrame),
        ("rsv3", &[0x91, 0], FaultKind::BadFrame),
        ("opcode 3", &[0x83, 0], FaultKind::BadFrame),
        ("opcode 11", &[0x8b, 0], FaultKind::BadFrame),
        ("continuation of nothing", &[0x80, 0], FaultKind::BadFrame),
        ("fragmented ping", &[0x09, 0], FaultKind::BadFrame),
        ("long ping", &[0x89, 126, 0, 126], FaultKind::BadFrame),
        (
            "message in a message",
            &[0x01, 0, 0x81, 0],
            FaultKind::BadFrame,
        ),
        ("too long", &[0x81, 126, 1, 1], FaultKind::TooLong),
        (
            "far too long",
            &[0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            FaultKind::TooLong,
        ),
    ];
    for (name, bytes, kind) in cases {
        for chunk in [1, 64] {
            let mut receiver = Receiver::new(256);
            let got = feed(&mut receiver, bytes, &[chunk]);
            assert_eq!(got.map_err(|f| f.kind), Err(kind), "{name}");
        }
    }
    let mut receiver = Receiver::new(256);
    let got = feed(&mut receiver, &[0x88, 1, 3], &[3]);
    assert_eq!(got.map_err(|f| f.kind), Err(FaultKind::BadFrame));
}

#[test]
fn fragments_together_may_not_pass_the_limit() {
    let mut wire = vec![0x01, 200];
    wire[1] = 100;
    wire.extend([b'a'; 100]);
    wire.extend([0x00, 100]);
    wire.extend([b'b'; 100]);
    wire.extend([0x80, 57]);
    wire.extend([b'c'; 57]);
    let mut receiver = Receiver::new(256);
    let got = feed(&mut receiver, &wire, &[7]);
    assert_eq!(got.map_err(|f| f.kind), Err(FaultKind::TooLong));
}

#[test]
fn a_restart_keeps_what_came_behind_the_handshake() {
    let mut receiver = Receiver::new(256);
    assert!(feed(&mut receiver, &[0xff, 0xff], &[2]).is_err());
    receiver.restart(&[0x81, 2, b'h', b'i', 0x89]).unwrap();
    let mut all = Vec::new();
    drain(&mut receiver, &mut all).unwrap();
    assert_eq!(all, [Said::Text(b"hi".to_vec())]);
    receiver.space()[0] = 0;
    receiver.filled(1);
    drain(&mut receiver, &mut all).unwrap();
    assert_eq!(all[1], Said::Ping(Vec::new()));
}

#[test]
fn a_full_sender_queues_nothing() {
    let mut sender = Sender::new(20);
    let mut key = 1;
    assert!(sender.text(b"0123456789", &mut key).is_ok());
    let before = sender.pending().to_vec();
    assert!(sender.text(b"0123456789", &mut key).is_err());
    assert_eq!(sender.pending(), before);
    assert!(sender.ping(&[0; 126], &mut key).is_err());
}

#[test]
fn half_a_frame_gives_nothing_and_leaves_nothing_behind() {
    let mut whole = Vec::new();
    encode(&Said::Text(vec![b'x'; 300]), 3, true, &mut whole);
    for cut in 0..whole.len() {
        // The connection ends in the middle: what was whole was given, the rest is nobody's.
        let mut receiver = Receiver::new(1024);
        let got = feed(&mut receiver, &whole[..cut], &[50]).unwrap();
        assert!(
            got.iter().all(|said| matches!(said, Said::Ping(_))),
            "{cut}"
        );
        receiver.restart(b"").unwrap();
        assert_eq!(
            feed(&mut receiver, &[0x81, 1, b'y'], &[9]).unwrap(),
            [Said::Text(b"y".to_vec())],
            "{cut}"
        );
    }
}

#[test]
fn a_close_between_fragments_ends_the_message() {
    let mut receiver = Receiver::new(1024);
    let wire = [
        0x01, 2, b'a', b'b', 0x8a, 1, b'p', 0x88, 2, 0x03, 0xe9, 0x80, 1, b'c',
    ];
    let got = feed(&mut receiver, &wire, &[3]).unwrap();
    assert_eq!(
        got,
        [Said::Pong(b"p".to_vec()), Said::Close(1001, Vec::new())]
    );
}
