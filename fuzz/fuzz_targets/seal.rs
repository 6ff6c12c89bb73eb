//! Seal: the checksum that a hostile file has right.

/// CRC-32 (the one of Ethernet), bit by bit.
pub fn crc(parts: &[&[u8]]) -> u32 {
    let mut crc = !0u32;
    for byte in parts.iter().copied().flatten() {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ 0xedb8_8320 * (crc & 1);
        }
    }
    !crc
}
