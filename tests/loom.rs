//! The slot under a model checker: every interleaving and every reordering the memory model admits,
//! at small sizes. The sources are the library's own files, built here with the model's atomics.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where it fails, and says what it saw"
)]

use isotherm::shm::page::Region;
use loom::sync::Arc;
use loom::thread;
use shm::broadcast::{Broadcast, Lapped};
use shm::slot::{Slot, WriterStalled};
use sync::{AtomicU64, Ordering, fence};

/// What the library's files know as `crate::sync`.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
    pub(crate) use loom::thread::yield_now as spin;
    pub(crate) const RETRIES: u32 = 2;
}

#[allow(
    dead_code,
    unreachable_pub,
    reason = "a library's files: not all of it is modelled, and none of it is exported here"
)]
#[path = "../src/shm"]
mod shm {
    pub(crate) mod broadcast;
    pub(crate) use isotherm::shm::page;
    pub(crate) mod slot;
}

fn cells<const N: usize>() -> Arc<[AtomicU64; N]> {
    Arc::new(std::array::from_fn(|_| AtomicU64::new(0)))
}

fn slot<const N: usize>(cells: &[AtomicU64]) -> Slot<'_, N> {
    Slot::at(cells).unwrap()
}

#[test]
fn no_half_record_is_ever_accepted() {
    loom::model(|| {
        let memory = cells::<3>();
        let shared = memory.clone();
        let writer = thread::spawn(move || {
            slot::<2>(&shared[..]).put(&[1, 1]);
            slot::<2>(&shared[..]).put(&[2, 2]);
        });
        // The model ends only if the reader does.
        if let Ok([a, b]) = slot::<2>(&memory[..]).get() {
            assert_eq!(a, b, "torn");
        }
        writer.join().unwrap();
        assert_eq!(slot::<2>(&memory[..]).get(), Ok([2, 2]));
    });
}

#[test]
fn a_reader_never_goes_back() {
    loom::model(|| {
        let memory = cells::<2>();
        let shared = memory.clone();
        let writer = thread::spawn(move || {
            slot::<1>(&shared[..]).put(&[1]);
            slot::<1>(&shared[..]).put(&[2]);
        });
        let first = slot::<1>(&memory[..]).get();
        let second = slot::<1>(&memory[..]).get();
        if let (Ok([first]), Ok([second])) = (first, second) {
            assert!(second >= first, "an older record after a newer one");
        }
        writer.join().unwrap();
    });
}

#[test]
fn two_readers_do_not_disturb_each_other() {
    // Three threads: all schedules with at most two preemptions, which keeps it within seconds.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let memory = cells::<3>();
        let read = |memory: Arc<[AtomicU64; 3]>| {
            move || {
                if let Ok([a, b]) = slot::<2>(&memory[..]).get() {
                    assert_eq!(a, b, "torn");
                }
            }
        };
        let one = thread::spawn(read(memory.clone()));
        let two = thread::spawn(read(memory.clone()));
        slot::<2>(&memory[..]).put(&[1, 1]);
        one.join().unwrap();
        two.join().unwrap();
    });
}

#[test]
fn what_a_writer_left_in_the_middle_is_reported() {
    loom::model(|| {
        let memory = cells::<3>();
        let shared = memory.clone();
        let writer = thread::spawn(move || {
            // Killed after the first word of its second record.
            slot::<2>(&shared[..]).put(&[1, 1]);
            shared[0].store(3, Ordering::Relaxed);
            fence(Ordering::Release);
            shared[1].store(2, Ordering::Relaxed);
        });
        if let Ok([a, b]) = slot::<2>(&memory[..]).get() {
            assert_eq!(a, b, "torn");
        }
        writer.join().unwrap();
        assert_eq!(slot::<2>(&memory[..]).get(), Err(WriterStalled));
    });
}

/// Two places of one turn and two words each, behind the word of the newest number.
fn ring(cells: &[AtomicU64]) -> Broadcast<'_, 2> {
    let region = Region {
        offset: 8,
        stride: 24,
        count: 2,
        per_symbol: 0,
    };
    Broadcast::at(cells, 0, &region).unwrap()
}

#[test]
fn a_number_of_the_ring_is_that_event_or_lapped_and_what_is_newest_is_there() {
    loom::model(|| {
        let memory = cells::<7>();
        let shared = memory.clone();
        let writer = thread::spawn(move || {
            for number in 1..=3 {
                ring(&shared[..]).put(&[number, number * 7]);
            }
        });
        let newest = ring(&memory[..]).newest();
        match ring(&memory[..]).get(1) {
            Ok(Some(Ok(record))) => assert_eq!(record, [1, 7]),
            // The third took its place.
            Ok(Some(Err(Lapped))) | Err(WriterStalled) => {}
            Ok(None) => assert_eq!(newest, 0, "it was said, and is not there"),
        }
        writer.join().unwrap();
        assert_eq!(ring(&memory[..]).get(1), Ok(Some(Err(Lapped))));
        assert_eq!(ring(&memory[..]).get(3), Ok(Some(Ok([3, 21]))));
        assert_eq!(ring(&memory[..]).get(4), Ok(None));
    });
}
