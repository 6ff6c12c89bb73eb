//! Snapshot: a symbol's whole map at one moment, as the page carries it once a second.
//!
//! Index 0 of a half is the mark's own bucket, index i the i-th 2 bp bucket away from it: longs below, shorts above.
//! A bucket b lies between e^(0.0002 b) and e^(0.0002 (b + 1)) steps of 1e-10 quote units. Money is a *code*, a
//! number of 16 bits that grows with the cents it stands for and is wrong by at most one part in 2,048: exact below
//! 1,024 cents, above that 6 bits of exponent and 10 of mantissa, so that 2 x 4,096 buckets are 16 KiB. 0 is no cent.
//!
//! A symbol has two slots and the writer always takes the one that was written less: while a reader copies the newer
//! one, nobody touches it for a second. Not hashed into `state_hash`: the map it is a copy of is in every record that
//! is.

use super::record::{CELLS, MapView};
use super::slot::{Slot, WriterStalled};
use bytemuck::{Pod, Zeroable};

/// Slots of one symbol.
pub const BUFFERS: usize = 2;
/// Bits of a code's mantissa.
const MANTISSA: u32 = 10;

/// One symbol's map at one moment. Never published = all zeros (`recv_ns` 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Snapshot {
    /// Number of the last input that influenced it.
    pub input_seq: u64,
    /// Shard time of the copy, Unix nanoseconds; 0 = never published.
    pub recv_ns: i64,
    /// Mark of the reference venue.
    pub mark_e10: i64,
    /// Absolute bucket of index 0.
    pub bucket: i64,
    /// Cents of long positions that venues have printed as liquidated since the state began; only differences mean
    /// something.
    pub liquidated_long: i64,
    /// As `liquidated_long`, of shorts.
    pub liquidated_short: i64,
    /// Bit per venue slot that is in the map; 0 = there is no map, and the codes mean nothing.
    pub venues: u32,
    /// `health::flag` bits of the symbol.
    pub flags: u32,
    /// Codes of the longs that would be liquidated, by buckets below the mark.
    pub below_long: [u16; CELLS],
    /// Codes of the shorts that would be liquidated, by buckets above the mark.
    pub above_short: [u16; CELLS],
    /// CLOCK_MONOTONIC nanoseconds at publication: a stamp, not model.
    pub publish_mono_ns: i64,
}

/// Words of a snapshot.
pub const SNAPSHOT_WORDS: usize = size_of::<Snapshot>() / 8;

impl Snapshot {
    /// Copies the map in; the publish stamp is left to whoever publishes.
    pub fn fill(&mut self, view: &MapView<'_>) {
        self.input_seq = view.input_seq;
        self.recv_ns = view.recv_ns;
        self.mark_e10 = view.mark_e10;
        self.bucket = view.bucket;
        [self.liquidated_long, self.liquidated_short] = view.liquidated;
        (self.venues, self.flags) = (view.venues, view.flags);
        let [below, above] = view.halves;
        for (to, from) in [
            (&mut self.below_long, below),
            (&mut self.above_short, above),
        ] {
            for (code, cents) in to.iter_mut().zip(from) {
                *code = code_of(*cents);
            }
        }
        self.publish_mono_ns = 0;
    }

    /// Codes of both halves, longs first, nearest the mark first.
    #[must_use]
    pub const fn halves(&self) -> [&[u16; CELLS]; 2] {
        [&self.below_long, &self.above_short]
    }
}

/// The code of an amount; 0 for nothing and less.
#[must_use]
#[inline]
pub const fn code_of(cents: i64) -> u16 {
    shorten::<MANTISSA>(cents)
}

/// The cents a code stands for; one above all codes of [`code_of`] is the largest number there is.
#[must_use]
#[inline]
pub const fn cents_of(code: u16) -> i64 {
    lengthen::<MANTISSA>(code)
}

/// An amount as a code with `BITS` bits of mantissa, to the nearest, halves up: wrong by at most 1 in 2^(BITS + 1).
#[must_use]
#[inline]
pub const fn shorten<const BITS: u32>(cents: i64) -> u16 {
    if cents <= 0 {
        return 0;
    }
    let cents = cents as u64;
    let length = u64::BITS - cents.leading_zeros();
    if length <= BITS {
        return cents as u16;
    }
    let shift = length - BITS - 1;
    let half = (1u64 << shift) >> 1;
    // A mantissa that is rounded up to the next power of two carries into the exponent by itself.
    let mantissa = (cents + half) >> shift;
    (((shift as u64) << BITS) + mantissa) as u16
}

/// The amount that a code of [`shorten`] stands for.
#[must_use]
#[inline]
pub const fn lengthen<const BITS: u32>(code: u16) -> i64 {
    let code = code as u64;
    let exponent = code >> BITS;
    if exponent == 0 {
        return code as i64;
    }
    let mantissa = (code & ((1 << BITS) - 1)) | 1 << BITS;
    let shift = exponent - 1;
    if shift as u32 + BITS >= 63 {
        return i64::MAX;
    }
    (mantissa << shift) as i64
}

/// The two slots of a record of which readers want the newest whole one.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a, const N: usize>(pub [Slot<'a, N>; BUFFERS]);

impl<const N: usize> Pair<'_, N> {
    /// Puts a record where the older one is. Only the pair's one writer may call this.
    pub fn put(self, record: &[u64; N]) {
        self.0[1 - self.newest()].put(record);
    }

    /// A whole copy of the newest record; all zeros if none was put yet.
    ///
    /// # Errors
    /// [`WriterStalled`] when the writer went round twice during every try.
    pub fn get(self) -> Result<[u64; N], WriterStalled> {
        self.0[self.newest()].get()
    }

    /// How many records were put: a hint, for "is there anything new".
    #[must_use]
    pub fn turns(self) -> u64 {
        self.0[0].turns() + self.0[1].turns()
    }

    /// The slot of the newest whole record. Slots are written in turn, the first one first: as often as each other
    /// means that the second was the last.
    fn newest(self) -> usize {
        usize::from(self.0[0].turns() <= self.0[1].turns())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;
    use crate::sync::AtomicU64;
    use proptest::prelude::*;

    #[test]
    fn what_a_code_says() {
        for (cents, code) in [
            (i64::MIN, 0),
            (-1, 0),
            (0, 0),
            (1, 1),
            (1_023, 1_023),
            (1_024, 1_024),
            (2_047, 2_047),
            (2_048, 2_048),
            (2_049, 2_049),
            (4_094, 3_071),
            (4_095, 3_072),
            (4_096, 3_072),
        ] {
            assert_eq!(code_of(cents), code, "{cents}");
        }
        assert_eq!(cents_of(3_071), 4_094);
        assert_eq!(cents_of(code_of(i64::MAX)), i64::MAX);
        assert_eq!(cents_of(u16::MAX), i64::MAX);
        assert_eq!(code_of(i64::MAX), 55_296);
    }

    proptest! {
        #[test]
        fn a_code_is_near_and_in_order(a in 0i64.., b in 0i64.., shift in 0u32..63) {
            let (a, b) = (a >> shift, b >> (shift / 2));
            for (back, parts) in [
                (cents_of(code_of(a)), 2_048),
                (lengthen::<6>(shorten::<6>(a)), 128),
            ] {
                prop_assert!((back - a).abs() <= a / parts + 1, "{} {}", a, back);
            }
            prop_assert_eq!(a.cmp(&b).is_lt() && code_of(a) > code_of(b), false);
            let code = code_of(a);
            prop_assert_eq!(code_of(cents_of(code)), code, "a code's own amount has that code");
        }
    }

    #[test]
    fn the_newest_whole_record_is_read_whatever_the_other_slot_is_doing() {
        let cells: Vec<AtomicU64> = (0..8).map(|_| AtomicU64::new(0)).collect();
        let pair = || {
            Pair::<3>([
                Slot::at(&cells[..4]).unwrap(),
                Slot::at(&cells[4..]).unwrap(),
            ])
        };
        assert_eq!((pair().get(), pair().turns()), (Ok([0; 3]), 0));
        for n in 1..20 {
            pair().put(&[n; 3]);
            assert_eq!((pair().get(), pair().turns()), (Ok([n; 3]), n));
            // The writer dies in the middle of the next one: the last whole one stays.
            let other = if n % 2 == 1 { &cells[4] } else { &cells[0] };
            // ORDER: relaxed: one thread.
            let turn = other.load(crate::sync::Ordering::Relaxed);
            other.store(turn + 1, crate::sync::Ordering::Relaxed);
            assert_eq!(pair().get(), Ok([n; 3]));
            other.store(turn, crate::sync::Ordering::Relaxed);
        }
    }

    #[test]
    fn a_view_is_copied_cell_by_cell() {
        let mut halves = [[0i64; CELLS]; 2];
        for (i, cents) in halves.iter_mut().flatten().enumerate() {
            *cents = (i as i64).pow(3);
        }
        let view = MapView {
            input_seq: 1,
            recv_ns: 2,
            mark_e10: 3,
            bucket: -4,
            liquidated: [5, 6],
            venues: 7,
            flags: 8,
            halves: [&halves[0], &halves[1]],
        };
        let mut snapshot: Box<Snapshot> = bytemuck::allocation::zeroed_box();
        snapshot.fill(&view);
        assert_eq!((snapshot.recv_ns, snapshot.liquidated_short), (2, 6));
        for (codes, cents) in snapshot.halves().iter().zip(halves) {
            assert!(
                codes
                    .iter()
                    .zip(cents)
                    .all(|(code, cents)| *code == code_of(cents))
            );
        }
    }
}
