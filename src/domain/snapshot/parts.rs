//! The parts of a state, and how old versions of a part are brought to its present form.
//!
//! Snapshots are not rewritten when a part changes. When it does, its version goes up by one, a step is added to its
//! history here, which makes the fields of the version before into those of the new one, and its form in `form/`
//! demands the new version by name (a line without `v` is of version 1).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::form::Text;

/// The fields of a line, without `part` and `v`. As they stand, since metadata are kept byte for byte.
pub(super) type Fields = BTreeMap<String, Box<RawValue>>;

/// Makes the fields of one version into those of the next.
pub(super) type Step = fn(&mut Fields) -> Result<(), String>;

/// A part, and how it came to be what it is.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    /// The step from version 1 first.
    pub(super) steps: &'static [Step],
}

impl Part {
    /// The present version, which is the one that is written.
    pub(super) fn current(&self) -> u64 {
        1 + self.steps.len() as u64
    }

    /// The line in the present form of its part, made of one in an older version of it.
    pub(super) fn upcast(&self, version: u64, line: &str) -> Result<String, String> {
        let Distinct(mut fields) = serde_json::from_str(line).map_err(|error| error.to_string())?;
        fields.retain(|field, _| field != "part" && field != "v");
        let done = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
        for step in self.steps.get(done..).unwrap_or_default() {
            step(&mut fields)?;
        }
        let mut current = format!(r#"{{"part":"{}","v":{}"#, self.name, self.current());
        for (field, value) in fields {
            let field = serde_json::to_string(&field).map_err(|error| error.to_string())?;
            current.extend([",", &*field, ":", value.get()]);
        }
        current.push('}');
        Ok(current)
    }
}

/// Every part, in the order in which they are written.
pub(super) static PARTS: [Part; 11] = [
    Part { name: "memory", steps: &[] },
    Part { name: "budget", steps: &[] },
    Part { name: "meter", steps: &[] },
    Part { name: "goal", steps: &[] },
    Part { name: "reservation", steps: &[] },
    Part { name: "spend", steps: &[] },
    Part { name: "booking", steps: &[] },
    Part { name: "key", steps: &[] },
    Part { name: "event_id", steps: &[] },
    Part { name: "releasing", steps: &[] },
    Part { name: "refusals", steps: &[] },
];

/// As much of a line as tells how to read it.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Outline<'a> {
    #[serde(borrow)]
    pub(super) part: Text<'a>,
    #[serde(default = "first")]
    pub(super) v: u64,
}

fn first() -> u64 {
    1
}

/// Fields none of which is doubled. (Read as a plain map, the last of two would win.)
struct Distinct(Fields);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Distinct, D::Error> {
        deserializer.deserialize_map(DistinctVisitor)
    }
}

struct DistinctVisitor;

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Distinct;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Distinct, A::Error> {
        let mut fields = Fields::new();
        while let Some((field, value)) = entries.next_entry::<String, Box<RawValue>>()? {
            if fields.contains_key(&field) {
                return Err(A::Error::custom(format_args!("duplicate field `{field}`")));
            }
            fields.insert(field, value);
        }
        Ok(Distinct(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_color(fields: &mut Fields) -> Result<(), String> {
        let color = RawValue::from_string(r#""red""#.to_owned()).map_err(|error| error.to_string())?;
        match fields.insert("color".to_owned(), color) {
            None => Ok(()),
            Some(_) => Err("unknown field `color`".to_owned()),
        }
    }

    fn rename_size(fields: &mut Fields) -> Result<(), String> {
        let size = fields.remove("size").ok_or("missing field `size`")?;
        fields.insert("length".to_owned(), size);
        Ok(())
    }

    const PART: Part = Part { name: "thing", steps: &[add_color, rename_size] };

    #[test]
    fn an_old_line_goes_through_the_steps_after_its_version() {
        let meta = r#"{"price":0.10,"n":123456789012345678901234567890}"#;
        let line = format!(r#"{{"part":"thing","size":1.0,"meta":{meta}}}"#);
        let current = format!(r#"{{"part":"thing","v":3,"color":"red","length":1.0,"meta":{meta}}}"#);
        assert_eq!(PART.upcast(1, &line).unwrap(), current);
        assert_eq!(
            PART.upcast(2, r#"{"v":2,"part":"thing","size":1}"#).unwrap(),
            r#"{"part":"thing","v":3,"length":1}"#
        );
    }

    #[test]
    fn an_old_line_that_is_none_is_refused() {
        for (line, message) in [
            (r#"{"part":"thing","size":1,"color":2}"#, "unknown field `color`"),
            (r#"{"part":"thing","size":1,"size":2}"#, "duplicate field `size`"),
            (r#"{"part":"thing"}"#, "missing field `size`"),
        ] {
            let error = PART.upcast(1, line).unwrap_err();
            assert!(error.contains(message), "{line}: {error}");
        }
    }
}
