//! A happy world with one more client, `app`, which has a notification endpoint; and what it is told there.

use std::time::Duration;

use realmgate::outbox;

use crate::{
    receiver::Receiver,
    world::{Answer, Build, CIBA, World, realm_file},
};

/// A `client_notification_token`.
pub(crate) const TOKEN: &str = "8d67dc78-7faa-4d41-aabd-67707b374255";

pub(crate) struct App {
    pub(crate) world: World,
    pub(crate) receiver: Receiver,
    /// The realm file.
    pub(crate) realm: String,
}

/// The realm file with `app`, which is told at `url`.
pub(crate) fn realm(mode: &str, url: &str) -> String {
    format!(
        "{}\n[[clients]]\nclient_id = \"app\"\nclient_secret = \"app-secret-0123456789\"\n\
         token_endpoint_auth_method = \"client_secret_post\"\nscope = \"openid profile email\"\n\
         grant_types = [\"{CIBA}\", \"refresh_token\"]\nbackchannel_token_delivery_mode = \"{mode}\"\n\
         backchannel_client_notification_endpoint = \"{url}\"\n",
        realm_file()
    )
}

impl App {
    /// `app` is notified by `mode`, and its endpoint answers with `status`.
    pub(crate) async fn new(mode: &str, status: u16) -> Self {
        Self::with(mode, status, |_| {}, Build::default()).await
    }

    pub(crate) async fn with(mode: &str, status: u16, bend: impl FnOnce(&mut String), build: Build) -> Self {
        let receiver = Receiver::answering(status).await;
        let mut realm = realm(mode, &receiver.url);
        bend(&mut realm);
        let world = World::of(&[("master", &realm)], build).await;
        Self { world, receiver, realm }
    }

    /// `app` asks alice; the `auth_req_id`.
    pub(crate) async fn ask(&self) -> String {
        ask(&self.world).await
    }

    pub(crate) async fn poll(&self, id: &str) -> Answer {
        poll(&self.world, id).await
    }

    /// How many calls of the endpoint ended so: `ok`, `fault`, `retry`.
    pub(crate) fn counted(&self, mode: &str, result: &str) -> u32 {
        counted(&self.world, mode, result)
    }

    /// Waits until a call of the endpoint ended so.
    pub(crate) async fn ended(&self, mode: &str, result: &str) {
        for _ in 0..1000 {
            if self.counted(mode, result) > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no call ended with {result}");
    }

    /// As time passes on the world's clock.
    pub(crate) async fn ended_as_time_passes(&self, mode: &str, result: &str) {
        for _ in 0..1000 {
            if self.counted(mode, result) > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.world.clock.advance(Duration::from_millis(50));
        }
        panic!("no call ended with {result}");
    }
}

pub(crate) async fn ask(world: &World) -> String {
    let answer = request(world, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["auth_req_id"].as_str().unwrap().to_owned()
}

/// `app` asks alice, with these parameters besides.
pub(crate) async fn request(world: &World, more: &[(&str, &str)]) -> Answer {
    let mut form = of_app();
    form.extend([("scope", "openid profile email"), ("login_hint", "alice"), ("client_notification_token", TOKEN)]);
    form.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
    form.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    world.form("/master/bc-authorize", &form).await
}

pub(crate) async fn poll(world: &World, id: &str) -> Answer {
    let mut form = of_app();
    form.extend([("grant_type", CIBA), ("auth_req_id", id)]);
    world.form("/master/token", &form).await
}

pub(crate) fn of_app() -> Vec<(&'static str, &'static str)> {
    vec![("client_id", "app"), ("client_secret", "app-secret-0123456789")]
}

pub(crate) fn counted(world: &World, mode: &str, result: &str) -> u32 {
    let metrics = world.gateway.parts().events.metrics(&[]);
    let labels = format!(r#"ciba_client_callbacks_total{{realm="master",mode="{mode}",result="{result}"}}"#);
    let line = metrics.lines().find(|line| line.starts_with(&labels));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// An outbox that takes nothing.
pub(crate) fn full() -> Build {
    Build { outbox: outbox::Limits { taken: 0, ..outbox::Limits::default() }, ..Build::default() }
}
