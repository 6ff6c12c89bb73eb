//! Import: files of others into a tape, decoded.
//!
//! ```text
//!   file -> lines (unpacked) -> form (rows to groups) -> stream (ordered in a window) \
//!   file -> ...                                                                         merge by stamp -> tape
//!   file -> ...                                                                        /
//! ```
//! A tape of live frames outlives its decoders; these files were decoded by somebody else, so what is kept is the
//! events: one record a group, no journal, one ring a venue, ticks by the rule of `tape::Grid`. The head is made of the
//! files alone, so that the same files give the same bytes.
//!
//! Two passes. The *survey* opens every file, finds its form, and reads as much as a stream holds: that gives symbols,
//! venues, and the stamp at which the file's turn comes. Then the files are merged, each opened when it is due and
//! closed when it is done, so that a year of daily files holds few open. Files may be larger than memory.
//!
//! Receive stamps are those of the files where they have any; else an event is received when it happened, or when its
//! period is over. Nothing is filled in: an empty field gives no event. `docs/IMPORT.md` says what each form means
//! and what is lost.

mod binance;
mod form;
mod history;
mod input;
mod names;
mod number;
mod row;
mod stream;
mod tardis;

use crate::event::Kind;
use crate::market::VenueId;
use crate::tape::{self, End, Header, Record, RingPlan, RunPlan, Writer};
use crate::time::Nanos;
use names::Names;
use row::Group;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use stream::{Stream, Tally};

pub use stream::WINDOW;

/// Whose files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Tardis: trades, liquidations, `derivative_ticker`, `incremental_book_L2`.
    Tardis,
    /// Binance's public dumps: aggTrades, metrics, klines, fundingRate, liquidationSnapshot.
    Binance,
    /// Collected series of one instrument a file: interest, funding, bars, liquidation totals, trades, context.
    History,
}

/// What to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose files they are.
    pub family: Family,
    /// The files, in any order.
    pub files: Vec<PathBuf>,
    /// Canonical assets in symbol order; `None` = all that the beginnings of the files hold.
    pub symbols: Option<Vec<String>>,
    /// Venue of files that do not say it; `None` = the one their form is known from. Only for [`Family::History`].
    pub venue: Option<VenueId>,
}

/// Why an import failed. No tape is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The machine said no.
    #[error("{name}: {source}")]
    Io {
        /// File.
        name: String,
        /// What it said.
        source: io::Error,
    },
    /// A file that cannot be read on.
    #[error("{name}:{line}: {source}")]
    Line {
        /// File.
        name: String,
        /// Line, from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// A file of no known form.
    #[error("{name}: {why}")]
    Unknown {
        /// File.
        name: String,
        /// Why.
        why: String,
    },
    /// A row that stops everything.
    #[error("{name}:{line}: {source}")]
    Row {
        /// File.
        name: String,
        /// Line, from 1.
        line: u64,
        /// Why.
        source: Box<ImportError>,
    },
    /// An exchange that is not ours.
    #[error("exchange {found:?} is not known here; known are {known}")]
    Exchange {
        /// As the file has it.
        found: String,
        /// What there is.
        known: String,
    },
    /// Sizes in contracts of unknown worth.
    #[error(
        "{venue} counts {instrument} in contracts, and how many coins one is worth is not known here (known: {known}); \
         leave it out with --symbols"
    )]
    Contract {
        /// Venue.
        venue: &'static str,
        /// Instrument as the file has it.
        instrument: String,
        /// Assets whose contracts are known.
        known: String,
    },
    /// A row that comes too late to be put in order.
    #[error(
        "{name}:{line}: {late_ms} ms behind a row that is {window} groups or more before it; sort the file first",
        window = WINDOW
    )]
    Disorder {
        /// File.
        name: String,
        /// Line, from 1.
        line: u64,
        /// How late.
        late_ms: i64,
    },
    /// More than one row in a hundred does not fit.
    #[error("{name}: {bad} of {rows} rows are no {form}, the first: {first}")]
    Bad {
        /// File.
        name: String,
        /// What it was taken for.
        form: &'static str,
        /// Bad rows.
        bad: u64,
        /// All rows.
        rows: u64,
        /// The first bad row.
        first: String,
    },
    /// Nothing came of it.
    #[error("no event in {files} files{}", if *named { " of the symbols that were named" } else { "" })]
    Nothing {
        /// How many files.
        files: usize,
        /// Symbols were named.
        named: bool,
    },
    /// Options that contradict each other.
    #[error("{0}")]
    Options(String),
    /// The tape cannot be written.
    #[error(transparent)]
    Tape(#[from] tape::Error),
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Canonical assets in symbol order.
    pub symbols: Vec<String>,
    /// Venues in ring order.
    pub venues: Vec<&'static str>,
    /// Every file, with its form.
    pub files: Vec<(String, &'static str)>,
    /// Rows read, heads not among them.
    pub rows: u64,
    /// Groups written, a record each.
    pub groups: u64,
    /// Events written, by kind number.
    pub events: [u64; Kind::ALL.len()],
    /// Stamp of the first event; zero before there is one.
    pub first: Nanos,
    /// Stamp of the last.
    pub last: Nanos,
    /// Rows dropped because an equal one was there already.
    pub duplicates: u64,
    /// Rows of books before their first image, dropped.
    pub early: u64,
    /// Rows that did not fit, dropped.
    pub bad: u64,
    /// The first few of each file, in words.
    pub bad_named: Vec<String>,
    /// Rows of instruments that were left out, by venue and name.
    pub left_out: BTreeMap<String, u64>,
    /// Bytes of the tape, before packing.
    pub bytes: u64,
}

/// Rows between two calls for progress.
const PROGRESS_EVERY: u64 = 1 << 16;

/// Imports files into a new tape; a name that ends in `.zst` is packed. `progress` is told rows read and files done,
/// now and then.
///
/// # Errors
/// As [`ImportError`] says; then no tape is left behind.
pub fn run(
    options: &Options,
    out: &Path,
    progress: &mut dyn FnMut(u64, usize),
) -> Result<Summary, ImportError> {
    check(options)?;
    let mut names = Names::new(options.symbols.as_deref());
    let mut files = Vec::with_capacity(options.files.len());
    let mut due = BinaryHeap::new();
    let mut first: Option<Nanos> = None;
    for (at, path) in options.files.iter().enumerate() {
        let mut stream = Stream::open(path, at as u64, options)?;
        let next = stream.next_due(&mut names)?;
        first = [first, next.map(|(stamp, _)| stamp)]
            .into_iter()
            .flatten()
            .min();
        files.push((path.display().to_string(), stream.form()));
        // One without groups is read all the same: its rows are counted.
        due.push(Reverse((next.unwrap_or_default(), at)));
    }
    names.close();
    let Some(first) = first else {
        return Err(ImportError::Nothing {
            files: options.files.len(),
            named: options.symbols.is_some(),
        });
    };
    let header = header(&names, first);
    let file = File::create_new(out).map_err(|source| {
        let name = out.display().to_string();
        match source.kind() {
            io::ErrorKind::AlreadyExists => tape::Error::There { name }.into(),
            _ => ImportError::Io { name, source },
        }
    })?;
    let done = Merge {
        options,
        streams: options.files.iter().map(|_| None).collect(),
        due,
        summary: Summary {
            symbols: names.symbols.clone(),
            venues: names.rings.iter().map(|origin| origin.name).collect(),
            files,
            rows: 0,
            groups: 0,
            events: [0; Kind::ALL.len()],
            first,
            last: first,
            duplicates: 0,
            early: 0,
            bad: 0,
            bad_named: Vec::new(),
            left_out: BTreeMap::new(),
            bytes: 0,
        },
        names,
    }
    .write(&header, file, out, progress);
    if done.is_err() {
        // The first failure is the one to tell.
        let _ = std::fs::remove_file(out);
    }
    done
}

fn check(options: &Options) -> Result<(), ImportError> {
    let wrong = |why: &str| Err(ImportError::Options(why.to_owned()));
    if options.venue.is_some() && options.family != Family::History {
        return wrong("these files say themselves of which venue they are: leave --venue out");
    }
    let symbols = options.symbols.as_deref().unwrap_or_default();
    for (at, symbol) in symbols.iter().enumerate() {
        let is_asset = !symbol.is_empty() && symbol.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_asset {
            return wrong(&format!(
                "{symbol:?} is no asset: write BTC, not an instrument's name"
            ));
        }
        if symbols.iter().take(at).any(|other| other == symbol) {
            return wrong(&format!("{symbol} is named twice"));
        }
    }
    if symbols.len() > crate::venue::SYMBOLS_MAX {
        return wrong("more symbols than ids");
    }
    Ok(())
}

/// The head of the tape, made of the files alone.
fn header(names: &Names, first: Nanos) -> Header {
    let rings = names.rings.iter().map(|origin| RingPlan {
        venue: origin.name.to_owned(),
        ..RingPlan::default()
    });
    Header {
        created: first,
        run: first.get().unsigned_abs(),
        plan: RunPlan {
            symbols: names.symbols.clone(),
            rings: rings.collect(),
            ..RunPlan::default()
        },
        ..Header::default()
    }
}

/// Where the tape goes.
enum Out {
    Plain(BufWriter<File>),
    Packed(zstd::Encoder<'static, BufWriter<File>>),
}

impl Out {
    fn new(file: File, path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 18, file);
        if path.extension().is_some_and(|end| end == "zst") {
            return Ok(Self::Packed(zstd::Encoder::new(file, 3)?));
        }
        Ok(Self::Plain(file))
    }

    /// Everything is on the disk when this answers.
    fn close(self) -> io::Result<()> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Packed(encoder) => encoder.finish()?,
        };
        file.into_inner()?.sync_all()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Packed(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Packed(encoder) => encoder.flush(),
        }
    }
}

/// The second pass.
struct Merge<'a> {
    options: &'a Options,
    names: Names,
    /// One a file: open from its turn to its end.
    streams: Vec<Option<Box<Stream>>>,
    /// When each file's next group is due; of those due together the file that was named first.
    due: BinaryHeap<Reverse<((Nanos, bool), usize)>>,
    summary: Summary,
}

impl Merge<'_> {
    fn write(
        mut self,
        header: &Header,
        file: File,
        path: &Path,
        progress: &mut dyn FnMut(u64, usize),
    ) -> Result<Summary, ImportError> {
        let fail = |source| ImportError::Io {
            name: path.display().to_string(),
            source,
        };
        let mut writer = Writer::new(Out::new(file, path).map_err(fail)?, header)?;
        let (mut told, mut closed, mut done) = (0, 0, 0);
        while let Some(Reverse((_, at))) = self.due.pop() {
            let mut stream = match self.streams.get_mut(at).and_then(Option::take) {
                Some(stream) => stream,
                None => {
                    let path = &self.options.files[at];
                    Box::new(Stream::open(path, at as u64, self.options)?)
                }
            };
            if let Some(group) = stream.next_group(&mut self.names)? {
                self.note(&group);
                writer.append(&Record::Events {
                    ring: group.ring,
                    recv: group.recv,
                    bytes: bytemuck::cast_slice(&group.events),
                })?;
            }
            if self.summary.groups >= told + PROGRESS_EVERY {
                told = self.summary.groups;
                progress(closed + stream.rows(), done);
            }
            match stream.next_due(&mut self.names)? {
                Some(next) => {
                    self.due.push(Reverse((next, at)));
                    self.streams[at] = Some(stream);
                }
                None => {
                    closed += stream.rows();
                    done += 1;
                    self.add(stream.tally());
                }
            }
        }
        let mut summary = self.summary;
        summary.left_out = self.names.left_out();
        summary.bytes = writer.bytes();
        let end = End {
            at: summary.last,
            ..End::default()
        };
        writer.finish(end)?.close().map_err(fail)?;
        Ok(summary)
    }

    fn note(&mut self, group: &Group) {
        let summary = &mut self.summary;
        summary.groups += 1;
        summary.last = group.recv;
        for event in &group.events {
            summary.events[event.kind() as usize] += 1;
        }
    }

    fn add(&mut self, tally: Tally) {
        let summary = &mut self.summary;
        summary.rows += tally.rows;
        summary.bad += tally.bad;
        summary.bad_named.extend(tally.named);
        summary.duplicates += tally.duplicates;
        summary.early += tally.early;
    }
}
