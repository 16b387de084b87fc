//! A golden order as a file, in a store, and as a run that made one.
//!
//! Each line of a file is a word for what it is, its bytes in hexadecimal, and what that means, with tabs between.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use support::prelude::*;
use workflow::journal::command::{
    Command, Create, CreateReply, InstanceSpec, OwnReply, Owner, OwnerWrite, Reply, Then, Write,
};
use workflow::journal::head::{End, Head, Place};
use workflow::journal::record::Record;
use workflow::store::Store;
use workflow::store::model::ModelStore;
use workflow::words::id::{InstanceId, RequestId, SessionId};
use workflow::words::payload::Payload;
use workflow::words::time::ManualClock;

use crate::hex::{hex, unhex};
use crate::meaning;
use crate::order::{Order, Paid, order, voucher};

/// The id of every golden order; children have ids that follow from it.
const ID: &str = "golden-order";

/// Everything that is kept of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Golden {
    /// What the instance is.
    pub(crate) spec: Vec<u8>,
    /// Its head while it waited for the payment, and when it had ended.
    pub(crate) heads: Vec<Vec<u8>>,
    pub(crate) records: Vec<Payload>,
    pub(crate) output: Payload,
}

/// The file of a format.
pub(crate) fn file(format: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/orders/{format}.journal"))
}

/// Every golden order there is.
pub(crate) fn all() -> Vec<Golden> {
    let folder = fs::read_dir(file("any").parent().expect("it is in a folder")).expect("the golden orders are there");
    let texts = folder.map(|entry| fs::read_to_string(entry.expect("readable").path()).expect("readable"));
    let all: Vec<Golden> = texts.map(|text| Golden::read(&text)).collect();
    assert!(!all.is_empty(), "there is a golden order");
    all
}

impl Golden {
    /// From the text of a file; what the records mean must be what they meant.
    fn read(text: &str) -> Self {
        let mut golden = Self { spec: Vec::new(), heads: Vec::new(), records: Vec::new(), output: Payload::default() };
        for line in text.lines() {
            let (word, rest) = line.split_once('\t').expect("a word, a tab, and the rest");
            let (bytes, meant) = rest.split_once('\t').expect("bytes, a tab, a meaning");
            let bytes = unhex(bytes);
            match word {
                "spec" => golden.spec = bytes,
                "head" => golden.heads.push(bytes),
                "output" => golden.output = Payload::from_bytes(bytes),
                "record" => {
                    let record = Record::decode(&bytes).unwrap_or_else(|error| panic!("{meant}: {error}"));
                    assert_eq!(meaning(&record), meant);
                    golden.records.push(Payload::from_bytes(bytes));
                }
                other => panic!("a golden order has no {other}"),
            }
        }
        golden
    }

    /// The text of its file.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("spec\t{}\t{ID}\n", hex(&self.spec));
        for (head, meant) in self.heads.iter().zip(["waiting for the payment", "complete"]) {
            writeln!(text, "head\t{}\t{meant}", hex(head)).expect("a text takes any text");
        }
        for bytes in &self.records {
            let meant = meaning(&Record::decode(bytes.as_bytes()).expect("it was just written"));
            writeln!(text, "record\t{}\t{meant}", hex(bytes.as_bytes())).expect("a text takes any text");
        }
        let json = String::from_utf8_lossy(self.output.as_bytes());
        writeln!(text, "output\t{}\t{json}", hex(self.output.as_bytes())).expect("a text takes any text");
        text
    }

    pub(crate) fn decoded_spec(&self) -> Arc<InstanceSpec> {
        Arc::new(InstanceSpec::decode(&self.spec).expect("a spec is readable for ever"))
    }

    /// Runs an order on the current code, and keeps what is written.
    pub(crate) async fn of_a_run() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let (store, shop) = (workflow::open_store("sqlite::memory:", "default").await?, Witness::default());
        let engine = engine(&store, &shop).await?;
        let input = Order { user: "ada".to_owned(), items: vec!["tea".to_owned(), "kettle".to_owned()] };
        let instance = order::create(&engine, input).id(ID).await?;
        shop.ran("remind", 1).await;
        wait::state(&instance, State::Waiting).await;
        let waiting = head(&store).await?;
        instance.send(Paid { amount: 900 }).key("intent of ADA").await?;
        instance.result().await?;
        let complete = head(&store).await?;
        let Place::Done { end: End::Returned(ending), .. } = &complete.place else {
            return Err("the order has not ended".into());
        };
        let output = ending.result.clone().map_err(|failure| failure.message)?;
        let heads = vec![waiting.encode(), complete.encode()];
        Ok(Self { spec: complete.spec.encode(), heads, records: records(&store).await?, output })
    }

    pub(crate) fn decoded_head(&self, bytes: &[u8]) -> Head {
        Head::decode(bytes, self.decoded_spec()).expect("a head is readable for ever")
    }

    /// A store that holds the journal, as a worker wrote it that then left before it wrote the end.
    ///
    /// Its clock stands still: the order is created when it was created, and the end comes when it came.
    pub(crate) async fn imported(&self) -> Result<Arc<dyn Store>, Box<dyn std::error::Error + Send + Sync>> {
        let complete = self.decoded_head(self.heads.last().expect("the last head is the one of the end"));
        let clock = Arc::new(ManualClock::starting_at(complete.created_at));
        let store: Arc<dyn Store> = Arc::new(ModelStore::new(clock.clone()));
        let (session, id) = (SessionId(1), InstanceId::new(ID)?);
        let (request, spec) = (RequestId(1), self.decoded_spec());
        let create = Create { request, id: id.clone(), spec, local: Some(session), message: None };
        let opened = vec![Command::OpenSession { session, lease: Duration::from_secs(60) }, Command::Create(create)];
        let replies = store.execute(0, opened).await?;
        let [_, Reply::Create(CreateReply::Created { claimed: Some(claimed) })] = &replies[..] else {
            return Err(format!("the order was not created: {replies:?}").into());
        };
        let write = Write {
            records: self.records.clone(),
            consumed: Vec::new(),
            seen: 0,
            outgoing: Vec::new(),
            shifted_ms: 0,
            then: Then::Release,
        };
        let owner = Owner { id, session, run: claimed.run, v: claimed.v };
        let written = Command::Own(OwnerWrite { request: RequestId(2), owner, write });
        let replies = store.execute(0, vec![written, Command::CloseSession { session }]).await?;
        match &replies[..] {
            [Reply::Own(OwnReply::Ok(_)), _] => {
                clock.advance(complete.updated_at.until(complete.created_at));
                Ok(store)
            }
            other => Err(format!("the journal was not written: {other:?}").into()),
        }
    }
}

pub(crate) async fn engine(store: &Arc<dyn Store>, shop: &Witness) -> Result<Engine, EngineError> {
    Engine::builder().store(Arc::clone(store)).resource(shop.clone()).only::<(order, voucher)>().start().await
}

/// The golden order in a store.
pub(crate) async fn instance(engine: &Engine) -> Result<Handle<order>, EngineError> {
    order::get(engine, ID).await
}

/// What a store has of the order's journal.
pub(crate) async fn records(store: &Arc<dyn Store>) -> Result<Vec<Payload>, Box<dyn std::error::Error + Send + Sync>> {
    Ok(store.journal(InstanceId::new(ID)?, 1, 0).await?.ok_or("the journal is gone")?)
}

async fn head(store: &Arc<dyn Store>) -> Result<Head, Box<dyn std::error::Error + Send + Sync>> {
    Ok(store.inspect(InstanceId::new(ID)?).await?.ok_or("the order is gone")?.head)
}
