use afterhours::job;

struct Opaque;

#[job]
async fn not_storable(_a: Opaque) {}

#[job]
async fn nested_borrow(_names: Vec<&str>) {}

#[job(every = 60)]
async fn scheduled_with_arguments(_id: u64) {}

#[job]
async fn exclusive(_a: &mut u64) {}

#[job]
async fn generic<T>(_a: T) {}

fn main() {}
