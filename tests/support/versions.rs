//! One workflow as the releases of a program have it: in two major versions, and once broken.

/// What the first release has.
pub mod first {
    use workflow::prelude::*;

    use crate::load::{Hands, Paid};

    /// A bill as it was: paid as it is.
    #[workflow(name = "bill", version = 1)]
    pub async fn bill(number: u64, #[resource] hands: &Hands) -> workflow::Result<String> {
        step!("write", |cx| hands.work(cx, "write", number)).await?;
        let paid = wait_for::<Paid>("paid").await;
        step!("file", |cx| hands.work(cx, "file", 0)).await?;
        Ok(format!("bill {number} of the first release, paid {}", paid.amount))
    }
}

/// What a release had that should not have been: a step has another name, and the version does not say so.
pub mod broken {
    use workflow::prelude::*;

    use crate::load::{Hands, Paid};

    /// A bill as it was, nearly.
    #[workflow(name = "bill", version = 1)]
    pub async fn bill(number: u64, #[resource] hands: &Hands) -> workflow::Result<String> {
        step!("type", |cx| hands.work(cx, "type", number)).await?;
        let paid = wait_for::<Paid>("paid").await;
        step!("file", |cx| hands.work(cx, "file", 0)).await?;
        Ok(format!("bill {number} of the broken release, paid {}", paid.amount))
    }
}

/// What the second release has.
pub mod second {
    use workflow::prelude::*;

    use crate::load::{Hands, Paid};

    /// A bill as it is now: paid, then signed.
    #[workflow(name = "bill", version = 2)]
    pub async fn bill(number: u64, #[resource] hands: &Hands) -> workflow::Result<String> {
        step!("print", |cx| hands.work(cx, "print", number)).await?;
        let paid = wait_for::<Paid>("paid").await;
        step!("sign", |cx| hands.work(cx, "sign", 0)).await?;
        Ok(format!("bill {number} of the second release, paid {}", paid.amount))
    }
}
