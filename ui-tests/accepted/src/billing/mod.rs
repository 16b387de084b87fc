//! Money: subscriptions, invoices, and what happens when nobody pays.

mod dunning;
mod gift_card;
mod invoicing;
mod payout;
mod subscription;
mod trial;
mod usage;
