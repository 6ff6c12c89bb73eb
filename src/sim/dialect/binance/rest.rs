//! Rest: the public REST answers of Binance USD-M, with the weight each costs.
//!
//! `X-MBX-USED-WEIGHT-1M` counts up within a minute of virtual time; beyond the limit the answer is
//! 429. `depth` is the book as the stream has told it, `lastUpdateId` its last `u`. Ratios, open
//! interest and bars begin when the world does; funding was paid before. Lists are oldest first. The
//! margin rows come from the site's own address under `/bapi`, which asks for no key.

use super::{mark, status};
use crate::market::Side;
use crate::sim::dialect::{Answer, Desk as AnyDesk, Request};
use crate::sim::history::Sample;
use crate::sim::margin::deductions;
use crate::sim::pit::{Pit, Status};
use crate::sim::quill::Quill;
use crate::sim::told::write_side;
use crate::sim::world::World;

/// Weight a minute allows.
const WEIGHT: u32 = 2_400;

/// Code and message of a refusal.
type Refusal = (i32, String);
type Written = Result<(), Refusal>;

/// What is asked: (path, weight, writer).
type Row = (&'static str, u32, fn(&Ask<'_>, &mut Quill) -> Written);

const ROWS: [Row; 15] = [
    ("/fapi/v1/ping", 1, |_, quill| {
        quill.put("{}");
        Ok(())
    }),
    ("/fapi/v1/time", 1, |ask, quill| {
        quill.put("{\"serverTime\":").decimal(ask.now, 0).put("}");
        Ok(())
    }),
    ("/fapi/v1/exchangeInfo", 1, exchange),
    ("/fapi/v1/depth", 0, depth),
    ("/fapi/v1/openInterest", 1, interest),
    ("/fapi/v1/premiumIndex", 1, premium),
    ("/fapi/v1/fundingRate", 0, funding),
    ("/fapi/v1/fundingInfo", 0, funding_info),
    ("/fapi/v1/klines", 2, klines),
    ("/futures/data/openInterestHist", 0, interests),
    (
        "/futures/data/globalLongShortAccountRatio",
        0,
        |ask, quill| ratio(ask, |s| s.accounts, quill),
    ),
    ("/futures/data/topLongShortAccountRatio", 0, |ask, quill| {
        ratio(
            ask,
            |s| [s.accounts[0] + s.lots[0] % 97, s.accounts[1]],
            quill,
        )
    }),
    (
        "/futures/data/topLongShortPositionRatio",
        0,
        |ask, quill| ratio(ask, |s| s.lots, quill),
    ),
    ("/futures/data/takerlongshortRatio", 0, taken),
    (
        "/bapi/futures/v1/friendly/future/common/brackets",
        0,
        brackets,
    ),
];

/// A request beside the world it is put to.
struct Ask<'a> {
    world: &'a World,
    request: Request<'a>,
    /// Milliseconds.
    now: i64,
}

fn missing(name: &str) -> Refusal {
    let words = "was not sent, was empty/null, or malformed.";
    (-1102, format!("Mandatory parameter '{name}' {words}"))
}

impl<'a> Ask<'a> {
    /// Contracts that are on the list; a delisted one stays there, closed.
    fn contracts(&self) -> impl Iterator<Item = &'a (Pit, AnyDesk)> + use<'a> {
        let all = self.world.listed().iter();
        all.filter(|(pit, _)| pit.status != Status::Unlisted)
    }

    fn contract(&self) -> Result<&'a (Pit, AnyDesk), Refusal> {
        let symbol = self
            .request
            .value("symbol")
            .ok_or_else(|| missing("symbol"))?;
        self.contracts()
            .find(|(pit, _)| pit.contract.symbol == symbol)
            .ok_or_else(|| (-1121, "Invalid symbol.".into()))
    }

    /// From and until, ms, both within.
    fn span(&self) -> std::ops::RangeInclusive<i64> {
        let from = self.request.number("startTime", i64::MIN);
        from..=self.request.number("endTime", i64::MAX)
    }

    fn limit(&self, usual: usize, most: usize) -> usize {
        self.request.number("limit", usual).clamp(1, most)
    }

    /// Minutes of an interval; a refusal when it is not kept here.
    fn minutes(&self, name: &str) -> Result<i64, Refusal> {
        match self.request.value(name) {
            Some("1m") => Ok(1),
            Some("5m") => Ok(5),
            Some("15m") => Ok(15),
            Some("30m") => Ok(30),
            Some("1h") => Ok(60),
            Some("4h") => Ok(240),
            Some("1d") => Ok(1_440),
            Some(_) => Err((-1120, "Invalid interval.".into())),
            None => Err(missing(name)),
        }
    }

    /// The samples asked for, oldest first, the last ones when there are more than the limit.
    fn samples(&self, pit: &'a Pit) -> Result<Vec<&'a Sample>, Refusal> {
        let (period, span) = (self.minutes("period")? * 60_000, self.span());
        let kept = pit.history.samples.iter();
        let kept = kept.filter(|s| s.ms % period == 0 && span.contains(&s.ms));
        Ok(last(kept.collect(), self.limit(30, 500)))
    }
}

/// The last `limit` of a list.
fn last<T>(mut rows: Vec<T>, limit: usize) -> Vec<T> {
    rows.drain(..rows.len().saturating_sub(limit));
    rows
}

/// Writes rows with commas between and brackets around.
fn list<T>(
    rows: impl IntoIterator<Item = T>,
    quill: &mut Quill,
    mut row: impl FnMut(T, &mut Quill),
) {
    quill.put("[");
    for (i, item) in rows.into_iter().enumerate() {
        if i > 0 {
            quill.put(",");
        }
        row(item, quill);
    }
    quill.put("]");
}

/// Answers a request.
pub(super) fn answer(world: &World, request: Request<'_>) -> Answer {
    let row = ROWS.iter().find(|row| row.0 == request.path);
    let Some((path, weight, write)) = row else {
        let body = "<html><body><h2>404 Not found</h2></body></html>";
        return (404, Vec::new(), body.into());
    };
    let weight = match *path {
        "/fapi/v1/depth" => match request.number("limit", 500u32) {
            0..=50 => 2,
            51..=100 => 5,
            101..=500 => 10,
            _ => 20,
        },
        "/fapi/v1/premiumIndex" if request.value("symbol").is_none() => 10,
        _ => *weight,
    };
    let used = world.spend(weight);
    let mut headers = vec![("X-MBX-USED-WEIGHT-1M".to_owned(), used.to_string())];
    if used > WEIGHT {
        headers.push(("Retry-After".to_owned(), "60".to_owned()));
        let words = "Too many requests; current limit is 2400 request weight per 1 MINUTE.";
        return (
            429,
            headers,
            format!("{{\"code\":-1003,\"msg\":\"{words}\"}}"),
        );
    }
    let ask = Ask {
        world,
        request,
        now: world.now().get() / 1_000_000,
    };
    let mut quill = Quill::default();
    match write(&ask, &mut quill) {
        Ok(()) => (200, headers, quill.text().to_owned()),
        Err((code, message)) => {
            let body = format!("{{\"code\":{code},\"msg\":\"{message}\"}}");
            (400, headers, body)
        }
    }
}

fn exchange(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    quill
        .put("{\"timezone\":\"UTC\",\"serverTime\":")
        .decimal(ask.now, 0);
    quill.put(
        ",\"futuresType\":\"U_MARGINED\",\"rateLimits\":[{\"rateLimitType\":\"REQUEST_WEIGHT\",",
    );
    quill.put("\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":2400}],\"exchangeFilters\":[],");
    quill.put("\"assets\":[{\"asset\":\"USDT\",\"marginAvailable\":true,\"autoAssetExchange\":\"-10000\"}],");
    quill.put("\"symbols\":");
    list(ask.contracts(), quill, |(pit, _), quill| {
        let c = &pit.contract;
        quill.put("{\"symbol\":\"").put(&c.symbol);
        quill.put("\",\"pair\":\"").put(&c.symbol);
        quill.put("\",\"contractType\":\"PERPETUAL\",\"deliveryDate\":4133404800000,\"onboardDate\":1569398400000");
        quill.put(",\"status\":\"").put(status(pit));
        quill.put("\",\"maintMarginPercent\":\"2.5000\",\"requiredMarginPercent\":\"5.0000\",\"baseAsset\":\"");
        quill
            .put(&c.base)
            .put("\",\"quoteAsset\":\"USDT\",\"marginAsset\":\"USDT\",\"pricePrecision\":");
        quill.whole(u64::from(c.price_scale));
        quill
            .put(",\"quantityPrecision\":")
            .whole(u64::from(c.lot_scale));
        quill.put(",\"baseAssetPrecision\":8,\"quotePrecision\":8,\"underlyingType\":\"COIN\"");
        quill.put(",\"underlyingSubType\":[],\"triggerProtect\":\"0.0500\",\"liquidationFee\":\"0.012500\"");
        quill.put(",\"marketTakeBound\":\"0.05\",\"maxMoveOrderLimit\":10000,\"filters\":[{\"maxPrice\":\"");
        quill.decimal(c.tick_units * 10_000_000, c.price_scale);
        quill.field(
            "\",\"filterType\":\"PRICE_FILTER\",\"tickSize\":\"",
            c.tick_units,
            c.price_scale,
        );
        quill.field(",\"minPrice\":\"", c.tick_units, c.price_scale);
        for filter in ["LOT_SIZE", "MARKET_LOT_SIZE"] {
            quill.put("},{\"filterType\":\"").put(filter);
            quill.field(
                "\",\"maxQty\":\"",
                10i64.pow(c.lot_scale) * 1_000,
                c.lot_scale,
            );
            quill.field(",\"stepSize\":\"", 1, c.lot_scale);
            quill.field(",\"minQty\":\"", 1, c.lot_scale);
        }
        quill.put("},{\"limit\":200,\"filterType\":\"MAX_NUM_ORDERS\"},{\"notional\":\"5\",");
        quill.put("\"filterType\":\"MIN_NOTIONAL\"},{\"multiplierDown\":\"0.9500\",\"multiplierUp\":\"1.0500\",");
        quill.put("\"multiplierDecimal\":\"4\",\"filterType\":\"PERCENT_PRICE\"}],\"orderTypes\":[\"LIMIT\",");
        quill.put("\"MARKET\"],\"timeInForce\":[\"GTC\",\"IOC\",\"FOK\",\"GTX\"]}");
    });
    quill.put("}");
    Ok(())
}

fn depth(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (pit, desk) = ask.contract()?;
    let limit = ask.request.number("limit", 500usize);
    if ![5, 10, 20, 50, 100, 500, 1_000].contains(&limit) {
        return Err((-4021, format!("'{limit}' is not valid depth limit.")));
    }
    let told = desk.told();
    quill.put("{\"lastUpdateId\":").whole(told.update);
    quill.put(",\"E\":").decimal(ask.now, 0);
    quill.put(",\"T\":").decimal(told.book_ms, 0);
    quill.put(",\"bids\":");
    write_side(pit, told.levels(Side::Buy), limit, quill);
    quill.put(",\"asks\":");
    write_side(pit, told.levels(Side::Sell), limit, quill);
    quill.put("}");
    Ok(())
}

fn interest(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (pit, _) = ask.contract()?;
    let c = &pit.contract;
    quill.field("{\"openInterest\":\"", pit.interest()[0], c.lot_scale);
    quill.put(",\"symbol\":\"").put(&c.symbol);
    quill.put("\",\"time\":").decimal(ask.now, 0).put("}");
    Ok(())
}

fn premium(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let row = |pit: &Pit, quill: &mut Quill| {
        quill.put("{\"symbol\":\"").put(&pit.contract.symbol);
        quill.put("\",\"markPrice\":\"");
        mark(pit.mark_units, pit, quill);
        quill.put("\",\"indexPrice\":\"");
        mark(pit.index_units, pit, quill);
        quill.put("\",\"estimatedSettlePrice\":\"");
        mark(pit.index_units, pit, quill);
        quill.field("\",\"lastFundingRate\":\"", pit.funding, 8);
        quill.put(",\"interestRate\":\"0.00010000\",\"nextFundingTime\":");
        quill.decimal(pit.funding_ms, 0);
        quill.put(",\"time\":").decimal(ask.now, 0).put("}");
    };
    if ask.request.value("symbol").is_some() {
        row(&ask.contract()?.0, quill);
    } else {
        list(ask.contracts(), quill, |(pit, _), quill| row(pit, quill));
    }
    Ok(())
}

fn funding(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (pit, _) = ask.contract()?;
    let span = ask.span();
    let rows = pit.history.settled.iter();
    let rows: Vec<_> = rows.filter(|s| span.contains(&s.ms)).collect();
    list(last(rows, ask.limit(100, 1_000)), quill, |row, quill| {
        quill.put("{\"symbol\":\"").put(&pit.contract.symbol);
        quill.put("\",\"fundingTime\":").decimal(row.ms, 0);
        quill.field(",\"fundingRate\":\"", row.rate, 8);
        quill.put(",\"markPrice\":\"");
        mark(row.mark, pit, quill);
        quill.put("\"}");
    });
    Ok(())
}

/// Lists only what differs from eight hours, as the venue does.
fn funding_info(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let hours = ask.world.params().engine.funding_hours;
    let rows = ask.contracts().filter(|_| hours != 8);
    list(rows, quill, |(pit, _), quill| {
        quill.put("{\"symbol\":\"").put(&pit.contract.symbol);
        quill.put("\",\"adjustedFundingRateCap\":\"0.00500000\",\"adjustedFundingRateFloor\":\"-0.00500000\"");
        quill.put(",\"fundingIntervalHours\":").decimal(hours, 0);
        quill.put(",\"disclaimer\":false}");
    });
    Ok(())
}

fn klines(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (pit, _) = ask.contract()?;
    let minutes = ask.minutes("interval")?;
    let (c, span) = (&pit.contract, ask.span());
    let mut bars = pit.history.bars_of(minutes);
    bars.retain(|bar| span.contains(&bar.ms));
    list(last(bars, ask.limit(500, 1_500)), quill, |bar, quill| {
        quill.put("[").decimal(bar.ms, 0);
        for units in [bar.open, bar.high, bar.low, bar.close] {
            quill.field(",\"", units, c.price_scale);
        }
        quill.field(",\"", bar.lots, c.lot_scale);
        quill.put(",").decimal(bar.ms + minutes * 60_000 - 1, 0);
        quill.field(",\"", bar.turnover, c.price_scale + c.lot_scale);
        quill.put(",").decimal(bar.rows, 0);
        quill.field(",\"", bar.bought, c.lot_scale);
        let mean = bar.turnover / bar.lots.max(1);
        quill.field(",\"", bar.bought * mean, c.price_scale + c.lot_scale);
        quill.put(",\"0\"]");
    });
    Ok(())
}

fn interests(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (pit, _) = ask.contract()?;
    let c = &pit.contract;
    list(ask.samples(pit)?, quill, |row, quill| {
        quill.put("{\"symbol\":\"").put(&c.symbol);
        let more = 10i64.pow(8u32.saturating_sub(c.lot_scale));
        quill.field(
            "\",\"sumOpenInterest\":\"",
            row.interest * more,
            c.lot_scale.max(8),
        );
        let places = c.lot_scale + c.price_scale;
        let value = i128::from(row.interest) * i128::from(row.mark);
        let value = if places > 8 {
            value / 10i128.pow(places - 8)
        } else {
            value * 10i128.pow(8 - places)
        };
        quill.field(",\"sumOpenInterestValue\":\"", value as i64, 8);
        quill.put(",\"timestamp\":").decimal(row.ms, 0).put("}");
    });
    Ok(())
}

/// Long and short shares of what `read` counts.
fn ratio(ask: &Ask<'_>, read: fn(&Sample) -> [i64; 2], quill: &mut Quill) -> Written {
    let (pit, _) = ask.contract()?;
    list(ask.samples(pit)?, quill, |row, quill| {
        let [long, short] = read(row).map(|n| n.max(1));
        let share = (i128::from(long) * 10_000 / i128::from(long + short)) as i64;
        quill.put("{\"symbol\":\"").put(&pit.contract.symbol);
        quill.field("\",\"longAccount\":\"", share, 4);
        let ratio = share * 10_000 / (10_000 - share).max(1);
        quill.field(",\"longShortRatio\":\"", ratio, 4);
        quill.field(",\"shortAccount\":\"", 10_000 - share, 4);
        quill.put(",\"timestamp\":").decimal(row.ms, 0).put("}");
    });
    Ok(())
}

fn taken(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (pit, _) = ask.contract()?;
    list(ask.samples(pit)?, quill, |row, quill| {
        let [bought, sold] = row.taken;
        let ratio = (i128::from(bought) * 10_000 / i128::from(sold.max(1))) as i64;
        quill.field("{\"buySellRatio\":\"", ratio, 4);
        quill.field(",\"sellVol\":\"", sold, pit.contract.lot_scale);
        quill.field(",\"buyVol\":\"", bought, pit.contract.lot_scale);
        quill.put(",\"timestamp\":").decimal(row.ms, 0).put("}");
    });
    Ok(())
}

fn brackets(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    quill.put(
        "{\"code\":\"000000\",\"message\":null,\"messageDetail\":null,\"data\":{\"brackets\":",
    );
    list(ask.contracts(), quill, |(pit, _), quill| {
        let tiers = &pit.contract.tiers;
        quill.put("{\"symbol\":\"").put(&pit.contract.symbol);
        quill.put("\",\"updateTime\":").decimal(ask.now, 0);
        quill.put(",\"notionalLimit\":");
        quill.decimal(tiers.last().map_or(0, |row| row.cap), 0);
        quill.put(",\"riskBrackets\":");
        let mut floor = 0;
        let rows = tiers.iter().zip(deductions(tiers)).enumerate();
        list(rows, quill, |(i, (row, deduction)), quill| {
            let below = tiers.get(i + 1).map_or(1, |next| next.leverage / 100 + 1);
            quill.put("{\"bracketSeq\":").whole(i as u64 + 1);
            quill.put(",\"bracketNotionalFloor\":").decimal(floor, 0);
            quill.put(",\"bracketNotionalCap\":").decimal(row.cap, 0);
            quill
                .put(",\"bracketMaintenanceMarginRate\":")
                .short(row.maintenance, 5);
            quill
                .put(",\"cumFastMaintenanceAmount\":")
                .short(deduction, 5);
            quill
                .put(",\"minOpenPosLeverage\":")
                .whole(u64::from(below));
            quill.put(",\"maxOpenPosLeverage\":");
            quill.whole(u64::from(row.leverage / 100)).put("}");
            floor = row.cap;
        });
        quill.put("}");
    });
    quill.put("},\"success\":true}");
    Ok(())
}
