//! The states that jobs ask for with `#[state]`, by type.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A state that a job's function asks for.
#[derive(Clone, Copy)]
pub struct StateDef {
    id: fn() -> TypeId,
    pub(crate) name: fn() -> &'static str,
}

impl StateDef {
    /// The state of type `T`. Whether it can be one is asked where it is fetched, so that rustc reports it once.
    #[must_use]
    pub const fn of<T: ?Sized + 'static>() -> Self {
        Self {
            id: TypeId::of::<T>,
            name: std::any::type_name::<T>,
        }
    }
}

impl fmt::Debug for StateDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StateDef").field(&(self.name)()).finish()
    }
}

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

    /// The first of these that is not there.
    pub(crate) fn missing<'a>(&self, wanted: &'a [StateDef]) -> Option<&'a StateDef> {
        wanted
            .iter()
            .find(|state| !self.0.contains_key(&(state.id)()))
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States")
            .field("len", &self.0.len())
            .finish()
    }
}
