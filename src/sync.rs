//! Sync: the only door to atomics.
//!
//! Every other module that shares memory takes its atomics, fences and spin hint from here, so that one flag
//! (`--cfg loom`) puts the model checker behind all of them. Shared memory becomes a slice of atomic words in
//! [`cells`] and nowhere else: a plain copy beside a writer would be a data race by the letter of the language.
//!
//! Not here: locks (there are none) and the ring (`ring`, whose atomics are rtrb's own).

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// Tells the processor (or the model checker) that this thread waits for another one.
#[inline]
pub fn spin() {
    #[cfg(not(loom))]
    core::hint::spin_loop();
    #[cfg(loom)]
    loom::thread::yield_now();
}

/// `words` 64-bit words of shared memory as atomics.
///
/// Under the model checker there is no shared memory: the answer is empty, so that the rest still compiles.
///
/// # Safety
/// `at` is 8-aligned and `words` words behind it stay mapped for `'a`; every process touches them by atomic
/// operations only. If the mapping is read-only the caller only loads, `Relaxed` (the language admits just that
/// on read-only memory), and orders by fences.
#[must_use]
#[cfg_attr(
    loom,
    allow(unused_variables, reason = "no shared memory under the model checker")
)]
pub unsafe fn cells<'a>(at: *const u8, words: usize) -> &'a [AtomicU64] {
    #[cfg(not(loom))]
    {
        debug_assert!(at.cast::<AtomicU64>().is_aligned());
        // SAFETY: the caller promises alignment, length, lifetime and atomic access; `AtomicU64` has the layout
        // of `u64` and any bits are a valid one.
        unsafe { core::slice::from_raw_parts(at.cast::<AtomicU64>(), words) }
    }
    #[cfg(loom)]
    &[]
}
