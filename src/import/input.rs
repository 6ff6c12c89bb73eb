//! Input: the lines of a file, unpacked, with their numbers.
//!
//! What packs a file is told by its first bytes, not by its name: gzip, zstd, zip, or nothing. A zip is read as a
//! stream, as the public dumps need: one member, deflated or stored, its checksum verified; anything else is refused.
//! Lines end with LF or CR LF; a byte-order mark at the beginning is no text. One line is held at a time.

use super::ImportError;
use crc32fast::Hasher;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Longest line: rows of these forms have a few hundred bytes.
const LINE_MAX: u64 = 1 << 16;
const CHUNK: usize = 1 << 16;

/// The lines of one file.
pub(super) struct Lines {
    name: String,
    input: Box<dyn BufRead>,
    text: Vec<u8>,
    number: u64,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lines({}:{})", self.name, self.number)
    }
}

impl Lines {
    /// Opens a file.
    ///
    /// # Errors
    /// The machine, or a zip that is not one deflated or stored file.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let name = path.display().to_string();
        let input = unpack(path).map_err(|source| ImportError::Io {
            name: name.clone(),
            source,
        })?;
        Ok(Self {
            name,
            input,
            text: Vec::new(),
            number: 0,
        })
    }

    /// The next line that is not empty, with its number from 1; `None` at the end.
    ///
    /// # Errors
    /// The machine, damaged packing, a line that is too long for text.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, ImportError> {
        loop {
            self.text.clear();
            let mut bounded = self.input.by_ref().take(LINE_MAX);
            let read = bounded.read_until(b'\n', &mut self.text);
            let fail = |source| ImportError::Line {
                name: self.name.clone(),
                line: self.number + 1,
                source,
            };
            let read = read.map_err(fail)?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == LINE_MAX && self.text.last() != Some(&b'\n') {
                return Err(fail(odd("a line of more than 64 KiB: this is no text")));
            }
            self.number += 1;
            if self.number == 1 && self.text.starts_with(b"\xef\xbb\xbf") {
                self.text.drain(..3);
            }
            while matches!(self.text.last(), Some(b'\n' | b'\r')) {
                self.text.pop();
            }
            if !self.text.is_empty() {
                return Ok(Some((self.number, &self.text)));
            }
        }
    }
}

fn odd(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn unpack(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::with_capacity(CHUNK, File::open(path)?);
    let start = file.fill_buf()?;
    let buffered = |input: Box<dyn Read>| Box::new(BufReader::with_capacity(CHUNK, input));
    Ok(match start {
        [0x1f, 0x8b, ..] => buffered(Box::new(MultiGzDecoder::new(file))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => buffered(Box::new(zstd::Decoder::with_buffer(file)?)),
        [b'P', b'K', 3, 4, ..] => buffered(Box::new(Member::open(file)?)),
        [b'P', b'K', 5, 6, ..] => return Err(odd("the zip is empty")),
        _ => Box::new(file),
    })
}

/// The only member of a zip.
struct Member<R: BufRead> {
    /// `None` once its end was verified.
    input: Option<Content<R>>,
    crc: Hasher,
    /// Stands before the content, or, when `None`, behind it.
    expected: Option<u32>,
}

enum Content<R: BufRead> {
    Stored(io::Take<R>),
    Deflated(DeflateDecoder<R>),
}

impl<R: BufRead> Member<R> {
    fn open(mut input: R) -> io::Result<Self> {
        let mut head = [0u8; 30];
        input.read_exact(&mut head)?;
        let short = |at: usize| u64::from(u16::from_le_bytes([head[at], head[at + 1]]));
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (flags, method) = (short(6), short(8));
        if flags & 1 != 0 {
            return Err(odd("the zip is encrypted"));
        }
        let names = short(26) + short(28);
        io::copy(&mut input.by_ref().take(names), &mut io::sink())?;
        let is_told_later = flags & 8 != 0;
        let input = match method {
            8 => Content::Deflated(DeflateDecoder::new(input)),
            0 if !is_told_later && word(18) != u32::MAX => {
                Content::Stored(input.take(u64::from(word(18))))
            }
            _ => return Err(odd("the zip's file is neither deflated nor plainly stored")),
        };
        Ok(Self {
            input: Some(input),
            crc: Hasher::new(),
            expected: (!is_told_later).then(|| word(14)),
        })
    }

    /// Behind the content: the checksum, and that nothing else is in the zip.
    fn close(&mut self, input: Content<R>) -> io::Result<()> {
        let mut rest = match input {
            Content::Stored(taken) => taken.into_inner(),
            Content::Deflated(decoder) => decoder.into_inner(),
        };
        let mut four = [0u8; 4];
        let mut next = |rest: &mut R| rest.read_exact(&mut four).map(|()| four);
        let want = match self.expected {
            Some(crc) => crc,
            None => {
                let mut word = next(&mut rest)?;
                if word == *b"PK\x07\x08" {
                    word = next(&mut rest)?;
                }
                u32::from_le_bytes(word)
            }
        };
        if want != std::mem::take(&mut self.crc).finalize() {
            return Err(odd("the zip's checksum does not fit its file"));
        }
        // Sizes of 32 or of 64 bits stand between; the directory begins with its mark.
        let mut seen = [0u8; 4];
        for _ in 0..5 {
            seen = next(&mut rest)?;
            if seen[..2] == *b"PK" {
                break;
            }
        }
        match &seen {
            b"PK\x01\x02" => Ok(()),
            b"PK\x03\x04" => Err(odd("more than one file in the zip: unpack it first")),
            _ => Err(odd("the zip's directory is missing")),
        }
    }
}

impl<R: BufRead> Read for Member<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.input {
            None => return Ok(0),
            Some(Content::Stored(taken)) => taken.read(out)?,
            Some(Content::Deflated(decoder)) => decoder.read(out)?,
        };
        self.crc.update(out.get(..read).unwrap_or_default());
        if read == 0
            && !out.is_empty()
            && let Some(input) = self.input.take()
        {
            self.close(input)?;
        }
        Ok(read)
    }
}
