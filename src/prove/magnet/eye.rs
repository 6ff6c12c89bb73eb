//! Eye: the zones of the product's own engine, made on the walked map, and the level each of them is born with.
//!
//! The map is walked as by [`walk::maps`], with interest as it was told: what a zone is made of had been told by the
//! moment of its birth. The engine looks at the map at the end of every step, once a minute where steps are shorter,
//! and sees the mark along each step (open, the extreme behind its direction, the other extreme, close) for the life of
//! its zones. Between two looks the map stands still for it. Of several venues each is laid by the distance from its
//! own mark. The *level* is the zone's near edge at birth, in log price of the path.

use super::price::{Path, Step};
use crate::heatmap::Heatmap;
use crate::num::Px;
use crate::num::fixed::ONE32;
use crate::num::log::px_of_ln;
use crate::prove::cells;
use crate::prove::input::Input;
use crate::prove::path::ln;
use crate::prove::walk::{self, Learnt, Mapped, Told, Way};
use crate::shm::record::{MODES, mode, mode_of};
use crate::time::Nanos;
use crate::zone::{Heat, Zone, Zones, state};
use std::collections::HashMap;

/// A zone that was born.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Birth {
    /// The step at whose end it was born.
    pub step: usize,
    /// Above the mark: shorts.
    pub above: bool,
    /// Log price of its near edge.
    pub level: f64,
    /// Dollars it was expected to force.
    pub usd: f64,
    /// Hot against the present map only, as in the engine's first week.
    pub relative: bool,
    /// As far on the other side of the mark lay no live zone.
    pub clear: bool,
    /// When it was given up before the mark had gone through it: for its mass, its age, its place.
    pub gone: Option<Nanos>,
}

/// A live zone that the mark had not come to, at the end of a step at a full hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stood {
    /// The step.
    pub step: usize,
    /// Its identity.
    pub id: u32,
    /// Above the mark: shorts.
    pub above: bool,
    /// Log price of its near edge.
    pub level: f64,
}

/// What came of a walk.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Births in the order of time.
    pub births: Vec<Birth>,
    /// Zones hour by hour.
    pub stood: Vec<Stood>,
    /// First moment at which there was a map.
    pub first: Option<Nanos>,
    /// Changes of zones that the engine dropped before they were read.
    pub missed: u64,
}

/// Whether a walk learns from prints on its way.
fn learnt(input: &Input) -> Learnt {
    if input.sources.iter().any(cells::is_fit) {
        Learnt::Prints(cells::TICK)
    } else {
        Learnt::Nothing
    }
}

fn price(ln: f64) -> Px {
    px_of_ln((ln * (1i64 << 48) as f64) as i64)
}

/// The engine's eye on a path.
struct Eye {
    zones: Box<Zones>,
    heatmap: Box<Heatmap>,
    halves: [Vec<i64>; 2],
    /// Number of a birth by the zone's identity.
    known: HashMap<u32, usize>,
    seen: Seen,
}

impl Eye {
    /// Lays the maps over each other, by distance.
    fn lay(&mut self, now: Nanos, maps: &[Mapped<'_>]) {
        for half in &mut self.halves {
            half.fill(0);
        }
        for (_, map) in maps {
            let mark = map.mark_ln().map_or(Px::ZERO, px_of_ln);
            self.heatmap
                .refresh(now, std::slice::from_ref(*map), &[mark], 0);
            let cells = [&self.heatmap.below_long, &self.heatmap.above_short];
            for (sum, cells) in self.halves.iter_mut().zip(cells) {
                for (sum, cell) in sum.iter_mut().zip(cells) {
                    *sum = sum.saturating_add(*cell);
                }
            }
        }
    }

    /// The life of zones along a step.
    fn pass(&mut self, step: &Step) {
        let turns = if step.close >= step.open {
            [step.open, step.low, step.high, step.close]
        } else {
            [step.open, step.high, step.low, step.close]
        };
        for turn in turns {
            self.zones.mark(step.end, price(turn));
        }
    }

    /// Reads the map as of the end of a step, and lets it stand until `until`.
    fn look(&mut self, number: usize, path: &Path, until: Nanos) {
        let step = &path.steps[number];
        let sigma = (path.sigma[number] * ONE32 as f64) as i64;
        let mark = price(step.close);
        let heat = Heat {
            mark,
            below_long: &self.halves[0],
            above_short: &self.halves[1],
        };
        self.zones
            .refresh(step.end, &heat, sigma, [sigma; MODES], Px::ZERO);
        let born = self.zones.changes().iter();
        let born: Vec<u32> = born
            .filter(|change| mode_of(change.id) == mode::DAY && change.from == state::NONE)
            .map(|change| change.id)
            .collect();
        for id in born {
            let all = [
                self.zones.hot_below(mode::DAY),
                self.zones.hot_above(mode::DAY),
            ];
            let all = all.into_iter().flatten();
            let Some(zone) = all.clone().find(|zone| zone.id == id) else {
                continue;
            };
            let above = zone.holder == crate::market::Holder::Short as u8;
            let level = ln(if above { zone.low } else { zone.high });
            let mirror = price(2.0 * step.close - level);
            let holds = |zone: &Zone| zone.is_live() && zone.low <= mirror && mirror <= zone.high;
            self.known.insert(id, self.seen.births.len());
            self.seen.births.push(Birth {
                step: number,
                above,
                level,
                usd: zone.usd as f64 / 100.0,
                relative: self.zones.is_relative(),
                clear: !all.clone().any(holds),
                gone: None,
            });
        }
        self.zones.stand(until, &heat, sigma);
        self.bury();
        if step.end.get() % Nanos::HOUR.get() == 0 {
            self.count(number, step.close);
        }
    }

    /// Takes note of the zones that wait.
    fn count(&mut self, step: usize, mark: f64) {
        let all = [
            self.zones.hot_below(mode::DAY),
            self.zones.hot_above(mode::DAY),
        ];
        let all = all.into_iter().flatten();
        for zone in all.filter(|zone| zone.state < state::TOUCHED) {
            let above = zone.holder == crate::market::Holder::Short as u8;
            let level = ln(if above { zone.low } else { zone.high });
            if (level > mark) == above && level != mark {
                self.seen.stood.push(Stood {
                    step,
                    id: zone.id,
                    above,
                    level,
                });
            }
        }
    }

    /// Takes note of zones that were given up.
    fn bury(&mut self) {
        for change in self.zones.changes() {
            if mode_of(change.id) != mode::DAY || change.to != state::EXPIRED {
                continue;
            }
            if let Some(at) = self.known.remove(&change.id)
                && change.from <= state::TOUCHED
            {
                self.seen.births[at].gone = Some(change.at);
            }
        }
        self.zones.clear_changes();
    }
}

/// Walks a symbol's map along a path and says which zones were born.
#[must_use]
pub fn births(input: &Input, path: &Path) -> Seen {
    let mut eye = Eye {
        zones: bytemuck::allocation::zeroed_box(),
        heatmap: bytemuck::allocation::zeroed_box(),
        halves: [0, 1].map(|_| vec![0; crate::heatmap::DEPTH]),
        known: HashMap::new(),
        seen: Seen::default(),
    };
    let mut looks: Vec<usize> = Vec::new();
    for (number, step) in path.steps.iter().enumerate() {
        let due = |last: &usize| step.end.since(path.steps[*last].end) >= Nanos::MINUTE;
        if looks.last().is_none_or(due) {
            looks.push(number);
        }
    }
    let moments: Vec<Nanos> = looks.iter().map(|at| path.steps[*at].end).collect();
    let way = Way {
        interest: Told::Stepwise,
        learnt: learnt(input),
        planes: true,
        ..Way::default()
    };
    let mut passed = 0;
    walk::maps(input, &way, &moments, &mut |number, maps| {
        let at = looks[number];
        for step in &path.steps[passed..=at] {
            eye.pass(step);
        }
        passed = at + 1;
        eye.bury();
        if maps.is_empty() {
            return;
        }
        eye.seen.first.get_or_insert(moments[number]);
        eye.lay(moments[number], maps);
        let longest = path.length.get().max(Nanos::MINUTE.get());
        let until = moments[number].plus(Nanos::new(longest));
        let next = moments.get(number + 1).copied().unwrap_or(until);
        eye.look(at, path, until.min(next));
    });
    eye.seen.missed = eye.zones.missed;
    eye.seen
}
