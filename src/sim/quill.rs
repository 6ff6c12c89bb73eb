//! Quill: writes frame text into one reused buffer, numbers by hand.
//!
//! Every number of the exchange is a whole count of some decimal step, so text is digits and one
//! point; no float is ever printed. Text is ASCII throughout.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// How a venue prints decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    /// All places.
    #[default]
    Full,
    /// Without zeros at the end.
    Short,
    /// Without zeros at the end, but with one place at least.
    Point,
}

/// The reused buffer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quill {
    bytes: Vec<u8>,
    /// Where the text without its envelope lies, when there is an envelope.
    core: Option<(usize, usize)>,
}

impl Quill {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.core = None;
    }

    /// What has been written. Never fails: everything written is ASCII.
    pub(crate) fn text(&self) -> &str {
        debug_assert!(self.bytes.is_ascii());
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// The envelope is open: what follows is the bare text.
    pub(crate) fn open(&mut self) -> &mut Self {
        self.core = Some((self.bytes.len(), self.bytes.len()));
        self
    }

    /// The bare text ends here; what follows closes the envelope.
    pub(crate) fn shut(&mut self) -> &mut Self {
        let end = self.bytes.len();
        self.core = self.core.map(|(begin, _)| (begin, end));
        self
    }

    /// The text without its envelope; the whole when there is none.
    pub(crate) fn bare(&self) -> &str {
        match self.core {
            Some((begin, end)) => self.text().get(begin..end).unwrap_or_default(),
            None => self.text(),
        }
    }

    pub(crate) fn put(&mut self, text: &str) -> &mut Self {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    pub(crate) fn whole(&mut self, value: u64) -> &mut Self {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut left = value;
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.bytes.extend_from_slice(&digits[at..]);
        self
    }

    /// `value` steps of 10^-places, all places shown.
    pub(crate) fn decimal(&mut self, value: i64, places: u32) -> &mut Self {
        if value < 0 {
            self.bytes.push(b'-');
        }
        let mut digits = [0u8; 40];
        let mut at = digits.len();
        let mut left = value.unsigned_abs();
        let mut count = 0;
        // LIMIT: at most 18 places; every contract has fewer than 10.
        let places = places.min(18);
        loop {
            if count == places && places > 0 {
                at -= 1;
                digits[at] = b'.';
            }
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            count += 1;
            if left == 0 && count > places {
                break;
            }
        }
        self.bytes.extend_from_slice(&digits[at..]);
        self
    }

    /// As `decimal`, without zeros at the end.
    pub(crate) fn short(&mut self, value: i64, places: u32) -> &mut Self {
        let (mut value, mut places) = (value, places);
        while places > 0 && value % 10 == 0 {
            value /= 10;
            places -= 1;
        }
        self.decimal(value, places)
    }

    /// As `short`, but never without a point: `84143.0`.
    pub(crate) fn point(&mut self, value: i64, places: u32) -> &mut Self {
        let (mut value, mut places) = (value, places);
        while places > 1 && value % 10 == 0 {
            value /= 10;
            places -= 1;
        }
        match places {
            0 => self.decimal(value, 0).put(".0"),
            _ => self.decimal(value, places),
        }
    }

    /// In a venue's style.
    pub(crate) fn styled(&mut self, value: i64, places: u32, style: Style) -> &mut Self {
        match style {
            Style::Full => self.decimal(value, places),
            Style::Short => self.short(value, places),
            Style::Point => self.point(value, places),
        }
    }

    /// `,"name":"` value `"`: a quoted decimal field.
    pub(crate) fn field(&mut self, name: &str, value: i64, places: u32) -> &mut Self {
        self.put(name).decimal(value, places).put("\"")
    }

    /// The last `digits` hex digits of a word, at most sixteen.
    pub(crate) fn hex(&mut self, word: u64, digits: u32) -> &mut Self {
        for place in (0..digits.min(16)).rev() {
            let nibble = (word >> (4 * place)) & 15;
            self.bytes.push(HEX[nibble as usize]);
        }
        self
    }

    /// Sixteen bytes of hash as a UUID.
    pub(crate) fn uuid(&mut self, high: u64, low: u64) -> &mut Self {
        let mut out = [b'-'; 36];
        let mut at = 0;
        for nibble in 0..32u32 {
            if matches!(at, 8 | 13 | 18 | 23) {
                at += 1;
            }
            let word = if nibble < 16 { high } else { low };
            out[at] = HEX[((word >> (60 - 4 * (nibble % 16))) & 15) as usize];
            at += 1;
        }
        out[14] = b'5';
        self.bytes.extend_from_slice(&out);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrote(f: impl FnOnce(&mut Quill)) -> String {
        let mut quill = Quill::default();
        f(&mut quill);
        quill.text().to_owned()
    }

    #[test]
    fn numbers_are_written_as_the_slow_twin_writes_them() {
        for value in [0, 1, 9, 10, 123, 6_511_430, -5, -123_456, i64::MAX] {
            for places in 0..9 {
                let want = crate::num::decimal_text(value, places, places);
                // The twin drops the sign of a value that shows as zero; ours never meets one but
                // zero itself.
                assert_eq!(
                    wrote(|q| {
                        q.decimal(value, places);
                    }),
                    want
                );
            }
        }
        assert_eq!(
            wrote(|q| {
                q.short(4_617, 8)
                    .put(" ")
                    .short(10_000, 8)
                    .put(" ")
                    .short(0, 8);
            }),
            "0.00004617 0.0001 0"
        );
        assert_eq!(
            wrote(|q| {
                q.whole(0).put(",").whole(u64::MAX);
            }),
            format!("0,{}", u64::MAX)
        );
    }

    #[test]
    fn a_uuid_has_its_form() {
        let text = wrote(|q| {
            q.uuid(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        });
        assert_eq!(text, "01234567-89ab-5def-fedc-ba9876543210");
    }
}
