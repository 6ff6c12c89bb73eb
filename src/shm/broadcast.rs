//! Broadcast: a ring of numbered records that one writer overwrites and any number of readers follow.
//!
//! Place `(number - 1) % count` is a [`Slot`] whose record's first word is its number, from 1. The writer puts the
//! record, then says that it is the newest; it never waits and never looks at readers. A reader asks for the number it
//! wants next: not yet there, there, or overwritten ([`Lapped`]), which the number in the record tells. Slots are whole
//! records of one `put` each, so a reader cannot be shown half of one or one for another.
//!
//! Invariants: one writer; numbers grow by one. Proven with the slot in `tests/loom.rs`.

use super::page::Region;
use super::slot::{Slot, WriterStalled};
use crate::sync::{AtomicU64, Ordering, fence};

/// The record asked for was overwritten, or was never in this ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapped;

/// A ring of records of `N` words.
#[derive(Debug, Clone, Copy)]
pub struct Broadcast<'a, const N: usize> {
    newest: &'a AtomicU64,
    cells: &'a [AtomicU64],
    stride: usize,
    count: u64,
}

impl<'a, const N: usize> Broadcast<'a, N> {
    /// The ring that lies in `region` of `cells`, whose newest number is the word `newest`; `None` when it is not all
    /// there, or has no place.
    #[must_use]
    #[inline]
    pub fn at(cells: &'a [AtomicU64], newest: usize, region: &Region) -> Option<Self> {
        let (first, stride) = (region.offset as usize / 8, region.stride as usize / 8);
        let end = first.checked_add(stride.checked_mul(region.count as usize)?)?;
        let ring = cells.get(first..end)?;
        (stride > N && !ring.is_empty()).then_some(Self {
            newest: cells.get(newest)?,
            cells: ring,
            stride,
            count: region.count.into(),
        })
    }

    fn slot(self, number: u64) -> Option<Slot<'a, N>> {
        let place = (number.checked_sub(1)? % self.count) as usize;
        Slot::at(self.cells.get(place * self.stride..)?)
    }

    /// Puts the record whose number is its first word. Only the ring's one writer may call this.
    #[inline]
    pub fn put(self, record: &[u64; N]) {
        let number = record.first().copied().unwrap_or(0);
        if let Some(slot) = self.slot(number) {
            slot.put(record);
            // ORDER: release: whoever sees the number finds the record in its slot; pairs with the fence of `get`.
            self.newest.store(number, Ordering::Release);
        }
    }

    /// Number of the newest record; 0 = none yet.
    #[must_use]
    #[inline]
    pub fn newest(self) -> u64 {
        // ORDER: relaxed: a hint; whoever acts on it calls `get`.
        self.newest.load(Ordering::Relaxed)
    }

    /// The record of a number; `None` when it is not there yet.
    ///
    /// # Errors
    /// [`WriterStalled`] as of the slot: the writer is just overwriting it, or died there.
    #[inline]
    pub fn get(self, number: u64) -> Result<Option<Result<[u64; N], Lapped>>, WriterStalled> {
        // ORDER: relaxed and a fence, as in the slot: readers map the page read-only. Pairs with the release store of
        // `put`, so a number that is said is in its slot, or was.
        let newest = self.newest.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let Some(slot) = self.slot(number).filter(|_| number <= newest) else {
            return Ok(None);
        };
        let record = slot.get()?;
        Ok(Some(match record.first() {
            Some(found) if *found == number => Ok(record),
            _ => Err(Lapped),
        }))
    }
}
