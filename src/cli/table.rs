//! Text for people: columns that line up.

use std::io::{self, Write};

/// Rows of cells, printed with every column as wide as its widest cell.
pub(super) struct Table {
    alignments: Vec<Align>,
    rows: Vec<Vec<String>>,
}

/// On which side the cells of a column begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new<const N: usize>(columns: [(&str, Align); N]) -> Table {
        Table {
            alignments: columns.iter().map(|&(_, align)| align).collect(),
            rows: vec![columns.iter().map(|&(name, _)| name.to_owned()).collect()],
        }
    }

    /// Names on the left, values on the right, without a head.
    pub(super) fn of_pairs() -> Table {
        Table { alignments: vec![Align::Left, Align::Left], rows: Vec::new() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| printable(&cell)).into());
    }

    /// Whether it has nothing but its head.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    pub(super) fn pair(&mut self, name: &str, value: impl ToString) {
        self.row([name.to_owned(), value.to_string()]);
    }

    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.alignments.len()).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, &width), &align) in row.iter().zip(&widths).zip(&self.alignments) {
                if !line.is_empty() {
                    line.push_str("  ");
                }
                match align {
                    Align::Left => line.push_str(&format!("{cell:<width$}")),
                    Align::Right => line.push_str(&format!("{cell:>width$}")),
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
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
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
