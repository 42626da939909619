//! Random lives of a store, compared step by step with a plain model.

mod life;

use proptest::prelude::*;
use proptest::sample::Index;

use self::life::Life;
use super::sqlite::{file_again, memory_again};
use super::{Millis, Trial};

/// Milliseconds from now, on either clock.
#[derive(Debug, Clone, Copy)]
enum When {
    Now,
    Wall(Millis),
    Store(Millis),
}

/// A run that keeps its twins out, for a period or while it waits or runs.
#[derive(Debug, Clone, Copy)]
struct Twin {
    key: u8,
    period: Option<Millis>,
}

#[derive(Debug, Clone)]
enum Step {
    Insert {
        queue: usize,
        job: usize,
        priority: i32,
        when: When,
        twin: Option<Twin>,
    },
    Claim {
        slot: i64,
        limit: u32,
        order: Vec<usize>,
        /// How many runs of the second job this build lets run at once.
        most: Option<u32>,
    },
    /// A worker that wants these queues looks at what is parked.
    Unpark {
        order: Vec<usize>,
        limit: u32,
    },
    Cancel {
        run: Index,
        keep: Millis,
    },
    Settle {
        run: Index,
        keep: Millis,
        ending: Index,
        claim: Right,
    },
    Rescue {
        slot: i64,
        froze: bool,
        limit: u32,
    },
    /// The worker is told to stop.
    Stopping {
        slot: i64,
    },
    Register {
        slot: i64,
    },
    Unregister {
        slot: i64,
    },
    Tick {
        schedule: usize,
        stale: bool,
        at: Millis,
    },
    Prune {
        limit: u32,
        done: u32,
        failed: u32,
    },
    Pass(Millis),
    SetWall(Millis),
    /// A transaction that is rolled back, or that is open when the process is killed.
    Lose {
        crash: bool,
    },
    /// The process ends in good order, and another one goes on.
    Reopen,
}

/// Which claim an attempt shows.
#[derive(Debug, Clone, Copy)]
enum Right {
    Its,
    AnEarlier,
    Anothers,
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        2 => Just(When::Now),
        1 => (-50..200_i64).prop_map(When::Wall),
        1 => (-50..200_i64).prop_map(When::Store),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let order = Just(vec![0, 1, 2]).prop_shuffle().prop_flat_map(|order| {
        (0..=order.len()).prop_map(move |count| order[..count.max(1)].to_vec())
    });
    let queues = order.clone();
    let right =
        prop_oneof![6 => Just(Right::Its), 1 => Just(Right::AnEarlier), 1 => Just(Right::Anothers)];
    let slot = || 1..=3_i64;
    let twin =
        (0..2_u8, prop::option::of(0..200_i64)).prop_map(|(key, period)| Twin { key, period });
    let twin = prop::option::weighted(0.4, twin);
    prop_oneof![
        6 => (0..3_usize, 0..2_usize, -1..2_i32, when(), twin)
            .prop_map(|(queue, job, priority, when, twin)| Step::Insert { queue, job, priority, when, twin }),
        6 => (slot(), 0..4_u32, order, prop::option::of(1..3_u32))
            .prop_map(|(slot, limit, order, most)| Step::Claim { slot, limit, order, most }),
        1 => (queues, 1..3_u32).prop_map(|(order, limit)| Step::Unpark { order, limit }),
        2 => (any::<Index>(), prop_oneof![Just(0), 0..300_i64])
            .prop_map(|(run, keep)| Step::Cancel { run, keep }),
        8 => (any::<Index>(), prop_oneof![Just(0), 0..300_i64], any::<Index>(), right)
            .prop_map(|(run, keep, ending, claim)| Step::Settle { run, keep, ending, claim }),
        2 => (slot(), prop::bool::weighted(0.2), 1..4_u32)
            .prop_map(|(slot, froze, limit)| Step::Rescue { slot, froze, limit }),
        1 => slot().prop_map(|slot| Step::Stopping { slot }),
        1 => slot().prop_map(|slot| Step::Register { slot }),
        1 => slot().prop_map(|slot| Step::Unregister { slot }),
        1 => (0..2_usize, any::<bool>(), 1..100_i64)
            .prop_map(|(schedule, stale, at)| Step::Tick { schedule, stale, at }),
        2 => (0..4_u32, 0..4_u32, 0..3_u32)
            .prop_map(|(limit, done, failed)| Step::Prune { limit, done, failed }),
        3 => (0..150_i64).prop_map(Step::Pass),
        1 => (-500..500_i64).prop_map(Step::SetWall),
        1 => any::<bool>().prop_map(|crash| Step::Lose { crash }),
        1 => Just(Step::Reopen),
    ]
}

/// So many cases unless the environment says otherwise.
fn cases(default: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked
            .and_then(|count| count.parse().ok())
            .unwrap_or(default),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn live(trial: Trial, steps: &[Step]) {
    let mut life = Life::new(trial);
    steps.iter().for_each(|step| life.take(step));
    life.end();
}

proptest! {
    #![proptest_config(cases(1800))]
    #[test]
    fn a_store_in_memory_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        live(memory_again(), &steps);
    }
}

proptest! {
    #![proptest_config(cases(300))]
    #[test]
    fn a_store_in_a_file_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        live(file_again(), &steps);
    }
}
