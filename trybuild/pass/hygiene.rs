//! Wherever a job stands, and whatever stands around it.

#![deny(warnings)]

use afterhours::{Context, Result, job};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Point {
    x: u8,
    y: u8,
}

#[job]
async fn r#type(r#match: u64, _type: u8) {
    let _ = r#match;
}

#[job]
async fn patterns(mut total: u8, Point { x, y: _ }: Point, &[first, ..]: &[u8; 2], (_, last): (u8, u8), _: u8, _x: u8) {
    total += x + first + last;
    let _ = total;
}

#[cfg(all())]
#[job]
async fn cfg_above() {}

#[cfg(any())]
#[job]
async fn cfg_above(missing: Missing) {}

#[job]
#[cfg(all())]
async fn cfg_below() {}

#[job]
#[cfg(any())]
async fn cfg_below(missing: Missing) {}

#[job]
#[cfg_attr(all(), cfg(any()))]
async fn cfg_in_a_cfg_attr(missing: Missing) {}

#[cfg_attr(all(), job(retry = 1))]
async fn made_a_job_by_cfg_attr() {}

mod places {
    use afterhours::job;

    #[job]
    pub(self) async fn of_itself() {}

    #[job]
    pub(super) async fn of_the_parent() {}

    #[job]
    pub(crate) async fn of_the_crate() {}

    #[job]
    pub(in crate::places) async fn of_a_path() {}

    pub fn names() -> [&'static str; 2] {
        [of_itself::NAME, of_a_path::NAME]
    }
}

/// Not even `Some` is in scope here.
#[no_implicit_prelude]
mod bare {
    #[::afterhours::job]
    pub async fn bare(id: u64, text: &str, note: ::std::option::Option<&str>) -> ::afterhours::Result<u64> {
        let _ = (text, note);
        ::std::result::Result::Ok(id)
    }
}

/// A fragment of a macro comes in an invisible group.
macro_rules! copy_job {
    ($vis:vis $name:ident, $ty:ty, $output:ty) => {
        #[job]
        $vis async fn $name(one: $ty, other: &$ty) -> $output {
            let _ = (one, other);
            Ok(())
        }
    };
}

copy_job!(pub copy_number, u64, Result<()>);
copy_job!(copy_text, String, Result);

/// Tokio's context and ours, each under a name of its own.
mod contexts {
    use std::task::Context as TaskContext;

    use afterhours::{Context as Attempt, Result, job};

    #[job]
    pub async fn renamed(#[context] attempt: &Attempt, locale: super::Locale) -> Result<u32> {
        let _: Option<TaskContext<'_>> = None;
        Ok(attempt.attempt() + locale.0)
    }
}

/// What is called like the context can be an argument under another name.
mod foreign {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Context(pub u32);
}
use foreign::Context as Locale;

#[tracing::instrument(skip(ctx, limit))]
#[job]
async fn traced_above(ctx: &Context, #[state] limit: &u32, text: &str) -> Result<u32> {
    let _ = text;
    Ok(ctx.attempt().min(*limit))
}

#[job]
#[tracing::instrument(err, skip_all, fields(id))]
async fn traced_below(ctx: &Context, #[state] limit: &u32, id: u64) -> Result<u32> {
    let _ = id;
    Ok(ctx.attempt().min(*limit))
}

#[tracing::instrument]
#[job]
fn plain_traced_above(text: String) -> Result<usize> {
    Ok(text.len())
}

#[job]
#[tracing::instrument]
fn plain_traced_below(text: &str) -> Result<usize> {
    Ok(text.len())
}

fn main() {
    let _ = r#type::prepare(1, 2);
    assert!(r#type::NAME.ends_with("::type"));
    let _ = patterns::prepare(1, Point { x: 1, y: 2 }, &[1, 2], (1, 2), 3, 4);
    let _ = [cfg_above::JOB, cfg_below::JOB, made_a_job_by_cfg_attr::JOB];
    let _ = (places::of_the_parent::JOB, places::of_the_crate::JOB, places::names());
    let _ = bare::bare::prepare(1, "a", None);
    let _ = (copy_number::prepare(1, &2), copy_text::prepare("a", &String::new()));
    let _ = contexts::renamed::prepare(Locale(1));
    let _ = (traced_above::prepare("a"), traced_below::prepare(1));
    let _ = (plain_traced_above::prepare("a"), plain_traced_below::prepare("a"));

    // Two functions of one name in one module, each with a job of its own.
    fn one() -> &'static str {
        #[job(name = "one")]
        async fn inner(_id: u64) {}
        let _ = inner::prepare(1);
        inner::NAME
    }
    fn other() -> &'static str {
        struct Here;
        #[job(name = "other")]
        async fn inner(#[state] _here: &Here, _text: &str) {}
        let _ = inner::prepare("a");
        let _ = Here;
        inner::NAME
    }
    assert_eq!([one(), other()], ["one", "other"]);
}
