//! Whose certificate is believed: what `sslmode` means.
//!
//! | mode | TLS | the certificate |
//! | --- | --- | --- |
//! | `disable` | never | |
//! | `prefer`, the default | if the server has it | is not looked at |
//! | `require` | always | is not looked at |
//! | `verify-ca` | always | has to come from an authority that this machine trusts |
//! | `verify-full` | always | the same, and has to be for this host |
//!
//! These are the meanings that PostgreSQL's own clients have, since an address that works for one of them should mean the
//! same here. `require` keeps out who only listens, not who stands in between; the settings warn of it. The machine's
//! authorities are those that HTTPS uses; an own one is added to them, or named in `SSL_CERT_FILE`.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Error;

/// What an address asks for with `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Plain text.
    Disable,
    /// TLS if the server has it.
    Prefer,
    /// TLS with whomever.
    Require,
    /// TLS with somebody whom an authority knows.
    VerifyCa,
    /// TLS with the host of the address.
    VerifyFull,
}

impl Mode {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

/// How to talk TLS; `None`: not at all.
pub(super) fn connector(mode: Mode) -> Result<Option<MakeRustlsConnect>, Error> {
    let wrong = |e: &dyn std::fmt::Display| Error::Open(format!("TLS cannot be set up: {e}"));
    // Named, not taken from the process: whoever is first there might have brought another one.
    let provider = Arc::new(ring::default_provider());
    let builder = || {
        ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong(&e))
    };
    let config = match mode {
        Mode::Disable => return Ok(None),
        Mode::VerifyFull => builder()?
            .with_platform_verifier()
            .map_err(|e| wrong(&e))?
            .with_no_client_auth(),
        Mode::Prefer | Mode::Require | Mode::VerifyCa => {
            let roots = match mode {
                Mode::VerifyCa => Some(machine_s_authorities()?),
                Mode::Disable | Mode::Prefer | Mode::Require | Mode::VerifyFull => None,
            };
            let lenient = Lenient {
                roots,
                provider: provider.clone(),
            };
            builder()?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(lenient))
                .with_no_client_auth()
        }
    };
    Ok(Some(MakeRustlsConnect::new(config)))
}

fn machine_s_authorities() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(Error::Open(
            "this machine trusts no certificate authority (Debian's package is ca-certificates)"
                .to_owned(),
        ));
    }
    Ok(roots)
}

/// Believes less than HTTPS would ask for: see the modes. That the server has the key of its certificate is always
/// looked at, or an exchange of keys would be with nobody at all.
#[derive(Debug)]
struct Lenient {
    /// Who has to have signed; `None`: anybody.
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
