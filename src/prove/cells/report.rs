//! Report: the test by cell, for machines, for people at a terminal, and as a part of the page of HTML.

use super::judge::{Found, Line};
use super::ranked::{self, PARTS, Ranked};
use super::{Counted, calibrated, events, placed, spread};
use crate::prove::grid::Grid;
use crate::prove::report::{date, figure, gained, number, said};
use crate::prove::score::Figure;
use crate::time::Nanos;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What the test by cell is called.
pub const TEST: &str = "prints, by cell";

fn shares(of: &Counted) -> [f64; 3] {
    let all = (of.placed + of.behind + of.beyond).max(f64::MIN_POSITIVE);
    [of.placed, of.behind, of.beyond].map(|usd| usd / all)
}

fn line(of: &Line, first: bool) -> Value {
    json!({
        "name": of.name,
        "gain_of_ours_nats": figure(of.over),
        "ranked": ranked::object(&of.ranked, first),
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
        "venues": of.venues,
        "venues_by_one_constant": of.scaled,
        "days": of.days,
        "prints": of.counted.prints,
        "clusters": of.counted.clusters,
        "usd_share_in_cells": placed,
        "usd_share_behind_begin": behind,
        "usd_share_beyond_mark": beyond,
        "windows_left_out_for_losses": of.counted.lost,
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
        "by_cluster": events::object(&of.events),
        "calibrated": calibrated::object(&of.calibrated),
        "spread": spread::object(of.spread.as_ref()),
        "placed": placed::object(&of.placed),
        "second": of.second.map(|second| {
            json!({
                "test": "prints, summed",
                "gain_over_path_nats": figure(second.over_path),
                "gain_over_time_at_price_nats": figure(second.over_time),
                "slope": figure(second.slope),
            })
        }),
        "maps": of.lines.iter().enumerate().map(|(at, of)| line(of, at == 0)).collect::<Vec<_>>(),
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
        "{} to {}, {}, windows of {} min, {} cells, {} days, {} prints in {} clusters; of their dollars {:.0} % in \
         cells, {:.0} % behind the begin, {:.0} % beyond the mark",
        date(of.span.0),
        date(of.span.1),
        of.venues.join(", "),
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

/// What stands beside the gate's figures, a line each.
fn beside(of: &Found) -> Vec<String> {
    let mut lines = vec![
        paired(of),
        events::text(&of.events),
        calibrated::text(&of.calibrated),
        spread::text(of.spread.as_ref()),
    ];
    lines.extend(placed::text(&of.placed));
    if of.counted.lost > 0 {
        lines.push(format!(
            "windows of a venue in which prints may have been lost, left out: {}",
            of.counted.lost
        ));
    }
    if !of.scaled.is_empty() {
        lines.push(format!(
            "a part of the liquidations is printed by {}: dollars there go through one constant of the past{}",
            of.scaled.join(", "),
            if of.scaled.len() < of.venues.len() {
                ", and slope, intercept and said / realised by day are of the others"
            } else {
                ""
            }
        ));
    }
    lines
}

/// A lift and its interval, short.
fn lift(of: Option<Figure>) -> String {
    of.map_or("not measured".to_owned(), |f| {
        format!("{:.1} [{:.1}, {:.1}]", f.value, f.low, f.high)
    })
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

fn maps(of: &Found) -> Grid {
    let lifts = PARTS.map(|part| format!("lift, top {:.0} %", 100.0 * part));
    let lifts = lifts.join("|");
    let mut grid = Grid::new(&format!(
        "map|gain of ours over it|{lifts}|area skill|said / realised"
    ));
    (grid.ours, grid.numbers) = (1, 1);
    let row = |line: &Line| {
        let over = line.over.map_or("-".to_owned(), |over| said(Some(over)));
        let last = [said(line.ranked.area), number(Some(line.ratio))];
        [
            &[line.name.clone(), over],
            &line.ranked.lift.map(lift)[..],
            &last,
        ]
        .concat()
    };
    grid.rows = of.lines.iter().map(row).collect();
    grid
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
            gained(&of.evidence, 0)
        ),
        format!("    gain over time at price  {}", gained(&of.evidence, 1)),
        format!("    slope  {}; {}", said(of.evidence.slope), daily(of)),
    ];
    lines.extend(beside(of).into_iter().map(|line| format!("    {line}")));
    lines.extend(maps(of).text(4));
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
         over the path ({}) {} nats per dollar, over time at price {}, slope {}; {}.</p><ul>",
        of.why,
        told(of),
        of.path,
        gained(&of.evidence, 0),
        gained(&of.evidence, 1),
        said(of.evidence.slope),
        daily(of)
    );
    for line in beside(of) {
        let _ = write!(out, "<li>{line}</li>");
    }
    out.push_str("</ul>");
    maps(of).html(out);
    if let Some(text) = second(of) {
        let _ = write!(out, "<p>By contrast, {text}.</p>");
    }
    let shown = |line: &&Line| {
        let is_rival = line.name == of.path || line.name == "time at price";
        is_rival || line.name == "uniform" || line.name == of.lines[0].name
    };
    let curves: Vec<(&str, &Ranked)> = of
        .lines
        .iter()
        .filter(shown)
        .map(|line| (line.name.as_str(), &line.ranked))
        .collect();
    ranked::drawn(out, &curves);
    if let Some(found) = &of.spread {
        spread::bars(
            out,
            &found.bars,
            "places in the law",
            "Where the dollars of each window lay in the law of what was said of it, by tenth. Even bars are a law \
             that is right; a high last bar says that more was liquidated than the map allows.",
        );
    }
    if of.placed.clusters > 0 {
        spread::bars(
            out,
            &of.placed.bars,
            "places in the mass",
            "Where liquidations lay in the map's mass on their 20 bp of the way, by tenth, outwards. Even bars are \
             mass at the right prices; bars that rise to the right say that the mass lies too near.",
        );
    }
}
