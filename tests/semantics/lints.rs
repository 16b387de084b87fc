//! What generated code does is no mistake of the user's: under lints that it would trip over, this module has no warning.
#![deny(
    unreachable_code,
    unused,
    clippy::diverging_sub_expression,
    clippy::elidable_lifetime_names,
    clippy::multiple_bound_locations,
    clippy::needless_pass_by_value,
    clippy::too_many_arguments,
    clippy::type_repetition_in_bounds
)]

use std::fmt::Display;

use support::prelude::*;

#[workflow]
async fn many_inputs(
    one: u64,
    two: u64,
    three: u64,
    four: u64,
    five: u64,
    six: u64,
    name: String,
    #[resource] witness: &Witness,
) -> workflow::Result<u64> {
    let shadowed = join_all([one, two].into_iter().map(|number| {
        step!("shadowed", key = number, {
            let number = 10;
            Ok(witness.ok("shadowed", number).await?)
        })
    }));
    let shadowed: u64 = shadowed.await.into_iter().sum::<Result<u64, _>>()?;
    let returned: u64 = group!("returned", { return Ok(step!("three", witness.ok("three", three)).await?) }).await?;
    let block: u64 = step!("four", { return Ok(witness.ok("four", four).await?) }).await?;
    let said = bounded(&name, five, witness).await?;
    Ok(shadowed + returned + block + six + said.len() as u64)
}

#[part]
async fn bounded<'a, T: Display + Sync>(name: &'a str, number: T, witness: &Witness) -> workflow::Result<&'a str>
where
    T: Send,
{
    step!("said", witness.ok(&format!("{name} {number}"), ())).await?;
    return Ok(name);
}

#[test]
fn a_workflow_of_every_form_has_no_warning_and_runs() {
    let report = many_inputs::test(1, 2, 3, 4, 5, 6, "seven".to_owned()).resource(Witness::default()).run();
    assert_eq!(report.result, Ok(20 + 3 + 4 + 6 + 5));
}
