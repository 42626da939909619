//! Chance in tests, again with the same seed; and how much of what chance could do is tried.

use afterhours::Result;

/// What chance does in this test.
#[allow(clippy::print_stdout)] // A failing test shows the seed to try again.
pub(crate) fn chance() -> Result<fastrand::Rng> {
    const SEED: &str = "AFTERHOURS_TEST_SEED";
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse()?,
        Err(_) => fastrand::u64(..),
    };
    println!("{SEED}={seed}");
    Ok(fastrand::Rng::with_seed(seed))
}

/// So many of these, as `AFTERHOURS_TEST_SCALE` says; without it a few that take no longer than other tests.
pub(crate) fn scaled(few: usize) -> Result<usize> {
    let scale: usize = match std::env::var("AFTERHOURS_TEST_SCALE") {
        Ok(scale) => scale.parse()?,
        Err(_) => 1,
    };
    Ok(few.saturating_mul(scale))
}
