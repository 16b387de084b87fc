//! The requests of the demo, one after the other, each with what it is to show.

use serde_json::{Value, json};

use crate::AnyError;
use crate::http::Server;

/// A tour through the API.
pub(crate) struct Tour {
    server: Server,
}

impl Tour {
    pub(crate) const fn new(server: Server) -> Self {
        Self { server }
    }

    /// Takes it.
    pub(crate) async fn take(&self) -> Result<(), AnyError> {
        println!("\nAn order is created once, however often it is sent");
        let ada = json!({ "id": "order-1", "customer": "Ada", "cents": 1250 });
        self.post("/orders", Some(&ada)).await?;
        self.post("/orders", Some(&ada)).await?;
        self.watch("/orders/order-1", "waiting").await?;

        println!("\nIt can be paused, and an event that comes meanwhile is kept; delivered twice it is taken once");
        self.post("/orders/order-1/pause", None).await?;
        let paid = json!({ "type": "payment.received", "id": "payment-1", "payload": { "cents": 1250 } });
        self.post("/orders/order-1/events", Some(&paid)).await?;
        self.post("/orders/order-1/events", Some(&paid)).await?;
        self.status("/orders/order-1").await?;
        self.post("/orders/order-1/resume", None).await?;
        self.watch("/orders/order-1", "complete").await?;
        self.status("/orders/order-1").await?;
        self.history("/orders/order-1").await?;

        println!("\nAn order may fail, or be ended, and begin again");
        self.post("/orders", Some(&json!({ "id": "order-2", "customer": "Grace", "cents": 0 }))).await?;
        self.watch("/orders/order-2", "errored").await?;
        self.status("/orders/order-2").await?;
        self.post("/orders", Some(&json!({ "id": "order-3", "customer": "Barbara", "cents": 90 }))).await?;
        self.watch("/orders/order-3", "waiting").await?;
        self.post("/orders/order-3/terminate", None).await?;
        self.post("/orders/order-3/restart", None).await?;
        self.watch("/orders/order-3", "waiting").await?;

        println!("\nOrders are listed by state, page by page");
        self.list("/orders?state=complete").await?;
        let next = self.list("/orders?limit=2").await?;
        self.list(&format!("/orders?limit=2&page={}", next.as_str().unwrap_or_default())).await?;

        println!("\nWhat cannot be done is refused, and why");
        self.get("/orders/nobody").await?;
        self.post("/orders/order-1/pause", None).await?;
        self.post("/orders/order-1/events", Some(&json!({ "type": "payment.received" }))).await?;
        self.post("/orders", Some(&json!({ "id": "not an id", "customer": "Ada", "cents": 1 }))).await?;
        self.post("/orders", Some(&json!({ "id": "order-4" }))).await?;
        self.get("/orders?state=lost").await?;
        self.post("/orders/order-1/explode", None).await?;
        self.get("/customers").await?;
        println!();
        Ok(())
    }

    async fn post(&self, path: &str, body: Option<&Value>) -> Result<(), AnyError> {
        let (status, answer) = self.server.ask("POST", path, body).await?;
        let sent = body.map(|body| format!(" {body}")).unwrap_or_default();
        println!("POST {path}{sent}\n  {status}{}", shown(&answer));
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<(), AnyError> {
        let (status, answer) = self.server.ask("GET", path, None).await?;
        println!("GET {path}\n  {status}{}", shown(&answer));
        Ok(())
    }

    /// The status without its times.
    async fn status(&self, path: &str) -> Result<(), AnyError> {
        let (status, answer) = self.server.ask("GET", path, None).await?;
        let words =
            ["state", "run", "output", "error", "unread_events"].map(|name| (name.to_owned(), answer[name].clone()));
        let told: Value = words.into_iter().filter(|(_, value)| !value.is_null()).collect();
        println!("GET {path}\n  {status} {told}");
        Ok(())
    }

    /// The operations of a history, in words.
    async fn history(&self, path: &str) -> Result<(), AnyError> {
        let (status, answer) = self.server.ask("GET", &format!("{path}/history"), None).await?;
        println!("GET {path}/history\n  {status}");
        for operation in answer["operations"].as_array().into_iter().flatten() {
            println!("    {}", operation["operation"].as_str().unwrap_or_default());
        }
        Ok(())
    }

    /// Waits until an order is in this state.
    async fn watch(&self, path: &str, state: &str) -> Result<(), AnyError> {
        let states = self.server.watch(&format!("{path}/watch"), state).await?;
        println!("GET {path}/watch\n  … {}", states.last().map_or("nothing", String::as_str));
        Ok(())
    }

    /// Shows the ids of a page; gives where the next one begins.
    async fn list(&self, path: &str) -> Result<Value, AnyError> {
        let (status, answer) = self.server.ask("GET", path, None).await?;
        let ids: Vec<_> =
            answer["instances"].as_array().into_iter().flatten().map(|order| order["id"].clone()).collect();
        // A page's token holds a time.
        let path = path.split_once("&page=").map_or_else(|| path.to_owned(), |(path, _)| format!("{path}&page=…"));
        println!("GET {path}\n  {status} {}", json!(ids));
        Ok(answer["next"].clone())
    }
}

/// An answer behind its status.
fn shown(answer: &Value) -> String {
    if answer.is_null() { String::new() } else { format!(" {answer}") }
}
