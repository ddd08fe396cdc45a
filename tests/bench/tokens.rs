//! What is done with access tokens: introspection and userinfo. The control answers the same size of reply and verifies
//! nothing.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    Result,
    flow::{self, Device, Target},
    http1::{self, Connection, post_form},
    load::wrong,
    process::Server,
    run::{Bench, Rounds},
    world,
};

impl Bench<'_> {
    pub(super) async fn introspection(&mut self, device: &Arc<Device>) -> Result<()> {
        let request = |path: &str, token: &str| {
            post_form(path, &format!("token={token}&client_id=bench&client_secret=bench-secret-0123456789"))
        };
        self.with_tokens(device, "introspection", "introspect", request, r#""active":true"#).await
    }

    pub(super) async fn userinfo(&mut self, device: &Arc<Device>) -> Result<()> {
        self.with_tokens(device, "userinfo", "userinfo", http1::get, r#""sub":"user-"#).await
    }

    async fn with_tokens(
        &mut self,
        device: &Arc<Device>,
        what: &str,
        endpoint: &str,
        request: fn(&str, &str) -> Vec<u8>,
        expected: &'static str,
    ) -> Result<()> {
        let (control, gateway) = self.servers()?;
        let tokens = match &gateway {
            Some(server) => access_tokens(server, self.args.connections, device).await?,
            None => vec!["e30.e30.e30".to_owned()],
        };
        let requests = |path: &str| tokens.iter().map(|token| request(path, token)).collect::<Vec<_>>();
        let (of_control, of_gateway) = (requests(&format!("/{endpoint}")), requests(&format!("/es256/{endpoint}")));
        let mut rounds = Rounds::default();
        for _ in 0..self.args.rounds {
            rounds.control.push(self.repeat(&control, &of_control, (200, expected)).await?);
            if let Some(server) = &gateway {
                rounds.gateway.push(self.repeat(server, &of_gateway, (200, expected)).await?);
            }
        }
        self.report.load(what, &rounds, 0.45)
    }
}

/// One for each user, by whole flows.
async fn access_tokens(server: &Server, connections: usize, device: &Arc<Device>) -> Result<Vec<String>> {
    let mut running = JoinSet::<Result<Vec<_>>>::new();
    for first in 0..connections {
        let mut connection = Connection::open(server.address).await?;
        let (device, target) = (Arc::clone(device), Target::of_realm("es256"));
        running.spawn(async move {
            let mut tokens = Vec::new();
            for n in (first..world::USERS).step_by(connections) {
                let user = world::user(n);
                let request = post_form(&target.authorize, &world::authorize_form(&user));
                let (auth_req_id, bearer) = flow::ask(&mut connection, &device, &request, &user).await?;
                flow::approve(&mut connection, &target.callback, &bearer).await?;
                let token = post_form(&target.token, &world::token_form(&auth_req_id));
                match connection.exchange(&token).await? {
                    (200, body) => tokens.push(flow::check(body, &user)?),
                    (status, body) => return Err(wrong(status, body)),
                }
            }
            Ok(tokens)
        });
    }
    let mut all = Vec::new();
    for tokens in running.join_all().await {
        all.append(&mut tokens?);
    }
    Ok(all)
}
