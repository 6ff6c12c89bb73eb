//! `isotherm kill`: what all executors of an instance are told, beside what the engine finds out.

use crate::shm::page::kill;
use crate::shm::reader::PageReader;
use crate::shm::switch::{Advice, Switch};
use crate::time::{Clock as _, Nanos, WallClock};
use anyhow::Result;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  isotherm kill                                  what is said now
  isotherm kill no-new                           open nothing new
  isotherm kill flatten --reason 7               close what is open; 7 is yours to choose
  isotherm kill run                              take it back

The engine shows it on its page within milliseconds (`kill`, `kill_reason`, and HALT in `status`: docs/PAGE.md);
executors act on it. It holds when the engine is down and after its next start, until it is taken back.";

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

pub(super) fn run(args: &Args) -> Result<()> {
    let page = args
        .page
        .clone()
        .unwrap_or_else(|| crate::shm::path_of(&args.instance));
    let runs = PageReader::open(&page).is_ok();
    let wanted = args.level.as_ref().map(|level| Advice {
        level: (0..)
            .zip(kill::NAMES)
            .find_map(|(number, name)| (name == level).then_some(number))
            .unwrap_or(kill::FLATTEN),
        reason: args.reason,
    });
    let path = Switch::path_of(&page);
    let (advice, since) = match wanted {
        None if !path.exists() => (Advice::default(), Nanos::ZERO),
        None => {
            let switch = Switch::open(&page)?;
            (switch.advice(), switch.since())
        }
        Some(advice) => {
            let now = WallClock.now();
            // An engine that ends takes a switch along that says *run*; then there is a new one.
            while !Switch::open(&page)?.say(advice, now) {}
            (advice, now)
        }
    };
    let reason = match advice.level {
        kill::RUN => String::new(),
        _ => format!(", reason {}", advice.reason),
    };
    let since = match since {
        Nanos::ZERO => String::new(),
        at => format!(", since {}", crate::log::utc(at)),
    };
    let whom = match runs {
        true => "",
        false => "; no engine is running: it holds from its next start",
    };
    say!("{}: {}{reason}{since}{whom}", page.display(), advice.name());
    Ok(())
}
