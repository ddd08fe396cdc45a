//! What any engine must do. Each test is a function over a fresh table; `engine!` runs all of them for one engine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Thing {
    name: String,
    user: Option<String>,
    aliases: Vec<String>,
    keep_until: Timestamp,
}

impl Record for Thing {
    const KIND: &'static str = "thing";
    const MOST: u64 = 500;

    fn keep_until(&self) -> Timestamp {
        self.keep_until
    }

    fn aliases(&self) -> Vec<Key> {
        self.aliases.iter().map(|alias| Key::new("alias", "r", alias)).collect()
    }

    fn groups(&self) -> Vec<Group> {
        self.user.iter().flat_map(|user| [user_group(user), Group::Realm("r".into())]).collect()
    }
}

fn user_group(user: &str) -> Group {
    Group::User("r".into(), Digest::of(user.as_bytes()))
}

fn thing(name: &str) -> Thing {
    Thing {
        name: name.into(),
        user: Some("u".into()),
        aliases: vec![format!("alias of {name}")],
        keep_until: Clock::system().now().plus(Duration::from_secs(60)),
    }
}

fn key(name: &str) -> Key {
    Table::<Thing>::key("r", name)
}

async fn a_record_is_found_by_key_and_alias_in_its_realm(table: Table<Thing>) {
    table.insert(key("a"), thing("a"), &[]).await.unwrap();
    assert_eq!(table.get(key("a")).await.unwrap().unwrap().name, "a");
    let (found, value) = table.find(Key::new("alias", "r", "alias of a")).await.unwrap().unwrap();
    assert_eq!((found, value.name.as_str()), (key("a"), "a"));
    assert!(table.get(Table::<Thing>::key("other", "a")).await.unwrap().is_none());
    assert!(table.get(Key::new("other", "r", "a")).await.unwrap().is_none());
    assert!(table.find(key("a")).await.unwrap().is_none(), "a key is no alias");
}

async fn a_taken_key_or_alias_is_refused_and_nothing_is_left_behind(table: Table<Thing>) {
    table.insert(key("a"), thing("a"), &[]).await.unwrap();
    assert!(matches!(table.insert(key("a"), thing("b"), &[]).await, Err(NotInserted::Exists)));
    assert!(matches!(table.insert(key("c"), thing("a"), &[]).await, Err(NotInserted::Exists)));
    assert_eq!(table.count(&user_group("u")).await.unwrap(), 1);
    assert!(table.find(Key::new("alias", "r", "alias of b")).await.unwrap().is_none());
    assert_eq!(table.get(key("a")).await.unwrap().unwrap().name, "a");
}

async fn a_full_group_refuses_and_drops_nothing(table: Table<Thing>) {
    let quota = [Quota { group: user_group("u"), most: 2 }];
    table.insert(key("a"), thing("a"), &quota).await.unwrap();
    table.insert(key("b"), thing("b"), &quota).await.unwrap();
    assert!(
        matches!(table.insert(key("c"), thing("c"), &quota).await, Err(NotInserted::Full(group)) if group == user_group("u"))
    );
    assert!(table.get(key("a")).await.unwrap().is_some() && table.get(key("b")).await.unwrap().is_some());
    table.change(key("a"), |_| Change::Remove(())).await.unwrap();
    table.insert(key("c"), thing("c"), &quota).await.unwrap();
}

async fn a_full_kind_refuses_whatever_the_groups(table: Table<Thing>) {
    for n in 0..2_000 {
        let lone = Thing { user: None, ..thing(&n.to_string()) };
        match table.insert(key(&n.to_string()), lone, &[]).await {
            Ok(()) => assert!(n < 1_500, "far above its most"),
            Err(NotInserted::Full(Group::All)) => {
                assert!(n >= 500 && !table.has_room());
                assert!(table.get(key("0")).await.unwrap().is_some(), "nothing was dropped");
                return;
            }
            Err(other) => panic!("{other}"),
        }
        if n % 100 == 0 {
            table.tidy();
        }
    }
    panic!("never full");
}

async fn a_change_that_leaves_a_group_makes_room(table: Table<Thing>) {
    let quota = [Quota { group: user_group("u"), most: 1 }];
    table.insert(key("a"), thing("a"), &quota).await.unwrap();
    let decided = |before: Option<&Thing>| Change::Put(Thing { user: None, ..before.unwrap().clone() }, ());
    table.change(key("a"), decided).await.unwrap();
    assert_eq!(table.list(&user_group("u"), 10).await.unwrap(), []);
    table.insert(key("b"), thing("b"), &quota).await.unwrap();
    assert!(table.find(Key::new("alias", "r", "alias of a")).await.unwrap().is_some(), "aliases stay");
}

async fn what_is_past_its_time_makes_room_before_full_is_answered(table: Table<Thing>) {
    let quota = [Quota { group: user_group("u"), most: 1 }];
    let past = Thing { keep_until: Timestamp::from_seconds(0), ..thing("a") };
    table.insert(key("a"), past, &quota).await.unwrap();
    for _ in 0..100 {
        if table.insert(key("b"), thing("b"), &quota).await.is_ok() {
            assert_eq!(table.count(&user_group("u")).await.unwrap(), 1);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("an expired record kept its place for five seconds");
}

async fn change_sees_nothing_where_nothing_is_and_may_put(table: Table<Thing>) {
    let seen = table.change(key("a"), |before| Change::<Thing, _>::Keep(before.is_some())).await.unwrap();
    assert!(!seen);
    table.change(key("a"), |_| Change::Put(thing("a"), ())).await.unwrap();
    assert_eq!(table.count(&user_group("u")).await.unwrap(), 1);
    table.change(key("a"), |_| Change::<Thing, _>::Remove(())).await.unwrap();
    assert!(table.get(key("a")).await.unwrap().is_none());
    assert!(table.find(Key::new("alias", "r", "alias of a")).await.unwrap().is_none());
}

async fn one_of_many_racing_changes_wins(table: Table<Thing>) {
    let table = Arc::new(table);
    for round in 0..50 {
        let name = format!("{round}");
        table.insert(key(&name), thing(&name), &[]).await.unwrap();
        let winners = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let (table, winners, name) = (Arc::clone(&table), Arc::clone(&winners), name.clone());
                tokio::spawn(async move {
                    let won = table
                        .change(key(&name), |before| match before {
                            Some(thing) if thing.user.is_some() => {
                                Change::Put(Thing { user: None, ..thing.clone() }, true)
                            }
                            _ => Change::Keep(false),
                        })
                        .await
                        .unwrap();
                    winners.fetch_add(usize::from(won), Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(winners.load(Ordering::SeqCst), 1, "round {round}");
    }
}

async fn racing_inserts_never_pass_a_quota(table: Table<Thing>) {
    let table = Arc::new(table);
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let table = Arc::clone(&table);
            tokio::spawn(async move {
                let quota = [Quota { group: Group::Realm("r".into()), most: 10 }];
                let name = format!("{n}");
                table.insert(key(&name), thing(&name), &quota).await.is_ok()
            })
        })
        .collect();
    let mut admitted = 0;
    for task in tasks {
        admitted += usize::from(task.await.unwrap());
    }
    assert_eq!(admitted, 10);
}

async fn a_watch_taken_before_the_change_wakes(table: Table<Thing>) {
    table.insert(key("a"), thing("a"), &[]).await.unwrap();
    let mut watch = table.watch(key("a"));
    table.change(key("a"), |_| Change::<Thing, _>::Keep(())).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), watch.changed()).await.is_err(), "nothing changed");
    table.change(key("a"), |before| Change::Put(before.unwrap().clone(), ())).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), watch.changed()).await.expect("woken");
}

macro_rules! engine {
    ($engine:ident, $table:expr, $($test:ident),+ $(,)?) => {
        mod $engine {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($table).await;
            })+
        }
    };
}

engine!(
    in_memory,
    super::Table::in_memory(crate::clock::Clock::system()),
    a_record_is_found_by_key_and_alias_in_its_realm,
    a_taken_key_or_alias_is_refused_and_nothing_is_left_behind,
    a_full_group_refuses_and_drops_nothing,
    a_full_kind_refuses_whatever_the_groups,
    a_change_that_leaves_a_group_makes_room,
    what_is_past_its_time_makes_room_before_full_is_answered,
    change_sees_nothing_where_nothing_is_and_may_put,
    one_of_many_racing_changes_wins,
    racing_inserts_never_pass_a_quota,
    a_watch_taken_before_the_change_wakes,
);
