//! Workers and clients in processes of their own, which write receipts until they are killed, and the end that follows:
//! everything that the store still knows is brought to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use workflow::prelude::*;

use super::work::{AGAIN, EVENTS, Entry, PRESS, WORK, ledger};
use super::{Receipt, read};
use crate::wait;

/// The first argument of such a process; the program hands the others to [`process`](super::work::process).
pub const RECEIPTS: &str = "receipts";
/// How many ledgers a client is at, at a time, and a worker.
const AT_A_TIME: &str = "8";
/// How long a body takes.
const STEP_TIME_MS: &str = "2";
/// What a page of a list holds.
const PAGE: usize = 1_000;
/// How often a list is made again that has not all that is there.
const LISTED_AGAIN: u32 = 5;
/// How long every instance together may take to end, once nothing fails any more.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);

/// What each instance came to that the store knows in the end.
pub type Ends = BTreeMap<String, Vec<u64>>;

/// Processes that share a store. Dropping it kills them.
#[derive(Debug)]
pub struct Crew {
    program: PathBuf,
    store: String,
    /// Outlives every fault: not that of the store.
    folder: PathBuf,
    environment: Vec<(&'static str, OsString)>,
    workers: Vec<Child>,
    clients: Vec<Child>,
    /// Clients so far: each has ids of its own.
    started: usize,
}

impl Crew {
    /// Nobody yet. `program` is one whose `main` knows [`RECEIPTS`].
    #[must_use]
    pub fn new(program: &Path, store: &str, folder: &Path) -> Self {
        let (program, folder) = (program.to_owned(), folder.to_owned());
        let store = store.to_owned();
        Self { program, store, folder, environment: vec![], workers: vec![], clients: vec![], started: 0 }
    }

    /// With this in the environment of every process.
    #[must_use]
    pub fn environment(mut self, environment: Vec<(&'static str, OsString)>) -> Self {
        self.environment = environment;
        self
    }

    /// Starts two workers and a client.
    pub fn start(&mut self) {
        self.start_worker();
        self.start_worker();
        self.start_client();
    }

    fn start_worker(&mut self) {
        let worker = self.spawn(&[WORK, &self.store, AT_A_TIME, STEP_TIME_MS]);
        self.workers.push(worker);
    }

    fn start_client(&mut self) {
        self.started += 1;
        let client = self.spawn(&[PRESS, &self.store, &format!("client-{}", self.started), AT_A_TIME]);
        self.clients.push(client);
    }

    fn spawn(&self, words: &[&str]) -> Child {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).expect("the log can be written");
        let mut command = Command::new(&self.program);
        command.arg(RECEIPTS).args(words).arg(self.receipts_file()).envs(self.environment.iter().cloned());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        child.expect("the program was built")
    }

    /// Kills one worker, and starts another in its place.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn replace_worker(&mut self, index: usize) {
        let index = index % self.workers.len();
        kill(self.workers.swap_remove(index));
        self.start_worker();
    }

    /// Kills all of them, as a machine that goes down does.
    ///
    /// # Panics
    /// When one cannot be killed.
    pub fn kill(&mut self) {
        self.workers.drain(..).chain(self.clients.drain(..)).for_each(kill);
    }

    /// Fails when a process has ended by itself.
    ///
    /// # Panics
    /// Then, with what they said.
    pub fn check(&mut self) {
        let all = self.workers.iter_mut().chain(&mut self.clients);
        let mut ended = all.filter_map(|child| child.try_wait().expect("a child can be asked"));
        let ended = ended.next();
        assert!(ended.is_none(), "a process ended by itself: {ended:?}\n{}", self.log());
    }

    /// Waits until there are `more` receipts.
    ///
    /// # Panics
    /// When there are not in time, or a process ends by itself.
    pub async fn press(&mut self, more: usize) {
        let wanted = self.count() + more;
        let give_up = Instant::now() + wait::PATIENCE;
        while self.count() < wanted {
            self.check();
            assert!(Instant::now() < give_up, "there are no {more} receipts more\n{}", self.log());
            wait::moment(Instant::now() + Duration::from_millis(5)).await;
        }
    }

    /// What all were told so far.
    #[must_use]
    pub fn receipts(&self) -> Vec<Receipt> {
        read(&self.receipts_file())
    }

    /// What they had to say.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Ends the clients, and brings everything that the store knows to its end: sends each event again, as one that is
    /// [`AGAIN`], and takes the results. Workers are killed when this is over.
    ///
    /// # Errors
    /// When an instance does not end, cannot be read, or is seen by one question and not by another.
    pub async fn settle(&mut self, client: &Engine) -> Result<Ends, String> {
        self.clients.drain(..).for_each(kill);
        let deadline = Instant::now() + SETTLED_WITHIN;
        let mut ends = Ends::new();
        loop {
            let mut known = self.listed(client).await?;
            known.retain(|id, _| !ends.contains_key(id));
            if known.is_empty() {
                break;
            }
            for (id, _) in known.iter().filter(|(_, state)| !state.is_final()) {
                send_again(client, id).await.map_err(|error| format!("{id}: {error}"))?;
            }
            // What a client had sent when it was killed may arrive after the list was made: one looks again.
            for id in known.into_keys() {
                let lines = self.end(client, &id, deadline).await?;
                ends.insert(id, lines);
            }
        }
        self.check();
        self.kill();
        Ok(ends)
    }

    /// Every instance that the store lists, once each that can be asked for is among them: what a client had sent when it
    /// was killed may arrive while the list is made.
    async fn listed(&self, client: &Engine) -> Result<BTreeMap<String, State>, String> {
        for again in 0.. {
            let known = known(client).await?;
            let told: BTreeSet<String> = self.receipts().into_iter().map(|receipt| receipt.id).collect();
            let mut wrong = None;
            for id in told.iter().filter(|id| !known.contains_key(*id)) {
                let found = ledger::get(client, id).await;
                if !matches!(found, Err(EngineError::NotFound { .. })) {
                    wrong = Some(format!("{id} is in no list, and yet: {found:?}"));
                    break;
                }
            }
            match wrong {
                None => return Ok(known),
                Some(wrong) if again == LISTED_AGAIN => return Err(wrong),
                Some(_) => {}
            }
        }
        unreachable!("the last of them returns")
    }

    async fn end(&self, client: &Engine, id: &str, deadline: Instant) -> Result<Vec<u64>, String> {
        let handle = ledger::get(client, id).await.map_err(|error| format!("{id}: {error}"))?;
        let lines = handle.result_within(deadline.saturating_duration_since(Instant::now())).await;
        match lines {
            Ok(lines) => Ok(lines),
            Err(error) => {
                let (status, history) = (handle.status().await, handle.history().await);
                Err(format!("{id} did not end: {error:?}, {status:?}, {history:?}\n{}", self.log()))
            }
        }
    }

    fn count(&self) -> usize {
        let mut bytes = Vec::new();
        if let Ok(mut file) = std::fs::File::open(self.receipts_file()) {
            file.read_to_end(&mut bytes).expect("the receipts can be read");
        }
        bytes.iter().filter(|byte| **byte == b'\n').count()
    }

    fn receipts_file(&self) -> PathBuf {
        self.folder.join("receipts")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("crew.log")
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for mut child in self.workers.drain(..).chain(self.clients.drain(..)) {
            // It may have ended already; there is nobody to tell.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn kill(mut child: Child) {
    child.kill().expect("a child can be killed");
    child.wait().expect("a killed child ends");
}

/// Every instance that the store lists.
async fn known(client: &Engine) -> Result<BTreeMap<String, State>, String> {
    let (mut known, mut next) = (BTreeMap::new(), None);
    loop {
        let list = client.list().limit(PAGE);
        let list = if let Some(page) = next { list.after(page) } else { list };
        let page = list.await.map_err(|error| error.to_string())?;
        if !page.damaged.is_empty() {
            return Err(format!("damaged: {:?}", page.damaged));
        }
        known.extend(page.instances.into_iter().map(|listed| (listed.id, listed.state)));
        next = page.next;
        if next.is_none() {
            return Ok(known);
        }
    }
}

/// Sends what may have been lost, and lets go on what was there at too many crashes.
async fn send_again(client: &Engine, id: &str) -> Result<(), EngineError> {
    let ledger = ledger::get(client, id).await?;
    for number in 0..EVENTS {
        match ledger.send(Entry { sent: AGAIN }).key(number).id(number.to_string()).await {
            Err(EngineError::Finished { .. }) => return Ok(()),
            sent => sent?,
        }
    }
    if ledger.status().await?.state == State::Paused {
        ledger.resume().await?;
    }
    Ok(())
}
