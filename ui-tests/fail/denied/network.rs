use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let stream = std::net::TcpStream::connect("localhost:80");
    drop(stream);
    id
}

fn main() {}
