//! realmgate: OpenID CIBA in front of any OpenID Connect provider.
//!
//! A request goes down this list and comes back as a value; `docs/architecture.md` has the rules.
//!
//! | module | what |
//! |---|---|
//! | [`command`] | the command line: `serve`, `demo`, `check`, `ciba`, `lookup`, `hash` |
//! | [`server`] | accept loop, TLS, limits, stop |
//! | [`web`] | routes: the list of addresses, the call as features see it, replies |
//! | [`gateway`] | one set of features for each realm, behind one swap |
//! | [`token`], [`approval`], [`metadata`] | the token endpoint and userinfo; the person's side; discovery |
//! | [`ciba`] | a request's life: authenticate, decide, redeem |
//! | [`authorization`], [`channel`] | what a redeemed grant leaves; how a person is reached |
//! | [`upstream`], [`client_auth`] | the provider behind a realm, sign-in and lookup; who is calling |
//! | [`config`], [`keycloak`], [`realm`] | files as written; Keycloak's wire shapes; what a realm is |
//! | [`oauth`], [`keys`], [`jose`], [`certificate`], [`store`], [`outbox`], [`event`], [`http`], [`peer`], [`clock`], [`random`], [`secret`] | the bottom |
//! | [`demo`] | the demo's provider and first page |
//!
//! `POST /acme/bc-authorize`: `server` accepts and attaches the peer; `web` finds the line of its list, reads the form and
//! authenticates the client; `ciba::authenticate` finds the user by `upstream::lookup`, keeps a grant in the `store` and has
//! the person asked by `channel`; `web` replies.
//!
//! A gateway from parts: [`gateway::Gateway::new`], [`gateway::Gateway::serve`] with the realms, [`web::routes`] for all that
//! it serves, [`web::service`] and [`server::serve`] to serve it.
#![forbid(unsafe_code)]

pub mod approval;
pub mod authorization;
pub mod certificate;
pub mod channel;
pub mod ciba;
pub mod client_auth;
pub mod clock;
pub mod command;
pub mod config;
pub mod demo;
pub mod event;
pub mod gateway;
pub mod http;
pub mod jose;
pub mod keycloak;
pub mod keys;
pub mod metadata;
pub mod oauth;
pub mod outbox;
pub mod peer;
pub mod random;
pub mod realm;
pub mod secret;
pub mod server;
pub mod store;
pub mod token;
pub mod upstream;
pub mod web;
