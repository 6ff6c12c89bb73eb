//! A recording is followed through the rename of a contract, whichever of its names the plan used.
#![allow(
    clippy::unwrap_used,
    reason = "a tape that cannot be written fails the test, which is the point"
)]

use isotherm::replay::{self, Speed};
use isotherm::shm::record::Nowhere;
use isotherm::tape::{Header, Limits, Record, Recorder, RenamePlan, RingPlan, RunPlan};
use isotherm::time::Nanos;

const URL: &str = "wss://stream.bybit.com/v5/public/linear";

fn trade(name: &str, second: i64) -> String {
    let ms = second * 1_000;
    format!(
        r#"{{"topic":"publicTrade.{name}USDT","type":"snapshot","ts":{ms},"data":[{{"T":{ms},"s":"{name}USDT","S":"Buy","v":"1","p":"2.5","L":"PlusTick","i":"a9188a0a-82bc-50de-be60-{second:012}","BT":false,"RPI":false,"seq":1}}]}}"#
    )
}

/// Ten trades of the old name, an outage at the rename, ten of the new one: (events stepped, frames that were none of
/// ours) of a plan that names the contract so.
fn replayed(symbol: &str, renames: Vec<RenamePlan>) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tape");
    let header = Header {
        created: Nanos::seconds(1_780_000_000),
        journalled: true,
        plan: RunPlan {
            symbols: vec![symbol.to_owned()],
            rings: vec![RingPlan {
                venue: "bybit".to_owned(),
                url: URL.to_owned(),
                rest: String::new(),
            }],
            renames,
            ..RunPlan::default()
        },
        ..Header::default()
    };
    let mut recorder = Recorder::begin(&path, &header, &Limits::default()).unwrap();
    for (name, begin) in [("SPACEX", 1_780_000_100), ("SPCX", 1_780_000_200)] {
        let at = |second: i64| Nanos::seconds(begin + second);
        let sent = r#"{"op":"subscribe","args":["publicTrade.X"]}"#;
        let connect = Record::Connect {
            ring: 0,
            recv: at(0),
            url: URL,
        };
        let sent = Record::Sent {
            ring: 0,
            at: at(0),
            bytes: sent.as_bytes(),
        };
        let done = Record::Order { ring: 0, groups: 1 };
        assert!(
            [connect, sent, done]
                .iter()
                .all(|record| recorder.append(record))
        );
        for second in 1..=10 {
            let text = trade(name, begin + second);
            let frame = Record::Frame {
                ring: 0,
                recv: at(second),
                bytes: text.as_bytes(),
            };
            assert!(recorder.append(&frame));
            assert!(recorder.append(&Record::Order { ring: 0, groups: 1 }));
        }
        let down = Record::Disconnect {
            ring: 0,
            recv: at(20),
            reason: "a test",
        };
        assert!(recorder.append(&down));
        assert!(recorder.append(&Record::Order { ring: 0, groups: 1 }));
    }
    recorder.finish(None).unwrap();
    let outcome = replay::run(&path, None, Speed::Max, &mut Nowhere).unwrap();
    assert_eq!(outcome.symbols, [symbol]);
    assert_eq!(outcome.counts.faults, 0);
    (outcome.shard.input_seq(), outcome.counts.ignored)
}

#[test]
fn a_recording_is_followed_by_either_name_across_the_rename() {
    let rename = RenamePlan {
        venue: "bybit".to_owned(),
        was: "SPACEX".to_owned(),
        now: "SPCX".to_owned(),
        at_ns: Nanos::seconds(1_780_000_150).get(),
    };
    let (plain, none_of_ours) = replayed("SPACEX", Vec::new());
    assert_eq!(none_of_ours, 10, "the new name means nothing");
    for symbol in ["SPACEX", "SPCX"] {
        let (events, none_of_ours) = replayed(symbol, vec![rename.clone()]);
        assert_eq!((events, none_of_ours), (plain + 10, 0), "{symbol}");
    }
    // Another venue's rename concerns nobody here.
    let elsewhere = RenamePlan {
        venue: "okx".to_owned(),
        ..rename
    };
    assert_eq!(replayed("SPACEX", vec![elsewhere]), (plain, 10));
}
