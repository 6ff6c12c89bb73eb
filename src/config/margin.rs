//! Margin: the user's own margin tables, for venues whose tables need a key or are wrong.
//!
//! A TOML file of rows, each symbol's in the order of their caps:
//!
//! ```toml
//! [[tier]]
//! symbol = "BTC"         # canonical asset
//! cap = 300000           # largest position, USD
//! leverage = 100         # highest leverage
//! maintenance = 0.004    # maintenance-margin rate
//! deduction = 0          # not given = what makes the margin continuous
//! ```
//! A file whose name ends in `.json` holds the same as JSON: `{"tier": [{"symbol": "BTC", ...}, ...]}`; its faults name
//! the row instead of the line.
//!
//! They go before the venue's own tables, and those before assumed ones. Rates must grow and leverage fall from row to
//! row, and a row must not liquidate a position the moment it is opened.

use super::fault::{ConfigFault, Source};
use super::keys::{Key, Kind, Scale};
use super::reading::Reading;
use super::value::symbol_name;
use crate::event::Tier;
use crate::num::Usd;
use std::path::Path;
use toml::de::DeTable;

/// Most rows of a file.
const ROWS_MAX: usize = 4_096;

/// One row of a margin table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarginRow {
    /// Canonical asset.
    pub symbol: String,
    /// The row; numbers and floors are worked out, 0 = the first row of the symbol.
    pub tier: Tier,
}

/// A row as it is read.
#[derive(Debug, Clone, Default)]
struct Row {
    symbol: String,
    cap: i64,
    leverage_e2: i64,
    maintenance_e6: i64,
    deduction: Option<i64>,
}

const ROW: [Key<Row>; 5] = [
    Key::required(
        "symbol",
        "Canonical asset.",
        Kind::Text {
            allowed: || "a canonical asset, like \"BTC\"".to_owned(),
            pattern: "^[A-Z0-9]{1,16}$",
            get: |row| Some(row.symbol.clone()),
            set: |row, text| symbol_name(text).map(|name| row.symbol = name),
        },
    ),
    Key::required(
        "cap",
        "Largest position of the row, USD.",
        Kind::Number {
            scale: Scale::E2,
            range: [1, 100_000_000_000_000],
            get: |row| Some(row.cap),
            set: |row, n| row.cap = n,
        },
    ),
    Key::required(
        "leverage",
        "Highest leverage of the row.",
        Kind::Number {
            scale: Scale::E2,
            range: [100, 100_000],
            get: |row| Some(row.leverage_e2),
            set: |row, n| row.leverage_e2 = n,
        },
    ),
    Key::required(
        "maintenance",
        "Maintenance-margin rate.",
        Kind::Number {
            scale: Scale::E6,
            range: [1, 999_999],
            get: |row| Some(row.maintenance_e6),
            set: |row, n| row.maintenance_e6 = n,
        },
    ),
    Key::new(
        "deduction",
        "Maintenance deduction, USD; not given = what makes the margin continuous.",
        Kind::Number {
            scale: Scale::E2,
            range: [0, 100_000_000_000_000],
            get: |row| row.deduction,
            set: |row, n| row.deduction = Some(n),
        },
    ),
];

/// Reads and checks the text of a file; `file` is what faults call it.
///
/// # Errors
/// All faults in it.
pub(super) fn parse(text: &str, file: &str) -> Result<Vec<MarginRow>, Vec<ConfigFault>> {
    let is_json = Path::new(file)
        .extension()
        .is_some_and(|ending| ending == "json");
    if is_json {
        parse_json(text, file)
    } else {
        parse_toml(text, file)
    }
}

/// JSON becomes TOML, which is read as any other.
fn parse_json(text: &str, file: &str) -> Result<Vec<MarginRow>, Vec<ConfigFault>> {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let table: toml::Table = serde_json::from_str(text).map_err(|error| {
        vec![ConfigFault {
            file: file.to_owned(),
            line: number(error.line()),
            column: number(error.column()),
            text: error.to_string(),
        }]
    })?;
    let rows = toml::to_string(&table).unwrap_or_default();
    parse_toml(&rows, file).map_err(|mut faults| {
        for fault in &mut faults {
            let before = rows.lines().take(fault.line as usize);
            let row = before.filter(|line| *line == "[[tier]]").count();
            (fault.line, fault.column) = (0, 0);
            if row > 0 {
                fault.text = format!("row {row}: {}", fault.text);
            }
        }
        faults
    })
}

fn parse_toml(text: &str, file: &str) -> Result<Vec<MarginRow>, Vec<ConfigFault>> {
    let source = Source { file, text };
    let mut reading = Reading::new(source);
    let (root, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        let at = error.span().map_or(0, |span| span.start);
        reading.complain(at, error.message().to_owned());
    }
    if !syntax.is_empty() {
        return Err(reading.faults);
    }
    let mut rows: Vec<MarginRow> = Vec::new();
    for (name, value) in root.get_ref() {
        let list = value.get_ref().as_array();
        let list = list.filter(|list| name.get_ref() == "tier" && list.len() <= ROWS_MAX);
        let Some(list) = list else {
            let text = format!(
                "found \"{}\"; allowed: 1 to {ROWS_MAX} [[tier]]",
                name.get_ref()
            );
            reading.complain(name.span().start, text);
            continue;
        };
        for item in list.iter() {
            let (mut row, before) = (Row::default(), reading.faults.len());
            reading.section("[[tier]]", item, "tier", &ROW, &mut row);
            if reading.faults.len() > before {
                continue;
            }
            match fit(&row, &rows) {
                Ok(tier) => rows.push(MarginRow {
                    symbol: row.symbol,
                    tier,
                }),
                Err(text) => reading.complain(item.span().start, text),
            }
        }
    }
    if rows.is_empty() && reading.faults.is_empty() {
        reading.complain(
            0,
            format!("found nothing; allowed: 1 to {ROWS_MAX} [[tier]]"),
        );
    }
    if reading.faults.is_empty() {
        Ok(rows)
    } else {
        Err(reading.faults)
    }
}

/// A row behind those of its symbol.
fn fit(row: &Row, rows: &[MarginRow]) -> Result<Tier, String> {
    let last = rows.iter().rev().find(|other| other.symbol == row.symbol);
    let last = last.map(|last| last.tier);
    let (floor, rate, deduction, number) = last.map_or((0, 0, 0, 0), |last| {
        let rate = i64::from(last.maintenance_e6);
        (
            last.cap.get(),
            rate,
            last.deduction.get(),
            last.row.saturating_add(1),
        )
    });
    let who = format!("[[tier]] of {}", row.symbol);
    if row.cap <= floor {
        return Err(format!(
            "{who}: its cap is not above that of the row before"
        ));
    }
    if let Some(last) = last
        && (row.maintenance_e6 < rate || row.leverage_e2 > i64::from(last.leverage_e2))
    {
        return Err(format!(
            "{who}: a larger position must not have a lower rate or a higher leverage"
        ));
    }
    // Initial margin is 1 / leverage.
    if row.maintenance_e6.saturating_mul(row.leverage_e2) >= 100_000_000 {
        return Err(format!(
            "{who}: at this leverage and maintenance rate a position dies when it is opened"
        ));
    }
    let step = i128::from(floor) * i128::from(row.maintenance_e6 - rate) / 1_000_000;
    let continuous = deduction.saturating_add(i64::try_from(step).unwrap_or(i64::MAX));
    Ok(Tier {
        row: number,
        cap: Usd::new(row.cap),
        leverage_e2: u32::try_from(row.leverage_e2).unwrap_or(u32::MAX),
        maintenance_e6: u32::try_from(row.maintenance_e6).unwrap_or(u32::MAX),
        deduction: Usd::new(row.deduction.unwrap_or(continuous)),
        floor: Usd::new(floor),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        parse(text, "tiers.toml")
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    const BTC: &str = "[[tier]]\nsymbol = \"BTC\"\ncap = 300_000\nleverage = 100\n\
                       maintenance = 0.004\n";

    #[test]
    fn rows_get_their_numbers_floors_and_deductions() {
        let more = "[[tier]]\nsymbol = \"ETH\"\ncap = 5.5\nleverage = 12.5\nmaintenance = 0.01\n\
                    [[tier]]\nsymbol = \"BTC\"\ncap = 800000\nleverage = 75\nmaintenance = 0.005\n\
                    [[tier]]\nsymbol = \"BTC\"\ncap = 900000\nleverage = 75\nmaintenance = 0.005\n\
                    deduction = 7\n";
        let rows = parse(&format!("{BTC}{more}"), "x").unwrap();
        let btc: Vec<Tier> = (rows.iter().filter(|row| row.symbol == "BTC"))
            .map(|row| row.tier)
            .collect();
        assert_eq!(
            btc.iter().map(|tier| tier.row).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        // 300,000 x (0.5 % - 0.4 %) = 300 USD.
        assert_eq!(btc[1].deduction, Usd::new(30_000));
        assert_eq!(
            (btc[1].floor, btc[1].cap),
            (btc[0].cap, Usd::new(80_000_000))
        );
        assert_eq!(btc[2].deduction, Usd::new(700));
        let eth = rows[1].tier;
        assert_eq!(
            (eth.row, eth.floor, eth.leverage_e2),
            (0, Usd::new(0), 1_250)
        );
    }

    #[test]
    fn json_says_the_same() {
        let row = |maintenance: &str| {
            format!(
                r#"{{"symbol": "BTC", "cap": 300000, "leverage": 100, "maintenance": {maintenance}}}"#
            )
        };
        let text = format!("{{\"tier\": [{}]}}", row("0.004"));
        assert_eq!(parse(&text, "tiers.json"), parse(BTC, "tiers.toml"));
        let said = |text: &str| parse(text, "tiers.json").unwrap_err()[0].to_string();
        let second = format!("{{\"tier\": [{},\n {}]}}", row("0.004"), row("0.9999999"));
        let fault = said(&second);
        let place = "tiers.json: row 2: key \"maintenance\" in [[tier]]: found 0.9999999; ";
        assert!(fault.starts_with(place), "{fault}");
        assert!(said("{\"tier\": [,]}").starts_with("tiers.json:1:11: "));
        assert!(said("[]").starts_with("tiers.json:1:"));
        assert!(said("{}").contains("found nothing"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert_eq!(
            faults(&format!("{BTC}{BTC}")),
            ["tiers.toml:6:1: [[tier]] of BTC: its cap is not above that of the row before"]
        );
        let found = faults("[[tier]]\nsymbol = \"BTCUSDT\"\ncap = 0\nleverage = 100\n");
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(
            found.iter().any(|f| f.contains("did you mean \"BTC\"?")),
            "{found:#?}"
        );
        assert!(faults("")[0].ends_with("found nothing; allowed: 1 to 4096 [[tier]]"));
        assert!(faults("tiers = 3")[0].contains("found \"tiers\""));
        let deadly = BTC.replace("0.004", "0.01");
        assert!(faults(&deadly)[0].contains("dies when it is opened"));
    }
}
