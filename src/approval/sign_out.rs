//! The end of the browser's session here. The provider's own session is the provider's.

use super::{Answer, Approval, Trouble, Visit, page::Notice, session::Purpose, sign_in::is_handle};
use crate::oauth::Params;

impl Approval {
    /// `POST /{realm}/sign-out`: `token`, `request` (the handle to come back to).
    pub async fn sign_out(&self, visit: &Visit<'_>, form: &Params) -> Answer {
        let answer = self.leave(visit, form).await;
        self.finish(visit, answer)
    }

    async fn leave(&self, visit: &Visit<'_>, form: &Params) -> Result<Answer, Trouble> {
        let handle = form.get("request").filter(|handle| is_handle(handle));
        let Some(current) = self.sessions.current(visit).await? else { return Ok(self.signed_out(visit, handle)) };
        if !visit.is_from(&self.site.origin) || !current.vouches(Purpose::SignOut, form.get("token")) {
            return Ok(self.forbidden(visit, handle));
        }
        let forget = self.sessions.close(&current).await?;
        Ok(self.signed_out(visit, handle).with_cookie(forget))
    }

    fn signed_out(&self, visit: &Visit<'_>, handle: Option<&str>) -> Answer {
        let Some(provider) = &self.provider else { return self.nowhere(visit) };
        let provider = provider.display_name();
        Notice::new(&self.site, "Signed out", "You are signed out here")
            .say(format!(
                "You may still be signed in at {provider}. If other people use this device, sign out there as well."
            ))
            .link(format!("{}?sign-in=switch", self.site.path_of(handle)), "Sign in with another account")
            .answer(200, "ok")
    }
}
