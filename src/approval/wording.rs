//! Sentences that are put together: what a scope lets a client do, how long something lasts, how far away an instant is.

use std::{collections::HashMap, time::Duration};

use crate::secret::Digest;

/// What a scope lets the client do, to be read after "If you approve, X can". The operator's sentence comes first.
pub(super) fn scope(texts: &HashMap<String, String>, scope: &str) -> String {
    if let Some(text) = texts.get(scope) {
        return text.clone();
    }
    match scope {
        "openid" => "know that it is you".into(),
        "profile" => "see your name and user name".into(),
        "email" => "see your e-mail address".into(),
        "phone" => "see your phone number".into(),
        "address" => "see your postal address".into(),
        "offline_access" => "keep this access while you are away".into(),
        other => format!("use “{other}”"),
    }
}

/// A length of time, such as `1 hour 30 minutes`. Seconds are told below two minutes only.
pub(super) fn lasting(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 120 && !seconds.is_multiple_of(60) {
        return count(seconds, "second");
    }
    let units = [(seconds / 86_400, "day"), (seconds / 3_600 % 24, "hour"), (seconds / 60 % 60, "minute")];
    let parts: Vec<String> = units.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| count(*n, unit)).collect();
    if parts.is_empty() { count(seconds, "second") } else { parts.join(" ") }
}

/// How long something is still open, such as `about 2 minutes`.
pub(super) fn left(time: Duration) -> String {
    match time.as_secs() {
        0..45 => "less than a minute".into(),
        seconds => format!("about {}", count((seconds + 30) / 60, "minute")),
    }
}

/// How long ago something was, such as `2 minutes ago`.
pub(super) fn ago(time: Duration) -> String {
    match time.as_secs() / 60 {
        0 => "just now".into(),
        minutes => format!("{} ago", count(minutes, "minute")),
    }
}

fn count(n: u64, unit: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {unit}{s}")
}

/// A code for talking about a request, such as `K7F-2QX`. It leads nowhere.
pub(super) fn reference(handle: &str) -> String {
    // Crockford's base 32: nothing that is mistaken for something else when read out
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digest = Digest::of_parts(&[b"reference ", handle.as_bytes()]);
    let mut code: String =
        digest.bytes().iter().take(6).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    code.insert(3, '-');
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let table: &[(u64, &str, &str, &str)] = &[
            (0, "0 seconds", "less than a minute", "just now"),
            (1, "1 second", "less than a minute", "just now"),
            (59, "59 seconds", "about 1 minute", "just now"),
            (60, "1 minute", "about 1 minute", "1 minute ago"),
            (90, "90 seconds", "about 2 minutes", "1 minute ago"),
            (119, "119 seconds", "about 2 minutes", "1 minute ago"),
            (300, "5 minutes", "about 5 minutes", "5 minutes ago"),
            (5_400, "1 hour 30 minutes", "about 90 minutes", "90 minutes ago"),
            (90_000, "1 day 1 hour", "about 1500 minutes", "1500 minutes ago"),
        ];
        for (seconds, as_length, as_left, as_ago) in table {
            let time = Duration::from_secs(*seconds);
            assert_eq!((&*lasting(time), &*left(time), &*ago(time)), (*as_length, *as_left, *as_ago), "{seconds}");
        }
    }

    #[test]
    fn the_operators_sentence_comes_first() {
        let texts = HashMap::from([("profile".to_owned(), "read your card".to_owned())]);
        assert_eq!(scope(&texts, "profile"), "read your card");
        assert_eq!(scope(&texts, "email"), "see your e-mail address");
        assert_eq!(scope(&texts, "payments:read"), "use “payments:read”");
    }

    #[test]
    fn references_are_short_and_differ() {
        let code = reference("a");
        assert_eq!((code.len(), code.as_bytes()[3]), (7, b'-'));
        assert_ne!(code, reference("b"));
    }
}
