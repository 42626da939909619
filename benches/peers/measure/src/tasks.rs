//! The same loops for libraries whose calls are awaited.

use std::time::Instant;

use crate::calls::{PAUSE, shares};
use crate::handled::{WARM_UP, all_starts};
use crate::{Measured, Result, TASKS, now};

/// What enqueues. Each task has a clone.
pub trait Queue: Clone + Send + 'static {
    /// Enqueues a job that does nothing.
    fn noop(&mut self, number: u64) -> impl Future<Output = Result> + Send;

    /// Enqueues a job that tells how long ago it was sent.
    fn start(&mut self, sent: u64) -> impl Future<Output = Result> + Send;
}

/// One enqueue after the other.
pub async fn one(count: u64, mut queue: impl Queue) -> Result<Measured> {
    let mut times = Vec::with_capacity(count as usize);
    let since = Instant::now();
    for number in 0..count {
        let call = Instant::now();
        queue.noop(number).await?;
        times.push(call.elapsed());
    }
    Ok(Measured::calls(count, since.elapsed(), times))
}

/// 64 tasks, each of which awaits its enqueue.
pub async fn tasks64(count: u64, queue: impl Queue) -> Result<Measured> {
    let each = count / TASKS as u64;
    let since = Instant::now();
    let tasks: Vec<_> = shares(each)
        .map(|numbers| {
            let mut queue = queue.clone();
            tokio::spawn(async move {
                for number in numbers {
                    queue.noop(number).await?;
                }
                Result::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(Measured::rate(each * TASKS as u64, since.elapsed()))
}

/// Enqueues one job at a time and pauses in between; handlers tell when they were started.
pub async fn starts(count: u64, mut queue: impl Queue) -> Result<Measured> {
    for _ in 0..count + WARM_UP {
        tokio::time::sleep(PAUSE).await;
        queue.start(now()).await?;
    }
    all_starts(count)
}
