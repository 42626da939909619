::core::compile_error! {
    "`timeout` must be above 0; leave it out for 120 s (30 s for a job on a schedule)"
}
::core::compile_error! {
    "`Vec<&str>` cannot be stored: take `Vec<String>`"
}
/// Mails one user.
pub(crate) async fn send_email(mailer: &Mailer, tags: Vec<&str>) -> Result<Receipt> {
    mailer.send(tags)
}
/// The job of [`send_email()`]: `perform_async`, `perform_in`, `perform_at` and `prepare` enqueue it, `handle` finds a run again.
#[allow(
    dead_code,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    clippy::exhaustive_enums,
    clippy::pedantic
)]
pub(crate) enum send_email {}
#[allow(
    dead_code,
    deprecated,
    private_bounds,
    private_interfaces,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::impl_trait_in_params,
    clippy::pedantic
)]
#[allow(missing_docs, unused_variables)]
const _: () = {
    use ::afterhours::__private as __p;
    impl send_email {
        pub const NAME: &'static ::core::primitive::str = "";
        pub const JOB: ::afterhours::Job = {
            static __JOB: __p::JobDef = __p::JobDef::new("", "", 0, |_| loop {});
            __p::job(&__JOB)
        };
        pub fn perform_async(
            tags: Vec<&str>,
        ) -> ::afterhours::Perform<<Result<Receipt> as __p::JobReturn>::Value> {
            loop {}
        }
        pub fn perform_in(
            delay: __p::Duration,
            tags: Vec<&str>,
        ) -> ::afterhours::Perform<<Result<Receipt> as __p::JobReturn>::Value> {
            loop {}
        }
        pub fn perform_at(
            when: impl ::core::convert::Into<__p::SystemTime>,
            tags: Vec<&str>,
        ) -> ::afterhours::Perform<<Result<Receipt> as __p::JobReturn>::Value> {
            loop {}
        }
        pub fn prepare(
            tags: Vec<&str>,
        ) -> ::afterhours::Prepared<<Result<Receipt> as __p::JobReturn>::Value> {
            loop {}
        }
        pub fn handle(
            id: ::afterhours::RunId,
        ) -> ::afterhours::Handle<<Result<Receipt> as __p::JobReturn>::Value> {
            loop {}
        }
    }
};
