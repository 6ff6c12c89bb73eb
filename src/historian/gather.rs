//! Gather: snapshots in, columns out.
//!
//! Every snapshot goes into the open column of every level; a column closes when a snapshot of a later one comes, and
//! is written at once. After a restart the longer columns that were open go on from the 1 m columns that were
//! written, so a kill costs the minute that was open and no more.
//!
//! A snapshot that is not newer than the last one is not counted twice. Liquidations are the differences of what the
//! engine has counted; over a pause longer than [`PAUSE`], or when the count begins anew, they are not known and not
//! guessed.

use super::column::{CELLS_MAX, Column, Head, Strip, strip_of};
use super::{LEVELS, Level};
use crate::num::narrow;
use crate::shm::record::{CELLS, Headline, MapView, NO_USD, Publish, Wide, ZoneRecord};
use crate::shm::snapshot::{Snapshot, cents_of};
use crate::time::Nanos;
use bytemuck::Zeroable;
use std::io;

/// Snapshots further apart than this do not tell when what they differ by happened.
const PAUSE: Nanos = Nanos::new(10 * Nanos::SECOND.get());
/// Every so many columns one stands for itself.
const KEY_EVERY: u32 = 60;

/// Where columns go.
pub trait Keep {
    /// The number under which a symbol's columns are kept.
    ///
    /// # Errors
    /// When it cannot be written.
    fn symbol(&mut self, name: &str) -> io::Result<u16>;
    /// Takes a column of a level; `is_key` = it stands for itself.
    ///
    /// # Errors
    /// When it cannot be written.
    fn column(
        &mut self,
        symbol: u16,
        level: usize,
        start: Nanos,
        is_key: bool,
        bytes: &[u8],
    ) -> io::Result<()>;
}

/// A column that grows.
#[derive(Debug)]
struct Open {
    head: Head,
    /// Bucket that the sums are centred on: the mark's when the column began.
    centre: i64,
    /// Cents of all mapped snapshots, by bucket from `centre - SUMS / 2`.
    sums: [Vec<i64>; 2],
    /// First place that has a sum, and one behind the last, of each holder.
    reach: [(usize, usize); 2],
}

/// Buckets that are summed: a mark that goes 4,096 buckets (82 %) within a column still has its whole map in.
const SUMS: usize = 4 * CELLS;

const _: () = assert!(SUMS <= CELLS_MAX);

impl Open {
    fn begin(start: Nanos, mark_e10: i64, bucket: i64) -> Self {
        Self {
            head: Head {
                start_ns: start.get(),
                open_e10: mark_e10,
                high_e10: mark_e10,
                low_e10: mark_e10,
                close_e10: mark_e10,
                ..Head::zeroed()
            },
            centre: bucket,
            sums: [vec![0; SUMS], vec![0; SUMS]],
            reach: [(SUMS, 0); 2],
        }
    }

    /// Adds to a bucket of a holder; what lies further from the centre than sums do is out of the picture.
    fn book(&mut self, half: usize, bucket: i64, cents: i64) {
        let at = usize::try_from(bucket - self.centre + (SUMS / 2) as i64);
        if let Ok(at) = at
            && let Some(sum) = self.sums[half].get_mut(at)
        {
            *sum = sum.saturating_add(cents);
            let (low, high) = &mut self.reach[half];
            (*low, *high) = ((*low).min(at), (*high).max(at + 1));
        }
    }

    fn add(&mut self, snapshot: &Snapshot) {
        let head = &mut self.head;
        let mark = snapshot.mark_e10;
        head.last_ns = snapshot.recv_ns;
        head.high_e10 = head.high_e10.max(mark);
        head.low_e10 = head.low_e10.min(mark);
        head.close_e10 = mark;
        head.samples = head.samples.saturating_add(1);
        head.flags |= snapshot.flags;
        if snapshot.venues == 0 {
            return;
        }
        head.mapped = head.mapped.saturating_add(1);
        for (half, codes) in snapshot.halves().into_iter().enumerate() {
            let way = if half == 0 { -1 } else { 1 };
            for (i, code) in codes.iter().enumerate() {
                if *code != 0 {
                    let bucket = snapshot.bucket + way * i as i64;
                    self.book(half, bucket, cents_of(*code));
                }
            }
        }
    }

    /// Takes a finished part of it up again; its cells are spread evenly over the buckets they cover.
    fn resume(&mut self, part: &Column, merge: i64) {
        let (head, more) = (&mut self.head, &part.head);
        head.last_ns = head.last_ns.max(more.last_ns);
        head.high_e10 = head.high_e10.max(more.high_e10);
        head.low_e10 = head.low_e10.min(more.low_e10);
        head.close_e10 = more.close_e10;
        head.samples = head.samples.saturating_add(more.samples);
        head.mapped = head.mapped.saturating_add(more.mapped);
        head.flags |= more.flags;
        for (sum, more) in head.liquidated.iter_mut().zip(more.liquidated) {
            *sum = sum.saturating_add(more);
        }
        for (half, strip) in part.halves.iter().enumerate() {
            for (cell, cents) in strip.cells() {
                let each = cents.saturating_mul(i64::from(more.mapped)) / merge;
                for bucket in cell * merge..(cell + 1) * merge {
                    self.book(half, bucket, each);
                }
            }
        }
    }

    /// The column as it stands, in a level's cells.
    fn column(&self, level: &Level, zones: &[ZoneRecord]) -> Column {
        let low = self.centre - (SUMS / 2) as i64;
        let mapped = i128::from(self.head.mapped.max(1));
        let halves = [0, 1].map(|half| -> Strip {
            let sums = &self.sums[half];
            let (from, to) = self.reach[half];
            if to == 0 {
                return Strip::default();
            }
            let first = (low + from as i64).div_euclid(level.merge);
            let last = (low + to as i64 - 1).div_euclid(level.merge);
            let cents = (first..=last).map(|cell| {
                let from = (cell * level.merge - low).max(0) as usize;
                let to = ((cell + 1) * level.merge - low).clamp(0, SUMS as i64) as usize;
                let sum: i128 = sums[from..to].iter().map(|sum| i128::from(*sum)).sum();
                narrow((sum + mapped / 2) / mapped)
            });
            strip_of(first, cents)
        });
        Column {
            head: self.head,
            zones: zones.to_vec(),
            halves,
        }
    }
}

/// One symbol's columns.
#[derive(Debug)]
struct Track {
    number: u16,
    open: [Option<Open>; LEVELS.len()],
    /// The last column written, per level, and how many since a key.
    before: [Option<(Column, u32)>; LEVELS.len()],
    zones: Vec<ZoneRecord>,
    /// Intervals and outcome of the proof, as last told.
    told: ([[i64; 2]; 2], u32),
    /// Stamp and counts of the last snapshot.
    last: Option<(Nanos, [i64; 2])>,
}

/// All symbols of an engine. Numbers are the engine's.
#[derive(Debug)]
pub struct Gather<K> {
    /// Where columns go.
    pub keep: K,
    tracks: Vec<Option<Track>>,
    names: Vec<String>,
    /// A snapshot in the making.
    copy: Option<Box<Snapshot>>,
    /// The first fault of `keep`; nothing is taken after it.
    fault: Option<io::Error>,
    columns: u64,
}

impl<K: Keep> Gather<K> {
    /// For the symbols of an engine, by number.
    pub fn new(keep: K, names: Vec<String>) -> Self {
        Self {
            keep,
            tracks: names.iter().map(|_| None).collect(),
            names,
            copy: None,
            fault: None,
            columns: 0,
        }
    }

    /// Takes the symbols of another run of the engine: what is open is written first.
    ///
    /// # Errors
    /// As [`Gather::finish`].
    pub fn begin(&mut self, names: Vec<String>) -> io::Result<()> {
        if names == self.names {
            // Counts of the new run begin anew; stamps go on.
            for track in self.tracks.iter_mut().flatten() {
                track.last = track.last.map(|(at, _)| (at, [i64::MAX; 2]));
            }
            return Ok(());
        }
        self.finish()?;
        self.tracks = names.iter().map(|_| None).collect();
        self.names = names;
        Ok(())
    }

    /// Goes on from columns that were written before: the 1 m ones of the longer columns that are still open.
    /// `columns` are a symbol's, oldest first.
    ///
    /// # Errors
    /// When the symbol cannot be kept.
    pub fn resume(
        &mut self,
        symbol: usize,
        columns: &[Column],
        written: [Nanos; LEVELS.len()],
    ) -> io::Result<()> {
        let Some(newest) = columns.last() else {
            return Ok(());
        };
        let Some(track) = self.track(symbol)? else {
            return Ok(());
        };
        track.zones.clone_from(&newest.zones);
        track.told = (newest.head.intervals, newest.head.proof);
        track.last = Some((Nanos::new(newest.head.last_ns), [i64::MAX; 2]));
        for (number, level) in LEVELS.iter().enumerate().skip(1) {
            let start = floor(newest.start(), level.span);
            // A stop in order has written what was open; only what came after it is missing there.
            for part in columns {
                if part.start() < start || part.head.last_ns <= written[number].get() {
                    continue;
                }
                let bucket = crate::num::log::bucket_of(crate::num::Px::new(part.head.open_e10));
                track.open[number]
                    .get_or_insert_with(|| Open::begin(start, part.head.open_e10, bucket))
                    .resume(part, LEVELS[0].merge);
            }
        }
        Ok(())
    }

    fn track(&mut self, symbol: usize) -> io::Result<Option<&mut Track>> {
        let (Some(room), Some(name)) = (self.tracks.get_mut(symbol), self.names.get(symbol)) else {
            return Ok(None);
        };
        if room.is_none() {
            // Numbered in the engine's order, whoever is shown first.
            for name in &self.names {
                self.keep.symbol(name)?;
            }
            let number = self.keep.symbol(name)?;
            *room = Some(Track {
                number,
                open: [const { None }; LEVELS.len()],
                before: [const { None }; LEVELS.len()],
                zones: Vec::new(),
                told: ([[NO_USD; 2]; 2], 0),
                last: None,
            });
        }
        Ok(room.as_mut())
    }

    /// Takes a snapshot.
    ///
    /// # Errors
    /// When a column that it closes cannot be written.
    pub fn snapshot(&mut self, symbol: usize, snapshot: &Snapshot) -> io::Result<()> {
        let now = Nanos::new(snapshot.recv_ns);
        if snapshot.recv_ns <= 0 || snapshot.mark_e10 <= 0 {
            return Ok(());
        }
        let Some(track) = self.track(symbol)? else {
            return Ok(());
        };
        let counts = [snapshot.liquidated_long, snapshot.liquidated_short];
        let mut booked = [0; 2];
        if let Some((last, old)) = track.last {
            if now <= last {
                return Ok(());
            }
            if now.since(last) <= PAUSE {
                for (booked, (new, old)) in booked.iter_mut().zip(counts.iter().zip(old)) {
                    *booked = new.saturating_sub(old).max(0);
                }
            }
        }
        track.last = Some((now, counts));
        let mut written = 0;
        for (number, level) in LEVELS.iter().enumerate() {
            let start = floor(now, level.span);
            let track = match self.tracks.get_mut(symbol) {
                Some(Some(track)) => track,
                _ => return Ok(()),
            };
            if track.open[number]
                .as_ref()
                .is_some_and(|open| open.head.start_ns != start.get())
            {
                write(&mut self.keep, track, number)?;
                written += 1;
            }
            let open = track.open[number]
                .get_or_insert_with(|| Open::begin(start, snapshot.mark_e10, snapshot.bucket));
            open.add(snapshot);
            for (sum, booked) in open.head.liquidated.iter_mut().zip(booked) {
                *sum = sum.saturating_add(booked);
            }
        }
        self.columns += written;
        Ok(())
    }

    /// Takes what a wide record says of the map: hot zones, intervals, proof.
    ///
    /// # Errors
    /// When the symbol cannot be kept.
    pub fn zones(&mut self, symbol: usize, wide: &Wide) -> io::Result<()> {
        if let Some(track) = self.track(symbol)? {
            let hot = wide.hot_above.iter().chain(&wide.hot_below);
            let map = &wide.map;
            let intervals = [map.long_interval_usd, map.short_interval_usd];
            track.told = (intervals, wide.map_proof.into());
            track.zones.clear();
            track
                .zones
                .extend(hot.filter(|zone| zone.high_e10 != 0).copied());
        }
        Ok(())
    }

    /// Writes what is open: the end, or a pause of unknown length. What comes later of the same stretch of time
    /// becomes a second part of it.
    ///
    /// # Errors
    /// When it cannot be written, or something before it could not be.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        for track in self.tracks.iter_mut().flatten() {
            for number in 0..LEVELS.len() {
                if track.open[number].is_some() {
                    write(&mut self.keep, track, number)?;
                    self.columns += 1;
                }
            }
        }
        Ok(())
    }

    /// How many columns were written.
    #[must_use]
    pub const fn columns(&self) -> u64 {
        self.columns
    }
}

/// Writes a level's open column.
fn write(keep: &mut impl Keep, track: &mut Track, number: usize) -> io::Result<()> {
    let Some(open) = track.open[number].take() else {
        return Ok(());
    };
    let (level, start) = (&LEVELS[number], Nanos::new(open.head.start_ns));
    let mut column = open.column(level, &track.zones);
    (column.head.intervals, column.head.proof) = track.told;
    // After a hole the columns before it say little.
    let before = track.before[number]
        .as_ref()
        .filter(|(old, since)| *since < KEY_EVERY && start.since(old.start()) <= level.span);
    let bytes = column.encode(before.map(|(old, _)| old))?;
    let since = before.map_or(0, |(_, since)| *since);
    keep.column(track.number, number, start, before.is_none(), &bytes)?;
    track.before[number] = Some((column, since + 1));
    Ok(())
}

/// The begin of the stretch that a stamp lies in.
#[must_use]
pub(super) const fn floor(at: Nanos, span: Nanos) -> Nanos {
    Nanos::new(at.get() - at.get().rem_euclid(span.get()))
}

/// A replay shows its map here as the page would.
impl<K: Keep> Publish for Gather<K> {
    fn headline(&mut self, _: usize, _: usize, _: &Headline) {}

    fn wide(&mut self, symbol: usize, record: &Wide) {
        if self.fault.is_none() {
            self.fault = self.zones(symbol, record).err();
        }
    }

    fn map(&mut self, symbol: usize, view: &MapView<'_>) {
        if self.fault.is_some() {
            return;
        }
        let room = self.copy.take();
        let mut copy = room.unwrap_or_else(bytemuck::allocation::zeroed_box);
        copy.fill(view);
        self.fault = self.snapshot(symbol, &copy).err();
        self.copy = Some(copy);
    }
}
