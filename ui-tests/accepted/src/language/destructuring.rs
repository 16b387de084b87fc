//! Patterns everywhere: nested structs, references, slices, bindings, ranges, constants, destructuring assignment.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

const ORIGIN: Point = Point { x: 0, y: 0 };

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Meters(i32);

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Order {
    Go { to: Point, speed: Option<Meters> },
    Turn(i32),
    Stop,
}

async fn drive(from: Point, to: Point) -> io::Result<(Point, Meters)> {
    remote::answer((to, Meters((to.x - from.x).abs() + (to.y - from.y).abs()))).await
}

/// Drives a robot.
#[workflow]
async fn robot(orders: Vec<Order>) -> workflow::Result<(Point, i32)> {
    let (mut at, mut driven) = (ORIGIN, 0);
    let mut heading;
    [heading, _] = [0, 1];
    for (number, order) in orders.iter().enumerate() {
        match order {
            Order::Go { to: ORIGIN, .. } if at == ORIGIN => {}
            Order::Go { to: to @ Point { x, .. }, speed: None | Some(Meters(..=9)) } if *x >= 0 => {
                let meters;
                (at, Meters(meters)) = step!("drive", key = number, drive(at, *to)).await?;
                driven += meters;
            }
            &Order::Go { to: Point { x, y }, speed } => {
                let Meters(speed) = speed.unwrap_or(Meters(i32::MAX));
                let target = Point { x: x.max(0), y };
                let (reached, Meters(meters)) =
                    step!("drive fast", key = number, timeout = 1m, drive(at, target)).await?;
                (at, driven) = (reached, driven + meters.min(speed));
            }
            Order::Turn(degrees @ (-180..=180)) => heading = (heading + degrees).rem_euclid(360),
            Order::Turn(_) => return Err("it got dizzy".into()),
            Order::Stop => break,
        }
    }
    let Point { x, y } = at;
    Ok((Point { x, y: y + heading }, driven))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_drives() {
        let go = |x, y, speed: Option<i32>| Order::Go { to: Point { x, y }, speed: speed.map(Meters) };
        let orders =
            vec![go(0, 0, None), go(3, 4, None), Order::Turn(-90), go(-5, 4, Some(20)), Order::Stop, go(9, 9, None)];
        assert_eq!(robot::test(orders).run().result, Ok((Point { x: 0, y: 274 }, 10)));
    }
}
