//! Text for people: columns that line up.

use std::io::{self, Write};

use super::style::{Paint, Style, style};

/// Rows of cells, printed with every column as wide as its widest cell.
pub(super) struct Table {
    alignments: Vec<Align>,
    /// Whether the first row is a head, and which column holds a status.
    has_head: bool,
    status: Option<usize>,
    rows: Vec<Vec<String>>,
    style: Style,
}

/// On which side the cells of a column begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    /// Numbers: on the right, and for people with their digits in groups.
    Right,
    /// On the right, as it is: what may be a number or a text.
    RightAsIs,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new<const N: usize>(columns: [(&str, Align); N]) -> Table {
        Table {
            alignments: columns.iter().map(|&(_, align)| align).collect(),
            has_head: true,
            status: columns.iter().position(|&(name, _)| name == "STATUS"),
            style: style(),
            rows: vec![columns.iter().map(|&(name, _)| name.to_owned()).collect()],
        }
    }

    /// Names on the left, values on the right, without a head.
    pub(super) fn of_pairs() -> Table {
        let alignments = vec![Align::Left, Align::Left];
        Table { alignments, has_head: false, status: None, rows: Vec::new(), style: style() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        let shown = cells.iter().zip(&self.alignments).map(|(cell, align)| match align {
            Align::Right => self.style.number(printable(cell)),
            Align::Left | Align::RightAsIs => printable(cell),
        });
        self.rows.push(shown.collect());
    }

    /// Whether it has nothing but its head.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    pub(super) fn pair(&mut self, name: &str, value: impl ToString) {
        self.row([name.to_owned(), self.style.number(value.to_string())]);
    }

    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.alignments.len()).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            let mut blanks = 0;
            for (column, (cell, &align)) in row.iter().zip(&self.alignments).enumerate() {
                let missing = widths[column] - cell.chars().count();
                let (before, after) = if align == Align::Left { (0, missing) } else { (missing, 0) };
                // Columns without a single character take no room.
                let gap = if widths[..column].iter().all(|width| *width == 0) { 0 } else { 2 };
                blanks += gap + before;
                if !cell.is_empty() {
                    line.extend(std::iter::repeat_n(' ', std::mem::take(&mut blanks)));
                    let paint = self.paint_of(number, column, cell);
                    line.push_str(&paint.map_or_else(|| cell.clone(), |paint| self.style.paint(paint, cell)));
                }
                blanks += after;
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn paint_of(&self, row: usize, column: usize, cell: &str) -> Option<Paint> {
        match (self.has_head, row, column) {
            (true, 0, _) => Some(Paint::Head),
            (false, _, 0) => Some(Paint::Faint),
            _ if self.status == Some(column) => Some(match cell.split(' ').next() {
                Some("active" | "open") => Paint::Good,
                Some("exhausted") => Paint::Bad,
                Some("paused" | "unknown") => Paint::Warning,
                _ => Paint::Faint,
            }),
            _ => None,
        }
    }
}

/// Without what would move a terminal's cursor: texts come from agents.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() { out.extend(char.escape_default()) } else { out.push(char) }
    }
    out
}

/// The first `max` characters, with a mark where some are cut.
pub(super) fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_are_shown() {
        let mut table = Table::new([("NAME", Align::Left), ("N", Align::Right), ("TEXT", Align::Left)]);
        table.row(["é".into(), "12345".into(), "a\u{1b}[2Jb".into()]);
        table.row(["long name".into(), "1".into(), String::new()]);
        let mut out = Vec::new();
        table.print(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "NAME           N  TEXT\né          12345  a\\u{1b}[2Jb\nlong name      1\n"
        );
        table.style = Style { has_colors: true, is_for_people: true };
        let mut out = Vec::new();
        table.print(&mut out).unwrap();
        let colored = String::from_utf8(out).unwrap();
        assert!(colored.starts_with("\u{1b}[1mNAME\u{1b}[0m           \u{1b}[1mN\u{1b}[0m  "), "{colored:?}");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }

    #[test]
    fn right_cells_are_made_printable_too_and_only_numbers_are_grouped() {
        let mut table = Table::new([("", Align::Left), ("N", Align::Right), ("VALUE", Align::RightAsIs)]);
        table.style = Style { has_colors: false, is_for_people: true };
        table.row([String::new(), "20261118".into(), "20261118".into()]);
        table.row([String::new(), "\u{1b}[2J".into(), "\u{1b}]0;x\u{7}  ".into()]);
        let mut out = Vec::new();
        table.print(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "20,261,118           20261118");
        assert_eq!(lines[2], " \\u{1b}[2J  \\u{1b}]0;x\\u{7}", "nothing trails");
    }
}
