//! Judging an ID token (OpenID Connect Core 3.1.3.7): signature by one of the provider's keys with an asymmetric algorithm
//! that its metadata names, `iss`, `aud`, `azp`, `exp`, `iat`, `nonce`. When the person signed in is judged in `finish`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use openidconnect::{
    ClaimsVerificationError as Invalid, ClientId, Nonce, SignatureVerificationError as Unsigned,
    core::{CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJwsSigningAlgorithm as Alg},
};

use super::{
    Fault, Secrets, SignInFault, Upstream,
    discovery::{Metadata, Provider},
    finish::LEEWAY,
};
use crate::clock::Timestamp;

impl Upstream {
    /// The claims of the token, if all of it holds. A key that is not known may be new: then the keys are fetched once more.
    pub(super) async fn verified(
        &self,
        provider: &Arc<Provider>,
        id_token: &CoreIdToken,
        begun: &Secrets,
        now: Timestamp,
    ) -> Result<CoreIdTokenClaims, SignInFault> {
        let claims = match self.verify(provider, id_token, begun, now)? {
            Err(Invalid::SignatureVerification(Unsigned::NoMatchingKey | Unsigned::CryptoError(_))) => {
                let newer = self.discovery.newer_keys(provider).await?;
                self.verify(newer.as_ref().unwrap_or(provider), id_token, begun, now)?
            }
            other => other,
        };
        let claims = claims.map_err(|invalid| SignInFault::refused(format!("ID token: {}", name(&invalid))))?;
        self.check_claims(&claims, begun, now)?;
        Ok(claims)
    }

    fn verify(
        &self,
        provider: &Provider,
        id_token: &CoreIdToken,
        begun: &Secrets,
        now: Timestamp,
    ) -> Result<Result<CoreIdTokenClaims, Invalid>, Fault> {
        let client_id = ClientId::new(self.settings.client_id.clone());
        // Without the client secret no token with a symmetric algorithm can pass.
        let time = date(now.minus(LEEWAY));
        let verifier =
            CoreIdTokenVerifier::new_public_client(client_id, self.issuer_url()?, provider.keys.for_sign_in.clone())
                .set_allowed_algs(allowed(&provider.metadata))
                .set_time_fn(move || time)
                .set_other_audience_verifier_fn(|_| true); // judged with `azp` below
        Ok(id_token.claims(&verifier, &Nonce::new(begun.nonce.clone())).cloned())
    }

    fn check_claims(&self, claims: &CoreIdTokenClaims, begun: &Secrets, now: Timestamp) -> Result<(), SignInFault> {
        let azp = claims.authorized_party().map(|azp| azp.as_str());
        let others_too = claims.audiences().len() > 1;
        if azp.is_some_and(|azp| azp != self.settings.client_id) || (others_too && azp.is_none()) {
            return Err(SignInFault::refused("ID token: it was made for another client (azp)"));
        }
        let iat = claims.issue_time();
        if iat < date(begun.started.minus(LEEWAY)) || iat > date(now.plus(LEEWAY)) {
            return Err(SignInFault::refused("ID token: iat is not between the start of the sign-in and now"));
        }
        let sub = claims.subject().as_str();
        if sub.is_empty() || sub.len() > 255 {
            return Err(SignInFault::refused("ID token: sub has not 1 to 255 characters"));
        }
        Ok(())
    }
}

/// The provider's algorithms, but never `none` nor a symmetric one: a client secret signs nothing here.
fn allowed(metadata: &Metadata) -> impl Iterator<Item = Alg> {
    metadata.id_token_signing_alg_values_supported().iter().filter(|alg| is_asymmetric(alg)).cloned()
}

const fn is_asymmetric(alg: &Alg) -> bool {
    matches!(
        alg,
        Alg::RsaSsaPkcs1V15Sha256
            | Alg::RsaSsaPkcs1V15Sha384
            | Alg::RsaSsaPkcs1V15Sha512
            | Alg::RsaSsaPssSha256
            | Alg::RsaSsaPssSha384
            | Alg::RsaSsaPssSha512
            | Alg::EcdsaP256Sha256
            | Alg::EcdsaP384Sha384
            | Alg::EdDsa
    )
}

fn date(time: Timestamp) -> DateTime<Utc> {
    i64::try_from(time.millis()).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default()
}

/// What is wrong, without the values that the library would repeat.
const fn name(invalid: &Invalid) -> &'static str {
    match invalid {
        Invalid::Expired(_) => "expired",
        Invalid::InvalidAudience(_) => "aud is not this client",
        Invalid::InvalidIssuer(_) => "iss is another issuer's",
        Invalid::InvalidNonce(_) => "nonce is another's",
        Invalid::SignatureVerification(Unsigned::NoMatchingKey) => "signed with an unknown key",
        Invalid::SignatureVerification(Unsigned::DisallowedAlg(_) | Unsigned::NoSignature) => {
            "alg is not an asymmetric one that the provider's metadata names"
        }
        Invalid::SignatureVerification(_) => "the signature is wrong",
        Invalid::Unsupported(_) => "unsupported",
        _ => "invalid",
    }
}
