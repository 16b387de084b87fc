use std::collections::HashMap;
use workflow::prelude::*;

/// A text of a map has the map's order: as it stands, and captured.
#[workflow]
async fn order(stock: HashMap<String, u64>) -> String {
    let text = format!("{:?}", stock);
    text + &format!("{stock:?}")
}

fn main() {}
