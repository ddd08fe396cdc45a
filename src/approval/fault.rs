//! Pages for what goes wrong. They say what became of the request and what to do next; their statuses are truthful, and
//! causes are for the log alone.

use super::{Answer, Approval, Trouble, Visit, page::Notice};
use crate::upstream::SignInFault;

const STILL_OPEN: &str = "Your request stays open until its time runs out. Nothing was approved.";

impl Approval {
    /// A form did not come from a page of ours that this session was shown.
    pub(super) fn forbidden(&self, visit: &Visit<'_>, handle: Option<&str>) -> Answer {
        self.fault(visit, "This page is out of date")
            .say("It was open for too long, or you have signed in again since, or it was not sent from this site.")
            .say("Nothing was approved. Open it again to make your decision.")
            .link(self.site.path_of(handle), "Open it again")
            .answer(403, "csrf")
    }

    pub(super) fn unreadable(&self, visit: &Visit<'_>, handle: Option<&str>, status: u16) -> Answer {
        self.fault(visit, "Sorry, that did not work")
            .say("What your browser sent could not be understood. Nothing was approved.")
            .link(self.site.path_of(handle), "Open the page again")
            .answer(status, "unreadable")
    }

    pub(super) fn nowhere(&self, visit: &Visit<'_>) -> Answer {
        self.fault(visit, "There is nothing here").say("Requests are not decided on this site.").answer(404, "no page")
    }

    pub(super) fn trouble(&self, visit: &Visit<'_>, trouble: &Trouble) -> Answer {
        self.fault(visit, "Sorry, there is a problem with the service")
            .say(STILL_OPEN)
            .say("Wait a moment, then try again.")
            .link(self.site.path_of(None), "See your requests")
            .answer(503, "unavailable")
            .because(trouble)
    }

    pub(super) fn provider_down(&self, visit: &Visit<'_>, handle: Option<&str>, cause: &str) -> Answer {
        let provider = self.provider.as_ref().map_or("The sign-in service", |provider| provider.display_name());
        self.fault(visit, format!("{provider} cannot be reached right now"))
            .say(STILL_OPEN)
            .say("Wait a moment, then try again.")
            .link(self.sign_in_link(handle), "Try again")
            .answer(503, "upstream unavailable")
            .because(cause)
    }

    /// The callback came without the cookie of the sign-in.
    pub(super) fn cookie_lost(&self, visit: &Visit<'_>) -> Answer {
        self.fault(visit, "Your sign-in could not be finished")
            .say("Your browser did not send our cookie. Perhaps it took too long, or was started in another browser.")
            .say(format!("Or it was started at another address of this site than {}.", self.site.origin))
            .say(STILL_OPEN)
            .say("Open the link that you were sent once more.")
            .link(self.site.path_of(None), "See your requests")
            .answer(400, "no cookie")
    }

    pub(super) fn took_too_long(&self, visit: &Visit<'_>, handle: Option<&str>) -> Answer {
        self.not_finished(visit, handle, "It took too long.").answer(400, "took too long")
    }

    pub(super) fn too_many_sessions(&self, visit: &Visit<'_>) -> Answer {
        self.fault(visit, "You cannot sign in right now")
            .say("There were too many sign-ins in a short time. Try again in 15 minutes.")
            .say(STILL_OPEN)
            .answer(503, "too many sessions")
    }

    pub(super) fn sign_in_failed(&self, visit: &Visit<'_>, handle: Option<&str>, fault: &SignInFault) -> Answer {
        let answer = match fault {
            SignInFault::Cancelled => self.not_finished(visit, handle, "It was cancelled.").answer(403, "cancelled"),
            SignInFault::Refused(_) | SignInFault::NoAuthTime => self
                .not_finished(visit, handle, "The sign-in service did not let you in, or its answer could not be used.")
                .answer(502, "sign-in refused"),
            SignInFault::WrongState => self
                .not_finished(visit, handle, "What came back does not belong to the sign-in that you started.")
                .answer(400, "wrong state"),
            SignInFault::TooOld => self
                .not_finished(visit, handle, "You last signed in too long ago, and were not asked again.")
                .answer(403, "too old"),
            SignInFault::Unavailable(cause) => self.provider_down(visit, handle, &cause.to_string()),
        };
        answer.because(fault)
    }

    fn not_finished(&self, visit: &Visit<'_>, handle: Option<&str>, why: &'static str) -> Notice<'_> {
        self.fault(visit, "Your sign-in was not finished")
            .say(why)
            .say(STILL_OPEN)
            .link(self.sign_in_link(handle), "Try again")
    }

    fn fault<'a>(&'a self, visit: &Visit<'_>, heading: impl Into<std::borrow::Cow<'a, str>>) -> Notice<'a> {
        Notice::new(&self.site, "Problem", heading).at(visit.now)
    }

    fn sign_in_link(&self, handle: Option<&str>) -> String {
        format!("{}?sign-in=start", self.site.path_of(handle))
    }
}

impl Answer {
    /// With what happened, for the log alone.
    #[must_use]
    pub(super) fn because(mut self, why: impl ToString) -> Self {
        if let Self::Page { cause, .. } = &mut self {
            *cause = Some(why.to_string());
        }
        self
    }
}
