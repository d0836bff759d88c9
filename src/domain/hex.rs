//! Hexadecimal digits in lower case, eight at a time.

/// `value` in each of the eight bytes of a word.
const fn everywhere(value: u8) -> u64 {
    u64::from_le_bytes([value; 8])
}

/// The number that eight digits say, the first of them in the highest byte; `None` unless all are of `0-9a-f`.
pub(super) fn read_hex(digits: u64) -> Option<u32> {
    const TOP: u64 = everywhere(0x80);
    // The top bit of each byte says: no less than the bound. No byte carries into the next as long as it is of ASCII.
    let from = |bound: u8| (digits + everywhere(0x80 - bound)) & TOP;
    if digits & TOP != 0 {
        return None;
    }
    let letters = from(b'a') & !from(b'f' + 1);
    let numerals = from(b'0') & !from(b'9' + 1);
    if letters | numerals != TOP {
        return None;
    }
    let values = (digits & everywhere(0x0f)) + (letters >> 7) * 9;
    // Of each two neighbours one, three times.
    let pairs = (values | (values >> 4)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    u32::try_from((fours | (fours >> 16)) & 0xffff_ffff).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(digits: [u8; 8]) -> Option<u32> {
        read_hex(u64::from_be_bytes(digits))
    }

    #[test]
    fn every_byte_is_a_digit_or_none_at_every_place() {
        for (byte, place) in (0..=u8::MAX).flat_map(|byte| (0..8).map(move |place| (byte, place))) {
            for filler in [b'0', b'9', b'a', b'f'] {
                let mut digits = [filler; 8];
                digits[place] = byte;
                let is_lower = !byte.is_ascii_uppercase();
                let text = std::str::from_utf8(&digits).ok().filter(|_| is_lower);
                let expected = text
                    .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
                    .and_then(|text| u32::from_str_radix(text, 16).ok());
                assert_eq!(read(digits), expected, "{digits:?}");
            }
        }
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for number in (0..10_000_u32).map(|number| number.wrapping_mul(0x9e37_79b1)) {
            let text = format!("{number:08x}");
            assert_eq!(read(text.as_bytes().try_into().unwrap()), Some(number), "{text}");
        }
    }
}
