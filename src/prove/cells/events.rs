//! Events: the gain where every cluster of prints has one voice, so that a few large ones do not decide alone.
//!
//! A voice is shared out over the cluster's prints by their dollars. The rivals are taught voices instead of dollars.
//! Dollars said are no voices said: a cell that holds ten times as much is hardly ten times as many clusters, and even
//! the true dollars would lose to a smooth map through one constant. So every map is led to voices by a rising function
//! of its own, the isotonic regression of the folds before. A voice is written as the mean dollars of a cluster of the
//! windows that only teach: a unit, which the gain does not know.

use super::Cells;
use crate::prove::report::{figure, said};
use crate::prove::score::{self, Figure};
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
    let count = table.died.iter().map(|died| died.cluster + 1).max();
    let mut all = vec![0.0; count.unwrap_or(0)];
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

/// A map led to what was realised of it before, fold by fold; what teaches is said in sample, and only scales.
pub(super) fn led(said: &[f64], y: &[f64], folds: &[usize]) -> Vec<f64> {
    let mut out = Vec::with_capacity(said.len());
    for ends in folds.windows(2) {
        let steps = score::isotonic(&said[..ends[0]], &y[..ends[0]]);
        let rest = &said[out.len()..ends[1]];
        out.extend(
            rest.iter()
                .map(|x| score::on_curve(&steps, *x).unwrap_or(0.0)),
        );
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_led_by_what_was_before_alone() {
        // Dollars are squares of voices.
        let said: Vec<f64> = (0..300).map(|i| f64::from(i % 10)).collect();
        let mut y: Vec<f64> = said.iter().map(|x| x.sqrt()).collect();
        let folds = [100, 200, 300];
        let right = led(&said, &y, &folds);
        assert!(right.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-9));
        y[200..].fill(50.0);
        assert_eq!(led(&said, &y, &folds), right, "nothing of the last fold");
        y[150] = 80.0;
        let later = led(&said, &y, &folds);
        assert_eq!(later[..200], right[..200]);
        assert_ne!(later[200..], right[200..]);
    }
}
