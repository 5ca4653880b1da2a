//! Columns that line up.

use super::style::Role;
use super::{Output, Ui};

/// What stands in one place of a table.
pub(crate) struct Cell {
    text: String,
    role: Role,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), role: Role::Plain }
    }

    pub(crate) fn painted(role: Role, text: impl Into<String>) -> Self {
        Self { text: text.into(), role }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Rows under a heading.
pub(crate) struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Table {
    pub(crate) fn new(heading: &[&'static str]) -> Self {
        Self { heading: heading.to_vec(), rows: Vec::new(), indent: 0 }
    }

    /// A table without a heading, `indent` columns to the right.
    pub(crate) fn bare(indent: usize) -> Self {
        Self { heading: Vec::new(), rows: Vec::new(), indent }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as text; without heading and separated by tabs for [`Output::Plain`].
    pub(crate) fn text(&self, ui: &Ui) -> String {
        if ui.output == Output::Plain {
            let line = |row: &Vec<Cell>| {
                let cells: Vec<String> =
                    row.iter().map(|cell| cell.text.replace('\t', " ")).collect();
                cells.join("\t") + "\n"
            };
            return self.rows.iter().map(line).collect();
        }
        let widths = self.widths();
        let mut text = String::new();
        if !self.heading.is_empty() {
            let heading = self.heading.iter().map(|name| Cell::painted(Role::Faint, *name));
            let cells: Vec<Cell> = heading.collect();
            self.line(ui, &widths, &cells, &mut text);
        }
        for row in &self.rows {
            self.line(ui, &widths, row, &mut text);
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heading.iter().map(|name| name.len()).collect();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        widths
    }

    fn line(&self, ui: &Ui, widths: &[usize], row: &[Cell], text: &mut String) {
        let mut gap = self.indent;
        for (cell, width) in row.iter().zip(widths) {
            if !cell.text.is_empty() {
                text.push_str(&" ".repeat(gap));
                text.push_str(&ui.paint(cell.role, &cell.text));
                gap = 0;
            }
            gap += width.saturating_sub(if cell.text.is_empty() { 0 } else { cell.width() }) + 2;
        }
        text.push('\n');
    }
}
