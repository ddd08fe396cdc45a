//! Pages where an application sends a person's browser: the logout endpoint (OpenID Connect RP-Initiated Logout 1.0) and the
//! authorization endpoint, which serves nobody. They lead nowhere: no client can register an address to be sent back to, and
//! nobody is redirected to one that is not registered (RFC 6749 4.1.2.1).

use super::{Answer, Approval, page::Notice};
use crate::{clock::Timestamp, jose::NotVerified, oauth::Error};

impl Approval {
    /// What the client was allowed has ended, now or before.
    pub fn logged_out(&self, client_id: &str) -> Answer {
        let client = self.realm.clients.get(client_id);
        let name = client.map_or("the application", |client| client.display_name());
        Notice::new(&self.site, "Signed out", format!("You are signed out of {name}"))
            .say("What you approved for it has ended.")
            .say("Where you signed in to approve, you may still be signed in. You can close this page.")
            .answer(200, "ok")
    }

    /// The application sent no ID token of this realm.
    pub fn not_logged_out(&self, now: Timestamp, cause: &NotVerified) -> Answer {
        Notice::new(&self.site, "Problem", "You were not signed out")
            .say("The application that sent you here did not say which sign-in should end, or not in a way that can be checked.")
            .say("Nothing has changed. Sign out in the application itself.")
            .at(now)
            .answer(400, "no id_token_hint")
            .because(cause)
    }

    /// There is no authorization by redirects here, for no client.
    pub fn no_authorization(&self, now: Timestamp) -> Answer {
        Notice::new(&self.site, "Problem", "You cannot sign in to an application here")
            .say("The application that sent you here expects something that this site does not do. You were not sent back, since it cannot be known to whom.")
            .say("If you develop the application: no client can register redirect URIs here, so there is no authorization code flow. Use backchannel authentication (OpenID CIBA); the discovery document names its endpoint.")
            .at(now)
            .answer(400, "no redirect URIs")
    }

    /// Something of ours does not work.
    pub fn unavailable(&self, now: Timestamp, cause: &Error) -> Answer {
        Notice::new(&self.site, "Problem", "Sorry, there is a problem with the service")
            .say("Nothing has changed. Wait a moment, then try again.")
            .at(now)
            .answer(503, "unavailable")
            .because(cause.cause().unwrap_or_default())
    }
}
