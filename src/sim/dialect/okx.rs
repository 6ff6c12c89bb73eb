//! OKX swaps: one contract's market in the words of the v5 public socket, and what clients ask.
//!
//! Quantities are contracts; `oiCcy` is the coin. Numbers carry no zeros at the end. Books begin with
//! a snapshot; an update's `prevSeqId` is the `seqId` before it; after a minute without a change an
//! empty update says so with both equal; after a halt the numbers begin lower. `checksum` is 0.
//! Trades: the fills of one taker order at one price in one row, `count` of them, numbered by the
//! last. Liquidations are told for all swaps on one stream, at a price near the mark; a row may come
//! late, behind younger ones, and a new subscription begins with rows that were told before.
//! Not here: tickers, candles and other channels of the venue; asking is refused with 60018.

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
use crate::sim::pit::{Death, Pit, Status};
use crate::sim::quill::{Quill, Style};
use crate::sim::rng::mix;
use crate::sim::told::Told;
use crate::sim::world::{Topic, TopicKind, World};
use crate::time::Nanos;
use serde_json::Value;
use std::collections::VecDeque;

/// Beats without a change after which an empty update is sent.
const QUIET: u64 = 600;
/// Beats between open interest, and between funding rates.
const SLOW: [u64; 2] = [30, 600];
/// Beats after which a mark is told even if it has not changed.
const STILL: u64 = 100;
/// Liquidation rows of a contract that a new subscription is told again.
const AGAIN: usize = 2;

/// Kinds of stream of a contract and their channels.
const STREAMS: [(TopicKind, &str); 7] = [
    (TopicKind::Book, "books"),
    (TopicKind::Trades, "trades"),
    (TopicKind::Bbo, "bbo-tbt"),
    (TopicKind::Mark, "mark-price"),
    (TopicKind::Index, "index-tickers"),
    (TopicKind::Funding, "funding-rate"),
    (TopicKind::Interest, "open-interest"),
];

/// Kinds of stream of all swaps.
const ALL: [(TopicKind, &str); 2] = [
    (TopicKind::Liquidation, "liquidation-orders"),
    (TopicKind::Instruments, "instruments"),
];

/// What the dialect is made of.
pub(crate) const WORDS: Words = Words {
    paths: &["/ws/v5/public"],
    heartbeat: Heartbeat {
        ping: None,
        silence: Nanos::new(30_000_000_000),
        sent_counts: true,
        protocol_counts: false,
    },
    kinds: &[
        TopicKind::Book,
        TopicKind::Trades,
        TopicKind::Bbo,
        TopicKind::Mark,
        TopicKind::Index,
        TopicKind::Funding,
        TopicKind::Interest,
    ],
    all: &[TopicKind::Liquidation, TopicKind::Instruments],
    name,
    begin,
    obey,
    welcome: |_, _, _, _| (),
    rest: rest::answer,
};

/// `channel:instId`; a swap's index is named without the ending.
fn name(kind: TopicKind, symbol: Option<&str>) -> String {
    let rows: &[(TopicKind, &str)] = if symbol.is_some() { &STREAMS } else { &ALL };
    let Some((_, channel)) = rows.iter().find(|row| row.0 == kind) else {
        return String::new();
    };
    match symbol {
        Some(symbol) if kind == TopicKind::Index => format!("{channel}:{}", family(symbol)),
        Some(symbol) => format!("{channel}:{symbol}"),
        None => format!("{channel}:SWAP"),
    }
}

/// `BTC-USDT` of `BTC-USDT-SWAP`.
fn family(symbol: &str) -> &str {
    symbol.strip_suffix("-SWAP").unwrap_or(symbol)
}

/// One contract's desk.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) told: Told,
    best: [Option<Level>; 2],
    /// Mark and index as told, units.
    marks: [i64; 2],
    marked: u64,
    booked: u64,
    halted: bool,
    late: Option<Row>,
    recent: VecDeque<Row>,
}

/// A liquidation as told.
#[derive(Debug, Clone, Copy)]
struct Row {
    ms: i64,
    holder: Holder,
    lots: i64,
    units: i64,
}

/// Lots as base: steps and decimals.
fn base(pit: &Pit, lots: i64) -> (i64, u32) {
    let c = &pit.contract;
    let places = c.lot_scale as i32 - c.value_scale;
    match u32::try_from(places) {
        Ok(places) => (lots, places),
        Err(_) => (lots * 10i64.pow(places.unsigned_abs()), 0),
    }
}

/// Worth of lots at a price, cents.
fn cents(pit: &Pit, lots: i64, units: i64) -> i64 {
    let (lots, places) = base(pit, lots);
    let value = i128::from(lots) * i128::from(units) * 100;
    (value / 10i128.pow(places + pit.contract.price_scale)) as i64
}

fn write_level(pit: &Pit, level: Level, quill: &mut Quill) {
    let c = &pit.contract;
    let orders = match level.lots {
        0 => 0,
        lots => 1 + mix(level.tick as u64 ^ u64::from(lots)) % 9,
    };
    quill
        .put("[\"")
        .short(level.tick * c.tick_units, c.price_scale);
    quill.put("\",\"").short(i64::from(level.lots), c.lot_scale);
    quill.put("\",\"0\",\"").whole(orders).put("\"]");
}

fn write_side(pit: &Pit, levels: &[Level], rows: usize, quill: &mut Quill) {
    quill.put("[");
    for (i, level) in levels.iter().take(rows).enumerate() {
        quill.put(if i == 0 { "" } else { "," });
        write_level(pit, *level, quill);
    }
    quill.put("]");
}

fn head(channel: &str, symbol: &str, quill: &mut Quill) {
    quill.clear();
    quill.put("{\"arg\":{\"channel\":\"").put(channel);
    quill.put("\",\"instId\":\"").put(symbol).put("\"},");
}

impl Desk {
    pub(crate) fn new(pit: &Pit, ms: i64) -> Self {
        let mut told = Told::new(pit, ms);
        told.style = Style::Short;
        told.update += 60_000_000_000;
        told.trade_id = 1_000_000_000 + mix(pit.seq) % 1_000_000;
        Self {
            told,
            best: [None; 2],
            marks: [0; 2],
            marked: 0,
            booked: 0,
            halted: false,
            late: None,
            recent: VecDeque::new(),
        }
    }

    /// What is due in this beat.
    pub(crate) fn turn(&mut self, pit: &mut Pit, turn: Turn, quill: &mut Quill, tell: &mut Tell) {
        let ms = turn.ms;
        self.trades(pit, turn, quill, tell);
        if turn.due(turn.cadence.book) && self.book(pit, turn, quill) {
            tell(turn.topic(TopicKind::Book), quill);
            if self.quote(pit, ms, quill) {
                tell(turn.topic(TopicKind::Bbo), quill);
            }
        }
        if turn.due(turn.cadence.liquidation) && self.liquidations(pit, ms, quill) {
            tell(every(TopicKind::Liquidation), quill);
        }
        if turn.due(turn.cadence.ticker) && pit.is_listed() {
            self.prices(pit, turn, quill, tell);
        }
        if turn.due(SLOW[0]) && pit.is_listed() {
            head("open-interest", &pit.contract.symbol, quill);
            quill.put("\"data\":[");
            interest(pit, ms, quill);
            quill.put("]}");
            tell(turn.topic(TopicKind::Interest), quill);
        }
        if turn.due(SLOW[1]) && pit.is_listed() {
            head("funding-rate", &pit.contract.symbol, quill);
            quill.put("\"data\":[");
            funding(pit, ms, quill);
            quill.put("]}");
            tell(turn.topic(TopicKind::Funding), quill);
        }
        if std::mem::take(&mut pit.news) {
            quill.clear();
            quill.put("{\"arg\":{\"channel\":\"instruments\",\"instType\":\"SWAP\"},\"data\":[");
            instrument(pit, turn.symbol, quill);
            quill.put("]}");
            tell(every(TopicKind::Instruments), quill);
        }
    }

    /// What a new subscription of one contract is told first; trades begin with the next one.
    pub(crate) fn snapshot(&self, pit: &Pit, kind: TopicKind, ms: i64, quill: &mut Quill) -> bool {
        let symbol = &pit.contract.symbol;
        match kind {
            TopicKind::Book => {
                head("books", symbol, quill);
                quill.put("\"action\":\"snapshot\",\"data\":[{\"asks\":");
                write_side(pit, self.told.levels(Side::Sell), usize::MAX, quill);
                quill.put(",\"bids\":");
                write_side(pit, self.told.levels(Side::Buy), usize::MAX, quill);
                quill.put(",\"instId\":\"").put(symbol);
                quill.field("\",\"ts\":\"", self.told.book_ms, 0);
                quill
                    .put(",\"checksum\":0,\"seqId\":")
                    .whole(self.told.update);
                quill.put(",\"prevSeqId\":-1}]}");
            }
            TopicKind::Interest => {
                head("open-interest", symbol, quill);
                quill.put("\"data\":[");
                interest(pit, ms, quill);
                quill.put("]}");
            }
            TopicKind::Funding => {
                head("funding-rate", symbol, quill);
                quill.put("\"data\":[");
                funding(pit, ms, quill);
                quill.put("]}");
            }
            TopicKind::Mark => {
                head("mark-price", symbol, quill);
                quill.put("\"data\":[");
                mark(pit, ms, quill);
                quill.put("]}");
            }
            TopicKind::Index => index_frame(pit, ms, quill),
            _ => return false,
        }
        true
    }

    fn trades(&mut self, pit: &Pit, turn: Turn, quill: &mut Quill, tell: &mut Tell) {
        let c = &pit.contract;
        let mut rest = pit.prints.as_slice();
        while let Some(first) = rest.first() {
            let count = rest
                .iter()
                .take_while(|p| p.seq == first.seq && p.units == first.units)
                .count();
            let (group, next) = rest.split_at(count);
            let lots = group.iter().map(|p| i64::from(p.lots)).sum();
            let id = self.told.trade_id + count as u64;
            self.told.trade(id, lots);
            head("trades", &c.symbol, quill);
            quill.put("\"data\":[{\"instId\":\"").put(&c.symbol);
            quill.put("\",\"tradeId\":\"").whole(id);
            quill.put("\",\"px\":\"").short(first.units, c.price_scale);
            quill.put("\",\"sz\":\"").short(lots, c.lot_scale);
            quill.put(match first.taker {
                Side::Buy => "\",\"side\":\"buy\"",
                Side::Sell => "\",\"side\":\"sell\"",
            });
            quill.field(",\"ts\":\"", first.ms, 0);
            quill.put(",\"count\":\"").whole(count as u64);
            quill.put("\",\"source\":\"0\",\"seqId\":");
            quill.whole(self.told.update).put("}]}");
            tell(turn.topic(TopicKind::Trades), quill);
            rest = next;
        }
    }

    /// What the shown book has changed by, or a sign of life after a quiet minute; false for neither.
    fn book(&mut self, pit: &Pit, turn: Turn, quill: &mut Quill) -> bool {
        let c = &pit.contract;
        self.told.look(pit);
        self.halted |= pit.status == Status::Halted;
        head("books", &c.symbol, quill);
        quill.put("\"action\":\"update\",\"data\":[{");
        let mut count = 0;
        for (side, words) in [(Side::Sell, "\"asks\":["), (Side::Buy, ",\"bids\":[")] {
            quill.put(words);
            let mut comma = "";
            self.told.changes(side, &mut |level| {
                quill.put(comma);
                write_level(pit, level, quill);
                comma = ",";
                count += 1;
            });
            quill.put("]");
        }
        let quiet = count == 0;
        if quiet && (turn.beat - self.booked < QUIET || !pit.is_listed()) {
            return false;
        }
        self.booked = turn.beat;
        let before = self.told.update;
        if !quiet {
            self.told.keep();
            self.told.book_ms = turn.ms;
            self.told.update = if std::mem::take(&mut self.halted) {
                before - before / 16
            } else {
                before + 1 + mix(before) % 30
            };
        }
        quill.put(",\"instId\":\"").put(&c.symbol);
        quill.field("\",\"ts\":\"", turn.ms, 0);
        quill
            .put(",\"checksum\":0,\"seqId\":")
            .whole(self.told.update);
        quill.put(",\"prevSeqId\":").whole(before).put("}]}");
        true
    }

    fn quote(&mut self, pit: &Pit, ms: i64, quill: &mut Quill) -> bool {
        let now = [Side::Buy, Side::Sell].map(|side| self.told.best(side));
        if now == self.best {
            return false;
        }
        self.best = now;
        head("bbo-tbt", &pit.contract.symbol, quill);
        quill.put("\"data\":[{\"asks\":");
        write_side(pit, self.told.levels(Side::Sell), 1, quill);
        quill.put(",\"bids\":");
        write_side(pit, self.told.levels(Side::Buy), 1, quill);
        quill.field(",\"ts\":\"", ms, 0);
        quill.put(",\"seqId\":").whole(self.told.update).put("}]}");
        true
    }

    /// Mark and index, each when it has changed or was told long ago.
    fn prices(&mut self, pit: &Pit, turn: Turn, quill: &mut Quill, tell: &mut Tell) {
        let still = turn.beat - self.marked >= STILL;
        let now = [pit.mark_units, pit.index_units];
        let before = std::mem::replace(&mut self.marks, now);
        if still || now != before {
            self.marked = turn.beat;
        }
        if still || now[0] != before[0] {
            head("mark-price", &pit.contract.symbol, quill);
            quill.put("\"data\":[");
            mark(pit, turn.ms, quill);
            quill.put("]}");
            tell(turn.topic(TopicKind::Mark), quill);
        }
        if still || now[1] != before[1] {
            index_frame(pit, turn.ms, quill);
            tell(turn.topic(TopicKind::Index), quill);
        }
    }

    /// The clips since the last frame, near the mark; one in sixteen waits for the next frame.
    fn liquidations(&mut self, pit: &mut Pit, ms: i64, quill: &mut Quill) -> bool {
        let tick = pit.contract.tick_units;
        let near = pit.mark_units - pit.mark_units.rem_euclid(tick);
        let mut rows: Vec<Row> = Vec::new();
        for Death {
            ms, holder, lots, ..
        } in pit.deaths.drain(..)
        {
            let units = near;
            let row = Row {
                ms,
                holder,
                lots,
                units,
            };
            if self.late.is_none() && mix(ms as u64 ^ lots as u64).is_multiple_of(16) {
                self.late = Some(row);
            } else {
                rows.push(row);
            }
        }
        if rows.is_empty() {
            return false;
        }
        rows.extend(self.late.take_if(|late| late.ms < ms));
        for row in &rows {
            self.told.death(row.holder, row.lots);
            self.recent.push_back(*row);
        }
        self.recent.drain(..self.recent.len().saturating_sub(AGAIN));
        quill.clear();
        quill.put("{\"arg\":{\"channel\":\"liquidation-orders\",\"instType\":\"SWAP\"},\"data\":[");
        liquidation(pit, rows.iter(), quill);
        quill.put("]}");
        true
    }
}

const fn every(kind: TopicKind) -> Topic {
    Topic {
        kind,
        symbol: Topic::ALL,
    }
}

fn liquidation<'a>(pit: &Pit, rows: impl Iterator<Item = &'a Row>, quill: &mut Quill) {
    let c = &pit.contract;
    quill.put("{\"details\":[");
    for (i, row) in rows.enumerate() {
        quill.put(if i == 0 { "" } else { "," });
        quill
            .put("{\"bkLoss\":\"0\",\"bkPx\":\"")
            .short(row.units, c.price_scale);
        quill.put(match row.holder {
            Holder::Long => "\",\"ccy\":\"\",\"posSide\":\"long\",\"side\":\"sell\",\"sz\":\"",
            Holder::Short => "\",\"ccy\":\"\",\"posSide\":\"short\",\"side\":\"buy\",\"sz\":\"",
        });
        quill.short(row.lots, c.lot_scale);
        quill.field("\",\"ts\":\"", row.ms, 0).put("}");
    }
    let family = family(&c.symbol);
    quill.put("],\"instFamily\":\"").put(family);
    quill.put("\",\"instId\":\"").put(&c.symbol);
    quill.put("\",\"instType\":\"SWAP\",\"uly\":\"").put(family);
    quill.put("\"}");
}

fn interest(pit: &Pit, ms: i64, quill: &mut Quill) {
    let lots = pit.interest()[0];
    let (steps, places) = base(pit, lots);
    quill.put("{\"instId\":\"").put(&pit.contract.symbol);
    quill.put("\",\"instType\":\"SWAP\",\"oi\":\"");
    quill.short(lots, pit.contract.lot_scale);
    quill.put("\",\"oiCcy\":\"").short(steps, places);
    quill
        .put("\",\"oiUsd\":\"")
        .short(cents(pit, lots, pit.mark_units), 2);
    quill.field("\",\"ts\":\"", ms, 0).put("}");
}

fn mark(pit: &Pit, ms: i64, quill: &mut Quill) {
    let c = &pit.contract;
    quill
        .put("{\"instType\":\"SWAP\",\"instId\":\"")
        .put(&c.symbol);
    quill
        .put("\",\"markPx\":\"")
        .short(pit.mark_units, c.price_scale);
    quill.field("\",\"ts\":\"", ms, 0).put("}");
}

fn index_frame(pit: &Pit, ms: i64, quill: &mut Quill) {
    head("index-tickers", family(&pit.contract.symbol), quill);
    quill.put("\"data\":[");
    index(pit, ms, quill);
    quill.put("]}");
}

fn index(pit: &Pit, ms: i64, quill: &mut Quill) {
    let (c, day) = (&pit.contract, pit.history.day());
    quill.put("{\"instId\":\"").put(family(&c.symbol));
    for (words, units) in [
        ("\",\"idxPx\":\"", pit.index_units),
        ("\",\"high24h\":\"", day.high),
        ("\",\"low24h\":\"", day.low),
        ("\",\"open24h\":\"", day.open),
        ("\",\"sodUtc0\":\"", day.open),
        ("\",\"sodUtc8\":\"", day.open),
    ] {
        quill.put(words).short(units, c.price_scale);
    }
    quill.field("\",\"ts\":\"", ms, 0).put("}");
}

fn funding(pit: &Pit, ms: i64, quill: &mut Quill) {
    let last = pit.history.settled.back().copied().unwrap_or_default();
    let span = pit.funding_ms - last.ms;
    quill.put("{\"formulaType\":\"withRate\",\"fundingRate\":\"");
    quill.short(pit.funding, 8);
    quill.field("\",\"fundingTime\":\"", pit.funding_ms, 0);
    quill.put(",\"impactValue\":\"20000\",\"instId\":\"");
    quill.put(&pit.contract.symbol);
    quill.put(
        "\",\"instType\":\"SWAP\",\"interestRate\":\"0.0001\",\"maxFundingRate\":\"0.00375\",",
    );
    quill.put(
        "\"method\":\"current_period\",\"minFundingRate\":\"-0.00375\",\"nextFundingRate\":\"\"",
    );
    quill.field(",\"nextFundingTime\":\"", pit.funding_ms + span, 0);
    let premium = pit.funding - 10_000;
    quill.put(",\"premium\":\"").short(premium, 8);
    quill.field("\",\"prevFundingTime\":\"", last.ms, 0);
    quill.put(",\"settFundingRate\":\"").short(last.rate, 8);
    quill.field("\",\"settState\":\"settled\",\"ts\":\"", ms, 0);
    quill.put("}");
}

/// A contract's listing: the same row over REST and on the stream.
fn instrument(pit: &Pit, place: u16, quill: &mut Quill) {
    let c = &pit.contract;
    let family = family(&c.symbol);
    quill.put("{\"alias\":\"\",\"auctionEndTime\":\"\",\"baseCcy\":\"\",\"category\":\"1\",\"contTdSwTime\":\"\"");
    quill.put(",\"ctMult\":\"1\",\"ctType\":\"linear\",\"ctVal\":\"");
    match u32::try_from(c.value_scale) {
        Ok(power) => quill.whole(10u64.pow(power)),
        Err(_) => quill.decimal(1, c.value_scale.unsigned_abs()),
    };
    quill.put("\",\"ctValCcy\":\"").put(&c.base);
    quill
        .put("\",\"expTime\":\"\",\"futureSettlement\":false,\"instFamily\":\"")
        .put(family);
    quill.put("\",\"instId\":\"").put(&c.symbol);
    quill
        .put("\",\"instIdCode\":")
        .whole(10_458 + u64::from(place));
    quill
        .put(",\"instType\":\"SWAP\",\"lever\":\"")
        .whole(u64::from(c.max_leverage / 100));
    quill
        .put("\",\"listTime\":\"1611916828000\",\"lotSz\":\"")
        .decimal(1, c.lot_scale);
    quill.put(
        "\",\"maxIcebergSz\":\"100000000\",\"maxLmtAmt\":\"20000000\",\"maxLmtSz\":\"100000000\"",
    );
    quill.put(",\"maxMktAmt\":\"\",\"maxMktSz\":\"35000\",\"maxStopSz\":\"35000\",\"maxTriggerSz\":\"100000000\"");
    quill
        .put(",\"maxTwapSz\":\"100000000\",\"minSz\":\"")
        .decimal(1, c.lot_scale);
    quill.put("\",\"openType\":\"\",\"optType\":\"\",\"quoteCcy\":\"\",\"ruleType\":\"normal\",");
    quill
        .put("\"settleCcy\":\"USDT\",\"state\":\"")
        .put(match pit.status {
            Status::Trading => "live",
            Status::Halted => "suspend",
            Status::Unlisted => "preopen",
            Status::Delisted => "expired",
        });
    quill
        .put("\",\"stk\":\"\",\"tickSz\":\"")
        .short(c.tick_units, c.price_scale);
    quill
        .put("\",\"uly\":\"")
        .put(family)
        .put("\",\"upcChg\":[]}");
}

/// What a new subscription of all swaps is told first: the list; liquidations that were told before.
fn begin(world: &World, kind: TopicKind, quill: &mut Quill) -> bool {
    let (channel, mut any) = match kind {
        TopicKind::Instruments => ("instruments", false),
        TopicKind::Liquidation => ("liquidation-orders", false),
        _ => return false,
    };
    quill.clear();
    quill.put("{\"arg\":{\"channel\":\"").put(channel);
    quill.put("\",\"instType\":\"SWAP\"},\"data\":[");
    for (place, (pit, desk)) in world.listed().iter().enumerate() {
        let super::Desk::Okx(desk) = desk else {
            continue;
        };
        let told = match kind {
            TopicKind::Instruments => pit.is_listed(),
            _ => !desk.recent.is_empty(),
        };
        if !told {
            continue;
        }
        quill.put(if any { "," } else { "" });
        any = true;
        match kind {
            TopicKind::Instruments => instrument(pit, place as u16, quill),
            _ => liquidation(pit, desk.recent.iter(), quill),
        }
    }
    quill.put("]}");
    any
}

/// One text of a client, answered as the exchange answers.
fn obey(world: &mut World, _path: &str, text: &str, id: &str, orders: &mut Vec<Order>) {
    if text == "ping" {
        orders.push(Order::Reply("pong".into()));
        return;
    }
    let request: Value = serde_json::from_str(text).unwrap_or_default();
    let tag = match request["id"].as_str() {
        Some(tag) => format!("\"id\":{},", quoted(tag)),
        None => String::new(),
    };
    let refuse = |code: u32, message: &str| {
        let message = quoted(message);
        let head = format!("{{{tag}\"event\":\"error\",\"code\":\"{code}\",");
        Order::Reply(format!("{head}\"msg\":{message},\"connId\":\"{id}\"}}"))
    };
    let (op, args) = (request["op"].as_str(), request["args"].as_array());
    let (Some(op @ ("subscribe" | "unsubscribe")), Some(args)) = (op, args) else {
        orders.push(refuse(60_012, &format!("Invalid request: {text}")));
        return;
    };
    for arg in args {
        let Some((topic, arg)) = wanted(world, arg) else {
            let what = format!(
                "channel:{},instId:{}",
                arg["channel"].as_str().unwrap_or_default(),
                arg["instId"].as_str().unwrap_or_default()
            );
            let words = "doesn't exist. Please use the correct URL, channel and parameters.";
            orders.push(refuse(60_018, &format!("Wrong URL or {what} {words}")));
            continue;
        };
        let head = format!("{{{tag}\"event\":\"{op}\",\"arg\":{arg},");
        orders.push(Order::Reply(format!("{head}\"connId\":\"{id}\"}}")));
        if op == "unsubscribe" {
            world.part(id, topic);
            orders.push(Order::Unsubscribe(topic));
        } else if world.join(id, topic) {
            orders.push(Order::Subscribe(topic));
        }
    }
}

/// The stream an argument means, and the argument as the venue repeats it: what it does not know it
/// drops.
fn wanted(world: &World, arg: &Value) -> Option<(Topic, String)> {
    let channel = arg["channel"].as_str()?;
    let whole = ALL.iter().any(|row| row.1 == channel);
    let key = if whole { "instType" } else { "instId" };
    let value = arg[key].as_str()?;
    let topic = world.topic(&format!("{channel}:{value}"))?;
    let text = format!(
        "{{\"channel\":{},\"{key}\":{}}}",
        quoted(channel),
        quoted(value)
    );
    Some((topic, text))
}
