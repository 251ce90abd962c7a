//! The formats of standard output, a file each: how events and a result become text.

mod csv;
mod document;
mod json;
mod json_writer;
mod markdown;
mod ndjson;
mod table;

use super::record::{Attention, Column, Event, Report};
use super::select::Rows;
use super::{Emitter, Options};

/// A command's result, with the rows in the order they are to be written.
pub(super) struct Whole<'a, R: Report> {
    pub(super) report: &'a R,
    pub(super) rows: &'a Rows<'a, R::Row>,
    /// The columns that were asked for by name.
    pub(super) named: Option<&'a [&'static Column<R::Row>]>,
}

/// How one format writes events and results.
trait Style {
    /// Writes something that has happened.
    fn event<E: Event>(emitter: &mut Emitter, event: &E);

    /// Writes a command's whole result, with its warnings.
    fn report<R: Report>(emitter: &mut Emitter, whole: &Whole<'_, R>);

    /// Which events are of use to it.
    fn attention(options: &Options) -> Attention;

    /// Whether every event is a part of the data, so that none of it may stand beside.
    fn is_stream_of_data(_: &Options) -> bool {
        false
    }
}

/// Declares the formats, each with the type that writes it.
macro_rules! formats {
    ($($(#[$attribute:meta])* $format:ident => $style:ty,)+) => {
        /// The format of standard output.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum Format {
            $($(#[$attribute])* $format,)+
        }

        impl Format {
            /// Writes something that has happened.
            pub(super) fn event<E: Event>(self, emitter: &mut Emitter, event: &E) {
                match self {
                    $(Self::$format => <$style>::event(emitter, event),)+
                }
            }

            /// Writes a command's whole result, with its warnings.
            pub(super) fn report<R: Report>(self, emitter: &mut Emitter, whole: &Whole<'_, R>) {
                match self {
                    $(Self::$format => <$style>::report(emitter, whole),)+
                }
            }

            /// Which events are of use to it.
            pub(super) fn attention(self, options: &Options) -> Attention {
                match self {
                    $(Self::$format => <$style>::attention(options),)+
                }
            }

            /// Whether every event is a part of the data, so that none of it may stand beside.
            pub(super) fn is_stream_of_data(self, options: &Options) -> bool {
                match self {
                    $(Self::$format => <$style>::is_stream_of_data(options),)+
                }
            }
        }
    };
}

formats! {
    /// Columns or blocks for people, and for `awk` when piped.
    #[default]
    Table => table::Table,
    /// One JSON object at the end.
    Json => json::Json,
    /// A JSON object a line, each as it happens.
    Ndjson => ndjson::Ndjson,
    /// Rows with a header.
    Csv => csv::Csv,
    /// A page for a ticket or a pull request, at the end.
    Markdown => markdown::Markdown,
}

/// Writes beside the data what cannot wait for its end.
fn tell_if_urgent<E: Event>(emitter: &mut Emitter, event: &E) {
    if event.is_urgent() && !emitter.options.quiet {
        emitter.answer(event);
    }
}
