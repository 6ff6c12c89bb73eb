//! What frames mean: the expected events by every road, whatever the order, the company and the quotes of their fields.

use super::*;

/// Every venue has a row, every stream it says it has a frame, in the order of `VENUES`.
#[test]
fn every_row_of_the_table_is_tried() {
    let rows: Vec<_> = ROWS.iter().map(|row| row.venue).collect();
    let venues: Vec<_> = VENUES.iter().map(|venue| venue.name).collect();
    assert_eq!(rows, venues, "a venue without fixtures");
    for row in ROWS {
        let venue = row.venue();
        for (stream, _) in venue.checked {
            let tried = row.channels.iter().any(|channel| channel.stream == *stream);
            assert!(tried, "{}: no frame of {stream:?}", row.venue);
            assert!(
                venue.root(*stream).is_some(),
                "{}: no path carries {stream:?}",
                row.venue
            );
        }
        for channel in row.channels {
            let known = venue
                .checked
                .iter()
                .any(|(stream, _)| *stream == channel.stream);
            assert!(
                known,
                "{}: {:?} is not in its row",
                row.venue, channel.stream
            );
        }
    }
}

#[test]
fn every_frame_means_what_is_written_beside_it() {
    for row in ROWS {
        for channel in row.channels {
            let mut roads = Roads::new(row, channel.before);
            let (got, road) = roads.decode(channel.frame.as_bytes()).unwrap();
            assert_eq!(
                lines(row, &got),
                channel.told,
                "{}: {}",
                row.venue,
                channel.frame
            );
            assert!(!got.gap && got.resync.is_none());
            // A frame that says nothing new is still read by the fast road.
            let want = if channel.fast {
                Road::Fast
            } else {
                Road::Tolerant
            };
            assert!(
                road == want || channel.told.is_empty(),
                "{}: {}",
                row.venue,
                channel.frame
            );
            // A frame that was heard is heard of.
            let heard = roads.decoders[0].heard();
            assert!(
                heard.is_none_or(|(stream, _)| stream == channel.stream),
                "{heard:?}"
            );
        }
    }
}

/// Bent forms of every frame through every road, against what the frame means.
fn bent(forms: fn(&str) -> Vec<String>) {
    for row in ROWS {
        let mut tried = 0;
        for channel in row.channels {
            let mut roads = Roads::new(row, channel.before);
            for form in forms(channel.frame) {
                let (got, _) = roads
                    .afresh(form.as_bytes())
                    .unwrap_or_else(|kind| panic!("{}: {kind:?} {form}", row.venue));
                let want: Vec<_> = channel.told.iter().map(|&line| line.to_owned()).collect();
                assert_eq!(
                    sorted(lines(row, &got)),
                    sorted(want),
                    "{}: {form}",
                    row.venue
                );
                tried += 1;
            }
        }
        assert!(tried >= 15, "{}: {tried}", row.venue);
    }
}

#[test]
fn keys_may_stand_in_any_order() {
    bent(bend::reordered);
}

#[test]
fn unknown_fields_may_stand_anywhere() {
    bent(bend::extended);
}

#[test]
fn numbers_may_be_quoted_or_not() {
    bent(bend::requoted);
}

#[test]
fn spaces_between_signs_do_not_matter() {
    bent(|frame| {
        let spread = |by: &str| {
            let mut is_text = false;
            let mut out = String::new();
            for c in frame.chars() {
                is_text ^= c == '"';
                out.push(c);
                if !is_text && ",:{[".contains(c) {
                    out.push_str(by);
                }
            }
            out
        };
        [" ", "\n", "\t \r\n"].map(spread).to_vec()
    });
}
