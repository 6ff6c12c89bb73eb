//! Accounts: public addresses to short ids, in order of appearance, from 1.
//!
//! A table of fixed size, made at start: an address that comes when it is full has id 0, "not known". Open addressing
//! by the address's own bytes, which are a hash already; half full at most. An id is never given to another address.

use super::super::ledger::take;

/// A public address; all zeros where the venue told none.
pub(super) type Address = [u8; 20];

/// Most addresses.
const MOST: usize = 1 << 16;
const SLOTS: usize = 2 * MOST;

/// Addresses that were met.
#[derive(Debug)]
pub(super) struct Accounts {
    /// Addresses by id less 1.
    known: Vec<Address>,
    /// Ids by place; 0 = free.
    slots: Box<[u32]>,
}

impl Accounts {
    pub(super) fn new() -> Self {
        Self {
            known: Vec::with_capacity(MOST),
            slots: vec![0; SLOTS].into_boxed_slice(),
        }
    }

    /// The id of an address, and whether it was given just now; 0 for none, and for a new one when the table is full.
    pub(super) fn id(&mut self, address: &Address) -> (u32, bool) {
        if *address == [0; 20] {
            return (0, false);
        }
        let mut at = place(address);
        while let Some(&id) = self.slots.get(at) {
            if id == 0 {
                break;
            }
            if self.known.get(id as usize - 1) == Some(address) {
                return (id, false);
            }
            at = (at + 1) % SLOTS;
        }
        // LIMIT: whoever comes when the table is full trades as "not known", which trades may always be.
        if self.known.len() == MOST {
            return (0, false);
        }
        self.known.push(*address);
        let id = self.known.len() as u32;
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = id;
        }
        (id, true)
    }

    /// The address of an id; `None` for one that was not given.
    pub(super) fn address(&self, id: u32) -> Option<Address> {
        self.known.get((id as usize).checked_sub(1)?).copied()
    }

    pub(super) fn remember(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.known.len() as u32).to_le_bytes());
        for address in &self.known {
            out.extend_from_slice(address);
        }
    }

    pub(super) fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        self.known.clear();
        self.slots.fill(0);
        for _ in 0..u32::from_le_bytes(*take::<4>(from)?) {
            let (_, is_new) = self.id(take::<20>(from)?);
            if !is_new {
                return None;
            }
        }
        Some(())
    }
}

fn place(address: &Address) -> usize {
    let word = |at: usize| {
        let mut bytes = [0u8; 8];
        bytes.copy_from_slice(&address[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let hash = (word(0) ^ word(12).rotate_left(23)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> 40) as usize % SLOTS
}

/// Reads `0x` and forty hexadecimal digits; `None` when it is no address.
pub(super) fn address(text: &[u8]) -> Option<Address> {
    digits(text.strip_prefix(b"0x")?)
}

/// Reads forty hexadecimal digits.
#[inline(always)]
pub(super) fn digits(text: &[u8]) -> Option<Address> {
    let text: &[u8; 40] = text.try_into().ok()?;
    let mut address = [0u8; 20];
    let mut bad = 0u8;
    for (byte, pair) in address.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = [digit(pair[0]), digit(pair[1])];
        bad |= high | low;
        *byte = high << 4 | low & 15;
    }
    (bad < 16).then_some(address)
}

/// The value of a digit; 255 for none.
#[inline(always)]
const fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => u8::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_id_and_a_full_table_says_so() {
        let mut accounts = Accounts::new();
        let of = |n: u32| {
            let mut address = [7u8; 20];
            address[..4].copy_from_slice(&n.to_le_bytes());
            address
        };
        for n in 0..MOST as u32 {
            assert_eq!(accounts.id(&of(n)), (n + 1, true));
        }
        assert_eq!(accounts.id(&of(5)), (6, false));
        assert_eq!(accounts.id(&of(MOST as u32)), (0, false));
        assert_eq!(accounts.id(&[0; 20]), (0, false));
        assert_eq!(accounts.address(6), Some(of(5)));
        assert_eq!(
            [0, MOST as u32 + 1].map(|id| accounts.address(id)),
            [None; 2]
        );
        let mut memory = Vec::new();
        accounts.remember(&mut memory);
        let mut other = Accounts::new();
        let mut from = memory.as_slice();
        assert!(other.recall(&mut from).is_some() && from.is_empty());
        assert_eq!(other.id(&of(77)), (78, false));
        assert!(other.recall(&mut &memory[..99]).is_none());
    }

    #[test]
    fn an_address_is_forty_digits() {
        let text = b"0x9aa589355bf745db9784c8ef3c646360F11B58AF";
        let read = address(text).unwrap();
        assert_eq!((read[0], read[19]), (0x9a, 0xaf));
        for bad in [&text[..41], &text[2..], b"", b"0xx"] {
            assert_eq!(address(bad), None);
        }
        let mut other = *text;
        other[20] = b'g';
        assert_eq!(address(&other), None);
    }
}
