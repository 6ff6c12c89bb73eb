//! Report: the test of direction, for machines, for people at a terminal, and as a part of the page of HTML.

use super::{Found, Mode, RIVALS, STRONGEST, Scored};
use crate::prove::grid::Grid;
use crate::prove::report::{self, date, escape, figure, said};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What is asked, in words.
const ASKED: &str = "does the bias tell where the middle of the book goes in the horizon of its mode? area under the \
                     ROC curve of a rise (one half is nothing); skill is that of the Brier score, over the share of \
                     rises so far; an hour is wild where sigma is above the median so far, a barrier is a sigma of \
                     the horizon away";

fn mode((mode, of): &(Mode, Result<Scored, String>)) -> Value {
    let of = match of {
        Ok(of) => of,
        Err(why) => return json!({ "mode": mode.name(), "not_measured": why }),
    };
    let parts = STRONGEST.iter().zip(&of.strongest).map(|(part, of)| {
        json!({
            "share": part,
            "least_bias": of.from,
            "rows": of.rows,
            "right": figure(of.right),
            "brought_bp": figure(of.brought),
            "after_spread_bp": figure(of.kept),
        })
    });
    json!({
        "mode": mode.name(),
        "horizon_s": mode.horizon * 60,
        "grid_s": mode.grid * 60,
        "first_ms": of.span.0.get() / 1_000_000,
        "last_ms": of.span.1.get() / 1_000_000,
        "rows": of.rows,
        "days": of.days,
        "block_days": of.mode.block(),
        "moved_by_liquidations": of.moved,
        "silent": of.silent,
        "still": of.still,
        "share_of_rises": figure(of.base),
        "area": figure(of.ranked.area),
        "rivals": report::beside(&RIVALS, &of.ranked.rivals),
        "calm": { "rows": of.apart.rows[0], "area": figure(of.apart.regimes[0]) },
        "wild": { "rows": of.apart.rows[1], "area": figure(of.apart.regimes[1]) },
        "wild_less_calm": figure(of.apart.regimes[2]),
        "barrier": { "rows": of.apart.rows[2], "area": figure(of.apart.barrier) },
        "strongest": parts.collect::<Vec<_>>(),
        "brier_skill": figure(of.skill[0]),
        "brier_skill_of_return_before": figure(of.skill[1]),
        "brier_skill_over_it": figure(of.skill[3]),
        "brier_skill_without_liquidations": figure(of.skill[2]),
        "brier_skill_over_that": figure(of.skill[4]),
    })
}

/// As a JSON object; a reason where nothing was measured.
#[must_use]
pub fn object(of: &Result<Found, String>) -> Value {
    report::object_of(
        of,
        |modes| json!({ "modes": modes.iter().map(mode).collect::<Vec<_>>() }),
    )
}

fn told(of: &Scored) -> String {
    format!(
        "{} to {}: {} rows of {} days, {} min ahead, one every {} min; nothing said in {} more, price still in {}; \
         liquidation signals move the bias in {}{}",
        date(of.span.0),
        date(of.span.1),
        of.rows,
        of.days,
        of.mode.horizon,
        of.mode.grid,
        of.silent,
        of.still,
        of.moved,
        if of.mode.block() > 1 {
            "; weeks are drawn, not days"
        } else {
            ""
        }
    )
}

fn measured(of: &Scored) -> [Grid; 2] {
    let mut rows = vec![("share of rises".to_owned(), of.base)];
    rows.extend(report::ranked("the bias", &RIVALS, &of.ranked));
    let [calm, wild, barrier] = of.apart.rows;
    rows.extend([
        (
            format!("area in calm hours ({calm} rows)"),
            of.apart.regimes[0],
        ),
        (
            format!("area in wild hours ({wild} rows)"),
            of.apart.regimes[1],
        ),
        ("wild less calm".to_owned(), of.apart.regimes[2]),
        (
            format!("area of the upper barrier first ({barrier} rows)"),
            of.apart.barrier,
        ),
        ("Brier skill of the bias".to_owned(), of.skill[0]),
        ("Brier skill of the return before".to_owned(), of.skill[1]),
        ("the first less the second".to_owned(), of.skill[3]),
        (format!("Brier skill of {}", RIVALS[3]), of.skill[2]),
        ("the first less that".to_owned(), of.skill[4]),
    ]);
    let mut parts =
        Grid::new("strongest|least bias|rows|right|brought, bp|less the spread that stood, bp");
    parts.rows = STRONGEST
        .iter()
        .zip(&of.strongest)
        .map(|(part, of)| {
            vec![
                format!("{:.0} %", part * 100.0),
                format!("{:.0}", of.from),
                of.rows.to_string(),
                said(of.right),
                said(of.brought),
                said(of.kept),
            ]
        })
        .collect();
    [report::figures(rows), parts]
}

/// Lines for a terminal.
#[must_use]
pub fn text(of: &Result<Found, String>) -> Vec<String> {
    report::lines_of(of, "  direction", lines)
}

fn lines(modes: &Found) -> Vec<String> {
    let mut lines = vec![format!("  direction: {ASKED}")];
    for (mode, of) in modes {
        match of {
            Err(why) => lines.push(format!("    {}: not measured: {why}", mode.name())),
            Ok(of) => {
                lines.push(format!("    {}: {}", mode.name(), told(of)));
                lines.extend(measured(of).iter().flat_map(|grid| grid.text(6)));
            }
        }
    }
    lines
}

/// A part of the page.
pub fn html(out: &mut String, of: &Result<Found, String>) {
    report::html_of(out, of, "Direction", part);
}

fn part(out: &mut String, modes: &Found) {
    let _ = write!(out, "<p>{}.</p>", escape(ASKED));
    for (mode, of) in modes {
        match of {
            Err(why) => {
                let why = escape(why);
                let _ = write!(
                    out,
                    "<p class=note>{}: not measured: {why}.</p>",
                    mode.name()
                );
            }
            Ok(of) => {
                let _ = write!(out, "<p class=note>{}: {}.</p>", mode.name(), told(of));
                measured(of).iter().for_each(|grid| grid.html(out));
            }
        }
    }
}
