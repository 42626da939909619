use afterhours::job;

#[job]
const fn constant() {}

#[job]
unsafe fn with_care() {}

#[job]
extern "C" fn foreign() {}

#[job]
fn generic<T: Clone>(_value: T) {}

#[job]
fn generic_length<const N: usize>(_bytes: [u8; N]) {}

#[job]
fn lifetime<'a>(_text: &'a str) {}

#[job]
fn u64() {}

#[job]
unsafe extern "C" fn all_at_once<T>(_value: &mut T, _names: Vec<&str>) {}

fn main() {
    // The helpers are there in spite of the mistakes, so nothing here is one.
    let _ = constant::prepare();
    let _ = generic::prepare(1);
    let _ = lifetime::prepare("a");
}
