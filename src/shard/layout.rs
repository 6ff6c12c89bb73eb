//! Layout: a number that says how the shard's bytes are meant. A checkpoint carries it; another number is refused.
//!
//! It is a hash of the names, offsets and sizes of the fields of head, room and place. What lies inside a field of the
//! same size (an inventory, a book, the streams) is not seen by it: whoever changes the meaning of those bytes raises
//! [`FORM`].

use crate::shm::record::{FNV_START, fnv_words};

/// Raised by hand when bytes change their meaning without changing the table.
const FORM: u64 = 2;

/// A type's fields: name and offset, in order, and the size of the whole.
pub(super) trait Layout {
    const FIELDS: &'static [(&'static str, usize)];
    const SIZE: usize;
}

/// States the fields of a type for [`layout_hash`]. Fields that are left out are seen by the offsets behind them.
macro_rules! layout {
    ($type:ident: $($field:ident),+ $(,)?) => {
        impl crate::shard::layout::Layout for $type {
            const FIELDS: &'static [(&'static str, usize)] =
                &[$((stringify!($field), core::mem::offset_of!($type, $field))),+];
            const SIZE: usize = size_of::<$type>();
        }
    };
}

fn chain<T: Layout>(hash: u64) -> u64 {
    let hash = fnv_words(hash, &[T::SIZE as u64]);
    T::FIELDS.iter().fold(hash, |hash, (name, offset)| {
        let hash = name
            .bytes()
            .fold(hash, |hash, byte| fnv_words(hash, &[u64::from(byte)]));
        fnv_words(hash, &[*offset as u64])
    })
}

/// Hash of how the state's bytes are meant, in this build.
#[must_use]
pub fn layout_hash() -> u64 {
    let hash = fnv_words(FNV_START, &[FORM]);
    let hash = chain::<super::Head>(hash);
    let hash = chain::<super::room::Room>(hash);
    chain::<super::place::Place>(hash)
}
