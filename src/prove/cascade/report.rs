//! Report: the test of cascades, for machines, for people at a terminal, and as a part of the page of HTML.

use super::{Found, RIVALS};
use crate::prove::grid::Grid;
use crate::prove::report::{self, date, escape, figure};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// As a JSON object; a reason where nothing was measured.
#[must_use]
pub fn object(of: &Result<Found, String>) -> Value {
    report::object_of(of, fields)
}

fn fields(of: &Found) -> Value {
    let counted = &of.counted;
    json!({
        "first_ms": of.span.0.get() / 1_000_000,
        "last_ms": of.span.1.get() / 1_000_000,
        "minutes_seen": counted.minutes,
        "rows": counted.rows,
        "days": counted.days,
        "events": counted.events,
        "days_with_events": counted.event_days,
        "rows_of_unknown_gain": counted.unknown,
        "events_of_unknown_gain": counted.unknown_events,
        "prints_in_unseen_minutes": counted.unseen,
        "prints_that_make_an_event": [of.bar.0, of.bar.1],
        "base_rate": figure(of.base),
        "area_of_gain": figure(of.ranked.area),
        "rivals": report::beside(&RIVALS, &of.ranked.rivals),
        "warned_share": figure(of.warned),
        "alarmed_share": figure(of.alarmed),
        "warned_less_alarmed": figure(of.told),
        "warned": counted.warned,
        "warned_for_half_an_hour_or_longer": counted.censored,
        "lead_median_min": figure(of.lead),
        "ends": counted.ends,
        "end_median_error_sigma": figure(of.missed[0]),
        "guess_median_error_sigma": figure(of.missed[1]),
        "end_nearer_sigma": figure(of.nearer),
    })
}

fn told(of: &Found) -> String {
    let counted = &of.counted;
    let mut text = format!(
        "{} to {}: {} events on {} days among {} minutes and holders of {} days; {} to {} prints of a holder make a \
         minute one",
        date(of.span.0),
        date(of.span.1),
        counted.events,
        counted.event_days,
        counted.rows,
        counted.days,
        of.bar.0,
        of.bar.1
    );
    if counted.unknown > 0 {
        let _ = write!(
            text,
            "; left out where the gain was not known: {}, {} of them events",
            counted.unknown, counted.unknown_events
        );
    }
    if counted.unseen > 0 {
        let _ = write!(text, "; {} prints lie in minutes not seen", counted.unseen);
    }
    text
}

/// What is asked, in words.
const ASKED: &str = "g is what the page said last before a minute: forced flow over what the book takes, on a quarter \
                     of the hour's sigma from the mark. Area under precision and recall; a constant has the share of \
                     events. The end is of events that came to the nearest zone";

fn measured(of: &Found) -> Grid {
    let counted = &of.counted;
    let mut rows = vec![("share of events".to_owned(), of.base)];
    rows.extend(report::ranked("g", &RIVALS, &of.ranked));
    rows.extend([
        (
            "events with g >= 1 before them, share".to_owned(),
            of.warned,
        ),
        ("other rows with g >= 1, share".to_owned(), of.alarmed),
        ("the first less the second".to_owned(), of.told),
        (
            format!(
                "minutes g >= 1 had stood, median of {} ({} at the limit of 30)",
                counted.warned, counted.censored
            ),
            of.lead,
        ),
        (
            format!("error of the end, sigmas, median of {}", counted.ends),
            of.missed[0],
        ),
        (
            "error of the zone's edge and the median way behind it".to_owned(),
            of.missed[1],
        ),
        ("the second less the first".to_owned(), of.nearer),
    ]);
    report::figures(rows)
}

/// Lines for a terminal.
#[must_use]
pub fn text(of: &Result<Found, String>) -> Vec<String> {
    report::lines_of(of, "  cascades", lines)
}

fn lines(of: &Found) -> Vec<String> {
    let mut lines = vec![format!("  cascades: {}", told(of)), format!("    {ASKED}")];
    lines.extend(measured(of).text(4));
    lines
}

/// A part of the page.
pub fn html(out: &mut String, of: &Result<Found, String>) {
    report::html_of(out, of, "Cascades", part);
}

fn part(out: &mut String, of: &Found) {
    let _ = write!(
        out,
        "<p>Does the gain tell that forced closures are about to run, and do they end where it says?</p><p \
         class=note>{}. {}.</p>",
        told(of),
        escape(ASKED)
    );
    measured(of).html(out);
}
