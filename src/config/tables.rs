//! Tables: the sections of a plan, a row a key.
//!
//! Reading, refusing, `show`, `example` and `schema` all go by these rows, so none of them can know a key the others
//! do not. Keys are appended and never change their meaning.

use super::fault::{Complaint, nearest, quoted};
use super::keys::{Key, Kind, Scale};
use super::section::{Channel, Engine, External, Feed, Model, POLLS, Rename, Series, Venue};
use super::value::{
    SOCKET_MAX, agent_allowed, at, bind, bind_allowed, mode, mode_allowed, moment, moment_allowed,
    moment_text, name, name_allowed, names, owner, owner_allowed, page_allowed, path, path_shown,
    path_text, rest, rest_allowed, small, socket_allowed, symbol, symbol_allowed, symbol_name, url,
    url_allowed, venue_at, venue_name, venue_names,
};
use crate::idle::Strategy;
use crate::log::{Form, Level};
use crate::time::Nanos;
use std::path::{Path, PathBuf};

/// Most symbols of one instance.
pub const SYMBOLS_MAX: usize = 64;
/// Most feeds of one instance; each is a ring.
pub const FEEDS_MAX: usize = 16;
/// Most venues of one instance: as many as the page lists.
pub const VENUES_MAX: usize = 16;
/// Most renames in one plan.
pub(super) const RENAMES_MAX: usize = 64;
/// Most external series of one instance.
pub const SERIES_MAX: usize = 64;
const CORE: [i64; 2] = [0, 1_023];

pub(super) const ENGINE: [Key<Engine>; 18] = [
    Key::new(
        "instance",
        "Name of this engine: part of the page's file name and of metrics.",
        Kind::Text {
            allowed: name_allowed,
            pattern: "^[a-z0-9_-]{1,32}$",
            get: |engine| Some(engine.instance.clone()),
            set: |engine, text| name(text).map(|name| engine.instance = name),
        },
    ),
    Key::new(
        "symbols",
        "Assets, in the order of the page's slots.",
        Kind::TextList {
            allowed: symbol_allowed,
            pattern: "^[A-Z0-9]{1,16}$",
            get: |engine| engine.symbols.clone(),
            clear: |engine| engine.symbols.clear(),
            set: |engine, text| symbol(&mut engine.symbols, text),
        },
    ),
    Key::new(
        "memory_max",
        "A plan whose memory budget is larger is refused at start.",
        Kind::Size {
            range: [16 << 20, 1 << 40],
            get: |engine| Some(engine.memory_max),
            set: |engine, bytes| engine.memory_max = bytes,
        },
    ),
    Key::unset(
        "page",
        "Shared-memory file of the results; default /dev/shm/isotherm.<instance>.",
        "\"/dev/shm/isotherm.main\"",
        Kind::Text {
            allowed: page_allowed,
            pattern: "^/.*[^/]$",
            get: |engine| path_shown(Some(&engine.page)),
            set: |engine, text| {
                if !text.starts_with('/') || text.ends_with('/') {
                    return Err(Complaint::new(page_allowed()));
                }
                engine.page = PathBuf::from(text);
                Ok(())
            },
        },
    ),
    Key::new(
        "idle",
        "What a loop does with nothing to do: spin burns its core, park sleeps 50 us.",
        Kind::Word {
            words: || names(&Strategy::NAMES),
            get: |engine| engine.idle.name(),
            set: |engine, place| at(&Strategy::NAMES, place, &mut engine.idle),
        },
    ),
    Key::unset(
        "core",
        "Core the shard is pinned to; not set = not pinned.",
        "1",
        Kind::Number {
            scale: Scale::WHOLE,
            range: CORE,
            get: |engine| engine.core.map(i64::from),
            set: |engine, n| engine.core = u32::try_from(n).ok(),
        },
    ),
    Key::unset(
        "tape",
        "Where the input is recorded: a directory of segments, which may exist, or a file, \
         which must not; not set = nowhere.",
        "\"isotherm.tape\"",
        Kind::Text {
            allowed: path_text,
            pattern: ".",
            get: |engine| path_shown(engine.tape.as_ref()),
            set: |engine, text| path(text).map(|path| engine.tape = Some(path)),
        },
    ),
    Key::new(
        "tape_segment",
        "A directory's segment of this size is closed and the next begins.",
        Kind::Size {
            range: [1 << 20, 1 << 36],
            get: |engine| Some(engine.tape_segment),
            set: |engine, bytes| engine.tape_segment = bytes,
        },
    ),
    Key::new(
        "tape_every",
        "A directory's segment of this age is closed and the next begins.",
        Kind::Time {
            range: [Nanos::MINUTE, Nanos::DAY],
            get: |engine| Some(engine.tape_every),
            set: |engine, every| engine.tape_every = every,
        },
    ),
    Key::unset(
        "tape_keep",
        "The oldest closed segments are removed while all are larger than this; not set = never.",
        "\"200GiB\"",
        Kind::Size {
            range: [1 << 20, 1 << 50],
            get: |engine| engine.tape_keep,
            set: |engine, bytes| engine.tape_keep = Some(bytes),
        },
    ),
    Key::unset(
        "tape_keep_days",
        "Closed segments older than so many days are removed; not set = never.",
        "30",
        Kind::Number {
            scale: Scale::WHOLE,
            range: [1, 3_650],
            get: |engine| engine.tape_keep_days.map(i64::from),
            set: |engine, days| engine.tape_keep_days = u32::try_from(days).ok(),
        },
    ),
    Key::new(
        "tape_required",
        "Whether a tape that cannot be begun prevents the start; false = the engine starts and \
         says that nothing is recorded.",
        Kind::Flag {
            get: |engine| engine.tape_required,
            set: |engine, flag| engine.tape_required = flag,
        },
    ),
    Key::unset(
        "calibration",
        "File of calibrations (isotherm calibration show --save) that a start with nothing recorded begins with; \
         not set = the prior.",
        "\"isotherm.calibration\"",
        Kind::Text {
            allowed: path_text,
            pattern: ".",
            get: |engine| path_shown(engine.calibration.as_ref()),
            set: |engine, text| path(text).map(|path| engine.calibration = Some(path)),
        },
    ),
    Key::new(
        "checkpoint",
        "Whether a start goes on from the newest checkpoint in the tape's directory, and from \
         the tape behind it.",
        Kind::Flag {
            get: |engine| engine.checkpoint,
            set: |engine, flag| engine.checkpoint = flag,
        },
    ),
    Key::new(
        "warm_start",
        "Whether a start without a tape asks the venues for their history by REST.",
        Kind::Flag {
            get: |engine| engine.warm_start,
            set: |engine, flag| engine.warm_start = flag,
        },
    ),
    Key::unset(
        "proof",
        "Ledger of isotherm prove, read when it changes: verdicts on this very model become the page's map_proof; not \
         set = unproven.",
        "\"proof.jsonl\"",
        Kind::Text {
            allowed: path_text,
            pattern: ".",
            get: |engine| path_shown(engine.proof.as_ref()),
            set: |engine, text| path(text).map(|path| engine.proof = Some(path)),
        },
    ),
    Key::new(
        "log_level",
        "The mildest lines that are written to standard error.",
        Kind::Word {
            words: || names(&Level::NAMES),
            get: |engine| engine.log_level.name(),
            set: |engine, place| at(&Level::NAMES, place, &mut engine.log_level),
        },
    ),
    Key::new(
        "log_form",
        "How they are written: for people, or one JSON object a line.",
        Kind::Word {
            words: || names(&Form::NAMES),
            get: |engine| engine.log_form.name(),
            set: |engine, place| at(&Form::NAMES, place, &mut engine.log_form),
        },
    ),
];

pub(super) const FEED: [Key<Feed>; 9] = [
    Key::required(
        "venue",
        "The exchange.",
        Kind::Word {
            words: venue_names,
            get: |feed| feed.venue_name(),
            set: |feed, place| feed.venue = venue_at(place),
        },
    ),
    Key::new(
        "url",
        "Websocket address; default: the venue's own, wss://, for these channels. Each feed is \
         one connection, or a pair, with a ring of its own.",
        Kind::Text {
            allowed: url_allowed,
            pattern: "^wss?://[^/]+",
            get: |feed| Some(feed.url.clone()),
            set: |feed, text| url(text).map(|url| feed.url = url),
        },
    ),
    Key::new(
        "rest",
        "Base of the REST addresses: instruments, margin tiers, book images; \"\" = none. \
         Default: what [[venue]] says, else the venue's own if url is not given, else none.",
        Kind::Text {
            allowed: rest_allowed,
            pattern: "^(https?://[^/]+.*)?$",
            get: |feed| Some(feed.rest.clone()),
            set: |feed, text| rest(text).map(|base| feed.rest = base),
        },
    ),
    Key::new(
        "channels",
        "Streams this feed subscribes to; default: all that the venue has.",
        Kind::WordList {
            words: || names(&Channel::NAMES),
            get: |feed| feed.channels.iter().map(|channel| channel.name()).collect(),
            set: |feed, places| {
                feed.channels = places
                    .iter()
                    .filter_map(|place| Some(Channel::NAMES.get(*place)?.1))
                    .collect();
            },
        },
    ),
    Key::unset(
        "pair",
        "Whether two connections carry the same streams: the first arrival counts, and a gap is \
         only what both miss. True when url_b or bind_b is given.",
        "true",
        Kind::Flag {
            get: |feed| feed.pair,
            set: |feed, flag| feed.pair = flag,
        },
    ),
    Key::unset(
        "url_b",
        "Address of the pair's second connection; not set = url.",
        "\"ws://127.0.0.1:9003/v5/public/linear\"",
        Kind::Text {
            allowed: url_allowed,
            pattern: "^wss?://[^/]+",
            get: |feed| (!feed.url_b.is_empty()).then(|| feed.url_b.clone()),
            set: |feed, text| url(text).map(|url| feed.url_b = url),
        },
    ),
    Key::unset(
        "bind",
        "Local address to connect from; not set = the system chooses.",
        "\"192.0.2.10\"",
        Kind::Text {
            allowed: bind_allowed,
            pattern: "^[0-9a-fA-F.:]+$",
            get: |feed| feed.bind.map(|address| address.to_string()),
            set: |feed, text| bind(text).map(|address| feed.bind = address),
        },
    ),
    Key::unset(
        "bind_b",
        "Local address of the pair's second connection, best on another uplink; not set = the \
         system chooses.",
        "\"192.0.2.11\"",
        Kind::Text {
            allowed: bind_allowed,
            pattern: "^[0-9a-fA-F.:]+$",
            get: |feed| feed.bind_b.map(|address| address.to_string()),
            set: |feed, text| bind(text).map(|address| feed.bind_b = address),
        },
    ),
    Key::unset(
        "core",
        "Core this feed is pinned to; not set = not pinned.",
        "2",
        Kind::Number {
            scale: Scale::WHOLE,
            range: CORE,
            get: |feed| feed.core.map(i64::from),
            set: |feed, n| feed.core = u32::try_from(n).ok(),
        },
    ),
];

pub(super) const VENUE: [Key<Venue>; 7] = [
    Key::required(
        "name",
        "The exchange; one section each, only for those that have a feed.",
        Kind::Word {
            words: venue_names,
            get: |venue| venue_name(venue.venue),
            set: |venue, place| venue.venue = venue_at(place),
        },
    ),
    Key::unset(
        "rest",
        "Base of its REST addresses for feeds that do not say; \"\" = none; not set = the \
         venue's own.",
        "\"http://127.0.0.1:9002\"",
        Kind::Text {
            allowed: rest_allowed,
            pattern: "^(https?://[^/]+.*)?$",
            get: |venue| venue.rest.clone(),
            set: |venue, text| rest(text).map(|base| venue.rest = Some(base)),
        },
    ),
    Key::unset(
        "ca",
        "PEM file of further certificate authorities to trust, for a proxy of your own.",
        "\"proxy-ca.pem\"",
        Kind::Text {
            allowed: path_text,
            pattern: ".",
            get: |venue| path_shown(venue.ca.as_ref()),
            set: |venue, text| path(text).map(|path| venue.ca = Some(path)),
        },
    ),
    Key::new(
        "budget",
        "Share of what the venue admits per IP address (REST weight, new connections) that this \
         instance may use, percent: instances behind one address share it.",
        Kind::Number {
            scale: Scale::WHOLE,
            range: [1, 100],
            get: |venue| Some(i64::from(venue.budget)),
            set: |venue, n| venue.budget = u8::try_from(n).unwrap_or(100),
        },
    ),
    Key::unset(
        "tiers",
        "File of margin tables of your own, TOML or JSON; they go before the venue's, and those before assumed \
         ones.",
        "\"tiers.toml\"",
        Kind::Text {
            allowed: path_text,
            pattern: ".",
            get: |venue| path_shown(venue.tiers.as_ref()),
            set: |venue, text| path(text).map(|path| venue.tiers = Some(path)),
        },
    ),
    Key::unset(
        "polls",
        "How often to ask by REST, where other than the venue's row says.",
        "{ instruments = \"30m\", tiers = \"6h\" }",
        Kind::Times {
            words: || names(&POLLS),
            range: [Nanos::SECOND, Nanos::DAY],
            get: |venue| venue.polls.to_vec(),
            set: |venue, place, every| {
                if let Some(poll) = venue.polls.get_mut(place) {
                    *poll = Some(every);
                }
            },
        },
    ),
    Key::unset(
        "user_agent",
        "What requests and connections call themselves; default: isotherm and its version.",
        "\"desk-7\"",
        Kind::Text {
            allowed: agent_allowed,
            pattern: "^[ -~]{1,100}$",
            get: |venue| Some(venue.user_agent.clone()),
            set: |venue, text| {
                let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
                if !(1..=100).contains(&text.len()) || !text.bytes().all(plain) {
                    return Err(Complaint::new(agent_allowed()));
                }
                text.clone_into(&mut venue.user_agent);
                Ok(())
            },
        },
    ),
];

pub(super) const EXTERNAL: [Key<External>; 4] = [
    Key::unset(
        "socket",
        "Unix datagram socket that takes one JSON object a datagram: name, time (Unix ms), value \
         (an integer in steps of 10^-scale), scale, period (ms).",
        "\"/run/isotherm/series\"",
        Kind::Text {
            allowed: socket_allowed,
            pattern: "^/.{0,88}[^/]$",
            get: |external| path_shown(external.socket.as_ref()),
            set: |external, text| {
                let fine = Path::new(text).is_absolute()
                    && !text.ends_with('/')
                    && text.len() <= SOCKET_MAX;
                if !fine {
                    return Err(Complaint::new(socket_allowed()));
                }
                external.socket = Some(PathBuf::from(text));
                Ok(())
            },
        },
    ),
    Key::unset(
        "owner",
        "Whose the socket shall be; not set = the engine's user.",
        "\"isotherm:desk\"",
        Kind::Text {
            allowed: owner_allowed,
            pattern: "^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?$",
            get: |external| external.owner.clone(),
            set: |external, text| owner(text).map(|owner| external.owner = owner),
        },
    ),
    Key::new(
        "mode",
        "Permission bits of the socket: who may write to it may send.",
        Kind::Text {
            allowed: mode_allowed,
            pattern: "^0[0-7]{3}$",
            get: |external| Some(format!("{:04o}", external.mode)),
            set: |external, text| mode(text).map(|mode| external.mode = mode),
        },
    ),
    Key::new(
        "rate_max",
        "Most datagrams a second; what is more is dropped and counted.",
        Kind::Number {
            scale: Scale::WHOLE,
            range: [1, 10_000],
            get: |external| Some(i64::from(external.rate_max)),
            set: |external, n| external.rate_max = small(n),
        },
    ),
];

pub(super) const SERIES: [Key<Series>; 4] = [
    Key::required(
        "name",
        "Name of a series that may be sent to the socket.",
        Kind::Text {
            allowed: name_allowed,
            pattern: "^[a-z0-9_-]{1,32}$",
            get: |series| Some(series.name.clone()),
            set: |series, text| name(text).map(|name| series.name = name),
        },
    ),
    Key::required(
        "scale",
        "Decimal places of its values: 2 = a value of 150 means 1.50.",
        Kind::Number {
            scale: Scale::WHOLE,
            range: [0, 18],
            get: |series| Some(i64::from(series.scale)),
            set: |series, n| series.scale = u8::try_from(n).unwrap_or_default(),
        },
    ),
    Key::required(
        "period",
        "Time from one value to the next; a datagram must say the same.",
        Kind::Time {
            range: [Nanos::SECOND, Nanos::new(366 * Nanos::DAY.get())],
            get: |series| Some(series.period),
            set: |series, period| series.period = period,
        },
    ),
    Key::new(
        "max_age",
        "A value that comes later than this behind its own time is ignored; default: two periods.",
        Kind::Time {
            range: [Nanos::SECOND, Nanos::new(1_000 * Nanos::DAY.get())],
            get: |series| Some(series.max_age),
            set: |series, age| series.max_age = age,
        },
    ),
];

pub(super) const RENAME: [Key<Rename>; 4] = [
    Key::required(
        "venue",
        "Venue that gives a contract another name.",
        Kind::Word {
            words: venue_names,
            get: |rename| venue_name(rename.venue),
            set: |rename, at| rename.venue = venue_at(at),
        },
    ),
    Key::required(
        "was",
        "Asset until then; it or the new name stands in symbols.",
        Kind::Text {
            allowed: symbol_allowed,
            pattern: "^[A-Z0-9]{1,16}$",
            get: |rename| Some(rename.was.clone()),
            set: |rename, text| symbol_name(text).map(|name| rename.was = name),
        },
    ),
    Key::required(
        "now",
        "Asset from then on: the same coins in the same number, else it is another contract.",
        Kind::Text {
            allowed: symbol_allowed,
            pattern: "^[A-Z0-9]{1,16}$",
            get: |rename| Some(rename.now.clone()),
            set: |rename, text| symbol_name(text).map(|name| rename.now = name),
        },
    ),
    Key::required(
        "at",
        "The moment, when connections are made anew.",
        Kind::Text {
            allowed: moment_allowed,
            pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
            get: |rename| Some(moment_text(rename.at)),
            set: |rename, text| moment(text).map(|at| rename.at = at),
        },
    ),
];

macro_rules! number {
    ($name:literal, $field:ident, $scale:expr, $range:expr, $doc:literal) => {
        Key::new(
            $name,
            $doc,
            Kind::Number {
                scale: $scale,
                range: $range,
                get: |model: &Model| Some(model.$field),
                set: |model: &mut Model, n| model.$field = n,
            },
        )
    };
}

const WHOLE: Scale = Scale::WHOLE;
const E6: Scale = Scale::E6;

#[rustfmt::skip]
pub(super) const MODEL: [Key<Model>; 18] = [
    Key::new(
        "mix",
        "Shares of openings by leverage; only the product with theta is in the data.",
        Kind::Shares {
            get: |model| model.mix_e6,
            set: |model, mix| model.mix_e6 = mix,
        },
    ),
    number!("background", background_e6, E6, [0, 200_000],
        "Share of the mix in rows nearer than any real leverage."),
    number!("inert_share", inert_share_e6, E6, [300_000, 700_000],
        "Share of openings without a price at which they die."),
    number!("inert_leverage", inert_leverage, WHOLE, [1, 10],
        "Leverage whose closing hazard the inert pool has."),
    number!("psi", psi_e6, E6, [150_000, 1_000_000],
        "Economic turnover: share of volume that is not market makers' churn."),
    number!("alpha", alpha_e6, E6, [100_000, 1_000_000],
        "Closing hazard of a class is (10 % / distance)^alpha."),
    number!("theta_prior", theta_prior_e6, E6, [10_000, 1_000_000],
        "Prior mean of the share of swept mass that is liquidated."),
    number!("prior_sigma", prior_sigma_e6, E6, [500_000, 5_000_000],
        "Half width of the seeding prior, in daily deviations."),
    number!("daily_sigma", daily_sigma_e6, E6, [1_000, 200_000],
        "Daily deviation of log price assumed until history is known."),
    number!("carry_ms", carry_ms, WHOLE, [0, 60_000],
        "How long a change of interest without volume waits for its volume, ms."),
    number!("residual_minutes", residual_minutes, WHOLE, [1, 1_440],
        "Half-life of the published residual, minutes."),
    number!("theta_shape", theta_shape_e6, E6, [200_000, 20_000_000],
        "Shape of theta's prior: the deaths it is worth."),
    number!("theta_unit", theta_unit_e6, E6, [10, 100_000],
        "Unit of evidence on theta, as a share of open interest."),
    number!("theta_hours", theta_hours, WHOLE, [1, 2_160],
        "Half-life of evidence on theta, hours."),
    number!("theta_smooth", theta_smooth_e6, E6, [1_000_000, 1_000_000_000],
        "How straight the logarithm of theta runs along the ladder: precision of a second difference."),
    number!("match_ms", match_ms, WHOLE, [500, 60_000],
        "How long a swept bucket waits for its prints, ms."),
    number!("blur", blur_e6, E6, [50, 5_000],
        "Deviation of a print's place in log price."),
    number!("miss", miss_e6, E6, [1_000, 500_000],
        "Share of prints that the map is expected to miss."),
];

/// `[engine]`, `[[feed]]` ...: name, how it is written, the names of its keys.
pub(super) fn sections() -> [(&'static str, &'static str, Vec<&'static str>); 7] {
    fn keys<T>(keys: &[Key<T>]) -> Vec<&'static str> {
        keys.iter().map(|key| key.name).collect()
    }
    [
        ("engine", "[engine]", keys(&ENGINE)),
        ("feed", "[[feed]]", keys(&FEED)),
        ("venue", "[[venue]]", keys(&VENUE)),
        ("external", "[external]", keys(&EXTERNAL)),
        ("series", "[[series]]", keys(&SERIES)),
        ("rename", "[[rename]]", keys(&RENAME)),
        ("model", "[model]", keys(&MODEL)),
    ]
}

/// All sections as they are written, and the nearest to a wrong name.
pub(super) fn section_names(wrong: &str) -> (String, Option<&'static str>) {
    let all = sections();
    let near = nearest(wrong, all.iter().map(|(name, ..)| *name));
    let near = all.iter().find(|(name, ..)| near == Some(*name));
    let written: Vec<&str> = all.iter().map(|(_, written, _)| *written).collect();
    (written.join(", "), near.map(|(_, written, _)| *written))
}

/// Names in quotes, for a message.
pub(super) fn channels_text(channels: &[Channel]) -> String {
    quoted(channels.iter().map(|channel| channel.name()))
}
