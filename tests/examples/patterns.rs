//! Examples that print the same in each run, to the letter.

use crate::program::{output, run_in};

#[test]
fn a_program_of_one_process_pays_one_order_and_refuses_another() {
    let expected = "\
order-1
  checking the order of Ada
  taking 1250 cents
  mail to Ada: thank you for the payment of Ada
  complete: 1250 for payment of Ada
order-2
  checking the order of Grace
  errored: step \"validate\" failed: there is nothing to pay
";
    assert_eq!(output("simple"), expected);
}

#[test]
fn each_step_is_tried_as_its_options_say() {
    let expected = "\
flaky: attempt 1
flaky: attempt 2
flaky: attempt 3
hopeless: attempt 1
hopeless: attempt 2
hopeless: attempt 3
stolen card: attempt 1
missing: attempt 1
slow: attempt 1
slow: attempt 2
flaky gave 42
step \"hopeless\" failed after 3 attempts: connection refused
step \"stolen card\" failed: the card is stolen (not to be tried again)
step \"missing\" failed: entity not found (not to be tried again)
step \"slow\" failed after 2 attempts: the attempt took longer than its timeout
";
    assert_eq!(output("retries"), expected);
}

#[test]
fn a_workflow_sees_why_a_step_failed_and_cleans_up() {
    let expected = "\
locking the account of Ada
taking 50 from Ada
unlocking the account of Ada
=> 50 for Ada
locking the account of Grace
taking 50 from Grace
unlocking the account of Grace
=> Grace has only 20
locking the account of Barbara
taking 50 from Barbara
taking 50 from Barbara
unlocking the account of Barbara
=> nothing for Barbara: step \"take\" failed after 2 attempts: the bank is closed
";
    assert_eq!(output("errors"), expected);
}

#[test]
fn a_group_that_is_tried_again_does_not_repeat_what_had_finished() {
    let expected = "\
fetching the mug
fetching the pen
fetching the book
closing the boxes
printing a label for 2 boxes
calling the carrier
calling the carrier
weighing 2 boxes
it cost 1200

order-1 run 1
  group \"pack\": done
    step \"fetch\" [mug]: done
    step \"fetch\" [pen]: done
    step \"fetch\" [book]: done
    step \"close the boxes\": done
  group \"ship\", 2 attempts: done
    step \"label\": done
    group \"hand over\", 2 attempts: done
      step \"call the carrier\", 2 attempts: done
      step \"weigh\": done
";
    assert_eq!(output("groups"), expected);
}

#[test]
fn all_of_them_as_many_as_can_be_or_the_first() {
    let expected = "\
MUG for 1250 cents, stars unknown, 7 left, a picture from nearby
";
    assert_eq!(output("parallel"), expected);
}

#[test]
fn each_claim_has_the_steps_it_needs() {
    let expected = "\
small: paid at once
  step \"pay at once\": done
seen: paid
  step \"assess\": done
  step \"pay\": done
unseen: paid after a visit
  step \"assess\": done
  step \"visit\" [1]: done
  step \"visit\" [2]: done
  step \"pay\": done
";
    assert_eq!(output("conditional"), expected);
}

#[test]
fn no_more_than_so_many_at_once() {
    let expected = "\
210 words in all
20 texts, at most 5 at once
";
    assert_eq!(output("fan_out"), expected);
}

#[test]
fn events_are_kept_taken_once_and_matched_by_key() {
    let expected = "\
A1: delivered at the door by truck 7
B2: lost by truck 8
    2 waits, 0 events left
C3: never picked up
";
    assert_eq!(output("events"), expected);
}

#[test]
fn it_looks_until_it_is_ready() {
    let expected = "\
ordering an export of orders
export-of-orders: 0 %
export-of-orders: 25 %
export-of-orders: 50 %
export-of-orders: 75 %
export-of-orders: 100 %
ready: https://exports.example/export-of-orders.csv
";
    assert_eq!(output("polling"), expected);
}

#[test]
fn years_pass_in_virtual_time() {
    let expected = "\
Ada: Ok(Complete { cents: 50800 }) after 360 days
Grace: Ok(Cancelled { months: 4, cents: 3600 }) after 100 days
Barbara: Ok(Unpaid { months: 0, cents: 0 }) after 0 days
";
    assert_eq!(output("subscription"), expected);
}

#[test]
fn an_agent_asks_before_it_destroys() {
    let expected = "\
make room on the disk
  model: I look around.
  model: This one is old.
  person: call-3 is granted
  tool: deleting /var/log/2019.log
  answer: Done: /var/log/2019.log is deleted.
make room on the disk
  model: I look around.
  model: This one is old.
  person: call-3 is refused
  answer: Done: the user does not want this.
";
    assert_eq!(output("agent"), expected);
}

#[test]
fn a_child_that_fails_is_told_of_and_the_others_are_paid() {
    let expected = "\
1030 to Ada
nothing to Charles: the child workflow failed: step \"look up\" failed: he does not work here
1050 to Grace
1070 to Barbara
3150 in all
";
    assert_eq!(output("child"), expected);
}

#[test]
fn each_item_has_its_outcome() {
    let expected = "\
invoice-1: invoice 1 is sent
invoice-2: was there before
invoice 3: the instance id has the character ' ' at byte 7; allowed are letters, digits and any of . _ ~ : @ + -
invoice-4: invoice 4 is sent
the same again gives 3 handles
";
    assert_eq!(output("batch"), expected);
}

#[test]
fn what_is_urgent_comes_first_and_other_queues_are_left() {
    let expected = "\
rendering the trailer
rendering the feature
rendering the archive
the mail is queued
mail to Ada
";
    assert_eq!(output("priorities"), expected);
}

#[test]
fn each_instance_runs_on_the_code_it_began_with() {
    let expected = "\
oldest, version 1: packed, labelled, shipped
newer, version 1: packed, weighed, labelled, shipped
newest, version 2: handed over to someone else
";
    assert_eq!(output("versions"), expected);
}

#[test]
fn ordinary_functions_create_and_wait() {
    let expected = "\
copy of sda
copy of sdb
copy of sdc
";
    assert_eq!(output("embedded"), expected);
}

#[test]
fn each_call_takes_effect_and_what_makes_no_sense_is_refused() {
    let expected = "\
report waits for: wait \"review\"
paused: it is paused
an event was sent: it is paused
resumed: report, reviewed by Ada
terminated: it is terminated
the instance was terminated: it was a bad idea
the instance draft is terminated: it cannot be paused
restarted: draft, reviewed by Grace
draft run 1
  step \"spell\": done
draft run 2
  step \"spell\": done
  wait \"review\": event
  step \"publish\": done
complete: draft, report
";
    assert_eq!(output("control"), expected);
}

#[test]
fn a_person_is_reminded_until_there_is_a_decision_or_no_time_left() {
    // How many reminders fit into the time depends on how busy the machine is.
    let printed = output("human_approval");
    let (granted, forgotten) = printed.split_once("expense-1: paid 120, granted by Ada\n").expect("the first is paid");
    let (asked, paid) = ("to the manager: may 120 be spent?\n", "paying 120\n");
    let first = granted.matches("reminder").count();
    assert!(first >= 2, "{printed}");
    assert_eq!(granted, format!("{asked}{}{paid}", reminders("120", first)));
    let second = forgotten.matches("reminder").count();
    let refused = "expense-2: refused: nobody decided in time\n";
    let asked = "to the manager: may 90000 be spent?\n";
    assert_eq!(forgotten, format!("{asked}{}{refused}", reminders("90000", second)));
}

/// The first so many reminders.
fn reminders(amount: &str, count: usize) -> String {
    (1..=count).map(|number| format!("to the manager: reminder {number}, may {amount} be spent?\n")).collect()
}

#[test]
fn a_check_says_what_is_wrong_and_how_it_ended() {
    let sound = "1 instances, 1 records, 0 messages, 0 outgoing commands, 1 sessions, 0 limits, 2 entries of indexes: all is \
                 sound\n";
    assert_eq!(output("fsck"), format!("Hello, Ada!\nsqlite::memory:: {sound}"));
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let missing = run_in(folder.path(), "fsck", &["sqlite:none.db"]);
    assert_eq!(missing.code(), Some(2), "{}", missing.stdout);
    assert!(!folder.path().join("none.db").exists(), "a check makes nothing");
    let hello = run_in(folder.path(), "hello", &[]);
    hello.succeeded();
    let report = run_in(folder.path(), "fsck", &["sqlite:hello.db"]);
    assert_eq!(report.code(), Some(0), "{}", report.stdout);
    let file = std::fs::read(folder.path().join("hello.db")).expect("hello keeps its store here");
    assert!(!file.is_empty());
}
