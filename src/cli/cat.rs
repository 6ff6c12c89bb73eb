//! `isotherm cat`: what a running instance publishes, read from its page like any executor does.

use super::{stop_signal, stopped};
use crate::shm::page::{Header, status};
use crate::shm::reader::{Freshness, PageReader, ReadFault, freshness};
use crate::shm::record::{
    ErrorRecord, EventRecord, Headline, MODE_NAMES, VenueRecord, Wide, mode, mode_of,
};
use crate::shm::switch::Advice;
use crate::time::{Clock as _, Nanos, WallClock, mono_now};
use crate::viewer::{Show, json, text};
use anyhow::{Context, Result, bail};
use bytemuck::Zeroable as _;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  isotherm cat                                   instance `main`, once
  isotherm cat --page /dev/shm/isotherm.desk2    another instance
  isotherm cat --json | jq .symbols.BTC.bias     for programs
  isotherm cat --json | jq .venues               which exchanges are up, how old each channel is
  isotherm cat --every 1                         again every second
  isotherm cat --symbols BTC --mode scalp        one symbol, with the zones as a minute sees them

The exit code is 1 when the engine is silent: what is printed then is what it last said.";

/// Print what a running instance publishes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Page of the instance
    #[arg(long, conflicts_with = "instance")]
    page: Option<PathBuf>,
    /// Name of the instance
    #[arg(long, default_value = "main")]
    instance: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Symbols to print, comma-separated; default: all of the page
    #[arg(long, value_delimiter = ',')]
    symbols: Option<Vec<String>>,
    /// Whose hot zones and events the text shows; JSON has all three
    #[arg(long, default_value = "day", value_parser = MODE_NAMES)]
    mode: String,
    /// Print again every so many seconds, until Ctrl-C
    #[arg(long)]
    every: Option<u64>,
}

/// Kinds of errors that are printed; JSON has all.
const ERRORS: usize = 10;
/// Newest events that are printed; JSON has all that the page keeps.
const EVENTS: usize = 8;

pub(super) fn run(args: &Args) -> Result<()> {
    let path = args
        .page
        .clone()
        .unwrap_or_else(|| crate::shm::path_of(&args.instance));
    let signal = stop_signal()?;
    let mut was_there = false;
    loop {
        // Opened anew each time: a restarted engine has a new page under the same name.
        let silent = match round(args, &path) {
            // Gone in an orderly way: the next one is waited for.
            Err(_) if was_there && args.every.is_some() && !path.exists() => {
                if !args.json {
                    say!("no instance at {}: waiting for the next", path.display());
                }
                None
            }
            told => told?,
        };
        was_there = true;
        let again = args.every.is_some_and(|every| {
            (0..every.max(1) * 20).all(|_| {
                std::thread::sleep(Duration::from_millis(50));
                !stopped(&signal)
            })
        });
        match silent {
            _ if again => {}
            Some(silent) => bail!("{}: {silent}", path.display()),
            None => return Ok(()),
        }
    }
}

/// Prints what is there; what to say of an engine that does not beat.
fn round(args: &Args, path: &Path) -> Result<Option<String>> {
    let page = PageReader::open(path).with_context(|| match path.exists() {
        true => path.display().to_string(),
        false => format!(
            "no instance at {} (is `isotherm run` or `demo` running?)",
            path.display()
        ),
    })?;
    let header = page.header().with_context(|| path.display().to_string())?;
    asked(&page, args.symbols.as_deref())?;
    let silent = silence(&header, mono_now());
    if args.json {
        let object = object(&page, &header, args, silent.is_some())?;
        say!("{}", serde_json::to_string_pretty(&object)?);
    } else {
        if let Some(silent) = &silent {
            say!("{silent}");
        }
        print(&page, &header, args, silent.is_some())?;
    }
    Ok(silent)
}

/// Refuses a symbol that the page does not have.
fn asked(page: &PageReader, symbols: Option<&[String]>) -> Result<()> {
    let names: Vec<&str> = page.symbols().iter().map(|s| s.name.as_str()).collect();
    for symbol in symbols.unwrap_or_default() {
        if !names.contains(&symbol.as_str()) {
            bail!("--symbols {symbol}: the page has {}", names.join(", "));
        }
    }
    Ok(())
}

/// What to say of an engine that does not beat; `None` for one that does.
fn silence(header: &Header, now: Nanos) -> Option<String> {
    // Any headline will do: the engine is judged before the record is.
    if freshness(header, &Headline::zeroed(), now) != Freshness::Silent {
        return None;
    }
    let tenths = header.heartbeat_age(now).get() / 100_000_000;
    Some(if tenths < 0 {
        "SILENT: the heartbeat is of another boot; the engine is dead".to_string()
    } else {
        format!(
            "SILENT: no heartbeat for {}.{} s; the engine is dead or stuck",
            tenths / 10,
            tenths % 10
        )
    })
}

/// A record, or nothing when its writer died in the middle of it.
fn whole<T>(read: Result<T, ReadFault>) -> Result<Option<T>, ReadFault> {
    match read {
        Ok(record) => Ok(Some(record)),
        Err(ReadFault::WriterStalled) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A symbol's wide record and what an executor may make of each of its modes.
fn look(page: &PageReader, at: usize) -> Result<(Option<Wide>, [&'static str; MODE_NAMES.len()])> {
    let mut fresh = ["STALLED"; MODE_NAMES.len()];
    for (mode, name) in fresh.iter_mut().enumerate() {
        if let Some(headline) = whole(page.headline(at, mode))?
            && let Some(header) = whole(page.header())?
        {
            *name = freshness(&header, &headline, mono_now()).name();
        }
    }
    Ok((whole(page.wide(at))?, fresh))
}

/// The venues the page lists, reference first.
fn venues(page: &PageReader) -> Result<Vec<VenueRecord>, ReadFault> {
    let all: Result<Vec<_>, _> = (0..page.venues())
        .map(|slot| whole(page.venue(slot)))
        .collect();
    Ok(all?
        .into_iter()
        .flatten()
        .filter(|venue| venue.id != 0)
        .collect())
}

/// The distinct error log.
fn errors(page: &PageReader) -> Result<Vec<ErrorRecord>, ReadFault> {
    let all: Result<Vec<_>, _> = (0..page.errors())
        .map(|slot| whole(page.error(slot)))
        .collect();
    Ok(all?
        .into_iter()
        .flatten()
        .filter(|error| error.count != 0)
        .collect())
}

/// The events that the page keeps, oldest first.
fn events(page: &PageReader) -> Result<Vec<EventRecord>, ReadFault> {
    let newest = page.newest_event();
    let from = newest.saturating_sub(page.events()) + 1;
    let mut found = Vec::new();
    for number in from..=newest {
        match page.event(number) {
            Ok(Some(event)) => found.push(event),
            // Overwritten, or being so, while we read.
            Ok(None) | Err(ReadFault::Lapped | ReadFault::WriterStalled) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(found)
}

/// A symbol's show, told whose numbers its record has.
fn of_reference(show: &Show, venues: &[VenueRecord], wide: &Wide) -> Show {
    let place = usize::from(wide.reference).checked_sub(1);
    let venue = place.and_then(|place| venues.get(place));
    Show {
        venue: venue.map_or_else(String::new, VenueRecord::name_text),
        ..show.clone()
    }
}

/// How the page's symbols are shown, of those that were asked for; whose the numbers are, the records tell.
fn shows<'a>(
    page: &'a PageReader,
    asked: Option<&'a [String]>,
) -> impl Iterator<Item = (usize, Show)> + use<'a> {
    let all = page.symbols().iter().enumerate();
    let wanted =
        all.filter(move |(_, symbol)| asked.is_none_or(|names| names.contains(&symbol.name)));
    wanted.map(move |(at, symbol)| {
        (
            at,
            Show {
                symbol: symbol.name.clone(),
                lot: symbol.lot,
                venue: String::new(),
                price_places: None,
                qty_places: None,
            },
        )
    })
}

fn words(bits: u32) -> Vec<&'static str> {
    status::NAMES
        .iter()
        .enumerate()
        .filter(|(bit, _)| bits & (1 << bit) != 0)
        .map(|(_, name)| *name)
        .collect()
}

fn told_of(header: &Header) -> Advice {
    let (level, reason) = (header.kill, header.kill_reason);
    Advice { level, reason }
}

fn object(page: &PageReader, header: &Header, args: &Args, silent: bool) -> Result<Value> {
    let mut symbols = Map::new();
    let venues = venues(page)?;
    let shown: BTreeMap<usize, Show> = shows(page, args.symbols.as_deref()).collect();
    for (at, show) in &shown {
        let (wide, fresh) = look(page, *at)?;
        let mut symbol = wide.map_or_else(
            || json!({}),
            |wide| json::symbol(&of_reference(show, &venues, &wide), &wide),
        );
        symbol["freshness"] = MODE_NAMES
            .iter()
            .zip(fresh)
            .map(|(mode, fresh)| ((*mode).to_string(), Value::from(fresh)))
            .collect();
        symbols.insert(show.symbol.clone(), symbol);
    }
    let told = events(page)?;
    let told: Vec<Value> = told
        .iter()
        .filter_map(|event| Some(json::event(shown.get(&usize::from(event.symbol))?, event)))
        .collect();
    let counters: Map<String, Value> = page
        .counters()
        .into_iter()
        .map(|c| (c.name, c.value.into()))
        .collect();
    Ok(json!({
        "build": header.build_text(),
        "pid": header.pid,
        "epoch": format!("{:016x}", header.epoch),
        "status": words(header.status),
        "kill": { "level": told_of(header).name(), "reason": header.kill_reason },
        "heartbeat": if silent { "silent" } else { "live" },
        "heartbeat_age_ns": header.heartbeat_age(mono_now()).get(),
        "input_seq": header.input_seq,
        "state_hash": format!("{:016x}", header.state_hash),
        "counters": counters,
        "venues": json::venues(&venues, mono_now()),
        "errors": json::errors(&errors(page)?),
        "zone_events": told,
        "symbols": symbols,
    }))
}

fn print(page: &PageReader, header: &Header, args: &Args, silent: bool) -> Result<()> {
    say!(
        "{}  pid {}  {}{}\nheartbeat {} us ago  inputs {}  state hash {:016x}",
        header.build_text(),
        header.pid,
        if silent { "was " } else { "" },
        words(header.status).join(" "),
        header.heartbeat_age(mono_now()).get() / 1_000,
        header.input_seq,
        header.state_hash,
    );
    if header.kill != 0 {
        let advice = told_of(header);
        say!(
            "executors are told: {}  reason {}",
            advice.name(),
            advice.reason
        );
    }
    let counters: Vec<String> = page
        .counters()
        .into_iter()
        .filter(|c| c.value != 0)
        .map(|c| format!("{} {}", c.name, c.value))
        .collect();
    let mut line = String::new();
    for counter in &counters {
        if line.len() + counter.len() > 76 {
            say!(" {line}");
            line.clear();
        }
        line.push_str("  ");
        line.push_str(counter);
    }
    if !line.is_empty() {
        say!(" {line}");
    }
    let venues = venues(page)?;
    show!("{}", text::venues(&venues, mono_now()));
    let width = match std::io::stdout().is_terminal() {
        true => text::TEXT,
        false => usize::MAX,
    };
    show!(
        "{}",
        text::errors(&errors(page)?, WallClock.now(), ERRORS, width)
    );
    let shown: BTreeMap<usize, Show> = shows(page, args.symbols.as_deref()).collect();
    let mode = MODE_NAMES.iter().position(|name| *name == args.mode);
    let mode = mode.unwrap_or(mode::DAY);
    let told: Vec<(&Show, EventRecord)> = events(page)?
        .into_iter()
        .filter(|event| mode_of(event.zone) == mode)
        .filter_map(|event| Some((shown.get(&usize::from(event.symbol))?, event)))
        .collect();
    for (show, event) in told.iter().skip(told.len().saturating_sub(EVENTS)) {
        say!("{}", text::event(show, event, WallClock.now()));
    }
    for (at, show) in &shown {
        let (wide, fresh) = look(page, *at)?;
        match wide {
            Some(wide) => {
                let show = of_reference(show, &venues, &wide);
                show!("{}", text::symbol(&show, &wide, mode, 4));
            }
            None => say!(
                "{:<6} the writer is in the middle of its record",
                show.symbol
            ),
        }
        let fresh: Vec<String> = MODE_NAMES
            .iter()
            .zip(fresh)
            .map(|(mode, fresh)| format!("{mode} {fresh}"))
            .collect();
        say!("  fresh: {}", fresh.join("  "));
    }
    Ok(())
}
