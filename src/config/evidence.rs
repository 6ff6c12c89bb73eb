//! Evidence: a file of calibrations, by symbol and venue (`BTC bybit`), as rows of whole numbers.
//!
//! ```json
//! {"isotherm": "calibration", "version": 1, "evidence": {"BTC bybit": [1, 2, 3]}}
//! ```
//! What the numbers mean is the model's (`calibrate`), which also refuses rows of another form; here it is only read
//! and written. `isotherm calibration show … --save FILE` writes one, the key `calibration` of `[engine]` begins with
//! one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows by symbol and venue.
pub type Evidence = BTreeMap<String, Vec<i64>>;

/// What the file says it is.
const NAME: &str = "calibration";
/// Version of the file's form.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    isotherm: String,
    version: u32,
    evidence: Evidence,
}

/// Reads the text of a file.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &str) -> Result<Evidence, String> {
    let whole: Whole =
        serde_json::from_str(text).map_err(|error| format!("is no calibration: {error}"))?;
    if whole.isotherm != NAME {
        return Err(format!(
            "is a file of \"{}\", not of \"{NAME}\"",
            whole.isotherm
        ));
    }
    if whole.version != VERSION {
        return Err(format!(
            "is of version {}, this build reads {VERSION}",
            whole.version
        ));
    }
    Ok(whole.evidence)
}

/// The text of a file.
///
/// # Errors
/// Never in practice: numbers and texts have a form in JSON.
pub fn text(evidence: &Evidence) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&Whole {
        isotherm: NAME.to_owned(),
        version: VERSION,
        evidence: evidence.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let evidence = Evidence::from([("BTC bybit".to_owned(), vec![1, -2, i64::MAX])]);
        let said = text(&evidence).unwrap();
        assert_eq!(parse(&said).unwrap(), evidence);
        for (wrong, right) in [
            ("\"version\": 1", "\"version\": 2"),
            ("calibration", "tape"),
            ("{", "["),
        ] {
            assert!(parse(&said.replacen(wrong, right, 1)).is_err(), "{right}");
        }
        for cut in 0..said.len() {
            assert!(parse(&said[..cut]).is_err());
        }
    }
}
