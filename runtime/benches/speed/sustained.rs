//! Minutes of enqueueing from 64 tasks while a worker drains, with what is kept and pruned by default.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use afterhours::{Result, Worker, job};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::report::Report;
use crate::stage::{Store, TASKS, micros};

/// So many are under way at most: enqueueing is quicker than working.
const UNDER_WAY: usize = 10_000;
const MINUTE: Duration = Duration::from_secs(60);

/// What has ended makes room.
struct Room {
    places: Semaphore,
    ended: AtomicU64,
}

#[job(name = "passing")]
async fn passing(#[state] room: &Room, _number: u64) {
    room.places.add_permits(1);
    room.ended.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    let minutes = std::env::var("MINUTES").map_or(Ok(10), |minutes| minutes.parse())?;
    runtime.block_on(sustain(minutes, report))
}

async fn sustain(minutes: u32, report: &mut Report) -> Result {
    let store = Store::new().await?;
    let room = Arc::new(Room {
        places: Semaphore::new(UNDER_WAY),
        ended: AtomicU64::new(0),
    });
    let worker = Worker::builder(store.client.clone())
        .jobs([passing::JOB])
        .shared(Arc::clone(&room))
        .concurrency(TASKS)
        .build()?;
    let running = worker.start().await?;
    let end = Instant::now() + MINUTE * minutes;
    let mut producers = JoinSet::new();
    for _ in 0..TASKS {
        let (client, room) = (store.client.clone(), Arc::clone(&room));
        producers.spawn(async move {
            let mut times = Vec::new();
            let mut number = 0_u64;
            while Instant::now() < end {
                room.places.acquire().await?.forget();
                let since = Instant::now();
                client.enqueue(passing::prepare(number)).await?;
                // Of very many, some.
                if number.is_multiple_of(7) {
                    times.push(micros(since.elapsed()));
                }
                number += 1;
            }
            Ok::<_, afterhours::JobError>(times)
        });
    }
    let mut rates = Vec::new();
    let mut largest_wal = 0;
    let mut before = 0;
    for _ in 0..minutes {
        let minute = Instant::now();
        while minute.elapsed() < MINUTE {
            tokio::time::sleep(Duration::from_millis(250)).await;
            largest_wal = largest_wal.max(store.client.stats().await?.wal_size);
        }
        let ended = room.ended.load(Ordering::Relaxed);
        rates.push((ended - before) as f64 / minute.elapsed().as_secs_f64());
        before = ended;
    }
    let mut times = Vec::new();
    while let Some(one) = producers.join_next().await {
        times.extend(one??);
    }
    running.stop().await?;
    let file = std::fs::metadata(store.path())?.len();
    let first = rates.first().copied().unwrap_or(f64::NAN);
    let last = rates.last().copied().unwrap_or(f64::NAN);
    for (minute, rate) in rates.iter().enumerate() {
        report.value(format!("sustained: minute {}", minute + 1), "/s", *rate);
    }
    report.ratio(
        "sustained: the last minute (of the first)",
        last,
        first,
        0.9,
    );
    report.times("sustained: an enqueue", &mut times, None);
    report.value(
        "sustained: largest WAL",
        "MiB",
        largest_wal as f64 / 1048576.0,
    );
    report.value("sustained: database", "MiB", file as f64 / 1048576.0);
    store.client.close().await?;
    Ok(())
}
