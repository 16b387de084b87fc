//! Random draws of every type, to pick a variant, to shuffle and to spread load.

use crate::remote;
use serde::{Deserialize, Serialize};
use workflow::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Variant {
    Control,
    Green,
    Blue,
}

#[part]
async fn shuffled<T: Send>(mut all: Vec<T>) -> Vec<T> {
    for at in (1..all.len()).rev() {
        let other = random::<u32>().await as usize % (at + 1);
        all.swap(at, other);
    }
    all
}

/// Shows a page to users, one of three variants each.
#[workflow]
async fn experiment(users: Vec<u64>) -> workflow::Result<Vec<(u64, Variant)>> {
    let mut shown = Vec::with_capacity(users.len());
    let seed: [u8; 4] = random().await;
    let (salt, shift): (u64, u16) = random().await;
    for user in shuffled(users).await {
        let variant = match random::<f64>().await {
            ..0.5 => Variant::Control,
            _ if random::<bool>().await => Variant::Green,
            _ => Variant::Blue,
        };
        sleep(1s * u32::from(random::<u8>().await)).await;
        let bucket = (user ^ salt).rotate_left(u32::from(shift)) % u64::from(u8::MAX) + u64::from(seed[0]);
        step!("show", key = user, remote::answer(bucket)).await?;
        shown.push((user, variant));
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_again() {
        let shown = |seed| experiment::test((0..9).collect()).seed(seed).run().result.expect("it runs");
        assert_eq!(shown(1), shown(1));
        assert_ne!(shown(1), shown(2));
        assert_eq!(shown(3).len(), 9);
    }
}
