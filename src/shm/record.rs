//! Records: what the shard publishes, as plain memory. The page is made of these; the C header mirrors them.
//!
//! No floats: prices are `_e10` (1e-10 quote units), money is cents, shares are 1e-4 (`_e4`) unless the name says
//! otherwise. Every record is a whole number of 64-bit words, has no padding, and keeps its *model* fields (those
//! that replay must reproduce bit for bit, hashed into `state_hash`) apart from its *stamps* (when it was published).
//! "No data" is never 0: a reading that does not exist has its flag set or its `_e10` price 0, as each field says.

use bytemuck::{Pod, Zeroable};

/// Number of modes: scalp, day, swing.
pub const MODES: usize = 3;
/// Hot zones a side in a wide record.
pub const HOT_ZONES: usize = 8;
/// Cold zones a side in a wide record.
pub const COLD_ZONES: usize = 4;
/// Categories of signals.
pub const CATEGORIES: usize = 25;

/// The answer for one symbol and mode, seven words; with its sequence word it is one cache line of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Headline {
    /// Number of the last input that influenced it.
    pub input_seq: u64,
    /// Receive stamp of that input, Unix nanoseconds.
    pub recv_ns: i64,
    /// Mark price; 0 = never heard.
    pub mark_e10: i64,
    /// −100 … +100.
    pub bias: i8,
    /// 0 … 100; 0 = nothing is known.
    pub confidence: u8,
    /// [`crate::shm::record::verdict`].
    pub verdict: u8,
    /// 0 neutral, 1 bullish, 2 bearish, 3 conflicted.
    pub state: u8,
    /// 0 flat, 1 accelerating, 2 decelerating, 3 fading, 4 steady.
    pub motion: u8,
    /// 0 unproven, 1 proven, 2 disproven.
    pub skill: u8,
    /// Calibrated probability of an up-move over the mode's horizon, 1e-4; 5000 = no opinion.
    pub p_up_e4: u16,
    /// `health::flag` bits.
    pub flags: u32,
    /// A reader treats the headline as dead when it is older than this, milliseconds.
    pub ttl_ms: u32,
    /// Distance to the nearest hot zone above and below, in 1e-2 basis points; `i32::MAX` = none.
    pub above_bps_e2: i32,
    /// See `above_bps_e2`; positive numbers, measured downwards.
    pub below_bps_e2: i32,
    /// CLOCK_MONOTONIC nanoseconds at publication: a stamp, not model.
    pub publish_mono_ns: i64,
}

/// Words of a [`Headline`] that are model (all but the publish stamp).
pub const HEADLINE_MODEL_WORDS: usize = 6;

/// Verdicts, strongest short to strongest long around neutral.
#[allow(missing_docs, reason = "the names are the words of scoring.md 7.5")]
pub mod verdict {
    pub const NO_DATA: u8 = 0;
    pub const CONFLICTED: u8 = 1;
    pub const NEUTRAL: u8 = 2;
    pub const LEAN_LONG: u8 = 3;
    pub const LEAN_SHORT: u8 = 4;
    pub const LONG: u8 = 5;
    pub const SHORT: u8 = 6;
    pub const STRONG_LONG: u8 = 7;
    pub const STRONG_SHORT: u8 = 8;

    /// Name of each, in number order.
    pub const NAMES: [&str; 9] = [
        "NO_DATA",
        "CONFLICTED",
        "NEUTRAL",
        "LEAN_LONG",
        "LEAN_SHORT",
        "LONG",
        "SHORT",
        "STRONG_LONG",
        "STRONG_SHORT",
    ];
}

/// Names of `state`, in number order.
pub const STATES: [&str; 4] = ["NEUTRAL", "BULLISH", "BEARISH", "CONFLICTED"];
/// Names of `motion`, in number order.
pub const MOTIONS: [&str; 5] = ["FLAT", "ACCELERATING", "DECELERATING", "FADING", "STEADY"];
/// Names of the modes, in number order.
pub const MODE_NAMES: [&str; MODES] = ["scalp", "day", "swing"];
/// The modes by name.
pub mod mode {
    /// A minute.
    pub const SCALP: usize = 0;
    /// An hour.
    pub const DAY: usize = 1;
    /// A day.
    pub const SWING: usize = 2;
}
/// What the lowest two bits of a zone's identity tell apart: the modes, and a cold zone.
pub const ZONE_KINDS: u32 = 4;

/// Whose zone an identity names; [`MODES`] = a cold one, of no mode.
#[must_use]
pub const fn mode_of(id: u32) -> usize {
    (id % ZONE_KINDS) as usize
}
/// Names of zone states, in number order.
pub const ZONE_STATES: [&str; 6] = [
    "FRESH",
    "APPROACHED",
    "TOUCHED",
    "SWEPT",
    "RECLAIMED",
    "EXPIRED",
];

/// The first of [`ZONE_STATES`] in which a zone may lie on the other side of the mark than its list; its distance is 0
/// then.
pub const ZONE_SWEPT: u8 = 3;

/// One zone. An unused place is all zeros (`high_e10` 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ZoneRecord {
    /// Lower edge.
    pub low_e10: i64,
    /// Upper edge.
    pub high_e10: i64,
    /// Heaviest price.
    pub peak_e10: i64,
    /// Expected forced notional, cents; for a cold zone what little there is.
    pub usd: i64,
    /// Near edge's distance from the mark, 1e-2 basis points, never negative; 0 = the mark is inside.
    pub distance_bps_e2: i64,
    /// Stable identity, never 0; its lowest two bits say whose zone it is: the mode, 3 = a cold one, of no mode.
    pub id: u32,
    /// Age of the zone in seconds of shard time.
    pub age_s: u32,
    /// 0 hot, 1 cold.
    pub kind: u8,
    /// 0 long, 1 short, 255 none (cold).
    pub holder: u8,
    /// 0 above the mark, 1 below.
    pub place: u8,
    /// [`ZONE_STATES`].
    pub state: u8,
    /// Leverage label of the dominant class (0 = not one).
    pub leverage: u16,
    /// Bit per venue slot that contributes.
    pub venues: u16,
}

/// Names of zone labels, in number order.
pub const ZONE_LABELS: [&str; 4] = ["NONE", "UNDECIDED", "HOLD", "RUN"];
/// Names of cascade states, in number order.
pub const CASCADE_STATES: [&str; 5] = ["QUIET", "BUILDING", "RUNNING", "EXHAUSTED", "RECLAIMED"];
/// Money that is not known: no map, or no volatility for a step in sigmas.
pub const NO_USD: i64 = -1;
/// A share or probability of step 1e-4 that is not known.
pub const NO_E4: u16 = u16::MAX;
/// A share of step 1e-6 that is not known, and a gain that is not.
pub const NO_SHARE: u32 = u32::MAX;
/// A cascade whose state is not known.
pub const NO_STATE: u8 = u8::MAX;

/// What is thought of a hot zone, beside its [`ZoneRecord`]; an unused place is all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct OddsRecord {
    /// Probability that the mark reaches it within the mode's horizon (1 min, 1 h, 1 d), 1e-4; [`NO_E4`] = not judged.
    pub p_touch_e4: u16,
    /// Probability that, touched, it runs through rather than holds, 1e-4; [`NO_E4`] = not judged.
    pub p_run_e4: u16,
    /// Confluence of structure at it, 1e-4; [`NO_E4`] = not judged.
    pub kappa_e4: u16,
    /// [`ZONE_LABELS`].
    pub label: u8,
    /// 1 = its heat is relative to the present map, 0 = to the 30-day band of its distance.
    pub relative: u8,
    /// Rank among the symbol's zones, 1e-4; 0 with label 0 = not judged.
    pub rank_e4: u32,
    /// Density of its peak over what counts as hot, 1e-4; 10000 = just hot.
    pub heat_e4: u32,
}

/// A mode's hot zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct HotRecord {
    /// Above: live ones nearest first, then swept ones, newest first.
    pub above: [ZoneRecord; HOT_ZONES],
    /// Below, likewise.
    pub below: [ZoneRecord; HOT_ZONES],
    /// What is thought of `above`, place by place.
    pub odds_above: [OddsRecord; HOT_ZONES],
    /// What is thought of `below`, place by place.
    pub odds_below: [OddsRecord; HOT_ZONES],
}

/// What would happen if the day mode's nearest hot zone of a side went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CascadeRecord {
    /// Price at which it ends: where the forced flow is eaten up, the zone's gone as one, and the usual way on;
    /// 0 = not known.
    pub end_e10: i64,
    /// Forced notional of the zone, all of it, and of what lies from there to the end, cents; [`NO_USD`] = not known.
    pub usd: i64,
    /// Forced flow that reaches the book over what the book takes, at the zone, 1e-4; [`NO_SHARE`] = not known.
    pub gain_e4: u32,
    /// The zone; 0 = none.
    pub zone: u32,
    /// [`CASCADE_STATES`] of what is happening now; [`NO_STATE`] = no print of the symbol was heard yet.
    pub state: u8,
    /// 1 = the flow is eaten up beyond the visible book, where depth is the square-root law's.
    pub beyond: u8,
    /// Fills the half word.
    pub spare: [u8; 2],
    /// The same gain of what price may cross within a minute, a quarter of the one-hour sigma from the mark on, zone or
    /// not, 1e-4; [`NO_SHARE`] = not known.
    pub path_gain_e4: u32,
}

/// Steps of the ladders in basis points.
pub const LADDER_BPS: [i64; 6] = [10, 25, 50, 100, 200, 500];
/// Steps of the ladders in quarters of the one-hour sigma: 1/4, 1/2, 1, 2.
pub const LADDER_QUARTERS: [i64; 4] = [1, 2, 4, 8];
/// Places of venues in a record: bits of [`ZoneRecord::venues`].
pub const VENUE_PLACES: usize = 16;

/// Readings of the whole map of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MapRecord {
    /// 80 % interval of `long_usd`, low and high, cents; [`NO_USD`] = no map.
    pub long_interval_usd: [i64; 2],
    /// 80 % interval of `short_usd`.
    pub short_interval_usd: [i64; 2],
    /// Forced purchases if the mark rises by [`LADDER_BPS`], cents; [`NO_USD`] = no map.
    pub ladder_up_usd: [i64; LADDER_BPS.len()],
    /// Forced sales if the mark falls by [`LADDER_BPS`].
    pub ladder_down_usd: [i64; LADDER_BPS.len()],
    /// As `ladder_up_usd`, by [`LADDER_QUARTERS`] of the one-hour sigma; [`NO_USD`] also while sigma is not warm.
    pub ladder_up_sigma_usd: [i64; LADDER_QUARTERS.len()],
    /// As `ladder_down_usd`, by [`LADDER_QUARTERS`].
    pub ladder_down_sigma_usd: [i64; LADDER_QUARTERS.len()],
    /// Price of the map's densest bucket under the reading kernel, either side; 0 = no map, or nothing in it.
    pub max_pain_e10: i64,
    /// Shorts above.
    pub cascade_up: CascadeRecord,
    /// Longs below.
    pub cascade_down: CascadeRecord,
    /// Share of longs' and of shorts' open interest that is known position by position, 1e-6; [`NO_SHARE`] = no venue
    /// of the symbol shows positions.
    pub coverage_e6: [u32; 2],
    /// Share of the map's notional by place of the venue, 1e-4; [`NO_E4`] = not in the map.
    pub venue_share_e4: [u16; VENUE_PLACES],
}

impl CascadeRecord {
    /// Nothing is known.
    pub const ABSENT: Self = Self {
        end_e10: 0,
        usd: NO_USD,
        gain_e4: NO_SHARE,
        zone: 0,
        state: NO_STATE,
        beyond: 0,
        spare: [0; 2],
        path_gain_e4: NO_SHARE,
    };
}

impl MapRecord {
    /// Nothing is known.
    pub const ABSENT: Self = Self {
        long_interval_usd: [NO_USD; 2],
        short_interval_usd: [NO_USD; 2],
        ladder_up_usd: [NO_USD; LADDER_BPS.len()],
        ladder_down_usd: [NO_USD; LADDER_BPS.len()],
        ladder_up_sigma_usd: [NO_USD; LADDER_QUARTERS.len()],
        ladder_down_sigma_usd: [NO_USD; LADDER_QUARTERS.len()],
        max_pain_e10: 0,
        cascade_up: CascadeRecord::ABSENT,
        cascade_down: CascadeRecord::ABSENT,
        coverage_e6: [NO_SHARE; 2],
        venue_share_e4: [NO_E4; VENUE_PLACES],
    };
}

/// One mode's detail in a wide record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ModeRecord {
    /// −100 … +100.
    pub bias: i8,
    /// 0 … 100.
    pub confidence: u8,
    /// See [`verdict`].
    pub verdict: u8,
    /// See [`STATES`].
    pub state: u8,
    /// See [`MOTIONS`].
    pub motion: u8,
    /// 0 unproven, 1 proven, 2 disproven.
    pub skill: u8,
    /// 1e-4.
    pub p_up_e4: u16,
    /// Agreement of the evidence, 1e-4.
    pub agreement_e4: u16,
    /// Brier skill, signed 1e-4; 0 with `effective_labels` 0 = not measured.
    pub bss_e4: i16,
    /// Effective labels behind `bss_e4`.
    pub effective_labels: u32,
    /// `health::flag` bits.
    pub flags: u32,
    /// Milliseconds after which the mode is dead.
    pub ttl_ms: u32,
    /// Score of each category, signed 1e-2 of its −1…+1 range; -128 = asleep.
    pub categories: [i8; CATEGORIES],
    /// Fills the word.
    pub spare: [u8; 3],
    /// Touches of the mode's hot zones that taught `p_run_e4`; 0 = it is judgement alone. From minor 5.
    pub run_touches: u32,
    /// Hash of the model in force: parameters, signals and, once learning is on, what was learned.
    pub model_hash: u64,
}

/// Age of information per input at `recv_ns`, milliseconds; `u32::MAX` = never heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Ages {
    /// Newest trade.
    pub trade_ms: u32,
    /// Newest book update.
    pub book_ms: u32,
    /// Newest mark.
    pub mark_ms: u32,
    /// Newest open interest.
    pub interest_ms: u32,
    /// Newest liquidation print.
    pub print_ms: u32,
    /// Newest funding.
    pub funding_ms: u32,
}

/// Everything published about one symbol at a limited rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Wide {
    /// Number of the last input that influenced it.
    pub input_seq: u64,
    /// Receive stamp of that input (shard time), Unix nanoseconds.
    pub recv_ns: i64,
    /// Exchange stamp of the newest input that had one.
    pub exch_ns: i64,
    /// Mark; 0 = never heard.
    pub mark_e10: i64,
    /// Last trade of the reference venue; 0 = none.
    pub last_e10: i64,
    /// Index; 0 = never heard.
    pub index_e10: i64,
    /// Best bid of the reference venue; 0 = none or untrusted.
    pub bid_e10: i64,
    /// Best ask of the reference venue; 0 = none or untrusted.
    pub ask_e10: i64,
    /// Open interest, one side, 1e-6 canonical lots; 0 with `INTEREST_STALE` = never heard.
    pub interest_e6: i64,
    /// Funding rate per interval, 1e-12.
    pub funding_e12: i64,
    /// Next settlement, Unix nanoseconds; 0 = not known.
    pub funding_next_ns: i64,
    /// Expected forced sales below (longs), cents: hot plane, θ included; [`NO_USD`] = no map.
    pub long_usd: i64,
    /// Expected forced purchases above (shorts), cents; [`NO_USD`] = no map.
    pub short_usd: i64,
    /// Share of open interest without a price (both holders' mean), 1e-6; [`NO_SHARE`] = no open interest yet.
    pub inert_share_e6: u32,
    /// Share of the map's mass that is still prior, 1e-6; [`NO_SHARE`] = no open interest yet.
    pub prior_share_e6: u32,
    /// Share of open interest that the flow split could not explain, 1e-6; [`NO_SHARE`] = no open interest yet.
    pub oi_residual_e6: u32,
    /// `health::flag` bits of the symbol.
    pub flags: u32,
    /// Volatility of a one-hour return, Q32; 0 = not warm.
    pub sigma_1h_q32: i64,
    /// Age of each input.
    pub ages: Ages,
    /// Scalp, day, swing.
    pub mode: [ModeRecord; MODES],
    /// Hot zones above: live ones nearest first, then swept ones, newest first.
    pub hot_above: [ZoneRecord; HOT_ZONES],
    /// Hot zones below, likewise.
    pub hot_below: [ZoneRecord; HOT_ZONES],
    /// Cold zones above, nearest first.
    pub cold_above: [ZoneRecord; COLD_ZONES],
    /// Cold zones below, nearest first.
    pub cold_below: [ZoneRecord; COLD_ZONES],
    /// CLOCK_MONOTONIC nanoseconds at publication: a stamp, not model.
    pub publish_mono_ns: i64,
    /// What the ledger of proofs says of the map, [`PROOFS`]: set by the writer like the stamp, not model. From minor
    /// 3, as all that follows.
    pub map_proof: u8,
    /// Place of the venue whose mark, last, index, bid, ask, interest, funding and ages these are, plus one; 0 = never
    /// published. It stands beside the hashed words, and follows from what they do. From minor 6.
    pub reference: u8,
    /// Fills the word.
    pub spare_proof: [u8; 6],
    /// Readings of the map.
    pub map: MapRecord,
    /// What is thought of `hot_above`, place by place.
    pub odds_above: [OddsRecord; HOT_ZONES],
    /// What is thought of `hot_below`, place by place.
    pub odds_below: [OddsRecord; HOT_ZONES],
    /// Hot zones of the scalp mode; `hot_above` and its like are the day mode's. From minor 4, as all that follows.
    pub scalp: HotRecord,
    /// Hot zones of the swing mode.
    pub swing: HotRecord,
}

impl Wide {
    /// A mode's hot zones; of a number that is no mode the day's.
    #[must_use]
    pub const fn hot(&self, of: usize) -> HotRecord {
        match of {
            mode::SCALP => self.scalp,
            mode::SWING => self.swing,
            _ => HotRecord {
                above: self.hot_above,
                below: self.hot_below,
                odds_above: self.odds_above,
                odds_below: self.odds_below,
            },
        }
    }
}

/// Names of `map_proof`, in number order.
pub const PROOFS: [&str; 3] = ["UNPROVEN", "PROVEN", "DISPROVEN"];
/// Words of a [`Wide`] that are not in the hash: stamps, set by the writer, and whose the numbers are.
pub const WIDE_STAMPS: core::ops::Range<usize> = 211..213;

/// Kinds of [`EventRecord`], in number order.
pub const EVENT_KINDS: [&str; 4] = ["NONE", "LIFE", "ALERT", "CLOSED"];
/// Names of [`EventRecord::cause`], in number order: `zone::cause`.
pub const EVENT_CAUSES: [&str; 14] = [
    "born",
    "near",
    "far",
    "enter",
    "exit_near",
    "beyond",
    "back",
    "swept_out",
    "reclaimed_out",
    "mass",
    "age",
    "lost",
    "crowded",
    "edge",
];
/// `EventRecord::kind`: a zone has changed its state.
pub const EVENT_LIFE: u8 = 1;
/// `EventRecord::kind`: the mark stands at the edge of a zone.
pub const EVENT_ALERT: u8 = 2;
/// `EventRecord::kind`: a zone is over; what was predicted and what came.
pub const EVENT_CLOSED: u8 = 3;

/// One event of the broadcast. An unused place is all zeros (`number` 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct EventRecord {
    /// From 1, without holes; the place in the ring is `(number - 1) % count`.
    pub number: u64,
    /// Shard time, Unix nanoseconds.
    pub recv_ns: i64,
    /// Mark of the symbol then.
    pub mark_e10: i64,
    /// What the zone was expected to force just before, cents; of a closed zone, at its birth.
    pub usd: i64,
    /// Liquidations printed within it since birth, cents; [`NO_USD`] = no print of the symbol was heard yet.
    pub executed_usd: i64,
    /// The zone.
    pub zone: u32,
    /// Index of the symbol.
    pub symbol: u16,
    /// [`EVENT_KINDS`].
    pub kind: u8,
    /// 0 long, 1 short.
    pub holder: u8,
    /// [`ZONE_STATES`] before; 255 = born.
    pub from: u8,
    /// [`ZONE_STATES`] now.
    pub to: u8,
    /// Why: [`EVENT_CAUSES`].
    pub cause: u8,
    /// 1 touched, 2 swept, 3 both, since birth.
    pub outcome: u8,
    /// Probability of a touch, as first judged, 1e-4; [`NO_E4`] = never judged.
    pub p_touch_e4: u16,
    /// Probability of a run, as last judged before the touch, 1e-4; [`NO_E4`] = never judged.
    pub p_run_e4: u16,
}

/// Channels of a venue whose age is told, in the order of [`VenueRecord::heard_mono_ns`].
pub const CHANNELS: [&str; 4] = ["book", "trades", "tickers", "liquidations"];

/// One venue of the instance: is it there, how much came, how far its clock is from ours. An unused place is all zeros
/// (`id` 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct VenueRecord {
    /// Name, printable ASCII, zero-filled.
    pub name: [u8; 16],
    /// Its number, as on tapes; 0 = unused place.
    pub id: u32,
    /// 1 = all its feeds are up, 0 = at least one is down.
    pub up: u32,
    /// Feeds that are up; an A/B pair is one feed, up while one of its connections is.
    pub feeds_up: u32,
    /// Feeds the plan has.
    pub feeds: u32,
    /// Frames received.
    pub frames: u64,
    /// Frames that did not fit.
    pub faults: u64,
    /// Losses of continuity.
    pub gaps: u64,
    /// Connections made again.
    pub reconnects: u64,
    /// Events that came twice and were dropped the second time.
    pub duplicates: u64,
    /// Its clock less ours, nanoseconds: what is left of the fastest message's way is in it.
    pub offset_ns: i64,
    /// Half width of what `offset_ns` can be wrong by, nanoseconds; negative = not measured, the offset means nothing.
    pub offset_error_ns: i64,
    /// CLOCK_MONOTONIC nanoseconds of the newest event of each of [`CHANNELS`]; 0 = never heard.
    pub heard_mono_ns: [i64; CHANNELS.len()],
}

impl VenueRecord {
    /// A venue of which nothing is known yet but its name and number.
    #[must_use]
    pub fn new(name: &str, id: u8) -> Self {
        Self {
            name: bytes_of(name),
            id: u32::from(id),
            offset_error_ns: -1,
            ..Self::zeroed()
        }
    }
    /// The name.
    #[must_use]
    pub fn name_text(&self) -> String {
        text_of(&self.name)
    }
}

/// Bytes of an error's text.
pub const ERROR_TEXT: usize = 184;

/// One kind of error: told once, with how often and when. An unused place is all zeros (`count` 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ErrorRecord {
    /// How often; 0 = unused place.
    pub count: u64,
    /// First time, Unix nanoseconds.
    pub first_ns: i64,
    /// Newest time, Unix nanoseconds.
    pub last_ns: i64,
    /// 0 error, 1 warning.
    pub level: u32,
    /// Keeps the texts at a word.
    pub spare_level: u32,
    /// What kind of thing went wrong, one word, zero-filled.
    pub code: [u8; 16],
    /// With whom or what (`feed 2`, `okx`), zero-filled; with the code it is the kind.
    pub subject: [u8; 16],
    /// The newest text, zero-filled, cut when longer.
    pub text: [u8; ERROR_TEXT],
}

impl ErrorRecord {
    /// Code, subject and text, each up to its first zero.
    #[must_use]
    pub fn texts(&self) -> [String; 3] {
        [
            text_of(&self.code),
            text_of(&self.subject),
            text_of(&self.text),
        ]
    }
}

/// Zero-filled bytes of `text`, cut at `N`.
#[must_use]
pub fn bytes_of<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    bytes
}

/// Text up to the first zero; a byte that is not printable ASCII shows as `?`.
#[must_use]
pub fn text_of(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take_while(|byte| **byte != 0)
        .map(|byte| {
            if byte.is_ascii_graphic() || *byte == b' ' {
                char::from(*byte)
            } else {
                '?'
            }
        })
        .collect()
}

const _: () = {
    assert!(size_of::<VenueRecord>() == 120);
    assert!(size_of::<ErrorRecord>() == 248);
    assert!(size_of::<Headline>() == 56);
    assert!(size_of::<ZoneRecord>() == 56);
    assert!(size_of::<ModeRecord>().is_multiple_of(8));
    assert!(size_of::<Wide>().is_multiple_of(8));
    assert!(core::mem::offset_of!(Headline, publish_mono_ns) == HEADLINE_MODEL_WORDS * 8);
    assert!(size_of::<OddsRecord>() == 16);
    assert!(size_of::<CascadeRecord>() == 32);
    assert!(size_of::<MapRecord>().is_multiple_of(8));
    assert!(size_of::<EventRecord>() == 56);
    assert!(core::mem::offset_of!(Wide, publish_mono_ns) == WIDE_STAMPS.start * 8);
    assert!(core::mem::offset_of!(Wide, map_proof) == WIDE_STAMPS.start * 8 + 8);
    assert!(core::mem::offset_of!(Wide, map) == WIDE_STAMPS.end * 8);
};

/// Buckets of each half of a map.
pub const CELLS: usize = 4_096;

/// The map as the shard shows it, uncopied.
#[derive(Debug, Clone, Copy)]
pub struct MapView<'a> {
    /// Number of the last input stepped.
    pub input_seq: u64,
    /// Shard time.
    pub recv_ns: i64,
    /// Mark of the reference venue; positive.
    pub mark_e10: i64,
    /// Absolute bucket of index 0.
    pub bucket: i64,
    /// Cents printed as liquidated since the state began: longs, shorts.
    pub liquidated: [i64; 2],
    /// Bit per venue slot that is in the map.
    pub venues: u32,
    /// `health::flag` bits of the symbol.
    pub flags: u32,
    /// Cents by buckets below the mark and above it.
    pub halves: [&'a [i64; CELLS]; 2],
}

/// Where the shard's records go: a page, a test, or nowhere. Called after LAST only.
pub trait Publish {
    /// The headline of a symbol and mode.
    fn headline(&mut self, symbol: usize, mode: usize, record: &Headline);
    /// The wide record of a symbol.
    fn wide(&mut self, symbol: usize, record: &Wide);
    /// Before a wide record: what each mode's bias is without its liquidation signals; whoever does not say otherwise
    /// does not have it computed.
    fn without(&mut self, _: usize, _: &dyn Fn() -> [i8; MODES]) {}
    /// An event; whoever does not say otherwise does not listen.
    fn event(&mut self, _: &EventRecord) {}
    /// The whole map of a symbol, once a second; whoever does not say otherwise does not copy it.
    fn map(&mut self, _: usize, _: &MapView<'_>) {}
}

/// Throws records away: a replay that only wants the state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Publish for Nowhere {
    fn headline(&mut self, _: usize, _: usize, _: &Headline) {}
    fn wide(&mut self, _: usize, _: &Wide) {}
}

/// Start of an FNV-1a chain.
pub const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// One FNV-1a step per 64-bit little-endian word: the chain of rulings 4, taken by words for speed.
#[must_use]
pub fn fnv_words(mut hash: u64, words: &[u64]) -> u64 {
    for word in words {
        hash = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}
