//! What the environment says of an engine reaches one, in a process of its own.

use std::process::{Command, Stdio};

use support::effects::read;
use support::prelude::*;
use support::worker::CREATE;

/// A process that creates instances on the store that it is told of.
fn creating(stage: &Stage, variable: &str, value: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-worker"));
    command.args([CREATE, &stage.url(), "made"]).arg(stage.folder().join("created")).env(variable, value);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

#[test]
fn an_option_that_the_program_leaves_out_is_taken_from_the_environment() {
    support::run(StoreKind::SqliteFile, |stage: Stage| async move {
        let mut process = creating(&stage, "WORKFLOW_NAMESPACE", "elsewhere").stderr(Stdio::null()).spawn()?;
        let effects = stage.folder().join("created");
        wait::until("some are created", async || (read(&effects).len() >= 3).then_some(())).await;
        process.kill()?;
        process.wait()?;
        let there = stage.builder().namespace("elsewhere").mode(Mode::Client).start().await?;
        assert!(there.list().await?.instances.len() >= 3);
        let here = stage.builder().mode(Mode::Client).start().await?;
        assert!(here.list().await?.instances.is_empty());
        Ok(())
    });
}

#[test]
fn a_bad_variable_ends_the_program_with_its_name_and_makes_nothing() {
    support::run(StoreKind::SqliteFile, |stage: Stage| async move {
        // Also one of an option that the program sets itself.
        for (variable, value, allowed) in [
            ("WORKFLOW_PATIENCE", "soon", "a whole number and a unit"),
            ("WORKFLOW_MODE", "both", "all, client or worker"),
        ] {
            let ended = creating(&stage, variable, value).stderr(Stdio::piped()).output()?;
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert!(!ended.status.success(), "{said}");
            for part in [variable, value, allowed] {
                assert!(said.contains(part), "{part}: {said}");
            }
            assert!(!stage.folder().join("store.db").exists(), "{variable}");
        }
        Ok(())
    });
}
