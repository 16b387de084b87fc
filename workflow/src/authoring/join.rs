//! Joins: several durable operations at once, until all have ended (or one has failed).

use std::fmt;
use std::future::Future;

use super::branches::{Branch, Branches, Turn};
use super::context::Ctx;
use super::durable::Durable;

/// Several operations at once; gives all their outputs.
#[must_use = "does nothing until it is awaited, joined or raced"]
pub struct Join<T>(T);

/// Several operations at once; gives all their values, or the first error.
#[must_use = "does nothing until it is awaited, joined or raced"]
pub struct TryJoin<T>(T);

/// What `join!` expands to: a tuple of one to sixteen durable operations.
pub const fn join<T>(operations: T) -> Join<T>
where
    Join<T>: Durable,
{
    Join(operations)
}

/// What `try_join!` expands to: a tuple of one to sixteen durable operations that give results of one error type.
pub const fn try_join<T: Tried>(operations: T) -> TryJoin<T> {
    TryJoin(operations)
}

/// A tuple of operations that give results of one error type.
#[diagnostic::on_unimplemented(
    message = "the operations of a `try_join!` give results of one error type, and these do not",
    label = "not all of these give a `Result` with the same error",
    note = "`sleep` and a wait without a timeout give no `Result`, and one with a timeout fails with `TimedOut`: join them by `join!`",
    note = "or bring an operation to the error of the others: `async {{ Ok(operation.await?) }}`"
)]
pub trait Tried {
    /// All values, or the first error.
    type Output: Send;

    /// See [`Durable::run`].
    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send;
}

#[diagnostic::do_not_recommend]
impl<T: Tried> Durable for TryJoin<T> {
    type Output = T::Output;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        self.0.run(cx)
    }
}

/// Any number of operations at once, up to 10,000 open in one run; gives their outputs in order.
pub fn join_all<I: IntoIterator<Item: Durable>>(operations: I) -> JoinAll<I::Item> {
    JoinAll(operations.into_iter().collect())
}

/// As [`join_all`] for operations that give results: all their values, or the error that came first. Then the others
/// are dropped, and nothing of them is left behind.
pub fn try_join_all<I, T, E>(operations: I) -> TryJoinAll<I::Item>
where
    I: IntoIterator<Item: Durable<Output = Result<T, E>>>,
{
    TryJoinAll(operations.into_iter().collect())
}

/// See [`join_all`].
#[must_use = "does nothing until it is awaited, joined or raced"]
pub struct JoinAll<D>(Vec<D>);

/// See [`try_join_all`].
#[must_use = "does nothing until it is awaited, joined or raced"]
pub struct TryJoinAll<D>(Vec<D>);

#[diagnostic::do_not_recommend]
impl<D: Durable> Durable for JoinAll<D> {
    type Output = Vec<D::Output>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let mut all: Vec<_> = self.0.into_iter().map(|operation| Branch::new(operation.run(cx.clone()))).collect();
        async move {
            Branches::new(all.len()).all(|index, task| all[index].poll(task)).await;
            all.iter_mut().map(Branch::take).collect()
        }
    }
}

#[diagnostic::do_not_recommend]
impl<D: Durable<Output = Result<T, E>>, T: Send, E: Send> Durable for TryJoinAll<D> {
    type Output = Result<Vec<T>, E>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let mut all: Vec<_> = self.0.into_iter().map(|operation| Branch::new(operation.run(cx.clone()))).collect();
        async move {
            Branches::new(all.len()).drive(|index, task| try_turn(&mut all[index], task)).await;
            // Read in written order, but only one can have failed: the first that did ended the join.
            let failed = all.iter().position(|branch| matches!(branch.output(), Some(Err(_))));
            match failed {
                Some(index) => all[index].take().map(|_| Vec::new()),
                None => all.iter_mut().map(Branch::take).collect(),
            }
        }
    }
}

/// A branch whose error ends the join.
fn try_turn<F: Future<Output = Result<T, E>>, T, E>(branch: &mut Branch<F>, task: &mut std::task::Context<'_>) -> Turn {
    if branch.poll(task).is_pending() {
        return Turn::Pending;
    }
    if matches!(branch.output(), Some(Err(_))) { Turn::Last } else { Turn::Ended }
}

macro_rules! tuples {
    ($($index:tt $name:ident $value:ident),+) => {
        #[diagnostic::do_not_recommend]
        impl<$($name: Durable),+> Durable for Join<($($name,)+)> {
            type Output = ($($name::Output,)+);

            fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
                let mut all = ($(Branch::new(self.0.$index.run(cx.clone())),)+);
                async move {
                    const COUNT: usize = [$($index),+].len();
                    let poll = |index: usize, task: &mut std::task::Context<'_>| match index {
                        $($index => all.$index.poll(task),)+
                        _ => unreachable!("a join polls the branches it has"),
                    };
                    Branches::new(COUNT).all(poll).await;
                    ($(all.$index.take(),)+)
                }
            }
        }

        #[diagnostic::do_not_recommend]
        #[expect(non_camel_case_types, reason = "one name serves as the type and the value")]
        impl<Fault: Send, $($value: Send,)+ $($name: Durable<Output = Result<$value, Fault>>),+> Tried
            for ($($name,)+)
        {
            type Output = Result<($($value,)+), Fault>;

            fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
                let mut all = ($(Branch::new(self.$index.run(cx.clone())),)+);
                async move {
                    const COUNT: usize = [$($index),+].len();
                    let poll = |index: usize, task: &mut std::task::Context<'_>| match index {
                        $($index => try_turn(&mut all.$index, task),)+
                        _ => unreachable!("a join polls the branches it has"),
                    };
                    Branches::new(COUNT).drive(poll).await;
                    $(if let Some(Err(_)) = all.$index.output() && let Err(fault) = all.$index.take() {
                        return Err(fault);
                    })+
                    Ok(($(all.$index.take()?,)+))
                }
            }
        }
    };
}

macro_rules! all_tuples {
    ([$($done:tt)*]) => {};
    ([] $index:tt $name:ident $value:ident $($rest:tt)*) => {
        tuples!($index $name $value);
        all_tuples!([$index $name $value] $($rest)*);
    };
    ([$($done:tt)+] $index:tt $name:ident $value:ident $($rest:tt)*) => {
        tuples!($($done)+, $index $name $value);
        all_tuples!([$($done)+, $index $name $value] $($rest)*);
    };
}

all_tuples! {
    [] 0 A a 1 B b 2 C c 3 D d 4 E e 5 F f 6 G g 7 H h 8 I i 9 J j 10 K k 11 L l 12 M m 13 N n 14 O o 15 P p
}

macro_rules! opaque_debug {
    ($($name:ident),+) => {$(
        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

opaque_debug!(Join, TryJoin, JoinAll, TryJoinAll);
