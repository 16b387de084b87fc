//! What lets the tasks of one simulated process go on, holds them still, or drops them.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use tokio::sync::Notify;
use workflow::engine::{Gate, Life};

/// The gate of one process.
#[derive(Debug)]
pub(crate) struct Valve {
    state: Mutex<State>,
    over: Notify,
}

#[derive(Debug)]
struct State {
    life: Life,
    /// Tasks that asked while it stood still, in the order in which they asked.
    held: Vec<Waker>,
}

impl Valve {
    pub(crate) fn new() -> Arc<Self> {
        let state = State { life: Life::Goes, held: Vec::new() };
        Arc::new(Self { state: Mutex::new(state), over: Notify::new() })
    }

    /// Changes how it is. What is over stays over.
    pub(crate) fn set(&self, life: Life) {
        let held = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.life == Life::Over {
                return;
            }
            state.life = life;
            std::mem::take(&mut state.held)
        };
        held.into_iter().for_each(Waker::wake);
        if life == Life::Over {
            self.over.notify_waiters();
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).life == Life::Over
    }

    /// Ready once it is over.
    pub(crate) async fn until_over(&self) {
        loop {
            let mut over = std::pin::pin!(self.over.notified());
            // Before the look, so that no end falls between the two.
            over.as_mut().enable();
            if self.is_over() {
                return;
            }
            over.await;
        }
    }
}

impl Gate for Valve {
    fn life(&self, cx: &mut Context<'_>) -> Life {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.life == Life::Stands {
            state.held.push(cx.waker().clone());
        }
        state.life
    }
}
