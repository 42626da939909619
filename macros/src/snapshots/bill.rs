async fn bill() {}
/// The job of [`bill()`]: `perform_async`, `perform_in`, `perform_at` and `prepare` enqueue it, `handle` finds a run again.
#[allow(
    dead_code,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    clippy::exhaustive_enums,
    clippy::pedantic
)]
enum bill {}
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
    use ::afterhours::__private as __p;
    static __JOB: __p::JobDef = __p::JobDef {
        unique: ::core::option::Option::Some(__p::UniqueDef::Key("billing")),
        schedule: ::core::option::Option::Some(
            __p::ScheduleDef::Every(__p::Duration::from_millis(3600000u64)),
        ),
        worker: ::core::option::Option::Some(2u32),
        overlap: __p::Overlap::Allow,
        missed: __p::Missed::RunAll,
        missed_limit: ::core::option::Option::Some(24u32),
        missed_window: ::core::option::Option::Some(
            __p::Duration::from_millis(86400000u64),
        ),
        states: &[],
        signature: __p::SignatureDef {
            tokens: 0u32,
            trace: __CODEC.1,
        },
        read: |__decoder| (__CODEC.0)(__decoder).map(::core::mem::drop),
        ..__p::JobDef::scheduled(bill::NAME, ::core::file!(), ::core::line!(), __start)
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
            __p::Attempt::future(async move {
                <() as __p::JobReturn>::outcome(bill().await)
            }),
        )
    }
    #[automatically_derived]
    impl bill {
        /// The name under which runs are stored.
        pub const NAME: &'static ::core::primitive::str = ::core::concat!(
            ::core::module_path!(), "::", "bill"
        );
        /// The job itself, for the builder of a worker.
        pub const JOB: ::afterhours::Job = __p::job(&__JOB);
        /// Enqueues a run that is due now.
        pub fn perform_async() -> ::afterhours::Perform<<() as __p::JobReturn>::Value> {
            Self::prepare().enqueue()
        }
        /// Enqueues a run that is due after a delay.
        pub fn perform_in(
            delay: __p::Duration,
        ) -> ::afterhours::Perform<<() as __p::JobReturn>::Value> {
            Self::prepare().delay(delay).enqueue()
        }
        /// Enqueues a run that is due at a moment.
        pub fn perform_at(
            when: impl ::core::convert::Into<__p::SystemTime>,
        ) -> ::afterhours::Perform<<() as __p::JobReturn>::Value> {
            Self::prepare().at(when).enqueue()
        }
        /// Encodes the arguments of a run, to set its options before it is enqueued.
        pub fn prepare() -> ::afterhours::Prepared<<() as __p::JobReturn>::Value> {
            let mut __encoder = __p::Encoder::new(__JOB.codec);
            (__CODEC.2)(&mut __encoder);
            __p::prepare(&__JOB, __CODEC.0, __encoder)
        }
        /// The handle of a run whose id is known.
        pub fn handle(
            id: ::afterhours::RunId,
        ) -> ::afterhours::Handle<<() as __p::JobReturn>::Value> {
            __p::handle(&__JOB, id)
        }
    }
};
