//! The names of RFC 8705 (2.1.2): as registered, as certificates write them, and malformed.

use std::net::IpAddr;

use super::*;

#[test]
fn table_of_subjects() {
    use DnType::{CommonName as CN, CountryName as C, OrganizationName as O};
    let email = || DnType::CustomDnType(vec![1, 2, 840, 113549, 1, 9, 1]);
    let text = |text: &str| DnValue::from(text);
    let shop = named(&[(C, text("DE")), (O, text("Shop")), (CN, text("Till  One"))], &[]);
    let comma = named(&[(O, text("Shop, Inc.")), (CN, text("a+b=c;\"<d>\\ #"))], &[]);
    let abroad = named(&[(O, text("Čaj ĐŽ")), (CN, DnValue::BmpString("Grün".try_into().unwrap()))], &[]);
    let mail = named(
        &[
            (CN, DnValue::PrintableString("till".try_into().unwrap())),
            (email(), DnValue::Ia5String("Till@Example.com".try_into().unwrap())),
        ],
        &[],
    );
    let psd2 = named(&[(DnType::CustomDnType(vec![2, 5, 4, 97]), text("PSDDE-BAFIN-123")), (CN, text("bank"))], &[]);
    let nul = named(&[(CN, text("till\0evil"))], &[]);
    let marked = named(&[(CN, text("#0c01"))], &[]);
    let alternative = named(&[], &[SanType::DnsName("till".try_into().unwrap())]);
    let several = parse(&decoded(MULTIVALUED), &[]).unwrap();
    let table: [(&ClientCertificate, &str, bool); 51] = [
        // RFC 4514 2.1: the last part of the subject stands first
        (&shop, "CN=Till One,O=Shop,C=DE", true),
        (&shop, "C=DE,O=Shop,CN=Till One", false),
        (&shop, "CN=Till One", false),
        (&shop, "CN=Till One,O=Shop", false),
        (&shop, "O=Shop,C=DE", false),
        (&shop, "CN=Till One,O=Shop,C=DE,DC=com", false),
        (&shop, "CN=Till One,O=Shop,O=Shop,C=DE", false),
        (&shop, "CN=Till One+O=Shop,C=DE", false),
        (&shop, "CN=Till One,CN=Shop,C=DE", false),
        (&shop, "cn=TILL ONE,o=shop,c=de", true),
        (&shop, "CN = Till One , O = Shop , C = DE", true),
        (&shop, "CN=\\ Till   One\\ ,O=Shop,C=DE", true),
        (&shop, "CN=TillOne,O=Shop,C=DE", false),
        (&shop, "2.5.4.3=Till One,OID.2.5.4.10=Shop,oid.2.5.4.6=DE", true),
        (&shop, "commonName=Till One,organizationName=Shop,countryName=DE", true),
        (&shop, "CN=Till\\20One,O=\\53hop,C=DE", true),
        (&shop, "CN=#0c0854696c6c204f6e65,O=#130453686F70,C=DE", true),
        (&shop, "CN=#0c0854696c6c204f6e66,O=Shop,C=DE", false),
        (&comma, "CN=a\\+b=c\\;\\\"\\<d\\>\\\\ #,O=Shop\\, Inc.", true),
        (&comma, "CN=a\\2bb\\3Dc\\3b\\22\\3cd\\3e\\5c\\20\\23,O=Shop\\2C Inc.", true),
        (&comma, "CN=a\\+b\\=c\\;\\\"\\<d\\>\\\\\\ \\#,O=Shop\\, Inc.", true),
        (&comma, "CN=a\\+b=c\\;\\\"\\<d\\>\\\\ #,O=Shop Inc.", false),
        (&abroad, "CN=Grün,O=Čaj ĐŽ", true),
        (&abroad, "CN=GRÜN,O=\\C4\\8Caj đž", true),
        (&abroad, "CN=Gru\u{308}n,O=Čaj ĐŽ", false),
        (&abroad, "CN=Grun,O=Čaj ĐŽ", false),
        (&mail, "emailAddress=till@example.com,CN=till", true),
        (&mail, "E=TILL@example.com,CN=till", true),
        (&mail, "1.2.840.113549.1.9.1=#161054696C6C406578616D706C652E636F6D,CN=till", true),
        (&mail, "CN=till", false),
        (&mail, "CN=till,emailAddress=till@example.com", false),
        (&psd2, "CN=bank,organizationIdentifier=PSDDE-BAFIN-123", true),
        (&psd2, "CN=bank,2.5.4.97=#0c0f50534444452d424146494e2d313233", true),
        (&psd2, "CN=bank,OU=PSDDE-BAFIN-123", false),
        (&nul, "CN=till", false),
        (&nul, "CN=tillevil", false),
        (&nul, "CN=till\\00evil", true),
        (&marked, "CN=\\#0c01", true),
        (&marked, "CN=#0c052330633031", true),
        // a number of the same digits is no text
        (&marked, "CN=#02052330633031", false),
        (&marked, "CN=#8c052330633031", false),
        (&marked, "CN=#2c072c052330633031", false),
        (&alternative, "CN=till", false),
        // RFC 4514 2.2: several attributes in one part are a set
        (&several, "CN=till+serialNumber=7,O=Shop\\, Inc.,C=DE", true),
        (&several, "serialNumber=7+CN=till,O=Shop\\, Inc.,C=DE", true),
        (&several, "2.5.4.5=7 + CN=Till,O=Shop\\, Inc.,C=DE", true),
        (&several, "CN=till,serialNumber=7,O=Shop\\, Inc.,C=DE", false),
        (&several, "CN=till,O=Shop\\, Inc.,C=DE", false),
        (&several, "CN=till+serialNumber=8,O=Shop\\, Inc.,C=DE", false),
        (&several, "CN=till+CN=till+serialNumber=7,O=Shop\\, Inc.,C=DE", false),
        (&several, "SN=7+CN=till,O=Shop\\, Inc.,C=DE", false),
    ];
    for (certificate, text, expected) in table {
        assert_eq!(RegisteredName::subject_dn(text).unwrap().matches(certificate), expected, "{text}");
    }
}

#[test]
fn table_of_alternative_names() {
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let uri = |name: &str| SanType::URI(name.try_into().unwrap());
    let email = |name: &str| SanType::Rfc822Name(name.try_into().unwrap());
    let ip = |address: &str| SanType::IpAddress(address.parse::<IpAddr>().unwrap());
    let cn = |name: &str| (DnType::CommonName, DnValue::from(name));
    let till = named(&[], &[dns("other.example.com"), dns("Till.example.com")]);
    let wild = named(&[], &[dns("*.example.com")]);
    let nul = named(&[], &[dns("till.example.com\0.evil.example"), email("till@example.com\0")]);
    let common = named(&[cn("till.example.com")], &[]);
    let all = named(
        &[cn("till")],
        &[
            uri("https://till.example.com/A"),
            email("Till@Example.COM"),
            email("no address"),
            ip("192.0.2.1"),
            ip("2001:db8::1"),
        ],
    );
    // every name in another's field
    let mixed = named(&[], &[uri("till.example.com"), dns("till@example.com"), dns("192.0.2.1"), email("a@192.0.2.1")]);
    type Name = fn(&str) -> Result<RegisteredName, MalformedName>;
    let (san_dns, san_uri): (Name, Name) = (RegisteredName::san_dns, RegisteredName::san_uri);
    let (san_ip, san_email): (Name, Name) = (RegisteredName::san_ip, RegisteredName::san_email);
    let table: [(&ClientCertificate, Name, &str, bool); 31] = [
        (&till, san_dns, "till.example.com", true),
        (&till, san_dns, "TILL.EXAMPLE.COM", true),
        (&till, san_dns, "other.example.com", true),
        (&till, san_dns, "example.com", false),
        (&till, san_dns, "till.example.com.evil", false),
        (&till, san_uri, "https://till.example.com", false),
        (&wild, san_dns, "till.example.com", false),
        (&wild, san_dns, "example.com", false),
        (&nul, san_dns, "till.example.com", false),
        (&nul, san_email, "till@example.com", false),
        (&common, san_dns, "till.example.com", false),
        (&all, san_dns, "till.example.com", false),
        (&all, san_uri, "https://till.example.com/A", true),
        (&all, san_uri, "https://till.example.com/a", false),
        (&all, san_uri, "https://till.example.com/A/", false),
        (&all, san_uri, "HTTPS://till.example.com/A", false),
        (&all, san_email, "Till@example.com", true),
        (&all, san_email, "Till@EXAMPLE.com", true),
        (&all, san_email, "till@example.com", false),
        (&all, san_email, "Till@sub.example.com", false),
        (&all, san_ip, "192.0.2.1", true),
        (&all, san_ip, "192.0.2.2", false),
        (&all, san_ip, "::ffff:192.0.2.1", false),
        (&all, san_ip, "2001:DB8:0::1", true),
        (&all, san_ip, "2001:db8::2", false),
        (&mixed, san_dns, "till.example.com", false),
        (&mixed, san_email, "till@example.com", false),
        (&mixed, san_ip, "192.0.2.1", false),
        (&mixed, san_uri, "urn:till", false),
        (&mixed, san_email, "a@192.0.2.1", true),
        (&mixed, san_email, "b@192.0.2.1", false),
    ];
    for (certificate, name, text, expected) in table {
        assert_eq!(name(text).unwrap().matches(certificate), expected, "{text}");
    }
}

#[test]
fn table_of_malformed_names() {
    use MalformedName::{
        Empty, EmptyValue, Escape, Hexadecimal, NoAddress, NoDnsName, NoEmail, NoUri, NoValue, NotEscaped, UnknownType,
    };
    let long = format!("{}.example", "a".repeat(246));
    type Name = fn(&str) -> Result<RegisteredName, MalformedName>;
    let (subject, san_dns, san_uri): (Name, Name, Name) =
        (RegisteredName::subject_dn, RegisteredName::san_dns, RegisteredName::san_uri);
    let (san_ip, san_email): (Name, Name) = (RegisteredName::san_ip, RegisteredName::san_email);
    let table: [(Name, &str, MalformedName); 60] = [
        (subject, "", Empty),
        (subject, "  ", Empty),
        (subject, "till", NoValue),
        (subject, "CN=till,", NoValue),
        (subject, ",CN=till", NoValue),
        (subject, "CN=till,,O=Shop", NoValue),
        (subject, "CN=till+,O=Shop", NoValue),
        (subject, "/C=DE/O=Shop", UnknownType),
        (subject, "=till", UnknownType),
        (subject, "KN=till", UnknownType),
        (subject, "2=till", UnknownType),
        (subject, "2.5=till", UnknownType),
        (subject, "2.5.4.=till", UnknownType),
        (subject, "2.5.4.03=till", UnknownType),
        (subject, "2.5.4.+3=till", NoValue),
        (subject, "2.5.4.-3=till", UnknownType),
        (subject, "3.5.4.3=till", UnknownType),
        (subject, "6.39.4=till", UnknownType),
        (subject, "2.5.4.99999999999999999999=till", UnknownType),
        (subject, "OID.=till", UnknownType),
        (subject, "ÖID.2.5.4.3=till", UnknownType),
        (subject, "CN=", EmptyValue),
        (subject, "CN= ,O=Shop", EmptyValue),
        (subject, "CN=\\ ", EmptyValue),
        (subject, "CN=#0c00", EmptyValue),
        (subject, "CN=\\", Escape),
        (subject, "CN=a\\", Escape),
        (subject, "CN=\\4", Escape),
        (subject, "CN=\\zz", Escape),
        (subject, "CN=\\ü", Escape),
        (subject, "CN=\\ff", Escape),
        (subject, "CN=\"till, one\"", NotEscaped),
        (subject, "CN=\"till\"", NotEscaped),
        (subject, "CN=till;O=Shop", NotEscaped),
        (subject, "CN=<till>", NotEscaped),
        (subject, "CN=till\0", NotEscaped),
        (subject, "CN=#", Hexadecimal),
        (subject, "CN=#0c", Hexadecimal),
        (subject, "CN=#0c0", Hexadecimal),
        (subject, "CN=#0c0161ff", Hexadecimal),
        (subject, "CN=#0c05616161", Hexadecimal),
        (subject, "CN=#till", Hexadecimal),
        (subject, "CN=#+c0161", Hexadecimal),
        (san_dns, "", NoDnsName),
        (san_dns, "*.example.com", NoDnsName),
        (san_dns, "till..example", NoDnsName),
        (san_dns, "till.example.", NoDnsName),
        (san_dns, "till example", NoDnsName),
        (san_dns, "täst.example", NoDnsName),
        (san_dns, &long, NoDnsName),
        (san_uri, "", NoUri),
        (san_uri, "till", NoUri),
        (san_uri, "https://till.example.com/a b", NoUri),
        (san_uri, "https://tüll.example.com", NoUri),
        (san_ip, "192.0.2", NoAddress),
        (san_ip, "192.0.2.1/32", NoAddress),
        (san_email, "till", NoEmail),
        (san_email, "@example.com", NoEmail),
        (san_email, "till@", NoEmail),
        (san_email, "till one@example.com", NoEmail),
    ];
    for (name, text, expected) in table {
        assert_eq!(name(text), Err(expected), "{text}");
    }
}
