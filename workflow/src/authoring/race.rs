//! Races: several durable operations at once, until the first ends. The others are dropped, and leave nothing behind.

use std::fmt;
use std::future::Future;

use super::branches::{Branch, Branches};
use super::context::Ctx;
use super::durable::Durable;

/// Several operations at once; gives the output of the first that ends.
#[must_use = "does nothing until it is awaited, joined or raced"]
pub struct Race<T>(T);

/// What `race!` expands to: a tuple of two to sixteen durable operations.
pub const fn race<T>(operations: T) -> Race<T>
where
    Race<T>: Durable,
{
    Race(operations)
}

macro_rules! races {
    ($raced:ident $words:literal: $($index:tt $name:ident),+) => {
        #[doc = concat!("Which of ", $words, " operations ended first, and its output.")]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $raced<$($name),+> {
            $(
                #[doc = concat!("The operation at index ", stringify!($index), ".")]
                $name($name),
            )+
        }

        #[diagnostic::do_not_recommend]
        impl<$($name: Durable),+> Durable for Race<($($name,)+)> {
            type Output = $raced<$($name::Output),+>;

            fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
                let mut all = ($(Branch::new(self.0.$index.run(cx.clone())),)+);
                async move {
                    const COUNT: usize = [$($index),+].len();
                    let poll = |index: usize, task: &mut std::task::Context<'_>| match index {
                        $($index => all.$index.poll(task),)+
                        _ => unreachable!("a race polls the branches it has"),
                    };
                    match Branches::new(COUNT).any(poll).await {
                        $($index => $raced::$name(all.$index.take()),)+
                        _ => unreachable!("a race is won by a branch it has"),
                    }
                }
            }
        }
    };
}

races!(Raced2 "two": 0 A, 1 B);
races!(Raced3 "three": 0 A, 1 B, 2 C);
races!(Raced4 "four": 0 A, 1 B, 2 C, 3 D);
races!(Raced5 "five": 0 A, 1 B, 2 C, 3 D, 4 E);
races!(Raced6 "six": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F);
races!(Raced7 "seven": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G);
races!(Raced8 "eight": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H);
races!(Raced9 "nine": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I);
races!(Raced10 "ten": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J);
races!(Raced11 "eleven": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K);
races!(Raced12 "twelve": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K, 11 L);
races!(Raced13 "thirteen": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K, 11 L, 12 M);
races!(Raced14 "fourteen": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K, 11 L, 12 M, 13 N);
races!(Raced15 "fifteen": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K, 11 L, 12 M, 13 N, 14 O);
races!(Raced16 "sixteen": 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K, 11 L, 12 M, 13 N, 14 O, 15 P);

impl<T> fmt::Debug for Race<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").finish_non_exhaustive()
    }
}
