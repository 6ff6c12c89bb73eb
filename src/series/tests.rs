use super::*;
use std::cell::Cell;

const NOW: i64 = 1_795_310_064_000;

fn declared() -> Vec<Declared> {
    let series = |name: &str, scale, period: Nanos| Declared {
        name: name.to_string(),
        scale,
        period,
        max_age: Nanos::new(period.get() * 2),
    };
    vec![
        series("etf-flow", 2, Nanos::DAY),
        series("dxy", 4, Nanos::MINUTE),
    ]
}

fn datagram(name: &str, time_ms: i64, value: &str, scale: u8, period_ms: i64) -> String {
    format!(
        r#"{{"name":"{name}","time":{time_ms},"value":{value},"scale":{scale},"period":{period_ms}}}"#
    )
}

fn dxy(time_ms: i64, value: &str) -> String {
    datagram("dxy", time_ms, value, 4, 60_000)
}

fn at(ms: i64) -> Nanos {
    Nanos::millis(ms)
}

#[test]
fn a_declared_value_is_an_event() {
    let mut decoder = Decoder::new(&declared());
    let event = decoder
        .decode(at(NOW), dxy(NOW - 50, "-1034500").as_bytes())
        .unwrap();
    assert_eq!((event.recv, event.exch), (at(NOW), at(NOW - 50)));
    assert!(event.is_last());
    let wanted = Series {
        which: 1,
        value: -1_034_500,
        scale: 4,
        period: Nanos::MINUTE,
    };
    assert_eq!(event.body(), Body::Series(wanted));
    // Other fields, another order and white space are normal; escaped names are names.
    let other = format!(
        " {{\"source\":{{\"a\":[1.5]}},\"period\":60000,\"scale\":4,\"value\":7,\"time\":{NOW},\
         \"name\":\"d\\u0078y\"}}\n"
    );
    assert!(decoder.decode(at(NOW), other.as_bytes()).is_ok());
}

#[test]
fn what_does_not_fit_is_told_apart() {
    use Reason::{Ahead, Late, Malformed, Terms, Undeclared};
    let long = format!("{}{}", dxy(NOW, "1"), " ".repeat(BYTES_MAX));
    let twice = dxy(NOW, "1").replace("\"scale\":4", "\"scale\":4,\"value\":2");
    for (text, reason) in [
        (String::new(), Malformed),
        ("[]".to_string(), Malformed),
        ("{}".to_string(), Malformed),
        (dxy(NOW, "1.5"), Malformed),
        (dxy(NOW, "1e3"), Malformed),
        (dxy(NOW, "\"1\""), Malformed),
        (dxy(NOW, "null"), Malformed),
        (dxy(NOW, "9223372036854775808"), Malformed),
        (format!("{}{}", dxy(NOW, "1"), dxy(NOW, "2")), Malformed),
        (twice, Malformed),
        (long, Malformed),
        (datagram("gold", NOW, "1", 4, 60_000), Undeclared),
        (datagram("DXY", NOW, "1", 4, 60_000), Undeclared),
        (datagram("dxy", NOW, "1", 2, 60_000), Terms),
        (datagram("dxy", NOW, "1", 4, 60_001), Terms),
        (dxy(NOW - 120_001, "1"), Late),
        (dxy(0, "1"), Late),
        (dxy(i64::MIN, "1"), Late),
        (dxy(NOW + 60_001, "1"), Ahead),
        (dxy(i64::MAX, "1"), Ahead),
    ] {
        let mut decoder = Decoder::new(&declared());
        assert_eq!(
            decoder.decode(at(NOW), text.as_bytes()),
            Err(reason),
            "{text}"
        );
        // And nothing of it is remembered.
        assert!(
            decoder
                .decode(at(NOW), dxy(NOW - 120_000, "1").as_bytes())
                .is_ok()
        );
    }
}

#[test]
fn a_value_is_late_behind_the_last_of_its_name_only() {
    let mut decoder = Decoder::new(&declared());
    let mut take = |text: String| decoder.decode(at(NOW), text.as_bytes()).map(|e| e.exch);
    assert_eq!(take(dxy(NOW - 1_000, "1")), Ok(at(NOW - 1_000)));
    assert_eq!(
        take(dxy(NOW - 1_000, "2")),
        Err(Reason::Late),
        "the same time again"
    );
    assert_eq!(take(dxy(NOW - 2_000, "2")), Err(Reason::Late));
    let flow = datagram("etf-flow", NOW - 86_400_000, "5", 2, 86_400_000);
    assert_eq!(take(flow), Ok(at(NOW - 86_400_000)));
    assert_eq!(take(dxy(NOW - 999, "3")), Ok(at(NOW - 999)));
}

#[test]
fn memory_goes_there_and_back() {
    let mut decoder = Decoder::new(&declared());
    decoder.decode(at(NOW), dxy(NOW, "1").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    decoder.remember(&mut bytes);
    bytes.push(9);
    let mut again = Decoder::new(&declared());
    let mut from = bytes.as_slice();
    assert_eq!(again.recall(&mut from), Some(()));
    assert_eq!(from, [9]);
    assert_eq!(
        again.decode(at(NOW), dxy(NOW, "1").as_bytes()),
        Err(Reason::Late)
    );
    assert_eq!(again.recall(&mut &bytes[..15]), None);
}

#[test]
fn hostile_bytes_never_panic() {
    let mut decoder = Decoder::new(&declared());
    let good = dxy(NOW, "12").into_bytes();
    for at_byte in 0..good.len() {
        assert!(decoder.decode(at(NOW), &good[..at_byte]).is_err());
        for byte in [0, b'"', b'{', b'9', b'-', 0xff] {
            let mut bad = good.clone();
            bad[at_byte] = byte;
            let _ = decoder.decode(at(NOW), &bad);
        }
    }
}

// ---- the socket ----

struct Hand(Cell<i64>);

impl Clock for Hand {
    fn now(&self) -> Nanos {
        at(self.0.get())
    }
}

fn plan(dir: &Path) -> External {
    External {
        socket: Some(dir.join("series")),
        ..External::default()
    }
}

fn open(plan: &External) -> Result<Input, SeriesError> {
    Input::open(plan, Decoder::new(&declared())).map(Option::unwrap)
}

/// Sends as a producer does.
fn send(path: &Path, text: &str) {
    let socket = UnixDatagram::unbound().unwrap();
    socket.send_to(text.as_bytes(), path).unwrap();
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        // Written, not printed: the test harness must not swallow it.
        let line = b"SKIPPED: not root, so owners of the series' socket are NOT checked\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line);
    }
    root
}

#[test]
fn a_producer_is_heard_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let clock = Hand(Cell::new(NOW));
    let mut input = open(&plan).unwrap();
    assert!(input.next(&clock).is_none());
    let path = input.path().to_path_buf();
    send(&path, &dxy(NOW, "5"));
    send(&path, "nonsense");
    send(&path, &"x".repeat(BYTES_MAX * 3));
    let came = input.next(&clock).unwrap();
    assert_eq!((came.recv, came.bytes), (at(NOW), dxy(NOW, "5").as_bytes()));
    // Replay: the same bytes and stamp give the same event.
    let again = Decoder::new(&declared()).decode(came.recv, came.bytes);
    assert_eq!(came.event, again);
    assert!(again.is_ok());
    let came = input.next(&clock).unwrap();
    assert_eq!(
        (came.bytes, came.event),
        (b"nonsense".as_slice(), Err(Reason::Malformed))
    );
    let came = input.next(&clock).unwrap();
    assert_eq!(
        (came.bytes.len(), came.event),
        (BYTES_MAX + 1, Err(Reason::Malformed))
    );
    assert!(input.next(&clock).is_none());
    let counts = *input.counts();
    assert_eq!((counts.taken, counts.dropped()), (1, 2));
    assert_eq!(counts.of(Reason::Malformed), 2);
    drop(input);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
    assert!(
        Input::open(&External::default(), Decoder::new(&[]))
            .unwrap()
            .is_none()
    );
}

#[test]
fn what_comes_too_fast_is_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let plan = External {
        rate_max: 2,
        ..plan(dir.path())
    };
    let clock = Hand(Cell::new(NOW));
    let mut input = open(&plan).unwrap();
    let path = input.path().to_path_buf();
    let taken = |input: &mut Input, first: i64| {
        for n in first..first + 5 {
            send(&path, &dxy(NOW + n, "1"));
        }
        let mut taken = 0;
        while input.next(&clock).is_some() {
            taken += 1;
        }
        clock.0.set(clock.0.get() + 500);
        taken
    };
    assert_eq!(taken(&mut input, 0), 2);
    assert_eq!(taken(&mut input, 10), 1, "half a second later, half of two");
    assert_eq!(input.counts().of(Reason::Rate), 7);
    assert_eq!(input.counts().taken, 3);
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path());
    let path = plan.socket.clone().unwrap();
    // A process that was killed leaves its file.
    drop(UnixDatagram::bind(&path).unwrap());
    assert!(path.exists());
    let first = open(&plan).unwrap();
    let fault = open(&plan).unwrap_err();
    assert!(matches!(fault, SeriesError::Live(_)), "{fault}");
    assert!(fault.to_string().contains("another process listens there"));
    // Its successor's file is not its to remove.
    fs::remove_file(&path).unwrap();
    let second = open(&plan).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
    fs::write(&path, "precious").unwrap();
    let fault = open(&plan).unwrap_err();
    assert!(matches!(fault, SeriesError::NotASocket(_)), "{fault}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let nowhere = External {
        socket: Some(dir.path().join("no/folder")),
        ..External::default()
    };
    let fault = open(&nowhere).unwrap_err();
    assert!(fault.to_string().contains("making the socket"), "{fault}");
}

#[test]
fn mode_and_owner_are_the_plans() {
    let dir = tempfile::tempdir().unwrap();
    let mut plan = External {
        mode: 0o620,
        ..plan(dir.path())
    };
    let path = plan.socket.clone().unwrap();
    let input = open(&plan).unwrap();
    let about = fs::metadata(&path).unwrap();
    assert_eq!(about.mode() & 0o777, 0o620);
    assert_eq!(about.uid(), rustix::process::geteuid().as_raw());
    drop(input);
    plan.owner = Some("no-such-user-here".to_string());
    let fault = open(&plan).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "owner no-such-user-here: there is no such user on this machine"
    );
    plan.owner = Some("root:no-such-group-here".to_string());
    assert!(matches!(open(&plan), Err(SeriesError::Nobody(_, "group"))));
    assert!(!path.exists());
    if !is_root() {
        return;
    }
    plan.owner = Some("12345:root".to_string());
    let input = open(&plan).unwrap();
    let about = fs::metadata(&path).unwrap();
    assert_eq!((about.uid(), about.gid()), (12_345, 0));
    drop(input);
    // Left behind by somebody else.
    drop(UnixDatagram::bind(&path).unwrap());
    chown(&path, Some(12_345), None).unwrap();
    let fault = open(&plan).unwrap_err();
    assert!(
        matches!(
            fault,
            SeriesError::Foreign {
                theirs: 12_345,
                ours: 0,
                ..
            }
        ),
        "{fault}"
    );
    assert!(path.exists());
}
