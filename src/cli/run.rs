//! `isotherm run`: a live instance from a plan.

use super::config::load;
use super::{stop_signal, stopped};
use crate::config::Plan;
use crate::log::{Form, Level, Log};
use crate::run::{self, recording::Begin};
use crate::shard::Shard;
use crate::shm::reader::PageReader;
use crate::time::{Clock, ScaledClock, WallClock};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  isotherm run -c isotherm.toml                  until Ctrl-C
  isotherm run -c isotherm.toml --seconds 60     for a minute
  isotherm run --tape tape                       record to a folder, and go on from what is there
  isotherm run --tape today.tape                 record to one file, which must not be there

SIGINT, SIGTERM and SIGHUP (unless nohup has it ignored) end it in order: the tape has its End, the page is retired.
The plan is read once: a changed file counts from the next start. Try it on `isotherm sim`, whose addresses are printed
as lines of a plan.";

/// Run an instance from a plan.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The plan
    #[arg(short, long, default_value = "isotherm.toml")]
    config: PathBuf,
    /// Stop after so many seconds; default: on Ctrl-C
    #[arg(long)]
    seconds: Option<u64>,
    /// Record to this folder, or file when it ends in .tape (overrides the plan)
    #[arg(long)]
    tape: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut plan = load(&args.config)?;
    if args.tape.is_some() {
        plan.engine.tape.clone_from(&args.tape);
    }
    let setup = run::setup(&plan)?;
    let mib = (Shard::bytes_per_symbol() * setup.symbols.len()).div_ceil(1 << 20);
    let log = || Log::new(plan.engine.log_level, plan.engine.log_form);
    let (mut own, with) = (log(), log());
    let text = format!(
        "isotherm {}: {} symbol(s), {} feed(s), state {mib} MiB of {} MiB, page {}",
        env!("CARGO_PKG_VERSION"),
        setup.symbols.len(),
        plan.feeds.len(),
        plan.engine.memory_max >> 20,
        plan.engine.page.display()
    );
    own.say(Level::Info, "run", "start", &text);
    let ended = live(args, &plan, with, &mut own);
    if let (Err(fault), Form::Json) = (&ended, plan.engine.log_form) {
        own.say(Level::Error, "run", "end", &super::chain(fault));
    }
    ended
}

fn live(args: &Args, plan: &Plan, log: Log, own: &mut Log) -> Result<()> {
    // The wall clock says when the run begins, the monotonic clock how long it lasts: a step of the wall clock neither
    // stops shard time nor tears it.
    let clock = ScaledClock::start(WallClock.now(), 1);
    let signal = stop_signal()?;
    let until = args
        .seconds
        .map(|s| Instant::now() + Duration::from_secs(s));
    let begin = Begin::of(plan, clock).context("cannot start")?;
    let live = run::start_from(plan, begin, clock, 1, log).context("cannot start")?;
    let why = loop {
        match () {
            () if !live.is_alive() => break "the shard's thread has ended",
            () if stopped(&signal) => break "told to stop",
            () if until.is_some_and(|until| Instant::now() >= until) => break "its time is over",
            () => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    own.say(Level::Info, "run", "stop", why);
    // What the page says last: all there is to tell when the tape fails at the end.
    let last = PageReader::open(&live.page).and_then(|page| page.header());
    let ended = match (live.stop(), last) {
        (Ok(ended), _) => ended,
        (Err(fault), Ok(last)) => {
            say!(
                "inputs {}  state hash {:016x}  (of the last heartbeat)",
                last.input_seq,
                last.state_hash
            );
            return Err(fault.into());
        }
        (Err(fault), Err(_)) => return Err(fault.into()),
    };
    let shard = &ended.finished.shard;
    let latency = &ended.finished.latency;
    let quantile = |q| match latency.is_empty() {
        true => "-".to_string(),
        false => format!("{} ns", latency.value_at_quantile(q)),
    };
    say!(
        "inputs {}  state hash {:016x}  socket to page p50 {}  p99 {}",
        shard.input_seq(),
        shard.state_hash(),
        quantile(0.5),
        quantile(0.99),
    );
    if let Some(why) = ended.tape_failed {
        bail!("the tape is not whole: {why}");
    }
    Ok(())
}
