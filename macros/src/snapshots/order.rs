#[cfg(feature = "orders")]
impl Order {
    const LIMIT: u8 = 3;
    /// Confirms one order.
    pub async fn confirm(&self, mailer: &Mailer, note: String) -> Result<Self> {
        mailer.confirm(self, note).await
    }
    fn forget(id: u64) {}
    fn total(&self) -> u64 {
        0
    }
}
#[cfg(feature = "orders")]
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
        queue: "mail",
        states: &[__p::StateDef::of::<Mailer>()],
        signature: __p::SignatureDef {
            tokens: 1786849946u32,
            trace: __CODEC.1,
        },
        read: |__decoder| (__CODEC.0)(__decoder).map(::core::mem::drop),
        ..__p::JobDef::new(
            ::core::concat!(::core::module_path!(), "::", "Order::confirm"),
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
        ) -> ::core::result::Result<(Order, String), __p::DecodeError>,
        fn(&mut __p::Tracer),
        fn(&mut __p::Encoder, &&Order, &String),
    ) = (
        |__decoder| ::core::result::Result::Ok((
            __decoder.next::<Order>("self")?,
            __decoder.next::<String>("note")?,
        )),
        |__tracer| {
            __tracer.argument::<Order>();
            __tracer.argument::<String>();
        },
        |__encoder, __self, note| {
            __encoder.push::<Order>("self", __self);
            __encoder.push::<String>("note", note);
        },
    );
    fn __start(
        __call: __p::Call,
    ) -> ::core::result::Result<__p::Attempt, __p::StartError> {
        let (__arg0, __arg2) = __call.decode(__CODEC.0)?;
        let __arg1 = __call.state::<Mailer>()?;
        ::core::result::Result::Ok(
            __p::Attempt::future(async move {
                <Result<
                    Order,
                > as __p::JobReturn>::outcome(
                    <Order>::confirm(&__arg0, &*__arg1, __arg2).await,
                )
            }),
        )
    }
    #[automatically_derived]
    impl Order {
        /// The job [`confirm`](Self::confirm), for the builder of a worker.
        pub const CONFIRM_JOB: ::afterhours::Job = __p::job(&__JOB);
        /// Encodes the arguments of a run of [`confirm`](Self::confirm), to be enqueued as it is or with options.
        pub fn confirm_job(
            &self,
            note: impl ::core::convert::Into<String>,
        ) -> ::afterhours::Prepared<<Result<Order> as __p::JobReturn>::Value> {
            let __self = self;
            let note: String = ::core::convert::Into::into(note);
            let mut __encoder = __p::Encoder::new(__JOB.codec);
            (__CODEC.2)(&mut __encoder, &__self, &note);
            __p::prepare(&__JOB, __CODEC.0, __encoder)
        }
        /// The handle of a run of [`confirm`](Self::confirm) whose id is known.
        pub fn confirm_handle(
            id: ::afterhours::RunId,
        ) -> ::afterhours::Handle<<Result<Order> as __p::JobReturn>::Value> {
            __p::handle(&__JOB, id)
        }
    }
};
#[cfg(feature = "orders")]
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
        states: &[],
        signature: __p::SignatureDef {
            tokens: 2449126073u32,
            trace: __CODEC.1,
        },
        read: |__decoder| (__CODEC.0)(__decoder).map(::core::mem::drop),
        ..__p::JobDef::new(
            ::core::concat!(::core::module_path!(), "::", "Order::forget"),
            ::core::file!(),
            ::core::line!(),
            __start,
        )
    };
    __p::inventory::submit! {
        __p::Registered(& __JOB)
    }
    const __CODEC: (
        fn(&mut __p::Decoder<'_>) -> ::core::result::Result<(u64,), __p::DecodeError>,
        fn(&mut __p::Tracer),
        fn(&mut __p::Encoder, &u64),
    ) = (
        |__decoder| ::core::result::Result::Ok((__decoder.next::<u64>("id")?,)),
        |__tracer| {
            __tracer.argument::<u64>();
        },
        |__encoder, id| {
            __encoder.push::<u64>("id", id);
        },
    );
    fn __start(
        __call: __p::Call,
    ) -> ::core::result::Result<__p::Attempt, __p::StartError> {
        let (__arg0,) = __call.decode(__CODEC.0)?;
        ::core::result::Result::Ok(
            __p::Attempt::blocking(move || <() as __p::JobReturn>::outcome(
                <Order>::forget(__arg0),
            )),
        )
    }
    #[automatically_derived]
    impl Order {
        /// The job [`forget`](Self::forget), for the builder of a worker.
        const FORGET_JOB: ::afterhours::Job = __p::job(&__JOB);
        /// Encodes the arguments of a run of [`forget`](Self::forget), to be enqueued as it is or with options.
        fn forget_job(id: u64) -> ::afterhours::Prepared<<() as __p::JobReturn>::Value> {
            let mut __encoder = __p::Encoder::new(__JOB.codec);
            (__CODEC.2)(&mut __encoder, &id);
            __p::prepare(&__JOB, __CODEC.0, __encoder)
        }
        /// The handle of a run of [`forget`](Self::forget) whose id is known.
        fn forget_handle(
            id: ::afterhours::RunId,
        ) -> ::afterhours::Handle<<() as __p::JobReturn>::Value> {
            __p::handle(&__JOB, id)
        }
    }
};
