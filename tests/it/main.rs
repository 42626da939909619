//! Black-box tests: what a user of the library sees, one behaviour in a module.
//!
//! The jobs of all modules are linked into this one program, so each worker lists those it is for.

mod at;
mod attribute;
mod bad_files;
mod bad_settings;
mod cancel;
mod client;
mod clocks;
mod concurrency;
mod crash;
mod deploy;
mod disk;
mod evolution;
mod failpoints;
mod faults;
mod first_opens;
mod fleet;
mod fleet_kills;
mod frozen;
mod incompatible;
mod join;
mod locked;
mod many_schedules;
mod methods;
mod order;
mod outsiders;
mod panics;
mod perform;
mod quickstart;
mod retry;
mod schedule;
mod schedule_options;
mod schedules;
mod schedules_only;
mod shared_file;
mod shutdown;
mod signals;
mod sizes;
mod state;
mod support;
mod timeout;
mod transaction;
mod unique;
mod verdicts;
