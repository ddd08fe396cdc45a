//! What waits for the person: undecided requests, the one that ends first on top.

use askama::Template;

use super::{
    Answer, Approval, Trouble, Visit,
    details::{Detail, Part},
    page::{Deadline, Site, page},
    session::SignOut,
    shown::{self, Account},
    sign_in::Way,
    wording,
};
use crate::{ciba::grant::Grant, clock::Timestamp};

#[derive(Template)]
#[template(path = "approval/templates/inbox.html")]
struct Inbox<'a> {
    site: &'a Site,
    account: Account,
    sign_out: SignOut<'a>,
    cards: Vec<Card>,
}

struct Card {
    client: String,
    message: Option<String>,
    details: Vec<Detail>,
    deadline: Deadline,
    reference: String,
    address: String,
}

impl Approval {
    /// `GET /{realm}/approvals`
    pub async fn inbox(&self, visit: &Visit<'_>) -> Answer {
        let answer = self.waiting(visit).await;
        self.finish(visit, answer)
    }

    async fn waiting(&self, visit: &Visit<'_>) -> Result<Answer, Trouble> {
        if self.provider.is_none() {
            return Ok(self.nowhere(visit));
        }
        if let Some(way) = Way::of(visit.query) {
            return self.start(visit, None, way).await;
        }
        let Some(current) = self.sessions.current(visit).await? else { return Ok(self.landing(visit, true)) };
        let pending = self.decisions.pending_of(current.person(), visit.now).await?;
        let inbox = Inbox {
            site: &self.site,
            account: Account::of(current.person()),
            sign_out: current.sign_out(None),
            cards: pending.iter().filter_map(|grant| self.card(grant, visit.now)).collect(),
        };
        Ok(page(200, "ok", &inbox))
    }

    /// Nothing, where the client may not ask any more.
    fn card(&self, grant: &Grant, now: Timestamp) -> Option<Card> {
        let request = &grant.request;
        Some(Card {
            client: self.asking(grant)?.display_name().to_owned(),
            message: request.binding_message.as_deref().map(Into::into),
            details: shown::details(&self.realm, grant),
            deadline: Deadline::of(grant, now),
            reference: wording::reference(&request.handle),
            address: self.site.path_of(Some(&request.handle)),
        })
    }
}
