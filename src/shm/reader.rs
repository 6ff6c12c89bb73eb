//! Reader: everybody's end of the page but the engine's.
//!
//! Maps the file read-only and only loads. Nothing in the page is believed: offsets, strides,
//! counts and names are checked against the file once, at [`PageReader::open`], and kept; later
//! changes of those bytes are not looked at. No call waits: a record that cannot be copied whole in
//! some microseconds is [`ReadFault::WriterStalled`], a page that was torn down or replaced is
//! [`ReadFault::Gone`] (open it again). After `open` no call allocates or enters the kernel, except
//! [`PageReader::is_replaced`], [`PageReader::counters`] and [`PageReader::snapshot`].
//!
//! Age is the reader's business: [`freshness`] judges a headline against CLOCK_MONOTONIC. Old data
//! and no data are told apart from "bias 0".
//!
//! Not defended: somebody who may write the file and truncates it while it is mapped. The page
//! belongs to its writer's user, mode 0640.

use super::broadcast::{Broadcast, Lapped};
use super::page::{
    ABI_MAJOR, ABI_MINOR, AHEAD_MAX, CounterRecord, ERROR_WORDS, EVENT_WORDS, HEADER_WORDS,
    HEADLINE_WORDS, HEARTBEAT_MAX, HEARTBEAT_WORD, HEARTBEAT_WORDS, Header, LAYOUT_HASH, MAGIC,
    MAGIC_WORD, MAX_SYMBOLS, Mapped, NAME_LEN, NEWEST_WORD, Region, SymbolRecord, VENUE_WORDS,
    WIDE_WORDS, status,
};
use super::record::{
    ErrorRecord, EventRecord, Headline, MODES, VenueRecord, Wide, text_of, verdict,
};
use super::slot::{Slot, WriterStalled};
use super::snapshot::{BUFFERS, Pair, SNAPSHOT_WORDS, Snapshot};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::time::Nanos;
use memmap2::MmapOptions;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Largest page that is mapped: far above what [`MAX_SYMBOLS`] need, far below what would hurt.
const PAGE_LEN_MAX: u64 = 1 << 28;
/// Most counters that are listed.
const COUNTERS_MAX: u32 = 4096;
/// Most venues, errors and events that are listed.
const LISTED_MAX: u32 = 1024;

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The system refused.
    #[error("cannot open the page: {0}")]
    Io(#[from] io::Error),
    /// Another file.
    #[error("not a page of isotherm")]
    NotAPage,
    /// A page this reader is too old or too new for.
    #[error("the page is ABI {major}.{minor}, this reader is {ABI_MAJOR}.{ABI_MINOR}")]
    Abi {
        /// The page's.
        major: u16,
        /// The page's.
        minor: u16,
    },
    /// Same version, other layout: one of the two was built wrongly.
    #[error("the page's layout is {0:016x}, this reader's is {LAYOUT_HASH:016x}")]
    Layout(u64),
    /// The header says something that cannot be.
    #[error("damaged page: {0}")]
    Malformed(&'static str),
    /// Torn down or replaced: open it again.
    #[error("the page is gone; open it again")]
    Gone,
    /// No whole record could be copied: the writer died in the middle, or is much faster than this
    /// reader.
    #[error("the writer is in the middle of a record")]
    WriterStalled,
    /// No such symbol, mode, venue or error.
    #[error("the page has no such record")]
    NoSuchRecord,
    /// The event was overwritten, or is older than this page: go on at a newer one, and say that some are missing.
    #[error("the event is no longer in the page")]
    Lapped,
}

impl From<WriterStalled> for ReadFault {
    fn from(_: WriterStalled) -> Self {
        Self::WriterStalled
    }
}

/// What an executor may make of a headline. Only `Live` is a reason to open anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Published within its time to live by an engine that lives.
    Live,
    /// Never published, or the engine says that it knows nothing: not the same as bias 0.
    NoData,
    /// Older than its `ttl_ms`.
    Expired,
    /// The engine is warming up, stale or halted.
    NotLive,
    /// No heartbeat: the engine is dead, stuck, or of another boot.
    Silent,
}

impl Freshness {
    /// Name, as the examples print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::NoData => "NO_DATA",
            Self::Expired => "EXPIRED",
            Self::NotLive => "NOT_LIVE",
            Self::Silent => "SILENT",
        }
    }
}

/// Age of a CLOCK_MONOTONIC stamp of the page.
#[must_use]
pub const fn age(stamp_mono_ns: i64, now: Nanos) -> Nanos {
    now.since(Nanos::new(stamp_mono_ns))
}

/// Judges a headline: the engine first, then the record. `now` is CLOCK_MONOTONIC, taken after both
/// were read. The C header has the same rules in the same order.
#[must_use]
pub fn freshness(header: &Header, headline: &Headline, now: Nanos) -> Freshness {
    let beat = header.heartbeat_age(now);
    if !is_within(beat, HEARTBEAT_MAX) {
        return Freshness::Silent;
    }
    if header.status & status::LIVE == 0 || header.status & (status::STALE | status::HALT) != 0 {
        return Freshness::NotLive;
    }
    if headline.publish_mono_ns == 0 || headline.verdict == verdict::NO_DATA {
        return Freshness::NoData;
    }
    let old = age(headline.publish_mono_ns, now);
    if !is_within(old, Nanos::millis(i64::from(headline.ttl_ms))) {
        return Freshness::Expired;
    }
    Freshness::Live
}

/// Not older than `most`, and not from a clock that runs far ahead.
const fn is_within(age: Nanos, most: Nanos) -> bool {
    age.get() >= -AHEAD_MAX.get() && age.get() <= most.get()
}

/// A symbol of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Canonical name.
    pub name: String,
    /// Units of coin that prices and quantities count as one.
    pub lot: u32,
}

/// One counter as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Id, stable for ever.
    pub id: u32,
    /// Name.
    pub name: String,
    /// Value.
    pub value: u64,
}

/// A page, mapped and checked.
#[derive(Debug)]
pub struct PageReader {
    map: Mapped,
    path: PathBuf,
    file_id: (u64, u64),
    epoch: u64,
    headlines: Region,
    wides: Region,
    counters: Region,
    venues: Region,
    errors: Region,
    events: Region,
    snapshots: Region,
    symbols: Vec<Symbol>,
}

impl PageReader {
    /// Maps the page at `path` and checks all that the later calls rely on.
    ///
    /// # Errors
    /// See [`ReadFault`].
    pub fn open(path: &Path) -> Result<Self, ReadFault> {
        let mut open = OpenOptions::new();
        // Never waits for a pipe that somebody put there.
        let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = open.read(true).custom_flags(no_wait).open(path)?;
        let about = file.metadata()?;
        if !about.is_file() || about.len() < size_of::<Header>() as u64 {
            return Err(ReadFault::NotAPage);
        }
        if about.len() > PAGE_LEN_MAX {
            return Err(ReadFault::Malformed("larger than any page"));
        }
        let mut options = MmapOptions::new();
        options.len(about.len() as usize).populate();
        let map = Mapped::new(options.map_raw_read_only(&file)?);
        let header = header_of(map.cells())?;
        check(&header, about.len())?;
        let symbols = symbols_of(map.cells(), &header)?;
        Ok(Self {
            map,
            path: path.to_path_buf(),
            file_id: (about.dev(), about.ino()),
            epoch: header.epoch,
            headlines: header.headlines,
            wides: header.wides,
            counters: header.counters,
            venues: header.venues,
            errors: header.errors,
            events: header.events,
            snapshots: header.snapshots,
            symbols,
        })
    }

    /// The symbols, by index.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// The index of a symbol by name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.symbols.iter().position(|symbol| symbol.name == name)
    }

    /// The number of this start of the engine; another number after opening again means: forget
    /// what you knew.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The headline of a symbol and mode (0 scalp, 1 day, 2 swing).
    ///
    /// # Errors
    /// `Gone`, `WriterStalled`, `NoSuchRecord`.
    #[inline]
    pub fn headline(&self, symbol: usize, mode: usize) -> Result<Headline, ReadFault> {
        self.alive()?;
        let words = self.headline_slot(symbol, mode)?.get()?;
        Ok(bytemuck::cast(words))
    }

    /// How often the headline was put so far: one load, to see whether there is anything new.
    ///
    /// # Errors
    /// `NoSuchRecord`.
    #[inline]
    pub fn headline_turns(&self, symbol: usize, mode: usize) -> Result<u64, ReadFault> {
        Ok(self.headline_slot(symbol, mode)?.turns())
    }

    /// The wide record of a symbol.
    ///
    /// # Errors
    /// `Gone`, `WriterStalled`, `NoSuchRecord`.
    pub fn wide(&self, symbol: usize) -> Result<Wide, ReadFault> {
        self.alive()?;
        let slot: Slot<'_, WIDE_WORDS> = self.slot(&self.wides, symbol)?;
        Ok(bytemuck::cast(slot.get()?))
    }

    /// How many venues the page lists, used or not.
    #[must_use]
    pub const fn venues(&self) -> usize {
        self.venues.count as usize
    }

    /// The record of a venue, reference first; all zeros = unused place.
    ///
    /// # Errors
    /// `Gone`, `WriterStalled`, `NoSuchRecord`.
    pub fn venue(&self, slot: usize) -> Result<VenueRecord, ReadFault> {
        self.alive()?;
        let slot: Slot<'_, VENUE_WORDS> = self.slot(&self.venues, slot)?;
        Ok(bytemuck::cast(slot.get()?))
    }

    /// How many errors the page lists, used or not; the last place counts what did not fit.
    #[must_use]
    pub const fn errors(&self) -> usize {
        self.errors.count as usize
    }

    /// An entry of the distinct error log; `count` 0 = unused place.
    ///
    /// # Errors
    /// `Gone`, `WriterStalled`, `NoSuchRecord`.
    pub fn error(&self, slot: usize) -> Result<ErrorRecord, ReadFault> {
        self.alive()?;
        let slot: Slot<'_, ERROR_WORDS> = self.slot(&self.errors, slot)?;
        Ok(bytemuck::cast(slot.get()?))
    }

    /// The newest map of a symbol, about a second old at most; all zeros = none yet.
    ///
    /// # Errors
    /// `Gone`, `WriterStalled`, `NoSuchRecord`.
    pub fn snapshot(&self, symbol: usize) -> Result<Box<Snapshot>, ReadFault> {
        self.alive()?;
        let words = self.pair(symbol)?.get()?;
        let mut copy: Box<Snapshot> = bytemuck::allocation::zeroed_box();
        *copy = bytemuck::cast(words);
        Ok(copy)
    }

    /// How often the map of a symbol was put so far.
    ///
    /// # Errors
    /// `NoSuchRecord`.
    pub fn snapshot_turns(&self, symbol: usize) -> Result<u64, ReadFault> {
        Ok(self.pair(symbol)?.turns())
    }

    fn pair(&self, symbol: usize) -> Result<Pair<'_, SNAPSHOT_WORDS>, ReadFault> {
        if symbol >= self.symbols.len() {
            return Err(ReadFault::NoSuchRecord);
        }
        let first = symbol * self.snapshots.per_symbol as usize;
        Ok(Pair([
            self.slot(&self.snapshots, first)?,
            self.slot(&self.snapshots, first + 1)?,
        ]))
    }

    /// Number of the newest event, from 1; 0 = none yet.
    #[must_use]
    pub fn newest_event(&self) -> u64 {
        Broadcast::<EVENT_WORDS>::at(self.map.cells(), NEWEST_WORD, &self.events)
            .map_or(0, Broadcast::newest)
    }

    /// How many events the page keeps.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events.count as u64
    }

    /// The event of a number; `None` when it has not happened yet. A reader keeps the number it wants next and asks
    /// until it gets `None`.
    ///
    /// # Errors
    /// `Gone`, `WriterStalled`, `Lapped`.
    pub fn event(&self, number: u64) -> Result<Option<EventRecord>, ReadFault> {
        self.alive()?;
        let ring = Broadcast::<EVENT_WORDS>::at(self.map.cells(), NEWEST_WORD, &self.events)
            .ok_or(ReadFault::NoSuchRecord)?;
        match ring.get(number)? {
            Some(Ok(words)) => Ok(Some(bytemuck::cast(words))),
            Some(Err(Lapped)) => Err(ReadFault::Lapped),
            None => Ok(None),
        }
    }

    /// The header as it stands, its heartbeat line as one whole record.
    ///
    /// # Errors
    /// `Gone`, `WriterStalled`.
    pub fn header(&self) -> Result<Header, ReadFault> {
        self.alive()?;
        header_of(self.map.cells())
    }

    /// Every counter the page lists, also those this version has no name for.
    #[must_use]
    pub fn counters(&self) -> Vec<Counter> {
        const WORDS: usize = size_of::<CounterRecord>() / 8;
        let all = (0..self.counters.count as usize).filter_map(|at| {
            let words = load::<WORDS>(self.map.cells(), record_word(&self.counters, at)?)?;
            let record: CounterRecord = bytemuck::cast(words);
            let name = text_of(&record.name);
            Some(Counter {
                id: record.id,
                name,
                value: record.value,
            })
        });
        all.collect()
    }

    /// True when the name leads to another page by now (or to none): asks the system, so not for
    /// the hot loop.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        fs::metadata(&self.path).map_or(true, |about| (about.dev(), about.ino()) != self.file_id)
    }

    /// `Gone` after the page was torn down, or retired by the next engine.
    #[inline]
    fn alive(&self) -> Result<(), ReadFault> {
        // ORDER: relaxed: a page that dies just after this look was still whole at it.
        match self
            .map
            .cells()
            .get(MAGIC_WORD)
            .map(|magic| magic.load(Ordering::Relaxed))
        {
            Some(MAGIC) => Ok(()),
            _ => Err(ReadFault::Gone),
        }
    }

    #[inline]
    fn headline_slot(
        &self,
        symbol: usize,
        mode: usize,
    ) -> Result<Slot<'_, HEADLINE_WORDS>, ReadFault> {
        if symbol >= self.symbols.len() || mode >= MODES {
            return Err(ReadFault::NoSuchRecord);
        }
        self.slot(
            &self.headlines,
            symbol * self.headlines.per_symbol as usize + mode,
        )
    }

    #[inline]
    fn slot<const N: usize>(
        &self,
        region: &Region,
        index: usize,
    ) -> Result<Slot<'_, N>, ReadFault> {
        record_word(region, index)
            .and_then(|word| self.map.cells().get(word..))
            .and_then(Slot::at)
            .ok_or(ReadFault::NoSuchRecord)
    }
}

/// First word of record `index` of a region that [`check`] has seen; `None` outside.
#[inline]
fn record_word(region: &Region, index: usize) -> Option<usize> {
    (index < region.count as usize)
        .then(|| (region.offset as usize + index * region.stride as usize) / 8)
}

fn load<const N: usize>(cells: &[AtomicU64], word: usize) -> Option<[u64; N]> {
    let cells = cells.get(word..)?.first_chunk::<N>()?;
    let mut words = [0; N];
    for (word, cell) in words.iter_mut().zip(cells) {
        // ORDER: relaxed: what may change on its own is one word; what belongs together is read
        // through a slot.
        *word = cell.load(Ordering::Relaxed);
    }
    Some(words)
}

/// The header, its heartbeat line read as the slot it is.
fn header_of(cells: &[AtomicU64]) -> Result<Header, ReadFault> {
    // ORDER: relaxed and a fence: pairs with the release store of the magic in `writer`.
    let magic = cells
        .get(MAGIC_WORD)
        .map(|magic| magic.load(Ordering::Relaxed));
    fence(Ordering::Acquire);
    match magic {
        Some(MAGIC) => {}
        Some(0) => return Err(ReadFault::Gone),
        _ => return Err(ReadFault::NotAPage),
    }
    let mut words = load::<HEADER_WORDS>(cells, 0).ok_or(ReadFault::NotAPage)?;
    let slot: Slot<'_, HEARTBEAT_WORDS> = cells
        .get(HEARTBEAT_WORD..)
        .and_then(Slot::at)
        .ok_or(ReadFault::NotAPage)?;
    let beat = slot.get()?;
    for (word, fresh) in words.iter_mut().skip(HEARTBEAT_WORD + 1).zip(beat) {
        *word = fresh;
    }
    Ok(bytemuck::cast(words))
}

/// All that the later calls rely on.
fn check(header: &Header, file_len: u64) -> Result<(), ReadFault> {
    if header.abi_major != ABI_MAJOR || header.abi_minor < ABI_MINOR {
        let (major, minor) = (header.abi_major, header.abi_minor);
        return Err(ReadFault::Abi { major, minor });
    }
    // A newer minor has appended something, so its hash is another one; what we know lies where it
    // lay.
    if header.abi_minor == ABI_MINOR && header.layout_hash != LAYOUT_HASH {
        return Err(ReadFault::Layout(header.layout_hash));
    }
    if (header.header_len as usize) < size_of::<Header>() {
        return Err(ReadFault::Malformed("a header shorter than its fields"));
    }
    if header.page_len > file_len {
        return Err(ReadFault::Malformed("the file is shorter than its page"));
    }
    let symbols = header.directory.count;
    if symbols == 0 || symbols as usize > MAX_SYMBOLS {
        return Err(ReadFault::Malformed("no symbols, or too many"));
    }
    if header.counters.count > COUNTERS_MAX {
        return Err(ReadFault::Malformed("too many counters"));
    }
    let listed = [header.venues, header.errors, header.events];
    if listed.iter().any(|region| region.count > LISTED_MAX) {
        return Err(ReadFault::Malformed("too many venues, errors or events"));
    }
    let per_symbol = header.headlines.per_symbol;
    if (per_symbol as usize) < MODES
        || header.headlines.count.checked_div(per_symbol) != Some(symbols)
        || header.wides.count != symbols
    {
        return Err(ReadFault::Malformed("not one record per symbol and mode"));
    }
    let buffers = header.snapshots.per_symbol;
    if (buffers as usize) < BUFFERS || header.snapshots.count.checked_div(buffers) != Some(symbols)
    {
        return Err(ReadFault::Malformed("not two snapshots per symbol"));
    }
    for (region, size) in [
        (&header.directory, size_of::<SymbolRecord>()),
        (&header.counters, size_of::<CounterRecord>()),
        (&header.headlines, (1 + HEADLINE_WORDS) * 8),
        (&header.wides, (1 + WIDE_WORDS) * 8),
        (&header.venues, (1 + VENUE_WORDS) * 8),
        (&header.errors, (1 + ERROR_WORDS) * 8),
        (&header.events, (1 + EVENT_WORDS) * 8),
        (&header.snapshots, (1 + SNAPSHOT_WORDS) * 8),
    ] {
        let end = u64::from(region.offset) + u64::from(region.stride) * u64::from(region.count);
        if !region.offset.is_multiple_of(64) || !region.stride.is_multiple_of(8) {
            return Err(ReadFault::Malformed("a region off its words"));
        }
        if (region.stride as usize) < size {
            return Err(ReadFault::Malformed("records shorter than their fields"));
        }
        if region.offset < header.header_len || end > header.page_len {
            return Err(ReadFault::Malformed("a region outside the page"));
        }
    }
    Ok(())
}

/// The directory: names are believed only when they can be shown and found again.
fn symbols_of(cells: &[AtomicU64], header: &Header) -> Result<Vec<Symbol>, ReadFault> {
    const WORDS: usize = size_of::<SymbolRecord>() / 8;
    let mut symbols: Vec<Symbol> = Vec::with_capacity(header.directory.count as usize);
    for at in 0..header.directory.count as usize {
        let words = record_word(&header.directory, at)
            .and_then(|word| load::<WORDS>(cells, word))
            .ok_or(ReadFault::Malformed("a directory outside the page"))?;
        let record: SymbolRecord = bytemuck::cast(words);
        let len = record.name.iter().position(|b| *b == 0).unwrap_or(NAME_LEN);
        if len == 0 || !record.name[..len].iter().all(u8::is_ascii_graphic) {
            return Err(ReadFault::Malformed("a symbol without a name"));
        }
        if record.index as usize != at || record.lot == 0 {
            return Err(ReadFault::Malformed("a symbol out of place"));
        }
        let name = text_of(&record.name);
        symbols.push(Symbol {
            name,
            lot: record.lot,
        });
    }
    Ok(symbols)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]
mod tests;
