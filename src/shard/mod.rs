//! Shard: one instance's whole model. `step` takes an event, changes the state, and publishes after LAST.
//!
//! ```text
//!   event --> book | streams | inventory --> heatmap --> zones --> cards --> bias --> record --> Publish
//!             (every event, a few adds)      (once a second or on a sweep)  (when due)
//! ```
//! The pure heart: no clock, no socket, no file, no allocation after `Shard::new`, no float, no randomness. Live,
//! replay and simulation run the same events through this function and get the same bytes.
//!
//! State is one arena (`arena`): a `Head` and a `Room` per symbol, pointer-free, all zeros at the start. `step`
//! answers nothing; what is worth knowing goes through `Publish`, hashed on the way (`state_hash`, rulings 4): the
//! headline of the three modes after every frame of a symbol, the wide record every 100 ms of shard time that changed
//! something.

mod reading;
mod room;

use crate::arena::Arena;
use crate::event::{ALONE, Body, Event, Kind};
use crate::health::flag;
use crate::inventory::liquidation::{RULES, Rule};
use crate::inventory::params::{Choice, Params};
use crate::market::VenueId;
use crate::shm::record::{FNV_START, Publish, Wide, fnv_words};
use crate::signal::SIGNALS;
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};
use room::Room;

/// Venues a symbol's room has places for. Raising it is this number; memory grows with it.
pub const VENUES: usize = 1;

/// What a shard is built for.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Canonical assets; the place is the `SymbolId`.
    pub symbols: Vec<String>,
    /// The venue of slot 0, the reference.
    pub venue: VenueId,
    /// What the plan chose for the model.
    pub choice: Choice,
    /// Largest state in bytes; 0 = no limit.
    pub memory_max: u64,
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
    /// Events of symbols or venues outside the plan.
    pub strangers: u64,
}

/// Why a shard cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// No symbol, or more than an index holds.
    #[error("a shard takes 1 to 1024 symbols, the plan has {0}")]
    Symbols(usize),
    /// More memory than the plan allows.
    #[error(
        "the plan needs {needs} MiB for {symbols} symbols ({each} MiB each), memory_max is {max} MiB: fewer symbols, \
         or a larger memory_max"
    )]
    Memory {
        /// MiB needed.
        needs: u64,
        /// Symbols.
        symbols: usize,
        /// MiB for one.
        each: u64,
        /// MiB allowed.
        max: u64,
    },
}

/// State that belongs to no symbol.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Head {
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
}

/// The model of one instance.
#[derive(Debug)]
pub struct Shard {
    arena: Arena,
    symbols: usize,
    venue: VenueId,
}

impl Setup {
    /// The default model for these symbols at this venue.
    #[must_use]
    pub fn new(symbols: Vec<String>, venue: VenueId) -> Self {
        Self {
            symbols,
            venue,
            choice: Choice::default(),
            memory_max: 0,
        }
    }

    /// Hash of the model: what the plan chose and which signals there are, in order. Weights are priors until learning
    /// is on, so there is nothing else to it.
    #[must_use]
    pub fn model_hash(&self) -> u64 {
        let hash = fnv_words(FNV_START, bytemuck::cast_slice(&[self.choice]));
        SIGNALS
            .iter()
            .flat_map(|row| row.id.bytes())
            .fold(hash, |hash, byte| fnv_words(hash, &[u64::from(byte)]))
    }
}

/// The margin rule of a venue.
pub(crate) fn rule(venue: VenueId) -> &'static Rule {
    match venue {
        VenueId::BYBIT => &crate::inventory::liquidation::BYBIT,
        _ => &RULES[0],
    }
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
        let needs = Arena::bytes_for::<Head, Room>(symbols) as u64;
        if setup.memory_max != 0 && needs > setup.memory_max {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            return Err(ShardError::Memory {
                needs: mib(needs),
                symbols,
                each: mib(size_of::<Room>() as u64),
                max: setup.memory_max >> 20,
            });
        }
        let mut arena = Arena::new::<Head, Room>(symbols);
        let (head, rooms) = arena.view_mut::<Head, Room>();
        head.state_hash = FNV_START;
        for room in rooms {
            room.choice = setup.choice;
            room.model_hash = setup.model_hash();
            room.reach = [reading::NOWHERE; 2];
            room.params = Params::chosen(&setup.choice, rule(setup.venue), &[]);
        }
        Ok(Self {
            arena,
            symbols,
            venue: setup.venue,
        })
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
        head.input_seq += 1;
        head.now = head.now.max(event.recv);
        head.kinds[event.kind() as usize] += 1;
        match event.kind() {
            Kind::Tick => return tick(head, rooms, self.venue, out),
            Kind::Connect | Kind::Disconnect => head.connection(event),
            kind => {
                // One loss for many symbols: every one of them says so at once.
                if kind == Kind::Gap && event.bits & ALONE != ALONE {
                    head.all = 1;
                }
                apply(head, rooms, self.venue, event);
            }
        }
        if !event.is_last() {
            return;
        }
        if head.all == 1 {
            head.all = 0;
            for (symbol, room) in rooms.iter_mut().enumerate() {
                settle(head, symbol, room, event, out);
            }
        } else if let Some(room) = rooms.get_mut(usize::from(event.symbol.0)) {
            settle(head, usize::from(event.symbol.0), room, event, out);
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

    /// True once every symbol was heard long enough to be answered for; what each answer is worth is in its flags.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        let (_, rooms) = self.arena.view::<Head, Room>();
        rooms[..self.symbols].iter().all(|room| room.lived != 0)
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

    /// A symbol's inventory at the reference venue: for proofs and tests.
    #[must_use]
    pub fn inventory(&self, symbol: usize) -> Option<&crate::inventory::Inventory> {
        let (_, rooms) = self.arena.view::<Head, Room>();
        rooms[..self.symbols]
            .get(symbol)
            .map(|room| &room.inventory[0])
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

/// Gives an event to the room it speaks of.
fn apply(head: &mut Head, rooms: &mut [Room], venue: VenueId, event: &Event) {
    match rooms.get_mut(usize::from(event.symbol.0)) {
        Some(room) if event.venue == venue => room.apply(head.now, event, &event.body()),
        _ => head.strangers += 1,
    }
}

/// After LAST: checks, cards when due, headlines.
fn settle(head: &mut Head, symbol: usize, room: &mut Room, event: &Event, out: &mut impl Publish) {
    room.settle(head.now, event);
    room.refresh(head.now, head.flags());
    publish_headlines(head, symbol, room, out);
}

fn publish_headlines(head: &mut Head, symbol: usize, room: &mut Room, out: &mut impl Publish) {
    let lines = room.headlines(head.now, head.input_seq);
    for (mode, line) in lines.iter().enumerate() {
        head.state_hash = reading::chain_headline(head.state_hash, line);
        out.headline(symbol, mode, line);
    }
}

/// Ten milliseconds went by.
fn tick(head: &mut Head, rooms: &mut [Room], venue: VenueId, out: &mut impl Publish) {
    head.ticks += 1;
    for (symbol, room) in rooms.iter_mut().enumerate() {
        room.tick(head.now, head.ticks, symbol as u64, venue);
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
            out.wide(symbol, &wide);
        }
    }
}
