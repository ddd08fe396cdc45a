//! No bytes and no text panic, and no changed certificate is trusted.

use proptest::prelude::*;

use super::*;

/// Every question, for whatever is a certificate.
fn ask(leaf: &[u8], chain: Vec<Vec<u8>>, roots: &TrustRoots) {
    let Some(presented) = Presented::new(leaf, chain) else { return };
    if let Ok(certificate) = ClientCertificate::parse(&presented) {
        let _ = certificate.validate(roots, NOW);
        certificate.is_valid_at(NOW);
        let _ = (certificate.thumbprint(), certificate.jwk_thumbprint());
        let names = [RegisteredName::subject_dn("CN=till"), RegisteredName::san_dns("till.example.com")];
        let _ = names.map(|name| name.unwrap().matches(&certificate));
    }
}

/// Leaf, intermediate, root; with many kinds of fields.
fn path() -> (Vec<u8>, Vec<u8>, TrustRoots) {
    let root = root("root");
    let middle = below(&root, "middle", |_| {});
    let mut rich = params("till");
    rich.distinguished_name.push(DnType::OrganizationName, DnValue::BmpString("Shop".try_into().unwrap()));
    rich.distinguished_name.push(DnType::CountryName, DnValue::PrintableString("DE".try_into().unwrap()));
    rich.subject_alt_names = vec![
        SanType::DnsName("till.example.com".try_into().unwrap()),
        SanType::Rfc822Name("till@example.com".try_into().unwrap()),
        SanType::URI("urn:till".try_into().unwrap()),
        SanType::IpAddress([192, 0, 2, 1].into()),
        SanType::OtherName((vec![1, 2, 3], "other".into())),
    ];
    rich.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    rich.use_authority_key_identifier_extension = true;
    let leaf = rich.signed_by(&KeyPair::generate().unwrap(), &middle).unwrap().der().to_vec();
    (leaf, middle.der().to_vec(), roots(&[&root]))
}

#[test]
fn no_changed_byte_panics_and_none_is_trusted() {
    let (leaf, middle, roots) = path();
    assert_eq!(parse(&leaf, &[&middle]).unwrap().validate(&roots, NOW), Ok(()));
    for at in 0..leaf.len() {
        for value in [leaf[at] ^ 1, leaf[at] ^ 0x80, 0, 0xff].into_iter().filter(|value| *value != leaf[at]) {
            let mut changed = leaf.clone();
            changed[at] = value;
            if let Ok(certificate) = parse(&changed, &[&middle]) {
                assert!(certificate.validate(&roots, NOW).is_err(), "{value} at {at}");
            }
        }
        ask(&leaf[..at], vec![middle.clone()], &roots);
    }
    for at in 0..middle.len() {
        let mut changed = middle.clone();
        changed[at] ^= 1;
        assert!(parse(&leaf, &[&changed]).unwrap().validate(&roots, NOW).is_err(), "the intermediate at {at}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(leaf in any::<Vec<u8>>(), chain in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
        let _ = TrustRoots::from_pem(&leaf);
        ask(&leaf, chain, &roots(&[&root("root")]));
    }

    #[test]
    fn no_mutated_certificate_panics(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        insert in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let (leaf, middle, roots) = path();
        for original in [&leaf, &decoded(MULTIVALUED), &decoded(SHORT), &decoded(OTHER_CURVE)] {
            let mut der = original.clone();
            for (at, value) in &changes {
                let at = at.index(der.len());
                der[at] = *value;
            }
            ask(&der, vec![middle.clone(), der.clone()], &roots);
            let at = cut.index(der.len());
            der.splice(at..at, insert.iter().copied());
            ask(&der, vec![middle.clone()], &roots);
            ask(&leaf, vec![der], &roots);
        }
    }

    #[test]
    fn no_text_panics(text in ".*", dn in "(CN|2\\.5\\.4\\.3|OID\\.)=?[#\\\\,+ =a-f0-9\"äß]{0,20}") {
        for text in [&text, &dn] {
            let _ = RegisteredName::subject_dn(text);
            let _ = RegisteredName::san_dns(text);
            let _ = RegisteredName::san_uri(text);
            let _ = RegisteredName::san_ip(text);
            let _ = RegisteredName::san_email(text);
        }
    }

    /// What OpenSSL and others write of a subject is the subject.
    #[test]
    fn an_escaped_value_is_the_value(value in "[a-zA-Z0-9 ,+\"\\\\<>;#=äßЖ]{1,20}") {
        prop_assume!(!value.trim().is_empty());
        let certificate = named(&[(DnType::OrganizationName, "Shop".into()), (DnType::CommonName, value.as_str().into())], &[]);
        let hexadecimal: String = value.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        let special = |it: char| if ",+\"\\<>;# =".contains(it) { format!("\\{it}") } else { it.to_string() };
        let escaped: String = value.chars().map(special).collect();
        let written = [format!("CN={hexadecimal},O=Shop"), format!("CN={escaped},O=Shop"), format!("O=Shop,CN={escaped}")];
        let matches = written.map(|text| RegisteredName::subject_dn(&text).unwrap().matches(&certificate));
        prop_assert_eq!(matches, [true, true, false]);
    }
}
