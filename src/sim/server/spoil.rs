//! Spoil: a frame's text made wrong, odd, or early.
//!
//! Works on any dialect's JSON by shape alone: the payload is the member `data`, or the whole object
//! when there is none (Binance without envelope); the name is the first text member outside of it.

use super::super::rng::Rng;
use serde_json::{Map, Value, json};

/// Texts that no JSON reader takes, the last one no text at all.
const GARBAGE: [&[u8]; 5] = [
    b"<html><body>502 Bad Gateway</body></html>",
    b"{\"data\":[",
    b"}{",
    b"",
    b"{\"topic\":\"\xff\xfe\xc3\x28\"}",
];

/// Bytes that are no frame of any venue.
pub(super) fn garbage(rng: &mut Rng) -> &'static [u8] {
    GARBAGE[rng.below(GARBAGE.len() as u64) as usize]
}

/// The text with one member of another type, so that its payload cannot be read.
pub(super) fn wrong_type(text: &str, rng: &mut Rng) -> String {
    let Ok(Value::Object(mut whole)) = serde_json::from_str(text) else {
        return "null".into();
    };
    let Some(payload) = whole.get_mut("data") else {
        // Without envelope: the first member of a stream's object is its name.
        if let Some(first) = whole.values_mut().next() {
            *first = json!(7);
        }
        return Value::Object(whole).to_string();
    };
    match rng.below(4) {
        0 => *payload = Value::Null,
        1 => *payload = json!(7),
        2 => {
            *payload = match payload {
                Value::Array(_) => json!({}),
                _ => json!([]),
            };
        }
        _ => {
            let envelope = whole.iter_mut().filter(|(key, _)| *key != "data");
            match envelope.into_iter().next() {
                Some((_, name)) => *name = json!(7),
                None => return "[]".into(),
            }
        }
    }
    Value::Object(whole).to_string()
}

/// The same said with unknown members, and all members in reversed order.
pub(super) fn dressed(text: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    add_unknown(&mut value);
    if let Some(payload) = value.get_mut("data") {
        add_unknown(payload);
    }
    reversed(value).to_string()
}

fn add_unknown(value: &mut Value) {
    if let Value::Object(map) = value {
        map.insert("xNew".into(), json!({"a": [1, "2", null, true], "b": -0.5}));
        map.insert("xText".into(), json!("a \"quoted\" } ] text, \u{e9}"));
    }
}

fn reversed(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut other = Map::new();
            for (key, value) in map.into_iter().rev() {
                other.insert(key, reversed(value));
            }
            Value::Object(other)
        }
        Value::Array(rows) => Value::Array(rows.into_iter().map(reversed).collect()),
        other => other,
    }
}

/// How far back from receipt a number counts as the exchange's stamp of a frame.
const RECENT_MS: i64 = 10_000;

/// Moves every stamp of the frame by `step` ms in place: each number of thirteen digits, bare or
/// quoted, that lies within ten seconds before `now_ms`. Later ones are the next settlement.
pub(super) fn step_stamps(text: &mut [u8], now_ms: i64, step: i64) {
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let len = text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let whole = len == 13
            && !(at > 0 && matches!(text[at - 1], b'.' | b'-' | b'a'..=b'z' | b'A'..=b'Z'))
            && text.get(at + 13) != Some(&b'.');
        if whole {
            let digits = &mut text[at..at + 13];
            let stamp = digits.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'));
            if (now_ms - RECENT_MS..=now_ms).contains(&stamp) {
                let mut rest = stamp + step;
                for digit in digits.iter_mut().rev() {
                    *digit = b'0' + (rest % 10) as u8;
                    rest /= 10;
                }
            }
        }
        at += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRADE: &str = r#"{"topic":"publicTrade.BTCUSDT","ts":1790000000123,"data":[{"T":1790000000120,"p":"1.5"}]}"#;

    #[test]
    fn garbage_is_no_json() {
        for bytes in GARBAGE {
            assert!(serde_json::from_slice::<Value>(bytes).is_err());
        }
    }

    #[test]
    fn a_wrong_type_is_json_and_says_nothing_of_the_payload() {
        let mut rng = Rng::new(1, 1);
        let right: Value = serde_json::from_str(TRADE).unwrap();
        for text in [TRADE, r#"{"e":"trade","E":1}"#, r#"{"data":{"a":1}}"#] {
            for _ in 0..40 {
                let wrong: Value = serde_json::from_str(&wrong_type(text, &mut rng)).unwrap();
                let same = wrong["data"] == right["data"] && wrong["topic"] == right["topic"];
                assert!(!same, "{wrong}");
            }
        }
    }

    #[test]
    fn a_dressed_frame_says_the_same() {
        let right: Value = serde_json::from_str(TRADE).unwrap();
        let odd: Value = serde_json::from_str(&dressed(TRADE)).unwrap();
        assert_eq!(odd["topic"], right["topic"]);
        assert_eq!(odd["data"][0]["p"], "1.5");
        assert_eq!(
            odd.as_object().unwrap().keys().next_back().unwrap(),
            "topic"
        );
    }

    #[test]
    fn stamps_of_the_frame_move_and_other_numbers_stay() {
        let mut text = br#"{"ts":"1790000000123","T":1790000000000,"next":1790003600000,"id":17900000001234,"p":1790000000100.5}"#.to_vec();
        step_stamps(&mut text, 1_790_000_000_200, -4_000);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"ts":"1789999996123","T":1789999996000,"next":1790003600000,"id":17900000001234,"p":1790000000100.5}"#
        );
    }
}
