//! Reader: a tape front to back, one record's bytes at a time, and what a bad record is: damage, or a torn end.
//!
//! Of a record only a bounded length is believed before its checksum held. Behind a bad one every place where a mark
//! could begin is tried: a whole record there makes it damage, none to the end of the input makes it a torn end. The
//! buffer grows with the longest record (at most `PAYLOAD_MAX`), never with the file.

use super::record::parse;
use super::{
    CHUNK, CONTINUES, Closing, END_BYTES, HEAD_BYTES, HEAD_SHARED, JOURNALLED, MAGIC_WHOLE, MARK,
    NEXT_BYTES, PAYLOAD_MAX, PLAN_MAX, RECORD_BYTES, VERSION, crc_of, sizes, u32_at, u64_at,
};
use crate::tape::{End, Error, Header, KINDS, Record, RunPlan};
use crate::time::Nanos;
use std::fmt;
use std::io::{self, Read};

/// Reads a tape front to back, keeping one record's bytes at a time.
pub struct Reader<R> {
    name: String,
    input: R,
    /// `buffer[start..]` is what has been read and not yet given out.
    buffer: Vec<u8>,
    start: usize,
    /// Offset in the file of `buffer[start]`.
    offset: u64,
    drained: bool,
    header: Header,
    /// Kinds that the counts of this version have.
    kinds: usize,
    counts: [u64; KINDS],
    closing: Option<Closing>,
    torn: u64,
    finished: bool,
    /// Where in `buffer` the record last read stands, and its bytes.
    last: (usize, usize),
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("name", &self.name)
            .field("offset", &self.offset)
            .field("closing", &self.closing)
            .field("torn", &self.torn)
            .finish_non_exhaustive()
    }
}

impl<R> Reader<R> {
    /// The head.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }
    /// The End, once read.
    #[must_use]
    pub const fn end(&self) -> Option<End> {
        match self.closing {
            Some(Closing::End(end)) => Some(end),
            _ => None,
        }
    }
    /// How the file was closed, once that has been read; `None` for one that was cut off.
    #[must_use]
    pub const fn closing(&self) -> Option<&Closing> {
        self.closing.as_ref()
    }
    /// Offset in the (unpacked) file of the next record; at the end, the bytes of the file.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }
    /// Bytes dropped at a torn end, once it has been reached.
    #[must_use]
    pub const fn torn(&self) -> u64 {
        self.torn
    }
    /// What errors call the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Records given out so far, by kind number.
    #[must_use]
    pub const fn counts(&self) -> &[u64; KINDS] {
        &self.counts
    }
}

impl<R: Read> Reader<R> {
    /// Reads the head. `name` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Header`] when the head is short, foreign, of another version, or its checksum
    /// fails.
    pub fn new(name: &str, input: R) -> Result<Self, Error> {
        let mut reader = Self {
            name: name.to_owned(),
            input,
            buffer: Vec::new(),
            start: 0,
            offset: 0,
            drained: false,
            header: Header::default(),
            kinds: KINDS,
            counts: [0; KINDS],
            closing: None,
            torn: 0,
            finished: false,
            last: (0, 0),
        };
        reader.read_header()?;
        Ok(reader)
    }

    /// Whether this input is the beginning of a head and nothing else: its writer was killed.
    ///
    /// # Errors
    /// The machine.
    pub(in crate::tape) fn stub(mut input: R) -> io::Result<bool> {
        let mut head = Vec::new();
        let whole = HEAD_BYTES + PLAN_MAX;
        (&mut input).take(whole as u64).read_to_end(&mut head)?;
        let magic = &MAGIC_WHOLE[..head.len().min(MAGIC_WHOLE.len())];
        let wants = match (head.len() >= HEAD_SHARED, sizes(u32_at(&head, 8))) {
            (true, Some((bytes, _))) => bytes + u32_at(&head, 24) as usize,
            (true, None) => 0,
            (false, _) => HEAD_SHARED,
        };
        Ok(head.starts_with(magic) && head.len() < wants)
    }

    fn read_header(&mut self) -> Result<(), Error> {
        let whole = self.fill(HEAD_SHARED)?;
        let refuse = |name: &str, reason: &str| Error::Header {
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        if !self.buffer.starts_with(&MAGIC_WHOLE) {
            return Err(refuse(&self.name, "it does not begin like one"));
        }
        if !whole {
            return Err(refuse(&self.name, "the head is cut short"));
        }
        let version = u32_at(&self.buffer, 8);
        let Some((head_bytes, kinds)) = sizes(version) else {
            return Err(refuse(
                &self.name,
                &format!("version {version}, this program reads 1 to {VERSION}"),
            ));
        };
        let plan_len = u32_at(&self.buffer, 24) as usize;
        if plan_len > PLAN_MAX || !self.fill(head_bytes + plan_len)? {
            return Err(refuse(&self.name, "the head is cut short"));
        }
        let (head, rest) = self.buffer.split_at(head_bytes);
        let plan = &rest[..plan_len];
        if crc_of(&[&head[..28], &head[HEAD_SHARED..], plan]) != u32_at(head, 28) {
            return Err(refuse(&self.name, "the checksum of the head fails"));
        }
        let plan: RunPlan = serde_json::from_slice(plan)
            .map_err(|error| refuse(&self.name, &format!("its plan: {error}")))?;
        // Of version 1 these bytes are not there, and read as 0.
        self.header = Header {
            created: Nanos::new(u64_at(head, 16).cast_signed()),
            journalled: u32_at(head, 12) & JOURNALLED != 0,
            continues: u32_at(head, 12) & CONTINUES != 0,
            run: u64_at(head, 32),
            segment: u32_at(head, 40),
            plan,
        };
        self.kinds = kinds;
        self.skip(head_bytes + plan_len);
        Ok(())
    }

    /// Makes at least `want` bytes stand in `buffer[start..]`; false when the input ends before.
    fn fill(&mut self, want: usize) -> Result<bool, Error> {
        while self.buffer.len() - self.start < want && !self.drained {
            if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            let need = (want - self.buffer.len()).max(CHUNK) as u64;
            let got = (&mut self.input)
                .take(need)
                .read_to_end(&mut self.buffer)
                .map_err(|source| Error::io(&self.name, source))?;
            self.drained = (got as u64) < need;
        }
        Ok(self.buffer.len() - self.start >= want)
    }

    fn skip(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Payload length of the record at the front, if it is whole and its checksum holds.
    fn probe(&mut self) -> Result<Option<usize>, Error> {
        if !self.fill(RECORD_BYTES)? {
            return Ok(None);
        }
        let head = &self.buffer[self.start..self.start + RECORD_BYTES];
        let len = u32_at(head, 4) as usize;
        if !head.starts_with(&MARK) || len > PAYLOAD_MAX || !self.fill(RECORD_BYTES + len)? {
            return Ok(None);
        }
        let record = &self.buffer[self.start..self.start + RECORD_BYTES + len];
        let crc = crc_of(&[&record[0..8], &record[12..]]);
        Ok((crc == u32_at(record, 8)).then_some(len))
    }

    /// Decides what a bad record at the front is: damage, or the end torn off.
    fn judge(&mut self) -> Result<(), Error> {
        let at = self.offset;
        while self.fill(1)? {
            self.skip(1);
            let behind = &self.buffer[self.start..];
            // Nothing can begin before the next first byte of a mark.
            let hop = behind.iter().position(|byte| *byte == MARK[0]);
            self.skip(hop.unwrap_or(behind.len()));
            if self.probe()?.is_some() {
                return Err(self.damaged(at, "a checksum or length fails, and records follow"));
            }
        }
        self.torn = self.offset - at;
        Ok(())
    }

    fn damaged(&self, at: u64, reason: &'static str) -> Error {
        Error::Damaged {
            name: self.name.clone(),
            at,
            reason,
        }
    }

    /// The next record, borrowed until the next call; `None` at the end, torn or clean. After an
    /// error it stays at an end.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Newer`], the machine.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, Error> {
        Ok(if self.advance()? { self.last() } else { None })
    }

    /// After [`Error::Damaged`]: goes on at the next record that holds together.
    pub fn pass(&mut self) {
        self.finished = false;
    }

    /// Reads one record; false at the end.
    pub(in crate::tape) fn advance(&mut self) -> Result<bool, Error> {
        if self.finished {
            return Ok(false);
        }
        // Until this call has gone well there is nothing behind it.
        self.finished = true;
        let at = self.offset;
        let Some(len) = self.probe()? else {
            self.judge()?;
            return Ok(false);
        };
        let from = self.start;
        self.last = (from, RECORD_BYTES + len);
        self.skip(RECORD_BYTES + len);
        if self.closing.is_some() {
            return Err(self.damaged(at, "a record after the end"));
        }
        let kind = self.buffer[from + 2];
        let payload = &self.buffer[from + RECORD_BYTES..from + RECORD_BYTES + len];
        let before = match parse(&self.buffer[from..from + RECORD_BYTES + len]) {
            Ok(Record::End(end)) => {
                self.closing = Some(Closing::End(end));
                END_BYTES
            }
            Ok(Record::Next { segment, .. }) => {
                self.closing = Some(Closing::Next(segment));
                NEXT_BYTES
            }
            Ok(Record::Hole { at, why }) => {
                let why = why.to_owned();
                self.closing = Some(Closing::Hole { at, why });
                len
            }
            Ok(_) => len,
            Err(Some(reason)) => return Err(self.damaged(at, reason)),
            Err(None) => {
                return Err(Error::Newer {
                    name: self.name.clone(),
                    at,
                    kind,
                });
            }
        };
        let told = payload[before..].chunks_exact(8).map(|n| u64_at(n, 0));
        if before < len && !told.eq(self.counts.into_iter().take(self.kinds)) {
            return Err(self.damaged(at, "the end counts other records than were read"));
        }
        self.counts[usize::from(kind)] += 1;
        self.finished = false;
        Ok(true)
    }

    /// The record last read.
    pub(in crate::tape) fn last(&self) -> Option<Record<'_>> {
        let (from, bytes) = self.last;
        parse(self.buffer.get(from..from + bytes)?).ok()
    }
}
