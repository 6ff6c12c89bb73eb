//! Birth: how a page comes to be under its name, whole or not at all, and how a dead one's place is taken.

use super::page::{
    ABI_MAJOR, ABI_MINOR, BUILD_LEN, COUNTERS, CounterRecord, HEADER_WORDS, Header, LAYOUT_HASH,
    LINE, Layout, MAGIC, MAX_SYMBOLS, Mapped, NAME_LEN, SymbolRecord, status,
};
use super::record::bytes_of;
use super::writer::{PageError, io_error, record_word};
use crate::sync::{AtomicU64, Ordering};
use crate::time::{Clock, Nanos, WallClock, mono_now};
use bytemuck::Zeroable;
use memmap2::MmapOptions;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Names that fit the directory, each once.
pub(super) fn check(symbols: &[(&str, u32)]) -> Result<(), PageError> {
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
pub(super) fn fill(
    cells: &[AtomicU64],
    layout: &Layout,
    symbols: &[(&str, u32)],
    build: &str,
    epoch: u64,
) {
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
pub(super) fn fresh_epoch() -> u64 {
    let mut bytes = [0u8; 8];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    let mixed = match read {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => (u64::from(std::process::id()) << 40) ^ mono_now().get().cast_unsigned(),
    };
    mixed.max(1)
}

pub(super) fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(theirs)) => ours.dev() == theirs.dev() && ours.ino() == theirs.ino(),
        _ => false,
    }
}

/// A dead writer's page at `path`, locked so that nobody else replaces it too; `None` when the name
/// is free.
pub(super) fn claim(path: &Path) -> Result<Option<File>, PageError> {
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
pub(super) fn open_flags() -> i32 {
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
pub(super) struct Newborn {
    file: File,
    temporary: PathBuf,
}

impl Newborn {
    pub(super) fn create(path: &Path, epoch: u64) -> Result<Self, PageError> {
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

    pub(super) fn map(&self, len: usize) -> Result<Mapped, PageError> {
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
    pub(super) fn name(mut self, path: &Path, old: Option<&File>) -> Result<File, PageError> {
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
