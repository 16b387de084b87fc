use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    async fn pay() -> Result<u64, std::io::Error> {
        Ok(1)
    }
    async fn paid() {
        let _ = step!("pay", pay());
    }
    id
}

fn main() {}
