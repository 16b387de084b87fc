//! Labels: on `loop`, `while`, `for` and blocks, left and continued from inside steps' results, races and groups.

use crate::remote;
use workflow::prelude::*;

/// Finds the first row and column that are free.
#[workflow]
async fn seat(rows: u32, columns: u32) -> workflow::Result<Option<(u32, u32)>> {
    let mut tries = 0;
    let found = 'rows: loop {
        'columns: for row in 0..rows {
            for column in 0..columns {
                tries += 1;
                if tries > 50 {
                    break 'rows None;
                }
                let free = step!("is free", remote::answer(row * column == 6)).await?;
                if free {
                    break 'rows Some((row, column));
                }
                if row > column {
                    continue;
                }
                if column > 4 {
                    continue 'columns;
                }
            }
        }
        race! {
            () = sleep(1m) => continue 'rows,
            freed = step!("wait for one", remote::answer(tries < 40)) => {
                if !freed? {
                    break 'rows None;
                }
            }
        }
        .await;
        tries += 1;
    };
    let Some((row, column)) = found else { return Ok(None) };
    let held = group!("hold", {
        let held = 'held: {
            for attempt in 1..=3_u32 {
                if step!("hold it", remote::answer(attempt == 2)).await? {
                    break 'held Some(attempt);
                }
            }
            None
        };
        Ok(held)
    })
    .await?;
    Ok(held.map(|attempt| (row + attempt, column)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_free() {
        assert_eq!(seat::test(4, 5).run().result, Ok(Some((2 + 2, 3))));
        assert_eq!(seat::test(2, 3).run().result, Ok(None));
    }
}
