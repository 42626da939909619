//! What changes the signature of the arguments, and what must not.

use super::TestResult;
use crate::errors::Errors;
use crate::item::{Function, Item};
use crate::signature::signature;

/// The signature of a job with these parameters.
fn of(params: &str) -> Result<u32, syn::Error> {
    let mut errors = Errors::default();
    let item = Item::new(
        syn::parse_str::<Function>(&format!("fn f({params}) {{}}"))?,
        &mut errors,
    );
    assert!(errors.finish().is_none(), "{params}");
    Ok(signature(&item))
}

#[track_caller]
fn same(one: &str, other: &str) {
    assert_eq!(
        of(one).expect(one),
        of(other).expect(other),
        "{one} / {other}"
    );
}

#[track_caller]
fn different(one: &str, other: &str) {
    assert_ne!(
        of(one).expect(one),
        of(other).expect(other),
        "{one} / {other}"
    );
}

#[test]
fn borrowing_does_not_count() {
    same("x: &str", "x: String");
    same("x: &[u8]", "x: Vec<u8>");
    same("x: &Order", "x: Order");
    same("x: &Path", "x: PathBuf");
    same("x: Option<&str>", "x: Option<String>");
    same("x: Option<&[Order]>", "x: Option<Vec<Order>>");
    same("x: Option<&Order>", "x: Option<Order>");
    same("x: &'_ str", "x: &str");
    same("x: Cow<'static, str>", "x: Cow<str>");
}

#[test]
fn spelling_does_not_count() {
    same("x: HashMap<u8,Vec<u8>>", "x: HashMap< u8 , Vec < u8 > , >");
    same("x: (u8, u16)", "x: (u8, u16,)");
    same("x: ((u8))", "x: u8");
    same("x: Vec::<u8>", "x: Vec<u8>");
    same("_x: u8", "x: u8");
    same("mut x: u8", "x: u8");
    same("r#type: u8", "_type: u8");
    same("x: r#Type", "x: Type");
    same("#[allow(unused)] x: u8", "x: u8");
    same("ctx: &Context, x: u8, #[state] db: &Db", "x: u8");
}

#[test]
fn patterns_are_named_by_their_place_among_the_arguments() {
    same("ctx: &Context, (a, b): (u8, u8)", "(c, d): (u8, u8)");
    same("(a, b): (u8, u8)", "arg0: (u8, u8)");
}

#[test]
fn meaning_counts() {
    different("a: u8, b: u16", "b: u16, a: u8");
    different("a: u8, b: u8", "b: u8, a: u8");
    different("a: u8", "b: u8");
    different("a: u8", "a: u16");
    different("a: u8", "");
    different("a: u8", "a: (u8,)");
    different("a: [u8; 4]", "a: [u8; 5]");
    different("a: Vec<u8>", "a: Vec<Vec<u8>>");
    different("a: (u8, (u8, u8))", "a: ((u8, u8), u8)");
}

#[test]
fn the_number_is_stable() -> TestResult {
    // Stored runs carry it: a change here parks every one of them.
    assert_eq!(of("")?, 0);
    assert_eq!(of("user_id: u64, template: &str")?, 0x3270_af0b);
    Ok(())
}
