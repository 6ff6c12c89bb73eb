//! Shard: one instance's whole model. `step` takes an event, changes the state, and publishes after LAST.
//!
//! ```text
//!   event --> book | streams | inventory --> heatmap --> zones --> cards --> bias --> record --> Publish
//!             (every event, a few adds)      (once a second or on a sweep)  (when due)
//! ```
//! The pure heart: no clock, no socket, no file, no allocation after `Shard::new`, no float, no randomness. Live,
//! replay and simulation run the same events through this function and get the same bytes.
//!
//! A venue of the plan has a slot in every room, found by one table look-up; `room` says what a slot may do. State is
//! one arena (`arena`): a `Head` and a `Room` per symbol, pointer-free, all zeros at the start; its bytes are a
//! checkpoint, and `Shard::restore` goes on from them as if it had never stopped. `step` answers nothing; what is worth
//! knowing goes through `Publish`, hashed on the way (`state_hash`, rulings 4): the headline of the three modes after
//! every frame of a symbol, the wide record every 100 ms of shard time that changed something. The whole map is shown
//! once a second, unhashed.

#[macro_use]
mod layout;
mod history;
mod place;
mod reading;
mod room;
mod setup;

use crate::arena::Arena;
use crate::book::Book;
use crate::calibrate::Calibration;
use crate::event::{ALONE, Body, Event, Kind};
use crate::health::flag;
use crate::heatmap::Heatmap;
use crate::inventory::Inventory;
use crate::inventory::exact::Exact;
use crate::inventory::liquidation::{self, Rule};
use crate::market::VenueId;
use crate::num::{Px, Qty};
use crate::shm::record::{EVENT_CLOSED, EventRecord, FNV_START, MODES, Publish, Wide};
use crate::time::Nanos;
use crate::zone;
use crate::zone::odds::Taught;
use crate::zone::onward::Onward;
use bytemuck::{Pod, Zeroable};
pub use layout::layout_hash;
use room::Room;
pub use setup::{Setup, ShardError};

/// Venues a symbol's room has slots for. Raising it is this number; memory grows with it.
pub const VENUES: usize = 4;
/// A symbol's whole map is shown once in so many ticks: a second.
const MAP_TICKS: u64 = 100;
/// Slot of a venue that the plan does not name.
const NO_SLOT: u8 = u8::MAX;
/// How long a symbol that can be answered for waits for the others.
const PATIENCE: Nanos = Nanos::MINUTE;

/// What the shard must know of a venue beyond its number.
#[derive(Debug)]
struct Manner {
    venue: VenueId,
    /// How it computes maintenance.
    rule: &'static Rule,
    /// Its book images hold the best part only, its changes speak of the whole book.
    cut: bool,
    /// Its ticker leaves out what has not changed, and so confirms it.
    confirms: bool,
}

const fn manner_of(venue: VenueId, rule: &'static Rule) -> Manner {
    Manner {
        venue,
        rule,
        cut: false,
        confirms: false,
    }
}

/// A row per venue; a venue without one is taken as the first, whose rule is the most usual.
static MANNERS: [Manner; 4] = [
    Manner {
        cut: true,
        ..manner_of(VenueId::BINANCE, &liquidation::BINANCE)
    },
    Manner {
        confirms: true,
        ..manner_of(VenueId::BYBIT, &liquidation::BYBIT)
    },
    manner_of(VenueId::OKX, &liquidation::OKX),
    manner_of(VenueId::HYPERLIQUID, &liquidation::HYPERLIQUID),
];

fn manner(venue: VenueId) -> &'static Manner {
    let row = MANNERS.iter().find(|row| row.venue == venue);
    row.unwrap_or(&MANNERS[0])
}

/// What a venue last told of a symbol; `None` = nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Mark price.
    pub mark: Option<Px>,
    /// Open interest, one side.
    pub interest: Option<Qty>,
}

/// What a shard has counted: each a reason to look, none a reason to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Times a book was crossed.
    pub crossed: u64,
    /// Inventories that did not add up and were seeded anew.
    pub reseeds: u64,
    /// Entries that a full table merged, dropped or refused.
    pub table_full: u64,
    /// Numbers that were clipped.
    pub saturated: u64,
    /// Events of symbols or venues outside the plan, and of contracts after their delisting.
    pub strangers: u64,
    /// Values of open interest that were not believed: maintenance.
    pub odd_interest: u64,
    /// Pieces of history that came too late, out of order or malformed.
    pub late_history: u64,
    /// Changes of a contract's price step.
    pub tick_changes: u64,
}

/// When each input of a venue was last heard, in shard time; zero = never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// Newest trade.
    pub trade: Nanos,
    /// Newest book level.
    pub book: Nanos,
    /// Newest mark.
    pub mark: Nanos,
    /// Newest open interest.
    pub interest: Nanos,
    /// Newest liquidation print.
    pub print: Nanos,
    /// Newest funding.
    pub funding: Nanos,
}

/// State that belongs to no symbol.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Head {
    /// [`layout_hash`] of the build that began it.
    layout: u64,
    /// Hash of symbols, venues and model.
    plan: u64,
    /// Shard time.
    now: Nanos,
    input_seq: u64,
    state_hash: u64,
    /// Events by kind.
    kinds: [u64; Kind::ALL.len()],
    /// Bit per connection that is down after having been up.
    down: u64,
    /// 1 while a frame that concerns every symbol is being stepped.
    all: u64,
    /// Ticks stepped.
    ticks: u64,
    /// Events of symbols or venues that have no room.
    strangers: u64,
    /// Number of the last event of zones that was told.
    events: u64,
    /// Slot by venue number; [`NO_SLOT`] = not in the plan.
    slots: [u8; 256],
}

layout!(Head: layout, plan, now, input_seq, state_hash, kinds, down, all, ticks, strangers, events, slots);

/// The model of one instance.
#[derive(Debug)]
pub struct Shard {
    arena: Arena,
    symbols: usize,
    venues: Vec<VenueId>,
}

impl Shard {
    /// Bytes of state for one symbol.
    #[must_use]
    pub const fn bytes_per_symbol() -> usize {
        size_of::<Room>()
    }

    /// Builds the empty state.
    ///
    /// # Errors
    /// See [`ShardError`].
    pub fn new(setup: &Setup) -> Result<Self, ShardError> {
        let symbols = setup.symbols.len();
        if symbols == 0 || symbols > 1_024 {
            return Err(ShardError::Symbols(symbols));
        }
        let venues = &setup.venues;
        let twice = |at: usize| venues[..at].contains(&venues[at]);
        if venues.is_empty() || venues.len() > VENUES || (1..venues.len()).any(twice) {
            let numbers: Vec<_> = venues.iter().map(|venue| venue.0.to_string()).collect();
            return Err(ShardError::Venues(format!("[{}]", numbers.join(", "))));
        }
        setup.fits()?;
        let mut arena = Arena::new::<Head, Room>(symbols);
        let (head, rooms) = arena.view_mut::<Head, Room>();
        head.state_hash = FNV_START;
        (head.layout, head.plan) = (layout_hash(), setup.hash());
        head.slots = [NO_SLOT; 256];
        for (slot, venue) in venues.iter().enumerate() {
            head.slots[usize::from(venue.0)] = slot as u8;
        }
        let model_hash = setup.model_hash();
        for room in &mut rooms[..symbols] {
            room.choice = setup.choice;
            room.model_hash = model_hash;
            room.reach = [[reading::NOWHERE; 2]; MODES];
            for (v, venue) in venues.iter().enumerate() {
                let manner = manner(*venue);
                room.place[v].begin(&setup.choice, manner);
                room.book[v].cut = u64::from(manner.cut);
            }
        }
        for (symbol, venue, known) in &setup.calibrations {
            let slot = venues.iter().position(|named| named == venue);
            if let (Some(room), Some(v)) = (rooms[..symbols].get_mut(*symbol), slot) {
                room.calibration[v] = *known;
            }
        }
        for (symbol, mode, taught) in &setup.taught {
            if let Some(room) = rooms[..symbols].get_mut(*symbol) {
                room.zones.begin_with(*mode, taught);
            }
        }
        Ok(Self {
            arena,
            symbols,
            venues: venues.clone(),
        })
    }

    /// The state that [`Shard::bytes`] told, of the same plan: it goes on as the one that told them would have.
    ///
    /// # Errors
    /// As [`Shard::new`]; bytes of another layout, plan or size.
    pub fn restore(setup: &Setup, bytes: &[u8]) -> Result<Self, ShardError> {
        let mut shard = Self::new(setup)?;
        let wants = *shard.head();
        let held = shard.arena.bytes_mut();
        let size = ShardError::Size {
            found: bytes.len(),
            wants: held.len(),
        };
        let Some(head) = bytes.get(..size_of::<Head>()) else {
            return Err(size);
        };
        let head: Head = bytemuck::pod_read_unaligned(head);
        if head.layout != wants.layout {
            return Err(ShardError::Layout {
                found: head.layout,
                wants: wants.layout,
            });
        }
        if head.plan != wants.plan || head.slots != wants.slots {
            return Err(ShardError::OtherPlan);
        }
        if bytes.len() != held.len() {
            return Err(size);
        }
        held.copy_from_slice(bytes);
        Ok(shard)
    }

    /// Bytes of the whole state.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.arena.bytes()
    }

    /// Steps one event.
    pub fn step(&mut self, event: &Event, out: &mut impl Publish) {
        let (head, rooms) = self.arena.view_mut::<Head, Room>();
        let rooms = &mut rooms[..self.symbols];
        let (kind, slot) = (
            event.kind(),
            usize::from(head.slots[usize::from(event.venue.0)]),
        );
        head.input_seq += 1;
        head.now = head.now.max(event.recv);
        head.kinds[kind as usize] += 1;
        match kind {
            Kind::Tick => return tick(head, rooms, &self.venues, out),
            Kind::Connect | Kind::Disconnect => head.connection(event),
            _ => {
                // One loss for many symbols: every one of them says so at once.
                if kind == Kind::Gap && event.bits & ALONE != ALONE {
                    head.all = 1;
                }
                apply(head, rooms, slot, kind, event);
            }
        }
        if !event.is_last() {
            return;
        }
        if head.all == 1 {
            head.all = 0;
            for (symbol, room) in rooms.iter_mut().enumerate() {
                settle(head, symbol, room, NO_SLOT.into(), out);
            }
        } else if let Some(room) = rooms.get_mut(usize::from(event.symbol.0)) {
            // Only levels have an end of frame that a model waits for.
            let booked = if kind == Kind::Level {
                slot
            } else {
                NO_SLOT.into()
            };
            settle(head, usize::from(event.symbol.0), room, booked, out);
        }
    }

    /// Number of the last input.
    #[must_use]
    pub fn input_seq(&self) -> u64 {
        self.head().input_seq
    }

    /// The chain over everything published.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        self.head().state_hash
    }

    /// Shard time.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.head().now
    }

    /// Events stepped, of one kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        self.head().kinds[kind as usize]
    }

    /// True once every symbol that is listed was heard long enough to be answered for, or one of them was and had
    /// [`PATIENCE`] with the others: of what no venue lists nothing is ever heard. What each answer is worth is in its
    /// flags.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        let (head, rooms) = self.arena.view::<Head, Room>();
        let rooms = &rooms[..self.symbols];
        let answered = |room: &Room| room.lived != 0 || room.is_delisted();
        let waited = |room: &Room| room.lived != 0 && head.now.since(room.seeded) >= PATIENCE;
        rooms.iter().all(answered) || rooms.iter().any(waited)
    }

    /// What was counted on the way, summed over symbols.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let (head, rooms) = self.arena.view::<Head, Room>();
        let mut tally = Tally {
            strangers: head.strangers,
            ..Tally::default()
        };
        for room in &rooms[..self.symbols] {
            room.add_to(&mut tally);
        }
        tally
    }

    /// The record of a symbol as it would be published now (the clockless part of it).
    #[must_use]
    pub fn wide(&self, symbol: usize) -> Option<Wide> {
        let (head, rooms) = self.arena.view::<Head, Room>();
        let room = rooms[..self.symbols].get(symbol)?;
        let mut wide = room.wide;
        room.write_wide(head.now, head.input_seq, head.flags(), &mut wide);
        Some(wide)
    }

    /// A symbol's inventory at its reference venue: for proofs and tests.
    #[must_use]
    pub fn inventory(&self, symbol: usize) -> Option<&Inventory> {
        let room = self.room(symbol)?;
        Some(&room.inventory[room.slot()])
    }

    /// A symbol's inventory at a venue; `None` for a symbol or venue outside the plan.
    #[must_use]
    pub fn inventory_at(&self, symbol: usize, venue: VenueId) -> Option<&Inventory> {
        Some(&self.room(symbol)?.inventory[self.slot(venue)?])
    }

    /// Positions of public accounts in a symbol, and the venue they are held at; `None` while none was told.
    #[must_use]
    pub fn exact(&self, symbol: usize) -> Option<(VenueId, &Exact)> {
        let (slot, exact) = self.room(symbol)?.known()?;
        Some((*self.venues.get(slot)?, exact))
    }

    /// What a venue's prints say of a symbol's θ; `None` for a symbol or venue outside the plan.
    #[must_use]
    pub fn calibration_at(&self, symbol: usize, venue: VenueId) -> Option<&Calibration> {
        Some(&self.room(symbol)?.calibration[self.slot(venue)?])
    }

    /// What touches taught of the runs of a symbol's zones in a mode; `None` for a symbol outside the plan.
    #[must_use]
    pub fn taught(&self, symbol: usize, mode: usize) -> Option<&Taught> {
        Some(self.room(symbol)?.zones.lessons(mode))
    }

    /// How far price goes on behind cascades of longs and of shorts; `None` for a symbol outside the plan.
    #[must_use]
    pub fn onward(&self, symbol: usize) -> Option<&[Onward; 2]> {
        self.room(symbol).map(|room| &room.onward)
    }

    /// A symbol's map.
    #[must_use]
    pub fn heatmap(&self, symbol: usize) -> Option<&Heatmap> {
        self.room(symbol).map(|room| &room.heatmap)
    }

    /// A symbol's book at a venue; `None` for a symbol or venue outside the plan.
    #[must_use]
    pub fn book_at(&self, symbol: usize, venue: VenueId) -> Option<&Book> {
        Some(&self.room(symbol)?.book[self.slot(venue)?])
    }

    /// What a venue last told of a symbol; `None` for a symbol or venue outside the plan.
    #[must_use]
    pub fn told(&self, symbol: usize, venue: VenueId) -> Option<Told> {
        let place = &self.room(symbol)?.place[self.slot(venue)?];
        let known = |kind| place.known(kind) != Nanos::ZERO;
        Some(Told {
            mark: known(Kind::Mark).then_some(place.mark),
            interest: known(Kind::Interest).then_some(place.interest),
        })
    }

    /// The venue whose mark, book and trades a symbol's records speak of.
    #[must_use]
    pub fn reference(&self, symbol: usize) -> Option<VenueId> {
        self.venues.get(self.room(symbol)?.slot()).copied()
    }

    /// When a venue's inputs of a symbol were last heard; `None` for a symbol or venue outside the plan.
    #[must_use]
    pub fn heard_of(&self, symbol: usize, venue: VenueId) -> Option<Heard> {
        let place = &self.room(symbol)?.place[self.slot(venue)?];
        Some(Heard {
            trade: place.heard[Kind::Trade as usize],
            book: place.heard[Kind::Level as usize],
            mark: place.known(Kind::Mark),
            interest: place.known(Kind::Interest),
            print: place.heard[Kind::Liquidation as usize],
            funding: place.known(Kind::Funding),
        })
    }

    /// When a venue's inputs were last heard, the newest over all symbols; `None` for a venue outside the plan.
    #[must_use]
    pub fn heard(&self, venue: VenueId) -> Option<Heard> {
        self.slot(venue)?;
        let each = (0..self.symbols).filter_map(|symbol| self.heard_of(symbol, venue));
        Some(each.fold(Heard::default(), |a, b| Heard {
            trade: a.trade.max(b.trade),
            book: a.book.max(b.book),
            mark: a.mark.max(b.mark),
            interest: a.interest.max(b.interest),
            print: a.print.max(b.print),
            funding: a.funding.max(b.funding),
        }))
    }

    fn room(&self, symbol: usize) -> Option<&Room> {
        let (_, rooms) = self.arena.view::<Head, Room>();
        rooms[..self.symbols].get(symbol)
    }

    fn slot(&self, venue: VenueId) -> Option<usize> {
        self.venues.iter().position(|named| *named == venue)
    }

    fn head(&self) -> &Head {
        self.arena.view::<Head, Room>().0
    }
}

impl Head {
    fn connection(&mut self, event: &Event) {
        self.all = 1;
        match event.body() {
            Body::Connect(line) => self.down &= !(1u64 << (line & 63)),
            Body::Disconnect(line) => self.down |= 1u64 << (line & 63),
            _ => {}
        }
    }

    /// Flags that concern every symbol.
    fn flags(&self) -> u32 {
        if self.down != 0 {
            flag::DISCONNECTED
        } else {
            0
        }
    }
}

/// Gives an event to the slot of the room it speaks of.
fn apply(head: &mut Head, rooms: &mut [Room], slot: usize, kind: Kind, event: &Event) {
    match rooms.get_mut(usize::from(event.symbol.0)) {
        Some(room) if slot < VENUES => room.apply(head.now, slot, kind, event),
        _ => head.strangers += 1,
    }
}

/// After LAST: checks, cards when due, headlines. `booked` is the slot whose book the frame changed.
fn settle(head: &mut Head, symbol: usize, room: &mut Room, booked: usize, out: &mut impl Publish) {
    room.settle(head.now, booked);
    tell(head, symbol, room, out);
    room.refresh(head.now, head.flags());
    publish_headlines(head, symbol, room, out);
}

/// Tells what became of the symbol's zones; of one that is over, what was predicted and what came, too.
fn tell(head: &mut Head, symbol: usize, room: &mut Room, out: &mut impl Publish) {
    if room.zones.changes().is_empty() {
        return;
    }
    let said = [room.wide.map.cascade_down, room.wide.map.cascade_up];
    for change in room.zones.changes() {
        let side = usize::from(change.holder & 1);
        room.onward[side].take(change, &said[side]);
    }
    for change in room.zones.changes() {
        let life = room.event(symbol, change);
        let closed = EventRecord {
            kind: EVENT_CLOSED,
            usd: change.birth_usd,
            ..life
        };
        let count = 1 + usize::from(change.to == zone::state::EXPIRED);
        for mut event in [life, closed].into_iter().take(count) {
            head.events += 1;
            event.number = head.events;
            head.state_hash = reading::chain_event(head.state_hash, &event);
            out.event(&event);
        }
    }
    room.zones.clear_changes();
}

fn publish_headlines(head: &mut Head, symbol: usize, room: &mut Room, out: &mut impl Publish) {
    let lines = room.headlines(head.now, head.input_seq);
    for (mode, line) in lines.iter().enumerate() {
        head.state_hash = reading::chain_headline(head.state_hash, line);
        out.headline(symbol, mode, line);
    }
}

/// Ten milliseconds went by.
fn tick(head: &mut Head, rooms: &mut [Room], venues: &[VenueId], out: &mut impl Publish) {
    head.ticks += 1;
    for (symbol, room) in rooms.iter_mut().enumerate() {
        room.tick(head.now, head.ticks, symbol as u64, venues);
        tell(head, symbol, room, out);
        if room.refresh(head.now, head.flags()) {
            publish_headlines(head, symbol, room, out);
        }
        // Wide records take turns: ten ticks, a tenth of the symbols each.
        if room.changed != 0 && (head.ticks + symbol as u64).is_multiple_of(10) {
            room.changed = 0;
            let mut wide = room.wide;
            room.write_wide(head.now, head.input_seq, head.flags(), &mut wide);
            room.wide = wide;
            head.state_hash = reading::chain_wide(head.state_hash, &wide);
            out.without(symbol, &|| room.without());
            out.wide(symbol, &wide);
        }
        // So do snapshots of maps: one a second, of which nothing is hashed.
        if (head.ticks + symbol as u64).is_multiple_of(MAP_TICKS)
            && let Some(view) = room.map(head.now, head.input_seq, head.flags())
        {
            out.map(symbol, &view);
        }
    }
}
