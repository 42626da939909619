//! What a subscriber hears: one span for each attempt, and an event for each step of a run's life.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterhours::{Client, Result, Worker, job};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

#[job(
    name = "telemetry.fails_once",
    queue = "ears",
    retry = 1,
    retry_delay = 0,
    backoff = "fixed"
)]
async fn fails_once(ctx: &afterhours::Context) -> Result {
    if ctx.attempt() == 1 {
        return Err("not yet".into());
    }
    Ok(())
}

/// Writes each event of the library down, with the fields of the span around it.
#[derive(Clone, Default)]
struct Ears(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a string cannot fail.
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ears {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != "afterhours" {
            return;
        }
        let mut line = Fields::default();
        event.record(&mut line);
        if let Some(span) = context
            .event_span(event)
            .filter(|span| span.name() == "attempt")
        {
            let extensions = span.extensions();
            let around = extensions
                .get::<Fields>()
                .map_or("", |fields| fields.0.as_str());
            let _ = write!(line.0, " in{around}");
        }
        self.lines().push(line.0);
    }
}

impl Ears {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self, words: &str) -> bool {
        self.lines().iter().any(|line| line.contains(words))
    }
}

#[tokio::test]
async fn each_step_of_a_run_is_told() -> Result {
    let ears = Ears::default();
    let _listening =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(ears.clone()));
    let client = Client::open_in_memory().await?;
    let worker = Worker::builder(client.clone())
        .jobs([fails_once::JOB])
        .build()?
        .start()
        .await?;
    client.enqueue(fails_once::prepare()).await?.join().await?;
    worker.stop().await?;

    let attempt = |n| format!("in job=\"telemetry.fails_once\" id=1 queue=\"ears\" attempt={n}");
    for words in [
        "message=enqueued job=\"telemetry.fails_once\" id=1 queue=\"ears\"".to_owned(),
        format!("message=started {}", attempt(1)),
        format!(
            "message=failed; will be retried error=\"not yet\" {}",
            attempt(1)
        ),
        format!("message=started {}", attempt(2)),
        format!("message=done {}", attempt(2)),
        "message=worker started".to_owned(),
        "message=worker stopped".to_owned(),
    ] {
        assert!(
            ears.heard(&words),
            "`{words}` was not told: {:#?}",
            ears.lines()
        );
    }
    Ok(())
}
