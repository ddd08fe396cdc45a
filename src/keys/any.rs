//! A private key as people have it: in any PEM form, for whichever algorithm its kind is for.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};

use super::{Algorithm, KeyFault, SigningKey, pem_of};
use crate::secret::Secret;

/// What a key of each kind signs with where nothing else is said. RSA is PSS: FAPI takes nothing else.
const USUAL: [Algorithm; 3] = [Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

impl SigningKey {
    /// From PEM: PKCS#8, PKCS#1 for RSA, or SEC1 for P-256. Without an algorithm it is the usual one for the key's kind;
    /// a key of another kind is [`KeyFault::WrongKind`].
    pub fn from_any_pem(algorithm: Option<Algorithm>, pem: &Secret) -> Result<Self, KeyFault> {
        let converted = pkcs8_of_sec1(pem);
        let pem = converted.as_ref().unwrap_or(pem);
        if let Some(algorithm) = algorithm {
            return Self::from_pem(algorithm, pem);
        }
        let mut fault = KeyFault::NotPem;
        for algorithm in USUAL {
            match Self::from_pem(algorithm, pem) {
                Err(wrong @ KeyFault::WrongKind(_)) => fault = wrong,
                other => return other,
            }
        }
        Err(fault)
    }
}

/// The same key in PKCS#8, where the PEM holds one in SEC1.
fn pkcs8_of_sec1(pem: &Secret) -> Option<Secret> {
    let PrivateKeyDer::Sec1(der) = PrivateKeyDer::from_pem_slice(pem.reveal().as_bytes()).ok()? else { return None };
    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_sec1_der()).ok()?;
    Some(Secret::new(pem_of(pair.to_pkcs8v1().ok()?.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `openssl ecparam -name prime256v1 -genkey`, which writes the curve before the key.
    const SEC1: &str = "\
-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIJzZv2EAX1HXTOLFH1ybxiJM6wYdNpxparWSCcD2EC/AoAoGCCqGSM49
AwEHoUQDQgAE8OopZVgothFbfGPGzYZo3fIeoJVlGrL/A55pyY9giFc/w3yT2l2v
sXw+nqPpb7Zh3qpllfSiaNvlmsx5GnxPTw==
-----END EC PRIVATE KEY-----
";
    /// By `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384`.
    const P384: &str = "\
-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBVdTvWTyVHxHYsKD9w
OCRzpj9Tpn4yHNKkHJDTYRBMpIMebQR/dBkfeAwc3Lhw2u+hZANiAASAgxrwhW5v
nJsaoxDyHmsafIom3zWtH6Q4xlINnC2wzKaTyFHZ1rlYHjyvSpUvr7PciEW7OvaO
fP2uQD/FBEbgpkymkDuImlQigRVrOOa10nMWwYcOzKEtfyDf32WEZrQ=
-----END PRIVATE KEY-----
";
    /// By `openssl genrsa -traditional 2048`.
    const PKCS1: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIIEpAIBAAKCAQEAvlGAhJoKCoHCM7uEf2IdbwSbRzYtQNaq9WK9ipKViKmUKQBP
a9J9HzC5Y/tNjGLDSJYJLvRdf55d2NYYnd+HTZz+aldhxwhA/QUnyKl7bZkeIDaC
vCeV9b1+SYoli8uklbRlQDpGiUWx6nJTnsY/bX7XXu8hZlbJ16Puqpy8m3nO1ZEv
+ugaP/KAVGnbUoV9V0R/064fOX7UvJDW5ozkL4TVihW1LZWVPXm2ccwL3SKBTHWZ
3hMU2ueWEb1caD36lUcYByI2CGs1m0Rjw++WoWgmwwoA8iNRZG2JVsJ4YAQFj1ZI
o0S0UrdCwvOu7v3B1ZbfeDESHDqqAooUpCEtgQIDAQABAoIBAAkMCAlVprxK4IvT
wkfJZteKDyUWldZfFgOh8NtrXi0fzY2Y6I2aNQ00ZF20uqIdqEWVL0TShDbOtQyb
mdI4Z97IQ55Tvs/GrEsy0Wo0J0xFkvVqTfLqiVIEEuKlTOVdNfrRV15THtsD64IW
8vNpXmbCuLN4N9zc642jCvOEjaEw1ztzmaJIn67btex3S5UkrBTQwGzSdFSLF6UB
9LSmwr93EUnG4EN9g4jFvLTLxOqwMbgbNxdS3dXe1eQQ2tkZa/alcAHxjjCU32ra
5PqpnJdat7jYKTsFRz4PpGyusmNEJYupDd0frfu4j5EVb4qyuZjWgUkT7K3aykm/
mL0iFmkCgYEA7IW9qt4FnIEptUVJbgaq6bLp2hv1XlsW628uYAhZSX+8lgNWp7RP
A02QuXbTBaUH1Q3FD3VF8Ip/VVvE7esQhHylBxVcLR5uvRh8VdXe458aPnb7/XwS
myGmUCIl01JahoCJZas0IRgAB5iGrR0JfRQZifzIDso4r4zsWDxnO7kCgYEAzf21
QLFXDnQbpuDN3Ao1F6y1WL8I4/T1YJ6iol6r9Hu4XjCQZUF/mJ76Zn+HvdFg8t5W
N1mH6IDgFKyVH0nEM+PTDz0kRCEG2v9ExAVVUuEpxpncmc1vYnJ9Ok8H5Tkrf9Vy
ErUMjNP5p5oOyQxOU5p60+ipoZqW8kpSBleStAkCgYEAitdrYk0YkCmGGUHF/A9v
7uW2vvEglTX1e1j1qSvddfbE9m6ZRLLkmvTCWwy0jSC2O0vs/MkDuFMksi+/p0YQ
mSUuHr1cMaQmr1wbSKvWPlocJsTj4YYeye/z2CBjgexa9Y+omATrAe47vjm7/Q0J
j+HnqAe6TGxK4EpiRt2WYAkCgYEAkGUsTTEDCYqyZ4RmSbyOAw56AL/JB6KK7zPE
ZXVfrH2de8knLxN+0gl/FaKIELNY9maMoTgNYRoV+egQkGIxOv6U0LXXWjqch58x
IQdsDDDyC9mHHfk3/xaqWdlUe4Zby7xfvmVTatScyLPhcWVC8q/zMeCCKFopPaaD
YRa6K6ECgYAtB3L4ApN8rPFXF3fONRqHMkrDn6q1LoWUYa3aLG2rVpSkjQg7OLGI
3LIWkEEnMsW8XdXgMLS2d2dNepRYmek4XKQzgJQGxQOuP2wvA5jygyuPF97pZp3b
WzJ55gH6RwEiseC/YutN3d8I1VStFJbf41II12lB8JUdFdf6XMd+Wg==
-----END RSA PRIVATE KEY-----
";

    #[test]
    fn the_kind_decides_unless_an_algorithm_is_named() {
        let generated = |algorithm| SigningKey::generate(algorithm).unwrap().1;
        let rsa = generated(Algorithm::RS256);
        let table = [
            ("RSA", &rsa, None, Ok(Algorithm::PS256)),
            ("RSA, told", &rsa, Some(Algorithm::RS256), Ok(Algorithm::RS256)),
            ("RSA, told otherwise", &rsa, Some(Algorithm::ES256), Err("it holds no key for ES256")),
            ("RSA in PKCS#1", &Secret::new(PKCS1), None, Ok(Algorithm::PS256)),
            ("P-256", &generated(Algorithm::ES256), None, Ok(Algorithm::ES256)),
            ("P-256 in SEC1", &Secret::new(SEC1), None, Ok(Algorithm::ES256)),
            ("P-256 in SEC1, told", &Secret::new(SEC1), Some(Algorithm::ES256), Ok(Algorithm::ES256)),
            ("Ed25519", &generated(Algorithm::EdDSA), None, Ok(Algorithm::EdDSA)),
            ("P-384", &Secret::new(P384), None, Err("it holds no key for")),
            ("no key", &Secret::new("x"), None, Err("it is not a PEM file")),
        ];
        for (case, pem, algorithm, expected) in table {
            let read = SigningKey::from_any_pem(algorithm, pem);
            match expected {
                Ok(expected) => assert_eq!(read.unwrap().algorithm(), expected, "{case}"),
                Err(sentence) => {
                    let fault = read.unwrap_err().to_string();
                    assert!(fault.starts_with(sentence), "{case}: {fault}");
                }
            }
        }
    }
}
