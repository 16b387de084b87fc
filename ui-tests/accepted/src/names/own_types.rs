//! Types of the user's that are called `Command`, `File`, `Step`, `Event`, `Instant`, …, reached by a module.

use crate::remote;
use serde::{Deserialize, Serialize};
use workflow::prelude::{step, wait_for, workflow};

/// What the editor is about.
mod editor {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(super) struct Command {
        pub(super) text: String,
    }

    impl Command {
        pub(super) fn new(text: &str) -> Self {
            Self { text: text.to_owned() }
        }
    }

    #[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
    pub(super) struct File {
        pub(super) commands: Vec<Command>,
    }

    impl File {
        pub(super) fn create(first: Command) -> Self {
            Self { commands: vec![first] }
        }

        pub(super) fn open(mut self, next: Command) -> Self {
            self.commands.push(next);
            self
        }
    }

    pub(super) mod fs {
        pub(crate) fn write(text: &str) -> usize {
            text.len()
        }
    }

    pub(super) mod env {
        pub(crate) const fn var(length: usize) -> usize {
            length * 2
        }
    }
}

/// A step of a staircase, not of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Step(u32);

/// An event of the editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, workflow::Event)]
enum Event {
    Saved,
    Closed,
}

/// A result with fewer words.
type Result<T> = workflow::Result<T>;

/// Edits a file.
#[workflow]
async fn edit(text: String) -> Result<(editor::File, Step)> {
    use editor::{Command, File};

    let first = Command::new(&text);
    let file = File::create(first).open(Command::new("save"));
    let written = editor::fs::write(&text) + editor::env::var(2);
    let step = step!("save", remote::answer(written)).await?;
    let mut stairs = Step(u32::try_from(step)?);
    while let Event::Saved = wait_for::<Event>("editor event").await {
        stairs.0 += 1;
    }
    Ok((file, stairs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use workflow::Event as _;

    #[test]
    fn it_is_edited() {
        let report = edit::test("hello".to_owned()).event(Event::Saved).event(Event::Closed).run();
        assert_eq!(report.result.map(|(file, stairs)| (file.commands.len(), stairs)), Ok((2, Step(10))));
        assert_eq!(Event::TYPE, "Event");
    }
}
