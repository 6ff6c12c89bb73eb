//! Slot and broadcast with the machine's atomics. Their files hold no tests, because `tests/loom.rs` reads them as
//! well, with the model's atomics.

use super::broadcast::{Broadcast, Lapped};
use super::page::Region;
use super::slot::{Slot, WriterStalled};
use crate::sync::{AtomicU64, Ordering};

fn words(words: usize) -> Vec<AtomicU64> {
    (0..words).map(|_| AtomicU64::new(0)).collect()
}

#[test]
fn what_was_put_is_what_is_got() {
    let cells = words(4);
    let slot = Slot::<3>::at(&cells).unwrap();
    assert_eq!(slot.get(), Ok([0; 3]));
    slot.put(&[1, 2, 3]);
    slot.put(&[4, 5, 6]);
    assert_eq!((slot.get(), slot.turns()), (Ok([4, 5, 6]), 2));
    assert!(Slot::<4>::at(&cells).is_none());
}

#[test]
fn a_writer_that_died_in_the_middle_is_reported_not_waited_for() {
    let cells = words(4);
    let slot = Slot::<3>::at(&cells).unwrap();
    slot.put(&[1, 2, 3]);
    cells[0].store(3, Ordering::Relaxed);
    assert_eq!(slot.get(), Err(WriterStalled));
}

#[test]
fn two_threads_never_show_half_a_record() {
    let cells = words(28);
    let slot = Slot::<27>::at(&cells).unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_millis(300);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut n = 0u64;
            while std::time::Instant::now() < until {
                for _ in 0..1000 {
                    n += 1;
                    slot.put(&[n; 27]);
                }
                std::thread::yield_now();
            }
        });
        let (mut last, mut whole) = (0, 0u64);
        while std::time::Instant::now() < until {
            if let Ok(copy) = slot.get() {
                assert!(copy.iter().all(|word| *word == copy[0]), "torn: {copy:?}");
                assert!(copy[0] >= last, "records went back");
                last = copy[0];
                whole += 1;
            }
        }
        assert!(whole > 100, "the reader was starved: {whole}");
    });
}

const PLACES: u32 = 4;

fn ring() -> (Vec<AtomicU64>, Region) {
    let cells = (0..1 + 3 * PLACES).map(|_| AtomicU64::new(0)).collect();
    let region = Region {
        offset: 8,
        stride: 24,
        count: PLACES,
        per_symbol: 0,
    };
    (cells, region)
}

#[test]
fn every_number_is_there_overwritten_or_to_come() {
    let (cells, region) = ring();
    let ring = Broadcast::<2>::at(&cells, 0, &region).unwrap();
    assert_eq!((ring.newest(), ring.get(1)), (0, Ok(None)));
    for number in 1..=10 {
        ring.put(&[number, number * 7]);
        for asked in 0..=number + 1 {
            let want = match asked {
                0 => None,
                _ if asked > number => None,
                _ if asked + u64::from(PLACES) <= number => Some(Err(Lapped)),
                _ => Some(Ok([asked, asked * 7])),
            };
            assert_eq!(ring.get(asked), Ok(want), "{asked} of {number}");
        }
    }
}

#[test]
fn a_ring_goes_on_where_another_one_ended() {
    let (cells, region) = ring();
    let ring = Broadcast::<2>::at(&cells, 0, &region).unwrap();
    ring.put(&[7_001, 1]);
    assert_eq!(ring.get(7_000), Ok(Some(Err(Lapped))));
    assert_eq!(ring.get(7_001), Ok(Some(Ok([7_001, 1]))));
    assert_eq!(ring.get(7_002), Ok(None));
}

#[test]
fn a_ring_that_is_not_all_there_is_none() {
    let (cells, region) = ring();
    assert!(Broadcast::<3>::at(&cells, 0, &region).is_none());
    assert!(Broadcast::<2>::at(&cells[..12], 0, &region).is_none());
    assert!(Broadcast::<2>::at(&cells, 99, &region).is_none());
    let empty = Region { count: 0, ..region };
    assert!(Broadcast::<2>::at(&cells, 0, &empty).is_none());
}
