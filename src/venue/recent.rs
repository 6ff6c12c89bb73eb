//! Recent: the ids of the last few thousand trades, so that none is applied twice.
//!
//! Venues repeat: after a subscription some send recent history, and two legs bring every trade
//! twice. An id is remembered in a set of eight on one cache line, chosen by its hash; the oldest
//! of the set makes room. A repetition within the last few hundred ids is always found; one much
//! older may not be, which is not how venues repeat. An id of 0 is remembered as 1.

/// Ids in a set: one cache line.
const WAYS: usize = 8;

/// Remembers recent ids.
#[derive(Debug, Clone)]
pub(crate) struct Recent {
    sets: Box<[[u64; WAYS]]>,
}

impl Recent {
    /// Room for about `ids` ids.
    pub(crate) fn new(ids: usize) -> Self {
        let sets = ids.div_ceil(WAYS).next_power_of_two().max(1);
        Self {
            sets: vec![[0; WAYS]; sets].into_boxed_slice(),
        }
    }

    /// True when the id was met before; remembers it.
    #[inline]
    pub(crate) fn is_known(&mut self, id: u64) -> bool {
        let id = id.max(1);
        let hash = (id ^ id >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let at = (hash >> 40) as usize & (self.sets.len() - 1);
        let Some(set) = self.sets.get_mut(at) else {
            return false;
        };
        let known = set.iter().fold(false, |known, old| known | (*old == id));
        if !known {
            set.copy_within(0..WAYS - 1, 1);
            set[0] = id;
        }
        known
    }

    /// Its memory as words, set by set.
    pub(crate) fn words(&self) -> impl Iterator<Item = u64> + '_ {
        self.sets.iter().flatten().copied()
    }

    /// The words of the same memory, to be filled.
    pub(crate) fn words_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        self.sets.iter_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_among_the_last_hundreds_is_found() {
        let mut recent = Recent::new(4096);
        for id in 0..100_000u64 {
            assert!(!recent.is_known(id * 7 + 2), "{id}");
            if id >= 300 {
                assert!(recent.is_known((id - 300) * 7 + 2), "{id}");
            }
        }
        assert!(!recent.is_known(0) && recent.is_known(0));
    }
}
