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
//!
//! `record` turns one record into bytes and back, `writer` and `reader` do so with whole files.

mod reader;
mod record;
mod writer;

use super::{EVENT_BYTES, End, KINDS, Kind};
use crate::time::Nanos;
use crc32fast::Hasher;
pub use reader::Reader;
pub(super) use record::{hole_bytes, whole_records};
pub use writer::Writer;

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

fn crc_of(parts: &[&[u8]]) -> u32 {
    let mut crc = Hasher::new();
    for part in parts {
        crc.update(part);
    }
    crc.finalize()
}

#[cfg(test)]
mod tests;
