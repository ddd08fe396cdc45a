//! The made-up people.

/// Somebody who can be chosen at the demo provider. The `sub` is the name in lower case.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    pub sub: &'static str,
    pub name: &'static str,
    pub email: &'static str,
    /// A disabled person is listed and cannot sign in.
    pub disabled: bool,
}

/// `user` is the one of the published CIBA example, whose user code (`password`) the realm file knows.
pub const PEOPLE: &[Person] = &[
    Person { sub: "alice", name: "Alice Liddell", email: "alice@example.com", disabled: false },
    Person { sub: "bob", name: "Bob Cratchit", email: "bob@example.com", disabled: false },
    Person { sub: "carol", name: "Carol Kennicott", email: "carol@example.com", disabled: true },
    Person { sub: "dave", name: "Dave Copperfield", email: "dave@example.com", disabled: false },
    Person { sub: "user", name: "Demo User", email: "user@example.com", disabled: false },
];

impl Person {
    /// Whether a `login_hint` means this person.
    pub fn is_hinted_by(&self, hint: &str) -> bool {
        hint == self.sub || hint.eq_ignore_ascii_case(self.email)
    }
}
