use afterhours::job;

#[job(crate = "::afterhours")]
async fn in_quotes() {}

#[job(crate = 5)]
async fn number() {}

#[job(crate = nowhere)]
async fn not_there(_id: u64) -> afterhours::Result {
    Ok(())
}

fn main() {}
