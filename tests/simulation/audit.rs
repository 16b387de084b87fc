//! What must be true in the end: of the journals, of what callers were told, of what is left.

use std::collections::{BTreeMap, BTreeSet};

use workflow::journal::command::Ending;
use workflow::journal::head::{End, Place};
use workflow::journal::path::Path;
use workflow::journal::record::{Entry, Outcome, Record};
use workflow::store::model::{Data, Instance};
use workflow::words::id::InstanceId;

use crate::clients::{Kind, Order, Told};
use crate::eyes::Eyes;
use crate::flows::Found;

/// Whether a caller was told how a run ended; `once`: how the only one did.
pub(crate) fn agrees(eyes: &Eyes, id: &str, told: &Told, once: bool) -> Result<(), String> {
    let mut ends = eyes.ends.iter().filter(|((of, _, run), _)| of.as_str() == id && (!once || *run == 1));
    if ends.any(|(_, end)| is_same(end, told)) {
        return Ok(());
    }
    Err(format!("{id}: a caller was told {told:?}, and no run ended so"))
}

fn is_same(end: &End, told: &Told) -> bool {
    match (end, told) {
        (End::Returned(Ending { result: Ok(output) }), Told::Value(value)) => {
            output.decode::<serde_json::Value>().is_ok_and(|kept| kept == *value)
        }
        (End::Returned(Ending { result: Err(_) }), Told::Failed) | (End::Terminated { .. }, Told::Terminated) => true,
        _ => false,
    }
}

/// Everything that is left in the end.
pub(crate) fn audit(data: &Data, eyes: &Eyes, orders: &[Order]) -> Result<(), String> {
    for order in orders {
        for id in order.ids() {
            let found = data.instances.iter().find(|(of, _)| of.as_str() == id);
            let Some((id, instance)) = found else { return Err(format!("{id} was created and is not there")) };
            if !order.disturbed {
                output(id, instance, eyes, &order.kind)?;
            }
        }
    }
    for (id, instance) in &data.instances {
        journals(id, instance)?;
        if !instance.mailbox.is_empty() || !instance.outbox.is_empty() {
            return Err(format!("{id} has ended and left something behind: {instance:?}"));
        }
    }
    Ok(())
}

/// Each operation ended once in each run, and the times of records never go back.
fn journals(id: &InstanceId, instance: &Instance) -> Result<(), String> {
    for (run, records) in &instance.journals {
        let mut ended: BTreeSet<Path> = BTreeSet::new();
        let mut attempts: BTreeMap<Path, u32> = BTreeMap::new();
        let mut messages = BTreeSet::new();
        let mut latest = None;
        for encoded in records {
            let record = Record::decode(encoded.as_bytes()).map_err(|error| format!("{id}, run {run}: {error}"))?;
            if latest.is_some_and(|latest| record.time < latest) {
                return Err(format!("{id}, run {run}: the time of {record:?} is before {latest:?}"));
            }
            latest = Some(record.time);
            match &record.entry {
                Entry::Done(outcome) => {
                    if let Outcome::Event { message, .. } = outcome
                        && !messages.insert(*message)
                    {
                        return Err(format!("{id}, run {run}: message {message} was consumed twice"));
                    }
                    if !ended.insert(record.path.clone()) {
                        return Err(format!("{id}, run {run}: {} ended twice", record.path));
                    }
                }
                Entry::Attempt { number, .. }
                    if attempts.insert(record.path.clone(), *number).is_some_and(|before| before >= *number) =>
                {
                    return Err(format!("{id}, run {run}: attempt {number} of {} is there twice", record.path));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// What an instance that nobody restarted must have given.
fn output(id: &InstanceId, instance: &Instance, eyes: &Eyes, kind: &Kind) -> Result<(), String> {
    let Place::Done { end: End::Returned(Ending { result: Ok(output) }), .. } = &instance.head.place else {
        return Err(format!("{id} did not complete: {:?}", instance.head.place));
    };
    let unreadable = |error| format!("{id}: its output cannot be read: {error}");
    match kind {
        Kind::Tours(course) => {
            let found: Found = output.decode().map_err(unreadable)?;
            tokens(id, eyes, &found.tokens)?;
            // The runner of the race may have lost.
            if !(8..=9).contains(&found.tokens.len()) {
                return Err(format!("{id}: {course:?} gave {found:?}"));
            }
            in_time(id, instance, eyes, &found)
        }
        Kind::Gathers { senders, each } => {
            let numbers: Vec<u64> = output.decode().map_err(unreadable)?;
            for sender in 0..*senders {
                let of_sender: Vec<u64> = numbers.iter().copied().filter(|number| number / 1_000 == sender).collect();
                let sent: Vec<u64> = (0..*each).map(|turn| sender * 1_000 + turn).collect();
                if of_sender != sent {
                    return Err(format!("{id}: of sender {sender} came {of_sender:?}, sent was {sent:?}"));
                }
            }
            Ok(())
        }
        Kind::Raises { children, .. } => {
            let sum: u64 = output.decode().map_err(unreadable)?;
            let wanted: u64 = (0..*children).map(|number| number * 2).sum();
            if sum != wanted {
                return Err(format!("{id}: its children gave {sum}, not {wanted}"));
            }
            Ok(())
        }
        // It is gone, and so none of those that are looked at.
        Kind::Brief { .. } => Ok(()),
        Kind::Limited { .. } | Kind::Mails => tokens(id, eyes, &[output.decode().map_err(unreadable)?]),
    }
}

/// Results are those of bodies of this instance, each another one.
fn tokens(id: &InstanceId, eyes: &Eyes, tokens: &[u64]) -> Result<(), String> {
    let mut known = BTreeSet::new();
    for token in tokens {
        let of = usize::try_from(*token).ok().and_then(|at| eyes.tokens.get(at));
        // A body that only looks gives no token of its own.
        if of.is_none_or(|of| of != id.as_str()) || !known.insert(token) {
            return Err(format!("{id}: the result {token} is not of a body of its own: {tokens:?}"));
        }
    }
    Ok(())
}

/// An event that was accepted before the deadline came in time, and one accepted later did not.
fn in_time(id: &InstanceId, instance: &Instance, eyes: &Eyes, found: &Found) -> Result<(), String> {
    let Some((_, (_, accepted_at))) = eyes.accepted.iter().find(|((of, _), (run, _))| of == id && *run == 1) else {
        return if found.event.is_none() { Ok(()) } else { Err(format!("{id}: an event came that nobody sent")) };
    };
    let records = instance.journals.get(&1).into_iter().flatten();
    let records: Vec<Record> = records.filter_map(|record| Record::decode(record.as_bytes()).ok()).collect();
    if records.iter().any(|record| matches!(record.entry, Entry::Shifted { .. })) {
        return Ok(());
    }
    let waits = |record: &&Record| record.path.last().is_some_and(|last| last.name == "go");
    let due = records.iter().filter(waits).find_map(|record| match record.entry {
        Entry::Begun { due, .. } => Some(due),
        _ => None,
    });
    match (due, found.event) {
        (Some(due), None) if *accepted_at < due => {
            Err(format!("{id}: an event was accepted at {accepted_at:?}, before the deadline {due:?}, and lost"))
        }
        (Some(due), Some(_)) if *accepted_at > due => {
            Err(format!("{id}: an event was accepted at {accepted_at:?}, after the deadline {due:?}, and won"))
        }
        _ => Ok(()),
    }
}
