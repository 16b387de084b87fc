//! Services: resources of every kind, and how they reach steps.

mod cloned;
mod configured;
mod passed_on;
mod several;
mod trait_objects;
