//! The command line as a user meets it: the binary itself, its exit codes, its words, its JSON.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]

use isotherm::calibrate::Calibration;
use isotherm::config::evidence::{self, Evidence};
use isotherm::shm::writer::PageWriter;
use isotherm::sim::{Params, TopicKind, World};
use isotherm::time::{Nanos, mono_now};
use isotherm::zone::odds::Taught;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

fn isotherm(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isotherm"))
        .args(args)
        .output()
        .unwrap()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A recorded session of two symbols in the documented form, from the built-in exchange.
fn session(path: &Path, span: Nanos) -> u64 {
    let mut world = World::new(5, Params::only(&["BTCUSDT", "ETHUSDT"])).unwrap();
    let (url, conn) = ("wss://stream.bybit.com/v5/public/linear", "one");
    let start = world.now();
    let args: Vec<String> = world
        .topics()
        .filter(|topic| topic.kind != TopicKind::Kline)
        .map(|topic| world.topic_name(topic))
        .collect();
    let subscribe = json!({ "op": "subscribe", "args": args }).to_string();
    let mut out = String::new();
    for (kind, frame) in [("connect", None), ("send", Some(subscribe))] {
        let line =
            json!({"recv_ns": start.get(), "kind": kind, "conn": conn, "url": url, "frame": frame});
        writeln!(out, "{line}").unwrap();
    }
    let mut frames = 0;
    let mut put = |frame: &isotherm::sim::Frame<'_>| {
        let line = json!({
            "recv_ns": frame.at.get(), "kind": "recv", "conn": conn, "url": url, "frame": frame.text,
        });
        writeln!(out, "{line}").unwrap();
        frames += 1;
    };
    let topics: Vec<_> = world
        .topics()
        .filter(|t| t.kind != TopicKind::Kline)
        .collect();
    for topic in topics {
        world.snapshot_frames(topic, &mut put);
    }
    world.advance(start.plus(span), &mut put);
    std::fs::write(path, out).unwrap();
    frames
}

#[test]
fn the_demo_runs_the_live_engine_and_ends_well() {
    let done = isotherm(&["demo", "--seconds", "3", "--hours", "1"]);
    let text = words(&done.stdout);
    assert!(done.status.success(), "{text}{}", words(&done.stderr));
    assert!(text.contains("live: ws://127.0.0.1:"), "{text}");
    for symbol in ["BTC", "ETH", "SOL"] {
        assert!(
            text.lines()
                .any(|l| l.trim_start().starts_with(symbol) && l.contains("mark")),
            "{text}"
        );
    }
    assert!(text.contains("state hash"), "{text}");
}

#[test]
fn a_demo_that_nobody_reads_ends_and_leaves_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_isotherm"))
        .args([
            "demo",
            "--hours",
            "1",
            "--seconds",
            "60",
            "--page",
            page.to_str().unwrap(),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Read until it is live, then go away.
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(
        lines
            .by_ref()
            .any(|line| line.unwrap().starts_with("live: "))
    );
    assert!(page.exists());
    drop(lines);
    assert!(demo.wait().unwrap().success());
    assert!(!page.exists());
}

/// The terminal goes away: as Ctrl-C, unless nohup said to go on.
#[test]
fn a_hangup_ends_a_run_unless_it_is_ignored() {
    let send = |signal: &str, to: &Child| {
        let kill = format!("kill -{signal} {}", to.id());
        let done = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(done.success());
    };
    // This test may itself have been started to ignore it.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
    for before in [&[][..], &["nohup"]] {
        let engine = env!("CARGO_BIN_EXE_isotherm");
        let sim = [
            engine,
            "sim",
            "--hours",
            "0",
            "--port",
            "0",
            "--seconds",
            "60",
        ];
        let whole = [before, &sim].concat();
        let mut sim = Command::new(whole[0])
            .args(&whole[1..])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(sim.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with("rest = ")));
        send("HUP", &sim);
        if !before.is_empty() || mask & 1 == 1 {
            std::thread::sleep(Duration::from_millis(500));
            assert!(sim.try_wait().unwrap().is_none(), "{before:?}");
            send("TERM", &sim);
        }
        assert!(sim.wait().unwrap().success(), "{before:?}");
    }
}

/// Every key of a JSON object stands in its document; names of things (symbols, venues, kinds, counters) need not.
fn documented(object: &Value) {
    const NAMES: [&str; 6] = [
        "symbols", "venues", "events", "counters", "faults", "channels",
    ];
    let text = std::fs::read_to_string("docs/JSON.md").unwrap();
    let mut left = vec![(object, false)];
    while let Some((value, are_names)) = left.pop() {
        for (key, value) in value.as_object().into_iter().flatten() {
            let is_said = text.contains(&format!("`{key}`"));
            // By venue, as its row says.
            let is_venue = isotherm::venue::by_name(key).is_some();
            assert!(
                are_names || is_venue || is_said,
                "{key} is not in docs/JSON.md"
            );
            left.push((value, NAMES.contains(&key.as_str())));
        }
        left.extend(
            value
                .as_array()
                .into_iter()
                .flatten()
                .map(|value| (value, false)),
        );
    }
}

#[test]
fn a_replay_prints_one_object_with_every_promised_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.recv.jsonl");
    let frames = session(&path, Nanos::seconds(120));
    let name = path.to_str().unwrap();
    let done = isotherm(&["replay", "--json", name]);
    assert!(done.status.success(), "{}", words(&done.stderr));
    let object: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(object["frames"], frames);
    for zero in ["faults", "gaps", "tolerant"] {
        assert_eq!(object[zero], 0, "{zero}");
    }
    assert_eq!(object["state_hash"].as_str().unwrap().len(), 16);
    for kind in [
        "trade",
        "level",
        "bbo",
        "mark",
        "index",
        "funding",
        "interest",
        "liquidation",
    ] {
        assert!(object["events"][kind].is_u64(), "{kind}");
    }
    assert_eq!(
        object["symbols"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["BTC", "ETH"]
    );
    documented(&object);
    let unheard = isotherm(&["replay", "--json", "--symbols", "FOO", name]);
    let unheard: Value = serde_json::from_slice(&unheard.stdout).unwrap();
    let map = unheard["symbols"]["FOO"]["map"].as_object().unwrap();
    assert!(
        map.len() == 5 && map.values().all(Value::is_null),
        "{map:?}"
    );
    let btc = &object["symbols"]["BTC"];
    for text in [
        "/mark",
        "/last",
        "/open_interest/bybit",
        "/book/bybit/bid",
        "/book/bybit/ask",
    ] {
        let value = btc.pointer(text).and_then(Value::as_str);
        assert!(
            value.is_some_and(|v| v.parse::<f64>().unwrap() > 0.0),
            "{text}: {value:?}"
        );
    }
    for share in [
        "long_usd",
        "short_usd",
        "inert_share",
        "prior_share",
        "oi_residual",
    ] {
        assert!(
            btc["map"][share].as_str().unwrap().parse::<f64>().unwrap() >= 0.0,
            "{share}"
        );
    }
    for zone in btc["zones"].as_array().unwrap() {
        for text in [
            "kind",
            "where",
            "low",
            "high",
            "usd",
            "distance_bps",
            "state",
        ] {
            assert!(zone[text].is_string(), "{text}: {zone}");
        }
        assert_eq!(zone["holder"].is_null(), zone["kind"] == "cold");
    }
    for mode in ["scalp", "day", "swing"] {
        let bias = &btc["bias"][mode];
        assert!(bias["bias"].is_i64() && bias["confidence"].is_u64() && bias["flags"].is_array());
        for text in ["p_up", "verdict", "agreement", "state", "motion"] {
            assert!(bias[text].is_string(), "{text}");
        }
        // Two minutes show the fastest mode two of its windows, and the others not.
        assert!(mode == "scalp" || bias["confidence"] == 0, "{mode}");
    }
    let again = isotherm(&["replay", "--json", "--speed", "100x", name]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["state_hash"], object["state_hash"]);
}

#[test]
fn wrong_words_are_answered_with_right_ones() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("isotherm.toml");
    std::fs::write(&plan, "[engine]\nsymbls = [\"BTC\"]\n").unwrap();
    let done = isotherm(&["run", "-c", plan.to_str().unwrap()]);
    assert!(!done.status.success());
    let text = words(&done.stderr);
    assert!(
        text.contains("isotherm.toml:2:1: unknown key \"symbls\""),
        "{text}"
    );
    assert!(text.contains("did you mean \"symbols\""), "{text}");

    let done = isotherm(&["replay", "/no/such/file"]);
    assert!(!done.status.success());
    assert!(
        words(&done.stderr).contains("/no/such/file"),
        "{}",
        words(&done.stderr)
    );

    let done = isotherm(&["plot", "/no/such/history", "-o", "/no/such/picture"]);
    let text = words(&done.stderr);
    assert!(text.matches("/no/such/history").count() == 1, "{text}");

    for (url, words_of) in [
        ("wss://fx-ws.gateio.ws/v4/ws/usdt", "recorded at gate"),
        ("wss://example.org/feed", "found wss://example.org/feed"),
        ("wss://stream.bybit.com/v5/public/linear", "--symbols"),
    ] {
        let path = folder.path().join("session.recv.jsonl");
        let line = json!({ "recv_ns": 1, "kind": "connect", "conn": "one", "url": url });
        std::fs::write(&path, format!("{line}\n")).unwrap();
        let done = isotherm(&["replay", path.to_str().unwrap()]);
        let text = words(&done.stderr);
        assert!(!done.status.success());
        assert!(text.contains(words_of), "{text}");
        assert!(
            text.contains("decodes: bybit") || url.contains("bybit"),
            "{text}"
        );
        assert_eq!(text.matches("session.recv.jsonl").count(), 1, "{text}");
    }

    let done = isotherm(&["cat", "--instance", "nobody-runs-this"]);
    assert!(!done.status.success());
    assert!(
        words(&done.stderr).contains("isotherm run"),
        "{}",
        words(&done.stderr)
    );
}

#[test]
fn what_is_no_recording_is_said_by_its_name() {
    use isotherm::{checkpoint, historian::file, shm::page};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thing");
    let name = path.to_str().unwrap();
    for (head, word) in [
        (page::MAGIC.to_le_bytes(), "a page"),
        (checkpoint::MAGIC, "checkpoint"),
        (*file::MAGIC, "a history"),
        (*b"garbage\n", "not a line of a recorded session"),
        ([0; 8], "an empty file"),
    ] {
        let is_empty = head == [0; 8];
        let whole = if is_empty {
            Vec::new()
        } else {
            [head.as_slice(), &[0; 500]].concat()
        };
        std::fs::write(&path, whole).unwrap();
        for command in [&["replay"][..], &["tape", "cat"], &["calibration", "show"]] {
            let done = isotherm(&[command, &[name]].concat());
            let text = words(&done.stderr);
            assert!(!done.status.success(), "{command:?}");
            assert!(
                text.contains(word) && text.contains(name),
                "{command:?}: {text}"
            );
        }
    }
    // Whoever asks a page for its evidence is told where that is.
    std::fs::write(&path, page::MAGIC.to_le_bytes()).unwrap();
    let told = words(&isotherm(&["calibration", "show", name]).stderr);
    assert!(told.contains("records to"), "{told}");
}

/// A file of calibrations: shown in words and for machines, kept, forgotten, and refused where it is none.
#[test]
fn what_touches_taught_is_shown_saved_and_forgotten() {
    let mut taught: Taught = bytemuck::Zeroable::zeroed();
    (0..12).for_each(|_| taught.learn(&[0; 7], false));
    let evidence = Evidence {
        taught: [("BTC day".to_owned(), taught.words())].into(),
        ..Evidence::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let [path, copy] = ["a", "b"].map(|name| folder.path().join(name).display().to_string());
    std::fs::write(&path, evidence::text(&evidence).unwrap()).unwrap();
    let show = |more: &[&str]| isotherm(&[&["calibration", "show"], more].concat());
    let text = words(&show(&[&path, "--save", &copy]).stdout);
    assert!(
        text.contains("BTC day: runs of zones, weights after 12 touches that held or ran"),
        "{text}"
    );
    let constant = text.lines().find(|line| line.contains("constant")).unwrap();
    let numbers = constant.split_whitespace().skip(1).map(str::parse::<f64>);
    let [now, begun] = numbers.map(Result::unwrap).collect::<Vec<_>>()[..] else {
        unreachable!("{constant}")
    };
    assert!(now < -1.0 && begun == 0.0, "{constant}");
    let object: Value = serde_json::from_slice(&show(&[&copy, "--json"]).stdout).unwrap();
    let known = &object["taught"]["BTC day"];
    assert_eq!(known["touches"], 12);
    assert!((known["weights"]["constant"].as_f64().unwrap() - now).abs() < 1e-3);
    assert_eq!(
        known["weights"]["heat"].as_f64().unwrap(),
        f64::from(26_214) / 65_536.0
    );

    // One that an older build wrote, one of another form, one cut short.
    let whole = std::fs::read_to_string(&copy).unwrap();
    let old = r#"{"isotherm": "calibration", "version": 1, "evidence": {}}"#;
    std::fs::write(&path, old).unwrap();
    assert!(words(&show(&[&path]).stdout).contains("nothing is known"));
    for (bad, want) in [
        (
            whole.replacen("12", "-12", 1),
            "calibration of \"BTC day\": not of this build's form",
        ),
        (whole[..whole.len() / 2].to_owned(), "is no calibration"),
    ] {
        std::fs::write(&path, bad).unwrap();
        let done = show(&[&path]);
        let text = words(&done.stderr);
        assert!(!done.status.success() && text.contains(want), "{text}");
    }
    // What is of this form is kept, what is not is named.
    let known: Calibration = bytemuck::Zeroable::zeroed();
    let mut both = evidence::parse(&whole.replacen("12", "-12", 1)).unwrap();
    both.theta.insert("BTC bybit".to_owned(), known.words());
    std::fs::write(&path, evidence::text(&both).unwrap()).unwrap();
    let done = show(&[&path, "--save", &copy]);
    let aside = words(&done.stderr);
    assert!(
        aside.contains("left out: calibration of \"BTC day\": not of this build's form"),
        "{aside}"
    );
    assert!(words(&done.stdout).contains("BTC bybit: 0 prints"));
    let kept = evidence::parse(&std::fs::read_to_string(&copy).unwrap()).unwrap();
    both.taught.clear();
    assert_eq!(kept, both);
    // A plan that begins with the file is not good, one that begins with what was kept is.
    let plan = folder.path().join("plan.toml").display().to_string();
    for (file, is_good) in [(&path, false), (&copy, true)] {
        std::fs::write(&plan, format!("[engine]\ncalibration = \"{file}\"\n")).unwrap();
        let done = isotherm(&["config", "check", &plan]);
        let text = words(&done.stderr);
        assert_eq!(done.status.success(), is_good, "{text}");
        assert!(
            is_good || text.contains("isotherm calibration show"),
            "{text}"
        );
    }
    assert!(isotherm(&["calibration", "reset", &copy]).status.success());
    let text = words(&show(&[&copy]).stdout);
    assert!(
        text.contains("nothing is known") && !text.contains("touches"),
        "{text}"
    );
}

#[test]
fn a_page_without_a_heartbeat_is_called_silent_and_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page");
    let mut writer = PageWriter::create(&path, &["BTC".to_string()], "test").unwrap();
    let name = path.to_str().unwrap().to_string();
    let cat = |more: &[&str]| isotherm(&[&["cat", "--page", &name], more].concat());
    let object = |done: &Output| serde_json::from_slice::<Value>(&done.stdout).unwrap();

    // Beats in the past are those of an engine that was killed: its page stays as it was.
    writer.heartbeat(mono_now().plus(Nanos::seconds(-12)), 5, 6);
    let done = cat(&[]);
    assert_eq!(done.status.code(), Some(1));
    let text = words(&done.stdout);
    assert!(text.starts_with("SILENT: no heartbeat for 12."), "{text}");
    let done = cat(&["--json"]);
    assert_eq!(done.status.code(), Some(1));
    let silent = object(&done);
    assert_eq!(silent["heartbeat"], "silent");
    documented(&silent);
    let btc = &silent["symbols"]["BTC"];
    assert_eq!(btc["freshness"]["scalp"], "SILENT");
    // Never published: nothing in it was heard.
    assert!(btc["map"]["long_usd"].is_null() && btc["ages_ms"]["mark"].is_null());

    // A stamp that stays young for as long as a loaded machine may need.
    let live = (0..50).any(|_| {
        writer.heartbeat(mono_now(), 5, 6);
        let done = cat(&["--json"]);
        done.status.success() && object(&done)["heartbeat"] == "live"
    });
    assert!(live);
}

#[test]
fn a_look_again_and_again_waits_for_the_next_engine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page");
    let begin = || PageWriter::create(&path, &["BTC".to_string()], "test").unwrap();
    let writer = begin();
    let mut cat = Command::new(env!("CARGO_BIN_EXE_isotherm"))
        .args(["cat", "--every", "1", "--page", path.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(cat.stdout.take().unwrap()).lines();
    let mut read_to = |start: &str| lines.any(|line| line.unwrap().starts_with(start));
    assert!(read_to("BTC"));
    drop(writer);
    assert!(!path.exists());
    assert!(read_to("no instance at "));
    let writer = begin();
    assert!(read_to("BTC"));
    cat.kill().unwrap();
    cat.wait().unwrap();
    drop(writer);
}

/// The limit of the shell it was started in, and a plan of another machine.
#[test]
fn a_file_that_may_not_grow_ends_the_tape_and_not_the_engine() {
    let engine = env!("CARGO_BIN_EXE_isotherm");
    let mut sim = Command::new(engine)
        .args([
            "sim",
            "--hours",
            "0",
            "--port",
            "0",
            "--speed",
            "50",
            "--seconds",
            "120",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(sim.stdout.take().unwrap()).lines();
    let mut feed = String::new();
    while !feed.contains("rest = ") {
        let line = lines.next().unwrap().unwrap();
        if line.starts_with("url = ") || line.starts_with("rest = ") {
            feed += &format!("{line}\n");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (plan, page, tape) = (at("plan.toml"), at("page"), at("tape"));
    let text = format!(
        "[engine]\nsymbols = [\"BTC\", \"ETH\", \"SOL\"]\nidle = \"park\"\ncore = 1000\npage = \"{page}\"\n\
         tape = \"{tape}\"\n[[feed]]\nvenue = \"bybit\"\n{feed}"
    );
    std::fs::write(&plan, text).unwrap();
    // Room for a page, and for a second or so of tape. Blocks are of 512 bytes or of 1024.
    let run = format!("ulimit -f 1000; exec {engine} run -c {plan} --seconds 120");
    let mut run = Command::new("sh")
        .args(["-c", &run])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(run.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(told.any(|line| line.contains("core 1000: not a core")));
    assert!(told.any(|line| line.contains("File too large")));
    let kill = format!("kill -TERM {}", run.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    let rest: Vec<String> = told.collect();
    assert_eq!(run.wait().unwrap().code(), Some(1), "{rest:?}");
    sim.kill().unwrap();
    sim.wait().unwrap();
}

#[test]
fn the_example_plan_is_a_good_plan() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("isotherm.toml");
    std::fs::write(&plan, isotherm(&["config", "example"]).stdout).unwrap();
    let done = isotherm(&["config", "check", plan.to_str().unwrap()]);
    assert!(done.status.success(), "{}", words(&done.stderr));
    assert!(words(&isotherm(&["config", "show"]).stdout).contains("[model]"));
}

/// A plan that holds together may still not go as it says here: that is said, and is no fault of the plan.
#[test]
fn a_check_says_what_would_not_go_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let text = format!(
        "[engine]\nsymbols = [\"BTC\"]\npage = \"{}\"\nproof = \"{}\"\ntape = \"{}\"\n\n[[feed]]\n\
         venue = \"bybit\"\nurl = \"ws://127.0.0.1:1/v5/public/linear\"\n",
        path("none/page"),
        path("ledger.jsonl"),
        path("nowhere/tape"),
    );
    std::fs::write(path("plan.toml"), text).unwrap();
    let done = isotherm(&["config", "check", &path("plan.toml")]);
    let said = words(&done.stdout);
    assert!(done.status.success(), "{}", words(&done.stderr));
    for want in [
        "none is no folder",
        "ledger.jsonl is not there (yet)",
        "nowhere is no folder",
    ] {
        assert!(said.contains(&format!("{want}\n")), "{want} in {said}");
    }
    assert!(said.contains("good: "), "{said}");
}

/// What is raised is on the page within moments, and outlives the engine until it is taken back.
#[test]
fn what_executors_are_told_outlives_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (plan, page) = (at("isotherm.toml"), at("page"));
    let text = format!(
        "[engine]\nsymbols = [\"BTC\"]\nidle = \"park\"\npage = \"{page}\"\n[[feed]]\nvenue = \"bybit\"\n\
         url = \"ws://127.0.0.1:1/\"\nrest = \"\"\n"
    );
    std::fs::write(&plan, text).unwrap();
    let kill = |args: &[&str]| isotherm(&[&["kill", "--page", &page], args].concat());
    let said = |args: &[&str]| words(&kill(args).stdout);
    assert!(said(&[]).ends_with("page: run\n"));
    let wrong = kill(&["stop"]);
    assert!(!wrong.status.success() && words(&wrong.stderr).contains("no-new, flatten"));
    let told = said(&["no-new", "--reason", "7"]);
    assert!(
        told.contains("no-new, reason 7; no engine is running"),
        "{told}"
    );

    let shown = |want: &str| {
        (0..400).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            let done = isotherm(&["cat", "--json", "--page", &page]);
            let Ok(object) = serde_json::from_slice::<Value>(&done.stdout) else {
                return false;
            };
            let bits = object["status"].as_array().unwrap();
            let halts = bits.iter().any(|bit| bit == "HALT");
            object["kill"]["level"] == want && halts == (want != "run")
        })
    };
    let engine = Command::new(env!("CARGO_BIN_EXE_isotherm"))
        .args(["run", "-c", &plan])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(shown("no-new"), "what was said before it began");
    assert!(said(&["run"]).ends_with("page: run\n") && shown("run"));
    std::fs::write(at("page.kill"), "stop everything\n").unwrap();
    assert!(shown("no-new"), "what cannot be understood");
    assert!(said(&[]).contains("counts as no-new"));
    let told = said(&["flatten", "--reason", "9"]);
    assert!(
        told.ends_with("page: flatten, reason 9\n") && shown("flatten"),
        "{told}"
    );
    let text = words(&isotherm(&["cat", "--page", &page]).stdout);
    assert!(
        text.contains("executors are told: flatten  reason 9"),
        "{text}"
    );
    let stop = format!("kill -TERM {}", engine.id());
    let stopped = Command::new("sh").args(["-c", &stop]).status();
    assert!(stopped.unwrap().success());
    let log = words(&engine.wait_with_output().unwrap().stderr);
    assert!(
        log.contains("kill flatten: executors are told so, reason 9"),
        "{log}"
    );
    assert!(log.contains("\"stop everything\\n\" is no line"), "{log}");
    assert!(
        said(&[]).contains("flatten, reason 9"),
        "it outlives the engine"
    );
    kill(&["run"]);
}

#[test]
fn every_subcommand_shows_an_example() {
    for command in [
        "demo", "run", "replay", "sim", "cat", "kill", "config", "bench",
    ] {
        let done = isotherm(&[command, "--help"]);
        let text = words(&done.stdout);
        assert!(done.status.success(), "{command}: {}", words(&done.stderr));
        assert!(
            text.contains("Examples:") && text.contains(&format!("isotherm {command}")),
            "{text}"
        );
    }
}

#[test]
fn no_output_takes_the_place_of_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let heads: [(&str, &[u8; 8]); 4] = [
        ("a tape", b"ISOTAPE\0"),
        ("a checkpoint", b"ISOCKPT\0"),
        ("a history", b"ISOHIST1"),
        ("a page", b"ISOTHRM0"),
    ];
    for (what, head) in heads {
        let path = folder.path().join("kept");
        std::fs::write(&path, head).unwrap();
        let out = isotherm(&["calibration", "reset", path.to_str().unwrap()]);
        let why = words(&out.stderr);
        assert!(!out.status.success(), "{what}");
        assert!(
            why.contains(&format!("exists and is {what}; it is left alone")),
            "{why}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), head);
        std::fs::remove_file(&path).unwrap();
    }
    // Nor is anything left behind where nothing can be put.
    let out = isotherm(&["calibration", "reset", folder.path().to_str().unwrap()]);
    assert!(!out.status.success());
    assert!(!folder.path().with_extension("part").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_written_is_no_success() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_isotherm"))
        .args(["config", "example"])
        .stdout(full)
        .output()
        .unwrap();
    assert!(!out.status.success());
    assert!(
        words(&out.stderr).contains("standard output"),
        "{}",
        words(&out.stderr)
    );
    // An error that nobody hears is still the answer.
    let (hears, told) = std::io::pipe().unwrap();
    drop(hears);
    let status = Command::new(env!("CARGO_BIN_EXE_isotherm"))
        .args(["tape", "info", "/nowhere"])
        .stderr(told)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}
