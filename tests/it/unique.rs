//! Unique runs: the first of several twins keeps the others out, whoever enqueues them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use afterhours::{Client, Error, Handle, Result, Status, job};

use crate::support::process::{Process, worker};
use crate::support::stage::{Stage, stage};
use crate::support::time::{secs, store_at_rest};
use crate::support::{Folder, is_scheduled, joined, looked, start, status, within};

#[job(name = "unique.echo")]
async fn echo(number: u64) -> Result<u64> {
    Ok(number)
}

#[job(name = "unique.other")]
async fn other(number: u64) -> Result<u64> {
    Ok(number)
}

#[job(name = "unique.stumble", retry = 1, retry_delay = 60, jitter = 0.0)]
async fn stumble(ctx: &afterhours::Context) -> Result<u32> {
    match ctx.attempt() {
        1 => Err("stumbled")?,
        attempt => Ok(attempt),
    }
}

#[job(name = "unique.on_stage")]
async fn on_stage(#[state] stage: &Stage, word: &str) {
    stage.say(word);
    stage.wait().await;
}

#[job(name = "unique.by_arguments", unique = "args")]
async fn by_arguments(text: &str, number: u64) -> Result<String> {
    Ok(format!("{text} {number}"))
}

#[job(name = "unique.by_key", unique = "only one")]
async fn by_key(number: u64) -> Result<u64> {
    Ok(number)
}

#[job(name = "unique.for_a_while", unique = "args", unique_for = "1h")]
async fn for_a_while(number: u64) -> Result<u64> {
    Ok(number)
}

fn assert_twin<T>(twin: &Handle<T>, first: &Handle<T>) {
    assert!(twin.is_duplicate());
    assert_eq!(twin.id(), first.id());
}

fn assert_new<T>(run: &Handle<T>, earlier: &Handle<T>) {
    assert!(!run.is_duplicate());
    assert_ne!(run.id(), earlier.id());
}

#[tokio::test]
async fn a_twin_gets_the_handle_of_the_first_until_that_has_ended() -> Result {
    let client = Client::open_in_memory().await?;
    let first = client.enqueue(echo::prepare(1).unique("k")).await?;
    assert!(!first.is_duplicate() && !first.clone().is_duplicate());
    let twin = client.enqueue(echo::prepare(2).unique("k")).await?;
    assert_twin(&twin, &first);
    assert!(twin.clone().is_duplicate());
    assert!(!echo::handle(twin.id()).is_duplicate());

    let worker = start(&client, [echo::JOB]).await?;
    assert_eq!(joined(&twin).await?, 1, "the first run's result");
    let next = client.enqueue(echo::prepare(3).unique("k")).await?;
    assert_new(&next, &first);
    assert_eq!(joined(&next).await?, 3);
    worker.stop().await
}

#[tokio::test]
async fn only_the_same_job_and_the_same_key_make_a_twin() -> Result {
    let client = Client::open_in_memory().await?;
    let first = client.enqueue(echo::prepare(1).unique("k")).await?;
    let foreign = client.enqueue(other::prepare(1).unique("k")).await?;
    assert!(!foreign.is_duplicate());
    for prepared in [
        echo::prepare(1),
        echo::prepare(1),
        echo::prepare(1).unique("K"),
    ] {
        assert_new(&client.enqueue(prepared).await?, &first);
    }
    let elsewhere = echo::prepare(1).queue("elsewhere").priority(99).unique("k");
    assert_twin(&client.enqueue(elsewhere).await?, &first);
    Ok(())
}

#[tokio::test]
async fn a_run_keeps_twins_out_while_it_is_scheduled_runs_and_waits_for_a_retry() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let (stage, mut audience) = stage();
    let worker = afterhours::Worker::builder(client.clone())
        .jobs([on_stage::JOB, stumble::JOB, crate::support::nothing::JOB])
        .shared::<Stage>(Arc::clone(&stage))
        .build()?
        .start()
        .await?;
    let first = client
        .enqueue(on_stage::prepare("first").delay(secs(60)).unique("k"))
        .await?;
    let twin = || client.enqueue(on_stage::prepare("twin").unique("k"));
    assert_twin(&twin().await?, &first);
    clock.advance(secs(60));
    audience.hears("first").await;
    assert_twin(&twin().await?, &first);
    stage.go(1);
    joined(&first).await?;
    stage.go(1);
    joined(&twin().await?).await?;
    audience.hears("twin").await;

    let first = client.enqueue(stumble::prepare().unique("k")).await?;
    status(&first, is_scheduled).await?;
    assert_twin(
        &client.enqueue(stumble::prepare().unique("k")).await?,
        &first,
    );
    clock.advance(secs(60));
    assert_eq!(joined(&first).await?, 2);
    assert_new(
        &client.enqueue(stumble::prepare().unique("k")).await?,
        &first,
    );
    worker.stop().await
}

#[tokio::test]
async fn a_period_outlasts_the_run() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let worker = start(&client, [echo::JOB]).await?;
    let prepared = |number| {
        echo::prepare(number)
            .unique("k")
            .unique_for(secs(60))
            .keep(Duration::ZERO)
    };
    let first = client.enqueue(prepared(1)).await?;
    // It may have come and gone before anybody waits for it.
    let first_end = within("the first run", first.join()).await;
    assert!(
        matches!(first_end, Ok(1) | Err(Error::Gone { .. })),
        "{first_end:?}"
    );
    clock.advance(secs(59));
    looked(&client).await?;
    assert_twin(&client.enqueue(prepared(2)).await?, &first);
    clock.advance(secs(1));
    let next = client.enqueue(prepared(3).keep(secs(60))).await?;
    assert_new(&next, &first);
    assert_eq!(joined(&next).await?, 3);
    worker.stop().await
}

#[tokio::test]
async fn a_period_alone_compares_the_arguments() -> Result {
    let client = Client::open_in_memory().await?;
    let prepared = |number| echo::prepare(number).unique_for(secs(60));
    let first = client.enqueue(prepared(1)).await?;
    assert_twin(&client.enqueue(prepared(1)).await?, &first);
    assert_new(&client.enqueue(prepared(2)).await?, &first);
    Ok(())
}

#[tokio::test]
async fn many_enqueued_together_have_twins_among_them() -> Result {
    let client = Client::open_in_memory().await?;
    let prepared = (0..6).map(|number| echo::prepare(number).unique(format!("{}", number % 2)));
    let runs = client.enqueue_all(prepared).await?;
    let duplicates: Vec<_> = runs.iter().map(Handle::is_duplicate).collect();
    assert_eq!(duplicates, [false, false, true, true, true, true]);
    assert_eq!(runs[4].id(), runs[0].id());
    assert_eq!(runs[5].id(), runs[1].id());
    Ok(())
}

#[tokio::test]
async fn the_attribute_compares_arguments_and_the_call_site_s_key_goes_before_it() -> Result {
    let client = Client::open_in_memory().await?;
    let first = client.enqueue(by_arguments::prepare("a", 1)).await?;
    assert_twin(
        &client.enqueue(by_arguments::prepare("a", 1)).await?,
        &first,
    );
    for (text, number) in [("a", 2), ("b", 1), ("a\u{1}", 1), ("", 1)] {
        assert_new(
            &client.enqueue(by_arguments::prepare(text, number)).await?,
            &first,
        );
    }
    let keyed = client
        .enqueue(by_arguments::prepare("a", 1).unique("k"))
        .await?;
    assert_new(&keyed, &first);
    let other = client
        .enqueue(by_arguments::prepare("z", 9).unique("k"))
        .await?;
    assert_twin(&other, &keyed);
    Ok(())
}

#[tokio::test]
async fn the_attribute_s_key_and_period_hold() -> Result {
    let (client, clock, _folder) = store_at_rest().await?;
    let first = client.enqueue(by_key::prepare(1)).await?;
    assert_twin(&client.enqueue(by_key::prepare(2)).await?, &first);
    assert_twin(
        &client
            .enqueue(by_key::prepare(2).unique("only one"))
            .await?,
        &first,
    );

    let worker = start(&client, [for_a_while::JOB]).await?;
    let first = client.enqueue(for_a_while::prepare(1)).await?;
    joined(&first).await?;
    clock.advance(secs(3599));
    assert_twin(&client.enqueue(for_a_while::prepare(1)).await?, &first);
    clock.advance(secs(1));
    let next = client.enqueue(for_a_while::prepare(1)).await?;
    assert_new(&next, &first);
    joined(&next).await?;
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_at_once_from_several_clients_one_is_stored() -> Result {
    let folder = Folder::new()?;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::open(folder.store()).await?);
    }
    let tasks: Vec<_> = (0..50)
        .map(|number: usize| {
            let client = clients[number % clients.len()].clone();
            tokio::spawn(async move { client.enqueue(echo::prepare(7).unique("k")).await })
        })
        .collect();
    let mut ids = BTreeSet::new();
    let mut stored = 0;
    for task in tasks {
        let run = within("an enqueue", task).await??;
        assert_eq!(run.status().await?, Status::Ready);
        stored += usize::from(!run.is_duplicate());
        ids.insert(run.id().to_string());
    }
    assert_eq!((stored, ids.len()), (1, 1));
    let rows: u32 =
        folder
            .outsider()?
            .query_row("SELECT count(*) FROM afterhours_runs", [], |row| row.get(0))?;
    assert_eq!(rows, 1);
    Ok(())
}

#[test]
fn of_fifty_at_once_from_five_processes_one_is_stored() -> Result {
    let folder = Folder::new()?;
    let mut racers = Vec::new();
    for _ in 0..5 {
        let mut command = worker();
        command.args(["race".as_ref(), folder.store().as_os_str(), "10".as_ref()]);
        racers.push(Process::start(&mut command)?);
    }
    for racer in &racers {
        assert_eq!(racer.line(), "ready");
    }
    for racer in &mut racers {
        racer.tell("go");
    }
    let mut said = Vec::new();
    for racer in &mut racers {
        assert_eq!(racer.end()?.code(), Some(0));
        said.extend(racer.lines());
    }
    said.sort();
    let id = said[0].strip_prefix("new ").expect("one is stored");
    let twins = vec![format!("twin {id}"); 49];
    assert_eq!(said[1..], twins);
    let ids = "SELECT group_concat(id) FROM afterhours_runs";
    let ids: String = folder.outsider()?.query_row(ids, [], |row| row.get(0))?;
    assert_eq!(ids, id);
    Ok(())
}
