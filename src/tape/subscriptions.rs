//! Subscriptions: what a recording listens to, found by looking at what was sent when it began.
//!
//! A replay takes its symbols from here unless told otherwise. Raw topics are given as they were
//! written (`tickers.BTCUSDT`); what asset a topic means is the venue's business.

use super::{Error, Record, open};
use serde_json::Value;
use std::path::Path;

/// A recording is asked no further when this many messages have come since something was last sent.
pub const QUIET_FRAMES: u32 = 2_048;

/// Where a venue lives: part of the host, start of the path (`/` = any), its name. The first row
/// that fits wins; the path alone is enough when the host is a stand-in (`127.0.0.1`).
const PLACES: [(&str, &str, &str); 12] = [
    ("bybit", "/", "bybit"),
    ("", "/v5/public/linear", "bybit"),
    ("binance.com", "/", "binance"),
    ("", "/public/stream", "binance"),
    ("", "/market/stream", "binance"),
    ("okx.com", "/", "okx"),
    ("bitmex.com", "/", "bitmex"),
    ("gateio.ws", "/", "gate"),
    ("futures.kraken.com", "/", "kraken-futures"),
    ("hyperliquid", "/", "hyperliquid"),
    ("hbdm.com", "/", "htx"),
    ("asterdex.com", "/", "aster"),
];

/// What a recording listens to, connection by connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscriptions {
    /// In order of appearance.
    pub places: Vec<Place>,
}

/// What one connection listens to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Its ring.
    pub ring: u8,
    /// Where it connected to; empty when the recording does not say.
    pub url: String,
    /// Name of the venue that address belongs to, also of venues without a decoder.
    pub venue: Option<&'static str>,
    /// Topics asked for, in the address or in messages, in order, each once; an argument that is no
    /// string is given as its JSON text.
    pub topics: Vec<String>,
}

impl Subscriptions {
    fn place(&mut self, ring: u8) -> &mut Place {
        let at = match self.places.iter().position(|place| place.ring == ring) {
            Some(at) => at,
            None => {
                self.places.push(Place {
                    ring,
                    ..Place::default()
                });
                self.places.len() - 1
            }
        };
        &mut self.places[at]
    }
}

impl Place {
    fn add(&mut self, topics: Vec<String>) {
        for topic in topics {
            if !self.topics.contains(&topic) {
                self.topics.push(topic);
            }
        }
    }
}

/// The venue an address belongs to.
#[must_use]
pub fn venue_of(url: &str) -> Option<&'static str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    PLACES
        .iter()
        .find(|(part, start, _)| host.contains(part) && path.starts_with(start))
        .map(|(.., name)| *name)
}

/// Reads the beginning of a recording for its subscriptions; stops once frames have gone on for a
/// while.
///
/// # Errors
/// Those of [`open`] and of reading.
pub fn subscriptions(path: &Path) -> Result<Subscriptions, Error> {
    let mut source = open(path)?;
    let mut found = Subscriptions::default();
    let mut quiet = 0;
    while quiet < QUIET_FRAMES {
        let Some(record) = source.next_record()? else {
            break;
        };
        match record {
            Record::Connect { ring, url, .. } => {
                let place = found.place(ring & 0x7f);
                if place.url.is_empty() {
                    place.venue = venue_of(url);
                    url.clone_into(&mut place.url);
                }
                place.add(streams_of(url));
            }
            Record::Sent { ring, bytes, .. } => {
                quiet = 0;
                found.place(ring & 0x7f).add(topics_of(bytes));
            }
            Record::Frame { .. } => quiet += 1,
            _ => {}
        }
    }
    Ok(found)
}

/// Topics named in an address: `?streams=a/b`.
fn streams_of(url: &str) -> Vec<String> {
    let streams = url.split_once("streams=").map_or("", |(_, list)| list);
    let list = streams.split(['&', '/']).filter(|name| !name.is_empty());
    list.map(str::to_owned).collect()
}

/// Topics of one sent message: the arguments of a subscription; nothing for a ping or anything
/// else.
#[must_use]
pub fn topics_of(sent: &[u8]) -> Vec<String> {
    let Ok(message) = serde_json::from_slice::<Value>(sent) else {
        return Vec::new();
    };
    let asks = ["op", "method", "event"].iter().any(|key| {
        message[key]
            .as_str()
            .is_some_and(|word| word.eq_ignore_ascii_case("subscribe"))
    });
    let list = ["args", "params"]
        .iter()
        .find_map(|key| message[key].as_array());
    match (asks, list) {
        (false, _) => Vec::new(),
        (true, Some(list)) => list.iter().map(text_of).collect(),
        // Venues that name a channel and its instruments in fields of the message itself.
        (true, None) => vec![text_of(&message)],
    }
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_their_venue() {
        for (url, venue) in [
            ("wss://stream.bybit.com/v5/public/linear", Some("bybit")),
            ("ws://127.0.0.1:9001/v5/public/linear", Some("bybit")),
            ("ws://127.0.0.1:9001/public/stream", Some("binance")),
            (
                "ws://127.0.0.1:9001/market/stream?streams=btcusdt@aggTrade",
                Some("binance"),
            ),
            ("wss://ws.okx.com:8443/ws/v5/public", Some("okx")),
            ("ws://127.0.0.1:9001", None),
            ("", None),
        ] {
            assert_eq!(venue_of(url), venue, "{url}");
        }
    }

    #[test]
    fn only_subscriptions_have_topics() {
        for (sent, topics) in [
            (
                r#"{"op":"subscribe","args":["tickers.BTCUSDT","tickers.ETHUSDT"]}"#,
                vec!["tickers.BTCUSDT", "tickers.ETHUSDT"],
            ),
            (
                r#"{"op":"subscribe","args":[{"channel":"trades","instId":"A"}]}"#,
                vec![r#"{"channel":"trades","instId":"A"}"#],
            ),
            (
                r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}"#,
                vec!["btcusdt@trade"],
            ),
            (
                r#"{"event":"subscribe","feed":"book","product_ids":["pi_xbtusd"]}"#,
                vec![r#"{"event":"subscribe","feed":"book","product_ids":["pi_xbtusd"]}"#],
            ),
            (r#"{"op":"ping"}"#, vec![]),
            (r#"{"op":"auth","args":["key"]}"#, vec![]),
            ("ping", vec![]),
            ("[1]", vec![]),
        ] {
            assert_eq!(topics_of(sent.as_bytes()), topics, "{sent}");
        }
    }
}
