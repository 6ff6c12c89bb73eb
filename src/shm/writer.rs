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

use super::birth::{Newborn, check, claim, fill, fresh_epoch, is_same};
use super::broadcast::Broadcast;
use super::page::{
    CONFIG_WORD, ERROR_WORDS, EVENT_WORDS, HEADLINE_WORDS, HEARTBEAT_WORD, HEARTBEAT_WORDS, Layout,
    MAGIC, MAGIC_WORD, MAX_VENUES, MODEL_WORD, Mapped, NEWEST_WORD, REASON_WORD, Region,
    STATUS_WORD, VENUE_WORDS, WIDE_WORDS, counter, status,
};
use super::record::{
    ErrorRecord, EventRecord, Headline, MODES, MapView, PROOFS, Publish, VenueRecord, WIDE_STAMPS,
    Wide,
};
use super::slot::Slot;
use super::snapshot::{BUFFERS, Pair, SNAPSHOT_WORDS, Snapshot};
use crate::sync::Ordering;
use crate::time::{Nanos, mono_now};
use std::fs::{self, File};
use std::io;
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

pub(super) fn io_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> PageError {
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

    /// Sets the [`status`] bits but HALT, which is told by [`PageWriter::kill`].
    #[inline]
    pub fn status(&mut self, bits: u32) {
        self.status = bits & !status::HALT;
        let halt = if self.kill == 0 { 0 } else { status::HALT };
        self.store(STATUS_WORD, two(self.status | halt, self.kill));
    }

    /// Tells executors: a value of [`super::page::kill`] and why. Above 0 the page has HALT.
    pub fn kill(&mut self, level: u32, reason: u32) {
        (self.kill, self.kill_reason) = (level, reason);
        self.store(REASON_WORD, two(self.kill_reason, self.venues_up));
        self.status(self.status);
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
            let proof = self.proofs.get(symbol).copied().unwrap_or(0);
            *word = *word & !0xff | u64::from(proof);
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
pub(super) fn record_word(region: &Region, index: usize) -> Option<usize> {
    (index < region.count as usize)
        .then(|| (region.offset as usize + index * region.stride as usize) / 8)
}

const fn two(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]
mod tests;
