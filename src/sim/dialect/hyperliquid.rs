//! Hyperliquid: one contract's market in the words of its socket, and what clients ask.
//!
//! Books are whole images of twenty levels, half a second apart, without numbers; nothing to chain.
//! Trades come one frame a block, with both owners; the first frame of a subscription is the recent
//! past. `tid` is a hash, not a count. Contexts (funding for an hour, open interest in base, oracle,
//! mark) come every three seconds. Nothing tells a forced order: it is a trade like any other.
//! Numbers have a point always and no zeros at the end. Not here: candles, mids and users on the
//! socket.

mod rest;
#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    reason = "tests read the numbers of the market"
)]
mod tests;

use super::{Heartbeat, Order, Tell, Turn, Words, quoted};
use crate::market::Side;
use crate::sim::book::Level;
use crate::sim::pit::{Pit, Print};
use crate::sim::quill::{Quill, Style};
use crate::sim::rng::mix;
use crate::sim::told::Told;
use crate::sim::world::{TopicKind, World};
use crate::time::Nanos;
use serde_json::Value;
use std::collections::VecDeque;

/// Levels a side in an image.
pub(crate) const LEVELS: usize = 20;
/// Fills a new subscription is told again.
const PAST: usize = 10;
/// Most trades in a frame.
const ROWS: usize = 256;
/// Beats after which an unchanged image is sent.
const STILL: u64 = 50;

/// Kinds of stream and their names.
const STREAMS: [(TopicKind, &str); 4] = [
    (TopicKind::Trades, "trades"),
    (TopicKind::Book, "l2Book"),
    (TopicKind::Bbo, "bbo"),
    (TopicKind::Ticker, "activeAssetCtx"),
];

/// What the dialect is made of.
pub(crate) const WORDS: Words = Words {
    paths: &["/ws"],
    heartbeat: Heartbeat {
        ping: None,
        silence: Nanos::new(60_000_000_000),
        sent_counts: true,
        protocol_counts: false,
    },
    kinds: &[
        TopicKind::Trades,
        TopicKind::Book,
        TopicKind::Bbo,
        TopicKind::Ticker,
    ],
    all: &[],
    name,
    begin: |_, _, _| false,
    obey,
    welcome: |_, _, _, _| (),
    rest: rest::answer,
};

/// `type:coin`.
fn name(kind: TopicKind, symbol: Option<&str>) -> String {
    let row = STREAMS.iter().find(|row| row.0 == kind);
    match (row, symbol) {
        (Some((_, words)), Some(coin)) => format!("{words}:{coin}"),
        _ => String::new(),
    }
}

/// One contract's desk.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) told: Told,
    best: [Option<Level>; 2],
    sent: u64,
    past: VecDeque<(u64, Print)>,
}

/// The address of an owner.
fn address(owner: u32, quill: &mut Quill) {
    let seed = mix(u64::from(owner) ^ 0x6879_7065);
    quill.put("\"0x").hex(seed, 16).hex(mix(seed), 16);
    quill
        .hex(u64::from(owner) ^ mix(seed ^ 1) & 0xffff_ffff, 8)
        .put("\"");
}

/// The owner whose address it is; `None` for an address that is nobody's.
fn owner(text: &str) -> Option<u32> {
    let seed = u64::from_str_radix(text.get(2..18)?, 16).ok()?;
    let veiled = u32::from_str_radix(text.get(34..)?, 16).ok()?;
    let owner = veiled ^ mix(seed ^ 1) as u32;
    let mut own = Quill::default();
    address(owner, &mut own);
    (own.text().trim_matches('"') == text.to_ascii_lowercase()).then_some(owner)
}

/// Sixty-four hex digits; zeros for more than a quarter of all, as the venue has them.
fn hash(seed: u64, quill: &mut Quill) {
    let blank = mix(seed) % 100 < 28;
    quill.put("\"0x");
    for word in 0..4 {
        quill.hex(if blank { 0 } else { mix(seed ^ word << 56) }, 16);
    }
    quill.put("\"");
}

fn level(pit: &Pit, level: Level, quill: &mut Quill) {
    let c = &pit.contract;
    let orders = 1 + mix(level.tick as u64 ^ u64::from(level.lots)) % 20;
    quill
        .put("{\"px\":\"")
        .point(level.tick * c.tick_units, c.price_scale);
    quill
        .put("\",\"sz\":\"")
        .point(i64::from(level.lots), c.lot_scale);
    quill.put("\",\"n\":").whole(orders).put("}");
}

impl Desk {
    pub(crate) fn new(pit: &Pit, ms: i64) -> Self {
        let mut told = Told::new(pit, ms);
        told.style = Style::Point;
        told.update = ms as u64;
        Self {
            told,
            best: [None; 2],
            sent: 0,
            past: VecDeque::new(),
        }
    }

    /// What is due in this beat.
    pub(crate) fn turn(&mut self, pit: &mut Pit, turn: Turn, quill: &mut Quill, tell: &mut Tell) {
        // Forced orders have no stream.
        pit.deaths.clear();
        for (page, prints) in pit.prints.chunks(ROWS).enumerate() {
            self.trades(pit, prints, page * ROWS, quill);
            tell(turn.topic(TopicKind::Trades), quill);
        }
        if turn.due(turn.cadence.book) && self.book(pit, turn, quill) {
            tell(turn.topic(TopicKind::Book), quill);
        }
        let best = [Side::Buy, Side::Sell].map(|side| pit.best(side));
        if best != self.best {
            self.best = best;
            self.quote(pit, turn.ms, quill);
            tell(turn.topic(TopicKind::Bbo), quill);
        }
        if turn.due(turn.cadence.ticker) && pit.is_listed() {
            context_frame(pit, quill);
            tell(turn.topic(TopicKind::Ticker), quill);
        }
        pit.news = false;
    }

    /// What a new subscription is told first.
    pub(crate) fn snapshot(&self, pit: &Pit, kind: TopicKind, ms: i64, quill: &mut Quill) -> bool {
        match kind {
            TopicKind::Book => {
                quill.clear();
                quill.put("{\"channel\":\"l2Book\",\"data\":");
                self.image(pit, quill);
                quill.put("}");
            }
            TopicKind::Bbo => self.quote(pit, ms, quill),
            TopicKind::Ticker => context_frame(pit, quill),
            TopicKind::Trades => {
                quill.clear();
                quill.put("{\"channel\":\"trades\",\"data\":[");
                for (i, (tid, print)) in self.past.iter().enumerate() {
                    quill.put(if i == 0 { "" } else { "," });
                    trade(pit, print, *tid, quill);
                }
                quill.put("]}");
            }
            _ => return false,
        }
        true
    }

    /// Trades of the beat, of which the first is the `from`th.
    fn trades(&mut self, pit: &Pit, prints: &[Print], from: usize, quill: &mut Quill) {
        quill.clear();
        quill.put("{\"channel\":\"trades\",\"data\":[");
        for (i, print) in prints.iter().enumerate() {
            // Fifty bits.
            let tid = mix(print.seq ^ ((from + i) as u64) << 48) >> 14;
            quill.put(if i == 0 { "" } else { "," });
            trade(pit, print, tid, quill);
            self.told.trade(tid, i64::from(print.lots));
            self.past.push_back((tid, *print));
        }
        self.past.drain(..self.past.len().saturating_sub(PAST));
        quill.put("]}");
    }

    /// The image, when it has changed or the last is old; false when not.
    fn book(&mut self, pit: &Pit, turn: Turn, quill: &mut Quill) -> bool {
        self.told.look(pit);
        let mut changes = 0;
        for side in [Side::Buy, Side::Sell] {
            self.told.changes(side, &mut |_| changes += 1);
        }
        if changes == 0 && turn.beat - self.sent < STILL {
            return false;
        }
        self.sent = turn.beat;
        self.told.keep();
        self.told.update = turn.ms as u64;
        self.told.book_ms = turn.ms;
        quill.clear();
        quill.put("{\"channel\":\"l2Book\",\"data\":");
        self.image(pit, quill);
        quill.put("}");
        true
    }

    /// The told image: `{"coin":..,"time":..,"levels":[[..],[..]]}`.
    fn image(&self, pit: &Pit, quill: &mut Quill) {
        quill.put("{\"coin\":\"").put(&pit.contract.symbol);
        quill.put("\",\"time\":").decimal(self.told.book_ms, 0);
        quill.put(",\"levels\":[");
        for (side, comma) in [(Side::Buy, ""), (Side::Sell, ",")] {
            quill.put(comma).put("[");
            for (i, row) in self.told.levels(side).iter().take(LEVELS).enumerate() {
                quill.put(if i == 0 { "" } else { "," });
                level(pit, *row, quill);
            }
            quill.put("]");
        }
        quill.put("]}");
    }

    fn quote(&self, pit: &Pit, ms: i64, quill: &mut Quill) {
        quill.clear();
        quill.put("{\"channel\":\"bbo\",\"data\":{\"coin\":\"");
        quill.put(&pit.contract.symbol);
        quill.put("\",\"time\":").decimal(ms, 0).put(",\"bbo\":[");
        for (i, best) in self.best.into_iter().enumerate() {
            quill.put(if i == 0 { "" } else { "," });
            match best {
                Some(best) => level(pit, best, quill),
                None => {
                    quill.put("null");
                }
            }
        }
        quill.put("]}}");
    }
}

fn trade(pit: &Pit, print: &Print, tid: u64, quill: &mut Quill) {
    let c = &pit.contract;
    quill.put("{\"coin\":\"").put(&c.symbol);
    quill.put(match print.taker {
        Side::Buy => "\",\"side\":\"B\",\"px\":\"",
        Side::Sell => "\",\"side\":\"A\",\"px\":\"",
    });
    quill.point(print.units, c.price_scale);
    quill
        .put("\",\"sz\":\"")
        .point(i64::from(print.lots), c.lot_scale);
    quill.put("\",\"time\":").decimal(print.ms, 0);
    quill.put(",\"hash\":");
    hash(print.seq, quill);
    quill.put(",\"tid\":").whole(tid).put(",\"users\":[");
    address(print.owners[0], quill);
    quill.put(",");
    address(print.owners[1], quill);
    quill.put("]}");
}

fn context_frame(pit: &Pit, quill: &mut Quill) {
    quill.clear();
    quill.put("{\"channel\":\"activeAssetCtx\",\"data\":{\"coin\":\"");
    quill.put(&pit.contract.symbol).put("\",\"ctx\":");
    context(pit, quill);
    quill.put("}}");
}

/// The fields of a contract's context; without a book there is no middle.
fn context(pit: &Pit, quill: &mut Quill) {
    let (c, day) = (&pit.contract, pit.history.day());
    quill.put("{\"funding\":\"").short(pit.funding, 8);
    quill
        .put("\",\"openInterest\":\"")
        .point(pit.interest()[0], c.lot_scale);
    quill
        .put("\",\"prevDayPx\":\"")
        .point(day.open, c.price_scale);
    quill
        .put("\",\"dayNtlVlm\":\"")
        .point(day.turnover, c.price_scale + c.lot_scale);
    let apart = i128::from(pit.mark_units - pit.index_units) * 10_000_000_000;
    let premium = apart / i128::from(pit.index_units.max(1));
    quill.put("\",\"premium\":\"").point(premium as i64, 10);
    quill
        .put("\",\"oraclePx\":\"")
        .point(pit.index_units, c.price_scale);
    quill
        .put("\",\"markPx\":\"")
        .point(pit.mark_units, c.price_scale);
    let best = [Side::Buy, Side::Sell].map(|side| pit.best(side).map(|l| l.tick * c.tick_units));
    if let [Some(bid), Some(ask)] = best {
        quill
            .put("\",\"midPx\":\"")
            .point((bid + ask) * 5, c.price_scale + 1);
        quill.put("\",\"impactPxs\":[\"").point(bid, c.price_scale);
        quill.put("\",\"").point(ask, c.price_scale).put("\"]");
    } else {
        quill.put("\",\"midPx\":null,\"impactPxs\":null");
    }
    quill
        .put(",\"dayBaseVlm\":\"")
        .point(day.lots, c.lot_scale)
        .put("\"}");
}

/// One text of a client, answered as the exchange answers.
fn obey(world: &mut World, _path: &str, text: &str, id: &str, orders: &mut Vec<Order>) {
    let say = |channel: &str, data: &str| {
        Order::Reply(format!("{{\"channel\":\"{channel}\",\"data\":{data}}}"))
    };
    let request: Value = serde_json::from_str(text).unwrap_or_default();
    let method = request["method"].as_str();
    if method == Some("ping") {
        orders.push(Order::Reply("{\"channel\":\"pong\"}".into()));
        return;
    }
    let (Some(method @ ("subscribe" | "unsubscribe")), Some(what)) =
        (method, request["subscription"].as_object())
    else {
        let words = format!("Error parsing JSON into valid websocket request: {text}");
        orders.push(say("error", &quoted(&words)));
        return;
    };
    let word = |key: &str| what.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, coin) = (word("type"), word("coin"));
    let Some(topic) = world.topic(&format!("{kind}:{coin}")) else {
        let words = format!("Invalid subscription {}", request["subscription"]);
        orders.push(say("error", &quoted(&words)));
        return;
    };
    let mut arg = format!("{{\"type\":\"{kind}\",\"coin\":{}", quoted(coin));
    if topic.kind == TopicKind::Book {
        let fast = what.get("fast") == Some(&Value::Bool(true));
        arg += &format!(",\"nSigFigs\":null,\"mantissa\":null,\"fast\":{fast}");
    }
    arg.push('}');
    let changed = if method == "subscribe" {
        world.join(id, topic)
    } else {
        world.part(id, topic)
    };
    if !changed {
        let words = format!("Already {method}d: {arg}");
        orders.push(say("error", &quoted(&words)));
        return;
    }
    let data = format!("{{\"method\":\"{method}\",\"subscription\":{arg}}}");
    orders.push(say("subscriptionResponse", &data));
    orders.push(match method {
        "subscribe" => Order::Subscribe(topic),
        _ => Order::Unsubscribe(topic),
    });
}
