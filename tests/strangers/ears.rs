//! Hears what the library tells, and every panic in this process.

use std::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

#[derive(Default)]
pub(crate) struct Ears(Mutex<Vec<String>>);

static EARS: OnceLock<Ears> = OnceLock::new();

impl Ears {
    /// Those of this process, which listen from now on.
    pub(crate) fn listening() -> &'static Self {
        EARS.get_or_init(|| {
            let subscriber = tracing_subscriber::registry().with(Listener);
            tracing::subscriber::set_global_default(subscriber).expect("nobody else listens");
            let print = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // A test that fails is none of the library's.
                let is_test = |place: &std::panic::Location<'_>| place.file().contains("strangers");
                if !panic.location().is_some_and(is_test) {
                    hear(format!("a panic: {panic}"));
                }
                print(panic);
            }));
            Self::default()
        })
    }

    /// What should not have been said, nor happened.
    pub(crate) fn of_trouble(&self) -> Vec<String> {
        let trouble = ["panic", "the store failed", "trying again", "cannot rescue"];
        let is_trouble = |line: &&String| trouble.iter().any(|word| line.contains(word));
        self.lines().iter().filter(is_trouble).cloned().collect()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hear(line: String) {
    if let Some(ears) = EARS.get() {
        ears.lines().push(line);
    }
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "afterhours" {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            hear(line.0);
        }
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a string cannot fail.
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}
