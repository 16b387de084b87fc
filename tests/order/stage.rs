//! A folder with orders, a store and an effects file, and the command lines that use them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use support::StoreKind;
use support::redis::RedisServer;
use tempfile::TempDir;

use crate::effects::{self, Execution};
use crate::orders::{self, Order};
use crate::program::{Ended, Program};

/// The file that is the store unless another is named.
pub(crate) const DATABASE: &str = "workflow.db";
/// The folder of a store whose folder is not there yet.
const LATER: &str = "later";

/// Where one test plays.
pub(crate) struct Stage {
    folder: TempDir,
    orders: Vec<Order>,
    /// The url of the store.
    store: String,
    server: Option<RedisServer>,
}

impl Stage {
    /// A folder with these orders and nothing else; and a server with nothing on it, for a store that needs one.
    pub(crate) fn new(kind: StoreKind, orders: Vec<Order>) -> Self {
        let server = (kind == StoreKind::Redis).then(RedisServer::start);
        let store = server.as_ref().map_or_else(|| format!("sqlite:{DATABASE}"), RedisServer::url);
        Self::with_store(orders, store, server)
    }

    /// The same with a store that cannot be opened until [`Self::bring_the_store`].
    pub(crate) fn without_store(kind: StoreKind, orders: Vec<Order>) -> Self {
        let mut server = (kind == StoreKind::Redis).then(RedisServer::start);
        server.iter_mut().for_each(RedisServer::kill);
        let store = server.as_ref().map_or_else(|| format!("sqlite:{LATER}/orders.db"), RedisServer::url);
        Self::with_store(orders, store, server)
    }

    fn with_store(orders: Vec<Order>, store: String, server: Option<RedisServer>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("orders.json"), orders::to_json(&orders)).expect("the folder can be written");
        Self { folder, orders, store, server }
    }

    /// Makes what keeps the store from being opened go away.
    pub(crate) fn bring_the_store(&mut self) {
        match &mut self.server {
            Some(server) => server.restart(),
            None => std::fs::create_dir(self.file(LATER)).expect("the folder can be written"),
        }
    }

    /// The url of the store.
    pub(crate) fn store(&self) -> &str {
        &self.store
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
        let store = ["--store", self.store()];
        let arguments: Vec<String> = common.iter().chain(&store).chain(more).map(|word| (*word).to_owned()).collect();
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
