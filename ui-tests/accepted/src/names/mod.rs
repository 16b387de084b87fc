//! Names that are the user's own although they sound like something refused, or like something of ours.

mod own_clock;
mod own_methods;
mod own_types;
mod variables;
