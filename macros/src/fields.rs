//! What the options said -> the fields of a `JobDef`, each only if it was said.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::{Backoff, Codec, Missed, Overlap};
use crate::model::{Job, Schedule, Unique};

// Input:  #[job(queue = "mail", timeout = 30)]
// Output: queue: "mail", timeout: Some(…),
pub(crate) fn said(job: &Job<'_>) -> TokenStream {
    [enqueued(job), ticks(job), stored(job)]
        .into_iter()
        .collect()
}

/// How runs wait, run and are retried.
fn enqueued(job: &Job<'_>) -> TokenStream {
    let some = some();
    let fields = [
        job.queue.as_ref().map(|queue| quote!(queue: #queue,)),
        job.priority.map(|priority| quote!(priority: #priority,)),
        job.timeout
            .map(duration)
            .map(|timeout| quote!(timeout: #some(#timeout),)),
        job.retry.map(|retry| quote!(retry: #retry,)),
        job.retry_delay
            .map(duration)
            .map(|delay| quote!(retry_delay: #delay,)),
        job.backoff
            .map(backoff)
            .map(|backoff| quote!(backoff: #backoff,)),
        job.jitter.map(|jitter| quote!(jitter: #some(#jitter),)),
        job.concurrency
            .map(|limit| quote!(concurrency: #some(#limit),)),
        job.unique
            .as_ref()
            .map(unique)
            .map(|unique| quote!(unique: #some(#unique),)),
        job.unique_for
            .map(duration)
            .map(|period| quote!(unique_for: #some(#period),)),
        job.keep
            .map(duration)
            .map(|keep| quote!(keep: #some(#keep),)),
    ];
    fields.into_iter().flatten().collect()
}

/// When it runs by itself.
fn ticks(job: &Job<'_>) -> TokenStream {
    let some = some();
    let fields = [
        job.schedule
            .as_ref()
            .map(schedule)
            .map(|tick| quote!(schedule: #some(#tick),)),
        job.worker.map(|worker| quote!(worker: #some(#worker),)),
        job.overlap
            .map(overlap)
            .map(|overlap| quote!(overlap: #overlap,)),
        job.missed
            .map(missed)
            .map(|missed| quote!(missed: #missed,)),
        job.missed_limit
            .map(|limit| quote!(missed_limit: #some(#limit),)),
        job.missed_window
            .map(duration)
            .map(|window| quote!(missed_window: #some(#window),)),
    ];
    fields.into_iter().flatten().collect()
}

/// What stored runs look like, now and before.
fn stored(job: &Job<'_>) -> TokenStream {
    let (aliases, accepts) = (&job.aliases, &job.accepts);
    let fields = [
        job.version.map(|version| quote!(version: #version,)),
        job.upgrade.is_some().then(|| quote!(upgrades: true,)),
        (!aliases.is_empty()).then(|| quote!(aliases: &[#(#aliases),*],)),
        (!accepts.is_empty()).then(|| quote!(accepts: &[#(#accepts),*],)),
        job.codec.map(codec).map(|codec| quote!(codec: #codec,)),
    ];
    fields.into_iter().flatten().collect()
}

fn some() -> TokenStream {
    quote!(::core::option::Option::Some)
}

fn duration(duration: Duration) -> TokenStream {
    // A parsed duration is far below the range of u64 milliseconds.
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    quote!(__p::Duration::from_millis(#millis))
}

fn backoff(backoff: Backoff) -> TokenStream {
    match backoff {
        Backoff::Fixed => quote!(__p::Backoff::Fixed),
        Backoff::Linear => quote!(__p::Backoff::Linear),
        Backoff::Exponential => quote!(__p::Backoff::Exponential),
    }
}

fn unique(unique: &Unique) -> TokenStream {
    match unique {
        Unique::Arguments => quote!(__p::UniqueDef::Arguments),
        Unique::Key(key) => quote!(__p::UniqueDef::Key(#key)),
    }
}

fn schedule(schedule: &Schedule) -> TokenStream {
    match schedule {
        Schedule::Every(interval) => {
            let interval = duration(*interval);
            quote!(__p::ScheduleDef::Every(#interval))
        }
        Schedule::Cron {
            expression,
            timezone,
        } => {
            quote!(__p::ScheduleDef::Cron { expression: #expression, timezone: #timezone })
        }
    }
}

fn overlap(overlap: Overlap) -> TokenStream {
    match overlap {
        Overlap::Skip => quote!(__p::Overlap::Skip),
        Overlap::Allow => quote!(__p::Overlap::Allow),
    }
}

fn missed(missed: Missed) -> TokenStream {
    match missed {
        Missed::Skip => quote!(__p::Missed::Skip),
        Missed::RunOnce => quote!(__p::Missed::RunOnce),
        Missed::RunAll => quote!(__p::Missed::RunAll),
    }
}

fn codec(codec: Codec) -> TokenStream {
    match codec {
        Codec::Postcard => quote!(__p::Codec::Postcard),
        Codec::Json => quote!(__p::Codec::Json),
    }
}
