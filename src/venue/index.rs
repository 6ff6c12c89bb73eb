//! Index: short names to small numbers, for symbols and field names met in frames.
//!
//! Open addressing, at most a quarter full, keys of up to [`Index::KEY`] bytes as three words: a
//! lookup hashes three words and compares three. Made at start, never changed on the hot path.

/// Short names to small numbers.
#[derive(Debug)]
pub(crate) struct Index {
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: [u64; 3],
    value: u32,
}

const EMPTY: u32 = u32::MAX;

impl Index {
    /// Longest name; its length takes the byte behind.
    pub(crate) const KEY: usize = 23;

    pub(crate) fn new(names: usize) -> Self {
        let slot = Slot {
            key: [0; 3],
            value: EMPTY,
        };
        Self {
            slots: vec![slot; (names.max(4) * 4).next_power_of_two()],
        }
    }
    #[inline(always)]
    fn place(&self, key: [u64; 3]) -> usize {
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let hash = (key[0] ^ key[1].rotate_left(23) ^ key[2].rotate_left(41)).wrapping_mul(MIX);
        (hash >> 32) as usize & (self.slots.len() - 1)
    }
    fn key(name: &[u8]) -> Option<[u64; 3]> {
        let mut bytes = [0u8; Self::KEY + 1];
        bytes[..Self::KEY]
            .get_mut(..name.len())?
            .copy_from_slice(name);
        bytes[Self::KEY] = name.len() as u8;
        let mut key = [0u64; 3];
        for (word, chunk) in key.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut eight = [0u8; 8];
            eight.copy_from_slice(chunk);
            *word = u64::from_le_bytes(eight);
        }
        Some(key)
    }
    /// Adds a name; one that is too long is left out, and never found.
    pub(crate) fn put(&mut self, name: &[u8], value: usize) {
        let Some(key) = Self::key(name) else { return };
        let mut at = self.place(key);
        let around = self.slots.len() - 1;
        while self.slots[at].value != EMPTY {
            at = (at + 1) & around;
        }
        self.slots[at] = Slot {
            key,
            value: u32::try_from(value).unwrap_or(EMPTY),
        };
    }
    pub(crate) fn get(&self, name: &[u8]) -> Option<usize> {
        self.find(Self::key(name)?)
    }
    /// The value of a name given as its bytes, zeros behind, and its length in the last byte: a name with zeros of
    /// its own is another name.
    #[inline(always)]
    pub(crate) fn find(&self, key: [u64; 3]) -> Option<usize> {
        let mut at = self.place(key);
        let around = self.slots.len() - 1;
        loop {
            let slot = self.slots.get(at)?;
            if slot.value == EMPTY {
                return None;
            }
            if slot.key == key {
                return Some(slot.value as usize);
            }
            at = (at + 1) & around;
        }
    }
}

/// The first `len` (at most [`Index::KEY`]) bytes of a window from `at` as a key.
#[inline(always)]
pub(crate) fn long_key(window: &crate::wire::Window, at: usize, len: usize) -> [u64; 3] {
    use crate::wire::cursor::key;
    let [a, b] = key(window, at, len.min(16));
    let [c, _] = key(window, at.wrapping_add(16), len.saturating_sub(16));
    [a, b, c | (len as u64) << 56]
}
