/// Mails one user.
pub async fn send_email(
    mailer: &Mailer,
    ctx: &Context,
    user_id: u64,
    template: &str,
    name: String,
    note: Option<&str>,
    order: &Order,
) -> Result<Receipt> {
    mailer.send(user_id, template).await
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
pub enum send_email {}
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
        timeout: ::core::option::Option::Some(__p::Duration::from_millis(30000u64)),
        retry: 5u32,
        retry_delay: __p::Duration::from_millis(10000u64),
        backoff: __p::Backoff::Exponential,
        states: &[__p::StateDef::of::<Mailer>()],
        signature: __p::SignatureDef {
            tokens: 1946273120u32,
            trace: __CODEC.1,
        },
        read: |__decoder| (__CODEC.0)(__decoder).map(::core::mem::drop),
        ..__p::JobDef::new(send_email::NAME, ::core::file!(), ::core::line!(), __start)
    };
    __p::inventory::submit! {
        __p::Registered(& __JOB)
    }
    const __CODEC: (
        fn(
            &mut __p::Decoder<'_>,
        ) -> ::core::result::Result<
            (
                u64,
                ::std::string::String,
                String,
                ::core::option::Option<::std::string::String>,
                Order,
            ),
            __p::DecodeError,
        >,
        fn(&mut __p::Tracer),
        fn(&mut __p::Encoder, &u64, &&str, &String, &Option<&str>, &&Order),
    ) = (
        |__decoder| ::core::result::Result::Ok((
            __decoder.next::<u64>("user_id")?,
            __decoder.next::<::std::string::String>("template")?,
            __decoder.next::<String>("name")?,
            __decoder.next::<::core::option::Option<::std::string::String>>("note")?,
            __decoder.next::<Order>("order")?,
        )),
        |__tracer| {
            __tracer.argument::<u64>();
            __tracer.argument::<::std::string::String>();
            __tracer.argument::<String>();
            __tracer.argument::<::core::option::Option<::std::string::String>>();
            __tracer.argument::<Order>();
        },
        |__encoder, user_id, template, name, note, order| {
            __encoder.push::<u64>("user_id", user_id);
            __encoder.push::<str>("template", template);
            __encoder.push::<String>("name", name);
            __encoder.push::<Option<&str>>("note", note);
            __encoder.push::<Order>("order", order);
        },
    );
    fn __start(
        __call: __p::Call,
    ) -> ::core::result::Result<__p::Attempt, __p::StartError> {
        let (__arg2, __arg3, __arg4, __arg5, __arg6) = __call.decode(__CODEC.0)?;
        let __arg0 = __call.state::<Mailer>()?;
        let __arg1 = __call.context::<Context>();
        ::core::result::Result::Ok(
            __p::Attempt::future(async move {
                <Result<
                    Receipt,
                > as __p::JobReturn>::outcome(
                    send_email(
                            &*__arg0,
                            &__arg1,
                            __arg2,
                            &__arg3,
                            __arg4,
                            ::core::option::Option::as_deref(&__arg5),
                            &__arg6,
                        )
                        .await,
                )
            }),
        )
    }
    #[automatically_derived]
    impl send_email {
        /// The name under which runs are stored.
        pub const NAME: &'static ::core::primitive::str = ::core::concat!(
            ::core::module_path!(), "::", "send_email"
        );
        /// The job itself, for the builder of a worker.
        pub const JOB: ::afterhours::Job = __p::job(&__JOB);
        /// Enqueues a run that is due now.
        pub fn perform_async(
            user_id: u64,
            template: &str,
            name: impl ::core::convert::Into<String>,
            note: Option<&str>,
            order: &Order,
        ) -> ::afterhours::Perform<<Result<Receipt> as __p::JobReturn>::Value> {
            Self::prepare(user_id, template, name, note, order).enqueue()
        }
        /// Enqueues a run that is due after a delay.
        pub fn perform_in(
            delay: __p::Duration,
            user_id: u64,
            template: &str,
            name: impl ::core::convert::Into<String>,
            note: Option<&str>,
            order: &Order,
        ) -> ::afterhours::Perform<<Result<Receipt> as __p::JobReturn>::Value> {
            Self::prepare(user_id, template, name, note, order).delay(delay).enqueue()
        }
        /// Enqueues a run that is due at a moment.
        pub fn perform_at(
            when: impl ::core::convert::Into<__p::SystemTime>,
            user_id: u64,
            template: &str,
            name: impl ::core::convert::Into<String>,
            note: Option<&str>,
            order: &Order,
        ) -> ::afterhours::Perform<<Result<Receipt> as __p::JobReturn>::Value> {
            Self::prepare(user_id, template, name, note, order).at(when).enqueue()
        }
        /// Encodes the arguments of a run, to set its options before it is enqueued.
        pub fn prepare(
            user_id: u64,
            template: &str,
            name: impl ::core::convert::Into<String>,
            note: Option<&str>,
            order: &Order,
        ) -> ::afterhours::Prepared<<Result<Receipt> as __p::JobReturn>::Value> {
            let name: String = ::core::convert::Into::into(name);
            let mut __encoder = __p::Encoder::new(__JOB.codec);
            (__CODEC.2)(&mut __encoder, &user_id, &template, &name, &note, &order);
            __p::prepare(&__JOB, __CODEC.0, __encoder)
        }
        /// The handle of a run whose id is known.
        pub fn handle(
            id: ::afterhours::RunId,
        ) -> ::afterhours::Handle<<Result<Receipt> as __p::JobReturn>::Value> {
            __p::handle(&__JOB, id)
        }
    }
};
