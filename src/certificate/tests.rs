//! Certificates made by rcgen, and three by OpenSSL of kinds that rcgen does not make.

mod any_bytes;
mod keys;
mod names;
mod trust;

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName as Dn, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

use super::*;

/// In 2027.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// RSA of 1024 bits.
const SHORT: &str = "\
    MIIB/jCCAWegAwIBAgIUBaYM7FIDrsMyfZ+fTF1uq4PWgmwwDQYJKoZIhvcNAQELBQAwEDEOMAwGA1UEAwwFc2hvcnQwIBcNMjYx\
    MTI0MTgwMjA0WhgPMjEyNjEwMzExODAyMDRaMBAxDjAMBgNVBAMMBXNob3J0MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDG\
    JOtg5pHEa87PMUN+1qoTnDw+7/31EDwKQx9x5ZxECdtxDpom00CzYJuByj59TBb7BVEAHnRe5jrmZYiNdyzgRgB+0h+Kxgtb04uc\
    mcjS8OFma3G/WOT/G3qPzEqLVOxJloCXrF5BnO5kMBQleoiczCwnCmj9CwbGxu64mmAknwIDAQABo1MwUTAdBgNVHQ4EFgQUdLQo\
    IbIM0s+TtGFoBi5th0jYVWgwHwYDVR0jBBgwFoAUdLQoIbIM0s+TtGFoBi5th0jYVWgwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG\
    9w0BAQsFAAOBgQCw/gh886jk6LWtfdq8vEg/3ocRupN7YAYG4ooEwF6jKvzHK2umT9ISWPC3aeHukJbA08HMt0dQAuMLWqKFB4bz\
    hz7nPgeKtvLWk5sYpb62YAlsIHGkCxnKxnp8WBuDPGJUvQV7G5rnre66qIJ8IHvB/nxpkbpjGAP7WUg3k7j+Jg==";
/// `CN=till+serialNumber=7,O=Shop\, Inc.,C=DE`
const MULTIVALUED: &str = "\
    MIIB5DCCAYqgAwIBAgIUBd4yrVtlAfgerYi6qVYxkGn1tFEwCgYIKoZIzj0EAwIwOzELMAkGA1UEBhMCREUxEzARBgNVBAoMClNo\
    b3AsIEluYy4xFzAIBgNVBAUTATcwCwYDVQQDDAR0aWxsMCAXDTI2MTEyNDE4MDIwNFoYDzIxMjYxMDMxMTgwMjA0WjA7MQswCQYD\
    VQQGEwJERTETMBEGA1UECgwKU2hvcCwgSW5jLjEXMAgGA1UEBRMBNzALBgNVBAMMBHRpbGwwWTATBgcqhkjOPQIBBggqhkjOPQMB\
    BwNCAAR2hfDWQi8AgZQFzsbrZ3+EEnms3uPWbj5R/yKse2iZQkQ9l56puCUmoYqBQg2GoFREMEqAfFvS1rKLixYHA0Wqo2owaDAd\
    BgNVHQ4EFgQUGhh9PJ7pE8tGdIa3t0CnxbzgRbowHwYDVR0jBBgwFoAUGhh9PJ7pE8tGdIa3t0CnxbzgRbowCQYDVR0TBAIwADAb\
    BgNVHREEFDASghB0aWxsLmV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIDYFA31oi/HL72Qy3sreCAUGbCyTv0T7CkO6UkTJ\
    C124AiEAmyWwNRRzBpg/r4zDbbqYzVV2UcrrC8sp5RK3ijkfM/Q=";
/// EC on secp256k1.
const OTHER_CURVE: &str = "\
    MIIBbjCCARSgAwIBAgIUW7y4VUTfi+RP7RcugXJgi4efBRgwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCazEwIBcNMjYxMTI0MTgw\
    MjA0WhgPMjEyNjEwMzExODAyMDRaMA0xCzAJBgNVBAMMAmsxMFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAE9267NrONxdc6ORlyqy4z\
    HKWe60zMQT/Zi9XW65R/kDulNSAVdD77L1nc7+MmZLiY9DtgYbIEOEQ2x6xdD5XNh6NTMFEwHQYDVR0OBBYEFBoi7QQ45XD4LISG\
    VMxBHJYBLT7TMB8GA1UdIwQYMBaAFBoi7QQ45XD4LISGVMxBHJYBLT7TMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAw\
    RQIhAPXrKUDIRPlje4pDTbnL08oh+EhvBYoHBMC/MxY8JjDVAiAF/gvSTjaQIqoyyAfJ91pkb8cddm6XWczkNeKUwI+i/A==";

fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

fn parse(leaf: &[u8], chain: &[&[u8]]) -> Result<ClientCertificate, Unusable> {
    ClientCertificate::parse(&Presented::new(leaf, chain.iter().map(|der| der.to_vec()).collect()).unwrap())
}

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = Dn::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn self_signed(params: &CertificateParams, key: &KeyPair) -> ClientCertificate {
    parse(params.self_signed(key).unwrap().der(), &[]).unwrap()
}

fn named(subject: &[(DnType, DnValue)], alternatives: &[SanType]) -> ClientCertificate {
    let mut params = CertificateParams::default();
    params.distinguished_name = Dn::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), value.clone());
    }
    params.subject_alt_names = alternatives.to_vec();
    self_signed(&params, &KeyPair::generate().unwrap())
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn root(name: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap()
}

fn below(authority: &Authority, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
    let mut params = authority_params(name);
    change(&mut params);
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), authority).unwrap()
}

fn roots(authorities: &[&Authority]) -> TrustRoots {
    let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
    TrustRoots::from_pem(pem.as_bytes()).unwrap()
}
