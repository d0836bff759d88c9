//! A condition in pieces.

use super::condition::ConditionError;

/// A piece of a condition, and at which column it begins, counted from 1 in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) what: What,
    pub(super) column: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A name or a word.
    Name(String),
    /// Digits, maybe with a point.
    Number(String),
    /// What stands between quotes.
    Text(String),
    /// A sign: an operator, a parenthesis, a dot.
    Sign(&'static str),
    /// After the last.
    End,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            What::Name(text) | What::Number(text) => write!(f, "{text}"),
            What::Text(text) => write!(f, "{text:?}"),
            What::Sign(sign) => write!(f, "{sign}"),
            What::End => f.write_str("the end"),
        }
    }
}

const SIGNS: [&str; 11] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", ".", "&&", "||"];

/// Takes a condition to pieces.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ConditionError> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let begin = at;
        let what = match chars[at] {
            char if char.is_whitespace() => {
                at += 1;
                continue;
            }
            '"' => text_at(&chars, &mut at)?,
            char if char.is_ascii_digit() => number_at(&chars, &mut at),
            char if is_of_name(char) => What::Name(take(&chars, &mut at, is_of_name)),
            _ => sign_at(&chars, &mut at)?,
        };
        tokens.push(Token { what, column: begin + 1 });
    }
    tokens.push(Token { what: What::End, column: chars.len() + 1 });
    Ok(tokens)
}

fn is_of_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

fn take(chars: &[char], at: &mut usize, is_wanted: impl Fn(char) -> bool) -> String {
    let taken: String = chars[*at..].iter().copied().take_while(|char| is_wanted(*char)).collect();
    *at += taken.chars().count();
    taken
}

/// Digits, with `_` or `,` between them if that is easier to read, and a fraction.
fn number_at(chars: &[char], at: &mut usize) -> What {
    let mut number = take(chars, at, |char| char.is_ascii_digit() || matches!(char, '_' | ','));
    number.retain(|char| char.is_ascii_digit());
    let has_fraction = chars.get(*at) == Some(&'.') && chars.get(*at + 1).is_some_and(char::is_ascii_digit);
    if has_fraction {
        *at += 1;
        number.push('.');
        number.push_str(&take(chars, at, |char| char.is_ascii_digit()));
    }
    What::Number(number)
}

/// Between quotes; `\"` and `\\` are a quote and a backslash.
fn text_at(chars: &[char], at: &mut usize) -> Result<What, ConditionError> {
    let begin = *at;
    let mut text = String::new();
    *at += 1;
    loop {
        match chars.get(*at) {
            Some('"') => {
                *at += 1;
                return Ok(What::Text(text));
            }
            Some('\\') if matches!(chars.get(*at + 1), Some('"' | '\\')) => {
                text.push(chars[*at + 1]);
                *at += 2;
            }
            Some(char) => {
                text.push(*char);
                *at += 1;
            }
            None => return Err(ConditionError::new(begin + 1, "expected a closing quote, found the end")),
        }
    }
}

fn sign_at(chars: &[char], at: &mut usize) -> Result<What, ConditionError> {
    let is_here = |sign: &&&str| sign.chars().eq(chars[*at..].iter().copied().take(sign.len()));
    match SIGNS.iter().find(is_here) {
        Some(sign) => {
            *at += sign.len();
            Ok(What::Sign(sign))
        }
        None => {
            let hint = if chars[*at] == '=' { ": equality is ==" } else { "" };
            let message = format!("expected a name, a value or an operator, found {:?}{hint}", chars[*at]);
            Err(ConditionError::new(*at + 1, message))
        }
    }
}
