//! Tests of `liquidation`.

use super::*;
use Holder::{Long, Short};
use proptest::prelude::*;

fn px(text: &str) -> Px {
    Px::parse(text).unwrap()
}
fn money_of(text: &str) -> Money {
    let negative = text.starts_with('-');
    let text = text.trim_start_matches('-');
    let (int, frac) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{int}{frac:0<16}");
    let value: i128 = digits[..int.len() + 16].parse().unwrap();
    if negative { -value } else { value }
}
fn linear(holder: Holder, qty: &str, entry: &str, margin: &str) -> Linear {
    Linear {
        holder,
        qty: Qty::parse(qty).unwrap(),
        entry: px(entry),
        margin: money_of(margin),
    }
}
fn real(price: Px) -> f64 {
    price.get() as f64 / Px::ONE as f64
}
#[track_caller]
fn close(got: Option<Px>, want: f64, relative: f64) {
    let got = real(got.expect("a price"));
    assert!((got / want - 1.0).abs() <= relative, "{got} {want}");
}
/// (cap in USD, maintenance 1e-6); deductions follow.
fn table(rows: &[(i64, u32)]) -> Vec<Tier> {
    let mut floor = 0;
    let mut tiers: Vec<Tier> = (0u16..)
        .zip(rows)
        .map(|(row, &(cap, maintenance_e6))| {
            let tier = Tier {
                row,
                cap: Usd::whole(cap),
                leverage_e2: 0,
                maintenance_e6,
                deduction: Usd::ZERO,
                floor: Usd::whole(floor),
            };
            floor = cap;
            tier
        })
        .collect();
    fill_deductions(&mut tiers);
    tiers
}
fn binance() -> Vec<Tier> {
    table(&[
        (300_000, 4_000),
        (800_000, 5_000),
        (3_000_000, 6_500),
        (12_000_000, 10_000),
        (70_000_000, 20_000),
        (100_000_000, 25_000),
    ])
}

#[test]
fn deductions_follow_from_rates() {
    let want = [0, 300, 1_500, 12_000, 132_000, 482_000].map(Usd::whole);
    let got: Vec<Usd> = binance().iter().map(|t| t.deduction).collect();
    assert_eq!(got, want);
    assert_eq!(
        table(&[(300_000, 3_300), (2_000_000, 5_000)])[1].deduction,
        Usd::whole(510)
    );
    // Gate's announcement: 1.2 M under 1 M at .004 then .0045 holds 4,900.
    let gate = table(&[(1_000_000, 4_000), (1_500_000, 4_500)]);
    let kept = 1_200_000 * 4_500 / 1_000_000 - gate[1].deduction.get() / 100;
    assert_eq!(kept, 4_900);
}

#[test]
fn exchange_positions_are_reproduced() {
    // rule, holder, qty, entry, margin, m, c, LP, relative tolerance
    let rows: [(&Rule, Holder, &str, &str, &str, u32, i64, f64, f64); 10] = [
        (
            &BINANCE,
            Long,
            ".02",
            "313.2",
            ".31074682",
            25_000,
            0,
            305.295_034_87,
            1e-9,
        ),
        (
            &BINANCE,
            Long,
            ".01",
            "21396.6",
            "10.82948412",
            10_000,
            0,
            20_518.839_987_88,
            1e-10,
        ),
        (
            &BINANCE,
            Long,
            "3683.979",
            "1456.84",
            "1535443.01",
            100_000,
            135_365,
            1_114.78,
            5e-6,
        ),
        (
            &BINANCE,
            Long,
            "109.488",
            "32481.98",
            "1535443.01",
            25_000,
            16_300,
            18_778.73,
            5e-7,
        ),
        // Cross: the margin left is balance − maintenance of the others + their profit.
        (
            &BINANCE,
            Long,
            "109.488",
            "32481.98",
            "730737.612",
            25_000,
            16_300,
            26_316.893_309,
            1e-9,
        ),
        (
            &BINANCE,
            Long,
            "3683.979",
            "1456.84",
            "1407887.62856",
            100_000,
            135_365,
            1_153.256_465,
            1e-9,
        ),
        (
            &OKX,
            Long,
            ".0165",
            "60346.5",
            "995.5680960124100264",
            4_000,
            0,
            9.080_497_851_849,
            1e-9,
        ),
        (
            &Rule {
                fee_e6: 400,
                ..BITGET
            },
            Long,
            ".016",
            "100975.8",
            "161.56128",
            4_000,
            0,
            91_279.851_345_922,
            1e-11,
        ),
        (&BITMEX, Long, "20", "1000", "10000", 10_000, 0, 510.0, 0.0),
        (
            &Rule { fee_e6: 600, ..OKX },
            Long,
            "500",
            ".4",
            "40.096",
            10_000,
            0,
            0.323_234_28,
            2e-8,
        ),
    ];
    for (rule, holder, qty, entry, margin, m, c, want, tolerance) in rows {
        let (qty, entry) = (whole(qty), whole(entry));
        let position = linear(holder, &qty, &entry, margin);
        close(position.at_rate(rule, m, Usd::whole(c)), want, tolerance);
    }
    assert_eq!(
        linear(Long, "20", "1000", "10000").bankruptcy(0),
        Some(Px::whole(500))
    );
}

/// V8: the margin ratio that OKX showed is equity over the requirement that the liquidation price is made of.
#[test]
fn the_margin_ratio_of_okx_is_over_the_same_requirement() {
    let (profit, mark): (f64, f64) = (0.051_15, 60_349.6);
    let required = 0.0165 * mark * (0.004 + 0.0005);
    let ratio = (995.568_096_012_41 + profit) / required;
    assert!((ratio - 222.188_936).abs() < 1e-5, "{ratio}");
    // With just as much margin as is required there, the mark is where it ends.
    let margin = format!("{:.10}", required - profit);
    let position = linear(Long, "0.0165", "60346.5", &margin);
    close(position.at_rate(&OKX, 4_000, Usd::ZERO), mark, 1e-9);
}

fn whole(text: &str) -> String {
    if text.starts_with('.') {
        format!("0{text}")
    } else {
        text.to_owned()
    }
}

#[test]
fn hyperliquid_positions_are_reproduced() {
    let rows: [(Holder, &str, &str, &str, u32, f64); 19] = [
        (Long, "2458.5", "0.015", "36.864593", 10_000, 0.869_158_25),
        (Long, "62739", "0.00077", "24.137992", 10_000, 31_708.038_8),
        (Long, "145.83", "0.33", "24.045107", 25_000, 74.836_963),
        (Long, "0.11586", "437", "25.29769", 25_000, 0.059_456_97),
        (Long, "173.06", "0.6", "20.735658", 25_000, 142.051_867),
        (Long, "2545.5", "0.0329", "20.909894", 10_000, 1_929.233_229),
        (Long, "66930", "0.0015", "20.043862", 10_000, 54_108.510_438),
        (
            Long,
            "67033",
            "0.00121",
            "20.251817",
            10_000,
            50_804.000_918,
        ),
        (Short, "2642.8", "0.019", "25.091876", 10_000, 3_924.183_220),
        (Short, "155.89", "0.32", "24.924941", 25_000, 228.078_479),
        (Short, "0.14333", "351", "25.136807", 25_000, 0.209_702_28),
        (
            Short,
            "68595",
            "0.00069",
            "23.64871",
            10_000,
            101_849.993_543,
        ),
        (
            Short,
            "65536",
            "0.00099",
            "21.604172",
            10_000,
            86_493.461_746,
        ),
        (Short, "2552", "0.0327", "20.833393", 10_000, 3_157.531_505),
        (Short, "68139", "0.00145", "19.72573", 10_000, 80_933.615_9),
        (Short, "178.29", "0.11", "19.605036", 25_000, 347.822_053),
        (Long, "250", "0.5", "25", 50_000, 210.526_316),
        (Short, "190", "0.5", "9.5", 50_000, 199.047_619),
        (Long, "350", "1", "50", 50_000, 315.789_474),
    ];
    for (holder, entry, qty, margin, m, want) in rows {
        let position = linear(holder, qty, entry, margin);
        close(position.at_rate(&HYPERLIQUID, m, Usd::ZERO), want, 1e-6);
    }
}

#[test]
fn tiers_are_those_that_apply_at_the_liquidation_price() {
    let bybit = table(&[(300_000, 3_300), (2_000_000, 5_000)]);
    let gate = table(&[
        (500_000, 3_000),
        (1_000_000, 3_500),
        (1_500_000, 4_000),
        (2_000_000, 4_500),
        (3_000_000, 5_000),
    ]);
    let flat = table(&[(200_000, 4_000), (1_000_000, 5_000)]);
    let hyper = table(&[(150_000_000, 12_500), (1_000_000_000, 25_000)]);
    let binance = binance();
    let rows: [(&Rule, &[Tier], Holder, &str, i64, u32, f64, usize); 15] = [
        (&BINANCE, &binance, Long, "1", 60_000, 20, 57_228.915_663, 0),
        (
            &BINANCE,
            &binance,
            Short,
            "1",
            60_000,
            20,
            62_749.003_984,
            0,
        ),
        (
            &BINANCE,
            &binance,
            Long,
            "50",
            60_000,
            20,
            57_342.727_730,
            2,
        ),
        (
            &BINANCE,
            &binance,
            Short,
            "5",
            60_000,
            10,
            65_731.343_284,
            1,
        ),
        (
            &BINANCE,
            &binance,
            Short,
            "7.9",
            100_000,
            75,
            100_866.973_151,
            1,
        ),
        (
            &BINANCE,
            &binance,
            Short,
            "100",
            80_000,
            20,
            83_287.128_713,
            3,
        ),
        (&GATE, &gate, Long, "10", 80_000, 20, 76_299.271_906, 1),
        (&GATE, &gate, Short, "20", 80_000, 10, 87_615.021_139, 3),
        (&BITGET, &flat, Long, "1", 80_000, 20, 76_351.215_592, 0),
        (&OKX, &flat, Long, "0.5", 80_000, 20, 76_343.545_957, 0),
        (&OKX, &flat, Short, "0.5", 80_000, 20, 83_623.693_380, 0),
        (&BYBIT, &bybit, Long, "1", 80_000, 10, 72_238.386_676, 0),
        (&BYBIT, &bybit, Long, "10", 80_000, 20, 76_330.653_266, 1),
        (
            &HYPERLIQUID,
            &hyper,
            Long,
            "1",
            80_000,
            10,
            72_911.392_405,
            0,
        ),
        (
            &HYPERLIQUID,
            &hyper,
            Long,
            "2500",
            80_000,
            10,
            73_076.923_077,
            1,
        ),
    ];
    for (rule, tiers, holder, qty, entry, leverage, want, row) in rows {
        let position = Linear::leveraged(
            holder,
            Qty::parse(qty).unwrap(),
            Px::whole(entry),
            leverage * 100,
        );
        let (lp, got) = position.liquidation(rule, tiers).expect("a price");
        close(Some(lp), want, 1e-10);
        assert_eq!(got, row, "{} {want}", rule.name);
    }
}

#[test]
fn bybit_classic_scenarios() {
    let long = Linear::leveraged(Long, Qty::whole(1), Px::whole(20_000), 5_000);
    assert_eq!(
        long.at_rate(&BYBIT_CLASSIC, 5_000, Usd::ZERO),
        Some(Px::whole(19_700))
    );
    assert_eq!(long.bankruptcy(0), Some(Px::whole(19_600)));
    let mut short = Linear::leveraged(Short, Qty::whole(1), Px::whole(20_000), 5_000);
    assert_eq!(
        short.at_rate(&BYBIT_CLASSIC, 5_000, Usd::ZERO),
        Some(Px::whole(20_300))
    );
    short.margin += money(Usd::whole(3_000));
    assert_eq!(
        short.at_rate(&BYBIT_CLASSIC, 5_000, Usd::ZERO),
        Some(Px::whole(23_300))
    );
}

#[test]
fn inverse_scenarios() {
    let inverse = |holder, size, entry, leverage: i128| {
        let (size, entry) = (Usd::whole(size), Px::whole(entry));
        let margin = coin_value(size, entry) / leverage;
        Inverse {
            holder,
            size,
            entry,
            margin,
        }
    };
    close(
        inverse(Long, 60_000, 50_000, 10).on_entry(5_000, 0),
        45_662.100_5,
        1e-8,
    );
    close(
        inverse(Long, 2_000, 2_000, 10).on_entry(5_000, 0),
        1_826.48,
        3e-6,
    );
    close(
        inverse(Short, 2_000, 2_000, 10).on_entry(5_000, 0),
        2_209.94,
        3e-6,
    );
    let cross = Inverse {
        margin: 500_000_000_000,
        ..inverse(Long, 10_000, 8_000, 1)
    };
    close(cross.bankruptcy(750), 5_718.57, 1e-6);
    // The source rounded on its way: 1e-4 of its figure, and the exact arithmetic to the cent.
    close(cross.on_entry(5_000, 750), 5_739.50, 1e-4);
    close(cross.on_entry(5_000, 750), 5_739.08, 1e-6);
    // At mark a long needs (1 + m) of its size.
    close(
        inverse(Long, 60_000, 50_000, 10).at_mark(5_000, 0),
        60_300.0 / 1.32,
        1e-9,
    );
    close(
        inverse(Short, 60_000, 50_000, 10).at_mark(5_000, 0),
        59_700.0 / 1.08,
        1e-9,
    );
    assert_eq!(inverse(Short, 60_000, 50_000, 1).at_mark(5_000, 0), None);
}

#[test]
fn a_long_without_leverage_never_dies() {
    let long = Linear::leveraged(Long, Qty::whole(1), Px::whole(20_000), 100);
    for rule in RULES {
        if !rule.on_entry && rule.fee_e6 == 0 {
            assert_eq!(long.liquidation(&rule, &binance()), None, "{}", rule.name);
        }
    }
    assert_eq!(long.liquidation(&BYBIT, &[]), None);
    let unit_error = Linear::leveraged(Long, Qty::whole(1), Px::whole(20_000), 1_000);
    assert_eq!(unit_error.at_rate(&BYBIT, 1_000_000, Usd::ZERO), None);
}

proptest! {
    #[test]
    fn the_price_is_where_equity_meets_the_requirement(
        qty in 1_000i64..1_000_000_000_000,
        entry in 1_000_000i64..2_000_000_000_000_000,
        leverage in 200u32..12_500,
        short in any::<bool>(),
    ) {
        let holder = if short { Short } else { Long };
        let tiers = binance();
        let p = Linear::leveraged(holder, Qty::new(qty), Px::new(entry), leverage);
        if let Some((lp, row)) = p.liquidation(&BINANCE, &tiers) {
            let (s, q, x) = (sign(holder), i128::from(qty), i128::from(lp.get()));
            let equity = p.margin + s * q * (x - i128::from(entry));
            let need = q * x * i128::from(tiers[row].maintenance_e6) / ONE
                - money(tiers[row].deduction);
            // One price step of rounding.
            prop_assert!((equity - need).abs() <= 2 * q, "{equity} {need}");
        }
    }

    #[test]
    fn extremes_do_not_panic(
        qty in any::<i64>(), entry in any::<i64>(), margin in any::<i128>(), m in any::<u32>(),
        c in any::<i64>(), leverage in any::<u32>(),
    ) {
        for holder in Holder::BOTH {
            let odd = Linear::leveraged(holder, Qty::new(qty), Px::new(entry), leverage);
            let tiers = binance();
            for rule in RULES {
                for p in [odd, Linear { margin, ..odd }] {
                    let _ = p.at_rate(&rule, m, Usd::new(c));
                    let _ = p.liquidation(&rule, &tiers);
                    let _ = p.bankruptcy(rule.fee_e6);
                }
            }
        }
    }
}
