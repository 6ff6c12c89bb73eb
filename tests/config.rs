//! The configuration as a user meets it: messages word by word, the example, the effective values.

#![allow(clippy::expect_used, reason = "a helper of tests fails the test")]

use isotherm::config::{Channel, Engine, External, Feed, Leg, Model, Plan, Series, Venue};
use isotherm::idle::Strategy;
use isotherm::log::{Form, Level};
use isotherm::market::VenueId;
use isotherm::num::Usd;
use isotherm::time::Nanos;
use isotherm::venue::What;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn faults(text: &str) -> Vec<String> {
    match Plan::parse(text, "isotherm.toml") {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

fn parsed(text: &str) -> Plan {
    Plan::parse(text, "isotherm.toml").expect("a sound text")
}

type Values<'a> = (
    (&'a Engine, &'a [Feed], &'a [Venue]),
    (&'a External, &'a [Series], &'a Model),
);

fn values(plan: &Plan) -> Values<'_> {
    (
        (&plan.engine, &plan.feeds, &plan.venues),
        (&plan.external, &plan.series, &plan.model),
    )
}

#[test]
fn nothing_is_the_default() {
    assert_eq!(values(&parsed("")), values(&Plan::default()));
    assert_eq!(
        values(&parsed("[engine]\n[model]\n")),
        values(&Plan::default())
    );
}

#[test]
fn the_example_is_the_default_and_complete() {
    let text = Plan::example();
    let plan = parsed(&text);
    assert_eq!(values(&plan), values(&Plan::default()));
    // With its commented keys set it still parses: what it shows is right.
    let keys = keys();
    let is_key = |line: &str| {
        let key = line.split_once(" = ").map(|(key, _)| key);
        key.is_some_and(|key| keys.iter().any(|(_, known)| known == key))
    };
    let all: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if ["[[series]]", "[[rename]]"].contains(&rest) || is_key(rest) => {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let plan = parsed(&all);
    assert_eq!(plan.engine.core, Some(1));
    assert_eq!(plan.feeds[0].core, Some(2));
    assert_eq!(plan.engine.tape, Some(PathBuf::from("isotherm.tape")));
    assert!(plan.feeds[0].pair && plan.feeds[0].legs().len() == 2);
    assert_eq!(plan.series, [Series::default()]);
    let rename = &plan.renames[0];
    assert_eq!(
        (rename.was.as_str(), rename.now.as_str()),
        ("SPACEX", "SPCX")
    );
    assert_eq!(rename.at, Nanos::seconds(1_780_387_200));
    assert!(text.lines().all(|line| line.len() <= 120), "{text}");
    // Every key of every section is in it.
    for line in plan.show().lines().filter(|line| line.contains(" = ")) {
        let key = line.split(" = ").next().expect("a key");
        assert!(all.contains(&format!("\n{key} = ")), "{key}");
        assert!(line.contains("# isotherm.toml:"), "{line}");
    }
}

#[test]
fn every_value_is_read() {
    let plan = parsed(
        r#"
[engine]
instance = "a-1"
symbols = ["BTC", "PEPE", "1INCH"]
memory_max = "2 GiB"
idle = "spin"
core = 3
tape = "run.tape"
tape_segment = "64MiB"
tape_every = "90m"
tape_keep = "2GiB"
tape_keep_days = 7
tape_required = true
checkpoint = false
warm_start = false
proof = "proof.jsonl"
log_level = "debug"
log_form = "json"

[[feed]]
venue = "bybit"
url = "ws://[::1]:9001/v5/public/linear"
channels = ["book", "tickers"]
core = 1

[[feed]]
venue = "bybit"
url = "wss://proxy/other"
rest = "https://proxy:80/"
channels = ["liquidations"]
url_b = "wss://proxy2/other"
bind = "192.0.2.1"

[[venue]]
name = "bybit"
ca = "ca.pem"
budget = 25
polls = { instruments = "30m", tiers = "6h" }
user_agent = "desk/1 (ops)"

[external]
socket = "/run/isotherm/series"
owner = "1000:desk"
mode = "0620"
rate_max = 7

[[series]]
name = "etf-flow"
scale = 2
period = "1d"

[[series]]
name = "dxy"
scale = 4
period = "5m"
max_age = "15m"

[model]
psi = "0.45"
alpha = 1
theta_prior = 0.250000
daily_sigma = 0.012_5
mix = [0, 0, 0.5, 0.5, 0, 0, 0, "0.0", 0]
carry_ms = 250
"#,
    );
    assert_eq!(
        plan.engine,
        Engine {
            instance: "a-1".to_owned(),
            symbols: ["BTC", "PEPE", "1INCH"].map(str::to_owned).to_vec(),
            memory_max: 2 << 30,
            page: PathBuf::from("/dev/shm/isotherm.a-1"),
            idle: Strategy::Spin,
            core: Some(3),
            tape: Some(PathBuf::from("run.tape")),
            tape_segment: 64 << 20,
            tape_every: Nanos::new(90 * Nanos::MINUTE.get()),
            tape_keep: Some(2 << 30),
            tape_keep_days: Some(7),
            tape_required: true,
            calibration: None,
            evidence: isotherm::config::evidence::Evidence::default(),
            checkpoint: false,
            warm_start: false,
            proof: Some(PathBuf::from("proof.jsonl")),
            log_level: Level::Debug,
            log_form: Form::Json,
        }
    );
    assert_eq!(plan.feeds.len(), 2);
    assert_eq!(
        plan.feeds[0],
        Feed {
            venue: VenueId::BYBIT,
            url: "ws://[::1]:9001/v5/public/linear".to_owned(),
            rest: String::new(),
            channels: vec![Channel::Book, Channel::Tickers],
            pair: false,
            url_b: String::new(),
            bind: None,
            bind_b: None,
            core: Some(1),
        }
    );
    assert_eq!(plan.feeds[1].rest, "https://proxy:80");
    assert_eq!(plan.rest(VenueId::BYBIT), "https://proxy:80");
    assert_eq!(plan.feeds[1].channels, [Channel::Liquidations]);
    let legs = [
        Leg {
            url: "wss://proxy/other",
            bind: "192.0.2.1".parse().ok(),
        },
        Leg {
            url: "wss://proxy2/other",
            bind: None,
        },
    ];
    assert_eq!(plan.feeds[1].legs(), legs);
    assert_eq!(plan.feeds[0].legs().len(), 1);
    let bybit = plan.venue(VenueId::BYBIT);
    assert_eq!(bybit.poll(What::Instruments), Some(Nanos::seconds(1_800)));
    assert_eq!(bybit.poll(What::Tiers), Some(Nanos::seconds(21_600)));
    assert_eq!(bybit.poll(What::Mark), None);
    assert_eq!(
        (bybit.ca, bybit.budget, bybit.user_agent.as_str()),
        (Some(PathBuf::from("ca.pem")), 25, "desk/1 (ops)")
    );
    assert_eq!(
        plan.external,
        External {
            socket: Some(PathBuf::from("/run/isotherm/series")),
            owner: Some("1000:desk".to_owned()),
            mode: 0o620,
            rate_max: 7,
        }
    );
    assert_eq!(plan.series[0], Series::default());
    let dxy = &plan.series[1];
    assert_eq!((dxy.scale, dxy.max_age), (4, Nanos::seconds(900)));
    assert_eq!(
        plan.model,
        Model {
            psi_e6: 450_000,
            alpha_e6: 1_000_000,
            theta_prior_e6: 250_000,
            daily_sigma_e6: 12_500,
            mix_e6: [0, 0, 500_000, 500_000, 0, 0, 0, 0, 0],
            carry_ms: 250,
            ..Model::default()
        }
    );
    assert_eq!(plan.origin("engine.core"), Some((7, 1)));
    assert_eq!(plan.origin("feed.1.url"), Some((28, 1)));
    assert_eq!(plan.origin("engine.page"), None);
    assert_eq!(plan.model.texts()["daily_sigma"], "0.0125");
}

#[test]
fn what_is_shown_parses_to_the_same_and_names_its_source() {
    let plan = parsed("[engine]\nidle = \"park\"\n\n[model]\n  psi = 0.5\n");
    let shown = plan.show();
    let line = |start: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(start))
            .expect("shown")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(line("idle"), "idle = \"park\" # isotherm.toml:2:1");
    assert_eq!(line("psi"), "psi = 0.5 # isotherm.toml:5:3");
    assert_eq!(line("alpha"), "alpha = 0.25 # default");
    assert_eq!(line("memory_max"), "memory_max = \"512MiB\" # default");
    assert_eq!(line("# tape"), "# tape: not set # default");
    assert_eq!(values(&parsed(&shown)), values(&plan));
}

/// One fault a row: text, message.
#[test]
fn messages_word_by_word() {
    let venues: Vec<String> = (isotherm::venue::VENUES.iter())
        .map(|row| format!("\"{}\"", row.name))
        .collect();
    let venues = venues.join(", ");
    for (text, message) in [
        (
            "[engine]\nsymbls = [\"BTC\"]",
            "isotherm.toml:2:1: unknown key \"symbls\" in [engine]; did you mean \"symbols\"? \
             allowed: instance, symbols, memory_max, page, idle, core, tape, tape_segment, tape_every, \
             tape_keep, tape_keep_days, tape_required, calibration, checkpoint, warm_start, proof, \
             log_level, log_form",
        ),
        (
            "[engine]\ncolour = 1",
            "isotherm.toml:2:1: unknown key \"colour\" in [engine]; \
             allowed: instance, symbols, memory_max, page, idle, core, tape, tape_segment, tape_every, \
             tape_keep, tape_keep_days, tape_required, calibration, checkpoint, warm_start, proof, \
             log_level, log_form",
        ),
        (
            "[engin]\ncore = 1",
            "isotherm.toml:1:2: unknown section [engin]; did you mean [engine]? \
             allowed: [engine], [[feed]], [[venue]], [external], [[series]], [[rename]], [model]",
        ),
        (
            "[[feeds]]\nurl = \"x\"",
            "isotherm.toml:1:3: unknown section [[feeds]]; did you mean [[feed]]? \
             allowed: [engine], [[feed]], [[venue]], [external], [[series]], [[rename]], [model]",
        ),
        (
            "symbols = [\"BTC\"]",
            "isotherm.toml:1:1: unknown key \"symbols\" outside the sections; \
             does it belong into [engine]? \
             allowed: [engine], [[feed]], [[venue]], [external], [[series]], [[rename]], [model]",
        ),
        (
            "[feed]\nvenue = \"bybit\"",
            "isotherm.toml:1:1: [[feed]]: found table; allowed: 1 to 16 [[feed]]",
        ),
        (
            "engine = 3",
            "isotherm.toml:1:10: [engine]: found integer; allowed: a section",
        ),
        (
            "[engine]\nidle = \"spn\"",
            "isotherm.toml:2:8: key \"idle\" in [engine]: found \"spn\"; did you mean \"spin\"? \
             allowed: \"spin\", \"yield\", \"park\"",
        ),
        (
            "[engine]\n  core = \"one\"",
            "isotherm.toml:2:10: key \"core\" in [engine]: found \"one\"; \
             allowed: an integer from 0 to 1023",
        ),
        (
            "[engine]\ninstance = \"Main\"",
            "isotherm.toml:2:12: key \"instance\" in [engine]: found \"Main\"; \
             allowed: 1 to 32 of a-z 0-9 _ -",
        ),
        (
            "[engine]\nmemory_max = \"8MiB\"",
            "isotherm.toml:2:14: key \"memory_max\" in [engine]: found \"8MiB\"; \
             allowed: a size from \"16MiB\" to \"1024GiB\" (KiB, MiB, GiB or bytes)",
        ),
        (
            "[engine]\npage = \"x\"",
            "isotherm.toml:2:8: key \"page\" in [engine]: found \"x\"; \
             allowed: an absolute path of a file",
        ),
        (
            "[engine]\nsymbols = [\"BTC\", \"ETHUSDT\"]",
            "isotherm.toml:2:19: key \"symbols\" in [engine]: found \"ETHUSDT\"; \
             did you mean \"ETH\"? allowed: 1 to 64 canonical assets, each once, \
             like \"BTC\" (A-Z, 0-9, at most 16 long)",
        ),
        (
            "[engine]\nsymbols = [\"BTC\", \"BTC\"]",
            "isotherm.toml:2:19: key \"symbols\" in [engine]: found \"BTC\"; named twice; \
             allowed: 1 to 64 canonical assets, each once, \
             like \"BTC\" (A-Z, 0-9, at most 16 long)",
        ),
        (
            "[model]\npsi = 1.9",
            "isotherm.toml:2:7: key \"psi\" in [model]: found 1.9; \
             allowed: a plain decimal from 0.15 to 1",
        ),
        (
            "[model]\npsi = 0.3000001",
            "isotherm.toml:2:7: key \"psi\" in [model]: found 0.3000001; more than 6 decimals; \
             allowed: a plain decimal from 0.15 to 1",
        ),
        (
            "[model]\npsi = 3e-1",
            "isotherm.toml:2:7: key \"psi\" in [model]: found 3e-1; \
             allowed: a plain decimal from 0.15 to 1",
        ),
        (
            "[model]\ncarry_ms = 1.5",
            "isotherm.toml:2:12: key \"carry_ms\" in [model]: found 1.5; \
             allowed: an integer from 0 to 60000",
        ),
        (
            "[model]\nmix = [0.5, 0.5, 0, 0, 0, 0, 0, 0, 0.1]",
            "isotherm.toml:2:7: key \"mix\" in [model]: found [0.5, 0.5, 0, 0, 0, 0, 0, 0, 0.1]; \
             they sum to 1.1; allowed: 9 plain decimals from 0 to 1 that sum to 1, \
             for leverages 3 5 10 20 25 50 75 100 125",
        ),
        (
            "[[feed]]\nurl = \"ws://h/p\"",
            "isotherm.toml:1:1: key \"venue\" in [[feed]] is missing; allowed: VENUES",
        ),
        (
            "[[feed]]\nvenue = \"bibit\"\nurl = \"ws://h/p\"",
            "isotherm.toml:2:9: key \"venue\" in [[feed]]: found \"bibit\"; \
             did you mean \"bybit\"? allowed: VENUES",
        ),
        (
            "[[feed]]\nvenue = \"bybit\"\nurl = \"http://h/p\"",
            "isotherm.toml:3:7: key \"url\" in [[feed]]: found \"http://h/p\"; \
             allowed: ws://host[:port]/path or wss://host[:port]/path",
        ),
        (
            "[[feed]]\nvenue = \"bybit\"\nrest = \"htps://h\"",
            "isotherm.toml:3:8: key \"rest\" in [[feed]]: found \"htps://h\"; \
             did you mean \"https\"? \
             allowed: http://host[:port] or https://host[:port], or \"\" for none",
        ),
        (
            "[[feed]]\nvenue = \"bybit\"\nurl = \"ws://h/p\"\nchannels = [\"trade\"]",
            "isotherm.toml:4:13: key \"channels\" in [[feed]]: found \"trade\"; \
             did you mean \"trades\"? \
             allowed: \"book\", \"trades\", \"tickers\", \"liquidations\"",
        ),
        (
            "[engine]\ntape_every = \"90\"",
            "isotherm.toml:2:14: key \"tape_every\" in [engine]: found \"90\"; \
             allowed: a time from \"1m\" to \"1d\" (ms, s, m, h, d)",
        ),
        (
            "[engine]\ntape_keep = \"32MiB\"",
            "isotherm.toml:2:1: key \"tape_keep\" in [engine]: less than one segment would keep \
             nothing; allowed: at least tape_segment",
        ),
        (
            "[engine]\ncheckpoint = 1",
            "isotherm.toml:2:14: key \"checkpoint\" in [engine]: found 1; allowed: true or false",
        ),
        (
            "[engine]\nlog_level = \"warm\"",
            "isotherm.toml:2:13: key \"log_level\" in [engine]: found \"warm\"; \
             did you mean \"warn\"? allowed: \"error\", \"warn\", \"info\", \"debug\"",
        ),
        (
            "[[feed]]\nvenue = \"bybit\"\npair = false\nbind_b = \"192.0.2.1\"",
            "isotherm.toml:3:1: key \"pair\" in [[feed]]: found false, where url_b or bind_b is \
             given; allowed: true, or neither of them",
        ),
        (
            "[[feed]]\nvenue = \"bybit\"\nbind = \"localhost\"",
            "isotherm.toml:3:8: key \"bind\" in [[feed]]: found \"localhost\"; \
             allowed: an IP address of this machine",
        ),
        (
            "[[venue]]\nname = \"bybit\"\npolls = { intrest = \"2s\", ratios = 3 }",
            "isotherm.toml:3:11: key \"polls\" in [[venue]]: found intrest; \
             did you mean \"interest\"? \
             allowed: \"instruments\", \"tiers\", \"interest\", \"mark\", \"ratios\", \"accounts\"\n\
             isotherm.toml:3:36: key \"polls\" in [[venue]]: found 3; \
             allowed: a time from \"1s\" to \"1d\" (ms, s, m, h, d)",
        ),
        (
            "[venue]\nname = \"bybit\"",
            "isotherm.toml:1:1: [[venue]]: found table; allowed: 1 to 16 [[venue]]",
        ),
        (
            "[external]\nsocket = \"/run/x\"\n[series]\nname = \"a\"",
            "isotherm.toml:3:1: [[series]]: found table; allowed: 1 to 64 [[series]]",
        ),
        (
            "[[feed]]\nvenue = \"bibit\"\n[[venue]]\nname = \"bybit\"",
            "isotherm.toml:2:9: key \"venue\" in [[feed]]: found \"bibit\"; \
             did you mean \"bybit\"? allowed: VENUES",
        ),
        (
            "[[venue]]\nname = \"bybit\"\n[[venue]]\nname = \"bybit\"",
            "isotherm.toml:4:1: [[venue]] 2: bybit has a section above",
        ),
        (
            "[external]\nsocket = \"/run/x\"\nmode = \"660\"",
            "isotherm.toml:2:1: key \"socket\" in [external] without a [[series]]: everything that \
             arrives would be ignored\n\
             isotherm.toml:3:8: key \"mode\" in [external]: found \"660\"; \
             allowed: three octal digits behind a zero, like \"0660\"",
        ),
        (
            "[[series]]\nname = \"dxy\"\nscale = 2\nperiod = \"1d\"",
            "isotherm.toml:1:1: [[series]] without a socket in [external]: nothing could arrive",
        ),
        (
            "[external]\nsocket = \"/run/x\"\n[[series]]\nname = \"a\"\nscale = 0\n\
             period = \"1d\"\n[[series]]\nname = \"a\"\nscale = 0\nperiod = \"1d\"",
            "isotherm.toml:8:1: [[series]] 2: \"a\" stands above",
        ),
        (
            "[engine]\nidle = \"spin\"\ncore = 1\n\
             [[feed]]\nvenue = \"bybit\"\nurl = \"ws://h/p\"\ncore = 1",
            "isotherm.toml:7:1: key \"core\" in [[feed]]: found 1, where [engine] spins; \
             allowed: a core of its own, or idle \"yield\" or \"park\"",
        ),
        (
            "[[rename]]\nvenue = \"bybit\"\nwas = \"A\"\nnow = \"B\"\nat = \"2027-02-29T00:00:00Z\"",
            "isotherm.toml:5:6: key \"at\" in [[rename]]: found \"2027-02-29T00:00:00Z\"; \
             allowed: a moment in UTC, as \"2026-06-02T08:00:00Z\"",
        ),
        (
            "[[rename]]\nvenue = \"bybit\"\nwas = \"PEPE\"\nnow = \"FROG\"\nat = \"2028-02-29T23:59:59Z\"",
            "isotherm.toml:4:1: [[rename]] 1: a lot of PEPE is not one of FROG: another contract, not another name",
        ),
        (
            "[engine]\nsymbols = [\"BTC\", \"TON\"]\n\
             [[rename]]\nvenue = \"bybit\"\nwas = \"BTC\"\nnow = \"TON\"\nat = \"2000-12-31T00:00:00Z\"",
            "isotherm.toml:6:1: [[rename]] 1: BTC and TON are both symbols of the plan, and would be one",
        ),
        (
            "[[feed]]\nvenue = \"okx\"\nrest = \"\"",
            "isotherm.toml:3:1: [[feed]] 1: okx is not asked by REST (rest = \"\"): contracts' values come by REST, \
             without them no frame can be read; allowed here: http://host[:port] or https://host[:port]",
        ),
        (
            "[[feed]]\nvenue = \"binance\"\nurl = \"ws://h/p\"\nchannels = [\"book\"]",
            "isotherm.toml:3:1: [[feed]] 1: binance is not asked by REST (rest = \"\"): images of books come by REST, \
             without them no book can be trusted; allowed here: http://host[:port] or https://host[:port]",
        ),
        (
            "[engine]\ncore = 1\ncore = 2",
            "isotherm.toml:3:1: duplicate key",
        ),
    ] {
        let message = message.replace("VENUES", &venues);
        assert_eq!(faults(text).join("\n"), message, "{text}");
    }
}

#[test]
fn all_faults_come_in_one_pass_in_order() {
    let found = faults(
        "[engine]\nsymbls = 1\nidle = \"x\"\nsymbols = [\"btc\", 3, \"kPEPE\"]\n\
         [model]\npsi = 1.9\nalpha = \n[[feed]]\nvenue = \"bibit\"\n",
    );
    let places: Vec<&str> = found
        .iter()
        .map(|fault| {
            let rest = fault.strip_prefix("isotherm.toml:").expect("a place");
            rest.split(": ").next().expect("a place")
        })
        .collect();
    assert_eq!(
        places,
        ["2:1", "3:8", "4:12", "4:19", "4:22", "6:7", "7:9", "9:9"],
        "{found:#?}"
    );
    assert!(found[2].contains("did you mean \"BTC\"?"), "{}", found[2]);
    assert!(found[4].contains("did you mean \"PEPE\"?"), "{}", found[4]);
}

#[test]
fn columns_count_characters() {
    let found = faults("[engine]\ninstance = \"größe\" # ß\n[model]\n\"ü\" = 1\n");
    assert!(found[0].starts_with("isotherm.toml:2:12: "), "{}", found[0]);
    assert!(found[1].starts_with("isotherm.toml:4:1: "), "{}", found[1]);
}

#[test]
fn names_of_contracts_are_refused_as_symbols() {
    for (given, meant) in [
        ("btc", "BTC"),
        ("BTCUSDT", "BTC"),
        ("1000PEPEUSDT", "PEPE"),
        ("1000PEPE", "PEPE"),
        ("kBONK", "BONK"),
        ("BTC-USDT", "BTC"),
        ("SOL-PERP", "SOL"),
    ] {
        let found = faults(&format!("[engine]\nsymbols = [\"{given}\"]"));
        assert_eq!(found.len(), 1, "{given}");
        assert!(
            found[0].contains(&format!("did you mean \"{meant}\"?")),
            "{}",
            found[0]
        );
    }
}

#[test]
fn hostile_text_never_panics() {
    let example = Plan::example();
    for cut in (0..example.len()).filter(|cut| example.is_char_boundary(*cut)) {
        drop(Plan::parse(&example[..cut], "x"));
    }
    for n in 0..example.len() {
        let mut bytes = example.clone().into_bytes();
        bytes[n] = b"\"[]=.#\n\0"[n % 8];
        if let Ok(text) = String::from_utf8(bytes) {
            drop(Plan::parse(&text, "x"));
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_one_fault() {
    let found = Plan::load(Path::new("no/such/isotherm.toml")).expect_err("not there");
    assert_eq!(found.len(), 1);
    let text = found[0].to_string();
    assert!(
        text.starts_with("no/such/isotherm.toml: cannot be read: "),
        "{text}"
    );
}

#[test]
fn a_channel_belongs_to_one_feed() {
    let feed =
        |channels: &str| format!("[[feed]]\nvenue = \"bybit\"\nurl = \"ws://h/p\"\n{channels}");
    let (book, rest) = (
        feed("channels = [\"book\"]\n"),
        feed("channels = [\"trades\", \"tickers\"]\n"),
    );
    assert!(faults(&format!("{book}{rest}")).is_empty());
    let says = |place: &str, feed: u32, channel: &str, other: u32| {
        format!(
            "isotherm.toml:{place}: feed {feed} repeats channel \"{channel}\" of bybit, which \
             feed {other} carries; each channel of a venue belongs to one feed \
             (pair = true gives it two connections)"
        )
    };
    assert_eq!(
        faults(&format!("{book}{book}")),
        [says("8:1", 2, "book", 1)]
    );
    // A feed that names no channel carries all.
    let all = feed("");
    assert_eq!(
        faults(&format!("{book}{rest}{all}")),
        [says("11:1", 3, "book", 1)]
    );
}

#[test]
fn a_feed_needs_no_more_than_its_venue() {
    let plan = parsed("[[feed]]\nvenue = \"bybit\"\n");
    let feed = &plan.feeds[0];
    assert_eq!(feed.url, "wss://stream.bybit.com/v5/public/linear");
    assert_eq!(feed.rest, "https://api.bybit.com");
    assert_eq!(feed.channels.len(), 4);
    let shown = plan.show();
    let source = |start: &str| {
        let line = shown.lines().find(|line| line.starts_with(start));
        line.and_then(|line| line.split_once(" # "))
            .map(|(_, from)| from.to_owned())
    };
    assert_eq!(source("url = "), Some("venue bybit".to_owned()));
    assert_eq!(source("rest = "), Some("venue bybit".to_owned()));
    assert_eq!(source("channels"), Some("venue bybit: all".to_owned()));
    assert_eq!(source("page"), Some("default for this instance".to_owned()));
    assert_eq!(values(&parsed(&shown)), values(&plan));
    // With an address of one's own nothing is asked of anybody else.
    let plan = parsed("[[feed]]\nvenue = \"bybit\"\nurl = \"ws://127.0.0.1:9/x\"\n");
    assert_eq!(
        (plan.feeds[0].rest.as_str(), plan.rest(VenueId::BYBIT)),
        ("", "")
    );
    let venue = "[[venue]]\nname = \"bybit\"\nrest = \"http://127.0.0.1:8\"\n";
    let text = format!("[[feed]]\nvenue = \"bybit\"\nurl = \"ws://127.0.0.1:9/x\"\n{venue}");
    let plan = parsed(&text);
    assert_eq!(plan.rest(VenueId::BYBIT), "http://127.0.0.1:8");
    assert_eq!(values(&parsed(&plan.show())), values(&plan));
    // How often to ask for what is never asked would do nothing.
    let polls = faults("[[venue]]\nname = \"bybit\"\npolls = { mark = \"2s\" }");
    assert_eq!(polls.len(), 1, "{polls:#?}");
    let says =
        "isotherm.toml:3:1: key \"polls\" in [[venue]]: bybit is not asked for mark; asked are";
    assert!(polls[0].starts_with(says), "{polls:#?}");
}

#[test]
fn files_that_a_plan_names_are_read_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let (plan, tiers) = (
        dir.path().join("isotherm.toml"),
        dir.path().join("tiers.toml"),
    );
    let text = format!(
        "[[venue]]\nname = \"bybit\"\ntiers = {:?}\n",
        tiers.display().to_string()
    );
    std::fs::write(&plan, text).expect("written");
    let missing = Plan::load(&plan).expect_err("no tables");
    let said = missing[0].to_string();
    let place = "isotherm.toml:3:1: key \"tiers\" in [[venue]]: ";
    assert!(said.contains(place), "{said}");
    assert!(said.contains("tiers.toml: cannot be read: "), "{said}");
    let row = "[[tier]]\nsymbol = \"BTC\"\ncap = 1000\nleverage = 50\nmaintenance = 0.01\n";
    std::fs::write(&tiers, row).expect("written");
    let read = Plan::load(&plan).expect("sound").venue(VenueId::BYBIT);
    assert_eq!(
        (read.margin.len(), read.margin[0].tier.cap),
        (1, Usd::new(100_000))
    );
    std::fs::write(&tiers, row.replace("50", "0.5")).expect("written");
    let wrong = Plan::load(&plan).expect_err("leverage below one")[0].to_string();
    assert!(
        wrong.contains("tiers.toml:4:12: key \"leverage\" in [[tier]]"),
        "{wrong}"
    );
    let ca = tiers.display().to_string();
    let text = format!("[[venue]]\nname = \"bybit\"\nbudget = 50\nca = {ca:?}\n");
    std::fs::write(&plan, text).expect("written");
    let wrong = Plan::load(&plan).expect_err("no certificate")[0].to_string();
    assert!(wrong.contains(":4:1: key \"ca\" in [[venue]]: "), "{wrong}");
    assert!(
        wrong.ends_with("holds no certificate in PEM form"),
        "{wrong}"
    );
}

#[test]
fn the_schema_knows_every_key_of_the_example() {
    let keys = keys();
    let mut section = String::new();
    let mut found = Vec::new();
    for line in Plan::example().lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if line.starts_with('[') && line.ends_with(']') {
            section = line.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            let key = (section.clone(), key.to_owned());
            if keys.contains(&key) {
                found.push(key);
            }
        }
    }
    assert_eq!(found, keys);
    let schema: Value = serde_json::from_str(&Plan::schema()).expect("JSON");
    let psi = &schema["properties"]["model"]["properties"]["psi"];
    assert_eq!(
        (&psi["minimum"], &psi["default"]),
        (&Value::from(0.15), &Value::from(0.7))
    );
    assert_eq!(
        schema["properties"]["feed"]["items"]["required"][0],
        "venue"
    );
}

/// Section and name of every key, as the schema lists them.
fn keys() -> Vec<(String, String)> {
    let schema: Value = serde_json::from_str(&Plan::schema()).expect("JSON");
    let mut keys = Vec::new();
    for (section, of) in schema["properties"].as_object().expect("sections") {
        let of = if of["type"] == "array" {
            &of["items"]
        } else {
            of
        };
        for (key, property) in of["properties"].as_object().expect("keys") {
            assert!(property["description"].is_string(), "{section}.{key}");
            keys.push((section.clone(), key.clone()));
        }
    }
    keys
}
