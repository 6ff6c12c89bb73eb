//! Recording for days: segments, runs, packing, retention, and where a play can be taken up again.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]

use isotherm::tape::folder::{self, checkpoint_name};
use isotherm::tape::index::{Closed, Index};
use isotherm::tape::survey::survey;
use isotherm::tape::{
    self, Closing, End, Error, Header, Kind, Limits, Ordered, Position, Record, Recorder, Turn,
    pack,
};
use isotherm::time::Nanos;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const SMALL: Limits = Limits {
    segment_bytes: 2_000,
    segment_time: Nanos::ZERO,
    keep_bytes: 0,
    keep_days: 0,
};

fn header(second: i64, continues: bool) -> Header {
    Header {
        created: Nanos::seconds(second),
        journalled: true,
        continues,
        ..Header::default()
    }
}

fn frame(ring: u8, second: i64, text: &str) -> Record<'_> {
    Record::Frame {
        ring,
        recv: Nanos::seconds(second),
        bytes: text.as_bytes(),
    }
}

/// Records a run of so many frames, each a second and a group; gives their texts.
fn record(folder: &Path, limits: &Limits, from: i64, frames: i64, end: bool) -> Vec<String> {
    let mut recorder = Recorder::begin(folder, &header(from, from > 1), limits).expect("begins");
    let mut texts = Vec::new();
    for second in from..from + frames {
        let text = format!("{{\"n\":{second},\"pad\":\"{}\"}}", "x".repeat(100));
        assert!(recorder.append(&frame(0, second, &text)));
        assert!(recorder.append(&Record::Order { ring: 0, groups: 1 }));
        texts.push(text);
    }
    assert!(recorder.tend());
    if end {
        recorder.finish(None).expect("closes");
    }
    texts
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Plays what is left of a run: the texts of its frames.
fn play(ordered: &mut Ordered) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(turn) = ordered.next_turn().expect("sound") {
        let Turn::Ring { ring, groups } = turn else {
            texts.push(format!("{turn:?}"));
            continue;
        };
        for _ in 0..groups {
            let record = ordered.next_record(ring).expect("sound").expect("there");
            texts.push(match record {
                Record::Frame { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
                other => format!("{other:?}"),
            });
        }
    }
    texts
}

fn error_of(folder: &Path) -> Error {
    let mut source = tape::open(folder).expect("opens");
    loop {
        match source.next_record() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no error"),
            Err(error) => return error,
        }
    }
}

#[test]
fn full_segments_are_closed_packed_and_read_as_one_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::begin(dir.path(), &header(1, false), &SMALL).expect("begins");
    let mut texts = Vec::new();
    for second in 1..100 {
        let text = format!("{second:>120}");
        assert!(recorder.append(&frame(0, second, &text)));
        assert!(recorder.append(&Record::Order { ring: 0, groups: 1 }));
        texts.push(text);
    }
    let open = recorder.path().expect("records").to_path_buf();
    wait("closed segments are packed, the open one is not", || {
        let segments = folder::segments(dir.path()).expect("a folder");
        let (last, closed) = segments.split_last().expect("some");
        last.path == open && closed.iter().all(|segment| segment.is_packed)
    });
    wait("the index knows the closed ones", || {
        let all = folder::segments(dir.path()).expect("a folder");
        Index::load(dir.path()).segments.len() + 1 == all.len()
    });
    // While it is being recorded, what has reached the files is read.
    assert!(recorder.tend());
    assert_eq!(play(&mut Ordered::open(dir.path()).expect("opens")), texts);
    let end = End {
        at: Nanos::seconds(100),
        input_seq: 5,
        state_hash: 7,
    };
    recorder.finish(Some(end)).expect("closes");
    let mut ordered = Ordered::open(dir.path()).expect("opens");
    assert_eq!(play(&mut ordered), texts);
    assert_eq!(ordered.source().end(), Some(end));
    assert!(ordered.is_whole() && !ordered.is_short());
    assert!(!ordered.next_run().expect("sound"));

    // The index is right, and says what a scan says.
    let (index, faults) = Index::fresh(dir.path()).expect("a folder");
    assert!(faults.is_empty());
    let frames: u64 = index
        .segments
        .iter()
        .map(|row| row.count(Kind::Frame))
        .sum();
    assert_eq!(frames, 99);
    assert_eq!(index.segments[0].closed, Closed::Next);
    assert_eq!(index.segments.last().expect("some").closed, Closed::End);
    fs::remove_file(dir.path().join("index.json")).expect("there");
    assert_eq!(
        Index::fresh(dir.path()).expect("a folder").0.segments,
        index.segments
    );
    // A stale row is read anew.
    let mut stale = index.clone();
    stale.segments[0].kinds = [9; tape::KINDS];
    stale.segments[0].changed_ns += 1;
    stale.save(dir.path()).expect("written");
    assert_eq!(
        Index::fresh(dir.path()).expect("a folder").0.segments,
        index.segments
    );
}

#[test]
fn an_old_segment_is_closed_by_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let hourly = Limits::default();
    let mut recorder = Recorder::begin(dir.path(), &header(1, false), &hourly).expect("begins");
    for hour in 0..3 {
        for second in [1, 3_600] {
            assert!(recorder.append(&frame(0, hour * 3_600 + second, "{}")));
        }
        assert!(recorder.append(&frame(0, hour * 3_600 + 3_601, "{}")));
    }
    recorder.finish(None).expect("closes");
    let segments = folder::segments(dir.path()).expect("a folder");
    assert_eq!(segments.len(), 4, "three hours, and the one that was open");
}

#[test]
fn runs_follow_each_other_and_a_killed_one_leaves_its_connections_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::begin(dir.path(), &header(1, false), &SMALL).expect("begins");
    let recv = Nanos::seconds(1);
    for ring in [0, 1, 0x81, 2] {
        let connect = Record::Connect {
            ring,
            recv,
            url: "ws://a",
        };
        assert!(recorder.append(&connect));
    }
    assert!(recorder.append(&Record::Disconnect {
        ring: 2,
        recv,
        reason: ""
    }));
    for (ring, groups) in [(0, 1), (1, 2), (2, 2)] {
        assert!(recorder.append(&Record::Order { ring, groups }));
    }
    assert!(recorder.append(&frame(0, 2, "received, never stepped")));
    assert!(recorder.tend());
    // As a killed process leaves it: no End, and the last record cut.
    drop(recorder);
    let path = dir.path().join("000001.tape");
    let bytes = fs::read(&path).expect("there");
    fs::write(&path, &bytes[..bytes.len() - 3]).expect("written");
    let second = record(dir.path(), &SMALL, 2, 40, true);
    let third = record(dir.path(), &SMALL, 100, 3, true);

    let mut ordered = Ordered::open(dir.path()).expect("opens");
    assert_eq!(ordered.header().map(|header| header.continues), Some(false));
    assert_eq!(play(&mut ordered).len(), 5);
    assert_eq!(ordered.up(), [0, 1, 0x81]);
    assert!(ordered.source().torn() > 0);
    assert_eq!(ordered.source().closing(), None);
    let first = ordered.header().expect("a tape").run;
    assert!(ordered.next_run().expect("sound"));
    assert_eq!(ordered.header().map(|header| header.continues), Some(true));
    assert!(ordered.header().expect("a tape").run > first);
    assert_eq!(ordered.up(), [0; 0]);
    assert_eq!(play(&mut ordered), second);
    assert_eq!(ordered.source().torn(), 0);
    // A run that is not played is passed over.
    assert!(ordered.next_run().expect("sound"));
    assert_eq!(play(&mut ordered), third);
    assert!(!ordered.next_run().expect("sound"));
    let mut source = tape::open(dir.path()).expect("opens");
    assert!(source.next_run().expect("sound") && source.next_run().expect("sound"));
    assert!(!source.next_run().expect("sound"));
}

#[test]
fn a_run_of_the_same_instant_is_another_run() {
    let dir = tempfile::tempdir().expect("a folder");
    record(dir.path(), &SMALL, 1, 1, true);
    record(dir.path(), &SMALL, 1, 1, true);
    let mut source = tape::open(dir.path()).expect("opens");
    let first = source.header().expect("a tape").run;
    assert!(source.next_run().expect("sound"));
    assert_eq!(source.header().expect("a tape").run, first + 1);
}

#[test]
fn a_segment_that_is_missing_or_breaks_off_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    record(dir.path(), &SMALL, 1, 60, true);
    let segments = folder::segments(dir.path()).expect("a folder");
    assert!(segments.len() > 3);
    // The first ones may be gone: retention.
    fs::remove_file(&segments[0].path).expect("there");
    let ordered = Ordered::open(dir.path()).expect("opens");
    assert!(!ordered.is_whole());
    let mut source = tape::open(dir.path()).expect("opens");
    while source.next_record().expect("sound").is_some() {}
    // One in the middle may not.
    let third = fs::read(&segments[2].path).expect("there");
    fs::remove_file(&segments[2].path).expect("there");
    let error = error_of(dir.path()).to_string();
    assert!(
        error.contains("part 4 of its run, and part 3 is not in"),
        "{error}"
    );
    let plain = if segments[2].is_packed {
        zstd::decode_all(third.as_slice()).expect("packed")
    } else {
        third
    };
    fs::write(dir.path().join("000003.tape"), &plain[..plain.len() - 3]).expect("written");
    let error = error_of(dir.path()).to_string();
    assert!(
        error.contains("000003.tape: damaged at byte") && error.contains("breaks off"),
        "{error}"
    );
}

#[test]
fn the_oldest_segments_go_and_never_past_the_newest_checkpoint() {
    let dir = tempfile::tempdir().expect("a folder");
    record(dir.path(), &SMALL, 1, 100, true);
    let all = pack::compact(dir.path(), &Limits::default()).expect("packs");
    let count = all.segments.len();
    assert!(count > 8 && all.segments.iter().all(|row| row.file.ends_with(".zst")));
    let last = all.segments.last().expect("some").number;
    let bytes = |index: &Index| index.segments.iter().map(|row| row.bytes).sum::<u64>();
    let tight = Limits {
        keep_bytes: bytes(&all) / 2,
        ..SMALL
    };
    // A checkpoint holds the segments it is read on from.
    let held = dir.path().join(checkpoint_name(3, 9));
    fs::write(&held, "").expect("written");
    let index = pack::compact(dir.path(), &tight).expect("packs");
    assert_eq!(index.segments.first().map(|row| row.number), Some(3));
    let newer = checkpoint_name(last, 10);
    fs::write(dir.path().join(newer), "").expect("written");
    let index = pack::compact(dir.path(), &tight).expect("packs");
    assert!(bytes(&index) <= tight.keep_bytes && index.segments.len() >= count / 3);
    let least = Limits {
        keep_bytes: 1,
        ..SMALL
    };
    let index = pack::compact(dir.path(), &least).expect("packs");
    assert_eq!(index.segments.len(), 1, "never the last");
    let left: Vec<u32> = folder::segments(dir.path())
        .expect("a folder")
        .iter()
        .map(|segment| segment.number)
        .collect();
    assert_eq!(left, [last]);
}

#[test]
fn days_are_counted_back_from_the_newest_stamp() {
    let dir = tempfile::tempdir().expect("a folder");
    let daily = Limits {
        segment_time: Nanos::new(24 * Nanos::HOUR.get()),
        keep_days: 3,
        ..Limits::default()
    };
    let mut recorder = Recorder::begin(dir.path(), &header(1, false), &daily).expect("begins");
    for hour in 0..240 {
        assert!(recorder.append(&frame(0, hour * 3_600 + 1, "{}")));
    }
    wait("old days go while it is being recorded", || {
        let segments = folder::segments(dir.path()).expect("a folder");
        (4..=5).contains(&segments.len())
    });
    recorder.finish(None).expect("closes");
}

#[test]
fn what_a_killed_process_left_unfinished_is_put_right_by_the_next() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = record(dir.path(), &SMALL, 1, 60, false);
    // Killed while packing: an unfinished file, and a packed one whose plain twin was still there.
    let plain = dir.path().join("000002.tape");
    let packed = dir.path().join("000002.tape.zst");
    if !plain.exists() {
        let bytes = fs::read(&packed).expect("there");
        fs::write(&plain, zstd::decode_all(bytes.as_slice()).expect("packed")).expect("written");
    }
    fs::write(dir.path().join("000003.tape.zst.part"), "half").expect("written");
    if !packed.exists() {
        let bytes = fs::read(&plain).expect("there");
        fs::write(
            &packed,
            zstd::encode_all(bytes.as_slice(), 3).expect("packs"),
        )
        .expect("written");
    }
    fs::write(dir.path().join("index.json"), "{").expect("written");
    assert_eq!(play(&mut Ordered::open(dir.path()).expect("opens")), first);

    let recorder = Recorder::begin(dir.path(), &header(70, true), &SMALL).expect("begins");
    let open = recorder.path().expect("records").to_path_buf();
    wait("everything but the open segment is packed", || {
        let names = names(dir.path());
        let plain: Vec<&String> = names
            .iter()
            .filter(|name| name.ends_with(".tape"))
            .collect();
        plain.len() == 1 && open.ends_with(plain[0]) && !names.iter().any(|n| n.ends_with(".part"))
    });
    wait("and known", || {
        let index = Index::load(dir.path());
        let all = folder::segments(dir.path()).expect("a folder");
        index.segments.len() + 1 == all.len()
            && all[..all.len() - 1].iter().all(|s| index.row(s).is_some())
    });
    recorder.finish(None).expect("closes");
    let mut ordered = Ordered::open(dir.path()).expect("opens");
    assert_eq!(play(&mut ordered), first);
    assert!(ordered.next_run().expect("sound"));
}

#[test]
fn a_cut_that_fails_leaves_nothing_that_looks_like_a_recording() {
    let dir = tempfile::tempdir().expect("a folder");
    let from = dir.path().join("from");
    record(&from, &SMALL, 1, 3, true);
    let segment = from.join("000001.tape");
    let mut bytes = fs::read(&segment).expect("there");
    let text = bytes.windows(4).rposition(|four| four == b"xxxx");
    bytes[text.expect("a frame")] ^= 1;
    fs::write(&segment, bytes).expect("written");
    for name in ["to.tape", "to"] {
        let to = dir.path().join(name);
        let error = isotherm::cut::cut(&from, &isotherm::cut::Range::default(), &to).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        assert!(!to.exists(), "{name} was left");
    }
}

#[test]
fn a_segment_cut_off_in_its_head_holds_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = record(dir.path(), &SMALL, 1, 3, true);
    let head = fs::read(dir.path().join("000001.tape")).expect("there");
    for cut in [0, 5, 31, 47, 60] {
        fs::write(dir.path().join("000002.tape"), &head[..cut]).expect("written");
        let mut ordered = Ordered::open(dir.path()).expect("opens");
        assert_eq!(play(&mut ordered), first, "{cut}");
        assert!(!ordered.next_run().expect("sound"), "{cut}");
    }
    let second = record(dir.path(), &SMALL, 10, 3, true);
    assert!(dir.path().join("000003.tape").exists());
    let mut ordered = Ordered::open(dir.path()).expect("opens");
    assert!(ordered.next_run().expect("sound"));
    assert_eq!(play(&mut ordered), second);
}

#[test]
fn a_file_is_one_file_and_is_never_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("run.tape");
    let mut recorder = Recorder::begin(&path, &header(1, false), &SMALL).expect("begins");
    let text = "x".repeat(300);
    for second in 1..50 {
        assert!(recorder.append(&frame(0, second, &text)));
    }
    recorder.finish(None).expect("closes");
    assert_eq!(names(dir.path()), ["run.tape"]);
    let source = tape::open(&path).expect("opens");
    assert_eq!(source.header().expect("a tape").segment, 0);
    let error = Recorder::begin(&path, &header(1, false), &SMALL).expect_err("there");
    assert!(matches!(error, Error::There { .. }), "{error}");
}

#[test]
fn a_recording_that_stops_says_why_and_takes_nothing_more() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::begin(dir.path(), &header(1, false), &SMALL).expect("begins");
    let told = recorder.told();
    assert!(recorder.append(&frame(0, 1, "{}")));
    assert_eq!(told.failed(), None);
    recorder.stop("ring 0 was full");
    assert_eq!(told.failed(), Some("ring 0 was full"));
    assert!(!recorder.append(&frame(0, 2, "{}")) && !recorder.tend());
    assert_eq!(recorder.finish(None), Err("ring 0 was full".to_owned()));
    let mut source = tape::open(dir.path()).expect("opens");
    let mut kinds = Vec::new();
    while let Some(record) = source.next_record().expect("sound") {
        kinds.push(record.kind());
    }
    assert_eq!(kinds, [Kind::Frame, Kind::Hole]);
    let hole = Closing::Hole {
        at: Nanos::seconds(1),
        why: "ring 0 was full".to_owned(),
    };
    assert_eq!(source.closing(), Some(&hole));
}

/// A run of several lanes with skew between frames and journal, in small segments.
fn script(folder: &Path, steps: &[(u8, u8)], limits: &Limits) {
    let mut recorder = Recorder::begin(folder, &header(1, false), limits).expect("begins");
    let mut waiting = [0u32; 3];
    // A lane that is never taken from: pongs.
    assert!(recorder.append(&frame(5, 1, "pong")));
    for (n, (on, from)) in steps.iter().enumerate() {
        let second = n as i64 + 1;
        let (on, recv) = (on % 3, Nanos::seconds(second));
        let ring = if n % 5 == 0 { on | 0x80 } else { on };
        let connect = Record::Connect {
            ring,
            recv,
            url: "ws://a",
        };
        let text = format!("{n:>60}");
        let went = if n % 7 == 0 {
            connect
        } else {
            frame(ring, second, &text)
        };
        assert!(recorder.append(&went));
        waiting[usize::from(on)] += 1;
        let groups = waiting[usize::from(from % 3)];
        if from % 4 == 0 {
            let ticks = Record::Ticks {
                first: recv,
                count: 2,
            };
            assert!(recorder.append(&ticks));
        } else if groups > 0 {
            waiting[usize::from(from % 3)] = 0;
            assert!(recorder.append(&Record::Order {
                ring: from % 3,
                groups
            }));
        }
    }
    recorder.finish(None).expect("closes");
}

/// Turns and records as text, at most `turns` of them.
fn some(ordered: &mut Ordered, turns: usize) -> Vec<String> {
    let mut said = Vec::new();
    for _ in 0..turns {
        let Some(turn) = ordered.next_turn().expect("sound") else {
            break;
        };
        said.push(format!("{turn:?}"));
        if let Turn::Ring { ring, groups } = turn {
            for _ in 0..groups {
                let record = ordered.next_record(ring).expect("sound").expect("there");
                said.push(format!("{record:?}"));
            }
        }
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_play_taken_up_again_goes_on_with_the_next_turn(
        steps in prop::collection::vec((any::<u8>(), any::<u8>()), 20..120),
        cut in 0usize..60,
        again in 0usize..20,
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let limits = Limits { segment_bytes: 600, ..SMALL };
        script(dir.path(), &steps, &limits);
        let mut straight = Ordered::open(dir.path()).expect("opens");
        let _ = some(&mut straight, cut);
        let at: Position = straight.position().expect("written");
        prop_assert_eq!(at.segment, straight.source().segment(), "the quiet lane holds nothing back");
        let up = straight.up();
        let (next, rest) = (some(&mut straight, again), some(&mut straight, usize::MAX));

        let mut resumed = Ordered::resume(dir.path(), &at).expect("opens");
        prop_assert_eq!(resumed.up(), up);
        prop_assert_eq!(some(&mut resumed, again), next);
        // A position of a resumed play is one too.
        let at = resumed.position().expect("written");
        let mut resumed = Ordered::resume(dir.path(), &at).expect("opens");
        prop_assert_eq!(some(&mut resumed, usize::MAX), rest);
        prop_assert_eq!(resumed.up(), straight.up());
        // What is before the position is not needed any more.
        for segment in folder::segments(dir.path()).expect("a folder") {
            if segment.number < at.segment {
                fs::remove_file(&segment.path).expect("there");
            }
        }
        prop_assert!(Ordered::resume(dir.path(), &at).is_ok());
        let other = Position { run: at.run + 1, ..at.clone() };
        prop_assert!(Ordered::resume(dir.path(), &other).is_err());
    }
}

#[test]
fn a_survey_accounts_for_every_byte_and_goes_on_behind_damage() {
    let dir = tempfile::tempdir().expect("a folder");
    record(dir.path(), &SMALL, 1, 65, false);
    let whole = survey(dir.path()).expect("read");
    assert!(
        whole
            .iter()
            .all(|one| one.is_accounted() && one.faults.is_empty())
    );
    let frames: u64 = whole.iter().map(|one| one.row.count(Kind::Frame)).sum();
    assert_eq!(frames, 65);

    // The last file is cut at every byte: what is whole stays, the rest is torn.
    let last = folder::segments(dir.path())
        .expect("a folder")
        .pop()
        .expect("some");
    let bytes = fs::read(&last.path).expect("there");
    for cut in 0..bytes.len() {
        fs::write(&last.path, &bytes[..cut]).expect("written");
        let one = survey(dir.path()).expect("read").pop().expect("some");
        assert!(
            one.is_accounted() && one.faults.is_empty(),
            "{cut}: {one:?}"
        );
        assert_eq!(one.row.plain_bytes, cut as u64);
    }
    fs::write(&last.path, &bytes).expect("written");

    // A byte of every file is spoilt.
    for segment in folder::segments(dir.path()).expect("a folder") {
        let bytes = fs::read(&segment.path).expect("there");
        let mut bytes = if segment.is_packed {
            zstd::decode_all(bytes.as_slice()).expect("packed")
        } else {
            bytes
        };
        bytes[300] ^= 1;
        fs::write(dir.path().join(folder::plain_name(segment.number)), bytes).expect("written");
    }
    let spoilt = survey(dir.path()).expect("read");
    assert_eq!(spoilt.len(), whole.len());
    for (one, was) in spoilt.iter().zip(&whole) {
        assert!(one.is_accounted() && one.damaged > 0, "{one:?}");
        let damaged = one
            .faults
            .iter()
            .any(|fault| fault.contains("damaged at byte"));
        assert!(damaged && one.row.records() < was.row.records());
        assert!(
            one.row.records() + 2 >= was.row.records(),
            "one record, and the close that counts it"
        );
    }

    // A missing one is named by the one behind it.
    let third = &folder::segments(dir.path()).expect("a folder")[2].path;
    fs::remove_file(third).expect("there");
    drop(fs::remove_file(format!("{}.zst", third.display())));
    let gone = survey(dir.path()).expect("read");
    let fault = gone[2].faults.last().expect("a fault");
    assert!(fault.contains("part 3 is not in the folder"), "{fault}");
}

// ---- the commands ----

fn isotherm(args: &[&str]) -> (bool, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_isotherm"));
    let done = command.arg("tape").args(args).output().expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (done.status.success(), text(done.stdout), text(done.stderr))
}

#[test]
fn the_commands_say_what_is_there_and_damage_is_an_exit_code() {
    let dir = tempfile::tempdir().expect("a folder");
    let tape = dir.path().join("tape");
    let path = tape.to_str().expect("text");
    record(&tape, &SMALL, 1, 50, true);
    record(&tape, &SMALL, 100, 5, false);
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");

    let (done, said, _) = isotherm(&["info", "--json", path]);
    let object = json(&said);
    assert!(done);
    assert_eq!(object["runs"][0]["records"]["frame"], 50);
    assert_eq!(object["runs"][0]["closed"], "end");
    assert_eq!(object["runs"][1]["closed"], "not");
    assert_eq!(object["runs"][1]["continues"], true);
    let (_, said, _) = isotherm(&["info", path]);
    assert!(said.contains("ended in order") && said.contains("from the state of the run before"));

    let (_, said, _) = isotherm(&["cat", "--json", "--kind", "frame", path]);
    assert_eq!(said.lines().count(), 55);
    assert!(said.lines().all(|line| json(line)["kind"] == "frame"));
    let (_, said, _) = isotherm(&["cat", "--from", "1970-01-01T00:00:49", "--first", "2", path]);
    let frames: Vec<&str> = said.lines().collect();
    assert!(
        frames.len() == 2 && frames[0].contains("\"n\":49"),
        "{said}"
    );

    let out = dir.path().join("cut.tape");
    let (done, said, _) = isotherm(&["cut", "--first", "30", path, out.to_str().expect("text")]);
    assert!(done && said.contains("30 records of 1 run(s)"), "{said}");

    let (done, said, _) = isotherm(&["compact", path]);
    assert!(done && said.contains("compressed"), "{said}");
    assert!(names(&tape).iter().all(|name| !name.ends_with(".tape")));
    let (done, said, _) = isotherm(&["verify", path]);
    assert!(
        done && said.contains(": sound") && said.contains("0 damaged, 0 torn"),
        "{said}"
    );

    // A byte, and the exit code.
    let mut bytes = fs::read(&out).expect("there");
    bytes[400] ^= 1;
    fs::write(&out, bytes).expect("written");
    let (done, said, told) = isotherm(&["verify", path, out.to_str().expect("text")]);
    assert!(
        !done && said.contains("DAMAGED") && said.contains("damaged at byte"),
        "{said}"
    );
    assert!(told.contains("1 of 2 recording(s) damaged"), "{told}");
    let (done, said, told) = isotherm(&["info", out.to_str().expect("text")]);
    assert!(!done && said.contains("damaged at byte"), "{said}");
    assert!(told.contains("fault(s); isotherm tape verify"), "{told}");

    // Nobody compacts what is being recorded.
    let recorder = Recorder::begin(&tape, &header(200, true), &SMALL).expect("begins");
    let (done, _, told) = isotherm(&["compact", path]);
    assert!(
        !done && told.contains("another process records in this folder"),
        "{told}"
    );
    recorder.discard();
}
