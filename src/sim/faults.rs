//! Faults: what the built-in exchange does wrong on purpose, how often, and what was done.
//!
//! One table ([`FAULTS`]) names every fault, the unit its rate counts in and what a client sees of
//! it; the dial, the command line and the counts all read that table. A rate is "on average one in
//! N units"; the distance from one to the next is drawn evenly between half of N and one and a half,
//! so faults are neither regular nor bunched. Frames are counted per connection, everything else per
//! exchange. The same seed and the same order of arrivals give the same faults at the same frames.

use super::rng::Rng;
use super::world::Topic;
use std::collections::BTreeMap;

/// What is counted to the next fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Frames of one connection in streams with a sequence.
    Sequenced,
    /// Frames of one connection.
    Frame,
    /// Streams subscribed to.
    Subscription,
    /// Texts of clients that subscribe, to however many streams.
    Asking,
    /// Connections taken, of websockets and REST alike.
    Connection,
    /// Websocket handshakes asked for.
    Handshake,
    /// REST requests.
    Request,
    /// Frames the exchange tells, whoever listens.
    Told,
}

impl Unit {
    /// In the plural, as in "one in N frames".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequenced => "sequenced frames",
            Self::Frame => "frames",
            Self::Subscription => "streams subscribed to",
            Self::Asking => "requests for streams",
            Self::Connection => "connections",
            Self::Handshake => "handshakes",
            Self::Request => "requests",
            Self::Told => "frames told",
        }
    }
}

const UNITS: usize = Unit::Told as usize + 1;

/// One way in which an exchange fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A frame of a sequenced stream is left out.
    Gap,
    /// A frame is sent twice.
    Duplicate,
    /// A frame comes behind the next one of its stream.
    Reorder,
    /// A frame that is no JSON comes in between: text, a cut object, or bytes that are no UTF-8.
    Garbage,
    /// A field has another type: the payload null, a number, an object for an array, or the name
    /// of the stream a number. What the frame said is lost.
    WrongType,
    /// Unknown fields, and all keys in reversed order; says the same.
    Dress,
    /// The connection ends in the middle of a frame.
    HalfFrame,
    /// A frame that announces more bytes than any client takes.
    Oversize,
    /// A frame comes byte by byte, over seconds.
    Dribble,
    /// The connection stays up and nothing flows any more, in either direction.
    Freeze,
    /// The connection ends with a close frame.
    Close,
    /// The connection ends without one.
    Cut,
    /// The exchange's stamps on this connection jump, up to ten seconds either way.
    ClockStep,
    /// A subscription is acknowledged and never sends.
    Silent,
    /// A subscription is acknowledged and sends nothing, its snapshot neither, for a long time.
    Late,
    /// A request for streams is refused, with all it asked for.
    Refuse,
    /// The first bytes of a connection are neither TLS nor HTTP; then it ends.
    BadHello,
    /// The answer to the websocket handshake comes byte by byte, over seconds.
    SlowHello,
    /// The websocket handshake is answered 403, 429 or 503.
    TurnAway,
    /// REST: 429 with `Retry-After`.
    Busy,
    /// REST: 418 with `Retry-After`.
    Banned,
    /// REST: 500, 502 or 503, in HTML.
    Broken,
    /// REST: the body ends early.
    ShortBody,
    /// REST: 200, and the body is no JSON.
    NoJson,
    /// All contracts are halted and all connections closed; it is back after a while, its contracts
    /// some time later.
    Maintenance,
    /// A contract is delisted, never the first one.
    Delist,
}

/// A row of the table of faults.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which.
    pub fault: Fault,
    /// Its name.
    pub name: &'static str,
    /// The option of the command line that sets its rate: the name, then `-every`.
    pub option: &'static str,
    /// What its rate counts.
    pub unit: Unit,
    /// What happens, in words.
    pub what: &'static str,
}

macro_rules! row {
    ($fault:ident, $name:literal, $unit:ident, $what:literal) => {
        Row {
            fault: Fault::$fault,
            name: $name,
            option: concat!($name, "-every"),
            unit: Unit::$unit,
            what: $what,
        }
    };
}

/// Number of faults.
pub const COUNT: usize = Fault::Delist as usize + 1;

/// Every fault, in the order of the type.
pub const FAULTS: [Row; COUNT] = [
    row!(Gap, "gap", Sequenced, "a sequenced frame is left out"),
    row!(Duplicate, "duplicate", Frame, "a frame is sent twice"),
    row!(
        Reorder,
        "reorder",
        Frame,
        "two frames of a stream are swapped"
    ),
    row!(
        Garbage,
        "garbage",
        Frame,
        "a frame that is no JSON, or no UTF-8, in between"
    ),
    row!(
        WrongType,
        "wrong-type",
        Frame,
        "a field's type is another; the frame is lost"
    ),
    row!(
        Dress,
        "dress",
        Frame,
        "unknown fields and reversed keys (harmless)"
    ),
    row!(
        HalfFrame,
        "half-frame",
        Frame,
        "the connection ends within a frame"
    ),
    row!(
        Oversize,
        "oversize",
        Frame,
        "a frame of a gigabyte is announced"
    ),
    row!(Dribble, "dribble", Frame, "a frame comes byte by byte"),
    row!(
        Freeze,
        "freeze",
        Frame,
        "the connection stays up, nothing flows"
    ),
    row!(
        Close,
        "close",
        Frame,
        "the connection ends, with a close frame"
    ),
    row!(Cut, "cut", Frame, "the connection ends without a word"),
    row!(ClockStep, "clock-step", Frame, "the exchange's stamps jump"),
    row!(
        Silent,
        "silent",
        Subscription,
        "a stream is acknowledged and never sends"
    ),
    row!(
        Late,
        "late",
        Subscription,
        "a stream is acknowledged and sends much later"
    ),
    row!(Refuse, "refuse", Asking, "a request for streams is refused"),
    row!(
        BadHello,
        "bad-hello",
        Connection,
        "the first bytes are neither TLS nor HTTP"
    ),
    row!(
        SlowHello,
        "slow-hello",
        Handshake,
        "the handshake comes byte by byte"
    ),
    row!(
        TurnAway,
        "turn-away",
        Handshake,
        "the handshake is answered 403, 429 or 503"
    ),
    row!(Busy, "busy", Request, "REST answers 429"),
    row!(Banned, "banned", Request, "REST answers 418"),
    row!(Broken, "broken", Request, "REST answers 500, 502 or 503"),
    row!(ShortBody, "short-body", Request, "a REST body ends early"),
    row!(NoJson, "no-json", Request, "a REST body is no JSON"),
    row!(
        Maintenance,
        "maintenance",
        Told,
        "everything is closed for a while"
    ),
    row!(Delist, "delist", Told, "a contract is delisted"),
];

const _: () = {
    let mut at = 0;
    while at < COUNT {
        assert!(
            FAULTS[at].fault as usize == at,
            "the table is in the order of the type"
        );
        at += 1;
    }
};

impl Fault {
    /// Its row.
    #[must_use]
    pub const fn row(self) -> &'static Row {
        &FAULTS[self as usize]
    }
}

/// The dial: of how many units one goes wrong, by fault; 0 is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    every: [u32; COUNT],
}

impl Default for Faults {
    fn default() -> Self {
        Self::NONE
    }
}

impl Faults {
    /// An exchange without fault.
    pub const NONE: Self = Self { every: [0; COUNT] };

    /// This dial with one rate changed: on average one in `every` units; 0 is never.
    #[must_use]
    pub const fn with(mut self, fault: Fault, every: u32) -> Self {
        self.every[fault as usize] = every;
        self
    }

    /// The rate of a fault; 0 is never.
    #[must_use]
    pub const fn every(&self, fault: Fault) -> u32 {
        self.every[fault as usize]
    }

    /// Everything at once: each fault of a frame once in `every` frames, what ends or stalls a
    /// connection twenty times as rare; of connections, handshakes and requests for streams one in
    /// ten for each fault, of REST requests one in twenty, of streams one in a hundred, and one ban in
    /// two hundred requests; once in a thousand times `every` frames told the whole exchange goes
    /// away. Nothing is delisted: that is not healed. 0 is [`Faults::NONE`].
    #[must_use]
    pub fn cruel(every: u32) -> Self {
        let mut all = Self::NONE;
        if every == 0 {
            return all;
        }
        for row in &FAULTS {
            use Fault as F;
            let rate = match (row.unit, row.fault) {
                (_, F::Delist) => 0,
                (
                    _,
                    F::HalfFrame
                    | F::Oversize
                    | F::Dribble
                    | F::Freeze
                    | F::Close
                    | F::Cut
                    | F::ClockStep,
                ) => every.saturating_mul(20),
                (Unit::Sequenced | Unit::Frame, _) => every,
                (Unit::Told, _) => every.saturating_mul(1_000),
                (_, F::Banned) => 200,
                (Unit::Subscription, _) => 100,
                (Unit::Request, _) => 20,
                (Unit::Asking | Unit::Connection | Unit::Handshake, _) => 10,
            };
            all = all.with(row.fault, rate);
        }
        all
    }
}

/// What went wrong on purpose so far, and what it is measured against.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Injected {
    counts: [u64; COUNT],
    on: BTreeMap<(Fault, Topic), u64>,
    /// Frames of streams sent, duplicates too; without what was left out, lost or made up.
    pub frames: u64,
    /// Frames the exchange told, whoever listened.
    pub told: u64,
    /// Consumers cut off because they did not read.
    pub slow: u64,
    /// Connections taken.
    pub connections: u64,
    /// REST requests answered, rightly or not.
    pub requests: u64,
    /// Of these: made before the time named with a 429 or 418 was over.
    pub unheeded: u64,
}

impl Injected {
    /// How often a fault was done.
    #[must_use]
    pub const fn count(&self, fault: Fault) -> u64 {
        self.counts[fault as usize]
    }

    /// How often a fault was done to a stream; 0 for a fault that has no stream.
    #[must_use]
    pub fn on(&self, fault: Fault, topic: Topic) -> u64 {
        self.on.get(&(fault, topic)).copied().unwrap_or(0)
    }

    /// Every (fault, stream) that was met, with its count.
    pub fn streams(&self) -> impl Iterator<Item = (Fault, Topic, u64)> {
        self.on
            .iter()
            .map(|((fault, topic), n)| (*fault, *topic, *n))
    }

    /// Every fault that was done, with its count.
    pub fn faults(&self) -> impl Iterator<Item = (&'static Row, u64)> {
        FAULTS
            .iter()
            .zip(self.counts)
            .filter(|(_, count)| *count > 0)
    }

    pub(super) fn add(&mut self, fault: Fault) {
        self.counts[fault as usize] += 1;
    }

    pub(super) fn add_on(&mut self, fault: Fault, topic: Topic) {
        self.add(fault);
        self.add_to(fault, topic);
    }

    /// As `add_on`, for one of several streams that a fault befell at once.
    pub(super) fn add_to(&mut self, fault: Fault, topic: Topic) {
        *self.on.entry((fault, topic)).or_default() += 1;
    }
}

/// The dial in motion: counts units and says what is due.
#[derive(Debug, Clone)]
pub(super) struct Dial {
    pub(super) rng: Rng,
    faults: Faults,
    /// Units so far.
    clock: [u64; UNITS],
    /// By unit: nothing is due before this.
    soonest: [u64; UNITS],
    /// By fault: at which unit; `u64::MAX` is never.
    due: [u64; COUNT],
}

impl Dial {
    pub(super) fn new(faults: Faults, rng: Rng) -> Self {
        let mut dial = Self {
            rng,
            faults: Faults::NONE,
            clock: [0; UNITS],
            soonest: [u64::MAX; UNITS],
            due: [u64::MAX; COUNT],
        };
        dial.turn(faults);
        dial
    }

    /// Turns the dial; every distance is drawn anew. The first one is drawn from one to N, as if the
    /// dial had been turning for long: otherwise nothing rare ever befell a short connection.
    pub(super) fn turn(&mut self, faults: Faults) {
        self.faults = faults;
        for row in &FAULTS {
            let clock = self.clock[row.unit as usize];
            self.due[row.fault as usize] = match u64::from(faults.every(row.fault)) {
                0 => u64::MAX,
                every => clock + 1 + self.rng.below(every),
            };
        }
        for unit in 0..UNITS {
            self.look(unit);
        }
    }

    fn draw(&mut self, row: &Row) {
        let clock = self.clock[row.unit as usize];
        self.due[row.fault as usize] = match u64::from(self.faults.every(row.fault)) {
            0 => u64::MAX,
            every => clock + every.div_ceil(2) + self.rng.below(every),
        };
    }

    fn look(&mut self, unit: usize) {
        let rows = FAULTS.iter().filter(|row| row.unit as usize == unit);
        let soonest = rows.map(|row| self.due[row.fault as usize]).min();
        self.soonest[unit] = soonest.unwrap_or(u64::MAX);
    }

    /// One more unit; the fault that befalls it. Of several that are due the first of the table is
    /// taken and the others come with the next units.
    pub(super) fn tick(&mut self, unit: Unit) -> Option<Fault> {
        let at = unit as usize;
        self.clock[at] += 1;
        if self.clock[at] < self.soonest[at] {
            return None;
        }
        let mine = FAULTS.iter().filter(|row| row.unit == unit);
        let row = mine
            .into_iter()
            .find(|row| self.due[row.fault as usize] <= self.clock[at])?;
        self.draw(row);
        self.look(at);
        Some(row.fault)
    }

    /// A fault that did not fit the unit it befell waits for the next one.
    pub(super) fn put_back(&mut self, fault: Fault) {
        let at = fault.row().unit as usize;
        self.due[fault as usize] = self.clock[at] + 1;
        self.look(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dial_at_zero_never_strikes_and_at_one_always() {
        let mut dial = Dial::new(Faults::NONE, Rng::new(1, 1));
        assert!((0..10_000).all(|_| dial.tick(Unit::Frame).is_none()));
        dial.turn(Faults::NONE.with(Fault::Duplicate, 1));
        assert!((0..100).all(|_| dial.tick(Unit::Frame) == Some(Fault::Duplicate)));
        assert_eq!(dial.tick(Unit::Sequenced), None);
    }

    #[test]
    fn rates_are_met_each_by_itself() {
        let faults = Faults::cruel(100);
        let mut dial = Dial::new(faults, Rng::new(3, 9));
        let mut counts = [0u32; COUNT];
        for _ in 0..200_000 {
            for unit in [Unit::Frame, Unit::Request] {
                if let Some(fault) = dial.tick(unit) {
                    assert_eq!(fault.row().unit, unit);
                    counts[fault as usize] += 1;
                }
            }
        }
        for row in &FAULTS {
            let right = match row.unit {
                Unit::Frame | Unit::Request => 200_000 / faults.every(row.fault),
                _ => 0,
            };
            let count = counts[row.fault as usize];
            assert!(
                count.abs_diff(right) <= right / 3,
                "{}: {count} of {right}",
                row.name
            );
        }
    }

    #[test]
    fn what_does_not_fit_comes_with_the_next_unit() {
        let mut dial = Dial::new(Faults::NONE.with(Fault::Reorder, 1_000), Rng::new(5, 5));
        while dial.tick(Unit::Frame).is_none() {}
        dial.put_back(Fault::Reorder);
        assert_eq!(dial.tick(Unit::Frame), Some(Fault::Reorder));
        assert_eq!(dial.tick(Unit::Frame), None);
    }

    #[test]
    fn the_same_seed_strikes_at_the_same_frames() {
        let run = |seed| {
            let mut dial = Dial::new(Faults::cruel(20), Rng::new(seed, 0));
            (0..5_000)
                .map(|_| dial.tick(Unit::Frame))
                .collect::<Vec<_>>()
        };
        assert_eq!(run(4), run(4));
        assert_ne!(run(4), run(5));
    }

    #[test]
    fn names_are_each_s_own() {
        let names: std::collections::BTreeSet<_> = FAULTS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), COUNT);
    }
}
