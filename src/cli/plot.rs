//! `isotherm plot`: a picture of a history, a recording, a live page or a proof.

use super::begins_with;
use super::historian::{is_page, keep};
use crate::historian::column::Column;
use crate::historian::file::{Archive, History, MAGIC};
use crate::historian::gather::Gather;
use crate::historian::{LEVELS, Level};
use crate::shm::reader::PageReader;
use crate::time::Nanos;
use crate::viewer::plot::curve::{self, Curve};
use crate::viewer::plot::heat::{self, Heat};
use crate::viewer::plot::reliability::{self, Bin, Reliability};
use crate::viewer::plot::{PlotError, Size};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  isotherm plot main.history -o map.png          price x time of a history, the last day of it
  isotherm plot main.history -o week.png --symbol ETH --hours 168
  isotherm plot tape-folder -o map.png           a recording, replayed first
  isotherm plot /dev/shm/isotherm.main -o now.png    the map of a running instance as it stands
  isotherm plot main.history -o curve.png --kind curve
  isotherm prove --json tape > proof.json; isotherm plot proof.json -o bins.png --kind reliability";

/// Draw a history, a recording, a page or a proof.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A history, a tape, session or folder, a page, or the JSON of a proof
    source: PathBuf,
    /// The picture, PNG
    #[arg(short, long)]
    output: PathBuf,
    /// Symbol; default: the first
    #[arg(long)]
    symbol: Option<String>,
    /// What to draw
    #[arg(long, value_enum, default_value_t = Kind::Heat)]
    kind: Kind,
    /// Hours before the end; default: a day, or as much as there is
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=2_400))]
    hours: Option<u32>,
    /// Percent of the price on either side; default: as much as the map asks for
    #[arg(long)]
    range: Option<f64>,
    /// Pixels across
    #[arg(long, default_value_t = 1_080)]
    width: u32,
    /// Pixels down; default: what reads well
    #[arg(long)]
    height: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Price x time
    Heat,
    /// Cumulative, by distance from the mark
    Curve,
    /// Predicted against realised
    Reliability,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let tall: u32 = match args.kind {
        Kind::Heat => 1_720,
        Kind::Curve | Kind::Reliability => 1_180,
    };
    let scaled = (u64::from(tall) * u64::from(args.width)).div_ceil(1_080);
    let size = Size {
        width: args.width,
        height: args
            .height
            .unwrap_or(u32::try_from(scaled).unwrap_or(u32::MAX)),
    };
    if !size.is_drawable() {
        bail!(PlotError::Size);
    }
    if args
        .range
        .is_some_and(|range| !(0.1..=60.0).contains(&range))
    {
        bail!("--range takes 0.1 to 60 percent");
    }
    let name = args.source.display().to_string();
    let png = if args.kind == Kind::Reliability {
        bins(args, size)
    } else {
        map(args, size)
    };
    let png = png.with_context(|| name)?;
    super::spare(&args.output, None)?;
    std::fs::write(&args.output, &png).with_context(|| args.output.display().to_string())?;
    say!(
        "{}: {} x {}, {} KiB",
        args.output.display(),
        size.width,
        size.height,
        png.len().div_ceil(1_024)
    );
    Ok(())
}

/// Whatever the source is, as a history.
fn history(source: &Path, symbol: Option<&str>) -> Result<History> {
    if begins_with(source, MAGIC) {
        return Ok(History::open(source)?);
    }
    if is_page(source) {
        return moment(source);
    }
    if source.extension().is_some_and(|ext| ext == "json") {
        bail!("the JSON of a proof is drawn with --kind reliability");
    }
    let named = symbol.map(|symbol| vec![symbol.to_owned()]);
    let gather = keep(source, None, Archive::in_memory);
    // A session that does not say its symbols is asked for the one that is wanted.
    let gather = match (gather, named) {
        (Err(_), Some(named)) => keep(source, Some(&named), Archive::in_memory)?,
        (gather, _) => gather?,
    };
    Ok(gather.keep.history()?)
}

/// A page's map as it stands: a history of one moment.
fn moment(page: &Path) -> Result<History> {
    let reader = PageReader::open(page)?;
    let names = reader
        .symbols()
        .iter()
        .map(|symbol| symbol.name.clone())
        .collect();
    let mut gather = Gather::new(Archive::in_memory()?, names);
    for symbol in 0..reader.symbols().len() {
        gather.zones(symbol, &reader.wide(symbol)?)?;
        gather.snapshot(symbol, &*reader.snapshot(symbol)?)?;
    }
    gather.finish()?;
    Ok(gather.keep.history()?)
}

/// The columns of a stretch of time, in the finest resolution that has all of it.
fn columns(
    history: &History,
    symbol: usize,
    hours: Option<u32>,
) -> Result<(&'static Level, Vec<Column>, Nanos, Nanos)> {
    let Some(end) = history.newest(symbol, 0).map(|at| at.plus(LEVELS[0].span)) else {
        bail!("nothing is recorded of that symbol");
    };
    let wanted = Nanos::new(i64::from(hours.unwrap_or(24)) * Nanos::HOUR.get());
    let begin = Nanos::new(end.get().saturating_sub(wanted.get()));
    let oldest = |level: usize| history.oldest(symbol, level).unwrap_or(end);
    let level = (0..LEVELS.len())
        .find(|level| LEVELS[*level].keep >= wanted)
        .unwrap_or(LEVELS.len() - 1);
    // Without a wish, no more than there is; a picture of few columns is still one of some width.
    let begin = if hours.is_none() {
        begin.max(oldest(level))
    } else {
        begin
    };
    let columns = history.columns(symbol, level, begin, Nanos::new(i64::MAX))?;
    let end = columns
        .last()
        .map_or(end, |last| last.start().plus(LEVELS[level].span));
    Ok((&LEVELS[level], columns, begin, end))
}

fn map(args: &Args, size: Size) -> Result<Vec<u8>> {
    let history = history(&args.source, args.symbol.as_deref())?;
    let (damaged, torn) = history.losses();
    if damaged + torn > 0 {
        say!("{damaged} damaged records were left out, {torn} bytes of a torn end");
    }
    let names = history.symbols();
    let at = match &args.symbol {
        None => (!names.is_empty()).then_some(0),
        Some(symbol) => names.iter().position(|name| name == symbol),
    };
    let Some(at) = at else {
        let known = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(" ")
        };
        bail!(
            "no map of {}; there is: {known}",
            args.symbol.as_deref().unwrap_or("any symbol")
        );
    };
    let source = args
        .source
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let (level, columns, from, to) = columns(&history, at, args.hours)?;
    let reach = args.range.map(|percent| percent / 100.0);
    let (symbol, source) = (names[at].as_str(), source.as_str());
    let png = match args.kind {
        Kind::Curve => {
            let Some(column) = columns.iter().rev().find(|column| column.head.mapped > 0) else {
                bail!("there is no map of {symbol} in that time");
            };
            let merge = level.merge;
            curve::draw(
                &Curve {
                    symbol,
                    source,
                    column,
                    merge,
                    reach,
                },
                size,
            )
        }
        Kind::Heat | Kind::Reliability => {
            let columns = &columns;
            heat::draw(
                &Heat {
                    symbol,
                    source,
                    level,
                    columns,
                    from,
                    to,
                    reach,
                },
                size,
            )
        }
    };
    Ok(png?)
}

/// The JSON of a proof: `reliability` of a symbol, wherever `prove --json` puts its symbols: an object by name, an
/// array with `symbol` in each, or the whole of it.
fn bins(args: &Args, size: Size) -> Result<Vec<u8>> {
    let text = std::fs::read(&args.source).with_context(|| {
        format!(
            "--kind reliability draws the JSON of `isotherm prove --json`, and {} cannot be read",
            args.source.display()
        )
    })?;
    let whole: Value = serde_json::from_slice(&text)
        .context("--kind reliability draws the JSON of `isotherm prove --json`")?;
    let mut found: Vec<(String, &Value)> = Vec::new();
    match whole.get("symbols") {
        Some(Value::Object(symbols)) => {
            found.extend(symbols.iter().map(|(name, of)| (name.clone(), of)))
        }
        Some(Value::Array(symbols)) => {
            let name = |of: &Value| {
                of.get("symbol")
                    .and_then(Value::as_str)
                    .unwrap_or("?")
                    .to_owned()
            };
            found.extend(symbols.iter().map(|of| (name(of), of)));
        }
        _ => {
            let name = whole.get("symbol").and_then(Value::as_str).unwrap_or("all");
            found.push((name.to_owned(), &whole));
        }
    }
    found.retain(|(name, of)| {
        of.get("reliability").is_some_and(Value::is_array)
            && args.symbol.as_ref().is_none_or(|wanted| wanted == name)
    });
    let Some((symbol, of)) = found.first() else {
        bail!(
            "no `reliability` of {}",
            args.symbol.as_deref().unwrap_or("any symbol")
        );
    };
    let rows = of
        .get("reliability")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut all = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let field = |name: &str| {
            let value = row.get(name).and_then(Value::as_f64);
            value.with_context(|| format!("bin {number} of {symbol} has no number `{name}`"))
        };
        all.push(Bin {
            predicted_usd: field("predicted_usd")?,
            realised_usd: field("realised_usd")?,
            n: field("n")?,
        });
    }
    let outcome = ["outcome", "proof", "verdict"]
        .iter()
        .find_map(|name| of.get(*name)?.as_str());
    let source = args
        .source
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let picture = Reliability {
        symbol,
        source: &source,
        outcome,
        bins: &all,
        // A proof has hourly scores beside them; the bins of its cells, drawn alone, have none.
        is_nowcast: of.get("scores").is_some(),
    };
    Ok(reliability::draw(&picture, size)?)
}
