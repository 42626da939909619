//! Which sandbox the code at hand is in: that of its thread, or of its runtime.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use tokio::runtime::{Handle, Id};

use crate::client::Client;
use crate::error::Error;
use crate::registry::linked_by_name;
use crate::run::State;
use crate::runs::Run;
use crate::store::ListRequest;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Thread(ThreadId),
    Runtime(Id),
}

type Sandboxes = HashMap<Place, Vec<(u64, Client)>>;

/// The sandboxes' clients by their places; the last that was entered counts.
static SANDBOXES: LazyLock<Mutex<Sandboxes>> = LazyLock::new(Mutex::default);

fn sandboxes() -> MutexGuard<'static, Sandboxes> {
    SANDBOXES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the caller is, the nearest first.
fn places() -> impl Iterator<Item = Place> {
    let thread = Place::Thread(std::thread::current().id());
    let runtime = Handle::try_current()
        .ok()
        .map(|handle| Place::Runtime(handle.id()));
    std::iter::once(thread).chain(runtime)
}

/// Ends when it is dropped, wherever that is.
pub(super) struct Entered(u64);

/// From now on the caller's thread and runtime are in this sandbox.
pub(super) fn enter(client: &Client) -> Entered {
    let number = fastrand::u64(..);
    let mut sandboxes = sandboxes();
    for place in places() {
        sandboxes
            .entry(place)
            .or_default()
            .push((number, client.clone()));
    }
    Entered(number)
}

impl Drop for Entered {
    fn drop(&mut self) {
        sandboxes().retain(|_, inside| {
            inside.retain(|(number, _)| *number != self.0);
            !inside.is_empty()
        });
    }
}

/// The client of the sandbox that the caller is in.
pub(crate) fn client() -> Option<Client> {
    let sandboxes = sandboxes();
    let mut found = places().filter_map(|place| sandboxes.get(&place)?.last());
    found.next().map(|(_, client)| client.clone())
}

/// The runs that wait, in the order in which they were enqueued, with their arguments.
pub(super) fn waiting(client: &Client) -> Result<Vec<(Run, Vec<u8>)>, Error> {
    let jobs = linked_by_name();
    let mut waiting = Vec::new();
    for state in [State::Ready, State::Scheduled] {
        let mut request = ListRequest {
            state: Some(state),
            limit: 1000,
            ..ListRequest::default()
        };
        loop {
            let listed = client.list_blocking(request.clone())?;
            for row in listed.runs {
                let payload = row.payload.clone().unwrap_or_default();
                waiting.push((Run::new(row, &jobs), payload));
            }
            match listed.next {
                Some(next) => request.after = Some(next),
                None => break,
            }
        }
    }
    waiting.sort_unstable_by_key(|(run, _)| run.id);
    Ok(waiting)
}
