//! Plot: pictures for people, as PNG. Reads histories and figures; never the engine.
//!
//! Drawn to be read on a phone: a width of 1,080 and big type; other sizes scale with the width. Colours rise evenly in
//! lightness, so the order of amounts survives colour blindness and black-and-white print; what colour tells is told by
//! place or shape too. Money is absolute, in USD; a time or price of which nothing is known is hatched, never zero.
//!
//! `canvas` holds pixels, type and PNG, `colour` the colours, `scale` numbers, times and ticks as people write them,
//! `frame` what stands around each picture; `heat`, `curve` and `reliability` are the three.

mod canvas;
mod colour;
pub mod curve;
mod frame;
pub mod heat;
pub mod reliability;
mod scale;

/// Pixels of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Size {
    /// Smallest and largest side that is drawn.
    pub const SIDES: (u32, u32) = (320, 8_000);

    /// True when a picture of this size can be drawn.
    #[must_use]
    pub const fn is_drawable(self) -> bool {
        let (least, most) = Self::SIDES;
        self.width >= least && self.width <= most && self.height >= least && self.height <= most
    }
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// Nothing to draw.
    #[error("{0}")]
    Nothing(String),
    /// A size that is none.
    #[error("a picture has sides of {} to {} pixels", Size::SIDES.0, Size::SIDES.1)]
    Size,
    /// The drawing crate refused.
    #[error("drawing: {0}")]
    Draw(String),
    /// The compressor refused.
    #[error("writing the picture: {0}")]
    Png(#[from] std::io::Error),
}
