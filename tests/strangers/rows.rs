//! One row or one value at a time.

use afterhours::schedule::Every;
use afterhours::{Client, Error, Result, RunFilter, RunState, ScheduleState, Status};

use super::{Bench, Fate, assert_fate, echo, fail, wait, within};

const SCHEDULED: Fate = Fate::Left(|status| matches!(status, Status::Scheduled { .. }));
const UNKNOWN: Fate = Fate::Left(
    |status| matches!(status, Status::Incompatible { reason } if reason.contains("no such state")),
);

/// What is set in the row of a run that waits, and what becomes of the run.
const VALUES: &[(&str, Fate)] = &[
    // Its arguments.
    ("payload = x''", Fate::Parked("too few")),
    ("payload = x'deadbeef'", Fate::Parked("too few")),
    ("payload = randomblob(500)", Fate::Parked("")),
    (
        "payload = CAST(payload || x'00' AS BLOB)",
        Fate::Parked("damaged"),
    ),
    (
        "payload = zeroblob(50000000)",
        Fate::Parked("50000000 bytes"),
    ),
    // Its counts.
    (
        "attempts = -1",
        Fate::Parked("this library has not written"),
    ),
    (
        "attempts = 4294967296",
        Fate::Parked("this library has not written"),
    ),
    (
        "attempts = 9223372036854775807",
        Fate::Parked("this library has not written"),
    ),
    (
        "attempts = -9223372036854775808",
        Fate::Parked("this library has not written"),
    ),
    ("attempts = 4294967295", Fate::Done),
    ("lost = -1", Fate::Parked("this library has not written")),
    (
        "lost = 9223372036854775807",
        Fate::Parked("this library has not written"),
    ),
    ("crashes = -1", Fate::Done),
    ("crashes = 9223372036854775807", Fate::Done),
    // Its place.
    ("priority = 9223372036854775807", Fate::Done),
    ("priority = -9223372036854775807 - 1", Fate::Done),
    ("state = 7", UNKNOWN),
    ("state = -1", UNKNOWN),
    ("state = 99", UNKNOWN),
    ("state = 2", UNKNOWN),
    ("kind = 999", Fate::Strange),
    ("kind = 9223372036854775807", Fate::Strange),
    ("kind = -9223372036854775807 - 1", Fate::Strange),
    ("kind = 9223372036854775807, state = 6", Fate::Strange),
    // Its times.
    ("state = 1", SCHEDULED),
    ("state = 1, due_wall = 9223372036854775807", SCHEDULED),
    ("state = 1, due_wall = -9223372036854775807 - 1", Fate::Done),
    ("state = 1, due_store = 9223372036854775807", SCHEDULED),
    (
        "state = 1, due_store = -9223372036854775807 - 1",
        Fate::Done,
    ),
    (
        "enqueued_at = 9223372036854775807, due_at = 9223372036854775807",
        Fate::Done,
    ),
    (
        "enqueued_at = -9223372036854775807 - 1, due_at = NULL",
        Fate::Done,
    ),
    (
        "expires = -9223372036854775807, finished_at = 9223372036854775807",
        Fate::Done,
    ),
    // What was set for it.
    ("options = ''", Fate::Done),
    ("options = 'no JSON'", Fate::Done),
    ("options = '[[[[[[[['", Fate::Done),
    ("options = printf('%.*c', 3000, '[')", Fate::Done),
    ("options = CAST(x'fffe00' AS TEXT)", Fate::Done),
    ("options = printf('%.*c', 3000000, 'x')", Fate::Done),
    (r#"options = '{"timeout_ms":-1,"retry":-1}'"#, Fate::Done),
    (r#"options = '{"jitter":1e999}'"#, Fate::Done),
    (
        r#"options = '{"jitter":-3.5,"backoff":"Sideways"}'"#,
        Fate::Done,
    ),
    (r#"options = '{"tags":7}'"#, Fate::Done),
    (
        r#"options = '{"timeout_ms":18446744073709551615,"keep_ms":18446744073709551615}'"#,
        Fate::Done,
    ),
];

#[tokio::test]
async fn a_strange_value_in_the_row_of_a_run_harms_that_run_alone() -> Result {
    for (set, fate) in VALUES {
        let bench = Bench::new().await?;
        let victim = bench
            .client
            .enqueue(echo::prepare("victim").priority(20))
            .await?;
        let before = bench.client.enqueue(echo::prepare("before")).await?;
        bench.set(&victim, set)?;
        let worker = bench.start().await?;
        assert_eq!(within(set, before.join()).await?, "before");
        bench.looked(set).await?;
        assert_fate(set, &victim, *fate).await;
        if let Fate::Parked(words) = fate {
            let joined = within(set, victim.join()).await;
            let told = matches!(&joined, Err(Error::Incompatible { reason, .. }) if reason.contains(words));
            assert!(told, "{set}: {joined:?}");
        }
        worker.stop().await?;
        // The next worker looks at what is parked, and goes on.
        let worker = bench.start().await?;
        bench.looked(set).await?;
        worker.stop().await?;
        bench.assert_calm(set);
    }
    Ok(())
}

#[tokio::test]
async fn any_run_that_waits_can_be_cancelled() -> Result {
    for (set, fate) in VALUES {
        let bench = Bench::new().await?;
        let victim = bench.client.enqueue(echo::prepare("victim")).await?;
        bench.set(&victim, set)?;
        let answer = victim.cancel().await;
        let is_so = match fate {
            Fate::Strange => matches!(answer, Err(Error::WrongJob { .. })),
            _ => answer.is_ok(),
        };
        assert!(is_so, "{set}: {answer:?}");
        bench.assert_calm(set);
    }
    Ok(())
}

/// What is written into the tables of ready and running runs while a worker looks away. Others are executed all the same.
const AT_WORK: &[&str] = &[
    "UPDATE afterhours_runs SET state = 3",
    "UPDATE afterhours_runs SET kind = 999",
    "DELETE FROM afterhours_runs",
    "UPDATE afterhours_ready SET suspect = 1",
    "UPDATE afterhours_ready SET suspect = -9223372036854775807 - 1",
    "UPDATE afterhours_ready SET kind = -9223372036854775807 - 1",
    "UPDATE afterhours_ready SET kind = 9223372036854775807, priority = -9223372036854775807 - 1",
    "UPDATE afterhours_ready SET run = 9223372036854775807",
    "DELETE FROM afterhours_ready",
    "INSERT INTO afterhours_ready SELECT 1, kind, priority, run FROM afterhours_ready",
    "INSERT INTO afterhours_ready SELECT 0, kind, priority - 1, run FROM afterhours_ready",
    "INSERT INTO afterhours_running (run, claim, started_at) SELECT id, 9223372036854775807, -9223372036854775807 FROM afterhours_runs",
    "INSERT INTO afterhours_running (run, claim, started_at, cancel_keep) SELECT id, -1, 9223372036854775807, -9223372036854775807 FROM afterhours_runs",
    "INSERT INTO afterhours_running (run, claim, started_at, done, total) SELECT -id, 77, 0, -5, -9223372036854775807 FROM afterhours_runs",
];

#[tokio::test]
async fn strange_rows_of_ready_and_running_runs_hold_up_no_others() -> Result {
    for write in AT_WORK {
        let bench = Bench::new().await?;
        let victim = bench
            .client
            .enqueue(echo::prepare("victim").priority(20))
            .await?;
        bench.write(write, [])?;
        let worker = bench.start().await?;
        bench.looked(write).await?;
        // Whatever is told of it, something is; and of the others.
        let _ = victim.status().await;
        assert!(
            !bench.client.runs(RunFilter::new()).await?.runs.is_empty(),
            "{write}"
        );
        bench
            .client
            .runs(RunFilter::new().state(RunState::Running))
            .await?;
        bench
            .client
            .runs(RunFilter::new().state(RunState::Ready))
            .await?;
        assert_eq!(bench.client.stats().await?.workers, 1, "{write}");
        let _ = victim.cancel().await;
        worker.stop().await?;
        bench.assert_calm(write);
    }
    Ok(())
}

#[tokio::test]
async fn many_strange_runs_are_put_aside_and_those_behind_them_start() -> Result {
    let bench = Bench::new().await?;
    let many = (0..700).map(|_| echo::prepare("victim").priority(20));
    bench.client.enqueue_all(many).await?;
    bench.write("UPDATE afterhours_runs SET attempts = -1", [])?;
    let worker = bench.start().await?;
    bench.looked("the run behind them").await?;
    worker.stop().await?;
    let parked: u32 = bench.outsider.query_row(
        "SELECT count(*) FROM afterhours_runs WHERE state = 6 AND note LIKE '%has not written%'",
        [],
        |row| row.get(0),
    )?;
    assert_eq!(parked, 700);
    bench.assert_calm("many");
    Ok(())
}

/// Rows of kinds, and what becomes of a run of theirs.
const KINDS: &[(&str, Fate)] = &[
    ("'strangers.echo', 'default', -1, 7", UNREADABLE),
    ("'strangers.echo', 'default', 1, 4294967296", UNREADABLE),
    (
        "'strangers.echo', 'default', 9223372036854775807, -9223372036854775807",
        UNREADABLE,
    ),
    ("'strangers.echo', CAST(x'ff' AS TEXT), 1, 7", FOREIGN),
    ("CAST(x'ff' AS TEXT), 'default', 1, 7", Fate::Strange),
    ("'', '', 0, 0", Fate::Strange),
    (
        "printf('%.*c', 3000000, 'x'), 'default', 1, 7",
        Fate::Strange,
    ),
    ("'strangers.echo', 'default', 0, 0", FOREIGN),
    (
        "'strangers.echo', 'default', 4294967295, 4294967295",
        FOREIGN,
    ),
];
const UNREADABLE: Fate = Fate::Parked("nobody can tell what its arguments are");
const FOREIGN: Fate = Fate::Parked("this build has version 1");

#[tokio::test]
async fn a_strange_kind_holds_up_no_other() -> Result {
    for (kind, fate) in KINDS {
        let bench = Bench::new().await?;
        let victim = bench
            .client
            .enqueue(echo::prepare("victim").priority(20))
            .await?;
        let insert = format!(
            "INSERT INTO afterhours_kinds (id, job, queue, version, signature) VALUES (50, {kind})"
        );
        bench.write(&insert, [])?;
        for state in [0, 6] {
            bench.set(&victim, &format!("kind = 50, state = {state}"))?;
            let worker = bench.start().await?;
            bench.looked(kind).await?;
            if state == 0 {
                assert_fate(kind, &victim, *fate).await;
            }
            worker.stop().await?;
        }
        bench.assert_calm(kind);
    }
    Ok(())
}

/// What is done to a run while it is executed. Its end is written all the same.
const MEANWHILE: &[&str] = &[
    "UPDATE afterhours_runs SET attempts = -9223372036854775807 - 1",
    "UPDATE afterhours_runs SET attempts = 9223372036854775807",
    "UPDATE afterhours_runs SET crashes = 9223372036854775807, priority = -9223372036854775807 - 1",
    "UPDATE afterhours_runs SET started_at = NULL, due_at = NULL",
    "UPDATE afterhours_runs SET started_at = -9223372036854775807, enqueued_at = 9223372036854775807",
    "UPDATE afterhours_runs SET state = 99",
    "UPDATE afterhours_runs SET due_wall = 1, due_store = 1",
    "UPDATE afterhours_runs SET kind = 999, payload = x'', options = 'no JSON'",
    "UPDATE afterhours_runs SET note = CAST(x'ff' AS TEXT), result = x'ff', expires = 1",
    "INSERT INTO afterhours_attempts SELECT id, 9223372036854775807, 1, 0, '', 0, 0 FROM afterhours_runs",
    "INSERT INTO afterhours_attempts SELECT id, 1 << 40, -5, 99, CAST(x'ff' AS TEXT), -1, 0 FROM afterhours_runs",
    "INSERT INTO afterhours_attempts SELECT id, -9223372036854775807, 1 << 40, -3, '', 0, 0 FROM afterhours_runs",
];

#[tokio::test]
async fn an_attempt_whose_row_was_written_to_ends() -> Result {
    for write in MEANWHILE {
        for then in ["succeed", "fail", "snooze", "retry"] {
            let what = format!("{then} after {write}");
            let bench = Bench::new().await?;
            let run = bench.client.enqueue(wait::prepare(then)).await?;
            let worker = bench.start().await?;
            within(&what, bench.stage.started.notified()).await;
            bench.write(write, [])?;
            bench.stage.go.notify_one();
            bench.looked(&what).await?;
            worker.stop().await?;
            let left: (i64, bool) = bench.outsider.query_row(
                "SELECT state, EXISTS (SELECT 1 FROM afterhours_running WHERE run = id) FROM afterhours_runs WHERE id = ?1",
                [run.id()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            let state = match then {
                "succeed" => 3,
                "fail" => 4,
                _ => 1,
            };
            assert_eq!(left, (state, false), "{what}");
            bench.assert_calm(&what);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_strange_end_is_an_error_of_whoever_asks() -> Result {
    let bench = Bench::new().await?;
    for result in [
        "NULL",
        "x''",
        "x'00'",
        "randomblob(100)",
        "zeroblob(3000000)",
    ] {
        let run = bench.client.enqueue(echo::prepare("victim")).await?;
        let update = format!(
            "UPDATE afterhours_runs SET state = 3, result = {result}, finished_at = -5 WHERE id = ?1"
        );
        bench.write(&update, [run.id()])?;
        let joined = within(result, run.join()).await;
        assert!(
            matches!(joined, Err(Error::Decode { .. })),
            "{result}: {joined:?}"
        );
    }
    let run = bench.client.enqueue(echo::prepare("victim")).await?;
    bench.write(
        "UPDATE afterhours_runs SET state = 4, note = CAST(x'66ff' AS TEXT) WHERE id = ?1",
        [run.id()],
    )?;
    for (seq, rest) in [
        "-1, 99, CAST(x'ff' AS TEXT), 9223372036854775807, -9223372036854775807",
        "9223372036854775807, -1, printf('%.*c', 3000000, 'x'), 0, 0",
    ]
    .iter()
    .enumerate()
    {
        let insert = format!("INSERT INTO afterhours_attempts VALUES (?1, ?2, {rest})");
        bench.write(&insert, (run.id(), i64::try_from(seq)?))?;
    }
    let error = within("the failed run", run.join())
        .await
        .expect_err("it has failed");
    let failure = error.failure().ok_or("it has failed")?;
    assert_eq!(failure.error, "f\u{fffd}");
    assert_eq!(failure.attempts.len(), 2);
    assert!(error.to_string().len() < 200);
    bench.assert_calm("ends");
    Ok(())
}

#[tokio::test]
async fn strange_workers_keep_nobody_from_rescuing_the_runs_of_dead_ones() -> Result {
    let bench = Bench::new().await?;
    let orphan = bench.client.enqueue(echo::prepare("orphan")).await?;
    for (id, slot) in [
        ("-9223372036854775807 - 1", "-1"),
        ("-3", "9223372036854775807"),
        ("0", "-9223372036854775807 - 1"),
        ("7", "-7"),
        // Its claims would have the numbers of worker 500, if it could have any.
        ("500 + (1 << 28)", "401"),
        ("9223372036854775806", "402"),
    ] {
        let insert = format!(
            "INSERT INTO afterhours_workers (id, slot, lock_file, boot, pid, started_at, stopping)
             VALUES ({id}, {slot}, ?1, CAST(x'ff' AS TEXT), -1, -1, -7)"
        );
        bench.write(&insert, [bench.lock_file()?])?;
    }
    // A dead worker, and the run that it had.
    bench.write(
        "INSERT INTO afterhours_workers (id, slot, lock_file, boot, pid, started_at) VALUES (500, 400, ?1, 'this', 1, 1)",
        [bench.lock_file()?],
    )?;
    bench.set(&orphan, "crashes = -1")?;
    bench.write("DELETE FROM afterhours_ready", [])?;
    let taken =
        "INSERT INTO afterhours_running (run, claim, started_at) VALUES (?1, (500 << 36) + 3, -1)";
    bench.write(taken, [orphan.id()])?;
    // The number after the highest is taken from this one.
    bench.write(
        "DELETE FROM afterhours_workers WHERE id = 9223372036854775806",
        [],
    )?;
    bench.write(
        "UPDATE sqlite_sequence SET seq = 1000 WHERE name = 'afterhours_workers'",
        [],
    )?;
    let worker = bench.start().await?;
    assert_eq!(within("the orphan", orphan.join()).await?, "orphan");
    worker.stop().await?;
    bench.assert_calm("workers");
    Ok(())
}

/// What is set in the row of a schedule.
const SCHEDULES: &[&str] = &[
    "every = -1",
    "every = 0",
    "every = 9223372036854775807",
    "every = NULL, cron = NULL",
    "every = NULL, cron = CAST(x'ff' AS TEXT), timezone = CAST(x'ff' AS TEXT)",
    "every = NULL, cron = '* * * * *', timezone = 'UTC', since = -8334601228800000",
    "every = NULL, cron = '* * * * *', timezone = 'UTC', since = -9223372036854775807",
    "every = NULL, cron = '0 3 * * *', timezone = 'Europe/Paris', last_tick = 8210266876799999",
    "every = NULL, cron = '0 3 * * *', timezone = 'Europe/Paris', missed = 2, last_tick = -8334601228800000",
    "last_tick = 9223372036854775807",
    "last_tick = -9223372036854775807 - 1",
    "every = 1, missed = 2, missed_limit = 1, last_tick = -9223372036854775807 - 1",
    "every = 1, missed = 2, missed_limit = 0, missed_window = -5, last_tick = 5",
    "missed_limit = -5",
    "missed_limit = 4294967296",
    "missed_window = -9223372036854775807 - 1",
    "overlap = 99, missed = -99, origin = 99, paused = 99",
    "origin = 0",
    "kind = 999",
    "priority = 9223372036854775807",
    "payload = zeroblob(50000000)",
    "payload = x'00', options = 'no JSON'",
    "options = CAST(x'ff' AS TEXT)",
    "unique_key = x'', unique_for = -9223372036854775807 - 1",
    "last_run = -9223372036854775807, last_state = 99, last_ended = 9223372036854775807, last_note = CAST(x'ff' AS TEXT)",
    "missed_ticks = -9223372036854775807 - 1, skipped_ticks = 9223372036854775807, failures = -1",
    "name = CAST(x'ff' AS TEXT)",
    "name = ''",
];

#[tokio::test]
async fn a_strange_schedule_holds_up_no_other() -> Result {
    for set in SCHEDULES {
        let bench = Bench::new().await?;
        let hourly = || Every::parse("1h");
        let prepared = || echo::prepare("tick");
        bench
            .client
            .schedule("victim", hourly()?, prepared())
            .await?;
        bench.client.schedule("zero", hourly()?, prepared()).await?;
        let update = format!("UPDATE afterhours_schedules SET {set} WHERE name = 'victim'");
        bench.write(&update, [])?;
        let worker = bench.start().await?;
        let ticked = async {
            loop {
                let all = bench.client.schedules().await?;
                let zero = all.iter().find(|schedule| schedule.name == "zero");
                if zero.is_some_and(|zero| zero.last_run.is_some()) {
                    return Ok::<_, Error>(all);
                }
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        let all = within(set, ticked).await?;
        assert_eq!(all.len(), 2, "{set}");
        bench.looked(set).await?;
        worker.stop().await?;
        bench.assert_calm(set);
    }
    Ok(())
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_says_so_and_can_be_replaced() -> Result {
    for (set, words) in [
        ("missed_limit = -5", "this library has not written"),
        ("payload = zeroblob(50000000)", "50000000 bytes"),
        ("kind = 999", "this library has not written"),
        ("every = 0", "interval"),
    ] {
        let bench = Bench::new().await?;
        let hourly = || Every::parse("1h");
        bench
            .client
            .schedule("victim", hourly()?, echo::prepare("tick"))
            .await?;
        bench.write(&format!("UPDATE afterhours_schedules SET {set}"), [])?;
        let shown = bench.client.schedules().await?;
        let told = matches!(&shown[0].state, ScheduleState::Unreadable { reason } if reason.contains(words));
        assert!(told, "{set}: {shown:?}");
        let ran = bench.client.run_schedule("victim").await;
        if !set.starts_with("every") {
            let error = ran.expect_err("nobody knows what it would run");
            assert!(matches!(error, Error::Schedule { .. }), "{set}: {error}");
        }
        bench
            .client
            .schedule("victim", hourly()?, echo::prepare("tick"))
            .await?;
        let shown = bench.client.schedules().await?;
        assert_eq!(shown[0].state, ScheduleState::Active, "{set}");
        bench.client.run_schedule("victim").await?;
        bench.assert_calm(set);
    }
    Ok(())
}

#[tokio::test]
async fn a_schedule_whose_last_run_is_strange_goes_on() -> Result {
    let bench = Bench::new().await?;
    let hourly = Every::parse("1h")?;
    bench
        .client
        .schedule("victim", hourly, echo::prepare("tick"))
        .await?;
    let run = bench.client.run_schedule("victim").await?;
    // Nobody looks at the arguments, and each copy of the large ones takes its time.
    let set = VALUES.iter().map(|(set, _)| set);
    for set in set.filter(|set| !set.starts_with("payload")) {
        bench.write(
            &format!("UPDATE afterhours_runs SET {set} WHERE id = ?1"),
            [run],
        )?;
        let shown = bench.client.schedules().await?;
        assert_eq!(shown[0].last_run, Some(run), "{set}");
    }
    bench.assert_calm("last runs");
    Ok(())
}

#[tokio::test]
async fn strange_keys_refuse_twins_and_nothing_else() -> Result {
    let bench = Bench::new().await?;
    for (run, until) in [
        ("5", "9223372036854775807"),
        ("-5", "-9223372036854775807 - 1"),
        ("77", "NULL"),
    ] {
        let insert = format!(
            "INSERT INTO afterhours_unique VALUES ({run}, 'strangers.echo', x'01' || CAST({run} AS TEXT), {until})"
        );
        let _ = bench.write(&insert, []);
    }
    let worker = bench.start().await?;
    for key in ["5", "-5", "77"] {
        let run = bench
            .client
            .enqueue(echo::prepare("key").unique(key))
            .await?;
        if !run.is_duplicate() {
            assert_eq!(within(key, run.join()).await?, "key");
        }
    }
    bench.looked("keys").await?;
    worker.stop().await?;
    bench.assert_calm("keys");
    Ok(())
}

#[tokio::test]
async fn strange_words_about_the_store_let_it_open_and_work() -> Result {
    for (key, value) in [
        ("clock_seen", "9223372036854775807"),
        ("clock_seen", "'noon'"),
        ("clock_offset", "9223372036854775807"),
        ("clock_offset", "-9223372036854775807 - 1"),
        ("clock_offset", "x'ff'"),
        ("clock_boot", "5"),
        ("clock_boot", "CAST(x'ff' AS TEXT)"),
        ("schedules", "'many'"),
        ("schedules", "9223372036854775807"),
        ("of a stranger", "x'00'"),
    ] {
        let what = format!("{key} = {value}");
        let mut bench = Bench::new().await?;
        let insert = format!("INSERT OR REPLACE INTO afterhours_meta VALUES ('{key}', {value})");
        bench.write(&insert, [])?;
        bench.client = Client::open(bench.folder.path().join("jobs.db")).await?;
        let worker = bench.start().await?;
        let failing = bench.client.enqueue(fail::prepare()).await?;
        bench.looked(&what).await?;
        assert_fate(&what, &failing, Fate::Failed).await;
        let hourly = Every::parse("1h")?;
        bench
            .client
            .schedule("hourly", hourly, echo::prepare("tick"))
            .await?;
        worker.stop().await?;
        bench.assert_calm(&what);
    }
    Ok(())
}
