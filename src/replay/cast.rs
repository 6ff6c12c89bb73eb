//! Cast: the engine of a replay, a lane per ring and the shard, and what it has seen.
//!
//! Records go in by the order that the caller reads them; where a run ends and the next goes on from it, connections
//! step down and lanes are made anew, as in the engine that was restarted.

use super::found::{Found, SERIES, find, renames_of, series_of};
use super::model::{self, Known, choice_of_texts};
use super::{CHANNELS, Outcome, Pace, ReplayError, Seen};
use crate::config::Series;
use crate::event::Event;
use crate::feed::LEG_B;
use crate::inventory::params::Choice;
use crate::market::VenueId;
use crate::series;
use crate::shard::{Setup, Shard};
use crate::shm::record::Publish;
use crate::tape::{self, Ordered, Record, Turn};
use crate::time::{Nanos, TICK};
use crate::venue;
use crate::venue::lane::{Counts, Lane};
use crate::venue::names::{Rename, names};
use std::path::Path;

/// The engine of a replay: a lane per ring and the shard.
pub(crate) struct Cast {
    pub(super) symbols: Vec<String>,
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
    /// Venues that are followed alone; `None` = all.
    only: Option<Vec<VenueId>>,
    /// What was seen, by venue; lanes of the present run come to it at the end.
    seen: Vec<Seen>,
    /// Frames need slack behind them; this is theirs.
    buffer: Vec<u8>,
    /// Where events go that nothing steps (`hear`); `None` = they are stepped.
    pub(super) kept: Option<Vec<Event>>,
}

impl Cast {
    /// Reads plan or subscriptions of a recording and builds the engine they ask for.
    pub(super) fn of(path: &Path, named: Option<&[String]>) -> Result<Self, ReplayError> {
        Self::of_venues(path, named, None)
    }

    /// The same, of some of its venues alone.
    pub(super) fn of_venues(
        path: &Path,
        named: Option<&[String]>,
        only: Option<&[VenueId]>,
    ) -> Result<Self, ReplayError> {
        let header = tape::open(path)?.header().cloned();
        let found = find(path, header.as_ref(), named)?;
        Self::begin(path.display().to_string(), found, header.as_ref(), only)
    }

    /// Builds the engine that the head of a run asks for.
    pub(crate) fn of_run(
        name: &str,
        header: &tape::Header,
        only: Option<&[VenueId]>,
    ) -> Result<Self, ReplayError> {
        let rings = &header.plan.rings;
        let found = Found {
            symbols: header.plan.symbols.clone(),
            rings: rings.iter().map(|ring| ring.venue.clone()).collect(),
            url: rings.first().map(|ring| ring.url.clone()),
        };
        Self::begin(name.to_owned(), found, Some(header), only)
    }

    fn begin(
        name: String,
        found: Found,
        header: Option<&tape::Header>,
        only: Option<&[VenueId]>,
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
        let Some(&first) = rings.first() else {
            let found = found.url.unwrap_or_else(|| "no address".to_owned());
            return Err(ReplayError::NoVenue { name, found });
        };
        if found.symbols.is_empty() {
            let venue = venue::venue(first).map_or("", |row| row.name);
            return Err(ReplayError::NoSymbols { name, venue });
        }
        let mut venues: Vec<VenueId> = Vec::new();
        for id in rings.iter().filter(|id| **id != SERIES) {
            if !venues.contains(id) {
                venues.push(*id);
            }
        }
        if let Some(only) = only {
            let missing = only.iter().find(|id| !venues.contains(id));
            if let Some(missing) = missing.and_then(|id| venue::venue(*id)) {
                let holds = venues.iter().filter_map(|id| venue::venue(*id));
                let holds = holds.map(|row| row.name).collect::<Vec<_>>().join(", ");
                let what = missing.name.to_owned();
                return Err(ReplayError::NotThere { name, what, holds });
            }
            venues.retain(|id| only.contains(id));
        }
        let series = header.map_or(Vec::new(), series_of);
        let renames = header.map_or(Vec::new(), renames_of);
        let is_session = header.is_none();
        // Of a run that went on from another, only that one's state would do; of some venues none is.
        let whole = only.is_none()
            && header
                .as_ref()
                .is_none_or(|head| !head.continues && head.segment <= 1);
        let choice = match header {
            Some(header) => choice_of_texts(&header.plan.model, &name)?,
            None => Choice::default(),
        };
        let known = match header {
            Some(header) => model::known(&header.plan, &found.symbols, &venues)
                .map_err(|text| ReplayError::Model { name, text })?,
            None => Known::default(),
        };
        let mut cast = Self::new(found.symbols, venues, Some(rings), choice, known)?;
        cast.series = series;
        cast.renames = renames;
        cast.is_session = is_session;
        cast.whole = whole;
        cast.only = only.map(<[VenueId]>::to_vec);
        Ok(cast)
    }

    /// The engine for these symbols and venues; `rings` say whose each ring is, without them every ring is the first
    /// venue's.
    pub(super) fn new(
        symbols: Vec<String>,
        venues: Vec<VenueId>,
        rings: Option<Vec<VenueId>>,
        choice: Choice,
        known: Known,
    ) -> Result<Self, ReplayError> {
        let mut setup = Setup::new(symbols.clone(), &venues);
        setup.choice = choice;
        (setup.calibrations, setup.taught) = known;
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
            only: None,
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
    pub(super) fn play(
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
    pub(super) fn border(
        &mut self,
        ordered: &Ordered,
        up: &[u8],
        out: &mut impl Publish,
    ) -> Result<(), ReplayError> {
        let Some(header) = ordered.header() else {
            return Ok(());
        };
        let mut next = Self::of_run(ordered.source().name(), header, self.only.as_deref())?;
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
        next.kept = self.kept.take();
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
                let event: Event = bytemuck::pod_read_unaligned(event);
                match &mut self.kept {
                    _ if !follows(self.only.as_deref(), event.venue) => {}
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
        // What is not followed is decoded all the same: the journal counts it.
        let venue = self.rings.get(ring).or(self.rings.first());
        let follows = follows(self.only.as_deref(), venue.copied().unwrap_or_default());
        let lane = &mut self.lanes[ring];
        let events = match *record {
            Record::Frame { recv, bytes, .. } => {
                if self.first == Nanos::ZERO {
                    self.first = recv;
                }
                self.last = recv;
                let group = lane.text_leg(leg, recv, bytes, &mut self.buffer);
                match &mut self.kept {
                    _ if !follows => {}
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
            _ if !follows => {}
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
    pub(super) fn gather(&mut self) {
        for (ring, lane) in self.lanes.drain(..).enumerate() {
            let venue = self.rings.get(ring).or(self.rings.first());
            if let Some(seen) = self.seen.iter_mut().find(|seen| Some(&seen.id) == venue) {
                seen.add(&lane);
            }
        }
    }

    pub(super) fn finish(mut self, took: Nanos) -> Outcome {
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

/// True for venues that are followed, and for what is of none.
fn follows(only: Option<&[VenueId]>, venue: VenueId) -> bool {
    only.is_none_or(|only| venue == SERIES || only.contains(&venue))
}
