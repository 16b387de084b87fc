//! Shops: what happens between an order and its delivery.

mod checkout;
mod fulfilment;
mod marketplace;
mod preorder;
mod restock;
mod returns;
