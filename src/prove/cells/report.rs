//! Report: the test by cell, for machines, for people at a terminal, and as a part of the page of HTML.

use super::Counted;
use super::judge::{Found, Line};
use crate::prove::report::{date, figure, number, said};
use crate::time::Nanos;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What the test by cell is called.
pub const TEST: &str = "prints, by cell";

fn shares(of: &Counted) -> [f64; 3] {
    let all = (of.placed + of.behind + of.beyond).max(f64::MIN_POSITIVE);
    [of.placed, of.behind, of.beyond].map(|usd| usd / all)
}

fn line(of: &Line) -> Value {
    json!({
        "name": of.name,
        "gain_of_ours_nats": figure(of.over),
        "lift_5": figure(of.lift[0]),
        "lift_10": figure(of.lift[1]),
        "said_over_realised": of.ratio,
    })
}

/// As a JSON object.
#[must_use]
pub fn object(of: &Found) -> Value {
    let [placed, behind, beyond] = shares(&of.counted);
    let steps = of.reliability.iter().map(
        |step| json!({ "predicted_usd": step.said, "realised_usd": step.happened, "n": step.n }),
    );
    json!({
        "test": TEST,
        "verdict": of.verdict.word(),
        "why": of.why,
        "first_ms": of.span.0.get() / 1_000_000,
        "last_ms": of.span.1.get() / 1_000_000,
        "window_s": of.window.get() / Nanos::SECOND.get(),
        "cells": of.cells,
        "windows": of.windows,
        "days": of.days,
        "prints": of.counted.prints,
        "clusters": of.counted.clusters,
        "usd_share_in_cells": placed,
        "usd_share_behind_begin": behind,
        "usd_share_beyond_mark": beyond,
        "path": of.path,
        "gain_over_path_nats": figure(of.evidence.over_path),
        "gain_over_time_at_price_nats": figure(of.evidence.over_time),
        "slope": figure(of.evidence.slope),
        "daily_said_over_realised": of.daily.map(|(mean, spread)| {
            json!({ "geometric_mean": mean.exp(), "ln_deviation": spread })
        }),
        "pairs": {
            "n": of.pairs.n,
            "median_ln_ratio": figure(of.pairs.median),
            "mean_ln_ratio": figure(of.pairs.mean),
        },
        "second": of.second.map(|second| {
            json!({
                "test": "prints, summed",
                "gain_over_path_nats": figure(second.over_path),
                "gain_over_time_at_price_nats": figure(second.over_time),
                "slope": figure(second.slope),
            })
        }),
        "maps": of.lines.iter().map(line).collect::<Vec<_>>(),
        "reliability": steps.collect::<Vec<_>>(),
    })
}

fn daily(of: &Found) -> String {
    match of.daily {
        Some((mean, spread)) => format!(
            "said / realised by day {:.2}, deviation of its logarithm {}",
            mean.exp(),
            number(spread)
        ),
        None => "said / realised by day not measured".to_owned(),
    }
}

fn told(of: &Found) -> String {
    let [placed, behind, beyond] = shares(&of.counted);
    format!(
        "{} to {}, windows of {} min, {} cells, {} days, {} prints in {} clusters; of their dollars {:.0} % in cells, \
         {:.0} % behind the begin, {:.0} % beyond the mark",
        date(of.span.0),
        date(of.span.1),
        of.window.get() / Nanos::MINUTE.get(),
        of.cells,
        of.days,
        of.counted.prints,
        of.counted.clusters,
        100.0 * placed,
        100.0 * behind,
        100.0 * beyond
    )
}

fn second(of: &Found) -> Option<String> {
    let second = of.second?;
    Some(format!(
        "summed by the hour: gain over the path {}, over time at price {}, slope {}",
        said(second.over_path),
        said(second.over_time),
        said(second.slope)
    ))
}

fn paired(of: &Found) -> String {
    format!(
        "hot against cold cells as far away ({} pairs), ln of dollars: mean {}, median {}",
        of.pairs.n,
        said(of.pairs.mean),
        said(of.pairs.median)
    )
}

/// Lines for a terminal.
#[must_use]
pub fn text(of: &Found) -> Vec<String> {
    let mut lines = vec![
        format!("  {TEST}: {}: {}", of.verdict.word(), of.why),
        format!("    {}", told(of)),
        format!(
            "    gain over the path ({}), nats per dollar  {}",
            of.path,
            said(of.evidence.over_path)
        ),
        format!(
            "    gain over time at price  {}",
            said(of.evidence.over_time)
        ),
        format!("    slope  {}; {}", said(of.evidence.slope), daily(of)),
        format!("    {}", paired(of)),
        format!(
            "    {:<26} {:<24} {:<24} {:<24} {:>8}",
            "map", "gain of ours over it", "lift, top 5 %", "lift, top 10 %", "said/was"
        ),
    ];
    lines.extend(of.lines.iter().map(|line| {
        format!(
            "    {:<26} {:<24} {:<24} {:<24} {:>8}",
            line.name,
            line.over.map_or("-".to_owned(), |over| said(Some(over))),
            said(line.lift[0]),
            said(line.lift[1]),
            number(Some(line.ratio))
        )
    }));
    lines.extend(second(of).map(|text| format!("    {text}")));
    lines
}

/// A part of the page; nothing where there are no prints.
pub fn html(out: &mut String, of: Option<&Found>) {
    let Some(of) = of else {
        return;
    };
    let word = of.verdict.word();
    let _ = write!(
        out,
        "<h3>By cell, on prints <span class='badge {word}'>{word}</span></h3><p>{}.</p><p class=note>{}.</p><p>Gain \
         over the path ({}) {} nats per dollar, over time at price {}, slope {}; {}; {}.</p><div class=wide><table>\
         <tr><th>map<th>gain of ours over it<th>lift, top 5 %<th>lift, top 10 %<th>said / realised</tr>",
        of.why,
        told(of),
        of.path,
        said(of.evidence.over_path),
        said(of.evidence.over_time),
        said(of.evidence.slope),
        daily(of),
        paired(of)
    );
    for (at, line) in of.lines.iter().enumerate() {
        let class = if at == 0 { " class=map" } else { "" };
        let _ = write!(
            out,
            "<tr{class}><td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
            line.name,
            line.over.map_or("-".to_owned(), |over| said(Some(over))),
            said(line.lift[0]),
            said(line.lift[1]),
            number(Some(line.ratio))
        );
    }
    out.push_str("</table></div>");
    if let Some(text) = second(of) {
        let _ = write!(out, "<p>By contrast, {text}.</p>");
    }
}
