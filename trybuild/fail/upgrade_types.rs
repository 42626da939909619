use afterhours::{OldArgs, Result, job};

fn one(old: OldArgs<'_>) -> Result<(u64,)> {
    Ok(old.decode()?)
}

fn bare(old: OldArgs<'_>) -> Result<u64> {
    Ok(old.decode()?)
}

#[job(version = 2, upgrade = one)]
async fn other_arguments(_id: u64, _locale: &str) {}

#[job(version = 2, upgrade = bare)]
async fn not_a_tuple(_id: u64) {}

#[job(version = 2, upgrade = missing)]
async fn no_such_function(_id: u64) {}

fn main() {}
