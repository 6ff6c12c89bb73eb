//! Random walks, and the zones that the engine finds on them: nothing draws, nothing goes on, nothing comes back.
//!
//! Volatility comes and goes, volume with it, so zones are born in swarms as in a market; days are drawn whole,
//! and whether that is enough is what is asked here. `ISOTHERM_PROOF=full cargo test --release` takes forty walks
//! and prints how often each hypothesis was found where there is none.

use isotherm::market::VenueId;
use isotherm::num::{Px, Qty};
use isotherm::prove::gate::LEVEL;
use isotherm::prove::input::{Candle, Input, Source};
use isotherm::prove::magnet::{self, HYPOTHESES};
use isotherm::prove::score::Draws;
use isotherm::time::Nanos;

/// A history of bars of five minutes and of hourly interest.
fn history(seed: u64, days: i64) -> Input {
    let mut draws = Draws::new(seed);
    let mut unit = move || (draws.below(1 << 30) as f64 + 0.5) / f64::from(1 << 30);
    let mut normal = move || (0..12).map(|_| unit()).sum::<f64>() - 6.0;
    let mut source = Source {
        venue: VenueId::BINANCE,
        ..Source::default()
    };
    let bar = Nanos::seconds(300);
    let begin = Nanos::seconds(1_760_000_400);
    let (mut price, mut heat, mut interest) = (50_000f64, 0f64, 80_000f64);
    for number in 0..days * 288 {
        let start = Nanos::new(begin.get() + number * bar.get());
        heat = 0.995 * heat + 0.1 * normal();
        let sigma = 0.001 * heat.exp();
        let open = price;
        let (mut high, mut low) = (open, open);
        for _ in 0..6 {
            price *= (sigma * normal() / 6f64.sqrt()).exp();
            (high, low) = (high.max(price), low.min(price));
        }
        let px = |value: f64| Px::new((value * Px::ONE as f64) as i64);
        source.bars.push(Candle {
            start,
            end: start.plus(bar),
            open: px(open),
            high: px(high),
            low: px(low),
            close: px(price),
            volume: Qty::new((400.0 * (1.5 * heat).exp() * Qty::ONE as f64) as i64),
        });
        interest *= 1.0 + 0.001 * normal();
        if number % 12 == 0 {
            source.interest.push((start, Qty::whole(interest as i64)));
        }
    }
    Input {
        symbol: "BTC".to_owned(),
        sources: vec![source],
        periods: Vec::new(),
    }
}

#[test]
fn zones_of_random_walks_draw_nothing() {
    let full = std::env::var("ISOTHERM_PROOF").is_ok_and(|v| v == "full");
    let (seeds, reps) = if full { (40, 1_000) } else { (2, 200) };
    // Found, and its contrary found, one-sided; what Holm let through; walks with too few days of births.
    let (mut up, mut down, mut holds, mut short) = ([0; 3], [0; 3], 0, 0);
    for seed in 1..=seeds {
        let found = match magnet::walked(&history(seed, 42)).and_then(|w| magnet::of(&w, reps)) {
            Ok(found) => found,
            Err(why) => {
                println!("walk {seed}: {why}");
                short += 1;
                continue;
            }
        };
        for (at, outcome) in found.outcomes.iter().enumerate() {
            let none = outcome.figure.unwrap().none;
            up[at] += usize::from(none <= LEVEL);
            down[at] += usize::from(none >= 1.0 - LEVEL);
        }
        holds += usize::from(found.outcomes.iter().any(|out| out.holds));
        magnet::report::text(&Ok(found))
            .iter()
            .take(4)
            .for_each(|line| println!("{line}"));
    }
    let seeds = seeds - short;
    assert!(seeds > 0, "nothing was measured");
    for (at, (name, _)) in HYPOTHESES.iter().enumerate() {
        println!(
            "{name}: found in {} of {seeds} walks, its contrary in {}",
            up[at], down[at]
        );
    }
    println!("something holds in {holds} of {seeds}");
    // At 2.5 % five of forty would be one case in two hundred and fifty.
    let most = if full { 4 } else { 1 };
    assert!(up.iter().all(|n| *n <= most), "{up:?}");
}
