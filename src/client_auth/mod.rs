//! Who is calling: secret -> AuthenticatedClient.
