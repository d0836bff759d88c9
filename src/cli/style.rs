//! How output looks to people: colours, grouped digits. On a terminal only, so that what a script reads stays as it is.

use std::fmt::Display;
use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ValueEnum;
use tallybook::forensics::Value;

/// When to write for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Into pipes and files, too: with colours, and for people.
    Always,
    /// Without colours.
    Never,
}

/// How stdout looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Whether there are colours.
    pub(super) has_colors: bool,
    /// Whether digits are grouped, and times told relative to now as well.
    pub(super) is_for_people: bool,
}

/// What a text is, so what colour it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// The head of a table.
    Head,
    /// What went well.
    Good,
    /// What to look at.
    Warning,
    /// What went wrong.
    Bad,
    /// What matters less.
    Faint,
}

static STYLE: OnceLock<Style> = OnceLock::new();

/// Decides once and for all how stdout looks.
pub(super) fn choose(choice: ColorChoice) {
    let is_terminal = std::io::stdout().is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    // The first choice stays; there is only one.
    let _ = STYLE.set(Style::of(choice, is_terminal, no_color));
}

/// How stdout looks: plain, until that was chosen.
pub(super) fn style() -> Style {
    STYLE.get().copied().unwrap_or(Style::PLAIN)
}

impl Style {
    /// For scripts.
    pub(super) const PLAIN: Style = Style { has_colors: false, is_for_people: false };

    fn of(choice: ColorChoice, is_terminal: bool, no_color: bool) -> Style {
        match choice {
            ColorChoice::Auto => Style { has_colors: is_terminal && !no_color, is_for_people: is_terminal },
            ColorChoice::Always => Style { has_colors: true, is_for_people: true },
            ColorChoice::Never => Style { has_colors: false, is_for_people: is_terminal },
        }
    }

    /// A text in its colour.
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.has_colors || text.is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Head => "1",
            Paint::Good => "32",
            Paint::Warning => "33",
            Paint::Bad => "31",
            Paint::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A number, for people with its digits in groups of three from 10,000 on.
    pub(super) fn number(self, number: impl Display) -> String {
        let digits = number.to_string();
        if !self.is_for_people || digits.len() < 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return digits;
        }
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    }
}

/// A value of a field; digits are grouped where it is a number, and never in a text.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::Amount(amount) => style().number(amount),
        Value::Count(count) => style().number(count),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_and_no_color_turns_them_off() {
        let of = |choice, is_terminal, no_color| {
            let Style { has_colors, is_for_people } = Style::of(choice, is_terminal, no_color);
            (has_colors, is_for_people)
        };
        assert_eq!(of(ColorChoice::Auto, false, false), (false, false));
        assert_eq!(of(ColorChoice::Auto, true, false), (true, true));
        assert_eq!(of(ColorChoice::Auto, true, true), (false, true));
        assert_eq!(of(ColorChoice::Always, false, true), (true, true));
        assert_eq!(of(ColorChoice::Never, true, false), (false, true));
        assert_eq!(Style::PLAIN.paint(Paint::Bad, "x"), "x");
        let colored = Style { has_colors: true, is_for_people: true };
        assert_eq!(colored.paint(Paint::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(colored.paint(Paint::Bad, ""), "");
    }

    #[test]
    fn digits_are_grouped_for_people_only() {
        let people = Style { has_colors: false, is_for_people: true };
        let grouped = [("0", "0"), ("9999", "9999"), ("10000", "10,000"), ("123456", "123,456"), ("-", "-")];
        for (number, expected) in grouped {
            assert_eq!(people.number(number), expected);
            assert_eq!(Style::PLAIN.number(number), number);
        }
        assert_eq!(people.number(u64::MAX), "18,446,744,073,709,551,615");
    }
}
