//! The table of scenarios names tests that exist.

use std::path::Path;

const TABLE: &str = include_str!("../SCENARIOS.md");

/// The tests that a line of the table names: the words in backquotes with a module before them.
fn named(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.contains("::")).collect()
}

fn exists(test: &str) -> bool {
    let Some((module, function)) = test.rsplit_once("::") else {
        return false;
    };
    let file = format!("it/{}.rs", module.replace("::", "/"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = source.lines().collect();
    lines.windows(2).any(|pair| {
        let is_test = pair[0] == "#[test]" || pair[0].starts_with("#[tokio::test");
        let declared = pair[1].trim_start_matches("async ");
        is_test && declared.starts_with(&format!("fn {function}("))
    })
}

#[test]
fn each_scenario_has_tests_and_each_of_them_exists() {
    let mut numbers: Vec<u32> = Vec::new();
    for line in TABLE.lines().filter(|line| line.starts_with("| ")) {
        let Some(number) = line.split(' ').nth(1).and_then(|word| word.parse().ok()) else {
            continue;
        };
        numbers.push(number);
        let named = named(line);
        assert!(!named.is_empty(), "{line}");
        for test in named {
            assert!(
                exists(test),
                "scenario {number} names `{test}`, which is no test"
            );
        }
    }
    // 10 to 12 are about a database on another machine.
    let expected: Vec<u32> = (1..=9).chain(13..=32).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let line = "| 1 | text | `scenarios::a_test_that_does_not_exist_is_found`, `scenarios::none` |";
    let found: Vec<bool> = named(line).into_iter().map(exists).collect();
    assert_eq!(found, [true, false]);
    assert!(!exists(
        "nowhere::each_scenario_has_tests_and_each_of_them_exists"
    ));
    assert!(!exists("scenarios::exists"));
}
