//! flexiq, as its documentation shows it: its calls block, so the tasks that enqueue are threads; the worker has 64
//! slots and is woken by enqueues of its own process (`push_dispatch`).

use std::path::Path;
use std::time::{Duration, Instant};

use flexiq::{FlexiQ, Outcome, SchedulerConfig, WorkerHandle};
use measure::{Library, Measured, OtherProcess, Result, Role, Run, Scenario, TASKS, batches};

/// What it sets on each of its connections; there is no option for it.
const DURABILITY: &str = "WAL, synchronous=NORMAL";
const POLLED: &str = "polled: it hears of new jobs from its own process only; set to look every 1 ms (default 50 ms), it looks half as often after each look that finds nothing, down to every 200 ms";
/// The shortest that makes sense. The default is 50 ms.
const POLL: Duration = Duration::from_millis(1);

#[flexiq::task]
fn noop(_number: i64) -> Outcome<()> {
    measure::executed();
    Ok(())
}

#[flexiq::task]
fn start(sent: i64) -> Outcome<()> {
    measure::arrived(sent.unsigned_abs());
    Ok(())
}

fn main() -> Result {
    match Role::from_arguments()? {
        Role::Work(store) => {
            let worker = worker(&open(&store)?, false)?;
            measure::work_until_parent_ends()?;
            Ok(worker.shutdown()?)
        }
        Role::Measure(run) => {
            let library = Library {
                name: "flexiq",
                lock: include_str!("../Cargo.lock"),
                sqlite: libsqlite3_sys::SQLITE_VERSION.to_str()?.to_owned(),
                durability: DURABILITY,
            };
            measure(&run)?.print(&library, &run)
        }
    }
}

fn measure(run: &Run) -> Result<Measured> {
    let queue = open(&run.store)?;
    let enqueue = |number| {
        queue.enqueue(noop::call(i64::try_from(number)?))?;
        Ok(())
    };
    let enqueue_start = |sent| {
        queue.enqueue(start::call(i64::try_from(sent)?))?;
        Ok(())
    };
    match run.scenario {
        Scenario::One => measure::one(run.count, enqueue),
        Scenario::Tasks64 => measure::tasks64(run.count, enqueue),
        Scenario::Batch => {
            let since = Instant::now();
            fill(&queue, run.count)?;
            Ok(Measured::rate(run.count, since.elapsed()))
        }
        Scenario::Drain => drain(&queue, run.count),
        Scenario::Start => {
            let worker = worker(&queue, true)?;
            let measured = measure::starts(run.count, enqueue_start)?;
            worker.shutdown()?;
            Ok(measured)
        }
        Scenario::StartOther => {
            let _worker = OtherProcess::start(&run.store)?;
            Ok(measure::starts(run.count, enqueue_start)?.with_note(POLLED))
        }
    }
}

fn open(store: &Path) -> Result<FlexiQ> {
    let store = store.to_str().ok_or("flexiq takes paths in UTF-8 only")?;
    Ok(FlexiQ::open(store)?)
}

fn worker(queue: &FlexiQ, push: bool) -> Result<WorkerHandle> {
    let config = SchedulerConfig {
        poll_interval: POLL,
        // Claims as many at once as it has slots for, rather than one.
        batch_size: Some(TASKS),
        ..SchedulerConfig::default()
    };
    let worker = queue.worker().register::<noop>().register::<start>();
    Ok(worker
        .num_workers(TASKS)
        .scheduler_config(config)
        .push_dispatch(push)
        .spawn()?)
}

fn fill(queue: &FlexiQ, count: u64) -> Result {
    for mut numbers in batches(count) {
        let calls = numbers.try_fold(Vec::new(), |mut calls, number| {
            calls.push(noop::call(i64::try_from(number)?));
            Result::Ok(calls)
        });
        queue.enqueue_batch(calls?)?;
    }
    Ok(())
}

fn drain(queue: &FlexiQ, count: u64) -> Result<Measured> {
    fill(queue, count)?;
    measure::expect(count);
    let since = Instant::now();
    let worker = worker(queue, true)?;
    measure::wait_until_executed()?;
    // Its results are recorded behind the handlers; to stop the worker takes some 100 ms more, which are not counted.
    let stats = loop {
        let stats = queue.stats()?;
        if stats.pending + stats.running == 0 {
            break stats;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let measured = Measured::rate(count, since.elapsed());
    worker.shutdown()?;
    measure::check_done(u64::try_from(stats.completed)?, count)?;
    Ok(measured)
}
