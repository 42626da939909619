//! How soon a run starts on an idle worker, and how soon its end is heard: in the process that enqueues, and in others.
//! One kind of the other processes is not woken, because the folder for wake-ups is open to others, so that nobody
//! trusts it.

use std::time::Duration;

use afterhours::{Client, Result, RunningWorker};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::child::{Child, answering, arrive, now};
use crate::raw::handed_over;
use crate::report::{Percentile, Report};
use crate::stage::{Store, Template, micros};

const RUNS: usize = 200;
/// In which the worker falls asleep. Not a multiple of the time after which it looks by itself.
const PAUSE: Duration = Duration::from_millis(11);

pub(crate) fn part(runtime: &Runtime, report: &mut Report) -> Result {
    let mut times = handed_over(RUNS, PAUSE)?;
    report.times("raw: insert, wake a thread, claim", &mut times, None);
    runtime.block_on(async {
        let mut places = [
            Place::new("same process", Kind::Here).await?,
            Place::new("other process", Kind::There).await?,
            Place::new("other process, not woken", Kind::Unheard).await?,
        ];
        for _ in 0..RUNS {
            for place in &mut places {
                place.measure().await?;
                tokio::time::sleep(PAUSE).await;
            }
        }
        let goals = [Some(150.0), Some(250.0), None];
        for (place, goal) in places.into_iter().zip(goals) {
            place.report(report, goal).await?;
        }
        Ok(())
    })
}

/// The times of an idle worker in this process on a copy of this file.
pub(crate) async fn here(template: &Template) -> Result<Vec<f64>> {
    let store = Store::on(template).await?;
    let running = answering(&store.client)?.start().await?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        times.push(arrived(&store.client).await?);
        tokio::time::sleep(PAUSE).await;
    }
    running.stop().await?;
    store.client.close().await?;
    Ok(times)
}

async fn arrived(client: &Client) -> Result<f64> {
    let run = client.enqueue(arrive::prepare(now())).await?;
    Ok(micros(run.join().await?))
}

enum Kind {
    Here,
    There,
    Unheard,
}

/// A store with its worker.
struct Place {
    name: &'static str,
    client: Client,
    starts: Vec<f64>,
    joins: Vec<f64>,
    here: Option<RunningWorker>,
    there: Option<Child>,
    _folder: TempDir,
}

impl Place {
    async fn new(name: &'static str, kind: Kind) -> Result<Self> {
        let Store { client, folder } = Store::new().await?;
        let store = folder.path().join("jobs.db");
        let (here, there) = match kind {
            Kind::Here => (Some(answering(&client)?.start().await?), None),
            Kind::There | Kind::Unheard => (None, Some(Child::spawn("arrive", &store, &[])?)),
        };
        let mut place = Self {
            name,
            client,
            starts: Vec::new(),
            joins: Vec::new(),
            here,
            there,
            _folder: folder,
        };
        // Whoever joins listens to other processes from the first time on.
        place.measure().await?;
        (place.starts, place.joins) = Default::default();
        #[cfg(unix)]
        if matches!(kind, Kind::Unheard) {
            let mut wakes = store.into_os_string();
            wakes.push("-afterhours.wake");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o770);
            std::fs::set_permissions(wakes, mode)?;
        }
        Ok(place)
    }

    async fn measure(&mut self) -> Result {
        let sent = now();
        let run = self.client.enqueue(arrive::prepare(sent)).await?;
        self.starts.push(micros(run.join().await?));
        self.joins.push(micros(now().saturating_sub(sent)));
        Ok(())
    }

    async fn report(mut self, report: &mut Report, goal: Option<f64>) -> Result {
        let goal = goal.map(|most| (Percentile::P50, most));
        let name = self.name;
        report.times(&format!("enqueue to start, {name}"), &mut self.starts, goal);
        report.times(&format!("enqueue to joined, {name}"), &mut self.joins, None);
        if let Some(running) = self.here {
            running.stop().await?;
        }
        if let Some(child) = self.there {
            child.end()?;
        }
        self.client.close().await?;
        Ok(())
    }
}
