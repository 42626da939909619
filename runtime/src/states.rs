//! The states that jobs ask for with `#[state]`, by type.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::job::{JobDef, StateDef};

/// Shared values by type; each is stored as the `Arc<T>` it is lent from, so `T` may be a `dyn Trait`.
#[derive(Default)]
pub(crate) struct States(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl States {
    /// Adds a state; a second one of the type replaces the first.
    pub(crate) fn add<T: ?Sized + Send + Sync + 'static>(&mut self, state: Arc<T>) {
        self.0.insert(TypeId::of::<T>(), Box::new(state));
    }

    pub(crate) fn get<T: ?Sized + 'static>(&self) -> Option<&Arc<T>> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// Whether everything that `job` asks for is there.
    pub(crate) fn check(&self, job: &JobDef) -> Result<(), Error> {
        let missing = |state: &&StateDef| !self.0.contains_key(&(state.id)());
        match job.states.iter().find(missing) {
            None => Ok(()),
            Some(state) => Err(Error::MissingState {
                job: job.name,
                state: (state.name)(),
            }),
        }
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States")
            .field("len", &self.0.len())
            .finish()
    }
}
