//! `isotherm kill`: what all executors of an instance are told, beside what the engine finds out.

use crate::shm::page::kill;
use crate::shm::reader::PageReader;
use crate::shm::switch::{self, Advice};
use crate::time::{Nanos, mono_now};
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  isotherm kill                                  what is said now
  isotherm kill no-new                           open nothing new
  isotherm kill flatten --reason 7               close what is open; 7 is yours to choose
  isotherm kill run                              take it back

The engine shows it on its page (`kill`, `kill_reason`, and HALT in `status`: docs/PAGE.md), and executors act on it.
It is a line of text beside the page, so `echo flatten > /dev/shm/isotherm.main.kill` does the same. It holds when the
engine is down and after its next start, until it is taken back. The exit code is 1 when a running engine does not show
it.";

/// Tell all executors of an instance to open nothing, or to close what is open.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What to tell them; default: print what they are told
    #[arg(value_parser = kill::NAMES)]
    level: Option<String>,
    /// Why, a number of your own; it is shown beside
    #[arg(long, default_value_t = 0, requires = "level")]
    reason: u32,
    /// Page of the instance
    #[arg(long, conflicts_with = "instance")]
    page: Option<PathBuf>,
    /// Name of the instance
    #[arg(long, default_value = "main")]
    instance: String,
}

/// How long a running engine may take to show it.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn run(args: &Args) -> Result<()> {
    let page = args
        .page
        .clone()
        .unwrap_or_else(|| crate::shm::path_of(&args.instance));
    let name = page.display();
    let Some(level) = &args.level else {
        match switch::read(&page) {
            Ok(advice) => say!("{name}: {}", words(advice)),
            Err(fault) => say!("{}: {fault}", switch::path_of(&page).display()),
        }
        return Ok(());
    };
    let advice = Advice::of(level, args.reason).unwrap_or_default();
    switch::write(&page, advice).with_context(|| switch::path_of(&page).display().to_string())?;
    let shown = || {
        let header = PageReader::open(&page)
            .and_then(|page| page.header())
            .ok()?;
        let age = header.heartbeat_age(mono_now());
        (age < Nanos::SECOND).then_some((header.kill, header.kill_reason))
    };
    let wanted = match advice.level {
        kill::RUN => (kill::RUN, 0),
        level => (level, advice.reason),
    };
    let begun = Instant::now();
    loop {
        match shown() {
            None => {
                break say!(
                    "{name}: {}; no engine is running: it holds from its next start",
                    words(advice)
                );
            }
            Some(said) if said == wanted => break say!("{name}: {}", words(advice)),
            Some(_) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            Some(_) => bail!(
                "{name}: {} is written, and the engine does not show it: its log says why; stop executors by other means",
                words(advice)
            ),
        }
    }
    Ok(())
}

fn words(advice: Advice) -> String {
    match advice.level {
        kill::RUN => advice.name().to_owned(),
        _ => format!("{}, reason {}", advice.name(), advice.reason),
    }
}
