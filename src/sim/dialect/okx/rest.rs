//! Rest: the public REST answers of OKX: `{"code":"0","msg":"","data":[..]}`, lists newest first.
//!
//! `books` is the book as the stream has told it with its `seqId`. Tiers are flat, counted in
//! contracts. Statistics and candles begin when the world does; funding was paid before. Rows of
//! statistics are arrays of text. `after` means older than, `before` younger than.

use super::{base, cents, funding, index, instrument, interest, mark, write_side};
use crate::market::Side;
use crate::sim::dialect::{Answer, Desk as AnyDesk, Request};
use crate::sim::history::Sample;
use crate::sim::pit::Pit;
use crate::sim::quill::Quill;
use crate::sim::world::World;

/// Code and message of a refusal.
type Refusal = (u32, String);
type Written = Result<(), Refusal>;
type Row = (&'static str, fn(&Ask<'_>, &mut Quill) -> Written);

const ROWS: [Row; 16] = [
    ("public/time", |ask, quill| {
        quill.field("{\"ts\":\"", ask.now, 0).put("}");
        Ok(())
    }),
    ("public/instruments", |ask, quill| {
        let places = ask.places()?;
        list(places, quill, |(place, (pit, _)), quill| {
            instrument(pit, place as u16, quill);
        });
        Ok(())
    }),
    ("public/position-tiers", tiers),
    ("market/books", books),
    ("public/open-interest", |ask, quill| {
        let now = ask.now;
        list(ask.places()?, quill, |(_, (pit, _)), quill| {
            interest(pit, now, quill);
        });
        Ok(())
    }),
    ("public/mark-price", |ask, quill| {
        let now = ask.now;
        list(ask.places()?, quill, |(_, (pit, _)), quill| {
            mark(pit, now, quill);
        });
        Ok(())
    }),
    ("market/index-tickers", |ask, quill| {
        let now = ask.now;
        let wanted = |pit: &Pit| match ask.request.value("instId") {
            Some(name) => super::family(&pit.contract.symbol) == name,
            None => ask.request.value("quoteCcy") == Some("USDT"),
        };
        let rows = ask.listed().filter(|(_, (pit, _))| wanted(pit));
        list(rows, quill, |(_, (pit, _)), quill| {
            index(pit, now, quill);
        });
        Ok(())
    }),
    ("public/funding-rate", |ask, quill| {
        let now = ask.now;
        let places = if ask.request.value("instId") == Some("ANY") {
            ask.listed().collect()
        } else {
            vec![ask.contract()?]
        };
        list(places, quill, |(_, (pit, _)), quill| {
            funding(pit, now, quill);
        });
        Ok(())
    }),
    ("public/funding-rate-history", fundings),
    ("market/candles", candles),
    ("market/history-candles", candles),
    (
        "rubik/stat/contracts/long-short-account-ratio-contract",
        |ask, quill| ratio(ask, |s| s.accounts, quill),
    ),
    (
        "rubik/stat/contracts/long-short-account-ratio-contract-top-trader",
        |ask, quill| {
            ratio(
                ask,
                |s| [s.accounts[0] + s.lots[0] % 97, s.accounts[1]],
                quill,
            )
        },
    ),
    (
        "rubik/stat/contracts/long-short-position-ratio-contract-top-trader",
        |ask, quill| ratio(ask, |s| s.lots, quill),
    ),
    ("rubik/stat/taker-volume-contract", taken),
    ("rubik/stat/contracts/open-interest-history", interests),
];

/// A request beside the world it is put to.
struct Ask<'a> {
    world: &'a World,
    request: Request<'a>,
    /// Milliseconds.
    now: i64,
}

type Listed<'a> = (usize, &'a (Pit, AnyDesk));

fn missing(name: &str) -> Refusal {
    (50_014, format!("Parameter {name} can not be empty"))
}

impl<'a> Ask<'a> {
    fn listed(&self) -> impl Iterator<Item = Listed<'a>> + use<'a> {
        let all = self.world.listed().iter().enumerate();
        all.filter(|(_, (pit, _))| pit.is_listed())
    }

    fn contract(&self) -> Result<Listed<'a>, Refusal> {
        let name = self
            .request
            .value("instId")
            .ok_or_else(|| missing("instId"))?;
        self.listed()
            .find(|(_, (pit, _))| pit.contract.symbol == name)
            .ok_or_else(|| {
                let words = "Instrument ID, Instrument ID code, or Spread ID doesn't exist.";
                (51_001, words.to_owned())
            })
    }

    /// The swap that is named, or all.
    fn places(&self) -> Result<Vec<Listed<'a>>, Refusal> {
        match self.request.value("instType") {
            None => return Err(missing("instType")),
            Some("SWAP") => {}
            Some(_) => return Ok(Vec::new()),
        }
        if self.request.value("instId").is_some() {
            return Ok(vec![self.contract()?]);
        }
        Ok(self.listed().collect())
    }

    /// What is younger than `before` and older than `after`.
    fn within(&self, ms: i64, names: [&str; 2]) -> bool {
        let [young, old] = names;
        ms > self.request.number(young, i64::MIN) && ms < self.request.number(old, i64::MAX)
    }

    fn limit(&self, usual: usize, most: usize) -> usize {
        self.request.number("limit", usual).clamp(1, most)
    }

    /// Minutes of a bar or period; a refusal when it is not kept here.
    fn minutes(&self, name: &str, usual: &str) -> Result<i64, Refusal> {
        match self.request.value(name).unwrap_or(usual) {
            "1m" => Ok(1),
            "5m" => Ok(5),
            "15m" => Ok(15),
            "30m" => Ok(30),
            "1H" => Ok(60),
            "4H" => Ok(240),
            "1D" => Ok(1_440),
            _ => Err((51_000, format!("Parameter {name} error"))),
        }
    }

    /// The samples asked for, newest first.
    fn samples(&self, pit: &'a Pit) -> Result<impl Iterator<Item = &'a Sample> + use<'a>, Refusal> {
        let period = self.minutes("period", "5m")? * 60_000;
        let from = self.request.number("begin", i64::MIN);
        let until = self.request.number("end", i64::MAX);
        let kept = pit.history.samples.iter().rev();
        let kept = kept.filter(move |s| s.ms % period == 0 && (from..=until).contains(&s.ms));
        Ok(kept.take(self.limit(100, 100)))
    }
}

/// Writes rows with commas between.
fn list<T>(
    rows: impl IntoIterator<Item = T>,
    quill: &mut Quill,
    mut row: impl FnMut(T, &mut Quill),
) {
    for (i, item) in rows.into_iter().enumerate() {
        quill.put(if i > 0 { "," } else { "" });
        row(item, quill);
    }
}

/// Answers a request.
pub(super) fn answer(world: &World, request: Request<'_>) -> Answer {
    let path = request.path.strip_prefix("/api/v5/");
    let Some((_, write)) = ROWS.iter().find(|row| Some(row.0) == path) else {
        let body = "{\"code\":\"404\",\"data\":{},\"msg\":\"Not Found\"}";
        return (404, Vec::new(), body.into());
    };
    let ask = Ask {
        world,
        request,
        now: world.now().get() / 1_000_000,
    };
    let mut quill = Quill::default();
    match write(&ask, &mut quill) {
        Ok(()) => {
            let body = format!(
                "{{\"code\":\"0\",\"data\":[{}],\"msg\":\"\"}}",
                quill.text()
            );
            (200, Vec::new(), body)
        }
        Err((code, message)) => {
            let status = if code == 50_014 { 400 } else { 200 };
            let body = format!("{{\"code\":\"{code}\",\"data\":[],\"msg\":\"{message}\"}}");
            (status, Vec::new(), body)
        }
    }
}

fn tiers(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    for name in ["instType", "tdMode", "instFamily"] {
        ask.request.value(name).ok_or_else(|| missing(name))?;
    }
    let names = ask.request.value("instFamily").unwrap_or_default();
    let names: Vec<&str> = names.split(',').collect();
    if names.len() > 5 {
        return Err((51_000, "Parameter instFamily error".into()));
    }
    let mut comma = "";
    for (_, (pit, _)) in ask.listed() {
        let c = &pit.contract;
        let family = super::family(&c.symbol);
        if !names.contains(&family) {
            continue;
        }
        let mut floor = 0;
        for (i, row) in c.tiers.iter().enumerate() {
            let most = pit.contracts(row.cap);
            quill.put(comma).put("{\"baseMaxLoan\":\"\",\"imr\":\"");
            quill.short(1_000_000_000 / i64::from(row.leverage), 7);
            quill.put("\",\"instFamily\":\"").put(family);
            quill.put("\",\"instId\":\"\",\"maxLever\":\"");
            quill.short(i64::from(row.leverage), 2);
            quill.field("\",\"maxSz\":\"", most, 0);
            quill.field(",\"minSz\":\"", floor, 0);
            quill.put(",\"mmr\":\"").short(row.maintenance, 5);
            quill.put("\",\"optMgnFactor\":\"0\",\"quoteMaxLoan\":\"\",\"tier\":\"");
            quill.whole(i as u64 + 1);
            quill.put("\",\"uly\":\"").put(family).put("\"}");
            (comma, floor) = (",", most);
        }
    }
    Ok(())
}

fn books(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (_, (pit, desk)) = ask.contract()?;
    let (told, rows) = (desk.told(), ask.request.number("sz", 1usize).clamp(1, 400));
    quill.put("{\"asks\":");
    write_side(pit, told.levels(Side::Sell), rows, quill);
    quill.put(",\"bids\":");
    write_side(pit, told.levels(Side::Buy), rows, quill);
    quill.field(",\"ts\":\"", told.book_ms, 0);
    quill.put(",\"seqId\":").whole(told.update).put("}");
    Ok(())
}

fn fundings(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (_, (pit, _)) = ask.contract()?;
    let rows = pit.history.settled.iter().rev();
    let rows = rows.filter(|s| ask.within(s.ms, ["before", "after"]));
    list(rows.take(ask.limit(100, 400)), quill, |row, quill| {
        quill.put("{\"formulaType\":\"withRate\",\"fundingRate\":\"");
        quill.short(row.rate, 8);
        quill.field("\",\"fundingTime\":\"", row.ms, 0);
        quill.put(",\"instId\":\"").put(&pit.contract.symbol);
        quill.put("\",\"instType\":\"SWAP\",\"method\":\"current_period\",\"realizedRate\":\"");
        quill.short(row.rate, 8).put("\"}");
    });
    Ok(())
}

/// Time, prices, volume in contracts, in coin and in USDT, and whether the bar is done.
fn candles(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (_, (pit, _)) = ask.contract()?;
    let minutes = ask.minutes("bar", "1m")?;
    let c = &pit.contract;
    let mut bars = pit.history.bars_of(minutes);
    bars.reverse();
    bars.retain(|bar| ask.within(bar.ms, ["before", "after"]));
    bars.truncate(ask.limit(100, 300));
    list(bars, quill, |bar, quill| {
        quill.field("[\"", bar.ms, 0);
        for units in [bar.open, bar.high, bar.low, bar.close] {
            quill.put(",\"").short(units, c.price_scale).put("\"");
        }
        let (steps, places) = base(pit, bar.lots);
        quill.put(",\"").short(bar.lots, c.lot_scale);
        quill.put("\",\"").short(steps, places);
        let mean = bar.turnover / bar.lots.max(1);
        quill.put("\",\"").short(cents(pit, bar.lots, mean), 2);
        let done = bar.ms + minutes * 60_000 <= ask.now;
        quill.put(if done { "\",\"1\"]" } else { "\",\"0\"]" });
    });
    Ok(())
}

/// Longs to shorts of what `read` counts.
fn ratio(ask: &Ask<'_>, read: fn(&Sample) -> [i64; 2], quill: &mut Quill) -> Written {
    let (_, (pit, _)) = ask.contract()?;
    list(ask.samples(pit)?, quill, |row, quill| {
        let [long, short] = read(row).map(|n| n.max(1));
        quill.field("[\"", row.ms, 0);
        let ratio = (i128::from(long) * 10_000 / i128::from(short)) as i64;
        quill.put(",\"").short(ratio, 4).put("\"]");
    });
    Ok(())
}

/// Time, sold, bought: in coin, contracts or USD by `unit` 0, 1, 2.
fn taken(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (_, (pit, _)) = ask.contract()?;
    let unit = ask.request.number("unit", 1u32);
    list(ask.samples(pit)?, quill, |row, quill| {
        let [bought, sold] = row.taken;
        quill.field("[\"", row.ms, 0);
        for lots in [sold, bought] {
            quill.put(",\"");
            match unit {
                0 => {
                    let (steps, places) = base(pit, lots);
                    quill.short(steps, places);
                }
                1 => {
                    quill.short(lots, pit.contract.lot_scale);
                }
                _ => {
                    quill.short(cents(pit, lots, row.mark), 2);
                }
            }
            quill.put("\"");
        }
        quill.put("]");
    });
    Ok(())
}

/// Time, contracts, coin, USD.
fn interests(ask: &Ask<'_>, quill: &mut Quill) -> Written {
    let (_, (pit, _)) = ask.contract()?;
    list(ask.samples(pit)?, quill, |row, quill| {
        let (steps, places) = base(pit, row.interest);
        quill.field("[\"", row.ms, 0).put(",\"");
        quill.short(row.interest, pit.contract.lot_scale);
        quill.put("\",\"").short(steps, places);
        quill
            .put("\",\"")
            .short(cents(pit, row.interest, row.mark), 2);
        quill.put("\"]");
    });
    Ok(())
}
