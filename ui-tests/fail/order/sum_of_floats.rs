use std::collections::HashMap;
use workflow::prelude::*;

/// Floating point is rounded after each addition.
#[workflow]
async fn order(prices: HashMap<String, f64>) -> f64 {
    prices.values().sum::<f64>()
}

fn main() {}
