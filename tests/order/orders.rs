//! Orders to give to the example, and what must come of them.

use std::collections::BTreeSet;

use serde_json::json;

use crate::effects::Execution;

/// One order.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub id: String,
    pub skus: Vec<&'static str>,
    pub pays: bool,
}

impl Order {
    /// An order that is paid.
    pub(crate) fn paid(id: impl Into<String>, skus: &[&'static str]) -> Self {
        Self { id: id.into(), skus: skus.to_vec(), pays: true }
    }

    /// An order that is not.
    pub(crate) fn unpaid(id: impl Into<String>) -> Self {
        Self { id: id.into(), skus: vec!["LAMP"], pays: false }
    }
}

/// Three orders, one of which is not paid: every step there is happens.
pub(crate) fn three() -> Vec<Order> {
    vec![Order::paid("a-1", &["MUG", "TEA"]), Order::unpaid("b-2"), Order::paid("c-3", &["PEN"])]
}

/// As the input file has them.
pub(crate) fn to_json(orders: &[Order]) -> String {
    let orders: Vec<_> = orders
        .iter()
        .map(|order| {
            let items: Vec<_> =
                order.skus.iter().map(|sku| json!({ "sku": sku, "quantity": 2, "price": 125 })).collect();
            let timeout = if order.pays { "10m" } else { "500ms" };
            json!({ "id": order.id, "user_id": 3, "items": items, "pays": order.pays, "payment_timeout": timeout })
        })
        .collect();
    serde_json::to_string_pretty(&orders).expect("values are JSON")
}

/// Every execution of a step body that the orders need, once each.
pub(crate) fn executions(orders: &[Order]) -> BTreeSet<Execution> {
    orders.iter().flat_map(executions_of).collect()
}

fn executions_of(order: &Order) -> Vec<Execution> {
    let one = |step: &str, key: Option<&str>| Execution::first(&order.id, step, key);
    let mut all = vec![one("fetch user", None), one("create payment intent", None)];
    if !order.pays {
        all.push(one("cancel order", None));
        return all;
    }
    all.extend(order.skus.iter().map(|sku| one("reserve", Some(sku))));
    all.extend(["confirmation mail", "shipping label", "ask for review"].map(|step| one(step, None)));
    all
}

/// Fails unless the lines are one an order, in the order of the input, each saying what its order must come to.
pub(crate) fn check_output(orders: &[Order], lines: &[String]) {
    assert_eq!(lines.len(), orders.len(), "one line an order: {lines:#?}");
    for (order, line) in orders.iter().zip(lines) {
        let columns: Vec<_> = line.split('\t').collect();
        let [id, state, output] = columns[..] else { panic!("three columns: {line:?}") };
        assert_eq!((id, state), (order.id.as_str(), "complete"), "{line}");
        let output: serde_json::Value = serde_json::from_str(output).expect("the third column is JSON");
        let status = if order.pays { "paid" } else { "cancelled" };
        assert_eq!(output["status"], status, "{line}");
    }
}
