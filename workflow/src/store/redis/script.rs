//! A script as it is sent: by the hash of its text, and whole when the server does not have it.
//!
//! Owns no text of its own. Made by the store when it opens, used by [`super::link`] and [`super::heart`].

/// A script of the store.
#[derive(Debug)]
pub(super) struct Script {
    /// What it is called in messages.
    pub(super) name: &'static str,
    /// Its text.
    pub(super) source: String,
    /// Whether it writes what must not be lost.
    pub(super) writes: bool,
    /// The hash by which the server knows it.
    pub(super) hash: String,
}

impl Script {
    pub(super) fn new(name: &'static str, source: String) -> Self {
        let hash = redis::Script::new(&source).get_hash().to_owned();
        Self { name, source, writes: false, hash }
    }

    /// The same, for a script that writes what must not be lost.
    pub(super) fn writing(name: &'static str, source: String) -> Self {
        Self { writes: true, ..Self::new(name, source) }
    }

    /// The command that carries it out.
    pub(super) fn call<T: AsRef<[u8]> + redis::ToRedisArgs>(&self, keys: &[T], arguments: &[T]) -> redis::Cmd {
        let size = keys.iter().chain(arguments).map(|text| text.as_ref().len()).sum::<usize>() + self.hash.len() + 16;
        let mut command = redis::Cmd::with_capacity(keys.len() + arguments.len() + 3, size);
        command.arg("EVALSHA").arg(&self.hash).arg(keys.len()).arg(keys).arg(arguments);
        command
    }

    /// The command that makes it known to the server.
    pub(super) fn load(&self) -> redis::Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(&self.source);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_called_by_the_hash_of_its_text() {
        let script = Script::new("one", "return 1".to_owned());
        assert_eq!(script.hash, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        let packed = script.call(&[b"k\r\n".to_vec()], &[vec![0, 255], vec![]]).get_packed_command();
        let mut expected = b"*6\r\n$7\r\nEVALSHA\r\n$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n".to_vec();
        expected.extend(b"$1\r\n1\r\n$3\r\nk\r\n\r\n$2\r\n\x00\xff\r\n$0\r\n\r\n");
        assert_eq!(packed, expected);
    }
}
