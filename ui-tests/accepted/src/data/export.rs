//! Step bodies that do what a workflow may not: files, clocks, random names, the environment, threads and tasks.
#![expect(clippy::print_stdout, reason = "a step may print")]

use std::io::{self, Write as _};
use std::time::Duration;
use std::{env, fs, process};
use workflow::prelude::*;

async fn upload(name: &str, bytes: usize) -> io::Result<String> {
    let target = env::var("EXPORT_TARGET").unwrap_or_else(|_| "nowhere".to_owned());
    tokio::task::yield_now().await;
    Ok(format!("{target}/{} of {bytes}", name.len()))
}

/// Writes rows to a file and uploads it.
#[workflow]
async fn export(rows: Vec<String>) -> workflow::Result<String> {
    let path = step!("write file", timeout = 10m, {
        let started = std::time::Instant::now();
        let path = env::temp_dir().join(format!("export-{}-{}.txt", process::id(), uuid::Uuid::from_u128(7)));
        let mut file = fs::File::create(&path)?;
        for row in &rows {
            writeln!(file, "{row}")?;
        }
        file.flush()?;
        println!("written in {:?}", started.elapsed());
        Ok(path)
    })
    .await?;
    let bytes = step!("measure", {
        let path = path.clone();
        let measured = tokio::task::spawn_blocking(move || fs::metadata(path)).await??;
        let (first, second) = tokio::join!(async { measured.len() }, async { 0 });
        Ok(usize::try_from(first + second)?)
    })
    .await?;
    let address = step!("upload", retries = 2, async {
        tokio::time::timeout(Duration::from_secs(30), upload(&path.to_string_lossy(), bytes)).await?
    })
    .await?;
    step!("clean up", async { fs::remove_file(&path) }).await?;
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_do_what_they_like() {
        let report = export::test(vec!["a".to_owned(), "b".to_owned()]).run_async().await;
        assert!(report.result.as_ref().is_ok_and(|address| address.ends_with(" of 4")), "{report:?}");
    }
}
