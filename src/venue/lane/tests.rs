//! Tests of `lane`.

use super::*;

fn lane() -> Lane {
    let mut lane = Lane::new(VenueId::BYBIT, &["BTC".into(), "ETH".into()], 0).unwrap();
    lane.sent(
        br#"{"op":"subscribe","args":["orderbook.200.BTCUSDT","publicTrade.BTCUSDT","tickers.BTCUSDT"]}"#,
    );
    lane
}

fn gaps(lane: &mut Lane, text: &str) -> Vec<(Stream, u16)> {
    let events = lane.text(Nanos::new(1), text.as_bytes(), &mut Vec::new());
    let gap = |event: &Event| match event.body() {
        Body::Gap(gap) => (gap.stream, event.symbol.0),
        other => panic!("{other:?}"),
    };
    events.iter().map(gap).collect()
}

#[test]
fn a_pair_is_one_connection_to_the_shard() {
    let mut lane = lane();
    let now = Nanos::new(1);
    assert_eq!(lane.connected_leg(0, now).len(), 1);
    assert_eq!(lane.connected_leg(1, now).len(), 0);
    let trade = r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000000,"data":[{"T":1790000000000,"s":"BTCUSDT","S":"Buy","v":"1","p":"2.5","L":"PlusTick","i":"a9188a0a-82bc-50de-be60-03eedbe3cdd7","BT":false,"RPI":false,"seq":1}]}"#;
    let mut room = Vec::new();
    assert_eq!(lane.text_leg(1, now, trade.as_bytes(), &mut room).len(), 1);
    assert_eq!(lane.text_leg(0, now, trade.as_bytes(), &mut room).len(), 0);
    assert_eq!(lane.duplicates(), 1);
    // A bad frame of one leg is the other's to bring; of both it is a loss.
    let other = trade.replace("BTCUSDT", "ETHUSDT");
    // Leg 0 was not heard with trades of ETH, and leg 1 was: what leg 1 cannot read of them is lost.
    let broken: &[u8] = b"{\"topic\":";
    lane.text_leg(1, now, other.as_bytes(), &mut room);
    lane.text_leg(0, Nanos::seconds(19), trade.as_bytes(), &mut room);
    let told = lane
        .text_leg(1, Nanos::seconds(20), broken, &mut room)
        .to_vec();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].symbol, told[0].bits), (SymbolId(1), FIRST | LAST));
    lane.text_leg(1, Nanos::seconds(39), trade.as_bytes(), &mut room);
    assert_eq!(
        lane.text_leg(0, Nanos::seconds(40), broken, &mut room)
            .len(),
        0
    );
    assert_eq!(
        lane.text_leg(1, Nanos::seconds(41), broken, &mut room)
            .len(),
        4
    );
    let mut memory = Vec::new();
    lane.remember(&mut memory);
    let mut twin = Lane::new(VenueId::BYBIT, &["BTC".into(), "ETH".into()], 0).unwrap();
    let mut from = memory.as_slice();
    assert!(twin.recall(&mut from).is_some() && from.is_empty());
    assert_eq!(twin.text_leg(0, now, trade.as_bytes(), &mut room).len(), 0);
    // Leg 0 speaks on for long enough to have brought what leg 1 could not read.
    let later = Nanos::seconds(60);
    let again = trade.replace("a9188a0a", "b9188a0a");
    lane.text_leg(0, later, again.as_bytes(), &mut room);
    lane.text_leg(1, later, again.as_bytes(), &mut room);
    assert!(lane.disconnected_leg(0, later).is_empty());
    // One that comes after the other has fallen silent does not make up for the time between.
    lane.connected_leg(0, Nanos::seconds(70));
    let last = trade.replace("a9188a0a", "c9188a0a");
    lane.text_leg(0, Nanos::seconds(71), last.as_bytes(), &mut room);
    let told = lane.disconnected_leg(1, Nanos::seconds(80)).to_vec();
    assert_eq!(told.len(), 4, "{told:?}");
    // One that came up and said nothing kept nothing; what it would have brought the other brings.
    lane.connected_leg(1, Nanos::seconds(81));
    assert!(lane.disconnected_leg(1, Nanos::seconds(82)).is_empty());
    // A disconnect, and a gap of trades, ticker and book for both symbols.
    assert_eq!(lane.disconnected_leg(0, Nanos::seconds(90)).len(), 7);
}

/// Symbols whose trades a group says are lost.
fn lost_trades(group: &[Event]) -> Vec<u16> {
    let lost = group
        .iter()
        .filter(|event| matches!(event.body(), Body::Gap(gap) if gap.stream == Stream::Trades));
    lost.map(|event| event.symbol.0).collect()
}

#[test]
fn a_leg_that_has_fallen_silent_covers_nothing() {
    let at = Nanos::seconds;
    let trade = |id: u32| {
        format!(
            r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000000,"data":[{{"T":1790000000000,"s":"BTCUSDT","S":"Buy","v":"1","p":"2.5","L":"PlusTick","i":"a9188a0a-82bc-50de-be60-{id:012}","BT":false,"RPI":false,"seq":1}}]}}"#
        )
    };
    let mut room = Vec::new();
    let mut both = |silent: i64| {
        let mut lane = lane();
        lane.connected_leg(0, at(100));
        lane.connected_leg(1, at(100));
        for second in 101..=130 {
            let text = trade(second as u32);
            lane.text_leg(0, at(second), text.as_bytes(), &mut room);
            if second < silent {
                lane.text_leg(1, at(second), text.as_bytes(), &mut room);
            }
        }
        lane
    };
    // Both speak to the end: nothing is lost with either.
    let mut lane = both(131);
    assert_eq!(lost_trades(lane.disconnected_leg(0, at(131))), [0u16; 0]);
    // The other was frozen for twenty seconds when this one went.
    let mut lane = both(110);
    assert_eq!(lost_trades(lane.disconnected_leg(0, at(131))), [0, 1]);
    // It froze just before; the first comes back, and only then is it given up.
    let mut lane = both(129);
    assert_eq!(lost_trades(lane.disconnected_leg(0, at(131))), [0u16; 0]);
    lane.connected_leg(0, at(140));
    assert_eq!(lost_trades(lane.disconnected_leg(1, at(170))), [0, 1]);
}

#[test]
fn a_bad_frame_is_lost_while_the_other_leg_is_silent() {
    let at = Nanos::seconds;
    let trade = r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000000,"data":[{"T":1790000000000,"s":"BTCUSDT","S":"Buy","v":"1","p":"2.5","L":"PlusTick","i":"a9188a0a-82bc-50de-be60-000000000001","BT":false,"RPI":false,"seq":1}]}"#;
    let bad = br#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000000,"data":7}"#;
    let mut room = Vec::new();
    let mut both = |silent: i64| {
        let mut lane = lane();
        for leg in [0, 1] {
            lane.connected_leg(leg, at(100));
        }
        for second in 101..=130 {
            lane.text_leg(0, at(second), trade.as_bytes(), &mut room);
            if second < silent {
                lane.text_leg(1, at(second), trade.as_bytes(), &mut room);
            }
        }
        lane
    };
    let mut room = Vec::new();
    // The other speaks: it brings what this one could not read.
    let mut lane = both(131);
    assert_eq!(
        lost_trades(lane.text_leg(0, at(131), bad, &mut room)),
        [0u16; 0]
    );
    // It is up and frozen: nobody brings it.
    let mut lane = both(120);
    assert_eq!(lost_trades(lane.text_leg(0, at(131), bad, &mut room)), [0]);
    // It froze a moment ago: that is told when it is given up, however much later.
    let mut lane = both(130);
    assert_eq!(
        lost_trades(lane.text_leg(0, at(130), bad, &mut room)),
        [0u16; 0]
    );
    for second in 131..160 {
        lane.text_leg(0, at(second), trade.as_bytes(), &mut room);
    }
    assert_eq!(lost_trades(lane.disconnected_leg(1, at(160))), [0, 1]);
}

#[test]
fn names_are_those_of_the_connection_s_moment_and_are_remembered() {
    let at = Nanos::seconds;
    let names = [
        (Nanos::ZERO, vec!["OLD".to_owned()]),
        (at(50), vec!["NEW".to_owned()]),
    ];
    let new = || Lane::named(VenueId::BYBIT, &names, 0).unwrap();
    let mut room = Vec::new();
    let mut heard = |lane: &mut Lane, second: i64, name: &str| {
        let text = format!(
            r#"{{"topic":"publicTrade.{name}USDT","type":"snapshot","ts":1790000000000,"data":[{{"T":1790000000000,"s":"{name}USDT","S":"Buy","v":"1","p":"2.5","L":"PlusTick","i":"a9188a0a-82bc-50de-be60-{second:012}","BT":false,"RPI":false,"seq":1}}]}}"#
        );
        lane.text(at(second), text.as_bytes(), &mut room).len()
    };
    let mut lane = new();
    lane.connected(at(10));
    assert_eq!(heard(&mut lane, 11, "OLD"), 1);
    assert_eq!(heard(&mut lane, 12, "NEW"), 0);
    // A connection keeps its names; the next one has those of its own moment.
    assert_eq!(heard(&mut lane, 60, "OLD"), 1);
    lane.disconnected(at(61));
    lane.connected(at(62));
    assert_eq!(heard(&mut lane, 63, "OLD"), 0);
    assert_eq!(heard(&mut lane, 64, "NEW"), 1);
    let mut memory = Vec::new();
    lane.remember(&mut memory);
    let mut again = new();
    again.recall(&mut memory.as_slice()).unwrap();
    assert_eq!(heard(&mut again, 65, "NEW"), 1);
    memory[2 * 8 + 2 + 1 + 2 * (2 + 2 * STREAMS.len()) * 8] = 9;
    assert!(
        new().recall(&mut memory.as_slice()).is_none(),
        "no such names"
    );
    // An answer too is read by the names of its moment.
    let mut lane = new();
    let body = |name: &str| {
        format!(
            r#"{{"retCode":0,"result":{{"list":[{{"symbol":"{name}USDT","buyRatio":"0.5","sellRatio":"0.5","timestamp":"1"}}]}}}}"#
        )
    };
    let request = "/v5/market/account-ratio?x";
    assert_eq!(lane.rest(at(10), request, body("OLD").as_bytes()).len(), 1);
    assert_eq!(lane.rest(at(51), request, body("NEW").as_bytes()).len(), 1);
}

#[test]
fn a_text_of_no_stream_of_ours_loses_nothing() {
    let mut lane = lane();
    for text in [
        r#"{"op":"maintenance","at":1}"#,
        r#"{"topic":"news.BTCUSDT","data":{}}"#,
        r#"{"success":false,"ret_msg":"handler not found","op":"subscribe"}"#,
    ] {
        assert_eq!(gaps(&mut lane, text), [], "{text}");
    }
    assert_eq!((lane.counts.faults, lane.counts.gaps), (3, 0));
    assert_eq!(lane.refusal().text(), "handler not found");
}

#[test]
fn a_bad_frame_costs_its_own_stream_and_symbol() {
    let mut lane = lane();
    let trade = r#"{"topic":"publicTrade.ETHUSDT","ts":1790000000000,"data":[{"p":"x"}]}"#;
    assert_eq!(gaps(&mut lane, trade), [(Stream::Trades, 1)]);
    let book = r#"{"topic":"orderbook.200.BTCUSDT","ts":1790000000000,"data":7}"#;
    assert_eq!(gaps(&mut lane, book), [], "its sequence will tell");
    assert_eq!((lane.counts.faults, lane.counts.gaps), (2, 1));
    let all = [
        (Stream::Trades, 0),
        (Stream::Ticker, 0),
        (Stream::Trades, 1),
        (Stream::Ticker, 1),
    ];
    assert_eq!(gaps(&mut lane, "{\"topic\":\"publicTr"), all);
    // The topic before it is not remembered for it.
    assert_eq!(gaps(&mut lane, trade).len(), 1);
    assert_eq!(gaps(&mut lane, "<html>"), all);
}
