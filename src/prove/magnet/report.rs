//! Report: the test of magnet and reaction, for machines, for people at a terminal, and as a part of the page of HTML.

use super::level::AFTER;
use super::weigh::{Against, BY, EDGES, MEASURES, NAMES, Pair};
use super::{FAR, Found, HYPOTHESES, NEAR};
use crate::prove::grid::Grid;
use crate::prove::report::{self, date, figure, said};
use crate::time::Nanos;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Keys and words of what is measured after a touch, in its order.
const MEASURED: [(&str, &str); MEASURES] = [
    ("on_1s_sigma", "on after 1 s, sigmas"),
    ("on_5s_sigma", "on after 5 s, sigmas"),
    ("on_30s_sigma", "on after 30 s, sigmas"),
    ("on_2m_sigma", "on after 2 min, sigmas"),
    ("on_5m_sigma", "on after 5 min, sigmas"),
    ("on_15m_sigma", "on after 15 min, sigmas"),
    ("on_1h_sigma", "on after 1 h, sigmas"),
    ("reversed_share", "back over the level after 15 min, share"),
    ("overshoot_15m_sigma", "overshoot within 15 min, sigmas"),
    ("ln_volume_ratio", "volume over the usual, ln"),
    ("back_15m_1h_sigma", "way back, 15 min to 1 h, sigmas"),
];

fn pair(of: &Pair) -> Value {
    match of.values {
        None => Value::Null,
        Some([zone, control]) => {
            json!({ "zone": zone, "control": control, "difference": figure(of.more) })
        }
    }
}

fn against(name: &str, of: &Against) -> Value {
    let by = |i: usize| pair(&of.by[i]);
    let mut after = serde_json::Map::new();
    for ((key, _), measured) in MEASURED.iter().zip(&of.after) {
        after.insert((*key).to_owned(), pair(measured));
    }
    json!({
        "control": name,
        "pairs": of.pairs,
        "touches_zone": of.touches[0],
        "touches_control": of.touches[1],
        "ln_hazard_ratio": figure(of.hazard),
        "touched_1h_share": by(0),
        "touched_4h_share": by(1),
        "touched_24h_share": by(2),
        "waiting_h": pair(&of.waiting),
        "after_touch": after,
        "curve": EDGES
            .iter()
            .enumerate()
            .map(|(i, minutes)| json!([minutes, of.curves[0][i], of.curves[1][i]]))
            .collect::<Vec<_>>(),
    })
}

/// As a JSON object; a reason where nothing was measured.
#[must_use]
pub fn object(of: &Result<Found, String>) -> Value {
    report::object_of(of, fields)
}

fn fields(of: &Found) -> Value {
    let counted = &of.counted;
    let controls = NAMES.iter().zip(&of.weighed.against);
    let outcomes = HYPOTHESES.iter().zip(&of.outcomes).map(|((name, says), out)| {
        json!({ "name": name, "says": says, "figure": figure(out.figure), "outcome": out.word() })
    });
    json!({
        "first_ms": of.span.0.get() / 1_000_000,
        "last_ms": of.span.1.get() / 1_000_000,
        "step_s": of.step.get() / Nanos::SECOND.get(),
        "days": of.days.len(),
        "zones_born": counted.born,
        "zones_of_unknown_distance": counted.unplaced,
        "zones_too_near": counted.near,
        "zones_too_far": counted.far,
        "zones_watched": counted.watched,
        "zones_relative": counted.relative,
        "zones_given_up_untouched": counted.given_up,
        "zones_with_a_zone_at_the_mirror": counted.unclear,
        "changes_missed": counted.missed,
        "hypotheses": outcomes.collect::<Vec<_>>(),
        "controls": controls.map(|(name, own)| against(name, own)).collect::<Vec<_>>(),
        "ln_hazard_of_a_doubling_of_dollars": figure(of.weighed.mass),
        "drift_while_it_lived_sigma": figure(of.weighed.drift),
        "moved_towards_it_in_the_hour_before_sigma": figure(of.weighed.before),
    })
}

fn told(of: &Found) -> String {
    let counted = &of.counted;
    let mut text = format!(
        "{} to {}, steps of {} s: {} zones born on {} days, {} of them watched for a day ({} began nearer than {NEAR} \
         sigmas of an hour, {} farther than {FAR}); {:.0} % of these given up untouched, {:.0} % with a live zone at \
         the mirror, {:.0} % relative to the present map",
        date(of.span.0),
        date(of.span.1),
        of.step.get() / Nanos::SECOND.get(),
        counted.born,
        of.days.len(),
        counted.watched,
        counted.near,
        counted.far,
        part(counted.given_up, counted.watched),
        part(counted.unclear, counted.watched),
        part(counted.relative, counted.watched)
    );
    if counted.unplaced > 0 {
        let _ = write!(
            text,
            "; of {} it is not known how far they lay",
            counted.unplaced
        );
    }
    if counted.missed > 0 {
        let _ = write!(text, "; {} changes of zones went unread", counted.missed);
    }
    text
}

fn part(of: usize, all: usize) -> f64 {
    100.0 * of as f64 / all.max(1) as f64
}

/// By control the two values and the interval of their difference.
fn measured(of: &Found) -> Grid {
    let [a, b, c] = NAMES;
    let mut grid = Grid::new(&format!("zone, control: difference|{a}|{b}|{c}"));
    let mut add = |name: String, cell: &dyn Fn(&Against) -> String| {
        let cells = of.weighed.against.iter().map(cell);
        grid.rows
            .push(core::iter::once(name).chain(cells).collect());
    };
    let values = |pair: &Pair| match pair.values {
        Some([zone, control]) => format!("{zone:.3}, {control:.3}: {}", said(pair.more)),
        None => "not measured".to_owned(),
    };
    add("pairs; touches".to_owned(), &|own| {
        format!("{}; {}, {}", own.pairs, own.touches[0], own.touches[1])
    });
    add("ln ratio of hazards".to_owned(), &|own| said(own.hazard));
    for (i, by) in BY.iter().enumerate() {
        let name = format!("touched by {} h, share", by / 60);
        add(name, &|own| values(&own.by[i]));
    }
    add("hours until a touch, at most 24".to_owned(), &|own| {
        values(&own.waiting)
    });
    for (k, (_, name)) in MEASURED.iter().enumerate() {
        // Moments that the steps are too long for.
        if AFTER.get(k).is_none_or(|span| *span >= of.step) {
            add((*name).to_owned(), &|own| values(&own.after[k]));
        }
    }
    grid
}

fn alone(of: &Found) -> String {
    format!(
        "Among zones as far away, ln hazard of a doubling of dollars {}; price towards a zone while it lived untouched \
         {} sigmas; in the hour before its birth {} sigmas",
        said(of.weighed.mass),
        said(of.weighed.drift),
        said(of.weighed.before)
    )
}

/// Lines for a terminal.
#[must_use]
pub fn text(of: &Result<Found, String>) -> Vec<String> {
    report::lines_of(of, "  magnet and reaction", lines)
}

fn lines(of: &Found) -> Vec<String> {
    let mut lines = vec![format!("  magnet and reaction: {}", told(of))];
    for ((name, says), out) in HYPOTHESES.iter().zip(&of.outcomes) {
        lines.push(format!(
            "    {name:<13} {:<12} {says} {}",
            out.word(),
            said(out.figure)
        ));
    }
    lines.push(format!("    {}", alone(of)));
    lines.extend(measured(of).text(4));
    lines
}

/// Shares touched by the hour: zones and their controls.
fn curves(out: &mut String, of: &Found) {
    let x = |minutes: f64| 50.0 + (minutes / 1_440.0).sqrt() * 480.0;
    let y = |share: f64| 240.0 - share * 220.0;
    out.push_str("<svg viewBox='0 0 560 290' role=img aria-label='share touched by time'>");
    for share in [0.0, 0.5, 1.0] {
        let _ = write!(
            out,
            "<line x1='50' x2='530' y1='{0:.1}' y2='{0:.1}' stroke='#ddd'/><text x='42' y='{1:.1}' font-size='14' \
             text-anchor='end' fill='#555'>{2:.0} %</text>",
            y(share),
            y(share) + 5.0,
            share * 100.0
        );
    }
    for hours in [1.0, 4.0, 12.0, 24.0] {
        let _ = write!(
            out,
            "<text x='{:.1}' y='260' font-size='14' text-anchor='middle' fill='#555'>{hours} h</text>",
            x(hours * 60.0)
        );
    }
    let mirror = &of.weighed.against[0];
    let lines = [
        (&mirror.curves[1], "#8a6d00", "8 5", "mirrored level"),
        (&mirror.curves[0], "#00695c", "none", "zone"),
    ];
    for (i, (curve, colour, dash, name)) in lines.into_iter().enumerate() {
        let mut way = format!("{:.1},{:.1} ", x(0.0), y(0.0));
        for (minutes, share) in EDGES.iter().zip(curve) {
            if let Some(share) = share {
                let _ = write!(way, "{:.1},{:.1} ", x(*minutes as f64), y(*share));
            }
        }
        let at = 200.0 + 20.0 * i as f64;
        let _ = write!(
            out,
            "<polyline points='{way}' fill='none' stroke='{colour}' stroke-width='2.5' stroke-dasharray='{dash}'/>\
             <line x1='380' x2='412' y1='{at}' y2='{at}' stroke='{colour}' stroke-width='2.5' \
             stroke-dasharray='{dash}'/><text x='420' y='{:.0}' font-size='14'>{name}</text>",
            at + 5.0
        );
    }
    out.push_str("</svg><p class=note>Share touched, by time since the zone was born (the axis of time is drawn as a \
                  root).</p>");
}

/// A part of the page.
pub fn html(out: &mut String, of: &Result<Found, String>) {
    report::html_of(out, of, "Magnet and reaction", page);
}

fn page(out: &mut String, of: &Found) {
    let _ = write!(
        out,
        "<p>Does a zone draw the price, and what does the price do when it has come? Said before it was measured, \
         against a level as far away on the other side:</p><ul>"
    );
    for ((name, says), outcome) in HYPOTHESES.iter().zip(&of.outcomes) {
        let _ = write!(
            out,
            "<li><b>{name}: {}.</b> {says} {}</li>",
            outcome.word(),
            said(outcome.figure)
        );
    }
    let _ = write!(out, "</ul><p class=note>{}. {}.</p>", told(of), alone(of));
    curves(out, of);
    measured(of).html(out);
}
