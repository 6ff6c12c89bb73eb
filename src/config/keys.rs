//! Keys: what a key of a section is, and every kind of value one can have.
//!
//! A [`Kind`] knows all there is to know of a value: how it is read, what is allowed, how it is shown, and how a JSON
//! schema says it. A key is a name, a sentence and a kind that reaches into its section; the tables (`tables`) are
//! nothing but rows of that. Numbers are read from their decimal text into integers of a stated scale; no float is
//! ever made of them. To add a key, add a field and a row.

use super::fault::{Complaint, nearest, quoted};
use super::section::MIX_LEVERAGES;
use crate::num::{decimal_text, parse_decimal};
use crate::time::Nanos;
use serde_json::{Value as Json, json};
use toml::Spanned;
use toml::de::DeValue;

pub(super) type Value<'a> = Spanned<DeValue<'a>>;
pub(super) type Complaints = Vec<Complaint>;
type Says = fn() -> String;
type Words = fn() -> Vec<&'static str>;

/// One key of a section.
pub(super) struct Key<T> {
    pub(super) name: &'static str,
    /// What it is and its unit, one sentence for the example.
    pub(super) doc: &'static str,
    pub(super) kind: Kind<T>,
    /// The section is refused without it.
    pub(super) required: bool,
    /// What the example shows, commented out, for a key that is best left alone; else empty.
    pub(super) instead: &'static str,
}

impl<T> Key<T> {
    /// A key with a default.
    pub(super) const fn new(name: &'static str, doc: &'static str, kind: Kind<T>) -> Self {
        Self {
            name,
            doc,
            kind,
            required: false,
            instead: "",
        }
    }
    /// A key the section is refused without.
    pub(super) const fn required(name: &'static str, doc: &'static str, kind: Kind<T>) -> Self {
        Self {
            name,
            doc,
            kind,
            required: true,
            instead: "",
        }
    }
    /// A key that is best left alone; the example shows `instead`, commented out.
    pub(super) const fn unset(
        name: &'static str,
        doc: &'static str,
        instead: &'static str,
        kind: Kind<T>,
    ) -> Self {
        Self {
            name,
            doc,
            kind,
            required: false,
            instead,
        }
    }
}

/// What may stand behind a key, and how it gets into its section and out again. `get` answers `None` for a value that
/// is not set.
pub(super) enum Kind<T> {
    Flag {
        get: fn(&T) -> bool,
        set: fn(&mut T, bool),
    },
    Number {
        scale: Scale,
        range: [i64; 2],
        get: fn(&T) -> Option<i64>,
        set: fn(&mut T, i64),
    },
    /// Bytes.
    Size {
        range: [i64; 2],
        get: fn(&T) -> Option<u64>,
        set: fn(&mut T, u64),
    },
    /// A length of time.
    Time {
        range: [Nanos; 2],
        get: fn(&T) -> Option<Nanos>,
        set: fn(&mut T, Nanos),
    },
    /// One of these words; `set` gets its place.
    Word {
        words: Words,
        get: fn(&T) -> &'static str,
        set: fn(&mut T, usize),
    },
    /// Some of these words, each once; `set` gets their places.
    WordList {
        words: Words,
        get: fn(&T) -> Vec<&'static str>,
        set: fn(&mut T, Vec<usize>),
    },
    Text {
        allowed: Says,
        pattern: &'static str,
        get: fn(&T) -> Option<String>,
        set: fn(&mut T, &str) -> Result<(), Complaint>,
    },
    /// Texts that are taken in one by one, after `clear`.
    TextList {
        allowed: Says,
        pattern: &'static str,
        get: fn(&T) -> Vec<String>,
        clear: fn(&mut T),
        set: fn(&mut T, &str) -> Result<(), Complaint>,
    },
    /// Shares that sum to one, for [`MIX_LEVERAGES`].
    Shares {
        get: fn(&T) -> [i64; 9],
        set: fn(&mut T, [i64; 9]),
    },
    /// Lengths of time by word.
    Times {
        words: Words,
        range: [Nanos; 2],
        get: fn(&T) -> Vec<Option<Nanos>>,
        set: fn(&mut T, usize, Nanos),
    },
}

impl<T> Kind<T> {
    /// What may stand there, in words.
    pub(super) fn allowed(&self) -> String {
        match self {
            Self::Flag { .. } => "true or false".to_owned(),
            Self::Number { scale, range, .. } => scale.range(*range),
            Self::Size { range, .. } => size_allowed(*range),
            Self::Time { range, .. } => time_allowed(*range),
            Self::Word { words, .. } => quoted(words().into_iter()),
            Self::WordList { words, .. } => {
                format!("a list of {}, each once", quoted(words().into_iter()))
            }
            Self::Text { allowed, .. } | Self::TextList { allowed, .. } => allowed(),
            Self::Shares { .. } => mix_allowed(),
            Self::Times { words, range, .. } => {
                let words = words().join(", ");
                format!(
                    "a table {{ name = time }} of {words}; each {}",
                    time_allowed(*range)
                )
            }
        }
    }

    /// Puts a value into the section, or says what is wrong with it.
    pub(super) fn read(&self, into: &mut T, value: &Value<'_>, faults: &mut Complaints) {
        let refused = match self {
            Self::Flag { set, .. } => match value.get_ref() {
                DeValue::Boolean(flag) => {
                    set(into, *flag);
                    None
                }
                _ => Some(Complaint::new(self.allowed())),
            },
            Self::Number {
                scale, range, set, ..
            } => number(value, *scale, *range).map(|n| set(into, n)).err(),
            Self::Size { range, set, .. } => size(value, *range).map(|n| set(into, n)).err(),
            Self::Time { range, set, .. } => time(value, *range).map(|n| set(into, n)).err(),
            Self::Word { words, set, .. } => match value.get_ref() {
                DeValue::String(text) => word(text, &words()).map(|at| set(into, at)).err(),
                _ => Some(Complaint::new(self.allowed())),
            },
            Self::WordList { words, set, .. } => {
                let mut places = Vec::new();
                each_text(value, faults, &|| self.allowed(), &mut |text| {
                    let at = word(text, &words())?;
                    if places.contains(&at) {
                        return Err(Complaint::new(self.allowed()).note("named twice"));
                    }
                    places.push(at);
                    Ok(())
                });
                set(into, places);
                None
            }
            Self::Text { set, .. } => match value.get_ref() {
                DeValue::String(text) => set(into, text).err(),
                _ => Some(Complaint::new(self.allowed())),
            },
            Self::TextList { clear, set, .. } => {
                clear(into);
                each_text(value, faults, &|| self.allowed(), &mut |text| {
                    set(into, text)
                });
                None
            }
            Self::Shares { set, .. } => shares(value, faults).map(|mix| set(into, mix)).err(),
            Self::Times {
                words, range, set, ..
            } => times(value, &words(), *range, faults, &mut |at, every| {
                set(into, at, every);
            })
            .err(),
        };
        faults.extend(refused.filter(|complaint| !complaint.allowed.is_empty()));
    }

    /// The value as TOML; `None` when it is not set.
    pub(super) fn show(&self, of: &T) -> Option<String> {
        Some(match self {
            Self::Flag { get, .. } => get(of).to_string(),
            Self::Number { scale, get, .. } => scale.text(get(of)?),
            Self::Size { get, .. } => size_text(get(of)?),
            Self::Time { get, .. } => time_text(get(of)?),
            Self::Word { get, .. } => toml_text(get(of)),
            Self::WordList { get, .. } => format!("[{}]", quoted(get(of).into_iter())),
            Self::Text { get, .. } => toml_text(&get(of)?),
            Self::TextList { get, .. } => {
                format!("[{}]", quoted(get(of).iter().map(String::as_str)))
            }
            Self::Shares { get, .. } => {
                format!(
                    "[{}]",
                    get(of).map(|share| Scale::E6.text(share)).join(", ")
                )
            }
            Self::Times { words, get, .. } => {
                let all: Vec<String> = (words().iter().zip(get(of)))
                    .filter_map(|(word, every)| Some(format!("{word} = {}", time_text(every?))))
                    .collect();
                if all.is_empty() {
                    return None;
                }
                format!("{{ {} }}", all.join(", "))
            }
        })
    }

    /// The value as a JSON schema, without its description.
    pub(super) fn schema(&self) -> Json {
        match self {
            Self::Flag { .. } => json!({ "type": "boolean" }),
            Self::Number { scale, range, .. } => scale.schema(*range),
            Self::Size { .. } => json!({
                "type": ["string", "integer"],
                "pattern": "^[0-9]+ ?(KiB|MiB|GiB)?$",
            }),
            Self::Time { .. } => time_schema(),
            Self::Word { words, .. } => json!({ "enum": words() }),
            Self::WordList { words, .. } => json!({
                "type": "array",
                "items": { "enum": words() },
                "minItems": 1,
                "uniqueItems": true,
            }),
            Self::Text { pattern, .. } => json!({ "type": "string", "pattern": pattern }),
            Self::TextList { pattern, .. } => json!({
                "type": "array",
                "items": { "type": "string", "pattern": pattern },
                "minItems": 1,
                "uniqueItems": true,
            }),
            Self::Shares { .. } => json!({
                "type": "array",
                "items": Scale::E6.schema([0, 1_000_000]),
                "minItems": MIX_LEVERAGES.len(),
                "maxItems": MIX_LEVERAGES.len(),
            }),
            Self::Times { words, .. } => json!({
                "type": "object",
                "propertyNames": { "enum": words() },
                "additionalProperties": time_schema(),
            }),
        }
    }
}

/// How a number is kept: in steps of `10^-decimals`.
#[derive(Clone, Copy)]
pub(super) struct Scale(u32);

impl Scale {
    pub(super) const WHOLE: Self = Self(0);
    pub(super) const E2: Self = Self(2);
    pub(super) const E6: Self = Self(6);

    fn text(self, n: i64) -> String {
        let text = decimal_text(n, self.0, self.0);
        if text.contains('.') {
            return text.trim_end_matches('0').trim_end_matches('.').to_owned();
        }
        text
    }
    fn range(self, [low, high]: [i64; 2]) -> String {
        let kind = if self.0 == 0 {
            "an integer"
        } else {
            "a plain decimal"
        };
        format!("{kind} from {} to {}", self.text(low), self.text(high))
    }
    /// As a number or as text in quotes; the range stands there as the number it is, made by the JSON parser.
    fn schema(self, range: [i64; 2]) -> Json {
        let [low, high] = range.map(|n| serde_json::from_str::<Json>(&self.text(n)).ok());
        let kind = if self.0 == 0 { "integer" } else { "number" };
        json!({ "type": [kind, "string"], "minimum": low, "maximum": high })
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
    parse_decimal(plain, scale.0)
        .filter(|n| (range[0]..=range[1]).contains(n))
        .ok_or_else(|| {
            let fine = Complaint::new(scale.range(range));
            match plain.split_once('.') {
                Some((_, digits)) if scale.0 > 0 && digits.len() > scale.0 as usize => {
                    fine.note(format!("more than {} decimals", scale.0))
                }
                _ => fine,
            }
        })
}

/// Walks a list of strings; `each` keeps one or complains. An empty list is refused.
fn each_text(
    value: &Value<'_>,
    faults: &mut Complaints,
    allowed: &dyn Fn() -> String,
    each: &mut dyn FnMut(&str) -> Result<(), Complaint>,
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

pub(super) fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The place of a word.
fn word(text: &str, words: &[&'static str]) -> Result<usize, Complaint> {
    words.iter().position(|word| *word == text).ok_or_else(|| {
        let all = || words.iter().copied();
        Complaint::new(quoted(all())).meant(text, all())
    })
}

const SIZES: [(&str, i64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("", 1),
];
const TIMES: [(&str, Nanos); 5] = [
    ("d", Nanos::DAY),
    ("h", Nanos::HOUR),
    ("m", Nanos::MINUTE),
    ("s", Nanos::SECOND),
    ("ms", Nanos::MILLI),
];

/// `512MiB`, `2 GiB` or plain bytes.
fn size(value: &Value<'_>, range: [i64; 2]) -> Result<u64, Complaint> {
    let text = match value.get_ref() {
        DeValue::String(text) => text,
        DeValue::Integer(n) if n.radix() == 10 => n.as_str(),
        _ => "",
    };
    let with_unit = SIZES.iter().find_map(|(unit, one)| {
        let digits = text.strip_suffix(unit)?.trim_end();
        Some((digits, *one))
    });
    with_unit
        .and_then(|(digits, one)| parse_decimal(digits, 0)?.checked_mul(one))
        .filter(|n| (range[0]..=range[1]).contains(n))
        .and_then(|n| u64::try_from(n).ok())
        .ok_or_else(|| Complaint::new(size_allowed(range)))
}

fn size_text(bytes: u64) -> String {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let (unit, one) = (SIZES.iter().find(|(_, one)| bytes % one == 0)).unwrap_or(&("", 1));
    format!("\"{}{unit}\"", bytes / one)
}

fn size_allowed([low, high]: [i64; 2]) -> String {
    let text = |n: i64| size_text(n.unsigned_abs());
    format!(
        "a size from {} to {} (KiB, MiB, GiB or bytes)",
        text(low),
        text(high)
    )
}

/// `250ms`, `30s`, `5m`, `1h` or `2 d`.
fn time(value: &Value<'_>, range: [Nanos; 2]) -> Result<Nanos, Complaint> {
    let DeValue::String(text) = value.get_ref() else {
        return Err(Complaint::new(time_allowed(range)));
    };
    // From the end: `ms` before `s`.
    let with_unit = TIMES.iter().rev().find_map(|(unit, one)| {
        let digits = text.strip_suffix(unit)?.trim_end();
        Some((digits, one.get()))
    });
    with_unit
        .and_then(|(digits, one)| parse_decimal(digits, 0)?.checked_mul(one))
        .map(Nanos::new)
        .filter(|n| (range[0]..=range[1]).contains(n))
        .ok_or_else(|| Complaint::new(time_allowed(range)))
}

/// The largest unit that divides it.
fn time_text(time: Nanos) -> String {
    let fits = |(_, one): &&(&str, Nanos)| time.get() % one.get() == 0;
    let (unit, one) = TIMES.iter().find(fits).unwrap_or(&("ms", Nanos::MILLI));
    format!("\"{}{unit}\"", time.get() / one.get())
}

fn time_allowed([low, high]: [Nanos; 2]) -> String {
    format!(
        "a time from {} to {} (ms, s, m, h, d)",
        time_text(low),
        time_text(high)
    )
}

fn time_schema() -> Json {
    json!({ "type": "string", "pattern": "^[0-9]+ ?(ms|s|m|h|d)$" })
}

fn mix_allowed() -> String {
    format!(
        "{} plain decimals from 0 to 1 that sum to 1, for leverages {}",
        MIX_LEVERAGES.len(),
        MIX_LEVERAGES.map(|leverage| leverage.to_string()).join(" ")
    )
}

/// An empty complaint means that everything wrong was said already.
fn said() -> Complaint {
    Complaint::new("")
}

fn shares(value: &Value<'_>, faults: &mut Complaints) -> Result<[i64; 9], Complaint> {
    let mut mix = [0; MIX_LEVERAGES.len()];
    let list = value.get_ref().as_array();
    let list = list.filter(|list| list.len() == mix.len());
    let list = list.ok_or_else(|| Complaint::new(mix_allowed()))?;
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
    match (bad, sum) {
        (true, _) => Err(said()),
        (false, 1_000_000) => Ok(mix),
        _ => {
            let note = format!("they sum to {}", Scale::E6.text(sum));
            Err(Complaint::new(mix_allowed()).note(note))
        }
    }
}

fn times(
    value: &Value<'_>,
    words: &[&'static str],
    range: [Nanos; 2],
    faults: &mut Complaints,
    set: &mut dyn FnMut(usize, Nanos),
) -> Result<(), Complaint> {
    let Some(table) = value.get_ref().as_table() else {
        let words = words.join(", ");
        let allowed = format!("a table {{ name = time }} of {words}");
        return Err(Complaint::new(allowed));
    };
    for (name, every) in table {
        match word(name.get_ref(), words) {
            Ok(at) => match time(every, range) {
                Ok(every) => set(at, every),
                Err(fault) => faults.push(fault.at(every.span())),
            },
            Err(fault) => faults.push(fault.at(name.span())),
        }
    }
    Ok(())
}

/// The key nearest to a wrong one.
pub(super) fn nearest_key<T>(word: &str, keys: &[Key<T>]) -> Option<&'static str> {
    nearest(word, keys.iter().map(|key| key.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_the_largest_unit_that_divides_it() {
        for (ns, text) in [
            (250_000_000, "\"250ms\""),
            (1_000_000_000, "\"1s\""),
            (90_000_000_000, "\"90s\""),
            (7_200_000_000_000, "\"2h\""),
            (172_800_000_000_000, "\"2d\""),
        ] {
            assert_eq!(time_text(Nanos::new(ns)), text);
        }
    }
}
