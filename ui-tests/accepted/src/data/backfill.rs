//! A list of keyed steps collected in a loop and joined at once; limits kept by working in waves.

use crate::remote;
use std::io;
use workflow::prelude::*;

async fn fill(day: u32, source: &str) -> io::Result<u32> {
    remote::answer(day * 10 + u32::try_from(source.len()).unwrap_or_default()).await
}

/// Fills the days from `first` to `last`, some at a time.
#[workflow]
async fn backfill(first: u32, last: u32, sources: Vec<String>) -> workflow::Result<Vec<u32>> {
    let days: Vec<u32> = (first..=last).rev().collect();
    let mut filled = Vec::new();
    for wave in days.chunks(2) {
        let mut steps = Vec::new();
        for &day in wave {
            for source in &sources {
                steps.push(step!("fill", key = format_args!("{day} {source}"), async move { fill(day, source).await }));
            }
        }
        filled.extend(try_join_all(steps).await?);
        sleep(1m).await;
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_filled_in_waves() {
        let report = backfill::test(1, 3, vec!["a".to_owned(), "bc".to_owned()]).run();
        assert_eq!(report.result, Ok(vec![31, 32, 21, 22, 11, 12]));
    }
}
