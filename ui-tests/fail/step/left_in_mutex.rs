use std::sync::Mutex;
use workflow::prelude::*;

async fn upload(part: u64) -> std::io::Result<u64> {
    Ok(part)
}

/// What a body puts there is not there in a replay.
#[workflow]
async fn order(id: u64) -> workflow::Result<usize> {
    let uploaded = Mutex::new(Vec::new());
    step!("upload", {
        let size = upload(id).await?;
        uploaded.lock().map_err(|error| error.to_string())?.push(size);
        Ok(())
    })
    .await?;
    Ok(uploaded.into_inner().map_err(|error| error.to_string())?.len())
}

fn main() {}
