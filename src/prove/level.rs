//! Level: how the periods before one had come out when it began, fading.
//!
//! θ is fitted once a fold, on all of the past alike. The engine does not wait for that: its evidence fades by half in
//! seven days (heatmap.md 2.11) and θ follows every period. So what a map says is moved here, too, by what was realised
//! of its holder over what the fold's ladder said, in the terms of the fit: logarithms by their means, dollars by their
//! sums. [`PRIOR`] periods that came as they were said stand beside the evidence. Nothing of a period that had not
//! ended is in it.

use super::ladder::Ladder;
use super::totals::Row;
use super::walk::Mass;
use crate::inventory::params::Choice;
use crate::time::Nanos;

/// Periods that came as they were said.
const PRIOR: f64 = 4.0;
/// Half-lives of what a path model is told that remembers.
const REMEMBERED: [Nanos; 4] = [
    Nanos::seconds(6 * 3_600),
    Nanos::DAY,
    Nanos::new(7 * Nanos::DAY.get()),
    Nanos::new(30 * Nanos::DAY.get()),
];

/// What a level is made of: rows of a symbol in the order of time, and the fold's ladder and mass for each.
pub type Of = fn(&[Row], &Ladder, &[Mass]) -> Vec<f64>;

/// By row and holder the fading sums of some numbers, over the holder's rows that had ended when the row began.
fn before<const N: usize>(
    rows: &[Row],
    half_life: Nanos,
    of: impl Fn(usize) -> [f64; N],
) -> Vec<[[f64; N]; 2]> {
    let mut sums = [[0.0; N]; 2];
    let (mut ended, mut faded) = (0, Nanos::ZERO);
    let sums_of = |row: &Row| {
        let gone = row.start.since(faded).get().max(0) as f64 / half_life.get() as f64;
        faded = faded.max(row.start);
        let kept = (-gone).exp2();
        sums.as_flattened_mut()
            .iter_mut()
            .for_each(|sum| *sum *= kept);
        while rows.get(ended).is_some_and(|old| old.end <= row.start) {
            let sums = &mut sums[rows[ended].holder];
            sums.iter_mut()
                .zip(of(ended))
                .for_each(|(sum, more)| *sum += more);
            ended += 1;
        }
        sums
    };
    rows.iter().map(sums_of).collect()
}

fn half_life() -> Nanos {
    Nanos::new(Choice::default().theta_half_life_ns)
}

/// Of a ladder for logarithms.
#[must_use]
pub fn of_logs(rows: &[Row], ladder: &Ladder, mass: &[Mass]) -> Vec<f64> {
    let off = |at: usize| [rows[at].log() - ladder.said(&mass[at]), 1.0];
    let sums = before(rows, half_life(), off);
    let level = |(row, sums): (&Row, [[f64; 2]; 2])| {
        let [off, n] = sums[row.holder];
        off / (n + PRIOR)
    };
    rows.iter().zip(sums).map(level).collect()
}

/// Of a ladder for dollars; a logarithm, too.
#[must_use]
pub fn of_dollars(rows: &[Row], ladder: &Ladder, mass: &[Mass]) -> Vec<f64> {
    let both = |at: usize| [rows[at].usd, ladder.dollars(&mass[at]), 1.0];
    let sums = before(rows, half_life(), both);
    let level = |(row, sums): (&Row, [[f64; 3]; 2])| {
        let [usd, said, n] = sums[row.holder];
        let ratio = if said > 0.0 { usd / said } else { 1.0 };
        ((ratio * n + PRIOR) / (n + PRIOR)).ln()
    };
    rows.iter().zip(sums).map(level).collect()
}

/// What a path model is told that remembers: by half-life the mean logarithm realised of the row's holder, and of the
/// other.
#[must_use]
pub fn remembered(rows: &[Row]) -> Vec<Vec<f64>> {
    let mut told = vec![Vec::new(); rows.len()];
    for half_life in REMEMBERED {
        let sums = before(rows, half_life, |at| [rows[at].log(), 1.0]);
        for ((row, told), sums) in rows.iter().zip(&mut told).zip(sums) {
            for holder in [row.holder, 1 - row.holder] {
                let [logs, n] = sums[holder];
                told.push(if n > 0.0 { logs / n } else { f64::NAN });
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::CLASSES;

    /// Hours of longs and shorts; longs die three times as often as is said, shorts as it is said.
    fn world(hours: i64) -> (Vec<Row>, Vec<Mass>) {
        let row = |i: i64| {
            let holder = (i % 2) as usize;
            let said = 1e6 * (1.0 + (i / 2 % 5) as f64);
            let mut mass = [0.0; CLASSES];
            mass[3] = said;
            let row = Row {
                start: Nanos::new(i / 2 * Nanos::HOUR.get()),
                end: Nanos::new((i / 2 + 1) * Nanos::HOUR.get()),
                holder,
                usd: said * [3.0, 1.0][holder],
                seen: Vec::new(),
                before: Vec::new(),
                breaks: false,
            };
            (row, mass)
        };
        (0..2 * hours).map(row).unzip()
    }

    #[test]
    fn a_level_comes_to_what_is_realised_by_holder() {
        let (rows, mass) = world(24 * 60);
        let ladder = Ladder::flat(1.0);
        for level in [
            of_logs(&rows, &ladder, &mass),
            of_dollars(&rows, &ladder, &mass),
        ] {
            assert_eq!(level[..2], [0.0; 2], "nothing has ended yet");
            let [long, short] = [level[level.len() - 2], level[level.len() - 1]];
            assert!((long - 3.0f64.ln()).abs() < 0.05, "{long}");
            assert!(short.abs() < 1e-9, "{short}");
        }
    }

    #[test]
    fn what_has_not_ended_is_not_known() {
        let (mut rows, mass) = world(300);
        let ladder = Ladder::flat(1.0);
        let said = |rows: &[Row]| {
            let level = of_logs(rows, &ladder, &mass);
            (level, of_dollars(rows, &ladder, &mass), remembered(rows))
        };
        let calm = said(&rows);
        let at = 400;
        rows[at].usd *= 1e6;
        let (logs, dollars, told) = said(&rows);
        // Up to the row itself and the other holder's of the same hour.
        assert_eq!(
            (&logs[..=at + 1], &dollars[..=at + 1]),
            (&calm.0[..=at + 1], &calm.1[..=at + 1])
        );
        assert_eq!(
            format!("{:?}", &told[..=at + 1]),
            format!("{:?}", &calm.2[..=at + 1])
        );
        assert!(logs[at + 2] > calm.0[at + 2] && dollars[at + 2] > calm.1[at + 2]);
        assert!(told[at + 2][0] > calm.2[at + 2][0]);
    }

    #[test]
    fn it_fades_by_half_in_a_week() {
        let (rows, mass) = world(24 * 30);
        let ladder = Ladder::flat(1.0);
        // A day of longs, and one hour of them a week after its end.
        let at: Vec<usize> = (0..24).chain([24 * 8]).map(|hour| 2 * hour).collect();
        let rows: Vec<Row> = at.iter().map(|at| rows[*at].clone()).collect();
        let mass: Vec<Mass> = at.iter().map(|at| mass[*at]).collect();
        let off = rows[0].log() - ladder.said(&mass[0]);
        // What ends together with the day's last hour is whole at its end, and half a week later.
        let n: f64 = (1..=24)
            .map(|end| -(192.0 - f64::from(end)) / 168.0)
            .map(f64::exp2)
            .sum();
        let last = of_logs(&rows, &ladder, &mass)[24] / off;
        assert!((last - n / (n + PRIOR)).abs() < 0.01, "{last} {n}");
    }
}
