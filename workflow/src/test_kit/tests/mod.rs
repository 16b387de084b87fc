//! The authoring layer under the test kit: workflows written by hand, as `#[workflow]` would write them.

mod combinators;
mod errors;
mod groups;
mod outside;
mod random_workflows;
mod shuffled;
mod steps;
mod wakes;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A workflow: its inputs, its result, and its body, which has `cx` and `resources`.
macro_rules! flow {
    ($name:ident($($input:ident: $type:ty),*) -> $ok:ty, |$cx:ident, $resources:ident| $body:expr) => {
        #[derive(Debug)]
        struct $name;

        impl $crate::__private::Definition for $name {
            const NAME: &'static str = stringify!($name);
            const VERSION: u32 = 1;
            const QUEUE: &'static str = "default";
            const GRAPH: &'static str = "";
            type Output = $ok;
            type Error = $crate::Error;

            fn registration() -> &'static $crate::__private::Registration {
                use $crate::__private::{Registration, Start, Words, ended_result};
                static REGISTRATION: Registration = Registration {
                    name: stringify!($name),
                    version: 1,
                    queue: "default",
                    graph: "",
                    at: $crate::__private::Location::new(file!(), line!(), column!()),
                    resources: Vec::new,
                    start: |start| {
                        #[allow(unused_mut, unused_variables, reason = "not every workflow has inputs and resources")]
                        let Start { cx: $cx, mut inputs, resources: $resources } = start;
                        $(let $input = $crate::__private::input::<$type>(stringify!($input)).decode(&mut inputs)?;)*
                        Ok(Box::pin(async move {
                            let result: $crate::Result<$ok> = async move { $body }.await;
                            ended_result::<$name>(result, |error| Words(error).words())
                        }))
                    },
                };
                &REGISTRATION
            }
        }

        $crate::__private::inventory::submit! {
            $crate::__private::Registered(&$crate::__private::Registration {
                name: stringify!($name),
                version: 1,
                queue: "default",
                graph: "",
                at: $crate::__private::Location::new(file!(), line!(), column!()),
                resources: Vec::new,
                start: |start| (<$name as $crate::__private::Definition>::registration().start)(start),
            })
        }

        #[allow(dead_code, reason = "not every workflow is both tested and called")]
        impl $name {
            fn inputs($($input: $type),*) -> $crate::__private::EncodedInputs {
                #[allow(unused_mut, reason = "not every workflow has inputs")]
                let mut inputs = $crate::__private::EncodedInputs::new();
                $($crate::__private::input(stringify!($input)).encode(&$input, &mut inputs);)*
                inputs
            }

            fn test($($input: $type),*) -> $crate::test_kit::Test<Self> {
                $crate::test_kit::test(Self::inputs($($input),*))
            }

            fn call($($input: $type),*) -> $crate::__private::Child<Self> {
                $crate::__private::child(Self::inputs($($input),*))
            }
        }
    };
}

/// `operation.await` in a workflow.
macro_rules! go {
    ($cx:expr, $operation:expr) => {
        $crate::__private::Probe($crate::__private::durable($operation)).drive(&$cx).await
    };
}

/// `step!("name", body)`.
macro_rules! step {
    ($name:literal, $body:expr) => {
        $crate::__private::step_with_context(
            $name,
            $crate::__private::Location::new(file!(), line!(), column!()),
            $body,
        )
    };
}

/// `group!("name", { block })`, with the inner context as the closure's argument.
macro_rules! group {
    ($name:literal, |$cx:ident| $block:expr) => {
        $crate::__private::group(
            $name,
            $crate::__private::Location::new(file!(), line!(), column!()),
            |$cx: $crate::__private::Ctx| async {
                let $cx = std::convert::identity::<$crate::__private::Ctx>($cx);
                let result: Result<_, $crate::error::BlockError> = async { $block }.await;
                result
            },
        )
    };
}

use {flow, go, group, step};

/// Counts what bodies do; given to a test as a resource.
#[derive(Debug, Default)]
struct Counter(AtomicUsize);

impl Counter {
    fn up(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Counts up when it is dropped.
struct OnDrop(Arc<Counter>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.up();
    }
}
