//! The store's protocol, explored: every interleaving of clients, operators, two workers and a sweeper over the real
//! transition table, with lost replies, late and repeated requests, crashes, a clock and a store that loses what it
//! acknowledged, within stated budgets. Workflows have three steps, of a night four, before a release five.
//!
//! Each world finds no violation; each guard of the table, switched off, makes one appear: so the properties can see.

mod controls;
mod guards;
mod model;
mod outside;
mod program;
mod rules;
mod settle;
mod state;
mod workers;
mod worlds;
