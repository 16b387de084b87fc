//! Children side by side, one of which fails, and a race between a child and time.

use crate::remote;
use std::io;
use workflow::prelude::*;

async fn render(frame: u32) -> io::Result<u64> {
    if frame == 13 { remote::down("the renderer").await } else { remote::answer(u64::from(frame) * 100).await }
}

/// Renders one scene.
#[workflow(queue = "graphics")]
async fn scene(frames: Vec<u32>) -> workflow::Result<u64> {
    let rendered = try_join_all(frames.iter().map(|&frame| step!("render", key = frame, render(frame)))).await?;
    sleep(1h).await;
    Ok(rendered.iter().sum())
}

/// Renders a film.
#[workflow]
async fn film(scenes: Vec<Vec<u32>>) -> workflow::Result<(u64, usize)> {
    let rendered = join_all(scenes.iter().cloned().map(scene)).await;
    let (good, bad): (Vec<_>, Vec<_>) = rendered.into_iter().partition(Result::is_ok);
    let total: u64 = good.into_iter().flatten().sum();
    let trailer = race! {
        trailer = scene(vec![1]) => trailer?,
        () = sleep(30m) => 0,
    }
    .await;
    let (first, last) = try_join!(scene(vec![1]), scene(vec![2])).await?;
    Ok((total + trailer + first + last, bad.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_scene_fails() {
        let report = film::test(vec![vec![1, 2], vec![13], vec![3]]).run();
        assert_eq!(report.result, Ok((600 + 300, 1)));
    }
}
