//! The test of odds, on made-up pages.

use super::*;

fn px(log: f64) -> i64 {
    (log.exp() * 1e6 * Px::ONE as f64) as i64
}

/// A record at a time in milliseconds after [`START`]: zones by id, edges and chances of a touch and of a run.
fn page(ms: i64, mark: f64, zones: &[(u32, [f64; 2], u16, u16)]) -> Wide {
    let mut wide = Wide::zeroed();
    wide.recv_ns = START * Nanos::MINUTE.get() + ms * 1_000_000;
    wide.mark_e10 = px(mark);
    wide.sigma_1h_q32 = (0.01 * (1i64 << 32) as f64) as i64;
    for (at, (id, [low, high], touch, run)) in zones.iter().enumerate() {
        let zone = &mut wide.hot_above[at];
        (zone.id, zone.low_e10, zone.high_e10) = (of_day(*id), px(*low), px(*high));
        (wide.odds_above[at].p_touch_e4, wide.odds_above[at].p_run_e4) = (*touch, *run);
        wide.odds_above[at].label = label::RUN;
    }
    wide
}

/// An identity of the day mode.
fn of_day(id: u32) -> u32 {
    id * ZONE_KINDS + DAY as u32
}

fn life(ms: i64, id: u32, from: u8, to: u8) -> EventRecord {
    EventRecord {
        recv_ns: START * Nanos::MINUTE.get() + ms * 1_000_000,
        zone: of_day(id),
        kind: EVENT_LIFE,
        from,
        to,
        ..EventRecord::zeroed()
    }
}

#[test]
fn an_eye_keeps_what_stood_before_the_hour() {
    let mut eye = Eye::default();
    eye.begin();
    // The first hour is a whole number of hours after the epoch.
    let hour = 3_600_000;
    let zones = [
        (1, [0.02, 0.03], 2_500, 7_000),
        (2, [0.05, 0.06], NO_E4, NO_E4),
    ];
    eye.take(&page(hour - 5_000, 0.0, &zones[..1]));
    eye.take(&page(hour - 100, 0.001, &zones));
    eye.take(&page(hour, 0.03, &[]));
    eye.take(&page(hour + 2_000, -0.01, &zones));
    // A mark that is old is no mark.
    let mut old = page(hour + 3_000, 0.09, &zones);
    old.ages.mark_ms = 11_000;
    eye.take(&old);
    let heard = eye.close();
    let [asked] = &heard.modes[DAY].asked[..] else {
        panic!("{heard:?}");
    };
    assert_eq!((asked.at, asked.zones.len()), (START + 60, 2));
    assert!((asked.mark - ln(Px::new(px(0.001)))).abs() < 1e-12);
    assert!((asked.sigma - 0.01).abs() < 1e-9);
    let [one, two] = asked.zones[..].try_into().unwrap();
    assert!(one.touch == Some(0.25) && one.run == Some(0.7) && one.above);
    assert!((one.width - 0.01).abs() < 1e-9 && two.touch.is_none());
    let minutes: Vec<_> = heard
        .minutes
        .iter()
        .map(|m| (m.at - START, m.is_whole))
        .collect();
    // Both minutes are heard in part only.
    assert_eq!(minutes, [(59, false), (60, false)]);
    assert!((heard.minutes[1].high - ln(Px::new(px(0.03)))).abs() < 1e-12);
    assert!((heard.minutes[1].low - ln(Px::new(px(-0.01)))).abs() < 1e-12);
}

#[test]
fn an_eye_follows_touches_to_their_end() {
    use state::{APPROACHED, EXPIRED, FRESH, SWEPT, TOUCHED};
    let mut eye = Eye::default();
    eye.begin();
    let zones: Vec<_> = (1..=6)
        .map(|id| (id, [0.02, 0.03], 2_500, 1_000 * id as u16))
        .collect();
    let at = |second: i64| 1_000 * second;
    eye.take(&page(at(1), 0.0, &zones));
    eye.event(&life(at(2), 1, APPROACHED, TOUCHED));
    eye.event(&life(at(2), 2, FRESH, TOUCHED));
    eye.event(&life(at(2), 3, APPROACHED, SWEPT));
    eye.event(&life(at(2), 9, APPROACHED, TOUCHED));
    // After the touch the page may say what it likes.
    eye.take(&page(at(3), 0.025, &zones[3..]));
    eye.event(&life(at(4), 1, TOUCHED, SWEPT));
    eye.event(&life(at(4), 2, TOUCHED, APPROACHED));
    eye.event(&life(at(4), 9, TOUCHED, APPROACHED));
    eye.event(&life(at(4), 1, SWEPT, EXPIRED));
    eye.event(&EventRecord {
        kind: EVENT_ALERT,
        ..life(at(4), 4, APPROACHED, TOUCHED)
    });
    eye.event(&life(at(5), 4, APPROACHED, TOUCHED));
    eye.event(&life(at(6), 4, TOUCHED, EXPIRED));
    eye.event(&life(at(7), 5, APPROACHED, TOUCHED));
    // Nobody heard what came of it, nor where the one came from that is swept then.
    eye.take(&page(at(40), 0.0, &zones));
    eye.event(&life(at(41), 5, TOUCHED, SWEPT));
    eye.event(&life(at(42), 6, APPROACHED, TOUCHED));
    let heard = eye.close();
    let touches = heard.modes[DAY].touches.iter();
    let got: Vec<_> = touches
        .map(|t| (t.zone.and_then(|zone| zone.run), t.came))
        .collect();
    let want = [
        (Some(0.3), Came::Ran),
        (Some(0.1), Came::Ran),
        (Some(0.2), Came::Held),
        (None, Came::Held),
        (Some(0.4), Came::Over),
        (Some(0.5), Came::Cut),
        (Some(0.6), Came::Cut),
    ];
    // Those that end at one moment stand in any order.
    let (mut sorted, mut wanted) = (got.clone(), want.to_vec());
    let key = |of: &(Option<f64>, Came)| format!("{of:?}");
    sorted.sort_by_key(key);
    wanted.sort_by_key(key);
    assert_eq!(sorted, wanted);
    assert_eq!(heard.minutes.len(), 1);
    assert!(!heard.minutes[0].is_whole);
}

/// Every mode is asked at its own steps, of its own zones.
#[test]
fn an_eye_tells_the_modes_apart() {
    let mut eye = Eye::default();
    eye.begin();
    for second in 0..7_300 {
        let mut wide = page(1_000 * second, 0.0, &[(1, [0.02, 0.03], 2_500, 7_000)]);
        wide.scalp.above[1] = wide.hot_above[0];
        wide.scalp.above[1].id = ZONE_KINDS;
        wide.scalp.odds_above[1].p_touch_e4 = 100;
        eye.take(&wide);
        if second == 30 {
            let (from, to) = (state::FRESH, state::SWEPT);
            eye.event(&EventRecord {
                zone: ZONE_KINDS,
                ..life(1_000 * second, 0, from, to)
            });
        }
    }
    let heard = eye.close();
    let counts = heard
        .modes
        .each_ref()
        .map(|of| (of.asked.len(), of.touches.len()));
    // Twenty-four steps of five minutes, two of an hour; a day has not begun but once, before anything was said.
    assert_eq!(counts, [(24, 1), (2, 0), (0, 0)]);
    let zones = |mode: usize| heard.modes[mode].asked[0].zones.clone();
    assert_eq!(
        [zones(SCALP)[0].touch, zones(DAY)[0].touch],
        [Some(0.01), Some(0.25)]
    );
    assert_eq!(heard.modes[SCALP].touches[0].zone, Some(zones(SCALP)[0]));
    assert_eq!(SCORED[SWING].number, SWING);
}

#[test]
fn of_two_tapes_of_one_time_one_is_heard() {
    let mut eye = Eye::default();
    let zones = [(1, [0.02, 0.03], 2_500, 7_000)];
    for turn in 0..2 {
        eye.begin();
        for second in 0..7_300 {
            // The first tape was deaf for a while in its second hour.
            if turn == 1 || !(4_000..4_100).contains(&second) {
                eye.take(&page(1_000 * second, 0.0, &zones));
            }
            if second == 30 || second == 4_030 {
                let to = state::SWEPT;
                eye.event(&life(1_000 * second, 1, state::APPROACHED, to));
            }
        }
    }
    let heard = eye.close();
    assert_eq!(heard.minutes.len(), 122);
    // The deaf minutes are those of the second tape, and so is the touch in them.
    let turns = heard.minutes.iter().filter(|minute| minute.turn == 2);
    assert!(turns.clone().all(|minute| minute.is_whole) && turns.count() >= 2);
    assert_eq!(heard.modes[DAY].asked.len(), 2);
    let touches: Vec<u32> = heard.modes[DAY]
        .touches
        .iter()
        .map(|touch| touch.turn)
        .collect();
    assert_eq!(touches, [1, 2]);
    let whole = heard
        .minutes
        .iter()
        .filter(|minute| minute.is_whole)
        .count();
    assert_eq!(whole, 121);
}

/// A driftless walk of the mark, zones laid anew around it, their life as the mark drives it: the walk's own chances,
/// published by the page, are found right by the whole of it.
#[test]
fn a_page_that_says_what_a_walk_says_is_right() {
    let mut chance = chance(11);
    let mut eye = Eye::default();
    eye.begin();
    let every = 4;
    let (mut mark, mut id) = (0.0, 0u32);
    let step = 0.01 * (every as f64 / 3_600.0).sqrt();
    // Edges, chance, and state.
    let mut zones: Vec<(u32, [f64; 2], u16, u8)> = Vec::new();
    for second in (0..12 * 86_400).step_by(every) {
        mark += step * chance.normal();
        let now = 1_000 * second as i64;
        if second % 1_800 == 0 {
            zones.clear();
            for _ in 0..3 {
                id += 1;
                let near = mark + 0.01 * (0.05 + 2.0 * chance.unit());
                let width = 0.01 * (0.05 + 0.4 * chance.unit());
                // Looked at every few seconds, a mark is past an edge when it is seen there.
                let past = 2.0 * 0.58 * step / 0.01;
                let said = (BACK + past) / (BACK + BEYOND + width / 0.01 + past);
                let said = (1e4 * said) as u16;
                zones.push((id, [near, near + width], said, state::FRESH));
            }
        }
        for (id, [near, far], _, own) in &mut zones {
            let to = match *own {
                state::SWEPT => continue,
                _ if mark >= *far + 0.0005 => state::SWEPT,
                state::TOUCHED if mark <= *near - 0.001 => state::APPROACHED,
                state::TOUCHED => continue,
                _ if mark >= *near => state::TOUCHED,
                _ => continue,
            };
            eye.event(&life(now, *id, *own, to));
            *own = to;
        }
        let live = zones.iter().filter(|zone| zone.3 != state::SWEPT);
        let live: Vec<_> = live
            .map(|(id, edges, run, _)| {
                let touch = 1e4 * reached((edges[0] - mark).max(0.0) / 0.01);
                (*id, *edges, touch as u16, *run)
            })
            .collect();
        let mut wide = page(now, mark, &live);
        for (room, zone) in wide
            .hot_above
            .iter_mut()
            .zip(zones.iter().filter(|z| z.3 != 3))
        {
            room.state = zone.3;
        }
        eye.take(&wide);
    }
    let input = Input {
        sources: vec![Source {
            has_book: true,
            ..Source::default()
        }],
        ..Input::default()
    };
    let heard = eye.close();
    let got = of(&input, Ok(&heard), &Err(String::new()), &LEAST, REPS);
    let got = got.page.unwrap().swap_remove(DAY);
    let (touch, run) = (got.touch.unwrap(), got.run.unwrap());
    assert_eq!(touch.days, 12);
    assert!(
        touch.rows > 600 && run.rows > 300,
        "{} {}",
        touch.rows,
        run.rows
    );
    assert!(covers(touch.ratio[0], 1.0), "{:?}", touch.ratio);
    assert!(covers(touch.slope[0], 1.0), "{:?}", touch.slope);
    assert!(covers(run.ratio[0], 1.0), "{:?}", run.ratio);
    assert!(covers(run.slope[0], 1.0), "{:?}", run.slope);
    assert!(touch.brier[1].unwrap().low > 0.0);
    // As rows are made of the same walk's own chances, there is nothing over it.
    assert!(
        touch.brier[0].unwrap().value.abs() < 1e-3,
        "{:?}",
        touch.brier
    );
    // Its words and numbers.
    let found = Found {
        page: Ok(vec![Measured {
            mode: SCORED[DAY],
            touch: Ok(touch),
            run: Ok(run),
        }]),
        walked: Err("no bars".to_owned()),
    };
    let text = report::text(&found).join("\n");
    assert!(text.contains("day, touched within 60 min") && text.contains("not measured: no bars"));
    let mut page = String::new();
    report::html(&mut page, &found);
    assert!(page.contains("<h3>Odds of zones</h3>") && page.contains("chance, tenths"));
    let json = report::object(&found);
    let slope = &json["page"]["modes"][0]["touch"]["slope"]["value"];
    assert!(slope.as_f64().is_some_and(|slope| slope > 0.5), "{json}");
    assert_eq!(json["walked_touch"]["not_measured"], "no bars");
}
