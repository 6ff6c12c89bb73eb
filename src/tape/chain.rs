//! Chain: a folder of segments read as one recording, run by run.
//!
//! ```text
//!   000001.tape.zst   run A, part 1   ... Next 2 \
//!   000002.tape.zst   run A, part 2   ... Next 3  > one run: records without its Nexts
//!   000003.tape       run A, part 3   (torn)     /
//!   000004.tape.zst   run B, part 1   ... Next 2 \  next_run
//!   000005.tape       run B, part 2   ... End    /
//! ```
//! Which run a segment belongs to, and which part of it it is, is in its head; its name only says
//! where to look. A run whose first parts are gone (retention) begins where it begins; a part that
//! is missing between two others, or a part that breaks off although the run goes on, is an error.
//! The folder is listed once: what a writer adds later is not read.

use super::folder::{self, Segment};
use super::{Closing, Error, Header, Input, Kind, Reader, Record};
use std::collections::VecDeque;
use std::fmt;
use std::path::Path;

/// Reads a folder front to back, one record at a time.
pub struct Chain {
    name: String,
    left: VecDeque<Segment>,
    /// The segment being read, and its number.
    reader: Reader<Input>,
    number: u32,
    /// First segment of the next run, opened to find that out.
    next: Option<(Reader<Input>, u32)>,
    header: Header,
    is_over: bool,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("name", &self.name)
            .field("reader", &self.reader)
            .field("left", &self.left.len())
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// Opens a folder at the first segment whose number is at least `from`.
    ///
    /// # Errors
    /// The machine, a folder without such a segment, a head that does not hold together.
    pub fn open(folder: &Path, from: u32) -> Result<Self, Error> {
        let name = folder.display().to_string();
        let mut left: VecDeque<Segment> = folder::segments(folder)?.into();
        left.retain(|segment| segment.number >= from);
        let Some((reader, number)) = open_next(&mut left)? else {
            return Err(Error::Empty { name });
        };
        Ok(Self {
            name,
            left,
            header: reader.header().clone(),
            reader,
            number,
            next: None,
            is_over: false,
        })
    }

    /// The next record of this run, borrowed until the next call; `None` at its end. Next records
    /// are not given out.
    ///
    /// # Errors
    /// Those of [`Reader::next_record`]; [`Error::Missing`]. After an error it stays at an end.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, Error> {
        while !self.is_over {
            self.is_over = true;
            if self.reader.advance()? {
                self.is_over = false;
                if self.reader.last().map(|record| record.kind()) != Some(Kind::Next) {
                    break;
                }
            } else {
                self.is_over = !self.follow()?;
            }
        }
        Ok(if self.is_over {
            None
        } else {
            self.reader.last()
        })
    }

    /// Goes on to the next segment of this run; false when there is none.
    fn follow(&mut self) -> Result<bool, Error> {
        let Some((reader, number)) = open_next(&mut self.left)? else {
            return Ok(false);
        };
        let head = reader.header();
        if head.run != self.header.run || head.segment == 0 {
            self.next = Some((reader, number));
            return Ok(false);
        }
        match self.reader.closing() {
            Some(Closing::Next(want)) if *want == head.segment => {}
            Some(Closing::Next(want)) => {
                return Err(Error::Missing {
                    name: reader.name().to_owned(),
                    want: *want,
                    found: head.segment,
                });
            }
            _ => {
                return Err(Error::Damaged {
                    name: self.reader.name().to_owned(),
                    at: self.reader.offset() - self.reader.torn(),
                    reason: "the segment breaks off here, and its run goes on in another",
                });
            }
        }
        self.reader = reader;
        self.number = number;
        Ok(true)
    }

    /// Reads this run to its end and goes on to the next; false when there is none.
    ///
    /// # Errors
    /// As [`Chain::next_record`].
    pub fn next_run(&mut self) -> Result<bool, Error> {
        while self.next_record()?.is_some() {}
        let Some((reader, number)) = self.next.take() else {
            return Ok(false);
        };
        self.header = reader.header().clone();
        self.reader = reader;
        self.number = number;
        self.is_over = false;
        Ok(true)
    }

    /// The head of the run's first segment there.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }
    /// How the segment being read was closed, once that has been read.
    #[must_use]
    pub const fn closing(&self) -> Option<&Closing> {
        self.reader.closing()
    }
    /// Bytes dropped at the torn end of the run, once it has been reached.
    #[must_use]
    pub const fn torn(&self) -> u64 {
        self.reader.torn()
    }
    /// Number in the folder of the segment being read.
    #[must_use]
    pub const fn segment(&self) -> u32 {
        self.number
    }
    /// The folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Opens the next segment of a list. One whose head was cut off (the writer was killed as it began)
/// holds nothing: it is passed over when nothing stands behind its torn head.
fn open_next(left: &mut VecDeque<Segment>) -> Result<Option<(Reader<Input>, u32)>, Error> {
    while let Some(segment) = left.pop_front() {
        if let Some(reader) = open_segment(&segment)? {
            return Ok(Some((reader, segment.number)));
        }
    }
    Ok(None)
}

/// A reader of one segment; `None` for a file whose writer was killed before its head was whole.
///
/// # Errors
/// The machine, a head that does not hold together.
pub fn open_segment(segment: &Segment) -> Result<Option<Reader<Input>>, Error> {
    let read = |path: &Path| {
        let (_, input) = super::plain(path)?;
        Reader::new(&path.display().to_string(), input)
    };
    match read(&segment.path) {
        Ok(reader) => Ok(Some(reader)),
        // Compressed, and its plain file removed, since the folder was listed.
        Err(Error::Io { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound && !segment.is_packed =>
        {
            let packed = folder::packed_name(segment.number);
            read(&segment.path.with_file_name(packed)).map(Some)
        }
        Err(Error::Header { .. }) if is_stub(&segment.path) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a file ends inside its head.
fn is_stub(path: &Path) -> bool {
    let Ok((_, input)) = super::plain(path) else {
        return false;
    };
    Reader::stub(input).unwrap_or(false)
}
