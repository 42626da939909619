//! A web server that enqueues, answers 503 when too much waits, and stops in good order together with its worker.
//!
//! ```text
//! cargo run --release --example web
//! ```
//!
//! It asks itself some questions and stops. With `-- --serve` it goes on until Ctrl-C:
//! `curl -X POST localhost:3000/users/42/welcome`, then `curl localhost:3000/runs/1`.
#![allow(clippy::print_stdout, reason = "it talks to a person at a terminal")]

use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use afterhours::{Client, Error, Result, RunId, Worker, job};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Router, serve};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const DATABASE: &str = "target/web/jobs.db";
const ADDRESS: &str = "127.0.0.1:3000";

/// The mail server. In the demonstration it lets mails out one by one, so that the queue can fill.
struct Gate {
    is_open: bool,
    next: Notify,
}

#[job(queue = "mail", retry = 5, timeout = 30)]
async fn send_email(#[state] gate: &Gate, user: u64, template: &str) -> Result<String> {
    if !gate.is_open {
        gate.next.notified().await;
    }
    Ok(format!("{template} sent to user {user}"))
}

/// Enqueues, and answers before the mail is sent.
async fn welcome(State(client): State<Client>, Path(user): Path<u64>) -> (StatusCode, String) {
    match client.enqueue(send_email::prepare(user, "welcome")).await {
        Ok(run) => (StatusCode::ACCEPTED, format!("run {}", run.id())),
        // As many mails as the queue may have are waiting: the client had better come again later.
        Err(error @ Error::QueueFull { .. }) => {
            (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// What has come of it.
async fn run(State(client): State<Client>, Path(id): Path<RunId>) -> (StatusCode, String) {
    match client.run(id).await {
        Ok(Some(run)) => (StatusCode::OK, format!("{:?}", run.state)),
        Ok(None) => (StatusCode::NOT_FOUND, "there is no such run".to_owned()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// What Prometheus asks for.
async fn metrics(
    State(client): State<Client>,
    Extension(page): Extension<PrometheusHandle>,
) -> (StatusCode, String) {
    // Sets the gauges of the store.
    match client.stats().await {
        Ok(_) => (StatusCode::OK, page.render()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

#[tokio::main]
async fn main() -> Result {
    // Before the client is opened, which looks for it.
    let page = PrometheusBuilder::new().install_recorder()?;
    let _ = fs::remove_dir_all("target/web");
    fs::create_dir_all("target/web")?;
    let client = Client::builder(DATABASE)
        .queue_limit("mail", 1..=3)
        .queue_wait(Duration::from_millis(100))
        .open()
        .await?;
    let goes_on = env::args().any(|argument| argument == "--serve");
    let gate = Arc::new(Gate {
        is_open: goes_on,
        next: Notify::new(),
    });
    let worker = Worker::builder(client.clone())
        .shared(gate.clone())
        .concurrency(1)
        .build()?
        .start()
        .await?;
    let app = Router::new()
        .route("/users/{user}/welcome", post(welcome))
        .route("/runs/{id}", get(run))
        .route("/metrics", get(metrics))
        .layer(Extension(page))
        .with_state(client);

    let listener = TcpListener::bind(if goes_on { ADDRESS } else { "127.0.0.1:0" }).await?;
    let address = listener.local_addr()?.to_string();
    println!("listening on {address}");
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    // One signal for both: requests that are under way are answered, then the worker ends what is at work.
    let server = tokio::spawn(async move {
        let told = async move {
            tokio::select! {
                () = stopped.notified() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        serve(listener, app).with_graceful_shutdown(told).await
    });
    if !goes_on {
        demonstrate(&address, &gate).await?;
        stop.notify_one();
    }
    server.await??;
    println!("the server has stopped");
    worker.stop().await?;
    println!("and so has the worker");
    Ok(())
}

async fn demonstrate(address: &str, gate: &Gate) -> Result {
    // One is at work and three wait; the next one is too many.
    let mut answers = Vec::new();
    for user in 1..=5 {
        answers.push(ask(address, &format!("POST /users/{user}/welcome")).await?);
        if user == 1 {
            while !ask(address, "GET /runs/1").await?.ends_with("Running") {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    for answer in &answers {
        println!("{answer}");
    }
    assert!(
        answers[..4]
            .iter()
            .all(|answer| answer.starts_with("HTTP/1.1 202"))
    );
    assert!(answers[4].starts_with("HTTP/1.1 503"));
    // The mail server recovers.
    for run in 1..=4 {
        gate.next.notify_one();
        while !ask(address, &format!("GET /runs/{run}"))
            .await?
            .ends_with("Done")
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    println!("{}", ask(address, "POST /users/5/welcome").await?);
    println!("{}", ask(address, "GET /metrics").await?);
    gate.next.notify_one();
    Ok(())
}

/// The least that is an HTTP client: the first line of the answer and its last.
async fn ask(address: &str, what: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("{what} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let first = answer.lines().next().unwrap_or_default();
    let last = answer.lines().last().unwrap_or_default();
    Ok(format!("{first}: {last}"))
}
