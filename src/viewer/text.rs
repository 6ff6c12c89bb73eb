//! The terminal's picture of a symbol: head lines, ages, flags, a line per mode, the map's readings, the nearest zones
//! with their life and odds, in 80 columns; of the venues, a line each; of the newest events; and of the distinct error
//! log, a line a kind, in 150. What was never heard is `-` or `never`, never zero.

use super::{Show, heard, mapped, named};
use crate::health::flag;
use crate::log::span;
use crate::shm::record::{
    CASCADE_STATES, CHANNELS, CascadeRecord, EVENT_ALERT, EVENT_CAUSES, EVENT_CLOSED, ErrorRecord,
    EventRecord, LADDER_BPS, MODE_NAMES, MOTIONS, ModeRecord, NO_E4, NO_SHARE, NO_STATE, NO_USD,
    OddsRecord, PROOFS, STATES, VenueRecord, Wide, ZONE_LABELS, ZONE_STATES, ZONE_SWEPT,
    ZoneRecord, verdict,
};
use crate::time::Nanos;
use std::fmt::Write as _;

/// Columns of a line of flags; then the next one begins.
const COLUMNS: usize = 80;

/// Money, to a hundredth of its unit from 10,000 on: `812.40k`, `3.21M`.
#[must_use]
pub fn short_usd(cents: i64) -> String {
    short(cents / 100)
}

/// A whole number, to a hundredth of its unit from 10,000 on.
#[must_use]
pub fn short(number: i64) -> String {
    let size = number.unsigned_abs();
    let (unit, name) = match size {
        0..=9_999 => return number.to_string(),
        // What would round to a thousand of a unit is one of the next.
        10_000..=999_994 => (1_000, "k"),
        999_995..=999_994_999 => (1_000_000, "M"),
        _ => (1_000_000_000, "B"),
    };
    let sign = if number < 0 { "-" } else { "" };
    let step = unit / 100;
    let hundredths = size / step + u64::from(size % step * 2 >= step);
    format!("{sign}{}.{:02}{name}", hundredths / 100, hundredths % 100)
}

fn age(ms: u32) -> String {
    span(Nanos::millis(i64::from(ms)))
}

/// A share of step 1e-4 in per cent; `-` when it is not known.
fn percent(e4: u16) -> String {
    if e4 == NO_E4 {
        "-".to_string()
    } else {
        format!("{}%", (u32::from(e4) + 50) / 100)
    }
}

/// Money, `-` when it is not known.
fn money(cents: i64) -> String {
    if cents == NO_USD {
        "-".to_string()
    } else {
        short_usd(cents)
    }
}

fn zone_line(show: &Show, zone: &ZoneRecord, odds: &OddsRecord) -> String {
    let what = match (zone.kind, zone.holder) {
        (0, 0) => "long",
        (0, _) => "short",
        _ => "cold",
    };
    let way = match (zone.state, zone.distance_bps_e2) {
        // It lies behind by now.
        (ZONE_SWEPT.., 0) => "-".to_string(),
        (_, way) => format!("{}.{:02}", way / 100, way % 100),
    };
    let label = match odds.label {
        0 => "-",
        1 => "?",
        label => named(&ZONE_LABELS, label),
    };
    format!(
        "  {what:<5} {:<7} {:>10} {:>9} {:>8} {way:>7} {:<10} {label:<4} {:>4} {:>4}",
        format!("#{}", zone.id),
        show.level(zone.low_e10),
        show.level(zone.high_e10),
        short_usd(zone.usd),
        named(&ZONE_STATES, zone.state),
        percent(odds.p_touch_e4),
        percent(odds.p_run_e4),
    )
}

fn cascade_line(show: &Show, way: &str, record: &CascadeRecord) -> String {
    let gain = match record.gain_e4 {
        NO_SHARE => "-".to_string(),
        gain => format!("{}.{:02}", gain / 10_000, gain % 10_000 / 100),
    };
    let state = match record.state {
        NO_STATE => "no prints",
        state => named(&CASCADE_STATES, state),
    };
    if (record.gain_e4, record.usd) == (NO_SHARE, NO_USD) {
        return format!("  cascade {way:<4} {state}");
    }
    let end = match (record.end_e10, record.beyond) {
        (0, _) => "-".to_string(),
        (end, 0) => show.level(end),
        (end, _) => format!("{}, by unseen depth", show.level(end)),
    };
    format!(
        "  cascade {way:<4} gain {gain:>7}  {:>9} to {end}  {state}",
        money(record.usd)
    )
}

/// Ladders, cascades, intervals and the proof's word.
fn map_lines(show: &Show, wide: &Wide) -> String {
    let (mut out, map) = (String::new(), &wide.map);
    let range = |[low, high]: [i64; 2]| format!("{} .. {}", money(low), money(high));
    let _ = writeln!(
        out,
        "  map {}; 80 %: below {}, above {}",
        named(&PROOFS, wide.map_proof),
        range(map.long_interval_usd),
        range(map.short_interval_usd),
    );
    let _ = write!(out, "  if it moves");
    for bps in LADDER_BPS {
        let _ = write!(out, " {:>9}", format!("{bps}bp"));
    }
    for (way, ladder) in [("up", &map.ladder_up_usd), ("down", &map.ladder_down_usd)] {
        let _ = write!(out, "\n  {way:>11}");
        for cents in ladder {
            let _ = write!(out, " {:>9}", money(*cents));
        }
    }
    let pain = show
        .price(map.max_pain_e10)
        .map(|_| show.level(map.max_pain_e10));
    // Hundredths tell them apart, seldom tenths.
    let path = |of: &CascadeRecord| match of.path_gain_e4 {
        NO_SHARE => "-".to_string(),
        gain => format!("{}.{:04}", gain / 10_000, gain % 10_000),
    };
    let _ = writeln!(
        out,
        "\n  densest at {}; gain of the path: up {}, down {}",
        pain.unwrap_or_else(|| "-".to_string()),
        path(&map.cascade_up),
        path(&map.cascade_down),
    );
    for (way, record) in [("up", &map.cascade_up), ("down", &map.cascade_down)] {
        let _ = writeln!(out, "{}", cascade_line(show, way, record));
    }
    out
}

/// One event, a line. `now` is Unix time.
#[must_use]
pub fn event(show: &Show, event: &EventRecord, now: Nanos) -> String {
    let kind = match event.kind {
        EVENT_ALERT => "alert",
        EVENT_CLOSED => "closed",
        _ => "life",
    };
    let state = |state| match state {
        u8::MAX => "-",
        state => named(&ZONE_STATES, state),
    };
    let age = span(now.since(Nanos::new(event.recv_ns)));
    let (money, cause) = (short_usd(event.usd), named(&EVENT_CAUSES, event.cause));
    let what = if event.kind == EVENT_CLOSED {
        let came = match event.executed_usd {
            NO_USD => "-".to_string(),
            cents => short_usd(cents),
        };
        let outcome = ["untouched", "touched", "swept", "swept"][usize::from(event.outcome & 3)];
        format!("{cause} {outcome} {money} came {came}")
    } else {
        format!(
            "{} > {} {cause} {money}",
            state(event.from),
            state(event.to)
        )
    };
    format!(
        "  {age:>5} {kind:<6} {:<6} #{} {what}",
        show.symbol, event.zone
    )
}

/// The flags, as many lines as they need.
fn flag_lines(bits: u32) -> String {
    let (mut out, mut width) = (String::new(), COLUMNS);
    for name in flag::names(bits) {
        if width + 1 + name.len() > COLUMNS {
            let head = if out.is_empty() {
                "  flags:"
            } else {
                "\n        "
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

/// The whole picture, a mode's `zones` hot zones a side.
#[must_use]
pub fn symbol(show: &Show, wide: &Wide, mode: usize, zones: usize) -> String {
    let mut out = String::new();
    let price = |e10| show.price(e10).unwrap_or_else(|| "-".to_string());
    let known = |text: String| if mapped(wide) { text } else { "-".to_string() };
    let part = |e6: u32| match e6 {
        NO_SHARE => "-".to_string(),
        e6 => known(format!("{}%", e6.saturating_add(5_000) / 10_000)),
    };
    let _ = writeln!(
        out,
        "{:<6} mark {}  book {} / {}",
        show.title(),
        price(wide.mark_e10),
        price(wide.bid_e10),
        price(wide.ask_e10),
    );
    let _ = writeln!(
        out,
        "  open interest {}  forced below {}  above {}",
        known(show.qty(wide.interest_e6)),
        known(money(wide.long_usd)),
        known(money(wide.short_usd)),
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
        "  ages: trade {} book {} mark {} interest {} print {}\n  prior {} inert {}{}",
        age(wide.ages.trade_ms),
        age(wide.ages.book_ms),
        age(wide.ages.mark_ms),
        age(wide.ages.interest_ms),
        age(wide.ages.print_ms),
        part(wide.prior_share_e6),
        part(wide.inert_share_e6),
        match show.venue.as_str() {
            "" => String::new(),
            venue => format!("; prices, book and ages are {venue}'s"),
        },
    );
    out.push_str(&flag_lines(wide.flags));
    for (name, mode) in MODE_NAMES.iter().zip(&wide.mode) {
        let (state, motion) = if has_data(mode) {
            (named(&STATES, mode.state), named(&MOTIONS, mode.motion))
        } else {
            ("", "")
        };
        let line = format!(
            "  {name:<6} bias {}  confidence {:>3}  {:<12} {state:<10} {motion}",
            bias(mode),
            mode.confidence,
            named(&verdict::NAMES, mode.verdict),
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    if mapped(wide) {
        out.push_str(&map_lines(show, wide));
    }
    let (mut head, hot) = (true, wide.hot(mode));
    for (side, odds) in [(&hot.above, &hot.odds_above), (&hot.below, &hot.odds_below)] {
        let used = side.iter().zip(odds).filter(|(zone, _)| zone.high_e10 != 0);
        for (zone, odds) in used.take(zones) {
            if core::mem::take(&mut head) {
                let _ = writeln!(
                    out,
                    "  {:<5} {:<7} {:>10} {:>9} {:>8} {:>7} {:<10} {:<4} {:>4} {:>4}",
                    MODE_NAMES.get(mode).unwrap_or(&"hot"),
                    "zone",
                    "from",
                    "to",
                    "usd",
                    "away bp",
                    "state",
                    "if",
                    "hit",
                    "run"
                );
            }
            let _ = writeln!(out, "{}", zone_line(show, zone, odds));
        }
    }
    if !head {
        let told = match wide.mode.get(mode).map_or(0, |mode| mode.run_touches) {
            0 => "alone, no touch taught it yet".to_string(),
            1 => "and one touch".to_string(),
            n => format!("and {} touches", count(n.into())),
        };
        let _ = writeln!(out, "  run: by judgement {told}");
    }
    out
}

/// Milliseconds with three decimals.
fn millis(ns: i64) -> String {
    let us = ns.unsigned_abs() / 1_000;
    format!("{}.{:03}", us / 1_000, us % 1_000)
}

fn count(n: u64) -> String {
    short(i64::try_from(n).unwrap_or(i64::MAX))
}

/// The venue directory: a heading and a line a venue; nothing when there is none. `now` is CLOCK_MONOTONIC.
#[must_use]
pub fn venues(venues: &[VenueRecord], now: Nanos) -> String {
    let mut out = String::new();
    if venues.is_empty() {
        return out;
    }
    let _ = write!(
        out,
        "    {:<12} {:<5} {:>5}  {:>8} {:>7} {:>7} {:>7} {:>7}  {:<24}",
        "venue", "state", "feeds", "frames", "faults", "gaps", "again", "twice", "clock, ms"
    );
    for channel in CHANNELS {
        let _ = write!(out, "  {channel:>7}");
    }
    out.push('\n');
    for venue in venues {
        let clock = match venue.offset_error_ns {
            ..0 => "not measured".to_string(),
            error => {
                let sign = if venue.offset_ns < 0 { '-' } else { '+' };
                format!("{sign}{} within {}", millis(venue.offset_ns), millis(error))
            }
        };
        let _ = write!(
            out,
            "    {:<12} {:<5} {:>5}  {:>8} {:>7} {:>7} {:>7} {:>7}  {clock:<24}",
            venue.name_text(),
            if venue.up == 1 { "up" } else { "DOWN" },
            format!("{}/{}", venue.feeds_up, venue.feeds),
            count(venue.frames),
            count(venue.faults),
            count(venue.gaps),
            count(venue.reconnects),
            count(venue.duplicates),
        );
        for (channel, heard) in CHANNELS.iter().zip(venue.heard_mono_ns) {
            let text = match heard {
                0 => "never".to_string(),
                heard => span(now.since(Nanos::new(heard))),
            };
            let width = channel.len().max(7);
            let _ = write!(out, "  {text:>width$}");
        }
        out.push('\n');
    }
    out
}

/// Columns an error's text may have on a screen.
pub const TEXT: usize = 84;

/// The distinct error log, newest kind first, `most` of them, their texts cut at `width`; nothing when there is none.
/// `now` is Unix time.
#[must_use]
pub fn errors(errors: &[ErrorRecord], now: Nanos, most: usize, width: usize) -> String {
    let mut out = String::new();
    if errors.is_empty() {
        return out;
    }
    let times = errors
        .iter()
        .fold(0u64, |sum, error| sum.saturating_add(error.count));
    let _ = writeln!(out, "    errors: {} kind(s), {times} time(s)", errors.len());
    let mut newest: Vec<&ErrorRecord> = errors.iter().collect();
    newest.sort_by_key(|error| core::cmp::Reverse(error.last_ns));
    for error in newest.iter().take(most) {
        let [code, subject, text] = error.texts();
        let last = span(now.since(Nanos::new(error.last_ns)));
        let cut: String = text.chars().take(width).collect();
        let _ = writeln!(
            out,
            "    {:<5} {:<33} x{:<6} {last:>5} ago  {cut}",
            if error.level == 0 { "ERROR" } else { "warn" },
            format!("{code} {subject}").trim_end(),
            count(error.count),
        );
    }
    if errors.len() > most {
        let _ = writeln!(out, "    and {} older kind(s): --json", errors.len() - most);
    }
    out
}

/// True when a mode's bias stands on something: without confidence its 0 is no opinion.
const fn has_data(mode: &ModeRecord) -> bool {
    mode.confidence > 0
}

/// A mode's bias in four columns.
fn bias(mode: &ModeRecord) -> String {
    if has_data(mode) {
        format!("{:>+4}", mode.bias)
    } else {
        format!("{:>4}", "-")
    }
}

/// Two lines: mark and the three biases; the nearest hot zone on each side.
#[must_use]
pub fn lines(show: &Show, wide: &Wide) -> String {
    let mut out = String::new();
    let mark = show.price(wide.mark_e10).unwrap_or_else(|| "-".to_string());
    let _ = write!(out, "{:<6} mark {mark:>12} ", show.title());
    for (name, mode) in MODE_NAMES.iter().zip(&wide.mode) {
        let verdict = named(&verdict::NAMES, mode.verdict);
        let _ = write!(
            out,
            "  {name} {}/{:<3} {verdict:<12}",
            bias(mode),
            mode.confidence
        );
    }
    out = format!("{}\n        forced", out.trim_end());
    for (side, zones) in [("above", &wide.hot_above), ("below", &wide.hot_below)] {
        let is_ahead = |zone: &&ZoneRecord| zone.high_e10 != 0 && zone.state < ZONE_SWEPT;
        match zones.iter().find(is_ahead) {
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
    use crate::shm::record::mode;
    use crate::shm::record::{MapRecord, bytes_of};
    use bytemuck::Zeroable as _;

    #[test]
    fn nothing_heard_is_shown_as_nothing_and_no_line_is_too_long() {
        let show = Show {
            symbol: "PEPE".to_string(),
            lot: 1000,
            venue: "bybit".to_string(),
            price_places: None,
            qty_places: None,
        };
        let mut wide = Wide::zeroed();
        wide.flags = u32::MAX;
        let text = symbol(&show, &wide, mode::DAY, 4);
        assert!(
            text.contains("open interest -  forced below -  above -"),
            "{text}"
        );
        assert!(
            text.contains("interest never") && text.contains("prior -"),
            "{text}"
        );
        // No data is not a bias of 0, nor a calm one.
        assert!(
            text.contains("scalp  bias    -  confidence   0  NO_DATA\n"),
            "{text}"
        );
        assert!(lines(&show, &wide).contains("scalp    -/0   NO_DATA"));
        wide.recv_ns = 1;
        for mode in &mut wide.mode {
            (mode.bias, mode.confidence, mode.verdict) = (-100, 100, verdict::STRONG_SHORT);
        }
        let most = 9_999_991_234_567_890;
        (wide.mark_e10, wide.bid_e10, wide.ask_e10) = (most, most, most);
        (wide.interest_e6, wide.long_usd, wide.short_usd) = (most, most, most);
        wide.hot_above = [ZoneRecord {
            high_e10: most,
            ..ZoneRecord::zeroed()
        }; 8];
        wide.map = MapRecord::ABSENT;
        for line in lines(&show, &wide).lines() {
            assert!(line.len() <= 150, "{}: {line}", line.len());
        }
        // Prices of a real contract in 80 columns, everything else as long as it gets.
        let real = 1_234_567 * 1_000_000_000;
        (wide.mark_e10, wide.bid_e10, wide.ask_e10) = (real, real, real);
        wide.interest_e6 = 12_345_678_901_234;
        wide.hot_below = wide.hot_above;
        for zone in wide.hot_above.iter_mut().chain(&mut wide.hot_below) {
            (zone.low_e10, zone.high_e10, zone.state) = (real, real, 1);
            (zone.usd, zone.distance_bps_e2) = (most, 999_999);
            zone.id = 999_999;
        }
        for odds in &mut wide.odds_above {
            (odds.label, odds.p_touch_e4, odds.p_run_e4) = (2, 10_000, 10_000);
        }
        for known in [false, true] {
            if known {
                wide.mode[1].run_touches = u32::MAX;
                wide.map.ladder_up_usd = [most; 6];
                wide.map.long_interval_usd = [most; 2];
                wide.map.short_interval_usd = [most; 2];
                wide.map.max_pain_e10 = real;
                wide.map.cascade_up = CascadeRecord {
                    end_e10: real,
                    usd: most,
                    gain_e4: 10_000_000,
                    zone: 1,
                    state: 3,
                    beyond: 1,
                    path_gain_e4: u32::MAX - 1,
                    ..CascadeRecord::ABSENT
                };
            }
            let text = symbol(&show, &wide, mode::DAY, 8);
            for line in text.lines() {
                assert!(line.len() <= 80, "{}: {line}", line.len());
            }
            assert!(
                text.contains("no prints")
                    && text.contains("HOLD 100% 100%")
                    && text.contains("long  #999999")
                    && text.contains("no touch taught it yet") != known,
                "{text}"
            );
        }
        let money = 999_999_999_900;
        for kind in [EVENT_CLOSED, EVENT_ALERT] {
            let told = EventRecord {
                kind,
                usd: money,
                executed_usd: money,
                from: 1,
                to: 4,
                cause: 8,
                outcome: 3,
                zone: 999_999,
                ..EventRecord::zeroed()
            };
            let line = event(&show, &told, Nanos::seconds(5));
            assert!(line.len() <= 80, "{}: {line}", line.len());
        }
    }

    #[test]
    fn venues_and_errors_are_lines_that_fit() {
        let now = Nanos::seconds(1_000_000);
        let ago = |ms: i64| now.get() - ms * 1_000_000;
        let most = VenueRecord {
            up: 1,
            feeds_up: 16,
            feeds: 16,
            frames: 999_999_999_999,
            faults: 999_999_999_999,
            gaps: 999_999_999_999,
            reconnects: 999_999_999_999,
            duplicates: 999_999_999_999,
            offset_ns: -999_999_999_999,
            offset_error_ns: 999_999_999,
            heard_mono_ns: [ago(12), ago(-3), ago(40_000), ago(90_000_000)],
            ..VenueRecord::new("hyperliquid", 4)
        };
        let text = venues(&[VenueRecord::new("okx", 3), most], now);
        for line in text.lines() {
            assert!(line.chars().count() <= 150, "{}: {line}", line.len());
        }
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|l| l.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1][..3], ["okx", "DOWN", "0/0"]);
        assert!(text.contains("not measured"), "{text}");
        assert_eq!(lines[1][lines[1].len() - 4..], ["never"; 4]);
        assert_eq!(
            lines[2][lines[2].len() - 4..],
            ["12ms", "0ms", "40s", "25h"]
        );
        let error = |code: &str, count, ms| ErrorRecord {
            count,
            last_ns: ago(ms),
            level: 1,
            code: bytes_of(code),
            subject: bytes_of("sixteen letters!"),
            text: bytes_of(&"x".repeat(184)),
            ..ErrorRecord::zeroed()
        };
        let all = [
            error("old", 3, 7_300_000),
            error("sixteen letters?", u64::MAX >> 24, 10),
        ];
        let text = errors(&all, now, 1, TEXT);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(
            lines[1]
                .trim_start()
                .starts_with("warn  sixteen letters? sixteen letters!")
        );
        assert_eq!(lines[2].trim(), "and 1 older kind(s): --json");
        let text = errors(&all[..1], now, 5, TEXT);
        assert!(
            text.contains("old sixteen letters!") && text.contains("2h ago"),
            "{text}"
        );
        for line in text.lines() {
            assert!(line.len() <= 150, "{}: {line}", line.len());
        }
        assert!(venues(&[], now).is_empty() && errors(&[], now, 5, TEXT).is_empty());
    }

    #[test]
    fn money_is_short_and_keeps_its_sign() {
        assert_eq!(short_usd(81_244_900), "812.45k");
        assert_eq!(short_usd(-321_000_000), "-3.21M");
        assert_eq!(short(1_009_575), "1.01M");
        assert_eq!([999_994, 999_995].map(short), ["999.99k", "1.00M"]);
        assert_eq!([994_999, 999_995_000].map(short), ["995.00k", "1.00B"]);
        assert_eq!(short(i64::MIN), "-9223372036.85B");
        assert_eq!(short_usd(999), "9");
    }
}
