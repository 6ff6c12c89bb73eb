//! Writer: the engine's end of the page. One process writes one page.
//!
//! Birth: a file under a temporary name (created exclusively, mode 0640, every byte reserved and
//! mapped), filled, its magic stored last, then given its real name in one step; nobody ever sees
//! half a page. The writer holds an exclusive lock on the file for as long as it lives, and the
//! system drops that lock when the process ends however it ends: so "is the old writer alive" has
//! an exact answer that neither a reused pid nor a clock can spoil. A page whose writer lives is
//! refused; a dead one's is replaced, its magic zeroed first so that readers who still map it
//! notice.
//!
//! Death: the magic is zeroed first, then the name removed (only if it is still ours).
//!
//! What slow threads publish, the venues and the distinct error log, lies in regions of its own and can be
//! handed to them as a [`Margin`]: each slot keeps its one writer, and no thread waits for another.
//!
//! The calls of the hot loop (`headline`, `wide`, `heartbeat`, `stamp`, `counter`, `status`) store
//! words: no system call, no allocation, no wait, and they cannot fail.

use super::broadcast::Broadcast;
use super::page::{
    ABI_MAJOR, ABI_MINOR, BUILD_LEN, CONFIG_WORD, COUNTERS, CounterRecord, ERROR_WORDS,
    EVENT_WORDS, HEADER_WORDS, HEADLINE_WORDS, HEARTBEAT_WORD, HEARTBEAT_WORDS, Header,
    LAYOUT_HASH, LINE, Layout, MAGIC, MAGIC_WORD, MAX_SYMBOLS, MAX_VENUES, MODEL_WORD, Mapped,
    NAME_LEN, NEWEST_WORD, REASON_WORD, Region, STATUS_WORD, SymbolRecord, VENUE_WORDS, WIDE_WORDS,
    counter, status,
};
use super::record::{
    ErrorRecord, EventRecord, Headline, MODES, MapView, PROOFS, Publish, VenueRecord, WIDE_STAMPS,
    Wide, bytes_of,
};
use super::slot::Slot;
use super::snapshot::{BUFFERS, Pair, SNAPSHOT_WORDS, Snapshot};
use crate::sync::{AtomicU64, Ordering};
use crate::time::{Clock, Nanos, WallClock, mono_now};
use bytemuck::Zeroable;
use memmap2::MmapOptions;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there is no page to write.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Another engine writes it.
    #[error(
        "{path}: process {pid} is writing this page (last heartbeat {age_ms} ms ago); \
         stop it or choose another instance name"
    )]
    Live {
        /// The page.
        path: PathBuf,
        /// Its writer.
        pid: u64,
        /// Age of its heartbeat.
        age_ms: i64,
    },
    /// Something else has that name, and it is left alone.
    #[error("{0}: exists and is not a page of isotherm; it is left alone")]
    NotAPage(PathBuf),
    /// The symbols cannot be listed in a page.
    #[error("{0}")]
    Symbols(String),
    /// More venues than a page lists.
    #[error("{0} venues: a page lists at most {MAX_VENUES}")]
    Venues(usize),
    /// The system refused.
    #[error("{path}: {what}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Its answer.
        source: io::Error,
    },
}

fn io_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> PageError {
    let path = path.to_path_buf();
    move |source| PageError::Io { path, what, source }
}

/// The one writer of a page. Dropping it tears the page down.
#[derive(Debug)]
pub struct PageWriter {
    map: Arc<Mapped>,
    layout: Layout,
    /// The venues and errors, until somebody else writes them.
    margin: Option<Margin>,
    path: PathBuf,
    /// Holds the lock that says "alive".
    file: File,
    symbols: usize,
    /// A snapshot in the making.
    copy: Box<Snapshot>,
    /// [`PROOFS`] of each symbol's map.
    proofs: Vec<u8>,
    status: u32,
    kill: u32,
    kill_reason: u32,
    venues_up: u32,
    stamp: Nanos,
    headlines: u64,
    wides: u64,
    locked: bool,
}

impl PageWriter {
    /// Makes the page at `path` for `symbols` whose canonical lot is one unit of coin.
    ///
    /// # Errors
    /// See [`PageError`]; nothing is left behind.
    pub fn create(path: &Path, symbols: &[String], build: &str) -> Result<Self, PageError> {
        let all: Vec<(&str, u32)> = symbols.iter().map(|name| (name.as_str(), 1)).collect();
        Self::create_with_lots(path, &all, build)
    }

    /// Makes the page at `path` for symbols with their canonical lots (units of coin that count as
    /// one), without venues.
    ///
    /// # Errors
    /// See [`PageError`]; nothing is left behind.
    pub fn create_with_lots(
        path: &Path,
        symbols: &[(&str, u32)],
        build: &str,
    ) -> Result<Self, PageError> {
        Self::create_with(path, symbols, &[], build)
    }

    /// Makes the page at `path` for symbols with their canonical lots and for venues (name and
    /// number, reference first; at most [`MAX_VENUES`]), of which nothing is known yet.
    ///
    /// # Errors
    /// See [`PageError`]; nothing is left behind.
    pub fn create_with(
        path: &Path,
        symbols: &[(&str, u32)],
        venues: &[(&str, u8)],
        build: &str,
    ) -> Result<Self, PageError> {
        check(symbols)?;
        if venues.len() > MAX_VENUES {
            return Err(PageError::Venues(venues.len()));
        }
        let old = claim(path)?;
        let epoch = fresh_epoch();
        let newborn = Newborn::create(path, epoch)?;
        let layout = Layout::of(symbols.len(), venues.len());
        let map = Arc::new(newborn.map(layout.page_len)?);
        let locked = map.lock();
        let margin = Margin {
            map: Arc::clone(&map),
            layout,
        };
        fill(map.cells(), &layout, symbols, build, epoch);
        for (slot, (name, id)) in venues.iter().enumerate() {
            margin.venue(slot, &VenueRecord::new(name, *id));
        }
        if let Some(magic) = map.cells().get(MAGIC_WORD) {
            // ORDER: release: publishes all of the above; pairs with the fence after the header is read
            // in `reader`.
            magic.store(MAGIC, Ordering::Release);
        }
        let file = newborn.name(path, old.as_ref())?;
        Ok(Self {
            map,
            layout,
            margin: Some(margin),
            path: path.to_path_buf(),
            file,
            symbols: symbols.len(),
            copy: bytemuck::allocation::zeroed_box(),
            proofs: vec![0; symbols.len()],
            status: status::WARMING,
            kill: 0,
            kill_reason: 0,
            venues_up: 0,
            stamp: mono_now(),
            headlines: 0,
            wides: 0,
            locked,
        })
    }

    /// True when the system keeps the page in memory (it may refuse: `RLIMIT_MEMLOCK`).
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        self.locked
    }

    /// Where the page lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that the engine lives and how far it is. Also the stamp of what is published next.
    #[inline]
    pub fn heartbeat(&mut self, mono: Nanos, input_seq: u64, state_hash: u64) {
        self.stamp = mono;
        if let Some(slot) = self.slot::<HEARTBEAT_WORDS>(HEARTBEAT_WORD) {
            slot.put(&[
                mono.get().cast_unsigned(),
                input_seq,
                state_hash,
                0,
                0,
                0,
                0,
            ]);
        }
        self.counter(counter::HEADLINES, self.headlines);
        self.counter(counter::WIDES, self.wides);
    }

    /// The CLOCK_MONOTONIC stamp of what is published from now on, unless a record brings its own.
    #[inline]
    pub fn stamp(&mut self, mono: Nanos) {
        self.stamp = mono;
    }

    /// Sets the [`status`] bits.
    #[inline]
    pub fn status(&mut self, bits: u32) {
        self.status = bits;
        self.store(STATUS_WORD, two(self.status, self.kill));
    }

    /// Advises executors: a value of [`super::page::kill`] and why.
    pub fn kill(&mut self, level: u32, reason: u32) {
        (self.kill, self.kill_reason) = (level, reason);
        self.store(REASON_WORD, two(self.kill_reason, self.venues_up));
        self.store(STATUS_WORD, two(self.status, self.kill));
    }

    /// Says what the ledger of proofs thinks of a symbol's map, a number of [`PROOFS`]: in its next wide record. A
    /// symbol or outcome that is none changes nothing.
    pub fn set_proof(&mut self, symbol: usize, proof: u8) {
        if let Some(held) = self.proofs.get_mut(symbol)
            && usize::from(proof) < PROOFS.len()
        {
            *held = proof;
        }
    }

    /// Says how many venues are connected.
    pub fn venues_up(&mut self, count: u32) {
        self.venues_up = count;
        self.store(REASON_WORD, two(self.kill_reason, self.venues_up));
    }

    /// Says which plan and which learned model are in force.
    pub fn hashes(&mut self, config: u64, model: u64) {
        self.store(CONFIG_WORD, config);
        self.store(MODEL_WORD, model);
    }

    /// Sets a counter (an id of [`counter`]); an id that is none changes nothing.
    #[inline]
    pub fn counter(&mut self, id: usize, value: u64) {
        if let Some(at) = record_word(&self.layout.counters, id) {
            self.store(at, value);
        }
    }

    /// Replaces a venue's record (reference first); a slot that is none changes nothing, nor does any
    /// once [`PageWriter::take_margin`] gave the venues away.
    pub fn venue(&mut self, slot: usize, record: &VenueRecord) {
        if let Some(margin) = &self.margin {
            margin.venue(slot, record);
        }
    }

    /// Replaces an entry of the distinct error log; as [`PageWriter::venue`].
    pub fn error(&mut self, slot: usize, record: &ErrorRecord) {
        if let Some(margin) = &self.margin {
            margin.error(slot, record);
        }
    }

    /// Hands the venues and errors to another thread; `None` when they are gone already. What is
    /// written there after the page was torn down is seen by nobody.
    pub fn take_margin(&mut self) -> Option<Margin> {
        self.margin.take()
    }

    #[inline]
    fn store(&self, word: usize, value: u64) {
        if let Some(cell) = self.map.cells().get(word) {
            // ORDER: relaxed: each word stands for itself; readers combine none of them with
            // another.
            cell.store(value, Ordering::Relaxed);
        }
    }

    #[inline]
    fn slot<const N: usize>(&self, word: usize) -> Option<Slot<'_, N>> {
        Slot::at(self.map.cells().get(word..)?)
    }
}

/// The part of a page that slow threads write: there is one of each page, so every slot has one
/// writer.
#[derive(Debug)]
pub struct Margin {
    map: Arc<Mapped>,
    layout: Layout,
}

impl Margin {
    /// Replaces a venue's record (reference first); a slot that is none changes nothing.
    pub fn venue(&self, slot: usize, record: &VenueRecord) {
        let words: [u64; VENUE_WORDS] = bytemuck::cast(*record);
        self.put(&self.layout.venues, slot, &words);
    }

    /// Replaces an entry of the distinct error log; a slot that is none changes nothing.
    pub fn error(&self, slot: usize, record: &ErrorRecord) {
        let words: [u64; ERROR_WORDS] = bytemuck::cast(*record);
        self.put(&self.layout.errors, slot, &words);
    }

    fn put<const N: usize>(&self, region: &Region, slot: usize, words: &[u64; N]) {
        let cells = record_word(region, slot).and_then(|word| self.map.cells().get(word..));
        if let Some(slot) = cells.and_then(Slot::at) {
            slot.put(words);
        }
    }
}

impl Publish for PageWriter {
    #[inline]
    fn headline(&mut self, symbol: usize, mode: usize, record: &Headline) {
        debug_assert!(symbol < self.symbols && mode < MODES);
        let mut words: [u64; HEADLINE_WORDS] = bytemuck::cast(*record);
        stamped(words.last_mut(), self.stamp);
        let at = record_word(&self.layout.headlines, symbol * MODES + mode);
        if let Some(slot) = at.and_then(|word| self.slot(word)) {
            slot.put(&words);
            self.headlines += 1;
        }
    }

    #[inline]
    fn wide(&mut self, symbol: usize, record: &Wide) {
        debug_assert!(symbol < self.symbols);
        let mut words: [u64; WIDE_WORDS] = bytemuck::cast(*record);
        stamped(words.get_mut(WIDE_STAMPS.start), self.stamp);
        if let Some(word) = words.get_mut(WIDE_STAMPS.start + 1) {
            *word = self.proofs.get(symbol).copied().unwrap_or(0).into();
        }
        let at = record_word(&self.layout.wides, symbol);
        if let Some(slot) = at.and_then(|word| self.slot(word)) {
            slot.put(&words);
            self.wides += 1;
        }
    }

    #[inline]
    fn event(&mut self, record: &EventRecord) {
        let words: [u64; EVENT_WORDS] = bytemuck::cast(*record);
        if let Some(ring) = Broadcast::at(self.map.cells(), NEWEST_WORD, &self.layout.events) {
            ring.put(&words);
        }
    }

    fn map(&mut self, symbol: usize, view: &MapView<'_>) {
        debug_assert!(symbol < self.symbols);
        self.copy.fill(view);
        self.copy.publish_mono_ns = self.stamp.get();
        let slots: [_; BUFFERS] = core::array::from_fn(|buffer| {
            let at = record_word(&self.layout.snapshots, symbol * BUFFERS + buffer)?;
            self.slot::<SNAPSHOT_WORDS>(at)
        });
        if let [Some(first), Some(second)] = slots {
            Pair([first, second]).put(bytemuck::cast_ref(&*self.copy));
        }
    }
}

impl Drop for PageWriter {
    fn drop(&mut self) {
        if let Some(magic) = self.map.cells().get(MAGIC_WORD) {
            // ORDER: release: what was published before stays before it; readers look at the magic
            // on every read.
            magic.store(0, Ordering::Release);
        }
        // Only our own file loses its name: a successor may have taken it.
        if is_same(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Fills the word of the publish stamp; one that is set stays.
#[inline]
fn stamped(word: Option<&mut u64>, stamp: Nanos) {
    if let Some(word) = word
        && *word == 0
    {
        *word = stamp.get().cast_unsigned();
    }
}

/// First word of record `index` of a region; `None` outside.
#[inline]
fn record_word(region: &Region, index: usize) -> Option<usize> {
    (index < region.count as usize)
        .then(|| (region.offset as usize + index * region.stride as usize) / 8)
}

const fn two(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

/// Names that fit the directory, each once.
fn check(symbols: &[(&str, u32)]) -> Result<(), PageError> {
    if symbols.is_empty() || symbols.len() > MAX_SYMBOLS {
        return Err(PageError::Symbols(format!(
            "a page lists 1 to {MAX_SYMBOLS} symbols, not {}",
            symbols.len()
        )));
    }
    for (at, (name, lot)) in symbols.iter().enumerate() {
        if *lot == 0 {
            return Err(PageError::Symbols(format!(
                "symbol {name}: a lot of no coin"
            )));
        }
        if name.is_empty() || name.len() > NAME_LEN || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(PageError::Symbols(format!(
                "symbol {name:?}: a page lists names of 1 to {NAME_LEN} printable ASCII characters"
            )));
        }
        if symbols[..at].iter().any(|(other, _)| other == name) {
            return Err(PageError::Symbols(format!("symbol {name} is listed twice")));
        }
    }
    Ok(())
}

/// Writes everything but the venues and the magic.
fn fill(cells: &[AtomicU64], layout: &Layout, symbols: &[(&str, u32)], build: &str, epoch: u64) {
    let now = mono_now();
    let header = Header {
        abi_major: ABI_MAJOR,
        abi_minor: ABI_MINOR,
        header_len: size_of::<Header>() as u32,
        layout_hash: LAYOUT_HASH,
        epoch,
        pid: u64::from(std::process::id()),
        start_ns: WallClock.now().get(),
        start_mono_ns: now.get(),
        page_len: layout.page_len as u64,
        directory: layout.directory,
        headlines: layout.headlines,
        wides: layout.wides,
        venues: layout.venues,
        errors: layout.errors,
        events: layout.events,
        snapshots: layout.snapshots,
        counters: layout.counters,
        build: bytes_of::<BUILD_LEN>(build),
        heartbeat_turn: 2,
        heartbeat_mono_ns: now.get(),
        status: status::WARMING,
        ..Header::zeroed()
    };
    let words: [u64; HEADER_WORDS] = bytemuck::cast(header);
    put_words(cells, Some(0), &words);
    for (id, (name, _)) in COUNTERS.iter().enumerate() {
        let record = CounterRecord {
            id: id as u32,
            name: bytes_of(name),
            ..Zeroable::zeroed()
        };
        let words: [u64; size_of::<CounterRecord>() / 8] = bytemuck::cast(record);
        put_words(cells, record_word(&layout.counters, id), &words);
    }
    for (index, (name, lot)) in symbols.iter().enumerate() {
        let (name, index32) = (bytes_of(name), index as u32);
        let record = SymbolRecord {
            name,
            index: index32,
            lot: *lot,
            spare: 0,
        };
        let words: [u64; size_of::<SymbolRecord>() / 8] = bytemuck::cast(record);
        put_words(cells, record_word(&layout.directory, index), &words);
    }
}

fn put_words(cells: &[AtomicU64], at: Option<usize>, words: &[u64]) {
    let room = at.and_then(|word| cells.get(word..)).unwrap_or(&[]);
    for (cell, word) in room.iter().zip(words) {
        // ORDER: relaxed: nobody reads before the magic is stored.
        cell.store(*word, Ordering::Relaxed);
    }
}

/// Random and never 0. Without a random source the process and the time must do.
fn fresh_epoch() -> u64 {
    let mut bytes = [0u8; 8];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    let mixed = match read {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => (u64::from(std::process::id()) << 40) ^ mono_now().get().cast_unsigned(),
    };
    mixed.max(1)
}

fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(theirs)) => ours.dev() == theirs.dev() && ours.ino() == theirs.ino(),
        _ => false,
    }
}

/// A dead writer's page at `path`, locked so that nobody else replaces it too; `None` when the name
/// is free.
fn claim(path: &Path) -> Result<Option<File>, PageError> {
    // The name may change hands between open and lock; a few rounds settle it.
    for _ in 0..8 {
        let mut open = OpenOptions::new();
        open.read(true).write(true).custom_flags(open_flags());
        let file = match open.open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_error(path, "opening the page that is there")(e)),
        };
        let looks_like_one = head_of(&file);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(live(path)),
            Err(TryLockError::Error(e)) => return Err(io_error(path, "locking")(e)),
        }
        if !is_same(&file, path) {
            continue;
        }
        return match looks_like_one {
            Some(_) => Ok(Some(file)),
            None => Err(PageError::NotAPage(path.to_path_buf())),
        };
    }
    Err(live(path))
}

/// Never waits for a pipe, never follows a link somebody else may have laid.
fn open_flags() -> i32 {
    (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW)
        .bits()
        .cast_signed()
}

/// The header of a page, ours or torn down; `None` for any other file.
fn head_of(file: &File) -> Option<Header> {
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut words = [0u64; HEADER_WORDS];
    file.read_exact_at(bytemuck::cast_slice_mut(&mut words), 0)
        .ok()?;
    let header: Header = bytemuck::cast(words);
    let is_one = header.magic == MAGIC || (header.magic == 0 && header.epoch != 0);
    (is_one && header.header_len as usize >= LINE).then_some(header)
}

fn live(path: &Path) -> PageError {
    let mut open = OpenOptions::new();
    let file = open.read(true).custom_flags(open_flags()).open(path).ok();
    let header = file
        .and_then(|file| head_of(&file))
        .unwrap_or_else(Zeroable::zeroed);
    PageError::Live {
        path: path.to_path_buf(),
        pid: header.pid,
        age_ms: header.heartbeat_age(mono_now()).get() / Nanos::MILLI.get(),
    }
}

/// A page file that has no name yet but a temporary one, which dies with it.
struct Newborn {
    file: File,
    temporary: PathBuf,
}

impl Newborn {
    fn create(path: &Path, epoch: u64) -> Result<Self, PageError> {
        let mut name: OsString = path.as_os_str().to_owned();
        name.push(format!(".{epoch:016x}.new"));
        let temporary = PathBuf::from(name);
        let mut open = OpenOptions::new();
        open.read(true).write(true).create_new(true).mode(0o640);
        let file = open
            .open(&temporary)
            .map_err(io_error(&temporary, "creating"))?;
        let newborn = Self { file, temporary };
        // Exactly 0640, whatever the umask: executors read it through their group.
        let mode = fs::Permissions::from_mode(0o640);
        newborn
            .file
            .set_permissions(mode)
            .map_err(newborn.error("setting its mode"))?;
        match newborn.file.try_lock() {
            Ok(()) => Ok(newborn),
            Err(TryLockError::WouldBlock) => Err(live(&newborn.temporary)),
            Err(TryLockError::Error(e)) => Err(newborn.error("locking")(e)),
        }
    }

    fn error(&self, what: &'static str) -> impl FnOnce(io::Error) -> PageError {
        io_error(&self.temporary, what)
    }

    fn map(&self, len: usize) -> Result<Mapped, PageError> {
        // Reserves the memory now: on a full /dev/shm a sparse file would kill the process at the
        // first store.
        let none = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&self.file, none, 0, len as u64)
            .map_err(|e| self.error("reserving memory")(e.into()))?;
        let mut options = MmapOptions::new();
        options.len(len).populate();
        options
            .map_raw(&self.file)
            .map(Mapped::new)
            .map_err(self.error("mapping"))
    }

    /// Gives it its real name in one step.
    fn name(mut self, path: &Path, old: Option<&File>) -> Result<File, PageError> {
        if let Some(old) = old {
            // Readers that still map the dead page learn it from this word.
            old.write_all_at(&[0; 8], 0)
                .map_err(io_error(path, "retiring the dead page"))?;
            fs::rename(&self.temporary, path).map_err(io_error(path, "naming the page"))?;
            self.temporary = PathBuf::new();
        } else {
            // A link, not a rename: it fails when somebody was faster, instead of replacing his
            // page.
            fs::hard_link(&self.temporary, path).map_err(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => live(path),
                _ => io_error(path, "naming the page")(e),
            })?;
        }
        self.file
            .try_clone()
            .map_err(self.error("keeping the file"))
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        if !self.temporary.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(all(test, not(loom)))]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]
mod tests {
    use super::*;
    use crate::shm::reader::{Freshness, PageReader, ReadFault, freshness};
    use crate::shm::record::verdict;

    fn place() -> tempfile::TempDir {
        let shm = Path::new("/dev/shm");
        let base = if shm.is_dir() {
            shm.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        tempfile::tempdir_in(base).unwrap()
    }

    fn symbols() -> Vec<String> {
        vec!["BTC".into(), "ETH".into()]
    }

    #[test]
    fn a_reader_sees_what_was_published_and_who_published_it() {
        let dir = place();
        let path = dir.path().join("page");
        let mut writer =
            PageWriter::create_with_lots(&path, &[("BTC", 1), ("PEPE", 1000)], "test 1").unwrap();
        let reader = PageReader::open(&path).unwrap();
        assert_eq!(
            (reader.find("PEPE"), reader.symbols()[1].lot),
            (Some(1), 1000)
        );
        assert_eq!(reader.headline(1, 2).unwrap(), Headline::zeroed());

        let record = Headline {
            bias: -42,
            confidence: 7,
            ..Headline::zeroed()
        };
        writer.stamp(Nanos::new(55));
        writer.headline(1, 2, &record);
        let got = reader.headline(1, 2).unwrap();
        assert_eq!(
            got,
            Headline {
                publish_mono_ns: 55,
                ..record
            }
        );
        assert_eq!(reader.headline(0, 2).unwrap(), Headline::zeroed());
        assert_eq!(reader.headline_turns(1, 2).unwrap(), 1);

        let record = Wide {
            mark_e10: 9,
            publish_mono_ns: 77,
            ..Wide::zeroed()
        };
        writer.wide(0, &record);
        assert_eq!(reader.wide(0).unwrap(), record, "its own stamp stays");
        assert!(matches!(reader.wide(2), Err(ReadFault::NoSuchRecord)));
        assert!(matches!(
            reader.headline(0, 3),
            Err(ReadFault::NoSuchRecord)
        ));

        writer.heartbeat(Nanos::new(1_000), 12, 34);
        writer.status(status::LIVE);
        writer.kill(1, 5);
        writer.venues_up(3);
        writer.hashes(8, 9);
        writer.counter(counter::GAPS, 4);
        writer.counter(usize::MAX, 4);
        let header = reader.header().unwrap();
        assert_eq!(
            (
                header.heartbeat_mono_ns,
                header.input_seq,
                header.state_hash
            ),
            (1_000, 12, 34)
        );
        assert_eq!(header.heartbeat_age(Nanos::new(1_500)), Nanos::new(500));
        assert_eq!(
            (header.status, header.kill, header.kill_reason),
            (status::LIVE, 1, 5)
        );
        assert_eq!(
            (header.venues_up, header.config_hash, header.model_hash),
            (3, 8, 9)
        );
        assert_eq!(header.build_text(), "test 1");
        assert_eq!(header.pid, u64::from(std::process::id()));
        let counters = reader.counters();
        assert_eq!(counters.len(), COUNTERS.len());
        assert_eq!((counters[3].name.as_str(), counters[3].value), ("gaps", 4));
        assert_eq!(counters[counter::HEADLINES].value, 1);
    }

    #[test]
    fn venues_and_errors_are_written_by_whoever_holds_the_margin() {
        let dir = place();
        let path = dir.path().join("page");
        let venues = [("okx", 3), ("bybit", 2)];
        let mut writer = PageWriter::create_with(&path, &[("BTC", 1)], &venues, "x").unwrap();
        let reader = PageReader::open(&path).unwrap();
        assert_eq!(reader.venue(0).unwrap(), VenueRecord::new("okx", 3));
        assert_eq!(reader.venue(1).unwrap().name_text(), "bybit");
        assert!(matches!(reader.venue(2), Err(ReadFault::NoSuchRecord)));
        let record = VenueRecord {
            frames: 9,
            ..VenueRecord::new("okx", 3)
        };
        writer.venue(0, &record);
        writer.venue(2, &record);
        assert_eq!(reader.venue(0).unwrap(), record);
        assert_eq!(reader.error(0).unwrap(), ErrorRecord::zeroed());
        let margin = writer.take_margin().unwrap();
        assert!(writer.take_margin().is_none());
        writer.venue(1, &record);
        assert_eq!(
            reader.venue(1).unwrap(),
            VenueRecord::new("bybit", 2),
            "given away"
        );
        let error = ErrorRecord {
            count: 1,
            text: bytes_of("full"),
            ..ErrorRecord::zeroed()
        };
        std::thread::spawn(move || {
            margin.error(64, &error);
            margin.error(65, &error);
            margin
        })
        .join()
        .unwrap();
        assert_eq!(reader.error(64).unwrap().texts()[2], "full");
        assert!(matches!(reader.error(65), Err(ReadFault::NoSuchRecord)));
        drop(writer);
        assert!(matches!(reader.venue(0), Err(ReadFault::Gone)));
        let many = vec![("okx", 3); MAX_VENUES + 1];
        let answer = PageWriter::create_with(&path, &[("BTC", 1)], &many, "x");
        assert!(matches!(answer, Err(PageError::Venues(17))), "{answer:?}");
    }

    #[test]
    fn a_live_page_is_refused_and_a_dead_one_replaced() {
        let dir = place();
        let path = dir.path().join("page");
        let first = PageWriter::create(&path, &symbols(), "one").unwrap();
        match PageWriter::create(&path, &symbols(), "two") {
            Err(PageError::Live { pid, .. }) => assert_eq!(pid, u64::from(std::process::id())),
            other => panic!("{other:?}"),
        }
        let reader = PageReader::open(&path).unwrap();
        // What kill -9 leaves behind: the file with its magic, and no lock.
        let bytes = fs::read(&path).unwrap();
        drop(first);
        assert!(matches!(reader.headline(0, 0), Err(ReadFault::Gone)));
        assert!(!path.exists() && reader.is_replaced());
        fs::write(&path, &bytes).unwrap();
        let reader = PageReader::open(&path).unwrap();
        assert!(reader.headline(0, 0).is_ok());
        let second = PageWriter::create(&path, &symbols(), "three").unwrap();
        assert!(
            matches!(reader.headline(0, 0), Err(ReadFault::Gone)),
            "the old page was retired"
        );
        let again = PageReader::open(&path).unwrap();
        assert_ne!(again.epoch(), reader.epoch());
        assert_eq!(again.header().unwrap().build_text(), "three");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        drop(second);
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            0,
            "nothing is left behind"
        );
    }

    #[test]
    fn a_writer_leaves_its_successors_page_alone() {
        let dir = place();
        let path = dir.path().join("page");
        let first = PageWriter::create(&path, &symbols(), "one").unwrap();
        fs::remove_file(&path).unwrap();
        let second = PageWriter::create(&path, &symbols(), "two").unwrap();
        drop(first);
        assert!(PageReader::open(&path).is_ok());
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn another_file_is_never_overwritten() {
        let dir = place();
        let path = dir.path().join("page");
        for bytes in [vec![], b"precious".to_vec(), vec![1; 8192]] {
            fs::write(&path, &bytes).unwrap();
            let answer = PageWriter::create(&path, &symbols(), "x");
            assert!(matches!(answer, Err(PageError::NotAPage(_))), "{answer:?}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn symbols_that_no_reader_would_believe_are_refused() {
        let dir = place();
        let path = dir.path().join("page");
        for bad in [
            vec![],
            vec![("", 1)],
            vec![("SEVENTEEN_LETTERS", 1)],
            vec![("B C", 1)],
            vec![("BTC", 1), ("BTC", 1)],
            vec![("BTC", 0)],
            vec![("BTC", 1); MAX_SYMBOLS + 1],
        ] {
            let answer = PageWriter::create_with_lots(&path, &bad, "x");
            assert!(matches!(answer, Err(PageError::Symbols(_))), "{answer:?}");
        }
        assert!(PageWriter::create_with_lots(&path, &[("SIXTEEN_LETTERS_", 1)], "x").is_ok());
    }

    #[test]
    fn a_headline_lives_only_while_it_and_its_engine_do() {
        let at = |ms: i64| Nanos::millis(ms);
        let header = Header {
            status: status::LIVE,
            heartbeat_mono_ns: at(1_000).get(),
            ..Header::zeroed()
        };
        let headline = Headline {
            publish_mono_ns: at(990).get(),
            ttl_ms: 50,
            verdict: verdict::NEUTRAL,
            ..Headline::zeroed()
        };
        let is = |header: &Header, headline: &Headline, now| freshness(header, headline, at(now));
        assert_eq!(is(&header, &headline, 1_000), Freshness::Live);
        assert_eq!(is(&header, &headline, 1_040), Freshness::Live);
        assert_eq!(
            is(&header, &headline, 999),
            Freshness::Live,
            "within the clocks' skew"
        );
        assert_eq!(is(&header, &headline, 1_041), Freshness::Expired);
        assert_eq!(is(&header, &headline, 1_101), Freshness::Silent);
        assert_eq!(
            is(&header, &headline, 998),
            Freshness::Silent,
            "a stamp ahead of the clock"
        );
        for bits in [
            0,
            status::WARMING,
            status::LIVE | status::HALT,
            status::LIVE | status::STALE,
        ] {
            let header = Header {
                status: bits,
                ..header
            };
            assert_eq!(is(&header, &headline, 1_000), Freshness::NotLive);
        }
        assert_eq!(is(&header, &Headline::zeroed(), 1_000), Freshness::NoData);
    }
}
