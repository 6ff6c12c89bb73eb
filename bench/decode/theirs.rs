//! Theirs: what typed JSON libraries make of the same frames: borrowed structures, filled into the same events.
//!
//! Every structure names the fields that our decoder reads and no other. Decimals go through an unchecked loop, which
//! favours them: ours refuses lost digits, overflow and bad bytes.

use isotherm::event::{Bbo, Body, Event, Funding, Head, Level, Liquidation, Trade};
use isotherm::market::{Holder, Side, SymbolId, VenueId};
use isotherm::num::{Px, Qty};
use isotherm::time::Nanos;
use serde::Deserialize;

/// Assets of the decoders; a symbol is a place here.
pub(crate) const ASSETS: [&str; 4] = ["BTC", "ETH", "SOL", "DOGE"];

/// Reads a frame with a library (by its place in `LIBRARIES`) and tells its events.
pub(crate) type Read = fn(usize, &mut [u8], &mut simd_json::Buffers, &mut Vec<Event>);

/// The libraries.
pub(crate) const LIBRARIES: [&str; 3] = ["simd-json", "sonic-rs", "serde_json"];

trait Tell {
    fn tell(&self, out: &mut Vec<Event>);
}

macro_rules! readers {
    ($($name:ident: $kind:ty;)*) => {$(
        pub(crate) fn $name(
            library: usize,
            bytes: &mut [u8],
            buffers: &mut simd_json::Buffers,
            out: &mut Vec<Event>,
        ) {
            match library {
                0 => simd_json::serde::from_slice_with_buffers::<$kind>(bytes, buffers).unwrap().tell(out),
                1 => sonic_rs::from_slice::<$kind>(bytes).unwrap().tell(out),
                _ => serde_json::from_slice::<$kind>(bytes).unwrap().tell(out),
            }
        }
    )*};
}

readers! {
    bybit_trades: Message<'_, Vec<TradeRow<'_>>>;
    bybit_prints: Message<'_, Vec<PrintRow<'_>>>;
    bybit_book: Message<'_, Book<'_>>;
    bybit_ticker: Message<'_, Ticker<'_>>;
    binance_trade: Wrapped<Aggregate<'_>>;
    binance_book: Wrapped<Depth<'_>>;
    binance_touch: Wrapped<BookTicker<'_>>;
    binance_mark: Wrapped<MarkUpdate<'_>>;
    binance_print: Wrapped<ForceOrder<'_>>;
    okx_trades: Rows<'_, OkxTrade<'_>>;
    okx_book: Rows<'_, OkxBook<'_>>;
    okx_touch: Rows<'_, OkxTouch<'_>>;
    okx_mark: Rows<'_, OkxMark<'_>>;
    hyperliquid_trades: Wrapped<Vec<Fill<'_>>>;
    hyperliquid_book: Wrapped<L2Book<'_>>;
    hyperliquid_touch: Wrapped<Touch<'_>>;
    hyperliquid_context: Wrapped<Context<'_>>;
}

/// Unchecked: whatever is no dot is a digit.
#[inline(always)]
fn number(text: &str, target: u32) -> i64 {
    let (mut value, mut places, mut behind) = (0i64, 0u32, 0u32);
    for &byte in text.as_bytes() {
        if byte == b'.' {
            behind = 1;
        } else {
            value = value * 10 + i64::from(byte.wrapping_sub(b'0'));
            places += behind;
        }
    }
    value * 10i64.pow(target.saturating_sub(places))
}

fn rate(text: &str) -> i64 {
    let digits = number(text.trim_start_matches('-'), 12);
    if text.starts_with('-') {
        -digits
    } else {
        digits
    }
}

fn px(text: &str) -> Px {
    Px::new(number(text, 10))
}

fn qty(text: &str) -> Qty {
    Qty::new(number(text, 6))
}

/// A hundredth of a coin each, as BTC's contracts are.
fn contracts(text: &str) -> Qty {
    Qty::new(number(text, 4))
}

fn id(text: &str) -> u64 {
    let words = text.as_bytes().chunks_exact(8);
    words.fold(36, |h: u64, w| {
        (h.rotate_left(29) ^ u64::from_le_bytes(w.try_into().unwrap()))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

fn head(venue: VenueId, name: &str, behind: &str, exch: i64) -> Head {
    let name = name.strip_suffix(behind).unwrap();
    let symbol = ASSETS.iter().position(|a| *a == name).unwrap();
    Head {
        recv: Nanos::SECOND,
        exch: Nanos::millis(exch),
        venue,
        symbol: SymbolId(symbol as u16),
        bits: 0,
    }
}

fn trade(price: Px, qty: Qty, sold: bool, id: u64) -> Body {
    Body::Trade(Trade {
        price,
        qty,
        side: if sold { Side::Sell } else { Side::Buy },
        id,
        accounts: [0; 2],
    })
}

fn died(price: Px, qty: Qty, long: bool) -> Body {
    Body::Liquidation(Liquidation {
        price,
        qty,
        holder: if long { Holder::Long } else { Holder::Short },
    })
}

fn level(head: Head, price: Px, qty: Qty, side: Side, update: u64) -> Event {
    let level = Level {
        price,
        qty,
        side,
        update,
    };
    Event::new(head, Body::Level(level))
}

// ---- Bybit ----

#[derive(Deserialize)]
struct Message<'a, T> {
    #[serde(borrow)]
    topic: &'a str,
    ts: i64,
    cts: Option<i64>,
    data: T,
}

impl<T> Message<'_, T> {
    fn head(&self, exch: i64) -> Head {
        head(
            VenueId::BYBIT,
            self.topic.rsplit('.').next().unwrap(),
            "USDT",
            exch,
        )
    }
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct TradeRow<'a> {
    T: i64,
    S: &'a str,
    v: &'a str,
    p: &'a str,
    i: &'a str,
}

impl Tell for Message<'_, Vec<TradeRow<'_>>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let head = self.head(self.ts);
        out.extend(self.data.iter().map(|row| {
            let exch = Nanos::millis(row.T);
            let body = trade(px(row.p), qty(row.v), row.S == "Sell", id(row.i));
            Event::new(Head { exch, ..head }, body)
        }));
    }
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct PrintRow<'a> {
    T: i64,
    S: &'a str,
    v: &'a str,
    p: &'a str,
}

impl Tell for Message<'_, Vec<PrintRow<'_>>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let head = self.head(self.ts);
        out.extend(self.data.iter().map(|row| {
            let exch = Nanos::millis(row.T);
            Event::new(
                Head { exch, ..head },
                died(px(row.p), qty(row.v), row.S == "Buy"),
            )
        }));
    }
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow)]
    b: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    a: Vec<[&'a str; 2]>,
    u: u64,
}

fn sides(head: Head, bids: &[[&str; 2]], asks: &[[&str; 2]], update: u64, out: &mut Vec<Event>) {
    for (rows, side) in [(bids, Side::Buy), (asks, Side::Sell)] {
        out.extend(
            rows.iter()
                .map(|[p, q]| level(head, px(p), qty(q), side, update)),
        );
    }
}

impl Tell for Message<'_, Book<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let head = self.head(self.cts.unwrap_or(self.ts));
        sides(head, &self.data.b, &self.data.a, self.data.u, out);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticker<'a> {
    mark_price: Option<&'a str>,
    index_price: Option<&'a str>,
    single_open_interest: Option<&'a str>,
    funding_rate: Option<&'a str>,
    next_funding_time: Option<&'a str>,
    funding_interval_hour: Option<&'a str>,
    #[serde(borrow, rename = "bid1Price")]
    bid: Option<&'a str>,
    #[serde(rename = "bid1Size")]
    bid_qty: Option<&'a str>,
    #[serde(rename = "ask1Price")]
    ask: Option<&'a str>,
    #[serde(rename = "ask1Size")]
    ask_qty: Option<&'a str>,
}

impl Tell for Message<'_, Ticker<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let (head, t) = (self.head(self.ts), &self.data);
        let mut say = |body| out.push(Event::new(head, body));
        if let Some(p) = t.mark_price {
            say(Body::Mark(px(p)));
        }
        if let Some(p) = t.index_price {
            say(Body::Index(px(p)));
        }
        if let Some(text) = t.funding_rate {
            say(Body::Funding(Funding {
                rate_e12: rate(text),
                next: Nanos::millis(t.next_funding_time.map_or(0, |x| number(x, 0))),
                interval: Nanos::seconds(t.funding_interval_hour.map_or(0, |x| number(x, 0))),
            }));
        }
        if let Some(q) = t.single_open_interest {
            say(Body::Interest(qty(q)));
        }
        if t.bid.is_some() || t.ask.is_some() {
            say(Body::Bbo(Bbo {
                bid: t.bid.map_or(Px::ZERO, px),
                bid_qty: t.bid_qty.map_or(Qty::ZERO, qty),
                ask: t.ask.map_or(Px::ZERO, px),
                ask_qty: t.ask_qty.map_or(Qty::ZERO, qty),
            }));
        }
    }
}

// ---- Binance ----

/// An envelope whose name is told inside again; Hyperliquid's is the same but for the name.
#[derive(Deserialize)]
struct Wrapped<T> {
    data: T,
}

fn binance(name: &str, exch: i64) -> Head {
    head(VenueId::BINANCE, name, "USDT", exch)
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct Aggregate<'a> {
    s: &'a str,
    a: u64,
    p: &'a str,
    q: &'a str,
    T: i64,
    m: bool,
}

impl Tell for Wrapped<Aggregate<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let t = &self.data;
        out.push(Event::new(
            binance(t.s, t.T),
            trade(px(t.p), qty(t.q), t.m, t.a),
        ));
    }
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct Depth<'a> {
    T: i64,
    s: &'a str,
    u: u64,
    #[serde(borrow)]
    b: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    a: Vec<[&'a str; 2]>,
}

impl Tell for Wrapped<Depth<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let d = &self.data;
        sides(binance(d.s, d.T), &d.b, &d.a, d.u, out);
    }
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct BookTicker<'a> {
    s: &'a str,
    b: &'a str,
    B: &'a str,
    a: &'a str,
    A: &'a str,
    T: i64,
}

impl Tell for Wrapped<BookTicker<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let t = &self.data;
        let touch = Bbo {
            bid: px(t.b),
            bid_qty: qty(t.B),
            ask: px(t.a),
            ask_qty: qty(t.A),
        };
        out.push(Event::new(binance(t.s, t.T), Body::Bbo(touch)));
    }
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct MarkUpdate<'a> {
    E: i64,
    s: &'a str,
    p: &'a str,
    i: &'a str,
    r: &'a str,
    T: i64,
}

impl Tell for Wrapped<MarkUpdate<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let m = &self.data;
        let head = binance(m.s, m.E);
        let funding = Funding {
            rate_e12: rate(m.r),
            next: Nanos::millis(m.T),
            interval: Nanos::ZERO,
        };
        let bodies = [
            Body::Mark(px(m.p)),
            Body::Index(px(m.i)),
            Body::Funding(funding),
        ];
        out.extend(bodies.map(|body| Event::new(head, body)));
    }
}

#[derive(Deserialize)]
struct ForceOrder<'a> {
    #[serde(borrow)]
    o: Forced<'a>,
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct Forced<'a> {
    s: &'a str,
    S: &'a str,
    ap: &'a str,
    z: &'a str,
    T: i64,
}

impl Tell for Wrapped<ForceOrder<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let o = &self.data.o;
        let body = died(px(o.ap), qty(o.z), o.S == "SELL");
        out.push(Event::new(binance(o.s, o.T), body));
    }
}

// ---- OKX ----

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct Arg<'a> {
    instId: &'a str,
}

#[derive(Deserialize)]
struct Rows<'a, T> {
    #[serde(borrow)]
    arg: Arg<'a>,
    data: Vec<T>,
}

impl<T> Rows<'_, T> {
    fn head(&self, ts: &str) -> Head {
        head(VenueId::OKX, self.arg.instId, "-USDT-SWAP", number(ts, 0))
    }
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct OkxTrade<'a> {
    tradeId: &'a str,
    px: &'a str,
    sz: &'a str,
    side: &'a str,
    ts: &'a str,
}

impl Tell for Rows<'_, OkxTrade<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        out.extend(self.data.iter().map(|t| {
            let body = trade(
                px(t.px),
                contracts(t.sz),
                t.side == "sell",
                number(t.tradeId, 0) as u64,
            );
            Event::new(self.head(t.ts), body)
        }));
    }
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct OkxBook<'a> {
    #[serde(borrow)]
    asks: Vec<[&'a str; 4]>,
    #[serde(borrow)]
    bids: Vec<[&'a str; 4]>,
    ts: &'a str,
    seqId: u64,
}

impl Tell for Rows<'_, OkxBook<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        for book in &self.data {
            let head = self.head(book.ts);
            for (rows, side) in [(&book.asks, Side::Sell), (&book.bids, Side::Buy)] {
                let told = rows
                    .iter()
                    .map(|row| level(head, px(row[0]), contracts(row[1]), side, book.seqId));
                out.extend(told);
            }
        }
    }
}

#[derive(Deserialize)]
struct OkxTouch<'a> {
    #[serde(borrow)]
    asks: Vec<[&'a str; 4]>,
    #[serde(borrow)]
    bids: Vec<[&'a str; 4]>,
    ts: &'a str,
}

impl Tell for Rows<'_, OkxTouch<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        for t in &self.data {
            let best = |rows: &[[&str; 4]]| {
                rows.first()
                    .map_or((Px::ZERO, Qty::ZERO), |r| (px(r[0]), contracts(r[1])))
            };
            let ((bid, bid_qty), (ask, ask_qty)) = (best(&t.bids), best(&t.asks));
            let touch = Bbo {
                bid,
                bid_qty,
                ask,
                ask_qty,
            };
            out.push(Event::new(self.head(t.ts), Body::Bbo(touch)));
        }
    }
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "as the venue writes them")]
struct OkxMark<'a> {
    markPx: &'a str,
    ts: &'a str,
}

impl Tell for Rows<'_, OkxMark<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        out.extend(
            self.data
                .iter()
                .map(|m| Event::new(self.head(m.ts), Body::Mark(px(m.markPx)))),
        );
    }
}

// ---- Hyperliquid ----

fn hyperliquid(coin: &str, time: i64) -> Head {
    head(VenueId::HYPERLIQUID, coin, "", time)
}

#[derive(Deserialize)]
struct Fill<'a> {
    coin: &'a str,
    side: &'a str,
    px: &'a str,
    sz: &'a str,
    time: i64,
    tid: u64,
    #[serde(borrow)]
    users: [&'a str; 2],
}

impl Tell for Wrapped<Vec<Fill<'_>>> {
    fn tell(&self, out: &mut Vec<Event>) {
        out.extend(self.data.iter().map(|f| {
            // Owners are looked at, as far as their last words; ours keeps a table of them.
            let owners = f.users.map(|user| id(&user[user.len() - 8..]));
            let body = trade(
                px(f.px),
                qty(f.sz),
                f.side == "A",
                f.tid ^ owners[0] ^ owners[1],
            );
            Event::new(hyperliquid(f.coin, f.time), body)
        }));
    }
}

#[derive(Deserialize)]
struct Rung<'a> {
    px: &'a str,
    sz: &'a str,
}

#[derive(Deserialize)]
struct L2Book<'a> {
    coin: &'a str,
    time: i64,
    #[serde(borrow)]
    levels: [Vec<Rung<'a>>; 2],
}

impl Tell for Wrapped<L2Book<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let book = &self.data;
        let head = hyperliquid(book.coin, book.time);
        for (rows, side) in book.levels.iter().zip([Side::Buy, Side::Sell]) {
            let told = rows
                .iter()
                .map(|r| level(head, px(r.px), qty(r.sz), side, book.time as u64));
            out.extend(told);
        }
    }
}

#[derive(Deserialize)]
struct Touch<'a> {
    coin: &'a str,
    time: i64,
    #[serde(borrow)]
    bbo: [Option<Rung<'a>>; 2],
}

impl Tell for Wrapped<Touch<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let [(bid, bid_qty), (ask, ask_qty)] = self.data.bbo.each_ref().map(|side| {
            side.as_ref()
                .map_or((Px::ZERO, Qty::ZERO), |r| (px(r.px), qty(r.sz)))
        });
        let touch = Bbo {
            bid,
            bid_qty,
            ask,
            ask_qty,
        };
        out.push(Event::new(
            hyperliquid(self.data.coin, self.data.time),
            Body::Bbo(touch),
        ));
    }
}

#[derive(Deserialize)]
struct Context<'a> {
    coin: &'a str,
    #[serde(borrow)]
    ctx: Values<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Values<'a> {
    funding: &'a str,
    open_interest: &'a str,
    oracle_px: &'a str,
    mark_px: &'a str,
}

impl Tell for Wrapped<Context<'_>> {
    fn tell(&self, out: &mut Vec<Event>) {
        let head = hyperliquid(self.data.coin, 0);
        let ctx = &self.data.ctx;
        let funding = Funding {
            rate_e12: rate(ctx.funding),
            next: Nanos::ZERO,
            interval: Nanos::HOUR,
        };
        let bodies = [
            Body::Mark(px(ctx.mark_px)),
            Body::Index(px(ctx.oracle_px)),
            Body::Interest(qty(ctx.open_interest)),
            Body::Funding(funding),
        ];
        out.extend(bodies.map(|body| Event::new(head, body)));
    }
}
