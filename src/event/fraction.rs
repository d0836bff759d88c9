//! Fractions in parts per million: exact, and the same on every machine.

use std::fmt;

/// A fraction from 0 to 1, in whole parts per million.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fraction(u32);

impl Fraction {
    /// Parts of the whole.
    pub const WHOLE_PPM: u32 = 1_000_000;
    /// 0.
    pub const ZERO: Fraction = Fraction(0);
    /// 1.
    pub const ONE: Fraction = Fraction(Self::WHOLE_PPM);

    /// So many parts per million; `None` beyond a million.
    pub const fn from_ppm(ppm: u32) -> Option<Fraction> {
        if ppm <= Self::WHOLE_PPM { Some(Fraction(ppm)) } else { None }
    }

    /// So many hundredths; 1 beyond a hundred.
    pub const fn percent(percent: u8) -> Fraction {
        if percent >= 100 { Fraction::ONE } else { Fraction(percent as u32 * (Self::WHOLE_PPM / 100)) }
    }

    /// The nearest fraction to `value`; `None` for NaN and for what lies outside 0 to 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and a million"
    )]
    pub fn from_f64(value: f64) -> Option<Fraction> {
        (0.0..=1.0).contains(&value).then(|| Fraction((value * f64::from(Self::WHOLE_PPM)).round() as u32))
    }

    /// Parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// The least amount that is at least this fraction of `whole`: `⌈whole × ppm / 1,000,000⌉`, without overflow.
    pub const fn of(self, whole: u128) -> u128 {
        let (ppm, unit) = (self.0 as u128, Self::WHOLE_PPM as u128);
        (whole / unit) * ppm + ((whole % unit) * ppm).div_ceil(unit)
    }
}

impl fmt::Display for Fraction {
    /// The shortest decimal: `0.95`, `1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / Self::WHOLE_PPM, self.0 % Self::WHOLE_PPM);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl fmt::Debug for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_as_short_as_it_can() {
        let print = |ppm| Fraction::from_ppm(ppm).unwrap().to_string();
        assert_eq!(
            [0, 1, 500_000, 950_000, 1_000_000].map(print),
            ["0", "0.000001", "0.5", "0.95", "1"].map(str::to_owned)
        );
        assert_eq!(Fraction::from_ppm(1_000_001), None);
        assert_eq!(
            [0, 95, 100, 255].map(Fraction::percent).map(Fraction::ppm),
            [0, 950_000, 1_000_000, 1_000_000]
        );
    }

    #[test]
    fn what_is_no_fraction_is_none() {
        for bad in [f64::NAN, f64::INFINITY, -f64::INFINITY, -0.000_001, 1.000_000_1] {
            assert_eq!(Fraction::from_f64(bad), None, "{bad}");
        }
        assert_eq!(
            [0.0, -0.0, 0.95, 1.0].map(|value| Fraction::from_f64(value).unwrap().ppm()),
            [0, 0, 950_000, 1_000_000]
        );
    }

    #[test]
    fn a_part_of_any_amount_is_exact_and_rounded_up() {
        let part = |ppm, whole| Fraction::from_ppm(ppm).unwrap().of(whole);
        assert_eq!([part(500_000, 3), part(500_000, 4), part(950_000, 100), part(1, 1)], [2, 2, 95, 1]);
        assert_eq!(part(1_000_000, u128::MAX), u128::MAX);
        assert_eq!(part(500_000, u128::MAX), u128::MAX / 2 + 1);
    }
}
