//! AVX2: the primitives sixteen and thirty-two bytes at a time.
//!
//! Every `unsafe` here rests on one of two facts: a value of [`Avx2`] exists only where the
//! processor was asked ([`Avx2::detect`]), and a load stays inside an array whose size the type
//! gives. The digits of a number are turned into its value by three multiply-adds: bytes to pairs
//! (x10, +), pairs to fours (x100), fours to eights (x10,000); both numbers of a level share the
//! last steps.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "x86 only"))]

#[cfg(target_arch = "x86_64")]
pub use x86::Avx2;

#[cfg(not(target_arch = "x86_64"))]
pub use elsewhere::Avx2;

#[cfg(not(target_arch = "x86_64"))]
mod elsewhere {
    /// Cannot be had on this processor: there is no value of it.
    #[derive(Debug, Clone, Copy)]
    pub enum Avx2 {}

    impl Avx2 {
        pub(in super::super) fn detect() -> Option<Self> {
            None
        }
        pub(in super::super) fn run<J: super::super::Job>(self, _: J) -> J::Out {
            match self {}
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::super::Window;
    use super::super::super::cursor::Literal;
    use super::super::super::decimal::{Decimal, Row, SPREAD, Shape};
    use super::super::{Job, Scan};
    use core::arch::x86_64::*;

    /// Holding one proves that the processor has AVX2, BMI1, BMI2, LZCNT and POPCNT.
    #[derive(Debug, Clone, Copy)]
    pub struct Avx2(());

    impl Avx2 {
        /// The proof, if this processor gives it.
        pub(in super::super) fn detect() -> Option<Self> {
            let has = std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("bmi1")
                && std::arch::is_x86_feature_detected!("bmi2")
                && std::arch::is_x86_feature_detected!("lzcnt")
                && std::arch::is_x86_feature_detected!("popcnt");
            has.then_some(Self(()))
        }
        /// Runs a job compiled for these instructions as a whole.
        #[inline]
        pub(in super::super) fn run<J: Job>(self, job: J) -> J::Out {
            // SAFETY: `self` proves that the processor has every feature `whole` is compiled for.
            unsafe { whole(self, job) }
        }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn whole<J: Job>(scan: Avx2, job: J) -> J::Out {
        job.run(scan)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load16(bytes: &[u8; 16]) -> __m128i {
        // SAFETY: sixteen readable bytes by the type; the load needs no alignment.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load32(bytes: &[u8; 32]) -> __m256i {
        // SAFETY: thirty-two readable bytes by the type; the load needs no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    /// Sixteen bytes from `at`, which is taken modulo 64.
    #[inline(always)]
    fn sixteen(window: &Window, at: usize) -> &[u8; 16] {
        let at = at & 63;
        match window[at..at + 16].first_chunk() {
            Some(bytes) => bytes,
            None => &[0; 16],
        }
    }

    /// Thirty-two bytes from `FROM`.
    #[inline(always)]
    fn half<const FROM: usize>(window: &Window) -> &[u8; 32] {
        match window[FROM..FROM + 32].first_chunk() {
            Some(bytes) => bytes,
            None => &[0; 32],
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn find(window: &Window, byte: u8) -> u64 {
        let want = _mm256_set1_epi8(byte as i8);
        let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(load32(half::<0>(window)), want));
        let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(load32(half::<32>(window)), want));
        u64::from(low as u32) | u64::from(high as u32) << 32
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn holds(bytes: &[u8; 32], literal: &Literal) -> bool {
        let unlike = _mm256_xor_si256(load32(bytes), load32(&literal.text));
        _mm256_testz_si256(unlike, load32(&literal.mask)) == 1
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn odd32(bytes: &[u8; 32]) -> u32 {
        let text = load32(bytes);
        let slash = _mm256_cmpeq_epi8(text, _mm256_set1_epi8(b'\\' as i8));
        // Signed: bytes from 0x80 up are negative, so "below 0x20" takes them together with the
        // controls.
        let odd = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), text);
        _mm256_movemask_epi8(_mm256_or_si256(odd, slash)) as u32
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn odd(window: &Window) -> u64 {
        u64::from(odd32(half::<0>(window))) | u64::from(odd32(half::<32>(window))) << 32
    }

    /// Digits in byte lanes to numbers of four digits in 32-bit lanes.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn fours(digits: __m128i) -> __m128i {
        let pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010a));
        _mm_madd_epi16(pairs, _mm_set1_epi32(0x0001_0064))
    }

    /// Numbers of four digits to numbers of eight: two for each of two texts.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn eights(a: __m128i, b: __m128i) -> __m128i {
        _mm_madd_epi16(_mm_packus_epi32(a, b), _mm_set1_epi32(0x0001_2710))
    }

    /// Two numbers of eight digits in each 64-bit lane (the upper one first) to one of sixteen.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn join(eights: __m128i) -> __m128i {
        let upper = _mm_mul_epu32(eights, _mm_set1_epi64x(100_000_000));
        _mm_add_epi64(upper, _mm_srli_epi64(eights, 32))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn digits(text: &[u8; 16], row: &Row) -> __m128i {
        let text = _mm_sub_epi8(load16(text), _mm_set1_epi8(b'0' as i8));
        _mm_xor_si128(
            _mm_shuffle_epi8(text, load16(&row.shuffle)),
            load16(&row.expect),
        )
    }

    /// What is wrong with the lanes of two numbers.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn over(first: __m128i, second: __m128i, long: usize) -> __m128i {
        let nine = _mm_set_epi8(9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0);
        let over = _mm_subs_epu8(_mm_max_epu8(first, second), nine);
        _mm_or_si128(over, _mm_cvtsi64_si128(long as i64))
    }

    /// What is wrong with their values.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn outside(both: __m128i, x: &Shape, y: &Shape) -> __m128i {
        let limit = _mm_set_epi64x(y.limit, x.limit);
        let floor = _mm_set_epi64x(y.floor, x.floor);
        _mm_or_si128(_mm_cmpgt_epi64(both, limit), _mm_cmpgt_epi64(floor, both))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn or(a: __m128i, b: __m128i) -> __m128i {
        _mm_or_si128(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn apart(both: __m128i) -> (i64, i64) {
        (_mm_cvtsi128_si64(both), _mm_extract_epi64(both, 1))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn dots(text: &[u8; 16]) -> u32 {
        let dots = _mm_cmpeq_epi8(load16(text), _mm_set1_epi8(b'.' as i8));
        _mm_movemask_epi8(dots) as u32
    }

    /// Bit i is set where `text[i]` is a digit.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn numerals(text: &[u8; 16]) -> u32 {
        let text = _mm_sub_epi8(load16(text), _mm_set1_epi8(b'0' as i8));
        let nine = _mm_set1_epi8(9);
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(text, nine), nine)) as u32
    }

    /// The digits of a text by a shuffle, as one number.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn value(text: &[u8; 16], spread: &[u8; 16]) -> u64 {
        let text = _mm_sub_epi8(load16(text), _mm_set1_epi8(b'0' as i8));
        let lanes = fours(_mm_shuffle_epi8(text, load16(spread)));
        _mm_cvtsi128_si64(join(eights(lanes, lanes))) as u64
    }

    impl Scan for Avx2 {
        type Bad = __m128i;

        #[inline(always)]
        fn clean(self) -> __m128i {
            // SAFETY: SSE2, which every x86-64 has.
            unsafe { _mm_setzero_si128() }
        }
        #[inline(always)]
        fn spoiled(self, bad: __m128i) -> bool {
            // SAFETY: `self` proves AVX2, which includes SSE4.1.
            unsafe { _mm_testz_si128(bad, bad) == 0 }
        }
        #[inline(always)]
        fn find(self, window: &Window, byte: u8) -> u64 {
            // SAFETY: `self` proves the features.
            unsafe { find(window, byte) }
        }
        #[inline(always)]
        fn holds(self, window: &Window, at: usize, literal: &Literal) -> bool {
            match window.get(at..).and_then(<[u8]>::first_chunk) {
                // SAFETY: `self` proves the features.
                Some(bytes) => unsafe { holds(bytes, literal) },
                None => false,
            }
        }
        #[inline(always)]
        fn odd(self, window: &Window) -> u64 {
            // SAFETY: `self` proves the features.
            unsafe { odd(window) }
        }
        #[inline(always)]
        fn pair(
            self,
            window: &Window,
            a: (usize, usize),
            b: (usize, usize),
            shapes: (&Shape, &Shape),
            bad: &mut __m128i,
        ) -> (i64, i64) {
            let ((a, a_len), (b, b_len), (x, y)) = (a, b, shapes);
            let (p, q) = (sixteen(window, a), sixteen(window, b));
            // SAFETY: `self` proves the features.
            let first = unsafe { digits(p, &x.rows[a_len & 31]) };
            // SAFETY: as above.
            let second = unsafe { digits(q, &y.rows[b_len & 31]) };
            // Lengths of 32 and more would fall on another length's row.
            // SAFETY: as above.
            let over = unsafe { over(first, second, (a_len | b_len) >> 5) };
            // SAFETY: as above.
            let p = unsafe { fours(first) };
            // SAFETY: as above.
            let q = unsafe { fours(second) };
            // SAFETY: as above.
            let eights = unsafe { eights(p, q) };
            // SAFETY: as above.
            let both = unsafe { join(eights) };
            // SAFETY: as above.
            let outside = unsafe { outside(both, x, y) };
            // SAFETY: as above.
            let wrong = unsafe { or(over, outside) };
            // SAFETY: as above.
            *bad = unsafe { or(*bad, wrong) };
            // SAFETY: as above.
            let (p, q) = unsafe { apart(both) };
            (p.wrapping_mul(x.scale), q.wrapping_mul(y.scale))
        }
        #[inline(always)]
        fn decimal(self, window: &Window, at: usize, len: usize) -> Option<Decimal> {
            let text = window.get(at..)?.first_chunk()?;
            let spreads = SPREAD.get(len)?;
            // SAFETY: `self` proves the features.
            let dots = unsafe { dots(text) } | 1 << len;
            // SAFETY: as above.
            let numerals = unsafe { numerals(text) };
            let dot = dots.trailing_zeros() as usize;
            let inside = (1u32 << len) - 1;
            let fine = (numerals | 1 << dot) & inside == inside;
            if !fine | (len == 0) | (dot == 0) | (dot + 1 == len) {
                return None;
            }
            Some(Decimal {
                // SAFETY: as above.
                mantissa: unsafe { value(text, spreads.get(dot)?) },
                places: (len - dot).saturating_sub(1) as u32,
                negative: false,
            })
        }
        #[inline(always)]
        fn uint(self, window: &Window, at: usize) -> Option<(u64, usize)> {
            let text = window.get(at..)?.first_chunk()?;
            // SAFETY: `self` proves the features.
            let len = (!unsafe { numerals(text) }).trailing_zeros() as usize;
            if len == 0 || len >= 16 || (len > 1 && text[0] == b'0') {
                return None;
            }
            // SAFETY: as above.
            Some((unsafe { value(text, &SPREAD[len][len]) }, len))
        }
    }
}
