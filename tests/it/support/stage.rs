//! A state for jobs that tells the test what they do, and makes them wait for the test.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use super::within;

/// The jobs' side.
pub(crate) struct Stage {
    said: mpsc::UnboundedSender<String>,
    gate: Semaphore,
}

/// The test's side.
pub(crate) struct Audience(mpsc::UnboundedReceiver<String>);

pub(crate) fn stage() -> (Arc<Stage>, Audience) {
    let (said, heard) = mpsc::unbounded_channel();
    let gate = Semaphore::new(0);
    (Arc::new(Stage { said, gate }), Audience(heard))
}

impl Stage {
    pub(crate) fn say(&self, what: impl Into<String>) {
        // Nobody listens any more when the test is over.
        let _ = self.said.send(what.into());
    }

    /// Waits until the test lets one more go on.
    pub(crate) async fn wait(&self) {
        if let Ok(permit) = self.gate.acquire().await {
            permit.forget();
        }
    }

    /// As [`Stage::wait`], in a plain `fn`.
    pub(crate) fn block(&self) {
        tokio::runtime::Handle::current().block_on(self.wait());
    }

    /// A way to speak for tasks that outlive the attempt.
    pub(crate) fn helper(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let said = self.said.clone();
        move |what| {
            let _ = said.send(what.to_owned());
        }
    }

    /// Says `dropped` when it is dropped.
    pub(crate) fn guard(&self) -> Guard<'_> {
        Guard(self)
    }

    /// Lets so many go on.
    pub(crate) fn go(&self, count: usize) {
        self.gate.add_permits(count);
    }
}

pub(crate) struct Guard<'a>(&'a Stage);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.say("dropped");
    }
}

impl Audience {
    /// What was said next.
    pub(crate) async fn next(&mut self) -> String {
        within("a word from a job", self.0.recv())
            .await
            .unwrap_or_else(|| "(no more to hear)".to_owned())
    }

    pub(crate) async fn hears(&mut self, expected: &str) {
        assert_eq!(self.next().await, expected);
    }

    /// What was said and not yet listened to.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }

    pub(crate) fn has_heard_nothing(&mut self) {
        if let Ok(word) = self.0.try_recv() {
            panic!("nothing should have been said, but `{word}` was");
        }
    }
}
