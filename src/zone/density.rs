//! Density: step 2 of the zones. Smooths one side of the map and says what is dense and what is thin.
//!
//! Smoothing is two passes of (1, 2, 1) with the border cell repeated, taken as one, so a smoothed cell is in
//! sixteenths of a cent and a side's smoothed total is 16 times its total. Quantiles come from a histogram over log2
//! with 16 steps an octave: one pass, no sort, the same answer on every machine, and at most 1/16 coarse. The border of
//! the bin is taken so that the quantile's own cell is always inside: dense from the low edge up, thin to the high edge
//! down.
//!
//! What these passes cost is counted (`bench/guard.sh`): none of them branches on a cell's value. Each is compiled for
//! the wide registers of the processor too (`wire::scan`), with what it calls inlined.
//!
//! Until the 30-day bands exist (`bands`) the population is the present map, both sides together, non-empty smoothed
//! cells only: hot and cold are then relative to what is there now, and every zone made so carries `RELATIVE`.

use super::bands::{BANDS, range};
use crate::wire::scan::{Isa, Job, Scan};

/// Cells a side: the mark's own bucket and what lies behind it.
pub const SPAN: usize = 4_096;

// LIMIT: a cell holds 0 … 2^50 cents (11 trillion dollars), so that 16 times a whole side fits 63 bits and a peak can
// be multiplied by 16 again; what is outside is clipped, counted in `Zones::clipped`.
const CELL_MAX: i64 = 1 << 50;

/// Thresholds in smoothed cells (sixteenths of a cent).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// First cell of each band but the first; all beyond the map when there is one band.
    pub(super) edges: [usize; BANDS - 1],
    /// By band: a peak from here up is hot; `i64::MAX` when the map is empty.
    pub(super) hot_from: [i64; BANDS],
    /// By band: a cell up to here is cold; −1 when the map is empty.
    pub(super) cold_to: [i64; BANDS],
    /// Marks zones whose heat is relative to the present map.
    pub(super) flags: u8,
}

/// What zones carry whose heat is relative to the present map.
pub(super) const RELATIVE_ONLY: u8 = super::RELATIVE;

impl Limits {
    /// From where up a peak at a cell is hot.
    pub(super) fn hot(&self, cell: usize) -> i64 {
        if cell < self.edges[0] {
            return self.hot_from[0]; // One band: the present map's.
        }
        self.hot_from[self.edges.partition_point(|edge| *edge <= cell)]
    }

    /// The least that is hot anywhere among `len` cells.
    pub(super) fn least(&self, len: usize) -> i64 {
        let bands = (0..BANDS).filter(|band| {
            let (start, end) = range(&self.edges, *band, len);
            start < end
        });
        let from = bands.map(|band| self.hot_from[band]);
        from.min().unwrap_or(i64::MAX)
    }
}

/// A cell as it is counted: held in range.
#[inline]
pub(super) fn held(cell: i64) -> i64 {
    cell.clamp(0, CELL_MAX)
}

/// All bits that any cell has: below a power of two exactly when every cell is, and below 0 when one is.
fn bits(raw: &[i64]) -> i64 {
    raw.iter().fold(0, |bits, cell| bits | cell)
}

/// Notional of a run of cells, cents.
pub(super) fn sum(raw: &[i64]) -> i64 {
    if (0..CELL_MAX).contains(&bits(raw)) {
        return raw.iter().sum();
    }
    raw.iter().map(|&cell| held(cell)).sum()
}

/// Cells of a run that is summed whole, the rest of them masked.
const SHORT: usize = 12;
/// From [`SHORT`] − n on: ones for n cells, nothing for the rest.
const WITHIN: [i64; 2 * SHORT] = {
    let mut within = [0; 2 * SHORT];
    let mut at = 0;
    while at < SHORT {
        within[at] = -1;
        at += 1;
    }
    within
};

/// Notional of the cells `lo ..= hi`, cents. No branch tells short runs apart: in a rough map their lengths are as good
/// as random.
#[inline(always)]
pub(super) fn sum_between(raw: &[i64], lo: usize, hi: usize) -> i64 {
    let len = hi + 1 - lo;
    if len <= SHORT
        && let Some(cells) = raw.get(lo..lo + SHORT)
        && let Some(within) = WITHIN.get(SHORT - len..2 * SHORT - len)
    {
        let (mut sum, mut bits) = (0i64, 0);
        for (cell, within) in cells.iter().zip(within) {
            sum = sum.wrapping_add(cell & within);
            bits |= cell & within;
        }
        if (0..CELL_MAX).contains(&bits) {
            return sum;
        }
    }
    sum(&raw[lo..=hi])
}

/// Notional times place, counted from the first cell.
pub(super) fn moment(raw: &[i64]) -> i128 {
    // Cells of less than 2^38 (2.7 billion dollars) on at most 2^12 places: the sum has less than 2^62.
    if raw.len() <= SPAN && (0..1 << 38).contains(&bits(raw)) {
        return i128::from((0..).zip(raw).map(|(at, cell)| at * cell).sum::<i64>());
    }
    let parts = (0..)
        .zip(raw)
        .map(|(at, &cell)| i128::from(held(cell)) * at);
    parts.sum()
}

/// The cells up to the last that is not 0, and four more: behind them smoothing makes nothing.
pub(super) fn used(raw: &[i64]) -> &[i64] {
    let mut end = raw.len();
    for block in raw.rchunks(16) {
        if bits(block) != 0 {
            break;
        }
        end -= block.len();
    }
    &raw[..(end + 4).min(raw.len())]
}

/// Smooths `raw` into `out` (equally long, at most [`SPAN`]); answers how many cells had to be clipped, and what the
/// smoothed ones are below: a power of two.
pub(super) fn smooth(raw: &[i64], out: &mut [i64]) -> (u64, i64) {
    let (clipped, bits) = match Isa::detect().run(Taps { from: raw, to: out }) {
        bits @ 0..CELL_MAX => (0, bits),
        _ => smooth_clipped(raw, out),
    };
    // All the weights together are sixteen.
    (clipped, ((bits as u64 + 1).next_power_of_two() << 4) as i64)
}

#[cold]
fn smooth_clipped(raw: &[i64], out: &mut [i64]) -> (u64, i64) {
    let mut cells = [0; SPAN];
    let cells = &mut cells[..raw.len().min(SPAN)];
    let mut clipped = 0;
    for (cell, &given) in cells.iter_mut().zip(raw) {
        *cell = held(given);
        clipped += u64::from(*cell != given);
    }
    (clipped, taps(cells, out))
}

/// [`taps`] for what the processor has.
struct Taps<'a> {
    from: &'a [i64],
    to: &'a mut [i64],
}

impl Job for Taps<'_> {
    type Out = i64;

    #[inline(always)]
    fn run<S: Scan>(self, _: S) -> i64 {
        taps(self.from, self.to)
    }
}

/// Two passes of (1, 2, 1) as one of (1, 4, 6, 4, 1); beyond the border lies the border cell again, in both passes.
/// Answers all [`bits`] of the cells: if they are out of range, so is what it made.
#[inline(always)]
fn taps(from: &[i64], to: &mut [i64]) -> i64 {
    let len = from.len().min(to.len());
    if len < 4 {
        let bits = bits(&from[..len]);
        if (0..CELL_MAX).contains(&bits) {
            few(&from[..len], to);
        }
        return bits;
    }
    // Five views of one length, so that the compiler sees lanes.
    let inner = len - 4;
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|at: usize| &from[at..at + inner]);
    let out = &mut to[2..2 + inner];
    let mut bits = from[0] | from[1] | from[len - 2] | from[len - 1];
    for at in 0..inner {
        // Wrapping, for what is out of range is made again.
        let four = b[at].wrapping_add(c[at]).wrapping_add(d[at]) << 2;
        out[at] = (a[at].wrapping_add(e[at]))
            .wrapping_add(four)
            .wrapping_add(c[at] << 1);
        bits |= c[at];
    }
    let edge = |a: i64, b: i64, c: i64, d: i64| {
        let sum = |parts: [(i64, i64); 4]| {
            (parts.iter()).fold(0, |sum: i64, (n, cell)| {
                sum.wrapping_add(cell.wrapping_mul(*n))
            })
        };
        [
            sum([(10, a), (5, b), (1, c), (0, d)]),
            sum([(5, a), (6, b), (4, c), (1, d)]),
        ]
    };
    let (near, far) = (
        edge(from[0], from[1], from[2], from[3]),
        edge(from[len - 1], from[len - 2], from[len - 3], from[len - 4]),
    );
    (to[0], to[1]) = (near[0], near[1]);
    (to[len - 1], to[len - 2]) = (far[0], far[1]);
    bits
}

/// The two passes as they are said, for fewer cells than the taps reach.
fn few(from: &[i64], to: &mut [i64]) {
    let mut cells = [0; 3];
    let cells = &mut cells[..from.len()];
    cells.copy_from_slice(from);
    for _ in 0..2 {
        let last = cells.len().saturating_sub(1);
        let before: [i64; 3] = core::array::from_fn(|at| cells.get(at).copied().unwrap_or(0));
        for (at, cell) in cells.iter_mut().enumerate() {
            *cell = before[at.saturating_sub(1)] + 2 * before[at] + before[(at + 1).min(last)];
        }
    }
    to[..from.len()].copy_from_slice(cells);
}

/// Steps an octave of the present map's histogram.
const STEPS: u32 = 4;
const BINS: usize = 64 << STEPS;
const LANES: usize = 4;
/// From this even step on every one lies in one bin.
const EVEN: usize = 1 << STEPS;
/// Every so many cells one is looked at before the even steps are tried.
const SAMPLE: usize = 64;

/// How many cells are how dense. Four tables side by side: neighbouring cells are alike, and counting them into one
/// table would wait for the last increment each time.
#[derive(Debug)]
struct Histogram {
    counts: [[u16; BINS]; LANES],
}

/// The bin of a density (never below 0) in a histogram of 2^`steps` bins an octave: exact below the first octave;
/// everything below 1 is in bin 0.
#[inline]
pub(super) fn bin_of(density: i64, steps: u32) -> usize {
    let density = density as u64;
    // The leading one of what is left after the shift counts as the bin's octave.
    let shift = (density | 1 << steps).ilog2() - steps;
    ((shift << steps) as usize) + (density >> shift) as usize
}

/// The smallest density of a bin.
pub(super) fn bin_low(bin: usize, steps: u32) -> i64 {
    let (octave, one) = (bin >> steps, 1usize << steps);
    if octave == 0 {
        return bin as i64;
    }
    ((one | (bin & (one - 1))) as i64) << (octave - 1)
}

#[inline]
fn bin(density: i64) -> usize {
    bin_of(density, STEPS)
}

impl Histogram {
    /// Counts smoothed cells; `bin` is below [`BINS`].
    #[inline(always)]
    fn of(sides: [&[i64]; 2], bin: impl Fn(i64) -> usize) -> Self {
        let mut counts = [[0; BINS]; LANES];
        let [a, b, c, d] = &mut counts;
        for cells in sides {
            let (fours, rest) = cells.as_chunks::<LANES>();
            for four in fours {
                a[bin(four[0])] += 1;
                b[bin(four[1])] += 1;
                c[bin(four[2])] += 1;
                d[bin(four[3])] += 1;
            }
            for &cell in rest {
                a[bin(cell)] += 1;
            }
        }
        Self { counts }
    }

    /// The bins of the cells at ranks `ceil(tenths / 10 of all)`, from the thinnest, one tenth and nine; those in bin 0
    /// are left out, and how many they are is told first.
    #[inline(always)]
    fn deciles(mut self) -> (u16, Option<[usize; 2]>) {
        let [all, rest @ ..] = &mut self.counts;
        for lane in rest {
            for (sum, part) in all.iter_mut().zip(lane) {
                *sum += *part;
            }
        }
        let cells: u32 = all[1..].iter().map(|count| u32::from(*count)).sum();
        let at = |tenths: u32| {
            let rank = (cells * tenths).div_ceil(10).max(1);
            let mut below = 0;
            let found = all[1..].iter().position(|count| {
                below += u32::from(*count);
                below >= rank
            });
            found.map_or(BINS - 1, |at| at + 1)
        };
        (all[0], (cells > 0).then(|| [at(1), at(9)]))
    }
}

/// Hot from and cold to in the present map, both its sides, all of it less than `below`; an empty map has neither.
pub(super) fn limits(sides: [&[i64]; 2], below: i64) -> (i64, i64) {
    let between = |[thin, dense]: [usize; 2]| (bin_low(dense, STEPS), bin_low(thin + 1, STEPS) - 1);
    let found = Isa::detect().run(Deciles { sides, below });
    found.map_or((i64::MAX, -1), between)
}

/// The bins of both deciles of the present map.
struct Deciles<'a> {
    sides: [&'a [i64]; 2],
    below: i64,
}

impl Job for Deciles<'_> {
    type Out = Option<[usize; 2]>;

    #[inline(always)]
    fn run<S: Scan>(self, _: S) -> Option<[usize; 2]> {
        even(self.sides, self.below).or_else(|| Histogram::of(self.sides, bin).deciles().1)
    }
}

/// The bins of both deciles where no cell is empty and few are thin against the densest: cells are then counted in even
/// steps, which costs half as much, and from [`EVEN`] on a step is part of one bin.
#[inline(always)]
fn even(sides: [&[i64]; 2], below: i64) -> Option<[usize; 2]> {
    let shift = below.ilog2().saturating_sub(BINS.ilog2());
    let step = |cell: i64| (cell >> shift) as usize % BINS;
    // What is not so is mostly seen at the ends and in a few.
    let few = sides.map(|cells| cells.iter().rev().step_by(SAMPLE));
    let thin = few
        .clone()
        .map(|few| few.filter(|cell| step(**cell) < EVEN).count());
    let ends_empty = sides.iter().any(|cells| cells.last() == Some(&0));
    if ends_empty || (thin[0] + thin[1]) * EVEN > few.map(Iterator::count).iter().sum() {
        return None;
    }
    let (empty, found) = Histogram::of(sides, step).deciles();
    let found = found.filter(|found| empty == 0 && found[0] >= EVEN);
    found.map(|found| found.map(|step| bin((step as i64) << shift)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn smoothed(raw: &[i64]) -> Vec<i64> {
        let mut out = vec![0; raw.len()];
        smooth(raw, &mut out);
        out
    }

    fn twin(raw: &[i64]) -> Vec<i64> {
        let mut cells: Vec<i64> = raw.iter().map(|&cell| held(cell)).collect();
        for _ in 0..2 {
            let last = cells.len().saturating_sub(1);
            cells = (0..cells.len())
                .map(|i| cells[i.saturating_sub(1)] + 2 * cells[i] + cells[(i + 1).min(last)])
                .collect();
        }
        cells
    }

    #[test]
    fn smoothing_gives_the_published_vector() {
        let raw = [
            0, 2, 3, 9, 20, 31, 22, 8, 3, 2, 1, 0, 0, 4, 6, 18, 12, 15, 5, 1,
        ];
        let want = [
            13, 33, 82, 179, 305, 371, 311, 181, 81, 36, 17, 10, 23, 66, 136, 199, 215, 177, 107,
            50,
        ];
        assert_eq!(smoothed(&raw), want);
    }

    #[test]
    fn what_is_behind_the_last_dollar_is_left_out() {
        for (raw, want) in [(vec![], 0), (vec![0; 9], 4), (vec![0; 3], 3)] {
            assert_eq!(used(&raw).len(), want);
        }
        let mut raw = vec![0; 100];
        raw[41] = -1;
        let short = used(&raw);
        assert!((46..=62).contains(&short.len()), "{}", short.len());
        raw[41] = 7;
        let cut = smoothed(used(&raw));
        let whole = smoothed(&raw);
        assert_eq!(cut, whole[..cut.len()]);
        assert!(whole[cut.len()..].iter().all(|cell| *cell == 0));
        raw[97] = 1;
        assert_eq!(used(&raw).len(), 100);
    }

    #[test]
    fn one_cell_and_none_are_smoothed_too() {
        assert_eq!(smoothed(&[]), Vec::<i64>::new());
        assert_eq!(smoothed(&[5]), [80]);
        assert_eq!(smoothed(&[5, 5]), [80, 80]);
    }

    #[test]
    fn what_is_out_of_range_is_clipped_and_counted() {
        let raw = [i64::MIN, -1, 0, CELL_MAX, CELL_MAX + 1, i64::MAX];
        let mut out = [0; 6];
        assert_eq!(smooth(&raw, &mut out).0, 4);
        assert_eq!(out.to_vec(), twin(&raw));
        let full = vec![i64::MAX; SPAN];
        assert_eq!(sum(&full), CELL_MAX << 12);
        assert_eq!(smoothed(&full), vec![CELL_MAX << 4; SPAN]);
    }

    proptest! {
        #[test]
        fn sums_and_moments_are_those_of_the_held_cells(
            raw in prop_oneof![
                prop::collection::vec(0i64..1 << 38, 0..70),
                prop::collection::vec(i64::MIN..=i64::MAX, 0..70),
            ]
        ) {
            let cells: Vec<i128> = raw.iter().map(|&cell| i128::from(held(cell))).collect();
            prop_assert_eq!(i128::from(sum(&raw)), cells.iter().sum::<i128>());
            let want: i128 = cells.iter().zip(0..).map(|(cell, at)| cell * at).sum();
            prop_assert_eq!(moment(&raw), want);
        }

        #[test]
        fn a_short_run_has_its_sum_too(
            raw in prop_oneof![
                prop::collection::vec(0i64..1 << 38, 1..40),
                prop::collection::vec(i64::MIN..=i64::MAX, 1..40),
            ],
            lo in 0usize..40,
            len in 1usize..40,
        ) {
            let lo = lo % raw.len();
            let hi = (lo + len).min(raw.len()) - 1;
            prop_assert_eq!(sum_between(&raw, lo, hi), sum(&raw[lo..=hi]));
        }

        #[test]
        fn smoothed_cells_are_below_what_is_told(
            raw in prop_oneof![
                prop::collection::vec(0i64..40, 0..20),
                prop::collection::vec(i64::MIN..=i64::MAX, 0..20),
            ]
        ) {
            let mut out = vec![0; raw.len()];
            let (_, below) = smooth(&raw, &mut out);
            prop_assert!(out.iter().all(|cell| *cell < below));
        }

        /// Even steps tell the same bins, or nothing.
        #[test]
        fn even_steps_find_the_bins(
            cells in prop::collection::vec(0i64..1 << 20, 1..300),
            low in 0i64..1 << 14,
            shift in 0u32..30,
        ) {
            let cells: Vec<i64> = cells.iter().map(|cell| (cell + low) << shift).collect();
            let (one, other) = cells.split_at(cells.len() / 3);
            let (_, want) = Histogram::of([one, other], bin).deciles();
            let found = even([one, other], 1 << (21 + shift));
            prop_assert!(found.is_none() || found == want);
            // With none that is thin they are found.
            let cells: Vec<i64> = cells.iter().map(|cell| cell + (1 << (19 + shift))).collect();
            let (one, other) = cells.split_at(cells.len() / 3);
            let (_, want) = Histogram::of([one, other], bin).deciles();
            prop_assert_eq!(even([one, other], 1 << (21 + shift)), want);
            for isa in [Isa::plain(), Isa::detect()] {
                let (sides, below) = ([one, other], 1 << (21 + shift));
                prop_assert_eq!(isa.run(Deciles { sides, below }), want);
            }
        }

        #[test]
        fn smoothing_equals_its_plain_twin(raw in prop::collection::vec(0i64..1 << 40, 0..70)) {
            prop_assert_eq!(smoothed(&raw), twin(&raw));
            let mut plain = vec![0; raw.len()];
            Isa::plain().run(Taps { from: &raw, to: &mut plain });
            prop_assert_eq!(plain, twin(&raw));
        }

        #[test]
        fn a_bin_holds_its_density_within_a_sixteenth(density in 1i64..i64::MAX) {
            let at = bin(density);
            prop_assert!(at < BINS);
            prop_assert!(bin_low(at, STEPS) <= density);
            prop_assert!(density - bin_low(at, STEPS) <= density >> STEPS);
            prop_assert!(at + 1 == 60 << STEPS || density < bin_low(at + 1, STEPS));
        }

        #[test]
        fn quantiles_bracket_the_sorted_ones(
            cells in prop::collection::vec(prop_oneof![0i64..20, 0i64..1 << 54], 1..300)
        ) {
            let (hot_from, cold_to) = limits([&cells, &[]], 1 << 54);
            let mut sorted: Vec<i64> = cells.into_iter().filter(|&cell| cell > 0).collect();
            sorted.sort_unstable();
            if sorted.is_empty() {
                prop_assert_eq!((hot_from, cold_to), (i64::MAX, -1));
            } else {
                let hot = sorted[(sorted.len() * 9).div_ceil(10) - 1];
                let cold = sorted[sorted.len().div_ceil(10) - 1];
                prop_assert!(hot_from <= hot && hot - hot_from <= hot / 16);
                prop_assert!(cold_to >= cold && cold_to - cold <= cold / 16);
            }
        }
    }
}
