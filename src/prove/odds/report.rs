//! Report: the test of the zones' odds, for machines, for people at a terminal, and as a part of the page of HTML.

use super::{FAR, Found, Left, Measured, Part, RIVALS, Scored};
use crate::prove::grid::Grid;
use crate::prove::report::{self, date, escape, figure, said};
use crate::prove::score::Figure;
use crate::shm::record::ZONE_LABELS;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What is asked, in words.
const ASKED: &str = "do zones get touched, and run, as often as the page says? Of share over mean and of slope 1 is \
                     right: a share below the mean or a slope below 1 is too bold; skill is 1 less our loss over \
                     theirs, above 0 speaks for the chance; the past is of the days before";
/// What the rows are and what the walk is, of touches and of runs.
const WALKS: [&str; 2] = [
    "the walk is what distance alone says, without drift",
    "the walk is what the width alone says: from the near edge, to be past the far one before back out",
];
/// The same of the zones that were walked over history.
const BARE: &str = "the product's zones at every full hour, with the day mode's chance without book and flow; prices \
                    stand for the mark; whether a zone ran or held does not show";

/// Whether what stands behind a chance is distance alone: nothing to weigh beside it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Touch,
    Run,
    Bare,
}

impl Left {
    /// In words.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text = format!("left out: {} not heard to the end", self.unheard);
        for (count, what) in [
            (self.unknown, "without a chance or a sigma"),
            (self.over, "given up before they ran or held"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        if self.far > 0 {
            let (far, came) = (self.far, self.far_happened);
            let _ = write!(
                text,
                "; {far} farther than {FAR} sigmas, of which {came} were touched"
            );
        }
        text
    }
}

fn part(of: &Part) -> Value {
    json!({
        "from": of.from,
        "to": of.to,
        "rows": of.rows,
        "said_mean": of.said,
        "walk_mean": of.walk,
        "share": figure(of.happened),
    })
}

fn scored(of: &Result<Scored, String>, kind: Of) -> Value {
    let of = match of {
        Ok(of) => of,
        Err(why) => return json!({ "not_measured": why }),
    };
    let parts = |of: &[Part]| of.iter().map(part).collect::<Vec<_>>();
    let skill = |of: &[Option<Figure>]| -> Value {
        let all = RIVALS.iter().zip(of);
        all.map(|(name, of)| json!({ "over": name, "skill": figure(*of) }))
            .collect()
    };
    let mut all = json!({
        "first_ms": of.span.0.get() / 1_000_000,
        "last_ms": of.span.1.get() / 1_000_000,
        "rows": of.rows,
        "days": of.days,
        "zones": of.zones,
        "left_out_unheard": of.left.unheard,
        "left_out_unknown": of.left.unknown,
        "left_out_given_up": of.left.over,
        "left_out_far": of.left.far,
        "left_out_far_touched": of.left.far_happened,
        "said_mean": of.said,
        "share": figure(of.happened),
        "share_over_mean": figure(of.ratio[0]),
        "share_over_mean_of_walk": figure(of.ratio[1]),
        "slope": figure(of.slope[0]),
        "slope_of_walk": figure(of.slope[1]),
        "area": figure(of.ranked.area),
        "brier_skill": skill(&of.brier),
        "log_skill": skill(&of.log),
        "tenths": parts(&of.tenths),
    });
    if let (Some(all), true) = (all.as_object_mut(), kind != Of::Bare) {
        let labels = of
            .labels
            .iter()
            .map(|(label, of)| json!({ "label": name(*label), "is": part(of) }));
        let more = [
            ("weight_of_what_it_adds", figure(of.weights[0])),
            ("weight_of_walk", figure(of.weights[1])),
            ("rivals", report::beside(&["nearness"], &of.ranked.rivals)),
            ("thirds_by_said_over_walk", json!(parts(&of.thirds))),
            ("labels", labels.collect()),
        ];
        all.extend(more.map(|(key, value)| (key.to_owned(), value)));
    }
    all
}

fn mode(of: &Measured) -> Value {
    json!({
        "mode": of.mode.name(),
        "horizon_s": of.mode.horizon * 60,
        "step_s": of.mode.grid * 60,
        "touch": scored(&of.touch, Of::Touch),
        "run": scored(&of.run, Of::Run),
    })
}

/// As a JSON object; reasons where nothing was measured.
#[must_use]
pub fn object(of: &Found) -> Value {
    json!({
        "page": report::object_of(&of.page, |modes| {
            json!({ "modes": modes.iter().map(mode).collect::<Vec<_>>() })
        }),
        "walked_touch": scored(&of.walked, Of::Bare),
    })
}

fn name(label: u8) -> &'static str {
    ZONE_LABELS
        .get(usize::from(label))
        .copied()
        .unwrap_or_default()
}

fn told(of: &Scored) -> String {
    format!(
        "{} to {}: {} rows of {} zones on {} days; {}",
        date(of.span.0),
        date(of.span.1),
        of.rows,
        of.zones,
        of.days,
        of.left.told()
    )
}

/// Rows and shares, with what was said of them.
fn table(head: &str, of: impl Iterator<Item = (String, Part)>) -> Grid {
    let mut grid = Grid::new(&format!("{head}|rows|said|the walk|came"));
    let row = |(name, of): (String, Part)| {
        vec![
            name,
            of.rows.to_string(),
            format!("{:.3}", of.said),
            format!("{:.3}", of.walk),
            said(of.happened),
        ]
    };
    grid.rows = of.map(row).collect();
    grid
}

fn span(of: &Part) -> (String, Part) {
    (format!("{:.3} to {:.3}", of.from, of.to), *of)
}

fn measured(of: &Scored, kind: Of) -> Vec<Grid> {
    let mut figures = Grid::new("what|the chance|the walk");
    let mut add = |name: &str, own: Option<Figure>, walk: Option<Figure>| {
        figures
            .rows
            .push(vec![name.to_owned(), said(own), said(walk)]);
    };
    add("share that came over mean said", of.ratio[0], of.ratio[1]);
    add("slope", of.slope[0], of.slope[1]);
    if kind == Of::Bare {
        add("area", of.ranked.area, of.ranked.rivals[0].area);
    } else {
        add(
            "weight of what it adds, and of the walk",
            of.weights[0],
            of.weights[1],
        );
        add(
            "area, and of nearness alone",
            of.ranked.area,
            of.ranked.rivals[0].area,
        );
    }
    let mut skill = Grid::new("skill of the chance over|squared|logarithmic");
    let rivals = RIVALS.iter().zip(of.brier.iter().zip(&of.log));
    let row = |(name, (brier, log)): (&&str, (&Option<Figure>, &Option<Figure>))| {
        vec![(*name).to_owned(), said(*brier), said(*log)]
    };
    skill.rows = rivals.map(row).collect();
    let mut all = vec![figures, skill];
    if kind == Of::Run {
        let labels = of.labels.iter();
        all.push(table(
            "label",
            labels.map(|(label, of)| (name(*label).to_owned(), *of)),
        ));
    }
    all.push(table("chance, tenths", of.tenths.iter().map(span)));
    if kind != Of::Bare {
        all.push(table(
            "chance over the walk, thirds",
            of.thirds.iter().map(span),
        ));
    }
    all
}

/// A head, then why not or how many and the tables.
type Piece<'a> = (String, Result<(String, Vec<Grid>), &'a str>);

fn piece<'a>(head: String, note: &str, of: &'a Result<Scored, String>, kind: Of) -> Piece<'a> {
    let of = match of {
        Ok(of) => Ok((format!("{}; {note}", told(of)), measured(of, kind))),
        Err(why) => Err(why.as_str()),
    };
    (head, of)
}

fn pieces(of: &Found) -> Vec<Piece<'_>> {
    let mut all = Vec::new();
    match &of.page {
        Err(why) => all.push(("as the page published them".to_owned(), Err(why.as_str()))),
        Ok(modes) => {
            for of in modes {
                let (name, minutes) = (of.mode.name(), of.mode.horizon);
                let touch = format!("{name}, touched within {minutes} min");
                all.push(piece(touch, WALKS[0], &of.touch, Of::Touch));
                let run = format!("{name}, ran once touched");
                all.push(piece(run, WALKS[1], &of.run, Of::Run));
            }
        }
    }
    let walked = "touched within 60 min, zones walked over the history".to_owned();
    all.push(piece(walked, BARE, &of.walked, Of::Bare));
    all
}

/// Lines for a terminal.
#[must_use]
pub fn text(of: &Found) -> Vec<String> {
    let mut lines = vec![format!("  odds of zones: {ASKED}")];
    for (head, of) in pieces(of) {
        match of {
            Err(why) => lines.push(format!("    {head}: not measured: {why}")),
            Ok((told, grids)) => {
                lines.push(format!("    {head}"));
                lines.push(format!("      {told}"));
                lines.extend(grids.iter().flat_map(|grid| grid.text(6)));
            }
        }
    }
    lines
}

/// A part of the page.
pub fn html(out: &mut String, of: &Found) {
    let _ = write!(out, "<h3>Odds of zones</h3><p>{}.</p>", escape(ASKED));
    for (head, of) in pieces(of) {
        let head = escape(&head);
        match of {
            Err(why) => {
                let _ = write!(
                    out,
                    "<p class=note>{head}: not measured: {}.</p>",
                    escape(why)
                );
            }
            Ok((told, grids)) => {
                let _ = write!(out, "<h4>{head}</h4><p class=note>{}.</p>", escape(&told));
                grids.iter().for_each(|grid| grid.html(out));
            }
        }
    }
}
