//! JSON of a host that is kept as it was given.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A JSON value of a host: what Tallybook keeps and hands back, but never looks into.
///
/// Kept byte for byte, except that white space between its parts is removed: numbers are not rounded, keys not
/// sorted, escapes not rewritten.
///
/// ```
/// use tallybook::Json;
/// assert_eq!(Json::parse("[ 0.10,\n  \"a b\" ]").unwrap().as_str(), r#"[0.10,"a b"]"#);
/// assert_eq!(Json::of(&("web.search", 812)).unwrap().as_str(), r#"["web.search",812]"#);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

/// Why something is not JSON that can be kept: it is none, or nested too deeply, or holds what most readers of JSON
/// refuse (half a surrogate pair, a number beyond the range of an `f64`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected valid JSON: {message}")]
pub struct JsonError {
    /// What was found, and where.
    pub message: String,
}

impl Json {
    /// How deeply objects and arrays may be nested, the outermost included. Readers of JSON commonly stop at 128
    /// levels, and whoever passes an event on wraps it in a few of their own.
    pub const MAX_DEPTH: usize = 64;

    /// Reads a JSON value.
    ///
    /// # Errors
    /// When `text` is not JSON, or nested more deeply than [`MAX_DEPTH`](Self::MAX_DEPTH).
    pub fn parse(text: &str) -> Result<Json, JsonError> {
        compact(text).map(|compact| Json(compact.into()))
    }

    /// The JSON of any value that serde can write.
    ///
    /// # Errors
    /// When it cannot be written as JSON (an object whose keys are no strings, say), or is nested too deeply.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Json, JsonError> {
        let text = serde_json::to_string(value).map_err(|error| JsonError { message: error.to_string() })?;
        Json::parse(&text)
    }

    /// The JSON text, on one line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Json {
    /// `null`.
    fn default() -> Json {
        Json("null".into())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `text` without the white space outside its strings, if it is a JSON value that can be kept.
pub(super) fn compact(text: &str) -> Result<Cow<'_, str>, JsonError> {
    check(text).map_err(|error| JsonError { message: error.to_string() })?;
    Ok(without_white_space(text))
}

/// Whether `text` is JSON that can be read in full, and not nested too deeply; builds nothing.
fn check(text: &str) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Levels { left: Json::MAX_DEPTH }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Visits a JSON value whose objects and arrays are nested at most `left` levels deep.
#[derive(Clone, Copy)]
struct Levels {
    left: usize,
}

impl Levels {
    fn down<E: serde::de::Error>(self) -> Result<Levels, E> {
        let left = self.left.checked_sub(1);
        let left =
            left.ok_or_else(|| E::custom(format_args!("nested deeper than {} levels", Json::MAX_DEPTH)))?;
        Ok(Levels { left })
    }
}

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let below = self.down()?;
        while items.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let below = self.down()?;
        while entries.next_key::<IgnoredAny>()?.is_some() {
            entries.next_value_seed(below)?;
        }
        Ok(())
    }
}

/// A valid JSON text without the white space outside its strings.
fn without_white_space(text: &str) -> Cow<'_, str> {
    let mut compact = String::new();
    let mut in_string = false;
    let mut escaped = false;
    let mut kept_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => {
                compact.push_str(&text[kept_from..at]);
                kept_from = at + 1;
            }
            _ => {}
        }
    }
    if kept_from == 0 {
        return Cow::Borrowed(text);
    }
    compact.push_str(&text[kept_from..]);
    Cow::Owned(compact)
}

/// Where a JSON value ends that something follows: how many bytes at the start of `bytes` it has. `None` where none ends.
/// Whether it is one is not judged here.
pub(super) fn value_len(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'"' => at += string_len(&bytes[at..])? - 1,
            b'[' | b'{' => depth += 1,
            // What the value stands in ends here, and so does the value.
            b']' | b'}' | b',' if depth == 0 => return Some(at),
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

/// How long a string is, its quotes included, that begins with its quote.
fn string_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += super::text::plain_len(bytes.get(at..)?);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            // A control character, which no string holds as it is.
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_white_space_outside_strings_is_removed() {
        let text = "\t[ { \"a\" : [ 1.0 , -0 , 1e2 ] ,\r\n \"q\\\" \\\\\" : \" { } \" } , \"\\u00e9\", \"é\" , null ] ";
        let kept = r#"[{"a":[1.0,-0,1e2],"q\" \\":" { } "},"\u00e9","é",null]"#;
        assert_eq!(Json::parse(text).unwrap().as_str(), kept);
        assert_eq!(Json::parse(kept).unwrap().as_str(), kept);
        for scalar in ["null", "true", "-1.50e+3", "\"\"", "\" \"", "[]", "{}"] {
            assert_eq!(Json::parse(&format!(" {scalar}\n")).unwrap().as_str(), scalar);
        }
    }

    #[test]
    fn what_an_ordinary_reader_of_json_refuses_is_refused() {
        for text in ["", " ", "{", "{} {}", "{a:1}", "[1,]", "\"\n\"", r#""\ud800""#, "1e999", "NaN", "01"] {
            assert!(Json::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(&nested(Json::MAX_DEPTH)).is_ok());
        let error = Json::parse(&nested(Json::MAX_DEPTH + 1)).unwrap_err();
        assert!(error.to_string().contains("nested deeper than 64 levels"), "{error}");
        assert!(Json::parse(&nested(100_000)).is_err());
    }

    #[test]
    fn what_serde_writes_is_kept() {
        assert_eq!(
            Json::of(&serde_json::json!({"b": [1, null], "a": "x"})).unwrap().as_str(),
            r#"{"a":"x","b":[1,null]}"#
        );
        let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(Json::of(&keys).unwrap_err().to_string().contains("key must be a string"));
        assert_eq!(Json::of(&()).unwrap(), Json::default());
    }

    #[test]
    fn a_value_that_does_not_end_has_no_length() {
        for bytes in ["", "1", "[", "[1]", "\"a", "\"a\\", "\"\\\"", "[\"\n\"],", "{}"] {
            assert_eq!(value_len(bytes.as_bytes()), None, "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn a_value_ends_where_it_ends(json in crate::event::decode::arbitrary::json(), after in "[,}\\]][ -~]*") {
            let text = format!("{json}{after}");
            prop_assert_eq!(value_len(text.as_bytes()), Some(json.as_str().len()));
        }
    }
}
