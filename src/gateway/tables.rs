//! The process's tables: one for each kind of record, shared by all realms (their keys are not).

use std::sync::Arc;

use crate::{
    approval::Session,
    authorization::Authorization,
    ciba::{Grant, WrongCodes},
    client_auth::FailedAttempts,
    clock::Clock,
    store::{Table, Used},
};

#[derive(Clone)]
pub struct Tables {
    pub grants: Arc<Table<Grant>>,
    pub authorizations: Arc<Table<Authorization>>,
    pub wrong_codes: Arc<Table<WrongCodes>>,
    pub sessions: Arc<Table<Session>>,
    pub used: Arc<Table<Used>>,
    pub failed_attempts: Arc<Table<FailedAttempts>>,
}

impl Tables {
    /// In the process's memory: a restart forgets them.
    pub fn in_memory(clock: &Clock) -> Self {
        Self {
            grants: Arc::new(Table::in_memory(clock.clone())),
            authorizations: Arc::new(Table::in_memory(clock.clone())),
            wrong_codes: Arc::new(Table::in_memory(clock.clone())),
            sessions: Arc::new(Table::in_memory(clock.clone())),
            used: Arc::new(Table::in_memory(clock.clone())),
            failed_attempts: Arc::new(Table::in_memory(clock.clone())),
        }
    }

    /// Forgets what is past its time; to be called once a second.
    pub fn tidy(&self) {
        self.grants.tidy();
        self.authorizations.tidy();
        self.wrong_codes.tidy();
        self.sessions.tidy();
        self.used.tidy();
        self.failed_attempts.tidy();
    }
}
