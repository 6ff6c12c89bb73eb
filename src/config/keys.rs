//! Keys: the tables that are the configuration. A row is a key; reading, checking, showing and
//! explaining go by rows.
//!
//! Numbers are read from their decimal text into integers of a stated scale; no float is ever made
//! of them. To add a key, add a field and a row.

use super::fault::{Complaint, nearest, quoted};
use super::{Channel, Engine, Feed, MIX_LEVERAGES, Model, VENUES};
use crate::idle::Strategy;
use crate::market::split_multiple;
use crate::num::{decimal_text, parse_decimal};
use std::path::PathBuf;
use toml::Spanned;
use toml::de::DeValue;

pub(super) type Value<'a> = Spanned<DeValue<'a>>;
type Complaints = Vec<Complaint>;

/// Most symbols of one instance.
pub const SYMBOLS_MAX: usize = 64;
/// Most feeds of one instance; each is a connection and a ring.
pub const FEEDS_MAX: usize = 16;
/// Highest core number.
const CORE_MAX: i64 = 1_023;
/// Longest instance name: it is part of a file name and of metrics.
const INSTANCE_MAX: usize = 32;
const MEMORY: [i64; 2] = [16 << 20, 1 << 40];

/// One key of a section.
pub(super) struct Key<T> {
    pub(super) name: &'static str,
    /// What it is and its unit, one sentence for the example.
    pub(super) doc: &'static str,
    /// What may stand there.
    pub(super) allowed: fn() -> String,
    /// The section is refused without it.
    pub(super) required: bool,
    /// Puts a value into the section, or says what is wrong with it.
    pub(super) set: fn(&mut T, &Value<'_>, &mut Complaints),
    /// The value as TOML; `None` when it is not set.
    pub(super) show: fn(&T) -> Option<String>,
    /// What the example shows, commented out, for a key that is best left alone; else empty.
    pub(super) instead: &'static str,
}

/// How a number is kept.
#[derive(Clone, Copy)]
enum Scale {
    Whole,
    E6,
}

impl Scale {
    const fn decimals(self) -> u32 {
        match self {
            Self::Whole => 0,
            Self::E6 => 6,
        }
    }
    fn text(self, n: i64) -> String {
        let text = decimal_text(n, self.decimals(), self.decimals());
        if text.contains('.') {
            return text.trim_end_matches('0').trim_end_matches('.').to_owned();
        }
        text
    }
    fn range(self, [low, high]: [i64; 2]) -> String {
        let kind = match self {
            Self::Whole => "an integer from ",
            Self::E6 => "a plain decimal from ",
        };
        format!("{kind}{} to {}", self.text(low), self.text(high))
    }
}

/// Reads a number, from a TOML number or from text in quotes.
fn number(value: &Value<'_>, scale: Scale, range: [i64; 2]) -> Result<i64, Complaint> {
    let text = match value.get_ref() {
        DeValue::Integer(n) if n.radix() == 10 => n.as_str(),
        DeValue::Float(n) => n.as_str(),
        DeValue::String(text) => text,
        _ => return Err(Complaint::new(scale.range(range))),
    };
    let plain = text.strip_prefix('+').unwrap_or(text);
    parse_decimal(plain, scale.decimals())
        .filter(|n| (range[0]..=range[1]).contains(n))
        .ok_or_else(|| {
            let fine = Complaint::new(scale.range(range));
            match plain.split_once('.') {
                Some((_, digits)) if digits.len() > 6 && matches!(scale, Scale::E6) => {
                    fine.note("more than 6 decimals")
                }
                _ => fine,
            }
        })
}

macro_rules! number {
    ($name:literal, $field:ident, $scale:expr, $range:expr, $doc:literal) => {
        Key {
            name: $name,
            doc: $doc,
            allowed: || $scale.range($range),
            required: false,
            set: |model: &mut Model, value, faults| match number(value, $scale, $range) {
                Ok(n) => model.$field = n,
                Err(fault) => faults.push(fault),
            },
            show: |model| Some($scale.text(model.$field)),
            instead: "",
        }
    };
}

/// Gives the text to a check that either keeps it or complains.
fn text_key(
    value: &Value<'_>,
    faults: &mut Complaints,
    allowed: fn() -> String,
    keep: impl FnOnce(&str) -> Result<(), Complaint>,
) {
    let kept = match value.get_ref() {
        DeValue::String(text) => keep(text),
        _ => Err(Complaint::new(allowed())),
    };
    faults.extend(kept.err());
}

/// Walks a list of strings; `each` keeps one or complains. An empty list is refused.
fn list_key(
    value: &Value<'_>,
    faults: &mut Complaints,
    allowed: fn() -> String,
    mut each: impl FnMut(&str) -> Result<(), Complaint>,
) {
    let Some(list) = value.get_ref().as_array().filter(|list| !list.is_empty()) else {
        faults.push(Complaint::new(allowed()));
        return;
    };
    for item in list.iter() {
        let kept = match item.get_ref() {
            DeValue::String(text) => each(text),
            _ => Err(Complaint::new(allowed())),
        };
        faults.extend(kept.err().map(|fault| fault.at(item.span())));
    }
}

fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn toml_list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", quoted(words))
}

fn core(value: &Value<'_>, faults: &mut Complaints) -> Option<u32> {
    match number(value, Scale::Whole, [0, CORE_MAX]) {
        Ok(n) => u32::try_from(n).ok(),
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

fn core_range() -> String {
    Scale::Whole.range([0, CORE_MAX])
}

fn path_text() -> String {
    "a path".to_owned()
}

fn page_allowed() -> String {
    "an absolute path of a file".to_owned()
}

fn instance_allowed() -> String {
    format!("1 to {INSTANCE_MAX} of a-z 0-9 _ -")
}

fn idle_allowed() -> String {
    quoted(Strategy::NAMES.iter().map(|(name, _)| *name))
}

fn venue_allowed() -> String {
    quoted(VENUES.iter().map(|(name, _)| *name))
}

const UNITS: [(&str, i64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("", 1),
];

/// `512MiB`, `2 GiB` or plain bytes.
fn size_of_text(text: &str) -> Option<i64> {
    let (unit, one) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let digits = text.strip_suffix(unit)?.trim_end();
    parse_decimal(digits, 0)?
        .checked_mul(*one)
        .filter(|n| (MEMORY[0]..=MEMORY[1]).contains(n))
}

fn size_text(bytes: u64) -> String {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let (unit, one) = UNITS
        .iter()
        .find(|(_, one)| bytes % one == 0)
        .unwrap_or(&("", 1));
    format!("\"{}{unit}\"", bytes / one)
}

fn size_allowed() -> String {
    "a size from \"16MiB\" to \"1024GiB\" (KiB, MiB, GiB or bytes)".to_owned()
}

fn symbol_allowed() -> String {
    format!(
        "1 to {SYMBOLS_MAX} canonical assets, each once, like \"BTC\" (A-Z, 0-9, at most 16 long)"
    )
}

/// Keeps a symbol, or says which asset was probably meant by a contract's name.
fn symbol(symbols: &mut Vec<String>, name: &str) -> Result<(), Complaint> {
    let upper = name.to_uppercase();
    let pair = ["-PERP", "-SWAP", "-USDT", "-USDC", "_USDT", "USDT", "USDC"]
        .iter()
        .find_map(|quote| upper.strip_suffix(quote))
        .filter(|base| base.len() >= 2);
    // `kPEPE` is only told by its small letter.
    let lot = split_multiple(if name.starts_with('k') { name } else { &upper });
    let meant = match (pair, lot) {
        (Some(base), _) => split_multiple(base).0.to_owned(),
        (None, (base, multiple)) if multiple > 1 => base.to_owned(),
        _ => upper.clone(),
    };
    let fine = (1..=16).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if !fine || meant != name {
        let fault = Complaint::new(symbol_allowed());
        return Err(if meant == name || meant.is_empty() {
            fault
        } else {
            fault.note(format!("did you mean \"{meant}\"?"))
        });
    }
    if symbols.iter().any(|known| known == name) {
        return Err(Complaint::new(symbol_allowed()).note("named twice"));
    }
    if symbols.len() == SYMBOLS_MAX {
        return Err(Complaint::new(symbol_allowed()).note("too many"));
    }
    symbols.push(name.to_owned());
    Ok(())
}

/// One of a table's words.
fn word<T: Copy>(text: &str, table: &[(&'static str, T)]) -> Result<T, Complaint> {
    let names = || table.iter().map(|(name, _)| *name);
    table
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| Complaint::new(quoted(names())).meant(text, names()))
}

/// Checks an address of `scheme`, refusing its secure form with a reason.
fn address(text: &str, scheme: &str, allowed: String) -> Result<String, Complaint> {
    let refuse = || Complaint::new(allowed.clone());
    let (found, rest) = text.split_once("://").ok_or_else(refuse)?;
    if found == format!("{scheme}s") {
        return Err(refuse().note(format!(
            "{found}:// needs TLS, which is not supported yet: \
             use {scheme}:// to a proxy that ends TLS"
        )));
    }
    let host_port = rest.split('/').next().unwrap_or_default();
    let (host, port) = match host_port.rsplit_once(':') {
        // The colons of `[::1]` are no port.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (host_port, None),
    };
    let right_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let right_host = !host.is_empty() && !host.contains('@');
    let plain = rest.bytes().all(|byte| byte.is_ascii_graphic());
    if found != scheme || !right_port || !right_host || !plain {
        return Err(refuse());
    }
    Ok(text.to_owned())
}

fn url_allowed() -> String {
    "ws://host[:port]/path".to_owned()
}

fn rest_allowed() -> String {
    "http://host[:port], or \"\" for none".to_owned()
}

fn channels_allowed() -> String {
    format!(
        "a list of {}, each once",
        quoted(Channel::NAMES.iter().map(|(name, _)| *name))
    )
}

pub(super) const ENGINE: [Key<Engine>; 7] = [
    Key {
        name: "instance",
        doc: "Name of this engine: part of the page's file name and of metrics.",
        allowed: instance_allowed,
        required: false,
        set: |engine, value, faults| {
            text_key(value, faults, instance_allowed, |text| {
                let fine = (1..=INSTANCE_MAX).contains(&text.len())
                    && text
                        .bytes()
                        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
                if !fine {
                    return Err(Complaint::new(instance_allowed()));
                }
                text.clone_into(&mut engine.instance);
                Ok(())
            });
        },
        show: |engine| Some(toml_text(&engine.instance)),
        instead: "",
    },
    Key {
        name: "symbols",
        doc: "Assets, in the order of the page's slots.",
        allowed: symbol_allowed,
        required: false,
        set: |engine, value, faults| {
            engine.symbols.clear();
            let symbols = &mut engine.symbols;
            list_key(value, faults, symbol_allowed, |name| symbol(symbols, name));
        },
        show: |engine| Some(toml_list(engine.symbols.iter().map(String::as_str))),
        instead: "",
    },
    Key {
        name: "memory_max",
        doc: "A plan whose memory budget is larger is refused at start.",
        allowed: size_allowed,
        required: false,
        set: |engine, value, faults| {
            let size = match value.get_ref() {
                DeValue::String(text) => size_of_text(text),
                DeValue::Integer(n) if n.radix() == 10 => size_of_text(n.as_str()),
                _ => None,
            };
            match size.and_then(|size| u64::try_from(size).ok()) {
                Some(size) => engine.memory_max = size,
                None => faults.push(Complaint::new(size_allowed())),
            }
        },
        show: |engine| Some(size_text(engine.memory_max)),
        instead: "",
    },
    Key {
        name: "page",
        doc: "Shared-memory file of the results; default /dev/shm/isotherm.<instance>.",
        allowed: page_allowed,
        required: false,
        set: |engine, value, faults| {
            text_key(value, faults, page_allowed, |text| {
                if !text.starts_with('/') || text.ends_with('/') {
                    return Err(Complaint::new(page_allowed()));
                }
                engine.page = PathBuf::from(text);
                Ok(())
            });
        },
        show: |engine| Some(toml_text(&engine.page.to_string_lossy())),
        instead: "\"/dev/shm/isotherm.main\"",
    },
    Key {
        name: "idle",
        doc: "What a loop does with nothing to do: spin burns its core, park sleeps 50 us.",
        allowed: idle_allowed,
        required: false,
        set: |engine, value, faults| {
            text_key(value, faults, idle_allowed, |text| {
                engine.idle = word(text, &Strategy::NAMES)?;
                Ok(())
            });
        },
        show: |engine| Some(toml_text(engine.idle.name())),
        instead: "",
    },
    Key {
        name: "core",
        doc: "Core the shard is pinned to; not set = not pinned.",
        allowed: core_range,
        required: false,
        set: |engine, value, faults| engine.core = core(value, faults),
        show: |engine| engine.core.map(|core| core.to_string()),
        instead: "1",
    },
    Key {
        name: "tape",
        doc: "File to record the input to, which must not exist yet; not set = none.",
        allowed: path_text,
        required: false,
        set: |engine, value, faults| {
            text_key(value, faults, path_text, |text| {
                if text.is_empty() {
                    return Err(Complaint::new(path_text()));
                }
                engine.tape = Some(PathBuf::from(text));
                Ok(())
            });
        },
        show: |engine| {
            let tape = engine.tape.as_ref()?;
            Some(toml_text(&tape.to_string_lossy()))
        },
        instead: "\"isotherm.tape\"",
    },
];

pub(super) const FEED: [Key<Feed>; 5] = [
    Key {
        name: "venue",
        doc: "The exchange.",
        allowed: venue_allowed,
        required: true,
        set: |feed, value, faults| {
            text_key(value, faults, venue_allowed, |text| {
                feed.venue = word(text, &VENUES)?;
                Ok(())
            });
        },
        show: |feed| Some(toml_text(feed.venue_name())),
        instead: "",
    },
    Key {
        name: "url",
        doc: "Websocket address. Each feed is one connection with a ring of its own.",
        allowed: url_allowed,
        required: true,
        set: |feed, value, faults| {
            text_key(value, faults, url_allowed, |text| {
                feed.url = address(text, "ws", url_allowed())?;
                Ok(())
            });
        },
        show: |feed| Some(toml_text(&feed.url)),
        instead: "",
    },
    Key {
        name: "rest",
        doc: "Base of the REST addresses: instruments, margin tiers, book images; \"\" = none.",
        allowed: rest_allowed,
        required: false,
        set: |feed, value, faults| {
            text_key(value, faults, rest_allowed, |text| {
                feed.rest = match text {
                    "" => String::new(),
                    text => address(text.trim_end_matches('/'), "http", rest_allowed())?,
                };
                Ok(())
            });
        },
        show: |feed| Some(toml_text(&feed.rest)),
        instead: "",
    },
    Key {
        name: "channels",
        doc: "Streams this connection subscribes to.",
        allowed: channels_allowed,
        required: false,
        set: |feed, value, faults| {
            feed.channels.clear();
            let channels = &mut feed.channels;
            list_key(value, faults, channels_allowed, |text| {
                let channel = word(text, &Channel::NAMES)?;
                if channels.contains(&channel) {
                    return Err(Complaint::new(channels_allowed()).note("named twice"));
                }
                channels.push(channel);
                Ok(())
            });
        },
        show: |feed| {
            Some(toml_list(
                feed.channels.iter().map(|channel| channel.name()),
            ))
        },
        instead: "",
    },
    Key {
        name: "core",
        doc: "Core this feed is pinned to; not set = not pinned.",
        allowed: core_range,
        required: false,
        set: |feed, value, faults| feed.core = core(value, faults),
        show: |feed| feed.core.map(|core| core.to_string()),
        instead: "2",
    },
];

fn mix_allowed() -> String {
    format!(
        "{} plain decimals from 0 to 1 that sum to 1, for leverages {}",
        MIX_LEVERAGES.len(),
        MIX_LEVERAGES.map(|leverage| leverage.to_string()).join(" ")
    )
}

fn set_mix(model: &mut Model, value: &Value<'_>, faults: &mut Complaints) {
    let list = value.get_ref().as_array();
    let Some(list) = list.filter(|list| list.len() == model.mix_e6.len()) else {
        faults.push(Complaint::new(mix_allowed()));
        return;
    };
    let mut mix = model.mix_e6;
    let mut bad = false;
    for (share, item) in mix.iter_mut().zip(list.iter()) {
        match number(item, Scale::E6, [0, 1_000_000]) {
            Ok(n) => *share = n,
            Err(fault) => {
                bad = true;
                faults.push(fault.at(item.span()));
            }
        }
    }
    let sum: i64 = mix.iter().sum();
    if bad {
        return;
    }
    if sum == 1_000_000 {
        model.mix_e6 = mix;
    } else {
        let note = format!("they sum to {}", Scale::E6.text(sum));
        faults.push(Complaint::new(mix_allowed()).note(note));
    }
}

use Scale::{E6, Whole};

#[rustfmt::skip]
pub(super) const MODEL: [Key<Model>; 11] = [
    Key {
        name: "mix",
        doc: "Shares of openings by leverage; only the product with theta is in the data.",
        allowed: mix_allowed,
        required: false,
        set: set_mix,
        show: |model| Some(format!("[{}]", model.mix_e6.map(|share| E6.text(share)).join(", "))),
        instead: "",
    },
    number!("background", background_e6, E6, [0, 200_000],
        "Share of the mix in rows nearer than any real leverage."),
    number!("inert_share", inert_share_e6, E6, [300_000, 700_000],
        "Share of openings without a price at which they die."),
    number!("inert_leverage", inert_leverage, Whole, [1, 10],
        "Leverage whose closing hazard the inert pool has."),
    number!("psi", psi_e6, E6, [150_000, 700_000],
        "Economic turnover: share of volume that is not market makers' churn."),
    number!("alpha", alpha_e6, E6, [250_000, 1_000_000],
        "Closing hazard of a class is (10 % / distance)^alpha."),
    number!("theta_prior", theta_prior_e6, E6, [10_000, 1_000_000],
        "Prior mean of the share of swept mass that is liquidated."),
    number!("prior_sigma", prior_sigma_e6, E6, [500_000, 5_000_000],
        "Half width of the seeding prior, in daily deviations."),
    number!("daily_sigma", daily_sigma_e6, E6, [1_000, 200_000],
        "Daily deviation of log price assumed until history is known."),
    number!("carry_ms", carry_ms, Whole, [0, 60_000],
        "How long a change of interest without volume waits for its volume, ms."),
    number!("residual_minutes", residual_minutes, Whole, [1, 1_440],
        "Half-life of the published residual, minutes."),
];

/// The key nearest to a wrong one.
pub(super) fn nearest_key<T>(word: &str, keys: &[Key<T>]) -> Option<&'static str> {
    nearest(word, keys.iter().map(|key| key.name))
}
