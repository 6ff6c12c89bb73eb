//! Tests of `writer`.

use super::*;
use crate::shm::page::{COUNTERS, Header, MAX_SYMBOLS};
use crate::shm::place;
use crate::shm::reader::{Freshness, PageReader, ReadFault, freshness};
use crate::shm::record::{bytes_of, verdict};
use bytemuck::Zeroable as _;
use std::os::unix::fs::MetadataExt as _;

fn symbols() -> Vec<String> {
    vec!["BTC".into(), "ETH".into()]
}

#[test]
fn a_reader_sees_what_was_published_and_who_published_it() {
    let dir = place();
    let path = dir.path().join("page");
    let mut writer =
        PageWriter::create_with_lots(&path, &[("BTC", 1), ("PEPE", 1000)], "test 1").unwrap();
    let reader = PageReader::open(&path).unwrap();
    assert_eq!(
        (reader.find("PEPE"), reader.symbols()[1].lot),
        (Some(1), 1000)
    );
    assert_eq!(reader.headline(1, 2).unwrap(), Headline::zeroed());

    let record = Headline {
        bias: -42,
        confidence: 7,
        ..Headline::zeroed()
    };
    writer.stamp(Nanos::new(55));
    writer.headline(1, 2, &record);
    let got = reader.headline(1, 2).unwrap();
    assert_eq!(
        got,
        Headline {
            publish_mono_ns: 55,
            ..record
        }
    );
    assert_eq!(reader.headline(0, 2).unwrap(), Headline::zeroed());
    assert_eq!(reader.headline_turns(1, 2).unwrap(), 1);

    let record = Wide {
        mark_e10: 9,
        publish_mono_ns: 77,
        ..Wide::zeroed()
    };
    writer.wide(0, &record);
    assert_eq!(reader.wide(0).unwrap(), record, "its own stamp stays");
    assert!(matches!(reader.wide(2), Err(ReadFault::NoSuchRecord)));
    assert!(matches!(
        reader.headline(0, 3),
        Err(ReadFault::NoSuchRecord)
    ));

    writer.heartbeat(Nanos::new(1_000), 12, 34);
    writer.status(status::LIVE);
    writer.kill(1, 5);
    writer.venues_up(3);
    writer.hashes(8, 9);
    writer.counter(counter::GAPS, 4);
    writer.counter(usize::MAX, 4);
    let header = reader.header().unwrap();
    assert_eq!(
        (
            header.heartbeat_mono_ns,
            header.input_seq,
            header.state_hash
        ),
        (1_000, 12, 34)
    );
    assert_eq!(header.heartbeat_age(Nanos::new(1_500)), Nanos::new(500));
    assert_eq!(
        (header.status, header.kill, header.kill_reason),
        (status::LIVE | status::HALT, 1, 5)
    );
    assert_eq!(
        (header.venues_up, header.config_hash, header.model_hash),
        (3, 8, 9)
    );
    assert_eq!(header.build_text(), "test 1");
    assert_eq!(header.pid, u64::from(std::process::id()));
    let counters = reader.counters();
    assert_eq!(counters.len(), COUNTERS.len());
    assert_eq!((counters[3].name.as_str(), counters[3].value), ("gaps", 4));
    assert_eq!(counters[counter::HEADLINES].value, 1);
}

#[test]
fn venues_and_errors_are_written_by_whoever_holds_the_margin() {
    let dir = place();
    let path = dir.path().join("page");
    let venues = [("okx", 3), ("bybit", 2)];
    let mut writer = PageWriter::create_with(&path, &[("BTC", 1)], &venues, "x").unwrap();
    let reader = PageReader::open(&path).unwrap();
    assert_eq!(reader.venue(0).unwrap(), VenueRecord::new("okx", 3));
    assert_eq!(reader.venue(1).unwrap().name_text(), "bybit");
    assert!(matches!(reader.venue(2), Err(ReadFault::NoSuchRecord)));
    let record = VenueRecord {
        frames: 9,
        ..VenueRecord::new("okx", 3)
    };
    writer.venue(0, &record);
    writer.venue(2, &record);
    assert_eq!(reader.venue(0).unwrap(), record);
    assert_eq!(reader.error(0).unwrap(), ErrorRecord::zeroed());
    let margin = writer.take_margin().unwrap();
    assert!(writer.take_margin().is_none());
    writer.venue(1, &record);
    assert_eq!(
        reader.venue(1).unwrap(),
        VenueRecord::new("bybit", 2),
        "given away"
    );
    let error = ErrorRecord {
        count: 1,
        text: bytes_of("full"),
        ..ErrorRecord::zeroed()
    };
    std::thread::spawn(move || {
        margin.error(64, &error);
        margin.error(65, &error);
        margin
    })
    .join()
    .unwrap();
    assert_eq!(reader.error(64).unwrap().texts()[2], "full");
    assert!(matches!(reader.error(65), Err(ReadFault::NoSuchRecord)));
    drop(writer);
    assert!(matches!(reader.venue(0), Err(ReadFault::Gone)));
    let many = vec![("okx", 3); MAX_VENUES + 1];
    let answer = PageWriter::create_with(&path, &[("BTC", 1)], &many, "x");
    assert!(matches!(answer, Err(PageError::Venues(17))), "{answer:?}");
}

#[test]
fn a_live_page_is_refused_and_a_dead_one_replaced() {
    let dir = place();
    let path = dir.path().join("page");
    let first = PageWriter::create(&path, &symbols(), "one").unwrap();
    match PageWriter::create(&path, &symbols(), "two") {
        Err(PageError::Live { pid, .. }) => assert_eq!(pid, u64::from(std::process::id())),
        other => panic!("{other:?}"),
    }
    let reader = PageReader::open(&path).unwrap();
    // What kill -9 leaves behind: the file with its magic, and no lock.
    let bytes = fs::read(&path).unwrap();
    drop(first);
    assert!(matches!(reader.headline(0, 0), Err(ReadFault::Gone)));
    assert!(!path.exists() && reader.is_replaced());
    fs::write(&path, &bytes).unwrap();
    let reader = PageReader::open(&path).unwrap();
    assert!(reader.headline(0, 0).is_ok());
    let second = PageWriter::create(&path, &symbols(), "three").unwrap();
    assert!(
        matches!(reader.headline(0, 0), Err(ReadFault::Gone)),
        "the old page was retired"
    );
    let again = PageReader::open(&path).unwrap();
    assert_ne!(again.epoch(), reader.epoch());
    assert_eq!(again.header().unwrap().build_text(), "three");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    drop(second);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn a_writer_leaves_its_successors_page_alone() {
    let dir = place();
    let path = dir.path().join("page");
    let first = PageWriter::create(&path, &symbols(), "one").unwrap();
    fs::remove_file(&path).unwrap();
    let second = PageWriter::create(&path, &symbols(), "two").unwrap();
    drop(first);
    assert!(PageReader::open(&path).is_ok());
    drop(second);
    assert!(!path.exists());
}

#[test]
fn another_file_is_never_overwritten() {
    let dir = place();
    let path = dir.path().join("page");
    for bytes in [vec![], b"precious".to_vec(), vec![1; 8192]] {
        fs::write(&path, &bytes).unwrap();
        let answer = PageWriter::create(&path, &symbols(), "x");
        assert!(matches!(answer, Err(PageError::NotAPage(_))), "{answer:?}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn symbols_that_no_reader_would_believe_are_refused() {
    let dir = place();
    let path = dir.path().join("page");
    for bad in [
        vec![],
        vec![("", 1)],
        vec![("SEVENTEEN_LETTERS", 1)],
        vec![("B C", 1)],
        vec![("BTC", 1), ("BTC", 1)],
        vec![("BTC", 0)],
        vec![("BTC", 1); MAX_SYMBOLS + 1],
    ] {
        let answer = PageWriter::create_with_lots(&path, &bad, "x");
        assert!(matches!(answer, Err(PageError::Symbols(_))), "{answer:?}");
    }
    assert!(PageWriter::create_with_lots(&path, &[("SIXTEEN_LETTERS_", 1)], "x").is_ok());
}

#[test]
fn a_headline_lives_only_while_it_and_its_engine_do() {
    let at = |ms: i64| Nanos::millis(ms);
    let header = Header {
        status: status::LIVE,
        heartbeat_mono_ns: at(1_000).get(),
        ..Header::zeroed()
    };
    let headline = Headline {
        publish_mono_ns: at(990).get(),
        ttl_ms: 50,
        verdict: verdict::NEUTRAL,
        ..Headline::zeroed()
    };
    let is = |header: &Header, headline: &Headline, now| freshness(header, headline, at(now));
    assert_eq!(is(&header, &headline, 1_000), Freshness::Live);
    assert_eq!(is(&header, &headline, 1_040), Freshness::Live);
    assert_eq!(
        is(&header, &headline, 999),
        Freshness::Live,
        "within the clocks' skew"
    );
    assert_eq!(is(&header, &headline, 1_041), Freshness::Expired);
    assert_eq!(is(&header, &headline, 1_101), Freshness::Silent);
    assert_eq!(
        is(&header, &headline, 998),
        Freshness::Silent,
        "a stamp ahead of the clock"
    );
    for bits in [
        0,
        status::WARMING,
        status::LIVE | status::HALT,
        status::LIVE | status::STALE,
    ] {
        let header = Header {
            status: bits,
            ..header
        };
        assert_eq!(is(&header, &headline, 1_000), Freshness::NotLive);
    }
    assert_eq!(is(&header, &Headline::zeroed(), 1_000), Freshness::NoData);
}
