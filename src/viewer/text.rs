//! The terminal's picture of a symbol: a head line, ages, flags, a line per mode, the nearest zones. What was never
//! heard is `-`, never zero. No line is longer than 150 columns.

use super::{Show, heard, mapped, named};
use crate::health::flag;
use crate::shm::record::{MODE_NAMES, MOTIONS, STATES, Wide, ZONE_STATES, ZoneRecord, verdict};
use std::fmt::Write as _;

/// Columns of a line of flags; then the next one begins.
const COLUMNS: usize = 120;

/// Money in four significant places: `812.4k`, `3.210M`.
#[must_use]
pub fn short_usd(cents: i64) -> String {
    let dollars = cents / 100;
    let size = dollars.unsigned_abs();
    let (unit, name) = match size {
        0..=9_999 => return dollars.to_string(),
        10_000..=999_999 => (1_000, "k"),
        1_000_000..=999_999_999 => (1_000_000, "M"),
        _ => (1_000_000_000, "B"),
    };
    let sign = if dollars < 0 { "-" } else { "" };
    format!(
        "{sign}{}.{:02}{name}",
        size / unit,
        size % unit * 100 / unit
    )
}

fn age(ms: u32) -> String {
    match ms {
        0..=9_999 => format!("{ms}ms"),
        10_000..=599_999 => format!("{}s", ms / 1_000),
        _ => format!("{}m", ms / 60_000),
    }
}

fn zone_line(show: &Show, zone: &ZoneRecord) -> String {
    let what = match (zone.kind, zone.holder) {
        (0, 0) => "longs ",
        (0, _) => "shorts",
        _ => "cold  ",
    };
    let place = if zone.place == 0 { "above" } else { "below" };
    let way = zone.distance_bps_e2;
    format!(
        "    {place} {what} {:>12} .. {:<12} {:>9}  {:>4}.{:02} bp  {}",
        show.level(zone.low_e10),
        show.level(zone.high_e10),
        short_usd(zone.usd),
        way / 100,
        way % 100,
        named(&ZONE_STATES, zone.state),
    )
}

/// The flags, as many lines as they need.
fn flag_lines(bits: u32) -> String {
    let (mut out, mut width) = (String::new(), COLUMNS);
    for name in flag::names(bits) {
        if width + 1 + name.len() > COLUMNS {
            let head = if out.is_empty() {
                "    flags:"
            } else {
                "\n          "
            };
            out.push_str(head);
            width = head.len();
        }
        out.push(' ');
        out.push_str(name);
        width += 1 + name.len();
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// The whole picture, `zones` hot zones a side.
#[must_use]
pub fn symbol(show: &Show, wide: &Wide, zones: usize) -> String {
    let mut out = String::new();
    let price = |e10| show.price(e10).unwrap_or_else(|| "-".to_string());
    let known = |text: String| if mapped(wide) { text } else { "-".to_string() };
    let _ = writeln!(
        out,
        "{:<6} mark {}  book {} / {}  open interest {}  forced below {}  above {}",
        show.symbol,
        price(wide.mark_e10),
        price(wide.bid_e10),
        price(wide.ask_e10),
        known(show.qty(wide.interest_e6)),
        known(short_usd(wide.long_usd)),
        known(short_usd(wide.short_usd)),
    );
    let age = |ms| {
        if heard(wide, ms) {
            age(ms)
        } else {
            "never".to_string()
        }
    };
    let _ = writeln!(
        out,
        "    ages: trade {}  book {}  mark {}  interest {}  print {}   prior {}  inert {}",
        age(wide.ages.trade_ms),
        age(wide.ages.book_ms),
        age(wide.ages.mark_ms),
        age(wide.ages.interest_ms),
        age(wide.ages.print_ms),
        known(format!("{}%", wide.prior_share_e6 / 10_000)),
        known(format!("{}%", wide.inert_share_e6 / 10_000)),
    );
    out.push_str(&flag_lines(wide.flags));
    for (name, mode) in MODE_NAMES.iter().zip(&wide.mode) {
        let _ = writeln!(
            out,
            "    {name:<6} bias {:>+4}  confidence {:>3}  {:<12} {:<10} {}",
            mode.bias,
            mode.confidence,
            named(&verdict::NAMES, mode.verdict),
            named(&STATES, mode.state),
            named(&MOTIONS, mode.motion),
        );
    }
    for side in [&wide.hot_above, &wide.hot_below] {
        for zone in side.iter().filter(|z| z.high_e10 != 0).take(zones) {
            let _ = writeln!(out, "{}", zone_line(show, zone));
        }
    }
    out
}

/// Two lines: mark and the three biases; the nearest hot zone on each side.
#[must_use]
pub fn lines(show: &Show, wide: &Wide) -> String {
    let mut out = String::new();
    let mark = show.price(wide.mark_e10).unwrap_or_else(|| "-".to_string());
    let _ = write!(out, "{:<6} mark {mark:>12} ", show.symbol);
    for (name, mode) in MODE_NAMES.iter().zip(&wide.mode) {
        let verdict = named(&verdict::NAMES, mode.verdict);
        let _ = write!(
            out,
            "  {name} {:>+4}/{:<3} {verdict:<12}",
            mode.bias, mode.confidence
        );
    }
    out = format!("{}\n        forced", out.trim_end());
    for (side, zones) in [("above", &wide.hot_above), ("below", &wide.hot_below)] {
        match zones.iter().find(|zone| zone.high_e10 != 0) {
            Some(zone) => {
                let way = zone.distance_bps_e2;
                let money = short_usd(zone.usd);
                let state = named(&ZONE_STATES, zone.state);
                let _ = write!(
                    out,
                    "  {side} {:>4}.{:02} bp {money:>9} {state:<10}",
                    way / 100,
                    way % 100
                );
            }
            None => {
                let _ = write!(out, "  {side} {:<28}", "none");
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable as _;

    #[test]
    fn nothing_heard_is_shown_as_nothing_and_no_line_is_too_long() {
        let show = Show {
            symbol: "1000PEPE".to_string(),
            venue: "bybit".to_string(),
            price_places: None,
            qty_places: None,
        };
        let mut wide = Wide::zeroed();
        wide.flags = u32::MAX;
        let text = symbol(&show, &wide, 4);
        assert!(
            text.contains("open interest -  forced below -  above -"),
            "{text}"
        );
        assert!(
            text.contains("interest never") && text.contains("prior -"),
            "{text}"
        );
        wide.recv_ns = 1;
        for mode in &mut wide.mode {
            (mode.bias, mode.confidence, mode.verdict) = (-100, 100, verdict::STRONG_SHORT);
        }
        let most = 999_999_1234567890;
        (wide.mark_e10, wide.bid_e10, wide.ask_e10) = (most, most, most);
        (wide.interest_e6, wide.long_usd, wide.short_usd) = (most, most, most);
        wide.hot_above = [ZoneRecord {
            high_e10: most,
            ..ZoneRecord::zeroed()
        }; 8];
        for text in [symbol(&show, &wide, 8), lines(&show, &wide)] {
            for line in text.lines() {
                assert!(line.len() <= 150, "{}: {line}", line.len());
            }
        }
    }

    #[test]
    fn money_is_short_and_keeps_its_sign() {
        assert_eq!(short_usd(81_244_900), "812.44k");
        assert_eq!(short_usd(-321_000_000), "-3.21M");
        assert_eq!(short_usd(999), "9");
    }
}
