//! What is wrong with a line that is not in its form.

/// The parser's message, with the field in which it stumbled: it only counts bytes.
pub(super) fn form(line: &str, error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    let Some(message) = message.strip_suffix(&place) else { return message };
    let read = line.as_bytes().get(..error.column()).unwrap_or(line.as_bytes());
    let (field, depth) = last_field(read);
    // Those of the line itself are named already, and are found where another one ends.
    let is_named = message.contains("field `") && (depth == 0 || (depth == 1 && !read.ends_with(b"}")));
    match field {
        _ if is_named => message.to_owned(),
        Some(field) => format!("in field `{field}`: {message}"),
        None => format!("{message}, at byte {}", error.column()),
    }
}

/// The last field of the outermost object that the text has come to, and how deep in it the text ends.
fn last_field(text: &[u8]) -> (Option<String>, usize) {
    let mut found = None;
    let mut last_string = &text[..0];
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                let rest = &text[at + 1..];
                let len = string_len(rest);
                last_string = &rest[..len];
                at += len + 1;
            }
            b':' if depth == 1 => found = Some(last_string),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    (found.map(|field| String::from_utf8_lossy(field).chars().take(80).collect()), depth)
}

/// How many bytes a string has before its closing quote, or before the end of the text.
fn string_len(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => *byte == b'"',
    });
    end.unwrap_or(text.len())
}
