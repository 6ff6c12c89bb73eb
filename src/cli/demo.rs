//! `isotherm demo`: the whole engine on the built-in exchange, with nothing but this machine.
//!
//! Hours of the exchange go through decoder and shard in virtual time; then the same world is served over loopback
//! sockets at a stated speed-up, a live instance with two connections takes over, and what is printed is read from
//! its page like any executor reads it.

use super::{stop_signal, stopped};
use crate::config::{Channel, Feed, Plan};
use crate::historian::file::Archive;
use crate::historian::gather::Gather;
use crate::log::{Form, Level, Log};
use crate::market::VenueId;
use crate::run::warm::Warm;
use crate::run::{self, Ended};
use crate::shard::Shard;
use crate::shm::page::counter;
use crate::shm::reader::PageReader;
use crate::shm::record::{Nowhere, Publish, mode};
use crate::shm::writer::PageWriter;
use crate::sim::server::{Options, Server};
use crate::sim::{Params, World};
use crate::time::{Nanos, ScaledClock, mono_now};
use crate::viewer::{Show, text};
use anyhow::{Context, Result, bail};
use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  isotherm demo                                  until Ctrl-C on a terminal, 60 s elsewhere
  isotherm demo --seconds 20 --seed 42           another world, 20 s live
  isotherm demo --hours 24                       a longer warm-up: more of the map is observed, less is prior
  isotherm demo --history demo.history           keep its matrix; `isotherm plot demo.history -o map.png` draws it";

/// Run the live engine on the built-in exchange.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Seconds of the live part; default: until Ctrl-C on a terminal, 60 elsewhere
    #[arg(long)]
    seconds: Option<u64>,
    /// Seed of the world
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Hours of virtual time to warm up with
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=240))]
    hours: u32,
    /// Where the page goes; default: /dev/shm/isotherm.demo-PID
    #[arg(long)]
    page: Option<PathBuf>,
    /// Keep the warm-up's price x time matrix in this file, for `isotherm plot` and `isotherm historian`
    #[arg(long)]
    history: Option<PathBuf>,
    /// Virtual seconds per real second of the live part
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    speed: u32,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let signal = stop_signal()?;
    let screen = std::io::stdout().is_terminal();
    let mut world = World::new(args.seed, Params::default())?;
    let mut plan = Plan::default();
    plan.engine.symbols = world.symbols().map(asset).collect();
    plan.engine.instance = format!("demo-{}", std::process::id());
    plan.engine.page = args
        .page
        .clone()
        .unwrap_or_else(|| crate::shm::path_of(&plan.engine.instance));
    // Now, and not after hours of warm-up: made, and at once removed.
    PageWriter::create(&plan.engine.page, &plan.engine.symbols, run::BUILD)
        .context("no page can be made there; `--page FILE` puts it elsewhere")?;
    plan.feeds = vec![Feed {
        venue: VenueId::BYBIT,
        ..Feed::default()
    }];
    let mut shard = Shard::new(&run::setup(&plan)?)?;
    say!(
        "isotherm {}  demo: seed {}, {}; state {} MiB",
        env!("CARGO_PKG_VERSION"),
        args.seed,
        plan.engine.symbols.join(" "),
        shard.bytes().len() >> 20
    );
    let symbols = &plan.engine.symbols;
    let stop = || stopped(&signal);
    let warm = match &args.history {
        None => warm_up(args, &mut world, &mut shard, symbols, Nowhere, &stop)?.is_some(),
        Some(path) => {
            let gather = Gather::new(Archive::open(path)?, symbols.clone());
            let kept = warm_up(args, &mut world, &mut shard, symbols, gather, &stop)?;
            let is_warm = kept.is_some();
            if let Some(mut gather) = kept {
                gather
                    .finish()
                    .with_context(|| path.display().to_string())?;
                say!(
                    "history: {} columns in {}, {} KiB",
                    gather.columns(),
                    path.display(),
                    gather.keep.bytes() >> 10
                );
            }
            is_warm
        }
    };
    if !warm {
        return Ok(());
    }
    let origin = world.now();
    let lived = move |now: Nanos| now.since(origin).get() / Nanos::SECOND.get();
    let server = Server::start(
        world,
        Options {
            speed: args.speed,
            ..Options::default()
        },
    )?;
    let clock = ScaledClock::start(origin, args.speed);
    plan.feeds = feeds(&server.ws_url(), &server.rest_url());
    let live = run::start(
        &plan,
        shard,
        clock,
        args.speed,
        Log::new(Level::Warn, Form::Text),
    )
    .context("cannot start the live engine")?;
    say!(
        "live: {} and {}, {}x real time, two connections; page {}",
        server.ws_url(),
        server.rest_url(),
        args.speed,
        live.page.display()
    );
    let seconds = args.seconds.or((!screen).then_some(60));
    let shown = show(&live, seconds, screen, &|| stopped(&signal));
    let ended = live.stop()?;
    let world = server.stop()?;
    shown?;
    farewell(&ended, lived(world.now()), args.speed)
}

/// `BTCUSDT` is `BTC`.
fn asset(instrument: &str) -> String {
    crate::venue::canonical(VenueId::BYBIT, instrument)
        .map_or(instrument, |(asset, _)| asset)
        .to_string()
}

fn feeds(ws: &str, rest: &str) -> Vec<Feed> {
    let feed = |rest: &str, channels: &[Channel]| Feed {
        venue: VenueId::BYBIT,
        url: ws.to_string(),
        rest: rest.to_string(),
        channels: channels.to_vec(),
        ..Feed::default()
    };
    vec![
        feed(rest, &[Channel::Book, Channel::Trades]),
        feed("", &[Channel::Tickers, Channel::Liquidations]),
    ]
}

/// Virtual hours through decoder and shard, what they publish into `out`; `None` when the user had enough.
fn warm_up<P: Publish>(
    args: &Args,
    world: &mut World,
    shard: &mut Shard,
    symbols: &[String],
    out: P,
    stop: &dyn Fn() -> bool,
) -> Result<Option<P>> {
    let started = Instant::now();
    let mut told = started;
    let begin = world.now();
    let mut warm = Warm::connect_to(world, shard, symbols, out)?;
    for hour in 1..=i64::from(args.hours) {
        warm.advance(
            world,
            shard,
            begin.plus(Nanos::new(Nanos::HOUR.get() * hour)),
        );
        if stop() {
            return Ok(None);
        }
        if told.elapsed() > Duration::from_secs(2) || hour == i64::from(args.hours) {
            told = Instant::now();
            let counts = warm.counts();
            say!(
                "warm-up: {hour} h of the exchange in {:.1?}: {} frames, {} inputs, {} faults",
                started.elapsed(),
                counts.frames,
                shard.input_seq(),
                counts.faults
            );
        }
    }
    let now = world.now();
    warm.hand_over(shard, now);
    Ok(Some(warm.out))
}

/// Reads the page until the time is over.
fn show(
    live: &run::Live,
    seconds: Option<u64>,
    screen: bool,
    stop: &dyn Fn() -> bool,
) -> Result<()> {
    let page = PageReader::open(&live.page)?;
    let started = Instant::now();
    let over = |after: Instant| seconds.is_some_and(|s| after.elapsed() >= Duration::from_secs(s));
    let every = if screen { 250 } else { 2_000 };
    loop {
        let next = Instant::now() + Duration::from_millis(every);
        while Instant::now() < next {
            if stop() || over(started) {
                return Ok(());
            }
            if !live.is_alive() {
                bail!("the engine stopped on its own");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if screen {
            paint(&page, started)?;
        } else {
            lines(&page, started)?;
        }
    }
}

fn shows(page: &PageReader) -> Vec<Show> {
    page.symbols()
        .iter()
        .map(|symbol| Show {
            symbol: symbol.name.clone(),
            lot: symbol.lot,
            venue: crate::venue::VENUES[0].name.to_string(),
            price_places: None,
            qty_places: None,
        })
        .collect()
}

fn latency(page: &PageReader) -> String {
    let counters = page.counters();
    let value = |id: usize| counters.get(id).map_or(0, |c| c.value);
    // 0 = nothing was measured yet.
    let us = |id| match value(id) {
        0 => "-".to_string(),
        ns => format!("{:.1} us", ns as f64 / 1e3),
    };
    format!(
        "{} frames  {} gaps  {} faults  socket read to page p50 {}  p99 {}",
        value(counter::FRAMES),
        value(counter::GAPS),
        value(counter::FAULTS),
        us(counter::WIRE_NS_P50),
        us(counter::WIRE_NS_P99),
    )
}

/// Hot zones a side that are shown where there is room.
const ZONES: usize = 3;
/// How long symbols stand that do not all fit.
const TURN: Duration = Duration::from_secs(4);

/// A terminal: the whole picture, drawn over itself; where it is too low for all symbols, some by turns.
fn paint(page: &PageReader, started: Instant) -> Result<()> {
    let header = page.header()?;
    let head = format!(
        "isotherm demo  {:.0?}  heartbeat {} us ago  inputs {}  Ctrl-C ends\n{}\n",
        started.elapsed(),
        header.heartbeat_age(mono_now()).get() / 1_000,
        header.input_seq,
        latency(page)
    );
    // The last row is the cursor's.
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    let (rows, columns) = size.map_or((0, 0), |size| {
        (usize::from(size.ws_row), usize::from(size.ws_col))
    });
    let room = match rows {
        0 => usize::MAX,
        rows => rows.saturating_sub(head.lines().count() + 1),
    };
    let shows = shows(page);
    let records: Result<Vec<_>, _> = (0..shows.len()).map(|at| page.wide(at)).collect();
    let records = records?;
    let blocks = |zones| -> Vec<String> {
        let each = shows.iter().zip(&records);
        each.map(|(show, wide)| text::symbol(show, wide, mode::DAY, zones))
            .collect()
    };
    // Fewer zones rather than half a symbol.
    let fits = |blocks: &Vec<String>| blocks.iter().all(|block| block.lines().count() < room);
    let blocks = (1..=ZONES).rev().map(blocks).find(fits);
    let blocks = blocks.unwrap_or_else(|| {
        let each = shows.iter().zip(&records);
        each.map(|(show, wide)| text::lines(show, wide) + "\n")
            .collect()
    });
    let turn = (started.elapsed().as_millis() / TURN.as_millis()) as usize;
    let shown = in_turn(&blocks, room, turn);
    let mut out = head;
    for block in &blocks[shown.clone()] {
        out.push('\n');
        out.push_str(block);
    }
    if shown.len() < blocks.len() {
        out.push_str(&format!(
            "{} of {} symbols, by turns; a higher terminal shows all",
            shown.len(),
            blocks.len()
        ));
    }
    let out = narrowed(&out, columns);
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "\x1b[H\x1b[2J{out}")?;
    stdout.flush()?;
    Ok(())
}

/// Lines wider than the screen are cut, not wrapped: their number is known. 0 = as wide as they are.
fn narrowed(text: &str, columns: usize) -> String {
    let cut = |line: &str| line.chars().take(columns).collect::<String>();
    match columns {
        0 => text.to_owned(),
        _ => text.split('\n').map(cut).collect::<Vec<_>>().join("\n"),
    }
}

/// Which blocks stand on a screen of so many rows now, each with an empty one before it: as many as fit, by turns.
fn in_turn(blocks: &[String], rows: usize, turn: usize) -> Range<usize> {
    let mut screens = Vec::new();
    let (mut from, mut used) = (0, 0);
    for (at, block) in blocks.iter().enumerate() {
        let more = block.lines().count() + 1;
        if at > from && used + more > rows {
            screens.push(from..at);
            (from, used) = (at, 0);
        }
        used += more;
    }
    screens.push(from..blocks.len());
    screens[turn % screens.len()].clone()
}

/// A pipe: plain lines.
fn lines(page: &PageReader, started: Instant) -> Result<()> {
    say!("t+{}s  {}", started.elapsed().as_secs(), latency(page));
    for (at, show) in shows(page).iter().enumerate() {
        say!("  {}", text::lines(show, &page.wide(at)?));
    }
    Ok(())
}

fn farewell(ended: &Ended, lived: i64, speed: u32) -> Result<()> {
    let finished = &ended.finished;
    let us = |q| finished.latency.value_at_quantile(q) as f64 / 1e3;
    say!(
        "done: {} inputs, state hash {:016x}; the exchange lived {lived} s meanwhile",
        finished.shard.input_seq(),
        finished.shard.state_hash(),
    );
    if finished.latency.is_empty() {
        say!("no frame came at {speed}x");
    } else {
        say!(
            "socket read to page p50 {:.1} us, p90 {:.1} us, p99 {:.1} us over {} frames at {speed}x",
            us(0.5),
            us(0.9),
            us(0.99),
            finished.latency.len(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wider_than_the_screen_is_cut_line_by_line() {
        assert_eq!(narrowed("ab\u{3bc}cd\nx\n\n", 3), "ab\u{3bc}\nx\n\n");
        assert_eq!(narrowed("abcd\n", 0), "abcd\n");
    }

    #[test]
    fn a_low_screen_shows_every_block_in_its_turn() {
        let blocks = [3, 4, 2].map(|lines| "x\n".repeat(lines));
        let at = |rows, turn| in_turn(&blocks, rows, turn);
        assert_eq!(at(12, 5), 0..3);
        assert_eq!([at(11, 0), at(11, 1), at(11, 2)], [0..2, 2..3, 0..2]);
        assert_eq!([at(5, 0), at(5, 1), at(5, 2)], [0..1, 1..2, 2..3]);
        // One that does not fit alone stands alone.
        assert_eq!([at(0, 0), at(0, 4)], [0..1, 1..2]);
        assert_eq!(in_turn(&[], 5, 7), 0..0);
    }
}
