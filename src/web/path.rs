//! Paths: templates that are matched exactly, after percent-decoding each segment once.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::realm::Style;

const WELL_KNOWN: &str = ".well-known";

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    Realm,
    /// One more variable part: a request's handle.
    Handle,
}

/// A route's path, such as `/{realm}/approvals/{handle}`.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// As in the access log.
    pub(super) text: String,
    segments: Vec<Segment>,
    style: Style,
}

/// The variable parts of a path that matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Matched {
    pub(super) realm: Option<String>,
    pub(super) handle: Option<String>,
}

impl Template {
    /// `path` follows the realm's name; it may hold `{handle}`.
    pub(super) fn new(style: Style, path: &'static str) -> Self {
        let mut segments = match style {
            Style::Short => vec![Segment::Realm],
            Style::Keycloak => vec![Segment::Literal("realms"), Segment::Realm],
        };
        segments.extend(path.split('/').filter(|segment| !segment.is_empty()).map(|segment| match segment {
            "{handle}" => Segment::Handle,
            literal => Segment::Literal(literal),
        }));
        Self::of(style, segments)
    }

    /// Metadata where RFC 8414 3.1 has it: between host and path of the issuer, such as
    /// `/.well-known/oauth-authorization-server/{realm}`.
    pub(super) fn well_known(style: Style, name: &'static str) -> Self {
        let mut segments = vec![Segment::Literal(WELL_KNOWN), Segment::Literal(name)];
        if style == Style::Keycloak {
            segments.push(Segment::Literal("realms"));
        }
        segments.push(Segment::Realm);
        Self::of(style, segments)
    }

    fn of(style: Style, segments: Vec<Segment>) -> Self {
        let text = segments.iter().fold(String::new(), |text, segment| match segment {
            Segment::Literal(literal) => text + "/" + literal,
            Segment::Realm => text + "/{realm}",
            Segment::Handle => text + "/{handle}",
        });
        Self { text, segments, style }
    }

    pub(super) const fn style(&self) -> Style {
        self.style
    }

    /// The variable parts, if `path` is this template's. Keycloak accepts one slash at the end, so its style does, too.
    pub(super) fn matches(&self, path: &str) -> Option<Matched> {
        let path = match self.style {
            Style::Keycloak => path.strip_suffix('/').unwrap_or(path),
            Style::Short => path,
        };
        let mut rest = path.strip_prefix('/')?.split('/');
        let (mut realm, mut handle) = (None, None);
        for segment in &self.segments {
            let part = decode(rest.next()?)?;
            match segment {
                Segment::Literal(literal) if *literal == part => {}
                Segment::Literal(_) => return None,
                Segment::Realm => realm = Some(part),
                Segment::Handle => handle = Some(part),
            }
        }
        // most templates are tried in vain, so nothing is copied before
        let matched = || Matched { realm: realm.map(Cow::into_owned), handle: handle.map(Cow::into_owned) };
        rest.next().is_none().then(matched)
    }
}

/// One segment, decoded once; nothing where that makes a path of it.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    let decoded = percent_decode_str(segment).decode_utf8().ok()?;
    let bad = decoded.is_empty() || matches!(&*decoded, "." | "..") || decoded.contains(['/', '\\', '\0', ';']);
    (!bad).then_some(decoded)
}

/// The path without the configured prefix, with which every address is served, too. In an address of RFC 8414 3.1 it stands
/// behind the well-known name.
pub(super) fn without_prefix<'a>(path: &'a str, prefix: &str) -> Cow<'a, str> {
    if prefix.is_empty() {
        return path.into();
    }
    let stripped = |path: &'a str| path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'));
    if let Some(rest) = stripped(path) {
        return rest.into();
    }
    let well_known = path.strip_prefix('/').and_then(|path| path.strip_prefix(WELL_KNOWN)?.strip_prefix('/'));
    let behind = well_known.and_then(|path| path.find('/').map(|at| path.split_at(at)));
    match behind.and_then(|(name, rest)| Some((name, stripped(rest)?))) {
        Some((name, rest)) => format!("/{WELL_KNOWN}/{name}{rest}").into(),
        None => path.into(),
    }
}

/// Which realm a path is about and in which style, for answers to paths that no template matches.
pub(super) fn realm_of(path: &str) -> (Style, Option<String>) {
    let mut segments = path.split('/').skip(1).map(decode).peekable();
    if segments.peek().is_some_and(|first| first.as_deref() == Some(WELL_KNOWN)) {
        segments.nth(1); // the well-known name with it
    }
    match segments.next().flatten().as_deref() {
        Some("realms") => (Style::Keycloak, segments.next().flatten().map(Cow::into_owned)),
        first => (Style::Short, first.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_cases() {
        let table = [
            ("exact", Style::Short, "/token", "/master/token", Some("master")),
            ("H5 another case is another realm", Style::Short, "/token", "/Master/token", Some("Master")),
            ("H6 encoded unreserved character", Style::Short, "/token", "/%6Daster/token", Some("master")),
            ("H7 encoded slash", Style::Short, "/token", "/master%2Fx/token", None),
            ("H7 dots", Style::Short, "/token", "/../token", None),
            ("H7 encoded dots", Style::Short, "/token", "/%2e%2e/token", None),
            ("H7 double slash", Style::Short, "/token", "//master/token", None),
            ("H7 double slash inside", Style::Short, "/token", "/master//token", None),
            ("H7 NUL", Style::Short, "/token", "/ma%00ster/token", None),
            ("not UTF-8", Style::Short, "/token", "/ma%ffster/token", None),
            ("H8 slash at the end", Style::Short, "/token", "/master/token/", None),
            ("longer", Style::Short, "/token", "/master/token/x", None),
            ("shorter", Style::Short, "/token", "/master", None),
            (
                "Keycloak's",
                Style::Keycloak,
                "/protocol/openid-connect/token",
                "/realms/a/protocol/openid-connect/token",
                Some("a"),
            ),
            (
                "Keycloak's with a slash at the end",
                Style::Keycloak,
                "/protocol/openid-connect/token",
                "/realms/a/protocol/openid-connect/token/",
                Some("a"),
            ),
            (
                "Keycloak's with two",
                Style::Keycloak,
                "/protocol/openid-connect/token",
                "/realms/a/protocol/openid-connect/token//",
                None,
            ),
        ];
        for (case, style, template, path, realm) in table {
            let matched = Template::new(style, template).matches(path);
            assert_eq!(matched.and_then(|m| m.realm).as_deref(), realm, "{case}");
        }
    }

    #[test]
    fn the_prefix_is_taken_off_as_a_whole_segment() {
        assert_eq!(without_prefix("/auth/realms/a", "/auth"), "/realms/a");
        assert_eq!(without_prefix("/authx/realms/a", "/auth"), "/authx/realms/a");
        assert_eq!(without_prefix("/realms/a", ""), "/realms/a");
        assert_eq!(without_prefix("/.well-known/x/auth/realms/a", "/auth"), "/.well-known/x/realms/a");
        assert_eq!(without_prefix("/.well-known/x/authx/a", "/auth"), "/.well-known/x/authx/a");
        assert_eq!(without_prefix("/.well-known/x", "/auth"), "/.well-known/x");
    }
}
