//! How a listing of interfaces describes itself to the output layer.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::{Iface, View, details};
use crate::error::Exit;
use crate::output::record::{Block, Layout, Report, Warning};

/// The interfaces that were asked for.
#[derive(Clone, Debug)]
pub struct Interfaces {
    /// By index.
    pub interfaces: Vec<Iface>,
    /// What limits the listing, and what troubles them.
    pub warnings: Vec<Warning>,
    /// The interfaces that each warning is about, by index.
    pub(super) about: Vec<Vec<u32>>,
    /// How a person is shown them.
    pub view: View,
    /// Whether something that was asked for is not there.
    pub is_lacking: bool,
    /// Whether looking again and again was ended by Ctrl-C.
    pub is_interrupted: bool,
}

impl Serialize for Interfaces {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.interfaces.serialize(serializer)
    }
}

impl Report for Interfaces {
    const SCHEMA: &'static str = "netdiag.ifaces/1";
    const ROWS: &'static str = "";
    const ROW_EVENT: &'static str = "interface";
    type Row = Iface;

    fn row_count(&self) -> usize {
        self.interfaces.len()
    }

    fn row(&self, index: usize) -> Cow<'_, Iface> {
        Cow::Borrowed(&self.interfaces[index])
    }

    fn layout(&self) -> Layout {
        match self.view {
            View::Rows => Layout::Table,
            View::Brief => Layout::Lines(&["name", "state", "addresses"]),
            View::Details => Layout::Blocks,
        }
    }

    fn line_each(&self) -> &'static str {
        "addresses"
    }

    fn block(&self, index: usize) -> Block {
        details::block(&self.interfaces[index])
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    fn exit(&self) -> Exit {
        if self.interfaces.is_empty() || self.is_lacking { Exit::Negative } else { Exit::Fine }
    }
}
