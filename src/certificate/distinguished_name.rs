//! Distinguished names: read from a certificate's subject and from a text as RFC 4514 writes them, and compared as X.500
//! does (RFC 4517, 4.2.15), never as texts.
//!
//! Part by part, types by object identifier; several attributes in one part are a set. Values are compared in lower case,
//! with runs of space as one (RFC 4518). Of that, Unicode's compatibility forms are left out: a name that needs them has to
//! be registered as the certificate writes it.

use x509_parser::{
    asn1_rs::{Any, Class, Tag},
    der_parser::oid::Oid,
    prelude::FromDer as _,
    x509::{AttributeTypeAndValue, X509Name},
};

use super::MalformedName;

/// In the certificate's order, which is a text's from its end; the attributes of each part are sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DistinguishedName(Vec<Vec<Attribute>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attribute {
    /// The object identifier as DER has it.
    kind: Vec<u8>,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// Of any string type, folded.
    Text(String),
    Other {
        class: u8,
        tag: u32,
        content: Vec<u8>,
    },
}

impl DistinguishedName {
    pub(super) fn of(name: &X509Name<'_>) -> Self {
        let attribute = |it: &AttributeTypeAndValue<'_>| {
            let (kind, value) = (it.attr_type().as_bytes().to_vec(), read(it.attr_value()));
            Attribute { kind, value }
        };
        Self(name.iter().map(|part| sorted(part.iter().map(attribute).collect())).collect())
    }

    /// Spaces round `,`, `+` and `=` are allowed, as RFC 2253 had them and everybody writes them.
    pub(super) fn parse(text: &str) -> Result<Self, MalformedName> {
        if text.trim().is_empty() {
            return Err(MalformedName::Empty);
        }
        let part = |part| split(part, '+').into_iter().map(attribute).collect::<Result<_, _>>().map(sorted);
        let mut parts: Vec<_> = split(text, ',').into_iter().map(part).collect::<Result<_, _>>()?;
        parts.reverse();
        Ok(Self(parts))
    }
}

fn sorted(mut attributes: Vec<Attribute>) -> Vec<Attribute> {
    attributes.sort();
    attributes
}

// --- a value of a certificate ----------------------------------------------------------------------------------------

fn read(value: &Any<'_>) -> Value {
    let is_string = value.class() == Class::Universal && !value.header.is_constructed();
    match text(value.tag(), value.data).filter(|_| is_string) {
        Some(text) => Value::Text(fold(&text)),
        None => Value::Other { class: value.class() as u8, tag: value.tag().0, content: value.data.to_vec() },
    }
}

/// `None` for what is no string, or not the string that its tag says.
fn text(tag: Tag, content: &[u8]) -> Option<String> {
    match tag {
        Tag::Utf8String => String::from_utf8(content.to_vec()).ok(),
        // of T.61, the part that everybody agrees on
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString | Tag::T61String => {
            content.is_ascii().then(|| String::from_utf8_lossy(content).into_owned())
        }
        Tag::BmpString => {
            let (units, []) = content.as_chunks::<2>() else { return None };
            char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))).collect::<Result<_, _>>().ok()
        }
        Tag::UniversalString => {
            let (units, []) = content.as_chunks::<4>() else { return None };
            units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect()
        }
        _ => None,
    }
}

fn fold(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().flat_map(char::to_lowercase).collect()
}

// --- RFC 4514 --------------------------------------------------------------------------------------------------------

/// At each separator that no backslash stands before.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut is_escaped = false;
    text.split(|character| {
        let ends = character == separator && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends
    })
    .collect()
}

fn attribute(text: &str) -> Result<Attribute, MalformedName> {
    let (kind, value) = text.split_once('=').ok_or(MalformedName::NoValue)?;
    let kind = attribute_type(kind.trim()).ok_or(MalformedName::UnknownType)?;
    let value = value.trim_start();
    let value = match value.strip_prefix('#') {
        Some(digits) => hexadecimal(digits.trim_end()).ok_or(MalformedName::Hexadecimal)?,
        None => Value::Text(fold(&unescape(value)?)),
    };
    if value == Value::Text(String::new()) {
        return Err(MalformedName::EmptyValue);
    }
    Ok(Attribute { kind, value })
}

fn attribute_type(name: &str) -> Option<Vec<u8>> {
    let oid = |arcs: &[u64]| Oid::from(arcs).ok().map(|oid| oid.as_bytes().to_vec());
    let known = TYPES.iter().find(|(names, _)| names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    if let Some((_, arcs)) = known {
        return oid(arcs);
    }
    // Java writes `OID.2.5.4.97`
    let dotted = if name.get(..4).is_some_and(|it| it.eq_ignore_ascii_case("OID.")) { name.get(4..)? } else { name };
    let is_number = |arc: &str| arc.bytes().all(|byte| byte.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'));
    let arcs = dotted.split('.').map(|arc| arc.parse().ok().filter(|_| is_number(arc)));
    let arcs = arcs.collect::<Option<Vec<u64>>>()?;
    oid(&arcs).filter(|_| arcs.len() > 2 && arcs.first().is_some_and(|first| *first <= 2))
}

/// Section 2.4 backwards.
fn unescape(value: &str) -> Result<String, MalformedName> {
    let mut bytes = Vec::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => bytes.push(escaped(&mut characters).ok_or(MalformedName::Escape)?),
            '"' | ';' | '<' | '>' | '\0' => return Err(MalformedName::NotEscaped),
            plain => bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    String::from_utf8(bytes).map_err(|_| MalformedName::Escape)
}

/// The byte that is meant after a backslash.
fn escaped(characters: &mut std::str::Chars<'_>) -> Option<u8> {
    let first = characters.next()?;
    if " \"#+,;<=>\\".contains(first) {
        return u8::try_from(first).ok();
    }
    let (high, low) = (first.to_digit(16)?, characters.next()?.to_digit(16)?);
    u8::try_from(high * 16 + low).ok()
}

/// A value by its DER.
fn hexadecimal(digits: &str) -> Option<Value> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    let der: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    Any::from_der(&der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, value)| read(&value))
}

/// Section 3 of RFC 4514, RFC 4519, and what OpenSSL, Java and Windows write.
const TYPES: [(&[&str], &[u64]); 28] = [
    (&["CN", "commonName"], &[2, 5, 4, 3]),
    (&["SN", "surname"], &[2, 5, 4, 4]),
    (&["serialNumber"], &[2, 5, 4, 5]),
    (&["C", "countryName"], &[2, 5, 4, 6]),
    (&["L", "localityName"], &[2, 5, 4, 7]),
    (&["ST", "S", "stateOrProvinceName"], &[2, 5, 4, 8]),
    (&["STREET", "streetAddress"], &[2, 5, 4, 9]),
    (&["O", "organizationName"], &[2, 5, 4, 10]),
    (&["OU", "organizationalUnitName"], &[2, 5, 4, 11]),
    (&["title", "T"], &[2, 5, 4, 12]),
    (&["description"], &[2, 5, 4, 13]),
    (&["businessCategory"], &[2, 5, 4, 15]),
    (&["postalCode"], &[2, 5, 4, 17]),
    (&["postOfficeBox"], &[2, 5, 4, 18]),
    (&["telephoneNumber"], &[2, 5, 4, 20]),
    (&["name"], &[2, 5, 4, 41]),
    (&["GN", "givenName"], &[2, 5, 4, 42]),
    (&["initials"], &[2, 5, 4, 43]),
    (&["generationQualifier"], &[2, 5, 4, 44]),
    (&["dnQualifier"], &[2, 5, 4, 46]),
    (&["pseudonym"], &[2, 5, 4, 65]),
    (&["organizationIdentifier"], &[2, 5, 4, 97]),
    (&["UID", "userId"], &[0, 9, 2342, 19200300, 100, 1, 1]),
    (&["DC", "domainComponent"], &[0, 9, 2342, 19200300, 100, 1, 25]),
    (&["emailAddress", "E"], &[1, 2, 840, 113549, 1, 9, 1]),
    (&["jurisdictionL", "jurisdictionLocalityName"], &[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 1]),
    (&["jurisdictionST", "jurisdictionStateOrProvinceName"], &[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 2]),
    (&["jurisdictionC", "jurisdictionCountryName"], &[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 3]),
];
