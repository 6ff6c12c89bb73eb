//! Replay: a recording through the same decoders and the same shard, at any speed, to the same hash.
//!
//! The order is the journal's where there is one, the receive stamps' where there is none (`tape::Ordered`). Symbols
//! and rings come from the tape's plan, or from the subscriptions of a session. Nothing here changes what is stepped:
//! the speed only says when.
//!
//! A folder may hold several runs. One that went on from the state before it (its head says so) does so here too:
//! every connection that was up steps down at shard time, in the order of ring bytes, and its lanes are new, as those
//! of the restarted engine are. Any other run begins with nothing.

use crate::calibrate::Calibration;
use crate::config::{Model, Plan, Series};
use crate::event::{Event, Stream};
use crate::feed::LEG_B;
use crate::health::FaultKind;
use crate::inventory::params::Choice;
use crate::market::VenueId;
use crate::series;
use crate::shard::{Setup, Shard, ShardError};
use crate::shm::record::{Nowhere, Publish};
use crate::tape::{self, Ordered, Record, Turn};
use crate::time::{Clock, Nanos, ScaledClock, TICK};
use crate::venue::lane::{Counts, Lane};
use crate::venue::names::{Rename, names};
use crate::venue::{self, Venue, VenueError, texts};
use std::collections::BTreeMap;
use std::path::Path;

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// As fast as the machine can.
    Max,
    /// So many times as fast as it was recorded.
    Times(u32),
}

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The recording.
    #[error(transparent)]
    Tape(#[from] tape::Error),
    /// The shard's plan.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// A venue or symbol that is not known.
    #[error(transparent)]
    Venue(#[from] VenueError),
    /// A recording of a venue that cannot be decoded.
    #[error("{name}: recorded at {venue}; this build decodes: {}", decoded())]
    NoDecoder {
        /// File.
        name: String,
        /// The venue it was recorded at.
        venue: String,
    },
    /// A recording that does not say where it was made.
    #[error(
        "{name}: recorded at no known venue: looked for a connection to one, found {found}; this build decodes: {}",
        decoded()
    )]
    NoVenue {
        /// File.
        name: String,
        /// The address it connected to first, or that there is none.
        found: String,
    },
    /// A recording without a subscription we can read.
    #[error(
        "{name}: recorded at {venue}, but no subscription to an instrument of it was sent at its beginning; name the \
         symbols with --symbols"
    )]
    NoSymbols {
        /// File.
        name: String,
        /// The venue it was recorded at.
        venue: &'static str,
    },
    /// The head of a tape names a model that is none.
    #[error("{name}: the model in its head: {text}")]
    Model {
        /// File.
        name: String,
        /// What is wrong.
        text: String,
    },
    /// The tape says how it ended, and the replay ended otherwise.
    #[error(
        "{name}: the replay ended at input {input_seq} with state hash {state_hash:016x}, the run that wrote the tape \
         at input {want_seq} with {want_hash:016x}"
    )]
    Diverged {
        /// File.
        name: String,
        /// Where the replay ended.
        input_seq: u64,
        /// Its hash.
        state_hash: u64,
        /// Where the run ended.
        want_seq: u64,
        /// Its hash.
        want_hash: u64,
    },
}

/// Names of the venues that have a decoder.
fn decoded() -> String {
    venue::VENUES.map(|row| row.name).join(", ")
}

/// What a replay did.
#[derive(Debug)]
pub struct Outcome {
    /// Canonical assets in symbol order.
    pub symbols: Vec<String>,
    /// What was seen of each venue; the first is the reference.
    pub venues: Vec<Seen>,
    /// Frames, ignored, faults, gaps, tolerant.
    pub counts: Counts,
    /// From the first to the last received frame or group of decoded events.
    pub span: Nanos,
    /// Wall time it took.
    pub took: Nanos,
    /// The shard after the last input.
    pub shard: Shard,
    /// Bytes of a torn end that were left out.
    pub torn: u64,
    /// The journal named frames that the tape does not hold.
    pub short: bool,
}

/// Streams that frames are counted by, and their names.
pub const CHANNELS: [(Stream, &str); 4] = [
    (Stream::Book, "book"),
    (Stream::Trades, "trades"),
    (Stream::Ticker, "tickers"),
    (Stream::Liquidations, "liquidations"),
];

/// What a replay saw of one venue.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The venue.
    pub id: VenueId,
    /// Its name.
    pub name: &'static str,
    /// Its frames.
    pub counts: Counts,
    /// Frames that were data of a symbol of ours, by [`CHANNELS`].
    pub channels: [u64; CHANNELS.len()],
    /// Decimals of price and quantity as it prints them, per symbol.
    pub places: Vec<(u8, u8)>,
}

impl Seen {
    fn new(id: VenueId, symbols: usize) -> Self {
        Self {
            id,
            name: venue::venue(id).map_or("", |row| row.name),
            counts: Counts::default(),
            channels: [0; CHANNELS.len()],
            places: vec![(0, 0); symbols],
        }
    }

    /// Adds what a lane of it has seen.
    fn add(&mut self, lane: &Lane) {
        self.counts.add(&lane.counts);
        self.counts.duplicates += lane.duplicates();
        for (symbol, place) in self.places.iter_mut().enumerate() {
            let (price, qty) = lane.places(symbol);
            *place = (place.0.max(price), place.1.max(qty));
        }
    }
}

/// Replays one recording.
///
/// # Errors
/// As [`ReplayError`] says; faults inside frames are counted, not errors.
pub fn run(
    path: &Path,
    symbols: Option<&[String]>,
    speed: Speed,
    out: &mut impl Publish,
) -> Result<Outcome, ReplayError> {
    let mut first = Cast::of(path, symbols)?;
    let mut ordered = Ordered::open(path)?;
    let started = crate::time::mono_now();
    let mut pace = Pace { speed, clock: None };
    first.play_all(&mut ordered, &mut pace, out)?;
    let took = crate::time::mono_now().since(started);
    Ok(first.finish(took))
}

/// The symbols that a recording says it is of, or those named.
///
/// # Errors
/// As [`run`].
pub fn symbols(path: &Path, named: Option<&[String]>) -> Result<Vec<String>, ReplayError> {
    Ok(Cast::of(path, named)?.symbols)
}

/// Replays a file of bare frames of one venue, one a line, as if they had come a millisecond apart on one connection
/// that subscribed to everything.
///
/// # Errors
/// A file that cannot be read, a symbol the venue cannot name.
pub fn run_bare(
    path: &Path,
    row: &'static Venue,
    symbols: &[String],
    out: &mut impl Publish,
) -> Result<Outcome, ReplayError> {
    let text = std::fs::read(path).map_err(|source| tape::Error::Io {
        name: path.display().to_string(),
        source,
    })?;
    let mut cast = Cast::new(
        symbols.to_vec(),
        vec![row.id],
        None,
        Choice::default(),
        Vec::new(),
    )?;
    let (started, mut grid) = (crate::time::mono_now(), tape::Grid::default());
    let mut pace = Pace {
        speed: Speed::Max,
        clock: None,
    };
    let streams = CHANNELS.map(|(stream, _)| stream);
    let mut recv = BARE;
    for sent in texts::subscribe(row, symbols, &streams) {
        let bytes = sent.as_bytes();
        cast.record(
            &Record::Sent {
                ring: 0,
                at: recv,
                bytes,
            },
            &mut pace,
            out,
        )?;
    }
    cast.record(
        &Record::Connect {
            ring: 0,
            recv,
            url: "",
        },
        &mut pace,
        out,
    )?;
    for bytes in text.split(|byte| *byte == b'\n') {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        recv = recv.plus(Nanos::MILLI);
        while let Some((first, count)) = grid.due(recv) {
            cast.ticks(first, count, &mut pace, out);
        }
        cast.record(
            &Record::Frame {
                ring: 0,
                recv,
                bytes,
            },
            &mut pace,
            out,
        )?;
    }
    Ok(cast.finish(crate::time::mono_now().since(started)))
}

/// Decodes a recording and tells its events, in the order they were stepped and without ticks, each with the symbols of
/// its run; nothing is stepped.
///
/// # Errors
/// As [`ReplayError`] says; faults inside frames are left out.
pub fn hear(
    path: &Path,
    symbols: Option<&[String]>,
    told: &mut dyn FnMut(&[String], &Event),
) -> Result<(), ReplayError> {
    let mut cast = Cast::of(path, symbols)?;
    let mut ordered = Ordered::open(path)?;
    let (mut pace, mut nowhere) = (Pace::none(), Nowhere);
    loop {
        cast.kept = Some(Vec::new());
        while let Some(turn) = ordered.next_turn()? {
            let Turn::Ring { ring, groups } = turn else {
                continue;
            };
            let mut left = groups;
            while left > 0
                && let Some(record) = ordered.next_record(ring)?
            {
                left -= u32::from(cast.record(&record, &mut pace, &mut nowhere)?);
                for event in cast.kept.iter_mut().flat_map(|kept| kept.drain(..)) {
                    told(&cast.symbols, &event);
                }
            }
        }
        let up = ordered.up();
        if !ordered.next_run()? {
            return Ok(());
        }
        cast.border(&ordered, &up, &mut nowhere)?;
    }
}

/// Where bare frames, which have no stamps, begin: 2026-01-01.
const BARE: Nanos = Nanos::seconds(1_767_225_600);

/// The engine of a replay: a lane per ring and the shard.
pub(crate) struct Cast {
    symbols: Vec<String>,
    /// Whose each ring is, by ring number; a ring beyond them is the reference venue's.
    rings: Vec<VenueId>,
    /// External series that the run declared.
    series: Vec<Series>,
    /// Contracts that were given another name on the way.
    renames: Vec<Rename>,
    lanes: Vec<Lane>,
    setup: Setup,
    /// The state.
    pub(crate) shard: Shard,
    first: Nanos,
    last: Nanos,
    short: bool,
    /// REST answers that stand before every connection of a session, whose recording does not say who asked.
    loose: Vec<(String, Vec<u8>)>,
    is_session: bool,
    /// The state is that of the runs played: none of them has lost its beginning.
    pub(crate) whole: bool,
    /// Bytes of torn ends of the runs before this one.
    torn: u64,
    /// What was seen, by venue; lanes of the present run come to it at the end.
    seen: Vec<Seen>,
    /// Frames need slack behind them; this is theirs.
    buffer: Vec<u8>,
    /// Where events go that nothing steps ([`hear`]); `None` = they are stepped.
    kept: Option<Vec<Event>>,
}

/// Stands for external series in a list of venues.
const SERIES: VenueId = VenueId(0);

/// The series that a tape's head declares.
fn series_of(header: &tape::Header) -> Vec<Series> {
    let plans = header.plan.series.iter();
    plans
        .map(|plan| Series {
            name: plan.name.clone(),
            scale: plan.scale,
            period: Nanos::new(plan.period_ns),
            max_age: Nanos::new(plan.max_age_ns),
        })
        .collect()
}

/// The renames that a tape's head tells; one of a venue that is not known concerns nobody here.
fn renames_of(header: &tape::Header) -> Vec<Rename> {
    let rename = |plan: &tape::RenamePlan| {
        Some(Rename {
            venue: venue::by_name(&plan.venue)?.id,
            was: plan.was.clone(),
            now: plan.now.clone(),
            at: Nanos::new(plan.at_ns),
        })
    };
    header.plan.renames.iter().filter_map(rename).collect()
}

/// What a recording says it is of.
struct Found {
    symbols: Vec<String>,
    /// Name of the venue of each ring.
    rings: Vec<String>,
    /// First address, for people.
    url: Option<String>,
}

/// Reads it off the head of a tape, or off the addresses and subscriptions of a session.
fn find(
    path: &Path,
    header: Option<&tape::Header>,
    named: Option<&[String]>,
) -> Result<Found, tape::Error> {
    if let Some(header) = header
        && !header.plan.symbols.is_empty()
    {
        let rings = &header.plan.rings;
        return Ok(Found {
            symbols: header.plan.symbols.clone(),
            rings: rings.iter().map(|ring| ring.venue.clone()).collect(),
            url: rings.first().map(|ring| ring.url.clone()),
        });
    }
    let found = tape::subscriptions(path)?;
    let mut symbols: Vec<String> = named.unwrap_or_default().to_vec();
    let mut rings = Vec::new();
    for place in &found.places {
        rings.resize(rings.len().max(usize::from(place.ring) + 1), String::new());
        rings[usize::from(place.ring)] = place.venue.unwrap_or_default().to_owned();
        let row = place.venue.and_then(venue::by_name);
        if let (None, Some(row)) = (named, row) {
            for asset in texts::assets_of(row, &place.topics) {
                if !symbols.contains(&asset) {
                    symbols.push(asset);
                }
            }
        }
    }
    if symbols.is_empty() {
        for place in &found.places {
            if let Some(row) = place.venue.and_then(venue::by_name) {
                symbols.extend(texts::instruments_of(row, &place.topics));
            }
        }
    }
    // A connection that does not say where it went is of the venue that the others are of.
    if let Some(known) = rings.iter().find(|name| !name.is_empty()).cloned() {
        rings
            .iter_mut()
            .filter(|name| name.is_empty())
            .for_each(|name| name.clone_from(&known));
    }
    Ok(Found {
        symbols,
        rings,
        url: found.places.first().map(|place| place.url.clone()),
    })
}

/// Waits until a stamp is due.
pub(crate) struct Pace {
    speed: Speed,
    clock: Option<ScaledClock>,
}

impl Pace {
    /// Waits for nothing.
    pub(crate) const fn none() -> Self {
        Self {
            speed: Speed::Max,
            clock: None,
        }
    }

    fn wait(&mut self, until: Nanos) {
        let Speed::Times(times) = self.speed else {
            return;
        };
        let clock = self
            .clock
            .get_or_insert_with(|| ScaledClock::start(until, times));
        let mut left = until.since(clock.now()).get();
        while left > 0 {
            let sleep = (left / i64::from(times.max(1))).clamp(1, 5_000_000);
            std::thread::sleep(std::time::Duration::from_nanos(sleep.unsigned_abs()));
            left = until.since(clock.now()).get();
        }
    }
}

impl Cast {
    /// Reads plan or subscriptions of a recording and builds the engine they ask for.
    fn of(path: &Path, named: Option<&[String]>) -> Result<Self, ReplayError> {
        let header = tape::open(path)?.header().cloned();
        let found = find(path, header.as_ref(), named)?;
        Self::begin(path.display().to_string(), found, header.as_ref())
    }

    /// Builds the engine that the head of a run asks for.
    pub(crate) fn of_run(name: &str, header: &tape::Header) -> Result<Self, ReplayError> {
        let rings = &header.plan.rings;
        let found = Found {
            symbols: header.plan.symbols.clone(),
            rings: rings.iter().map(|ring| ring.venue.clone()).collect(),
            url: rings.first().map(|ring| ring.url.clone()),
        };
        Self::begin(name.to_owned(), found, Some(header))
    }

    fn begin(
        name: String,
        found: Found,
        header: Option<&tape::Header>,
    ) -> Result<Self, ReplayError> {
        let mut rings = Vec::with_capacity(found.rings.len());
        for venue in &found.rings {
            match venue::by_name(venue) {
                Some(row) => rings.push(row.id),
                None if venue == tape::SERIES => rings.push(SERIES),
                None if venue.is_empty() => {
                    let found = found.url.unwrap_or_else(|| "no address".to_owned());
                    return Err(ReplayError::NoVenue { name, found });
                }
                None => {
                    let venue = venue.clone();
                    return Err(ReplayError::NoDecoder { name, venue });
                }
            }
        }
        let Some(&reference) = rings.first() else {
            let found = found.url.unwrap_or_else(|| "no address".to_owned());
            return Err(ReplayError::NoVenue { name, found });
        };
        if found.symbols.is_empty() {
            let venue = venue::venue(reference).map_or("", |row| row.name);
            return Err(ReplayError::NoSymbols { name, venue });
        }
        let mut venues: Vec<VenueId> = Vec::new();
        for id in rings.iter().filter(|id| **id != SERIES) {
            if !venues.contains(id) {
                venues.push(*id);
            }
        }
        let series = header.map_or(Vec::new(), series_of);
        let renames = header.map_or(Vec::new(), renames_of);
        let is_session = header.is_none();
        // Of a run that went on from another, only that one's state would do.
        let whole = header
            .as_ref()
            .is_none_or(|head| !head.continues && head.segment <= 1);
        let choice = match header {
            Some(header) => choice_of_texts(&header.plan.model, &name)?,
            None => Choice::default(),
        };
        let known = match header {
            Some(header) => calibrations(&header.plan.calibration, &found.symbols, &venues)
                .map_err(|text| ReplayError::Model { name, text })?,
            None => Vec::new(),
        };
        let mut cast = Self::new(found.symbols, venues, Some(rings), choice, known)?;
        cast.series = series;
        cast.renames = renames;
        cast.is_session = is_session;
        cast.whole = whole;
        Ok(cast)
    }

    /// The engine for these symbols and venues; `rings` say whose each ring is, without them every ring is the first
    /// venue's.
    fn new(
        symbols: Vec<String>,
        venues: Vec<VenueId>,
        rings: Option<Vec<VenueId>>,
        choice: Choice,
        calibrations: Vec<(usize, VenueId, Calibration)>,
    ) -> Result<Self, ReplayError> {
        let mut setup = Setup::new(symbols.clone(), &venues);
        setup.choice = choice;
        setup.calibrations = calibrations;
        let seen = venues.iter().map(|id| Seen::new(*id, symbols.len()));
        Ok(Self {
            seen: seen.collect(),
            symbols,
            rings: rings.unwrap_or(venues),
            series: Vec::new(),
            renames: Vec::new(),
            lanes: Vec::new(),
            shard: Shard::new(&setup)?,
            setup,
            first: Nanos::ZERO,
            last: Nanos::ZERO,
            short: false,
            loose: Vec::new(),
            is_session: false,
            whole: true,
            torn: 0,
            buffer: Vec::new(),
            kept: None,
        })
    }

    /// Makes the lanes up to a ring's.
    fn lanes_to(&mut self, ring: usize) -> Result<(), ReplayError> {
        while self.lanes.len() <= ring {
            let at = self.lanes.len();
            let venue = self.rings.get(at).or(self.rings.first()).copied();
            let number = u16::try_from(at).unwrap_or(u16::MAX);
            if venue == Some(SERIES) {
                self.lanes.push(series::lane(&self.series, number));
                continue;
            }
            let venue = venue.unwrap_or_default();
            let names = names(&self.symbols, venue, &self.renames);
            let mut lane = Lane::named(venue, &names, number)?;
            if at > 0 {
                // Who asked is not known: whoever can use an answer does.
                for (request, body) in &self.loose {
                    lane.rest(self.first, request, body);
                }
                lane.counts = Counts::default();
            }
            self.lanes.push(lane);
        }
        Ok(())
    }

    /// Plays what is left of a run.
    fn play(
        &mut self,
        ordered: &mut Ordered,
        pace: &mut Pace,
        out: &mut impl Publish,
    ) -> Result<(), ReplayError> {
        while let Some(turn) = ordered.next_turn()? {
            match turn {
                Turn::Tick { first: at, count } => self.ticks(at, count, pace, out),
                Turn::Ring { ring, groups } => {
                    let mut left = groups;
                    while left > 0 {
                        let Some(record) = ordered.next_record(ring)? else {
                            break;
                        };
                        left -= u32::from(self.record(&record, pace, out)?);
                    }
                }
            }
        }
        self.short |= ordered.is_short();
        self.torn += ordered.source().torn();
        Ok(())
    }

    /// Compares with what a run that ended in order says of itself; one whose beginning is gone cannot be compared.
    fn check(&self, ordered: &Ordered) -> Result<(), ReplayError> {
        let (input_seq, state_hash) = (self.shard.input_seq(), self.shard.state_hash());
        if let Some(end) = ordered.source().end()
            && self.whole
            && end.state_hash != 0
            && (end.input_seq, end.state_hash) != (input_seq, state_hash)
        {
            return Err(ReplayError::Diverged {
                name: ordered.source().name().to_owned(),
                input_seq,
                state_hash,
                want_seq: end.input_seq,
                want_hash: end.state_hash,
            });
        }
        Ok(())
    }

    /// Goes over to the next run of a folder; `up` are the connections that the last one left up.
    fn border(
        &mut self,
        ordered: &Ordered,
        up: &[u8],
        out: &mut impl Publish,
    ) -> Result<(), ReplayError> {
        let Some(header) = ordered.header() else {
            return Ok(());
        };
        let mut next = Self::of_run(ordered.source().name(), header)?;
        if header.continues {
            self.down(up, out)?;
            core::mem::swap(&mut self.shard, &mut next.shard);
            next.whole = self.whole && header.segment <= 1;
        }
        self.gather();
        for seen in self.seen.drain(..) {
            match next.seen.iter_mut().find(|own| own.id == seen.id) {
                Some(own) if own.places.len() == seen.places.len() => *own = seen,
                _ => next.seen.push(seen),
            }
        }
        (next.first, next.last) = (self.first, self.last);
        (next.torn, next.short) = (self.torn, self.short);
        *self = next;
        Ok(())
    }

    /// Steps the connections of a run that ended down, in the order given, at shard time: what a restarted engine
    /// steps before anything else.
    pub(crate) fn down(&mut self, up: &[u8], out: &mut impl Publish) -> Result<(), ReplayError> {
        let recv = self.shard.now();
        for ring in up {
            let down = Record::Disconnect {
                ring: *ring,
                recv,
                reason: "the run ended",
            };
            self.record(&down, &mut Pace::none(), out)?;
        }
        Ok(())
    }

    /// Plays a recording from where it stands to its end, runs and borders.
    pub(crate) fn play_all(
        &mut self,
        ordered: &mut Ordered,
        pace: &mut Pace,
        out: &mut impl Publish,
    ) -> Result<(), ReplayError> {
        loop {
            self.play(ordered, pace, out)?;
            self.check(ordered)?;
            let up = ordered.up();
            if !ordered.next_run()? {
                return Ok(());
            }
            self.border(ordered, &up, out)?;
        }
    }

    /// What the state is built for.
    pub(crate) const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// What the lanes remember, one after another by ring number.
    pub(crate) fn remember(&self) -> Vec<Vec<u8>> {
        let of = |lane: &Lane| {
            let mut bytes = Vec::new();
            lane.remember(&mut bytes);
            bytes
        };
        self.lanes.iter().map(of).collect()
    }

    /// Takes up a state and what its lanes remember; `Ok(None)` when the lanes do not fit their decoders.
    pub(crate) fn recall(
        &mut self,
        state: &[u8],
        lanes: &[&[u8]],
    ) -> Result<Option<()>, ReplayError> {
        self.shard = Shard::restore(&self.setup, state)?;
        self.whole = true;
        if let Some(last) = lanes.len().checked_sub(1) {
            self.lanes_to(last)?;
        }
        for (lane, bytes) in self.lanes.iter_mut().zip(lanes) {
            let mut left: &[u8] = bytes;
            if lane.recall(&mut left).is_none() || !left.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    pub(crate) fn ticks(
        &mut self,
        first: Nanos,
        count: u32,
        pace: &mut Pace,
        out: &mut impl Publish,
    ) {
        pace.wait(first);
        for turn in 0..i64::from(count) {
            let at = first.plus(Nanos::new(TICK.get().saturating_mul(turn)));
            self.shard.step(&Event::tick(at), out);
        }
    }

    /// Decodes and steps one record; true when it yielded events.
    pub(crate) fn record(
        &mut self,
        record: &Record<'_>,
        pace: &mut Pace,
        out: &mut impl Publish,
    ) -> Result<bool, ReplayError> {
        if let Record::Events { recv, bytes, .. } = *record {
            pace.wait(recv);
            if self.first == Nanos::ZERO {
                self.first = recv;
            }
            self.last = self.last.max(recv);
            for event in bytes.chunks_exact(tape::EVENT_BYTES) {
                let event = bytemuck::pod_read_unaligned(event);
                match &mut self.kept {
                    Some(kept) => kept.push(event),
                    None => self.shard.step(&event, out),
                }
            }
            return Ok(true);
        }
        let ring = usize::from(record.ring() & !LEG_B);
        let leg = usize::from(record.ring() & LEG_B != 0);
        self.lanes_to(ring)?;
        pace.wait(record.stamp());
        let lane = &mut self.lanes[ring];
        let events = match *record {
            Record::Frame { recv, bytes, .. } => {
                if self.first == Nanos::ZERO {
                    self.first = recv;
                }
                self.last = recv;
                let group = lane.text_leg(leg, recv, bytes, &mut self.buffer);
                match &mut self.kept {
                    Some(kept) => kept.extend_from_slice(group),
                    None => group.iter().for_each(|event| self.shard.step(event, out)),
                }
                let any = !group.is_empty();
                self.count(ring);
                return Ok(any);
            }
            Record::Rest {
                recv,
                request,
                body,
                ..
            } => {
                if self.is_session && self.first == Nanos::ZERO {
                    self.loose.push((request.to_owned(), body.to_vec()));
                }
                lane.rest(recv, request, body)
            }
            Record::Connect { recv, url, .. } => {
                // Streams may be named in the address.
                lane.sent(url.as_bytes());
                lane.connected_leg(leg, recv)
            }
            Record::Disconnect { recv, .. } => lane.disconnected_leg(leg, recv),
            Record::Sent { bytes, .. } => {
                lane.sent(bytes);
                return Ok(false);
            }
            _ => return Ok(false),
        };
        match &mut self.kept {
            Some(kept) => kept.extend_from_slice(events),
            None => events.iter().for_each(|event| self.shard.step(event, out)),
        }
        Ok(!events.is_empty())
    }

    /// Counts the frame that a ring's lane has just read by its channel.
    fn count(&mut self, ring: usize) {
        let heard = self.lanes.get(ring).and_then(Lane::heard);
        let at = heard.and_then(|(stream, _)| CHANNELS.iter().position(|(of, _)| *of == stream));
        let venue = self.rings.get(ring).or(self.rings.first());
        let seen = self.seen.iter_mut().find(|seen| Some(&seen.id) == venue);
        if let Some((seen, at)) = seen.zip(at) {
            seen.channels[at] += 1;
        }
    }

    /// Adds what the lanes have seen to their venues, and lets them go.
    fn gather(&mut self) {
        for (ring, lane) in self.lanes.drain(..).enumerate() {
            let venue = self.rings.get(ring).or(self.rings.first());
            if let Some(seen) = self.seen.iter_mut().find(|seen| Some(&seen.id) == venue) {
                seen.add(&lane);
            }
        }
    }

    fn finish(mut self, took: Nanos) -> Outcome {
        self.gather();
        let mut counts = Counts::default();
        for seen in &self.seen {
            counts.add(&seen.counts);
        }
        Outcome {
            symbols: self.symbols,
            venues: self.seen,
            counts,
            span: self.last.since(self.first),
            took,
            shard: self.shard,
            torn: self.torn,
            short: self.short,
        }
    }
}

/// The model a plan chose.
#[must_use]
pub const fn choice(model: &Model) -> Choice {
    Choice {
        mix_e6: model.mix_e6,
        background_e6: model.background_e6,
        inert_e6: model.inert_share_e6,
        inert_leverage: model.inert_leverage,
        turnover_e6: model.psi_e6,
        alpha_e6: model.alpha_e6,
        theta_e6: model.theta_prior_e6,
        prior_e6: model.prior_sigma_e6.saturating_mul(model.daily_sigma_e6) / 1_000_000,
        carry_ns: Nanos::millis(model.carry_ms).get(),
        residual_half_life_ns: Nanos::seconds(model.residual_minutes.saturating_mul(60)).get(),
        theta_shape_e6: model.theta_shape_e6,
        theta_unit_e6: model.theta_unit_e6,
        theta_half_life_ns: Nanos::seconds(model.theta_hours.saturating_mul(3_600)).get(),
        theta_smooth_e6: model.theta_smooth_e6,
        match_ns: Nanos::millis(model.match_ms).get(),
        blur_e6: model.blur_e6,
        miss_e6: model.miss_e6,
    }
}

/// The calibrations of a plan or of a tape's head, for a shard of these symbols and venues; those of others are left
/// out.
///
/// # Errors
/// A row that is none, in words.
pub fn calibrations(
    evidence: &crate::config::evidence::Evidence,
    symbols: &[String],
    venues: &[VenueId],
) -> Result<Vec<(usize, VenueId, Calibration)>, String> {
    let mut found = Vec::new();
    for (name, words) in evidence {
        let Some(known) = Calibration::of_words(words) else {
            return Err(format!(
                "calibration of \"{name}\": not of this build's form (of another ladder or version, or damaged)"
            ));
        };
        let Some((symbol, venue)) = name.split_once(' ') else {
            return Err(format!(
                "calibration of \"{name}\": wants a symbol and a venue"
            ));
        };
        let symbol = symbols.iter().position(|listed| listed == symbol);
        let named = |id: &&VenueId| venue::venue(**id).is_some_and(|row| row.name == venue);
        if let (Some(symbol), Some(id)) = (symbol, venues.iter().find(named)) {
            found.push((symbol, *id, known));
        }
    }
    Ok(found)
}

/// What a shard has learned of θ, as a file or a tape's head holds it; contracts without a print are left out.
#[must_use]
pub fn evidence_of(
    shard: &Shard,
    symbols: &[String],
    venues: &[VenueId],
) -> crate::config::evidence::Evidence {
    let mut all = crate::config::evidence::Evidence::new();
    for (at, symbol) in symbols.iter().enumerate() {
        for id in venues {
            let known = shard
                .calibration_at(at, *id)
                .filter(|known| known.prints > 0);
            if let (Some(known), Some(row)) = (known, venue::venue(*id)) {
                all.insert(format!("{symbol} {}", row.name), known.words());
            }
        }
    }
    all
}

/// The model of a tape's head, read as a plan reads it.
fn choice_of_texts(texts: &BTreeMap<String, String>, name: &str) -> Result<Choice, ReplayError> {
    let lines: String = texts
        .iter()
        .map(|(name, text)| format!("{name} = {text}\n"))
        .collect();
    match Plan::parse(&format!("[model]\n{lines}"), name) {
        Ok(plan) => Ok(choice(&plan.model)),
        Err(faults) => {
            let text = faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; ");
            let name = name.to_owned();
            Err(ReplayError::Model { name, text })
        }
    }
}

/// Names of the faults that were counted, for people.
#[must_use]
pub fn fault_names(counts: &Counts) -> Vec<(&'static str, u64)> {
    FaultKind::NAMES
        .iter()
        .zip(counts.by_fault)
        .filter(|(_, n)| *n > 0)
        .map(|(k, n)| (*k, n))
        .collect()
}
