//! What the user of the url must be allowed to do.
//!
//! Owns the list of every command that the store and its scripts send, and the question whether the user may send them.
//! It is asked when a store opens, before anything is written: a script that is refused one command halfway has written
//! what came before it. Servers before 7.0 cannot be asked; there a missing right is told when it is missed. The line
//! for `ACL SETUSER` in `docs/CONFIGURATION.md` grants this list. Called by the store.

use std::sync::Arc;

use super::check::Kind;
use super::keys::{self, Keys, Of};
use super::link::Link;
use super::places::Address;
use super::script::Script;
use crate::store::StoreError;
use crate::words::id::{InstanceId, Namespace};

/// Commands on one key, with what follows the key.
const ON_KEYS: [(&str, &[&str]); 23] = [
    ("EXISTS", &[]),
    ("GET", &[]),
    ("HDEL", &["f"]),
    ("HEXISTS", &["f"]),
    ("HGET", &["f"]),
    ("HGETALL", &[]),
    ("HINCRBY", &["f", "1"]),
    ("HMGET", &["f"]),
    ("HSET", &["f", "v"]),
    ("HSETNX", &["f", "v"]),
    ("INCR", &[]),
    ("SADD", &["m"]),
    ("SISMEMBER", &["m"]),
    ("UNLINK", &[]),
    ("ZADD", &["0", "m"]),
    ("ZCARD", &[]),
    ("ZLEXCOUNT", &["-", "+"]),
    ("ZRANGE", &["0", "0"]),
    ("ZRANGEBYLEX", &["-", "+"]),
    ("ZRANGEBYSCORE", &["0", "0"]),
    ("ZREM", &["m"]),
    ("ZREVRANGEBYLEX", &["+", "-"]),
    ("ZSCORE", &["m"]),
];
/// Commands on a channel.
const ON_CHANNEL: [(&str, &[&str]); 2] = [("PUBLISH", &["m"]), ("SUBSCRIBE", &[])];
/// The same on a cluster.
const ON_CHANNEL_OF_SHARD: [(&str, &[&str]); 2] = [("SPUBLISH", &["m"]), ("SSUBSCRIBE", &[])];
/// Commands on nothing.
const ALONE: [&[&str]; 4] = [&["INFO"], &["PING"], &["SCRIPT", "LOAD", "return 1"], &["TIME"]];
/// Commands that only a check of what is stored sends. They are not asked for when a store opens: workers do without,
/// and a check that may not send them says so and has changed nothing.
#[cfg(test)]
const OF_CHECKS: [&str; 5] = ["HKEYS", "SCAN", "SCARD", "TYPE", "ZSCAN"];

/// The same on the nodes of a cluster, which must be asked where slots are before anything else can be.
const OF_CLUSTERS: [&[&str]; 3] = [&["ASKING"], &["CLUSTER", "INFO"], &["CLUSTER", "SLOTS"]];

/// What is sent only where the url asks for replicas. It is sent when the store opens, before anything is written.
#[cfg(test)]
const OF_REPLICAS: &str = "WAIT";

/// One question, and what it is about.
struct Question {
    words: Vec<Vec<u8>>,
    about: About,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// A command, whatever its key.
    Command,
    /// A command on one of our keys.
    Key,
    Channel,
    Nothing,
}

/// Asks what the user may not do.
///
/// # Errors
/// [`StoreError::Refused`] with every right that is missing, unless hints alone are concerned: then the log warns; what
/// the link says.
pub(super) async fn check(
    link: &Link,
    address: &Address,
    kind: Kind,
    namespace: &Namespace,
    shown: &str,
) -> Result<(), StoreError> {
    let script = Arc::new(Script::new("rights", include_str!("scripts/rights.lua").to_owned()));
    let questions = questions(namespace, kind);
    let mut arguments = Vec::new();
    for question in &questions {
        arguments.push(question.words.len().to_string().into_bytes());
        arguments.extend(question.words.iter().cloned());
    }
    let answer = link.run_at(address, &script, arguments).await?;
    let denied: Vec<usize> = redis::from_redis_value(answer)
        .map_err(|_| StoreError::Damaged { store: shown.to_owned(), message: "rights cannot be read".to_owned() })?;
    let (hints, needed): (Vec<_>, Vec<_>) =
        missing(namespace, &questions, &denied).into_iter().partition(|right| is_for_hints(right));
    let told = |missing: &[String]| format!("missing: {}; {GRANT}", missing.join(" "));
    if !needed.is_empty() {
        let all = [needed, hints].concat();
        let message = format!("the user of the url may not do all that is needed; {}", told(&all));
        return Err(StoreError::Refused { store: shown.to_owned(), message });
    }
    if !hints.is_empty() {
        tracing::warn!(
            store = shown,
            "processes cannot tell each other what happens, and find it late; {}",
            told(&hints)
        );
    }
    Ok(())
}

const GRANT: &str = "the line for ACL SETUSER in docs/CONFIGURATION.md grants it";

/// Whether it is a right without which everything works, but later.
fn is_for_hints(right: &str) -> bool {
    right.starts_with('&') || ["+publish", "+subscribe", "+spublish", "+ssubscribe"].contains(&right)
}

/// Every question: of keys, those of a layout, of an index and of an instance stand for all.
fn questions(namespace: &Namespace, kind: Kind) -> Vec<Question> {
    let partition = Keys::new(namespace, 0);
    let instance = InstanceId::new("a").expect("a letter is an id");
    let keys = [keys::meta(namespace), partition.of(Of::Ready), partition.instance(&instance)];
    let channel = partition.channel();
    let on = |target: &Vec<u8>, (name, rest): &(&str, &[&str]), about| {
        let rest = rest.iter().map(|word| word.as_bytes().to_vec());
        Question { words: [name.as_bytes().to_vec(), target.clone()].into_iter().chain(rest).collect(), about }
    };
    let mut all = Vec::new();
    for command in &ON_KEYS {
        all.push(Question { words: vec![command.0.as_bytes().to_vec()], about: About::Command });
        all.extend(keys.iter().map(|key| on(key, command, About::Key)));
    }
    let on_channel = if kind == Kind::Cluster { &ON_CHANNEL_OF_SHARD } else { &ON_CHANNEL };
    all.extend(on_channel.iter().map(|command| on(&channel, command, About::Channel)));
    let of_cluster = if kind == Kind::Cluster { OF_CLUSTERS.as_slice() } else { &[] };
    all.extend(ALONE.iter().chain(of_cluster).map(|words| Question {
        words: words.iter().map(|word| word.as_bytes().to_vec()).collect(),
        about: About::Nothing,
    }));
    all
}

/// The rights that are missing, as `ACL SETUSER` takes them.
fn missing(namespace: &Namespace, questions: &[Question], denied: &[usize]) -> Vec<String> {
    let is_denied = |number: usize| denied.contains(&(number + 1));
    let mut rights: Vec<String> = Vec::new();
    let mut command = true;
    for (number, question) in questions.iter().enumerate() {
        match question.about {
            About::Command => {
                command = !is_denied(number);
                rights.extend((!command).then(|| right(question)));
            }
            // What may not be sent at all says nothing about keys.
            About::Key if command && is_denied(number) => rights.extend(key_patterns(namespace)),
            About::Key => {}
            About::Channel | About::Nothing => rights.extend(is_denied(number).then(|| right(question))),
        }
    }
    let mut of_channel = questions.iter().enumerate().filter(|(_, question)| question.about == About::Channel);
    // Which of the two is missing cannot be told.
    if of_channel.all(|(number, _)| is_denied(number)) {
        rights.push(format!("&wf:{{{}:*}}:hints", namespace.as_str()));
    }
    let mut seen = std::collections::BTreeSet::new();
    rights.retain(|right| seen.insert(right.clone()));
    rights
}

fn key_patterns(namespace: &Namespace) -> [String; 2] {
    let name = namespace.as_str();
    [format!("~wf:{{{name}}}:*"), format!("~wf:{{{name}:*}}:*")]
}

/// A command as `ACL SETUSER` grants it.
fn right(question: &Question) -> String {
    let word = |at: usize| String::from_utf8_lossy(&question.words[at]).to_lowercase();
    match word(0).as_str() {
        name @ ("script" | "cluster") => format!("+{name}|{}", word(1)),
        name => format!("+{name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every text that can hold a command.
    const TEXTS: [&str; 38] = [
        include_str!("scripts/base.lua"),
        include_str!("scripts/beat.lua"),
        include_str!("scripts/candidates.lua"),
        include_str!("scripts/claim.lua"),
        include_str!("scripts/control.lua"),
        include_str!("scripts/create.lua"),
        include_str!("scripts/due.lua"),
        include_str!("scripts/expired.lua"),
        include_str!("scripts/limit.lua"),
        include_str!("scripts/hearts.lua"),
        include_str!("scripts/look.lua"),
        include_str!("scripts/main.lua"),
        include_str!("scripts/overview.lua"),
        include_str!("scripts/own.lua"),
        include_str!("scripts/prelude.lua"),
        include_str!("scripts/rights.lua"),
        include_str!("scripts/send.lua"),
        include_str!("scripts/session.lua"),
        include_str!("scripts/sets.lua"),
        include_str!("scripts/short.lua"),
        include_str!("scripts/stuck.lua"),
        include_str!("scripts/sweep.lua"),
        include_str!("scripts/tied.lua"),
        include_str!("check.rs"),
        include_str!("dial.rs"),
        include_str!("finder.rs"),
        include_str!("fsck/indexes.rs"),
        include_str!("fsck/instance.rs"),
        include_str!("fsck/mod.rs"),
        include_str!("fsck/sessions.rs"),
        include_str!("heart.rs"),
        include_str!("lane/mod.rs"),
        include_str!("layout.rs"),
        include_str!("listing.rs"),
        include_str!("script.rs"),
        include_str!("subscriber.rs"),
        include_str!("url.rs"),
        include_str!("views.rs"),
    ];
    /// Commands that a server may refuse: then the store goes on without what they are for.
    const OPTIONAL: [&str; 3] = ["CONFIG", "CLIENT", "PUBSUB"];
    /// Commands that nobody can be denied, or that are asked of the server by connecting.
    const OF_CONNECTING: [&str; 3] = ["AUTH", "SELECT", "HELLO"];
    /// What sentinels are asked.
    const OF_SENTINELS: &str = "SENTINEL";

    fn listed() -> BTreeSet<&'static str> {
        let on_keys = ON_KEYS
            .iter()
            .chain(&ON_CHANNEL)
            .chain(&ON_CHANNEL_OF_SHARD)
            .map(|(name, _)| *name)
            .chain(OF_CHECKS)
            .chain([OF_REPLICAS]);
        on_keys.chain(ALONE.iter().chain(&OF_CLUSTERS).map(|words| words[0])).collect()
    }

    /// What stands between `call('`, `cmd("` or `command: "` and the quote.
    fn commands(text: &str) -> impl Iterator<Item = &str> {
        let openings = ["call('", "call_with('", "cmd(\"", "command: \""];
        openings
            .into_iter()
            .flat_map(move |opening| text.split(opening).skip(1).filter_map(|rest| rest.split(['\'', '"']).next()))
    }

    #[test]
    fn every_command_that_is_sent_is_asked_for_and_no_other() {
        let sent: BTreeSet<&str> = TEXTS.iter().flat_map(|text| commands(text)).collect();
        let mut known = listed();
        // Sent by a method of the client.
        assert!(TEXTS.iter().any(|text| text.contains(".subscribe(")));
        known.remove("SUBSCRIBE");
        for name in OPTIONAL.into_iter().chain(["AUTH", "SELECT", OF_SENTINELS]) {
            assert!(sent.contains(name), "{name} is not sent any more");
            known.insert(name);
        }
        assert_eq!(sent, known);
    }

    #[test]
    fn every_script_is_looked_through() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/redis/scripts");
        let files = std::fs::read_dir(folder).expect("the scripts are there");
        let scripts =
            files.filter(|file| file.as_ref().is_ok_and(|file| file.path().extension().is_some_and(|e| e == "lua")));
        let listed = TEXTS.iter().filter(|text| text.starts_with("--")).count();
        assert_eq!(scripts.count(), listed, "a new script belongs to TEXTS");
    }

    #[test]
    fn the_line_of_the_docs_grants_what_is_asked_for() {
        let docs = include_str!("../../../../docs/CONFIGURATION.md");
        let line = docs.lines().find(|line| line.starts_with("ACL SETUSER ")).expect("the docs have the line");
        let granted: BTreeSet<&str> = line.split(' ').filter_map(|word| word.strip_prefix('+')).collect();
        let mut needed: BTreeSet<String> = listed().into_iter().map(str::to_lowercase).collect();
        needed.remove("script");
        needed.remove("cluster");
        needed.extend(["cluster|info", "cluster|slots"].map(str::to_owned));
        needed.extend(["script|load", "evalsha", "config|get", "client|setname"].map(str::to_owned));
        needed.extend(["pubsub|numsub", "pubsub|shardnumsub"].map(str::to_owned));
        needed.extend(OF_CONNECTING.iter().filter(|name| **name != "AUTH").map(|name| name.to_lowercase()));
        assert_eq!(granted, needed.iter().map(String::as_str).collect());
    }

    #[test]
    fn what_is_missing_is_told_as_it_is_granted() {
        let shop = Namespace::new("shop").expect("valid");
        let questions = questions(&shop, Kind::Cluster);
        let denied_if = |deny: &dyn Fn(&Question) -> bool| {
            let numbered = questions.iter().enumerate().filter(|(_, question)| deny(question));
            let denied: Vec<usize> = numbered.map(|(number, _)| number + 1).collect();
            missing(&shop, &questions, &denied).join(" ")
        };
        assert_eq!(denied_if(&|_| false), "");
        assert_eq!(denied_if(&|question| question.words[0] == b"ZADD"), "+zadd");
        assert_eq!(denied_if(&|question| question.words[0] == b"SCRIPT"), "+script|load");
        assert_eq!(denied_if(&|question| question.words[0] == b"CLUSTER"), "+cluster|info +cluster|slots");
        let one_key = denied_if(&|question| question.words.get(1).is_some_and(|key| key == b"wf:{shop}:meta"));
        assert_eq!(one_key, "~wf:{shop}:* ~wf:{shop:*}:*");
        assert_eq!(denied_if(&|question| question.about == About::Key), "~wf:{shop}:* ~wf:{shop:*}:*");
        let channel = denied_if(&|question| question.about == About::Channel);
        assert_eq!(channel, "+spublish +ssubscribe &wf:{shop:*}:hints");
        assert!(channel.split(' ').all(is_for_hints));
    }
}
