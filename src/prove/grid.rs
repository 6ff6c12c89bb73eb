//! Grid: a table of a report, built once, shown to people at a terminal and on the page of HTML.

use super::report::escape;
use std::fmt::Write as _;

/// Rows under heads.
#[derive(Debug)]
pub struct Grid {
    /// What the columns are called.
    pub heads: Vec<String>,
    /// A cell a column.
    pub rows: Vec<Vec<String>>,
    /// So many rows, the first, are the product's own.
    pub ours: usize,
    /// So many columns, the last, are bare numbers: they stand on the right.
    pub numbers: usize,
}

impl Grid {
    /// Of heads divided by `|`, without rows.
    #[must_use]
    pub fn new(heads: &str) -> Self {
        Self {
            heads: heads.split('|').map(str::to_owned).collect(),
            rows: Vec::new(),
            ours: 0,
            numbers: 0,
        }
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        core::iter::once(&self.heads).chain(&self.rows)
    }

    /// Lines for a terminal, so far in.
    #[must_use]
    pub fn text(&self, indent: usize) -> Vec<String> {
        let mut widths = vec![0; self.heads.len()];
        for line in self.lines() {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        let left = widths.len().saturating_sub(self.numbers);
        let told = |line: &Vec<String>| {
            let mut text = " ".repeat(indent);
            for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let _ = match at < left {
                    true => write!(text, "{cell:<width$}  "),
                    false => write!(text, "{cell:>width$}  "),
                };
            }
            text.trim_end().to_owned()
        };
        self.lines().map(told).collect()
    }

    /// A table of the page, which is as wide as it has to be.
    pub fn html(&self, out: &mut String) {
        out.push_str("<div class=wide><table>");
        for (at, line) in self.lines().enumerate() {
            let is_ours = (1..=self.ours).contains(&at);
            out.push_str(if is_ours { "<tr class=map>" } else { "<tr>" });
            let tag = if at == 0 { "th" } else { "td" };
            let left = line.len().saturating_sub(self.numbers);
            for (at, cell) in line.iter().enumerate() {
                let class = if at < left { "" } else { " class=n" };
                let _ = write!(out, "<{tag}{class}>{}", escape(cell));
            }
            out.push_str("</tr>");
        }
        out.push_str("</table></div>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_the_same_on_both_roads() {
        let mut grid = Grid::new("map|log R²|rank");
        for row in [["ours", "0.629", "-0.1"], ["g >= 1", "-17.983", "-"]] {
            grid.rows.push(row.map(str::to_owned).into());
        }
        (grid.ours, grid.numbers) = (1, 2);
        let text = [
            "  map      log R²  rank",
            "  ours      0.629  -0.1",
            "  g >= 1  -17.983     -",
        ];
        assert_eq!(grid.text(2), text);
        let mut page = String::new();
        grid.html(&mut page);
        let rows = "<tr class=map><td>ours<td class=n>0.629<td class=n>-0.1</tr>\
                    <tr><td>g &gt;= 1<td class=n>-17.983<td class=n>-</tr>";
        let heads = "<tr><th>map<th class=n>log R²<th class=n>rank</tr>";
        assert_eq!(
            page,
            format!("<div class=wide><table>{heads}{rows}</table></div>")
        );
    }
}
