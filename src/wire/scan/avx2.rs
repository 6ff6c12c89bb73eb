//! AVX2: the primitives sixteen and thirty-two bytes at a time.
//!
//! Every `unsafe` here rests on one of two facts: a value of [`Avx2`] exists only where the processor was asked
//! ([`Avx2::detect`]), and a load stays inside an array whose size the type gives. The digits of a number are turned
//! into its value by three multiply-adds: bytes to pairs (x10, +), pairs to fours (x100), fours to eights (x10,000);
//! both numbers of a level share the last steps.

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
        // Signed: bytes from 0x80 up are negative, so "below 0x20" takes them together with the controls.
        let odd = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), text);
        _mm256_movemask_epi8(_mm256_or_si256(odd, slash)) as u32
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn odd(window: &Window) -> u64 {
        u64::from(odd32(half::<0>(window))) | u64::from(odd32(half::<32>(window))) << 32
    }

    /// Sixteen digits in lanes to two halves of eight, as the two 32-bit values of a 64-bit lane, for two numbers.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn values(a: __m128i, b: __m128i) -> __m128i {
        let tens = _mm_set1_epi16(0x010a);
        let hundreds = _mm_set1_epi32(0x0001_0064);
        let a = _mm_madd_epi16(_mm_maddubs_epi16(a, tens), hundreds);
        let b = _mm_madd_epi16(_mm_maddubs_epi16(b, tens), hundreds);
        let eights = _mm_madd_epi16(_mm_packus_epi32(a, b), _mm_set1_epi32(0x0001_2710));
        // Low half of each 64-bit lane is the upper eight digits.
        let upper = _mm_mul_epu32(eights, _mm_set1_epi64x(100_000_000));
        _mm_add_epi64(upper, _mm_srli_epi64(eights, 32))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn digits(text: __m128i, row: &Row) -> __m128i {
        let text = _mm_sub_epi8(text, _mm_set1_epi8(b'0' as i8));
        _mm_xor_si128(
            _mm_shuffle_epi8(text, load16(&row.shuffle)),
            load16(&row.expect),
        )
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn pair(
        window: &Window,
        (a, a_len): (usize, usize),
        (b, b_len): (usize, usize),
        (x, y): (&Shape, &Shape),
        bad: &mut __m128i,
    ) -> (i64, i64) {
        let first = digits(load16(sixteen(window, a)), &x.rows[a_len & 31]);
        let second = digits(load16(sixteen(window, b)), &y.rows[b_len & 31]);
        let nine = _mm_set_epi8(9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0);
        let over = _mm_subs_epu8(_mm_max_epu8(first, second), nine);
        let both = values(first, second);
        let limit = _mm_set_epi64x(y.limit, x.limit);
        let floor = _mm_set_epi64x(y.floor, x.floor);
        let outside = _mm_or_si128(_mm_cmpgt_epi64(both, limit), _mm_cmpgt_epi64(floor, both));
        // Lengths of 32 and more would fall on another length's row.
        let long = _mm_cvtsi64_si128(((a_len | b_len) >> 5) as i64);
        *bad = _mm_or_si128(*bad, _mm_or_si128(_mm_or_si128(over, outside), long));
        let (p, q) = (_mm_cvtsi128_si64(both), _mm_extract_epi64(both, 1));
        (p.wrapping_mul(x.scale), q.wrapping_mul(y.scale))
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    fn decimal(text: &[u8; 16], len: usize) -> Option<Decimal> {
        let spreads = SPREAD.get(len)?;
        let text = load16(text);
        let dots = _mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8(b'.' as i8))) as u32;
        let dot = (dots | 1 << len).trailing_zeros() as usize;
        let spread = spreads.get(dot)?;
        let text = _mm_sub_epi8(text, _mm_set1_epi8(b'0' as i8));
        let lanes = _mm_shuffle_epi8(text, load16(spread));
        let over = _mm_subs_epu8(lanes, _mm_set1_epi8(9));
        let wrong = _mm_testz_si128(over, over) == 0;
        if wrong | (len == 0) | (dot == 0) | (dot + 1 == len) {
            return None;
        }
        Some(Decimal {
            mantissa: _mm_cvtsi128_si64(values(lanes, lanes)) as u64,
            places: (len - dot).saturating_sub(1) as u32,
            negative: false,
        })
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    fn uint(text: &[u8; 16]) -> Option<(u64, usize)> {
        let first = text[0];
        let text = _mm_sub_epi8(load16(text), _mm_set1_epi8(b'0' as i8));
        let digit = _mm_cmpeq_epi8(_mm_max_epu8(text, _mm_set1_epi8(9)), _mm_set1_epi8(9));
        let len = (!_mm_movemask_epi8(digit)).trailing_zeros() as usize;
        if len == 0 || len >= 16 || (len > 1 && first == b'0') {
            return None;
        }
        let lanes = _mm_shuffle_epi8(text, load16(&SPREAD[len][len]));
        Some((_mm_cvtsi128_si64(values(lanes, lanes)) as u64, len))
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
            // SAFETY: `self` proves the features.
            unsafe { pair(window, a, b, shapes, bad) }
        }
        #[inline(always)]
        fn decimal(self, window: &Window, at: usize, len: usize) -> Option<Decimal> {
            let text = window.get(at..)?.first_chunk()?;
            // SAFETY: `self` proves the features.
            unsafe { decimal(text, len) }
        }
        #[inline(always)]
        fn uint(self, window: &Window, at: usize) -> Option<(u64, usize)> {
            let text = window.get(at..)?.first_chunk()?;
            // SAFETY: `self` proves the features.
            unsafe { uint(text) }
        }
    }
}
