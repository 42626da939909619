//! Workers that know their place among others.

use std::sync::Arc;
use std::time::Duration;

use afterhours::{Client, Context, Result, Worker, job};

use crate::support::stage::{Stage, stage};
use crate::support::time::{monday, secs, store_at_rest};
use crate::support::{looked, nothing};

#[job(name = "fleet.minutely", every = "60s")]
async fn minutely(#[state] stage: &Stage, ctx: &Context) {
    let due = ctx.due_at().duration_since(monday()).unwrap_or_default();
    stage.say(format!("{due:?}"));
}

/// The schedulers have worked out their first tick.
async fn settled(client: &Client) -> Result {
    for _ in 0..3 {
        looked(client).await?;
    }
    Ok(())
}

/// One of the two goes first and the other does not; alone, each must do it all.
#[tokio::test]
async fn whoever_is_alone_fires_within_a_second() -> Result {
    for index in 1..=2 {
        let (client, clock, _folder) = store_at_rest().await?;
        let (stage, mut audience) = stage();
        let worker = Worker::builder(client.clone())
            .jobs([minutely::JOB, nothing::JOB])
            .shared(stage)
            .startup_jitter(Duration::ZERO)
            .index(index, 2)
            .build()?
            .start()
            .await?;
        settled(&client).await?;
        clock.advance(secs(1));
        audience.hears("0ns").await;
        clock.advance(secs(60));
        audience.hears("60s").await;
        worker.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn together_they_fire_once() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let mut workers = Vec::new();
    for index in 1..=2 {
        let worker = Worker::builder(client.clone())
            .jobs([minutely::JOB, nothing::JOB])
            .shared(Arc::clone(&stage))
            .startup_jitter(Duration::ZERO)
            .index(index, 2)
            .build()?;
        workers.push(worker.start().await?);
    }
    settled(&client).await?;
    for minute in 0..20 {
        clock.advance(if minute == 0 { secs(1) } else { secs(60) });
        audience.hears(&format!("{:?}", secs(60 * minute))).await;
    }
    for worker in workers {
        worker.stop().await?;
    }
    audience.has_heard_nothing();
    Ok(())
}
