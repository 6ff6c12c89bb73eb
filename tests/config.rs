//! The configuration as a user meets it: messages word by word, the example, the effective values.

#![allow(clippy::expect_used, reason = "a helper of tests fails the test")]

use isotherm::config::{Channel, Engine, Feed, Model, Plan};
use isotherm::idle::Strategy;
use isotherm::market::VenueId;
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

fn values(plan: &Plan) -> (&Engine, &[Feed], &Model) {
    (&plan.engine, &plan.feeds, &plan.model)
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
    let all: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") && !rest.ends_with('.') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let plan = parsed(&all);
    assert_eq!(plan.engine.core, Some(1));
    assert_eq!(plan.feeds[0].core, Some(2));
    assert_eq!(plan.engine.tape, Some(PathBuf::from("isotherm.tape")));
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

[[feed]]
venue = "bybit"
url = "ws://[::1]:9001/v5/public/linear"
channels = ["book", "tickers"]
core = 1

[[feed]]
venue = "bybit"
url = "ws://proxy/v5/public/linear"
rest = "http://proxy:80/"
channels = ["liquidations"]

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
            core: Some(1),
        }
    );
    assert_eq!(plan.feeds[1].rest, "http://proxy:80");
    assert_eq!(plan.feeds[1].channels, [Channel::Liquidations]);
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
    assert_eq!(plan.origin("feed.1.url"), Some((18, 1)));
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
    assert_eq!(line("alpha"), "alpha = 0.5 # default");
    assert_eq!(line("memory_max"), "memory_max = \"512MiB\" # default");
    assert_eq!(line("# tape"), "# tape: not set # default");
    assert_eq!(values(&parsed(&shown)), values(&plan));
}

/// One fault a row: text, message.
#[test]
fn messages_word_by_word() {
    for (text, message) in [
        (
            "[engine]\nsymbls = [\"BTC\"]",
            "isotherm.toml:2:1: unknown key \"symbls\" in [engine]; did you mean \"symbols\"? \
             allowed: instance, symbols, memory_max, page, idle, core, tape",
        ),
        (
            "[engine]\ncolour = 1",
            "isotherm.toml:2:1: unknown key \"colour\" in [engine]; \
             allowed: instance, symbols, memory_max, page, idle, core, tape",
        ),
        (
            "[engin]\ncore = 1",
            "isotherm.toml:1:2: unknown section [engin]; did you mean [engine]? \
             allowed: [engine], [[feed]], [model]",
        ),
        (
            "[[feeds]]\nurl = \"x\"",
            "isotherm.toml:1:3: unknown section [[feeds]]; did you mean [[feed]]? \
             allowed: [engine], [[feed]], [model]",
        ),
        (
            "symbols = [\"BTC\"]",
            "isotherm.toml:1:1: unknown key \"symbols\" outside the sections; \
             does it belong into [engine]? allowed: [engine], [[feed]], [model]",
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
            "[model]\npsi = 0.9",
            "isotherm.toml:2:7: key \"psi\" in [model]: found 0.9; \
             allowed: a plain decimal from 0.15 to 0.7",
        ),
        (
            "[model]\npsi = 0.3000001",
            "isotherm.toml:2:7: key \"psi\" in [model]: found 0.3000001; more than 6 decimals; \
             allowed: a plain decimal from 0.15 to 0.7",
        ),
        (
            "[model]\npsi = 3e-1",
            "isotherm.toml:2:7: key \"psi\" in [model]: found 3e-1; \
             allowed: a plain decimal from 0.15 to 0.7",
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
            "isotherm.toml:1:1: key \"venue\" in [[feed]] is missing; allowed: \"bybit\"",
        ),
        (
            "[[feed]]\nvenue = \"bibit\"\nurl = \"ws://h/p\"",
            "isotherm.toml:2:9: key \"venue\" in [[feed]]: found \"bibit\"; \
             did you mean \"bybit\"? allowed: \"bybit\"",
        ),
        (
            "[[feed]]\nvenue = \"bybit\"\nurl = \"wss://h/p\"",
            "isotherm.toml:3:7: key \"url\" in [[feed]]: found \"wss://h/p\"; \
             wss:// needs TLS, which is not supported yet: use ws:// to a proxy that ends TLS; \
             allowed: ws://host[:port]/path",
        ),
        (
            "[[feed]]\nvenue = \"bybit\"\nurl = \"ws://h/p\"\nrest = \"https://h\"",
            "isotherm.toml:4:8: key \"rest\" in [[feed]]: found \"https://h\"; \
             https:// needs TLS, which is not supported yet: use http:// to a proxy that ends TLS; \
             allowed: http://host[:port], or \"\" for none",
        ),
        (
            "[[feed]]\nvenue = \"bybit\"\nurl = \"ws://h/p\"\nchannels = [\"trade\"]",
            "isotherm.toml:4:13: key \"channels\" in [[feed]]: found \"trade\"; \
             did you mean \"trades\"? \
             allowed: \"book\", \"trades\", \"tickers\", \"liquidations\"",
        ),
        (
            "[engine]\nidle = \"spin\"\ncore = 1\n\
             [[feed]]\nvenue = \"bybit\"\nurl = \"ws://h/p\"\ncore = 1",
            "isotherm.toml:7:1: key \"core\" in [[feed]]: found 1, where [engine] spins; \
             allowed: a core of its own, or idle \"yield\" or \"park\"",
        ),
        (
            "[engine]\ncore = 1\ncore = 2",
            "isotherm.toml:3:1: duplicate key",
        ),
    ] {
        assert_eq!(faults(text), [message], "{text}");
    }
}

#[test]
fn all_faults_come_in_one_pass_in_order() {
    let found = faults(
        "[engine]\nsymbls = 1\nidle = \"x\"\nsymbols = [\"btc\", 3, \"kPEPE\"]\n\
         [model]\npsi = 0.9\nalpha = \n[[feed]]\nvenue = \"okx\"\n",
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
        [
            "2:1", "3:8", "4:12", "4:19", "4:22", "6:7", "7:9", "8:1", "9:9"
        ],
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
             feed {other} carries; each channel of a venue belongs to one feed"
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
