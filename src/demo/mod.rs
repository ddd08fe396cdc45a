//! The demo provider: a small OpenID provider with demo people. It knows nothing of the gateway.
