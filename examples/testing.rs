//! How code that uses jobs is tested: no sleeping, no shared state, no process to start.
//!
//! ```text
//! cargo run --release --example testing
//! ```
//!
//! In your crate these are tests: `#[tokio::test] async fn ..`. Here `main` calls them, so that you see what happens.
#![allow(clippy::print_stdout, reason = "it talks to a person at a terminal")]

use std::time::Duration;

use afterhours::testing::{Outcome, Sandbox};
use afterhours::{Result, assert_enqueued, job, refute_enqueued};

const MINUTE: Duration = Duration::from_secs(60);

struct Mailer {
    is_down: bool,
}

#[job(queue = "mail", retry = 2, retry_delay = 60, backoff = "fixed")]
async fn send_email(#[state] mailer: &Mailer, user_id: u64, template: &str) -> Result<String> {
    if mailer.is_down {
        return Err("connection refused".into());
    }
    Ok(format!("{template} for user {user_id}"))
}

/// The code under test.
async fn sign_up(user_id: u64) -> Result {
    send_email::perform_in(5 * MINUTE, user_id, "welcome").await?;
    Ok(())
}

async fn a_new_user_gets_a_mail_after_five_minutes() -> Result {
    let sandbox = Sandbox::builder()
        .state(Mailer { is_down: false })
        .open()
        .await?;
    sign_up(42).await?;
    assert_enqueued!(send_email(42, "welcome"), in = 5m, queue = "mail");
    assert!(sandbox.advance(4 * MINUTE).await?.is_empty());
    let attempts = sandbox.advance(MINUTE).await?;
    assert_eq!(attempts[0].outcome, Outcome::Done);
    refute_enqueued!(send_email);
    Ok(())
}

async fn it_is_tried_three_times() -> Result {
    let sandbox = Sandbox::builder()
        .state(Mailer { is_down: true })
        .open()
        .await?;
    sign_up(42).await?;
    let attempts = sandbox.advance(7 * MINUTE).await?;
    for attempt in &attempts {
        println!("attempt {}: {:?}", attempt.attempt, attempt.outcome);
    }
    assert_eq!(attempts.len(), 3);
    assert!(matches!(attempts[2].outcome, Outcome::Failed { .. }));
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    a_new_user_gets_a_mail_after_five_minutes().await?;
    it_is_tried_three_times().await
}
