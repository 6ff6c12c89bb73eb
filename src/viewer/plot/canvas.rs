//! Canvas: pixels, the few things that are drawn on them, and PNG.
//!
//! The drawing crate draws shapes; type is set here, glyph by glyph at fractions of a pixel, from DejaVu Sans
//! compiled in, so that a machine without fonts draws the same picture. PNG is written here: five chunks, and the
//! compressor and checksum are in the tree anyway.

use super::{PlotError, Size, colour};
use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use plotters::backend::BitMapBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::style::{Color, RGBAColor, RGBColor, ShapeStyle};
use std::io::Write;

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Left edge, middle of its height.
    Left,
    /// Middle both ways.
    Middle,
    /// Right edge, middle of its height.
    Right,
}

/// Height of a capital over the size of the type.
const CAPITAL: f64 = 0.729;

/// A picture that is drawn.
#[derive(Debug)]
pub(super) struct Canvas {
    size: Size,
    pixels: Vec<u8>,
    fonts: [FontRef<'static>; 2],
}

/// Draws on a canvas.
pub(super) struct Pen<'a> {
    area: DrawingArea<BitMapBackend<'a>, Shift>,
    /// Pixels of one unit: a picture is 1,080 units wide.
    unit: f64,
    /// Plain, bold.
    fonts: &'a [FontRef<'static>; 2],
}

type Done = Result<(), PlotError>;

fn fault<E: std::error::Error + Send + Sync>(fault: DrawingAreaErrorKind<E>) -> PlotError {
    PlotError::Draw(fault.to_string())
}

impl Canvas {
    /// An empty picture.
    pub(super) fn new(size: Size) -> Result<Self, PlotError> {
        if !size.is_drawable() {
            return Err(PlotError::Size);
        }
        let font =
            |bytes| FontRef::try_from_slice(bytes).map_err(|e| PlotError::Draw(e.to_string()));
        let mut canvas = Self {
            size,
            pixels: vec![0; size.width as usize * size.height as usize * 3],
            fonts: [
                font(dejavu::sans_condensed::regular())?,
                font(dejavu::sans_condensed::bold())?,
            ],
        };
        canvas.fill(0, 0, size.width as i32, size.height as i32, colour::PAPER);
        Ok(canvas)
    }

    /// Units across: always 1,080.
    pub(super) const UNITS: f64 = 1_080.0;

    /// Pixels of a unit.
    pub(super) fn unit(&self) -> f64 {
        f64::from(self.size.width) / Self::UNITS
    }

    /// Units down.
    pub(super) fn depth(&self) -> f64 {
        f64::from(self.size.height) / self.unit()
    }

    /// Fills pixels from a corner to, and without, another.
    pub(super) fn fill(&mut self, x0: i32, y0: i32, x1: i32, y1: i32, RGBColor(r, g, b): RGBColor) {
        let clip = |at: i32, most: u32| at.clamp(0, most as i32) as usize;
        let (x0, x1) = (clip(x0, self.size.width), clip(x1, self.size.width));
        for y in clip(y0, self.size.height)..clip(y1, self.size.height) {
            let row = y * self.size.width as usize;
            let Some(row) = self.pixels.get_mut((row + x0) * 3..(row + x1.max(x0)) * 3) else {
                continue;
            };
            for pixel in row.chunks_exact_mut(3) {
                pixel.copy_from_slice(&[r, g, b]);
            }
        }
    }

    /// Fills pixels with slanting lines: nothing is known here.
    pub(super) fn hatch(&mut self, x0: i32, y0: i32, x1: i32, y1: i32) {
        self.fill(x0, y0, x1, y1, colour::PANEL);
        let period = (self.unit() * 14.0).max(4.0) as i32;
        let thick = (self.unit() * 2.0).max(1.0) as i32;
        for y in y0..y1 {
            for x in x0..x1 {
                if (x + y).rem_euclid(period) < thick {
                    self.fill(x, y, x + 1, y + 1, colour::FAINT);
                }
            }
        }
    }

    /// Something to draw with.
    pub(super) fn pen(&mut self) -> Pen<'_> {
        let (unit, size) = (self.unit(), (self.size.width, self.size.height));
        Pen {
            area: BitMapBackend::with_buffer(&mut self.pixels, size).into_drawing_area(),
            unit,
            fonts: &self.fonts,
        }
    }

    /// The picture as a PNG file.
    pub(super) fn png(&self) -> Result<Vec<u8>, PlotError> {
        let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut head = Vec::with_capacity(13);
        head.extend_from_slice(&self.size.width.to_be_bytes());
        head.extend_from_slice(&self.size.height.to_be_bytes());
        // 8 bits, red green blue, the one compression, the one filtering, not interlaced.
        head.extend_from_slice(&[8, 2, 0, 0, 0]);
        chunk(&mut out, b"IHDR", &head);
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
        let width = self.size.width as usize * 3;
        let mut above = vec![0u8; width];
        for row in self.pixels.chunks_exact(width) {
            // Filter 2: the difference to the row above; most rows are like it.
            packed.write_all(&[2])?;
            let steps: Vec<u8> = row
                .iter()
                .zip(&above)
                .map(|(a, b)| a.wrapping_sub(*b))
                .collect();
            packed.write_all(&steps)?;
            above.copy_from_slice(row);
        }
        chunk(&mut out, b"IDAT", &packed.finish()?);
        chunk(&mut out, b"IEND", &[]);
        Ok(out)
    }
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    let from = out.len();
    out.extend_from_slice(kind);
    out.extend_from_slice(body);
    let crc = crc32fast::hash(&out[from..]);
    out.extend_from_slice(&crc.to_be_bytes());
}

/// All places and sizes are units.
impl Pen<'_> {
    fn px(&self, units: f64) -> i32 {
        (units * self.unit).round() as i32
    }

    fn point(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (self.px(x), self.px(y))
    }

    /// A filled rectangle.
    pub(super) fn block(&self, from: (f64, f64), to: (f64, f64), colour: RGBAColor) -> Done {
        let corners = [self.point(from), self.point(to)];
        let style = ShapeStyle::from(colour).filled();
        self.area
            .draw(&Rectangle::new(corners, style))
            .map_err(fault)
    }

    /// The outline of a rectangle.
    pub(super) fn frame(
        &self,
        from: (f64, f64),
        to: (f64, f64),
        colour: RGBAColor,
        width: f64,
    ) -> Done {
        let corners = [from, (to.0, from.1), to, (from.0, to.1), from];
        self.line(&corners, colour, width)
    }

    /// A line through points.
    pub(super) fn line(&self, points: &[(f64, f64)], colour: RGBAColor, width: f64) -> Done {
        let points: Vec<(i32, i32)> = points.iter().map(|at| self.point(*at)).collect();
        let style =
            ShapeStyle::from(colour).stroke_width((width * self.unit).round().max(1.0) as u32);
        self.area
            .draw(&PathElement::new(points, style))
            .map_err(fault)
    }

    /// A filled shape.
    pub(super) fn shape(&self, points: &[(f64, f64)], colour: RGBAColor) -> Done {
        let points: Vec<(i32, i32)> = points.iter().map(|at| self.point(*at)).collect();
        let style = ShapeStyle::from(colour).filled();
        self.area.draw(&Polygon::new(points, style)).map_err(fault)
    }

    /// A dot with a dark rim, so that it is seen on anything.
    pub(super) fn dot(&self, at: (f64, f64), radius: f64, colour: RGBAColor) -> Done {
        for (radius, colour) in [(radius + 2.5, colour::PAPER.mix(0.9)), (radius, colour)] {
            let style = ShapeStyle::from(colour).filled();
            let dot = Circle::new(self.point(at), self.px(radius).max(1), style);
            self.area.draw(&dot).map_err(fault)?;
        }
        Ok(())
    }

    /// The glyphs of a text, its baseline at the origin, and its width; all pixels.
    fn set(&self, text: &str, size: f64, bold: bool) -> (Vec<Glyph>, f64) {
        let font = &self.fonts[usize::from(bold)];
        let em = f64::from(font.units_per_em().unwrap_or(2_048.0));
        let height = size * self.unit * f64::from(font.height_unscaled()) / em;
        let scaled = font.as_scaled(PxScale::from(height as f32));
        let (mut x, mut before, mut glyphs) = (0f32, None, Vec::with_capacity(text.len()));
        for c in text.chars() {
            let id = scaled.glyph_id(c);
            x += before.map_or(0.0, |before| scaled.kern(before, id));
            glyphs.push(id.with_scale_and_position(scaled.scale(), point(x, 0.0)));
            x += scaled.h_advance(id);
            before = Some(id);
        }
        (glyphs, f64::from(x))
    }

    /// A text whose capitals have the point in the middle of their height; answers its width.
    pub(super) fn text(
        &self,
        at: (f64, f64),
        text: &str,
        size: f64,
        bold: bool,
        colour: RGBColor,
        stand: At,
    ) -> Result<f64, PlotError> {
        let (glyphs, width) = self.set(text, size, bold);
        let left = match stand {
            At::Left => at.0 * self.unit,
            At::Middle => at.0 * self.unit - width / 2.0,
            At::Right => at.0 * self.unit - width,
        };
        let baseline = ((at.1 + CAPITAL * size / 2.0) * self.unit).round();
        let font = &self.fonts[usize::from(bold)];
        for mut glyph in glyphs {
            glyph.position.x += left as f32;
            glyph.position.y = baseline as f32;
            let Some(outline) = font.outline_glyph(glyph) else {
                continue;
            };
            let bounds = outline.px_bounds();
            let mut covered = Vec::new();
            outline.draw(|x, y, share| covered.push((x, y, share)));
            for (x, y, share) in covered {
                let pixel = (
                    bounds.min.x as i32 + x as i32,
                    bounds.min.y as i32 + y as i32,
                );
                if share > 0.0 && self.holds(pixel) {
                    let ink = colour.mix(f64::from(share.min(1.0)));
                    self.area.draw_pixel(pixel, &ink).map_err(fault)?;
                }
            }
        }
        Ok(width / self.unit)
    }

    /// True for a pixel of the picture.
    fn holds(&self, (x, y): (i32, i32)) -> bool {
        let (width, height) = self.area.dim_in_pixel();
        x >= 0 && y >= 0 && x.unsigned_abs() < width && y.unsigned_abs() < height
    }

    /// Units a text takes across.
    pub(super) fn width(&self, text: &str, size: f64, bold: bool) -> f64 {
        self.set(text, size, bold).1 / self.unit
    }

    /// A text on a plate; answers the plate's width.
    pub(super) fn plate(
        &self,
        at: (f64, f64),
        text: &str,
        size: f64,
        ink: RGBColor,
        plate: RGBAColor,
        stand: At,
    ) -> Result<f64, PlotError> {
        let width = self.width(text, size, true) + size * 0.6;
        let left = match stand {
            At::Left => at.0,
            At::Middle => at.0 - width / 2.0,
            At::Right => at.0 - width,
        };
        let half = size * 0.68;
        self.block((left, at.1 - half), (left + width, at.1 + half), plate)?;
        self.text((left + size * 0.3, at.1), text, size, true, ink, At::Left)?;
        Ok(width)
    }
}
