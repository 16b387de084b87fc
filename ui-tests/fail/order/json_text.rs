use std::collections::HashMap;
use workflow::prelude::*;

/// So has its JSON.
#[workflow]
async fn order(stock: HashMap<String, u64>) -> String {
    serde_json::to_string(&stock).unwrap_or_default()
}

fn main() {}
