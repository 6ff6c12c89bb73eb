//! Tests of `tape`.

use super::*;

#[test]
fn ticks_come_before_the_event_of_the_same_stamp_and_once() {
    let ms = Nanos::millis;
    let mut grid = Grid::default();
    // Anchored below the first stamp.
    assert_eq!(grid.due(ms(1_003)), Some((ms(1_000), 1)));
    assert_eq!(grid.due(ms(1_003)), None);
    assert_eq!(grid.due(ms(1_009)), None);
    assert_eq!(grid.due(ms(1_010)), Some((ms(1_010), 1)));
    assert_eq!(grid.due(ms(1_010)), None);
    // A quiet time is one run.
    assert_eq!(grid.due(ms(1_055)), Some((ms(1_020), 4)));
    // Backwards: nothing.
    assert_eq!(grid.due(ms(900)), None);
    assert_eq!(grid.due(ms(1_060)), Some((ms(1_060), 1)));
}

#[test]
fn absurd_stamps_come_in_parts_and_end() {
    let mut grid = Grid::default();
    assert_eq!(grid.due(Nanos::new(-5)), Some((Nanos::ZERO, 1)));
    let mut grid = Grid::default();
    assert_eq!(grid.due(Nanos::MILLI), Some((Nanos::ZERO, 1)));
    let mut parts = 0;
    let mut all = 0u64;
    while let Some((_, count)) = grid.due(Nanos::new(i64::MAX)) {
        parts += 1;
        all += u64::from(count);
        assert!(parts < 1_000);
    }
    assert_eq!(all, (i64::MAX / TICK.get()) as u64 - 1);
}
