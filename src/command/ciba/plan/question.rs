//! What is asked: the person, the scope and the rest of the request's parameters.

use std::path::Path;

use serde_json::Value;

use super::{files, with_demo};
use crate::{
    command::ciba::{
        arguments::QuestionArgs,
        ask::{Hint, Question},
        issuer::Issuer,
    },
    random::{NoRandomness, Random},
};

const DEMO_USER: &str = "alice";

pub(super) fn question(args: QuestionArgs, issuer: &Issuer) -> Result<Question, String> {
    let hint = match (args.login_hint_token, args.id_token_hint) {
        (Some(token), _) => Hint::LoginToken(text(&token, "--login-hint-token")?),
        (None, Some(token)) => Hint::IdToken(text(&token, "--id-token-hint")?),
        (None, None) => Hint::Login(with_demo(issuer, args.login_hint, DEMO_USER, "--login-hint")?),
    };
    let binding_message = match args.binding_message {
        Some(text) => Some(text).filter(|text| !text.is_empty()),
        None => Some(code(&Random::system()).map_err(|fault| fault.to_string())?),
    };
    let details = args.authorization_details.as_deref().map(authorization_details).transpose()?;
    Ok(Question {
        hint,
        scope: args.scope,
        binding_message,
        requested_expiry: args.requested_expiry,
        user_code: args.user_code_file.as_deref().map(files::secret).transpose()?.or(args.user_code),
        acr_values: args.acr_values,
        authorization_details: details,
    })
}

/// A flag's value, or what the file holds that it names with `@`.
fn text(value: &str, flag: &str) -> Result<String, String> {
    let text = match value.strip_prefix('@') {
        Some(path) => files::text(Path::new(path))?.trim().to_owned(),
        None => value.to_owned(),
    };
    if text.is_empty() { Err(format!("{flag} is empty")) } else { Ok(text) }
}

/// RFC 9396 2: an array of objects, each with a `type`.
fn authorization_details(value: &str) -> Result<Value, String> {
    let flag = "--authorization-details";
    let details = serde_json::from_str(&text(value, flag)?).map_err(|fault| format!("{flag} is not JSON: {fault}"))?;
    match details {
        Value::Array(all) if !all.is_empty() && all.iter().all(|one| one["type"].is_string()) => Ok(Value::Array(all)),
        _ => Err(format!("{flag} must be an array of objects, each with a type: [{{\"type\": \"payment\"}}]")),
    }
}

/// A code that two people can compare: letters and digits that are neither read nor heard as one another.
fn code(random: &Random) -> Result<String, NoRandomness> {
    const LETTERS: &[u8; 16] = b"ACDFHJKMPRTUWXYZ";
    let bytes: [u8; 4] = random.bytes()?;
    let letter = |byte: u8| char::from(LETTERS[usize::from(byte % 16)]);
    let digit = |byte: u8| char::from(b'2' + byte % 8);
    Ok(format!("{}{}-{}{}", letter(bytes[0]), letter(bytes[1]), digit(bytes[2]), digit(bytes[3])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_two_letters_and_two_digits() {
        let random = Random::counting();
        for _ in 0..200 {
            let code = code(&random).unwrap();
            let [a, b, dash, c, d] = code.as_bytes() else { panic!("{code}") };
            assert!([a, b].iter().all(|letter| b"ACDFHJKMPRTUWXYZ".contains(letter)), "{code}");
            assert!(*dash == b'-' && [c, d].iter().all(|digit| (b'2'..=b'9').contains(digit)), "{code}");
        }
    }
}
