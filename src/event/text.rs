//! JSON strings: what has to be escaped, found eight bytes at a time.

/// `value` in each of the eight bytes of a word.
const fn everywhere(value: u8) -> u64 {
    u64::from_le_bytes([value; 8])
}

/// How many bytes at the start of `bytes` stand in a JSON string as they are: all before the first quote, backslash
/// or control character (below 0x20).
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    let mut words = bytes.chunks_exact(8);
    let mut len = 0;
    for word in &mut words {
        let mut le = [0; 8];
        le.copy_from_slice(word);
        let special = special_bytes(u64::from_le_bytes(le));
        if special != 0 {
            return len + special.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    len + words.remainder().iter().take_while(|&&byte| !is_special(byte)).count()
}

/// Marks the special bytes of a word with their top bit. A borrow may mark bytes above a special one by mistake, so
/// only the lowest mark may be relied on.
const fn special_bytes(word: u64) -> u64 {
    let quote = word ^ everywhere(b'"');
    let backslash = word ^ everywhere(b'\\');
    let control = word.wrapping_sub(everywhere(0x20)) & !word;
    let quote = quote.wrapping_sub(everywhere(1)) & !quote;
    let backslash = backslash.wrapping_sub(everywhere(1)) & !backslash;
    (control | quote | backslash) & everywhere(0x80)
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends `text` as a JSON string, quotes included. Only what JSON demands is escaped, the short way where there
/// is one.
pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { break };
        put_escape(out, byte);
        rest = after;
    }
    out.push(b'"');
}

#[cold]
fn put_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => {
            out.extend_from_slice(b"\\u00");
            return out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    };
    out.extend([b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        put(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_byte_is_found_special_or_plain_at_every_place_of_a_word() {
        for byte in 0..=u8::MAX {
            for place in 0..17 {
                for filler in [b'a', 0xff, 0x21, 0x5d, 0x80] {
                    let mut bytes = [filler; 19];
                    bytes[place] = byte;
                    let expected = bytes.iter().position(|&byte| is_special(byte)).unwrap_or(19);
                    assert_eq!(plain_len(&bytes), expected, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn every_control_character_is_written_as_serde_json_writes_it() {
        for control in (0..=0x7f_u8).map(char::from) {
            let text = format!("before {control} after");
            assert_eq!(written(&text), serde_json::to_string(&text).unwrap());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_json_writes_it(text in crate::event::decode::arbitrary::text()) {
            prop_assert_eq!(written(&text), serde_json::to_string(&*text).unwrap());
        }
    }
}
