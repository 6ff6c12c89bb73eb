//! Hostile frames through the decoders: never a panic, and both instruction sets and both roads say
//! the same.
//!
//! A digit in front says which row of `VENUES` is spoken; without one it is the first. A line that
//! begins with `/` is a REST answer: its request, a space, its body.
#![no_main]

use isotherm::event::Event;
use isotherm::health::FaultKind;
use isotherm::market::SymbolId;
use isotherm::time::Nanos;
use isotherm::venue::{Decoder, Road, VENUES};
use isotherm::wire::FrameBuffer;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

struct Three {
    fast: Decoder,
    plain: Decoder,
    tolerant: Decoder,
    room: FrameBuffer,
}

thread_local! {
    static THREE: RefCell<[Option<Three>; VENUES.len()]> =
        const { RefCell::new([const { None }; VENUES.len()]) };
}

type Said = Result<(Vec<Event>, bool, bool, Option<SymbolId>), FaultKind>;

fn say(decoder: &mut Decoder, room: &mut FrameBuffer, bytes: &[u8], tolerant: bool) -> Said {
    let got = if bytes.first() == Some(&b'/') {
        let end = bytes.iter().position(|&b| b == b' ');
        let (request, body) = bytes.split_at(end.unwrap_or(bytes.len()));
        let request = core::str::from_utf8(request).unwrap_or("/");
        decoder.rest(Nanos::SECOND, request, body)
    } else if tolerant {
        decoder.decode_tolerant(Nanos::SECOND, room.put(bytes))
    } else {
        decoder.decode(Nanos::SECOND, room.put(bytes))
    };
    match got {
        Ok(d) => Ok((d.events.to_vec(), d.road == Road::Ignored, d.gap, d.resync)),
        Err(fault) => Err(fault.kind),
    }
}

fn new(row: usize) -> Three {
    let assets = ["BTC".to_owned(), "PEPE".to_owned()];
    let decoder = || Decoder::new(VENUES[row].id, &assets).unwrap();
    let mut plain = decoder();
    plain.use_plain();
    Three {
        fast: decoder(),
        plain,
        tolerant: decoder(),
        room: FrameBuffer::with_capacity(1 << 16),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (row, bytes) = match bytes.split_first() {
        Some((digit @ b'0'..=b'9', rest)) => (usize::from(digit - b'0') % VENUES.len(), rest),
        _ => (0, bytes),
    };
    THREE.with_borrow_mut(|all| {
        let Three {
            fast,
            plain,
            tolerant,
            room,
        } = all[row].get_or_insert_with(|| new(row));
        for decoder in [&mut *fast, plain, tolerant] {
            decoder.reset();
        }
        // Frames are split at line ends, so that chains and merges are met as well.
        for frame in bytes.split(|&b| b == b'\n') {
            let a = say(fast, room, frame, false);
            let b = say(plain, room, frame, false);
            let c = say(tolerant, room, frame, true);
            assert_eq!(a, b);
            assert_eq!(a, c);
        }
    });
});
