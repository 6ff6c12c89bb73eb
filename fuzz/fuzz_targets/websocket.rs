//! Hostile bytes through the receiver in hostile pieces: never a panic, never a message beyond the
//! limit, and the same messages whatever the pieces.
#![no_main]

use isotherm::wire::websocket::{Message, Receiver};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 4096;

/// Feeds in pieces and writes down what came.
fn run(bytes: &[u8], piece: usize) -> (Vec<(u8, Vec<u8>)>, bool) {
    let mut receiver = Receiver::new(LIMIT);
    let mut heard = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let space = receiver.space();
        let n = piece.min(rest.len()).min(space.len());
        space[..n].copy_from_slice(&rest[..n]);
        receiver.filled(n);
        rest = &rest[n..];
        loop {
            match receiver.message() {
                Ok(None) => break,
                Err(_) => return (heard, true),
                Ok(Some(message)) => heard.push(match message {
                    Message::Text(f) => (1, f.bytes().to_vec()),
                    Message::Binary(f) => (2, f.bytes().to_vec()),
                    Message::Ping(p) => (9, p.to_vec()),
                    Message::Pong(p) => (10, p.to_vec()),
                    Message::Close(_, p) => (8, p.to_vec()),
                }),
            }
        }
    }
    (heard, false)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let small = run(bytes, usize::from(piece).max(1));
    let whole = run(bytes, usize::MAX);
    assert!(small.0.iter().all(|(_, payload)| payload.len() <= LIMIT));
    assert_eq!(small, whole);
});
