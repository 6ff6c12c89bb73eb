//! The siege: a whole engine against exchanges that fail in every way at once.
//!
//! One built-in exchange a venue, up to twenty-one coins each, the full fault dial; one live engine with two feeds a
//! venue, one of them a pair, recording all the while. When the dial is off again and everything has healed:
//!
//! - every book is the exchange's told book, level by level, and no book waits;
//! - every trade that was received was applied exactly once, and one that was not received lies behind a `Gap`;
//! - every liquidation that was applied was told, and one that was told and not applied lies behind a `Gap`;
//! - every hole that was cut into a book was noticed;
//! - what was counted as a fault was one;
//! - memory did not grow, nothing panicked, the log said each thing once a second at most;
//! - the tape replays to the same state.
//!
//! `ISOTHERM_PROOF=full` runs ten million frames (a number: so many), at twelve times real time, and prints the rate.
//! What was received is read a second time from the tape by plain JSON (`witness`), and what was told by a second world
//! of the same seed.
#![allow(
    clippy::float_arithmetic,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test stops where it fails, and says how fast it was"
)]

mod host;
mod witness;

use host::{Host, PLANNED};
use isotherm::config::Plan;
use isotherm::event::{Event, Stream};
use isotherm::health::flag;
use isotherm::log::{Form, Level, Log};
use isotherm::replay::{self, Speed};
use isotherm::run::{self, Ended, Live};
use isotherm::shard::Shard;
use isotherm::shm::page::counter;
use isotherm::shm::reader::PageReader;
use isotherm::shm::record::Nowhere;
use isotherm::sim::Faults;
use isotherm::time::{Clock as _, Nanos, ScaledClock, WallClock, mono_now};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use witness::Witness;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Coins.
    pub(crate) coins: usize,
    /// Virtual seconds a second. Not flat out: nobody waits for the tape, and one that cannot follow ends.
    pub(crate) speed: u32,
    /// Frames of one connection over the siege, roughly.
    pub(crate) frames: u32,
    /// The siege lasts at least so long, and until so many frames were received.
    least: Duration,
    pub(crate) enough: u64,
    /// Faults that only time uncovers (silence) end after this.
    slow: Duration,
    /// How long it may take to heal, and how long it has to hold.
    heal: Duration,
    hold: Duration,
    /// What the process may grow by after the first third, bytes.
    slack: u64,
}

const BRIEF: Scale = Scale {
    coins: 12,
    speed: 6,
    frames: 8_000,
    least: Duration::from_secs(22),
    enough: 0,
    slow: Duration::from_millis(1_500),
    heal: Duration::from_secs(90),
    hold: Duration::from_millis(1_500),
    slack: 96 << 20,
};

const FULL: Scale = Scale {
    coins: 21,
    speed: 12,
    frames: 160_000,
    least: Duration::from_secs(60),
    enough: 10_000_000,
    slow: Duration::from_secs(20),
    heal: Duration::from_secs(400),
    hold: Duration::from_secs(35),
    slack: 192 << 20,
};

impl Scale {
    /// As the environment asks.
    fn asked() -> Self {
        match std::env::var("ISOTHERM_PROOF").ok().as_deref() {
            Some("full") => FULL,
            Some(frames) if frames.parse::<u64>().is_ok() => Self {
                enough: frames.parse().unwrap(),
                ..FULL
            },
            _ => BRIEF,
        }
    }
}

/// Lines of the log, kept.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// The engine as it is seen from outside.
struct Seen<'a> {
    live: &'a Live,
    page: PageReader,
    /// Flags of any symbol at any time.
    flags: u32,
}

impl Seen<'_> {
    fn value(&self, id: usize) -> u64 {
        self.page.counters().get(id).map_or(0, |c| c.value)
    }

    fn look(&mut self) -> u32 {
        assert!(self.live.is_alive(), "the shard's thread died");
        let all = 0..self.page.symbols().len();
        let now = all.fold(0, |all, at| {
            all | self.page.wide(at).map_or(0, |wide| wide.flags)
        });
        self.flags |= now;
        now
    }

    /// Passes time until `done`, or says what stands in the way.
    fn until(&mut self, within: Duration, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(
                begun.elapsed() < within,
                "waited in vain for {what}: {:?}, flags {:?}",
                self.page
                    .counters()
                    .iter()
                    .map(|c| (c.name.clone(), c.value))
                    .collect::<Vec<_>>(),
                flag::names(self.look()).collect::<Vec<_>>()
            );
            self.look();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every connection is there and no book is missing, for a while.
    fn heal(&mut self, within: Duration, hold: Duration) {
        let mut since = None;
        self.until(within, "healing", |seen| {
            let venues = (0..PLANNED.len()).map(|at| seen.page.venue(at).unwrap());
            let there = venues.into_iter().all(|venue| {
                // A frozen connection is up; that nothing comes from it has yet to be noticed.
                let heard = |stream: Stream| venue.heard_mono_ns[stream as usize - 1];
                let age = mono_now().get() - heard(Stream::Book).min(heard(Stream::Ticker));
                venue.feeds_up == venue.feeds && age < 3_000_000_000
            });
            let bad = flag::BOOK_UNTRUSTED | flag::DISCONNECTED;
            let well = there && seen.value(counter::BOOKS_WAITING) == 0 && seen.look() & bad == 0;
            if !well {
                since = None;
            }
            since.get_or_insert_with(Instant::now).elapsed() > hold && well
        });
    }

    /// Everything that was sent has been stepped.
    fn drained(&mut self) {
        let mut last = (0, Instant::now());
        self.until(Duration::from_secs(60), "the last frames", |seen| {
            let frames = seen.value(counter::FRAMES);
            if frames != last.0 {
                last = (frames, Instant::now());
            }
            last.1.elapsed() > Duration::from_millis(600)
        });
    }
}

fn plan(hosts: &[Host], folder: &Path) -> Plan {
    let mut plan = Plan::default();
    plan.engine.symbols = hosts[0].assets();
    plan.engine.page = folder.join("page");
    plan.engine.tape = Some(folder.join("tape"));
    plan.engine.warm_start = false;
    plan.engine.memory_max = 2 << 30;
    plan.feeds = hosts.iter().flat_map(Host::feeds).collect();
    plan.venues.clear();
    plan
}

#[test]
fn an_engine_under_siege_loses_nothing_unnoticed_and_ends_in_the_exchanges_books() {
    let scale = Scale::asked();
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let hosts: Vec<Host> = PLANNED
        .iter()
        .map(|planned| Host::start(planned, &scale))
        .collect();
    let speed = scale.speed;
    let clock = ScaledClock::start(hosts[0].open, speed);
    let plan = plan(&hosts, folder.path());
    let shard = Shard::new(&run::setup(&plan).unwrap()).unwrap();
    let lines = Lines::default();
    let log = Log::to(Level::Info, Form::Text, Box::new(lines.clone()), || {
        WallClock.now()
    });
    let live = run::start(&plan, shard, clock, speed, log).unwrap();
    let mut seen = Seen {
        page: PageReader::open(&live.page).unwrap(),
        live: &live,
        flags: 0,
    };
    eprintln!("siege: everything stands after {:?}", begun.elapsed());

    // The siege.
    let begun = Instant::now();
    let mut third = 0;
    let mut slow = true;
    let mut away = hosts
        .iter()
        .filter(|host| host.planned.strike.is_some())
        .collect::<Vec<_>>();
    loop {
        std::thread::sleep(Duration::from_millis(20));
        seen.look();
        let (gone, frames) = (begun.elapsed(), seen.value(counter::FRAMES));
        if slow && gone > scale.slow {
            slow = false;
            hosts
                .iter()
                .for_each(|host| host.handle.turn(host.planned.dial(&scale, false)));
        }
        let part = gone.as_secs_f64() / scale.least.as_secs_f64();
        let part = if scale.enough == 0 {
            part
        } else {
            part.min(frames as f64 / scale.enough as f64)
        };
        if part > 0.33 && third == 0 {
            third = resident();
        }
        if part > 0.5 {
            let struck = |host: &Host| host.planned.strike.map(|how| host.handle.strike(how));
            away.drain(..).for_each(|host| {
                struck(host);
            });
        }
        if part >= 1.0 {
            break;
        }
    }
    let rate = seen.value(counter::FRAMES) as f64 / begun.elapsed().as_secs_f64();
    eprintln!(
        "siege: {} frames in {:?}, {rate:.0} a second; resident {} MiB, after a third {} MiB",
        seen.value(counter::FRAMES),
        begun.elapsed(),
        resident() >> 20,
        third >> 20
    );
    let stormed = resident();

    // Peace.
    let healing = Instant::now();
    hosts.iter().for_each(|host| host.handle.turn(Faults::NONE));
    seen.heal(scale.heal, scale.hold);
    eprintln!("siege: healed in {:?}", healing.elapsed());
    let quiet = |hosts: &[Host]| {
        for host in hosts {
            assert!(
                host.handle.quiet(Duration::from_secs(60)),
                "{host:?} does not come to rest"
            );
        }
    };
    // What costs nothing may go on: all of it must arrive.
    hosts
        .iter()
        .for_each(|host| host.handle.turn(host.planned.harmless(&scale)));
    std::thread::sleep(Duration::from_secs(2));
    hosts.iter().for_each(|host| host.handle.turn(Faults::NONE));
    seen.heal(scale.heal, BRIEF.hold);
    quiet(&hosts);
    seen.drained();
    let flags = seen.flags;
    let faults = seen.value(counter::FAULTS);
    let duplicates = seen.value(counter::DUPLICATES);
    let waiting = seen.value(counter::BOOKS_WAITING);
    for counter in seen.page.counters() {
        eprint!("{}={} ", counter.name, counter.value);
    }
    eprintln!();
    drop(seen);
    let ended = live.stop().unwrap();
    assert_eq!(waiting, 0);
    assert!(flags & flag::GAP != 0 && flags & flag::BOOK_UNTRUSTED != 0);
    assert_eq!(ended.tape_whole, Some(true), "{:?}", ended.tape_failed);
    assert!(
        stormed < third + scale.slack,
        "{} MiB after {} MiB",
        stormed >> 20,
        third >> 20
    );
    said_once(&lines, begun.elapsed());
    for host in &hosts {
        eprintln!("siege: {host:?}: {:?}", host.injected());
        let [levels, cells] = host.refused(&ended.finished.shard);
        eprintln!(
            "siege: {host:?}: full tables: {levels} levels of books, {cells} cells of volume"
        );
        assert_eq!(levels, 0, "a told book fits");
    }

    let reading = Instant::now();
    let mut witness = Witness::of(&folder.path().join("tape"), &hosts, &plan);
    eprintln!(
        "siege: the tape read in {:?}: {:?}",
        reading.elapsed(),
        witness.counts()
    );
    let mut wrong = Vec::new();
    for host in &hosts {
        host.compare_books(&ended.finished.shard, &mut wrong);
        witness.compare(host, &mut wrong);
    }
    witness.compare_counts(
        faults,
        duplicates,
        &ended.finished.shard,
        &hosts,
        &mut wrong,
    );
    eprintln!("siege: {} things are wrong before the replay", wrong.len());
    replays(&ended, folder.path(), &plan, &mut wrong);
    let shown = wrong.len().min(60);
    if !wrong.is_empty() {
        let kept = folder.keep();
        eprintln!("siege: the tape is kept in {}", kept.display());
    }
    assert!(
        wrong.is_empty(),
        "{} things are wrong:\n{}",
        wrong.len(),
        wrong[..shown].join("\n")
    );
}

/// The tape gives the same state, and time alone clears what a gap has flagged.
fn replays(ended: &Ended, folder: &Path, plan: &Plan, wrong: &mut Vec<String>) {
    let begun = Instant::now();
    let shard = &ended.finished.shard;
    match replay::run(&folder.join("tape"), None, Speed::Max, &mut Nowhere) {
        Ok(outcome) => {
            if outcome.short || outcome.shard.bytes() != shard.bytes() {
                wrong.push("the tape replays to another state".into());
            }
            let rate = outcome.counts.frames as f64 / begun.elapsed().as_secs_f64();
            eprintln!(
                "siege: replayed in {:?}, {rate:.0} frames a second",
                begun.elapsed()
            );
        }
        Err(fault) => wrong.push(format!("the tape does not replay: {fault}")),
    }
    let mut later = Shard::restore(&run::setup(plan).unwrap(), shard.bytes()).unwrap();
    let at = later.now().plus(Nanos::seconds(120));
    later.step(&Event::tick(at), &mut Nowhere);
    for symbol in 0..plan.engine.symbols.len() {
        let flags = later.wide(symbol).unwrap().flags;
        if flags & (flag::GAP | flag::BOOK_UNTRUSTED | flag::DISCONNECTED) != 0 {
            let names: Vec<_> = flag::names(flags).collect();
            wrong.push(format!(
                "{} stays flagged: {names:?}",
                plan.engine.symbols[symbol]
            ));
        }
    }
}

/// A line tells when, how bad, what and with whom; each what and whom stands there once a second at most.
fn said_once(lines: &Lines, over: Duration) {
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let mut kinds: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ' ');
        let _when = parts.next();
        let _level = parts.next();
        let said = parts.next().unwrap_or_default().trim_start();
        let kind = said.split(':').next().unwrap_or_default();
        let entry = kinds.entry(kind).or_insert((0, said));
        entry.0 += 1;
        entry.1 = said;
    }
    for (kind, (times, last)) in &kinds {
        eprintln!("siege: {times} x {last}");
        assert!(
            *times <= over.as_secs() + 2,
            "{kind}: {times} times in {over:?}"
        );
    }
    assert!(!text.contains("panicked"));
}
