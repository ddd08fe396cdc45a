//! The only place that knows hyper and rustls: accept loop, TLS, limits, shutdown.
