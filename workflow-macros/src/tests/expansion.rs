//! What the macros emit.

use crate::name::Kind;
use crate::{event, part, step, workflow};
use expect_test::{Expect, expect};
use proc_macro2::TokenStream;
use quote::quote;

fn check(tokens: TokenStream, expected: &Expect) {
    let file = syn::parse2(tokens).expect("what is emitted is Rust");
    expected.assert_eq(&prettyplease::unparse(&file));
}

fn check_expr(tokens: &TokenStream, expected: &Expect) {
    check(quote!(const _: () = { #tokens };), expected);
}

#[test]
fn a_workflow_is_a_fn_a_type_and_a_registration() {
    let item = quote! {
        /// Greets.
        pub async fn greet(name: String, #[default] times: u32, #[resource] mail: &Mail) -> Result<u32, Failed> {
            step!("send", mail.send(&name)).await?;
            sleep(30s).await;
            Ok(times)
        }
    };
    check(
        workflow::expand(quote!(version = 2, queue = "slow"), item),
        &expect![[r#"
            /// Greets.
            #[allow(
                dead_code,
                unused_variables,
                clippy::needless_pass_by_value,
                clippy::too_many_arguments
            )]
            #[inline]
            #[track_caller]
            pub fn greet(
                name: String,
                times: u32,
                mail: &Mail,
            ) -> ::workflow::__private::Child<greet> {
                ::workflow::__private::child::<greet>(greet::__encode(&name, &times))
            }
            /// Greets.
            #[allow(non_camel_case_types)]
            #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
            pub struct greet {}
            #[allow(deprecated)]
            const _: () = {
                const __INPUT_0: ::workflow::__private::Input<String> = ::workflow::__private::input::<
                    String,
                >("name");
                const __INPUT_1: ::workflow::__private::Input<u32> = ::workflow::__private::input::<
                    u32,
                >("times");
                #[allow(clippy::too_many_arguments)]
                impl greet {
                    /// The name under which instances are recorded.
                    pub const NAME: &'static str = <Self as ::workflow::__private::Definition>::NAME;
                    /// The major version; an instance runs only on the version that started it.
                    pub const VERSION: u32 = <Self as ::workflow::__private::Definition>::VERSION;
                    /// The durable operations of the source, as a Mermaid flowchart.
                    pub const GRAPH: &'static str = <Self as ::workflow::__private::Definition>::GRAPH;
                    /// Starts an instance with these inputs, once awaited.
                    #[inline]
                    pub fn create(
                        engine: &::workflow::Engine,
                        name: String,
                        times: u32,
                    ) -> ::workflow::__private::Create<Self> {
                        ::workflow::__private::create::<Self>(engine, Self::__encode(&name, &times))
                    }
                    /// An instance to be started by `create_batch`.
                    #[inline]
                    pub fn new(name: String, times: u32) -> ::workflow::__private::New<Self> {
                        ::workflow::__private::new_instance::<Self>(Self::__encode(&name, &times))
                    }
                    /// Starts up to 1,000 instances at once, once awaited.
                    pub fn create_batch(
                        engine: &::workflow::Engine,
                        items: impl ::core::iter::IntoIterator<
                            Item = ::workflow::__private::New<Self>,
                        >,
                    ) -> ::workflow::__private::CreateBatch<Self> {
                        ::workflow::__private::create_batch::<Self>(engine, items)
                    }
                    /// Finds the instance with this id, once awaited.
                    pub fn get(
                        engine: &::workflow::Engine,
                        id: impl ::core::convert::Into<::std::string::String>,
                    ) -> ::workflow::__private::Get<Self> {
                        ::workflow::__private::get::<Self>(engine, id)
                    }
                    /// A run in memory and in virtual time, for unit tests.
                    #[inline]
                    pub fn test(name: String, times: u32) -> ::workflow::__private::Test<Self> {
                        ::workflow::__private::test::<Self>(Self::__encode(&name, &times))
                    }
                    #[inline]
                    fn __encode(name: &String, times: &u32) -> ::workflow::__private::EncodedInputs {
                        let mut inputs = ::workflow::__private::EncodedInputs::new();
                        __INPUT_0.encode(name, &mut inputs);
                        __INPUT_1.encode(times, &mut inputs);
                        inputs
                    }
                }
                struct __Workflow;
                impl __Workflow {
                    #[deny(
                        clippy::disallowed_methods,
                        clippy::disallowed_macros,
                        clippy::iter_over_hash_type
                    )]
                    #[allow(clippy::too_many_arguments)]
                    async fn greet(
                        __wf_cx: ::workflow::__private::Ctx,
                        name: String,
                        times: u32,
                        mail: &Mail,
                    ) -> Result<u32, Failed> {
                        let _ = &__wf_cx;
                        #[allow(unused_imports)]
                        use ::workflow::__private::AnyOrder as _;
                        #[allow(unused_imports)]
                        use ::workflow::__private::AnyPlace as _;
                        #[allow(unused_imports)]
                        use ::workflow::__private::Fallback as _;
                        #[allow(unused_imports)]
                        use ::workflow::__private::FallbackAll as _;
                        #[allow(unused_imports)]
                        use ::workflow::__private::NoFuture as _;
                        ::workflow::__private::Probe(
                                ::workflow::__private::durable(
                                    step!(@ (__wf_cx) "send", mail.send(& name)),
                                ),
                            )
                            .drive(&__wf_cx)
                            .await?;
                        ::workflow::__private::Probe(
                                ::workflow::__private::durable(
                                    sleep(::core::time::Duration::from_millis(30000u64)),
                                ),
                            )
                            .drive(&__wf_cx)
                            .await;
                        Ok(times)
                    }
                }
                impl ::workflow::__private::Definition for greet {
                    const NAME: &'static str = "greet";
                    const VERSION: u32 = 2u32;
                    const QUEUE: &'static str = "slow";
                    const GRAPH: &'static str = "flowchart TD\n  n0((\"start\"))\n  n1[\"send\"]\n  n0 --> n1\n  n2([\"sleep 30s\"])\n  n1 --> n2\n  n3((\"end\"))\n  n2 --> n3\n";
                    type Output = u32;
                    type Error = Failed;
                    fn registration() -> &'static ::workflow::__private::Registration {
                        &__REGISTRATION
                    }
                }
                static __REGISTRATION: ::workflow::__private::Registration = ::workflow::__private::Registration {
                    name: <greet as ::workflow::__private::Definition>::NAME,
                    version: <greet as ::workflow::__private::Definition>::VERSION,
                    queue: <greet as ::workflow::__private::Definition>::QUEUE,
                    graph: <greet as ::workflow::__private::Definition>::GRAPH,
                    at: ::workflow::__private::Location {
                        file: ::core::file!(),
                        line: ::core::line!(),
                        column: ::core::column!(),
                    },
                    resources: || ::std::vec![::workflow::__private::ResourceKey::of:: < Mail > ()],
                    start: |start| {
                        let ::workflow::__private::Start { cx, mut inputs, resources } = start;
                        let value_0 = __INPUT_0.decode(&mut inputs)?;
                        let value_1 = __INPUT_1
                            .decode_or(&mut inputs, || ::core::default::Default::default())?;
                        let value_2 = resources.get::<Mail>()?;
                        ::core::result::Result::Ok(
                            ::workflow::__private::run_future(async move {
                                ::workflow::__private::ended_result::<
                                    greet,
                                >(
                                    __Workflow::greet(cx, value_0, value_1, &*value_2).await,
                                    |error| {
                                        #[allow(unused_imports)]
                                        use ::workflow::__private::NoWords as _;
                                        ::workflow::__private::Words(error).words()
                                    },
                                )
                            }),
                        )
                    },
                };
                ::workflow::__private::inventory::submit! {
                    ::workflow::__private::Registered(& __REGISTRATION)
                }
            };
        "#]],
    );
}

#[test]
fn a_part_is_a_boxed_operation() {
    let item = quote! {
        pub async fn settle(&self, order: &Order) -> Result<u32, StepError> {
            helper(order).await
        }
    };
    check(
        part::expand(quote!(crate = crate::flow), item),
        &expect![[r##"
            #[deny(
                clippy::disallowed_methods,
                clippy::disallowed_macros,
                clippy::iter_over_hash_type
            )]
            #[allow(
                clippy::double_must_use,
                clippy::elidable_lifetime_names,
                clippy::multiple_bound_locations,
                clippy::type_repetition_in_bounds,
            )]
            pub fn settle<'wf0, 'wf1, 'wf>(
                &'wf0 self,
                order: &'wf1 Order,
            ) -> crate::flow::__private::Part<'wf, Result<u32, StepError>>
            where
                'wf0: 'wf,
                'wf1: 'wf,
                Self: 'wf,
            {
                crate::flow::__private::part(
                    "settle",
                    crate::flow::__private::Location {
                        file: ::core::file!(),
                        line: ::core::line!(),
                        column: ::core::column!(),
                    },
                    move |__wf_cx: crate::flow::__private::Ctx| async move {
                        let _ = &__wf_cx;
                        if let ::core::option::Option::Some(result) = ::core::option::Option::None::<
                            Result<u32, StepError>,
                        > {
                            return result;
                        }
                        #[allow(clippy::diverging_sub_expression)]
                        let result: Result<u32, StepError> = {
                            #[allow(unused_imports)]
                            use crate::flow::__private::AnyOrder as _;
                            #[allow(unused_imports)]
                            use crate::flow::__private::AnyPlace as _;
                            #[allow(unused_imports)]
                            use crate::flow::__private::Fallback as _;
                            #[allow(unused_imports)]
                            use crate::flow::__private::FallbackAll as _;
                            #[allow(unused_imports)]
                            use crate::flow::__private::NoFuture as _;
                            crate::flow::__private::Probe(
                                    crate::flow::__private::durable(helper(order)),
                                )
                                .drive(&__wf_cx)
                                .await
                        };
                        #[allow(unreachable_code)] result
                    },
                )
            }
        "##]],
    );
}

#[test]
fn a_step_is_one_call() {
    let tokens =
        quote!(@(__wf_cx) "reserve", key = item.sku, retries = 3, delay = 2s, backoff = linear, shop.reserve(item));
    check_expr(
        &step::expand(Kind::Step, tokens),
        &expect![[r#"
            const _: () = {
                ::workflow::__private::step(
                        "reserve",
                        ::workflow::__private::Location {
                            file: ::core::file!(),
                            line: ::core::line!(),
                            column: ::core::column!(),
                        },
                        || {
                            #[allow(
                                clippy::disallowed_methods,
                                clippy::disallowed_macros,
                                clippy::iter_over_hash_type
                            )] { shop.reserve(item) }
                        },
                    )
                    .key(&item.sku)
                    .retries(3)
                    .delay(::core::time::Duration::from_millis(2000u64))
                    .backoff(::workflow::__private::Backoff::Linear)
            };
        "#]],
    );
}

#[test]
fn a_block_has_boxed_errors() {
    let tokens = quote!(@(__wf_cx, flow) "pay", |cx| { bank.pay(cx.idempotency_key()).await?; Ok(()) });
    check_expr(
        &step::expand(Kind::Step, tokens),
        &expect![[r#"
            const _: () = {
                flow::__private::step_with_context(
                    "pay",
                    flow::__private::Location {
                        file: ::core::file!(),
                        line: ::core::line!(),
                        column: ::core::column!(),
                    },
                    |handed: flow::__private::StepContext| async {
                        let cx = ::core::convert::identity::<flow::__private::StepContext>(handed);
                        if let ::core::option::Option::Some(result) = ::core::option::Option::None::<
                            ::core::result::Result<_, flow::__private::BlockError>,
                        > {
                            return result;
                        }
                        #[allow(
                            clippy::disallowed_methods,
                            clippy::disallowed_macros,
                            clippy::iter_over_hash_type
                        )]
                        #[allow(clippy::diverging_sub_expression)]
                        let result: ::core::result::Result<_, flow::__private::BlockError> = {
                            bank.pay(cx.idempotency_key()).await?;
                            Ok(())
                        };
                        #[allow(unreachable_code)] result
                    },
                )
            };
        "#]],
    );
}

#[test]
fn a_step_made_in_a_closure_takes_its_variables_along() {
    let tokens = quote!(@(__wf_cx; id, sku) "reserve", key = id, shop.reserve(id, &sku));
    check_expr(
        &step::expand(Kind::Step, tokens),
        &expect![[r#"
            const _: () = {
                ::workflow::__private::step_with_context(
                        "reserve",
                        ::workflow::__private::Location {
                            file: ::core::file!(),
                            line: ::core::line!(),
                            column: ::core::column!(),
                        },
                        ::workflow::__private::holding(
                            (::workflow::__private::owned(id), ::workflow::__private::owned(sku)),
                            |handed: ::workflow::__private::StepContext, kept| async {
                                #[allow(unused_variables)]
                                let (
                                    ::workflow::__private::Kept { value: id, .. },
                                    ::workflow::__private::Kept { value: sku, .. },
                                ) = ::core::convert::identity(kept);
                                let _ = ::core::convert::identity::<
                                    ::workflow::__private::StepContext,
                                >(handed);
                                #[allow(
                                    clippy::disallowed_methods,
                                    clippy::disallowed_macros,
                                    clippy::iter_over_hash_type
                                )]
                                {
                                    ::core::future::IntoFuture::into_future(shop.reserve(id, &sku))
                                        .await
                                }
                            },
                        ),
                    )
                    .key(&id)
            };
        "#]],
    );
}

#[test]
fn a_group_has_a_context_of_its_own() {
    let tokens = quote!(@(__wf_cx) "pay", timeout = 1m, { hold().await?; Ok(()) });
    check_expr(
        &step::expand(Kind::Group, tokens),
        &expect![[r#"
            const _: () = {
                ::workflow::__private::group(
                        "pay",
                        ::workflow::__private::Location {
                            file: ::core::file!(),
                            line: ::core::line!(),
                            column: ::core::column!(),
                        },
                        |handed: ::workflow::__private::Ctx| async {
                            let __wf_cx = ::core::convert::identity::<
                                ::workflow::__private::Ctx,
                            >(handed);
                            if let ::core::option::Option::Some(result) = ::core::option::Option::None::<
                                ::core::result::Result<_, ::workflow::__private::BlockError>,
                            > {
                                return result;
                            }
                            #[allow(clippy::diverging_sub_expression)]
                            let result: ::core::result::Result<
                                _,
                                ::workflow::__private::BlockError,
                            > = {
                                hold().await?;
                                Ok(())
                            };
                            #[allow(unreachable_code)] result
                        },
                    )
                    .timeout(::core::time::Duration::from_millis(60000u64))
            };
        "#]],
    );
}

#[test]
fn a_race_is_a_match_over_the_winner() {
    let item = quote! {
        async fn first() -> u32 {
            race! { n = one() => n, _ = sleep("2 seconds") => return 2 }.await
        }
    };
    check(
        part::expand(quote!(), item),
        &expect![[r##"
            #[deny(
                clippy::disallowed_methods,
                clippy::disallowed_macros,
                clippy::iter_over_hash_type
            )]
            #[allow(
                clippy::double_must_use,
                clippy::elidable_lifetime_names,
                clippy::multiple_bound_locations,
                clippy::type_repetition_in_bounds,
            )]
            fn first() -> ::workflow::__private::Part<'static, u32> {
                ::workflow::__private::part(
                    "first",
                    ::workflow::__private::Location {
                        file: ::core::file!(),
                        line: ::core::line!(),
                        column: ::core::column!(),
                    },
                    move |__wf_cx: ::workflow::__private::Ctx| async move {
                        let _ = &__wf_cx;
                        if let ::core::option::Option::Some(result) = ::core::option::Option::None::<
                            u32,
                        > {
                            return result;
                        }
                        #[allow(clippy::diverging_sub_expression)]
                        let result: u32 = {
                            #[allow(unused_imports)]
                            use ::workflow::__private::AnyOrder as _;
                            #[allow(unused_imports)]
                            use ::workflow::__private::AnyPlace as _;
                            #[allow(unused_imports)]
                            use ::workflow::__private::Fallback as _;
                            #[allow(unused_imports)]
                            use ::workflow::__private::FallbackAll as _;
                            #[allow(unused_imports)]
                            use ::workflow::__private::NoFuture as _;
                            race! {
                                @ (__wf_cx) n = one() => n, _ =
                                sleep(::core::time::Duration::from_millis(2000u64)) => return 2,
                            }
                        };
                        #[allow(unreachable_code)] result
                    },
                )
            }
        "##]],
    );
}

#[test]
fn move_blocks_and_closures_take_a_context_along() {
    let item = quote! {
        async fn all(ids: Vec<u32>) {
            join_all(ids.into_iter().map(move |id| async move { get(id).await })).await;
        }
    };
    check(
        part::expand(quote!(), item),
        &expect![[r##"
            #[deny(
                clippy::disallowed_methods,
                clippy::disallowed_macros,
                clippy::iter_over_hash_type
            )]
            #[allow(
                clippy::double_must_use,
                clippy::elidable_lifetime_names,
                clippy::multiple_bound_locations,
                clippy::type_repetition_in_bounds,
            )]
            fn all(ids: Vec<u32>) -> ::workflow::__private::Part<'static, ()> {
                ::workflow::__private::part(
                    "all",
                    ::workflow::__private::Location {
                        file: ::core::file!(),
                        line: ::core::line!(),
                        column: ::core::column!(),
                    },
                    move |__wf_cx: ::workflow::__private::Ctx| async move {
                        let _ = &__wf_cx;
                        if let ::core::option::Option::Some(result) = ::core::option::Option::None::<
                            (),
                        > {
                            return result;
                        }
                        #[allow(clippy::diverging_sub_expression)]
                        let result: () = {
                            #[allow(unused_imports)]
                            use ::workflow::__private::AnyOrder as _;
                            #[allow(unused_imports)]
                            use ::workflow::__private::AnyPlace as _;
                            #[allow(unused_imports)]
                            use ::workflow::__private::Fallback as _;
                            #[allow(unused_imports)]
                            use ::workflow::__private::FallbackAll as _;
                            #[allow(unused_imports)]
                            use ::workflow::__private::NoFuture as _;
                            ::workflow::__private::Probe(
                                    ::workflow::__private::durable(
                                        ({
                                            let _ = || {
                                                let _ = join_all([
                                                    ::workflow::__private::UseTheOneOfTheWorkflowPrelude,
                                                ]);
                                            };
                                            ::workflow::join_all
                                        })(
                                            ::workflow::__private::Probe(
                                                    ::workflow::__private::durable_all(
                                                        ::workflow::__private::Probe(ids.into_iter())
                                                            .ordered()
                                                            .map({
                                                                let __wf_cx = ::core::clone::Clone::clone(&__wf_cx);
                                                                move |id| ::workflow::__private::Block({
                                                                    let __wf_cx = ::core::clone::Clone::clone(&__wf_cx);
                                                                    async move {
                                                                        ::workflow::__private::Probe(
                                                                                ::workflow::__private::durable(get(id)),
                                                                            )
                                                                            .drive(&__wf_cx)
                                                                            .await
                                                                    }
                                                                })
                                                            }),
                                                    ),
                                                )
                                                .operands(),
                                        ),
                                    ),
                                )
                                .drive(&__wf_cx)
                                .await;
                        };
                        #[allow(unreachable_code)] result
                    },
                )
            }
        "##]],
    );
}

#[test]
fn an_event_has_a_type() {
    check(
        event::derive(quote!(
            #[event(name = "stripe.payment")]
            struct Paid {
                amount: u64,
            }
        )),
        &expect![[r#"
        const _: () = {
            impl ::workflow::Event for Paid {
                const TYPE: &'static str = "stripe.payment";
            }
        };
    "#]],
    );
}
