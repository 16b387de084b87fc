//! Closures around steps: that make them, that choose among them, that only compute; kept, passed on, moved.

use crate::remote;
use std::io;
use workflow::prelude::*;

#[derive(Clone, Copy)]
struct Rate {
    percent: u32,
}

async fn quote(amount: u32, rate: Rate) -> io::Result<u32> {
    remote::answer(amount * rate.percent / 100).await
}

fn apply<T>(value: T, change: impl FnOnce(T) -> T) -> T {
    change(value)
}

/// Asks for quotes.
#[workflow]
async fn quotes(amounts: Vec<u32>, names: Vec<String>) -> workflow::Result<u32> {
    let rates = [Rate { percent: 10 }, Rate { percent: 50 }];
    let within = |amount: &u32| (1..=1_000).contains(amount);
    let make = |name: &'static str| move |number: usize| format!("{name}-{number}");
    let ask =
        |amount: u32, rate: Rate| step!("quote", key = format_args!("{amount} {}", rate.percent), quote(amount, rate));
    let cheap = try_join_all(amounts.iter().copied().filter(within).map(|amount| ask(amount, rates[0]))).await?;
    let dear = try_join_all(amounts.iter().copied().filter(within).map(|amount| ask(amount, rates[1]))).await?;
    let labels: Vec<String> = (0..names.len()).map(make("label")).collect();
    let mut total = 0;
    let mut add = |amount: u32| total += amount;
    cheap.iter().chain(&dear).copied().for_each(&mut add);
    let named = join_all(names.iter().zip(&labels).map(|(name, label)| {
        let text = apply(name.clone(), |text| text + label);
        let length = text.len();
        async move {
            let known = step!("name", key = name, remote::answer(length)).await.unwrap_or_default();
            sleep(1s).await;
            known + text.len()
        }
    }))
    .await;
    let longest = named.into_iter().max().unwrap_or_default();
    Ok(total + u32::try_from(longest)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_asked_for() {
        let report = quotes::test(vec![100, 0, 200], vec!["Ada".to_owned()]).run();
        assert_eq!(report.result, Ok(10 + 20 + 50 + 100 + 20));
    }
}
