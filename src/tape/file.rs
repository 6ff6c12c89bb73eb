//! The tape file, version 2: one head, then records, each with its own checksum.
//!
//! ```text
//! file     | head | record | record | ...                         | End, Next or Hole |
//!
//! head     0         8         12        16         24         28        32        40        44    48
//!          | magic   | version | flags   | created  | plan_len | crc     | run     | segment | 0   | plan
//!          "ISOTAPE\0"                     i64 ns     u32                  u64       u32            JSON
//!          flags: bit 0 = journalled, bit 1 = continues      crc32 of bytes 0..28, 32..48 and the plan
//!
//! record   0      2      3      4         8         12               20
//!          | mark | kind | ring | len     | crc     | stamp          | payload: len bytes
//!            fda5                           |         i64 ns
//!                                           crc32 of bytes 0..8, 12..20 and the payload
//!
//! payload  Frame, Sent     the message            Ticks    count u32        (stamp = the first)
//!          Connect         the address            Order    groups u32       (stamp = 0)
//!          Disconnect      the reason             Events   n x 64 bytes     (stamp = of the first)
//!          Rest            request \n body        Hole     the reason
//!          End             input_seq u64, state_hash u64, records of each kind: 12 x u64
//!          Next            segment u32, 0 u32,            records of each kind: 12 x u64
//! ```
//! Little-endian throughout. Version 1 is the same without bytes 32..48 and with 9 kinds; it is read.
//! The mark begins with a byte that never occurs in UTF-8, so records can be found again behind
//! damage. A bad record with a good one somewhere behind it is *damage*, an error with its offset; a
//! bad record with nothing good behind it is a *torn end*: reading stops and the bytes dropped are
//! counted. Nothing stands behind End, Next or Hole; a file without one of them was cut off.

use super::{EVENT_BYTES, End, Error, Header, KINDS, Kind, Record, RunPlan};
use crate::time::Nanos;
use crc32fast::Hasher;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

/// First bytes of every tape; the first four tell it from a session.
pub const MAGIC: [u8; 4] = *b"ISOT";
pub(crate) const MAGIC_WHOLE: [u8; 8] = *b"ISOTAPE\0";
/// Version of the layout that is written; 1 is read too.
pub const VERSION: u32 = 2;
/// Bytes of the head before the plan.
pub const HEAD_BYTES: usize = 48;
/// Bytes of a record before its payload.
pub const RECORD_BYTES: usize = 20;
/// Longest payload: an instrument table of a large venue is under one MiB.
pub const PAYLOAD_MAX: usize = 64 << 20;
/// Longest plan text.
pub const PLAN_MAX: usize = 1 << 20;

const MARK: [u8; 2] = [0xfd, 0xa5];
const JOURNALLED: u32 = 1;
const CONTINUES: u32 = 2;
/// Bytes of a head that both versions have.
const HEAD_SHARED: usize = 32;
/// Bytes before the counts, in End and in Next.
const END_BYTES: usize = 16;
const NEXT_BYTES: usize = 8;
const CHUNK: usize = 1 << 18;

/// What a version's head takes, and how many kinds its counts have.
const fn sizes(version: u32) -> Option<(usize, usize)> {
    match version {
        1 => Some((HEAD_SHARED, 9)),
        VERSION => Some((HEAD_BYTES, KINDS)),
        _ => None,
    }
}

const _: () = {
    assert!(HEAD_SHARED == 8 + 4 + 4 + 8 + 4 + 4);
    assert!(HEAD_BYTES == HEAD_SHARED + 8 + 4 + 4);
    assert!(RECORD_BYTES == 2 + 1 + 1 + 4 + 4 + 8);
    assert!(EVENT_BYTES == 64);
    assert!(PAYLOAD_MAX < u32::MAX as usize);
    assert!(Kind::Next as usize + 1 == KINDS);
    // No UTF-8 text holds the mark: frames are text.
    assert!(MARK[0] >= 0xf5 && MARK[1] >= 0x80);
};

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|four| four.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at + 8)
        .and_then(|eight| eight.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

/// How a file was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing {
    /// The run ended in order.
    End(End),
    /// The run goes on in the segment with this place in it.
    Next(u32),
    /// Recording stopped before the run did.
    Hole {
        /// When.
        at: Nanos,
        /// Why.
        why: String,
    },
}

/// Writes a tape. Dropping it without [`Writer::finish`] leaves a tape without its End, which
/// readers report.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    counts: [u64; KINDS],
    bytes: u64,
}

impl Writer<BufWriter<File>> {
    /// Begins a new file; one that exists is not overwritten.
    ///
    /// # Errors
    /// The machine, or a file that is already there.
    pub fn create(path: &Path, header: &Header) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::create_new(path).map_err(|source| Error::io(&name, source))?;
        Self::new(BufWriter::with_capacity(CHUNK, file), header)
    }
}

impl<W: Write> Writer<W> {
    /// Writes the head.
    ///
    /// # Errors
    /// The machine, or a plan text longer than [`PLAN_MAX`].
    pub fn new(mut out: W, header: &Header) -> Result<Self, Error> {
        let plan = serde_json::to_vec(&header.plan).map_err(|_| Error::Unwritable {
            len: 0,
            reason: "the plan is no JSON",
        })?;
        if plan.len() > PLAN_MAX {
            return Err(Error::Unwritable {
                len: plan.len(),
                reason: "the plan is too long",
            });
        }
        let mut head = Vec::with_capacity(HEAD_BYTES + plan.len());
        head.extend_from_slice(&MAGIC_WHOLE);
        head.extend_from_slice(&VERSION.to_le_bytes());
        let flag = |is, bit| if is { bit } else { 0 };
        let flags = flag(header.journalled, JOURNALLED) | flag(header.continues, CONTINUES);
        head.extend_from_slice(&flags.to_le_bytes());
        head.extend_from_slice(&header.created.get().to_le_bytes());
        head.extend_from_slice(&(plan.len() as u32).to_le_bytes());
        let mut tail = Vec::with_capacity(HEAD_BYTES - HEAD_SHARED + plan.len());
        tail.extend_from_slice(&header.run.to_le_bytes());
        tail.extend_from_slice(&header.segment.to_le_bytes());
        tail.extend_from_slice(&[0; 4]);
        tail.extend_from_slice(&plan);
        let crc = crc_of(&[&head, &tail]);
        head.extend_from_slice(&crc.to_le_bytes());
        head.extend_from_slice(&tail);
        out.write_all(&head).map_err(written)?;
        Ok(Self {
            out,
            counts: [0; KINDS],
            bytes: head.len() as u64,
        })
    }

    /// Writes one record.
    ///
    /// # Errors
    /// The machine; [`Error::Unwritable`] for a payload beyond [`PAYLOAD_MAX`], a request with a
    /// line break, an empty run, pieces of events, or a record that closes the tape: those are for
    /// [`Writer::finish`], [`Writer::turn_over`] and [`Recorder::stop`](super::Recorder::stop).
    pub fn append(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let refuse = |reason| Error::Unwritable {
            len: record.text().0.len(),
            reason,
        };
        let (first, second) = record.text();
        match record {
            Record::Rest { request, .. } if request.contains('\n') => {
                Err(refuse("a request holds no line break"))
            }
            Record::Rest { .. } => self.put(record, &[first, b"\n", second]),
            Record::Ticks { count: 0, .. } | Record::Order { groups: 0, .. } => {
                Err(refuse("an empty run"))
            }
            Record::Ticks { count, .. } => self.put(record, &[&count.to_le_bytes()]),
            Record::Order { groups, .. } => self.put(record, &[&groups.to_le_bytes()]),
            Record::End(_) | Record::Next { .. } | Record::Hole { .. } => {
                Err(refuse("a record that closes the tape"))
            }
            Record::Events { bytes, .. } if !are_events(bytes) => {
                Err(refuse("no whole number of events"))
            }
            _ => self.put(record, &[first]),
        }
    }

    fn put(&mut self, record: &Record<'_>, payload: &[&[u8]]) -> Result<(), Error> {
        let len: usize = payload.iter().map(|part| part.len()).sum();
        if len > PAYLOAD_MAX {
            return Err(Error::Unwritable {
                len,
                reason: "longer than a record may be",
            });
        }
        let head = head_of(record, payload, len);
        self.out.write_all(&head).map_err(written)?;
        for part in payload {
            self.out.write_all(part).map_err(written)?;
        }
        self.counts[record.kind() as usize] += 1;
        self.bytes += (RECORD_BYTES + len) as u64;
        Ok(())
    }

    /// Hands what is buffered to the machine.
    ///
    /// # Errors
    /// The machine.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(written)
    }

    /// Bytes written so far, head included.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records written so far, by kind number.
    #[must_use]
    pub const fn counts(&self) -> &[u64; KINDS] {
        &self.counts
    }

    /// Closes the tape cleanly and gives back what it was written to.
    ///
    /// # Errors
    /// The machine.
    pub fn finish(mut self, end: End) -> Result<W, Error> {
        let counts = self.counted();
        let (seq, hash) = (end.input_seq.to_le_bytes(), end.state_hash.to_le_bytes());
        self.put(&Record::End(end), &[&seq, &hash, &counts])?;
        self.flush()?;
        Ok(self.out)
    }

    /// Closes a full segment whose run goes on in part `segment`; nothing may be written after it.
    ///
    /// # Errors
    /// The machine.
    pub fn turn_over(&mut self, at: Nanos, segment: u32) -> Result<(), Error> {
        let counts = self.counted();
        let to = u64::from(segment).to_le_bytes();
        self.put(&Record::Next { at, segment }, &[&to, &counts])?;
        self.flush()
    }

    /// What it writes to; bytes put there behind its back are not counted.
    pub const fn out(&mut self) -> &mut W {
        &mut self.out
    }

    fn counted(&self) -> Vec<u8> {
        self.counts.iter().flat_map(|n| n.to_le_bytes()).collect()
    }
}

/// The head of a record with this payload.
fn head_of(record: &Record<'_>, payload: &[&[u8]], len: usize) -> [u8; RECORD_BYTES] {
    let mut head = [0; RECORD_BYTES];
    head[0..2].copy_from_slice(&MARK);
    head[2] = record.kind() as u8;
    head[3] = record.ring();
    head[4..8].copy_from_slice(&(len as u32).to_le_bytes());
    head[12..20].copy_from_slice(&record.stamp().get().to_le_bytes());
    let mut crc = Hasher::new();
    crc.update(&head[0..8]);
    crc.update(&head[12..20]);
    for part in payload {
        crc.update(part);
    }
    head[8..12].copy_from_slice(&crc.finalize().to_le_bytes());
    head
}

/// A Hole as bytes, for a file whose writer has failed.
pub(super) fn hole_bytes(at: Nanos, why: &str) -> Vec<u8> {
    let head = head_of(&Record::Hole { at, why }, &[why.as_bytes()], why.len());
    [&head[..], why.as_bytes()].concat()
}

/// How many of these bytes, which begin with a record, are whole records. Lengths are believed:
/// they are our own.
pub(super) fn whole_records(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + RECORD_BYTES) {
        let end = at + RECORD_BYTES + u32_at(head, 4) as usize;
        if end > bytes.len() {
            break;
        }
        at = end;
    }
    at
}

const fn are_events(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.len().is_multiple_of(EVENT_BYTES)
}

fn written(source: io::Error) -> Error {
    Error::io("tape (writing)", source)
}

fn crc_of(parts: &[&[u8]]) -> u32 {
    let mut crc = Hasher::new();
    for part in parts {
        crc.update(part);
    }
    crc.finalize()
}

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
    pub(super) fn stub(mut input: R) -> io::Result<bool> {
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
    pub(super) fn advance(&mut self) -> Result<bool, Error> {
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
    pub(super) fn last(&self) -> Option<Record<'_>> {
        let (from, bytes) = self.last;
        parse(self.buffer.get(from..from + bytes)?).ok()
    }
}

/// Whether a payload of this many bytes can end in a version's counts.
const fn counts(payload: &[u8], before: usize) -> bool {
    match payload.len().checked_sub(before) {
        // Those of versions 1 and 2; which of them is compared record by record.
        Some(left) => left == 8 * 9 || left == 8 * KINDS,
        None => false,
    }
}

/// A record from its bytes, checksum already held; `Err(None)` = a kind not known here.
fn parse(record: &[u8]) -> Result<Record<'_>, Option<&'static str>> {
    let (head, payload) = record
        .split_at_checked(RECORD_BYTES)
        .ok_or(Some("a record cut short"))?;
    let ring = head[3];
    let stamp = Nanos::new(u64_at(head, 12).cast_signed());
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Some("text that is no UTF-8"));
    let run = |payload: &[u8]| match payload.len() {
        4 if u32_at(payload, 0) > 0 => Ok(u32_at(payload, 0)),
        _ => Err(Some("a run without a count")),
    };
    Ok(match head[2] {
        1 => Record::Frame {
            ring,
            recv: stamp,
            bytes: payload,
        },
        2 => Record::Sent {
            ring,
            at: stamp,
            bytes: payload,
        },
        3 => Record::Connect {
            ring,
            recv: stamp,
            url: text(payload)?,
        },
        4 => Record::Disconnect {
            ring,
            recv: stamp,
            reason: text(payload)?,
        },
        5 => {
            let line = payload.iter().position(|byte| *byte == b'\n');
            let (request, body) = payload.split_at(line.ok_or(Some("REST without a request"))?);
            Record::Rest {
                ring,
                recv: stamp,
                request: text(request)?,
                body: &body[1..],
            }
        }
        6 => Record::Ticks {
            first: stamp,
            count: run(payload)?,
        },
        7 => Record::Order {
            ring,
            groups: run(payload)?,
        },
        8 if counts(payload, END_BYTES) => Record::End(End {
            at: stamp,
            input_seq: u64_at(payload, 0),
            state_hash: u64_at(payload, 8),
        }),
        9 if are_events(payload) => Record::Events {
            ring,
            recv: stamp,
            bytes: payload,
        },
        10 => Record::Hole {
            at: stamp,
            why: text(payload)?,
        },
        11 if counts(payload, NEXT_BYTES) => Record::Next {
            at: stamp,
            segment: u32_at(payload, 0),
        },
        8 | 9 | 11 => return Err(Some("an end, events or a next of another length")),
        _ => return Err(None),
    })
}

#[cfg(test)]
mod tests;
