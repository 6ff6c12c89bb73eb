//! Bench: the real path on this machine: frames in memory, decoder, ring, the engine's own loop, page, reader.
//!
//! ```text
//!   this thread                          the engine's thread
//!   frame due -> Lane::frame -> ring ->  Engine: pop, step, publish -> page
//!        ^                                                               |
//!        +---- the reader: polls the headline line of the page <---------+
//! ```
//! *Latency* runs from the stamp at which a frame was due (so a late start counts) to the moment at which the reader
//! holds a headline that contains it. Beside it stands the *jitter* run: the same pacing loop with nothing in it,
//! which is what the machine itself adds. *Saturation* sends as fast as the ring takes it and checks that every event
//! arrived. No socket is in here: what a kernel costs is not ours to measure from inside.
//!
//! Latency and jitter run in rounds, and the *quietest* round (the lowest median) is told apart from all of them: a
//! neighbour that takes the core for a scheduler's slice ruins a round and says nothing about this program. Both
//! threads spin: with neighbours about, one that yields hands its core away for milliseconds every time it is idle.
//!
//! The shard is warmed with virtual hours of the built-in exchange, so books, map, zones and cards are those of a
//! running instance. Every part ends within the length it is given and a second.

use super::engine::{Engine, Finished, latencies};
use super::warm::Warm;
use super::{BUILD, RING, RunError};
use crate::event::{Event, Kind};
use crate::feed::taped::Taped;
use crate::idle::Strategy;
use crate::market::VenueId;
use crate::ring::{Consumer, Producer, channel};
use crate::shard::{Setup, Shard};
use crate::shm::page::counter;
use crate::shm::reader::{PageReader, ReadFault};
use crate::shm::writer::PageWriter;
use crate::sim::{Params, SimError, TopicKind, World};
use crate::sync::{Flag, spin};
use crate::tape::{self, Record};
use crate::time::{Clock, Nanos, ScaledClock};
use crate::venue::lane::Lane;
use crate::venue::{self, VenueError, texts};
use crate::wire::{Frame, SLACK};
use core_affinity::CoreId;
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// Frames of a load: few enough to stay in the cache that a socket's buffer would stay in.
const FRAMES: usize = 4_096;
/// Virtual hours that warm the shard.
const WARM_HOURS: i64 = 2;
/// Empty looks before this thread gives its processor away.
const PATIENCE: u32 = 1_000;
/// Rounds of a latency run.
const ROUNDS: u32 = 10;
/// How long over its time a part waits for what is under way.
const GRACE: Nanos = Nanos::SECOND;

/// Why the path cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The instance cannot run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The built-in exchange.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// The page cannot be read.
    #[error("the page: {0}")]
    Read(#[from] ReadFault),
    /// The recording.
    #[error(transparent)]
    Tape(#[from] tape::Error),
    /// The recording has no frame that yields an event.
    #[error("{0}: no frame in it that this build understands")]
    Nothing(String),
    /// Events went in that did not come out.
    #[error("{sent} events were sent and {stepped} were stepped")]
    Lost {
        /// Pushed into the ring.
        sent: u64,
        /// Stepped by the shard, without its ticks.
        stepped: u64,
    },
}

impl From<VenueError> for BenchError {
    fn from(fault: VenueError) -> Self {
        Self::Run(fault.into())
    }
}

/// Frames of one kind of traffic, each with its slack, played in a circle.
#[derive(Debug, Clone)]
pub struct Load {
    /// What it is, for people.
    pub name: String,
    room: Vec<u8>,
    /// Offset and length in `room`.
    at: Vec<(usize, usize)>,
}

impl Load {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            room: Vec::new(),
            at: Vec::new(),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.at.push((self.room.len(), bytes.len()));
        self.room.extend_from_slice(bytes);
        self.room.resize(self.room.len() + SLACK, 0);
    }

    fn frame(&mut self, number: usize) -> Option<Frame<'_>> {
        let (at, len) = *self.at.get(number)?;
        Frame::new(self.room.get_mut(at..)?, len)
    }

    /// Frames in it.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.at.len()
    }

    /// True when there is nothing to play.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Mean length of its frames in bytes.
    #[must_use]
    pub fn mean_bytes(&self) -> usize {
        let all: usize = self.at.iter().map(|(_, len)| len).sum();
        all / self.at.len().max(1)
    }

    /// Leaves out what yields no event in a second round (acknowledgements, other channels): it would never be seen.
    fn keep_visible(&mut self, lane: &mut Lane) {
        let mut keep = vec![false; self.at.len()];
        for _ in 0..2 {
            for (number, keep) in keep.iter_mut().enumerate() {
                *keep = self
                    .frame(number)
                    .is_some_and(|frame| !lane.frame(Nanos::SECOND, frame).is_empty());
            }
        }
        let mut kept = keep.into_iter();
        self.at.retain(|_| kept.next().unwrap_or(false));
    }
}

/// Percentiles of a latency in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile: on a shared machine the neighbours'.
    pub p999: u64,
    /// How many samples.
    pub samples: u64,
}

impl Tail {
    fn of(all: &Histogram<u64>) -> Self {
        if all.is_empty() {
            return Self::default();
        }
        Self {
            p50: all.value_at_quantile(0.5),
            p90: all.value_at_quantile(0.9),
            p99: all.value_at_quantile(0.99),
            p999: all.value_at_quantile(0.999),
            samples: all.len(),
        }
    }
}

/// A latency run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paced {
    /// From due to visible, all rounds.
    pub path: Tail,
    /// The same in the quietest round.
    pub quiet: Tail,
    /// Decoder and push alone, as this thread saw them.
    pub decode: Tail,
    /// Frames that were not seen before the run ended.
    pub unseen: u64,
}

/// A saturation run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flood {
    /// Frames sent.
    pub frames: u64,
    /// Events they held, each stepped.
    pub events: u64,
    /// Headlines published.
    pub headlines: u64,
    /// From the first frame to the last headline.
    pub took: Nanos,
}

impl Flood {
    /// Frames a second.
    #[must_use]
    pub fn frames_per_second(&self) -> u64 {
        per_second(self.frames, self.took)
    }
    /// Headlines a second.
    #[must_use]
    pub fn headlines_per_second(&self) -> u64 {
        per_second(self.headlines, self.took)
    }
    /// Events a second.
    #[must_use]
    pub fn events_per_second(&self) -> u64 {
        per_second(self.events, self.took)
    }
}

fn per_second(count: u64, took: Nanos) -> u64 {
    let took = u128::from(took.get().max(1).unsigned_abs());
    u64::try_from(u128::from(count) * 1_000_000_000 / took).unwrap_or(u64::MAX)
}

/// A warmed shard and what to send it.
#[derive(Debug)]
pub struct Track {
    shard: Option<Shard>,
    symbols: Vec<String>,
    pinned: Option<(CoreId, CoreId)>,
    /// The traffic: what an exchange sends, and single kinds of it.
    pub loads: Vec<Load>,
}

impl Track {
    /// BTC of the built-in exchange, warmed by hours of it.
    ///
    /// # Errors
    /// The exchange cannot be made, or the shard.
    pub fn exchange(seed: u64) -> Result<Self, BenchError> {
        let mut world = World::new(seed, Params::only(&["BTCUSDT"]))?;
        let symbols = vec!["BTC".to_string()];
        let shard = warmed(&mut world, &symbols)?;
        let mut loads = [
            Load::new("books, trades, tickers"),
            Load::new("single trades"),
            Load::new("trades"),
            Load::new("books"),
            Load::new("tickers"),
        ];
        let topics: Vec<_> = world.topics().collect();
        let [mix, single, trades, books, tickers] = &mut loads;
        let mut sort = |kind: TopicKind, text: &str| {
            let text = text.as_bytes();
            let one = match kind {
                TopicKind::Trades => Some(&mut *trades),
                TopicKind::Book => Some(&mut *books),
                TopicKind::Ticker => Some(&mut *tickers),
                TopicKind::Liquidation => None,
                _ => return,
            };
            let alone = kind == TopicKind::Trades && text.len() < 300;
            let all = [Some(&mut *mix), one, alone.then_some(&mut *single)];
            for load in all.into_iter().flatten() {
                if load.len() < FRAMES {
                    load.push(text);
                }
            }
        };
        for topic in topics {
            world.snapshot_frames(topic, &mut |frame| sort(topic.kind, frame.text));
        }
        // Enough for the rarest kind; what a load has no room for is passed over.
        let until = world.now().plus(Nanos::new(Nanos::MINUTE.get() * 20));
        world.advance(until, &mut |frame| sort(frame.topic.kind, frame.text));
        Self::new(shard, symbols, loads.into())
    }

    /// The frames of a recorded session or tape, in the shard that its subscriptions ask for.
    ///
    /// # Errors
    /// A recording that cannot be read, or has nothing for us.
    pub fn recorded(path: &Path) -> Result<Self, BenchError> {
        let nothing = || BenchError::Nothing(path.display().to_string());
        let mut source = tape::open(path)?;
        let symbols = match source.header() {
            Some(header) => header.plan.symbols.clone(),
            None => {
                let found = tape::subscriptions(path)?;
                let place = found.places.first().ok_or_else(nothing)?;
                let row = venue::by_name(place.venue.unwrap_or_default()).ok_or_else(nothing)?;
                texts::assets_of(row, &place.topics)
            }
        };
        let mut load = Load::new("recorded");
        while let Some(record) = source.next_record()? {
            if let Record::Frame { bytes, .. } = record {
                load.push(bytes);
            }
        }
        let mut shard =
            Shard::new(&Setup::new(symbols.clone(), &[VenueId::BYBIT])).map_err(RunError::from)?;
        let mut lane = Lane::new(VenueId::BYBIT, &symbols, 0)?;
        let begun = Nanos::SECOND;
        for number in 0..load.len() {
            if let Some(frame) = load.frame(number) {
                for event in lane.frame(begun, frame) {
                    shard.step(event, &mut crate::shm::record::Nowhere);
                }
            }
        }
        let track = Self::new(shard, symbols, vec![load])?;
        if track.loads.iter().any(Load::is_empty) {
            return Err(nothing());
        }
        Ok(track)
    }

    fn new(shard: Shard, symbols: Vec<String>, mut loads: Vec<Load>) -> Result<Self, BenchError> {
        for load in &mut loads {
            load.keep_visible(&mut Lane::new(VenueId::BYBIT, &symbols, 0)?);
        }
        loads.retain(|load| !load.is_empty());
        Ok(Self {
            shard: Some(shard),
            symbols,
            loads,
            pinned: two_cores(),
        })
    }

    /// Due to visible at `rate` frames a second for `length`.
    ///
    /// # Errors
    /// The page, a thread.
    pub fn latency(&mut self, load: usize, rate: u32, length: Nanos) -> Result<Paced, BenchError> {
        let mut run = self.start(load)?;
        let paced = rounds(&mut run, rate, length);
        // Stopped in any case: a run that is only dropped would leave its page behind.
        self.shard = Some(run.stop()?.shard);
        paced
    }

    /// As fast as it goes for `length`.
    ///
    /// # Errors
    /// The page, a thread; [`BenchError::Lost`].
    pub fn saturation(&mut self, load: usize, length: Nanos) -> Result<Flood, BenchError> {
        let mut run = self.start(load)?;
        let inputs = |shard: &Shard| shard.input_seq() - shard.count(Kind::Tick);
        let before = run.inputs;
        let begun = run.clock.now();
        let (frames, sent) = flood(&mut run, length);
        let clock = run.clock;
        let reader = PageReader::open(&run.path)?;
        let finished = run.stop()?;
        let took = clock.now().since(begun);
        let stepped = inputs(&finished.shard) - before;
        self.shard = Some(finished.shard);
        if stepped != sent {
            return Err(BenchError::Lost { sent, stepped });
        }
        // The page is gone by now; its last words can still be read where it was mapped.
        let headlines = reader
            .counters()
            .get(counter::HEADLINES)
            .map_or(0, |c| c.value);
        Ok(Flood {
            frames,
            events: sent,
            headlines,
            took,
        })
    }

    fn start(&mut self, load: usize) -> Result<Run, BenchError> {
        let Some((shard, load)) = self.shard.take().zip(self.loads.get(load).cloned()) else {
            return Err(BenchError::Run(RunError::Died("shard")));
        };
        Run::start(shard, &self.symbols, load, self.pinned)
    }
}

/// One core for each thread: left alone, a loaded machine likes to put both on one. Asked once: a pinned thread is
/// told of its own core only.
fn two_cores() -> Option<(CoreId, CoreId)> {
    let cores = core_affinity::get_core_ids()?;
    let (here, there) = (*cores.first()?, *cores.last()?);
    (here.id != there.id).then_some((here, there))
}

/// A shard as it is after hours of the exchange.
fn warmed(world: &mut World, symbols: &[String]) -> Result<Shard, BenchError> {
    let mut shard =
        Shard::new(&Setup::new(symbols.to_vec(), &[VenueId::BYBIT])).map_err(RunError::from)?;
    let until = world.now().plus(Nanos::new(Nanos::HOUR.get() * WARM_HOURS));
    let mut warm = Warm::connect(world, &mut shard, symbols)?;
    warm.advance(world, &mut shard, until);
    Ok(shard)
}

/// An engine that runs, and this thread's ends of it.
struct Run {
    load: Load,
    next: usize,
    lane: Lane,
    to: Producer<Event>,
    page: PageReader,
    path: std::path::PathBuf,
    clock: ScaledClock,
    stop: Arc<Flag>,
    thread: std::thread::JoinHandle<Finished>,
    /// Events of the shard before the run, ticks not counted.
    inputs: u64,
}

impl Run {
    fn start(
        shard: Shard,
        symbols: &[String],
        load: Load,
        pinned: Option<(CoreId, CoreId)>,
    ) -> Result<Self, BenchError> {
        let path = crate::shm::path_of(&format!("bench-{}", std::process::id()));
        let page = PageWriter::create(&path, symbols, BUILD).map_err(RunError::from)?;
        let (to, from): (_, Consumer<Event>) = channel(RING);
        // Time goes on from where the shard stands, at its own pace.
        let clock = ScaledClock::start(shard.now().plus(Nanos::SECOND), 1);
        let stop = Arc::new(Flag::default());
        let inputs = shard.input_seq() - shard.count(Kind::Tick);
        let engine = Engine {
            shard,
            rings: vec![from],
            page,
            said: Default::default(),
            journal: Taped::new(0, None),
            tallies: Vec::new(),
            seats: Vec::new(),
            slow: Arc::default(),
            proof: Default::default(),
            clock,
            speed: 1,
            idle: Strategy::Spin,
            told: Arc::default(),
            taped: Arc::default(),
            stop: Arc::clone(&stop),
        };
        let reader = PageReader::open(&path)?;
        let core = pinned.and_then(|(here, there)| {
            core_affinity::set_for_current(here).then_some(())?;
            u32::try_from(there.id).ok()
        });
        let thread = super::spawn("shard", core, move || engine.run())?;
        Ok(Self {
            load,
            next: 0,
            lane: Lane::new(VenueId::BYBIT, symbols, 0)?,
            to,
            page: reader,
            path,
            clock,
            stop,
            thread,
            inputs,
        })
    }

    /// Decodes the next frame and pushes its group, waiting for room; the group's symbol and its events. The last
    /// group of a full circle meets the first of the next: its snapshots begin every chain anew.
    fn send(&mut self, recv: Nanos) -> (usize, u64) {
        let number = self.next;
        self.next = (number + 1) % self.load.len().max(1);
        let Some(frame) = self.load.frame(number) else {
            return (0, 0);
        };
        let group = self.lane.frame(recv, frame);
        let mut tries = 0;
        while !self.to.push_all(group) {
            wait(&mut tries);
        }
        let symbol = group.first().map_or(0, |event| event.symbol.0.into());
        (symbol, group.len() as u64)
    }

    fn stop(self) -> Result<Finished, RunError> {
        self.stop.raise();
        self.thread.join().map_err(|_| RunError::Died("shard"))
    }
}

/// One fruitless look.
fn wait(tries: &mut u32) {
    *tries += 1;
    if *tries < PATIENCE {
        spin();
    } else {
        std::thread::yield_now();
    }
}

/// Nanoseconds from `then` to `now`, at least 1.
fn lag(now: Nanos, then: Nanos) -> u64 {
    now.since(then).get().max(1).unsigned_abs()
}

/// Rounds, together and the best of them.
struct Rounds {
    all: Histogram<u64>,
    quiet: Tail,
}

impl Rounds {
    fn new() -> Self {
        Self {
            all: latencies(),
            quiet: Tail::default(),
        }
    }

    fn add(&mut self, round: &Histogram<u64>) {
        // Both have the same bounds, so it fits.
        let _ = self.all.add(round);
        let tail = Tail::of(round);
        if tail.samples > 0 && (self.quiet.samples == 0 || tail.p50 < self.quiet.p50) {
            self.quiet = tail;
        }
    }
}

fn part(length: Nanos) -> Nanos {
    Nanos::new(length.get() / i64::from(ROUNDS))
}

fn step_of(rate: u32) -> Nanos {
    Nanos::new(Nanos::SECOND.get() / i64::from(rate.max(1)))
}

fn rounds(run: &mut Run, rate: u32, length: Nanos) -> Result<Paced, BenchError> {
    let mut rounds = Rounds::new();
    let (mut decode, mut unseen) = (latencies(), 0);
    for _ in 0..ROUNDS {
        let (path, missed) = pace(run, rate, part(length), &mut decode)?;
        rounds.add(&path);
        unseen += missed;
    }
    Ok(Paced {
        path: Tail::of(&rounds.all),
        quiet: rounds.quiet,
        decode: Tail::of(&decode),
        unseen,
    })
}

/// One round: from due to visible, and how many were not seen in time.
fn pace(
    run: &mut Run,
    rate: u32,
    length: Nanos,
    decode: &mut Histogram<u64>,
) -> Result<(Histogram<u64>, u64), BenchError> {
    let step = step_of(rate);
    let mut path = latencies();
    let mut waiting: VecDeque<(Nanos, usize)> = VecDeque::with_capacity(1 << 16);
    let mut due = run.clock.now().plus(Nanos::MILLI);
    let end = due.plus(length);
    // The first tenth warms caches and clocks up.
    let warm = due.plus(Nanos::new(length.get() / 10));
    let mut tries = 0;
    loop {
        let now = run.clock.now();
        if now >= due && due < end {
            let (symbol, events) = run.send(due);
            if events > 0 {
                waiting.push_back((due, symbol));
            }
            decode.saturating_record(lag(run.clock.now(), now));
            due = due.plus(step);
            tries = 0;
        }
        while let Some(&(sent, symbol)) = waiting.front() {
            // Ticks publish too, with stamps of their own; one that overtakes a frame in the ring is one in
            // thousands and shows it some nanoseconds early.
            match run.page.headline(symbol, 0) {
                Ok(headline) if headline.recv_ns >= sent.get() => {}
                // Not yet, or the writer lost its processor in the middle of it.
                Ok(_) | Err(ReadFault::WriterStalled) => break,
                Err(fault) => return Err(fault.into()),
            }
            let seen = run.clock.now();
            waiting.pop_front();
            if sent > warm {
                path.saturating_record(lag(seen, sent));
            }
            tries = 0;
        }
        if due >= end && (waiting.is_empty() || now > end.plus(GRACE)) {
            return Ok((path, waiting.len() as u64));
        }
        wait(&mut tries);
    }
}

/// What the machine adds: the pacing loop of a latency run with nothing in it; all rounds, and the quietest.
#[must_use]
pub fn jitter(rate: u32, length: Nanos) -> (Tail, Tail) {
    let mut rounds = Rounds::new();
    for _ in 0..ROUNDS {
        rounds.add(&idle_round(rate, part(length)));
    }
    (Tail::of(&rounds.all), rounds.quiet)
}

fn idle_round(rate: u32, length: Nanos) -> Histogram<u64> {
    let step = step_of(rate);
    let clock = ScaledClock::start(Nanos::SECOND, 1);
    let mut all = latencies();
    let mut due = clock.now().plus(Nanos::MILLI);
    let end = due.plus(length);
    let mut tries = 0;
    while due < end {
        let now = clock.now();
        if now >= due {
            all.saturating_record(lag(now, due));
            due = due.plus(step);
            tries = 0;
        }
        wait(&mut tries);
    }
    all
}

/// Sends for `length`; frames and events sent.
fn flood(run: &mut Run, length: Nanos) -> (u64, u64) {
    let end = run.clock.now().plus(length);
    let (mut frames, mut events) = (0, 0);
    loop {
        let recv = run.clock.now();
        if recv >= end {
            return (frames, events);
        }
        // One stamp a read, as a feed does: a busy socket gives many frames at once.
        for _ in 0..64 {
            events += run.send(recv).1;
            frames += 1;
        }
    }
}
