//! A folder with orders, a store and an effects file, and the command lines that use them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::effects::{self, Execution};
use crate::orders::{self, Order};
use crate::program::{Ended, Program};

/// Where one test plays.
pub(crate) struct Stage {
    folder: TempDir,
    orders: Vec<Order>,
}

impl Stage {
    /// A folder with these orders and nothing else.
    pub(crate) fn new(orders: Vec<Order>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("orders.json"), orders::to_json(&orders)).expect("the folder can be written");
        Self { folder, orders }
    }

    /// The orders.
    pub(crate) fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// A file of the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the example with what all programs of a stage share, and `more`.
    pub(crate) fn start(&self, more: &[&str]) -> Program {
        let common = ["--orders", "orders.json", "--effects", "effects", "--follow-up", "300ms", "--lease", "1s"];
        let arguments: Vec<String> = common.iter().chain(more).map(|word| (*word).to_owned()).collect();
        Program::start(self.folder.path(), &arguments)
    }

    /// Starts it with exactly these arguments.
    pub(crate) fn start_plain(&self, arguments: &[&str], input: Option<&str>) -> Program {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        Program::start_with_input(self.folder.path(), &arguments, input)
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, more: &[&str]) -> Ended {
        self.start(more).finish()
    }

    /// What ran so far, in all programs together.
    pub(crate) fn executions(&self) -> Vec<Execution> {
        effects::read(&self.file("effects"))
    }

    /// Fails unless every body that the orders need ran, none that they do not, and none after the end. Returns how
    /// many executions there were beyond one each.
    pub(crate) fn check_executions(&self) -> usize {
        let executions = self.executions();
        let counts = effects::counts(&executions);
        let ran: BTreeSet<_> = counts.keys().cloned().collect();
        assert_eq!(ran, orders::executions(&self.orders), "what ran is not what the orders need");
        effects::check_nothing_after_the_end(&executions);
        executions.len() - counts.len()
    }

    /// As [`Self::check_executions`], and each ran once.
    pub(crate) fn check_each_ran_once(&self) {
        let extra = self.check_executions();
        assert_eq!(extra, 0, "{:#?}", effects::counts(&self.executions()));
    }

    /// Fails unless a program ended well, with the lines that the orders must come to. Returns them.
    pub(crate) fn check_success(&self, ended: Ended) -> Vec<String> {
        let ended = ended.succeeded();
        orders::check_output(&self.orders, &ended.stdout);
        ended.stdout
    }
}
