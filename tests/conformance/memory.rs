//! No road asks for memory after the first frames, nor do the answers a feed waits for.

use super::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what this thread asks of the allocator.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is the system allocator's with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ASKED.try_with(|n| n.set(n.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn no_road_asks_for_memory() {
    for row in ROWS {
        let mut decoder = row.decoder();
        let mut room = FrameBuffer::with_capacity(1 << 16);
        let steps: Vec<Step> = row
            .primers
            .iter()
            .chain(row.legs.first)
            .copied()
            .chain(row.channels.iter().map(|channel| frame(channel.frame)))
            .collect();
        let mut round = |decoder: &mut Decoder| {
            for &(request, text) in &steps {
                let said = match request {
                    "" => decoder.decode(RECV, room.put(text.as_bytes())),
                    _ => decoder.rest(RECV, request, text.as_bytes()),
                };
                assert!(said.is_ok());
                if request.is_empty() {
                    let said = decoder.decode_tolerant(RECV, room.put(text.as_bytes()));
                    assert!(said.is_ok());
                }
            }
            decoder.reset();
        };
        round(&mut decoder);
        let before = ASKED.get();
        for _ in 0..3 {
            round(&mut decoder);
        }
        assert_eq!(ASKED.get(), before, "{}", row.venue);
        drop(vec![0u8; 9]);
        assert_eq!(ASKED.get(), before + 1, "the counter counts");
    }
}
