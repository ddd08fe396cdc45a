//! The only place that knows warp: `list` is the list of addresses, `routes` its filters, `call` makes of a request what its kind of endpoint sees, `reply`
//! turns values into responses, `fallback` answers what no route is for.

mod call;
mod endpoints;
mod fallback;
mod head;
mod list;
pub mod management;
mod path;
mod reply;
mod routes;
mod tokens;

pub use reply::Response;
pub use routes::{Routes, Settings, routes, service};
