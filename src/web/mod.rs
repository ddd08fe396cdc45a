//! The only place that knows warp: `routes` is the list, `call` makes of a request what its kind of endpoint sees, `reply`
//! turns values into responses, `fallback` answers what no route is for.

mod call;
mod endpoints;
mod fallback;
pub mod management;
mod path;
mod reply;
mod routes;

pub use routes::{Response, Routes, Settings, routes, service};
