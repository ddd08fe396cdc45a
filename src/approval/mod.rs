//! The person's side: sign-in at the upstream, session, inbox, decision page, result.
