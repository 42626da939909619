//! The store in the application's own file: each leaves the other's things alone.

use afterhours::{Client, Durability, Result, job};

use crate::support::{Folder, joined, start, within};

#[job(name = "shared_file.echo")]
async fn echo(number: u64) -> Result<u64> {
    Ok(number)
}

/// Fails once, so that all kinds of writes happen.
#[job(name = "shared_file.stumble", retry_delay = "1ms")]
async fn stumble(ctx: &afterhours::Context, text: &str) -> Result<String> {
    match ctx.attempt() {
        1 => Err("stumbled")?,
        _ => Ok(text.to_owned()),
    }
}

#[tokio::test]
async fn the_application_s_tables_and_version_are_left_alone() -> Result {
    let folder = Folder::new()?;
    let own = folder.outsider()?;
    own.execute_batch(
        "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine'); PRAGMA user_version = 42; PRAGMA application_id = 77;",
    )?;
    let client = Client::open(folder.store()).await?;
    let worker = start(&client, [echo::JOB]).await?;
    let run = client.enqueue(echo::prepare(1)).await?;
    own.execute("INSERT INTO notes VALUES ('more')", [])?;
    joined(&run).await?;
    worker.stop().await?;
    client.close().await?;
    let pragma = |name| own.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u32>(0));
    assert_eq!(
        (pragma("user_version")?, pragma("application_id")?),
        (42, 77)
    );
    let foreign: String = own.query_row(
        "SELECT group_concat(name) FROM sqlite_schema WHERE name NOT LIKE 'afterhours%' AND name NOT LIKE 'sqlite%'",
        [],
        |row| row.get(0),
    )?;
    assert_eq!(foreign, "notes");
    let notes: u32 = own.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?;
    assert_eq!(notes, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_store_stays_sound_beside_a_writing_application() -> Result {
    let folder = Folder::new()?;
    let clients = [
        Client::open(folder.store()).await?,
        Client::builder(folder.store())
            .durability(Durability::Full)
            .mmap(false)
            .open()
            .await?,
    ];
    let mut workers = Vec::new();
    for client in &clients {
        workers.push(start(client, [echo::JOB, stumble::JOB]).await?);
    }
    let own = folder.outsider()?;
    own.execute_batch("CREATE TABLE notes (number INTEGER)")?;
    let writer = tokio::task::spawn_blocking(move || {
        for number in 0..200 {
            own.execute("INSERT INTO notes VALUES (?1)", [number])?;
        }
        own.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, u32>(0))
    });
    let tasks: Vec<_> = (0..8_u64)
        .map(|task| {
            let client = clients[usize::from(task % 2 == 0)].clone();
            tokio::spawn(async move {
                for number in 0..25 {
                    let run = client.enqueue(echo::prepare(number)).await?;
                    let other = client.enqueue(stumble::prepare("text")).await?;
                    assert_eq!(joined(&run).await?, number);
                    assert_eq!(joined(&other).await?, "text");
                }
                Ok::<_, afterhours::Error>(())
            })
        })
        .collect();
    for task in tasks {
        within("a task", task).await??;
    }
    assert_eq!(within("the application", writer).await??, 200);
    for worker in workers {
        worker.stop().await?;
    }
    let check: String = folder
        .outsider()?
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    assert_eq!(check, "ok");
    Ok(())
}
