//! Boosted trees: model P, what path and volume can say of a number (heatmap.md 4.1).
//!
//! Fixed settings, chosen for a few thousand noisy rows before anything was scored: shallow trees, small steps, rows
//! and columns drawn, several seeds averaged. One thread and fixed seeds: the same rows give the same model.

use super::ProveError;
use forust_ml::Matrix;
use forust_ml::gradientbooster::GradientBooster;
use forust_ml::objective::ObjectiveType;
use forust_ml::sampler::SampleMethod;

const TREES: usize = 250;
const STEP: f32 = 0.04;
const DEPTH: usize = 5;
const LEAF: f32 = 12.0;
const SEEDS: u64 = 2;

/// A fitted model.
pub struct Boosted(Vec<GradientBooster>);

impl core::fmt::Debug for Boosted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Boosted({} models)", self.0.len())
    }
}

/// Rows side by side as columns one after another.
fn columns(rows: &[Vec<f64>], width: usize) -> Vec<f64> {
    let mut data = Vec::with_capacity(rows.len() * width);
    for column in 0..width {
        data.extend(
            rows.iter()
                .map(|row| row.get(column).copied().unwrap_or(f64::NAN)),
        );
    }
    data
}

impl Boosted {
    /// Fits `y` on rows of features.
    ///
    /// # Errors
    /// What the trees say of rows that cannot be used.
    pub fn fit(rows: &[Vec<f64>], y: &[f64]) -> Result<Self, ProveError> {
        let width = rows.first().map_or(0, Vec::len);
        let data = columns(rows, width);
        let matrix = Matrix::new(&data, rows.len(), width);
        let mut models = Vec::new();
        for seed in 0..SEEDS {
            let mut model = GradientBooster::default()
                .set_objective_type(ObjectiveType::SquaredLoss)
                .set_iterations(TREES)
                .set_learning_rate(STEP)
                .set_max_depth(DEPTH)
                .set_min_leaf_weight(LEAF)
                .set_l2(1.0)
                .set_nbins(64)
                .set_subsample(0.7)
                .set_sample_method(SampleMethod::Random)
                .set_colsample_bytree(0.6)
                .set_initialize_base_score(true)
                .set_parallel(false)
                .set_seed(seed + 1);
            model
                .fit_unweighted(&matrix, y, None)
                .map_err(|error| ProveError::Boost(error.to_string()))?;
            models.push(model);
        }
        Ok(Self(models))
    }

    /// Predicts rows of features.
    #[must_use]
    pub fn predict(&self, rows: &[Vec<f64>]) -> Vec<f64> {
        let width = rows.first().map_or(0, Vec::len);
        let data = columns(rows, width);
        let matrix = Matrix::new(&data, rows.len(), width);
        let mut sum = vec![0.0; rows.len()];
        for model in &self.0 {
            let said = model.predict(&matrix, false);
            sum.iter_mut()
                .zip(said)
                .for_each(|(s, p)| *s += p / SEEDS as f64);
        }
        sum
    }
}
