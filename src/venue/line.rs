//! Line: what is fixed or learned about one symbol at one venue.
//!
//! Prices and quantities leave a decoder in canonical lots (`market::lot_of`): a venue that trades
//! another multiple, or contracts of so many coins, is scaled by a power of ten as its numbers are
//! read, by aiming at more or fewer decimals. Shapes remember how many decimals the last frames
//! had, which is what makes the fast loops fast.

use super::index::Index;
use super::ledger::take;
use super::{Venue, VenueError, canonical, instrument_name, is_literal};
use crate::num::{Px, Qty};
use crate::wire::decimal::Shape;

/// One symbol's line; `own` is what only this venue needs.
#[derive(Debug)]
pub(crate) struct Line<T> {
    /// The instrument's name at the venue.
    pub(crate) name: String,
    /// Decimal places of a price and of a quantity as they leave here, counted in the venue's
    /// numbers.
    pub(crate) px_target: u32,
    pub(crate) qty_target: u32,
    /// Decimals to take off (add) to show a canonical price (quantity) as the venue writes it.
    pub(crate) shift: i32,
    /// Power of ten of the coins in one contract; 0 where quantities are coins.
    pub(crate) contract: i32,
    /// Most places seen in a price and a quantity.
    pub(crate) places: (u32, u32),
    /// Shapes of the last frames; `None` until the first.
    pub(crate) shapes: Option<(Shape, Shape)>,
    pub(crate) own: T,
}

/// The lines of a decoder's assets and the index of their names.
///
/// # Errors
/// An asset the venue cannot name, or one that is listed twice.
pub(crate) fn lines<T>(
    row: &'static Venue,
    assets: &[String],
    own: impl Fn(&str, u32, u32) -> Option<T>,
) -> Result<(Vec<Line<T>>, Index), VenueError> {
    let mut lines = Vec::with_capacity(assets.len());
    let mut symbols = Index::new(assets.len());
    for (symbol, asset) in assets.iter().enumerate() {
        let wrong = |why| VenueError::Asset {
            asset: asset.clone(),
            venue: row.name,
            why,
        };
        let name = instrument_name(row.id, asset).unwrap_or_default();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if asset.is_empty() || !name.bytes().all(plain) {
            return Err(wrong("a name of letters and digits is wanted"));
        }
        if name.len() > row.name_max {
            return Err(wrong("the name is too long"));
        }
        let (back, shift) = if is_literal(asset) {
            (asset.as_str(), 0)
        } else {
            canonical(row.id, &name).ok_or_else(|| wrong("its lot is no power of ten"))?
        };
        if back != asset {
            return Err(wrong("its instrument is another asset's"));
        }
        if symbols.get(name.as_bytes()).is_some() {
            return Err(wrong("it is listed twice"));
        }
        symbols.put(name.as_bytes(), symbol);
        let line = Line::new(name, shift, &own).ok_or_else(|| wrong("its lot does not fit"))?;
        lines.push(line);
    }
    Ok((lines, symbols))
}

/// Decimals that a venue quantity of `10^shift` lots, in contracts of `10^contract` coins, has
/// when it leaves; `None` when that is no number of places.
fn qty_target(shift: i32, contract: i32) -> Option<u32> {
    let places = i64::from(Qty::DECIMALS) + i64::from(shift) + i64::from(contract);
    u32::try_from(places).ok().filter(|places| *places <= 18)
}

impl<T> Line<T> {
    /// `None` when the lot's power of ten does not fit.
    fn new(name: String, shift: i32, own: &impl Fn(&str, u32, u32) -> Option<T>) -> Option<Self> {
        // A venue quantity is `10^shift` lots, a venue price the price of `10^shift` lots.
        let px = u32::try_from(i64::from(Px::DECIMALS) - i64::from(shift)).ok()?;
        let qty = qty_target(shift, 0)?;
        Some(Self {
            own: own(&name, px, qty)?,
            px_target: px,
            qty_target: qty,
            shift,
            contract: 0,
            places: (0, 0),
            shapes: None,
            name,
        })
    }

    /// A contract is `10^power` coins from here on; false when quantities would not fit.
    pub(crate) fn set_contract(&mut self, power: i32) -> bool {
        let Some(target) = qty_target(self.shift, power) else {
            return false;
        };
        if target != self.qty_target {
            self.qty_target = target;
            self.shapes = None;
        }
        self.contract = power;
        true
    }

    /// Takes over the places of a frame whose dots were searched; `values` are those of a ticker,
    /// which shape no loop.
    #[inline(always)]
    pub(crate) fn learn(&mut self, (px, qty): (u32, u32), values: bool) {
        let most = (self.places.0.max(px), self.places.1.max(qty));
        let same = self
            .shapes
            .as_ref()
            .is_some_and(|(p, q)| p.places() == px && q.places() == qty);
        if !same && !values || most != self.places {
            self.shape(px, qty, most, values);
        }
    }

    #[cold]
    fn shape(&mut self, px: u32, qty: u32, most: (u32, u32), values: bool) {
        self.places = most;
        // The shapes follow the newest frame, not the most places ever: one odd frame must not
        // spoil the fast loop.
        if !values {
            let px = Shape::new(px, self.px_target, 1);
            self.shapes = px.zip(Shape::new(qty, self.qty_target, 0));
        }
    }

    /// Decimals the venue prints for a price and a quantity, in canonical lots.
    pub(crate) fn shown(&self) -> (u8, u8) {
        let shown = |places: u32, shift: i32| {
            let places = i64::from(places) + i64::from(shift);
            u8::try_from(places.max(0)).unwrap_or(u8::MAX)
        };
        // A price of `10^-shift` as many units has that many places fewer, a quantity more.
        (
            shown(self.places.0, self.shift),
            shown(self.places.1, -self.shift - self.contract),
        )
    }

    /// Appends what was learned: contract and places; shapes come back with the next frame.
    pub(crate) fn remember(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.contract.to_le_bytes());
        out.extend_from_slice(&self.places.0.to_le_bytes());
        out.extend_from_slice(&self.places.1.to_le_bytes());
    }

    /// Takes back what [`Line::remember`] gave.
    pub(crate) fn recall(&mut self, from: &mut &[u8]) -> Option<()> {
        let contract = i32::from_le_bytes(*take::<4>(from)?);
        self.places = (
            u32::from_le_bytes(*take::<4>(from)?),
            u32::from_le_bytes(*take::<4>(from)?),
        );
        self.set_contract(contract).then_some(())
    }
}
