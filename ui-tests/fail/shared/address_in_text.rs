use workflow::prelude::*;

/// The text of an address is as different.
#[workflow]
async fn order(id: u64) -> String {
    format!("{:p}", &id)
}

fn main() {}
