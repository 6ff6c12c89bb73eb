//! Hostile bytes as a checkpoint, as they are and sealed with the right head and checksum: never a panic.
//!
//! Sealed: what stands before the first zero is the meta, what stands behind it the body.
#![no_main]

mod seal;

use isotherm::checkpoint::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = parse(bytes);
    let split = bytes.iter().position(|&byte| byte == 0);
    let (meta, body) = bytes.split_at(split.unwrap_or(bytes.len()));
    let body = body.get(1..).unwrap_or_default();
    let mut whole = b"ISOCKPT\0\x01\0\0\0".to_vec();
    whole.extend_from_slice(&(meta.len() as u32).to_le_bytes());
    whole.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let crc = seal::crc(&[&whole, &[0; 4], meta, body]);
    whole.extend_from_slice(&crc.to_le_bytes());
    whole.extend_from_slice(&[0; 4]);
    whole.extend_from_slice(meta);
    whole.extend_from_slice(body);
    if let Err(why) = parse(&whole) {
        assert!(!why.contains("checksum") && !why.contains("lengths"), "{why}");
    }
});
