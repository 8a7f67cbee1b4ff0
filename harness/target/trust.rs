//! TLS files to a client configuration.

use std::path::Path;
use std::sync::Arc;

use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{Target, TlsOptions};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::TargetError;
use crate::mcp::destination::Tls;

/// A configuration that trusts the plan's authorities, or the system's, and shows the plan's certificate.
pub fn client(options: &TlsOptions, host: &str) -> Result<Tls, TargetError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TargetError::Tls(error.to_string()))?
        .with_root_certificates(roots(options.ca.as_deref())?);
    let mut config = match &options.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error))?;
            builder
                .with_client_auth_cert(chain, secret)
                .map_err(|error| unusable(certificate, error))?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = options.server_name.as_deref().unwrap_or(host).to_owned();
    let server = ServerName::try_from(name)
        .map_err(|error| TargetError::Tls(format!("the name to verify is not one: {error}")))?;
    Ok(Tls {
        config: Arc::new(config),
        server,
    })
}

/// TLS to a host beside the target: by the same authorities, and without our certificate, which is for the target.
///
/// # Errors
/// When the plan's authorities cannot be used.
pub fn beside(plan: &Plan, host: &str) -> Result<Tls, TargetError> {
    let ca = match &plan.target {
        Target::Endpoint(endpoint) => endpoint.tls.ca.clone(),
        Target::Embedded(_) => None,
    };
    let options = TlsOptions {
        ca,
        ..TlsOptions::default()
    };
    client(&options, host)
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, TargetError> {
    let mut store = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(path)? {
                store
                    .add(certificate)
                    .map_err(|error| unusable(path, error))?;
            }
        }
        None => {
            // Single certificates that cannot be parsed are no reason to refuse the others.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        let why = "the system has no certificate authorities: name a file with `tls: { ca: FILE }`";
        return Err(TargetError::Tls(why.to_owned()));
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let found = CertificateDer::pem_file_iter(path)
        .map_err(|error| unusable(path, error))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(path, error))?;
    if found.is_empty() {
        return Err(unusable(path, "it holds no certificate in PEM form"));
    }
    Ok(found)
}

fn unusable(path: &Path, why: impl ToString) -> TargetError {
    TargetError::TlsFile {
        path: path.to_owned(),
        why: why.to_string(),
    }
}
