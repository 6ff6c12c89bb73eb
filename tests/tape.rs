//! Tapes and sessions from files: what compression, folders and real recordings add to the unit
//! tests.

#![allow(clippy::expect_used, reason = "a helper of tests fails the test")]

use isotherm::tape::{self, End, Header, Kind, Ordered, Record, Turn, Writer};
use isotherm::time::{Nanos, TICK};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn captures() -> Option<PathBuf> {
    let shared = std::env::var_os("ISOTHERM_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let captures = shared.join("captures");
    if captures.is_dir() {
        return Some(captures);
    }
    // Past the capture of the test harness, so that it is seen.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: no captures at {}",
        captures.display()
    );
    None
}

/// Records by kind, in the order of a replay; ticks apart.
fn count(ordered: &mut Ordered) -> ([u64; tape::KINDS], u64) {
    let mut kinds = [0; tape::KINDS];
    let mut ticks = 0;
    let mut stamp = Nanos::ZERO;
    let mut tick = None::<Nanos>;
    while let Some(turn) = ordered.next_turn().expect("a sound recording") {
        match turn {
            Turn::Tick { first, count } => {
                // On the grid, none left out, none twice.
                assert_eq!(first.get() % TICK.get(), 0);
                assert!(tick.is_none_or(|last| last.plus(TICK) == first));
                tick = Some(first.plus(Nanos::new(TICK.get() * i64::from(count - 1))));
                ticks += u64::from(count);
            }
            Turn::Ring { ring, .. } => {
                let record = ordered.next_record(ring).expect("a sound recording");
                let record = record.expect("a turn has a record");
                kinds[record.kind() as usize] += 1;
                stamp = stamp.max(record.stamp());
                let due = tick.expect("a tick comes first");
                assert!(due <= stamp && stamp.since(due) < TICK);
            }
        }
    }
    (kinds, ticks)
}

fn kinds(counts: &[(Kind, u64)]) -> [u64; tape::KINDS] {
    let mut kinds = [0; tape::KINDS];
    for (kind, n) in counts {
        kinds[*kind as usize] = *n;
    }
    kinds
}

#[test]
fn recorded_sessions_have_their_counts() {
    let Some(captures) = captures() else { return };
    for (folder, frames, sent, connects, rest) in [
        ("bybit/cryptofeed-2026-linear", 2_546, 17, 1, 1),
        ("kraken-futures/cryptofeed-2021", 7_175, 3, 1, 1),
        ("binance-usdm/cryptofeed-2021", 1_535, 0, 1, 5),
        ("bitmex/cryptofeed-2021", 2_120, 3, 1, 1),
        ("gate/cryptofeed-2023", 450, 22, 1, 11),
        ("okx/cryptofeed-2022", 410, 3, 1, 2),
        ("htx/cryptofeed-2022", 600, 0, 0, 2),
    ] {
        let mut ordered = Ordered::open(&captures.join(folder)).expect("a session");
        let (got, ticks) = count(&mut ordered);
        let want = kinds(&[
            (Kind::Frame, frames),
            (Kind::Sent, sent),
            (Kind::Connect, connects),
            (Kind::Rest, rest),
        ]);
        assert_eq!(got, want, "{folder}");
        if folder.starts_with("bybit") {
            // 10 ms grid from 1786310818.22 to 1786310861.73.
            assert_eq!(ticks, 4_352, "{folder}");
        }
    }
}

#[test]
fn a_recorded_session_says_what_it_listens_to() {
    let Some(captures) = captures() else { return };
    let path = captures.join("bybit/cryptofeed-2026-linear/session.recv.jsonl");
    let found = tape::subscriptions(&path).expect("a session");
    let [place] = found.places.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(place.venue, Some("bybit"));
    assert_eq!(place.url, "wss://stream.bybit.com/v5/public/linear");
    assert_eq!(place.topics.len(), 20);
    assert_eq!(place.topics[0], "tickers.BTCUSDT");
    assert_eq!(place.topics[19], "allLiquidation.DOGEUSDT");
}

#[test]
fn the_rest_body_comes_first_and_whole() {
    let Some(captures) = captures() else { return };
    let folder = captures.join("bybit/cryptofeed-2026-linear");
    let mut source = tape::open(&folder).expect("a session");
    let first = source.next_record().expect("sound").expect("not empty");
    let Record::Rest {
        ring: 0,
        recv,
        request,
        body,
    } = first
    else {
        panic!("{:?} comes first", first.kind());
    };
    assert_eq!(recv, Nanos::new(1_786_310_818_223_514_800));
    assert_eq!(
        request,
        "/v5/market/instruments-info?category=linear&status=Trading&limit=1000"
    );
    assert_eq!(body.len(), 681_557);
}

/// A session as a tape is the same turns: frames, ticks, everything.
#[test]
fn a_session_written_as_a_tape_reads_the_same() {
    let Some(captures) = captures() else { return };
    let folder = captures.join("bybit/cryptofeed-2026-linear");
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("isotherm.tape");
    let mut writer = Writer::create(&path, &Header::default()).expect("a new file");
    let mut source = tape::open(&folder).expect("a session");
    while let Some(record) = source.next_record().expect("sound") {
        writer.append(&record).expect("written");
    }
    drop(writer.finish(End::default()).expect("closed"));
    assert!(
        Writer::create(&path, &Header::default()).is_err(),
        "overwritten"
    );

    let mut one = Ordered::open(&folder).expect("a session");
    let mut two = Ordered::open(dir.path()).expect("a tape");
    loop {
        let turn = one.next_turn().expect("sound");
        assert_eq!(turn, two.next_turn().expect("sound"));
        match turn {
            None => break,
            Some(Turn::Tick { .. }) => {}
            Some(Turn::Ring { ring, .. }) => assert_eq!(
                one.next_record(ring).expect("sound"),
                two.next_record(ring).expect("sound")
            ),
        }
    }
    assert_eq!(two.source().end(), Some(End::default()));
    let subscriptions = tape::subscriptions(&path).expect("a tape");
    assert_eq!(
        subscriptions,
        tape::subscriptions(&folder).expect("a session")
    );
}

#[test]
fn compressed_equals_plain() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut text = String::new();
    for n in 0..500 {
        let at = 1_000_000_000u64 + n * 3_000_000;
        text.push_str(&format!(
            "{{\"recv_ns\":{at},\"kind\":\"recv\",\"frame\":\"{{\\\"n\\\":{n}}}\"}}\n"
        ));
    }
    let plain = dir.path().join("session.recv.jsonl");
    fs::write(&plain, &text).expect("written");
    let zst = dir.path().join("other.jsonl.zst");
    fs::write(&zst, zstd::encode_all(text.as_bytes(), 3).expect("packed")).expect("written");
    let mut one = Ordered::open(&plain).expect("plain");
    let mut two = Ordered::open(&zst).expect("compressed");
    let counts = count(&mut one);
    assert_eq!(counts, count(&mut two));
    assert_eq!(counts.0[Kind::Frame as usize], 500);

    // A tape too.
    let mut writer = Writer::new(Vec::new(), &Header::default()).expect("head");
    let record = Record::Frame {
        ring: 0,
        recv: Nanos::SECOND,
        bytes: b"{}",
    };
    writer.append(&record).expect("written");
    let tape = writer.finish(End::default()).expect("closed");
    let path = dir.path().join("a.tape.zst");
    fs::write(&path, zstd::encode_all(tape.as_slice(), 3).expect("packed")).expect("written");
    let mut source = tape::open(&path).expect("compressed");
    assert_eq!(source.next_record().expect("sound"), Some(record));
}

#[test]
fn a_bad_line_is_named_by_file_and_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("session.recv.jsonl");
    fs::write(&path, "{\"recv_ns\":5,\"frame\":\"a\"}\n{\"recv_ns\":6\n").expect("written");
    let mut source = tape::open(dir.path()).expect("opens");
    assert!(source.next_record().is_ok());
    let error = source.next_record().expect_err("malformed").to_string();
    assert!(error.contains("session.recv.jsonl:2: "), "{error}");
}

#[test]
fn an_empty_folder_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let error = tape::open(dir.path()).expect_err("empty").to_string();
    assert!(error.contains("no tape and no session"), "{error}");
}
