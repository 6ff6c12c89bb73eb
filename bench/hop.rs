//! hop: one cache line from core to core: the floor, our ring, crossbeam's ArrayQueue, in turns,
//! one run.
//!
//!     cargo bench --bench hop
//!
//! Read the ratios; the nanoseconds belong to the machine.

#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(missing_docs, reason = "a bench")]

use crossbeam::queue::ArrayQueue;
use isotherm::measure::{Side, Spread, floor, hop, ping_pong};
use isotherm::time::Nanos;
use std::sync::Arc;

const ROUNDS: usize = 5;
const LENGTH: Nanos = Nanos::new(400_000_000);

struct Queues {
    out: Arc<ArrayQueue<[u64; 8]>>,
    back: Arc<ArrayQueue<[u64; 8]>>,
}

impl Side for Queues {
    fn send(&mut self, number: u64) {
        let _ = self.out.push([number; 8]);
    }
    fn receive(&mut self) -> Option<u64> {
        self.back.pop().map(|line| line[7])
    }
}

fn crossbeam(length: Nanos) -> Spread {
    let (one, two) = (
        Arc::new(ArrayQueue::new(1024)),
        Arc::new(ArrayQueue::new(1024)),
    );
    let here = Queues {
        out: one.clone(),
        back: two.clone(),
    };
    ping_pong(
        here,
        Queues {
            out: two,
            back: one,
        },
        length,
    )
}

/// The round with the lowest median: the one with the fewest neighbours in it.
fn quietest(rounds: &[Spread]) -> Spread {
    rounds
        .iter()
        .copied()
        .filter(|s| s.samples > 0)
        .min_by_key(|s| s.p50)
        .unwrap_or_default()
}

fn main() {
    type Contender = (&'static str, fn(Nanos) -> Spread);
    let contenders: [Contender; 3] = [
        ("floor: one word, one line", floor),
        ("ring (rtrb)", hop),
        ("crossbeam ArrayQueue", crossbeam),
    ];
    let mut rounds = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for ((_, measure), all) in contenders.iter().zip(&mut rounds) {
            all.push(measure(LENGTH));
        }
    }
    let best = rounds.map(|all| quietest(&all));
    println!("one way, 64 B, best of {ROUNDS} interleaved rounds");
    for ((name, _), spread) in contenders.iter().zip(&best) {
        let percent = spread.percent_of(&best[0]);
        println!(
            "{name:<28} {spread}  {}.{:02}x floor",
            percent / 100,
            percent % 100
        );
    }
    let percent = best[2].percent_of(&best[1]);
    println!("crossbeam / ring: {}.{:02}x", percent / 100, percent % 100);
}
