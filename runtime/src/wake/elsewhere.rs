//! Where there are no Unix sockets nobody is woken: every process looks by itself.

use std::io;
use std::path::Path;

use super::word::{Call, Heard};
use crate::error::Error;
use crate::run::RunId;
use crate::store::WorkerId;

/// The way to other processes: there is none.
#[derive(Debug)]
pub(super) enum Others {}

impl Others {
    pub(super) fn on(_: &Path) -> Option<Self> {
        None
    }

    pub(super) fn prepare(&self) -> Result<(), Error> {
        match *self {}
    }

    pub(super) fn listen(&self, _: WorkerId) -> Result<Ear, Error> {
        match *self {}
    }

    pub(super) fn listen_for_ends(&self) -> Result<Ear, Error> {
        match *self {}
    }

    pub(super) fn call(&self, _: Call) {
        match *self {}
    }

    pub(super) fn pass_on(&self, _: Call, _: Option<&Ear>) {
        match *self {}
    }

    pub(super) fn tell_of_cancelling(&self) {
        match *self {}
    }

    pub(super) fn tell_of_ends(&self, _: &[RunId]) {
        match *self {}
    }
}

/// What would hear other processes.
#[derive(Debug)]
pub(crate) enum Ear {}

impl Ear {
    pub(crate) async fn hear(&self) -> io::Result<Heard> {
        match *self {}
    }
}
