//! JSON: the tolerant reader, for frames that are not written as the fast road expects.
//!
//! simd-json builds its tape over the frame in place; tape and buffers are kept and reused, so
//! after the first large frame nothing is allocated (the constructor parses one of the promised
//! size). Field order does not matter, unknown fields are normal. Numbers may be strings or JSON
//! numbers. A JSON number with a fraction passes through a double: it is taken at the shortest text
//! that reads back to the same double, which is what the venue wrote up to 15 significant digits;
//! with more digits it is refused rather than rounded.

use super::Frame;
use super::decimal::{self, Decimal};
use crate::health::{Fault, FaultKind};
use core::fmt::Write;
use simd_json::prelude::*;
use simd_json::{Buffers, Tape};

/// A JSON value of the frame.
pub type Value<'tape, 'frame> = simd_json::tape::Value<'tape, 'frame>;

/// Deepest nesting that is read; deeper frames are not market data.
const DEPTH: usize = 32;

/// The reader with its kept memory.
pub struct Reader {
    buffers: Buffers,
    tape: Tape<'static>,
}

impl core::fmt::Debug for Reader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Reader")
    }
}

impl Reader {
    /// A reader that will not allocate for frames up to about `bytes` of ordinary density.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let mut reader = Self {
            buffers: Buffers::with_max_depth(bytes, DEPTH),
            tape: Tape(Vec::new()),
        };
        // The buffers grow only by being used: one document with a structural character in every
        // second byte, a quarter of the size, then one string of the whole size.
        let mut room = super::FrameBuffer::with_capacity(bytes);
        let mut dense = vec![b'['; DEPTH / 2];
        dense.push(b'0');
        while dense.len() < bytes / 2 {
            dense.extend_from_slice(b",0");
        }
        dense.extend(core::iter::repeat_n(b']', DEPTH / 2));
        let _ = reader.read(room.put(&dense), |_| Ok(()));
        reader
    }

    /// Parses the frame (changing its bytes) and lets `look` read the value.
    ///
    /// # Errors
    /// `NotJson` with the place, or what `look` answers.
    pub fn read<'f, R>(
        &mut self,
        frame: Frame<'f>,
        look: impl FnOnce(Value<'_, 'f>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let (room, len) = frame.into_room();
        let mut tape: Tape<'f> = core::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let answer = match simd_json::fill_tape_padded(room, len, &mut self.buffers, &mut tape) {
            Ok(()) => look(tape.as_value()),
            Err(error) => Err(Fault::new(error.index(), FaultKind::NotJson)),
        };
        self.tape = tape.reset();
        answer
    }
}

/// A fault of a field, without a place.
#[must_use]
pub fn missing() -> Fault {
    Fault::new(0, FaultKind::MissingField)
}

/// The field, or `MissingField`.
///
/// # Errors
/// When the value is no object or has no such field.
pub fn field<'t, 'f>(value: Value<'t, 'f>, name: &str) -> Result<Value<'t, 'f>, Fault> {
    value.get(name).ok_or_else(missing)
}

/// The field as text.
///
/// # Errors
/// When it is missing or no string.
pub fn text<'f>(value: Value<'_, 'f>, name: &str) -> Result<&'f str, Fault> {
    field(value, name)?.into_string().ok_or_else(missing)
}

/// A decimal from a string or a number; `None` when the value is absent, null or `""`.
///
/// # Errors
/// `BadNumber` or `OutOfRange`.
pub fn decimal(value: Option<Value<'_, '_>>) -> Result<Option<Decimal>, Fault> {
    let bad = |kind| Fault::new(0, kind);
    let Some(value) = value else { return Ok(None) };
    if let Some(text) = value.as_str() {
        if text.is_empty() {
            return Ok(None);
        }
        return decimal::read(text.as_bytes()).map(Some).map_err(bad);
    }
    let whole = |mantissa, negative| {
        Ok(Some(Decimal {
            mantissa,
            places: 0,
            negative,
        }))
    };
    if value.is_null() {
        return Ok(None);
    }
    if let Some(n) = value.as_u64() {
        return whole(n, false);
    }
    if let Some(n) = value.as_i64() {
        return whole(n.unsigned_abs(), n < 0);
    }
    match value.as_f64() {
        Some(x) => shortest(x).map(Some).map_err(bad),
        None => Err(bad(FaultKind::BadNumber)),
    }
}

/// The decimal a double was most likely written as.
fn shortest(x: f64) -> Result<Decimal, FaultKind> {
    let mut text = Text::default();
    // `{}` of a double never uses an exponent and is the shortest text that reads back.
    write!(text, "{x}").map_err(|_| FaultKind::OutOfRange)?;
    let digits = text.shown().iter().filter(|b| b.is_ascii_digit());
    if digits.skip_while(|&&b| b == b'0').count() > 15 {
        return Err(FaultKind::OutOfRange);
    }
    decimal::read(text.shown())
}

/// Room for one number's text.
#[derive(Default)]
struct Text {
    room: [u8; 32],
    len: usize,
}

impl Text {
    fn shown(&self) -> &[u8] {
        &self.room[..self.len]
    }
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let end = self.len + s.len();
        let room = self.room.get_mut(self.len..end).ok_or(core::fmt::Error)?;
        room.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// The list of a field.
///
/// # Errors
/// When it is missing or no list.
pub fn list<'t, 'f>(
    value: Value<'t, 'f>,
    name: &str,
) -> Result<impl Iterator<Item = Value<'t, 'f>>, Fault> {
    items(field(value, name)?)
}

/// The values of a list.
///
/// # Errors
/// When the value is no list.
pub fn items<'t, 'f>(value: Value<'t, 'f>) -> Result<impl Iterator<Item = Value<'t, 'f>>, Fault> {
    Ok(value.as_array().ok_or_else(missing)?.iter())
}

#[cfg(test)]
mod tests {
    use super::super::FrameBuffer;
    use super::*;

    #[test]
    fn numbers_may_be_strings_or_numbers() {
        let mut room = FrameBuffer::default();
        let mut reader = Reader::new(1024);
        let text = r#"{"a":"65114.20","b":65114.2,"c":-7,"d":"","e":null,
            "f":1234567.123456789,"g":[],"h":1e30,"i":0.00001}"#;
        let frame = room.put(text.as_bytes());
        reader
            .read(frame, |v| {
                let get = |name| decimal(v.get(name)).map(|d| d.map(|d| decimal::fix(d, 4)));
                assert_eq!(get("a"), Ok(Some(Ok(651_142_000))));
                assert_eq!(get("b"), Ok(Some(Ok(651_142_000))));
                assert_eq!(get("c"), Ok(Some(Ok(-70_000))));
                assert_eq!(get("d"), Ok(None));
                assert_eq!(get("e"), Ok(None));
                assert!(get("f").is_err());
                assert!(get("g").is_err());
                assert!(get("h").is_ok_and(|h| h.is_some_and(|h| h.is_err())) || get("h").is_err());
                assert_eq!(get("i"), Ok(Some(Err(FaultKind::OutOfRange))));
                assert_eq!(get("none"), Ok(None));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn what_is_not_json_is_a_fault() {
        let mut room = FrameBuffer::default();
        let mut reader = Reader::new(64);
        for bad in ["", "{", "{\"a\":}", "[1,2", "nul", "{\"a\":1}}"] {
            let got = reader.read(room.put(bad.as_bytes()), |_| Ok(()));
            assert_eq!(got.map_err(|f| f.kind), Err(FaultKind::NotJson), "{bad}");
        }
        let deep = [b'['; 100];
        assert!(reader.read(room.put(&deep), |_| Ok(())).is_err());
    }
}
