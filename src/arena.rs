//! Arena: one zeroed, pointer-free block of memory, sized once, read and written as plain records.
//!
//! Shard state lives here so that a checkpoint is its bytes. Everything in it is `Pod` (`repr(C)`, no padding, no
//! pointer, any bit pattern valid), so typed views are casts that the compiler checks and no `unsafe` is needed.
//! After construction nothing here asks for memory; "full" is an answer of [`Bounded::push`], not an event.

use bytemuck::{Pod, Zeroable};

/// A cache line of zeros: the unit the arena is made of, which gives every record in it 64-byte alignment.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// One block: a head record and a run of equal rooms behind it.
#[derive(Debug)]
pub struct Arena {
    lines: Box<[Line]>,
    head_lines: usize,
}

const fn lines_of(bytes: usize) -> usize {
    bytes.div_ceil(64)
}

impl Arena {
    /// Bytes an arena of one `H` and `rooms` times `R` takes.
    #[must_use]
    pub const fn bytes_for<H, R>(rooms: usize) -> usize {
        (lines_of(size_of::<H>()) + lines_of(size_of::<R>() * rooms)) * 64
    }

    /// A zeroed arena of one `H` and `rooms` times `R`, every page touched, so that no fault comes later.
    #[must_use]
    pub fn new<H: Pod, R: Pod>(rooms: usize) -> Self {
        const { assert!(align_of::<H>() <= 64 && align_of::<R>() <= 64) };
        let head_lines = lines_of(size_of::<H>());
        let all = head_lines + lines_of(size_of::<R>() * rooms);
        // Written, not only mapped: zero pages would fault one by one on the hot path.
        let mut lines = vec![Line([1; 8]); all].into_boxed_slice();
        lines.fill(Line([0; 8]));
        Self { lines, head_lines }
    }

    /// The head and the rooms.
    #[must_use]
    pub fn view<H: Pod, R: Pod>(&self) -> (&H, &[R]) {
        let (head, rooms) = self.lines.split_at(self.head_lines);
        let head: &[u8] = bytemuck::cast_slice(head);
        let rooms: &[u8] = bytemuck::cast_slice(rooms);
        let whole = rooms.len() - rooms.len() % size_of::<R>().max(1);
        (
            bytemuck::from_bytes(&head[..size_of::<H>()]),
            bytemuck::cast_slice(&rooms[..whole]),
        )
    }

    /// The head and the rooms, to write.
    #[must_use]
    pub fn view_mut<H: Pod, R: Pod>(&mut self) -> (&mut H, &mut [R]) {
        let (head, rooms) = self.lines.split_at_mut(self.head_lines);
        let head: &mut [u8] = bytemuck::cast_slice_mut(head);
        let rooms: &mut [u8] = bytemuck::cast_slice_mut(rooms);
        let whole = rooms.len() - rooms.len() % size_of::<R>().max(1);
        (
            bytemuck::from_bytes_mut(&mut head[..size_of::<H>()]),
            bytemuck::cast_slice_mut(&mut rooms[..whole]),
        )
    }

    /// The whole block: what a checkpoint stores.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.lines)
    }

    /// The whole block, to fill from a checkpoint.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }
}

/// A list with room for `N`, in place.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Bounded<T, const N: usize> {
    used: u64,
    items: [T; N],
}

// SAFETY: zero is a valid `u64` and a valid array of zeroable items.
unsafe impl<T: Zeroable, const N: usize> Zeroable for Bounded<T, N> {}
// SAFETY: `repr(C)` of a u64 and an array of Pod items; `CHECK` (evaluated by every constructor and accessor that
// can put an item in) refuses item types whose alignment or size would leave padding.
unsafe impl<T: Pod, const N: usize> Pod for Bounded<T, N> {}

impl<T: Pod, const N: usize> Bounded<T, N> {
    const CHECK: () = assert!(
        align_of::<T>() <= 8 && (size_of::<T>() * N).is_multiple_of(8),
        "an item type that leaves no padding"
    );

    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        let () = Self::CHECK;
        Self::zeroed()
    }
    /// The items.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        let () = Self::CHECK;
        &self.items[..self.len()]
    }
    /// The items, to write.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        let () = Self::CHECK;
        let used = self.len();
        &mut self.items[..used]
    }
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.used as usize).min(N)
    }
    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }
    /// Adds one; `false` when full, and nothing changed.
    #[must_use]
    pub fn push(&mut self, item: T) -> bool {
        let () = Self::CHECK;
        let at = self.len();
        if at == N {
            return false;
        }
        self.items[at] = item;
        self.used = at as u64 + 1;
        true
    }
    /// Inserts at `at` (clipped to the end), moving the rest; when full the last item falls off and is returned.
    pub fn insert(&mut self, at: usize, item: T) -> Option<T> {
        let () = Self::CHECK;
        if N == 0 {
            return Some(item);
        }
        let used = self.len();
        let at = at.min(used);
        if at == N {
            return Some(item);
        }
        let fallen = (used == N).then(|| self.items[N - 1]);
        let end = used.min(N - 1);
        self.items.copy_within(at..end, at + 1);
        self.items[at] = item;
        self.used = (end + 1) as u64;
        fallen
    }
    /// Removes the item at `at`, keeping order; `None` outside.
    pub fn remove(&mut self, at: usize) -> Option<T> {
        let () = Self::CHECK;
        let used = self.len();
        if at >= used {
            return None;
        }
        let item = self.items[at];
        self.items.copy_within(at + 1..used, at);
        self.items[used - 1] = T::zeroed();
        self.used = used as u64 - 1;
        Some(item)
    }
    /// Forgets all items (their bytes become zero, so equal states have equal bytes).
    pub fn clear(&mut self) {
        let used = self.len();
        self.items[..used].fill(T::zeroed());
        self.used = 0;
    }
}

impl<T: Pod, const N: usize> Default for Bounded<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_rooms_share_one_block() {
        let mut arena = Arena::new::<[u64; 3], [u32; 5]>(7);
        let (head, rooms) = arena.view_mut::<[u64; 3], [u32; 5]>();
        assert!(rooms.len() >= 7);
        head[2] = 9;
        rooms[6][4] = 5;
        let (head, rooms) = arena.view::<[u64; 3], [u32; 5]>();
        assert_eq!((head[2], rooms[6][4], rooms[0][0]), (9, 5, 0));
        assert_eq!(
            arena.bytes().len(),
            Arena::bytes_for::<[u64; 3], [u32; 5]>(7)
        );
    }

    #[test]
    fn a_full_list_says_so_and_an_insert_drops_the_last() {
        let mut list = Bounded::<u64, 3>::new();
        assert!(list.push(1) && list.push(3) && list.push(4));
        assert!(!list.push(5));
        assert_eq!(list.insert(1, 2), Some(4));
        assert_eq!(list.as_slice(), [1, 2, 3]);
        assert_eq!(list.insert(3, 9), Some(9));
        assert_eq!(list.remove(0), Some(1));
        assert_eq!(list.as_slice(), [2, 3]);
    }
}
