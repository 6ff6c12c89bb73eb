//! Ring: one producer, one consumer, no lock: rtrb behind a narrow face.
//!
//! Two kinds. [`channel`] carries records of one size (events: one cache line each);
//! [`byte_channel`] carries frames of any length as `[u32 length][header][payload]`. Both are
//! all-or-nothing: a run of events or a frame becomes visible by one commit, or `false` comes back
//! and nothing happened. "Full" is an answer; who gets it counts it.
//!
//! All memory is asked for and touched at construction, so the first lap faults no page. Neither
//! side ever waits: whoever finds nothing decides whether to spin, yield or do other work.
//!
//! Invariants: items leave in the order they entered; one thread per end (the ends are not
//! `Clone`). Checked by `tests/ring_stress.rs`, because a model checker cannot see inside rtrb.

use bytemuck::Pod;
use rtrb::CopyToUninit;

/// The writing end of a ring of records.
#[derive(Debug)]
pub struct Producer<T>(rtrb::Producer<T>);

/// The reading end of a ring of records.
#[derive(Debug)]
pub struct Consumer<T>(rtrb::Consumer<T>);

/// A ring with room for `capacity` records (at least one).
#[must_use]
pub fn channel<T: Pod>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let (mut producer, mut consumer) = rtrb::RingBuffer::new(capacity.max(1));
    // Fills and drains it once: the pages are faulted in now, not on the first lap.
    while producer.push(T::zeroed()).is_ok() {}
    while consumer.pop().is_ok() {}
    (Producer(producer), Consumer(consumer))
}

impl<T: Pod> Producer<T> {
    /// Adds one; `false` when full, and nothing changed.
    #[must_use]
    #[inline(always)]
    pub fn push(&mut self, item: T) -> bool {
        self.0.push(item).is_ok()
    }

    /// Adds all, visible together; `false` when they do not all fit, and nothing changed.
    #[must_use]
    #[inline]
    pub fn push_all(&mut self, items: &[T]) -> bool {
        self.0.push_entire_slice(items).is_ok()
    }

    /// Room left; it can only have grown since.
    #[must_use]
    pub fn free(&self) -> usize {
        self.0.slots()
    }

    /// True when the consumer is gone and nobody will ever read.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.is_abandoned()
    }
}

impl<T: Pod> Consumer<T> {
    /// Takes the oldest; `None` when empty.
    #[must_use]
    #[inline(always)]
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop().ok()
    }

    /// How many wait; it can only have grown since.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.slots()
    }

    /// True when none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when the producer is gone; what it pushed before can still be popped.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.is_abandoned()
    }
}

/// Bytes of the length word before each frame.
const LENGTH: usize = size_of::<u32>();

/// The writing end of a ring of frames.
#[derive(Debug)]
pub struct ByteProducer(rtrb::Producer<u8>);

/// The reading end of a ring of frames.
#[derive(Debug)]
pub struct ByteConsumer(rtrb::Consumer<u8>);

/// A ring with room for `capacity` bytes, the 4-byte length word of each frame included.
#[must_use]
pub fn byte_channel(capacity: usize) -> (ByteProducer, ByteConsumer) {
    let (producer, consumer) = channel::<u8>(capacity.max(LENGTH + 1));
    (ByteProducer(producer.0), ByteConsumer(consumer.0))
}

impl ByteProducer {
    /// Adds one frame, `header` and `payload` behind each other; `false` when it does not fit or
    /// nobody will ever read it, and nothing changed.
    ///
    /// A frame longer than the ring never fits: `false` for ever.
    #[must_use]
    pub fn write(&mut self, header: &[u8], payload: &[u8]) -> bool {
        if self.is_abandoned() {
            return false;
        }
        let body = header.len().saturating_add(payload.len());
        let Ok(length) = u32::try_from(body) else {
            return false;
        };
        let Ok(mut chunk) = self.0.write_chunk_uninit(body.saturating_add(LENGTH)) else {
            return false;
        };
        let (mut first, mut second) = chunk.as_mut_slices();
        for part in [&length.to_le_bytes()[..], header, payload] {
            let now = part.len().min(first.len());
            let (fits, wraps) = part.split_at(now);
            let (room, rest) = first.split_at_mut(now);
            fits.copy_to_uninit(room);
            first = rest;
            let (room, rest) = second.split_at_mut(wraps.len());
            wraps.copy_to_uninit(room);
            second = rest;
        }
        debug_assert!(first.is_empty() && second.is_empty());
        // SAFETY: the three parts are together exactly as long as the chunk, and each was copied
        // behind the one before it, so every byte of the chunk is initialised.
        unsafe { chunk.commit_all() };
        true
    }

    /// Room left in bytes; a frame takes 4 more than its header and payload.
    #[must_use]
    pub fn free(&self) -> usize {
        self.0.slots()
    }

    /// True when the consumer is gone and nobody will ever read.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.is_abandoned()
    }
}

impl ByteConsumer {
    /// Takes the oldest frame: `into` becomes its header and payload behind each other. `false`
    /// when empty, and `into` is as it was. Allocates only when `into` is too small for the frame.
    #[must_use]
    pub fn read(&mut self, into: &mut Vec<u8>) -> bool {
        let mut length = [0u8; LENGTH];
        if self.0.pop_entire_slice(&mut length).is_err() {
            return false;
        }
        let body = u32::from_le_bytes(length) as usize;
        // The length and its body came by one commit, so the body is there.
        let Ok(chunk) = self.0.read_chunk(body) else {
            debug_assert!(false, "a length without its body");
            return false;
        };
        let (first, second) = chunk.as_slices();
        into.clear();
        into.extend_from_slice(first);
        into.extend_from_slice(second);
        chunk.commit_all();
        true
    }

    /// Bytes that wait, length words included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.slots()
    }

    /// True when no frame waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when the producer is gone; what it wrote before can still be read.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn a_full_ring_says_so_and_keeps_its_order() {
        let (mut producer, mut consumer) = channel::<u64>(4);
        assert_eq!((producer.free(), consumer.len()), (4, 0));
        assert!(producer.push_all(&[1, 2, 3]));
        assert!(!producer.push_all(&[8, 9]), "two do not fit in one place");
        assert!(producer.push(4));
        assert!(!producer.push(5));
        for want in 1..=4 {
            assert_eq!(consumer.pop(), Some(want));
        }
        assert_eq!(consumer.pop(), None);
        assert!(!consumer.is_abandoned());
        drop(producer);
        assert!(consumer.is_abandoned());
    }

    #[test]
    fn an_empty_frame_is_a_frame() {
        let (mut producer, mut consumer) = byte_channel(16);
        let mut frame = vec![7];
        assert!(!consumer.read(&mut frame));
        assert_eq!(frame, [7]);
        assert!(producer.write(&[], &[]));
        assert!(consumer.read(&mut frame));
        assert!(frame.is_empty() && consumer.is_empty());
        assert!(!producer.write(&[0; 8], &[0; 5]), "longer than the ring");
        drop(consumer);
        assert!(!producer.write(&[], &[1]), "nobody will read it");
    }

    proptest! {
        #[test]
        fn frames_come_out_as_a_queue_would_give_them(
            steps in proptest::collection::vec((0usize..9, 0usize..40, any::<bool>()), 1..200),
        ) {
            let (mut producer, mut consumer) = byte_channel(97);
            let mut twin: VecDeque<Vec<u8>> = VecDeque::new();
            let mut used = 0;
            let mut out = Vec::new();
            for (n, (header, payload, write)) in steps.into_iter().enumerate() {
                if write {
                    let all: Vec<u8> = (0..header + payload).map(|b| (b + n) as u8).collect();
                    let fits = used + all.len() + LENGTH <= 97;
                    prop_assert_eq!(producer.write(&all[..header], &all[header..]), fits);
                    if fits {
                        used += all.len() + LENGTH;
                        twin.push_back(all);
                    }
                } else if let Some(want) = twin.pop_front() {
                    prop_assert!(consumer.read(&mut out));
                    used -= want.len() + LENGTH;
                    prop_assert_eq!(&out, &want);
                } else {
                    prop_assert!(!consumer.read(&mut out));
                }
                prop_assert_eq!(consumer.len(), used);
                prop_assert_eq!(producer.free(), 97 - used);
            }
        }
    }
}
