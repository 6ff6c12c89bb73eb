//! Tests of `page`.

use super::*;

#[test]
fn the_fields_of_every_shape_fill_it_without_a_hole() {
    for shape in SHAPES {
        let mut at = 0;
        for field in shape.fields {
            assert_eq!(field.offset, at, "{}.{}", shape.name, field.name);
            at += field.size;
        }
        assert_eq!(at, shape.size, "{}", shape.name);
    }
}

#[test]
fn regions_lie_behind_each_other_on_cache_lines() {
    for symbols in [1, 2, 7, MAX_SYMBOLS] {
        let layout = Layout::of(symbols, symbols % 5);
        let mut end = size_of::<Header>() as u32;
        for region in [
            layout.counters,
            layout.directory,
            layout.headlines,
            layout.wides,
            layout.venues,
            layout.errors,
            layout.events,
            layout.snapshots,
        ] {
            assert!(region.offset >= end && region.offset.is_multiple_of(64));
            end = region.offset + region.stride * region.count;
        }
        assert!(layout.page_len >= end as usize);
        assert_eq!(layout.wides.stride, 4608);
        assert_eq!(layout.snapshots.stride, 16_512);
    }
}

/// The first `size` bytes of a shape.
fn cut(shape: &mut Shape, name: &str, size: usize) {
    assert_eq!(shape.name, name);
    let known = shape.fields.iter().take_while(|f| f.offset < size).count();
    let mut fields = shape.fields[..known].to_vec();
    // Room that minor 3 took.
    for field in fields.iter_mut().filter(|field| field.name == "snapshots") {
        field.name = "spare_what";
    }
    shape.fields = fields.leak();
    shape.size = size;
    assert_eq!(shape.fields.last().map(|f| f.offset + f.size), Some(size));
}

/// Today's shapes with the room in a wide record that minor 6 took of.
fn of_minor_5() -> [Shape; SHAPES.len()] {
    let mut old = SHAPES;
    let wide = old.iter_mut().find(|shape| shape.name == "wide").unwrap();
    let mut fields = wide.fields.to_vec();
    let at = fields.iter().position(|f| f.name == "reference").unwrap();
    let taken = fields.remove(at);
    fields[at].offset -= taken.size;
    fields[at].size += taken.size;
    wide.fields = fields.leak();
    old
}

/// Those with the room in a mode that minor 5 took of.
fn of_minor_4() -> [Shape; SHAPES.len()] {
    let mut old = of_minor_5();
    let mode = old.iter_mut().find(|shape| shape.name == "mode").unwrap();
    let mut fields = mode.fields.to_vec();
    let at = fields.iter().position(|f| f.name == "run_touches").unwrap();
    fields[at - 1].size += fields.remove(at).size;
    mode.fields = fields.leak();
    old
}

/// What a reader of an older minor knows lies where it lay: the hash over that part of today's shapes is that
/// minor's, but for the room at the header's end, of which minor 3 took some.
#[test]
fn all_of_older_minors_is_where_it_was() {
    let mut old: [Shape; 9] = core::array::from_fn(|at| of_minor_4()[at]);
    cut(&mut old[1], "header", 320);
    cut(&mut old[8], "wide", 1696);
    assert_eq!(layout_hash(&old), 0xe06d_d501_b2d7_9f94);
    let mut old: [Shape; 11] = core::array::from_fn(|at| of_minor_4()[at]);
    cut(&mut old[1], "header", 352);
    let mut known = old[1].fields.to_vec();
    known.push(Field {
        name: "spare_where",
        offset: 352,
        size: 32,
    });
    (old[1].fields, old[1].size) = (known.leak(), 384);
    cut(&mut old[8], "wide", 1696);
    assert_eq!(layout_hash(&old), 0xfd4c_cdb8_e293_f81d);
    let mut old: [Shape; 16] = core::array::from_fn(|at| of_minor_4()[at]);
    cut(&mut old[8], "wide", 2264);
    assert_eq!(layout_hash(&old), 0x0e0f_9355_e926_bf29);
    assert_eq!(layout_hash(&of_minor_4()), 0x49ee_6246_288e_7f1b);
    assert_eq!(layout_hash(&of_minor_5()), 0x50b9_8605_98e7_8d26);
}

#[test]
fn another_order_or_size_is_another_hash() {
    let mut other = SHAPES;
    other.swap(0, 1);
    assert_ne!(layout_hash(&other), LAYOUT_HASH);
    let mut other = SHAPES;
    other[2].size += 8;
    assert_ne!(layout_hash(&other), LAYOUT_HASH);
}
