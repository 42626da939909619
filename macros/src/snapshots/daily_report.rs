#[cfg(feature = "reports")]
fn daily_report() {}
#[cfg(feature = "reports")]
/// The job of [`daily_report()`]: `perform_async`, `perform_in`, `perform_at` and `prepare` enqueue it, `handle` finds a run again.
#[allow(
    dead_code,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    clippy::exhaustive_enums,
    clippy::pedantic
)]
enum daily_report {}
#[cfg(feature = "reports")]
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
const _: () = {
    use my::afterhours::__private as __p;
    static __JOB: __p::JobDef = __p::JobDef {
        schedule: ::core::option::Option::Some(__p::ScheduleDef::Cron {
            expression: "0 3 * * *",
            timezone: "Europe/Paris",
        }),
        states: &[],
        signature: __p::SignatureDef {
            tokens: 0u32,
            trace: __CODEC.1,
        },
        read: |__decoder| (__CODEC.0)(__decoder).map(::core::mem::drop),
        ..__p::JobDef::scheduled(
            daily_report::NAME,
            ::core::file!(),
            ::core::line!(),
            __start,
        )
    };
    __p::inventory::submit! {
        __p::Registered(& __JOB)
    }
    const __CODEC: (
        fn(&mut __p::Decoder<'_>) -> ::core::result::Result<(), __p::DecodeError>,
        fn(&mut __p::Tracer),
        fn(&mut __p::Encoder),
    ) = (|__decoder| ::core::result::Result::Ok(()), |__tracer| {}, |__encoder| {});
    fn __start(
        __call: __p::Call,
    ) -> ::core::result::Result<__p::Attempt, __p::StartError> {
        let () = __call.decode(__CODEC.0)?;
        ::core::result::Result::Ok(
            __p::Attempt::blocking(move || <() as __p::JobReturn>::outcome(
                daily_report(),
            )),
        )
    }
    #[automatically_derived]
    impl daily_report {
        /// The name under which runs are stored.
        pub const NAME: &'static ::core::primitive::str = "report";
        /// The job itself, for the builder of a worker.
        pub const JOB: my::afterhours::Job = __p::job(&__JOB);
        /// Enqueues a run that is due now.
        pub fn perform_async() -> my::afterhours::Perform<
            <() as __p::JobReturn>::Value,
        > {
            Self::prepare().enqueue()
        }
        /// Enqueues a run that is due after a delay.
        pub fn perform_in(
            delay: __p::Duration,
        ) -> my::afterhours::Perform<<() as __p::JobReturn>::Value> {
            Self::prepare().delay(delay).enqueue()
        }
        /// Enqueues a run that is due at a moment.
        pub fn perform_at(
            when: impl ::core::convert::Into<__p::SystemTime>,
        ) -> my::afterhours::Perform<<() as __p::JobReturn>::Value> {
            Self::prepare().at(when).enqueue()
        }
        /// Encodes the arguments of a run, to set its options before it is enqueued.
        pub fn prepare() -> my::afterhours::Prepared<<() as __p::JobReturn>::Value> {
            let mut __encoder = __p::Encoder::new(__JOB.codec);
            (__CODEC.2)(&mut __encoder);
            __p::prepare(&__JOB, __CODEC.0, __encoder)
        }
        /// The handle of a run whose id is known.
        pub fn handle(
            id: my::afterhours::RunId,
        ) -> my::afterhours::Handle<<() as __p::JobReturn>::Value> {
            __p::handle(&__JOB, id)
        }
    }
};
