//! Certificates for a run with TLS: an authority, a server and a client, made on the spot.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use thiserror::Error;

/// PEM texts. Keys are PKCS #8.
#[derive(Clone)]
pub struct Certificates {
    /// The authority that signed both of the others.
    pub ca_pem: String,
    pub cert_pem: String,
    pub key_pem: String,
    /// For the same key and names as `cert_pem`, and not valid any more.
    pub expired_pem: String,
    pub client_cert_pem: String,
    pub client_key_pem: String,
}

#[derive(Debug, Error)]
#[error("cannot make certificates for {names}: {source}; names are host names or IP addresses")]
pub struct CertificatesError {
    names: String,
    source: rcgen::Error,
}

/// Makes an authority, a server certificate for `names` (host names or IP addresses) and a client certificate.
///
/// For a site, `names` holds at least its [`front_ip`](crate::SiteConfig::front_ip).
pub fn make_certificates(names: &[String]) -> Result<Certificates, CertificatesError> {
    make(names).map_err(|source| CertificatesError {
        names: names.join(", "),
        source,
    })
}

fn make(names: &[String]) -> Result<Certificates, rcgen::Error> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority
        .distinguished_name
        .push(DnType::CommonName, "stand-in erlmcp authority");
    let ca_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate()?;
    let mut site = params(
        "stand-in erlmcp site",
        names,
        ExtendedKeyUsagePurpose::ServerAuth,
    )?;
    let cert_pem = site.signed_by(&key, &issuer)?.pem();
    site.not_before = rcgen::date_time_ymd(2020, 1, 1);
    site.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let expired_pem = site.signed_by(&key, &issuer)?.pem();
    let client_key = KeyPair::generate()?;
    let client = params(
        "stand-in erlmcp client",
        &[],
        ExtendedKeyUsagePurpose::ClientAuth,
    )?;
    let client_cert_pem = client.signed_by(&client_key, &issuer)?.pem();
    Ok(Certificates {
        ca_pem,
        cert_pem,
        key_pem: key.serialize_pem(),
        expired_pem,
        client_cert_pem,
        client_key_pem: client_key.serialize_pem(),
    })
}

fn params(
    name: &str,
    names: &[String],
    usage: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages.push(KeyUsagePurpose::DigitalSignature);
    params.extended_key_usages.push(usage);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
