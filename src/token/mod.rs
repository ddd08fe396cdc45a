//! The token endpoint (grant_type -> who serves it) and userinfo.
