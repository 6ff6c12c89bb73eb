//! Texts: what a connection sends and asks, put together from a venue's row.

use super::{Venue, canonical, instrument_name, venue};
use crate::event::Stream;
use crate::market::VenueId;

/// How topics of a stream begin at a venue; empty when it has none.
#[must_use]
pub fn topic_start(id: VenueId, stream: Stream) -> &'static str {
    let starts = venue(id).map_or(&[][..], |row| row.streams);
    starts
        .iter()
        .find(|(of, _)| *of == stream)
        .map_or("", |(_, start)| start)
}

/// The texts that subscribe `assets` to `streams`, each within the venue's limits.
#[must_use]
pub fn subscribe(row: &Venue, assets: &[String], streams: &[Stream]) -> Vec<String> {
    let starts: Vec<_> = streams
        .iter()
        .map(|stream| topic_start(row.id, *stream))
        .collect();
    let wanted = |topic: &String| starts.iter().any(|s| !s.is_empty() && topic.starts_with(s));
    let topics: Vec<String> = assets
        .iter()
        .filter_map(|asset| instrument_name(row.id, asset))
        .flat_map(|instrument| (row.topics)(&instrument))
        .filter(wanted)
        .collect();
    (row.subscribe)(&topics)
}

/// The texts that bring one asset's book anew.
#[must_use]
pub fn resync(row: &Venue, asset: &str) -> Vec<String> {
    instrument_name(row.id, asset)
        .map(|instrument| (row.resubscribe)(&(row.book_topic)(&instrument)))
        .unwrap_or_default()
}

/// What the engine asks by REST: contracts' terms (paged), then every asset's margin table.
#[must_use]
pub fn rest_requests(row: &Venue, assets: &[String]) -> Vec<String> {
    let tiers = assets
        .iter()
        .filter_map(|asset| instrument_name(row.id, asset))
        .map(|instrument| format!("{}&symbol={instrument}", row.tiers));
    core::iter::once(row.instruments.to_string())
        .chain(tiers)
        .collect()
}

/// Canonical assets of raw topics (`tickers.BTCUSDT`), in order of appearance, each once.
#[must_use]
pub fn assets_of(row: &Venue, topics: &[String]) -> Vec<String> {
    let mut assets: Vec<String> = Vec::new();
    for topic in topics {
        let instrument = topic.rsplit('.').next().unwrap_or_default();
        if let Some((asset, _)) = canonical(row.id, instrument)
            && !assets.iter().any(|known| known == asset)
        {
            assets.push(asset.to_string());
        }
    }
    assets
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
