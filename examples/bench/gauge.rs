//! Costs: what a stretch of time took of this process, of the workers and of the server.

use std::time::{Duration, Instant};

use crate::AnyError;
use crate::process::cpu_time;
use crate::server::{Look, Watch};
use crate::stage::Stage;

/// A measurement that has begun.
pub(crate) struct Gauge {
    began: Instant,
    own: Duration,
    crew: Duration,
    server: Option<(Watch, Look)>,
}

/// What it came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    pub(crate) wall: Duration,
    /// CPU of this process.
    pub(crate) own: Duration,
    /// CPU of the worker processes, where there are any.
    pub(crate) crew: Option<Duration>,
    /// The server before and after; nothing where the store is embedded.
    pub(crate) server: Option<(Look, Look)>,
}

impl Gauge {
    /// Begins to measure.
    ///
    /// # Errors
    /// When the server or a worker process is gone.
    pub(crate) fn begin(stage: &Stage<'_>) -> Result<Self, AnyError> {
        let server = match stage.place.watch()? {
            Some(mut watch) => {
                let look = watch.look()?;
                Some((watch, look))
            }
            None => None,
        };
        Ok(Self { began: Instant::now(), own: cpu_time("self")?, crew: stage.crew.cpu_time()?, server })
    }

    /// Ends it.
    ///
    /// # Errors
    /// As [`Gauge::begin`].
    pub(crate) fn end(self, stage: &Stage<'_>) -> Result<Costs, AnyError> {
        let (wall, own) = (self.began.elapsed(), cpu_time("self")?.saturating_sub(self.own));
        let crew = stage.crew.cpu_time()?.saturating_sub(self.crew);
        let server = match self.server {
            Some((mut watch, before)) => Some((before, watch.look()?)),
            None => None,
        };
        Ok(Costs { wall, own, crew: (!stage.crew.is_empty()).then_some(crew), server })
    }
}

impl Costs {
    /// By how much the server's data grew, in bytes.
    pub(crate) fn bytes(&self) -> Option<i64> {
        self.server.map(|(before, after)| after.bytes.cast_signed() - before.bytes.cast_signed())
    }
}
