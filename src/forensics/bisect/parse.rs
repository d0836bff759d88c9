//! From a text to a condition.

use std::str::FromStr;

use super::condition::{Condition, ConditionError, Literal, Node, Operator, Part, Term, TermOf};
use super::token::{Token, What, tokens};
use crate::clock::Timestamp;
use crate::domain::State;
use crate::forensics::fields::{self, Field, FieldKind};

/// Deeper than this nobody means it, and the stack is not endless.
const MAX_DEPTH: usize = 64;

const THINGS: [&str; 4] = ["budget", "goal", "reservation", "meter"];
const SHORT: [&str; 3] = ["spent", "reserved", "remaining"];
const COUNTED: [&str; 4] = ["budgets", "goals", "reservations", "meters"];

pub(super) fn parse(text: &str) -> Result<Condition, ConditionError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, terms: Vec::new(), depth: 0 };
    let root = parser.or()?;
    match parser.peek() {
        Token { what: What::End, .. } => Ok(Condition { root, terms: parser.terms }),
        token => Err(unexpected("\"and\", \"or\" or the end", token)),
    }
}

fn unexpected(expected: &str, token: &Token) -> ConditionError {
    ConditionError::new(token.column, format!("expected {expected}, found {}", token.what))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    terms: Vec<Term>,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        // The last is the end, and nothing goes beyond that.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    /// Takes the next piece if it is this word or sign.
    fn take(&mut self, word: &str) -> bool {
        let is_it = match &self.peek().what {
            What::Name(name) => name == word,
            What::Sign(sign) => *sign == word,
            _ => false,
        };
        self.at += usize::from(is_it);
        is_it
    }

    fn expect(&mut self, sign: &str) -> Result<(), ConditionError> {
        if self.take(sign) { Ok(()) } else { Err(unexpected(&format!("{sign:?}"), self.peek())) }
    }

    fn or(&mut self) -> Result<Node, ConditionError> {
        let mut parts = vec![self.and()?];
        while self.take("or") || self.take("||") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Or(parts) })
    }

    fn and(&mut self) -> Result<Node, ConditionError> {
        let mut parts = vec![self.not()?];
        while self.take("and") || self.take("&&") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::And(parts) })
    }

    fn not(&mut self) -> Result<Node, ConditionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message =
                format!("expected no more than {MAX_DEPTH} \"not\" and parentheses within each other");
            return Err(ConditionError::new(self.peek().column, message));
        }
        let node = if self.take("not") {
            Node::Not(Box::new(self.not()?))
        } else if self.take("(") {
            let node = self.or()?;
            self.expect(")")?;
            node
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, ConditionError> {
        let begin = self.peek().column;
        let (term, kind) = self.term()?;
        let at = self.terms.iter().position(|known| known.text == term.text).unwrap_or_else(|| {
            self.terms.push(term);
            self.terms.len() - 1
        });
        let sign = self.next();
        let operator = match &sign.what {
            What::Sign("==") => Operator::Equal,
            What::Sign("!=") => Operator::NotEqual,
            What::Sign("<") => Operator::Less,
            What::Sign("<=") => Operator::LessOrEqual,
            What::Sign(">") => Operator::Greater,
            What::Sign(">=") => Operator::GreaterOrEqual,
            _ if kind == FieldKind::Truth => {
                self.at -= 1;
                return Ok(Node::Compare(at, Operator::Equal, Literal::Truth(true)));
            }
            _ => return Err(unexpected("==, !=, <, <=, > or >=", &sign)),
        };
        let is_order = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if is_order && matches!(kind, FieldKind::Truth | FieldKind::Word(_) | FieldKind::Other) {
            let message =
                format!("expected == or !=, found {}: {} has no order", sign.what, self.terms[at].text);
            return Err(ConditionError::new(sign.column, message));
        }
        if kind == FieldKind::Other && self.peek().what != What::Name("null".into()) {
            let message = format!("{} can only be compared with null", self.terms[at].text);
            return Err(ConditionError::new(begin, message));
        }
        Ok(Node::Compare(at, operator, self.literal(kind)?))
    }

    fn literal(&mut self, kind: FieldKind) -> Result<Literal, ConditionError> {
        let token = self.next();
        let literal = match (&token.what, kind) {
            (What::Name(name), _) if matches!(name.as_str(), "null" | "none") => Some(Literal::Null),
            (What::Name(name), FieldKind::Truth) => bool::from_str(name).ok().map(Literal::Truth),
            (What::Number(number), FieldKind::Number) => number.parse().ok().map(Literal::Number),
            (What::Number(number), FieldKind::Fraction) => ppm(number).map(Literal::Fraction),
            (What::Name(text) | What::Text(text), FieldKind::Word(words)) => {
                words.contains(&text.as_str()).then(|| Literal::Text(text.as_str().into()))
            }
            (What::Text(text), FieldKind::Text) => Some(Literal::Text(text.as_str().into())),
            (What::Text(text), FieldKind::Time) => Timestamp::parse(text).ok().map(Literal::Time),
            _ => None,
        };
        literal.ok_or_else(|| unexpected(&expected_of(kind), &token))
    }

    fn term(&mut self) -> Result<(Term, FieldKind), ConditionError> {
        let token = self.next();
        let What::Name(name) = &token.what else {
            return Err(unexpected("a term, like budget(\"id\").spent or goals.count", &token));
        };
        if COUNTED.contains(&name.as_str()) {
            self.expect(".")?;
            self.expect("count")?;
            let count: fn(&State) -> usize = match name.as_str() {
                "budgets" => State::budget_count,
                "goals" => State::goal_count,
                "reservations" => State::held_reservation_count,
                _ => State::meter_count,
            };
            return Ok((Term { text: format!("{name}.count"), of: TermOf::Count(count) }, FieldKind::Number));
        }
        let is_short = SHORT.contains(&name.as_str());
        if !is_short && !THINGS.contains(&name.as_str()) {
            let known = [&THINGS[..], &SHORT, &COUNTED].concat().join(", ");
            return Err(unexpected(&format!("one of {known}"), &token));
        }
        self.expect("(")?;
        let id = self.next();
        let What::Text(id_text) = &id.what else {
            return Err(unexpected("an id in quotes", &id));
        };
        self.expect(")")?;
        let thing = if is_short { "budget" } else { name };
        let (field, column) = if is_short { (name.clone(), token.column) } else { self.field()? };
        let (of, kind) = term_of(thing, id_text, &field).map_err(|wrong| match wrong {
            Wrong::Id(message) => ConditionError::new(id.column, message),
            Wrong::Field(message) => ConditionError::new(column, message),
        })?;
        Ok((Term { text: format!("{thing}({id_text:?}).{field}"), of }, kind))
    }

    /// A dot and the name of a field, which may have one, too.
    fn field(&mut self) -> Result<(String, usize), ConditionError> {
        self.expect(".")?;
        let token = self.next();
        let What::Name(mut name) = token.what.clone() else {
            return Err(unexpected("the name of a field", &token));
        };
        while self.take(".") {
            let part = self.next();
            let What::Name(part) = &part.what else {
                return Err(unexpected("the name of a field", &part));
            };
            name = format!("{name}.{part}");
        }
        Ok((name, token.column))
    }
}

/// What is wrong about a term.
enum Wrong {
    Id(String),
    Field(String),
}

fn term_of(thing: &str, id: &str, field: &str) -> Result<(TermOf, FieldKind), Wrong> {
    match thing {
        "budget" => {
            let (part, kind) = part(field, fields::BUDGET)?;
            Ok((TermOf::Budget(parsed(id, "a budget")?, part), kind))
        }
        "goal" => {
            let (part, kind) = part(field, fields::GOAL)?;
            Ok((TermOf::Goal(parsed(id, "a goal")?, part), kind))
        }
        "reservation" => {
            let (part, kind) = part(field, fields::RESERVATION)?;
            Ok((TermOf::Reservation(parsed(id, "a reservation")?, part), kind))
        }
        _ => {
            let (part, kind) = part(field, fields::METER)?;
            Ok((TermOf::Meter(parsed(id, "a meter")?, part), kind))
        }
    }
}

fn parsed<Id: FromStr>(id: &str, of: &str) -> Result<Id, Wrong> {
    id.parse().map_err(|_| Wrong::Id(format!("expected the id of {of}, found {id:?}")))
}

fn part<T>(name: &str, fields: &[Field<T>]) -> Result<(Part, FieldKind), Wrong> {
    if name == "exists" {
        return Ok((Part::Exists, FieldKind::Truth));
    }
    match fields.iter().position(|field| field.name == name) {
        Some(at) => Ok((Part::Field(at), fields[at].kind)),
        None => {
            let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
            Err(Wrong::Field(format!("expected one of exists, {}, found {name}", known.join(", "))))
        }
    }
}

/// A number from 0 to 1 of at most six decimals, in parts per million.
fn ppm(number: &str) -> Option<u128> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if decimals.len() > 6 {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(6 - decimals.len()).ok()?);
    let decimals: u128 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    let ppm =
        whole.parse::<u128>().ok()?.checked_mul(1_000_000)?.checked_add(decimals.checked_mul(scale)?)?;
    (ppm <= 1_000_000).then_some(ppm)
}

fn expected_of(kind: FieldKind) -> String {
    match kind {
        FieldKind::Number => "a whole number up to 2^128 - 1, or null".to_owned(),
        FieldKind::Fraction => "a number from 0 to 1 with at most six decimals, or null".to_owned(),
        FieldKind::Truth => "true, false or null".to_owned(),
        FieldKind::Word(words) => format!("one of {}, or null", words.join(", ")),
        FieldKind::Text => "a text in quotes, or null".to_owned(),
        FieldKind::Time => "a time in quotes (like \"2026-11-21T01:15:13Z\"), or null".to_owned(),
        FieldKind::Other => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn wrong(text: &str) -> (usize, String) {
        let error = parse(text).unwrap_err();
        (error.column, error.message)
    }

    #[test]
    fn terms_are_told_once_and_in_their_long_form() {
        let found =
            parse(r#"spent("a") >= 400_000 or (budget("a").spent==1 and not goals.count > 3)"#).unwrap();
        let terms: Vec<&str> = found.terms.iter().map(|term| &*term.text).collect();
        assert_eq!(terms, [r#"budget("a").spent"#, "goals.count"]);
        let Node::Or(parts) = &found.root else { panic!("{found:?}") };
        assert!(matches!(&parts[0], Node::Compare(0, Operator::GreaterOrEqual, Literal::Number(400_000))));
        assert!(matches!(&parts[1], Node::And(parts) if matches!(parts[1], Node::Not(_))));
    }

    #[test]
    fn an_error_points_at_the_column() {
        for (text, column, said) in [
            ("", 1, "expected a term"),
            (r#"budget("a").spend > 1"#, 13, "spent_total"),
            (r#"budget("a").spent > x"#, 21, "a whole number"),
            (r#"budget("a").spent > 1.5"#, 21, "a whole number"),
            (r#"budget("a").spent"#, 18, "found the end"),
            (r#"budget("a").spent = 1"#, 19, "equality is =="),
            (r#"budget(a).spent > 1"#, 8, "an id in quotes"),
            (r#"budget("a" > 1"#, 12, "expected \")\""),
            (r#"budget("a"#, 8, "a closing quote"),
            (r#"goal("a").status == paused"#, 6, "the id of a goal"),
            (r#"reservation("a").status == opened"#, 28, "open, unknown"),
            (r#"reservation("a").status > open"#, 25, "has no order"),
            (r#"reservation("a").expires_at > 5"#, 31, "a time in quotes"),
            (r#"budget("a").progress >= 1.5"#, 25, "from 0 to 1"),
            (r#"budget("a").thresholds == 1"#, 1, "only be compared with null"),
            ("goals.count > 3 goals.count", 17, "\"and\", \"or\" or the end"),
            ("goals.number > 3", 7, "expected \"count\""),
            ("wallet > 3", 1, "one of budget, goal"),
            ("(goals.count > 3", 17, "expected \")\""),
            ("goals.count > é", 15, "found 'é'"),
        ] {
            let (at, message) = wrong(text);
            assert!(at == column && message.contains(said), "{text}: column {at}: {message}");
        }
        let deep = "(".repeat(100_000);
        assert_eq!(wrong(&deep).0, MAX_DEPTH + 1);
        assert!(parse(&format!("{} goals.count > 1", "not ".repeat(MAX_DEPTH))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_a_condition_or_an_error_within_it(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "budget", "goals", ".count", "(", ")", "\"a\"", "\"", "\\", ".", "spent", ">=", "==", "5", "0.5", "_",
                    " and ", " or ", "not ", "null", "true", "é", "=", ".exists",
                ]),
                0..12,
            )
        ) {
            let text = parts.concat();
            if let Err(error) = parse(&text) {
                assert!((1..=text.chars().count() + 1).contains(&error.column), "{text}: {error}");
            }
        }
    }

    #[test]
    fn values_are_read_by_the_type_of_the_field() {
        for text in [
            r#"budget("a").limit == null"#,
            r#"budget("a").hard"#,
            r#"not budget("a").hard and budget("a").exists"#,
            r#"budget("a").hard == false"#,
            r#"budget("a").progress >= 0.5"#,
            r#"budget("a \"b\" \\").window.end <= "2026-01-01T00:00:00Z""#,
            r#"goal("00000000-0000-7000-8000-000000000001").status == "paused""#,
            r#"meter("a").kind != delta && meter("a").total < 340282366920938463463374607431768211455"#,
            r#"budget("a").meta != null || budget("a").unit == "tokens""#,
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text).err());
        }
        assert_eq!(
            (ppm("0.5"), ppm("1"), ppm("0.000001"), ppm("1.000001")),
            (Some(500_000), Some(1_000_000), Some(1), None)
        );
    }
}
