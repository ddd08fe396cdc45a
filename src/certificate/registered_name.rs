//! The name that a client registered for `tls_client_auth` (RFC 8705, 2.1.2), and whether a certificate bears it.
//!
//! A name is looked for in its own field alone: no common name counts as a DNS name. It means nothing before the path to
//! the realm's roots holds ([`ClientCertificate::validate`]), for anybody writes any name into a certificate of their own.

use std::net::IpAddr;

use url::Url;

use super::{ClientCertificate, alternative_name::AlternativeName, distinguished_name::DistinguishedName};

/// One of the five.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredName(Expected);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    Subject(DistinguishedName),
    Alternative(AlternativeName),
}

/// What is wrong with a registered name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedName {
    #[error("it is empty")]
    Empty,
    #[error("one of its parts is not written as type=value")]
    NoValue,
    #[error("it has an attribute type that has no known name; write its object identifier, such as 2.5.4.97")]
    UnknownType,
    #[error("one of its values is empty")]
    EmptyValue,
    #[error("a backslash must stand before a special character or two hexadecimal digits of UTF-8")]
    Escape,
    #[error("one of its special characters needs a backslash before it")]
    NotEscaped,
    #[error("what follows # must be a value's DER in hexadecimal digits")]
    Hexadecimal,
    #[error("it is no DNS name; wildcards stand for nothing here")]
    NoDnsName,
    #[error("it is no URI")]
    NoUri,
    #[error("it is no IP address")]
    NoAddress,
    #[error("it is no e-mail address")]
    NoEmail,
}

impl RegisteredName {
    /// `tls_client_auth_subject_dn`: a distinguished name as RFC 4514 writes it, which is backwards: the first part is the
    /// last of the certificate's subject. `CN=till,O=Shop` is the subject that has `O=Shop` first.
    pub fn subject_dn(text: &str) -> Result<Self, MalformedName> {
        DistinguishedName::parse(text).map(Expected::Subject).map(Self)
    }

    /// `tls_client_auth_san_dns`: one whole name, in any case.
    pub fn san_dns(text: &str) -> Result<Self, MalformedName> {
        if !is_domain(text) {
            return Err(MalformedName::NoDnsName);
        }
        Ok(Self(Expected::Alternative(AlternativeName::dns(text))))
    }

    /// `tls_client_auth_san_uri`: compared byte for byte.
    pub fn san_uri(text: &str) -> Result<Self, MalformedName> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || Url::parse(text).is_err() {
            return Err(MalformedName::NoUri);
        }
        Ok(Self(Expected::Alternative(AlternativeName::Uri(text.to_owned()))))
    }

    /// `tls_client_auth_san_ip`: in any of the forms in which the address can be written.
    pub fn san_ip(text: &str) -> Result<Self, MalformedName> {
        let address: IpAddr = text.parse().map_err(|_| MalformedName::NoAddress)?;
        Ok(Self(Expected::Alternative(AlternativeName::Ip(address))))
    }

    /// `tls_client_auth_san_email`: the part before the `@` as written, the domain in any case.
    pub fn san_email(text: &str) -> Result<Self, MalformedName> {
        let is_address = text.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && local.bytes().all(|byte| byte.is_ascii_graphic()) && is_domain(domain)
        });
        let name = AlternativeName::email(text).filter(|_| is_address).ok_or(MalformedName::NoEmail)?;
        Ok(Self(Expected::Alternative(name)))
    }

    pub fn matches(&self, certificate: &ClientCertificate) -> bool {
        match &self.0 {
            Expected::Subject(name) => certificate.subject == *name,
            Expected::Alternative(name) => certificate.alternatives.contains(name),
        }
    }
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}
