use workflow::prelude::*;

struct Totals {
    orders: u64,
}

static mut TOTALS: Totals = Totals { orders: 0 };

#[workflow]
async fn order(id: u64) -> u64 {
    unsafe {
        TOTALS.orders = id;
    }
    id
}

fn main() {}
