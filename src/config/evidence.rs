//! Evidence: a file of calibrations, what one run learned and another may begin with, as rows of whole numbers.
//!
//! ```json
//! {"isotherm": "calibration", "version": 2, "evidence": {"BTC bybit": [1, 2, 3]}, "taught": {"BTC day": [1, 2, 3]}}
//! ```
//! `evidence` is of θ, by symbol and venue; `taught` what touches taught of the runs of zones, by symbol and mode,
//! which version 1 does not have. What the numbers mean is the model's (`calibrate`, `zone`), which also refuses rows
//! of another form; here it is only read and written. `isotherm calibration show … --save FILE` writes one, the key
//! `calibration` of `[engine]` begins with one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows by name.
pub type Rows = BTreeMap<String, Vec<i64>>;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Of θ, by symbol and venue (`BTC bybit`).
    pub theta: Rows,
    /// Of runs of zones, by symbol and mode (`BTC day`).
    pub taught: Rows,
}

/// What the file says it is.
const NAME: &str = "calibration";
/// Version of the file's form that is written.
const VERSION: u32 = 2;
/// The one that knows θ alone.
const THETA_ALONE: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    isotherm: String,
    version: u32,
    evidence: Rows,
    taught: Option<Rows>,
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
    let taught = match (whole.version, whole.taught) {
        (THETA_ALONE, None) => Rows::new(),
        (VERSION, Some(taught)) => taught,
        (VERSION, None) => return Err(format!("is of version {VERSION} and has no \"taught\"")),
        (version, _) => {
            return Err(format!(
                "is of version {version}, this build reads {VERSION}, and {THETA_ALONE} without \"taught\""
            ));
        }
    };
    Ok(Evidence {
        theta: whole.evidence,
        taught,
    })
}

/// The text of a file.
///
/// # Errors
/// Never in practice: numbers and texts have a form in JSON.
pub fn text(evidence: &Evidence) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&Whole {
        isotherm: NAME.to_owned(),
        version: VERSION,
        evidence: evidence.theta.clone(),
        taught: Some(evidence.taught.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let row = |name: &str| Rows::from([(name.to_owned(), vec![1, -2, i64::MAX])]);
        let evidence = Evidence {
            theta: row("BTC bybit"),
            taught: row("BTC day"),
        };
        let said = text(&evidence).unwrap();
        assert_eq!(parse(&said).unwrap(), evidence);
        for (wrong, right) in [
            ("\"version\": 2", "\"version\": 3"),
            ("\"version\": 2", "\"version\": 1"),
            ("taught", "thought"),
            ("calibration", "tape"),
            ("{", "["),
        ] {
            assert!(parse(&said.replacen(wrong, right, 1)).is_err(), "{right}");
        }
        for cut in 0..said.len() {
            assert!(parse(&said[..cut]).is_err());
        }
    }

    #[test]
    fn an_older_file_is_of_theta_alone() {
        let old = r#"{"isotherm": "calibration", "version": 1, "evidence": {"BTC bybit": [1, 2]}}"#;
        let read = parse(old).unwrap();
        assert_eq!(read.theta["BTC bybit"], [1, 2]);
        assert!(read.taught.is_empty());
        let why = parse(&old.replace(": 1", ": 2")).unwrap_err();
        assert!(why.contains("has no \"taught\""), "{why}");
        let why = parse(&old.replace(": 1", ": 7")).unwrap_err();
        assert!(why.contains("version 7"), "{why}");
    }
}
