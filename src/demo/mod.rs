//! The demo: a small OpenID provider with made-up people ([`provider`]), and the first page of `realmgate demo` ([`page`]),
//! which is a client of the gateway like any other. Both are programs of their own: they know the gateway by its HTTP
//! endpoints alone. Nothing here is fit for anything but a demo: whoever opens the provider may be anyone.

mod call;
pub mod page;
mod people;
pub mod provider;
mod reply;

pub use call::{Routes, only_at, serve};
pub use people::{PEOPLE, Person};
