//! Words: sizes, spans and times of `isotherm tape`, as it prints and reads them.

use crate::time::Nanos;

/// `12.3 MiB`.
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = (0..units.len() - 1).find(|step| bytes >> (10 * (step + 1)) == 0);
    let step = step.unwrap_or(units.len() - 1);
    if step == 0 {
        return format!("{bytes} B");
    }
    let tenths = (u128::from(bytes) * 10) >> (10 * step);
    format!("{}.{} {}", tenths / 10, tenths % 10, units[step])
}

/// `1d 02:03:04.5`.
pub(super) fn span(ns: i64) -> String {
    let tenths = ns.max(0) / 100_000_000;
    let (seconds, days) = (tenths / 10 % 86_400, tenths / 864_000);
    let days = if days > 0 {
        format!("{days}d ")
    } else {
        String::new()
    };
    let (h, m, s) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{days}{h:02}:{m:02}:{s:02}.{}", tenths % 10)
}

/// `2026-11-22T01:02:03.004005006`, UTC.
pub(super) fn utc(ns: i64) -> String {
    let (seconds, sub) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let second = seconds.rem_euclid(86_400);
    let (year, month, day) = Nanos::new(ns).civil();
    let (h, m, s) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{sub:09}")
}

/// The day number of a date since 1970: what [`Nanos::civil`] undoes.
const fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Reads `2026-11-22`, `2026-11-22T01:02:03[.004][Z]`, or nanoseconds.
pub(super) fn time(text: &str) -> Result<Nanos, String> {
    let wrong = || {
        format!("{text:?} is no time: 2026-11-22T01:02:03.5, 2026-11-22, or nanoseconds since 1970")
    };
    if let Ok(ns) = text.parse::<i64>() {
        return Ok(Nanos::new(ns));
    }
    let plain = text.strip_suffix('Z').unwrap_or(text);
    let (date, clock) = plain.split_once(['T', ' ']).unwrap_or((plain, "00:00:00"));
    let (clock, sub) = clock.split_once('.').unwrap_or((clock, "0"));
    let three = |text: &str, by: char| -> Option<[i64; 3]> {
        let parts: Option<Vec<i64>> = text.split(by).map(|part| part.parse().ok()).collect();
        parts?.try_into().ok()
    };
    let [year, month, day] = three(date, '-').ok_or_else(wrong)?;
    let [h, m, s] = three(clock, ':').ok_or_else(wrong)?;
    let sub: i64 = format!("{sub:0<9}").parse().map_err(|_| wrong())?;
    let is_near = (1970..2262).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&h)
        && (0..60).contains(&m)
        && (0..60).contains(&s)
        && (0..1_000_000_000).contains(&sub);
    let days = if is_near {
        days_of(year, month, day)
    } else {
        0
    };
    if !is_near || Nanos::new(days * Nanos::DAY.get()).civil() != (year, month, day) {
        return Err(wrong());
    }
    let seconds = days * 86_400 + h * 3_600 + m * 60 + s;
    Ok(Nanos::new(seconds * 1_000_000_000 + sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_printed() {
        for ns in [0, 1, 951_782_400_000_000_000, 1_786_310_818_223_514_800] {
            assert_eq!(time(&utc(ns)), Ok(Nanos::new(ns)), "{}", utc(ns));
        }
        assert_eq!(
            utc(1_786_310_818_223_514_800),
            "2026-08-09T21:26:58.223514800"
        );
        assert_eq!(time("2026-11-22"), time("2026-11-22T00:00:00Z"));
        assert_eq!(time("1970-01-01 00:00:01.5"), Ok(Nanos::new(1_500_000_000)));
        for text in [
            "",
            "2026-02-30",
            "2026-11-22T24:00:00",
            "now",
            "2026-1",
            "2026-11-22T01:02",
            "2026-13-01",
            "9000000000000000000-01-01",
            "2026-01-9000000000000000000",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_spans_are_short() {
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(1 << 20), "1.0 MiB");
        assert_eq!(
            size(u64::MAX),
            "16777216.0 TiB".replace("16777216.0", "16777215.9")
        );
        assert_eq!(span(93_784_560_000_000), "1d 02:03:04.5");
        assert_eq!(span(-5), "00:00:00.0");
    }
}
