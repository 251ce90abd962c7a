//! A block a row: a title, and labelled lines below it.

use unicode_width::UnicodeWidthStr;

use crate::output::environment::Screen;
use crate::output::record::{Block, Line};
use crate::output::style;

/// How far the labels are indented, and how far what they label stands from the longest.
const INDENT: usize = 2;
const GAP: usize = 2;

/// Renders blocks with a blank line between, their fields flush with each other.
pub(in crate::output) fn blocks(
    blocks: impl Iterator<Item = Block>,
    screen: &Screen,
    mut out: impl FnMut(&str),
) {
    let blocks: Vec<Block> = blocks.collect();
    let labels = blocks.iter().flat_map(|block| block.fields.iter().map(|(label, _)| label.width()));
    let start = INDENT + labels.max().unwrap_or(0) + GAP;
    let width = screen.width.filter(|_| screen.is_terminal).unwrap_or(usize::MAX);
    let shown = |line: &Line| style::line(line, screen.charset, screen.colored);
    for (place, block) in blocks.iter().enumerate() {
        if place > 0 {
            out("\n");
        }
        for (number, part) in style::wrapped(&block.title, 2 * INDENT, width).iter().enumerate() {
            let indent = if number == 0 { 0 } else { 2 * INDENT };
            out(&format!("{:indent$}{}\n", "", shown(part)));
        }
        for (label, lines) in &block.fields {
            let mut label = *label;
            for line in lines {
                for (number, part) in style::wrapped(line, start + GAP, width).iter().enumerate() {
                    let more = if number == 0 { 0 } else { GAP };
                    let fill = start - INDENT;
                    let written = style::paint(label, crate::output::record::Role::Dim, screen.colored);
                    let blanks = fill.saturating_sub(label.width()) + more;
                    out(&format!("{:INDENT$}{written}{:blanks$}{}\n", "", "", shown(part)));
                    label = "";
                }
            }
        }
    }
}
