fn import_orders(shop: &str, pages: u32) -> Result<u64, Problem> {
    import(shop, pages)
}
/// The job of [`import_orders()`]: `perform_async`, `perform_in`, `perform_at` and `prepare` enqueue it, `handle` finds a run again.
#[allow(
    dead_code,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    clippy::exhaustive_enums,
    clippy::pedantic
)]
enum import_orders {}
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
        concurrency: ::core::option::Option::Some(3u32),
        unique: ::core::option::Option::Some(__p::UniqueDef::Arguments),
        unique_for: ::core::option::Option::Some(__p::Duration::from_millis(3600000u64)),
        keep: ::core::option::Option::Some(__p::Duration::from_millis(0u64)),
        version: 3u32,
        upgrades: true,
        aliases: &["import", "jobs::import"],
        accepts: &[2671514026u32, 1u32],
        codec: __p::Codec::Json,
        states: &[],
        signature: __p::SignatureDef {
            tokens: 4246420122u32,
            trace: __CODEC.1,
        },
        read: |__decoder| (__CODEC.0)(__decoder).map(::core::mem::drop),
        ..__p::JobDef::new(
            import_orders::NAME,
            ::core::file!(),
            ::core::line!(),
            __start,
        )
    };
    __p::inventory::submit! {
        __p::Registered(& __JOB)
    }
    const __CODEC: (
        fn(
            &mut __p::Decoder<'_>,
        ) -> ::core::result::Result<(::std::string::String, u32), __p::DecodeError>,
        fn(&mut __p::Tracer),
        fn(&mut __p::Encoder, &&str, &u32),
    ) = (
        |__decoder| ::core::result::Result::Ok((
            __decoder.next::<::std::string::String>("shop")?,
            __decoder.next::<u32>("pages")?,
        )),
        |__tracer| {
            __tracer.argument::<::std::string::String>();
            __tracer.argument::<u32>();
        },
        |__encoder, shop, pages| {
            __encoder.push::<str>("shop", shop);
            __encoder.push::<u32>("pages", pages);
        },
    );
    fn __start(
        __call: __p::Call,
    ) -> ::core::result::Result<__p::Attempt, __p::StartError> {
        let (__arg0, __arg1) = __call
            .decode_or_upgrade(
                __CODEC.0,
                |__old| older::import_orders(__old).map_err(::core::convert::Into::into),
            )?;
        ::core::result::Result::Ok(
            __p::Attempt::blocking(move || <Result<
                u64,
                Problem,
            > as __p::JobReturn>::outcome(import_orders(&__arg0, __arg1))),
        )
    }
    #[automatically_derived]
    impl import_orders {
        /// The name under which runs are stored.
        pub const NAME: &'static ::core::primitive::str = "orders.import";
        /// The job itself, for the builder of a worker.
        pub const JOB: ::afterhours::Job = __p::job(&__JOB);
        /// Enqueues a run that is due now.
        pub fn perform_async(
            shop: &str,
            pages: u32,
        ) -> ::afterhours::Perform<<Result<u64, Problem> as __p::JobReturn>::Value> {
            Self::prepare(shop, pages).enqueue()
        }
        /// Enqueues a run that is due after a delay.
        pub fn perform_in(
            delay: __p::Duration,
            shop: &str,
            pages: u32,
        ) -> ::afterhours::Perform<<Result<u64, Problem> as __p::JobReturn>::Value> {
            Self::prepare(shop, pages).delay(delay).enqueue()
        }
        /// Enqueues a run that is due at a moment.
        pub fn perform_at(
            when: impl ::core::convert::Into<__p::SystemTime>,
            shop: &str,
            pages: u32,
        ) -> ::afterhours::Perform<<Result<u64, Problem> as __p::JobReturn>::Value> {
            Self::prepare(shop, pages).at(when).enqueue()
        }
        /// Encodes the arguments of a run, to set its options before it is enqueued.
        pub fn prepare(
            shop: &str,
            pages: u32,
        ) -> ::afterhours::Prepared<<Result<u64, Problem> as __p::JobReturn>::Value> {
            let mut __encoder = __p::Encoder::new(__JOB.codec);
            (__CODEC.2)(&mut __encoder, &shop, &pages);
            __p::prepare(&__JOB, __CODEC.0, __encoder)
        }
        /// The handle of a run whose id is known.
        pub fn handle(
            id: ::afterhours::RunId,
        ) -> ::afterhours::Handle<<Result<u64, Problem> as __p::JobReturn>::Value> {
            __p::handle(&__JOB, id)
        }
    }
};
