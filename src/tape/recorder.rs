//! Recorder: the writer that goes on for days. One file, or a folder of segments.
//!
//! A path that ends in `.tape` and is no directory is one file; anything else is a folder, made if
//! it is not there. In a folder a segment is closed when it is full or old enough, and the run goes
//! on in the next; closed ones are compressed and old ones removed by `pack`, on its own thread.
//! The thread that records calls [`Recorder::append`] for every record and [`Recorder::tend`] when
//! there is none.
//!
//! A recording is exact or it ends. Whatever the machine refuses (a full disk, a folder that is
//! gone, a file too large) ends it: the file is cut back to its last whole record, a Hole says why
//! if there is room, [`Told::failed`] says it to whoever asks, and every later call does nothing.
//! Memory: one buffer of [`BUFFER`] and the largest record.
//!
//! Once in [`SYNC`] the machine is asked to have on the disk what was written, on a thread of its own, so that a disk
//! that takes its time holds up nothing: a machine that loses power loses the last seconds, not the last half minute.

use super::file::{Writer, hole_bytes, whole_records};
use super::folder::{self, Lock};
use super::index::{Closed, Row};
use super::pack::Pack;
use super::{End, Error, Header, Kind, Record, chain};
use crate::time::Nanos;
use crossbeam::channel::Sender;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Bytes kept back before the file is written to.
const BUFFER: usize = 1 << 18;
/// How often it is looked whether the file still has its name.
const LOOK: Duration = Duration::from_secs(1);
/// How often what was written is put on the disk; less often where the disk takes longer than that.
const SYNC: Duration = Duration::from_secs(1);

/// When segments are closed, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes (uncompressed) after which a segment is closed; one record may reach past it.
    pub segment_bytes: u64,
    /// Time between the first and last stamp after which a segment is closed; zero = never.
    pub segment_time: Nanos,
    /// Bytes of closed segments that are kept; 0 = all.
    pub keep_bytes: u64,
    /// Days before the newest stamp that are kept; 0 = all.
    pub keep_days: u32,
}

impl Default for Limits {
    /// 256 MiB or an hour a segment, and everything kept.
    fn default() -> Self {
        Self {
            segment_bytes: 256 << 20,
            segment_time: Nanos::HOUR,
            keep_bytes: 0,
            keep_days: 0,
        }
    }
}

/// What others may ask of a recording while it goes on.
#[derive(Debug, Default)]
pub struct Told {
    failed: OnceLock<String>,
    trouble: OnceLock<String>,
}

impl Told {
    /// Why the recording has stopped; `None` while it goes on.
    #[must_use]
    pub fn failed(&self) -> Option<&str> {
        self.failed.get().map(String::as_str)
    }
    /// The first thing that went wrong beside it (compression, retention, the index), which costs
    /// room on the disk and nothing else.
    #[must_use]
    pub fn troubled(&self) -> Option<&str> {
        self.trouble.get().map(String::as_str)
    }
    /// Notes why it stopped; the first reason stays.
    pub fn fail(&self, why: &str) {
        let _ = self.failed.set(why.to_owned());
    }
    /// Notes what went wrong beside it; the first stays.
    pub fn trouble(&self, what: &str) {
        let _ = self.trouble.set(what.to_owned());
    }
}

/// A file that takes whole records: on a failure it is cut back to the last of them.
#[derive(Debug)]
struct Out {
    file: File,
    buffer: Vec<u8>,
    /// Bytes in the file, whole records behind a head.
    at: u64,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut done = 0;
        while let Some(left) = self.buffer.get(done..).filter(|left| !left.is_empty()) {
            let fault = match self.file.write(left) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(bytes) => {
                    done += bytes;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let whole = whole_records(self.buffer.get(..done).unwrap_or_default());
            self.cut(self.at + whole as u64);
            return Err(fault);
        }
        self.at += done as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Out {
    /// Makes the file end here, and drops what waits.
    fn cut(&mut self, at: u64) {
        self.buffer.clear();
        // Refused as well: then the torn record stays, and readers leave it out.
        if self.file.set_len(at).is_ok() {
            self.at = at;
        }
    }
}

/// The thread that puts what was written on the disk. It ends with its owner, who does not wait for it.
#[derive(Debug)]
struct Sync {
    /// Taken one at a time: while the disk is busy, others are let go.
    files: Option<Sender<File>>,
    asked: Instant,
    told: Arc<Told>,
}

impl Sync {
    fn new(told: Arc<Told>) -> Self {
        Self {
            files: None,
            asked: Instant::now(),
            told,
        }
    }

    /// Asks for it, when it is time.
    fn turn(&mut self, file: &File) {
        if self.asked.elapsed() < SYNC {
            return;
        }
        self.asked = Instant::now();
        if self.files.is_none() {
            let (files, to_sync) = crossbeam::channel::bounded::<File>(0);
            let told = Arc::clone(&self.told);
            let body = move || {
                for file in to_sync {
                    if let Err(fault) = file.sync_data() {
                        told.trouble(&format!("what was written is not on the disk: {fault}"));
                    }
                }
            };
            let thread = std::thread::Builder::new().name("tape-sync".to_owned());
            match thread.spawn(body) {
                Ok(_) => self.files = Some(files),
                Err(fault) => return self.told.trouble(&format!("no syncing: {fault}")),
            }
        }
        // One that is not taken finds the disk busy with the one before.
        if let (Ok(file), Some(files)) = (file.try_clone(), &self.files) {
            let _ = files.try_send(file);
        }
    }
}

/// The segment being written.
#[derive(Debug)]
struct Open {
    writer: Writer<Out>,
    path: PathBuf,
    row: Row,
}

/// Writes a recording. Dropping it without [`Recorder::finish`] leaves it as a killed process
/// would.
#[derive(Debug)]
pub struct Recorder {
    open: Option<Open>,
    header: Header,
    limits: Limits,
    told: Arc<Told>,
    bytes: u64,
    looked: Instant,
    sync: Sync,
    pack: Option<Pack>,
    /// Of a folder.
    lock: Option<Lock>,
}

/// Whether a path names a folder to record to, rather than a file.
#[must_use]
pub fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.extension().is_none_or(|end| end != "tape")
}

impl Recorder {
    /// Begins a run at `path`: a new file, which must not be there, or the next segment of a
    /// folder. `header`'s run and segment are set here.
    ///
    /// # Errors
    /// [`Error::There`], [`Error::Locked`], the machine. Nothing is left behind.
    pub fn begin(path: &Path, header: &Header, limits: &Limits) -> Result<Self, Error> {
        if is_folder(path) {
            return Self::begin_in(Lock::take(path)?, header, limits);
        }
        let mut header = header.clone();
        header.run = header.created.get().unsigned_abs();
        header.segment = 0;
        let told = Arc::default();
        Self::with(None, path.to_path_buf(), 0, header, limits, told)
    }

    /// Begins a run in a folder whose lock is held already: who starts from a checkpoint takes it
    /// before the tail is read, so that nobody adds to it meanwhile.
    ///
    /// # Errors
    /// As [`Recorder::begin`].
    pub fn begin_in(lock: Lock, header: &Header, limits: &Limits) -> Result<Self, Error> {
        let begun = Self::begin_folder(&lock, header);
        let (path, number, header) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                lock.discard();
                return Err(error);
            }
        };
        let told: Arc<Told> = Arc::default();
        let mut recorder = Self::with(Some(lock), path, number, header, limits, told)?;
        if let Some(folder) = recorder
            .lock
            .as_ref()
            .map(|lock| lock.folder().to_path_buf())
        {
            let told = Arc::clone(&recorder.told);
            match Pack::start(&folder, number, *limits, told) {
                Ok(pack) => recorder.pack = Some(pack),
                Err(fault) => recorder.told.trouble(&format!("no packing: {fault}")),
            }
        }
        Ok(recorder)
    }

    /// Path, number and head of the first segment of a new run.
    fn begin_folder(lock: &Lock, header: &Header) -> Result<(PathBuf, u32, Header), Error> {
        let segments = folder::segments(lock.folder())?;
        let last = segments.last().map_or(0, |segment| segment.number);
        // A run's id is above every other's; one that cannot be read has none.
        let mut before = 0;
        for segment in segments.iter().rev() {
            if let Ok(Some(reader)) = chain::open_segment(segment) {
                before = reader.header().run;
                break;
            }
        }
        let mut header = header.clone();
        header.run = header.created.get().unsigned_abs().max(before + 1);
        header.segment = 1;
        let number = last + 1;
        let path = lock.folder().join(folder::plain_name(number));
        Ok((path, number, header))
    }

    fn with(
        lock: Option<Lock>,
        path: PathBuf,
        number: u32,
        header: Header,
        limits: &Limits,
        told: Arc<Told>,
    ) -> Result<Self, Error> {
        let open = match Open::create(path, number, &header) {
            Ok(open) => open,
            Err(error) => {
                lock.into_iter().for_each(Lock::discard);
                return Err(error);
            }
        };
        Ok(Self {
            open: Some(open),
            header,
            limits: *limits,
            sync: Sync::new(Arc::clone(&told)),
            told,
            bytes: 0,
            looked: Instant::now(),
            pack: None,
            lock,
        })
    }

    /// What others may ask.
    #[must_use]
    pub fn told(&self) -> Arc<Told> {
        Arc::clone(&self.told)
    }

    /// The head of the run.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The file being written; `None` once the recording has stopped.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.open.as_ref().map(|open| open.path.as_path())
    }

    /// Adds a record; false when the recording has stopped.
    pub fn append(&mut self, record: &Record<'_>) -> bool {
        let Some(open) = self.open.as_mut() else {
            return false;
        };
        let before = open.writer.bytes();
        if let Err(error) = open.append(record) {
            let why = Error::named(&open.path, error);
            self.stop(&why);
            return false;
        }
        self.bytes += open.writer.bytes().saturating_sub(before);
        let (row, limits) = (&open.row, &self.limits);
        let age = row.last_ns.saturating_sub(row.first_ns);
        let is_old = limits.segment_time != Nanos::ZERO && age >= limits.segment_time.get();
        let is_full = open.writer.bytes() >= limits.segment_bytes;
        if self.lock.is_some() && (is_full || is_old) {
            self.turn_over();
        }
        self.open.is_some()
    }

    /// Bytes of records taken so far, before compression.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// To be called when nothing is to be written: hands over what waits, and looks now and then
    /// whether the file is still there. False when the recording has stopped.
    pub fn tend(&mut self) -> bool {
        let Some(open) = self.open.as_mut() else {
            return false;
        };
        if let Err(error) = open.writer.flush() {
            let fault = Error::named(&open.path, error);
            self.stop(&fault);
            return false;
        }
        self.sync.turn(&open.writer.out().file);
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            if !open.is_there() {
                let gone = format!("{}: the file is gone", open.path.display());
                self.stop(&gone);
                return false;
            }
        }
        true
    }

    /// Ends the recording before the run, with a Hole that says why.
    pub fn stop(&mut self, why: &str) {
        if let Some(open) = self.open.take() {
            open.break_off(why);
        }
        self.told.fail(why);
        self.pack = None;
    }

    /// Closes the recording. `end` is `None` when no shard ran.
    ///
    /// # Errors
    /// Why it has failed, before or now.
    pub fn finish(mut self, end: Option<End>) -> Result<(), String> {
        if let Some(open) = self.open.take() {
            let at = Nanos::new(open.row.last_ns);
            let end = end.unwrap_or(End {
                at,
                ..End::default()
            });
            let path = open.path;
            let done = open.writer.finish(end).and_then(|out| {
                let fail = |source| Error::io(&path.display().to_string(), source);
                out.file.sync_data().map_err(fail)
            });
            if let Err(error) = done {
                self.told.fail(&Error::named(&path, error));
            }
        }
        self.told.failed().map_or(Ok(()), |why| Err(why.to_owned()))
    }

    /// Takes back a recording that has only just begun: its segment, and a folder made for it.
    pub fn discard(mut self) {
        self.pack = None;
        if let Some(open) = self.open.take() {
            let _ = fs::remove_file(&open.path);
        }
        if let Some(lock) = self.lock.take() {
            // Written by the packing thread as it began.
            if lock.is_new() {
                let _ = fs::remove_file(lock.folder().join(super::index::NAME));
            }
            lock.discard();
        }
    }

    /// Closes the segment and goes on in the next.
    fn turn_over(&mut self) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        let (at, part) = (Nanos::new(open.row.last_ns), self.header.segment + 1);
        let number = open.row.number + 1;
        let path = open.path.with_file_name(folder::plain_name(number));
        let before = open.writer.flush().map(|()| open.writer.out().at);
        let turned = before.and_then(|before| open.writer.turn_over(at, part).map(|()| before));
        let before = match turned {
            Ok(before) => before,
            Err(error) => {
                let why = Error::named(&open.path, error);
                self.open = Some(open);
                return self.stop(&why);
            }
        };
        self.header.segment = part;
        match Open::create(path, number, &self.header) {
            Ok(next) => self.open = Some(next),
            Err(error) => {
                // There is no next one: the Next is taken back, and a Hole stands in its place.
                open.writer.out().cut(before);
                self.open = Some(open);
                return self.stop(&error.to_string());
            }
        }
        let (mut row, plain_bytes) = (open.row, open.writer.out().at);
        row.kinds[Kind::Next as usize] += 1;
        row.closed = Closed::Next;
        row.plain_bytes = plain_bytes;
        if let Some(pack) = &self.pack {
            pack.closed(row);
        }
    }
}

impl Open {
    fn create(path: PathBuf, number: u32, header: &Header) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        // Appending, so that a file that was cut back goes on at its end.
        let file = options.append(true).create_new(true).open(&path);
        let file = file.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::There {
                name: path.display().to_string(),
            },
            _ => Error::io(&path.display().to_string(), source),
        })?;
        let out = Out {
            file,
            buffer: Vec::with_capacity(BUFFER + (BUFFER >> 2)),
            at: 0,
        };
        let writer = Writer::new(out, header).and_then(|mut writer| {
            writer.flush()?;
            Ok(writer)
        });
        match writer {
            Ok(writer) => Ok(Self {
                writer,
                row: Row::of(number, header),
                path,
            }),
            Err(error) => {
                // Its head could not be written: the name is free again.
                let _ = fs::remove_file(&path);
                Err(match error {
                    Error::Io { source, .. } => Error::io(&path.display().to_string(), source),
                    other => other,
                })
            }
        }
    }

    fn append(&mut self, record: &Record<'_>) -> Result<(), Error> {
        self.writer.append(record)?;
        self.row.add(record);
        if self.writer.out().buffer.len() >= BUFFER {
            self.writer.flush()?;
        }
        Ok(())
    }

    /// Whether the file still has its name.
    fn is_there(&mut self) -> bool {
        match (
            self.writer.out().file.metadata(),
            fs::symlink_metadata(&self.path),
        ) {
            (Ok(ours), Ok(named)) => ours.dev() == named.dev() && ours.ino() == named.ino(),
            _ => false,
        }
    }

    /// Writes what can still be written: what waits, then the Hole.
    fn break_off(mut self, why: &str) {
        let at = Nanos::new(self.row.last_ns);
        // After a failure what waited is gone, and the file ends with a whole record.
        let _ = self.writer.flush();
        let out = self.writer.out();
        out.buffer = hole_bytes(at, why);
        let _ = out.flush();
    }
}

impl Error {
    /// The error in words, with the file's name where it does not say it.
    fn named(path: &Path, error: Self) -> String {
        match error {
            Self::Io { source, .. } => format!("{}: {source}", path.display()),
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_does_not_take_what_was_written_is_told() {
        let told: Arc<Told> = Arc::default();
        let mut sync = Sync::new(Arc::clone(&told));
        // Cannot be put on any disk.
        let file = OpenOptions::new()
            .write(true)
            .open("/dev/null")
            .expect("opens");
        sync.turn(&file);
        assert!(sync.files.is_none(), "it is not time");
        while told.troubled().is_none() {
            sync.asked = Instant::now().checked_sub(SYNC).expect("a clock that runs");
            sync.turn(&file);
            std::thread::sleep(Duration::from_millis(1));
        }
        let what = told.troubled().unwrap_or_default();
        assert!(what.contains("not on the disk"), "{what}");
    }
}
