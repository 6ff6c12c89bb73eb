//! Slot: one record that one writer replaces and any number of readers copy whole (a seqlock).
//!
//! ```text
//!   word 0    words 1 … N
//!  [ turn  ][ record      ]     turn odd: being written; even: turn / 2 records put so far
//! ```
//! The writer never waits. A reader only loads (a read-modify-write would pull the writer's cache
//! line away) and tries at most [`RETRIES`] times: a writer that was killed in the middle of a
//! record leaves the turn odd for ever, and its readers get [`WriterStalled`], not a hang. The
//! record is copied word by word through relaxed atomics. With N = 7 the slot is one cache line and
//! a read costs what moving one line costs.
//!
//! Invariants: one writer per slot; an accepted copy is exactly one `put`. Proven by
//! `tests/loom.rs` (all interleavings, small N) and `tests/page_kill.rs` (kill -9 at random
//! moments).

use crate::sync::{AtomicU64, Ordering, RETRIES, fence, spin};

/// The writer is in the middle of a record, or faster than the reader: nothing can be said now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterStalled;

/// A record of `N` words behind its turn.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a, const N: usize> {
    turn: &'a AtomicU64,
    words: &'a [AtomicU64; N],
}

impl<'a, const N: usize> Slot<'a, N> {
    /// The slot that starts with the first of `cells`; `None` when there are fewer than N + 1.
    #[must_use]
    #[inline]
    pub fn at(cells: &'a [AtomicU64]) -> Option<Self> {
        let (turn, rest) = cells.split_first()?;
        let words = rest.first_chunk::<N>()?;
        Some(Self { turn, words })
    }

    /// Replaces the record. Only the slot's one writer may call this.
    #[inline]
    pub fn put(self, record: &[u64; N]) {
        // ORDER: relaxed: only this thread writes `turn`.
        let turn = self.turn.load(Ordering::Relaxed);
        // ORDER: relaxed: held ahead of the words by the fence below.
        self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        // ORDER: release fence: whoever sees one of the words below sees the odd turn too; pairs
        // with the second fence of `get`.
        fence(Ordering::Release);
        for (cell, word) in self.words.iter().zip(record) {
            // ORDER: relaxed: fenced before, published after.
            cell.store(*word, Ordering::Relaxed);
        }
        // ORDER: release: publishes the words; pairs with the first load and fence of `get`.
        self.turn.store(turn.wrapping_add(2), Ordering::Release);
    }

    /// A whole copy of the record; all zeros if none was put yet.
    ///
    /// # Errors
    /// [`WriterStalled`] when no whole copy could be had in [`RETRIES`] tries.
    #[inline]
    pub fn get(self) -> Result<[u64; N], WriterStalled> {
        let mut copy = [0u64; N];
        for _ in 0..RETRIES {
            // ORDER: relaxed and a fence instead of an acquire load, because readers map the page
            // read-only and only relaxed loads are defined there; together they pair with the last
            // store of `put`.
            let before = self.turn.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if before & 1 == 0 {
                for (word, cell) in copy.iter_mut().zip(self.words) {
                    // ORDER: relaxed: judged by the turn, read again below.
                    *word = cell.load(Ordering::Relaxed);
                }
                // ORDER: acquire fence: keeps the words ahead of the second look at the turn; pairs
                // with the fence of `put`, so a word of a newer record shows the newer turn.
                fence(Ordering::Acquire);
                // ORDER: relaxed: ordered by the fence above.
                if self.turn.load(Ordering::Relaxed) == before {
                    return Ok(copy);
                }
            }
            spin();
        }
        Err(WriterStalled)
    }

    /// How many records were put: turn halves. One relaxed look, for "is there anything new".
    #[must_use]
    #[inline]
    pub fn turns(self) -> u64 {
        // ORDER: relaxed: a hint; whoever acts on it calls `get`.
        self.turn.load(Ordering::Relaxed) / 2
    }
}
