//! Rng: the one source of chance in the built-in exchange, xoshiro256++ seeded through splitmix64.
//!
//! Same seed, same draws, on every run of one build; no other source (no hash order, no clock) may
//! be used in `sim`.
#![expect(
    clippy::float_arithmetic,
    reason = "the generator of the simulated market works in floats"
)]

/// One step of splitmix64: also the hash by which a book cell gets its lasting character.
#[must_use]
pub(crate) const fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// xoshiro256++.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    state: [u64; 4],
    spare: Option<f64>,
}

impl Rng {
    /// A stream of its own for every (seed, stream) pair.
    pub(crate) const fn new(seed: u64, stream: u64) -> Self {
        let a = mix(seed ^ mix(stream));
        let b = mix(a);
        let c = mix(b);
        Self {
            state: [a, b, c, mix(c)],
            spare: None,
        }
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        out
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform between two bounds.
    pub(crate) fn between(&mut self, range: [f64; 2]) -> f64 {
        range[0] + (range[1] - range[0]) * self.unit()
    }

    /// Uniform in 0..n; 0 for n = 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal (polar method, both halves used).
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(z) = self.spare.take() {
            return z;
        }
        loop {
            let x = 2.0 * self.unit() - 1.0;
            let y = 2.0 * self.unit() - 1.0;
            let r = x * x + y * y;
            if r > 0.0 && r < 1.0 {
                let f = (-2.0 * r.ln() / r).sqrt();
                self.spare = Some(y * f);
                return x * f;
            }
        }
    }

    /// Exponential with this mean.
    pub(crate) fn wait(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Poisson with a small mean (by multiplication), at most 64.
    pub(crate) fn count(&mut self, mean: f64) -> u32 {
        let floor = (-mean).exp();
        let mut left = self.unit();
        let mut n = 0;
        while left > floor && n < 64 {
            n += 1;
            left *= self.unit();
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_moments_they_claim() {
        let mut rng = Rng::new(7, 1);
        let n = 200_000;
        let (mut sum, mut square, mut wait, mut count) = (0.0, 0.0, 0.0, 0u64);
        for _ in 0..n {
            let z = rng.normal();
            sum += z;
            square += z * z;
            wait += rng.wait(3.0);
            count += u64::from(rng.count(0.7));
            assert!((0.0..1.0).contains(&rng.unit()));
            assert!(rng.below(5) < 5);
        }
        let n = f64::from(n);
        assert!((sum / n).abs() < 0.01);
        assert!((square / n - 1.0).abs() < 0.02);
        assert!((wait / n - 3.0).abs() < 0.05);
        assert!((count as f64 / n - 0.7).abs() < 0.01);
    }

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let mut a = Rng::new(1, 1);
        let mut b = Rng::new(1, 2);
        let mut c = Rng::new(1, 1);
        let (x, y, z) = (a.bits(), b.bits(), c.bits());
        assert_ne!(x, y);
        assert_eq!(x, z);
    }
}
