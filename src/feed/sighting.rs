//! Sighting: an account that traded, told by a feed to the control thread, which asks what it holds.
//!
//! One fixed record an owner of a trade, through a ring of the feed's own: no allocation and no wait. A ring that is
//! full loses sightings and nothing else; whoever reads it sees that it was full.

use crate::ring::Producer;
use crate::venue::lane::Lane;
use bytemuck::{Pod, Zeroable};

/// Sightings that a feed's ring holds.
pub const RING: usize = 1 << 13;

/// An owner of one trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Sighting {
    /// Notional of the trade, cents.
    pub usd: i64,
    /// Whose.
    pub address: [u8; 20],
    /// Keeps the record whole words.
    pub spare: [u8; 4],
}

/// Tells the owners of the trades in the first `events` events of the lane's last frame.
#[inline]
pub(super) fn tell(to: &mut Producer<Sighting>, lane: &Lane, events: usize) {
    lane.owners(events, |address, usd| {
        // LIMIT: what does not fit is seen again with the account's next trade.
        let _ = to.push(Sighting {
            usd: usd.get(),
            address,
            spare: [0; 4],
        });
    });
}
