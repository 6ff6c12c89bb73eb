//! The JSON of a symbol: one shape for `replay --json` and `cat --json`; and of the page's venues and errors.

use super::{Show, heard, mapped, named, share, usd, zones};
use crate::health::flag;
use crate::log::utc;
use crate::shm::record::{
    CHANNELS, ErrorRecord, MODE_NAMES, MOTIONS, ModeRecord, STATES, VenueRecord, Wide, ZONE_STATES,
    ZoneRecord, verdict,
};
use crate::time::Nanos;
use serde_json::{Map, Value, json};

fn flags(bits: u32) -> Value {
    flag::names(bits).map(Value::from).collect()
}

fn zone(show: &Show, zone: &ZoneRecord) -> Value {
    json!({
        "kind": if zone.kind == 0 { "hot" } else { "cold" },
        "holder": match zone.holder { 0 => Some("long"), 1 => Some("short"), _ => None },
        "where": if zone.place == 0 { "above" } else { "below" },
        "low": show.level(zone.low_e10),
        "high": show.level(zone.high_e10),
        "usd": usd(zone.usd),
        "distance_bps": share(zone.distance_bps_e2, 2),
        "state": named(&ZONE_STATES, zone.state),
        "id": zone.id,
        "age_s": zone.age_s,
        "leverage": (zone.leverage != 0).then_some(zone.leverage),
    })
}

fn mode(wide: &Wide, record: &ModeRecord) -> Value {
    json!({
        "bias": record.bias,
        "confidence": record.confidence,
        "p_up": (wide.recv_ns != 0).then(|| share(i64::from(record.p_up_e4), 4)),
        "verdict": named(&verdict::NAMES, record.verdict),
        "agreement": share(i64::from(record.agreement_e4), 4),
        "state": named(&STATES, record.state),
        "motion": named(&MOTIONS, record.motion),
        "flags": flags(record.flags),
    })
}

/// One symbol's object. What was never heard is `null`, never zero.
#[must_use]
pub fn symbol(show: &Show, wide: &Wide) -> Value {
    let mut interest = Map::new();
    let mut book = Map::new();
    if mapped(wide) {
        interest.insert(show.venue.clone(), show.qty(wide.interest_e6).into());
    }
    if wide.bid_e10 != 0 || wide.ask_e10 != 0 {
        let sides = json!({ "bid": show.price(wide.bid_e10), "ask": show.price(wide.ask_e10) });
        book.insert(show.venue.clone(), sides);
    }
    let known = |text: String| mapped(wide).then_some(text);
    let age = |ms: u32| heard(wide, ms).then_some(ms);
    let bias: Map<String, Value> = MODE_NAMES
        .iter()
        .zip(&wide.mode)
        .map(|(name, m)| ((*name).to_string(), mode(wide, m)))
        .collect();
    json!({
        "flags": flags(wide.flags),
        "mark": show.price(wide.mark_e10),
        "last": show.price(wide.last_e10),
        "index": show.price(wide.index_e10),
        "open_interest": interest,
        "book": book,
        "map": {
            "long_usd": known(usd(wide.long_usd)),
            "short_usd": known(usd(wide.short_usd)),
            "inert_share": known(share(i64::from(wide.inert_share_e6), 6)),
            "prior_share": known(share(i64::from(wide.prior_share_e6), 6)),
            "oi_residual": known(share(i64::from(wide.oi_residual_e6), 6)),
        },
        "zones": zones(wide).map(|z| zone(show, z)).collect::<Value>(),
        "bias": bias,
        "ages_ms": {
            "trade": age(wide.ages.trade_ms),
            "book": age(wide.ages.book_ms),
            "mark": age(wide.ages.mark_ms),
            "interest": age(wide.ages.interest_ms),
            "print": age(wide.ages.print_ms),
            "funding": age(wide.ages.funding_ms),
        },
    })
}

/// The venue directory by name. What was never heard or measured is `null`. `now` is CLOCK_MONOTONIC.
#[must_use]
pub fn venues(venues: &[VenueRecord], now: Nanos) -> Value {
    let one = |venue: &VenueRecord| {
        let measured = venue.offset_error_ns >= 0;
        let ages: Map<String, Value> = CHANNELS
            .iter()
            .zip(venue.heard_mono_ns)
            .map(|(channel, heard)| {
                let age = now.since(Nanos::new(heard)).get().max(0) / 1_000_000;
                ((*channel).to_string(), (heard != 0).then_some(age).into())
            })
            .collect();
        json!({
            "id": venue.id,
            "up": venue.up == 1,
            "feeds_up": venue.feeds_up,
            "feeds": venue.feeds,
            "frames": venue.frames,
            "faults": venue.faults,
            "gaps": venue.gaps,
            "reconnects": venue.reconnects,
            "duplicates": venue.duplicates,
            "clock_offset_ns": measured.then_some(venue.offset_ns),
            "clock_error_ns": measured.then_some(venue.offset_error_ns),
            "ages_ms": ages,
        })
    };
    venues
        .iter()
        .map(|venue| (venue.name_text(), one(venue)))
        .collect::<Map<_, _>>()
        .into()
}

/// The distinct error log in the order in which its kinds first came.
#[must_use]
pub fn errors(errors: &[ErrorRecord]) -> Value {
    let one = |error: &ErrorRecord| {
        let [code, subject, text] = error.texts();
        json!({
            "level": if error.level == 0 { "error" } else { "warn" },
            "code": code,
            "subject": subject,
            "count": error.count,
            "first": utc(Nanos::new(error.first_ns)),
            "last": utc(Nanos::new(error.last_ns)),
            "text": text,
        })
    };
    errors.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable as _;

    #[test]
    fn a_venue_says_what_it_does_not_know() {
        let now = Nanos::seconds(100);
        let heard = VenueRecord {
            up: 1,
            offset_ns: -5,
            offset_error_ns: 0,
            heard_mono_ns: [99_500_000_000, 0, 0, 0],
            ..VenueRecord::new("okx", 3)
        };
        let object = venues(&[VenueRecord::new("bybit", 2), heard], now);
        assert_eq!(object["bybit"]["clock_offset_ns"], Value::Null);
        assert_eq!(object["bybit"]["up"], false);
        assert_eq!(object["okx"]["clock_offset_ns"], -5);
        assert_eq!(
            object["okx"]["ages_ms"],
            json!({ "book": 500, "trades": null, "tickers": null, "liquidations": null })
        );
    }

    #[test]
    fn what_was_never_heard_is_null_and_its_key_stays() {
        let show = Show {
            symbol: "BTC".to_string(),
            venue: "bybit".to_string(),
            price_places: None,
            qty_places: None,
        };
        let never_published = Wide::zeroed();
        let mut no_interest = Wide::zeroed();
        (no_interest.recv_ns, no_interest.ages.interest_ms) = (1, u32::MAX);
        let keys = [
            "long_usd",
            "short_usd",
            "inert_share",
            "prior_share",
            "oi_residual",
        ];
        for wide in [never_published, no_interest] {
            let object = symbol(&show, &wide);
            let map = object["map"].as_object().unwrap();
            for key in keys {
                assert_eq!(map.get(key), Some(&Value::Null), "{key}");
            }
            assert_eq!(object["ages_ms"]["interest"], Value::Null);
        }
        let mut heard_nothing_left = no_interest;
        heard_nothing_left.ages.interest_ms = 5;
        let object = symbol(&show, &heard_nothing_left);
        assert_eq!(object["map"]["long_usd"], "0.00");
        assert_eq!(object["open_interest"]["bybit"], "0");
    }
}
