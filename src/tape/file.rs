//! The tape file, version 1: one head, then records, each with its own checksum.
//!
//! ```text
//! file     | head | record | record | ...                                | End |
//!
//! head     0         8         12        16         24         28        32
//!          | magic   | version | flags   | created  | plan_len | crc     | plan: JSON text
//!          "ISOTAPE\0"                     i64 ns                crc32 of bytes 0..28 and the plan
//!          flags: bit 0 = journalled
//!
//! record   0      2      3      4         8         12               20
//!          | mark | kind | ring | len     | crc     | stamp          | payload: len bytes
//!            fda5                           |         i64 ns
//!                                           crc32 of bytes 0..8, 12..20 and the payload
//!
//! payload  Frame, Sent     the message               Ticks   count u32        (stamp = the first)
//!          Connect         the address               Order   groups u32       (stamp = 0)
//!          Disconnect      the reason                End     input_seq u64, state_hash u64,
//!          Rest            request \n body                   records of each kind: 9 x u64
//! ```
//! Little-endian throughout. The mark begins with a byte that never occurs in UTF-8, so records can
//! be found again behind damage. A bad record with a good one somewhere behind it is *damage*, an
//! error with its offset; a bad record with nothing good behind it is a *torn end*: reading stops
//! and the bytes dropped are counted. A file whose End is missing was not closed cleanly.

use super::{End, Error, Header, KINDS, Kind, Record, RunPlan};
use crate::time::Nanos;
use crc32fast::Hasher;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

/// First bytes of every tape; the first four tell it from a session.
pub const MAGIC: [u8; 4] = *b"ISOT";
const MAGIC_WHOLE: [u8; 8] = *b"ISOTAPE\0";
/// Version of the layout.
pub const VERSION: u32 = 1;
/// Bytes of the head before the plan.
pub const HEAD_BYTES: usize = 32;
/// Bytes of a record before its payload.
pub const RECORD_BYTES: usize = 20;
/// Longest payload: an instrument table of a large venue is under one MiB.
pub const PAYLOAD_MAX: usize = 64 << 20;
/// Longest plan text.
pub const PLAN_MAX: usize = 1 << 20;

const MARK: [u8; 2] = [0xfd, 0xa5];
const JOURNALLED: u32 = 1;
const END_BYTES: usize = 16 + 8 * KINDS;
const CHUNK: usize = 1 << 18;

const _: () = {
    assert!(HEAD_BYTES == 8 + 4 + 4 + 8 + 4 + 4);
    assert!(RECORD_BYTES == 2 + 1 + 1 + 4 + 4 + 8);
    assert!(END_BYTES == 88);
    assert!(PAYLOAD_MAX < u32::MAX as usize);
    assert!(Kind::End as usize + 1 == KINDS);
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
        let flags = if header.journalled { JOURNALLED } else { 0 };
        head.extend_from_slice(&flags.to_le_bytes());
        head.extend_from_slice(&header.created.get().to_le_bytes());
        head.extend_from_slice(&(plan.len() as u32).to_le_bytes());
        let crc = crc_of(&[&head, &plan]);
        head.extend_from_slice(&crc.to_le_bytes());
        head.extend_from_slice(&plan);
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
    /// line break, an empty run, or an End, which only [`Writer::finish`] writes.
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
            Record::End(_) => Err(refuse("the end is written by finish")),
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
        let kind = record.kind();
        let mut head = [0; RECORD_BYTES];
        head[0..2].copy_from_slice(&MARK);
        head[2] = kind as u8;
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
        self.out.write_all(&head).map_err(written)?;
        for part in payload {
            self.out.write_all(part).map_err(written)?;
        }
        self.counts[kind as usize] += 1;
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
        let mut payload = [0; END_BYTES];
        payload[0..8].copy_from_slice(&end.input_seq.to_le_bytes());
        payload[8..16].copy_from_slice(&end.state_hash.to_le_bytes());
        for (room, count) in payload[16..].chunks_exact_mut(8).zip(self.counts) {
            room.copy_from_slice(&count.to_le_bytes());
        }
        self.put(&Record::End(end), &[&payload])?;
        self.flush()?;
        Ok(self.out)
    }
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
    counts: [u64; KINDS],
    end: Option<End>,
    torn: u64,
    finished: bool,
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("name", &self.name)
            .field("offset", &self.offset)
            .field("end", &self.end)
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
        self.end
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
            counts: [0; KINDS],
            end: None,
            torn: 0,
            finished: false,
        };
        reader.read_header()?;
        Ok(reader)
    }

    fn read_header(&mut self) -> Result<(), Error> {
        let whole = self.fill(HEAD_BYTES)?;
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
        if version != VERSION {
            return Err(refuse(
                &self.name,
                &format!("version {version}, this program reads {VERSION}"),
            ));
        }
        let plan_len = u32_at(&self.buffer, 24) as usize;
        if plan_len > PLAN_MAX || !self.fill(HEAD_BYTES + plan_len)? {
            return Err(refuse(&self.name, "the head is cut short"));
        }
        let (head, rest) = self.buffer.split_at(HEAD_BYTES);
        let plan = &rest[..plan_len];
        if crc_of(&[&head[..28], plan]) != u32_at(head, 28) {
            return Err(refuse(&self.name, "the checksum of the head fails"));
        }
        let plan: RunPlan = serde_json::from_slice(plan)
            .map_err(|error| refuse(&self.name, &format!("its plan: {error}")))?;
        self.header = Header {
            created: Nanos::new(u64_at(head, 16).cast_signed()),
            journalled: u32_at(head, 12) & JOURNALLED != 0,
            plan,
        };
        self.skip(HEAD_BYTES + plan_len);
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
        if self.finished {
            return Ok(None);
        }
        // Until this call has gone well there is nothing behind it.
        self.finished = true;
        let at = self.offset;
        let Some(len) = self.probe()? else {
            self.judge()?;
            return Ok(None);
        };
        if self.end.is_some() {
            return Err(self.damaged(at, "a record after the end"));
        }
        let from = self.start;
        self.skip(RECORD_BYTES + len);
        let kind = self.buffer[from + 2];
        match parse(&self.buffer[from..from + RECORD_BYTES + len]) {
            Ok(Record::End(end)) => {
                let counted = &self.buffer[from + RECORD_BYTES + 16..from + RECORD_BYTES + len];
                let told = counted.chunks_exact(8).map(|eight| u64_at(eight, 0));
                if !told.eq(self.counts) {
                    return Err(self.damaged(at, "the end counts other records than were read"));
                }
                self.end = Some(end);
            }
            Ok(_) => {}
            Err(Some(reason)) => return Err(self.damaged(at, reason)),
            Err(None) => {
                return Err(Error::Newer {
                    name: self.name.clone(),
                    at,
                    kind,
                });
            }
        }
        self.counts[usize::from(kind)] += 1;
        self.finished = false;
        Ok(parse(&self.buffer[from..from + RECORD_BYTES + len]).ok())
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
        8 if payload.len() == END_BYTES => Record::End(End {
            at: stamp,
            input_seq: u64_at(payload, 0),
            state_hash: u64_at(payload, 8),
        }),
        8 => return Err(Some("an end of another length")),
        _ => return Err(None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::RingPlan;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            created: Nanos::new(1_786_310_818_223_514_800),
            journalled: true,
            plan: RunPlan {
                symbols: vec!["BTC".to_owned(), "ETH".to_owned()],
                rings: vec![RingPlan {
                    venue: "bybit".to_owned(),
                    url: "ws://127.0.0.1:9001/v5/public/linear".to_owned(),
                    rest: "http://127.0.0.1:9001".to_owned(),
                }],
                model: [("psi".to_owned(), "0.3".to_owned())].into(),
            },
        }
    }

    fn small() -> Vec<Record<'static>> {
        let recv = Nanos::seconds(1_000);
        vec![
            Record::Connect {
                ring: 0,
                recv,
                url: "ws://127.0.0.1:9001/v5/public/linear",
            },
            Record::Sent {
                ring: 0,
                at: recv,
                bytes: br#"{"op":"subscribe","args":["tickers.BTCUSDT"]}"#,
            },
            Record::Rest {
                ring: 0,
                recv,
                request: "/v5/market/time",
                body: b"{\"a\":\n1}",
            },
            Record::Frame {
                ring: 1,
                recv,
                bytes: b"{}",
            },
            Record::Ticks {
                first: recv,
                count: 3,
            },
            Record::Order { ring: 1, groups: 1 },
            Record::Disconnect {
                ring: 1,
                recv,
                reason: "closed",
            },
        ]
    }

    const CLOSE: End = End {
        at: Nanos::seconds(1_001),
        input_seq: 5,
        state_hash: 0xdead_beef,
    };

    fn tape(records: &[Record<'_>], end: Option<End>) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), &header()).unwrap();
        for record in records {
            writer.append(record).unwrap();
        }
        match end {
            Some(end) => writer.finish(end).unwrap(),
            None => writer.out,
        }
    }

    /// Everything a reader says, as one comparable text.
    fn read(bytes: &[u8]) -> Result<(Vec<String>, u64, Option<End>), Error> {
        let mut reader = Reader::new("t", bytes)?;
        assert_eq!(reader.header(), &header());
        let mut records = Vec::new();
        while let Some(record) = reader.next_record()? {
            records.push(format!("{record:?}"));
        }
        Ok((records, reader.torn(), reader.end()))
    }

    fn said(records: &[Record<'_>]) -> Vec<String> {
        records.iter().map(|record| format!("{record:?}")).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = tape(&small(), Some(CLOSE));
        let (mut records, torn, end) = read(&bytes).unwrap();
        assert_eq!(records.pop(), Some(format!("{:?}", Record::End(CLOSE))));
        assert_eq!(records, said(&small()));
        assert_eq!((torn, end), (0, Some(CLOSE)));
    }

    #[test]
    fn every_cut_is_a_torn_end_and_loses_only_the_cut_record() {
        let records = small();
        let whole = tape(&records, Some(CLOSE));
        let head = tape(&[], None).len();
        // Where each record ends.
        let mut ends = vec![head];
        for n in 1..=records.len() {
            ends.push(tape(&records[..n], None).len());
        }
        for cut in 0..whole.len() {
            let read = read(&whole[..cut]);
            if cut < head {
                assert!(matches!(read, Err(Error::Header { .. })), "cut at {cut}");
                continue;
            }
            let (got, torn, end) = read.unwrap();
            let kept = ends.iter().rposition(|end| *end <= cut).unwrap();
            assert_eq!(got, said(&records[..kept]), "cut at {cut}");
            assert_eq!(torn, (cut - ends[kept]) as u64, "cut at {cut}");
            assert_eq!(end, None, "cut at {cut}");
        }
    }

    #[test]
    fn every_flipped_bit_is_caught() {
        let whole = tape(&small(), Some(CLOSE));
        let last = tape(&small(), None).len();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                match read(&bytes) {
                    Err(Error::Header { .. }) => assert!(at < tape(&[], None).len()),
                    // Nothing good stands behind the last record: a torn end.
                    Ok((_, torn, end)) => {
                        assert!(at >= last, "flip at {at}.{bit} was not seen");
                        assert_eq!((torn, end), ((whole.len() - last) as u64, None));
                    }
                    Err(Error::Damaged { at: found, .. }) => {
                        assert!(
                            found <= at as u64 && at < last,
                            "flip at {at}, said {found}"
                        );
                    }
                    Err(other) => panic!("flip at {at}.{bit}: {other}"),
                }
            }
        }
    }

    #[test]
    fn damage_names_the_record_it_is_in() {
        let records = small();
        let mut bytes = tape(&records, Some(CLOSE));
        let at = tape(&records[..2], None).len();
        bytes[at + RECORD_BYTES + 3] ^= 1;
        let text = read(&bytes).unwrap_err().to_string();
        assert_eq!(
            text,
            format!("t: damaged at byte {at}: a checksum or length fails, and records follow")
        );
    }

    #[test]
    fn a_missing_record_is_seen_at_the_end() {
        let records = small();
        let whole = tape(&records, Some(CLOSE));
        let (from, to) = (
            tape(&records[..3], None).len(),
            tape(&records[..4], None).len(),
        );
        let bytes = [&whole[..from], &whole[to..]].concat();
        assert!(matches!(read(&bytes), Err(Error::Damaged { .. })));
    }

    #[test]
    fn a_kind_of_the_future_is_not_damage() {
        let mut writer = Writer::new(Vec::new(), &header()).unwrap();
        writer.append(&small()[3]).unwrap();
        let at = tape(&[], None).len();
        let mut bytes = writer.out;
        bytes[at + 2] = 77;
        let crc = crc_of(&[&bytes[at..at + 8], &bytes[at + 12..]]);
        bytes[at + 8..at + 12].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(
            read(&bytes),
            Err(Error::Newer { kind: 77, at: found, .. }) if found == at as u64
        ));
    }

    #[test]
    fn what_cannot_be_read_back_is_not_written() {
        let mut writer = Writer::new(Vec::new(), &header()).unwrap();
        let recv = Nanos::SECOND;
        for record in [
            Record::Rest {
                ring: 0,
                recv,
                request: "/a\nb",
                body: b"",
            },
            Record::Ticks {
                first: recv,
                count: 0,
            },
            Record::Order { ring: 0, groups: 0 },
            Record::End(End::default()),
        ] {
            assert!(writer.append(&record).is_err(), "{record:?}");
        }
        assert_eq!(writer.counts(), &[0; KINDS]);
    }

    proptest! {
        #[test]
        fn any_records_survive_the_file(
            seeds in prop::collection::vec(
                (
                    1u8..8,
                    any::<u8>(),
                    any::<i64>(),
                    prop::collection::vec(any::<u8>(), 0..300),
                    1u32..,
                ),
                0..40,
            ),
            tail in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let texts: Vec<String> = seeds
                .iter()
                .map(|seed| String::from_utf8_lossy(&seed.3).replace('\n', " "))
                .collect();
            let records: Vec<Record<'_>> = seeds
                .iter()
                .zip(&texts)
                .map(|((kind, ring, at, bytes, count), text)| {
                    let (ring, recv) = (*ring, Nanos::new(*at));
                    match kind {
                        1 => Record::Frame { ring, recv, bytes },
                        2 => Record::Sent { ring, at: recv, bytes },
                        3 => Record::Connect { ring, recv, url: text },
                        4 => Record::Disconnect { ring, recv, reason: text },
                        5 => Record::Rest { ring, recv, request: text, body: bytes },
                        6 => Record::Ticks { first: recv, count: *count },
                        _ => Record::Order { ring, groups: *count },
                    }
                })
                .collect();
            let (got, torn, _) = read(&tape(&records, None)).unwrap();
            prop_assert_eq!(&got, &said(&records));
            prop_assert_eq!(torn, 0);
            // Rubbish behind it is a torn end and takes nothing with it.
            let dirty = [tape(&records, None), tail.clone()].concat();
            let (got, torn, _) = read(&dirty).unwrap();
            prop_assert_eq!(got, said(&records));
            prop_assert_eq!(torn, tail.len() as u64);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let whole = [tape(&small(), None), bytes.clone()].concat();
            drop(read(&whole));
            if let Ok(mut reader) = Reader::new("t", bytes.as_slice()) {
                while let Ok(Some(_)) = reader.next_record() {}
            }
        }
    }
}
