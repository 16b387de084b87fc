//! TLS: the certificates that a url names, and what is said when two sides do not trust each other.
//!
//! Owns the url's options `ca`, `cert` and `key`: their files are read once, when the store opens, and checked before
//! anything connects. There is no way to leave the server's certificate unchecked. Called by [`super::url`] and
//! [`super::fault`].

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redis::{ClientTlsConfig, RedisError, TlsCertificates};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

/// The files that a url names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// Who signs the certificates of servers, in place of the web's authorities.
    pub(super) ca: Option<PathBuf>,
    /// The certificate by which this process is known to the server, with those between it and its authority.
    pub(super) cert: Option<PathBuf>,
    /// The key of that certificate.
    pub(super) key: Option<PathBuf>,
}

impl Files {
    /// Reads the files, and sees that they are what they must be; what is wrong, in words, and with which.
    pub(super) fn load(&self) -> Result<TlsCertificates, String> {
        let ca = self.ca.as_deref().map(|path| read("ca", path)).transpose()?;
        let mut roots = RootCertStore::empty();
        if let (Some(path), Some(pem)) = (&self.ca, &ca) {
            for certificate in certificates("ca", path, pem)? {
                roots
                    .add(certificate)
                    .map_err(|error| about("ca", path, format_args!("holds no certificate: {error}")))?;
            }
        }
        let client = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some(client(cert, key, roots)?),
            (None, None) => None,
            (Some(_), None) => return Err("the url has a cert and no key".to_owned()),
            (None, Some(_)) => return Err("the url has a key and no cert".to_owned()),
        };
        Ok(TlsCertificates { client_tls: client, root_cert: ca })
    }
}

/// Reads a certificate of this process and its key.
fn client(cert: &Path, key: &Path, roots: RootCertStore) -> Result<ClientTlsConfig, String> {
    let (client_cert, client_key) = (read("cert", cert)?, read("key", key)?);
    let chain = certificates("cert", cert, &client_cert)?;
    let secret = PrivateKeyDer::from_pem_slice(&client_key)
        .map_err(|_| about("key", key, "holds no private key in PEM form"))?;
    // Tried here, so that a key of another certificate is told before anything connects.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used here: {error}"))?;
    config
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, secret)
        .map_err(|error| about("key", key, format_args!("is not the key of cert, {}: {error}", cert.display())))?;
    Ok(ClientTlsConfig { client_cert, client_key })
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| about(option, path, format_args!("cannot be read: {error}")))
}

/// The certificates in a file; there is at least one.
fn certificates(option: &str, path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(about(option, path, "holds no certificate in PEM form")),
    }
}

fn about(option: &str, path: &Path, what: impl std::fmt::Display) -> String {
    format!("the url's {option}, {}, {what}", path.display())
}

/// Chooses how TLS encrypts, unless the program has chosen: with several libraries for it linked in, none is the default.
pub(super) fn provide_cryptography() {
    if CryptoProvider::get_default().is_none() {
        // When another thread was faster, its choice is as good.
        let _ = ring::default_provider().install_default();
    }
}

/// Why two sides do not come together over TLS, and what to do; `None` for an error that is about something else.
pub(super) fn distrust(error: &RedisError) -> Option<String> {
    use CertificateError as C;
    let error = cause(error)?;
    Some(match error {
        // A bad signature is that of another authority with the same name.
        rustls::Error::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => {
            "its certificate is signed by nobody who is trusted: name the file of its authority in the url, \
             ?ca=/path/ca.pem"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "its certificate is for another name than the url's host: write the name that it is for".to_owned()
        }
        rustls::Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            "its certificate has expired: renew it".to_owned()
        }
        rustls::Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "its certificate is not valid yet: set this machine's clock, or the server's certificate, right".to_owned()
        }
        rustls::Error::InvalidCertificate(error) => format!("its certificate is refused: {error}"),
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::HandshakeFailure
            | AlertDescription::NoCertificate,
        ) => {
            "it asks for a certificate of this process: name it in the url, ?cert=/path/client.pem&key=/path/client.key"
                .to_owned()
        }
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::DecryptError
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied,
        ) => format!("it does not accept the url's cert ({error}): name one that its tls-ca-cert-file has signed"),
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS on this port: write redis:// or name its tls-port".to_owned()
        }
        _ => return None,
    })
}

/// What TLS itself says, if it is what failed.
fn cause(error: &RedisError) -> Option<&rustls::Error> {
    let mut at: &(dyn Error + 'static) = error.source()?;
    if let Some(shared) = at.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        at = &**shared;
    }
    if let Some(found) = at.downcast_ref() {
        return Some(found);
    }
    at.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref()
}
