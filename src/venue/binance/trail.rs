//! Trail: trades whose ids rise by one, heard over one or two connections.
//!
//! A trail holds the highest id that was taken in. With one leg an id beyond the next one is a hole
//! at once. With two, what one leg skipped the other may still bring: the hole is kept open until
//! the other leg has filled it, has passed it too, is gone, or says nothing for [`PATIENCE`]
//! trades. One hole is kept; a second before the first is closed is told at once. All zeros is "no
//! trade yet". Nothing here allocates.

use bytemuck::{Pod, Zeroable};

/// Trades that are waited for the other leg.
const PATIENCE: u64 = 256;

/// The ids of one symbol's trades.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Trail {
    /// Highest id taken in; 0 = none yet.
    last: u64,
    /// The open hole: the first id that is missing, and the first behind it; equal = none.
    hole: [u64; 2],
    /// The leg that skipped it.
    leg: u64,
}

impl Trail {
    /// True once a trade was met.
    pub(super) const fn is_heard(&self) -> bool {
        self.last != 0
    }

    /// Takes the id of a leg's trade; `up` has a bit for every leg that is connected. The answer is
    /// the first id that is now known to be lost, if any is.
    #[inline]
    pub(super) fn follow(&mut self, leg: usize, up: u8, id: u64) -> Option<u64> {
        let [missing, behind] = self.hole;
        let mut lost = None;
        if missing != behind {
            let other = leg as u64 != self.leg;
            if id == missing {
                self.hole[0] += 1;
            } else if up != 3 || (other && id > missing) || id > behind.saturating_add(PATIENCE) {
                lost = Some(missing);
                self.hole = [0; 2];
            }
        }
        let next = self.last.wrapping_add(1);
        if self.last != 0 && id > next {
            if up == 3 && self.hole[0] == self.hole[1] && lost.is_none() {
                self.hole = [next, id];
                self.leg = leg as u64;
            } else {
                lost = lost.or(Some(next));
            }
        }
        self.last = self.last.max(id);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leg_tells_a_hole_at_once() {
        let mut trail = Trail::default();
        let told: Vec<_> = [7, 8, 8, 9, 12, 13, 10]
            .map(|id| trail.follow(0, 1, id))
            .into();
        assert_eq!(told, [None, None, None, None, Some(10), None, None]);
    }

    #[test]
    fn what_one_leg_skips_the_other_may_bring() {
        let mut trail = Trail::default();
        for (leg, id, lost) in [
            (0, 7, None),
            (1, 7, None),
            (0, 10, None),
            (1, 8, None),
            (0, 11, None),
            (1, 9, None),
            (1, 10, None),
            (0, 14, None),
            // The other leg has skipped 12 as well.
            (1, 13, Some(12)),
            (1, 14, None),
            (0, 15, None),
            (0, 17, None),
            (0, 19, Some(18)),
            (1, 16, None),
        ] {
            assert_eq!(trail.follow(leg, 3, id), lost, "{leg} {id}");
        }
        // The leg that would have brought it is gone.
        assert_eq!(trail.follow(0, 3, 21), None);
        assert_eq!(trail.follow(0, 1, 22), Some(20));
        assert_eq!(trail.follow(0, 1, 23), None);
        // The other leg is there, but says nothing.
        assert_eq!(trail.follow(0, 3, 30), None);
        let lost: Vec<_> = (31..300).filter_map(|id| trail.follow(0, 3, id)).collect();
        assert_eq!(lost, [24]);
    }
}
