//! Where code panicked. What is caught does not say it; the process's panic hook hears it first.

use std::any::Any;
use std::cell::Cell;
use std::sync::Once;

use crate::hooks::Panic;

thread_local! {
    static LAST: Cell<Option<String>> = const { Cell::new(None) };
}

/// From now on every panic of the process leaves its place on its thread, and goes on to the hook that was there before.
pub(crate) fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            LAST.set(panic.location().map(ToString::to_string));
            before(panic);
        }));
    });
}

/// A panic that this thread has just caught.
pub(crate) fn caught(panic: &(dyn Any + Send)) -> Panic {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Panic {
        text: text.unwrap_or("a value that is no text").to_owned(),
        location: LAST.take(),
    }
}
