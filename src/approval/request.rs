//! One request: the page on which the person decides, or what became of it. Looking changes nothing (I5).

use askama::Template;

use super::{
    Answer, Approval, Trouble, Visit,
    details::Part,
    notice::Ended,
    page::{Deadline, Site, page},
    session::{Current, Purpose, SignOut},
    shown::Shown,
    sign_in::{Way, is_handle},
    wording,
};
use crate::{
    ciba::grant::{Grant, State},
    clock::Timestamp,
    event::{Event, Via},
    realm::{
        Client,
        policy::{self, Status},
    },
};

#[derive(Template)]
#[template(path = "approval/templates/decide.html")]
struct Decide<'a> {
    site: &'a Site,
    shown: Shown,
    digest: String,
    address: String,
    token: String,
    sign_out: SignOut<'a>,
    ago: String,
    deadline: Deadline,
    /// The request or its terms are not what the person was shown before.
    changed: bool,
}

#[derive(Template)]
#[template(path = "approval/templates/confirm.html")]
struct Confirm<'a> {
    site: &'a Site,
    client: &'a str,
    provider: &'a str,
    /// How old the sign-in may be, where it is older; else a stronger one is wanted.
    max_age: Option<String>,
    deadline: Deadline,
}

#[derive(Template)]
#[template(path = "approval/templates/result.html")]
struct Outcome<'a> {
    site: &'a Site,
    result: &'static str,
    client: &'a str,
    at: Timestamp,
    elsewhere: bool,
    /// Approved, but the application did not come for it in time.
    uncollected: bool,
    reference: String,
}

impl Approval {
    /// `GET /{realm}/approvals/{handle}`
    pub async fn request(&self, visit: &Visit<'_>, handle: &str) -> Answer {
        let answer = self.look(visit, handle).await;
        self.finish(visit, answer)
    }

    async fn look(&self, visit: &Visit<'_>, handle: &str) -> Result<Answer, Trouble> {
        if self.provider.is_none() {
            return Ok(self.nowhere(visit));
        }
        if let Some(way) = Way::of(visit.query) {
            return self.start(visit, Some(handle), way).await;
        }
        let Some(current) = self.sessions.current(visit).await? else { return Ok(self.landing(visit, false)) };
        let found = if is_handle(handle) { self.decisions.find(handle).await? } else { None };
        if let Some(grant) = found.as_ref().filter(|grant| grant.is_open(visit.now) && !grant.is_for(current.person()))
        {
            let (realm, client) = (&*self.realm.name, Some(&*grant.request.client_id));
            self.events.tell(Event::DecisionRefused { realm, client, via: Via::Page, reason: "other person" });
        }
        Ok(self.show(visit, &current, found.as_ref()))
    }

    /// The request as it is now, or why this person does not see it.
    pub(super) fn show(&self, visit: &Visit<'_>, current: &Current, found: Option<&Grant>) -> Answer {
        match found {
            Some(grant) if grant.is_for(current.person()) => match &grant.state {
                State::Closed(None) => self.ended(Ended::Expired),
                State::Closed(Some(_)) => self.ended(Ended::Failed),
                State::Pending if grant.is_expired(visit.now) => self.ended(Ended::Expired),
                State::Pending => self.open(visit, current, grant),
                State::Approved(approval) => {
                    self.outcome(grant, "approved", approval.at, approval.via, grant.is_expired(visit.now))
                }
                State::Redeemed { approval, .. } => self.outcome(grant, "approved", approval.at, approval.via, false),
                State::Denied { at, via } => self.outcome(grant, "denied", *at, *via, false),
            },
            // what is not open any more is nobody else's business
            Some(grant) if grant.is_open(visit.now) => self.other_account(current, &grant.request.handle),
            _ => self.unknown(),
        }
    }

    fn open(&self, visit: &Visit<'_>, current: &Current, grant: &Grant) -> Answer {
        let Some(client) = self.asking(grant) else { return self.ended(Ended::Withdrawn) };
        let requested_at = grant.request.requested_at;
        let too_old = !client.accepts_sign_in(current.person().auth_time, requested_at, visit.now);
        let too_weak = grant.request.acr_values.as_ref().is_some_and(|wanted| !current.meets(wanted));
        if too_old || too_weak {
            return self.confirm(visit, client, grant, too_old);
        }
        let shown = Shown::of(&self.realm, &self.site, client, grant, current.person());
        self.decision_page(visit, current, grant, shown, false)
    }

    /// The client, if it may still ask for this (I4).
    pub(super) fn asking(&self, grant: &Grant) -> Option<&Client> {
        let client = self.realm.clients.get(&*grant.request.client_id)?;
        let request = &grant.request;
        let judged = policy::judge(client, Status::Active, &request.scope, &request.authorization_details);
        judged.ok().map(|()| &**client)
    }

    /// `changed`: instead of the page that the person decided on.
    pub(super) fn decision_page(
        &self,
        visit: &Visit<'_>,
        current: &Current,
        grant: &Grant,
        shown: Shown,
        changed: bool,
    ) -> Answer {
        let request = &grant.request;
        let decide = Decide {
            site: &self.site,
            digest: shown.digest().base64url(),
            shown,
            address: self.site.path_of(Some(&request.handle)),
            token: current.token(Purpose::Decide { handle: &request.handle }),
            sign_out: current.sign_out(Some(&request.handle)),
            ago: wording::ago(visit.now.since(request.requested_at)),
            deadline: Deadline::of(grant, visit.now),
            changed,
        };
        page(if changed { 409 } else { 200 }, if changed { "changed" } else { "ok" }, &decide)
    }

    fn confirm(&self, visit: &Visit<'_>, client: &Client, grant: &Grant, too_old: bool) -> Answer {
        let Some(provider) = &self.provider else { return self.nowhere(visit) };
        let confirm = Confirm {
            site: &self.site,
            client: client.display_name(),
            provider: provider.display_name(),
            max_age: too_old.then(|| wording::lasting(client.max_age())),
            deadline: Deadline::of(grant, visit.now),
        };
        page(200, "sign-in again", &confirm)
    }

    fn outcome(&self, grant: &Grant, result: &'static str, at: Timestamp, via: Via, uncollected: bool) -> Answer {
        let client = self.realm.clients.get(&*grant.request.client_id);
        let outcome = Outcome {
            site: &self.site,
            result,
            client: client.map_or(&*grant.request.client_id, |client| client.display_name()),
            at,
            elsewhere: via == Via::DeviceService,
            uncollected,
            reference: wording::reference(&grant.request.handle),
        };
        page(200, result, &outcome)
    }
}
