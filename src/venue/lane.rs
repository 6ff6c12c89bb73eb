//! Lane: one connection's decoder with its counts. The live feed and the replay both go through it, so that a record
//! of a tape gives the events it gave live.
//!
//! A lane may be fed by two connections of the same streams, its *legs*: an A/B pair, or the old and the new connection
//! while one is replaced. The decoder takes what comes first and drops what was met before; the shard hears of a
//! connection when the first leg comes up and of its loss when the last goes down.
//!
//! Every call answers a *group*: the events of one record, LAST on the last of them and on no other, or nothing. The
//! shard takes whole groups; the journal of a tape counts them.

use super::ledger::take;
use super::names::Epoch;
use super::{Decoder, Refusal, Road, VenueError};
use crate::event::{Body, Event, FIRST, Gap, Head, LAST, Stream};
use crate::health::{Fault, FaultKind};
use crate::market::{SymbolId, VenueId};
use crate::num::{Round, Usd};
use crate::time::Nanos;
use crate::wire::Frame;
use core::ops::Range;

/// What one lane, or several together, have seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Received messages.
    pub frames: u64,
    /// Messages that are none of ours: acks, pongs, klines, symbols outside the plan.
    pub ignored: u64,
    /// Messages that fitted neither road.
    pub faults: u64,
    /// Sequence breaks.
    pub gaps: u64,
    /// Messages the tolerant road had to read.
    pub tolerant: u64,
    /// Trades, prints and updates that were met before.
    pub duplicates: u64,
    /// Faults by kind, in `FaultKind` order.
    pub by_fault: [u64; FaultKind::NAMES.len()],
}

impl Counts {
    /// Adds another lane's.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.ignored += other.ignored;
        self.faults += other.faults;
        self.gaps += other.gaps;
        self.tolerant += other.tolerant;
        self.duplicates += other.duplicates;
        for (mine, theirs) in self.by_fault.iter_mut().zip(other.by_fault) {
            *mine += theirs;
        }
    }
}

/// One connection's decoder and counts.
#[derive(Debug)]
pub struct Lane {
    decoder: Decoder,
    venue: VenueId,
    number: u16,
    symbols: u16,
    /// What it has seen.
    pub counts: Counts,
    /// Books that must be subscribed anew, by symbol.
    resync: Vec<bool>,
    /// Bit per `Stream` that was subscribed on this connection.
    carried: u8,
    /// Bit per leg that is connected.
    up: u8,
    /// When a leg's frame last did not fit.
    spoiled: [Nanos; 2],
    /// What each leg was heard to carry: what one loses the other brings only if it carries it too, and that it was
    /// subscribed to proves nothing.
    carries: [Carries; 2],
    own: Vec<Event>,
    /// Decoders of other names, and from when they read; those before `turned` were used up.
    later: Vec<(Nanos, Decoder)>,
    turned: u8,
}

/// A bad frame of one leg loses nothing while the other leg is up, had none for this long, and was heard within it.
const COVERED: Nanos = Nanos::seconds(10);

/// Streams a gap can be of, one at a time.
const STREAMS: [Stream; 4] = [
    Stream::Book,
    Stream::Trades,
    Stream::Ticker,
    Stream::Liquidations,
];

/// What one leg was heard to carry since it came up. Zero stamps = never.
#[derive(Debug)]
struct Carries {
    /// When it came up, and when it was last heard.
    up: Nanos,
    last: Nanos,
    /// By symbol and place in [`STREAMS`]: when it was heard first and last.
    heard: Box<[[[Nanos; 2]; STREAMS.len()]]>,
}

impl Carries {
    fn new(symbols: usize) -> Self {
        Self {
            up: Nanos::ZERO,
            last: Nanos::ZERO,
            heard: vec![[[Nanos::ZERO; 2]; STREAMS.len()]; symbols].into_boxed_slice(),
        }
    }

    fn begin(&mut self, recv: Nanos) {
        (self.up, self.last) = (recv, Nanos::ZERO);
        self.heard.fill([[Nanos::ZERO; 2]; STREAMS.len()]);
    }

    #[inline]
    fn hear(&mut self, recv: Nanos, stream: Stream, symbol: SymbolId) {
        self.last = recv;
        let own = self.heard.get_mut(usize::from(symbol.0));
        if let Some([first, last]) =
            own.and_then(|own| own.get_mut((stream as usize).wrapping_sub(1)))
        {
            *last = recv;
            if *first == Nanos::ZERO {
                *first = recv;
            }
        }
    }

    /// True when it was heard with anything by then.
    fn speaks(&self, until: Nanos) -> bool {
        let mut first = self.heard.iter().flatten().map(|[first, _]| *first);
        first.any(|first| first != Nanos::ZERO && first <= until)
    }

    /// True when `other`, which speaks, may be trusted to bring by `until` what this leg does not: it was heard with
    /// it, or nothing was to be heard since it came up.
    fn is_kept(&self, other: &Self, until: Nanos, symbol: usize, at: usize) -> bool {
        let of = |carries: &Self| {
            carries
                .heard
                .get(symbol)
                .and_then(|own| own.get(at))
                .copied()
        };
        let ([_, own], [first, _]) = (of(self).unwrap_or_default(), of(other).unwrap_or_default());
        own < other.up || first != Nanos::ZERO && first <= until
    }
}

impl Lane {
    /// A lane for a connection of `venue`; `SymbolId` is the place in `assets`.
    ///
    /// # Errors
    /// A venue without a decoder, an asset it cannot name.
    pub fn new(venue: VenueId, assets: &[String], number: u16) -> Result<Self, VenueError> {
        let symbols = u16::try_from(assets.len()).unwrap_or(u16::MAX);
        Ok(Self::of(
            Decoder::new(venue, assets)?,
            venue,
            symbols,
            number,
        ))
    }

    /// As [`Lane::new`], for symbols whose names change: whoever connects, or hears an answer, reads by the names of
    /// that moment.
    ///
    /// # Errors
    /// As [`Lane::new`].
    pub fn named(venue: VenueId, names: &[Epoch], number: u16) -> Result<Self, VenueError> {
        let (first, later) = names.split_first().ok_or(VenueError::TooMany(0))?;
        let mut lane = Self::new(venue, &first.1, number)?;
        for (from, assets) in later {
            lane.later.push((*from, Decoder::new(venue, assets)?));
        }
        Ok(lane)
    }

    /// Takes the decoder of the names of this moment. What the old one remembered is over with its connections.
    fn rename(&mut self, recv: Nanos) {
        let due = |lane: &Self| {
            let next = lane.later.get(usize::from(lane.turned));
            next.is_some_and(|(from, _)| *from <= recv)
        };
        while due(self) {
            self.turn();
            for leg in 0..2 {
                if self.up & (1 << leg) != 0 {
                    self.decoder.leg_up(leg, false);
                }
            }
        }
    }

    fn turn(&mut self) {
        if let Some((_, next)) = self.later.get_mut(usize::from(self.turned)) {
            core::mem::swap(&mut self.decoder, next);
            self.turned += 1;
        }
    }

    /// A lane around a decoder.
    pub(crate) fn of(decoder: Decoder, venue: VenueId, symbols: u16, number: u16) -> Self {
        Self {
            decoder,
            venue,
            number,
            symbols,
            counts: Counts::default(),
            resync: vec![false; usize::from(symbols)],
            carried: 0,
            up: 0,
            spoiled: [Nanos::ZERO; 2],
            carries: core::array::from_fn(|_| Carries::new(usize::from(symbols))),
            own: Vec::with_capacity(1 + STREAMS.len() * usize::from(symbols)),
            later: Vec::new(),
            turned: 0,
        }
    }

    /// Decodes one message of a single connection in place.
    pub fn frame(&mut self, recv: Nanos, frame: Frame<'_>) -> &[Event] {
        self.frame_leg(0, recv, frame)
    }

    /// Decodes one message of a leg (0 or 1) in place.
    pub fn frame_leg(&mut self, leg: usize, recv: Nanos, frame: Frame<'_>) -> &[Event] {
        self.counts.frames += 1;
        let head = self.head(recv);
        // Only the number of events is kept, so that a fault may ask the decoder what it was about.
        let outcome = self.decoder.decode_leg(leg, recv, frame).map(|decoded| {
            let events = decoded.events.len();
            (decoded.road, decoded.gap, decoded.resync, events)
        });
        match outcome {
            Ok((road, gap, resync, events)) => {
                self.counts.ignored += u64::from(road == Road::Ignored);
                self.counts.tolerant += u64::from(road == Road::Tolerant);
                self.counts.gaps += u64::from(gap);
                if let Some(wanted) = resync.and_then(|s| self.resync.get_mut(usize::from(s.0))) {
                    *wanted = true;
                }
                if let Some((stream, symbol)) = self.decoder.heard() {
                    self.carries[leg & 1].hear(recv, stream, symbol);
                }
                self.decoder.events(events)
            }
            Err(fault) => {
                count(&mut self.counts, fault);
                // An answer that refuses, or a text of no stream of ours, held nothing that could be lost.
                if matches!(fault.kind, FaultKind::Refused | FaultKind::UnknownTopic) {
                    return &[];
                }
                // What it held is lost: trades and prints have no sequence that would tell later. The book has
                // one, and finds its gap itself. Without a topic that was understood it may have been any stream.
                let unnumbered = self.carried & !(1 << Stream::Book as u8);
                let (symbols, lost_bits) = match self.decoder.about() {
                    Some((Stream::Book, _)) => return &[],
                    Some((stream, symbol)) => (
                        symbol.0..symbol.0.saturating_add(1),
                        unnumbered & (1 << stream as u8),
                    ),
                    None => (0..self.symbols, unnumbered),
                };
                let other = (leg ^ 1) & 1;
                self.spoiled[leg & 1] = recv;
                // One that has fallen silent may never speak again. When it froze only now, the gap is told with
                // its end: see `disconnected_leg`.
                let covered = self.up & (1 << other) != 0
                    && recv.since(self.spoiled[other]) > COVERED
                    && recv.since(self.carries[other].last) <= COVERED;
                let kept = covered.then_some((&self.carries[leg & 1], &self.carries[other], recv));
                self.own.clear();
                lost(&mut self.own, head, symbols, lost_bits, kept);
                close(&mut self.own);
                self.counts.gaps += u64::from(!self.own.is_empty());
                &self.own
            }
        }
    }

    /// Tells the owners of the trades among the first `events` events of the last frame, with the trade's notional: as
    /// far as the venue publishes them.
    #[inline]
    pub fn owners(&self, events: usize, mut tell: impl FnMut([u8; 20], Usd)) {
        if !matches!(self.decoder.heard(), Some((Stream::Trades, _))) {
            return;
        }
        for event in self.decoder.events(events) {
            let Body::Trade(trade) = event.body() else {
                continue;
            };
            for account in trade.accounts {
                if let Some(address) = self.decoder.address(account) {
                    tell(address, trade.price.notional(trade.qty, Round::Down));
                }
            }
        }
    }

    /// As [`Lane::frame`] for bytes that lie elsewhere: copied behind slack in `buffer` first.
    pub fn text(&mut self, recv: Nanos, bytes: &[u8], buffer: &mut Vec<u8>) -> &[Event] {
        self.text_leg(0, recv, bytes, buffer)
    }

    /// As [`Lane::frame_leg`] for bytes that lie elsewhere.
    pub fn text_leg(
        &mut self,
        leg: usize,
        recv: Nanos,
        bytes: &[u8],
        buffer: &mut Vec<u8>,
    ) -> &[Event] {
        buffer.clear();
        buffer.extend_from_slice(bytes);
        buffer.resize(bytes.len() + crate::wire::SLACK, 0);
        match Frame::new(buffer, bytes.len()) {
            Some(frame) => self.frame_leg(leg, recv, frame),
            None => &[],
        }
    }

    /// Decodes a REST answer.
    pub fn rest(&mut self, recv: Nanos, request: &str, body: &[u8]) -> &[Event] {
        self.rename(recv);
        match self.decoder.rest(recv, request, body) {
            Ok(decoded) => {
                for fault in decoded.faults {
                    count(&mut self.counts, *fault);
                }
                self.counts.gaps += u64::from(decoded.gap);
                if let Some(symbol) = decoded.resync
                    && let Some(wanted) = self.resync.get_mut(usize::from(symbol.0))
                {
                    *wanted = true;
                }
                decoded.events
            }
            Err(fault) => {
                count(&mut self.counts, fault);
                &[]
            }
        }
    }

    /// The connection is up.
    pub fn connected(&mut self, recv: Nanos) -> &[Event] {
        self.connected_leg(0, recv)
    }

    /// A leg is up; nothing when the other was up already.
    pub fn connected_leg(&mut self, leg: usize, recv: Nanos) -> &[Event] {
        let first = self.up == 0;
        if first {
            self.rename(recv);
        }
        self.up |= 1 << (leg & 1);
        self.decoder.leg_up(leg, first);
        self.spoiled[leg & 1] = Nanos::ZERO;
        self.carries[leg & 1].begin(recv);
        self.own.clear();
        if first {
            let mut head = self.head(recv);
            head.bits = FIRST | LAST;
            self.own.push(Event::new(head, Body::Connect(self.number)));
        }
        &self.own
    }

    /// A message we sent: a subscription says which streams this connection carries, and so what is lost with it.
    pub fn sent(&mut self, bytes: &[u8]) {
        for stream in STREAMS {
            let topic = super::texts::topic_start(self.venue, stream).as_bytes();
            if !topic.is_empty() && bytes.windows(topic.len()).any(|part| part == topic) {
                self.carried |= 1 << stream as u8;
            }
        }
    }

    /// The peer broke the websocket protocol: a fault of its own kind.
    pub fn broken_framing(&mut self) {
        count(&mut self.counts, Fault::new(0, FaultKind::BadFrame));
    }

    /// The connection is down: merge state and sequences are forgotten, and every symbol hears of the gap.
    pub fn disconnected(&mut self, recv: Nanos) -> &[Event] {
        self.disconnected_leg(0, recv)
    }

    /// A leg is down. While the other is up only the books that it had run ahead of are lost, and what the other was
    /// not yet heard to carry when this one last spoke; else everything the connection carried.
    pub fn disconnected_leg(&mut self, leg: usize, recv: Nanos) -> &[Event] {
        let head = self.head(recv);
        self.up &= !(1 << (leg & 1));
        self.own.clear();
        let (own, resync) = (&mut self.own, &mut self.resync);
        self.decoder.leg_down(leg, |symbol| {
            if let Some(wanted) = resync.get_mut(symbol) {
                *wanted = true;
            }
            own.push(gap(head, symbol as u16, Stream::Book));
        });
        if self.up == 0 {
            self.resync.fill(false);
            self.counts.gaps += 1;
            self.own
                .push(Event::new(head, Body::Disconnect(self.number)));
            lost(&mut self.own, head, 0..self.symbols, self.carried, None);
        } else {
            let other = (leg ^ 1) & 1;
            let unnumbered = self.carried & !(1 << Stream::Book as u8);
            // What the other could not read this one was to bring, as long as it spoke.
            let until = self.carries[leg & 1].last;
            // One that had fallen silent while this one spoke brought nothing, and neither did one that came up only
            // after this one's last word: nobody spoke in between.
            let there = &self.carries[other];
            let covered = until.since(self.spoiled[other]) > COVERED
                && until.since(there.last) <= COVERED
                && there.up <= until;
            let kept = covered.then_some((&self.carries[leg & 1], &self.carries[other], until));
            // One that never spoke brought nothing that could be missed now.
            if until != Nanos::ZERO {
                lost(&mut self.own, head, 0..self.symbols, unnumbered, kept);
            }
            self.counts.gaps += self.own.len() as u64;
        }
        close(&mut self.own);
        &self.own
    }

    /// True while a leg (0 or 1) is connected.
    #[must_use]
    pub const fn is_up(&self, leg: usize) -> bool {
        self.up & (1 << (leg & 1)) != 0
    }

    /// Trades, prints and updates that were met before, and left out.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.decoder.duplicates()
    }

    /// Appends what the next groups depend on: a lane that recalls it goes on as this one. Counts are not in it.
    pub fn remember(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.up, self.carried]);
        for stamp in self.spoiled {
            out.extend_from_slice(&stamp.get().to_le_bytes());
        }
        out.extend(self.resync.iter().map(|wanted| u8::from(*wanted)));
        for carries in &self.carries {
            for stamp in [carries.up, carries.last]
                .iter()
                .chain(carries.heard.iter().flatten().flatten())
            {
                out.extend_from_slice(&stamp.get().to_le_bytes());
            }
        }
        if !self.later.is_empty() {
            out.push(self.turned);
        }
        self.decoder.remember(out);
    }

    /// Takes back what [`Lane::remember`] gave; `None` when it is not of such a lane.
    pub fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        [self.up, self.carried] = *take::<2>(from)?;
        for stamp in &mut self.spoiled {
            *stamp = Nanos::new(i64::from_le_bytes(*take::<8>(from)?));
        }
        for wanted in &mut self.resync {
            *wanted = take::<1>(from)?[0] != 0;
        }
        for carries in &mut self.carries {
            let own = [&mut carries.up, &mut carries.last].into_iter();
            for stamp in own.chain(carries.heard.iter_mut().flatten().flatten()) {
                *stamp = Nanos::new(i64::from_le_bytes(*take::<8>(from)?));
            }
        }
        if !self.later.is_empty() {
            let turned = take::<1>(from)?[0];
            if usize::from(turned) > self.later.len() {
                return None;
            }
            while self.turned < turned {
                self.turn();
            }
        }
        self.decoder.recall(from)
    }

    /// Books that must be subscribed anew, by symbol; the feed clears what it has asked for.
    pub fn resync(&mut self) -> &mut [bool] {
        &mut self.resync
    }

    /// True while a symbol's book waits for an image.
    #[must_use]
    pub fn waits(&self, symbol: usize) -> bool {
        u16::try_from(symbol).is_ok_and(|symbol| self.decoder.waits(SymbolId(symbol)))
    }

    /// What the last frame spoke of, also when nothing of it was new; `None` for what is no data.
    #[must_use]
    pub fn heard(&self) -> Option<(Stream, SymbolId)> {
        self.decoder.heard()
    }

    /// Symbols it knows.
    #[must_use]
    pub fn symbols(&self) -> usize {
        usize::from(self.symbols)
    }

    /// What the venue said when it last refused something.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        self.decoder.refusal()
    }

    /// Decimals the venue prints for a symbol's price and quantity.
    #[must_use]
    pub fn places(&self, symbol: usize) -> (u8, u8) {
        self.decoder
            .places(SymbolId(u16::try_from(symbol).unwrap_or(u16::MAX)))
    }

    const fn head(&self, recv: Nanos) -> Head {
        Head {
            recv,
            exch: Nanos::ZERO,
            venue: self.venue,
            symbol: SymbolId(0),
            bits: 0,
        }
    }
}

fn count(counts: &mut Counts, fault: Fault) {
    counts.faults += 1;
    counts.by_fault[fault.kind as usize] += 1;
}

fn gap(head: Head, symbol: u16, stream: Stream) -> Event {
    let head = Head {
        symbol: SymbolId(symbol),
        ..head
    };
    Event::new(
        head,
        Body::Gap(Gap {
            stream,
            expected: 0,
            got: 0,
        }),
    )
}

/// Makes a group of what stands there.
fn close(out: &mut [Event]) {
    if let Some(event) = out.first_mut() {
        event.bits |= FIRST;
    }
    if let Some(event) = out.last_mut() {
        event.bits |= LAST;
    }
}

/// A gap of every carried stream for each of the symbols, but for those that another leg brings: `kept` names the leg
/// that lost something, the other one, and by when that must have been heard.
fn lost(
    out: &mut Vec<Event>,
    head: Head,
    symbols: Range<u16>,
    carried: u8,
    kept: Option<(&Carries, &Carries, Nanos)>,
) {
    let kept = kept.filter(|(_, other, until)| other.speaks(*until));
    for symbol in symbols {
        for (at, stream) in STREAMS.into_iter().enumerate() {
            let is_kept = kept.is_some_and(|(own, other, until)| {
                own.is_kept(other, until, usize::from(symbol), at)
            });
            if carried & (1 << stream as u8) != 0 && !is_kept {
                out.push(gap(head, symbol, stream));
            }
        }
    }
}

#[cfg(test)]
mod tests;
