//! The messages about how runs are kept apart, kept, stored, and about ticks.

use super::messages::{check, check_item};

#[test]
fn all_are_read() {
    check(
        "concurrency = 3, unique = \"args\", unique_for = \"1h\", keep = 0, codec = \"json\", accepts = \"9f3c11aa\", \
         alias = \"old::name\"",
        &[],
    );
    check(
        "version = 2, upgrade = crate::older::f, accepts = [\"9F3C11AA\", \"00000000\",], alias = [\"a\", \"b\"], \
         codec = \"postcard\", unique = \"billing\", keep = \"7d\"",
        &[],
    );
    check(
        "cron = \"@daily\", worker = 2, overlap = \"skip\", missed = \"run_once\", missed_window = 3600",
        &[],
    );
    check(
        "every = 60, overlap = \"allow\", missed = \"run_all\", missed_limit = 3, missed_window = \"1d\"",
        &[],
    );
    check("every = 60, missed = \"skip\"", &[]);
    check("version = 1", &[]);
}

#[test]
fn other_names_for_them() {
    let hints = [
        ("max_concurrency", "concurrency"),
        ("dedupe", "unique"),
        ("retention", "keep"),
        ("aliases", "alias"),
        ("uniqe_for", "unique_for"),
        ("missed_windows", "missed_window"),
    ];
    for (word, name) in hints {
        let found = super::messages::messages(&format!("{word} = 1"), "fn f() {}");
        let found = found.expect("the input is tokens").concat();
        let expected = format!("unknown option `{word}`, did you mean `{name}`? ");
        assert!(found.starts_with(&expected), "{found}");
    }
}

#[test]
fn numbers_above_zero() {
    check(
        "concurrency = 0, version = 0",
        &[
            "`concurrency` must be above 0; leave it out for no limit",
            "`version` must be above 0; the first version is 1",
        ],
    );
    check(
        "concurrency = -1",
        &["`concurrency` takes a whole number from 1 to 4294967295, not `-1`"],
    );
    check(
        "version = \"2\"",
        &["`version` takes a whole number from 1 to 4294967295, not `\"2\"`"],
    );
    check(
        "every = 60, worker = 0, missed = \"run_all\", missed_limit = 0",
        &[
            "`worker` must be above 0; the first worker is 1; leave it out to share the schedules evenly",
            "`missed_limit` must be above 0; for none of the missed ticks write `missed = \"skip\"`",
        ],
    );
}

#[test]
fn periods_above_zero() {
    check(
        "unique = \"args\", unique_for = 0",
        &["`unique_for` must be above 0; leave it out to refuse twins while a run waits or runs"],
    );
    check(
        "every = 60, missed = \"run_all\", missed_window = \"0s\"",
        &["`missed_window` must be above 0; leave it out for missed ticks of any age"],
    );
    check(
        "keep = forever",
        &["`keep` takes seconds or a text such as \"90s\" or \"1h30m\", not `forever`"],
    );
}

#[test]
fn words() {
    check(
        "codec = \"jsn\"",
        &["`codec` takes \"postcard\" or \"json\"; did you mean \"json\"?"],
    );
    check(
        "codec = bincode",
        &["`codec` takes \"postcard\" or \"json\", not `bincode`"],
    );
    check(
        "every = 60, overlap = \"queue\"",
        &["`overlap` takes \"skip\" or \"allow\", not \"queue\""],
    );
    check(
        "every = 60, missed = \"runonce\", missed_limit = 2",
        &["`missed` takes \"skip\", \"run_once\" or \"run_all\"; did you mean \"run_once\"?"],
    );
}

#[test]
fn twins() {
    check(
        "unique = true",
        &[
            "`unique` takes \"args\", for runs with the same arguments, or a key in quotes, not `true`",
        ],
    );
    check("unique = \"\"", &["`unique` must not be empty"]);
    check(
        "unique_for = 60",
        &["`unique_for` belongs to `unique`: say which runs are twins, as in `unique = \"args\"`"],
    );
    // One mistake is enough.
    check(
        "unique = 5, unique_for = 60",
        &["`unique` takes \"args\", for runs with the same arguments, or a key in quotes, not `5`"],
    );
}

#[test]
fn lists() {
    check(
        "alias = old::name",
        &["`alias` takes a name in quotes or a list of names, not `old::name`"],
    );
    check(
        "alias = [\"a\", b]",
        &["`alias` takes a name in quotes or a list of names, not `b`"],
    );
    check("alias = []", &["`alias` lists nothing: leave it out"]);
    check("alias = [\"a\", \"\"]", &["`alias` must not be empty"]);
    check(
        "alias = [\"a\", \"b\", \"a\"]",
        &["`alias` lists \"a\" twice"],
    );
    check(
        "name = \"a\", alias = \"a\"",
        &["`alias` repeats the job's own name: give the names it had before"],
    );
    check(
        "accepts = 9f3c11aa",
        &[
            "`accepts` takes a signature in quotes, such as \"9f3c11aa\", or a list of them, not `9f3c11aa`",
        ],
    );
    for wrong in ["9f3c11", "0x9f3c11aa", "+f3c11aa", "9f3c11ag"] {
        check(
            &format!("accepts = [\"00000000\", \"{wrong}\"]"),
            &[&format!(
                "`accepts` takes signatures of 8 hex digits, as the message about a parked run shows them, not \
                 \"{wrong}\""
            )],
        );
    }
}

#[test]
fn upgrades() {
    check(
        "upgrade = older",
        &[
            "`upgrade` needs a version above 1, whose arguments it makes of older ones: add `version = 2`",
        ],
    );
    check(
        "upgrade = older, version = 1",
        &[
            "`upgrade` turns the arguments of an older version into today's, and version 1 has no older one: \
           say `version = 2`",
        ],
    );
    check(
        "version = 2, upgrade = \"older::f\"",
        &["`upgrade` takes a path without quotes: `upgrade = older::f`"],
    );
    check(
        "version = 2, upgrade = |old| old",
        &[
            "`upgrade` takes the path of a function, as in `upgrade = from_version_1`, not `|old|old`",
        ],
    );
    check(
        "version = 0, upgrade = older",
        &["`version` must be above 0; the first version is 1"],
    );
}

#[test]
fn ticks_need_a_schedule() {
    check_item(
        "missed = \"run_all\", missed_limit = 2, missed_window = 60, overlap = \"skip\", worker = 2",
        "async fn f(id: u64) {}",
        &[
            "`missed` is about the ticks of a schedule, and this job has none: add `every` or `cron`, or leave it out",
            "`missed_limit` is about the ticks of a schedule, and this job has none: add `every` or `cron`, or leave it out",
            "`missed_window` is about the ticks of a schedule, and this job has none: add `every` or `cron`, or leave it out",
            "`overlap` is about the ticks of a schedule, and this job has none: add `every` or `cron`; to keep enqueued \
             runs apart, say `concurrency = 1`",
            "`worker` pins a schedule, and this job has none: add `every` or `cron`; to run a job only on some workers, \
             give it a `queue` of its own",
        ],
    );
}

#[test]
fn missed_ticks() {
    check(
        "every = 60, missed_limit = 2",
        &["`missed_limit` has no effect: missed ticks are skipped; say `missed = \"run_all\"`"],
    );
    check(
        "every = 60, missed = \"run_once\", missed_limit = 2",
        &[
            "`missed_limit` has no effect: `missed = \"run_once\"` runs the latest missed tick only; \
           say `missed = \"run_all\"`",
        ],
    );
    check(
        "every = 60, missed = \"skip\", missed_window = 60",
        &[
            "`missed_window` has no effect: missed ticks are skipped; say `missed = \"run_once\"` or \
           `missed = \"run_all\"`",
        ],
    );
}
