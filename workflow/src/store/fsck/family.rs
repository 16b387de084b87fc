//! What must be true of a parent and its child.
//!
//! A child is made through the outbox of its parent, and the parent forgets the command when it was carried out; so what
//! a parent waits for, or is to close, is there, or still in its outbox, or has ended and told its parent. A child that
//! closes with its parent is remembered by it until it has ended, or the command to close it is under way.
//!
//! Only a child's first run is asked about: one that was restarted by an operator goes on whatever became of its parent.

use std::collections::BTreeSet;

use super::instance::Kept;
use super::report::{Area, Finding};
use crate::journal::command::{Outgoing, Parent, ParentClose, Wait};
use crate::journal::head::{Head, Place};
use crate::journal::message::Channel;
use crate::words::id::InstanceId;

/// A parent, as far as its child asks.
#[derive(Debug, Default)]
pub(crate) struct Relative {
    /// Children it is to close.
    pub(crate) children: BTreeSet<InstanceId>,
    /// Children whose closing is under way.
    pub(crate) closing: BTreeSet<InstanceId>,
}

/// The children that must exist: it waits for their ends or is to close them, and has made them.
pub(crate) fn children_missed(kept: &Kept<'_>) -> BTreeSet<InstanceId> {
    let head = kept.head;
    let waits: &[Wait] = match &head.place {
        Place::Asleep { waits, .. } | Place::Inbox { waits, .. } | Place::Paused { waits, .. } => waits,
        _ => &[],
    };
    let waited_for = waits.iter().filter_map(|wait| wait.channel.as_ref()?.as_child());
    let mut missed: BTreeSet<InstanceId> = waited_for.filter_map(|id| InstanceId::new(id).ok()).collect();
    missed.extend(head.children.iter().cloned());
    for outgoing in kept.outbox.values().flatten() {
        if let Outgoing::CreateChild { id, .. } = outgoing {
            missed.remove(id);
        }
    }
    // Whose end has come may be gone.
    let heard: BTreeSet<&Channel> = kept.mailbox.values().flatten().map(|message| &message.message.channel).collect();
    missed.retain(|child| !heard.contains(&Channel::child(child)));
    missed
}

/// A child that must exist and does not.
pub(crate) fn is_missed(id: &InstanceId, child: &InstanceId) -> Finding {
    let what = format!("its child {child} does not exist, and no command to make it is under way");
    Finding::of(Area::Family, Some(id), "head", what)
}

/// The parent that must know of it, if one must.
pub(crate) fn parent_wanted(head: &Head) -> Option<&Parent> {
    let goes_on = head.run == 1 && !matches!(head.place, Place::Done { .. });
    head.spec.parent.as_ref().filter(|parent| goes_on && parent.on_close == ParentClose::Terminate)
}

/// Whether a parent, as it was found, closes this child when it ends, or is closing it. Says what is wrong.
pub(crate) fn is_cared_for(id: &InstanceId, parent: &InstanceId, found: Option<&Relative>) -> Option<Finding> {
    let what = match found {
        None => format!("its parent {parent} does not exist, and nobody has closed it"),
        Some(found) if found.children.contains(id) || found.closing.contains(id) => return None,
        Some(_) => format!("its parent {parent} does not know of it, and nobody will close it"),
    };
    Some(Finding::of(Area::Family, Some(id), "head", what))
}

impl Relative {
    /// What its head and outbox say.
    pub(crate) fn of<'a>(
        children: impl IntoIterator<Item = InstanceId>,
        outbox: impl IntoIterator<Item = &'a Outgoing>,
    ) -> Self {
        let closing = outbox.into_iter().filter_map(|outgoing| match outgoing {
            Outgoing::Close { child, .. } => Some(child.clone()),
            _ => None,
        });
        Self { children: children.into_iter().collect(), closing: closing.collect() }
    }
}
