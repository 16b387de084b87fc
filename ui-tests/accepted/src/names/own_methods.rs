//! Methods and functions of the user's that are called `send`, `lock`, `read`, `write`, `get`, `spawn`, `elapsed`, …

use crate::remote;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use workflow::prelude::*;

/// A door of a game.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Door {
    locked: bool,
    log: Vec<String>,
    values: BTreeMap<String, u32>,
}

impl Door {
    fn lock(&mut self) -> &mut Self {
        self.locked = true;
        self
    }

    fn unlock(&mut self) {
        self.locked = false;
    }

    fn read(&self, name: &str) -> u32 {
        self.values.get(name).copied().unwrap_or_default()
    }

    fn write(&mut self, name: &str, value: u32) -> Option<u32> {
        self.values.insert(name.to_owned(), value)
    }

    fn send(&mut self, text: impl Into<String>) {
        self.log.push(text.into());
    }

    fn recv(&mut self) -> Option<String> {
        self.log.pop()
    }

    fn spawn(&self, monsters: u32) -> Vec<Monster> {
        vec![Monster { health: self.read("health") }; monsters as usize]
    }

    fn iter(&self) -> impl Iterator<Item = (&String, &u32)> {
        self.values.iter()
    }

    fn drain(&mut self) {
        self.log.clear();
    }

    fn keys(&self) -> usize {
        self.values.len()
    }
}

#[derive(Debug, Clone, Copy)]
struct Monster {
    health: u32,
}

impl Monster {
    const fn elapsed(self, rounds: u32) -> u32 {
        self.health.saturating_sub(rounds)
    }

    const fn load(self) -> u32 {
        self.health
    }

    fn swap(&mut self, health: u32) -> u32 {
        std::mem::replace(&mut self.health, health)
    }

    const fn now(self) -> u32 {
        self.health
    }

    const fn is_ready(self) -> bool {
        self.health == 0
    }
}

async fn save(door: &Door) -> io::Result<usize> {
    remote::answer(door.log.len()).await
}

fn select(monsters: &mut [Monster]) -> Option<&mut Monster> {
    monsters.iter_mut().max_by_key(|monster| monster.health)
}

fn spawn(count: u32) -> u32 {
    count + 1
}

fn now(monster: Monster) -> u32 {
    monster.now()
}

/// Plays at a door.
#[workflow]
async fn play(rounds: u32) -> workflow::Result<(u32, Door)> {
    let mut door = Door::default();
    door.lock().send("locked");
    door.write("health", 5);
    let mut monsters = door.spawn(spawn(1));
    for _ in 0..rounds {
        if let Some(monster) = select(&mut monsters) {
            let left = monster.elapsed(2);
            door.send(format!("{} to {left}", monster.swap(left)));
        }
        step!("save", save(&door)).await?;
        sleep(1s).await;
    }
    if monsters.iter().copied().all(Monster::is_ready) {
        door.unlock();
    }
    let last = door.recv();
    door.drain();
    door.send(last.unwrap_or_default());
    let left = monsters.iter().copied().map(Monster::load).sum::<u32>() + monsters.first().copied().map_or(0, now);
    let known: u32 = door.iter().map(|(name, value)| *value + u32::from(name.is_empty())).sum();
    door.write("keys", u32::try_from(door.keys())? + known);
    Ok((left, door))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_played() {
        let (left, door) = play::test(3).run().result.expect("a game");
        assert_eq!((left, door.read("keys"), door.log), (3 + 1 + 3, 6, vec!["3 to 1".to_owned()]));
    }
}
