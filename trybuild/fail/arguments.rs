use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;

use afterhours::job;

struct Opaque;

#[job]
async fn not_storable(_a: Opaque) {}

#[job]
async fn inside_another(_a: Vec<Opaque>, _b: (u8, Opaque)) {}

#[job]
async fn lent(_a: &Opaque, _b: &[Opaque]) {}

#[job]
async fn nested_borrow(_names: Vec<&str>) {}

#[job]
async fn nested_deeper(_map: &HashMap<&str, Option<&[u8]>>) {}

#[job]
async fn named_borrow(_text: Cow<'_, str>) {}

#[job]
async fn for_ever(_text: &'static str) {}

#[job]
async fn exclusive(_a: &mut u64) {}

#[job]
async fn any_type(_a: impl Display) {}

#[job]
async fn any_type_inside(_a: Vec<impl Display>) {}

#[job]
async fn object(_a: &dyn Display) {}

#[job]
async fn conditional(#[cfg(unix)] _a: u64) {}

fn main() {}
