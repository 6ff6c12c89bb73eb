//! Found: what a recording says it is of, from the head of a tape or from the addresses and subscriptions of a session.

use crate::config::Series;
use crate::market::VenueId;
use crate::tape;
use crate::time::Nanos;
use crate::venue::names::Rename;
use crate::venue::{self, texts};
use std::path::Path;

/// Stands for external series in a list of venues.
pub(super) const SERIES: VenueId = VenueId(0);

/// The series that a tape's head declares.
pub(super) fn series_of(header: &tape::Header) -> Vec<Series> {
    let plans = header.plan.series.iter();
    plans
        .map(|plan| Series {
            name: plan.name.clone(),
            scale: plan.scale,
            period: Nanos::new(plan.period_ns),
            max_age: Nanos::new(plan.max_age_ns),
        })
        .collect()
}

/// The renames that a tape's head tells; one of a venue that is not known concerns nobody here.
pub(super) fn renames_of(header: &tape::Header) -> Vec<Rename> {
    let rename = |plan: &tape::RenamePlan| {
        Some(Rename {
            venue: venue::by_name(&plan.venue)?.id,
            was: plan.was.clone(),
            now: plan.now.clone(),
            at: Nanos::new(plan.at_ns),
        })
    };
    header.plan.renames.iter().filter_map(rename).collect()
}

/// What a recording says it is of.
pub(super) struct Found {
    pub(super) symbols: Vec<String>,
    /// Name of the venue of each ring.
    pub(super) rings: Vec<String>,
    /// First address, for people.
    pub(super) url: Option<String>,
}

/// Reads it off the head of a tape, or off the addresses and subscriptions of a session.
pub(super) fn find(
    path: &Path,
    header: Option<&tape::Header>,
    named: Option<&[String]>,
) -> Result<Found, tape::Error> {
    if let Some(header) = header
        && !header.plan.symbols.is_empty()
    {
        let rings = &header.plan.rings;
        return Ok(Found {
            symbols: header.plan.symbols.clone(),
            rings: rings.iter().map(|ring| ring.venue.clone()).collect(),
            url: rings.first().map(|ring| ring.url.clone()),
        });
    }
    let found = tape::subscriptions(path)?;
    let mut symbols: Vec<String> = named.unwrap_or_default().to_vec();
    let mut rings = Vec::new();
    for place in &found.places {
        rings.resize(rings.len().max(usize::from(place.ring) + 1), String::new());
        rings[usize::from(place.ring)] = place.venue.unwrap_or_default().to_owned();
        let row = place.venue.and_then(venue::by_name);
        if let (None, Some(row)) = (named, row) {
            for asset in texts::assets_of(row, &place.topics) {
                if !symbols.contains(&asset) {
                    symbols.push(asset);
                }
            }
        }
    }
    if symbols.is_empty() {
        for place in &found.places {
            if let Some(row) = place.venue.and_then(venue::by_name) {
                symbols.extend(texts::instruments_of(row, &place.topics));
            }
        }
    }
    // A connection that does not say where it went is of the venue that the others are of.
    if let Some(known) = rings.iter().find(|name| !name.is_empty()).cloned() {
        rings
            .iter_mut()
            .filter(|name| name.is_empty())
            .for_each(|name| name.clone_from(&known));
    }
    Ok(Found {
        symbols,
        rings,
        url: found.places.first().map(|place| place.url.clone()),
    })
}
