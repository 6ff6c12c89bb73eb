//! Reading: one pass over a plan's text, which finds every fault in it.
//!
//! First each section is read by its table; then what no key can say alone is settled: defaults that follow from other
//! keys (addresses, channels, the page's name), and what two sections must not say together. A fault stands at the key
//! that would have to change.

use super::fault::{Complaint, ConfigFault, Source, did_you_mean};
use super::keys::{Key, Value, nearest_key};
use super::section::{Channel, Feed, POLLS, Series, Venue, page_of, rename};
use super::tables::{
    ENGINE, EXTERNAL, FEED, FEEDS_MAX, MODEL, RENAME, RENAMES_MAX, SERIES, SERIES_MAX, VENUE,
    VENUES_MAX, channels_text, section_names, sections,
};
use super::{Origin, Plan};
use crate::idle::Strategy;
use crate::market::{VenueId, lot_of};
use crate::time::Nanos;
use crate::venue;
use std::collections::{BTreeMap, BTreeSet};
use toml::de::{DeTable, DeValue};

/// How faults name what stands in no section.
pub(super) const OUTSIDE: &str = "outside the sections";

/// One pass over a text.
pub(super) struct Reading<'a> {
    pub(super) source: Source<'a>,
    pub(super) faults: Vec<ConfigFault>,
    pub(super) origins: BTreeMap<String, Origin>,
    /// Sections with a fault of their own: what they say together with others is not judged.
    faulty: BTreeSet<String>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            faults: Vec::new(),
            origins: BTreeMap::new(),
            faulty: BTreeSet::new(),
        }
    }

    pub(super) fn complain(&mut self, at: usize, text: String) {
        self.faults.push(self.source.fault(at, text));
    }

    /// A fault at the first of these keys that was given.
    fn complain_at(&mut self, keys: &[String], text: String) {
        let place = keys.iter().find_map(|key| match self.origins.get(key) {
            Some(Origin::At(line, column)) => Some((*line, *column)),
            _ => None,
        });
        let (line, column) = place.unwrap_or_default();
        self.faults.push(ConfigFault {
            file: self.source.file.to_owned(),
            line,
            column,
            text,
        });
    }

    fn derive(&mut self, key: String, from: impl Into<String>) {
        self.origins.insert(key, Origin::Derived(from.into()));
    }

    fn is_given(&self, key: &str) -> bool {
        matches!(self.origins.get(key), Some(Origin::At(..)))
    }

    pub(super) fn plan(&mut self, root: &DeTable<'_>) -> Plan {
        let mut plan = Plan::default();
        plan.venues.clear();
        for (name, value) in root {
            match name.get_ref().as_ref() {
                "engine" => {
                    self.section("[engine]", value, "engine", &ENGINE, &mut plan.engine);
                }
                "model" => self.section("[model]", value, "model", &MODEL, &mut plan.model),
                "external" => {
                    let into = &mut plan.external;
                    self.section("[external]", value, "external", &EXTERNAL, into);
                }
                "feed" => {
                    let fresh = Feed {
                        url: String::new(),
                        rest: String::new(),
                        channels: Vec::new(),
                        ..Feed::default()
                    };
                    plan.feeds = self.list("feed", value, &FEED, FEEDS_MAX, &fresh);
                    if plan.feeds.is_empty() {
                        plan.feeds.push(Feed::default());
                    }
                }
                "venue" => {
                    plan.venues = self.list("venue", value, &VENUE, VENUES_MAX, &Venue::default());
                }
                "series" => {
                    let fresh = Series {
                        max_age: Nanos::ZERO,
                        ..Series::default()
                    };
                    plan.series = self.list("series", value, &SERIES, SERIES_MAX, &fresh);
                }
                "rename" => {
                    plan.renames = self.list("rename", value, &RENAME, RENAMES_MAX, &rename());
                }
                other => self.unknown(other, name.span().start, value),
            }
        }
        self.settle(&mut plan);
        plan
    }

    fn unknown(&mut self, name: &str, at: usize, value: &Value<'_>) {
        let (all, near) = section_names(name);
        let what = match value.get_ref() {
            DeValue::Table(_) => format!("unknown section [{name}]"),
            DeValue::Array(list) if list.iter().any(|item| item.get_ref().is_table()) => {
                format!("unknown section [[{name}]]")
            }
            _ => {
                let sections = sections();
                let home = sections.iter().find(|(.., keys)| keys.contains(&name));
                let meant = home.map_or(String::new(), |(_, section, _)| {
                    format!("does it belong into {section}? ")
                });
                let text = format!("unknown key \"{name}\" {OUTSIDE}; {meant}allowed: {all}");
                return self.complain(at, text);
            }
        };
        let meant = near.map_or(String::new(), |section| {
            format!("{} ", did_you_mean(section))
        });
        self.complain(at, format!("{what}; {meant}allowed: {all}"));
    }

    /// Sections of which there may be several, each begun from `fresh`; what is no such list is one fault.
    fn list<T: Clone>(
        &mut self,
        name: &str,
        value: &Value<'_>,
        keys: &[Key<T>],
        most: usize,
        fresh: &T,
    ) -> Vec<T> {
        let list = value.get_ref().as_array();
        let Some(list) = list.filter(|list| !list.is_empty() && list.len() <= most) else {
            let found = match list {
                Some(list) => format!("{} of them", list.len()),
                None => value.get_ref().type_str().to_owned(),
            };
            let text = format!("[[{name}]]: found {found}; allowed: 1 to {most} [[{name}]]");
            self.complain(value.span().start, text);
            self.faulty.insert(name.to_owned());
            return Vec::new();
        };
        let mut all = Vec::new();
        for (n, item) in list.iter().enumerate() {
            let mut one = fresh.clone();
            let path = format!("{name}.{n}");
            self.section(&format!("[[{name}]]"), item, &path, keys, &mut one);
            all.push(one);
        }
        all
    }

    pub(super) fn section<T>(
        &mut self,
        head: &str,
        value: &Value<'_>,
        path: &str,
        keys: &[Key<T>],
        into: &mut T,
    ) {
        let start = value.span().start;
        let Some(table) = value.get_ref().as_table() else {
            let found = value.get_ref().type_str();
            return self.complain(start, format!("{head}: found {found}; allowed: a section"));
        };
        self.note(path.to_owned(), start);
        let before = self.faults.len();
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
            key.kind.read(into, value, &mut complaints);
            for complaint in complaints {
                let span = complaint.span.clone().unwrap_or_else(|| value.span());
                let found = self.source.quote(span.clone());
                let tail = complaint.tail();
                let text = format!("key \"{word}\" in {head}: found {found}{tail}");
                self.complain(span.start, text);
            }
            self.note(format!("{path}.{}", key.name), at);
        }
        for key in keys.iter().filter(|key| key.required) {
            if !table.contains_key(key.name) {
                let allowed = key.kind.allowed();
                let text = format!(
                    "key \"{}\" in {head} is missing; allowed: {allowed}",
                    key.name
                );
                self.complain(start, text);
            }
        }
        if self.faults.len() > before {
            self.faulty.insert(path.to_owned());
            // And the list it stands in.
            let list = path.split('.').next().unwrap_or(path);
            self.faulty.insert(list.to_owned());
        }
    }

    fn is_sound(&self, path: &str) -> bool {
        !self.faulty.contains(path)
    }

    fn note(&mut self, key: String, at: usize) {
        let (line, column) = self.source.place(at);
        self.origins.insert(key, Origin::At(line, column));
    }

    /// What no key can say alone.
    fn settle(&mut self, plan: &mut Plan) {
        if !self.is_given("engine.page") {
            plan.engine.page = page_of(&plan.engine.instance);
            self.derive("engine.page".to_owned(), "default for this instance");
        }
        if plan
            .engine
            .tape_keep
            .is_some_and(|keep| keep < plan.engine.tape_segment)
        {
            let text = "key \"tape_keep\" in [engine]: less than one segment would keep nothing; \
                        allowed: at least tape_segment";
            self.complain_at(&["engine.tape_keep".to_owned()], text.to_owned());
        }
        self.venues(plan);
        for n in 0..plan.feeds.len() {
            self.feed(n, plan);
        }
        self.once(&plan.feeds);
        self.one_base(&plan.feeds);
        self.needs_rest(plan);
        self.series(plan);
        self.renames(plan);
        self.cores(plan);
    }

    /// One section a venue, in the order of the feeds; a venue without one gets the default.
    fn venues(&mut self, plan: &mut Plan) {
        let mut given: Vec<(usize, Venue)> = plan.venues.drain(..).enumerate().collect();
        for n in 0..given.len() {
            let (_, venue) = &given[n];
            if !self.is_sound(&format!("venue.{n}")) {
                continue;
            }
            let keys = [format!("venue.{n}.name"), format!("venue.{n}")];
            let name = venue::venue(venue.venue).map_or("", |row| row.name);
            let twice = given
                .iter()
                .take(n)
                .any(|(_, other)| other.venue == venue.venue);
            let fed = plan.feeds.iter().any(|feed| feed.venue == venue.venue);
            if twice {
                self.complain_at(
                    &keys,
                    format!("[[venue]] {}: {name} has a section above", n + 1),
                );
            } else if !fed && self.is_sound("feed") {
                let text = format!("[[venue]] {}: {name} has no [[feed]]", n + 1);
                self.complain_at(&keys, text);
            }
        }
        self.polls(&given);
        let mut order: Vec<VenueId> = Vec::new();
        for feed in &plan.feeds {
            if !order.contains(&feed.venue) {
                order.push(feed.venue);
            }
        }
        let old = std::mem::take(&mut self.origins);
        let (moved, kept): (BTreeMap<_, _>, BTreeMap<_, _>) = old
            .into_iter()
            .partition(|(key, _)| key.starts_with("venue."));
        self.origins = kept;
        for (to, id) in order.into_iter().enumerate() {
            let place = given.iter().position(|(_, venue)| venue.venue == id);
            let venue = match place.map(|place| given.remove(place)) {
                Some((from, venue)) => {
                    let head = format!("venue.{from}");
                    for (key, origin) in &moved {
                        let Some(tail) = key.strip_prefix(&head) else {
                            continue;
                        };
                        if tail.is_empty() || tail.starts_with('.') {
                            self.origins
                                .insert(format!("venue.{to}{tail}"), origin.clone());
                        }
                    }
                    venue
                }
                None => Venue {
                    venue: id,
                    ..Venue::default()
                },
            };
            plan.venues.push(venue);
        }
    }

    /// How often to ask is only for what is asked again and again.
    fn polls(&mut self, given: &[(usize, Venue)]) {
        for (n, venue) in given {
            let Some(row) = venue::venue(venue.venue) else {
                continue;
            };
            let asked = |what| {
                let mut asks = row.asks.iter();
                asks.any(|ask| ask.what == what && ask.every > Nanos::ZERO)
            };
            let idle = POLLS.iter().zip(venue.polls);
            let idle = idle.filter(|((_, what), every)| every.is_some() && !asked(*what));
            for ((poll, _), _) in idle {
                let all: Vec<&str> = (POLLS.iter().filter(|(_, what)| asked(*what)))
                    .map(|(name, _)| *name)
                    .collect();
                let text = format!(
                    "key \"polls\" in [[venue]]: {} is not asked for {poll}; asked are: {}",
                    row.name,
                    all.join(", ")
                );
                self.complain_at(&[format!("venue.{n}.polls")], text);
            }
        }
    }

    /// A feed's channels, addresses and pair.
    fn feed(&mut self, n: usize, plan: &mut Plan) {
        let key = |name: &str| format!("feed.{n}.{name}");
        let Some(feed) = plan.feeds.get_mut(n) else {
            return;
        };
        // The default feed of a plan without one is whole as it is.
        if !self.is_given(&key("venue")) || !self.is_sound(&format!("feed.{n}")) {
            return;
        }
        let Some(row) = venue::venue(feed.venue) else {
            return;
        };
        let has = Channel::of(row.id);
        if !self.is_given(&key("channels")) {
            feed.channels.clone_from(&has);
            self.derive(key("channels"), format!("venue {}: all", row.name));
        }
        for channel in feed
            .channels
            .iter()
            .filter(|channel| !has.contains(channel))
        {
            let text = format!(
                "key \"channels\" in [[feed]]: {} has no \"{}\"; allowed: {}",
                row.name,
                channel.name(),
                channels_text(&has)
            );
            self.complain_at(&[key("channels")], text);
        }
        feed.channels.retain(|channel| has.contains(channel));
        let url_given = self.is_given(&key("url"));
        match address(row, &feed.channels, url_given.then_some(feed.url.as_str())) {
            Ok(url) => {
                if !url_given {
                    feed.url = url;
                    self.derive(key("url"), format!("venue {}", row.name));
                }
            }
            Err(text) => {
                let keys = [key("channels"), key("url"), key("venue")];
                self.complain_at(&keys, format!("feed {}: {text}", n + 1));
            }
        }
        if !self.is_given(&key("rest")) {
            let base = plan.venues.iter().find(|venue| venue.venue == row.id);
            let base = base.and_then(|venue| venue.rest.clone());
            let (rest, from) = match base {
                Some(base) => (base, "[[venue]]".to_owned()),
                None if url_given => (String::new(), "default with a url".to_owned()),
                None => {
                    let base = format!("https://{}", row.rest_host);
                    (base, format!("venue {}", row.name))
                }
            };
            feed.rest = rest;
            self.derive(key("rest"), from);
        }
        let second = !feed.url_b.is_empty() || feed.bind_b.is_some();
        if second && !self.is_given(&key("pair")) {
            feed.pair = true;
            self.derive(key("pair"), "there is a second connection");
        }
        if second && !feed.pair {
            let text = "key \"pair\" in [[feed]]: found false, where url_b or bind_b is given; \
                        allowed: true, or neither of them";
            self.complain_at(&[key("pair")], text.to_owned());
        }
    }

    /// Every channel of a venue on one feed only: what came twice would count twice.
    fn once(&mut self, feeds: &[Feed]) {
        for (n, feed) in feeds.iter().enumerate() {
            let first = |channel: &Channel| {
                let carries = |f: &Feed| f.venue == feed.venue && f.channels.contains(channel);
                feeds.iter().take(n).position(carries)
            };
            if !self.is_sound(&format!("feed.{n}")) {
                continue;
            }
            let repeated = feed.channels.iter().find_map(|c| Some((c, first(c)?)));
            let Some((channel, other)) = repeated else {
                continue;
            };
            let keys = ["channels", "url", "venue"].map(|key| format!("feed.{n}.{key}"));
            let text = format!(
                "feed {} repeats channel \"{}\" of {}, which feed {} carries; each channel of a \
                 venue belongs to one feed (pair = true gives it two connections)",
                n + 1,
                channel.name(),
                feed.venue_name(),
                other + 1
            );
            self.complain_at(&keys, text);
        }
    }

    /// One base of REST addresses a venue: it has one budget and one ring.
    fn one_base(&mut self, feeds: &[Feed]) {
        for (n, feed) in feeds.iter().enumerate().filter(|(_, f)| !f.rest.is_empty()) {
            let other = feeds.iter().take(n).position(|other| {
                other.venue == feed.venue && !other.rest.is_empty() && other.rest != feed.rest
            });
            let Some(other) = other else { continue };
            let keys = ["rest", "url", "venue"].map(|key| format!("feed.{n}.{key}"));
            let text = format!(
                "feed {}: rest is {} here and {} in feed {}; a venue has one, best said in \
                 [[venue]]",
                n + 1,
                feed.rest,
                feeds[other].rest,
                other + 1
            );
            self.complain_at(&keys, text);
        }
    }

    /// External series and their socket.
    fn series(&mut self, plan: &mut Plan) {
        for n in 0..plan.series.len() {
            let series = &plan.series[n];
            if plan
                .series
                .iter()
                .take(n)
                .any(|other| other.name == series.name)
            {
                let keys = [format!("series.{n}.name"), format!("series.{n}")];
                let text = format!("[[series]] {}: \"{}\" stands above", n + 1, series.name);
                self.complain_at(&keys, text);
            }
            let key = format!("series.{n}.max_age");
            if !self.is_given(&key) {
                let twice = Nanos::new(series.period.get().saturating_mul(2));
                plan.series[n].max_age = twice;
                self.derive(key, "two periods");
            }
        }
        match (&plan.external.socket, plan.series.is_empty()) {
            (None, false) => {
                let keys = ["external".to_owned(), "series.0".to_owned()];
                let text = "[[series]] without a socket in [external]: nothing could arrive";
                self.complain_at(&keys, text.to_owned());
            }
            (Some(_), true) if self.is_sound("series") => {
                let text = "key \"socket\" in [external] without a [[series]]: everything that \
                            arrives would be ignored";
                self.complain_at(&["external.socket".to_owned()], text.to_owned());
            }
            _ => {}
        }
    }

    /// A feed that nothing can be read of, or whose books stay untrusted for ever, is no choice.
    fn needs_rest(&mut self, plan: &Plan) {
        for (n, feed) in plan.feeds.iter().enumerate() {
            let Some(row) = venue::venue(feed.venue).filter(|_| self.is_sound("feed")) else {
                continue;
            };
            let why = if !plan.rest(feed.venue).is_empty() {
                continue;
            } else if row.asks.iter().any(|ask| {
                ask.what == venue::What::Instruments && row.primers.contains(&ask.request)
            }) {
                "contracts' values come by REST, without them no frame can be read"
            } else if row.image.is_some() && feed.channels.contains(&Channel::Book) {
                "images of books come by REST, without them no book can be trusted"
            } else {
                continue;
            };
            let keys = ["rest", "url", "venue"].map(|key| format!("feed.{n}.{key}"));
            let text = format!(
                "[[feed]] {}: {} is not asked by REST (rest = \"\"): {why}; allowed here: {}",
                n + 1,
                row.name,
                "http://host[:port] or https://host[:port]"
            );
            self.complain_at(&keys, text);
        }
    }

    /// Both names must mean the same coins, and only one of them may be a symbol of the plan.
    fn renames(&mut self, plan: &Plan) {
        for (n, rename) in plan.renames.iter().enumerate() {
            let keys = [format!("rename.{n}.now"), format!("rename.{n}")];
            let (was, now) = (&rename.was, &rename.now);
            let is_symbol = |name: &String| plan.engine.symbols.contains(name);
            let again = plan.renames.iter().take(n);
            let text = if was == now {
                format!("\"{was}\" is no other name")
            } else if lot_of(was) != lot_of(now) {
                format!("a lot of {was} is not one of {now}: another contract, not another name")
            } else if is_symbol(was) && is_symbol(now) {
                format!("{was} and {now} are both symbols of the plan, and would be one")
            } else if again
                .clone()
                .any(|row| (row.venue, &row.was) == (rename.venue, was))
            {
                format!("{was} is renamed above")
            } else {
                continue;
            };
            if self.is_sound(&format!("rename.{n}")) {
                self.complain_at(&keys, format!("[[rename]] {}: {text}", n + 1));
            }
        }
    }

    /// A loop that spins never lets another on its core run.
    fn cores(&mut self, plan: &Plan) {
        if plan.engine.idle != Strategy::Spin {
            return;
        }
        let mut taken: Vec<(u32, String)> = Vec::new();
        taken.extend(plan.engine.core.map(|core| (core, "[engine]".to_owned())));
        for (n, feed) in plan.feeds.iter().enumerate() {
            let Some(core) = feed.core else { continue };
            if let Some((_, who)) = taken.iter().find(|(other, _)| *other == core) {
                let text = format!(
                    "key \"core\" in [[feed]]: found {core}, where {who} spins; \
                     allowed: a core of its own, or idle \"yield\" or \"park\""
                );
                self.complain_at(&[format!("feed.{n}.core")], text);
            }
            taken.push((core, format!("[[feed]] {}", n + 1)));
        }
    }
}

/// The venue's own address for these channels; `given` is one of the user's, which is only looked at.
///
/// A venue may carry its streams at several paths, and a stream asked for at the wrong one is acknowledged and silent
/// for ever: so channels of two paths are a fault that says which feeds to write, and so is a given address whose path
/// is one of the venue's and does not carry a channel. Another path may be anything and is believed.
///
/// # Errors
/// What to write instead.
pub(super) fn address(
    row: &venue::Venue,
    channels: &[Channel],
    given: Option<&str>,
) -> Result<String, String> {
    if let Some(url) = given {
        let path = url
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        let Some(root) = row.roots.iter().find(|root| Some(root.path) == path) else {
            return Ok(url.to_owned());
        };
        let carries = |channel: &&Channel| root.streams.contains(&channel.stream());
        let (right, wrong): (Vec<Channel>, Vec<Channel>) = channels.iter().partition(carries);
        if wrong.is_empty() {
            return Ok(url.to_owned());
        }
        let path = root.path;
        return Err(match right.is_empty() {
            true => format!(
                "{} does not carry {} at {path}",
                row.name,
                channels_text(&wrong)
            ),
            false => format!(
                "{} carries {} at {path}, and {} elsewhere; write a feed of its own for them",
                row.name,
                channels_text(&right),
                channels_text(&wrong)
            ),
        });
    }
    let mut parts: Vec<(&str, Vec<Channel>)> = Vec::new();
    for channel in channels {
        let Some(root) = row.root(channel.stream()) else {
            continue;
        };
        match parts.iter_mut().find(|(path, _)| *path == root.path) {
            Some((_, part)) => part.push(*channel),
            None => parts.push((root.path, vec![*channel])),
        }
    }
    match parts.as_slice() {
        [] => Err(format!("no channel of {} is left", row.name)),
        [(path, _)] => Ok(format!("wss://{}{path}", row.ws_host)),
        several => {
            let at: Vec<String> = several
                .iter()
                .map(|(path, part)| format!("{} at {path}", channels_text(part)))
                .collect();
            let write: Vec<String> = several
                .iter()
                .map(|(_, part)| format!("channels = [{}]", channels_text(part)))
                .collect();
            Err(format!(
                "{} carries {}; write {} feeds: {}",
                row.name,
                at.join(" and "),
                several.len(),
                write.join(" and ")
            ))
        }
    }
}

#[cfg(test)]
mod tests;
