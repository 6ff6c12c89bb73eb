//! Report: a proof as JSON, as a page of HTML, and as lines of the ledger. Names end in their unit; intervals are 95 %.

use super::Report;
use super::gate::{Evidence, Verdict};
use super::grid::Grid;
use super::judge::{Line, Proof, Rival, Scores};
use super::order::{Beside, Ranked};
use super::score::Figure;
use crate::time::Nanos;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What history of this kind cannot show, whatever it says of the rest.
pub const LIMITS: [&str; 5] = [
    "Totals by period and side say how much was liquidated, not at which price: the location of zones is judged only \
     through where the price went.",
    "Binance's and OKX's feeds are cut to about one print a second and symbol: dollars are lower bounds, worst in \
     crashes. Rank, timing and shape are judged, dollars through one constant.",
    "Bars hide the path within them; it is walked open, the extreme behind the bar's direction, the other, close.",
    "Open interest gives units, not ranking: read the ablations with constant and shifted interest beside the map.",
    "The updated map has seen what opened within the period: a nowcast, no forecast.",
];

/// Said of a symbol whose cells are judged alone.
pub const NO_SUMS: &str =
    "Too few periods to score sums: how the maps do by period and side is not measured";

pub(super) fn figure(of: Option<Figure>) -> Value {
    of.map_or(
        Value::Null,
        |f| json!({ "value": f.value, "low": f.low, "high": f.high }),
    )
}

/// A part of the report as an object, or why it was not measured.
pub(super) fn object_of<T>(of: &Result<T, String>, told: fn(&T) -> Value) -> Value {
    match of {
        Ok(found) => told(found),
        Err(why) => json!({ "not_measured": why }),
    }
}

/// The same in lines for a terminal; `what` is what it would be about.
pub(super) fn lines_of<T>(
    of: &Result<T, String>,
    what: &str,
    told: fn(&T) -> Vec<String>,
) -> Vec<String> {
    match of {
        Ok(found) => told(found),
        Err(why) => vec![format!("{what}: not measured: {why}")],
    }
}

/// The same as a part of the page of HTML.
pub(super) fn html_of<T>(
    out: &mut String,
    of: &Result<T, String>,
    head: &str,
    told: fn(&mut String, &T),
) {
    let _ = write!(out, "<h3>{head}</h3>");
    match of {
        Ok(found) => told(out, found),
        Err(why) => {
            let _ = write!(out, "<p>Not measured: {}.</p>", escape(why));
        }
    }
}

/// Rivals of a score, for machines.
pub(super) fn beside(names: &[&str], of: &[Beside]) -> Value {
    let rivals = names.iter().zip(of).map(|(name, of)| {
        json!({ "name": name, "area": figure(of.area), "gain_over_it": figure(of.over) })
    });
    rivals.collect()
}

/// A score and its rivals, for people.
pub(super) fn ranked<const RIVALS: usize>(
    what: &str,
    names: &[&str; RIVALS],
    of: &Ranked<RIVALS>,
) -> Vec<(String, Option<Figure>)> {
    let mut rows = vec![(format!("area of {what}"), of.area)];
    for (name, rival) in names.iter().zip(&of.rivals) {
        rows.push((format!("area of {name}"), rival.area));
        rows.push((format!("{what} less {name}"), rival.over));
    }
    rows
}

/// Figures and what each is of, as a table.
pub(super) fn figures(rows: Vec<(String, Option<Figure>)>) -> Grid {
    let mut grid = Grid::new("what|measured");
    let row = |(name, value)| vec![name, said(value)];
    grid.rows = rows.into_iter().map(row).collect();
    grid
}

fn line(of: &Line) -> Value {
    json!({
        "group": of.group,
        "name": of.name,
        "view": of.view,
        "partial": figure(of.figures.partial),
        "ours_less_it": figure(of.ahead),
        "partial_breaking_24h": figure(of.figures.breaking),
        "log_r_squared": of.figures.r_squared,
        "rank": of.figures.rank,
        "weekly_spread": of.figures.weekly,
        "predicted_over_realised": of.figures.ratio,
    })
}

fn rival(of: &Rival) -> Value {
    json!({
        "path": of.told,
        "log_r_squared": of.r_squared,
        "frozen": figure(of.frozen),
        "updated": figure(of.updated),
    })
}

fn scores(of: &Scores) -> Value {
    json!({
        "rows": of.rows,
        "days": of.days,
        "path_log_r_squared": of.path_r_squared,
        "path_rank": of.path_rank,
        "maps": of.lines.iter().map(line).collect::<Vec<_>>(),
        "other_paths": of.rivals.iter().map(rival).collect::<Vec<_>>(),
    })
}

fn proof(of: &Proof) -> Value {
    let steps = of.reliability.iter().map(
        |step| json!({ "predicted_usd": step.said, "realised_usd": step.happened, "n": step.n }),
    );
    let weeks = of.weeks.iter().map(|week| {
        json!({ "start_ms": millis(week.start), "realised_usd": week.usd, "predicted_usd": week.said })
    });
    json!({
        "symbol": of.symbol,
        "verdict": of.verdict.word(),
        "why": of.why,
        "test": of.test,
        "venues": of.venues,
        "first_ms": millis(of.span.0),
        "last_ms": millis(of.span.1),
        "period_s": of.period.get() / Nanos::SECOND.get(),
        "gain_over_path_nats": figure(of.evidence.over_path),
        "gain_over_time_at_price_nats": figure(of.evidence.over_time),
        "slope": figure(of.evidence.slope),
        "diebold_mariano": statistics(&of.evidence),
        "cells": of.cells.as_ref().map(super::cells::report::object),
        "forecasts": of.forecast.as_ref().map(super::forecast::report::object),
        "magnet": super::magnet::report::object(&of.magnet),
        "cascade": super::cascade::report::object(&of.cascade),
        "direction": super::direction::report::object(&of.direction),
        "odds": super::odds::report::object(&of.odds),
        "scores": (of.scores.rows > 0).then(|| scores(&of.scores)),
        "reliability": steps.collect::<Vec<_>>(),
        "weeks": weeks.collect::<Vec<_>>(),
    })
}

const fn millis(at: Nanos) -> i64 {
    at.get() / 1_000_000
}

fn inputs(report: &Report) -> Value {
    let of = report.inputs.iter().map(|input| {
        json!({ "name": input.name, "bytes": input.bytes, "fnv64": format!("{:016x}", input.hash) })
    });
    of.collect()
}

/// The whole report.
#[must_use]
pub fn object(report: &Report) -> Value {
    json!({
        "version": report.version,
        "model": super::ledger::model_text(report.model),
        "inputs": inputs(report),
        "intervals": "95 %, runs of whole days drawn, walk-forward",
        "symbols": report.proofs.iter().map(proof).collect::<Vec<_>>(),
        "refused": report
            .refused
            .iter()
            .map(|(symbol, why)| json!({ "symbol": symbol, "why": why }))
            .collect::<Vec<_>>(),
        "together": report.together.as_ref().map(scores),
        "magnet": report.magnet.clone().map(|found| super::magnet::report::object(&Ok(found))),
        "limits": LIMITS,
    })
}

/// One line of the ledger a symbol.
#[must_use]
pub fn ledger_lines(report: &Report, now: Nanos) -> Vec<Value> {
    let of = report.proofs.iter().map(|proof| {
        json!({
            "time": millis(now),
            "version": report.version,
            "model": super::ledger::model_text(report.model),
            "symbol": proof.symbol,
            "verdict": proof.verdict.word(),
            "why": proof.why,
            "test": proof.test,
            "rows": proof.cells.as_ref().map_or(proof.scores.rows, |cells| cells.cells),
            "days": proof.cells.as_ref().map_or(proof.scores.days, |cells| cells.days),
            "gain_over_path_nats": figure(proof.evidence.over_path),
            "gain_over_time_at_price_nats": figure(proof.evidence.over_time),
            "slope": figure(proof.evidence.slope),
            "diebold_mariano": statistics(&proof.evidence),
            "judged_with": report.proofs.len(),
            "inputs": inputs(report),
        })
    });
    of.collect()
}

/// What Diebold and Mariano's test says of the gains of the verdict.
fn statistics(of: &Evidence) -> Value {
    let [path, time] = of.statistics;
    json!({ "over_path": path, "over_time_at_price": time })
}

/// A gain of the verdict, over the path or over time at price, with both its tests.
#[must_use]
pub fn gained(of: &Evidence, which: usize) -> String {
    let gain = said([of.over_path, of.over_time][which]);
    match of.statistics[which] {
        Some(statistic) => format!("{gain}, DM {statistic:+.1}"),
        None => gain,
    }
}

/// A figure with its interval, for people.
#[must_use]
pub fn said(of: Option<Figure>) -> String {
    of.map_or("not measured".to_owned(), |f| {
        format!("{:+.3} [{:+.3}, {:+.3}]", f.value, f.low, f.high)
    })
}

/// A number, or a dash.
#[must_use]
pub fn number(of: Option<f64>) -> String {
    match of {
        Some(v) if !v.is_finite() => "-".to_owned(),
        Some(v) if v.abs() >= 1e4 => format!("{v:.1e}"),
        Some(v) => format!("{v:.3}"),
        None => "-".to_owned(),
    }
}

/// Year, month and day of a moment.
#[must_use]
pub fn date(at: Nanos) -> String {
    let (year, month, day) = at.civil();
    format!("{year:04}-{month:02}-{day:02}")
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:80rem;padding:1rem;color:#1b1b1f;background:#fff}\
p,ul{max-width:60rem}\
h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2.2rem}\
.badge{padding:.1rem .6rem;border-radius:1rem;color:#fff;font-weight:600}\
.proven{background:#00695c}.unproven{background:#6b6b75}.disproven{background:#b3261e}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.8rem;min-width:40rem}\
td,th{padding:.25rem .4rem;text-align:left;border-bottom:1px solid #ddd;white-space:nowrap}\
.n{text-align:right}\
tr.map td{font-weight:600;background:#eef6f5}svg{width:100%;height:auto;max-width:44rem}\
small,.note{color:#55555f}";

/// The page: what a trader reads first, then what a referee checks.
#[must_use]
pub fn html(report: &Report) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width,\
         initial-scale=1'><title>isotherm: proof of the map</title><style>{STYLE}</style><h1>Does the map know \
         something the chart does not?</h1><p>Measured walk-forward on recorded history. <b>Frozen</b> is the map as \
         it stood when the period began. <b>Updated</b> has also seen what opened within it: a nowcast, no forecast. \
         Partial correlations and gains are over a boosted model of price path and volume, which is the hard rival; \
         what stands in brackets is a 95 % interval, runs of whole days drawn. DM is Diebold and Mariano's statistic \
         of the gains of single days, each with one voice: beyond 2 either way it is hardly chance.</p>"
    );
    for proof in &report.proofs {
        symbol(&mut out, proof);
    }
    for (name, why) in &report.refused {
        let _ = write!(
            out,
            "<h2>{}</h2><p>Refused: {}.</p>",
            escape(name),
            escape(why)
        );
    }
    if let Some(together) = &report.together {
        let _ = write!(
            out,
            "<h2>All symbols together</h2><p class=note>{} rows, {} days. The path alone: log R² {}, rank {}; both \
             include the levels of the symbols.</p>",
            together.rows,
            together.days,
            number(together.path_r_squared),
            number(together.path_rank)
        );
        bars(&mut out, &together.lines);
        tables(&mut out, &together.lines, &together.rivals);
    }
    if let Some(found) = report.magnet.clone() {
        out.push_str("<h2>Zones of all symbols together</h2>");
        super::magnet::report::html(&mut out, &Ok(found));
    }
    out.push_str("<h2>What these data cannot show</h2><ul>");
    for limit in LIMITS {
        let _ = write!(out, "<li>{}</li>", escape(limit));
    }
    let _ = write!(
        out,
        "</ul><h2>How it is measured</h2><p>A row is one period and one side. Realised and said are logarithms of \
         dollars over 1,000 + 1. The ladder, the path model and the model of the map's own mass are fitted on earlier \
         rows only; between folds the level of a map follows what came of the periods before, by side, with the \
         half-life of the engine's evidence. The path model is one for all symbols, each less its own mean. The \
         partial correlation is between what is left of both after the path model. The gate asks for a gain in \
         nats per dollar over the path \
         and over a time-at-price ladder whose lower bound is above 0, and a slope whose interval holds 1, to a \
         hundredth; a gain whose upper bound is not above 0 disproves. Of several symbols the gains must hold \
         together (Holm).</p>\
         <h2>Inputs</h2><ul>"
    );
    for input in &report.inputs {
        let _ = write!(
            out,
            "<li>{} <small>{} bytes, {:016x}</small></li>",
            escape(&input.name),
            input.bytes,
            input.hash
        );
    }
    let _ = write!(
        out,
        "</ul><p class=note>isotherm {}, model {:016x}</p></html>",
        report.version, report.model
    );
    out
}

fn symbol(out: &mut String, proof: &Proof) {
    let word = proof.verdict.word();
    let _ = write!(
        out,
        "<h2>{} <span class='badge {word}'>{word}</span></h2><p>{}.</p>",
        escape(&proof.symbol),
        escape(&proof.why)
    );
    let has_sums = proof.scores.rows > 0;
    if has_sums {
        sums(out, proof);
    } else {
        let _ = write!(out, "<p class=note>{NO_SUMS}.</p>");
    }
    super::cells::report::html(out, proof.cells.as_ref());
    if has_sums {
        bars(out, &proof.scores.lines);
        curve(out, proof);
        tables(out, &proof.scores.lines, &proof.scores.rivals);
    }
    super::forecast::report::html(out, proof.forecast.as_ref());
    super::magnet::report::html(out, &proof.magnet);
    super::cascade::report::html(out, &proof.cascade);
    super::direction::report::html(out, &proof.direction);
    super::odds::report::html(out, &proof.odds);
}

fn sums(out: &mut String, proof: &Proof) {
    let _ = write!(
        out,
        "<p class=note>{} to {}, periods of {} min, {} rows, {} days, {}; interest of {}. The path alone: log R² {}, \
         rank {}.</p>",
        date(proof.span.0),
        date(proof.span.1),
        proof.period.get() / Nanos::MINUTE.get(),
        proof.scores.rows,
        proof.scores.days,
        proof.test,
        proof.venues.join(", "),
        number(proof.scores.path_r_squared),
        number(proof.scores.path_rank)
    );
    if proof.cells.is_none() {
        let _ = write!(
            out,
            "<p>Gain of the frozen map over the path {} nats per dollar, over time at price {}; slope of the updated \
             map {}.</p>",
            gained(&proof.evidence, 0),
            gained(&proof.evidence, 1),
            said(proof.evidence.slope)
        );
    }
}

/// What the map adds to other paths than P; nothing where that was not asked for.
#[must_use]
pub fn rivals(rivals: &[Rival]) -> Option<Grid> {
    let mut grid = Grid::new("path model|frozen|updated|log R² alone");
    grid.numbers = 1;
    let row = |rival: &Rival| {
        let [frozen, updated] = [rival.frozen, rival.updated].map(said);
        vec![
            rival.told.to_owned(),
            frozen,
            updated,
            number(rival.r_squared),
        ]
    };
    grid.rows = rivals.iter().map(row).collect();
    (!rivals.is_empty()).then_some(grid)
}

/// All maps, and how they do.
#[must_use]
pub fn maps(lines: &[Line]) -> Grid {
    let mut grid = Grid::new(
        "map|group|view|partial correlation|ours less it|at new 24 h extremes|log R² alone|rank|weekly spread|\
         said / realised",
    );
    grid.ours = lines.iter().filter(|line| line.group == "map").count();
    grid.numbers = 4;
    let row = |line: &Line| {
        let f = &line.figures;
        let names = [&line.name, line.group, line.view].map(str::to_owned);
        let mut figures = [f.partial, line.ahead, f.breaking].map(said);
        if line.group == "map" {
            figures[1].clear();
        }
        let numbers = [f.r_squared, f.rank, f.weekly, f.ratio].map(number);
        [&names[..], &figures, &numbers].concat()
    };
    grid.rows = lines.iter().map(row).collect();
    grid
}

/// The maps and what ours is over other paths, on the page.
fn tables(out: &mut String, all: &[Line], others: &[Rival]) {
    maps(all).html(out);
    if let Some(grid) = rivals(others) {
        out.push_str("<p>Over a path model that is told more, or less:</p>");
        grid.html(out);
    }
}

/// Partial correlations with their intervals, a row a map.
fn bars(out: &mut String, lines: &[Line]) {
    let lines: Vec<(&Line, Figure)> = lines
        .iter()
        .filter(|line| line.group != "sensitivity")
        .filter_map(|line| line.figures.partial.map(|figure| (line, figure)))
        .collect();
    let (row, left, width) = (26.0, 330.0, 360.0);
    let height = 40.0 + row * lines.len() as f64;
    let at = |v: f64| left + (v.clamp(-0.3, 0.6) + 0.3) / 0.9 * width;
    let _ = write!(
        out,
        "<svg viewBox='-70 0 790 {height}' role=img aria-label='partial correlations'>"
    );
    for tick in [-0.2, 0.0, 0.2, 0.4] {
        let (x, dark) = (at(tick), if tick == 0.0 { "#555" } else { "#ddd" });
        let _ = write!(
            out,
            "<line x1='{x:.1}' x2='{x:.1}' y1='4' y2='{:.1}' stroke='{dark}'/><text x='{x:.1}' y='{:.1}' \
             font-size='15' text-anchor='middle' fill='#555'>{tick}</text>",
            height - 24.0,
            height - 6.0
        );
    }
    for (i, (line, figure)) in lines.iter().enumerate() {
        let y = 18.0 + row * i as f64;
        let colour = if line.group == "map" {
            "#00695c"
        } else {
            "#8a6d00"
        };
        let _ = write!(
            out,
            "<text x='{:.0}' y='{:.1}' font-size='15' text-anchor='end' fill='#1b1b1f'>{}, {}</text><line x1='{:.1}' \
             x2='{:.1}' y1='{y:.1}' y2='{y:.1}' stroke='{colour}' stroke-width='3'/><circle cx='{:.1}' cy='{y:.1}' \
             r='5' fill='{colour}'/>",
            left - 12.0,
            y + 5.0,
            escape(&line.name),
            line.view,
            at(figure.low),
            at(figure.high),
            at(figure.value)
        );
    }
    out.push_str("</svg><p class=note>Partial correlation over the path, 95 %.</p>");
}

/// Realised against said, both in logarithms of dollars.
fn curve(out: &mut String, proof: &Proof) {
    let points: Vec<(f64, f64)> = proof
        .reliability
        .iter()
        .filter(|step| step.said > 0.0 && step.happened > 0.0)
        .map(|step| (step.said.log10(), step.happened.log10()))
        .collect();
    let ends = points.iter().flat_map(|(a, b)| [*a, *b]);
    let (low, high) = ends.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    if points.len() < 2 {
        return;
    }
    let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
    let x = |v: f64| 70.0 + (v - low) / (high - low) * 340.0;
    let y = |v: f64| 350.0 - (v - low) / (high - low) * 340.0;
    let _ = write!(
        out,
        "<svg viewBox='0 0 440 400' role=img aria-label=reliability style='max-width:28rem'><line x1='{:.1}' \
         y1='{:.1}' x2='{:.1}' y2='{:.1}' stroke='#999' stroke-dasharray='5 4'/>",
        x(low),
        y(low),
        x(high),
        y(high)
    );
    let mut tick = low;
    while tick <= high {
        let _ = write!(
            out,
            "<text x='{:.1}' y='370' font-size='14' text-anchor='middle' fill='#555'>1e{tick}</text><text x='62' \
             y='{:.1}' font-size='14' text-anchor='end' fill='#555'>1e{tick}</text>",
            x(tick),
            y(tick) + 5.0
        );
        tick += 1.0;
    }
    let mut way = String::new();
    for (said, happened) in &points {
        let _ = write!(way, "{:.1},{:.1} ", x(*said), y(*happened));
        let _ = write!(
            out,
            "<circle cx='{:.1}' cy='{:.1}' r='4' fill='#00695c'/>",
            x(*said),
            y(*happened)
        );
    }
    let _ = write!(
        out,
        "<polyline points='{way}' fill='none' stroke='#00695c' stroke-width='2'/><text x='240' y='394' font-size='14' \
         text-anchor='middle'>said, dollars</text></svg><p class=note>Dollars realised (up) against dollars said by \
         the updated map, joined into rising steps. On the dashed line both agree.</p>"
    );
}

/// Verdicts in words, for one line.
#[must_use]
pub fn tally(proofs: &[Proof]) -> String {
    let count = |verdict: Verdict| proofs.iter().filter(|p| p.verdict == verdict).count();
    format!(
        "{} proven, {} unproven, {} disproven",
        count(Verdict::Proven),
        count(Verdict::Unproven),
        count(Verdict::Disproven)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_civil() {
        for (ms, want) in [
            (0, "1970-01-01"),
            (951_782_400_000, "2000-02-29"),
            (1_764_547_500_000, "2025-12-01"),
            (1_771_458_900_000, "2026-02-18"),
        ] {
            assert_eq!(date(Nanos::millis(ms)), want);
        }
    }

    #[test]
    fn nothing_measured_is_not_zero() {
        assert_eq!(said(None), "not measured");
        assert_eq!(number(None), "-");
        assert_eq!(number(Some(1.0 / 0.0)), "-");
        assert_eq!(figure(None), Value::Null);
    }
}
