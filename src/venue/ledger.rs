//! Ledger: what every dialect remembers, kept in one place so that a dialect is only about its venue.
//!
//! It holds the room for a frame's events, the numbering of every book (`chain`), updates that came too early on one
//! of two legs (`early`), the ids of recent
//! trades and prints (`recent`), and which of the two legs are up. A dialect reads a frame into
//! [`Scratch`] and closes it with the one method that fits the stream: [`Ledger::book`],
//! [`Ledger::trades`], [`Ledger::prints`], [`Ledger::values`] or [`Ledger::close`]. Nothing is
//! changed before the frame is known to be good, and nothing is applied twice.

use super::chain::{Chain, Link, Step};
use super::early::Early;
use super::recent::Recent;
use super::{Refusal, Road, Said};
use crate::event::{ALONE, Body, Event, FIRST, Gap, Head, Kind, LAST, Stream};
use crate::health::{Fault, FaultKind};
use crate::market::SymbolId;
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Trades remembered per symbol: many times what two legs are apart, or a venue repeats.
const TRADES: usize = 4096;
/// Prints remembered per symbol.
const PRINTS: usize = 512;
/// The leg whose values of a kind count has said none for so long, by the exchange's stamps: the other's count.
const OWNER_LATE: Nanos = Nanos::seconds(1);
/// A value whose stamp lies behind the last one's by less than this is late. By more, the exchange's clock has stepped.
const VALUE_LATE: Nanos = Nanos::seconds(10);
/// Kinds of values: event kinds up to `Interest`.
const VALUES: usize = 8;
/// Marks a row that is left out; no event has these bits.
const DROPPED: u8 = u8::MAX;

/// The last value of a kind that was taken.
#[derive(Debug, Clone, Copy, Zeroable, Pod)]
#[repr(C)]
struct Valued {
    /// The exchange's stamp; zero = none yet.
    at: Nanos,
    /// The leg that told it.
    by: u64,
}

/// Room for the events of one frame.
#[derive(Debug)]
pub(crate) struct Scratch {
    events: Box<[Event]>,
    pub(crate) used: usize,
    pub(crate) over: bool,
    /// Rows of a REST answer that did not fit.
    pub(crate) faults: Vec<Fault>,
    /// The stream and symbol of the frame the tolerant road reads, once its topic was understood.
    pub(crate) about: Option<(Stream, SymbolId)>,
    /// What the venue last refused.
    pub(crate) refusal: Refusal,
}

impl Scratch {
    fn new(events: usize) -> Self {
        Self {
            events: vec![Event::tick(Nanos::ZERO); events].into_boxed_slice(),
            used: 0,
            over: false,
            faults: Vec::new(),
            about: None,
            refusal: Refusal::EMPTY,
        }
    }
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.over = false;
        self.about = None;
    }
    /// Adds one; what does not fit is remembered as [`Scratch::over`].
    #[inline(always)]
    pub(crate) fn push(&mut self, event: Event) {
        match self.events.get_mut(self.used) {
            Some(room) => {
                *room = event;
                self.used += 1;
            }
            None => self.over = true,
        }
    }
    /// The events so far.
    pub(crate) fn events(&self) -> &[Event] {
        self.events.get(..self.used).unwrap_or_default()
    }
    /// The events so far, to be changed.
    pub(crate) fn events_mut(&mut self) -> &mut [Event] {
        self.events.get_mut(..self.used).unwrap_or_default()
    }
    /// True when so many more fit.
    fn has_room(&self, more: usize) -> bool {
        self.used + more <= self.events.len()
    }
    /// Sets FIRST and LAST and gives the number of events.
    fn close(&mut self) -> Result<usize, Fault> {
        if self.over {
            return Err(Fault::new(0, FaultKind::TooLong));
        }
        let used = &mut self.events[..self.used];
        if let Some(first) = used.first_mut() {
            first.bits |= FIRST;
        }
        if let Some(last) = used.last_mut() {
            last.bits |= LAST;
        }
        Ok(self.used)
    }
    /// Keeps the events that `wanted` wants, in order.
    #[inline]
    fn keep(&mut self, mut wanted: impl FnMut(&Event) -> bool) {
        let mut kept = 0;
        for at in 0..self.used {
            if wanted(&self.events[at]) {
                if kept != at {
                    self.events[kept] = self.events[at];
                }
                kept += 1;
            }
        }
        self.used = kept;
    }
}

/// What a dialect remembers beside its own.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) scratch: Scratch,
    books: Vec<Chain>,
    early: Early,
    trades: Vec<Recent>,
    prints: Vec<Recent>,
    /// Bit per leg that is connected.
    up: u8,
    /// The leg whose values (tickers) count at first.
    owner: usize,
    /// The last value of each kind, by symbol, while two legs are up.
    valued: Vec<[Valued; VALUES]>,
    /// Trades and prints that were met before, updates that the other leg had brought.
    pub(crate) duplicates: u64,
    /// The stream and symbol that the frame spoke of, also when nothing of it was new.
    pub(crate) heard: Option<(Stream, SymbolId)>,
}

impl Ledger {
    /// For `symbols` symbols, and frames of at most `events` events.
    pub(crate) fn new(symbols: usize, events: usize) -> Self {
        Self {
            scratch: Scratch::new(events),
            books: vec![Chain::zeroed(); symbols],
            early: Early::new(),
            trades: vec![Recent::new(TRADES); symbols],
            prints: vec![Recent::new(PRINTS); symbols],
            // A decoder that is told of no connection has one.
            up: 1,
            owner: 0,
            valued: vec![[Valued::zeroed(); VALUES]; symbols],
            duplicates: 0,
            heard: None,
        }
    }

    /// Legs that are up, a bit each.
    pub(crate) const fn up(&self) -> u8 {
        self.up
    }

    /// The numbering of a symbol's book.
    pub(crate) fn chain(&mut self, symbol: usize) -> Option<&mut Chain> {
        self.books.get_mut(symbol)
    }

    /// True while a symbol's book waits for an image.
    pub(crate) fn waits(&self, symbol: usize) -> bool {
        self.books.get(symbol).is_some_and(Chain::waits)
    }

    /// A leg came up.
    pub(crate) fn leg_up(&mut self, leg: usize, alone: bool) {
        let bit = 1u8 << (leg & 1);
        self.up = if alone { bit } else { self.up | bit };
        // What one leg told alone is not remembered: the second begins with what the first goes on to say.
        self.valued.fill([Valued::zeroed(); VALUES]);
        if self.up & (1 << self.owner) == 0 {
            self.owner = leg & 1;
        }
    }

    /// A leg went down; calls `broken` for every symbol whose book is lost with it.
    pub(crate) fn leg_down(&mut self, leg: usize, mut broken: impl FnMut(usize)) {
        self.up &= !(1 << (leg & 1));
        if self.up != 0 && self.up & (1 << self.owner) == 0 {
            self.owner = 1 - self.owner;
        }
        if self.up == 0 {
            self.early.clear();
        }
        self.early.leg_down(leg);
        for (symbol, chain) in self.books.iter_mut().enumerate() {
            if chain.leg_down(leg, self.up) {
                self.early.forget(symbol as u16);
                broken(symbol);
            }
        }
    }

    /// Begins a symbol's book at an id that came from elsewhere (a REST image).
    pub(crate) fn begin(&mut self, symbol: SymbolId, at: u64) {
        if let Some(chain) = self.books.get_mut(usize::from(symbol.0)) {
            chain.begin(at);
            self.early.forget(symbol.0);
        }
    }

    /// A symbol's book is lost, and waits for its image.
    pub(crate) fn wait(&mut self, symbol: usize) {
        if let Some(chain) = self.books.get_mut(symbol) {
            chain.wait();
            self.early.forget(symbol as u16);
        }
    }

    /// Closes a frame of a book whose levels are in the scratch. A break leaves a Gap instead of
    /// the levels, and asks for the book anew.
    #[inline]
    pub(crate) fn book(
        &mut self,
        leg: usize,
        head: Head,
        link: Link,
        road: Road,
    ) -> Result<Said, Fault> {
        if self.scratch.over {
            return Err(Fault::new(0, FaultKind::TooLong));
        }
        let empty = self.scratch.used == 0;
        let up = self.up;
        let Some(chain) = self.books.get_mut(usize::from(head.symbol.0)) else {
            self.scratch.clear();
            return Ok(Said::IGNORED);
        };
        // A book that waits for its image is not heard, whatever comes.
        if link.image || !chain.waits() {
            self.heard = Some((Stream::Book, head.symbol));
        }
        let symbol = head.symbol.0;
        let step = if link.image && empty {
            // An image without a level is no book: said aloud, and asked for again.
            chain.wait();
            Step::Broken { expected: 0 }
        } else {
            chain.follow(leg, up, link)
        };
        if step != Step::Low && !self.early.is_empty() {
            self.go_on(leg, head, step, link.image);
        }
        let kept = matches!(step, Step::Low | Step::Ahead)
            && self.early.keep(symbol, leg, link, self.scratch.events());
        match step {
            Step::Next => self.close(road),
            Step::Ahead if kept => {
                self.scratch.clear();
                Ok(Said::IGNORED)
            }
            Step::Old | Step::Low | Step::Ahead => {
                self.duplicates += u64::from(up == 3);
                self.scratch.clear();
                Ok(Said::IGNORED)
            }
            Step::Broken { expected } => {
                self.early.forget(symbol);
                self.scratch.clear();
                let gap = Gap {
                    stream: Stream::Book,
                    expected,
                    got: link.update,
                };
                let symbol = head.symbol;
                let head = Head {
                    bits: ALONE,
                    ..head
                };
                self.scratch.push(Event::new(head, Body::Gap(gap)));
                let mut said = self.close(road)?;
                said.gap = true;
                said.resync = Some(symbol);
                Ok(said)
            }
        }
    }

    /// A leg went on while something is kept. When the book moved, what follows leaves behind it, in the same group.
    #[cold]
    fn go_on(&mut self, leg: usize, head: Head, step: Step, image: bool) {
        let (symbol, early, scratch) = (head.symbol.0, &mut self.early, &mut self.scratch);
        let Some(chain) = self.books.get_mut(usize::from(symbol)) else {
            return;
        };
        if image {
            // It begins anew; what follows it comes again.
            early.forget(symbol);
        }
        while let Some(last) = chain.last().filter(|_| step == Step::Next) {
            let mut fits = true;
            let mut release = |levels: &[Event]| {
                fits = scratch.has_room(levels.len());
                for level in levels.iter().filter(|_| fits) {
                    // It could be used only now.
                    let mut level = *level;
                    level.recv = head.recv;
                    scratch.push(level);
                }
            };
            match early.next(symbol, last, &mut release) {
                Some((update, legs)) if fits => chain.go_on(legs, update),
                _ => break,
            }
        }
        let last = chain.last().unwrap_or(0);
        early.pass(symbol, leg, last);
        if step == Step::Next {
            chain.set_ahead(early.legs(symbol, last));
        }
    }

    /// Closes a frame of trades: one whose id was met before is left out.
    #[inline]
    pub(crate) fn trades(&mut self, road: Road) -> Result<Said, Fault> {
        if self.scratch.over {
            return Err(Fault::new(0, FaultKind::TooLong));
        }
        self.hear(Stream::Trades);
        let (trades, before) = (&mut self.trades, self.scratch.used);
        self.scratch.keep(|event| match event.body() {
            Body::Trade(trade) => trades
                .get_mut(usize::from(event.symbol.0))
                .is_none_or(|recent| !recent.is_known(trade.id)),
            _ => true,
        });
        self.kept(before, road)
    }

    /// Closes a frame of liquidations. They have no ids: one is known again by its stamp, price,
    /// quantity, holder, and by how many equal ones stood before it in its frame.
    pub(crate) fn prints(&mut self, road: Road) -> Result<Said, Fault> {
        if self.scratch.over {
            return Err(Fault::new(0, FaultKind::TooLong));
        }
        self.hear(Stream::Liquidations);
        let before = self.scratch.used;
        // Equal rows of one frame are told apart by their number; frames hold a few rows.
        let events = self.scratch.events_mut();
        let mut kept = 0;
        for at in 0..events.len() {
            let id = print_id(&events[at]);
            let twins = events[..at]
                .iter()
                .filter(|event| print_id(event) == id)
                .count() as u64;
            let symbol = usize::from(events[at].symbol.0);
            let known = events[at].kind() == Kind::Liquidation
                && self.prints.get_mut(symbol).is_some_and(|recent| {
                    recent.is_known(id.wrapping_add(twins.wrapping_mul(0x9e37_79b9)))
                });
            if known {
                // The place keeps its row, so that rows behind it still count their twins.
                events[at].bits = DROPPED;
            } else {
                kept += 1;
            }
        }
        if kept != before {
            self.scratch.keep(|event| event.bits != DROPPED);
        }
        self.kept(before, road)
    }

    #[inline]
    fn hear(&mut self, stream: Stream) {
        let first = self.scratch.events().first();
        self.heard = first.map(|event| (stream, event.symbol));
    }

    fn kept(&mut self, before: usize, road: Road) -> Result<Said, Fault> {
        self.duplicates += (before - self.scratch.used) as u64;
        if self.scratch.used == 0 {
            return Ok(Said::IGNORED);
        }
        self.close(road)
    }

    /// Closes a frame of values (mark, funding, interest, best prices): those of one leg count, the other's say the
    /// same a moment earlier or later. While the one says nothing of a kind the other's count, and never an older one
    /// behind a newer.
    #[inline]
    pub(crate) fn values(&mut self, leg: usize, road: Road) -> Result<Said, Fault> {
        self.hear(Stream::Ticker);
        if self.up == 3 && !self.is_news(leg) {
            self.duplicates += 1;
            self.scratch.clear();
            return Ok(Said::IGNORED);
        }
        self.close(road)
    }

    /// True when the values of a leg of two, which the frame begins with, are to be taken; remembers their stamp.
    fn is_news(&mut self, leg: usize) -> bool {
        let leg = leg & 1;
        let Some(first) = self.scratch.events().first() else {
            return leg == self.owner;
        };
        let (exch, kind) = (first.exch, first.kind() as usize);
        let own = self.valued.get_mut(usize::from(first.symbol.0));
        let Some(valued) = own.and_then(|own| own.get_mut(kind)) else {
            return leg == self.owner;
        };
        let since = exch.since(valued.at);
        let is_news = if valued.at == Nanos::ZERO {
            leg == self.owner
        } else if valued.by == leg as u64 {
            since >= Nanos::ZERO || Nanos::ZERO.since(since) >= VALUE_LATE
        } else {
            exch != Nanos::ZERO && since > OWNER_LATE
        };
        if is_news {
            (valued.at, valued.by) = (exch, leg as u64);
        }
        is_news
    }

    /// Closes a frame as it is.
    #[inline]
    pub(crate) fn close(&mut self, road: Road) -> Result<Said, Fault> {
        Ok(Said {
            events: self.scratch.close()?,
            road,
            gap: false,
            resync: None,
        })
    }

    /// Appends the memory that the next frames depend on.
    pub(crate) fn remember(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.up, self.owner as u8]);
        out.extend_from_slice(bytemuck::cast_slice(&self.books));
        out.extend_from_slice(bytemuck::cast_slice(&self.valued));
        self.early.remember(out);
        for recent in self.trades.iter().chain(&self.prints) {
            for word in recent.words() {
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
    }

    /// Takes the memory back that [`Ledger::remember`] gave; `None` when it does not fit.
    pub(crate) fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        let [up, owner] = *take::<2>(from)?;
        (self.up, self.owner) = (up & 3, usize::from(owner & 1));
        for chain in &mut self.books {
            let bytes = take::<{ size_of::<Chain>() }>(from)?;
            *chain = bytemuck::pod_read_unaligned(bytes);
        }
        for valued in self.valued.iter_mut().flatten() {
            *valued = bytemuck::pod_read_unaligned(take::<{ size_of::<Valued>() }>(from)?);
        }
        self.early.recall(from)?;
        for recent in self.trades.iter_mut().chain(&mut self.prints) {
            for word in recent.words_mut() {
                *word = u64::from_le_bytes(*take::<8>(from)?);
            }
        }
        Some(())
    }
}

/// The first `N` bytes, which are taken off.
pub(crate) fn take<'a, const N: usize>(from: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(first)
}

/// What tells one print from another.
fn print_id(event: &Event) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let Body::Liquidation(print) = event.body() else {
        return 0;
    };
    [
        event.exch.get(),
        print.price.get(),
        print.qty.get(),
        print.holder as i64,
    ]
    .into_iter()
    .fold(u64::from(event.symbol.0), |hash, word| {
        (hash.rotate_left(29) ^ word as u64).wrapping_mul(MIX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::VenueId;
    use crate::num::Px;

    /// How many events a mark of a leg with this stamp (milliseconds) gives.
    fn mark(ledger: &mut Ledger, leg: usize, symbol: u16, ms: i64) -> usize {
        ledger.scratch.clear();
        let head = Head {
            recv: Nanos::new(1),
            exch: Nanos::millis(ms),
            venue: VenueId::OKX,
            symbol: SymbolId(symbol),
            bits: 0,
        };
        ledger
            .scratch
            .push(Event::new(head, Body::Mark(Px::new(5))));
        ledger.values(leg, Road::Fast).unwrap().events
    }

    #[test]
    fn values_of_the_other_leg_count_while_the_first_is_silent() {
        let mut ledger = Ledger::new(2, 8);
        ledger.leg_up(0, true);
        assert_eq!(mark(&mut ledger, 0, 0, 90_000), 1);
        ledger.leg_up(1, false);
        assert_eq!(
            mark(&mut ledger, 1, 0, 90_001),
            0,
            "the first has yet to speak"
        );
        for ms in [100_000, 100_200, 100_400] {
            assert_eq!(mark(&mut ledger, 1, 0, ms), 0);
            assert_eq!(mark(&mut ledger, 0, 0, ms), 1);
            assert_eq!(mark(&mut ledger, 1, 0, ms), 0);
        }
        // It falls silent on one symbol: a second later the other's are taken.
        let taken: Vec<_> = (1..=9)
            .map(|i| mark(&mut ledger, 1, 0, 100_400 + 200 * i))
            .collect();
        assert_eq!(taken, [0, 0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(
            mark(&mut ledger, 0, 1, 100_500),
            1,
            "another symbol is its own"
        );
        // It comes back: nothing is told twice, and nothing older behind what is newer.
        for ms in [102_000, 102_200, 102_400] {
            assert_eq!(mark(&mut ledger, 0, 0, ms), 0);
        }
        assert_eq!(mark(&mut ledger, 1, 0, 102_600), 1);
        assert_eq!(mark(&mut ledger, 1, 0, 102_400), 0);
        // It counts again when the other has fallen silent.
        assert_eq!(mark(&mut ledger, 0, 0, 103_600), 0);
        assert_eq!(mark(&mut ledger, 0, 0, 103_800), 1);
        assert_eq!(mark(&mut ledger, 1, 0, 104_000), 0);
        // A clock that is set back by more than anything is late is believed.
        assert_eq!(mark(&mut ledger, 0, 0, 60_000), 1);
        // Alone it is not asked.
        ledger.leg_down(0, |_| {});
        assert_eq!(mark(&mut ledger, 1, 0, 50_000), 1);
    }
}
