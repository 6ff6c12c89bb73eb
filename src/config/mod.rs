//! Config: text becomes a [`Plan`], validated and immutable, or every fault in it at once.
//!
//! The text is TOML with three sections: `[engine]`, `[[feed]]` (one a connection) and `[model]`.
//! Each section is a table of keys (`keys`): name, meaning, what is allowed, how to read and how to
//! show it. Reading, refusing, [`Plan::show`] and [`Plan::example`] all go by these tables, so none
//! of them can know a key the others do not.
//!
//! A fault names file, line and column, the key, what was found, what is allowed and the nearest
//! right word. Unknown keys are faults: a key that does nothing is a mistake nobody sees. Decimals
//! become integers exactly (1e-6 where a field ends in `_e6`); no float is kept. Every key has a
//! default except `venue` and `url` of a feed.

mod fault;
mod keys;

use crate::idle::Strategy;
use crate::market::VenueId;
use crate::venue;
use fault::{Complaint, Source, did_you_mean, nearest};
use keys::{ENGINE, FEED, Key, MODEL, Value, nearest_key};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

pub use fault::ConfigFault;
pub use keys::{FEEDS_MAX, SYMBOLS_MAX};

/// Venues a feed can name: those with a decoder.
pub const VENUES: [(&str, VenueId); venue::VENUES.len()] = {
    let mut names = [("", VenueId(0)); venue::VENUES.len()];
    let mut row = 0;
    while row < names.len() {
        names[row] = (venue::VENUES[row].name, venue::VENUES[row].id);
        row += 1;
    }
    names
};

/// Leverages of the shares in [`Model::mix_e6`], in order.
pub const MIX_LEVERAGES: [u16; 9] = [3, 5, 10, 20, 25, 50, 75, 100, 125];

/// A stream a feed subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Order book.
    Book,
    /// Trades.
    Trades,
    /// Mark, index, funding, open interest.
    Tickers,
    /// Liquidation prints.
    Liquidations,
}

impl Channel {
    /// Name of each, as the plan writes it.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("book", Self::Book),
        ("trades", Self::Trades),
        ("tickers", Self::Tickers),
        ("liquidations", Self::Liquidations),
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Trades => "trades",
            Self::Tickers => "tickers",
            Self::Liquidations => "liquidations",
        }
    }
}

/// Section `[engine]`: one instance, its threads and its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Name; part of the page's file name. Default `main`.
    pub instance: String,
    /// Canonical assets in slot order. Default BTC, ETH, SOL.
    pub symbols: Vec<String>,
    /// Largest memory budget, bytes. Default 512 MiB.
    pub memory_max: u64,
    /// File of the page. Default `/dev/shm/isotherm.<instance>`.
    pub page: PathBuf,
    /// What loops do when idle. Default yield.
    pub idle: Strategy,
    /// Core of the shard; `None` = not pinned.
    pub core: Option<u32>,
    /// File to record to; `None` = nothing is recorded.
    pub tape: Option<PathBuf>,
}

/// Section `[[feed]]`: one connection, one ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The exchange.
    pub venue: VenueId,
    /// Websocket address, `ws://`.
    pub url: String,
    /// Base of the REST addresses without a closing slash, `http://`; empty = none.
    pub rest: String,
    /// What it subscribes to, never empty. Default all four.
    pub channels: Vec<Channel>,
    /// Core of the feed; `None` = not pinned.
    pub core: Option<u32>,
}

impl Feed {
    /// Name of its venue.
    #[must_use]
    pub fn venue_name(&self) -> &'static str {
        VENUES
            .iter()
            .find(|(_, id)| *id == self.venue)
            .map_or("", |(name, _)| *name)
    }
}

/// Section `[model]`: the parameters of the map. Fields ending in `_e6` are in millionths; ranges
/// and meanings stand in the key table and in [`Plan::example`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// Shares of openings by [`MIX_LEVERAGES`]; sums to 1,000,000.
    pub mix_e6: [i64; 9],
    /// Share of the mix in the background rows.
    pub background_e6: i64,
    /// Share of openings that is inert.
    pub inert_share_e6: i64,
    /// Leverage whose closing hazard the inert pool has.
    pub inert_leverage: i64,
    /// Economic turnover.
    pub psi_e6: i64,
    /// Exponent of the closing hazard.
    pub alpha_e6: i64,
    /// Prior mean of θ.
    pub theta_prior_e6: i64,
    /// Half width of the seeding prior in daily deviations.
    pub prior_sigma_e6: i64,
    /// Daily deviation assumed until history is known.
    pub daily_sigma_e6: i64,
    /// How long interest without volume waits, milliseconds.
    pub carry_ms: i64,
    /// Half-life of the residual, minutes.
    pub residual_minutes: i64,
}

impl Model {
    /// Name and text of every parameter, for the head of a tape.
    #[must_use]
    pub fn texts(&self) -> BTreeMap<String, String> {
        MODEL
            .iter()
            .filter_map(|key| Some((key.name.to_owned(), (key.show)(self)?)))
            .collect()
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            instance: "main".to_owned(),
            symbols: ["BTC", "ETH", "SOL"].map(str::to_owned).to_vec(),
            memory_max: 512 << 20,
            page: page_of("main"),
            idle: Strategy::default(),
            core: None,
            tape: None,
        }
    }
}

/// The built-in exchange of the same machine.
impl Default for Feed {
    fn default() -> Self {
        Self {
            venue: VenueId::BYBIT,
            url: "ws://127.0.0.1:9001/v5/public/linear".to_owned(),
            rest: "http://127.0.0.1:9002".to_owned(),
            channels: Channel::NAMES.map(|(_, channel)| channel).to_vec(),
            core: None,
        }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            mix_e6: [
                110_000, 170_000, 260_000, 200_000, 70_000, 100_000, 30_000, 45_000, 15_000,
            ],
            background_e6: 80_000,
            inert_share_e6: 500_000,
            inert_leverage: 2,
            psi_e6: 300_000,
            alpha_e6: 500_000,
            theta_prior_e6: 200_000,
            prior_sigma_e6: 2_000_000,
            daily_sigma_e6: 30_000,
            carry_ms: 10_000,
            residual_minutes: 60,
        }
    }
}

fn page_of(instance: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm/isotherm.{instance}"))
}

/// A configuration that has been checked. Holding one proves every value is in its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The instance.
    pub engine: Engine,
    /// Its connections in ring order, never empty.
    pub feeds: Vec<Feed>,
    /// The map's parameters.
    pub model: Model,
    file: String,
    /// Line and column of every key that was given, by `section.key`.
    origins: BTreeMap<String, (u32, u32)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            feeds: vec![Feed::default()],
            model: Model::default(),
            file: String::new(),
            origins: BTreeMap::new(),
        }
    }
}

impl Plan {
    /// Reads and checks a file.
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
        Self::parse(&text, &file)
    }

    /// Reads and checks text; `file` is what faults call it.
    ///
    /// # Errors
    /// All faults in it, in the order of their places.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<ConfigFault>> {
        let mut reading = Reading {
            source: Source { file, text },
            faults: Vec::new(),
            origins: BTreeMap::new(),
        };
        let (root, syntax) = DeTable::parse_recoverable(text);
        let mut plan = reading.plan(root.get_ref());
        reading.settle(&mut plan);
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

    /// Where a key was given (`engine.idle`, `feed.0.url`, `model.psi`): line and column; `None` =
    /// its default.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<(u32, u32)> {
        self.origins.get(key).copied()
    }

    /// Every effective value with where it comes from, as text that parses to the same plan.
    #[must_use]
    pub fn show(&self) -> String {
        let mut out = String::new();
        self.show_section(&mut out, "[engine]", "engine", &ENGINE, &self.engine);
        for (n, feed) in self.feeds.iter().enumerate() {
            out.push('\n');
            self.show_section(&mut out, "[[feed]]", &format!("feed.{n}"), &FEED, feed);
        }
        out.push('\n');
        self.show_section(&mut out, "[model]", "model", &MODEL, &self.model);
        out
    }

    fn show_section<T>(&self, out: &mut String, head: &str, path: &str, keys: &[Key<T>], of: &T) {
        out.push_str(head);
        out.push('\n');
        for key in keys {
            let line = match (key.show)(of) {
                Some(value) => format!("{} = {value}", key.name),
                None => format!("# {}: not set", key.name),
            };
            let from = match self.origin(&format!("{path}.{}", key.name)) {
                Some((line, column)) => format!("{}:{line}:{column}", self.file),
                None => "default".to_owned(),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{line:<56} # {from}");
        }
    }

    /// A complete example with every key explained, which parses to the default.
    #[must_use]
    pub fn example() -> String {
        let plan = Self::default();
        let mut out = String::from(
            "# isotherm: every key, its meaning, what is allowed, and its default.\n\
             # Unknown keys are errors. Numbers are exact decimals.\n",
        );
        explain(&mut out, "[engine]", &ENGINE, &plan.engine);
        for feed in &plan.feeds {
            explain(&mut out, "[[feed]]", &FEED, feed);
        }
        explain(&mut out, "[model]", &MODEL, &plan.model);
        out
    }
}

fn explain<T>(out: &mut String, head: &str, keys: &[Key<T>], of: &T) {
    let _ = write!(out, "\n{head}\n");
    for (n, key) in keys.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let _ = writeln!(out, "# {}\n# Allowed: {}.", key.doc, (key.allowed)());
        let _ = match (key.show)(of) {
            Some(value) if key.instead.is_empty() => writeln!(out, "{} = {value}", key.name),
            _ => writeln!(out, "# {} = {}", key.name, key.instead),
        };
    }
}

/// How faults name what stands in no section.
const OUTSIDE: &str = "outside the sections";
const SECTIONS: [(&str, &str); 3] = [
    ("engine", "[engine]"),
    ("feed", "[[feed]]"),
    ("model", "[model]"),
];

/// One pass over the text.
struct Reading<'a> {
    source: Source<'a>,
    faults: Vec<ConfigFault>,
    origins: BTreeMap<String, (u32, u32)>,
}

impl Reading<'_> {
    fn complain(&mut self, at: usize, text: String) {
        self.faults.push(self.source.fault(at, text));
    }

    fn plan(&mut self, root: &DeTable<'_>) -> Plan {
        let mut plan = Plan::default();
        for (name, value) in root {
            match name.get_ref().as_ref() {
                "engine" => self.section(0, value, "engine", &ENGINE, &mut plan.engine),
                "model" => self.section(2, value, "model", &MODEL, &mut plan.model),
                "feed" => plan.feeds = self.feeds(value),
                other => self.unknown(other, name.span().start, value),
            }
        }
        plan
    }

    fn unknown(&mut self, name: &str, at: usize, value: &Value<'_>) {
        let sections = SECTIONS.map(|(_, section)| section).join(", ");
        let what = match value.get_ref() {
            DeValue::Table(_) => format!("unknown section [{name}]"),
            DeValue::Array(list) if list.iter().any(|item| item.get_ref().is_table()) => {
                format!("unknown section [[{name}]]")
            }
            _ => {
                let homes = [
                    (ENGINE.iter().any(|key| key.name == name), "[engine]"),
                    (FEED.iter().any(|key| key.name == name), "[[feed]]"),
                    (MODEL.iter().any(|key| key.name == name), "[model]"),
                ];
                let home = homes.iter().find(|(has, _)| *has);
                let meant = home.map_or(String::new(), |(_, section)| {
                    format!("does it belong into {section}? ")
                });
                let text = format!("unknown key \"{name}\" {OUTSIDE}; {meant}allowed: {sections}");
                return self.complain(at, text);
            }
        };
        let near = nearest(name, SECTIONS.iter().map(|(name, _)| *name));
        let near = SECTIONS.iter().find(|(name, _)| near == Some(*name));
        let meant = near.map_or(String::new(), |(_, section)| {
            format!("{} ", did_you_mean(section))
        });
        self.complain(at, format!("{what}; {meant}allowed: {sections}"));
    }

    fn feeds(&mut self, value: &Value<'_>) -> Vec<Feed> {
        let mut feeds = Vec::new();
        let list = value.get_ref().as_array();
        let Some(list) = list.filter(|list| !list.is_empty() && list.len() <= FEEDS_MAX) else {
            let found = match list {
                Some(list) => format!("{} of them", list.len()),
                None => value.get_ref().type_str().to_owned(),
            };
            let text = format!("[[feed]]: found {found}; allowed: 1 to {FEEDS_MAX} [[feed]]");
            self.complain(value.span().start, text);
            return vec![Feed::default()];
        };
        for (n, item) in list.iter().enumerate() {
            let mut feed = Feed {
                rest: String::new(),
                ..Feed::default()
            };
            self.section(1, item, &format!("feed.{n}"), &FEED, &mut feed);
            feeds.push(feed);
        }
        feeds
    }

    fn section<T>(
        &mut self,
        which: usize,
        value: &Value<'_>,
        path: &str,
        keys: &[Key<T>],
        into: &mut T,
    ) {
        let head = SECTIONS[which].1;
        let start = value.span().start;
        let Some(table) = value.get_ref().as_table() else {
            let found = value.get_ref().type_str();
            return self.complain(start, format!("{head}: found {found}; allowed: a section"));
        };
        for (name, value) in table {
            let word = name.get_ref();
            let at = name.span().start;
            let Some(key) = keys.iter().find(|key| key.name == word) else {
                let near = nearest_key(word, keys);
                let meant = near.map_or(String::new(), |near| {
                    format!("{} ", did_you_mean(&format!("\"{near}\"")))
                });
                let all: Vec<&str> = keys.iter().map(|key| key.name).collect();
                let all = all.join(", ");
                let text = format!("unknown key \"{word}\" in {head}; {meant}allowed: {all}");
                self.complain(at, text);
                continue;
            };
            let mut complaints: Vec<Complaint> = Vec::new();
            (key.set)(into, value, &mut complaints);
            for complaint in complaints {
                let span = complaint.span.clone().unwrap_or_else(|| value.span());
                let found = self.source.quote(span.clone());
                let tail = complaint.tail();
                let text = format!("key \"{word}\" in {head}: found {found}{tail}");
                self.complain(span.start, text);
            }
            let place = self.source.place(at);
            self.origins.insert(format!("{path}.{}", key.name), place);
        }
        for key in keys.iter().filter(|key| key.required) {
            if !table.contains_key(key.name) {
                let allowed = (key.allowed)();
                let text = format!(
                    "key \"{}\" in {head} is missing; allowed: {allowed}",
                    key.name
                );
                self.complain(start, text);
            }
        }
    }

    /// What no key can say alone.
    fn settle(&mut self, plan: &mut Plan) {
        if !self.origins.contains_key("engine.page") {
            plan.engine.page = page_of(&plan.engine.instance);
        }
        self.once(&plan.feeds);
        if plan.engine.idle != Strategy::Spin {
            return;
        }
        // A loop that spins never lets another on its core run.
        let mut taken: Vec<(u32, String)> = Vec::new();
        taken.extend(plan.engine.core.map(|core| (core, "[engine]".to_owned())));
        for (n, feed) in plan.feeds.iter().enumerate() {
            let Some(core) = feed.core else { continue };
            let place = self.origins.get(&format!("feed.{n}.core")).copied();
            if let Some((_, who)) = taken.iter().find(|(other, _)| *other == core) {
                let (line, column) = place.unwrap_or_default();
                self.faults.push(ConfigFault {
                    file: self.source.file.to_owned(),
                    line,
                    column,
                    text: format!(
                        "key \"core\" in [[feed]]: found {core}, where {who} spins; \
                         allowed: a core of its own, or idle \"yield\" or \"park\""
                    ),
                });
            }
            taken.push((core, format!("[[feed]] {}", n + 1)));
        }
    }

    /// Every channel of a venue on one feed only: what came twice would count twice.
    fn once(&mut self, feeds: &[Feed]) {
        for (n, feed) in feeds.iter().enumerate() {
            let first = |channel: &Channel| {
                let carries = |f: &Feed| f.venue == feed.venue && f.channels.contains(channel);
                feeds.iter().take(n).position(carries)
            };
            let repeated = feed.channels.iter().find_map(|c| Some((c, first(c)?)));
            let Some((channel, other)) = repeated else {
                continue;
            };
            let place = ["channels", "url", "venue"]
                .iter()
                .find_map(|key| self.origins.get(&format!("feed.{n}.{key}")).copied());
            let (line, column) = place.unwrap_or_default();
            self.faults.push(ConfigFault {
                file: self.source.file.to_owned(),
                line,
                column,
                text: format!(
                    "feed {} repeats channel \"{}\" of {}, which feed {} carries; each channel \
                     of a venue belongs to one feed",
                    n + 1,
                    channel.name(),
                    feed.venue_name(),
                    other + 1
                ),
            });
        }
    }
}
