//! People: what waits for somebody to decide, confirm or come back.

mod deletion;
mod expense;
mod invitation;
mod know_your_customer;
mod moderation;
mod onboarding;
mod vacation;
