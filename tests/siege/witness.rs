//! Witness: the tape of the siege read a second time. The engine's own decoder gives the events, plain JSON says what
//! the frames hold, and the two are held against each other frame by frame.

use crate::host::{Host, steps, world};
use isotherm::config::{Channel, Plan};
use isotherm::event::{Body, Event, Kind, Stream};
use isotherm::health::FaultKind;
use isotherm::market::{Holder, VenueId};
use isotherm::shard::Shard;
use isotherm::sim::params::Contract;
use isotherm::sim::{Dialect, Fault, TopicKind};
use isotherm::tape::{self, Record};
use isotherm::time::Nanos;
use isotherm::venue::lane::{Counts, Lane};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

/// A trade by its id, whatever the venue's ids are.
type Id = u64;

/// A liquidation: price, quantity, and 0 for a long that died. Stamps are left out, for a clock may step.
type Print = (i64, i64, u8);

/// OKX rows that come later than a quarter of an hour are history to the engine; near that, clocks that step decide.
/// The exchange tells a row with a later one, of a quiet contract much later, and at many times real time a queue of a
/// minute is long, too.
const HISTORY_MS: i64 = 840_000;

/// One contract at one venue.
#[derive(Debug, Default)]
struct Thread {
    /// When each trade was first received, in records of the tape.
    received: HashMap<Id, usize>,
    /// Trades applied.
    applied: u64,
    /// Records at which trades were told to be lost.
    lost: Vec<usize>,
    /// Times a book was told to be broken.
    broken: u64,
    /// Liquidations applied, and the record of each.
    prints: Vec<(Print, usize)>,
    /// Records at which liquidations were told to be lost.
    lost_prints: Vec<usize>,
    /// Liquidations that came so late that they may be history.
    old_prints: Vec<Print>,
}

/// What the tape says.
pub(crate) struct Witness {
    threads: BTreeMap<(VenueId, u16), Thread>,
    /// Records at which a leg of a pair went down, by venue.
    ends: BTreeMap<VenueId, Vec<usize>>,
    /// Contracts whose trades a connection of a ring has told.
    begun: BTreeSet<(usize, usize)>,
    counts: Counts,
    duplicates: u64,
    kinds: BTreeMap<Kind, u64>,
    /// Frames that are no JSON.
    garbage: u64,
    /// Faults of frames that are JSON.
    misfits: u64,
    /// Connections that ended in broken framing.
    framing: u64,
    /// Frame by frame, what did not agree.
    wrong: Vec<String>,
}

fn id_of(value: &Value) -> Option<Id> {
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let mut hasher = DefaultHasher::new();
    value.as_str()?.hash(&mut hasher);
    Some(hasher.finish())
}

/// A row of Hyperliquid that is older than this in the first message of a contract on a connection is history there.
const OLD: i64 = 60_000_000_000;

/// The trades of a frame that are no history, when it is judged as received at `first`: contract and id;
/// `None` for a frame of something else,
/// or one that does not hold together.
fn trades(dialect: Dialect, first: Option<Nanos>, frame: &Value) -> Option<Vec<(&str, Id)>> {
    let (data, name, id) = match dialect {
        Dialect::Bybit => {
            frame["topic"].as_str()?.strip_prefix("publicTrade.")?;
            (frame["data"].as_array()?.as_slice(), "s", "i")
        }
        Dialect::Binance => {
            (frame["data"]["e"].as_str()? == "aggTrade").then_some(())?;
            (core::slice::from_ref(&frame["data"]), "s", "a")
        }
        Dialect::Okx => {
            (frame["arg"]["channel"].as_str()? == "trades").then_some(())?;
            (frame["data"].as_array()?.as_slice(), "instId", "tradeId")
        }
        Dialect::Hyperliquid => {
            (frame["channel"].as_str()? == "trades").then_some(())?;
            (frame["data"].as_array()?.as_slice(), "coin", "tid")
        }
    };
    let is_news = |row: &&Value| {
        let is_old = |ms: i64| first.is_some_and(|recv| recv.get() - ms * 1_000_000 > OLD);
        !row["time"].as_i64().is_some_and(is_old)
    };
    data.iter()
        .filter(is_news)
        .map(|row| Some((row[name].as_str()?, id_of(&row[id])?)))
        .collect()
}

impl Witness {
    /// Reads a tape.
    pub(crate) fn of(path: &Path, hosts: &[Host], plan: &Plan) -> Self {
        let mut source = tape::open(path).unwrap();
        let rings = source.header().unwrap().plan.rings.clone();
        let mut lanes: Vec<(Lane, usize)> = Vec::new();
        for (number, ring) in rings.iter().enumerate() {
            let host = hosts
                .iter()
                .position(|host| host.planned.dialect.name() == ring.venue)
                .unwrap();
            let venue = hosts[host].planned.venue;
            lanes.push((
                Lane::new(venue, &plan.engine.symbols, number as u16).unwrap(),
                host,
            ));
        }
        let mut witness = Self {
            threads: BTreeMap::new(),
            ends: BTreeMap::new(),
            begun: BTreeSet::new(),
            counts: Counts::default(),
            duplicates: 0,
            kinds: BTreeMap::new(),
            garbage: 0,
            misfits: 0,
            framing: 0,
            wrong: Vec::new(),
        };
        let (mut at, mut buffer) = (0, Vec::new());
        while let Some(record) = source.next_record().unwrap() {
            at += 1;
            let ring = usize::from(record.ring() & 0x7f);
            let leg = usize::from(record.ring() >> 7);
            let Some((lane, host)) = lanes.get_mut(ring) else {
                continue;
            };
            let faults = lane.counts.faults;
            let events = match record {
                Record::Frame { recv, bytes, .. } => {
                    let events = lane.text_leg(leg, recv, bytes, &mut buffer).to_vec();
                    let spoiled = lane.counts.faults - faults;
                    witness.frame((at, ring, recv), &hosts[*host], bytes, &events, spoiled);
                    events
                }
                Record::Rest {
                    recv,
                    request,
                    body,
                    ..
                } => lane.rest(recv, request, body).to_vec(),
                Record::Connect { recv, url, .. } => {
                    witness.begun.retain(|(of, _)| *of != ring);
                    lane.sent(url.as_bytes());
                    lane.connected_leg(leg, recv).to_vec()
                }
                Record::Disconnect { recv, reason, .. } => {
                    witness.framing += u64::from(reason == "broken framing");
                    let venue = hosts[*host].planned.venue;
                    witness.ends.entry(venue).or_default().push(at);
                    lane.disconnected_leg(leg, recv).to_vec()
                }
                Record::Sent { bytes, .. } => {
                    lane.sent(bytes);
                    continue;
                }
                _ => continue,
            };
            witness.note(at, &events);
        }
        for (lane, _) in &lanes {
            witness.counts.add(&lane.counts);
            witness.duplicates += lane.duplicates();
        }
        witness
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    fn thread(&mut self, venue: VenueId, symbol: u16) -> &mut Thread {
        self.threads.entry((venue, symbol)).or_default()
    }

    fn note(&mut self, at: usize, events: &[Event]) {
        for event in events {
            *self.kinds.entry(event.kind()).or_default() += 1;
            let thread = self.thread(event.venue, event.symbol.0);
            match event.body() {
                Body::Trade(_) => thread.applied += 1,
                Body::Liquidation(print) => {
                    let key = (print.price.get(), print.qty.get(), print.holder as u8);
                    thread.prints.push((key, at));
                }
                Body::Gap(gap) if gap.stream == Stream::Liquidations => thread.lost_prints.push(at),
                Body::Gap(gap) if gap.stream == Stream::Book => thread.broken += 1,
                Body::Gap(gap) if gap.stream == Stream::Trades => thread.lost.push(at),
                _ => {}
            }
        }
    }

    /// One frame by plain JSON, against what the engine made of it.
    fn frame(
        &mut self,
        (at, ring, recv): (usize, usize, Nanos),
        host: &Host,
        bytes: &[u8],
        events: &[Event],
        spoiled: u64,
    ) {
        // A number may have any length, but it stays JSON.
        let Ok(frame) = serde_json::from_slice::<Value>(bytes) else {
            let text = String::from_utf8_lossy(bytes);
            // The client's own words come back where that is the venue's way.
            if text != "pong" {
                self.garbage += 1;
                if spoiled != 1 {
                    self.wrong
                        .push(format!("{host:?}: {text:?} was not counted"));
                }
            }
            return;
        };
        self.misfits += spoiled;
        let dialect = host.planned.dialect;
        if dialect == Dialect::Okx && frame["arg"]["channel"] == "liquidation-orders" {
            self.old_prints(recv, host, &frame);
        }
        let Some(mut rows) = trades(dialect, None, &frame) else {
            return;
        };
        let name = rows.first().map(|(name, _)| *name);
        let symbol = host.contracts.iter().position(|c| Some(&*c.symbol) == name);
        if dialect == Dialect::Hyperliquid
            && spoiled == 0
            && symbol.is_some_and(|symbol| self.begun.insert((ring, symbol)))
        {
            rows = trades(dialect, Some(recv), &frame).unwrap_or_default();
        }
        let mut fresh = 0;
        for (name, id) in &rows {
            let Some(symbol) = host.contracts.iter().position(|c| c.symbol == *name) else {
                continue;
            };
            let thread = self.thread(host.planned.venue, symbol as u16);
            let known = thread.received.contains_key(id);
            thread.received.entry(*id).or_insert(at);
            fresh += u64::from(!known);
        }
        let applied = events
            .iter()
            .filter(|event| event.kind() == Kind::Trade)
            .count() as u64;
        if applied != fresh && self.wrong.len() < 100 {
            let text = String::from_utf8_lossy(bytes);
            let end = text
                .char_indices()
                .nth(300)
                .map_or(text.len(), |(at, _)| at);
            let head = &text[..end];
            self.wrong.push(format!(
                "{host:?}: record {at}: {fresh} new trades, {applied} applied: {head}"
            ));
        }
    }

    fn old_prints(&mut self, recv: Nanos, host: &Host, frame: &Value) {
        for inst in frame["data"].as_array().into_iter().flatten() {
            let own = |c: &Contract| Some(c.symbol.as_str()) == inst["instId"].as_str();
            let Some(symbol) = host.contracts.iter().position(own) else {
                continue;
            };
            for row in inst["details"].as_array().into_iter().flatten() {
                let ms = row["ts"].as_str().and_then(|ms| ms.parse::<i64>().ok());
                if ms.is_some_and(|ms| recv.get() / 1_000_000 - ms > HISTORY_MS) {
                    let old = print(host, symbol, row);
                    self.thread(host.planned.venue, symbol as u16)
                        .old_prints
                        .extend(old);
                }
            }
        }
    }

    /// Holds a venue's threads against what its exchange told.
    pub(crate) fn compare(&mut self, host: &Host, wrong: &mut Vec<String>) {
        wrong.append(&mut self.wrong);
        let told = told(host);
        let ends = match host.is_paired(Channel::Trades) {
            true => self.ends.get(&host.planned.venue).cloned(),
            false => None,
        };
        let ends = ends.unwrap_or_default();
        let (mut lost, mut rows, mut prints, mut lost_prints) = (0, 0, 0, 0);
        for (symbol, contract) in host.contracts.iter().enumerate() {
            let name = format!("{host:?} {}", contract.symbol);
            let thread = self.thread(host.planned.venue, symbol as u16);
            if thread.applied != thread.received.len() as u64 {
                wrong.push(format!(
                    "{name}: {} received, {} applied",
                    thread.received.len(),
                    thread.applied
                ));
            }
            rows += thread.applied;
            lost += thread.compare(&name, &told[symbol].0, &ends, wrong);
            prints += thread.prints.len();
            lost_prints += match &told[symbol].1 {
                Some(told) => thread.compare_prints(&name, told, host, wrong),
                None => thread.count_prints(&name, host, symbol, wrong),
            };
            let holes = host.holes(symbol);
            if host.is_numbered() && !host.is_paired(Channel::Book) && thread.broken < holes {
                wrong.push(format!(
                    "{name}: {holes} holes cut into the book, {} noticed",
                    thread.broken
                ));
            }
        }
        let total = |pick: fn(&Thread) -> u64| -> u64 {
            let own = self
                .threads
                .iter()
                .filter(|((venue, _), _)| *venue == host.planned.venue);
            own.map(|(_, thread)| pick(thread)).sum()
        };
        eprintln!(
            "siege: {host:?}: {rows} trades applied, {lost} lost behind gaps, {prints} prints, {lost_prints} lost behind \
             gaps, {} books broken and healed",
            total(|thread| thread.broken)
        );
    }

    /// Holds counts against counts.
    pub(crate) fn compare_counts(
        &self,
        faults: u64,
        duplicates: u64,
        shard: &Shard,
        hosts: &[Host],
        wrong: &mut Vec<String>,
    ) {
        let mut check = |fine: bool, text: String| {
            if !fine {
                wrong.push(text);
            }
        };
        for kind in [
            Kind::Trade,
            Kind::Level,
            Kind::Liquidation,
            Kind::Gap,
            Kind::Mark,
            Kind::Bbo,
        ] {
            let mine = self.kinds.get(&kind).copied().unwrap_or(0);
            let stepped = shard.count(kind);
            check(
                mine == stepped,
                format!("{kind:?}: {stepped} stepped, {mine} on the tape"),
            );
        }
        let done = |fault| {
            hosts
                .iter()
                .map(|host| host.handle.injected().count(fault))
                .sum::<u64>()
        };
        let refused = self.counts.by_fault[FaultKind::Refused as usize];
        let rest = self.counts.faults;
        check(
            self.garbage > 0 && self.garbage <= done(Fault::Garbage),
            format!(
                "{} frames of garbage, {} sent",
                self.garbage,
                done(Fault::Garbage)
            ),
        );
        check(
            self.misfits - refused <= done(Fault::WrongType),
            format!(
                "{} misfits, {refused} refused, {} of a wrong type",
                self.misfits,
                done(Fault::WrongType)
            ),
        );
        check(
            self.framing <= done(Fault::Oversize)
                && (self.framing > 0 || done(Fault::Oversize) == 0),
            format!(
                "{} broken framings, {} sent",
                self.framing,
                done(Fault::Oversize)
            ),
        );
        check(
            duplicates <= self.duplicates && duplicates > 0,
            format!("{duplicates} duplicates shown, {} found", self.duplicates),
        );
        check(
            faults <= rest + self.framing && faults > 0,
            format!("{faults} faults shown, {rest} found"),
        );
    }
}

impl Thread {
    /// Every told trade behind the first received one was received, or lies behind a gap; answers how many do.
    ///
    /// What one leg of a pair could not read while the other had just fallen silent is told with the next `end` of a
    /// leg: nobody can know earlier.
    fn compare(&self, name: &str, told: &[Id], ends: &[usize], wrong: &mut Vec<String>) -> u64 {
        let Some(first) = told.iter().position(|id| self.received.contains_key(id)) else {
            if !told.is_empty() {
                wrong.push(format!("{name}: {} trades told, none received", told.len()));
            }
            return 0;
        };
        let (mut lost, mut before, mut hole) = (0, self.received[&told[first]], 0u64);
        let covered = |from: usize, to: usize| {
            let at = self.lost.partition_point(|at| *at < from.min(to));
            let end = ends.get(ends.partition_point(|end| *end < from.max(to)));
            self.lost.get(at).is_some_and(|at| *at <= to.max(from))
                || end.is_some_and(|end| self.lost.binary_search(end).is_ok())
        };
        for id in &told[first..] {
            let Some(now) = self.received.get(id).copied() else {
                hole += 1;
                continue;
            };
            if hole > 0 {
                if !covered(before, now) {
                    wrong.push(format!(
                        "{name}: {hole} trades lost before {id} without a gap (records {before} to {now})"
                    ));
                }
                lost += hole;
                hole = 0;
            }
            before = now;
        }
        if hole > 0 {
            wrong.push(format!("{name}: the last {hole} trades did not arrive"));
        }
        lost
    }
}

impl Thread {
    /// Every liquidation that was applied was told, as often; every told one behind the first applied was applied, or
    /// lies behind a gap; answers how many do.
    fn compare_prints(
        &self,
        name: &str,
        told: &[Print],
        host: &Host,
        wrong: &mut Vec<String>,
    ) -> u64 {
        let mut applied: HashMap<Print, VecDeque<usize>> = HashMap::new();
        for (print, at) in &self.prints {
            applied.entry(*print).or_default().push_back(*at);
        }
        let records: Vec<Option<usize>> = told
            .iter()
            .map(|print| applied.get_mut(print)?.pop_front())
            .collect();
        let strangers: usize = applied.values().map(VecDeque::len).sum();
        // Where stamps have stepped a row that is repeated is another row.
        if strangers > 0 && host.handle.injected().count(Fault::ClockStep) == 0 {
            wrong.push(format!("{name}: {strangers} liquidations were never told"));
        }
        let (Some(first), Some(last)) = (
            records.iter().position(Option::is_some),
            records.iter().rposition(Option::is_some),
        ) else {
            return 0;
        };
        let mut lost = 0;
        for (at, _) in records.iter().enumerate().filter(|(_, r)| r.is_none()) {
            if at < first || self.old_prints.contains(&told[at]) {
                continue;
            }
            if at > last {
                wrong.push(format!("{name}: the last liquidations did not arrive"));
                break;
            }
            let before = records[..at].iter().rev().flatten().next().unwrap();
            let behind = records[at..].iter().flatten().next().unwrap();
            let (from, to) = (before.min(behind), before.max(behind));
            if !self
                .lost_prints
                .iter()
                .any(|gap| (from..=to).contains(&gap))
            {
                wrong.push(format!(
                    "{name}: liquidation {:?} lost without a gap (records {from} to {to})",
                    told[at]
                ));
            }
            lost += 1;
        }
        lost
    }

    /// As [`Thread::compare_prints`], by numbers alone.
    fn count_prints(&self, name: &str, host: &Host, symbol: usize, wrong: &mut Vec<String>) -> u64 {
        let mut lost = 0;
        for holder in [Holder::Long, Holder::Short] {
            let told = host.forced(symbol)[holder as usize] - host.forced[symbol][holder as usize];
            let own = self
                .prints
                .iter()
                .filter(|((_, _, died), _)| *died == holder as u8);
            let applied = own.count() as u64;
            let is_fine = applied <= told && (applied == told || !self.lost_prints.is_empty());
            if !is_fine {
                wrong.push(format!(
                    "{name} {holder:?}: {told} liquidations told, {applied} applied"
                ));
            }
            lost += told.saturating_sub(applied);
        }
        lost
    }
}

/// The liquidations of a frame that a venue tells of a contract.
fn prints(host: &Host, symbol: usize, frame: &Value) -> Vec<Print> {
    let rows = match host.planned.dialect {
        Dialect::Bybit => &frame["data"],
        _ => &frame["data"][0]["details"],
    };
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| print(host, symbol, row).unwrap()).collect()
}

/// One row of a liquidation; `None` where its text is spoiled.
fn print(host: &Host, symbol: usize, row: &Value) -> Option<Print> {
    let text = |name: &str| row[name].as_str().map(str::to_owned);
    let (level, died) = match host.planned.dialect {
        Dialect::Bybit => ((text("p")?, text("v")?), text("S")? == "Sell"),
        _ => ((text("bkPx")?, text("sz")?), text("posSide")? == "short"),
    };
    let (price, qty) = steps(&host.contracts[symbol], &level);
    let holder = if died { Holder::Short } else { Holder::Long };
    Some((price, qty, holder as u8))
}

/// Every trade an exchange has told since it opened, and every liquidation where the frames say them all, by contract,
/// in order.
fn told(host: &Host) -> Vec<(Vec<Id>, Option<Vec<Print>>)> {
    if host.planned.dialect == Dialect::Binance {
        // Ids rise by one: the last one says them all. Its contracts stood still for a while, which a second world does
        // not know.
        let each = host.contracts.iter().map(|contract| {
            let last = host
                .handle
                .check(&contract.symbol)
                .unwrap()
                .trades
                .last_aggregate;
            ((last.saturating_sub(200_000)..=last).collect(), None)
        });
        return each.collect();
    }
    let mut twin = world(host.planned, host.contracts.len());
    let mut told = vec![(Vec::new(), Some(Vec::new())); host.contracts.len()];
    twin.advance(host.handle.now(), &mut |frame| {
        let kind = frame.topic.kind;
        if !matches!(kind, TopicKind::Trades | TopicKind::Liquidation) {
            return;
        }
        let frame: Value = serde_json::from_str(frame.text).unwrap();
        if kind == TopicKind::Liquidation {
            let name = match host.planned.dialect {
                Dialect::Bybit => &frame["data"][0]["s"],
                _ => &frame["data"][0]["instId"],
            };
            let own = |c: &Contract| Some(c.symbol.as_str()) == name.as_str();
            let symbol = host.contracts.iter().position(own).unwrap();
            let all = told[symbol].1.as_mut().unwrap();
            all.extend(prints(host, symbol, &frame));
            return;
        }
        for (name, id) in trades(host.planned.dialect, None, &frame).unwrap() {
            let symbol = host
                .contracts
                .iter()
                .position(|c| c.symbol == name)
                .unwrap();
            told[symbol].0.push(id);
        }
    });
    told
}
