//! B24: a crate that has never seen this workspace depends on ours, builds and runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use support::prelude::*;

on_every_store!(b24_a_fresh_crate_that_depends_on_ours_builds_and_runs);

/// A program as the README would have a newcomer write it.
const PROGRAM: &str = r#"
use workflow::prelude::*;

#[workflow]
async fn greet(name: String) -> workflow::Result<String> {
    let greeting = step!("greet", async { Ok::<_, std::io::Error>(format!("hello {name}")) }).await?;
    sleep(50ms).await;
    Ok(greeting)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let store = std::env::args().nth(1).ok_or("usage: fresh <store url>")?;
    let engine = Engine::builder().store(store).start().await?;
    let instance = greet::create(&engine, "world".to_owned()).await?;
    println!("{}", instance.result().await?);
    Ok(())
}
"#;

/// The model's package could not be imported by plain Node at all.
async fn b24_a_fresh_crate_that_depends_on_ours_builds_and_runs(stage: Stage) -> TestResult {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let program = tokio::task::spawn_blocking(|| BUILT.get_or_init(build)).await?;
    let output = tokio::process::Command::new(program).arg(stage.url()).current_dir(stage.folder()).output().await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello world\n");
    Ok(())
}

/// Builds the program offline, with the versions of our lock file and what is already compiled in our target folder.
fn build() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a member of the workspace");
    let folder = tempfile::tempdir().expect("a test can have a temporary folder");
    fs::create_dir(folder.path().join("src")).expect("an empty folder can be filled");
    fs::write(folder.path().join("Cargo.toml"), manifest(workspace)).expect("an empty folder can be filled");
    fs::write(folder.path().join("src/main.rs"), PROGRAM).expect("an empty folder can be filled");
    fs::copy(workspace.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("the workspace has a lock file");

    let target = target_folder();
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["build", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("debug/fresh")
}

fn manifest(workspace: &Path) -> String {
    let ours = fs::read_to_string(workspace.join("Cargo.toml")).expect("the workspace has a manifest");
    let profiles = ours.split_once("\n[profile.").map(|(_, rest)| format!("[profile.{rest}")).unwrap_or_default();
    format!(
        "[package]\nname = \"fresh\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         workflow = {{ path = {:?} }}\ntokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n\n{profiles}",
        workspace.join("workflow"),
    )
}

/// The folder this test was built in: `target/debug/deps/<test>` is three below it.
fn target_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    test.ancestors().nth(3).expect("a test is built in a target folder").to_path_buf()
}
