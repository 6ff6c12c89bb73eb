//! Events: the gain where every cluster of prints has one voice, so that a few large ones do not decide alone.
//!
//! A voice is shared out over the cluster's prints by their dollars. The rivals are taught voices instead of dollars;
//! ours, whose unit is dollars, gets one constant of the past like all others. A voice is written as the mean dollars
//! of a cluster of the windows that only teach: a unit, which the gain does not know.

use super::Cells;
use crate::prove::report::{figure, said};
use crate::prove::score::Figure;
use serde_json::{Value, json};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Events {
    /// Clusters with a print in a scored cell.
    pub clusters: usize,
    /// Nats per cluster over the uniform map.
    pub over_uniform: Option<Figure>,
    /// Over the path.
    pub over_path: Option<Figure>,
    /// Over time at price.
    pub over_time: Option<Figure>,
}

/// The voice of every print in a cell, one a cluster.
pub(super) fn voices(table: &Cells) -> Vec<f64> {
    let mut all = vec![0.0; table.counted.clusters];
    for died in &table.died {
        all[died.cluster] += died.usd;
    }
    let of = |died: &super::Died| died.usd / all[died.cluster].max(f64::MIN_POSITIVE);
    table.died.iter().map(of).collect()
}

/// Voices by cell, in dollars of a mean cluster of the cells before `first`.
pub(super) fn by_cell(table: &Cells, voices: &[f64], first: usize) -> Vec<f64> {
    let mut out = vec![0.0; table.cells.len()];
    for (died, voice) in table.died.iter().zip(voices) {
        out[died.cell] += voice;
    }
    let usd: f64 = table.cells[..first].iter().map(|cell| cell.usd).sum();
    let count: f64 = out[..first].iter().sum();
    let unit = if count > 0.0 { usd / count } else { 1.0 };
    out.iter().map(|voice| voice * unit).collect()
}

/// As a JSON object.
#[must_use]
pub fn object(of: &Events) -> Value {
    json!({
        "clusters": of.clusters,
        "gain_over_uniform_nats": figure(of.over_uniform),
        "gain_over_path_nats": figure(of.over_path),
        "gain_over_time_at_price_nats": figure(of.over_time),
    })
}

/// In words.
#[must_use]
pub fn text(of: &Events) -> String {
    format!(
        "by cluster, one voice each ({}): gain over the path {} nats, over time at price {}, over uniform {}",
        of.clusters,
        said(of.over_path),
        said(of.over_time),
        said(of.over_uniform)
    )
}
