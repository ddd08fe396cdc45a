//! figment: config.toml; realm files as written, strict; converted into the types of realm/.
