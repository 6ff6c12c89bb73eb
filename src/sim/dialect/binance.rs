//! Binance USD-M: one contract's market in the words of the split sockets, and what clients ask.
//!
//! `/public` tells books, best quotes and single trades; `/market` aggregate trades, marks and forced
//! orders. A stream asked for on the other root, like a stream that does not exist, is acknowledged
//! and stays silent: so does the venue. The old `/ws` and `/stream` are public only.
//!
//! Books: absolute quantities; `U..u` are the update ids of a frame, `pu` the `u` before; ids advance
//! by a little more than the levels told. A frame of changes follows the best quote of the same beat.
//! Aggregate trades: the fills of one taker order at one price; `a` rises by one, `f..l` are its
//! trades. Forced orders: at most one per contract and second, the largest; `ap` is the mean fill,
//! `p` the limit, here the bankruptcy price. The all-market stream carries coin-margined rows too
//! (`st` 2), which are not of this world and count nowhere.

mod rest;
#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    reason = "tests read the numbers of the market"
)]
mod tests;

use super::{Heartbeat, Order, Tell, Turn, Words, quoted};
use crate::market::{Holder, Side};
use crate::sim::book::Level;
use crate::sim::margin::deductions;
use crate::sim::pit::{Death, Pit, Print, Status};
use crate::sim::quill::Quill;
use crate::sim::rng::mix;
use crate::sim::told::{Told, write_changes};
use crate::sim::world::{Topic, TopicKind, World};
use crate::time::Nanos;

/// Texts a client may send in one second.
const TEXTS: u32 = 10;
/// Decimals of mark and index prices.
const MARK_PLACES: u32 = 8;

/// Kinds of stream, the words after the symbol, and whether `/public` tells it.
const STREAMS: [(TopicKind, &str, bool); 6] = [
    (TopicKind::Book, "@depth@100ms", true),
    (TopicKind::Bbo, "@bookTicker", true),
    (TopicKind::Trades, "@trade", true),
    (TopicKind::Aggregate, "@aggTrade", false),
    (TopicKind::Mark, "@markPrice@1s", false),
    (TopicKind::Liquidation, "@forceOrder", false),
];

/// Streams of all contracts; `/market` tells them.
const ALL: [(TopicKind, &str); 3] = [
    (TopicKind::Mark, "!markPrice@arr@1s"),
    (TopicKind::Liquidation, "!forceOrder@arr"),
    (TopicKind::Instruments, "!contractInfo"),
];

/// What the dialect is made of.
pub(crate) const WORDS: Words = Words {
    paths: &[
        "/public/stream",
        "/market/stream",
        "/public/ws",
        "/market/ws",
        "/stream",
        "/ws",
    ],
    heartbeat: Heartbeat {
        ping: Some(Nanos::new(180_000_000_000)),
        silence: Nanos::new(600_000_000_000),
        sent_counts: false,
        protocol_counts: true,
    },
    kinds: &[
        TopicKind::Book,
        TopicKind::Bbo,
        TopicKind::Trades,
        TopicKind::Aggregate,
        TopicKind::Mark,
        TopicKind::Liquidation,
    ],
    all: &[
        TopicKind::Mark,
        TopicKind::Liquidation,
        TopicKind::Instruments,
    ],
    name,
    begin: |_, _, _| false,
    obey,
    welcome,
    rest: rest::answer,
};

fn name(kind: TopicKind, symbol: Option<&str>) -> String {
    match symbol {
        Some(symbol) => STREAMS
            .iter()
            .find(|row| row.0 == kind)
            .map(|row| format!("{}{}", symbol.to_lowercase(), row.1))
            .unwrap_or_default(),
        None => {
            let row = ALL.iter().find(|row| row.0 == kind);
            row.map(|row| row.1.to_owned()).unwrap_or_default()
        }
    }
}

/// One contract's desk.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) told: Told,
    /// Symbol in lower case.
    lower: String,
    best: [Option<Level>; 2],
    largest: Option<Death>,
}

/// The word for a contract's state.
const fn status(pit: &Pit) -> &'static str {
    match pit.status {
        Status::Trading => "TRADING",
        Status::Halted | Status::Unlisted => "PENDING_TRADING",
        Status::Delisted => "CLOSE",
    }
}

/// A price with the decimals of marks.
fn mark(units: i64, pit: &Pit, quill: &mut Quill) {
    let more = MARK_PLACES.saturating_sub(pit.contract.price_scale);
    quill.decimal(
        units * 10i64.pow(more),
        MARK_PLACES.max(pit.contract.price_scale),
    );
}

impl Desk {
    pub(crate) fn new(pit: &Pit, ms: i64) -> Self {
        let mut told = Told::new(pit, ms);
        told.update += 9_000_000_000_000;
        told.trade_id = 7_000_000_000 + mix(pit.seq) % 1_000_000;
        told.aggregate_id = 3_000_000_000 + mix(pit.seq) % 900_000;
        Self {
            told,
            lower: pit.contract.symbol.to_lowercase(),
            best: [None; 2],
            largest: None,
        }
    }

    /// What is due in this beat.
    pub(crate) fn turn(&mut self, pit: &mut Pit, turn: Turn, quill: &mut Quill, tell: &mut Tell) {
        self.trades(pit, turn, quill, tell);
        if turn.due(turn.cadence.book) && self.book(pit, turn.ms, quill) {
            tell(turn.topic(TopicKind::Book), quill);
            if self.quote(pit, turn.ms, quill) {
                tell(turn.topic(TopicKind::Bbo), quill);
            }
        }
        for death in pit.deaths.drain(..) {
            let worth = |d: &Death| d.lots.saturating_mul(d.filled);
            if self.largest.is_none_or(|own| worth(&death) > worth(&own)) {
                self.largest = Some(death);
            }
        }
        if turn.due(turn.cadence.liquidation)
            && let Some(death) = self.largest.take()
        {
            self.forced(pit, &death, turn, quill, tell);
        }
        if turn.due(turn.cadence.ticker) && pit.is_listed() {
            self.head("@markPrice@1s", quill);
            mark_update(pit, turn.ms, quill);
            quill.shut().put("}");
            tell(turn.topic(TopicKind::Mark), quill);
            quill.clear();
            quill
                .put("{\"stream\":\"!markPrice@arr@1s\",\"data\":")
                .open()
                .put("[");
            mark_update(pit, turn.ms, quill);
            quill.put("]").shut().put("}");
            tell(every(TopicKind::Mark), quill);
        }
        if std::mem::take(&mut pit.news) {
            contract_info(pit, turn.ms, quill);
            tell(every(TopicKind::Instruments), quill);
        }
    }

    fn head(&self, words: &str, quill: &mut Quill) {
        quill.clear();
        quill.put("{\"stream\":\"").put(&self.lower).put(words);
        quill.put("\",\"data\":").open();
    }

    /// Every fill, and behind the fills of one taker order at one price their sum.
    fn trades(&mut self, pit: &Pit, turn: Turn, quill: &mut Quill, tell: &mut Tell) {
        let mut rest = pit.prints.as_slice();
        while let Some(first) = rest.first() {
            let same = |p: &&Print| p.seq == first.seq && p.units == first.units;
            let count = rest.iter().take_while(same).count();
            let (group, next) = rest.split_at(count);
            let from = self.told.trade_id + 1;
            for print in group {
                let id = self.told.trade_id + 1;
                self.told.trade(id, i64::from(print.lots));
                self.head("@trade", quill);
                trade(pit, print, id, turn.ms, quill);
                quill.shut().put("}");
                tell(turn.topic(TopicKind::Trades), quill);
            }
            self.told.aggregate_id += 1;
            let lots = group.iter().map(|p| i64::from(p.lots)).sum();
            self.head("@aggTrade", quill);
            let ids = [self.told.aggregate_id, from, self.told.trade_id];
            aggregate(pit, first, lots, ids, turn.ms, quill);
            quill.shut().put("}");
            tell(turn.topic(TopicKind::Aggregate), quill);
            rest = next;
        }
    }

    /// What the shown book has changed by since the last frame; false when nothing has.
    fn book(&mut self, pit: &Pit, ms: i64, quill: &mut Quill) -> bool {
        self.told.look(pit);
        let last = self.told.update;
        let mut count = 0;
        for side in [Side::Buy, Side::Sell] {
            self.told.changes(side, &mut |_| count += 1);
        }
        if count == 0 {
            return false;
        }
        let first = last + 1 + mix(last) % 7;
        let update = first + count + mix(last ^ 1) % 5;
        self.head("@depth@100ms", quill);
        quill.put("{\"e\":\"depthUpdate\",\"E\":").whole(ms as u64);
        quill.put(",\"T\":").whole(ms as u64 - 1);
        quill.put(",\"s\":\"").put(&pit.contract.symbol);
        quill.put("\",\"U\":").whole(first);
        quill.put(",\"u\":").whole(update);
        quill.put(",\"pu\":").whole(last).put(",\"b\":");
        let gone = &ZERO[..2 + pit.contract.lot_scale.min(9) as usize];
        let gone = gone.trim_end_matches('.');
        write_changes(pit, &self.told, Side::Buy, gone, quill);
        quill.put(",\"a\":");
        write_changes(pit, &self.told, Side::Sell, gone, quill);
        quill.put(",\"ps\":\"").put(&pit.contract.symbol);
        quill.put("\",\"st\":1}").shut().put("}");
        self.told.keep();
        self.told.update = update;
        self.told.book_ms = ms - 1;
        true
    }

    /// The best quote, when it is another one than was told; false when not, or a side is empty.
    fn quote(&mut self, pit: &Pit, ms: i64, quill: &mut Quill) -> bool {
        let now = [Side::Buy, Side::Sell].map(|side| self.told.best(side));
        let [Some(bid), Some(ask)] = now else {
            return false;
        };
        if now == self.best {
            return false;
        }
        self.best = now;
        let c = &pit.contract;
        self.head("@bookTicker", quill);
        quill
            .put("{\"e\":\"bookTicker\",\"u\":")
            .whole(self.told.update);
        quill.put(",\"s\":\"").put(&c.symbol);
        quill.put("\",\"ps\":\"").put(&c.symbol).put("\"");
        quill.field(",\"b\":\"", bid.tick * c.tick_units, c.price_scale);
        quill.field(",\"B\":\"", i64::from(bid.lots), c.lot_scale);
        quill.field(",\"a\":\"", ask.tick * c.tick_units, c.price_scale);
        quill.field(",\"A\":\"", i64::from(ask.lots), c.lot_scale);
        quill.put(",\"T\":").whole(ms as u64 - 1);
        quill.put(",\"E\":").whole(ms as u64);
        quill.put(",\"st\":1}").shut().put("}");
        true
    }

    /// The largest forced order of the second, on both streams; now and then with a coin-margined one
    /// beside it.
    fn forced(&mut self, pit: &Pit, death: &Death, turn: Turn, quill: &mut Quill, tell: &mut Tell) {
        self.told.death(death.holder, death.lots);
        self.head("@forceOrder", quill);
        force_order(pit, death, turn.ms, None, quill);
        quill.shut().put("}");
        tell(turn.topic(TopicKind::Liquidation), quill);
        let coin = mix(death.ms as u64).is_multiple_of(8);
        for margined in [false, true].into_iter().take(1 + usize::from(coin)) {
            quill.clear();
            quill
                .put("{\"stream\":\"!forceOrder@arr\",\"data\":")
                .open();
            let pair = margined.then(|| format!("{}USD", pit.contract.base));
            force_order(pit, death, turn.ms, pair.as_deref(), quill);
            quill.shut().put("}");
            tell(every(TopicKind::Liquidation), quill);
        }
    }
}

/// Zero with up to nine decimals.
const ZERO: &str = "0.000000000";

const fn every(kind: TopicKind) -> Topic {
    Topic {
        kind,
        symbol: Topic::ALL,
    }
}

fn trade(pit: &Pit, print: &Print, id: u64, ms: i64, quill: &mut Quill) {
    let c = &pit.contract;
    quill.put("{\"e\":\"trade\",\"E\":").whole(ms as u64);
    quill.put(",\"T\":").whole(print.ms as u64);
    quill.put(",\"s\":\"").put(&c.symbol);
    quill.put("\",\"t\":").whole(id);
    quill.field(",\"p\":\"", print.units, c.price_scale);
    quill.field(",\"q\":\"", i64::from(print.lots), c.lot_scale);
    quill.put(",\"X\":\"MARKET\",\"m\":");
    quill.put(maker(print.taker)).put(",\"st\":1}");
}

/// `ids`: aggregate, first and last trade.
fn aggregate(pit: &Pit, first: &Print, lots: i64, ids: [u64; 3], ms: i64, quill: &mut Quill) {
    let c = &pit.contract;
    quill.put("{\"e\":\"aggTrade\",\"E\":").whole(ms as u64);
    quill.put(",\"a\":").whole(ids[0]);
    quill.put(",\"s\":\"").put(&c.symbol).put("\"");
    quill.field(",\"p\":\"", first.units, c.price_scale);
    quill.field(",\"q\":\"", lots, c.lot_scale);
    quill.field(",\"nq\":\"", lots, c.lot_scale);
    quill.put(",\"f\":").whole(ids[1]);
    quill.put(",\"l\":").whole(ids[2]);
    quill.put(",\"T\":").whole(first.ms as u64);
    quill.put(",\"m\":").put(maker(first.taker));
    quill.put(",\"st\":1}");
}

/// Whether the buyer was the maker.
const fn maker(taker: Side) -> &'static str {
    match taker {
        Side::Buy => "false",
        Side::Sell => "true",
    }
}

/// A halted contract's funding is empty, as the venue leaves it where none is due.
fn mark_update(pit: &Pit, ms: i64, quill: &mut Quill) {
    quill
        .put("{\"e\":\"markPriceUpdate\",\"E\":")
        .whole(ms as u64);
    quill.put(",\"s\":\"").put(&pit.contract.symbol);
    quill.put("\",\"p\":\"");
    mark(pit.mark_units, pit, quill);
    quill.put("\",\"ap\":\"");
    mark(pit.mark_units, pit, quill);
    quill.put("\",\"P\":\"");
    mark(pit.index_units, pit, quill);
    quill.put("\",\"i\":\"");
    mark(pit.index_units, pit, quill);
    quill.put("\",\"r\":\"");
    if pit.status == Status::Trading {
        quill.decimal(pit.funding, 8);
    }
    quill.put("\",\"T\":").whole(pit.funding_ms as u64);
    quill.put(",\"st\":1}");
}

/// A forced order; with a `pair`, as its coin-margined contract would print it.
fn force_order(pit: &Pit, death: &Death, ms: i64, pair: Option<&str>, quill: &mut Quill) {
    let c = &pit.contract;
    let (lots, places) = match pair {
        None => (death.lots, c.lot_scale),
        Some(_) => (death.lots % 500 + 1, 0),
    };
    quill.put("{\"e\":\"forceOrder\",\"E\":").whole(ms as u64);
    quill.put(",\"o\":{\"s\":\"");
    match pair {
        None => quill.put(&c.symbol),
        Some(pair) => quill.put(pair).put("_PERP"),
    };
    quill.put(match death.holder {
        Holder::Long => "\",\"S\":\"SELL\"",
        Holder::Short => "\",\"S\":\"BUY\"",
    });
    quill.field(",\"o\":\"LIMIT\",\"f\":\"IOC\",\"q\":\"", lots, places);
    quill.field(",\"p\":\"", death.units, c.price_scale);
    quill.field(",\"ap\":\"", death.filled, c.price_scale);
    let last = death.last_lots.min(lots);
    quill.field(",\"X\":\"FILLED\",\"l\":\"", last, places);
    quill.field(",\"z\":\"", lots, places);
    quill.put(",\"T\":").whole(death.ms as u64);
    quill.put(",\"ps\":\"").put(pair.unwrap_or(&c.symbol));
    quill.put(match pair {
        None => "\",\"st\":1}}",
        Some(_) => "\",\"st\":2}}",
    });
}

/// Listing and margin rows of a contract, told when they change.
fn contract_info(pit: &Pit, ms: i64, quill: &mut Quill) {
    let c = &pit.contract;
    quill.clear();
    quill.put("{\"stream\":\"!contractInfo\",\"data\":").open();
    quill.put("{\"e\":\"contractInfo\",\"E\":").whole(ms as u64);
    quill.put(",\"s\":\"").put(&c.symbol);
    quill.put("\",\"ps\":\"").put(&c.symbol);
    quill.put("\",\"ct\":\"PERPETUAL\",\"dt\":4133404800000,\"ot\":1569398400000,\"cs\":\"");
    quill.put(status(pit)).put("\",\"bks\":[");
    let (mut floor, tiers) = (0, &c.tiers);
    for (i, (row, deduction)) in tiers.iter().zip(deductions(tiers)).enumerate() {
        let below = tiers.get(i + 1).map_or(1, |next| next.leverage / 100 + 1);
        quill
            .put(if i == 0 { "{\"bs\":" } else { ",{\"bs\":" })
            .whole(i as u64 + 1);
        quill.put(",\"bnf\":").decimal(floor, 0);
        quill.put(",\"bnc\":").decimal(row.cap, 0);
        quill.put(",\"mmr\":").short(row.maintenance, 5);
        quill.put(",\"cf\":").short(deduction, 5);
        quill.put(",\"mi\":").whole(u64::from(below));
        quill
            .put(",\"ma\":")
            .whole(u64::from(row.leverage / 100))
            .put("}");
        floor = row.cap;
    }
    quill.put("],\"st\":1}").shut().put("}");
}

/// True when `path` tells a stream of this kind.
fn tells(path: &str, topic: Topic) -> bool {
    let public = !path.starts_with("/market");
    let row = STREAMS.iter().find(|row| row.0 == topic.kind);
    if topic.symbol == Topic::ALL {
        !public
    } else {
        row.is_some_and(|row| row.2 == public)
    }
}

/// Streams named in the address: `/ws/a/b` and `/stream?streams=a/b`.
fn welcome(world: &mut World, path: &str, query: &str, orders: &mut Vec<Order>) {
    let names = match path.split_once("/ws") {
        Some((_, rest)) => {
            orders.push(Order::Bare(true));
            rest
        }
        None => super::value(query, "streams").unwrap_or_default(),
    };
    for name in names.split('/') {
        let topic = world.topic(name).filter(|topic| tells(path, *topic));
        orders.extend(topic.map(Order::Subscribe));
    }
}

/// One request of a client, answered as the exchange answers.
fn obey(world: &mut World, path: &str, text: &str, id: &str, orders: &mut Vec<Order>) {
    if world.texts(id) > TEXTS {
        orders.push(Order::Close("too many requests"));
        return;
    }
    let request: serde_json::Value = match serde_json::from_str(text) {
        Ok(request) => request,
        Err(fault) => {
            let message = quoted(&format!("Invalid JSON: {fault}"));
            orders.push(Order::Reply(format!("{{\"code\":3,\"msg\":{message}}}")));
            return;
        }
    };
    let (tag, params) = (&request["id"], request["params"].as_array());
    let refuse = |message: &str| {
        let message = quoted(&format!("Invalid request: {message}"));
        Order::Reply(format!("{{\"code\":2,\"msg\":{message},\"id\":{tag}}}"))
    };
    let done = || Order::Reply(format!("{{\"result\":null,\"id\":{tag}}}"));
    match (request["method"].as_str(), params) {
        (Some(method @ ("SUBSCRIBE" | "UNSUBSCRIBE")), Some(params)) => {
            let names: Option<Vec<&str>> = params.iter().map(|name| name.as_str()).collect();
            let Some(names) = names else {
                orders.push(refuse("invalid type: expected a string in `params`"));
                return;
            };
            orders.push(done());
            for name in names {
                let topic = world.topic(name).filter(|topic| tells(path, *topic));
                let Some(topic) = topic else {
                    continue;
                };
                if method == "SUBSCRIBE" && world.join(id, topic) {
                    orders.push(Order::Subscribe(topic));
                } else if method == "UNSUBSCRIBE" {
                    world.part(id, topic);
                    orders.push(Order::Unsubscribe(topic));
                }
            }
        }
        (Some("LIST_SUBSCRIPTIONS"), _) => {
            let topics: Vec<Topic> = world.topics().filter(|t| world.hears(id, *t)).collect();
            let names: Vec<String> = topics
                .iter()
                .map(|t| quoted(&world.topic_name(*t)))
                .collect();
            orders.push(Order::Reply(format!(
                "{{\"result\":[{}],\"id\":{tag}}}",
                names.join(",")
            )));
        }
        (Some("SET_PROPERTY"), Some(params)) => match params.as_slice() {
            [name, value] if name == "combined" && value.is_boolean() => {
                orders.push(Order::Bare(value == false));
                orders.push(done());
            }
            _ => orders.push(refuse("unknown property")),
        },
        (Some(_), None) => orders.push(refuse("missing field `params`")),
        (Some(_), _) => orders.push(refuse("unknown variant in `method`")),
        (None, _) => orders.push(refuse("missing field `method`")),
    }
}
