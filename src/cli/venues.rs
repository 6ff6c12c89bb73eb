//! `isotherm venues`: what each exchange provides, printed from the table that the engine works by.

use crate::event::Stream;
use crate::time::Nanos;
use crate::venue::{Checked, VENUES, Venue, What};
use anyhow::{Result, bail};
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  isotherm venues                                all of them
  isotherm venues binance                        one
  isotherm venues --json                         as one JSON object

`recorded` means that the decoder was tried on frames recorded at the venue, `documented` that it was written from the
venue's documentation alone.";

/// Print what each venue provides.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Names; none = all
    names: Vec<String>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

const STREAMS: [(Stream, &str); 4] = [
    (Stream::Book, "book"),
    (Stream::Trades, "trades"),
    (Stream::Ticker, "tickers"),
    (Stream::Liquidations, "liquidations"),
];

const fn what(what: What) -> &'static str {
    match what {
        What::Instruments => "instruments",
        What::Tiers => "margin tiers",
        What::Interest => "open interest",
        What::Mark => "mark",
        What::Bars => "bars",
        What::InterestHistory => "open-interest history",
        What::FundingHistory => "funding history",
        What::Ratios => "long/short ratios",
        What::Accounts => "positions of public accounts",
    }
}

const fn checked(checked: Option<Checked>) -> &'static str {
    match checked {
        Some(Checked::Recorded) => "recorded",
        Some(Checked::Documented) => "documented",
        None => "none",
    }
}

/// A span as people say it: `8 h`, `20 s`, `500 ms`.
fn span(span: Nanos) -> String {
    let ns = span.get();
    for (unit, one) in [
        ("d", Nanos::DAY),
        ("h", Nanos::HOUR),
        ("min", Nanos::MINUTE),
        ("s", Nanos::SECOND),
    ] {
        if ns >= one.get() && ns % one.get() == 0 {
            return format!("{} {unit}", ns / one.get());
        }
    }
    format!("{} ms", ns / Nanos::MILLI.get())
}

/// The checks of a venue's streams.
fn streams(row: &Venue) -> [(&'static str, &'static str, Option<&'static str>); 4] {
    STREAMS.map(|(stream, name)| {
        let found = row.checked.iter().find(|(of, _)| *of == stream);
        let path = row.root(stream).map(|root| root.path);
        (name, checked(found.map(|(_, checked)| *checked)), path)
    })
}

/// What is asked by REST: each thing once, with how often.
fn asks(row: &Venue) -> Vec<(&'static str, Nanos)> {
    let mut asks: Vec<(&str, Nanos)> = Vec::new();
    for ask in row.asks {
        let name = what(ask.what);
        if !asks.iter().any(|(known, _)| *known == name) {
            asks.push((name, ask.every));
        }
    }
    asks
}

pub(super) fn run(args: &Args) -> Result<()> {
    let names: Vec<&str> = VENUES.iter().map(|row| row.name).collect();
    if let Some(odd) = args
        .names
        .iter()
        .find(|name| !names.contains(&name.as_str()))
    {
        bail!("no venue {odd:?}; there are {}", names.join(", "));
    }
    let wanted = |row: &&Venue| args.names.is_empty() || args.names.iter().any(|n| n == row.name);
    let rows = VENUES.iter().filter(wanted);
    if args.json {
        let all: serde_json::Map<String, Value> =
            rows.map(|row| (row.name.to_owned(), object(row))).collect();
        say!("{:#}", Value::Object(all));
        return Ok(());
    }
    for (at, row) in rows.enumerate() {
        if at > 0 {
            say!("");
        }
        print(row);
    }
    Ok(())
}

fn print(row: &Venue) {
    say!(
        "{}  wss://{}  https://{}",
        row.name,
        row.ws_host,
        row.rest_host
    );
    for (name, checked, path) in streams(row) {
        say!("  {name:<14}{checked:<12}{}", path.unwrap_or("-"));
    }
    let book = match row.image {
        Some(_) => "image by REST, then changes",
        None => "by the stream itself",
    };
    say!("  {:<14}{book}", "book image");
    let asks: Vec<String> = asks(row)
        .into_iter()
        .map(|(name, every)| match every {
            Nanos::ZERO => format!("{name} (once)"),
            every => format!("{name} ({})", span(every)),
        })
        .collect();
    say!("  {:<14}{}", "by REST", asks.join(", "));
    let ping = match (row.ping, row.ping_every) {
        ("", every) => format!("the server's, every {}", span(every)),
        (text, every) => format!("{text} every {}", span(every)),
    };
    let life = match row.lifetime {
        Nanos::ZERO => "none stated".to_owned(),
        life => format!("{}, replaced before", span(life)),
    };
    say!("  {:<14}{ping}; lifetime {life}", "connection");
    say!(
        "  {:<14}{} connections a minute, REST weight {} in {}",
        "limits",
        row.connects,
        row.rest_budget.weight,
        span(row.rest_budget.per)
    );
}

fn object(row: &Venue) -> Value {
    let streams: serde_json::Map<String, Value> = streams(row)
        .into_iter()
        .map(|(name, checked, path)| (name.to_owned(), json!({"checked": checked, "path": path})))
        .collect();
    let asks: serde_json::Map<String, Value> = asks(row)
        .into_iter()
        .map(|(name, every)| {
            (
                name.to_owned(),
                json!({"every_ms": every.get() / 1_000_000}),
            )
        })
        .collect();
    json!({
        "websocket": row.ws_host,
        "rest": row.rest_host,
        "streams": streams,
        "book_image_by_rest": row.image.is_some(),
        "asks": asks,
        "ping": row.ping,
        "ping_every_ms": row.ping_every.get() / 1_000_000,
        "lifetime_ms": row.lifetime.get() / 1_000_000,
        "connects_a_minute": row.connects,
        "rest_weight": row.rest_budget.weight,
        "rest_period_ms": row.rest_budget.per.get() / 1_000_000,
    })
}
