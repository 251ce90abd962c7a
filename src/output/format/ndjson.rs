//! NDJSON: a JSON object a line for each event as it happens, and the result as the last.

use super::document::{self, Narrowed};
use super::{Style, Whole};
use crate::output::record::{Attention, Event, Report};
use crate::output::{Emitter, Options};

pub(super) struct Ndjson;

impl Style for Ndjson {
    fn event<E: Event>(emitter: &mut Emitter, event: &E) {
        emitter.out.write(&document::event(event.name(), event));
        emitter.out.write("\n");
        emitter.has_streamed = true;
    }

    fn report<R: Report>(emitter: &mut Emitter, whole: &Whole<'_, R>) {
        if !emitter.has_streamed {
            for row in whole.rows.iter() {
                emitter.out.write(&document::row(R::ROW_EVENT, &*row, whole.named));
                emitter.out.write("\n");
            }
        }
        let narrowed = Narrowed::new(whole);
        document::report(whole.report, &narrowed, Some("summary"), false, |text| emitter.out.write(text));
        emitter.out.write("\n");
        emitter.tell_warnings_and_hints(whole.report);
    }

    fn attention(_: &Options) -> Attention {
        Attention::Details
    }

    fn is_stream_of_data(_: &Options) -> bool {
        true
    }
}
