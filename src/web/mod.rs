//! The only place that knows warp: the route list, call, reply, fallback.
