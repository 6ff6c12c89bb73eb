//! The rings under load: two threads, about two seconds in all, every item checked (rulings 21: a
//! model checker cannot see inside rtrb).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where it fails, and says what it saw"
)]

use bytemuck::{Pod, Zeroable};
use isotherm::ring;
use std::thread;
use std::time::{Duration, Instant};

/// A cache line whose words all follow from its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u64; 8]);

impl Line {
    fn of(n: u64) -> Self {
        Self(std::array::from_fn(|word| {
            n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(word as u32)
        }))
    }
}

fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

const LENGTH: Duration = Duration::from_millis(700);
/// On a loaded machine a ring of two is handed on once a turn of the scheduler: it goes on until so many were sent.
const LEAST: u64 = 1_000;

/// Runs of any length, single pushes, a small ring that is full or empty most of the time.
fn stress_lines(capacity: usize) -> u64 {
    let (mut producer, mut consumer) = ring::channel::<Line>(capacity);
    let until = Instant::now() + LENGTH;
    let feeder = thread::spawn(move || {
        let (mut sent, mut seed) = (0u64, 7u64);
        let mut run = Vec::with_capacity(capacity);
        while Instant::now() < until || sent <= LEAST {
            for _ in 0..64 {
                let wanted = 1 + next(&mut seed) as usize % capacity;
                run.clear();
                run.extend((0..wanted as u64).map(|n| Line::of(sent + n)));
                let free = producer.free();
                if wanted == 1 {
                    sent += u64::from(producer.push(run[0]));
                } else if producer.push_all(&run) {
                    sent += wanted as u64;
                } else {
                    // Nothing of a refused run may have gone in: the order below would show it.
                    assert!(free < wanted, "a run that fits was refused");
                    thread::yield_now();
                }
            }
        }
        sent
    });
    let mut got = 0u64;
    loop {
        let over = consumer.is_abandoned();
        let mut any = false;
        while let Some(line) = consumer.pop() {
            assert_eq!(line, Line::of(got), "lost, doubled or torn");
            got += 1;
            any = true;
        }
        if !any {
            if over {
                break;
            }
            thread::yield_now();
        }
    }
    assert_eq!(feeder.join().unwrap(), got);
    got
}

#[test]
fn events_arrive_once_whole_and_in_order() {
    for capacity in [2, 61, 4096] {
        let got = stress_lines(capacity);
        assert!(got > LEAST, "only {got} through a ring of {capacity}");
    }
}

#[test]
fn frames_arrive_once_whole_and_in_order() {
    let (mut producer, mut consumer) = ring::byte_channel(4099);
    let until = Instant::now() + LENGTH;
    let frame = |n: u64| -> (Vec<u8>, Vec<u8>) {
        let mut seed = n | 1;
        let len = next(&mut seed) as usize % 700;
        (
            n.to_le_bytes().to_vec(),
            (0..len).map(|at| (n as usize + at) as u8).collect(),
        )
    };
    let feeder = thread::spawn(move || {
        let mut sent = 0u64;
        while Instant::now() < until || sent <= LEAST {
            for _ in 0..64 {
                let (header, payload) = frame(sent);
                if producer.write(&header, &payload) {
                    sent += 1;
                } else {
                    thread::yield_now();
                }
            }
        }
        sent
    });
    let (mut got, mut into) = (0u64, Vec::new());
    loop {
        let over = consumer.is_abandoned();
        let mut any = false;
        while consumer.read(&mut into) {
            let (mut want, payload) = frame(got);
            want.extend_from_slice(&payload);
            assert_eq!(into, want, "lost, doubled or torn");
            got += 1;
            any = true;
        }
        if !any {
            if over {
                break;
            }
            thread::yield_now();
        }
    }
    assert_eq!(feeder.join().unwrap(), got);
    assert!(got > LEAST, "only {got} frames");
}
