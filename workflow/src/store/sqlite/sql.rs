//! Every statement on a namespace's tables, written once.
//!
//! Owns their text, with the tables of one namespace filled in. Each is compiled once for each connection that uses it.
//! Used by [`super::tables`] and by the reading files.

use super::schema::in_namespace;

macro_rules! statements {
    ($($name:ident = $text:literal;)*) => {
        /// The statements of one namespace.
        #[derive(Debug)]
        pub(super) struct Sql {
            $(pub(super) $name: String,)*
        }

        impl Sql {
            pub(super) fn of_namespace(number: i64) -> Self {
                Self { $($name: in_namespace($text, number),)* }
            }

            #[cfg(test)]
            pub(super) fn all(&self) -> Vec<(&'static str, &str)> {
                vec![$((stringify!($name), self.$name.as_str()),)*]
            }
        }
    };
}

statements! {
    // Instances.
    load = "SELECT i.key, i.head, s.spec FROM @instances i JOIN @specs s ON s.key = i.key WHERE i.id = ?1";
    insert = "INSERT INTO @instances (id, workflow, version, created_at, state, updated_at, spot, rank, head)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    insert_spec = "INSERT INTO @specs (key, spec) VALUES (?1, ?2)";
    update_head = "UPDATE @instances SET updated_at = ?2, head = ?3 WHERE key = ?1";
    update_place = "UPDATE @instances SET updated_at = ?2, head = ?3, spot = ?4, rank = ?5 WHERE key = ?1";
    update_state = "UPDATE @instances SET updated_at = ?2, head = ?3, spot = ?4, rank = ?5, state = ?6 WHERE key = ?1";
    move_spot = "UPDATE @instances SET spot = ?2, rank = ?3 WHERE id = ?1";
    delete_instance = "DELETE FROM @instances WHERE key = ?1";
    delete_spec = "DELETE FROM @specs WHERE key = ?1";

    // Places.
    at_spot = "SELECT rank, id FROM @instances WHERE spot = ?1 ORDER BY rank, id LIMIT ?2";
    at_spot_after = "SELECT rank, id FROM @instances WHERE spot = ?1 AND (rank, id) > (?2, ?3) ORDER BY rank, id LIMIT ?4";
    at_spot_until = "SELECT rank, id FROM @instances WHERE spot = ?1 AND rank <= ?2 ORDER BY rank, id LIMIT ?3";
    at_spot_from = "SELECT id FROM @instances WHERE spot = ?1 AND rank >= ?2 ORDER BY id";
    at_two_spots = "SELECT id FROM @instances WHERE spot IN (?1, ?2) ORDER BY id LIMIT ?3";
    first_rank = "SELECT rank FROM @instances WHERE spot = ?1 ORDER BY rank LIMIT 1";
    next_spot = "SELECT spot FROM @instances WHERE spot > ?1 AND spot < ?2 ORDER BY spot LIMIT 1";
    count_kind = "SELECT count(*) FROM @instances WHERE spot >= ?1 AND spot < ?2";
    count_spot = "SELECT count(*) FROM @instances WHERE spot = ?1";
    expired = "SELECT i.rank, i.id FROM @instances i WHERE i.spot = ?1 AND i.rank <= ?2
        AND NOT EXISTS (SELECT 1 FROM @outbox o WHERE o.key = i.key) ORDER BY i.rank, i.id LIMIT ?3";

    // Journals.
    append = "INSERT INTO @records (key, run, seq, record) VALUES (?1, ?2, ?3, ?4)";
    records = "SELECT record FROM @records WHERE key = ?1 AND run = ?2 AND seq >= ?3 ORDER BY seq";
    delete_records = "DELETE FROM @records WHERE key = ?1";
    delete_run = "DELETE FROM @records WHERE key = ?1 AND run = ?2";
    archive = "INSERT OR REPLACE INTO @archives (key, run, expires_at) VALUES (?1, ?2, ?3)";
    archived = "SELECT run FROM @archives WHERE key = ?1 ORDER BY run";
    archives_expired = "SELECT a.key, a.run FROM @archives a JOIN @instances i ON i.key = a.key
        WHERE a.expires_at <= ?1 ORDER BY a.expires_at, i.id, a.run LIMIT ?2";
    delete_archive = "DELETE FROM @archives WHERE key = ?1 AND run = ?2";
    delete_archives = "DELETE FROM @archives WHERE key = ?1";

    // Mailboxes.
    deliver = "INSERT INTO @messages (key, seq, at, channel, event_id, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    remember_event = "INSERT INTO @events (key, event_id) VALUES (?1, ?2)";
    event_known = "SELECT 1 FROM @events WHERE key = ?1 AND event_id = ?2";
    messages = "SELECT seq, at, channel, event_id, payload FROM @messages WHERE key = ?1 AND seq > ?2 ORDER BY seq";
    consume = "DELETE FROM @messages WHERE key = ?1 AND seq = ?2";
    clear_messages = "DELETE FROM @messages WHERE key = ?1";
    clear_events = "DELETE FROM @events WHERE key = ?1";

    // Outbox.
    queue = "INSERT INTO @outbox (key, number, at, outgoing) VALUES (?1, ?2, ?3, ?4)";
    outbox = "SELECT i.id, o.number, o.outgoing FROM @outbox o JOIN @instances i ON i.key = o.key
        WHERE o.at < ?1 ORDER BY o.at, i.id, o.number LIMIT ?2";
    sent = "DELETE FROM @outbox WHERE key = ?1 AND number = ?2";
    delete_outbox = "DELETE FROM @outbox WHERE key = ?1";
    key_of = "SELECT key FROM @instances WHERE id = ?1";

    // Sessions.
    session = "SELECT state FROM @sessions WHERE session = ?1";
    save_session = "INSERT INTO @sessions (session, state) VALUES (?1, ?2)
        ON CONFLICT (session) DO UPDATE SET state = excluded.state";
    delete_session = "DELETE FROM @sessions WHERE session = ?1";
    sessions = "SELECT session, state FROM @sessions ORDER BY session";

    // Limits.
    limit = "SELECT state FROM @limits WHERE name = ?1";
    save_limit = "INSERT INTO @limits (name, state) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET state = excluded.state";

    // Lists.
    next_workflow = "SELECT workflow FROM @instances WHERE workflow > ?1 ORDER BY workflow LIMIT 1";
    count_states = "SELECT state, count(*) FROM @instances WHERE workflow = ?1 GROUP BY state";
    page = "SELECT id, version, created_at, updated_at, spot FROM @instances
        WHERE workflow = ?1 AND state = ?2 AND created_at >= ?3 AND created_at <= ?4
            AND (created_at, id) < (?5, ?6)
        ORDER BY created_at DESC, id DESC LIMIT ?7";
    page_by_id = "SELECT id, version, created_at, updated_at, spot, workflow, state FROM @instances
        WHERE id >= ?1 AND id > ?2 AND id < ?3 ORDER BY id LIMIT ?4";

    // Checks: these read everything.
    all_instances = "SELECT id, workflow, version, created_at, updated_at, state, spot, rank FROM @instances";
    all_records = "SELECT run, seq, record FROM @records WHERE key = ?1 ORDER BY run, seq";
    archives = "SELECT run, expires_at FROM @archives WHERE key = ?1 ORDER BY run";
    count_events = "SELECT count(*) FROM @events WHERE key = ?1";
    outbox_of = "SELECT number, outgoing FROM @outbox WHERE key = ?1 ORDER BY number";
    limits = "SELECT name, state FROM @limits ORDER BY name";
    stray_specs = "SELECT count(*) FROM @specs WHERE key NOT IN (SELECT key FROM @instances)";
    stray_records = "SELECT count(*) FROM @records WHERE key NOT IN (SELECT key FROM @instances)";
    stray_archives = "SELECT count(*) FROM @archives WHERE key NOT IN (SELECT key FROM @instances)";
    stray_messages = "SELECT count(*) FROM @messages WHERE key NOT IN (SELECT key FROM @instances)";
    stray_events = "SELECT count(*) FROM @events WHERE key NOT IN (SELECT key FROM @instances)";
    stray_outbox = "SELECT count(*) FROM @outbox WHERE key NOT IN (SELECT key FROM @instances)";
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use crate::words::id::Namespace;
    use rusqlite::Connection;

    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("it compiles");
        let unbound = vec![rusqlite::types::Null; statement.parameter_count()];
        let rows = statement.query_map(rusqlite::params_from_iter(unbound), |row| row.get::<_, String>(3));
        rows.expect("it explains").collect::<Result<Vec<_>, _>>().expect("text").join("; ")
    }

    #[test]
    fn no_statement_reads_a_whole_table_of_instances_or_records() {
        let connection = Connection::open_in_memory().expect("memory");
        let number = schema::ensure(&connection, &Namespace::new("a").expect("valid")).expect("made");
        let sql = Sql::of_namespace(number);
        for (name, text) in sql.all() {
            let plan = plan(&connection, text);
            // Sessions are few; a check reads all there is.
            let reads_all = ["sessions", "limits", "all_instances"].contains(&name) || name.starts_with("stray_");
            assert!(reads_all || !plan.contains("SCAN"), "{name}: {plan}");
            let sorts_little = ["at_spot_from", "at_two_spots", "archives_expired", "outbox", "page"];
            assert!(sorts_little.contains(&name) || !plan.contains("TEMP B-TREE"), "{name}: {plan}");
        }
    }
}
