//! Frames and answers that are cut or bent: a fault or the same on all roads, never a panic, and nothing left behind.

use super::*;
use isotherm::wire::{Frame, SLACK};

#[test]
fn every_truncation_of_a_frame_faults_and_leaves_nothing_behind() {
    for row in ROWS {
        for channel in row.channels {
            let mut roads = Roads::new(row, channel.before);
            for len in 0..channel.frame.len() {
                let cut = &channel.frame.as_bytes()[..len];
                assert_eq!(
                    roads.decode(cut),
                    Err(FaultKind::NotJson),
                    "{}",
                    &channel.frame[..len]
                );
            }
            assert_untouched(row, &roads);
        }
    }
}

/// None of the decoders remembers anything else than before.
fn assert_untouched(row: &Row, roads: &Roads) {
    for (which, decoder) in roads.decoders.iter().enumerate() {
        let mut now = Vec::new();
        decoder.remember(&mut now);
        assert!(
            now == roads.memory,
            "{}: decoder {which} kept something of a bad frame",
            row.venue
        );
    }
}

#[test]
fn a_flipped_bit_is_a_fault_or_means_the_same_on_every_road() {
    for row in ROWS {
        for channel in row.channels {
            let mut roads = Roads::new(row, channel.before);
            let (want, _) = roads.afresh(channel.frame.as_bytes()).unwrap();
            let shape = |got: &Got| -> Vec<_> {
                got.events
                    .iter()
                    .map(|e| (e.kind(), e.symbol, e.venue, e.recv))
                    .collect()
            };
            let mut bad = Vec::new();
            roads.restore();
            for at in 0..channel.frame.len() * 8 {
                let mut bytes = channel.frame.as_bytes().to_vec();
                bytes[at / 8] ^= 1 << (at % 8);
                let Ok((got, _)) = roads.decode(&bytes) else {
                    bad.push(bytes);
                    continue;
                };
                roads.restore();
                // A flipped digit may be another number, but never another kind of thing; a flipped key or id may leave
                // something out, or break the chain.
                let known = shape(&want);
                let is_known = |at: usize, event| known.contains(event) || (at == 0 && got.gap);
                let told = shape(&got);
                let text = String::from_utf8_lossy(&bytes);
                assert!(
                    told.iter()
                        .enumerate()
                        .all(|(at, event)| is_known(at, event)),
                    "{}: {text}",
                    row.venue
                );
            }
            assert!(bad.len() > 100, "{}", bad.len());
            roads.restore();
            for bytes in &bad {
                assert!(roads.decode(bytes).is_err());
            }
            assert_untouched(row, &roads);
        }
    }
}

/// A name with zeros behind it is another name, and no JSON: found by fuzzing.
#[test]
fn a_text_with_zeros_behind_is_another_text() {
    for row in ROWS {
        for channel in row.channels {
            let mut roads = Roads::new(row, channel.before);
            let frame = channel.frame.as_bytes();
            for at in (1..frame.len()).filter(|&at| frame[at] == b'"' && frame[at - 1] != b'"') {
                for zeros in [1, 3, 9] {
                    let mut bytes = frame[..at].to_vec();
                    bytes.resize(at + zeros, 0);
                    bytes.extend(&frame[at..]);
                    let said = roads.decode(&bytes);
                    // Opening quotes are met too: there it stands between signs.
                    assert!(
                        said.is_err(),
                        "{}: {}",
                        row.venue,
                        String::from_utf8_lossy(&bytes)
                    );
                }
            }
            assert_untouched(row, &roads);
        }
    }
}

#[test]
fn what_lies_in_the_slack_does_not_matter() {
    let fills: [&[u8]; 6] = [
        b"\0",
        b"\"",
        b"0123456789",
        b"],[\"1.0\",\"",
        br#"}}],"st":1}}"#,
        br#","seq":1}]}},"cts":1790000000098}"#,
    ];
    for row in ROWS {
        for channel in row.channels {
            let mut roads = Roads::new(row, channel.before);
            for fill in fills {
                roads.restore();
                let decoder = &mut roads.decoders[0];
                // One byte short, with the missing byte in the slack.
                for short in (channel.frame.len() - 3..channel.frame.len()).rev() {
                    let mut bytes = channel.frame.as_bytes().to_vec();
                    bytes.extend([b' '; SLACK]);
                    let cut = Frame::new(&mut bytes, short).unwrap();
                    assert!(decoder.decode(RECV, cut).is_err());
                }
                let mut bytes = channel.frame.as_bytes().to_vec();
                bytes.extend(fill.iter().cycle().take(SLACK));
                let whole = Frame::new(&mut bytes, channel.frame.len()).unwrap();
                let said = decoder.decode(RECV, whole).unwrap();
                let told: Vec<_> = said.events.iter().map(|event| told(row, event)).collect();
                assert_eq!(told, channel.told, "{}", channel.frame);
            }
        }
    }
}

#[test]
fn a_cut_answer_faults_and_one_that_refuses_is_told() {
    for row in ROWS {
        let mut decoder = row.decoder();
        let mut memory = Vec::new();
        decoder.remember(&mut memory);
        for answer in row.answers {
            let request = texts::filled(row, answer.request);
            for len in
                (0..answer.body.trim_end().len()).filter(|&len| answer.body.is_char_boundary(len))
            {
                let said = decoder.rest(RECV, &request, &answer.body.as_bytes()[..len]);
                let kind = said.err().map(|fault| fault.kind);
                assert!(kind.is_some(), "{request} {}", &answer.body[..len]);
            }
            let fault = decoder
                .rest(RECV, &request, row.refusing.as_bytes())
                .unwrap_err();
            assert_eq!(fault.kind, FaultKind::Refused, "{request}");
            assert!(decoder.rest(RECV, &request, b"<html>").is_err());
            assert!(decoder.rest(RECV, &request, b"").is_err());
            assert_eq!(
                (row.venue().next_page)(&request, row.refusing.as_bytes()),
                None
            );
            assert_eq!(
                (row.venue().refusal)(answer.body.as_bytes()),
                None,
                "{request}"
            );
        }
        assert!(
            (row.venue().refusal)(row.refusing.as_bytes()).is_some_and(|said| !said.is_empty())
        );
        let other = decoder.rest(RECV, "/nowhere", row.answers[0].body.as_bytes());
        assert!(other.is_err(), "{}: {other:?}", row.venue);
        let mut now = Vec::new();
        decoder.remember(&mut now);
        assert!(
            now == memory,
            "{}: something of a bad answer was kept",
            row.venue
        );
    }
}
