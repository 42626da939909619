//! The loops that are timed, for libraries whose calls block. Tasks are threads then.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use crate::handled::{WARM_UP, all_starts};
use crate::{BATCH, Measured, Result, TASKS, now};

/// Between two enqueues of which each is to find an idle worker. No multiple of anybody's interval for polling.
pub(crate) const PAUSE: Duration = Duration::from_millis(11);

/// One enqueue after the other.
pub fn one(count: u64, mut enqueue: impl FnMut(u64) -> Result) -> Result<Measured> {
    let mut times = Vec::with_capacity(count as usize);
    let since = Instant::now();
    for number in 0..count {
        let call = Instant::now();
        enqueue(number)?;
        times.push(call.elapsed());
    }
    Ok(Measured::calls(count, since.elapsed(), times))
}

/// 64 threads, each of which enqueues one job after the other.
pub fn tasks64(count: u64, enqueue: impl Fn(u64) -> Result + Sync) -> Result<Measured> {
    let each = count / TASKS as u64;
    let since = Instant::now();
    let enqueue = &enqueue;
    thread::scope(|scope| {
        let threads: Vec<_> = shares(each)
            .map(|mut numbers| scope.spawn(move || numbers.try_for_each(enqueue)))
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a thread has panicked")??;
        }
        Ok(Measured::rate(each * TASKS as u64, since.elapsed()))
    })
}

/// Enqueues one job at a time and pauses in between; handlers tell when they were started.
pub fn starts(count: u64, mut enqueue: impl FnMut(u64) -> Result) -> Result<Measured> {
    for _ in 0..count + WARM_UP {
        thread::sleep(PAUSE);
        enqueue(now())?;
    }
    all_starts(count)
}

/// The numbers of the jobs of each batch.
pub fn batches(count: u64) -> impl Iterator<Item = Range<u64>> {
    let starts = (0..count).step_by(BATCH as usize);
    starts.map(move |start| start..(start + BATCH).min(count))
}

/// The numbers of the jobs of each task.
pub(crate) fn shares(each: u64) -> impl Iterator<Item = Range<u64>> {
    (0..TASKS as u64).map(move |task| task * each..(task + 1) * each)
}
