//! Blocks as expressions, shadowing, early returns, `loop` with a value, and `match` on the results of steps.

use crate::remote;
use workflow::prelude::*;

/// Everything is an expression.
#[workflow]
async fn expressions(n: u32) -> Result<u32, StepError> {
    let n = {
        let n = step!("one", remote::answer(n + 1)).await?;
        n * 2
    };
    let n = if n > 10 {
        let more = step!("two", remote::answer(n)).await?;
        more - 1
    } else if let Some(less) = n.checked_sub(3) {
        less
    } else {
        return step!("early", remote::answer(0)).await;
    };
    let n = loop {
        let next = match step!("three", remote::answer(n + 1)).await {
            Ok(0) => continue,
            Ok(next @ (1 | 2)) => next * 100,
            Ok(next) if next % 2 == 1 => break next,
            Ok(next) => next,
            Err(error) if error.is_fatal() => return Err(error),
            Err(_) => break 0,
        };
        break next + 1;
    };
    let (mut low, mut high) = (0, n);
    while low + 1 < high {
        let middle = u32::midpoint(low, high);
        if step!("is enough", remote::answer(middle * middle >= n)).await? {
            high = middle;
        } else {
            low = middle;
        }
    }
    let sum =
        step!("five", remote::answer(high)).await? + if n == 0 { step!("six", remote::answer(1)).await? } else { 0 };
    let negative = !step!("seven", remote::answer(false)).await? && -step!("eight", remote::answer(1_i32)).await? < 0;
    let indexed = [sum, 2, 3][step!("nine", remote::answer(0_usize)).await?];
    let cast = u32::from(step!("ten", remote::answer(2_u8)).await?);
    Ok(indexed + u32::from(negative) + cast)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_have_values() {
        assert_eq!(expressions::test(9).run().result, Ok(5 + 1 + 2));
        assert_eq!(expressions::test(0).run().result, Ok(0));
    }
}
