//! Who is woken by another process's commit. Here a second client on the file stands for the other process, and the
//! runtime's timers do not fire, so that no worker looks by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use afterhours::{Client, Context, Handle, Job, Result, RunningWorker, Worker, job};

use crate::support::stage::{Audience, Stage, stage};
use crate::support::time::{StandingTime, all_wait, millis, monday, secs, store_at_rest};
use crate::support::{Folder, joined, nothing, within};

#[job(name = "wakes.tell")]
async fn tell(#[state] stage: &Stage, word: &str) -> Result<String> {
    stage.say(word);
    stage.wait().await;
    Ok(word.to_owned())
}

#[job(name = "wakes.other")]
async fn other(#[state] stage: &Stage, word: &str) {
    stage.say(word);
}

#[job(name = "wakes.cancelled")]
async fn cancelled(#[state] stage: &Stage, ctx: &Context) {
    stage.say("start");
    ctx.cancelled().await;
    stage.say("cancelled");
}

const ALL: [Job; 3] = [tell::JOB, other::JOB, cancelled::JOB];

/// The queue that one worker alone takes from, beside the one of all.
fn own_queue() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("own-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A worker of a client of its own, which has looked and sleeps.
async fn asleep<const N: usize>(
    client: &Client,
    jobs: [Job; N],
    stage: &Arc<Stage>,
    concurrency: usize,
) -> Result<RunningWorker> {
    let own = own_queue();
    let worker = Worker::builder(client.clone())
        .jobs(jobs.into_iter().chain([nothing::JOB]))
        .queues(["default", &own])
        .shared(Arc::clone(stage))
        .concurrency(concurrency)
        .build()?
        .start()
        .await?;
    // If another worker took it, nobody would hear of its end while no timer fires.
    let look = client.enqueue(nothing::prepare().queue(own)).await?;
    joined(&look).await?;
    all_wait().await;
    Ok(worker)
}

/// A store with workers, and a producer beside them, while no timer fires.
struct Scene {
    folder: Folder,
    stage: Arc<Stage>,
    audience: Audience,
    producer: Client,
    workers: Vec<RunningWorker>,
    time: StandingTime,
}

impl Scene {
    async fn new() -> Result<Self> {
        let folder = Folder::new()?;
        let producer = Client::open(folder.store()).await?;
        let (stage, audience) = stage();
        let time = StandingTime::new();
        Ok(Self {
            folder,
            stage,
            audience,
            producer,
            workers: Vec::new(),
            time,
        })
    }

    async fn add<const N: usize>(&mut self, jobs: [Job; N], concurrency: usize) -> Result {
        let client = Client::open(self.folder.store()).await?;
        let worker = asleep(&client, jobs, &self.stage, concurrency).await?;
        self.workers.push(worker);
        Ok(())
    }

    async fn end(self) -> Result {
        self.stage.go(100);
        // Before time goes on: as it would skip what the writer's thread takes, the farewells would seem too long.
        for worker in self.workers {
            worker.stop().await?;
        }
        self.time.end().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_of_another_process_starts_without_a_look() -> Result {
    let mut scene = Scene::new().await?;
    scene.add(ALL, 8).await?;
    for word in ["one", "two"] {
        scene.producer.enqueue(tell::prepare(word)).await?;
        scene.audience.hears(word).await;
        all_wait().await;
    }
    scene.end().await
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_full_lets_another_be_called() -> Result {
    let mut scene = Scene::new().await?;
    scene.add(ALL, 1).await?;
    scene.add(ALL, 8).await?;
    // They are called in turn, and the first has a place for one.
    for word in ["one", "two", "three", "four"] {
        scene.producer.enqueue(tell::prepare(word)).await?;
        scene.audience.hears(word).await;
        all_wait().await;
    }
    scene.end().await
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_does_not_want_the_run_lets_another_be_called() -> Result {
    let mut scene = Scene::new().await?;
    scene.add([tell::JOB], 8).await?;
    scene.add([other::JOB], 8).await?;
    for word in ["one", "two"] {
        scene.producer.enqueue(other::prepare(word)).await?;
        scene.audience.hears(word).await;
        all_wait().await;
    }
    scene.end().await
}

#[tokio::test(start_paused = true)]
async fn what_one_worker_cannot_take_of_a_batch_goes_to_the_next() -> Result {
    let mut scene = Scene::new().await?;
    for _ in 0..3 {
        scene.add(ALL, 2).await?;
    }
    let runs = (0..6).map(|_| tell::prepare("run"));
    scene.producer.enqueue_all(runs).await?;
    for _ in 0..6 {
        scene.audience.hears("run").await;
    }
    scene.end().await
}

#[tokio::test(start_paused = true)]
async fn an_own_worker_that_does_not_want_the_run_lets_another_be_called() -> Result {
    let mut scene = Scene::new().await?;
    scene.add([other::JOB], 8).await?;
    let own = asleep(&scene.producer, [tell::JOB], &scene.stage, 8).await?;
    scene.workers.push(own);
    scene.producer.enqueue(other::prepare("one")).await?;
    scene.audience.hears("one").await;
    scene.end().await
}

#[tokio::test(start_paused = true)]
async fn a_running_attempt_of_another_process_is_cancelled_without_a_look() -> Result {
    let mut scene = Scene::new().await?;
    for _ in 0..2 {
        scene.add(ALL, 1).await?;
    }
    let mut runs = Vec::new();
    for _ in 0..2 {
        runs.push(scene.producer.enqueue(cancelled::prepare()).await?);
        scene.audience.hears("start").await;
        all_wait().await;
    }
    for run in runs {
        run.cancel().await?;
        scene.audience.hears("cancelled").await;
    }
    scene.end().await
}

/// A worker, and a second client on its file and its clock.
async fn two_clients() -> Result<(Scene, Arc<afterhours::testing::ManualClock>, Client)> {
    let (working, clock, folder) = store_at_rest().await?;
    let (stage, audience) = stage();
    let time = StandingTime::new();
    let workers = vec![asleep(&working, ALL, &stage, 8).await?];
    let producer = Client::builder(folder.store())
        .clock(Arc::clone(&clock))
        .open()
        .await?;
    let scene = Scene {
        folder,
        stage,
        audience,
        producer,
        workers,
        time,
    };
    Ok((scene, clock, working))
}

#[tokio::test(start_paused = true)]
async fn a_delayed_run_of_another_process_starts_when_it_is_due() -> Result {
    let (mut scene, clock, _) = two_clients().await?;
    scene.audience.has_heard_nothing();
    // Earlier than the worker would look by itself.
    let delayed = tell::prepare("in two").delay(secs(2));
    scene.producer.enqueue(delayed).await?;
    let at = tell::prepare("at one").at(monday() + secs(1));
    scene.producer.enqueue(at).await?;
    for word in ["at one", "in two"] {
        all_wait().await;
        scene.audience.has_heard_nothing();
        clock.advance(secs(1));
        scene.audience.hears(word).await;
    }
    scene.end().await
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_hears_of_an_end_in_another_process() -> Result {
    let (mut scene, clock, _) = two_clients().await?;
    let mut joiners = Vec::new();
    for word in ["one", "two"] {
        let run: Handle<String> = scene.producer.enqueue(tell::prepare(word)).await?;
        scene.audience.hears(word).await;
        joiners.push(tokio::spawn(async move { joined(&run).await }));
    }
    // It listens to other processes 20 ms after its first look, which is another thread's.
    let folder = scene.folder.path().join("jobs.db-afterhours.wake");
    let listens = async {
        let is_there = || -> std::io::Result<bool> {
            let mut names = std::fs::read_dir(&folder)?.map_while(std::io::Result::ok);
            Ok(names.any(|entry| entry.file_name().to_string_lossy().starts_with('j')))
        };
        while !is_there()? {
            clock.advance(millis(20));
            all_wait().await;
        }
        Ok::<_, std::io::Error>(())
    };
    within("a socket of the one who joins", listens).await?;
    all_wait().await;
    scene.stage.go(2);
    for (joiner, word) in joiners.into_iter().zip(["one", "two"]) {
        assert_eq!(joiner.await??, word);
    }
    scene.end().await
}
