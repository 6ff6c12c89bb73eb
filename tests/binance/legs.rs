//! Two connections of the same streams, and a decoder that goes on where another stopped.

use super::*;

fn lane() -> Lane {
    let mut lane = Lane::new(VenueId::BINANCE, &assets(&["BTC", "ETH"]), 0).unwrap();
    for stream in [Stream::Book, Stream::Trades, Stream::Liquidations] {
        for text in texts::subscribe(row(), &assets(&["BTC", "ETH"]), &[stream]) {
            lane.sent(text.as_bytes());
        }
    }
    lane
}

#[test]
fn what_one_leg_misses_the_other_brings() {
    let mut lane = lane();
    let mut room = Vec::new();
    lane.connected_leg(0, RECV);
    lane.connected_leg(1, RECV);
    lane.rest(RECV, REQUEST, IMAGE.as_bytes());
    let mut tell = |lane: &mut Lane, leg: usize, text: &str| {
        lane.text_leg(leg, RECV, text.as_bytes(), &mut room).len()
    };
    assert_eq!(tell(&mut lane, 0, DEPTH), 4);
    assert_eq!(tell(&mut lane, 1, DEPTH), 0);
    // The first leg loses an update, the second brings it; another that is cut elsewhere fits too.
    let last = update(110, 111, 115, r#"["79999.5","0"]"#, "");
    assert_eq!(tell(&mut lane, 0, &last), 0);
    assert_eq!(tell(&mut lane, 1, DEPTH_NEXT), 4, "and what came too early");
    assert_eq!(tell(&mut lane, 1, &last), 0);
    let over = update(112, 113, 120, r#"["79999.5","1"]"#, "");
    assert_eq!(tell(&mut lane, 0, &over), 1);
    // Trades: 11 is missing on one leg, 13 on both.
    let trade = |id: u64| with(AGG, &[("\"a\":9", &format!("\"a\":{id}"))]);
    for (leg, id, events) in [
        (0, 9, 1),
        (1, 9, 0),
        (0, 10, 1),
        (0, 12, 1),
        (1, 10, 0),
        (1, 11, 1),
        (1, 12, 0),
        (1, 14, 1),
        (0, 14, 1),
    ] {
        assert_eq!(tell(&mut lane, leg, &trade(id)), events, "{leg} {id}");
    }
    assert_eq!(lane.counts.gaps, 1);
    assert_eq!(tell(&mut lane, 0, FORCE), 1);
    assert_eq!(tell(&mut lane, 1, FORCE), 0);
    assert_eq!(tell(&mut lane, 0, TOUCH), 1);
    assert_eq!(tell(&mut lane, 1, TOUCH), 0, "values are one leg's");
    // One leg goes, nothing is lost; then the other: book, trades and liquidations of both symbols.
    assert!(lane.disconnected_leg(0, RECV).is_empty());
    assert_eq!(lane.disconnected_leg(1, RECV).len(), 1 + 2 * 3);
    assert_eq!((lane.counts.faults, lane.counts.gaps), (0, 2));
}

#[test]
fn a_decoder_that_recalls_goes_on_as_the_one_that_remembered() {
    let late = update(110, 111, 120, r#"["79999.5","0"]"#, "");
    let full = with(IMAGE, &[("103", "115")]);
    let hole = with(AGG, &[("\"a\":9", "\"a\":15")]);
    let table = r#"[{"symbol":"BTCUSDT","fundingIntervalHours":4}]"#;
    // A request is told from a frame by the space in it.
    let steps: [(&str, &str); 12] = [
        ("/fapi/v1/fundingInfo", table),
        (REQUEST, IMAGE),
        ("", AGG),
        ("", DEPTH),
        ("", MARK),
        ("", FORCE),
        ("", DEPTH_NEXT),
        ("", &late),
        (REQUEST, &full),
        ("", AGG_LIVE),
        ("", &hole),
        ("", FORCE),
    ];
    let step = |decoder: &mut Decoder, (request, text): (&str, &str)| {
        let mut room = FrameBuffer::default();
        let got = if request.is_empty() {
            decoder.decode(RECV, room.put(text.as_bytes()))
        } else {
            decoder.rest(RECV, request, text.as_bytes())
        };
        let got = got.unwrap();
        (got.events.to_vec(), got.gap, got.resync)
    };
    for start in 0..2 {
        for cut in start..steps.len() {
            let mut one = decoder(&["BTC", "PEPE"]);
            let mut memory = Vec::new();
            let mut other = decoder(&["BTC", "PEPE"]);
            for (at, what) in steps.iter().enumerate().skip(start) {
                // Without an image the updates are kept.
                if start == 1 && at == 1 {
                    continue;
                }
                if at == cut {
                    memory.clear();
                    one.remember(&mut memory);
                    let mut from = memory.as_slice();
                    assert!(other.recall(&mut from).is_some() && from.is_empty());
                }
                let want = step(&mut one, *what);
                if at >= cut {
                    assert_eq!(step(&mut other, *what), want, "{start} {cut} {at}");
                }
            }
            let short = &memory[..memory.len().saturating_sub(1)];
            assert!(decoder(&["BTC", "PEPE"]).recall(&mut &*short).is_none());
        }
    }
}
