//! Opening, installing and closing clients.

use afterhours::{Client, Error, Result, Status, job};

use crate::support::process::{Process, worker};
use crate::support::{Folder, joined, start, within};

#[job(name = "client.echo")]
async fn echo(number: u64) -> Result<u64> {
    Ok(number)
}

#[tokio::test]
async fn runs_outlive_the_client_that_enqueued_them() -> Result {
    let folder = Folder::new()?;
    Client::migrate(folder.store()).await?;
    let client = Client::open(folder.store()).await?;
    let id = client.enqueue(echo::prepare(3)).await?.id();
    client.close().await?;
    let client = Client::open(folder.store()).await?;
    let run = echo::handle(id).on(&client);
    assert_eq!(run.status().await?, Status::Ready);
    let worker = start(&client, [echo::JOB]).await?;
    assert_eq!(joined(&run).await?, 3);
    worker.stop().await
}

#[tokio::test]
async fn a_closed_client_says_so() -> Result {
    let folder = Folder::new()?;
    for client in [
        Client::open_in_memory().await?,
        Client::open(folder.store()).await?,
    ] {
        let clone = client.clone();
        let run = clone.enqueue(echo::prepare(3)).await?;
        client.close().await?;
        let errors = [
            clone.enqueue(echo::prepare(3)).await.err(),
            clone.enqueue_all([echo::prepare(3)]).await.err(),
            run.status().await.err(),
            within("the join", run.join()).await.err(),
            start(&clone, [echo::JOB]).await.err(),
        ];
        for error in errors {
            let error = error.expect("the client is closed");
            assert!(matches!(error, Error::Closed), "{error}");
        }
        clone.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn many_clients_open_a_fresh_file_at_once() -> Result {
    let folder = Folder::new()?;
    let opening: Vec<_> = (0..20)
        .map(|_| tokio::spawn(Client::open(folder.store())))
        .collect();
    for client in opening {
        within("an opening", client).await??;
    }
    Ok(())
}

#[test]
fn the_installed_client_serves_perform_and_is_installed_once() -> Result {
    let process = Process::start(worker().arg("install"))?;
    assert_eq!(process.line(), "true");
    let second = process.line();
    assert!(second.contains("`install()` is called once"), "{second}");
    assert_eq!(process.line(), "1");
    Ok(())
}
