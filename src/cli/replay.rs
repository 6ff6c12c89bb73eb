//! `isotherm replay`: recordings through the engine.

use crate::book::Book;
use crate::event::Kind;
use crate::market::{VenueId, lot_of};
use crate::replay::{self, CHANNELS, Outcome, ReplayError, Seen, Speed};
use crate::shm::record::{Headline, Nowhere, Publish, Wide, mode};
use crate::time::{Nanos, mono_now};
use crate::venue::{self, VENUES};
use crate::viewer::{Show, json, text};
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  isotherm replay session.recv.jsonl             what the engine makes of a recorded session
  isotherm replay --json a.tape b.tape           a JSON object a file, one after another
  isotherm replay --speed 1x isotherm.tape       as fast as it was recorded
  isotherm replay --symbols BTC,ETH session.recv.jsonl.zst
  isotherm replay --only bybit --json a.tape     the map and the zones of one venue by itself
  isotherm replay --venue hyperliquid --symbols BTC,PEPE frames.jsonl";

/// Replay tapes and recorded sessions.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Print one JSON object per file instead of text
    #[arg(long)]
    json: bool,
    /// `max`, `1x`, or `Nx`: N times as fast as recorded
    #[arg(long, default_value = "max", value_parser = speed)]
    speed: Speed,
    /// Symbols to follow (of a tape: to show), comma-separated; default: what the recording subscribed to
    #[arg(long, value_delimiter = ',')]
    symbols: Option<Vec<String>>,
    /// Venues to follow alone, comma-separated, as if the plan had named no others; default: all of the recording
    #[arg(long, value_delimiter = ',', conflicts_with = "venue", value_parser = venue_id)]
    only: Option<Vec<VenueId>>,
    /// The files are bare frames of this venue, one a line, without stamps
    #[arg(long, value_parser = venue_id)]
    venue: Option<VenueId>,
    /// Tapes, session.recv.jsonl[.zst] files, or folders that hold one
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.strip_suffix('x').and_then(|n| n.parse::<u32>().ok()) {
        Some(times @ 1..=100_000) => Ok(Speed::Times(times)),
        _ => Err(format!(
            "{text:?} is not a speed: max, 1x, or Nx with N from 1 to 100000"
        )),
    }
}

fn venue_id(name: &str) -> Result<VenueId, String> {
    let known = venue::by_name(name).map(|row| row.id);
    known.ok_or_else(|| {
        let names = VENUES.map(|row| row.name).join(", ");
        format!("no venue {name:?}; there are {names}")
    })
}

pub(super) fn run(args: &Args) -> Result<()> {
    for file in &args.files {
        let name = file.display();
        let outcome = one(args, file)?.map_err(|fault| named(fault, file))?;
        let wanted = args.symbols.as_deref();
        if args.json {
            say!(
                "{}",
                serde_json::to_string_pretty(&object(&outcome, wanted))?
            );
        } else {
            print(&name.to_string(), &outcome, wanted);
        }
        if outcome.short {
            bail!(
                "{name}: the journal names frames that the tape does not hold; the result is not the run's"
            );
        }
    }
    Ok(())
}

/// A long replay says how far it is this often.
const TELL_EVERY: Nanos = Nanos::seconds(5);

/// Tells people, on stderr, what moment a replay has come to, and how fast it goes.
struct Telling {
    began: Nanos,
    told: Nanos,
    /// The first moment that was published.
    first: Option<Nanos>,
}

impl Telling {
    fn new() -> Self {
        let began = mono_now();
        Self {
            began,
            told: began,
            first: None,
        }
    }
}

impl Publish for Telling {
    fn headline(&mut self, _: usize, _: usize, _: &Headline) {}

    fn wide(&mut self, _: usize, record: &Wide) {
        let (now, at) = (mono_now(), Nanos::new(record.recv_ns));
        let first = *self.first.get_or_insert(at);
        if now.since(self.told) >= TELL_EVERY {
            self.told = now;
            let took = now.since(self.began).get().max(1);
            let times = at.since(first).get() / took;
            let at = crate::log::utc(at);
            super::say_aside(format_args!("at {at}, {times} times as fast as recorded"));
        }
    }
}

/// One file, as what it is.
fn one(args: &Args, file: &Path) -> Result<std::result::Result<Outcome, ReplayError>> {
    if file.extension().is_some_and(|end| end == "toml") {
        let name = file.display();
        bail!(
            "{name}: a plan is no recording; replay what it recorded (tape in [engine]), or start it: isotherm run {name}"
        );
    }
    let Some(row) = args.venue.and_then(venue::venue) else {
        let (symbols, only) = (args.symbols.as_deref(), args.only.as_deref());
        return Ok(match args.speed {
            Speed::Max => replay::run_venues(file, symbols, only, Speed::Max, &mut Telling::new()),
            speed => replay::run_venues(file, symbols, only, speed, &mut Nowhere),
        });
    };
    let Some(symbols) = &args.symbols else {
        bail!(
            "bare frames do not say what they were subscribed to: name the symbols with --symbols"
        );
    };
    Ok(replay::run_bare(file, row, symbols, &mut Nowhere))
}

/// The fault with its file's name in front, unless it names it already.
fn named(fault: ReplayError, file: &Path) -> anyhow::Error {
    let name = file.display().to_string();
    let is_named = fault.to_string().contains(&name);
    let fault = anyhow::Error::new(fault);
    if is_named { fault } else { fault.context(name) }
}

/// The symbols that are wanted, each with its place and as its reference venue prints it; all unless they are named.
fn shows<'a>(
    outcome: &'a Outcome,
    wanted: Option<&'a [String]>,
) -> impl Iterator<Item = (usize, Show)> + 'a {
    let symbols = outcome.symbols.iter().enumerate();
    let symbols = symbols.filter(move |(_, symbol)| wanted.is_none_or(|all| all.contains(symbol)));
    symbols.map(|(at, symbol)| {
        let reference = outcome.shard.reference(at);
        let seen = outcome.venues.iter();
        let seen = seen
            .clone()
            .find(|seen| Some(seen.id) == reference)
            .or(outcome.venues.first());
        (at, show(symbol, at, seen))
    })
}

fn show(symbol: &str, at: usize, seen: Option<&Seen>) -> Show {
    // The venue's own decimals, which only its frames tell.
    let framed = seen.filter(|seen| seen.counts.frames > 0);
    let places = framed.and_then(|seen| seen.places.get(at));
    Show {
        symbol: symbol.to_owned(),
        lot: lot_of(symbol),
        venue: seen.map_or(String::new(), |seen| seen.name.to_owned()),
        price_places: places.map(|places| places.0),
        qty_places: places.map(|places| places.1),
    }
}

/// What each venue says of a symbol: best prices, mark, open interest; what was not said is not there.
fn by_venue(outcome: &Outcome, at: usize, symbol: &str, object: &mut Value) {
    let (mut book, mut marks, mut interest) = (Map::new(), Map::new(), Map::new());
    for seen in &outcome.venues {
        let show = show(symbol, at, Some(seen));
        let name = || seen.name.to_owned();
        if let Some((bid, ask)) = outcome.shard.book_at(at, seen.id).and_then(Book::bbo) {
            let (bid, ask) = (bid.price.get(), ask.price.get());
            book.insert(
                name(),
                json!({"bid": show.price(bid), "ask": show.price(ask)}),
            );
        }
        let Some(told) = outcome.shard.told(at, seen.id) else {
            continue;
        };
        if let Some(mark) = told.mark {
            marks.insert(name(), show.price(mark.get()).into());
        }
        if let Some(qty) = told.interest {
            interest.insert(name(), show.qty(qty.get()).into());
        }
    }
    object["book"] = book.into();
    object["marks"] = marks.into();
    object["open_interest"] = interest.into();
}

/// What was seen of each venue: frames by channel, faults.
fn venues(outcome: &Outcome) -> Value {
    let each = outcome.venues.iter().map(|seen| {
        let counts = &seen.counts;
        let channels = CHANNELS.iter().zip(seen.channels);
        let channels: Map<String, Value> = channels
            .map(|((_, name), frames)| ((*name).to_owned(), frames.into()))
            .collect();
        let faults: Map<String, Value> = replay::fault_names(counts)
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count.into()))
            .collect();
        let object = json!({
            "frames": counts.frames,
            "ignored": counts.ignored,
            "tolerant": counts.tolerant,
            "duplicates": counts.duplicates,
            "gaps": counts.gaps,
            "faults": faults,
            "channels": channels,
        });
        (seen.name.to_owned(), object)
    });
    each.collect::<Map<String, Value>>().into()
}

fn per_second(outcome: &Outcome) -> u64 {
    let took = u128::try_from(outcome.took.get().max(1)).unwrap_or(1);
    u64::try_from(u128::from(outcome.counts.frames) * 1_000_000_000 / took).unwrap_or(u64::MAX)
}

fn object(outcome: &Outcome, wanted: Option<&[String]>) -> Value {
    let shard = &outcome.shard;
    let kinds = [
        ("trade", Kind::Trade),
        ("level", Kind::Level),
        ("bbo", Kind::Bbo),
        ("mark", Kind::Mark),
        ("index", Kind::Index),
        ("funding", Kind::Funding),
        ("interest", Kind::Interest),
        ("liquidation", Kind::Liquidation),
    ];
    let events: Map<String, Value> = kinds
        .iter()
        .map(|(name, kind)| ((*name).to_string(), shard.count(*kind).into()))
        .collect();
    let symbols: Map<String, Value> = shows(outcome, wanted)
        .filter_map(|(at, show)| {
            let wide = shard.wide(at)?;
            let mut object = json::symbol(&show, &wide);
            by_venue(outcome, at, &show.symbol, &mut object);
            Some((show.symbol, object))
        })
        .collect();
    let counts = &outcome.counts;
    json!({
        "frames": counts.frames,
        "ignored": counts.ignored,
        "faults": counts.faults,
        "gaps": counts.gaps,
        "tolerant": counts.tolerant,
        "duplicates": counts.duplicates,
        "span_ns": outcome.span.get(),
        "frames_per_second": per_second(outcome),
        "inputs": shard.input_seq(),
        "state_hash": format!("{:016x}", shard.state_hash()),
        "torn_bytes": outcome.torn,
        "events": events,
        "venues": venues(outcome),
        "symbols": symbols,
    })
}

fn print(name: &str, outcome: &Outcome, wanted: Option<&[String]>) {
    let counts = &outcome.counts;
    say!(
        "{name}\n  {} frames ({} ignored, {} tolerant, {} faults, {} gaps), {} inputs, {} frames/s, state hash {:016x}",
        counts.frames,
        counts.ignored,
        counts.tolerant,
        counts.faults,
        counts.gaps,
        outcome.shard.input_seq(),
        per_second(outcome),
        outcome.shard.state_hash(),
    );
    for (kind, count) in replay::fault_names(counts) {
        say!("  fault {kind}: {count}");
    }
    if outcome.torn > 0 {
        say!("  torn end: {} bytes left out", outcome.torn);
    }
    for (at, show) in shows(outcome, wanted) {
        if let Some(wide) = outcome.shard.wide(at) {
            show!("{}", text::symbol(&show, &wide, mode::DAY, 3));
        }
    }
}
