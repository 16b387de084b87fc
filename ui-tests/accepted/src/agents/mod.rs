//! Agents: loops around a language model, with tools, budgets, and people who are asked.

mod conversation;
mod planner;
mod research;
mod reviewer;
mod tools;
