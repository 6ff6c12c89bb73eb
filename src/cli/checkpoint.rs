//! `isotherm checkpoint`: a state to start from, built from the tape beside the engine that records it.

use crate::checkpoint;
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  isotherm checkpoint tape                       from the newest checkpoint and the tape behind it
  isotherm checkpoint tape --out state.checkpoint   elsewhere, for another machine
  isotherm checkpoint --show tape/*.checkpoint   what checkpoints say of themselves

Run it beside the engine, hourly for instance: it reads what is recorded and touches nothing of the engine.
`isotherm run` starts from the newest checkpoint and the tape behind it.";

/// Build a checkpoint from a recording.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Write it there instead of into the folder
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print what these files say of themselves, and build nothing
    #[arg(long, conflicts_with = "out")]
    show: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// The folder that is recorded to; with --show, checkpoints
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    if args.show {
        for path in &args.paths {
            let (meta, _) = checkpoint::read(path)?;
            let object = json!({ "name": path.display().to_string(), "meta": meta });
            say!("{}", serde_json::to_string_pretty(&object)?);
        }
        return Ok(());
    }
    let [folder] = args.paths.as_slice() else {
        anyhow::bail!("one folder at a time");
    };
    if let Some(out) = &args.out {
        super::spare(out, Some(&checkpoint::MAGIC))?;
    }
    let begun = std::time::Instant::now();
    let made = checkpoint::make(folder, args.out.as_deref())?;
    for passed in &made.passed {
        eprintln!("isotherm: passed over: {passed}");
    }
    let from = match &made.from {
        Some(path) => path.display().to_string(),
        None => "the beginning of the recording".to_owned(),
    };
    if args.json {
        let object = json!({
            "name": made.path.display().to_string(),
            "from": from,
            "bytes": made.bytes,
            "took_ms": u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "meta": made.meta,
        });
        say!("{}", serde_json::to_string_pretty(&object)?);
        return Ok(());
    }
    let meta = &made.meta;
    say!(
        "{}: input {}, state hash {}, {} bytes, from {from}, in {:?}",
        made.path.display(),
        meta.input_seq,
        meta.state_hash,
        made.bytes,
        begun.elapsed(),
    );
    Ok(())
}
