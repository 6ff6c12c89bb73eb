//! `isotherm historian`: keeps the price × time matrix of a live page or of a recording in a file.

use super::{begins_with, stop_signal, stopped};
use crate::historian::HistoryError;
use crate::historian::file::Archive;
use crate::historian::follow::{Follow, go_on};
use crate::historian::gather::Gather;
use crate::replay::{self, Speed};
use crate::shm::page::MAGIC;
use crate::shm::reader::PageReader;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  isotherm historian -o main.history             follow the page of instance `main`, until Ctrl-C
  isotherm historian /dev/shm/isotherm.desk2 -o desk2.history
  isotherm historian tape-folder -o old.history  the same matrix of a recording
  isotherm plot main.history -o map.png          draw it, also while it grows

It can be stopped or killed at any time and goes on where it was; the engine does not know of it.";

/// Keep the price x time matrix of a page or a recording.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Page of an instance, or a tape, session file or folder
    source: Option<PathBuf>,
    /// Name of the instance when no source is named
    #[arg(long, default_value = "main", conflicts_with = "source")]
    instance: String,
    /// The history: begun, or gone on with
    #[arg(short, long)]
    output: PathBuf,
    /// Follow a page for so many seconds; default: until Ctrl-C
    #[arg(long)]
    seconds: Option<u64>,
    /// Symbols of a session that does not say them
    #[arg(long, value_delimiter = ',')]
    symbols: Option<Vec<String>>,
}

/// Pages are looked at this often: ten times as fast as real time, a demo shows a map every 100 ms.
const EVERY: Duration = Duration::from_millis(50);
/// What was written is forced to the disk this often.
const SETTLE: Duration = Duration::from_secs(60);

pub(super) fn run(args: &Args) -> Result<()> {
    let source = args
        .source
        .clone()
        .unwrap_or_else(|| crate::shm::path_of(&args.instance));
    if is_page(&source) || args.source.is_none() {
        return follow(args, &source);
    }
    let archive = || Archive::open(&args.output);
    let columns = keep(&source, args.symbols.as_deref(), archive)?;
    told(columns, &args.output);
    Ok(())
}

/// True when a file is a page; a file that is not there is none.
pub(super) fn is_page(path: &Path) -> bool {
    begins_with(path, &MAGIC.to_le_bytes())
}

/// Replays a recording into an archive, which is opened once the recording can be read; how many columns that made.
pub(super) fn keep(
    source: &Path,
    symbols: Option<&[String]>,
    archive: impl FnOnce() -> Result<Archive, HistoryError>,
) -> Result<Gather<Archive>> {
    let names = replay::symbols(source, symbols)?;
    let archive = archive()?;
    let history = archive.history()?;
    let mut gather = Gather::new(archive, names.clone());
    go_on(&mut gather, &history, &names)?;
    replay::run(source, symbols, Speed::Max, &mut gather)?;
    gather.finish()?;
    Ok(gather)
}

fn told(gather: Gather<Archive>, output: &Path) {
    if gather.columns() == 0 {
        say!("nothing new: no map, or nothing later than what the history holds");
    }
    say!(
        "{} columns; {} has {} KiB",
        gather.columns(),
        output.display(),
        gather.keep.bytes() >> 10
    );
}

fn follow(args: &Args, page: &Path) -> Result<()> {
    let signal = stop_signal()?;
    // A page of another version is told now, not after a night.
    if page.exists() {
        PageReader::open(page).with_context(|| page.display().to_string())?;
    } else if args.source.is_some() {
        bail!("{}: no such page or recording", page.display());
    } else {
        say!("{} is not there yet; waiting for it", page.display());
    }
    let mut follow = Follow::new(page, Archive::open(&args.output)?);
    let started = Instant::now();
    let (mut settled, mut present) = (started, false);
    let over = || {
        args.seconds
            .is_some_and(|s| started.elapsed() >= Duration::from_secs(s))
    };
    while !stopped(&signal) && !over() {
        let looked = follow.look()?;
        if looked.present != present {
            present = looked.present;
            let word = if present { "following" } else { "waiting for" };
            say!("{word} {}", page.display());
        }
        if settled.elapsed() >= SETTLE {
            settled = Instant::now();
            follow.settle()?;
        }
        std::thread::sleep(EVERY);
    }
    let columns = follow.columns();
    let archive = follow.finish()?;
    say!(
        "{columns} columns closed while it followed; {} has {} KiB",
        args.output.display(),
        archive.bytes() >> 10
    );
    Ok(())
}
