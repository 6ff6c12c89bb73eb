//! Writer: a tape from its head to the record that closes it, every record counted by kind.
//!
//! What a reader could not give back is refused before a byte of it is written. The counts stand in the record that
//! closes the file, so that a missing record is seen.

use super::record::{are_events, head_of};
use super::{
    CHUNK, CONTINUES, HEAD_BYTES, HEAD_SHARED, JOURNALLED, MAGIC_WHOLE, PAYLOAD_MAX, PLAN_MAX,
    RECORD_BYTES, VERSION, crc_of,
};
use crate::tape::{End, Error, Header, KINDS, Record};
use crate::time::Nanos;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

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
    /// [`Writer::finish`], [`Writer::turn_over`] and [`Recorder::stop`](crate::tape::Recorder::stop).
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

fn written(source: io::Error) -> Error {
    Error::io("tape (writing)", source)
}
