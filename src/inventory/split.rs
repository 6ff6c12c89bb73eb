//! Flow split: who opened and who closed between two samples of open interest (heatmap.md 2.3).
//!
//! Every contract that changes hands opens or closes on each side. Of the volume V only T = ψV is
//! economic, so `O_L + O_S = T + ΔOI` and `C_d = O_d − ΔOI − X_d ≥ 0`, X_d being what was
//! liquidated of holder d. One degree of freedom stays: how the openings divide. It is taken as
//! near to one half as the signs allow; in a cascade the forced sellers meet new longs, and
//! assuming halves would invent phantom shorts.
//!
//! ψ is raised when nothing fits, up to 1; beyond that the change of interest that no volume
//! explains is a `remainder`, and X_d is cut. Swapping the holders swaps the answer, up to one unit
//! when V is odd and all of it.

use crate::num::fixed::{ONE, mul_div};

/// What is known of an interval; quantities are not negative except `change`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// Traded volume.
    pub(super) volume: i64,
    /// Change of open interest.
    pub(super) change: i64,
    /// Liquidated, per holder.
    pub(super) removed: [i64; 2],
}

/// The answer: for both holders `opened − closed − removed + remainder = change`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Split {
    /// Opened, per holder.
    pub(super) opened: [i64; 2],
    /// Closed voluntarily, per holder.
    pub(super) closed: [i64; 2],
    /// Liquidated as far as the volume can hold it.
    pub(super) removed: [i64; 2],
    /// Change of interest that no volume explains.
    pub(super) remainder: i64,
}

/// Solves the split for a turnover ψ in Q16 (clipped to 0..=1). Inputs are at most 2^56.
pub(super) fn solve(known: &Known, turnover_q16: i64) -> Split {
    let volume = known.volume.max(0);
    let change = known.change.clamp(-volume, volume);
    let mut removed = known.removed.map(|x| x.clamp(0, volume));
    let room = volume - change;
    let both = removed[0] + removed[1];
    if both > room {
        removed = removed.map(|x| mul_div(x, room, both));
    }
    let need = change
        .abs()
        .max(removed[0])
        .max(removed[1])
        .max(change + removed[0] + removed[1]);
    let economic = mul_div(volume, turnover_q16.clamp(0, ONE), ONE);
    let mut turnover = economic.max(need);
    // An even total halves exactly, which keeps the mirror exact.
    if (turnover + change) & 1 != 0 && turnover < volume {
        turnover += 1;
    }
    let total = turnover + change;
    let floor = [0, 1].map(|d| (change + removed[d]).max(0));
    // `need` makes this interval not empty: floor[0] <= total − floor[1].
    let long = (total / 2).max(floor[0]).min(total - floor[1]);
    let opened = [long, total - long];
    Split {
        opened,
        closed: [0, 1].map(|d| opened[d] - change - removed[d]),
        removed,
        remainder: known.change - change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known(volume: i64, change: i64, long: i64, short: i64) -> Known {
        Known {
            volume,
            change,
            removed: [long, short],
        }
    }

    #[test]
    fn a_quiet_interval_halves_its_turnover() {
        let split = solve(&known(1_000, 100, 0, 0), ONE * 3 / 10 + 1);
        assert_eq!(split.opened, [200, 200]);
        assert_eq!(split.closed, [100, 100]);
    }

    #[test]
    fn forced_sellers_meet_new_longs() {
        // Longs died for 300 and interest fell by as much: nobody need have opened on the short
        // side.
        let split = solve(&known(1_000, -300, 300, 0), ONE * 3 / 10);
        assert_eq!(split.removed, [300, 0]);
        assert_eq!(split.opened, [0, 0]);
        assert_eq!(split.closed, [0, 300]);
        // Interest unchanged: the dead longs were replaced by new ones.
        let split = solve(&known(1_000, 0, 300, 0), ONE * 3 / 10);
        assert_eq!(split.opened, [300, 0]);
        assert_eq!(split.closed, [0, 0]);
    }

    #[test]
    fn what_no_volume_explains_is_said() {
        let split = solve(&known(10, 50, 5, 5), ONE / 2);
        assert_eq!((split.remainder, split.removed), (40, [0, 0]));
        assert_eq!(split.opened, [10, 10]);
        assert_eq!(solve(&known(0, -7, 3, 0), ONE).remainder, -7);
    }

    proptest! {
        #[test]
        fn every_split_balances_and_is_nearest_to_one_half(
            volume in 0i64..1 << 55, change in -(1i64 << 55)..1 << 55,
            long in 0i64..1 << 54, short in 0i64..1 << 54,
            psi in -ONE..2 * ONE, small in any::<bool>(),
        ) {
            let k = if small {
                known(volume & 255, change % 300, long & 127, short & 127)
            } else {
                known(volume, change, long, short)
            };
            let split = solve(&k, psi);
            for d in 0..2 {
                prop_assert!(split.opened[d] >= 0 && split.closed[d] >= 0 && split.removed[d] >= 0);
                prop_assert!(split.removed[d] <= k.removed[d]);
                let net = split.opened[d] - split.closed[d] - split.removed[d] + split.remainder;
                prop_assert_eq!(net, k.change);
            }
            prop_assert!(split.opened[0] + split.opened[1] <= 2 * k.volume);
            let gap = split.opened[0] - split.opened[1];
            // Off one half only when a bound holds it there.
            let held = [0, 1].map(|d| split.opened[d] == 0 || split.closed[d] == 0);
            prop_assert!(gap.abs() <= 1 || held[0] || held[1]);
            let mirrored = solve(&known(k.volume, k.change, k.removed[1], k.removed[0]), psi);
            prop_assert!((mirrored.opened[1] - split.opened[0]).abs() <= 1);
            prop_assert!((mirrored.opened[0] - split.opened[1]).abs() <= 1);
        }
    }
}
