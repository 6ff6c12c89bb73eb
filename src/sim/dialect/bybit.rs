//! Bybit: one contract's market in the words of the v5 linear socket, and what its clients ask.
//!
//! A `Desk` remembers what the public has been told (the shown book, the ticker's fields) and
//! writes what has changed since: book deltas whose `u` rises by one, tickers in which a missing
//! field is unchanged, trades and liquidations as they fell. A snapshot tells what has been told so
//! far, so the next delta fits behind it whenever one subscribes.
//!
//! Field order and number forms are the exchange's: prices with all decimals of the contract,
//! quantities with all of the lot, funding without zeros at the end; `openInterest` is both sides,
//! `singleOpenInterest` one.

mod rest;

use super::{Heartbeat, Order, Tell, Turn, Words, quoted};
use crate::market::{Holder, Side};
use crate::sim::book::Level;
use crate::sim::history::Bar;
use crate::sim::pit::{Pit, Print};
use crate::sim::quill::Quill;
use crate::sim::rng::mix;
use crate::sim::told::{Told, write_changes, write_side};
use crate::sim::world::{Topic, TopicKind, World};
use crate::time::Nanos;

/// Kinds of stream and the words before the symbol.
const STREAMS: [(TopicKind, &str); 5] = [
    (TopicKind::Book, "orderbook.200."),
    (TopicKind::Trades, "publicTrade."),
    (TopicKind::Ticker, "tickers."),
    (TopicKind::Liquidation, "allLiquidation."),
    (TopicKind::Kline, "kline.1."),
];

/// What the dialect is made of.
pub(crate) const WORDS: Words = Words {
    paths: &["/v5/public/linear"],
    heartbeat: Heartbeat {
        ping: None,
        silence: Nanos::new(600_000_000_000),
        sent_counts: false,
        protocol_counts: true,
    },
    kinds: &[
        TopicKind::Book,
        TopicKind::Trades,
        TopicKind::Ticker,
        TopicKind::Liquidation,
        TopicKind::Kline,
    ],
    all: &[],
    name,
    begin: |_, _, _| false,
    obey,
    welcome: |_, _, _, _| (),
    rest: rest::answer,
};

fn name(kind: TopicKind, symbol: Option<&str>) -> String {
    let words = STREAMS.iter().find(|row| row.0 == kind);
    match (words, symbol) {
        (Some((_, words)), Some(symbol)) => format!("{words}{symbol}"),
        _ => String::new(),
    }
}

/// Most trades in a frame.
const ROWS: usize = 1_024;
const DIRECTIONS: [&str; 4] = ["PlusTick", "ZeroPlusTick", "MinusTick", "ZeroMinusTick"];

/// The fields of a ticker, in frame order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticker {
    direction: u8,
    percent: i64,
    last: i64,
    day_open: i64,
    day_high: i64,
    day_low: i64,
    hour_open: i64,
    mark: i64,
    index: i64,
    interest: i64,
    value: i64,
    turnover: i64,
    volume: i64,
    funding_ms: i64,
    funding: i64,
    bid: Level,
    ask: Level,
}

/// One contract's desk.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) told: Told,
    book_seq: u64,
    ticker: Ticker,
    ticker_ms: i64,
    ticker_seq: u64,
}

/// A count of 10^-from steps as one of 10^-to, toward zero.
const fn rescale(value: i128, from: u32, to: u32) -> i64 {
    if from >= to {
        (value / 10i128.pow(from - to)) as i64
    } else {
        (value * 10i128.pow(to - from)) as i64
    }
}

impl Desk {
    pub(crate) fn new(pit: &Pit, ms: i64) -> Self {
        Self {
            told: Told::new(pit, ms),
            book_seq: pit.seq,
            ticker: Ticker::read(pit),
            ticker_ms: ms,
            ticker_seq: pit.seq,
        }
    }

    /// What is due in this beat.
    pub(crate) fn turn(&mut self, pit: &mut Pit, turn: Turn, quill: &mut Quill, tell: &mut Tell) {
        let (ms, cadence) = (turn.ms, turn.cadence);
        for (page, prints) in pit.prints.chunks(ROWS).enumerate() {
            self.trades(pit, prints, page * ROWS, ms, quill);
            tell(turn.topic(TopicKind::Trades), quill);
        }
        if turn.due(cadence.book) && self.book(pit, ms, quill) {
            tell(turn.topic(TopicKind::Book), quill);
        }
        if turn.due(cadence.liquidation) && self.liquidations(pit, ms, quill) {
            tell(turn.topic(TopicKind::Liquidation), quill);
        }
        if turn.due(cadence.ticker) && self.ticker(pit, ms, quill) {
            tell(turn.topic(TopicKind::Ticker), quill);
        }
        if cadence.kline > 0 && pit.is_listed() {
            klines(pit, turn, quill, tell);
        }
    }

    /// What a new subscription is told first; false for streams that begin with nothing.
    pub(crate) fn snapshot(&self, pit: &Pit, kind: TopicKind, ms: i64, quill: &mut Quill) -> bool {
        match kind {
            TopicKind::Book => self.book_snapshot(pit, ms, quill),
            TopicKind::Ticker => self.ticker_snapshot(pit, quill),
            _ => return false,
        }
        true
    }

    /// Trades of the beat, of which the first is the `from`th.
    fn trades(&mut self, pit: &Pit, prints: &[Print], from: usize, ms: i64, quill: &mut Quill) {
        let c = &pit.contract;
        quill.clear();
        quill.put("{\"topic\":\"publicTrade.").put(&c.symbol);
        quill
            .put("\",\"type\":\"snapshot\",\"ts\":")
            .whole(ms as u64);
        quill.put(",\"data\":[");
        for (i, print) in prints.iter().enumerate() {
            let id = mix(print.seq ^ ((from + i) as u64) << 48);
            quill.put(if i == 0 { "{\"T\":" } else { ",{\"T\":" });
            quill.whole(print.ms as u64);
            quill.put(",\"s\":\"").put(&c.symbol);
            quill.put(match print.taker {
                Side::Buy => "\",\"S\":\"Buy\",\"v\":\"",
                Side::Sell => "\",\"S\":\"Sell\",\"v\":\"",
            });
            quill.decimal(i64::from(print.lots), c.lot_scale);
            quill.field("\",\"p\":\"", print.units, c.price_scale);
            quill.put(",\"L\":\"");
            quill.put(DIRECTIONS[usize::from(print.direction & 3)]);
            quill.put("\",\"i\":\"").uuid(id, mix(id));
            quill.put("\",\"BT\":false,\"RPI\":false,\"seq\":");
            quill.whole(print.seq).put("}");
            self.told.trade(print.seq, i64::from(print.lots));
        }
        quill.put("]}");
    }

    /// What the shown book has changed by since the last delta; false when nothing has.
    fn book(&mut self, pit: &mut Pit, ms: i64, quill: &mut Quill) -> bool {
        self.told.look(pit);
        pit.seq += 1;
        self.head("delta", pit, ms, quill);
        let mut changes = 0;
        for (side, name) in [(Side::Buy, ",\"b\":"), (Side::Sell, ",\"a\":")] {
            quill.put(name);
            changes += write_changes(pit, &self.told, side, "0", quill);
        }
        if changes == 0 {
            return false;
        }
        self.told.keep();
        self.told.update += 1;
        self.told.book_ms = ms - 1;
        self.book_seq = pit.seq;
        self.tail(quill);
        true
    }

    /// The whole shown book, as the last delta left it.
    fn book_snapshot(&self, pit: &Pit, ms: i64, quill: &mut Quill) {
        self.head("snapshot", pit, ms, quill);
        self.sides(pit, usize::MAX, quill);
        self.tail(quill);
    }

    fn sides(&self, pit: &Pit, rows: usize, quill: &mut Quill) {
        for (side, name) in [(Side::Buy, ",\"b\":"), (Side::Sell, ",\"a\":")] {
            quill.put(name);
            write_side(pit, self.told.levels(side), rows, quill);
        }
    }

    fn head(&self, kind: &str, pit: &Pit, ms: i64, quill: &mut Quill) {
        let c = &pit.contract;
        quill.clear();
        quill.put("{\"topic\":\"orderbook.200.").put(&c.symbol);
        quill.put("\",\"type\":\"").put(kind);
        quill.put("\",\"ts\":").whole(ms as u64);
        quill.put(",\"data\":{\"s\":\"").put(&c.symbol).put("\"");
    }

    fn tail(&self, quill: &mut Quill) {
        quill.put(",\"u\":").whole(self.told.update);
        quill.put(",\"seq\":").whole(self.book_seq);
        quill
            .put("},\"cts\":")
            .whole(self.told.book_ms as u64)
            .put("}");
    }

    /// The fields of the ticker that have changed; false when none has.
    fn ticker(&mut self, pit: &mut Pit, ms: i64, quill: &mut Quill) -> bool {
        let now = Ticker::read(pit);
        if now == self.ticker {
            return false;
        }
        pit.seq += 1;
        let before = std::mem::replace(&mut self.ticker, now);
        self.ticker_ms = ms;
        self.ticker_seq = pit.seq;
        now.write(Some(&before), pit, quill);
        self.ticker_end(ms, quill);
        true
    }

    /// Every field of the ticker, as last told.
    fn ticker_snapshot(&self, pit: &Pit, quill: &mut Quill) {
        self.ticker.write(None, pit, quill);
        self.ticker_end(self.ticker_ms, quill);
    }

    fn ticker_end(&self, ms: i64, quill: &mut Quill) {
        quill.put("},\"cs\":").whole(self.ticker_seq);
        quill.put(",\"ts\":").whole(ms as u64).put("}");
    }

    /// The best levels as told so far, as REST has them.
    fn book_entry(&self, pit: &Pit, rows: usize, ms: i64, quill: &mut Quill) {
        quill.put("{\"s\":\"").put(&pit.contract.symbol).put("\"");
        self.sides(pit, rows, quill);
        quill.put(",\"ts\":").whole(ms as u64);
        quill.put(",\"u\":").whole(self.told.update);
        quill.put(",\"seq\":").whole(self.book_seq);
        quill
            .put(",\"cts\":")
            .whole(self.told.book_ms as u64)
            .put("}");
    }

    /// The fields of the ticker as a REST list entry has them.
    fn ticker_entry(&self, pit: &Pit, quill: &mut Quill) {
        self.ticker.fields(None, pit, quill);
        quill.put("}");
    }

    /// The batch of liquidations since the last; false when there were none.
    fn liquidations(&mut self, pit: &mut Pit, ms: i64, quill: &mut Quill) -> bool {
        if pit.deaths.is_empty() {
            return false;
        }
        let c = &pit.contract;
        quill.clear();
        quill.put("{\"topic\":\"allLiquidation.").put(&c.symbol);
        quill
            .put("\",\"type\":\"snapshot\",\"ts\":")
            .whole(ms as u64);
        quill.put(",\"data\":[");
        for (i, death) in pit.deaths.iter().enumerate() {
            quill.put(if i == 0 { "{\"T\":" } else { ",{\"T\":" });
            quill.whole(death.ms as u64);
            quill.put(",\"s\":\"").put(&c.symbol);
            quill.put(match death.holder {
                Holder::Long => "\",\"S\":\"Buy\",\"v\":\"",
                Holder::Short => "\",\"S\":\"Sell\",\"v\":\"",
            });
            quill.decimal(death.lots, c.lot_scale);
            quill.field("\",\"p\":\"", death.units, c.price_scale);
            quill.put("}");
            self.told.death(death.holder, death.lots);
        }
        quill.put("]}");
        pit.deaths.clear();
        true
    }

    /// A minute bar.
    fn kline(pit: &Pit, bar: &Bar, done: bool, ms: i64, quill: &mut Quill) {
        let c = &pit.contract;
        quill.clear();
        quill.put("{\"topic\":\"kline.1.").put(&c.symbol);
        quill.put("\",\"data\":[{\"start\":").whole(bar.ms as u64);
        quill.put(",\"end\":").whole((bar.ms + 59_999) as u64);
        quill.put(",\"interval\":\"1\"");
        for (name, units) in [
            (",\"open\":\"", bar.open),
            (",\"close\":\"", bar.close),
            (",\"high\":\"", bar.high),
            (",\"low\":\"", bar.low),
        ] {
            quill.put(name).short(units, c.price_scale).put("\"");
        }
        quill.put(",\"volume\":\"").short(bar.lots, c.lot_scale);
        quill.put("\",\"turnover\":\"");
        let turnover = rescale(i128::from(bar.turnover), c.price_scale + c.lot_scale, 4);
        quill.short(turnover, 4);
        quill.put(if done {
            "\",\"confirm\":true,\"timestamp\":"
        } else {
            "\",\"confirm\":false,\"timestamp\":"
        });
        quill.whole(ms as u64).put("}],\"ts\":").whole(ms as u64);
        quill.put(",\"type\":\"snapshot\"}");
    }
}

/// The running bar, and the one a minute has just closed.
fn klines(pit: &Pit, turn: Turn, quill: &mut Quill, tell: &mut Tell) {
    let bars = &pit.history.bars;
    if turn.due(turn.cadence.kline)
        && let Some(bar) = bars.back()
    {
        Desk::kline(pit, bar, false, turn.ms, quill);
        tell(turn.topic(TopicKind::Kline), quill);
    }
    // The slow step of this beat may have closed a minute.
    let closed = bars.len().checked_sub(2).and_then(|i| bars.get(i));
    if let (Some(done), Some(last)) = (closed, bars.back())
        && turn.beat.is_multiple_of(10)
        && turn.ms - last.ms < 1_000
    {
        Desk::kline(pit, done, true, turn.ms, quill);
        tell(turn.topic(TopicKind::Kline), quill);
    }
}

impl Ticker {
    fn read(pit: &Pit) -> Self {
        let c = &pit.contract;
        let scale = c.price_scale + c.lot_scale;
        let day = pit.history.day();
        let single = pit.interest()[0];
        let change = i128::from(pit.last_units - day.open) * 1_000_000;
        Self {
            direction: pit.direction,
            percent: (change / i128::from(day.open.max(1))) as i64,
            last: pit.last_units,
            day_open: day.open,
            day_high: day.high,
            day_low: day.low,
            hour_open: pit.history.hour_ago(),
            mark: pit.mark_units,
            index: pit.index_units,
            interest: single,
            value: rescale(i128::from(single) * i128::from(pit.mark_units), scale, 2),
            turnover: rescale(i128::from(day.turnover), scale, 4),
            volume: rescale(i128::from(day.lots), c.lot_scale, 4),
            funding_ms: pit.funding_ms,
            funding: pit.funding,
            bid: pit.book.best(Side::Buy),
            ask: pit.book.best(Side::Sell),
        }
    }

    fn write(&self, before: Option<&Self>, pit: &Pit, quill: &mut Quill) {
        quill.clear();
        quill.put("{\"topic\":\"tickers.").put(&pit.contract.symbol);
        quill.put(match before {
            Some(_) => "\",\"type\":\"delta\",\"data\":",
            None => "\",\"type\":\"snapshot\",\"data\":",
        });
        self.fields(before, pit, quill);
    }

    /// The object without its closing brace.
    fn fields(&self, before: Option<&Self>, pit: &Pit, quill: &mut Quill) {
        let (price, lot) = (pit.contract.price_scale, pit.contract.lot_scale);
        // With nothing told before, every field differs from its own complement.
        let differs = |read: fn(&Self) -> i64| before.is_none_or(|b| read(b) != read(self));
        quill
            .put("{\"symbol\":\"")
            .put(&pit.contract.symbol)
            .put("\"");
        if differs(|t| i64::from(t.direction)) {
            quill.put(",\"tickDirection\":\"");
            quill
                .put(DIRECTIONS[usize::from(self.direction & 3)])
                .put("\"");
        }
        type Row = (&'static str, fn(&Ticker) -> i64, u32);
        let first: [Row; 9] = [
            (",\"price24hPcnt\":\"", |t| t.percent, 6),
            (",\"lastPrice\":\"", |t| t.last, price),
            (",\"prevPrice24h\":\"", |t| t.day_open, price),
            (",\"highPrice24h\":\"", |t| t.day_high, price),
            (",\"lowPrice24h\":\"", |t| t.day_low, price),
            (",\"prevPrice1h\":\"", |t| t.hour_open, price),
            (",\"markPrice\":\"", |t| t.mark, price),
            (",\"indexPrice\":\"", |t| t.index, price),
            (",\"openInterest\":\"", |t| t.interest * 2, lot),
        ];
        let second: [Row; 3] = [
            (",\"openInterestValue\":\"", |t| t.value * 2, 2),
            (",\"turnover24h\":\"", |t| t.turnover, 4),
            (",\"volume24h\":\"", |t| t.volume, 4),
        ];
        let third: [Row; 3] = [
            (",\"singleOpenInterest\":\"", |t| t.interest, lot),
            (",\"singleOpenInterestValue\":\"", |t| t.value, 2),
            (",\"nextFundingTime\":\"", |t| t.funding_ms, 0),
        ];
        for (name, read, places) in first.into_iter().chain(second) {
            if differs(read) {
                quill.field(name, read(self), places);
            }
        }
        if before.is_none() {
            quill.put(",\"fundingIntervalHour\":\"8\",\"fundingCap\":\"0.005\"");
        }
        for (name, read, places) in third {
            if differs(read) {
                quill.field(name, read(self), places);
            }
        }
        if differs(|t| t.funding) {
            quill
                .put(",\"fundingRate\":\"")
                .short(self.funding, 8)
                .put("\"");
        }
        for (level, old, name, size) in [
            (
                self.bid,
                before.map(|b| b.bid),
                ",\"bid1Price\":\"",
                ",\"bid1Size\":\"",
            ),
            (
                self.ask,
                before.map(|b| b.ask),
                ",\"ask1Price\":\"",
                ",\"ask1Size\":\"",
            ),
        ] {
            if old != Some(level) {
                quill.field(name, level.tick * pit.contract.tick_units, price);
                quill.field(size, i64::from(level.lots), lot);
            }
        }
        if before.is_none() {
            quill.put(",\"preOpenPrice\":\"\",\"preQty\":\"\",\"curPreListingPhase\":\"\"");
        }
    }
}

/// One request of a client, answered as the exchange answers.
fn obey(world: &mut World, _path: &str, text: &str, id: &str, orders: &mut Vec<Order>) {
    let request: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let op = request["op"].as_str().unwrap_or_default();
    let tag = request["req_id"].as_str().unwrap_or_default();
    let names: Vec<&str> = request["args"]
        .as_array()
        .map(|args| args.iter().filter_map(|a| a.as_str()).collect())
        .unwrap_or_default();
    let reply = |fault: Result<&str, &str>| {
        let (success, message) = match fault {
            Ok(message) => (true, message),
            Err(message) => (false, message),
        };
        let (message, tag, op) = (quoted(message), quoted(tag), quoted(op));
        let head = format!("{{\"success\":{success},\"ret_msg\":{message},\"conn_id\":\"{id}\",");
        Order::Reply(format!("{head}\"req_id\":{tag},\"op\":{op}}}"))
    };
    match op {
        "ping" => orders.push(reply(Ok("pong"))),
        "subscribe" => match wanted(&names, world, id) {
            Ok(topics) => {
                orders.push(reply(Ok("")));
                for topic in topics {
                    world.join(id, topic);
                    orders.push(Order::Subscribe(topic));
                }
            }
            Err(fault) => orders.push(reply(Err(&fault))),
        },
        "unsubscribe" => {
            for name in names {
                let Some(topic) = world.topic(name) else {
                    continue;
                };
                world.part(id, topic);
                orders.push(Order::Unsubscribe(topic));
            }
            orders.push(reply(Ok("")));
        }
        _ => orders.push(reply(Err("error:unknown op"))),
    }
}

/// The topics of a subscription; one that is unknown or taken already spoils the whole request.
fn wanted(names: &[&str], world: &World, id: &str) -> Result<Vec<Topic>, String> {
    if names.is_empty() {
        return Err("error:args is empty".into());
    }
    names
        .iter()
        .map(|name| match world.topic(name) {
            None => Err(format!("error:handler not found,topic:{name}")),
            Some(topic) if world.hears(id, topic) => {
                Err(format!("error:already subscribed,topic:{name}"))
            }
            Some(topic) => Ok(topic),
        })
        .collect()
}
