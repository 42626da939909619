//! One trace from the request that enqueues to the attempts that follow, whatever process they are in.
//!
//! ```text
//! cargo run --release --example opentelemetry
//! ```
//!
//! The spans are kept in memory and checked. To send them to a collector, change the two lines that say `OTLP`.
#![allow(clippy::print_stdout, reason = "it talks to a person at a terminal")]

use std::collections::HashMap;
use std::fs;

use afterhours::{AttemptFuture, Client, Context, Enqueue, Hook, Result, Worker, job};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Status, TracerProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing::{Instrument, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{filter::filter_fn, prelude::*};

const DATABASE: &str = "target/opentelemetry/jobs.db";

#[job(name = "mail.welcome", retry_delay = 0, backoff = "fixed")]
async fn welcome(ctx: &Context, user: u64) -> Result<String> {
    if ctx.attempt() == 1 {
        return Err("the mail server is busy".into());
    }
    Ok(format!("user {user} is welcome"))
}

/// Lets the caller's trace go on in the attempts: in `traceparent` and `tracestate`, as between web servers.
struct Traces(TraceContextPropagator);

impl Hook for Traces {
    fn enqueue(&self, run: &mut Enqueue<'_>) {
        let mut carrier = HashMap::new();
        // Of the current span: one of `tracing` that is entered is OpenTelemetry's current one too.
        self.0.inject(&mut carrier);
        for (key, value) in carrier {
            run.set(key, value);
        }
    }

    fn attempt<'a>(
        &'a self,
        context: &'a Context,
        attempt: AttemptFuture<'a>,
    ) -> AttemptFuture<'a> {
        let keys = self.0.fields();
        let carrier: HashMap<_, _> = keys
            .filter_map(|key| Some((key.to_owned(), context.metadata(key)?.to_owned())))
            .collect();
        let span = info_span!(
            "run",
            otel.name = context.name(),
            otel.kind = "consumer",
            id = %context.id(),
            attempt = context.attempt(),
        );
        // Before it is entered, because a span that has begun keeps its parent. It fails only where nobody listens.
        let _ = span.set_parent(self.0.extract(&carrier));
        Box::pin(async move {
            let ended = attempt.instrument(span.clone()).await;
            if !ended.is_ok() {
                // One that panicked or timed out has no error.
                let error = ended.error().map(ToString::to_string);
                span.set_status(Status::error(error.unwrap_or_else(|| format!("{ended:?}"))));
            }
            ended
        })
    }
}

/// Makes spans of `tracing` spans of OpenTelemetry.
fn listen(provider: &SdkTracerProvider) {
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("shop"))
        // The library's span `attempt` has begun before hooks are asked, and would be a trace of its own.
        .with_filter(filter_fn(|of| of.target() != "afterhours"));
    tracing_subscriber::registry().with(layer).init();
}

#[tokio::main]
async fn main() -> Result {
    let memory = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        // For OTLP: `opentelemetry_otlp::SpanExporter::builder().with_http().build()?`.
        .with_batch_exporter(memory.clone())
        .build();
    listen(&provider);

    let _ = fs::remove_dir_all("target/opentelemetry");
    fs::create_dir_all("target/opentelemetry")?;
    // Whoever enqueues has the hook, and whoever executes. Here it is one process, and one client.
    let client = Client::builder(DATABASE)
        .hook(Traces(TraceContextPropagator::new()))
        .open()
        .await?;
    let worker = Worker::builder(client.clone()).build()?.start().await?;
    let sign_up = async { client.enqueue(welcome::prepare(42)).await };
    let run = sign_up.instrument(info_span!("sign up")).await?;
    println!("{}", run.join().await?);
    worker.stop().await?;

    provider.force_flush()?; // spans go in batches
    show(&memory)?; // for OTLP: without this line
    provider.shutdown()?;
    Ok(())
}

/// Prints all spans, and fails if the attempts are not children of the caller's.
fn show(exporter: &InMemorySpanExporter) -> Result {
    let spans = exporter.get_finished_spans()?;
    let caller = spans.iter().find(|span| span.name == "sign up");
    let caller = &caller.ok_or("the caller has no span")?.span_context;
    let mut children = 0;
    for span in &spans {
        let trace = span.span_context.trace_id();
        println!("trace {trace}: {}, {:?}", span.name, span.status);
        let is_child = (trace, span.parent_span_id) == (caller.trace_id(), caller.span_id());
        children += usize::from(is_child);
    }
    if (children, spans.len()) != (2, 3) {
        let total = spans.len();
        return Err(format!("{total} spans, {children} below the caller's, not 3 and 2").into());
    }
    Ok(())
}
