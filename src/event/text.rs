//! JSON strings: what has to be escaped, found eight bytes at a time.

/// `value` in each of the eight bytes of a word.
const fn everywhere(value: u8) -> u64 {
    u64::from_le_bytes([value; 8])
}

/// How many bytes at the start of `bytes` stand in a JSON string as they are: all before the first quote, backslash
/// or control character (below 0x20).
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    if rest.is_empty() {
        return bytes.len();
    }
    match bytes.last_chunk::<8>() {
        // What of it was looked at before is plain.
        Some(last) => match special_bytes(u64::from_le_bytes(*last)) {
            0 => bytes.len(),
            special => bytes.len() - 8 + special.trailing_zeros() as usize / 8,
        },
        None => rest.iter().take_while(|&&byte| !is_special(byte)).count(),
    }
}

/// Whether all of them are printable characters of ASCII: from the space to the tilde.
pub(crate) fn is_printable(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let is_plain = |word: &[u8; 8]| unprintable_bytes(u64::from_le_bytes(*word)) == 0;
    words.iter().all(is_plain)
        && match bytes.last_chunk::<8>() {
            Some(last) => is_plain(last),
            None => rest.iter().all(|byte| (b' '..=b'~').contains(byte)),
        }
}

/// Not 0 if any byte of a word is a control character, or not of ASCII.
const fn unprintable_bytes(word: u64) -> u64 {
    let control = word.wrapping_sub(everywhere(0x20)) & !word;
    let delete = word ^ everywhere(0x7f);
    let delete = delete.wrapping_sub(everywhere(1)) & !delete;
    (control | delete | word) & everywhere(0x80)
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
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    match plain_len(bytes) {
        len if len == bytes.len() => out.extend_from_slice(bytes),
        len => put_escaped(out, bytes, len),
    }
    out.push(b'"');
}

/// A text of which only so many bytes at the start are known to be plain.
fn put_escaped(out: &mut Vec<u8>, mut rest: &[u8], mut plain: usize) {
    loop {
        let (as_they_are, special) = rest.split_at(plain);
        out.extend_from_slice(as_they_are);
        let Some((&byte, after)) = special.split_first() else { break };
        put_escape(out, byte);
        (rest, plain) = (after, plain_len(after));
    }
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
    fn every_byte_is_found_printable_or_not_at_every_place_of_a_word() {
        for byte in 0..=u8::MAX {
            for (place, len) in (0..17).flat_map(|place| (place + 1..19).map(move |len| (place, len))) {
                for filler in [b' ', b'a', b'~', b'!'] {
                    let mut bytes = vec![filler; len];
                    bytes[place] = byte;
                    assert_eq!(is_printable(&bytes), (b' '..=b'~').contains(&byte), "{bytes:?}");
                }
            }
        }
        assert!(is_printable(b""));
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
