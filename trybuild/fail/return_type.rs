use afterhours::{Result, job};

struct Opaque;

#[job]
async fn number() -> u64 {
    7
}

#[job]
fn option() -> Option<u64> {
    None
}

#[job]
async fn not_storable() -> Result<Opaque> {
    Ok(Opaque)
}

#[job]
async fn no_error() -> std::result::Result<u64, Opaque> {
    Ok(7)
}

#[job]
fn future() -> impl Future<Output = Result> {
    async { Ok(()) }
}

#[job]
fn opaque() -> Result<impl Clone> {
    Ok(7)
}

#[job]
fn borrowed(text: &str) -> Result<&str> {
    Ok(text)
}

fn main() {}
