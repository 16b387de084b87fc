//! Mistakes in workflows and parts, and the same in bodies of steps, where they are none.

use std::collections::HashMap;
use std::env::var as setting;
use std::fs::read_to_string as slurp;
use std::net::ToSocketAddrs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep as pause;
use std::time::{Duration, Instant as Clock, SystemTime as Wall};
use workflow::prelude::*;

/// Module-level renames, called.
#[workflow]
pub async fn renamed(id: u64) -> workflow::Result<usize> {
    let zone = setting("ZONE"); //~ disallowed_methods
    let text = slurp("zones.txt"); //~ disallowed_methods
    pause(Duration::from_millis(id)); //~ disallowed_methods
    let found = step!("read", async { slurp("zones.txt") }).await?;
    let region = step!("region", { Ok(setting("REGION")?) }).await?;
    Ok(zone.unwrap_or_default().len() + text.unwrap_or_default().len() + found.len() + region.len())
}

/// Function pointers.
#[workflow]
pub async fn pointers(id: Option<u64>) -> bool {
    let clock = Clock::now; //~ disallowed_methods
    let wall: fn() -> Wall = Wall::now; //~ disallowed_methods
    let made = id.unwrap_or_default();
    std::ptr::fn_addr_eq(wall, wall) && size_of_val(&clock) as u64 == made
}

/// Methods of what came from somewhere else.
#[workflow]
pub async fn methods(id: u64) -> workflow::Result<u64> {
    let shared = Arc::new(Mutex::new(id));
    let mine = *shared.lock().expect("nobody panics"); //~ disallowed_methods
    let count = counter().fetch_add(mine, order()); //~ disallowed_methods
    let path = std::path::Path::new("orders");
    let known = path.exists(); //~ disallowed_methods
    if known {
        return Ok(0);
    }
    let late = step!("count", async { Ok::<_, std::io::Error>(counter().fetch_add(1, order())) }).await?;
    let locked = step!("lock", key = id, |cx| async move {
        Ok::<_, std::io::Error>(u64::from(cx.attempt()) + u64::from(Mutex::new(1_u8).lock().is_ok()))
    })
    .await?;
    Ok(count + late + locked)
}

/// Trait methods. What one's own trait does, clippy sees nowhere.
#[workflow]
pub async fn traits(host: String) -> workflow::Result<usize> {
    let found = host.to_socket_addrs()?; //~ disallowed_methods
    let told = <Wall as Told>::told();
    let again = step!("resolve", async { host.to_socket_addrs().map(|found| found.len()) }).await?;
    Ok(found.len() + again + usize::from(told > Wall::UNIX_EPOCH))
}

/// What a workflow holds in a fn of its own.
#[workflow]
pub async fn nested(id: u64) -> usize {
    fn first(all: &HashMap<u64, u64>) -> usize {
        let mut sum = 0;
        for key in all.keys() {
            //~^ iter_over_hash_type
            sum = *key;
        }
        usize::try_from(sum).unwrap_or_default()
    }
    first(&HashMap::from([(id, id)]))
}

/// Parts are held to it as well.
#[part]
pub async fn helper(id: u64) -> workflow::Result<u64> {
    let zone = setting("ZONE"); //~ disallowed_methods
    let region = step!("region", { Ok(setting("REGION")?) }).await?;
    Ok(id + (zone.is_ok() || region.is_empty()) as u64)
}

/// The escapes.
#[workflow]
pub async fn allowed(id: u64) -> usize {
    #[allow_nondeterminism]
    let zone = setting("ZONE");
    let text = unrecorded!(slurp("zones.txt"));
    usize::from(zone.is_ok() || text.is_ok()) + usize::try_from(id).unwrap_or_default()
}

/// Something that is told by the clock.
pub trait Told {
    /// Now.
    fn told() -> Self;
}

impl Told for Wall {
    fn told() -> Self {
        Self::now()
    }
}

fn counter() -> &'static AtomicU64 {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    &COUNTER
}

fn order() -> Ordering {
    Ordering::Relaxed
}
