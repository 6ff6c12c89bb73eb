//! The JSON of a symbol: one shape for `replay --json` and `cat --json`; and of the page's venues and errors.

use super::{Show, heard, mapped, named, share, usd, zones};
use crate::health::flag;
use crate::log::utc;
use crate::shm::record::{
    CASCADE_STATES, CHANNELS, CascadeRecord, EVENT_ALERT, EVENT_CAUSES, EVENT_CLOSED, ErrorRecord,
    EventRecord, HotRecord, LADDER_BPS, MODE_NAMES, MOTIONS, ModeRecord, NO_E4, NO_SHARE, NO_STATE,
    NO_USD, OddsRecord, PROOFS, STATES, VenueRecord, Wide, ZONE_LABELS, ZONE_STATES, ZONE_SWEPT,
    ZoneRecord, mode_of, verdict,
};
use crate::time::Nanos;
use serde_json::{Map, Value, json};

fn flags(bits: u32) -> Value {
    flag::names(bits).map(Value::from).collect()
}

/// A probability or share of step 1e-4; `null` when it is not known.
fn e4(value: u16) -> Value {
    (value != NO_E4).then(|| share(value.into(), 4)).into()
}

/// Money; `null` when it is not known, or of a record that was never published.
fn money(wide: &Wide, cents: i64) -> Value {
    (mapped(wide) && cents != NO_USD).then(|| usd(cents)).into()
}

/// A ladder by its steps in basis points.
fn ladder(wide: &Wide, steps: &[i64; LADDER_BPS.len()]) -> Value {
    let rungs = LADDER_BPS.iter().zip(steps);
    let named = rungs.map(|(bps, cents)| (bps.to_string(), money(wide, *cents)));
    named.collect::<Map<_, _>>().into()
}

fn cascade(show: &Show, wide: &Wide, record: &CascadeRecord) -> Value {
    let known = mapped(wide) && record.gain_e4 != NO_SHARE;
    json!({
        "zone": (record.zone != 0).then_some(record.zone),
        "gain": known.then(|| share(record.gain_e4.into(), 4)),
        "path_gain": (mapped(wide) && record.path_gain_e4 != NO_SHARE).then(|| share(record.path_gain_e4.into(), 4)),
        "end": (known && record.end_e10 != 0).then(|| show.level(record.end_e10)),
        "usd": money(wide, record.usd),
        "beyond_book": known.then_some(record.beyond == 1),
        "state": (mapped(wide) && record.state != NO_STATE).then(|| named(&CASCADE_STATES, record.state)),
    })
}

fn zone(show: &Show, zone: &ZoneRecord, odds: Option<&OddsRecord>) -> Value {
    let mut object = bare_zone(show, zone);
    if let Some(odds) = odds {
        object["label"] = (odds.label != 0)
            .then(|| named(&ZONE_LABELS, odds.label))
            .into();
        object["p_touch"] = e4(odds.p_touch_e4);
        object["p_run"] = e4(odds.p_run_e4);
        object["kappa"] = e4(odds.kappa_e4);
        object["rank"] = (odds.label != 0)
            .then(|| share(odds.rank_e4.into(), 4))
            .into();
        object["heat"] = share(odds.heat_e4.into(), 4).into();
        object["relative"] = (odds.relative == 1).into();
    }
    object
}

/// A mode's hot zones: above, then below, nearest first in each.
fn hot(show: &Show, hot: &HotRecord) -> Value {
    let zones = hot.above.iter().chain(&hot.below);
    zones
        .zip(hot.odds_above.iter().chain(&hot.odds_below))
        .filter(|(zone, _)| zone.high_e10 != 0)
        .map(|(record, odds)| zone(show, record, Some(odds)))
        .collect()
}

/// An event of the ring.
#[must_use]
pub fn event(show: &Show, event: &EventRecord) -> Value {
    json!({
        "number": event.number,
        "kind": match event.kind { EVENT_ALERT => "alert", EVENT_CLOSED => "closed", _ => "life" },
        "at": utc(Nanos::new(event.recv_ns)),
        "symbol": show.symbol,
        "mode": MODE_NAMES.get(mode_of(event.zone)),
        "zone": event.zone,
        "holder": if event.holder == 0 { "long" } else { "short" },
        "mark": show.price(event.mark_e10),
        "from": (event.from != u8::MAX).then(|| named(&ZONE_STATES, event.from)),
        "to": named(&ZONE_STATES, event.to),
        "cause": named(&EVENT_CAUSES, event.cause),
        "usd": usd(event.usd),
        "executed_usd": (event.executed_usd != NO_USD).then(|| usd(event.executed_usd)),
        "touched": event.outcome & 1 != 0,
        "swept": event.outcome & 2 != 0,
        "p_touch": e4(event.p_touch_e4),
        "p_run": e4(event.p_run_e4),
    })
}

fn bare_zone(show: &Show, zone: &ZoneRecord) -> Value {
    // What was swept may lie behind by now: then its distance is 0.
    let is_ahead = zone.state < ZONE_SWEPT || zone.distance_bps_e2 != 0;
    let side = if zone.place == 0 { "above" } else { "below" };
    json!({
        "kind": if zone.kind == 0 { "hot" } else { "cold" },
        "holder": match zone.holder { 0 => Some("long"), 1 => Some("short"), _ => None },
        "where": is_ahead.then_some(side),
        "low": show.level(zone.low_e10),
        "high": show.level(zone.high_e10),
        "usd": usd(zone.usd),
        "distance_bps": is_ahead.then(|| share(zone.distance_bps_e2, 2)),
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
        "agreement": (wide.recv_ns != 0).then(|| share(i64::from(record.agreement_e4), 4)),
        "state": named(&STATES, record.state),
        "motion": named(&MOTIONS, record.motion),
        "flags": flags(record.flags),
        "run_touches": record.run_touches,
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
    let part = |e6: u32| {
        let is_known = mapped(wide) && e6 != NO_SHARE;
        is_known.then(|| share(i64::from(e6), 6))
    };
    let age = |ms: u32| heard(wide, ms).then_some(ms);
    let known = |part: u32| (wide.recv_ns != 0 && part != NO_SHARE).then(|| share(part.into(), 6));
    let bias: Map<String, Value> = MODE_NAMES
        .iter()
        .zip(&wide.mode)
        .map(|(name, m)| ((*name).to_string(), mode(wide, m)))
        .collect();
    json!({
        "flags": flags(wide.flags),
        "lot": show.lot,
        "mark": show.price(wide.mark_e10),
        "reference": (!show.venue.is_empty()).then_some(&show.venue),
        "last": show.price(wide.last_e10),
        "index": show.price(wide.index_e10),
        "open_interest": interest,
        "book": book,
        "map": {
            "long_usd": money(wide, wide.long_usd),
            "short_usd": money(wide, wide.short_usd),
            "inert_share": part(wide.inert_share_e6),
            "prior_share": part(wide.prior_share_e6),
            "oi_residual": part(wide.oi_residual_e6),
        },
        "map_proof": named(&PROOFS, wide.map_proof).to_ascii_lowercase(),
        "zones": zones(wide).map(|(z, odds)| zone(show, z, odds)).collect::<Value>(),
        "zones_by_mode": MODE_NAMES
            .iter()
            .enumerate()
            .map(|(mode, name)| ((*name).to_string(), hot(show, &wide.hot(mode))))
            .collect::<Map<_, _>>(),
        "ladder_up": ladder(wide, &wide.map.ladder_up_usd),
        "ladder_down": ladder(wide, &wide.map.ladder_down_usd),
        "ladder_up_sigma": wide.map.ladder_up_sigma_usd.map(|cents| money(wide, cents)),
        "ladder_down_sigma": wide.map.ladder_down_sigma_usd.map(|cents| money(wide, cents)),
        "max_pain": (wide.map.max_pain_e10 != 0).then(|| show.level(wide.map.max_pain_e10)),
        "cascade": {
            "up": cascade(show, wide, &wide.map.cascade_up),
            "down": cascade(show, wide, &wide.map.cascade_down),
        },
        "intervals": {
            "long_usd": wide.map.long_interval_usd.map(|cents| money(wide, cents)),
            "short_usd": wide.map.short_interval_usd.map(|cents| money(wide, cents)),
        },
        "coverage": { "long": known(wide.map.coverage_e6[0]), "short": known(wide.map.coverage_e6[1]) },
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
    use crate::shm::record::MapRecord;
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
            lot: 1,
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
            for key in ["ladder_up", "ladder_down"] {
                assert_eq!(object[key].as_object().unwrap().len(), LADDER_BPS.len());
                assert_eq!(object[key]["500"], Value::Null);
            }
            assert_eq!(object["max_pain"], Value::Null);
            assert_eq!(object["cascade"]["up"]["gain"], Value::Null);
            assert_eq!(object["intervals"]["short_usd"], json!([null, null]));
        }
        let mut heard_nothing_left = no_interest;
        heard_nothing_left.ages.interest_ms = 5;
        heard_nothing_left.map = MapRecord::ABSENT;
        heard_nothing_left.map.ladder_down_usd[1] = 12_345;
        heard_nothing_left.map.cascade_down.gain_e4 = 9_000;
        heard_nothing_left.hot_below[0].high_e10 = 5;
        heard_nothing_left.odds_below[0] = OddsRecord {
            p_touch_e4: 4_643,
            p_run_e4: NO_E4,
            label: 3,
            ..OddsRecord::zeroed()
        };
        let object = symbol(&show, &heard_nothing_left);
        assert_eq!(object["ladder_down"]["25"], "123.45");
        assert_eq!(object["ladder_down"]["10"], Value::Null);
        assert_eq!(object["cascade"]["down"]["gain"], "0.9000");
        assert_eq!(object["cascade"]["down"]["usd"], Value::Null);
        assert_eq!(object["cascade"]["down"]["state"], Value::Null);
        assert_eq!(object["coverage"]["long"], Value::Null);
        let zone = &object["zones"][0];
        assert_eq!(
            (&zone["label"], &zone["p_touch"], &zone["p_run"]),
            (&"RUN".into(), &"0.4643".into(), &Value::Null)
        );
        assert_eq!(object["map"]["long_usd"], "0.00");
        assert_eq!(object["open_interest"]["bybit"], "0");
    }

    #[test]
    fn of_a_swept_zone_behind_neither_side_nor_distance_is_told() {
        let show = Show {
            symbol: "PEPE".to_string(),
            lot: 1_000,
            venue: String::new(),
            price_places: None,
            qty_places: None,
        };
        let told = |state, distance| {
            let mut wide = Wide::zeroed();
            wide.hot_above[0] = ZoneRecord {
                high_e10: 5,
                state,
                distance_bps_e2: distance,
                ..ZoneRecord::zeroed()
            };
            let object = symbol(&show, &wide);
            assert_eq!(object["lot"], 1_000);
            let zone = &object["zones"][0];
            (zone["where"].clone(), zone["distance_bps"].clone())
        };
        assert_eq!(told(2, 0), ("above".into(), "0.00".into()), "inside");
        assert_eq!(told(ZONE_SWEPT, 0), (Value::Null, Value::Null));
        assert_eq!(
            told(4, 2_730),
            ("above".into(), "27.30".into()),
            "come back"
        );
    }
}
