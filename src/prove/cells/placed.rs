//! Placed: whether a map's mass lies where positions died, whatever its sums are.
//!
//! Two questions, every cluster of prints one voice:
//!
//! - *Position*: in which part of the map's mass on its stretch of swept way does a print lie? Stretches are 20 bp on a
//!   fixed grid. (Mass within 10 bp of the print itself says nothing: a flat map has half of it on either side wherever
//!   the print is.) Positions count outwards, from where the window began. They are uniform when the mass lies where
//!   positions die; all mass too far out or too near leans them, mass at wrong spots piles them at the ends. A way
//!   that ends where its last print was seen ends with it: a little of the last tenth is of that, also of the truth.
//! - *Distance* to the nearest centre of a heavy run: neighbouring swept cells whose density is in the map's top tenth,
//!   centre by mass. Beside it [`SETS`] sets of as many centres at distances from the begin that this map's own heavy
//!   runs have in other windows swept about as far: what is left is knowing *which* prices, not how far out they are.
//!
//! Distances are told in bp of log price. Intervals draw whole days.

use super::spread::{BARS, uniform};
use super::{Cell, Died};
use crate::num::log::BUCKET;
use crate::prove::days::Days;
use crate::prove::report::{figure, number, said};
use crate::prove::score::{self, Draws, Figure};
use serde_json::{Value, json};

/// Buckets of a stretch: 20 bp.
const STRETCH: i64 = 10;
/// Sets of centres that know nothing of the place.
pub const SETS: usize = 200;
/// Windows whose centres lend their distances, and the fewest centres of them.
const LENDERS: usize = 50;
const LENT: usize = 10;
/// A heavy cell is denser than this part of the cells, and than half of them.
const HEAVY: [f64; 2] = [0.9, 0.5];

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// Clusters with a print in a scored cell.
    pub clusters: usize,
    /// Share of them by tenth of their stretch's mass.
    pub bars: [f64; BARS],
    /// Area between their positions and uniform ones.
    pub apart: Option<Figure>,
    /// Mean position less a half: above 0 the mass lies nearer to the begin than positions die, below 0 further out.
    pub lean: Option<Figure>,
    /// Clusters in windows with a heavy run.
    pub near: usize,
    /// Mean distance to the nearest centre, bp.
    pub own: Option<Figure>,
    /// The same of the random sets.
    pub random: Option<Figure>,
    /// Share of the random distance that is saved.
    pub saved: Option<Figure>,
    /// Share of the random sets that lie further away; a half is none the wiser.
    pub closer: Option<Figure>,
}

/// The swept way of one window, venue and holder, and the centres of its heavy runs as distances from the begin, Q48.
struct Way {
    from: usize,
    to: usize,
    length: f64,
    centres: Vec<f64>,
}

/// Runs of `cells` whose names are equal.
fn runs<N: PartialEq>(cells: &[Cell], name: impl Fn(&Cell) -> N) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut from = 0;
    for to in 1..=cells.len() {
        if to == cells.len() || name(&cells[to]) != name(&cells[from]) {
            out.push((from, to));
            from = to;
        }
    }
    out
}

fn ways(cells: &[Cell], map: &[f64]) -> Vec<Way> {
    let density = |i: usize| map[i] / cells[i].width.max(f64::MIN_POSITIVE);
    let all: Vec<f64> = (0..cells.len()).map(density).collect();
    let ends = HEAVY.map(|q| score::quantile(&all, q).unwrap_or(f64::NAN));
    let is_heavy = |i: &usize| all[*i] >= ends[0] && all[*i] > ends[1];
    let way = |(from, to): (usize, usize)| {
        let begin = cells[from].swept[0];
        let away = |i: usize| {
            let [a, b] = cells[i].swept;
            ((a - begin) + (b - begin)).abs() as f64 / 2.0
        };
        let mut centres = Vec::new();
        let mut at = from;
        while at < to {
            let run = (at..to).take_while(is_heavy).count();
            if run > 0 {
                let mass: f64 = map[at..at + run].iter().sum();
                let moment: f64 = (at..at + run).map(|i| map[i] * away(i)).sum();
                centres.push(moment / mass);
            }
            at += run.max(1);
        }
        Way {
            from,
            to,
            length: (cells[to - 1].swept[1] - begin).abs() as f64,
            centres,
        }
    };
    let named = runs(cells, |cell| (cell.window, cell.venue, cell.holder));
    named.into_iter().map(way).collect()
}

fn nearest(place: f64, centres: &[f64]) -> f64 {
    let gaps = centres.iter().map(|centre| (centre - place).abs());
    gaps.fold(f64::INFINITY, f64::min)
}

/// Distances that the heavy runs of other windows, swept about as far, lend to `at` of `order`.
fn lent(ways: &[&Way], at: usize) -> Vec<f64> {
    let from = at.saturating_sub(LENDERS / 2);
    let to = (from + LENDERS + 1).min(ways.len());
    let from = to.saturating_sub(LENDERS + 1);
    let others = (from..to).filter(|other| *other != at);
    others
        .flat_map(|other| {
            let scale = ways[at].length / ways[other].length;
            ways[other].centres.iter().map(move |c| c * scale)
        })
        .collect()
}

/// Places of the prints in scored cells: `died` by cell of `cells`, with a voice each.
pub(super) fn placed(
    days: &Days,
    cells: &[Cell],
    died: &[(Died, f64)],
    map: &[f64],
    reps: usize,
) -> Placed {
    // Position on the stretch.
    let stretch = |cell: &Cell| {
        let at = cell.bucket.div_euclid(STRETCH);
        (cell.window, cell.venue, cell.holder, at)
    };
    let stretches = runs(cells, stretch);
    let mut places = Vec::with_capacity(died.len());
    for (print, voice) in died {
        let at = stretches.partition_point(|(_, to)| *to <= print.cell);
        let (from, to) = stretches[at];
        let all: f64 = map[from..to].iter().sum();
        if all <= 0.0 {
            continue;
        }
        let before: f64 = map[from..print.cell].iter().sum();
        let [a, b] = cells[print.cell].swept;
        let part = (print.place - a) as f64 / (b - a) as f64;
        let place = (before + part.clamp(0.0, 1.0) * map[print.cell]) / all;
        places.push((days.of[print.cell], place, *voice));
    }
    let (bars, apart) = uniform(days, reps, &places);
    let mut sums = vec![[0.0; 2]; days.count];
    for (day, place, voice) in &places {
        let [sum, all] = &mut sums[*day];
        (*sum, *all) = (*sum + voice * (place - 0.5), *all + voice);
    }
    let [lean] = days.of_sums(reps, &sums, |[sum, all]| [(*all > 0.0).then(|| sum / all)]);

    // Distance to the nearest centre.
    let ways = ways(cells, map);
    let mut order: Vec<&Way> = ways.iter().filter(|way| !way.centres.is_empty()).collect();
    order.sort_by(|a, b| a.length.total_cmp(&b.length).then(a.from.cmp(&b.from)));
    let mut sums = vec![[0.0; 4]; days.count];
    let mut near = 0.0;
    for (at, way) in order.iter().enumerate() {
        let from = died.partition_point(|(print, _)| print.cell < way.from);
        let to = died.partition_point(|(print, _)| print.cell < way.to);
        if from == to {
            continue;
        }
        let pool = lent(&order, at);
        if pool.len() < LENT {
            continue;
        }
        let mut draws = Draws::new(way.from as u64);
        let sets: Vec<f64> = (0..SETS * way.centres.len())
            .map(|_| pool[draws.below(pool.len())])
            .collect();
        let begin = cells[way.from].swept[0];
        for (print, voice) in &died[from..to] {
            let place = (print.place - begin).abs() as f64;
            let own = nearest(place, &way.centres);
            let (mut sum, mut further) = (0.0, 0.0);
            for set in sets.chunks(way.centres.len()) {
                let other = nearest(place, set);
                sum += other;
                further += f64::from(u8::from(other > own)) + f64::from(u8::from(other >= own));
            }
            let sets = SETS as f64;
            let more = [1.0, own, sum / sets, further / 2.0 / sets];
            let day = &mut sums[days.of[print.cell]];
            day.iter_mut().zip(more).for_each(|(s, m)| *s += voice * m);
            near += voice;
        }
    }
    let [own, random, saved, closer] = days.of_sums(reps, &sums, |[n, own, random, closer]| {
        const BP: f64 = BUCKET as f64 / 2.0;
        let known = *n > 0.0;
        [
            known.then(|| own / n / BP),
            known.then(|| random / n / BP),
            (*random > 0.0).then(|| 1.0 - own / random),
            known.then(|| closer / n),
        ]
    });
    Placed {
        clusters: places
            .iter()
            .map(|(_, _, voice)| voice)
            .sum::<f64>()
            .round() as usize,
        bars,
        apart,
        lean,
        near: near.round() as usize,
        own,
        random,
        saved,
        closer,
    }
}

/// As a JSON object.
#[must_use]
pub fn object(of: &Placed) -> Value {
    json!({
        "clusters": of.clusters,
        "position_on_20_bp_share_by_tenth": of.bars,
        "position_distance_from_uniform": figure(of.apart),
        "position_lean": figure(of.lean),
        "clusters_near_heavy": of.near,
        "nearest_centre_bp": figure(of.own),
        "nearest_random_centre_bp": figure(of.random),
        "distance_saved": figure(of.saved),
        "random_sets_further": figure(of.closer),
    })
}

fn bp(of: Option<Figure>) -> String {
    of.map_or("not measured".to_owned(), |f| {
        format!("{} bp", number(Some(f.value)))
    })
}

/// In words.
#[must_use]
pub fn text(of: &Placed) -> [String; 2] {
    [
        format!(
            "place on 20 bp of the map's mass ({} clusters): distance from uniform {}, lean {}",
            of.clusters,
            said(of.apart),
            said(of.lean)
        ),
        format!(
            "nearest heavy centre ({} clusters): {} against {} of random centres as far out, saved {}; random ones \
             are further {}",
            of.near,
            bp(of.own),
            bp(of.random),
            said(of.saved),
            said(of.closer)
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Holder, VenueId};
    use crate::prove::cells::WINDOW;
    use crate::time::Nanos;

    /// Twenty days of windows of 40 to 80 swept buckets with two walls each; a position dies at every wall.
    fn walls() -> (Vec<Cell>, Vec<f64>, Vec<(Died, f64)>) {
        let mut draws = Draws::new(21);
        let (mut cells, mut map, mut died) = (Vec::new(), Vec::new(), Vec::new());
        for window in 0..20 * 24usize {
            let holder = Holder::BOTH[window % 2];
            let out = holder.hurts();
            let count = 40 + draws.below(41) as i64;
            // Mid-bucket, anywhere on the grid of stretches.
            let begin =
                (1_000 + draws.below(10) as i64) * BUCKET + if out > 0 { 0 } else { BUCKET };
            let walls = [0, 1].map(|_| draws.below(count as usize) as i64);
            for at in 0..count {
                let swept = [begin + out * at * BUCKET, begin + out * (at + 1) * BUCKET];
                let usd = if walls.contains(&at) { 1e6 } else { 0.0 };
                if usd > 0.0 {
                    let print = Died {
                        cell: cells.len(),
                        place: swept[0] + out * draws.below(BUCKET as usize) as i64,
                        usd,
                        cluster: died.len(),
                    };
                    died.push((print, 1.0));
                }
                map.push(1e3 + usd);
                cells.push(Cell {
                    venue: VenueId::BYBIT,
                    window,
                    start: Nanos::new(WINDOW.get() * 6 * window as i64),
                    holder,
                    bucket: swept[0].min(swept[1]).div_euclid(BUCKET),
                    first: 0,
                    swept,
                    width: 1.0,
                    part: 1.0,
                    away: 0.001,
                    usd,
                });
            }
        }
        (cells, map, died)
    }

    #[test]
    fn mass_at_the_right_prices_is_told_from_mass_beside_them() {
        let (cells, truth, died) = walls();
        let days = Days::new(cells.iter().map(|cell| cell.start.day()));
        let of = |map: &[f64]| placed(&days, &cells, &died, map, 200);
        let right = of(&truth);
        assert_eq!(right.clusters, died.len());
        assert!(
            right.lean.is_some_and(|f| f.low < 0.0 && f.high > 0.0),
            "{right:?}"
        );
        assert!(right.apart.is_some_and(|f| f.value < 0.03), "{right:?}");
        assert!(right.saved.is_some_and(|f| f.low > 0.8), "{right:?}");
        assert!(right.closer.is_some_and(|f| f.low > 0.9), "{right:?}");
        // A scale moves nothing.
        let scaled: Vec<f64> = truth.iter().map(|v| 5.0 * v).collect();
        let same = of(&scaled);
        let value = |f: Option<Figure>| f.unwrap().value;
        for (a, b) in [(right.lean, same.lean), (right.saved, same.saved)] {
            assert!((value(a) - value(b)).abs() < 1e-9);
        }
        // The same walls three buckets, 6 bp, further out: sums of windows are all but the same, places are not.
        let mut outwards = truth.clone();
        for (from, to) in runs(&cells, |cell| cell.window) {
            outwards[from..to].rotate_right(3);
        }
        let far = of(&outwards);
        assert!(far.lean.is_some_and(|f| f.high < -0.05), "{far:?}");
        assert!(far.apart.is_some_and(|f| f.low > 0.1), "{far:?}");
        let mut inwards = truth.clone();
        for (from, to) in runs(&cells, |cell| cell.window) {
            inwards[from..to].rotate_left(3);
        }
        assert!(of(&inwards).lean.is_some_and(|f| f.low > 0.05));
        // Walls of other windows: as heavy, as far out, at prices where nobody dies.
        let mut elsewhere = truth.clone();
        elsewhere.rotate_left(4_321);
        let lost = of(&elsewhere);
        assert!(
            lost.saved.is_some_and(|f| f.low < 0.05 && f.high < 0.15),
            "{lost:?}"
        );
        assert!(
            lost.closer.is_some_and(|f| f.low < 0.52 && f.high < 0.58),
            "{lost:?}"
        );
        assert!(lost.apart.is_some_and(|f| f.low > 0.04), "{lost:?}");
        // No wall at all: nothing is heavy, and nothing is measured of it.
        let flat = of(&vec![1.0; cells.len()]);
        assert_eq!((flat.near, flat.own, flat.saved), (0, None, None));
        assert!(flat.lean.is_some_and(|f| f.value.abs() < 0.05), "{flat:?}");
    }
}
