//! Tests of `event`.

use super::*;

fn every_body() -> Vec<Body> {
    let (px, qty) = (Px::new(651_143_000_000_000), Qty::new(-3));
    vec![
        Body::Tick,
        Body::Trade(Trade {
            price: px,
            qty,
            side: Side::Sell,
            id: u64::MAX,
            accounts: [7, 9],
        }),
        Body::Level(Level {
            price: px,
            qty,
            side: Side::Buy,
            update: 1 << 63,
        }),
        Body::Bbo(Bbo {
            bid: px,
            bid_qty: qty,
            ask: px,
            ask_qty: qty,
        }),
        Body::Mark(px),
        Body::Index(px),
        Body::Funding(Funding {
            rate_e12: -1,
            next: Nanos::DAY,
            interval: Nanos::HOUR,
        }),
        Body::Interest(qty),
        Body::Liquidation(Liquidation {
            price: px,
            qty,
            holder: Holder::Short,
        }),
        Body::Ratio(Ratio {
            long_e6: 1,
            short_e6: 2,
            which: 3,
            period: Nanos::HOUR,
        }),
        Body::Series(Series {
            which: 9,
            value: -4,
            scale: 6,
            period: Nanos::DAY,
        }),
        Body::Instrument(Instrument {
            tick: px,
            lot: qty,
            leverage_e2: 15_000,
            funding_interval: Nanos::HOUR,
            status: 1,
            price_places: 2,
        }),
        Body::Tier(Tier {
            row: 29,
            cap: Usd::new(7),
            leverage_e2: 100,
            maintenance_e6: 3_300,
            deduction: Usd::new(51_000),
            floor: Usd::new(2),
        }),
        Body::Bar(Bar {
            open: px,
            high: px,
            low: px,
            close: px,
            volume: qty,
            seconds: 60,
        }),
        Body::Account(Account {
            id: 5,
            address: core::array::from_fn(|i| i as u8),
        }),
        Body::Position(Position {
            account: u64::MAX - 5,
            holder: Holder::Long,
            qty,
            entry: px,
            liquidation: px,
        }),
        Body::Total(Total {
            long: Usd::new(1),
            short: Usd::new(2),
            period: Nanos::HOUR,
        }),
        Body::Connect(3),
        Body::Disconnect(4),
        Body::Gap(Gap {
            stream: Stream::Book,
            expected: 10,
            got: 12,
        }),
    ]
}

#[test]
fn every_body_comes_back_as_it_went_in() {
    let head = Head {
        recv: Nanos::new(5),
        exch: Nanos::new(4),
        venue: VenueId(1),
        symbol: SymbolId(3),
        bits: FIRST,
    };
    let all = every_body();
    assert_eq!(all.len(), Kind::ALL.len());
    for (number, body) in all.into_iter().enumerate() {
        let event = Event::new(head, body);
        assert_eq!(event.kind() as usize, number);
        assert_eq!(event.body(), body);
    }
}
