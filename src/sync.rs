//! Sync: the only door to atomics.
//!
//! Every other module that shares memory takes its atomics, fences and spin hint from here, so that
//! `tests/loom.rs` can put the model checker behind the ones that hand records on. Shared memory becomes a slice
//! of atomic words in [`cells`] and nowhere else: a plain copy beside a writer would be a data race
//! by the letter of the language.
//!
//! Not here: locks (there are none) and the ring (`ring`, whose atomics are rtrb's own).

pub use core::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// A flag that a signal handler raises: always the machine's, because no model runs signal handlers.
pub use core::sync::atomic::AtomicBool as SignalFlag;

/// How often a reader tries before it says so: some microseconds, far more than any writer takes. (Here, because a
/// model of all interleavings tries twice.)
pub const RETRIES: u32 = 64;

/// Tells the processor (or the model checker) that this thread waits for another one.
#[inline]
pub fn spin() {
    core::hint::spin_loop();
}

/// `words` 64-bit words of shared memory as atomics.
///
/// # Safety `at` is 8-aligned and `words` words behind it stay mapped for `'a`; every process
/// touches them by atomic operations only. If the mapping is read-only the caller only loads,
/// `Relaxed` (the language admits just that on read-only memory), and orders by fences.
#[must_use]
pub unsafe fn cells<'a>(at: *const u8, words: usize) -> &'a [AtomicU64] {
    debug_assert!(at.cast::<AtomicU64>().is_aligned());
    // SAFETY: the caller promises alignment, length, lifetime and atomic access; `AtomicU64`
    // has the layout of `u64` and any bits are a valid one.
    unsafe { core::slice::from_raw_parts(at.cast::<AtomicU64>(), words) }
}

/// A flag that one thread raises and others look at.
#[derive(Debug, Default)]
pub struct Flag(AtomicBool);

impl Flag {
    /// Raises it; it stays up.
    pub fn raise(&self) {
        // ORDER: release: what was done before is seen by whoever sees the flag; pairs with `is_up`.
        self.0.store(true, Ordering::Release);
    }
    /// True once raised.
    #[must_use]
    pub fn is_up(&self) -> bool {
        // ORDER: acquire: pairs with `raise`.
        self.0.load(Ordering::Acquire)
    }
}

/// Counts of one thread that others may read at any time, each for itself.
#[derive(Debug)]
pub struct Tally<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Tally<N> {
    fn default() -> Self {
        Self(core::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Tally<N> {
    /// Sets a count; only the owning thread does. A place that is none changes nothing.
    pub fn set(&self, place: usize, value: u64) {
        if let Some(cell) = self.0.get(place) {
            // ORDER: relaxed: each count stands for itself.
            cell.store(value, Ordering::Relaxed);
        }
    }
    /// Adds to a count; only the owning thread does.
    pub fn add(&self, place: usize, more: u64) {
        self.set(place, self.get(place).wrapping_add(more));
    }
    /// A count; 0 for a place that is none.
    #[must_use]
    pub fn get(&self, place: usize) -> u64 {
        // ORDER: relaxed: each count stands for itself.
        self.0
            .get(place)
            .map_or(0, |cell| cell.load(Ordering::Relaxed))
    }
}
