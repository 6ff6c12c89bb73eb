//! Record: the record layer of one TLS connection behind its handshake, in place and without asking for memory.
//!
//! ```text
//!   0          plain          start              end                    ROOM
//!   | given ... | not yet given | unread records .. | free: read the socket here |
//! ```
//! The rustls library checks certificates, agrees on keys and derives new ones ([`super::shake`]); its own record
//! layer asks for memory with every record in either direction, so what follows the handshake is done here: nonces,
//! headers and tags by RFC 8446 5 (TLS 1.3) and RFC 5246 6.2, RFC 5288, RFC 7905 (TLS 1.2), the ciphers by the ring
//! library, opened where the bytes came to lie and copied once, to where the caller wants them.
//!
//! Besides data come session tickets (read over: a reconnect shakes hands anew), key updates (1.3; each derives keys
//! through rustls, which asks for memory a few times: once in hours) and alerts, all of which end the connection.
//! Whatever does not fit ends it as well, and an end stays. Bytes go in and out; no socket is known here.

use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::{ConnectionTrafficSecrets, ExtractedSecrets, ProtocolVersion, SupportedCipherSuite};
use std::ops::Range;

/// Room for records: several of the largest, so that a system call brings more than one.
pub(super) const ROOM: usize = 64 << 10;
/// Bytes of a record's header: type, version, length.
const HEADER: usize = 5;
/// Largest plain text of a record.
const PLAIN_MAX: usize = 16 << 10;
/// Largest body of a record, from RFC 5246 (RFC 8446 says less).
const BODY_MAX: usize = PLAIN_MAX + 2048;
/// Bytes of the tag behind a text.
const TAG: usize = 16;
/// Bytes of the nonce's explicit part in front of a text (TLS 1.2 with AES-GCM).
const EXPLICIT: usize = 8;
/// Room for what is sealed: one largest record, and answers to key updates.
const OUT: usize = HEADER + BODY_MAX + 2048;
// LIMIT: records in a row that bring no data (empty ones, tickets, key updates) before the peer is broken.
const FRUITLESS_MAX: u32 = 32;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
const HELLO_REQUEST: u8 = 0;
const TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;
/// A warning that nothing follows.
const CLOSE_NOTIFY: [u8; 2] = [1, 0];

/// Why a TLS connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The other side said that nothing follows.
    Closed,
    /// The other side sent an alert.
    Alert,
    /// A record is not what its tag says: changed on the way, or not for us.
    Spoiled,
    /// The other side breaks the rules, or does not speak TLS.
    Broken,
    /// The keys are used up and cannot be renewed (TLS 1.2).
    Exhausted,
}

impl Ended {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Closed => "closed by the other side (TLS)",
            Self::Alert => "ended by a TLS alert of the other side",
            Self::Spoiled => "a TLS record is spoiled",
            Self::Broken => "the other side breaks the rules of TLS",
            Self::Exhausted => "the TLS keys are used up",
        }
    }
}

/// How a version and cipher build nonce, header and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Type behind the text, zeros behind the type, header as it is sent authenticated.
    Tls13,
    /// Half of the nonce stands in front of the text.
    Gcm12,
    /// Nonce from the number of the record.
    Chacha12,
}

impl Form {
    const fn front(self) -> usize {
        match self {
            Self::Gcm12 => EXPLICIT,
            Self::Tls13 | Self::Chacha12 => 0,
        }
    }
}

/// The keys of one direction.
struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
    /// Number of the next record.
    number: u64,
    form: Form,
}

impl Keys {
    fn new(
        version: ProtocolVersion,
        number: u64,
        secrets: &ConnectionTrafficSecrets,
    ) -> Option<Self> {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&aead::AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&aead::AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
                (&aead::CHACHA20_POLY1305, key, iv)
            }
            _ => return None,
        };
        let form = match version {
            ProtocolVersion::TLSv1_3 => Form::Tls13,
            ProtocolVersion::TLSv1_2 if *algorithm == aead::CHACHA20_POLY1305 => Form::Chacha12,
            ProtocolVersion::TLSv1_2 => Form::Gcm12,
            _ => return None,
        };
        Some(Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).ok()?),
            iv: iv.as_ref().try_into().ok()?,
            number,
            form,
        })
    }

    /// The initial vector with the record's number over its last eight bytes.
    fn nonce(&self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, over) in nonce[4..].iter_mut().zip(self.number.to_be_bytes()) {
            *byte ^= over;
        }
        nonce
    }

    /// What TLS 1.2 authenticates besides the text: number, type, version, length of the text.
    fn header12(&self, kind: u8, len: usize) -> [u8; 13] {
        let mut header = [0; 13];
        header[..8].copy_from_slice(&self.number.to_be_bytes());
        header[8..].copy_from_slice(&header_of(kind, len));
        header
    }

    /// Opens one whole record in place: its type, and where its text lies in `record`.
    fn open(&mut self, record: &mut [u8]) -> Result<(u8, Range<usize>), Ended> {
        let front = self.form.front();
        let (header, body) = record
            .split_first_chunk_mut::<HEADER>()
            .ok_or(Ended::Broken)?;
        let sealed = body.len().checked_sub(front).ok_or(Ended::Spoiled)?;
        let len = sealed.checked_sub(TAG).ok_or(Ended::Spoiled)?;
        let kind = header[0];
        let mut nonce = self.nonce();
        if self.form == Form::Gcm12 {
            nonce[..4].copy_from_slice(&self.iv[..4]);
            nonce[4..].copy_from_slice(&body[..EXPLICIT]);
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = if self.form == Form::Tls13 {
            self.key.open_in_place(nonce, Aad::from(*header), body)
        } else {
            let header = self.header12(kind, len);
            self.key
                .open_in_place(nonce, Aad::from(header), &mut body[front..])
        };
        let text = opened.map_err(|_| Ended::Spoiled)?;
        self.number = self.number.checked_add(1).ok_or(Ended::Exhausted)?;
        let from = HEADER + front;
        if self.form != Form::Tls13 {
            return (len <= PLAIN_MAX)
                .then_some((kind, from..from + len))
                .ok_or(Ended::Broken);
        }
        // The type is the last byte that is not zero.
        let last = text
            .iter()
            .rposition(|byte| *byte != 0)
            .ok_or(Ended::Broken)?;
        if kind != DATA || last > PLAIN_MAX {
            return Err(Ended::Broken);
        }
        Ok((text[last], from..from + last))
    }

    /// Seals one record of at most [`PLAIN_MAX`] bytes of text; gives its size, `None` when `out` is too small or the
    /// numbers are used up.
    fn seal(&mut self, kind: u8, text: &[u8], out: &mut [u8]) -> Option<usize> {
        let front = self.form.front();
        let inner = text.len() + usize::from(self.form == Form::Tls13);
        let size = HEADER + front + inner + TAG;
        let out = out.get_mut(..size)?;
        let after = self.number.checked_add(1)?;
        let nonce = self.nonce();
        let shown = if self.form == Form::Tls13 { DATA } else { kind };
        let header = header_of(shown, size - HEADER);
        out[..HEADER].copy_from_slice(&header);
        out[HEADER..HEADER + front].copy_from_slice(&nonce[12 - front..]);
        let (body, tag) = out[HEADER + front..].split_at_mut(inner);
        body[..text.len()].copy_from_slice(text);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let made = if self.form == Form::Tls13 {
            body[text.len()] = kind;
            self.key
                .seal_in_place_separate_tag(nonce, Aad::from(header), body)
        } else {
            let header = self.header12(kind, text.len());
            self.key
                .seal_in_place_separate_tag(nonce, Aad::from(header), body)
        };
        tag.copy_from_slice(made.ok()?.as_ref());
        self.number = after;
        Some(size)
    }
}

/// A record's header; both versions call themselves 1.2.
const fn header_of(kind: u8, len: usize) -> [u8; HEADER] {
    let [high, low] = (len as u16).to_be_bytes();
    [kind, 3, 3, high, low]
}

/// Where in a message of the handshake protocol we are: it may lie over several records.
#[derive(Debug, Clone, Copy, Default)]
struct Post {
    head: [u8; 4],
    /// Bytes of the head that were read.
    read: usize,
    /// Bytes of the body that follow.
    left: usize,
}

/// The record layer of one connection.
pub struct Records {
    opens: Keys,
    seals: Keys,
    /// Derives the keys after these.
    kernel: KernelConnection<ClientConnectionData>,
    /// Records that one key may seal.
    sealed_max: u64,
    room: Box<[u8]>,
    /// Text that was opened and not yet given.
    plain: Range<usize>,
    /// Unread records lie at `start..end`.
    start: usize,
    end: usize,
    out: Box<[u8]>,
    /// Sealed bytes that wait lie at `out_start..out_end`.
    out_start: usize,
    out_end: usize,
    post: Post,
    /// Records in a row that brought no data.
    fruitless: u32,
    ended: Option<Ended>,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys are nobody's business.
        f.debug_struct("Records")
            .field("form", &self.opens.form)
            .field("plain", &self.plain)
            .field("unread", &(self.start..self.end))
            .field("waits", &(self.out_start..self.out_end))
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl Records {
    /// The layer behind a handshake: `early` was opened already, `unread` came behind it. `None` when the keys are of
    /// an unknown kind or the bytes do not fit.
    pub(super) fn new(
        secrets: &ExtractedSecrets,
        kernel: KernelConnection<ClientConnectionData>,
        early: &[u8],
        unread: &[u8],
    ) -> Option<Self> {
        let version = kernel.protocol_version();
        let sealed_max = match kernel.negotiated_cipher_suite() {
            SupportedCipherSuite::Tls13(suite) => suite.common.confidentiality_limit,
            SupportedCipherSuite::Tls12(suite) => suite.common.confidentiality_limit,
        };
        let mut room = vec![0; ROOM].into_boxed_slice();
        let end = early.len() + unread.len();
        let (head, rest) = room.get_mut(..end)?.split_at_mut(early.len());
        head.copy_from_slice(early);
        rest.copy_from_slice(unread);
        Some(Self {
            opens: Keys::new(version, secrets.rx.0, &secrets.rx.1)?,
            seals: Keys::new(version, secrets.tx.0, &secrets.tx.1)?,
            kernel,
            sealed_max,
            room,
            plain: 0..early.len(),
            start: early.len(),
            end,
            out: vec![0; OUT].into_boxed_slice(),
            out_start: 0,
            out_end: 0,
            post: Post::default(),
            fruitless: 0,
            ended: None,
        })
    }

    /// Where the socket is to be read into. Never empty once [`Records::take`] gave 0.
    pub fn space(&mut self) -> &mut [u8] {
        if self.plain.is_empty() {
            // At most one record that is not whole: a short move.
            self.room.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            self.plain = 0..0;
        }
        &mut self.room[self.end..]
    }

    /// Says how many bytes were read into [`Records::space`].
    pub fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.room.len());
    }

    /// Opens records and gives their text, as much as there is and fits; 0 = more bytes are needed (or `into` is
    /// empty).
    ///
    /// # Errors
    /// Why the connection is over, once everything before was given; it stays.
    pub fn take(&mut self, into: &mut [u8]) -> Result<usize, Ended> {
        let mut given = 0;
        while given < into.len() {
            if !self.plain.is_empty() {
                let bytes = self.plain.len().min(into.len() - given);
                let from = self.plain.start..self.plain.start + bytes;
                into[given..given + bytes].copy_from_slice(&self.room[from]);
                self.plain.start += bytes;
                given += bytes;
                continue;
            }
            let more = match self.ended {
                None => self.open(),
                Some(why) => Err(why),
            };
            match more {
                Ok(true) => {}
                Ok(false) => break,
                Err(why) => {
                    self.ended = Some(why);
                    if given == 0 {
                        return Err(why);
                    }
                    break;
                }
            }
        }
        Ok(given)
    }

    /// Opens the next record; false when it is not whole.
    fn open(&mut self) -> Result<bool, Ended> {
        let unread = &self.room[self.start..self.end];
        let Some(&[kind, major, minor, high, low]) = unread.first_chunk() else {
            return Ok(false);
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        if !(ALERT..=DATA).contains(&kind) || (major, minor) != (3, 3) || len > BODY_MAX {
            return Err(Ended::Broken);
        }
        let from = self.start;
        let Some(record) = self.room[from..self.end].get_mut(..HEADER + len) else {
            return Ok(false);
        };
        self.start += record.len();
        let (kind, text) = self.opens.open(record)?;
        let text = from + text.start..from + text.end;
        self.fruitless += 1;
        match kind {
            DATA if text.is_empty() => {}
            // A message of the handshake protocol is not interrupted.
            DATA if self.post.read == 0 => {
                self.fruitless = 0;
                self.plain = text;
            }
            HANDSHAKE => self.post(text)?,
            ALERT if self.room[text.clone()] == CLOSE_NOTIFY => return Err(Ended::Closed),
            ALERT => return Err(Ended::Alert),
            _ => return Err(Ended::Broken),
        }
        if self.fruitless > FRUITLESS_MAX {
            return Err(Ended::Broken);
        }
        Ok(true)
    }

    /// Reads what the handshake protocol says behind the handshake.
    fn post(&mut self, text: Range<usize>) -> Result<(), Ended> {
        for at in text.clone() {
            let byte = self.room[at];
            let Post { head, read, left } = &mut self.post;
            if *read < head.len() {
                head[*read] = byte;
                *read += 1;
                if *read < head.len() {
                    continue;
                }
                *left =
                    usize::from(head[1]) << 16 | usize::from(head[2]) << 8 | usize::from(head[3]);
                match (self.opens.form, head[0], *left) {
                    (Form::Tls13, TICKET, 1..) | (Form::Tls13, KEY_UPDATE, 1) => {}
                    // A wish to shake hands again may be passed over, says RFC 5246 7.4.1.1.
                    (Form::Gcm12 | Form::Chacha12, HELLO_REQUEST, 0) => self.post = Post::default(),
                    _ => return Err(Ended::Broken),
                }
                continue;
            }
            *left -= 1;
            if *left > 0 {
                continue;
            }
            let kind = head[0];
            self.post = Post::default();
            if kind == KEY_UPDATE {
                // New keys begin with a new record.
                if at + 1 != text.end {
                    return Err(Ended::Broken);
                }
                self.renew(byte)?;
            }
        }
        Ok(())
    }

    /// The other side has changed its keys: change with it, and change ours when it asks.
    fn renew(&mut self, asks: u8) -> Result<(), Ended> {
        let (number, secrets) = self.kernel.update_rx_secret().map_err(|_| Ended::Broken)?;
        self.opens = Keys::new(ProtocolVersion::TLSv1_3, number, &secrets).ok_or(Ended::Broken)?;
        match asks {
            0 => Ok(()),
            1 => self.renew_ours(),
            _ => Err(Ended::Broken),
        }
    }

    /// Says that we change our keys, and does.
    fn renew_ours(&mut self) -> Result<(), Ended> {
        self.queue(HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 0])
            .ok_or(Ended::Broken)?;
        let (number, secrets) = self.kernel.update_tx_secret().map_err(|_| Ended::Broken)?;
        self.seals = Keys::new(ProtocolVersion::TLSv1_3, number, &secrets).ok_or(Ended::Broken)?;
        Ok(())
    }

    /// Seals the first bytes of `from` (a record's worth) and says how many; 0 while earlier ones wait to be written.
    ///
    /// # Errors
    /// Why the connection is over.
    pub fn put(&mut self, from: &[u8]) -> Result<usize, Ended> {
        if let Some(why) = self.ended {
            return Err(why);
        }
        if self.out_start != self.out_end || from.is_empty() {
            return Ok(0);
        }
        let text = &from[..from.len().min(PLAIN_MAX)];
        let renewed = match (self.seals.number >= self.sealed_max, self.seals.form) {
            (false, _) => Ok(()),
            (true, Form::Tls13) => self.renew_ours(),
            (true, _) => Err(Ended::Exhausted),
        };
        match renewed.and_then(|()| self.queue(DATA, text).ok_or(Ended::Exhausted)) {
            Ok(()) => Ok(text.len()),
            Err(why) => {
                self.ended = Some(why);
                Err(why)
            }
        }
    }

    /// Says that nothing follows; the room may be full, then nothing is said.
    pub fn close(&mut self) {
        let _ = self.queue(ALERT, &CLOSE_NOTIFY);
    }

    fn queue(&mut self, kind: u8, text: &[u8]) -> Option<()> {
        let size = self.seals.seal(kind, text, &mut self.out[self.out_end..])?;
        self.out_end += size;
        Some(())
    }

    /// Sealed bytes that wait to be written to the socket.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.out[self.out_start..self.out_end]
    }

    /// Says how many of them were written.
    pub fn sent(&mut self, bytes: usize) {
        self.out_start = (self.out_start + bytes).min(self.out_end);
        if self.out_start == self.out_end {
            self.out_start = 0;
            self.out_end = 0;
        }
    }

    /// Why the connection is over; `None` while it lives.
    #[must_use]
    pub const fn ended(&self) -> Option<Ended> {
        self.ended
    }
}

#[cfg(test)]
mod tests;
