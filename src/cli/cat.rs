//! `isotherm cat`: what a running instance publishes, read from its page like any executor does.

use super::{stop_signal, stopped};
use crate::shm::page::status;
use crate::shm::reader::PageReader;
use crate::time::mono_now;
use crate::viewer::{Show, json, text};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  isotherm cat                                   instance `main`, once
  isotherm cat --page /dev/shm/isotherm.desk2    another instance
  isotherm cat --json | jq .symbols.BTC.bias     for programs
  isotherm cat --every 1                         again every second";

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
    /// Print again every so many seconds, until Ctrl-C
    #[arg(long)]
    every: Option<u64>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let path = args
        .page
        .clone()
        .unwrap_or_else(|| crate::shm::path_of(&args.instance));
    let signal = stop_signal()?;
    loop {
        // Opened anew each time: a restarted engine has a new page under the same name.
        let page = PageReader::open(&path).with_context(|| {
            format!(
                "no instance at {} (is `isotherm run` or `demo` running?)",
                path.display()
            )
        })?;
        if args.json {
            say!("{}", serde_json::to_string_pretty(&object(&page)?)?);
        } else {
            print(&page)?;
        }
        let Some(every) = args.every else {
            return Ok(());
        };
        for _ in 0..every.max(1) * 20 {
            if stopped(&signal) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn shows(page: &PageReader) -> impl Iterator<Item = (usize, Show)> {
    page.symbols().iter().enumerate().map(|(at, symbol)| {
        (
            at,
            Show {
                symbol: symbol.name.clone(),
                // Version 0 of the page has one venue a symbol: the table's first.
                venue: crate::venue::VENUES[0].name.to_string(),
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

fn object(page: &PageReader) -> Result<Value> {
    let header = page.header()?;
    let mut symbols = Map::new();
    for (at, show) in shows(page) {
        let wide = page.wide(at)?;
        symbols.insert(show.symbol.clone(), json::symbol(&show, &wide));
    }
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
        "heartbeat_age_ns": header.heartbeat_age(mono_now()).get(),
        "input_seq": header.input_seq,
        "state_hash": format!("{:016x}", header.state_hash),
        "counters": counters,
        "symbols": symbols,
    }))
}

fn print(page: &PageReader) -> Result<()> {
    let header = page.header()?;
    say!(
        "{}  pid {}  {}  heartbeat {} us ago  inputs {}  state hash {:016x}",
        header.build_text(),
        header.pid,
        words(header.status).join(" "),
        header.heartbeat_age(mono_now()).get() / 1_000,
        header.input_seq,
        header.state_hash,
    );
    let counters: Vec<String> = page
        .counters()
        .into_iter()
        .filter(|c| c.value != 0)
        .map(|c| format!("{} {}", c.name, c.value))
        .collect();
    say!("{}", counters.join("  "));
    for (at, show) in shows(page) {
        show!("{}", text::symbol(&show, &page.wide(at)?, 4));
    }
    Ok(())
}
