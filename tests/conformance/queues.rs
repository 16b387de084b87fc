//! How much waits in a queue, and since when the first of it does.

use workflow::journal::command::Then;
use workflow::store::QueueView;

use crate::world::{World, queue, spec, write};

on_every_store!(the_first_of_a_queue_says_since_when_it_is_ready);

fn view(w: &World, name: &str) -> QueueView {
    w.wait(w.store().queue(queue(name))).expect("the store works")
}

fn the_first_of_a_queue_says_since_when_it_is_ready(w: &mut World) {
    let session = w.open(1);
    let own = spec().queue.to_string();
    assert_eq!(view(w, &own), QueueView::default());
    let mut begun = w.hold("begun", session);

    let patient_since = w.now();
    w.make_with("patient", |spec| spec.priority = 2);
    w.make_with("elsewhere", |spec| spec.queue = queue("elsewhere"));
    assert_eq!(view(w, &own), QueueView { ready: 1, first_since: Some(patient_since) });

    // A step of priority is half a minute.
    w.advance(59_000);
    let urgent_since = w.now();
    w.make("urgent");
    assert_eq!(view(w, &own), QueueView { ready: 2, first_since: Some(urgent_since) });

    // What has begun comes before all that has not.
    w.advance(1_000);
    let begun_since = w.now();
    w.done(&mut begun, write(Then::Release));
    assert_eq!(view(w, &own), QueueView { ready: 3, first_since: Some(begun_since) });

    w.terminate("begun");
    w.terminate("urgent");
    assert_eq!(view(w, &own), QueueView { ready: 1, first_since: Some(patient_since) });
    assert_eq!(view(w, "elsewhere"), QueueView { ready: 1, first_since: Some(patient_since) });
    assert_eq!(view(w, "elsewher"), QueueView::default(), "the beginning of another's name");
}
