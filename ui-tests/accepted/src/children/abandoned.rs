//! A child that outlives its parent, joined with other operations in one tuple.

use crate::remote;
use workflow::prelude::*;

/// Cleans up, in its own time.
#[workflow]
async fn clean_up(folder: String) -> workflow::Result<usize> {
    sleep(1d).await;
    Ok(step!("remove", retries = 3, remote::answer(folder.len())).await?)
}

/// Builds something and leaves the rest to a child.
#[workflow]
async fn build(folder: String) -> workflow::Result<(usize, bool)> {
    let artifact = step!("compile", remote::answer(folder.len() * 2)).await?;
    let (cleaned, checked) = join!(
        timeout(5m, clean_up(folder.clone()).on_parent_close(ParentClose::Abandon)),
        step!("check", remote::answer(artifact > 0)),
    )
    .await;
    let cleaned = cleaned.map_or(Ok(0), |cleaned| cleaned)?;
    Ok((artifact + cleaned, checked?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_does_not_wait() {
        assert_eq!(build::test("src".to_owned()).run().result, Ok((6, true)));
    }
}
