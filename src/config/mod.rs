//! Config: text becomes a [`Plan`], validated and immutable, or every fault in it at once.
//!
//! The text is TOML with the sections `[engine]`, `[[feed]]` (one a connection or pair), `[[venue]]` (how one is
//! treated), `[external]` and `[[series]]` (values from outside) and `[model]`. Each section is a table of keys
//! (`tables`): name, meaning and kind of value. Reading, refusing, [`Plan::show`], [`Plan::example`] and
//! [`Plan::schema`] all go by these tables, so none of them can know a key the others do not.
//!
//! A fault names file, line and column, the key, what was found, what is allowed and the nearest
//! right word. Unknown keys are faults: a key that does nothing is a mistake nobody sees. Decimals
//! become integers exactly (1e-6 where a field ends in `_e6`); no float is kept. Every key has a
//! default except the name of a feed's venue and a series' terms. A running engine never looks at the text again: to
//! change its plan is to start it anew.

pub mod evidence;
mod fault;
mod keys;
mod margin;
mod reading;
mod schema;
mod section;
mod tables;
mod value;

use crate::market::VenueId;
use fault::Source;
use keys::Key;
use reading::{OUTSIDE, Reading};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tables::{ENGINE, EXTERNAL, FEED, MODEL, RENAME, SERIES, VENUE};
use toml::de::DeTable;

pub use fault::ConfigFault;
pub use margin::MarginRow;
pub use section::{
    Channel, Engine, External, Feed, Leg, MIX_LEVERAGES, Model, POLLS, Rename, Series, Venue,
};
pub use tables::{FEEDS_MAX, SERIES_MAX, SYMBOLS_MAX, VENUES_MAX};

impl Model {
    /// Name and text of every parameter, for the head of a tape.
    #[must_use]
    pub fn texts(&self) -> BTreeMap<String, String> {
        MODEL
            .iter()
            .filter_map(|key| Some((key.name.to_owned(), key.kind.show(self)?)))
            .collect()
    }
}

/// Where a value came from, when it is not the table's default.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// Line and column of its key.
    At(u32, u32),
    /// It follows from something else, in words.
    Derived(String),
}

/// A configuration that has been checked. Holding one proves every value is in its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The instance.
    pub engine: Engine,
    /// Its connections in ring order, never empty.
    pub feeds: Vec<Feed>,
    /// How each venue of the feeds is treated, in the order of their first feeds.
    pub venues: Vec<Venue>,
    /// Where values from outside come in.
    pub external: External,
    /// What may come in there, in the order of their numbers.
    pub series: Vec<Series>,
    /// Contracts that a venue gives another name, in the order of their moments.
    pub renames: Vec<Rename>,
    /// The map's parameters.
    pub model: Model,
    file: String,
    /// Where every key that is not its table's default came from, by `section.key`.
    origins: BTreeMap<String, Origin>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            feeds: vec![Feed::default()],
            venues: vec![Venue::default()],
            external: External::default(),
            series: Vec::new(),
            renames: Vec::new(),
            model: Model::default(),
            file: String::new(),
            origins: BTreeMap::new(),
        }
    }
}

impl Plan {
    /// Reads and checks a file, and the margin tables and certificates it names. Paths in it are taken as they stand,
    /// from the directory of the process.
    ///
    /// # Errors
    /// All faults in it, in the order of their places; a file that cannot be read is one fault.
    pub fn load(path: &Path) -> Result<Self, Vec<ConfigFault>> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            vec![ConfigFault {
                file: file.clone(),
                line: 0,
                column: 0,
                text: format!("cannot be read: {error}"),
            }]
        })?;
        let mut plan = Self::parse(&text, &file)?;
        let faults = plan.read_files();
        if faults.is_empty() {
            Ok(plan)
        } else {
            Err(faults)
        }
    }

    /// Takes in what the files it names say.
    fn read_files(&mut self) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        if let Some(path) = &self.engine.calibration {
            let key = "engine.calibration";
            let read = self.text_of(key, path).and_then(|text| {
                evidence::parse(&text).map_err(|what| self.fault_of(key, path, &what))
            });
            match read {
                Ok(evidence) => self.engine.evidence = evidence,
                Err(fault) => faults.push(fault),
            }
        }
        for n in 0..self.venues.len() {
            let venue = &self.venues[n];
            let key = |name: &str| format!("venue.{n}.{name}");
            if let Some(path) = &venue.ca {
                match self.text_of(&key("ca"), path) {
                    Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => {}
                    Ok(_) => {
                        let what = "holds no certificate in PEM form";
                        faults.push(self.fault_of(&key("ca"), path, what));
                    }
                    Err(fault) => faults.push(fault),
                }
            }
            let Some(path) = &venue.tiers else { continue };
            let text = self
                .text_of(&key("tiers"), path)
                .map_err(|fault| vec![fault]);
            let file = path.display().to_string();
            match text.and_then(|text| margin::parse(&text, &file)) {
                Ok(rows) => self.venues[n].margin = rows,
                Err(more) => faults.extend(more),
            }
        }
        faults
    }

    /// The text of a file that a key names.
    fn text_of(&self, key: &str, path: &Path) -> Result<String, ConfigFault> {
        fs::read_to_string(path)
            .map_err(|error| self.fault_of(key, path, &format!("cannot be read: {error}")))
    }

    /// What is wrong with a file that a key names, said at the key.
    fn fault_of(&self, key: &str, path: &Path, what: &str) -> ConfigFault {
        let (line, column) = self.origin(key).unwrap_or_default();
        let name = key.rsplit('.').next().unwrap_or(key);
        let section = if key.starts_with("engine.") {
            "[engine]"
        } else {
            "[[venue]]"
        };
        ConfigFault {
            file: self.file.clone(),
            line,
            column,
            text: format!("key \"{name}\" in {section}: {}: {what}", path.display()),
        }
    }

    /// Reads and checks text; `file` is what faults call it.
    ///
    /// # Errors
    /// All faults in it, in the order of their places.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<ConfigFault>> {
        let mut reading = Reading::new(Source { file, text });
        let (root, syntax) = DeTable::parse_recoverable(text);
        let mut plan = reading.plan(root.get_ref());
        let mut faults = reading.faults;
        if !syntax.is_empty() {
            let broken: Vec<ConfigFault> = syntax
                .iter()
                .map(|error| {
                    let at = error.span().map_or(0, |span| span.start);
                    reading.source.fault(at, error.message().to_owned())
                })
                .collect();
            // What stands on a broken line, or outside every section, may be there only because a
            // line is broken.
            let lines: BTreeSet<u32> = broken.iter().map(|fault| fault.line).collect();
            faults.retain(|fault| !lines.contains(&fault.line));
            faults.retain(|fault| !fault.text.contains(OUTSIDE));
            faults.extend(broken);
        }
        if faults.is_empty() {
            plan.origins = reading.origins;
            file.clone_into(&mut plan.file);
            return Ok(plan);
        }
        faults.sort_by(|a, b| (a.line, a.column, &a.text).cmp(&(b.line, b.column, &b.text)));
        faults.dedup();
        Err(faults)
    }

    /// How a venue is treated; the default for one that has no feed.
    #[must_use]
    pub fn venue(&self, id: VenueId) -> Venue {
        let known = self.venues.iter().find(|venue| venue.venue == id);
        known.cloned().unwrap_or_else(|| Venue {
            venue: id,
            ..Venue::default()
        })
    }

    /// Base of a venue's REST addresses, without a closing slash; empty = none is asked.
    #[must_use]
    pub fn rest(&self, id: VenueId) -> &str {
        let mut feeds = self.feeds.iter().filter(|feed| feed.venue == id);
        feeds
            .find(|feed| !feed.rest.is_empty())
            .map_or("", |feed| feed.rest.as_str())
    }

    /// Where a key was given (`engine.idle`, `feed.0.url`, `model.psi`): line and column; `None` =
    /// it was not.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<(u32, u32)> {
        match self.origins.get(key) {
            Some(Origin::At(line, column)) => Some((*line, *column)),
            _ => None,
        }
    }

    /// Every effective value with where it comes from, as text that parses to the same plan.
    #[must_use]
    pub fn show(&self) -> String {
        let mut out = String::new();
        self.show_section(&mut out, "[engine]", "engine", &ENGINE, &self.engine);
        for (n, feed) in self.feeds.iter().enumerate() {
            self.show_section(&mut out, "[[feed]]", &format!("feed.{n}"), &FEED, feed);
        }
        for (n, venue) in self.venues.iter().enumerate() {
            self.show_section(&mut out, "[[venue]]", &format!("venue.{n}"), &VENUE, venue);
        }
        self.show_section(
            &mut out,
            "[external]",
            "external",
            &EXTERNAL,
            &self.external,
        );
        for (n, series) in self.series.iter().enumerate() {
            self.show_section(
                &mut out,
                "[[series]]",
                &format!("series.{n}"),
                &SERIES,
                series,
            );
        }
        for (n, rename) in self.renames.iter().enumerate() {
            let path = format!("rename.{n}");
            self.show_section(&mut out, "[[rename]]", &path, &RENAME, rename);
        }
        self.show_section(&mut out, "[model]", "model", &MODEL, &self.model);
        out
    }

    fn show_section<T>(&self, out: &mut String, head: &str, path: &str, keys: &[Key<T>], of: &T) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(head);
        out.push('\n');
        for key in keys {
            let line = match key.kind.show(of) {
                Some(value) => format!("{} = {value}", key.name),
                None => format!("# {}: not set", key.name),
            };
            let from = match self.origins.get(&format!("{path}.{}", key.name)) {
                Some(Origin::At(line, column)) => format!("{}:{line}:{column}", self.file),
                Some(Origin::Derived(from)) => from.clone(),
                None => "default".to_owned(),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{line:<64} # {from}");
        }
    }

    /// A complete example with every key explained, which parses to the default.
    #[must_use]
    pub fn example() -> String {
        let plan = Self::default();
        let mut out = String::from(
            "# isotherm: every key, its meaning, what is allowed, and its default.\n\
             # Unknown keys are errors. Numbers are exact decimals. A running engine does not read\n\
             # this again: restart it to change its plan.\n",
        );
        explain(&mut out, "[engine]", &ENGINE, &plan.engine);
        for feed in &plan.feeds {
            explain(&mut out, "[[feed]]", &FEED, feed);
        }
        for venue in &plan.venues {
            explain(&mut out, "[[venue]]", &VENUE, venue);
        }
        explain(&mut out, "[external]", &EXTERNAL, &plan.external);
        let mut lists = String::new();
        explain(&mut lists, "[[series]]", &SERIES, &Series::default());
        explain(&mut lists, "[[rename]]", &RENAME, &section::rename());
        // There is none by default: what would be one is commented out.
        for line in lists.lines() {
            let mark = if line.is_empty() || line.starts_with('#') {
                ""
            } else {
                "# "
            };
            let _ = writeln!(out, "{mark}{line}");
        }
        explain(&mut out, "[model]", &MODEL, &plan.model);
        out
    }

    /// The shape of a plan as a JSON schema, for editors.
    #[must_use]
    pub fn schema() -> String {
        format!("{:#}\n", schema::schema())
    }
}

fn explain<T>(out: &mut String, head: &str, keys: &[Key<T>], of: &T) {
    let _ = write!(out, "\n{head}\n");
    for (n, key) in keys.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        comment(out, key.doc);
        comment(out, &format!("Allowed: {}.", key.kind.allowed()));
        let _ = match key.kind.show(of) {
            Some(value) if key.instead.is_empty() => writeln!(out, "{} = {value}", key.name),
            _ => writeln!(out, "# {} = {}", key.name, key.instead),
        };
    }
}

/// A comment in lines of a readable length.
fn comment(out: &mut String, text: &str) {
    const COLUMNS: usize = 96;
    let mut width = COLUMNS;
    for word in text.split(' ') {
        if width + 1 + word.chars().count() > COLUMNS {
            if !out.ends_with('\n') {
                out.push('\n');
            }
            out.push('#');
            width = 1;
        }
        out.push(' ');
        out.push_str(word);
        width += 1 + word.chars().count();
    }
    out.push('\n');
}
