//! The terminal's picture of a symbol: a head line, a line per mode, the nearest zones.

use super::{Show, named};
use crate::health::flag;
use crate::shm::record::{MODE_NAMES, MOTIONS, STATES, Wide, ZONE_STATES, ZoneRecord, verdict};
use std::fmt::Write as _;

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
        u32::MAX => "never".to_string(),
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

/// The whole picture, `zones` hot zones a side.
#[must_use]
pub fn symbol(show: &Show, wide: &Wide, zones: usize) -> String {
    let mut out = String::new();
    let price = |e10| show.price(e10).unwrap_or_else(|| "-".to_string());
    let _ = writeln!(
        out,
        "{:<6} mark {}  book {} / {}  open interest {}  forced below {}  above {}",
        show.symbol,
        price(wide.mark_e10),
        price(wide.bid_e10),
        price(wide.ask_e10),
        show.qty(wide.interest_e6),
        short_usd(wide.long_usd),
        short_usd(wide.short_usd),
    );
    let names: Vec<_> = flag::names(wide.flags).collect();
    let _ = writeln!(
        out,
        "    ages: trade {}  book {}  mark {}  interest {}  print {}   prior {}%  inert {}%  {}",
        age(wide.ages.trade_ms),
        age(wide.ages.book_ms),
        age(wide.ages.mark_ms),
        age(wide.ages.interest_ms),
        age(wide.ages.print_ms),
        wide.prior_share_e6 / 10_000,
        wide.inert_share_e6 / 10_000,
        names.join(" "),
    );
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

/// One line: mark, the three biases, the nearest hot zone on each side.
#[must_use]
pub fn line(show: &Show, wide: &Wide) -> String {
    let mut out = String::new();
    let mark = show.price(wide.mark_e10).unwrap_or_else(|| "-".to_string());
    let _ = write!(out, "{:<4} mark {mark:>10} ", show.symbol);
    for (name, mode) in MODE_NAMES.iter().zip(&wide.mode) {
        let verdict = named(&verdict::NAMES, mode.verdict);
        let _ = write!(
            out,
            " {name} {:>+4}/{:<2} {verdict:<10}",
            mode.bias, mode.confidence
        );
    }
    for (side, zones) in [("above", &wide.hot_above), ("below", &wide.hot_below)] {
        match zones.iter().find(|zone| zone.high_e10 != 0) {
            Some(zone) => {
                let way = zone.distance_bps_e2;
                let money = short_usd(zone.usd);
                let state = named(&ZONE_STATES, zone.state);
                let _ = write!(
                    out,
                    " {side} {}.{:02}bp {money} {state}",
                    way / 100,
                    way % 100
                );
            }
            None => {
                let _ = write!(out, " {side} none");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_short_and_keeps_its_sign() {
        assert_eq!(short_usd(81_244_900), "812.44k");
        assert_eq!(short_usd(-321_000_000), "-3.21M");
        assert_eq!(short_usd(999), "9");
    }
}
