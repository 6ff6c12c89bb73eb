//! Hostile frames through the decoder: never a panic, and both instruction sets and both roads say
//! the same.
#![no_main]

use isotherm::event::Event;
use isotherm::health::FaultKind;
use isotherm::market::{SymbolId, VenueId};
use isotherm::time::Nanos;
use isotherm::venue::{Decoder, Road};
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
    static THREE: RefCell<Option<Three>> = const { RefCell::new(None) };
}

type Said = Result<(Vec<Event>, bool, bool, Option<SymbolId>), FaultKind>;

fn say(decoder: &mut Decoder, room: &mut FrameBuffer, bytes: &[u8], tolerant: bool) -> Said {
    let frame = room.put(bytes);
    let got = if tolerant {
        decoder.decode_tolerant(Nanos::SECOND, frame)
    } else {
        decoder.decode(Nanos::SECOND, frame)
    };
    match got {
        Ok(d) => Ok((d.events.to_vec(), d.road == Road::Ignored, d.gap, d.resync)),
        Err(fault) => Err(fault.kind),
    }
}

fn new() -> Three {
    let assets = ["BTC".to_owned(), "PEPE".to_owned()];
    let decoder = || Decoder::new(VenueId::BYBIT, &assets).unwrap();
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
    THREE.with_borrow_mut(|three| {
        let Three {
            fast,
            plain,
            tolerant,
            room,
        } = three.get_or_insert_with(new);
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
