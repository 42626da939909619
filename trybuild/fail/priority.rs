use afterhours::job;

#[job(priority = "high")]
async fn word() {}

#[job(priority = 1.5)]
async fn fraction() {}

#[job(priority = 3_000_000_000)]
async fn too_high() {}

#[job(prio = 3)]
async fn short() {}

fn main() {}
