//! Index: what is known of the segments of a folder without reading them. A cache, never the truth.
//!
//! One JSON object, `index.json`: a row a segment with its file, bytes, run and part, first and last
//! stamp, records by kind and how it was closed. A row counts only while the file has the name,
//! bytes and time of change that the row says; what is missing or stale is found again by reading
//! the segment. Only the holder of the folder's lock writes it, through a `.part` and a rename.

use super::chain::open_segment;
use super::folder::{self, PART, Segment};
use super::{Closing, Error, Header, KINDS, Kind, Record};
use crate::time::{Nanos, TICK};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Name of the file.
pub const NAME: &str = "index.json";
/// Version of its form.
const VERSION: u32 = 1;

/// How a segment was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Closed {
    /// It was not: its writer was killed, or still writes.
    #[default]
    Not,
    /// Full; the run goes on in the next.
    Next,
    /// The run ended in order.
    End,
    /// Recording stopped before the run did.
    Hole,
}

/// What was read of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Row {
    /// Its number in the folder; 0 for a tape of one file.
    pub number: u32,
    /// Name of the file.
    pub file: String,
    /// Bytes of the file as it lies there.
    pub bytes: u64,
    /// Nanosecond since 1970 of its last change.
    pub changed_ns: u64,
    /// Bytes without compression.
    pub plain_bytes: u64,
    /// Bytes of a torn end, left out by readers.
    pub torn: u64,
    /// The run it belongs to.
    pub run: u64,
    /// Its place in the run.
    pub part: u32,
    /// Earliest stamp; 0 when nothing in it has one.
    pub first_ns: i64,
    /// Latest stamp.
    pub last_ns: i64,
    /// Records by kind number.
    pub kinds: [u64; KINDS],
    /// How it was closed.
    pub closed: Closed,
}

impl Row {
    /// An empty row for a segment with this head.
    #[must_use]
    pub fn of(number: u32, header: &Header) -> Self {
        Self {
            number,
            run: header.run,
            part: header.segment,
            ..Self::default()
        }
    }

    /// Counts a record.
    pub fn add(&mut self, record: &Record<'_>) {
        self.kinds[record.kind() as usize] += 1;
        let first = record.stamp().get();
        let last = match record {
            Record::Ticks { first, count } => {
                let gone = TICK.get().saturating_mul(i64::from(*count) - 1);
                first.plus(Nanos::new(gone)).get()
            }
            _ => first,
        };
        // A journal record has no stamp, nor need the close of a tape that nothing came to.
        if first > 0 {
            if self.first_ns == 0 || first < self.first_ns {
                self.first_ns = first;
            }
            self.last_ns = self.last_ns.max(last);
        }
    }

    /// Records of all kinds.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.kinds.iter().sum()
    }

    /// Records of one kind.
    #[must_use]
    pub const fn count(&self, kind: Kind) -> u64 {
        self.kinds[kind as usize]
    }

    /// Notes how the file lies there now.
    ///
    /// # Errors
    /// The machine.
    pub fn look(&mut self, path: &Path) -> Result<(), Error> {
        let (bytes, changed_ns) = looks(path)?;
        self.file = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        (self.bytes, self.changed_ns) = (bytes, changed_ns);
        Ok(())
    }
}

/// Bytes of a file and when it was last changed.
fn looks(path: &Path) -> Result<(u64, u64), Error> {
    let fail = |source| Error::io(&path.display().to_string(), source);
    let file = fs::metadata(path).map_err(fail)?;
    let since = file.modified().map_err(fail)?.duration_since(UNIX_EPOCH);
    let changed = since.map_or(0, |since| since.as_nanos());
    Ok((file.len(), u64::try_from(changed).unwrap_or(u64::MAX)))
}

/// Reads a segment for its row; `None` for one that was cut off in its head.
///
/// # Errors
/// Damage, the machine.
pub fn scan(segment: &Segment) -> Result<Option<Row>, Error> {
    // Looked at first: what a writer adds while we read makes the row stale, not wrong.
    let mut row = Row::default();
    row.look(&segment.path)?;
    let Some(mut reader) = open_segment(segment)? else {
        return Ok(None);
    };
    let seen = row;
    row = Row::of(segment.number, reader.header());
    while let Some(record) = reader.next_record()? {
        row.add(&record);
    }
    row.closed = match reader.closing() {
        None => Closed::Not,
        Some(Closing::Next(_)) => Closed::Next,
        Some(Closing::End(_)) => Closed::End,
        Some(Closing::Hole { .. }) => Closed::Hole,
    };
    row.plain_bytes = reader.offset();
    row.torn = reader.torn();
    (row.file, row.bytes, row.changed_ns) = (seen.file, seen.bytes, seen.changed_ns);
    Ok(Some(row))
}

/// Rows by number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Index {
    version: u32,
    /// One a segment, by number.
    pub segments: Vec<Row>,
}

impl Index {
    /// What the file says; nothing when it is not there, or no index of ours.
    #[must_use]
    pub fn load(folder: &Path) -> Self {
        fs::read(folder.join(NAME))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .filter(|index| index.version == VERSION)
            .unwrap_or_default()
    }

    /// The file's rows that are still so, and the rest read from the segments.
    ///
    /// # Errors
    /// The machine. A segment that is damaged has no row, and is given beside.
    pub fn fresh(folder: &Path) -> Result<(Self, Vec<Error>), Error> {
        let old = Self::load(folder);
        let mut index = Self::default();
        let mut faults = Vec::new();
        for segment in folder::segments(folder)? {
            match old.row(&segment) {
                Some(row) => index.put(row.clone()),
                None => match scan(&segment) {
                    Ok(Some(row)) => index.put(row),
                    Ok(None) => {}
                    Err(error) => faults.push(error),
                },
            }
        }
        Ok((index, faults))
    }

    /// The row of a segment, if it is still so.
    #[must_use]
    pub fn row(&self, segment: &Segment) -> Option<&Row> {
        let name = segment.path.file_name()?.to_str()?;
        let row = self
            .segments
            .iter()
            .find(|row| row.number == segment.number)?;
        let now = looks(&segment.path).ok()?;
        (row.file == name && (row.bytes, row.changed_ns) == now).then_some(row)
    }

    /// Adds a row, in the place of the one with its number.
    pub fn put(&mut self, row: Row) {
        match self
            .segments
            .binary_search_by_key(&row.number, |row| row.number)
        {
            Ok(at) => self.segments[at] = row,
            Err(at) => self.segments.insert(at, row),
        }
    }

    /// Takes the row of a number out.
    pub fn take(&mut self, number: u32) {
        self.segments.retain(|row| row.number != number);
    }

    /// Writes the file. The caller holds the folder's lock.
    ///
    /// # Errors
    /// The machine.
    pub fn save(&mut self, folder: &Path) -> Result<(), Error> {
        self.version = VERSION;
        let path = folder.join(NAME);
        let fail = |source| Error::io(&path.display().to_string(), source);
        let text = serde_json::to_vec(self).map_err(|error| fail(error.into()))?;
        let part = folder.join(format!("{NAME}{PART}"));
        fs::write(&part, text).map_err(fail)?;
        fs::rename(&part, &path).map_err(fail)
    }
}
