use afterhours::{OldArgs, Result, job};

fn older(old: OldArgs<'_>) -> Result<(u64,)> {
    Ok(old.decode()?)
}

#[job(upgrade = older)]
async fn without_version(_id: u64) {}

#[job(version = 1, upgrade = older)]
async fn first_version(_id: u64) {}

#[job(version = 2, upgrade = "older")]
async fn in_quotes(_id: u64) {}

#[job(version = 2, upgrade = |old| older(old))]
async fn closure(_id: u64) {}

fn main() {}
