//! Rest: the few public REST answers of Bybit, as text from a path and a query.
//!
//! Known: `time`, `instruments-info` and `risk-limit` (both paged by a cursor), `tickers`,
//! `open-interest` and `account-ratio` (newest first, paged), `funding/history` and `kline` (newest
//! first), `orderbook` (what is shown, with the `u` of the stream). What is not listed any more is
//! found by its name alone. Everything else is the exchange's own "not found", as JSON.
//! No socket here: the server asks, this answers.

use super::Desk;
use crate::sim::dialect::{self, Answer, Request, value};
use crate::sim::history::Sample;
use crate::sim::margin::deductions;
use crate::sim::pit::{Pit, Status};
use crate::sim::quill::Quill;
use crate::sim::world::World;

/// Rows on a page when nobody asks for another number.
const PAGE: usize = 500;

/// A contract and its desk, by place.
fn at(world: &World, place: usize) -> Option<(&Pit, &Desk)> {
    match world.listed().get(place)? {
        (pit, dialect::Desk::Bybit(desk)) => Some((pit, desk)),
        _ => None,
    }
}

/// Answers a request.
pub(super) fn answer(world: &World, request: Request<'_>) -> Answer {
    let (path, query) = (request.path, request.query);
    let mut quill = Quill::default();
    let known = path.strip_prefix("/v5/market/");
    let category = request.value("category").unwrap_or("linear");
    let fault = match known {
        Some(_) if category != "linear" => Some((10_001, "Illegal category")),
        Some("time") => {
            time(world, &mut quill);
            None
        }
        Some("instruments-info") => instruments(world, query, &mut quill),
        Some("risk-limit") => tiers(world, query, &mut quill),
        Some("tickers") => tickers(world, query, &mut quill),
        Some("open-interest") => interest(world, query, &mut quill),
        Some("account-ratio") => accounts(world, query, &mut quill),
        Some("funding/history") => fundings(world, query, &mut quill),
        Some("kline") => kline(world, query, &mut quill),
        Some("orderbook") => orderbook(world, query, &mut quill),
        _ => return (404, Vec::new(), fault_text(world, 404, "Not Found")),
    };
    let body = match fault {
        Some((code, message)) => fault_text(world, code, message),
        None => {
            let now = world.now().get() / 1_000_000;
            envelope(0, "OK", quill.text(), now)
        }
    };
    (200, Vec::new(), body)
}

type Fault = Option<(u32, &'static str)>;
const NO_SYMBOL: Fault = Some((10_001, "params error: symbol invalid"));
const BAD_CURSOR: Fault = Some((10_001, "params error: cursor invalid"));

fn fault_text(world: &World, code: u32, message: &str) -> String {
    let now = world.now().get() / 1_000_000;
    envelope(code, message, "{}", now)
}

/// What every answer is wrapped in.
fn envelope(code: u32, message: &str, result: &str, now: i64) -> String {
    let head = format!("{{\"retCode\":{code},\"retMsg\":\"{message}\",");
    format!("{head}\"result\":{result},\"retExtInfo\":{{}},\"time\":{now}}}")
}

fn time(world: &World, quill: &mut Quill) {
    let now = world.now().get();
    quill
        .put("{\"timeSecond\":\"")
        .decimal(now / 1_000_000_000, 0);
    quill.put("\",\"timeNano\":\"").decimal(now, 0).put("\"}");
}

/// The contracts of one page, and where the next begins.
fn page(world: &World, query: &str, rows: usize) -> Result<(Vec<usize>, Option<usize>), Fault> {
    let all = world.listed().iter().enumerate();
    let listed: Vec<usize> = all
        .filter(|(_, (pit, _))| pit.is_listed())
        .map(|(place, _)| place)
        .collect();
    let count = listed.len();
    if let Some(symbol) = value(query, "symbol") {
        let place = world.symbols().position(|s| s == symbol).ok_or(NO_SYMBOL)?;
        if at(world, place).is_none_or(|(pit, _)| pit.status == Status::Unlisted) {
            return Err(NO_SYMBOL);
        }
        return Ok((vec![place], None));
    }
    let from = match value(query, "cursor") {
        None | Some("") => 0,
        Some(text) => text
            .strip_prefix("from-")
            .and_then(|n| n.parse().ok())
            .filter(|n| *n < count)
            .ok_or(BAD_CURSOR)?,
    };
    let rows = value(query, "limit")
        .and_then(|n| n.parse().ok())
        .map_or(rows, |n: usize| n.clamp(1, 1_000));
    let until = from.saturating_add(rows).min(count);
    let places = listed.get(from..until).unwrap_or_default();
    Ok((places.to_vec(), (until < count).then_some(until)))
}

fn end_page(next: Option<usize>, quill: &mut Quill) {
    quill.put("],\"nextPageCursor\":\"");
    if let Some(next) = next {
        quill.put("from-").whole(next as u64);
    }
    quill.put("\"}");
}

fn instruments(world: &World, query: &str, quill: &mut Quill) -> Fault {
    let (places, next) = match page(world, query, PAGE) {
        Ok(found) => found,
        Err(fault) => return fault,
    };
    let launch = world.params().start.get() / 1_000_000 - 86_400_000;
    let minutes = world.params().engine.funding_hours * 60;
    quill.put("{\"category\":\"linear\",\"list\":[");
    for (i, place) in places.into_iter().enumerate() {
        let Some((pit, _)) = at(world, place) else {
            continue;
        };
        let c = &pit.contract;
        let most = 10i64.pow(c.lot_scale) * 1_000_000;
        quill.put(if i == 0 { "{" } else { ",{" });
        quill.put("\"symbol\":\"").put(&c.symbol);
        quill.put("\",\"contractType\":\"LinearPerpetual\",\"status\":\"");
        quill.put(match pit.status {
            Status::Trading => "Trading",
            Status::Halted | Status::Unlisted => "PreLaunch",
            Status::Delisted => "Closed",
        });
        quill.put("\",\"baseCoin\":\"");
        quill.put(&c.base).put("\",\"quoteCoin\":\"USDT\"");
        quill.field(",\"launchTime\":\"", launch, 0);
        quill.put(",\"deliveryTime\":\"0\",\"deliveryFeeRate\":\"\"");
        quill.field(",\"priceScale\":\"", i64::from(c.price_scale), 0);
        quill.put(",\"leverageFilter\":{\"minLeverage\":\"1\"");
        quill.field(",\"maxLeverage\":\"", i64::from(c.max_leverage), 2);
        quill.put(",\"leverageStep\":\"0.01\"},\"priceFilter\":{");
        quill.field("\"minPrice\":\"", c.tick_units, c.price_scale);
        let highest = c.tick_units * 19_999_998;
        quill.field(",\"maxPrice\":\"", highest, c.price_scale);
        quill.field(",\"tickSize\":\"", c.tick_units, c.price_scale);
        quill.put("},\"lotSizeFilter\":{");
        quill.field("\"maxOrderQty\":\"", most, c.lot_scale);
        quill.field(",\"minOrderQty\":\"", 1, c.lot_scale);
        quill.field(",\"qtyStep\":\"", 1, c.lot_scale);
        quill.field(",\"postOnlyMaxOrderQty\":\"", most, c.lot_scale);
        quill.field(",\"maxMktOrderQty\":\"", most / 10, c.lot_scale);
        quill.put(",\"minNotionalValue\":\"5\"},\"unifiedMarginTrade\":true,\"fundingInterval\":");
        quill.whole(minutes as u64);
        quill.put(
            ",\"settleCoin\":\"USDT\",\"copyTrading\":\"both\",\"upperFundingRate\":\"0.005\"",
        );
        quill
            .put(",\"lowerFundingRate\":\"-0.005\",\"isPreListing\":false,\"preListingInfo\":null");
        quill.put(
            ",\"riskParameters\":{\"priceLimitRatioX\":\"0.01\",\"priceLimitRatioY\":\"0.02\"}",
        );
        quill.put(
            ",\"displayName\":\"\",\"symbolType\":\"\",\"forbidUplWithdrawal\":false,\"symbolId\":",
        );
        quill.whole(place as u64 + 1).put("}");
    }
    end_page(next, quill);
    None
}

fn tiers(world: &World, query: &str, quill: &mut Quill) -> Fault {
    let (places, next) = match page(world, query, 15) {
        Ok(found) => found,
        Err(fault) => return fault,
    };
    quill.put("{\"category\":\"linear\",\"list\":[");
    let mut first = true;
    for place in places {
        let Some((pit, _)) = at(world, place) else {
            continue;
        };
        let c = &pit.contract;
        for (i, (row, deduction)) in c.tiers.iter().zip(deductions(&c.tiers)).enumerate() {
            let initial = (1_000_000 + i64::from(row.leverage) / 2) / i64::from(row.leverage);
            quill.put(if first { "{\"id\":" } else { ",{\"id\":" });
            first = false;
            quill.whole((place * 100 + i + 1) as u64);
            quill.put(",\"symbol\":\"").put(&c.symbol).put("\"");
            quill.field(",\"riskLimitValue\":\"", row.cap, 0);
            quill
                .put(",\"maintenanceMargin\":\"")
                .short(row.maintenance, 5);
            quill.put("\",\"initialMargin\":\"").short(initial, 4);
            quill.put("\",\"isLowestRisk\":").whole(u64::from(i == 0));
            quill.field(",\"maxLeverage\":\"", i64::from(row.leverage), 2);
            quill.put(",\"mmDeduction\":\"");
            // The first row's deduction is empty, not zero, at the exchange.
            if i > 0 {
                quill.short(deduction, 5);
            }
            quill.put("\"}");
        }
    }
    end_page(next, quill);
    None
}

fn tickers(world: &World, query: &str, quill: &mut Quill) -> Fault {
    let (places, _) = match page(world, query, 1_000) {
        Ok(found) => found,
        Err(fault) => return fault,
    };
    quill.put("{\"category\":\"linear\",\"list\":[");
    for (i, place) in places.into_iter().enumerate() {
        if let Some((pit, desk)) = at(world, place) {
            if i > 0 {
                quill.put(",");
            }
            desk.ticker_entry(pit, quill);
        }
    }
    quill.put("]}");
    None
}

/// The contract a query names.
fn named<'a>(world: &'a World, query: &str) -> Option<(&'a Pit, &'a Desk)> {
    let symbol = value(query, "symbol")?;
    let place = world.symbols().position(|own| own == symbol)?;
    at(world, place)
}

/// A number of the query by name, or another one.
fn number<T: std::str::FromStr>(query: &str, name: &str, other: T) -> T {
    value(query, name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(other)
}

/// Milliseconds of a period of samples; `None` when it is not kept here.
fn period(text: Option<&str>) -> Option<i64> {
    let minutes = match text? {
        "5min" => 5,
        "15min" => 15,
        "30min" => 30,
        "1h" => 60,
        "4h" => 240,
        "1d" => 1_440,
        _ => return None,
    };
    Some(minutes * 60_000)
}

/// The samples a query asks for, newest first, and where the next page begins.
fn samples<'a>(
    pit: &'a Pit,
    query: &str,
    span: i64,
    most: usize,
) -> (Vec<&'a Sample>, Option<i64>) {
    let before = value(query, "cursor").and_then(|text| text.strip_prefix("before-"));
    let before = before
        .and_then(|text| text.parse().ok())
        .unwrap_or(i64::MAX);
    let from = number(query, "startTime", i64::MIN);
    let until = number(query, "endTime", i64::MAX);
    let kept = pit.history.samples.iter().rev();
    let mut rows: Vec<&Sample> = kept
        .filter(|s| s.ms % span == 0 && (from..=until).contains(&s.ms) && s.ms < before)
        .collect();
    let limit = number(query, "limit", 50usize).clamp(1, most);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|s| s.ms);
    (rows, next)
}

fn end_samples(next: Option<i64>, quill: &mut Quill) {
    quill.put("],\"nextPageCursor\":\"");
    if let Some(ms) = next {
        quill.put("before-").decimal(ms, 0);
    }
    quill.put("\"}");
}

fn interest(world: &World, query: &str, quill: &mut Quill) -> Fault {
    let Some((pit, _)) = named(world, query) else {
        return NO_SYMBOL;
    };
    let Some(span) = period(value(query, "intervalTime")) else {
        return Some((10_001, "params error: intervalTime invalid"));
    };
    let (rows, next) = samples(pit, query, span, 200);
    quill.put("{\"symbol\":\"").put(&pit.contract.symbol);
    quill.put("\",\"category\":\"linear\",\"list\":[");
    for (i, sample) in rows.into_iter().enumerate() {
        let (ms, lots) = (sample.ms, sample.interest);
        quill.put(if i == 0 { "{" } else { ",{" });
        quill.field("\"openInterest\":\"", lots * 2, pit.contract.lot_scale);
        quill.field(",\"singleOpenInterest\":\"", lots, pit.contract.lot_scale);
        quill.field(",\"timestamp\":\"", ms, 0).put("}");
    }
    end_samples(next, quill);
    None
}

fn accounts(world: &World, query: &str, quill: &mut Quill) -> Fault {
    let Some((pit, _)) = named(world, query) else {
        return NO_SYMBOL;
    };
    let Some(span) = period(value(query, "period")) else {
        return Some((10_001, "params error: period invalid"));
    };
    let (rows, next) = samples(pit, query, span, 500);
    quill.put("{\"list\":[");
    for (i, sample) in rows.into_iter().enumerate() {
        let [long, short] = sample.accounts.map(|n| n.max(1));
        let share = long * 10_000 / (long + short);
        quill.put(if i == 0 {
            "{\"symbol\":\""
        } else {
            ",{\"symbol\":\""
        });
        quill.put(&pit.contract.symbol);
        quill.put("\",\"buyRatio\":\"").short(share, 4);
        quill.put("\",\"sellRatio\":\"").short(10_000 - share, 4);
        quill.field("\",\"timestamp\":\"", sample.ms, 0).put("}");
    }
    end_samples(next, quill);
    None
}

fn fundings(world: &World, query: &str, quill: &mut Quill) -> Fault {
    let Some((pit, _)) = named(world, query) else {
        return NO_SYMBOL;
    };
    let from = number(query, "startTime", i64::MIN);
    let until = number(query, "endTime", i64::MAX);
    let rows = pit.history.settled.iter().rev();
    let rows = rows.filter(|s| (from..=until).contains(&s.ms));
    let limit = number(query, "limit", 200usize).clamp(1, 200);
    quill.put("{\"category\":\"linear\",\"list\":[");
    for (i, row) in rows.take(limit).enumerate() {
        quill.put(if i == 0 {
            "{\"symbol\":\""
        } else {
            ",{\"symbol\":\""
        });
        quill.put(&pit.contract.symbol);
        quill.put("\",\"fundingRate\":\"").short(row.rate, 8);
        quill.field("\",\"fundingRateTimestamp\":\"", row.ms, 0);
        quill.put("}");
    }
    quill.put("]}");
    None
}

fn kline(world: &World, query: &str, quill: &mut Quill) -> Fault {
    let Some((pit, _)) = named(world, query) else {
        return NO_SYMBOL;
    };
    let minutes = match value(query, "interval") {
        Some("D") => 1_440,
        Some(text @ ("1" | "3" | "5" | "15" | "30" | "60" | "120" | "240")) => {
            text.parse().unwrap_or(1)
        }
        _ => return Some((10_001, "params error: interval invalid")),
    };
    let c = &pit.contract;
    let from = number(query, "start", i64::MIN);
    let until = number(query, "end", i64::MAX);
    let limit = number(query, "limit", 200usize).clamp(1, 1_000);
    quill.put("{\"symbol\":\"").put(&c.symbol);
    quill.put("\",\"category\":\"linear\",\"list\":[");
    let mut bars = pit.history.bars_of(minutes);
    bars.reverse();
    bars.retain(|bar| (from..=until).contains(&bar.ms));
    for (i, bar) in bars.iter().take(limit).enumerate() {
        quill.put(if i == 0 { "[" } else { ",[" });
        quill.field("\"", bar.ms, 0);
        for units in [bar.open, bar.high, bar.low, bar.close] {
            quill.field(",\"", units, c.price_scale);
        }
        quill.field(",\"", bar.lots, c.lot_scale);
        quill.field(",\"", bar.turnover, c.price_scale + c.lot_scale);
        quill.put("]");
    }
    quill.put("]}");
    None
}

fn orderbook(world: &World, query: &str, quill: &mut Quill) -> Fault {
    let Some((pit, desk)) = named(world, query) else {
        return NO_SYMBOL;
    };
    let rows = number(query, "limit", 25usize);
    desk.book_entry(
        pit,
        rows.clamp(1, 1_000),
        world.now().get() / 1_000_000,
        quill,
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Params;
    use crate::time::Nanos;
    use serde_json::Value;

    fn ask(world: &World, path: &str, query: &str) -> (u16, Value) {
        let (status, _, text) = world.rest("GET", &format!("{path}?{query}"), "");
        (status, serde_json::from_str(&text).expect(&text))
    }

    #[test]
    fn every_answer_is_json_and_pages_end() {
        let mut world = World::new(5, Params::default()).unwrap();
        world.advance(world.now().plus(Nanos::MINUTE), &mut |_| ());
        for (path, query, rows) in [
            ("instruments-info", "category=linear&limit=1000", 3),
            ("instruments-info", "category=linear&symbol=ETHUSDT", 1),
            ("risk-limit", "category=linear&symbol=BTCUSDT", 19),
            ("tickers", "category=linear", 3),
            ("open-interest", "symbol=BTCUSDT&intervalTime=5min", 1),
            ("kline", "symbol=SOLUSDT&interval=1", 1),
            ("kline", "symbol=SOLUSDT&interval=5", 1),
            ("account-ratio", "symbol=BTCUSDT&period=5min", 1),
            ("funding/history", "symbol=BTCUSDT&limit=9", 9),
        ] {
            let (status, v) = ask(&world, &format!("/v5/market/{path}"), query);
            assert_eq!((status, &v["retCode"]), (200, &Value::from(0)), "{v}");
            assert_eq!(v["result"]["list"].as_array().unwrap().len(), rows, "{v}");
        }
        let mut cursor = String::new();
        let mut names = Vec::new();
        loop {
            let query = format!("category=linear&limit=2&cursor={cursor}");
            let (_, v) = ask(&world, "/v5/market/instruments-info", &query);
            for row in v["result"]["list"].as_array().unwrap() {
                names.push(row["symbol"].as_str().unwrap().to_owned());
            }
            cursor = v["result"]["nextPageCursor"].as_str().unwrap().to_owned();
            if cursor.is_empty() {
                break;
            }
        }
        assert_eq!(names, ["BTCUSDT", "ETHUSDT", "SOLUSDT"]);
    }

    #[test]
    fn samples_are_paged_and_end() {
        let mut world = World::new(5, Params::only(&["BTCUSDT"])).unwrap();
        world.advance(world.now().plus(Nanos::HOUR), &mut |_| ());
        let (mut cursor, mut stamps) = (String::new(), Vec::new());
        loop {
            let query = format!("symbol=BTCUSDT&intervalTime=5min&limit=5&cursor={cursor}");
            let (_, v) = ask(&world, "/v5/market/open-interest", &query);
            for row in v["result"]["list"].as_array().unwrap() {
                stamps.push(row["timestamp"].as_str().unwrap().to_owned());
            }
            cursor = v["result"]["nextPageCursor"].as_str().unwrap().to_owned();
            if cursor.is_empty() {
                break;
            }
        }
        assert!(stamps.len() >= 12);
        assert!(stamps.windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn tiers_and_book_say_what_the_world_holds() {
        let mut world = World::new(5, Params::default()).unwrap();
        world.advance(world.now().plus(Nanos::MINUTE), &mut |_| ());
        let (_, v) = ask(&world, "/v5/market/risk-limit", "symbol=BTCUSDT");
        let second = &v["result"]["list"][1];
        assert_eq!(second["riskLimitValue"], "2000000");
        assert_eq!(second["maintenanceMargin"], "0.005");
        assert_eq!(second["initialMargin"], "0.01");
        assert_eq!(second["maxLeverage"], "100.00");
        assert_eq!(second["mmDeduction"], "510");
        assert_eq!(v["result"]["list"][0]["mmDeduction"], "");
        let (_, v) = ask(&world, "/v5/market/orderbook", "symbol=BTCUSDT&limit=50");
        assert_eq!(v["result"]["b"].as_array().unwrap().len(), 50);
        assert!(v["result"]["u"].as_u64().unwrap() > 1_000_000);
    }

    #[test]
    fn strangers_are_told_so_in_json() {
        let world = World::new(5, Params::default()).unwrap();
        let (status, v) = ask(&world, "/v5/market/nothing", "");
        assert_eq!((status, &v["retCode"]), (404, &Value::from(404)));
        let (status, _) = ask(&world, "/", "");
        assert_eq!(status, 404);
        for query in ["symbol=XXX", "category=spot", "cursor=from-99"] {
            let (_, v) = ask(&world, "/v5/market/instruments-info", query);
            assert_eq!(v["retCode"], 10_001, "{query}");
        }
    }
}
