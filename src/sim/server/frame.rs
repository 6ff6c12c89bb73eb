//! Frame: websocket frames as a server writes and reads them (RFC 6455), bytes to values and back.
//!
//! Written anew and not taken from `wire`: the exchange is an independent twin of its client, so a
//! mistake on one side shows on the other. Frames of a client must be masked; texts may come in
//! parts; nothing above [`TEXT_MAX`] is taken.

/// Opcode of a text.
pub(super) const TEXT: u8 = 1;
/// Opcode of a close.
pub(super) const CLOSE: u8 = 8;
/// Opcode of a ping.
pub(super) const PING: u8 = 9;
/// Opcode of a pong.
pub(super) const PONG: u8 = 10;

/// Bytes of a client's message at most.
pub(super) const TEXT_MAX: usize = 64 << 10;

/// Adds the head of a whole frame of `len` bytes.
pub(super) fn head(opcode: u8, len: usize, out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match len {
        0..=125 => out.push(len as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// A whole frame.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 10);
    head(opcode, payload.len(), &mut out);
    out.extend_from_slice(payload);
    out
}

/// A frame of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// 0 goes on with the message before.
    pub(super) opcode: u8,
    pub(super) is_last: bool,
    pub(super) payload: Vec<u8>,
}

/// Reads a frame of a client from the beginning of `bytes`, with the bytes it takes; `Ok(None)` when
/// not all is there yet, `Err` when this is no frame a client may send.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Heard, usize)>, ()> {
    let [first, second, ..] = *bytes else {
        return Ok(None);
    };
    if first & 0x70 != 0 || second & 0x80 == 0 {
        return Err(());
    }
    let (len, at) = match second & 0x7f {
        126 => match bytes.get(2..4) {
            Some(&[a, b]) => (usize::from(u16::from_be_bytes([a, b])), 4),
            _ => return Ok(None),
        },
        127 => return Err(()),
        len => (usize::from(len), 2),
    };
    if len > TEXT_MAX {
        return Err(());
    }
    let Some(mask) = bytes.get(at..at + 4) else {
        return Ok(None);
    };
    let Some(masked) = bytes.get(at + 4..at + 4 + len) else {
        return Ok(None);
    };
    let payload = masked.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m);
    let heard = Heard {
        opcode: first & 0x0f,
        is_last: first & 0x80 != 0,
        payload: payload.collect(),
    };
    Ok(Some((heard, at + 4 + len)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::frame::FrameHeader;

    #[test]
    fn heads_are_what_another_reader_makes_of_them() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 10_000_000] {
            let mut out = Vec::new();
            head(TEXT, len, &mut out);
            let mut cursor = std::io::Cursor::new(&out);
            let (read, said) = FrameHeader::parse(&mut cursor).unwrap().unwrap();
            assert_eq!((said, read.is_final, read.mask), (len as u64, true, None));
            assert_eq!(u8::from(read.opcode), TEXT);
            assert_eq!(cursor.position(), out.len() as u64);
        }
    }

    #[test]
    fn a_masked_frame_is_read_when_it_is_whole_and_others_are_refused() {
        for len in [0usize, 5, 125, 126, 300] {
            let text: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let mut bytes = Vec::new();
            head(TEXT, len, &mut bytes);
            bytes[1] |= 0x80;
            bytes.extend_from_slice(&[1, 2, 3, 4]);
            bytes.extend(
                text.iter()
                    .enumerate()
                    .map(|(n, b)| b ^ [1, 2, 3, 4][n % 4]),
            );
            for cut in 0..bytes.len() {
                assert_eq!(parse(&bytes[..cut]), Ok(None), "{len} {cut}");
            }
            let (heard, taken) = parse(&bytes).unwrap().unwrap();
            assert_eq!((heard.payload, taken), (text, bytes.len()));
        }
        assert_eq!(parse(&[0x81, 0x05, b'p']), Err(()));
        assert_eq!(parse(&[0xc1, 0x85]), Err(()));
        assert_eq!(parse(&[0x81, 0xff]), Err(()));
    }
}
