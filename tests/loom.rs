//! The slot under a model checker: every interleaving and every reordering the memory model admits,
//! at small sizes.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release --test loom --target-dir target/loom
//! ```

#![cfg(loom)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where it fails, and says what it saw"
)]

use isotherm::shm::slot::{Slot, WriterStalled};
use isotherm::sync::AtomicU64;
use loom::sync::Arc;
use loom::thread;

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
        match slot::<2>(&memory[..]).get() {
            Ok([a, b]) => assert_eq!(a, b, "torn"),
            Err(WriterStalled) => {}
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
        use isotherm::sync::Ordering;
        let memory = cells::<3>();
        let shared = memory.clone();
        let writer = thread::spawn(move || {
            // Killed after the first word of its second record.
            slot::<2>(&shared[..]).put(&[1, 1]);
            shared[0].store(3, Ordering::Relaxed);
            isotherm::sync::fence(Ordering::Release);
            shared[1].store(2, Ordering::Relaxed);
        });
        match slot::<2>(&memory[..]).get() {
            Ok([a, b]) => assert_eq!(a, b, "torn"),
            Err(WriterStalled) => {}
        }
        writer.join().unwrap();
        assert_eq!(slot::<2>(&memory[..]).get(), Err(WriterStalled));
    });
}
