//! Metadata that a host hangs on a command.

use std::fmt;
use std::sync::Arc;

use crate::event::{Json, JsonError, json};

/// Metadata of the host: a JSON object that Tallybook keeps and hands back, but never looks into.
///
/// Kept byte for byte, except that white space between its parts is removed: numbers are not rounded, keys not
/// sorted, escapes not rewritten.
///
/// ```
/// use tallybook::event::Meta;
/// let meta = Meta::parse("{ \"price\": 0.10,\n  \"tag\": \"a b\" }").unwrap();
/// assert_eq!(meta.as_str(), r#"{"price":0.10,"tag":"a b"}"#);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Meta(Arc<str>);

/// Why a text is not metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// It is JSON, but not an object.
    #[error("expected meta to be a JSON object, found {found}")]
    NotAnObject {
        /// What it is instead.
        found: &'static str,
    },
    /// It is not JSON, or nested too deeply, or holds what most readers of JSON refuse (half a surrogate pair, a
    /// number beyond the range of an `f64`).
    #[error("expected meta to be valid JSON: {message}")]
    Invalid {
        /// What was found, and where.
        message: String,
    },
    /// It is too long.
    #[error("expected meta of at most {} bytes without white space, found {len}", Meta::MAX_LEN)]
    TooLong {
        /// Its length in bytes, without white space.
        len: usize,
    },
}

impl Meta {
    /// The longest metadata, in bytes, without white space.
    pub const MAX_LEN: usize = 4096;
    /// How deeply objects and arrays may be nested, the outermost included.
    pub const MAX_DEPTH: usize = Json::MAX_DEPTH;

    /// Reads a JSON object.
    ///
    /// # Errors
    /// When `text` is not a JSON object, or longer than [`MAX_LEN`](Self::MAX_LEN), or nested more deeply than
    /// [`MAX_DEPTH`](Self::MAX_DEPTH).
    pub fn parse(text: &str) -> Result<Meta, MetaError> {
        let compact = json::compact(text).map_err(|JsonError { message }| MetaError::Invalid { message })?;
        if let Some(found) = not_an_object(&compact) {
            return Err(MetaError::NotAnObject { found });
        }
        if compact.len() > Self::MAX_LEN {
            return Err(MetaError::TooLong { len: compact.len() });
        }
        Ok(Meta(compact.into()))
    }

    /// The JSON text, on one line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a valid JSON text is, if it is not an object.
fn not_an_object(text: &str) -> Option<&'static str> {
    match text.as_bytes().first() {
        Some(b'{') => None,
        Some(b'[') => Some("an array"),
        Some(b'"') => Some("a string"),
        Some(b't' | b'f') => Some("a boolean"),
        Some(b'n') => Some("null"),
        _ => Some("a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_outside_strings_is_removed() {
        let text = "\t{ \"a\" : [ 1.0 , -0 , 1e2 ] ,\r\n \"q\\\" \\\\\" : \" { } \" , \"\\u00e9\" : \"é\" , \"a\":null } ";
        let kept = r#"{"a":[1.0,-0,1e2],"q\" \\":" { } ","\u00e9":"é","a":null}"#;
        assert_eq!(Meta::parse(text).unwrap().as_str(), kept);
        assert_eq!(Meta::parse(kept).unwrap().as_str(), kept);
    }

    #[test]
    fn what_is_no_object_is_named() {
        for (text, name) in [
            ("[1]", "an array"),
            ("\"a\"", "a string"),
            ("true", "a boolean"),
            (" null", "null"),
            ("-1.5", "a number"),
        ] {
            assert_eq!(Meta::parse(text), Err(MetaError::NotAnObject { found: name }), "{text}");
        }
    }

    #[test]
    fn what_an_ordinary_reader_of_json_refuses_is_refused() {
        for text in
            ["", "{", "{} {}", "{a:1}", "{\"a\":1,}", "{\"a\":\"\n\"}", r#"{"a":"\ud800"}"#, r#"{"a":1e999}"#]
        {
            assert!(matches!(Meta::parse(text), Err(MetaError::Invalid { .. })), "{text:?}");
        }
    }

    #[test]
    fn the_length_is_counted_without_white_space() {
        let of_len = |len: usize| format!("{{ \"a\" : \"{}\" }}", "x".repeat(len - 8));
        assert_eq!(Meta::parse(&of_len(Meta::MAX_LEN)).unwrap().as_str().len(), Meta::MAX_LEN);
        assert_eq!(
            Meta::parse(&of_len(Meta::MAX_LEN + 1)),
            Err(MetaError::TooLong { len: Meta::MAX_LEN + 1 })
        );
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(Meta::parse(&nested(Meta::MAX_DEPTH)).is_ok());
        let error = Meta::parse(&nested(Meta::MAX_DEPTH + 1)).unwrap_err();
        assert!(error.to_string().contains("nested deeper than 64 levels"), "{error}");
        assert!(Meta::parse(&nested(2000)).is_err());
    }
}
