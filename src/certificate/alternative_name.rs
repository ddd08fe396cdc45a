//! Subject alternative names (RFC 5280, 4.2.1.6), the four kinds that RFC 8705 (2.1.2) knows. Each is kept in the form in
//! which equal names are equal texts.

use std::net::IpAddr;

use x509_parser::{certificate::X509Certificate, extensions::GeneralName};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AlternativeName {
    /// In lower case. What stands for a wildcard elsewhere is a character here.
    Dns(String),
    /// Byte for byte.
    Uri(String),
    Ip(IpAddr),
    /// The domain in lower case; the part before it as written (RFC 5280, 7.5).
    Email(String),
}

impl AlternativeName {
    pub(super) fn dns(name: &str) -> Self {
        Self::Dns(name.to_ascii_lowercase())
    }

    /// `None` where there is no `@`.
    pub(super) fn email(address: &str) -> Option<Self> {
        let (local, domain) = address.rsplit_once('@')?;
        Some(Self::Email(format!("{local}@{}", domain.to_ascii_lowercase())))
    }

    /// Those of a certificate; `None` where it has the extension twice, or it cannot be read.
    pub(super) fn all_of(certificate: &X509Certificate<'_>) -> Option<Vec<Self>> {
        let extension = certificate.subject_alternative_name().ok()?;
        let names = extension.iter().flat_map(|extension| &extension.value.general_names);
        Some(names.filter_map(Self::of).collect())
    }

    fn of(name: &GeneralName<'_>) -> Option<Self> {
        // what is not ASCII is no IA5String, whatever the parser lets pass
        match name {
            GeneralName::DNSName(name) if name.is_ascii() => Some(Self::dns(name)),
            GeneralName::URI(uri) if uri.is_ascii() => Some(Self::Uri((*uri).to_owned())),
            GeneralName::RFC822Name(address) if address.is_ascii() => Self::email(address),
            GeneralName::IPAddress(octets) => {
                let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
                v4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)).ok().map(Self::Ip)
            }
            _ => None,
        }
    }
}
