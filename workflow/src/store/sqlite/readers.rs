//! Threads that read the file, each on a connection of its own, so that reading never waits for writes.
//!
//! Owns the readers' queue. A reader opens its connection when it is first needed. Called by [`super::SqliteStore`] for
//! stores in files; a store in memory has one connection only, the writer's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::Shared;
use super::connection::{self, Role};
use super::fault::Fault;
use super::sql::Sql;
use super::tables::Tables;

/// How many reads run at a time.
const READERS: usize = 2;

/// A question: it sends its own answer, which is an error when there is no connection.
pub(super) type Question = Box<dyn FnOnce(Result<&Tables<'_>, Fault>) + Send>;

/// The reading threads of one store.
#[derive(Debug)]
pub(super) struct Readers {
    questions: Option<Sender<Question>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts the threads.
    pub(super) fn start(shared: &Arc<Shared>, sql: &Arc<Sql>) -> std::io::Result<Self> {
        let (questions, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::new();
        for number in 0..READERS {
            let (shared, sql, queue) = (shared.clone(), sql.clone(), queue.clone());
            let thread = std::thread::Builder::new()
                .name(format!("workflow-read-{number}"))
                .spawn(move || read(&shared, &sql, &queue))?;
            threads.push(thread);
        }
        Ok(Self { questions: Some(questions), threads })
    }

    pub(super) fn ask(&self, question: Question) {
        if let Some(questions) = &self.questions {
            // They end only when this is dropped.
            let _ = questions.send(question);
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.questions = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn read(shared: &Shared, sql: &Sql, queue: &Mutex<Receiver<Question>>) {
    let mut connection: Option<Connection> = None;
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(question) = next else { return };
        if connection.is_none() {
            match connection::open(&shared.target, Role::Reader) {
                Ok(opened) => connection = Some(opened),
                Err(fault) => {
                    question(Err(fault));
                    continue;
                }
            }
        }
        let opened = connection.as_ref().expect("it was opened above");
        let tables = Tables::new(opened, sql);
        let answered = catch_unwind(AssertUnwindSafe(|| question(Ok(&tables))));
        // A question that panics drops the sender of its answer, which the asker sees; and one that leaves its
        // transaction open has failed: both get a new connection.
        if answered.is_err() || !opened.is_autocommit() {
            connection = None;
        }
    }
}
