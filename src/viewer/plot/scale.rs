//! Scale: round numbers, and money, prices and times as people write them.

use crate::time::Nanos;

/// The smallest of 1, 2 and 5 times a power of ten that is not below `value`; 1 for anything that is no amount.
pub(super) fn round_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let step = steps.iter().find(|step| *step * power >= value * 0.999_999);
    step.unwrap_or(&10.0) * power
}

/// The amount with one place and a half: 1, 1.5, 2, 3, 5 or 7 times a power of ten, the nearest by ratio; 1 for
/// anything that is no amount.
pub(super) fn near(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let away = |step: &f64| (value / (step * power)).ln().abs();
    let steps = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0];
    let step = steps.into_iter().min_by(|a, b| away(a).total_cmp(&away(b)));
    step.unwrap_or(1.0) * power
}

/// Round numbers within a range, about `count` of them.
pub(super) fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let step = round_up((high - low) / count.max(1) as f64);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).take(100).map(|n| n as f64 * step).collect()
}

/// USD in a few characters: `$1.2k`, `$35M`, `$4.1B`.
pub(super) fn usd(usd: f64) -> String {
    let size = usd.abs();
    let (unit, name) = match size {
        s if s >= 999.5e6 => (1e9, "B"),
        s if s >= 999.5e3 => (1e6, "M"),
        s if s >= 999.5 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let number = usd / unit;
    let text = if number.abs() >= 99.5 || (unit < 2.0 && number.abs() >= 9.95) {
        format!("{number:.0}")
    } else {
        let text = format!("{number:.1}");
        text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
    };
    format!("${text}{name}")
}

/// A price with as many decimals as a step of its axis needs, thousands apart.
pub(super) fn price(price: f64, step: f64) -> String {
    let places = (-step.abs().max(1e-12).log10().floor()).clamp(0.0, 10.0) as usize;
    grouped(&format!("{price:.places$}"))
}

fn grouped(text: &str) -> String {
    let (whole, rest) = text.find('.').map_or((text, ""), |dot| text.split_at(dot));
    let mut out = String::new();
    for (n, c) in whole.chars().enumerate() {
        let left = whole.len() - n;
        if n > 0 && left.is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(c);
    }
    out + rest
}

/// Year, month, day, hour, minute of a stamp, UTC.
fn civil(at: Nanos) -> (i64, i64, i64, i64, i64) {
    let (year, month, day) = at.civil();
    let minute = at.get().rem_euclid(Nanos::DAY.get()) / Nanos::MINUTE.get();
    (year, month, day, minute / 60, minute % 60)
}

/// Date and time, UTC.
pub(super) fn stamp(at: Nanos) -> String {
    let (year, month, day, hour, minute) = civil(at);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

/// A length of time in one unit.
pub(super) fn length(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Whole times within a stretch, at most `count`, and their labels: hours within days, dates beyond.
pub(super) fn times(from: Nanos, to: Nanos, count: i64) -> Vec<(Nanos, String)> {
    const MINUTES: [i64; 14] = [
        1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080,
    ];
    let whole = to.since(from).get();
    let fits = |minutes: &&i64| whole / (**minutes * Nanos::MINUTE.get()) <= count;
    let minutes = MINUTES.iter().find(fits).copied().unwrap_or(43_200);
    let step = minutes * Nanos::MINUTE.get();
    let first = from.get().div_euclid(step) + 1;
    let all = (first..)
        .map(|n| Nanos::new(n * step))
        .take_while(|at| *at < to);
    all.take(100)
        .map(|at| {
            let (_, month, day, hour, minute) = civil(at);
            let midnight = hour == 0 && minute == 0;
            let text = if minutes >= 1_440 || midnight {
                format!("{month:02}-{day:02}")
            } else {
                format!("{hour:02}:{minute:02}")
            };
            (at, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        for (value, text) in [
            (0.0, "$0"),
            (0.5, "$0.5"),
            (7.0, "$7"),
            (12.3, "$12"),
            (999.6, "$1k"),
            (1_234.0, "$1.2k"),
            (35_000_000.0, "$35M"),
            (350_400_000.0, "$350M"),
            (999_800_000.0, "$1B"),
            (-4_120_000_000.0, "$-4.1B"),
        ] {
            assert_eq!(usd(value), text);
        }
        assert_eq!(price(64_980.25, 500.0), "64,980");
        assert_eq!(price(1_064_980.25, 0.1), "1,064,980.2");
        assert_eq!(price(0.001_234, 0.000_05), "0.00123");
        assert_eq!(price(-1_234.0, 1.0), "-1,234");
        assert_eq!(
            (round_up(3.1), round_up(0.02), round_up(f64::NAN)),
            (5.0, 0.02, 1.0)
        );
        assert_eq!((near(640.0), near(0.013), near(-1.0)), (700.0, 0.015, 1.0));
        assert_eq!(ticks(9.0, 21.0, 6), [10.0, 12.0, 14.0, 16.0, 18.0, 20.0]);
        assert_eq!(
            (length(90), length(7_199), length(90_000)),
            ("90s".into(), "119m".into(), "25h".into())
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (1_767_225_599, "2025-12-31 23:59"),
            (-1, "1969-12-31 23:59"),
        ] {
            assert_eq!(stamp(Nanos::seconds(seconds)), text);
        }
        let hour = Nanos::seconds(1_767_225_600);
        let day = times(
            hour.plus(Nanos::new(-Nanos::DAY.get())),
            hour.plus(Nanos::HOUR),
            6,
        );
        let labels: Vec<&str> = day.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(labels, ["06:00", "12:00", "18:00", "01-01"]);
        assert!(times(hour, hour, 6).is_empty());
    }
}
