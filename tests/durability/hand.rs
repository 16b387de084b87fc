//! One hand of an operator: it has errands of its own, does random things to them, and keeps the book of what it was told.

use std::path::PathBuf;
use std::time::SystemTime;

use support::chance::Chance;
use support::errands::{self, Note, errand};
use support::prelude::*;
use workflow::journal::path::Kind;
use workflow::{History, OperationEnd};

use super::book::{Page, Pause, Target};

type Done = Result<(), EngineError>;

/// One hand.
pub(crate) struct Hand {
    pub(crate) client: Engine,
    pub(crate) chance: Chance,
    /// Begins the ids of its errands.
    pub(crate) name: String,
    pub(crate) marks: PathBuf,
    pub(crate) pages: Vec<Page>,
    /// Notes it has made so far.
    pub(crate) notes: u64,
}

impl Hand {
    /// Does this many things.
    pub(crate) async fn work(&mut self, things: usize, errands_max: usize) -> Done {
        for _ in 0..things {
            let page = self.pages.len().checked_sub(1).map(|last| self.chance.index(last + 1));
            match (self.chance.index(20), page) {
                (0..=5, _) if self.pages.len() < errands_max => self.create().await?,
                (_, None) => self.create().await?,
                (0..=9, Some(page)) => self.send(page).await?,
                (10 | 11, Some(page)) => self.pause(page).await?,
                (12 | 13, Some(page)) => self.resume(page).await?,
                (14, Some(page)) => self.terminate(page).await?,
                (15, Some(page)) => self.restart(page).await?,
                (16, Some(page)) => self.restart_from(page).await?,
                (17, Some(page)) => self.create_again(page).await?,
                (_, Some(page)) => self.look(page).await?,
            }
            wait::moment(Instant::now() + self.chance.millis(0..30)).await;
        }
        Ok(())
    }

    async fn get(&self, page: usize) -> Result<Handle<errand>, EngineError> {
        errand::get(&self.client, &self.pages[page].id).await
    }

    fn marked(&self) -> u64 {
        errands::now(&self.marks)
    }

    fn note(&mut self, last: bool) -> (Note, String) {
        self.notes += 1;
        let number = self.notes;
        (Note::new(number, last), format!("note-{number}"))
    }

    async fn create(&mut self) -> Done {
        let number = self.pages.len() as u64;
        let id = format!("{}-{number}", self.name);
        let new = || errand::create(&self.client, number).id(&id);
        let how = match self.chance.index(6) {
            0 => {
                let (one, other) = tokio::join!(new(), new());
                let told = [one, other].map(|made| made.map_err(|error| error.code()).err());
                assert!(matches!(told, [None, Some("already_exists")] | [Some("already_exists"), None]), "{told:?}");
                "created twice at once"
            }
            1 => {
                let (one, other) = tokio::join!(new().attach(), new().attach());
                one.and(other)?;
                "created twice at once, attached"
            }
            2 => {
                let items = (0..2).map(|_| errand::new(number).id(&id));
                let made = errand::create_batch(&self.client, items).await?;
                let told: Vec<_> = made.into_iter().map(|made| made.map_err(|error| error.code()).err()).collect();
                assert_eq!(told, [None, Some("already_exists")]);
                "created in a batch, twice"
            }
            3 => {
                new().start_at(SystemTime::now() + self.chance.millis(0..400)).await?;
                "created for later"
            }
            4 => {
                let (note, note_id) = self.note(false);
                let send = || {
                    let send = errand::get(&self.client, &id).send(note.clone()).id(&note_id);
                    send.create_if_absent(errand::new(number))
                };
                let (one, other) = tokio::join!(send(), send());
                one.and(other)?;
                let mut page = Page::new(&id, number, &format!("created for note {}, twice at once", note.number));
                page.told(&note);
                self.pages.push(page);
                return Ok(());
            }
            _ => {
                new().await?;
                "created"
            }
        };
        self.pages.push(Page::new(&id, number, how));
        Ok(())
    }

    async fn create_again(&mut self, page: usize) -> Done {
        let Page { id, number, .. } = &self.pages[page];
        let made = errand::create(&self.client, *number).id(id).await;
        assert!(matches!(made, Err(EngineError::AlreadyExists { .. })), "{id}: {made:?}");
        Ok(())
    }

    async fn send(&mut self, page: usize) -> Done {
        let again = self.chance.index(4) == 0 && !self.pages[page].run().known.is_empty();
        let (note, id) = if again {
            let known = &self.pages[page].run().known;
            let note = known[self.chance.index(known.len())].clone();
            let id = format!("note-{}", note.number);
            (note, id)
        } else if self.pages[page].run().may_end() {
            return Ok(());
        } else {
            let last = self.chance.index(6) == 0;
            self.note(last)
        };
        self.tell(page, note, id).await
    }

    /// Sends the last note, if it was not sent.
    pub(crate) async fn let_return(&mut self, page: usize) -> Done {
        if self.pages[page].run().may_have_ended() {
            return Ok(());
        }
        let (note, id) = self.note(true);
        self.tell(page, note, id).await
    }

    async fn tell(&mut self, page: usize, note: Note, id: String) -> Done {
        let send = || errand::get(&self.client, &self.pages[page].id).send(note.clone()).id(&id);
        let told = if self.chance.index(3) == 0 {
            let (one, other) = tokio::join!(send(), send());
            // The first may have ended it.
            one.or(other)
        } else {
            send().await
        };
        let page = &mut self.pages[page];
        match told {
            Ok(()) => {
                page.called(format!("told {note:?}"));
                assert!(page.run().terminated.is_none(), "{} is terminated and was told {note:?}", page.id);
                page.told(&note);
                Ok(())
            }
            Err(EngineError::Finished { .. }) if page.run().may_have_ended() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn pause(&mut self, page: usize) -> Done {
        let answer = self.get(page).await?.pause().await;
        let ended = self.marked();
        let page = &mut self.pages[page];
        page.called(format!("pause: {answer:?}, at {ended}"));
        match answer {
            Ok(State::Paused) => page.paused(true, ended),
            Ok(State::Running) => page.paused(false, ended),
            Err(EngineError::Refused { .. }) if page.run().may_have_ended() && page.run().pause != Pause::Yes => {}
            other => panic!("{}: a pause gave {other:?}: {page:#?}", page.id),
        }
        Ok(())
    }

    /// Resumes it, if it was paused or not.
    pub(crate) async fn resume(&mut self, page: usize) -> Done {
        let handle = self.get(page).await?;
        let before = self.marked();
        let answer = handle.resume().await;
        let page = &mut self.pages[page];
        page.called(format!("resume: {answer:?}, at {before}"));
        match answer {
            Ok(_) => page.resumed(before),
            Err(EngineError::Refused { .. }) => match page.run().pause {
                Pause::No => {}
                Pause::Asked if page.run().may_end() => {}
                pause => panic!("{} is {pause:?} paused and was not resumed: {answer:?}", page.id),
            },
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn terminate(&mut self, page: usize) -> Done {
        let handle = self.get(page).await?;
        let before = self.marked();
        let reason = format!("reason {}", self.chance.number());
        let answer = handle.terminate(&reason).await;
        let ended = self.marked();
        let page = &mut self.pages[page];
        page.called(format!("terminate: {answer:?}, at {before} to {ended}"));
        match answer {
            Ok(State::Terminated) => page.terminated(&reason, before, ended),
            Err(EngineError::Refused { .. }) if page.run().may_have_ended() && page.run().pause != Pause::Yes => {}
            other => panic!("{}: a terminate gave {other:?}: {page:#?}", page.id),
        }
        Ok(())
    }

    async fn restart(&mut self, page: usize) -> Done {
        let handle = self.get(page).await?;
        let before = self.marked();
        handle.restart().await?;
        let ended = self.marked();
        self.pages[page].called(format!("restart, at {before} to {ended}"));
        self.pages[page].restarted(before, ended);
        Ok(())
    }

    async fn restart_from(&mut self, page: usize) -> Done {
        let handle = self.get(page).await?;
        let run = u32::try_from(self.pages[page].runs.len()).expect("few runs");
        let mut history = handle.history().await?;
        if history.records == 0 && run > 1 && self.chance.index(2) == 0 {
            // It has perhaps not begun with what it keeps of the one before: then that is what it is restarted from.
            history = handle.history_of(run - 1).await?;
        }
        let is_target = |operation: &&workflow::Operation| {
            matches!(operation.kind, Kind::Step | Kind::Group | Kind::Wait | Kind::Child)
        };
        let targets: Vec<_> = history.operations.iter().filter(is_target).collect();
        let Some(chosen) = targets.get(self.chance.index(targets.len().max(1))) else { return Ok(()) };
        let target = match (chosen.kind, chosen.name.as_str(), &chosen.key) {
            (Kind::Step, "note", Some(key)) => Target::After(key.parse().expect("its key is its number")),
            (Kind::Wait, ..) => Target::Wait(chosen.occurrence as usize),
            (_, "return", _) => Target::Return,
            _ => Target::Before,
        };
        let before = self.marked();
        let answer = handle.restart_from(&chosen.path).await;
        let ended = self.marked();
        let page = &mut self.pages[page];
        match answer {
            Err(EngineError::NoSuchStep { .. } | EngineError::Refused { .. }) if history.run != run => {
                page.called(format!("no restart from {}: it has begun: {answer:?}", chosen.operation));
                return Ok(());
            }
            answer => drop(answer?),
        }
        let old = handle.history_of(run).await?;
        let read = (old.records > 0).then(|| notes_read(&old));
        page.called(format!("restart from {}, at {before} to {ended}, read {read:?}", chosen.operation));
        page.restarted_from(target, read, before, ended);
        Ok(())
    }

    /// Looks at it, and at whether what it sees can be.
    async fn look(&mut self, page: usize) -> Done {
        let handle = self.get(page).await?;
        let status = handle.status().await?;
        self.check_status(page, &status);
        let history = handle.history().await?;
        let (page, read) = (&self.pages[page], notes_read(&history));
        assert_eq!(history.run as usize, page.runs.len(), "{history}\n{page:#?}");
        assert!(page.run().to_read().starts_with(&read), "{read:?} were read\n{page:#?}");
        let listed = self.client.list().of::<errand>().limit(1_000).await?;
        let missing = self.pages.iter().find(|page| !listed.instances.iter().any(|listed| listed.id == page.id));
        assert!(missing.is_none(), "not listed: {missing:#?}");
        Ok(())
    }

    pub(crate) fn check_status<T>(&self, page: usize, status: &Status<T>) {
        let page = &self.pages[page];
        let said = || format!("{status:?}\n{page:#?}");
        assert_eq!(status.run as usize, page.runs.len(), "{}", said());
        match status.state {
            State::Terminated => assert_eq!(status.terminated, page.run().terminated, "{}", said()),
            State::Complete | State::Errored => {
                assert!(page.run().may_end() && page.run().terminated.is_none(), "{}", said());
            }
            _ => assert!(page.run().terminated.is_none(), "{}", said()),
        }
        match (&status.paused, page.run().pause) {
            (Some(paused), Pause::No) => {
                // Not its fault, but three workers died while they tried it alone.
                assert!(matches!(paused.reason, PauseReason::Quarantined { .. }), "{}", said());
            }
            (None, Pause::Yes) => panic!("it is not paused: {}", said()),
            (None, Pause::Asked) => assert!(status.pausing || status.state.is_final(), "{}", said()),
            _ => {}
        }
    }
}

/// The notes that a run has read, in order.
pub(crate) fn notes_read(history: &History) -> Vec<Note> {
    let read = |operation: &workflow::Operation| match &operation.end {
        Some(OperationEnd::Event(event)) => Some(event.decode().expect("errands read notes only")),
        _ => None,
    };
    history.operations.iter().filter_map(read).collect()
}
