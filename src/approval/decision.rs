//! The person's decision: who sends it, what they were shown, and then `ciba::decide`.

use super::{Answer, Approval, Trouble, Visit, session::Purpose, shown::Shown, sign_in::is_handle};
use crate::{
    ciba::decide::{Decision, NotDecided},
    oauth::Params,
    secret::Digest,
};

impl Approval {
    /// `POST /{realm}/approvals/{handle}`: `decision` (`approve`, `deny`), `token`, `shown`.
    pub async fn decide(&self, visit: &Visit<'_>, handle: &str, form: &Params) -> Answer {
        let answer = self.take(visit, handle, form).await;
        self.finish(visit, answer)
    }

    async fn take(&self, visit: &Visit<'_>, handle: &str, form: &Params) -> Result<Answer, Trouble> {
        if self.provider.is_none() {
            return Ok(self.nowhere(visit));
        }
        if !is_handle(handle) {
            return Ok(self.unreadable(visit, None, 400));
        }
        if !visit.is_from(&self.site.origin) {
            self.refused("cross-site");
            return Ok(self.forbidden(visit, Some(handle)));
        }
        let Some(current) = self.sessions.current(visit).await? else {
            self.refused("no session");
            return Ok(self.session_lost(handle));
        };
        if !current.vouches(Purpose::Decide { handle }, form.get("token")) {
            self.refused("csrf");
            return Ok(self.forbidden(visit, Some(handle)));
        }
        let decision = match form.get("decision") {
            Some("approve") => Decision::Approve,
            Some("deny") => Decision::Deny,
            _ => return Ok(self.unreadable(visit, Some(handle), 400)),
        };
        let Some(posted) = form.get("shown").and_then(Digest::from_base64url) else {
            return Ok(self.unreadable(visit, Some(handle), 400));
        };
        let found = self.decisions.find(handle).await?;
        if let Some(grant) = &found
            && grant.is_open(visit.now)
            && grant.is_for(current.person())
            && let Some(client) = self.asking(grant)
        {
            let shown = Shown::of(&self.realm, &self.site, client, grant, current.person());
            if shown.digest() != posted {
                self.refused("changed");
                return Ok(self.decision_page(visit, &current, grant, shown, true));
            }
        }
        match self.decisions.by_person(handle, current.person(), decision, posted, visit.now).await {
            Ok(_) => {
                // the decision stands, even if the session cannot be kept
                _ = self.sessions.touch(&current, visit.now).await;
                Ok(Answer::redirect(self.site.path_of(Some(handle))))
            }
            // the page says what was decided first, or asks for a sign-in
            Err(NotDecided::Decided(_) | NotDecided::SignInTooOld) => {
                Ok(Answer::redirect(self.site.path_of(Some(handle))))
            }
            Err(NotDecided::Unavailable(error)) => Err(error.into()),
            Err(_) => Ok(self.show(visit, &current, found.as_ref())),
        }
    }
}
