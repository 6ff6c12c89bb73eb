//! slot: what a headline costs: put and get alone, thread to thread, process to process through a
//! page, and the floor.
//!
//!     cargo bench --bench slot
//!
//! The second process is this same program, started again with a variable that names the pages'
//! folder.

#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(missing_docs, reason = "a bench")]

use isotherm::measure::{Pages, Spread, floor, serve, slot, slot_alone};
use isotherm::time::{Nanos, mono_now};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

const CHILD: &str = "ISOTHERM_BENCH_SLOT_CHILD";
const ROUNDS: usize = 5;
const LENGTH: Nanos = Nanos::new(300_000_000);
const PATIENCE: Nanos = Nanos::new(3_000_000_000);

struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One hop of a headline between two processes.
fn across(dir: &Path) -> Spread {
    let Ok(program) = std::env::current_exe() else {
        return Spread::default();
    };
    let Ok(child) = Command::new(program).env(CHILD, dir).spawn() else {
        return Spread::default();
    };
    let _other = Other(child);
    let until = mono_now().plus(PATIENCE);
    match Pages::meet(&dir.join("ping"), &dir.join("pong"), until) {
        Some(mut pages) => serve(&mut pages, LENGTH),
        None => Spread::default(),
    }
}

fn quietest(rounds: &[Spread]) -> Spread {
    rounds
        .iter()
        .copied()
        .filter(|s| s.samples > 0)
        .min_by_key(|s| s.p50)
        .unwrap_or_default()
}

fn main() {
    if let Ok(dir) = std::env::var(CHILD) {
        let dir = PathBuf::from(dir);
        let until = mono_now().plus(PATIENCE).plus(LENGTH);
        if let Some(mut pages) = Pages::meet(&dir.join("pong"), &dir.join("ping"), until) {
            pages.echo(until);
        }
        return;
    }
    let (put, get) = slot_alone(LENGTH);
    println!("put, line in own cache       {put}");
    println!("get, line in own cache       {get}");
    let mut rounds = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        rounds[0].push(floor(LENGTH));
        rounds[1].push(slot(LENGTH));
        let base = Path::new("/dev/shm");
        let base = if base.is_dir() {
            base.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let dir = base.join(format!(
            "isotherm-bench-slot.{}.{round}",
            std::process::id()
        ));
        if std::fs::create_dir(&dir).is_ok() {
            rounds[2].push(across(&dir));
            let _ = std::fs::remove_dir_all(&dir);
        }
    }
    let best = rounds.map(|all| quietest(&all));
    let names = [
        "floor: one word, one line",
        "slot, two threads",
        "page, two processes",
    ];
    println!("one way, 64 B, best of {ROUNDS} interleaved rounds");
    for (name, spread) in names.iter().zip(&best) {
        let percent = spread.percent_of(&best[0]);
        println!(
            "{name:<28} {spread}  {}.{:02}x floor",
            percent / 100,
            percent % 100
        );
    }
}
