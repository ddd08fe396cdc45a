//! What binds an access token to whoever presents it: the claim `cnf` (RFC 7800 3.1) with the thumbprint of a DPoP key
//! (RFC 9449 6) or of a certificate (RFC 8705 3.1). Proofs are not judged here: `token/` does that.

use serde::{Deserialize, Serialize};

use crate::{
    oauth::{Code, Error},
    realm::client::SenderConstraint,
    secret::Digest,
};

/// The claim `cnf`; all that is in it must be shown again where the token is used. Empty: whoever has the token may use it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// RFC 7638 thumbprint of a public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// What the sender of a request has proved to have.
#[derive(Clone, Debug, Default)]
pub struct Possession<'a> {
    /// The thumbprint of the key of a DPoP proof that was judged good.
    pub jkt: Option<String>,
    /// The certificate of the connection (DER).
    pub certificate: Option<&'a [u8]>,
}

impl Confirmation {
    pub const fn is_empty(&self) -> bool {
        self.jkt.is_none() && self.certificate.is_none()
    }

    /// `token_type` of a token that is bound so.
    pub const fn token_type(&self) -> &'static str {
        if self.jkt.is_some() { "DPoP" } else { "Bearer" }
    }
}

impl Possession<'_> {
    /// The `x5t#S256` of the certificate (RFC 8705 3.1).
    pub fn certificate_thumbprint(&self) -> Option<String> {
        self.certificate.map(|der| Digest::of(der).base64url())
    }

    /// What new tokens are bound to. A proof binds them, asked for or not (RFC 9449 5); a certificate does where that is
    /// `demanded`.
    ///
    /// # Errors
    /// What is demanded was not shown.
    pub fn bind(&self, demanded: impl IntoIterator<Item = SenderConstraint>) -> Result<Confirmation, Error> {
        let mut confirmation = Confirmation { jkt: self.jkt.clone(), certificate: None };
        for constraint in demanded {
            match constraint {
                SenderConstraint::Dpop if self.jkt.is_none() => {
                    return Err(Error::new(Code::InvalidDpopProof, "The client must send a DPoP proof"));
                }
                SenderConstraint::Dpop => {}
                SenderConstraint::Certificate => {
                    let missing = || Error::new(Code::InvalidClient, "The client must present a certificate");
                    confirmation.certificate = Some(self.certificate_thumbprint().ok_or_else(missing)?);
                }
            }
        }
        Ok(confirmation)
    }
}

#[cfg(test)]
mod tests {
    use SenderConstraint::{Certificate, Dpop};

    use super::*;

    #[test]
    fn what_tokens_are_bound_to() {
        let (key, certificate) = (Some("k".to_owned()), Some(&b"der"[..]));
        let of_certificate = Some(Digest::of(b"der").base64url());
        let both = Confirmation { jkt: key.clone(), certificate: of_certificate.clone() };
        let by_key = Confirmation { jkt: key.clone(), certificate: None };
        let by_certificate = Confirmation { jkt: None, certificate: of_certificate };
        let (no_proof, no_certificate) = (Code::InvalidDpopProof, Code::InvalidClient);
        // case, key, certificate, demanded, bound to
        let table: &[(&str, _, _, &[SenderConstraint], Result<Confirmation, Code>)] = &[
            ("nothing", None, None, &[], Ok(Confirmation::default())),
            ("a proof that nobody asked for", key.clone(), None, &[], Ok(by_key.clone())),
            ("a certificate that nobody asked for", None, certificate, &[], Ok(Confirmation::default())),
            ("K28 no proof", None, certificate, &[Dpop], Err(no_proof)),
            ("proof", key.clone(), certificate, &[Dpop], Ok(by_key)),
            ("K33 no certificate", key.clone(), None, &[Certificate], Err(no_certificate)),
            ("certificate", None, certificate, &[Certificate], Ok(by_certificate)),
            ("certificate and a proof", key.clone(), certificate, &[Certificate], Ok(both.clone())),
            ("then one, now the other", key.clone(), certificate, &[Dpop, Certificate], Ok(both)),
            ("then one, now the other, one shown", key, None, &[Dpop, Certificate], Err(no_certificate)),
        ];
        for (case, jkt, certificate, demanded, expected) in table {
            let possession = Possession { jkt: jkt.clone(), certificate: *certificate };
            let bound = possession.bind(demanded.iter().copied()).map_err(|error| error.code());
            assert_eq!(&bound, expected, "{case}");
        }
    }
}
