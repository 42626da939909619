use afterhours::job;

#[job]
async fn number() -> u64 {
    7
}

fn main() {}
