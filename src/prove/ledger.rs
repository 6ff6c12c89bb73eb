//! Ledger: every verdict that was ever reached, one JSON object a line, appended and never changed.
//!
//! A line has `time` (Unix milliseconds), `version`, `model` (hash of the model's parameters), `symbol`, `verdict`,
//! `why`, `test`, `rows`, `days`, the gains, `judged_with` (symbols that shared the level of the test) and `inputs`:
//! name, bytes and FNV-64 of each file, so that a verdict can be traced to what it was reached on. The last line of a
//! symbol and a model is its verdict today; [`verdicts`] reads that. A line that cannot be read is an error with
//! its number: a damaged ledger proves nothing.

use super::gate::Verdict;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The machine said no.
    #[error("{name}: {source}")]
    Io {
        /// File.
        name: String,
        /// What it said.
        source: io::Error,
    },
    /// A line that is none.
    #[error("{name}:{line}: {why}")]
    Line {
        /// File.
        name: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
}

/// Largest ledger that is read.
const BYTES_MAX: u64 = 64 << 20;

/// The verdict in force of every symbol in a ledger: its last line that speaks of this model. A verdict on another
/// model says nothing of this one.
///
/// # Errors
/// A ledger that cannot be read whole.
pub fn verdicts(path: &Path, model: u64) -> Result<BTreeMap<String, Verdict>, LedgerError> {
    let name = path.display().to_string();
    let fail = |source| LedgerError::Io {
        name: name.clone(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(fail)?;
    let _ = file
        .take(BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(fail)?;
    let mut found = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |why| LedgerError::Line {
            name: name.clone(),
            line: number + 1,
            why,
        };
        let value: Value = serde_json::from_str(line).map_err(|_| wrong("no JSON object"))?;
        let symbol = value.get("symbol").and_then(Value::as_str);
        let symbol = symbol.ok_or_else(|| wrong("it has no symbol"))?;
        let word = value.get("verdict").and_then(Value::as_str);
        let verdict = word.and_then(Verdict::of);
        let verdict =
            verdict.ok_or_else(|| wrong("its verdict is none of proven, unproven, disproven"))?;
        let of = value.get("model").and_then(Value::as_str);
        if of.ok_or_else(|| wrong("it does not say of which model"))? == model_text(model) {
            found.insert(symbol.to_owned(), verdict);
        }
    }
    Ok(found)
}

/// A model's hash as a ledger writes it.
#[must_use]
pub fn model_text(model: u64) -> String {
    format!("{model:016x}")
}

/// Appends lines, each written whole.
///
/// # Errors
/// A file that cannot be written.
pub fn append(path: &Path, lines: &[Value]) -> Result<(), LedgerError> {
    let fail = |source| LedgerError::Io {
        name: path.display().to_string(),
        source,
    };
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(fail)?;
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(fail)
}

/// Bytes and FNV-64 of a file; of a folder, of its files by name.
///
/// # Errors
/// What cannot be read.
pub fn fingerprint(path: &Path) -> io::Result<(u64, u64)> {
    let mut paths = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?.path();
            if entry.is_file() {
                paths.push(entry);
            }
        }
        paths.sort();
    } else {
        paths.push(path.to_path_buf());
    }
    let (mut bytes, mut hash) = (0u64, 0xcbf2_9ce4_8422_2325u64);
    let mut buffer = vec![0u8; 1 << 16];
    for path in paths {
        let mut file = File::open(path)?;
        loop {
            let got = file.read(&mut buffer)?;
            if got == 0 {
                break;
            }
            bytes += got as u64;
            for byte in &buffer[..got] {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    Ok((bytes, hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_line_of_a_symbol_is_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        assert!(matches!(verdicts(&path, 7), Err(LedgerError::Io { .. })));
        let model = model_text(7);
        let line = |symbol: &str, verdict: &str| json!({ "symbol": symbol, "verdict": verdict, "model": model });
        append(&path, &[line("BTC", "unproven"), line("ETH", "proven")]).unwrap();
        append(&path, &[line("BTC", "disproven")]).unwrap();
        assert!(verdicts(&path, 8).unwrap().is_empty(), "of another model");
        let found = verdicts(&path, 7).unwrap();
        assert_eq!(found.get("BTC"), Some(&Verdict::Disproven));
        assert_eq!(found.get("ETH"), Some(&Verdict::Proven));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let good = json!({ "symbol": "BTC", "verdict": "proven", "model": model_text(7) });
        for bad in [
            "{",
            "{\"verdict\":\"proven\"}",
            "{\"symbol\":\"BTC\",\"verdict\":\"sure\"}",
            "{\"symbol\":\"BTC\",\"verdict\":\"proven\"}",
        ] {
            std::fs::write(&path, format!("{good}\n{bad}\n")).unwrap();
            let found = verdicts(&path, 7);
            assert!(
                matches!(found, Err(LedgerError::Line { line: 2, .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_fingerprint_sees_every_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"abc").unwrap();
        let one = fingerprint(&path).unwrap();
        std::fs::write(&path, b"abd").unwrap();
        let two = fingerprint(&path).unwrap();
        assert_eq!((one.0, two.0), (3, 3));
        assert_ne!(one.1, two.1);
        assert_eq!(fingerprint(folder.path()).unwrap(), two);
    }
}
