//! Pages around the decision that show nothing of a request: the one before the sign-in, and the ends without a result.

use askama::Template;

use super::{
    Answer, Approval, Visit,
    page::{Notice, Site, page},
    session::Current,
    shown::Account,
};

#[derive(Template)]
#[template(path = "approval/templates/landing.html")]
struct Landing<'a> {
    site: &'a Site,
    provider: &'a str,
    inbox: bool,
}

/// Why a request that gave nobody anything is not open any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Expired,
    /// Today's policy refuses it (I4).
    Withdrawn,
    /// It was approved, and the client could not be given its tokens.
    Failed,
}

impl Approval {
    /// What an anonymous visitor sees: the same for every request, whether there is one or not.
    pub(super) fn landing(&self, visit: &Visit<'_>, inbox: bool) -> Answer {
        let Some(provider) = &self.provider else { return self.nowhere(visit) };
        page(200, "sign-in", &Landing { site: &self.site, provider: provider.display_name(), inbox })
    }

    /// A request of this person that came to nothing.
    pub(super) fn ended(&self, how: Ended) -> Answer {
        match how {
            Ended::Expired => {
                self.closed("Its time ran out before a decision was made. Nothing was approved.").answer(410, "expired")
            }
            Ended::Withdrawn => self
                .closed("The application may not ask for this any more. Nothing was approved.")
                .answer(410, "withdrawn"),
            Ended::Failed => self
                .closed("You approved it, but the application could not be given your answer. Nothing was shared.")
                .answer(410, "failed"),
        }
    }

    /// No such request; it may have been one, and this person's.
    pub(super) fn unknown(&self) -> Answer {
        self.closed("It has ended, or was decided a while ago. Nothing is shared without your approval.")
            .answer(404, "unknown")
    }

    fn closed(&self, why: &'static str) -> Notice<'_> {
        Notice::new(&self.site, "No longer open", "This request is no longer open")
            .say(why)
            .say("If you still need it, ask the application to send a new request.")
            .link(self.site.path_of(None), "See your requests")
    }

    /// Somebody else was asked. Nothing of the request is on this page.
    pub(super) fn other_account(&self, current: &Current, handle: &str) -> Answer {
        let account = Account::of(current.person()).name;
        Notice::new(&self.site, "Another account", "This request is for another account")
            .say(format!("You are signed in as {account}."))
            .say("To see the request, sign in with the account that it was sent to.")
            .switch(current.sign_out(Some(handle)))
            .answer(403, "other account")
    }

    /// A decision came without a session.
    pub(super) fn session_lost(&self, handle: &str) -> Answer {
        Notice::new(&self.site, "Signed out", "You are not signed in any more")
            .say("Nothing was approved. Sign in again to see the request.")
            .link(format!("{}?sign-in=start", self.site.path_of(Some(handle))), "Sign in again")
            .answer(403, "no session")
    }
}
