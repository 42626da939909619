//! Schedules: added, changed, held up and removed; what they remember of their runs.

use std::sync::Arc;

use super::{
    HOUR, Missed, NO_CAPS, NewRun, Origin, Overlap, RunId, ScheduleRow, State, StoredRule, Trial,
    Unique, contract, done, failed, kind, plain, run, schedule,
};
use crate::clock::{Millis, from_millis};
use crate::run::Status;
use crate::store::{ScheduleView, Tick, Ticked};

contract! {
    what_is_defined_is_read_again
    defining_it_again_changes_nothing
    a_changed_rule_counts_from_then_on
    a_rule_on_the_other_clock_has_no_last_tick
    a_job_s_own_schedule_keeps_its_name
    a_removed_schedule_ticks_no_more
    ticks_pass_while_it_is_paused
    it_is_resumed_where_it_is_told_to
    a_run_out_of_turn_disturbs_no_tick
    a_tick_counts_what_was_missed_and_what_failed
    a_twin_keeps_the_run_of_a_tick_out
    how_the_last_run_ended_outlasts_its_row
    changes_are_told
}

fn cron(name: &str) -> ScheduleRow {
    ScheduleRow {
        origin: Origin::Client,
        rule: StoredRule::Cron {
            expression: "0 3 * * *".to_owned(),
            timezone: "Europe/Paris".to_owned(),
        },
        overlap: Overlap::Allow,
        missed: Missed::RunAll,
        missed_limit: Some(3),
        missed_window: Some(HOUR),
        run: NewRun {
            kind: kind("mail", "report"),
            priority: -3,
            options: Some("{}".to_owned()),
            unique: Some(Unique {
                key: b"key".to_vec(),
                period: Some(HOUR),
            }),
            ..run()
        },
        ..schedule(name)
    }
}

fn view(trial: &mut Trial, name: &str) -> ScheduleView {
    trial
        .within(|store, now| store.schedule(name, now))
        .unwrap()
}

fn tick(after: Option<Millis>, at: Millis) -> Tick {
    Tick {
        schedule: "s".into(),
        after,
        at,
        overlap: Overlap::Skip,
        run: Arc::new(run()),
        due_at: at,
        missed: 0,
        failures: 0,
    }
}

fn fire(trial: &mut Trial, after: Option<Millis>, at: Millis) -> Ticked {
    let tick = tick(after, at);
    trial.within(|store, now| store.tick(&tick, now))
}

fn fired(trial: &mut Trial, after: Option<Millis>, at: Millis) -> RunId {
    match fire(trial, after, at) {
        Ticked::Fired(id) => id,
        other => panic!("{other:?}"),
    }
}

fn what_is_defined_is_read_again(trial: &mut Trial) {
    let rows = [cron("a"), schedule("s")];
    for row in rows.iter().rev() {
        assert!(trial.define(row));
    }
    trial.fixture.crash();
    let views = trial.within(|store, now| store.schedules(now));
    assert_eq!(
        views
            .iter()
            .map(|view| view.row.clone())
            .collect::<Vec<_>>(),
        rows
    );
    assert_eq!(views[0].since, Some(trial.now.wall));
    assert_eq!(views[1].since, None);
    for view in views {
        assert_eq!(
            (view.last_tick, view.last_run, view.is_paused),
            (None, None, false)
        );
        assert_eq!((view.missed, view.skipped, view.failures), (0, 0, 0));
    }
    assert_eq!(trial.within(|store, now| store.schedule("none", now)), None);
}

fn defining_it_again_changes_nothing(trial: &mut Trial) {
    trial.define(&cron("s"));
    fired(trial, None, 1000);
    let before = view(trial, "s");
    trial.pass(HOUR);
    let (defined, effects) = trial.watched(|store, now| store.define(&cron("s"), now));
    assert!(defined && !effects.schedules);
    assert_eq!(view(trial, "s"), before);
}

fn a_changed_rule_counts_from_then_on(trial: &mut Trial) {
    trial.define(&cron("s"));
    fired(trial, None, 1000);
    trial.pass(HOUR);
    let later = StoredRule::Cron {
        expression: "0 4 * * *".to_owned(),
        timezone: "UTC".to_owned(),
    };
    trial.define(&ScheduleRow {
        rule: later,
        ..cron("s")
    });
    let changed = view(trial, "s");
    assert_eq!(
        (changed.since, changed.last_tick),
        (Some(trial.now.wall), Some(1000))
    );
    assert_eq!(changed.base(), Some(trial.now.wall));
    // Another policy is no other rule.
    let since = changed.since;
    trial.pass(HOUR);
    let row = ScheduleRow {
        missed: Missed::Skip,
        ..changed.row
    };
    trial.define(&row);
    assert_eq!((view(trial, "s").since, view(trial, "s").row), (since, row));
}

fn a_rule_on_the_other_clock_has_no_last_tick(trial: &mut Trial) {
    trial.define(&schedule("s"));
    fired(trial, None, 1000);
    trial.define(&ScheduleRow {
        rule: StoredRule::Every(5000),
        ..schedule("s")
    });
    assert_eq!(view(trial, "s").last_tick, Some(1000));
    trial.define(&ScheduleRow {
        origin: Origin::Attribute,
        ..cron("s")
    });
    assert_eq!(view(trial, "s").last_tick, None);
    assert_eq!(fire(trial, Some(1000), 2000), Ticked::Taken(None));
}

fn a_job_s_own_schedule_keeps_its_name(trial: &mut Trial) {
    assert!(trial.define(&schedule("s")));
    assert!(!trial.define(&cron("s")));
    assert_eq!(view(trial, "s").row, schedule("s"));
    assert!(trial.define(&cron("t")));
    assert!(trial.define(&schedule("t")));
    assert_eq!(view(trial, "t").row.origin, Origin::Attribute);
}

fn a_removed_schedule_ticks_no_more(trial: &mut Trial) {
    trial.define(&schedule("s"));
    let id = fired(trial, None, 1000);
    assert!(trial.within(|store, _| store.remove_schedule("s")));
    assert!(!trial.within(|store, _| store.remove_schedule("s")));
    assert_eq!(fire(trial, Some(1000), 2000), Ticked::Gone);
    assert_eq!(trial.state(id), Some(State::Ready), "its runs stay");
    for gone in [
        trial.within(|store, _| store.pause("s")),
        trial.within(|store, _| store.resume("s", None, None)),
        trial.within(|store, now| store.run_now("s", now)).is_some(),
    ] {
        assert!(!gone);
    }
}

fn ticks_pass_while_it_is_paused(trial: &mut Trial) {
    let worker = trial.register(1);
    trial.define(&schedule("s"));
    assert!(trial.within(|store, _| store.pause("s")));
    assert_eq!(fire(trial, None, 1000), Ticked::Paused);
    assert_eq!(fire(trial, None, 1000), Ticked::Taken(Some(1000)));
    assert_eq!(fire(trial, Some(1000), 2000), Ticked::Paused);
    let paused = view(trial, "s");
    assert_eq!((paused.is_paused, paused.last_tick), (true, Some(2000)));
    assert_eq!((paused.missed, paused.skipped), (0, 0));
    assert_eq!(trial.claim(worker, 9).len(), 0);
    trial.fixture.crash();
    assert!(view(trial, "s").is_paused);
}

fn it_is_resumed_where_it_is_told_to(trial: &mut Trial) {
    trial.define(&schedule("s"));
    trial.within(|store, _| store.pause("s"));
    assert!(trial.within(|store, _| store.resume("s", Some(7), Some(5000))));
    let resumed = view(trial, "s");
    assert_eq!(
        (resumed.is_paused, resumed.since, resumed.last_tick),
        (false, Some(7), Some(5000))
    );
    assert_eq!(fire(trial, None, 1000), Ticked::Taken(Some(5000)));
    fired(trial, Some(5000), 6000);
}

fn a_run_out_of_turn_disturbs_no_tick(trial: &mut Trial) {
    let worker = trial.register(1);
    trial.define(&schedule("s"));
    trial.within(|store, _| store.pause("s"));
    let (inserted, effects) = trial.watched(|store, now| store.run_now("s", now));
    let id = inserted.unwrap().id;
    assert!(effects.ready);
    assert_eq!(
        (view(trial, "s").last_tick, view(trial, "s").last_run),
        (None, Some(id))
    );
    trial.within(|store, _| store.resume("s", None, None));
    assert_eq!(fire(trial, None, 1000), Ticked::Overlap);
    let claimed = trial.claim(worker, 9).remove(0);
    assert_eq!((claimed.id, claimed.due_at), (id, trial.now.wall));
    assert_eq!(
        (claimed.payload, claimed.options),
        (run().payload, run().options)
    );
    trial.define(&cron("t"));
    let twins = [(); 2].map(|()| trial.within(|store, now| store.run_now("t", now)).unwrap());
    assert_eq!(twins[0].id, twins[1].id);
    assert!(twins[1].is_duplicate);
}

fn a_tick_counts_what_was_missed_and_what_failed(trial: &mut Trial) {
    trial.define(&schedule("s"));
    let counting = Tick {
        missed: 4,
        failures: 2,
        ..tick(None, 1000)
    };
    trial.within(|store, now| store.tick(&counting, now));
    // It is active, so this one is skipped.
    fire(trial, Some(1000), 2000);
    // Taken, so nothing is counted.
    trial.within(|store, now| store.tick(&counting, now));
    let seen = view(trial, "s");
    assert_eq!((seen.missed, seen.failures, seen.skipped), (4, 2, 1));
}

fn a_twin_keeps_the_run_of_a_tick_out(trial: &mut Trial) {
    trial.define(&schedule("s"));
    let unique = NewRun {
        unique: Some(Unique {
            key: b"key".to_vec(),
            period: None,
        }),
        ..run()
    };
    let first = trial.insert(&unique);
    let tick = Tick {
        run: Arc::new(unique),
        ..tick(None, 1000)
    };
    assert_eq!(
        trial.within(|store, now| store.tick(&tick, now)),
        Ticked::Overlap
    );
    assert_eq!(view(trial, "s").last_run, None);
    assert_eq!(trial.state(first), Some(State::Ready));
}

fn how_the_last_run_ended_outlasts_its_row(trial: &mut Trial) {
    let worker = trial.register(1);
    trial.define(&schedule("s"));
    let at = from_millis(trial.now.wall);
    let mut after = None;
    for (ending, tick, status) in [
        (done(0), 1000, Status::Done { at }),
        (done(HOUR), 2000, Status::Done { at }),
        (plain(0), 2100, Status::Done { at }),
        (plain(HOUR), 2200, Status::Done { at }),
        (
            failed(0),
            3000,
            Status::Failed {
                at,
                error: "it broke".to_owned(),
            },
        ),
        (
            failed(HOUR),
            4000,
            Status::Failed {
                at,
                error: "it broke".to_owned(),
            },
        ),
    ] {
        let id = fired(trial, after, tick);
        assert_eq!(view(trial, "s").last_status, Some(Status::Ready));
        // The row with the highest id stays.
        trial.insert(&NewRun {
            kind: kind("default", "other"),
            ..run()
        });
        let claimed = trial
            .claim_wanted(worker, 1, |kind| (kind.job == "job").then_some(0))
            .runs
            .remove(0);
        trial.settle(&claimed, ending);
        assert_eq!(view(trial, "s").last_status, Some(status.clone()));
        let now = trial.now;
        trial.now.store += 2 * HOUR;
        trial.prune(9, NO_CAPS);
        trial.now = now;
        assert_eq!(trial.state(id), None);
        assert_eq!(view(trial, "s").last_status, Some(status));
        after = Some(tick);
    }
}

fn changes_are_told(trial: &mut Trial) {
    let (_, effects) = trial.watched(|store, now| store.define(&schedule("s"), now));
    assert!(effects.schedules);
    let (_, effects) = trial.watched(|store, _| store.remove_schedule("none"));
    assert!(!effects.schedules);
    let (_, effects) = trial.watched(|store, _| store.remove_schedule("s"));
    assert!(effects.schedules);
}
