//! step: what one event costs the shard, by kind, on a shard that has lived two virtual hours.
//!
//!     cargo bench --bench step              ISOTHERM_BENCH=tiny: a look whether it runs
//!
//! A batch is a pass over different events of one kind, restamped so that shard time goes on by a microsecond an
//! event (ticks: by ten milliseconds, so what they trigger once a second is in their mean). Everything `step` does is
//! in the figure: state, cards when due, headlines, the hash; published to nowhere. Contenders take turns, the least
//! of their batches counts: neighbours only ever add.
//!
//! The peers are what one writes first: a book of ordered maps, liquidation levels in a hash map. They do a part of
//! what `step` does, so a ratio below one would be no disgrace; read them as the scale.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it fails"
)]
#![allow(missing_docs, reason = "a bench")]

use isotherm::event::{ALONE, Body, Event, Head, Kind, Liquidation};
use isotherm::market::{Holder, Side, VenueId};
use isotherm::run::warm::Warm;
use isotherm::shard::{Setup, Shard};
use isotherm::shm::record::Nowhere;
use isotherm::sim::{Params, TopicKind, World};
use isotherm::time::{Nanos, TICK};
use isotherm::venue::lane::Lane;
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::Instant;

/// Kinds that are measured alone.
const KINDS: [(Kind, &str); 6] = [
    (Kind::Trade, "trade"),
    (Kind::Bbo, "bbo"),
    (Kind::Mark, "mark"),
    (Kind::Interest, "interest"),
    (Kind::Funding, "funding"),
    (Kind::Liquidation, "liquidation"),
];
/// Events of a kind in a batch, at most.
const BATCH: usize = 512;

struct Size {
    warm: Nanos,
    batches: u32,
}

impl Size {
    fn asked() -> Self {
        let tiny = std::env::var("ISOTHERM_BENCH").is_ok_and(|size| size == "tiny");
        if tiny || std::env::args().any(|arg| arg == "--test") {
            let warm = Nanos::new(20 * Nanos::MINUTE.get());
            return Self { warm, batches: 4 };
        }
        let warm = Nanos::new(2 * Nanos::HOUR.get());
        Self { warm, batches: 300 }
    }
}

/// Nanoseconds an event: the least and the middle batch.
#[derive(Clone, Copy)]
struct Cost {
    least: f64,
    middle: f64,
    events: usize,
}

/// One contender: its name, events in a batch, and a pass over them.
struct Contender<'a> {
    name: String,
    events: usize,
    pass: Box<dyn FnMut() + 'a>,
    took: Vec<f64>,
}

impl<'a> Contender<'a> {
    fn new(name: &str, events: usize, pass: impl FnMut() + 'a) -> Self {
        let name = name.to_string();
        let took = Vec::new();
        Self {
            name,
            events,
            pass: Box::new(pass),
            took,
        }
    }

    fn cost(&mut self) -> Cost {
        self.took.sort_by(f64::total_cmp);
        Cost {
            least: self.took[0],
            middle: self.took[self.took.len() / 2],
            events: self.events,
        }
    }
}

#[allow(clippy::float_arithmetic, reason = "a mean")]
fn measure(contenders: &mut [Contender<'_>], batches: u32) {
    for _ in 0..batches {
        for contender in &mut *contenders {
            let begun = Instant::now();
            (contender.pass)();
            let took = begun.elapsed().as_nanos() as f64;
            contender.took.push(took / contender.events as f64);
        }
    }
}

/// A warmed shard of BTC and the events that come next, in groups.
fn warmed(size: &Size) -> (Shard, Vec<Vec<Event>>) {
    let symbols = vec!["BTC".to_string()];
    let mut world = World::new(7, Params::only(&["BTCUSDT"]).stormy()).unwrap();
    let mut shard = Shard::new(&Setup::new(symbols.clone(), &[VenueId::BYBIT])).unwrap();
    let mut warm = Warm::connect(&mut world, &mut shard, &symbols).unwrap();
    let until = world.now().plus(size.warm);
    warm.advance(&mut world, &mut shard, until);
    let mut lane = Lane::new(VenueId::BYBIT, &symbols, 0).unwrap();
    let (mut groups, mut buffer) = (Vec::new(), Vec::new());
    let mut take = |at: Nanos, text: &str| {
        let group = lane.text(at, text.as_bytes(), &mut buffer);
        if !group.is_empty() {
            groups.push(group.to_vec());
        }
    };
    let topics: Vec<_> = world.topics().collect();
    for topic in topics.into_iter().filter(|t| t.kind != TopicKind::Kline) {
        world.snapshot_frames(topic, &mut |frame| take(frame.at, frame.text));
    }
    let until = world.now().plus(Nanos::new(15 * Nanos::MINUTE.get()));
    world.advance(until, &mut |frame| take(frame.at, frame.text));
    (shard, groups)
}

/// Steps events again and again, with time going on.
fn stepping<'a>(name: &str, shard: &'a mut Shard, events: &'a [Event]) -> Contender<'a> {
    let mut at = shard.now();
    Contender::new(name, events.len(), move || {
        for event in events {
            at = at.plus(Nanos::MICRO);
            let mut event = *event;
            event.recv = at;
            shard.step(&event, &mut Nowhere);
        }
    })
}

/// The book one writes first: two ordered maps.
fn map_book(groups: &[Event]) -> Contender<'_> {
    let mut sides = [BTreeMap::new(), BTreeMap::new()];
    Contender::new("peer: BTreeMap book, one level", groups.len(), move || {
        for event in groups {
            if let Body::Level(level) = event.body() {
                let side = &mut sides[level.side as usize];
                match level.qty.get() {
                    0 => side.remove(&level.price.get()),
                    size => side.insert(level.price.get(), size),
                };
            }
            if event.is_last() {
                black_box((sides[0].last_key_value(), sides[1].first_key_value()));
            }
        }
    })
}

/// Liquidation levels one writes first: each trade adds to a hash map at ten leverages a side.
fn map_levels(trades: &[Event]) -> Contender<'_> {
    let mut levels: HashMap<(bool, i64), i64> = HashMap::new();
    Contender::new(
        "peer: HashMap, a trade at ten leverages",
        trades.len(),
        move || {
            for event in trades {
                if let Body::Trade(trade) = event.body() {
                    for leverage in [5, 10, 25, 50, 100] {
                        let price = trade.price.get();
                        let way = price / leverage;
                        for (above, at) in [(true, price + way), (false, price - way)] {
                            *levels.entry((above, at / 100_000_000_000)).or_default() +=
                                trade.qty.get();
                        }
                    }
                }
            }
            black_box(&levels);
        },
    )
}

/// Liquidations are rare even in a storm: trades, said to be forced.
fn forced(all: &[Event]) -> Vec<Event> {
    let forced = |event: &Event| match event.body() {
        Body::Trade(trade) => {
            let head = Head {
                recv: event.recv,
                exch: event.exch,
                venue: event.venue,
                symbol: event.symbol,
                bits: ALONE,
            };
            let holder = match trade.side {
                Side::Buy => Holder::Short,
                Side::Sell => Holder::Long,
            };
            let (price, qty) = (trade.price, trade.qty);
            Some(Event::new(
                head,
                Body::Liquidation(Liquidation { holder, price, qty }),
            ))
        }
        _ => None,
    };
    all.iter().filter_map(forced).take(BATCH).collect()
}

fn main() {
    let size = Size::asked();
    let (mut shard, groups) = warmed(&size);
    println!(
        "nanoseconds an event: least and middle of {} batches",
        size.batches
    );
    let line = |name: &str, cost: Cost, rest: String| {
        println!(
            "{name:<42} {:>9.1} {:>9.1}   batch of {:<5}{rest}",
            cost.least, cost.middle, cost.events
        );
    };
    let all: Vec<Event> = groups.iter().flatten().copied().collect();
    for (kind, name) in KINDS {
        let mut some: Vec<Event> = all
            .iter()
            .filter(|e| e.kind() == kind)
            .take(BATCH)
            .copied()
            .collect();
        if kind == Kind::Liquidation && some.is_empty() {
            some = forced(&all);
        }
        some.iter_mut().for_each(|event| event.bits = ALONE);
        if some.is_empty() {
            println!("{name:<42} none in this stretch of the exchange");
            continue;
        }
        let mut contenders = vec![stepping(name, &mut shard, &some)];
        if kind == Kind::Trade {
            contenders.push(map_levels(&some));
        }
        report(&mut contenders, size.batches, &line);
    }
    let books: Vec<Event> = groups
        .iter()
        .filter(|group| group[0].kind() == Kind::Level)
        .take(100)
        .flatten()
        .copied()
        .collect();
    let frames = books.iter().filter(|event| event.is_last()).count();
    println!("(levels: {} in {frames} frames)", books.len());
    report(
        &mut [
            stepping("level, in its frames", &mut shard, &books),
            map_book(&books),
        ],
        size.batches,
        &line,
    );
    let mut at = shard.now();
    let tick = Contender::new("tick", BATCH, move || {
        for _ in 0..BATCH {
            at = at.plus(TICK);
            shard.step(&Event::tick(at), &mut Nowhere);
        }
    });
    report(&mut [tick], size.batches, &line);
}

#[allow(clippy::float_arithmetic, reason = "a ratio")]
fn report(contenders: &mut [Contender<'_>], batches: u32, line: &dyn Fn(&str, Cost, String)) {
    measure(contenders, batches);
    let ours = contenders[0].cost();
    line(&contenders[0].name, ours, String::new());
    for peer in &mut contenders[1..] {
        let cost = peer.cost();
        line(
            &peer.name,
            cost,
            format!("{:.2}x ours", cost.least / ours.least),
        );
    }
}
