//! No memory after warm-up: decoder, shard, page writer, and the real feed and shard threads of a live instance neither
//! ask for memory nor give any back.
//!
//! The allocator of this test counts what a thread does while it is armed, and says where the first time was. Threads
//! of a live instance are armed through the clock they are given: it is asked on them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    unsafe_code,
    reason = "a global allocator is unsafe by its nature; a test stops where it fails"
)]

use isotherm::config::{Channel, Feed as FeedPlan, Plan};
use isotherm::event::{Body, Event, FIRST, Gap, Head, Kind, LAST, Stream};
use isotherm::log::{Form, Level, Log};
use isotherm::market::{SymbolId, VenueId};
use isotherm::run::{self, Live};
use isotherm::shard::{Setup, Shard};
use isotherm::shm::page::{counter, status};
use isotherm::shm::reader::PageReader;
use isotherm::shm::record::{Nowhere, Publish};
use isotherm::shm::writer::PageWriter;
use isotherm::sim::{Dialect, Fault, Faults, Options, Params, Server, TopicKind, World};
use isotherm::tape::Grid;
use isotherm::time::{Clock, Nanos, ScaledClock, TICK, mono_now};
use isotherm::venue::lane::Lane;
use isotherm::venue::{self, texts};
use isotherm::wire::FrameBuffer;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

// ---- the allocator ----

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
    static TOUCHED: Cell<u64> = const { Cell::new(0) };
    /// Touching is expected here: say nothing.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

fn touch(what: &str, bytes: usize) {
    if !ARMED.get() {
        return;
    }
    TOUCHED.set(TOUCHED.get() + 1);
    if TOUCHED.get() == 1 && !QUIET.get() {
        ARMED.set(false);
        let place = std::backtrace::Backtrace::force_capture();
        eprintln!("first {what} of {bytes} bytes while armed:\n{place}");
        drop(place);
        ARMED.set(true);
    }
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touch("allocation", layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        touch("zeroed allocation", layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        touch("reallocation", size);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        touch("release", layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Calls to the allocator on this thread while `body` ran.
fn counted<T>(body: impl FnOnce() -> T) -> (T, u64) {
    TOUCHED.set(0);
    ARMED.set(true);
    let out = body();
    ARMED.set(false);
    (out, TOUCHED.get())
}

#[test]
fn the_allocator_counts_what_it_must() {
    QUIET.set(true);
    let (room, touched) = counted(|| std::hint::black_box(vec![1u8; 100]));
    assert_eq!(touched, 1);
    let ((), touched) = counted(|| drop(room));
    assert_eq!(touched, 1, "giving back counts as well");
    let ((), touched) = counted(|| ());
    assert_eq!(touched, 0);
}

// ---- frames ----

const SYMBOLS: [&str; 3] = ["BTC", "ETH", "SOL"];

fn symbols() -> Vec<String> {
    SYMBOLS.map(str::to_string).to_vec()
}

fn all_streams() -> [Stream; 4] {
    [
        Stream::Book,
        Stream::Trades,
        Stream::Ticker,
        Stream::Liquidations,
    ]
}

/// Minutes of the built-in exchange: (topic kind, receive stamp, text), snapshots first.
fn frames(minutes: i64) -> Vec<(TopicKind, Nanos, String)> {
    let mut world = World::new(11, Params::default().stormy()).unwrap();
    let mut all = Vec::new();
    let topics: Vec<_> = world.topics().collect();
    for topic in topics {
        world.snapshot_frames(topic, &mut |frame| {
            all.push((topic.kind, frame.at, frame.text.to_string()));
        });
    }
    let until = world.now().plus(Nanos::new(minutes * Nanos::MINUTE.get()));
    world.advance(until, &mut |frame| {
        all.push((frame.topic.kind, frame.at, frame.text.to_string()));
    });
    all
}

/// The same words in another form: the fast road does not know it.
fn loosened(text: &str) -> String {
    text.replacen("\":", "\" : ", 3)
}

fn connected_lane() -> Lane {
    let mut lane = Lane::new(VenueId::BYBIT, &symbols(), 0).unwrap();
    let row = venue::venue(VenueId::BYBIT).unwrap();
    for text in texts::subscribe(row, &symbols(), &all_streams()) {
        lane.sent(text.as_bytes());
    }
    let _ = lane.connected(Nanos::SECOND);
    lane
}

#[test]
fn a_lane_takes_every_kind_of_frame_without_memory() {
    let frames = frames(20);
    let mut lane = connected_lane();
    let mut room = FrameBuffer::with_capacity(1 << 20);
    let acks = [
        r#"{"success":true,"ret_msg":"","conn_id":"a-1","req_id":"","op":"subscribe"}"#,
        r#"{"success":true,"ret_msg":"pong","conn_id":"a-1","req_id":"","op":"ping"}"#,
        r#"{"topic":"kline.1.XRPUSDT","data":[],"ts":1,"type":"snapshot"}"#,
    ];
    let mut touched = 0;
    let mut resyncs = 0;
    let mut one = |lane: &mut Lane, at: Nanos, text: &[u8]| {
        let frame = room.put(text);
        let (wish, calls) = counted(|| {
            let _ = lane.frame(at, frame);
            let wished = lane.resync().contains(&true);
            lane.resync().fill(false);
            wished
        });
        resyncs += u64::from(wish);
        touched += calls;
    };
    for round in 0..2 {
        for (number, (kind, at, text)) in frames.iter().enumerate() {
            // One in seven in a form of its own, one in a hundred cut off, one book in fifty left out.
            match number % 350 {
                n if n % 50 == 49 && *kind == TopicKind::Book => continue,
                n if n % 100 == 99 => {
                    one(&mut lane, *at, &text.as_bytes()[..text.len() / 2]);
                    continue;
                }
                n if n % 7 == 3 => one(&mut lane, *at, loosened(text).as_bytes()),
                _ => one(&mut lane, *at, text.as_bytes()),
            }
            if number % 1_000 == 999 {
                for ack in acks {
                    one(&mut lane, *at, ack.as_bytes());
                }
            }
        }
        if round == 0 {
            // Coming up and going down are part of a feed's life too.
            let (_, calls) = counted(|| {
                let _ = lane.disconnected(Nanos::SECOND);
                let _ = lane.connected(Nanos::SECOND);
            });
            assert_eq!(calls, 0, "a connection that comes and goes");
        }
    }
    let counts = lane.counts;
    assert!(counts.frames > 20_000, "{counts:?}");
    assert!(counts.tolerant > 100, "{counts:?}");
    assert!(counts.ignored > 100, "{counts:?}");
    assert!(counts.faults > 100, "{counts:?}");
    assert!(counts.gaps > counts.faults + 1 && resyncs > 1, "{counts:?}");
    assert_eq!(touched, 0, "allocator calls over {} frames", counts.frames);
}

/// A frame every way a leg may bring it, counted.
fn bring(lane: &mut Lane, room: &mut FrameBuffer, leg: usize, at: Nanos, text: &[u8]) -> u64 {
    let frame = room.put(text);
    let ((), calls) = counted(|| {
        let _ = lane.frame_leg(leg, at, frame);
        lane.resync().fill(false);
    });
    calls
}

#[test]
fn a_lane_of_every_venue_takes_two_legs_and_its_images_without_memory() {
    for dialect in [
        Dialect::Bybit,
        Dialect::Binance,
        Dialect::Okx,
        Dialect::Hyperliquid,
    ] {
        let mut world = World::new(11, Params::default().stormy().speaking(dialect)).unwrap();
        let row = venue::by_name(dialect.name()).unwrap();
        let mut lane = Lane::new(row.id, &symbols(), 0).unwrap();
        for text in texts::subscribe(row, &symbols(), &all_streams()) {
            lane.sent(text.as_bytes());
        }
        let mut touched = 0;
        let mut answer = |lane: &mut Lane, world: &World, request: &str| {
            let (_, _, body) = world.rest("GET", request, "");
            let (_, calls) = counted(|| lane.rest(world.now(), request, body.as_bytes()).len());
            touched += calls;
        };
        for leg in 0..2 {
            let _ = lane.connected_leg(leg, world.now());
        }
        for primer in row.primers {
            answer(&mut lane, &world, primer);
        }
        let mut room = FrameBuffer::with_capacity(1 << 20);
        let mut frames = Vec::new();
        let topics: Vec<_> = world.topics().collect();
        for topic in topics {
            world.snapshot_frames(topic, &mut |frame| {
                frames.push((frame.at, frame.text.to_string()))
            });
        }
        // Images come among the first updates.
        let mut until = world.now().plus(Nanos::SECOND);
        world.advance(until, &mut |frame| {
            frames.push((frame.at, frame.text.to_string()))
        });
        for (at, text) in frames.drain(..) {
            for leg in 0..2 {
                bring(&mut lane, &mut room, leg, at, text.as_bytes());
            }
        }
        for asset in symbols() {
            if let (Some(image), Some(name)) = (row.image, venue::instrument_name(row.id, &asset)) {
                answer(&mut lane, &world, &image(&name));
            }
        }
        until = until.plus(Nanos::new(4 * Nanos::MINUTE.get()));
        world.advance(until, &mut |frame| {
            frames.push((frame.at, frame.text.to_string()))
        });
        let before = lane.counts;
        for (number, (at, text)) in frames.iter().enumerate() {
            for leg in 0..2 {
                let whole = text.as_bytes();
                touched += match (number + leg * 31) % 400 {
                    // Lost on one, cut off, in another form.
                    n if n % 50 == 49 => 0,
                    n if n % 100 == 98 => {
                        bring(&mut lane, &mut room, leg, *at, &whole[..whole.len() / 2])
                    }
                    n if n % 7 == 3 => {
                        bring(&mut lane, &mut room, leg, *at, loosened(text).as_bytes())
                    }
                    _ => bring(&mut lane, &mut room, leg, *at, whole),
                };
            }
        }
        let ((), calls) = counted(|| {
            for leg in 0..2 {
                let _ = lane.disconnected_leg(leg, until);
            }
        });
        let counts = lane.counts;
        let what = format!("{} {counts:?}", row.name);
        assert_eq!(touched + calls, 0, "{what}");
        assert!(counts.frames - before.frames > 1_000, "{what}");
        assert!(counts.tolerant > 100 && counts.faults > 10, "{what}");
        assert!(lane.duplicates() > 300, "{what}");
    }
}

// ---- shard and page ----

/// Events that the built-in exchange never sends, and what a lost line sends.
fn rare(at: Nanos, symbol: u16) -> [Event; 3] {
    let head = |bits| Head {
        recv: at,
        exch: Nanos::ZERO,
        venue: VenueId::BYBIT,
        symbol: SymbolId(symbol),
        bits,
    };
    let gap = Gap {
        stream: Stream::Trades,
        expected: 0,
        got: 0,
    };
    [
        Event::new(head(FIRST), Body::Disconnect(9)),
        Event::new(head(LAST), Body::Gap(gap)),
        Event::new(head(FIRST | LAST), Body::Connect(9)),
    ]
}

struct Stage {
    shard: Shard,
    page: PageWriter,
    grid: Grid,
    stepped: u64,
    touched: u64,
}

impl Stage {
    /// The loop around `step`, as the engine has it.
    fn take(&mut self, at: Nanos, group: &[Event]) {
        let Self {
            shard, page, grid, ..
        } = self;
        let (stepped, touched) = counted(|| {
            let before = shard.input_seq();
            while let Some((first, count)) = grid.due(at) {
                for turn in 0..i64::from(count) {
                    let tick = Event::tick(first.plus(Nanos::new(TICK.get() * turn)));
                    shard.step(&tick, page);
                }
            }
            page.stamp(mono_now());
            for event in group {
                shard.step(event, page);
            }
            page.heartbeat(mono_now(), shard.input_seq(), shard.state_hash());
            page.counter(counter::EVENTS, shard.input_seq());
            page.venues_up(1);
            page.status(if shard.is_warm() {
                status::LIVE
            } else {
                status::WARMING
            });
            shard.input_seq() - before
        });
        self.stepped += stepped;
        self.touched += touched;
    }
}

#[test]
fn an_hour_of_shard_and_page_takes_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(5, Params::default()).unwrap();
    let mut stage = Stage {
        shard: Shard::new(&Setup::new(symbols(), &[VenueId::BYBIT])).unwrap(),
        page: PageWriter::create(&dir.path().join("page"), &symbols(), "test").unwrap(),
        grid: Grid::default(),
        stepped: 0,
        touched: 0,
    };
    let mut lane = connected_lane();
    let mut buffer = Vec::new();
    let row = venue::venue(VenueId::BYBIT).unwrap();
    let mut rest = Lane::new(VenueId::BYBIT, &symbols(), 1).unwrap();
    for request in texts::rest_requests(row, &symbols()) {
        let (_, _, body) = world.rest("GET", &request, "");
        stage.take(
            world.now(),
            rest.rest(world.now(), &request, body.as_bytes()),
        );
    }
    let topics: Vec<_> = world
        .topics()
        .filter(|t| t.kind != TopicKind::Kline)
        .collect();
    for topic in topics {
        world.snapshot_frames(topic, &mut |frame| {
            stage.take(
                frame.at,
                lane.text(frame.at, frame.text.as_bytes(), &mut buffer),
            );
        });
    }
    let begin = world.now();
    let until = begin.plus(Nanos::new(Nanos::MINUTE.get() * 65));
    let mut number = 0u64;
    world.advance(until, &mut |frame| {
        number += 1;
        if number.is_multiple_of(5_000) {
            stage.take(frame.at, &rare(frame.at, (number % 3) as u16));
        }
        stage.take(
            frame.at,
            lane.text(frame.at, frame.text.as_bytes(), &mut buffer),
        );
    });
    let shard = &stage.shard;
    for kind in [
        Kind::Tick,
        Kind::Trade,
        Kind::Level,
        Kind::Bbo,
        Kind::Mark,
        Kind::Funding,
        Kind::Interest,
        Kind::Liquidation,
        Kind::Instrument,
        Kind::Tier,
        Kind::Connect,
        Kind::Disconnect,
        Kind::Gap,
    ] {
        assert!(shard.count(kind) > 0, "{kind:?} was never stepped");
    }
    assert!(shard.now().since(begin) >= Nanos::HOUR);
    assert!(stage.stepped > 500_000, "{}", stage.stepped);
    assert_eq!(
        stage.touched, 0,
        "allocator calls over {} steps",
        stage.stepped
    );
    let wide = shard.wide(0).unwrap();
    assert!(
        wide.hot_above[0].high_e10 != 0 || wide.hot_below[0].high_e10 != 0,
        "zones were made"
    );
    // The same without a page, so that it is clear who would be to blame.
    let ((), touched) = counted(|| stage.shard.step(&Event::tick(until), &mut Nowhere));
    assert_eq!(touched, 0);
    let ((), touched) = counted(|| stage.page.wide(1, &wide));
    assert_eq!(touched, 0);
}

// ---- a live instance ----

/// Calls of the allocator on armed threads, how many threads were armed, how many disarmed.
static LIVE_TOUCHED: AtomicU64 = AtomicU64::new(0);
static LIVE_ARMED: AtomicU64 = AtomicU64::new(0);
static LIVE_DISARMED: AtomicU64 = AtomicU64::new(0);
static LIVE_ARM: AtomicBool = AtomicBool::new(false);
static LIVE_DISARM: AtomicBool = AtomicBool::new(false);

/// A clock that arms the feed and shard threads that ask it, and disarms them again.
#[derive(Debug, Clone, Copy)]
struct Arming(ScaledClock);

impl Clock for Arming {
    fn now(&self) -> Nanos {
        let armed = ARMED.get();
        if !armed && LIVE_ARM.load(Ordering::Relaxed) && !LIVE_DISARM.load(Ordering::Relaxed) {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or_default();
            let hot = name == "shard" || name.starts_with("feed-");
            drop(thread);
            if hot {
                TOUCHED.set(0);
                LIVE_ARMED.fetch_add(1, Ordering::Relaxed);
                ARMED.set(true);
            }
        } else if armed && LIVE_DISARM.load(Ordering::Relaxed) {
            ARMED.set(false);
            LIVE_TOUCHED.fetch_add(TOUCHED.get(), Ordering::Relaxed);
            LIVE_DISARMED.fetch_add(1, Ordering::Relaxed);
        }
        self.0.now()
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn start_live(dir: &std::path::Path, ws: &str, rest: &str, clock: Arming, speed: u32) -> Live {
    let mut plan = Plan::default();
    plan.engine.symbols = symbols();
    plan.engine.page = dir.join("page");
    plan.engine.tape = Some(dir.join("run.tape"));
    let feed = |rest: &str, channels: &[Channel]| FeedPlan {
        venue: VenueId::BYBIT,
        url: ws.to_string(),
        rest: rest.to_string(),
        channels: channels.to_vec(),
        ..FeedPlan::default()
    };
    plan.feeds = vec![
        // Two connections, one thread.
        FeedPlan {
            pair: true,
            ..feed(rest, &[Channel::Book, Channel::Trades])
        },
        feed("", &[Channel::Tickers, Channel::Liquidations]),
    ];
    let shard = Shard::new(&run::setup(&plan).unwrap()).unwrap();
    run::start(
        &plan,
        shard,
        clock,
        speed,
        Log::new(Level::Debug, Form::Text),
    )
    .unwrap()
}

#[test]
fn the_feed_and_shard_threads_of_a_live_instance_take_no_memory() {
    const SPEED: u32 = 20;
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(3, Params::default()).unwrap();
    let clock = Arming(ScaledClock::start(world.now(), SPEED));
    let options = Options {
        speed: SPEED,
        // Gaps and lost connections are met on the hot threads, so they are part of this.
        faults: Faults::NONE.with(Fault::Gap, 150).with(Fault::Cut, 400),
        ..Options::default()
    };
    let server = Server::start(world, options).unwrap();
    let live = start_live(
        dir.path(),
        &server.ws_url(),
        &server.rest_url(),
        clock,
        SPEED,
    );
    let page = PageReader::open(&live.page).unwrap();
    let value = |id: usize| page.counters().get(id).map_or(0, |c| c.value);
    wait_for("the first frames", || value(counter::FRAMES) > 300);
    LIVE_ARM.store(true, Ordering::Relaxed);
    wait_for("three armed threads", || {
        LIVE_ARMED.load(Ordering::Relaxed) == 3
    });
    let (frames, gaps, reconnects) = (
        value(counter::FRAMES),
        value(counter::GAPS),
        value(counter::RECONNECTS),
    );
    wait_for("frames, gaps and a new connection while armed", || {
        value(counter::FRAMES) > frames + 2_000
            && value(counter::GAPS) > gaps + 3
            && value(counter::RECONNECTS) > reconnects + 1
    });
    LIVE_DISARM.store(true, Ordering::Relaxed);
    wait_for("disarmed threads", || {
        LIVE_DISARMED.load(Ordering::Relaxed) == 3
    });
    let ended = live.stop().unwrap();
    assert_eq!(ended.tape_whole, Some(true));
    server.stop().unwrap();
    assert_eq!(
        LIVE_TOUCHED.load(Ordering::Relaxed),
        0,
        "see the place above"
    );
}
