//! What is Keycloak's and nobody else's, as pure translation.
