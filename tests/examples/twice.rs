//! Examples that keep their store in the current folder: what they print when they are run again.

use crate::program::run_in;

#[test]
fn hello_greets_once_and_knows_the_reply_the_second_time() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let run = || run_in(folder.path(), "hello", &[]).succeeded();
    assert_eq!(run(), "greeting world\nsaid: Hello, world!\nreplied: Hello yourself.\n");
    assert_eq!(run(), "replied: Hello yourself.\n");
}

const LISBON: &str = "  booking a flight to Lisbon
  booking a hotel to Lisbon
  booking a car to Lisbon
";
const VENICE: &str = "  booking a flight to Venice
  booking a hotel to Venice
  booking a car to Venice
  booking a car to Venice
  cancelling the hotel to Venice
";
const TO_LISBON: &str = "Lisbon: booked flight to Lisbon, hotel to Lisbon, car to Lisbon\n";
const TO_VENICE: &str = "Venice: nothing booked: there are no cars in Venice\n";
const NO_FLIGHT: &str = "  cancelling the flight to Venice\n";

#[test]
fn a_saga_takes_back_newest_first_and_a_second_run_does_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let run = || run_in(folder.path(), "saga", &[]).succeeded();
    assert_eq!(run(), [LISBON, TO_LISBON, VENICE, NO_FLIGHT, TO_VENICE].concat());
    assert_eq!(run(), [TO_LISBON, TO_VENICE].concat());
}

#[test]
fn a_saga_that_dies_while_it_takes_back_goes_on_there() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let crashed = run_in(folder.path(), "saga", &["--crash"]);
    assert_eq!(crashed.signal(), Some(6), "{crashed:?}");
    assert_eq!(crashed.stdout, [LISBON, TO_LISBON, VENICE, "  (the process dies)\n"].concat());
    let second = run_in(folder.path(), "saga", &[]).succeeded();
    assert_eq!(second, [TO_LISBON, NO_FLIGHT, TO_VENICE].concat());
}
