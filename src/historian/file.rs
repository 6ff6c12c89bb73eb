//! File: columns appended one after another, in a form that a kill cannot spoil.
//!
//! ```text
//!   "ISOHIST1"  version u32  0 u32
//!   record:  body_len u32  crc32 u32  kind u8  level u8  symbol u16  0 u32  start_ns i64  body
//! ```
//! Little-endian; the checksum is over everything behind it. Kinds: 1 = a symbol's name under its number, 2 = a column
//! that stands for itself (a key), 3 = one that stands on the column of its symbol and level before it; others are
//! passed over. A record that ends behind the file's end is torn: it is cut off before the next is appended. A record
//! whose checksum is wrong is left out, and with it what stands on it.
//!
//! What is older than its level keeps is dropped by writing the rest anew beside the file and giving it its name in one
//! step, when that halves it: so the file is at most twice as long as what it keeps, and a megabyte.

use super::column::Column;
use super::gather::Keep;
use super::{HistoryError, LEVELS};
use crate::time::Nanos;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Version of the format.
pub const VERSION: u32 = 1;
/// First bytes of a history.
pub const MAGIC: &[u8; 8] = b"ISOHIST1";
const HEAD: usize = 16;
const RECORD: usize = 24;
/// Longest body: a column of noise does not fill it.
const BODY_MAX: usize = 128 << 10;
/// Most symbols: those of a page, and as many again that were renamed.
const SYMBOLS_MAX: usize = 2_048;
/// Less than this is not worth writing a file anew.
pub const DEAD_MIN: u64 = 1 << 20;

const SYMBOL: u8 = 1;
const KEY: u8 = 2;
const STEP: u8 = 3;

/// Where a column lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    at: u64,
    len: u32,
    start: Nanos,
    is_key: bool,
}

impl Entry {
    const fn whole(&self) -> u64 {
        RECORD as u64 + self.len as u64
    }
}

type Row = [Vec<Entry>; LEVELS.len()];

/// What a file holds.
#[derive(Debug, Default)]
struct Index {
    names: Vec<String>,
    rows: Vec<Row>,
    /// Behind the last whole record.
    end: u64,
    /// Bytes behind it.
    torn: u64,
    /// Records left out: a wrong checksum, or nothing to stand on.
    damaged: u64,
}

/// A record's fixed part.
#[derive(Debug, Clone, Copy)]
struct RecordHead {
    len: u32,
    crc: u32,
    kind: u8,
    level: u8,
    symbol: u16,
    start: Nanos,
}

impl RecordHead {
    /// The record of a body, checksum first set here.
    fn bytes(kind: u8, level: u8, symbol: u16, start: Nanos, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(RECORD + body.len());
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&[kind, level]);
        bytes.extend_from_slice(&symbol.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&start.get().to_le_bytes());
        bytes.extend_from_slice(body);
        let crc = crc32fast::hash(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn of(bytes: &[u8; RECORD]) -> Self {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let start = u64::from(word(16)) | u64::from(word(20)) << 32;
        Self {
            len: word(0),
            crc: word(4),
            kind: bytes[8],
            level: bytes[9],
            symbol: u16::from_le_bytes([bytes[10], bytes[11]]),
            start: Nanos::new(start.cast_signed()),
        }
    }
}

fn fault(name: &str) -> impl Fn(io::Error) -> HistoryError + use<> {
    let name = name.to_owned();
    move |source| HistoryError::Io {
        name: name.clone(),
        source,
    }
}

impl Index {
    /// Reads a file from its first byte to its last whole record; `Ok(None)` when it is empty.
    fn of(file: &File, name: &str) -> Result<Option<Self>, HistoryError> {
        let io = fault(name);
        let length = file.metadata().map_err(&io)?.len();
        if length == 0 {
            return Ok(None);
        }
        let mut reader = BufReader::with_capacity(1 << 16, file);
        reader.seek(SeekFrom::Start(0)).map_err(&io)?;
        let mut head = [0u8; HEAD];
        if reader.read_exact(&mut head).is_err() || head[..8] != MAGIC[..] {
            return Err(HistoryError::NotOne(name.to_owned()));
        }
        let found = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if found != VERSION {
            let name = name.to_owned();
            return Err(HistoryError::Version { name, found });
        }
        let mut index = Self {
            end: HEAD as u64,
            ..Self::default()
        };
        // Raised by every record that is left out: a step stands only on what was read since.
        let mut breaks = 0u64;
        let mut sound: Vec<[u64; LEVELS.len()]> = Vec::new();
        let (mut head, mut body) = ([0u8; RECORD], Vec::new());
        loop {
            let left = length - index.end;
            if left < RECORD as u64 {
                break;
            }
            reader.read_exact(&mut head).map_err(&io)?;
            let record = RecordHead::of(&head);
            let whole = RECORD as u64 + u64::from(record.len);
            if record.len as usize > BODY_MAX || whole > left {
                break;
            }
            body.resize(record.len as usize, 0);
            reader.read_exact(&mut body).map_err(&io)?;
            let mut crc = crc32fast::Hasher::new();
            crc.update(&head[8..]);
            crc.update(&body);
            let at = index.end;
            if crc.finalize() != record.crc {
                // The last record of all may be the one that was being written.
                if whole == left {
                    break;
                }
                index.end += whole;
                index.damaged += 1;
                breaks += 1;
                continue;
            }
            index.end += whole;
            let number = usize::from(record.symbol);
            match record.kind {
                SYMBOL if number == index.names.len() && number < SYMBOLS_MAX => {
                    index.names.push(crate::shm::record::text_of(&body));
                    index.rows.push(Row::default());
                    sound.push([u64::MAX; LEVELS.len()]);
                }
                KEY | STEP => {
                    let level = usize::from(record.level);
                    let row = index
                        .rows
                        .get_mut(number)
                        .and_then(|row| row.get_mut(level));
                    let chain = sound.get_mut(number).and_then(|row| row.get_mut(level));
                    let (Some(row), Some(chain)) = (row, chain) else {
                        index.damaged += 1;
                        continue;
                    };
                    let is_key = record.kind == KEY;
                    if is_key {
                        *chain = breaks;
                    } else if *chain != breaks {
                        index.damaged += 1;
                        continue;
                    }
                    row.push(Entry {
                        at,
                        len: record.len,
                        start: record.start,
                        is_key,
                    });
                }
                SYMBOL => index.damaged += 1,
                _ => {}
            }
        }
        index.torn = length - index.end;
        Ok(Some(index))
    }

    /// The entries of a symbol's level that are still kept: from the last key at or before the time it keeps.
    fn kept(&self, symbol: usize, level: usize) -> &[Entry] {
        let row = &self.rows[symbol][level];
        let Some(newest) = row.iter().map(|entry| entry.start).max() else {
            return row;
        };
        let since = Nanos::new(newest.get().saturating_sub(LEVELS[level].keep.get()));
        let keep = row
            .iter()
            .position(|entry| entry.start >= since)
            .unwrap_or(0);
        let key = row[..=keep]
            .iter()
            .rposition(|entry| entry.is_key)
            .unwrap_or(0);
        &row[key..]
    }

    fn live(&self) -> u64 {
        let each = (0..self.rows.len()).flat_map(|symbol| {
            (0..LEVELS.len()).map(move |level| {
                self.kept(symbol, level)
                    .iter()
                    .map(Entry::whole)
                    .sum::<u64>()
            })
        });
        each.sum()
    }
}

/// A history that is read.
#[derive(Debug)]
pub struct History {
    file: File,
    index: Index,
    name: String,
}

impl History {
    /// Reads what a file holds now; what is appended later is not seen.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(fault(&name))?;
        let index = Index::of(&file, &name)?.ok_or_else(|| HistoryError::NotOne(name.clone()))?;
        Ok(Self { file, index, name })
    }

    /// The symbols.
    #[must_use]
    pub fn symbols(&self) -> &[String] {
        &self.index.names
    }

    /// Records that were left out because they are damaged, and bytes of a torn end.
    #[must_use]
    pub const fn losses(&self) -> (u64, u64) {
        (self.index.damaged, self.index.torn)
    }

    /// Begin of the newest column of a symbol's level.
    #[must_use]
    pub fn newest(&self, symbol: usize, level: usize) -> Option<Nanos> {
        let row = self.index.rows.get(symbol)?.get(level)?;
        row.iter().map(|entry| entry.start).max()
    }

    /// Begin of the oldest column of a symbol's level that is kept.
    #[must_use]
    pub fn oldest(&self, symbol: usize, level: usize) -> Option<Nanos> {
        let row = self.index.rows.get(symbol)?.get(level)?;
        row.iter().map(|entry| entry.start).min()
    }

    /// The columns of a symbol's level that begin within `from` .. `to`, oldest first, the parts of one joined. A time
    /// of which there is no column is a hole.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn columns(
        &self,
        symbol: usize,
        level: usize,
        from: Nanos,
        to: Nanos,
    ) -> Result<Vec<Column>, HistoryError> {
        let mut all: Vec<Column> = Vec::new();
        for part in self.parts(symbol, level, from, to)? {
            match all.last_mut() {
                Some(last) if last.start() == part.start() => last.join(&part),
                _ => all.push(part),
            }
        }
        Ok(all)
    }

    /// As [`History::columns`], the parts of a column apart.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn parts(
        &self,
        symbol: usize,
        level: usize,
        from: Nanos,
        to: Nanos,
    ) -> Result<Vec<Column>, HistoryError> {
        let row = self.index.rows.get(symbol).and_then(|row| row.get(level));
        let row = row.map_or(&[][..], Vec::as_slice);
        let first = row
            .iter()
            .position(|entry| entry.start >= from)
            .unwrap_or(row.len());
        let key = row[..first.saturating_add(1).min(row.len())]
            .iter()
            .rposition(|entry| entry.is_key)
            .unwrap_or(0);
        let mut all: Vec<Column> = Vec::new();
        let (mut before, mut body) = (None, Vec::new());
        for entry in &row[key..] {
            body.resize(entry.len as usize, 0);
            self.file
                .read_exact_at(&mut body, entry.at + RECORD as u64)
                .map_err(fault(&self.name))?;
            // A body whose checksum is right and that is no column was written by another program.
            let Ok(column) = Column::decode(&body, before.as_ref().filter(|_| !entry.is_key))
            else {
                before = None;
                continue;
            };
            if before.is_none() && !entry.is_key {
                continue;
            }
            if column.start() >= from && column.start() < to {
                all.push(column.clone());
            }
            before = Some(column);
        }
        Ok(all)
    }
}

/// A history that is written, by one process.
#[derive(Debug)]
pub struct Archive {
    file: File,
    /// `None` = it lives in memory and is never tidied.
    path: Option<PathBuf>,
    name: String,
    index: Index,
}

impl Archive {
    /// Goes on with the file at `path`, or begins it.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let name = path.display().to_string();
        let io = fault(&name);
        // Between open and lock the name may go over to a tidied file.
        for _ in 0..8 {
            let mut open = OpenOptions::new();
            open.read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o640);
            let file = open.open(path).map_err(&io)?;
            if !file.metadata().map_err(&io)?.is_file() {
                return Err(HistoryError::NotOne(name));
            }
            lock(&file, &name)?;
            let there = fs::metadata(path).map_err(&io)?;
            let ours = file.metadata().map_err(&io)?;
            if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) {
                return Self::of(file, Some(path.to_path_buf()), name);
            }
        }
        Err(HistoryError::Busy(name))
    }

    /// A history without a name that is gone with its last reader.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn in_memory() -> Result<Self, HistoryError> {
        let name = "history in memory".to_owned();
        let fd = rustix::fs::memfd_create("isotherm", rustix::fs::MemfdFlags::CLOEXEC)
            .map_err(|e| fault(&name)(e.into()))?;
        Self::of(File::from(fd), None, name)
    }

    fn of(file: File, path: Option<PathBuf>, name: String) -> Result<Self, HistoryError> {
        let io = fault(&name);
        let index = match Index::of(&file, &name)? {
            Some(index) => index,
            None => {
                file.write_all_at(&head(), 0).map_err(&io)?;
                Index {
                    end: HEAD as u64,
                    ..Index::default()
                }
            }
        };
        if index.torn > (RECORD + BODY_MAX) as u64 {
            // No torn record is that long: something else is wrong, and cutting it off would lose what may be saved.
            let text = format!(
                "{} bytes behind byte {} are no records",
                index.torn, index.end
            );
            return Err(io(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        file.set_len(index.end).map_err(&io)?;
        Ok(Self {
            file,
            path,
            name,
            index,
        })
    }

    /// What it holds, as its readers see it.
    ///
    /// # Errors
    /// When the system refuses a second handle.
    pub fn history(&self) -> Result<History, HistoryError> {
        let file = self.file.try_clone().map_err(fault(&self.name))?;
        let index = Index::of(&file, &self.name)?;
        let index = index.ok_or_else(|| HistoryError::NotOne(self.name.clone()))?;
        let name = self.name.clone();
        Ok(History { file, index, name })
    }

    /// Has everything on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Bytes of the file.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.index.end
    }

    /// Writes the file anew without what is no longer kept, when that halves it and saves `least` bytes; true when it
    /// did.
    ///
    /// # Errors
    /// When the disk refuses: the file is what it was.
    pub fn tidy(&mut self, least: u64) -> Result<bool, HistoryError> {
        let live = self.index.live();
        let dead = self.index.end.saturating_sub(live);
        let Some(path) = self.path.clone().filter(|_| dead > least.max(live)) else {
            return Ok(false);
        };
        let io = fault(&self.name);
        let mut name = path.clone().into_os_string();
        name.push(".new");
        let temporary = PathBuf::from(name);
        let mut open = OpenOptions::new();
        open.read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640);
        let file = open.open(&temporary).map_err(&io)?;
        lock(&file, &self.name)?;
        let done = self.copy_to(&file).and_then(|()| file.sync_all());
        if let Err(e) = done.and_then(|()| fs::rename(&temporary, &path)) {
            let _ = fs::remove_file(&temporary);
            return Err(io(e));
        }
        *self = Self::of(file, Some(path), self.name.clone())?;
        Ok(true)
    }

    fn copy_to(&self, file: &File) -> io::Result<()> {
        let mut out = io::BufWriter::new(file);
        out.write_all(&head())?;
        let mut bytes = Vec::new();
        for (number, name) in self.index.names.iter().enumerate() {
            let record = RecordHead::bytes(SYMBOL, 0, number as u16, Nanos::ZERO, name.as_bytes());
            out.write_all(&record)?;
        }
        for symbol in 0..self.index.rows.len() {
            for level in 0..LEVELS.len() {
                for entry in self.index.kept(symbol, level) {
                    bytes.resize(entry.whole() as usize, 0);
                    self.file.read_exact_at(&mut bytes, entry.at)?;
                    out.write_all(&bytes)?;
                }
            }
        }
        out.flush()
    }

    fn append(&mut self, record: &[u8]) -> io::Result<u64> {
        let at = self.index.end;
        self.file.write_all_at(record, at)?;
        self.index.end += record.len() as u64;
        Ok(at)
    }
}

fn head() -> [u8; HEAD] {
    let mut bytes = [0; HEAD];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes
}

fn lock(file: &File, name: &str) -> Result<(), HistoryError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(HistoryError::Busy(name.to_owned())),
        Err(TryLockError::Error(e)) => Err(fault(name)(e)),
    }
}

impl Keep for Archive {
    fn symbol(&mut self, name: &str) -> io::Result<u16> {
        if let Some(number) = self.index.names.iter().position(|known| known == name) {
            return Ok(number as u16);
        }
        let number = self.index.names.len();
        if number >= SYMBOLS_MAX {
            return Err(io::Error::other(format!(
                "a history takes {SYMBOLS_MAX} symbols"
            )));
        }
        let number = number as u16;
        self.append(&RecordHead::bytes(
            SYMBOL,
            0,
            number,
            Nanos::ZERO,
            name.as_bytes(),
        ))?;
        self.index.names.push(name.to_owned());
        self.index.rows.push(Row::default());
        Ok(number)
    }

    fn column(
        &mut self,
        symbol: u16,
        level: usize,
        start: Nanos,
        is_key: bool,
        bytes: &[u8],
    ) -> io::Result<()> {
        if bytes.len() > BODY_MAX {
            return Err(io::Error::other("a column that is too long"));
        }
        let kind = if is_key { KEY } else { STEP };
        let at = self.append(&RecordHead::bytes(kind, level as u8, symbol, start, bytes))?;
        let row = self.index.rows.get_mut(usize::from(symbol));
        if let Some(row) = row.and_then(|row| row.get_mut(level)) {
            row.push(Entry {
                at,
                len: bytes.len() as u32,
                start,
                is_key,
            });
        }
        Ok(())
    }
}
