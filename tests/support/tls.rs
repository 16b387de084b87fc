//! Authorities and certificates of a test's own, made anew each time and gone with it.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// Who signs certificates.
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
    ca: PathBuf,
}

/// A certificate, its key, and who signed it, as files of the authority's folder.
#[derive(Debug, Clone)]
pub struct Identity {
    cert: PathBuf,
    key: PathBuf,
    ca: PathBuf,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a test can have a temporary folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "an authority of a test");
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("it signs itself");
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, issuer.pem()).expect("the folder can be written");
        Self { folder, issuer, ca }
    }

    /// A certificate for these names and addresses.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn sign(&self, file: &str, names: &[&str]) -> Identity {
        self.sign_until(file, names, 4000)
    }

    /// The same, valid until the beginning of a year.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn sign_until(&self, file: &str, names: &[&str], year: i32) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names and addresses");
        params.not_after = date_time_ymd(year, 1, 1);
        let key = key();
        let cert = params.signed_by(&key, &self.issuer).expect("the authority signs");
        let path = |end: &str| self.folder.path().join(format!("{file}.{end}"));
        let identity = Identity { cert: path("pem"), key: path("key"), ca: self.ca.clone() };
        fs::write(&identity.cert, cert.pem()).expect("the folder can be written");
        fs::write(&identity.key, key.serialize_pem()).expect("the folder can be written");
        identity
    }

    /// Its own certificate's file.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.ca
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authority").field(&self.ca).finish()
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// The certificate's file.
    #[must_use]
    pub fn cert(&self) -> &Path {
        &self.cert
    }

    /// Its key's file.
    #[must_use]
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// The file of who signed it.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.ca
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

/// A path as it is written in the options of a url, with everything escaped that can be.
#[must_use]
pub fn escaped(path: &Path) -> String {
    let text = path.to_str().expect("the paths of these tests are text");
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"/.".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
