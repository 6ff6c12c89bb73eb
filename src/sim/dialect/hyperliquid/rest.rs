//! Rest: `POST /info` of Hyperliquid, told apart by `type` in the body.
//!
//! `l2Book` is the image the stream told last. The place in `universe` is the asset's number, so a
//! delisted coin stays there and says so; one that is not listed yet is absent, and should be last in
//! the world's parameters. `clearinghouseState` shows what the address really holds: the owners
//! that trades name are the places of people's positions, one in each coin, and the makers' accounts.
//! A type that is not known is refused in plain text, a coin that is not known is `null`, and so is
//! every answer beyond the weight of a minute.

use super::{context, owner};
use crate::market::Side;
use crate::sim::dialect::{Answer, Desk as AnyDesk, Request};
use crate::sim::margin::way;
use crate::sim::pit::{MAKERS, Pit, Status};
use crate::sim::quill::Quill;
use crate::sim::world::World;
use serde_json::Value;

/// Weight a minute allows.
const WEIGHT: u32 = 1_200;

/// What is asked: (type, weight, writer); a writer answers false for a coin that is not here.
type Row = (&'static str, u32, fn(&Ask<'_>, &mut Quill) -> bool);

const ROWS: [Row; 7] = [
    ("meta", 20, |ask, quill| {
        meta(ask, quill);
        true
    }),
    ("metaAndAssetCtxs", 20, |ask, quill| {
        quill.put("[");
        meta(ask, quill);
        quill.put(",");
        list(ask.coins(), quill, |(pit, _), quill| context(pit, quill));
        quill.put("]");
        true
    }),
    ("allMids", 2, mids),
    ("l2Book", 2, book),
    ("candleSnapshot", 20, candles),
    ("fundingHistory", 20, fundings),
    ("clearinghouseState", 2, state),
];

/// A request's body beside the world it is put to.
struct Ask<'a> {
    world: &'a World,
    body: Value,
    /// Milliseconds.
    now: i64,
}

impl<'a> Ask<'a> {
    fn coins(&self) -> impl Iterator<Item = &'a (Pit, AnyDesk)> + use<'a> {
        let all = self.world.listed().iter();
        all.filter(|(pit, _)| pit.status != Status::Unlisted)
    }

    fn coin(&self, from: &Value) -> Option<&'a (Pit, AnyDesk)> {
        let name = from["coin"].as_str()?;
        self.coins().find(|(pit, _)| pit.contract.symbol == name)
    }
}

/// Writes rows with commas between and brackets around.
fn list<T>(
    rows: impl IntoIterator<Item = T>,
    quill: &mut Quill,
    mut row: impl FnMut(T, &mut Quill),
) {
    quill.put("[");
    for (i, item) in rows.into_iter().enumerate() {
        quill.put(if i > 0 { "," } else { "" });
        row(item, quill);
    }
    quill.put("]");
}

/// Answers a request.
pub(super) fn answer(world: &World, request: Request<'_>) -> Answer {
    if request.path != "/info" {
        return (404, Vec::new(), String::new());
    }
    if request.method != "POST" {
        return (405, Vec::new(), String::new());
    }
    let body: Value = serde_json::from_str(request.body).unwrap_or_default();
    let row = ROWS.iter().find(|row| body["type"] == row.0);
    let Some((_, weight, write)) = row else {
        let words = "Failed to deserialize the JSON body into the target type";
        return (422, Vec::new(), words.into());
    };
    if world.spend(*weight) > WEIGHT {
        return (429, Vec::new(), "null".into());
    }
    let ask = Ask {
        world,
        body,
        now: world.now().get() / 1_000_000,
    };
    let mut quill = Quill::default();
    let known = write(&ask, &mut quill);
    let text = if known { quill.text() } else { "null" };
    (200, Vec::new(), text.to_owned())
}

fn meta(ask: &Ask<'_>, quill: &mut Quill) {
    quill.put("{\"universe\":");
    let coins = || ask.coins().enumerate();
    list(coins(), quill, |(place, (pit, _)), quill| {
        let c = &pit.contract;
        quill.put("{\"szDecimals\":").whole(u64::from(c.lot_scale));
        quill.put(",\"name\":\"").put(&c.symbol);
        quill.put("\",\"maxLeverage\":");
        quill.whole(u64::from(c.max_leverage / 100));
        quill.put(",\"marginTableId\":").whole(51 + place as u64);
        quill.put(match pit.status {
            Status::Delisted => ",\"isDelisted\":true}",
            _ => "}",
        });
    });
    quill.put(",\"marginTables\":");
    list(coins(), quill, |(place, (pit, _)), quill| {
        quill.put("[").whole(51 + place as u64);
        quill.put(",{\"description\":\"tiered ");
        quill.whole(u64::from(pit.contract.max_leverage / 100));
        quill.put("x\",\"marginTiers\":");
        let mut floor = 0;
        list(&pit.contract.tiers, quill, |row, quill| {
            quill.put("{\"lowerBound\":\"").point(floor, 0);
            quill.put("\",\"maxLeverage\":");
            quill.whole(u64::from(row.leverage / 100)).put("}");
            floor = row.cap;
        });
        quill.put("}]");
    });
    quill.put(",\"collateralToken\":0}");
}

fn mids(ask: &Ask<'_>, quill: &mut Quill) -> bool {
    quill.put("{");
    let mut comma = "";
    for (pit, _) in ask.coins() {
        let c = &pit.contract;
        let both = [Side::Buy, Side::Sell].map(|s| pit.best(s));
        if let [Some(bid), Some(ask)] = both {
            quill.put(comma).put("\"").put(&c.symbol).put("\":\"");
            let sum = (bid.tick + ask.tick) * c.tick_units;
            quill.point(sum * 5, c.price_scale + 1).put("\"");
            comma = ",";
        }
    }
    quill.put("}");
    true
}

fn book(ask: &Ask<'_>, quill: &mut Quill) -> bool {
    match ask.coin(&ask.body) {
        Some((pit, AnyDesk::Hyperliquid(desk))) => {
            desk.image(pit, quill);
            true
        }
        _ => false,
    }
}

/// Minutes of an interval.
const INTERVALS: [(&str, i64); 6] = [
    ("1m", 1),
    ("5m", 5),
    ("15m", 15),
    ("1h", 60),
    ("4h", 240),
    ("1d", 1_440),
];

fn candles(ask: &Ask<'_>, quill: &mut Quill) -> bool {
    let wish = &ask.body["req"];
    let interval = INTERVALS.iter().find(|row| wish["interval"] == row.0);
    let (Some((pit, _)), Some((name, minutes))) = (ask.coin(wish), interval) else {
        return false;
    };
    let from = wish["startTime"].as_i64().unwrap_or(0);
    let until = wish["endTime"].as_i64().unwrap_or(ask.now);
    let c = &pit.contract;
    let mut bars = pit.history.bars_of(*minutes);
    bars.retain(|bar| (from..=until).contains(&bar.ms));
    list(bars, quill, |bar, quill| {
        quill.put("{\"t\":").decimal(bar.ms, 0);
        quill
            .put(",\"T\":")
            .decimal(bar.ms + minutes * 60_000 - 1, 0);
        quill.put(",\"s\":\"").put(&c.symbol);
        quill.put("\",\"i\":\"").put(name);
        for (words, units) in [
            ("\",\"o\":\"", bar.open),
            ("\",\"c\":\"", bar.close),
            ("\",\"h\":\"", bar.high),
            ("\",\"l\":\"", bar.low),
        ] {
            quill.put(words).point(units, c.price_scale);
        }
        quill.put("\",\"v\":\"").point(bar.lots, c.lot_scale);
        quill.put("\",\"n\":").decimal(bar.rows, 0).put("}");
    });
    true
}

/// Oldest first; stamps are some tens of milliseconds past the hour.
fn fundings(ask: &Ask<'_>, quill: &mut Quill) -> bool {
    let Some((pit, _)) = ask.coin(&ask.body) else {
        return false;
    };
    let from = ask.body["startTime"].as_i64().unwrap_or(0);
    let until = ask.body["endTime"].as_i64().unwrap_or(ask.now);
    let rows = pit.history.settled.iter().map(|row| {
        let late = row.ms + 20 + row.ms / 3_600_000 % 70;
        (late, row.rate)
    });
    let rows = rows.filter(|(ms, _)| (from..=until).contains(ms));
    list(rows.take(500), quill, |(ms, rate), quill| {
        quill.put("{\"coin\":\"").put(&pit.contract.symbol);
        quill.put("\",\"fundingRate\":\"").short(rate, 8);
        let premium = rate - 1_250;
        quill.put("\",\"premium\":\"").point(premium, 8);
        quill.put("\",\"time\":").decimal(ms, 0).put("}");
    });
    true
}

/// What an address holds, coin by coin; one that nobody trades under holds nothing. People's positions are isolated,
/// the makers' accounts are cross and far from any end.
#[expect(
    clippy::float_arithmetic,
    reason = "positions of the simulated market are in floats"
)]
fn state(ask: &Ask<'_>, quill: &mut Quill) -> bool {
    let Some(who) = ask.body["user"].as_str() else {
        return false;
    };
    let owner = owner(who);
    let (mut equity, mut value) = (0.0, 0.0);
    let held = ask.coins().filter_map(|(pit, _)| {
        let held = owner.and_then(|owner| Held::of(pit, owner))?;
        Some((pit, held))
    });
    quill.put("{\"assetPositions\":");
    list(held, quill, |(pit, held), quill| {
        let [own, worth] = held.write(pit, quill);
        equity += own;
        value += worth;
    });
    let [equity, value] = [equity, value].map(|usd: f64| (usd * 100.0).round() as i64);
    quill.put(",\"crossMarginSummary\":{\"accountValue\":\"0.0\",\"totalNtlPos\":\"0.0\",");
    quill.put("\"totalRawUsd\":\"0.0\",\"totalMarginUsed\":\"0.0\"},\"marginSummary\":{");
    quill.put("\"accountValue\":\"").point(equity, 2);
    quill.put("\",\"totalNtlPos\":\"").point(value, 2);
    quill.put("\",\"totalRawUsd\":\"").point(equity, 2);
    quill.put("\",\"totalMarginUsed\":\"").point(equity, 2);
    quill.put("\"},\"time\":").decimal(ask.now, 0);
    quill.put(",\"withdrawable\":\"0.0\"}");
    true
}

/// One owner's position in one coin.
struct Held {
    /// Shorts negative.
    lots: i64,
    /// Quote units.
    entry: f64,
    margin: f64,
    kind: &'static str,
    forced: Option<f64>,
}

#[expect(
    clippy::float_arithmetic,
    reason = "positions of the simulated market are in floats"
)]
impl Held {
    fn of(pit: &Pit, owner: u32) -> Option<Self> {
        if owner < MAKERS {
            let position = pit.crowd.get(owner)?;
            let way = way(position.holder).round() as i64;
            return Some(Self {
                lots: position.lots * way,
                entry: position.entry,
                margin: position.margin,
                kind: "isolated",
                forced: pit.crowd.forced_price(position),
            });
        }
        let (lot, unit) = pit.scales();
        let lots = pit.maker_lots(owner).filter(|lots| *lots != 0)?;
        let entry = pit.mark_units as f64 * unit;
        Some(Self {
            lots,
            entry,
            margin: lots.abs() as f64 * lot * entry,
            kind: "cross",
            forced: None,
        })
    }

    /// Writes it; answers its equity and its value, USD.
    fn write(&self, pit: &Pit, quill: &mut Quill) -> [f64; 2] {
        let (lot, unit) = pit.scales();
        let size = self.lots as f64 * lot;
        let at = pit.mark_units as f64 * unit;
        let gain = (at - self.entry) * size;
        // A hedge may have no margin of its own.
        let margin = self.margin.max(0.01);
        let steps = |amount: f64, places: i32| (amount * 10f64.powi(places)).round() as i64;
        quill.put("{\"type\":\"oneWay\",\"position\":{\"coin\":\"");
        quill.put(&pit.contract.symbol).put("\",\"szi\":\"");
        quill.point(self.lots, pit.contract.lot_scale);
        quill.put("\",\"leverage\":{\"type\":\"").put(self.kind);
        quill.put("\",\"value\":");
        let most = f64::from(pit.contract.max_leverage) / 100.0;
        let leverage = (self.entry * size.abs() / margin).round();
        quill.whole(leverage.clamp(1.0, most) as u64);
        if self.kind == "isolated" {
            let raw = steps(self.margin - self.entry * size, 6);
            quill.put(",\"rawUsd\":\"").point(raw, 6).put("\"");
        }
        quill.put("},\"entryPx\":\"").point(steps(self.entry, 9), 9);
        for (words, amount) in [
            ("\",\"positionValue\":\"", size.abs() * at),
            ("\",\"unrealizedPnl\":\"", gain),
            ("\",\"returnOnEquity\":\"", gain / margin),
            ("\",\"marginUsed\":\"", self.margin + gain),
        ] {
            quill.put(words).point(steps(amount, 6), 6);
        }
        quill.put("\",\"liquidationPx\":");
        match self.forced {
            Some(price) => {
                quill.put("\"").point(steps(price, 9), 9).put("\"");
            }
            None => {
                quill.put("null");
            }
        }
        quill.put(",\"maxLeverage\":").whole(most as u64).put("}}");
        [self.margin + gain, size.abs() * at]
    }
}
