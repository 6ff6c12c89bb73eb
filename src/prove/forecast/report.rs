//! Report: the forecasts for machines, for people at a terminal, and as a part of the page of HTML.

use super::Found;
use super::judge::{Horizon, Line, Pair, UNDER};
use crate::prove::gate;
use crate::prove::grid::Grid;
use crate::prove::report::{date, figure, number, said};
use crate::prove::score::Figure;
use crate::time::Nanos;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What is said of all of it, after whose dollars they are.
const NOTE: &str = "of the next period and side, said at its begin from what was known then; CRPS of \
                    ln(1 + dollars / 1,000), tail: of what lies above the past's 95 % quantile; no verdict hangs on it";

fn line(of: &Line) -> Value {
    let under = UNDER.iter().zip(of.under);
    let under =
        under.map(|(quantile, share)| json!({ "quantile": quantile, "share": figure(share) }));
    json!({
        "name": of.name,
        "crps": figure(of.crps),
        "tail_crps": figure(of.tail),
        "brier": figure(of.brier),
        "brier_skill": figure(of.skill),
        "auc": figure(of.auc),
        "under": under.collect::<Vec<_>>(),
    })
}

fn pair(of: &Pair) -> Value {
    json!({
        "name": of.name,
        "than": of.than,
        "crps": figure(of.crps),
        "tail_crps": figure(of.tail),
        "brier": figure(of.brier),
        "auc": figure(of.auc),
        "diebold_mariano": of.statistic,
        "holds_together": of.holds,
    })
}

fn horizon(of: &Horizon) -> Value {
    json!({
        "horizon_s": seconds(of.length),
        "first_ms": of.span.0.get() / 1_000_000,
        "last_ms": of.span.1.get() / 1_000_000,
        "rows": of.rows,
        "days": of.days,
        "folds": of.folds,
        "events": of.events,
        "empty_share": of.empty,
        "models": of.lines.iter().map(line).collect::<Vec<_>>(),
        "differences": of.pairs.iter().map(pair).collect::<Vec<_>>(),
    })
}

const fn seconds(length: Nanos) -> i64 {
    length.get() / Nanos::SECOND.get()
}

/// As a JSON object.
#[must_use]
pub fn object(of: &Found) -> Value {
    let refused = of.refused.iter();
    let refused = refused.map(|(length, why)| json!({ "horizon_s": seconds(*length), "why": why }));
    json!({
        "note": note(of),
        "printed_by": of.printed,
        "is_part": of.is_part,
        "together": formed(of),
        "horizons": of.horizons.iter().map(horizon).collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
    })
}

/// Whose dollars they are.
fn note(of: &Found) -> String {
    let by = of.printed.join(", ");
    match (of.printed.is_empty(), of.is_part) {
        (true, _) => format!("dollars {NOTE}"),
        (false, true) => format!("printed dollars, a part of what was liquidated ({by}), {NOTE}"),
        (false, false) => format!("printed dollars, all that was liquidated ({by}), {NOTE}"),
    }
}

/// How many differences were formed, and what of them was corrected for their number.
fn formed(of: &Found) -> String {
    let pairs = || of.horizons.iter().flat_map(|horizon| &horizon.pairs);
    let figures = |pair: &Pair| [pair.crps, pair.tail, pair.brier, pair.auc];
    let all = pairs().flat_map(figures).flatten().count();
    let asked = pairs().filter(|pair| pair.holds.is_some()).count();
    let holds = pairs().filter(|pair| pair.holds == Some(true)).count();
    format!(
        "of {asked} differences in CRPS that say what the map adds to the same model {holds} hold among all {} of the \
         symbols that were tried (Holm, one-sided {} %); the other {} intervals of differences stand alone, not \
         corrected for their number",
        of.family,
        100.0 * gate::LEVEL,
        all.saturating_sub(asked)
    )
}

/// Whether a difference holds beside the others.
const fn holds(of: &Pair) -> &'static str {
    match of.holds {
        Some(true) => "holds",
        Some(false) => "does not hold",
        None => "",
    }
}

/// A length of time in its own words.
pub(super) fn length(time: Nanos) -> String {
    let (minute, hour) = (Nanos::MINUTE.get(), Nanos::HOUR.get());
    match time.get() {
        whole if whole % hour == 0 => format!("{} h", whole / hour),
        whole if whole % minute == 0 => format!("{} min", whole / minute),
        odd => format!("{} min", odd as f64 / minute as f64),
    }
}

fn told(of: &Horizon) -> String {
    format!(
        "the next {}: {} to {}, {} rows, {} days, {} folds; {} events, {:.0} % of the rows empty",
        length(of.length),
        date(of.span.0),
        date(of.span.1),
        of.rows,
        of.days,
        of.folds,
        of.events,
        100.0 * of.empty
    )
}

/// The same without a sign, for what cannot be below 0.
fn plain(of: Option<Figure>) -> String {
    of.map_or("not measured".to_owned(), |f| {
        format!("{:.3} [{:.3}, {:.3}]", f.value, f.low, f.high)
    })
}

/// A Brier score is small.
fn fine(of: Option<Figure>) -> String {
    of.map_or("not measured".to_owned(), |f| {
        format!("{:+.4} [{:+.4}, {:+.4}]", f.value, f.low, f.high)
    })
}

fn under(of: &Line) -> String {
    let shares = of
        .under
        .map(|share| share.map_or("-".to_owned(), |f| format!("{:.0}", 100.0 * f.value)));
    shares.join(" / ")
}

fn models(of: &Horizon) -> Grid {
    let mut grid = Grid::new("model|CRPS|tail|AUC of the event|Brier skill|under 50 / 80 / 95 %");
    grid.ours = 1;
    let row = |line: &Line| {
        let scores = [line.crps, line.tail, line.auc].map(plain);
        let rest = [said(line.skill), under(line)];
        [&[line.name.to_owned()], &scores[..], &rest].concat()
    };
    grid.rows = of.lines.iter().map(row).collect();
    grid
}

fn differences(of: &Horizon) -> Grid {
    let mut grid = Grid::new("one less the other|CRPS|tail|AUC of the event|Brier|DM|together");
    let row = |pair: &Pair| {
        let name = format!("{} less {}", pair.name, pair.than);
        let scores = [pair.crps, pair.tail, pair.auc].map(said);
        let rest = [
            fine(pair.brier),
            number(pair.statistic),
            holds(pair).to_owned(),
        ];
        [&[name], &scores[..], &rest].concat()
    };
    grid.rows = of.pairs.iter().map(row).collect();
    grid
}

/// Lines for a terminal.
#[must_use]
pub fn text(of: &Found) -> Vec<String> {
    let mut lines = vec![format!("  forecasts: {}", note(of))];
    for horizon in &of.horizons {
        lines.push(format!("    {}", told(horizon)));
        lines.extend(models(horizon).text(6));
        lines.extend(differences(horizon).text(6));
    }
    if !of.horizons.is_empty() {
        lines.push(format!("    {}", formed(of)));
    }
    let refused = of.refused.iter();
    lines.extend(
        refused.map(|(time, why)| format!("    the next {}: not measured: {why}", length(*time))),
    );
    lines
}

/// A part of the page; nothing where forecasts were not asked for.
pub fn html(out: &mut String, of: Option<&Found>) {
    let Some(of) = of else {
        return;
    };
    let _ = write!(
        out,
        "<h3>What the next period will bring</h3><p class=note>Forecasts: {}.</p>",
        note(of)
    );
    for horizon in &of.horizons {
        let _ = write!(out, "<p>{}.</p>", told(horizon));
        models(horizon).html(out);
        out.push_str(
            "<p class=note>One less the other: below 0 the one is better, of AUC above 0. DM is the Diebold–Mariano \
             statistic of the CRPS by day.</p>",
        );
        differences(horizon).html(out);
    }
    if !of.horizons.is_empty() {
        let _ = write!(out, "<p class=note>Together: {}.</p>", formed(of));
    }
    for (time, why) in &of.refused {
        let _ = write!(
            out,
            "<p class=note>The next {}: not measured: {why}.</p>",
            length(*time)
        );
    }
}
