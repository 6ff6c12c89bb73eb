//! Page: how the shared memory is laid out. A public format, little-endian, version 0 of its ABI.
//!
//! ```text
//!   byte
//!      0 ┌─────────────────────────────────────────────────────────────────┐
//!        │ magic  abi  header_len  layout_hash  epoch  pid  start  length  │ who
//!     64 │ four regions: offset, stride, count, per_symbol                 │ where
//!    128 │ build[32]  config_hash  model_hash  one region (minor 3)        │ what
//!    192 │ heartbeat_turn │ heartbeat_mono_ns  input_seq  state_hash       │ alive?
//!    256 │ status  kill  kill_reason  venues_up                            │ usable?
//!    320 │ three regions more  newest_event                                │ where (minor 2, 3)
//!    384 ├─────────────────────────────────────────────────────────────────┤
//!        │ counters    64 B each   value  id  name[24]                     │
//!        ├─────────────────────────────────────────────────────────────────┤
//!        │ directory   32 B each   name[16]  index  lot                    │ one per symbol
//!        ├─────────────────────────────────────────────────────────────────┤
//!        │ headlines   64 B each   turn │ Headline                         │ three per symbol
//!        ├─────────────────────────────────────────────────────────────────┤
//!        │ wides     4608 B each   turn │ Wide │ room                      │ one per symbol
//!        ├─────────────────────────────────────────────────────────────────┤
//!        │ venues     128 B each   turn │ VenueRecord                      │ one per venue
//!        ├─────────────────────────────────────────────────────────────────┤
//!        │ errors     256 B each   turn │ ErrorRecord                      │ one per kind
//!        ├─────────────────────────────────────────────────────────────────┤
//!        │ events      64 B each   turn │ EventRecord                      │ the newest 1024
//!        ├─────────────────────────────────────────────────────────────────┤
//!        │ snapshots 16512 B each  turn │ Snapshot │ room                  │ two per symbol
//!        └─────────────────────────────────────────────────────────────────┘
//! ```
//! A reader finds every region by the offset, stride and count in the header, never by its own
//! `sizeof`, so records can grow at their end: readers that know less read the part they know.
//! Fields and counters are appended, never moved or reused. [`LAYOUT_HASH`] names the exact layout;
//! the C header and the document carry the same number. Lines that change at different rates do not
//! share a cache line.

#[cfg(target_endian = "big")]
compile_error!("the page is little-endian");

use super::record::{
    Ages, CascadeRecord, ErrorRecord, EventRecord, Headline, HotRecord, MODES, MapRecord,
    ModeRecord, OddsRecord, VenueRecord, Wide, ZoneRecord, text_of,
};
use super::snapshot::{BUFFERS, SNAPSHOT_WORDS, Snapshot};
use crate::sync::{self, AtomicU64};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};
use core::mem::offset_of;
use memmap2::MmapRaw;

/// "ISOTHRM0" read as a little-endian word. Stored last when a page is made, zeroed first when it
/// is torn down.
pub const MAGIC: u64 = u64::from_le_bytes(*b"ISOTHRM0");
/// A reader refuses any other.
pub const ABI_MAJOR: u16 = 0;
/// A reader refuses a smaller one: it would look for fields that are not there.
pub const ABI_MINOR: u16 = 6;
/// Bytes of a cache line.
pub const LINE: usize = 64;
/// Most symbols of one page: 1024 x (32 + 3 x 64 + 4608 + 2 x 16512) bytes is 39 MB.
pub const MAX_SYMBOLS: usize = 1024;
/// Most venues of one page: zones have a bit for each.
pub const MAX_VENUES: usize = 16;
/// Kinds of errors that a page lists, and one place more for all that did not fit.
pub const ERRORS: usize = 65;
/// Events that a page keeps; older ones are overwritten.
pub const EVENTS: usize = 1024;
/// Bytes of a symbol's name; shorter names are zero-filled.
pub const NAME_LEN: usize = 16;
/// Bytes of a counter's name; shorter names are zero-filled.
pub const COUNTER_NAME_LEN: usize = 24;
/// Bytes of the build text; shorter texts are zero-filled, longer ones cut.
pub const BUILD_LEN: usize = 32;
/// A heartbeat older than this means that the engine is dead or stuck; it beats every millisecond.
pub const HEARTBEAT_MAX: Nanos = Nanos::new(100_000_000);
/// A stamp may lie this far ahead of the reader's clock (the engine derives its own from the cycle
/// counter); one further ahead is from another boot or another machine.
pub const AHEAD_MAX: Nanos = Nanos::new(1_000_000);

/// Words of a headline.
pub const HEADLINE_WORDS: usize = size_of::<Headline>() / 8;
/// Words of a wide record.
pub const WIDE_WORDS: usize = size_of::<Wide>() / 8;
/// Words of a venue's record.
pub const VENUE_WORDS: usize = size_of::<VenueRecord>() / 8;
/// Words of an error's record.
pub const ERROR_WORDS: usize = size_of::<ErrorRecord>() / 8;
/// Words of an event.
pub const EVENT_WORDS: usize = size_of::<EventRecord>() / 8;
/// Words of the heartbeat record (the line without its turn).
pub const HEARTBEAT_WORDS: usize = 7;

/// Bits of [`Header::status`].
pub mod status {
    /// Started, history still being gathered.
    pub const WARMING: u32 = 1 << 0;
    /// Inputs arrive and records are published.
    pub const LIVE: u32 = 1 << 1;
    /// Something is missing (see the flags of the records); the rest is good.
    pub const DEGRADED: u32 = 1 << 2;
    /// No input for longer than the plan allows.
    pub const STALE: u32 = 1 << 3;
    /// Stopped on purpose ([`super::kill`] is not 0): open nothing.
    pub const HALT: u32 = 1 << 4;
    /// The recording has a hole and has stopped; the engine goes on.
    pub const TAPE_GAP: u32 = 1 << 5;
    /// The wall clock was stepped; stamps for people are off by it until the next start.
    pub const CLOCK_STEP: u32 = 1 << 6;

    /// Name of each bit, from bit 0.
    pub const NAMES: [&str; 7] = [
        "WARMING",
        "LIVE",
        "DEGRADED",
        "STALE",
        "HALT",
        "TAPE_GAP",
        "CLOCK_STEP",
    ];
}

/// Values of [`Header::kill`]: what people tell executors, through a [`super::switch`].
pub mod kill {
    /// Run.
    pub const RUN: u32 = 0;
    /// Open nothing new.
    pub const NO_NEW: u32 = 1;
    /// Close what is open.
    pub const FLATTEN: u32 = 2;

    /// Name of each.
    pub const NAMES: [&str; 3] = ["run", "no-new", "flatten"];
}

/// Counters by id: the place in [`COUNTERS`]. Append only.
#[allow(missing_docs, reason = "each is explained in COUNTERS")]
pub mod counter {
    pub const FRAMES: usize = 0;
    pub const EVENTS: usize = 1;
    pub const FAULTS: usize = 2;
    pub const GAPS: usize = 3;
    pub const TOLERANT: usize = 4;
    pub const IGNORED: usize = 5;
    pub const RECONNECTS: usize = 6;
    pub const RING_FULL: usize = 7;
    pub const TAPE_FULL: usize = 8;
    pub const TABLE_FULL: usize = 9;
    pub const SATURATED: usize = 10;
    pub const HEADLINES: usize = 11;
    pub const WIDES: usize = 12;
    pub const CROSSED: usize = 13;
    pub const RESEEDS: usize = 14;
    pub const STRANGERS: usize = 15;
    pub const WIRE_NS_P50: usize = 16;
    pub const WIRE_NS_P99: usize = 17;
    pub const WIRE_NS_MAX: usize = 18;
    pub const DUPLICATES: usize = 19;
    pub const TAPE_BYTES: usize = 20;
    pub const TAPE_HOLES: usize = 21;
    pub const REST_REFUSED: usize = 22;
    pub const RATE_LIMITED: usize = 23;
    pub const CLOCK_STEPS: usize = 24;
    pub const SERIES: usize = 25;
    pub const SERIES_DROPPED: usize = 26;
    pub const IMAGE_REQUESTS: usize = 27;
    pub const LEG_SWITCHES: usize = 28;
    pub const BOOKS_WAITING: usize = 29;
}

/// Name and meaning of every counter, by id. Append only.
pub const COUNTERS: [(&str, &str); 30] = [
    ("frames", "frames received"),
    (
        "events",
        "inputs stepped since the state began, ticks among them: it goes on over a restart that goes on",
    ),
    ("faults", "frames that did not fit"),
    ("gaps", "losses of continuity"),
    ("tolerant", "frames that needed the tolerant reader"),
    ("ignored", "frames that were understood and are not used"),
    ("reconnects", "connections made again"),
    (
        "ring_full",
        "turns a feed waited because the shard was behind",
    ),
    (
        "tape_full",
        "frames and answers that feeds could not record: the tape was behind, or had ended",
    ),
    ("table_full", "entries refused by a full table of the shard"),
    (
        "saturated",
        "numbers that left their range and were clipped",
    ),
    ("headlines", "headlines published"),
    ("wides", "wide records published"),
    ("crossed", "times a book was crossed and not answered"),
    (
        "reseeds",
        "inventories that did not add up and were seeded anew",
    ),
    ("strangers", "events of symbols or venues outside the plan"),
    ("wire_ns_p50", "receive stamp to published, median"),
    ("wire_ns_p99", "receive stamp to published, 99th percentile"),
    ("wire_ns_max", "receive stamp to published, longest"),
    ("duplicates", "events that came twice and were dropped"),
    ("tape_bytes", "bytes recorded"),
    ("tape_holes", "times the recording stopped in a hole"),
    ("rest_refused", "REST requests that were refused or failed"),
    (
        "rate_limited",
        "answers that said we ask too much: 429, 418, a spent budget",
    ),
    (
        "clock_steps",
        "steps of the wall clock, or of a venue's clock",
    ),
    ("series", "values of external series taken in"),
    (
        "series_dropped",
        "datagrams of external series that were ignored",
    ),
    ("image_requests", "images asked for to mend a book"),
    (
        "leg_switches",
        "times the other connection of a pair took the lead",
    ),
    (
        "books_waiting",
        "books, over all venues, that wait for an image now",
    ),
];

/// A run of equal records in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Region {
    /// First byte, from the start of the page; a multiple of 64.
    pub offset: u32,
    /// Bytes from one record to the next.
    pub stride: u32,
    /// How many records.
    pub count: u32,
    /// Records per symbol (headlines: one per mode); 0 = not by symbol.
    pub per_symbol: u32,
}

/// The first 384 bytes of the page. In a snapshot the heartbeat line is one whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`]; 0 = torn down.
    pub magic: u64,
    /// [`ABI_MAJOR`].
    pub abi_major: u16,
    /// [`ABI_MINOR`].
    pub abi_minor: u16,
    /// Bytes of this header.
    pub header_len: u32,
    /// [`LAYOUT_HASH`].
    pub layout_hash: u64,
    /// Random per start, never 0.
    pub epoch: u64,
    /// The writer's process.
    pub pid: u64,
    /// Start, Unix nanoseconds.
    pub start_ns: i64,
    /// Start, CLOCK_MONOTONIC nanoseconds.
    pub start_mono_ns: i64,
    /// Bytes of the whole page.
    pub page_len: u64,
    /// Symbols' names.
    pub directory: Region,
    /// Headlines, `symbol * 3 + mode`.
    pub headlines: Region,
    /// Wide records.
    pub wides: Region,
    /// Named counters.
    pub counters: Region,
    /// Version and revision of the engine, zero-filled.
    pub build: [u8; BUILD_LEN],
    /// Hash of the plan in force; 0 = not told.
    pub config_hash: u64,
    /// Hash of the learned model in force; 0 = not told.
    pub model_hash: u64,
    /// Snapshots of the maps, `symbol * 2` and the next: the newer one is the one put more often. From minor 3; it was
    /// room before.
    pub snapshots: Region,
    /// Turn of the heartbeat's slot: twice the number of heartbeats.
    pub heartbeat_turn: u64,
    /// CLOCK_MONOTONIC nanoseconds of the newest heartbeat.
    pub heartbeat_mono_ns: i64,
    /// Number of the last input stepped.
    pub input_seq: u64,
    /// Hash chain over the model words of everything published so far.
    pub state_hash: u64,
    /// Room for appended fields.
    pub spare_alive: [u64; 4],
    /// Bits of [`status`].
    pub status: u32,
    /// A value of [`kill`].
    pub kill: u32,
    /// Why, as a number of the engine's list; 0 = no reason.
    pub kill_reason: u32,
    /// How many venues are connected.
    pub venues_up: u32,
    /// Room for appended fields.
    pub spare_usable: [u64; 6],
    /// Venues, reference first. From minor 2, as all that follows.
    pub venues: Region,
    /// The distinct error log; its last place counts what did not fit.
    pub errors: Region,
    /// The event ring. From minor 3, as all that follows.
    pub events: Region,
    /// Number of the newest event; 0 = none yet.
    pub newest_event: u64,
    /// Room for appended fields.
    pub spare_where: [u64; 1],
}

impl Header {
    /// How long ago the engine last beat; negative when the stamp lies ahead of `now`.
    #[must_use]
    pub const fn heartbeat_age(&self, now: Nanos) -> Nanos {
        now.since(Nanos::new(self.heartbeat_mono_ns))
    }
    /// The build text, up to its first zero; a byte that is not printable ASCII shows as `?`.
    #[must_use]
    pub fn build_text(&self) -> String {
        text_of(&self.build)
    }
}

/// One symbol of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SymbolRecord {
    /// Canonical name, printable ASCII, zero-filled.
    pub name: [u8; NAME_LEN],
    /// Its number in every region.
    pub index: u32,
    /// Units of coin that prices and quantities of this symbol count as one.
    pub lot: u32,
    /// Room for appended fields.
    pub spare: u64,
}

/// One named counter, a cache line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CounterRecord {
    /// The number.
    pub value: u64,
    /// Place in [`COUNTERS`].
    pub id: u32,
    /// Keeps the name at a word.
    pub spare_id: u32,
    /// Its name, printable ASCII, zero-filled.
    pub name: [u8; COUNTER_NAME_LEN],
    /// Fills the line.
    pub spare: [u64; 3],
}

/// A headline in its slot: exactly one cache line.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct HeadlineSlot {
    /// Odd = being written.
    pub turn: u64,
    /// The record.
    pub record: Headline,
}

/// A wide record in its slot; the stride is this rounded up to whole cache lines.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct WideSlot {
    /// Odd = being written.
    pub turn: u64,
    /// The record.
    pub record: Wide,
}

/// A venue's record in its slot: two cache lines.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct VenueSlot {
    /// Odd = being written.
    pub turn: u64,
    /// The record.
    pub record: VenueRecord,
}

/// An event in its slot: exactly one cache line.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct EventSlot {
    /// Odd = being written.
    pub turn: u64,
    /// The record.
    pub record: EventRecord,
}

/// A symbol's map in its slot; the stride is this rounded up to whole cache lines.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct SnapshotSlot {
    /// Odd = being written.
    pub turn: u64,
    /// The record.
    pub record: Snapshot,
}

/// An error's record in its slot: four cache lines.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct ErrorSlot {
    /// Odd = being written.
    pub turn: u64,
    /// The record.
    pub record: ErrorRecord,
}

/// Word of the magic, and of what changes after the start.
pub(super) const MAGIC_WORD: usize = offset_of!(Header, magic) / 8;
pub(super) const CONFIG_WORD: usize = offset_of!(Header, config_hash) / 8;
pub(super) const MODEL_WORD: usize = offset_of!(Header, model_hash) / 8;
pub(super) const HEARTBEAT_WORD: usize = offset_of!(Header, heartbeat_turn) / 8;
pub(super) const STATUS_WORD: usize = offset_of!(Header, status) / 8;
pub(super) const REASON_WORD: usize = offset_of!(Header, kill_reason) / 8;
pub(super) const NEWEST_WORD: usize = offset_of!(Header, newest_event) / 8;
/// Words of the header.
pub(super) const HEADER_WORDS: usize = size_of::<Header>() / 8;

const _: () = {
    assert!(size_of::<Header>() == 6 * LINE);
    assert!(offset_of!(Header, directory) == LINE);
    assert!(offset_of!(Header, build) == 2 * LINE);
    assert!(offset_of!(Header, heartbeat_turn) == 3 * LINE);
    assert!(offset_of!(Header, status) == 4 * LINE);
    assert!(offset_of!(Header, venues) == 5 * LINE);
    assert!(offset_of!(Header, kill) == offset_of!(Header, status) + 4);
    assert!(offset_of!(Header, venues_up) == offset_of!(Header, kill_reason) + 4);
    assert!(size_of::<SymbolRecord>() == 32);
    assert!(size_of::<CounterRecord>() == LINE);
    assert!(size_of::<HeadlineSlot>() == LINE);
    assert!(size_of::<WideSlot>() == 4576);
    assert!(size_of::<VenueSlot>() == 2 * LINE);
    assert!(size_of::<ErrorSlot>() == 4 * LINE);
    assert!(size_of::<EventSlot>() == LINE);
    assert!(size_of::<SnapshotSlot>() == (1 + SNAPSHOT_WORDS) * 8);
    assert!(1 + HEARTBEAT_WORDS == LINE / 8);
    let mut at = 0;
    while at < COUNTERS.len() {
        assert!(COUNTERS[at].0.len() <= COUNTER_NAME_LEN);
        at += 1;
    }
};

/// One field of a published structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name, the same in Rust, C and the document.
    pub name: &'static str,
    /// First byte in its structure.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
}

/// One published structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Name in C, without its prefix `isotherm_`.
    pub name: &'static str,
    /// Bytes.
    pub size: usize,
    /// Its fields in order; together they fill it.
    pub fields: &'static [Field],
}

const fn size_through<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! shape {
    ($name:literal, $type:ident, $($field:ident)*) => {
        Shape {
            name: $name,
            size: size_of::<$type>(),
            fields: &[$(Field {
                name: stringify!($field),
                offset: offset_of!($type, $field),
                size: size_through(|s: &$type| &s.$field),
            }),*],
        }
    };
}

/// Every published structure, field by field: the one table that [`LAYOUT_HASH`], the C header's
/// test and the document's test are made from.
pub const SHAPES: [Shape; 17] = [
    shape!("region", Region, offset stride count per_symbol),
    shape!("header", Header, magic abi_major abi_minor header_len layout_hash epoch pid start_ns
        start_mono_ns page_len directory headlines wides counters build config_hash model_hash
        snapshots heartbeat_turn heartbeat_mono_ns input_seq state_hash spare_alive status kill
        kill_reason venues_up spare_usable venues errors events newest_event spare_where),
    shape!("symbol", SymbolRecord, name index lot spare),
    shape!("counter", CounterRecord, value id spare_id name spare),
    shape!("headline", Headline, input_seq recv_ns mark_e10 bias confidence verdict state motion
        skill p_up_e4 flags ttl_ms above_bps_e2 below_bps_e2 publish_mono_ns),
    shape!("zone", ZoneRecord, low_e10 high_e10 peak_e10 usd distance_bps_e2 id age_s kind holder
        place state leverage venues),
    shape!("mode", ModeRecord, bias confidence verdict state motion skill p_up_e4 agreement_e4
        bss_e4 effective_labels flags ttl_ms categories spare run_touches model_hash),
    shape!("ages", Ages, trade_ms book_ms mark_ms interest_ms print_ms funding_ms),
    shape!("wide", Wide, input_seq recv_ns exch_ns mark_e10 last_e10 index_e10 bid_e10 ask_e10
        interest_e6 funding_e12 funding_next_ns long_usd short_usd inert_share_e6 prior_share_e6
        oi_residual_e6 flags sigma_1h_q32 ages mode hot_above hot_below cold_above cold_below
        publish_mono_ns map_proof reference spare_proof map odds_above odds_below scalp swing),
    shape!("venue", VenueRecord, name id up feeds_up feeds frames faults gaps reconnects duplicates
        offset_ns offset_error_ns heard_mono_ns),
    shape!("error", ErrorRecord, count first_ns last_ns level spare_level code subject text),
    shape!("odds", OddsRecord, p_touch_e4 p_run_e4 kappa_e4 label relative rank_e4 heat_e4),
    shape!("cascade", CascadeRecord, end_e10 usd gain_e4 zone state beyond spare path_gain_e4),
    shape!("map", MapRecord, long_interval_usd short_interval_usd ladder_up_usd ladder_down_usd
        ladder_up_sigma_usd ladder_down_sigma_usd max_pain_e10 cascade_up cascade_down coverage_e6
        venue_share_e4),
    shape!("event", EventRecord, number recv_ns mark_e10 usd executed_usd zone symbol kind holder
        from to cause outcome p_touch_e4 p_run_e4),
    shape!("snapshot", Snapshot, input_seq recv_ns mark_e10 bucket liquidated_long liquidated_short venues
        flags below_long above_short publish_mono_ns),
    shape!("hot", HotRecord, above below odds_above odds_below),
];

/// FNV-1a over names, offsets and sizes of [`SHAPES`]: equal numbers mean equal layouts.
pub const LAYOUT_HASH: u64 = layout_hash(&SHAPES);

const fn fnv_byte(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

const fn fnv_text(mut hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        hash = fnv_byte(hash, bytes[at]);
        at += 1;
    }
    // Ends the name, so that `ab c` and `a bc` differ.
    fnv_byte(hash, 0)
}

const fn fnv_number(mut hash: u64, number: usize) -> u64 {
    let bytes = (number as u32).to_le_bytes();
    let mut at = 0;
    while at < bytes.len() {
        hash = fnv_byte(hash, bytes[at]);
        at += 1;
    }
    hash
}

const fn layout_hash(shapes: &[Shape]) -> u64 {
    let mut hash = super::record::FNV_START;
    let mut s = 0;
    while s < shapes.len() {
        hash = fnv_number(fnv_text(hash, shapes[s].name), shapes[s].size);
        let mut f = 0;
        while f < shapes[s].fields.len() {
            let field = shapes[s].fields[f];
            hash = fnv_number(fnv_text(hash, field.name), field.offset);
            hash = fnv_number(hash, field.size);
            f += 1;
        }
        s += 1;
    }
    hash
}

/// Where the regions of a page lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) counters: Region,
    pub(super) directory: Region,
    pub(super) headlines: Region,
    pub(super) wides: Region,
    pub(super) venues: Region,
    pub(super) errors: Region,
    pub(super) events: Region,
    pub(super) snapshots: Region,
    pub(super) page_len: usize,
}

impl Layout {
    /// The layout this version writes; `symbols` is at most [`MAX_SYMBOLS`], `venues` at most [`MAX_VENUES`].
    pub(super) fn of(symbols: usize, venues: usize) -> Self {
        let mut end = size_of::<Header>();
        let mut region = |size: usize, count: usize, per_symbol: usize| {
            let offset = end.next_multiple_of(LINE);
            end = offset + size * count;
            Region {
                offset: offset as u32,
                stride: size as u32,
                count: count as u32,
                per_symbol: per_symbol as u32,
            }
        };
        let counters = region(size_of::<CounterRecord>(), COUNTERS.len(), 0);
        let directory = region(size_of::<SymbolRecord>(), symbols, 1);
        let headlines = region(size_of::<HeadlineSlot>(), symbols * MODES, MODES);
        let wides = region(size_of::<WideSlot>().next_multiple_of(LINE), symbols, 1);
        let venues = region(size_of::<VenueSlot>(), venues, 0);
        let errors = region(size_of::<ErrorSlot>(), ERRORS, 0);
        let events = region(size_of::<EventSlot>(), EVENTS, 0);
        let size = size_of::<SnapshotSlot>().next_multiple_of(LINE);
        let snapshots = region(size, symbols * BUFFERS, BUFFERS);
        Self {
            counters,
            directory,
            headlines,
            wides,
            venues,
            errors,
            events,
            snapshots,
            page_len: end.next_multiple_of(4096),
        }
    }
}

/// A mapped page as atomic words. Nothing else ever touches the mapping.
#[derive(Debug)]
pub(super) struct Mapped(MmapRaw);

impl Mapped {
    /// Takes a mapping over.
    pub(super) fn new(raw: MmapRaw) -> Self {
        Self(raw)
    }
    /// The whole words of the mapping. A read-only mapping is only loaded from, relaxed.
    pub(super) fn cells(&self) -> &[AtomicU64] {
        // SAFETY: a mapping starts at a memory page, so it is 8-aligned; `len / 8` words lie in it;
        // it lives as long as `self`; every process touches the page by atomic words (the C header
        // too), and `reader` only loads, relaxed.
        unsafe { sync::cells(self.0.as_ptr(), self.0.len() / 8) }
    }
    /// Keeps the page in memory; `false` when the system does not allow it.
    pub(super) fn lock(&self) -> bool {
        self.0.lock().is_ok()
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]
mod tests;
