//! One dial at a time.

use crate::peer::{Answer, Got, PATIENCE, Peer, TONGUES, Tongue, ask, only};
use isotherm::sim::{Dialect, Fault, Faults, Handle, Options, Status, Topic, TopicKind};
use isotherm::time::Nanos;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A pause in which a healthy exchange at forty times real time has long said something.
const LONG: Duration = Duration::from_millis(700);

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The next numbered frame of a book.
fn next_book(tongue: Tongue, peer: &mut Peer) -> Value {
    loop {
        let v = peer.json();
        if tongue.number(&v).is_some() {
            return v;
        }
    }
}

/// Reads whatever comes until the connection ends; how it ended.
fn end(peer: &mut Peer) -> Got {
    loop {
        match peer.next() {
            Got::Text(_) | Got::Control(_) => {}
            other => return other,
        }
    }
}

/// Counts of one fault, by itself and on the first contract's book.
fn counts(handle: &Handle, fault: Fault) -> (u64, u64) {
    let injected = handle.injected();
    let topic = Topic {
        kind: TopicKind::Book,
        symbol: 0,
    };
    (injected.count(fault), injected.on(fault, topic))
}

#[test]
fn a_gap_is_silent_and_each_one_shows_once_the_book_was_asked_for_again() {
    for tongue in TONGUES.into_iter().filter(|t| t.is_sequenced()) {
        let handle = tongue.serve_with(only(Fault::Gap, 6));
        let mut peer = tongue.join(&handle);
        let (mut last, mut holes) = (None, 0);
        next_book(tongue, &mut peer);
        tongue.ask_again(tongue.names[0], &mut peer, &handle);
        while holes < 4 {
            let v = next_book(tongue, &mut peer);
            let number = tongue.number(&v).unwrap();
            match (last, number.before) {
                (Some(last), Some(before)) if before != last => {
                    assert!(before > last, "{tongue:?}");
                    holes += 1;
                    tongue.ask_again(tongue.names[0], &mut peer, &handle);
                }
                _ => {}
            }
            last = Some(number.this);
        }
        let (all, on) = counts(&handle, Fault::Gap);
        assert_eq!(all, on);
        assert!((holes..=holes + 1).contains(&on), "{tongue:?} {holes} {on}");
    }
}

#[test]
fn a_duplicate_is_the_same_frame_twice() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::Duplicate, 4));
        let mut peer = tongue.join(&handle);
        let (mut last, mut twice) = (Value::Null, 0);
        let mut sent = 5;
        // The exchange may be ahead by any number: what it had sent twice by then is read to the last.
        while twice < sent {
            let v = next_book(tongue, &mut peer);
            twice += u64::from(v == last);
            last = v;
            if twice == 5 {
                sent = counts(&handle, Fault::Duplicate).1;
                assert!(sent >= 5, "{tongue:?}: {sent}");
            }
        }
    }
}

#[test]
fn two_frames_are_swapped_and_none_is_lost() {
    for tongue in TONGUES.into_iter().filter(|t| t.is_sequenced()) {
        let handle = tongue.serve_with(only(Fault::Reorder, 8));
        let mut peer = tongue.join(&handle);
        next_book(tongue, &mut peer);
        tongue.ask_again(tongue.names[0], &mut peer, &handle);
        let mut seen = vec![next_book(tongue, &mut peer)];
        loop {
            let v = next_book(tongue, &mut peer);
            let number = tongue.number(&v).unwrap();
            let late = tongue.number(seen.last().unwrap()).unwrap().this > number.this;
            seen.push(v);
            if late && number.before.is_some() {
                break;
            }
        }
        let at = seen.len();
        let number = |back: usize| tongue.number(&seen[at - back]).unwrap();
        // … a, c, b: b follows a and c follows b.
        assert_eq!(number(2).before, Some(number(1).this), "{tongue:?}");
        assert_eq!(number(1).before, Some(number(3).this), "{tongue:?}");
        assert!(counts(&handle, Fault::Reorder).1 > 0);
    }
}

#[test]
fn garbage_comes_in_between_and_costs_nothing() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::Garbage, 4));
        let mut peer = tongue.join(&handle);
        let (mut garbage, mut invalid, mut last) = (0, 0, None);
        while garbage < 12 {
            let Got::Text(text) = peer.next() else {
                continue;
            };
            invalid += u32::from(std::str::from_utf8(&text).is_err());
            let Ok(v) = serde_json::from_slice::<Value>(&text) else {
                garbage += 1;
                continue;
            };
            let Some(number) = tongue.number(&v) else {
                continue;
            };
            if let (Some(last), Some(before)) = (last, number.before) {
                assert_eq!(before, last, "{tongue:?}");
            }
            last = Some(number.this);
        }
        assert!(invalid > 0, "no invalid UTF-8 in {garbage}");
        assert!(counts(&handle, Fault::Garbage).0 >= garbage);
    }
}

#[test]
fn a_wrong_type_is_json_that_says_nothing_and_costs_the_frame() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::WrongType, 5));
        let mut peer = tongue.join(&handle);
        let mut wrong = 0;
        next_book(tongue, &mut peer);
        tongue.ask_again(tongue.names[0], &mut peer, &handle);
        while wrong < 4 {
            let v = peer.json();
            if tongue.number(&v).is_none() && !tongue.is_answer(&v) {
                wrong += 1;
                tongue.ask_again(tongue.names[0], &mut peer, &handle);
            }
        }
        let counted = counts(&handle, Fault::WrongType).1;
        assert!(
            (wrong..=wrong + 2).contains(&counted),
            "{tongue:?} {wrong} {counted}"
        );
    }
}

#[test]
fn a_dressed_frame_says_the_same_in_another_order() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::Dress, 3));
        let mut peer = tongue.join(&handle);
        let (mut odd, mut last) = (0, None);
        while odd < 5 {
            let v = next_book(tongue, &mut peer);
            odd += u64::from(v.get("xNew").is_some());
            let number = tongue.number(&v).unwrap();
            if let (Some(last), Some(before)) = (last, number.before) {
                assert_eq!(before, last, "{tongue:?}");
            }
            last = Some(number.this);
            assert!(tongue.levels(&v).iter().flatten().count() < 2_000);
        }
        assert!((odd..=odd + 2).contains(&counts(&handle, Fault::Dress).1));
    }
}

#[test]
fn connections_end_in_every_way_there_is() {
    for tongue in TONGUES {
        for (fault, right) in [
            (Fault::HalfFrame, Got::Half),
            (Fault::Close, Got::Close(1001)),
            (Fault::Cut, Got::End),
            (Fault::Oversize, Got::Huge(1 << 30)),
        ] {
            let handle = tongue.serve_with(only(fault, 5));
            let mut peer = tongue.join(&handle);
            assert_eq!(end(&mut peer), right, "{tongue:?}");
            // A frame that is announced too large does not end the connection: the client does.
            let (all, on) = counts(&handle, fault);
            assert!(all == on && (on == 1 || fault == Fault::Oversize));

            // The exchange goes on, for this client too.
            handle.turn(Faults::NONE);
            next_book(tongue, &mut tongue.join(&handle));
        }
    }
}

#[test]
fn a_dribbled_frame_comes_in_many_pieces_and_whole() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::Dribble, 4));
        let mut peer = tongue.join(&handle);
        let mut pieces = 0;
        while pieces < 10 {
            next_book(tongue, &mut peer);
            pieces = pieces.max(peer.pieces);
        }
        assert!(counts(&handle, Fault::Dribble).1 > 0);
    }
}

#[test]
fn a_frozen_connection_is_up_and_says_nothing() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::Freeze, 5));
        let mut peer = tongue.join(&handle);
        until("it freezes", || counts(&handle, Fault::Freeze).1 == 1);
        let got = loop {
            match peer.next_within(LONG) {
                Got::Text(_) | Got::Control(_) => {}
                other => break other,
            }
        };
        assert!(matches!(got, Got::Nothing | Got::Half), "{got:?}");
        peer.send(9, b"alive?");
        peer.say(r#"{"op":"ping"}"#);
        assert_eq!(peer.next_within(LONG), got);
        // Quiet ends what would never end.
        assert!(handle.quiet(PATIENCE));
        assert!(matches!(end(&mut peer), Got::End | Got::Half));
    }
}

#[test]
fn stamps_jump_with_the_exchange_s_clock_and_nothing_else_does() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::ClockStep, 10));
        let mut peer = tongue.join(&handle);
        let (mut last, mut number, mut jumps) = (None, None, 0);
        while jumps < 2 {
            let v = next_book(tongue, &mut peer);
            let stamp = tongue.stamp(&v).unwrap();
            if last.is_some_and(|last: i64| (stamp - last).abs() > 2_000) {
                jumps += 1;
            }
            last = Some(stamp);
            let this = tongue.number(&v).unwrap();
            if let (Some(number), Some(before)) = (number, this.before) {
                assert_eq!(before, number);
            }
            number = Some(this.this);
        }
        assert!(counts(&handle, Fault::ClockStep).1 >= jumps);
    }
}

#[test]
fn a_silent_stream_is_acknowledged_and_the_connection_lives() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::Silent, 1));
        let mut peer = tongue.join(&handle);
        assert!(tongue.is_ack(&peer.json()), "{tongue:?}");
        assert_eq!(counts(&handle, Fault::Silent), (1, 1));
        // Another stream of the same connection flows.
        handle.turn(Faults::NONE);
        peer.say(&tongue.book(tongue.names[1], true));
        for _ in 0..10 {
            let v = next_book(tongue, &mut peer);
            assert_eq!(tongue.book_of(&v), Some(tongue.names[1]));
        }
    }
}

#[test]
fn a_late_stream_is_acknowledged_at_once_and_begins_with_the_whole() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::Late, 1));
        let mut peer = tongue.join(&handle);
        assert!(tongue.is_ack(&peer.json()), "{tongue:?}");
        let told = handle.injected().told;
        let first = next_book(tongue, &mut peer);
        // A second is forty of the exchange's, in which much was told.
        assert!(handle.injected().told > told + 100);
        if tongue.dialect != Dialect::Binance {
            assert_eq!(tongue.number(&first).unwrap().before, None);
        }
        assert_eq!(counts(&handle, Fault::Late), (1, 1));
    }
}

#[test]
fn a_refused_subscription_says_so_in_the_venue_s_words_and_sends_nothing() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::Refuse, 1));
        let mut peer = tongue.join(&handle);
        let said = peer.json();
        assert!(tongue.is_refusal(&said), "{tongue:?} {said}");
        assert_eq!(peer.next_within(LONG), Got::Nothing);
        // It may be asked for again.
        handle.turn(Faults::NONE);
        peer.say(&tongue.book(tongue.names[0], true));
        next_book(tongue, &mut peer);
        assert_eq!(counts(&handle, Fault::Refuse), (1, 1));
    }
}

#[test]
fn a_hello_is_spoiled_slow_or_a_no() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(only(Fault::BadHello, 1));
        let answer = Peer::open(&tongue.url(&handle)).err().unwrap();
        assert_eq!(answer.status, 0, "{answer:?}");
        handle.turn(only(Fault::TurnAway, 1));
        for _ in 0..5 {
            let answer = Peer::open(&tongue.url(&handle)).err().unwrap();
            assert!([403, 429, 503].contains(&answer.status), "{answer:?}");
            assert!(answer.retry_after().is_some());
        }
        handle.turn(only(Fault::SlowHello, 1));
        let mut slow = Peer::open(&tongue.url(&handle)).unwrap();
        assert!(slow.pieces > 10, "{}", slow.pieces);
        slow.say(&tongue.book(tongue.names[0], true));
        next_book(tongue, &mut slow);
        let injected = handle.injected();
        let faults = [Fault::BadHello, Fault::TurnAway, Fault::SlowHello];
        assert_eq!(faults.map(|fault| injected.count(fault)), [1, 5, 1]);
    }
}

#[test]
fn rest_fails_in_every_way_and_says_when_to_come_again() {
    for tongue in TONGUES {
        let [method, path, body] = tongue.request();
        let get = |handle: &Handle| -> Answer { ask(&handle.rest_url(), method, path, body) };
        let handle = tongue.serve_with(only(Fault::ShortBody, 1));
        let short = get(&handle);
        assert!(short.status == 200 && short.missing > 0, "{short:?}");
        handle.turn(only(Fault::NoJson, 1));
        let html = get(&handle);
        assert!(html.status == 200 && html.missing == 0);
        assert!(serde_json::from_str::<Value>(&html.body).is_err());
        handle.turn(only(Fault::Broken, 1));
        assert!([500, 502, 503].contains(&get(&handle).status));
        for (fault, status) in [(Fault::Busy, 429), (Fault::Banned, 418)] {
            handle.turn(only(fault, 1));
            let unheeded = handle.injected().unheeded;
            let first = get(&handle);
            assert_eq!(first.status, status);
            assert!(first.retry_after().unwrap() >= 1);
            handle.turn(Faults::NONE);
            // Whoever comes too early hears the same, and is counted.
            if get(&handle).status == status {
                assert!(handle.injected().unheeded > unheeded);
            }
            until("it is over", || get(&handle).status == 200);
        }
        let whole = get(&handle);
        assert!(whole.missing == 0 && serde_json::from_str::<Value>(&whole.body).is_ok());
        let injected = handle.injected();
        for fault in [
            Fault::ShortBody,
            Fault::NoJson,
            Fault::Broken,
            Fault::Busy,
            Fault::Banned,
        ] {
            assert_eq!(injected.count(fault), 1, "{fault:?}");
        }
    }
}

#[test]
fn maintenance_closes_everything_halts_the_contracts_and_ends() {
    for tongue in TONGUES {
        let handle = tongue.serve(Options {
            away: Nanos::seconds(2),
            ..Options::default()
        });
        let mut peer = tongue.join(&handle);
        next_book(tongue, &mut peer);
        handle.strike(Fault::Maintenance);
        assert_eq!(end(&mut peer), Got::Close(1001));
        let [method, path, body] = tongue.request();
        let rest = || ask(&handle.rest_url(), method, path, body).status;
        let name = tongue.names[0];
        let status = || handle.world(move |world| world.status(name)).flatten();
        if status() == Some(Status::Halted) {
            until("it opens", || Peer::open(&tongue.url(&handle)).is_ok());
        }
        until("REST opens", || rest() == 200);
        until("it trades", || status() == Some(Status::Trading));
        next_book(tongue, &mut tongue.join(&handle));
        assert_eq!(handle.injected().count(Fault::Maintenance), 1);
    }
}

#[test]
fn a_contract_is_delisted_and_never_the_first() {
    for tongue in TONGUES {
        let handle = tongue.serve_with(Faults::NONE);
        for _ in 0..30 {
            handle.strike(Fault::Delist);
        }
        let gone = handle.world(|world| {
            let names: Vec<String> = world.symbols().map(str::to_owned).collect();
            let status = |name: &String| world.status(name);
            names.iter().map(status).collect::<Vec<_>>()
        });
        let gone = gone.unwrap();
        assert_eq!(gone[0], Some(Status::Trading));
        let delisted = gone
            .iter()
            .filter(|s| **s == Some(Status::Delisted))
            .count() as u64;
        assert_eq!(handle.injected().count(Fault::Delist), delisted);
        assert!(delisted > 0);
        next_book(tongue, &mut tongue.join(&handle));
    }
}
