use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

macro_rules! query {
    ($($tokens:tt)*) => {
        1
    };
}

#[workflow]
async fn order(id: u64) -> u64 {
    let user = query!(get user from { fetch(id).await } as @user);
    let again = query!(get user from fetch(id).await as @user);
    id
}

fn main() {}
