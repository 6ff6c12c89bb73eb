//! The tape thread: takes pieces from every thread's byte ring and appends them to the file.
//!
//! Pieces of one ring stay in order; between rings the order in the file is whatever the thread met, which is why the
//! journal is on the tape too. A piece that did not fit its ring, or a disk that says no, ends the tape there: the
//! End record is not written, and a replay knows that the tape is not whole.

use crate::feed::taped::{self, Piece};
use crate::ring::ByteConsumer;
use crate::sync::Flag;
use crate::tape::file::Writer;
use crate::tape::{End, Error, Record};
use std::io::Write;
use std::time::Duration;

/// Drains `rings` into `writer` until `stop` is raised and nothing is left. Answers the writer for its End record.
///
/// # Errors
/// The disk; the rings are then abandoned, which their producers see.
pub fn drain<W: Write>(
    mut writer: Writer<W>,
    mut rings: Vec<ByteConsumer>,
    stop: &Flag,
) -> Result<Writer<W>, Error> {
    let mut piece = Vec::with_capacity(1 << 16);
    loop {
        // Asked before the rings: what was written before the stop is seen below.
        let stopping = stop.is_up();
        let mut moved = false;
        for ring in &mut rings {
            while ring.read(&mut piece) {
                moved = true;
                append(&mut writer, &piece)?;
            }
        }
        if !moved {
            if stopping {
                return Ok(writer);
            }
            writer.flush()?;
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Closes a tape that is whole.
///
/// # Errors
/// The disk.
pub fn close<W: Write>(writer: Writer<W>, end: End) -> Result<(), Error> {
    writer.finish(end).map(|_| ())
}

fn append<W: Write>(writer: &mut Writer<W>, piece: &[u8]) -> Result<(), Error> {
    let Some((kind, ring, split, stamp, bytes)) = taped::parse(piece) else {
        return Ok(());
    };
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let record = match kind {
        Piece::Frame => Record::Frame {
            ring,
            recv: stamp,
            bytes,
        },
        Piece::Sent => Record::Sent {
            ring,
            at: stamp,
            bytes,
        },
        Piece::Connect => Record::Connect {
            ring,
            recv: stamp,
            url: text(bytes),
        },
        Piece::Disconnect => Record::Disconnect {
            ring,
            recv: stamp,
            reason: text(bytes),
        },
        Piece::Rest => {
            let (request, body) = bytes.split_at((split as usize).min(bytes.len()));
            Record::Rest {
                ring,
                recv: stamp,
                request: text(request),
                body,
            }
        }
        Piece::Ticks => Record::Ticks {
            first: stamp,
            count: split,
        },
        Piece::Order => Record::Order {
            ring,
            groups: split,
        },
    };
    writer.append(&record)
}
