//! One attempt: start, run, time out, catch panics, decide what follows, write it down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::shared::{Hand, Phase, Shared};
use crate::call::{Attempt, Call, Outcome, Returned};
use crate::clock::{Clock, duration_millis, from_millis, until};
use crate::codec::content_len;
use crate::context::{CURRENT, Cancel, Context, Inner};
use crate::failpoint;
use crate::hooks::{End, ErrorReport, Panic};
use crate::job::JobDef;
use crate::job_error::{JobError, Verdict};
use crate::options::{Options, Policy};
use crate::panics::caught;
use crate::progress::Told;
use crate::retry;
use crate::run::{AttemptOutcome, BY_A_CALLER};
use crate::sizes::{check_result, shorten};
use crate::slot::Slot;
use crate::store::{ClaimedRun, Ending};

/// Executes a claimed run on a task of its own, and then, in the same place, those that are claimed ahead.
pub(super) fn execute(shared: &Arc<Shared>, run: ClaimedRun, place: OwnedSemaphorePermit) {
    let hand = Hand::of(shared);
    tokio::spawn(async move {
        let shared = hand.shared();
        let mut next = Some((run, place));
        while let Some((run, place)) = next {
            let place = execute_one(shared, run, place).await;
            // One whose place is lent goes on without.
            let ahead = place.as_ref().and_then(|_| shared.next_ahead());
            if ahead.as_ref().is_some_and(|next| next.is_few) {
                shared.sleeper.wake();
                // To the claimer, while other threads go on.
                tokio::task::yield_now().await;
            } else {
                // Attempts that never wait would keep this thread from all other tasks.
                tokio::task::coop::consume_budget().await;
            }
            next = ahead.map(|next| next.run).zip(place);
        }
        // Now that the place is free.
        shared.sleeper.wake();
    });
}

/// Gives back the place, if it is not lent.
pub(super) async fn execute_one(
    shared: &Arc<Shared>,
    run: ClaimedRun,
    place: OwnedSemaphorePermit,
) -> Option<OwnedSemaphorePermit> {
    // Only known kinds are claimed.
    let job = shared.plan.registry.get(&run.kind.job)?;
    let options = Options::from_stored(run.options.as_deref());
    let policy = Policy::of(job, &options);
    let context = context(shared, run, job, &policy, options, place);
    shared.begin(&context);
    let span = tracing::info_span!(
        target: "afterhours",
        "attempt",
        job = context.name(),
        id = %context.id(),
        queue = context.queue(),
        attempt = context.attempt(),
    );
    let attempt = attempt(shared, job, policy, &context);
    CURRENT
        .scope(context.clone(), attempt)
        .instrument(span)
        .await
}

fn context(
    shared: &Arc<Shared>,
    run: ClaimedRun,
    job: &'static JobDef,
    policy: &Policy,
    options: Options,
    place: OwnedSemaphorePermit,
) -> Context {
    let now = shared.client().now();
    Context::new(Inner {
        name: job.name,
        max_attempts: policy.max_attempts,
        will_retry: run.attempt.saturating_sub(run.lost) < policy.max_attempts,
        enqueued_at: from_millis(run.enqueued_at),
        due_at: from_millis(run.due_at),
        deadline: policy
            .timeout
            .map(|timeout| from_millis(now.wall.saturating_add(duration_millis(timeout)))),
        tags: options.tags,
        metadata: options.metadata,
        states: Arc::clone(&shared.plan.states),
        client: shared.client().clone(),
        cancel: Cancel::default(),
        slot: Slot::new(
            Arc::clone(&shared.slots),
            Arc::clone(&shared.sleeper),
            place,
        ),
        told: Told::new(Arc::clone(&shared.told)),
        run,
    })
}

async fn attempt(
    shared: &Shared,
    job: &'static JobDef,
    policy: Policy,
    context: &Context,
) -> Option<OwnedSemaphorePermit> {
    let metrics = shared.client().metrics();
    let waited = until(shared.client().clock().wall(), context.inner().run.due_at);
    metrics.of(job.name, context.queue(), |series| series.started(waited));
    let since = Instant::now();
    failpoint::reached("before-attempt");
    let performed = perform(shared, job, &policy, context);
    let end = shared.client().hooks().around(context, performed);
    let end = guarded(end).await;
    failpoint::reached("after-attempt");
    // The next run can be claimed in the transaction that writes this one's end.
    let place = context.inner().slot.end();
    // The text and the destructor of an error are the job's code too.
    let (ending, failure) = catch_unwind(AssertUnwindSafe(|| {
        let failure = shared
            .plan
            .on_error
            .as_ref()
            .and_then(|_| Failure::of(&end));
        (ending(shared, job, &policy, context, end), failure)
    }))
    .unwrap_or_else(|panic| {
        let panic = caught(&*panic);
        let error = format!("panicked: {}", panic.text);
        let ending = failed_attempt(shared, &policy, context, AttemptOutcome::Panic, error);
        (ending, Some(Failure::panicked(&panic)))
    });
    report(shared, context, &ending, failure);
    tell(&ending);
    let ran = since.elapsed();
    metrics.of(job.name, context.queue(), |series| {
        series.ended(&ending, ran);
    });
    shared.end(context, ending);
    place
}

async fn perform(shared: &Shared, job: &'static JobDef, policy: &Policy, context: &Context) -> End {
    tracing::debug!(target: "afterhours", "started");
    #[cfg(feature = "testing")]
    if let Some(error) = shared.plan.failures.take(job.name) {
        return End::Returned(Err(error.into()));
    }
    let call = Call::new(context.clone(), job);
    match catch_unwind(AssertUnwindSafe(|| (job.start)(call))) {
        Ok(Ok(Attempt::Future(future))) => {
            perform_future(shared, policy.timeout, future, context).await
        }
        Ok(Ok(Attempt::Blocking(call))) => {
            perform_blocking(shared, policy.timeout, call, context).await
        }
        Ok(Err(error)) => End::Unfit(error.to_string()),
        Err(panic) => End::Panicked(caught(&*panic)),
    }
}

/// The future is dropped at its timeout, and when the worker's grace period is over.
async fn perform_future(
    shared: &Shared,
    timeout: Option<Duration>,
    mut future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    context: &Context,
) -> End {
    let ended = std::future::poll_fn(|cx| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(End::Returned),
            Err(panic) => Poll::Ready(End::Panicked(caught(&*panic))),
        }
    });
    let end = tokio::select! {
        biased;
        end = ended => end,
        () = shared.entered(Phase::Aborting) => End::Stopped,
        // What it gives back is not its own any more; the store knows that.
        () = context.inner().cancel.lost() => End::Stopped,
        () = expired(shared.client().clock(), timeout) => End::TimedOut,
        () = cancelled(shared, context) => End::Cancelled,
    };
    if matches!(end, End::TimedOut | End::Stopped) {
        context.inner().cancel.tell();
    }
    // Its destructors are the job's code too.
    match catch_unwind(AssertUnwindSafe(|| drop(future))) {
        Ok(()) => end,
        Err(panic) => End::Panicked(caught(&*panic)),
    }
}

/// The thread cannot be stopped: it is told, and the attempt lasts until it returns.
async fn perform_blocking(
    shared: &Shared,
    timeout: Option<Duration>,
    call: Box<dyn FnOnce() -> Outcome + Send>,
    context: &Context,
) -> End {
    let (inside, span) = (context.clone(), tracing::Span::current());
    let mut thread = tokio::task::spawn_blocking(move || {
        // Caught here, on the thread that knows where it happened.
        let call = || catch_unwind(AssertUnwindSafe(call)).map_err(|panic| caught(&*panic));
        span.in_scope(|| CURRENT.sync_scope(inside, call))
    });
    let told = tokio::select! {
        biased;
        returned = &mut thread => return blocking_end(returned),
        () = shared.entered(Phase::Aborting) => End::Stopped,
        () = context.inner().cancel.lost() => End::Stopped,
        () = expired(shared.client().clock(), timeout) => End::TimedOut,
    };
    context.inner().cancel.tell();
    tracing::warn!(target: "afterhours", "a plain fn cannot be stopped: it was told to end, and its run stays running until it returns");
    match (told, blocking_end(thread.await)) {
        (End::Stopped, End::Returned(Ok(result))) => End::Returned(Ok(result)),
        (told, _) => told,
    }
}

fn blocking_end(returned: Result<Result<Outcome, Panic>, tokio::task::JoinError>) -> End {
    match returned {
        Ok(Ok(outcome)) => End::Returned(outcome),
        Ok(Err(panic)) => End::Panicked(panic),
        // The runtime shut down before the thread was started.
        Err(_) => End::Stopped,
    }
}

/// After a caller's word, the attempt may end in good order within the grace period.
async fn cancelled(shared: &Shared, context: &Context) {
    context.inner().cancel.cancelled_by_a_caller().await;
    let grace = shared.plan.shutdown_grace;
    shared.client().clock().sleep(grace).await;
}

async fn expired(clock: &Clock, timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => clock.sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// Hooks are the application's code: one that panics ends the attempt, not the worker.
async fn guarded(attempt: impl Future<Output = End>) -> End {
    let mut attempt = std::pin::pin!(attempt);
    std::future::poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(cx)))
            .unwrap_or_else(|panic| Poll::Ready(End::Panicked(caught(&*panic))))
    })
    .await
}

/// What an error reporter wants to know of an attempt.
struct Failure {
    outcome: AttemptOutcome,
    /// None where there is only the text of the ending.
    errors: Vec<String>,
    panicked_at: Option<String>,
}

impl Failure {
    fn of(end: &End) -> Option<Self> {
        let (outcome, errors) = match end {
            End::Returned(Err(error)) => (AttemptOutcome::Error, error.causes()),
            // Its result may be one that cannot be stored.
            End::Returned(Ok(_)) => (AttemptOutcome::Error, Vec::new()),
            End::Panicked(panic) => return Some(Self::panicked(panic)),
            End::TimedOut => (AttemptOutcome::Timeout, Vec::new()),
            End::Stopped | End::Cancelled | End::Unfit(_) => return None,
        };
        Some(Self {
            outcome,
            errors,
            panicked_at: None,
        })
    }

    fn panicked(panic: &Panic) -> Self {
        Self {
            outcome: AttemptOutcome::Panic,
            errors: Vec::new(),
            panicked_at: panic.location.clone(),
        }
    }
}

/// Tells the error reporter, if there is one and the attempt did not succeed.
fn report(shared: &Shared, context: &Context, ending: &Ending, failure: Option<Failure>) {
    let (Ending::Failed { error, .. } | Ending::Retry { error, .. }) = ending else {
        return;
    };
    if let (Some(on_error), Some(failure)) = (&shared.plan.on_error, failure) {
        let mut errors = failure.errors;
        if errors.is_empty() {
            errors.push(error.clone());
        }
        on_error.report(&ErrorReport {
            context,
            outcome: failure.outcome,
            errors: &errors,
            panicked_at: failure.panicked_at.as_deref(),
            will_retry: matches!(ending, Ending::Retry { .. }),
        });
    }
}

/// What follows from how the attempt ended.
fn ending(shared: &Shared, job: &JobDef, policy: &Policy, context: &Context, end: End) -> Ending {
    let fail = |outcome, error| failed_attempt(shared, policy, context, outcome, error);
    match end {
        End::Returned(Ok(result)) => match encode(shared, job, &*result) {
            Ok(result) => Ending::Done {
                result,
                keep: duration_millis(policy.keep_done),
            },
            // Another attempt would not change that.
            Err(reason) => {
                let error = format!("the result cannot be stored: {reason}");
                failed(policy, AttemptOutcome::Error, error)
            }
        },
        End::Returned(Err(error)) => returned_error(shared, policy, context, &error),
        End::Panicked(Panic { text, .. }) => {
            fail(AttemptOutcome::Panic, format!("panicked: {text}"))
        }
        End::TimedOut => {
            let timeout = policy.timeout.unwrap_or_default();
            fail(
                AttemptOutcome::Timeout,
                format!("took longer than its timeout of {timeout:?}"),
            )
        }
        End::Stopped => Ending::Release,
        End::Cancelled => Ending::Cancelled {
            reason: BY_A_CALLER.to_owned(),
            keep: duration_millis(policy.keep_done),
        },
        End::Unfit(reason) => Ending::Park {
            reason: shorten(reason),
        },
    }
}

fn encode(shared: &Shared, job: &JobDef, result: &dyn Returned) -> Result<Vec<u8>, String> {
    let sealed = result.encode(job)?;
    check_result(content_len(&sealed), shared.client().max_payload())?;
    Ok(sealed)
}

fn returned_error(shared: &Shared, policy: &Policy, context: &Context, error: &JobError) -> Ending {
    let in_store_time = |delay: Duration| {
        shared
            .client()
            .now()
            .store
            .saturating_add(duration_millis(delay))
    };
    let text = error.to_string();
    match error.verdict() {
        None => failed_attempt(shared, policy, context, AttemptOutcome::Error, text),
        Some(Verdict::Discard) => failed(policy, AttemptOutcome::Error, text),
        Some(Verdict::RetryIn(delay)) if context.will_retry() => Ending::Retry {
            outcome: AttemptOutcome::Error,
            error: shorten(text),
            due: in_store_time(*delay),
        },
        Some(Verdict::RetryIn(_)) => failed(policy, AttemptOutcome::Error, text),
        Some(Verdict::Snooze(delay)) => Ending::Snooze {
            due: in_store_time(*delay),
        },
        Some(Verdict::Cancel(reason)) => Ending::Cancelled {
            reason: shorten(reason.clone()),
            keep: duration_millis(policy.keep_done),
        },
    }
}

/// The policy's answer to an attempt that did not succeed.
fn failed_attempt(
    shared: &Shared,
    policy: &Policy,
    context: &Context,
    outcome: AttemptOutcome,
    error: String,
) -> Ending {
    if !context.will_retry() {
        return failed(policy, outcome, error);
    }
    let run = &context.inner().run;
    let made = run.attempt.saturating_sub(run.lost);
    let delay = retry::delay(
        policy.backoff,
        policy.retry_delay,
        made,
        policy.jitter,
        shared.random(),
    );
    let due = shared
        .client()
        .now()
        .store
        .saturating_add(duration_millis(delay));
    Ending::Retry {
        outcome,
        error: shorten(error),
        due,
    }
}

fn failed(policy: &Policy, outcome: AttemptOutcome, error: String) -> Ending {
    Ending::Failed {
        outcome,
        error: shorten(error),
        keep: duration_millis(policy.keep_failed),
    }
}

fn tell(ending: &Ending) {
    match ending {
        Ending::Done { .. } => tracing::debug!(target: "afterhours", "done"),
        Ending::Failed { error, .. } => {
            tracing::error!(target: "afterhours", error, "failed for good");
        }
        Ending::Cancelled { reason, .. } => {
            tracing::info!(target: "afterhours", reason, "cancelled");
        }
        Ending::Retry { error, .. } => {
            tracing::warn!(target: "afterhours", error, "failed; will be retried");
        }
        Ending::Snooze { .. } => tracing::debug!(target: "afterhours", "snoozed"),
        Ending::Release => tracing::info!(target: "afterhours", "given back: the worker stops"),
        Ending::Park { reason } => {
            tracing::error!(target: "afterhours", reason, "parked as incompatible");
        }
    }
}
