//! Comma-separated values, as RFC 4180 has them.

/// Appends a row: fields that hold a comma, a quote or a line end are quoted, quotes in them doubled; rows end with CRLF.
pub(crate) fn put_row<'a>(out: &mut Vec<u8>, fields: impl IntoIterator<Item = &'a str>) {
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if !field.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
            out.extend_from_slice(field.as_bytes());
            continue;
        }
        out.push(b'"');
        for byte in field.bytes() {
            out.extend_from_slice(if byte == b'"' { b"\"\"" } else { std::slice::from_ref(&byte) });
        }
        out.push(b'"');
    }
    out.extend_from_slice(b"\r\n");
}

/// Reads rows, whose lines may end with LF as well; empty lines are passed over.
pub(crate) fn parse(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut rows = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) {
            rest = after;
            continue;
        }
        let (row, after) = parse_row(rest).map_err(|error| format!("row {}: {error}", rows.len() + 1))?;
        rows.push(row);
        rest = after;
    }
    Ok(rows)
}

fn parse_row(mut rest: &str) -> Result<(Vec<String>, &str), String> {
    let mut row = Vec::new();
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => parse_quoted(quoted)?,
            None => {
                let end = rest.find([',', '\n', '\r', '"']).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        row.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => {
                let ended = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n'));
                return match ended {
                    Some(after) => Ok((row, after)),
                    None if after.is_empty() => Ok((row, after)),
                    None => Err(format!("expected a comma or the end of the line after field {}", row.len())),
                };
            }
        }
    }
}

/// A field whose opening quote is passed, and what comes after its closing one.
fn parse_quoted(text: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"').ok_or("expected a closing quote, found none")?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Ok((field, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        let text = "aaa,bbb,ccc\r\n\"aaa\",\"b\r\nbb\",\"ccc\"\r\n\"aaa\",\"b\"\"bb\",ccc";
        let rows = parse(text).unwrap();
        assert_eq!(rows, [["aaa", "bbb", "ccc"], ["aaa", "b\r\nbb", "ccc"], ["aaa", "b\"bb", "ccc"]]);
        for wrong in ["a\"b", "\"a", "\"a\"b,c"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn rows_read_as_they_are_written(rows in prop::collection::vec(prop::collection::vec("[a,\"\r\né ]{0,4}", 2..4), 0..4)) {
            let mut out = Vec::new();
            rows.iter().for_each(|row| put_row(&mut out, row.iter().map(String::as_str)));
            prop_assert_eq!(parse(std::str::from_utf8(&out).unwrap()).unwrap(), rows);
        }
    }
}
