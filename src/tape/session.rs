//! Session: a recording in JSON lines, read as if it were a tape without a journal.
//!
//! ```text
//! {"recv_ns": N, "kind": "recv" | "send" | "connect" | "disconnect",
//!  "conn": "...", "url": "...", "frame": "..."}                                 (on one line)
//! ```
//! `recv_ns` is Unix nanoseconds and must be there; a missing `kind` is a `recv`; every `conn` is a
//! ring, numbered as they appear, a missing one is a ring like any other. `frame_b64` instead of
//! `frame` is a binary message in base64. A sibling folder `rest/` holds the bodies of the REST
//! answers: each file is one [`Record::Rest`] before everything else, in file-name order, on ring
//! 0, with the stamp of the first line; [`request_of`] reads the request off the name.

use super::{Error, Record};
use crate::time::Nanos;
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Line<'a> {
    recv_ns: i64,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    conn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    frame: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    frame_b64: Option<Cow<'a, str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Frame,
    Sent,
    Connect,
    Disconnect,
}

/// Word of the file, what it is, whether a message belongs to it.
const WHATS: [(&str, What, bool); 4] = [
    ("recv", What::Frame, true),
    ("send", What::Sent, true),
    ("connect", What::Connect, false),
    ("disconnect", What::Disconnect, false),
];

/// One line, understood; its text is in [`Session::text`].
#[derive(Debug, Clone, Copy)]
struct Item {
    what: What,
    ring: u8,
    stamp: Nanos,
}

/// Reads a session front to back, one line at a time.
pub struct Session {
    name: String,
    input: Box<dyn BufRead + Send>,
    line: u64,
    raw: Vec<u8>,
    text: Vec<u8>,
    conns: Vec<String>,
    /// REST files still to give, last first.
    rest: Vec<PathBuf>,
    request: String,
    /// The first line, read early for its stamp.
    first: Option<Item>,
    finished: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name)
            .field("line", &self.line)
            .field("conns", &self.conns)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Begins to read. `name` is what errors call it; `rest` is the folder of REST bodies, which
    /// need not be there.
    ///
    /// # Errors
    /// A folder that cannot be read, a malformed first line.
    pub fn new(
        name: &str,
        input: Box<dyn BufRead + Send>,
        rest: Option<&Path>,
    ) -> Result<Self, Error> {
        let mut session = Self {
            name: name.to_owned(),
            input,
            line: 0,
            raw: Vec::new(),
            text: Vec::new(),
            conns: Vec::new(),
            rest: match rest {
                Some(folder) if folder.is_dir() => bodies(folder)?,
                _ => Vec::new(),
            },
            request: String::new(),
            first: None,
            finished: false,
        };
        session.first = session.read_line()?;
        Ok(session)
    }

    /// What errors call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of the connections met so far, in ring order; a line without one counts as `""`.
    #[must_use]
    pub fn conns(&self) -> &[String] {
        &self.conns
    }

    /// The next record, borrowed until the next call; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Malformed`] with file and line, the machine. After an error it stays at an end.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, Error> {
        if self.finished {
            return Ok(None);
        }
        self.finished = true;
        if let Some(first) = self.first
            && let Some(path) = self.rest.pop()
        {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            self.request = request_of(&name);
            self.raw =
                fs::read(&path).map_err(|source| Error::io(&path.display().to_string(), source))?;
            self.finished = false;
            return Ok(Some(Record::Rest {
                ring: 0,
                recv: first.stamp,
                request: &self.request,
                body: &self.raw,
            }));
        }
        let item = match self.first.take() {
            Some(first) => Some(first),
            None => self.read_line()?,
        };
        let Some(Item { what, ring, stamp }) = item else {
            return Ok(None);
        };
        self.finished = false;
        let bytes = self.text.as_slice();
        let word = std::str::from_utf8(bytes).unwrap_or_default();
        Ok(Some(match what {
            What::Frame => Record::Frame {
                ring,
                recv: stamp,
                bytes,
            },
            What::Sent => Record::Sent {
                ring,
                at: stamp,
                bytes,
            },
            What::Connect => Record::Connect {
                ring,
                recv: stamp,
                url: word,
            },
            What::Disconnect => Record::Disconnect {
                ring,
                recv: stamp,
                reason: word,
            },
        }))
    }

    fn read_line(&mut self) -> Result<Option<Item>, Error> {
        loop {
            self.raw.clear();
            let read = self
                .input
                .read_until(b'\n', &mut self.raw)
                .map_err(|source| Error::io(&self.name, source))?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            if !self.raw.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        match understand(&self.raw, &mut self.text, &mut self.conns) {
            Ok(item) => Ok(Some(item)),
            Err(reason) => Err(Error::Malformed {
                name: self.name.clone(),
                line: self.line,
                // The first one of all: most likely another file was named.
                reason: if self.conns.is_empty() {
                    format!("not a line of a recorded session: {reason}")
                } else {
                    reason
                },
            }),
        }
    }
}

fn understand(raw: &[u8], text: &mut Vec<u8>, conns: &mut Vec<String>) -> Result<Item, String> {
    let line: Line<'_> = serde_json::from_slice(raw).map_err(|error| error.to_string())?;
    if line.recv_ns <= 0 {
        return Err(format!("recv_ns is {}, not a time", line.recv_ns));
    }
    let kind = line.kind.as_deref().unwrap_or("recv");
    let Some((_, what, carries)) = WHATS.iter().find(|(word, ..)| *word == kind) else {
        return Err(format!(
            "kind \"{kind}\"; allowed: recv, send, connect, disconnect"
        ));
    };
    text.clear();
    match (carries, &line.frame, &line.frame_b64) {
        (false, ..) => text.extend_from_slice(line.url.as_deref().unwrap_or_default().as_bytes()),
        (true, Some(frame), None) => text.extend_from_slice(frame.as_bytes()),
        (true, None, Some(coded)) => {
            base64(coded.as_bytes(), text).ok_or("frame_b64 is not base64")?;
        }
        (true, None, None) => return Err(format!("a \"{kind}\" without a frame")),
        (true, Some(_), Some(_)) => return Err("both frame and frame_b64".to_owned()),
    }
    let conn = line.conn.as_deref().unwrap_or_default();
    let ring = match conns.iter().position(|known| known == conn) {
        Some(ring) => ring,
        None => {
            conns.push(conn.to_owned());
            conns.len() - 1
        }
    };
    Ok(Item {
        what: *what,
        ring: u8::try_from(ring)
            .ok()
            .filter(|ring| *ring < super::LEG_B)
            .ok_or("more than 128 connections")?,
        stamp: Nanos::new(line.recv_ns),
    })
}

/// Standard base64, padded or not; `None` for anything else.
fn base64(coded: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let padding = coded.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = coded.get(..coded.len() - padding)?;
    if padding > 2 || digits.len() % 4 == 1 {
        return None;
    }
    for four in digits.chunks(4) {
        let mut word = 0u32;
        for digit in four {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            word = word << 6 | u32::from(value);
        }
        word <<= 6 * (4 - four.len());
        out.extend_from_slice(&word.to_be_bytes()[1..four.len()]);
    }
    Some(())
}

/// The bodies of a `rest/` folder, last name first.
fn bodies(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |source| Error::io(&folder.display().to_string(), source);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|end| end == "json") {
            found.push(path);
        }
    }
    found.sort();
    found.reverse();
    Ok(found)
}

/// Names with an underscore of their own, which a file name cannot tell from a separator.
const COMPOUND: [&str; 14] = [
    "order_book",
    "liq_orders",
    "contract_stats",
    "funding_rate",
    "risk_limit_tiers",
    "premium_index",
    "swap_contract_info",
    "swap_open_interest",
    "swap_funding_rate",
    "swap_liquidation_orders",
    "swap_adjustfactor",
    "swap_cross_adjustfactor",
    "swap_index",
    "with_id",
];

/// The request a REST file's name tells: `_` separates, `a_b_k=v_l=w.json` is `/a/b?k=v&l=w`.
///
/// Three rules undo what the separator hides: names of [`COMPOUND`] keep their underscores; behind
/// the first `=` a piece without `=` belongs to the next key when it is all lower case and a key
/// follows (`with_id=`), else to the value before it (`contract=DIA_USDT`). A lower-case value with
/// an underscore before another key cannot be told and reads as part of the key.
#[must_use]
pub fn request_of(name: &str) -> String {
    let stem = name.strip_suffix(".json").unwrap_or(name);
    let pieces: Vec<&str> = stem.split('_').collect();
    let mut request = String::with_capacity(stem.len() + 2);
    // Pieces that wait for the key they begin.
    let mut key = String::new();
    let mut in_query = false;
    let mut at = 0;
    while let Some(rest) = pieces.get(at..).filter(|rest| !rest.is_empty()) {
        let size = compound(rest);
        let piece = rest[..size].join("_");
        at += size;
        let another = pieces[at..].iter().any(|piece| piece.contains('='));
        if piece.contains('=') {
            request.push(if in_query { '&' } else { '?' });
            request.push_str(&key);
            request.push_str(&piece);
            key.clear();
            in_query = true;
        } else if !in_query {
            request.push('/');
            request.push_str(&piece);
        } else if another && piece.bytes().all(|byte| byte.is_ascii_lowercase()) {
            key.push_str(&piece);
            key.push('_');
        } else {
            // A value goes on; what waited for a key was value too.
            request.push('_');
            request.push_str(&key);
            request.push_str(&piece);
            key.clear();
        }
    }
    request
}

/// How many of the pieces at the front are one name: the longest of [`COMPOUND`], else one.
fn compound(pieces: &[&str]) -> usize {
    COMPOUND
        .iter()
        .map(|name| (name, name.split('_').count()))
        .filter(|(name, size)| {
            let Some(front) = pieces.get(..*size) else {
                return false;
            };
            let front = front.join("_");
            front.split('=').next() == Some(**name)
        })
        .map(|(_, size)| size)
        .max()
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(text: &'static str) -> Session {
        Session::new("s.jsonl", Box::new(text.as_bytes()), None).unwrap()
    }

    fn all(text: &'static str) -> Result<Vec<String>, Error> {
        let mut session = Session::new("s.jsonl", Box::new(text.as_bytes()), None)?;
        let mut said = Vec::new();
        while let Some(record) = session.next_record()? {
            said.push(format!("{} {:?}", record.ring(), record.kind()));
        }
        Ok(said)
    }

    #[test]
    fn requests_are_read_off_the_names() {
        for (name, request) in [
            (
                "v5_market_instruments-info_category=linear_status=Trading_limit=1000.json",
                "/v5/market/instruments-info?category=linear&status=Trading&limit=1000",
            ),
            ("v5_market_risk-limit.json", "/v5/market/risk-limit"),
            (
                "fapi_v1_depth_symbol=AKROUSDT_limit=1000.json",
                "/fapi/v1/depth?symbol=AKROUSDT&limit=1000",
            ),
            (
                "fapi_v1_depth_symbol=BTCUSDT_260925_limit=1000.json",
                "/fapi/v1/depth?symbol=BTCUSDT_260925&limit=1000",
            ),
            (
                "api_v4_futures_usdt_order_book_contract=DIA_USDT_limit=100_with_id=true.json",
                "/api/v4/futures/usdt/order_book?contract=DIA_USDT&limit=100&with_id=true",
            ),
            (
                "api_v4_futures_usdt_liq_orders.json",
                "/api/v4/futures/usdt/liq_orders",
            ),
            (
                "linear-swap-api_v1_swap_contract_info.json",
                "/linear-swap-api/v1/swap_contract_info",
            ),
            (
                "api_v5_public_instruments_instType=SWAP.json",
                "/api/v5/public/instruments?instType=SWAP",
            ),
            ("api_v1_instrument_active.json", "/api/v1/instrument/active"),
            (
                "derivatives_api_v3_instruments.json",
                "/derivatives/api/v3/instruments",
            ),
            // A key with an underscore that no table knows.
            ("a_b_x=1_start_time=2.json", "/a/b?x=1&start_time=2"),
            ("a_b_x=1_UP_low.json", "/a/b?x=1_UP_low"),
        ] {
            assert_eq!(request_of(name), request, "{name}");
        }
    }

    #[test]
    fn kinds_and_connections_are_told_apart() {
        let said = all(concat!(
            "{\"recv_ns\":5,\"kind\":\"connect\",\"conn\":\"a\",\"url\":\"ws://x\"}\n",
            "{\"recv_ns\":6,\"kind\":\"send\",\"conn\":\"a\",\"frame\":\"{}\"}\n\n",
            "{\"recv_ns\":7,\"kind\":\"recv\",\"conn\":\"b\",\"frame\":\"{}\"}\n",
            "{\"recv_ns\":8,\"frame\":\"{}\"}\n",
            "{\"recv_ns\":8,\"conn\":\"a\",\"kind\":\"disconnect\"}",
        ));
        assert_eq!(
            said.unwrap(),
            ["0 Connect", "0 Sent", "1 Frame", "2 Frame", "0 Disconnect"]
        );
    }

    #[test]
    fn escapes_and_binary_frames_come_out_as_they_were() {
        let mut read = session(concat!(
            "{\"recv_ns\":5,\"frame\":\"{\\\"p\\\":\\\"1\\\\u00e9\\\"}\"}\n",
            "{\"recv_ns\":6,\"frame_b64\":\"H4sIAA==\"}\n",
            "{\"recv_ns\":6,\"frame_b64\":\"H4sI\"}\n",
            "{\"recv_ns\":6,\"frame_b64\":\"AP8\"}\n",
        ));
        let mut texts = Vec::new();
        while let Some(Record::Frame { bytes, .. }) = read.next_record().unwrap() {
            texts.push(bytes.to_vec());
        }
        assert_eq!(texts[0], br#"{"p":"1\u00e9"}"#);
        assert_eq!(texts[1], [0x1f, 0x8b, 8, 0]);
        assert_eq!(texts[2], [0x1f, 0x8b, 8]);
        assert_eq!(texts[3], [0, 0xff]);
    }

    #[test]
    fn a_malformed_line_is_named() {
        let good = "{\"recv_ns\":5,\"frame\":\"{}\"}\n";
        for (line, reason) in [
            ("{\"recv_ns\":6,", "s.jsonl:2: EOF while parsing"),
            ("[]", "s.jsonl:2: invalid length 0"),
            ("{\"frame\":\"\"}", "s.jsonl:2: missing field `recv_ns`"),
            (
                "{\"recv_ns\":0,\"frame\":\"\"}",
                "s.jsonl:2: recv_ns is 0, not a time",
            ),
            (
                "{\"recv_ns\":1,\"kind\":\"got\"}",
                "s.jsonl:2: kind \"got\"; allowed: recv, send, connect, disconnect",
            ),
            ("{\"recv_ns\":1}", "s.jsonl:2: a \"recv\" without a frame"),
            (
                "{\"recv_ns\":1,\"frame_b64\":\"A\"}",
                "s.jsonl:2: frame_b64 is not base64",
            ),
        ] {
            let text: &'static str = Box::leak(format!("{good}{line}").into_boxed_str());
            let error = all(text).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{line}: {error}");
        }
    }
}
