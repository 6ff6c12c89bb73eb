//! Record: one record as bytes, and back. The drawing is in `file`; nothing here knows of files.
//!
//! `head_of` writes the checksum, whoever calls `parse` has checked it. A kind that is not known here is another answer
//! than a payload that does not fit its kind: the one is a newer tape, the other damage.

use super::{END_BYTES, MARK, NEXT_BYTES, RECORD_BYTES, u32_at, u64_at};
use crate::tape::{EVENT_BYTES, End, KINDS, Record};
use crate::time::Nanos;
use crc32fast::Hasher;

/// The head of a record with this payload.
pub(super) fn head_of(record: &Record<'_>, payload: &[&[u8]], len: usize) -> [u8; RECORD_BYTES] {
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
pub(in crate::tape) fn hole_bytes(at: Nanos, why: &str) -> Vec<u8> {
    let head = head_of(&Record::Hole { at, why }, &[why.as_bytes()], why.len());
    [&head[..], why.as_bytes()].concat()
}

/// How many of these bytes, which begin with a record, are whole records. Lengths are believed:
/// they are our own.
pub(in crate::tape) fn whole_records(bytes: &[u8]) -> usize {
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

pub(super) const fn are_events(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.len().is_multiple_of(EVENT_BYTES)
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
pub(super) fn parse(record: &[u8]) -> Result<Record<'_>, Option<&'static str>> {
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
