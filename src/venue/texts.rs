//! Texts: what a connection sends and asks, put together from a venue's row.

use super::{Ask, Venue, What, canonical, instrument_name, is_literal, venue};
use crate::event::Stream;
use crate::market::VenueId;

/// What tells a stream in a subscription's text; empty when the venue has none.
#[must_use]
pub fn topic_start(id: VenueId, stream: Stream) -> &'static str {
    let starts = venue(id).map_or(&[][..], |row| row.streams);
    starts
        .iter()
        .find(|(of, _)| *of == stream)
        .map_or("", |(_, start)| start)
}

/// The topics that carry `streams` of `assets`, each once.
#[must_use]
pub fn topics(row: &Venue, assets: &[String], streams: &[Stream]) -> Vec<String> {
    let mut topics: Vec<String> = Vec::new();
    for asset in assets {
        let Some(instrument) = instrument_name(row.id, asset) else {
            continue;
        };
        for stream in streams {
            for topic in (row.topics)(&instrument, *stream) {
                if !topics.contains(&topic) {
                    topics.push(topic);
                }
            }
        }
    }
    topics
}

/// The texts that subscribe `assets` to `streams`, each within the venue's limits.
#[must_use]
pub fn subscribe(row: &Venue, assets: &[String], streams: &[Stream]) -> Vec<String> {
    (row.subscribe)(&topics(row, assets, streams))
}

/// The texts that bring one asset's stream anew.
#[must_use]
pub fn renew(row: &Venue, asset: &str, stream: Stream) -> Vec<String> {
    let Some(instrument) = instrument_name(row.id, asset) else {
        return Vec::new();
    };
    let topics = (row.topics)(&instrument, stream);
    if topics.is_empty() {
        return Vec::new();
    }
    (row.resubscribe)(&topics)
}

/// The texts that bring one asset's book anew; none where books come by REST.
#[must_use]
pub fn resync(row: &Venue, asset: &str) -> Vec<String> {
    if row.image.is_some() {
        return Vec::new();
    }
    renew(row, asset, Stream::Book)
}

/// The requests of one row for these assets, the instrument (`{}`) or its base coin (`{base}`) put in.
#[must_use]
pub fn requests(row: &Venue, ask: &Ask, assets: &[String]) -> Vec<String> {
    if !ask.request.contains("{}") && !ask.request.contains("{base}") {
        return vec![ask.request.to_owned()];
    }
    assets
        .iter()
        .filter_map(|asset| instrument_name(row.id, asset))
        .map(|instrument| {
            let base = instrument.strip_suffix(row.quote).unwrap_or(&instrument);
            let request = ask.request.replace("{base}", base);
            request.replace("{}", &instrument)
        })
        .collect()
}

/// What the engine must know of contracts: their terms (paged), then every asset's margin table.
#[must_use]
pub fn rest_requests(row: &Venue, assets: &[String]) -> Vec<String> {
    row.asks
        .iter()
        .filter(|ask| matches!(ask.what, What::Instruments | What::Tiers))
        .flat_map(|ask| requests(row, ask, assets))
        .collect()
}

/// Canonical assets of raw topics (`tickers.BTCUSDT`, `btcusdt@depth`), in order of appearance, each once.
#[must_use]
pub fn assets_of(row: &Venue, topics: &[String]) -> Vec<String> {
    let mut assets: Vec<String> = Vec::new();
    for topic in topics {
        let Some(instrument) = (row.instrument_of)(topic) else {
            continue;
        };
        if let Some((asset, _)) = canonical(row.id, &instrument)
            && !assets.iter().any(|known| known == asset)
        {
            assets.push(asset.to_string());
        }
    }
    assets
}

/// Instruments of raw topics as the venue writes them, in order of appearance, each once: what a recording without a
/// canonical asset is followed by.
#[must_use]
pub fn instruments_of(row: &Venue, topics: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in topics.iter().filter_map(|topic| (row.instrument_of)(topic)) {
        if is_literal(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::by_name;

    #[test]
    fn assets_come_from_topics_once_and_in_order() {
        let row = by_name("bybit").unwrap();
        let topics = [
            "tickers.ETHUSDT",
            "orderbook.200.1000PEPEUSDT",
            "kline.1.ETHUSDT",
            "x.y",
        ];
        let assets = assets_of(row, &topics.map(String::from));
        assert_eq!(assets, ["ETH", "PEPE"]);
    }

    #[test]
    fn a_feed_subscribes_to_its_streams_only() {
        let row = by_name("bybit").unwrap();
        let texts = subscribe(row, &["BTC".into(), "PEPE".into()], &[Stream::Ticker]);
        assert_eq!(texts.len(), 1);
        assert!(texts[0].contains("tickers.BTCUSDT") && texts[0].contains("tickers.1000PEPEUSDT"));
        assert!(!texts[0].contains("orderbook"));
        assert!(
            resync(row, "BTC")
                .iter()
                .all(|text| text.contains("orderbook.200.BTCUSDT"))
        );
        assert_eq!(rest_requests(row, &["BTC".into()]).len(), 2);
    }
}
