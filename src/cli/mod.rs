//! The command line: one file per subcommand. The only place that prints, and the only one that uses `anyhow`.
#![expect(
    clippy::print_stderr,
    clippy::float_arithmetic,
    reason = "the command line talks to people"
)]

/// Prints a line; a reader that has gone away (`| head`) ends the program quietly.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::put(format_args!($($text)*), "\n")
    };
}

/// As `say`, without the line's end.
macro_rules! show {
    ($($text:tt)*) => {
        $crate::cli::put(format_args!($($text)*), "")
    };
}

mod bench;
mod calibration;
mod cat;
mod checkpoint;
mod config;
mod demo;
mod historian;
mod import;
mod kill;
#[cfg(feature = "plot")]
mod plot;
mod prove;
mod replay;
mod run;
mod sim;
mod tape;
mod venues;

use crate::sync::SignalFlag;
use clap::{Parser, Subcommand};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  isotherm demo --seconds 20                     the whole engine on the built-in exchange, no network
  isotherm replay --json session.recv.jsonl      a recording through the same engine, as one JSON object
  isotherm sim --speed 10                        the built-in exchange as a server
  isotherm run -c isotherm.toml                  a live instance
  isotherm cat                                   what a running instance says now
  isotherm historian -o main.history             keep the map of a running instance over time
  isotherm plot main.history -o map.png          and draw it
  isotherm bench                                 what this machine makes of it, in nanoseconds
  isotherm config example > isotherm.toml        a commented plan to start from

The page's format for executors: docs/PAGE.md and include/isotherm.h.";

/// Liquidation heatmap and directional bias of crypto perpetuals, from wire to shared memory.
#[derive(Debug, Parser)]
#[command(name = "isotherm", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the live engine on the built-in exchange: warm-up, then sockets over loopback
    Demo(demo::Args),
    /// Run an instance from a plan
    Run(run::Args),
    /// Replay tapes and recorded sessions
    Replay(replay::Args),
    /// Import files of others into a tape
    Import(import::Args),
    /// Measure the map on history: tapes and imports
    Prove(prove::Args),
    /// Serve the built-in exchange, one world a venue
    Sim(sim::Args),
    /// Print what a running instance publishes
    Cat(cat::Args),
    /// Tell executors of an instance to open nothing, or to close
    Kill(kill::Args),
    /// Keep the price x time matrix of a page or a recording
    Historian(historian::Args),
    /// Draw a history, a recording, a page or a proof
    #[cfg(feature = "plot")]
    Plot(plot::Args),
    /// Measure this machine: hops, frame to reader, saturation
    Bench(bench::Args),
    /// Look at recordings: info, verify, cat, cut, compact
    Tape(tape::Args),
    /// Build a state to start from, from a recording
    Checkpoint(checkpoint::Args),
    /// See, keep or forget what is known of theta
    Calibration(calibration::Args),
    /// Print what each venue provides, and on what that was checked
    Venues(venues::Args),
    /// Check, show or write plans
    Config(config::Args),
}

/// Parses the arguments, runs the command, prints an error's whole chain.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Sim(args) => sim::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Prove(args) => prove::run(&args),
        Command::Cat(args) => cat::run(&args),
        Command::Kill(args) => kill::run(&args),
        Command::Historian(args) => historian::run(&args),
        #[cfg(feature = "plot")]
        Command::Plot(args) => plot::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Tape(args) => tape::run(&args),
        Command::Checkpoint(args) => checkpoint::run(&args),
        Command::Calibration(args) => calibration::run(&args),
        Command::Venues(args) => venues::run(&args),
        Command::Config(args) => config::run(&args),
    };
    match done {
        // ORDER: relaxed: the flag stands for itself.
        Ok(()) if !UNSAID.load(crate::sync::Ordering::Relaxed) => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(fault) => {
            say_aside(format_args!("{}", chain(&fault)));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, each said once: many causes are already in the text above them.
fn chain(fault: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in fault.chain() {
        let cause = cause.to_string();
        if cause.starts_with(&text) {
            text = cause;
        } else if !text.contains(&cause) {
            let joint = if text.is_empty() { "" } else { ": " };
            text.push_str(joint);
            text.push_str(&cause);
        }
    }
    text
}

/// Whether a file begins with these bytes; one that is not there does not.
fn begins_with(path: &Path, bytes: &[u8; 8]) -> bool {
    let mut head = [0u8; 8];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *bytes
}

/// Refuses to put something else where a tape, a checkpoint, a history or a page is.
fn spare(path: &Path, own: Option<&[u8; 8]>) -> anyhow::Result<()> {
    use crate::{checkpoint, historian, shm, tape};
    let kept = [
        (tape::file::MAGIC_WHOLE, "a tape"),
        (checkpoint::MAGIC, "a checkpoint"),
        (*historian::file::MAGIC, "a history"),
        (shm::page::MAGIC.to_le_bytes(), "a page"),
    ];
    let found = kept.iter().find(|(head, _)| begins_with(path, head));
    match found.filter(|(head, _)| Some(head) != own) {
        Some((_, what)) => {
            anyhow::bail!("{}: exists and is {what}; it is left alone", path.display())
        }
        None => Ok(()),
    }
}

/// Raised when nobody reads our output any more: an end like a signal, so that pages and sockets are left in order.
static UNREAD: SignalFlag = SignalFlag::new(false);

/// Raised when what was said could not be written, though somebody would read it: the disk is full.
static UNSAID: SignalFlag = SignalFlag::new(false);

/// Writes to standard output; nobody reading is the end, not a fault.
fn put(text: std::fmt::Arguments<'_>, end: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(fault) = write!(out, "{text}{end}").and_then(|()| out.flush()) {
        // ORDER: relaxed: the flags stand for themselves.
        UNREAD.store(true, crate::sync::Ordering::Relaxed);
        if fault.kind() != std::io::ErrorKind::BrokenPipe
            && !UNSAID.swap(true, crate::sync::Ordering::Relaxed)
        {
            say_aside(format_args!("standard output: {fault}"));
        }
    }
}

/// Says on stderr what is wrong, or how far it is, to whoever hears it; that nobody does is no fault.
fn say_aside(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "isotherm: {text}");
}

/// A flag that SIGINT and SIGTERM raise, and SIGHUP when a terminal goes away, unless whoever started us had that
/// ignored (nohup).
fn stop_signal() -> anyhow::Result<Arc<SignalFlag>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    let flag = Arc::new(SignalFlag::new(false));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let hangs_up = (ignored(&status) & (1 << (SIGHUP - 1)) == 0).then_some(SIGHUP);
    for signal in [SIGINT, SIGTERM].into_iter().chain(hangs_up) {
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    // A file that may not grow is the writer's error to tell, not our end.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    Ok(flag)
}

/// Signals that are ignored, bit by bit from signal 1 on; all where the system does not say.
fn ignored(status: &str) -> u64 {
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(u64::MAX)
}

/// True once a stop signal came, or nobody reads our output any more.
fn stopped(flag: &SignalFlag) -> bool {
    // ORDER: relaxed: the flags stand for themselves; nothing is read on the strength of them.
    flag.load(crate::sync::Ordering::Relaxed) || UNREAD.load(crate::sync::Ordering::Relaxed)
}
