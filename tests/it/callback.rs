//! ciba.md C8 in Keycloak's words: the device service's callback. Placeholder rows are filled by the channel's own tests.
