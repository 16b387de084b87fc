use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use workflow::prelude::*;

async fn upload(_: u64) -> std::io::Result<()> {
    Ok(())
}

/// Nor what it counts.
#[workflow]
async fn order(id: u64) -> workflow::Result<u32> {
    let uploaded = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&uploaded);
    step!("upload", {
        upload(id).await?;
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })
    .await?;
    Ok(Arc::into_inner(uploaded).map_or(0, AtomicU32::into_inner))
}

fn main() {}
