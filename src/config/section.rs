//! Sections: what a plan holds, one type a section, in the units the engine uses.
//!
//! Every field's range, meaning and default text stand in the tables (`tables`); here stand the types and the default
//! values. What depends on other keys (addresses, channels, the page's name) is already worked out in a plan that was
//! read: a field is what the engine will use, and [`super::Plan::show`] says where it came from.

use super::margin::MarginRow;
use crate::event::Stream;
use crate::idle::Strategy;
use crate::log::{Form, Level};
use crate::market::VenueId;
use crate::time::Nanos;
use crate::venue::{self, What};
use std::net::IpAddr;
use std::path::PathBuf;

pub use crate::venue::names::Rename;

/// Leverages of the shares in [`Model::mix_e6`], in order.
pub const MIX_LEVERAGES: [u16; 9] = [3, 5, 10, 20, 25, 50, 75, 100, 125];

/// A stream a feed subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Order book.
    Book,
    /// Trades.
    Trades,
    /// Mark, index, funding, open interest.
    Tickers,
    /// Liquidation prints.
    Liquidations,
}

impl Channel {
    /// Name of each, as the plan writes it.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("book", Self::Book),
        ("trades", Self::Trades),
        ("tickers", Self::Tickers),
        ("liquidations", Self::Liquidations),
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    /// The stream of a venue that it is.
    #[must_use]
    pub const fn stream(self) -> Stream {
        match self {
            Self::Book => Stream::Book,
            Self::Trades => Stream::Trades,
            Self::Tickers => Stream::Ticker,
            Self::Liquidations => Stream::Liquidations,
        }
    }

    /// The channels a venue has, in number order; none for an unknown venue.
    #[must_use]
    pub fn of(venue: VenueId) -> Vec<Self> {
        let row = venue::venue(venue);
        Self::NAMES
            .iter()
            .map(|(_, channel)| *channel)
            .filter(|channel| row.is_some_and(|row| row.root(channel.stream()).is_some()))
            .collect()
    }
}

/// Section `[engine]`: one instance, its threads, its memory, its recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Name; part of the page's file name. Default `main`.
    pub instance: String,
    /// Canonical assets in slot order. Default BTC, ETH, SOL.
    pub symbols: Vec<String>,
    /// Largest memory budget, bytes. Default 512 MiB.
    pub memory_max: u64,
    /// File of the page. Default `/dev/shm/isotherm.<instance>`.
    pub page: PathBuf,
    /// What loops do when idle. Default yield.
    pub idle: Strategy,
    /// Core of the shard; `None` = not pinned.
    pub core: Option<u32>,
    /// File or directory to record to; `None` = nothing is recorded.
    pub tape: Option<PathBuf>,
    /// Bytes after which a directory's segment is closed. Default 256 MiB.
    pub tape_segment: u64,
    /// Time after which a directory's segment is closed. Default one hour.
    pub tape_every: Nanos,
    /// Bytes of closed segments that are kept; `None` = all.
    pub tape_keep: Option<u64>,
    /// Days of closed segments that are kept; `None` = all.
    pub tape_keep_days: Option<u32>,
    /// True when the engine must not start without its tape. Default false: it starts, and says so.
    pub tape_required: bool,
    /// File of calibrations that a start with nothing else begins with; `None` = the prior.
    pub calibration: Option<PathBuf>,
    /// What is in it; only [`super::Plan::load`] reads it.
    pub evidence: super::evidence::Evidence,
    /// True when a start goes on from the newest checkpoint and the tape behind it. Default true.
    pub checkpoint: bool,
    /// True when a start without a past asks the venues for theirs by REST. Default true.
    pub warm_start: bool,
    /// Ledger of `isotherm prove`, read when it changes: what the page says of the map; `None` = unproven.
    pub proof: Option<PathBuf>,
    /// The mildest lines that are logged. Default info.
    pub log_level: Level,
    /// How lines are written. Default text.
    pub log_form: Form,
}

/// Section `[[feed]]`: one connection of a venue, or a pair of the same streams; one ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The exchange.
    pub venue: VenueId,
    /// Websocket address, `ws://` or `wss://`. Default: the venue's own for these channels.
    pub url: String,
    /// Base of the REST addresses without a closing slash, `http://` or `https://`; empty = none.
    /// Default: the section `[[venue]]` says, else the venue's own where `url` is not given, else none.
    pub rest: String,
    /// What it subscribes to, never empty. Default all that the venue has.
    pub channels: Vec<Channel>,
    /// True when two connections carry the same streams and the first arrival counts.
    pub pair: bool,
    /// Address of the second connection of a pair. Default: `url`.
    pub url_b: String,
    /// Local address to connect from; `None` = the system chooses.
    pub bind: Option<IpAddr>,
    /// As `bind`, for the second connection of a pair.
    pub bind_b: Option<IpAddr>,
    /// Core of the feed; `None` = not pinned.
    pub core: Option<u32>,
}

/// One connection of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg<'a> {
    /// Where to.
    pub url: &'a str,
    /// Where from; `None` = the system chooses.
    pub bind: Option<IpAddr>,
}

impl Feed {
    /// Name of its venue; empty for an unknown one.
    #[must_use]
    pub fn venue_name(&self) -> &'static str {
        venue::venue(self.venue).map_or("", |row| row.name)
    }

    /// Its connections: one, or the two of a pair.
    #[must_use]
    pub fn legs(&self) -> Vec<Leg<'_>> {
        let a = Leg {
            url: &self.url,
            bind: self.bind,
        };
        let b = Leg {
            url: if self.url_b.is_empty() {
                &self.url
            } else {
                &self.url_b
            },
            bind: self.bind_b,
        };
        if self.pair { vec![a, b] } else { vec![a] }
    }
}

/// What is asked of a venue again and again and may be told how often, as the plan writes it.
pub const POLLS: [(&str, What); 6] = [
    ("instruments", What::Instruments),
    ("tiers", What::Tiers),
    ("interest", What::Interest),
    ("mark", What::Mark),
    ("ratios", What::Ratios),
    ("accounts", What::Accounts),
];

/// Section `[[venue]]`: how one venue is treated. A venue without a section has the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venue {
    /// The exchange.
    pub venue: VenueId,
    /// Base of its REST addresses; `None` = as the feeds say.
    pub rest: Option<String>,
    /// Further certificate authorities (PEM) that are trusted for its hosts; `None` = none.
    pub ca: Option<PathBuf>,
    /// Share of what the venue admits per address (REST weight, connections), percent.
    pub budget: u8,
    /// File of margin tables, which go before the venue's own; `None` = none.
    pub tiers: Option<PathBuf>,
    /// What that file says; empty without one.
    pub margin: Vec<MarginRow>,
    /// How often to ask for each of [`POLLS`]; `None` = as often as the venue's row says.
    pub polls: [Option<Nanos>; POLLS.len()],
    /// What requests call themselves.
    pub user_agent: String,
}

impl Venue {
    /// How often `what` is asked for, when the plan says so.
    #[must_use]
    pub fn poll(&self, what: What) -> Option<Nanos> {
        let place = POLLS.iter().position(|(_, poll)| *poll == what)?;
        self.polls.get(place).copied().flatten()
    }
}

/// Section `[external]`: the socket that takes the values of external series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Its path; `None` = no socket.
    pub socket: Option<PathBuf>,
    /// Whose it shall be: `user`, `user:group`, names or numbers; `None` = the engine's user.
    pub owner: Option<String>,
    /// Its permission bits.
    pub mode: u32,
    /// Most datagrams a second; what is more is dropped and counted.
    pub rate_max: u32,
}

/// Section `[[series]]`: an external series that may be sent to the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Decimal places of its values.
    pub scale: u8,
    /// Time from one value to the next.
    pub period: Nanos,
    /// A value older than this is of no use.
    pub max_age: Nanos,
}

/// Section `[model]`: the parameters of the map. Fields ending in `_e6` are in millionths; ranges
/// and meanings stand in the key table and in [`super::Plan::example`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// Shares of openings by [`MIX_LEVERAGES`]; sums to 1,000,000.
    pub mix_e6: [i64; 9],
    /// Share of the mix in the background rows.
    pub background_e6: i64,
    /// Share of openings that is inert.
    pub inert_share_e6: i64,
    /// Leverage whose closing hazard the inert pool has.
    pub inert_leverage: i64,
    /// Economic turnover.
    pub psi_e6: i64,
    /// Exponent of the closing hazard.
    pub alpha_e6: i64,
    /// Prior mean of θ.
    pub theta_prior_e6: i64,
    /// Half width of the seeding prior in daily deviations.
    pub prior_sigma_e6: i64,
    /// Daily deviation assumed until history is known.
    pub daily_sigma_e6: i64,
    /// How long interest without volume waits, milliseconds.
    pub carry_ms: i64,
    /// Half-life of the residual, minutes.
    pub residual_minutes: i64,
    /// Shape of θ's prior.
    pub theta_shape_e6: i64,
    /// Unit of evidence on θ, share of open interest.
    pub theta_unit_e6: i64,
    /// Half-life of evidence on θ, hours.
    pub theta_hours: i64,
    /// How straight θ runs along the ladder.
    pub theta_smooth_e6: i64,
    /// How long a swept bucket waits for its prints, milliseconds.
    pub match_ms: i64,
    /// Deviation of a print's place in log price.
    pub blur_e6: i64,
    /// Share of prints expected to be missed.
    pub miss_e6: i64,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            instance: "main".to_owned(),
            symbols: ["BTC", "ETH", "SOL"].map(str::to_owned).to_vec(),
            memory_max: 512 << 20,
            page: page_of("main"),
            idle: Strategy::default(),
            core: None,
            tape: None,
            tape_segment: 256 << 20,
            tape_every: Nanos::HOUR,
            tape_keep: None,
            tape_keep_days: None,
            tape_required: false,
            calibration: None,
            evidence: super::evidence::Evidence::default(),
            checkpoint: true,
            warm_start: true,
            proof: None,
            log_level: Level::default(),
            log_form: Form::default(),
        }
    }
}

/// The built-in exchange of the same machine.
impl Default for Feed {
    fn default() -> Self {
        Self {
            venue: VenueId::BYBIT,
            url: "ws://127.0.0.1:9001/v5/public/linear".to_owned(),
            rest: "http://127.0.0.1:9002".to_owned(),
            channels: Channel::NAMES.map(|(_, channel)| channel).to_vec(),
            pair: false,
            url_b: String::new(),
            bind: None,
            bind_b: None,
            core: None,
        }
    }
}

impl Default for Venue {
    fn default() -> Self {
        Self {
            venue: VenueId::BYBIT,
            rest: None,
            ca: None,
            budget: 100,
            tiers: None,
            margin: Vec::new(),
            polls: [None; POLLS.len()],
            user_agent: concat!("isotherm/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Default for External {
    fn default() -> Self {
        Self {
            socket: None,
            owner: None,
            mode: 0o660,
            rate_max: 100,
        }
    }
}

/// What a `[[rename]]` that says nothing is; every key of one is required.
pub(super) fn rename() -> Rename {
    Rename {
        venue: VenueId::OKX,
        was: "SPACEX".to_owned(),
        now: "SPCX".to_owned(),
        // 2026-06-02T08:00:00Z
        at: Nanos::seconds(1_780_387_200),
    }
}

impl Default for Series {
    fn default() -> Self {
        Self {
            name: "etf-flow".to_owned(),
            scale: 2,
            period: Nanos::DAY,
            max_age: Nanos::new(2 * Nanos::DAY.get()),
        }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            mix_e6: [
                110_000, 170_000, 260_000, 200_000, 70_000, 100_000, 30_000, 45_000, 15_000,
            ],
            background_e6: 80_000,
            inert_share_e6: 500_000,
            inert_leverage: 2,
            psi_e6: 700_000,
            alpha_e6: 250_000,
            theta_prior_e6: 200_000,
            prior_sigma_e6: 2_000_000,
            daily_sigma_e6: 30_000,
            carry_ms: 10_000,
            residual_minutes: 60,
            theta_shape_e6: 300_000,
            theta_unit_e6: 1_000,
            theta_hours: 168,
            theta_smooth_e6: 20_000_000,
            match_ms: 5_000,
            blur_e6: 300,
            miss_e6: 50_000,
        }
    }
}

pub(super) fn page_of(instance: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm/isotherm.{instance}"))
}
