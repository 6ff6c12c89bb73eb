//! Pack: what is done to closed segments while recording goes on, on a thread of the lowest priority.
//!
//! For every segment that is closed, and at the start for all that a run before left plain: compress
//! it (zstd, to a `.part` that is synced and renamed, then the plain file goes), note it in the
//! index, and remove the oldest segments that are over the limits. Nothing here can stop the
//! recording: what goes wrong is said once, and the plain segment stays.
//!
//! Retention removes the oldest closed segments while there are more bytes or days than the plan
//! keeps; never the open one, and none that the newest checkpoint is read on from.

use super::folder::{self, PART, Segment};
use super::index::{Index, Row, scan};
use super::{Error, Limits, Told};
use crate::time::Nanos;
use crossbeam::channel::{Receiver, Sender, TryRecvError};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

/// zstd's own default: three times smaller on frames, at a fifth of a core's time per feed.
const LEVEL: i32 = 3;
/// Bytes compressed before the thread looks whether it shall end.
const CHUNK: usize = 1 << 20;

/// The thread and the way to it.
#[derive(Debug)]
pub struct Pack {
    /// Rows of segments that were closed; dropped to end the thread.
    jobs: Option<Sender<Row>>,
    thread: Option<JoinHandle<()>>,
}

impl Pack {
    /// Starts it on a folder whose lock the caller holds; `open` is the number of the open segment.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub fn start(
        folder: &Path,
        open: u32,
        limits: Limits,
        told: Arc<Told>,
    ) -> Result<Self, io::Error> {
        let (jobs, rows) = crossbeam::channel::unbounded();
        let mut work = Work {
            folder: folder.to_path_buf(),
            open,
            limits,
            told,
            rows,
            waiting: VecDeque::new(),
            index: Index::default(),
        };
        let thread = std::thread::Builder::new()
            .name("tape-pack".to_owned())
            .spawn(move || {
                // Of this thread only, on Linux; where it is not allowed it works as it is.
                let _ = rustix::process::nice(19);
                work.run();
            })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// A segment was closed; the one with the next number is open now.
    pub fn closed(&self, row: Row) {
        if let Some(jobs) = &self.jobs {
            // A thread that has died leaves segments plain; the next start packs them.
            let _ = jobs.send(row);
        }
    }
}

impl Drop for Pack {
    /// Ends the thread without waiting for what it has begun: the next start does it again.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    folder: PathBuf,
    open: u32,
    limits: Limits,
    told: Arc<Told>,
    rows: Receiver<Row>,
    waiting: VecDeque<Row>,
    index: Index,
}

impl Work {
    fn run(&mut self) {
        let begun = self.begin();
        self.tell(begun);
        loop {
            let row = match self.waiting.pop_front() {
                Some(row) => row,
                None => match self.rows.recv() {
                    Ok(row) => row,
                    Err(_) => return,
                },
            };
            self.open = self.open.max(row.number + 1);
            let done = self.turn(row);
            self.tell(done);
            if self.is_ending() {
                return;
            }
        }
    }

    /// What another run left: unfinished files go, plain segments are packed.
    fn begin(&mut self) -> Result<(), Error> {
        clear(&self.folder)?;
        self.index = Index::load(&self.folder);
        let mut index = Index::default();
        for segment in folder::segments(&self.folder)? {
            if segment.number >= self.open || self.is_ending() {
                break;
            }
            let row = match self.index.row(&segment) {
                Some(row) => Some(row.clone()),
                None => scan(&segment)?,
            };
            let Some(row) = row else { continue };
            if !segment.is_packed {
                self.waiting.push_back(row.clone());
            }
            index.put(row);
        }
        self.index = index;
        self.retain()
    }

    fn turn(&mut self, mut row: Row) -> Result<(), Error> {
        let plain = self.folder.join(folder::plain_name(row.number));
        row.look(&plain)?;
        let number = row.number;
        self.index.put(row.clone());
        // Room first: packing needs some.
        self.retain()?;
        let is_there = self.index.segments.iter().any(|row| row.number == number);
        if is_there && let Some(path) = self.pack(&plain)? {
            row.look(&path)?;
            self.index.put(row);
            return self.index.save(&self.folder);
        }
        Ok(())
    }

    /// Compresses one file; `None` when the thread was asked to end.
    fn pack(&mut self, plain: &Path) -> Result<Option<PathBuf>, Error> {
        pack(plain, &mut || self.is_ending())
    }

    fn retain(&mut self) -> Result<(), Error> {
        let floor = floor(&self.folder, self.open)?;
        retain(&self.folder, &mut self.index, &self.limits, floor)?;
        self.index.save(&self.folder)
    }

    /// Looks for jobs without waiting; true when there will be none.
    fn is_ending(&mut self) -> bool {
        loop {
            match self.rows.try_recv() {
                Ok(row) => self.waiting.push_back(row),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn tell(&self, done: Result<(), Error>) {
        if let Err(error) = done {
            self.told.trouble(&error.to_string());
        }
    }
}

/// Removes what a killed process left unfinished: `.part` files, and plain segments whose
/// compressed file is whole. The caller holds the lock.
///
/// # Errors
/// The machine.
pub fn clear(folder: &Path) -> Result<(), Error> {
    for name in folder::names(folder)? {
        let path = folder.join(&name);
        let packed = folder.join(format!("{name}.zst"));
        let is_twin = name.ends_with(".tape") && packed.exists();
        if name.ends_with(PART) || is_twin {
            let fail = |source| Error::io(&path.display().to_string(), source);
            fs::remove_file(&path).map_err(fail)?;
        }
    }
    Ok(())
}

/// Compresses a plain segment and removes it; gives the new file, `None` when `ending` said so.
///
/// # Errors
/// The machine; the plain segment is then as it was.
pub fn pack(plain: &Path, ending: &mut dyn FnMut() -> bool) -> Result<Option<PathBuf>, Error> {
    let packed = PathBuf::from(format!("{}.zst", plain.display()));
    let part = PathBuf::from(format!("{}{PART}", packed.display()));
    let fail = |source| Error::io(&packed.display().to_string(), source);
    match compress(plain, &part, ending) {
        Ok(true) => {}
        other => {
            let _ = fs::remove_file(&part);
            return other.map(|_| None).map_err(fail);
        }
    }
    fs::rename(&part, &packed).map_err(fail)?;
    // The name first, so that a machine that loses power has one of the two.
    if let Some(folder) = plain.parent() {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(fail)?;
    }
    fs::remove_file(plain).map_err(fail)?;
    Ok(Some(packed))
}

fn compress(plain: &Path, part: &Path, ending: &mut dyn FnMut() -> bool) -> io::Result<bool> {
    let mut input = File::open(plain)?;
    let mut coder = zstd::Encoder::new(File::create(part)?, LEVEL)?;
    coder.include_checksum(true)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        if ending() {
            return Ok(false);
        }
        let got = input.read(&mut chunk)?;
        if got == 0 {
            break;
        }
        coder.write_all(chunk.get(..got).unwrap_or_default())?;
    }
    coder.finish()?.sync_all()?;
    Ok(true)
}

/// The first number that retention leaves alone: of the newest checkpoint's segment, else of the
/// open one.
///
/// # Errors
/// The machine.
pub fn floor(folder: &Path, open: u32) -> Result<u32, Error> {
    let newest = folder::checkpoints(folder)?
        .first()
        .map(|(number, _)| *number);
    Ok(newest.unwrap_or(open).min(open))
}

/// Removes the oldest segments below `floor` while the folder is over its limits. Gives the bytes
/// that are over them still.
///
/// # Errors
/// The machine.
pub fn retain(folder: &Path, index: &mut Index, limits: &Limits, floor: u32) -> Result<u64, Error> {
    let newest = index.segments.iter().map(|row| row.last_ns).max();
    let days = i64::from(limits.keep_days);
    let oldest = newest.unwrap_or(0) - days.saturating_mul(24 * Nanos::HOUR.get());
    let mut bytes: u64 = index.segments.iter().map(|row| row.bytes).sum();
    let mut over = 0;
    for row in index.segments.clone() {
        let is_over = limits.keep_bytes != 0 && bytes > limits.keep_bytes;
        let is_old = days != 0 && row.last_ns != 0 && row.last_ns < oldest;
        if !is_over && !is_old {
            break;
        }
        if row.number >= floor {
            over = bytes.saturating_sub(limits.keep_bytes);
            break;
        }
        let path = folder.join(&row.file);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::io(&path.display().to_string(), source)),
        }
        bytes -= row.bytes;
        index.take(row.number);
    }
    Ok(over)
}

/// Everything the thread does, at once: unfinished files go, closed segments are packed, the
/// folder is brought within its limits, the index is written. The caller holds the lock, so that
/// no segment is open.
///
/// # Errors
/// The machine, a damaged segment.
pub fn compact(folder: &Path, limits: &Limits) -> Result<Index, Error> {
    clear(folder)?;
    let (mut index, faults) = Index::fresh(folder)?;
    for segment in folder::segments(folder)? {
        pack_row(&segment, &mut index)?;
    }
    let last = index.segments.last().map_or(0, |row| row.number);
    retain(folder, &mut index, limits, floor(folder, last)?)?;
    index.save(folder)?;
    match faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(index),
    }
}

fn pack_row(segment: &Segment, index: &mut Index) -> Result<(), Error> {
    let row = index
        .segments
        .iter_mut()
        .find(|row| row.number == segment.number);
    // A segment that is damaged, or only the beginning of a head, stays as it is.
    let Some(row) = row.filter(|_| !segment.is_packed) else {
        return Ok(());
    };
    if let Some(path) = pack(&segment.path, &mut || false)? {
        row.look(&path)?;
    }
    Ok(())
}
