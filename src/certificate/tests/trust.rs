//! Paths to roots, dates, and what cannot be a root.

use rcgen::{GeneralSubtree, NameConstraints};

use super::*;

fn issued(
    authority: &Authority,
    chain: &[&Authority],
    change: impl FnOnce(&mut CertificateParams),
) -> ClientCertificate {
    let mut params = params("till");
    params.subject_alt_names = vec![SanType::DnsName("till.example.com".try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    let der = params.signed_by(&KeyPair::generate().unwrap(), authority).unwrap().der().to_vec();
    let chain: Vec<&[u8]> = chain.iter().map(|authority| authority.der().as_ref()).collect();
    parse(&der, &chain).unwrap()
}

#[test]
fn table_of_paths() {
    let (root, other) = (root("root"), root("other"));
    // the same name and another key
    let impostor = CertifiedIssuer::self_signed(authority_params("root"), KeyPair::generate().unwrap()).unwrap();
    let middle = below(&root, "middle", |_| {});
    let lower = below(&middle, "lower", |_| {});
    let ended = below(&root, "ended", |it| it.not_after = date_time_ymd(2026, 1, 1));
    let no_authority = below(&root, "no authority", |it| it.is_ca = IsCa::ExplicitNoCa);
    let short = below(&root, "short", |it| it.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let below_short = below(&short, "below short", |_| {});
    let bound = below(&root, "bound", |it| {
        let permitted_subtrees = vec![GeneralSubtree::DnsName("example.org".into())];
        it.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    });
    let servers = below(&root, "servers", |it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let as_is = |_: &mut CertificateParams| {};
    let usages = |usages: &'static [ExtendedKeyUsagePurpose]| {
        move |it: &mut CertificateParams| it.extended_key_usages = usages.to_vec()
    };
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    use Untrusted::{AnAuthority, Expired, NotForClients, NotYetValid, UnknownIssuer};
    let mine = params("till");
    let table: [(&str, ClientCertificate, &TrustRoots, Result<(), Option<Untrusted>>); 22] = [
        ("issued by a root", issued(&root, &[], as_is), &roots(&[&root]), Ok(())),
        ("one of several roots", issued(&root, &[], as_is), &roots(&[&other, &root]), Ok(())),
        ("roots of two files", issued(&root, &[], as_is), &roots(&[&other]).and(&roots(&[&root])), Ok(())),
        ("over an intermediate", issued(&middle, &[&middle], as_is), &roots(&[&root]), Ok(())),
        ("over two, in any order", issued(&lower, &[&middle, &lower], as_is), &roots(&[&root]), Ok(())),
        ("with the root", issued(&middle, &[&middle, &root], as_is), &roots(&[&root]), Ok(())),
        ("the intermediate is listed", issued(&middle, &[], as_is), &roots(&[&middle]), Ok(())),
        ("no extended key usage", issued(&root, &[], usages(&[])), &roots(&[&root]), Ok(())),
        ("both usages", issued(&root, &[], usages(&[ServerAuth, ClientAuth])), &roots(&[&root]), Ok(())),
        ("A35 no intermediate", issued(&middle, &[], as_is), &roots(&[&root]), Err(Some(UnknownIssuer))),
        ("A35 another root", issued(&root, &[], as_is), &roots(&[&other]), Err(Some(UnknownIssuer))),
        ("A35 another root, presented", issued(&other, &[&other], as_is), &roots(&[&root]), Err(Some(UnknownIssuer))),
        ("A35 a root of the same name", issued(&impostor, &[&impostor], as_is), &roots(&[&root]), Err(None)),
        (
            "A35 self-signed",
            self_signed(&mine, &KeyPair::generate().unwrap()),
            &roots(&[&root]),
            Err(Some(UnknownIssuer)),
        ),
        (
            "A35 ended",
            issued(&root, &[], |it| it.not_after = date_time_ymd(2026, 12, 31)),
            &roots(&[&root]),
            Err(Some(Expired)),
        ),
        (
            "A35 not begun",
            issued(&root, &[], |it| it.not_before = date_time_ymd(2028, 1, 1)),
            &roots(&[&root]),
            Err(Some(NotYetValid)),
        ),
        ("A35 an intermediate has ended", issued(&ended, &[&ended], as_is), &roots(&[&root]), Err(Some(Expired))),
        ("A35 for servers", issued(&root, &[], usages(&[ServerAuth])), &roots(&[&root]), Err(Some(NotForClients))),
        (
            "A35 an intermediate for servers",
            issued(&servers, &[&servers], as_is),
            &roots(&[&root]),
            Err(Some(NotForClients)),
        ),
        ("A35 an authority's own", parse(middle.der(), &[]).unwrap(), &roots(&[&root]), Err(Some(AnAuthority))),
        ("A35 by one that may not", issued(&no_authority, &[&no_authority], as_is), &roots(&[&root]), Err(None)),
        ("A35 a name out of bounds", issued(&bound, &[&bound], as_is), &roots(&[&root]), Err(None)),
    ];
    for (name, certificate, roots, expected) in table {
        match (certificate.validate(roots, NOW), expected) {
            (Ok(()), Ok(())) => {}
            (Err(found), Err(Some(expected))) => assert_eq!(found, expected, "{name}"),
            (Err(Untrusted::Else(_) | Untrusted::UnknownIssuer), Err(None)) => {}
            (found, expected) => panic!("{name}: {found:?} and not {expected:?}"),
        }
    }
    let long = issued(&below_short, &[&below_short, &short], as_is);
    assert!(long.validate(&roots(&[&root]), NOW).is_err(), "a path longer than it may be");
}

#[test]
fn a_root_that_has_ended_vouches_for_nobody() {
    let mut params = authority_params("root");
    params.not_after = date_time_ymd(2026, 12, 31);
    let key = KeyPair::generate().unwrap();
    let ended = CertifiedIssuer::self_signed(params, KeyPair::from_pem(&key.serialize_pem()).unwrap()).unwrap();
    let renewed = CertifiedIssuer::self_signed(authority_params("root"), key).unwrap();
    let certificate = issued(&ended, &[], |_| {});
    let before = Timestamp::from_seconds(1_700_000_000);
    assert_eq!(certificate.validate(&roots(&[&ended]), before), Ok(()));
    assert_eq!(certificate.validate(&roots(&[&ended]), NOW), Err(Untrusted::UnknownIssuer));
    assert_eq!(certificate.validate(&roots(&[&ended, &renewed]), NOW), Ok(()));
}

#[test]
fn table_of_dates() {
    let mut params = params("till");
    (params.not_before, params.not_after) = (date_time_ymd(2027, 1, 1), date_time_ymd(2027, 1, 2));
    let certificate = self_signed(&params, &KeyPair::generate().unwrap());
    let (begin, end) = (1_798_761_600, 1_798_761_600 + 24 * 60 * 60);
    for (now, expected) in [(begin - 1, false), (begin, true), (end, true), (end + 1, false), (0, false)] {
        assert_eq!(certificate.is_valid_at(Timestamp::from_seconds(now)), expected, "{now}");
    }
    assert!(!certificate.is_valid_at(Timestamp::from_millis(u64::MAX)));
}

#[test]
fn table_of_unusable_roots() {
    let good = root("root").pem();
    let leaf = params("till").self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let mut crl_signer = authority_params("root");
    crl_signer.key_usages = vec![KeyUsagePurpose::CrlSign];
    let crl_signer = crl_signer.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let pem = |der: &str| format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
    let table = [
        (String::new(), "it holds no certificate"),
        (KeyPair::generate().unwrap().serialize_pem(), "it holds no certificate"),
        (good.replace("-----END CERTIFICATE-----", ""), "it is not PEM: "),
        (pem("MAA="), "its certificate 1 cannot be read"),
        (format!("{good}{}", pem("MAA=")), "its certificate 2 cannot be read"),
        (leaf, "its certificate 1 is no authority's"),
        (crl_signer, "its certificate 1 is no authority's"),
        (pem(SHORT), "its certificate 1 cannot be used: its RSA key has not 2048 to 8192 bits"),
    ];
    for (pem, expected) in table {
        let fault = TrustRoots::from_pem(pem.as_bytes()).unwrap_err().to_string();
        assert!(fault.starts_with(expected), "{fault}");
    }
    assert!(TrustRoots::from_pem(good.as_bytes()).is_ok());
}
