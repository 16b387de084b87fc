//! Any journal on any code: the door through which tests come to the machine's replay.

use super::world::World;
use crate::definition::{Definition, EncodedInputs, Resources};
use crate::journal::command::PauseReason;
use crate::journal::machine::Stand;
use crate::journal::path::Path;
use crate::journal::record::Record;

/// Where the code of `W` stands when it has taken these records, whoever wrote them. No body runs and nothing is
/// written. With `enter_from` the blocks of groups are run whose ends are recorded from this record on.
///
/// # Errors
/// When the inputs cannot be recorded.
pub fn replay<W: Definition>(inputs: EncodedInputs, records: Vec<Record>, enter_from: usize) -> Result<Stand, String> {
    let world = world::<W>(inputs)?;
    let (info, code) = world.code(world.subject()).ok_or("the instance was not created")?;
    Ok(code.replay(info, records, enter_from).stand)
}

/// What the code of `W` keeps of these records when it is restarted from the operation at `path`.
///
/// # Errors
/// When the inputs cannot be recorded; within, why the run would be parked.
pub fn fork<W: Definition>(
    inputs: EncodedInputs,
    records: Vec<Record>,
    path: Path,
) -> Result<Result<Vec<Record>, PauseReason>, String> {
    let world = world::<W>(inputs)?;
    let (info, code) = world.code(world.subject()).ok_or("the instance was not created")?;
    let now = records.last().map_or(info.started_at, |last| last.time);
    Ok(code.fork(info, records, path, now))
}

fn world<W: Definition>(inputs: EncodedInputs) -> Result<World, String> {
    let mut world = World::new(Resources::default(), None, Vec::new());
    let input = inputs.into_payload().map_err(|error| error.to_string())?;
    world.create(W::registration(), input, 7)?;
    Ok(world)
}
