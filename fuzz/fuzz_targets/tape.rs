//! Hostile bytes as a tape, as they are and as records whose checksums hold: never a panic, never more than was given,
//! and the same records however the bytes arrive.
//!
//! Sealed: rows of kind, ring, length and payload behind a good head; a length above 240 puts garbage between.
#![no_main]

mod seal;

use isotherm::tape::{Header, Reader, Writer};
use libfuzzer_sys::fuzz_target;
use std::io::Read;

/// Gives so many bytes at a time.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(self.1);
        self.0.read(&mut into[..most])
    }
}

/// What is read, going on behind damage; and how far it went.
fn heard(input: impl Read) -> (Vec<String>, u64) {
    let mut reader = match Reader::new("fuzzed", input) {
        Ok(reader) => reader,
        Err(error) => return (vec![error.to_string()], 0),
    };
    let mut heard = Vec::new();
    loop {
        match reader.next_record() {
            Ok(Some(record)) => heard.push(format!("{record:?}")),
            Ok(None) => break,
            Err(error) => {
                heard.push(error.to_string());
                reader.pass();
            }
        }
    }
    heard.push(format!("{:?} {}", reader.closing(), reader.torn()));
    (heard, reader.offset())
}

fn check(bytes: &[u8]) {
    let whole = heard(bytes);
    assert!(whole.1 <= bytes.len() as u64);
    assert_eq!(heard(Drops(bytes, 7)), whole);
}

fn sealed(mut rows: &[u8]) -> Vec<u8> {
    let mut tape = Vec::new();
    let mut writer = Writer::new(&mut tape, &Header::default()).expect("memory takes it");
    writer.flush().expect("memory takes it");
    drop(writer);
    while let [kind, ring, len, rest @ ..] = rows {
        let (payload, behind) = rest.split_at(usize::from(*len).min(rest.len()));
        rows = behind;
        if *len > 240 {
            tape.extend_from_slice(payload);
            continue;
        }
        let mut head = vec![0xfd, 0xa5, kind % 16, *ring];
        head.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        let stamp = 1_790_000_000_000_000_000u64.to_le_bytes();
        let crc = seal::crc(&[&head, &stamp, payload]).to_le_bytes();
        tape.extend(head.iter().chain(&crc).chain(&stamp).chain(payload));
    }
    tape
}

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    check(&sealed(bytes));
});
