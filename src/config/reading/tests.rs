//! Tests of `reading`.

use super::*;
use crate::event::Stream;
use crate::venue::Root;

/// A venue with two paths and no liquidations.
fn split() -> venue::Venue {
    venue::Venue {
        name: "split",
        ws_host: "ws.example",
        roots: &[
            Root {
                path: "/public/stream",
                streams: &[Stream::Book],
            },
            Root {
                path: "/market/stream",
                streams: &[Stream::Trades, Stream::Ticker],
            },
        ],
        ..venue::VENUES[0]
    }
}

#[test]
fn a_feed_of_one_path_gets_its_address() {
    use Channel::{Book, Tickers, Trades};
    let row = split();
    let own = |channels: &[Channel]| address(&row, channels, None);
    assert_eq!(own(&[Book]).unwrap(), "wss://ws.example/public/stream");
    assert_eq!(
        own(&[Trades, Tickers]).unwrap(),
        "wss://ws.example/market/stream"
    );
    assert_eq!(
        own(&[Book, Trades, Tickers]).unwrap_err(),
        "split carries \"book\" at /public/stream and \"trades\", \"tickers\" at \
         /market/stream; write 2 feeds: channels = [\"book\"] and channels = [\"trades\", \
         \"tickers\"]"
    );
    assert_eq!(own(&[]).unwrap_err(), "no channel of split is left");
}

#[test]
fn a_given_address_is_believed_unless_its_path_is_the_wrong_one() {
    use Channel::{Book, Trades};
    let row = split();
    let given = |url: &str, channels: &[Channel]| address(&row, channels, Some(url));
    let proxy = "ws://127.0.0.1:9/everything";
    assert_eq!(given(proxy, &[Book, Trades]).unwrap(), proxy);
    assert!(given("wss://h/public/stream", &[Book]).is_ok());
    assert_eq!(
        given("wss://h/public/stream", &[Book, Trades]).unwrap_err(),
        "split carries \"book\" at /public/stream, and \"trades\" elsewhere; write a feed of \
         its own for them"
    );
    assert_eq!(
        given("wss://h/public/stream", &[Trades]).unwrap_err(),
        "split does not carry \"trades\" at /public/stream"
    );
}
