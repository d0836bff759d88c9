//! Whole numbers as decimal digits, without the detour over formatting.

/// 10^19, the largest power of ten that a `u64` holds.
const CHUNK: u128 = 10_000_000_000_000_000_000;
/// How many digits a `u64` below [`CHUNK`] has at most.
const CHUNK_DIGITS: usize = 19;
/// How many digits the largest `u64` has.
const MAX_DIGITS: usize = 20;

/// `00` to `99`, so that a division yields two digits.
const PAIRS: [[u8; 2]; 100] = pairs();

const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[b'0'; 2]; 100];
    let mut tens = 0;
    while tens < 10 {
        let mut ones = 0;
        while ones < 10 {
            pairs[tens * 10 + ones] = [b"0123456789"[tens], b"0123456789"[ones]];
            ones += 1;
        }
        tens += 1;
    }
    pairs
}

/// Appends the digits of `value`.
pub(crate) fn put_u64(out: &mut Vec<u8>, value: u64) {
    let mut digits = [b'0'; MAX_DIGITS];
    let start = fill(&mut digits, value);
    out.extend_from_slice(&digits[start..]);
}

/// Appends the digits of `value`.
pub(crate) fn put_u128(out: &mut Vec<u8>, value: u128) {
    if let Ok(small) = u64::try_from(value) {
        return put_u64(out, small);
    }
    put_u128(out, value / CHUNK);
    let mut digits = [b'0'; MAX_DIGITS];
    // The rest is below CHUNK, so it fits; the zeros before it belong to the number.
    fill(&mut digits, u64::try_from(value % CHUNK).unwrap_or(0));
    out.extend_from_slice(&digits[MAX_DIGITS - CHUNK_DIGITS..]);
}

/// Writes the digits of `value` at the end of `digits` and returns where they start.
fn fill(digits: &mut [u8; MAX_DIGITS], mut value: u64) -> usize {
    let mut start = MAX_DIGITS;
    while value >= 10 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(pair(value % 100));
        value /= 100;
    }
    if value > 0 || start == MAX_DIGITS {
        start -= 1;
        digits[start] = pair(value)[1];
    }
    start
}

/// The two digits of a number below 100.
pub(super) fn pair(below_hundred: u64) -> &'static [u8; 2] {
    &PAIRS[usize::try_from(below_hundred).unwrap_or(0)]
}

/// The number at the start of `text`, as far as its digits go, and what comes after them; `None` unless the digits
/// are `0|[1-9][0-9]*` and fit.
pub(crate) fn split_u64(text: &[u8]) -> Option<(u64, &[u8])> {
    let (value, len) = leading(text);
    let (digits, rest) = text.split_at(len);
    match len {
        0 => None,
        1..=CHUNK_DIGITS => is_canonical(digits).then_some((value, rest)),
        MAX_DIGITS => Some((u64::try_from(checked(digits)?).ok()?, rest)),
        _ => None,
    }
}

/// The same for an amount.
pub(crate) fn split_u128(text: &[u8]) -> Option<(u128, &[u8])> {
    let (value, len) = leading(text);
    let (digits, rest) = text.split_at(len);
    match len {
        0 => None,
        1..=CHUNK_DIGITS => is_canonical(digits).then_some((u128::from(value), rest)),
        _ => Some((checked(digits)?, rest)),
    }
}

/// The amount that the whole of `text` is, if it is `0|[1-9][0-9]*` and fits (law EXACT: never rounded or cut).
pub(crate) fn read_u128(text: &[u8]) -> Option<u128> {
    split_u128(text).and_then(|(value, rest)| rest.is_empty().then_some(value))
}

/// How many digits `text` begins with, and their value if they are not more than [`CHUNK_DIGITS`].
fn leading(text: &[u8]) -> (u64, usize) {
    let mut value = 0u64;
    for (len, byte) in text.iter().enumerate() {
        match byte.wrapping_sub(b'0') {
            digit @ 0..=9 => value = value.wrapping_mul(10).wrapping_add(u64::from(digit)),
            _ => return (value, len),
        }
    }
    (value, text.len())
}

/// The value of more digits than a `u64` surely holds.
fn checked(digits: &[u8]) -> Option<u128> {
    let add = |value: u128, digit: &u8| value.checked_mul(10)?.checked_add(u128::from(digit - b'0'));
    is_canonical(digits).then(|| digits.iter().try_fold(0, add))?
}

/// Whether digits are without needless zeros before them, so that every number has one text.
fn is_canonical(digits: &[u8]) -> bool {
    !matches!(digits, [b'0', _, ..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_u64(text: &[u8]) -> Option<u64> {
        split_u64(text).and_then(|(value, rest)| rest.is_empty().then_some(value))
    }

    fn written(value: u128) -> String {
        let mut out = Vec::new();
        put_u128(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_power_of_ten_and_its_neighbours_are_written_as_the_standard_library_does() {
        let powers = (0..=38).map(|exponent| 10u128.pow(exponent));
        for power in powers.chain([u128::from(u64::MAX), u128::MAX - 1]) {
            for value in [power - 1, power, power + 1] {
                assert_eq!(written(value), value.to_string());
                assert_eq!(read_u128(value.to_string().as_bytes()), Some(value));
                assert_eq!(read_u64(value.to_string().as_bytes()), u64::try_from(value).ok());
            }
        }
    }

    #[test]
    fn what_is_no_canonical_number_or_does_not_fit_is_not_read() {
        for text in ["", "00", "01", "-1", "+1", "1.0", "1e3", " 1", "1 ", "0x1", "１"] {
            assert_eq!(read_u128(text.as_bytes()), None, "{text:?}");
            assert_eq!(read_u64(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(read_u128(b"340282366920938463463374607431768211456"), None);
        assert_eq!(read_u64(b"18446744073709551616"), None);
    }

    #[test]
    fn what_comes_after_the_digits_is_left() {
        assert_eq!(split_u64(b"12,\"a\""), Some((12, &b",\"a\""[..])));
        assert_eq!(split_u128(b"18446744073709551616\""), Some((1 << 64, &b"\""[..])));
        assert_eq!(split_u64(b"18446744073709551616\""), None);
        assert_eq!(split_u64(b"012"), None);
    }

    proptest! {
        #[test]
        fn numbers_read_as_they_are_written(value in any::<u128>(), shift in 0u32..128) {
            let value = value >> shift;
            prop_assert_eq!(written(value), value.to_string());
            prop_assert_eq!(read_u128(written(value).as_bytes()), Some(value));
        }
    }
}
