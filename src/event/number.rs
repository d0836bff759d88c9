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
pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    let mut digits = [b'0'; MAX_DIGITS];
    let start = fill(&mut digits, value);
    out.extend_from_slice(&digits[start..]);
}

/// Appends the digits of `value`.
pub(super) fn put_u128(out: &mut Vec<u8>, value: u128) {
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

fn pair(below_hundred: u64) -> &'static [u8; 2] {
    &PAIRS[usize::try_from(below_hundred).unwrap_or(0)]
}

/// The number that `digits` write, if they are `0|[1-9][0-9]*` and it fits.
pub(super) fn read_u64(digits: &[u8]) -> Option<u64> {
    if !is_decimal(digits) || digits.len() > MAX_DIGITS {
        return None;
    }
    if digits.len() <= CHUNK_DIGITS {
        // Nineteen digits cannot overflow.
        return Some(digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')));
    }
    u64::try_from(read_u128(digits)?).ok()
}

/// The number that `digits` write, if they are `0|[1-9][0-9]*` and it fits (law EXACT: never rounded or cut).
pub(super) fn read_u128(digits: &[u8]) -> Option<u128> {
    if digits.len() <= CHUNK_DIGITS {
        return read_u64(digits).map(u128::from);
    }
    if !is_decimal(digits) {
        return None;
    }
    digits.iter().try_fold(0u128, |value, digit| value.checked_mul(10)?.checked_add(u128::from(digit - b'0')))
}

/// Whether `digits` are `0|[1-9][0-9]*`, so that every number has one text.
fn is_decimal(digits: &[u8]) -> bool {
    match digits {
        [] | [b'0', _, ..] => false,
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    proptest! {
        #[test]
        fn numbers_read_as_they_are_written(value in any::<u128>(), shift in 0u32..128) {
            let value = value >> shift;
            prop_assert_eq!(written(value), value.to_string());
            prop_assert_eq!(read_u128(written(value).as_bytes()), Some(value));
        }
    }
}
