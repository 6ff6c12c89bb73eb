//! The historian: what it keeps is what was shown, whether it was shown by a page or by a replay, and nothing that
//! happens to the file, to the engine or to itself turns a hole into a zero.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_arithmetic,
    reason = "a test stops where it fails; the naive twin is floats"
)]

use isotherm::historian::column::{Column, MANTISSA};
use isotherm::historian::file::{Archive, History};
use isotherm::historian::follow::{Follow, go_on};
use isotherm::historian::gather::{Gather, Keep};
use isotherm::historian::{HistoryError, LEVELS};
use isotherm::num::Px;
use isotherm::num::log::bucket_of;
use isotherm::shm::record::{CELLS, MapView, Publish, Wide, ZoneRecord};
use isotherm::shm::snapshot::lengthen;
use isotherm::shm::writer::PageWriter;
use isotherm::time::Nanos;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

const ALL: (Nanos, Nanos) = (Nanos::ZERO, Nanos::new(i64::MAX));
const START: i64 = 1_700_000_040; // a whole minute, and no whole hour

/// One second of a made-up market.
#[derive(Debug, Clone)]
struct Shown {
    second: i64,
    mark: Px,
    venues: u32,
    liquidated: [i64; 2],
    halves: Box<[[i64; CELLS]; 2]>,
}

impl Shown {
    fn new(second: i64, mark: i64, seed: i64) -> Self {
        let mut halves = Box::new([[0; CELLS]; 2]);
        for (h, half) in halves.iter_mut().enumerate() {
            for i in 0..200 {
                let n = (seed + i * 7 + h as i64 * 13).rem_euclid(97);
                half[(i * 3) as usize] = n * n * 1_000 * (i % 5);
            }
        }
        Self {
            second,
            mark: Px::whole(mark),
            venues: 1,
            liquidated: [second * 100, second * 7],
            halves,
        }
    }

    fn show(&self, out: &mut impl Publish, symbol: usize) {
        out.map(
            symbol,
            &MapView {
                input_seq: 1,
                recv_ns: (START + self.second) * 1_000_000_000,
                mark_e10: self.mark.get(),
                bucket: bucket_of(self.mark),
                liquidated: self.liquidated,
                venues: self.venues,
                flags: 0,
                halves: [&self.halves[0], &self.halves[1]],
            },
        );
    }
}

fn market(seconds: impl Iterator<Item = i64>) -> Vec<Shown> {
    seconds
        .map(|s| Shown::new(s, 60_000 + (s * s) % 700, s / 20))
        .collect()
}

fn names() -> Vec<String> {
    vec!["BTC".into(), "ETH".into()]
}

fn kept(archive: Archive, shown: &[Shown]) -> Archive {
    let history = archive.history().unwrap();
    let mut gather = Gather::new(archive, names());
    go_on(&mut gather, &history, &names()).unwrap();
    for one in shown {
        one.show(&mut gather, 0);
    }
    gather.finish().unwrap();
    gather.keep
}

/// The same by plain sums: start -> (samples, mapped, ohlc, liquidated, mean cents by cell and holder).
type Naive = BTreeMap<i64, (u32, u32, [Px; 4], [i64; 2], [BTreeMap<i64, f64>; 2])>;

fn naive(shown: &[Shown], level: usize) -> Naive {
    let level = &LEVELS[level];
    let mut all = Naive::new();
    let mut last: Option<&Shown> = None;
    for one in shown {
        let at = (START + one.second) * 1_000_000_000;
        let start = at - at % level.span.get();
        let column = all.entry(start).or_insert_with(|| {
            let maps = [BTreeMap::new(), BTreeMap::new()];
            (0, 0, [one.mark; 4], [0; 2], maps)
        });
        column.0 += 1;
        column.2[1] = column.2[1].max(one.mark);
        column.2[2] = column.2[2].min(one.mark);
        column.2[3] = one.mark;
        if let Some(last) = last.filter(|last| one.second - last.second <= 10) {
            for h in 0..2 {
                column.3[h] += (one.liquidated[h] - last.liquidated[h]).max(0);
            }
        }
        last = Some(one);
        if one.venues == 0 {
            continue;
        }
        column.1 += 1;
        for (h, way) in [(0, -1), (1, 1)] {
            for (i, cents) in one.halves[h].iter().enumerate() {
                let cell = (bucket_of(one.mark) + way * i as i64).div_euclid(level.merge);
                *column.4[h].entry(cell).or_default() += *cents as f64;
            }
        }
    }
    for column in all.values_mut() {
        for map in &mut column.4 {
            map.values_mut()
                .for_each(|sum| *sum /= f64::from(column.1.max(1)));
        }
    }
    all
}

fn agrees(columns: &[Column], naive: &Naive, slack: f64) {
    let starts: Vec<i64> = columns.iter().map(|column| column.head.start_ns).collect();
    assert_eq!(starts, naive.keys().copied().collect::<Vec<_>>());
    for (column, (samples, mapped, marks, liquidated, maps)) in columns.iter().zip(naive.values()) {
        let head = &column.head;
        assert_eq!((head.samples, head.mapped), (*samples, *mapped));
        let got = [head.open_e10, head.high_e10, head.low_e10, head.close_e10];
        assert_eq!(got, marks.map(Px::get));
        assert_eq!(head.liquidated, *liquidated);
        for (strip, map) in column.halves.iter().zip(maps) {
            for (cell, want) in map {
                let got = lengthen::<MANTISSA>(strip.code(*cell)) as f64;
                assert!(
                    (got - want).abs() <= want * slack + 2.0,
                    "{cell}: {got}, not {want}"
                );
            }
            let extra = strip
                .cells()
                .find(|(cell, cents)| *cents > 2 && map.get(cell).is_none_or(|want| *want == 0.0));
            assert_eq!(extra, None);
        }
    }
}

/// One code's error and another's.
const CODES: f64 = 1.0 / 128.0 + 1.0 / 2048.0;

#[test]
fn columns_are_the_means_of_what_was_shown() {
    let shown = market((0..400).chain(1_000..1_090).chain(8_000..8_003));
    let archive = kept(Archive::in_memory().unwrap(), &shown);
    let history = archive.history().unwrap();
    assert_eq!(history.symbols(), ["BTC", "ETH"]);
    assert_eq!(history.newest(1, 0), None, "never shown");
    for level in 0..LEVELS.len() {
        let columns = history.columns(0, level, ALL.0, ALL.1).unwrap();
        agrees(&columns, &naive(&shown, level), CODES);
    }
    // A window is the same columns.
    let all = history.columns(0, 0, ALL.0, ALL.1).unwrap();
    for (from, to) in [(0, 3), (3, 7), (7, all.len())] {
        let until = all.get(to).map_or(ALL.1, Column::start);
        assert_eq!(
            history.columns(0, 0, all[from].start(), until).unwrap(),
            all[from..to]
        );
    }
}

#[test]
fn what_is_not_known_is_absent() {
    let mut shown = market(0..60);
    shown[..].iter_mut().for_each(|one| one.venues = 0);
    shown.extend(market(300..310));
    // Never a mark: nothing at all.
    shown[5].mark = Px::ZERO;
    let archive = kept(Archive::in_memory().unwrap(), &shown);
    let columns = archive
        .history()
        .unwrap()
        .columns(0, 0, ALL.0, ALL.1)
        .unwrap();
    assert_eq!(columns.len(), 2, "the minutes between are holes, not zeros");
    let head = &columns[0].head;
    assert_eq!((head.samples, head.mapped), (59, 0), "a path without a map");
    assert!(columns[0].halves.iter().all(|strip| strip.codes.is_empty()));
    assert_eq!(
        columns[1].head.liquidated,
        [900, 63],
        "nothing is booked over the pause"
    );
}

#[test]
fn a_count_that_begins_anew_books_nothing() {
    let mut gather = Gather::new(Archive::in_memory().unwrap(), names());
    let first = market(0..5);
    first.iter().for_each(|one| one.show(&mut gather, 0));
    gather.begin(names()).unwrap();
    let mut second = market(5..8);
    for (n, one) in second.iter_mut().enumerate() {
        one.liquidated = [1_000_000 + n as i64, 0];
        one.show(&mut gather, 0);
    }
    // The past is not taken twice.
    first[2].show(&mut gather, 0);
    gather.finish().unwrap();
    let columns = gather.keep.history().unwrap().columns(0, 0, ALL.0, ALL.1);
    let head = columns.unwrap()[0].head;
    assert_eq!((head.samples, head.liquidated), (8, [402, 28]));
}

#[test]
fn a_restart_costs_the_open_minute_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("btc.history");
    let shown = market(0..900);
    // Killed in the middle of the eighth minute: `finish` is never called.
    {
        let mut gather = Gather::new(Archive::open(&path).unwrap(), names());
        shown[..450].iter().for_each(|one| one.show(&mut gather, 0));
    }
    drop(kept(Archive::open(&path).unwrap(), &shown[450..]));
    let lost: Vec<Shown> = (0..900)
        .filter(|s| !(420..450).contains(s))
        .map(|s| shown[s].clone())
        .collect();
    let history = History::open(&path).unwrap();
    for level in 0..LEVELS.len() {
        let columns = history.columns(0, level, ALL.0, ALL.1).unwrap();
        let mut want = naive(&lost, level);
        // The minute after the restart does not know what was printed in the one that was lost.
        for column in want.values_mut() {
            column.3 = [0; 2];
        }
        let mut columns = columns;
        let booked: Vec<[i64; 2]> = columns
            .iter()
            .map(|column| column.head.liquidated)
            .collect();
        columns
            .iter_mut()
            .for_each(|column| column.head.liquidated = [0; 2]);
        let total: i64 = booked.iter().map(|sums| sums[0]).sum();
        assert_eq!(total, (419 + 449) * 100, "{booked:?}");
        // Means of means of spread cells: a cell of 5 m may lie across what 1 m had apart.
        agrees(&columns, &want, 3.0 * CODES);
    }
}

#[test]
fn a_stop_in_order_and_a_start_are_two_parts_of_a_column() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("btc.history");
    let shown = market(0..200);
    for part in [&shown[..70], &shown[70..75], &shown[75..]] {
        drop(kept(Archive::open(&path).unwrap(), part));
    }
    let history = History::open(&path).unwrap();
    for level in 0..LEVELS.len() {
        let mut columns = history.columns(0, level, ALL.0, ALL.1).unwrap();
        let mut want = naive(&shown, level);
        // The second on either side of a restart is not booked.
        columns
            .iter_mut()
            .for_each(|column| column.head.liquidated = [0; 2]);
        want.values_mut().for_each(|column| column.3 = [0; 2]);
        agrees(&columns, &want, 3.0 * CODES);
    }
}

#[test]
fn every_cut_of_a_file_reads_as_a_shorter_history_and_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whole");
    drop(kept(Archive::open(&path).unwrap(), &market(0..500)));
    let bytes = std::fs::read(&path).unwrap();
    let whole = History::open(&path)
        .unwrap()
        .columns(0, 0, ALL.0, ALL.1)
        .unwrap();
    let cut_path = dir.path().join("cut");
    let mut seen = 0;
    for cut in (0..bytes.len()).step_by(97).chain([1, 15, 16, 17]) {
        std::fs::write(&cut_path, &bytes[..cut]).unwrap();
        match History::open(&cut_path) {
            Ok(history) if !history.symbols().is_empty() => {
                let columns = history.columns(0, 0, ALL.0, ALL.1).unwrap();
                assert_eq!(columns, whole[..columns.len()]);
                seen = seen.max(columns.len());
            }
            Ok(_) => assert!(cut >= 16),
            Err(HistoryError::NotOne(_)) => {
                assert!(cut < 16);
                // An empty file is a new one; anything else is left alone.
                assert_eq!(Archive::open(&cut_path).is_ok(), cut == 0);
                continue;
            }
            Err(other) => panic!("{other}"),
        }
        drop(kept(Archive::open(&cut_path).unwrap(), &market(600..700)));
        let history = History::open(&cut_path).unwrap();
        let columns = history.columns(0, 0, ALL.0, ALL.1).unwrap();
        assert_eq!(
            columns.last().unwrap().start().get() / 1_000_000_000,
            START + 660
        );
        assert_eq!(history.losses(), (0, 0));
    }
    assert!(seen > 5);
}

#[test]
fn every_flip_of_a_byte_loses_columns_and_invents_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history");
    drop(kept(Archive::open(&path).unwrap(), &market(0..400)));
    let bytes = std::fs::read(&path).unwrap();
    let whole = History::open(&path)
        .unwrap()
        .columns(0, 0, ALL.0, ALL.1)
        .unwrap();
    let mut short = 0;
    for at in (0..bytes.len()).step_by(61) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let Ok(history) = History::open(&path) else {
            assert!(at < 16);
            continue;
        };
        if history.symbols().is_empty() {
            short += 1;
            continue;
        }
        let columns = history.columns(0, 0, ALL.0, ALL.1).unwrap();
        assert!(
            columns.iter().all(|column| whole.contains(column)),
            "byte {at}"
        );
        let (damaged, torn) = history.losses();
        assert!(columns.len() == whole.len() || damaged + torn > 0);
        short += usize::from(columns.len() < whole.len());
    }
    assert!(short > 0, "a flip that nothing notices is none");
}

#[test]
fn what_is_older_than_its_level_keeps_is_dropped_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history");
    // A snapshot every quarter of an hour, over a fortnight.
    let shown: Vec<Shown> = (0..1_344)
        .map(|m| Shown::new(m * 900, 60_000 + m % 50, m * m))
        .collect();
    let mut gather = Gather::new(Archive::open(&path).unwrap(), names());
    let mut tidied = 0;
    for one in &shown {
        one.show(&mut gather, 0);
        if one.second % 3_600 == 0 {
            tidied += u32::from(gather.keep.tidy(10_000).unwrap());
        }
    }
    gather.finish().unwrap();
    assert!(tidied > 0);
    assert!(
        matches!(Archive::open(&path), Err(HistoryError::Busy(_))),
        "one writer"
    );
    let history = History::open(&path).unwrap();
    let newest = history.newest(0, 0).unwrap();
    for (level, row) in LEVELS.iter().enumerate() {
        let columns = history.columns(0, level, ALL.0, ALL.1).unwrap();
        let first = columns[0].start();
        let all = naive(&shown, level).len();
        if level < 2 {
            assert!(newest.since(first) >= row.keep && columns.len() < all);
        } else {
            assert_eq!(columns.len(), all);
        }
        let apart = row.span.max(Nanos::new(15 * Nanos::MINUTE.get()));
        let starts: Vec<Nanos> = columns.iter().map(Column::start).collect();
        assert!(starts.windows(2).all(|two| two[1].since(two[0]) == apart));
    }
    drop(gather);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn another_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("precious");
    std::fs::write(&path, b"precious, and longer than sixteen bytes").unwrap();
    assert!(matches!(Archive::open(&path), Err(HistoryError::NotOne(_))));
    let mut newer = b"ISOHIST1".to_vec();
    newer.extend_from_slice(&[9, 0, 0, 0, 0, 0, 0, 0]);
    std::fs::write(&path, &newer).unwrap();
    assert!(matches!(
        Archive::open(&path),
        Err(HistoryError::Version { found: 9, .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), newer);
}

fn place() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() {
        tempfile::tempdir_in(shm).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

#[test]
fn a_page_and_a_replay_are_kept_alike_and_a_page_may_go_and_come() {
    let dir = place();
    let (page, path) = (dir.path().join("page"), dir.path().join("history"));
    let shown = market(0..200);
    let mut follow = Follow::new(&page, Archive::open(&path).unwrap());
    assert!(!follow.look().unwrap().present, "it waits for a page");
    let zone = ZoneRecord {
        id: 7,
        high_e10: 3,
        ..bytemuck::Zeroable::zeroed()
    };
    let mut snapshots = 0;
    for run in [&shown[..90], &shown[90..]] {
        let mut writer = PageWriter::create(&page, &names(), "test").unwrap();
        for one in run {
            let mut wide: Wide = bytemuck::Zeroable::zeroed();
            wide.hot_below[1] = zone;
            writer.wide(0, &wide);
            one.show(&mut writer, 0);
            let looked = follow.look().unwrap();
            assert!(looked.present);
            snapshots += looked.snapshots;
            assert_eq!(follow.look().unwrap().snapshots, 0, "nothing new");
        }
        drop(writer);
        assert!(!follow.look().unwrap().present);
    }
    assert_eq!(snapshots, 200);
    follow.settle().unwrap();
    drop(follow.finish().unwrap());
    let by_page = History::open(&path).unwrap();
    let by_replay = kept(Archive::in_memory().unwrap(), &shown)
        .history()
        .unwrap();
    for level in 0..LEVELS.len() {
        let mut page = by_page.columns(0, level, ALL.0, ALL.1).unwrap();
        let mut replay = by_replay.columns(0, level, ALL.0, ALL.1).unwrap();
        assert!(page.iter().all(|column| column.zones == [zone]));
        for column in page.iter_mut().chain(&mut replay) {
            column.zones.clear();
            (column.head, column.halves) = (plain(column), column.halves.clone());
        }
        assert_eq!(page, replay);
    }
}

/// The head without what only bytes have, and without the second that a restart does not book.
fn plain(column: &Column) -> isotherm::historian::column::Head {
    let mut head: isotherm::historian::column::Head = bytemuck::Zeroable::zeroed();
    let from = &column.head;
    (head.start_ns, head.last_ns) = (from.start_ns, from.last_ns);
    (head.open_e10, head.high_e10) = (from.open_e10, from.high_e10);
    (head.low_e10, head.close_e10) = (from.low_e10, from.close_e10);
    (head.samples, head.mapped, head.flags) = (from.samples, from.mapped, from.flags);
    head
}

/// A place for columns that fails when it is full.
#[derive(Debug)]
struct Full(u32);

impl Keep for Full {
    fn symbol(&mut self, _: &str) -> std::io::Result<u16> {
        Ok(0)
    }
    fn column(&mut self, _: u16, _: usize, _: Nanos, _: bool, _: &[u8]) -> std::io::Result<()> {
        self.0 = self
            .0
            .checked_sub(1)
            .ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_at_the_end_of_a_replay() {
    let mut gather = Gather::new(Full(2), names());
    market(0..300)
        .iter()
        .for_each(|one| one.show(&mut gather, 0));
    assert_eq!(
        gather.finish().unwrap_err().kind(),
        std::io::ErrorKind::StorageFull
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_walk_is_kept_as_the_naive_twin_keeps_it(
        steps in prop::collection::vec((1i64..90, -900i64..900, any::<bool>()), 1..60),
    ) {
        let (mut second, mut mark, mut shown) = (0, 50_000i64, Vec::new());
        for (n, (gone, way, has_map)) in steps.iter().enumerate() {
            second += gone;
            mark += way;
            let mut one = Shown::new(second, mark, n as i64);
            one.venues = u32::from(*has_map);
            shown.push(one);
        }
        let archive = kept(Archive::in_memory().unwrap(), &shown);
        let history = archive.history().unwrap();
        for level in 0..LEVELS.len() {
            let columns = history.columns(0, level, ALL.0, ALL.1).unwrap();
            agrees(&columns, &naive(&shown, level), CODES);
        }
    }
}
