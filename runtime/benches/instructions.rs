//! How many instructions single steps take, counted by callgrind: the same on a busy machine as on an idle one.
//!
//! `scripts/instructions` installs what it needs, runs it, and fails if a step takes a tenth more than what stands here.
//! A change that makes a step dearer for a reason, or cheaper, changes the number with it; the script prints all of
//! them. They belong to one compiler, optimised, on x86-64.

// The macros of the harness make items that are its own.
#![allow(missing_docs)]

use afterhours::job;
use afterhours::testing::steps::{ClaimedRuns, Steps};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use tempfile::TempDir;

/// A step's instructions when it was last looked at, and a tenth.
fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, instructions + instructions / 10)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

#[job(name = "noop")]
async fn noop(_number: u64) {}

/// A store that has done all of this before, so that its statements are compiled.
struct Stage {
    steps: Steps,
    claimed: Option<ClaimedRuns>,
    _folder: TempDir,
}

const MANY: u32 = 1_000;
/// So that the one that is counted does not happen to begin a page.
const FEW: u32 = 7;

fn stage() -> Stage {
    let folder = tempfile::tempdir().expect("a folder");
    let mut steps = Steps::new(&folder.path().join("jobs.db")).expect("a store");
    for _ in 0..2 {
        for _ in 0..FEW {
            steps.enqueue(noop::prepare(1)).expect("one");
        }
        let many = (0..u64::from(MANY)).map(noop::prepare);
        steps.enqueue_all(many).expect("many");
        let claimed = steps.claim(MANY + FEW).expect("claimed");
        steps.finish(claimed).expect("finished");
    }
    Stage {
        steps,
        claimed: None,
        _folder: folder,
    }
}

fn filled() -> Stage {
    let mut stage = stage();
    let many = (0..u64::from(MANY)).map(noop::prepare);
    stage.steps.enqueue_all(many).expect("many");
    stage
}

fn claimed() -> Stage {
    let mut stage = filled();
    let claimed = stage.steps.claim(MANY).expect("claimed");
    // The allocator finds the first piece of each size slowly, and the next one fast.
    assert!(stage.steps.execute(noop::JOB, &claimed));
    stage.claimed = Some(claimed);
    stage
}

#[library_benchmark(config = at_most(29_120), setup = stage)]
#[bench::one()]
fn enqueue(mut stage: Stage) -> Stage {
    stage.steps.enqueue(noop::prepare(7)).expect("one");
    stage
}

#[library_benchmark(config = at_most(8_245_000), setup = stage)]
#[bench::thousand()]
fn enqueue_all(mut stage: Stage) -> Stage {
    let many = (0..u64::from(MANY)).map(noop::prepare);
    stage.steps.enqueue_all(many).expect("many");
    stage
}

#[library_benchmark(config = at_most(18_564_000), setup = filled)]
#[bench::thousand()]
fn claim_and_finish(mut stage: Stage) -> Stage {
    let claimed = stage.steps.claim(MANY).expect("claimed");
    let finished = stage.steps.finish(claimed).expect("finished");
    assert_eq!(finished, 1_000);
    stage
}

#[library_benchmark(config = at_most(2_077), setup = claimed)]
#[bench::one()]
fn decode_and_execute(stage: Stage) -> Stage {
    let claimed = stage.claimed.as_ref().expect("claimed");
    assert!(stage.steps.execute(noop::JOB, claimed));
    stage
}

library_benchmark_group!(
    name = steps,
    benchmarks = [enqueue, enqueue_all, claim_and_finish, decode_and_execute]
);
main!(library_benchmark_groups = steps);
