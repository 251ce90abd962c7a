//! JSON: one object at the end.

use super::document::{self, Narrowed};
use super::{Style, Whole, tell_if_urgent};
use crate::output::record::{Attention, Event, Report};
use crate::output::{Emitter, Options};

pub(super) struct Json;

impl Style for Json {
    fn event<E: Event>(emitter: &mut Emitter, event: &E) {
        tell_if_urgent(emitter, event);
    }

    fn report<R: Report>(emitter: &mut Emitter, whole: &Whole<'_, R>) {
        let pretty = emitter.screen.is_terminal;
        let narrowed = Narrowed::new(whole);
        document::report(whole.report, &narrowed, None, pretty, |text| emitter.out.write(text));
        emitter.out.write("\n");
        emitter.tell_warnings_and_hints(whole.report);
    }

    fn attention(_: &Options) -> Attention {
        Attention::None
    }
}
