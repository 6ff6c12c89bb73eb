//! Tests of `file`.

use super::record::head_of;
use super::*;
use crate::tape::{Error, Header, Record, RingPlan, RunPlan};
use proptest::prelude::*;

fn header() -> Header {
    Header {
        created: Nanos::new(1_786_310_818_223_514_800),
        journalled: true,
        plan: RunPlan {
            symbols: vec!["BTC".to_owned(), "ETH".to_owned()],
            rings: vec![RingPlan {
                venue: "bybit".to_owned(),
                url: "ws://127.0.0.1:9001/v5/public/linear".to_owned(),
                rest: "http://127.0.0.1:9001".to_owned(),
            }],
            model: [("psi".to_owned(), "0.3".to_owned())].into(),
            ..RunPlan::default()
        },
        continues: true,
        run: 77,
        segment: 3,
    }
}

fn small() -> Vec<Record<'static>> {
    let recv = Nanos::seconds(1_000);
    vec![
        Record::Connect {
            ring: 0,
            recv,
            url: "ws://127.0.0.1:9001/v5/public/linear",
        },
        Record::Sent {
            ring: 0,
            at: recv,
            bytes: br#"{"op":"subscribe","args":["tickers.BTCUSDT"]}"#,
        },
        Record::Rest {
            ring: 0,
            recv,
            request: "/v5/market/time",
            body: b"{\"a\":\n1}",
        },
        Record::Frame {
            ring: 1,
            recv,
            bytes: b"{}",
        },
        Record::Ticks {
            first: recv,
            count: 3,
        },
        Record::Order { ring: 1, groups: 1 },
        Record::Disconnect {
            ring: 1,
            recv,
            reason: "closed",
        },
        Record::Events {
            ring: 2,
            recv,
            bytes: &[7; 128],
        },
    ]
}

const CLOSE: End = End {
    at: Nanos::seconds(1_001),
    input_seq: 5,
    state_hash: 0xdead_beef,
};

fn tape(records: &[Record<'_>], end: Option<End>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    for record in records {
        writer.append(record).unwrap();
    }
    match end {
        Some(end) => writer.finish(end).unwrap(),
        None => std::mem::take(writer.out()),
    }
}

/// Everything a reader says, as one comparable text.
fn read(bytes: &[u8]) -> Result<(Vec<String>, u64, Option<End>), Error> {
    let mut reader = Reader::new("t", bytes)?;
    assert_eq!(reader.header(), &header());
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push(format!("{record:?}"));
    }
    Ok((records, reader.torn(), reader.end()))
}

fn said(records: &[Record<'_>]) -> Vec<String> {
    records.iter().map(|record| format!("{record:?}")).collect()
}

#[test]
fn what_was_written_is_read() {
    let bytes = tape(&small(), Some(CLOSE));
    let (mut records, torn, end) = read(&bytes).unwrap();
    assert_eq!(records.pop(), Some(format!("{:?}", Record::End(CLOSE))));
    assert_eq!(records, said(&small()));
    assert_eq!((torn, end), (0, Some(CLOSE)));
}

#[test]
fn every_cut_is_a_torn_end_and_loses_only_the_cut_record() {
    let records = small();
    let whole = tape(&records, Some(CLOSE));
    let head = tape(&[], None).len();
    // Where each record ends.
    let mut ends = vec![head];
    for n in 1..=records.len() {
        ends.push(tape(&records[..n], None).len());
    }
    for cut in 0..whole.len() {
        let read = read(&whole[..cut]);
        if cut < head {
            assert!(matches!(read, Err(Error::Header { .. })), "cut at {cut}");
            continue;
        }
        let (got, torn, end) = read.unwrap();
        let kept = ends.iter().rposition(|end| *end <= cut).unwrap();
        assert_eq!(got, said(&records[..kept]), "cut at {cut}");
        assert_eq!(torn, (cut - ends[kept]) as u64, "cut at {cut}");
        assert_eq!(end, None, "cut at {cut}");
    }
}

#[test]
fn every_flipped_bit_is_caught() {
    let whole = tape(&small(), Some(CLOSE));
    let last = tape(&small(), None).len();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            match read(&bytes) {
                Err(Error::Header { .. }) => assert!(at < tape(&[], None).len()),
                // Nothing good stands behind the last record: a torn end.
                Ok((_, torn, end)) => {
                    assert!(at >= last, "flip at {at}.{bit} was not seen");
                    assert_eq!((torn, end), ((whole.len() - last) as u64, None));
                }
                Err(Error::Damaged { at: found, .. }) => {
                    assert!(
                        found <= at as u64 && at < last,
                        "flip at {at}, said {found}"
                    );
                }
                Err(other) => panic!("flip at {at}.{bit}: {other}"),
            }
        }
    }
}

#[test]
fn damage_names_the_record_it_is_in() {
    let records = small();
    let mut bytes = tape(&records, Some(CLOSE));
    let at = tape(&records[..2], None).len();
    bytes[at + RECORD_BYTES + 3] ^= 1;
    let text = read(&bytes).unwrap_err().to_string();
    assert_eq!(
        text,
        format!("t: damaged at byte {at}: a checksum or length fails, and records follow")
    );
}

#[test]
fn a_missing_record_is_seen_at_the_end() {
    let records = small();
    let whole = tape(&records, Some(CLOSE));
    let (from, to) = (
        tape(&records[..3], None).len(),
        tape(&records[..4], None).len(),
    );
    let bytes = [&whole[..from], &whole[to..]].concat();
    assert!(matches!(read(&bytes), Err(Error::Damaged { .. })));
}

#[test]
fn a_kind_of_the_future_is_not_damage() {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    writer.append(&small()[3]).unwrap();
    let at = tape(&[], None).len();
    let mut bytes = std::mem::take(writer.out());
    bytes[at + 2] = 77;
    let crc = crc_of(&[&bytes[at..at + 8], &bytes[at + 12..]]);
    bytes[at + 8..at + 12].copy_from_slice(&crc.to_le_bytes());
    assert!(matches!(
        read(&bytes),
        Err(Error::Newer { kind: 77, at: found, .. }) if found == at as u64
    ));
}

#[test]
fn what_cannot_be_read_back_is_not_written() {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    let recv = Nanos::SECOND;
    for record in [
        Record::Rest {
            ring: 0,
            recv,
            request: "/a\nb",
            body: b"",
        },
        Record::Ticks {
            first: recv,
            count: 0,
        },
        Record::Order { ring: 0, groups: 0 },
        Record::End(End::default()),
        Record::Next {
            at: recv,
            segment: 2,
        },
        Record::Hole { at: recv, why: "" },
        Record::Events {
            ring: 0,
            recv,
            bytes: &[0; 65],
        },
    ] {
        assert!(writer.append(&record).is_err(), "{record:?}");
    }
    assert_eq!(writer.counts(), &[0; KINDS]);
}

/// A tape of version 1 as it was written then.
fn first_version(records: &[Record<'_>]) -> Vec<u8> {
    let now = tape(records, Some(CLOSE));
    let head = tape(&[], None).len();
    let end = tape(records, None).len();
    let mut old = now[..HEAD_SHARED].to_vec();
    old[8] = 1;
    old[12] = 1;
    let plan = &now[HEAD_BYTES..head];
    let crc = crc_of(&[&old[..28], plan]);
    old[28..32].copy_from_slice(&crc.to_le_bytes());
    old.extend_from_slice(plan);
    old.extend_from_slice(&now[head..end]);
    let payload = &now[end + RECORD_BYTES..end + RECORD_BYTES + END_BYTES + 8 * 9];
    let close = Record::End(CLOSE);
    old.extend_from_slice(&head_of(&close, &[payload], payload.len()));
    old.extend_from_slice(payload);
    old
}

#[test]
fn version_1_is_read() {
    let records = &small()[..7];
    let mut reader = Reader::new("t", std::io::Cursor::new(first_version(records))).unwrap();
    let head = Header {
        continues: false,
        run: 0,
        segment: 0,
        ..header()
    };
    assert_eq!(reader.header(), &head);
    for record in records {
        assert_eq!(reader.next_record().unwrap().as_ref(), Some(record));
    }
    assert_eq!(reader.next_record().unwrap(), Some(Record::End(CLOSE)));
    assert_eq!(reader.next_record().unwrap(), None);
    assert_eq!((reader.torn(), reader.end()), (0, Some(CLOSE)));
}

#[test]
fn a_full_segment_and_a_hole_close_the_file() {
    let at = Nanos::SECOND;
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    writer.append(&small()[3]).unwrap();
    writer.turn_over(at, 4).unwrap();
    let full = std::mem::take(writer.out());
    let hole = [tape(&small()[..1], None), hole_bytes(at, "no room")].concat();
    let why = "no room".to_owned();
    for (bytes, closing) in [(full, Closing::Next(4)), (hole, Closing::Hole { at, why })] {
        let mut reader = Reader::new("t", bytes.as_slice()).unwrap();
        while reader.next_record().unwrap().is_some() {}
        assert_eq!(reader.closing(), Some(&closing));
        assert_eq!((reader.torn(), reader.offset()), (0, bytes.len() as u64));
        let more = [bytes.clone(), hole_bytes(at, "")].concat();
        assert!(matches!(read(&more), Err(Error::Damaged { at, .. }) if at == bytes.len() as u64));
    }
}

#[test]
fn behind_damage_reading_can_go_on() {
    let records = small();
    let mut bytes = tape(&records, Some(CLOSE));
    let at = tape(&records[..2], None).len();
    bytes[at + RECORD_BYTES + 3] ^= 1;
    let mut reader = Reader::new("t", bytes.as_slice()).unwrap();
    let (mut whole, mut faults) = (0, Vec::new());
    loop {
        match reader.next_record() {
            Ok(Some(_)) => whole += 1,
            Ok(None) => break,
            Err(Error::Damaged { at, .. }) => {
                faults.push(at);
                reader.pass();
            }
            Err(other) => panic!("{other}"),
        }
    }
    // The damaged record, and the End that counts it.
    assert_eq!(whole, records.len() - 1);
    let end = tape(&records, None).len();
    assert_eq!(faults, [at as u64, end as u64]);
    assert_eq!(reader.end(), Some(CLOSE));
}

#[test]
fn records_behind_the_end_are_passed_one_by_one() {
    let at = Nanos::new(5);
    let bytes = [
        tape(&small(), Some(CLOSE)),
        hole_bytes(at, ""),
        hole_bytes(at, ""),
    ]
    .concat();
    let mut reader = Reader::new("t", bytes.as_slice()).unwrap();
    let mut faults = 0;
    loop {
        match reader.next_record() {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(_) => {
                faults += 1;
                assert!(faults <= 2, "the same record again and again");
                reader.pass();
            }
        }
    }
    assert_eq!((faults, reader.offset()), (2, bytes.len() as u64));
}

#[test]
fn whole_records_are_told_from_a_torn_one() {
    let bytes = &tape(&small(), None)[tape(&[], None).len()..];
    let first = tape(&small()[..1], None).len() - tape(&[], None).len();
    assert_eq!(whole_records(bytes), bytes.len());
    assert_eq!(whole_records(&bytes[..first]), first);
    assert_eq!(whole_records(&bytes[..first + 30]), first);
    assert_eq!(whole_records(&bytes[..first - 1]), 0);
}

proptest! {
    #[test]
    fn any_records_survive_the_file(
        seeds in prop::collection::vec(
            (
                1u8..9,
                any::<u8>(),
                any::<i64>(),
                prop::collection::vec(any::<u8>(), 0..300),
                1u32..,
            ),
            0..40,
        ),
        tail in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let texts: Vec<String> = seeds
            .iter()
            .map(|seed| String::from_utf8_lossy(&seed.3).replace('\n', " "))
            .collect();
        let records: Vec<Record<'_>> = seeds
            .iter()
            .zip(&texts)
            .map(|((kind, ring, at, bytes, count), text)| {
                let (ring, recv) = (*ring, Nanos::new(*at));
                match kind {
                    1 => Record::Frame { ring, recv, bytes },
                    2 => Record::Sent { ring, at: recv, bytes },
                    3 => Record::Connect { ring, recv, url: text },
                    4 => Record::Disconnect { ring, recv, reason: text },
                    5 => Record::Rest { ring, recv, request: text, body: bytes },
                    6 => Record::Ticks { first: recv, count: *count },
                    8 => Record::Events { ring, recv, bytes: &[1; 192] },
                    _ => Record::Order { ring, groups: *count },
                }
            })
            .collect();
        let (got, torn, _) = read(&tape(&records, None)).unwrap();
        prop_assert_eq!(&got, &said(&records));
        prop_assert_eq!(torn, 0);
        // Rubbish behind it is a torn end and takes nothing with it.
        let dirty = [tape(&records, None), tail.clone()].concat();
        let (got, torn, _) = read(&dirty).unwrap();
        prop_assert_eq!(got, said(&records));
        prop_assert_eq!(torn, tail.len() as u64);
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let whole = [tape(&small(), None), bytes.clone()].concat();
        drop(read(&whole));
        if let Ok(mut reader) = Reader::new("t", bytes.as_slice()) {
            while let Ok(Some(_)) = reader.next_record() {}
        }
    }
}
