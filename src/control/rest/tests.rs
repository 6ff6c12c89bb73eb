//! Tests of `rest`.

use super::super::told::tests::log;
use super::*;
use crate::time::WallClock;

/// Bybit's, at an address.
pub(in crate::control) fn rest(base: &str) -> Rest {
    let venue = crate::venue::by_name("bybit").unwrap();
    let assets = vec!["BTC".to_owned()];
    let (events, _) = crate::ring::channel(16);
    let poll = |request: &str| Poll {
        what: What::Ratios,
        request: request.to_owned(),
        every: Duration::from_secs(60),
        weight: 1,
        pages: 1,
    };
    let ring = RestRing {
        base: base.to_owned(),
        venue,
        lane: Lane::new(venue.id, &assets, 0).unwrap(),
        assets,
        events,
        taped: Taped::new(0, None),
        polls: vec![poll("/a"), poll("/b")],
        later: Vec::new(),
        share: 100,
        agent: String::new(),
        given: Vec::new(),
        trust: Trust::new(&[]).unwrap(),
        accounts: None,
    };
    Rest::new(ring, Vec::new(), Instant::now(), Arc::default())
}

/// Turns until a request that went out has come to something.
fn settled(rest: &mut Rest) {
    let failed = rest.tally.get(count::REST_REFUSED);
    while rest.tally.get(count::REST_REFUSED) == failed {
        rest.turn(&WallClock, &mut log());
        std::thread::yield_now();
    }
}

#[test]
fn a_host_that_does_not_answer_is_left_alone_for_a_while() {
    // Nobody listens there.
    let mut rest = rest("http://127.0.0.1:1");
    let failed = |rest: &Rest| rest.tally.get(count::REST_REFUSED);
    let begun = Instant::now();
    settled(&mut rest);
    rest.turn(&WallClock, &mut log());
    let until = rest.quiet.unwrap();
    if begun.elapsed() < QUIET_FIRST {
        assert!(rest.out.is_none(), "the second request waits");
    }
    assert!(until >= begun + QUIET_FIRST);
    assert_eq!(rest.round_trip(), Nanos::ZERO, "nothing was answered");
    rest.quiet = None;
    settled(&mut rest);
    assert!(failed(&rest) >= 2);
    assert_eq!(quiet(30), QUIET_MAX);
}

#[test]
fn a_host_that_never_answers_holds_up_nobody() {
    // Takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut slow = rest(&format!("http://{}", silent.local_addr().unwrap()));
    slow.turn(&WallClock, &mut log());
    assert!(slow.out.is_some());
    // Another venue's requests fail, again and again, while that one is out.
    let mut other = rest("http://127.0.0.1:1");
    for _ in 0..3 {
        other.quiet = None;
        other
            .queue
            .iter_mut()
            .for_each(|asked| asked.due = Instant::now());
        settled(&mut other);
        slow.turn(&WallClock, &mut log());
    }
    assert_eq!(slow.tally.get(count::REST_REFUSED), 0, "it still waits");
    settled(&mut slow);
}

/// Answers by what it is asked, one connection a request, for as long as it is asked.
fn served(answer: fn(&str) -> &'static str) -> String {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let asked = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let body = answer(&asked);
            let long = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {long}\r\nConnection: close\r\n\r\n");
            stream.write_all((head + body).as_bytes()).unwrap();
        }
    });
    base
}

/// Two pages of open interest, newest first; there is a third that is not wanted, or is refused.
fn pages(asked: &str) -> &'static str {
    const LAST: &str = r#"{"retCode":0,"result":{"symbol":"BTCUSDT","nextPageCursor":"c","list":[
        {"openInterest":"4","timestamp":"1790000100000"},{"openInterest":"2","timestamp":"1789999800000"}]}}"#;
    const FIRST: &str = r#"{"retCode":0,"result":{"symbol":"BTCUSDT","nextPageCursor":"b","list":[
        {"openInterest":"8","timestamp":"1790000700000"},{"openInterest":"6","timestamp":"1790000400000"}]}}"#;
    match (asked.contains("cursor=b"), asked.contains("cursor=c")) {
        (true, _) => LAST,
        (_, true) => r#"{"retCode":10006,"retMsg":"Too many visits","result":{}}"#,
        _ => FIRST,
    }
}

#[test]
fn pages_of_the_past_are_told_oldest_first_whatever_becomes_of_the_last() {
    for wanted in [2, 3] {
        let mut rest = rest(&served(pages));
        let (events, mut told) = crate::ring::channel(16);
        rest.ring.events = events;
        rest.queue.truncate(1);
        rest.queue[0].poll = Poll {
            what: What::InterestHistory,
            request: "/v5/market/open-interest?symbol=BTCUSDT&limit=2".to_owned(),
            every: Duration::ZERO,
            weight: 1,
            pages: wanted,
        };
        let mut stamps = Vec::new();
        while stamps.len() < 4 {
            rest.turn(&WallClock, &mut log());
            while let Some(event) = told.pop() {
                stamps.push(event.exch.get() / Nanos::MILLI.get() - 1_789_999_800_000);
            }
            std::thread::yield_now();
        }
        assert_eq!(stamps, [0, 300_000, 600_000, 900_000], "{wanted} pages");
        assert!(
            rest.queue.is_empty() && rest.out.is_none(),
            "nothing is asked again"
        );
        assert!(rest.round_trip() > Nanos::ZERO);
    }
}

#[test]
fn from_its_moment_on_a_contract_is_asked_for_by_its_new_name() {
    let mut rest = rest(&served(pages));
    let from = WallClock.now();
    rest.turn(&WallClock, &mut log());
    assert!(rest.out.is_some(), "asked by the old name");
    let poll = |poll: &Poll| Poll {
        request: format!("{}/new", poll.request),
        ..poll.clone()
    };
    rest.ring.later.push(Renamed {
        from,
        assets: vec!["NEW".to_owned()],
        polls: rest.polls.iter().map(poll).collect(),
    });
    rest.rename(&WallClock, &mut log());
    let mut asked: Vec<&str> = rest
        .queue
        .iter()
        .map(|asked| asked.poll.request.as_str())
        .collect();
    asked.sort_unstable();
    assert_eq!(asked, ["/a/new", "/b/new"]);
    assert_eq!(rest.asset(0), "NEW");
    while matches!(rest.out, Some(Out::Nothing(_))) {
        rest.turn(&WallClock, &mut log());
    }
    assert_eq!(
        rest.ring.lane.counts,
        Default::default(),
        "the old answer is not read"
    );
}

#[test]
fn an_image_without_an_address_to_ask_is_refused() {
    let (to, _keep) = crossbeam::channel::bounded(1);
    assert!(!rest("").image(0, &to));
    assert!(rest("http://127.0.0.1:1").image(0, &to));
}

#[test]
fn a_later_page_that_goes_on_failing_is_given_up_where_its_table_begins_anew() {
    let mut rest = rest("http://127.0.0.1:1");
    rest.queue.truncate(1);
    rest.queue[0].page = 1;
    for _ in 0..PAGE_FAILS {
        assert_eq!(rest.queue.len(), 1);
        rest.queue[0].due = Instant::now();
        rest.quiet = None;
        settled(&mut rest);
    }
    assert!(rest.queue.is_empty());
}

#[test]
fn a_failed_request_waits_longer_each_time() {
    assert_eq!(retry(1), Duration::from_secs(10));
    assert_eq!(retry(3), Duration::from_secs(40));
    assert_eq!(retry(9), RETRY_MAX);
}

#[test]
fn history_is_asked_only_when_it_is_wanted() {
    let row = crate::venue::by_name("bybit").unwrap();
    let assets = ["BTC".to_owned(), "ETH".to_owned()];
    let plain = polls(row, &assets, false);
    assert!(
        plain
            .iter()
            .all(|poll| poll.what <= What::Mark || poll.what == What::Ratios)
    );
    assert!(plain.iter().any(|poll| poll.request.contains("ETHUSDT")));
    assert!(polls(row, &assets, true).len() >= plain.len());
}
