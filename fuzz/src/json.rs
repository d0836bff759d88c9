//! Edits of JSON lines that leave most of them JSON: what is read strictly is hardly ever reached by flipping bytes.

use std::ops::Range;

use crate::input::Input;

/// Values at which something changes: ends of types, other types, what is named in the samples.
const VALUES: [&str; 28] = [
    "0",
    "1",
    "-1",
    "null",
    "true",
    "\"\"",
    "\"0\"",
    "\"1\"",
    "0.5",
    "1e400",
    "\"hourly\"",
    "\"top\"",
    "\"r-2\"",
    "\"sp-1\"",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "\"18446744073709551616\"",
    "\"340282366920938463463374607431768211455\"",
    "\"340282366920938463463374607431768211456\"",
    "\"9999-12-31T23:59:59.999999Z\"",
    "\"-9999-01-01T00:00:00.000000Z\"",
    "\"2026-11-21T10:00:00.000000Z\"",
    "{\"every\":\"PT1S\"}",
    "{}",
    "[]",
    "\"\\ud800\"",
    "\"goal:01994e0a-1c00-7000-8000-0000000000a1\"",
];

/// Edits a text of lines once: one of its lines, or which lines there are.
pub(crate) fn edit_lines(text: &mut Vec<u8>, input: &mut Input<'_>) {
    let mut lines: Vec<Vec<u8>> = text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let is_ended = lines.pop_if(|last| last.is_empty()).is_some();
    let op = input.u8();
    let Some(index) = input.short_index(lines.len()) else { return };
    match op % 16 {
        0 => drop(lines.remove(index)),
        1 => lines.insert(index, lines[index].clone()),
        2 => {
            let other = input.short_index(lines.len()).unwrap_or(index);
            lines.swap(index, other);
        }
        3 => {
            let from = input.short_index(lines.len()).unwrap_or(index);
            edit_line(&mut lines[index], text, input);
            let moved = lines.remove(from);
            lines.insert(index.min(lines.len()), moved);
        }
        _ => edit_line(&mut lines[index], text, input),
    }
    *text = lines.join(&b'\n');
    if is_ended && !lines.is_empty() {
        text.push(b'\n');
    }
}

/// Edits a line, out of what stands in it, in the whole text, or at an edge.
fn edit_line(line: &mut Vec<u8>, text: &[u8], input: &mut Input<'_>) {
    let tokens = tokens(line);
    let op = input.u8();
    let Some(index) = input.short_index(tokens.len()) else { return };
    let token = tokens[index].clone();
    let new: Vec<u8> = match op % 8 {
        0 | 1 => VALUES[usize::from(input.u8()) % VALUES.len()].into(),
        2 => {
            let others = self::tokens(text);
            let Some(other) = input.short_index(others.len()) else { return };
            text[others[other].clone()].to_vec()
        }
        3 => number(&line[token.clone()], input),
        // Some tokens more or less: a field, or half of one.
        4 => Vec::new(),
        5 => {
            let end = tokens[(index + usize::from(input.u8() % 8)).min(tokens.len() - 1)].end;
            [&line[token.start..end], &line[token.clone()]].concat()
        }
        6 => {
            let len = usize::from(input.u8());
            [b"\"", input.take(len), b"\""].concat()
        }
        _ => {
            let len = usize::from(input.u8());
            input.take(len).to_vec()
        }
    };
    let last = if op % 8 == 4 { (index + usize::from(input.u8() % 8)).min(tokens.len() - 1) } else { index };
    line.splice(token.start..tokens[last].end, new.into_iter().filter(|&byte| byte != b'\n'));
}

/// Another number in the place of one, in quotes if that was.
fn number(token: &[u8], input: &mut Input<'_>) -> Vec<u8> {
    let is_text = token.first() == Some(&b'"');
    let digits = std::str::from_utf8(token).unwrap_or_default().trim_matches('"');
    let step = input.u8();
    let number = match digits.parse::<u128>() {
        Ok(number) if step.is_multiple_of(2) => number.wrapping_add(u128::from(step / 2)),
        Ok(number) => number.wrapping_sub(u128::from(step / 2)),
        Err(_) => u128::from(input.u64()),
    };
    if is_text { format!("\"{number}\"").into() } else { number.to_string().into() }
}

/// Strings, numbers and words, each mark by itself.
fn tokens(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let start = at;
        at += 1;
        match text[start] {
            b'"' => {
                while at < text.len() && text[at] != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(text.len());
            }
            byte if byte.is_ascii_alphanumeric() || byte == b'-' => {
                while at < text.len() && (text[at].is_ascii_alphanumeric() || b"+-.".contains(&text[at])) {
                    at += 1;
                }
            }
            _ => {}
        }
        found.push(start..at);
    }
    found
}
