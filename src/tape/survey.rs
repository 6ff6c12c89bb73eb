//! Survey: every byte of a recording accounted for, as `tape verify` tells it.
//!
//! Unlike a replay, which ends at the first damage, a survey goes on behind it. Each file's bytes
//! are head, whole records, damage and torn end, and nothing else; a folder's files must also make
//! whole runs. Damage is what was written and cannot be read any more; a torn end and a Hole are
//! not: they are how a killed process and a full disk leave a tape.

use super::file::{Closing, Reader};
use super::folder::{self, Segment};
use super::index::{Closed, Row};
use super::{Error, Input, chain, file};
use serde::Serialize;
use std::io;
use std::path::Path;

/// What was found in one file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Survey {
    /// Counts, stamps, run and place.
    pub row: Row,
    /// Bytes of the head.
    pub head: u64,
    /// Bytes of whole records.
    pub whole: u64,
    /// Bytes that hold no record, and records that contradict the others.
    pub damaged: u64,
    /// What was wrong, each with its place.
    pub faults: Vec<String>,
    /// Why recording stopped before the run did.
    pub hole: Option<String>,
    /// Place in the run of the segment that must follow.
    #[serde(skip)]
    next: Option<u32>,
}

/// Surveys a file or a folder, file by file; the faults between files stand at the later one.
///
/// # Errors
/// The machine, a folder without a recording, a session (which has nothing to be checked by).
pub fn survey(path: &Path) -> Result<Vec<Survey>, Error> {
    let segments = if path.is_dir() {
        folder::segments(path)?
    } else {
        Vec::new()
    };
    if segments.is_empty() {
        return Ok(vec![of_file(&super::locate(path)?)?]);
    }
    let mut found: Vec<Survey> = Vec::new();
    for segment in &segments {
        let mut next = of_segment(segment)?;
        if let Some(last) = found.last()
            && let Some(fault) = between(last, &next)
        {
            next.faults.push(fault);
        }
        found.push(next);
    }
    Ok(found)
}

fn of_file(path: &Path) -> Result<Survey, Error> {
    let (start, input) = super::plain(path)?;
    let name = path.display().to_string();
    if !start.starts_with(&file::MAGIC) {
        let reason = "it does not begin like one; a session has no checksums to verify".to_owned();
        return Err(Error::Header { name, reason });
    }
    let mut found = Survey::default();
    found.row.look(path)?;
    match Reader::new(&name, input) {
        Ok(reader) => found.read(reader),
        Err(error) => found.headless(&error),
    }
    Ok(found)
}

fn of_segment(segment: &Segment) -> Result<Survey, Error> {
    let mut found = Survey::default();
    found.row.number = segment.number;
    found.row.look(&segment.path)?;
    match chain::open_segment(segment) {
        Ok(Some(reader)) => found.read(reader),
        Ok(None) => {
            // The beginning of a head and nothing else: all of it is a torn end.
            found.row.torn = found.row.bytes;
            found.row.plain_bytes = found.row.bytes;
        }
        // What we may not read is not damaged.
        Err(Error::Io { name, source }) if source.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Error::Io { name, source });
        }
        Err(error) => found.headless(&error),
    }
    Ok(found)
}

impl Survey {
    /// A head that cannot be read: nothing behind it can be, either. Of what is compressed, the bytes on the disk.
    fn headless(&mut self, error: &Error) {
        self.faults.push(error.to_string());
        (self.damaged, self.row.plain_bytes) = (self.row.bytes, self.row.bytes);
    }

    fn read(&mut self, mut reader: Reader<Input>) {
        let (file, number) = (self.row.file.clone(), self.row.number);
        let (bytes, changed_ns) = (self.row.bytes, self.row.changed_ns);
        self.row = Row::of(number, reader.header());
        (self.row.file, self.row.bytes, self.row.changed_ns) = (file, bytes, changed_ns);
        self.head = reader.offset();
        loop {
            let at = reader.offset();
            match reader.next_record() {
                Ok(Some(record)) => {
                    self.row.add(&record);
                    self.whole += reader.offset() - at;
                }
                Ok(None) => break,
                Err(error) => {
                    self.faults.push(error.to_string());
                    self.damaged += reader.offset() - at;
                    // What is unreadable or unknown cannot be passed.
                    if !matches!(error, Error::Damaged { .. } | Error::Newer { .. }) {
                        break;
                    }
                    reader.pass();
                }
            }
        }
        self.row.torn = reader.torn();
        self.row.plain_bytes = reader.offset();
        self.row.closed = match reader.closing() {
            None => Closed::Not,
            Some(Closing::End(_)) => Closed::End,
            Some(Closing::Next(part)) => {
                self.next = Some(*part);
                Closed::Next
            }
            Some(Closing::Hole { why, .. }) => {
                self.hole = Some(why.clone());
                Closed::Hole
            }
        };
    }

    /// True when every byte is head, whole record, damage or torn end.
    #[must_use]
    pub const fn is_accounted(&self) -> bool {
        self.head + self.whole + self.damaged + self.row.torn == self.row.plain_bytes
    }
}

/// What is wrong between a segment and the one behind it.
fn between(last: &Survey, next: &Survey) -> Option<String> {
    let (file, part) = (&next.row.file, next.row.part);
    if last.row.run != next.row.run || part == 0 || next.head == 0 {
        return None;
    }
    match last.next {
        Some(want) if want == part => None,
        Some(want) => Some(format!(
            "{file}: this is part {part} of its run, and part {want} is not in the folder"
        )),
        None => Some(format!(
            "{file}: its run goes on here, but {} is not closed by a Next",
            last.row.file
        )),
    }
}
