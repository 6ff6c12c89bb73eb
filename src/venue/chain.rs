//! Chain: the numbering of one stream of one symbol, heard over one or two connections.
//!
//! Every venue links its updates: each names its own id and the id it follows. A chain holds the
//! last id that was taken in, and says of every update what it is: the *next* one, an *old* one
//! (the other leg brought it already), or a *break*. With two legs up, an update that is too far
//! ahead on one of them is not yet a break: the other leg may still bring what is missing, and its
//! own next update then fits again. Meanwhile the ledger keeps what came too early (`early`), and the
//! chain [`goes on`](Chain::go_on) with it. Only when every leg that is up has run ahead, or the others
//! have not caught up within [`PATIENCE`] updates, is something lost.
//!
//! A leg is an ordered stream, so a run of ids that lie behind what the same leg has told means that
//! the service began anew behind it: after [`BACK`] of them the chain is broken too. A single one is
//! a repetition. Nothing here allocates.

use bytemuck::{Pod, Zeroable};

/// Updates that one leg may run ahead while the other is waited for.
const PATIENCE: u16 = 64;
/// Updates in a row behind what their leg has told, before its numbering is believed to have begun
/// anew.
const BACK: u16 = 8;

/// How an update is linked to the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// It is a whole image: what came before does not matter.
    pub(crate) image: bool,
    /// The id it follows.
    pub(crate) prev: u64,
    /// Its own id.
    pub(crate) update: u64,
}

/// What an update is to its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// To be applied.
    Next,
    /// Known already, or meaningless before an image: to be dropped.
    Old,
    /// Behind what the same leg has told: known, or from behind a numbering that goes on lower, which the other leg may
    /// still bring. To be kept until this leg goes on as before.
    Low,
    /// Ahead on this leg, while the other may bring what is missing: to be kept until then.
    Ahead,
    /// Something is lost; the chain now waits for an image.
    Broken {
        /// The id that was due.
        expected: u64,
    },
}

/// The numbering of one stream. All zeros is "no image yet".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Chain {
    last: u64,
    /// The highest id of each leg; 0 = none since it came up or began anew.
    top: [u64; 2],
    /// 1 while the chain holds.
    whole: u32,
    /// Bit per leg that ran ahead.
    ahead: u16,
    /// Updates that were ahead since the chain last moved.
    waited: u16,
    /// Updates of each leg in a row that lay behind its top.
    back: [u16; 2],
    /// Bit per leg that has told anything since it came up.
    told: u16,
    /// Bit per leg that still tells the numbering from before it went on lower.
    above: u16,
}

impl Chain {
    /// True until an image, and again after a break.
    pub(crate) const fn waits(&self) -> bool {
        self.whole == 0
    }

    /// The last id taken in; `None` while it waits.
    pub(crate) const fn last(&self) -> Option<u64> {
        if self.whole == 0 {
            None
        } else {
            Some(self.last)
        }
    }

    /// Goes on with an update that was kept, whose turn it is, and which these legs brought.
    pub(crate) fn go_on(&mut self, legs: u8, update: u64) {
        if update < self.last {
            // Who brought it has told what lies behind it since, or will.
            self.above |= u16::from(!legs & 3);
        }
        self.last = update;
    }

    /// What is kept now is of these legs: they are ahead.
    pub(crate) fn set_ahead(&mut self, legs: u8) {
        self.ahead = u16::from(legs);
    }

    /// Takes an update of a leg (0 or 1); `up` has a bit for every leg that is connected.
    #[inline]
    pub(crate) fn follow(&mut self, leg: usize, up: u8, link: Link) -> Step {
        let leg = leg & 1;
        self.hear(leg);
        let top = self.top[leg];
        let joins = top == 0;
        let behind = link.update <= top;
        self.back[leg] = if behind {
            self.back[leg].saturating_add(1)
        } else {
            0
        };
        self.top[leg] = self.top[leg].max(link.update).max(1);
        let bit = 1u16 << leg;
        if link.image {
            // The image a second leg begins with tells nothing that the first has not told.
            let told = joins && self.whole != 0 && u16::from(up) & !bit != 0;
            if told && link.update <= self.last {
                return Step::Old;
            }
            self.top[leg] = link.update.max(1);
            self.back[leg] = 0;
            self.begin(link.update);
            return Step::Next;
        }
        if self.whole == 0 {
            self.back[leg] = 0;
            return Step::Old;
        }
        if link.prev == self.last {
            self.above &= !bit;
            if link.update < self.last && self.top[leg ^ 1] != 0 {
                // Linked, and lower: the numbering goes on from elsewhere, and the other leg has yet to follow.
                self.above |= !bit & 3;
            }
            self.last = link.update;
            self.top[leg] = link.update.max(1);
            self.back[leg] = 0;
            self.ahead = 0;
            self.waited = 0;
            return Step::Next;
        }
        if self.above & bit != 0 {
            if link.update >= top {
                // One that never follows, while nothing else moves the chain, is believed in the end.
                self.waited = self.waited.saturating_add(1);
                if self.waited < PATIENCE {
                    return Step::Old;
                }
            } else {
                self.top[leg] = link.update.max(1);
                self.back[leg] = 0;
            }
            self.above &= !bit;
        }
        if link.update <= self.last && self.back[leg] < BACK {
            let low = link.update < self.top[leg] && up == 3;
            return if low { Step::Low } else { Step::Old };
        }
        self.ahead |= bit;
        self.waited = self.waited.saturating_add(1);
        let others = u16::from(up) & !self.ahead;
        if others != 0 && self.waited < PATIENCE {
            return Step::Ahead;
        }
        let expected = self.last.wrapping_add(1);
        self.wait();
        self.top = [0; 2];
        Step::Broken { expected }
    }

    /// Begins at an id that came from elsewhere (a REST image).
    pub(crate) fn begin(&mut self, at: u64) {
        self.last = at;
        self.whole = 1;
        self.ahead = 0;
        self.above = 0;
        self.waited = 0;
    }

    /// A leg told something of this stream, be it followed or not: it carries it.
    #[inline]
    pub(crate) fn hear(&mut self, leg: usize) {
        self.told |= 1 << (leg & 1);
    }

    /// Waits for an image.
    pub(crate) fn wait(&mut self) {
        self.whole = 0;
        self.ahead = 0;
        self.waited = 0;
    }

    /// A leg went down; `up` has the legs that are left. True when they all had run ahead, or have
    /// told nothing yet: what the lost leg would have brought is lost, and the chain waits.
    pub(crate) fn leg_down(&mut self, leg: usize, up: u8) -> bool {
        self.top[leg & 1] = 0;
        self.back[leg & 1] = 0;
        self.ahead &= !(1 << (leg & 1));
        self.told &= !(1 << (leg & 1));
        self.above &= !(1 << (leg & 1));
        if up == 0 {
            self.wait();
            return false;
        }
        // A leg that has just come up may begin anywhere behind.
        let carry = u16::from(up) & !self.ahead & self.told;
        let lost = self.whole != 0 && carry == 0;
        if lost {
            self.wait();
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(update: u64) -> Link {
        Link {
            image: false,
            prev: update - 1,
            update,
        }
    }

    fn image(update: u64) -> Link {
        Link {
            image: true,
            prev: 0,
            update,
        }
    }

    #[test]
    fn one_leg_breaks_at_the_first_missing_update() {
        let mut chain = Chain::default();
        assert_eq!(chain.follow(0, 1, delta(7)), Step::Old, "before an image");
        assert_eq!(chain.follow(0, 1, image(10)), Step::Next);
        assert_eq!(chain.follow(0, 1, delta(11)), Step::Next);
        assert_eq!(chain.follow(0, 1, delta(13)), Step::Broken { expected: 12 });
        assert!(chain.waits());
        assert_eq!(chain.follow(0, 1, delta(14)), Step::Old);
        assert_eq!(chain.follow(0, 1, image(20)), Step::Next);
        // The service began anew without saying so; one repetition says nothing.
        assert_eq!(chain.follow(0, 1, delta(19)), Step::Old);
        assert_eq!(chain.follow(0, 1, delta(21)), Step::Next);
        let steps: Vec<Step> = (3..3 + u64::from(BACK))
            .map(|id| chain.follow(0, 1, delta(id)))
            .collect();
        assert_eq!(steps.last(), Some(&Step::Broken { expected: 22 }));
        // An image may begin anywhere.
        assert_eq!(chain.follow(0, 1, image(1)), Step::Next);
    }

    #[test]
    fn what_one_leg_misses_the_other_brings() {
        let mut chain = Chain::default();
        chain.follow(0, 3, image(10));
        assert_eq!(chain.follow(1, 3, image(9)), Step::Old, "joins behind");
        for id in [10, 11] {
            chain.follow(1, 3, delta(id));
        }
        assert_eq!(chain.last(), Some(11));
        assert_eq!(chain.follow(0, 3, delta(11)), Step::Old);
        assert_eq!(chain.follow(0, 3, delta(13)), Step::Ahead);
        assert_eq!(chain.follow(1, 3, delta(12)), Step::Next);
        assert_eq!(chain.follow(1, 3, delta(13)), Step::Next);
        assert_eq!(chain.follow(0, 3, delta(14)), Step::Next);
        // Both miss 15.
        assert_eq!(chain.follow(0, 3, delta(16)), Step::Ahead);
        assert_eq!(chain.follow(1, 3, delta(14)), Step::Old);
        assert_eq!(chain.follow(1, 3, delta(16)), Step::Broken { expected: 15 });
    }

    #[test]
    fn a_leg_that_stays_away_is_not_waited_for_for_ever() {
        let mut chain = Chain::default();
        chain.follow(0, 3, image(10));
        let steps: Vec<Step> = (12..12 + 2 * u64::from(PATIENCE))
            .map(|id| chain.follow(0, 3, delta(id)))
            .collect();
        assert!(steps.contains(&Step::Broken { expected: 11 }));
        let mut chain = Chain::default();
        chain.follow(0, 3, image(10));
        chain.follow(0, 3, delta(12));
        assert!(chain.leg_down(1, 1), "the leg that was waited for is gone");
        assert!(chain.waits());
    }

    #[test]
    fn a_leg_that_has_told_nothing_yet_does_not_stand_in_for_the_one_that_dies() {
        let mut chain = Chain::default();
        chain.follow(0, 1, image(10));
        assert!(chain.leg_down(0, 2), "the second leg has just come up");
        assert!(chain.waits());
        assert_eq!(chain.follow(1, 2, image(15)), Step::Next);
        // One that has told the image does.
        let mut chain = Chain::default();
        chain.follow(0, 3, image(10));
        chain.follow(1, 3, image(10));
        assert!(!chain.leg_down(0, 2));
        assert_eq!(chain.follow(1, 2, delta(11)), Step::Next);
    }

    #[test]
    fn a_quiet_book_that_repeats_its_id_does_not_wear_its_chain_out() {
        // OKX sends an update that follows itself when nothing changes for a minute.
        let mut chain = Chain::default();
        chain.follow(0, 1, image(10));
        let still = Link {
            image: false,
            prev: 10,
            update: 10,
        };
        for _ in 0..70_000 {
            assert_eq!(chain.follow(0, 1, still), Step::Next);
        }
        assert_eq!(
            chain.follow(0, 1, delta(9)),
            Step::Old,
            "one repetition says nothing"
        );
        assert_eq!(chain.follow(0, 1, delta(11)), Step::Next);
    }

    #[test]
    fn a_numbering_that_goes_on_lower_is_followed_on_both_legs() {
        let mut chain = Chain::default();
        let up = 3;
        for leg in [0, 1] {
            chain.follow(leg, up, image(1_000_000));
        }
        let lower = Link {
            image: false,
            prev: 1_000_000,
            update: 3,
        };
        assert_eq!(chain.follow(0, up, lower), Step::Next);
        assert_eq!(chain.follow(1, up, lower), Step::Old);
        // For longer than any counter of what lies behind.
        for update in 4..70_000 {
            assert_eq!(chain.follow(0, up, delta(update)), Step::Next);
            assert_eq!(chain.follow(1, up, delta(update)), Step::Old, "{update}");
        }
        // One that lags speaks of the old numbering for a while: it is neither ahead nor behind.
        let mut late = Chain::default();
        for leg in [0, 1] {
            late.follow(leg, up, image(1_000_000));
        }
        late.follow(0, up, delta(1_000_001));
        late.follow(
            0,
            up,
            Link {
                prev: 1_000_001,
                ..delta(3)
            },
        );
        late.follow(0, up, delta(4));
        assert_eq!(late.follow(1, up, delta(1_000_001)), Step::Old);
        assert_eq!(
            late.follow(
                1,
                up,
                Link {
                    prev: 1_000_001,
                    ..delta(3)
                }
            ),
            Step::Old
        );
        assert_eq!(
            late.follow(0, up, delta(6)),
            Step::Ahead,
            "the other may bring it"
        );
        assert_eq!(late.follow(1, up, delta(4)), Step::Old);
        assert_eq!(late.follow(1, up, delta(5)), Step::Next);
        // One that never goes lower is believed in the end, when it is alone.
        let mut alone = Chain::default();
        for leg in [0, 1] {
            alone.follow(leg, up, image(1_000_000));
        }
        alone.follow(0, up, lower);
        assert!(!alone.leg_down(0, 2));
        let steps: Vec<Step> = (1_000_001..1_000_001 + u64::from(PATIENCE))
            .map(|id| alone.follow(1, 2, delta(id)))
            .collect();
        assert_eq!(steps.last(), Some(&Step::Broken { expected: 4 }));
        // The second leg is believed when the first is gone, and a hole is found.
        assert!(!chain.leg_down(0, 2));
        assert_eq!(chain.follow(1, 2, delta(70_000)), Step::Next);
        assert!(matches!(
            chain.follow(1, 2, delta(70_002)),
            Step::Broken { .. }
        ));
    }
}
