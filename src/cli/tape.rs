//! `isotherm tape`: what a recording holds, whether it is sound, parts of it, and less room for it.

mod words;

use super::{stop_signal, stopped};
use crate::cut;
use crate::event::Event;
use crate::tape::folder::Lock;
use crate::tape::index::{Closed, Index, Row};
use crate::tape::survey::{Survey, survey};
use crate::tape::{self, EVENT_BYTES, Header, KINDS, Kind, LEG_B, Limits, Record, lane_of, pack};
use crate::time::Nanos;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use words::{size, span, time, utc};

const EXAMPLES: &str = "\
Examples:
  isotherm tape info tape                        runs, segments, spans, records of a folder
  isotherm tape verify tape today.tape           every checksum; exit code 1 on damage
  isotherm tape cat --kind rest tape | less      what was answered
  isotherm tape cat --json --first 100 tape      for programs, a JSON object a line
  isotherm tape cut --first 5000 tape a.tape     the beginning of a recording
  isotherm tape cut --from 2026-11-22T02:00:00 --to 2026-11-22T03:00:00 tape hour.tape
  isotherm tape compact --keep-days 30 tape      compress closed segments, remove old ones

Times are UTC, or nanoseconds since 1970. The format: docs/TAPE.md.";

/// Look at recordings, check them, cut and compact them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Runs, segments, spans, records by kind, plan
    Info {
        /// One JSON object a recording
        #[arg(long)]
        json: bool,
        /// Tapes or folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Check every record and account for every byte; exit code 1 on damage
    Verify {
        /// One JSON object a recording
        #[arg(long)]
        json: bool,
        /// Tapes or folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Print records as text, in file order
    Cat {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        /// Only this kind: frame, sent, connect, disconnect, rest, ticks, order, events, hole, next, end
        #[arg(long, value_parser = kind)]
        kind: Option<usize>,
        /// Only this lane
        #[arg(long)]
        ring: Option<u8>,
        #[command(flatten)]
        range: Range,
        /// A tape, a session or a folder
        path: PathBuf,
    },
    /// Copy a part of a recording to a new one
    Cut {
        #[command(flatten)]
        range: Range,
        /// A tape, a session or a folder
        path: PathBuf,
        /// What is written: a file when it ends in .tape, else a folder; must not be there
        out: PathBuf,
    },
    /// Compress closed segments, remove what is over the limits, write the index anew
    Compact {
        /// Keep at most so many bytes of segments; default: all
        #[arg(long, default_value_t = 0)]
        keep_bytes: u64,
        /// Keep so many days before the newest stamp; default: all
        #[arg(long, default_value_t = 0)]
        keep_days: u32,
        /// A folder that nobody records to
        path: PathBuf,
    },
}

/// Which records.
#[derive(Debug, Clone, clap::Args)]
struct Range {
    /// From this time on
    #[arg(long, value_parser = time)]
    from: Option<Nanos>,
    /// Before this time
    #[arg(long, value_parser = time)]
    to: Option<Nanos>,
    /// At most so many records
    #[arg(long)]
    first: Option<u64>,
}

fn kind(text: &str) -> Result<usize, String> {
    let found = Kind::NAMES.iter().position(|name| *name == text);
    found
        .filter(|at| *at > 0)
        .ok_or_else(|| format!("{text:?} is none of {}", Kind::NAMES[1..].join(", ")))
}

pub(super) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Info { json, paths } => paths.iter().try_for_each(|path| info(path, *json)),
        What::Verify { json, paths } => {
            let mut damaged = 0;
            for path in paths {
                let sound = verify(path, *json).unwrap_or_else(|fault| {
                    eprintln!("isotherm: {}", super::chain(&fault));
                    false
                });
                damaged += usize::from(!sound);
            }
            match damaged {
                0 => Ok(()),
                n => bail!(
                    "{n} of {} recording(s) damaged or not readable",
                    paths.len()
                ),
            }
        }
        What::Cat {
            json,
            kind,
            ring,
            range,
            path,
        } => cat(path, range, *json, *kind, *ring),
        What::Cut { range, path, out } => cut(path, range, out),
        What::Compact {
            keep_bytes,
            keep_days,
            path,
        } => {
            let limits = Limits {
                keep_bytes: *keep_bytes,
                keep_days: *keep_days,
                ..Limits::default()
            };
            compact(path, &limits)
        }
    }
}

// ---- info ----

/// A run, its rows summed.
struct Run {
    header: Header,
    rows: Vec<Row>,
}

impl Run {
    fn sum(&self, field: impl Fn(&Row) -> u64) -> u64 {
        self.rows.iter().map(field).sum()
    }
    fn kinds(&self) -> [u64; KINDS] {
        core::array::from_fn(|kind| self.sum(|row| row.kinds[kind]))
    }
    fn first(&self) -> i64 {
        let stamps = self.rows.iter().map(|row| row.first_ns);
        stamps.filter(|at| *at != 0).min().unwrap_or(0)
    }
    fn last(&self) -> i64 {
        self.rows.iter().map(|row| row.last_ns).max().unwrap_or(0)
    }
    fn closed(&self) -> Closed {
        self.rows.last().map_or(Closed::Not, |row| row.closed)
    }
}

/// The runs of a recording, and what could not be read.
fn runs(path: &Path) -> Result<(Vec<Run>, Vec<String>)> {
    let segments = if path.is_dir() {
        tape::folder::segments(path)?
    } else {
        Vec::new()
    };
    if segments.is_empty() {
        let found = survey(path)?;
        let header = tape::open(path)?.header().cloned().unwrap_or_default();
        let faults = found.iter().flat_map(|one| one.faults.clone()).collect();
        let rows = found.into_iter().map(|one| one.row).collect();
        return Ok((vec![Run { header, rows }], faults));
    }
    let (index, faults) = Index::fresh(path)?;
    let mut runs: Vec<Run> = Vec::new();
    for row in index.segments {
        if let Some(run) = runs.last_mut().filter(|run| run.header.run == row.run) {
            run.rows.push(row);
            continue;
        }
        let segment = segments.iter().find(|s| s.number == row.number);
        let reader = segment
            .map(tape::chain::open_segment)
            .transpose()?
            .flatten();
        let header = reader.map(|reader| reader.header().clone());
        runs.push(Run {
            header: header.unwrap_or_default(),
            rows: vec![row],
        });
    }
    Ok((runs, faults.iter().map(ToString::to_string).collect()))
}

fn info(path: &Path, json: bool) -> Result<()> {
    let (runs, faults) = runs(path)?;
    if json {
        let runs: Vec<Value> = runs.iter().map(run_object).collect();
        let object = json!({ "name": path.display().to_string(), "runs": runs, "faults": faults });
        say!("{}", serde_json::to_string_pretty(&object)?);
        return whole(path, &faults);
    }
    say!("{}", path.display());
    for run in &runs {
        let (disk, plain) = (run.sum(|row| row.bytes), run.sum(|row| row.plain_bytes));
        say!(
            "  run {}: {} to {} ({}), {}",
            run.header.run,
            utc(run.first()),
            utc(run.last()),
            span(run.last() - run.first()),
            closed_words(run.closed(), run.sum(|row| row.torn)),
        );
        let begun = match (run.header.continues, run.header.segment) {
            (_, 2..) => ", its beginning is gone",
            (true, _) => ", from the state of the run before",
            (false, _) => "",
        };
        say!(
            "    {} segment(s), {} on disk, {} unpacked; {}{begun}",
            run.rows.len(),
            size(disk),
            size(plain),
            if run.header.journalled {
                "journalled"
            } else {
                "no journal"
            },
        );
        say!("    {}", kinds_text(&run.kinds()));
        let plan = &run.header.plan;
        if !plan.symbols.is_empty() {
            say!("    symbols {}", plan.symbols.join(" "));
        }
        for (number, ring) in plan.rings.iter().enumerate() {
            let line = format!("{} {} {}", ring.venue, ring.url, ring.rest);
            say!("    ring {number}: {}", line.trim_end());
        }
        for row in run.rows.iter().filter(|row| row.number > 0) {
            say!(
                "    {:<16} part {:>3}  {} to {}  {:>9} records  {:>9}",
                row.file,
                row.part,
                utc(row.first_ns),
                utc(row.last_ns),
                row.records(),
                size(row.bytes),
            );
        }
    }
    for fault in &faults {
        say!("  {fault}");
    }
    whole(path, &faults)
}

/// An error where something was found wrong, told already.
fn whole(path: &Path, faults: &[String]) -> Result<()> {
    match faults.len() {
        0 => Ok(()),
        n => bail!(
            "{}: {n} fault(s); isotherm tape verify looks at every record",
            path.display()
        ),
    }
}

fn run_object(run: &Run) -> Value {
    json!({
        "run": run.header.run,
        "created_ns": run.header.created.get(),
        "continues": run.header.continues,
        "journalled": run.header.journalled,
        "first_part": run.header.segment,
        "first_ns": run.first(),
        "last_ns": run.last(),
        "closed": run.closed(),
        "bytes": run.sum(|row| row.bytes),
        "plain_bytes": run.sum(|row| row.plain_bytes),
        "torn": run.sum(|row| row.torn),
        "records": kinds_object(&run.kinds()),
        "plan": run.header.plan,
        "segments": run.rows,
    })
}

fn kinds_object(kinds: &[u64; KINDS]) -> Map<String, Value> {
    let named = Kind::NAMES.iter().zip(kinds).skip(1);
    named
        .map(|(name, n)| ((*name).to_string(), (*n).into()))
        .collect()
}

fn kinds_text(kinds: &[u64; KINDS]) -> String {
    let some: Vec<String> = Kind::NAMES
        .iter()
        .zip(kinds)
        .filter(|(_, n)| **n > 0)
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    match some.is_empty() {
        true => "no records".to_owned(),
        false => some.join(", "),
    }
}

fn closed_words(closed: Closed, torn: u64) -> String {
    match (closed, torn) {
        (Closed::End, _) => "ended in order".to_owned(),
        (Closed::Next, _) => "its continuation is not here".to_owned(),
        (Closed::Hole, _) => "stopped by a hole".to_owned(),
        (Closed::Not, 0) => "not closed: killed, or still recorded".to_owned(),
        (Closed::Not, torn) => format!("not closed, {torn} byte(s) of a torn end"),
    }
}

// ---- verify ----

/// True when nothing is damaged.
fn verify(path: &Path, json: bool) -> Result<bool> {
    let found = survey(path)?;
    let sound = found
        .iter()
        .all(|one| one.faults.is_empty() && one.is_accounted());
    let mut kinds = [0; KINDS];
    for one in &found {
        for (sum, n) in kinds.iter_mut().zip(one.row.kinds) {
            *sum += n;
        }
    }
    let sum = |field: fn(&Survey) -> u64| found.iter().map(field).sum::<u64>();
    let (damaged, torn) = (sum(|one| one.damaged), sum(|one| one.row.torn));
    if json {
        let object = json!({
            "name": path.display().to_string(),
            "sound": sound,
            "records": kinds_object(&kinds),
            "bytes": sum(|one| one.row.plain_bytes),
            "head_bytes": sum(|one| one.head),
            "record_bytes": sum(|one| one.whole),
            "damaged_bytes": damaged,
            "torn_bytes": torn,
            "files": found,
        });
        say!("{}", serde_json::to_string_pretty(&object)?);
        return Ok(sound);
    }
    let verdict = if sound { "sound" } else { "DAMAGED" };
    say!("{}: {verdict}", path.display());
    say!("  {} file(s), {}", found.len(), kinds_text(&kinds));
    say!(
        "  {} bytes: {} of heads, {} of whole records, {damaged} damaged, {torn} torn",
        sum(|one| one.row.plain_bytes),
        sum(|one| one.head),
        sum(|one| one.whole),
    );
    for one in &found {
        for fault in &one.faults {
            say!("  {fault}");
        }
        if !one.is_accounted() {
            say!("  {}: its bytes do not add up", one.row.file);
        }
        if one.row.torn > 0 {
            let torn = one.row.torn;
            say!("  {}: torn end, {torn} byte(s) left out", one.row.file);
        }
        if let Some(why) = &one.hole {
            say!("  {}: recording stopped: {why}", one.row.file);
        }
    }
    Ok(sound)
}

// ---- cat ----

fn cat(
    path: &Path,
    range: &Range,
    json: bool,
    kind: Option<usize>,
    ring: Option<u8>,
) -> Result<()> {
    let signal = stop_signal()?;
    let mut source = tape::open(path)?;
    let mut left = range.first.unwrap_or(u64::MAX);
    loop {
        while let Some(record) = source.next_record()? {
            if left == 0 || stopped(&signal) {
                return Ok(());
            }
            let is_wanted = kind.is_none_or(|kind| record.kind() as usize == kind)
                && ring.is_none_or(|ring| lane_of(record.ring()) == ring)
                && range.from.is_none_or(|from| record.stamp() >= from)
                && range.to.is_none_or(|to| record.stamp() < to);
            if is_wanted {
                left -= 1;
                if json {
                    say!("{}", record_object(&record));
                } else {
                    say!("{}", record_text(&record));
                }
            }
        }
        if !source.next_run()? {
            return Ok(());
        }
    }
}

/// Bytes as they are when they are text, else in hexadecimal.
fn bytes_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("0x{}", hex(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn events_of(bytes: &[u8]) -> impl Iterator<Item = Event> {
    bytes
        .chunks_exact(EVENT_BYTES)
        .map(bytemuck::pod_read_unaligned::<Event>)
}

fn record_text(record: &Record<'_>) -> String {
    let what = match record {
        Record::Frame { bytes, .. } | Record::Sent { bytes, .. } => bytes_text(bytes),
        Record::Connect { url, .. } => (*url).to_owned(),
        Record::Disconnect { reason, .. } => (*reason).to_owned(),
        Record::Rest { request, body, .. } => format!("{request} {}", bytes_text(body)),
        Record::Ticks { count, .. } => format!("x {count}"),
        Record::Order { groups, .. } => format!("x {groups}"),
        Record::Events { bytes, .. } => events_of(bytes)
            .map(|event| format!("{:?}", event.body()))
            .collect::<Vec<_>>()
            .join("; "),
        Record::Hole { why, .. } => (*why).to_owned(),
        Record::Next { segment, .. } => format!("part {segment}"),
        Record::End(end) => format!("inputs {} hash {:016x}", end.input_seq, end.state_hash),
    };
    let stamp = match record.stamp() {
        Nanos::ZERO => String::new(),
        stamp => utc(stamp.get()),
    };
    format!(
        "{stamp:<29} {:<10} {:>4} {what}",
        record.kind().name(),
        ring_text(record)
    )
}

/// `3`, `3b` for its second leg, nothing where there is no ring.
fn ring_text(record: &Record<'_>) -> String {
    match record {
        Record::Ticks { .. } | Record::Hole { .. } | Record::Next { .. } | Record::End(_) => {
            String::new()
        }
        _ if record.ring() & LEG_B != 0 => format!("{}b", lane_of(record.ring())),
        _ => record.ring().to_string(),
    }
}

fn record_object(record: &Record<'_>) -> Value {
    let mut object = json!({ "kind": record.kind().name(), "at_ns": record.stamp().get() });
    let ring = ring_text(record);
    if !ring.is_empty() {
        object["ring"] = lane_of(record.ring()).into();
        object["leg"] = if record.ring() & LEG_B == 0 { "a" } else { "b" }.into();
    }
    let mut text = |name: &str, bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => object[name] = text.into(),
        Err(_) => object[format!("{name}_hex")] = hex(bytes).into(),
    };
    match record {
        Record::Frame { bytes, .. } | Record::Sent { bytes, .. } => text("text", bytes),
        Record::Connect { url, .. } => text("url", url.as_bytes()),
        Record::Disconnect { reason, .. } => text("reason", reason.as_bytes()),
        Record::Rest { request, body, .. } => {
            text("request", request.as_bytes());
            text("body", body);
        }
        Record::Hole { why, .. } => text("why", why.as_bytes()),
        Record::Ticks { count, .. } => object["count"] = (*count).into(),
        Record::Order { groups, .. } => object["groups"] = (*groups).into(),
        Record::Next { segment, .. } => object["part"] = (*segment).into(),
        Record::Events { bytes, .. } => {
            object["events"] = events_of(bytes)
                .map(|event| {
                    json!({
                        "recv_ns": event.recv.get(), "exch_ns": event.exch.get(), "venue": event.venue.0,
                        "symbol": event.symbol.0, "bits": event.bits, "body": format!("{:?}", event.body()),
                    })
                })
                .collect();
        }
        Record::End(end) => {
            object["input_seq"] = end.input_seq.into();
            object["state_hash"] = format!("{:016x}", end.state_hash).into();
        }
    }
    object
}

// ---- cut, compact ----

fn cut(path: &Path, range: &Range, to: &Path) -> Result<()> {
    if let (Some(from), Some(until)) = (range.from, range.to)
        && from > until
    {
        bail!(
            "--from {} is behind --to {}",
            utc(from.get()),
            utc(until.get())
        );
    }
    let range = cut::Range {
        from: range.from,
        to: range.to,
        first: range.first,
    };
    let done = cut::cut(path, &range, to)?;
    say!(
        "{}: {} records of {} run(s)",
        to.display(),
        done.records,
        done.runs
    );
    if range.from.is_some() {
        say!(
            "books, if there are any, are not known in it before a venue's next image: BOOK_UNTRUSTED till then"
        );
    }
    Ok(())
}

fn compact(path: &Path, limits: &Limits) -> Result<()> {
    if !path.is_dir() {
        bail!("{}: not a folder of segments", path.display());
    }
    let (before, _) = Index::fresh(path)?;
    let _lock = Lock::take(path).context("a recording that goes on packs itself")?;
    let after = pack::compact(path, limits)?;
    let bytes = |index: &Index| index.segments.iter().map(|row| row.bytes).sum::<u64>();
    let packed = after
        .segments
        .iter()
        .filter(|row| row.file.ends_with(".zst"))
        .count();
    say!(
        "{}: {} segment(s), {packed} compressed, {} (before: {} segment(s), {})",
        path.display(),
        after.segments.len(),
        size(bytes(&after)),
        before.segments.len(),
        size(bytes(&before)),
    );
    Ok(())
}
