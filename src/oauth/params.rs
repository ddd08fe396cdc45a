//! The parameters of a form (`application/x-www-form-urlencoded`), parsed once at the door, strictly.
//!
//! RFC 6749 3.2: a parameter without a value is omitted, unknown ones are ignored, none may be sent twice. Values are
//! decoded once and stay texts. Broken escapes, bytes that are not UTF-8 and control characters are refused (RFC 6749
//! appendix A); `binding_message` alone may hold control characters here, since CIBA Core has an error code of its own.
//! Parameters that came in another way (a request object, RFC 9101) are held to the same.

use super::Error;

/// Most forms have fewer than ten parameters; more than this is no form of ours.
const MOST: usize = 64;

/// A parsed form without repeated names and without empty values.
#[derive(Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// # Errors
    /// `invalid_request`, with a sentence that says what is wrong and repeats nothing of the form.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let pairs = body.split(|b| *b == b'&').filter(|pair| !pair.is_empty());
        Self::of(pairs.map(|pair| {
            let (name, value) = match pair.iter().position(|b| *b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            Ok((decode(name)?, decode(value)?))
        }))
    }

    /// From names and values, decoded.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of(pairs: impl Iterator<Item = Result<(String, String), Error>>) -> Result<Self, Error> {
        let mut params: Vec<(String, String)> = Vec::with_capacity(8);
        for pair in pairs {
            if params.len() == MOST {
                return Err(Error::invalid_request("The request has too many parameters"));
            }
            let (name, value) = pair?;
            if params.iter().any(|(other, _)| *other == name) {
                return Err(Error::invalid_request("A parameter is sent more than once"));
            }
            if name != "binding_message" && has_control(&value) {
                return Err(Error::invalid_request("A parameter holds control characters"));
            }
            params.push((name, value));
        }
        params.retain(|(_, value)| !value.is_empty());
        Ok(Self(params))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn has_control(text: &str) -> bool {
    if text.is_ascii() { text.bytes().any(|b| b.is_ascii_control()) } else { text.chars().any(char::is_control) }
}

/// Form decoding of one name or value: `+` is a space, `%` must be followed by two hexadecimal digits.
pub fn decode(encoded: &[u8]) -> Result<String, Error> {
    let not_utf8 = || Error::invalid_request("A parameter is not encoded as UTF-8");
    if !encoded.iter().any(|b| matches!(b, b'+' | b'%')) {
        return std::str::from_utf8(encoded).map(str::to_owned).map_err(|_| not_utf8());
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().and_then(hex), rest.next().and_then(hex)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(Error::invalid_request("A parameter is not percent-encoded correctly")),
            },
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| not_utf8())
}

const fn hex(digit: &u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(*digit - b'0'),
        b'a'..=b'f' => Some(*digit - b'a' + 10),
        b'A'..=b'F' => Some(*digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_cases() {
        // number, body, the pairs or nothing when refused
        let table: &[(&str, &str, Option<&[(&str, &str)]>)] = &[
            ("H18 not UTF-8", "a=%ff", None),
            ("H19 broken escape", "a=%zz", None),
            ("H19 cut escape", "a=%4", None),
            ("H20 control character", "a=%00", None),
            (
                "H20 but the binding message has its own code",
                "binding_message=a%0Ab",
                Some(&[("binding_message", "a\nb")]),
            ),
            ("H21 repeated", "scope=a&scope=b", None),
            ("H21 repeated with an empty value", "scope=&scope=b", None),
            ("H22 empty is omitted", "scope=&a=1", Some(&[("a", "1")])),
            ("H22 no equals sign is omitted", "scope&a=1", Some(&[("a", "1")])),
            ("H29 decoded once", "p=a%2Bb%2520c", Some(&[("p", "a+b%20c")])),
            ("H30 stays a text", "user_code=0123&b=true", Some(&[("user_code", "0123"), ("b", "true")])),
            ("empty body", "", Some(&[])),
            ("stray separators", "&&a=1&", Some(&[("a", "1")])),
            ("plus is a space", "scope=openid+profile", Some(&[("scope", "openid profile")])),
        ];
        for (number, body, expected) in table {
            let parsed = Params::parse(body.as_bytes());
            match expected {
                None => assert!(parsed.is_err(), "{number}"),
                Some(pairs) => {
                    assert_eq!(&parsed.expect(number).iter().collect::<Vec<_>>(), pairs, "{number}");
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>) {
            let _ = Params::parse(&body);
        }
    }
}
