//! Ordinary code, which may do what it likes.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Calls much of what a workflow must not.
pub fn ordinary(all: &HashMap<u64, u64>) -> u64 {
    let began = Instant::now();
    let id = uuid::Uuid::new_v4();
    let zone = std::env::var("ZONE").unwrap_or_default();
    std::thread::sleep(Duration::from_millis(1));
    let mut sum = u64::from(id.is_nil()) + zone.len() as u64;
    for count in all.values() {
        sum += count;
    }
    sum + *Mutex::new(1).lock().expect("nobody panics") + u64::from(began.elapsed().is_zero())
}
