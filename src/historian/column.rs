//! Column: a stretch of time of one symbol, and its bytes.
//!
//! Cells are codes of mean cents with 6 bits of mantissa (wrong by at most one part in 128; `shm::snapshot::shorten`)
//! by absolute cell: cell c of a level covers the buckets c·merge … c·merge + merge − 1. Bytes: [`Head`], the zones,
//! the cells of the longs, those of the shorts; cells are the zigzag difference to the same cell of the column before
//! (0 where it has none; a *key* column stands for itself), low bytes first, then high bytes, and all of it is one zstd
//! frame. Bytes of a damaged file are faults, never panics, and never more memory than [`CELLS_MAX`] asks.

use crate::num::narrow;
use crate::shm::record::ZoneRecord;
use crate::shm::snapshot::lengthen;
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Bits of a cell's mantissa.
pub const MANTISSA: u32 = 6;
/// Most cells of a strip: four halves of the map at its own resolution.
pub const CELLS_MAX: usize = 16_384;
/// Most zones of a column: the hot ones of a wide record.
pub const ZONES_MAX: usize = 16;
/// Compression: fast, and beyond it little is gained.
const ZSTD_LEVEL: i32 = 6;

/// Cents of one holder by absolute cell, lowest price first; nothing outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strip {
    /// Cell of the first code.
    pub first: i64,
    /// Codes, neither the first nor the last of them 0.
    pub codes: Vec<u16>,
}

impl Strip {
    /// The code of a cell; 0 outside.
    #[must_use]
    pub fn code(&self, cell: i64) -> u16 {
        let at = usize::try_from(cell.saturating_sub(self.first));
        at.ok()
            .and_then(|at| self.codes.get(at))
            .copied()
            .unwrap_or(0)
    }

    /// Cents of every cell that has a code, with its number.
    pub fn cells(&self) -> impl Iterator<Item = (i64, i64)> {
        let numbered = (self.first..).zip(&self.codes);
        numbered.map(|(cell, code)| (cell, lengthen::<MANTISSA>(*code)))
    }

    /// Cents of the whole strip.
    #[must_use]
    pub fn total(&self) -> i64 {
        let sum: i128 = self.cells().map(|(_, cents)| i128::from(cents)).sum();
        narrow(sum)
    }
}

/// One stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Everything of a fixed size.
    pub head: Head,
    /// Hot zones as last seen.
    pub zones: Vec<ZoneRecord>,
    /// Longs, shorts.
    pub halves: [Strip; 2],
}

/// The fixed part of a column, as it stands in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Head {
    /// Begin, Unix nanoseconds of shard time, a multiple of the level's span.
    pub start_ns: i64,
    /// Stamp of the newest snapshot in it.
    pub last_ns: i64,
    /// Mark at the first snapshot, highest, lowest, and at the last one.
    pub open_e10: i64,
    /// Highest.
    pub high_e10: i64,
    /// Lowest.
    pub low_e10: i64,
    /// At the last.
    pub close_e10: i64,
    /// Cents printed as liquidated within it: longs, shorts.
    pub liquidated: [i64; 2],
    /// Snapshots it stands on.
    pub samples: u32,
    /// Those of them that had a map; 0 = the cells are not known.
    pub mapped: u32,
    /// `health::flag` bits of all its snapshots together.
    pub flags: u32,
    /// What the ledger of proofs said of the map last, `shm::record::PROOFS`.
    pub proof: u32,
    /// 80 % intervals of all longs' and of all shorts' cents, low and high, as last told; `NO_USD` = not told.
    pub intervals: [[i64; 2]; 2],
    /// Zones that follow.
    pub(super) zones: u32,
    /// Keeps it whole words.
    pub(super) spare: u32,
    /// First cell of each strip.
    pub(super) first: [i64; 2],
    /// Cells of each strip.
    pub(super) cells: [u32; 2],
}

/// Why bytes are no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes that are no column")]
pub struct Damaged;

impl Column {
    /// Its bytes; `before` is the column that the reader will have read just before, `None` makes a key.
    ///
    /// # Errors
    /// When the compressor fails.
    pub fn encode(&self, before: Option<&Column>) -> std::io::Result<Vec<u8>> {
        let head = Head {
            zones: self.zones.len().min(ZONES_MAX) as u32,
            first: [self.halves[0].first, self.halves[1].first],
            cells: [0, 1].map(|h| self.halves[h].codes.len().min(CELLS_MAX) as u32),
            ..self.head
        };
        let mut bytes = bytemuck::bytes_of(&head).to_vec();
        let zones = &self.zones[..head.zones as usize];
        bytes.extend_from_slice(bytemuck::cast_slice(zones));
        for (h, strip) in self.halves.iter().enumerate() {
            let codes = (strip.first..)
                .zip(&strip.codes)
                .take(head.cells[h] as usize);
            let steps: Vec<u16> = codes
                .map(|(cell, code)| zigzag(code.wrapping_sub(code_before(before, h, cell))))
                .collect();
            bytes.extend(steps.iter().map(|step| *step as u8));
            bytes.extend(steps.iter().map(|step| (*step >> 8) as u8));
        }
        zstd::bulk::compress(&bytes, ZSTD_LEVEL)
    }

    /// The column of `bytes`, told the one before it.
    ///
    /// # Errors
    /// [`Damaged`] when they are none.
    pub fn decode(bytes: &[u8], before: Option<&Column>) -> Result<Self, Damaged> {
        const MOST: usize = size_of::<Head>() + ZONES_MAX * size_of::<ZoneRecord>() + 4 * CELLS_MAX;
        let bytes = zstd::bulk::decompress(bytes, MOST).map_err(|_| Damaged)?;
        let (head, rest) = bytes.split_at_checked(size_of::<Head>()).ok_or(Damaged)?;
        let head: Head = bytemuck::pod_read_unaligned(head);
        if head.zones as usize > ZONES_MAX || head.samples == 0 || head.mapped > head.samples {
            return Err(Damaged);
        }
        let zones_len = head.zones as usize * size_of::<ZoneRecord>();
        let (zones, mut rest) = rest.split_at_checked(zones_len).ok_or(Damaged)?;
        let zones = zones
            .chunks_exact(size_of::<ZoneRecord>())
            .map(bytemuck::pod_read_unaligned)
            .collect();
        let mut halves = [Strip::default(), Strip::default()];
        for (h, strip) in halves.iter_mut().enumerate() {
            let count = head.cells[h] as usize;
            // Any price has a bucket far within this; sums of cell numbers cannot overflow.
            let near = head.first[h].unsigned_abs() < 1 << 32;
            let (lows, after) = rest.split_at_checked(count).ok_or(Damaged)?;
            let (highs, after) = after.split_at_checked(count).ok_or(Damaged)?;
            if count > CELLS_MAX || !near {
                return Err(Damaged);
            }
            rest = after;
            strip.first = head.first[h];
            let steps = lows.iter().zip(highs);
            let codes = (strip.first..).zip(steps).map(|(cell, (low, high))| {
                let step = unzigzag(u16::from_le_bytes([*low, *high]));
                code_before(before, h, cell).wrapping_add(step)
            });
            strip.codes = codes.collect();
        }
        let halves = halves;
        rest.is_empty().then_some(()).ok_or(Damaged)?;
        Ok(Self {
            head,
            zones,
            halves,
        })
    }

    /// Puts a later part of the same stretch behind this one: means by their weights, sums as sums.
    pub fn join(&mut self, later: &Column) {
        let (a, b) = (&mut self.head, &later.head);
        a.last_ns = a.last_ns.max(b.last_ns);
        a.high_e10 = a.high_e10.max(b.high_e10);
        a.low_e10 = a.low_e10.min(b.low_e10);
        a.close_e10 = b.close_e10;
        for (sum, more) in a.liquidated.iter_mut().zip(b.liquidated) {
            *sum = sum.saturating_add(more);
        }
        let weights = [a.mapped, b.mapped].map(i128::from);
        for (mine, other) in self.halves.iter_mut().zip(&later.halves) {
            *mine = mean(mine, other, weights);
        }
        a.samples = a.samples.saturating_add(b.samples);
        a.mapped = a.mapped.saturating_add(b.mapped);
        a.flags |= b.flags;
        (a.proof, a.intervals) = (b.proof, b.intervals);
        self.zones.clone_from(&later.zones);
    }

    /// When it begins.
    #[must_use]
    pub const fn start(&self) -> Nanos {
        Nanos::new(self.head.start_ns)
    }
}

/// The weighted mean of two strips.
fn mean(a: &Strip, b: &Strip, [wa, wb]: [i128; 2]) -> Strip {
    let whole = (wa + wb).max(1);
    let ends = |strip: &Strip| (strip.first, strip.first + strip.codes.len() as i64);
    let (low, high) = match (a.codes.is_empty(), b.codes.is_empty()) {
        (true, true) => return Strip::default(),
        (true, false) => ends(b),
        (false, true) => ends(a),
        (false, false) => (ends(a).0.min(ends(b).0), ends(a).1.max(ends(b).1)),
    };
    let cents = |strip: &Strip, cell| i128::from(lengthen::<MANTISSA>(strip.code(cell)));
    // Two strips that lie further apart than a strip is long are no neighbours: the nearer end of the range is kept.
    let high = high.min(low.saturating_add(CELLS_MAX as i64));
    strip_of(
        low,
        (low..high).map(|cell| narrow((wa * cents(a, cell) + wb * cents(b, cell)) / whole)),
    )
}

/// The strip of cents from a cell upwards, its empty ends cut off.
pub(super) fn strip_of(first: i64, cents: impl Iterator<Item = i64>) -> Strip {
    let mut codes: Vec<u16> = cents
        .map(crate::shm::snapshot::shorten::<MANTISSA>)
        .collect();
    let Some(front) = codes.iter().position(|code| *code != 0) else {
        return Strip::default();
    };
    let back = codes.iter().rposition(|code| *code != 0).unwrap_or(front);
    codes.truncate(back + 1);
    codes.drain(..front);
    Strip {
        first: first + front as i64,
        codes,
    }
}

fn code_before(before: Option<&Column>, half: usize, cell: i64) -> u16 {
    before.map_or(0, |column| column.halves[half].code(cell))
}

/// Small steps either way as small numbers.
const fn zigzag(step: u16) -> u16 {
    (step << 1) ^ if step & 0x8000 == 0 { 0 } else { u16::MAX }
}

const fn unzigzag(code: u16) -> u16 {
    (code >> 1) ^ if code & 1 == 0 { 0 } else { u16::MAX }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(start: i64, firsts: [i64; 2], codes: [Vec<u16>; 2]) -> Column {
        let head = Head {
            start_ns: start,
            last_ns: start + 1,
            open_e10: 5,
            high_e10: 9,
            low_e10: 2,
            close_e10: 7,
            liquidated: [11, 12],
            samples: 3,
            mapped: 2,
            ..Head::zeroed()
        };
        let [a, b] = codes;
        let halves = [
            Strip {
                first: firsts[0],
                codes: a,
            },
            Strip {
                first: firsts[1],
                codes: b,
            },
        ];
        Column {
            head,
            zones: vec![ZoneRecord {
                id: 4,
                high_e10: 3,
                ..ZoneRecord::zeroed()
            }],
            halves,
        }
    }

    /// Without what only bytes have.
    fn plain(mut column: Column) -> Column {
        column.head.zones = 0;
        column.head.first = [0; 2];
        column.head.cells = [0; 2];
        column
    }

    fn codes() -> impl Strategy<Value = Vec<u16>> {
        prop::collection::vec(any::<u16>(), 0..200)
    }

    proptest! {
        #[test]
        fn a_column_comes_back_as_key_and_as_step(
            a in codes(), b in codes(), c in codes(), d in codes(), shift in -300i64..300,
        ) {
            let before = column(1, [100, 400], [a, b]);
            let this = column(2, [100 + shift, 400 - shift], [c, d]);
            for before in [None, Some(&before)] {
                let bytes = this.encode(before).unwrap();
                let back = Column::decode(&bytes, before).unwrap();
                prop_assert_eq!(plain(back), this.clone());
            }
        }

        #[test]
        fn damaged_bytes_are_a_fault_or_a_column_and_never_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0usize..200,
        ) {
            let _ = Column::decode(&bytes, None);
            // The same bytes behind an intact compressor.
            let framed = zstd::bulk::compress(&bytes, 1).unwrap();
            let _ = Column::decode(&framed, None);
            let whole = column(1, [0, 9], [vec![1; 30], vec![2; 40]]).encode(None).unwrap();
            let cut = cut.min(whole.len() - 1);
            prop_assert_eq!(Column::decode(&whole[..cut], None), Err(Damaged));
        }

        #[test]
        fn parts_join_to_the_mean_of_all(
            a in codes(), b in codes(), shift in -100i64..100,
        ) {
            let cap = |codes: Vec<u16>| codes.into_iter().map(|code| code % 2_000).collect::<Vec<_>>();
            let (a, b) = (cap(a), cap(b));
            let first = column(1, [0, 0], [a, vec![]]);
            let mut later = column(1, [shift, 0], [b, vec![]]);
            (later.head.mapped, later.head.samples) = (6, 7);
            let mut whole = first.clone();
            whole.join(&later);
            prop_assert_eq!((whole.head.mapped, whole.head.samples), (8, 10));
            prop_assert_eq!(whole.head.liquidated, [22, 24]);
            for cell in -150..350 {
                let cents = |c: &Column| i128::from(lengthen::<MANTISSA>(c.halves[0].code(cell)));
                let want = (2 * cents(&first) + 6 * cents(&later)) / 8;
                let got = cents(&whole);
                prop_assert!((got - want).abs() <= want / 128 + 1, "{} {} {}", cell, got, want);
            }
        }
    }
}
